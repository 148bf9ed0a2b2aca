/* claim.c - walks the ready queues and hands out claims: hosts, in a host its paths and sections,
 * in a section its paths. It never looks at what is not due. */

#include "store/lmdb/claim.h"

#include <inttypes.h>
#include <string.h>

#include "base/log.h"
#include "model/transition.h"
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

/* Hands the claim out: `to` is the entry as it is now. */
static struct rp_claim *hand_out(struct rp_txn *t, struct rp_exchange *x, struct rp_ep *ep,
				 uint64_t seq, const struct rp_delivery *to)
{
	const struct rp_receiver r = rp_ep_receiver(ep);
	const struct rp_receiver_claim taken =
	    rp_receiver_claimed(&r, t->now_at_ms, x->begin_within_ms);
	struct rp_claim *c = &x->claims[x->n_claims++];

	*c = (struct rp_claim){.seq = seq,
			       .endpoint = ep->id,
			       .claim_no = to->claim_no,
			       .attempt = to->attempts,
			       .failures = to->failures,
			       .tokens = taken.tokens,
			       .unproven = taken.unproven,
			       .budget_at_ms = to->budget_at_ms,
			       .expires_at_ms = to->expires_at_ms};
	memcpy(c->probes, taken.probes, sizeof c->probes);
	x->n_metered += rp_tokens_any(&taken.tokens);
	x->n_unproven += taken.unproven;
	return c;
}

