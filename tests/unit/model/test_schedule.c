/* When a path, a section or a host is looked at, where it stands until then, and what is decided
 * about it. */
#include "model/schedule.h"

#include <check.h>

#define N(table) (sizeof(table) / sizeof(table)[0])
#define NOW INT64_C(1700000000000)
#define NEVER RP_NEVER
#define WAITING count[RP_STATE_WAITING]
#define FLYING count[RP_STATE_IN_FLIGHT]

#define OPEN                                                                                       \
	.control = {.limits = {.in_flight = 10, .start = 5, .breaker = true},                      \
		    .window_permille = 5000,                                                       \
		    .breaker = RP_BREAKER_OPEN,                                                    \
		    .probe_at_ms = NOW + 300}
#define WINDOW_OF_5 .control = {.limits = {.in_flight = 10, .start = 5}, .window_permille = 5000}
#define NEXT_TOKEN_AT(ms)                                                                          \
	.control = {.limits = {.in_flight = 10, .start = 5, .rate = {1, 1000}},                    \
		    .window_permille = 5000,                                                       \
		    .full_at_us = (ms)*1000}

/* --- its place on the ready queue ------------------------------------------------------------- */

static const struct {
	const char *what;
	struct rp_endpoint ep;
	int64_t first_due_at_ms;
	int64_t open_at_ms, ready_at_ms;
	bool asks; /* for the first that is due */
} looks[] = {
    {"something was due", {.WAITING = 1, WINDOW_OF_5}, NOW - 9, 0, NOW - 9, true},
    {"something will be due", {.WAITING = 1, WINDOW_OF_5}, NOW + 9, 0, NOW + 9, true},
    {"all wait behind others", {.WAITING = 1, WINDOW_OF_5}, NEVER, 0, NEVER, true},
    {"nothing waits", {.FLYING = 1, WINDOW_OF_5}, NEVER, 0, NEVER, false},
    {"served a moment ago: it queues up again",
     {.WAITING = 1, .served_at_ms = NOW - 2, WINDOW_OF_5},
     NOW - 9,
     0,
     NOW - 2,
     true},
    {"served in the future: the clock was set back",
     {.WAITING = 1, .served_at_ms = NOW + 2, WINDOW_OF_5},
     NOW - 9,
     0,
     NOW - 9,
     true},
    {"paused", {.WAITING = 1, .paused = true, WINDOW_OF_5}, NOW - 9, NEVER, NEVER, false},
    {"disabled: what waits dies",
     {.WAITING = 1, .disabled = true, WINDOW_OF_5},
     NOW - 9,
     0,
     NOW - 9,
     true},
    {"... even if it is paused, parked and full",
     {.WAITING = 1,
      .disabled = true,
      .paused = true,
      .parked_until_ms = NOW + 50,
      .FLYING = 5,
      WINDOW_OF_5},
     NOW - 9,
     0,
     NOW - 9,
     true},
    {"parked",
     {.WAITING = 1, .parked_until_ms = NOW + 50, WINDOW_OF_5},
     NOW - 9,
     NOW + 50,
     NOW + 50,
     true},
    {"parked, and due later",
     {.WAITING = 1, .parked_until_ms = NOW + 50, WINDOW_OF_5},
     NOW + 60,
     NOW + 50,
     NOW + 60,
     true},
    {"its window has room", {.WAITING = 1, .FLYING = 4, WINDOW_OF_5}, NOW - 9, 0, NOW - 9, true},
    {"its window is full", {.WAITING = 1, .FLYING = 5, WINDOW_OF_5}, NOW - 9, NEVER, NEVER, false},
    {"its window is full of claims, and one of them has no place",
     {.WAITING = 1, .FLYING = 5, .lacking = {1, 0, 0}, WINDOW_OF_5},
     NOW - 9,
     0,
     NOW - 9,
     true},
    {"its window is full, and others have no place on other levels",
     {.WAITING = 1, .FLYING = 5, .lacking = {0, 2, 2}, WINDOW_OF_5},
     NOW - 9,
     NEVER,
     NEVER,
     false},
    {"its places are taken, and more have none",
     {.WAITING = 1, .FLYING = 8, .lacking = {3, 0, 0}, WINDOW_OF_5},
     NOW - 9,
     NEVER,
     NEVER,
     false},
    {"its breaker is open: at the probe",
     {.WAITING = 1, OPEN},
     NOW - 9,
     NOW + 300,
     NOW + 300,
     true},
    {"its rate: at the next token",
     {.WAITING = 1, NEXT_TOKEN_AT(NOW + 700)},
     NOW - 9,
     NOW + 700,
     NOW + 700,
     true},
    {"unused: nowhere, it goes", {WINDOW_OF_5}, NEVER, 0, NEVER, false},
    {"unused, but its rate remembers: until then",
     {NEXT_TOKEN_AT(NOW + 700)},
     NEVER,
     NOW + 700,
     NOW + 700,
     false},
    {"of a host one of its paths is due",
     {.level = RP_LEVEL_HOST, .members = 2, .WAITING = 1, WINDOW_OF_5},
     NOW - 9,
     0,
     NOW - 9,
     true},
    {"of a section one of its paths is to be removed",
     {.level = RP_LEVEL_SECTION, .members = 1, WINDOW_OF_5},
     NOW + 9,
     0,
     NOW + 9,
     true},
    {"of a host nothing is to be looked at",
     {.level = RP_LEVEL_HOST, .members = 2, .FLYING = 1, WINDOW_OF_5},
     NEVER,
     0,
     NEVER,
     true},
    {"a host whose window is full",
     {.level = RP_LEVEL_HOST, .members = 2, .WAITING = 1, .FLYING = 5, WINDOW_OF_5},
     NOW - 9,
     NEVER,
     NEVER,
     false},
    {"a host with a place, and claims that have none",
     {.level = RP_LEVEL_HOST,
      .members = 2,
      .WAITING = 1,
      .FLYING = 7,
      .lacking = {0, 0, 3},
      WINDOW_OF_5},
     NOW - 9,
     0,
     NOW - 9,
     true},
    {"a host with an open breaker: at the probe",
     {.level = RP_LEVEL_HOST, .members = 2, .WAITING = 1, OPEN},
     NOW - 9,
     NOW + 300,
     NOW + 300,
     true},
    {"a host without members: nowhere, it goes",
     {.level = RP_LEVEL_HOST, WINDOW_OF_5},
     NEVER,
     0,
     NEVER,
     false},
};

