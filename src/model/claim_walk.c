/* Whose turn it is, what is looked at, and what is left alone. It stands apart from receiver.c,
 * which sees one receiver at a time. */
#include "model/claim_walk.h"

static const struct rp_endpoint *rec_of(struct rp_claim_walk *w, const struct rp_walk_node *node)
{
	return w->ops->rec(w->arg, node);
}

static enum rp_receiver_take level_take(struct rp_claim_walk *w, const struct rp_walk_node *node)
{
	return rp_receiver_level_take(rec_of(w, node), w->room, w->now_at_ms);
}

/* --- rows ------------------------------------------------------------------------------------- */

/* Of both queues of hosts the row that comes first. Where there is no room for hosts that have not
 * proven themselves, none of them is looked at. */
static enum rp_err due_host(struct rp_claim_walk *w, uint64_t *queue, struct rp_walk_row *row,
			    bool *any, struct rp_error *err)
{
	static const uint64_t queues[2] = {RP_QUEUE_UNPROVEN, RP_QUEUE_PROVEN};
	struct rp_walk_row rows[2];
	bool is_due[2];
	enum rp_err e = RP_OK;
	int q;

	for (q = 0; q < 2 && e == RP_OK; q++)
		e = w->ops->due(w->arg, queues[q], w->hosts.next[q], &rows[q], &is_due[q], err);
	if (e != RP_OK)
		return e;
	if (is_due[0] && w->room->unproven == 0) {
		w->passed_over = true;
		is_due[0] = false;
	}
	*any = is_due[0] || is_due[1];
	if (!*any)
		return RP_OK;
	q = is_due[1] && (!is_due[0] || rows[1].ready_at_ms <= rows[0].ready_at_ms);
	*queue = queues[q];
	*row = rows[q];
	w->hosts.next[q] = (struct rp_walk_row){rows[q].ready_at_ms, rows[q].id + 1};
	return RP_OK;
}

static enum rp_err due_member(struct rp_claim_walk *w, struct rp_walk_node *owner, uint64_t *queue,
			      struct rp_walk_row *row, bool *any, struct rp_error *err)
{
	enum rp_err e = w->ops->due(w->arg, owner->id, owner->queue.next[0], row, any, err);

	*queue = owner->id;
	if (e == RP_OK && *any)
		owner->queue.next[0] = (struct rp_walk_row){row->ready_at_ms, row->id + 1};
	return e;
}

/* Another row may be seen: a node for it; else NULL. */
static struct rp_walk_node *new_node(struct rp_claim_walk *w, const struct rp_walk_node *owner)
{
	struct rp_walk_node *node = &w->nodes[w->n_hosts + w->n_members];

	if (owner == NULL
		? w->n_hosts == RP_WALK_HOSTS_MAX
		: w->n_members == RP_WALK_MEMBERS_MAX || owner->queue.n_vain == RP_WALK_VAIN_MAX)
		return NULL;
	return node;
}

/* --- a node ----------------------------------------------------------------------------------- */

/* What is only passed over is not written, but for a host that has proven itself long ago: it goes
 * to the queue of the others. */
static void pass_over(struct rp_claim_walk *w, struct rp_walk_queue *q,
		      const struct rp_walk_node *node)
{
	const struct rp_endpoint *rec = rec_of(w, node);

	w->passed_over = true;
	q->n_passed++;
	if (rec->level == RP_LEVEL_HOST && rec->in_proven &&
	    !rp_schedule_is_proven(rec, w->now_at_ms))
		w->ops->changed(w->arg, node, false);
}

/* A path stands in its queue with something due: whatever happens, its place there is worked out
 * anew, so that one that gives nothing now cannot be looked at again and again. */
static enum rp_err look(struct rp_claim_walk *w, const struct rp_walk_node *node,
			struct rp_error *err)
{
	if (rec_of(w, node)->level == RP_LEVEL_PATH)
		w->ops->changed(w->arg, node, false);
	return w->ops->look(w->arg, node, err);
}

/* It gives no more. One whose members were only passed over is left as it is. Another one that gave
 * nothing is written, so that it does not stay where it is, before all others. */
