#include "store/store_int.h"

/* Rows looked at in one read transaction: each costs two or three lookups, so that it takes some ten milliseconds. */
#define BROWSE_LOOKS_MAX 4096

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

/* A run's dedupe keys begin with its id, unless the entry was given a key of its own: those stand in `run`. */
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

/* Which entry a row is about; false: none that is looked for. */
static bool row_seq(struct rp_txn *t, const struct source *s, const MDB_val *k, const MDB_val *v, uint64_t *seq)
{
	struct rp_reader r;
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
	r = rp_reader_of((const char *)k->mv_data + k->mv_size - 8, 8);
	*seq = rp_get_u64(&r);
	return behind && !held;
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

/* Behind the row it stopped at, which may be gone by now. */
static int first_row(const struct rp_browse *b, const struct source *s, MDB_cursor *c, MDB_val *k, MDB_val *v)
{
	int rc;

	*k = b->key_len > 0 ? (MDB_val){b->key_len, (void *)(uintptr_t)b->key}
			    : (MDB_val){s->prefix_len, (void *)(uintptr_t)s->prefix};
	if (k->mv_size == 0)
		return mdb_cursor_get(c, k, v, MDB_FIRST);
	rc = mdb_cursor_get(c, k, v, MDB_SET_RANGE);
	if (rc == 0 && b->key_len > 0 && k->mv_size == b->key_len && memcmp(k->mv_data, b->key, b->key_len) == 0)
		rc = mdb_cursor_get(c, k, v, MDB_NEXT);
	return rc;
}

struct browsing {
	struct rp_txn *t;
	struct rp_browse *b;
	size_t looks, seen;
	bool stopped; /* by see */
	struct rp_sight sight;
};

/* A row may lie about its entry; verify says so. Here the entry itself decides. */
static enum rp_err see_row(struct browsing *w, uint64_t seq, struct rp_error *err)
{
	struct rp_entry entry = {0};
	enum rp_err e = rp_entry_delivery(w->t, seq, &entry.delivery, err);

	if (e == RP_ERR_NOTFOUND)
		return RP_OK;
	entry.damaged = e == RP_ERR_DAMAGED;
	if (e != RP_OK && !entry.damaged)
		return e;
	if (!entry.damaged && ((w->b->state != 0 && entry.delivery.state != w->b->state) ||
			       (w->b->wants != NULL && !w->b->wants(w->b->arg, &entry.delivery))))
		return RP_OK;
	e = rp_entry_view(w->t, seq, &entry, err);
	if (e != RP_OK)
		return e;
	rp_sight_note(&w->sight, &(MDB_val){0, (void *)(uintptr_t)entry.facts.url.ptr});
	w->seen++;
	w->stopped = !w->b->see(w->b->arg, &entry);
	return RP_OK;
}

/* true: there may be more rows in this source. */
static enum rp_err browse_source(struct browsing *w, const struct source *s, bool *more, struct rp_error *err)
{
	enum rp_err e = RP_OK;
	MDB_cursor *c;
	MDB_val k, v;
	uint64_t seq;
	int rc = mdb_cursor_open(w->t->mdb, w->t->ob->table[s->table], &c);

	*more = false;
	if (rc != 0)
		return rp_db_fail(w->t->ob, rc, "browse", err);
	for (rc = first_row(w->b, s, c, &k, &v); rc == 0 && has_prefix(&k, s);
	     rc = mdb_cursor_get(c, &k, &v, MDB_NEXT)) {
		*more = w->looks == BROWSE_LOOKS_MAX || w->seen == w->b->max_seen || w->stopped;
		if (*more)
			break;
		w->looks++;
		rp_sight_note(&w->sight, &k);
		if (row_seq(w->t, s, &k, &v, &seq))
			e = see_row(w, seq, err);
		if (e != RP_OK)
			break;
		remember(w->b, &k);
	}
	mdb_cursor_close(c);
	return e == RP_OK && rc != MDB_NOTFOUND ? rp_db_fail(w->t->ob, rc, "browse", err) : e;
}

enum rp_err rp_outbox_browse(struct rp_outbox *ob, struct rp_browse *b, struct rp_error *err)
{
	struct rp_txn t;
	struct browsing w = {.t = &t, .b = b};
	struct source s;
	bool more = false;
	enum rp_err e = rp_txn_read(ob, &t, err);

	b->more = false;
	if (e != RP_OK)
		return e;
	while (e == RP_OK && !more && source_of(b, b->stage, &s)) {
		e = browse_source(&w, &s, &more, err);
		if (e == RP_OK && !more) {
			b->stage++;
			b->key_len = 0;
		}
	}
	b->more = more && !w.stopped;
	rp_txn_end(&t);
	rp_sight_forget(&w.sight);
	return e;
}
