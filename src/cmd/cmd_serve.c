/* cmd_serve.c - the verb `serve`: options, listeners, and a supervisor with the workers behind
 * them. The listeners are opened here, before any worker: so workers come and go, and nobody is
 * refused. */

#include "cmd/cmd.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/log.h"
#include "cmd/cli.h"
#include "cmd/supervisor.h"
#include "deliver/descriptors.h"
#include "serve/door.h"
#include "serve/door_rules.h"
#include "serve/door_setup.h"
#include "serve/watch.h"

#define SOCKET_MODE 0660

enum worker { WORKER_DOOR = 1, WORKER_WATCH };

struct serve_setup {
	struct rp_settings settings;  /* of the start */
	struct rp_settings *reloaded; /* since a SIGHUP, for workers that start later; NULL: none */
	const char *outbox;           /* of the command line; NULL: the file's */
	struct rp_http_listener door[RP_LISTEN_MAX], ui[RP_LISTEN_MAX];
	size_t n_door, n_ui;
};

static int report(const char *what, enum rp_err code, const struct rp_error *err)
{
	char text[RP_ERROR_TEXT_MAX + 16];

	rp_log(RP_LOG_ERROR, what, "code=%s text=%s", rp_err_name(code),
	       rp_log_quote(err->text, text, sizeof text));
	return rp_err_exit_code(code);
}

/* --- listeners ------------------------------------------------------------------------ */

static enum rp_err open_one(const struct rp_listen_address *at, struct rp_http_listener *out,
			    struct rp_error *err)
{
	char text[RP_LISTEN_TEXT_MAX];
	struct rp_error why;
	enum rp_err code = at->unix_path[0] != '\0'
			       ? rp_http_listener_open_unix(at->unix_path, SOCKET_MODE, out, &why)
			       : rp_http_listener_open(at->ip, at->port, out, &why);

	if (code == RP_OK)
		return RP_OK;
	rp_listen_address_format(at, text);
	if (why.sys == EADDRINUSE)
		return rp_fail(err, code,
			       "%s is in use by another program, or by another `runpost serve`: "
			       "stop it, or change listen",
			       text);
	return rp_fail(err, code, "cannot listen on %s: %s", text, why.text);
}

static enum rp_err open_all(const struct rp_listen *listen, struct rp_http_listener *out, size_t *n,
			    struct rp_error *err)
{
	enum rp_err code = RP_OK;

	for (*n = 0; *n < listen->n && code == RP_OK; *n += code == RP_OK)
		code = open_one(&listen->at[*n], &out[*n], err);
	return code;
}

/* Of what systemd hands over, sockets named "ui" are for the pages, all others for the door. What
 * it hands over for one of the two takes the place of `listen` in that section. */
static enum rp_err open_listeners(struct serve_setup *setup, struct rp_error *err)
{
	struct rp_http_listener all[2 * RP_LISTEN_MAX];
	size_t n, i;
	enum rp_err code = rp_http_listeners_inherited(all, 2 * RP_LISTEN_MAX, &n, err);

	for (i = 0; i < n && code == RP_OK; i++) {
		bool ui = strcmp(all[i].name, "ui") == 0;
		size_t *n_of = ui ? &setup->n_ui : &setup->n_door;

		if (*n_of == RP_LISTEN_MAX)
			return rp_fail(err, RP_ERR_INVAL, "more than %d sockets were handed over",
				       RP_LISTEN_MAX);
		(ui ? setup->ui : setup->door)[(*n_of)++] = all[i];
	}
	if (code == RP_OK && setup->n_door == 0)
		code =
		    open_all(&setup->settings.config.door.listen, setup->door, &setup->n_door, err);
	if (code == RP_OK && setup->n_ui == 0)
		code = open_all(&setup->settings.config.ui.listen, setup->ui, &setup->n_ui, err);
	return code;
}

static bool is_local(const struct rp_http_listener *listener)
{
	struct rp_door_address own[RP_LISTEN_MAX];

	return listener->is_unix || (rp_door_own_addresses(listener, 1, own) == 1 &&
				     rp_door_address_is_loopback(&own[0]));
}

/* The rules of `listen` in the file hold for sockets that were handed over, too. */
static enum rp_err judge_listeners(const struct serve_setup *setup, struct rp_error *err)
{
	size_t i;

	for (i = 0; i < setup->n_ui; i++)
		if (!is_local(&setup->ui[i]))
			return rp_fail(
			    err, RP_ERR_INVAL,
			    "%s was handed over for [ui], whose pages ask for no token; "
			    "accepted: loopback addresses and sockets in the file system",
			    setup->ui[i].url);
	for (i = 0; i < setup->n_door; i++)
		if (!is_local(&setup->door[i]) && setup->settings.config.door.token_file == NULL)
			return rp_fail(err, RP_ERR_INVAL,
				       "%s was handed over for [door], and others than this "
				       "machine's users reach it; set token_file",
				       setup->door[i].url);
	return RP_OK;
}

static void close_all(struct rp_http_listener *listeners, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		rp_http_listener_close(&listeners[i]);
}

