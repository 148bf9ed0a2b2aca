/* Each condition of a filter alone and with each other one, on entries of all kinds: what is shown
 * is what this file, not the rule, says. And a cursor: kept, copied, continued elsewhere. */

#include <stdio.h>
#include <stdlib.h>

#include "conformance/fixture.h"
#include "model/sequence.h"

#define MANY 240
#define SECOND_MS INT64_C(1000)

/* --- entries of all kinds ---------------------------------------------------------------- */

/* What is known of each, because it was made so. */
static struct row {
	uint64_t seq;
	enum rp_state state;
	unsigned k; /* endpoint */
	const char *order, *run, *thread, *event;
	enum rp_cause cause, last_cause;
	unsigned http_status;
	uint32_t attempts;
	int64_t accepted_at_ms, state_at_ms;
	unsigned char id[RP_ID_BYTES];
} rows[MANY + 4];
static size_t n_rows;

static const char *const orders[] = {"", "", "order a", "order b"};
static const char *const runs[] = {"run-1", "run-2", "run-10"};
static const char *const threads[] = {"t1", "t2"};
static const char *const events[] = {"success", "error"};

static struct row make_row(size_t i)
{
	static const enum rp_state states[] = {RP_STATE_WAITING, RP_STATE_HELD, RP_STATE_DELIVERED,
					       RP_STATE_DEAD, RP_STATE_DEAD};
	static const enum rp_cause causes[] = {RP_CAUSE_EXHAUSTED, RP_CAUSE_GONE, RP_CAUSE_EXPIRED};
	struct row r = {.state = states[i % 5],
			.k = 1 + (unsigned)(i / 5) % 3,
			.order = orders[i / 2 % 4],
			.run = runs[i / 3 % 3],
			.thread = threads[i / 4 % 2],
			.event = events[i / 7 % 2],
			.attempts = (uint32_t)(i / 6 % 4),
			.accepted_at_ms =
			    FX_NOW_MS - 100 * SECOND_MS + (int64_t)(i / 3) * SECOND_MS};

	r.state_at_ms = r.accepted_at_ms + (int64_t)(i % 11) * SECOND_MS;
	if (r.attempts > 0) {
		r.last_cause = i % 2 == 0 ? RP_CAUSE_HTTP : RP_CAUSE_TIMEOUT;
		r.http_status = i % 2 == 0 ? 500 + (unsigned)(i % 3) : 0;
	}
	if (r.state == RP_STATE_DEAD)
		r.cause = causes[i / 5 % 3];
	return r;
}

static void import_row(size_t i)
{
	char endpoint[48], key[32];
	struct row r = make_row(i);
	struct rp_import in = {.endpoint = {endpoint, 0}, .payload = rp_span_of("{}")};
	struct rp_import_result result;

	snprintf(endpoint, sizeof endpoint, "https://k%u.example/hook", r.k);
	snprintf(key, sizeof key, "row-%zu", i);
	in.endpoint = rp_span_of(endpoint);
	in.facts = (struct rp_facts){.accepted_at_ms = r.accepted_at_ms,
				     .url = rp_span_of(endpoint),
				     .run_id = rp_span_of(r.run),
				     .thread_id = rp_span_of(r.thread),
				     .event = rp_span_of(r.event),
				     .order_by = rp_span_of(r.order),
				     .dedupe_key = rp_span_of(key)};
	rp_id_make(i + 1, (const unsigned char *)"0123456789", r.id);
	memcpy(in.facts.id, r.id, RP_ID_BYTES);
	in.delivery = (struct rp_delivery){.state = r.state,
					   .state_at_ms = r.state_at_ms,
					   .due_at_ms = FX_NOW_MS + 100 * SECOND_MS,
					   .cause = r.cause,
					   .last_cause = r.last_cause,
					   .http_status = r.http_status,
					   .attempts = r.attempts};
	ck_assert_int_eq(rp_outbox_import(fx.ob, fx.now_ms, &in, 1, false, 0, &result, &fx.err),
			 RP_OK);
	ck_assert_int_eq(result.kind, RP_IMPORT_DONE);
	r.seq = result.seq;
	rows[n_rows++] = r;
}

