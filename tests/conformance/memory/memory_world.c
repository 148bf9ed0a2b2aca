/* memory_world.c - the arrays of a world, and its handles. */

#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/assert.h"
#include "conformance/memory/memory_int.h"

/* --- lists ------------------------------------------------------------------------------- */

static void *must_have(void *p)
{
	if (p == NULL)
		abort();
	return p;
}

void *mem_at(const struct mem_list *l, size_t i)
{
	return l->items + i * l->size;
}

void *mem_insert(struct mem_list *l, size_t i)
{
	char *at;

	if (l->n == l->cap) {
		l->cap = l->cap > 0 ? 2 * l->cap : 16;
		l->items = must_have(realloc(l->items, l->cap * l->size));
	}
	at = mem_at(l, i);
	memmove(at + l->size, at, (l->n - i) * l->size);
	l->n++;
	return memset(at, 0, l->size);
}

void mem_remove(struct mem_list *l, size_t i)
{
	char *at = mem_at(l, i);

	l->n--;
	memmove(at, at + l->size, (l->n - i) * l->size);
}

static void lists_of(struct mem_state *s, struct mem_list *out[8])
{
	struct mem_list *all[8] = {&s->entries, &s->endpoints, &s->attempts, &s->recent,
				   &s->audits,  &s->jobs,      &s->planned,  &s->series};

	memcpy(out, all, sizeof all);
}

struct mem_state mem_state_copy(const struct mem_state *s)
{
	struct mem_state copy = *s;
	struct mem_list *all[8];
	size_t i;

	lists_of(&copy, all);
	for (i = 0; i < 8; i++) {
		const char *from = all[i]->items;

		all[i]->items = must_have(malloc(all[i]->cap * all[i]->size + 1));
		if (all[i]->n > 0)
			memcpy(all[i]->items, from, all[i]->n * all[i]->size);
	}
	return copy;
}

void mem_state_free(struct mem_state *s)
{
	struct mem_list *all[8];
	size_t i;

	lists_of(s, all);
	for (i = 0; i < 8; i++)
		free(all[i]->items);
}

/* --- texts ------------------------------------------------------------------------------- */

struct mem_text {
	struct mem_text *next;
	char bytes[];
};

struct rp_span mem_keep(struct rp_memory_world *w, struct rp_span text)
{
	struct mem_text *t = must_have(malloc(sizeof *t + text.len + 1));

	t->next = w->texts;
	w->texts = t;
	if (text.len > 0)
		memcpy(t->bytes, text.ptr, text.len);
	t->bytes[text.len] = '\0';
	return (struct rp_span){t->bytes, text.len};
}

/* --- worlds and handles ------------------------------------------------------------------ */

struct rp_memory_world *rp_memory_world_new(void)
{
	struct rp_memory_world *w = must_have(calloc(1, sizeof *w));
	struct mem_state *s = &w->state;

	s->head.next_seq = s->head.next_endpoint = s->next_recent = s->next_audit = 1;
	s->entries.size = sizeof(struct mem_entry);
	s->endpoints.size = sizeof(struct mem_endpoint);
	s->attempts.size = sizeof(struct mem_attempt);
	s->recent.size = sizeof(struct rp_recent);
	s->audits.size = sizeof(struct mem_audit);
	s->jobs.size = sizeof(struct mem_job);
	s->planned.size = sizeof(struct mem_planned);
	s->series.size = sizeof(struct mem_series);
	return w;
}

void rp_memory_world_free(struct rp_memory_world *w)
{
	if (w == NULL)
		return;
	assert(w->handles == NULL);
	while (w->texts != NULL) {
		struct mem_text *next = w->texts->next;

		free(w->texts);
		w->texts = next;
	}
	mem_state_free(&w->state);
	free(w);
}

struct rp_memory *mem_of(struct rp_outbox *outbox)
{
	return (struct rp_memory *)(void *)outbox;
}

static void tell(struct rp_memory_world *w, enum rp_watch what)
{
	struct rp_memory *m;

	for (m = w->handles; m != NULL; m = m->next) {
		int fd = what == RP_WATCH_WORK ? m->work_fd : m->commits_fd;

		if (fd >= 0)
			(void)eventfd_write(fd, 1);
	}
}

static void close_handle(struct rp_outbox *outbox)
{
	struct rp_memory *m = mem_of(outbox), **at = &m->world->handles;

	while (*at != m)
		at = &(*at)->next;
	*at = m->next;
	if (m->joined) {
		m->world->senders[m->me.slot].taken = false;
		tell(m->world, RP_WATCH_WORK);
	}
	if (m->work_fd >= 0)
		close(m->work_fd);
	if (m->commits_fd >= 0)
		close(m->commits_fd);
	free(m);
}

