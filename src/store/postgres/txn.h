/* txn.h - private to src/store/postgres: a transaction, from its beginning to its end: the rows
 * that it locks and loads, what the rules of src/model make of them, and how that is written back.
 *
 * The lock of everything under a host (its paths, sections, entries, orders) is the host's row,
 * taken FOR UPDATE before anything under it is read. Who has it sees, in READ COMMITTED, all that
 * others committed, and nobody changes it meanwhile. So a move of an entry is decided as in a store
 * with one writer, and writers of different hosts do not wait for each other.
 *
 * Locks are taken in one order, so there are no deadlocks: job rows; hosts, by ascending number;
 * audit rows; the writer's row. A transaction that has a host and finds that it needs one with a
 * lower number takes it only if nobody has it (SKIP LOCKED), or begins anew.
 *
 * What is loaded and changed is kept in memory and written by rp_pg_txn_commit in two round trips:
 * first entries, attempts and the questions that depend on them (when is the first of each changed
 * path due, what is first in each changed queue), then endpoints, ledger, counters and COMMIT. */
#ifndef RP_STORE_POSTGRES_TXN_H
#define RP_STORE_POSTGRES_TXN_H

#include "model/ledger.h"
#include "model/receiver.h"
#include "model/sequence.h"
#include "store/postgres/handle.h"

/* A path, a section or a host that was loaded. Its address holds until the transaction ends. */
struct rp_pg_endpoint {
	uint64_t id;
	struct rp_span name;
	struct rp_endpoint rec;
	uint64_t queue;      /* the ready queue that it is in, if it is in one */
	bool is_new, dirty;  /* to be inserted; to be written, its place worked out anew */
	bool over;           /* removed by this transaction */
	uint64_t was_in_use; /* rp_endpoint_in_use when it was loaded */
};

/* An entry that was loaded, was added, or whose order was. */
struct rp_pg_entry {
	uint64_t seq;
	struct rp_delivery d;
	int64_t not_before_at_ms;
	bool is_new, dirty, removed;
	uint32_t handed; /* reserved for claims made by an append */
};

struct rp_pg_txn {
	struct rp_pgstore *store;
	int64_t now_at_ms;
	bool open;   /* BEGIN was sent */
	bool dirty;  /* something changed that is worth a commit */
	bool rings;  /* after the commit senders are woken */
	bool synced; /* the commit is flushed before it returns: appends, operators' changes */
	struct rp_counters *counters;  /* the writer's, changed in place; put back by a rollback */
	struct rp_pg_txn_parts *parts; /* private to txn.c, endpoint.c, entry.c, write.c */
};

/* Begins one: nothing is sent before the first question. The handle has one at a time. */
enum rp_err rp_pg_txn_begin(struct rp_pgstore *s, int64_t now_at_ms, struct rp_pg_txn **out,
			    struct rp_error *err);
/* Writes what changed, commits; rings if it is to. RP_ERR_AWAY: the outcome is unknown where
 * rp_pg_is_lost, else nothing was changed. The transaction is over whatever the result. */
enum rp_err rp_pg_txn_commit(struct rp_pg_txn *t, struct rp_error *err);
void rp_pg_txn_rollback(struct rp_pg_txn *t);
/* The end of most: commits what was changed, gives up where e is not RP_OK or nothing was. */
enum rp_err rp_pg_txn_finish(struct rp_pg_txn *t, enum rp_err e, struct rp_error *err);
/* The connection, for questions of the caller's own within the transaction; a go sends BEGIN
 * first. */
struct rp_pg *rp_pg_txn_connection(struct rp_pg_txn *t);

/* --- loading ---------------------------------------------------------------------------------- */

enum rp_pg_wait {
	RP_PG_WAIT, /* in ascending order, until each is free; before this transaction has others
		     * with higher numbers (asserted) */
	RP_PG_SKIP, /* those that are free */
};
/* Locks the hosts that these numbers (of any level) are in, and loads hosts, and the endpoints
 * that are named with their sections. What is gone, or was skipped, is not found afterwards. */
enum rp_err rp_pg_lock(struct rp_pg_txn *t, const uint64_t *endpoints, size_t n,
		       enum rp_pg_wait wait, struct rp_error *err);
/* Loads more under hosts that are locked already. */
enum rp_err rp_pg_load_endpoints(struct rp_pg_txn *t, const uint64_t *endpoints, size_t n,
				 struct rp_error *err);
