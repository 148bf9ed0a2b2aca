/* memory_claim.c - walks the ready queues and hands out claims: hosts, in a host its paths and
 * sections, in a section its paths. */

#include "conformance/memory/memory_int.h"
#include "model/schedule.h"

struct rp_level_limits mem_ask(struct mem_txn *t, const struct rp_exchange *x, uint64_t id)
{
	struct rp_level_limits limits;

	x->limits(x->limits_arg, mem_endpoint(t->s, id)->name, &limits);
	return limits;
}

/* --- the entries of a path --------------------------------------------------------------- */

static struct rp_receiver_room room_of(const struct rp_exchange *x)
{
	return (struct rp_receiver_room){
	    .deaths = RP_TURNS_DEATHS_MAX - x->n_dead,
	    .claims = x->want - x->n_claims,
	    .metered = x->n_metered < x->want_metered ? x->want_metered - x->n_metered : 0,
	    .unproven = x->n_unproven < x->want_unproven ? x->want_unproven - x->n_unproven : 0,
	};
}

static struct rp_claim *hand_out(struct mem_txn *t, struct rp_exchange *x, uint64_t path,
				 uint64_t seq, const struct rp_delivery *to)
{
	const struct rp_receiver r = mem_receiver(t->s, path);
	const struct rp_receiver_claim taken =
	    rp_receiver_claimed(&r, t->now_at_ms, x->begin_within_ms);
	struct rp_claim *c = &x->claims[x->n_claims++];

	*c = (struct rp_claim){.seq = seq,
			       .endpoint = path,
			       .claim_no = to->claim_no,
			       .attempt = to->attempts,
			       .failures = to->failures,
			       .budget_at_ms = to->budget_at_ms,
			       .expires_at_ms = to->expires_at_ms,
			       .tokens = taken.tokens,
			       .unproven = taken.unproven};
	memcpy(c->probes, taken.probes, sizeof c->probes);
	x->n_metered += rp_tokens_any(&taken.tokens);
	x->n_unproven += taken.unproven;
	return c;
}

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

static void claim_one(struct mem_txn *t, struct rp_exchange *x, const struct mem_entry *e)
{
	const struct rp_receiver r = mem_receiver(t->s, e->d.endpoint);
	const uint64_t seq = e->seq;
	struct rp_delivery from = e->d, to;
	const struct rp_claim_try by = {.endpoint = from.endpoint,
					.due_at_ms = from.due_at_ms,
					.endpoint_is_gone = r.at[RP_LEVEL_PATH]->disabled,
					.slot = t->by->me.slot,
					.now_at_ms = t->now_at_ms};
	struct rp_claim *c;

	if (rp_transition_claim(&from, &by, &to) != RP_CLAIM_TAKEN) {
		x->n_dead++;
		mem_move(t, seq, &from, &to);
		return;
	}
	c = hand_out(t, x, from.endpoint, seq, &to);
	mem_move(t, seq, &from, &to);
	c->blocking = rp_receiver_is_blocking(&r, &to);
}

/* false: it has no more to give in this exchange. */
static bool take_from_path(struct mem_txn *t, struct rp_exchange *x, uint64_t path)
{
	const struct rp_receiver r = mem_receiver(t->s, path);
	const struct rp_receiver_room room = room_of(x);
	enum rp_receiver_take take = rp_receiver_take(&r, &room, t->now_at_ms);
	const struct mem_entry *e = take == RP_TAKE_NEXT ? first_due(t, path) : NULL;

	x->passed_over = x->passed_over || take == RP_TAKE_PASSED_OVER;
	if (e != NULL)
		claim_one(t, x, e);
	return e != NULL;
}

/* --- looking at what is due -------------------------------------------------------------- */

/* The places of a queue do not change during a walk, whatever is taken. */
struct walk {
	struct mem_txn *t;
	struct rp_exchange *x;
	size_t n_hosts, n_members; /* looked at */
	struct mem_walk root;
	struct {
		int64_t at_ms;
		uint64_t id;
	} next[2]; /* of the two queues of hosts, from where on */
};

/* A section's limits are those that its paths ask for. */
static void look(struct walk *w, uint64_t id)
{
	struct mem_endpoint *ep = mem_endpoint(w->t->s, id);
	const enum rp_level level = ep->rec.level;
	struct rp_level_limits limits;

	ep->walk.looked_at = true;
	mem_changed(w->t, id);
	*(level == RP_LEVEL_HOST ? &w->n_hosts : &w->n_members) += 1;
	if (level == RP_LEVEL_SECTION)
		return;
	limits = mem_ask(w->t, w->x, id);
	if (level == RP_LEVEL_PATH)
		mem_set_section(w->t, id, limits.section);
	ep = mem_endpoint(w->t->s, id);
	rp_control_apply(&ep->rec.control, &limits.at[level]);
	if (ep->rec.section != 0)
		rp_control_apply(&mem_endpoint(w->t->s, ep->rec.section)->rec.control,
				 &limits.at[RP_LEVEL_SECTION]);
}

static bool may_look(const struct walk *w, const struct mem_endpoint *ep)
{
	return ep->rec.level == RP_LEVEL_HOST ? w->n_hosts < RP_TURNS_HOSTS_MAX
					      : w->n_members < RP_TURNS_MEMBERS_MAX;
}

