/* demo.c - starts, watches and ends the programs that the demo plays with. It is the only part
 * of the demo that knows processes. */

#include "cmd/demo.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/sys.h"

#define ARGS_MAX 20
#define END_LIMIT_MS 5000
#define LOOK_EVERY_MS 10
#define SCREEN_COLUMNS 120     /* when ours is none */
#define SCREEN_COLUMNS_MIN 100 /* narrower, and tables would cut what the demo looks for */
#define INDENT_COLUMNS 5

static int64_t now_ms(void)
{
	return rp_sys_boot_ms(&rp_sys_real);
}

static void read_stop_signal(struct rp_demo *d)
{
	struct signalfd_siginfo info;

	if (read(d->stop_fd, &info, sizeof info) == (ssize_t)sizeof info)
		d->stop_signal = (int)info.ssi_signo;
}

bool rp_demo_pause(struct rp_demo *d, int ms)
{
	struct pollfd p = {.fd = d->stop_fd, .events = POLLIN};

	if (d->stop_signal == 0 && poll(&p, 1, ms) > 0)
		read_stop_signal(d);
	return d->stop_signal == 0;
}

static void note_end(struct rp_demo_child *child, int status)
{
	child->pid = 0;
	child->exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

bool rp_demo_is_running(struct rp_demo_child *child)
{
	int status;

	if (child->pid != 0 && waitpid(child->pid, &status, WNOHANG) == child->pid)
		note_end(child, status);
	return child->pid != 0;
}

/* A stop signal does not cut this short: it is what happens then. */
static bool wait_for_end(struct rp_demo_child *child, int64_t limit_ms)
{
	int64_t until_ms = now_ms() + limit_ms;

	while (rp_demo_is_running(child) && now_ms() < until_ms)
		poll(NULL, 0, LOOK_EVERY_MS);
	return child->pid == 0;
}

void rp_demo_end(struct rp_demo *d, struct rp_demo_child *child)
{
	int status;

	if (!rp_demo_is_running(child))
		return;
	kill(child->pid, SIGTERM);
	if (wait_for_end(child, END_LIMIT_MS))
		return;
	rp_demo_fail(d, "%s did not end when told to; it was killed", child->name);
	kill(child->pid, SIGKILL);
	if (waitpid(child->pid, &status, 0) == child->pid)
		note_end(child, status);
}

static _Noreturn void become(const struct rp_demo *d, pid_t parent, int in, int out,
			     const char *const *argv)
{
	char path[RP_DEMO_PATH_MAX + 32];
	char *args[ARGS_MAX];
	sigset_t none;
	size_t n = 0;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_DFL);
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	if (getppid() != parent) /* it died before the line above */
		_exit(EXIT_FAILURE);
	while (argv[n] != NULL)
		n++;
	assert(n < ARGS_MAX);
	/* execv changes nothing, but its type does not say so */
	memcpy(args, argv, (n + 1) * sizeof args[0]);
	snprintf(path, sizeof path, "%s/%s", d->bin, argv[0]);
	if (fchdir(d->dir_fd) == 0 && dup2(in, 0) == 0 && dup2(out, 1) == 1 && dup2(out, 2) == 2)
		execv(strcmp(argv[0], "runpost") == 0 ? d->self : path, args);
	fprintf(stderr, "cannot run %s: %s\n", argv[0], strerror(errno));
	_exit(127);
}

/* A fork, where posix_spawn would do otherwise: only so can the kernel be told to end the child
 * should the demo be killed. */
static bool start(struct rp_demo *d, struct rp_demo_child *child, const char *input, int out,
		  const char *const *argv)
{
	int in = input != NULL ? openat(d->dir_fd, input, O_RDONLY | O_CLOEXEC)
			       : open("/dev/null", O_RDONLY | O_CLOEXEC);
	pid_t parent = getpid(), pid;

	if (in < 0)
		return rp_demo_fail(d, "cannot open %s: %s", input != NULL ? input : "/dev/null",
				    strerror(errno));
	fflush(stdout);
	pid = fork();
	if (pid == 0)
		become(d, parent, in, out, argv);
	close(in);
	if (pid < 0)
		return rp_demo_fail(d, "cannot start %s: %s", argv[0], strerror(errno));
	child->pid = pid;
	return true;
}

