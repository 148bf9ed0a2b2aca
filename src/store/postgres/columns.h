/* columns.h - private to src/store/postgres: members of the model's structs and the columns that
 * they stand in, said once: the lists below give the tables by which rows are read and written, and
 * the texts of the statements that do.
 *
 * X(place, column, type, kind, member): place is the number of its parameter where rows are
 * written, type what an array of it has in a statement. Unsigned numbers of 64 bits that may be
 * above INT64_MAX (hashes, order keys) are stored as the bigint of the same bits. */
#ifndef RP_STORE_POSTGRES_COLUMNS_H
#define RP_STORE_POSTGRES_COLUMNS_H

#include "store/postgres/params.h"
#include "store/postgres/rows.h"

enum rp_pg_kind {
	RP_PG_K_I64,   /* int64_t, uint64_t */
	RP_PG_K_U32,   /* uint32_t, unsigned, enums; as bigint */
	RP_PG_K_BOOL,  /* bool */
	RP_PG_K_NEVER, /* int64_t: RP_NEVER is NULL */
	RP_PG_K_TEXT,  /* struct rp_span as text (params.h) */
	RP_PG_K_ID,    /* unsigned char[RP_ID_BYTES] as bytea */
	RP_PG_K_CHARS, /* char[] with a NUL, as text */
};
struct rp_pg_column {
	enum rp_pg_kind kind;
	size_t offset, size; /* size: of RP_PG_K_CHARS */
};
struct rp_pg_columns {
	const struct rp_pg_column *all;
	size_t n;
};

/* The endpoint of an entry stands in both tables: it never changes. */
#define RP_PG_FACTS(X)                                                                             \
	X(2, id, bytea, ID, id)                                                                    \
	X(3, endpoint, bigint, I64, endpoint)                                                      \
	X(4, accepted_at_ms, bigint, I64, accepted_at_ms)                                          \
	X(5, not_before_at_ms, bigint, I64, not_before_at_ms)                                      \
	X(6, expires_at_ms, bigint, I64, expires_at_ms)                                            \
	X(7, payload_bytes, bigint, I64, payload_bytes)                                            \
	X(8, payload_hash, bigint, I64, payload_hash)                                              \
	X(9, url, text, TEXT, url)                                                                 \
	X(10, run_id, text, TEXT, run_id)                                                          \
	X(11, thread_id, text, TEXT, thread_id)                                                    \
	X(12, event, text, TEXT, event)                                                            \
	X(13, operation, text, TEXT, operation)                                                    \
	X(14, order_by, text, TEXT, order_by)                                                      \
	X(15, headers, text, TEXT, headers)                                                        \
	X(16, dedupe_key, text, TEXT, dedupe_key)

#define RP_PG_DELIVERY(X)                                                                          \
	X(2, endpoint, bigint, I64, endpoint)                                                      \
	X(3, state, bigint, U32, state)                                                            \
	X(4, cause, bigint, U32, cause)                                                            \
	X(5, last_cause, bigint, U32, last_cause)                                                  \
	X(6, http_status, bigint, U32, http_status)                                                \
	X(7, slot, bigint, U32, slot)                                                              \
	X(8, failures, bigint, U32, failures)                                                      \
	X(9, losses, bigint, U32, losses)                                                          \
	X(10, replays, bigint, U32, replays)                                                       \
	X(11, attempts, bigint, U32, attempts)                                                     \
	X(12, claim_no, bigint, U32, claim_no)                                                     \
	X(13, due_at_ms, bigint, I64, due_at_ms)                                                   \
	X(14, state_at_ms, bigint, I64, state_at_ms)                                               \
	X(15, budget_at_ms, bigint, I64, budget_at_ms)                                             \
	X(16, expires_at_ms, bigint, I64, expires_at_ms)                                           \
	X(17, order_key, bigint, I64, order_key)                                                   \
	X(18, behind, boolean, BOOL, behind)                                                       \
	X(19, lacks, bigint, U32, lacks)

