/* verify_int.h - private to src/store/lmdb: the parts of the check of an outbox (verify.c): one row
 * against what belongs to it (verify_rows.c, verify_jobs.c), and sums (verify_totals.c). Both are
 * of one snapshot, which is a slice's own or that of the whole check. */
#ifndef RP_STORE_LMDB_VERIFY_INT_H
#define RP_STORE_LMDB_VERIFY_INT_H

#include "store/lmdb/txn.h"
#include "store/outbox.h"

#define RP_VERIFY_SLICE_US (50 * 1000)

/* What the entries say of an endpoint, and its paths of a section or host. */
struct rp_recount {
	uint64_t id;
	uint64_t count[RP_STATE_COUNT], lacking[RP_LEVELS], members;
	/* of a section or host, as its record has them: its paths come behind it */
	bool has_record;
	uint64_t stored[RP_STATE_COUNT], stored_lacking[RP_LEVELS], stored_members;
};

struct rp_check {
	struct rp_txn *t;
	void (*problem)(void *arg, const char *text);
	void *arg;
	struct rp_verify_counts *out; /* problems and entries are counted here */
	struct rp_buf payload;        /* of the entry checked last */
	struct rp_time_index_check times;
	/* What rows the entries checked so far ask for */
	uint64_t queued, ordered, by_run, aliased, chunks, planned;
	/* All of it in one snapshot, so that rows can be counted and compared with the totals: */
	bool whole;
	uint64_t count[RP_STATE_COUNT];
	uint64_t retrying, on_ready_queue;
	struct rp_recount *endpoints; /* sorted by id */
	size_t n_endpoints;
};

void rp_check_complain(struct rp_check *c, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
/* Real trouble (memory, I/O) ends the check; damage is what it looks for. */
bool rp_check_is_trouble(enum rp_err e);
bool rp_check_has_row(struct rp_check *c, enum rp_table table, struct rp_key key);
/* The entry with this delivery record: both records, its payload and each row that should lead to
 * it. *d is zeroed if it is damaged. */
enum rp_err rp_check_entry(struct rp_check *c, uint64_t seq, const MDB_val *v,
			   struct rp_delivery *d, struct rp_error *err);
/* Record, name and place in the ready queue; its counters are the caller's. false: the record is
 * damaged, *r undefined. */
bool rp_check_endpoint(struct rp_check *c, uint64_t id, const MDB_val *v, struct rp_endpoint *r);
void rp_check_attempt(struct rp_check *c, const uint64_t key[2], const MDB_val *v);
enum rp_err rp_check_recent(struct rp_check *c, uint64_t key, const MDB_val *v,
			    struct rp_error *err);

/* The record, and of its set up to max_rows; more are not counted. */
enum rp_err rp_check_job(struct rp_check *c, uint64_t number, const MDB_val *v, size_t max_rows,
			 size_t *n_rows, struct rp_error *err);
void rp_check_job_entry(struct rp_check *c, const uint64_t key[3], const MDB_val *v);
void rp_check_audit(struct rp_check *c, uint64_t number, const MDB_val *v);

/* Of the rows of one order, gone through in their order. Zeroed: none yet. */
struct rp_order_check {
	uint64_t endpoint, key;
	uint64_t first_seq, fronts, in_flight;
	bool first_is_front;
};
/* The next row; one of another order ends the one before. */
enum rp_err rp_check_order(struct rp_check *c, struct rp_order_check *o, const uint64_t key[3],
			   const MDB_val *v, struct rp_error *err);
void rp_check_end_order(struct rp_check *c, const struct rp_order_check *o);

/* How many rows LMDB says that a table has. */
uint64_t rp_check_rows(struct rp_check *c, enum rp_table table);
/* Of the whole alone: before the first entry, of each entry, and of each endpoint behind the last
 * entry. */
enum rp_err rp_check_recount_begin(struct rp_check *c, struct rp_error *err);
void rp_check_recount(struct rp_check *c, const struct rp_delivery *d);
void rp_check_recounted(struct rp_check *c, uint64_t id, const struct rp_endpoint *r);
/* At the end: the totals of the ledger, the tables, the endpoints and the counters for metrics. */
enum rp_err rp_check_totals(struct rp_check *c, struct rp_error *err);
void rp_check_end(struct rp_check *c);

#endif
