/* http_request.c - makes one transfer, with its options and callbacks. It is apart so that all
 * options of a libcurl handle are set in one file, but for those of the body. */

#include "deliver/http/http_request.h"

#include <arpa/inet.h>
#include <errno.h>
#include <limits.h>
#include <netinet/in.h>
#include <poll.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/sys.h"
#include "deliver/http/http_body.h"
#include "deliver/http/http_head.h"
#include "deliver/http/http_kept.h"
#include "deliver/http/http_outcome.h"
#include "deliver/http/http_unread.h"

#define URL_FLAGS                                                                                  \
	(CURLU_GUESS_SCHEME | CURLU_NON_SUPPORT_SCHEME | CURLU_DISALLOW_USER | CURLU_PATH_AS_IS)
#define EXPECTS_BYTES ((size_t)64 << 10) /* well below the 1 MiB */

/* Only the first refusal is noted: later addresses of the same name are seldom better. */
static bool guard_lets_pass(struct rp_transfer *t, const struct sockaddr *sa, socklen_t len,
			    unsigned port)
{
	const char *rule = NULL;
	enum rp_cause cause = rp_guard_address(t->request.guard, sa, len, &rule);

	if (cause == RP_CAUSE_NONE)
		return true;
	if (t->notes.blocked == RP_CAUSE_NONE) {
		t->notes.blocked = cause;
		t->notes.blocked_rule = rule;
		t->notes.blocked_port = port;
	}
	return false;
}

static unsigned port_of(const struct sockaddr *sa, socklen_t len)
{
	struct sockaddr_in in;
	struct sockaddr_in6 in6;

	if (sa->sa_family == AF_INET && len >= sizeof in) {
		memcpy(&in, sa, sizeof in);
		return ntohs(in.sin_port);
	}
	if (sa->sa_family == AF_INET6 && len >= sizeof in6) {
		memcpy(&in6, sa, sizeof in6);
		return ntohs(in6.sin6_port);
	}
	return 0;
}

/* Drops what was noted of a kept connection that turned out dead. */
static void answer_forget(struct rp_transfer *t)
{
	t->notes.looked_on = t->notes.unread = t->notes.answered = false;
	t->outcome.response_bytes = 0;
	rp_http_notes_begin(&t->notes);
}

/* The address is the one that is connected to: no name is looked up between this check and the
 * connect. */
static curl_socket_t on_open_socket(void *arg, curlsocktype purpose, struct curl_sockaddr *address)
{
	struct rp_transfer *t = arg;
	size_t bytes;
	int fd;

	(void)purpose;
	/* libcurl repeats a request by itself when a kept connection turns out dead: then all
	 * starts over. */
	t->notes.retried = t->notes.retried || t->notes.request_began;
	t->notes.tls_began = t->notes.request_began = false;
	t->outcome.peer[0] = '\0';
	answer_forget(t);
	rp_http_names_found(t->shared->names, t, rp_sys_boot_ms(&rp_sys_real));
	if (!guard_lets_pass(t, &address->addr, address->addrlen,
			     port_of(&address->addr, address->addrlen)))
		return CURL_SOCKET_BAD;
	fd = socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
	if (fd < 0) {
		/* A host without IPv6 is no trouble of ours, only one address less. */
		if (errno != EAFNOSUPPORT)
			t->notes.socket_errno = errno;
		return CURL_SOCKET_BAD;
	}
	t->notes.sockets++;
	t->notes.family = address->family;
	t->opened_fd[address->family == AF_INET6] = fd;
	rp_http_watch_note_opened(&t->shared->watch, fd, t,
				  rp_http_receiver(t->request.url, &bytes));
	return fd;
}

/* Also at the engine's end. */
static int on_close_socket(void *arg, curl_socket_t fd)
{
	struct rp_http_shared *shared = arg;

	rp_http_watch_note_closing(&shared->watch, fd);
	rp_http_kept_forget(shared->kept, fd);
	return close(fd);
}

static void peer_set(struct rp_transfer *t, const char *ip, unsigned port)
{
	struct rp_writer w = rp_writer_of(t->outcome.peer, sizeof t->outcome.peer - 1);
	char digits[RP_DECIMAL_MAX];
	const char *port_text = rp_decimal(port, digits);
	bool v6 = strchr(ip, ':') != NULL;

	memset(t->outcome.peer, 0, sizeof t->outcome.peer);
	rp_put_bytes(&w, "[", v6 ? 1 : 0);
	rp_put_bytes(&w, ip, strlen(ip));
	rp_put_bytes(&w, v6 ? "]:" : ":", v6 ? 2 : 1);
	rp_put_bytes(&w, port_text, strlen(port_text));
}

