/* Jobs: an exact set, each entry once, whoever carries it; and the log of changes. */

#include <stdio.h>
#include <stdlib.h>

#include "conformance/fixture.h"
#include "outbox/jobs.h"

/* --- each once --------------------------------------------------------------------------- */

START_TEST(a_replay_moves_each_of_its_entries_once)
{
	uint64_t seqs[30], number;
	size_t i;

	fx_fill(seqs, 1, 30, RP_STATE_DEAD);
	number = fx_job_start(RP_JOB_REPLAY, seqs, 30);
	while (fx_job_next_at_ms != RP_NEVER || fx_job(number).phase == RP_JOB_RUNNING)
		ck_assert_uint_le(fx_job_step(0, 7), 7);
	for (i = 0; i < 30; i++) {
		ck_assert_int_eq(fx_state(seqs[i]), RP_STATE_WAITING);
		ck_assert_uint_eq(fx_delivery(seqs[i]).replays, 1);
	}
	ck_assert(fx_job(number).phase == RP_JOB_DONE && fx_job(number).done == 30);
	ck_assert_uint_eq(fx_n_planned(), 0);
}
END_TEST

START_TEST(an_entry_named_twice_is_in_the_set_once)
{
	uint64_t seq = fx_entry_in(1, RP_STATE_DEAD), twice[2] = {seq, seq},
		 number = fx_plan_begin(RP_JOB_REPLAY);

	fx_plan_add(number, twice, 2, false);
	fx_plan_add(number, &seq, 1, true);
	ck_assert_uint_eq(fx_job(number).planned, 1);
}
END_TEST

/* What a crash leaves is what the last commit wrote: half of a job goes on from there in another
 * process. */
START_TEST(a_job_goes_on_where_it_was_when_the_outbox_is_opened_again)
{
	uint64_t seqs[10], number;
	size_t i;

	fx_fill(seqs, 1, 10, RP_STATE_DEAD);
	number = fx_job_start(RP_JOB_REPLAY, seqs, 10);
	fx_job_step(0, 4);
	fx_close();
	fx_open();
	fx_join();
	ck_assert_uint_eq(fx_job(number).done, 4);
	fx_job_step(0, 100);
	for (i = 0; i < 10; i++)
		ck_assert_uint_eq(fx_delivery(seqs[i]).replays, 1);
	ck_assert(fx_job(number).phase == RP_JOB_DONE && fx_job(number).done == 10);
}
END_TEST

START_TEST(what_is_not_as_planned_is_skipped_and_counted)
{
	uint64_t seqs[4], number;
	struct rp_job j;

	fx_fill(seqs, 1, 4, RP_STATE_DEAD);
	number = fx_job_start(RP_JOB_REPLAY, seqs, 4);
	fx_change(RP_CHANGE_PURGE, seqs[0]);
	fx_change(RP_CHANGE_REPLAY, seqs[1]); /* by somebody else, and held since */
	fx_change(RP_CHANGE_HOLD, seqs[1]);
	fx_change(RP_CHANGE_REPLAY, seqs[2]); /* and claimed since */
	ck_assert_uint_eq(fx_claim().seq, seqs[2]);
	fx_job_step(0, 100);
	j = fx_job(number);
	ck_assert_uint_eq(j.done, 1);
	ck_assert_uint_eq(j.skipped.gone, 1);
	ck_assert_uint_eq(j.skipped.changed, 1);
	ck_assert_uint_eq(j.skipped.in_flight, 1);
	ck_assert_int_eq(fx_state(seqs[1]), RP_STATE_HELD);
	ck_assert_uint_eq(fx_delivery(seqs[3]).replays, 1);
}
END_TEST

/* A waiting entry that was tried again meanwhile is still the one that was meant; a purge wants
 * exactly what was shown. */
START_TEST(what_somebody_else_replayed_is_left_though_it_is_dead_again)
{
	uint64_t seq, number;
	struct rp_claim c;

	fx_fill(&seq, 1, 1, RP_STATE_DEAD);
	number = fx_job_start(RP_JOB_REPLAY, &seq, 1);
	fx_change(RP_CHANGE_REPLAY, seq);
	c = fx_claim();
	ck_assert(!fx_settle(&c, RP_SETTLE_DEAD));
	fx_job_step(0, 10);
	ck_assert_uint_eq(fx_job(number).done, 0);
	ck_assert_uint_eq(fx_job(number).skipped.changed, 1);
	ck_assert_int_eq(fx_state(seq), RP_STATE_DEAD);
	ck_assert_uint_eq(fx_delivery(seq).replays, 1);
}
END_TEST

