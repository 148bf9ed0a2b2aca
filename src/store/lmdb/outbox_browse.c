/* outbox_browse.c - reads entries by an index: of a state, of a run. Reading by number or id is
 * in outbox_read.c, which needs no index rows. */

#include "store/lmdb/store_int.h"

#include <endian.h>

/* Entries looked at in one read transaction, each with two or three lookups, and rows that are
 * passed over: so that it takes some milliseconds. */
#define BROWSE_LOOKS_MAX 4096
#define BROWSE_ROWS_MAX 32768

/* One table that holds part of what is looked for: rows whose key begins with `prefix`. */
struct source {
	enum rp_table table;
	unsigned char prefix[RP_BROWSE_KEY_MAX];
	size_t prefix_len;
};

static void put_prefix(struct source *s, const void *bytes, size_t n)
{
	memcpy(s->prefix + s->prefix_len, bytes, n);
	s->prefix_len += n;
}

static void put_endpoint(struct source *s, uint64_t endpoint)
{
	struct rp_key key = rp_key1(endpoint);

	if (endpoint != RP_EP_UNKNOWN)
		put_prefix(s, key.bytes, key.len);
}

static bool source_of_state(const struct rp_browse *b, unsigned stage, struct source *s)
{
	if (stage > 0 && b->state != RP_STATE_WAITING)
		return false;
	switch (b->state) {
	case RP_STATE_WAITING: /* those behind another stand among the orders alone */
		s->table = stage == 0 ? RP_T_QUEUE : RP_T_ORDER;
		put_endpoint(s, b->endpoint);
		return stage < 2;
	case RP_STATE_IN_FLIGHT:
		s->table = RP_T_CLAIM;
		return true;
	case RP_STATE_HELD:
		s->table = RP_T_HELD;
		return true;
	case RP_STATE_DELIVERED:
		s->table = RP_T_DONE;
		return true;
	case RP_STATE_DEAD:
		s->table = RP_T_DEAD;
		return true;
	}
	return false;
}

/* A run's dedupe keys begin with its id, unless the entry was given a key of its own: those stand
 * in `run`. */
static bool source_of_run(const struct rp_browse *b, unsigned stage, struct source *s)
{
	s->table = stage == 0 ? RP_T_SEEN : RP_T_RUN;
	if (stage == 0)
		put_prefix(s, "r", 1);
	put_prefix(s, b->run_id.ptr, b->run_id.len);
	put_prefix(s, "", 1);
	return stage < 2;
}

static bool source_of(const struct rp_browse *b, unsigned stage, struct source *s)
{
	s->prefix_len = 0;
	return b->state != 0 ? source_of_state(b, stage, s) : source_of_run(b, stage, s);
}

/* A number of a key. The readers of base/bytes.h check every step; a million rows are felt. */
static uint64_t number(const MDB_val *v, size_t at)
{
	uint64_t n;

	memcpy(&n, (const char *)v->mv_data + at, sizeof n);
	return be64toh(n);
}

/* What the row of a state tells beside its entry's number. false: what it must not be; verify says
 * so, and the entry decides. */
static bool row_tells(const struct source *s, const MDB_val *k, const MDB_val *v,
		      struct rp_index_row *row)
{
	switch (s->table) {
	case RP_T_QUEUE:
		row->at_ms = k->mv_size == 24 ? (int64_t)number(k, 8) : 0;
		row->endpoint = k->mv_size == 24 ? number(k, 0) : 0;
		return k->mv_size == 24;
	case RP_T_ORDER:
		row->endpoint = k->mv_size == 24 ? number(k, 0) : 0;
		return k->mv_size == 24;
	case RP_T_DEAD:
		row->at_ms = (int64_t)number(k, 0);
		return k->mv_size == 16 && rp_entry_read_why(v, row);
	case RP_T_HELD:
	case RP_T_DONE:
		row->at_ms = (int64_t)number(k, 0);
		return k->mv_size == 16;
	default:
		return true;
	}
}

/* Which entry a row is about; false: none that is looked for. */
static bool row_seq(struct rp_txn *t, const struct rp_browse *b, const struct source *s,
		    const MDB_val *k, const MDB_val *v, uint64_t *seq)
{
	struct rp_index_row row = {0};
	bool behind = true, held = false;

	if (s->table == RP_T_SEEN) {
		if (v->mv_size != RP_ID_BYTES)
			return false;
		return rp_entry_seq(t, v->mv_data, seq, NULL) == RP_OK;
	}
	if (k->mv_size < 8)
		return false;
	if (s->table == RP_T_ORDER)
		rp_order_read_row(v, &behind, &held);
	*seq = row.seq = number(k, k->mv_size - 8);
	if (!behind || held)
		return false;
	return b->wants_row == NULL || b->state == 0 || !row_tells(s, k, v, &row) ||
	       b->wants_row(b->arg, &row);
}

