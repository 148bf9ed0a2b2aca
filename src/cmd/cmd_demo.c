/* cmd_demo.c - the verb `demo`: makes the folder, finds the programs and cleans up. What is
 * played is in demo_steps.c. */

#include "cmd/cmd.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/sys.h"
#include "cmd/cli.h"
#include "sign/crypto.h"
#include "cmd/demo.h"
#include "deliver/supervisor.h"

static enum rp_err find_program(const struct rp_demo *d, const char *name, struct rp_error *err)
{
	char path[RP_DEMO_PATH_MAX + 32];

	snprintf(path, sizeof path, "%s/%s", d->bin, name);
	if (access(path, X_OK) == 0)
		return RP_OK;
	return rp_fail(err, RP_ERR_NOTFOUND,
		       "there is no program %s beside this one, in %s; build or install all of "
		       "them: runpost, runpostctl and "
		       "runpost-sink",
		       name, d->bin);
}

/* The siblings of this very program, not whatever PATH would find: the demo must show what was
 * just built. */
static enum rp_err find_programs(struct rp_demo *d, struct rp_error *err)
{
	ssize_t n = readlink("/proc/self/exe", d->self, sizeof d->self - 1);
	enum rp_err e;

	if (n < 0)
		return rp_fail_sys(err, RP_ERR_IO, errno,
				   "cannot tell where this program is (/proc/self/exe)");
	d->self[n] = '\0';
	memcpy(d->bin, d->self, sizeof d->bin);
	*strrchr(d->bin, '/') = '\0';
	e = find_program(d, "runpostctl", err);
	return e == RP_OK ? find_program(d, "runpost-sink", err) : e;
}

static enum rp_err make_folder(struct rp_demo *d, struct rp_error *err)
{
	const char *tmp = getenv("TMPDIR");
	char root[RP_DEMO_PATH_MAX];

	if (tmp == NULL || tmp[0] == '\0')
		tmp = "/tmp";
	if (realpath(tmp, root) == NULL)
		return rp_fail_sys(err, rp_err_of_errno(errno), errno,
				   "cannot use the temporary folder %s", tmp);
	if ((size_t)snprintf(d->dir, sizeof d->dir, "%s/runpost-demo-XXXXXX", root) >=
	    sizeof d->dir)
		return rp_fail(err, RP_ERR_INVAL, "the path of the temporary folder %s is too long",
			       tmp);
	if (mkdtemp(d->dir) == NULL) {
		d->dir[0] = '\0';
		return rp_fail_sys(err, rp_err_of_errno(errno), errno, "cannot make a folder in %s",
				   tmp);
	}
	d->dir_fd = open(d->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return d->dir_fd >= 0
		   ? RP_OK
		   : rp_fail_sys(err, rp_err_of_errno(errno), errno, "cannot open %s", d->dir);
}

static enum rp_err make_secrets(struct rp_demo *d, struct rp_error *err)
{
	struct rp_buf text = {0};
	unsigned char key[32];
	enum rp_err e;

