/* outbox.h - the persistent log: entries, their states, who claimed what, and what became of it.
 *
 * One directory, several processes (ingesters, senders, inspectors) on one host. One public
 * function is one transaction; time is an argument; nothing of the database below shows through.
 * What a function promises on failure: nothing was changed, unless it says otherwise. RP_ERR_IO
 * from a writing function means the commit's outcome is unknown: the caller stops, and reopens.
 *
 * States and legal moves are those of model/transition.h.
 *
 * Entries of one endpoint with the same order_by go one by one, as they were accepted: one of them
 * is the front, the others wait behind it (rp_delivery.behind) whatever becomes of it, until it is
 * delivered, dead or removed. While the front is held so is the order. An entry that is replayed
 * goes before those accepted later, but not before one in flight.
 *
 * The ledger (accepted = waiting + in_flight + held + delivered + dead + purged) and the counters
 * of each endpoint change in the same transactions. */
#ifndef RP_STORE_OUTBOX_H
#define RP_STORE_OUTBOX_H

#include <sys/types.h>

#include "base/bytes.h"
#include "base/err.h"
#include "base/sys.h"
#include "model/clock.h"
#include "model/job_step.h"
#include "model/record.h"
#include "model/schedule.h"
#include "model/counters.h"
#include "model/transition.h"

struct rp_outbox;

/* Zero means the default of each. */
struct rp_outbox_options {
	/* make what is missing, and see that it has its names on disk; else RP_ERR_NOTFOUND */
	bool create;
	/* commits with one flush instead of two: a power cut may undo the last claim or settle
	 * (never corrupt it; measured: 0 of 2,000 simulated cuts), which at worst repeats
	 * attempts. Never for ingest or tools. */
	bool sender;
	uint64_t map_bytes; /* address space, sparse; 64 GiB */
	/* appends stop (RP_ERR_FULL) when the data file is this full; 16 GiB */
	uint64_t quota_bytes;
	uint64_t disk_reserve_bytes; /* and when the file system has less than this left; 64 MiB */
	const struct rp_sys *sys;    /* randomness for ids; the real one */
};

/* For programs, before they open an outbox: where reading a damaged data file would end them by a
 * signal, they say so in a line that begins with `name` (borrowed for ever), and end with
 * RP_EXIT_DATA. Takes SIGBUS, SIGSEGV and SIGABRT; one that comes from outside of a transaction,
 * from another process or from a failed assertion ends them as if it were not taken. */
void rp_outbox_end_on_damage(const char *name);

/* *out must be closed before the process forks and before the same directory is opened again in
 * this process. */
enum rp_err rp_outbox_open(const char *dir, const struct rp_outbox_options *options,
			   struct rp_outbox **out, struct rp_error *err);
void rp_outbox_close(struct rp_outbox *ob);
/* What can be read now survives a power cut from then on: of senders the last commit may be lost
 * until another is synced. */
enum rp_err rp_outbox_sync(struct rp_outbox *ob, struct rp_error *err);
const char *rp_outbox_dir(const struct rp_outbox *ob);
/* For programs that wait for long: RP_ERR_IO when the directory or a file in it was removed, moved
 * or replaced since it was opened. What uses such an outbox keeps others from opening the new one.
 * What is below asks by itself, but for rp_outbox_fetch and rp_outbox_fetch_piece, and then has
 * changed nothing that is found under the path. May be called while a commit is under way on
 * another thread. */
enum rp_err rp_outbox_check(struct rp_outbox *ob, struct rp_error *err);

/* Root acts as the user whose outbox it is: what this thread opens and makes until
 * rp_outbox_act_end(*before) it does as that user. Everybody else is who they are. May be nested.
 * RP_ERR_DENIED: this root may not; nothing has changed then. */
enum rp_err rp_outbox_act(struct rp_outbox *ob, uid_t *before, struct rp_error *err);
void rp_outbox_act_end(uid_t before);

/* --- append ------------------------------------------------------------------------------- */

/* Borrowed. Limits (asserted): url <= RP_URL_MAX, dedupe_key 1..256 bytes, headers <= 2 KiB,
 * others <= 200 bytes. */
struct rp_new_entry {
	struct rp_span endpoint; /* its name, as rp_url_endpoint makes it */
	struct rp_span url, run_id, thread_id, event, operation, order_by, headers, dedupe_key,
	    payload;
	int64_t not_before_at_ms, expires_at_ms;
};

