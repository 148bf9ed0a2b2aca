/* run_header.h - private to src/run: the headers of an envelope. */
#ifndef RP_RUN_RUN_HEADER_H
#define RP_RUN_RUN_HEADER_H

#include "run/run.h"
#include "text/scan.h"

/* Packs the headers of an envelope at the end of run->text, where RP_EXTRA_HEADERS_MAX bytes are
 * reserved. false: the run is rejected, or there was no memory for it. */
bool rp_run_take_headers(struct rp_parsed_run *run, const struct rp_json_want *want);

/* Adds the headers of the options to those of the envelope, in the same place. */
void rp_run_join_headers(struct rp_parsed_run *run, struct rp_span more);

#endif
