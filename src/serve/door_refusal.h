/* door_refusal.h - why the door does not take a request: a status, a word for programs and a
 * sentence for people. */
#ifndef RP_SERVE_DOOR_REFUSAL_H
#define RP_SERVE_DOOR_REFUSAL_H

#include <stdbool.h>

#define RP_DOOR_REASON_MAX 160
#define RP_DOOR_RETRY_AFTER "Retry-After: 5\r\n"

struct rp_door_refusal {
	int status;
	const char *code; /* static */
	/* What is wrong and what would be right. It repeats no token, query, signature or body. */
	char reason[RP_DOOR_REASON_MAX];
	const char *extra_header_lines; /* static, whole lines with CR LF; "": none */
};

/* Fills *no and returns false, so that callers write `return rp_door_refuse(no, ...)`. A reason
 * that does not fit is cut. extra_header_lines: NULL for none. */
bool rp_door_refuse(struct rp_door_refusal *no, int status, const char *code,
		    const char *extra_header_lines, const char *fmt, ...)
    __attribute__((format(printf, 5, 6)));

#endif
