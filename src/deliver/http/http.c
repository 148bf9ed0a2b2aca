/* http.c - runs all transfers of a process: sockets, timers, ends. It drives libcurl's multi
 * interface, and is apart from http_request.c, which makes one transfer. */

#include "deliver/http/http.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>

#include "base/assert.h"
#include "base/log.h"
#include "base/sys.h"
#include "sign/crypto.h"
#include "deliver/http/http_detail.h"
#include "deliver/http/http_kept.h"
#include "deliver/http/http_lack.h"
#include "deliver/http/http_outcome.h"
#include "deliver/http/http_request.h"
#include "deliver/http/http_sweep.h"
#include "deliver/http/http_transfer.h"

#define EVENTS_MAX 128  /* sockets served in one run; the rest stay readable for the next */
#define OVERDUE_MS 1000 /* after its timeout libcurl must have ended a request */
#define FEW_MS 60000    /* after a lack of descriptors few are kept for so long */

struct http_engine {
	struct rp_transport transport; /* first: the caller's handle */
	CURLM *multi;
	unsigned max_in_flight, in_flight;
	unsigned max_connections; /* kept ones included */
	struct rp_transfer *all, *pool, *decided;
	struct rp_http_shared shared;
	struct rp_http_sweep sweep;
	int64_t timer_at_ms; /* on the boot clock, when libcurl wants to be called; -1: never */
	/* as libcurl is told. Always above in_flight: libcurl would queue, a sweep too */
	unsigned total_max;
	int64_t few_until_ms; /* ... until then, on the boot clock */
	bool watch_failed;    /* some transfer has a watch_errno */
	/* libcurl reported an error of its own, and may have lost track of requests under way */
	bool troubled;
	bool stalled; /* some transfer is */
	bool running;
};

static struct http_engine *engine_of(struct rp_transport *transport)
{
	return (struct http_engine *)(void *)transport;
}

static int64_t now_ms(void)
{
	return rp_sys_boot_ms(&rp_sys_real);
}

static int on_timer(CURLM *multi, long timeout_ms, void *arg)
{
	struct http_engine *e = arg;

	(void)multi;
	/* Both clocks are cut to milliseconds, so one more; called too early, libcurl would only
	 * ask again, and spin.
	 */
	e->timer_at_ms = timeout_ms < 0 ? -1 : now_ms() + timeout_ms + (timeout_ms > 0);
	return 0;
}

/* libcurl gave up an address. It tries the next one when it looks at the transfer again, but it has
 * set no timer for that (7.88.1; its issue 11920). resume_stalled makes it look. */
static void note_stalled(struct http_engine *e, CURL *easy)
{
	struct rp_transfer *t = NULL;

	curl_easy_getinfo(easy, CURLINFO_PRIVATE, &t);
	if (t != NULL && t->notes.sockets > 0 && !t->notes.request_began)
		t->stalled = e->stalled = true;
}

/* Never returns an error: libcurl would then fail all transfers, now and for ever. fail_unwatched
 * ends the one whose socket cannot be watched. */
static int on_socket(CURL *easy, curl_socket_t fd, int what, void *arg, void *known)
{
	struct http_engine *e = arg;
	struct rp_transfer *t = NULL;
	uint32_t events = 0;
	int sys;

	if (what == CURL_POLL_REMOVE) {
		rp_http_watch_end(&e->shared.watch, fd);
		note_stalled(e, easy);
		return 0;
	}
	if (what != CURL_POLL_OUT)
		events |= EPOLLIN;
	if (what != CURL_POLL_IN)
		events |= EPOLLOUT;
	sys = rp_http_watch_set(&e->shared.watch, fd, events, known != NULL);
	if (sys == 0) {
		curl_multi_assign(e->multi, fd, e);
		return 0;
	}
	curl_easy_getinfo(easy, CURLINFO_PRIVATE, &t);
	if (t != NULL) {
		t->notes.watch_errno = sys;
		e->watch_failed = true;
	}
	return 0;
}

static void total_set(struct http_engine *e, unsigned total_max)
{
	if (total_max == e->total_max)
		return;
	e->total_max = total_max;
	curl_multi_setopt(e->multi, CURLMOPT_MAX_TOTAL_CONNECTIONS, (long)total_max);
}

