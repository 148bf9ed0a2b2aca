/* outbox.h - the persistent log: entries, their states, who claimed what, and what became of it.
 *
 * This is the one interface to any store. A store keeps the entries; the rules are in src/model,
 * and every store calls the same ones. Nothing of a database shows here. tests/conformance holds
 * each store to what this file says.
 *
 * Several processes (ingesters, senders, inspectors) share an outbox. One call is one
 * transaction; time is an argument. What a function promises on failure: nothing was changed,
 * unless it says otherwise. RP_ERR_IO from a writing function means that the commit's outcome is
 * unknown: the caller stops, and reopens.
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
#include "model/arrival.h"
#include "model/clock.h"
#include "model/counters.h"
#include "model/entry.h"
#include "model/filter.h"
#include "model/hand_over.h"
#include "model/job_step.h"
#include "model/receiver.h"
#include "model/record.h"
#include "model/transition.h"

struct rp_outbox;

/* Zero means the default of each. */
struct rp_outbox_options {
	/* make what is missing, and see that it has its names on disk; else RP_ERR_NOTFOUND */
	bool create;
	/* an older layout that is not brought up to date by every program that opens it (of a
	 * database, which other hosts work with as well) is now; else RP_ERR_FORMAT */
	bool upgrade;
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

/* What a store needs to go on where it stopped. Opaque bytes: they may be kept, copied and given to
 * another process that has the same outbox open. {0}: at the beginning. */
#define RP_CURSOR_BYTES_MAX 640
struct rp_cursor {
	size_t len;
	unsigned char bytes[RP_CURSOR_BYTES_MAX];
};

/* Whether an address names a schema of a PostgreSQL database (store/postgres/address.h), and not a
 * directory. */
bool rp_outbox_is_database(const char *address);

/* The store that `address` names: a directory (LMDB), or a connection string. *out must be closed
 * before the process forks and before the same outbox is opened again in this process. */
enum rp_err rp_outbox_open(const char *address, const struct rp_outbox_options *options,
			   struct rp_outbox **out, struct rp_error *err);
void rp_outbox_close(struct rp_outbox *ob); /* NULL: does nothing */
const char *rp_outbox_address(const struct rp_outbox *ob);
/* What can be read now survives a power cut from then on: of senders the last commit may be lost
 * until another is synced. */
enum rp_err rp_outbox_sync(struct rp_outbox *ob, struct rp_error *err);
/* For programs that wait for long: RP_ERR_IO when what the address names now is not what was
 * opened (of a directory: it, or a file in it, was removed, moved or replaced). What uses such an
 * outbox keeps others from opening the new one. What is below asks by itself, but for
 * rp_outbox_fetch and rp_outbox_fetch_piece, and then has changed nothing that is found under the
 * address. May be called while a commit is under way on another thread. */
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
	/* zero; where it is tried again after RP_ERR_AWAY: as the try before it left it in out[].
	 * It only tells whether an entry that is there is this one. */
	unsigned char id[RP_ID_BYTES];
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

/* All n in one synced commit. RP_ERR_FULL: quota, disk or map; nothing was stored.
 *
 * RP_ERR_AWAY: it may have been done. Whoever appends the same entries again, now or later, copies
 * the ids of out[] (all 16 bytes, zero or not) to them: an entry that is there with this id is then
 * told as queued, and is no duplicate. The id of an entry that was not there may be another one at
 * each try; nobody has been told of the one before. A store whose appends cannot fail so (LMDB)
 * does not look at these ids. */
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

struct rp_import_result {
	enum rp_import_kind kind;
	uint64_t seq; /* of the new entry, or of the one that is there */
};

/* All n (keep n <= 500 and the payloads together below some MiB) in one synced commit. audit:
 * number of a record in the log of changes, in which the same transaction counts as done what was
 * stored, as skipped what was not; 0: none. dry_run: only says what would happen. RP_ERR_FULL: as
 * for append; nothing was stored. */
enum rp_err rp_outbox_import(struct rp_outbox *ob, int64_t now_at_ms,
			     const struct rp_import *entries, size_t n, bool dry_run,
			     uint64_t audit, struct rp_import_result *results,
			     struct rp_error *err);

/* --- senders ------------------------------------------------------------------------------ */

/* A sender's identity: a slot, which it has for the life of its process, and an incarnation that no
 * other holder of the slot, before or after, has. */
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
/* "I am alive": cheap, and no commit of what else is under way. At least every few seconds. The two
 * clocks, read one after the other, tell inspectors whether the wall clock was set. */
void rp_outbox_beat(struct rp_outbox *ob, int64_t now_at_ms, int64_t boot_ms);

/* Returns the claims of senders that have ended (as soon as the store knows) or whose heartbeat is
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
	struct rp_tokens tokens;         /* RETURN, PARK: the claim's, which were not spent */
	char series[RP_SERIES_NAME_MAX]; /* the [endpoint] section it counts for; "": none */
	struct rp_outcome *outcome;      /* borrowed; NULL for RETURN and PARK */
	/* The claim that has this one's places from now on: one that lacked them, and is not
	 * settled in the same exchange; 0: none, they are free. */
	uint64_t passes_to_seq;
	uint32_t passes_to_claim_no;
	/* out: the claim had been lost; only a DELIVERED changed anything */
	bool stale;
	/* out: this one parked the endpoint; false when another had before */
	bool parked;
	/* out: what it did to the breaker of each level, */
	enum rp_control_change change[RP_LEVELS];
	uint32_t bad_streak[RP_LEVELS]; /* if OPENED: after how many bad outcomes in a row, */
	int64_t probe_at_ms[RP_LEVELS]; /* ... and when it will be probed */
};