static bool peer_ask(struct rp_transfer *t, int fd)
{
	union {
		struct sockaddr any;
		struct sockaddr_in in;
		struct sockaddr_in6 in6;
	} sa;
	socklen_t len = sizeof sa;
	char ip[INET6_ADDRSTRLEN];
	const void *bytes = &sa.in.sin_addr;

	if (fd < 0 || getpeername(fd, &sa.any, &len) != 0 || len > sizeof sa)
		return false;
	if (sa.any.sa_family == AF_INET6)
		bytes = &sa.in6.sin6_addr;
	if (inet_ntop(sa.any.sa_family, bytes, ip, sizeof ip) == NULL)
		return false;
	peer_set(t, ip, port_of(&sa.any, len));
	return true;
}

/* libcurl tells the address of a failed handshake up to 7.88 at least, and not from 8.14 on at the
 * latest. So the socket is asked: the younger one, unless it has lost the race for the connection
 * and is closed. */
static void peer_note(struct rp_transfer *t)
{
	bool v6 = t->notes.family == AF_INET6;

	if (!peer_ask(t, t->opened_fd[v6]))
		peer_ask(t, t->opened_fd[!v6]);
}

/* A session is resumed only where a kept connection would have been used: with the same receiver,
 * in the same spelling, and with the same anchors, identity, pins and least version. A line end
 * stands in none of them. */
static bool sessions_apply(struct rp_transfer *t, void *ssl_ctx)
{
	const struct rp_request *r = &t->request;
	const char *const texts[] = {rp_tls_anchors_name(r->anchors),
				     rp_tls_identity_name(r->identity),
				     r->pins != NULL ? r->pins : "", r->tls_min == 13 ? "13" : ""};
	struct rp_span parts[2 * (sizeof texts / sizeof texts[0]) + 1];
	size_t i, n = 0, bytes;

	for (i = 0; i < sizeof texts / sizeof texts[0]; i++) {
		parts[n++] = rp_span_of(texts[i]);
		parts[n++] = rp_span_of("\n");
	}
	rp_http_receiver(r->url, &bytes);
	parts[n++] = (struct rp_span){r->url, bytes};
	return rp_tls_sessions_apply(t->shared->sessions, ssl_ctx, parts, n);
}

/* Each connection has an SSL_CTX of its own. libcurl would load certificates for it from files;
 * they were loaded and checked with the configuration. */
static CURLcode on_tls(CURL *easy, void *ssl_ctx, void *arg)
{
	struct rp_transfer *t = arg;

	(void)easy;
	t->notes.tls_began = true;
	peer_note(t);
	if (!rp_tls_apply(ssl_ctx, t->request.anchors, t->request.identity))
		return CURLE_SSL_CERTPROBLEM;
	return sessions_apply(t, ssl_ctx) ? CURLE_OK : CURLE_OUT_OF_MEMORY;
}

/* The owner permitted the request at its start. On a kept connection that is now; later, ask
 * again. */
static bool has_permission(struct rp_transfer *t)
{
	const struct rp_request *r = &t->request;
	bool later =
	    t->waited || t->notes.sockets > 0 || t->notes.request_began || t->notes.retried;

	t->notes.withheld = later && r->may_write != NULL && !r->may_write(r->owner);
	return !t->notes.withheld;
}

static void request_begins(struct rp_transfer *t)
{
	t->notes.retried = t->notes.retried || t->notes.request_began;
	t->notes.request_began = true;
	t->error_text[0] = '\0';
	answer_forget(t);
}

/* Runs before the request is written, on reused connections, too: these were opened under the
 * policy of another request. */