/* Kept connections of hosts that have nothing to get now may hold descriptors that a new one needs.
 * libcurl closes the oldest of them for each new one beyond the total. */
static void keep_few(struct http_engine *e)
{
	e->few_until_ms = now_ms() + FEW_MS;
	total_set(e, e->in_flight + 1);
}

static void total_follow(struct http_engine *e)
{
	if (e->total_max < e->max_connections)
		total_set(e, now_ms() >= e->few_until_ms    ? e->max_connections
			     : e->in_flight >= e->total_max ? e->in_flight + 1
							    : e->total_max);
}

static struct rp_transfer *transfer_take(struct http_engine *e)
{
	struct rp_transfer *t = e->pool;

	if (t != NULL) {
		e->pool = t->next;
	} else {
		t = rp_transfer_new(&e->shared);
		if (t == NULL)
			return NULL;
		t->next_of_all = e->all;
		e->all = t;
	}
	t->next = NULL;
	e->in_flight++;
	total_follow(e);
	return t;
}

/* What the transfer had of what all share. */
static void leave_shared(struct http_engine *e, struct rp_transfer *t)
{
	rp_http_names_leave(e->shared.names, t);
	rp_http_watch_note_unused(&e->shared.watch, t->fd, t);
	rp_http_watch_note_unused(&e->shared.watch, t->opened_fd[0], t);
	rp_http_watch_note_unused(&e->shared.watch, t->opened_fd[1], t);
}

static void transfer_give_back(struct http_engine *e, struct rp_transfer *t)
{
	assert(e->in_flight > 0 && t->state != RP_TRANSFER_UNDER_WAY);
	leave_shared(e, t);
	t->state = RP_TRANSFER_IDLE;
	t->next = e->pool;
	e->pool = t;
	e->in_flight--;
}

static void transfer_decided(struct http_engine *e, struct rp_transfer *t)
{
	assert(t->state != RP_TRANSFER_DECIDED);
	if (t->state == RP_TRANSFER_UNDER_WAY)
		curl_multi_remove_handle(e->multi, t->easy);
	leave_shared(e, t);
	if (t->named)
		rp_http_sweep_note_named(&e->sweep, now_ms());
	t->state = RP_TRANSFER_DECIDED;
	t->next = e->decided;
	e->decided = t;
}

/* Only the exact prefix counts as https. libcurl reads looser spellings (no scheme, one slash);
 * they are judged as http, the stricter way. */
static enum rp_cause scheme_cause(const struct rp_request *request)
{
	return rp_guard_scheme(request->guard, strncasecmp(request->url, "https://", 8) == 0);
}

static enum rp_err http_start(struct rp_transport *transport, const struct rp_request *request,
			      struct rp_error *err)
{
	struct http_engine *e = engine_of(transport);
	struct rp_transfer *t;
	enum rp_cause scheme;
	enum rp_err code;
	CURLMcode mc;

	if (e->in_flight >= e->max_in_flight)
		return rp_fail(err, RP_ERR_BUSY,
			       "%u requests are under way, as many as the engine was opened for",
			       e->in_flight);
	t = transfer_take(e);
	if (t == NULL)
		return rp_fail(err, RP_ERR_NOMEM, "no memory for another request");
	code = rp_transfer_prepare(t, request, err);
	if (code != RP_OK) {
		transfer_give_back(e, t);
		return code;
	}
	scheme = scheme_cause(request);
	if (scheme != RP_CAUSE_NONE) {
		rp_transfer_decide(t, scheme, "http without allow_http");
		transfer_decided(e, t);
		return RP_OK;
	}
	t->started_ms = now_ms();
	if (!rp_http_names_enter(e->shared.names, t, t->started_ms)) {
		t->state = RP_TRANSFER_WAITING;
		return RP_OK;
	}
	mc = curl_multi_add_handle(e->multi, t->easy);
	if (mc != CURLM_OK) {
		transfer_give_back(e, t);
		return rp_fail(err, mc == CURLM_OUT_OF_MEMORY ? RP_ERR_NOMEM : RP_ERR_IO,
			       "cannot begin a request: %s", curl_multi_strerror(mc));
	}
	t->state = RP_TRANSFER_UNDER_WAY;
	t->overdue_at_ms = t->started_ms + request->timeout_ms + OVERDUE_MS;
	return RP_OK;
}

