/* run_reject.h - private to src/run: what becomes of a line that is not taken. */
#ifndef RP_RUN_RUN_REJECT_H
#define RP_RUN_RUN_REJECT_H

#include "run/run.h"

/* Returns false. `code` is one of those in run.h. */
bool rp_run_reject(struct rp_parsed_run *run, const char *code, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* Returns false, and leaves the status that tells so. */
bool rp_run_no_memory(struct rp_parsed_run *run);

#endif
