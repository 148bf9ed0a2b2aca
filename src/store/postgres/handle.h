/* handle.h - private to src/store/postgres: an open outbox.
 *
 * What a module keeps between calls stands here; each comment names the file that looks after
 * it. Three connections at most: one for transactions, made at the open and again when it was
 * lost; one for liveness and notifications (presence.c), made by a join or a watch. */
#ifndef RP_STORE_POSTGRES_HANDLE_H
#define RP_STORE_POSTGRES_HANDLE_H

#include "model/counters.h"
#include "model/ledger.h"
#include "store/postgres/address.h"
#include "store/postgres/connection.h"
#include "store/store_ops.h"

struct rp_pg_txn;
struct rp_pg_writer;
struct rp_pg_presence;

struct rp_pgstore {
	struct rp_outbox outbox; /* first: rp_pgstore_of */
	struct rp_pg_address address;
	const struct rp_sys *sys;
	struct rp_outbox_options options;
	/* open.c: for transactions; NULL: lost, and made again by the next call (rp_pg_reach) */
	struct rp_pg *pg;
	/* txn.c: the one transaction, whose memory is kept */
	struct rp_pg_txn *txn;
	/* writer.c: the row of ledger and counters that this handle adds to; NULL: none yet */
	struct rp_pg_writer *writer;
	/* presence.c: NULL: neither a sender nor a watcher */
	struct rp_pg_presence *presence;
	/* senders.c */
	struct rp_sender_id me;
	uint32_t me_pid;
	bool joined;
	struct rp_clock_watch clock;
	/* clock.c: the database's clock less ours, as of the last answer */
	int64_t clock_ahead_ms;
	bool clock_known;
};

static inline struct rp_pgstore *rp_pgstore_of(const struct rp_outbox *outbox)
{
	return (struct rp_pgstore *)(uintptr_t)outbox;
}

/* Sees that there is a connection for transactions: one attempt. RP_ERR_AWAY and others as of
 * rp_pg_connect. */
enum rp_err rp_pg_reach(struct rp_pgstore *s, struct rp_error *err);

#endif