/* --- settings ------------------------------------------------------------------------- */

/* Judges the lines of the files, too: what the door would refuse, no worker is to start with. */
static enum rp_err load_door(struct rp_settings *settings, struct rp_error *err)
{
	struct rp_door_secrets ignored;
	enum rp_err code = rp_settings_load_door(settings, err);

	return code == RP_OK ? rp_door_setup_count(settings, &ignored, err) : code;
}

static enum rp_err load(const char *path, const char *outbox, struct rp_settings *out,
			struct rp_error *err)
{
	enum rp_err code = rp_settings_load(path, out, err);

	if (code != RP_OK)
		return code;
	if (outbox != NULL) {
		out->config.outbox_dir = outbox;
		out->config.outbox_url = NULL;
	}
	code = load_door(out, err);
	if (code != RP_OK)
		rp_settings_release(out);
	return code;
}

static bool is_same_listen(const struct rp_listen *a, const struct rp_listen *b)
{
	char one[RP_LISTEN_TEXT_MAX], other[RP_LISTEN_TEXT_MAX];
	size_t i;

	for (i = 0; i < a->n && i < b->n; i++)
		if (strcmp(rp_listen_address_format(&a->at[i], one),
			   rp_listen_address_format(&b->at[i], other)) != 0)
			return false;
	return a->n == b->n;
}

/* Logs the keys whose new value needs a restart. */
static void log_restart_keys(const struct rp_config *then, const struct rp_config *now)
{
	const struct {
		const char *key;
		bool same;
	} keys[] = {
	    {"outbox.dir", rp_text_is_same(then->outbox_dir, now->outbox_dir)},
	    {"outbox.url", rp_text_is_same(then->outbox_url, now->outbox_url)},
	    {"outbox.quota", then->quota_bytes == now->quota_bytes},
	    {"outbox.map_size", then->map_bytes == now->map_bytes},
	    {"outbox.disk_reserve", then->disk_reserve_bytes == now->disk_reserve_bytes},
	    {"door.listen", is_same_listen(&then->door.listen, &now->door.listen)},
	    {"door.rejects", rp_text_is_same(then->door.rejects, now->door.rejects)},
	    {"door.rejects_max", then->door.rejects_max_bytes == now->door.rejects_max_bytes},
	    {"ui.listen", is_same_listen(&then->ui.listen, &now->ui.listen)},
	};
	char list[160] = "";
	size_t i, n = 0;

	for (i = 0; i < sizeof keys / sizeof keys[0]; i++)
		if (!keys[i].same)
			n += (size_t)snprintf(list + n, sizeof list - n, "%s%s", n > 0 ? "," : "",
					      keys[i].key);
	if (n > 0)
		rp_log(RP_LOG_WARN, "reload_partly", "restart_for=%s", list);
}

/* The file that was there at the start is read again: one that is gone is a mistake, not a wish for
 * defaults. NULL: it was refused; the log tells. */
static struct rp_settings *reload(void *arg)
{
	const struct serve_setup *setup = arg;
	struct rp_settings *next = malloc(sizeof *next);
	struct rp_error err;
	enum rp_err code = next != NULL ? load(setup->settings.path, setup->outbox, next, &err)
					: rp_fail(&err, RP_ERR_NOMEM, "out of memory");

	if (code == RP_OK) {
		rp_log(RP_LOG_INFO, "reloaded", "endpoints=%zu", next->config.n_endpoints);
		log_restart_keys(&setup->settings.config, &next->config);
		return next;
	}
	report("reload_refused", code, &err);
	free(next);
	return NULL;
}

static bool reload_for_workers(void *arg)
{
	struct serve_setup *setup = arg;
	struct rp_settings *next = reload(arg);

	if (next == NULL)
		return false;
	rp_settings_discard(setup->reloaded);
	setup->reloaded = next;
	return true;
}

/* --- workers -------------------------------------------------------------------------- */

static enum rp_err open_outbox(const struct rp_config *c, bool create, struct rp_outbox **out,
			       struct rp_error *err)
{
	const struct rp_outbox_options options = {
	    .create = create,
	    .map_bytes = c->map_bytes,
	    .quota_bytes = c->quota_bytes,
	    .disk_reserve_bytes = c->disk_reserve_bytes,
	};

	return rp_outbox_open(rp_config_outbox(c), &options, out, err);
}

static enum rp_err run_door(struct serve_setup *setup, const struct rp_settings *settings,
			    int signal_fd, struct rp_error *err)
{
	struct rp_door_options o = {
	    .settings = settings,
	    .reload = reload,
	    .arg = setup,
	    .listeners = setup->door,
	    .n_listeners = setup->n_door,
	    .signal_fd = signal_fd,
	    .sys = &rp_sys_real,
	};
	enum rp_err code = open_outbox(&settings->config, true, &o.outbox, err);

	if (code == RP_OK)
		code = rp_door_serve(&o, err);
	rp_outbox_close(o.outbox);
	return code;
}

