/* txn.h - private to src/store/postgres: a transaction, from its beginning to its end: the rows
 * that it locks and loads, what the rules of src/model make of them, and how that is written back.
 *
 * The lock of everything under a host (its paths, sections, entries, orders) is the host's row,
 * taken FOR UPDATE before anything under it is read. Whoever has it sees, in READ COMMITTED, all
 * that others committed, and nobody changes it meanwhile. So a move of an entry is decided as in a
 * store with one writer, and writers of different hosts do not wait for each other.
 *
 * Locks are taken in one order, so there are no deadlocks: job rows; hosts, by ascending number;
 * new dedupe keys, ascending; audit rows; the writer's row. A transaction that already has hosts
 * takes another one only if it is free (RP_PG_SKIP).
 *
 * What is loaded and changed is kept in memory. rp_pg_flush writes it in two round trips: first
 * entries and attempts, with the questions that depend on them (when is the first of each changed
 * path due, what comes first in each changed queue), then endpoints. rp_pg_commit does that, with
 * ledger, counters and COMMIT in the second one. */
#ifndef RP_STORE_POSTGRES_TXN_H
#define RP_STORE_POSTGRES_TXN_H

#include "model/ledger.h"
#include "model/receiver.h"
#include "model/sequence.h"
#include "store/postgres/handle.h"
#include "store/postgres/writer.h"

/* A path, a section or a host that was loaded. Its address holds until the transaction ends. */
struct rp_pg_endpoint {
	uint64_t id;
	struct rp_span name;
	struct rp_endpoint rec;
	uint64_t queue; /* the ready queue that it is in, if it is in one */
	bool is_new;    /* to be inserted */
	bool dirty;     /* to be written, its place worked out anew */
	bool over;      /* removed */
	uint64_t was_in_use;
	/* PATH: none of its entries that wait in front is due before */
	int64_t floor_ms;
	size_t n_loaded; /* write.c: members of its queue that are loaded */
};

/* An entry that was loaded, or is new. Its address holds until the transaction ends. */
struct rp_pg_entry {
	uint64_t seq;
	struct rp_delivery d;
	int64_t not_before_at_ms;
	bool is_new, dirty, removed;
};

struct rp_pg_txn_parts;

struct rp_pg_txn {
	struct rp_pgstore *store;
	int64_t now_at_ms;
	bool begun;        /* BEGIN was sent */
	bool dirty;        /* something changed that is worth a commit */
	bool fronts_moved; /* entries that were behind others are in front now */
	/* its commit is on disk before it returns; else a crash of the server may undo it, as it
	 * may undo the last commits of senders (rp_outbox_options.sender) */
	bool synced;
	struct rp_pg_txn_parts *parts;
};

/* One at a time for a handle. Nothing is sent before the first question. */
enum rp_err rp_pg_begin(struct rp_pgstore *s, int64_t now_at_ms, struct rp_pg_txn **out,
			struct rp_error *err);
/* RP_ERR_AWAY: where the connection was lost it is unknown whether it was done, else nothing was
 * changed. The transaction is over whatever the result. */
enum rp_err rp_pg_commit(struct rp_pg_txn *t, struct rp_error *err);
void rp_pg_rollback(struct rp_pg_txn *t); /* harmless after its end */
void rp_pg_txn_free(struct rp_pg_txn *t); /* with the handle */
/* The end of most: commits what was changed; gives up where e is not RP_OK or nothing was. */
enum rp_err rp_pg_finish(struct rp_pg_txn *t, enum rp_err e, struct rp_error *err);
/* Counts what was counted without a commit of its own; what cannot be is lost. */
void rp_pg_tell_counts(struct rp_pgstore *s);
/* Writes what changed, and goes on. */
enum rp_err rp_pg_flush(struct rp_pg_txn *t, struct rp_error *err);
/* For questions of the caller's own: the connection, with BEGIN queued before the first. */
struct rp_pg *rp_pg_of(struct rp_pg_txn *t);
/* Memory that lives until the transaction ends; NULL: there is none. */
void *rp_pg_alloc(struct rp_pg_txn *t, size_t n);
/* A copy of the text in such memory. */
struct rp_span rp_pg_keep(struct rp_pg_txn *t, struct rp_span text);

/* --- loading (load.c) ------------------------------------------------------------------------- */

