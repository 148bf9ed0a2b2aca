/* main.c - the program `runpost-sink`, a receiver to try webhooks with: it shows them, checks
 * them, and fails them on request. Here are its start, its secrets and its end. */

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/err.h"
#include "base/log.h"
#include "base/sys.h"
#include "deliver/descriptors.h"
#include "sign/crypto.h"
#include "http_server/listener.h"
#include "http_server/server.h"
#include "desk.h"
#include "handler.h"
#include "options.h"

#define SECRET_FILE_MAX 65536
#define SPARE_FDS 32 /* for the record, the bodies and the standard streams */

static enum rp_err read_file(const char *path, const char *option, struct rp_buf *out,
			     struct rp_error *err)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC), sys;
	ssize_t n = 0;

	out->max = SECRET_FILE_MAX;
	if (fd < 0)
		return rp_fail_sys(err, RP_ERR_NOTFOUND, errno, "%s: cannot open %s", option, path);
	if (!rp_buf_reserve(out, SECRET_FILE_MAX)) {
		close(fd);
		return rp_fail(err, RP_ERR_NOMEM, "out of memory");
	}
	while (out->len < SECRET_FILE_MAX &&
	       (n = read(fd, out->data + out->len, SECRET_FILE_MAX - out->len)) > 0)
		out->len += (size_t)n;
	sys = errno;
	close(fd);
	out->data[out->len] = '\0';
	if (n < 0)
		return rp_fail_sys(err, RP_ERR_IO, sys, "%s: cannot read %s", option, path);
	if (out->len == SECRET_FILE_MAX)
		return rp_fail(err, RP_ERR_INVAL, "%s: %s is too large for a file of secrets",
			       option, path);
	return RP_OK;
}

static void release_secret(struct rp_buf *text)
{
	if (text->data != NULL)
		rp_wipe(text->data, text->cap);
	rp_buf_release(text);
}

static enum rp_err load_token(struct rp_sink_judge *judge, const char *path, struct rp_error *err)
{
	struct rp_buf text = {0};
	enum rp_err code = read_file(path, "--token-file", &text, err);

	if (code == RP_OK) {
		text.data[strcspn(text.data, "\r\n")] = '\0';
		judge->token = strdup(rp_span_after_bom(rp_span_of(text.data)).ptr);
		if (judge->token == NULL)
			code = rp_fail(err, RP_ERR_NOMEM, "out of memory");
		else if (*judge->token == '\0')
			code = rp_fail(err, RP_ERR_INVAL,
				       "--token-file: the first line of %s, the token, is empty",
				       path);
	}
	release_secret(&text);
	return code;
}

static enum rp_err load_keys(struct rp_sink_judge *judge, const char *path, struct rp_error *err)
{
	struct rp_span all;
	struct rp_buf text = {0};
	struct rp_error why;
	enum rp_err code = read_file(path, "--secret-file", &text, err);

	if (code == RP_OK) {
		all.ptr = text.data;
		all.len = text.len;
		code = rp_signer_new(all, &judge->signer, &why);
		if (code != RP_OK)
			rp_fail(err, code, "--secret-file %s: %s", path, why.text);
	}
	release_secret(&text);
	return code;
}

/* A bench opens thousands of connections; the usual soft limit of 1024 is for select. */
static size_t max_connections(void)
{
	struct rlimit limit;

	rp_descriptors_raise();
	if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
		return 1024 - SPARE_FDS;
	return limit.rlim_cur > 65536           ? 65536
	       : limit.rlim_cur > 2 * SPARE_FDS ? limit.rlim_cur - SPARE_FDS
						: SPARE_FDS;
}

/* The token and the plan move from the options to the desk. */
static enum rp_err set_up_desk(struct rp_sink_desk *desk, struct rp_sink_options *o,
			       struct rp_error *err)
{
	enum rp_err code;

	desk->service.max_body = (size_t)o->max_body;
	desk->service.max_connections = max_connections();
	desk->service.handler = &rp_sink_handler;
	desk->service.context = desk;
	desk->exit_after = o->exit_after;
	desk->plan = o->plan;
	memset(&o->plan, 0, sizeof o->plan);
	desk->judge.token = o->token;
	o->token = NULL;
	rp_sink_tally_init(&desk->tally);
	code = rp_sink_report_open(&desk->report, o->record, o->record_dir, o->quiet, err);
	if (code == RP_OK && o->token_file != NULL)
		code = load_token(&desk->judge, o->token_file, err);
	if (code == RP_OK && o->secret_file != NULL)
		code = load_keys(&desk->judge, o->secret_file, err);
	return code;
}

