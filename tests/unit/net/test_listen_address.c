#include "net/listen_address.h"

#include <check.h>
#include <stdlib.h>

#define N(rows) (int)(sizeof(rows) / sizeof((rows)[0]))

static const struct {
	const char *text, *shown; /* NULL: the same */
	bool loopback, wildcard, local;
} good[] = {
    {"127.0.0.1:8484", NULL, true, false, true},
    {"127.255.0.9:1", NULL, true, false, true},
    {"128.0.0.1:65535", NULL, false, false, false},
    {"10.0.0.1:8484", NULL, false, false, false},
    {"0.0.0.0:8484", NULL, false, true, false},
    {"127.0.0.1:0", NULL, true, false, true},
    {"[::1]:8484", NULL, true, false, true},
    {"[0:0:0:0:0:0:0:1]:8484", "[::1]:8484", true, false, true},
    {"[::]:8484", NULL, false, true, false},
    {"[FD00::A]:8484", "[fd00::a]:8484", false, false, false},
    {"unix:/run/runpost/door.sock", NULL, false, false, true},
    {"unix:/a", NULL, false, false, true},
    {"unix:/a:8484", NULL, false, false, true},
};

START_TEST(addresses_are_read_and_written_in_one_spelling)
{
	char text[RP_LISTEN_TEXT_MAX];
	struct rp_listen_address a;

	ck_assert_ptr_null(rp_listen_address_parse(rp_span_of(good[_i].text), &a));
	ck_assert_str_eq(rp_listen_address_format(&a, text),
			 good[_i].shown != NULL ? good[_i].shown : good[_i].text);
	ck_assert_int_eq(a.loopback, good[_i].loopback);
	ck_assert_int_eq(a.wildcard, good[_i].wildcard);
	ck_assert_int_eq(rp_listen_address_is_local(&a), good[_i].local);
	ck_assert((a.ip[0] == '\0') != (a.unix_path[0] == '\0'));
}
END_TEST

#define P104                                                                                       \
	"/23456789a123456789b123456789c123456789d123456789e123456789f123456789g123456789"          \
	"h123456789i123456789j1234"

static const struct {
	const char *text, *problem;
} bad[] = {
    {"", "empty"},
    {"8484", "the port is missing: write ADDRESS:PORT"},
    {"127.0.0.1", "the port is missing: write ADDRESS:PORT"},
    {"[::1]", "the port is missing: write ADDRESS:PORT"},
    {":8484", "the address is missing: write 127.0.0.1, or 0.0.0.0 for all of IPv4"},
    {"*:8484", "the address is missing: write 127.0.0.1, or 0.0.0.0 for all of IPv4"},
    {"localhost:8484", "a name may mean several addresses: write 127.0.0.1 or [::1]"},
    {"door.internal:8484", "not an address: names are not looked up"},
    {"http://127.0.0.1:8484", "an IPv6 address stands in brackets: [::1]:8484"},
    {"127.1:8484", "not an address: names are not looked up"},
    {"127.0.0.01:8484", "not an address: names are not looked up"},
    {"0x7f000001:8484", "not an address: names are not looked up"},
    {"::1:8484", "an IPv6 address stands in brackets: [::1]:8484"},
    {"[::ffff:127.0.0.1]:8484",
     "this is an IPv4 address inside an IPv6 one: write the IPv4 address"},
    {"[fe80::1%eth0]:8484", "there is no IPv6 address between '[' and ']'"},
    {"[]:8484", "there is no IPv6 address between '[' and ']'"},
    {"[127.0.0.1]:8484", "there is no IPv6 address between '[' and ']'"},
    {"127.0.0.1:", "the port is not a number from 0 to 65535 without leading zeros"},
    {"127.0.0.1:65536", "the port is not a number from 0 to 65535 without leading zeros"},
    {"127.0.0.1:100000", "the port is not a number from 0 to 65535 without leading zeros"},
    {"127.0.0.1:08", "the port is not a number from 0 to 65535 without leading zeros"},
    {"127.0.0.1:+1", "the port is not a number from 0 to 65535 without leading zeros"},
    {"127.0.0.1:80/", "the port is not a number from 0 to 65535 without leading zeros"},
    {"/run/door.sock", "the path of a socket stands behind unix:"},
    {"unix:", "the path of the socket does not begin with '/'"},
    {"unix:door.sock", "the path of the socket does not begin with '/'"},
    {"unix:@door", "the path of the socket does not begin with '/'"},
    {"unix:/run/", "the path of the socket is that of a directory"},
    {"unix:/run\n/x", "the path of the socket contains a control byte"},
    {"unix:" P104 "5678",
     "the path of the socket is longer than the 107 bytes that the system takes"},
};

