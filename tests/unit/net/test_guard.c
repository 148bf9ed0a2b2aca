/* The guard against an oracle of its own: every range a second time, as first and last address,
 * compared bytewise. */
#include "net/guard.h"

#include <arpa/inet.h>
#include <check.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/un.h>

#define N(table) ((int)(sizeof(table) / sizeof((table)[0])))

struct interval {
	const char *first_text, *last_text;
	unsigned char first[16], last[16]; /* filled in before the tests */
};

#define INTERVAL(a, b)                                                                             \
	{                                                                                          \
		.first_text = a, .last_text = b                                                    \
	}

static struct interval denied4[] = {
    INTERVAL("0.0.0.0", "0.255.255.255"),       INTERVAL("10.0.0.0", "10.255.255.255"),
    INTERVAL("100.64.0.0", "100.127.255.255"),  INTERVAL("127.0.0.0", "127.255.255.255"),
    INTERVAL("168.63.129.16", "168.63.129.16"), INTERVAL("169.254.0.0", "169.254.255.255"),
    INTERVAL("172.16.0.0", "172.31.255.255"),   INTERVAL("192.0.0.0", "192.0.0.255"),
    INTERVAL("192.0.2.0", "192.0.2.255"),       INTERVAL("192.88.99.0", "192.88.99.255"),
    INTERVAL("192.168.0.0", "192.168.255.255"), INTERVAL("198.18.0.0", "198.19.255.255"),
    INTERVAL("198.51.100.0", "198.51.100.255"), INTERVAL("203.0.113.0", "203.0.113.255"),
    INTERVAL("224.0.0.0", "239.255.255.255"),   INTERVAL("240.0.0.0", "255.255.255.255"),
};

