/* How much one endpoint may be given, after every sequence of outcomes: tables, and properties
 * over random ones. */
#include "model/control.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#define N(table) ((int)(sizeof(table) / sizeof((table)[0])))
#define NOW INT64_C(1795435200000)

static struct rp_control c;
static int64_t now_ms;

static void begin(unsigned in_flight, const char *rate)
{
	struct rp_limits limits = {
	    .in_flight = in_flight, .start = RP_WINDOW_START, .breaker = true};

	if (rate != NULL)
		ck_assert(rp_rate_parse(rp_span_of(rate), &limits.rate));
	memset(&c, 0, sizeof c);
	now_ms = NOW;
	rp_control_apply(&c, &limits);
}

static enum rp_control_change outcome(enum rp_cause cause, unsigned status)
{
	return rp_control_settled(&c, cause, status, rp_control_room(&c), now_ms);
}

static void open_it(void)
{
	int i;

	for (i = 0; i < 100; i++)
		if (outcome(RP_CAUSE_CONNECT, 0) == RP_CONTROL_OPENED)
			return;
	ck_abort_msg("it never opens");
}

/* --- rate --------------------------------------------------------------------------------- */

static const struct {
	const char *text;
	uint32_t count, period_ms, burst;
} rates[] = {
    {"50/s", 50, 1000, 50},
    {"1/s", 1, 1000, 1},
    {"10/m", 10, 60000, 1},
    {"120/m", 120, 60000, 2},
    {"3/h", 3, 3600000, 1},
    {"10000/s", 10000, 1000, 10000},
    {"600000/m", 600000, 60000, 10000},
    {"", 0, 0, 0},
    {"50", 0, 0, 0},
    {"/s", 0, 0, 0},
    {"0/s", 0, 0, 0},
    {"10001/s", 0, 0, 0},
    {"5/d", 0, 0, 0},
    {"-5/s", 0, 0, 0},
    {"5 /s", 0, 0, 0},
    {"5/ss", 0, 0, 0},
    {"1.5/s", 0, 0, 0},
    {"99999999999999999999/s", 0, 0, 0},
};

START_TEST(a_rate_is_read_shown_and_has_a_second_of_burst)
{
	struct rp_rate r = {0};
	char text[RP_RATE_TEXT_MAX];
	bool good = rp_rate_parse(rp_span_of(rates[_i].text), &r);

	ck_assert_msg(good == (rates[_i].count != 0), "%s", rates[_i].text);
	ck_assert_uint_eq(r.count, rates[_i].count);
	ck_assert_uint_eq(r.period_ms, rates[_i].period_ms);
	if (good) {
		ck_assert_uint_eq(rp_rate_burst(r), rates[_i].burst);
		ck_assert_str_eq(rp_rate_format(r, text), rates[_i].text);
	} else {
		ck_assert_str_eq(rp_rate_format(r, text), "");
	}
}
END_TEST

/* Claims whatever is allowed at `now_ms`. */
static unsigned take_all(void)
{
	unsigned n = 0;

	while (rp_control_ready_at_ms(&c, 0) <= now_ms) {
		rp_control_claimed(&c, now_ms, 0);
		if (++n == 100000)
			ck_abort_msg("there is no end of tokens");
	}
	return n;
}

START_TEST(an_idle_bucket_holds_no_more_than_its_burst)
{
	begin(100, "50/s");
	ck_assert_uint_eq(take_all(), 50);
	now_ms += 3600000;
	ck_assert_uint_eq(take_all(), 50);
	now_ms += 19;
	ck_assert_uint_eq(take_all(), 0);
	ck_assert_int_eq(rp_control_ready_at_ms(&c, 0), now_ms + 1);
	now_ms += 1;
	ck_assert_uint_eq(take_all(), 1);
}
END_TEST

