/* verb_body.c - the verb `body`: prints a payload byte for byte. It is apart from `show` because
 * nothing else may be on its output. */

#include "ctl/select/walk.h"
#include "ctl/verbs/verbs.h"

static int print_body(struct rp_ctl *ctl, uint64_t seq)
{
	struct rp_error err;
	enum rp_err e;

	ctl->out.max = (size_t)1 << 30;
	e = rp_outbox_body(ctl->ob, seq, &ctl->out, &err);
	if (e == RP_OK)
		return rp_ctl_flush(ctl);
	/* a payload with a damaged byte could pass for the real one in whatever reads it: none of
	 * it is printed */
	rp_buf_clear(&ctl->out);
	return rp_ctl_fail(&err);
}

int rp_verb_body(struct rp_ctl *ctl)
{
	struct rp_picks picks = {0};
	uint64_t n_missing = 0;
	int code = rp_walk_pick(ctl, &picks, &n_missing);
	size_t i;

	for (i = 0; i < picks.n && code == RP_EXIT_OK; i++)
		code = print_body(ctl, picks.seqs[i]);
	rp_picks_release(&picks);
	return code == RP_EXIT_OK && n_missing > 0 ? RP_EXIT_SOME_FAILED : code;
}
