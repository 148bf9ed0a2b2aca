/* entry.c - changes an entry's state with its index row, the ledger and the endpoint's counters.
 * It is the one place that does, so that nothing can be moved without being counted. */

#include "store/lmdb/store_int.h"

#include <endian.h>
#include <inttypes.h>
#include <stdlib.h>

#include "base/assert.h"
#include "base/log.h"

/* The row that an entry has because of its state. WAITING behind another has none. */
static bool index_row(uint64_t seq, const struct rp_delivery *d, enum rp_table *table,
		      struct rp_key *key)
{
	switch (d->state) {
	case RP_STATE_WAITING:
		if (d->behind)
			break;
		*table = RP_T_QUEUE;
		*key = rp_key3(d->endpoint, (uint64_t)d->due_at_ms, seq);
		return true;
	case RP_STATE_IN_FLIGHT:
		*table = RP_T_CLAIM;
		*key = rp_key2(d->slot, seq);
		return true;
	case RP_STATE_DELIVERED:
		*table = RP_T_DONE;
		*key = rp_key2((uint64_t)d->state_at_ms, seq);
		return true;
	case RP_STATE_DEAD:
		*table = RP_T_DEAD;
		*key = rp_key2((uint64_t)d->state_at_ms, seq);
		return true;
	case RP_STATE_HELD:
		*table = RP_T_HELD;
		*key = rp_key2((uint64_t)d->state_at_ms, seq);
		return true;
	}
	return false;
}

void rp_entry_put_why(const struct rp_delivery *d, unsigned char out[RP_WHY_BYTES])
{
	struct rp_writer w = rp_writer_of(out, RP_WHY_BYTES);

	rp_put_u64(&w, d->endpoint);
	rp_put_u8(&w, (uint8_t)d->cause);
	rp_put_u8(&w, (uint8_t)d->last_cause);
	rp_put_u16(&w, (uint16_t)d->http_status);
}

bool rp_entry_read_why(const MDB_val *v, struct rp_brief *out)
{
	const unsigned char *at = v->mv_data;
	uint64_t endpoint;

	/* Without a reader: `runpostctl dead` does this a million times. */
	if (v->mv_size != RP_WHY_BYTES)
		return false;
	memcpy(&endpoint, at, sizeof endpoint);
	out->endpoint = be64toh(endpoint);
	out->cause = at[8];
	out->last_cause = at[9];
	out->http_status = (unsigned)at[10] << 8 | at[11];
	return true;
}

size_t rp_entry_run_key(uint64_t seq, struct rp_span run_id, struct rp_span dedupe_key,
			unsigned char out[RP_RUN_KEY_MAX])
{
	struct rp_writer w = rp_writer_of(out, RP_RUN_KEY_MAX);

	if (run_id.len == 0)
		return 0;
	if (dedupe_key.len > run_id.len + 1 && dedupe_key.ptr[0] == 'r' &&
	    memcmp(dedupe_key.ptr + 1, run_id.ptr, run_id.len) == 0 &&
	    dedupe_key.ptr[run_id.len + 1] == '\0')
		return 0;
	rp_put_bytes(&w, run_id.ptr, run_id.len);
	rp_put_u8(&w, 0);
	rp_put_u64(&w, seq);
	assert(w.ok);
	return run_id.len + 9;
}

enum rp_err rp_entry_put_run(struct rp_txn *t, uint64_t seq, struct rp_span run_id,
			     struct rp_span dedupe_key, struct rp_error *err)
{
	unsigned char key[RP_RUN_KEY_MAX];
	MDB_val k = {rp_entry_run_key(seq, run_id, dedupe_key, key), key}, v = {0, key};

	if (k.mv_size == 0)
		return RP_OK;
	return rp_db_fail(t->ob, rp_text_put(t, RP_T_RUN, &k, &v, 0), "run", err);
}

/* NULL: nobody knows any more (both records of the entry were damaged), and no endpoint counts
 * it. */