START_TEST(in_no_span_more_is_claimed_than_burst_and_rate_allow)
{
	static const char *const texts[] = {"7/s", "50/s", "3333/s", "10/m", "90/m", "7000/h"};
	struct rp_rate r;
	uint64_t taken, most;
	int i;

	srand(_i + 1);
	begin(100, texts[_i]);
	r = c.limits.rate;
	for (taken = 0, i = 0; i < 300; i++) {
		now_ms += rand() % 3 != 0 ? rand() % 50 : rand() % 5000;
		if (i % 3 != 0)
			taken += take_all();
		else if (rp_control_ready_at_ms(&c, 0) <= now_ms)
			taken += rp_control_claimed(&c, now_ms, 0) == RP_CONTROL_SAME;
		most = rp_rate_burst(r) + (uint64_t)(now_ms - NOW) * r.count / r.period_ms;
		ck_assert_msg(taken <= most, "%lu of %lu", (unsigned long)taken,
			      (unsigned long)most);
	}
	begin(100, texts[_i]);
	for (taken = 0, i = 0; i < 20000; i++) {
		now_ms =
		    rp_control_ready_at_ms(&c, 0) > now_ms ? rp_control_ready_at_ms(&c, 0) : now_ms;
		rp_control_claimed(&c, now_ms, 0);
		taken++;
	}
	most = (uint64_t)(now_ms - NOW) * r.count / r.period_ms;
	ck_assert_msg(taken >= most * 99 / 100, "%lu is much slower than %lu", (unsigned long)taken,
		      (unsigned long)most);
}
END_TEST

/* Claims by several senders, each of whose requests begins somewhat later, in any order, or not at
 * all: then its token comes back. However the two are mixed, what begins keeps to the rate. */
START_TEST(what_begins_keeps_to_the_rate_wherever_within_its_time_it_begins)
{
	static const char *const texts[] = {"1/s", "2/s", "7/s", "50/s", "10/m"};
	enum { N = 600, WITHIN_MS = 150 };
	static int64_t begun[N];
	struct rp_token token;
	int64_t last_ms = 0, at, interval_ms;
	size_t n = 0, i, k;
	struct rp_rate r;

	srand(_i / 5 + 1);
	begin(1000, texts[_i % 5]);
	r = c.limits.rate;
	interval_ms = r.period_ms / r.count;
	while (n < N) {
		now_ms += rand() % 4 != 0 ? rand() % 40 : rand() % (int)(3 * interval_ms);
		if (rp_control_ready_at_ms(&c, 0) > now_ms)
			continue;
		last_ms = now_ms;
		rp_control_claimed(&c, now_ms, WITHIN_MS);
		if (rand() % 3 != 0) {
			begun[n++] = now_ms + rand() % (WITHIN_MS + 1);
			continue;
		}
		token = (struct rp_token){r, now_ms};
		for (k = (size_t)rand() % 3; k > 0; k--) { /* others claim meanwhile */
			now_ms += rand() % (int)(interval_ms + 1);
			if (rp_control_ready_at_ms(&c, 0) > now_ms || n == N)
				continue;
			last_ms = now_ms;
			rp_control_claimed(&c, now_ms, WITHIN_MS);
			begun[n++] = now_ms + rand() % (WITHIN_MS + 1);
		}
		rp_control_token_return(&c, &token, last_ms);
	}
	for (i = 0; i < N; i++)
		for (k = 0; k < N; k++) {
			size_t among = 0, j;

			at = begun[k] - begun[i];
			if (at < 0 || at > 4 * interval_ms + 2000)
				continue;
			for (j = 0; j < N; j++)
				among += begun[j] >= begun[i] && begun[j] <= begun[k];
			ck_assert_msg(among <=
					  rp_rate_burst(r) + (uint64_t)at * r.count / r.period_ms,
				      "%s: %zu in %lld ms", texts[_i % 5], among, (long long)at);
		}
}
END_TEST

START_TEST(a_token_that_was_not_spent_comes_back)
{
	struct rp_token token;
	struct rp_rate other = {5, 1000};

	begin(100, "3/h");
	token = (struct rp_token){c.limits.rate, now_ms};
	rp_control_claimed(&c, now_ms, 20);
	ck_assert_int_gt(rp_control_ready_at_ms(&c, 0), now_ms + 1200000);
	rp_control_token_return(&c, &token, now_ms);
	ck_assert_int_le(rp_control_ready_at_ms(&c, 0), now_ms + 20);
	now_ms += 20;
	rp_control_claimed(&c, now_ms, 20);
	token.rate = other; /* of a configuration before: the bucket began anew since */
	rp_control_token_return(&c, &token, now_ms);
	ck_assert_int_gt(rp_control_ready_at_ms(&c, 0), now_ms + 1200000);
	token = (struct rp_token){{0, 0}, now_ms};
	rp_control_token_return(&c, &token, now_ms);
	ck_assert_int_gt(rp_control_ready_at_ms(&c, 0), now_ms + 1200000);
}
END_TEST

/* --- window ------------------------------------------------------------------------------- */

