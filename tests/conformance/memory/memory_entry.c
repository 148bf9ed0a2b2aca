/* memory_entry.c - finds entries, and moves an entry with all that is counted. */

#include <stdlib.h>

#include "conformance/memory/memory_int.h"

/* --- finding ----------------------------------------------------------------------------- */

/* From the end: most calls are about one of the last. */
struct mem_entry *mem_entry(struct mem_state *s, uint64_t seq)
{
	size_t i;

	for (i = s->entries.n; i > 0; i--) {
		struct mem_entry *e = mem_at(&s->entries, i - 1);

		if (e->seq == seq)
			return e;
	}
	return NULL;
}

struct mem_entry *mem_entry_by_id(struct mem_state *s, const unsigned char id[RP_ID_BYTES])
{
	MEM_EACH (struct mem_entry, e, &s->entries)
		if (memcmp(e->facts.id, id, RP_ID_BYTES) == 0)
			return e;
	return NULL;
}

bool mem_is_same(struct rp_span a, struct rp_span b)
{
	return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

struct mem_entry *mem_entry_by_key(struct mem_state *s, struct rp_span dedupe_key)
{
	MEM_EACH (struct mem_entry, e, &s->entries)
		if (mem_is_same(e->facts.dedupe_key, dedupe_key))
			return e;
	return NULL;
}

int64_t mem_first_due_ms(struct mem_state *s, uint64_t endpoint)
{
	int64_t first_ms = RP_NEVER;

	MEM_EACH (struct mem_entry, e, &s->entries)
		if (e->d.endpoint == endpoint && e->d.state == RP_STATE_WAITING && !e->d.behind &&
		    e->d.due_at_ms < first_ms)
			first_ms = e->d.due_at_ms;
	return first_ms;
}

/* --- moving ------------------------------------------------------------------------------ */

static void count_move(struct mem_txn *t, const struct rp_delivery *from,
		       const struct rp_delivery *to)
{
	const struct rp_ledger_change c = rp_ledger_change_of(from, to);
	const uint64_t path = from != NULL ? from->endpoint : to->endpoint;
	const struct rp_receiver r = mem_receiver(t->s, path);

	rp_ledger_count(&t->s->head, &c);
	rp_ledger_count_move(&t->s->counters, from, to, t->now_at_ms);
	rp_receiver_count(&r, &c);
	mem_changed(t, path);
}

static struct mem_entry *first_of_others(struct mem_state *s, uint64_t seq,
					 const struct rp_delivery *d)
{
	MEM_EACH (struct mem_entry, e, &s->entries)
		if (e->seq != seq && rp_sequence_is_member(&e->d, d->endpoint, d->order_key))
			return e;
	return NULL;
}

/* Sets to->behind, and the place of the entry that this one makes way for. */
static void line_up(struct mem_txn *t, uint64_t seq, const struct rp_delivery *from,
		    struct rp_delivery *to)
{
	const struct rp_sequence_move m = {seq, from, to};
	struct rp_sequence_choice choice;
	struct mem_entry *first = rp_sequence_need_of(&m).first
				      ? first_of_others(t->s, seq, from != NULL ? from : to)
				      : NULL;

	choice = rp_sequence_choose(&m, first != NULL ? first->seq : 0,
				    first != NULL ? &first->d : NULL);
	if (to != NULL)
		to->behind = choice.behind;
	if (choice.moves_first)
		rp_transition_place(&first->d, choice.first_behind, first->facts.not_before_at_ms,
				    t->now_at_ms);
}

static void forget(struct mem_txn *t, uint64_t seq)
{
	size_t i = 0;

	while (((struct mem_entry *)mem_at(&t->s->entries, i))->seq != seq)
		i++;
	mem_remove(&t->s->entries, i);
	for (i = t->s->attempts.n; i > 0; i--)
		if (((struct mem_attempt *)mem_at(&t->s->attempts, i - 1))->seq == seq)
			mem_remove(&t->s->attempts, i - 1);
}

void mem_move(struct mem_txn *t, uint64_t seq, const struct rp_delivery *from,
	      struct rp_delivery *to)
{
	t->dirty = true;
	count_move(t, from, to);
	if (to != NULL)
		rp_transition_enter(from, to, t->now_at_ms);
	line_up(t, seq, from, to);
	if (to != NULL)
		mem_entry(t->s, seq)->d = *to;
	else
		forget(t, seq);
}

struct mem_entry *mem_add(struct mem_txn *t, uint64_t seq, const struct rp_facts *facts,
			  struct rp_span payload)
{
	struct rp_memory_world *w = t->by->world;
	struct mem_entry *e = mem_insert(&t->s->entries, t->s->entries.n);
	struct rp_span *spans[] = {&e->facts.url,     &e->facts.run_id,    &e->facts.thread_id,
				   &e->facts.event,   &e->facts.operation, &e->facts.order_by,
				   &e->facts.headers, &e->facts.dedupe_key};
	size_t i;

	e->seq = seq;
	e->facts = *facts;
	for (i = 0; i < sizeof spans / sizeof spans[0]; i++)
		*spans[i] = mem_keep(w, *spans[i]);
	e->payload = mem_keep(w, payload);
	e->facts.payload_bytes = payload.len;
	e->facts.payload_hash = rp_payload_hash(payload.ptr, payload.len);
	return e;
}

/* --- attempts ---------------------------------------------------------------------------- */

#define RECENT_KEPT 4096

static void note_recent(struct mem_txn *t, uint64_t seq, uint64_t endpoint, uint32_t n,
			const struct rp_attempt *a)
{
	struct rp_recent *r = mem_insert(&t->s->recent, t->s->recent.n);

	*r = (struct rp_recent){.number = t->s->next_recent++,
				.settled_at_ms = t->now_at_ms,
				.seq = seq,
				.endpoint = endpoint,
				.attempt = n,
				.cause = a->outcome.cause,
				.http_status = a->outcome.http_status,
				.duration_ms = (uint32_t)(a->outcome.duration_us / 1000),
				.slot = a->slot,
				.late = a->late};
	if (t->s->recent.n > RECENT_KEPT)
		mem_remove(&t->s->recent, 0);
}

/* One of the same number takes the place of the old one. */
void mem_log_attempt(struct mem_txn *t, uint64_t seq, uint64_t endpoint, uint32_t n,
		     const struct rp_attempt *a)
{
	struct mem_attempt *at = NULL;
	size_t i = 0;

	note_recent(t, seq, endpoint, n, a);
	for (; i < t->s->attempts.n; i++) {
		at = mem_at(&t->s->attempts, i);
		if (at->seq > seq || (at->seq == seq && at->n >= n))
			break;
	}
	if (i == t->s->attempts.n || at->seq != seq || at->n != n)
		at = mem_insert(&t->s->attempts, i);
	*at = (struct mem_attempt){seq, n, *a};
	at->a.outcome.lack = RP_LACK_NONE;
	at->a.outcome.wish = RP_WISH_NONE;
}

/* --- what operators want ----------------------------------------------------------------- */

enum rp_changed mem_change(struct mem_txn *t, enum rp_change verb, unsigned states, uint64_t seq)
{
	struct mem_entry *e = mem_entry(t->s, seq);
	struct rp_delivery from, to;
	enum rp_changed result;

	if (e == NULL)
		return RP_CHANGED_NOT_FOUND;
	from = e->d;
	result =
	    rp_transition_change(&from, verb, states, e->facts.not_before_at_ms, t->now_at_ms, &to);
	if (rp_changed_is_done(result))
		mem_move(t, seq, &from, verb == RP_CHANGE_PURGE ? NULL : &to);
	return result;
}

static uint64_t count_done(const enum rp_changed *results, size_t n)
{
	uint64_t done = 0;
	size_t i;

	for (i = 0; i < n; i++)
		done += rp_changed_is_done(results[i]);
	return done;
}

enum rp_err mem_change_many(struct rp_outbox *ob, int64_t now_at_ms, enum rp_change verb,
			    unsigned states, const uint64_t *seqs, size_t n, uint64_t audit,
			    enum rp_changed *results, struct rp_error *err)
{
	struct mem_txn t = mem_begin(ob, now_at_ms);
	uint64_t done;
	size_t i;

	(void)err;
	for (i = 0; i < n; i++)
		results[i] = mem_change(&t, verb, states, seqs[i]);
	done = count_done(results, n);
	if (audit != 0)
		mem_audit_count(&t, audit, true, done, n - done);
	if (t.dirty)
		mem_commit(&t);
	if (done > 0 && verb != RP_CHANGE_HOLD)
		mem_ring(&t);
	return RP_OK;
}

static size_t expire_state(struct mem_txn *t, enum rp_state state, int64_t keep_ms, size_t max)
{
	size_t n = 0;

	for (; n < max; n++) {
		struct mem_entry *oldest = NULL;
		struct rp_delivery from;

		MEM_EACH (struct mem_entry, e, &t->s->entries)
			if (e->d.state == state &&
			    (oldest == NULL || e->d.state_at_ms < oldest->d.state_at_ms))
				oldest = e;
		if (oldest == NULL ||
		    !rp_transition_is_expired(oldest->d.state_at_ms, keep_ms, t->now_at_ms))
			break;
		from = oldest->d;
		mem_move(t, oldest->seq, &from, NULL);
	}
	return n;
}

enum rp_err mem_expire(struct rp_outbox *ob, int64_t now_at_ms, int64_t keep_delivered_ms,
		       int64_t keep_dead_ms, size_t max, size_t *n_removed, struct rp_error *err)
{
	struct mem_txn t = mem_begin(ob, now_at_ms);

	(void)err;
	*n_removed = expire_state(&t, RP_STATE_DELIVERED, keep_delivered_ms, max);
	*n_removed += expire_state(&t, RP_STATE_DEAD, keep_dead_ms, max - *n_removed);
	if (t.dirty)
		mem_commit(&t);
	return RP_OK;
}
