/* descriptors.h - for how many requests at once the descriptors of a process are enough.
 *
 * A request may need four: a connection that is kept for it, or for another host, and, while its
 * name is looked up, libcurl's pair of sockets and the resolver's one. A quarter of a connection
 * more is kept for bursts to new hosts (http.c). */
#ifndef RP_DELIVER_DESCRIPTORS_H
#define RP_DELIVER_DESCRIPTORS_H

#include "base/err.h"

/* Of `wanted` requests as many as `limit` descriptors are enough for, when `taken` are used for
 * something else; 0: not for one. Pure. */
unsigned rp_descriptors_requests(uint64_t limit, uint64_t taken, unsigned wanted);
/* The limit that is enough for `wanted` requests. Pure. */
uint64_t rp_descriptors_needed(uint64_t taken, unsigned wanted);

/* Raises the soft limit of this process to the hard one. */
void rp_descriptors_raise(void);
/* Lowers *requests to what this process has descriptors for, with a line in the log that says what
 * is missing. `later`: how many it will yet open. RP_ERR_NOMEM: there are not enough for a single
 * request. */
enum rp_err rp_descriptors_fit(unsigned later, unsigned *requests, struct rp_error *err);

#endif
