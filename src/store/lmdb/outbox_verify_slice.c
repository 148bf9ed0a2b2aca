/* outbox_verify_slice.c - checks an outbox in short slices, each in a snapshot of its own.
 * Nothing seen in two slices is compared, so changes meanwhile cause no false alarm. */

#include "store/lmdb/verify_int.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/sys.h"

/* Why others may go on between slices without a false alarm: every row is compared with its
 * counterparts in one snapshot, the slice's own, and what is summed up over a table is only the
 * number of its rows, which LMDB keeps, against counters of the same snapshot. Nothing seen in one
 * slice is compared with something seen in another; a suspect thus needs no second look. A row
 * that comes or moves behind the cursor meanwhile is not seen, and its commit was the business of
 * those who made it. The same holds for pages: those that commits bring are copies of pages in
 * front of the cursor, or were made by LMDB from ones behind it, which were sound. */

enum { SLICE_US = 50 * 1000, SLICE_BYTES = 4 << 20 };

/* A page takes less time than a row, and each slice of pages begins with the free list. */
enum { PAGES_A_ROW = 8 };

enum phase {
	PAGES,
	ENTRIES,
	BODIES,
	QUEUES,
	ORDERS,
	RUNS,
	ALIASES,
	ENDPOINTS,
	ATTEMPTS,
	RECENT,
	JOBS,
	JOB_ENTRIES,
	AUDIT,
	TOTALS
};

static const struct {
	enum rp_table table;
	size_t numbers; /* in its key; 0: other bytes */
	unsigned steps; /* of a row; 0: no rows */
} phases[] = {
    [ENTRIES] = {RP_T_DELIVERY, 1, RP_VERIFY_ENTRY_STEPS},
    [BODIES] = {RP_T_BODY, 2, 1},
    [QUEUES] = {RP_T_QUEUE, 3, 1},
    [ORDERS] = {RP_T_ORDER, 3, 1},
    [RUNS] = {RP_T_RUN, 0, 1},
    [ALIASES] = {RP_T_ALIAS, 0, 1},
    [ENDPOINTS] = {RP_T_ENDPOINT, 1, 1},
    [ATTEMPTS] = {RP_T_ATTEMPT, 2, 1},
    [RECENT] = {RP_T_RECENT, 1, 1},
    [JOBS] = {RP_T_JOB, 1, 1},
    [JOB_ENTRIES] = {RP_T_JOB_ENTRY, 3, 1},
    [AUDIT] = {RP_T_AUDIT, 1, 1},
};

struct slice {
	struct rp_check c;
	struct rp_verify_cursor *at;
	struct rp_order_check order;
	struct rp_sight sight;
	uint64_t cut[2];   /* the order whose first rows were in an earlier slice; 0: none */
	uint64_t first[2]; /* the order of the first row of this slice */
	uint64_t recent;   /* the number the next row of recent attempts should have; 0: any */
	size_t max_rows, n_rows, bytes;
	int64_t began_us;
};

static bool is_full(const struct slice *s)
{
	return s->n_rows > 0 && (s->n_rows >= s->max_rows || s->bytes >= SLICE_BYTES ||
				 rp_sys_stopwatch_us() - s->began_us >= SLICE_US);
}

/* The free list, which each slice reads whole, is not counted: else one that takes long would
 * leave no time. */
static bool go_on_with_pages(void *arg, uint64_t n_pages)
{
	struct slice *s = arg;

	if (s->n_rows == 0)
		s->began_us = rp_sys_stopwatch_us();
	s->n_rows = (size_t)n_pages / PAGES_A_ROW + 1;
	return !is_full(s);
}

static enum rp_err check_pages(struct slice *s, struct rp_error *err)
{
	struct rp_pages_watch watch = {s->c.problem, s->c.arg, go_on_with_pages, s};
	struct rp_verify_counts *out = s->c.out;
	bool all_done = false;
	enum rp_err e = rp_pages_check_slice(s->c.t, &watch, s->at, &all_done, &out->problems, err);

	if (e != RP_OK)
		return e;
	out->steps += s->n_rows * PAGES_A_ROW;
	if (all_done) {
		out->steps = rp_check_pages(&s->c); /* those that are free, too */
		s->at->key_bytes = 0;
		s->at->phase++;
		s->at->done = out->problems > 0; /* LMDB would be led astray by damaged pages */
	}
	return RP_OK;
}

static void check_queue(struct rp_check *c, const uint64_t key[3])
{
	struct rp_delivery d;
	enum rp_err e = rp_entry_delivery(c->t, key[2], &d, NULL);

	if (e == RP_ERR_NOTFOUND ||
	    (e == RP_OK && (d.state != RP_STATE_WAITING || d.behind || d.endpoint != key[0] ||
			    (uint64_t)d.due_at_ms != key[1])))
		rp_check_complain(
		    c, "entry %" PRIu64 ": has a queue row that does not belong to it", key[2]);
}

