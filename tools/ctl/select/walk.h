/* walk.h - runs a selector over an outbox, in short read transactions. */
#ifndef RP_CTL_SELECT_WALK_H
#define RP_CTL_SELECT_WALK_H

#include "ctl/ctl.h"
#include "ctl/screen/progress.h"

struct rp_walk {
	struct rp_ctl *ctl;
	uint64_t limit; /* entries shown at most; 0: all */
	/* Called for each selected entry, possibly inside a read transaction: it collects, and
	 * neither prints nor calls the store. false: stop, out of memory. */
	bool (*see)(void *arg, const struct rp_entry *e);
	/* Called between two transactions, when printing is safe; may be NULL. Result: exit code,
	 * not 0 stops. */
	int (*between)(void *arg);
	void *arg;
	bool quiet;                  /* in: somebody else shows how far it is */
	struct rp_progress progress; /* `between` hides it before it prints */
	uint64_t n_seen;
	uint64_t n_missing; /* ids without an entry; each has been named on stderr */
	uint64_t n_more;    /* selected beyond the limit, so far as counted */
	bool count_more;    /* in: go on counting beyond the limit, for a second at most */
	bool more_uncounted;
};

/* Result: exit code of whatever went wrong, after saying so; missing ids are not an error here. */
int rp_walk_run(struct rp_walk *w);

/* The sequence numbers of what is selected, for verbs that call the store for each. Free with
 * rp_picks_release. */
struct rp_picks {
	uint64_t *seqs;
	size_t n, cap;
};
bool rp_picks_add(struct rp_picks *p, uint64_t seq);
void rp_picks_release(struct rp_picks *p);
/* Fills p with the selection (at most --limit). Result: exit code; *n_missing as above. */
int rp_walk_pick(struct rp_ctl *ctl, struct rp_picks *p, uint64_t *n_missing);

/* The selection as a filter for a store, but for the ids: the endpoints that are there now stand
 * for the name or pattern. Release it either way. Result: exit code, after saying what went
 * wrong. */
struct rp_wanted {
	struct rp_filter filter;
	uint64_t *endpoints;
};
int rp_wanted_init(struct rp_wanted *w, struct rp_ctl *ctl);
void rp_wanted_release(struct rp_wanted *w);
/* Shows briefs of the selected entries in this state: s->see_brief, arg and bounds are set. Result:
 * exit code. */
int rp_walk_briefs(struct rp_ctl *ctl, enum rp_state state, struct rp_select *s);

/* A copy of the entry with this number. RP_ERR_NOTFOUND: it was purged in the meantime. */
enum rp_err rp_walk_load(struct rp_ctl *ctl, uint64_t seq, struct rp_entry *out,
			 struct rp_error *err);

#endif