static enum rp_err endpoint_of(struct rp_txn *t, const struct rp_delivery *d, struct rp_ep **ep,
			       struct rp_error *err)
{
	enum rp_err e;

	*ep = NULL;
	if (d->endpoint == RP_EP_UNKNOWN)
		return RP_OK;
	e = rp_ep_get(t, d->endpoint, ep, err);
	if (e == RP_OK)
		(*ep)->dirty = true;
	return e;
}

static enum rp_err remove_index_row(struct rp_txn *t, uint64_t seq, const struct rp_delivery *d,
				    struct rp_error *err)
{
	enum rp_table table;
	struct rp_key key;
	enum rp_err e;

	if (!index_row(seq, d, &table, &key))
		return RP_OK;
	e = rp_row_del(t, table, key, err);
	if (e != RP_ERR_NOTFOUND)
		return e;
	rp_log(RP_LOG_ERROR, "damage", "seq=%" PRIu64 " what=index_row state=%s", seq,
	       rp_state_name(d->state));
	return RP_OK;
}

static enum rp_err put_index_row(struct rp_txn *t, uint64_t seq, const struct rp_delivery *d,
				 struct rp_error *err)
{
	unsigned char value[RP_WHY_BYTES];
	struct rp_writer w = rp_writer_of(value, sizeof value);
	enum rp_table table;
	struct rp_key key;
	size_t n = 0;

	if (!index_row(seq, d, &table, &key))
		return RP_OK;
	if (d->state == RP_STATE_IN_FLIGHT) {
		rp_put_u32(&w, d->claim_no);
		n = 4;
	} else if (d->state == RP_STATE_DEAD) {
		rp_entry_put_why(d, value);
		n = RP_WHY_BYTES;
	}
	return rp_row_put(t, table, key, value, n, 0, err);
}

static enum rp_err put_delivery(struct rp_txn *t, uint64_t seq, const struct rp_delivery *d,
				unsigned flags, struct rp_error *err)
{
	unsigned char buf[RP_DELIVERY_BYTES];
	size_t n = rp_delivery_pack(d, seq, buf, sizeof buf);

	assert(n > 0);
	return rp_row_put(t, RP_T_DELIVERY, rp_key1(seq), buf, n, flags, err);
}

/* Counters below zero are damage. One damaged entry must not stop the others, so it is said and
 * the move goes on. */
static enum rp_err count_move(struct rp_txn *t, uint64_t seq, const struct rp_delivery *from,
			      const struct rp_delivery *to, struct rp_error *err)
{
	const struct rp_ledger_change c = rp_ledger_change_of(from, to);
	struct rp_ep *ep;
	enum rp_err e = endpoint_of(t, from != NULL ? from : to, &ep, err);
	bool sound;

	assert(from == NULL || to == NULL || from->endpoint == to->endpoint);
	if (e != RP_OK)
		return e;
	rp_counters_moved(t, from, to);
	sound = rp_ledger_count(&t->head, &c);
	if (ep != NULL)
		sound = rp_ledger_count_endpoint(&ep->rec, &c) && sound;
	if (!sound)
		rp_log(RP_LOG_ERROR, "damage", "seq=%" PRIu64 " what=counter state=%s", seq,
		       rp_state_name(from->state));
	return RP_OK;
}

enum rp_err rp_entry_move(struct rp_txn *t, uint64_t seq, const struct rp_delivery *from,
			  struct rp_delivery *to, struct rp_error *err)
{
	enum rp_err e = count_move(t, seq, from, to, err);

