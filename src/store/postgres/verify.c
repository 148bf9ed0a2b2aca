/* verify.c - recounts what is kept beside the entries. The database looks after its own pages
 * (data_checksums, amcheck); what runpost keeps twice is compared here, in one snapshot. */
#include <inttypes.h>
#include <stdio.h>

#include "store/postgres/columns.h"
#include "store/postgres/postgres_ops.h"
#include "store/postgres/txn.h"

#define BODIES_A_PIECE 500

/* Each returns the sentences of what is wrong. */
static const struct rp_pg_statement checks[] = {
    {"verify_counts",
     "SELECT format('endpoint %s has counted %s waiting, %s in flight, %s held, %s delivered,"
     " %s dead: there are %s, %s, %s, %s, %s', e.id, e.waiting, e.in_flight, e.held, e.delivered,"
     " e.dead, c.w, c.f, c.h, c.d, c.x) FROM endpoint e JOIN LATERAL ("
     " SELECT coalesce(sum(n.w), 0) w, coalesce(sum(n.f), 0) f, coalesce(sum(n.h), 0) h,"
     " coalesce(sum(n.d), 0) d, coalesce(sum(n.x), 0) x FROM endpoint p JOIN ("
     " SELECT endpoint, count(*) FILTER (WHERE state = 1) w, count(*) FILTER (WHERE state = 2) f,"
     " count(*) FILTER (WHERE state = 3) h, count(*) FILTER (WHERE state = 4) d,"
     " count(*) FILTER (WHERE state = 5) x FROM delivery GROUP BY endpoint) n ON n.endpoint = p.id"
     " WHERE p.level = 0 AND (p.id = e.id OR p.section = e.id OR (e.level = 2 AND"
     " p.id BETWEEN e.id AND e.id + 4294967295))) c ON true WHERE (e.waiting, e.in_flight, e.held,"
     " e.delivered, e.dead) IS DISTINCT FROM (c.w, c.f, c.h, c.d, c.x)"},
    {"verify_members",
     "SELECT format('endpoint %s has counted %s members: there are %s', e.id, e.members, c.n)"
     " FROM endpoint e JOIN LATERAL (SELECT count(*) n FROM endpoint p WHERE p.section = e.id OR"
     " (e.level = 2 AND p.id > e.id AND p.id <= e.id + 4294967295)) c ON true"
     " WHERE e.level <> 0 AND e.members <> c.n"},
    {"verify_paths",
     "SELECT format('entry %s names the path %s, which there is not', d.seq, d.endpoint)"
     " FROM delivery d LEFT JOIN endpoint e ON e.id = d.endpoint WHERE e.id IS NULL"},
    {"verify_pairs",
     "SELECT format('entry %s has no record of its delivery', e.seq) FROM entry e"
     " LEFT JOIN delivery d ON d.seq = e.seq WHERE d.seq IS NULL UNION ALL"
     " SELECT format('delivery %s has no entry', d.seq) FROM delivery d"
     " LEFT JOIN entry e ON e.seq = d.seq WHERE e.seq IS NULL UNION ALL"
     " SELECT format('attempt %s of entry %s has no entry', a.n, a.seq) FROM attempt a"
     " LEFT JOIN entry e ON e.seq = a.seq WHERE e.seq IS NULL"},
    {"verify_fronts",
     "SELECT format('order %s of path %s has %s fronts', order_key, endpoint, count(*) FILTER"
     " (WHERE NOT behind)) FROM delivery WHERE order_key <> 0 AND state IN (1, 2, 3)"
     " GROUP BY endpoint, order_key HAVING count(*) FILTER (WHERE NOT behind) <> 1"},
    {"verify_due",
     "SELECT format('path %s says that its first entry is due at %s: it is at %s', e.id,"
     " e.first_due_at_ms, c.due) FROM endpoint e JOIN LATERAL (SELECT min(due_at_ms) due FROM"
     " delivery d WHERE d.endpoint = e.id AND d.state = 1 AND NOT d.behind) c ON true"
     " WHERE e.level = 0 AND e.first_due_at_ms IS DISTINCT FROM c.due"},
    {"verify_ledger",
     "SELECT format('the ledger has counted %s waiting, %s in flight, %s held, %s delivered,"
     " %s dead, %s retrying, %s there: there are %s, %s, %s, %s, %s, %s, %s', w.w, w.f, w.h, w.d,"
     " w.x, w.r, w.n, c.w, c.f, c.h, c.d, c.x, c.r, c.n) FROM (SELECT coalesce(sum(waiting), 0) w,"
     " coalesce(sum(in_flight), 0) f, coalesce(sum(held), 0) h, coalesce(sum(delivered), 0) d,"
     " coalesce(sum(dead), 0) x, coalesce(sum(retrying), 0) r, coalesce(sum(accepted - purged), 0)"
     " n FROM writer) w, (SELECT count(*) FILTER (WHERE state = 1) w, count(*) FILTER"
     " (WHERE state = 2) f, count(*) FILTER (WHERE state = 3) h, count(*) FILTER (WHERE state = 4)"
     " d, count(*) FILTER (WHERE state = 5) x, count(*) FILTER (WHERE state = 1 AND attempts > 0)"
     " r, count(*) n FROM delivery) c WHERE (w.w, w.f, w.h, w.d, w.x, w.r, w.n) IS DISTINCT FROM"
     " (c.w, c.f, c.h, c.d, c.x, c.r, c.n)"},
};
#define N_CHECKS (sizeof checks / sizeof checks[0])

