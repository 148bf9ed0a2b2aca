/* run_reject.h - private to src/run: notes why a line is not taken. */
#ifndef RP_RUN_RUN_REJECT_H
#define RP_RUN_RUN_REJECT_H

#include "run/run.h"

/* Returns false. `code` is one of those in run.h. */
bool rp_run_reject(struct rp_parsed_run *run, const char *code, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* Returns false. Sets the status RP_RUN_NO_MEMORY. */
bool rp_run_no_memory(struct rp_parsed_run *run);

#endif
