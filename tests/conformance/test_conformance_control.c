/* Windows, breakers and rates of endpoints, over exchanges. */

#include <stdlib.h>

#include "conformance/fixture.h"

static struct rp_outcome refused = {.cause = RP_CAUSE_CONNECT};

static void limits(unsigned in_flight, const char *rate)
{
	fx.limits =
	    (struct rp_limits){.in_flight = in_flight, .start = RP_WINDOW_START, .breaker = true};
	if (rate != NULL)
		ck_assert(rp_rate_parse(rp_span_of(rate), &fx.limits.rate));
}

static struct rp_control control(unsigned k)
{
	return fx_endpoint_record(k).control;
}

/* Settles the claims of the last turn, and claims again. */
static void answer_all(enum rp_settle_kind kind, size_t want)
{
	struct rp_settlement *s = calloc(fx.n_claims + 1, sizeof *s);
	size_t i, n = fx.n_claims;

	ck_assert_ptr_nonnull(s);
	for (i = 0; i < n; i++) {
		s[i] = fx_settlement(&fx.claims[i], kind);
		if (kind == RP_SETTLE_RETRY) {
			s[i].outcome = &refused;
			s[i].cause = RP_CAUSE_CONNECT;
		}
	}
	fx_exchange(want, s, n);
	free(s);
}

/* Refuses what is claimed until the breaker opens; returns how many attempts that took. */
static size_t break_endpoint(unsigned k)
{
	size_t attempts = 0;

	fx_exchange(100, NULL, 0);
	while (fx.n_claims > 0) {
		attempts += fx.n_claims;
		ck_assert_uint_lt(attempts, 200);
		answer_all(RP_SETTLE_RETRY, 100);
	}
	ck_assert_int_eq(control(k).breaker, RP_BREAKER_OPEN);
	return attempts;
}

START_TEST(a_breaker_switched_off_while_requests_run_does_not_open_by_their_answers)
{
	size_t i;

	fx_append(1, 100);
	limits(10, NULL);
	fx_exchange(100, NULL, 0);
	for (i = 0;
	     control(1).recent + fx.n_claims < RP_BREAKER_OUTCOMES && i < RP_BREAKER_OUTCOMES; i++)
		answer_all(RP_SETTLE_RETRY, 100);
	/* those under way, whose answers would open it, were claimed when it was on */
	fx.limits.breaker = false;
	for (i = 0; i < 3; i++) {
		answer_all(RP_SETTLE_RETRY, 100);
		ck_assert_int_eq(control(1).breaker, RP_BREAKER_CLOSED);
		ck_assert_uint_gt(fx.n_claims, 0);
	}
}
END_TEST

START_TEST(a_failing_endpoint_is_parked_and_its_backlog_spends_nothing)
{
	uint64_t first = fx_append(1, 100), seq;
	size_t attempts, spent = 0;
	struct rp_delivery d;

	limits(10, NULL);
	attempts = break_endpoint(1);
	ck_assert_uint_ge(attempts, 10);
	ck_assert_uint_le(attempts, 14);
	ck_assert_int_eq(fx.next_ready_ms, control(1).probe_at_ms);
	fx.now_ms = control(1).probe_at_ms - 1;
	fx_exchange(100, NULL, 0);
	ck_assert_uint_eq(fx.n_claims, 0);
	ck_assert(!fx.committed);
	for (seq = first; seq < first + 100; seq++) {
		d = fx_delivery(seq);
		ck_assert_int_eq(d.state, RP_STATE_WAITING);
		ck_assert_uint_eq(d.attempts, d.failures);
		spent += d.attempts;
	}
	ck_assert_uint_eq(spent, attempts);
}
END_TEST