START_TEST(a_new_endpoint_begins_small_and_reaches_its_limit_within_some_hundred_deliveries)
{
	unsigned n = 0;

	begin(256, NULL);
	ck_assert_uint_eq(rp_control_room(&c), RP_WINDOW_START);
	while (rp_control_room(&c) < 256) {
		outcome(RP_CAUSE_NONE, 200);
		n++;
	}
	ck_assert_uint_le(n, 256);
	outcome(RP_CAUSE_NONE, 200);
	ck_assert_uint_eq(rp_control_room(&c), 256);
}
END_TEST

START_TEST(a_trickle_does_not_open_the_window)
{
	int i;

	begin(256, NULL);
	for (i = 0; i < 1000; i++)
		rp_control_settled(&c, RP_CAUSE_NONE, 200, 1, now_ms);
	ck_assert_uint_eq(rp_control_room(&c), RP_WINDOW_START);
}
END_TEST

static const struct {
	enum rp_cause cause;
	unsigned status;
	enum rp_feedback feedback;
} told[] = {
    {RP_CAUSE_NONE, 200, RP_FEEDBACK_GOOD},
    {RP_CAUSE_TIMEOUT, 0, RP_FEEDBACK_BAD},
    {RP_CAUSE_CONNECT, 0, RP_FEEDBACK_BAD},
    {RP_CAUSE_RESET, 0, RP_FEEDBACK_BAD},
    {RP_CAUSE_DNS, 0, RP_FEEDBACK_BAD},
    {RP_CAUSE_TLS, 0, RP_FEEDBACK_BAD},
    {RP_CAUSE_HTTP, 429, RP_FEEDBACK_BAD},
    {RP_CAUSE_HTTP, 502, RP_FEEDBACK_BAD},
    {RP_CAUSE_HTTP, 503, RP_FEEDBACK_BAD},
    {RP_CAUSE_HTTP, 504, RP_FEEDBACK_BAD},
    {RP_CAUSE_HTTP, 500, RP_FEEDBACK_NEUTRAL},
    {RP_CAUSE_HTTP, 404, RP_FEEDBACK_NEUTRAL},
    {RP_CAUSE_HTTP, 410, RP_FEEDBACK_NEUTRAL},
    {RP_CAUSE_PROTOCOL, 0, RP_FEEDBACK_NEUTRAL},
    {RP_CAUSE_LOCAL, 0, RP_FEEDBACK_NONE},
    {RP_CAUSE_NO_KEY, 0, RP_FEEDBACK_NONE},
    {RP_CAUSE_BLOCKED_ADDRESS, 0, RP_FEEDBACK_NONE},
    {RP_CAUSE_SENDER_LOST, 0, RP_FEEDBACK_NONE},
    {RP_CAUSE_DAMAGED, 0, RP_FEEDBACK_NONE},
    {RP_CAUSE_EXPIRED, 0, RP_FEEDBACK_NONE},
};

START_TEST(only_what_tells_of_overload_makes_the_window_smaller)
{
	unsigned before;

	ck_assert_int_eq(rp_feedback_of(told[_i].cause, told[_i].status), told[_i].feedback);
	begin(100, NULL);
	before = rp_control_room(&c);
	outcome(told[_i].cause, told[_i].status);
	ck_assert_int_eq((int)rp_control_room(&c) - (int)before,
			 told[_i].feedback == RP_FEEDBACK_GOOD  ? RP_WINDOW_OPENS
			 : told[_i].feedback == RP_FEEDBACK_BAD ? -1
								: 0);
}
END_TEST

/* A receiver that takes seconds for an answer is given a window of requests, and answers all of
 * them before it gets the next. Result: how many it has in its n-th round. */
static unsigned round_of(int n, enum rp_cause cause)
{
	unsigned size = 0, k;
	int i;

	for (i = 1; i <= n; i++) {
		now_ms += 5000;
		size = rp_control_room(&c);
		for (k = 0; k < size; k++)
			rp_control_settled(&c, cause, 0, size, now_ms);
	}
	return size;
}

/* The window begins with 5 of a path, 10 of a host. */
START_TEST(a_receiver_that_is_slow_but_well_has_64_requests_in_its_third_round)
{
	const struct rp_limits host = {.in_flight = 64, .start = RP_HOST_WINDOW_START};

	begin(64, NULL);
	if (_i == 1) {
		memset(&c, 0, sizeof c);
		rp_control_apply(&c, &host);
	}
	ck_assert_uint_eq(round_of(3, RP_CAUSE_NONE), 64);
	ck_assert_uint_eq(round_of(1, RP_CAUSE_NONE), 64);
}
END_TEST

