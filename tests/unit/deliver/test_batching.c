/* When an exchange is due, and which requests make it wait. */
#include "deliver/batching.h"
#include "deliver/fresh_requests.h"

#include <check.h>

static const struct {
	const char *what;
	struct rp_batching b;
	int64_t next_ms;
} cases[] = {
    {"nothing to do waits for something to happen", {.room = 10}, -1},
    {"work that is due is claimed at once by an idle sender", {.room = 10, .due = true}, 0},
    {"work that is due waits while there is no room",
     {.running = 10, .due = true, .since_exchange_ms = 50},
     -1},
    {"a busy sender claims at most every millisecond",
     {.running = 10, .room = 5, .due = true, .since_exchange_ms = 0},
     1},
    {"a busy sender claims again after a millisecond",
     {.running = 10, .room = 5, .due = true, .since_exchange_ms = 1},
     0},
    {"enough is claimed ahead already",
     {.running = 10, .ready = 6, .room = 5, .due = true, .since_exchange_ms = 9},
     -1},
    {"the last result is settled at once", {.finished = 1, .hold_ms = 5, .room = 10}, 0},
    {"a result waits for others while requests run",
     {.finished = 1, .hold_ms = 5, .running = 3, .fresh = 3, .room = 10},
     5},
    {"... not for those of requests that hang",
     {.finished = 1, .hold_ms = 5, .running = 3, .room = 10},
     0},
    {"... for those of claims that are about to begin",
     {.finished = 1, .hold_ms = 5, .ready = 1},
     5},
    {"... not long when other entries wait for its endpoint",
     {.finished = 1, .hold_ms = 1, .running = 3, .fresh = 3},
     1},
    {"a result that has waited is settled",
     {.finished = 1, .hold_ms = 5, .running = 3, .fresh = 3, .oldest_finished_ms = 5},
     0},
    {"a clock that jumps does not wait for ever",
     {.finished = 1, .hold_ms = 5, .running = 3, .fresh = 3, .oldest_finished_ms = 5000},
     0},
    {"a full batch is settled at once",
     {.finished = RP_BATCHING_RESULTS, .hold_ms = 5, .running = 3, .fresh = 3},
     0},
    {"claiming comes before the result's time",
     {.finished = 1, .hold_ms = 5, .running = 3, .fresh = 3, .room = 1, .due = true},
     1},
};

START_TEST(an_exchange_comes_when_the_table_says)
{
	ck_assert_msg(rp_batching_next_ms(&cases[_i].b) == cases[_i].next_ms,
		      "%s: %lld instead of %lld", cases[_i].what,
		      (long long)rp_batching_next_ms(&cases[_i].b), (long long)cases[_i].next_ms);
}
END_TEST

START_TEST(a_result_that_others_wait_for_is_held_for_a_quarter_of_its_request)
{
	static const struct {
		bool blocking;
		int64_t request_us, hold_ms;
	} hold[] = {{false, 0, 5},       {false, 300, 5},     {true, 0, 1},     {true, 300, 1},
		    {true, 7999, 1},     {true, 8000, 2},     {true, 19999, 4}, {true, 20000, 5},
		    {true, 30000000, 5}, {true, INT64_MAX, 5}};
	size_t i;

	for (i = 0; i < sizeof hold / sizeof hold[0]; i++)
		ck_assert_int_eq(rp_batching_hold_ms(hold[i].blocking, hold[i].request_us),
				 hold[i].hold_ms);
}
END_TEST

START_TEST(fresh_requests_are_counted_until_they_end_or_grow_old)
{
	struct rp_fresh_requests r = {0};
	int64_t t;
	size_t begun = 0;

	ck_assert_uint_eq(rp_fresh_requests_count(&r, 0), 0);
	rp_fresh_requests_begin(&r, 1000);
	rp_fresh_requests_begin(&r, 1004);
	rp_fresh_requests_begin(&r, 1049);
	ck_assert_uint_eq(rp_fresh_requests_count(&r, 1049), 3);
	rp_fresh_requests_end(&r, 1004);
	ck_assert_uint_eq(rp_fresh_requests_count(&r, 1050), 2);
	/* the one of 1000 is older than 50 ms and a tenth */
	ck_assert_uint_eq(rp_fresh_requests_count(&r, 1060), 1);
	rp_fresh_requests_end(&r, 1049);
	ck_assert_uint_eq(rp_fresh_requests_count(&r, 1060), 0);
	rp_fresh_requests_end(&r, 1000); /* as old as it is, its end changes nothing */
	ck_assert_uint_eq(rp_fresh_requests_count(&r, 1060), 0);
	/* The bucket is used again since: the old request must not be taken from the newer
	 * ones. */
	rp_fresh_requests_begin(&r, 1000 + 5 * RP_FRESH_BUCKETS);
	rp_fresh_requests_end(&r, 1000);
	ck_assert_uint_eq(rp_fresh_requests_count(&r, 1000 + 5 * RP_FRESH_BUCKETS), 1);
	r = (struct rp_fresh_requests){0};
	for (t = 5000; t < 6000; t++) { /* one a millisecond, none ends */
		rp_fresh_requests_begin(&r, t);
		begun = rp_fresh_requests_count(&r, t);
	}
	ck_assert_uint_ge(begun, 50);
	ck_assert_uint_le(begun, 55);
	ck_assert_uint_eq(rp_fresh_requests_count(&r, 6100), 0);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("batching");
	TCase *tc = tcase_create("table");

	tcase_add_loop_test(tc, an_exchange_comes_when_the_table_says, 0,
			    sizeof cases / sizeof cases[0]);
	tcase_add_test(tc, a_result_that_others_wait_for_is_held_for_a_quarter_of_its_request);
	tcase_add_test(tc, fresh_requests_are_counted_until_they_end_or_grow_old);
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