/* Its number, unless it has nothing to give. *end: no more may be looked at. */
static uint64_t see(struct walk *w, struct mem_endpoint *ep, bool *end)
{
	const struct rp_receiver_room room = room_of(w->x);
	const uint64_t id = ep->id;

	if (ep->walk.spent)
		return 0;
	if (ep->walk.looked_at)
		return id;
	*end = !may_look(w, ep);
	if (*end)
		return 0;
	if (rp_receiver_level_take(&ep->rec, &room, w->t->now_at_ms) == RP_TAKE_PASSED_OVER) {
		ep->walk.spent = w->x->passed_over = true;
		if (ep->rec.in_proven && !rp_schedule_is_proven(&ep->rec, w->t->now_at_ms))
			mem_changed(w->t, id);
		return 0;
	}
	look(w, id);
	return id;
}

static struct mem_endpoint *due(struct walk *w, uint64_t queue, int64_t from_at_ms,
				uint64_t from_id)
{
	struct mem_endpoint *ep = mem_first_ready(w->t->s, queue, from_at_ms, from_id);

	return ep != NULL && ep->rec.ready_at_ms <= w->t->now_at_ms ? ep : NULL;
}

/* Of both queues of hosts the one that comes first. */
static struct mem_endpoint *due_host(struct walk *w)
{
	struct mem_endpoint *of[2];
	int q;

	for (q = 0; q < 2; q++)
		of[q] = due(w, (uint64_t)q, w->next[q].at_ms, w->next[q].id);
	if (of[RP_QUEUE_UNPROVEN] != NULL && room_of(w->x).unproven == 0) {
		w->x->passed_over = true;
		of[RP_QUEUE_UNPROVEN] = NULL;
	}
	if (of[0] == NULL || of[1] == NULL)
		return of[0] != NULL ? of[0] : of[1];
	return of[RP_QUEUE_PROVEN]->rec.ready_at_ms <= of[RP_QUEUE_UNPROVEN]->rec.ready_at_ms
		   ? of[RP_QUEUE_PROVEN]
		   : of[RP_QUEUE_UNPROVEN];
}

/* owner 0: the queues of hosts. */
static struct mem_walk *walk_of(struct walk *w, uint64_t owner)
{
	return owner != 0 ? &mem_endpoint(w->t->s, owner)->walk : &w->root;
}

/* The next one in the queue of its owner that may give something; 0: all have had a go. */
static uint64_t next_child(struct walk *w, uint64_t owner)
{
	uint64_t child = 0;
	bool end = false;

	while (child == 0 && !end) {
		struct mem_walk *at = walk_of(w, owner);
		struct mem_endpoint *ep =
		    owner != 0 ? due(w, owner, at->next_at_ms, at->next_id) : due_host(w);

		if (ep == NULL)
			return 0;
		if (owner != 0) {
			at->next_at_ms = ep->rec.ready_at_ms;
			at->next_id = ep->id + 1;
		} else {
			w->next[ep->queue].at_ms = ep->rec.ready_at_ms;
			w->next[ep->queue].id = ep->id + 1;
		}
		child = see(w, ep, &end);
	}
	return child;
}

static void rewind_queue(struct walk *w, uint64_t owner)
{
	struct mem_walk *at = walk_of(w, owner);

	at->next_at_ms = 0;
	at->next_id = 0;
	if (owner == 0)
		memset(w->next, 0, sizeof w->next);
}

static bool take_in_turn(struct walk *w, uint64_t owner);

/* Takes an entry from a path, or from whose turn it is in a host or section. */
static bool take(struct walk *w, uint64_t id)
{
	const struct mem_endpoint *ep = mem_endpoint(w->t->s, id);
	const struct rp_receiver_room room = room_of(w->x);
	enum rp_receiver_take take;

	if (ep->rec.level == RP_LEVEL_PATH)
		return take_from_path(w->t, w->x, id);
	take = rp_receiver_level_take(&ep->rec, &room, w->t->now_at_ms);
	w->x->passed_over = w->x->passed_over || take == RP_TAKE_PASSED_OVER;
	return take == RP_TAKE_NEXT && take_in_turn(w, id);
}

static bool take_in_turn(struct walk *w, uint64_t owner)
{
	for (;;) {
		uint64_t child = walk_of(w, owner)->child;
		struct mem_walk *at;

		if (child == 0) {
			child = next_child(w, owner);
			at = walk_of(w, owner);
			at->child = child;
		}
		if (child == 0) {
			if (!rp_turns_again(&at->turns))
				return false;
			rewind_queue(w, owner);
			continue;
		}
		if (take(w, child)) {
			at = walk_of(w, owner);
			if (rp_turns_gave(&at->turns))
				at->child = 0;
			return true;
		}
		at = walk_of(w, owner);
		rp_turns_end_go(&at->turns);
		at->child = 0;
		mem_endpoint(w->t->s, child)->walk.spent = true;
	}
}

void mem_claim(struct mem_txn *t, struct rp_exchange *x)
{
	struct walk w = {.t = t, .x = x};

	while (x->n_claims < x->want && take_in_turn(&w, 0))
		;
}