START_TEST(a_probe_is_one_entry_whoever_asks)
{
	fx_append(1, 100);
	limits(10, NULL);
	break_endpoint(1);
	fx.now_ms = control(1).probe_at_ms;
	fx_exchange(100, NULL, 0);
	ck_assert_uint_eq(fx.n_claims, 1);
	ck_assert(fx.claims[0].probes[RP_LEVEL_PATH]);
	/* the oldest due: those that failed are due later */
	ck_assert_uint_eq(fx.claims[0].attempt, 1);
	ck_assert_int_eq(control(1).breaker, RP_BREAKER_HALF_OPEN);
	ck_assert_int_eq(fx.next_ready_ms, RP_NEVER);
	fx.now_ms += 100000;
	{
		struct rp_claim probe = fx.claims[0];
		struct rp_settlement s;

		fx_exchange(100, NULL, 0);
		ck_assert_uint_eq(fx.n_claims, 0);
		s = fx_settlement(&probe, RP_SETTLE_RETRY);
		s.outcome = &refused;
		fx_exchange(100, &s, 1);
		ck_assert_int_eq(s.change[RP_LEVEL_PATH], RP_CONTROL_OPENED);
		ck_assert_int_eq(s.probe_at_ms[RP_LEVEL_PATH], fx.now_ms + 2 * RP_BREAKER_PAUSE_MS);
	}
	ck_assert_uint_eq(fx.n_claims, 0);
	ck_assert_int_eq(fx.next_ready_ms, fx.now_ms + 2 * RP_BREAKER_PAUSE_MS);
}
END_TEST

START_TEST(what_is_under_way_when_it_opens_holds_the_probe_back)
{
	struct rp_claim slow;
	struct rp_settlement s;

	fx_append(1, 100);
	limits(20, NULL);
	fx.limits.start = 20; /* a window wide enough for one request to outlast the streak */
	slow = fx_claim();
	break_endpoint(1);
	fx.now_ms = control(1).probe_at_ms + 1;
	fx_exchange(10, NULL, 0);
	ck_assert_uint_eq(fx.n_claims, 0);
	s = fx_settlement(&slow, RP_SETTLE_RETRY);
	s.outcome = &refused;
	fx_exchange(10, &s, 1);
	ck_assert_uint_eq(fx.n_claims, 1);
	ck_assert(fx.claims[0].probes[RP_LEVEL_PATH]);
	ck_assert_uint_eq(fx_delivery(slow.seq).failures, 1);
}
END_TEST

START_TEST(it_survives_a_restart)
{
	struct rp_control before, after;

	fx_append(1, 30);
	fx_append(2, 30);
	limits(10, "100/s");
	fx_exchange(1, NULL, 0);
	answer_all(RP_SETTLE_DELIVERED, 0);
	break_endpoint(1);
	before = control(1);
	fx_close();
	fx_open();
	fx_join();
	after = control(1);
	ck_assert_int_eq(after.breaker, RP_BREAKER_OPEN);
	ck_assert_int_eq(after.probe_at_ms, before.probe_at_ms);
	ck_assert_int_eq(after.cause, RP_CAUSE_CONNECT);
	ck_assert_uint_eq(after.window_permille, before.window_permille);
	ck_assert_int_eq(after.full_at_us, before.full_at_us);
	fx.now_ms = after.probe_at_ms - 1;
	fx_exchange(100, NULL, 0);
	ck_assert_uint_eq(fx.n_claims, 0);
}
END_TEST

START_TEST(a_recovered_endpoint_ramps_up)
{
	size_t before = 0, turns;

	fx_append(1, 1000);
	limits(100, NULL);
	break_endpoint(1);
	fx.now_ms = control(1).probe_at_ms;
	fx_exchange(100, NULL, 0);
	answer_all(RP_SETTLE_DELIVERED, 200);
	ck_assert_int_eq(control(1).breaker, RP_BREAKER_CLOSED);
	ck_assert_uint_eq(fx.n_claims, RP_WINDOW_START);
	for (turns = 0; fx.n_claims < 100; turns++) {
		ck_assert_uint_gt(fx.n_claims, before);
		ck_assert_uint_lt(turns, 10);
		before = fx.n_claims;
		answer_all(RP_SETTLE_DELIVERED, 200);
	}
	ck_assert_uint_eq(fx.n_claims, 100);
}
END_TEST

START_TEST(a_late_success_closes_it)
{
	struct rp_claim late;
	struct rp_settlement s;
	uint64_t first = fx_append(1, 100);

	limits(10, NULL);
	late = fx_claim();
	ck_assert_uint_eq(late.seq, first);
	ck_assert_int_eq(rp_outbox_leave(fx.ob, fx.now_ms, &fx.err), RP_OK);
	fx_join();
	break_endpoint(1);
	s = fx_settlement(&late, RP_SETTLE_DELIVERED);
	fx_exchange(0, &s, 1);
	ck_assert(s.stale);
	ck_assert_int_eq(s.change[RP_LEVEL_PATH], RP_CONTROL_CLOSED);
	ck_assert_int_eq(control(1).breaker, RP_BREAKER_CLOSED);
}
END_TEST

