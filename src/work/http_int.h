/* http_int.h - what the files of the HTTP engine share. Nobody else includes it.
 *
 * http.c: the multi handle, epoll, the pool, delivery of outcomes. http_request.c: one transfer's easy handle, its
 * options and the callbacks that watch it. http_head.c: lines of response heads -> notes. http_outcome.c: what libcurl
 * said and the callbacks noted -> struct rp_outcome. */
#ifndef RP_WORK_HTTP_INT_H
#define RP_WORK_HTTP_INT_H

#include <curl/curl.h>

#include "work/http.h"

#define RP_HTTP_HEAD_MAX ((size_t)64 << 10) /* bytes of all response heads of a request, interim ones included */
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
	unsigned sockets;   /* addresses the guard let pass and a socket was made for */
	int fds[2];         /* the latest socket of IPv4 and of IPv6, which libcurl may have closed; -1: none */
	int latest;         /* which of them is the younger */
	int socket_errno;   /* of a socket that could not be made */
	int watch_errno;    /* of a socket that epoll did not take */
	bool tls_began;     /* connected, and the handshake is next */
	bool request_began; /* connected, TLS included: from here on the receiver may have got the request */
	bool answered;      /* a byte of a response head came */
	bool head_done;     /* the empty line after the latest response head came */
	bool head_over;     /* the heads broke RP_HTTP_HEAD_MAX or _LINES_MAX */
	bool body_over;     /* the body broke RP_HTTP_BODY_MAX */
	size_t head_bytes, head_lines, body_bytes;
	int64_t retry_after_s; /* delta form; saturates */
	time_t retry_at, date; /* HTTP-dates of the head; -1: none */
	enum rp_wish wish;     /* its webhook-delivery line */
};

struct rp_transfer {
	CURL *easy;
	struct rp_transfer *next; /* in the pool or in the list of decided ones */
	struct rp_transfer *next_of_all;
	int64_t overdue_at_ms; /* on the boot clock: under way after it, it is lost */
	enum rp_transfer_state state;
	struct rp_request request;
	struct rp_http_notes notes;
	struct rp_outcome outcome;
	struct rp_buf head;         /* the request's header lines, joined */
	struct curl_slist items[4]; /* what libcurl is given of them, linked in order */
	/* As they are set in the easy handle; "" and NULL: not yet. */
	char anchors_name[RP_TLS_NAME_MAX], identity_name[RP_TLS_NAME_MAX];
	char *pins;
	char *url_text; /* as it is set in the easy handle; NULL: none yet */
	CURLU *url;     /* the same, parsed; NULL: libcurl parses the text for each request */
	char error_text[CURL_ERROR_SIZE];
};

/* http_request.c. A transfer with the options that never change; NULL: out of memory. */
struct rp_transfer *rp_transfer_new(void);
void rp_transfer_free(struct rp_transfer *t); /* must not be in a multi handle */
/* Sets what `request` asks for. RP_ERR_NOMEM, RP_ERR_INVAL: nothing is under way, the transfer stays usable. */
enum rp_err rp_transfer_prepare(struct rp_transfer *t, const struct rp_request *request, struct rp_error *err);

/* http_head.c. Forgets what an earlier head said. */
void rp_http_notes_begin(struct rp_http_notes *notes);
/* A line of any head of the response, with its line end: interim (1xx) ones, the final one, and trailers
 * after the body. false: the heads are over their bounds. */
bool rp_http_notes_line(struct rp_http_notes *notes, struct rp_span line);
/* What the final head asked for, in [0, 24 h]; 0: nothing. A date is held against the receiver's own clock where it tells
 * it: a skewed one would shift every retry. */
int64_t rp_http_retry_after_ms(const struct rp_http_notes *notes, int64_t now_at_ms);

/* http_outcome.c. Fill t->outcome: from libcurl's verdict, or without libcurl having had a say. */
void rp_transfer_judge(struct rp_transfer *t, CURLcode rc);
void rp_transfer_decide(struct rp_transfer *t, enum rp_cause cause, const char *detail);

#endif
