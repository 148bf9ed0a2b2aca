/* import.c - stores entries that come from another outbox, with their state and history.
 * Unlike an append it must choose a number for an id that exists already. */

#include "store/lmdb/lmdb_ops.h"

#include <string.h>

#include "base/assert.h"
#include "model/sequence.h"
#include "model/transition.h"
#include "net/url.h"
#include "store/lmdb/audit.h"
#include "store/lmdb/body.h"
#include "store/lmdb/db/db.h"
#include "store/lmdb/endpoint.h"
#include "store/lmdb/entry_rows.h"
#include "store/lmdb/handle.h"
#include "store/lmdb/host/wakeup.h"
#include "store/lmdb/move.h"
#include "store/lmdb/room.h"
#include "store/lmdb/row.h"
#include "store/lmdb/txn.h"

/* The number of a new entry; where its id says another, a row in `alias` leads from the id to
 * it. */
static enum rp_err choose_seq(struct rp_txn *t, const unsigned char id[RP_ID_BYTES], uint64_t *seq,
			      struct rp_error *err)
{
	unsigned char value[8];
	struct rp_writer w = rp_writer_of(value, sizeof value);

	if (rp_arrival_number(rp_id_seq(id), &t->head.next_seq, seq))
		return RP_OK;
	rp_put_u64(&w, *seq);
	return rp_row_put(t, RP_T_ALIAS, rp_key_id(id), value, sizeof value, 0, err);
}

/* Whether the outbox has an entry with this id, or another with this dedupe key. */
static enum rp_err look_for(struct rp_txn *t, const struct rp_facts *f, struct rp_import_result *r,
			    struct rp_error *err)
{
	MDB_val key = {f->dedupe_key.len, (void *)(uintptr_t)f->dedupe_key.ptr}, value;
	struct rp_facts there;
	enum rp_err e = rp_entry_seq(t, f->id, &r->seq, err);
	bool is_here;
	int rc;

	if (e != RP_OK)
		return e;
	e = rp_entry_facts(t, r->seq, &there, err);
	if (e != RP_OK && e != RP_ERR_NOTFOUND && e != RP_ERR_DAMAGED)
		return e;
	/* With unreadable facts the entry may be this one: better skipped than there twice. */
	is_here = e == RP_ERR_DAMAGED || (e == RP_OK && memcmp(there.id, f->id, RP_ID_BYTES) == 0);
	rc = rp_text_get(t, RP_T_SEEN, &key, &value);
	if (rc != 0 && rc != MDB_NOTFOUND)
		return rp_db_fail(&t->ob->db, rc, "seen", err);
	r->kind = rp_arrival_kind(is_here, rc == 0);
	if (r->kind == RP_IMPORT_DUPLICATE && value.mv_size == RP_ID_BYTES)
		return rp_entry_seq(t, value.mv_data, &r->seq, err);
	return RP_OK;
}

static enum rp_err put_facts(struct rp_txn *t, uint64_t seq, const struct rp_import *in,
			     uint64_t endpoint, struct rp_error *err)
{
	struct rp_facts f = in->facts;
	size_t len;

	f.endpoint = endpoint;
	f.payload_bytes = in->payload.len;
	f.payload_hash = rp_payload_hash(in->payload.ptr, in->payload.len);
	rp_time_index_add(&t->head.times, seq, f.accepted_at_ms);
	len = rp_facts_pack(&f, seq, t->ob->facts, sizeof t->ob->facts);
	assert(len > 0);
	return rp_row_put(t, RP_T_ENTRY, rp_key1(seq), t->ob->facts, len, MDB_APPEND, err);
}

static enum rp_err put_entry(struct rp_txn *t, const struct rp_import *in, uint64_t *seq,
			     struct rp_error *err)
{
	MDB_val key = {in->facts.dedupe_key.len, (void *)(uintptr_t)in->facts.dedupe_key.ptr};
	MDB_val value = {RP_ID_BYTES, (void *)(uintptr_t)in->facts.id};
	struct rp_delivery d;
	uint64_t endpoint;
	enum rp_err e = rp_ep_intern(t, in->endpoint, &endpoint, err);

	if (e == RP_OK)
		e = choose_seq(t, in->facts.id, seq, err);
	if (e == RP_OK)
		e = put_facts(t, *seq, in, endpoint, err);
	if (e == RP_OK)
		e = rp_body_put(t, *seq, in->payload, err);
	if (e == RP_OK)
		e = rp_entry_put_run(t, *seq, in->facts.run_id, in->facts.dedupe_key, err);
	if (e == RP_OK)
		e = rp_db_fail(&t->ob->db, rp_text_put(t, RP_T_SEEN, &key, &value, 0), "seen", err);
	if (e != RP_OK)
		return e;
	rp_transition_import(&in->delivery, endpoint, rp_sequence_key(in->facts.order_by), &d);
	return rp_entry_move(t, *seq, NULL, &d, err);
}

static enum rp_err import_one(struct rp_txn *t, const struct rp_import *in,
			      struct rp_import_result *r, struct rp_error *err)
{
	enum rp_err e;

	assert(in->facts.url.len <= RP_URL_MAX && in->facts.dedupe_key.len >= 1 &&
	       in->facts.dedupe_key.len <= 256);
	assert(in->delivery.state != 0 && in->delivery.state != RP_STATE_IN_FLIGHT &&
	       in->delivery.state_at_ms != 0);
	e = look_for(t, &in->facts, r, err);
	return e == RP_OK && r->kind == RP_IMPORT_DONE ? put_entry(t, in, &r->seq, err) : e;
}

static uint64_t bytes_needed(const struct rp_lmdb *ob, const struct rp_import *entries, size_t n)
{
	uint64_t need = RP_COMMIT_OVERHEAD_PAGES * ob->db.page_bytes;
	size_t i;

	for (i = 0; i < n; i++)
		need += entries[i].payload.len + entries[i].payload.len / 64 +
			entries[i].facts.url.len * 2 + RP_ENTRY_OVERHEAD_BYTES;
	return need;
}

static enum rp_err count(struct rp_txn *t, uint64_t audit, const struct rp_import_result *results,
			 size_t n, struct rp_error *err)
{
	uint64_t done = 0;
	size_t i;

	for (i = 0; i < n; i++)
		done += results[i].kind == RP_IMPORT_DONE;
	t->dirty = true;
	return rp_audit_add_counts(t, audit, done, n - done, err);
}

enum rp_err rp_lmdb_import(struct rp_outbox *outbox, int64_t now_at_ms,
			   const struct rp_import *entries, size_t n, bool dry_run, uint64_t audit,
			   struct rp_import_result *results, struct rp_error *err)
{
	struct rp_lmdb *ob = rp_lmdb_of(outbox);
	struct rp_txn t;
	enum rp_err e = rp_txn_write(ob, now_at_ms, &t, err);
	size_t i;

	if (e != RP_OK)
		return e;
	e = rp_room_check(ob, bytes_needed(ob, entries, n), err);
	for (i = 0; i < n && e == RP_OK; i++)
		e = import_one(&t, &entries[i], &results[i], err);
	if (e == RP_OK && audit != 0)
		e = count(&t, audit, results, n, err);
	if (dry_run) {
		rp_txn_end(&t);
		return e;
	}
	e = rp_txn_finish(&t, e, err);
	if (e == RP_OK && t.dirty)
		rp_wakeup_ring(ob);
	return e;
}
