/* columns.c - carries values between rows and structs. */
#include "store/postgres/columns.h"

#include "model/job.h"
#include "model/record.h"

#define COLUMN(place, column, type, kind, member) {RP_PG_K_##kind, OFFSET(member), SIZE(member)},
#define TABLE(name, LIST)                                                                          \
	static const struct rp_pg_column name##_columns[] = {LIST(COLUMN)};                        \
	const struct rp_pg_columns rp_pg_##name = {name##_columns, sizeof name##_columns /         \
								       sizeof name##_columns[0]}

#define OFFSET(member) offsetof(struct rp_facts, member)
#define SIZE(member) sizeof(((struct rp_facts *)NULL)->member)
TABLE(facts, RP_PG_FACTS);
#undef OFFSET
#undef SIZE
#define OFFSET(member) offsetof(struct rp_delivery, member)
#define SIZE(member) sizeof(((struct rp_delivery *)NULL)->member)
TABLE(delivery, RP_PG_DELIVERY);
#undef OFFSET
#undef SIZE
#define OFFSET(member) offsetof(struct rp_attempt, member)
#define SIZE(member) sizeof(((struct rp_attempt *)NULL)->member)
TABLE(attempt, RP_PG_ATTEMPT);
#undef OFFSET
#undef SIZE
#define OFFSET(member) offsetof(struct rp_endpoint, member)
#define SIZE(member) sizeof(((struct rp_endpoint *)NULL)->member)
TABLE(endpoint_row, RP_PG_ENDPOINT);
#undef OFFSET
#undef SIZE
#define OFFSET(member) offsetof(struct rp_job, member)
#define SIZE(member) sizeof(((struct rp_job *)NULL)->member)
TABLE(job, RP_PG_JOB);
#undef OFFSET
#undef SIZE
#define OFFSET(member) offsetof(struct rp_audit, member)
#define SIZE(member) sizeof(((struct rp_audit *)NULL)->member)
TABLE(audit, RP_PG_AUDIT);

/* --- writing ----------------------------------------------------------------------------- */

static const enum rp_pg_type types[] = {
    [RP_PG_K_I64] = RP_PG_INT8,   [RP_PG_K_U32] = RP_PG_INT8,  [RP_PG_K_BOOL] = RP_PG_BOOL,
    [RP_PG_K_NEVER] = RP_PG_INT8, [RP_PG_K_TEXT] = RP_PG_TEXT, [RP_PG_K_ID] = RP_PG_BYTEA,
    [RP_PG_K_CHARS] = RP_PG_TEXT};

static int64_t i64_at(const void *at)
{
	int64_t v;

	memcpy(&v, at, sizeof v);
	return v;
}

static void add(struct rp_pg_params *p, const struct rp_pg_column *c, const void *at)
{
	struct rp_span text;
	uint32_t u32;
	bool flag;

	switch (c->kind) {
	case RP_PG_K_I64:
		rp_pg_add_i64(p, i64_at(at));
		break;
	case RP_PG_K_U32:
		memcpy(&u32, at, sizeof u32);
		rp_pg_add_i64(p, u32);
		break;
	case RP_PG_K_BOOL:
		memcpy(&flag, at, sizeof flag);
		rp_pg_add_bool(p, flag);
		break;
	case RP_PG_K_NEVER:
		if (i64_at(at) == RP_NEVER)
			rp_pg_add_null(p);
		else
			rp_pg_add_i64(p, i64_at(at));
		break;
	case RP_PG_K_TEXT:
		memcpy(&text, at, sizeof text);
		rp_pg_add_text(p, text);
		break;
	case RP_PG_K_ID:
		rp_pg_add_bytea(p, (struct rp_span){at, RP_ID_BYTES});
		break;
	case RP_PG_K_CHARS:
		rp_pg_add_text(p, rp_span_of(at));
		break;
	}
}

void rp_pg_put_columns(struct rp_pg_params *p, const struct rp_pg_columns *columns,
		       const void *(*get)(void *arg, size_t i), void *arg, size_t n)
{
	size_t c, i;

	for (c = 0; c < columns->n; c++) {
		rp_pg_array_begin(p, types[columns->all[c].kind], n);
		for (i = 0; i < n; i++)
			add(p, &columns->all[c],
			    (const char *)get(arg, i) + columns->all[c].offset);
		rp_pg_array_end(p);
	}
}

/* --- reading ----------------------------------------------------------------------------- */

static void copy_chars(struct rp_span text, char *out, size_t size)
{
	size_t len = text.len < size ? text.len : size - 1;

	memcpy(out, text.ptr, len);
	out[len] = '\0';
}

static void read(const struct rp_pg_rows *r, size_t row, int column, const struct rp_pg_column *c,
		 void *at, struct rp_buf *scratch)
{
	struct rp_span text;
	int64_t v;
	uint32_t u32;
	bool flag;

	switch (c->kind) {
	case RP_PG_K_NEVER:
		v = rp_pg_is_null(r, row, column) ? RP_NEVER : rp_pg_i64(r, row, column);
		memcpy(at, &v, sizeof v);
		break;
	case RP_PG_K_I64:
		v = rp_pg_i64(r, row, column);
		memcpy(at, &v, sizeof v);
		break;
	case RP_PG_K_U32:
		u32 = (uint32_t)rp_pg_i64(r, row, column);
		memcpy(at, &u32, sizeof u32);
		break;
	case RP_PG_K_BOOL:
		flag = rp_pg_bool(r, row, column);
		memcpy(at, &flag, sizeof flag);
		break;
	case RP_PG_K_TEXT:
		text = rp_pg_text(r, row, column, scratch);
		memcpy(at, &text, sizeof text);
		break;
	case RP_PG_K_ID:
		text = rp_pg_bytes(r, row, column);
		memcpy(at, text.ptr, text.len < RP_ID_BYTES ? text.len : RP_ID_BYTES);
		break;
	case RP_PG_K_CHARS:
		copy_chars(rp_pg_text(r, row, column, scratch), at, c->size);
		break;
	}
}

/* What undoing the texts of a row can take. */
static bool reserve(const struct rp_pg_rows *r, size_t row, int first,
		    const struct rp_pg_columns *columns, struct rp_buf *scratch)
{
	size_t bytes = 0, c;

	for (c = 0; c < columns->n; c++)
		if (columns->all[c].kind == RP_PG_K_TEXT || columns->all[c].kind == RP_PG_K_CHARS)
			bytes += rp_pg_bytes(r, row, first + (int)c).len;
	return rp_buf_reserve(scratch, bytes);
}

void rp_pg_read_columns(const struct rp_pg_rows *r, size_t row, int first,
			const struct rp_pg_columns *columns, void *out, struct rp_buf *scratch)
{
	size_t c;

	if (scratch != NULL && !reserve(r, row, first, columns, scratch))
		return;
	for (c = 0; c < columns->n; c++)
		read(r, row, first + (int)c, &columns->all[c], (char *)out + columns->all[c].offset,
		     scratch);
}