static void begin_released(struct http_engine *e)
{
	int64_t now = now_ms();
	struct rp_transfer *t, *list = rp_http_names_released(e->shared.names, now);

	while ((t = list) != NULL) {
		list = t->next;
		assert(t->state == RP_TRANSFER_WAITING);
		if (rp_transfer_prepare_waited(t, now - t->started_ms) &&
		    curl_multi_add_handle(e->multi, t->easy) == CURLM_OK) {
			t->state = RP_TRANSFER_UNDER_WAY;
			t->overdue_at_ms = now + t->request.timeout_ms + OVERDUE_MS;
			continue;
		}
		rp_transfer_decide_local(t, "cannot begin a request that waited");
		transfer_decided(e, t);
	}
}

/* When memory is short libcurl may drop the timers of requests, which then never end (7.88.1): see
 * fail_overdue. */
static void socket_action(struct http_engine *e, curl_socket_t fd, int events)
{
	int under_way;
	CURLMcode mc = curl_multi_socket_action(e->multi, fd, events, &under_way);

	assert(mc != CURLM_BAD_HANDLE && mc != CURLM_RECURSIVE_API_CALL &&
	       mc != CURLM_BAD_FUNCTION_ARGUMENT);
	if (mc == CURLM_OK)
		return;
	rp_log(RP_LOG_ERROR, "http_engine", "curl=%d", (int)mc);
	e->troubled = true;
}

/* A pause and its end make libcurl look at one transfer; nothing is there yet to be paused. A
 * transfer that has ended meanwhile refuses. */
static void resume_stalled(struct http_engine *e)
{
	struct rp_transfer *t;

	e->stalled = false;
	for (t = e->all; t != NULL; t = t->next_of_all) {
		if (!t->stalled)
			continue;
		t->stalled = false;
		if (curl_easy_pause(t->easy, CURLPAUSE_SEND) == CURLE_OK)
			curl_easy_pause(t->easy, CURLPAUSE_CONT);
	}
}

static int curl_events(uint32_t events)
{
	int out = 0;

	/* An error is found by reading and writing, with its errno; libcurl's CSELECT_ERR would
	 * lose the reason. */
	if (events & (EPOLLIN | EPOLLERR | EPOLLHUP))
		out |= CURL_CSELECT_IN;
	if (events & (EPOLLOUT | EPOLLERR | EPOLLHUP))
		out |= CURL_CSELECT_OUT;
	return out;
}

static void drive(struct http_engine *e)
{
	struct epoll_event events[EVENTS_MAX];
	int i, n = epoll_wait(e->shared.watch.epoll_fd, events, EVENTS_MAX, 0);
	int64_t sweep_ms;

	assert(n >= 0 || errno == EINTR);
	/* A socket closed by an earlier event of this batch is unknown to libcurl, which then does
	 * nothing. */
	for (i = 0; i < n; i++) {
		if (!rp_http_watch_take(&e->shared.watch, events[i].data.fd, events[i].events))
			socket_action(e, events[i].data.fd, curl_events(events[i].events));
	}
	sweep_ms = rp_http_sweep_due_ms(&e->sweep, &e->shared);
	if (sweep_ms >= 0 && now_ms() >= sweep_ms)
		rp_http_sweep_begin(&e->sweep, &e->shared, e->multi, now_ms());
	if (e->timer_at_ms >= 0 && now_ms() >= e->timer_at_ms) {
		e->timer_at_ms = -1;
		socket_action(e, CURL_SOCKET_TIMEOUT, 0);
	}
	if (e->stalled)
		resume_stalled(e);
	begin_released(e);
}

