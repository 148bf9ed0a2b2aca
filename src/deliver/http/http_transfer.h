/* http_transfer.h - private to src/deliver/http: a request under way, and what was noted of it. */
#ifndef RP_DELIVER_HTTP_HTTP_TRANSFER_H
#define RP_DELIVER_HTTP_HTTP_TRANSFER_H

#include <curl/curl.h>

#include "net/redirect.h"
#include "sign/crypto_sessions.h"
#include "deliver/http/http.h"
#include "deliver/http/http_names.h"
#include "deliver/http/http_watch.h"

/* bytes of all response heads of a request, interim ones included */
#define RP_HTTP_HEAD_MAX ((size_t)64 << 10)
#define RP_HTTP_HEAD_LINES_MAX 200
#define RP_HTTP_RETRY_AFTER_MAX_MS ((int64_t)24 * 3600 * 1000)
#define RP_HTTP_KEPT_LIFE_S 300 /* a kept connection is as old as this at most */

enum rp_transfer_state {
	RP_TRANSFER_IDLE = 0,  /* in the pool */
	RP_TRANSFER_WAITING,   /* for another one's lookup of the same name */
	RP_TRANSFER_UNDER_WAY, /* its easy handle is in the multi handle */
	RP_TRANSFER_DECIDED,   /* its outcome waits to be handed out by run */
};

/* What the callbacks saw of one request; zeroed before each. */
struct rp_http_notes {
	enum rp_cause blocked; /* the guard's first refusal; RP_CAUSE_NONE: none */
	const char *blocked_rule;
	unsigned blocked_port;
	unsigned sockets; /* addresses the guard let pass and a socket was made for */
	int socket_errno; /* of a socket that could not be made */
	int family;       /* of the latest one that was */
	int watch_errno;  /* of a socket that epoll did not take */
	bool tls_began;   /* connected, and the handshake is next */
	/* connected, TLS included: from here on the receiver may have got the request */
	bool request_began;
	bool retried;  /* libcurl has begun the request on another connection before */
	bool unfit;    /* the kept connection was closed or not empty; nothing was written */
	bool surplus;  /* it was not empty, and the bytes were no farewell */
	bool withheld; /* the owner did not permit to write the request */
	/* the answer came before the receiver's host had a byte of the request */
	bool premature;
	bool looked_on; /* what lay unread at libcurl's end was looked at */
	bool unread;    /* the answer was found there, not by libcurl */
	bool answered;  /* a byte of a response head came */
	bool head_done; /* the empty line after the latest response head came */
	bool head_over; /* the heads broke RP_HTTP_HEAD_MAX or _LINES_MAX */
	bool body_over; /* the body broke RP_HTTP_BODY_MAX */
	size_t head_bytes, head_lines, body_bytes;
	unsigned status, version;   /* of the latest status line; 0: not to be read; 10, 11 */
	int64_t length;             /* its Content-Length; -1: none */
	bool lengths_differ, coded; /* two lengths that do; a Transfer-Encoding line */
	int64_t retry_after_s;      /* delta form; saturates */
	time_t retry_at, date;      /* HTTP-dates of the head; -1: none */
	enum rp_wish wish;          /* its webhook-delivery line */
	size_t location_bytes;      /* its Location, which is told and never followed; 0: none */
	char location[RP_LOCATION_MAX + 1]; /* last: what is behind its bytes is never cleared */
};

struct rp_http_kept;

/* What all transfers of an engine have in common. It outlives them and their connections. */
struct rp_http_shared {
	struct rp_http_watch watch;
	struct rp_http_kept *kept;
	struct rp_http_names *names;
	struct rp_tls_sessions *sessions;
};

struct rp_transfer {
	CURL *easy;
	struct rp_http_shared *shared;
	int fd; /* of the connection that the request went to; -1: not known */
	/* the latest sockets of IPv4 and IPv6: libcurl takes one, closes the other */
	int opened_fd[2];
	bool stalled;              /* libcurl gave up an address and has to be told to go on */
	bool repeated;             /* this is the second try of the attempt */
	bool written_before;       /* ... and the first one may have reached the receiver */
	bool fresh, forbids_reuse; /* as set in the easy handle */
	/* the first try's status, which the second one is to confirm; 0: none */
	unsigned doubted;
	int64_t spent_us;           /* by the first try, or waiting */
	bool waited;                /* it was begun later than at its start */
	int64_t started_ms;         /* ... which was then, on the boot clock */
	bool named;                 /* its host has a name, which may get another address */
	struct rp_http_name *leads; /* its lookup is also for others; NULL: it is not */
	struct rp_transfer *next;   /* in the pool or in the list of decided ones */
	struct rp_transfer *next_of_all;
	int64_t overdue_at_ms; /* on the boot clock: under way after it, it is lost */
	enum rp_transfer_state state;
	struct rp_request request;
	struct rp_http_notes notes;
	struct rp_outcome outcome;
	size_t body_at;             /* of a body that is read piece by piece: the next byte */
	struct rp_buf head;         /* the request's header lines, joined */
	struct curl_slist items[4]; /* what libcurl is given of them, linked in order */
	/* As they are set in the easy handle; "" and NULL: not yet. */
	char anchors_name[RP_TLS_NAME_MAX], identity_name[RP_TLS_NAME_MAX];
	char *pins;
	char *url_text; /* as it is set in the easy handle; NULL: none yet */
	CURLU *url;     /* the same, parsed; NULL: libcurl parses the text for each request */
	char error_text[CURL_ERROR_SIZE];
};

/* Whether the receiver may have got the request, by this try or one before it. */
static inline bool rp_transfer_was_written(const struct rp_transfer *t)
{
	return t->notes.request_began || t->notes.retried || t->written_before;
}

#endif
