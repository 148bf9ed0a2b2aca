/* Whose turn it is, and for how long. */
#include "model/turns.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

/* What each endpoint has, and in which order it is taken, at most `want`. */
static const struct {
	const char *what;
	size_t n, has[4], want;
	const char *taken;
} walks[] = {
    {"nobody", 0, {0}, 9, ""},
    {"one", 1, {2}, 9, "aa"},
    {"one with a long queue", 1, {9}, 99, "aaaaaaaaa"},
    {"a few of each in turn", 2, {6, 5}, 99, "aaaabbbbaab"},
    {"no more than is wanted", 2, {6, 5}, 5, "aaaab"},
    {"who has nothing is passed over", 3, {0, 2, 5}, 99, "bbccccc"},
    {"who is done is not asked again", 3, {1, 9, 4}, 99, "abbbbccccbbbbb"},
    {"a go that ends exactly", 2, {4, 4}, 99, "aaaabbbb"},
};

START_TEST(endpoints_have_short_goes_in_turn)
{
	struct rp_turns t = {.n = walks[_i].n};
	size_t has[4], endpoint, n = 0;
	char taken[64] = "";

	memcpy(has, walks[_i].has, sizeof has);
	while (n < walks[_i].want && rp_turns_next(&t, &endpoint)) {
		ck_assert_uint_lt(endpoint, walks[_i].n);
		if (has[endpoint] == 0) {
			rp_turns_end_go(&t);
			continue;
		}
		has[endpoint]--;
		taken[n++] = (char)('a' + endpoint);
	}
	ck_assert_msg(strcmp(taken, walks[_i].taken) == 0, "%s: %s", walks[_i].what, taken);
}
END_TEST

START_TEST(none_is_forgotten_among_as_many_as_there_may_be)
{
	struct rp_turns t = {.n = RP_TURNS_ENDPOINTS_MAX};
	bool seen[RP_TURNS_ENDPOINTS_MAX] = {false};
	size_t endpoint, n = 0;

	while (rp_turns_next(&t, &endpoint)) {
		ck_assert(!seen[endpoint]);
		seen[endpoint] = true;
		rp_turns_end_go(&t);
		n++;
	}
	ck_assert_uint_eq(n, RP_TURNS_ENDPOINTS_MAX);
	ck_assert(!rp_turns_next(&t, &endpoint));
}
END_TEST

int main(void)
{
	Suite *s = suite_create("turns");
	TCase *tc = tcase_create("all");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_loop_test(tc, endpoints_have_short_goes_in_turn, 0,
			    sizeof walks / sizeof walks[0]);
	tcase_add_test(tc, none_is_forgotten_among_as_many_as_there_may_be);
	suite_add_tcase(s, tc);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
