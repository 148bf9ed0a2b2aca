/* endpoint.c - keeps endpoints: names, counters, and the place in the ready queue. It holds those
 * that a transaction touched in memory and writes each once, before the commit. */

#include "store/lmdb/store_int.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/assert.h"
#include "base/log.h"
#include "sign/crypto.h"

#define NAME_HASH_BYTES 16

void rp_ep_forget(struct rp_lmdb *ob)
{
	if (ob->n_eps > 0)
		memset(ob->ep_index, 0, ob->ep_index_size * sizeof ob->ep_index[0]);
	ob->n_eps = 0;
}

static size_t index_place(const struct rp_lmdb *ob, uint64_t id)
{
	size_t mask = ob->ep_index_size - 1;
	size_t i = (size_t)(id * UINT64_C(0x9e3779b97f4a7c15) >> 32) & mask;

	while (ob->ep_index[i] != 0 && ob->eps[ob->ep_index[i] - 1]->id != id)
		i = (i + 1) & mask;
	return i;
}

static bool grow(struct rp_lmdb *ob)
{
	size_t cap = ob->cap_eps != 0 ? ob->cap_eps * 2 : 64, i;
	uint32_t *index = calloc(cap * 2, sizeof index[0]);
	struct rp_ep **eps = index != NULL ? realloc(ob->eps, cap * sizeof eps[0]) : NULL;

	if (eps == NULL) {
		free(index);
		return false;
	}
	memset(eps + ob->cap_eps, 0, (cap - ob->cap_eps) * sizeof eps[0]);
	ob->eps = eps;
	ob->cap_eps = cap;
	free(ob->ep_index);
	ob->ep_index = index;
	ob->ep_index_size = cap * 2;
	for (i = 0; i < ob->n_eps; i++)
		ob->ep_index[index_place(ob, ob->eps[i]->id)] = (uint32_t)i + 1;
	return true;
}

/* A zeroed place for an endpoint that is not in the transaction yet. */
static struct rp_ep *add(struct rp_lmdb *ob, uint64_t id)
{
	struct rp_ep *ep;

	if (ob->n_eps == ob->cap_eps && !grow(ob))
		return NULL;
	ep = ob->eps[ob->n_eps];
	if (ep == NULL) {
		ep = malloc(sizeof *ep);
		if (ep == NULL)
			return NULL;
		ob->eps[ob->n_eps] = ep;
	}
	memset(ep, 0, sizeof *ep);
	ep->id = id;
	ob->ep_index[index_place(ob, id)] = (uint32_t)++ob->n_eps;
	return ep;
}

/* Counters of a damaged endpoint record, from every delivery. Rare, so a full walk is fine. The
 * ready queue rows it may have left are found by looking: the record no longer knows its key. */
static enum rp_err rebuild(struct rp_txn *t, struct rp_ep *ep, struct rp_error *err)
{
	uint64_t key[3] = {0, 0, 0};
	enum rp_err e;
	MDB_val v;

	rp_log(RP_LOG_WARN, "endpoint_rebuilt", "endpoint=%" PRIu64 " reason=checksum", ep->id);
	ep->rec.ready_at_ms = RP_NEVER;
	ep->dirty = true;
	while ((e = rp_row_first(t, RP_T_DELIVERY, rp_key1(key[0]), key, 1, &v, err)) == RP_OK) {
		struct rp_delivery d;

		/* A damaged one counts as what it will be taken for when its turn comes. */
		if (!rp_delivery_unpack(&d, key[0], v.mv_data, v.mv_size)) {
			e = rp_entry_reconstruct(t, key[0], &d, err);
			if (e != RP_OK)
				return e;
		}
		if (d.endpoint == ep->id)
			ep->rec.count[d.state]++;
		key[0]++;
	}
	if (e != RP_ERR_NOTFOUND)
		return e;
	key[0] = key[1] = 0;
	while ((e = rp_row_first(t, RP_T_READY, rp_key2(key[0], key[1]), key, 2, NULL, err)) ==
	       RP_OK) {
		if (key[1] == ep->id) {
			e = rp_row_del(t, RP_T_READY, rp_key2(key[0], key[1]), err);
			if (e != RP_OK)
				return e;
		}
		key[1]++;
	}
	return e == RP_ERR_NOTFOUND ? RP_OK : e;
}

enum rp_err rp_ep_get(struct rp_txn *t, uint64_t id, struct rp_ep **out, struct rp_error *err)
{
	struct rp_lmdb *ob = t->ob;
	enum rp_err e;
	MDB_val v;

	if (ob->n_eps > 0) {
		size_t i = index_place(ob, id);

		if (ob->ep_index[i] != 0) {
			*out = ob->eps[ob->ep_index[i] - 1];
			return RP_OK;
		}
	}
	e = rp_row_get(t, RP_T_ENDPOINT, rp_key1(id), &v, err);
	if (e != RP_OK && e != RP_ERR_NOTFOUND)
		return e;
	*out = add(ob, id);
	if (*out == NULL)
		return rp_fail(err, RP_ERR_NOMEM, "out of memory");
	if (e != RP_OK || !rp_endpoint_unpack(&(*out)->rec, id, v.mv_data, v.mv_size))
		e = rebuild(t, *out, err);
	(*out)->was_in_flight = (*out)->rec.count[RP_STATE_IN_FLIGHT];
	return e;
}

static struct rp_key name_key(struct rp_span name)
{
	unsigned char sha[RP_SHA256_BYTES];
	struct rp_key key = {{0}, NAME_HASH_BYTES};