static void end_turn(struct rp_claim_walk *w, struct rp_walk_queue *q, struct rp_walk_node *node)
{
	const struct rp_walk_queue *own = &node->queue;
	bool only_passed = own->n_passed > 0 && own->n_vain == 0;

	q->n_vain += !own->gave && !only_passed;
	if (!own->gave && only_passed)
		q->n_passed++;
	else if (!own->gave)
		w->ops->changed(w->arg, node, own->n_vain > 0);
	q->turn = NULL;
	q->in_go = 0;
}

/* Sees rows until one may give something; *node NULL: no more may. */
static enum rp_err see_next(struct rp_claim_walk *w, struct rp_walk_node *owner,
			    struct rp_walk_node **node, struct rp_error *err)
{
	struct rp_walk_queue *q = owner != NULL ? &owner->queue : &w->hosts;
	struct rp_walk_row row;
	bool any = true, own = false;
	uint64_t queue;
	enum rp_err e;

	*node = NULL;
	while (!q->ended && (*node = new_node(w, owner)) != NULL) {
		e = owner != NULL ? due_member(w, owner, &queue, &row, &any, err)
				  : due_host(w, &queue, &row, &any, err);
		if (e != RP_OK || !any) {
			q->ended = true;
			*node = NULL;
			return e;
		}
		**node = (struct rp_walk_node){.id = row.id};
		*(owner != NULL ? &w->n_members : &w->n_hosts) += 1;
		e = w->ops->meet(w->arg, queue, row, *node, &own, err);
		if (e != RP_OK)
			return e;
		if (!own) {
			*node = NULL;
			continue;
		}
		if (level_take(w, *node) != RP_TAKE_PASSED_OVER)
			return look(w, *node, err);
		pass_over(w, q, *node);
		*node = NULL;
	}
	q->ended = true;
	return RP_OK;
}

/* Whose turn it is next: a new one while there are any, then those that have had a go. */
static enum rp_err next_turn(struct rp_claim_walk *w, struct rp_walk_node *owner,
			     struct rp_error *err)
{
	struct rp_walk_queue *q = owner != NULL ? &owner->queue : &w->hosts;
	enum rp_err e = see_next(w, owner, &q->turn, err);

	if (e != RP_OK || q->turn != NULL || q->first == NULL)
		return e;
	q->turn = q->first;
	q->first = q->first->next;
	return RP_OK;
}

static void wait_for_another_go(struct rp_walk_queue *q)
{
	if (q->first == NULL)
		q->last = &q->first;
	q->turn->next = NULL;
	*q->last = q->turn;
	q->last = &q->turn->next;
	q->turn = NULL;
	q->in_go = 0;
}

/* --- the walk --------------------------------------------------------------------------------- */

static enum rp_err take_in_turn(struct rp_claim_walk *w, struct rp_walk_node *owner, bool *any,
				struct rp_error *err);

/* From a path, or from whose turn it is in a host or section. */
static enum rp_err take(struct rp_claim_walk *w, struct rp_walk_node *node, bool *any,
			struct rp_error *err)
{
	*any = false;
	if (rec_of(w, node)->level == RP_LEVEL_PATH)
		return w->ops->take(w->arg, node, any, err);
	return take_in_turn(w, node, any, err);
}

/* Whether a host or section may give more at all. What its members ask for may have lowered its
 * limits. */
static bool may_give(struct rp_claim_walk *w, struct rp_walk_node *owner)
{
	enum rp_receiver_take take = owner != NULL ? level_take(w, owner) : RP_TAKE_NEXT;

	if (take == RP_TAKE_PASSED_OVER) {
		w->passed_over = true;
		owner->queue.n_passed++;
	}
	return take == RP_TAKE_NEXT;
}

static enum rp_err take_in_turn(struct rp_claim_walk *w, struct rp_walk_node *owner, bool *any,
				struct rp_error *err)
{
	struct rp_walk_queue *q = owner != NULL ? &owner->queue : &w->hosts;
	enum rp_err e = RP_OK;

