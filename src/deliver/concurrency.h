/* concurrency.h - the limit of requests under way, as the system grants them. Pure functions of
 * values; times are those of the boot clock.
 *
 * The system may refuse a request for lack of descriptors, threads or memory. Then the limit falls
 * to the number under way, and grows again by a quarter a second. When a request is refused while
 * nothing is under way, the sender waits, longer each time. After some such refusals, waiting does
 * not help. */
#ifndef RP_DELIVER_CONCURRENCY_H
#define RP_DELIVER_CONCURRENCY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RP_CONCURRENCY_GROW_MS 1000
#define RP_CONCURRENCY_WAIT_MS 100
#define RP_CONCURRENCY_REFUSALS_MAX 7 /* with nothing under way: 100 + 200 + ... + 6400 ms */

struct rp_concurrency {
	size_t max;        /* as configured */
	size_t limit;      /* as it is now; 1 to max */
	unsigned refusals; /* in a row, with nothing under way */
	int64_t changed_boot_ms;
	int64_t wait_until_boot_ms; /* nothing begins before */
};

/* A request was refused while `running` others are under way. false: there is no use in going
 * on. */
bool rp_concurrency_refused(struct rp_concurrency *c, size_t running, int64_t now_boot_ms);
void rp_concurrency_granted(struct rp_concurrency *c); /* a request had all it needed */
void rp_concurrency_grow(struct rp_concurrency *c, int64_t now_boot_ms); /* if that is due */
/* Milliseconds until one more may begin. -1: not before one has ended. */
int64_t rp_concurrency_next_ms(const struct rp_concurrency *c, size_t running, int64_t now_boot_ms);

#endif
