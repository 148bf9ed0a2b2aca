/* claim.c - hands out claims. model/claim_walk.h says what comes next; this file has the rows. */

#include "store/lmdb/claim.h"

#include <inttypes.h>

#include "base/log.h"
#include "model/claim_walk.h"
#include "model/transition.h"
#include "store/claims.h"
#include "store/lmdb/endpoint.h"
#include "store/lmdb/entry_rows.h"
#include "store/lmdb/handle.h"
#include "store/lmdb/move.h"
#include "store/lmdb/reconstruct.h"
#include "store/lmdb/row.h"
#include "store/lmdb/txn.h"

enum rp_err rp_ep_ask(struct rp_txn *t, const struct rp_exchange *x, const struct rp_ep *ep,
		      struct rp_level_limits *limits, struct rp_error *err)
{
	struct rp_span name;
	enum rp_err e = rp_ep_name(t, ep->id, &name, err);

	if (e != RP_OK && e != RP_ERR_NOTFOUND)
		return e;
	x->limits(x->limits_arg, name, limits);
	return RP_OK;
}

/* --- the entries of a path ---------------------------------------------------------- */

/* A queue row without a waiting entry behind it is damage; left alone it would be met, and its
 * entry sent, again and again. */
static enum rp_err drop_stray(struct rp_txn *t, struct rp_ep *ep, uint64_t seq, int64_t due_at_ms,
			      struct rp_error *err)
{
	rp_log(RP_LOG_ERROR, "damage", "seq=%" PRIu64 " what=stray_queue_row", seq);
	rp_ep_changed(t, ep);
	return rp_row_del(t, RP_T_QUEUE, rp_key3(ep->id, (uint64_t)due_at_ms, seq), err);
}

/* The first of its entries; *any: there is one, and it is due. */
static enum rp_err first_due(struct rp_txn *t, const struct rp_ep *ep, uint64_t *seq,
			     int64_t *due_at_ms, bool *any, struct rp_error *err)
{
	uint64_t key[3];
	enum rp_err e = rp_row_first(t, RP_T_QUEUE, rp_key3(ep->id, 0, 0), key, 3, NULL, err);

	*any = e == RP_OK && key[0] == ep->id && (int64_t)key[1] <= t->now_at_ms;
	if (*any) {
		*seq = key[2];
		*due_at_ms = (int64_t)key[1];
	}
	return e == RP_ERR_NOTFOUND ? RP_OK : e;
}

static enum rp_err claim_one(struct rp_txn *t, struct rp_exchange *x, struct rp_ep *ep,
			     uint64_t seq, int64_t due_at_ms, unsigned lacks, struct rp_error *err)
{
	struct rp_claim_try by = {.endpoint = ep->id,
				  .due_at_ms = due_at_ms,
				  .endpoint_is_gone = ep->rec.disabled,
				  .slot = t->ob->me.slot,
				  .lacks = lacks,
				  .now_at_ms = t->now_at_ms};
	const struct rp_receiver r = rp_ep_receiver(ep);
	struct rp_delivery from, to;
	enum rp_claim_verdict verdict;
	struct rp_claim *c;
	enum rp_err e = rp_entry_delivery(t, seq, &from, err);

	if (e == RP_ERR_DAMAGED) {
		rp_log(RP_LOG_ERROR, "damage", "seq=%" PRIu64 " what=delivery_record", seq);
		by.damaged = true;
		e = rp_entry_reconstruct(t, seq, &from, err);
	}
	if (e != RP_OK)
		return e == RP_ERR_NOTFOUND ? drop_stray(t, ep, seq, due_at_ms, err) : e;
	verdict = rp_transition_claim(&from, &by, &to);
	if (verdict == RP_CLAIM_STRAY)
		return drop_stray(t, ep, seq, due_at_ms, err);
	if (verdict == RP_CLAIM_DEAD) {
		x->n_dead++;
		return rp_entry_move(t, seq, &from, &to, err);
	}
	c = rp_claims_hand_out(x, &r, ep->id, seq, &to, t->now_at_ms);
	e = rp_entry_move(t, seq, &from, &to, err);
	rp_claims_moved(c, &r, &to);
	return e;
}