static int on_connected(void *arg, char *peer_ip, char *local_ip, int peer_port, int local_port)
{
	struct rp_transfer *t = arg;
	struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons((uint16_t)peer_port)};
	struct sockaddr_in6 in6 = {.sin6_family = AF_INET6,
				   .sin6_port = htons((uint16_t)peer_port)};
	/* what cannot be read is a family the guard blocks */
	struct sockaddr_storage sa = {.ss_family = AF_UNSPEC};
	socklen_t len = sizeof sa;
	struct rp_http_ends ends = {local_ip, peer_ip, local_port, peer_port};
	char ip[INET6_ADDRSTRLEN] = "";
	size_t n = strcspn(peer_ip, "%");

	rp_http_names_leave(t->shared->names, t); /* a kept connection needs no address */
	peer_set(t, peer_ip, (unsigned)peer_port);
	if (n < sizeof ip)
		memcpy(ip, peer_ip, n);
	if (inet_pton(AF_INET, ip, &in.sin_addr) == 1)
		memcpy(&sa, &in, len = sizeof in);
	else if (inet_pton(AF_INET6, ip, &in6.sin6_addr) == 1)
		memcpy(&sa, &in6, len = sizeof in6);
	if (!guard_lets_pass(t, (const struct sockaddr *)&sa, len, (unsigned)peer_port))
		return CURL_PREREQFUNC_ABORT;
	if (!rp_http_kept_is_fit(t, &ends) || !has_permission(t))
		return CURL_PREREQFUNC_ABORT;
	rp_http_watch_note_used(&t->shared->watch, t->fd, t);
	request_begins(t);
	return CURL_PREREQFUNC_OK;
}

static CURLcode forbid_reuse(struct rp_transfer *t, bool forbid)
{
	CURLcode rc = CURLE_OK;

	if (t->forbids_reuse != forbid)
		rc = curl_easy_setopt(t->easy, CURLOPT_FORBID_REUSE, (long)forbid);
	if (rc == CURLE_OK)
		t->forbids_reuse = forbid;
	return rc;
}

/* libcurl asks at the transfer's end whether the connection may be kept. */
static size_t on_header(char *data, size_t size, size_t n, void *arg)
{
	struct rp_transfer *t = arg;
	struct rp_span line = {data, size * n};

	if (!t->notes.answered && rp_http_kept_is_premature(t)) {
		t->notes.premature = true;
		return 0;
	}
	if (!rp_http_notes_line(&t->notes, line))
		return 0;
	if (t->notes.head_done && rp_http_notes_end_is_open(&t->notes) &&
	    forbid_reuse(t, true) != CURLE_OK)
		return 0;
	return line.len;
}

static bool has_final_head_begun(const struct rp_http_notes *notes)
{
	return notes->answered && !(notes->head_done && notes->status < 200);
}

/* libcurl writes its message first, but only one for each transfer, repeated or not. */
static bool has_failed(const struct rp_transfer *t)
{
	struct pollfd p = {.fd = t->fd};

	return t->error_text[0] != '\0' || (t->notes.retried && poll(&p, 1, 0) > 0);
}

/* The last call before libcurl closes the connection of a request that failed. */
static int on_progress(void *arg, curl_off_t down_all, curl_off_t down, curl_off_t up_all,
		       curl_off_t up)
{
	struct rp_transfer *t = arg;

	(void)down_all;
	(void)down;
	(void)up_all;
	(void)up;
	if (t->notes.request_began && !t->notes.looked_on && !has_final_head_begun(&t->notes) &&
	    has_failed(t))
		rp_transfer_read_on(t);
	return 0;
}

static size_t on_body(char *data, size_t size, size_t n, void *arg)
{
	struct rp_transfer *t = arg;
	size_t bytes = size * n, kept = t->outcome.response_bytes,
	       room = RP_RESPONSE_HEAD_MAX - kept;

	memcpy(t->outcome.response + kept, data, bytes < room ? bytes : room);
	t->outcome.response_bytes += bytes < room ? bytes : room;
	t->notes.body_bytes += bytes;
	if (t->notes.body_bytes > RP_HTTP_BODY_MAX) {
		t->notes.body_over = true;
		return 0;
	}
	return bytes;
}

#define SET(option, value) ((rc = curl_easy_setopt(easy, (option), (value))) == CURLE_OK)