static void check_run(struct rp_check *c, const MDB_val *k)
{
	unsigned char own[RP_RUN_KEY_MAX];
	struct rp_facts f;
	uint64_t seq = 0;
	size_t n = 0;
	enum rp_err e = RP_ERR_NOTFOUND;

	if (k->mv_size > 8 && rp_key_read((const char *)k->mv_data + k->mv_size - 8, 8, &seq, 1))
		e = rp_entry_facts(c->t, seq, &f, NULL);
	if (e == RP_ERR_DAMAGED)
		return; /* the entry's own check has said so */
	if (e == RP_OK)
		n = rp_entry_run_key(seq, f.run_id, f.dedupe_key, own);
	if (n != k->mv_size || memcmp(own, k->mv_data, n) != 0)
		rp_check_complain(c, "entry %" PRIu64 ": has a run row that does not belong to it",
				  seq);
}

static void check_alias(struct rp_check *c, const MDB_val *k, const MDB_val *v)
{
	struct rp_facts f;
	uint64_t seq = 0;
	enum rp_err e = RP_ERR_NOTFOUND;

	if (rp_key_read(v->mv_data, v->mv_size, &seq, 1))
		e = rp_entry_facts(c->t, seq, &f, NULL);
	if (e == RP_ERR_NOTFOUND || (e == RP_OK && (k->mv_size != RP_ID_BYTES ||
						    memcmp(f.id, k->mv_data, RP_ID_BYTES) != 0)))
		rp_check_complain(
		    c, "entry %" PRIu64 ": has an alias row that does not belong to it", seq);
}

static bool is_order(const uint64_t order[2], const uint64_t key[3])
{
	return order[0] == key[0] && order[1] == key[1];
}

/* Only an order whose rows fit into one slice can be counted. Of a longer one each row in front is
 * looked at by itself: an entry that is not in flight may stand there only if it is the first. */
static enum rp_err check_order_row(struct slice *s, const uint64_t key[3], const MDB_val *v,
				   struct rp_error *err)
{
	struct rp_order_check alone = {0};
	uint64_t first[3];
	enum rp_err e;

	if (s->n_rows == 0)
		memcpy(s->first, key, sizeof s->first);
	if (!is_order(s->cut, key))
		return rp_check_order(&s->c, &s->order, key, v, err);
	e = rp_check_order(&s->c, &alone, key, v, err);
	if (e != RP_OK || !alone.first_is_front || alone.in_flight > 0)
		return e;
	e = rp_row_first(s->c.t, RP_T_ORDER, rp_key3(key[0], key[1], 0), first, 3, NULL, err);
	if (e == RP_OK && first[2] != key[2])
		rp_check_complain(
		    &s->c, "order of entry %" PRIu64 ": a later entry stands in front, %" PRIu64,
		    first[2], key[2]);
	return e;
}

static enum rp_err check_row(struct slice *s, const uint64_t key[3], const MDB_val *k,
			     const MDB_val *v, struct rp_error *err)
{
	struct rp_delivery d;
	struct rp_endpoint r;
	enum rp_err e = RP_OK;
	size_t n = 0;

	switch ((enum phase)s->at->phase) {
	case ENTRIES:
		rp_buf_clear(&s->c.payload);
		e = rp_check_entry(&s->c, key[0], v, &d, err);
		s->bytes += s->c.payload.len;
		break;
	case BODIES:
		if (!rp_check_has_row(&s->c, RP_T_DELIVERY, rp_key1(key[0])))
			rp_check_complain(
			    &s->c, "entry %" PRIu64 ": there is a payload, but no such entry",
			    key[0]);
		break;
	case QUEUES:
		check_queue(&s->c, key);
		break;
	case ORDERS:
		e = check_order_row(s, key, v, err);
		break;
	case RUNS:
		check_run(&s->c, k);
		break;
	case ALIASES:
		check_alias(&s->c, k, v);
		break;
	case ENDPOINTS:
		rp_check_endpoint(&s->c, key[0], v, &r);
		break;
	case ATTEMPTS:
		rp_check_attempt(&s->c, key, v);
		break;
	case RECENT:
		if (s->recent != 0 && key[0] != s->recent)
			rp_check_complain(&s->c,
					  "recent attempts: row %" PRIu64 " stands where %" PRIu64
					  " should",
					  key[0], s->recent);
		s->recent = key[0] + rp_recent_count(v->mv_size);
		e = rp_check_recent(&s->c, key[0], v, err);
		break;
	case JOBS:
		e = rp_check_job(&s->c, key[0], v, s->max_rows, &n, err);
		s->n_rows += n;
		break;
	case JOB_ENTRIES:
		rp_check_job_entry(&s->c, key, v);
		break;
	case AUDIT:
		rp_check_audit(&s->c, key[0], v);
		break;
	case PAGES:
	case TOTALS:
		break;
	}
	return e;
}

