#include "cmd.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/log.h"
#include "cli.h"
#include "work/ingest.h"
#include "work/rejects.h"

static int tell(enum rp_err rc, const char *text)
{
	char quoted[RP_ERROR_TEXT_MAX + 100];

	rp_log(RP_LOG_ERROR, "failed", "code=%s why=%s", rp_err_name(rc), rp_log_quote(text, quoted, sizeof quoted));
	return rp_err_exit_code(rc);
}

/* SIGPIPE: a reader that went away is an error of write(2), told in words. SIGTERM and SIGINT end the input. */
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
	       "lines=%" PRIu64 " queued=%" PRIu64 " duplicate=%" PRIu64 " skipped=%" PRIu64 " rejected=%" PRIu64
	       " commits=%" PRIu64,
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
	enum rp_err rc = rp_outbox_open(config->outbox_dir, &open_options, &ob, &err);

	if (rc != RP_OK)
		return tell(rc, err.text);
	in->to = rp_appender_of(ob);
	in->max_line_bytes = config->max_line_bytes;
	in->full_wait_ms = config->full_wait_ms;
	rc = rp_ingest_run(in, &counts, &err);
	rp_outbox_close(ob);
	if (!quiet)
		log_done(&counts);
	if (rc != RP_OK)
		return tell(rc, err.text);
	return counts.rejected > 0 ? RP_EXIT_SOME_FAILED : RP_EXIT_OK;
}

static int prepare_and_run(const char *rejects, const char *webhook, const struct rp_config *config, bool quiet)
{
	struct rp_ingest_options in = {
	    .in_fd = STDIN_FILENO,
	    .out_fd = STDOUT_FILENO,
	    .rejects_fd = -1,
	    .signal_fd = -1,
	    .default_url = rp_span_of(webhook),
	    .full_retry_ms = RP_INGEST_FULL_RETRY_MS,
	    .look_ms = RP_INGEST_LOOK_MS,
	    .sys = &rp_sys_real,
	};
	struct rp_error err = {0};
	enum rp_err rc = catch_signals(&in.signal_fd, &err);
	int code;

	if (rc == RP_OK && rejects != NULL)
		rc = rp_rejects_open(rejects, &in.rejects_fd, &err);
	code = rc == RP_OK ? run(&in, config, quiet) : tell(rc, err.text);
	if (in.rejects_fd >= 0)
		close(in.rejects_fd);
	if (in.signal_fd >= 0)
		close(in.signal_fd);
	return code;
}

int rp_cmd_ingest(int argc, char **argv)
{
	const char *outbox = NULL, *config = NULL, *webhook = NULL, *rejects = NULL;
	bool quiet = false;
	const struct rp_cli_option options[] = {
	    {"outbox", "DIR", "the outbox, created if missing (default: [outbox] dir)", &outbox, NULL},
	    {"config", "FILE", "configuration (default: " RP_SETTINGS_PATH " if it exists)", &config, NULL},
	    {"webhook", "URL", "where runs go that name no webhook (default: they are skipped)", &webhook, NULL},
	    {"rejects", "FILE", "append rejected lines to FILE, as they came", &rejects, NULL},
	    {"quiet", NULL, "no summary on stderr at the end", NULL, &quiet},
	};
	const struct rp_cli cli = {
	    "ingest",
	    "Reads completed runs from standard input, one JSON object a line, and stores those that name a webhook. "
	    "For\n"
	    "every line a receipt is printed, in order; one that says \"queued\" is on disk.\n"
	    "Exit: 0 all lines accepted, 1 some rejected, 64 usage, 65 damage, or not an outbox, 66 no such\n"
	    "place, 74 I/O error, 75 full or locked: try again, 77 permission, 78 configuration.",
	    options, sizeof options / sizeof options[0]};
	struct rp_settings settings;
	struct rp_error err = {0};
	struct rp_url url;
	int code = rp_cli_parse(&cli, argc, argv);

	if (code == RP_CLI_GO_ON && webhook != NULL && rp_url_parse(rp_span_of(webhook), &url, &err) != RP_OK)
		code = rp_cli_usage_error("ingest", "--webhook: %s", err.text);
	if (code == RP_CLI_GO_ON)
		code = rp_cli_settings("ingest", config, outbox, &settings);
	if (code != RP_CLI_GO_ON)
		return code;
	rp_log_setup("ingest", RP_LOG_INFO);
	code = prepare_and_run(rejects, webhook, &settings.config, quiet);
	rp_settings_release(&settings);
	return code;
}
