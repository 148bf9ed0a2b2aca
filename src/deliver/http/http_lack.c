/* http_lack.c - tells a lack of this process (descriptors, threads, ports) from a failure of the
 * receiver. It is apart because libcurl reports both alike, so this file tries. */

#include "deliver/http/http_lack.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/thread.h"
#include "deliver/http/http_detail.h"

#define LOOKUP_DESCRIPTORS 3 /* libcurl's pair of sockets and the resolver's one */

static bool is_lack(int sys)
{
	return sys == EMFILE || sys == ENFILE || sys == ENOBUFS || sys == ENOMEM || sys == EAGAIN;
}

static void *do_nothing(void *arg)
{
	return arg;
}

/* libcurl reports a name that does not exist, and a lookup without a thread or a socket, in the
 * same way. So this tries to get them. Returns 0 or an errno. */
static int try_lookup(void)
{
	int fds[LOOKUP_DESCRIPTORS], n, sys = 0;
	pthread_t thread;

	for (n = 0; n < LOOKUP_DESCRIPTORS && sys == 0; n++) {
		fds[n] = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
		sys = fds[n] < 0 ? errno : 0;
	}
	if (sys == 0)
		sys = rp_thread_start(&thread, do_nothing, NULL);
	else
		n--;
	if (sys == 0)
		pthread_join(thread, NULL);
	while (n > 0)
		close(fds[--n]);
	return is_lack(sys) ? sys : 0;
}

/* Whether the ports for connections to one IPv4 address are exhausted. For IPv6 the same error may
 * also mean that this host has no address. */
static bool lacks_ports(struct rp_transfer *t)
{
	long sys = 0;

	curl_easy_getinfo(t->easy, CURLINFO_OS_ERRNO, &sys);
	return sys == EADDRNOTAVAIL && t->notes.family == AF_INET;
}

static int lack_of(struct rp_transfer *t, CURLcode rc)
{
	if (is_lack(t->notes.socket_errno))
		return t->notes.socket_errno;
	switch (rc) {
	case CURLE_OUT_OF_MEMORY:
		return ENOMEM;
	case CURLE_COULDNT_CONNECT:
		return lacks_ports(t) ? EADDRNOTAVAIL : 0;
	case CURLE_COULDNT_RESOLVE_HOST:
	case CURLE_FAILED_INIT:
		return try_lookup();
	default:
		return 0;
	}
}

void rp_transfer_note_lack(struct rp_transfer *t, CURLcode rc)
{
	int sys;

	if (t->notes.withheld && !rp_transfer_was_written(t)) {
		t->outcome.lack = RP_LACK_LEAVE;
		return;
	}
	if (rc == CURLE_OK || t->notes.request_began || t->outcome.http_status != 0 ||
	    t->notes.blocked != RP_CAUSE_NONE)
		return;
	sys = lack_of(t, rc);
	if (sys == 0)
		return;
	rp_transfer_decide(t, RP_CAUSE_LOCAL, strerror(sys));
	t->outcome.lack = sys == EADDRNOTAVAIL ? RP_LACK_PORTS : RP_LACK_PROCESS;
}

void rp_transfer_decide_local(struct rp_transfer *t, const char *detail)
{
	rp_transfer_decide(t, RP_CAUSE_LOCAL, detail);
	if (!t->notes.request_began)
		t->outcome.lack = RP_LACK_PROCESS;
}