struct rp_appended {
	bool duplicate; /* nothing stored; id and seq are the first entry's */
	uint64_t seq;
	unsigned char id[RP_ID_BYTES];
};

/* All n in one synced commit. RP_ERR_FULL: quota, disk or map; nothing was stored. */
enum rp_err rp_outbox_append(struct rp_outbox *ob, int64_t now_at_ms,
			     const struct rp_new_entry *entries, size_t n, struct rp_appended *out,
			     struct rp_error *err);

/* --- import ------------------------------------------------------------------------------- */

/* An entry as it was in another outbox, or in this one before it was purged. Borrowed. Limits as
 * for rp_new_entry, plus: it has a state, not IN_FLIGHT, and state_at_ms. Its id is kept, its
 * number where that is still to come here; everything else is as given. facts.endpoint, the
 * payload's size and hash, and of the delivery slot, claim_no, endpoint, order_key and behind, are
 * worked out. */
struct rp_import {
	struct rp_facts facts;
	struct rp_delivery delivery;
	struct rp_span endpoint, payload;
};

enum rp_import_kind {
	RP_IMPORT_DONE = 1,
	RP_IMPORT_PRESENT,   /* nothing stored: there is an entry with this id */
	RP_IMPORT_DUPLICATE, /* nothing stored: another entry has its dedupe key */
};
struct rp_import_result {
	enum rp_import_kind kind;
	uint64_t seq; /* of the new entry, or of the one that is there */
};

/* All n (keep n <= 500 and the payloads together below some MiB) in one synced commit; dry_run:
 * only says what would happen. RP_ERR_FULL: as for append; nothing was stored. */
enum rp_err rp_outbox_import(struct rp_outbox *ob, int64_t now_at_ms,
			     const struct rp_import *entries, size_t n, bool dry_run,
			     struct rp_import_result *results, struct rp_error *err);
/* The same, not dry; in the same transaction it is counted in the audit record `audit` (0: none):
 * as done what was stored, as skipped what was not. */
enum rp_err rp_outbox_import_noted(struct rp_outbox *ob, int64_t now_at_ms,
				   const struct rp_import *entries, size_t n, uint64_t audit,
				   struct rp_import_result *results, struct rp_error *err);

/* --- senders ------------------------------------------------------------------------------ */

/* A sender's identity: a slot, held as a kernel lock for the life of the process, and an
 * incarnation that no other holder of the slot, before or after, has. */
struct rp_sender_id {
	unsigned slot;
	uint64_t incarnation;
};

/* Takes a free slot and returns to WAITING whatever its last holder left claimed. RP_ERR_BUSY: all
 * slots are taken. */
enum rp_err rp_outbox_join(struct rp_outbox *ob, int64_t now_at_ms, int64_t boot_ms,
			   struct rp_sender_id *out, struct rp_error *err);
/* Returns remaining claims, unregisters and frees the slot. */
enum rp_err rp_outbox_leave(struct rp_outbox *ob, int64_t now_at_ms, struct rp_error *err);
/* "I am alive": a write into a shared page, no commit. At least every few seconds. The two clocks,
 * read one after the other, tell inspectors whether the wall clock was set. */
void rp_outbox_beat(struct rp_outbox *ob, int64_t now_at_ms, int64_t boot_ms);

/* Returns the claims of senders whose slot lock is free (dead: at once) or whose heartbeat is
 * older than lease_ms (stopped). *n_returned: entries returned. A returned entry is due now, has
 * an attempt `sender_lost` in its log, and is dead (poison) after RP_LOSSES_MAX losses in a row.
 * Cheap when nobody is missing: no write transaction. */
enum rp_err rp_outbox_reap(struct rp_outbox *ob, int64_t now_at_ms, int64_t boot_ms,
			   int64_t lease_ms, size_t *n_returned, struct rp_error *err);

struct rp_settlement {
	uint64_t seq, endpoint; /* these four as in the claim */
	uint32_t claim_no;
	uint32_t attempt;
	enum rp_settle_kind kind;
	enum rp_cause cause;
	int64_t due_at_ms;
	int64_t started_at_ms;
	bool disable_endpoint;
	struct rp_token token;           /* RETURN, PARK: the claim's, which was not spent */
	char series[RP_SERIES_NAME_MAX]; /* the [endpoint] section it counts for; "": none */
	struct rp_outcome *outcome;      /* borrowed; NULL for RETURN and PARK */
	/* out: the claim had been lost; only a DELIVERED changed anything */
	bool stale;
	/* out: this one parked the endpoint; false when another had before */
	bool parked;
	enum rp_control_change change; /* out: what it did to the endpoint's breaker, */
	uint32_t bad_streak;           /* out, if OPENED: after how many bad outcomes in a row, */
	int64_t probe_at_ms;           /* ... and when it will be probed */
};