START_TEST(another_attempt_makes_no_difference_to_a_replay_but_to_a_purge)
{
	uint64_t seq = fx_append(1, 1), number = fx_job_start((enum rp_job_verb)_i, &seq, 1);
	struct rp_claim c = fx_claim();

	fx_settle(&c, RP_SETTLE_RETRY);
	fx_job_step(number, 100);
	ck_assert_uint_eq(fx_job(number).done, _i == RP_JOB_REPLAY);
	ck_assert_uint_eq(fx_job(number).skipped.changed, _i == RP_JOB_PURGE);
	ck_assert_int_eq(fx_state(seq), RP_STATE_WAITING);
}
END_TEST

START_TEST(a_purge_is_carried_by_whoever_names_it_alone)
{
	uint64_t seqs[3], number;

	fx_fill(seqs, 1, 2, RP_STATE_DEAD);
	seqs[2] = fx_entry_in(1, RP_STATE_IN_FLIGHT);
	number = fx_job_start(RP_JOB_PURGE, seqs, 3);
	ck_assert_uint_eq(fx_job_step(0, 100), 0);
	ck_assert_int_eq(fx_job_next_at_ms, RP_NEVER);
	ck_assert_uint_eq(fx_job_step(number, 100), 3);
	ck_assert_uint_eq(fx_job(number).done, 3);
	ck_assert_uint_eq(fx_job(number).done_in_flight, 1);
	ck_assert_uint_eq(fx_ledger().purged, 3);
}
END_TEST

/* --- beside live traffic ----------------------------------------------------------------- */

static void plan_many(uint64_t *seqs, unsigned k, size_t n)
{
	fx_fill(seqs, k, n, RP_STATE_DEAD);
}

START_TEST(no_more_than_a_few_hundred_of_an_endpoint_are_put_in_its_queue)
{
	static uint64_t seqs[RP_JOB_DUE_MAX + 100];
	uint64_t number, live;
	size_t worked = 0, n, i;

	plan_many(seqs, 1, RP_JOB_DUE_MAX + 100);
	number = fx_job_start(RP_JOB_REPLAY, seqs, RP_JOB_DUE_MAX + 100);
	while ((n = fx_job_step(0, 200)) > 0)
		worked += n;
	ck_assert_uint_eq(worked, RP_JOB_DUE_MAX);
	ck_assert_int_gt(fx_job_next_at_ms, fx.now_ms); /* nothing to do for a while, */
	ck_assert_int_ne(fx_job_next_at_ms, RP_NEVER);  /* but it is not over */
	fx.now_ms++;
	live = fx_append(1, 1);
	fx.limit = 2000;
	fx_exchange(100, NULL, 0);
	ck_assert_uint_eq(fx.n_claims, 100);
	fx.now_ms++;
	ck_assert_uint_eq(fx_job_step(0, 200), 99); /* the live one is due as well */
	/* The live one goes before those that came after it. */
	fx_exchange(RP_JOB_DUE_MAX - 99, NULL, 0);
	for (i = 0; i < fx.n_claims && fx.claims[i].seq != live; i++)
		;
	ck_assert_uint_lt(i, fx.n_claims);
	fx_job_step(0, 200);
	ck_assert_int_eq(fx_job(number).phase, RP_JOB_DONE);
	ck_assert_uint_eq(fx_job(number).done, RP_JOB_DUE_MAX + 100);
}
END_TEST

START_TEST(an_endpoint_that_takes_no_more_does_not_hold_up_another)
{
	static uint64_t seqs[RP_JOB_DUE_MAX + 110];
	uint64_t number;

	plan_many(seqs, 1, RP_JOB_DUE_MAX + 100);
	plan_many(seqs + RP_JOB_DUE_MAX + 100, 2, 10);
	fx_pause(1, true);
	number = fx_job_start(RP_JOB_REPLAY, seqs, RP_JOB_DUE_MAX + 110);
	while (fx_job_step(0, 200) > 0)
		;
	ck_assert_uint_eq(fx_job(number).done, RP_JOB_DUE_MAX + 10);
	ck_assert_uint_eq(fx_delivery(seqs[RP_JOB_DUE_MAX + 109]).replays, 1);
}
END_TEST

