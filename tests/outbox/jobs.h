/* jobs.h - jobs in tests: plans of given entries, orders, steps. */
#ifndef TESTS_OUTBOX_JOBS_H
#define TESTS_OUTBOX_JOBS_H

#include "outbox/work.h"

void fx_must_be(enum rp_err got, enum rp_err want);
/* n new entries of endpoint k in this state. */
void fx_fill(uint64_t *seqs, unsigned k, size_t n, enum rp_state state);

/* A plan of these entries as they are now; its number. It expires after a second. */
uint64_t fx_plan(enum rp_job_verb verb, const uint64_t *seqs, size_t n);
uint64_t fx_plan_begin(enum rp_job_verb verb);
void fx_plan_add(uint64_t number, const uint64_t *seqs, size_t n, bool last);

enum rp_err fx_job_order(uint64_t number, enum rp_order_kind kind);
/* A plan that is started at once. */
uint64_t fx_job_start(enum rp_job_verb verb, const uint64_t *seqs, size_t n);
/* Carries on, with at most RP_JOB_DUE_MAX due at an endpoint. Result: entries worked on. */
size_t fx_job_step(uint64_t job, size_t max);
extern int64_t fx_job_next_at_ms; /* what the last step said */
struct rp_job fx_job(uint64_t number);
uint64_t fx_n_jobs(void);

#endif