struct rp_claim {
	uint64_t seq, endpoint;
	uint32_t claim_no;
	uint32_t attempt; /* 1, 2, ...: number of this attempt over the entry's life */
	unsigned failures;
	int64_t budget_at_ms, expires_at_ms;
	bool probe; /* the one request that an open breaker lets through */
	/* that it took; if it has one it begins within the exchange's begin_within_ms or goes
	 * back */
	struct rp_token token;
	/* others may wait for its end: it took its endpoint's last place, or they come after
	 * it in order */
	bool blocking;
};

/* One exchange of a sender: settles what finished and claims what may start, in one commit. Fills
 * claims[0..*n_claims).
 *
 * Claims walk endpoints, not entries: of each endpoint that is due as many as its window, rate and
 * breaker allow over all senders (model/control.h), endpoints in the order they have waited, a few
 * entries each in turn. What settled outcomes did to a breaker is told to the caller, who logs it.
 * `limits` is called inside the transaction: it must neither wait nor call the store. When nothing
 * was settled or claimed nothing is committed. */
struct rp_exchange {
	struct rp_settlement *settle;
	size_t n_settle;
	size_t want; /* room in claims[] */
	/* Of these, how many at most from endpoints that have a rate: as many as can begin at
	 * once. Their tokens do not keep; more would be taken from other senders for nothing. */
	size_t want_metered;
	int64_t begin_within_ms; /* counted from now_at_ms; see rp_control_claimed */
	struct rp_claim *claims;
	size_t n_claims, n_metered; /* out */
	struct rp_limits (*limits)(void *arg, uint64_t endpoint, struct rp_span name);
	void *limits_arg;
	/* out: entries that died without an attempt (expired, endpoint gone, damaged) */
	size_t n_dead;
	/* out: nothing can be claimed before; RP_NEVER: nothing is waiting */
	int64_t next_ready_at_ms;
	/* out: want_metered kept it from claiming; next_ready_at_ms is a little later */
	bool passed_over;
	bool committed; /* out */
};
#define RP_PASSED_OVER_MS 100
enum rp_err rp_outbox_exchange(struct rp_outbox *ob, int64_t now_at_ms,
			       struct rp_exchange *exchange, struct rp_error *err);

/* When work may next be claimable (RP_NEVER: none waits), without a write transaction. */
enum rp_err rp_outbox_next_ready(struct rp_outbox *ob, int64_t *at_ms, struct rp_error *err);

/* After a change of the configuration: endpoints whose limits were reached or that are parked are
 * looked at again, with what `limits` says now. Rings when there are any. */
enum rp_err rp_outbox_renew_limits(struct rp_outbox *ob, int64_t now_at_ms, struct rp_error *err);

/* When the wall clock was set back, by a minute or more: what a clock that was ahead had made due
 * is made due as long after now as it was to be after the moment it was set; so it is neither early
 * nor late by the step. Only a caller's not_before stays what it is. Places of endpoints on the
 * ready queue follow. One call is one bounded transaction; call again while `more`. Cheap when the
 * clock was not set back: the outbox knows the latest time at which it was written. */
struct rp_clock_fix { /* begin with {0} */
	bool more;    /* out */
	uint64_t endpoint, seq;
	int64_t due_at_ms;
	bool in_queue;
	size_t n_fixed;
};
enum rp_err rp_outbox_fix_clock(struct rp_outbox *ob, int64_t now_at_ms, struct rp_clock_fix *walk,
				struct rp_error *err);

/* What an attempt needs. Spans point into `text`, owned by the struct; init with {0}, release,
 * reusable. */
struct rp_dispatch {
	/* In: a payload of more than short_max bytes is loaded into *long_payload (borrowed)
	 * instead of `text`, so that it can be released while the facts stay; 0: none is. */
	size_t short_max;
	struct rp_buf *long_payload;
	struct rp_facts facts;
	struct rp_span payload;
	/* false: its record is damaged; the next exchange that moves an entry of it counts anew */
	bool endpoint_known;
	/* as it is now: what it allowed when the entry was claimed may be past */
	struct rp_endpoint endpoint;
	struct rp_buf text;
};
/* Loads a claimed entry, right before its attempt. RP_ERR_STALE: the claim was lost or the entry
 * purged; do not send. RP_ERR_DAMAGED: a record or the payload fails its checksum: settle it
 * dead. */
