/* door.c - opens the door with its parts, hears signals while it serves, and closes it in order. */

#include "serve/door.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/log.h"
#include "serve/door_int.h"
#include "serve/notify.h"

/* A client on the same machine needs a fraction of each. */
#define HEAD_BYTES (16 << 10)
#define HEAD_MS 10000
#define BODY_GRACE_MS 10000
#define BODY_BYTES_PER_S (16 << 10)
#define IDLE_MS 75000 /* longer than clients keep idle connections: httpx for 60 s */
#define TOLD_MS 4000  /* which undici heeds: a stop has to wait until its connections are gone */
#define ANSWER_MS 30000
#define FLUSH_MS 1000

static const struct rp_config *config_of(const struct rp_door *door)
{
	return door->rules->rules.config;
}

static void set_limits(struct rp_door *door)
{
	const struct rp_door_config *c = &config_of(door)->door;

	door->service.max_body = (size_t)config_of(door)->max_line_bytes;
	door->service.max_connections = c->connections;
	door->service.limits = (struct rp_http_limits){
	    .head_bytes = HEAD_BYTES,
	    .head_ms = HEAD_MS,
	    .body_grace_ms = BODY_GRACE_MS,
	    .body_bytes_per_s = BODY_BYTES_PER_S,
	    .idle_ms = IDLE_MS,
	    .told_ms = TOLD_MS,
	    .answer_ms = ANSWER_MS,
	    .bodies_bytes = (size_t)c->bodies_bytes,
	    .bodies_wait_ms = c->hold_ms > 0 ? c->hold_ms : 1, /* 0: for ever */
	    .evicts = true,
	};
}

static void reload(struct rp_door *door)
{
	struct rp_settings *next = door->o->reload(door->o->arg);
	struct rp_door_rules_set *rules;
	char text[RP_ERROR_TEXT_MAX + 16];
	struct rp_error err;

	if (next == NULL)
		return;
	if (rp_door_rules_new(next, door->o->listeners, door->o->n_listeners, &rules, &err) !=
	    RP_OK) {
		rp_log(RP_LOG_ERROR, "reload_refused", "text=%s",
		       rp_log_quote(err.text, text, sizeof text));
		rp_settings_discard(next);
		return;
	}
	rp_door_rules_free(door->rules);
	door->rules = rules;
	rp_settings_discard(door->reloaded);
	door->reloaded = next;
	set_limits(door);
}

static void read_signals(void *context)
{
	struct rp_door *door = context;
	struct signalfd_siginfo info;
	struct rp_error err;
	ssize_t n;

	while ((n = read(door->o->signal_fd, &info, sizeof info)) == (ssize_t)sizeof info) {
		if (info.ssi_signo == SIGHUP) {
			reload(door);
			continue;
		}
		/* Not where it fails: another worker goes on, and the service does not stop. */
		rp_notify("STOPPING=1\nSTATUS=answers what was asked, takes no new connection");
		rp_door_drain(door);
	}
	/* one that cannot be told to end must not go on */
	if (n < 0 && errno != EAGAIN && errno != EINTR && door->failed == RP_OK && !door->busy)
		rp_door_fail(door, rp_fail_sys(&err, RP_ERR_IO, errno, "signals"), &err);
}

static enum rp_err open_parts(struct rp_door *door, struct rp_error *err)
{
	const struct rp_door_options *o = door->o;
	const struct rp_appender to = rp_appender_of(o->outbox);
	enum rp_err code =
	    rp_door_rules_new(o->settings, o->listeners, o->n_listeners, &door->rules, err);

	if (code != RP_OK)
		return code;
	set_limits(door);
	code = rp_door_rejects_open(config_of(door)->door.rejects,
				    config_of(door)->door.rejects_max_bytes, &door->rejects, err);
	if (code == RP_OK)
		code = rp_door_commit_start(&to, &door->rejects, o->sys, &door->commit, err);
	if (code == RP_OK)
		code = rp_http_server_new(&door->service, o->listeners, o->n_listeners,
					  &door->server, err);
	if (code == RP_OK)
		code = rp_http_server_watch(door->server, rp_door_commit_fd(door->commit),
					    rp_door_commit_ended, err);
	if (code == RP_OK)
		code = rp_http_server_watch(door->server, o->signal_fd, read_signals, err);
	return code;
}

