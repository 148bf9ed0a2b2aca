/* The numbers and names of paths, sections and hosts. */
#include "model/level.h"

#include <check.h>
#include <string.h>

#define N(table) ((int)(sizeof(table) / sizeof((table)[0])))
#define HOST_7 (UINT64_C(7) << RP_HOST_SHIFT)
#define MEMBER_MAX (RP_MEMBER_NUMBERS - 1)

static const struct {
	uint64_t id, host, member;
	enum rp_level level;
} numbers[] = {
    {HOST_7, HOST_7, 0, RP_LEVEL_HOST},
    {HOST_7 + 1, HOST_7, 1, RP_LEVEL_SECTION},
    {HOST_7 + 0xffff, HOST_7, 0xffff, RP_LEVEL_SECTION},
    {HOST_7 + 0x10000, HOST_7, 0x10000, RP_LEVEL_PATH},
    {HOST_7 + MEMBER_MAX, HOST_7, MEMBER_MAX, RP_LEVEL_PATH},
    {HOST_7 + RP_MEMBER_NUMBERS, HOST_7 + RP_MEMBER_NUMBERS, 0, RP_LEVEL_HOST},
};

START_TEST(a_number_tells_its_host_and_its_level)
{
	const uint64_t id = numbers[_i].id;

	ck_assert_uint_eq(rp_level_host(id), numbers[_i].host);
	ck_assert_uint_eq(rp_level_member(id), numbers[_i].member);
	ck_assert_int_eq(rp_level_of(id), numbers[_i].level);
	ck_assert_uint_eq(rp_level_id(rp_level_host(id) >> RP_HOST_SHIFT, rp_level_member(id)), id);
}
END_TEST

START_TEST(levels_have_names)
{
	ck_assert_str_eq(rp_level_name(RP_LEVEL_PATH), "path");
	ck_assert_str_eq(rp_level_name(RP_LEVEL_SECTION), "section");
	ck_assert_str_eq(rp_level_name(RP_LEVEL_HOST), "host");
}
END_TEST

static const struct {
	uint64_t n, number;
	bool may_be_taken;
} new_hosts[] = {
    {1, 1, false},
    {2, 2, false},
    {RP_HOST_NUMBERS - 1, RP_HOST_NUMBERS - 1, false},
    {RP_HOST_NUMBERS, 1, true}, /* 0 is none */
    {RP_HOST_NUMBERS + 1, 2, true},
    {2 * (RP_HOST_NUMBERS - 1), RP_HOST_NUMBERS - 1, true},
    {2 * (RP_HOST_NUMBERS - 1) + 1, 1, true},
};

START_TEST(hosts_get_each_number_once_until_all_have_been_used)
{
	bool may_be_taken;
	uint64_t id = rp_level_new_host(new_hosts[_i].n, &may_be_taken);

	ck_assert_uint_eq(id, new_hosts[_i].number << RP_HOST_SHIFT);
	ck_assert(may_be_taken == new_hosts[_i].may_be_taken);
	ck_assert_int_eq(rp_level_of(id), RP_LEVEL_HOST);
	/* it is also the key of a row, and no time is later than the last one of these */
	ck_assert_uint_lt(rp_level_id(id >> RP_HOST_SHIFT, MEMBER_MAX), (uint64_t)INT64_MAX + 1);
}
END_TEST

#define PATHS (RP_MEMBER_NUMBERS - RP_MEMBER_PATHS)

static const struct {
	uint64_t n, member;
	bool may_be_taken;
} new_paths[] = {
    {0, RP_MEMBER_PATHS, false},
    {1, RP_MEMBER_PATHS + 1, false},
    {PATHS - 1, MEMBER_MAX, false},
    {PATHS, RP_MEMBER_PATHS, true},
    {PATHS + 1, RP_MEMBER_PATHS + 1, true},
    {2 * PATHS - 1, MEMBER_MAX, true},
    {2 * PATHS, RP_MEMBER_PATHS, true},
};

START_TEST(paths_get_each_number_of_their_host_once_until_all_have_been_used)
{
	bool may_be_taken;
	uint64_t id = rp_level_new_path(HOST_7, new_paths[_i].n, &may_be_taken);

	ck_assert_uint_eq(rp_level_host(id), HOST_7);
	ck_assert_uint_eq(rp_level_member(id), new_paths[_i].member);
	ck_assert(may_be_taken == new_paths[_i].may_be_taken);
	ck_assert_int_eq(rp_level_of(id), RP_LEVEL_PATH);
}
END_TEST

static const struct {
	const char *endpoint, *host;
} hosts[] = {
    {"https://a.example/in", "https://a.example"},
    {"https://a.example/", "https://a.example"},
    {"https://a.example", "https://a.example"},
    {"http://a.example:8080/in/deeper", "http://a.example:8080"},
    {"https://[2001:db8::1]:8443/in", "https://[2001:db8::1]:8443"},
    {"https://10.0.0.1/https://b.example/in", "https://10.0.0.1"},
    {"https://a.example//in", "https://a.example"},
    /* names that an older runpost or a test stored: something before the path is a host */
    {"a.example/in", "a.example"},
    {"a.example", "a.example"},
    {"https://", "https://"},
    {"https:///in", "https://"},
    {"/in", ""},
    {"", ""},
};

START_TEST(the_host_is_all_that_stands_before_the_path)
{
	struct rp_span host = rp_level_host_name(rp_span_of(hosts[_i].endpoint));

	ck_assert_msg(rp_span_is(host, hosts[_i].host), "%s: %.*s", hosts[_i].endpoint,
		      (int)host.len, host.ptr);
}
END_TEST

START_TEST(a_section_has_a_name_at_each_host)
{
	struct rp_buf name = {.max = 1000};

	ck_assert(
	    rp_level_section_name(rp_span_of("https://a.example"), rp_span_of("tenant b"), &name));
	ck_assert(
	    rp_span_is((struct rp_span){name.data, name.len}, "https://a.example [tenant b]"));
	rp_buf_release(&name);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("level");
	TCase *tc = tcase_create("tables");
	SRunner *sr;
	int failed;

	tcase_add_loop_test(tc, a_number_tells_its_host_and_its_level, 0, N(numbers));
	tcase_add_test(tc, levels_have_names);
	tcase_add_loop_test(tc, hosts_get_each_number_once_until_all_have_been_used, 0,
			    N(new_hosts));
	tcase_add_loop_test(tc, paths_get_each_number_of_their_host_once_until_all_have_been_used,
			    0, N(new_paths));
	tcase_add_loop_test(tc, the_host_is_all_that_stands_before_the_path, 0, N(hosts));
	tcase_add_test(tc, a_section_has_a_name_at_each_host);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed != 0;
}
