/* memory_claim.c - hands out claims; model/claim_walk.h says what comes next. */

#include "conformance/memory/memory_int.h"
#include "model/claim_walk.h"
#include "store/claims.h"

struct rp_level_limits mem_ask(struct mem_txn *t, const struct rp_exchange *x, uint64_t id)
{
	struct rp_level_limits limits;

	x->limits(x->limits_arg, mem_endpoint(t->s, id)->name, &limits);
	return limits;
}

/* --- the entries of a path --------------------------------------------------------------- */

/* The first of its entries that is due; NULL: there is none. */
static struct mem_entry *first_due(struct mem_txn *t, uint64_t path)
{
	struct mem_entry *first = NULL;

	MEM_EACH (struct mem_entry, e, &t->s->entries)
		if (e->d.endpoint == path && e->d.state == RP_STATE_WAITING && !e->d.behind &&
		    e->d.due_at_ms <= t->now_at_ms &&
		    (first == NULL || e->d.due_at_ms < first->d.due_at_ms))
			first = e;
	return first;
}

static void claim_one(struct mem_txn *t, struct rp_exchange *x, const struct mem_entry *e,
		      unsigned lacks)
{
	const struct rp_receiver r = mem_receiver(t->s, e->d.endpoint);
	const uint64_t seq = e->seq;
	struct rp_delivery from = e->d, to;
	const struct rp_claim_try by = {.endpoint = from.endpoint,
					.due_at_ms = from.due_at_ms,
					.endpoint_is_gone = r.at[RP_LEVEL_PATH]->disabled,
					.slot = t->by->me.slot,
					.lacks = lacks,
					.now_at_ms = t->now_at_ms};
	struct rp_claim *c;

	if (rp_transition_claim(&from, &by, &to) != RP_CLAIM_TAKEN) {
		x->n_dead++;
		mem_move(t, seq, &from, &to);
		return;
	}
	c = rp_claims_hand_out(x, &r, from.endpoint, seq, &to, t->now_at_ms);
	mem_move(t, seq, &from, &to);
	rp_claims_moved(c, &r, &to);
}

/* --- what the walk asks of this store ---------------------------------------------------- */

struct claiming {
	struct mem_txn *t;
	struct rp_exchange *x;
	struct rp_receiver_room room;
	struct rp_claim_walk walk;
};

static enum rp_err due(void *arg, uint64_t queue, struct rp_walk_row from, struct rp_walk_row *row,
		       bool *any, struct rp_error *err)
{
	const struct claiming *c = arg;
	const struct mem_endpoint *ep = mem_first_ready(c->t->s, queue, from.ready_at_ms, from.id);

	(void)err;
	*any = ep != NULL && ep->rec.ready_at_ms <= c->t->now_at_ms;
	if (*any)
		*row = (struct rp_walk_row){ep->rec.ready_at_ms, ep->id};
	return RP_OK;
}

static enum rp_err meet(void *arg, uint64_t queue, struct rp_walk_row row,
			struct rp_walk_node *node, bool *own, struct rp_error *err)
{
	(void)arg;
	(void)queue;
	(void)row;
	(void)node;
	(void)err;
	*own = true;
	return RP_OK;
}

/* Places move when one is made or goes, so each is found by its number. */
static const struct rp_endpoint *rec(void *arg, const struct rp_walk_node *node)
{
	const struct claiming *c = arg;

	return &mem_endpoint(c->t->s, node->id)->rec;
}

static void changed(void *arg, const struct rp_walk_node *node, bool served)
{
	const struct claiming *c = arg;

	if (served)
		mem_endpoint(c->t->s, node->id)->rec.served_at_ms = c->t->now_at_ms;
	mem_changed(c->t, node->id);
}

/* A section's limits are those that its paths ask for. */
static enum rp_err look(void *arg, const struct rp_walk_node *node, struct rp_error *err)
{
	const struct claiming *c = arg;
	const enum rp_level level = rp_level_of(node->id);
	struct rp_level_limits limits;
	struct rp_receiver r;
	bool differ;

	(void)err;
	if (level == RP_LEVEL_SECTION)
		return RP_OK;
	limits = mem_ask(c->t, c->x, node->id);
	if (level == RP_LEVEL_HOST) {
		if (rp_control_apply(&mem_endpoint(c->t->s, node->id)->rec.control,
				     &limits.at[level]))
			mem_changed(c->t, node->id);
		return RP_OK;
	}
	mem_set_section(c->t, node->id, limits.section);
	r = mem_receiver(c->t->s, node->id);
	differ = rp_control_apply(&r.at[level]->control, &limits.at[level]);
	if (r.at[RP_LEVEL_SECTION] != NULL)
		differ = rp_control_apply(&r.at[RP_LEVEL_SECTION]->control,
					  &limits.at[RP_LEVEL_SECTION]) ||
			 differ;
	if (differ)
		mem_changed(c->t, node->id);
	return RP_OK;
}

static enum rp_err take(void *arg, const struct rp_walk_node *path, bool *any, struct rp_error *err)
{
	struct claiming *c = arg;
	const struct rp_receiver r = mem_receiver(c->t->s, path->id);
	enum rp_receiver_take may = rp_receiver_take(&r, &c->room, c->t->now_at_ms);
	const struct mem_entry *e = may == RP_TAKE_NEXT ? first_due(c->t, path->id) : NULL;

	(void)err;
	c->walk.passed_over = c->walk.passed_over || may == RP_TAKE_PASSED_OVER;
	*any = e != NULL;
	if (e != NULL)
		claim_one(c->t, c->x, e, 0);
	c->room = rp_claims_room(c->x);
	return RP_OK;
}

static enum rp_err take_ahead(void *arg, const struct rp_walk_node *path, enum rp_level from,
			      bool *any, struct rp_error *err)
{
	struct claiming *c = arg;
	const struct rp_receiver r = mem_receiver(c->t->s, path->id);
	const struct mem_entry *e = NULL;
	unsigned lacks;

	(void)err;
	if (rp_receiver_is_ahead(&r, from, c->t->now_at_ms, &lacks))
		e = first_due(c->t, path->id);
	*any = e != NULL;
	if (e != NULL)
		claim_one(c->t, c->x, e, lacks);
	c->room = rp_claims_room(c->x);
	return RP_OK;
}

static enum rp_err find(void *arg, uint64_t id, struct rp_walk_node *node, bool *any,
			struct rp_error *err)
{
	const struct claiming *c = arg;

	(void)node;
	(void)err;
	*any = mem_endpoint(c->t->s, id) != NULL;
	return RP_OK;
}

void mem_claim(struct mem_txn *t, struct rp_exchange *x)
{
	static const struct rp_walk_ops ops = {due,     meet, rec,        look,
					       changed, take, take_ahead, find};
	struct claiming c;
	struct rp_error err;
	bool any = true;
	size_t i;

	c.t = t;
	c.x = x;
	c.room = rp_claims_room(x);
	rp_claim_walk_begin(&c.walk, &ops, &c, &c.room, t->now_at_ms);
	while (any && x->n_claims < x->want)
		rp_claim_walk(&c.walk, &any, &err);
	for (i = 0; i < x->n_ahead; i++)
		rp_claim_walk_ahead(&c.walk, x->ahead[i].id, x->ahead[i].want, &err);
	x->passed_over = c.walk.passed_over;
}