/* The attempt goes on with a second request. It costs no retry. */
static void repeat_request(struct http_engine *e, struct rp_transfer *t)
{
	const struct rp_http_notes *notes = &t->notes;

	if (notes->surplus || t->outcome.cause == RP_CAUSE_PROTOCOL ||
	    (notes->premature && t->outcome.http_status != 408))
		rp_http_kept_note_surplus(e->shared.kept, t->request.url);
	curl_multi_remove_handle(e->multi, t->easy);
	leave_shared(e, t);
	if (rp_transfer_prepare_again(t) && curl_multi_add_handle(e->multi, t->easy) == CURLM_OK)
		return;
	t->state = RP_TRANSFER_IDLE;
	memset(&t->outcome, 0, sizeof t->outcome);
	rp_transfer_decide_local(t, "cannot begin the request again");
	transfer_decided(e, t);
}

static void collect(struct http_engine *e)
{
	struct rp_transfer *t;
	CURLMsg *msg;
	int left;

	while ((msg = curl_multi_info_read(e->multi, &left)) != NULL) {
		assert(msg->msg == CURLMSG_DONE);
		if (rp_http_sweep_end(&e->sweep, e->multi, msg->easy_handle, now_ms()))
			continue;
		curl_easy_getinfo(msg->easy_handle, CURLINFO_PRIVATE, &t);
		rp_transfer_judge(t, msg->data.result);
		if (rp_transfer_is_undecided(t)) {
			repeat_request(e, t);
			continue;
		}
		if (t->doubted != 0 && t->outcome.http_status != 0 &&
		    t->outcome.http_status != t->doubted)
			rp_http_kept_note_surplus(e->shared.kept, t->request.url);
		if (t->outcome.lack == RP_LACK_PROCESS)
			keep_few(e);
		transfer_decided(e, t);
	}
}

static void fail_unwatched(struct http_engine *e)
{
	struct rp_transfer *t;

	e->watch_failed = false;
	for (t = e->all; t != NULL; t = t->next_of_all) {
		if (t->state != RP_TRANSFER_UNDER_WAY || t->notes.watch_errno == 0)
			continue;
		rp_transfer_decide_local(t, strerror(t->notes.watch_errno));
		transfer_decided(e, t);
	}
}

static void fail_overdue(struct http_engine *e)
{
	struct rp_transfer *t;

	e->troubled = false;
	for (t = e->all; t != NULL; t = t->next_of_all) {
		if (t->state != RP_TRANSFER_UNDER_WAY)
			continue;
		if (now_ms() < t->overdue_at_ms) {
			e->troubled = true;
			continue;
		}
		rp_transfer_decide_local(t, "libcurl lost track of the request");
		transfer_decided(e, t);
	}
}

/* The transfer goes back to the pool before `done` is called: so done can start the next
 * request. */
static void hand_out(struct http_engine *e, void (*done)(void *, void *, const struct rp_outcome *),
		     void *done_arg)
{
	struct rp_transfer *t, *list = e->decided;
	struct rp_outcome outcome;
	void *owner;

	e->decided = NULL;
	while (list != NULL) {
		t = list;
		list = t->next;
		outcome = t->outcome;
		owner = t->request.owner;
		transfer_give_back(e, t);
		done(done_arg, owner, &outcome);
	}
}

static void http_run(struct rp_transport *transport,
		     void (*done)(void *, void *, const struct rp_outcome *), void *done_arg)
{
	struct http_engine *e = engine_of(transport);

	assert(!e->running);
	e->running = true;
	drive(e);
	collect(e);
	if (e->watch_failed)
		fail_unwatched(e);
	if (e->troubled)
		fail_overdue(e);
	hand_out(e, done, done_arg);
	e->running = false;
}

static int http_fd(struct rp_transport *transport)
{
	return engine_of(transport)->shared.watch.epoll_fd;
}

/* Of two times, of which -1 is never. */
static int64_t sooner(int64_t a, int64_t b)
{
	return a < 0 || (b >= 0 && b < a) ? b : a;
}

static int http_timeout_ms(struct rp_transport *transport)
{
	struct http_engine *e = engine_of(transport);
	int64_t now, at_ms;

	if (e->decided != NULL)
		return 0;
	now = now_ms();
	at_ms = sooner(e->timer_at_ms, rp_http_names_due_ms(e->shared.names));
	at_ms = sooner(at_ms, rp_http_sweep_due_ms(&e->sweep, &e->shared));
	if (e->troubled)
		at_ms = sooner(at_ms, now + OVERDUE_MS);
	if (at_ms < 0)
		return -1;
	return at_ms <= now ? 0 : at_ms - now < INT_MAX ? (int)(at_ms - now) : INT_MAX;
}

