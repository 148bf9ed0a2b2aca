/* The guard at work in the HTTP engine: whatever a forbidden address is called, no connect is made
 * to it.
 *
 * This program's connect and getaddrinfo win over libc's, in libcurl too: connects are counted and
 * never made, and names resolve as the tables here say, so that nothing leaves this host even if
 * the guard fails. */
#include <arpa/inet.h>
#include <check.h>
#include <dlfcn.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/sys.h"
#include "deliver/http/http.h"

#define DEADLINE_MS 15000
#define N_OF(array) (sizeof(array) / sizeof((array)[0]))

/* ---- the doors held ---- */

static unsigned n_connects, n_lookups;
static char connected_to[INET6_ADDRSTRLEN];

int connect(int fd, const struct sockaddr *sa, socklen_t len)
{
	struct sockaddr_in in;
	struct sockaddr_in6 in6;

	(void)fd;
	n_connects++;
	if (sa->sa_family == AF_INET && len >= sizeof in) {
		memcpy(&in, sa, sizeof in);
		inet_ntop(AF_INET, &in.sin_addr, connected_to, sizeof connected_to);
	} else if (sa->sa_family == AF_INET6 && len >= sizeof in6) {
		memcpy(&in6, sa, sizeof in6);
		inet_ntop(AF_INET6, &in6.sin6_addr, connected_to, sizeof connected_to);
	}
	errno = ECONNREFUSED;
	return -1;
}

static const struct {
	const char *name, *ip[3];
} names[] = {
    {"loopback.test", {"127.0.0.1"}},
    {"loopback6.test", {"::1"}},
    {"metadata.test", {"169.254.169.254"}},
    {"metadata6.test", {"fd00:ec2::254"}},
    {"agent.test", {"168.63.129.16"}},
    {"private.test", {"10.0.0.5"}},
    {"several.test", {"10.0.0.5", "172.16.0.1", "192.168.0.1"}},
    {"mapped.test", {"::ffff:169.254.169.254"}},
    {"nat64.test", {"64:ff9b::a9fe:a9fe"}},
    {"sixtofour.test", {"2002:7f00:1::"}},
    {"linklocal.test", {"fe80::1"}},
    {"any.test", {"0.0.0.0", "::"}},
    {"ip6-localhost", {"::1"}},
    {"ip6-loopback", {"::1"}},
    {"localhost.localdomain", {"127.0.0.1"}},
    {"xn--nxasmq6b.test", {"127.0.0.1"}},
    {"public.test", {"93.184.216.34"}},
    {"mixed.test", {"127.0.0.1", "93.184.216.34", "10.0.0.1"}},
};

static struct addrinfo *numeric(const char *ip, const char *service, const struct addrinfo *hints)
{
	int (*real)(const char *, const char *, const struct addrinfo *, struct addrinfo **);
	struct addrinfo only = *hints, *res = NULL;

	*(void **)&real = dlsym(RTLD_NEXT, "getaddrinfo");
	only.ai_flags |= AI_NUMERICHOST; /* never a packet to a name server */
	only.ai_family = AF_UNSPEC;
	return real(ip, service, &only, &res) == 0 ? res : NULL;
}

static int table_lookup(const char *name, const char *service, const struct addrinfo *hints,
			struct addrinfo **res)
{
	struct addrinfo **at = res;
	size_t i, k;

	for (i = 0; i < N_OF(names); i++) {
		if (strcasecmp(name, names[i].name) != 0)
			continue;
		for (k = 0; k < N_OF(names[i].ip) && names[i].ip[k] != NULL; k++) {
			*at = numeric(names[i].ip[k], service, hints);
			ck_assert_ptr_nonnull(*at);
			at = &(*at)->ai_next;
		}
		return 0;
	}
	*res = numeric(name, service, hints);
	return *res != NULL ? 0 : EAI_NONAME;
}

/* "rebind.test" is public when it is first asked for and loopback from then on. */
int getaddrinfo(const char *restrict name, const char *restrict service,
		const struct addrinfo *restrict hints, struct addrinfo **restrict res)
{
	*res = NULL;
	n_lookups++;
	if (strcasecmp(name, "rebind.test") != 0)
		return table_lookup(name, service, hints, res);
	*res = numeric(n_lookups == 1 ? "93.184.216.34" : "127.0.0.1", service, hints);
	return *res != NULL ? 0 : EAI_NONAME;
}

/* ---- one request ---- */

static struct rp_transport *engine;
static struct rp_outcome last;
static bool is_done;

static void on_done(void *arg, void *owner, const struct rp_outcome *outcome)
{
	(void)arg;
	(void)owner;
	last = *outcome;
	is_done = true;
}

