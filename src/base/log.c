#include "base/log.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/sys.h"
#include "base/units.h"

static char log_role[32] = "runpost";
static enum rp_log_level log_level = RP_LOG_INFO;
static const char *const level_names[] = {"error", "warn", "info", "debug"};

void rp_log_setup(const char *role, enum rp_log_level level)
{
	rp_log_name(role);
	log_level = level;
}

void rp_log_name(const char *role)
{
	snprintf(log_role, sizeof log_role, "%s", role);
}

bool rp_log_is_on(enum rp_log_level level)
{
	return level <= log_level;
}

void rp_log(enum rp_log_level level, const char *ev, const char *fmt, ...)
{
	char line[2048], at[RP_TIME_TEXT_MAX];
	size_t len, i;
	ssize_t ignored;
	va_list ap;
	int n;

	if (!rp_log_is_on(level))
		return;
	rp_time_format(rp_sys_wall_ms(&rp_sys_real), at);
	n = snprintf(line, sizeof line - 1, "at=%s level=%s role=%s pid=%ld ev=%s ", at, level_names[level], log_role,
		     (long)getpid(), ev);
	len = n < 0 ? 0 : (size_t)n;
	va_start(ap, fmt);
	n = vsnprintf(line + len, sizeof line - 1 - len, fmt, ap);
	va_end(ap);
	len += n < 0 ? 0 : (size_t)n;
	if (len > sizeof line - 2)
		len = sizeof line - 2;
	for (i = 0; i < len; i++)
		if ((unsigned char)line[i] < 0x20 || line[i] == 0x7f)
			line[i] = '?';
	line[len++] = '\n';
	ignored = write(STDERR_FILENO, line, len); /* nowhere left to report a failing stderr */
	(void)ignored;
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
