/* units.h - text of durations, sizes and times <-> numbers. Pure functions.
 *
 * Durations: a whole number and a unit, "100ms 5s 3m 2h 7d"; several may follow each other
 * ("1h30m"); "0" needs no unit. Sizes: a number of bytes, or one with K, M, G (1024 based; "KiB"
 * and "KB" spellings are accepted as well). Times: RFC 3339, "2026-11-23T12:00:00Z" or with offset
 * and fraction; printed in UTC with milliseconds. */
#ifndef RP_BASE_UNITS_H
#define RP_BASE_UNITS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"

#define RP_TIME_TEXT_MAX 40
#define RP_DURATION_TEXT_MAX 24
#define RP_WHEN_TEXT_MAX 40

/* false: the text is none of the above, negative or too large. *out is then unchanged. */
bool rp_duration_parse(struct rp_span text, int64_t *out_ms);
bool rp_size_parse(struct rp_span text, uint64_t *out_bytes);
bool rp_time_parse(struct rp_span text, int64_t *out_at_ms);

/* Writes "2026-11-23T12:00:00.123Z" (years 0000 to 9999; others are clamped). Returns out. */
const char *rp_time_format(int64_t at_ms, char out[RP_TIME_TEXT_MAX]);
/* Short for people: "0s", "120ms", "42s", "3m05s", "2h04m", "6d04h". Returns out. */
const char *rp_duration_format(int64_t ms, char out[RP_DURATION_TEXT_MAX]);
/* "3m05s ago", "in 42s", "now"; "-" for at_ms 0 or INT64_MAX, which is never. Returns out. */
const char *rp_when(int64_t at_ms, int64_t now_at_ms, char out[RP_WHEN_TEXT_MAX]);
/* "1.3 GiB". Returns out. */
const char *rp_size_text(uint64_t bytes, char out[32]);

#endif
