/* cmd_send.c - the verb `send`, in the program `runpost-sender`: one sender in this process, or a
 * supervisor with several. It is apart because it joins settings, HTTP engine and sender, which do
 * not know each other. */

#include "cmd/cmd.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "cmd/cli.h"
#include "deliver/descriptors.h"
#include "deliver/http/http.h"
#include "deliver/reload.h"
#include "deliver/sender.h"
#include "cmd/supervisor.h"

#define SENDERS_MAX 64

struct send_setup {
	/* of the start; for the outbox and in_flight they hold until the end */
	struct rp_settings settings;
	/* in a parent, since a SIGHUP: for children that it starts from now on; NULL: none */
	struct rp_settings *reloaded;
	struct rp_reload_source source;
	unsigned senders, in_flight;
	bool drain;
};

/* Of the transport, the exchange thread, the signals and the wakeups. One more is for a file that
 * is read: secrets, certificates. */
#define DESCRIPTORS_TO_COME 8

static int report(const char *what, enum rp_err code, const struct rp_error *err)
{
	char text[RP_ERROR_TEXT_MAX + 16];

	rp_log(RP_LOG_ERROR, what, "code=%s text=%s", rp_err_name(code),
	       rp_log_quote(err->text, text, sizeof text));
	return rp_err_exit_code(code);
}

static struct rp_settings *reload_for_sender(void *arg)
{
	return rp_reload(arg);
}

/* In the parent, which sends nothing itself: only its next children need the new settings. */
static bool reload_for_children(void *arg)
{
	struct send_setup *setup = arg;
	struct rp_settings *next = rp_reload(&setup->source);

	if (next == NULL)
		return false;
	rp_settings_discard(setup->reloaded);
	setup->reloaded = next;
	return true;
}

static enum rp_err run_sender(const struct send_setup *setup, const struct rp_descriptors *fit,
			      struct rp_outbox *ob, struct rp_transport *transport,
			      struct rp_sender_counts *counts, struct rp_error *err)
{
	struct rp_reload_source source = setup->source;
	struct rp_sender_options o = {
	    .outbox = ob,
	    .transport = transport,
	    .settings = setup->reloaded != NULL ? setup->reloaded : &setup->settings,
	    .sys = &rp_sys_real,
	    .in_flight = fit->requests,
	    /* a connection has one user at a time */
	    .background = !rp_outbox_is_database(rp_config_outbox(&setup->settings.config)),
	    .drain = setup->drain,
	    .reload = reload_for_sender,
	    .reload_arg = &source};
	struct rp_sender *sender = NULL;
	int signal_fd = rp_stop_signals(0);
	enum rp_err e;

	if (signal_fd < 0)
		return rp_fail_sys(err, RP_ERR_IO, errno, "signalfd");
	e = rp_sender_new(&o, &sender, err);
	if (e == RP_OK) {
		rp_log(RP_LOG_INFO, "sending",
		       "outbox=%s in_flight=%u connections=%u open_files=%" PRIu64,
		       rp_outbox_address(ob), fit->requests, fit->connections, fit->limit);
		e = rp_sender_run(sender, signal_fd, err);
		rp_sender_read_counts(sender, counts);
	}
	rp_sender_free(sender);
	close(signal_fd);
	return e;
}

static int send_as(void *arg, unsigned number)
{
	const struct send_setup *setup = arg;
	const struct rp_config *c = &setup->settings.config;
	struct rp_outbox_options o = {.create = true,
				      .sender = true,
				      .map_bytes = c->map_bytes,
				      .quota_bytes = c->quota_bytes,
				      .disk_reserve_bytes = c->disk_reserve_bytes};
	struct rp_sender_counts n = {0};
	struct rp_transport *transport = NULL;
	struct rp_outbox *ob = NULL;
	struct rp_error err;
	struct rp_descriptors fit = {.requests = setup->in_flight};
	enum rp_err e;
	char role[24];

	snprintf(role, sizeof role, "sender-%u", number);
	rp_log_setup(role, getenv("RUNPOST_DEBUG") != NULL ? RP_LOG_DEBUG : RP_LOG_INFO);
	e = rp_outbox_open(rp_config_outbox(c), &o, &ob, &err);
	if (e == RP_OK)
		e = rp_descriptors_fit(DESCRIPTORS_TO_COME, &fit, &err);
	if (e == RP_OK)
		e = rp_http_open(fit.requests, fit.connections, &transport, &err);
	if (e == RP_OK)
		e = run_sender(setup, &fit, ob, transport, &n, &err);
	if (transport != NULL)
		rp_http_close(transport);
	rp_outbox_close(ob);
	if (e != RP_OK)
		return report("failed_to_send", e, &err);
	rp_log(RP_LOG_INFO, "stopped",
	       "attempts=%" PRIu64 " delivered=%" PRIu64 " retried=%" PRIu64 " dead=%" PRIu64
	       " stale=%" PRIu64 " commits=%" PRIu64,
	       n.attempts, n.delivered, n.retried, n.dead, n.stale, n.commits);
	return RP_EXIT_OK;
}