START_TEST(more_endpoints_than_one_step_looks_at_have_their_turns)
{
	static uint64_t seqs[RP_JOB_DUE_MAX + 200];
	uint64_t number;
	int i;

	for (i = 0; i < RP_JOB_DUE_MAX + 200; i++)
		seqs[i] = fx_entry_in(1 + (unsigned)i % 150, RP_STATE_DEAD);
	number = fx_job_start(RP_JOB_REPLAY, seqs, RP_JOB_DUE_MAX + 200);
	for (i = 0; i < 100 && fx_job(number).phase == RP_JOB_RUNNING; i++)
		fx_job_step(0, 50);
	ck_assert_int_eq(fx_job(number).phase, RP_JOB_DONE);
	ck_assert_uint_eq(fx_job(number).done, RP_JOB_DUE_MAX + 200);
}
END_TEST

START_TEST(a_rate_is_kept_whoever_carries_it)
{
	struct rp_job_order o = {.kind = RP_ORDER_START, .rate = {50, 1000}};
	uint64_t seqs[40], number;
	int i;

	fx_fill(seqs, 1, 40, RP_STATE_DEAD);
	number = fx_plan(RP_JOB_REPLAY, seqs, 40);
	fx_must_be(rp_outbox_job_order(fx.ob, fx.now_ms, number, &o, &fx.err), RP_OK);
	for (i = 0; i < 5; i++) {
		fx_job_step(0, 200);
		ck_assert_int_gt(fx_job_next_at_ms, fx.now_ms);
		fx.now_ms += 100;
	}
	ck_assert_uint_ge(fx_job(number).done, 25);
	ck_assert_uint_le(fx_job(number).done, 35);
}
END_TEST

/* --- orders ------------------------------------------------------------------------------ */

static const struct {
	enum rp_order_kind kind[3];
	enum rp_err last;
	enum rp_job_phase phase;
} orders[] = {
    {{RP_ORDER_PAUSE}, RP_ERR_STALE, RP_JOB_PLANNED},
    {{RP_ORDER_RESUME}, RP_ERR_STALE, RP_JOB_PLANNED},
    {{RP_ORDER_START}, RP_OK, RP_JOB_RUNNING},
    {{RP_ORDER_CANCEL}, RP_OK, RP_JOB_CANCELLED},
    {{RP_ORDER_START, RP_ORDER_START}, RP_ERR_STALE, RP_JOB_RUNNING},
    {{RP_ORDER_START, RP_ORDER_PAUSE}, RP_OK, RP_JOB_PAUSED},
    {{RP_ORDER_START, RP_ORDER_RESUME}, RP_ERR_STALE, RP_JOB_RUNNING},
    {{RP_ORDER_START, RP_ORDER_PAUSE, RP_ORDER_RESUME}, RP_OK, RP_JOB_RUNNING},
    {{RP_ORDER_START, RP_ORDER_PAUSE, RP_ORDER_CANCEL}, RP_OK, RP_JOB_CANCELLED},
    {{RP_ORDER_CANCEL, RP_ORDER_CANCEL}, RP_ERR_STALE, RP_JOB_CANCELLED},
    {{RP_ORDER_CANCEL, RP_ORDER_START}, RP_ERR_STALE, RP_JOB_CANCELLED},
};

START_TEST(orders_are_taken_where_they_make_sense)
{
	uint64_t seq = fx_entry_in(1, RP_STATE_DEAD), number = fx_plan(RP_JOB_REPLAY, &seq, 1);
	enum rp_err got = RP_OK;
	int i;

	for (i = 0; i < 3 && orders[_i].kind[i] != 0; i++)
		got = fx_job_order(number, orders[_i].kind[i]);
	ck_assert_int_eq(got, orders[_i].last);
	ck_assert_int_eq(fx_job(number).phase, orders[_i].phase);
	fx_must_be(fx_job_order(number + 1, RP_ORDER_CANCEL), RP_ERR_NOTFOUND);
}
END_TEST

START_TEST(a_paused_job_rests_and_a_cancelled_one_leaves_what_is_done)
{
	uint64_t seqs[10], number;

	fx_fill(seqs, 1, 10, RP_STATE_DEAD);
	number = fx_job_start(RP_JOB_REPLAY, seqs, 10);
	fx_job_step(0, 4);
	fx_job_order(number, RP_ORDER_PAUSE);
	ck_assert_uint_eq(fx_job_step(0, 100), 0);
	ck_assert_int_eq(fx_job_next_at_ms, RP_NEVER);
	fx_job_order(number, RP_ORDER_CANCEL);
	ck_assert_uint_eq(fx_job_step(0, 100), 0);
	ck_assert_uint_eq(fx_n_planned(), 0); /* swept */
	ck_assert_uint_eq(fx_ledger().dead, 6);
}
END_TEST

