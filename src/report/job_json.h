/* job_json.h - jobs as people and scripts see them. Pure. */
#ifndef RP_REPORT_JOB_JSON_H
#define RP_REPORT_JOB_JSON_H

#include "model/job.h"
#include "text/json.h"

/* Entries a second since it started; 0: nobody knows. */
double rp_job_per_second(const struct rp_job *j);
/* How long the rest takes at that rate; 0: nobody knows. */
int64_t rp_job_remains_ms(const struct rp_job *j);

/* Sets the member "skipped". */
void rp_job_skipped_json(const struct rp_job_skipped *s, struct rp_json_out *o);
/* The object of `jobs --json`. NULL: out of memory. */
struct rp_json_out *rp_job_json(uint64_t number, const struct rp_job *j);

#endif