static enum rp_err claim_one(struct rp_txn *t, struct rp_exchange *x, struct rp_ep *ep,
			     uint64_t seq, int64_t due_at_ms, struct rp_error *err)
{
	struct rp_claim_try by = {.endpoint = ep->id,
				  .due_at_ms = due_at_ms,
				  .endpoint_is_gone = ep->rec.disabled,
				  .slot = t->ob->me.slot,
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
	c = hand_out(t, x, ep, seq, &to);
	e = rp_entry_move(t, seq, &from, &to, err);
	c->blocking = rp_receiver_is_blocking(&r, &to);
	return e;
}

static struct rp_receiver_room room_of(const struct rp_exchange *x)
{
	return (struct rp_receiver_room){
	    .deaths = RP_TURNS_DEATHS_MAX - x->n_dead,
	    .claims = x->want - x->n_claims,
	    .metered = x->n_metered < x->want_metered ? x->want_metered - x->n_metered : 0,
	    .unproven = x->n_unproven < x->want_unproven ? x->want_unproven - x->n_unproven : 0,
	};
}

/* Takes the next due entry of a path. *any: false: it has no more to give in this exchange. */
static enum rp_err take_from_path(struct rp_txn *t, struct rp_exchange *x, struct rp_ep *ep,
				  bool *any, struct rp_error *err)
{
	const struct rp_receiver_room room = room_of(x);
	const struct rp_receiver r = rp_ep_receiver(ep);
	enum rp_receiver_take take = rp_receiver_take(&r, &room, t->now_at_ms);
	uint64_t key[3];
	enum rp_err e;

	*any = false;
	if (take != RP_TAKE_NEXT) {
		x->passed_over = x->passed_over || take == RP_TAKE_PASSED_OVER;
		return RP_OK;
	}
	e = rp_row_first(t, RP_T_QUEUE, rp_key3(ep->id, 0, 0), key, 3, NULL, err);
	if (e == RP_ERR_NOTFOUND ||
	    (e == RP_OK && (key[0] != ep->id || (int64_t)key[1] > t->now_at_ms)))
		return RP_OK;
	*any = true;
	return e == RP_OK ? claim_one(t, x, ep, key[2], (int64_t)key[1], err) : e;
}

/* --- looking at what is due --------------------------------------------------------- */

/* One walk over all queues. */
struct walk {
	struct rp_txn *t;
	struct rp_exchange *x;
	size_t n_hosts, n_members; /* looked at */
	struct rp_ep_walk root;
	uint64_t next[2][2]; /* of the two queues of hosts: (ready_at, host) from which on */
};

/* It stands in its queue with something due: whatever happens, its place there is worked out anew,
 * so that one that gives nothing now cannot be looked at again and again. A section's limits are
 * those that its paths ask for. */
static enum rp_err look(struct walk *w, struct rp_ep *ep, struct rp_error *err)
{
	struct rp_level_limits limits;
	enum rp_level level = ep->rec.level;
	enum rp_err e = RP_OK;

	ep->walk.looked_at = true;
	rp_ep_changed(w->t, ep);
	if (level == RP_LEVEL_HOST)
		w->n_hosts++;
	else
		w->n_members++;
	if (level == RP_LEVEL_SECTION)
		return RP_OK;
	e = rp_ep_ask(w->t, w->x, ep, &limits, err);
	if (e == RP_OK && level == RP_LEVEL_PATH)
		e = rp_ep_set_section(w->t, ep, limits.section, err);
	if (e != RP_OK)
		return e;
	rp_control_apply(&ep->rec.control, &limits.at[level]);
	if (ep->section != NULL)
		rp_control_apply(&ep->section->rec.control, &limits.at[RP_LEVEL_SECTION]);
	return RP_OK;
}

static bool may_look(const struct walk *w, const struct rp_ep *ep)
{
	return ep->rec.level == RP_LEVEL_HOST ? w->n_hosts < RP_TURNS_HOSTS_MAX
					      : w->n_members < RP_TURNS_MEMBERS_MAX;
}

/* The endpoint of a row, unless it has nothing to give. *end: no more may be looked at. */
static enum rp_err see_row(struct walk *w, const uint64_t key[3], struct rp_ep **out, bool *end,
			   struct rp_error *err)
{
	const struct rp_receiver_room room = room_of(w->x);
	struct rp_ep *ep;
	enum rp_err e = rp_ep_get(w->t, key[2], &ep, err);

	*out = NULL;
	if (e != RP_OK)
		return e;
	/* The row of one that was damaged went when it was rebuilt: it was its own. */
	if (!ep->rebuilt && (ep->row_queue != key[0] || ep->row_at_ms != (int64_t)key[1])) {
		/* Not its own row: left there, it would be looked at in every exchange for ever. */
		rp_log(RP_LOG_ERROR, "damage", "endpoint=%" PRIu64 " what=agenda_row", key[2]);
		e = rp_row_del(w->t, RP_T_READY, rp_key3(key[0], key[1], key[2]), err);
		return e == RP_ERR_NOTFOUND ? RP_OK : e;
	}
	if (ep->walk.spent)
		return RP_OK;
	if (!ep->walk.looked_at) {
		*end = !may_look(w, ep);
		if (*end)
			return RP_OK;
		if (rp_receiver_level_take(&ep->rec, &room, w->t->now_at_ms) ==
		    RP_TAKE_PASSED_OVER) {
			ep->walk.spent = w->x->passed_over = true;
			/* It goes to the queue of those that are not looked at. */
			if (ep->rec.in_proven && !rp_schedule_is_proven(&ep->rec, w->t->now_at_ms))
				rp_ep_changed(w->t, ep);
			return RP_OK;
		}
		e = look(w, ep, err);
	}
	*out = ep;
	return e;
}

/* The row of a queue from which on something is due. RP_ERR_NOTFOUND: nothing more. */
static enum rp_err due_row(struct walk *w, uint64_t queue, const uint64_t from[2], uint64_t key[3],
			   struct rp_error *err)
{
	enum rp_err e =
	    rp_row_first(w->t, RP_T_READY, rp_key3(queue, from[0], from[1]), key, 3, NULL, err);

	return e == RP_OK && (key[0] != queue || (int64_t)key[1] > w->t->now_at_ms)
		   ? RP_ERR_NOTFOUND
		   : e;
}

/* Of both queues of hosts the row that comes first. Where there is no room for hosts that have not
 * proven themselves, none of them is looked at. */
static enum rp_err due_host_row(struct walk *w, uint64_t key[3], struct rp_error *err)
{
	uint64_t proven[3], unproven[3];
	enum rp_err e = due_row(w, RP_QUEUE_PROVEN, w->next[RP_QUEUE_PROVEN], proven, err);
	enum rp_err f = RP_ERR_NOTFOUND;

	if (e != RP_OK && e != RP_ERR_NOTFOUND)
		return e;
	f = due_row(w, RP_QUEUE_UNPROVEN, w->next[RP_QUEUE_UNPROVEN], unproven, err);
	if (f != RP_OK && f != RP_ERR_NOTFOUND)
		return f;
	if (f == RP_OK && room_of(w->x).unproven == 0) {
		w->x->passed_over = true;
		f = RP_ERR_NOTFOUND;
	}
	if (e != RP_OK && f != RP_OK)
		return RP_ERR_NOTFOUND;
	memcpy(key, f != RP_OK || (e == RP_OK && proven[1] <= unproven[1]) ? proven : unproven,
	       sizeof proven);
	return RP_OK;
}

/* The next one in the queue of its owner (NULL: of hosts) that may give something; *child NULL: all
 * have had a go. */
static enum rp_err next_child(struct walk *w, struct rp_ep *owner, struct rp_ep **child,
			      struct rp_error *err)
{
	uint64_t key[3], *next;
	bool end = false;
	enum rp_err e;

	*child = NULL;
	while (*child == NULL && !end) {
		e = owner != NULL ? due_row(w, owner->id, owner->walk.next, key, err)
				  : due_host_row(w, key, err);
		if (e != RP_OK)
			return e == RP_ERR_NOTFOUND ? RP_OK : e;
		next = owner != NULL ? owner->walk.next : w->next[key[0]];
		next[0] = key[1];
		next[1] = key[2] + 1;
		e = see_row(w, key, child, &end, err);
		if (e != RP_OK)
			return e;
	}
	return RP_OK;
}

static void rewind_queue(struct walk *w, struct rp_ep *owner)
{
	if (owner != NULL)
		memset(owner->walk.next, 0, sizeof owner->walk.next);
	else
		memset(w->next, 0, sizeof w->next);
}

static enum rp_err take_in_turn(struct walk *w, struct rp_ep *owner, bool *any,
				struct rp_error *err);

/* Takes an entry from a path, or from whose turn it is in a host or section. */
static enum rp_err take(struct walk *w, struct rp_ep *ep, bool *any, struct rp_error *err)
{
	const struct rp_receiver_room room = room_of(w->x);

	*any = false;
	if (ep->rec.level == RP_LEVEL_PATH)
		return take_from_path(w->t, w->x, ep, any, err);
	switch (rp_receiver_level_take(&ep->rec, &room, w->t->now_at_ms)) {
	case RP_TAKE_NEXT:
		return take_in_turn(w, ep, any, err);
	case RP_TAKE_PASSED_OVER:
		w->x->passed_over = true;
		break;
	case RP_TAKE_NOTHING:
		break;
	}
	return RP_OK;
}

static enum rp_err take_in_turn(struct walk *w, struct rp_ep *owner, bool *any,
				struct rp_error *err)
{
	struct rp_ep_walk *at = owner != NULL ? &owner->walk : &w->root;
	enum rp_err e;

	*any = false;
	for (;;) {
		if (at->child == NULL) {
			e = next_child(w, owner, &at->child, err);
			if (e != RP_OK)
				return e;
			if (at->child == NULL && !rp_turns_again(&at->turns))
				return RP_OK;
			if (at->child == NULL) {
				rewind_queue(w, owner);
				continue;
			}
		}
		e = take(w, at->child, any, err);
		if (e != RP_OK)
			return e;
		if (*any) {
			if (rp_turns_gave(&at->turns))
				at->child = NULL;
			return RP_OK;
		}
		rp_turns_end_go(&at->turns);
		at->child->walk.spent = true;
		at->child = NULL;
	}
}

enum rp_err rp_claim(struct rp_txn *t, struct rp_exchange *x, struct rp_error *err)
{
	struct walk w = {.t = t, .x = x};
	bool any = true;
	enum rp_err e = RP_OK;

	while (e == RP_OK && any && x->n_claims < x->want)
		e = take_in_turn(&w, NULL, &any, err);
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
