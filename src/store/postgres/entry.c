/* entry.c - adds entries and moves them, with all that is counted and the order they stand in. */
#include "base/assert.h"
#include "store/postgres/order.h"
#include "store/postgres/txn_int.h"

static void lower(int64_t *floor_ms, int64_t at_ms)
{
	if (at_ms < *floor_ms)
		*floor_ms = at_ms;
}

/* It has these values now: they are written, and its path is looked at from its due time on. */
static void set(struct rp_pg_txn *t, struct rp_pg_entry *entry, const struct rp_delivery *d)
{
	struct rp_pg_endpoint *path = rp_pg_endpoint_of(t, d->endpoint);

	entry->d = *d;
	entry->dirty = true;
	if (path != NULL && d->state == RP_STATE_WAITING && !d->behind)
		lower(&path->floor_ms, d->due_at_ms);
}

void rp_pg_set_due(struct rp_pg_txn *t, struct rp_pg_entry *entry)
{
	const struct rp_delivery d = entry->d;

	set(t, entry, &d);
	rp_pg_changed(t, d.endpoint);
}

struct rp_pg_entry *rp_pg_add(struct rp_pg_txn *t, uint64_t seq, const struct rp_facts *facts)
{
	struct rp_pg_entry *entry = rp_pg_alloc(t, sizeof *entry);

	if (entry == NULL)
		return NULL;
	entry->seq = seq;
	entry->not_before_at_ms = facts->not_before_at_ms;
	entry->is_new = true;
	if (rp_pg_list_add(&t->parts->entries, entry) &&
	    rp_pg_index_add(&t->parts->entry_by_seq, seq, entry))
		return entry;
	t->parts->no_memory = true;
	return NULL;
}

static void count_move(struct rp_pg_txn *t, const struct rp_delivery *from,
		       const struct rp_delivery *to)
{
	struct rp_pg_writer *w = t->store->writer;
	const struct rp_ledger_change c = rp_ledger_change_of(from, to);
	const uint64_t path = from != NULL ? from->endpoint : to->endpoint;
	const struct rp_receiver r = rp_pg_receiver(t, path);

	rp_ledger_part_count(&w->now.ledger, &c);
	rp_ledger_count_move(&w->now.counters, from, to, t->now_at_ms);
	rp_receiver_count(&r, &c);
	rp_pg_changed(t, path);
}

/* Sets to->behind, and the place of the entry that this one makes way for. */
static enum rp_err line_up(struct rp_pg_txn *t, uint64_t seq, const struct rp_delivery *from,
			   struct rp_delivery *to, struct rp_error *err)
{
	const struct rp_sequence_move m = {seq, from, to};
	struct rp_pg_entry *first = NULL;
	struct rp_sequence_choice choice;
	struct rp_delivery moved;
	enum rp_err e = RP_OK;

	if (rp_sequence_need_of(&m).first)
		e = rp_pg_order_first(t, from != NULL ? from : to, seq, &first, err);
	if (e != RP_OK)
		return e;
	choice = rp_sequence_choose(&m, first != NULL ? first->seq : 0,
				    first != NULL ? &first->d : NULL);
	if (to != NULL)
		to->behind = choice.behind;
	if (choice.moves_first) {
		moved = first->d;
		rp_transition_place(&moved, choice.first_behind, first->not_before_at_ms,
				    t->now_at_ms);
		set(t, first, &moved);
		t->fronts_moved = true;
	}
	return RP_OK;
}

enum rp_err rp_pg_move(struct rp_pg_txn *t, uint64_t seq, const struct rp_delivery *from,
		       struct rp_delivery *to, struct rp_error *err)
{
	struct rp_pg_entry *entry = rp_pg_entry_of(t, seq);
	enum rp_err e;

	assert(entry != NULL);
	t->dirty = true;
	count_move(t, from, to);
	if (to != NULL)
		rp_transition_enter(from, to, t->now_at_ms);
	e = line_up(t, seq, from, to, err);
	if (e != RP_OK)
		return e;
	if (to != NULL) {
		set(t, entry, to);
		return rp_pg_order_join(t, entry, err);
	}
	entry->removed = true;
	return RP_OK;
}

enum rp_err rp_pg_log_attempt(struct rp_pg_txn *t, uint64_t seq, uint64_t endpoint, uint32_t n,
			      const struct rp_attempt *a, struct rp_error *err)
{
	struct rp_pg_logged *l = rp_pg_alloc(t, sizeof *l);

	if (l == NULL || !rp_pg_list_add(&t->parts->logged, l))
		return rp_fail(err, RP_ERR_NOMEM, "out of memory");
	*l = (struct rp_pg_logged){seq, endpoint, n, *a};
	t->dirty = true;
	return RP_OK;
}

enum rp_err rp_pg_change_one(struct rp_pg_txn *t, enum rp_change verb, unsigned states,
			     uint64_t seq, enum rp_changed *result, struct rp_error *err)
{
	const struct rp_pg_entry *entry = rp_pg_entry_of(t, seq);
	struct rp_delivery from, to;

	*result = RP_CHANGED_NOT_FOUND;
	if (entry == NULL)
		return RP_OK;
	from = entry->d;
	*result =
	    rp_transition_change(&from, verb, states, entry->not_before_at_ms, t->now_at_ms, &to);
	if (!rp_changed_is_done(*result))
		return RP_OK;
	return rp_pg_move(t, seq, &from, verb == RP_CHANGE_PURGE ? NULL : &to, err);
}
