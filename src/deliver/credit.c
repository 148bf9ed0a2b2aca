/* credit.c - counts the requests that may begin now. It is apart, and pure, because real clocks
 * could not test its timing. */

#include "deliver/credit.h"

#include "base/assert.h"

static int64_t until_fill_ms(const struct rp_credit *c, int64_t now_boot_ms)
{
	int64_t after = c->begun_boot_ms + RP_CREDIT_AFTER_MS,
		every = c->filled_boot_ms + RP_CREDIT_EVERY_MS;
	int64_t left_ms = (after < every ? after : every) - now_boot_ms;

	return left_ms > 0 ? left_ms : 0;
}

void rp_credit_fill(struct rp_credit *c, int64_t now_boot_ms)
{
	if (c->left >= RP_CREDIT_MAX || until_fill_ms(c, now_boot_ms) > 0)
		return;
	c->left = RP_CREDIT_MAX;
	c->filled_boot_ms = now_boot_ms;
}

void rp_credit_take(struct rp_credit *c, int64_t now_boot_ms)
{
	assert(c->left > 0);
	c->left--;
	c->begun_boot_ms = now_boot_ms;
}

void rp_credit_give(struct rp_credit *c)
{
	if (c->left < RP_CREDIT_MAX)
		c->left++;
	assert(c->left > 0 && c->left <= RP_CREDIT_MAX);
}

int64_t rp_credit_next_ms(const struct rp_credit *c, int64_t now_boot_ms)
{
	return c->left > 0 ? 0 : until_fill_ms(c, now_boot_ms);
}
