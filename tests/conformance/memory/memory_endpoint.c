/* memory_endpoint.c - paths, and the sections and hosts that count for them. */

#include <stdlib.h>

#include "conformance/memory/memory_int.h"
#include "model/schedule.h"

/* --- finding ----------------------------------------------------------------------------- */

struct mem_endpoint *mem_endpoint(struct mem_state *s, uint64_t id)
{
	MEM_EACH (struct mem_endpoint, ep, &s->endpoints)
		if (ep->id == id)
			return ep;
	return NULL;
}

static struct mem_endpoint *by_name(struct mem_state *s, enum rp_level level, struct rp_span name)
{
	MEM_EACH (struct mem_endpoint, ep, &s->endpoints)
		if (ep->rec.level == level && mem_is_same(ep->name, name))
			return ep;
	return NULL;
}

struct rp_receiver mem_receiver(struct mem_state *s, uint64_t path)
{
	struct mem_endpoint *at = mem_endpoint(s, path);
	struct rp_receiver r = {{&at->rec, NULL, &mem_endpoint(s, rp_level_host(path))->rec}};

	if (at->rec.section != 0)
		r.at[RP_LEVEL_SECTION] = &mem_endpoint(s, at->rec.section)->rec;
	return r;
}

struct mem_endpoint *mem_first_ready(struct mem_state *s, uint64_t queue, int64_t from_at_ms,
				     uint64_t from_id)
{
	struct mem_endpoint *first = NULL;

	MEM_EACH (struct mem_endpoint, ep, &s->endpoints) {
		int64_t at_ms = ep->rec.ready_at_ms;

		if (at_ms == RP_NEVER || ep->queue != queue || at_ms < from_at_ms ||
		    (at_ms == from_at_ms && ep->id < from_id))
			continue;
		if (first == NULL || at_ms < first->rec.ready_at_ms)
			first = ep;
	}
	return first;
}

/* --- making ------------------------------------------------------------------------------ */

static void make(struct mem_txn *t, uint64_t id, struct rp_span name)
{
	struct mem_list *all = &t->s->endpoints;
	struct mem_endpoint *made;
	size_t i = all->n;

	while (i > 0 && ((struct mem_endpoint *)mem_at(all, i - 1))->id > id)
		i--;
	made = mem_insert(all, i);
	made->id = id;
	made->name = mem_keep(t->by->world, name);
	made->rec.level = rp_level_of(id);
	made->rec.ready_at_ms = made->rec.first_due_at_ms = RP_NEVER;
	made->dirty = t->dirty = true;
	if (made->rec.level != RP_LEVEL_HOST) {
		struct mem_endpoint *host = mem_endpoint(t->s, rp_level_host(id));

		host->rec.members++;
		host->dirty = true;
	}
}

static uint64_t host_of(struct mem_txn *t, struct rp_span name)
{
	const struct mem_endpoint *there = by_name(t->s, RP_LEVEL_HOST, name);
	bool may_be_taken;
	uint64_t id;

	if (there != NULL)
		return there->id;
	id = rp_level_new_host(t->s->head.next_endpoint++, &may_be_taken);
	make(t, id, name);
	return id;
}

uint64_t mem_intern(struct mem_txn *t, struct rp_span name)
{
	const struct mem_endpoint *there = by_name(t->s, RP_LEVEL_PATH, name);
	struct mem_endpoint *host;
	bool may_be_taken;
	uint64_t id;

	if (there != NULL)
		return there->id;
	host = mem_endpoint(t->s, host_of(t, rp_level_host_name(name)));
	id = rp_level_new_path(host->id, host->rec.n_paths++, &may_be_taken);
	make(t, id, name);
	return id;
}

/* The first number that is free. */
static uint64_t section_of(struct mem_txn *t, uint64_t host, struct rp_span name)
{
	const struct mem_endpoint *there = by_name(t->s, RP_LEVEL_SECTION, name);
	uint64_t id = host + RP_MEMBER_SECTIONS;

	if (there != NULL)
		return there->id;
	while (mem_endpoint(t->s, id) != NULL)
		id++;
	make(t, id, name);
	return id;
}

