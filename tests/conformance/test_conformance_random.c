/* Random calls, the same ones to every store at once: each must answer as the others do, and after
 * each call hold the same entries, endpoints, attempts and counts.
 *
 * The stores share the rules, so what the rules are for is looked at from the outside as well: one
 * front in each order, no more in flight than allowed, nothing sent before it is due, nothing lost,
 * nothing twice. The loop number of a failing test is its seed. */

#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "conformance/fixture.h"
#include "model/schedule.h"
#include "model/transition.h"

#define SEEDS 24
#define STEPS 300
#define ENTRIES_MAX 4096
#define HOSTS 2
#define PATHS 10   /* of each host at most */
#define SECTIONS 2 /* names of them, which each host may have */
#define ENDPOINTS_MAX 32
#define CLAIMS_MAX 512
#define CLAIMS_OF_ONE 32 /* exchange at most */
#define ORDERS 3         /* order_by texts in use, on each path */
/* LMDB and memory. The store in PostgreSQL gives other numbers to entries and endpoints, and leaves
 * gaps. */
#define N 2

static struct {
	uint64_t x;
	unsigned long seed, step;
	const char *what;
	int64_t now_ms, boot_ms;
	void *place[N];
	struct rp_outbox *ob[N];
	struct rp_error err;
	unsigned n_paths; /* in use, of each host */
	bool sick[HOSTS]; /* most requests fail there */
	/* the configuration; section_of: SECTIONS is none */
	struct {
		struct rp_limits host, section[SECTIONS], path[PATHS];
		unsigned section_of[PATHS];
	} config[HOSTS];
	struct rp_claim claims[CLAIMS_MAX]; /* handed out and not settled, lost ones among them */
	size_t n_claims;
	uint64_t last_seq, purged;
	uint64_t plan; /* the last one */
} m;