	t->dirty = true;
	if (to != NULL)
		rp_transition_enter(from, to, t->now_at_ms);
	if (e == RP_OK && from != NULL)
		e = remove_index_row(t, seq, from, err);
	if (e == RP_OK)
		e = rp_order_move(t, seq, from, to, err);
	if (e == RP_OK && to != NULL)
		e = put_index_row(t, seq, to, err);
	if (e != RP_OK)
		return e;
	rp_log(RP_LOG_DEBUG, "moved", "seq=%" PRIu64 " from=%s to=%s", seq,
	       from != NULL ? rp_state_name(from->state) : "new",
	       to != NULL ? rp_state_name(to->state) : "removed");
	if (to == NULL)
		return RP_OK;
	return put_delivery(t, seq, to, from == NULL ? MDB_APPEND : 0, err);
}

enum rp_err rp_entry_set_behind(struct rp_txn *t, uint64_t seq, struct rp_delivery *d, bool behind,
				struct rp_error *err)
{
	struct rp_ep *ep;
	int64_t not_before_at_ms;
	enum rp_err e = endpoint_of(t, d, &ep, err);

	if (e == RP_OK)
		e = remove_index_row(t, seq, d, err);
	if (e != RP_OK)
		return e;
	not_before_at_ms = behind ? 0 : rp_entry_not_before_ms(t, seq, d);
	rp_transition_place(d, behind, not_before_at_ms, t->now_at_ms);
	e = put_index_row(t, seq, d, err);
	return e == RP_OK ? put_delivery(t, seq, d, 0, err) : e;
}

enum rp_err rp_entry_fix_due(struct rp_txn *t, uint64_t seq, struct rp_delivery *d,
			     struct rp_error *err)
{
	int64_t not_before_at_ms = rp_entry_not_before_ms(t, seq, d);
	enum rp_err e = remove_index_row(t, seq, d, err);

	if (e != RP_OK)
		return e;
	rp_transition_fix_clock(d, not_before_at_ms, t->now_at_ms);
	e = put_index_row(t, seq, d, err);
	return e == RP_OK ? put_delivery(t, seq, d, 0, err) : e;
}

struct rp_key rp_key_id(const unsigned char id[RP_ID_BYTES])
{
	struct rp_key key = {.len = RP_ID_BYTES};

	memcpy(key.bytes, id, RP_ID_BYTES);
	return key;
}

enum rp_err rp_entry_seq(struct rp_txn *t, const unsigned char id[RP_ID_BYTES], uint64_t *seq,
			 struct rp_error *err)
{
	struct rp_reader r;
	MDB_val v;
	enum rp_err e = rp_row_get(t, RP_T_ALIAS, rp_key_id(id), &v, err);

	*seq = rp_id_seq(id);
	if (e != RP_OK)
		return e == RP_ERR_NOTFOUND ? RP_OK : e;
	r = rp_reader_of(v.mv_data, v.mv_size);
	*seq = rp_get_u64(&r);
	return RP_OK;
}

enum rp_err rp_entry_delivery(struct rp_txn *t, uint64_t seq, struct rp_delivery *d,
			      struct rp_error *err)
{
	MDB_val v;
	enum rp_err e = rp_row_get(t, RP_T_DELIVERY, rp_key1(seq), &v, err);

	memset(d, 0, sizeof *d);
	if (e != RP_OK)
		return e;
	return rp_delivery_unpack(d, seq, v.mv_data, v.mv_size) ? RP_OK : RP_ERR_DAMAGED;
}

enum rp_err rp_entry_facts(struct rp_txn *t, uint64_t seq, struct rp_facts *f, struct rp_error *err)
{
	MDB_val v;
	enum rp_err e = rp_row_get(t, RP_T_ENTRY, rp_key1(seq), &v, err);

	memset(f, 0, sizeof *f);
	if (e != RP_OK)
		return e;
	return rp_facts_unpack(f, seq, v.mv_data, v.mv_size) ? RP_OK : RP_ERR_DAMAGED;
}