	rp_sys_random(&rp_sys_real, key, sizeof key);
	if (!rp_base64_encode(key, sizeof key, &text))
		return rp_fail(err, RP_ERR_NOMEM, "out of memory");
	snprintf(d->secret, sizeof d->secret, "whsec_%s", text.data);
	rp_wipe(key, sizeof key);
	rp_wipe(text.data, text.len);
	rp_buf_release(&text);
	e = rp_demo_write_file(d->dir_fd, "secret", rp_span_of(d->secret), err);
	return e == RP_OK ? rp_demo_write_file(d->dir_fd, "token", rp_span_of(d->token), err) : e;
}

static int remove_one(const char *path, const struct stat *info, int kind, struct FTW *where)
{
	(void)info;
	(void)kind;
	(void)where;
	return remove(path);
}

static void clean_up(struct rp_demo *d, bool keep)
{
	rp_demo_end(d, &d->senders);
	rp_demo_end(d, &d->receiver);
	rp_demo_end(d, &d->broken);
	if (d->dir_fd >= 0)
		close(d->dir_fd);
	if (d->dir[0] != '\0' && keep)
		printf("\nkept: %s\n", d->dir);
	else if (d->dir[0] != '\0' && nftw(d->dir, remove_one, 16, FTW_DEPTH | FTW_PHYS) != 0)
		fprintf(stderr, "runpost demo: cannot remove %s: %s\n", d->dir, strerror(errno));
	rp_buf_release(&d->text);
	rp_wipe(d->secret, sizeof d->secret);
}

static int play(struct rp_demo *d, const char *runs, bool keep)
{
	int64_t began_ms = rp_sys_boot_ms(&rp_sys_real);
	bool ok = rp_demo_play(d, runs != NULL ? runs : "of the demo's own");
	bool stopped = d->stop_signal != 0;

	if (!ok && !stopped && d->senders.pid != 0)
		rp_demo_show_log(d, &d->senders);
	clean_up(d, keep);
	if (stopped) {
		printf("\ndemo: stopped by signal %d\n", d->stop_signal);
		return 128 + d->stop_signal;
	}
	/* Cleaning up can fail too: a program that must be killed is no success. */
	if (!ok || d->failed) {
		printf("\ndemo: step %u did not do what it says%s\n", d->step,
		       keep ? "" : "; --keep leaves all files to look into");
		return RP_EXIT_SOME_FAILED;
	}
	printf("\ndemo: every step did what it says (%.1f s)\n",
	       (double)(rp_sys_boot_ms(&rp_sys_real) - began_ms) / 1000);
	return RP_EXIT_OK;
}

static enum rp_err prepare(struct rp_demo *d, const char *runs, struct rp_error *err)
{
	enum rp_err e = find_programs(d, err);

	if (e == RP_OK)
		e = rp_demo_load_runs(d, runs, err);
	if (e != RP_OK)
		return e;
	signal(SIGPIPE, SIG_IGN);
	d->stop_fd = rp_stop_signals(0);
	if (d->stop_fd < 0)
		return rp_fail_sys(err, RP_ERR_IO, errno, "cannot set up signals");
	e = make_folder(d, err);
	return e == RP_OK ? make_secrets(d, err) : e;
}

int rp_cmd_demo(int argc, char **argv)
{
	const char *runs = NULL;
	bool keep = false;
	const struct rp_cli_option options[] = {
	    {"runs", "FILE",
	     "completed runs to use, one JSON object a line (default: three of its own)", &runs,
	     NULL},
	    {"keep", NULL, "leave the folder with outbox, configuration and logs", NULL, &keep},
	};
	const struct rp_cli cli = {"demo",
				   "Shows the whole way of a run on this machine: ingest, two "
				   "senders, a receiver that fails at first, a "
				   "dead\n"
				   "letter and its replay, the operator's screens. It sends to "
				   "receivers of its own only, in a temporary "
				   "folder.\n"
				   "Exit: 0 if every step did what it says, 1 if one did not, 64 "
				   "usage, 66 a program or FILE is missing.",
				   options, sizeof options / sizeof options[0]};
	struct rp_demo d = {.dir_fd = -1,
			    .stop_fd = -1,
			    .receiver.name = "receiver",
			    .broken.name = "broken",
			    .senders.name = "senders"};
	struct rp_error err = {0};
	enum rp_err e;
	int code = rp_cli_parse(&cli, argc, argv);

	if (code != RP_CLI_GO_ON)
		return code;
	if (!isatty(STDOUT_FILENO))
		setenv("NO_COLOR", "1", 1); /* the tools see a terminal of ours, whatever ours is */
	e = prepare(&d, runs, &err);
	if (e == RP_OK) {
		code = play(&d, runs, keep);
	} else {
		fprintf(stderr, "runpost demo: %s\n", err.text);
		clean_up(&d, false);
		code = rp_err_exit_code(e);
	}
	if (d.stop_fd >= 0)
		close(d.stop_fd);
	return code;
}