static bool has_prefix(const MDB_val *k, const struct source *s)
{
	return k->mv_size >= s->prefix_len && memcmp(k->mv_data, s->prefix, s->prefix_len) == 0;
}

static void remember(struct rp_browse *b, const MDB_val *k)
{
	b->key_len = k->mv_size <= sizeof b->key ? k->mv_size : sizeof b->key;
	memcpy(b->key, k->mv_data, b->key_len);
}

struct browsing {
	struct rp_txn *t;
	struct rp_browse *b;
	struct rp_tree_rows deliveries;
	struct rp_viewer viewer;
	size_t rows, looks, seen;
	bool stopped; /* by see */
};

/* A row may lie about its entry; verify says so. Here the entry itself decides. */
static enum rp_err see_row(struct browsing *w, uint64_t seq, struct rp_error *err)
{
	struct rp_entry entry = {0};
	MDB_val v;
	enum rp_err e = rp_tree_rows_get(&w->deliveries, rp_key1(seq), &v, err);

	if (e != RP_OK)
		return e == RP_ERR_NOTFOUND ? RP_OK : e;
	entry.damaged = !rp_delivery_unpack(&entry.delivery, seq, v.mv_data, v.mv_size);
	if (!entry.damaged && ((w->b->state != 0 && entry.delivery.state != w->b->state) ||
			       (w->b->wants != NULL && !w->b->wants(w->b->arg, &entry.delivery))))
		return RP_OK;
	e = rp_viewer_look(&w->viewer, seq, &entry, err);
	if (e != RP_OK)
		return e;
	w->seen++;
	w->stopped = !w->b->see(w->b->arg, &entry);
	return RP_OK;
}

/* Goes on behind the row it stopped at, which may be gone by now. *more: there may be more rows in
 * this source. */
static enum rp_err browse_rows(struct browsing *w, const struct source *s, struct rp_tree_rows *l,
			       bool *more, struct rp_error *err)
{
	struct rp_browse *b = w->b;
	MDB_val k = {b->key_len, b->key}, v;
	uint64_t seq;
	enum rp_err e;

	if (b->key_len == 0)
		k = (MDB_val){s->prefix_len, (void *)(uintptr_t)s->prefix};
	e = rp_tree_rows_seek(l, &k, b->key_len > 0, err);
	while (e == RP_OK && (e = rp_tree_rows_next(l, &k, &v, err)) == RP_OK &&
	       has_prefix(&k, s)) {
		*more = w->rows == BROWSE_ROWS_MAX || w->looks == BROWSE_LOOKS_MAX ||
			w->seen == b->max_seen || w->stopped;
		if (*more)
			return RP_OK;
		w->rows++;
		remember(b, &k);
		if (row_seq(w->t, b, s, &k, &v, &seq)) {
			w->looks++;
			e = see_row(w, seq, err);
		}
	}
	return e == RP_ERR_NOTFOUND ? RP_OK : e;
}

static enum rp_err browse_source(struct browsing *w, const struct source *s, bool *more,
				 struct rp_error *err)
{
	struct rp_tree_rows l;
	enum rp_err e = rp_tree_rows_begin(&l, w->t, s->table, err);

	*more = false;
	if (e == RP_OK)
		e = browse_rows(w, s, &l, more, err);
	rp_tree_rows_end(&l);
	return e;
}

enum rp_err rp_outbox_browse(struct rp_outbox *ob, struct rp_browse *b, struct rp_error *err)
{
	struct rp_txn t;
	struct browsing w = {.t = &t, .b = b, .viewer.t = &t};
	struct source s;
	bool more = false;
	enum rp_err e = rp_txn_read(ob, &t, err);

	b->more = false;
	if (e != RP_OK)
		return e;
	e = rp_tree_rows_begin(&w.deliveries, &t, RP_T_DELIVERY, err);
	while (e == RP_OK && !more && source_of(b, b->stage, &s)) {
		e = browse_source(&w, &s, &more, err);
		if (e == RP_OK && !more) {
			b->stage++;
			b->key_len = 0;
		}
	}
	b->more = more && !w.stopped;
	b->n_looked += w.rows;
	rp_tree_rows_end(&w.deliveries);
	rp_viewer_end(&w.viewer);
	rp_txn_end(&t);
	return e;
}
