/* Who is at the other end of a connection: with real sockets, users and network namespaces. What
 * needs root is skipped without it, and says so. */
#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>

#include "serve/peer.h"

#define OTHER_UID 65011

union address {
	struct sockaddr any;
	struct sockaddr_in four;
	struct sockaddr_in6 six;
	struct sockaddr_un local;
};

struct pair {
	int listener, client, server;
};

static struct rp_peer_asker asker;
static struct rp_door_peer peer;

static void set_up(void)
{
	rp_peer_asker_init(&asker);
}

static void tear_down(void)
{
	rp_peer_asker_release(&asker);
}

static bool skipped(bool possible, const char *needs)
{
	if (!possible)
		printf("  skipped: needs %s\n", needs);
	return !possible;
}

static socklen_t address_of(const char *ip, uint16_t port, union address *out)
{
	memset(out, 0, sizeof *out);
	if (strchr(ip, ':') == NULL) {
		out->four.sin_family = AF_INET;
		out->four.sin_port = htons(port);
		ck_assert_int_eq(inet_pton(AF_INET, ip, &out->four.sin_addr), 1);
		return sizeof out->four;
	}
	out->six.sin6_family = AF_INET6;
	out->six.sin6_port = htons(port);
	ck_assert_int_eq(inet_pton(AF_INET6, ip, &out->six.sin6_addr), 1);
	return sizeof out->six;
}

static uint16_t port_of(int fd)
{
	union address a;
	socklen_t n = sizeof a;

	ck_assert_int_eq(getsockname(fd, &a.any, &n), 0);
	return ntohs(a.any.sa_family == AF_INET ? a.four.sin_port : a.six.sin6_port);
}

static int bound(const char *ip, uint16_t port)
{
	union address a;
	socklen_t n = address_of(ip, port, &a);
	int fd = socket(a.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1, off = 0;

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on), 0);
	if (a.any.sa_family == AF_INET6)
		ck_assert_int_eq(setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off), 0);
	ck_assert_msg(bind(fd, &a.any, n) == 0, "%s %u: %m", ip, port);
	return fd;
}

static int listening(const char *ip, uint16_t port)
{
	int fd = bound(ip, port);

	ck_assert_int_eq(listen(fd, 8), 0);
	return fd;
}

static void connect_to(int fd, const char *ip, uint16_t port)
{
	union address a;
	socklen_t n = address_of(ip, port, &a);

	ck_assert_msg(connect(fd, &a.any, n) == 0, "%s %u: %m", ip, port);
}

static struct pair pair_of(const char *listen_ip, const char *from_ip, const char *to_ip)
{
	struct pair p = {.listener = listening(listen_ip, 0), .client = bound(from_ip, 0)};

	connect_to(p.client, to_ip, port_of(p.listener));
	p.server = accept(p.listener, NULL, NULL);
	ck_assert_int_ge(p.server, 0);
	return p;
}

static void end(struct pair *p)
{
	close(p->listener);
	close(p->client);
	close(p->server);
}

static bool has_ip6(void)
{
	union address a;
	socklen_t n = address_of("::1", 0, &a);
	int fd = socket(AF_INET6, SOCK_STREAM, 0);
	bool has = fd >= 0 && bind(fd, &a.any, n) == 0;

	close(fd);
	return has;
}

static const struct {
	const char *listen, *from, *to;
	bool six;
} ways[] = {
    {"127.0.0.1", "127.0.0.1", "127.0.0.1", false},
    {"0.0.0.0", "127.0.0.2", "127.0.0.3", false},
    {"::1", "::1", "::1", true},
    {"::", "::1", "::1", true},
    /* one listener for both, as both see it */
    {"::", "127.0.0.1", "127.0.0.1", true},
    {"127.0.0.1", "::ffff:127.0.0.1", "::ffff:127.0.0.1", true},
    {"::", "::ffff:127.0.0.1", "::ffff:127.0.0.1", true},
};

START_TEST(a_peer_on_loopback_is_known)
{
	struct pair p;

	if (ways[_i].six && skipped(has_ip6(), "IPv6"))
		return;
	p = pair_of(ways[_i].listen, ways[_i].from, ways[_i].to);
	rp_peer_ask(&asker, p.server, &peer);
	ck_assert(!peer.unix_socket && peer.loopback);
	ck_assert(peer.known);
	ck_assert_uint_eq(peer.uid, geteuid());
	ck_assert_uint_eq(peer.local.port, port_of(p.listener));
	ck_assert_uint_eq(peer.remote.port, port_of(p.client));
	end(&p);
}
END_TEST

