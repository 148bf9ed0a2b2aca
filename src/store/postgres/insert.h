/* insert.h - private to append.c and import.c: the rows of new entries. */
#ifndef RP_STORE_POSTGRES_INSERT_H
#define RP_STORE_POSTGRES_INSERT_H

#include "store/postgres/txn.h"

/* An entry on its way in, and what became of it. facts has all but the endpoint where that is given
 * by name. */
struct rp_pg_incoming {
	struct rp_facts facts;
	struct rp_span payload;
	uint64_t seq;
	bool inserted; /* out */
	bool is_there; /* out: another entry has its dedupe key; nothing was inserted. That one: */
	uint64_t there_seq;
	unsigned char there_id[RP_ID_BYTES];
};

/* Which of the dedupe keys $2 are there, by their places $1, and the numbers and ids of theirs. */
extern const struct rp_pg_statement rp_pg_keys_there;
/* Sees which of them are there already, before anything is locked. What the caller has queued goes
 * in the same round trip. */
enum rp_err rp_pg_find_keys(struct rp_pg_txn *t, struct rp_pg_incoming *all, size_t n,
			    struct rp_error *err);
/* Inserts the facts and payloads of those that are not there, in the order of their dedupe keys, so
 * that those who insert the same keys wait for each other and do not stand in each other's way. The
 * transaction has the locks of all their hosts already. */
enum rp_err rp_pg_insert(struct rp_pg_txn *t, struct rp_pg_incoming *all, size_t n,
			 struct rp_error *err);

#endif