#define RP_PG_ATTEMPT(X)                                                                           \
	X(3, cause, bigint, U32, outcome.cause)                                                    \
	X(4, late, boolean, BOOL, late)                                                            \
	X(5, http_version, bigint, U32, outcome.http_version)                                      \
	X(6, http_status, bigint, U32, outcome.http_status)                                        \
	X(7, slot, bigint, U32, slot)                                                              \
	X(8, pid, bigint, U32, pid)                                                                \
	X(9, started_at_ms, bigint, I64, started_at_ms)                                            \
	X(10, duration_us, bigint, I64, outcome.duration_us)                                       \
	X(11, dns_us, bigint, U32, outcome.dns_us)                                                 \
	X(12, connect_us, bigint, U32, outcome.connect_us)                                         \
	X(13, tls_us, bigint, U32, outcome.tls_us)                                                 \
	X(14, first_byte_us, bigint, U32, outcome.first_byte_us)                                   \
	X(15, retry_after_ms, bigint, I64, outcome.retry_after_ms)                                 \
	X(16, peer, text, CHARS, outcome.peer)                                                     \
	X(17, detail, text, CHARS, outcome.detail)

#define RP_PG_ENDPOINT(X)                                                                          \
	X(5, ready_at_ms, bigint, NEVER, ready_at_ms)                                              \
	X(6, first_due_at_ms, bigint, NEVER, first_due_at_ms)                                      \
	X(7, section, bigint, I64, section)                                                        \
	X(8, members, bigint, I64, members)                                                        \
	X(9, n_paths, bigint, I64, n_paths)                                                        \
	X(10, clears, bigint, U32, clears)                                                         \
	X(11, bad_at, bigint, U32, bad_at)                                                         \
	X(12, in_proven, boolean, BOOL, in_proven)                                                 \
	X(13, paused, boolean, BOOL, paused)                                                       \
	X(14, disabled, boolean, BOOL, disabled)                                                   \
	X(15, last_cause, bigint, U32, last_cause)                                                 \
	X(16, last_status, bigint, U32, last_status)                                               \
	X(17, streak, bigint, U32, streak)                                                         \
	X(18, served_at_ms, bigint, I64, served_at_ms)                                             \
	X(19, parked_until_ms, bigint, I64, parked_until_ms)                                       \
	X(20, changed_at_ms, bigint, I64, changed_at_ms)                                           \
	X(21, last_success_at_ms, bigint, I64, last_success_at_ms)                                 \
	X(22, last_failure_at_ms, bigint, I64, last_failure_at_ms)                                 \
	X(23, limit_in_flight, bigint, U32, control.limits.in_flight)                              \
	X(24, limit_start, bigint, U32, control.limits.start)                                      \
	X(25, limit_rate_count, bigint, U32, control.limits.rate.count)                            \
	X(26, limit_rate_period_ms, bigint, U32, control.limits.rate.period_ms)                    \
	X(27, limit_breaker, boolean, BOOL, control.limits.breaker)                                \
	X(28, window_permille, bigint, U32, control.window_permille)                               \
	X(29, congested, boolean, BOOL, control.congested)                                         \
	X(30, breaker, bigint, U32, control.breaker)                                               \
	X(31, bad_streak, bigint, U32, control.bad_streak)                                         \
	X(32, recent, bigint, U32, control.recent)                                                 \
	X(33, recent_bad, bigint, U32, control.recent_bad)                                         \
	X(34, recent_at_ms, bigint, I64, control.recent_at_ms)                                     \
	X(35, pauses, bigint, U32, control.pauses)                                                 \
	X(36, breaker_cause, bigint, U32, control.cause)                                           \
	X(37, breaker_status, bigint, U32, control.http_status)                                    \
	X(38, opened_at_ms, bigint, I64, control.opened_at_ms)                                     \
	X(39, probe_at_ms, bigint, I64, control.probe_at_ms)                                       \
	X(40, full_at_us, bigint, I64, control.full_at_us)                                         \
	X(41, waiting, bigint, I64, count[RP_STATE_WAITING])                                       \
	X(42, in_flight, bigint, I64, count[RP_STATE_IN_FLIGHT])                                   \
	X(43, held, bigint, I64, count[RP_STATE_HELD])                                             \
	X(44, delivered, bigint, I64, count[RP_STATE_DELIVERED])                                   \
	X(45, dead, bigint, I64, count[RP_STATE_DEAD])                                             \
	X(46, lacking_path, bigint, U32, lacking[RP_LEVEL_PATH])                                   \
	X(47, lacking_section, bigint, U32, lacking[RP_LEVEL_SECTION])                             \
	X(48, lacking_host, bigint, U32, lacking[RP_LEVEL_HOST])