START_TEST(a_sick_receiver_is_never_given_more_than_at_first)
{
	unsigned k;

	begin(64, NULL);
	for (k = 0; k < 20; k++)
		ck_assert_uint_le(round_of(1, RP_CAUSE_TIMEOUT), RP_WINDOW_START);
	ck_assert_uint_eq(rp_control_room(&c), 1);
}
END_TEST

/* The first bad outcome ends the fast start. */
START_TEST(trouble_ends_the_fast_start)
{
	unsigned before;

	begin(1000, NULL);
	round_of(2, RP_CAUSE_NONE);
	outcome(RP_CAUSE_TIMEOUT, 0);
	before = rp_control_room(&c);
	ck_assert_uint_eq(round_of(1, RP_CAUSE_NONE), before);
	ck_assert_uint_le(rp_control_room(&c), before + 1);
}
END_TEST

START_TEST(after_trouble_it_grows_by_one_a_window)
{
	int i;

	begin(100, NULL);
	for (i = 0; i < 5; i++)
		outcome(RP_CAUSE_NONE, 200);
	outcome(RP_CAUSE_HTTP, 429);
	ck_assert_uint_eq(rp_control_room(&c), 19);
	for (i = 0; i < 18; i++)
		outcome(RP_CAUSE_NONE, 200);
	ck_assert_uint_eq(rp_control_room(&c), 19);
	outcome(RP_CAUSE_NONE, 200);
	outcome(RP_CAUSE_NONE, 200);
	ck_assert_uint_eq(rp_control_room(&c), 20);
}
END_TEST

START_TEST(a_limit_that_was_lower_for_a_while_leaves_no_trace)
{
	struct rp_limits low = {.in_flight = 2, .start = 5, .breaker = true}, high = low;

	high.in_flight = 7;
	begin(4, NULL);
	ck_assert_uint_eq(rp_control_room(&c), 4);
	rp_control_apply(&c, &low);
	ck_assert_uint_eq(rp_control_room(&c), 2);
	rp_control_apply(&c, &high);
	ck_assert_uint_eq(rp_control_room(&c), 5);
}
END_TEST

/* --- breaker ------------------------------------------------------------------------------ */

START_TEST(a_streak_alone_does_not_open_it)
{
	int i;

	begin(10, NULL);
	for (i = 0; i < 50; i++)
		outcome(RP_CAUSE_NONE, 200);
	for (i = 0; i < 50; i++)
		ck_assert_int_eq(outcome(RP_CAUSE_TIMEOUT, 0), RP_CONTROL_SAME);
	while (outcome(RP_CAUSE_TIMEOUT, 0) == RP_CONTROL_SAME)
		i++;
	ck_assert_int_eq(i, 116); /* 117 of 167 are 70 % */
}
END_TEST

START_TEST(a_share_alone_does_not_open_it)
{
	int i;

	begin(10, NULL);
	for (i = 0; i < 1000; i++)
		ck_assert_int_eq(i % 5 == 0 ? outcome(RP_CAUSE_HTTP, i % 2 != 0 ? 200 : 404)
					    : outcome(RP_CAUSE_RESET, 0),
				 RP_CONTROL_SAME);
}
END_TEST

START_TEST(few_outcomes_do_not_open_it)
{
	int i;

	begin(10, NULL);
	for (i = 0; i < 9; i++)
		ck_assert_int_eq(outcome(RP_CAUSE_CONNECT, 0), RP_CONTROL_SAME);
	ck_assert_int_eq(outcome(RP_CAUSE_CONNECT, 0), RP_CONTROL_OPENED);
	ck_assert_int_eq(c.probe_at_ms, now_ms + 30000);
	ck_assert_int_eq(c.cause, RP_CAUSE_CONNECT);
	ck_assert_uint_eq(c.bad_streak, 10);
}
END_TEST

START_TEST(what_is_long_past_does_not_count)
{
	int i;

	begin(10, NULL);
	for (i = 0; i < 1000; i++)
		outcome(RP_CAUSE_NONE, 200);
	now_ms += 20 * RP_BREAKER_RECENT_MS;
	for (i = 1; outcome(RP_CAUSE_CONNECT, 0) == RP_CONTROL_SAME; i++)
		now_ms += 10;
	ck_assert_int_eq(i, 10);
}
END_TEST

