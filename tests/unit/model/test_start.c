/* What is judged right before a request begins. */
#include "model/start.h"

#include <check.h>

#define NOW INT64_C(1700000000000)

#define WINDOW_OF_5 .control = {.limits = {.in_flight = 10, .start = 5}, .window_permille = 5000}

/* What is in the way may be so on any level. */
static const struct {
	const char *what;
	struct rp_endpoint ep;
	struct how {
		bool probe, metered;
		int64_t age_ms, begin_within_ms;
		unsigned in_flight_max; /* of that level; 0: 10 */
		bool lacks;             /* it has got its place there from another */
	} s;
	enum rp_start_verdict verdict;
} cases[] = {
    {"nothing is in its way", {.count[RP_STATE_IN_FLIGHT] = 1}, {0}, RP_START_GO},
    {"paused since", {.paused = true}, {0}, RP_START_PAUSED},
    {"disabled since", {.disabled = true}, {0}, RP_START_DISABLED},
    {"parked since", {.parked_until_ms = NOW + 1}, {0}, RP_START_PARKED},
    {"no longer parked", {.parked_until_ms = NOW}, {0}, RP_START_GO},
    {"its breaker opened since", {.control.breaker = RP_BREAKER_OPEN}, {0}, RP_START_BREAKER},
    {"... while it was to be a probe",
     {.control.breaker = RP_BREAKER_OPEN},
     {.probe = true},
     RP_START_BREAKER},
    {"it is the probe", {.control.breaker = RP_BREAKER_HALF_OPEN}, {.probe = true}, RP_START_GO},
    {"another is the probe", {.control.breaker = RP_BREAKER_HALF_OPEN}, {0}, RP_START_BREAKER},
    {"as many as may be, itself among them", {.count[RP_STATE_IN_FLIGHT] = 10}, {0}, RP_START_GO},
    {"the limit was lowered",
     {.count[RP_STATE_IN_FLIGHT] = 10},
     {.in_flight_max = 9},
     RP_START_FULL},
    {"those that lack a place take none",
     {.count[RP_STATE_IN_FLIGHT] = 15, .lacking = {5, 5, 5}},
     {0},
     RP_START_GO},
    {"more than may be have a place",
     {.count[RP_STATE_IN_FLIGHT] = 15, .lacking = {4, 4, 4}},
     {0},
     RP_START_FULL},
    {"it was passed a place",
     {.count[RP_STATE_IN_FLIGHT] = 8, .lacking = {3, 3, 3}, WINDOW_OF_5},
     {.lacks = true},
     RP_START_GO},
    {"... and the window has shrunk since",
     {.count[RP_STATE_IN_FLIGHT] = 9, .lacking = {3, 3, 3}, WINDOW_OF_5},
     {.lacks = true},
     RP_START_FULL},
    {"the window has shrunk, and it had a place of its own before",
     {.count[RP_STATE_IN_FLIGHT] = 9, .lacking = {3, 3, 3}, WINDOW_OF_5},
     {0},
     RP_START_GO},
    {"it was passed a place, and the limit was lowered since",
     {.count[RP_STATE_IN_FLIGHT] = 5, WINDOW_OF_5},
     {.lacks = true, .in_flight_max = 4},
     RP_START_FULL},
    {"it was passed a place, and the breaker opened since",
     {.control.breaker = RP_BREAKER_OPEN},
     {.lacks = true},
     RP_START_BREAKER},
    {"its token is good",
     {.paused = false},
     {.metered = true, .age_ms = 20, .begin_within_ms = 20},
     RP_START_GO},
    {"its token is forfeited",
     {.paused = false},
     {.metered = true, .age_ms = 21, .begin_within_ms = 20},
     RP_START_LATE},
    {"without a rate it keeps",
     {.paused = false},
     {.age_ms = 100000, .begin_within_ms = 20},
     RP_START_GO},
};

