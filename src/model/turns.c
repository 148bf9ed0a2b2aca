/* Whose turn it is. It stands apart from receiver.c, which sees one receiver at a time. */
#include "model/turns.h"

bool rp_turns_gave(struct rp_turns *t)
{
	t->gave = true;
	if (++t->in_go < RP_TURNS_GO)
		return false;
	t->in_go = 0;
	return true;
}

void rp_turns_end_go(struct rp_turns *t)
{
	t->in_go = 0;
}

bool rp_turns_again(struct rp_turns *t)
{
	bool again = t->gave;

	t->gave = false;
	return again;
}