enum rp_err rp_outbox_fetch(struct rp_outbox *ob, const struct rp_claim *claim,
			    struct rp_dispatch *out, struct rp_error *err);
/* Only the endpoint of a fetched one, as it is now. RP_ERR_STALE as above. */
enum rp_err rp_outbox_fetch_endpoint(struct rp_outbox *ob, const struct rp_claim *claim,
				     struct rp_dispatch *out, struct rp_error *err);
void rp_dispatch_release(struct rp_dispatch *d);

/* Reads the payload of a fetched entry once more, piece by piece, each in a snapshot of its own.
 * Nothing is checked again: the fetch has. */
struct rp_piece { /* begin with {seq} */
	uint64_t seq;
	size_t at; /* out: the next byte */
	uint64_t chunk;
	size_t in_chunk;
};
/* The next n bytes, which the payload must have. RP_ERR_STALE: it has been purged. After an error
 * begin anew. */
enum rp_err rp_outbox_fetch_piece(struct rp_outbox *ob, struct rp_piece *piece, char *out, size_t n,
				  struct rp_error *err);

/* Removes up to `max` delivered entries older than keep_delivered_ms and dead ones older than
 * keep_dead_ms (0: keep). */
enum rp_err rp_outbox_expire(struct rp_outbox *ob, int64_t now_at_ms, int64_t keep_delivered_ms,
			     int64_t keep_dead_ms, size_t max, size_t *n_removed,
			     struct rp_error *err);

/* A descriptor that becomes readable when somebody made work due or a sender ended. Owned by the
 * outbox. */
enum rp_err rp_outbox_watch(struct rp_outbox *ob, int *fd, struct rp_error *err);
void rp_outbox_watch_drain(struct rp_outbox *ob, bool *rung, bool *sender_ended);
/* Wakes the senders that watch. Appends and operator changes do it by themselves. */
void rp_outbox_wake(struct rp_outbox *ob);

/* --- looking ------------------------------------------------------------------------------ */

/* One entry, whole but for its payload. Spans point into `text`. Init with {0}; release;
 * reusable. */
struct rp_entry {
	uint64_t seq;
	struct rp_facts facts;
	struct rp_delivery delivery;
	struct rp_span endpoint; /* its name */
	/* a record fails its checksum: what could not be read is zero or empty */
	bool damaged;
	struct rp_buf text;
};
void rp_entry_release(struct rp_entry *e);

enum rp_err rp_outbox_find(struct rp_outbox *ob, const unsigned char id[RP_ID_BYTES],
			   struct rp_entry *out, struct rp_error *err);

/* The id of the entry that goes before this one, which is `behind`. RP_ERR_NOTFOUND: it has moved
 * on meanwhile. */
enum rp_err rp_outbox_front(struct rp_outbox *ob, const struct rp_delivery *behind,
			    unsigned char id[RP_ID_BYTES], struct rp_error *err);

/* Calls see for up to max_seen entries from from_seq on, in ascending order, whose state is
 * `state` (0: any), inside one short read transaction that looks at no more than a few thousand
 * entries and passes over some ten thousand. see must not call the store; false stops. */
struct rp_page {
	uint64_t from_seq; /* in; out: where to go on */
	uint64_t to_seq;   /* those before it; 0: to the end */
	enum rp_state state;
	size_t max_seen;
	/* false: passed over, which is cheap; NULL: all */
	bool (*wants)(void *arg, const struct rp_delivery *d);
	bool (*see)(void *arg, const struct rp_entry *entry);
	void *arg;
	bool more;         /* out: there may be more */
	uint64_t n_looked; /* out: records, added up over the calls */
};
enum rp_err rp_outbox_page(struct rp_outbox *ob, struct rp_page *page, struct rp_error *err);

/* What the index row of an entry tells without its records. */
struct rp_index_row {
	uint64_t seq;
	uint64_t endpoint; /* of WAITING and DEAD; 0: the row does not tell */
	/* WAITING: when it is due, 0 when it is behind another; IN_FLIGHT: 0; else since when */
	int64_t at_ms;
	enum rp_cause cause, last_cause; /* these three of DEAD */
	unsigned http_status;
};
/* Calls see for every entry that is WAITING or DEAD, from its index row alone: a million rows take
 * some 30 ms. Each call of rp_outbox_scan is one short read transaction; start with `state`, see
 * and arg set and the rest zero, and go on while `more`. What moves between two calls may be seen
 * twice or not at all. see must not call the store. */