START_TEST(pauses_double_up_to_ten_minutes_and_a_recovery_starts_anew)
{
	static const int64_t seconds[] = {30, 60, 120, 240, 480, 600, 600, 600};
	int i;

	begin(10, NULL);
	open_it();
	for (i = 0; i < N(seconds); i++) {
		ck_assert_int_eq(c.probe_at_ms - now_ms, seconds[i] * 1000);
		now_ms = c.probe_at_ms;
		ck_assert_int_eq(rp_control_claimed(&c, now_ms, 0), RP_CONTROL_PROBED);
		ck_assert_int_eq(outcome(RP_CAUSE_TIMEOUT, 0), RP_CONTROL_OPENED);
	}
	now_ms = c.probe_at_ms;
	rp_control_claimed(&c, now_ms, 0);
	ck_assert_int_eq(outcome(RP_CAUSE_NONE, 200), RP_CONTROL_CLOSED);
	ck_assert_uint_eq(rp_control_room(&c), RP_WINDOW_START);
	open_it();
	ck_assert_int_eq(c.probe_at_ms - now_ms, 30000);
}
END_TEST

START_TEST(while_open_only_good_news_counts)
{
	begin(10, NULL);
	open_it();
	ck_assert_int_eq(outcome(RP_CAUSE_TIMEOUT, 0), RP_CONTROL_SAME);
	ck_assert_int_eq(outcome(RP_CAUSE_HTTP, 500), RP_CONTROL_SAME);
	ck_assert_int_eq(c.breaker, RP_BREAKER_OPEN);
	ck_assert_int_eq(outcome(RP_CAUSE_NONE, 200), RP_CONTROL_CLOSED);
}
END_TEST

START_TEST(a_probe_that_tells_nothing_is_followed_by_another_and_any_answer_closes)
{
	begin(10, NULL);
	open_it();
	now_ms = c.probe_at_ms;
	rp_control_claimed(&c, now_ms, 0);
	ck_assert_int_eq(rp_control_ready_at_ms(&c, 1), RP_CONTROL_NEVER);
	ck_assert_int_eq(outcome(RP_CAUSE_LOCAL, 0), RP_CONTROL_SAME);
	ck_assert_int_le(rp_control_ready_at_ms(&c, 0), now_ms);
	ck_assert_int_eq(rp_control_claimed(&c, now_ms, 0), RP_CONTROL_PROBED);
	ck_assert_int_eq(outcome(RP_CAUSE_HTTP, 404), RP_CONTROL_CLOSED);
}
END_TEST

START_TEST(an_operator_may_have_it_probed_now_or_switch_it_off)
{
	struct rp_limits limits = {.in_flight = 10, .start = 5};

	begin(10, NULL);
	open_it();
	rp_control_probe_now(&c, now_ms);
	ck_assert_int_le(rp_control_ready_at_ms(&c, 0), now_ms);
	ck_assert_int_eq(rp_control_claimed(&c, now_ms, 0), RP_CONTROL_PROBED);
	rp_control_apply(&c, &limits);
	ck_assert_int_eq(c.breaker, RP_BREAKER_CLOSED);
	for (_i = 0; _i < 1000; _i++)
		ck_assert_int_eq(outcome(RP_CAUSE_TIMEOUT, 0), RP_CONTROL_SAME);
}
END_TEST

/* --- everything at once ------------------------------------------------------------------- */

START_TEST(before_a_breaker_opens_the_limits_are_asked_for_once_more)
{
	struct rp_control here = {.breaker = RP_BREAKER_OPEN, .window_permille = 1000},
			  other = here;
	struct rp_limits on = {.in_flight = 10, .start = 5, .breaker = true}, off = on;

	off.breaker = false;
	ck_assert(rp_control_asks_again(RP_CONTROL_OPENED));
	ck_assert(!rp_control_asks_again(RP_CONTROL_CLOSED));
	ck_assert(!rp_control_asks_again(RP_CONTROL_SAME));
	ck_assert_int_eq(rp_control_answered(&here, &on), RP_CONTROL_OPENED);
	ck_assert_int_eq(here.breaker, RP_BREAKER_OPEN);
	ck_assert_int_eq(rp_control_answered(&other, &off), RP_CONTROL_SAME);
	ck_assert_int_eq(other.breaker, RP_BREAKER_CLOSED);
}
END_TEST

