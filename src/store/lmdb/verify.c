/* verify.c - checks an outbox, all at once in one snapshot, or in slices that hold up nobody. Only
 * one snapshot shows all there is to see. */

#include "store/lmdb/lmdb_ops.h"

#include <inttypes.h>
#include <string.h>

#include "base/sys.h"
#include "store/lmdb/db/db.h"
#include "store/lmdb/db/tables.h"
#include "store/lmdb/entry_rows.h"
#include "store/lmdb/handle.h"
#include "store/lmdb/index.h"
#include "store/lmdb/row.h"
#include "store/lmdb/sight.h"
#include "store/lmdb/tree/pages.h"
#include "store/lmdb/txn.h"
#include "store/lmdb/verify_int.h"

/* The check of an outbox, in one snapshot or in slices: phase by phase, each of them a walk over
 * the rows of a table, which is taken up again at the cursor.
 *
 * Why others may go on between slices without a false alarm: every row is compared with its
 * counterparts in one snapshot, the slice's own, and what is summed up over a table is only the
 * number of its rows, which LMDB keeps, against counters of the same snapshot. Nothing seen in one
 * slice is compared with something seen in another; a suspect thus needs no second look. A row
 * that comes or moves behind the cursor meanwhile is not seen, and its commit was the business of
 * those who made it. The same holds for pages: those that commits bring are copies of pages in
 * front of the cursor, or were made by LMDB from ones behind it, which were sound. */

/* Meta pages are taken again by the second commit after theirs: so often the pages of a snapshot
 * are tried. */
enum { TRIES = 1000 };

enum { SLICE_BYTES = 4 << 20 };

/* A page takes less time than a row, and each slice of pages begins with the free list. */
enum { PAGES_A_ROW = 8 };

/* A page or a row is one step; an entry with all its look-ups is so many (measured: 2.4 us, and
 * 0.3 us). */
enum { ENTRY_STEPS = 8, ASK_STEPS = 1024 };

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
	bool counted;   /* in one snapshot, which makes a look at each row needless */
} phases[] = {
    [ENTRIES] = {RP_T_DELIVERY, 1, ENTRY_STEPS, false},
    [BODIES] = {RP_T_BODY, 2, 1, true},
    [QUEUES] = {RP_T_QUEUE, 3, 1, true},
    [ORDERS] = {RP_T_ORDER, 3, 1, false},
    [RUNS] = {RP_T_RUN, 0, 1, true},
    [ALIASES] = {RP_T_ALIAS, 0, 1, true},
    [ENDPOINTS] = {RP_T_ENDPOINT, 1, 1, false},
    [ATTEMPTS] = {RP_T_ATTEMPT, 2, 1, false},
    [RECENT] = {RP_T_RECENT, 1, 1, false},
    [JOBS] = {RP_T_JOB, 1, 1, false},
    [JOB_ENTRIES] = {RP_T_JOB_ENTRY, 3, 1, false},
    [AUDIT] = {RP_T_AUDIT, 1, 1, false},
};

/* In one transaction: a slice, or all of it (c.whole). */
struct walk {
	struct rp_check c;
	struct rp_verify_cursor *at;
	struct rp_order_check order;
	struct rp_sight sight;
	uint64_t cut[2];   /* the order whose first rows were in an earlier slice; 0: none */
	uint64_t first[2]; /* the order of the first row of this slice */
	uint64_t recent;   /* the number the next row of recent attempts should have; 0: any */
	size_t max_rows, n_rows, bytes;
	uint64_t n_pages;
	int64_t began_us;
	/* of the whole; NULL: nobody asks */
	bool (*go_on)(void *arg, const struct rp_verify_counts *so_far);
	uint64_t asked_at; /* steps */
	bool stopped;
};

static bool is_full(const struct walk *w)
{
	return w->n_rows > 0 && (w->n_rows >= w->max_rows || w->bytes >= SLICE_BYTES ||
				 rp_sys_stopwatch_us() - w->began_us >= RP_VERIFY_SLICE_US);
}

/* Whether to leave off here. */
static bool is_over(struct walk *w)
{
	const struct rp_verify_counts *out = w->c.out;

	if (!w->c.whole)
		return is_full(w);
	if (w->go_on != NULL && out->steps - w->asked_at >= ASK_STEPS) {
		w->asked_at = out->steps;
		w->stopped = !w->go_on(w->c.arg, out);
	}
	return w->stopped;
}

