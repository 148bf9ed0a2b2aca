/* columns.h - private to src/store/postgres: members of the model's structs and the columns that
 * they stand in, said once. Reading a row and writing many go by the same table.
 *
 * A table of columns is an array of struct rp_pg_column; members are numbers, flags, enums and
 * spans. What has another form (ids, nested arrays) has a kind of its own. Unsigned numbers of 64
 * bits that may be above INT64_MAX (hashes, order keys) are stored as the bigint of the same
 * bits. */
#ifndef RP_STORE_POSTGRES_COLUMNS_H
#define RP_STORE_POSTGRES_COLUMNS_H

#include "store/postgres/params.h"
#include "store/postgres/rows.h"

enum rp_pg_kind {
	RP_PG_K_I64,   /* int64_t, uint64_t */
	RP_PG_K_U32,   /* uint32_t, unsigned, enums: bigint in the database where above INT32_MAX */
	RP_PG_K_BOOL,  /* bool */
	RP_PG_K_NEVER, /* int64_t: RP_NEVER is NULL */
	RP_PG_K_TEXT,  /* struct rp_span as text (params.h) */
	RP_PG_K_BYTEA, /* struct rp_span as it is */
	RP_PG_K_ID,    /* unsigned char[RP_ID_BYTES] as bytea */
	RP_PG_K_CHARS, /* char[] with a NUL, as text */
};
struct rp_pg_column {
	const char *name;
	enum rp_pg_kind kind;
	size_t offset, size; /* size: of RP_PG_K_CHARS */
};

/* Tables of the schema and the structs that they hold. Their order is the order of the columns in
 * every statement that names all of them (rp_pg_column_list). */
extern const struct rp_pg_column rp_pg_facts_columns[];    /* entry: struct rp_facts */
extern const struct rp_pg_column rp_pg_delivery_columns[]; /* delivery: struct rp_delivery */
extern const struct rp_pg_column rp_pg_attempt_columns[];  /* attempt: struct rp_attempt */
extern const struct rp_pg_column rp_pg_endpoint_columns[]; /* endpoint: struct rp_endpoint */
extern const struct rp_pg_column rp_pg_job_columns[];      /* job: struct rp_job */
extern const struct rp_pg_column rp_pg_audit_columns[];    /* audit: struct rp_audit */
extern const size_t rp_pg_n_facts_columns, rp_pg_n_delivery_columns, rp_pg_n_attempt_columns,
    rp_pg_n_endpoint_columns, rp_pg_n_job_columns, rp_pg_n_audit_columns;

/* Puts an array parameter for each column: item i's struct is at get(arg, i). */
void rp_pg_put_columns(struct rp_pg_params *p, const struct rp_pg_column *columns, size_t n_columns,
		       const void *(*get)(void *arg, size_t i), void *arg, size_t n);
/* Fills the struct from the columns of a row, from column `first` on. Texts as rp_pg_text. */
void rp_pg_read_columns(const struct rp_pg_rows *r, size_t row, int first,
			const struct rp_pg_column *columns, size_t n_columns, void *out,
			struct rp_buf *scratch);

#endif
