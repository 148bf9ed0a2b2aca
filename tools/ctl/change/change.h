/* change.h - what the verbs that change many entries share: the question, the words of the
 * result. */
#ifndef RP_CTL_CHANGE_CHANGE_H
#define RP_CTL_CHANGE_CHANGE_H

#include "ctl/common/ctl.h"
#include "report/breakdown.h"

/* Asks on the terminal whether to go on with so many entries, after showing what they are; a purge
 * wants the count typed. Without a terminal --yes is needed. Few or named entries are not asked
 * about. Result: exit code; RP_EXIT_OK: go on. */
int rp_change_confirm(struct rp_ctl *ctl, const struct rp_breakdown *breakdown);
/* ... of a purge: n_backed_up of them will be in a backup. */
int rp_change_confirm_purge(struct rp_ctl *ctl, const struct rp_breakdown *breakdown,
			    uint64_t n_backed_up);

/* What became of them. */
struct rp_change_result {
	uint64_t done, done_in_flight;
	struct rp_job_skipped skipped;
	uint64_t missing; /* ids without an entry */
	uint64_t left;    /* a job goes on with these */
	uint64_t job;     /* 0: none */
	bool interrupted;
};
/* Prints it, whatever `code` says: what was done before a failure is done. `done` is "replayed",
 * "purged", ... Result: the exit code of the verb. */
int rp_change_finish(struct rp_ctl *ctl, const char *done, const struct rp_change_result *r,
		     int code);

#endif
