/* concurrency.c - lowers the limit of requests under way when the system refuses one, and raises
 * it again. It is apart, and pure, because a test cannot make a system run short when it wants. */

#include "deliver/concurrency.h"

#include "base/assert.h"

bool rp_concurrency_refused(struct rp_concurrency *c, size_t running, int64_t now_boot_ms)
{
	assert(running < c->max);
	c->limit = running > 0 ? running : 1;
	c->changed_boot_ms = now_boot_ms;
	if (running > 0)
		return true;
	c->wait_until_boot_ms = now_boot_ms + ((int64_t)RP_CONCURRENCY_WAIT_MS << c->refusals);
	return ++c->refusals <= RP_CONCURRENCY_REFUSALS_MAX;
}

void rp_concurrency_granted(struct rp_concurrency *c)
{
	c->refusals = 0;
}

void rp_concurrency_grow(struct rp_concurrency *c, int64_t now_boot_ms)
{
	if (c->limit >= c->max || now_boot_ms - c->changed_boot_ms < RP_CONCURRENCY_GROW_MS ||
	    c->refusals > 0)
		return;
	c->limit += c->limit / 4 + 1;
	if (c->limit > c->max)
		c->limit = c->max;
	c->changed_boot_ms = now_boot_ms;
	assert(c->limit > 0 && c->limit <= c->max);
}

int64_t rp_concurrency_next_ms(const struct rp_concurrency *c, size_t running, int64_t now_boot_ms)
{
	if (running >= c->limit)
		return -1;
	return c->wait_until_boot_ms > now_boot_ms ? c->wait_until_boot_ms - now_boot_ms : 0;
}