static const struct rp_pg_statement count_all = {
    "verify_count", "SELECT (SELECT count(*) FROM entry), (SELECT count(*) FROM delivery) +"
		    " (SELECT count(*) FROM attempt) + (SELECT count(*) FROM endpoint)"};
static const struct rp_pg_statement bodies = {
    "verify_bodies", "SELECT seq, payload_hash, payload FROM entry WHERE seq > $1::bigint"
		     " ORDER BY seq LIMIT $2::bigint"};

static void complain(struct rp_verify *v, const char *text)
{
	v->counts.problems++;
	v->problem(v->arg, text);
}

static enum rp_err check_rows(struct rp_pgstore *s, struct rp_verify *v, struct rp_error *err)
{
	size_t asks[N_CHECKS], counts, c, i;
	enum rp_err e;

	rp_pg_params(s->pg);
	for (c = 0; c < N_CHECKS; c++)
		asks[c] = rp_pg_ask(s->pg, &checks[c]);
	counts = rp_pg_ask(s->pg, &count_all);
	e = rp_pg_go(s->pg, err);
	if (e != RP_OK)
		return e;
	v->counts.entries = (uint64_t)rp_pg_i64(rp_pg_answer(s->pg, counts), 0, 0);
	v->counts.rows = (uint64_t)rp_pg_i64(rp_pg_answer(s->pg, counts), 0, 1);
	v->counts.steps_all = v->counts.entries + N_CHECKS;
	v->counts.steps = N_CHECKS;
	for (c = 0; c < N_CHECKS; c++)
		for (i = 0; i < rp_pg_n_rows(rp_pg_answer(s->pg, asks[c])); i++) {
			struct rp_span text = rp_pg_bytes(rp_pg_answer(s->pg, asks[c]), i, 0);
			char sentence[RP_ERROR_TEXT_MAX];

			snprintf(sentence, sizeof sentence, "%.*s", (int)text.len, text.ptr);
			complain(v, sentence);
		}
	return RP_OK;
}

static enum rp_err check_bodies(struct rp_pgstore *s, struct rp_verify *v, struct rp_error *err)
{
	int64_t after = 0;
	size_t n, i;
	enum rp_err e;

	do {
		struct rp_pg_params *p = rp_pg_params(s->pg);
		const struct rp_pg_rows *rows;
		size_t ask;

		rp_pg_put_i64(p, after);
		rp_pg_put_i64(p, BODIES_A_PIECE);
		ask = rp_pg_ask(s->pg, &bodies);
		e = rp_pg_go(s->pg, err);
		if (e != RP_OK)
			return e;
		rows = rp_pg_answer(s->pg, ask);
		n = rp_pg_n_rows(rows);
		for (i = 0; i < n; i++) {
			struct rp_span payload = rp_pg_bytes(rows, i, 2);
			char sentence[RP_ERROR_TEXT_MAX];

			after = rp_pg_i64(rows, i, 0);
			if (rp_payload_hash(payload.ptr, payload.len) ==
			    (uint64_t)rp_pg_i64(rows, i, 1))
				continue;
			snprintf(sentence, sizeof sentence,
				 "entry %" PRId64 ": the payload does not match its hash", after);
			complain(v, sentence);
		}
		v->counts.steps += n;
		if (v->go_on != NULL && !v->go_on(v->arg, &v->counts))
			return rp_fail(err, RP_ERR_STALE, "stopped");
	} while (n == BODIES_A_PIECE);
	return RP_OK;
}

enum rp_err rp_pgop_verify(struct rp_outbox *outbox, struct rp_verify *v, struct rp_error *err)
{
	struct rp_pgstore *s = rp_pgstore_of(outbox);
	enum rp_err e = rp_pg_reach(s, err);

	if (e != RP_OK)
		return e;
	rp_pg_ask_plain(s->pg, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY");
	rp_pg_ask_plain(s->pg, "SET LOCAL statement_timeout = 0");
	e = check_rows(s, v, err);
	if (e == RP_OK)
		e = check_bodies(s, v, err);
	if (!rp_pg_is_lost(s->pg)) {
		rp_pg_ask_plain(s->pg, "ROLLBACK");
		(void)rp_pg_go(s->pg, NULL);
	}
	v->done = true;
	return e;
}