/* --- pages -------------------------------------------------------------------------------- */

/* Pages in use, for a start: those that are free are among them. */
static uint64_t count_pages(struct rp_check *c)
{
	MDB_envinfo info;

	return mdb_env_info(c->t->ob->db.env, &info) == 0 ? info.me_last_pgno + 1 : 0;
}

/* The free list, which each slice reads whole, is not counted: else one that takes long would
 * leave no time. */
static bool go_on_with_pages(void *arg, uint64_t n_pages)
{
	struct walk *w = arg;

	if (w->n_rows == 0)
		w->began_us = rp_sys_stopwatch_us();
	w->n_rows = (size_t)n_pages / PAGES_A_ROW + 1;
	w->c.out->steps += n_pages - w->n_pages;
	w->n_pages = n_pages;
	return !is_over(w);
}

static enum rp_err check_pages(struct walk *w, struct rp_error *err)
{
	struct rp_pages_watch watch = {w->c.problem, w->c.arg, go_on_with_pages, w};
	struct rp_verify_counts *out = w->c.out;
	bool all_done = false;
	enum rp_err e = rp_pages_check(&w->c.t->ob->db, w->c.t->mdb, &watch, w->at, &all_done,
				       &out->problems, err);

	if (e != RP_OK || !all_done)
		return e;
	out->steps = count_pages(&w->c); /* those that are free, too */
	w->at->key_bytes = 0;
	w->at->phase++;
	w->at->done = out->problems > 0; /* LMDB would be led astray by damaged pages */
	return RP_OK;
}

/* --- rows --------------------------------------------------------------------------------- */