static void set_cursor(struct rp_verify_cursor *at, const void *key, size_t n)
{
	memcpy(at->key, key, n);
	at->key_bytes = n;
}

/* The slice is full, `next` is the first row of the next one, `last` was the last of this. An
 * order that goes on there is begun again, unless it began with this slice and is too long for
 * any. */
static void cut_order(struct slice *s, const uint64_t last[3], const uint64_t next[3])
{
	struct rp_key again = rp_key3(last[0], last[1], 0);

	if (!is_order(last, next)) {
		rp_check_end_order(&s->c, &s->order);
	} else if (is_order(s->cut, last)) {
		return;
	} else if (!is_order(s->first, last)) {
		set_cursor(s->at, again.bytes, again.len);
	} else if (s->order.fronts > 1) {
		rp_check_complain(&s->c,
				  "order of entry %" PRIu64 ": %" PRIu64
				  " entries stand in front instead of one",
				  s->order.first_seq, s->order.fronts);
	}
}

static void find_cut(struct slice *s)
{
	uint64_t key[3];

	if (s->at->phase == ORDERS && rp_key_read(s->at->key, s->at->key_bytes, key, 3) &&
	    key[2] != 0)
		memcpy(s->cut, key, sizeof s->cut);
}

/* A key that cannot be is an error, as it is for rp_row_first: the walk must get ahead. */
static bool read_key(struct slice *s, const MDB_val *k, uint64_t key[3])
{
	size_t numbers = phases[s->at->phase].numbers;
	size_t common = k->mv_size < s->at->key_bytes ? k->mv_size : s->at->key_bytes;

	return k->mv_size <= sizeof s->at->key &&
	       (numbers == 0 || rp_key_read(k->mv_data, k->mv_size, key, numbers)) &&
	       (common == 0 || memcmp(k->mv_data, s->at->key, common) >= 0);
}

static int begin_rows(struct slice *s, MDB_cursor *cursor, MDB_val *k, MDB_val *v)
{
	int rc;

	*k = (MDB_val){s->at->key_bytes, s->at->key};
	rc = mdb_cursor_get(cursor, k, v, s->at->key_bytes > 0 ? MDB_SET_RANGE : MDB_FIRST);
	if (rc == 0 && k->mv_size == s->at->key_bytes &&
	    memcmp(k->mv_data, s->at->key, k->mv_size) == 0)
		rc = mdb_cursor_get(cursor, k, v, MDB_NEXT);
	return rc;
}

static enum rp_err walk(struct slice *s, MDB_cursor *cursor, struct rp_error *err)
{
	uint64_t key[3] = {0, 0, 0}, next[3];
	MDB_val k, v;
	int rc = begin_rows(s, cursor, &k, &v);

	while (rc == 0 && !is_full(s)) {
		enum rp_err e;

		if (!read_key(s, &k, key))
			return rp_fail(err, RP_ERR_DAMAGED,
				       "%s: a table holds a key where none like it can be",
				       s->c.t->ob->dir);
		e = check_row(s, key, &k, &v, err);
		if (e != RP_OK)
			return e;
		rp_sight_note(&s->sight, &k);
		s->n_rows++;
		s->c.out->steps += phases[s->at->phase].steps;
		set_cursor(s->at, k.mv_data, k.mv_size);
		rc = mdb_cursor_get(cursor, &k, &v, MDB_NEXT);
	}
	if (rc == 0 && s->at->phase == ORDERS && rp_key_read(k.mv_data, k.mv_size, next, 3))
		cut_order(s, key, next);
	if (rc != MDB_NOTFOUND)
		return rp_db_fail(s->c.t->ob, rc, "verify", err);
	rp_check_end_order(&s->c, &s->order);
	s->at->phase++;
	s->at->key_bytes = 0;
	return RP_OK;
}

static enum rp_err check_rows(struct slice *s, struct rp_error *err)
{
	MDB_cursor *cursor;
	enum rp_err e;
	int rc =
	    mdb_cursor_open(s->c.t->mdb, s->c.t->ob->table[phases[s->at->phase].table], &cursor);

	if (rc != 0)
		return rp_db_fail(s->c.t->ob, rc, "verify", err);
	find_cut(s);
	e = walk(s, cursor, err);
	mdb_cursor_close(cursor);
	return e;
}

/* What the endpoints say against the ledger: equal sums, and as many names and agenda rows as
 * there should be. Not when there are too many for a slice. */
static enum rp_err sum_endpoints(struct rp_check *c, struct rp_error *err)
{
	int64_t until_us = rp_sys_stopwatch_us() + SLICE_US;
	uint64_t id = 0, n = 0, on_agenda = 0, count[RP_STATE_COUNT] = {0};
	struct rp_endpoint r;
	bool damaged = false;
	enum rp_err e;
	MDB_val v;
	int s;

