/* counters.c - counts what a transaction does and writes the counters with its commit. It is apart
 * from the ledger because losing these numbers is harmless. */

#include "store/lmdb/lmdb_ops.h"
#include "store/lmdb/store_int.h"

#include <stdio.h>

#include "base/assert.h"
#include "base/log.h"

#define SERIES_PREFIX "series:"

static MDB_val counters_key(void)
{
	return (MDB_val){5, (void *)(uintptr_t) "tally"};
}

/* --- in a write transaction --------------------------------------------------------- */

/* Counters that cannot be read begin anew, as after a restart: whoever plots them knows how to
 * take that. */
static struct rp_counters *counters_of(struct rp_txn *t)
{
	struct rp_lmdb *ob = t->ob;
	MDB_val key = counters_key(), v;
	size_t i;

	if (t->counted)
		return &ob->counters;
	t->counted = true;
	ob->n_series = 0;
	if (rp_text_get(t, RP_T_META, &key, &v) != 0)
		memset(&ob->counters, 0, sizeof ob->counters);
	else if (!rp_counters_unpack(&ob->counters, v.mv_data, v.mv_size))
		rp_log(RP_LOG_ERROR, "damage", "what=tally");
	ob->counters.duplicates += ob->untold.duplicates;
	for (i = 0; i < RP_HISTOGRAM_BUCKETS; i++) {
		struct rp_histogram *h =
		    ob->joined ? &ob->counters.sender_commits : &ob->counters.other_commits;

		h->count[i] += ob->untold.commits.count[i];
		if (i == 0)
			h->sum_us += ob->untold.commits.sum_us;
	}
	return &ob->counters;
}

void rp_counters_moved(struct rp_txn *t, const struct rp_delivery *from,
		       const struct rp_delivery *to)
{
	rp_ledger_count_move(counters_of(t), from, to, t->now_at_ms);
}

static struct rp_open_series *open_series(struct rp_txn *t, const char *name)
{
	struct rp_lmdb *ob = t->ob;
	struct rp_open_series *s;
	char text[sizeof SERIES_PREFIX + RP_SERIES_NAME_MAX];
	MDB_val key = {0, text}, v;
	size_t i;

	for (i = 0; i < ob->n_series; i++)
		if (strcmp(ob->series[i].name, name) == 0)
			return &ob->series[i];
	/* a transaction settles fewer sections than that, or it is not exact */
	if (ob->n_series == RP_SERIES_MAX)
		return &ob->series[RP_SERIES_MAX - 1];
	s = &ob->series[ob->n_series++];
	memset(s, 0, sizeof *s);
	key.mv_size = (size_t)snprintf(text, sizeof text, SERIES_PREFIX "%s", name);
	snprintf(s->name, sizeof s->name, "%s", name);
	if (rp_text_get(t, RP_T_META, &key, &v) == 0)
		s->known = rp_series_unpack(&s->counts, v.mv_data, v.mv_size);
	return s;
}

/* Sections come and go with the configuration; their series stay, but no more than so many. */
static bool has_room(struct rp_txn *t)
{
	MDB_stat st;

	return mdb_stat(t->mdb, t->ob->table[RP_T_META], &st) == 0 && st.ms_entries < RP_SERIES_MAX;
}

void rp_counters_attempted(struct rp_txn *t, const struct rp_settlement *s)
{
	const struct rp_outcome *o = s->outcome;
	struct rp_open_series *series;

	rp_ledger_count_attempt(counters_of(t), o, t->now_at_ms);
	series = open_series(t, s->series[0] != '\0' ? s->series : RP_SERIES_OTHER);
	if (!series->known && strcmp(series->name, RP_SERIES_OTHER) != 0 && !has_room(t)) {
		t->ob->n_series--;
		series = open_series(t, RP_SERIES_OTHER);
	}
	series->known = true;
	series->counts.attempts[rp_outcome_class(o->cause, o->http_status)]++;
}

/* Called by rp_txn_commit. */
enum rp_err rp_counters_flush(struct rp_txn *t, struct rp_error *err)
{
	struct rp_lmdb *ob = t->ob;
	unsigned char buf[RP_COUNTERS_BYTES];
	char text[sizeof SERIES_PREFIX + RP_SERIES_NAME_MAX];
	MDB_val key = counters_key(), v = {0, buf};
	size_t i;
	int rc;

