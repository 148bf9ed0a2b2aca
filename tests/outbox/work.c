/* work.c - works an outbox through its interface, and checks it. */

#include "outbox/work.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/log.h"

#define RING 1024

struct fx fx;

static uint64_t random_state;

uint64_t fx_random(uint64_t *x)
{
	*x ^= *x << 13;
	*x ^= *x >> 7;
	*x ^= *x << 17;
	return *x >> 11;
}

static int64_t fake_wall_ms(void *arg)
{
	(void)arg;
	return fx.now_ms;
}

static int64_t fake_boot_ms(void *arg)
{
	(void)arg;
	return fx.boot_ms;
}

static void fake_random(void *arg, void *out, size_t n)
{
	unsigned char *p = out;

	(void)arg;
	while (n-- > 0)
		*p++ = (unsigned char)fx_random(&random_state);
}

static const struct rp_sys fake_sys = {fake_wall_ms, fake_boot_ms, fake_random, NULL};

void fx_must(enum rp_err e, const char *what)
{
	if (e != RP_OK)
		ck_abort_msg("%s: %s: %s: %s", fx.on, what, rp_err_name(e), fx.err.text);
}

/* --- the outbox -------------------------------------------------------------------------- */

void fx_reseed(void)
{
	random_state = (uint64_t)getpid() * 2654435761u | 1;
}

void fx_prepare(void)
{
	fx.options = (struct rp_outbox_options){
	    .create = true, .map_bytes = UINT64_C(1) << 30, .sys = &fake_sys};
	fx.now_ms = FX_NOW_MS;
	fx.boot_ms = 1000;
	fx.limit = 1000000;
	fx.unproven_max = SIZE_MAX;
	fx_reseed();
	rp_log_setup("test", RP_LOG_ERROR);
}

void fx_join(void)
{
	fx_must(rp_outbox_join(fx.ob, fx.now_ms, fx.boot_ms, &fx.me, &fx.err), "join");
}

void fx_close(void)
{
	rp_outbox_close(fx.ob);
	fx.ob = NULL;
}

/* --- entries ----------------------------------------------------------------------------- */

const char *fx_endpoint_text(unsigned k, char out[FX_ENDPOINT_TEXT_MAX])
{
	const unsigned host = k < FX_PATHS ? k : k / FX_PATHS,
		       path = k < FX_PATHS ? 0 : k % FX_PATHS;

	if (path == 0)
		snprintf(out, FX_ENDPOINT_TEXT_MAX, "https://k%u.example/hook", host);
	else
		snprintf(out, FX_ENDPOINT_TEXT_MAX, "https://k%u.example/hook/%u", host, path);
	return out;
}

struct rp_new_entry fx_new(unsigned k)
{
	static char endpoint[RING][FX_ENDPOINT_TEXT_MAX], url[RING][64], key[RING][48],
	    payload[RING][64];
	static unsigned next, serial;
	unsigned i = next++ % RING;

	serial++;
	fx_endpoint_text(k, endpoint[i]);
	snprintf(url[i], sizeof url[i], "%s?token=t%u", endpoint[i], serial);
	snprintf(key[i], sizeof key[i], "key-%ld-%u", (long)getpid(), serial);
	snprintf(payload[i], sizeof payload[i], "{\"run_id\":\"r%u\",\"status\":\"success\"}",
		 serial);
	return (struct rp_new_entry){
	    .endpoint = rp_span_of(endpoint[i]),
	    .url = rp_span_of(url[i]),
	    .run_id = rp_span_of("run"),
	    .operation = rp_span_of("POST /runs/wait"),
	    .dedupe_key = rp_span_of(key[i]),
	    .payload = rp_span_of(payload[i]),
	};
}

uint64_t fx_append(unsigned k, size_t n)
{
	static struct rp_new_entry entries[RING];
	static struct rp_appended out[RING];
	size_t i;

	ck_assert_uint_le(n, RING);
	for (i = 0; i < n; i++)
		entries[i] = fx_new(k);
	fx_must(rp_outbox_append(fx.ob, fx.now_ms, entries, n, out, &fx.err), "append");
	for (i = 0; i < n; i++)
		ck_assert_uint_eq(out[i].seq, out[0].seq + i);
	return out[0].seq;
}

