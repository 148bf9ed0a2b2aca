/* fetch.c - reads a claimed entry right before its request, and long payloads piece by
 * piece. It keeps its read transaction between calls, since it runs once for every request. */

#include "store/lmdb/fetch.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "store/lmdb/body.h"
#include "store/lmdb/db/damage.h"
#include "store/lmdb/db/db.h"
#include "store/lmdb/entry_rows.h"
#include "store/lmdb/handle.h"
#include "store/lmdb/lmdb_ops.h"
#include "store/lmdb/row.h"
#include "store/lmdb/txn.h"

/* --- the snapshot ------------------------------------------------------------------------- */

/* A place in LMDB's table of readers costs a search under a lock that all processes share, and a
 * sender fetches tens of thousands of times a second; so the transaction is kept, with its place,
 * and made anew for each fetch. In between it reads nothing and pins no page. */
static enum rp_err begin_first(struct rp_lmdb *ob, struct rp_error *err)
{
	struct rp_txn *t = malloc(sizeof *t);
	enum rp_err e;

	if (t == NULL)
		return rp_fail(err, RP_ERR_NOMEM, "out of memory");
	e = rp_txn_read_rows(ob, t, err);
	if (e != RP_OK) {
		free(t);
		return e;
	}
	t->keeps_cursors = true;
	ob->fetcher = t;
	return RP_OK;
}

static enum rp_err begin(struct rp_lmdb *ob, struct rp_error *err)
{
	struct rp_txn *t = ob->fetcher;
	int i;

	if (t == NULL)
		return begin_first(ob, err);
	rp_damage_enter(&ob->db);
	/* the map may have grown, for one; a new transaction knows what to do */
	if (mdb_txn_renew(t->mdb) != 0) {
		rp_damage_leave();
		rp_fetcher_close(ob);
		return begin_first(ob, err);
	}
	for (i = 0; i < RP_T_COUNT; i++)
		if (t->at[i] != NULL)
			mdb_cursor_renew(t->mdb, t->at[i]);
	return RP_OK;
}

enum rp_err rp_fetcher_begin(struct rp_lmdb *ob, struct rp_txn **t, struct rp_error *err)
{
	enum rp_err e = begin(ob, err);

	*t = ob->fetcher;
	return e;
}

void rp_fetcher_end(struct rp_lmdb *ob)
{
	mdb_txn_reset(ob->fetcher->mdb);
	rp_damage_leave();
}

void rp_fetcher_close(struct rp_lmdb *ob)
{
	struct rp_txn *t = ob->fetcher;
	int i;

	if (t == NULL)
		return;
	for (i = 0; i < RP_T_COUNT; i++)
		if (t->at[i] != NULL)
			mdb_cursor_close(t->at[i]);
	mdb_txn_abort(t->mdb);
	free(t);
	ob->fetcher = NULL;
}

/* --- what is read in it ------------------------------------------------------------------- */

/* The claim may have been lost since it was committed. */
static enum rp_err check_claim(struct rp_txn *t, const struct rp_claim *claim,
			       struct rp_delivery *d, struct rp_error *err)
{
	enum rp_err e = rp_entry_delivery(t, claim->seq, d, err);

	if (e == RP_ERR_NOTFOUND || (e == RP_OK && !rp_transition_has_claim(d, claim->claim_no)))
		return rp_fail(err, RP_ERR_STALE, "the claim on entry %" PRIu64 " was lost",
			       claim->seq);
	return e;
}

/* Whoever had the places may have been purged since, or lost with a lease. What cannot be read has
 * none. */
static bool are_places_lost(struct rp_txn *t, const struct rp_claim *claim,
			    const struct rp_delivery *own)
{
	struct rp_delivery d;
	size_t i;

	if (claim->lacks == 0 || own->lacks == 0)
		return false;
	for (i = 0; i < 2; i++)
		if (claim->places_of[i].seq != 0 &&
		    rp_entry_delivery(t, claim->places_of[i].seq, &d, NULL) == RP_OK &&
		    rp_transition_has_places(&d, claim->places_of[i].claim_no))
			return false;
	return true;
}

static enum rp_err look_at_level(struct rp_txn *t, uint64_t id, struct rp_dispatch *out,
				 struct rp_error *err)
{
	MDB_val v;
	enum rp_err e = rp_row_get(t, RP_T_ENDPOINT, rp_key1(id), &v, err);

	out->endpoint_known =
	    e == RP_OK && rp_endpoint_unpack(&out->at[rp_level_of(id)], id, v.mv_data, v.mv_size);
	return e == RP_ERR_NOTFOUND ? RP_OK : e;
}

/* What the receiver is allowed may have changed since, too. */
enum rp_err rp_fetch_receiver(struct rp_txn *t, uint64_t path, struct rp_dispatch *out,
			      struct rp_error *err)
{
	enum rp_err e = look_at_level(t, path, out, err);

	if (e == RP_OK && out->endpoint_known)
		e = look_at_level(t, rp_level_host(path), out, err);
	if (e == RP_OK && out->endpoint_known && out->at[RP_LEVEL_PATH].section != 0)
		e = look_at_level(t, out->at[RP_LEVEL_PATH].section, out, err);
	return e;
}

/* Facts first, payload behind them, if it is a short one. */
static enum rp_err load(struct rp_txn *t, uint64_t seq, struct rp_dispatch *out,
			struct rp_error *err)
{
	struct rp_buf *to = &out->text;
	size_t facts_bytes;
	const char *at;
	MDB_val v;
	enum rp_err e = rp_row_get(t, RP_T_ENTRY, rp_key1(seq), &v, err);

