/* params.h - private to src/store/postgres: the parameters of one statement, in PostgreSQL's binary
 * form (int8send, textsend, array_send of its sources), built in one buffer. Pure.
 *
 * Texts of the outside world may have bytes that a text of PostgreSQL cannot hold: NUL, and what
 * is not UTF-8. They, and the backslash, are stored as \xHH. So any text comes back as it was
 * (rows.h), two texts are the same when what is stored is, and one bad byte does not refuse a
 * batch. */
#ifndef RP_STORE_POSTGRES_PARAMS_H
#define RP_STORE_POSTGRES_PARAMS_H

#include "base/bytes.h"

#define RP_PG_PARAMS_MAX 64

/* Zeroed: none. For connection.c; others use the functions. */
struct rp_pg_params {
	struct rp_buf bytes;
	size_t n;
	struct rp_pg_param {
		size_t at;
		int len; /* -1: NULL */
	} all[RP_PG_PARAMS_MAX];
	bool no_memory;
};

void rp_pg_params_clear(struct rp_pg_params *p);
void rp_pg_params_release(struct rp_pg_params *p);

/* Single values, in the order of $1, $2, ... Running out of memory is told by rp_pg_go. */
void rp_pg_put_i64(struct rp_pg_params *p, int64_t v);
void rp_pg_put_i32(struct rp_pg_params *p, int32_t v);
void rp_pg_put_bool(struct rp_pg_params *p, bool v);
void rp_pg_put_text(struct rp_pg_params *p, struct rp_span v);
void rp_pg_put_bytea(struct rp_pg_params *p, struct rp_span v);
void rp_pg_put_null(struct rp_pg_params *p); /* of any type, an array too */

/* An array of one dimension: begin, n elements by the functions below, end. */
enum rp_pg_type { RP_PG_BOOL, RP_PG_INT4, RP_PG_INT8, RP_PG_TEXT, RP_PG_BYTEA };
void rp_pg_array_begin(struct rp_pg_params *p, enum rp_pg_type type, size_t n);
void rp_pg_add_i64(struct rp_pg_params *p, int64_t v); /* INT8 */
void rp_pg_add_i32(struct rp_pg_params *p, int32_t v); /* INT4 */
void rp_pg_add_bool(struct rp_pg_params *p, bool v);
void rp_pg_add_text(struct rp_pg_params *p, struct rp_span v);
void rp_pg_add_bytea(struct rp_pg_params *p, struct rp_span v);
void rp_pg_add_null(struct rp_pg_params *p);
void rp_pg_array_end(struct rp_pg_params *p);

/* Numbers of entries and endpoints, which all fit into a bigint. */
void rp_pg_put_u64_array(struct rp_pg_params *p, const uint64_t *v, size_t n);

#endif