uint64_t fx_append_one(const struct rp_new_entry *n, bool *duplicate)
{
	struct rp_appended out;

	fx_must(rp_outbox_append(fx.ob, fx.now_ms, n, 1, &out, &fx.err), "append");
	if (duplicate != NULL)
		*duplicate = out.duplicate;
	return out.seq;
}

struct find_endpoint {
	char name[FX_ENDPOINT_TEXT_MAX];
	uint64_t id;
	struct rp_endpoint rec;
};

static bool see_endpoint(void *arg, uint64_t id, struct rp_span name, const struct rp_endpoint *e)
{
	struct find_endpoint *f = arg;

	if (!rp_span_is(name, f->name))
		return true;
	f->id = id;
	f->rec = *e;
	return false;
}

static struct find_endpoint find_endpoint(unsigned k)
{
	struct find_endpoint f = {.id = 0};

	fx_endpoint_text(k, f.name);
	fx_must(rp_outbox_endpoints(fx.ob, (struct rp_endpoints_which){RP_ENDPOINTS_PATHS, 0},
				    see_endpoint, &f, &fx.err),
		"endpoints");
	return f;
}

uint64_t fx_find_endpoint(unsigned k)
{
	return find_endpoint(k).id;
}

uint64_t fx_endpoint(unsigned k)
{
	uint64_t id = find_endpoint(k).id;

	ck_assert_msg(id != 0, "endpoint %u is unknown", k);
	return id;
}

struct rp_endpoint fx_endpoint_record(unsigned k)
{
	fx_endpoint(k);
	return find_endpoint(k).rec;
}

struct rp_delivery fx_delivery(uint64_t seq)
{
	const struct rp_filter filter = {.seq = seq};
	struct rp_entry e = {0};
	struct rp_delivery d = {0};
	enum rp_err found = rp_outbox_first(fx.ob, &filter, &e, &fx.err);

	if (found != RP_ERR_NOTFOUND)
		fx_must(found, "first");
	if (found == RP_OK)
		d = e.delivery;
	rp_entry_release(&e);
	return d;
}

enum rp_state fx_state(uint64_t seq)
{
	return fx_delivery(seq).state;
}

struct selected {
	uint64_t *seqs;
	size_t n, max;
};

static bool note_seq(void *arg, const struct rp_entry *e)
{
	struct selected *s = arg;

	ck_assert_uint_lt(s->n, s->max);
	s->seqs[s->n++] = e->seq;
	return true;
}