START_TEST(an_endpoint_is_looked_at_when_a_claim_could_take_something)
{
	const struct rp_endpoint *ep = &looks[_i].ep;
	int64_t open_at_ms = rp_schedule_open_at_ms(ep), at_ms;

	/* when it is open is exact only in the future */
	ck_assert_msg(looks[_i].open_at_ms > NOW ? open_at_ms == looks[_i].open_at_ms
						 : open_at_ms <= NOW,
		      "%s: open %lld", looks[_i].what, (long long)(open_at_ms - NOW));
	at_ms = rp_schedule_ready_at_ms(ep, looks[_i].first_due_at_ms, NOW);
	ck_assert_msg(at_ms == looks[_i].ready_at_ms, "%s: %lld", looks[_i].what,
		      (long long)(at_ms - NOW));
	ck_assert_msg(rp_schedule_asks_first_due(ep) == looks[_i].asks, "%s", looks[_i].what);
	if (!looks[_i].asks)
		ck_assert_int_eq(rp_schedule_ready_at_ms(ep, NEVER, NOW), at_ms);
}
END_TEST

START_TEST(an_endpoint_goes_when_nothing_needs_it)
{
	static const struct {
		const char *what;
		struct rp_endpoint ep;
		bool over;
	} cases[] = {
	    {"nothing names it", {.streak = 3}, true},
	    {"something waits", {.WAITING = 1}, false},
	    {"something was delivered", {.count[RP_STATE_DELIVERED] = 1}, false},
	    {"something is dead", {.count[RP_STATE_DEAD] = 1}, false},
	    {"something was claimed ahead", {.FLYING = 1, .lacking = {1, 1, 1}}, false},
	    {"something is held", {.count[RP_STATE_HELD] = 1}, false},
	    {"an operator paused it", {.paused = true}, false},
	    {"its receiver disabled it", {.disabled = true}, false},
	    {"its rate remembers a request", {NEXT_TOKEN_AT(NOW + 1)}, false},
	    {"its rate remembers nothing any more", {NEXT_TOKEN_AT(NOW)}, true},
	    {"a host has a path yet", {.level = RP_LEVEL_HOST, .members = 1}, false},
	    {"a section has a path yet", {.level = RP_LEVEL_SECTION, .members = 1}, false},
	    {"a host has none", {.level = RP_LEVEL_HOST, .n_paths = 7}, true},
	    {"a host that is paused has none", {.level = RP_LEVEL_HOST, .paused = true}, false},
	};

	ck_assert_msg(rp_schedule_is_over(&cases[_i].ep, NOW) == cases[_i].over, "%s",
		      cases[_i].what);
}
END_TEST

