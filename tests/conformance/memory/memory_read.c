/* memory_read.c - answers questions, and checks the arrays against a recount. */

#include "conformance/memory/memory_int.h"
#include "model/schedule.h"

/* --- entries ----------------------------------------------------------------------------- */

/* So few that whoever selects has to come again. */
#define ROWS_A_CALL 100

static void show(struct rp_select *s, const struct mem_entry *e, const struct rp_entry *entry,
		 bool *stopped)
{
	struct rp_brief b = {.seq = e->seq,
			     .endpoint = e->d.endpoint,
			     .at_ms = e->d.state == RP_STATE_WAITING
					  ? (e->d.behind ? 0 : e->d.due_at_ms)
					  : e->d.state_at_ms};

	if (s->see_brief == NULL) {
		*stopped = !s->see(s->arg, entry);
		return;
	}
	if (e->d.state == RP_STATE_DEAD) {
		b.cause = e->d.cause;
		b.last_cause = e->d.last_cause;
		b.http_status = e->d.http_status;
	}
	while (b.n_bounds_passed < s->n_bounds &&
	       s->bounds_at_ms[b.n_bounds_passed] <= e->facts.accepted_at_ms)
		b.n_bounds_passed++;
	s->see_brief(s->arg, &b);
}

/* Always in the order of their numbers. The cursor is the number behind which it goes on. */
enum rp_err mem_select(struct rp_outbox *ob, struct rp_select *s, struct rp_error *err)
{
	struct mem_state *world = &mem_of(ob)->world->state;
	uint64_t after = 0;
	size_t rows = 0, seen = 0;
	bool stopped = false;

	if (s->cursor.len != 0 && s->cursor.len != sizeof after)
		return rp_fail(err, RP_ERR_INVAL, "no cursor of this outbox");
	memcpy(&after, s->cursor.bytes, s->cursor.len);
	s->more = false;
	s->n_total = world->entries.n;
	MEM_EACH (struct mem_entry, e, &world->entries) {
		struct rp_entry entry = {.seq = e->seq, .facts = e->facts, .delivery = e->d};
		const struct mem_endpoint *ep = mem_endpoint(world, e->d.endpoint);

		if (e->seq <= after)
			continue;
		s->more =
		    !stopped && (rows == ROWS_A_CALL || (s->max_seen != 0 && seen == s->max_seen));
		if (s->more || stopped)
			break;
		after = e->seq;
		rows++;
		entry.endpoint = ep != NULL ? ep->name : (struct rp_span){NULL, 0};
		if (!rp_filter_matches(s->filter, &entry, s->now_at_ms))
			continue;
		seen++;
		show(s, e, &entry, &stopped);
	}
	s->n_looked += rows;
	s->cursor.len = sizeof after;
	memcpy(s->cursor.bytes, &after, sizeof after);
	return RP_OK;
}

void mem_select_end(struct rp_outbox *ob, struct rp_select *s)
{
	(void)ob;
	s->plan = NULL;
}

enum rp_err mem_attempts(struct rp_outbox *ob, uint64_t seq,
			 void (*see)(void *arg, uint32_t n, const struct rp_attempt *a,
				     bool damaged),
			 void *arg, struct rp_error *err)
{
	(void)err;
	MEM_EACH (struct mem_attempt, at, &mem_of(ob)->world->state.attempts)
		if (at->seq == seq)
			see(arg, at->n, &at->a, false);
	return RP_OK;
}

#define RECENT_A_CALL 256

enum rp_err mem_recent(struct rp_outbox *ob, struct rp_recent_page *page, struct rp_error *err)
{
	struct mem_state *s = &mem_of(ob)->world->state;
	size_t n = 0;

	(void)err;
	page->more = false;
	page->n_missed = 0;
	if (page->from == RP_RECENT_END) {
		page->from = s->next_recent;
		return RP_OK;
	}
	MEM_EACH (struct rp_recent, r, &s->recent) {
		if (r->number < page->from)
			continue;
		page->more = n == RECENT_A_CALL;
		if (page->more)
			break;
		if (page->from > 0)
			page->n_missed += r->number - page->from;
		page->from = r->number + 1;
		page->see(page->arg, r);
		n++;
	}
	return RP_OK;
}

enum rp_err mem_body(struct rp_outbox *ob, uint64_t seq, struct rp_buf *out, struct rp_error *err)
{
	const struct mem_entry *e = mem_entry(&mem_of(ob)->world->state, seq);

	if (e == NULL)
		return rp_fail(err, RP_ERR_NOTFOUND, "no such entry");
	return rp_buf_add(out, e->payload.ptr, e->payload.len)
		   ? RP_OK
		   : rp_fail(err, RP_ERR_NOMEM, "out of memory");
}

/* --- counts ------------------------------------------------------------------------------ */

static struct rp_ledger ledger_of(const struct rp_head *h)
{
	return (struct rp_ledger){.accepted = h->accepted,
				  .waiting = h->count[RP_STATE_WAITING],
				  .in_flight = h->count[RP_STATE_IN_FLIGHT],
				  .held = h->count[RP_STATE_HELD],
				  .delivered = h->count[RP_STATE_DELIVERED],
				  .dead = h->count[RP_STATE_DEAD],
				  .purged = h->purged};
}

enum rp_err mem_ledger(struct rp_outbox *ob, struct rp_ledger *out, struct rp_error *err)
{
	(void)err;
	*out = ledger_of(&mem_of(ob)->world->state.head);
	return RP_OK;
}