enum rp_err rp_entry_log_attempt(struct rp_txn *t, uint64_t seq, uint64_t endpoint, uint32_t n,
				 const struct rp_attempt *a, struct rp_error *err)
{
	unsigned char buf[RP_ATTEMPT_BYTES_MAX];
	size_t len = rp_attempt_pack(a, seq, buf, sizeof buf);
	enum rp_err e;

	assert(len > 0);
	e = rp_row_put(t, RP_T_ATTEMPT, rp_key2(seq, n), buf, len, 0, err);
	return e == RP_OK ? rp_recent_note(t, seq, endpoint, n, a, err) : e;
}

/* Deletes every row of `table` whose key starts with seq. */
static enum rp_err remove_prefix(struct rp_txn *t, enum rp_table table, uint64_t seq,
				 struct rp_error *err)
{
	uint64_t key[2];
	enum rp_err e;

	while ((e = rp_row_first(t, table, rp_key2(seq, 0), key, 2, NULL, err)) == RP_OK &&
	       key[0] == seq) {
		e = rp_row_del(t, table, rp_key2(key[0], key[1]), err);
		if (e != RP_OK)
			return e;
	}
	return e == RP_ERR_NOTFOUND ? RP_OK : e;
}

/* The run row of an entry whose facts are unreadable: found by the end of its key. */
static enum rp_err remove_run_by_seq(struct rp_txn *t, uint64_t seq, struct rp_error *err)
{
	struct rp_key want = rp_key1(seq);
	MDB_val k, v;
	MDB_cursor *c;
	int rc = mdb_cursor_open(t->mdb, t->ob->table[RP_T_RUN], &c);

	if (rc != 0)
		return rp_db_fail(t->ob, rc, "remove", err);
	while ((rc = rp_row_next(t, RP_T_RUN, c, &k, &v)) == 0)
		if (k.mv_size > 8 &&
		    memcmp((char *)k.mv_data + k.mv_size - 8, want.bytes, 8) == 0) {
			rc = rp_text_del(t, RP_T_RUN, &k);
			break;
		}
	mdb_cursor_close(c);
	return rc == MDB_NOTFOUND ? RP_OK : rp_db_fail(t->ob, rc, "remove", err);
}

static enum rp_err remove_run(struct rp_txn *t, uint64_t seq, const struct rp_facts *f,
			      struct rp_error *err)
{
	unsigned char key[RP_RUN_KEY_MAX];
	MDB_val k = {rp_entry_run_key(seq, f->run_id, f->dedupe_key, key), key};
	int rc = k.mv_size > 0 ? rp_text_del(t, RP_T_RUN, &k) : 0;

	return rc == MDB_NOTFOUND ? RP_OK : rp_db_fail(t->ob, rc, "remove", err);
}

/* The id of an entry whose facts are unreadable, as far as `alias` and `seen` know it. */
static enum rp_err recall_id(struct rp_txn *t, uint64_t seq, unsigned char id[RP_ID_BYTES],
			     struct rp_error *err)
{
	static const enum rp_table tables[] = {RP_T_ALIAS, RP_T_SEEN};
	MDB_val k, v;
	MDB_cursor *c;
	uint64_t there;
	size_t i;
	int rc = 0;

	for (i = 0; i < 2; i++) {
		rc = mdb_cursor_open(t->mdb, t->ob->table[tables[i]], &c);
		if (rc != 0)
			break;
		while ((rc = rp_row_next(t, tables[i], c, &k, &v)) == 0) {
			const MDB_val *found = tables[i] == RP_T_ALIAS ? &k : &v;

			if (found->mv_size != RP_ID_BYTES ||
			    rp_entry_seq(t, found->mv_data, &there, NULL) != RP_OK || there != seq)
				continue;
			memcpy(id, found->mv_data, RP_ID_BYTES);
			mdb_cursor_close(c);
			return RP_OK;
		}
		mdb_cursor_close(c);
	}
	return rc == MDB_NOTFOUND ? RP_ERR_NOTFOUND : rp_db_fail(t->ob, rc, "remove", err);
}