static void release_desk(struct rp_sink_desk *desk)
{
	rp_sink_judge_release(&desk->judge);
	rp_sink_plan_release(&desk->plan);
	rp_sink_report_close(&desk->report);
	rp_sink_tally_release(&desk->tally);
}

static enum rp_err open_signals(int *fd, struct rp_error *err)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	signal(SIGPIPE, SIG_IGN);
	if (sigprocmask(SIG_BLOCK, &set, NULL) != 0 ||
	    (*fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK)) < 0)
		return rp_fail_sys(err, RP_ERR_IO, errno, "signalfd");
	return RP_OK;
}

/* Says what went wrong in the words of the options. */
static enum rp_err open_listener(const struct rp_sink_options *o, struct rp_http_listener *listener,
				 struct rp_error *err)
{
	enum rp_err code = rp_http_listener_open(o->bind, o->port, listener, err);

	if (code == RP_ERR_INVAL)
		return rp_fail(err, code,
			       "--bind wants an IPv4 or IPv6 address such as 127.0.0.1, not \"%s\"",
			       o->bind);
	if (code == RP_ERR_IO && err->sys == EADDRINUSE)
		return rp_fail(err, code,
			       "port %u of %s is in use by another program; choose another one, or "
			       "--port 0 for any free one",
			       o->port, o->bind);
	return code;
}

static enum rp_err announce(const char *url, struct rp_error *err)
{
	if (printf("ready %s\n", url) < 0 || fflush(stdout) != 0)
		return rp_fail_sys(err, RP_ERR_IO, errno, "cannot write to standard output");
	return RP_OK;
}

static void print_summary(const struct rp_sink_desk *desk)
{
	struct rp_buf line = {0};

	if (rp_sink_tally_print(&desk->tally, &line))
		rp_log_say("runpost-sink: %s", line.data);
	rp_buf_release(&line);
}

static enum rp_err serve(struct rp_sink_options *o, struct rp_error *err)
{
	struct rp_sink_desk desk = {.deliveries = 0};
	struct rp_http_listener listener = {.fd = -1};
	struct rp_http_server *server = NULL;
	int signal_fd = -1;
	enum rp_err code = set_up_desk(&desk, o, err);

	if (code == RP_OK)
		code = open_signals(&signal_fd, err);
	if (code == RP_OK)
		code = open_listener(o, &listener, err);
	if (code == RP_OK)
		code = rp_http_server_new(&desk.service, &listener, 1, &server, err);
	if (code == RP_OK)
		code = announce(listener.url, err);
	if (code == RP_OK) {
		code = rp_http_server_run(server, signal_fd, err);
		print_summary(&desk);
	}
	rp_http_server_free(server);
	rp_http_listener_close(&listener);
	if (signal_fd >= 0)
		close(signal_fd);
	release_desk(&desk);
	return code;
}

static enum rp_err print_help(struct rp_error *err)
{
	struct rp_buf text = {0};
	bool ok =
	    rp_sink_options_help(&text) && fputs(text.data, stdout) >= 0 && fflush(stdout) == 0;

	rp_buf_release(&text);
	return ok ? RP_OK : rp_fail(err, RP_ERR_IO, "cannot write to standard output");
}

/* One line, whatever bytes the quoted argument has. */
static void print_error(struct rp_error *err, const char *hint)
{
	char *p;

	for (p = err->text; *p != '\0'; p++)
		if ((unsigned char)*p < 0x20 || *p == 0x7f)
			*p = '?';
	rp_log_say("runpost-sink: %s%s", err->text, hint);
}

int main(int argc, char **argv)
{
	struct rp_sink_options options;
	struct rp_error err = {.code = RP_OK};
	const char *hint;
	enum rp_err code;

	if (!rp_sys_hold_stdio())
		return RP_EXIT_IO; /* there is nowhere to say it */
	code = rp_sink_options_parse(&options, argc, argv, &err);
	hint = code != RP_OK ? " (runpost-sink --help lists the options)" : "";
	if (code == RP_OK && options.help)
		code = print_help(&err);
	else if (code == RP_OK && options.version)
		printf("runpost-sink %s\n", RP_VERSION);
	else if (code == RP_OK)
		code = serve(&options, &err);
	if (code != RP_OK)
		print_error(&err, hint);
	rp_sink_options_release(&options);
	return rp_err_exit_code(code);
}