static void set_up(void)
{
	size_t i;

	fx_setup();
	n_rows = 0;
	for (i = 0; i < MANY; i++)
		import_row(i);
	fx_append(2, 3);
	fx_exchange(3, NULL, 0);
	for (i = 0; i < fx.n_claims; i++)
		rows[n_rows++] = (struct row){.seq = fx.claims[i].seq,
					      .state = RP_STATE_IN_FLIGHT,
					      .k = 2,
					      .order = "",
					      .run = "run",
					      .thread = "",
					      .event = "",
					      .attempts = 1,
					      .accepted_at_ms = FX_NOW_MS,
					      .state_at_ms = FX_NOW_MS};
	ck_assert_uint_eq(n_rows, MANY + 3);
}

/* --- conditions -------------------------------------------------------------------------- */

static uint64_t two_endpoints[2], no_endpoint;
static struct rp_filter *f; /* that is being set */

static bool is_live(const struct row *r)
{
	return r->state == RP_STATE_WAITING || r->state == RP_STATE_HELD ||
	       r->state == RP_STATE_IN_FLIGHT;
}

static void set_waiting(void)
{
	f->states = RP_STATE_BIT(RP_STATE_WAITING);
}
static bool is_waiting(const struct row *r)
{
	return r->state == RP_STATE_WAITING;
}

static void set_held_or_dead(void)
{
	f->states = RP_STATE_BIT(RP_STATE_HELD) | RP_STATE_BIT(RP_STATE_DEAD);
}
static bool is_held_or_dead(const struct row *r)
{
	return r->state == RP_STATE_HELD || r->state == RP_STATE_DEAD;
}

static void set_delivered(void)
{
	f->states = RP_STATE_BIT(RP_STATE_DELIVERED);
}
static bool is_delivered(const struct row *r)
{
	return r->state == RP_STATE_DELIVERED;
}

static void set_in_flight(void)
{
	f->states = RP_STATE_BIT(RP_STATE_IN_FLIGHT);
}
static bool is_in_flight(const struct row *r)
{
	return r->state == RP_STATE_IN_FLIGHT;
}

static void set_endpoints(void)
{
	two_endpoints[0] = fx_endpoint(1);
	two_endpoints[1] = fx_endpoint(3);
	if (two_endpoints[0] > two_endpoints[1]) {
		uint64_t first = two_endpoints[1];

		two_endpoints[1] = two_endpoints[0];
		two_endpoints[0] = first;
	}
	f->has_endpoints = true;
	f->endpoints = two_endpoints;
	f->n_endpoints = 2;
}
static bool is_of_endpoints(const struct row *r)
{
	return r->k == 1 || r->k == 3;
}

static void set_endpoint(void)
{
	two_endpoints[0] = fx_endpoint(2);
	f->has_endpoints = true;
	f->endpoints = two_endpoints;
	f->n_endpoints = 1;
}
static bool is_of_endpoint(const struct row *r)
{
	return r->k == 2;
}

static void set_no_endpoint(void)
{
	f->has_endpoints = true;
	f->endpoints = &no_endpoint;
	f->n_endpoints = 0;
}
static bool is_none(const struct row *r)
{
	(void)r;
	return false;
}

static void set_order(void)
{
	f->order_key = rp_sequence_key(rp_span_of("order a"));
}
static bool is_of_order(const struct row *r)
{
	return strcmp(r->order, "order a") == 0;
}

static void set_front(void)
{
	set_order();
	f->front_only = true;
}
static bool is_front(const struct row *r)
{
	size_t i;

	for (i = 0; i < n_rows; i++)
		if (rows[i].k == r->k && is_of_order(&rows[i]) && is_live(&rows[i]))
			return rows[i].seq == r->seq;
	return false;
}

static void set_run(void)
{
	f->run_id = rp_span_of("run-1");
}
static bool is_of_run(const struct row *r)
{
	return strcmp(r->run, "run-1") == 0;
}

static void set_thread(void)
{
	f->thread_id = rp_span_of("t2");
}
static bool is_of_thread(const struct row *r)
{
	return strcmp(r->thread, "t2") == 0;
}

