/* watch.c - answers those who watch. All that it says is read from the outbox and from the door's
 * file, so it may end at any time and nobody misses it. */

#include "serve/watch.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "http_server/connection.h"
#include "http_server/server.h"
#include "serve/door_answer.h"
#include "serve/door_report.h"
#include "serve/door_rules.h"
#include "serve/scrape.h"

#define CONNECTIONS_MAX 64
#define NO_STORE "Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n"

/* An answer that is good for a while. */
struct kept {
	struct rp_buf text;
	int64_t until_boot_ms; /* 0: there is none */
	int status;
};

struct watch {
	const struct rp_watch_options *o;
	struct rp_settings *reloaded; /* NULL: those of the options still hold */
	struct rp_http_service service;
	struct rp_http_server *server;
	struct rp_door_address own[RP_LISTEN_MAX];
	size_t n_own;
	struct kept metrics, ready;
	struct rp_buf text;
	enum rp_err told; /* of the store, in the log: said once */
	enum rp_err failed;
	struct rp_error err;
};

static const struct rp_config *config_of(const struct watch *w)
{
	return w->reloaded != NULL ? &w->reloaded->config : &w->o->settings->config;
}

/* --- ends --------------------------------------------------------------------------- */

static void drain(struct watch *w)
{
	if (w->service.draining)
		return;
	w->service.draining = true;
	w->service.drain_until_ms = w->service.boot_ms + RP_WATCH_DRAIN_MS;
}

/* Whoever goes on with an outbox that was moved away keeps others from opening the new one. */
static bool is_there(struct watch *w)
{
	struct rp_error err;
	enum rp_err e = rp_outbox_check(w->o->outbox, &err);

	if (e == RP_OK)
		return true;
	if (w->failed == RP_OK) {
		w->failed = e;
		w->err = err;
	}
	drain(w);
	return false;
}

/* Once, until it is well again: it is asked for every few seconds. */
static void tell_store(struct watch *w, enum rp_err e, const struct rp_error *err)
{
	char text[RP_ERROR_TEXT_MAX + 16];

	if (e != RP_OK && e != w->told)
		rp_log(RP_LOG_ERROR, "watch_store", "code=%s text=%s", rp_err_name(e),
		       rp_log_quote(err->text, text, sizeof text));
	w->told = e;
}

/* --- answers ------------------------------------------------------------------------ */

static void answer(struct rp_http_connection *c, int status, const char *type, const char *headers,
		   const struct rp_buf *body)
{
	const struct rp_http_response response = {
	    .status = status,
	    .headers = rp_span_of(headers),
	    .type = type,
	    .body = {body->data, body->len},
	};

	rp_http_connection_answer(c, &response);
}

static void refuse(struct watch *w, struct rp_http_connection *c, int status, const char *code,
		   const char *reason, const char *headers)
{
	rp_buf_clear(&w->text);
	(void)rp_door_answer_refusal(code, reason, &w->text);
	answer(c, status, "application/json", headers, &w->text);
}

static void keep_refusal(struct kept *kept, const char *code, const char *reason)
{
	rp_buf_clear(&kept->text);
	kept->status = 503;
	if (!rp_door_answer_refusal(code, reason, &kept->text))
		rp_buf_clear(&kept->text);
}

static bool is_fresh(struct watch *w, struct kept *kept)
{
	int64_t now_ms = w->service.boot_ms;

	if (kept->until_boot_ms > now_ms)
		return true;
	kept->until_boot_ms = now_ms + RP_WATCH_FRESH_MS;
	rp_buf_clear(&kept->text);
	return false;
}

static void make_metrics(struct watch *w)
{
	struct rp_error err;
	enum rp_err e = RP_OK;

	if (!is_there(w)) {
		keep_refusal(&w->metrics, "gone", "the outbox is gone from its path");
		return;
	}
	e = rp_scrape_add(w->o->outbox, config_of(w), w->service.wall_ms, w->service.boot_ms,
			  &w->metrics.text, &err);
	w->metrics.status = 200;
	if (e != RP_OK)
		keep_refusal(&w->metrics, "store",
			     "the outbox cannot be read; `runpostctl doctor` tells more");
	tell_store(w, e, &err);
}