static void log_end(const struct rp_worker_end *end)
{
	rp_log(end->exit == 0 ? RP_LOG_INFO : RP_LOG_WARN, "sender_ended",
	       "sender=%u sender_pid=%ld exit=%d signal=%d", end->number, (long)end->pid, end->exit,
	       end->signal);
}

static bool parse_count(const char *text, unsigned max, unsigned *out)
{
	char *end;
	unsigned long v;

	if (text[0] < '0' || text[0] > '9')
		return false;
	errno = 0;
	v = strtoul(text, &end, 10);
	if (*end != '\0' || errno != 0 || v < 1 || v > max)
		return false;
	*out = (unsigned)v;
	return true;
}

int rp_cmd_send(int argc, char **argv)
{
	const char *outbox = NULL, *config = NULL, *senders = "1", *in_flight = NULL;
	struct send_setup setup = {0};
	const struct rp_cli_option options[] = {
	    {"outbox", "DIR",
	     "the outbox; made if missing (default: [outbox] dir of the configuration)", &outbox,
	     NULL},
	    {"config", "FILE", "the configuration (default: " RP_SETTINGS_PATH ")", &config, NULL},
	    {"senders", "N",
	     "sender processes, 1 to 64 (default 1); one that dies is started again", &senders,
	     NULL},
	    {"in-flight", "N", "requests at once in each process (default: [sender] in_flight)",
	     &in_flight, NULL},
	    {"drain", NULL, "end with 0 when nothing is waiting or in flight any more", NULL,
	     &setup.drain},
	};
	const struct rp_cli cli = {"send",
				   "Claims entries from the outbox and POSTs them, signed where "
				   "the endpoint has a secret, with retries. "
				   "SIGTERM: claims nothing more, lets requests under way finish, "
				   "gives the rest back and ends with 0. "
				   "SIGHUP: reads configuration, secrets and certificates again.",
				   options, sizeof options / sizeof options[0]};
	struct rp_error err;
	int code = rp_cli_parse(&cli, argc, argv);

	if (code != RP_CLI_GO_ON)
		return code;
	if (!parse_count(senders, SENDERS_MAX, &setup.senders))
		return rp_cli_usage_error("send", "--senders %s: a number from 1 to %d is needed",
					  senders, SENDERS_MAX);
	if (in_flight != NULL && !parse_count(in_flight, 4096, &setup.in_flight))
		return rp_cli_usage_error(
		    "send", "--in-flight %s: a number from 1 to 4096 is needed", in_flight);
	rp_log_setup("send", RP_LOG_INFO);
	if (rp_stop_signals_hold() != 0) {
		rp_log_say("runpost send: cannot set up signals: %s", strerror(errno));
		return RP_EXIT_IO;
	}
	code = rp_cli_settings("send", config, outbox, &setup.settings);
	if (code != RP_CLI_GO_ON)
		return code;
	if (in_flight == NULL)
		setup.in_flight = setup.settings.config.sender_in_flight;
	setup.source =
	    (struct rp_reload_source){&setup.settings, outbox != NULL, in_flight != NULL};
	if (rp_settings_load_secrets(&setup.settings, &err) != RP_OK) {
		rp_log_say("runpost send: %s", err.text);
		rp_settings_release(&setup.settings);
		return rp_settings_exit_code(err.code);
	}
	if (rp_settings_tls(&setup.settings, &setup.settings.config.defaults).anchors == NULL)
		rp_log(RP_LOG_WARN, "no_authorities",
		       "text=\"this system has no certificates of authorities: what [defaults] "
		       "sends by https fails\"");
	signal(SIGPIPE, SIG_IGN);
	rp_descriptors_raise();
	code = setup.senders == 1 ? send_as(&setup, 1)
				  : rp_supervise(&(struct rp_workers){.n = setup.senders,
								      .n_vital = setup.senders,
								      .run = send_as,
								      .reload = reload_for_children,
								      .log_end = log_end,
								      .arg = &setup});
	rp_settings_discard(setup.reloaded);
	rp_settings_release(&setup.settings);
	return code;
}