#define HOST_7 (UINT64_C(7) << RP_HOST_SHIFT)
#define SECTION_7_2 (HOST_7 + 2)
#define PATH_7_9 (HOST_7 + RP_MEMBER_PATHS + 9)

static const struct {
	const char *what;
	struct rp_endpoint ep;
	uint64_t id, queue;
} queues[] = {
    {"a host", {.level = RP_LEVEL_HOST}, HOST_7, RP_QUEUE_UNPROVEN},
    {"a host that delivers", {.level = RP_LEVEL_HOST, .in_proven = true}, HOST_7, RP_QUEUE_PROVEN},
    {"a section", {.level = RP_LEVEL_SECTION}, SECTION_7_2, HOST_7},
    {"a path without a section", {.level = RP_LEVEL_PATH}, PATH_7_9, HOST_7},
    {"a path in a section",
     {.level = RP_LEVEL_PATH, .section = SECTION_7_2},
     PATH_7_9,
     SECTION_7_2},
};

START_TEST(each_stands_in_the_queue_of_what_it_is_in)
{
	ck_assert_msg(rp_schedule_queue(&queues[_i].ep, queues[_i].id) == queues[_i].queue, "%s",
		      queues[_i].what);
	ck_assert(queues[_i].queue != RP_QUEUE_DUE && HOST_7 > RP_QUEUE_DUE);
}
END_TEST

static const struct {
	const char *what;
	struct rp_endpoint host;
	bool proven;
} proofs[] = {
    {"it never delivered", {.WAITING = 1}, false},
    {"it delivered a moment ago", {.last_success_at_ms = NOW}, true},
    {"... and failed since, without a bad word", {.last_success_at_ms = NOW, .streak = 3}, true},
    {"... and something bad came since",
     {.last_success_at_ms = NOW, .control.bad_streak = 1},
     false},
    {"... and its breaker is open",
     {.last_success_at_ms = NOW, .control.breaker = RP_BREAKER_OPEN},
     false},
    {"... and its breaker is being probed",
     {.last_success_at_ms = NOW, .control.breaker = RP_BREAKER_HALF_OPEN},
     false},
    {"it delivered lately", {.last_success_at_ms = NOW - RP_PROVEN_MS + 1}, true},
    {"it delivered long ago", {.last_success_at_ms = NOW - RP_PROVEN_MS}, false},
};

START_TEST(a_host_has_proven_itself_when_the_table_says)
{
	ck_assert_msg(rp_schedule_is_proven(&proofs[_i].host, NOW) == proofs[_i].proven, "%s",
		      proofs[_i].what);
}
END_TEST

