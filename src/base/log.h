/* log.h - one event a line on stderr, logfmt: `at=2026-11-23T12:00:00.123Z level=info ev=settled
 * id=msg_... attempt=3 ...`.
 *
 * The same keys in every program, so that one grep follows an entry. Never a payload, a secret or a
 * URL's query. Whoever decides, logs, once; functions of values never log. A line is written with
 * one write(2), so lines of several processes do not mix.
 *
 * Nobody waits for whoever reads the log. A line that would have to wait (a full pipe, a stopped
 * terminal), or for which a disk has no room, is dropped and counted; the next line that goes out
 * ends with `log_dropped=N`. Only a regular file is written to as a disk is. The descriptor's own
 * flags stay as they are: other programs share it. Any thread may log. */
#ifndef RP_BASE_LOG_H
#define RP_BASE_LOG_H

#include <stdbool.h>

enum rp_log_level { RP_LOG_ERROR, RP_LOG_WARN, RP_LOG_INFO, RP_LOG_DEBUG };

/* For programs, before they start a thread. Lines above `level` are left out. `role` ("ingest",
 * "sender-2") goes into every line; it is copied. stderr may be replaced later, by dup2. */
void rp_log_setup(const char *role, enum rp_log_level level);
void rp_log_name(const char *role); /* changes the role alone */
void rp_log_forked(void);           /* in a child: what its parent dropped is told by the parent */

/* for callers who would work to make a line that is left out */
bool rp_log_is_on(enum rp_log_level level);

/* fmt renders the pairs after ev, e.g. rp_log(RP_LOG_INFO, "settled", "id=%s attempt=%u", id, n).
 * Values with spaces or foreign bytes go through %s of rp_log_quote. Control bytes that slip
 * through are replaced by '?'. */
void rp_log(enum rp_log_level level, const char *ev, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* Between the two, lines of this thread are kept in memory, with the time at which they were said:
 * while it holds a lock that others wait for, it does not even try to write. What is above 64 KiB
 * is dropped and counted. Calls nest. */
void rp_log_hold(void);
void rp_log_release(void);

/* What a program that runs for long says at its start or end and is no line of the log: goes out
 * as it is, with a line feed, and is dropped like one, so that whoever started it sees its exit
 * code. Works before rp_log_setup, too. */
void rp_log_say(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* For the handler of a signal that ends the process: writes what this thread still holds, and
 * `text` with its line feed as it is; what would have to wait is lost. */
void rp_log_last(const char *text);

/* Writes `text` as a double-quoted, escaped value into out (cut to fit) and returns out. */
const char *rp_log_quote(const char *text, char *out, unsigned long size);

#endif
