/* breakdown.h - what a selection is made of: by state, by cause, by endpoint. Bytes are those of
 * payloads. */
#ifndef RP_REPORT_BREAKDOWN_H
#define RP_REPORT_BREAKDOWN_H

#include "config/config.h"
#include "store/outbox.h"
#include "text/json.h"

struct rp_breakdown_endpoint {
	uint64_t id, count, bytes;
	char *name; /* as the configuration shows it */
};

struct rp_breakdown_cause {
	enum rp_cause cause;
	unsigned http_status;
	uint64_t count, bytes;
};

/* Init with {0}; release. */
struct rp_breakdown {
	uint64_t n, bytes;
	struct rp_breakdown_state {
		uint64_t count, bytes;
	} states[RP_STATE_COUNT]; /* [0]: damaged */
	struct rp_breakdown_cause *causes;
	size_t n_causes;
	void *tree;
	struct rp_breakdown_endpoint **endpoints;
	size_t n_endpoints, cap_endpoints;
};

/* false: out of memory. */
bool rp_breakdown_add(struct rp_breakdown *t, const struct rp_config *config,
		      const struct rp_entry *e);
void rp_breakdown_release(struct rp_breakdown *t);

/* "6 entries, 12.0 KiB (4 dead, 8.0 KiB; 2 waiting, 4.0 KiB)", then a line for each cause and
 * endpoint, most first, at most `max_lines` of each. */
bool rp_breakdown_text(const struct rp_breakdown *t, size_t max_lines, struct rp_buf *out);
/* Adds the members bytes, states, state_bytes, causes and endpoints. */
void rp_breakdown_json(const struct rp_breakdown *t, struct rp_json_out *o);

#endif