START_TEST(a_clock_that_was_set_back_parks_nobody)
{
	struct rp_endpoint ep = {.parked_until_ms = NOW + 2 * RP_PARK_MAX_MS};

	rp_schedule_fix_clock(&ep, NOW);
	ck_assert_int_eq(ep.parked_until_ms, NOW + 2 * RP_PARK_MAX_MS);
	rp_schedule_fix_clock(&ep, NOW - 1);
	ck_assert_int_eq(ep.parked_until_ms, 0);
}
END_TEST

/* --- what is decided about it ---------------------------------------------------------------- */

START_TEST(the_first_park_is_told_and_the_last_one_holds)
{
	struct rp_endpoint ep = {.last_cause = RP_CAUSE_HTTP, .last_status = 503};

	ck_assert(rp_schedule_park(&ep, RP_CAUSE_NO_KEY, NOW + 10, NOW));
	ck_assert(!rp_schedule_park(&ep, RP_CAUSE_NO_KEY, NOW + 20, NOW));
	ck_assert_int_eq(ep.parked_until_ms, NOW + 20);
	ck_assert(ep.last_cause == RP_CAUSE_NO_KEY && ep.last_status == 0);
	ck_assert(rp_schedule_park(&ep, RP_CAUSE_NO_KEY, NOW + 30, NOW + 20));
}
END_TEST

START_TEST(a_receiver_disables_it_and_an_operator_resumes_it)
{
	struct rp_endpoint ep = {OPEN};

	rp_schedule_disable(&ep, NOW);
	rp_schedule_disable(&ep, NOW + 1);
	ck_assert(ep.disabled && ep.changed_at_ms == NOW);
	rp_schedule_pause(&ep, true, NOW + 2);
	ck_assert(ep.disabled && ep.paused && ep.changed_at_ms == NOW + 2);
	ck_assert_int_eq(ep.control.probe_at_ms, NOW + 300);
	rp_schedule_pause(&ep, false, NOW + 3);
	ck_assert(!ep.disabled && !ep.paused && ep.changed_at_ms == NOW + 3);
	ck_assert_int_eq(ep.control.probe_at_ms, NOW + 3);
}
END_TEST

START_TEST(another_configuration_is_heard_where_something_is_held_up)
{
	struct rp_endpoint free = {WINDOW_OF_5}, parked = {.parked_until_ms = NOW + 10, OPEN};

	ck_assert(!rp_schedule_renew(&free, NOW));
	ck_assert_uint_eq(free.control.limits.in_flight, 10);
	ck_assert(rp_schedule_renew(&parked, NOW));
	ck_assert_int_eq(parked.parked_until_ms, 0);
	ck_assert_uint_eq(parked.control.limits.in_flight, 0); /* to be asked for */
	ck_assert_int_eq(parked.control.breaker, RP_BREAKER_OPEN);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("schedule");
	TCase *tc = tcase_create("tables");
	SRunner *sr;
	int failed;

	tcase_add_loop_test(tc, an_endpoint_is_looked_at_when_a_claim_could_take_something, 0,
			    N(looks));
	tcase_add_loop_test(tc, an_endpoint_goes_when_nothing_needs_it, 0, 14);
	tcase_add_loop_test(tc, each_stands_in_the_queue_of_what_it_is_in, 0, N(queues));
	tcase_add_loop_test(tc, a_host_has_proven_itself_when_the_table_says, 0, N(proofs));
	tcase_add_test(tc, a_clock_that_was_set_back_parks_nobody);
	tcase_add_test(tc, the_first_park_is_told_and_the_last_one_holds);
	tcase_add_test(tc, a_receiver_disables_it_and_an_operator_resumes_it);
	tcase_add_test(tc, another_configuration_is_heard_where_something_is_held_up);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed != 0;
}