/* --- plans ------------------------------------------------------------------------------- */

START_TEST(a_plan_that_is_not_used_in_time_expires_and_is_cleared_away)
{
	uint64_t seq = fx_entry_in(1, RP_STATE_DEAD), number = fx_plan(RP_JOB_PURGE, &seq, 1);

	fx.now_ms += 1000;
	fx_must_be(fx_job_order(number, RP_ORDER_START), RP_ERR_STALE);
	fx_job_step(0, 100);
	ck_assert_int_eq(fx_job(number).phase, RP_JOB_EXPIRED);
	ck_assert_uint_eq(fx_n_planned(), 0);
	ck_assert_uint_eq(fx_plan_begin(RP_JOB_REPLAY), number + 1);
	fx.now_ms += 3600001; /* whoever was writing it is gone */
	fx_job_step(0, 100);
	ck_assert_int_eq(fx_job(number + 1).phase, RP_JOB_EXPIRED);
}
END_TEST

START_TEST(unused_plans_and_old_jobs_are_few_and_no_number_comes_again)
{
	uint64_t seq = fx_entry_in(1, RP_STATE_DEAD), number = 0;
	int i;

	for (i = 0; i < 200; i++) {
		ck_assert_uint_eq(fx_plan(RP_JOB_PURGE, &seq, 1), number + 1);
		number++;
		fx_job_step(0, 100);
	}
	ck_assert_uint_le(fx_n_jobs(), 64);
	ck_assert_uint_le(fx_n_planned(), 8);
}
END_TEST

/* Its writer was killed, a hundred times. */
START_TEST(plans_that_were_never_completed_do_not_use_the_places_up)
{
	uint64_t seq = fx_entry_in(1, RP_STATE_DEAD), number;
	int i;

	for (i = 0; i < 100; i++) {
		number = fx_plan_begin(RP_JOB_REPLAY);
		fx_plan_add(number, &seq, 1, false);
		fx_job_step(0, 100);
	}
	ck_assert_uint_le(fx_n_planned(), 8);
	ck_assert_int_eq(fx_job(number).phase, RP_JOB_PLANNING);
	ck_assert_int_eq(fx_job(number - 8).phase, RP_JOB_EXPIRED);
}
END_TEST

START_TEST(too_many_unfinished_jobs_are_refused)
{
	uint64_t seq = fx_entry_in(1, RP_STATE_DEAD), number;
	struct rp_job spec = {.verb = RP_JOB_REPLAY};
	int i;

	for (i = 0; i < 64; i++) {
		number = fx_job_start(RP_JOB_REPLAY, &seq, 1);
		fx_job_order(number, RP_ORDER_PAUSE);
	}
	fx_must_be(rp_outbox_plan_begin(fx.ob, fx.now_ms, &spec, &number, &fx.err), RP_ERR_BUSY);
}
END_TEST

START_TEST(the_rest_of_a_set_can_be_read_in_portions)
{
	struct rp_plan_row from = {0}, rows[3];
	uint64_t seqs[7], number;
	size_t n, all = 0, i;

	fx_fill(seqs, 1, 7, RP_STATE_DEAD);
	number = fx_plan(RP_JOB_PURGE, seqs, 7);
	fx_plan_begin(RP_JOB_PURGE);
	do {
		fx_must_be(rp_outbox_plan_rows(fx.ob, number, &from, rows, 3, &n, &fx.err), RP_OK);
		for (i = 0; i < n; i++)
			ck_assert_uint_eq(rows[i].seq, seqs[all + i]);
		all += n;
	} while (n > 0);
	ck_assert_uint_eq(all, 7);
}
END_TEST

/* --- the log of changes ------------------------------------------------------------------ */

struct log {
	uint64_t n, first, last;
	struct rp_audit audit;
	char what[64], user[64];
};

static bool see_audit(void *arg, uint64_t number, const struct rp_audit *a)
{
	struct log *l = arg;

	l->first = l->n == 0 ? number : l->first;
	l->last = number;
	l->n++;
	l->audit = *a;
	snprintf(l->what, sizeof l->what, "%.*s", (int)a->what.len, a->what.ptr);
	snprintf(l->user, sizeof l->user, "%.*s", (int)a->user.len, a->user.ptr);
	return true;
}

static struct log audit(void)
{
	struct log l = {0};

	fx_must_be(rp_outbox_audit(fx.ob, see_audit, &l, &fx.err), RP_OK);
	return l;
}