START_TEST(the_claims_of_a_dead_sender_tell_nothing_about_the_receiver)
{
	struct rp_control before, after;
	int i;

	fx_append(1, 100);
	limits(10, NULL);
	fx_exchange(1, NULL, 0);
	answer_all(RP_SETTLE_DELIVERED, 0);
	before = control(1);
	for (i = 0; i < 10; i++) {
		fx_exchange(5, NULL, 0);
		ck_assert_int_eq(rp_outbox_leave(fx.ob, fx.now_ms, &fx.err), RP_OK);
		fx_join();
		fx.now_ms += 10000;
	}
	after = control(1);
	ck_assert_uint_eq(after.window_permille, before.window_permille);
	ck_assert_uint_eq(after.bad_streak, 0);
	ck_assert_uint_eq(after.recent, before.recent);
}
END_TEST

START_TEST(resuming_sends_the_probe_at_once)
{
	fx_append(1, 100);
	limits(10, NULL);
	break_endpoint(1);
	fx.now_ms += 10;
	fx_pause(1, false);
	fx_exchange(100, NULL, 0);
	ck_assert_uint_eq(fx.n_claims, 1);
	ck_assert(fx.claims[0].probes[RP_LEVEL_PATH]);
}
END_TEST

START_TEST(a_rate_holds_over_simulated_minutes_and_waiting_is_no_attempt)
{
	int64_t start_ms = fx.now_ms, looks = 0;
	size_t claimed = 0;
	uint64_t first = fx_append(1, 1000);

	fx_append(2, 5);
	limits(50, "120/m");
	while (fx.now_ms < start_ms + 180000) {
		fx_exchange(100, NULL, 0);
		claimed += fx.n_claims;
		looks++;
		ck_assert_uint_le(claimed, 5 + 2 + (size_t)(fx.now_ms - start_ms) * 120 / 60000);
		answer_all(RP_SETTLE_DELIVERED, 0);
		ck_assert_int_gt(fx.next_ready_ms, fx.now_ms);
		fx.now_ms = fx.next_ready_ms;
	}
	ck_assert_uint_ge(claimed, 5 + 358);
	ck_assert_int_le(looks, 400); /* it is looked at when there is a token, not in between */
	ck_assert_uint_eq(fx_delivery(first + 999).attempts, 0);
}
END_TEST

/* Pages written are a measure of what a turn does; a turn that finds nothing writes none. */
START_TEST(a_hanging_endpoint_costs_turns_nothing_however_long_its_backlog)
{
	size_t i;

	limits(10, NULL);
	for (i = 0; i < 5; i++)
		fx_append(1, 1000);
	fx_exchange(256, NULL, 0);
	ck_assert_uint_eq(fx.n_claims, RP_WINDOW_START);
	ck_assert_int_eq(fx.next_ready_ms, RP_NEVER);
	ck_assert_int_eq(fx.next_ready_ms, RP_NEVER);
	for (i = 0; i < 100; i++) {
		fx_append(2, 5);
		fx.now_ms += 10;
		fx_exchange(256, NULL, 0);
		ck_assert_uint_eq(fx.n_claims, 5);
		ck_assert_int_eq(fx.next_ready_ms, RP_NEVER);
		answer_all(RP_SETTLE_DELIVERED, 0);
		ck_assert_int_eq(fx.next_ready_ms, RP_NEVER);
	}
	ck_assert_uint_eq(fx_ledger().in_flight, RP_WINDOW_START);
}
END_TEST

static void look_again(void)
{
	fx_renew();
}

