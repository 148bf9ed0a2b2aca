/* endpoint_batch.c - finds the endpoints of a batch by their names. The table of names is in the
 * order of their hashes: a batch that asked for one name after the other would come to another page
 * for each, and again for each that is new. So all are asked for in that order, and the new ones
 * are entered in it. */

#include "store/lmdb/endpoint.h"

#include <stdlib.h>
#include <string.h>

#include "model/record.h"
#include "store/lmdb/handle.h"
#include "store/lmdb/row.h"
#include "store/lmdb/txn.h"
#include "store/outbox.h"

/* A name that was asked for. A flood names few endpoints, and a hash costs more than a look at
 * those that came before: most that come again are found there, and some are asked for twice. */
struct asked {
	struct rp_span name;
	struct rp_key key;
	uint64_t id;   /* 0: there is none by this name yet */
	uint32_t same; /* the place of the first that has this name */
	bool made;
};

struct order {
	uint64_t hash[2];
	uint32_t at; /* its place */
};

struct rp_ep_names {
	struct asked *asked;
	struct order *order;
	uint32_t *of; /* of each entry: the place of its name */
	size_t n, capacity;
};

void rp_ep_names_free(struct rp_ep_names *a)
{
	if (a == NULL)
		return;
	free(a->asked);
	free(a->order);
	free(a->of);
	free(a);
}

static bool make_room(struct rp_lmdb *ob, size_t n)
{
	struct rp_ep_names *a = ob->names;

	if (a != NULL && a->capacity >= n)
		return true;
	rp_ep_names_free(a);
	a = ob->names = calloc(1, sizeof *a);
	if (a == NULL)
		return false;
	a->asked = malloc(n * sizeof a->asked[0]);
	a->order = malloc(n * sizeof a->order[0]);
	a->of = malloc(n * sizeof a->of[0]);
	if (a->asked != NULL && a->order != NULL && a->of != NULL)
		a->capacity = n;
	return a->capacity > 0;
}

#define RECENT 64

static void ask(struct rp_ep_names *a, const struct rp_new_entry *entries, size_t n)
{
	uint32_t recent[RECENT] = {0}; /* place + 1 */
	size_t i;

	a->n = 0;
	for (i = 0; i < n; i++) {
		const struct rp_span name = entries[i].endpoint;
		uint32_t *met = &recent[rp_payload_hash(name.ptr, name.len) % RECENT];
		struct asked *q = *met > 0 ? &a->asked[*met - 1] : NULL;
		struct rp_reader r;

		if (q == NULL || q->name.len != name.len ||
		    memcmp(q->name.ptr, name.ptr, name.len) != 0) {
			q = &a->asked[a->n];
			*q = (struct asked){name, rp_ep_key(RP_LEVEL_PATH, name), 0, (uint32_t)a->n,
					    false};
			r = rp_reader_of(q->key.bytes, q->key.len);
			a->order[a->n].hash[0] = rp_get_u64(&r);
			a->order[a->n].hash[1] = rp_get_u64(&r);
			a->order[a->n].at = (uint32_t)a->n;
			*met = (uint32_t)++a->n;
		}
		a->of[i] = *met - 1;
	}
}

static bool is_before(const struct order *x, const struct order *y)
{
	if (x->hash[0] != y->hash[0])
		return x->hash[0] < y->hash[0];
	return x->hash[1] != y->hash[1] ? x->hash[1] < y->hash[1] : x->at < y->at;
}

/* Of a heap that is one but for its element i. */
static void sink(struct order *o, size_t i, size_t n)
{
	const struct order moved = o[i];
	size_t child;

	for (; (child = 2 * i + 1) < n; i = child) {
		child += child + 1 < n && is_before(&o[child], &o[child + 1]);
		if (!is_before(&moved, &o[child]))
			break;
		o[i] = o[child];
	}
	o[i] = moved;
}

/* qsort asks for memory each time, whose pages the kernel has to bring. */
static void sort(struct order *o, size_t n)
{
	size_t i;

	for (i = n / 2; i > 0; i--)
		sink(o, i - 1, n);
	for (i = n; i > 1; i--) {
		const struct order last = o[i - 1];

		o[i - 1] = o[0];
		o[0] = last;
		sink(o, 0, i - 1);
	}
}

enum rp_err rp_ep_names_find(struct rp_txn *t, const struct rp_new_entry *entries, size_t n,
			     struct rp_error *err)
{
	struct rp_ep_names *a;
	enum rp_err e = RP_OK;
	size_t i;

	if (!make_room(t->ob, n > 0 ? n : 1))
		return rp_fail(err, RP_ERR_NOMEM, "out of memory");
	a = t->ob->names;
	ask(a, entries, n);
	sort(a->order, a->n);
	for (i = 0; i < a->n && e == RP_OK; i++) {
		struct asked *q = &a->asked[a->order[i].at];
		struct asked *before = i > 0 ? &a->asked[a->order[i - 1].at] : NULL;

		if (before != NULL && memcmp(before->key.bytes, q->key.bytes, q->key.len) == 0) {
			q->same = before->same;
			continue;
		}
		e = rp_ep_find_key(t, q->key, &q->id, err);
		if (e == RP_ERR_NOTFOUND)
			e = RP_OK;
	}
	return e;
}

enum rp_err rp_ep_names_id(struct rp_txn *t, size_t i, uint64_t *id, struct rp_error *err)
{
	struct rp_ep_names *a = t->ob->names;
	struct asked *q = &a->asked[a->asked[a->of[i]].same];
	enum rp_err e = RP_OK;

	if (q->id == 0) {
		e = rp_ep_make_path(t, q->name, &q->id, err);
		q->made = true;
	}
	*id = q->id;
	return e;
}

enum rp_err rp_ep_names_enter(struct rp_txn *t, struct rp_error *err)
{
	struct rp_ep_names *a = t->ob->names;
	enum rp_err e = RP_OK;
	size_t i;

	for (i = 0; a != NULL && i < a->n && e == RP_OK; i++) {
		const struct asked *q = &a->asked[a->order[i].at];

		if (q->made)
			e = rp_ep_put_key(t, q->key, q->id, err);
	}
	return e;
}