/* OpenSSL writes to sockets with write(2); a receiver that has gone must not end the process. */
static void ignore_sigpipe(void)
{
	struct sigaction now;

	if (sigaction(SIGPIPE, NULL, &now) == 0 && now.sa_handler == SIG_DFL)
		signal(SIGPIPE, SIG_IGN);
}

static bool multi_open(struct http_engine *e)
{
	long total = (long)e->max_connections;

	e->total_max = e->max_connections;
	e->multi = curl_multi_init();
	return e->multi != NULL &&
	       curl_multi_setopt(e->multi, CURLMOPT_SOCKETFUNCTION, on_socket) == CURLM_OK &&
	       curl_multi_setopt(e->multi, CURLMOPT_SOCKETDATA, e) == CURLM_OK &&
	       curl_multi_setopt(e->multi, CURLMOPT_TIMERFUNCTION, on_timer) == CURLM_OK &&
	       curl_multi_setopt(e->multi, CURLMOPT_TIMERDATA, e) == CURLM_OK &&
	       curl_multi_setopt(e->multi, CURLMOPT_MAXCONNECTS, total) == CURLM_OK &&
	       curl_multi_setopt(e->multi, CURLMOPT_MAX_TOTAL_CONNECTIONS, total) == CURLM_OK;
}

enum rp_err rp_http_open(unsigned max_in_flight, unsigned max_connections,
			 struct rp_transport **out, struct rp_error *err)
{
	struct http_engine *e;
	CURLcode rc;
	int sys;

	assert(max_in_flight > 0 && max_connections > max_in_flight);
	*out = NULL;
	e = calloc(1, sizeof *e);
	if (e == NULL)
		return rp_fail(err, RP_ERR_NOMEM, "no memory for the HTTP engine");
	e->transport = (struct rp_transport){http_start, http_run, http_fd, http_timeout_ms};
	e->max_in_flight = max_in_flight;
	e->max_connections = max_connections;
	e->timer_at_ms = -1;
	if (!rp_crypto_ready()) {
		free(e);
		return rp_fail(err, RP_ERR_NOMEM, "no memory for OpenSSL");
	}
	rc = curl_global_init(CURL_GLOBAL_ALL);
	if (rc != CURLE_OK) {
		free(e);
		return rp_fail(err, RP_ERR_IO, "libcurl does not start: %s",
			       curl_easy_strerror(rc));
	}
	ignore_sigpipe();
	sys = rp_http_watch_open(&e->shared.watch);
	e->shared.kept = rp_http_kept_new(max_connections);
	e->shared.names = rp_http_names_new();
	e->shared.sessions = rp_tls_sessions_new(RP_TLS_SESSIONS_BYTES);
	if (sys == 0 && e->shared.kept != NULL && e->shared.names != NULL &&
	    e->shared.sessions != NULL && rp_http_sweep_open(&e->sweep, now_ms()) &&
	    multi_open(e)) {
		*out = &e->transport;
		return RP_OK;
	}
	rp_http_close(&e->transport);
	if (sys != 0)
		return rp_fail_sys(err, RP_ERR_IO, sys, "cannot create an epoll descriptor");
	return rp_fail(err, RP_ERR_NOMEM, "no memory for libcurl's multi handle");
}

void rp_http_close(struct rp_transport *transport)
{
	struct http_engine *e = engine_of(transport);
	struct rp_transfer *t;

	assert(!e->running);
	while ((t = e->all) != NULL) {
		e->all = t->next_of_all;
		if (t->state == RP_TRANSFER_UNDER_WAY)
			curl_multi_remove_handle(e->multi, t->easy);
		rp_transfer_free(t);
	}
	rp_http_sweep_close(&e->sweep, e->multi);
	/* Kept connections are closed here, with calls of on_socket and of what knows them. */
	curl_multi_cleanup(e->multi);
	rp_http_watch_close(&e->shared.watch);
	curl_global_cleanup();
	rp_tls_sessions_free(e->shared.sessions);
	rp_http_names_free(e->shared.names);
	rp_http_kept_free(e->shared.kept);
	free(e);
}