struct rp_claim {
	uint64_t seq, endpoint;
	uint32_t claim_no;
	uint32_t attempt; /* 1, 2, ...: number of this attempt over the entry's life */
	unsigned failures;
	int64_t budget_at_ms, expires_at_ms;
	bool probes[RP_LEVELS]; /* the one request that an open breaker lets through */
	/* that it took; if it has any it begins within the exchange's begin_within_ms or goes
	 * back */
	struct rp_tokens tokens;
	bool unproven; /* counts against want_unproven until it is settled */
	/* Levels on which it has no place yet (RP_LACKS). It begins when it takes the places of
	 * another claim of the same sender, which has been delivered (passes_to_seq). */
	unsigned lacks;
	/* In, for a fetch of one that lacks places: the claims that may have them, as its sender
	 * knows; seq 0: none. */
	struct rp_claim_ref {
		uint64_t seq;
		uint32_t claim_no;
	} places_of[2];
	/* others may wait for its end: it took the last place of its path, section or host, or
	 * they come after it in order */
	bool blocking;
	unsigned full; /* the levels on which it is a place that others wait for (RP_LACKS) */
	/* it was handed over (below) under limits that are not those of now: it goes back */
	bool other_limits;
};

/* One exchange of a sender: settles what finished and claims what may start, in one commit. Fills
 * claims[0..*n_claims).
 *
 * Claims walk hosts and endpoints, not entries: of each that is due as many as its window, rate and
 * breaker allow over all senders, on each level (model/receiver.h), in the order they have waited,
 * a few entries each in turn. What settled outcomes did to a breaker is told to the caller, who
 * logs it. `limits` is a look-up by the name of an endpoint or of a host, which may be empty where
 * the store has lost it: a store asks at any time within the call, as often as it likes, so it must
 * neither wait nor call the store. A store may claim less than it could, and need not claim what
 * this very exchange made possible; next_ready_at_ms then is not later than now. When nothing
 * changed nothing is committed. With nothing to settle and want 0 it only reads, and
 * tells next_ready_at_ms.
 *
 * After RP_ERR_IO and a reopen, or after RP_ERR_AWAY, the same settlements may be handed in once
 * more: what had been settled is found stale. After RP_ERR_AWAY claims[0..n_claims) may have been
 * claimed or not: a sender settles them as RETURN. */
