/* peer.h - asks the kernel who is at the other end of a connection: by SO_PEERCRED of a unix
 * socket, by sock_diag(7) of a loopback connection of TCP. The only I/O among the rules of the
 * door.
 *
 * "Not known" is the answer wherever there is a doubt: the peer has closed its socket, it lives
 * in another network namespace, the kernel does not tell us, or does not tell in time. Ask once
 * a connection: an answer takes some microseconds. */
#ifndef RP_SERVE_PEER_H
#define RP_SERVE_PEER_H

#include "serve/door_access.h"

/* One netlink socket, opened when it is first needed. For one thread. */
struct rp_peer_asker {
	int fd; /* -1: not open */
	uint32_t sequence;
	bool checked, hides_users; /* whether our user namespace maps all users */
	bool lacked;               /* the last question was not answered for a lack that may pass */
};

void rp_peer_asker_init(struct rp_peer_asker *asker);
void rp_peer_asker_release(struct rp_peer_asker *asker);

/* Fills *out for a connected socket. It never fails and never waits for longer than
 * RP_PEER_WAIT_MS. */
#define RP_PEER_WAIT_MS 20
void rp_peer_ask(struct rp_peer_asker *asker, int fd, struct rp_door_peer *out);

#endif