static void open_counts(struct rp_door *door)
{
	char text[RP_ERROR_TEXT_MAX + 16];
	struct rp_error err;
	enum rp_err code =
	    rp_door_counts_open(door->o->outbox, rp_sys_wall_ms(door->o->sys), &door->counts, &err);

	if (code != RP_OK)
		rp_log(RP_LOG_WARN, "counts_unseen", "code=%s why=%s", rp_err_name(code),
		       rp_log_quote(err.text, text, sizeof text));
}

static void announce(const struct rp_door *door)
{
	struct rp_buf addresses = {0};
	bool ok = true;
	size_t i;

	for (i = 0; i < door->o->n_listeners; i++)
		ok = ok && (i == 0 || rp_buf_add_char(&addresses, ',')) &&
		     rp_buf_add_text(&addresses, door->o->listeners[i].url);
	rp_log(RP_LOG_INFO, "ready", "addresses=%s outbox=%s", ok ? addresses.data : "",
	       rp_outbox_address(door->o->outbox));
	rp_buf_release(&addresses);
	rp_notify("READY=1\nSTATUS=takes runs");
}

/* Clients that are still there get their answers: those of the commit under way what became of
 * it, all others 503. */
static void finish(struct rp_door *door)
{
	while (door->busy)
		rp_door_commit_ended(door);
	if (door->server == NULL)
		return;
	rp_door_refuse_waiting(door, "stopping", "the door is about to stop; send it again");
	rp_http_server_flush(door->server, FLUSH_MS);
}

static void close_parts(struct rp_door *door)
{
	finish(door);
	rp_door_commit_stop(door->commit);
	rp_http_server_free(door->server);
	rp_door_free_unused(door);
	rp_door_batch_release(&door->batches[0]);
	rp_door_batch_release(&door->batches[1]);
	rp_door_rejects_close(&door->rejects);
	rp_door_counts_close(&door->counts);
	rp_peer_asker_release(&door->asker);
	rp_door_head_release(&door->head);
	rp_door_rules_free(door->rules);
	rp_settings_discard(door->reloaded);
	rp_buf_release(&door->text);
}

static void init(struct rp_door *door, const struct rp_door_options *options)
{
	door->o = options;
	rp_door_batch_init(&door->batches[0]);
	rp_door_batch_init(&door->batches[1]);
	door->filling = &door->batches[0];
	door->committing = &door->batches[1];
	door->requests_max = SIZE_MAX;
	door->rejects.fd = -1;
	door->service.handler = &rp_door_handler;
	door->service.context = door;
	door->service.sys = options->sys;
	door->watchdog_ms = rp_notify_watchdog_ms();
	rp_peer_asker_init(&door->asker);
}

enum rp_err rp_door_serve(const struct rp_door_options *options, struct rp_error *err)
{
	struct rp_door *door = calloc(1, sizeof *door);
	int64_t now_ms = rp_sys_boot_ms(options->sys);
	enum rp_err code;

	if (door == NULL)
		return rp_fail(err, RP_ERR_NOMEM, "out of memory at the start");
	init(door, options);
	open_counts(door);
	code = open_parts(door, err);
	if (code == RP_OK) {
		rp_door_check_room(door);
		announce(door);
		door->check_at_ms = now_ms + RP_DOOR_CHECK_MS;
		door->watchdog_at_ms = door->watchdog_ms > 0 ? now_ms + door->watchdog_ms : 0;
		rp_door_show_now(door);
		rp_door_set_tick(door);
		code = rp_http_server_run(door->server, -1, err);
	}
	if (code == RP_OK && door->failed != RP_OK) {
		code = door->failed;
		*err = door->err;
	}
	close_parts(door);
	free(door);
	return code;
}
