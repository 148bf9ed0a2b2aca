/* http_int.h - what the files of the HTTP engine share. Nobody else includes it.
 *
 * http.c: the multi handle, epoll, the pool, delivery of outcomes. http_request.c: one transfer's
 * easy handle, its options and the callbacks that watch it. http_body.c: its body. http_kept.c:
 * whether a connection may be used again. http_head.c: lines of response heads -> notes.
 * http_unread.c: the answer that libcurl left in the socket. http_outcome.c: what libcurl said and
 * the callbacks noted -> struct rp_outcome, and whether that decides the attempt. http_lack.c:
 * whether it was for want of something of ours. http_detail.c: an outcome's words. */
#ifndef RP_DELIVER_HTTP_HTTP_INT_H
#define RP_DELIVER_HTTP_HTTP_INT_H

#include <curl/curl.h>

#include "net/redirect.h"
#include "deliver/http/http.h"

/* bytes of all response heads of a request, interim ones included */
#define RP_HTTP_HEAD_MAX ((size_t)64 << 10)
#define RP_HTTP_HEAD_LINES_MAX 200
#define RP_HTTP_RETRY_AFTER_MAX_MS ((int64_t)24 * 3600 * 1000)

enum rp_transfer_state {
	RP_TRANSFER_IDLE = 0,  /* in the pool */
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
	bool retried; /* libcurl has begun the request on another connection before */
	/* the kept connection was found closed or not empty: nothing was written */
	bool unfit;
	bool surplus;  /* it was the latter, and the bytes were no farewell */
	bool withheld; /* the owner gave no leave to write it */
	/* the answer came before the receiver's host had a byte of the request */
	bool foreign;
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

struct rp_transfer {
	CURL *easy;
	struct rp_http_kept *kept; /* the engine's */
	int fd;                    /* of the connection that the request went to; -1: not known */
	/* the latest sockets of IPv4 and IPv6: libcurl takes one, closes the other */
	int opened_fd[2];
	bool stalled;              /* libcurl gave up an address and has to be told to go on */
	bool again;                /* this is the second try of the attempt */
	bool written_before;       /* ... and the first one may have reached the receiver */
	bool fresh, forbids_reuse; /* as set in the easy handle */
	/* the first try's status, which the second one is to confirm; 0: none */
	unsigned doubted;
	int64_t spent_us;         /* by the first try */
	struct rp_transfer *next; /* in the pool or in the list of decided ones */
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

/* http_request.c. A transfer with the options that never change; NULL: out of memory. */
struct rp_transfer *rp_transfer_new(struct rp_http_kept *kept);
void rp_transfer_free(struct rp_transfer *t); /* must not be in a multi handle */
/* Sets what `request` asks for. RP_ERR_NOMEM, RP_ERR_INVAL: nothing is under way, the transfer
 * stays usable. */
enum rp_err rp_transfer_prepare(struct rp_transfer *t, const struct rp_request *request,
				struct rp_error *err);
/* The same request once more, on a connection of its own, in the time that is left. false: out of
 * memory; t->outcome says nothing. */
bool rp_transfer_prepare_again(struct rp_transfer *t);

/* http_kept.c. What an engine of so many connections knows of those it keeps; NULL: out of
 * memory. */
struct rp_http_kept *rp_http_kept_new(unsigned connections);
void rp_http_kept_free(struct rp_http_kept *kept);

/* The two ends of a connection, as libcurl tells them. */
struct rp_http_ends {
	const char *local_ip, *peer_ip;
	int local_port, peer_port;
};
/* The TLS session of the connection under way: OpenSSL's SSL; NULL: none. Within callbacks only. */
void *rp_transfer_tls(struct rp_transfer *t);
/* A connected transfer is about to write its request: finds t->fd, and looks whether a kept
 * connection is as the last answer should have left it, open and empty. false: it is not
 * (notes->unfit). */
bool rp_http_kept_is_fit(struct rp_transfer *t, const struct rp_http_ends *ends);
/* The first line of an answer on a kept connection has come: whether it came before its receiver's
 * host had confirmed a byte of the request (RFC 9293, 3.4), and so answers something else. Known
 * of requests that are written at once. */
bool rp_http_kept_is_foreign(const struct rp_transfer *t);

/* Receivers (scheme, host, port) that sent bytes nobody asked for: an hour long their connections
 * are not kept. */
bool rp_http_spills(const struct rp_http_kept *kept, const char *url);
void rp_http_spill_note(struct rp_http_kept *kept, const char *url);

/* http_body.c. The body of t->request. */
CURLcode rp_http_body_set(struct rp_transfer *t);

/* http_head.c. Forgets what an earlier head said. */
void rp_http_notes_begin(struct rp_http_notes *notes);
/* A line of any head of the response, with its line end: interim (1xx) ones, the final one, and
 * trailers after the body. false: the heads are over their bounds. */
bool rp_http_notes_line(struct rp_http_notes *notes, struct rp_span line);
/* Whether the latest head leaves open where its body ends: then what follows may be read as
 * another answer (RFC 9112, 6.3 and 11.2). Such an answer is what its head says, and the
 * connection's last. */
bool rp_http_notes_end_is_open(const struct rp_http_notes *notes);
/* What the final head asked for, in [0, 24 h]; 0: nothing. A date is held against the receiver's
 * own clock where it tells it: a skewed one would shift every retry. */
int64_t rp_http_retry_after_ms(const struct rp_http_notes *notes, int64_t now_at_ms);

/* http_unread.c. libcurl has failed and is about to close the connection: a complete answer that
 * lies there unread is taken into the notes and the outcome. */
void rp_transfer_read_on(struct rp_transfer *t);

/* http_detail.c. For logs and tools: without control bytes, and without what the URL's query
 * carries. Decide: the outcome, without libcurl having had a say. */
void rp_transfer_set_detail(struct rp_transfer *t, const char *text);
void rp_transfer_decide(struct rp_transfer *t, enum rp_cause cause, const char *detail);

/* http_outcome.c. Fills t->outcome from libcurl's verdict. */
void rp_transfer_judge(struct rp_transfer *t, CURLcode rc);
/* Of a judged one: whether what came on a kept connection decides nothing, so that the request is
 * to be made again. */
bool rp_transfer_is_undecided(const struct rp_transfer *t);
/* Of a judged one: an answer that would end the entry or the endpoint. */
bool rp_transfer_is_final_refusal(const struct rp_transfer *t);

/* http_lack.c. Makes the outcome RP_CAUSE_LOCAL with a lack where the failure was for want of
 * something of ours, or of the owner's leave, before the request began. Decide local: the transfer
 * is broken off for trouble of ours. */
void rp_transfer_note_lack(struct rp_transfer *t, CURLcode rc);
void rp_transfer_decide_local(struct rp_transfer *t, const char *detail);

#endif
