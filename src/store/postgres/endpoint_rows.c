/* endpoint_rows.c - endpoints as they stand in their table. */
#include "sign/crypto.h"
#include "store/postgres/txn_int.h"

#define ENDPOINT_NAMES RP_PG_ENDPOINT(RP_PG_LIST)
#define ENDPOINT_SETS RP_PG_ENDPOINT(RP_PG_SET)
#define ENDPOINT_ARRAYS                                                                            \
	"unnest($1::bigint[], $2::text[], $3::bytea[], $4::bigint[]" RP_PG_ENDPOINT(RP_PG_ARRAYS)

/* Another transaction may have made the same host: then this one finds it. */
const struct rp_pg_statement rp_pg_insert_endpoints = {
    "insert_endpoints",
    "INSERT INTO endpoint (id, name, name_hash, queue" ENDPOINT_NAMES ", level)"
    " SELECT * FROM " ENDPOINT_ARRAYS ", $49::bigint[]) ON CONFLICT DO NOTHING"};

const struct rp_pg_statement rp_pg_update_endpoints = {
    "update_endpoints",
    "UPDATE endpoint e SET queue = n.queue" ENDPOINT_SETS " FROM " ENDPOINT_ARRAYS
    ") AS n (id, name, name_hash, queue" ENDPOINT_NAMES ") WHERE e.id = n.id"};

void rp_pg_name_hash(struct rp_span name, unsigned char out[RP_PG_NAME_HASH_BYTES])
{
	unsigned char sha[RP_SHA256_BYTES];

	rp_sha256(&name, 1, sha);
	memcpy(out, sha, RP_PG_NAME_HASH_BYTES);
}

static const void *record_at(void *arg, size_t i)
{
	struct rp_pg_endpoint *const *endpoints = arg;

	return &endpoints[i]->rec;
}

void rp_pg_put_endpoints(struct rp_pg_params *p, struct rp_pg_endpoint **all, size_t n,
			 bool are_new)
{
	unsigned char hash[RP_PG_NAME_HASH_BYTES];
	size_t i;

	rp_pg_array_begin(p, RP_PG_INT8, n);
	for (i = 0; i < n; i++)
		rp_pg_add_i64(p, (int64_t)all[i]->id);
	rp_pg_array_end(p);
	rp_pg_array_begin(p, RP_PG_TEXT, are_new ? n : 0);
	for (i = 0; are_new && i < n; i++)
		rp_pg_add_text(p, all[i]->name);
	rp_pg_array_end(p);
	rp_pg_array_begin(p, RP_PG_BYTEA, are_new ? n : 0);
	for (i = 0; are_new && i < n; i++) {
		rp_pg_name_hash(all[i]->name, hash);
		rp_pg_add_bytea(p, (struct rp_span){(const char *)hash, sizeof hash});
	}
	rp_pg_array_end(p);
	rp_pg_array_begin(p, RP_PG_INT8, n);
	for (i = 0; i < n; i++)
		rp_pg_add_i64(p, (int64_t)all[i]->queue);
	rp_pg_array_end(p);
	rp_pg_put_columns(p, &rp_pg_endpoint_row, record_at, all, n);
	if (!are_new)
		return;
	rp_pg_array_begin(p, RP_PG_INT8, n);
	for (i = 0; i < n; i++)
		rp_pg_add_i64(p, all[i]->rec.level);
	rp_pg_array_end(p);
}
