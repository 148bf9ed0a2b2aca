/* verify_int.h - private to store/: what the check in one snapshot (outbox_verify.c) and the one in slices
 * (outbox_verify_slice.c) have in common: the check of one row against what belongs to it, in one snapshot. */
#ifndef RP_VERIFY_INT_H
#define RP_VERIFY_INT_H

#include "store/store_int.h"

struct rp_recount {
	uint64_t id;
	uint64_t count[RP_STATE_COUNT];
};

struct rp_check {
	struct rp_txn *t;
	void (*problem)(void *arg, const char *text);
	void *arg;
	struct rp_verify_counts *out; /* problems and entries are counted here */
	struct rp_buf payload;        /* of the entry checked last */
	/* What rows the entries checked so far ask for */
	uint64_t queued, ordered, by_run, aliased, chunks;
	/* outbox_verify.c alone */
	uint64_t count[RP_STATE_COUNT];
	uint64_t retrying;
	struct rp_recount *endpoints; /* sorted by id */
	size_t n_endpoints;
};

void rp_check_complain(struct rp_check *c, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Real trouble (memory, I/O) ends the check; damage is what it looks for. */
bool rp_check_is_trouble(enum rp_err e);
uint64_t rp_check_rows(struct rp_check *c, enum rp_table table);
bool rp_check_has_row(struct rp_check *c, enum rp_table table, struct rp_key key);
void rp_check_total(struct rp_check *c, const char *what, uint64_t stored, uint64_t counted);

/* The entry with this delivery record: both records, its payload and each row that should lead to it. *d is zeroed if it
 * is damaged. */
enum rp_err rp_check_entry(struct rp_check *c, uint64_t seq, const MDB_val *v, struct rp_delivery *d,
			   struct rp_error *err);
/* Record, name and place on the agenda; its counters are the caller's. false: the record is damaged, *r undefined. */
bool rp_check_endpoint(struct rp_check *c, uint64_t id, const MDB_val *v, struct rp_endpoint *r);
void rp_check_attempt(struct rp_check *c, const uint64_t key[2], const MDB_val *v);
enum rp_err rp_check_recent(struct rp_check *c, uint64_t key, const MDB_val *v, struct rp_error *err);

/* Of the rows of one order, gone through in their order. Zeroed: none yet. */
struct rp_order_check {
	uint64_t endpoint, key;
	uint64_t first_seq, fronts, in_flight;
	bool first_is_front;
};
/* The next row; one of another order ends the one before. */
enum rp_err rp_check_order(struct rp_check *c, struct rp_order_check *o, const uint64_t key[3], const MDB_val *v,
			   struct rp_error *err);
void rp_check_end_order(struct rp_check *c, const struct rp_order_check *o);

#endif
