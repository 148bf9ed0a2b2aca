/* tally.h - what a receiver has seen in all: counts for the summary line. */
#ifndef RP_SINK_TALLY_H
#define RP_SINK_TALLY_H

#include <stdint.h>

#include "table.h"

#define RP_SINK_STATUS_NONE (-1) /* nothing that is HTTP was answered */

struct rp_sink_tally {
	uint64_t requests;
	uint64_t by_status[600]; /* [0]: no answer */
	uint64_t repeats;        /* deliveries of a webhook-id seen before */
	uint64_t repeats_after_2xx;
	uint64_t uncounted; /* webhook-ids beyond what is remembered */
	struct rp_sink_table ids;
};

void rp_sink_tally_init(struct rp_sink_tally *t);
void rp_sink_tally_release(struct rp_sink_tally *t);
/* id may be empty. status: 200..599 or RP_SINK_STATUS_NONE. */
void rp_sink_tally_add(struct rp_sink_tally *t, struct rp_span id, int status);
/* Appends one line for people, without its line feed. false: out of memory. */
bool rp_sink_tally_print(const struct rp_sink_tally *t, struct rp_buf *out);

#endif
