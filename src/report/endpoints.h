/* endpoints.h - the endpoints of an outbox, copied out of it. */
#ifndef RP_REPORT_ENDPOINTS_H
#define RP_REPORT_ENDPOINTS_H

#include "report/selector.h"
#include "store/outbox.h"
#include "text/json.h"

struct rp_known_endpoint {
	uint64_t id;
	char *name;   /* as it is shown (shown.h); every verb that takes an endpoint takes it */
	char *stored; /* as it is stored */
	struct rp_endpoint e;
};

struct rp_known_endpoints {
	struct rp_known_endpoint *all;
	size_t n, cap;
};

/* All of them, sorted by id. Release either way. */
enum rp_err rp_known_endpoints_load(struct rp_outbox *ob, const struct rp_config *config,
				    struct rp_known_endpoints *out, struct rp_error *err);
void rp_known_endpoints_release(struct rp_known_endpoints *k);
/* NULL: no such endpoint. */
const struct rp_known_endpoint *rp_known_endpoint_find(const struct rp_known_endpoints *k,
						       uint64_t id);

/* Where an endpoint has the very name that reads as a pattern, too, the name is meant: sets
 * g->exact. *n_fits: how many endpoints the pattern would have fitted then; else 0. */
enum rp_err rp_endpoint_glob_resolve(struct rp_outbox *ob, struct rp_endpoint_glob *g,
				     size_t *n_fits, struct rp_error *err);

/* Its last claim found no valid signing key, and no reload has told it to look again. */
bool rp_known_endpoint_lacks_key(const struct rp_known_endpoint *k);

/* "paused", "disabled", "no_key" (no signing key of it is valid), "parked" (by its breaker),
 * "failing" (its last attempts failed), "ok". */
const char *rp_known_endpoint_state(const struct rp_known_endpoint *k);

/* Whether it is more than a hiccup: 10 failures in a row, or 3 and nothing delivered in the hour
 * before the last. */
bool rp_known_endpoint_keeps_failing(const struct rp_endpoint *e);

/* The object of `endpoints --json`. NULL: out of memory. */
struct rp_json_out *rp_known_endpoint_json(const struct rp_known_endpoint *k);

#endif