static CURLcode set_callbacks(CURL *easy, struct rp_transfer *t)
{
	CURLcode rc;

	(void)(SET(CURLOPT_PRIVATE, t) && SET(CURLOPT_HTTPHEADER, t->items) &&
	       SET(CURLOPT_ERRORBUFFER, t->error_text) &&
	       SET(CURLOPT_OPENSOCKETFUNCTION, on_open_socket) && SET(CURLOPT_OPENSOCKETDATA, t) &&
	       SET(CURLOPT_CLOSESOCKETFUNCTION, on_close_socket) &&
	       SET(CURLOPT_CLOSESOCKETDATA, t->shared) &&
	       SET(CURLOPT_PREREQFUNCTION, on_connected) && SET(CURLOPT_PREREQDATA, t) &&
	       SET(CURLOPT_HEADERFUNCTION, on_header) && SET(CURLOPT_HEADERDATA, t) &&
	       SET(CURLOPT_WRITEFUNCTION, on_body) && SET(CURLOPT_WRITEDATA, t) &&
	       SET(CURLOPT_XFERINFOFUNCTION, on_progress) && SET(CURLOPT_XFERINFODATA, t) &&
	       SET(CURLOPT_NOPROGRESS, 0L) && SET(CURLOPT_SSL_CTX_FUNCTION, on_tls) &&
	       SET(CURLOPT_SSL_CTX_DATA, t));
	return rc;
}

/* QUICK_EXIT: without it the end of a transfer waits for its resolver thread, and a dead name
 * server stops the loop for seconds. CAINFO NULL: on_tls brings the anchors, parsed; libcurl would
 * parse them for each connection or, from a file, keep them for a day, whatever becomes of the
 * file. SESSIONID_CACHE: on_tls brings the sessions, too. DNS_CACHE_TIMEOUT: a request would look
 * through all names for those to be forgotten; sweeps do. HTTP/1.1: many small hosts gain nothing
 * from h2 streams, and 7.88's h2 fails the second request on a connection. */
static CURLcode set_constants(CURL *easy)
{
	CURLcode rc;

	(void)(SET(CURLOPT_NOSIGNAL, 1L) && SET(CURLOPT_QUICK_EXIT, 1L) &&
	       SET(CURLOPT_PROTOCOLS_STR, "http,https") && SET(CURLOPT_FOLLOWLOCATION, 0L) &&
	       SET(CURLOPT_PROXY, "") && SET(CURLOPT_NOPROXY, "*") &&
	       SET(CURLOPT_NETRC, (long)CURL_NETRC_IGNORED) &&
	       SET(CURLOPT_DISALLOW_USERNAME_IN_URL, 1L) && SET(CURLOPT_PATH_AS_IS, 1L) &&
	       SET(CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1) &&
	       SET(CURLOPT_HTTP09_ALLOWED, 0L) && SET(CURLOPT_TCP_NODELAY, 1L) &&
	       SET(CURLOPT_MAXAGE_CONN, (long)RP_HTTP_KEPT_IDLE_S) &&
	       SET(CURLOPT_MAXLIFETIME_CONN, (long)RP_HTTP_KEPT_LIFE_S) &&
	       SET(CURLOPT_SSL_VERIFYPEER, 1L) && SET(CURLOPT_SSL_VERIFYHOST, 2L) &&
	       SET(CURLOPT_SSL_SESSIONID_CACHE, 0L) && SET(CURLOPT_DNS_CACHE_TIMEOUT, -1L) &&
	       SET(CURLOPT_CAINFO, NULL));
	return rc;
}

struct rp_transfer *rp_transfer_new(struct rp_http_shared *shared)
{
	struct rp_transfer *t = calloc(1, sizeof *t);

	if (t == NULL)
		return NULL;
	t->shared = shared;
	t->easy = curl_easy_init();
	if (t->easy == NULL || set_callbacks(t->easy, t) != CURLE_OK ||
	    set_constants(t->easy) != CURLE_OK) {
		rp_transfer_free(t);
		return NULL;
	}
	return t;
}

void rp_transfer_free(struct rp_transfer *t)
{
	curl_easy_cleanup(t->easy);
	free(t->pins);
	rp_buf_release(&t->head);
	free(t->url_text);
	curl_url_cleanup(t->url);
	free(t);
}

/* libcurl looks at the first name of a list item and prints the rest as it is, at some hundred
 * instructions for each item; so all lines go into one, joined by line ends. None of them has a
 * name that libcurl looks for, but the first may. Items that end in a colon take away what libcurl
 * would add by itself; 7.88 expects a "100 Continue" for bodies over 1 MiB. */
