/* For how many requests descriptors are enough. */
#include "deliver/descriptors.h"

#include <check.h>

START_TEST(requests_are_as_many_as_there_are_descriptors_for)
{
	static const struct {
		uint64_t limit, taken;
		unsigned wanted, requests;
	} cases[] = {{1048576, 25, 256, 256}, {4096, 25, 512, 512}, {256, 25, 256, 54},
		     {1113, 25, 256, 256},    {1112, 25, 256, 255}, {30, 25, 256, 1},
		     {29, 25, 256, 0},        {26, 25, 256, 0},     {20, 25, 256, 0},
		     {64, 25, 4, 4}};
	size_t i;

	for (i = 0; i < sizeof cases / sizeof cases[0]; i++)
		ck_assert_msg(
		    rp_descriptors_requests(cases[i].limit, cases[i].taken, cases[i].wanted) ==
			cases[i].requests,
		    "%zu: %u", i,
		    rp_descriptors_requests(cases[i].limit, cases[i].taken, cases[i].wanted));
}
END_TEST

START_TEST(what_is_said_to_be_needed_is_enough_and_one_less_is_not)
{
	unsigned n;

	for (n = 1; n <= 4096; n++) {
		ck_assert_uint_eq(rp_descriptors_requests(rp_descriptors_needed(25, n), 25, n), n);
		ck_assert_uint_eq(rp_descriptors_requests(rp_descriptors_needed(25, n) - 1, 25, n),
				  n - 1);
	}
}
END_TEST

START_TEST(connections_are_what_lookups_leave_and_no_more_than_memory_bears)
{
	static const struct {
		uint64_t limit, taken;
		unsigned requests, connections;
	} cases[] = {{1 << 20, 25, 256, 256 + RP_DESCRIPTORS_KEPT_MAX},
		     {1 << 20, 25, 4096, 4096 + RP_DESCRIPTORS_KEPT_MAX},
		     {1113, 25, 256, 320},
		     {2025, 25, 256, 1232},
		     {30, 25, 1, 2},
		     {20, 25, 0, 0}};
	size_t i;
	unsigned n;

	for (i = 0; i < sizeof cases / sizeof cases[0]; i++)
		ck_assert_uint_eq(
		    rp_descriptors_connections(cases[i].limit, cases[i].taken, cases[i].requests),
		    cases[i].connections);
	for (n = 1; n <= 4096; n++) /* one more than requests: what the engine demands */
		ck_assert_uint_gt(rp_descriptors_connections(rp_descriptors_needed(25, n), 25, n),
				  n);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("descriptors");
	TCase *tc = tcase_create("pure");
	SRunner *sr;
	int failed;

	tcase_add_test(tc, requests_are_as_many_as_there_are_descriptors_for);
	tcase_add_test(tc, connections_are_what_lookups_leave_and_no_more_than_memory_bears);
	tcase_add_test(tc, what_is_said_to_be_needed_is_enough_and_one_less_is_not);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed != 0;
}
