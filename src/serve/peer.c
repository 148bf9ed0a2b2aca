/* peer.c - asks the kernel who is at the other end. It believes an answer of sock_diag only when it
 * is about exactly the socket asked for, and our own end is in the namespace that was asked. */

#include "serve/peer.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/sys.h"

static const unsigned char mapped[12] = {[10] = 0xff, [11] = 0xff}; /* what IPv4 begins with */

#define OVERFLOW_UID 65534 /* what a user namespace shows for a user that it does not map */

void rp_peer_asker_init(struct rp_peer_asker *asker)
{
	*asker = (struct rp_peer_asker){.fd = -1};
}

void rp_peer_asker_release(struct rp_peer_asker *asker)
{
	if (asker->fd >= 0)
		close(asker->fd);
	rp_peer_asker_init(asker);
}

/* Whether there are users whom our namespace shows under one number. Not readable: there may be. */
static bool users_are_hidden(void)
{
	char text[128];
	unsigned inside, outside, count;
	bool hidden = true;
	FILE *file = fopen("/proc/self/uid_map", "re");

	if (file == NULL)
		return true;
	if (fgets(text, sizeof text, file) != NULL &&
	    sscanf(text, "%u %u %u", &inside, &outside, &count) == 3)
		hidden = inside != 0 || count != UINT32_MAX;
	fclose(file);
	return hidden;
}

static bool tells_user(struct rp_peer_asker *asker, uid_t uid)
{
	if (!asker->checked) {
		asker->hides_users = users_are_hidden();
		asker->checked = true;
	}
	return uid != (uid_t)-1 && (uid != OVERFLOW_UID || !asker->hides_users);
}

/* ---- sock_diag ---- */

struct question {
	struct nlmsghdr header;
	struct inet_diag_req_v2 body;
};

/* Where a socket is: of whom it is asked, and the other end of it. */
static void set_ends(struct inet_diag_req_v2 *q, const struct rp_door_address *of,
		     const struct rp_door_address *other)
{
	bool four = memcmp(of->ip, mapped, sizeof mapped) == 0 &&
		    memcmp(other->ip, mapped, sizeof mapped) == 0;
	size_t from = four ? sizeof mapped : 0;

	q->sdiag_family = four ? AF_INET : AF_INET6;
	q->id.idiag_sport = htons(of->port);
	q->id.idiag_dport = htons(other->port);
	memcpy(q->id.idiag_src, of->ip + from, sizeof of->ip - from);
	memcpy(q->id.idiag_dst, other->ip + from, sizeof other->ip - from);
	q->id.idiag_cookie[0] = q->id.idiag_cookie[1] = INET_DIAG_NOCOOKIE;
}

static bool opened(struct rp_peer_asker *asker)
{
	if (asker->fd < 0)
		asker->fd =
		    socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_SOCK_DIAG);
	return asker->fd >= 0;
}

static bool is_lack(int sys)
{
	return sys == EMFILE || sys == ENFILE || sys == ENOMEM || sys == ENOBUFS || sys == EAGAIN ||
	       sys == EINTR;
}

/* A late answer to an earlier question must not be taken for one to a later. */
static bool give_up(struct rp_peer_asker *asker, bool lacked)
{
	asker->lacked = lacked;
	close(asker->fd);
	asker->fd = -1;
	return false;
}

static bool wait_readable(int fd, int64_t until_us)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};
	int64_t left_us = until_us - rp_sys_stopwatch_us();
	int n;

	if (left_us <= 0)
		return false;
	n = poll(&p, 1, (int)(left_us / 1000 + 1));
	return n > 0 || (n < 0 && errno == EINTR);
}

/* Of the kernel alone, to this question, and whole. */
static bool is_answer(const struct nlmsghdr *h, size_t n, uint32_t sequence)
{
	return n >= NLMSG_LENGTH(sizeof(struct inet_diag_msg)) && h->nlmsg_len <= n &&
	       h->nlmsg_len >= NLMSG_LENGTH(sizeof(struct inet_diag_msg)) &&
	       h->nlmsg_type == SOCK_DIAG_BY_FAMILY && h->nlmsg_seq == sequence;
}

static bool take_answer(struct rp_peer_asker *asker, struct inet_diag_msg *out)
{
	int64_t until_us = rp_sys_stopwatch_us() + (int64_t)RP_PEER_WAIT_MS * 1000;

	for (;;) {
		union {
			struct nlmsghdr header;
			char bytes[1024];
		} in;
		struct sockaddr_nl from;
		socklen_t from_bytes = sizeof from;
		ssize_t n = recvfrom(asker->fd, &in, sizeof in, MSG_DONTWAIT,
				     (struct sockaddr *)&from, &from_bytes);

		if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
			if (!wait_readable(asker->fd, until_us))
				return give_up(asker, true);
			continue;
		}
		if (n < (ssize_t)sizeof in.header)
			return give_up(asker, n < 0 && is_lack(errno));
		if (from_bytes != sizeof from || from.nl_pid != 0 ||
		    in.header.nlmsg_seq != asker->sequence)
			continue;
		if (!is_answer(&in.header, (size_t)n, asker->sequence))
			return false; /* an error: there is no such socket, or we may not ask */
		memcpy(out, in.bytes + NLMSG_HDRLEN, sizeof *out);
		return true;
	}
}