static bool head_set(struct rp_transfer *t, const struct rp_request *request)
{
	static const char accept[] = "Accept:", expect[] = "Expect:", type[] = "Content-Type:";
	bool typed =
	    /* by the caller */
	    request->n_headers > 0 && strncasecmp(request->headers[0], type, sizeof type - 1) == 0;
	const char *items[4];
	size_t i, bytes, n = 0;

	rp_buf_clear(&t->head);
	for (i = 0; i < request->n_headers; i++) {
		bytes = strlen(request->headers[i]);
		assert(memchr(request->headers[i], '\r', bytes) == NULL &&
		       memchr(request->headers[i], '\n', bytes) == NULL);
		if ((i > 0 && !rp_buf_add(&t->head, "\r\n", 2)) ||
		    !rp_buf_add(&t->head, request->headers[i], bytes))
			return false;
	}
	if (request->n_headers > 0)
		items[n++] = t->head.data;
	items[n++] = accept;
	if (!typed)
		items[n++] = type;
	if (request->body.len > EXPECTS_BYTES)
		items[n++] = expect;
	for (i = 0; i < n; i++) {
		t->items[i].data = (char *)(uintptr_t)items[i];
		t->items[i].next = i + 1 < n ? &t->items[i + 1] : NULL;
	}
	return true;
}

/* libcurl gives a request a kept connection or session only if its TLS options are those that it
 * began with; of what on_tls does it knows nothing. So an option tells it: CAPATH, a directory of
 * certificates, which on_tls takes out again with the store that libcurl has put it into. There is
 * none of the name, so that nobody would be believed if it stayed. */
static CURLcode credentials_set(struct rp_transfer *t, const char *anchors, const char *identity)
{
	CURL *easy = t->easy;
	char path[2 * RP_TLS_NAME_MAX + 16];
	CURLcode rc;

	snprintf(path, sizeof path, "/nonexistent/%s-%s", anchors, identity);
	if (SET(CURLOPT_CAPATH, path)) {
		snprintf(t->anchors_name, sizeof t->anchors_name, "%s", anchors);
		snprintf(t->identity_name, sizeof t->identity_name, "%s", identity);
	}
	return rc;
}

static CURLcode pins_set(struct rp_transfer *t, const char *pins)
{
	CURL *easy = t->easy;
	char *copy = pins != NULL ? strdup(pins) : NULL;
	CURLcode rc;

	if (pins != NULL && copy == NULL)
		return CURLE_OUT_OF_MEMORY;
	if (!SET(CURLOPT_PINNEDPUBLICKEY, pins)) {
		free(copy);
		return rc;
	}
	free(t->pins);
	t->pins = copy;
	return CURLE_OK;
}

/* Most transfers serve endpoints without TLS settings of their own, so nothing is set unless it
 * changes. */
static CURLcode tls_set(struct rp_transfer *t, const struct rp_request *request)
{
	const char *anchors, *identity;
	CURLcode rc = CURLE_OK;

	if (strncasecmp(request->url, "https:", 6) != 0)
		return CURLE_OK; /* what is set is for the next URL that needs it */
	anchors = rp_tls_anchors_name(request->anchors);
	identity = rp_tls_identity_name(request->identity);

	if (strcmp(anchors, t->anchors_name) != 0 || strcmp(identity, t->identity_name) != 0)
		rc = credentials_set(t, anchors, identity);
	if (rc == CURLE_OK && !rp_text_is_same(request->pins, t->pins))
		rc = pins_set(t, request->pins);
	if (rc != CURLE_OK)
		return rc;
	return curl_easy_setopt(
	    t->easy, CURLOPT_SSLVERSION,
	    (long)(request->tls_min == 13 ? CURL_SSLVERSION_TLSv1_3 : CURL_SSLVERSION_TLSv1_2));
}

/* A transfer often serves the same URL again. libcurl would parse the text for every request; a
 * parsed one it copies. The flags are those with which it would parse it: what it refuses now is
 * left to it, to be refused in its words. */
