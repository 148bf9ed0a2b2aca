/* counters_read.c - reads the counters for metrics, and checks their records. It is apart from
 * counters.c because a commit writes them there, and this begins transactions. */

#include "store/lmdb/lmdb_ops.h"

#include <string.h>

#include "store/lmdb/counters.h"
#include "store/lmdb/db/db.h"
#include "store/lmdb/handle.h"
#include "store/lmdb/txn.h"

static int see_series(struct rp_txn *t,
		      void (*see)(void *arg, struct rp_span name, const struct rp_series *s),
		      void *arg)
{
	const size_t n = sizeof RP_SERIES_PREFIX - 1;
	MDB_val k = {n, (void *)(uintptr_t)RP_SERIES_PREFIX}, v;
	MDB_cursor *c;
	struct rp_series s;
	int rc = mdb_cursor_open(t->mdb, t->ob->db.table[RP_T_META], &c);

	if (rc != 0)
		return rc;
	rc = mdb_cursor_get(c, &k, &v, MDB_SET_RANGE);
	while (rc == 0 && k.mv_size > n && memcmp(k.mv_data, RP_SERIES_PREFIX, n) == 0) {
		if (rp_series_unpack(&s, v.mv_data, v.mv_size))
			see(arg, (struct rp_span){(const char *)k.mv_data + n, k.mv_size - n}, &s);
		rc = mdb_cursor_get(c, &k, &v, MDB_NEXT);
	}
	mdb_cursor_close(c);
	return rc;
}

enum rp_err rp_lmdb_counters(struct rp_outbox *outbox, struct rp_counters *out,
			     void (*see)(void *arg, struct rp_span name, const struct rp_series *s),
			     void *arg, struct rp_error *err)
{
	struct rp_lmdb *ob = rp_lmdb_of(outbox);
	MDB_val key = {5, (void *)(uintptr_t)RP_COUNTERS_KEY}, v;
	struct rp_txn t;
	enum rp_err e = rp_txn_read(ob, &t, err);
	int rc;

	memset(out, 0, sizeof *out);
	if (e != RP_OK)
		return e;
	rc = mdb_get(t.mdb, ob->db.table[RP_T_META], &key, &v);
	if (rc == 0) /* damaged: zeroes, verify names it */
		rp_counters_unpack(out, v.mv_data, v.mv_size);
	if (see != NULL && (rc == 0 || rc == MDB_NOTFOUND))
		rc = see_series(&t, see, arg);
	rp_txn_end(&t);
	return rc == MDB_NOTFOUND ? RP_OK : rp_db_fail(&ob->db, rc, "tally", err);
}

enum rp_err rp_counters_verify(struct rp_txn *t, struct rp_error *err)
{
	const size_t n = sizeof RP_SERIES_PREFIX - 1;
	MDB_val k, v;
	MDB_cursor *c;
	struct rp_counters *counters = &t->ob->counters;
	struct rp_series s;
	bool sound = true;
	int rc = mdb_cursor_open(t->mdb, t->ob->db.table[RP_T_META], &c);

	if (rc != 0)
		return rp_db_fail(&t->ob->db, rc, "tally", err);
	while ((rc = mdb_cursor_get(c, &k, &v, MDB_NEXT)) == 0) {
		if (k.mv_size == 5 && memcmp(k.mv_data, RP_COUNTERS_KEY, 5) == 0)
			sound = rp_counters_unpack(counters, v.mv_data, v.mv_size) && sound;
		else if (k.mv_size > n && memcmp(k.mv_data, RP_SERIES_PREFIX, n) == 0)
			sound = rp_series_unpack(&s, v.mv_data, v.mv_size) && sound;
	}
	mdb_cursor_close(c);
	if (rc != MDB_NOTFOUND)
		return rp_db_fail(&t->ob->db, rc, "tally", err);
	return sound ? RP_OK : RP_ERR_DAMAGED;
}

void rp_counters_tell(struct rp_lmdb *ob)
{
	struct rp_txn t;

	/* Only counters: when it fails, the next attempt to do something tells why. */
	if (ob->untold.duplicates == 0 || rp_txn_write(ob, 0, &t, NULL) != RP_OK)
		return;
	rp_counters_take_untold(&t);
	(void)rp_txn_commit(&t, NULL);
}