static enum rp_err remove_seen_by_value(struct rp_txn *t, const unsigned char id[RP_ID_BYTES],
					struct rp_error *err)
{
	MDB_val k, v;
	MDB_cursor *c;
	int rc = mdb_cursor_open(t->mdb, t->ob->table[RP_T_SEEN], &c);

	if (rc != 0)
		return rp_db_fail(t->ob, rc, "remove", err);
	while ((rc = rp_row_next(t, RP_T_SEEN, c, &k, &v)) == 0)
		if (v.mv_size == RP_ID_BYTES && memcmp(v.mv_data, id, RP_ID_BYTES) == 0) {
			rc = rp_text_del(t, RP_T_SEEN, &k);
			break;
		}
	mdb_cursor_close(c);
	return rc == MDB_NOTFOUND ? RP_OK : rp_db_fail(t->ob, rc, "remove", err);
}

static enum rp_err remove_seen(struct rp_txn *t, const struct rp_facts *f, struct rp_error *err)
{
	unsigned char copy[256]; /* the key lies in the map, in a page the delete may touch */
	MDB_val k = {f->dedupe_key.len, copy}, v;
	int rc;

	if (f->dedupe_key.len > sizeof copy)
		return RP_OK;
	memcpy(copy, f->dedupe_key.ptr, f->dedupe_key.len);
	rc = rp_text_get(t, RP_T_SEEN, &k, &v);
	if (rc == 0 && v.mv_size == RP_ID_BYTES && memcmp(v.mv_data, f->id, RP_ID_BYTES) == 0)
		rc = rp_text_del(t, RP_T_SEEN, &k);
	return rc == MDB_NOTFOUND ? RP_OK : rp_db_fail(t->ob, rc, "remove", err);
}

/* The rows that lead to the entry: by its run, by its dedupe key, and by its id when that says
 * another number. They go before the facts do. */
static enum rp_err remove_ways(struct rp_txn *t, uint64_t seq, struct rp_error *err)
{
	unsigned char id[RP_ID_BYTES];
	struct rp_facts f;
	enum rp_err e = rp_entry_facts(t, seq, &f, err);

	if (e == RP_OK) {
		memcpy(id, f.id, sizeof id);
		e = remove_run(t, seq, &f, err);
		if (e == RP_OK)
			e = rp_entry_facts(t, seq, &f, err); /* views die with a write */
		if (e == RP_OK)
			e = remove_seen(t, &f, err);
	} else if (e == RP_ERR_DAMAGED || e == RP_ERR_NOTFOUND) {
		e = remove_run_by_seq(t, seq, err);
		if (e == RP_OK)
			e = recall_id(t, seq, id, err);
		if (e == RP_ERR_NOTFOUND)
			return RP_OK;
		if (e == RP_OK)
			e = remove_seen_by_value(t, id, err);
	}
	if (e == RP_OK && rp_id_seq(id) != seq)
		e = rp_row_del(t, RP_T_ALIAS, rp_key_id(id), err);
	return e == RP_ERR_NOTFOUND ? RP_OK : e;
}

/* A damaged outbox may lack the row; what counts is that it is gone. */
static enum rp_err remove_row(struct rp_txn *t, enum rp_table table, struct rp_key key,
			      struct rp_error *err)
{
	enum rp_err e = rp_row_del(t, table, key, err);

	return e == RP_ERR_NOTFOUND ? RP_OK : e;
}

enum rp_err rp_entry_remove(struct rp_txn *t, uint64_t seq, const struct rp_delivery *d,
			    struct rp_error *err)
{
	enum rp_err e = rp_entry_move(t, seq, d, NULL, err);

	if (e == RP_OK)
		e = remove_ways(t, seq, err);
	if (e == RP_OK)
		e = remove_row(t, RP_T_DELIVERY, rp_key1(seq), err);
	if (e == RP_OK)
		e = remove_row(t, RP_T_ENTRY, rp_key1(seq), err);
	if (e == RP_OK)
		e = remove_prefix(t, RP_T_BODY, seq, err);
	if (e == RP_OK)
		e = remove_prefix(t, RP_T_ATTEMPT, seq, err);
	return e;
}