#define RP_PG_JOB(X)                                                                               \
	X(2, verb, bigint, U32, verb)                                                              \
	X(3, phase, bigint, U32, phase)                                                            \
	X(4, uid, bigint, U32, uid)                                                                \
	X(5, rate_count, bigint, U32, rate.count)                                                  \
	X(6, rate_period_ms, bigint, U32, rate.period_ms)                                          \
	X(7, created_at_ms, bigint, I64, created_at_ms)                                            \
	X(8, started_at_ms, bigint, I64, started_at_ms)                                            \
	X(9, ended_at_ms, bigint, I64, ended_at_ms)                                                \
	X(10, expires_at_ms, bigint, I64, expires_at_ms)                                           \
	X(11, moved_at_ms, bigint, I64, moved_at_ms)                                               \
	X(12, next_at_us, bigint, I64, next_at_us)                                                 \
	X(13, lane, bigint, I64, lane)                                                             \
	X(14, audit, bigint, I64, audit)                                                           \
	X(15, planned, bigint, I64, planned)                                                       \
	X(16, done, bigint, I64, done)                                                             \
	X(17, done_in_flight, bigint, I64, done_in_flight)                                         \
	X(18, skipped_in_flight, bigint, I64, skipped.in_flight)                                   \
	X(19, skipped_changed, bigint, I64, skipped.changed)                                       \
	X(20, skipped_gone, bigint, I64, skipped.gone)                                             \
	X(21, skipped_state, bigint, I64, skipped.state)                                           \
	X(22, user_name, text, TEXT, user)                                                         \
	X(23, selector, text, TEXT, selector)                                                      \
	X(24, reason, text, TEXT, reason)

#define RP_PG_AUDIT(X)                                                                             \
	X(2, uid, bigint, U32, uid)                                                                \
	X(3, at_ms, bigint, I64, at_ms)                                                            \
	X(4, job, bigint, I64, job)                                                                \
	X(5, done, bigint, I64, done)                                                              \
	X(6, skipped, bigint, I64, skipped)                                                        \
	X(7, verb, text, TEXT, verb)                                                               \
	X(8, user_name, text, TEXT, user)                                                          \
	X(9, what, text, TEXT, what)                                                               \
	X(10, reason, text, TEXT, reason)

extern const struct rp_pg_columns rp_pg_facts, rp_pg_delivery, rp_pg_attempt, rp_pg_endpoint_row,
    rp_pg_job, rp_pg_audit;

/* For texts of statements, each with what it begins with: ", name", ", d.name", */
#define RP_PG_LIST(place, column, type, kind, member) ", " #column
#define RP_PG_LIST_D(place, column, type, kind, member) ", d." #column
#define RP_PG_LIST_E(place, column, type, kind, member) ", e." #column
/* ", $2::bigint[]", and ", name = n.name". */
#define RP_PG_ARRAYS(place, column, type, kind, member) ", $" #place "::" #type "[]"
#define RP_PG_SET(place, column, type, kind, member) ", " #column " = n." #column

/* Puts an array for each column: item i's struct is get(arg, i). */
void rp_pg_put_columns(struct rp_pg_params *p, const struct rp_pg_columns *columns,
		       const void *(*get)(void *arg, size_t i), void *arg, size_t n);
/* Fills the struct from the columns of a row, from column `first` on; what no column has is left as
 * it is. Texts that had to be undone (params.h) lie in *scratch, which grows: its memory is moved,
 * so they hold until the next row is read, unless it has been reserved. */
void rp_pg_read_columns(const struct rp_pg_rows *r, size_t row, int first,
			const struct rp_pg_columns *columns, void *out, struct rp_buf *scratch);

#endif
