/* door_refusal.c - fills in why a request is not taken. */

#include "serve/door_refusal.h"

#include <stdarg.h>
#include <stdio.h>

bool rp_door_refuse(struct rp_door_refusal *no, int status, const char *code,
		    const char *extra_header_lines, const char *fmt, ...)
{
	va_list args;

	no->status = status;
	no->code = code;
	no->extra_header_lines = extra_header_lines != NULL ? extra_header_lines : "";
	va_start(args, fmt);
	vsnprintf(no->reason, sizeof no->reason, fmt, args);
	va_end(args);
	return false;
}