static CURLcode url_set(struct rp_transfer *t, const char *url)
{
	CURL *easy = t->easy;
	char *copy;
	CURLcode rc;

	if (rp_text_is_same(url, t->url_text))
		return CURLE_OK;
	copy = strdup(url);
	if (copy == NULL)
		return CURLE_OUT_OF_MEMORY;
	free(t->url_text);
	t->url_text = NULL;
	curl_url_cleanup(t->url);
	t->url = curl_url();
	if (t->url != NULL && curl_url_set(t->url, CURLUPART_URL, url, URL_FLAGS) != CURLUE_OK) {
		curl_url_cleanup(t->url);
		t->url = NULL;
	}
	if (!SET(CURLOPT_CURLU, t->url) || !SET(CURLOPT_URL, url)) {
		free(copy);
		return rc;
	}
	t->url_text = copy;
	return CURLE_OK;
}

static long curl_ms(int64_t ms)
{
	assert(ms > 0); /* 0 would mean "for ever" to libcurl */
	return ms < INT_MAX ? (long)ms : INT_MAX;
}

/* After surplus bytes, a receiver gets each request on a connection of its own. */
static CURLcode reuse_set(struct rp_transfer *t, bool fresh, bool forbid)
{
	CURLcode rc = CURLE_OK;

	if (t->fresh != fresh)
		rc = curl_easy_setopt(t->easy, CURLOPT_FRESH_CONNECT, (long)fresh);
	if (rc == CURLE_OK)
		t->fresh = fresh;
	return rc == CURLE_OK ? forbid_reuse(t, forbid) : rc;
}

enum rp_err rp_transfer_prepare(struct rp_transfer *t, const struct rp_request *request,
				struct rp_error *err)
{
	CURL *easy = t->easy;
	bool alone;
	CURLcode rc;

	memset(&t->notes, 0, offsetof(struct rp_http_notes, location));
	memset(&t->outcome, 0, sizeof t->outcome);
	t->error_text[0] = '\0';
	t->request = *request;
	t->fd = t->opened_fd[0] = t->opened_fd[1] = -1;
	t->repeated = t->written_before = t->stalled = t->waited = false;
	t->doubted = 0;
	t->spent_us = 0;
	rp_http_notes_begin(&t->notes);
	if (!head_set(t, request))
		return rp_fail(err, RP_ERR_NOMEM, "no memory for %zu header lines of a request",
			       request->n_headers);
	alone = rp_http_kept_has_surplus(t->shared->kept, request->url);
	rc = url_set(t, request->url);
	if (rc == CURLE_OK)
		rc = rp_http_body_set(t);
	if (rc == CURLE_OK && SET(CURLOPT_TIMEOUT_MS, curl_ms(request->timeout_ms)) &&
	    SET(CURLOPT_CONNECTTIMEOUT_MS, curl_ms(request->connect_timeout_ms)))
		rc = tls_set(t, request);
	if (rc == CURLE_OK)
		rc = reuse_set(t, alone, alone);
	if (rc == CURLE_OK)
		return RP_OK;
	return rp_fail(err, rc == CURLE_OUT_OF_MEMORY ? RP_ERR_NOMEM : RP_ERR_INVAL,
		       "cannot prepare a request: %s", curl_easy_strerror(rc));
}

bool rp_transfer_prepare_waited(struct rp_transfer *t, int64_t waited_ms)
{
	int64_t left_ms = t->request.timeout_ms - waited_ms;
	int64_t connect_ms = t->request.connect_timeout_ms - waited_ms;
	CURL *easy = t->easy;
	CURLcode rc;

	t->waited = true;
	t->spent_us = waited_ms * 1000;
	return SET(CURLOPT_TIMEOUT_MS, curl_ms(left_ms > 0 ? left_ms : 1)) &&
	       SET(CURLOPT_CONNECTTIMEOUT_MS, curl_ms(connect_ms > 0 ? connect_ms : 1));
}

bool rp_transfer_prepare_again(struct rp_transfer *t)
{
	struct rp_request rest = t->request;
	int64_t spent_us = t->outcome.duration_us;
	bool written = rp_transfer_was_written(t);
	unsigned doubted = rp_transfer_is_final_refusal(t) ? t->outcome.http_status : 0;

	rest.timeout_ms -= spent_us / 1000;
	if (rest.timeout_ms < 1)
		rest.timeout_ms = 1;
	if (rp_transfer_prepare(t, &rest, NULL) != RP_OK ||
	    reuse_set(t, true, t->forbids_reuse) != CURLE_OK)
		return false;
	t->repeated = true;
	t->written_before = written;
	t->doubted = doubted;
	t->spent_us = spent_us;
	return true;
}
