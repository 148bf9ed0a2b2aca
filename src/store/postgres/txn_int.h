/* txn_int.h - private to the files of a transaction: what it has loaded and is to write. */
#ifndef RP_STORE_POSTGRES_TXN_INT_H
#define RP_STORE_POSTGRES_TXN_INT_H

#include "store/postgres/columns.h"
#include "store/postgres/txn.h"

/* Pointers, in the order they came. */
struct rp_pg_list {
	void **items;
	size_t n, cap;
};
bool rp_pg_list_add(struct rp_pg_list *l, void *item);
#define RP_PG_EACH(type, item, list)                                                               \
	for (size_t item##_i = 0; item##_i < (list)->n; item##_i++)                                \
		for (type *item = (list)->items[item##_i]; item != NULL; item = NULL)

/* Pointers by a number that is not 0: open addressing. */
struct rp_pg_index {
	struct rp_pg_slot {
		uint64_t number;
		void *item;
	} * slots;
	size_t size, n;
};
void *rp_pg_index_find(const struct rp_pg_index *x, uint64_t number);
bool rp_pg_index_add(struct rp_pg_index *x, uint64_t number, void *item);

struct rp_pg_added {
	uint64_t seq;
	const struct rp_facts *facts;
};
struct rp_pg_logged {
	uint64_t seq, endpoint;
	uint32_t n;
	struct rp_attempt a;
};

struct rp_pg_txn_parts {
	struct rp_pg_block *blocks; /* rp_pg_alloc */
	size_t block_left;
	char *block_at;
	struct rp_pg_list endpoints, entries, logged;
	struct rp_pg_index endpoint_by_id, entry_by_seq, locked;
	/* orders whose first live entries are loaded: by their key and endpoint, mixed */
	struct rp_pg_index orders;
	bool no_memory;
};

/* At the end. */
void rp_pg_forget_all(struct rp_pg_txn_parts *p);

/* Endpoints are found by the first bytes of the SHA-256 of their names, and by their level. */
#define RP_PG_NAME_HASH_BYTES 16
void rp_pg_name_hash(struct rp_span name, unsigned char out[RP_PG_NAME_HASH_BYTES]);
/* endpoint_rows.c: the parameters of a statement that writes endpoints. */
void rp_pg_put_endpoints(struct rp_pg_params *p, struct rp_pg_endpoint **all, size_t n,
			 bool are_new);
extern const struct rp_pg_statement rp_pg_insert_endpoints, rp_pg_update_endpoints;

/* write.c: queues what has changed; with `ends` ledger and counters as well. */
enum rp_err rp_pg_write(struct rp_pg_txn *t, bool ends, struct rp_error *err);

#endif