START_TEST(one_asker_answers_for_many_connections)
{
	struct pair p[8];
	size_t i;
	int fd = -1;

	for (i = 0; i < 8; i++)
		p[i] = pair_of("127.0.0.1", "127.0.0.1", "127.0.0.1");
	for (i = 0; i < 8; i++) {
		if (i % 2 == 1)
			close(p[i].client);
		rp_peer_ask(&asker, p[i].server, &peer);
		ck_assert_int_eq(peer.known, i % 2 == 0);
		ck_assert(fd == -1 || fd == asker.fd);
		fd = asker.fd;
	}
}
END_TEST

START_TEST(a_peer_on_a_unix_socket_is_known)
{
	union address a = {.local = {.sun_family = AF_UNIX}};
	int listener = socket(AF_UNIX, SOCK_STREAM, 0), client = socket(AF_UNIX, SOCK_STREAM, 0);
	socklen_t n;
	int server;

	/* the first byte a NUL: a name that is no file */
	n = (socklen_t)offsetof(struct sockaddr_un, sun_path) + 1 +
	    (socklen_t)snprintf(a.local.sun_path + 1, sizeof a.local.sun_path - 1, "rp-peer-%d",
				(int)getpid());
	ck_assert_int_eq(bind(listener, &a.any, n), 0);
	ck_assert_int_eq(listen(listener, 1), 0);
	ck_assert_int_eq(connect(client, &a.any, n), 0);
	server = accept(listener, NULL, NULL);
	rp_peer_ask(&asker, server, &peer);
	ck_assert(peer.unix_socket && !peer.loopback && peer.known);
	ck_assert_uint_eq(peer.uid, geteuid());
	ck_assert_int_eq(peer.pid, getpid());
	close(client);
	close(server);
	close(listener);
}
END_TEST

START_TEST(what_is_no_connection_is_nobody)
{
	int fd = listening("127.0.0.1", 0), pipes[2];

	ck_assert_int_eq(pipe(pipes), 0);
	rp_peer_ask(&asker, fd, &peer);
	ck_assert(!peer.known);
	rp_peer_ask(&asker, pipes[0], &peer);
	ck_assert(!peer.known && !peer.unix_socket && !peer.loopback);
	rp_peer_ask(&asker, -1, &peer);
	ck_assert(!peer.known);
	close(fd);
}
END_TEST

START_TEST(a_peer_that_has_closed_is_nobody)
{
	struct pair p = pair_of("127.0.0.1", "127.0.0.1", "127.0.0.1");

	ck_assert_int_eq(write(p.client, "POST", 4), 4);
	close(p.client);
	rp_peer_ask(&asker, p.server, &peer);
	ck_assert(peer.loopback && !peer.known);
	/* and then it waits in TIME_WAIT */
	ck_assert_int_eq(shutdown(p.server, SHUT_WR), 0);
	rp_peer_ask(&asker, p.server, &peer);
	ck_assert(!peer.known);
}
END_TEST

START_TEST(a_peer_that_will_send_no_more_is_known)
{
	struct pair p = pair_of("127.0.0.1", "127.0.0.1", "127.0.0.1");

	ck_assert_int_eq(shutdown(p.client, SHUT_WR), 0);
	rp_peer_ask(&asker, p.server, &peer);
	ck_assert(peer.known);
	ck_assert_uint_eq(peer.uid, geteuid());
	end(&p);
}
END_TEST

/* A child as another user runs `act`, and stays until its pipe is closed. Returns the pipe. */
static int as_other_user(void (*act)(uint16_t port), uint16_t port, pid_t *pid)
{
	int ready[2], stay[2];
	char byte;

	ck_assert(pipe(ready) == 0 && pipe(stay) == 0);
	*pid = fork();
	if (*pid == 0) {
		close(stay[1]);
		if (setresgid(OTHER_UID, OTHER_UID, OTHER_UID) != 0 ||
		    setresuid(OTHER_UID, OTHER_UID, OTHER_UID) != 0)
			_exit(1);
		act(port);
		if (write(ready[1], "r", 1) != 1)
			_exit(1);
		_exit(read(stay[0], &byte, 1) == 0 ? 0 : 1);
	}
	close(ready[1]);
	close(stay[0]);
	ck_assert_int_eq(read(ready[0], &byte, 1), 1);
	close(ready[0]);
	return stay[1];
}