static enum rp_err run_watch(struct serve_setup *setup, const struct rp_settings *settings,
			     int signal_fd, struct rp_error *err)
{
	struct rp_watch_options o = {
	    .settings = settings,
	    .reload = reload,
	    .arg = setup,
	    .listeners = setup->ui,
	    .n_listeners = setup->n_ui,
	    .signal_fd = signal_fd,
	    .sys = &rp_sys_real,
	};
	enum rp_err code = open_outbox(&settings->config, false, &o.outbox, err);

	if (code == RP_OK)
		code = rp_watch_serve(&o, err);
	rp_outbox_close(o.outbox);
	return code;
}

static int work(void *arg, unsigned number)
{
	struct serve_setup *setup = arg;
	const struct rp_settings *settings =
	    setup->reloaded != NULL ? setup->reloaded : &setup->settings;
	int signal_fd = rp_stop_signals(0);
	struct rp_error err;
	enum rp_err code;

	rp_log_setup(number == WORKER_DOOR ? "door" : "watch", RP_LOG_INFO);
	if (signal_fd < 0)
		code = rp_fail_sys(&err, RP_ERR_IO, errno, "signalfd");
	else if (number == WORKER_DOOR)
		code = run_door(setup, settings, signal_fd, &err);
	else
		code = run_watch(setup, settings, signal_fd, &err);
	if (signal_fd >= 0)
		close(signal_fd);
	if (code != RP_OK)
		return report("failed", code, &err);
	rp_log(RP_LOG_INFO, "stopped", "worker=%s", number == WORKER_DOOR ? "door" : "watch");
	return RP_EXIT_OK;
}

static void log_end(const struct rp_worker_end *end)
{
	rp_log(end->exit == 0 ? RP_LOG_INFO : RP_LOG_WARN, "worker_ended",
	       "worker=%s worker_pid=%ld exit=%d signal=%d",
	       end->number == WORKER_DOOR ? "door" : "watch", (long)end->pid, end->exit,
	       end->signal);
}

static int fail_start(enum rp_err code, const struct rp_error *err)
{
	int exit_code = report("failed", code, err);

	return code == RP_ERR_INVAL ? RP_EXIT_CONFIG : exit_code;
}

static int serve(struct serve_setup *setup)
{
	struct rp_error err;
	enum rp_err code = load_door(&setup->settings, &err);
	int exit_code;

	if (code != RP_OK) {
		rp_log_say("runpost serve: %s", err.text);
		return rp_settings_exit_code(code);
	}
	code = open_listeners(setup, &err);
	if (code == RP_OK)
		code = judge_listeners(setup, &err);
	if (code == RP_OK)
		exit_code = rp_supervise(&(struct rp_workers){
		    .n = setup->n_ui > 0 ? WORKER_WATCH : WORKER_DOOR,
		    .n_vital = WORKER_DOOR,
		    .ends_with_vital = true,
		    .run = work,
		    .reload = reload_for_workers,
		    .log_end = log_end,
		    .arg = setup,
		});
	else
		exit_code = fail_start(code, &err);
	close_all(setup->door, setup->n_door);
	close_all(setup->ui, setup->n_ui);
	return exit_code;
}

int rp_cmd_serve(int argc, char **argv)
{
	const char *config = NULL;
	struct serve_setup setup = {0};
	const struct rp_cli_option options[] = {
	    {"outbox", "DIR", "the outbox, created if missing (default: [outbox] dir)",
	     &setup.outbox, NULL},
	    {"config", "FILE", "configuration (default: " RP_SETTINGS_PATH " if it exists)",
	     &config, NULL},
	};
	const struct rp_cli cli = {
	    "serve",
	    "Takes completed runs over HTTP, as an engine POSTs its webhooks, and stores them. An "
	    "answer\n"
	    "with 202 says that the run is on disk. Addresses and rights are in [door] of the "
	    "configuration.\n"
	    "SIGTERM: takes nothing new, answers what was asked, and ends with 0. SIGHUP: reads "
	    "the\n"
	    "configuration again.\n"
	    "Exit: 0 stopped, 64 usage, 65 damage, or not an outbox, 66 no such place, 74 I/O "
	    "error, 75 try\n"
	    "again, 77 permission, 78 configuration.",
	    options, sizeof options / sizeof options[0]};
	int code = rp_cli_parse(&cli, argc, argv);

	if (code != RP_CLI_GO_ON)
		return code;
	rp_log_setup("serve", RP_LOG_INFO);
	if (rp_stop_signals_hold() != 0) {
		rp_log_say("runpost serve: cannot set up signals: %s", strerror(errno));
		return RP_EXIT_IO;
	}
	code = rp_cli_settings("serve", config, setup.outbox, &setup.settings);
	if (code != RP_CLI_GO_ON)
		return code;
	signal(SIGPIPE, SIG_IGN);
	rp_descriptors_raise();
	/* no file of its memory, in which tokens are, after a crash */
	setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
	code = serve(&setup);
	rp_settings_discard(setup.reloaded);
	rp_settings_release(&setup.settings);
	return code;
}