START_TEST(whatever_comes_it_keeps_its_bounds)
{
	static const enum rp_cause causes[] = {RP_CAUSE_NONE, RP_CAUSE_TIMEOUT, RP_CAUSE_TIMEOUT,
					       RP_CAUSE_HTTP, RP_CAUSE_LOCAL};
	unsigned in_flight = 0, limit, mood = 0;
	int i;

	srand(_i + 1);
	limit = 1 + (unsigned)rand() % 40;
	begin(limit, _i % 2 != 0 ? "20/s" : NULL);
	for (i = 0; i < 20000; i++) {
		bool was_closed = c.breaker == RP_BREAKER_CLOSED;

		mood = i % 500 == 0 ? (unsigned)rand() % 3 : mood;
		now_ms += rand() % 200;
		if (rand() % 2 != 0 && rp_control_ready_at_ms(&c, in_flight) <= now_ms) {
			ck_assert(c.breaker != RP_BREAKER_OPEN ||
				  (now_ms >= c.probe_at_ms && in_flight == 0));
			ck_assert(c.breaker != RP_BREAKER_HALF_OPEN || in_flight == 0);
			ck_assert_uint_lt(in_flight, limit);
			ck_assert_int_eq(rp_control_claimed(&c, now_ms, 0),
					 was_closed ? RP_CONTROL_SAME : RP_CONTROL_PROBED);
			in_flight++;
		} else if (in_flight > 0 && rand() % 2 != 0) {
			enum rp_cause cause = mood == 0   ? RP_CAUSE_NONE
					      : mood == 1 ? RP_CAUSE_CONNECT
							  : causes[rand() % N(causes)];
			enum rp_control_change change = rp_control_settled(
			    &c, cause, cause == RP_CAUSE_HTTP ? 503 : 0, in_flight, now_ms);

			ck_assert(change != RP_CONTROL_OPENED ||
				  c.probe_at_ms >= now_ms + RP_BREAKER_PAUSE_MS);
			ck_assert(change != RP_CONTROL_CLOSED || !was_closed);
			in_flight--;
		}
		ck_assert_uint_ge(rp_control_room(&c), 1);
		ck_assert_uint_le(rp_control_room(&c), limit);
		ck_assert_uint_le(c.recent_bad, c.recent);
	}
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("control");
	TCase *tc = tcase_create("control");

	tcase_add_loop_test(tc, a_rate_is_read_shown_and_has_a_second_of_burst, 0, N(rates));
	tcase_add_loop_test(tc, what_begins_keeps_to_the_rate_wherever_within_its_time_it_begins, 0,
			    20);
	tcase_add_test(tc, a_token_that_was_not_spent_comes_back);
	tcase_add_test(tc, an_idle_bucket_holds_no_more_than_its_burst);
	tcase_add_loop_test(tc, in_no_span_more_is_claimed_than_burst_and_rate_allow, 0, 6);
	tcase_add_test(
	    tc, a_new_endpoint_begins_small_and_reaches_its_limit_within_some_hundred_deliveries);
	tcase_add_test(tc, a_trickle_does_not_open_the_window);
	tcase_add_loop_test(tc, only_what_tells_of_overload_makes_the_window_smaller, 0, N(told));
	tcase_add_loop_test(tc, a_receiver_that_is_slow_but_well_has_64_requests_in_its_third_round,
			    0, 2);
	tcase_add_test(tc, a_sick_receiver_is_never_given_more_than_at_first);
	tcase_add_test(tc, trouble_ends_the_fast_start);
	tcase_add_test(tc, after_trouble_it_grows_by_one_a_window);
	tcase_add_test(tc, a_limit_that_was_lower_for_a_while_leaves_no_trace);
	tcase_add_test(tc, a_streak_alone_does_not_open_it);
	tcase_add_test(tc, a_share_alone_does_not_open_it);
	tcase_add_test(tc, few_outcomes_do_not_open_it);
	tcase_add_test(tc, what_is_long_past_does_not_count);
	tcase_add_test(tc, pauses_double_up_to_ten_minutes_and_a_recovery_starts_anew);
	tcase_add_test(tc, while_open_only_good_news_counts);
	tcase_add_test(tc, a_probe_that_tells_nothing_is_followed_by_another_and_any_answer_closes);
	tcase_add_test(tc, an_operator_may_have_it_probed_now_or_switch_it_off);
	tcase_add_test(tc, before_a_breaker_opens_the_limits_are_asked_for_once_more);
	tcase_add_loop_test(tc, whatever_comes_it_keeps_its_bounds, 0, 20);
	suite_add_tcase(s, tc);
	return s;
}

int main(void)
{
	SRunner *sr = srunner_create(suite());
	int failed;

	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed != 0;
}
