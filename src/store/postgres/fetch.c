/* fetch.c - reads what an attempt needs, in one round trip, while an exchange may be under way on
 * another thread. */
#include "store/postgres/columns.h"
#include "store/postgres/postgres_ops.h"
#include "store/postgres/txn.h"

/* The entry is not read where only its endpoint is wanted. */
static const struct rp_pg_statement fetch_claim = {
    "fetch_claim",
    "SELECT d.seq" RP_PG_DELIVERY(RP_PG_LIST_D) " FROM delivery d WHERE d.seq = ANY($1::bigint[])"};
static const struct rp_pg_statement fetch_levels = {
    "fetch_levels", "SELECT " RP_PG_ENDPOINT_ROW " FROM endpoint e WHERE id = ANY (ARRAY("
		    "SELECT unnest($1::bigint[]) UNION"
		    " SELECT section FROM endpoint p WHERE p.id = ANY($1::bigint[])))"};
static const struct rp_pg_statement fetch_entry = {
    "fetch_entry", "SELECT e.payload" RP_PG_FACTS(RP_PG_LIST_E) " FROM entry e"
								" WHERE e.seq = $1::bigint"};
static const struct rp_pg_statement fetch_part = {
    "fetch_part", "SELECT substring(payload FROM $2::int FOR $3::int) FROM entry"
		  " WHERE seq = $1::bigint"};

static const struct rp_delivery *delivery_of(const struct rp_pg_rows *rows, uint64_t seq,
					     struct rp_delivery *out)
{
	size_t i;

	for (i = 0; i < rp_pg_n_rows(rows); i++)
		if ((uint64_t)rp_pg_i64(rows, i, 0) == seq) {
			rp_pg_read_columns(rows, i, 1, &rp_pg_delivery, out, NULL);
			return out;
		}
	return NULL;
}

static bool are_places_lost(const struct rp_claim *claim, const struct rp_delivery *own,
			    const struct rp_pg_rows *rows)
{
	struct rp_delivery d;
	size_t i;

	if (claim->lacks == 0 || own->lacks == 0)
		return false;
	for (i = 0; i < 2; i++) {
		const struct rp_delivery *other = delivery_of(rows, claim->places_of[i].seq, &d);

		if (other != NULL && rp_transition_has_places(other, claim->places_of[i].claim_no))
			return false;
	}
	return true;
}

static void see_levels(struct rp_dispatch *out, const struct rp_pg_rows *rows)
{
	size_t n = rp_pg_n_rows(rows), i;
	unsigned seen = 0;

	for (i = 0; i < n; i++) {
		enum rp_level level = rp_level_of((uint64_t)rp_pg_i64(rows, i, 0));

		out->at[level] = (struct rp_endpoint){.level = level};
		rp_pg_read_columns(rows, i, 3, &rp_pg_endpoint_row, &out->at[level], NULL);
		seen |= 1u << level;
	}
	out->endpoint_known =
	    (seen & 1u << RP_LEVEL_PATH) != 0 && (seen & 1u << RP_LEVEL_HOST) != 0;
}

/* The texts of the facts are copied behind each other, with room that does not move. */
static bool keep_texts(struct rp_facts *f, struct rp_buf *text)
{
	struct rp_span *const all[] = {&f->url,       &f->run_id,   &f->thread_id, &f->event,
				       &f->operation, &f->order_by, &f->headers,   &f->dedupe_key};
	size_t bytes = 0, i;

	for (i = 0; i < sizeof all / sizeof all[0]; i++)
		bytes += all[i]->len;
	if (!rp_buf_reserve(text, bytes))
		return false;
	for (i = 0; i < sizeof all / sizeof all[0]; i++) {
		const char *at = text->data + text->len;

		rp_buf_add(text, all[i]->ptr, all[i]->len);
		all[i]->ptr = at;
	}
	return true;
}

static enum rp_err load(struct rp_dispatch *out, const struct rp_pg_rows *rows,
			struct rp_error *err)
{
	struct rp_span payload = rp_pg_bytes(rows, 0, 0);
	bool is_long = out->short_max != 0 && payload.len > out->short_max;
	struct rp_buf *to = is_long ? out->long_payload : &out->text;
	struct rp_buf scratch = {.max = (size_t)1 << 20};
	size_t facts_bytes = 0;
	bool kept;
	int c;