struct rp_claim_ahead {
	uint64_t id; /* of a path, section or host where this sender has places; */
	size_t want; /* ... so many that lack a place there, or on levels above it */
};
struct rp_exchange {
	struct rp_settlement *settle;
	size_t n_settle;
	size_t want; /* claims that may begin; claims[] has room for `ahead` as well */
	/* Of these, how many at most from receivers that have a rate: as many as can begin at
	 * once. Their tokens do not keep; more would be taken from other senders for nothing. */
	size_t want_metered;
	/* Of these, how many at most from hosts that have not proven themselves (schedule.h), so
	 * that many of them that hang leave places for the others. */
	size_t want_unproven;
	int64_t begin_within_ms; /* counted from now_at_ms; see rp_control_claimed */
	/* After all others: claims ahead of their places (receiver.h). */
	const struct rp_claim_ahead *ahead;
	size_t n_ahead;
	struct rp_claim *claims;
	size_t n_claims, n_metered, n_unproven; /* out */
	void (*limits)(void *arg, struct rp_span name, struct rp_level_limits *out);
	void *limits_arg;
	/* out: entries that died without an attempt (expired, endpoint gone, damaged) */
	size_t n_dead;
	/* out: nothing can be claimed before; RP_NEVER: nothing is waiting */
	int64_t next_ready_at_ms;
	/* out: want_metered or want_unproven kept it from claiming; next_ready_at_ms is a little
	 * later */
	bool passed_over;
	bool committed; /* out */
};
#define RP_PASSED_OVER_MS 100
enum rp_err rp_outbox_exchange(struct rp_outbox *ob, int64_t now_at_ms,
			       struct rp_exchange *exchange, struct rp_error *err);

/* What an append hands over: a sender that waits for work offers to hold so many claims in all,
 * RP_OFFER_CLAIMS_MAX at most; 0: it wants none. Cheap, and no commit. Until it says something
 * else, but for no longer than RP_OFFER_KEEPS_MS, an append may claim entries for it in its own
 * commit, by the rules of model/hand_over.h, and rings. Such a claim is one as any other from then
 * on: it counts, and goes back when the sender leaves or is lost. A store need not hand over. */
void rp_outbox_offer(struct rp_outbox *ob, int64_t now_at_ms, size_t claims_max);
/* Takes the offer back: when this has returned nothing more is handed to this sender. */
enum rp_err rp_outbox_withdraw(struct rp_outbox *ob, struct rp_error *err);
/* Reads what was handed to this sender, without a commit: claims on entries of the number `from`
 * and above, in the order of their numbers. Others are not seen. */
struct rp_taking {
	/* 0 at first. Out: nothing more is handed over below. Numbers grow, and what is handed
	 * over is new. */
	uint64_t from;
	size_t want; /* room in claims[] */
	struct rp_claim *claims;
	size_t n_claims; /* out; as many as `want`: there may be more */
	void (*limits)(void *arg, struct rp_span name, struct rp_level_limits *out);
	void *limits_arg; /* as of an exchange */
};
enum rp_err rp_outbox_take(struct rp_outbox *ob, struct rp_taking *taking, struct rp_error *err);

/* next_ready_at_ms of an exchange alone: when work may next be claimable. */
enum rp_err rp_outbox_next_ready(struct rp_outbox *ob, int64_t *at_ms, struct rp_error *err);

/* After a change of the configuration: what has reached its limits or is parked is looked at again,
 * with what `limits` says now. Rings when there is any. One call is one bounded transaction; call
 * again while `more`. After an error begin anew with {0}: what was looked at by a call that failed
 * is not renewed. */
struct rp_renewal {        /* begin with {0} */
	bool more;         /* out */
	uint64_t endpoint; /* the store's: where it goes on */
};
enum rp_err rp_outbox_renew_limits(struct rp_outbox *ob, int64_t now_at_ms,
				   struct rp_renewal *renewal, struct rp_error *err);

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
	/* In: only at[] and endpoint_known are wanted, and nothing else is touched. */
	bool endpoint_only;
	/* In: a payload of more than short_max bytes is loaded into *long_payload (borrowed)
	 * instead of `text`, so that it can be released while the facts stay; 0: none is. */
	size_t short_max;
	struct rp_buf *long_payload;
	struct rp_facts facts;
	struct rp_span payload;
	/* false: a record of it is damaged; the next exchange that moves an entry of it counts
	 * anew */
	bool endpoint_known;
	/* as they are now: what they allowed when the entry was claimed may be past. The section's
	 * counts if at[PATH].section is not 0; see rp_dispatch_receiver. */
	struct rp_endpoint at[RP_LEVELS];
	/* It lacks places, and none of places_of has them any more: its request may not begin. Not
	 * told of endpoint_only. */
	bool places_lost;
	struct rp_buf text;
};
/* Loads a claimed entry, right before its attempt. RP_ERR_STALE: the claim was lost or the entry
 * purged; do not send. RP_ERR_DAMAGED: a record or the payload fails its checksum: settle it
 * dead. */
enum rp_err rp_outbox_fetch(struct rp_outbox *ob, const struct rp_claim *claim,
			    struct rp_dispatch *out, struct rp_error *err);