static void let_go(int stay, pid_t pid)
{
	int status;

	close(stay);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
}

static void connect_there(uint16_t port)
{
	connect_to(bound("127.0.0.1", 0), "127.0.0.1", port);
}

START_TEST(another_user_is_told_from_us)
{
	int listener, stay, server;
	pid_t pid;

	if (skipped(geteuid() == 0, "root"))
		return;
	listener = listening("127.0.0.1", 0);
	stay = as_other_user(connect_there, port_of(listener), &pid);
	server = accept(listener, NULL, NULL);
	rp_peer_ask(&asker, server, &peer);
	ck_assert(peer.known);
	ck_assert_uint_eq(peer.uid, OTHER_UID);
	let_go(stay, pid);
	rp_peer_ask(&asker, server, &peer);
	ck_assert(!peer.known);
}
END_TEST

static void listen_there(uint16_t port)
{
	listening("127.0.0.1", port);
}

/* The kernel, asked for a connection that it does not have, tells of a listener at its port. */
START_TEST(a_listener_at_the_port_of_a_lost_peer_is_not_the_peer)
{
	struct pair p;
	uint16_t port;
	int on = 1, stay;
	pid_t pid;

	if (skipped(geteuid() == 0, "root"))
		return;
	p = pair_of("127.0.0.1", "127.0.0.1", "127.0.0.1");
	port = port_of(p.client);
	if (skipped(setsockopt(p.client, IPPROTO_TCP, TCP_REPAIR, &on, sizeof on) == 0,
		    "TCP_REPAIR"))
		return;
	close(p.client); /* our end is not told */
	rp_peer_ask(&asker, p.server, &peer);
	ck_assert(peer.loopback && !peer.known);
	stay = as_other_user(listen_there, port, &pid);
	rp_peer_ask(&asker, p.server, &peer);
	ck_assert(peer.loopback && !peer.known);
	let_go(stay, pid);
}
END_TEST

/* ---- network namespaces ---- */

static bool enter_new_network(void)
{
	struct ifreq lo = {.ifr_name = "lo"};
	int fd;

	if (unshare(CLONE_NEWNET) != 0)
		return false;
	fd = socket(AF_INET, SOCK_DGRAM, 0);
	lo.ifr_flags = IFF_UP | IFF_RUNNING;
	return ioctl(fd, SIOCSIFFLAGS, &lo) == 0;
}

enum { SAID_NO, SAID_YES, SAID_OTHER, SAID_NOTHING = 9 };