/* --- what the walk asks of this store (model/claim_walk.h) ------------------------- */

struct claiming {
	struct rp_txn *t;
	struct rp_exchange *x;
	struct rp_receiver_room room;
	struct rp_claim_walk walk;
};

static enum rp_err due(void *arg, uint64_t queue, struct rp_walk_row from, struct rp_walk_row *row,
		       bool *any, struct rp_error *err)
{
	const struct claiming *c = arg;
	uint64_t key[3];
	enum rp_err e =
	    rp_row_first(c->t, RP_T_READY, rp_key3(queue, (uint64_t)from.ready_at_ms, from.id), key,
			 3, NULL, err);

	*any = e == RP_OK && key[0] == queue && (int64_t)key[1] <= c->t->now_at_ms;
	if (*any)
		*row = (struct rp_walk_row){(int64_t)key[1], key[2]};
	return e == RP_ERR_NOTFOUND ? RP_OK : e;
}

static enum rp_err meet(void *arg, uint64_t queue, struct rp_walk_row row,
			struct rp_walk_node *node, bool *own, struct rp_error *err)
{
	const struct claiming *c = arg;
	struct rp_ep *ep;
	enum rp_err e = rp_ep_get(c->t, row.id, &ep, err);

	if (e != RP_OK)
		return e;
	node->ref = ep;
	/* The row of one that was damaged went when it was rebuilt: it was its own. */
	*own = ep->rebuilt || (ep->row_queue == queue && ep->row_at_ms == row.ready_at_ms);
	if (*own)
		return RP_OK;
	/* Left there, it would be looked at in every exchange for ever. */
	rp_log(RP_LOG_ERROR, "damage", "endpoint=%" PRIu64 " what=agenda_row", row.id);
	e = rp_row_del(c->t, RP_T_READY, rp_key3(queue, (uint64_t)row.ready_at_ms, row.id), err);
	return e == RP_ERR_NOTFOUND ? RP_OK : e;
}

static const struct rp_endpoint *rec(void *arg, const struct rp_walk_node *node)
{
	const struct rp_ep *ep = node->ref;

	(void)arg;
	return &ep->rec;
}

static void changed(void *arg, const struct rp_walk_node *node, bool served)
{
	const struct claiming *c = arg;
	struct rp_ep *ep = node->ref;

	if (served)
		ep->rec.served_at_ms = c->t->now_at_ms;
	rp_ep_changed(c->t, ep);
}

/* A section's limits are those that its paths ask for. */
static enum rp_err look(void *arg, const struct rp_walk_node *node, struct rp_error *err)
{
	const struct claiming *c = arg;
	struct rp_ep *ep = node->ref;
	enum rp_level level = ep->rec.level;
	struct rp_level_limits limits;
	enum rp_err e;

	if (level == RP_LEVEL_SECTION)
		return RP_OK;
	e = rp_ep_ask(c->t, c->x, ep, &limits, err);
	if (e == RP_OK && level == RP_LEVEL_PATH)
		e = rp_ep_set_section(c->t, ep, limits.section, err);
	if (e != RP_OK)
		return e;
	if (rp_control_apply(&ep->rec.control, &limits.at[level]))
		rp_ep_changed(c->t, ep);
	if (ep->section != NULL &&
	    rp_control_apply(&ep->section->rec.control, &limits.at[RP_LEVEL_SECTION]))
		rp_ep_changed(c->t, ep);
	return RP_OK;
}

