/* endpoint_names.c - keeps the names of endpoints. They are found by their hash, since LMDB's keys
 * are short. */

#include "store/lmdb/endpoint.h"

#include <string.h>

#include "sign/crypto.h"
#include "store/lmdb/row.h"
#include "store/lmdb/txn.h"

#define NAME_HASH_BYTES 16

/* The name of a host may be that of a path, too. */
struct rp_key rp_ep_key(enum rp_level level, struct rp_span name)
{
	const char mark = (char)level;
	const struct rp_span parts[2] = {{&mark, 1}, name};
	unsigned char sha[RP_SHA256_BYTES];
	struct rp_key key = {{0}, NAME_HASH_BYTES};

	if (level == RP_LEVEL_PATH)
		rp_sha256(&name, 1, sha);
	else
		rp_sha256(parts, 2, sha);
	memcpy(key.bytes, sha, NAME_HASH_BYTES);
	return key;
}

enum rp_err rp_ep_find_key(struct rp_txn *t, struct rp_key key, uint64_t *id, struct rp_error *err)
{
	struct rp_reader r;
	MDB_val v;
	enum rp_err e = rp_row_get(t, RP_T_ENDPOINT_ID, key, &v, err);

	if (e != RP_OK)
		return e;
	r = rp_reader_of(v.mv_data, v.mv_size);
	*id = rp_get_u64(&r);
	return RP_OK;
}

enum rp_err rp_ep_find(struct rp_txn *t, enum rp_level level, struct rp_span name, uint64_t *id,
		       struct rp_error *err)
{
	return rp_ep_find_key(t, rp_ep_key(level, name), id, err);
}

enum rp_err rp_ep_name(struct rp_txn *t, uint64_t id, struct rp_span *name, struct rp_error *err)
{
	MDB_val v;
	enum rp_err e = rp_row_get(t, RP_T_ENDPOINT_NAME, rp_key1(id), &v, err);

	*name = (struct rp_span){NULL, 0};
	if (e == RP_OK)
		*name = (struct rp_span){v.mv_data, v.mv_size};
	return e;
}

enum rp_err rp_ep_remove_names(struct rp_txn *t, uint64_t id, struct rp_error *err)
{
	const enum rp_level level = rp_level_of(id);
	struct rp_span name;
	uint64_t named = 0;
	enum rp_err e = rp_ep_name(t, id, &name, err);

	if (e == RP_OK)
		e = rp_ep_find(t, level, name, &named, err);
	/* Where its own row was lost there may be that of another one with its name. */
	if (e == RP_OK && named == id)
		e = rp_row_del(t, RP_T_ENDPOINT_ID, rp_ep_key(level, name), err);
	if (e == RP_OK || e == RP_ERR_NOTFOUND)
		e = rp_row_del(t, RP_T_ENDPOINT_NAME, rp_key1(id), err);
	return e == RP_ERR_NOTFOUND ? RP_OK : e;
}

enum rp_err rp_ep_put_key(struct rp_txn *t, struct rp_key key, uint64_t id, struct rp_error *err)
{
	unsigned char buf[8];
	struct rp_writer w = rp_writer_of(buf, sizeof buf);

	rp_put_u64(&w, id);
	return rp_row_put(t, RP_T_ENDPOINT_ID, key, buf, sizeof buf, 0, err);
}

enum rp_err rp_ep_put_name(struct rp_txn *t, uint64_t id, struct rp_span name, struct rp_error *err)
{
	return rp_row_put(t, RP_T_ENDPOINT_NAME, rp_key1(id), name.ptr, name.len, 0, err);
}

enum rp_err rp_ep_put_names(struct rp_txn *t, uint64_t id, struct rp_span name,
			    struct rp_error *err)
{
	enum rp_err e = rp_ep_put_key(t, rp_ep_key(rp_level_of(id), name), id, err);

	return e == RP_OK ? rp_ep_put_name(t, id, name, err) : e;
}