static void post_to(const char *url, const struct rp_guard_policy *guard)
{
	struct rp_request request = {.url = url,
				     .body = {"{}", 2},
				     .timeout_ms = 5000,
				     .connect_timeout_ms = 2000,
				     .guard = guard};
	int64_t end_ms = rp_sys_boot_ms(&rp_sys_real) + DEADLINE_MS;
	struct rp_error err;

	is_done = false;
	ck_assert_msg(engine->start(engine, &request, &err) == RP_OK, "%s: %s", url, err.text);
	while (!is_done) {
		struct pollfd pfd = {.fd = engine->fd(engine), .events = POLLIN};
		int wait_ms = engine->timeout_ms(engine);

		poll(&pfd, 1, wait_ms >= 0 && wait_ms < 1000 ? wait_ms : 1000);
		engine->run(engine, on_done, NULL);
		ck_assert_msg(rp_sys_boot_ms(&rp_sys_real) < end_ms, "%s does not come back", url);
	}
}

static void setup(void)
{
	struct rp_error err;

	n_connects = n_lookups = 0;
	ck_assert_msg(rp_http_open(4, 16, &engine, &err) == RP_OK, "%s", err.text);
}

static void teardown(void)
{
	rp_http_close(engine);
}

/* ---- spellings ---- */

/* Each host is the whole of a URL's authority but for the port. */
/* clang-format off */
static const char *const blocked_hosts[] = {
    /* 127.0.0.1: decimal, octal, hexadecimal, mixed, of one to four parts, with leading zeros and
     * a final dot */
    "127.0.0.1", "2130706433", "017700000001", "0x7f000001", "0X7F000001", "0x7F.1", "0x7f.0.0.1",
    "0x7f.0x0.0x0.0x1", "0177.0.0.1", "0177.0.0.01", "0177.00.00.01", "0000177.0.0.1", "0177.1", "0177.0.1",
    "127.1", "127.0.1", "127.0x1", "127.0.0x1", "127.0.0.0x1", "127.01", "0x7f.0.1", "0x7f.0x1", "0x007f.1",
    "127.0.0.01", "127.000.000.001", "127.255.255.254", "127.16777214", "127.65535", "2147483646",
    "%31%32%37.0.0.1", "127%2e0%2e0%2e1", "127.0.0.%31",
    /* unspecified, private, shared, link-local, metadata, host agent, documentation, benchmark,
     * multicast, broadcast */
    "0", "0x0", "00", "0.0.0.0", "0.0", "0.1", "0.255.255.255", "10.0.0.1", "10.1", "012.0.0.1", "0xa.1",
    "0x0a000001", "167772161", "10.255.255.255", "100.64.0.1", "100.127.255.255", "1681915905", "0x64400001",
    "169.254.169.254", "2852039166", "0xa9fea9fe", "0251.0376.0251.0376", "025177524776", "169.254.43518",
    "169.16689662", "0xA9.0xFE.0xA9.0xFE", "0251.254.0xa9.254", "169.254.0.1", "168.63.129.16", "2822734096",
    "0xa83f8110", "172.16.0.1", "172.31.255.255", "0254.020.0.1", "0xac100001", "2886729729", "192.168.0.1",
    "192.168.1", "192.11010049", "0300.0250.0.1", "0xc0a80001", "3232235521", "192.0.0.1", "192.0.2.1",
    "192.88.99.1", "198.18.0.1", "198.19.255.255", "198.51.100.1", "203.0.113.1", "224.0.0.1", "239.255.255.255",
    "240.0.0.1", "255.255.255.255", "4294967295", "0xffffffff", "037777777777",
    /* IPv6 itself, with and without a zone */
    "[::]", "[::1]", "[0:0:0:0:0:0:0:1]", "[0000:0000:0000:0000:0000:0000:0000:0001]", "[0::1]", "[::0.0.0.1]",
    "[fe80::1]", "[fe80::1%25lo]", "[fe80::1%251]", "[FE80::1]", "[febf::1]", "[fec0::1]", "[fc00::1]",
    "[fd00:ec2::254]", "[FD00:EC2:0:0::254]", "[ff02::1]", "[100::1]", "[5f00::1]", "[2001:db8::1]", "[3fff::1]",
    "[2001::1]", "[2001:10::1]", "[4000::1]",
    /* IPv4 inside IPv6: mapped, compatible, translated, NAT64, 6to4, Teredo, ISATAP */
    "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[::FFFF:7F00:0001]", "[0:0:0:0:0:ffff:127.0.0.1]",
    "[0:0:0:0:0:ffff:7f00:1]", "[::ffff:169.254.169.254]", "[::ffff:a9fe:a9fe]", "[::ffff:10.0.0.1]",
    "[::ffff:192.168.0.1]", "[::ffff:0.0.0.0]", "[::127.0.0.1]", "[::7f00:1]", "[::169.254.169.254]",
    "[::ffff:0:127.0.0.1]", "[::ffff:0:7f00:1]", "[64:ff9b::127.0.0.1]", "[64:ff9b::7f00:1]",
    "[64:ff9b::a9fe:a9fe]", "[64:ff9b::169.254.169.254]", "[64:ff9b::10.0.0.1]", "[64:ff9b:1::7f00:1]",
    "[64:ff9b:1::8.8.8.8]", "[2002:7f00:1::]", "[2002:7f00:0001::1]", "[2002:a9fe:a9fe::1]", "[2002:c0a8:1::1]",
    "[2001:0:7f00:1::]", "[fe80::5efe:127.0.0.1]",
    /* names */
    "localhost", "LOCALHOST", "LocalHost", "a.localhost", "ip6-localhost", "ip6-loopback", "localhost.localdomain",
    "loopback.test", "LOOPBACK.test", "loopback6.test", "metadata.test", "metadata6.test", "agent.test",
    "private.test", "several.test", "mapped.test", "nat64.test", "sixtofour.test", "linklocal.test", "any.test",
    "xn--nxasmq6b.test", "%6coopback.test",
};
/* clang-format on */

