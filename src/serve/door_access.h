/* door_access.h - who may come in: Host, signs of a browser, loops, peers and tokens. Pure; who the
 * peer of a connection is, peer.h asks.
 *
 * A web page that somebody looks at can make its browser POST to 127.0.0.1. It cannot leave out
 * Origin or Sec-Fetch-Site then, and a name of its own that it points at us stays in Host. So
 * those are judged whatever the credentials. */
#ifndef RP_SERVE_DOOR_ACCESS_H
#define RP_SERVE_DOOR_ACCESS_H

#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>

#include "net/url.h"
#include "serve/door_route.h"
#include "serve/token_list.h"

/* Of TCP. IPv4 as mapped into IPv6. */
struct rp_door_address {
	unsigned char ip[16];
	uint16_t port;
};

/* false: it is no address of IPv4 or IPv6. */
bool rp_door_address_of(const struct sockaddr *sa, struct rp_door_address *out);
bool rp_door_address_is_loopback(const struct rp_door_address *a);

/* The other end of a connection. */
struct rp_door_peer {
	bool unix_socket; /* it came by one; else TCP */
	bool loopback;    /* TCP, and both ends are loopback addresses */
	bool known;       /* uid is that of its process, as the kernel tells it */
	bool unasked;     /* not known, for a lack of means that may pass: asked again it may be */
	uid_t uid;
	pid_t pid;                            /* 0: not known */
	struct rp_door_address local, remote; /* TCP: of our end and of its */
};

/* Which Host names are ours. Borrowed. */
struct rp_door_hosts {
	const struct rp_door_address *own; /* of the listeners of TCP */
	size_t n_own;
	/* [door] hosts: "name" answers with any port, "name:port" with this one; an address of IPv6
	 * is in brackets */
	const char *const *names;
	size_t n_names;
};

/* Each of these is true, or false with *no filled. */

/* 421 host. Ours are: on a unix socket any; `names`; the address of a listener with its port, which
 * may be left out when it is 80; likewise localhost where a listener is on a loopback address or on
 * all; and the address that the connection came to, with any port: somebody else's page cannot have
 * it in its URL. */
bool rp_door_judge_host(const struct rp_door_hosts *hosts, const struct rp_door_peer *peer,
			const struct rp_http_request *request, struct rp_door_refusal *no);

/* 403 cross_site: there is an Origin, or a Sec-Fetch-Site other than none and same-origin. */
bool rp_door_judge_browser(const struct rp_http_request *request, struct rp_door_refusal *no);

/* 508 loop: a sender of an outbox sends this. */
bool rp_door_judge_loop(const struct rp_http_request *request, struct rp_door_refusal *no);

/* 415 content_encoding. */
bool rp_door_judge_encoding(const struct rp_http_request *request, struct rp_door_refusal *no);

/* Whether a webhook URL leads to the door itself: to a listener, or to one of `names` with a path
 * under which the door takes runs. What a name of the DNS leads to, it does not know. */
bool rp_door_is_own_url(const struct rp_door_hosts *hosts, const struct rp_url *url);
/* Fills *no with what such a run gets: 508 loop. */
bool rp_door_refuse_own_url(struct rp_door_refusal *no);

/* Who may come. Borrowed. */
struct rp_door_callers {
	const uid_t *users; /* without a token, over a unix socket or loopback */
	size_t n_users;
	const struct rp_token_list *tokens; /* of token_file; NULL or empty: none */
};

enum rp_door_credential {
	RP_DOOR_BY_NONE = 0,
	RP_DOOR_BY_PEER,   /* the peer's uid */
	RP_DOOR_BY_BEARER, /* Authorization: Bearer */
	RP_DOOR_BY_QUERY,  /* runpost_token */
};

/* 401 unauthorized; 503 busy when a peer that could not be asked about may be one of the users:
 * engines do not send again what had a 401. The peer's uid counts first, unless the request came
 * through a proxy (Forwarded, X-Forwarded-*, X-Real-IP, Via): who may use a local proxy is not its
 * owner. Then a bearer token, then that of the query. *by tells which it was. */
bool rp_door_judge_access(const struct rp_door_callers *callers, const struct rp_door_peer *peer,
			  const struct rp_http_request *request, const struct rp_door_ask *ask,
			  enum rp_door_credential *by, struct rp_door_refusal *no);

#endif