static enum rp_err no_trouble(struct rp_outbox *ob, struct rp_error *err)
{
	(void)ob;
	(void)err;
	return RP_OK;
}

static enum rp_err act(struct rp_outbox *ob, uid_t *before, struct rp_error *err)
{
	(void)ob;
	(void)err;
	*before = (uid_t)-1;
	return RP_OK;
}

static enum rp_err backup(struct rp_outbox *ob, const char *dir, struct rp_backup *b,
			  struct rp_error *err)
{
	(void)ob;
	(void)b;
	return rp_fail(err, RP_ERR_INVAL, "%s: an outbox in memory cannot be copied", dir);
}

static enum rp_err watch(struct rp_outbox *ob, enum rp_watch what, int *fd, struct rp_error *err)
{
	struct rp_memory *m = mem_of(ob);
	int *mine = what == RP_WATCH_WORK ? &m->work_fd : &m->commits_fd;

	if (*mine < 0)
		*mine = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	*fd = *mine;
	return *fd >= 0 ? RP_OK : rp_fail(err, RP_ERR_IO, "eventfd");
}

/* Whatever woke it, a sender looks for both. */
static struct rp_woken drain(struct rp_outbox *ob, enum rp_watch what)
{
	struct rp_memory *m = mem_of(ob);
	eventfd_t n = 0;

	if (what == RP_WATCH_COMMITS) {
		(void)eventfd_read(m->commits_fd, &n);
		return (struct rp_woken){false, false};
	}
	(void)eventfd_read(m->work_fd, &n);
	return (struct rp_woken){n > 0, n > 0};
}

void rp_memory_open(struct rp_memory_world *world, const struct rp_outbox_options *options,
		    struct rp_outbox **out)
{
	static const struct rp_store_ops ops = {
	    .close = close_handle,
	    .sync = no_trouble,
	    .check = no_trouble,
	    .act = act,
	    .append = mem_append,
	    .import = mem_import,
	    .join = mem_join,
	    .leave = mem_leave,
	    .beat = mem_beat,
	    .offer = mem_offer,
	    .withdraw = mem_withdraw,
	    .take = mem_take,
	    .reap = mem_reap,
	    .exchange = mem_exchange,
	    .renew_limits = mem_renew_limits,
	    .fix_clock = mem_fix_clock,
	    .fetch = mem_fetch,
	    .fetch_piece = mem_fetch_piece,
	    .expire = mem_expire,
	    .watch = watch,
	    .drain = drain,
	    .select = mem_select,
	    .select_end = mem_select_end,
	    .attempts = mem_attempts,
	    .recent = mem_recent,
	    .body = mem_body,
	    .ledger = mem_ledger,
	    .info = mem_info,
	    .counters = mem_counters,
	    .endpoints = mem_endpoints,
	    .endpoint_find = mem_endpoint_find,
	    .senders = mem_senders,
	    .change = mem_change_many,
	    .endpoint_pause = mem_endpoint_pause,
	    .backup = backup,
	    .plan_begin = mem_plan_begin,
	    .plan_add = mem_plan_add,
	    .job_order = mem_job_order,
	    .jobs_step = mem_jobs_step,
	    .jobs = mem_jobs,
	    .plan_rows = mem_plan_rows,
	    .audit_add = mem_audit_add,
	    .audit_count = mem_audit_set,
	    .audit = mem_audit_see,
	    .verify = mem_verify,
	};
	struct rp_memory *m = must_have(calloc(1, sizeof *m));

	m->outbox = (struct rp_outbox){&ops, "memory"};
	m->world = world;
	m->sys = options->sys != NULL ? options->sys : &rp_sys_real;
	m->work_fd = m->commits_fd = -1;
	m->next = world->handles;
	world->handles = m;
	*out = &m->outbox;
}

/* --- transactions ------------------------------------------------------------------------ */

struct mem_txn mem_begin(struct rp_outbox *outbox, int64_t now_at_ms)
{
	struct rp_memory *m = mem_of(outbox);
	struct mem_txn t = {.by = m, .s = &m->world->state, .now_at_ms = now_at_ms};

	MEM_EACH (struct mem_endpoint, ep, &t.s->endpoints) {
		ep->dirty = false;
		ep->was_in_use = rp_endpoint_in_use(&ep->rec);
	}
	return t;
}

void mem_commit(struct mem_txn *t)
{
	mem_flush(t);
	if (t->now_at_ms > t->s->head.latest_at_ms)
		t->s->head.latest_at_ms = t->now_at_ms;
	t->s->commits++;
	rp_histogram_add(t->by->joined ? &t->s->counters.sender_commits
				       : &t->s->counters.other_commits,
			 rp_bounds_commit_us, 0);
	tell(t->by->world, RP_WATCH_COMMITS);
}

void mem_ring(struct mem_txn *t)
{
	tell(t->by->world, RP_WATCH_WORK);
}