	if (e != RP_OK)
		return e == RP_ERR_NOTFOUND ? RP_ERR_DAMAGED : e;
	facts_bytes = v.mv_size;
	if (!rp_buf_add(&out->text, v.mv_data, facts_bytes))
		return rp_fail(err, RP_ERR_NOMEM, "out of memory for entry %" PRIu64, seq);
	at = out->text.data;
	if (!rp_facts_unpack(&out->facts, seq, at, facts_bytes))
		return RP_ERR_DAMAGED;
	if (out->short_max != 0 && out->facts.payload_bytes > out->short_max) {
		to = out->long_payload;
		rp_buf_clear(to);
	}
	e = rp_entry_payload(t, seq, &out->facts, to, err);
	if (e != RP_OK)
		return e;
	/* The payload may have moved the text, and with it what the spans of the facts point to. */
	if (at != out->text.data && !rp_facts_unpack(&out->facts, seq, out->text.data, facts_bytes))
		return RP_ERR_DAMAGED;
	out->payload = to == &out->text ? (struct rp_span){out->text.data + facts_bytes,
							   out->text.len - facts_bytes}
					: (struct rp_span){to->data, to->len};
	return RP_OK;
}

/* The endpoint is asked for in the same snapshot as the rest: what it allows then holds for all. */
static enum rp_err fetch(struct rp_txn *t, const struct rp_claim *claim, struct rp_dispatch *out,
			 struct rp_error *err)
{
	struct rp_delivery d;
	enum rp_err e = check_claim(t, claim, &d, err);

	if (e == RP_OK)
		e = rp_fetch_receiver(t, claim->endpoint, out, err);
	if (out->endpoint_only || e != RP_OK)
		return e;
	out->places_lost = are_places_lost(t, claim, &d);
	return load(t, claim->seq, out, err);
}

enum rp_err rp_lmdb_fetch(struct rp_outbox *outbox, const struct rp_claim *claim,
			  struct rp_dispatch *out, struct rp_error *err)
{
	struct rp_lmdb *ob = rp_lmdb_of(outbox);
	enum rp_err e = begin(ob, err);

	if (e != RP_OK)
		return e;
	if (!out->endpoint_only) {
		rp_buf_clear(&out->text);
		out->text.max = SIZE_MAX / 2;
		memset(&out->facts, 0, sizeof out->facts);
		out->payload = (struct rp_span){NULL, 0};
	}
	e = fetch(ob->fetcher, claim, out, err);
	if (e != RP_OK && !out->endpoint_only)
		/* its spans may point to where the text was */
		memset(&out->facts, 0, sizeof out->facts);
	rp_fetcher_end(ob);
	if (e == RP_ERR_DAMAGED)
		rp_fail(err, e, "a record of entry %" PRIu64 " fails its checksum", claim->seq);
	return e;
}

/* Where the next piece begins: a cursor's bytes. */
struct chunk_place {
	uint64_t chunk;
	size_t in_chunk;
};

/* Chunks have the sizes that they have: where the next piece begins is known from the last. */
static enum rp_err read_piece(struct rp_txn *t, struct rp_piece *p, char *out, size_t n,
			      struct rp_error *err)
{
	struct chunk_place at = {0};
	struct rp_key from;
	MDB_val k, v;
	uint64_t key[2];
	MDB_cursor *c;
	size_t bytes;
	int rc = rp_row_cursor(t, RP_T_BODY, &c);

	if (rc != 0)
		return rp_db_fail(&t->ob->db, rc, "payload", err);
	if (p->cursor.len == sizeof at)
		memcpy(&at, p->cursor.bytes, sizeof at);
	from = rp_key2(p->seq, at.chunk);
	k = (MDB_val){from.len, from.bytes};
	rc = mdb_cursor_get(c, &k, &v, MDB_SET_RANGE);
	while (n > 0 && rc == 0 && rp_key_read(k.mv_data, k.mv_size, key, 2) && key[0] == p->seq &&
	       key[1] == at.chunk && v.mv_size >= at.in_chunk) {
		bytes = v.mv_size - at.in_chunk < n ? v.mv_size - at.in_chunk : n;
		memcpy(out, (const char *)v.mv_data + at.in_chunk, bytes);
		out += bytes;
		n -= bytes;
		p->at += bytes;
		at.in_chunk += bytes;
		if (at.in_chunk < v.mv_size)
			break;
		at.chunk++;
		at.in_chunk = 0;
		rc = n > 0 ? mdb_cursor_get(c, &k, &v, MDB_NEXT) : 0;
	}
	rp_row_cursor_end(t, c);
	p->cursor.len = sizeof at;
	memcpy(p->cursor.bytes, &at, sizeof at);
	if (rc != 0 && rc != MDB_NOTFOUND)
		return rp_db_fail(&t->ob->db, rc, "payload", err);
	if (n > 0)
		return rp_fail(err, RP_ERR_STALE, "the payload of entry %" PRIu64 " is gone",
			       p->seq);
	return RP_OK;
}

enum rp_err rp_lmdb_fetch_piece(struct rp_outbox *outbox, struct rp_piece *piece, char *out,
				size_t n, struct rp_error *err)
{
	struct rp_lmdb *ob = rp_lmdb_of(outbox);
	enum rp_err e = begin(ob, err);

	if (e != RP_OK)
		return e;
	e = read_piece(ob->fetcher, piece, out, n, err);
	rp_fetcher_end(ob);
	return e;
}
