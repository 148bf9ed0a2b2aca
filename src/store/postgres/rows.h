/* rows.h - private to src/store/postgres: the rows of an answer, in binary form. Valid until the go
 * after next begins (connection.h). */
#ifndef RP_STORE_POSTGRES_ROWS_H
#define RP_STORE_POSTGRES_ROWS_H

#include "base/bytes.h"

struct rp_pg_rows;

size_t rp_pg_n_rows(const struct rp_pg_rows *r);
/* How many rows a statement that returns none has changed. */
size_t rp_pg_n_changed(const struct rp_pg_rows *r);
bool rp_pg_is_null(const struct rp_pg_rows *r, size_t row, int column);
/* Of smallint, integer and bigint alike. NULL is 0. */
int64_t rp_pg_i64(const struct rp_pg_rows *r, size_t row, int column);
bool rp_pg_bool(const struct rp_pg_rows *r, size_t row, int column);
/* As it lies there: bytea, and texts that are known to be plain. */
struct rp_span rp_pg_bytes(const struct rp_pg_rows *r, size_t row, int column);
/* The text as it was put (params.h); what had to be undone lies in `scratch`, whose memory must not
 * move while the span is used: reserve it once. A text without a backslash is not copied. */
struct rp_span rp_pg_text(const struct rp_pg_rows *r, size_t row, int column,
			  struct rp_buf *scratch);
/* An array of bigint: its values into out[], at most max. Result: how many it has. */
size_t rp_pg_i64_array(const struct rp_pg_rows *r, size_t row, int column, int64_t *out,
		       size_t max);

#endif