	for (; (e = rp_row_first(c->t, RP_T_ENDPOINT, rp_key1(id), &id, 1, &v, err)) == RP_OK;
	     id++) {
		if (++n % 256 == 0 && rp_sys_stopwatch_us() >= until_us)
			return RP_OK;
		if (!rp_endpoint_unpack(&r, id, v.mv_data, v.mv_size)) {
			damaged = true; /* its own check has said so */
			continue;
		}
		on_agenda += r.look_at_ms != RP_LOOK_NEVER;
		for (s = RP_STATE_WAITING; s <= RP_STATE_DEAD; s++)
			count[s] += r.count[s];
	}
	if (e != RP_ERR_NOTFOUND)
		return e;
	rp_check_total(c, "table endpoint_id", rp_check_rows(c, RP_T_ENDPOINT_ID), n);
	if (damaged)
		return RP_OK;
	rp_check_total(c, "table agenda", rp_check_rows(c, RP_T_AGENDA), on_agenda);
	for (s = RP_STATE_WAITING; s <= RP_STATE_DEAD; s++) {
		char what[60];

		snprintf(what, sizeof what, "endpoints together: %s",
			 rp_state_name((enum rp_state)s));
		rp_check_total(c, what, count[s], c->t->head.count[s]);
	}
	return RP_OK;
}

static enum rp_err check_totals(struct rp_check *c, struct rp_error *err)
{
	const struct rp_head *h = &c->t->head;
	uint64_t entries = rp_check_rows(c, RP_T_DELIVERY), sum = h->purged;
	enum rp_err e;
	int i;

	for (i = RP_STATE_WAITING; i <= RP_STATE_DEAD; i++)
		sum += h->count[i];
	rp_check_total(c, "ledger: accepted against the sum of the states and purged", h->accepted,
		       sum);
	rp_check_total(c, "ledger: the sum of the states", sum - h->purged, entries);
	rp_check_total(c, "table entry", rp_check_rows(c, RP_T_ENTRY), entries);
	rp_check_total(c, "table seen", rp_check_rows(c, RP_T_SEEN), entries);
	rp_check_total(c, "table held", rp_check_rows(c, RP_T_HELD), h->count[RP_STATE_HELD]);
	rp_check_total(c, "table claim", rp_check_rows(c, RP_T_CLAIM),
		       h->count[RP_STATE_IN_FLIGHT]);
	rp_check_total(c, "table done", rp_check_rows(c, RP_T_DONE), h->count[RP_STATE_DELIVERED]);
	rp_check_total(c, "table dead", rp_check_rows(c, RP_T_DEAD), h->count[RP_STATE_DEAD]);
	for (i = 0; i < RP_T_COUNT; i++)
		c->out->rows += rp_check_rows(c, (enum rp_table)i);
	e = rp_check_tally(c, err);
	return e == RP_OK ? sum_endpoints(c, err) : e;
}

static uint64_t count_steps(struct rp_check *c)
{
	uint64_t steps = rp_check_pages(c);
	size_t i;

	for (i = ENTRIES; i < TOTALS; i++)
		steps += phases[i].steps * rp_check_rows(c, phases[i].table);
	return steps;
}

static enum rp_err take_slice(struct slice *s, struct rp_error *err)
{
	enum rp_err e;

	s->began_us = rp_sys_stopwatch_us();
	s->c.out->steps_all = count_steps(&s->c);
	switch ((enum phase)s->at->phase) {
	case PAGES:
		return check_pages(s, err);
	case TOTALS:
		e = check_totals(&s->c, err);
		s->at->done = true;
		return e;
	default:
		return check_rows(s, err);
	}
}

enum rp_err rp_outbox_verify_slice(struct rp_outbox *ob, struct rp_verify_cursor *at,
				   size_t max_rows, void (*problem)(void *arg, const char *text),
				   void *arg, struct rp_verify_counts *out, struct rp_error *err)
{
	enum rp_err e = RP_ERR_STALE;
	int i;

	for (i = 0; i < RP_VERIFY_TRIES && e == RP_ERR_STALE; i++) {
		struct rp_txn t;
		struct slice s = {.c = {.t = &t, .problem = problem, .arg = arg, .out = out},
				  .at = at,
				  .max_rows = max_rows};

		e = rp_txn_read(ob, &t, err);
		if (e != RP_OK)
			return e;
		e = take_slice(&s, err);
		rp_txn_end(&t);
		rp_sight_forget(&s.sight);
		rp_buf_release(&s.c.payload);
	}
	return e == RP_ERR_STALE
		   ? rp_fail(err, RP_ERR_BUSY, "%s: too busy to be checked; try again", ob->dir)
		   : e;
}
