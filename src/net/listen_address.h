/* listen_address.h - an address that a server of ours listens on, as people write it. Pure: it
 * opens nothing and looks nothing up. */
#ifndef RP_NET_LISTEN_ADDRESS_H
#define RP_NET_LISTEN_ADDRESS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"

#define RP_LISTEN_IP_MAX 46    /* of an IPv6 address, with the NUL */
#define RP_LISTEN_PATH_MAX 108 /* what the system has room for in a socket's address, likewise */
#define RP_LISTEN_TEXT_MAX (RP_LISTEN_PATH_MAX + 8)

/* Either a socket in the file system or one of TCP. */
struct rp_listen_address {
	char unix_path[RP_LISTEN_PATH_MAX]; /* absolute; "": TCP */
	char ip[RP_LISTEN_IP_MAX];          /* as inet_ntop writes it, no brackets; "": unix */
	uint16_t port;                      /* of TCP; 0: any that is free */
	bool loopback;                      /* 127.0.0.0/8 or ::1; false for unix */
	bool wildcard;                      /* 0.0.0.0 or :: */
};

#define RP_LISTEN_ACCEPTED                                                                         \
	"accepted: addresses such as 127.0.0.1:8484, [::1]:8484 or unix:/run/runpost/door.sock"

/* "127.0.0.1:8484", "[::1]:8484", "unix:/absolute/path". Names are refused: one may mean several
 * addresses, and others tomorrow. NULL: well-formed; else what is wrong, in a static text that
 * says what to write instead where that can be told. */
const char *rp_listen_address_parse(struct rp_span text, struct rp_listen_address *out);

/* The same in its one spelling. Returns out. */
const char *rp_listen_address_format(const struct rp_listen_address *address,
				     char out[RP_LISTEN_TEXT_MAX]);

/* Whether the system gives only one of the two: they are the same, or one is all addresses of the
 * other's family, with the same port. Port 0 is always another. */
bool rp_listen_address_collides(const struct rp_listen_address *a,
				const struct rp_listen_address *b);

/* Whether only programs of this machine can come: loopback or a socket in the file system. */
bool rp_listen_address_is_local(const struct rp_listen_address *address);

#endif