static void see_oldest(struct rp_oldest *o, const struct rp_delivery *d)
{
	int64_t *at = d->state == RP_STATE_DELIVERED ? &o->delivered_at_ms
		      : d->state == RP_STATE_DEAD    ? &o->dead_at_ms
						     : NULL;

	if (d->state == RP_STATE_WAITING && !d->behind && d->due_at_ms < o->waiting_due_at_ms)
		o->waiting_due_at_ms = d->due_at_ms;
	if (at != NULL && d->state_at_ms < *at)
		*at = d->state_at_ms;
}

/* Of the path that an exchange would look at first. */
static int64_t next_due_ms(struct mem_state *s)
{
	const struct mem_endpoint *next = mem_first_ready(s, RP_QUEUE_PROVEN, 0, 0),
				  *other = mem_first_ready(s, RP_QUEUE_UNPROVEN, 0, 0);

	if (next == NULL || (other != NULL && other->rec.ready_at_ms < next->rec.ready_at_ms))
		next = other;
	while (next != NULL && next->rec.level != RP_LEVEL_PATH)
		next = mem_first_ready(s, next->id, 0, 0);
	return next != NULL ? mem_first_due_ms(s, next->id) : RP_NEVER;
}

enum rp_err mem_info(struct rp_outbox *ob, struct rp_outbox_info *out, struct rp_error *err)
{
	struct mem_state *s = &mem_of(ob)->world->state;

	(void)err;
	*out = (struct rp_outbox_info){.retrying = s->head.retrying,
				       .commits = s->commits,
				       .oldest = {RP_NEVER, RP_NEVER, RP_NEVER},
				       .latest_at_ms = s->head.latest_at_ms,
				       .format = RP_LAYOUT};
	MEM_EACH (struct mem_entry, e, &s->entries)
		see_oldest(&out->oldest, &e->d);
	out->next_due_at_ms = next_due_ms(s);
	return RP_OK;
}

enum rp_err mem_counters(struct rp_outbox *ob, struct rp_counters *out,
			 void (*see)(void *arg, struct rp_span name, const struct rp_series *s),
			 void *arg, struct rp_error *err)
{
	struct mem_state *s = &mem_of(ob)->world->state;

	(void)err;
	*out = s->counters;
	MEM_EACH (struct mem_series, at, &s->series)
		if (see != NULL)
			see(arg, rp_span_of(at->name), &at->s);
	return RP_OK;
}

/* --- checking ---------------------------------------------------------------------------- */

static void complain(struct rp_verify *v, bool sound, const char *text)
{
	if (sound)
		return;
	v->counts.problems++;
	v->problem(v->arg, text);
}

static void check_order(struct mem_state *s, const struct mem_entry *e, struct rp_verify *v)
{
	size_t fronts = 0;

	MEM_EACH (struct mem_entry, other, &s->entries)
		fronts += rp_sequence_is_member(&other->d, e->d.endpoint, e->d.order_key) &&
			  !other->d.behind;
	complain(v, fronts == 1, "an order has not one front");
}

/* Whether `part`, a path, is counted by `whole`. */
static bool is_in(const struct mem_endpoint *part, const struct mem_endpoint *whole)
{
	return part->id == whole->id || part->rec.section == whole->id ||
	       rp_level_host(part->id) == whole->id;
}

static void check_endpoint(struct mem_state *s, const struct mem_endpoint *ep, struct rp_verify *v)
{
	uint64_t count[RP_STATE_COUNT] = {0}, members = 0;

	MEM_EACH (struct mem_entry, e, &s->entries)
		if (is_in(mem_endpoint(s, e->d.endpoint), ep))
			count[e->d.state]++;
	MEM_EACH (struct mem_endpoint, other, &s->endpoints)
		members += other->id != ep->id && is_in(other, ep);
	complain(v, memcmp(count, ep->rec.count, sizeof count) == 0,
		 "an endpoint has counted wrong");
	complain(v, members == ep->rec.members, "the members of an endpoint are counted wrong");
}

/* Always as a whole. */
enum rp_err mem_verify(struct rp_outbox *ob, struct rp_verify *v, struct rp_error *err)
{
	struct mem_state *s = &mem_of(ob)->world->state;
	uint64_t count[RP_STATE_COUNT] = {0}, retrying = 0;

	(void)err;
	MEM_EACH (struct mem_entry, e, &s->entries) {
		count[e->d.state]++;
		retrying += rp_ledger_is_retrying(&e->d);
		if (e->d.order_key != 0 && rp_sequence_is_live(&e->d))
			check_order(s, e, v);
		complain(v,
			 rp_payload_hash(e->payload.ptr, e->payload.len) == e->facts.payload_hash,
			 "a payload does not match its hash");
	}
	MEM_EACH (struct mem_endpoint, ep, &s->endpoints)
		check_endpoint(s, ep, v);
	complain(v, memcmp(count, s->head.count, sizeof count) == 0, "the ledger is wrong");
	complain(v, retrying == s->head.retrying, "the number of those retrying is wrong");
	complain(v, s->head.accepted - s->head.purged == s->entries.n,
		 "the ledger does not add up");
	v->counts.entries = v->counts.rows = s->entries.n;
	v->counts.steps = v->counts.steps_all = 1;
	v->done = true;
	return RP_OK;
}