#define RP_SCAN_ROWS_MAX 32768 /* in one call */
struct rp_scan {
	enum rp_state state;
	void (*see)(void *arg, const struct rp_index_row *row);
	void *arg;
	bool more; /* out */
	struct rp_key from;
	bool in_orders; /* the queues are done: now those behind */
};
enum rp_err rp_outbox_scan(struct rp_outbox *ob, struct rp_scan *scan, struct rp_error *err);

/* A time among the numbers of entries. Numbers are given in the order of acceptance, but clocks are
 * set back and imports bring old times, so there are parts (model/time_index.h), and between those
 * that certainly are earlier and those that certainly are not there may be some of which only their
 * record tells. */
struct rp_mark {
	unsigned n;
	struct rp_mark_part {
		uint64_t end_seq;   /* from the end of the part before to before this */
		uint64_t low, high; /* below `low` all were accepted earlier, from `high` on none */
	} part[RP_TIME_SPANS_MAX];
};
enum rp_side { RP_SIDE_EARLIER = 1, RP_SIDE_LATER, RP_SIDE_EITHER };
static inline enum rp_side rp_mark_side(const struct rp_mark *m, uint64_t seq)
{
	unsigned i;

	for (i = 0; i < m->n; i++)
		if (seq < m->part[i].end_seq)
			return seq < m->part[i].low     ? RP_SIDE_EARLIER
			       : seq >= m->part[i].high ? RP_SIDE_LATER
							: RP_SIDE_EITHER;
	return RP_SIDE_EITHER; /* it came after the question */
}
/* Of n times; found by halving, all in one snapshot, so that their parts are the same. An entry
 * whose record is damaged has the place of its neighbours. */
enum rp_err rp_outbox_marks(struct rp_outbox *ob, const int64_t *at_ms, size_t n,
			    struct rp_mark *out, struct rp_error *err);
/* When entries were accepted; 0: it is gone or damaged. Keep n below some ten thousand. */
enum rp_err rp_outbox_accepted(struct rp_outbox *ob, const uint64_t *seqs, size_t n, int64_t *at_ms,
			       struct rp_error *err);

/* Entries by an index instead of by their number, so that few are found among many. Init with what
 * is looked for and {0} for the rest; call while `more`. Each call is one short read transaction
 * that looks at some thousand rows at most.
 *
 * With `state`: those in this state; HELD, DELIVERED and DEAD ones those longest in it first,
 * IN_FLIGHT ones sender by sender, WAITING ones endpoint by endpoint (only `endpoint`'s, if that
 * is given), the next due first, those behind another last. An entry that moves between two calls
 * may be seen twice, or not at all. With `run_id` (1 to 200 bytes, borrowed): those of this run,
 * whatever their state. */
#define RP_BROWSE_KEY_MAX 512
struct rp_browse {
	enum rp_state state;
	uint64_t endpoint;
	struct rp_span run_id;
	size_t max_seen;
	bool (*wants_row)(void *arg,
			  /* false: passed over, which is cheapest; NULL: all. With `state` only */
			  const struct rp_index_row *row);
	bool (*wants)(void *arg, const struct rp_delivery *d); /* as for a page */
	/* must not call the store; false stops */
	bool (*see)(void *arg, const struct rp_entry *entry);
	void *arg;
	bool more;         /* out */
	uint64_t n_looked; /* out: rows, added up over the calls */
	/* where it stopped */
	unsigned stage;
	size_t key_len;
	unsigned char key[RP_BROWSE_KEY_MAX];
};
enum rp_err rp_outbox_browse(struct rp_outbox *ob, struct rp_browse *b, struct rp_error *err);

/* The attempts of an entry, oldest first. `a` is valid during the call. */
enum rp_err rp_outbox_attempts(struct rp_outbox *ob, uint64_t seq,
			       void (*see)(void *arg, uint32_t n, const struct rp_attempt *a,
					   bool damaged),
			       void *arg, struct rp_error *err);
/* The attempts that were settled last, over all entries, in the order they were settled: a log of
 * some thousands, out of which the oldest fall. `from` 0: from the oldest there is. One call reads
 * a bounded part in one short transaction. */
struct rp_recent_page {
	/* in and out: the number of the first attempt to see */
	uint64_t from;
	void (*see)(void *arg, const struct rp_recent *r); /* must not call the store */
	void *arg;
	uint64_t n_missed; /* out: attempts from `from` on that have fallen out of the log */
	bool more;         /* out: call again at once */
};
enum rp_err rp_outbox_recent(struct rp_outbox *ob, struct rp_recent_page *page,
			     struct rp_error *err);
