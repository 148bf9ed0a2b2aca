/* credit.h - limits how many requests a sender begins at once. Pure functions of values; times are
 * those of the boot clock.
 *
 * A request takes one credit when it begins, and gives one back when it ends. The credit is also
 * filled up when no request has begun for a while, and now and then in any case. So slow receivers
 * get all requests that the limits allow within a few steps.
 *
 * Where receivers are faster than the sender, or all processes wait for a processor, the sender
 * stays with few requests at once. Their memory stays in the cache. Eight senders with 256
 * requests each took 49 us of CPU a webhook without this, and take 37 us with it (measured on two
 * cores; a credit of 20 makes one sender alone slower, 32 and more make eight slower). */
#ifndef RP_DELIVER_CREDIT_H
#define RP_DELIVER_CREDIT_H

#include <stddef.h>
#include <stdint.h>

#define RP_CREDIT_MAX 24      /* requests that may begin before another one ends */
#define RP_CREDIT_AFTER_MS 4  /* filled up when no request has begun for so long, */
#define RP_CREDIT_EVERY_MS 40 /* ... or when it was not filled up for so long */

/* Zeroed: to be filled up at the first call of rp_credit_fill. */
struct rp_credit {
	size_t left;
	int64_t begun_boot_ms;  /* when the last request began */
	int64_t filled_boot_ms; /* when it was last filled up */
};

void rp_credit_fill(struct rp_credit *c, int64_t now_boot_ms); /* if that is due */
/* A request begins. Some credit must be left. */
void rp_credit_take(struct rp_credit *c, int64_t now_boot_ms);
void rp_credit_give(struct rp_credit *c); /* a request has ended */
/* Milliseconds until it is filled up. 0: some is left, or filling up is due. */
int64_t rp_credit_next_ms(const struct rp_credit *c, int64_t now_boot_ms);

#endif