static struct interval denied6[] = {
    INTERVAL("::", "1fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
    INTERVAL("2001::", "2001:1ff:ffff:ffff:ffff:ffff:ffff:ffff"),
    INTERVAL("2001:db8::", "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff"),
    INTERVAL("2002::", "2002:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
    INTERVAL("3fff::", "3fff:fff:ffff:ffff:ffff:ffff:ffff:ffff"),
    INTERVAL("4000::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
};

/* Inside the first of denied6, but judged by the IPv4 address in the last four bytes. */
static struct interval embedding[] = {
    INTERVAL("::ffff:0:0", "::ffff:ffff:ffff"),
    INTERVAL("64:ff9b::", "64:ff9b::ffff:ffff"),
};

static size_t addr_size(int family)
{
	return family == AF_INET ? 4 : 16;
}

static void addr_parse(int family, const char *text, unsigned char out[16])
{
	if (inet_pton(family, text, out) != 1) {
		fprintf(stderr, "not an address: %s\n", text);
		abort();
	}
}

static const char *addr_text(int family, const unsigned char *addr)
{
	static char text[INET6_ADDRSTRLEN];

	return inet_ntop(family, addr, text, sizeof text);
}

static void intervals_parse(struct interval *v, int n, int family)
{
	int i;

	for (i = 0; i < n; i++) {
		addr_parse(family, v[i].first_text, v[i].first);
		addr_parse(family, v[i].last_text, v[i].last);
	}
}

static bool is_within(const struct interval *v, int n, int family, const unsigned char *addr)
{
	int i;

	for (i = 0; i < n; i++)
		if (memcmp(addr, v[i].first, addr_size(family)) >= 0 &&
		    memcmp(addr, v[i].last, addr_size(family)) <= 0)
			return true;
	return false;
}

static bool oracle_denies(int family, const unsigned char *addr)
{
	if (family == AF_INET)
		return is_within(denied4, N(denied4), AF_INET, addr);
	if (is_within(embedding, N(embedding), AF_INET6, addr))
		return oracle_denies(AF_INET, addr + 12);
	return is_within(denied6, N(denied6), AF_INET6, addr);
}

static enum rp_cause judge(const struct rp_guard_policy *policy, int family,
			   const unsigned char *addr, unsigned port, const char **rule)
{
	struct sockaddr_in in4 = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
	struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port)};
	struct sockaddr_storage ss = {0};

	if (family == AF_INET) {
		memcpy(&in4.sin_addr, addr, 4);
		memcpy(&ss, &in4, sizeof in4);
		return rp_guard_address(policy, (const struct sockaddr *)&ss, sizeof in4, rule);
	}
	memcpy(&in6.sin6_addr, addr, 16);
	memcpy(&ss, &in6, sizeof in6);
	return rp_guard_address(policy, (const struct sockaddr *)&ss, sizeof in6, rule);
}

static enum rp_cause judge_text(const struct rp_guard_policy *policy, const char *text,
				unsigned port, const char **rule)
{
	int family = strchr(text, ':') != NULL ? AF_INET6 : AF_INET;
	unsigned char addr[16];

	addr_parse(family, text, addr);
	return judge(policy, family, addr, port, rule);
}

static void compare_with_oracle(int family, const unsigned char *addr)
{
	const struct rp_guard_policy strict = {0};
	const char *rule = "unset";
	enum rp_cause got = judge(&strict, family, addr, 443, &rule);
	bool denied = oracle_denies(family, addr);

	ck_assert_msg(got == (denied ? RP_CAUSE_BLOCKED_ADDRESS : RP_CAUSE_NONE),
		      "%s: cause %d, denied %d", addr_text(family, addr), (int)got, denied);
	ck_assert_msg((rule != NULL) == denied, "%s: rule %s", addr_text(family, addr),
		      rule != NULL ? rule : "NULL");
}

static void addr_step(unsigned char *addr, size_t size, int by)
{
	while (size-- > 0) {
		addr[size] = (unsigned char)(addr[size] + by);
		if (addr[size] != (by > 0 ? 0x00 : 0xff))
			return;
	}
}

/* first-1, first, last, last+1. Stepping over either end of the space wraps around, which is as
 * good an address. */
static void compare_edges(const struct interval *v, int family)
{
	unsigned char addr[16];

	memcpy(addr, v->first, sizeof addr);
	compare_with_oracle(family, addr);
	addr_step(addr, addr_size(family), -1);
	compare_with_oracle(family, addr);
	memcpy(addr, v->last, sizeof addr);
	compare_with_oracle(family, addr);
	addr_step(addr, addr_size(family), 1);
	compare_with_oracle(family, addr);
}

START_TEST(ipv4_ranges_end_where_they_should)
{
	compare_edges(&denied4[_i], AF_INET);
}
END_TEST

START_TEST(ipv6_ranges_end_where_they_should)
{
	compare_edges(&denied6[_i], AF_INET6);
}
END_TEST

START_TEST(embedding_ranges_end_where_they_should)
{
	compare_edges(&embedding[_i], AF_INET6);
}
END_TEST

static uint64_t random_next(uint64_t *x)
{
	*x ^= *x << 13;
	*x ^= *x >> 7;
	*x ^= *x << 17;
	return *x;
}

START_TEST(random_addresses_are_judged_as_the_oracle_does)
{
	static const unsigned char heads[][6] = {{0x20, 0x01}, {0x20, 0x02},
						 {0x3f, 0xff}, {0x00, 0x64, 0xff, 0x9b, 0, 1},
						 {0x26, 0x00}, {0x20, 0x01, 0, 0x01}};
	uint64_t x = UINT64_C(0x9e3779b97f4a7c15);
	unsigned char addr[16];
	int round, i;

	for (round = 0; round < 20000; round++) {
		for (i = 0; i < 16; i++)
			addr[i] = (unsigned char)random_next(&x);
		compare_with_oracle(AF_INET, addr);
		compare_with_oracle(AF_INET6, addr);
		memcpy(addr, heads[round % N(heads)], (size_t)(2 + round % 5));
		compare_with_oracle(AF_INET6, addr);
		memset(addr, 0, 12);
		compare_with_oracle(AF_INET6, addr);
		addr[10] = addr[11] = 0xff;
		compare_with_oracle(AF_INET6, addr);
		addr[11] = 0xfe;
		compare_with_oracle(AF_INET6, addr);
		memcpy(addr, "\x00\x64\xff\x9b\0\0\0\0\0\0\0\0", 12);
		compare_with_oracle(AF_INET6, addr);
	}
}
END_TEST

static const struct {
	const char *addr, *rule;
} ruled[] = {
    {"127.0.0.1", "loopback 127.0.0.0/8"},
    {"169.254.169.254", "link-local and cloud metadata 169.254.0.0/16"},
    {"168.63.129.16", "cloud host agent 168.63.129.16/32"},
    {"255.255.255.255", "reserved and broadcast 240.0.0.0/4"},
    {"::1", "loopback ::1/128"},
    {"::ffff:10.1.2.3", "private 10.0.0.0/8"},
    {"64:ff9b::127.0.0.1", "loopback 127.0.0.0/8"},
    {"64:ff9b:1::8.8.8.8", "local NAT64 64:ff9b:1::/48"},
    {"::8.8.8.8", "not global unicast ::/3"},
    {"fd00:ec2::254", "unique local fc00::/7"},
    {"fe80::1", "link-local fe80::/10"},
    {"fec0::1", "site-local fec0::/10"},
    {"ff02::1", "multicast ff00::/8"},
    {"2001:db8::1", "documentation 2001:db8::/32"},
    {"2002:7f00:1::", "6to4 2002::/16"},
    {"5f00::1", "segment routing 5f00::/16"},
    {"100::1", "discard-only 100::/64"},
    {"100:0:0:1::1", "not global unicast ::/3"},
    {"8.8.8.8", NULL},
    {"::ffff:8.8.8.8", NULL},
    {"64:ff9b::8.8.8.8", NULL},
    {"2606:4700::1111", NULL},
};

START_TEST(a_refusal_names_the_range)
{
	const struct rp_guard_policy strict = {0};
	const char *rule = "unset";
	enum rp_cause cause = judge_text(&strict, ruled[_i].addr, 443, &rule);

	ck_assert_msg(cause == (ruled[_i].rule != NULL ? RP_CAUSE_BLOCKED_ADDRESS : RP_CAUSE_NONE),
		      "%s", ruled[_i].addr);
	ck_assert_pstr_eq(rule, ruled[_i].rule);
	ck_assert_int_eq(judge_text(&strict, ruled[_i].addr, 443, NULL), cause);
}
END_TEST

START_TEST(what_is_not_an_ip_address_is_blocked)
{
	const struct rp_guard_policy open = {.any_port = true};
	struct sockaddr_in in4 = {
	    .sin_family = AF_INET, .sin_port = htons(443), .sin_addr = {htonl(0x08080808)}};
	struct sockaddr_in6 in6 = {.sin6_family = AF_INET6};
	struct sockaddr_un un = {.sun_family = AF_UNIX};
	struct sockaddr_storage ss = {0};

	memcpy(&ss, &un, sizeof un);
	ck_assert_int_eq(rp_guard_address(&open, (struct sockaddr *)&ss, sizeof un, NULL),
			 RP_CAUSE_BLOCKED_ADDRESS);
	memcpy(&ss, &in4, sizeof in4);
	ck_assert_int_eq(rp_guard_address(&open, (struct sockaddr *)&ss, sizeof in4, NULL),
			 RP_CAUSE_NONE);
	ck_assert_int_eq(rp_guard_address(&open, (struct sockaddr *)&ss, sizeof in4 - 1, NULL),
			 RP_CAUSE_BLOCKED_ADDRESS);
	ck_assert_int_eq(rp_guard_address(&open, (struct sockaddr *)&ss, 1, NULL),
			 RP_CAUSE_BLOCKED_ADDRESS);
	ck_assert_int_eq(rp_guard_address(&open, (struct sockaddr *)&ss, 0, NULL),
			 RP_CAUSE_BLOCKED_ADDRESS);
	inet_pton(AF_INET6, "2606:4700::1111", &in6.sin6_addr);
	memcpy(&ss, &in6, sizeof in6);
	ck_assert_int_eq(rp_guard_address(&open, (struct sockaddr *)&ss, sizeof in6, NULL),
			 RP_CAUSE_NONE);
	ck_assert_int_eq(rp_guard_address(&open, (struct sockaddr *)&ss, sizeof in6 - 1, NULL),
			 RP_CAUSE_BLOCKED_ADDRESS);
}
END_TEST

static const struct {
	const char *allow, *addr;
	enum rp_cause cause;
} exceptions[] = {
    {"10.0.0.0/8", "10.255.255.255", RP_CAUSE_NONE},
    {"10.0.0.0/8", "11.0.0.0", RP_CAUSE_NONE},
    {"10.1.0.0/16", "10.2.0.0", RP_CAUSE_BLOCKED_ADDRESS},
    {"10.0.0.0/8", "::ffff:10.1.2.3", RP_CAUSE_NONE},
    {"10.0.0.0/8", "64:ff9b::10.1.2.3", RP_CAUSE_NONE},
    {"10.0.0.0/8", "64:ff9b:1::10.1.2.3", RP_CAUSE_BLOCKED_ADDRESS},
    {"10.0.0.0/8", "2002:a01:203::", RP_CAUSE_BLOCKED_ADDRESS},
    {"10.0.0.0/8", "::10.1.2.3", RP_CAUSE_BLOCKED_ADDRESS},
    {"10.0.0.0/8", "a00::", RP_CAUSE_BLOCKED_ADDRESS},
    {"127.0.0.1", "127.0.0.1", RP_CAUSE_NONE},
    {"127.0.0.1", "127.0.0.2", RP_CAUSE_BLOCKED_ADDRESS},
    {"127.0.0.1", "::1", RP_CAUSE_BLOCKED_ADDRESS},
    {"::1", "::1", RP_CAUSE_NONE},
    {"::1", "::", RP_CAUSE_BLOCKED_ADDRESS},
    {"fd00::/8", "fd12::1", RP_CAUSE_NONE},
    {"fd00::/8", "fc12::1", RP_CAUSE_BLOCKED_ADDRESS},
    {"::ffff:10.0.0.0/104", "::ffff:10.1.2.3", RP_CAUSE_NONE},
    {"::ffff:10.0.0.0/104", "10.1.2.3", RP_CAUSE_BLOCKED_ADDRESS},
    {"0.0.0.0/0", "127.0.0.1", RP_CAUSE_NONE},
    {"0.0.0.0/0", "fe80::1", RP_CAUSE_BLOCKED_ADDRESS},
    {"::/0", "fe80::1", RP_CAUSE_NONE},
    {"::/0", "127.0.0.1", RP_CAUSE_BLOCKED_ADDRESS},
};

START_TEST(exceptions_open_their_own_range_and_nothing_else)
{
	struct rp_cidr cidr;
	struct rp_guard_policy policy = {.allow = &cidr, .n_allow = 1};
	enum rp_cause got;

	ck_assert(rp_cidr_parse(rp_span_of(exceptions[_i].allow), &cidr));
	got = judge_text(&policy, exceptions[_i].addr, 443, NULL);
	ck_assert_msg(got == exceptions[_i].cause, "%s allowed, %s: cause %d", exceptions[_i].allow,
		      exceptions[_i].addr, (int)got);
}
END_TEST

START_TEST(ports_follow_the_policy)
{
	struct rp_cidr cidr;
	struct rp_guard_policy plain = {0}, any = {.any_port = true},
			       listed = {.ports = {8443, 9000}, .n_ports = 2};
	struct rp_guard_policy local = {.allow = &cidr, .n_allow = 1};
	struct rp_guard_policy local_listed = {
	    .allow = &cidr, .n_allow = 1, .ports = {8443}, .n_ports = 1};
	const char *rule = "unset";

	ck_assert(rp_cidr_parse(rp_span_of("10.0.0.0/8"), &cidr));
	ck_assert_int_eq(judge_text(&plain, "8.8.8.8", 80, NULL), RP_CAUSE_NONE);
	ck_assert_int_eq(judge_text(&plain, "8.8.8.8", 443, NULL), RP_CAUSE_NONE);
	ck_assert_int_eq(judge_text(&plain, "8.8.8.8", 22, &rule), RP_CAUSE_BLOCKED_PORT);
	ck_assert_ptr_null(rule);
	ck_assert_int_eq(judge_text(&plain, "2606:4700::1111", 8443, NULL), RP_CAUSE_BLOCKED_PORT);
	ck_assert_int_eq(judge_text(&plain, "10.0.0.1", 22, NULL), RP_CAUSE_BLOCKED_ADDRESS);
	ck_assert_int_eq(judge_text(&any, "8.8.8.8", 22, NULL), RP_CAUSE_NONE);
	ck_assert_int_eq(judge_text(&any, "10.0.0.1", 22, NULL), RP_CAUSE_BLOCKED_ADDRESS);
	ck_assert_int_eq(judge_text(&listed, "8.8.8.8", 8443, NULL), RP_CAUSE_NONE);
	ck_assert_int_eq(judge_text(&listed, "8.8.8.8", 9000, NULL), RP_CAUSE_NONE);
	ck_assert_int_eq(judge_text(&listed, "8.8.8.8", 443, NULL), RP_CAUSE_BLOCKED_PORT);
	ck_assert_int_eq(judge_text(&local, "10.0.0.1", 9000, NULL), RP_CAUSE_NONE);
	ck_assert_int_eq(judge_text(&local, "::ffff:10.0.0.1", 9000, NULL), RP_CAUSE_NONE);
	ck_assert_int_eq(judge_text(&local, "8.8.8.8", 9000, NULL), RP_CAUSE_BLOCKED_PORT);
	ck_assert_int_eq(judge_text(&local_listed, "10.0.0.1", 8443, NULL), RP_CAUSE_NONE);
	ck_assert_int_eq(judge_text(&local_listed, "10.0.0.1", 9000, NULL), RP_CAUSE_BLOCKED_PORT);
}
END_TEST

START_TEST(plain_http_needs_permission)
{
	const struct rp_guard_policy strict = {0}, lax = {.allow_http = true};

	ck_assert_int_eq(rp_guard_scheme(&strict, true), RP_CAUSE_NONE);
	ck_assert_int_eq(rp_guard_scheme(&strict, false), RP_CAUSE_BLOCKED_SCHEME);
	ck_assert_int_eq(rp_guard_scheme(&lax, true), RP_CAUSE_NONE);
	ck_assert_int_eq(rp_guard_scheme(&lax, false), RP_CAUSE_NONE);
}
END_TEST

static const struct {
	const char *text;
	int family; /* 0: refused */
	unsigned bits;
} cidrs[] = {
    {"10.0.0.0/8", AF_INET, 8},
    {"127.0.0.1", AF_INET, 32},
    {"127.0.0.1/32", AF_INET, 32},
    {"0.0.0.0/0", AF_INET, 0},
    {"10.0.0.128/25", AF_INET, 25},
    {"fd00::/8", AF_INET6, 8},
    {"::1", AF_INET6, 128},
    {"::/0", AF_INET6, 0},
    {"1111:2222:3333:4444:5555:6666:123.123.123.123/128", AF_INET6, 128},
    {"", 0, 0},
    {"/8", 0, 0},
    {"10.0.0.0/", 0, 0},
    {"10.0.0.0/33", 0, 0},
    {"::/129", 0, 0},
    {"10.0.0.0/08", 0, 0},
    {"10.0.0.0/8 ", 0, 0},
    {" 10.0.0.0/8", 0, 0},
    {"10.0.0.0/-8", 0, 0},
    {"10.0.0.0/8/8", 0, 0},
    {"10.0.0.0/255.0.0.0", 0, 0},
    {"10.0.0.0/4294967304", 0, 0},
    {"10.0.0.1/8", 0, 0},
    {"10.0.0.129/25", 0, 0},
    {"10.0.0.64/25", 0, 0},
    {"fd00::1/64", 0, 0},
    {"10.0.0/8", 0, 0},
    {"10", 0, 0},
    {"010.0.0.1", 0, 0},
    {"[::1]", 0, 0},
    {"fe80::1%lo", 0, 0},
    {"localhost", 0, 0},
    {"1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa:bbbb:cccc:dddd/128", 0, 0},
};

START_TEST(cidrs_are_read_strictly)
{
	struct rp_cidr cidr = {.family = -1};
	bool ok = rp_cidr_parse(rp_span_of(cidrs[_i].text), &cidr);

	ck_assert_msg(ok == (cidrs[_i].family != 0), "'%s' -> %d", cidrs[_i].text, ok);
	ck_assert_int_eq(cidr.family, ok ? cidrs[_i].family : -1);
	if (ok)
		ck_assert_uint_eq(cidr.prefix_bits, cidrs[_i].bits);
}
END_TEST

START_TEST(a_cidr_with_a_nul_byte_is_refused)
{
	struct rp_cidr cidr;

	ck_assert(!rp_cidr_parse((struct rp_span){"10.0.0.1\0/x", 11}, &cidr));
	ck_assert(!rp_cidr_parse((struct rp_span){NULL, 0}, &cidr));
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("guard");
	TCase *tc = tcase_create("guard");

	intervals_parse(denied4, N(denied4), AF_INET);
	intervals_parse(denied6, N(denied6), AF_INET6);
	intervals_parse(embedding, N(embedding), AF_INET6);
	tcase_add_loop_test(tc, ipv4_ranges_end_where_they_should, 0, N(denied4));
	tcase_add_loop_test(tc, ipv6_ranges_end_where_they_should, 0, N(denied6));
	tcase_add_loop_test(tc, embedding_ranges_end_where_they_should, 0, N(embedding));
	tcase_add_test(tc, random_addresses_are_judged_as_the_oracle_does);
	tcase_add_loop_test(tc, a_refusal_names_the_range, 0, N(ruled));
	tcase_add_test(tc, what_is_not_an_ip_address_is_blocked);
	tcase_add_loop_test(tc, exceptions_open_their_own_range_and_nothing_else, 0, N(exceptions));
	tcase_add_test(tc, ports_follow_the_policy);
	tcase_add_test(tc, plain_http_needs_permission);
	tcase_add_loop_test(tc, cidrs_are_read_strictly, 0, N(cidrs));
	tcase_add_test(tc, a_cidr_with_a_nul_byte_is_refused);
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
