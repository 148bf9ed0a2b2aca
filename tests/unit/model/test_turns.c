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
	struct rp_turns t = {0};
	size_t has[4], at = 0, n = 0;
	char taken[64] = "";

	memcpy(has, walks[_i].has, sizeof has);
	while (n < walks[_i].want) {
		if (at == walks[_i].n) {
			if (!rp_turns_again(&t))
				break;
			at = 0;
		} else if (has[at] == 0) {
			rp_turns_end_go(&t);
			at++;
		} else {
			has[at]--;
			taken[n++] = (char)('a' + at);
			at += rp_turns_gave(&t);
		}
	}
	ck_assert_msg(strcmp(taken, walks[_i].taken) == 0, "%s: %s", walks[_i].what, taken);
}
END_TEST

START_TEST(who_ends_a_go_early_leaves_the_next_one_a_whole_one)
{
	struct rp_turns t = {0};
	int i;

	ck_assert(!rp_turns_gave(&t) && !rp_turns_gave(&t));
	rp_turns_end_go(&t);
	for (i = 1; i < RP_TURNS_GO; i++)
		ck_assert(!rp_turns_gave(&t));
	ck_assert(rp_turns_gave(&t));
}
END_TEST

START_TEST(a_queue_is_gone_through_again_while_it_gives)
{
	struct rp_turns t = {0};

	ck_assert(!rp_turns_again(&t));
	rp_turns_gave(&t);
	rp_turns_end_go(&t);
	ck_assert(rp_turns_again(&t));
	rp_turns_end_go(&t);
	ck_assert(!rp_turns_again(&t));
}
END_TEST

/* A host's paths have their goes within those of the host: a host with many paths has no more than
 * one with one. The next go goes on where the last one ended. */
START_TEST(the_goes_of_paths_are_within_those_of_their_host)
{
	struct rp_turns hosts = {0}, paths = {0};
	size_t path = 0, n = 0;
	char taken[64] = "";
	const size_t n_paths = 6; /* of the first host, two entries each */
	size_t has[6] = {2, 2, 2, 2, 2, 2}, of_second = 4;

	while (n < 16) {
		bool over;

		if (has[path] == 0) {
			rp_turns_end_go(&paths);
			path++;
			if (path == n_paths)
				break;
			continue;
		}
		has[path]--;
		taken[n++] = (char)('a' + path);
		path += rp_turns_gave(&paths);
		over = rp_turns_gave(&hosts);
		while (over && of_second > 0) {
			of_second--;
			taken[n++] = 'z';
			over = !rp_turns_gave(&hosts);
		}
	}
	ck_assert_str_eq(taken, "aabbzzzzccddeeff");
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
	tcase_add_test(tc, who_ends_a_go_early_leaves_the_next_one_a_whole_one);
	tcase_add_test(tc, a_queue_is_gone_through_again_while_it_gives);
	tcase_add_test(tc, the_goes_of_paths_are_within_those_of_their_host);
	suite_add_tcase(s, tc);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
