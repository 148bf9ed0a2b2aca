/* handle.h - private to src/store/postgres: an open outbox.
 *
 * What a module keeps between calls stands here; each comment names the file that looks after
 * it. */
#ifndef RP_STORE_POSTGRES_HANDLE_H
#define RP_STORE_POSTGRES_HANDLE_H

#include "model/clock.h"
#include "store/postgres/address.h"
#include "store/postgres/connection.h"
#include "store/store_ops.h"

struct rp_pg_txn;
struct rp_pg_writer;
struct rp_pg_listener;

struct rp_pgstore {
	struct rp_outbox outbox; /* first: rp_pgstore_of */
	struct rp_pg_address address;
	const struct rp_sys *sys;
	/* reach.c: how many connections for transactions were made */
	unsigned n_connected;
	/* reach.c: NULL or lost: made again by the next call (rp_pg_reach) */
	struct rp_pg *pg;
	/* reach.c: the same, for what a sender does while its exchange is under way on another
	 * thread: fetches, beats, looks at what is due next (rp_pg_reach_side) */
	struct rp_pg *side;
	/* txn.c: the one transaction, whose memory is kept; NULL: none was yet */
	struct rp_pg_txn *txn;
	/* writer.c: NULL: nothing was written yet */
	struct rp_pg_writer *writer;
	/* listener.c: connections of their own, to be told, by what is watched; NULL: nobody
	 * watches */
	struct rp_pg_listener *listeners[2];
	/* senders.c */
	struct rp_sender_id me;
	uint32_t me_pid;
	bool joined;
	struct rp_clock_watch clock;
};

static inline struct rp_pgstore *rp_pgstore_of(const struct rp_outbox *outbox)
{
	return (struct rp_pgstore *)(uintptr_t)outbox;
}

/* Sees that there is a connection: one attempt. RP_ERR_AWAY and others as of rp_pg_connect. */
enum rp_err rp_pg_reach(struct rp_pgstore *s, struct rp_error *err);
enum rp_err rp_pg_reach_side(struct rp_pgstore *s, struct rp_error *err);

#endif
