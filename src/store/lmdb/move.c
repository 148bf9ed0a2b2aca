/* move.c - changes an entry's state with its index row, its order, the ledger and the endpoint's
 * counters. It is the one place that does, so that nothing can be moved without being counted. */

#include "store/lmdb/move.h"

#include <inttypes.h>

#include "base/assert.h"
#include "base/log.h"
#include "model/ledger.h"
#include "model/sequence.h"
#include "model/transition.h"
#include "store/lmdb/counters.h"
#include "store/lmdb/endpoint.h"
#include "store/lmdb/entry_rows.h"
#include "store/lmdb/index.h"
#include "store/lmdb/order.h"
#include "store/lmdb/reconstruct.h"
#include "store/lmdb/row.h"
#include "store/lmdb/txn.h"

/* NULL: nobody knows any more (both records of the entry were damaged), and no endpoint counts
 * it. */
static enum rp_err endpoint_of(struct rp_txn *t, const struct rp_delivery *d, struct rp_ep **ep,
			       struct rp_error *err)
{
	enum rp_err e;

	*ep = NULL;
	if (d->endpoint == RP_EP_UNKNOWN || rp_level_of(d->endpoint) != RP_LEVEL_PATH)
		return RP_OK;
	e = rp_ep_get(t, d->endpoint, ep, err);
	if (e == RP_OK)
		rp_ep_changed(t, *ep);
	return e;
}

static enum rp_err put_delivery(struct rp_txn *t, uint64_t seq, const struct rp_delivery *d,
				unsigned flags, struct rp_error *err)
{
	unsigned char buf[RP_DELIVERY_BYTES];
	size_t n = rp_delivery_pack(d, seq, buf, sizeof buf);

	assert(n > 0);
	return rp_row_put(t, RP_T_DELIVERY, rp_key1(seq), buf, n, flags, err);
}

static bool count_receiver(struct rp_ep *path, const struct rp_ledger_change *c)
{
	const struct rp_receiver r = rp_ep_receiver(path);

	return rp_receiver_count(&r, c);
}

/* Counters below zero are damage. One damaged entry must not stop the others, so it is said and
 * the move goes on. */
static enum rp_err count_move(struct rp_txn *t, uint64_t seq, const struct rp_delivery *from,
			      const struct rp_delivery *to, struct rp_error *err)
{
	const struct rp_ledger_change c = rp_ledger_change_of(from, to);
	struct rp_ep *ep;
	enum rp_err e = endpoint_of(t, from != NULL ? from : to, &ep, err);
	bool sound;

	assert(from == NULL || to == NULL || from->endpoint == to->endpoint);
	if (e != RP_OK)
		return e;
	rp_counters_moved(t, from, to);
	sound = rp_ledger_count(&t->head, &c);
	if (ep != NULL)
		sound = count_receiver(ep, &c) && sound;
	if (!sound)
		rp_log(RP_LOG_ERROR, "damage", "seq=%" PRIu64 " what=counter state=%s", seq,
		       rp_state_name(from->state));
	return RP_OK;
}

/* --- the order it belongs to -------------------------------------------------------------- */

/* Puts a WAITING or HELD entry behind another, or in front, where it is due at once at the earliest
 * and, if it has not failed yet, begins its retry budget: the time behind costs it nothing. */
static enum rp_err set_behind(struct rp_txn *t, uint64_t seq, struct rp_delivery *d, bool behind,
			      struct rp_error *err)
{
	struct rp_ep *ep;
	int64_t not_before_at_ms;
	enum rp_err e = endpoint_of(t, d, &ep, err);

	if (e == RP_OK)
		e = rp_index_remove(t, seq, d, err);
	if (e != RP_OK)
		return e;
	not_before_at_ms = behind ? 0 : rp_entry_not_before_ms(t, seq, d);
	rp_transition_place(d, behind, not_before_at_ms, t->now_at_ms);
	e = rp_index_put(t, seq, d, err);
	if (e == RP_OK)
		e = put_delivery(t, seq, d, 0, err);
	return e == RP_OK ? rp_order_put(t, seq, d, err) : e;
}

/* A row found on the way that is not to be relied on: without its entry it goes, and an entry
 * whose record is damaged is set aside, or it would stand before the others for ever. */
static enum rp_err mend_row(struct rp_txn *t, enum rp_err why, const uint64_t key[3],
			    struct rp_error *err)
{
	const uint64_t seq = key[2];
	struct rp_delivery from, to;
	enum rp_err e;

	if (why != RP_ERR_DAMAGED) {
		rp_log(RP_LOG_ERROR, "damage", "seq=%" PRIu64 " what=stray_order_row", seq);
		return rp_row_del(t, RP_T_ORDER, rp_key3(key[0], key[1], key[2]), err);
	}
	rp_log(RP_LOG_ERROR, "damage", "seq=%" PRIu64 " what=delivery_record", seq);
	e = rp_entry_reconstruct(t, seq, &from, err);
	if (e != RP_OK)
		return e;
	from.endpoint = key[0];
	from.order_key = key[1];
	rp_transition_set_aside(&from, &to);
	return rp_entry_move(t, seq, &from, &to, err);
}

