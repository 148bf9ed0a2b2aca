/* outbox_append.c - stores new entries in one synced commit. It also asks whether there is room,
 * because only new entries may be refused for that. */

#include "store/lmdb/lmdb_ops.h"
#include "store/lmdb/store_int.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/assert.h"
#include "net/url.h"

static const char *size_text(uint64_t bytes, char out[32])
{
	bool small = bytes < (uint64_t)8 << 20;

	snprintf(out, 32, "%llu %s", (unsigned long long)(bytes >> (small ? 10 : 20)),
		 small ? "KiB" : "MiB");
	return out;
}

/* Leaves room for what must always work: settles, dead letters, purges. Only appends and imports
 * ask. Counting the free list costs a walk over it, so it is done only when the file has once been
 * as large as the quota, or the disk is short. */
enum rp_err rp_room_check(struct rp_lmdb *ob, uint64_t need, struct rp_error *err)
{
	uint64_t high = rp_db_high_water_bytes(ob), disk = rp_db_disk_free_bytes(ob), used;
	struct rp_db_room room;
	char is[32], may[32];

	if (high + need <= ob->quota_bytes && disk >= ob->disk_reserve_bytes + need)
		return RP_OK;
	room = rp_db_room(ob);
	used = room.high_bytes - room.free_bytes;
	if (used - room.pinned_bytes + need > ob->quota_bytes)
		return rp_fail(err, RP_ERR_FULL,
			       "%s: the outbox holds %s of its quota of %s, and what comes needs "
			       "%llu KiB; deliver or "
			       "purge entries, "
			       "or raise quota",
			       ob->dir, size_text(used - room.pinned_bytes, is),
			       size_text(ob->quota_bytes, may), (unsigned long long)need >> 10);
	/* Else a reader that stands still would make the file grow past every bound while the
	 * quota looks kept. */
	if (used + need > ob->quota_bytes)
		return rp_fail(err, RP_ERR_FULL,
			       "%s: process %ld reads a state of long ago and keeps %s that were "
			       "freed since; end it",
			       ob->dir, room.pinned_by, size_text(room.pinned_bytes, is));
	/* Half of what is free, because it may lie in pieces, and the last commits still see
	 * some. */
	if (disk < ob->disk_reserve_bytes + need && room.free_bytes / 2 < need)
		return rp_fail(
		    err, RP_ERR_FULL,
		    "%s: only %s are left on the disk, %s are kept for deliveries (disk_reserve)",
		    ob->dir, size_text(disk, is), size_text(ob->disk_reserve_bytes, may));
	return RP_OK;
}

enum rp_err rp_room_for_one(struct rp_lmdb *ob, struct rp_error *err)
{
	return rp_room_check(
	    ob, RP_COMMIT_OVERHEAD_PAGES * ob->page_bytes + RP_ENTRY_OVERHEAD_BYTES, err);
}

static uint64_t bytes_needed(const struct rp_lmdb *ob, const struct rp_new_entry *entries, size_t n)
{
	uint64_t need = RP_COMMIT_OVERHEAD_PAGES * ob->page_bytes;
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

/* Names of a batch whose ids are known: looking one up costs a SHA-256, and a flood names few
 * endpoints. The spans are the caller's and live as long as the batch. */
#define NAME_CACHE 64
struct name_cache {
	struct rp_span name[NAME_CACHE];
	uint64_t id[NAME_CACHE];
};

static enum rp_err endpoint_id(struct rp_txn *t, struct name_cache *cache, struct rp_span name,
			       uint64_t *id, struct rp_error *err)
{
	size_t i = rp_payload_hash(name.ptr, name.len) % NAME_CACHE;
	enum rp_err e;

	if (cache->name[i].len == name.len && memcmp(cache->name[i].ptr, name.ptr, name.len) == 0) {
		*id = cache->id[i];
		return RP_OK;
	}
	e = rp_ep_intern(t, name, id, err);
	cache->name[i] = name;
	cache->id[i] = *id;
	return e;
}

/* What a batch needs from entry to entry. Random bytes are drawn for several ids at once. */
#define ID_RANDOM_BYTES 10
struct batch {
	struct name_cache cache;
	unsigned char random[25 * ID_RANDOM_BYTES];
	size_t random_left;
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
	return rp_db_fail(t->ob, rc, "seen", err);
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
	e = endpoint_id(t, &b->cache, n->endpoint, &a.endpoint, err);
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
	return rp_entry_move(t, out->seq, NULL, &d, err);
}

enum rp_err rp_lmdb_append(struct rp_outbox *outbox, int64_t now_at_ms,
			   const struct rp_new_entry *entries, size_t n, struct rp_appended *out,
			   struct rp_error *err)
{
	struct rp_lmdb *ob = rp_lmdb_of(outbox);
	struct batch b = {.random_left = 0};
	struct rp_txn t;
	enum rp_err e = rp_txn_write(ob, now_at_ms, &t, err);
	size_t i;

	if (e != RP_OK)
		return e;
	ob->body_at = 0;
	e = rp_room_check(ob, bytes_needed(ob, entries, n), err);
	for (i = 0; i < n && e == RP_OK; i++)
		e = append_one(&t, &b, &entries[i], n - i, &out[i], err);
	if (e != RP_OK || !t.dirty) {
		rp_txn_end(&t);
		return e;
	}
	e = rp_txn_commit(&t, err);
	if (e == RP_OK)
		rp_wakeup_ring(ob);
	return e;
}
