#include "work/pace.h"

#include <check.h>

static const struct {
	const char *what;
	struct rp_pace p;
	int64_t next_ms;
} cases[] = {
    {"nothing to do waits for something to happen", {.room = 10}, -1},
    {"work that is due is claimed at once by an idle sender", {.room = 10, .due = true}, 0},
    {"work that is due waits while there is no room", {.running = 10, .due = true, .since_turn_ms = 50}, -1},
    {"a busy sender claims at most every millisecond", {.running = 10, .room = 5, .due = true, .since_turn_ms = 0}, 1},
    {"a busy sender claims again after a millisecond", {.running = 10, .room = 5, .due = true, .since_turn_ms = 1}, 0},
    {"enough is claimed ahead already", {.running = 10, .ready = 6, .room = 5, .due = true, .since_turn_ms = 9}, -1},
    {"the last result is settled at once", {.finished = 1, .room = 10}, 0},
    {"a result waits for company while requests run", {.finished = 1, .running = 3, .room = 10}, 5},
    {"a result that has waited is settled", {.finished = 1, .running = 3, .oldest_finished_ms = 5}, 0},
    {"a clock that jumps does not wait for ever", {.finished = 1, .running = 3, .oldest_finished_ms = 5000}, 0},
    {"a full batch is settled at once", {.finished = RP_PACE_BATCH, .running = 3}, 0},
    {"claiming comes before the result's time", {.finished = 1, .running = 3, .room = 1, .due = true}, 1},
};

START_TEST(a_turn_comes_when_the_table_says)
{
	ck_assert_msg(rp_pace_next_ms(&cases[_i].p) == cases[_i].next_ms, "%s: %lld instead of %lld", cases[_i].what,
		      (long long)rp_pace_next_ms(&cases[_i].p), (long long)cases[_i].next_ms);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("pace");
	TCase *tc = tcase_create("table");

	tcase_add_loop_test(tc, a_turn_comes_when_the_table_says, 0, sizeof cases / sizeof cases[0]);
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