	rp_buf_clear(&out->text);
	rp_buf_clear(to);
	out->text.max = to->max = SIZE_MAX / 2;
	for (c = 1; c <= (int)rp_pg_facts.n; c++)
		facts_bytes += rp_pg_bytes(rows, 0, c).len;
	if (!rp_buf_reserve(&out->text, facts_bytes + (is_long ? 0 : payload.len)))
		return rp_fail(err, RP_ERR_NOMEM, "out of memory");
	rp_pg_read_columns(rows, 0, 1, &rp_pg_facts, &out->facts, &scratch);
	kept = keep_texts(&out->facts, &out->text);
	rp_buf_release(&scratch);
	if (!kept || !rp_buf_add(to, payload.ptr, payload.len))
		return rp_fail(err, RP_ERR_NOMEM, "out of memory");
	out->payload = (struct rp_span){to->data + to->len - payload.len, payload.len};
	if (rp_payload_hash(payload.ptr, payload.len) != out->facts.payload_hash)
		return rp_fail(err, RP_ERR_DAMAGED, "the payload does not match its hash");
	return RP_OK;
}

enum rp_err rp_pgop_fetch(struct rp_outbox *outbox, const struct rp_claim *claim,
			  struct rp_dispatch *out, struct rp_error *err)
{
	struct rp_pgstore *s = rp_pgstore_of(outbox);
	const uint64_t seqs[] = {claim->seq, claim->places_of[0].seq, claim->places_of[1].seq};
	const uint64_t ids[] = {claim->endpoint, rp_level_host(claim->endpoint)};
	size_t claims, levels, entry = 0;
	const struct rp_delivery *own;
	struct rp_delivery d;
	enum rp_err e = rp_pg_reach_side(s, err);

	if (e != RP_OK)
		return e;
	rp_pg_put_u64_array(rp_pg_params(s->side), seqs, 3);
	claims = rp_pg_ask(s->side, &fetch_claim);
	rp_pg_put_u64_array(rp_pg_params(s->side), ids, 2);
	levels = rp_pg_ask(s->side, &fetch_levels);
	if (!out->endpoint_only) {
		rp_pg_put_i64(rp_pg_params(s->side), (int64_t)claim->seq);
		entry = rp_pg_ask(s->side, &fetch_entry);
	}
	e = rp_pg_go(s->side, err);
	if (e != RP_OK)
		return e;
	own = delivery_of(rp_pg_answer(s->side, claims), claim->seq, &d);
	if (own == NULL || !rp_transition_has_claim(own, claim->claim_no) ||
	    (!out->endpoint_only && rp_pg_n_rows(rp_pg_answer(s->side, entry)) == 0)) {
		if (!out->endpoint_only)
			memset(&out->facts, 0, sizeof out->facts);
		return rp_fail(err, RP_ERR_STALE, "the claim was lost");
	}
	out->places_lost =
	    !out->endpoint_only && are_places_lost(claim, own, rp_pg_answer(s->side, claims));
	see_levels(out, rp_pg_answer(s->side, levels));
	return out->endpoint_only ? RP_OK : load(out, rp_pg_answer(s->side, entry), err);
}

enum rp_err rp_pgop_fetch_piece(struct rp_outbox *outbox, struct rp_piece *piece, char *out,
				size_t n, struct rp_error *err)
{
	struct rp_pgstore *s = rp_pgstore_of(outbox);
	const struct rp_pg_rows *rows;
	struct rp_pg_params *p;
	size_t ask;
	enum rp_err e = rp_pg_reach_side(s, err);

	if (e != RP_OK)
		return e;
	p = rp_pg_params(s->side);
	rp_pg_put_i64(p, (int64_t)piece->seq);
	rp_pg_put_i32(p, (int32_t)piece->at + 1);
	rp_pg_put_i32(p, (int32_t)n);
	ask = rp_pg_ask(s->side, &fetch_part);
	e = rp_pg_go(s->side, err);
	if (e != RP_OK)
		return e;
	rows = rp_pg_answer(s->side, ask);
	if (rp_pg_n_rows(rows) == 0 || rp_pg_bytes(rows, 0, 0).len != n)
		return rp_fail(err, RP_ERR_STALE, "the payload is gone");
	memcpy(out, rp_pg_bytes(rows, 0, 0).ptr, n);
	piece->at += n;
	return RP_OK;
}