static void set_event(void)
{
	f->event = rp_span_of("error");
}
static bool is_of_event(const struct row *r)
{
	return strcmp(r->event, "error") == 0;
}

static void set_cause(void)
{
	f->has_cause = true;
	f->cause = RP_CAUSE_GONE;
}
static bool is_gone(const struct row *r)
{
	return r->cause == RP_CAUSE_GONE;
}

static void set_status(void)
{
	f->has_cause = true;
	f->cause = RP_CAUSE_HTTP;
	f->http_status = 502;
}
static bool has_status(const struct row *r)
{
	return r->last_cause == RP_CAUSE_HTTP && r->http_status == 502;
}

static void set_attempts(void)
{
	f->has_attempts = true;
	f->attempts_min = 1;
	f->attempts_max = 2;
}
static bool has_attempts(const struct row *r)
{
	return r->attempts == 1 || r->attempts == 2;
}

static void set_group(void)
{
	f->has_group = true;
	f->group = rp_dead_group_of(RP_CAUSE_EXPIRED, RP_CAUSE_HTTP, 501, fx_endpoint(3));
}
static bool is_of_group(const struct row *r)
{
	return r->state == RP_STATE_DEAD && r->cause == RP_CAUSE_EXPIRED &&
	       r->last_cause == RP_CAUSE_HTTP && r->http_status == 501 && r->k == 3;
}

static void set_since(void)
{
	f->has_since = true;
	f->since_at_ms = FX_NOW_MS - 60 * SECOND_MS;
}
static bool is_since(const struct row *r)
{
	return r->accepted_at_ms >= FX_NOW_MS - 60 * SECOND_MS;
}

static void set_until(void)
{
	f->has_until = true;
	f->until_at_ms = FX_NOW_MS - 40 * SECOND_MS;
}
static bool is_until(const struct row *r)
{
	return r->accepted_at_ms < FX_NOW_MS - 40 * SECOND_MS;
}

static void set_older(void)
{
	f->has_older = true;
	f->older_than_ms = 55 * SECOND_MS;
}
static bool is_older(const struct row *r)
{
	return FX_NOW_MS - r->state_at_ms >= 55 * SECOND_MS;
}

static void set_number(void)
{
	f->seq = rows[7].seq;
}
static bool is_number(const struct row *r)
{
	return r->seq == rows[7].seq;
}

static void set_id(void)
{
	f->id = rows[33].id;
}
static bool is_id(const struct row *r)
{
	return r->seq == rows[33].seq;
}

static void set_from(void)
{
	f->from_seq = rows[100].seq;
}
static bool is_from(const struct row *r)
{
	return r->seq >= rows[100].seq;
}

/* Conditions of one part exclude each other. */
static const struct condition {
	const char *name, *part;
	void (*set)(void);
	bool (*holds)(const struct row *r);
} conditions[] = {
    {"waiting", "state", set_waiting, is_waiting},
    {"held or dead", "state", set_held_or_dead, is_held_or_dead},
    {"delivered", "state", set_delivered, is_delivered},
    {"in flight", "state", set_in_flight, is_in_flight},
    {"two endpoints", "endpoint", set_endpoints, is_of_endpoints},
    {"one endpoint", "endpoint", set_endpoint, is_of_endpoint},
    {"no endpoint", "endpoint", set_no_endpoint, is_none},
    {"order", "order", set_order, is_of_order},
    {"front", "order", set_front, is_front},
    {"run", "run", set_run, is_of_run},
    {"thread", "thread", set_thread, is_of_thread},
    {"event", "event", set_event, is_of_event},
    {"cause", "cause", set_cause, is_gone},
    {"status", "cause", set_status, has_status},
    {"attempts", "attempts", set_attempts, has_attempts},
    {"group", "group", set_group, is_of_group},
    {"since", "since", set_since, is_since},
    {"until", "until", set_until, is_until},
    {"older", "older", set_older, is_older},
    {"number", "number", set_number, is_number},
    {"id", "id", set_id, is_id},
    {"from", "from", set_from, is_from},
};
#define N ((int)(sizeof conditions / sizeof conditions[0]))

