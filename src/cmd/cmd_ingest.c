/* cmd_ingest.c - the verb `ingest`: options, signals and exit codes around ingest/ingest.c. It also
 * finds the URL for runs that name none. */

#include "cmd/cmd.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/log.h"
#include "cmd/cli.h"
#include "config/redact.h"
#include "ingest/ingest.h"
#include "ingest/rejects.h"
#include "config/webhook_file.h"

static int report_failure(enum rp_err rc, const char *text)
{
	char quoted[RP_ERROR_TEXT_MAX + 100];

	rp_log(RP_LOG_ERROR, "failed", "code=%s why=%s", rp_err_name(rc),
	       rp_log_quote(text, quoted, sizeof quoted));
	return rp_err_exit_code(rc);
}

/* Without SIGPIPE, a reader that has gone is an error of write(2), which is reported in words.
 * SIGTERM and SIGINT end the input. */
static enum rp_err catch_signals(int *fd, struct rp_error *err)
{
	struct sigaction ignore = {.sa_handler = SIG_IGN};
	sigset_t stop;

	sigemptyset(&stop);
	sigaddset(&stop, SIGTERM);
	sigaddset(&stop, SIGINT);
	if (sigaction(SIGPIPE, &ignore, NULL) != 0 || sigprocmask(SIG_BLOCK, &stop, NULL) != 0)
		return rp_fail_sys(err, RP_ERR_IO, errno, "cannot set up signals");
	*fd = signalfd(-1, &stop, SFD_CLOEXEC | SFD_NONBLOCK);
	return *fd >= 0 ? RP_OK : rp_fail_sys(err, RP_ERR_IO, errno, "cannot set up signals");
}

static void log_done(const struct rp_ingest_counts *n)
{
	rp_log(RP_LOG_INFO, "done",
	       "lines=%" PRIu64 " queued=%" PRIu64 " duplicate=%" PRIu64 " skipped=%" PRIu64
	       " rejected=%" PRIu64 " commits=%" PRIu64,
	       n->lines, n->queued, n->duplicate, n->skipped, n->rejected, n->commits);
}

static int run(struct rp_ingest_options *in, const struct rp_config *config, bool quiet)
{
	const struct rp_outbox_options open_options = {
	    .create = true,
	    .map_bytes = config->map_bytes,
	    .quota_bytes = config->quota_bytes,
	    .disk_reserve_bytes = config->disk_reserve_bytes,
	};
	struct rp_ingest_counts counts = {0};
	struct rp_outbox *ob = NULL;
	struct rp_error err = {0};
	enum rp_err rc = rp_outbox_open(rp_config_outbox(config), &open_options, &ob, &err);

	if (rc != RP_OK)
		return report_failure(rc, err.text);
	in->to = rp_appender_of(ob);
	in->max_line_bytes = config->max_line_bytes;
	in->full_wait_ms = config->full_wait_ms;
	in->cuts = rp_config_cuts(config);
	rc = rp_ingest_run(in, &counts, &err);
	rp_outbox_close(ob);
	if (!quiet)
		log_done(&counts);
	if (rc != RP_OK)
		return report_failure(rc, err.text);
	return counts.rejected > 0 ? RP_EXIT_SOME_FAILED : RP_EXIT_OK;
}

static int prepare_and_run(const char *rejects, struct rp_span webhook,
			   const struct rp_config *config, bool quiet)
{
	struct rp_ingest_options in = {
	    .in_fd = STDIN_FILENO,
	    .out_fd = STDOUT_FILENO,
	    .rejects_fd = -1,
	    .signal_fd = -1,
	    .default_url = webhook,
	    .full_retry_ms = RP_INGEST_FULL_RETRY_MS,
	    .check_ms = RP_INGEST_CHECK_MS,
	    .sys = &rp_sys_real,
	};
	struct rp_error err = {0};
	enum rp_err rc = catch_signals(&in.signal_fd, &err);
	int code;

	if (rc == RP_OK && rejects != NULL)
		rc = rp_rejects_open(rejects, &in.rejects_fd, &err);
	code = rc == RP_OK ? run(&in, config, quiet) : report_failure(rc, err.text);
	if (in.rejects_fd >= 0)
		close(in.rejects_fd);
	if (in.signal_fd >= 0)
		close(in.signal_fd);
	return code;
}

