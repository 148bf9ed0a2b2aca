/* term.c - takes the terminal and gives it back however the program ends. It is apart from
 * drawing because signal handlers need it. */

#include "ctl/screen/term.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

/* The other screen, no cursor, no wrapping at the margin; and back. */
#define ENTER "\033[?1049h\033[?25l\033[?7l"
#define LEAVE "\033[?7h\033[?25h\033[0m\033[?1049l"

static struct termios found;
static volatile sig_atomic_t taken, quit_asked, stop_asked, resized;

static volatile sig_atomic_t errors_fd = -1;

static const int quitting[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};
static const int crashing[] = {SIGABRT, SIGSEGV, SIGBUS, SIGFPE, SIGILL};
enum { N_QUITTING = 4, N_CRASHING = 5 };
static struct sigaction crashed_before[N_CRASHING]; /* those they took the place of */

static void on_signal(int sig)
{
	if (sig == SIGTSTP)
		stop_asked = 1;
	else if (sig == SIGWINCH || sig == SIGCONT)
		resized = 1;
	else
		quit_asked = 1;
}

/* Only calls that are allowed in a signal handler. */
static void give_back(void)
{
	ssize_t n;

	if (!taken)
		return;
	taken = 0;
	n = write(STDOUT_FILENO, LEAVE, sizeof LEAVE - 1);
	(void)n; /* it has gone: then there is nothing to give back */
	tcsetattr(STDIN_FILENO, TCSADRAIN, &found);
}

/* What the signal means is for the handler to say that was there before: of some it makes a word
 * and an exit code. */
static void on_crash(int sig, siginfo_t *info, void *context)
{
	int i = 0;

	give_back();
	if (errors_fd >= 0)
		dup2(errors_fd, STDERR_FILENO);
	while (crashing[i] != sig)
		i++;
	sigaction(sig, &crashed_before[i], NULL);
	if ((crashed_before[i].sa_flags & SA_SIGINFO) != 0)
		crashed_before[i].sa_sigaction(sig, info, context);
	else
		raise(sig); /* dies of it as it should */
}

bool rp_term_write(struct rp_span bytes)
{
	while (bytes.len > 0) {
		ssize_t n = write(STDOUT_FILENO, bytes.ptr, bytes.len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN) {
			struct pollfd fd = {.fd = STDOUT_FILENO, .events = POLLOUT};

			poll(&fd, 1, 1000);
			continue;
		}
		if (n < 0)
			return false;
		bytes.ptr += n;
		bytes.len -= (size_t)n;
	}
	return true;
}

void rp_term_errors_were(int fd)
{
	errors_fd = fd;
}

static bool take(void)
{
	struct termios raw = found;

	/* Keys one by one and unseen; ISIG stays: Ctrl-C and Ctrl-Z are signals. */
	raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO | IEXTEN);
	raw.c_iflag &= ~(tcflag_t)(IXON | ICRNL);
	raw.c_cc[VMIN] = 0;
	raw.c_cc[VTIME] = 0;
	if (tcsetattr(STDIN_FILENO, TCSADRAIN, &raw) != 0)
		return false;
	taken = 1;
	return rp_term_write((struct rp_span){ENTER, sizeof ENTER - 1});
}

static void catch_signals(void)
{
	struct sigaction action = {.sa_handler = on_signal}, crash = {.sa_sigaction = on_crash};
	int i;

	sigemptyset(&action.sa_mask);
	sigemptyset(&crash.sa_mask);
	crash.sa_flags = (int)(SA_SIGINFO | SA_RESETHAND | SA_NODEFER);
	for (i = 0; i < N_QUITTING; i++)
		sigaction(quitting[i], &action, NULL);
	for (i = 0; i < N_CRASHING; i++)
		sigaction(crashing[i], &crash, &crashed_before[i]);
	sigaction(SIGTSTP, &action, NULL);
	sigaction(SIGWINCH, &action, NULL);
	sigaction(SIGCONT, &action, NULL);
	action.sa_handler = SIG_IGN; /* a terminal that has gone shows in the result of write */
	sigaction(SIGPIPE, &action, NULL);
}

const char *rp_term_problem(void)
{
	const char *term = getenv("TERM");

	if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO))
		return "it needs a terminal to draw on";
	if (term == NULL || term[0] == '\0' || strcmp(term, "dumb") == 0)
		return "it needs a terminal that can be drawn on (TERM is dumb or not set)";
	return NULL;
}

bool rp_term_open(void)
{
	int sys;

	if (tcgetattr(STDIN_FILENO, &found) != 0)
		return false;
	catch_signals();
	if (take())
		return true;
	sys = errno;
	give_back();
	errno = sys;
	return false;
}

void rp_term_close(void)
{
	give_back();
}

static void stop_here(void)
{
	struct sigaction action = {.sa_handler = SIG_DFL}, before;
	sigset_t set;

	give_back();
	sigemptyset(&action.sa_mask);
	sigaction(SIGTSTP, &action, &before);
	sigemptyset(&set);
	sigaddset(&set, SIGTSTP);
	raise(SIGTSTP);
	/* stopped; somebody said go on */
	sigprocmask(SIG_UNBLOCK, &set, NULL);
	sigaction(SIGTSTP, &before, NULL);
	if (!quit_asked)
		take();
}

unsigned rp_term_events(void)
{
	unsigned events;

	if (stop_asked) {
		stop_asked = 0;
		stop_here();
		resized = 1;
	}
	events = (quit_asked ? RP_TERM_QUIT : 0u) | (resized ? RP_TERM_RESIZED : 0u);
	resized = 0;
	return events;
}

void rp_term_size(unsigned *rows, unsigned *cols)
{
	struct winsize size;

	*rows = 24;
	*cols = 80;
	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_row > 0 && size.ws_col > 0) {
		*rows = size.ws_row;
		*cols = size.ws_col;
	}
}

/* Signals are blocked but for the wait, so that none is slept through. */
static int wait_unless_signalled(struct pollfd *fds, nfds_t n, int timeout_ms)
{
	struct timespec limit = {.tv_sec = timeout_ms / 1000,
				 .tv_nsec = timeout_ms % 1000 * 1000000L};
	sigset_t block, before;
	int got, i;

	sigemptyset(&block);
	for (i = 0; i < N_QUITTING; i++)
		sigaddset(&block, quitting[i]);
	sigaddset(&block, SIGTSTP);
	sigaddset(&block, SIGWINCH);
	sigaddset(&block, SIGCONT);
	sigprocmask(SIG_BLOCK, &block, &before);
	got = quit_asked || stop_asked || resized ? 0 : ppoll(fds, n, &limit, &before);
	sigprocmask(SIG_SETMASK, &before, NULL);
	return got;
}

int rp_term_wait(int timeout_ms, int more_fd, bool *more, char *keys, size_t size)
{
	struct pollfd fds[2] = {{.fd = STDIN_FILENO, .events = POLLIN},
				{.fd = more_fd, .events = POLLIN}};
	int got = wait_unless_signalled(fds, 2, timeout_ms);
	ssize_t n;

	*more = got > 0 && fds[1].revents != 0;
	if (got <= 0 || fds[0].revents == 0)
		return got < 0 && errno != EINTR ? -1 : 0;
	n = read(STDIN_FILENO, keys, size);
	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return 0;
	return n > 0 ? (int)n : -1;
}
