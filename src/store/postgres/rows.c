/* rows.c - reads answers. The rows are libpq's own result. */
#include "store/postgres/rows.h"

#include <stdlib.h>

#include "store/postgres/libpq.h"

static const PGresult *result_of(const struct rp_pg_rows *r)
{
	return (const PGresult *)(const void *)r;
}

size_t rp_pg_n_rows(const struct rp_pg_rows *r)
{
	return r != NULL ? (size_t)rp_libpq_loaded()->PQntuples(result_of(r)) : 0;
}

size_t rp_pg_n_changed(const struct rp_pg_rows *r)
{
	PGresult *result = (PGresult *)(uintptr_t)r;

	return r != NULL ? strtoul(rp_libpq_loaded()->PQcmdTuples(result), NULL, 10) : 0;
}

bool rp_pg_is_null(const struct rp_pg_rows *r, size_t row, int column)
{
	return rp_libpq_loaded()->PQgetisnull(result_of(r), (int)row, column) != 0;
}

struct rp_span rp_pg_bytes(const struct rp_pg_rows *r, size_t row, int column)
{
	const struct rp_libpq *pq = rp_libpq_loaded();

	return (struct rp_span){pq->PQgetvalue(result_of(r), (int)row, column),
				(size_t)pq->PQgetlength(result_of(r), (int)row, column)};
}

static int64_t number_of(struct rp_span bytes)
{
	struct rp_reader r = rp_reader_of(bytes.ptr, bytes.len);

	if (bytes.len == 8)
		return rp_get_i64(&r);
	if (bytes.len == 4)
		return (int32_t)rp_get_u32(&r);
	return bytes.len == 2 ? (int16_t)rp_get_u16(&r) : 0;
}

int64_t rp_pg_i64(const struct rp_pg_rows *r, size_t row, int column)
{
	return number_of(rp_pg_bytes(r, row, column));
}

bool rp_pg_bool(const struct rp_pg_rows *r, size_t row, int column)
{
	struct rp_span bytes = rp_pg_bytes(r, row, column);

	return bytes.len == 1 && bytes.ptr[0] != 0;
}

static unsigned digit(char c)
{
	return (unsigned)(c <= '9' ? c - '0' : c - 'a' + 10);
}

struct rp_span rp_pg_text(const struct rp_pg_rows *r, size_t row, int column,
			  struct rp_buf *scratch)
{
	struct rp_span stored = rp_pg_bytes(r, row, column);
	size_t from = scratch->len, i;

	if (stored.len == 0 || memchr(stored.ptr, '\\', stored.len) == NULL)
		return stored;
	for (i = 0; i < stored.len; i++) {
		char c = stored.ptr[i];

		if (c == '\\' && stored.len - i >= 4) {
			c = (char)(digit(stored.ptr[i + 2]) << 4 | digit(stored.ptr[i + 3]));
			i += 3;
		}
		if (!rp_buf_add_char(scratch, c))
			return (struct rp_span){"", 0};
	}
	return (struct rp_span){scratch->data + from, scratch->len - from};
}

size_t rp_pg_i64_array(const struct rp_pg_rows *r, size_t row, int column, int64_t *out, size_t max)
{
	struct rp_span bytes = rp_pg_bytes(r, row, column);
	struct rp_reader from = rp_reader_of(bytes.ptr, bytes.len);
	size_t n, i;

	if (rp_get_u32(&from) != 1)
		return 0;
	rp_get_u32(&from); /* whether there are NULLs */
	rp_get_u32(&from); /* the type */
	n = rp_get_u32(&from);
	rp_get_u32(&from); /* the first index */
	for (i = 0; i < n && from.ok; i++) {
		int64_t v = rp_get_u32(&from) == 8 ? rp_get_i64(&from) : 0;

		if (i < max)
			out[i] = v;
	}
	return n;
}