START_TEST(no_spelling_of_a_forbidden_address_is_connected_to)
{
	static const struct rp_guard_policy guard = {.allow_http = true, .any_port = true};
	static const struct {
		const char *scheme, *tail;
	} forms[] = {{"http://", "/"}, {"https://", "/x?y=1"}, {"http://", ":8080/"}};
	char url[160];
	size_t i;

	for (i = 0; i < N_OF(forms); i++) {
		snprintf(url, sizeof url, "%s%s%s", forms[i].scheme, blocked_hosts[_i],
			 forms[i].tail);
		post_to(url, &guard);
		ck_assert_msg(last.cause == RP_CAUSE_BLOCKED_ADDRESS, "%s: cause %d (%s)", url,
			      (int)last.cause, last.detail);
		ck_assert_msg(n_connects == 0, "%s: connected to %s", url, connected_to);
		ck_assert_str_eq(last.peer, "");
	}
}
END_TEST

/* What is no address to libcurl either must not become one. */
static const char *const refused_hosts[] = {
    "127.0.0.1.",
    "127.1.",
    "localhost.",
    "127.0.0.1%00.example",
    "[::1",
    "[127.0.0.1]",
    "256.0.0.1.",
    "127.0.0.0.1",
    "0x7f.0.0.0.1",
    "[::1]x",
    "[fe80::1%]",
    "[::ffff:127.1]",
    "1e3",
    "0x",
    "127.0.0.1 ",
    "user@127.0.0.1",
    "a:b@127.0.0.1",
    "127.0.0.1\\@x",
    "127.0.0.1#@x.test",
    "\t127.0.0.1",
    "4294967296",
};

START_TEST(what_is_hardly_an_address_is_not_connected_to_either)
{
	static const struct rp_guard_policy guard = {.allow_http = true, .any_port = true};
	char url[160];

	snprintf(url, sizeof url, "http://%s/", refused_hosts[_i]);
	post_to(url, &guard);
	ck_assert_msg(last.cause == RP_CAUSE_BLOCKED_ADDRESS || last.cause == RP_CAUSE_BAD_URL ||
			  last.cause == RP_CAUSE_DNS,
		      "%s: cause %d (%s)", url, (int)last.cause, last.detail);
	ck_assert_msg(n_connects == 0, "%s: connected to %s", url, connected_to);
}
END_TEST

START_TEST(the_count_of_connects_counts)
{
	static const struct rp_guard_policy guard = {.allow_http = true};

	post_to("http://public.test/", &guard);
	ck_assert_int_eq(last.cause, RP_CAUSE_CONNECT);
	ck_assert_uint_eq(n_connects, 1);
	ck_assert_str_eq(connected_to, "93.184.216.34");
	post_to("http://mixed.test/", &guard);
	ck_assert_int_eq(last.cause, RP_CAUSE_CONNECT);
	ck_assert_uint_eq(n_connects, 2);
	ck_assert_str_eq(connected_to, "93.184.216.34");
}
END_TEST