static enum rp_err take(void *arg, const struct rp_walk_node *path, bool *any, struct rp_error *err)
{
	struct claiming *c = arg;
	struct rp_ep *ep = path->ref;
	const struct rp_receiver r = rp_ep_receiver(ep);
	enum rp_receiver_take may = rp_receiver_take(&r, &c->room, c->t->now_at_ms);
	uint64_t seq;
	int64_t due_at_ms;
	enum rp_err e;

	*any = false;
	if (may != RP_TAKE_NEXT) {
		c->walk.passed_over = c->walk.passed_over || may == RP_TAKE_PASSED_OVER;
		return RP_OK;
	}
	e = first_due(c->t, ep, &seq, &due_at_ms, any, err);
	if (e == RP_OK && *any)
		e = claim_one(c->t, c->x, ep, seq, due_at_ms, 0, err);
	c->room = rp_claims_room(c->x);
	return e;
}

static enum rp_err take_ahead(void *arg, const struct rp_walk_node *path, enum rp_level from,
			      bool *any, struct rp_error *err)
{
	struct claiming *c = arg;
	struct rp_ep *ep = path->ref;
	const struct rp_receiver r = rp_ep_receiver(ep);
	uint64_t seq;
	int64_t due_at_ms;
	unsigned lacks;
	enum rp_err e;

	*any = rp_receiver_is_ahead(&r, from, c->t->now_at_ms, &lacks);
	if (!*any)
		return RP_OK;
	e = first_due(c->t, ep, &seq, &due_at_ms, any, err);
	if (e == RP_OK && *any)
		e = claim_one(c->t, c->x, ep, seq, due_at_ms, lacks, err);
	c->room = rp_claims_room(c->x);
	return e;
}

static enum rp_err find(void *arg, uint64_t id, struct rp_walk_node *node, bool *any,
			struct rp_error *err)
{
	const struct claiming *c = arg;
	struct rp_ep *ep;
	MDB_val v;
	enum rp_err e = rp_row_get(c->t, RP_T_ENDPOINT, rp_key1(id), &v, err);

	*any = e == RP_OK;
	if (e != RP_OK)
		return e == RP_ERR_NOTFOUND ? RP_OK : e;
	e = rp_ep_get(c->t, id, &ep, err);
	node->ref = ep;
	*any = e == RP_OK && !ep->removed;
	return e;
}

enum rp_err rp_claim(struct rp_txn *t, struct rp_exchange *x, struct rp_error *err)
{
	static const struct rp_walk_ops ops = {due,     meet, rec,        look,
					       changed, take, take_ahead, find};
	struct claiming c;
	bool any = true;
	enum rp_err e = RP_OK;
	size_t i;

	c.t = t;
	c.x = x;
	c.room = rp_claims_room(x);
	rp_claim_walk_begin(&c.walk, &ops, &c, &c.room, t->now_at_ms);
	while (e == RP_OK && any && x->n_claims < x->want)
		e = rp_claim_walk(&c.walk, &any, err);
	for (i = 0; i < x->n_ahead && e == RP_OK; i++)
		e = rp_claim_walk_ahead(&c.walk, x->ahead[i].id, x->ahead[i].want, err);
	x->passed_over = c.walk.passed_over;
	return e;
}

enum rp_err rp_claim_first_ready(struct rp_txn *t, int64_t *at_ms, struct rp_error *err)
{
	static const uint64_t queues[] = {RP_QUEUE_PROVEN, RP_QUEUE_UNPROVEN};
	uint64_t key[3];
	enum rp_err e;
	size_t i;

	*at_ms = RP_NEVER;
	for (i = 0; i < 2; i++) {
		e = rp_row_first(t, RP_T_READY, rp_key3(queues[i], 0, 0), key, 3, NULL, err);
		if (e != RP_OK && e != RP_ERR_NOTFOUND)
			return e;
		if (e == RP_OK && key[0] == queues[i] && (int64_t)key[1] < *at_ms)
			*at_ms = (int64_t)key[1];
	}
	return RP_OK;
}