static void move_to_section(struct mem_txn *t, uint64_t path, uint64_t section)
{
	struct mem_endpoint *ep = mem_endpoint(t->s, path);

	if (ep->rec.section == section)
		return;
	mem_changed(t, path);
	if (ep->rec.section != 0)
		rp_receiver_leave(&mem_endpoint(t->s, ep->rec.section)->rec, &ep->rec);
	ep->rec.section = section;
	if (section != 0)
		rp_receiver_enter(&mem_endpoint(t->s, section)->rec, &ep->rec);
	mem_changed(t, path);
}

void mem_set_section(struct mem_txn *t, uint64_t path, struct rp_span section)
{
	const struct mem_endpoint *host = mem_endpoint(t->s, rp_level_host(path));
	struct rp_buf name = {.max = SIZE_MAX / 2};

	if (section.len == 0) {
		move_to_section(t, path, 0);
		return;
	}
	if (!rp_level_section_name(host->name, section, &name))
		abort();
	move_to_section(t, path, section_of(t, host->id, (struct rp_span){name.data, name.len}));
	rp_buf_release(&name);
}

/* --- writing ----------------------------------------------------------------------------- */

static void mark(struct mem_state *s, uint64_t id)
{
	struct mem_endpoint *ep = id != 0 ? mem_endpoint(s, id) : NULL;

	if (ep != NULL)
		ep->dirty = true;
}

void mem_changed(struct mem_txn *t, uint64_t id)
{
	mark(t->s, id);
	mark(t->s, mem_endpoint(t->s, id)->rec.section);
	mark(t->s, rp_level_host(id));
	t->dirty = true;
}

/* When the first that waits in it is due: of a path an entry, of others what is in their queue. */
static int64_t first_due_ms(struct mem_state *s, const struct mem_endpoint *ep)
{
	const struct mem_endpoint *first;

	if (ep->rec.level == RP_LEVEL_PATH)
		return mem_first_due_ms(s, ep->id);
	if (!rp_schedule_asks_first_due(&ep->rec))
		return RP_NEVER;
	first = mem_first_ready(s, ep->id, 0, 0);
	return first != NULL ? first->rec.ready_at_ms : RP_NEVER;
}

static void place(struct mem_txn *t, struct mem_endpoint *ep)
{
	int64_t first_at_ms = first_due_ms(t->s, ep);

	rp_schedule_fix_clock(&ep->rec, t->now_at_ms);
	ep->rec.first_due_at_ms = ep->rec.level == RP_LEVEL_PATH ? first_at_ms : RP_NEVER;
	ep->rec.ready_at_ms = rp_schedule_ready_at_ms(&ep->rec, first_at_ms, t->now_at_ms);
	if (ep->rec.level == RP_LEVEL_HOST)
		ep->rec.in_proven = rp_schedule_is_proven(&ep->rec, t->now_at_ms);
	ep->queue = rp_schedule_queue(&ep->rec, ep->id);
	ep->dirty = false;
	mark(t->s, ep->rec.section);
	if (ep->rec.level != RP_LEVEL_HOST)
		mark(t->s, rp_level_host(ep->id));
}

static void leave(struct mem_txn *t, const struct mem_endpoint *ep)
{
	if (ep->rec.section != 0)
		rp_receiver_leave(&mem_endpoint(t->s, ep->rec.section)->rec, &ep->rec);
	if (ep->rec.level != RP_LEVEL_HOST)
		mem_endpoint(t->s, rp_level_host(ep->id))->rec.members--;
}

static void flush_level(struct mem_txn *t, enum rp_level level)
{
	size_t i = 0;

	while (i < t->s->endpoints.n) {
		struct mem_endpoint *ep = mem_at(&t->s->endpoints, i);

		if (ep->rec.level == level && ep->dirty) {
			place(t, ep);
			if (rp_schedule_is_over(&ep->rec, t->now_at_ms)) {
				leave(t, ep);
				mem_remove(&t->s->endpoints, i);
				continue;
			}
		}
		i++;
	}
}