static void check_queue(struct rp_check *c, const uint64_t key[3])
{
	struct rp_delivery d;
	enum rp_err e = rp_entry_delivery(c->t, key[2], &d, NULL);

	if (e == RP_ERR_NOTFOUND || (e == RP_OK && !rp_index_is_in_queue(&d, key)))
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
static enum rp_err check_order_row(struct walk *w, const uint64_t key[3], const MDB_val *v,
				   struct rp_error *err)
{
	struct rp_order_check alone = {0};
	uint64_t first[3];
	enum rp_err e;

	if (w->n_rows == 0)
		memcpy(w->first, key, sizeof w->first);
	if (!is_order(w->cut, key))
		return rp_check_order(&w->c, &w->order, key, v, err);
	e = rp_check_order(&w->c, &alone, key, v, err);
	if (e != RP_OK || !alone.first_is_front || alone.in_flight > 0)
		return e;
	e = rp_row_first(w->c.t, RP_T_ORDER, rp_key3(key[0], key[1], 0), first, 3, NULL, err);
	if (e == RP_OK && first[2] != key[2])
		rp_check_complain(
		    &w->c, "order of entry %" PRIu64 ": a later entry stands in front, %" PRIu64,
		    first[2], key[2]);
	return e;
}

static enum rp_err check_row(struct walk *w, const uint64_t key[3], const MDB_val *k,
			     const MDB_val *v, struct rp_error *err)
{
	struct rp_delivery d;
	struct rp_endpoint r;
	enum rp_err e = RP_OK;
	size_t n = 0;

	switch ((enum phase)w->at->phase) {
	case ENTRIES:
		rp_buf_clear(&w->c.payload);
		e = rp_check_entry(&w->c, key[0], v, &d, err);
		w->bytes += w->c.payload.len;
		if (w->c.whole)
			rp_check_recount(&w->c, &d);
		break;
	case BODIES:
		if (!rp_check_has_row(&w->c, RP_T_DELIVERY, rp_key1(key[0])))
			rp_check_complain(
			    &w->c, "entry %" PRIu64 ": there is a payload, but no such entry",
			    key[0]);
		break;
	case QUEUES:
		check_queue(&w->c, key);
		break;
	case ORDERS:
		e = check_order_row(w, key, v, err);
		break;
	case RUNS:
		check_run(&w->c, k);
		break;
	case ALIASES:
		check_alias(&w->c, k, v);
		break;
	case ENDPOINTS:
		if (rp_check_endpoint(&w->c, key[0], v, &r) && w->c.whole)
			rp_check_recounted(&w->c, key[0], &r);
		break;
	case ATTEMPTS:
		rp_check_attempt(&w->c, key, v);
		break;
	case RECENT:
		if (w->recent != 0 && key[0] != w->recent)
			rp_check_complain(&w->c,
					  "recent attempts: row %" PRIu64 " stands where %" PRIu64
					  " should",
					  key[0], w->recent);
		w->recent = key[0] + rp_recent_count(v->mv_size);
		e = rp_check_recent(&w->c, key[0], v, err);
		break;
	case JOBS:
		e = rp_check_job(&w->c, key[0], v, w->max_rows, &n, err);
		w->n_rows += n;
		break;
	case JOB_ENTRIES:
		rp_check_job_entry(&w->c, key, v);
		break;
	case AUDIT:
		rp_check_audit(&w->c, key[0], v);
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
static void cut_order(struct walk *w, const uint64_t last[3], const uint64_t next[3])
{
	struct rp_key again = rp_key3(last[0], last[1], 0);

	if (!is_order(last, next)) {
		rp_check_end_order(&w->c, &w->order);
	} else if (is_order(w->cut, last)) {
		return;
	} else if (!is_order(w->first, last)) {
		set_cursor(w->at, again.bytes, again.len);
	} else if (w->order.fronts > 1) {
		rp_check_complain(&w->c,
				  "order of entry %" PRIu64 ": %" PRIu64
				  " entries stand in front instead of one",
				  w->order.first_seq, w->order.fronts);
	}
}

static void find_cut(struct walk *w)
{
	uint64_t key[3];

	if (w->at->phase == ORDERS && rp_key_read(w->at->key, w->at->key_bytes, key, 3) &&
	    key[2] != 0)
		memcpy(w->cut, key, sizeof w->cut);
}

/* A key that cannot be is an error, as it is for rp_row_first: the walk must get ahead. */
static bool read_key(struct walk *w, const MDB_val *k, uint64_t key[3])
{
	size_t numbers = phases[w->at->phase].numbers;
	size_t common = k->mv_size < w->at->key_bytes ? k->mv_size : w->at->key_bytes;

	return k->mv_size <= sizeof w->at->key &&
	       (numbers == 0 || (rp_key_read(k->mv_data, k->mv_size, key, numbers) &&
				 key[0] <= INT64_MAX && key[numbers - 1] <= INT64_MAX)) &&
	       (common == 0 || memcmp(k->mv_data, w->at->key, common) >= 0);
}

static int begin_rows(struct walk *w, MDB_cursor *cursor, MDB_val *k, MDB_val *v)
{
	int rc;

	*k = (MDB_val){w->at->key_bytes, w->at->key};
	rc = mdb_cursor_get(cursor, k, v, w->at->key_bytes > 0 ? MDB_SET_RANGE : MDB_FIRST);
	if (rc == 0 && k->mv_size == w->at->key_bytes &&
	    memcmp(k->mv_data, w->at->key, k->mv_size) == 0)
		rc = mdb_cursor_get(cursor, k, v, MDB_NEXT);
	return rc;
}

static enum rp_err check_rows_from(struct walk *w, MDB_cursor *cursor, struct rp_error *err)
{
	uint64_t key[3] = {0, 0, 0}, next[3];
	MDB_val k, v;
	int rc = begin_rows(w, cursor, &k, &v);

	while (rc == 0 && !is_over(w)) {
		enum rp_err e;

		if (!read_key(w, &k, key))
			return rp_fail(err, RP_ERR_DAMAGED,
				       "%s: table %s holds a key where none like it can be",
				       w->c.t->ob->db.dir,
				       rp_table_name(phases[w->at->phase].table));
		e = check_row(w, key, &k, &v, err);
		if (e != RP_OK)
			return e;
		rp_sight_note(&w->sight, &k);
		w->n_rows++;
		w->c.out->steps += phases[w->at->phase].steps;
		set_cursor(w->at, k.mv_data, k.mv_size);
		rc = mdb_cursor_get(cursor, &k, &v, MDB_NEXT);
	}
	if (w->stopped)
		return RP_OK;
	if (rc == 0 && w->at->phase == ORDERS && rp_key_read(k.mv_data, k.mv_size, next, 3))
		cut_order(w, key, next);
	if (rc != MDB_NOTFOUND)
		return rp_db_fail(&w->c.t->ob->db, rc, "verify", err);
	rp_check_end_order(&w->c, &w->order);
	w->order = (struct rp_order_check){0};
	w->at->phase++;
	w->at->key_bytes = 0;
	return RP_OK;
}

static enum rp_err check_rows(struct walk *w, struct rp_error *err)
{
	MDB_cursor *cursor;
	enum rp_err e = RP_OK;
	int rc =
	    mdb_cursor_open(w->c.t->mdb, w->c.t->ob->db.table[phases[w->at->phase].table], &cursor);

	if (rc != 0)
		return rp_db_fail(&w->c.t->ob->db, rc, "verify", err);
	find_cut(w);
	if (w->c.whole && w->at->phase == ENTRIES)
		e = rp_check_recount_begin(&w->c, err);
	if (e == RP_OK)
		e = check_rows_from(w, cursor, err);
	mdb_cursor_close(cursor);
	return e;
}

/* --- all of it ---------------------------------------------------------------------------- */

static bool has_rows(const struct rp_check *c, size_t phase)
{
	return phases[phase].steps > 0 && !(c->whole && phases[phase].counted);
}

static uint64_t count_steps(struct rp_check *c)
{
	uint64_t steps = count_pages(c);
	size_t i;

	for (i = ENTRIES; i < TOTALS; i++)
		if (has_rows(c, i))
			steps += phases[i].steps * rp_check_rows(c, phases[i].table);
	return steps;
}

static enum rp_err take_phase(struct walk *w, struct rp_error *err)
{
	enum rp_err e = RP_OK;

	switch ((enum phase)w->at->phase) {
	case PAGES:
		e = check_pages(w, err);
		break;
	case TOTALS:
		e = rp_check_totals(&w->c, err);
		w->at->done = true;
		break;
	default:
		if (has_rows(&w->c, w->at->phase))
			e = check_rows(w, err);
		else
			w->at->phase++;
	}
	return e == RP_OK && w->stopped ? rp_fail(err, RP_ERR_STALE, "stopped") : e;
}

/* A slice, or all phases. */
static enum rp_err take(struct walk *w, struct rp_error *err)
{
	enum rp_err e;

	w->began_us = rp_sys_stopwatch_us();
	w->c.out->steps_all = count_steps(&w->c);
	do
		e = take_phase(w, err);
	while (e == RP_OK && w->c.whole && !w->at->done);
	return e;
}

/* In as many transactions as it takes to begin one that others leave its pages. */
static enum rp_err verify(struct rp_lmdb *ob, const struct walk *how, struct rp_error *err)
{
	enum rp_err e = RP_ERR_STALE;
	int i;

	for (i = 0; i < TRIES && e == RP_ERR_STALE; i++) {
		struct walk w = *how;
		struct rp_txn t;

		w.c.t = &t;
		e = rp_txn_read(ob, &t, err);
		if (e != RP_OK)
			return e;
		e = take(&w, err);
		rp_txn_end(&t);
		rp_sight_forget(&w.sight);
		rp_check_end(&w.c);
		if (w.stopped)
			return e;
	}
	return e == RP_ERR_STALE
		   ? rp_fail(err, RP_ERR_BUSY, "%s: too busy to be checked; try again", ob->db.dir)
		   : e;
}

enum rp_err rp_lmdb_verify(struct rp_outbox *outbox, struct rp_verify *v, struct rp_error *err)
{
	struct rp_lmdb *ob = rp_lmdb_of(outbox);
	struct rp_verify_cursor at = {0};
	const bool whole = v->max_rows == 0;
	const struct walk how = {
	    .c = {.problem = v->problem, .arg = v->arg, .out = &v->counts, .whole = whole},
	    .at = &at,
	    .max_rows = whole ? SIZE_MAX - 1 : v->max_rows,
	    .go_on = whole ? v->go_on : NULL,
	};
	enum rp_err e;

	_Static_assert(sizeof at <= sizeof v->cursor.bytes, "a cursor holds a place");
	if (whole)
		v->counts = (struct rp_verify_counts){0};
	if (v->cursor.len == sizeof at)
		memcpy(&at, v->cursor.bytes, sizeof at);
	e = verify(ob, &how, err);
	v->cursor.len = sizeof at;
	memcpy(v->cursor.bytes, &at, sizeof at);
	v->done = at.done;
	return e;
}