static void answer_metrics(struct watch *w, struct rp_http_connection *c)
{
	if (!is_fresh(w, &w->metrics))
		make_metrics(w);
	if (w->metrics.status == 200)
		answer(c, 200, "text/plain; version=0.0.4; charset=utf-8", NO_STORE,
		       &w->metrics.text);
	else
		answer(c, w->metrics.status, "application/json", NO_STORE RP_DOOR_RETRY_AFTER,
		       &w->metrics.text);
}

/* NULL: a door accepts. Else a word; *reason says more. Senders do not matter: accepting is what
 * this is about. */
static const char *find_unready(struct watch *w, const char **reason)
{
	struct rp_outbox_info info;
	struct rp_door_seen door;
	struct rp_door_now now;
	struct rp_error err;
	unsigned n_doors;
	enum rp_err e;

	*reason = "the outbox is gone from its path";
	if (!is_there(w))
		return "gone";
	e = rp_outbox_info(w->o->outbox, &info, &err);
	tell_store(w, e, &err);
	*reason = "the outbox cannot be read; `runpostctl doctor` tells more";
	if (e != RP_OK)
		return "store";
	*reason = "the outbox takes nothing: its quota or the disk is full";
	if (info.refuses)
		return "full";
	if (rp_outbox_is_database(rp_outbox_address(w->o->outbox)))
		return NULL; /* doors of other machines take runs as well */
	rp_door_see(w->o->outbox, &door);
	*reason = "no door is open";
	if (!door.there)
		return "no_door";
	now = rp_door_now_sum(&door.n, &n_doors);
	if (n_doors == 0)
		return "no_door";
	*reason = "the door takes no runs at the moment";
	return now.state == RP_DOOR_ACCEPTING ? NULL
	       : now.state < RP_DOOR_STATES   ? rp_door_state_name((enum rp_door_state)now.state)
					      : "unknown";
}

static void answer_ready(struct watch *w, struct rp_http_connection *c)
{
	const char *word, *reason;

	if (!is_fresh(w, &w->ready)) {
		word = find_unready(w, &reason);
		w->ready.status = 200;
		if (word != NULL)
			keep_refusal(&w->ready, word, reason);
		else if (!rp_buf_add_text(&w->ready.text, "{\"status\":\"ok\"}\n"))
			w->ready.status = 503;
	}
	answer(c, w->ready.status, "application/json",
	       w->ready.status == 200 ? NO_STORE : NO_STORE RP_DOOR_RETRY_AFTER, &w->ready.text);
}

static void answer_health(struct watch *w, struct rp_http_connection *c)
{
	rp_buf_clear(&w->text);
	answer(c, rp_buf_add_text(&w->text, "{\"status\":\"ok\"}\n") ? 200 : 503,
	       "application/json", NO_STORE, &w->text);
}

/* --- requests ----------------------------------------------------------------------- */

static bool judge(struct watch *w, struct rp_http_connection *c,
		  const struct rp_http_request *request, struct rp_door_refusal *no)
{
	const struct rp_door_config *door = &config_of(w)->door;
	const struct rp_door_hosts hosts = {w->own, w->n_own, door->hosts.at, door->hosts.n};
	struct rp_door_peer peer = {.unix_socket =
					w->o->listeners[rp_http_connection_listener(c)].is_unix};
	struct sockaddr_storage at;
	socklen_t len = sizeof at;

	if (!peer.unix_socket &&
	    getsockname(rp_http_connection_fd(c), (struct sockaddr *)&at, &len) == 0)
		rp_door_address_of((const struct sockaddr *)&at, &peer.local);
	return rp_door_judge_host(&hosts, &peer, request, no) && rp_door_judge_browser(request, no);
}

static const struct page {
	const char *path;
	void (*answer)(struct watch *w, struct rp_http_connection *c);
} pages[] = {
    {"/metrics", answer_metrics},
    {"/healthz", answer_health},
    {"/readyz", answer_ready},
};

static const struct page *find_page(struct rp_span target)
{
	const char *query = target.len > 0 ? memchr(target.ptr, '?', target.len) : NULL;
	size_t i;

	if (query != NULL)
		target.len = (size_t)(query - target.ptr);
	for (i = 0; i < sizeof pages / sizeof pages[0]; i++)
		if (rp_span_is(target, pages[i].path))
			return &pages[i];
	return NULL;
}

