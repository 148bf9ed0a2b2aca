/* fresh_requests.h - counts the requests under way that began a short while ago. Pure functions of
 * values; times are those of the boot clock.
 *
 * A fresh request may be answered soon. One that has been under way for longer may hang. */
#ifndef RP_DELIVER_FRESH_REQUESTS_H
#define RP_DELIVER_FRESH_REQUESTS_H

#include <stddef.h>
#include <stdint.h>

/* A request is fresh for so long, to within a tenth. With a longer time, a receiver that hangs
 * disturbs for longer after a request began. With a shorter time, answers that take a little
 * longer have a commit each. */
#define RP_FRESH_MS 50
/* Ten buckets make RP_FRESH_MS. Two more keep the oldest from being counted with the newest. */
#define RP_FRESH_BUCKETS 12

/* How many requests began in each of the last spans of time and are still under way. Zeroed: no
 * request. */
struct rp_fresh_requests {
	struct {
		int64_t no; /* of its span of time, counted from the start of the clock */
		size_t n;
	} bucket[RP_FRESH_BUCKETS];
};

void rp_fresh_requests_begin(struct rp_fresh_requests *r, int64_t now_boot_ms);
/* begun_boot_ms: the time that rp_fresh_requests_begin got for this request. */
void rp_fresh_requests_end(struct rp_fresh_requests *r, int64_t begun_boot_ms);
size_t rp_fresh_requests_count(const struct rp_fresh_requests *r, int64_t now_boot_ms);

#endif
