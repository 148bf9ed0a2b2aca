/* log.c - formats log lines and writes them without ever waiting for a reader. The difficult
 * part is the writing: stderr may be a pipe, a socket or a terminal that others share. */

#include "base/log.h"

#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/clocks.h"
#include "base/units.h"

/* Below PIPE_BUF (4096, pipe(7)): into a pipe a line goes whole or not at all. */
enum { LINE_BYTES = 2048, ENDING_MAX = 48, HELD_MAX = 64 << 10 };

static char log_role[32] = "runpost";
static enum rp_log_level log_level = RP_LOG_INFO;
static atomic_ulong dropped;  /* lines, since the last one that went out */
static atomic_bool cut_short; /* the last line was: the next begins on a new one */
static const char *const level_names[] = {"error", "warn", "info", "debug"};

/* stderr once more, as ours. Only a program keeps it open: one that this library is part of may
 * close or replace its files, and number them anew. */
static struct {
	int fd;
	dev_t dev;
	ino_t ino;
} own = {.fd = -1};

static _Thread_local struct {
	unsigned depth;
	struct rp_buf lines;
} held;

/* What is open as stderr is shared with other programs, which must not find it non-blocking. */
static int open_stderr_again(void)
{
	return open("/proc/self/fd/2", O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
}

static bool may_make_wait(const struct stat *st)
{
	return S_ISFIFO(st->st_mode) || S_ISCHR(st->st_mode);
}

void rp_log_setup(const char *role, enum rp_log_level level)
{
	struct stat st;

	rp_log_name(role);
	log_level = level;
	if (own.fd < 0 && fstat(STDERR_FILENO, &st) == 0 && may_make_wait(&st)) {
		own.fd = open_stderr_again();
		own.dev = st.st_dev;
		own.ino = st.st_ino;
	}
}

void rp_log_name(const char *role)
{
	snprintf(log_role, sizeof log_role, "%s", role);
}

void rp_log_forked(void)
{
	atomic_store(&dropped, 0);
}

bool rp_log_is_on(enum rp_log_level level)
{
	return level <= log_level;
}

static ssize_t write_unless_it_waits(const struct stat *st, const char *bytes, size_t n)
{
	struct pollfd ready = {.fd = STDERR_FILENO, .events = POLLOUT};
	bool is_own = own.fd >= 0 && own.dev == st->st_dev && own.ino == st->st_ino;
	int fd = is_own ? own.fd : open_stderr_again();
	ssize_t did = -1;

	if (fd >= 0) {
		did = write(fd, bytes, n);
		if (!is_own)
			close(fd);
	} else if (poll(&ready, 1, 0) == 1 && ready.revents == POLLOUT) { /* with a reader */
		/* Somebody else's terminal, no /proc, no descriptor left. Another program may fill
		 * it in between. */
		did = write(STDERR_FILENO, bytes, n);
	}
	return did;
}

static ssize_t write_at_once(const char *bytes, size_t n)
{
	struct stat st;

	if (fstat(STDERR_FILENO, &st) != 0)
		return -1;
	if (S_ISSOCK(st.st_mode))
		return send(STDERR_FILENO, bytes, n, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (may_make_wait(&st))
		return write_unless_it_waits(&st, bytes, n);
	return write(STDERR_FILENO, bytes, n);
}

/* The line, without its line feed. Allowed in a signal handler. */
static void put(const char *line, size_t len)
{
	char out[1 + LINE_BYTES + ENDING_MAX];
	char *at = out;
	unsigned long lost = atomic_exchange(&dropped, 0);
	ssize_t did;

	if (atomic_exchange(&cut_short, false))
		*at++ = '\n';
	memcpy(at, line, len);
	at += len;
	if (lost > 0) {
		char digits[RP_DECIMAL_MAX];

		at = stpcpy(stpcpy(at, " log_dropped="), rp_decimal(lost, digits));
	}
	*at++ = '\n';
	did = write_at_once(out, (size_t)(at - out));
	if (did == at - out)
		return;
	atomic_fetch_add(&dropped, lost + 1);
	if (did > 0)
		atomic_store(&cut_short, true);
}

static void put_held(void)
{
	size_t at, len;

	for (at = 0; at < held.lines.len; at += len + 1) {
		const char *line = held.lines.data + at;

		len = (size_t)((const char *)memchr(line, '\n', held.lines.len - at) - line);
		put(line, len);
	}
}

static void keep(const char *line, size_t len)
{
	held.lines.max = HELD_MAX;
	if (!rp_buf_reserve(&held.lines, len + 1) || !rp_buf_add(&held.lines, line, len) ||
	    !rp_buf_add_char(&held.lines, '\n'))
		atomic_fetch_add(&dropped, 1);
}

void rp_log_hold(void)
{
	held.depth++;
}

void rp_log_release(void)
{
	if (--held.depth > 0 || held.lines.data == NULL)
		return;
	put_held();
	rp_buf_release(&held.lines);
}

void rp_log_last(const char *text)
{
	put_held();
	(void)!write_at_once(text, strlen(text));
}

void rp_log_say(const char *fmt, ...)
{
	char line[LINE_BYTES];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(line, sizeof line, fmt, ap);
	va_end(ap);
	if (n > 0)
		put(line, (size_t)n < sizeof line ? (size_t)n : sizeof line - 1);
}

void rp_log(enum rp_log_level level, const char *ev, const char *fmt, ...)
{
	char line[LINE_BYTES], at[RP_TIME_TEXT_MAX];
	size_t len, i;
	va_list ap;
	int n;

	if (!rp_log_is_on(level))
		return;
	rp_time_format(rp_clocks_us(CLOCK_REALTIME) / 1000, at);
	n = snprintf(line, sizeof line, "at=%s level=%s role=%s pid=%ld ev=%s ", at,
		     level_names[level], log_role, (long)getpid(), ev);
	len = n < 0 ? 0 : (size_t)n;
	if (len < sizeof line) {
		va_start(ap, fmt);
		n = vsnprintf(line + len, sizeof line - len, fmt, ap);
		va_end(ap);
		len += n < 0 ? 0 : (size_t)n;
	}
	if (len > sizeof line - 1)
		len = sizeof line - 1;
	for (i = 0; i < len; i++)
		if ((unsigned char)line[i] < 0x20 || line[i] == 0x7f)
			line[i] = '?';
	if (held.depth > 0)
		keep(line, len);
	else
		put(line, len);
}

const char *rp_log_quote(const char *text, char *out, unsigned long size)
{
	size_t o = 0;
	const unsigned char *p;

	out[o++] = '"';
	for (p = (const unsigned char *)text; *p != '\0' && o + 6 < size; p++) {
		if (*p == '"' || *p == '\\') {
			out[o++] = '\\';
			out[o++] = (char)*p;
		} else if (*p < 0x20 || *p == 0x7f) {
			o += (size_t)sprintf(out + o, "\\x%02x", *p);
		} else {
			out[o++] = (char)*p;
		}
	}
	out[o++] = '"';
	out[o] = '\0';
	return out;
}
