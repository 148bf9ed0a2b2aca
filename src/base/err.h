/* err.h - fills and names the one error type of the project (struct rp_error, declared in
 * runpost.h).
 *
 * Three bins. Bad input: RP_ERR_INVAL with a sentence that names the line or key; the program goes
 * on. Environment: returned up to main(), which logs it once and exits with rp_err_exit_code. Our
 * own bug: assert. What a delivery came back with is not an error but a value (model/outcome.h). */
#ifndef RP_BASE_ERR_H
#define RP_BASE_ERR_H

#include "runpost.h"

/* sysexits.h values; scripts rely on them. */
enum rp_exit {
	RP_EXIT_OK = 0,
	/* done, and the answer is no: some lines rejected, some ids not found */
	RP_EXIT_SOME_FAILED = 1,
	RP_EXIT_USAGE = 64,
	RP_EXIT_DATA = 65,     /* damage found */
	RP_EXIT_NOINPUT = 66,  /* no outbox there */
	RP_EXIT_SOFTWARE = 70, /* our bug */
	RP_EXIT_IO = 74,
	RP_EXIT_TEMPFAIL = 75, /* full or locked: try again */
	RP_EXIT_NOPERM = 77,
	RP_EXIT_CONFIG = 78,
};

/* Fills *err (may be NULL) and returns code, so that callers write `return rp_fail(err,
 * RP_ERR_INVAL, "...", ...)`. Text that does not fit is cut at RP_ERROR_TEXT_MAX. rp_fail_sys
 * appends ": " and strerror(sys). */
enum rp_err rp_fail(struct rp_error *err, enum rp_err code, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
enum rp_err rp_fail_sys(struct rp_error *err, enum rp_err code, int sys, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

/* The code that fits an errno met while opening or writing a file: EACCES/EPERM/EROFS -> DENIED,
 * ENOENT/ENOTDIR -> NOTFOUND, ENOSPC/EDQUOT -> FULL, ENOMEM -> NOMEM, else IO. */
enum rp_err rp_err_of_errno(int sys);

/* The exit code a program ends with when `code` reached its main(). */
int rp_err_exit_code(enum rp_err code);

#endif