enum rp_pg_wait {
	RP_PG_WAIT, /* in ascending order, until each is free; not once the transaction has hosts */
	RP_PG_SKIP, /* those that are free */
};
/* Locks the hosts that these endpoints (of any level) are in, and loads them, the endpoints, their
 * sections, and these entries with their paths, in one round trip. What is gone, or was skipped, is
 * not found afterwards. */
enum rp_err rp_pg_lock(struct rp_pg_txn *t, const uint64_t *endpoints, size_t n,
		       const uint64_t *seqs, size_t n_seqs, enum rp_pg_wait wait,
		       struct rp_error *err);
/* Finds the paths of these entries, and locks and loads as above. */
enum rp_err rp_pg_lock_entries(struct rp_pg_txn *t, const uint64_t *seqs, size_t n,
			       struct rp_error *err);
/* More under hosts that are locked. */
enum rp_err rp_pg_load_endpoints(struct rp_pg_txn *t, const uint64_t *endpoints, size_t n,
				 struct rp_error *err);

/* Rows that a question of the caller's own has read under the lock of their host: all columns of
 * RP_PG_ENDPOINT_ROW or RP_PG_ENTRY_ROW, from column `first` on. What is loaded already stays as it
 * is. NULL: no memory. */
#define RP_PG_ENDPOINT_ROW "e.id, e.name, e.queue" RP_PG_ENDPOINT(RP_PG_LIST_E)
#define RP_PG_ENTRY_ROW "d.seq, d.not_before_at_ms" RP_PG_DELIVERY(RP_PG_LIST_D)
struct rp_pg_endpoint *rp_pg_meet_endpoint(struct rp_pg_txn *t, const struct rp_pg_rows *rows,
					   size_t row, int first);
struct rp_pg_entry *rp_pg_meet_entry(struct rp_pg_txn *t, const struct rp_pg_rows *rows, size_t row,
				     int first);

/* Of what is loaded. NULL: it is not, or there is none. */
struct rp_pg_endpoint *rp_pg_endpoint_of(const struct rp_pg_txn *t, uint64_t id);
struct rp_pg_entry *rp_pg_entry_of(const struct rp_pg_txn *t, uint64_t seq);
bool rp_pg_has_host(const struct rp_pg_txn *t, uint64_t endpoint); /* it is locked */
/* The levels of a path that is loaded. */
struct rp_receiver rp_pg_receiver(const struct rp_pg_txn *t, uint64_t path);

/* --- endpoints (endpoint.c) ------------------------------------------------------------------- */

/* The numbers of n paths by their names. They and their hosts are made where they are missing;
 * all are locked and loaded. Names may repeat. The first thing of a transaction. */
enum rp_err rp_pg_intern(struct rp_pg_txn *t, const struct rp_span *names, size_t n, uint64_t *ids,
			 struct rp_error *err);
/* The path is in the section of this name from now on; empty: in none. */
enum rp_err rp_pg_set_section(struct rp_pg_txn *t, uint64_t path, struct rp_span section,
			      struct rp_error *err);
/* It, its section and its host are written, and their places in the queues worked out anew. */
void rp_pg_changed(struct rp_pg_txn *t, uint64_t id);

/* --- entries (entry.c) ------------------------------------------------------------------------ */

/* A new entry of a path that is loaded; *facts and payload are borrowed until the end. Its delivery
 * is set by rp_pg_move. NULL: no memory. */
struct rp_pg_entry *rp_pg_add(struct rp_pg_txn *t, uint64_t seq, const struct rp_facts *facts);
/* Every move of an entry, with all that is counted and the order that it stands in, for which it
 * may ask. from NULL: it is new; to NULL: it is removed. */
enum rp_err rp_pg_move(struct rp_pg_txn *t, uint64_t seq, const struct rp_delivery *from,
		       struct rp_delivery *to, struct rp_error *err);
/* It is due at another time now. */
void rp_pg_set_due(struct rp_pg_txn *t, struct rp_pg_entry *entry);
/* One of the same number takes the place of the old one. */
enum rp_err rp_pg_log_attempt(struct rp_pg_txn *t, uint64_t seq, uint64_t endpoint, uint32_t n,
			      const struct rp_attempt *a, struct rp_error *err);
/* One verb on an entry that is loaded, as rp_outbox_change. */
enum rp_err rp_pg_change_one(struct rp_pg_txn *t, enum rp_change verb, unsigned states,
			     uint64_t seq, enum rp_changed *result, struct rp_error *err);

#endif