	if (!t->counted)
		return RP_OK;
	v.mv_size = rp_counters_pack(&ob->counters, buf, sizeof buf);
	assert(v.mv_size > 0);
	rc = rp_text_put(t, RP_T_META, &key, &v, 0);
	for (i = 0; i < ob->n_series && rc == 0; i++) {
		key = (MDB_val){
		    (size_t)snprintf(text, sizeof text, SERIES_PREFIX "%s", ob->series[i].name),
		    text};
		v.mv_size = rp_series_pack(&ob->series[i].counts, buf, sizeof buf);
		assert(v.mv_size > 0);
		rc = rp_text_put(t, RP_T_META, &key, &v, 0);
	}
	return rp_db_fail(ob, rc, "tally", err);
}

/* How long a commit took is known when it is over: it goes into the next one of this process. */
void rp_counters_committed(struct rp_txn *t, int64_t took_us)
{
	struct rp_lmdb *ob = t->ob;

	if (t->counted)
		memset(&ob->untold, 0, sizeof ob->untold);
	rp_histogram_add(&ob->untold.commits, rp_bounds_commit_us, took_us);
}

void rp_counters_tell(struct rp_lmdb *ob)
{
	struct rp_txn t;

	/* Only counters: when it fails, the next attempt to do something tells why. */
	if (ob->untold.duplicates == 0 || rp_txn_write(ob, 0, &t, NULL) != RP_OK)
		return;
	counters_of(&t);
	(void)rp_txn_commit(&t, NULL);
}

/* --- looking ------------------------------------------------------------------------ */

static int see_series(struct rp_txn *t,
		      void (*see)(void *arg, struct rp_span name, const struct rp_series *s),
		      void *arg)
{
	const size_t n = sizeof SERIES_PREFIX - 1;
	MDB_val k = {n, (void *)(uintptr_t)SERIES_PREFIX}, v;
	MDB_cursor *c;
	struct rp_series s;
	int rc = mdb_cursor_open(t->mdb, t->ob->table[RP_T_META], &c);

	if (rc != 0)
		return rc;
	rc = mdb_cursor_get(c, &k, &v, MDB_SET_RANGE);
	while (rc == 0 && k.mv_size > n && memcmp(k.mv_data, SERIES_PREFIX, n) == 0) {
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
	MDB_val key = counters_key(), v;
	struct rp_txn t;
	enum rp_err e = rp_txn_read(ob, &t, err);
	int rc;

	memset(out, 0, sizeof *out);
	if (e != RP_OK)
		return e;
	rc = mdb_get(t.mdb, ob->table[RP_T_META], &key, &v);
	if (rc == 0) /* damaged: zeroes, verify names it */
		rp_counters_unpack(out, v.mv_data, v.mv_size);
	if (see != NULL && (rc == 0 || rc == MDB_NOTFOUND))
		rc = see_series(&t, see, arg);
	rp_txn_end(&t);
	return rc == MDB_NOTFOUND ? RP_OK : rp_db_fail(ob, rc, "tally", err);
}

enum rp_err rp_counters_verify(struct rp_txn *t, struct rp_error *err)
{
	const size_t n = sizeof SERIES_PREFIX - 1;
	MDB_val k, v;
	MDB_cursor *c;
	struct rp_counters *counters = &t->ob->counters;
	struct rp_series s;
	bool sound = true;
	int rc = mdb_cursor_open(t->mdb, t->ob->table[RP_T_META], &c);

	if (rc != 0)
		return rp_db_fail(t->ob, rc, "tally", err);
	while ((rc = mdb_cursor_get(c, &k, &v, MDB_NEXT)) == 0) {
		if (k.mv_size == 5 && memcmp(k.mv_data, "tally", 5) == 0)
			sound = rp_counters_unpack(counters, v.mv_data, v.mv_size) && sound;
		else if (k.mv_size > n && memcmp(k.mv_data, SERIES_PREFIX, n) == 0)
			sound = rp_series_unpack(&s, v.mv_data, v.mv_size) && sound;
	}
	mdb_cursor_close(c);
	if (rc != MDB_NOTFOUND)
		return rp_db_fail(t->ob, rc, "tally", err);
	return sound ? RP_OK : RP_ERR_DAMAGED;
}
