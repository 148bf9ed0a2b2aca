/* verify_int.h - private to lmdb/: what the check in one snapshot (outbox_verify.c) and the one
 * in slices (outbox_verify_slice.c) have in common: the check of one row against what belongs to
 * it, in one snapshot (verify_rows.c, verify_jobs.c). */
#ifndef RP_STORE_LMDB_VERIFY_INT_H
#define RP_STORE_LMDB_VERIFY_INT_H

#include "store/lmdb/store_int.h"

/* Meta pages are taken again by the second commit after theirs: so often the pages of a snapshot
 * are tried. */
#define RP_VERIFY_TRIES 1000

/* A page or a row is one step; an entry with all its look-ups is so many (measured: 2.4 us, and
 * 0.3 us). */
#define RP_VERIFY_ENTRY_STEPS 8

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
	struct rp_stretch_check times;
	/* What rows the entries checked so far ask for */
	uint64_t queued, ordered, by_run, aliased, chunks, planned;
	/* outbox_verify.c alone */
	bool (*go_on)(void *arg, const struct rp_verify_counts *so_far);
	uint64_t asked_at; /* out->steps */
	bool stopped;
	uint64_t count[RP_STATE_COUNT];
	uint64_t retrying;
	struct rp_recount *endpoints; /* sorted by id */
	size_t n_endpoints;
};

void rp_check_complain(struct rp_check *c, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
/* Real trouble (memory, I/O) ends the check; damage is what it looks for. */
bool rp_check_is_trouble(enum rp_err e);
uint64_t rp_check_rows(struct rp_check *c, enum rp_table table);
bool rp_check_has_row(struct rp_check *c, enum rp_table table, struct rp_key key);
void rp_check_total(struct rp_check *c, const char *what, uint64_t stored, uint64_t counted);

/* Pages in use, for a start: those that are free are among them. */
uint64_t rp_check_pages(struct rp_check *c);
/* Counters for metrics: RP_ERR_DAMAGED is told and is RP_OK. */
enum rp_err rp_check_tally(struct rp_check *c, struct rp_error *err);

/* The entry with this delivery record: both records, its payload and each row that should lead to
 * it. *d is zeroed if it is damaged. */
enum rp_err rp_check_entry(struct rp_check *c, uint64_t seq, const MDB_val *v,
			   struct rp_delivery *d, struct rp_error *err);
/* Record, name and place on the agenda; its counters are the caller's. false: the record is
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

#endif
