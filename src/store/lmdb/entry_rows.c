/* entry_rows.c - reads the records of an entry, and writes those that never change again. */

#include "store/lmdb/entry_rows.h"

#include <string.h>

#include "base/assert.h"
#include "model/transition.h"
#include "store/lmdb/db/db.h"
#include "store/lmdb/handle.h"
#include "store/lmdb/recent.h"
#include "store/lmdb/row.h"
#include "store/lmdb/txn.h"

size_t rp_entry_run_key(uint64_t seq, struct rp_span run_id, struct rp_span dedupe_key,
			unsigned char out[RP_RUN_KEY_MAX])
{
	struct rp_writer w = rp_writer_of(out, RP_RUN_KEY_MAX);

	if (run_id.len == 0)
		return 0;
	if (dedupe_key.len > run_id.len + 1 && dedupe_key.ptr[0] == 'r' &&
	    memcmp(dedupe_key.ptr + 1, run_id.ptr, run_id.len) == 0 &&
	    dedupe_key.ptr[run_id.len + 1] == '\0')
		return 0;
	rp_put_bytes(&w, run_id.ptr, run_id.len);
	rp_put_u8(&w, 0);
	rp_put_u64(&w, seq);
	assert(w.ok);
	return run_id.len + 9;
}

enum rp_err rp_entry_put_run(struct rp_txn *t, uint64_t seq, struct rp_span run_id,
			     struct rp_span dedupe_key, struct rp_error *err)
{
	unsigned char key[RP_RUN_KEY_MAX];
	MDB_val k = {rp_entry_run_key(seq, run_id, dedupe_key, key), key}, v = {0, key};

	if (k.mv_size == 0)
		return RP_OK;
	return rp_db_fail(&t->ob->db, rp_text_put(t, RP_T_RUN, &k, &v, 0), "run", err);
}

struct rp_key rp_key_id(const unsigned char id[RP_ID_BYTES])
{
	struct rp_key key = {.len = RP_ID_BYTES};

	memcpy(key.bytes, id, RP_ID_BYTES);
	return key;
}

enum rp_err rp_entry_seq(struct rp_txn *t, const unsigned char id[RP_ID_BYTES], uint64_t *seq,
			 struct rp_error *err)
{
	struct rp_reader r;
	MDB_val v;
	enum rp_err e = rp_row_get(t, RP_T_ALIAS, rp_key_id(id), &v, err);

	*seq = rp_id_seq(id);
	if (e != RP_OK)
		return e == RP_ERR_NOTFOUND ? RP_OK : e;
	r = rp_reader_of(v.mv_data, v.mv_size);
	*seq = rp_get_u64(&r);
	return RP_OK;
}

enum rp_err rp_entry_delivery(struct rp_txn *t, uint64_t seq, struct rp_delivery *d,
			      struct rp_error *err)
{
	MDB_val v;
	enum rp_err e = rp_row_get(t, RP_T_DELIVERY, rp_key1(seq), &v, err);

	memset(d, 0, sizeof *d);
	if (e != RP_OK)
		return e;
	return rp_delivery_unpack(d, seq, v.mv_data, v.mv_size) ? RP_OK : RP_ERR_DAMAGED;
}

enum rp_err rp_entry_facts(struct rp_txn *t, uint64_t seq, struct rp_facts *f, struct rp_error *err)
{
	MDB_val v;
	enum rp_err e = rp_row_get(t, RP_T_ENTRY, rp_key1(seq), &v, err);

	memset(f, 0, sizeof *f);
	if (e != RP_OK)
		return e;
	return rp_facts_unpack(f, seq, v.mv_data, v.mv_size) ? RP_OK : RP_ERR_DAMAGED;
}

enum rp_err rp_entry_log_attempt(struct rp_txn *t, uint64_t seq, uint64_t endpoint, uint32_t n,
				 const struct rp_attempt *a, struct rp_error *err)
{
	unsigned char buf[RP_ATTEMPT_BYTES_MAX];
	size_t len = rp_attempt_pack(a, seq, buf, sizeof buf);
	enum rp_err e;

	assert(len > 0);
	e = rp_row_put(t, RP_T_ATTEMPT, rp_key2(seq, n), buf, len, 0, err);
	return e == RP_OK ? rp_recent_note(t, seq, endpoint, n, a, err) : e;
}

int64_t rp_entry_not_before_ms(struct rp_txn *t, uint64_t seq, const struct rp_delivery *d)
{
	struct rp_facts f;

	if (!rp_transition_asks_not_before(d, t->now_at_ms) ||
	    rp_entry_facts(t, seq, &f, NULL) != RP_OK)
		return 0;
	return f.not_before_at_ms;
}