/* Looks through an index table for the row of seq. The numbers of its key are left in key, its
 * value in v. */
static enum rp_err find_index_row(struct rp_txn *t, enum rp_table table, uint64_t seq, size_t n,
				  uint64_t key[3], MDB_val *v, struct rp_error *err)
{
	MDB_val k;
	MDB_cursor *c;
	int rc = mdb_cursor_open(t->mdb, t->ob->table[table], &c);
	bool found = false;

	if (rc != 0)
		return rp_db_fail(t->ob, rc, "reconstruct", err);
	while (!found && (rc = rp_row_next(t, table, c, &k, v)) == 0)
		found = rp_key_read(k.mv_data, k.mv_size, key, n) && key[n - 1] == seq;
	mdb_cursor_close(c);
	if (found)
		return RP_OK;
	return rc == MDB_NOTFOUND ? RP_ERR_NOTFOUND : rp_db_fail(t->ob, rc, "reconstruct", err);
}

/* What the `order` row tells of an entry that has no index row. */
static enum rp_err recall_order(struct rp_txn *t, uint64_t seq, struct rp_delivery *d, bool *behind,
				bool *held, struct rp_error *err)
{
	uint64_t key[3];
	MDB_val v;
	enum rp_err e = find_index_row(t, RP_T_ORDER, seq, 3, key, &v, err);

	*behind = *held = false;
	if (e != RP_OK)
		return e == RP_ERR_NOTFOUND ? RP_OK : e;
	d->endpoint = key[0];
	d->order_key = key[1];
	rp_order_read_row(&v, behind, held);
	return RP_OK;
}

/* State, and what the rows of the state tell beside it. HELD is what remains: such an entry has
 * lost its row as well. */
static enum rp_err recall_state(struct rp_txn *t, uint64_t seq, struct rp_delivery *d,
				struct rp_error *err)
{
	uint64_t key[3] = {0, 0, 0};
	struct rp_reader claim_no;
	bool behind, held;
	MDB_val v;
	enum rp_err e = recall_order(t, seq, d, &behind, &held, err);

	if (e != RP_OK)
		return e;
	if ((e = find_index_row(t, RP_T_QUEUE, seq, 3, key, &v, err)) == RP_OK) {
		d->state = RP_STATE_WAITING;
		d->endpoint = key[0];
		d->due_at_ms = (int64_t)key[1];
	} else if (e == RP_ERR_NOTFOUND &&
		   (e = find_index_row(t, RP_T_CLAIM, seq, 2, key, &v, err)) == RP_OK) {
		d->state = RP_STATE_IN_FLIGHT;
		d->slot = (unsigned)key[0];
		claim_no = rp_reader_of(v.mv_data, v.mv_size);
		d->claim_no = rp_get_u32(&claim_no);
		d->attempts = 1; /* the one under way */
	} else if (e == RP_ERR_NOTFOUND &&
		   (e = find_index_row(t, RP_T_DEAD, seq, 2, key, &v, err)) == RP_OK) {
		d->state = RP_STATE_DEAD;
		d->cause = RP_CAUSE_DAMAGED;
		d->state_at_ms = (int64_t)key[0];
	} else if (e == RP_ERR_NOTFOUND &&
		   (e = find_index_row(t, RP_T_DONE, seq, 2, key, &v, err)) == RP_OK) {
		d->state = RP_STATE_DELIVERED;
		d->state_at_ms = (int64_t)key[0];
	} else if (e == RP_ERR_NOTFOUND &&
		   (e = find_index_row(t, RP_T_HELD, seq, 2, key, &v, err)) == RP_OK) {
		d->state = RP_STATE_HELD;
		d->behind = behind;
		d->state_at_ms = (int64_t)key[0];
	} else if (e == RP_ERR_NOTFOUND) {
		d->state = behind && !held ? RP_STATE_WAITING : RP_STATE_HELD;
		d->behind = behind;
		e = RP_OK;
	}
	return e;
}

