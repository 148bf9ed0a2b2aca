/* outbox_fixture.h - what the tests of the outbox share: a temporary outbox, a clock that stands
 * still, entries by the dozen, turns in one line, child processes, and a look behind the curtain
 * for tests that damage records.
 *
 * Everything fails the running test by itself when the store returns an error. */
#ifndef OUTBOX_FIXTURE_H
#define OUTBOX_FIXTURE_H

#include <sys/types.h>

#include "store/lmdb/handle.h"
#include "store/lmdb/row.h"
#include "store/lmdb/txn.h"

#define FX_NOW_MS INT64_C(1700000000000)
#define FX_CLAIMS_MAX 2048

struct fx {
	char dir[256];
	struct rp_outbox *ob;
	struct rp_outbox_options options;
	struct rp_sender_id me;
	int64_t now_ms, boot_ms;
	struct rp_error err;
	/* of the last turn */
	struct rp_claim claims[FX_CLAIMS_MAX];
	size_t n_claims, n_dead;
	int64_t next_ready_ms;
	bool committed;
	unsigned limit; /* of every endpoint, unless limit_of or limits is set */
	unsigned (*limit_of)(unsigned endpoint);
	struct rp_limits limits; /* in_flight 0: not set */
};
extern struct fx fx;

/* LMDB's own handle, for tests that read its tables. */
static inline struct rp_lmdb *fx_db(void)
{
	return rp_lmdb_of(fx.ob);
}

/* --- fixtures: fx_setup joins as a sender; the teardown fails when the outbox is not sound
 * ------------------------------ */

void fx_setup(void);
void fx_teardown(void);
void fx_setup_dir(void); /* only the directory's path: nothing is open, nothing exists */
void fx_teardown_dir(void);
void fx_teardown_damaged(void); /* as fx_teardown, but the test has broken the outbox on purpose */
void fx_open(void);
void fx_join(void);
void fx_close(void);
void fx_path(const char *name, char *out, size_t size);

/* --- entries
 * ------------------------------------------------------------------------------------------ */

/* An entry for endpoint k with its own dedupe key and a short payload; texts live until the next
 * 1,024 calls. */
struct rp_new_entry fx_new(unsigned k);
/* Appends n (<= 1,024) of them in one batch and returns the first seq; the others follow it. */
uint64_t fx_append(unsigned k, size_t n);
uint64_t fx_append_one(const struct rp_new_entry *n, bool *duplicate);
uint64_t fx_endpoint(unsigned k); /* its id */
struct rp_endpoint fx_endpoint_record(unsigned k);
/* The state, 0 when there is no such entry. */
enum rp_state fx_state(uint64_t seq);
struct rp_delivery fx_delivery(uint64_t seq);
size_t fx_attempts(uint64_t seq);
struct rp_attempt fx_attempt(uint64_t seq, uint32_t n, bool *found);
struct rp_ledger fx_ledger(void);

/* --- working
 * ------------------------------------------------------------------------------------------ */

/* One turn: settles, then claims up to want. */
void fx_exchange(size_t want, struct rp_settlement *settle, size_t n_settle);
/* Claims exactly one and returns it. */
struct rp_claim fx_claim(void);
/* A failure is a 500: it tells nothing about how much the endpoint can take. */
struct rp_settlement fx_settlement(const struct rp_claim *c, enum rp_settle_kind kind);
/* Settles one claim; true: it was stale. */
bool fx_settle(const struct rp_claim *c, enum rp_settle_kind kind);
size_t fx_reap(int64_t lease_ms);
enum rp_changed fx_change(enum rp_change verb, uint64_t seq);
void fx_pause(unsigned k, bool pause);
/* Brings a new entry of endpoint k into a state. */
uint64_t fx_entry_in(unsigned k, enum rp_state state);

/* --- checking
 * ------------------------------------------------------------------------------------------ */

void fx_verify_sound(void);
/* What the check in one snapshot finds; the one in slices must find something too, or nothing
 * too. */
uint64_t fx_problems(void);
uint64_t fx_full_problems(void);
uint64_t fx_slice_problems(size_t max_rows);

/* --- behind the curtain
 * ------------------------------------------------------------------------------------------ */

const char *fx_data_path(void);
#define FX_PAGE_MAX 32768
size_t fx_page_bytes(void); /* of a page of LMDB's, in an outbox that is made here */
size_t fx_pages(void);      /* so many has the data file */
void fx_page_read(uint64_t number, unsigned char page[FX_PAGE_MAX]);
void fx_page_write(uint64_t number, const unsigned char page[FX_PAGE_MAX]);
uint64_t fx_page_of(enum rp_table table, struct rp_key key); /* the leaf where this row is */

struct rp_key fx_text_key(const char *text);
/* Flips one bit of byte `at` of the row's value (counted from its end when negative). */
void fx_flip(enum rp_table table, struct rp_key key, int at);
void fx_put(enum rp_table table, struct rp_key key, const void *value, size_t n);
void fx_del(enum rp_table table, struct rp_key key);
bool fx_has(enum rp_table table, struct rp_key key);
uint64_t fx_rows(enum rp_table table);
/* Rewrites the head record after `edit` changed it, with a right checksum. */
void fx_edit_head(void (*edit)(struct rp_head *head));

/* --- other processes (start them before anything is open)
 * -------------------------------------------------------------- */

struct fx_child {
	pid_t pid;
	int in, out; /* write to the child, read from it */
};
struct fx_child fx_start(void (*run)(int in, int out));
void fx_send(int fd, const void *mem, size_t n);
void fx_receive(int fd, void *mem, size_t n);
/* Waits for its end; it must end by itself with exit code 0. */
void fx_finish(struct fx_child *c);
void fx_kill(struct fx_child *c);

uint64_t fx_random(uint64_t *x);

#endif