/* A socket of IPv6 may have an address of IPv4: the answer has it in the form of the socket. */
static bool is_ip(const __be32 told[4], int family, const unsigned char ip[16])
{
	size_t from = family == AF_INET ? sizeof mapped : 0;

	return (family == AF_INET6 || memcmp(ip, mapped, sizeof mapped) == 0) &&
	       memcmp(told, ip + from, 16 - from) == 0;
}

/* The answer may be about a listener of the same port: that is another socket. */
static bool is_about(const struct inet_diag_msg *m, const struct rp_door_address *of,
		     const struct rp_door_address *other)
{
	return (m->idiag_family == AF_INET || m->idiag_family == AF_INET6) &&
	       m->id.idiag_sport == htons(of->port) && m->id.idiag_dport == htons(other->port) &&
	       is_ip(m->id.idiag_src, m->idiag_family, of->ip) &&
	       is_ip(m->id.idiag_dst, m->idiag_family, other->ip);
}

/* Inode 0: no process has the socket any more, and the uid is none. */
static bool is_somebodys(const struct inet_diag_msg *m)
{
	return m->idiag_inode != 0 && m->idiag_state != TCP_LISTEN &&
	       m->idiag_state != TCP_TIME_WAIT && m->idiag_state != TCP_CLOSE &&
	       m->idiag_state != TCP_SYN_SENT && m->idiag_state != TCP_SYN_RECV;
}

static bool ask(struct rp_peer_asker *asker, const struct rp_door_address *of,
		const struct rp_door_address *other, struct inet_diag_msg *out)
{
	struct question q = {
	    .header = {.nlmsg_len = sizeof q,
		       .nlmsg_type = SOCK_DIAG_BY_FAMILY,
		       .nlmsg_flags = NLM_F_REQUEST,
		       .nlmsg_seq = ++asker->sequence},
	    .body = {.sdiag_protocol = IPPROTO_TCP, .idiag_states = UINT32_MAX},
	};
	struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};

	set_ends(&q.body, of, other);
	asker->lacked = !opened(asker) && is_lack(errno);
	if (asker->fd < 0)
		return false;
	if (sendto(asker->fd, &q, sizeof q, MSG_DONTWAIT, (const struct sockaddr *)&kernel,
		   sizeof kernel) != (ssize_t)sizeof q)
		return give_up(asker, is_lack(errno));
	return take_answer(asker, out) && is_about(out, of, other) && is_somebodys(out);
}

/* An inherited connection may be of another namespace, where the same addresses are somebody
 * else's. Our own end is known by its inode. */
static bool is_our_end(int fd, const struct inet_diag_msg *m)
{
	struct stat st;

	return fstat(fd, &st) == 0 && (uint32_t)st.st_ino == m->idiag_inode;
}

static void ask_tcp(struct rp_peer_asker *asker, int fd, struct rp_door_peer *out)
{
	struct inet_diag_msg ours, theirs;

	out->known = ask(asker, &out->local, &out->remote, &ours) && is_our_end(fd, &ours) &&
		     ask(asker, &out->remote, &out->local, &theirs) &&
		     tells_user(asker, theirs.idiag_uid);
	out->unasked = !out->known && asker->lacked;
	if (out->known)
		out->uid = theirs.idiag_uid;
}

static void ask_unix(struct rp_peer_asker *asker, int fd, struct rp_door_peer *out)
{
	struct ucred credentials;
	socklen_t n = sizeof credentials;

	out->unix_socket = true;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &credentials, &n) != 0 ||
	    n != sizeof credentials)
		return;
	out->known = tells_user(asker, credentials.uid);
	out->uid = credentials.uid;
	out->pid = credentials.pid;
}

void rp_peer_ask(struct rp_peer_asker *asker, int fd, struct rp_door_peer *out)
{
	union {
		struct sockaddr any;
		struct sockaddr_storage room;
	} local, remote;
	socklen_t local_bytes = sizeof local, remote_bytes = sizeof remote;

	*out = (struct rp_door_peer){.uid = (uid_t)-1};
	if (getsockname(fd, &local.any, &local_bytes) != 0)
		return;
	if (local.any.sa_family == AF_UNIX) {
		ask_unix(asker, fd, out);
		return;
	}
	if (getpeername(fd, &remote.any, &remote_bytes) != 0 ||
	    !rp_door_address_of(&local.any, &out->local) ||
	    !rp_door_address_of(&remote.any, &out->remote))
		return;
	out->loopback =
	    rp_door_address_is_loopback(&out->local) && rp_door_address_is_loopback(&out->remote);
	if (out->loopback)
		ask_tcp(asker, fd, out);
}