START_TEST(the_probes_answer_counts_though_a_reload_came_between)
{
	struct rp_settlement s;

	fx_append(1, 100);
	limits(10, NULL);
	break_endpoint(1);
	fx.now_ms = control(1).probe_at_ms;
	fx_exchange(1, NULL, 0);
	ck_assert(fx.claims[0].probes[RP_LEVEL_PATH]);
	look_again();
	s = fx_settlement(&fx.claims[0], _i == 0 ? RP_SETTLE_DELIVERED : RP_SETTLE_RETRY);
	if (_i == 1)
		s.outcome = &refused;
	fx_exchange(100, &s, 1);
	ck_assert_int_eq(s.change[RP_LEVEL_PATH], _i == 0 ? RP_CONTROL_CLOSED : RP_CONTROL_OPENED);
	ck_assert_uint_eq(fx.n_claims, _i == 0 ? RP_WINDOW_START : 0);
}
END_TEST

START_TEST(the_window_follows_answers_though_a_reload_came_between)
{
	fx_append(1, 100);
	limits(10, NULL);
	fx_exchange(100, NULL, 0);
	ck_assert_uint_eq(fx.n_claims, RP_WINDOW_START);
	look_again();
	answer_all(RP_SETTLE_DELIVERED, 100);
	ck_assert_uint_eq(fx.n_claims, 2 * RP_WINDOW_START);
	look_again();
	answer_all(RP_SETTLE_DELIVERED, 100);
	ck_assert_uint_eq(fx.n_claims, 10);
}
END_TEST

START_TEST(a_reload_reaches_an_endpoint_that_has_nothing_waiting)
{
	fx_append(1, 1);
	limits(10, "1/h");
	fx_exchange(1, NULL, 0);
	answer_all(RP_SETTLE_DELIVERED, 0);
	limits(10, "50/s");
	look_again();
	fx_append(1, 1);
	fx_exchange(1, NULL, 0);
	ck_assert_uint_eq(fx.n_claims, 1);
}
END_TEST

/* What was due before stays due when it was; what comes now must not wait until the clock has
 * caught up. */
START_TEST(nobody_waits_for_a_clock_that_was_set_back)
{
	struct rp_settlement s;

	fx_append(1, 100);
	limits(10, _i == 1 ? "1/h" : NULL);
	if (_i == 0) {
		break_endpoint(1);
	} else {
		fx_exchange(1, NULL, 0);
		ck_assert_uint_eq(fx.n_claims, 1);
	}
	if (_i == 2) {
		s = fx_settlement(&fx.claims[0], RP_SETTLE_PARK);
		s.outcome = NULL;
		s.due_at_ms = fx.now_ms + 60000;
		fx_exchange(0, &s, 1);
	}
	fx.now_ms -= 86400000;
	fx_append(1, 1);
	fx_exchange(1, NULL, 0);
	ck_assert_uint_eq(fx.n_claims, 1);
}
END_TEST

/* Now is read before the write lock is waited for, so another sender's step may lie some seconds
 * ahead. */
START_TEST(a_rate_holds_for_one_whose_time_is_a_little_older)
{
	fx_append(1, 100);
	limits(10, "1/m");
	fx_exchange(1, NULL, 0);
	fx.now_ms -= 5000;
	fx_append(1, 1);
	fx_exchange(1, NULL, 0);
	ck_assert_uint_eq(fx.n_claims, 0);
}
END_TEST

START_TEST(a_rate_outlives_the_last_entry_and_then_the_endpoint_goes)
{
	int64_t start_ms = fx.now_ms;
	size_t n;

	fx_append(1, 1);
	limits(10, "1/h");
	fx_exchange(1, NULL, 0);
	answer_all(RP_SETTLE_DELIVERED, 0);
	fx.now_ms += 600000;
	ck_assert_int_eq(rp_outbox_expire(fx.ob, fx.now_ms, 300000, 0, 10, &n, &fx.err), RP_OK);
	ck_assert_uint_eq(n, 1);
	fx_verify_sound();
	fx_append(1, 1);
	fx_exchange(1, NULL, 0);
	ck_assert_uint_eq(fx.n_claims, 0);
	ck_assert_int_eq(fx.next_ready_ms, start_ms + 3600000);
	fx.now_ms = fx.next_ready_ms;
	fx_exchange(1, NULL, 0);
	ck_assert_uint_eq(fx.n_claims, 1);
	ck_assert_int_eq(fx_change(RP_CHANGE_PURGE, fx.claims[0].seq), RP_CHANGED_DONE_IN_FLIGHT);
	fx_exchange(1, NULL, 0);
	ck_assert_uint_eq(fx_n_endpoints(), 1);
	ck_assert(!fx.committed);
	fx.now_ms = fx.next_ready_ms;
	fx_exchange(1, NULL, 0);
	ck_assert_uint_eq(fx_n_endpoints(), 0);
	ck_assert_int_eq(fx.next_ready_ms, RP_NEVER);
}
END_TEST

