/* outbox_read.c - answers questions about entries, counts and endpoints. Each function is one
 * short read transaction, and nothing here writes. */

#include "store/lmdb/store_int.h"

#include <inttypes.h>
#include <stdio.h>

/* Records looked at in one read transaction, and of these passed over: some milliseconds, so that
 * no reader ever pins pages for long. */
#define PAGE_LOOKS_MAX 4096
#define PAGE_ROWS_MAX 32768

void rp_entry_release(struct rp_entry *e)
{
	rp_buf_release(&e->text);
	memset(e, 0, sizeof *e);
}

static enum rp_err read_facts(struct rp_viewer *v, uint64_t seq, struct rp_facts *f,
			      struct rp_error *err)
{
	enum rp_err e = RP_OK;
	MDB_val row;

	memset(f, 0, sizeof *f);
	if (!v->open)
		e = rp_tree_rows_begin(&v->entries, v->t, RP_T_ENTRY, err);
	v->open = true;
	if (e == RP_OK)
		e = rp_tree_rows_get(&v->entries, rp_key1(seq), &row, err);
	if (e != RP_OK)
		return e;
	return rp_facts_unpack(f, seq, row.mv_data, row.mv_size) ? RP_OK : RP_ERR_NOTFOUND;
}

enum rp_err rp_viewer_look(struct rp_viewer *v, uint64_t seq, struct rp_entry *out,
			   struct rp_error *err)
{
	enum rp_err e = read_facts(v, seq, &out->facts, err);

	out->seq = seq;
	if (e == RP_ERR_NOTFOUND) { /* or damaged */
		out->damaged = true;
		rp_id_make(seq & RP_SEQ_MAX, (const unsigned char[10]){0},
			   out->facts.id); /* a damaged key may say anything */
		out->facts.endpoint = out->delivery.endpoint;
	} else if (e != RP_OK) {
		return e;
	}
	e = RP_OK;
	if (v->name.ptr == NULL || v->endpoint != out->facts.endpoint)
		e = rp_ep_name(v->t, out->facts.endpoint, &v->name, err);
	v->endpoint = out->facts.endpoint;
	out->endpoint = v->name;
	return e == RP_ERR_NOTFOUND ? RP_OK : e;
}

void rp_viewer_end(struct rp_viewer *v)
{
	if (v->open)
		rp_tree_rows_end(&v->entries);
	v->open = false;
}

static bool keep_span(struct rp_buf *text, struct rp_span *s)
{
	const char *at = text->data + text->len;

	if (!rp_buf_add(text, s->ptr, s->len) || !rp_buf_add_char(text, '\0'))
		return false;
	s->ptr = at;
	return true;
}

/* Copies what the views point to, so that the entry outlives the transaction. */
static enum rp_err keep_entry(struct rp_entry *e, struct rp_error *err)
{
	struct rp_facts *f = &e->facts;
	struct rp_span *spans[] = {&f->url,     &f->run_id,     &f->thread_id,
				   &f->event,   &f->operation,  &f->order_by,
				   &f->headers, &f->dedupe_key, &e->endpoint};
	size_t need = 0, i;

	for (i = 0; i < sizeof spans / sizeof spans[0]; i++)
		need += spans[i]->len + 1;
	rp_buf_clear(&e->text);
	if (!rp_buf_reserve(&e->text, need))
		return rp_fail(err, RP_ERR_NOMEM, "out of memory");
	for (i = 0; i < sizeof spans / sizeof spans[0]; i++)
		if (!keep_span(&e->text, spans[i]))
			return rp_fail(err, RP_ERR_NOMEM, "out of memory");
	return RP_OK;
}

enum rp_err rp_outbox_find(struct rp_outbox *ob, const unsigned char id[RP_ID_BYTES],
			   struct rp_entry *out, struct rp_error *err)
{
	struct rp_buf text = out->text;
	uint64_t seq = 0;
	char shown[RP_ID_TEXT_MAX];
	struct rp_txn t;
	struct rp_viewer viewer = {.t = &t};
	enum rp_err e = rp_txn_read(ob, &t, err);