START_TEST(what_is_no_address_is_refused_with_what_to_write)
{
	struct rp_listen_address a;
	const char *problem = rp_listen_address_parse(rp_span_of(bad[_i].text), &a);

	ck_assert_msg(problem != NULL, "%s is taken", bad[_i].text);
	ck_assert_str_eq(problem, bad[_i].problem);
}
END_TEST

START_TEST(the_longest_path_is_taken)
{
	struct rp_listen_address a;
	char text[RP_LISTEN_TEXT_MAX];

	ck_assert_uint_eq(strlen(P104), 104);
	ck_assert_ptr_null(rp_listen_address_parse(rp_span_of("unix:" P104 "567"), &a));
	ck_assert_str_eq(rp_listen_address_format(&a, text), "unix:" P104 "567");
}
END_TEST

START_TEST(a_nul_byte_is_part_of_no_address)
{
	static const struct rp_span texts[] = {{"127.0.0.1\0:8484", 15},
					       {"127.0.0.1:84\0004", 14},
					       {"[::1\0]:8484", 11},
					       {"unix:/a\0b", 9}};
	struct rp_listen_address a;
	size_t i;

	for (i = 0; i < sizeof texts / sizeof texts[0]; i++)
		ck_assert_ptr_nonnull(rp_listen_address_parse(texts[i], &a));
}
END_TEST

static const struct {
	const char *a, *b;
	bool same;
} pairs[] = {
    {"127.0.0.1:1", "127.0.0.1:1", true},  {"127.0.0.1:1", "127.0.0.1:2", false},
    {"127.0.0.1:1", "127.0.0.2:1", false}, {"127.0.0.1:0", "127.0.0.1:0", false},
    {"[::1]:1", "[0::1]:1", true},         {"[::1]:1", "127.0.0.1:1", false},
    {"0.0.0.0:1", "127.0.0.1:1", true},    {"10.0.0.1:1", "0.0.0.0:1", true},
    {"[::]:1", "[::1]:1", true},           {"[::]:1", "127.0.0.1:1", false},
    {"0.0.0.0:1", "127.0.0.1:2", false},   {"unix:/a", "unix:/a", true},
    {"unix:/a", "unix:/b", false},         {"unix:/a", "127.0.0.1:1", false},
};

START_TEST(addresses_that_exclude_each_other_are_known)
{
	struct rp_listen_address a, b;

	ck_assert_ptr_null(rp_listen_address_parse(rp_span_of(pairs[_i].a), &a));
	ck_assert_ptr_null(rp_listen_address_parse(rp_span_of(pairs[_i].b), &b));
	ck_assert_int_eq(rp_listen_address_collides(&a, &b), pairs[_i].same);
	ck_assert_int_eq(rp_listen_address_collides(&b, &a), pairs[_i].same);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("listen_address");
	TCase *tc = tcase_create("listen_address");

	tcase_add_loop_test(tc, addresses_are_read_and_written_in_one_spelling, 0, N(good));
	tcase_add_loop_test(tc, what_is_no_address_is_refused_with_what_to_write, 0, N(bad));
	tcase_add_test(tc, the_longest_path_is_taken);
	tcase_add_test(tc, a_nul_byte_is_part_of_no_address);
	tcase_add_loop_test(tc, addresses_that_exclude_each_other_are_known, 0, N(pairs));
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