void rp_dispatch_release(struct rp_dispatch *d);
/* Its levels. */
static inline struct rp_receiver rp_dispatch_receiver(struct rp_dispatch *d)
{
	return (struct rp_receiver){
	    {&d->at[RP_LEVEL_PATH],
	     d->at[RP_LEVEL_PATH].section != 0 ? &d->at[RP_LEVEL_SECTION] : NULL,
	     &d->at[RP_LEVEL_HOST]}};
}

/* Reads the payload of a fetched entry once more, piece by piece, each in a snapshot of its own.
 * Nothing is checked again: the fetch has. */
struct rp_piece { /* begin with {seq} */
	uint64_t seq;
	size_t at; /* out: the next byte */
	struct rp_cursor cursor;
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

/* A descriptor that becomes readable when something happens. Owned by the outbox. */
enum rp_watch {
	RP_WATCH_WORK,    /* somebody made work due, or a sender ended */
	RP_WATCH_COMMITS, /* somebody wrote: around each commit, perhaps before it can be read */
};
enum rp_err rp_outbox_watch(struct rp_outbox *ob, enum rp_watch what, int *fd,
			    struct rp_error *err);
struct rp_woken {
	bool work, sender_ended; /* of RP_WATCH_WORK */
};
/* Makes it unreadable again. */
struct rp_woken rp_outbox_drain(struct rp_outbox *ob, enum rp_watch what);

/* --- looking ------------------------------------------------------------------------------ */

/* Shows the entries that a filter lets pass (model/filter.h). One call is one short read
 * transaction that looks at some thousand entries at most; call while `more`. The order is the
 * store's choice. An entry that moves between two calls may be missed, or, where may_repeat says
 * so, be seen twice.
 *
 *   struct rp_select s = {.filter = &f, .now_at_ms = now, .see = see, .arg = me};
 *   do
 *       e = rp_outbox_select(ob, &s, err);
 *   while (e == RP_OK && s.more);
 *   rp_outbox_select_end(ob, &s); */
struct rp_select {
	const struct rp_filter *filter; /* borrowed */
	int64_t now_at_ms;
	bool by_number;  /* in the order of their numbers */
	size_t max_seen; /* entries that one call shows at most; 0: as many as it looks at */
	/* Must not call the store, and copies what it keeps. false: the call ends, and more is
	 * false. */
	bool (*see)(void *arg, const struct rp_entry *e);
	/* Instead of see, for counting: a brief of each entry, which costs a fraction (a million
	 * take some 30 ms). Then one state must be given, WAITING or DEAD, and besides it nothing
	 * but what a brief tells. */
	void (*see_brief)(void *arg, const struct rp_brief *b);
	const int64_t *bounds_at_ms; /* with see_brief: times, ascending; for n_bounds_passed */
	unsigned n_bounds;
	void *arg;
	/* in, out: where it is; with an equal filter another goes on. Bytes that no select left
	 * there are RP_ERR_INVAL where the store notices. */
	struct rp_cursor cursor;
	bool more;         /* out */
	bool may_repeat;   /* out */
	uint64_t n_looked; /* out: entries or index rows, added up over the calls, */
	uint64_t n_total;  /* ... and about how many there are to look at; after the first */
	void *plan;        /* the store's; NULL at the beginning */
};
#define RP_SELECT_BOUNDS_MAX 16
enum rp_err rp_outbox_select(struct rp_outbox *ob, struct rp_select *s, struct rp_error *err);
/* Also after an error. Keeps the cursor. */
void rp_outbox_select_end(struct rp_outbox *ob, struct rp_select *s);

/* The first entry that the filter lets pass, copied. RP_ERR_NOTFOUND: there is none. */
enum rp_err rp_outbox_first(struct rp_outbox *ob, const struct rp_filter *filter,
			    struct rp_entry *out, struct rp_error *err);
/* The one with this id. RP_ERR_NOTFOUND: there is none; err names the id. */
enum rp_err rp_outbox_find(struct rp_outbox *ob, const unsigned char id[RP_ID_BYTES],
			   struct rp_entry *out, struct rp_error *err);
/* The one that goes before this one, which is `behind`. RP_ERR_NOTFOUND: it has moved on. */
enum rp_err rp_outbox_front(struct rp_outbox *ob, const struct rp_delivery *behind,
			    struct rp_entry *out, struct rp_error *err);

/* The attempts of an entry, oldest first. `a` is valid during the call. */
enum rp_err rp_outbox_attempts(struct rp_outbox *ob, uint64_t seq,
			       void (*see)(void *arg, uint32_t n, const struct rp_attempt *a,
					   bool damaged),
			       void *arg, struct rp_error *err);
/* The attempts that were settled last, over all entries, in the order they were settled: a log of
 * some thousands, out of which the oldest fall. `from` 0: from the oldest there is. One call reads
 * a bounded part in one short transaction. */
#define RP_RECENT_END UINT64_MAX
struct rp_recent_page {
	/* in and out: the number of the first attempt to see; RP_RECENT_END: none, and this
	 * becomes the number that the next one will have */
	uint64_t from;
	void (*see)(void *arg, const struct rp_recent *r); /* must not call the store */
	void *arg;
	uint64_t n_missed; /* out: attempts from `from` on that have fallen out of the log */
	bool more;         /* out: call again at once */
};
enum rp_err rp_outbox_recent(struct rp_outbox *ob, struct rp_recent_page *page,
			     struct rp_error *err);
/* Appends the payload. RP_ERR_DAMAGED: it does not match its hash; what could be read was appended
 * all the same. */
enum rp_err rp_outbox_body(struct rp_outbox *ob, uint64_t seq, struct rp_buf *out,
			   struct rp_error *err);

enum rp_err rp_outbox_ledger(struct rp_outbox *ob, struct rp_ledger *out, struct rp_error *err);

struct rp_outbox_info {
	/* the most that it may ever hold (LMDB: its address space), and when appends stop */
	uint64_t map_bytes, quota_bytes;
	/* on disk, of these in use, and left on the disk */
	uint64_t file_bytes, used_bytes, disk_free_bytes;
	/* Whether an append of one entry without a payload would be refused (RP_ERR_FULL), and
	 * why. */
	bool refuses;
	struct rp_error refusal;
	uint64_t retrying; /* waiting entries with an attempt behind them */
	uint64_t commits;  /* transactions ever committed in this outbox */
	/* Who reads now, and of those that hold a state of long ago, so that what was freed since
	 * cannot be used again, the one that holds the oldest: `lag` commits ago. A reader between
	 * two transactions is not seen. pid 0: none, or only this process. */
	unsigned readers, max_readers;
	uint64_t reader_lag; /* of any, this process included */
	struct rp_reader_info {
		uint32_t pid;
		uint64_t lag;
	} oldest_reader; /* of another process */
	/* when the first entry of the endpoint that is next in the ready queue is due; RP_NEVER:
	 * there is none */
	int64_t next_due_at_ms;
	/* Since when the entry that is longest in its state has been there; RP_NEVER: there is
	 * none. waiting: the earliest due time, whatever keeps its endpoint from being looked at.
	 */
	struct rp_oldest {
		int64_t waiting_due_at_ms, delivered_at_ms, dead_at_ms;
	} oldest;
	/* Not RP_OK: an index is damaged, and `oldest` is not known. All else is. */
	struct rp_error oldest_trouble;
	/* by the clock of anybody who wrote, since rp_outbox_fix_clock minded a step back */
	int64_t latest_at_ms;
	unsigned format;
};
enum rp_err rp_outbox_info(struct rp_outbox *ob, struct rp_outbox_info *out, struct rp_error *err);

/* The counters for metrics: zero where nothing was counted. What is counted without a commit of its
 * own, such as duplicates, shows at the latest when its handle is closed. Series come sorted by
 * name; see may be NULL. */
enum rp_err rp_outbox_counters(struct rp_outbox *ob, struct rp_counters *out,
			       void (*see)(void *arg, struct rp_span name,
					   const struct rp_series *s),
			       void *arg, struct rp_error *err);

/* Appends the endpoint's name. RP_ERR_NOTFOUND: there is none. */
enum rp_err rp_outbox_endpoint_name(struct rp_outbox *ob, uint64_t endpoint, struct rp_buf *out,
				    struct rp_error *err);

/* In the order of their numbers, so the members of a host behind it. A damaged record shows as
 * zeroes. */
enum rp_endpoints_of {
	/* Of these three those from the number `id` on; 0: all. */
	RP_ENDPOINTS_PATHS,   /* paths */
	RP_ENDPOINTS_HOSTS,   /* hosts, without a look at what is in them, */
	RP_ENDPOINTS_SHARED,  /* ... and the sections in each */
	RP_ENDPOINTS_OF_HOST, /* the sections and paths of host `id` */
	RP_ENDPOINTS_ONE,     /* the one with this number, whatever it is */
};
struct rp_endpoints_which {
	enum rp_endpoints_of of;
	uint64_t id;
};
/* see: false stops. */
enum rp_err rp_outbox_endpoints(struct rp_outbox *ob, struct rp_endpoints_which which,
				bool (*see)(void *arg, uint64_t id, struct rp_span name,
					    const struct rp_endpoint *e),
				void *arg, struct rp_error *err);
/* The number of a path, a section or a host by its name as it is stored (model/level.h).
 * RP_ERR_NOTFOUND: there is none. */
enum rp_err rp_outbox_endpoint_find(struct rp_outbox *ob, enum rp_level level, struct rp_span name,
				    uint64_t *id, struct rp_error *err);

struct rp_sender_info {
	unsigned slot;
	uint32_t pid;
	bool alive; /* as far as the store knows: it may be stopped */
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
 * skipped: what was selected may have moved on. audit: number of a record in the log of changes,
 * to which the same commit adds what was done; 0: none. */
enum rp_err rp_outbox_change(struct rp_outbox *ob, int64_t now_at_ms, enum rp_change verb,
			     unsigned states, const uint64_t *seqs, size_t n, uint64_t audit,
			     enum rp_changed *results, struct rp_error *err);

/* Pauses a path or a host (its entries wait, no budget is spent), or resumes it; resuming also
 * enables a path again after a 410, and lets an open breaker, of a path that of its host as well,
 * send its probe at once. RP_ERR_NOTFOUND: there is none. RP_ERR_INVAL: it is a section, which has
 * limits and nothing else; nothing was changed. A path goes with its last entry, and a section or
 * host with its last path, unless it is paused or disabled; when it is named again it has another
 * number. */
enum rp_err rp_outbox_endpoint_pause(struct rp_outbox *ob, int64_t now_at_ms, uint64_t endpoint,
				     bool pause, struct rp_error *err);

/* --- a copy ------------------------------------------------------------------------------- */

/* Copies the outbox as it is at this moment, compactly, into the new directory `dir`, and syncs
 * it. RP_ERR_INVAL: this store has no copies. Others go on meanwhile; what they free cannot be used
 * again before the copy is done, so the outbox's file grows. RP_ERR_EXISTS: there is something at
 * `dir`. RP_ERR_FULL: it grew by more than max_growth_bytes, or the disk is full. RP_ERR_STALE:
 * go_on said no. Whatever failed, `dir` is then not there. */
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
	/* how far it is: parts of the structure and rows, each weighed by what it takes */
	uint64_t steps, steps_all;
};
/* Recomputes everything the outbox can know about itself: the store's own structure, every record's
 * checksum and every payload's hash, each entry in exactly the indexes its state asks for, counters
 * of the ledger and of each endpoint against a recount, the ready queue against the entries, dedupe
 * keys, jobs. `problem` is called with a sentence each. With a damaged structure nothing else is
 * looked at.
 *
 * max_rows 0: in one read snapshot. While it runs no room that others free can be used again: the
 * store grows by what they write. RP_ERR_BUSY: others commit so fast that no snapshot could be
 * taken.
 *
 * Else in slices of at most max_rows rows (1000 is a good number), with bounds on bytes and time as
 * well, each in a snapshot of its own: call until `done`. Others may go on meanwhile, and what they
 * change is no false alarm: a row is compared with what belongs to it in the snapshot of its slice,
 * and totals are compared at the end, in one snapshot. So what was there all the time is checked;
 * what came, or moved to a place that had been passed, may not be. What takes all of one snapshot
 * is seen where a slice can hold it, and otherwise left to the other mode: the counters of a single
 * endpoint, the number of those retrying, sums over very many endpoints, whether a long order has
 * one front or a job as many entries as it should, and what the store counts of its own structure.
 */
struct rp_verify {
	size_t max_rows;
	void (*problem)(void *arg, const char *text);
	/* max_rows 0: called every now and then, inside the transaction; may be NULL. false:
	 * RP_ERR_STALE */
	bool (*go_on)(void *arg, const struct rp_verify_counts *so_far);
	void *arg;
	struct rp_verify_counts counts; /* out, added up over the slices; rows at the end */
	struct rp_cursor cursor;
	bool done; /* out */
};
enum rp_err rp_outbox_verify(struct rp_outbox *ob, struct rp_verify *v, struct rp_error *err);

#endif