static int by_number(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

size_t fx_select(const struct rp_filter *filter, uint64_t *seqs, size_t max)
{
	struct selected found = {seqs, 0, max};
	struct rp_select s = {
	    .filter = filter, .now_at_ms = fx.now_ms, .see = note_seq, .arg = &found};
	size_t n = 0, i;

	do
		fx_must(rp_outbox_select(fx.ob, &s, &fx.err), "select");
	while (s.more);
	rp_outbox_select_end(fx.ob, &s);
	qsort(seqs, found.n, sizeof seqs[0], by_number);
	for (i = 0; i < found.n; i++)
		if (i == 0 || seqs[i] != seqs[n - 1])
			seqs[n++] = seqs[i];
		else
			ck_assert(s.may_repeat);
	return n;
}

size_t fx_count(const struct rp_filter *filter)
{
	static uint64_t seqs[32768];

	return fx_select(filter, seqs, sizeof seqs / sizeof seqs[0]);
}

struct find_attempt {
	uint32_t n;
	size_t count;
	bool found;
	struct rp_attempt a;
};

static void see_attempt(void *arg, uint32_t n, const struct rp_attempt *a, bool damaged)
{
	struct find_attempt *f = arg;

	ck_assert_msg(!damaged, "attempt %u is damaged", n);
	f->count++;
	if (n == f->n) {
		f->found = true;
		f->a = *a;
	}
}

size_t fx_attempts(uint64_t seq)
{
	struct find_attempt f = {0};

	fx_must(rp_outbox_attempts(fx.ob, seq, see_attempt, &f, &fx.err), "attempts");
	return f.count;
}

struct rp_attempt fx_attempt(uint64_t seq, uint32_t n, bool *found)
{
	struct find_attempt f = {.n = n};

	fx_must(rp_outbox_attempts(fx.ob, seq, see_attempt, &f, &fx.err), "attempts");
	if (found != NULL)
		*found = f.found;
	else
		ck_assert_msg(f.found, "entry %lu has no attempt %u", (unsigned long)seq, n);
	return f.a;
}

static bool count_endpoint(void *arg, uint64_t id, struct rp_span name, const struct rp_endpoint *e)
{
	size_t *n = arg;

	(void)id;
	(void)name;
	(void)e;
	(*n)++;
	return true;
}

size_t fx_n_endpoints(void)
{
	size_t n = 0;

	fx_must(rp_outbox_endpoints(fx.ob, (struct rp_endpoints_which){RP_ENDPOINTS_PATHS, 0},
				    count_endpoint, &n, &fx.err),
		"endpoints");
	return n;
}

static bool note_job(void *arg, uint64_t number, const struct rp_job *j)
{
	uint64_t *numbers = arg;

	(void)j;
	numbers[++numbers[0]] = number;
	return numbers[0] < 64;
}

size_t fx_n_planned(void)
{
	uint64_t numbers[65] = {0}, i;
	size_t total = 0, n;

	fx_must(rp_outbox_jobs(fx.ob, note_job, numbers, &fx.err), "jobs");
	for (i = 1; i <= numbers[0]; i++) {
		struct rp_plan_row from = {0}, rows[256];

		do {
			fx_must(
			    rp_outbox_plan_rows(fx.ob, numbers[i], &from, rows, 256, &n, &fx.err),
			    "plan_rows");
			total += n;
		} while (n > 0);
	}
	return total;
}

struct rp_ledger fx_ledger(void)
{
	struct rp_ledger l;

	fx_must(rp_outbox_ledger(fx.ob, &l, &fx.err), "ledger");
	return l;
}

/* --- working ----------------------------------------------------------------------------- */

/* Unless a test asks for more, a path may have its whole limit from the first moment on. */
void fx_limits(void *arg, struct rp_span name, struct rp_level_limits *out)
{
	(void)arg;
	(void)name;
	*out = (struct rp_level_limits){
	    .at = {[RP_LEVEL_PATH] = {.in_flight = fx.limit, .start = fx.limit},
		   [RP_LEVEL_SECTION] = fx.section_limits,
		   [RP_LEVEL_HOST] = {.in_flight = 1000000, .start = 1000000}},
	    .section = rp_span_of(fx.section_limits.in_flight != 0 ? "shared" : "")};
	if (fx.limits.in_flight != 0)
		out->at[RP_LEVEL_PATH] = fx.limits;
	if (fx.host_limits.in_flight != 0)
		out->at[RP_LEVEL_HOST] = fx.host_limits;
}

void fx_exchange(size_t want, struct rp_settlement *settle, size_t n_settle)
{
	struct rp_exchange x = {.settle = settle,
				.n_settle = n_settle,
				.want = want,
				.want_metered = want,
				.want_unproven = want < fx.unproven_max ? want : fx.unproven_max,
				.ahead = &fx.ahead,
				.n_ahead = fx.ahead.want > 0,
				.claims = fx.claims,
				.limits = fx_limits};

	ck_assert_uint_le(want + fx.ahead.want, FX_CLAIMS_MAX);
	fx_must(rp_outbox_exchange(fx.ob, fx.now_ms, &x, &fx.err), "exchange");
	ck_assert_uint_le(x.n_claims, want + fx.ahead.want);
	fx.n_claims = x.n_claims;
	fx.n_dead = x.n_dead;
	fx.next_ready_ms = x.next_ready_at_ms;
	fx.committed = x.committed;
}

void fx_claim_ahead(uint64_t id, size_t want)
{
	fx.ahead = (struct rp_claim_ahead){id, want};
	fx_exchange(0, NULL, 0);
	fx.ahead = (struct rp_claim_ahead){0, 0};
}

struct rp_claim fx_claim(void)
{
	fx_exchange(1, NULL, 0);
	ck_assert_uint_eq(fx.n_claims, 1);
	return fx.claims[0];
}

struct rp_settlement fx_settlement(const struct rp_claim *c, enum rp_settle_kind kind)
{
	static struct rp_outcome good = {
	    .http_status = 204, .http_version = 11, .duration_us = 1500};
	static struct rp_outcome bad = {
	    .cause = RP_CAUSE_HTTP, .http_status = 500, .http_version = 11, .duration_us = 900};

	return (struct rp_settlement){
	    .seq = c->seq,
	    .endpoint = c->endpoint,
	    .claim_no = c->claim_no,
	    .attempt = c->attempt,
	    .kind = kind,
	    .cause = kind == RP_SETTLE_DEAD ? RP_CAUSE_EXHAUSTED : RP_CAUSE_HTTP,
	    .due_at_ms = fx.now_ms + 5000,
	    .started_at_ms = fx.now_ms,
	    .outcome = kind == RP_SETTLE_RETURN      ? NULL
		       : kind == RP_SETTLE_DELIVERED ? &good
						     : &bad,
	};
}

bool fx_settle(const struct rp_claim *c, enum rp_settle_kind kind)
{
	struct rp_settlement s = fx_settlement(c, kind);

	fx_exchange(0, &s, 1);
	return s.stale;
}

size_t fx_reap(int64_t lease_ms)
{
	size_t n;

	fx_must(rp_outbox_reap(fx.ob, fx.now_ms, fx.boot_ms, lease_ms, &n, &fx.err), "reap");
	return n;
}

enum rp_changed fx_change(enum rp_change verb, uint64_t seq)
{
	enum rp_changed result = 0;

	fx_must(rp_outbox_change(fx.ob, fx.now_ms, verb, 0, &seq, 1, 0, &result, &fx.err),
		"change");
	return result;
}

void fx_pause(unsigned k, bool pause)
{
	fx_must(rp_outbox_endpoint_pause(fx.ob, fx.now_ms, fx_endpoint(k), pause, &fx.err),
		"pause");
}

void fx_renew(void)
{
	struct rp_renewal renewal = {.more = false};

	do
		fx_must(rp_outbox_renew_limits(fx.ob, fx.now_ms, &renewal, &fx.err),
			"renew_limits");
	while (renewal.more);
}

uint64_t fx_entry_in(unsigned k, enum rp_state state)
{
	uint64_t seq = fx_append(k, 1);
	struct rp_claim c;

	if (state == RP_STATE_WAITING)
		return seq;
	if (state == RP_STATE_HELD) {
		ck_assert_int_eq(fx_change(RP_CHANGE_HOLD, seq), RP_CHANGED_DONE);
		return seq;
	}
	c = fx_claim();
	ck_assert_uint_eq(c.seq, seq);
	if (state == RP_STATE_DELIVERED)
		ck_assert(!fx_settle(&c, RP_SETTLE_DELIVERED));
	else if (state == RP_STATE_DEAD)
		ck_assert(!fx_settle(&c, RP_SETTLE_DEAD));
	return seq;
}

/* --- checking ---------------------------------------------------------------------------- */

static void collect_problem(void *arg, const char *text)
{
	rp_buf_add_text(arg, text);
	rp_buf_add_char(arg, '\n');
}

struct rp_verify_counts fx_verify(size_t max_rows, struct rp_buf *text)
{
	struct rp_verify v = {.max_rows = max_rows, .problem = collect_problem, .arg = text};

	do
		fx_must(rp_outbox_verify(fx.ob, &v, &fx.err), "verify");
	while (max_rows != 0 && !v.done);
	return v.counts;
}

static struct rp_verify_counts verify_is_sound(size_t max_rows)
{
	struct rp_buf text = {0};
	struct rp_verify_counts counts = fx_verify(max_rows, &text);

	ck_assert_msg(counts.problems == 0, "verify found %lu problems:\n%s",
		      (unsigned long)counts.problems, text.data);
	rp_buf_release(&text);
	return counts;
}

void fx_verify_sound(void)
{
	struct rp_verify_counts whole = verify_is_sound(0), sliced = verify_is_sound(3);
	struct rp_ledger l = fx_ledger();

	ck_assert_uint_eq(l.accepted,
			  l.waiting + l.in_flight + l.held + l.delivered + l.dead + l.purged);
	ck_assert_uint_eq(whole.entries, l.accepted - l.purged);
	ck_assert_uint_eq(sliced.entries, whole.entries);
	ck_assert_uint_eq(sliced.rows, whole.rows);
}