START_TEST(a_request_begins_when_the_table_says)
{
	const struct how *how = &cases[_i / RP_LEVELS].s;
	struct rp_endpoint free = {.count[RP_STATE_IN_FLIGHT] = 1}, ep = cases[_i / RP_LEVELS].ep;
	struct rp_start s = {.receiver = {{&free, &free, &free}},
			     .in_flight_max = {10, 10, 10},
			     .metered = how->metered,
			     .age_ms = how->age_ms,
			     .begin_within_ms = how->begin_within_ms,
			     .now_at_ms = NOW};
	const int level = _i % RP_LEVELS;

	ep.level = (enum rp_level)level;
	s.receiver.at[level] = &ep;
	s.probes[level] = how->probe;
	s.lacks = how->lacks ? RP_LACKS(level) : 0;
	if (how->in_flight_max != 0)
		s.in_flight_max[level] = how->in_flight_max;
	ck_assert_msg(rp_start_judge(&s) == cases[_i / RP_LEVELS].verdict, "%s, %s: %d",
		      rp_level_name((enum rp_level)level), cases[_i / RP_LEVELS].what,
		      (int)rp_start_judge(&s));
}
END_TEST

/* A path's probe is none of its host: that one has a breaker, and a probe, of its own. */
START_TEST(the_probe_of_one_level_is_none_of_another)
{
	struct rp_endpoint path = {.control.breaker = RP_BREAKER_HALF_OPEN}, host = path;
	struct rp_start s = {.receiver = {{&path, NULL, &host}},
			     .in_flight_max = {10, 0, 10},
			     .probes = {[RP_LEVEL_PATH] = true},
			     .now_at_ms = NOW};

	ck_assert_int_eq(rp_start_judge(&s), RP_START_BREAKER);
	s.probes[RP_LEVEL_HOST] = true;
	ck_assert_int_eq(rp_start_judge(&s), RP_START_GO);
	s.probes[RP_LEVEL_PATH] = false;
	ck_assert_int_eq(rp_start_judge(&s), RP_START_BREAKER);
}
END_TEST

/* Where it has had a place all the time, it may begin while a window shrinks. */
START_TEST(a_place_that_was_passed_on_is_judged_on_its_own_level)
{
	struct rp_endpoint free = {.count[RP_STATE_IN_FLIGHT] = 1};
	struct rp_endpoint shrunk = {.count[RP_STATE_IN_FLIGHT] = 9, WINDOW_OF_5};
	struct rp_start s = {
	    .receiver = {{&free, &free, &free}}, .in_flight_max = {10, 10, 10}, .now_at_ms = NOW};
	int l;

	shrunk.level = (enum rp_level)_i;
	s.receiver.at[_i] = &shrunk;
	for (l = 0; l < RP_LEVELS; l++) {
		s.lacks = RP_LACKS(l);
		ck_assert_int_eq(rp_start_judge(&s), l == _i ? RP_START_FULL : RP_START_GO);
	}
}
END_TEST

START_TEST(what_has_begun_is_stopped_by_what_forbids_it_and_by_no_limit)
{
	struct rp_endpoint free = {.count[RP_STATE_IN_FLIGHT] = 1};
	struct rp_endpoint ep = {.parked_until_ms = NOW + 1, .control.breaker = RP_BREAKER_OPEN};
	struct rp_receiver r = {{&free, _i == RP_LEVEL_SECTION ? &free : NULL, &free}};

	r.at[_i] = &ep;
	ep.count[RP_STATE_IN_FLIGHT] = 1000;
	ck_assert(rp_start_may_go_on(&r));
	ep.paused = true;
	ck_assert(!rp_start_may_go_on(&r));
	ep = (struct rp_endpoint){.disabled = true};
	ck_assert(!rp_start_may_go_on(&r));
}
END_TEST

int main(void)
{
	Suite *s = suite_create("start");
	TCase *tc = tcase_create("table");
	SRunner *sr;
	int failed;

	tcase_add_loop_test(tc, a_request_begins_when_the_table_says, 0,
			    RP_LEVELS * (int)(sizeof cases / sizeof cases[0]));
	tcase_add_test(tc, the_probe_of_one_level_is_none_of_another);
	tcase_add_loop_test(tc, a_place_that_was_passed_on_is_judged_on_its_own_level, 0,
			    RP_LEVELS);
	tcase_add_loop_test(tc, what_has_begun_is_stopped_by_what_forbids_it_and_by_no_limit, 0,
			    RP_LEVELS);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed != 0;
}