/* The number that the next attempt to be settled will have. */
enum rp_err rp_outbox_recent_next(struct rp_outbox *ob, uint64_t *number, struct rp_error *err);

/* A descriptor that becomes readable when a process has written to the data file: around each
 * commit, perhaps shortly before it can be read. Owned by the outbox. */
enum rp_err rp_outbox_watch_commits(struct rp_outbox *ob, int *fd, struct rp_error *err);
void rp_outbox_watch_commits_drain(struct rp_outbox *ob);

/* Appends the payload. RP_ERR_DAMAGED: it does not match its hash; what could be read was appended
 * all the same. */
enum rp_err rp_outbox_body(struct rp_outbox *ob, uint64_t seq, struct rp_buf *out,
			   struct rp_error *err);

/* How many there are in each state, and of those WAITING how many with an attempt behind them. */
struct rp_counts {
	uint64_t of[RP_STATE_COUNT];
	uint64_t retrying;
};
enum rp_err rp_outbox_counts(struct rp_outbox *ob, struct rp_counts *out, struct rp_error *err);

enum rp_err rp_outbox_ledger(struct rp_outbox *ob, struct rp_ledger *out, struct rp_error *err);

struct rp_outbox_info {
	uint64_t map_bytes, quota_bytes, file_bytes, used_bytes, disk_free_bytes;
	unsigned readers, max_readers;
	uint64_t commits; /* transactions ever committed in this outbox */
	/* commits since the snapshot that the oldest reader holds */
	uint64_t reader_lag;
	uint64_t retrying; /* waiting entries with an attempt behind them */
	/* of the endpoint longest in the ready queue; RP_NEVER: none */
	int64_t oldest_waiting_due_at_ms;
	/* by the clock of anybody who wrote, since rp_outbox_fix_clock minded a step back */
	int64_t latest_at_ms;
	unsigned format;
};
enum rp_err rp_outbox_info(struct rp_outbox *ob, struct rp_outbox_info *out, struct rp_error *err);

/* Whether an append of one entry without a payload would be taken. RP_ERR_FULL: it would not; err
 * says what is used up. */
enum rp_err rp_outbox_room(struct rp_outbox *ob, struct rp_error *err);

/* Since when the entry that is longest in its state has been there; RP_NEVER: there is none.
 * waiting: the earliest due time, whatever keeps its endpoint from being looked at. Looks at one
 * row of each endpoint. */
struct rp_oldest {
	int64_t waiting_due_at_ms, delivered_at_ms, dead_at_ms;
};
enum rp_err rp_outbox_oldest(struct rp_outbox *ob, struct rp_oldest *out, struct rp_error *err);

/* The counters for metrics: zero where nothing was counted. Series come sorted by name. */
enum rp_err rp_outbox_counters(struct rp_outbox *ob, struct rp_counters *out, struct rp_error *err);
enum rp_err rp_outbox_series(struct rp_outbox *ob,
			     void (*see)(void *arg, struct rp_span name, const struct rp_series *s),
			     void *arg, struct rp_error *err);

/* Who holds a snapshot; `lag`: commits since. A reader between two transactions is not seen. */
struct rp_reader_info {
	uint32_t pid;
	uint64_t lag;
};
enum rp_err rp_outbox_readers(struct rp_outbox *ob,
			      void (*see)(void *arg, const struct rp_reader_info *r), void *arg,
			      struct rp_error *err);

/* Appends the endpoint's name. RP_ERR_NOTFOUND: there is none. */
enum rp_err rp_outbox_endpoint_name(struct rp_outbox *ob, uint64_t endpoint, struct rp_buf *out,
				    struct rp_error *err);

enum rp_err rp_outbox_endpoints(struct rp_outbox *ob,
				bool (*see)(void *arg, uint64_t id, struct rp_span name,
					    const struct rp_endpoint *e),
				void *arg, struct rp_error *err);

struct rp_sender_info {
	unsigned slot;
	uint32_t pid;
	bool alive; /* holds its slot's lock */
	int64_t started_at_ms;
	int64_t beat_boot_ms;
	struct rp_clock_watch clock; /* as of its last beat */
	uint64_t claims;
};
enum rp_err rp_outbox_senders(struct rp_outbox *ob,
			      void (*see)(void *arg, const struct rp_sender_info *s), void *arg,
			      struct rp_error *err);

