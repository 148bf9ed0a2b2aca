/* How a job goes on: its phases, and what it does with each entry of its set. */
#include "model/job_step.h"

#include <check.h>
#include <string.h>

#define NOW INT64_C(1700000000000)

/* --- phases ---------------------------------------------------------------------------------- */

static const struct {
	enum rp_job_phase phase;
	/* by START, PAUSE, RESUME, CANCEL; 0: refused */
	enum rp_job_phase then[4];
} phases[] = {
    {RP_JOB_PLANNING, {0, 0, 0, RP_JOB_CANCELLED}},
    {RP_JOB_PLANNED, {RP_JOB_RUNNING, 0, 0, RP_JOB_CANCELLED}},
    {RP_JOB_RUNNING, {0, RP_JOB_PAUSED, 0, RP_JOB_CANCELLED}},
    {RP_JOB_PAUSED, {0, 0, RP_JOB_RUNNING, RP_JOB_CANCELLED}},
    {RP_JOB_DONE, {0, 0, 0, 0}},
    {RP_JOB_CANCELLED, {0, 0, 0, 0}},
    {RP_JOB_EXPIRED, {0, 0, 0, 0}},
};

START_TEST(an_order_is_obeyed_where_the_phase_allows_it)
{
	int kind;

	for (kind = RP_ORDER_START; kind <= RP_ORDER_CANCEL; kind++) {
		const struct rp_job_order o = {.kind = (enum rp_order_kind)kind,
					       .uid = 7,
					       .user = rp_span_of("ann"),
					       .reason = rp_span_of("why"),
					       .rate = {5, 1000}};
		enum rp_job_phase then = phases[_i].then[kind - RP_ORDER_START];
		struct rp_job j = {.phase = phases[_i].phase, .expires_at_ms = NOW + 1}, was = j;

		j.created_at_ms = was.created_at_ms = NOW - 1;
		ck_assert(rp_job_obey(&j, &o, NOW) == (then != 0));
		if (then == 0) {
			ck_assert_mem_eq(&j, &was, sizeof j);
			continue;
		}
		ck_assert_int_eq(j.phase, then);
		ck_assert_int_eq(j.ended_at_ms, then == RP_JOB_CANCELLED ? NOW : 0);
		ck_assert_int_eq(j.moved_at_ms, then == RP_JOB_RUNNING ? NOW : 0);
		ck_assert_int_eq(j.started_at_ms, kind == RP_ORDER_START ? NOW : 0);
		ck_assert_uint_eq(j.uid, kind == RP_ORDER_START ? 7 : 0);
		ck_assert_uint_eq(j.rate.count, kind == RP_ORDER_START ? 5 : 0);
		ck_assert(kind != RP_ORDER_START || (j.user.len == 3 && j.reason.len == 3));
	}
}
END_TEST

START_TEST(a_plan_has_its_time)
{
	const struct rp_job_order start = {.kind = RP_ORDER_START};
	struct rp_job j = {.phase = RP_JOB_PLANNED, .expires_at_ms = NOW};

	ck_assert(rp_job_is_stale_plan(&j, NOW) && !rp_job_is_stale_plan(&j, NOW - 1));
	ck_assert(!rp_job_obey(&j, &start, NOW)); /* too late */
	rp_job_begin_plan(&j, NOW);
	ck_assert(j.phase == RP_JOB_PLANNING && j.created_at_ms == NOW);
	ck_assert(!rp_job_is_stale_plan(&j, NOW + RP_JOB_PLANNING_MS - 1));
	ck_assert(rp_job_is_stale_plan(&j, NOW + RP_JOB_PLANNING_MS));
	rp_job_expire_plan(&j, NOW + 5);
	ck_assert(j.phase == RP_JOB_EXPIRED && j.ended_at_ms == NOW + 5);
	ck_assert(!rp_job_is_stale_plan(&j, NOW + RP_JOB_PLANNING_MS));
	rp_job_end(&j, NOW + 6);
	ck_assert(j.phase == RP_JOB_DONE && j.ended_at_ms == NOW + 6);
}
END_TEST

START_TEST(a_replay_is_carried_by_whoever_is_there_and_a_purge_by_who_wants_it)
{
	struct rp_job replay = {.verb = RP_JOB_REPLAY, .phase = RP_JOB_RUNNING};
	struct rp_job purge = {.verb = RP_JOB_PURGE, .phase = RP_JOB_RUNNING};

	ck_assert(rp_job_is_carried(&replay, 4, 0) && rp_job_is_carried(&replay, 4, 4));
	ck_assert(!rp_job_is_carried(&replay, 4, 5));
	ck_assert(!rp_job_is_carried(&purge, 4, 0) && rp_job_is_carried(&purge, 4, 4));
	replay.phase = RP_JOB_PAUSED;
	ck_assert(!rp_job_is_carried(&replay, 4, 0) && !rp_job_is_carried(&replay, 4, 4));
}
END_TEST

START_TEST(a_job_is_looked_at_again_by_its_rate_or_soon)
{
	struct rp_job j = {.verb = RP_JOB_REPLAY};

	ck_assert_int_eq(rp_job_again_at_ms(&j, 1, NOW), NOW + RP_JOB_AGAIN_MS);
	ck_assert_int_eq(rp_job_again_at_ms(&j, 0, NOW), NOW + RP_JOB_BLOCKED_MS);
	j.rate = (struct rp_rate){1, 1000};
	j.next_at_us = (NOW + 700) * 1000;
	ck_assert_int_eq(rp_job_again_at_ms(&j, 1, NOW), NOW + 700);
}
END_TEST