/* Later attempts must not write over the log, nor may a claim handed out long ago look like a new
 * one. */
static enum rp_err recall_history(struct rp_txn *t, uint64_t seq, struct rp_delivery *d,
				  struct rp_error *err)
{
	uint64_t key[2] = {seq, 0}, last = 0;
	enum rp_err e;

	while ((e = rp_row_first(t, RP_T_ATTEMPT, rp_key2(seq, key[1]), key, 2, NULL, err)) ==
		   RP_OK &&
	       key[0] == seq)
		last = key[1]++;
	d->attempts += (uint32_t)last;
	/* The seconds since 1970 are above any number of claims an entry can have had, and above
	 * those of an earlier reconstruction. */
	if (d->state != RP_STATE_IN_FLIGHT)
		d->claim_no = (uint32_t)(t->now_at_ms / 1000);
	return e == RP_ERR_NOTFOUND ? RP_OK : e;
}

enum rp_err rp_entry_reconstruct(struct rp_txn *t, uint64_t seq, struct rp_delivery *d,
				 struct rp_error *err)
{
	struct rp_facts f;
	enum rp_err e;

	memset(d, 0, sizeof *d);
	e = recall_state(t, seq, d, err);
	if (e == RP_OK)
		e = recall_history(t, seq, d, err);
	if (e != RP_OK)
		return e;
	e = rp_entry_facts(t, seq, &f, err);
	if (e == RP_OK) {
		d->endpoint = f.endpoint;
		d->order_key = rp_sequence_key(f.order_by);
		d->expires_at_ms = f.expires_at_ms;
		d->budget_at_ms = f.accepted_at_ms;
	}
	return e == RP_ERR_DAMAGED || e == RP_ERR_NOTFOUND ? RP_OK : e;
}

enum rp_err rp_entry_payload(struct rp_txn *t, uint64_t seq, const struct rp_facts *f,
			     struct rp_buf *out, struct rp_error *err)
{
	struct rp_key from = rp_key2(seq, 0);
	MDB_val k = {from.len, from.bytes}, v;
	size_t start = out->len;
	uint64_t key[2], chunk = 0;
	MDB_cursor *c;
	int rc;

	if (out->max == 0)
		out->max = SIZE_MAX / 2; /* bounded at ingest, by max_line */
	if (!rp_buf_reserve(out, f->payload_bytes))
		return rp_fail(err, RP_ERR_NOMEM,
			       "out of memory for a payload of %" PRIu64 " bytes",
			       f->payload_bytes);
	rc = rp_row_cursor(t, RP_T_BODY, &c);
	if (rc != 0)
		return rp_db_fail(t->ob, rc, "payload", err);
	rc = mdb_cursor_get(c, &k, &v, MDB_SET_RANGE);
	while (rc == 0 && rp_key_read(k.mv_data, k.mv_size, key, 2) && key[0] == seq &&
	       key[1] == chunk && out->len - start + v.mv_size <= f->payload_bytes) {
		rp_buf_add(out, v.mv_data, v.mv_size);
		chunk++;
		rc = mdb_cursor_get(c, &k, &v, MDB_NEXT);
	}
	rp_row_cursor_end(t, c);
	if (rc != 0 && rc != MDB_NOTFOUND)
		return rp_db_fail(t->ob, rc, "payload", err);
	if (out->len - start != f->payload_bytes ||
	    rp_payload_hash(out->data + start, f->payload_bytes) != f->payload_hash)
		return rp_fail(err, RP_ERR_DAMAGED,
			       "the payload of entry %" PRIu64 " does not match its checksum", seq);
	return RP_OK;
}
