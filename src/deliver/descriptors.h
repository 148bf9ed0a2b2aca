/* descriptors.h - how many requests at once, and how many connections, the descriptors of a process
 * allow.
 *
 * A request may need four descriptors. One is its connection. Three are for the lookup of its name:
 * libcurl's pair of sockets, and the resolver's socket. A quarter of a connection more is the least
 * that is kept for hosts that have nothing to get now. */
#ifndef RP_DELIVER_DESCRIPTORS_H
#define RP_DELIVER_DESCRIPTORS_H

#include "base/err.h"

/* connections that are kept beside those in use, where descriptors allow it; TLS ones cost some
 * 45 KiB each */
#define RP_DESCRIPTORS_KEPT_MAX 2048u

/* How many of the `wanted` requests `limit` descriptors allow, when `taken` have another use. 0:
 * not even one. Pure. */
unsigned rp_descriptors_requests(uint64_t limit, uint64_t taken, unsigned wanted);
/* How many connections, kept ones included, are left for so many requests at once. Pure. */
unsigned rp_descriptors_connections(uint64_t limit, uint64_t taken, unsigned requests);
/* The limit that `wanted` requests need. Pure. */
uint64_t rp_descriptors_needed(uint64_t taken, unsigned wanted);

/* Raises the soft limit of this process to the hard one. */
void rp_descriptors_raise(void);
/* What the descriptors of this process allow; `requests` as wanted before. */
struct rp_descriptors {
	uint64_t limit;
	unsigned requests, connections;
};
/* Lowers d->requests to what the descriptors of this process allow, and sets the rest. The log says
 * when requests are fewer than wanted. later: how many descriptors the process will open for
 * something else. RP_ERR_NOMEM:
 * there are not enough for one request. */
enum rp_err rp_descriptors_fit(unsigned later, struct rp_descriptors *d, struct rp_error *err);

#endif
