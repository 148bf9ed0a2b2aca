/* supervisor.c - starts worker processes and restarts those that die. It is apart because it opens
 * no outbox: LMDB must not be carried over a fork. */

#include "cmd/supervisor.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"
#include "base/sys.h"

#define RESTART_MS 1000

struct child {
	pid_t pid;             /* 0: not running */
	int64_t started_ms;    /* boot time */
	int64_t restart_at_ms; /* boot time; 0: no restart */
};

struct supervisor {
	const struct rp_workers *workers;
	struct child *children; /* as many as workers->n */
	int signals;
	bool stopping;
	int exit_code;
};

static void set_of_stop_signals(sigset_t *set)
{
	sigemptyset(set);
	sigaddset(set, SIGTERM);
	sigaddset(set, SIGINT);
	sigaddset(set, SIGHUP);
}

int rp_stop_signals(int children)
{
	sigset_t set;

	set_of_stop_signals(&set);
	if (children)
		sigaddset(&set, SIGCHLD);
	if (sigprocmask(SIG_BLOCK, &set, NULL) != 0)
		return -1;
	return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

int rp_stop_signals_hold(void)
{
	sigset_t set;

	set_of_stop_signals(&set);
	return sigprocmask(SIG_BLOCK, &set, NULL);
}

static void become_child(struct supervisor *s, unsigned i, pid_t parent)
{
	sigset_t held;

	rp_log_forked();
	close(s->signals);
	set_of_stop_signals(&held);
	sigprocmask(SIG_SETMASK, &held, NULL);
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	if (getppid() != parent) /* the parent died before the line above */
		_exit(RP_EXIT_OK);
	exit(s->workers->run(s->workers->arg, i + 1));
}

static void start_child(struct supervisor *s, unsigned i)
{
	struct child *c = &s->children[i];
	pid_t parent = getpid(), pid = fork();

	if (pid == 0)
		become_child(s, i, parent);
	c->started_ms = rp_sys_boot_ms(&rp_sys_real);
	c->restart_at_ms = 0;
	c->pid = pid > 0 ? pid : 0;
	if (pid < 0) {
		rp_log(RP_LOG_ERROR, "fork_failed", "worker=%u errno=%d", i + 1, errno);
		c->restart_at_ms = c->started_ms + RESTART_MS;
	}
}

static void stop_children(struct supervisor *s)
{
	unsigned i;

	s->stopping = true;
	for (i = 0; i < s->workers->n; i++) {
		s->children[i].restart_at_ms = 0;
		if (s->children[i].pid > 0)
			kill(s->children[i].pid, SIGTERM);
	}
}

static bool is_permanent(int exit_code)
{
	return exit_code == RP_EXIT_CONFIG || exit_code == RP_EXIT_NOPERM ||
	       exit_code == RP_EXIT_USAGE || exit_code == RP_EXIT_DATA ||
	       exit_code == RP_EXIT_NOINPUT;
}

static void child_ended(struct supervisor *s, unsigned i, int status)
{
	struct child *c = &s->children[i];
	int64_t now_ms = rp_sys_boot_ms(&rp_sys_real);
	int code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
	bool vital = i < s->workers->n_vital;

	s->workers->log_end(&(struct rp_worker_end){i + 1, c->pid, code,
						    WIFSIGNALED(status) ? WTERMSIG(status) : 0});
	c->pid = 0;
	if (code == 0 || s->stopping) {
		if (code > 0 && vital && s->exit_code == 0)
			s->exit_code = code;
		return;
	}
	if (vital && is_permanent(code)) {
		s->exit_code = code;
		stop_children(s);
		return;
	}
	c->restart_at_ms = now_ms - c->started_ms >= RESTART_MS ? now_ms : now_ms + RESTART_MS;
}

static void reap_children(struct supervisor *s)
{
	int status;
	unsigned i;
	pid_t pid;

	/* One signal may stand for several children. None may be missed: no other signal would tell
	 * of it. */
	while ((pid = waitpid(-1, &status, WNOHANG)) > 0 || (pid < 0 && errno == EINTR))
		for (i = 0; i < s->workers->n; i++)
			if (pid > 0 && s->children[i].pid == pid)
				child_ended(s, i, status);
}

/* Starts the children that are due. Returns how long to wait for the next one. -1: none is due. */
static int restart_children(struct supervisor *s)
{
	int64_t now_ms = rp_sys_boot_ms(&rp_sys_real), wait_ms = -1;
	unsigned i;

	for (i = 0; i < s->workers->n; i++) {
		int64_t at_ms = s->children[i].restart_at_ms;

		if (at_ms == 0)
			continue;
		if (at_ms <= now_ms)
			start_child(s, i);
		else if (wait_ms < 0 || at_ms - now_ms < wait_ms)
			wait_ms = at_ms - now_ms;
	}
	return (int)wait_ms;
}

static bool all_ended(const struct supervisor *s)
{
	unsigned i;

	for (i = 0; i < s->workers->n; i++)
		if (s->children[i].pid > 0 || s->children[i].restart_at_ms != 0)
			return false;
	return true;
}

static void reload_children(struct supervisor *s)
{
	unsigned i;

	if (s->stopping || !s->workers->reload(s->workers->arg))
		return;
	for (i = 0; i < s->workers->n; i++)
		if (s->children[i].pid > 0)
			kill(s->children[i].pid, SIGHUP);
}

static void read_signals(struct supervisor *s)
{
	struct signalfd_siginfo info;
	ssize_t n;

	while ((n = read(s->signals, &info, sizeof info)) == (ssize_t)sizeof info) {
		if (info.ssi_signo == SIGHUP)
			reload_children(s);
		else if (info.ssi_signo != SIGCHLD)
			stop_children(s);
	}
	/* one that cannot be told to end must not go on */
	if (n < 0 && errno != EAGAIN && errno != EINTR && !s->stopping) {
		rp_log(RP_LOG_ERROR, "failed", "code=io text=signals errno=%d", errno);
		s->exit_code = RP_EXIT_IO;
		stop_children(s);
	}
}

int rp_supervise(const struct rp_workers *workers)
{
	struct supervisor s = {.workers = workers};
	struct pollfd fd = {.events = POLLIN};
	int wait_ms;
	unsigned i;

	s.children = calloc(workers->n, sizeof s.children[0]);
	s.signals = rp_stop_signals(1);
	if (s.children == NULL || s.signals < 0) {
		rp_log(RP_LOG_ERROR, "start_failed", "errno=%d", errno);
		free(s.children);
		return RP_EXIT_TEMPFAIL;
	}
	for (i = 0; i < workers->n; i++)
		start_child(&s, i);
	fd.fd = s.signals;
	while (wait_ms = restart_children(&s), !all_ended(&s)) {
		(void)poll(&fd, 1, wait_ms);
		read_signals(&s);
		reap_children(&s);
	}
	close(s.signals);
	free(s.children);
	return s.exit_code;
}