/* --- changing ----------------------------------------------------------------------------- */

/* Applies one verb to n entries (keep n <= 500) in one synced commit; results[i] says what became
 * of seqs[i]. An entry whose state is not in `states` (a bit mask of 1 << rp_state, 0: any) is
 * skipped: what was selected may have moved on. */
enum rp_err rp_outbox_change(struct rp_outbox *ob, int64_t now_at_ms, enum rp_change verb,
			     unsigned states, const uint64_t *seqs, size_t n,
			     enum rp_changed *results, struct rp_error *err);

/* The same; what became of the entries is added to this record of the log of changes, in the same
 * commit. */
enum rp_err rp_outbox_change_noted(struct rp_outbox *ob, int64_t now_at_ms, enum rp_change verb,
				   unsigned states, const uint64_t *seqs, size_t n, uint64_t audit,
				   enum rp_changed *results, struct rp_error *err);

/* Pauses an endpoint (its entries wait, no budget is spent), or resumes it; resuming also enables
 * it again after a 410, and lets an open breaker send its probe at once. RP_ERR_NOTFOUND: there is
 * none. An endpoint goes with its last entry, unless it is paused or disabled; when it is named
 * again it has another id. */
enum rp_err rp_outbox_endpoint_pause(struct rp_outbox *ob, int64_t now_at_ms, uint64_t endpoint,
				     bool pause, struct rp_error *err);

/* --- a copy ------------------------------------------------------------------------------- */

/* Copies the outbox as it is at this moment, compactly, into the new directory `dir`, and syncs
 * it. Others go on meanwhile; what they free cannot be used again before the copy is done, so the
 * outbox's file grows. RP_ERR_EXISTS: there is something at `dir`. RP_ERR_FULL: it grew by more
 * than max_growth_bytes, or the disk is full. RP_ERR_STALE: go_on said no. Whatever failed, `dir`
 * is then not there. */
struct rp_backup {
	/* every now and then; must not call the store; may be NULL */
	bool (*go_on)(void *arg, uint64_t bytes_done);
	void *arg;
	uint64_t max_growth_bytes;    /* 0: no matter */
	uint64_t bytes, growth_bytes; /* out: of the copy; of the outbox's file meanwhile */
};
enum rp_err rp_outbox_backup(struct rp_outbox *ob, const char *dir, struct rp_backup *backup,
			     struct rp_error *err);

/* --- jobs --------------------------------------------------------------------------------- */

/* A job works through an exact set of entries, each of them once, whoever carries it and however
 * often that one is killed: what is left of the set is stored, and an entry leaves it in the
 * transaction in which it moves.
 *
 *   plan_begin, plan_add ... -> PLANNED -order START-> RUNNING <-PAUSE/RESUME-> PAUSED;
 *   jobs_step ... -> DONE; CANCEL
 *
 * Senders carry replays, a bounded part at a time. A job puts no more of an endpoint's entries
 * into its queue while due_max there are due, so live entries wait behind so many and no more, and
 * no endpoint holds up another. A set of no more than due_max is done at once. */

/* Of spec: verb, uid, expires_at_ms, texts. RP_ERR_BUSY: 64 jobs and plans are unfinished. With
 * eight plans not started the oldest of them expires. */
enum rp_err rp_outbox_plan_begin(struct rp_outbox *ob, int64_t now_at_ms, const struct rp_job *spec,
				 uint64_t *number, struct rp_error *err);
/* Keep n <= 2000. `last`: the set is complete. An entry that is named twice is in it once. */
enum rp_err rp_outbox_plan_add(struct rp_outbox *ob, int64_t now_at_ms, uint64_t number,
			       const struct rp_plan_row *rows, size_t n, bool last,
			       struct rp_error *err);

/* RP_ERR_NOTFOUND: no such job. RP_ERR_STALE: its phase does not allow it; err says which it is. */
enum rp_err rp_outbox_job_order(struct rp_outbox *ob, int64_t now_at_ms, uint64_t number,
				const struct rp_job_order *order, struct rp_error *err);

#define RP_JOB_DUE_MAX 200 /* while senders work */
/* while none does: nobody is kept waiting, and scripts want it done */
#define RP_JOB_DUE_ALONE_MAX 1000
struct rp_job_step {
	uint64_t job;       /* this one, too, whatever its verb; 0: replays only */
	size_t max;         /* entries worked on at most; keep it <= 500 */
	size_t due_max;     /* of an endpoint */
	size_t n_worked;    /* out */
	bool blocked;       /* out: a queue was as full as it may be */
	int64_t next_at_ms; /* out: when to come back; RP_NEVER: nothing runs */
};
/* Carries jobs a bit further and clears away what is left of those that are over. Without work no
 * write transaction. */
