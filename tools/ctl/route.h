/* route.h - which way through the outbox a selector goes: by the index that leaves the fewest entries to look at. */
#ifndef RP_CTL_ROUTE_H
#define RP_CTL_ROUTE_H

#include "ctl.h"

struct rp_route {
	bool indexed;
	bool may_repeat; /* an entry that moves meanwhile may be met twice */
	struct rp_page page;
	struct rp_browse browse;
	uint64_t *endpoints; /* WAITING entries of these, one after the other */
	size_t n_endpoints, at;
};

/* Each page shows `see` up to max_seen entries, among them every one that the selector wants (those named by ids apart).
 * Release it either way. */
struct rp_route_eyes {
	size_t max_seen;
	bool (*wants)(void *arg, const struct rp_delivery *d);
	bool (*see)(void *arg, const struct rp_entry *e);
	void *arg;
};
enum rp_err rp_route_plan(struct rp_ctl *ctl, const struct rp_route_eyes *eyes, struct rp_route *out,
			  struct rp_error *err);
/* One short read transaction. *more: there may be more. */
enum rp_err rp_route_page(struct rp_ctl *ctl, struct rp_route *r, bool *more, struct rp_error *err);
void rp_route_release(struct rp_route *r);

#endif
