/* verbs.h - the verbs of runpostctl. Each is one row of the table in main.c, and one
 * file here, where two do not belong together.
 * Result: the program's exit code, after the verb has said what went wrong. */
#ifndef RP_CTL_VERBS_VERBS_H
#define RP_CTL_VERBS_VERBS_H

#include "ctl/common/ctl.h"

int rp_verb_stats(struct rp_ctl *ctl);
int rp_verb_shape(struct rp_ctl *ctl);
int rp_verb_list(struct rp_ctl *ctl);
int rp_verb_show(struct rp_ctl *ctl);
int rp_verb_explain(struct rp_ctl *ctl);
int rp_verb_doctor(struct rp_ctl *ctl);
int rp_verb_metrics(struct rp_ctl *ctl);
int rp_verb_body(struct rp_ctl *ctl);
int rp_verb_replay(struct rp_ctl *ctl);
int rp_verb_purge(struct rp_ctl *ctl);
int rp_verb_hold(struct rp_ctl *ctl);
int rp_verb_release(struct rp_ctl *ctl);
int rp_verb_dead(struct rp_ctl *ctl);
int rp_verb_endpoints(struct rp_ctl *ctl);
int rp_verb_pause(struct rp_ctl *ctl);
int rp_verb_resume(struct rp_ctl *ctl);
int rp_verb_export(struct rp_ctl *ctl);
int rp_verb_import(struct rp_ctl *ctl);
int rp_verb_backup(struct rp_ctl *ctl);
int rp_verb_top(struct rp_ctl *ctl);
int rp_verb_completion(struct rp_ctl *ctl);
int rp_verb_tail(struct rp_ctl *ctl);
int rp_verb_verify(struct rp_ctl *ctl);
int rp_verb_jobs(struct rp_ctl *ctl);
int rp_verb_audit(struct rp_ctl *ctl);

#endif
