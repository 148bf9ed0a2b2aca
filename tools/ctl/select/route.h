/* route.h - which way through the outbox a selector goes: by the index, or the part of the
 * numbers, that leaves the fewest entries to look at; and what can be left out on the way without
 * a look at the entry. */
#ifndef RP_CTL_SELECT_ROUTE_H
#define RP_CTL_SELECT_ROUTE_H

#include "ctl/common/ctl.h"

struct rp_route_range {
	uint64_t from_seq, to_seq; /* before to_seq; 0: to the end */
};

struct rp_route_endpoint {
	uint64_t id;
	bool waits; /* it has entries that do */
};

/* Each page shows `see` up to max_seen entries, among them every one that the selector wants
 * (those named by ids apart). */
struct rp_route_eyes {
	size_t max_seen;
	bool (*see)(void *arg, const struct rp_entry *e);
	void *arg;
};

struct rp_route {
	struct rp_ctl *ctl;
	struct rp_route_eyes eyes;
	unsigned states; /* that may hold some of them; 0: there are none */
	bool indexed;    /* by `browse`, else by `page` */
	bool may_repeat; /* an entry that moves meanwhile may be met twice */
	uint64_t total;  /* records or rows to look at, as far as is known */
	struct rp_page page;
	struct rp_browse browse;
	struct rp_route_endpoint *endpoints; /* those that are wanted, by id */
	size_t n_endpoints, cap_endpoints, at;
	uint64_t latest; /* the one asked for last, ... */
	bool latest_wanted;
	struct rp_mark since, until;
	struct rp_route_range ranges[RP_TIME_SPANS_MAX + 1]; /* of numbers, for `page` */
	unsigned n_ranges, range;
};

/* Release it either way. */
enum rp_err rp_route_plan(struct rp_ctl *ctl, const struct rp_route_eyes *eyes,
			  struct rp_route *out, struct rp_error *err);
/* One short read transaction. *more: there may be more. */
enum rp_err rp_route_page(struct rp_route *r, bool *more, struct rp_error *err);
/* Of `total`. */
uint64_t rp_route_looked(const struct rp_route *r);
void rp_route_release(struct rp_route *r);

#endif