	memset(out, 0, sizeof *out);
	out->text = text;
	if (e != RP_OK)
		return e;
	e = rp_entry_seq(&t, id, &seq, err);
	if (e == RP_OK)
		e = rp_entry_delivery(&t, seq, &out->delivery, err);
	if (e == RP_ERR_DAMAGED) {
		out->damaged = true;
		e = RP_OK;
	}
	if (e == RP_OK)
		e = rp_viewer_look(&viewer, seq, out, err);
	/* Unreadable facts cannot contradict the id: the entry is shown as what it is. */
	if (e == RP_OK && out->facts.accepted_at_ms != 0 &&
	    memcmp(out->facts.id, id, RP_ID_BYTES) != 0)
		e = RP_ERR_NOTFOUND;
	if (e == RP_ERR_NOTFOUND)
		rp_fail(err, e, "%s: no such entry", rp_id_format(id, shown));
	if (e == RP_OK)
		e = keep_entry(out, err);
	rp_viewer_end(&viewer);
	rp_txn_end(&t);
	return e;
}

/* One record of a page. *seen: it was shown; *go_on: what `see` said. */
static enum rp_err look(struct rp_viewer *viewer, struct rp_page *page, uint64_t seq,
			const MDB_val *v, bool *seen, bool *go_on, struct rp_error *err)
{
	struct rp_entry entry = {0};
	enum rp_err e;

	entry.damaged = !rp_delivery_unpack(&entry.delivery, seq, v->mv_data, v->mv_size);
	*seen = entry.damaged || ((page->state == 0 || entry.delivery.state == page->state) &&
				  (page->wants == NULL || page->wants(page->arg, &entry.delivery)));
	if (!*seen)
		return RP_OK;
	e = rp_viewer_look(viewer, seq, &entry, err);
	if (e == RP_OK)
		*go_on = page->see(page->arg, &entry);
	return e;
}

static enum rp_err page_rows(struct rp_txn *t, struct rp_page *page, struct rp_tree_rows *l,
			     struct rp_error *err)
{
	struct rp_viewer viewer = {.t = t};
	struct rp_key from = rp_key1(page->from_seq);
	size_t rows = 0, looks = 0;
	bool go_on = true, seen;
	MDB_val k, v;
	uint64_t seq;
	enum rp_err e = rp_tree_rows_begin(l, t, RP_T_DELIVERY, err);

	if (e == RP_OK)
		e = rp_tree_rows_seek(l, &(MDB_val){from.len, from.bytes}, false, err);
	while (e == RP_OK && (e = rp_tree_rows_next(l, &k, &v, err)) == RP_OK) {
		if (rows == PAGE_ROWS_MAX || looks == PAGE_LOOKS_MAX || looks == page->max_seen ||
		    !go_on) {
			page->more = go_on;
			break;
		}
		if (!rp_key_read(k.mv_data, k.mv_size, &seq, 1)) {
			e = rp_fail(err, RP_ERR_DAMAGED,
				    "%s: table delivery holds a key of %zu bytes", t->ob->dir,
				    k.mv_size);
			break;
		}
		if (page->to_seq != 0 && seq >= page->to_seq)
			break;
		rows++;
		page->from_seq = seq + 1;
		e = look(&viewer, page, seq, &v, &seen, &go_on, err);
		looks += seen;
	}
	page->n_looked += rows;
	rp_viewer_end(&viewer);
	return e == RP_ERR_NOTFOUND ? RP_OK : e;
}

enum rp_err rp_outbox_page(struct rp_outbox *ob, struct rp_page *page, struct rp_error *err)
{
	struct rp_tree_rows l = {0};
	struct rp_txn t;
	enum rp_err e = rp_txn_read(ob, &t, err);

	page->more = false;
	if (e != RP_OK)
		return e;
	e = page_rows(&t, page, &l, err);
	rp_tree_rows_end(&l);
	rp_txn_end(&t);
	return e;
}

enum rp_err rp_outbox_attempts(struct rp_outbox *ob, uint64_t seq,
			       void (*see)(void *arg, uint32_t n, const struct rp_attempt *a,
					   bool damaged),
			       void *arg, struct rp_error *err)
{
	uint64_t key[2] = {seq, 0};
	struct rp_txn t;
	MDB_val v;
	enum rp_err e = rp_txn_read(ob, &t, err);

	while (e == RP_OK &&
	       (e = rp_row_first(&t, RP_T_ATTEMPT, rp_key2(seq, key[1]), key, 2, &v, err)) ==
		   RP_OK &&
	       key[0] == seq) {
		struct rp_attempt a;
		bool sound = rp_attempt_unpack(&a, seq, v.mv_data, v.mv_size);

		see(arg, (uint32_t)key[1], &a, !sound);
		key[1]++;
	}
	rp_txn_end(&t);
	return e == RP_ERR_NOTFOUND ? RP_OK : e;
}

