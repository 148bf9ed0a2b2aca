/* pace.h - when a sender takes its next turn at the store, and how many requests it begins. Pure
 * functions of values.
 *
 * A turn is a commit, and a commit costs 100 to 300 us and the write lock of everybody; a webhook
 * waiting for its turn costs latency, and its place at the endpoint is not free before. So: at
 * once when no other result is to be expected soon, else when enough have gathered, or some have
 * waited long, less long when others wait for their places.
 *
 * Expected soon are answers to fresh requests only. Those of an endpoint that hangs are under way
 * too, and an endpoint with one place (or whose entries go in order) had 162 deliveries a second
 * beside it instead of 1,776 while they counted. */
#ifndef RP_DELIVER_BATCHING_H
#define RP_DELIVER_BATCHING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RP_PACE_BATCH 192 /* results worth a commit of their own */
/* how long a result waits for company: a settle is late by this much, no receiver is */
#define RP_PACE_HOLD_MS 5
/* ... and no longer than a quarter of its request took, when others wait for its place */
#define RP_PACE_HOLD_PART 4
#define RP_PACE_CLAIM_MS 1 /* least time between turns that only claim, while requests run */

/* Requests begun at most so long ago, to within a tenth, are fresh. Longer: what hangs disturbs
 * for longer after it was begun. Shorter: answers that take a little longer have a commit each. */
#define RP_FRESH_MS 50
#define RP_FRESH_PARTS 12 /* more than ten, or the oldest would be counted where the newest are */

/* How many requests were begun in each of the last parts of time and are under way yet. All zero:
 * none. */
struct rp_fresh {
	struct {
		int64_t no;
		size_t n;
	} part[RP_FRESH_PARTS];
};

/* On the boot clock. Ended: `begun_boot_ms` is what its begin was told. */
void rp_fresh_begin(struct rp_fresh *r, int64_t now_boot_ms);
void rp_fresh_end(struct rp_fresh *r, int64_t begun_boot_ms);
size_t rp_fresh_count(const struct rp_fresh *r, int64_t now_boot_ms);

/* How many requests may begin now. Each that ends lets another one begin; beyond that some may
 * whenever none has begun for a while, and now and then in any case. Slow receivers so get all
 * that the limits allow within a few steps. Where receivers are faster than the sender, or all
 * wait for a processor, it stays with few requests at once, whose memory stays in the cache: eight
 * senders with 256 places each took 49 us of CPU a webhook while they filled them, and 37 since
 * (measured on two cores; 20 make one sender alone slower, 32 and more make eight slower). */
#define RP_CREDIT 24          /* requests that may begin without another's end */
#define RP_CREDIT_AFTER_MS 4  /* ... when none has begun for so long, */
#define RP_CREDIT_EVERY_MS 40 /* ... or none was allowed beyond the ends for so long */

struct rp_credit {
	size_t left;
	int64_t begun_boot_ms;   /* when the last request began */
	int64_t granted_boot_ms; /* when some were last allowed beyond the ends */
};

void rp_credit_look(struct rp_credit *c, int64_t now_boot_ms);  /* grants what is due */
void rp_credit_begin(struct rp_credit *c, int64_t now_boot_ms); /* a request; some must be left */
void rp_credit_end(struct rp_credit *c);
/* Milliseconds until more are granted; 0: some are left, or due. */
int64_t rp_credit_next_ms(const struct rp_credit *c, int64_t now_boot_ms);

/* How long after its claim a request that took a token of a rate may begin. Short, since it is
 * charged as if it began at the end of that time; and longer than what lately lay between claim
 * and begin (a slow disk, a loop that had much to do), or all would be forfeited. */
#define RP_LAG_LEAST_MS 20
#define RP_LAG_MOST_MS 10000

/* lag_ms: what lies between claim and begin of late; begin with 0. Follows one that is longer at
 * once, shorter ones slowly. */
int64_t rp_lag_follow(int64_t lag_ms, int64_t latest_ms);
int64_t rp_lag_begin_within_ms(int64_t lag_ms);

/* How many requests may be under way. Where the system grants fewer than configured (descriptors,
 * threads, memory) it is what was under way when it refused one more, and grows again by a quarter
 * a second. Two in a row refused while nothing is under way wait for each other, longer each time;
 * after some, waiting does not help. */
#define RP_PLACES_GROW_MS 1000
#define RP_PLACES_WAIT_MS 100
#define RP_PLACES_REFUSALS_MAX 7 /* with nothing under way: 100 + 200 + ... + 6400 ms */

struct rp_places {
	size_t max, now;
	unsigned refusals; /* in a row, with nothing under way */
	int64_t changed_boot_ms;
	int64_t until_boot_ms; /* nothing begins before */
};

/* One was refused while `running` others are under way. false: there is no use in going on. */
bool rp_places_refused(struct rp_places *p, size_t running, int64_t now_boot_ms);
void rp_places_granted(struct rp_places *p);
void rp_places_look(struct rp_places *p, int64_t now_boot_ms); /* lets it grow */
/* Milliseconds until one more may begin; -1: not before one has ended. */
int64_t rp_places_next_ms(const struct rp_places *p, size_t running, int64_t now_boot_ms);

struct rp_pace {
	size_t ready;               /* claimed, not begun */
	size_t running;             /* requests under way */
	size_t fresh;               /* ... of these, begun a short while ago */
	size_t finished;            /* results not settled */
	int64_t hold_ms;            /* ... the least rp_pace_hold_ms of them */
	size_t room;                /* claims that could be taken */
	bool due;                   /* the agenda says that something can be claimed now */
	int64_t oldest_finished_ms; /* age of the oldest unsettled result */
	int64_t since_turn_ms;      /* since the last turn */
};

/* How long a result may wait for company. Blocking: others wait for its place (struct rp_claim).
 * At least a millisecond, so that there is no commit for each of many. */
int64_t rp_pace_hold_ms(bool blocking, int64_t request_us);

/* Whether a turn would claim something, were it due. */
bool rp_pace_wants_claims(const struct rp_pace *p);

/* Milliseconds until the next turn: 0 is now, -1 not before something happens. */
int64_t rp_pace_next_ms(const struct rp_pace *p);

#endif