/* --- entries --------------------------------------------------------------------------------- */

enum fate { ADMITTED, GONE, IN_FLIGHT, CHANGED };

/* Of an entry that was dead, replayed twice and claimed three times when it was planned. */
static const struct {
	const char *what;
	enum rp_state planned; /* 0: dead */
	bool is_there, damaged;
	enum rp_state state;
	uint32_t replays, claim_no;
	enum fate replay, purge;
} entries[] = {
    {"as it was", 0, true, false, RP_STATE_DEAD, 2, 3, ADMITTED, ADMITTED},
    {"removed", 0, false, false, 0, 0, 0, GONE, GONE},
    {"damaged", 0, true, true, 0, 0, 0, ADMITTED, ADMITTED},
    {"somebody has it", 0, true, false, RP_STATE_IN_FLIGHT, 3, 4, IN_FLIGHT, IN_FLIGHT},
    {"it waits", 0, true, false, RP_STATE_WAITING, 3, 3, CHANGED, CHANGED},
    {"replayed, and dead again", 0, true, false, RP_STATE_DEAD, 3, 9, CHANGED, CHANGED},
    {"tried once more", 0, true, false, RP_STATE_DEAD, 2, 4, ADMITTED, CHANGED},
    {"in flight, as it was", RP_STATE_IN_FLIGHT, true, false, RP_STATE_IN_FLIGHT, 2, 3, ADMITTED,
     ADMITTED},
    {"in flight no more", RP_STATE_IN_FLIGHT, true, false, RP_STATE_WAITING, 2, 3, CHANGED,
     CHANGED},
};

static void check_fate(enum rp_job_verb verb, enum fate fate, int i)
{
	struct rp_job j = {.verb = verb};
	struct rp_plan_row row = {.state = RP_STATE_DEAD, .replays = 2, .claim_no = 3};
	struct rp_delivery d = {.state = entries[i].state,
				.replays = entries[i].replays,
				.claim_no = entries[i].claim_no};

	if (entries[i].planned != 0)
		row.state = entries[i].planned;
	ck_assert_msg(rp_job_admits(&j, &row, entries[i].is_there ? &d : NULL,
				    entries[i].damaged) == (fate == ADMITTED),
		      "%s", entries[i].what);
	ck_assert_msg(j.skipped.gone == (fate == GONE), "%s", entries[i].what);
	ck_assert_msg(j.skipped.in_flight == (fate == IN_FLIGHT), "%s", entries[i].what);
	ck_assert_msg(j.skipped.changed == (fate == CHANGED), "%s", entries[i].what);
	ck_assert_uint_eq(j.skipped.state + j.done, 0);
}

START_TEST(a_job_works_on_what_is_as_it_was_planned)
{
	check_fate(RP_JOB_REPLAY, entries[_i].replay, _i);
	check_fate(RP_JOB_PURGE, entries[_i].purge, _i);
}
END_TEST

START_TEST(what_became_of_an_entry_is_counted_once)
{
	struct rp_job j = {.planned = 5};

	rp_job_count(&j, RP_CHANGED_DONE);
	rp_job_count(&j, RP_CHANGED_DONE_IN_FLIGHT);
	ck_assert(j.done == 2 && j.done_in_flight == 1 && rp_job_n_skipped(&j) == 0);
	rp_job_count(&j, RP_CHANGED_SKIPPED_IN_FLIGHT);
	rp_job_count(&j, RP_CHANGED_SKIPPED_STATE);
	rp_job_count(&j, RP_CHANGED_NOT_FOUND);
	ck_assert(j.skipped.in_flight == 1 && j.skipped.state == 1 && j.skipped.gone == 1);
	ck_assert(j.done == 2 && rp_job_left(&j) == 0);
}
END_TEST

START_TEST(a_large_replay_minds_the_queues)
{
	struct rp_job j = {.verb = RP_JOB_REPLAY, .planned = 200};

	ck_assert_int_eq(rp_job_change(&j), RP_CHANGE_REPLAY);
	ck_assert(!rp_job_minds_queue(&j, 200) && rp_job_minds_queue(&j, 199));
	j.verb = RP_JOB_PURGE;
	ck_assert_int_eq(rp_job_change(&j), RP_CHANGE_PURGE);
	ck_assert(!rp_job_minds_queue(&j, 199));
}
END_TEST

int main(void)
{
	Suite *s = suite_create("job_step");
	TCase *tc = tcase_create("tables");
	SRunner *sr;
	int failed;

	tcase_add_loop_test(tc, an_order_is_obeyed_where_the_phase_allows_it, 0,
			    sizeof phases / sizeof phases[0]);
	tcase_add_test(tc, a_plan_has_its_time);
	tcase_add_test(tc, a_replay_is_carried_by_whoever_is_there_and_a_purge_by_who_wants_it);
	tcase_add_test(tc, a_job_is_looked_at_again_by_its_rate_or_soon);
	tcase_add_loop_test(tc, a_job_works_on_what_is_as_it_was_planned, 0,
			    sizeof entries / sizeof entries[0]);
	tcase_add_test(tc, what_became_of_an_entry_is_counted_once);
	tcase_add_test(tc, a_large_replay_minds_the_queues);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed != 0;
}