enum rp_err rp_outbox_body(struct rp_outbox *ob, uint64_t seq, struct rp_buf *out,
			   struct rp_error *err)
{
	struct rp_facts f;
	struct rp_txn t;
	enum rp_err e = rp_txn_read(ob, &t, err);

	if (e != RP_OK)
		return e;
	e = rp_entry_facts(&t, seq, &f, err);
	if (e == RP_OK)
		e = rp_entry_payload(&t, seq, &f, out, err);
	else if (e == RP_ERR_NOTFOUND || e == RP_ERR_DAMAGED)
		rp_fail(err, e, "entry %" PRIu64 ": %s", seq,
			e == RP_ERR_NOTFOUND ? "no such entry" : "its record is damaged");
	rp_txn_end(&t);
	return e;
}

enum rp_err rp_outbox_counts(struct rp_outbox *ob, struct rp_counts *out, struct rp_error *err)
{
	struct rp_txn t;
	enum rp_err e = rp_txn_read(ob, &t, err);

	if (e != RP_OK)
		return e;
	memcpy(out->of, t.head.count, sizeof out->of);
	out->retrying = t.head.retrying;
	rp_txn_end(&t);
	return RP_OK;
}

enum rp_err rp_outbox_ledger(struct rp_outbox *ob, struct rp_ledger *out, struct rp_error *err)
{
	struct rp_txn t;
	enum rp_err e = rp_txn_read(ob, &t, err);

	if (e != RP_OK)
		return e;
	*out = (struct rp_ledger){
	    .accepted = t.head.accepted,
	    .waiting = t.head.count[RP_STATE_WAITING],
	    .in_flight = t.head.count[RP_STATE_IN_FLIGHT],
	    .held = t.head.count[RP_STATE_HELD],
	    .delivered = t.head.count[RP_STATE_DELIVERED],
	    .dead = t.head.count[RP_STATE_DEAD],
	    .purged = t.head.purged,
	};
	rp_txn_end(&t);
	return RP_OK;
}

/* --- readers: LMDB prints them as lines of text, "pid thread txnid", txnid "-" for one that holds
 * nothing --- */

struct readers {
	uint64_t last;
	void (*see)(void *arg, const struct rp_reader_info *r);
	void *arg;
};

static int see_reader_line(const char *line, void *arg)
{
	struct readers *r = arg;
	struct rp_reader_info info;
	unsigned long long txnid;

	/* The first line is a heading. */
	if (sscanf(line, "%" SCNu32 " %*s %llu", &info.pid, &txnid) != 2)
		return 0;
	info.lag = txnid < r->last ? r->last - txnid : 0;
	r->see(r->arg, &info);
	return 0;
}

enum rp_err rp_outbox_readers(struct rp_outbox *ob,
			      void (*see)(void *arg, const struct rp_reader_info *r), void *arg,
			      struct rp_error *err)
{
	struct readers r = {.see = see, .arg = arg};

	mdb_reader_check(ob->env, NULL); /* those of killed processes hold nothing any more */
	r.last = rp_db_info(ob).me_last_txnid;
	return mdb_reader_list(ob->env, see_reader_line, &r) < 0
		   ? rp_fail(err, RP_ERR_IO, "%s: the table of readers cannot be read", ob->dir)
		   : RP_OK;
}

static void note_lag(void *arg, const struct rp_reader_info *r)
{
	uint64_t *lag = arg;

	if (r->lag > *lag)
		*lag = r->lag;
}

enum rp_err rp_outbox_info(struct rp_outbox *ob, struct rp_outbox_info *out, struct rp_error *err)
{
	MDB_envinfo info;
	struct rp_txn t;
	uint64_t key[2], first[3];
	enum rp_err e = rp_txn_read(ob, &t, err);

