/* entry_rows.h - private to src/store/lmdb: the records of an entry, and the rows that lead to it.
 */
#ifndef RP_STORE_LMDB_ENTRY_ROWS_H
#define RP_STORE_LMDB_ENTRY_ROWS_H

#include "model/record.h"

struct rp_txn;

/* RP_ERR_NOTFOUND: no such entry. RP_ERR_DAMAGED: *d is zeroed. Neither fills err. */
enum rp_err rp_entry_delivery(struct rp_txn *t, uint64_t seq, struct rp_delivery *d,
			      struct rp_error *err);
enum rp_err rp_entry_facts(struct rp_txn *t, uint64_t seq, struct rp_facts *f,
			   struct rp_error *err);
/* The number under which an entry with this id is, if it is there at all. */
enum rp_err rp_entry_seq(struct rp_txn *t, const unsigned char id[RP_ID_BYTES], uint64_t *seq,
			 struct rp_error *err);
struct rp_key rp_key_id(const unsigned char id[RP_ID_BYTES]);
/* Keeps the attempt with its entry, and notes it in the log of recent ones. */
enum rp_err rp_entry_log_attempt(struct rp_txn *t, uint64_t seq, uint64_t endpoint, uint32_t n,
				 const struct rp_attempt *a, struct rp_error *err);
/* The key of the `run` row of an entry, if it has one: at most RP_RUN_KEY_MAX bytes into out; 0:
 * it has none. */
#define RP_RUN_KEY_MAX 256
size_t rp_entry_run_key(uint64_t seq, struct rp_span run_id, struct rp_span dedupe_key,
			unsigned char out[RP_RUN_KEY_MAX]);
enum rp_err rp_entry_put_run(struct rp_txn *t, uint64_t seq, struct rp_span run_id,
			     struct rp_span dedupe_key, struct rp_error *err);
/* What rp_transition_due_at_ms wants to know of the entry, if it does; else, or if nobody can read
 * it any more, 0. */
int64_t rp_entry_not_before_ms(struct rp_txn *t, uint64_t seq, const struct rp_delivery *d);

#endif