	while (e == RP_OK && may_give(w, owner)) {
		if (q->turn == NULL)
			e = next_turn(w, owner, err);
		if (e != RP_OK || q->turn == NULL)
			return e;
		e = take(w, q->turn, any, err);
		if (e == RP_OK && !*any) {
			end_turn(w, q, q->turn);
			continue;
		}
		q->gave = q->turn->queue.gave = true;
		if (++q->in_go == (owner != NULL ? RP_WALK_GO : w->host_go))
			wait_for_another_go(q);
		return e;
	}
	return e;
}

void rp_claim_walk_begin(struct rp_claim_walk *w, const struct rp_walk_ops *ops, void *arg,
			 const struct rp_receiver_room *room, int64_t now_at_ms)
{
	w->ops = ops;
	w->arg = arg;
	w->room = room;
	w->now_at_ms = now_at_ms;
	w->passed_over = false;
	w->hosts = (struct rp_walk_queue){.n_vain = 0};
	w->host_go = room->claims > RP_WALK_GO ? RP_WALK_HOST_GO : RP_WALK_GO;
	w->n_hosts = w->n_members = 0;
}

enum rp_err rp_claim_walk(struct rp_claim_walk *w, bool *any, struct rp_error *err)
{
	*any = false;
	return take_in_turn(w, NULL, any, err);
}

/* --- ahead of their places -------------------------------------------------------------------- */

struct ahead {
	struct rp_claim_walk *w;
	enum rp_level from; /* the level that lacks places */
	size_t want, members_left;
};

static enum rp_err ahead_of_path(struct ahead *a, const struct rp_walk_node *path, size_t go,
				 struct rp_error *err)
{
	bool any = true;
	enum rp_err e = a->w->ops->look(a->w->arg, path, err);

	while (e == RP_OK && any && go > 0 && a->want > 0 && a->w->room->deaths > 0) {
		e = a->w->ops->take_ahead(a->w->arg, path, a->from, &any, err);
		a->want -= any;
		go--;
	}
	return e;
}

static enum rp_err ahead_of_group(struct ahead *a, uint64_t queue, struct rp_error *err);

static enum rp_err ahead_of_member(struct ahead *a, uint64_t queue, struct rp_walk_row row,
				   struct rp_error *err)
{
	struct rp_walk_node node = {.id = row.id};
	bool own;
	enum rp_err e = a->w->ops->meet(a->w->arg, queue, row, &node, &own, err);

	if (e != RP_OK || !own)
		return e;
	return rp_level_of(row.id) == RP_LEVEL_PATH ? ahead_of_path(a, &node, RP_WALK_GO, err)
						    : ahead_of_group(a, row.id, err);
}

static enum rp_err ahead_of_group(struct ahead *a, uint64_t queue, struct rp_error *err)
{
	struct rp_walk_row from = {0, 0}, row;
	bool any = true;
	enum rp_err e = RP_OK;

	while (e == RP_OK && a->want > 0 && a->members_left > 0) {
		a->members_left--;
		e = a->w->ops->due(a->w->arg, queue, from, &row, &any, err);
		if (e != RP_OK || !any)
			break;
		e = ahead_of_member(a, queue, row, err);
		from = (struct rp_walk_row){row.ready_at_ms, row.id + 1};
	}
	return e;
}

/* Its limits may be new, and nothing may have been claimed from it since. *any: it is there. */
static enum rp_err look_at_host(struct rp_claim_walk *w, uint64_t id, bool *any,
				struct rp_error *err)
{
	struct rp_walk_node host = {.id = rp_level_host(id)};
	enum rp_err e = w->ops->find(w->arg, host.id, &host, any, err);

	return e == RP_OK && *any ? w->ops->look(w->arg, &host, err) : e;
}

enum rp_err rp_claim_walk_ahead(struct rp_claim_walk *w, uint64_t id, size_t want,
				struct rp_error *err)
{
	struct ahead a = {w, rp_level_of(id), want, RP_WALK_AHEAD_MAX};
	struct rp_walk_node node = {.id = id};
	bool any;
	enum rp_err e = look_at_host(w, id, &any, err);

	if (e == RP_OK && any)
		e = w->ops->find(w->arg, id, &node, &any, err);
	if (e != RP_OK || !any)
		return e;
	return a.from == RP_LEVEL_PATH ? ahead_of_path(&a, &node, want, err)
				       : ahead_of_group(&a, id, err);
}