	if (e != RP_OK)
		return e;
	mdb_env_info(ob->env, &info);
	*out = (struct rp_outbox_info){
	    .retrying = t.head.retrying,
	    .map_bytes = info.me_mapsize,
	    .quota_bytes = ob->quota_bytes,
	    .file_bytes = rp_db_high_water_bytes(ob),
	    .used_bytes = rp_db_used_bytes(ob),
	    .disk_free_bytes = rp_db_disk_free_bytes(ob),
	    .readers = info.me_numreaders,
	    .max_readers = info.me_maxreaders,
	    .commits = info.me_last_txnid,
	    .oldest_waiting_due_at_ms = RP_NEVER,
	    .latest_at_ms = t.head.latest_at_ms,
	    .format = RP_FORMAT_VERSION,
	};
	e = rp_row_first(&t, RP_T_READY, rp_key2(0, 0), key, 2, NULL, err);
	if (e == RP_OK)
		e = rp_row_first(&t, RP_T_QUEUE, rp_key3(key[1], 0, 0), first, 3, NULL, err);
	if (e == RP_OK && first[0] == key[1])
		out->oldest_waiting_due_at_ms = (int64_t)first[1];
	rp_txn_end(&t);
	if (e == RP_OK || e == RP_ERR_NOTFOUND)
		e = rp_outbox_readers(ob, note_lag, &out->reader_lag, err);
	return e;
}

static enum rp_err oldest_due(struct rp_txn *t, int64_t *at_ms, struct rp_error *err)
{
	uint64_t key[3] = {0, 0, 0};
	enum rp_err e;

	while ((e = rp_row_first(t, RP_T_QUEUE, rp_key3(key[0], 0, 0), key, 3, NULL, err)) ==
	       RP_OK) {
		if ((int64_t)key[1] < *at_ms)
			*at_ms = (int64_t)key[1];
		key[0]++;
	}
	return e == RP_ERR_NOTFOUND ? RP_OK : e;
}

static enum rp_err oldest_since(struct rp_txn *t, enum rp_table table, int64_t *at_ms,
				struct rp_error *err)
{
	uint64_t key[2];
	enum rp_err e = rp_row_first(t, table, rp_key2(0, 0), key, 2, NULL, err);

	if (e == RP_OK)
		*at_ms = (int64_t)key[0];
	return e == RP_ERR_NOTFOUND ? RP_OK : e;
}

enum rp_err rp_outbox_oldest(struct rp_outbox *ob, struct rp_oldest *out, struct rp_error *err)
{
	struct rp_txn t;
	enum rp_err e = rp_txn_read(ob, &t, err);

	*out = (struct rp_oldest){RP_NEVER, RP_NEVER, RP_NEVER};
	if (e == RP_OK)
		e = oldest_due(&t, &out->waiting_due_at_ms, err);
	if (e == RP_OK)
		e = oldest_since(&t, RP_T_DONE, &out->delivered_at_ms, err);
	if (e == RP_OK)
		e = oldest_since(&t, RP_T_DEAD, &out->dead_at_ms, err);
	rp_txn_end(&t);
	return e;
}

enum rp_err rp_outbox_endpoint_name(struct rp_outbox *ob, uint64_t endpoint, struct rp_buf *out,
				    struct rp_error *err)
{
	struct rp_span name;
	struct rp_txn t;
	enum rp_err e = rp_txn_read(ob, &t, err);

	if (e != RP_OK)
		return e;
	e = rp_ep_name(&t, endpoint, &name, err);
	if (e == RP_ERR_NOTFOUND)
		rp_fail(err, e, "no such endpoint");
	else if (e == RP_OK && !rp_buf_add(out, name.ptr, name.len))
		e = rp_fail(err, RP_ERR_NOMEM, "out of memory");
	rp_txn_end(&t);
	return e;
}

enum rp_err rp_outbox_endpoints(struct rp_outbox *ob,
				bool (*see)(void *arg, uint64_t id, struct rp_span name,
					    const struct rp_endpoint *e),
				void *arg, struct rp_error *err)
{
	uint64_t id = 0;
	struct rp_txn t;
	bool go_on = true;
	MDB_val v;
	enum rp_err e = rp_txn_read(ob, &t, err);

	if (e != RP_OK)
		return e;
	while (go_on &&
	       (e = rp_row_first(&t, RP_T_ENDPOINT, rp_key1(id), &id, 1, &v, err)) == RP_OK) {
		struct rp_endpoint ep;
		struct rp_span name;

		rp_endpoint_unpack(&ep, id, v.mv_data,
				   /* a damaged one shows as zeroes, `verify` names it */
				   v.mv_size);
		e = rp_ep_name(&t, id, &name, err);
		if (e != RP_OK && e != RP_ERR_NOTFOUND)
			break;
		go_on = see(arg, id, name, &ep);
		id++;
	}
	rp_txn_end(&t);
	return e == RP_ERR_NOTFOUND ? RP_OK : e;
}
