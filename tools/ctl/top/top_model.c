/* top_model.c - works out what `top` shows from two looks at the outbox. It knows nothing of
 * screens or keys. */

#include "ctl/top/top_model.h"

#include <stdlib.h>

/* --- series ------------------------------------------------------------------------- */

void rp_top_series_add(struct rp_top_series *s, int64_t at_ms, uint32_t n)
{
	int64_t slot = at_ms / RP_TOP_SLOT_MS, i;

	if (s->last_slot == 0)
		s->last_slot = slot;
	if (slot <= s->last_slot - RP_TOP_SLOTS || slot < 0)
		return;
	if (slot - s->last_slot >= RP_TOP_SLOTS)
		memset(s->count, 0, sizeof s->count);
	else
		for (i = s->last_slot + 1; i <= slot; i++)
			s->count[i % RP_TOP_SLOTS] = 0;
	if (slot > s->last_slot)
		s->last_slot = slot;
	s->count[slot % RP_TOP_SLOTS] += n;
}

static uint32_t slot_count(const struct rp_top_series *s, int64_t slot)
{
	return slot > s->last_slot || slot <= s->last_slot - RP_TOP_SLOTS || slot < 0
		   ? 0
		   : s->count[slot % RP_TOP_SLOTS];
}

void rp_top_series_read(const struct rp_top_series *s, int64_t now_at_ms, uint32_t *out, size_t n)
{
	int64_t now_slot = now_at_ms / RP_TOP_SLOT_MS;
	size_t i;

	for (i = 0; i < n; i++)
		out[i] = slot_count(s, now_slot - (int64_t)(n - 1 - i));
}

double rp_top_series_rate(const struct rp_top_series *s, int64_t now_at_ms)
{
	int64_t now_slot = now_at_ms / RP_TOP_SLOT_MS, slot,
		first = now_slot - RP_TOP_RATE_MS / RP_TOP_SLOT_MS + 1;
	int64_t span_ms = now_at_ms - (first - 1) * RP_TOP_SLOT_MS;
	double sum = 0;

	/* the slot that is being filled, the whole ones before it, and of the oldest what is still
	 * within reach */
	for (slot = first; slot <= now_slot; slot++)
		sum += slot_count(s, slot);
	span_ms -= RP_TOP_SLOT_MS;
	return span_ms > 0 ? sum * 1000 / (double)span_ms : sum;
}

/* --- attempts ----------------------------------------------------------------------- */

