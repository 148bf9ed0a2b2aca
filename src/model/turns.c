/* Whose turn it is. It stands apart from schedule.c, which sees one endpoint at a time. */
#include "model/turns.h"

static void pass_on(struct rp_turns *t)
{
	t->at = t->at + 1 < t->n ? t->at + 1 : 0;
	t->in_go = 0;
}

bool rp_turns_next(struct rp_turns *t, size_t *endpoint)
{
	if (t->n_empty == t->n)
		return false;
	if (t->in_go == RP_TURNS_GO)
		pass_on(t);
	while (t->is_empty[t->at])
		pass_on(t);
	t->in_go++;
	*endpoint = t->at;
	return true;
}

void rp_turns_end_go(struct rp_turns *t)
{
	t->n_empty += !t->is_empty[t->at];
	t->is_empty[t->at] = true;
}