START_TEST(a_started_job_is_in_the_log_with_what_became_of_it)
{
	uint64_t seqs[3], number;
	struct log l;

	fx_fill(seqs, 1, 3, RP_STATE_DEAD);
	number = fx_job_start(RP_JOB_REPLAY, seqs, 3);
	fx_change(RP_CHANGE_PURGE, seqs[0]);
	fx_job_step(0, 100);
	l = audit();
	ck_assert_uint_eq(l.n, 1);
	ck_assert(l.audit.job == number && l.audit.done == 2 && l.audit.skipped == 1);
	ck_assert_str_eq(l.what, "--state dead");
	ck_assert_str_eq(l.user, "bob");
}
END_TEST

START_TEST(a_noted_change_adds_its_counts_in_the_same_commit)
{
	struct rp_audit a = {.at_ms = fx.now_ms, .verb = rp_span_of("hold")};
	uint64_t seqs[3], number;
	enum rp_changed results[3];
	struct log l;

	fx_fill(seqs, 1, 2, RP_STATE_DEAD);
	seqs[2] = fx_append(1, 1);
	fx_must_be(rp_outbox_audit_add(fx.ob, &a, &number, &fx.err), RP_OK);
	fx_must_be(rp_outbox_change(fx.ob, fx.now_ms, RP_CHANGE_HOLD, 0, seqs, 3, number, results,
				    &fx.err),
		   RP_OK);
	l = audit();
	ck_assert(l.audit.done == 1 && l.audit.skipped == 2);
}
END_TEST

START_TEST(the_log_keeps_so_many_and_no_more)
{
	struct rp_audit a = {.at_ms = fx.now_ms, .verb = rp_span_of("hold")};
	uint64_t number;
	struct log l;
	int i;

	for (i = 0; i < 4200; i++)
		fx_must_be(rp_outbox_audit_add(fx.ob, &a, &number, &fx.err), RP_OK);
	l = audit();
	ck_assert_uint_eq(l.n, 4096);
	ck_assert_uint_eq(l.last, 4200);
	ck_assert_uint_eq(l.first, 105);
}
END_TEST

/* --- damage ------------------------------------------------------------------------------ */

static void set_up(void)
{
	fx_job_next_at_ms = 0;
	fx_setup();
}

static Suite *suite(void)
{
	Suite *s = suite_create("jobs");
	TCase *t = tcase_create("all");

	tcase_add_checked_fixture(t, set_up, fx_teardown);
	tcase_set_timeout(t, 60);
	tcase_add_test(t, a_replay_moves_each_of_its_entries_once);
	tcase_add_test(t, an_entry_named_twice_is_in_the_set_once);
	tcase_add_test(t, a_job_goes_on_where_it_was_when_the_outbox_is_opened_again);
	tcase_add_test(t, what_is_not_as_planned_is_skipped_and_counted);
	tcase_add_test(t, what_somebody_else_replayed_is_left_though_it_is_dead_again);
	tcase_add_loop_test(t, another_attempt_makes_no_difference_to_a_replay_but_to_a_purge,
			    RP_JOB_REPLAY, RP_JOB_PURGE + 1);
	tcase_add_test(t, a_purge_is_carried_by_whoever_names_it_alone);
	tcase_add_test(t, no_more_than_a_few_hundred_of_an_endpoint_are_put_in_its_queue);
	tcase_add_test(t, an_endpoint_that_takes_no_more_does_not_hold_up_another);
	tcase_add_test(t, more_endpoints_than_one_step_looks_at_have_their_turns);
	tcase_add_test(t, a_rate_is_kept_whoever_carries_it);
	tcase_add_loop_test(t, orders_are_taken_where_they_make_sense, 0,
			    (int)(sizeof orders / sizeof orders[0]));
	tcase_add_test(t, a_paused_job_rests_and_a_cancelled_one_leaves_what_is_done);
	tcase_add_test(t, a_plan_that_is_not_used_in_time_expires_and_is_cleared_away);
	tcase_add_test(t, unused_plans_and_old_jobs_are_few_and_no_number_comes_again);
	tcase_add_test(t, plans_that_were_never_completed_do_not_use_the_places_up);
	tcase_add_test(t, too_many_unfinished_jobs_are_refused);
	tcase_add_test(t, the_rest_of_a_set_can_be_read_in_portions);
	tcase_add_test(t, a_started_job_is_in_the_log_with_what_became_of_it);
	tcase_add_test(t, a_noted_change_adds_its_counts_in_the_same_commit);
	tcase_add_test(t, the_log_keeps_so_many_and_no_more);
	suite_add_tcase(s, t);
	return s;
}

int main(void)
{
	return fx_main(suite);
}