/* Where the endpoint stands, or where it would. */
static size_t position(const struct rp_top *t, uint64_t id)
{
	size_t low = 0, high = t->n_activity;

	while (low < high) {
		size_t mid = (low + high) / 2;

		if (t->activity[mid]->id < id)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

const struct rp_top_endpoint *rp_top_activity(const struct rp_top *t, uint64_t endpoint)
{
	size_t at = position(t, endpoint);

	return at < t->n_activity && t->activity[at]->id == endpoint ? t->activity[at] : NULL;
}

static struct rp_top_endpoint *activity_of(struct rp_top *t, uint64_t id)
{
	size_t at = position(t, id);
	struct rp_top_endpoint *e;

	if (at < t->n_activity && t->activity[at]->id == id)
		return t->activity[at];
	if (t->n_activity == t->cap_activity) {
		size_t cap = t->cap_activity > 0 ? t->cap_activity * 2 : 64;
		void *more = realloc(t->activity, cap * sizeof t->activity[0]);

		if (more == NULL)
			return NULL;
		t->activity = more;
		t->cap_activity = cap;
	}
	e = calloc(1, sizeof *e);
	if (e == NULL)
		return NULL;
	e->id = id;
	memmove(&t->activity[at + 1], &t->activity[at],
		(t->n_activity - at) * sizeof t->activity[0]);
	t->activity[at] = e;
	t->n_activity++;
	return e;
}

/* Of one that is loaded: of many paths only their host is. */
static void note_at(struct rp_top *t, const struct rp_recent *r, uint64_t id)
{
	bool ok = r->cause == RP_CAUSE_NONE;
	struct rp_top_endpoint *e;

	if (rp_known_endpoint_find(&t->known, id) == NULL)
		return;
	e = activity_of(t, id);
	t->no_memory = t->no_memory || e == NULL;
	if (e == NULL)
		return;
	rp_top_series_add(ok ? &e->delivered : &e->failed, r->settled_at_ms, 1);
	if (r->cause != RP_CAUSE_SENDER_LOST)
		e->durations_ms[e->n_durations++ % RP_TOP_DURATIONS] = r->duration_ms;
}

static void note(struct rp_top *t, const struct rp_recent *r)
{
	bool ok = r->cause == RP_CAUSE_NONE;

	note_at(t, r, r->endpoint);
	note_at(t, r, rp_level_host(r->endpoint));
	rp_top_series_add(ok ? &t->delivered : &t->failed, r->settled_at_ms, 1);
	if (ok && r->slot < sizeof t->senders / sizeof t->senders[0])
		rp_top_series_add(&t->senders[r->slot].delivered, r->settled_at_ms, 1);
	if (!ok)
		t->failures[t->n_failures++ % RP_TOP_FAILURES] = *r;
}

static int by_duration(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

int64_t rp_top_p95_ms(const struct rp_top_endpoint *e)
{
	uint32_t sorted[RP_TOP_DURATIONS];
	size_t n = e->n_durations < RP_TOP_DURATIONS ? e->n_durations : RP_TOP_DURATIONS;

	if (n == 0)
		return -1;
	memcpy(sorted, e->durations_ms, n * sizeof sorted[0]);
	qsort(sorted, n, sizeof sorted[0], by_duration);
	return sorted[(n * 95 + 99) / 100 - 1];
}

int rp_top_ok_permille(const struct rp_top_endpoint *e, int64_t now_at_ms)
{
	uint32_t good[RP_TOP_SLOTS], bad[RP_TOP_SLOTS];
	uint64_t n_good = 0, n_bad = 0;
	size_t i;

	rp_top_series_read(&e->delivered, now_at_ms, good, RP_TOP_SLOTS);
	rp_top_series_read(&e->failed, now_at_ms, bad, RP_TOP_SLOTS);
	for (i = 0; i < RP_TOP_SLOTS; i++) {
		n_good += good[i];
		n_bad += bad[i];
	}
	return n_good + n_bad > 0 ? (int)(n_good * 1000 / (n_good + n_bad)) : -1;
}

/* --- looking ------------------------------------------------------------------------ */

static int read_attempts(struct rp_top *t)
{
	struct rp_recents part = {0};
	int code = rp_recents_read(t->ctl, &part, &t->next, UINT64_MAX, &t->n_missed);
	size_t i;

	for (i = 0; i < part.n && code == RP_EXIT_OK; i++)
		note(t, &part.all[i]);
	rp_recents_release(&part);
	return code == RP_EXIT_OK && t->no_memory ? rp_ctl_no_memory() : code;
}

static void see_sender(void *arg, const struct rp_sender_info *s)
{
	struct rp_top *t = arg;

	if (s->slot < sizeof t->senders / sizeof t->senders[0])
		t->senders[s->slot].info = *s;
}

/* Endpoints that have gone are forgotten, or a top that runs for months would gather them. */
static void forget_gone(struct rp_top *t)
{
	size_t i, n = 0;

	for (i = 0; i < t->n_activity; i++) {
		if (rp_known_endpoint_find(&t->known, t->activity[i]->id) != NULL)
			t->activity[n++] = t->activity[i];
		else
			free(t->activity[i]);
	}
	t->n_activity = n;
}

static int look_at_endpoints(struct rp_top *t)
{
	struct rp_known_endpoints known;
	int code = rp_ctl_load_endpoints(t->ctl, &known);

	if (code != RP_EXIT_OK) {
		rp_known_endpoints_release(&known);
		return code;
	}
	rp_known_endpoints_release(&t->known);
	t->known = known;
	forget_gone(t);
	return RP_EXIT_OK;
}

int rp_top_look(struct rp_top *t)
{
	struct rp_error err;
	size_t i;
	int code;

	t->now_at_ms = rp_sys_wall_ms(&rp_sys_real);
	if (rp_outbox_ledger(t->ctl->ob, &t->ledger, &err) != RP_OK)
		return rp_ctl_fail(&err);
	if (t->looked_at_ms != 0 && t->ledger.accepted >= t->accepted_before)
		rp_top_series_add(&t->accepted, t->now_at_ms,
				  (uint32_t)(t->ledger.accepted - t->accepted_before));
	t->accepted_before = t->ledger.accepted;
	code = look_at_endpoints(t);
	if (code == RP_EXIT_OK)
		code = read_attempts(t);
	for (i = 0; i < sizeof t->senders / sizeof t->senders[0]; i++)
		t->senders[i].info = (struct rp_sender_info){0};
	if (code == RP_EXIT_OK && rp_outbox_senders(t->ctl->ob, see_sender, t, &err) != RP_OK)
		code = rp_ctl_fail(&err);
	t->looked_at_ms = t->now_at_ms;
	return code;
}

void rp_top_release(struct rp_top *t)
{
	size_t i;

	for (i = 0; i < t->n_activity; i++)
		free(t->activity[i]);
	free(t->activity);
	rp_known_endpoints_release(&t->known);
	memset(t, 0, sizeof *t);
}
