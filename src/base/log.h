/* log.h - one event a line on stderr, logfmt: `at=2026-11-23T12:00:00.123Z level=info ev=settled id=msg_... attempt=3 ...`.
 *
 * The same keys in every program, so that one grep follows an entry. Never a payload, a secret or a URL's query. Whoever
 * decides, logs, once; core never logs. A line is written with one write(2), so lines of several processes do not mix. */
#ifndef RP_BASE_LOG_H
#define RP_BASE_LOG_H

#include <stdbool.h>

enum rp_log_level { RP_LOG_ERROR, RP_LOG_WARN, RP_LOG_INFO, RP_LOG_DEBUG };

/* Lines above `level` are dropped. `role` ("ingest", "sender-2") goes into every line; it is copied. */
void rp_log_setup(const char *role, enum rp_log_level level);
void rp_log_name(const char *role); /* changes the role alone */

bool rp_log_is_on(enum rp_log_level level); /* for callers who would work to make a line that is dropped */

/* fmt renders the pairs after ev, e.g. rp_log(RP_LOG_INFO, "settled", "id=%s attempt=%u", id, n). Values with spaces or
 * foreign bytes go through %s of rp_log_quote. Control bytes that slip through are replaced by '?'. */
void rp_log(enum rp_log_level level, const char *ev, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* Writes `text` as a double-quoted, escaped value into out (cut to fit) and returns out. */
const char *rp_log_quote(const char *text, char *out, unsigned long size);

#endif
