/* fresh_requests.c - counts fresh requests in a ring of buckets. It is apart from batching.c
 * because it has state, and batching.c has none. */

#include "deliver/fresh_requests.h"

#include "base/assert.h"

#define SPANS 10 /* of time, that make RP_FRESH_MS */

static int64_t span_of(int64_t boot_ms)
{
	assert(boot_ms >= 0);
	return boot_ms / (RP_FRESH_MS / SPANS);
}

static size_t bucket_of(int64_t no)
{
	return (size_t)(no % RP_FRESH_BUCKETS);
}

void rp_fresh_requests_begin(struct rp_fresh_requests *r, int64_t now_boot_ms)
{
	int64_t no = span_of(now_boot_ms);
	size_t i = bucket_of(no);

	if (r->bucket[i].no != no) {
		r->bucket[i].no = no;
		r->bucket[i].n = 0;
	}
	r->bucket[i].n++;
}

void rp_fresh_requests_end(struct rp_fresh_requests *r, int64_t begun_boot_ms)
{
	int64_t no = span_of(begun_boot_ms);
	size_t i = bucket_of(no);

	if (r->bucket[i].no == no && r->bucket[i].n > 0)
		r->bucket[i].n--;
}

size_t rp_fresh_requests_count(const struct rp_fresh_requests *r, int64_t now_boot_ms)
{
	int64_t now = span_of(now_boot_ms);
	size_t i, n = 0;

	for (i = 0; i < RP_FRESH_BUCKETS; i++)
		if (now - r->bucket[i].no <= SPANS)
			n += r->bucket[i].n;
	return n;
}