/* In a process of a new network namespace. */
static int elsewhere(int (*act)(const struct pair *foreign), const struct pair *foreign)
{
	pid_t pid = fork();
	int status;

	if (pid == 0)
		_exit(enter_new_network() ? act(foreign) : SAID_NOTHING);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static int answer_about(int fd)
{
	rp_peer_ask(&asker, fd, &peer);
	if (!peer.known)
		return SAID_NO;
	return peer.uid == geteuid() ? SAID_YES : SAID_OTHER;
}

static int ask_about_own(const struct pair *foreign)
{
	struct pair p = pair_of("127.0.0.1", "127.0.0.1", "127.0.0.1");

	(void)foreign;
	return answer_about(p.server);
}

static int ask_about_foreign(const struct pair *foreign)
{
	return answer_about(foreign->server);
}

/* The same addresses and ports are somebody's here, too. */
static int ask_about_foreign_with_double(const struct pair *foreign)
{
	struct pair p = {.listener = listening("127.0.0.1", port_of(foreign->server)),
			 .client = bound("127.0.0.1", port_of(foreign->client))};

	connect_to(p.client, "127.0.0.1", port_of(foreign->server));
	p.server = accept(p.listener, NULL, NULL);
	if (answer_about(p.server) != SAID_YES)
		return SAID_OTHER;
	return answer_about(foreign->server);
}

START_TEST(a_peer_in_our_network_namespace_alone_is_known)
{
	struct pair p = pair_of("127.0.0.1", "127.0.0.1", "127.0.0.1");
	int said = elsewhere(ask_about_own, NULL);

	if (skipped(said != SAID_NOTHING, "the right to a network namespace of its own"))
		return;
	ck_assert_int_eq(said, SAID_YES);
	ck_assert_int_eq(elsewhere(ask_about_foreign, &p), SAID_NO);
	ck_assert_int_eq(elsewhere(ask_about_foreign_with_double, &p), SAID_NO);
	ck_assert_int_eq(answer_about(p.server), SAID_YES);
	end(&p);
}
END_TEST

/* ---- the question itself ---- */

/* The answer to an earlier question is still there: it is none to ours. */
START_TEST(a_late_answer_is_none)
{
	struct pair p = pair_of("127.0.0.1", "127.0.0.1", "127.0.0.1");
	struct {
		struct nlmsghdr header;
		struct inet_diag_req_v2 body;
	} old = {.header = {.nlmsg_len = sizeof old,
			    .nlmsg_type = SOCK_DIAG_BY_FAMILY,
			    .nlmsg_flags = NLM_F_REQUEST,
			    .nlmsg_seq = 77},
		 .body = {.sdiag_family = AF_INET, .sdiag_protocol = IPPROTO_TCP}};
	struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};

	rp_peer_ask(&asker, p.server, &peer);
	ck_assert(peer.known);
	asker.sequence = 1000;
	ck_assert_int_eq(
	    sendto(asker.fd, &old, sizeof old, 0, (struct sockaddr *)&kernel, sizeof kernel),
	    sizeof old);
	rp_peer_ask(&asker, p.server, &peer);
	ck_assert(peer.known);
	ck_assert_uint_eq(peer.uid, geteuid());
	end(&p);
}
END_TEST

/* Whatever its descriptor has become: nobody is known, and the next question begins anew. */
START_TEST(an_asker_that_cannot_ask_knows_nobody)
{
	struct pair p = pair_of("127.0.0.1", "127.0.0.1", "127.0.0.1");
	int pipes[2];

	ck_assert_int_eq(pipe(pipes), 0);
	asker.fd = pipes[0];
	rp_peer_ask(&asker, p.server, &peer);
	ck_assert(peer.loopback && !peer.known);
	rp_peer_ask(&asker, p.server, &peer);
	ck_assert(peer.known);
	end(&p);
}
END_TEST

/* Which passes: then the peer is known. */
START_TEST(without_a_descriptor_a_peer_is_not_asked_about)
{
	struct pair p = pair_of("127.0.0.1", "127.0.0.1", "127.0.0.1");
	struct rlimit had, none;

	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &had), 0);
	none = (struct rlimit){0, had.rlim_max};
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &none), 0);
	rp_peer_ask(&asker, p.server, &peer);
	ck_assert(!peer.known && peer.unasked);
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &had), 0);
	rp_peer_ask(&asker, p.server, &peer);
	ck_assert(peer.known && !peer.unasked);
	end(&p);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("peer");
	TCase *tc = tcase_create("peer");

	tcase_add_checked_fixture(tc, set_up, tear_down);
	tcase_add_loop_test(tc, a_peer_on_loopback_is_known, 0, sizeof ways / sizeof ways[0]);
	tcase_add_test(tc, one_asker_answers_for_many_connections);
	tcase_add_test(tc, a_peer_on_a_unix_socket_is_known);
	tcase_add_test(tc, what_is_no_connection_is_nobody);
	tcase_add_test(tc, a_peer_that_has_closed_is_nobody);
	tcase_add_test(tc, a_peer_that_will_send_no_more_is_known);
	tcase_add_test(tc, another_user_is_told_from_us);
	tcase_add_test(tc, a_listener_at_the_port_of_a_lost_peer_is_not_the_peer);
	tcase_add_test(tc, a_peer_in_our_network_namespace_alone_is_known);
	tcase_add_test(tc, a_late_answer_is_none);
	tcase_add_test(tc, an_asker_that_cannot_ask_knows_nobody);
	tcase_add_test(tc, without_a_descriptor_a_peer_is_not_asked_about);
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