static int fail_webhook(enum rp_err rc, const char *text)
{
	rp_log_say("runpost ingest: %s", text);
	return rp_settings_exit_code(rc);
}

/* Where runs go that name no webhook: --webhook, else --webhook-file, else [ingest] webhook_file.
 * Appends to out. */
static enum rp_err find_webhook(const char *given, const char *file, const struct rp_config *config,
				struct rp_buf *out, struct rp_error *err)
{
	struct rp_span sent;
	struct rp_url url;

	if (given == NULL && file == NULL)
		file = config->webhook_file;
	if (given == NULL)
		return file != NULL ? rp_webhook_file_read(file, out, err) : RP_OK;
	if (rp_url_accept(rp_span_of(given), out, &sent, &url, err) != RP_OK)
		return err->code;
	if (rp_redact_is_secret(config, &url))
		rp_log(RP_LOG_WARN, "webhook_on_command_line",
		       "why=\"every user of this machine can read its token there; put it into a "
		       "file: "
		       "--webhook-file FILE\"");
	return out->len > 0 || rp_buf_add(out, sent.ptr, sent.len)
		   ? RP_OK
		   : rp_fail(err, RP_ERR_NOMEM, "out of memory");
}

int rp_cmd_ingest(int argc, char **argv)
{
	const char *outbox = NULL, *config = NULL, *webhook = NULL, *webhook_file = NULL,
		   *rejects = NULL;
	bool quiet = false;
	const struct rp_cli_option options[] = {
	    {"outbox", "DIR", "the outbox, created if missing (default: [outbox] dir)", &outbox,
	     NULL},
	    {"config", "FILE", "configuration (default: " RP_SETTINGS_PATH " if it exists)",
	     &config, NULL},
	    {"webhook", "URL", "where runs go that name no webhook (default: they are skipped)",
	     &webhook, NULL},
	    {"webhook-file", "FILE",
	     "the same, read from FILE, mode 0600 (default: [ingest] webhook_file)", &webhook_file,
	     NULL},
	    {"rejects", "FILE", "append rejected lines to FILE, as they came", &rejects, NULL},
	    {"quiet", NULL, "no summary on stderr at the end", NULL, &quiet},
	};
	const struct rp_cli cli = {
	    "ingest",
	    "Reads completed runs from standard input, one JSON object a line, and stores those "
	    "that name a webhook. "
	    "For\n"
	    "every line a receipt is printed, in order; one that says \"queued\" is on disk.\n"
	    "Exit: 0 all lines accepted, 1 some rejected, 64 usage, 65 damage, or not an outbox, "
	    "66 no such\n"
	    "place, 74 I/O error, 75 full or locked: try again, 77 permission, 78 configuration.",
	    options, sizeof options / sizeof options[0]};
	struct rp_settings settings;
	struct rp_buf url = {0};
	struct rp_error err = {0};
	enum rp_err rc;
	int code = rp_cli_parse(&cli, argc, argv);

	if (code == RP_CLI_GO_ON && webhook != NULL && webhook_file != NULL)
		code = rp_cli_usage_error("ingest",
					  "--webhook and --webhook-file: give one of the two");
	if (code == RP_CLI_GO_ON)
		code = rp_cli_settings("ingest", config, outbox, &settings);
	if (code != RP_CLI_GO_ON)
		return code;
	rp_log_setup("ingest", RP_LOG_INFO);
	rc = find_webhook(webhook, webhook_file, &settings.config, &url, &err);
	if (rc == RP_OK)
		code = prepare_and_run(rejects, (struct rp_span){url.data, url.len},
				       &settings.config, quiet);
	else if (webhook != NULL && rc == RP_ERR_INVAL)
		code = rp_cli_usage_error("ingest", "--webhook: %s", err.text);
	else
		code = fail_webhook(rc, err.text);
	rp_buf_release(&url);
	rp_settings_release(&settings);
	return code;
}
