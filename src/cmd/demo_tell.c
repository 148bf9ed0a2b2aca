/* demo_tell.c - prints headings, commands and checks of the demo. All output goes through it, so
 * that the story looks the same in every step. */

#include "cmd/demo.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

void rp_demo_heading(struct rp_demo *d, unsigned step, const char *text)
{
	d->step = step;
	printf("\n%u. %s\n", step, text);
}

void rp_demo_command(const char *const *argv, const char *input)
{
	printf("   $");
	while (*argv != NULL)
		printf(" %s", *argv++);
	if (input != NULL)
		printf(" < %s", input);
	putchar('\n');
}

bool rp_demo_next_line(struct rp_span *rest, struct rp_span *line)
{
	const char *end;

	if (rest->len == 0)
		return false;
	end = memchr(rest->ptr, '\n', rest->len);
	*line = (struct rp_span){rest->ptr, end != NULL ? (size_t)(end - rest->ptr) : rest->len};
	rest->ptr += line->len + (end != NULL);
	rest->len -= line->len + (end != NULL);
	return true;
}

static bool holds(struct rp_span line, const char *secret)
{
	return secret[0] != '\0' && memmem(line.ptr, line.len, secret, strlen(secret)) != NULL;
}

void rp_demo_output(struct rp_demo *d, struct rp_span text)
{
	struct rp_span line;

	while (rp_demo_next_line(&text, &line)) {
		if (holds(line, d->token) || holds(line, d->secret))
			rp_demo_fail(
			    d, "a line is not shown: there is a token or a signing secret in it");
		else
			printf("     %.*s\n", (int)line.len, line.ptr);
	}
}

void rp_demo_show_log(struct rp_demo *d, struct rp_demo_child *child)
{
	struct rp_buf log = {0};
	struct rp_error err;
	char name[64];

	snprintf(name, sizeof name, "%s.log", child->name);
	if (rp_demo_read_file(d->dir_fd, name, &log, &err) != RP_OK) {
		rp_demo_fail(d, "%s", err.text);
	} else {
		while (log.len > child->shown && log.data[log.len - 1] != '\n')
			log.len--;
		if (log.len > child->shown)
			rp_demo_output(
			    d, (struct rp_span){log.data + child->shown, log.len - child->shown});
		child->shown = log.len;
	}
	rp_buf_release(&log);
}

__attribute__((format(printf, 3, 0))) static void tell(struct rp_demo *d, bool ok, const char *fmt,
						       va_list ap)
{
	if (d->stop_signal != 0) /* what was cut short says nothing */
		return;
	printf("   %-7s ", ok ? "ok" : "FAILED");
	vprintf(fmt, ap);
	putchar('\n');
	fflush(stdout);
}

bool rp_demo_check(struct rp_demo *d, bool ok, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	tell(d, ok, fmt, ap);
	va_end(ap);
	d->failed |= !ok;
	return ok;
}

bool rp_demo_fail(struct rp_demo *d, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	tell(d, false, fmt, ap);
	va_end(ap);
	d->failed = true;
	return false;
}

static enum rp_err read_all(int fd, const char *path, struct rp_buf *out, struct rp_error *err)
{
	ssize_t n;

	do {
		if (!rp_buf_reserve(out, 65536))
			return rp_fail(err, RP_ERR_NOMEM, "%s: too large, or out of memory", path);
		n = read(fd, out->data + out->len, 65536);
		if (n > 0)
			out->len += (size_t)n;
	} while (n > 0);
	if (n < 0)
		return rp_fail_sys(err, RP_ERR_IO, errno, "cannot read %s", path);
	out->data[out->len] = '\0';
	return RP_OK;
}

enum rp_err rp_demo_read_file(int dir_fd, const char *path, struct rp_buf *out,
			      struct rp_error *err)
{
	int fd = openat(dir_fd, path, O_RDONLY | O_CLOEXEC);
	enum rp_err e;

	rp_buf_clear(out);
	if (fd < 0)
		return rp_fail_sys(err, rp_err_of_errno(errno), errno, "cannot read %s", path);
	e = read_all(fd, path, out, err);
	close(fd);
	return e;
}

enum rp_err rp_demo_write_file(int dir_fd, const char *name, struct rp_span text,
			       struct rp_error *err)
{
	int fd = openat(dir_fd, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	ssize_t n = 0;

	if (fd < 0)
		return rp_fail_sys(err, rp_err_of_errno(errno), errno, "cannot write %s", name);
	while (text.len > 0 && n >= 0) {
		n = write(fd, text.ptr, text.len);
		if (n > 0) {
			text.ptr += n;
			text.len -= (size_t)n;
		}
	}
	if (close(fd) != 0 || text.len > 0)
		return rp_fail_sys(err, rp_err_of_errno(errno), errno, "cannot write %s", name);
	return RP_OK;
}