/* Nothing here needs a body, so none is waited for. */
static void take_head(void *context, struct rp_http_connection *c,
		      const struct rp_http_request *request)
{
	struct watch *w = context;
	struct rp_span method = rp_http_request_span(request, request->method);
	const struct page *page = find_page(rp_http_request_span(request, request->target));
	struct rp_door_refusal no;

	if (!judge(w, c, request, &no))
		refuse(w, c, no.status, no.code, no.reason, no.extra_header_lines);
	else if (page == NULL)
		refuse(w, c, 404, "not_found", "here are /metrics, /healthz and /readyz", "");
	else if (!rp_span_is(method, "GET") && !rp_span_is(method, "HEAD"))
		refuse(w, c, 405, "method", "this is read with GET", "Allow: GET, HEAD\r\n");
	else
		page->answer(w, c);
}

static void refuse_request(void *context, struct rp_http_connection *c,
			   const struct rp_http_request *request)
{
	refuse(context, c, request->bad_status, "bad_request", request->bad_text, "");
}

static void tick(void *context)
{
	struct watch *w = context;

	(void)is_there(w);
	rp_http_server_tick_at(w->server, w->service.boot_ms + RP_WATCH_CHECK_MS);
}

static const struct rp_http_handler handler = {
    .head = take_head,
    .take = take_head,
    .refuse = refuse_request,
    .tick = tick,
};

/* --- the worker --------------------------------------------------------------------- */

static void reload(struct watch *w)
{
	struct rp_settings *next = w->o->reload(w->o->arg);

	if (next == NULL)
		return;
	rp_settings_discard(w->reloaded);
	w->reloaded = next;
	w->metrics.until_boot_ms = 0;
}

static void read_signals(void *context)
{
	struct watch *w = context;
	struct signalfd_siginfo info;

	while (read(w->o->signal_fd, &info, sizeof info) == (ssize_t)sizeof info) {
		if (info.ssi_signo == SIGHUP)
			reload(w);
		else
			drain(w);
	}
}

static void set_up(struct watch *w)
{
	w->service = (struct rp_http_service){
	    .handler = &handler,
	    .context = w,
	    .sys = w->o->sys,
	    .max_connections = CONNECTIONS_MAX,
	    .limits = {.head_bytes = 16 << 10,
		       .head_ms = 10000,
		       .idle_ms = 75000,
		       .answer_ms = 30000,
		       .evicts = true},
	};
	w->n_own = rp_door_own_addresses(w->o->listeners, w->o->n_listeners, w->own);
}

static void announce(const struct watch *w)
{
	struct rp_buf addresses = {0};
	bool ok = rp_buf_add_text(&addresses, "");
	size_t i;

	for (i = 0; i < w->o->n_listeners; i++)
		ok = ok && (i == 0 || rp_buf_add_char(&addresses, ',')) &&
		     rp_buf_add_text(&addresses, w->o->listeners[i].url);
	rp_log(RP_LOG_INFO, "watching", "addresses=%s", ok ? addresses.data : "");
	rp_buf_release(&addresses);
}

static enum rp_err serve(struct watch *w, struct rp_error *err)
{
	enum rp_err e =
	    rp_http_server_new(&w->service, w->o->listeners, w->o->n_listeners, &w->server, err);

	if (e == RP_OK)
		e = rp_http_server_watch(w->server, w->o->signal_fd, read_signals, err);
	if (e != RP_OK)
		return e;
	announce(w);
	rp_http_server_tick_at(w->server, rp_sys_boot_ms(w->o->sys) + RP_WATCH_CHECK_MS);
	e = rp_http_server_run(w->server, -1, err);
	if (e == RP_OK && w->failed != RP_OK) {
		e = w->failed;
		*err = w->err;
	}
	return e;
}

enum rp_err rp_watch_serve(const struct rp_watch_options *options, struct rp_error *err)
{
	struct watch *w = calloc(1, sizeof *w);
	enum rp_err e;

	if (w == NULL)
		return rp_fail(err, RP_ERR_NOMEM, "out of memory at the start");
	w->o = options;
	set_up(w);
	e = serve(w, err);
	rp_http_server_free(w->server);
	rp_settings_discard(w->reloaded);
	rp_buf_release(&w->metrics.text);
	rp_buf_release(&w->ready.text);
	rp_buf_release(&w->text);
	free(w);
	return e;
}
