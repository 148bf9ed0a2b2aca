/* append.c - stores new entries in one synced commit, if there is room for them. */

#include "store/lmdb/lmdb_ops.h"

#include <string.h>

#include "base/assert.h"
#include "base/sys.h"
#include "model/sequence.h"
#include "model/transition.h"
#include "net/url.h"
#include "store/lmdb/body.h"
#include "store/lmdb/db/db.h"
#include "store/lmdb/endpoint.h"
#include "store/lmdb/entry_rows.h"
#include "store/lmdb/hand_over.h"
#include "store/lmdb/handle.h"
#include "store/lmdb/host/turn.h"
#include "store/lmdb/host/wakeup.h"
#include "store/lmdb/move.h"
#include "store/lmdb/room.h"
#include "store/lmdb/row.h"
#include "store/lmdb/txn.h"

static uint64_t bytes_needed(const struct rp_lmdb *ob, const struct rp_new_entry *entries, size_t n)
{
	uint64_t need = RP_COMMIT_OVERHEAD_PAGES * ob->db.page_bytes;
	size_t i;

	for (i = 0; i < n; i++)
		need += entries[i].payload.len + entries[i].payload.len / 64 +
			entries[i].url.len * 2 + RP_ENTRY_OVERHEAD_BYTES;
	return need;
}

static enum rp_err put_facts(struct rp_txn *t, uint64_t seq, const struct rp_new_entry *n,
			     uint64_t endpoint, const unsigned char id[RP_ID_BYTES],
			     struct rp_error *err)
{
	struct rp_facts f = {
	    .endpoint = endpoint,
	    .accepted_at_ms = t->now_at_ms,
	    .not_before_at_ms = n->not_before_at_ms,
	    .expires_at_ms = n->expires_at_ms,
	    .payload_bytes = n->payload.len,
	    .payload_hash = rp_payload_hash(n->payload.ptr, n->payload.len),
	    .url = n->url,
	    .run_id = n->run_id,
	    .thread_id = n->thread_id,
	    .event = n->event,
	    .operation = n->operation,
	    .order_by = n->order_by,
	    .headers = n->headers,
	    .dedupe_key = n->dedupe_key,
	};
	size_t len;

	memcpy(f.id, id, sizeof f.id);
	rp_time_index_add(&t->head.times, seq, f.accepted_at_ms);
	len = rp_facts_pack(&f, seq, t->ob->facts, sizeof t->ob->facts);
	assert(len > 0);
	return rp_row_put(t, RP_T_ENTRY, rp_key1(seq), t->ob->facts, len, MDB_APPEND, err);
}

/* What a batch needs from entry to entry. Random bytes are drawn for several ids at once. */
#define ID_RANDOM_BYTES 10
struct batch {
	size_t n;
	unsigned char random[25 * ID_RANDOM_BYTES];
	size_t random_left;
	struct rp_hand_over hand_over;
};

static void make_id(struct rp_txn *t, struct batch *b, size_t n_left, struct rp_appended *out)
{
	if (b->random_left == 0) {
		b->random_left = n_left < sizeof b->random / ID_RANDOM_BYTES
				     ? n_left * ID_RANDOM_BYTES
				     : sizeof b->random;
		rp_sys_random(t->ob->sys, b->random, b->random_left);
	}
	b->random_left -= ID_RANDOM_BYTES;
	rp_id_make(out->seq, b->random + b->random_left, out->id);
}

/* Enters the dedupe key with the id in `out`, or finds it taken and puts the entry that has it
 * there. */
static enum rp_err enter_key(struct rp_txn *t, const struct rp_new_entry *n,
			     struct rp_appended *out, struct rp_error *err)
{
	MDB_val key = {n->dedupe_key.len, (void *)(uintptr_t)n->dedupe_key.ptr},
		value = {RP_ID_BYTES, out->id};
	int rc = rp_text_put(t, RP_T_SEEN, &key, &value, MDB_NOOVERWRITE); /* one search for both */

	if (rc == MDB_KEYEXIST && value.mv_size == RP_ID_BYTES) {
		out->duplicate = true;
		t->ob->untold.duplicates++;
		memcpy(out->id, value.mv_data, RP_ID_BYTES);
		return rp_entry_seq(t, out->id, &out->seq, err);
	}
	if (rc == MDB_KEYEXIST) { /* damaged */
		value = (MDB_val){RP_ID_BYTES, out->id};
		rc = rp_text_put(t, RP_T_SEEN, &key, &value, 0);
	}
	return rp_db_fail(&t->ob->db, rc, "seen", err);
}

/* n_left: of the batch, with this one. */
static enum rp_err append_one(struct rp_txn *t, struct batch *b, const struct rp_new_entry *n,
			      size_t n_left, struct rp_appended *out, struct rp_error *err)
{
	struct rp_acceptance a = {.not_before_at_ms = n->not_before_at_ms,
				  .expires_at_ms = n->expires_at_ms};
	struct rp_delivery d;
	enum rp_err e;

	assert(n->url.len <= RP_URL_MAX && n->dedupe_key.len >= 1 && n->dedupe_key.len <= 256);
	out->duplicate = false;
	out->seq = t->head.next_seq;
	make_id(t, b, n_left, out);
	e = enter_key(t, n, out, err);
	if (e != RP_OK || out->duplicate)
		return e;
	t->head.next_seq++;
	e = rp_ep_names_id(t, b->n - n_left, &a.endpoint, err);
	if (e == RP_OK)
		e = put_facts(t, out->seq, n, a.endpoint, out->id, err);
	if (e == RP_OK)
		e = rp_entry_put_run(t, out->seq, n->run_id, n->dedupe_key, err);
	if (e == RP_OK)
		e = rp_body_put(t, out->seq, n->payload, err);
	if (e != RP_OK)
		return e;
	a.order_key = rp_sequence_key(n->order_by);
	rp_transition_append(&a, t->now_at_ms, &d);
	e = rp_hand_over(t, &b->hand_over, &d, err);
	if (e == RP_OK)
		e = rp_entry_move(t, out->seq, NULL, &d, err);
	return e == RP_OK ? rp_hand_over_mark(t, out->seq, &d, err) : e;
}

enum rp_err rp_lmdb_append(struct rp_outbox *outbox, int64_t now_at_ms,
			   const struct rp_new_entry *entries, size_t n, struct rp_appended *out,
			   struct rp_error *err)
{
	struct rp_lmdb *ob = rp_lmdb_of(outbox);
	struct batch b = {.n = n, .hand_over = rp_hand_over_begin(n)};
	struct rp_txn t;
	enum rp_err e;
	size_t i;

	rp_turn_give(ob);
	e = rp_txn_write(ob, now_at_ms, &t, err);
	if (e != RP_OK)
		return e;
	ob->body_at = 0;
	e = rp_room_check(ob, bytes_needed(ob, entries, n), err);
	if (e == RP_OK)
		e = rp_ep_names_find(&t, entries, n, err);
	for (i = 0; i < n && e == RP_OK; i++)
		e = append_one(&t, &b, &entries[i], n - i, &out[i], err);
	if (e == RP_OK)
		e = rp_ep_names_enter(&t, err);
	e = rp_txn_finish(&t, e, err);
	rp_turn_released(ob);
	if (e == RP_OK && t.dirty)
		rp_wakeup_ring(ob);
	return e;
}