bool rp_demo_start(struct rp_demo *d, struct rp_demo_child *child, const char *const *argv)
{
	char log[64];
	bool ok;
	int out;

	assert(child->pid == 0);
	snprintf(log, sizeof log, "%s.log", child->name);
	out = openat(d->dir_fd, log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	if (out < 0)
		return rp_demo_fail(d, "cannot write %s/%s: %s", d->dir, log, strerror(errno));
	rp_demo_command(argv, NULL);
	ok = start(d, child, NULL, out, argv);
	close(out);
	return ok;
}

static unsigned short screen_columns(void)
{
	struct winsize size;

	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 &&
	    size.ws_col >= SCREEN_COLUMNS_MIN + INDENT_COLUMNS)
		return (unsigned short)(size.ws_col - INDENT_COLUMNS);
	return isatty(STDOUT_FILENO) ? SCREEN_COLUMNS_MIN : SCREEN_COLUMNS;
}

/* ends[0] to read from, ends[1] for the child, as of pipe(2). */
static int open_terminal(int ends[2])
{
	struct winsize size = {.ws_row = 50, .ws_col = screen_columns()};
	struct termios mode;
	char name[64];

	ends[1] = -1;
	ends[0] = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (ends[0] < 0)
		return -1;
	if (grantpt(ends[0]) == 0 && unlockpt(ends[0]) == 0 &&
	    ptsname_r(ends[0], name, sizeof name) == 0)
		ends[1] = open(name, O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (ends[1] < 0 || tcgetattr(ends[1], &mode) != 0)
		return -1;
	mode.c_oflag &= ~(tcflag_t)OPOST; /* no CR before each LF */
	return tcsetattr(ends[1], TCSANOW, &mode) == 0 && ioctl(ends[1], TIOCSWINSZ, &size) == 0
		   ? 0
		   : -1;
}

static void close_if_open(int fd)
{
	if (fd >= 0)
		close(fd);
}

/* Reads to the end of what the child writes. False: a stop, the deadline, or no memory. */
static bool collect(struct rp_demo *d, int fd, struct rp_buf *out)
{
	int64_t until_ms = now_ms() + RP_DEMO_LIMIT_MS, left_ms;

	while ((left_ms = until_ms - now_ms()) > 0 && d->stop_signal == 0) {
		struct pollfd p[2] = {{.fd = fd, .events = POLLIN},
				      {.fd = d->stop_fd, .events = POLLIN}};
		char piece[4096];
		ssize_t n;

		if (poll(p, 2, (int)left_ms) <= 0)
			continue;
		if (p[1].revents != 0)
			read_stop_signal(d);
		if (p[0].revents == 0)
			continue;
		n = read(fd, piece, sizeof piece);
		/* EIO: how a terminal tells that the other side is closed */
		if (n == 0 || (n < 0 && errno == EIO))
			return true;
		if (n > 0 && !rp_buf_add(out, piece, (size_t)n))
			return false;
	}
	return false;
}

static bool run_in(struct rp_demo *d, int ends[2], const char *input, const char *const *argv,
		   struct rp_buf *out)
{
	struct rp_demo_child *child = &d->foreground;
	bool started, whole;

	child->name = argv[0];
	started = start(d, child, input, ends[1], argv);
	close(ends[1]); /* the end of output shows only when nobody here holds it */
	ends[1] = -1;
	if (!started)
		return false;
	whole = collect(d, ends[0], out) && wait_for_end(child, END_LIMIT_MS);
	rp_demo_end(d, child);
	if (whole || d->stop_signal != 0)
		return whole;
	return rp_demo_fail(d, "%s has not ended after %d s; it was stopped", argv[0],
			    RP_DEMO_LIMIT_MS / 1000);
}

bool rp_demo_run(struct rp_demo *d, enum rp_demo_how how, const char *input,
		 const char *const *argv, struct rp_buf *out)
{
	int ends[2] = {-1, -1};
	bool ok = false;

	rp_buf_clear(out);
	if (how != RP_DEMO_QUIET)
		rp_demo_command(argv, input);
	if ((how == RP_DEMO_SCREEN ? open_terminal(ends) : pipe2(ends, O_CLOEXEC)) != 0)
		rp_demo_fail(d, "cannot open a terminal or pipe for %s: %s", argv[0],
			     strerror(errno));
	else
		ok = run_in(d, ends, input, argv, out);
	close_if_open(ends[0]);
	close_if_open(ends[1]);
	if (how != RP_DEMO_QUIET)
		rp_demo_output(d, (struct rp_span){out->data, out->len});
	if (ok && d->foreground.exit_code != 0) {
		if (how == RP_DEMO_QUIET)
			rp_demo_output(d, (struct rp_span){out->data, out->len});
		ok = rp_demo_fail(d, "%s %s ended with %d; 0 was expected", argv[0], argv[1],
				  d->foreground.exit_code);
	}
	return ok;
}