void mem_flush(struct mem_txn *t)
{
	int level;

	for (level = RP_LEVEL_PATH; level <= RP_LEVEL_HOST; level++)
		flush_level(t, (enum rp_level)level);
}

/* --- operators --------------------------------------------------------------------------- */

#define RENEWED_A_CALL 500

enum rp_err mem_renew_limits(struct rp_outbox *ob, int64_t now_at_ms, struct rp_renewal *renewal,
			     struct rp_error *err)
{
	struct mem_txn t = mem_begin(ob, now_at_ms);
	int n = 0;

	(void)err;
	renewal->more = false;
	MEM_EACH (struct mem_endpoint, ep, &t.s->endpoints) {
		if (ep->id < renewal->endpoint)
			continue;
		if (n++ == RENEWED_A_CALL) {
			renewal->more = true;
			break;
		}
		renewal->endpoint = ep->id + 1;
		if (rp_schedule_renew(&ep->rec, now_at_ms))
			mem_changed(&t, ep->id);
	}
	if (t.dirty) {
		mem_commit(&t);
		mem_ring(&t);
	}
	return RP_OK;
}

enum rp_err mem_endpoint_pause(struct rp_outbox *ob, int64_t now_at_ms, uint64_t endpoint,
			       bool pause, struct rp_error *err)
{
	struct mem_txn t = mem_begin(ob, now_at_ms);
	struct mem_endpoint *ep = mem_endpoint(t.s, endpoint);
	struct rp_receiver r;

	if (ep == NULL)
		return rp_fail(err, RP_ERR_NOTFOUND, "no such endpoint");
	if (ep->rec.level == RP_LEVEL_SECTION)
		return rp_fail(err, RP_ERR_INVAL, "a section cannot be paused");
	if (ep->rec.level == RP_LEVEL_PATH) {
		r = mem_receiver(t.s, endpoint);
		rp_receiver_pause(&r, pause, now_at_ms);
	} else {
		rp_schedule_pause(&ep->rec, pause, now_at_ms);
	}
	mem_changed(&t, endpoint);
	mem_commit(&t);
	mem_ring(&t);
	return RP_OK;
}

/* --- showing ----------------------------------------------------------------------------- */

static bool is_meant(struct rp_endpoints_which which, const struct mem_endpoint *ep)
{
	switch (which.of) {
	case RP_ENDPOINTS_PATHS:
		return ep->rec.level == RP_LEVEL_PATH && ep->id >= which.id;
	case RP_ENDPOINTS_HOSTS:
		return ep->rec.level == RP_LEVEL_HOST && ep->id >= which.id;
	case RP_ENDPOINTS_SHARED:
		return ep->rec.level != RP_LEVEL_PATH && ep->id >= which.id;
	case RP_ENDPOINTS_OF_HOST:
		return ep->rec.level != RP_LEVEL_HOST && rp_level_host(ep->id) == which.id;
	case RP_ENDPOINTS_ONE:
		break;
	}
	return ep->id == which.id;
}

enum rp_err mem_endpoints(struct rp_outbox *ob, struct rp_endpoints_which which,
			  bool (*see)(void *arg, uint64_t id, struct rp_span name,
				      const struct rp_endpoint *e),
			  void *arg, struct rp_error *err)
{
	(void)err;
	MEM_EACH (struct mem_endpoint, ep, &mem_of(ob)->world->state.endpoints)
		if (is_meant(which, ep) && !see(arg, ep->id, ep->name, &ep->rec))
			break;
	return RP_OK;
}

enum rp_err mem_endpoint_find(struct rp_outbox *ob, enum rp_level level, struct rp_span name,
			      uint64_t *id, struct rp_error *err)
{
	const struct mem_endpoint *ep = by_name(&mem_of(ob)->world->state, level, name);

	if (ep == NULL)
		return rp_fail(err, RP_ERR_NOTFOUND, "there is no such %s", rp_level_name(level));
	*id = ep->id;
	return RP_OK;
}