	rp_sha256(&name, 1, sha);
	memcpy(key.bytes, sha, NAME_HASH_BYTES);
	return key;
}

enum rp_err rp_ep_find(struct rp_txn *t, struct rp_span name, uint64_t *id, struct rp_error *err)
{
	struct rp_reader r;
	MDB_val v;
	enum rp_err e = rp_row_get(t, RP_T_ENDPOINT_ID, name_key(name), &v, err);

	if (e != RP_OK)
		return e;
	r = rp_reader_of(v.mv_data, v.mv_size);
	*id = rp_get_u64(&r);
	return RP_OK;
}

enum rp_err rp_ep_intern(struct rp_txn *t, struct rp_span name, uint64_t *id, struct rp_error *err)
{
	unsigned char buf[8];
	struct rp_writer w = rp_writer_of(buf, sizeof buf);
	struct rp_ep *ep;
	enum rp_err e = rp_ep_find(t, name, id, err);

	if (e != RP_ERR_NOTFOUND)
		return e;
	*id = t->head.next_endpoint++;
	rp_put_u64(&w, *id);
	e = rp_row_put(t, RP_T_ENDPOINT_ID, name_key(name), buf, sizeof buf, 0, err);
	if (e == RP_OK)
		e = rp_row_put(t, RP_T_ENDPOINT_NAME, rp_key1(*id), name.ptr, name.len, MDB_APPEND,
			       err);
	if (e != RP_OK)
		return e;
	ep = add(t->ob, *id);
	if (ep == NULL)
		return rp_fail(err, RP_ERR_NOMEM, "out of memory");
	ep->rec.ready_at_ms = RP_NEVER;
	ep->dirty = true;
	return RP_OK;
}

enum rp_err rp_ep_name(struct rp_txn *t, uint64_t id, struct rp_span *name, struct rp_error *err)
{
	MDB_val v;
	enum rp_err e = rp_row_get(t, RP_T_ENDPOINT_NAME, rp_key1(id), &v, err);

	*name = (struct rp_span){NULL, 0};
	if (e == RP_OK)
		*name = (struct rp_span){v.mv_data, v.mv_size};
	return e;
}

/* Its place in the ready queue, now that it has changed. */
static enum rp_err look_at(struct rp_txn *t, const struct rp_ep *ep, int64_t *at_ms,
			   struct rp_error *err)
{
	int64_t first_due_at_ms = RP_NEVER;
	uint64_t key[3];
	enum rp_err e = RP_OK;

	if (rp_schedule_asks_first_due(&ep->rec)) {
		e = rp_row_first(t, RP_T_QUEUE, rp_key3(ep->id, 0, 0), key, 3, NULL, err);
		if (e == RP_OK && key[0] == ep->id)
			first_due_at_ms = (int64_t)key[1];
	}
	*at_ms = rp_schedule_ready_at_ms(&ep->rec, first_due_at_ms, t->now_at_ms);
	return e == RP_ERR_NOTFOUND ? RP_OK : e;
}

static enum rp_err remove_endpoint(struct rp_txn *t, uint64_t id, struct rp_error *err)
{
	struct rp_span name;
	enum rp_err e = rp_ep_name(t, id, &name, err);

	if (e == RP_OK)
		e = rp_row_del(t, RP_T_ENDPOINT_ID, name_key(name), err);
	if (e == RP_OK || e == RP_ERR_NOTFOUND)
		e = rp_row_del(t, RP_T_ENDPOINT_NAME, rp_key1(id), err);
	if (e == RP_OK || e == RP_ERR_NOTFOUND)
		e = rp_row_del(t, RP_T_ENDPOINT, rp_key1(id), err);
	return e == RP_ERR_NOTFOUND ? RP_OK : e;
}

static enum rp_err flush_one(struct rp_txn *t, struct rp_ep *ep, struct rp_error *err)
{
	unsigned char buf[RP_ENDPOINT_BYTES];
	int64_t at_ms;
	enum rp_err e;
	size_t n;

	rp_schedule_fix_clock(&ep->rec, t->now_at_ms);
	e = look_at(t, ep, &at_ms, err);
	if (e == RP_OK && at_ms != ep->rec.ready_at_ms) {
		if (ep->rec.ready_at_ms != RP_NEVER) {
			e = rp_row_del(t, RP_T_READY,
				       rp_key2((uint64_t)ep->rec.ready_at_ms, ep->id), err);
			if (e == RP_ERR_NOTFOUND)
				e = RP_OK;
		}
		if (e == RP_OK && at_ms != RP_NEVER)
			e = rp_row_put(t, RP_T_READY, rp_key2((uint64_t)at_ms, ep->id), "", 0, 0,
				       err);
		ep->rec.ready_at_ms = at_ms;
	}
	if (e != RP_OK)
		return e;
	ep->dirty = false;
	if (rp_schedule_is_over(&ep->rec, t->now_at_ms))
		return remove_endpoint(t, ep->id, err);
	n = rp_endpoint_pack(&ep->rec, ep->id, buf, sizeof buf);
	assert(n > 0);
	return rp_row_put(t, RP_T_ENDPOINT, rp_key1(ep->id), buf, n, 0, err);
}

enum rp_err rp_ep_flush(struct rp_txn *t, struct rp_error *err)
{
	enum rp_err e = RP_OK;
	size_t i;

	for (i = 0; i < t->ob->n_eps && e == RP_OK; i++)
		if (t->ob->eps[i]->dirty)
			e = flush_one(t, t->ob->eps[i], err);
	return e;
}
