/* work.h - works an outbox in tests, through its interface alone: a clock that stands still,
 * entries by the dozen, exchanges in one line. The tests of any store (conformance/fixture.h) and
 * those of LMDB's tables (unit/outbox_fixture.h) say where the outbox is.
 *
 * Everything fails the running test by itself when the store returns an error. */
#ifndef TESTS_OUTBOX_WORK_H
#define TESTS_OUTBOX_WORK_H

#include <check.h>

#include "store/outbox.h"

#define FX_NOW_MS INT64_C(1700000000000)
#define FX_CLAIMS_MAX 2048
#define FX_PATHS 1000
#define FX_ENDPOINT_TEXT_MAX 48

/* --- where the outbox is: each kind of tests has its own fx_open, fx_setup and fx_teardown --- */

struct fx {
	const char *on; /* which store, for messages */
	struct rp_outbox *ob;
	struct rp_outbox_options options;
	struct rp_sender_id me;
	int64_t now_ms, boot_ms;
	struct rp_error err;
	/* of the last exchange */
	struct rp_claim claims[FX_CLAIMS_MAX];
	size_t n_claims, n_dead;
	int64_t next_ready_ms;
	bool committed;
	unsigned limit;          /* of every path, unless limits is set */
	struct rp_limits limits; /* in_flight 0: not set */
	/* of every host, and of the section that all paths are in; in_flight 0: no limit, none */
	struct rp_limits host_limits, section_limits;
	size_t unproven_max;         /* want_unproven of an exchange at most */
	struct rp_claim_ahead ahead; /* of each exchange; want 0: none */
};
extern struct fx fx;

/* Joins as a sender; the teardown fails when the outbox is not sound. */
void fx_setup(void);
void fx_teardown(void);
void fx_open(void);

/* The first part of a setup: clock, limits, options; nothing is open yet. */
void fx_prepare(void);
/* In a child: its random numbers are not its parent's. */
void fx_reseed(void);
void fx_join(void);
void fx_close(void);
void fx_must(enum rp_err e, const char *what);

/* --- entries ----------------------------------------------------------------------------- */

/* An entry for endpoint k with its own dedupe key and a short payload; texts live until the next
 * 1,024 calls. */
struct rp_new_entry fx_new(unsigned k);
/* Appends n (<= 1,024) of them in one batch and returns the first seq; the others follow it. */
uint64_t fx_append(unsigned k, size_t n);
uint64_t fx_append_one(const struct rp_new_entry *n, bool *duplicate);
/* Endpoint k below FX_PATHS is the path /hook of host k; h * FX_PATHS + n is another path, /hook/n,
 * of host h. Its name as it is stored. */
const char *fx_endpoint_text(unsigned k, char out[FX_ENDPOINT_TEXT_MAX]);
uint64_t fx_endpoint(unsigned k);      /* its id */
uint64_t fx_find_endpoint(unsigned k); /* 0: there is none */
struct rp_endpoint fx_endpoint_record(unsigned k);
/* The state, 0 when there is no such entry. */
enum rp_state fx_state(uint64_t seq);
struct rp_delivery fx_delivery(uint64_t seq);
size_t fx_attempts(uint64_t seq);
struct rp_attempt fx_attempt(uint64_t seq, uint32_t n, bool *found);
struct rp_ledger fx_ledger(void);
size_t fx_n_endpoints(void);
size_t fx_n_planned(void); /* entries that are left of the sets of all jobs */
/* The numbers of those that the filter lets pass, ascending, each once. Result: how many. */
size_t fx_select(const struct rp_filter *filter, uint64_t *seqs, size_t max);
size_t fx_count(const struct rp_filter *filter);

/* --- working ----------------------------------------------------------------------------- */

/* One exchange: settles, then claims up to want. */
void fx_exchange(size_t want, struct rp_settlement *settle, size_t n_settle);
/* One that claims nothing but ahead of the places of a path, section or host. */
void fx_claim_ahead(uint64_t id, size_t want);
/* Claims exactly one and returns it. */
struct rp_claim fx_claim(void);
/* A failure is a 500: it tells nothing about how much the endpoint can take. */
struct rp_settlement fx_settlement(const struct rp_claim *c, enum rp_settle_kind kind);
/* Settles one claim; true: it was stale. */
bool fx_settle(const struct rp_claim *c, enum rp_settle_kind kind);
size_t fx_reap(int64_t lease_ms);
enum rp_changed fx_change(enum rp_change verb, uint64_t seq);
void fx_pause(unsigned k, bool pause);
/* There is another configuration, after all of the parts. */
void fx_renew(void);
/* Brings a new entry of endpoint k into a state. */
uint64_t fx_entry_in(unsigned k, enum rp_state state);
/* Limits as the fixture has them now; an argument of exchanges of one's own. */
void fx_limits(void *arg, struct rp_span name, struct rp_level_limits *out);

/* --- checking ---------------------------------------------------------------------------- */

/* In slices of so many rows; 0: all at once. The problems are added to *text, a line each. */
struct rp_verify_counts fx_verify(size_t max_rows, struct rp_buf *text);
void fx_verify_sound(void);
uint64_t fx_random(uint64_t *x);

#endif