static void shows(const struct rp_filter *filter, const struct condition *a,
		  const struct condition *b)
{
	uint64_t seqs[2 * MANY];
	size_t n = fx_select(filter, seqs, 2 * MANY), i, at = 0;

	for (i = 0; i < n_rows; i++) {
		if (!a->holds(&rows[i]) || !b->holds(&rows[i]))
			continue;
		ck_assert_msg(at < n && seqs[at] == rows[i].seq, "%s, %s: entry %lu is missing",
			      a->name, b->name, (unsigned long)rows[i].seq);
		at++;
	}
	ck_assert_msg(at == n, "%s, %s: %zu too many", a->name, b->name, n - at);
}

START_TEST(a_condition_shows_what_it_says_and_so_does_each_pair)
{
	const struct condition *a = &conditions[_i];
	int j;

	for (j = 0; j < N; j++) {
		struct rp_filter filter = {0};

		if (j != _i && strcmp(a->part, conditions[j].part) == 0)
			continue;
		f = &filter;
		a->set();
		conditions[j].set();
		shows(&filter, a, &conditions[j]);
	}
}
END_TEST

START_TEST(each_condition_tells_entries_apart)
{
	size_t n = 0, i;

	for (i = 0; i < n_rows; i++)
		n += conditions[_i].holds(&rows[i]);
	ck_assert_msg(n < n_rows && (n > 0 || conditions[_i].holds == is_none), "%s: %zu",
		      conditions[_i].name, n);
}
END_TEST

START_TEST(no_condition_shows_all)
{
	const struct rp_filter all = {0};

	ck_assert_uint_eq(fx_count(&all), n_rows);
}
END_TEST

START_TEST(retrying_leaves_out_waiting_ones_without_an_attempt)
{
	const struct rp_filter filter = {.states = RP_STATE_BIT(RP_STATE_WAITING),
					 .retrying_only = true};
	size_t n = 0, i;

	for (i = 0; i < n_rows; i++)
		n += is_waiting(&rows[i]) && rows[i].attempts > 0;
	ck_assert_uint_gt(n, 0);
	ck_assert_uint_eq(fx_count(&filter), n);
}
END_TEST

/* --- cursors ----------------------------------------------------------------------------- */

static uint64_t found[2 * MANY];
static size_t n_found;

static bool note(void *arg, const struct rp_entry *e)
{
	(void)arg;
	found[n_found++] = e->seq;
	return true;
}

