/* err.c - fills the error type and turns errors into exit codes. It is apart so that a kind of
 * error has one exit code in every program. */

#include "base/err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const struct {
	const char *name;
	int exit_code;
} codes[] = {
    [RP_OK] = {"ok", RP_EXIT_OK},
    [RP_ERR_INVAL] = {"inval", RP_EXIT_USAGE},
    [RP_ERR_NOTFOUND] = {"notfound", RP_EXIT_NOINPUT},
    [RP_ERR_EXISTS] = {"exists", RP_EXIT_SOME_FAILED},
    [RP_ERR_STALE] = {"stale", RP_EXIT_TEMPFAIL},
    [RP_ERR_FULL] = {"full", RP_EXIT_TEMPFAIL},
    [RP_ERR_BUSY] = {"busy", RP_EXIT_TEMPFAIL},
    [RP_ERR_DENIED] = {"denied", RP_EXIT_NOPERM},
    [RP_ERR_FORMAT] = {"format", RP_EXIT_DATA},
    [RP_ERR_DAMAGED] = {"damaged", RP_EXIT_DATA},
    [RP_ERR_NOMEM] = {"nomem", RP_EXIT_TEMPFAIL},
    [RP_ERR_IO] = {"io", RP_EXIT_IO},
    [RP_ERR_AWAY] = {"away", RP_EXIT_TEMPFAIL},
};

const char *rp_err_name(enum rp_err code)
{
	return (size_t)code < sizeof codes / sizeof codes[0] ? codes[code].name : "unknown";
}

int rp_err_exit_code(enum rp_err code)
{
	return (size_t)code < sizeof codes / sizeof codes[0] ? codes[code].exit_code
							     : RP_EXIT_SOFTWARE;
}

__attribute__((format(printf, 4, 0))) static void fill(struct rp_error *err, enum rp_err code,
						       int sys, const char *fmt, va_list ap)
{
	int n;

	err->code = code;
	err->sys = sys;
	n = vsnprintf(err->text, sizeof err->text, fmt, ap);
	if (sys != 0 && n >= 0 && (size_t)n < sizeof err->text)
		snprintf(err->text + n, sizeof err->text - (size_t)n, ": %s", strerror(sys));
}

enum rp_err rp_fail(struct rp_error *err, enum rp_err code, const char *fmt, ...)
{
	va_list ap;

	if (err != NULL) {
		va_start(ap, fmt);
		fill(err, code, 0, fmt, ap);
		va_end(ap);
	}
	return code;
}

enum rp_err rp_fail_sys(struct rp_error *err, enum rp_err code, int sys, const char *fmt, ...)
{
	va_list ap;

	if (err != NULL) {
		va_start(ap, fmt);
		fill(err, code, sys, fmt, ap);
		va_end(ap);
	}
	return code;
}

enum rp_err rp_err_of_errno(int sys)
{
	switch (sys) {
	case EACCES:
	case EPERM:
	case EROFS:
		return RP_ERR_DENIED;
	case ENOENT:
	case ENOTDIR:
		return RP_ERR_NOTFOUND;
	case ENOSPC:
	case EDQUOT:
		return RP_ERR_FULL;
	case ENOMEM:
		return RP_ERR_NOMEM;
	default:
		return RP_ERR_IO;
	}
}
