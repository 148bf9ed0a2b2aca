/* descriptors.h - how many requests at once the descriptors of a process allow.
 *
 * A request may need four descriptors. One is its connection. Three are for the lookup of its name:
 * libcurl's pair of sockets, and the resolver's socket. A quarter of a connection more is for
 * bursts to new hosts (http.c). */
#ifndef RP_DELIVER_DESCRIPTORS_H
#define RP_DELIVER_DESCRIPTORS_H

#include "base/err.h"

/* How many of the `wanted` requests `limit` descriptors allow, when `taken` have another use. 0:
 * not even one. Pure. */
unsigned rp_descriptors_requests(uint64_t limit, uint64_t taken, unsigned wanted);
/* The limit that `wanted` requests need. Pure. */
uint64_t rp_descriptors_needed(uint64_t taken, unsigned wanted);

/* Raises the soft limit of this process to the hard one. */
void rp_descriptors_raise(void);
/* Lowers *requests to what the descriptors of this process allow. The log says then what is
 * missing. later: how many descriptors the process will open for something else. RP_ERR_NOMEM:
 * there are not enough for one request. */
enum rp_err rp_descriptors_fit(unsigned later, unsigned *requests, struct rp_error *err);

#endif