/* The first entry of an order; *seq 0: there is none. */
static enum rp_err first_of(struct rp_txn *t, uint64_t endpoint, uint64_t order_key, uint64_t *seq,
			    struct rp_delivery *d, struct rp_error *err)
{
	uint64_t key[3] = {endpoint, order_key, 0};
	enum rp_err e;

	*seq = 0;
	while ((e = rp_order_first(t, endpoint, order_key, &key[2], err)) == RP_OK) {
		e = rp_entry_delivery(t, key[2], d, err);
		if (e == RP_OK && rp_sequence_is_member(d, endpoint, order_key)) {
			*seq = key[2];
			return RP_OK;
		}
		if (e == RP_OK || e == RP_ERR_NOTFOUND || e == RP_ERR_DAMAGED)
			e = mend_row(t, e, key, err);
		if (e != RP_OK)
			return e;
	}
	return e == RP_ERR_NOTFOUND ? RP_OK : e;
}

/* Moves the entry's `order` row, sets to->behind, and puts another entry in front or behind where
 * that follows. */
static enum rp_err move_in_order(struct rp_txn *t, uint64_t seq, const struct rp_delivery *from,
				 struct rp_delivery *to, struct rp_error *err)
{
	const struct rp_delivery *any = from != NULL ? from : to;
	const struct rp_sequence_move m = {seq, from, to};
	const struct rp_sequence_need need = rp_sequence_need_of(&m);
	struct rp_sequence_choice choice;
	struct rp_delivery first;
	uint64_t first_seq = 0;
	enum rp_err e = need.leaves ? rp_order_remove(t, seq, from, err) : RP_OK;

	if (e == RP_OK && need.first)
		e = first_of(t, any->endpoint, any->order_key, &first_seq, &first, err);
	if (e != RP_OK)
		return e;
	choice = rp_sequence_choose(&m, first_seq, &first);
	if (to != NULL)
		to->behind = choice.behind;
	if (choice.moves_first)
		e = set_behind(t, first_seq, &first, choice.first_behind, err);
	return e == RP_OK && need.enters ? rp_order_put(t, seq, to, err) : e;
}

/* --- the move ----------------------------------------------------------------------------- */

enum rp_err rp_entry_move(struct rp_txn *t, uint64_t seq, const struct rp_delivery *from,
			  struct rp_delivery *to, struct rp_error *err)
{
	enum rp_err e = count_move(t, seq, from, to, err);

	t->dirty = true;
	if (to != NULL)
		rp_transition_enter(from, to, t->now_at_ms);
	if (e == RP_OK && from != NULL)
		e = rp_index_remove(t, seq, from, err);
	if (e == RP_OK)
		e = move_in_order(t, seq, from, to, err);
	if (e == RP_OK && to != NULL)
		e = rp_index_put(t, seq, to, err);
	if (e != RP_OK)
		return e;
	rp_log(RP_LOG_DEBUG, "moved", "seq=%" PRIu64 " from=%s to=%s", seq,
	       from != NULL ? rp_state_name(from->state) : "new",
	       to != NULL ? rp_state_name(to->state) : "removed");
	if (to == NULL)
		return RP_OK;
	return put_delivery(t, seq, to, from == NULL ? MDB_APPEND : 0, err);
}

/* Neither its state changes nor its order, so its rows are written where they are. */
enum rp_err rp_entry_take_places(struct rp_txn *t, uint64_t seq, const struct rp_delivery *from,
				 const struct rp_delivery *to, struct rp_error *err)
{
	const struct rp_ledger_change c = rp_ledger_change_of(from, to);
	struct rp_ep *ep;
	enum rp_err e = endpoint_of(t, to, &ep, err);

	assert(from->state == RP_STATE_IN_FLIGHT && to->state == RP_STATE_IN_FLIGHT);
	t->dirty = true;
	if (e != RP_OK)
		return e;
	if (ep != NULL && !count_receiver(ep, &c))
		rp_log(RP_LOG_ERROR, "damage", "seq=%" PRIu64 " what=counter state=%s", seq,
		       rp_state_name(from->state));
	e = rp_index_put(t, seq, to, err);
	return e == RP_OK ? put_delivery(t, seq, to, 0, err) : e;
}

enum rp_err rp_entry_fix_due(struct rp_txn *t, uint64_t seq, struct rp_delivery *d,
			     struct rp_error *err)
{
	int64_t not_before_at_ms = rp_entry_not_before_ms(t, seq, d);
	enum rp_err e = rp_index_remove(t, seq, d, err);

	if (e != RP_OK)
		return e;
	rp_transition_fix_clock(d, not_before_at_ms, t->now_at_ms);
	e = rp_index_put(t, seq, d, err);
	return e == RP_OK ? put_delivery(t, seq, d, 0, err) : e;
}
