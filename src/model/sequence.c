/* The rule of the front. It stands apart from transition.c because it needs two entries: the one
 * that moves, and the first of the others. */
#include "model/sequence.h"

#include "sign/crypto.h"

uint64_t rp_sequence_key(struct rp_span order_by)
{
	unsigned char sha[RP_SHA256_BYTES];
	struct rp_reader r;
	uint64_t key;

	if (order_by.len == 0)
		return 0;
	rp_sha256(&order_by, 1, sha);
	r = rp_reader_of(sha, sizeof sha);
	key = rp_get_u64(&r);
	return key != 0 ? key : 1;
}

bool rp_sequence_is_live(const struct rp_delivery *d)
{
	return d->state == RP_STATE_WAITING || d->state == RP_STATE_IN_FLIGHT ||
	       d->state == RP_STATE_HELD;
}

bool rp_sequence_has_place(const struct rp_delivery *d)
{
	return d->order_key != 0 && rp_sequence_is_live(d);
}

bool rp_sequence_may_be_behind(const struct rp_delivery *d)
{
	return rp_sequence_has_place(d) && d->state != RP_STATE_IN_FLIGHT;
}

bool rp_sequence_is_member(const struct rp_delivery *d, uint64_t endpoint, uint64_t order_key)
{
	return rp_sequence_is_live(d) && d->endpoint == endpoint && d->order_key == order_key;
}

static bool was_front(const struct rp_sequence_move *m)
{
	return m->from != NULL && rp_sequence_is_live(m->from) && !m->from->behind;
}

static bool will_live(const struct rp_sequence_move *m)
{
	return m->to != NULL && rp_sequence_is_live(m->to);
}

struct rp_sequence_need rp_sequence_need_of(const struct rp_sequence_move *m)
{
	const struct rp_delivery *any = m->from != NULL ? m->from : m->to;
	struct rp_sequence_need need = {false, false, false};

	/* only the front is claimed, and stays the front */
	if (any->order_key == 0 || (m->to != NULL && m->to->state == RP_STATE_IN_FLIGHT))
		return need;
	need.leaves = m->from != NULL && rp_sequence_is_live(m->from);
	need.enters = will_live(m);
	need.first = was_front(m) || need.enters;
	return need;
}

struct rp_sequence_choice rp_sequence_choose(const struct rp_sequence_move *m, uint64_t first_seq,
					     const struct rp_delivery *first)
{
	struct rp_sequence_choice choice = {false, false, false};

	if (first_seq == 0)
		return choice;
	if (!will_live(m)) {
		choice.moves_first = first->behind;
		return choice;
	}
	if (first_seq < m->seq) {
		choice.behind = true;
		choice.moves_first = was_front(m) && first->behind;
		return choice;
	}
	if (was_front(m))
		return choice;
	/* Somebody is in flight: the first itself, or a later one for which it waits. */
	if (first->behind || first->state == RP_STATE_IN_FLIGHT)
		choice.behind = true;
	else
		choice.moves_first = choice.first_behind = true;
	return choice;
}
