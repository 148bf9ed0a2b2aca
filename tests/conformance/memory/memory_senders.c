/* memory_senders.c - senders that come and go, and the claims of those that are gone. */

#include <unistd.h>

#include "conformance/memory/memory_int.h"

size_t mem_claims_of(struct mem_state *s, unsigned slot)
{
	size_t n = 0;

	MEM_EACH (struct mem_entry, e, &s->entries)
		n += e->d.state == RP_STATE_IN_FLIGHT && e->d.slot == slot;
	return n;
}

static size_t return_claims(struct mem_txn *t, unsigned slot)
{
	const struct rp_lost_sender sender = {slot, t->by->world->senders[slot].pid};
	size_t n = 0;

	MEM_EACH (struct mem_entry, e, &t->s->entries) {
		struct rp_delivery from = e->d, to;
		struct rp_attempt a;

		if (!rp_transition_lost(&from, false, &sender, t->now_at_ms, &to, &a))
			continue;
		mem_move(t, e->seq, &from, &to);
		mem_log_attempt(t, e->seq, from.endpoint, to.attempts, &a);
		n++;
	}
	return n;
}

enum rp_err mem_join(struct rp_outbox *ob, int64_t now_at_ms, int64_t boot_ms,
		     struct rp_sender_id *out, struct rp_error *err)
{
	struct mem_txn t = mem_begin(ob, now_at_ms);
	struct rp_memory *m = t.by;
	struct mem_sender *s = m->world->senders;
	size_t n;

	while (s < m->world->senders + MEM_SLOTS && s->taken)
		s++;
	if (s == m->world->senders + MEM_SLOTS)
		return rp_fail(err, RP_ERR_BUSY, "all %d slots are taken", MEM_SLOTS);
	m->me.slot = (unsigned)(s - m->world->senders);
	rp_sys_random(m->sys, &m->me.incarnation, sizeof m->me.incarnation);
	n = return_claims(&t, m->me.slot);
	*s = (struct mem_sender){.taken = true,
				 .registered = true,
				 .incarnation = m->me.incarnation,
				 .pid = (uint32_t)getpid(),
				 .started_at_ms = now_at_ms,
				 .beat_boot_ms = boot_ms};
	rp_clock_watch_see(&s->clock, now_at_ms, boot_ms);
	m->joined = true;
	*out = m->me;
	mem_commit(&t);
	if (n > 0)
		mem_ring(&t);
	return RP_OK;
}

enum rp_err mem_leave(struct rp_outbox *ob, int64_t now_at_ms, struct rp_error *err)
{
	struct mem_txn t = mem_begin(ob, now_at_ms);
	struct rp_memory *m = t.by;

	(void)err;
	if (!m->joined)
		return RP_OK;
	return_claims(&t, m->me.slot);
	m->world->senders[m->me.slot] = (struct mem_sender){.taken = false};
	m->joined = false;
	mem_commit(&t);
	mem_ring(&t);
	return RP_OK;
}

void mem_beat(struct rp_outbox *ob, int64_t now_at_ms, int64_t boot_ms)
{
	struct rp_memory *m = mem_of(ob);
	struct mem_sender *s = &m->world->senders[m->me.slot];

	s->beat_boot_ms = boot_ms;
	rp_clock_watch_see(&s->clock, now_at_ms, boot_ms);
}

/* A sender that stopped keeps its slot; one that ended does not. */
static size_t reap_one(struct mem_txn *t, unsigned slot, int64_t boot_ms, int64_t lease_ms)
{
	struct mem_sender *s = &t->by->world->senders[slot];
	size_t n;

	if (!s->registered || (s->taken && boot_ms - s->beat_boot_ms <= lease_ms))
		return 0;
	n = return_claims(t, slot);
	if (!s->taken) {
		*s = (struct mem_sender){.taken = false};
		t->dirty = true;
	}
	return n;
}

enum rp_err mem_reap(struct rp_outbox *ob, int64_t now_at_ms, int64_t boot_ms, int64_t lease_ms,
		     size_t *n_returned, struct rp_error *err)
{
	struct mem_txn t = mem_begin(ob, now_at_ms);
	unsigned slot;

	(void)err;
	*n_returned = 0;
	for (slot = 0; slot < MEM_SLOTS; slot++)
		if (!t.by->joined || slot != t.by->me.slot)
			*n_returned += reap_one(&t, slot, boot_ms, lease_ms);
	if (t.dirty)
		mem_commit(&t);
	if (*n_returned > 0)
		mem_ring(&t);
	return RP_OK;
}

enum rp_err mem_senders(struct rp_outbox *ob,
			void (*see)(void *arg, const struct rp_sender_info *s), void *arg,
			struct rp_error *err)
{
	struct rp_memory_world *w = mem_of(ob)->world;
	unsigned slot;

	(void)err;
	for (slot = 0; slot < MEM_SLOTS; slot++) {
		const struct mem_sender *s = &w->senders[slot];
		const struct rp_sender_info info = {.slot = slot,
						    .pid = s->pid,
						    .alive = s->taken,
						    .started_at_ms = s->started_at_ms,
						    .beat_boot_ms = s->beat_boot_ms,
						    .clock = s->clock,
						    .claims = mem_claims_of(&w->state, slot)};

		if (s->registered)
			see(arg, &info);
	}
	return RP_OK;
}