START_TEST(half_open_is_never_stuck_and_costs_no_empty_commits)
{
	struct rp_new_entry e;
	struct rp_settlement s;
	struct rp_claim probe;
	int i;

	fx_append(1, 20);
	for (i = 0; i < 3; i++) {
		e = fx_new(1);
		e.order_by = rp_span_of("thread");
		fx_append_one(&e, NULL);
	}
	limits(10, NULL);
	break_endpoint(1);
	fx.now_ms = control(1).probe_at_ms;
	for (i = 0; i < 4; i++) {
		fx_exchange(10, NULL, 0);
		ck_assert_uint_eq(fx.n_claims, 1);
		ck_assert(fx.claims[0].probes[RP_LEVEL_PATH]);
		probe = fx.claims[0];
		fx_exchange(10, NULL, 0);
		ck_assert_uint_eq(fx.n_claims, 0);
		ck_assert(!fx.committed);
		if (i == 0) {
			ck_assert_int_eq(rp_outbox_leave(fx.ob, fx.now_ms, &fx.err), RP_OK);
			fx_join();
		} else if (i == 1) {
			ck_assert_int_eq(fx_change(RP_CHANGE_PURGE, probe.seq),
					 RP_CHANGED_DONE_IN_FLIGHT);
		} else {
			s = fx_settlement(&probe, i == 2 ? RP_SETTLE_PARK : RP_SETTLE_RETURN);
			s.outcome = NULL;
			fx_exchange(0, &s, 1);
			if (i == 2) {
				fx_exchange(10, NULL, 0);
				ck_assert(!fx.committed);
				fx.now_ms = fx.next_ready_ms;
			}
		}
		fx_verify_sound();
	}
	fx_exchange(10, NULL, 0);
	answer_all(RP_SETTLE_DELIVERED, 10);
	ck_assert_int_eq(control(1).breaker, RP_BREAKER_CLOSED);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("control");
	TCase *tc = tcase_create("all");

	tcase_add_checked_fixture(tc, fx_setup, fx_teardown);
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc,
		       a_breaker_switched_off_while_requests_run_does_not_open_by_their_answers);
	tcase_add_test(tc, a_failing_endpoint_is_parked_and_its_backlog_spends_nothing);
	tcase_add_test(tc, a_probe_is_one_entry_whoever_asks);
	tcase_add_test(tc, what_is_under_way_when_it_opens_holds_the_probe_back);
	tcase_add_test(tc, it_survives_a_restart);
	tcase_add_test(tc, a_recovered_endpoint_ramps_up);
	tcase_add_test(tc, a_late_success_closes_it);
	tcase_add_test(tc, the_claims_of_a_dead_sender_tell_nothing_about_the_receiver);
	tcase_add_test(tc, resuming_sends_the_probe_at_once);
	tcase_add_test(tc, a_rate_holds_over_simulated_minutes_and_waiting_is_no_attempt);
	tcase_add_test(tc, a_hanging_endpoint_costs_turns_nothing_however_long_its_backlog);
	tcase_add_loop_test(tc, the_probes_answer_counts_though_a_reload_came_between, 0, 2);
	tcase_add_test(tc, the_window_follows_answers_though_a_reload_came_between);
	tcase_add_test(tc, a_reload_reaches_an_endpoint_that_has_nothing_waiting);
	tcase_add_loop_test(tc, nobody_waits_for_a_clock_that_was_set_back, 0, 3);
	tcase_add_test(tc, a_rate_holds_for_one_whose_time_is_a_little_older);
	tcase_add_test(tc, a_rate_outlives_the_last_entry_and_then_the_endpoint_goes);
	tcase_add_test(tc, half_open_is_never_stuck_and_costs_no_empty_commits);
	suite_add_tcase(s, tc);
	return s;
}

int main(void)
{
	return fx_main(suite);
}