#define REQUIRE(cond, ...)                                                                         \
	do {                                                                                       \
		if (!(cond)) {                                                                     \
			char text_[500];                                                           \
			snprintf(text_, sizeof text_, __VA_ARGS__);                                \
			ck_abort_msg("seed %lu, step %lu (%s): %s: %s", m.seed, m.step, m.what,    \
				     #cond, text_);                                                \
		}                                                                                  \
	} while (0)
#define SAME(a, b)                                                                                 \
	REQUIRE((a) == (b), "%s: %lld, %s: %lld", fx_stores[0].name, (long long)(a),               \
		fx_stores[i].name, (long long)(b))

static uint64_t pick(uint64_t n)
{
	return fx_random(&m.x) % n;
}

static void must(enum rp_err e)
{
	REQUIRE(e == RP_OK, "%s", m.err.text);
}

/* --- what a store holds ------------------------------------------------------------------ */

struct holding {
	size_t n;
	struct rp_entry entries[ENTRIES_MAX]; /* by number; texts are not kept */
	char endpoint[ENTRIES_MAX][48], key[ENTRIES_MAX][48];
	size_t n_endpoints, n_paths; /* the paths come first */
	uint64_t id[ENDPOINTS_MAX];
	char name[ENDPOINTS_MAX][48];
	struct rp_endpoint endpoints[ENDPOINTS_MAX];
};
static struct holding before, now[N]; /* of the first store, before the call */

static void copy_text(struct rp_span text, char out[48])
{
	REQUIRE(text.len < 48, "%zu bytes", text.len);
	memcpy(out, text.ptr, text.len);
	out[text.len] = '\0';
}

static bool take_entry(void *arg, const struct rp_entry *e)
{
	struct holding *h = arg;
	size_t at = h->n;

	while (at > 0 && h->entries[at - 1].seq > e->seq)
		at--;
	REQUIRE(h->n < ENTRIES_MAX && (at == 0 || h->entries[at - 1].seq < e->seq), "seq %lu",
		(unsigned long)e->seq);
	memmove(&h->entries[at + 1], &h->entries[at], (h->n - at) * sizeof h->entries[0]);
	memmove(&h->endpoint[at + 1], &h->endpoint[at], (h->n - at) * sizeof h->endpoint[0]);
	memmove(&h->key[at + 1], &h->key[at], (h->n - at) * sizeof h->key[0]);
	h->entries[at] = *e;
	copy_text(e->endpoint, h->endpoint[at]);
	copy_text(e->facts.dedupe_key, h->key[at]);
	h->n++;
	return true;
}

static bool take_endpoint(void *arg, uint64_t id, struct rp_span name, const struct rp_endpoint *e)
{
	struct holding *h = arg;

	REQUIRE(h->n_endpoints < ENDPOINTS_MAX, "%lu", (unsigned long)id);
	h->id[h->n_endpoints] = id;
	copy_text(name, h->name[h->n_endpoints]);
	h->endpoints[h->n_endpoints++] = *e;
	return true;
}

static void look(struct rp_outbox *ob, struct holding *h)
{
	const struct rp_filter all = {.states = 0};
	struct rp_select s = {.filter = &all, .now_at_ms = m.now_ms, .see = take_entry, .arg = h};

	h->n = h->n_endpoints = 0;
	do
		must(rp_outbox_select(ob, &s, &m.err));
	while (s.more);
	rp_outbox_select_end(ob, &s);
	must(rp_outbox_endpoints(ob, (struct rp_endpoints_which){RP_ENDPOINTS_PATHS, 0},
				 take_endpoint, h, &m.err));
	h->n_paths = h->n_endpoints;
	must(rp_outbox_endpoints(ob, (struct rp_endpoints_which){RP_ENDPOINTS_SHARED, 0},
				 take_endpoint, h, &m.err));
}

static const struct rp_entry *find(const struct holding *h, uint64_t seq)
{
	size_t k;

	for (k = 0; k < h->n; k++)
		if (h->entries[k].seq == seq)
			return &h->entries[k];
	return NULL;
}

static const struct rp_endpoint *endpoint(const struct holding *h, uint64_t id)
{
	size_t k;

	for (k = 0; k < h->n_endpoints; k++)
		if (h->id[k] == id)
			return &h->endpoints[k];
	return NULL;
}

/* --- is the same everywhere -------------------------------------------------------------- */

static void same_delivery(const struct rp_delivery *a, const struct rp_delivery *b, int i)
{
	SAME(a->state, b->state);
	SAME(a->cause, b->cause);
	SAME(a->last_cause, b->last_cause);
	SAME(a->http_status, b->http_status);
	SAME(a->slot, b->slot);
	SAME(a->failures, b->failures);
	SAME(a->losses, b->losses);
	SAME(a->replays, b->replays);
	SAME(a->attempts, b->attempts);
	SAME(a->claim_no, b->claim_no);
	SAME(a->endpoint, b->endpoint);
	SAME(a->due_at_ms, b->due_at_ms);
	SAME(a->state_at_ms, b->state_at_ms);
	SAME(a->budget_at_ms, b->budget_at_ms);
	SAME(a->expires_at_ms, b->expires_at_ms);
	SAME(a->order_key, b->order_key);
	SAME(a->behind, b->behind);
	SAME(a->lacks, b->lacks);
}

static void same_control(const struct rp_control *a, const struct rp_control *b, int i)
{
	SAME(a->limits.in_flight, b->limits.in_flight);
	SAME(a->limits.start, b->limits.start);
	SAME(a->limits.rate.count, b->limits.rate.count);
	SAME(a->limits.breaker, b->limits.breaker);
	SAME(a->window_permille, b->window_permille);
	SAME(a->congested, b->congested);
	SAME(a->breaker, b->breaker);
	SAME(a->bad_streak, b->bad_streak);
	SAME(a->recent, b->recent);
	SAME(a->recent_bad, b->recent_bad);
	SAME(a->pauses, b->pauses);
	SAME(a->opened_at_ms, b->opened_at_ms);
	SAME(a->probe_at_ms, b->probe_at_ms);
	SAME(a->full_at_us, b->full_at_us);
}

static void same_endpoint(const struct rp_endpoint *a, const struct rp_endpoint *b, int i)
{
	int s;

	SAME(a->level, b->level);
	SAME(a->section, b->section);
	SAME(a->members, b->members);
	SAME(a->n_paths, b->n_paths);
	SAME(a->clears, b->clears);
	SAME(a->bad_at, b->bad_at);
	SAME(a->in_proven, b->in_proven);
	SAME(a->paused, b->paused);
	SAME(a->disabled, b->disabled);
	SAME(a->last_cause, b->last_cause);
	SAME(a->last_status, b->last_status);
	SAME(a->streak, b->streak);
	SAME(a->ready_at_ms, b->ready_at_ms);
	SAME(a->served_at_ms, b->served_at_ms);
	SAME(a->parked_until_ms, b->parked_until_ms);
	SAME(a->changed_at_ms, b->changed_at_ms);
	SAME(a->last_success_at_ms, b->last_success_at_ms);
	SAME(a->last_failure_at_ms, b->last_failure_at_ms);
	for (s = 1; s < RP_STATE_COUNT; s++)
		SAME(a->count[s], b->count[s]);
	for (s = 0; s < RP_LEVELS; s++)
		SAME(a->lacking[s], b->lacking[s]);
	same_control(&a->control, &b->control, i);
}

static void same_holding(int i)
{
	const struct holding *a = &now[0], *b = &now[i];
	size_t k;

	SAME(a->n, b->n);
	for (k = 0; k < a->n; k++) {
		const struct rp_facts *f = &a->entries[k].facts, *g = &b->entries[k].facts;

		SAME(a->entries[k].seq, b->entries[k].seq);
		REQUIRE(strcmp(a->endpoint[k], b->endpoint[k]) == 0, "%s", b->endpoint[k]);
		REQUIRE(strcmp(a->key[k], b->key[k]) == 0, "%s", b->key[k]);
		SAME(f->accepted_at_ms, g->accepted_at_ms);
		SAME(f->not_before_at_ms, g->not_before_at_ms);
		SAME(f->expires_at_ms, g->expires_at_ms);
		SAME(f->endpoint, g->endpoint);
		SAME(f->payload_bytes, g->payload_bytes);
		SAME(f->payload_hash, g->payload_hash);
		same_delivery(&a->entries[k].delivery, &b->entries[k].delivery, i);
	}
	SAME(a->n_endpoints, b->n_endpoints);
	for (k = 0; k < a->n_endpoints; k++) {
		SAME(a->id[k], b->id[k]);
		REQUIRE(strcmp(a->name[k], b->name[k]) == 0, "%s", b->name[k]);
		same_endpoint(&a->endpoints[k], &b->endpoints[k], i);
	}
}

static void same_ledger(int i)
{
	struct rp_ledger a, b;

	must(rp_outbox_ledger(m.ob[0], &a, &m.err));
	must(rp_outbox_ledger(m.ob[i], &b, &m.err));
	SAME(a.accepted, b.accepted);
	SAME(a.waiting, b.waiting);
	SAME(a.in_flight, b.in_flight);
	SAME(a.held, b.held);
	SAME(a.delivered, b.delivered);
	SAME(a.dead, b.dead);
	SAME(a.purged, b.purged);
}

static void same_info(int i)
{
	struct rp_outbox_info a, b;
	int64_t x, y;

	must(rp_outbox_info(m.ob[0], &a, &m.err));
	must(rp_outbox_info(m.ob[i], &b, &m.err));
	SAME(a.retrying, b.retrying);
	SAME(a.next_due_at_ms, b.next_due_at_ms);
	SAME(a.oldest.waiting_due_at_ms, b.oldest.waiting_due_at_ms);
	SAME(a.oldest.delivered_at_ms, b.oldest.delivered_at_ms);
	SAME(a.oldest.dead_at_ms, b.oldest.dead_at_ms);
	SAME(a.latest_at_ms, b.latest_at_ms);
	must(rp_outbox_next_ready(m.ob[0], &x, &m.err));
	must(rp_outbox_next_ready(m.ob[i], &y, &m.err));
	SAME(x, y);
}

/* --- less often: the logs ---------------------------------------------------------------- */

/* A log as a row of numbers. */
struct line {
	const char *what;
	size_t n;
	int64_t all[65536];
	const char *what_of[65536];
};
static struct line lines[N];

static void put(struct line *l, int64_t number)
{
	REQUIRE(l->n < sizeof l->all / sizeof l->all[0], "more than a line holds");
	l->what_of[l->n] = l->what;
	l->all[l->n++] = number;
}

static void put_attempt(void *arg, uint32_t n, const struct rp_attempt *a, bool damaged)
{
	put(arg, n);
	put(arg, damaged);
	put(arg, a->late);
	put(arg, a->slot);
	put(arg, a->pid);
	put(arg, a->started_at_ms);
	put(arg, a->outcome.cause);
	put(arg, a->outcome.http_status);
}

static void put_recent(void *arg, const struct rp_recent *r)
{
	put(arg, (int64_t)r->number);
	put(arg, r->settled_at_ms);
	put(arg, (int64_t)r->seq);
	put(arg, (int64_t)r->endpoint);
	put(arg, r->attempt);
	put(arg, r->cause);
	put(arg, r->late);
}

static bool put_job(void *arg, uint64_t number, const struct rp_job *j)
{
	put(arg, (int64_t)number);
	put(arg, j->verb);
	put(arg, j->phase);
	put(arg, (int64_t)j->planned);
	put(arg, (int64_t)j->done);
	put(arg, (int64_t)j->done_in_flight);
	put(arg, (int64_t)j->skipped.changed);
	put(arg, (int64_t)j->skipped.gone);
	put(arg, (int64_t)j->skipped.in_flight);
	put(arg, (int64_t)j->skipped.state);
	put(arg, (int64_t)j->lane);
	put(arg, j->moved_at_ms);
	put(arg, j->ended_at_ms);
	return true;
}

static bool put_audit(void *arg, uint64_t number, const struct rp_audit *a)
{
	put(arg, (int64_t)number);
	put(arg, (int64_t)a->job);
	put(arg, (int64_t)a->done);
	put(arg, (int64_t)a->skipped);
	return true;
}

static void put_series(void *arg, struct rp_span name, const struct rp_series *s)
{
	int c;

	put(arg, (int64_t)name.len);
	for (c = 0; c < RP_CLASS_COUNT; c++)
		put(arg, (int64_t)s->attempts[c]);
}

/* How long commits took, and when duplicates are told, is each store's own. */
static void put_counters(struct line *l, struct rp_outbox *ob)
{
	struct rp_counters c;
	int k;

	must(rp_outbox_counters(ob, &c, put_series, l, &m.err));
	put(l, (int64_t)c.replayed);
	put(l, (int64_t)c.claims_lost);
	put(l, (int64_t)c.last_append_at_ms);
	put(l, (int64_t)c.last_delivery_at_ms);
	put(l, (int64_t)c.latency.sum_us);
	put(l, (int64_t)c.attempts.sum_us);
	for (k = 0; k < RP_COUNTERS_CAUSES; k++) {
		put(l, (int64_t)c.retries[k]);
		put(l, (int64_t)c.dead[k]);
	}
}

static void put_all(int i)
{
	struct line *l = &lines[i];
	struct rp_recent_page page = {.see = put_recent, .arg = l};
	size_t k;

	l->n = 0;
	l->what = "attempts";
	for (k = 0; k < now[i].n; k++)
		must(rp_outbox_attempts(m.ob[i], now[i].entries[k].seq, put_attempt, l, &m.err));
	l->what = "recent";
	do
		must(rp_outbox_recent(m.ob[i], &page, &m.err));
	while (page.more);
	l->what = "jobs";
	must(rp_outbox_jobs(m.ob[i], put_job, l, &m.err));
	l->what = "audit";
	must(rp_outbox_audit(m.ob[i], put_audit, l, &m.err));
	l->what = "counters";
	put_counters(l, m.ob[i]);
}

static void same_logs(void)
{
	size_t k;
	int i;

	for (i = 0; i < N; i++)
		put_all(i);
	for (i = 1; i < N; i++) {
		for (k = 0; k < lines[0].n && k < lines[i].n; k++)
			REQUIRE(lines[0].all[k] == lines[i].all[k],
				"%s, number %zu: %lld is %lld in %s", lines[0].what_of[k], k,
				(long long)lines[0].all[k], (long long)lines[i].all[k],
				fx_stores[i].name);
		SAME(lines[0].n, lines[i].n);
	}
}

/* --- the rules, from the outside --------------------------------------------------------- */

static bool is_live(const struct rp_delivery *d)
{
	return d->state == RP_STATE_WAITING || d->state == RP_STATE_IN_FLIGHT ||
	       d->state == RP_STATE_HELD;
}

/* In front is who is in flight, else who came first. */
static uint64_t front_of(const struct holding *h, uint64_t endpoint_id, uint64_t order)
{
	uint64_t first = 0;
	size_t k;

	for (k = 0; k < h->n; k++) {
		const struct rp_delivery *d = &h->entries[k].delivery;

		if (d->endpoint != endpoint_id || d->order_key != order || !is_live(d))
			continue;
		if (d->state == RP_STATE_IN_FLIGHT)
			return h->entries[k].seq;
		first = first == 0 ? h->entries[k].seq : first;
	}
	return first;
}

static void orders_have_one_front(void)
{
	const struct holding *h = &now[0];
	size_t k;

	for (k = 0; k < h->n; k++) {
		const struct rp_delivery *d = &h->entries[k].delivery;
		bool behind = d->order_key != 0 && is_live(d) &&
			      front_of(h, d->endpoint, d->order_key) != h->entries[k].seq;

		REQUIRE(d->behind == behind, "seq %lu", (unsigned long)h->entries[k].seq);
	}
}

static void nothing_is_lost(void)
{
	const struct holding *h = &now[0];
	struct rp_ledger l;
	size_t k;

	must(rp_outbox_ledger(m.ob[0], &l, &m.err));
	REQUIRE(l.accepted == h->n + m.purged, "%lu accepted, %zu there, %lu purged",
		(unsigned long)l.accepted, h->n, (unsigned long)m.purged);
	for (k = 0; k < before.n; k++)
		if (find(h, before.entries[k].seq) == NULL)
			REQUIRE(h->n < before.n, "seq %lu is gone",
				(unsigned long)before.entries[k].seq);
}

/* Whether a path is this one, or is in this section or host by what the store holds now. */
static bool is_of(uint64_t path, uint64_t id)
{
	return path == id || rp_level_host(path) == id || endpoint(&now[0], path)->section == id;
}

/* Counted by the entries, on one level of a path's: those in flight that lack a place. */
static size_t lacking(const struct holding *h, uint64_t id, int level)
{
	size_t n = 0, k;

	for (k = 0; k < h->n; k++) {
		const struct rp_delivery *d = &h->entries[k].delivery;

		n += d->state == RP_STATE_IN_FLIGHT && (d->lacks & RP_LACKS(level)) != 0 &&
		     is_of(d->endpoint, id);
	}
	return n;
}

/* Those that have a place. */
static size_t in_use(const struct holding *h, uint64_t id)
{
	size_t n = 0, k;

	for (k = 0; k < h->n; k++) {
		const struct rp_delivery *d = &h->entries[k].delivery;

		n += d->state == RP_STATE_IN_FLIGHT &&
		     (d->lacks & RP_LACKS(rp_level_of(id))) == 0 && is_of(d->endpoint, id);
	}
	return n;
}

static void places_are_counted(void)
{
	const struct holding *h = &now[0];
	size_t k;
	int l;

	for (k = 0; k < h->n; k++)
		REQUIRE(h->entries[k].delivery.lacks == 0 ||
			    h->entries[k].delivery.state == RP_STATE_IN_FLIGHT,
			"seq %lu", (unsigned long)h->entries[k].seq);
	for (k = 0; k < h->n_endpoints; k++) {
		for (l = 0; l < RP_LEVELS; l++)
			REQUIRE(h->endpoints[k].lacking[l] == lacking(h, h->id[k], l),
				"%s, level %d: %u", h->name[k], l, h->endpoints[k].lacking[l]);
		REQUIRE(rp_endpoint_in_use(&h->endpoints[k]) == in_use(h, h->id[k]), "%s",
			h->name[k]);
	}
}

/* A claim has its place within the limits; ahead of one it finds all of them taken, and no more. */
static void place_was_right(const struct rp_claim *c, uint64_t id)
{
	const struct rp_endpoint *ep = endpoint(&now[0], id);

	if ((c->lacks & RP_LACKS(ep->level)) == 0)
		REQUIRE(in_use(&now[0], id) <= ep->control.limits.in_flight, "%s of seq %lu",
			rp_level_name(ep->level), (unsigned long)c->seq);
	else
		REQUIRE(in_use(&now[0], id) == rp_control_room(&ep->control), "%s of seq %lu",
			rp_level_name(ep->level), (unsigned long)c->seq);
	if (c->lacks != 0)
		REQUIRE(!ep->paused && !ep->disabled && ep->parked_until_ms <= m.now_ms &&
			    ep->control.breaker == RP_BREAKER_CLOSED &&
			    ep->control.limits.in_flight > 0 && ep->control.limits.rate.count == 0,
			"%s of seq %lu", rp_level_name(ep->level), (unsigned long)c->seq);
}

/* Of the exchange that has just been made: what stood there before may be settled since. */
static void claim_was_right(const struct rp_claim *c)
{
	const struct rp_entry *was = find(&before, c->seq), *is = find(&now[0], c->seq);
	const struct rp_endpoint *ep = endpoint(&now[0], c->endpoint);

	REQUIRE(was != NULL && is != NULL && ep != NULL, "seq %lu", (unsigned long)c->seq);
	REQUIRE(is->delivery.state == RP_STATE_IN_FLIGHT, "seq %lu", (unsigned long)c->seq);
	REQUIRE(is->delivery.claim_no == c->claim_no && c->claim_no == was->delivery.claim_no + 1,
		"seq %lu", (unsigned long)c->seq);
	REQUIRE(c->attempt == is->delivery.attempts, "seq %lu", (unsigned long)c->seq);
	REQUIRE(!ep->paused && !ep->disabled, "seq %lu", (unsigned long)c->seq);
	REQUIRE(is->delivery.due_at_ms <= m.now_ms, "seq %lu", (unsigned long)c->seq);
	REQUIRE(is->facts.not_before_at_ms <= m.now_ms || is->delivery.replays > 0 ||
		    c->attempt > 1,
		"seq %lu", (unsigned long)c->seq);
	REQUIRE(is->delivery.expires_at_ms == 0 || is->delivery.expires_at_ms > m.now_ms, "seq %lu",
		(unsigned long)c->seq);
	REQUIRE(c->lacks == is->delivery.lacks, "seq %lu", (unsigned long)c->seq);
	place_was_right(c, c->endpoint);
	place_was_right(c, rp_level_host(c->endpoint));
	if (ep->section != 0)
		place_was_right(c, ep->section);
	REQUIRE(c->lacks == 0 ||
		    rp_schedule_is_proven(endpoint(&now[0], rp_level_host(c->endpoint)), m.now_ms),
		"seq %lu", (unsigned long)c->seq);
}

/* Whether something of this level keeps an entry from being claimed. */
static bool holds_back(uint64_t id)
{
	const struct rp_endpoint *at = endpoint(&now[0], id);

	return at->paused || at->parked_until_ms > m.now_ms || at->control.limits.rate.count > 0 ||
	       at->control.breaker != RP_BREAKER_CLOSED ||
	       in_use(&now[0], id) + 1 > at->control.window_permille / 1000;
}

/* Whoever left a section in this exchange had its turn in that. */
static bool has_moved(uint64_t path)
{
	const struct rp_endpoint *was = endpoint(&before, path);

	return was == NULL || was->section != endpoint(&now[0], path)->section;
}

/* An exchange that still had room has taken everything there was; unless the clock was set back by
 * less than a minute, which nobody minds. */
static void nothing_was_left(int64_t latest_at_ms, bool takes_unproven)
{
	size_t k;

	if (latest_at_ms > m.now_ms)
		return;
	for (k = 0; k < now[0].n; k++) {
		const struct rp_entry *e = &now[0].entries[k];
		const uint64_t path = e->delivery.endpoint, host = rp_level_host(path),
			       section = endpoint(&now[0], path)->section;

		if (e->delivery.state != RP_STATE_WAITING || e->delivery.behind ||
		    e->delivery.due_at_ms > m.now_ms || has_moved(path))
			continue;
		if (!takes_unproven && !rp_schedule_is_proven(endpoint(&now[0], host), m.now_ms))
			continue;
		REQUIRE(holds_back(path) || (section != 0 && holds_back(section)) ||
			    holds_back(host),
			"seq %lu was left", (unsigned long)e->seq);
	}
}

/* --- append, import ---------------------------------------------------------------------- */

static const char *const order_texts[ORDERS + 1] = {"", "thread a", "thread b", "thread c"};

static bool has_key(const struct holding *h, struct rp_span key)
{
	size_t k;

	for (k = 0; k < h->n; k++)
		if (rp_span_is(key, h->key[k]))
			return true;
	return false;
}

static struct rp_new_entry random_entry(void)
{
	struct rp_new_entry n = fx_new((unsigned)((1 + pick(HOSTS)) * FX_PATHS + pick(m.n_paths)));

	if (before.n > 0 && pick(4) == 0)
		n.dedupe_key = rp_span_of(before.key[pick(before.n)]);
	if (pick(2) == 0)
		n.order_by = rp_span_of(order_texts[1 + pick(ORDERS)]);
	if (pick(4) == 0)
		n.not_before_at_ms = m.now_ms + (int64_t)pick(20000);
	if (pick(4) == 0)
		n.expires_at_ms = m.now_ms + 1 + (int64_t)pick(60000);
	return n;
}

static void step_append(void)
{
	struct rp_new_entry n[4];
	struct rp_appended out[N][4];
	size_t many = 1 + pick(4), k;
	int i;

	m.what = "append";
	for (k = 0; k < many; k++)
		n[k] = random_entry();
	for (i = 0; i < N; i++) {
		must(rp_outbox_append(m.ob[i], m.now_ms, n, many, out[i], &m.err));
		for (k = 0; k < many; k++) {
			SAME(out[0][k].duplicate, out[i][k].duplicate);
			SAME(out[0][k].seq, out[i][k].seq);
		}
	}
	for (k = 0; k < many; k++) {
		REQUIRE(out[0][k].duplicate || !has_key(&before, n[k].dedupe_key), "entry %zu", k);
		REQUIRE(out[0][k].duplicate || out[0][k].seq > m.last_seq, "entry %zu", k);
		if (!out[0][k].duplicate)
			m.last_seq = out[0][k].seq;
	}
}

static void step_import(void)
{
	struct rp_new_entry n = random_entry();
	struct rp_import in = {.endpoint = n.endpoint, .payload = n.payload};
	struct rp_import_result out[N];
	bool dry_run = pick(2) == 0;
	int i;

	m.what = "import";
	in.facts = (struct rp_facts){.accepted_at_ms = m.now_ms - 5000,
				     .url = n.url,
				     .order_by = n.order_by,
				     .dedupe_key = n.dedupe_key};
	rp_id_make(1 + pick(m.last_seq + 8), (const unsigned char *)"abcdefghij", in.facts.id);
	in.delivery = (struct rp_delivery){.state = RP_STATE_HELD + (enum rp_state)pick(3),
					   .state_at_ms = m.now_ms - 1000,
					   .attempts = (uint32_t)pick(3)};
	for (i = 0; i < N; i++) {
		must(rp_outbox_import(m.ob[i], m.now_ms, &in, 1, dry_run, 0, &out[i], &m.err));
		SAME(out[0].kind, out[i].kind);
		SAME(out[0].seq, out[i].seq);
	}
	if (out[0].kind == RP_IMPORT_DONE && !dry_run)
		m.last_seq = out[0].seq > m.last_seq ? out[0].seq : m.last_seq;
}

/* --- exchange ---------------------------------------------------------------------------- */

/* By "https://k1.example/hook/2", "https://k1.example/hook" or "https://k1.example". */
static void limits(void *arg, struct rp_span name, struct rp_level_limits *out)
{
	static const char *const names[SECTIONS + 1] = {"one", "two", ""};
	const char last = name.ptr[name.len - 1];
	const unsigned h = (unsigned)(name.ptr[strlen("https://k")] - '1'),
		       path = last >= '0' && last <= '9' ? (unsigned)(last - '0') : 0,
		       section = m.config[h].section_of[path];

	(void)arg;
	*out = (struct rp_level_limits){.section = rp_span_of(names[section])};
	out->at[RP_LEVEL_PATH] = m.config[h].path[path];
	out->at[RP_LEVEL_HOST] = m.config[h].host;
	if (section < SECTIONS)
		out->at[RP_LEVEL_SECTION] = m.config[h].section[section];
}

static struct rp_limits random_limits(void)
{
	unsigned in_flight = 1 + (unsigned)pick(6);
	struct rp_limits l = {.in_flight = in_flight, .start = 1 + (unsigned)pick(in_flight)};

	l.breaker = pick(2) == 0;
	if (pick(5) == 0)
		l.rate = (struct rp_rate){1 + (uint32_t)pick(20), 1000};
	return l;
}

/* A host and a section have room for more than one of their paths. */
static struct rp_limits random_shared_limits(void)
{
	struct rp_limits l = random_limits();

	l.in_flight *= 1 + (unsigned)pick(4);
	l.breaker = pick(4) > 0;
	l.start = pick(2) == 0 ? l.in_flight : l.start;
	return l;
}

static void random_host_config(unsigned h)
{
	unsigned k;

	m.config[h].host = random_shared_limits();
	for (k = 0; k < SECTIONS; k++) {
		m.config[h].section[k] = random_shared_limits();
		m.config[h].section[k].breaker = false;
	}
}

static void random_path_config(unsigned h, unsigned path)
{
	m.config[h].path[path] = random_limits();
	m.config[h].section_of[path] = (unsigned)pick(SECTIONS + 1);
}

static bool is_sick(uint64_t path)
{
	return m.sick[(path >> RP_HOST_SHIFT) % HOSTS];
}

static struct rp_settlement random_settlement(const struct rp_claim *c)
{
	static const enum rp_settle_kind kinds[] = {
	    RP_SETTLE_DELIVERED, RP_SETTLE_RETRY,  RP_SETTLE_RETRY, RP_SETTLE_RETRY,
	    RP_SETTLE_DEAD,      RP_SETTLE_RETURN, RP_SETTLE_PARK};
	static struct rp_outcome overload = {
	    .cause = RP_CAUSE_HTTP, .http_status = 503, .http_version = 11, .duration_us = 900};
	struct rp_settlement s = fx_settlement(c, kinds[pick(pick(8) == 0 ? 7 : 6)]);

	if (is_sick(c->endpoint) && pick(30) > 0)
		s = fx_settlement(c, RP_SETTLE_RETRY);
	if (s.kind == RP_SETTLE_RETRY && (is_sick(c->endpoint) || pick(3) > 0))
		s.outcome = &overload;
	if (s.kind == RP_SETTLE_PARK) {
		s.outcome = NULL;
		s.cause = RP_CAUSE_NO_KEY;
	}
	if (s.outcome == NULL)
		s.tokens = c->tokens;
	s.due_at_ms = m.now_ms + (int64_t)pick(15000);
	s.started_at_ms = m.now_ms;
	s.disable_endpoint = s.kind == RP_SETTLE_DEAD && pick(8) == 0;
	if (pick(2) == 0)
		memcpy(s.series, "acme", 5);
	return s;
}

static void same_settlement(const struct rp_settlement *a, const struct rp_settlement *b, int i)
{
	int l;

	SAME(a->stale, b->stale);
	SAME(a->parked, b->parked);
	for (l = 0; l < RP_LEVELS && !a->stale; l++) {
		SAME(a->change[l], b->change[l]);
		SAME(a->bad_streak[l], b->bad_streak[l]);
		SAME(a->probe_at_ms[l], b->probe_at_ms[l]);
	}
}

static void same_claim(const struct rp_claim *a, const struct rp_claim *b, int i)
{
	int l;

	SAME(a->seq, b->seq);
	SAME(a->endpoint, b->endpoint);
	SAME(a->claim_no, b->claim_no);
	SAME(a->attempt, b->attempt);
	SAME(a->failures, b->failures);
	SAME(a->budget_at_ms, b->budget_at_ms);
	SAME(a->expires_at_ms, b->expires_at_ms);
	for (l = 0; l < RP_LEVELS; l++) {
		SAME(a->probes[l], b->probes[l]);
		SAME(a->tokens.of[l].rate.count, b->tokens.of[l].rate.count);
		SAME(a->tokens.of[l].taken_at_ms, b->tokens.of[l].taken_at_ms);
	}
	SAME(a->unproven, b->unproven);
	SAME(a->blocking, b->blocking);
	SAME(a->lacks, b->lacks);
	SAME(a->full, b->full);
}

static size_t pick_settlements(struct rp_settlement s[32])
{
	size_t n = 0, i;

	while (m.n_claims > 0 && n < 32 && pick(3) != 0) {
		i = pick(m.n_claims);
		s[n++] = random_settlement(&m.claims[i]);
		m.claims[i] = m.claims[--m.n_claims];
	}
	return n;
}

/* --- places that are passed on ----------------------------------------------------------- */

static uint64_t section_of(uint64_t path)
{
	const struct rp_endpoint *ep = endpoint(&before, path);

	return ep != NULL ? ep->section : 0; /* the path of a lost claim may be gone */
}

static bool same_receiver(const struct rp_claim *heir, uint64_t path)
{
	const uint64_t section = section_of(path);

	if ((heir->lacks & RP_LACKS(RP_LEVEL_PATH)) != 0)
		return heir->endpoint == path;
	if ((heir->lacks & RP_LACKS(RP_LEVEL_SECTION)) != 0)
		return section != 0 && section_of(heir->endpoint) == section;
	return rp_level_host(heir->endpoint) == rp_level_host(path);
}

static bool has_claim(uint64_t seq, uint32_t claim_no)
{
	const struct rp_entry *e = find(&before, seq);

	return e != NULL && rp_transition_has_claim(&e->delivery, claim_no);
}

/* It has not lost its claim, and had all its places before this step. */
static bool has_places(uint64_t seq, uint32_t claim_no)
{
	return has_claim(seq, claim_no) && find(&before, seq)->delivery.lacks == 0;
}

/* As a sender does it: from one that has been delivered, and has its claim and all its places, to
 * one that waits for them. */
static bool pass_rightly(struct rp_settlement *s)
{
	size_t k, n, from = m.n_claims > 0 ? pick(m.n_claims) : 0;

	if (s->kind != RP_SETTLE_DELIVERED || !has_places(s->seq, s->claim_no))
		return false;
	for (n = 0; n < m.n_claims; n++) {
		k = (from + n) % m.n_claims;
		if (m.claims[k].lacks == 0 || !same_receiver(&m.claims[k], s->endpoint))
			continue;
		s->passes_to_seq = m.claims[k].seq;
		s->passes_to_claim_no = m.claims[k].claim_no;
		m.claims[k].lacks = 0;
		return true;
	}
	return false;
}

/* To any claim: one that lacks nothing, is lost, is settled itself or lacks other places; or to
 * what is none. */
static void pass_wrongly(struct rp_settlement *s, const struct rp_settlement *all, size_t n)
{
	size_t k = pick(n + m.n_claims);

	s->passes_to_seq = k < n ? all[k].seq : m.claims[k - n].seq;
	s->passes_to_claim_no = k < n ? all[k].claim_no : m.claims[k - n].claim_no;
	if (pick(3) == 0)
		s->passes_to_claim_no += 1 + (uint32_t)pick(2);
	if (pick(9) == 0)
		s->passes_to_seq = m.last_seq + 1;
}

/* Whether all were passed on as a sender does it. */
static bool pass_places(struct rp_settlement *s, size_t n)
{
	bool right = true;
	size_t k;

	for (k = 0; k < n; k++) {
		if (pick(4) != 0)
			pass_rightly(&s[k]);
		else if (m.seed % 3 == 0 && pick(2) == 0) {
			pass_wrongly(&s[k], s, n);
			right = false;
		}
	}
	return right;
}

static size_t random_ahead(struct rp_claim_ahead ahead[4])
{
	size_t n = pick(5), k;

	for (k = 0; k < n; k++)
		ahead[k] = (struct rp_claim_ahead){before.n_endpoints > 0 && pick(20) != 0
						       ? before.id[pick(before.n_endpoints)]
						       : pick(9) << RP_HOST_SHIFT | pick(4),
						   pick(5)};
	return n;
}

/* A claim lacks what it lacked when it was made, until another one names it. */
static void only_heirs_took_places(const struct rp_settlement *s, size_t n)
{
	size_t k, i;

	for (k = 0; k < now[0].n; k++) {
		const uint64_t seq = now[0].entries[k].seq;
		const struct rp_delivery *is = &now[0].entries[k].delivery;
		bool named = false;

		if (is->state != RP_STATE_IN_FLIGHT || !has_claim(seq, is->claim_no))
			continue;
		for (i = 0; i < n; i++)
			named = named || (s[i].passes_to_seq == seq &&
					  s[i].passes_to_claim_no == is->claim_no);
		REQUIRE(is->lacks == (named ? 0 : find(&before, seq)->delivery.lacks), "seq %lu",
			(unsigned long)seq);
	}
}

/* A place that is passed on is neither lost nor there twice: no more are taken than before, but by
 * claims, which know the limit. Sections: while no path goes from one to another. */
static void no_places_were_made(void)
{
	bool moved = false;
	size_t k;

	for (k = 0; k < now[0].n_paths; k++)
		moved = moved || has_moved(now[0].id[k]);
	for (k = 0; k < now[0].n_endpoints; k++) {
		const struct rp_endpoint *ep = &now[0].endpoints[k];
		const uint64_t id = now[0].id[k];

		if (ep->level != RP_LEVEL_SECTION || !moved)
			REQUIRE(in_use(&now[0], id) <= ep->control.limits.in_flight ||
				    in_use(&now[0], id) <= in_use(&before, id),
				"%s", now[0].name[k]);
	}
}

/* The same one, x[0], at every store. */
static void exchange_everywhere(struct rp_exchange x[N], struct rp_settlement s[N][32])
{
	static struct rp_claim claims[N][CLAIMS_OF_ONE];
	size_t k;
	int i;

	for (i = 1; i < N; i++) {
		x[i] = x[0];
		memcpy(s[i], s[0], x[0].n_settle * sizeof s[0][0]);
	}
	for (i = 0; i < N; i++) {
		x[i].settle = s[i];
		x[i].claims = claims[i];
		must(rp_outbox_exchange(m.ob[i], m.now_ms, &x[i], &m.err));
		SAME(x[0].n_claims, x[i].n_claims);
		SAME(x[0].n_metered, x[i].n_metered);
		SAME(x[0].n_unproven, x[i].n_unproven);
		SAME(x[0].n_dead, x[i].n_dead);
		SAME(x[0].next_ready_at_ms, x[i].next_ready_at_ms);
		SAME(x[0].passed_over, x[i].passed_over);
		SAME(x[0].committed, x[i].committed);
		for (k = 0; k < x[0].n_settle; k++)
			same_settlement(&s[0][k], &s[i][k], i);
		for (k = 0; k < x[0].n_claims; k++)
			same_claim(&claims[0][k], &claims[i][k], i);
	}
	look(m.ob[0], &now[0]);
	for (k = 0; k < x[0].n_claims; k++) {
		claim_was_right(&claims[0][k]);
		m.claims[m.n_claims++] = claims[0][k];
	}
}

static void step_exchange(void)
{
	struct rp_settlement s[N][32];
	struct rp_claim_ahead ahead[4];
	struct rp_exchange x[N] = {{.begin_within_ms = 100, .limits = limits, .ahead = ahead}};
	struct rp_outbox_info info;
	bool right;

	m.what = "exchange";
	must(rp_outbox_info(m.ob[0], &info, &m.err));
	x[0].n_settle = pick_settlements(s[0]);
	right = pass_places(s[0], x[0].n_settle);
	if (CLAIMS_OF_ONE <= CLAIMS_MAX - m.n_claims) {
		x[0].want = pick(12);
		x[0].n_ahead = random_ahead(ahead);
	}
	x[0].want_metered = pick(2) * x[0].want;
	x[0].want_unproven = pick(3) == 0 ? pick(x[0].want + 1) : x[0].want;
	exchange_everywhere(x, s);
	only_heirs_took_places(s[0], x[0].n_settle);
	if (right)
		no_places_were_made();
	if (x[0].n_claims < x[0].want)
		nothing_was_left(info.latest_at_ms, x[0].want_unproven == x[0].want);
}

/* Takes one out of the list that has its claim and all its places there, for this heir. */
static bool take_passer(const struct rp_claim *heir, struct rp_claim *out)
{
	size_t k, n, from = pick(m.n_claims);

	for (n = 0; n < m.n_claims; n++) {
		k = (from + n) % m.n_claims;
		if (!same_receiver(heir, m.claims[k].endpoint) ||
		    !has_places(m.claims[k].seq, m.claims[k].claim_no))
			continue;
		*out = m.claims[k];
		m.claims[k] = m.claims[--m.n_claims];
		return true;
	}
	return false;
}

/* Fast receivers: what is delivered passes its places on, and more is claimed ahead of them. */
static void step_pass_on(void)
{
	struct rp_settlement s[N][32];
	struct rp_claim_ahead ahead[8];
	struct rp_exchange x[N] = {{.begin_within_ms = 100, .limits = limits, .ahead = ahead}};
	size_t n = 0, k;

	m.what = "pass on";
	if (CLAIMS_OF_ONE > CLAIMS_MAX - m.n_claims)
		return;
	x[0].want = x[0].want_metered = x[0].want_unproven = pick(8);
	for (k = 0; k < m.n_claims && n < 8; k++) {
		struct rp_claim heir = m.claims[k], passer;
		const uint64_t ids[RP_LEVELS] = {heir.endpoint, section_of(heir.endpoint),
						 rp_level_host(heir.endpoint)};

		if (heir.lacks == 0 || has_places(heir.seq, heir.claim_no) ||
		    !take_passer(&heir, &passer))
			continue;
		ahead[n] = (struct rp_claim_ahead){ids[pick(RP_LEVELS)], 1 + pick(3)};
		s[0][n] = fx_settlement(&passer, RP_SETTLE_DELIVERED);
		ck_assert(pass_rightly(&s[0][n++]));
	}
	x[0].n_settle = x[0].n_ahead = n;
	exchange_everywhere(x, s);
	only_heirs_took_places(s[0], n);
	no_places_were_made();
}

/* Whoever is told to come again at once finds something, or is told so once or twice. */
static void step_until_rest(void)
{
	struct rp_settlement s[N][32];
	struct rp_exchange x[N];
	unsigned in_vain = 0;

	m.what = "exchange until rest";
	do {
		if (m.n_claims + 8 > CLAIMS_MAX)
			return;
		x[0] = (struct rp_exchange){.want = 8,
					    .want_metered = 8,
					    .want_unproven = 8,
					    .begin_within_ms = 100,
					    .limits = limits};
		exchange_everywhere(x, s);
		in_vain = x[0].n_claims + x[0].n_dead > 0 ? 0 : in_vain + 1;
		REQUIRE(in_vain < 3, "asked again and again for nothing");
	} while (x[0].next_ready_at_ms <= m.now_ms);
}

static void step_fetch(void)
{
	struct rp_dispatch d[N] = {{.endpoint_only = false}};
	const struct rp_entry *is;
	enum rp_err e[N];
	size_t k;
	int i, l;

	m.what = "fetch";
	if (m.n_claims == 0)
		return;
	k = pick(m.n_claims);
	for (i = 0; i < N; i++) {
		e[i] = rp_outbox_fetch(m.ob[i], &m.claims[k], &d[i], &m.err);
		SAME(e[0], e[i]);
		SAME(d[0].payload.len, d[i].payload.len);
		REQUIRE(e[0] != RP_OK ||
			    memcmp(d[0].payload.ptr, d[i].payload.ptr, d[0].payload.len) == 0,
			"the payload");
		for (l = 0; e[0] == RP_OK && l < RP_LEVELS; l++)
			SAME(rp_endpoint_in_use(&d[0].at[l]), rp_endpoint_in_use(&d[i].at[l]));
	}
	is = find(&before, m.claims[k].seq);
	REQUIRE((e[0] == RP_OK) == (is != NULL && is->delivery.state == RP_STATE_IN_FLIGHT &&
				    is->delivery.claim_no == m.claims[k].claim_no),
		"seq %lu", (unsigned long)m.claims[k].seq);
	for (i = 0; i < N; i++)
		rp_dispatch_release(&d[i]);
}

/* --- operators --------------------------------------------------------------------------- */

static void step_change(void)
{
	uint64_t seq = 1 + pick(m.last_seq + 1);
	enum rp_change verb = 1 + (enum rp_change)pick(4);
	unsigned states = pick(4) == 0 ? (unsigned)pick(64) & RP_STATES_ALL : 0;
	enum rp_changed r[N];
	int i;

	m.what = "change";
	for (i = 0; i < N; i++) {
		must(rp_outbox_change(m.ob[i], m.now_ms, verb, states, &seq, 1, 0, &r[i], &m.err));
		SAME(r[0], r[i]);
	}
	m.purged += verb == RP_CHANGE_PURGE && rp_changed_is_done(r[0]);
}

static void step_pause(void)
{
	bool pause = pick(3) == 0;
	uint64_t id;
	int i;

	m.what = "pause";
	if (before.n_endpoints == 0)
		return;
	id = before.id[pick(before.n_endpoints)];
	for (i = 0; i < N; i++) {
		enum rp_err e = rp_outbox_endpoint_pause(m.ob[i], m.now_ms, id, pause, &m.err);

		if (rp_level_of(id) == RP_LEVEL_SECTION)
			REQUIRE(e == RP_ERR_INVAL, "%s", rp_err_name(e));
		else
			must(e);
	}
}

static void step_expire(void)
{
	int64_t keep_ms = 20000 + (int64_t)pick(60000);
	size_t removed[N], max = 1 + pick(20), expected = 0, k;
	int i;

	m.what = "expire";
	for (k = 0; k < before.n; k++) {
		const struct rp_delivery *d = &before.entries[k].delivery;

		expected += (d->state == RP_STATE_DELIVERED || d->state == RP_STATE_DEAD) &&
			    d->state_at_ms <= m.now_ms - keep_ms;
	}
	for (i = 0; i < N; i++) {
		must(rp_outbox_expire(m.ob[i], m.now_ms, keep_ms, keep_ms, max, &removed[i],
				      &m.err));
		SAME(removed[0], removed[i]);
	}
	REQUIRE(removed[0] == (expected < max ? expected : max), "%zu of %zu", removed[0],
		expected);
	m.purged += removed[0];
}

static void step_health(void)
{
	m.what = "health";
	m.sick[pick(HOSTS)] = pick(2) == 0;
}

static void step_limits(void)
{
	struct rp_renewal walk[N] = {{.more = false}};
	int i;

	m.what = "renew_limits";
	if (pick(3) == 0)
		random_host_config((unsigned)pick(HOSTS));
	else
		random_path_config((unsigned)pick(HOSTS), (unsigned)pick(PATHS));
	for (i = 0; i < N; i++)
		do
			must(rp_outbox_renew_limits(m.ob[i], m.now_ms, &walk[i], &m.err));
		while (walk[i].more);
}

/* --- senders and the clock --------------------------------------------------------------- */

static void join(int i)
{
	struct rp_sender_id me;

	must(rp_outbox_join(m.ob[i], m.now_ms, m.boot_ms, &me, &m.err));
	REQUIRE(me.slot == 0, "slot %u", me.slot);
}

static void open_store(int i)
{
	const struct rp_outbox_options options = {.create = true, .map_bytes = UINT64_C(1) << 30};

	must(fx_stores[i].open(m.place[i], &options, &m.ob[i], &m.err));
}

/* The claims stay in the list: their results will come late. */
static void step_restart(void)
{
	bool leaves = pick(2) == 0;
	size_t returned[N];
	int i;

	m.what = leaves ? "leave" : "sender ends";
	for (i = 0; i < N; i++) {
		if (leaves)
			must(rp_outbox_leave(m.ob[i], m.now_ms, &m.err));
		rp_outbox_close(m.ob[i]);
		open_store(i);
		must(rp_outbox_reap(m.ob[i], m.now_ms, m.boot_ms, 10000, &returned[i], &m.err));
		SAME(returned[0], returned[i]);
		join(i);
	}
	look(m.ob[0], &now[0]);
	REQUIRE(returned[0] == 0 || !leaves, "%zu", returned[0]);
}

static void step_clock_back(void)
{
	struct rp_clock_fix walk[N] = {{.more = false}};
	int i;

	m.what = "fix_clock";
	m.now_ms -= 30000 + (int64_t)pick(200000);
	for (i = 0; i < N; i++) {
		do
			must(rp_outbox_fix_clock(m.ob[i], m.now_ms, &walk[i], &m.err));
		while (walk[i].more);
		SAME(walk[0].n_fixed, walk[i].n_fixed);
	}
}

/* --- jobs -------------------------------------------------------------------------------- */

static void step_plan(void)
{
	struct rp_job spec = {.verb = pick(3) == 0 ? RP_JOB_PURGE : RP_JOB_REPLAY,
			      .expires_at_ms = m.now_ms + 60000,
			      .user = rp_span_of("me"),
			      .selector = rp_span_of("all")};
	struct rp_plan_row rows[64];
	struct rp_job_order start = {.kind = RP_ORDER_START, .user = rp_span_of("me")};
	size_t n = 0, k;
	uint64_t number[N];
	enum rp_err e;
	int i;

	m.what = "plan";
	for (k = 0; k < before.n && n < 64; k++)
		if (pick(3) == 0)
			rows[n++] = (struct rp_plan_row){
			    before.entries[k].delivery.endpoint, before.entries[k].seq,
			    before.entries[k].delivery.state, before.entries[k].delivery.claim_no,
			    before.entries[k].delivery.replays};
	if (pick(2) == 0)
		start.rate = (struct rp_rate){5, 1000};
	for (i = 0; i < N; i++) {
		e = rp_outbox_plan_begin(m.ob[i], m.now_ms, &spec, &number[i], &m.err);
		if (e == RP_ERR_BUSY)
			continue;
		must(e);
		SAME(number[0], number[i]);
		must(rp_outbox_plan_add(m.ob[i], m.now_ms, number[i], rows, n, true, &m.err));
		if (m.seed % 2 == 0)
			must(rp_outbox_job_order(m.ob[i], m.now_ms, number[i], &start, &m.err));
		m.plan = number[i];
	}
}

static void step_order(void)
{
	const struct rp_job_order order = {.kind = 1 + (enum rp_order_kind)pick(4),
					   .user = rp_span_of("me")};
	uint64_t number = m.plan > 3 ? m.plan - pick(4) : m.plan;
	enum rp_err e[N];
	int i;

	m.what = "job_order";
	for (i = 0; i < N; i++) {
		e[i] = rp_outbox_job_order(m.ob[i], m.now_ms, number, &order, &m.err);
		SAME(e[0], e[i]);
	}
}

static void step_carry(void)
{
	struct rp_job_step s[N];
	uint64_t job = pick(2) == 0 ? m.plan : 0;
	size_t max = 1 + pick(20), due_max = 1 + pick(8);
	struct rp_ledger l;
	int i;

	m.what = "jobs_step";
	for (i = 0; i < N; i++) {
		s[i] = (struct rp_job_step){.job = job, .max = max, .due_max = due_max};
		must(rp_outbox_jobs_step(m.ob[i], m.now_ms, &s[i], &m.err));
		SAME(s[0].n_worked, s[i].n_worked);
		SAME(s[0].blocked, s[i].blocked);
		SAME(s[0].next_at_ms, s[i].next_at_ms);
	}
	must(rp_outbox_ledger(m.ob[0], &l, &m.err));
	REQUIRE(l.purged - m.purged <= s[0].n_worked, "%lu purged", (unsigned long)l.purged);
	m.purged = l.purged;
}

/* --- select ------------------------------------------------------------------------------ */

static struct rp_filter random_filter(uint64_t *id)
{
	static const enum rp_cause causes[] = {RP_CAUSE_HTTP, RP_CAUSE_EXHAUSTED, RP_CAUSE_EXPIRED,
					       RP_CAUSE_GONE, RP_CAUSE_SENDER_LOST};
	const struct rp_entry *e = before.n > 0 ? &before.entries[pick(before.n)] : NULL;
	struct rp_filter f = {.states = (unsigned)pick(64) & RP_STATES_ALL};

	f.retrying_only = pick(4) == 0;
	if (pick(3) == 0 && before.n_paths > 0) {
		*id = before.id[pick(before.n_paths)];
		f.has_endpoints = true;
		f.endpoints = id;
		f.n_endpoints = 1;
	}
	if (pick(4) == 0 && e != NULL) {
		f.order_key = e->delivery.order_key;
		f.front_only = pick(2) == 0;
	}
	f.has_cause = pick(4) == 0;
	f.cause = causes[pick(5)];
	f.has_attempts = pick(4) == 0;
	f.attempts_min = (uint32_t)pick(2);
	f.attempts_max = f.attempts_min + (uint32_t)pick(3);
	f.has_since = pick(4) == 0;
	f.since_at_ms = m.now_ms - (int64_t)pick(60000);
	f.has_until = pick(4) == 0;
	f.until_at_ms = m.now_ms - (int64_t)pick(30000);
	f.has_older = pick(4) == 0;
	f.older_than_ms = (int64_t)pick(40000);
	return f;
}

static void step_select(void)
{
	static struct holding found[N];
	uint64_t id;
	const struct rp_filter f = random_filter(&id);
	size_t k, max_seen = pick(2) * (1 + pick(5));
	int i;

	m.what = "select";
	for (i = 0; i < N; i++) {
		struct rp_select s = {.filter = &f,
				      .now_at_ms = m.now_ms,
				      .max_seen = max_seen,
				      .see = take_entry,
				      .arg = &found[i]};

		found[i].n = 0;
		do
			must(rp_outbox_select(m.ob[i], &s, &m.err));
		while (s.more);
		rp_outbox_select_end(m.ob[i], &s);
		REQUIRE(found[0].n == found[i].n, "%s: %zu, %s: %zu (states %x%s%s%s%s)",
			fx_stores[0].name, found[0].n, fx_stores[i].name, found[i].n, f.states,
			f.retrying_only ? " retrying" : "", f.has_endpoints ? " endpoint" : "",
			f.front_only ? " front" : "", f.order_key != 0 ? " order" : "");
		for (k = 0; k < found[0].n; k++)
			SAME(found[0].entries[k].seq, found[i].entries[k].seq);
	}
	/* the filter has the last word on each entry, and nothing else has one */
	for (k = 0; k < before.n; k++)
		REQUIRE(rp_filter_matches(&f, &before.entries[k], m.now_ms) ==
			    (find(&found[0], before.entries[k].seq) != NULL),
			"seq %lu", (unsigned long)before.entries[k].seq);
}

/* --- all of it --------------------------------------------------------------------------- */

static void step(void)
{
	static const struct {
		unsigned share;
		void (*step)(void);
	} steps[] = {{24, step_append},    {22, step_exchange},  {10, step_pass_on},
		     {1, step_until_rest}, {1, step_health},     {10, step_change},
		     {3, step_pause},      {3, step_expire},     {2, step_restart},
		     {2, step_limits},     {1, step_clock_back}, {2, step_plan},
		     {3, step_order},      {6, step_carry},      {4, step_select},
		     {3, step_fetch},      {3, step_import}};
	unsigned n = (unsigned)pick(100), k;

	for (k = 0; n >= steps[k].share; k++)
		n -= steps[k].share;
	steps[k].step();
}

static void compare(void)
{
	int i;

	for (i = 0; i < N; i++)
		look(m.ob[i], &now[i]);
	for (i = 1; i < N; i++) {
		same_ledger(i);
		same_holding(i);
		same_info(i);
	}
	orders_have_one_front();
	places_are_counted();
	nothing_is_lost();
}

static void set_up(void)
{
	int i;

	m.now_ms = FX_NOW_MS;
	m.boot_ms = 1000;
	rp_log_setup("test", RP_LOG_ERROR);
	for (i = 0; i < N; i++) {
		m.place[i] = fx_stores[i].make();
		open_store(i);
		join(i);
	}
}

static void tear_down(void)
{
	int i;

	for (i = 0; i < N; i++) {
		rp_outbox_close(m.ob[i]);
		fx_stores[i].remove(m.place[i]);
	}
}

static void verify(void)
{
	int i;

	for (i = 0; i < N; i++) {
		fx_at.store = &fx_stores[i];
		fx.ob = m.ob[i];
		fx_verify_sound();
	}
}

START_TEST(every_store_answers_as_the_others_do)
{
	unsigned k;

	m.seed = (unsigned long)_i;
	m.n_paths = _i % 2 == 0 ? 3 : PATHS;
	m.x = (uint64_t)_i * 0x9e3779b97f4a7c15u | 1;
	for (k = 0; k < HOSTS * PATHS; k++) {
		random_host_config(k % HOSTS);
		random_path_config(k % HOSTS, k / HOSTS);
		m.sick[k % HOSTS] = pick(2) == 0;
	}
	for (m.step = 0; m.step < STEPS; m.step++) {
		before = now[0];
		step();
		compare();
		if (m.step % 20 == 19)
			same_logs();
		if (m.step % 50 == 49)
			verify();
		m.now_ms += (int64_t)pick(3000);
		m.boot_ms += 1;
	}
}
END_TEST

int main(void)
{
	Suite *s = suite_create("random");
	TCase *tc = tcase_create("all");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tc, set_up, tear_down);
	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, every_store_answers_as_the_others_do, 0, SEEDS);
	suite_add_tcase(s, tc);
	runner = srunner_create(s);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