enum rp_err rp_outbox_jobs_step(struct rp_outbox *ob, int64_t now_at_ms, struct rp_job_step *step,
				struct rp_error *err);

/* Oldest first. `j` is valid during the call; false stops. */
enum rp_err rp_outbox_jobs(struct rp_outbox *ob,
			   bool (*see)(void *arg, uint64_t number, const struct rp_job *j),
			   void *arg, struct rp_error *err);
/* Up to max entries that are left of the set, from *from on (endpoint and seq; {0} is the
 * beginning), which is moved behind them. */
enum rp_err rp_outbox_plan_rows(struct rp_outbox *ob, uint64_t number, struct rp_plan_row *from,
				struct rp_plan_row *rows, size_t max, size_t *n,
				struct rp_error *err);

/* --- the log of changes by operators ------------------------------------------------------ */

enum rp_err rp_outbox_audit_add(struct rp_outbox *ob, const struct rp_audit *a, uint64_t *number,
				struct rp_error *err);
/* Sets how many entries it was about, when that is known only at the end. A record that made room
 * for others is no error. */
enum rp_err rp_outbox_audit_count(struct rp_outbox *ob, int64_t now_at_ms, uint64_t number,
				  uint64_t done, struct rp_error *err);
/* Oldest first, the last 4,096. `a` is valid during the call; false stops. */
enum rp_err rp_outbox_audit(struct rp_outbox *ob,
			    bool (*see)(void *arg, uint64_t number, const struct rp_audit *a),
			    void *arg, struct rp_error *err);

/* --- checking ----------------------------------------------------------------------------- */

struct rp_verify_counts {
	uint64_t entries, rows, problems;
	/* how far it is: pages and rows, each weighed by what it takes */
	uint64_t steps, steps_all;
};
/* Recomputes everything the outbox can know about itself in one read snapshot: LMDB's pages, every
 * record's checksum and every payload's hash, each entry in exactly the index rows its state asks
 * for and no row without its entry, counters of the ledger and of each endpoint against a recount,
 * the ready queue against the queues, dedupe keys, jobs. `problem` is called with a sentence each.
 * With damaged pages nothing else is looked at. go_on (may be NULL) is called every now and then,
 * inside the transaction; false: RP_ERR_STALE. While it runs no page that others free can be used
 * again: the file grows by what they write. RP_ERR_BUSY: others commit so fast that no snapshot
 * could be taken. */
enum rp_err rp_outbox_verify(struct rp_outbox *ob, void (*problem)(void *arg, const char *text),
			     bool (*go_on)(void *arg, const struct rp_verify_counts *so_far),
			     void *arg, struct rp_verify_counts *out, struct rp_error *err);

/* The same in slices of at most max_rows rows (1000 is a good number) or eight times as many
 * pages, 4 MiB of payloads (or one that is larger) and some 50 ms, each in a snapshot of its own.
 * Call it with a zeroed cursor and zeroed counts until `done`; rows are counted at the end.
 *
 * Others may go on meanwhile, and what they change is no false alarm: a row is compared with what
 * belongs to it in the snapshot of its slice, and totals are compared at the end, in one snapshot,
 * where LMDB itself keeps the number of rows. Nothing of one slice is compared with anything of
 * another. So each page and row that was there all the time is checked; what came, or moved to a
 * place that had been passed, may not be. What takes all of one snapshot is seen where a slice can
 * hold it, and otherwise left to rp_outbox_verify:
 * - the counters of a single endpoint, and the number of those retrying;
 * - the sums over the endpoints, when there are more of them than can be read in 50 ms;
 * - whether an order, or the set of a job, of more than max_rows entries has one in front, or as
 *   many as it should;
 * - the numbers of rows and pages that LMDB keeps, and a page in use by two tables. */
struct rp_verify_cursor {
	unsigned phase, table;
	unsigned char key[512]; /* LMDB's have at most 511 bytes */
	size_t key_bytes;
	bool done;
};
enum rp_err rp_outbox_verify_slice(struct rp_outbox *ob, struct rp_verify_cursor *at,
				   size_t max_rows, void (*problem)(void *arg, const char *text),
				   void *arg, struct rp_verify_counts *out, struct rp_error *err);

#endif