static int by_number(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

/* A few in each call, and after each the outbox is closed and opened: nothing but the copied bytes
 * of the cursor goes on. */
START_TEST(a_cursor_goes_on_in_another_handle)
{
	struct rp_filter filter = {0};
	struct rp_cursor kept = {0};
	size_t n = 0, i;
	bool more = true;

	f = &filter;
	conditions[_i].set();
	n_found = 0;
	while (more) {
		struct rp_select s = {.filter = &filter,
				      .now_at_ms = fx.now_ms,
				      .max_seen = 7,
				      .see = note,
				      .cursor = kept};

		ck_assert_int_eq(rp_outbox_select(fx.ob, &s, &fx.err), RP_OK);
		rp_outbox_select_end(fx.ob, &s);
		more = s.more;
		kept = s.cursor;
		fx_close();
		fx_open();
	}
	qsort(found, n_found, sizeof found[0], by_number);
	for (i = 0; i < n_rows; i++)
		if (conditions[_i].holds(&rows[i])) {
			ck_assert_msg(n < n_found && found[n] == rows[i].seq, "%s",
				      conditions[_i].name);
			n++;
		}
	ck_assert_uint_eq(n_found, n);
}
END_TEST

START_TEST(by_number_they_come_in_the_order_of_numbers)
{
	struct rp_filter filter = {0};
	struct rp_select s = {.filter = &filter,
			      .now_at_ms = fx.now_ms,
			      .by_number = true,
			      .max_seen = 5,
			      .see = note};
	size_t i;

	f = &filter;
	conditions[_i].set();
	n_found = 0;
	do
		ck_assert_int_eq(rp_outbox_select(fx.ob, &s, &fx.err), RP_OK);
	while (s.more);
	rp_outbox_select_end(fx.ob, &s);
	for (i = 1; i < n_found; i++)
		ck_assert_uint_lt(found[i - 1], found[i]);
}
END_TEST

START_TEST(bytes_that_are_no_cursor_are_refused)
{
	const struct rp_filter all = {0};
	struct rp_select s = {
	    .filter = &all, .now_at_ms = fx.now_ms, .see = note, .cursor = {.len = 3}};

	ck_assert_int_eq(rp_outbox_select(fx.ob, &s, &fx.err), RP_ERR_INVAL);
	rp_outbox_select_end(fx.ob, &s);
}
END_TEST

/* --- briefs ------------------------------------------------------------------------------ */

static struct rp_brief briefs[2 * MANY];
static size_t n_briefs;

static void note_brief(void *arg, const struct rp_brief *b)
{
	(void)arg;
	briefs[n_briefs++] = *b;
}

static const struct row *row_of(uint64_t seq)
{
	size_t i;

	for (i = 0; i < n_rows; i++)
		if (rows[i].seq == seq)
			return &rows[i];
	ck_abort_msg("%lu", (unsigned long)seq);
}

START_TEST(a_brief_tells_what_an_entry_does)
{
	static const enum rp_state states[] = {RP_STATE_WAITING, RP_STATE_DEAD};
	const int64_t bounds[] = {FX_NOW_MS - 70 * SECOND_MS, FX_NOW_MS - 35 * SECOND_MS};
	const struct rp_filter filter = {.states = RP_STATE_BIT(states[_i])};
	struct rp_select s = {.filter = &filter,
			      .now_at_ms = fx.now_ms,
			      .see_brief = note_brief,
			      .bounds_at_ms = bounds,
			      .n_bounds = 2};
	size_t n = 0, i;

	n_briefs = 0;
	do
		ck_assert_int_eq(rp_outbox_select(fx.ob, &s, &fx.err), RP_OK);
	while (s.more);
	rp_outbox_select_end(fx.ob, &s);
	for (i = 0; i < n_rows; i++)
		n += rows[i].state == states[_i];
	ck_assert_uint_eq(n_briefs, n);
	for (i = 0; i < n_briefs; i++) {
		const struct rp_brief *b = &briefs[i];
		const struct row *r = row_of(b->seq);
		struct rp_delivery d = fx_delivery(b->seq);

		ck_assert_uint_eq(b->endpoint, fx_endpoint(r->k));
		ck_assert_int_eq(b->at_ms, states[_i] == RP_STATE_DEAD ? r->state_at_ms
					   : d.behind                  ? 0
								       : d.due_at_ms);
		ck_assert_int_eq(b->cause, r->state == RP_STATE_DEAD ? r->cause : 0);
		ck_assert_int_eq(b->last_cause, r->state == RP_STATE_DEAD ? r->last_cause : 0);
		ck_assert_uint_eq(b->n_bounds_passed, (r->accepted_at_ms >= bounds[0]) +
							  (r->accepted_at_ms >= bounds[1]));
	}
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("filter");
	TCase *tc = tcase_create("all");

	tcase_add_checked_fixture(tc, set_up, fx_teardown);
	tcase_set_timeout(tc, 30);
	tcase_add_test(tc, no_condition_shows_all);
	tcase_add_loop_test(tc, each_condition_tells_entries_apart, 0, N);
	tcase_add_loop_test(tc, a_condition_shows_what_it_says_and_so_does_each_pair, 0, N);
	tcase_add_test(tc, retrying_leaves_out_waiting_ones_without_an_attempt);
	tcase_add_loop_test(tc, a_cursor_goes_on_in_another_handle, 0, N);
	tcase_add_loop_test(tc, by_number_they_come_in_the_order_of_numbers, 0, N);
	tcase_add_test(tc, bytes_that_are_no_cursor_are_refused);
	tcase_add_loop_test(tc, a_brief_tells_what_an_entry_does, 0, 2);
	suite_add_tcase(s, tc);
	return s;
}

int main(void)
{
	return fx_main(suite);
}
