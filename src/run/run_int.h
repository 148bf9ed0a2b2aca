/* run_int.h - private to the run*.c files. */
#ifndef RP_RUN_RUN_INT_H
#define RP_RUN_RUN_INT_H

#include "run/run.h"
#include "text/scan.h"

/* Returns false. `code` is one of those in run.h. */
bool rp_run_reject(struct rp_parsed_run *run, const char *code, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* Returns false, and leaves the status that tells so. */
bool rp_run_no_memory(struct rp_parsed_run *run);

/* Packs an envelope's object of headers at the end of run->text, where RP_EXTRA_HEADERS_MAX bytes
 * are reserved. False: the run is rejected, or there was no memory for it. */
bool rp_run_take_headers(struct rp_parsed_run *run, const struct rp_json_want *want);

#endif