/* The address judged is the one of the one lookup; another lookup is judged anew. */
START_TEST(a_name_that_changes_its_address_between_two_lookups_gains_nothing)
{
	static const struct rp_guard_policy guard = {.allow_http = true, .any_port = true};

	post_to("http://rebind.test/", &guard);
	ck_assert_uint_eq(n_lookups, 1);
	ck_assert_uint_eq(n_connects, 1);
	ck_assert_str_eq(connected_to, "93.184.216.34");
	/* another port: libcurl's cache of names has none for it */
	post_to("http://rebind.test:8080/", &guard);
	ck_assert_uint_eq(n_lookups, 2);
	ck_assert_int_eq(last.cause, RP_CAUSE_BLOCKED_ADDRESS);
	ck_assert_uint_eq(n_connects, 1);
}
END_TEST

static const struct {
	const char *allow, *url, *ports; /* ports "": the default ones */
	enum rp_cause cause;             /* RP_CAUSE_CONNECT: it was let pass */
} openings[] = {
    {"10.0.0.0/8", "http://10.0.0.5/", "", RP_CAUSE_CONNECT},
    {"10.0.0.0/8", "http://private.test:9000/", "", RP_CAUSE_CONNECT},
    {"10.0.0.0/8", "http://0xa.5:9000/", "", RP_CAUSE_CONNECT},
    {"10.0.0.0/8", "http://[::ffff:10.0.0.5]/", "", RP_CAUSE_CONNECT},
    {"10.0.0.0/8", "http://[2002:a00:5::]/", "", RP_CAUSE_BLOCKED_ADDRESS},
    {"10.0.0.0/8", "http://169.254.169.254/", "", RP_CAUSE_BLOCKED_ADDRESS},
    {"10.0.0.0/8", "http://11.0.0.1:9000/", "", RP_CAUSE_BLOCKED_PORT},
    {"10.0.0.5/32", "http://10.0.0.6/", "", RP_CAUSE_BLOCKED_ADDRESS},
    {"10.0.0.5/32", "http://several.test/", "", RP_CAUSE_CONNECT},
    {"127.0.0.0/8", "http://[::1]/", "", RP_CAUSE_BLOCKED_ADDRESS},
    {"::1/128", "http://[::1]:8080/", "", RP_CAUSE_CONNECT},
    {"fd00::/8", "http://metadata6.test/", "", RP_CAUSE_CONNECT},
    {"10.0.0.0/8", "http://10.0.0.5:9000/", "8443", RP_CAUSE_BLOCKED_PORT},
    {"10.0.0.0/8", "http://10.0.0.5:8443/", "8443", RP_CAUSE_CONNECT},
    {"10.0.0.0/8", "http://public.test/", "8443", RP_CAUSE_BLOCKED_PORT},
    {"10.0.0.0/8", "http://public.test:8443/", "8443", RP_CAUSE_CONNECT},
    {"10.0.0.0/8", "http://public.test:22/", "", RP_CAUSE_BLOCKED_PORT},
    {"10.0.0.0/8", "https://public.test/", "", RP_CAUSE_CONNECT},
};

START_TEST(exceptions_and_ports_open_what_they_say)
{
	struct rp_cidr cidr;
	struct rp_guard_policy guard = {.allow_http = true, .allow = &cidr, .n_allow = 1};

	ck_assert(rp_cidr_parse(rp_span_of(openings[_i].allow), &cidr));
	if (openings[_i].ports[0] != '\0')
		guard.ports[guard.n_ports++] = (uint16_t)strtoul(openings[_i].ports, NULL, 10);
	post_to(openings[_i].url, &guard);
	ck_assert_msg(last.cause == openings[_i].cause, "%s: cause %d (%s)", openings[_i].url,
		      (int)last.cause, last.detail);
	ck_assert_uint_eq(n_connects, openings[_i].cause == RP_CAUSE_CONNECT);
}
END_TEST

_Static_assert(N_OF(blocked_hosts) >= 100, "a hundred spellings at least");

static Suite *suite(void)
{
	Suite *s = suite_create("http guard");
	TCase *tc = tcase_create("guard");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, no_spelling_of_a_forbidden_address_is_connected_to, 0,
			    N_OF(blocked_hosts));
	tcase_add_loop_test(tc, what_is_hardly_an_address_is_not_connected_to_either, 0,
			    N_OF(refused_hosts));
	tcase_add_test(tc, the_count_of_connects_counts);
	tcase_add_test(tc, a_name_that_changes_its_address_between_two_lookups_gains_nothing);
	tcase_add_loop_test(tc, exceptions_and_ports_open_what_they_say, 0, N_OF(openings));
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
