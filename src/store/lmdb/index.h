/* index.h - private to src/store/lmdb: the row that an entry has because of its state. */
#ifndef RP_STORE_LMDB_INDEX_H
#define RP_STORE_LMDB_INDEX_H

#include <lmdb.h>
#include "model/entry.h"
#include "model/record.h"
#include "store/lmdb/db/tables.h"

struct rp_txn;

/* The table of a state. */
enum rp_table rp_index_table(enum rp_state state);
/* The row of an entry; false: WAITING behind another has none. */
bool rp_index_row(uint64_t seq, const struct rp_delivery *d, enum rp_table *table,
		  struct rp_key *key);
/* Whether a row with the key (endpoint, due_at, seq) of `queue` is the one that the entry has. */
bool rp_index_is_in_queue(const struct rp_delivery *d, const uint64_t key[3]);
enum rp_err rp_index_put(struct rp_txn *t, uint64_t seq, const struct rp_delivery *d,
			 struct rp_error *err);
/* One that is missing is logged as damage, and no error. */
enum rp_err rp_index_remove(struct rp_txn *t, uint64_t seq, const struct rp_delivery *d,
			    struct rp_error *err);
/* The value of the `claim` row. handed: an append handed it over (hand_over.c), and its sender is
 * to find it. */
#define RP_CLAIM_ROW_BYTES 5
void rp_index_claim_row(const struct rp_delivery *d, bool handed,
			unsigned char out[RP_CLAIM_ROW_BYTES]);
bool rp_index_is_handed(const MDB_val *v);
/* The value of the `dead` row of an entry with this delivery record, and back; false: it is no
 * such value. */
#define RP_WHY_BYTES 12
void rp_entry_put_why(const struct rp_delivery *d, unsigned char out[RP_WHY_BYTES]);
bool rp_entry_read_why(const MDB_val *v, struct rp_brief *out);

#endif