/* Finds these entries' paths, locks and loads them (RP_PG_WAIT), then the entries. Where a host was
 * passed already: RP_PG_SKIP for it. Which were not found: rp_pg_entry_of is NULL. */
enum rp_err rp_pg_lock_entries(struct rp_pg_txn *t, const uint64_t *seqs, size_t n,
			       struct rp_error *err);
/* Loads entries of paths that are locked and loaded. */
enum rp_err rp_pg_load_entries(struct rp_pg_txn *t, const uint64_t *seqs, size_t n,
			       struct rp_error *err);
/* An entry that the caller's own question has read under the lock of its host, if it is not loaded
 * yet. */
struct rp_pg_entry *rp_pg_entry_met(struct rp_pg_txn *t, uint64_t seq, const struct rp_delivery *d,
				    int64_t not_before_at_ms, struct rp_error *err);
struct rp_pg_endpoint *rp_pg_endpoint_met(struct rp_pg_txn *t, uint64_t id, struct rp_span name,
					  const struct rp_endpoint *rec, struct rp_error *err);

/* Of what is loaded; NULL: it is not, or there is none. */
struct rp_pg_endpoint *rp_pg_endpoint_of(const struct rp_pg_txn *t, uint64_t id);
struct rp_pg_entry *rp_pg_entry_of(const struct rp_pg_txn *t, uint64_t seq);
/* The levels of a path that is loaded. */
struct rp_receiver rp_pg_receiver(const struct rp_pg_txn *t, uint64_t path);

/* --- changing --------------------------------------------------------------------------------- */

/* The numbers of n paths by their names; they and their hosts are made where they are missing,
 * locked and loaded. Names may repeat. Before other locks. */
enum rp_err rp_pg_intern(struct rp_pg_txn *t, const struct rp_span *names, size_t n, uint64_t *ids,
			 struct rp_error *err);
/* The path is in the section of this name from now on; empty: in none. */
enum rp_err rp_pg_set_section(struct rp_pg_txn *t, uint64_t path, struct rp_span section,
			      struct rp_error *err);
/* It, its section and its host are written, and their places in the queues worked out anew. */
void rp_pg_changed(struct rp_pg_txn *t, uint64_t id);

/* Numbers for n new entries, ascending; of a sequence, so they are never given twice by one
 * server. */
enum rp_err rp_pg_take_numbers(struct rp_pg_txn *t, size_t n, uint64_t *seqs, struct rp_error *err);
/* A new entry; *facts and payload are borrowed until the commit. Its delivery is set by
 * rp_pg_move. */
enum rp_err rp_pg_add(struct rp_pg_txn *t, uint64_t seq, const struct rp_facts *facts,
		      struct rp_span payload, struct rp_error *err);
/* Every move of an entry, with all that is counted and the order that it stands in (one more round
 * trip where the entry has an order that was not loaded: rp_pg_load_orders). from NULL: it is new;
 * to NULL: it is removed. */
enum rp_err rp_pg_move(struct rp_pg_txn *t, uint64_t seq, const struct rp_delivery *from,
		       struct rp_delivery *to, struct rp_error *err);
/* Loads what moves of these loaded entries will ask of their orders, in one round trip. */
enum rp_err rp_pg_load_orders(struct rp_pg_txn *t, const uint64_t *seqs, size_t n,
			      struct rp_error *err);
/* Of an entry that is loaded. One of the same number takes the place of the old one. */
enum rp_err rp_pg_log_attempt(struct rp_pg_txn *t, uint64_t seq, uint64_t endpoint, uint32_t n,
			      const struct rp_attempt *a, struct rp_error *err);
/* Attempts by section, for metrics. */
void rp_pg_count_series(struct rp_pg_txn *t, const char *name, const struct rp_outcome *outcome);
/* One verb on a loaded entry, as rp_outbox_change. */
enum rp_err rp_pg_change_one(struct rp_pg_txn *t, enum rp_change verb, unsigned states,
			     uint64_t seq, enum rp_changed *result, struct rp_error *err);
/* Adds to a record of the log of changes, in this transaction. */
enum rp_err rp_pg_audit_add_counts(struct rp_pg_txn *t, uint64_t number, uint64_t done,
				   uint64_t skipped, struct rp_error *err);

#endif
