/* What is judged right before a request begins. */
#include "model/start.h"

#include <check.h>

#define NOW INT64_C(1700000000000)

static const struct {
	const char *what;
	struct rp_endpoint ep;
	struct rp_start s; /* without the endpoint; in_flight_max 0: 10 */
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
	struct rp_start s = cases[_i].s;

	s.endpoint = &cases[_i].ep;
	s.now_at_ms = NOW;
	if (s.in_flight_max == 0)
		s.in_flight_max = 10;
	ck_assert_msg(rp_start_judge(&s) == cases[_i].verdict, "%s: %d", cases[_i].what,
		      (int)rp_start_judge(&s));
}
END_TEST

START_TEST(what_has_begun_is_stopped_by_what_forbids_it_and_by_no_limit)
{
	struct rp_endpoint ep = {.parked_until_ms = NOW + 1, .control.breaker = RP_BREAKER_OPEN};

	ep.count[RP_STATE_IN_FLIGHT] = 1000;
	ck_assert(rp_start_may_go_on(&ep));
	ep.paused = true;
	ck_assert(!rp_start_may_go_on(&ep));
	ep = (struct rp_endpoint){.disabled = true};
	ck_assert(!rp_start_may_go_on(&ep));
}
END_TEST

int main(void)
{
	Suite *s = suite_create("start");
	TCase *tc = tcase_create("table");
	SRunner *sr;
	int failed;

	tcase_add_loop_test(tc, a_request_begins_when_the_table_says, 0,
			    sizeof cases / sizeof cases[0]);
	tcase_add_test(tc, what_has_begun_is_stopped_by_what_forbids_it_and_by_no_limit);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed != 0;
}
