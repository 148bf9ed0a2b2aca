/* run_reject.c - notes why a line is not taken. It is apart because all parts of the parser use it.
 */

#include "run/run_reject.h"

#include <stdarg.h>
#include <stdio.h>

bool rp_run_reject(struct rp_parsed_run *run, const char *code, const char *fmt, ...)
{
	va_list ap;

	run->status = RP_RUN_REJECTED;
	run->code = code;
	va_start(ap, fmt);
	vsnprintf(run->reason, sizeof run->reason, fmt, ap);
	va_end(ap);
	return false;
}

bool rp_run_no_memory(struct rp_parsed_run *run)
{
	run->status = RP_RUN_NO_MEMORY;
	snprintf(run->reason, sizeof run->reason,
		 "there is not enough memory for the line's fields; send it again");
	return false;
}
