/* memory_hand_over.c - an append claims entries for senders that wait for work. */

#include "conformance/memory/memory_int.h"
#include "store/claims.h"

/* The first that has a place; NULL: there is none. */
static struct mem_sender *waiting_sender(struct mem_txn *t)
{
	struct mem_sender *s = t->by->world->senders;
	unsigned slot;

	for (slot = 0; slot < MEM_SLOTS; slot++)
		if (s[slot].taken && s[slot].registered &&
		    rp_offer_has_place(&s[slot].offer, mem_claims_of(t->s, slot), t->now_at_ms))
			return &s[slot];
	return NULL;
}

bool mem_hand_over(struct mem_txn *t, uint64_t seq)
{
	const struct rp_delivery from = mem_entry(t->s, seq)->d;
	const struct rp_receiver r = mem_receiver(t->s, from.endpoint);
	struct rp_claim_try by = {
	    .endpoint = from.endpoint, .due_at_ms = from.due_at_ms, .now_at_ms = t->now_at_ms};
	struct mem_sender *s;
	struct rp_delivery to;

	s = rp_hand_over_may(&r, &from, t->now_at_ms) ? waiting_sender(t) : NULL;
	if (s == NULL)
		return false;
	by.slot = (unsigned)(s - t->by->world->senders);
	if (rp_transition_claim(&from, &by, &to) != RP_CLAIM_TAKEN)
		return false;
	(void)rp_receiver_claimed(&r, t->now_at_ms, 0);
	mem_move(t, seq, &from, &to);
	mem_entry(t->s, seq)->handed = to.claim_no;
	return true;
}

void mem_offer(struct rp_outbox *ob, int64_t now_at_ms, size_t claims_max)
{
	struct rp_memory *m = mem_of(ob);

	if (m->joined)
		m->world->senders[m->me.slot].offer =
		    (struct rp_offer){now_at_ms, (uint32_t)claims_max};
}

enum rp_err mem_withdraw(struct rp_outbox *ob, struct rp_error *err)
{
	(void)err;
	mem_offer(ob, 0, 0);
	return RP_OK;
}

static bool is_mine(const struct rp_memory *m, const struct mem_entry *e)
{
	return e->d.state == RP_STATE_IN_FLIGHT && e->d.slot == m->me.slot &&
	       e->handed == e->d.claim_no;
}

static void take_one(struct rp_memory *m, struct rp_taking *k, const struct mem_entry *e)
{
	struct mem_state *s = &m->world->state;
	const struct rp_receiver r = mem_receiver(s, e->d.endpoint);
	const uint64_t section = r.at[RP_LEVEL_PATH]->section;
	struct rp_level_limits limits;

	k->limits(k->limits_arg, mem_endpoint(s, e->d.endpoint)->name, &limits);
	k->claims[k->n_claims++] = (struct rp_claim){
	    .seq = e->seq,
	    .endpoint = e->d.endpoint,
	    .claim_no = e->d.claim_no,
	    .attempt = e->d.attempts,
	    .failures = e->d.failures,
	    .budget_at_ms = e->d.budget_at_ms,
	    .expires_at_ms = e->d.expires_at_ms,
	    .tokens.section = section,
	    .other_limits = !rp_hand_over_holds(
		&r, section != 0 ? mem_endpoint(s, section)->name : (struct rp_span){NULL, 0},
		&limits)};
	rp_claims_moved(&k->claims[k->n_claims - 1], &r, &e->d);
	k->from = e->seq + 1;
}

enum rp_err mem_take(struct rp_outbox *ob, struct rp_taking *k, struct rp_error *err)
{
	struct rp_memory *m = mem_of(ob);

	(void)err;
	k->n_claims = 0;
	if (!m->joined)
		return RP_OK;
	MEM_EACH (struct mem_entry, e, &m->world->state.entries)
		if (e->seq >= k->from && k->n_claims < k->want && is_mine(m, e))
			take_one(m, k, e);
	return RP_OK;
}
