/* endpoint_met.c - remembers which endpoints a transaction has met. Their memory is kept between
 * transactions, since each exchange meets some. */

#include "store/lmdb/endpoint.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "store/lmdb/handle.h"
#include "store/lmdb/txn.h"

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

struct rp_ep *rp_ep_met(const struct rp_lmdb *ob, uint64_t id)
{
	size_t i = ob->n_eps > 0 ? index_place(ob, id) : 0;

	return ob->n_eps > 0 && ob->ep_index[i] != 0 ? ob->eps[ob->ep_index[i] - 1] : NULL;
}

struct rp_ep *rp_ep_add(struct rp_lmdb *ob, uint64_t id)
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
	ep->rec.level = rp_level_of(id);
	ep->rec.ready_at_ms = RP_NEVER;
	ep->rec.first_due_at_ms = RP_NEVER;
	ep->row_at_ms = ep->row_due_at_ms = RP_NEVER;
	ob->ep_index[index_place(ob, id)] = (uint32_t)++ob->n_eps;
	return ep;
}

void rp_ep_leave_section(struct rp_txn *t, struct rp_ep *path)
{
	rp_ep_changed(t, path);
	if (!rp_receiver_leave(&path->section->rec, &path->rec))
		rp_log(RP_LOG_ERROR, "damage", "endpoint=%" PRIu64 " what=counter",
		       path->section->id);
	path->section = NULL;
	path->rec.section = 0;
}

struct rp_receiver rp_ep_receiver(struct rp_ep *path)
{
	return (struct rp_receiver){
	    {&path->rec, path->section != NULL ? &path->section->rec : NULL, &path->host->rec}};
}

void rp_ep_changed(struct rp_txn *t, struct rp_ep *ep)
{
	ep->dirty = t->dirty = true;
	if (ep->section != NULL)
		ep->section->dirty = true;
	if (ep->host != NULL)
		ep->host->dirty = true;
}
