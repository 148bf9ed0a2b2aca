/* writer.c - takes a row of ledger and counters, and writes it. */
#include "store/postgres/writer.h"

#include <stdlib.h>

/* Advisory locks have two numbers: this one, and the row's. */
#define LOCKS "7305235"
#define HISTOGRAM_N (1 + RP_HISTOGRAM_BUCKETS)
#define MINUTES_N (4 * RP_COUNTERS_MINUTES)
#define VALUES                                                                                     \
	"accepted, waiting, in_flight, held, delivered, dead, purged, retrying, commits,"          \
	" latest_at_ms, duplicates, replayed, claims_lost, last_append_at_ms,"                     \
	" last_delivery_at_ms, retries, died, sender_commits, other_commits, attempts, latency,"   \
	" minutes"

static const struct rp_pg_statement take_row = {
    "writer_take", "SELECT n FROM generate_series(1, $1::bigint) n"
		   " WHERE pg_try_advisory_lock(" LOCKS ", n::int) LIMIT 1"};

static const struct rp_pg_statement make_row = {
    "writer_make",
    "INSERT INTO writer (number, " VALUES ") VALUES ($1::bigint, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,"
    " 0, 0, 0, 0, '{}', '{}', '{}', '{}', '{}', '{}', '{}') ON CONFLICT DO NOTHING"};

static const struct rp_pg_statement read_row = {
    "writer_read", "SELECT " VALUES " FROM writer WHERE number = $1::bigint"};

static const struct rp_pg_statement read_series = {
    "writer_read_series", "SELECT name, attempts FROM series WHERE writer = $1::bigint"};

static const struct rp_pg_statement write_row = {
    "writer_write",
    "UPDATE writer SET (" VALUES ") = ($2::bigint, $3::bigint, $4::bigint, $5::bigint, $6::bigint,"
    " $7::bigint, $8::bigint, $9::bigint, $10::bigint, greatest(latest_at_ms, $11::bigint), "
    "$12::bigint,"
    " $13::bigint, $14::bigint, $15::bigint, $16::bigint, $17::bigint[], $18::bigint[], "
    "$19::bigint[],"
    " $20::bigint[], $21::bigint[], $22::bigint[], $23::bigint[]) WHERE number = $1::bigint"};

static const struct rp_pg_statement write_series = {
    "writer_write_series",
    "INSERT INTO series (writer, name, attempts) VALUES ($1::bigint, $2::text, $3::bigint[])"
    " ON CONFLICT (writer, name) DO UPDATE SET attempts = excluded.attempts"};

static const struct rp_pg_statement read_all = {"totals", "SELECT " VALUES " FROM writer"};

static const struct rp_pg_statement read_all_series = {
    "totals_series", "SELECT name, attempts FROM series ORDER BY name COLLATE \"C\""};

/* --- values and rows --------------------------------------------------------------------- */

static void read_numbers(const struct rp_pg_rows *r, size_t row, int column, uint64_t *out,
			 size_t n)
{
	int64_t v[MINUTES_N] = {0};
	size_t i;

	rp_pg_i64_array(r, row, column, v, n);
	for (i = 0; i < n; i++)
		out[i] = (uint64_t)v[i];
}

static void read_values(const struct rp_pg_rows *r, size_t row, struct rp_pg_writer_values *out)
{
	struct rp_counters *c = &out->counters;
	int i = 0;

	out->ledger.accepted = rp_pg_i64(r, row, i++);
	out->ledger.count[RP_STATE_WAITING] = rp_pg_i64(r, row, i++);
	out->ledger.count[RP_STATE_IN_FLIGHT] = rp_pg_i64(r, row, i++);
	out->ledger.count[RP_STATE_HELD] = rp_pg_i64(r, row, i++);
	out->ledger.count[RP_STATE_DELIVERED] = rp_pg_i64(r, row, i++);
	out->ledger.count[RP_STATE_DEAD] = rp_pg_i64(r, row, i++);
	out->ledger.purged = rp_pg_i64(r, row, i++);
	out->ledger.retrying = rp_pg_i64(r, row, i++);
	out->commits = rp_pg_i64(r, row, i++);
	out->latest_at_ms = rp_pg_i64(r, row, i++);
	c->duplicates = (uint64_t)rp_pg_i64(r, row, i++);
	c->replayed = (uint64_t)rp_pg_i64(r, row, i++);
	c->claims_lost = (uint64_t)rp_pg_i64(r, row, i++);
	c->last_append_at_ms = (uint64_t)rp_pg_i64(r, row, i++);
	c->last_delivery_at_ms = (uint64_t)rp_pg_i64(r, row, i++);
	read_numbers(r, row, i++, c->retries, RP_COUNTERS_CAUSES);
	read_numbers(r, row, i++, c->dead, RP_COUNTERS_CAUSES);
	read_numbers(r, row, i++, &c->sender_commits.sum_us, HISTOGRAM_N);
	read_numbers(r, row, i++, &c->other_commits.sum_us, HISTOGRAM_N);
	read_numbers(r, row, i++, &c->attempts.sum_us, HISTOGRAM_N);
	read_numbers(r, row, i++, &c->latency.sum_us, HISTOGRAM_N);
	read_numbers(r, row, i++, &c->minutes[0].minute, MINUTES_N);
}

static void put_values(struct rp_pg_params *p, const struct rp_pg_writer_values *v)
{
	const struct rp_counters *c = &v->counters;

	rp_pg_put_i64(p, v->ledger.accepted);
	rp_pg_put_i64(p, v->ledger.count[RP_STATE_WAITING]);
	rp_pg_put_i64(p, v->ledger.count[RP_STATE_IN_FLIGHT]);
	rp_pg_put_i64(p, v->ledger.count[RP_STATE_HELD]);
	rp_pg_put_i64(p, v->ledger.count[RP_STATE_DELIVERED]);
	rp_pg_put_i64(p, v->ledger.count[RP_STATE_DEAD]);
	rp_pg_put_i64(p, v->ledger.purged);
	rp_pg_put_i64(p, v->ledger.retrying);
	rp_pg_put_i64(p, v->commits);
	rp_pg_put_i64(p, v->latest_at_ms);
	rp_pg_put_i64(p, (int64_t)c->duplicates);
	rp_pg_put_i64(p, (int64_t)c->replayed);
	rp_pg_put_i64(p, (int64_t)c->claims_lost);
	rp_pg_put_i64(p, (int64_t)c->last_append_at_ms);
	rp_pg_put_i64(p, (int64_t)c->last_delivery_at_ms);
	rp_pg_put_u64_array(p, c->retries, RP_COUNTERS_CAUSES);
	rp_pg_put_u64_array(p, c->dead, RP_COUNTERS_CAUSES);
	rp_pg_put_u64_array(p, &c->sender_commits.sum_us, HISTOGRAM_N);
	rp_pg_put_u64_array(p, &c->other_commits.sum_us, HISTOGRAM_N);
	rp_pg_put_u64_array(p, &c->attempts.sum_us, HISTOGRAM_N);
	rp_pg_put_u64_array(p, &c->latency.sum_us, HISTOGRAM_N);
	rp_pg_put_u64_array(p, &c->minutes[0].minute, MINUTES_N);
}

/* --- one row ----------------------------------------------------------------------------- */

static void read_own_series(struct rp_pg_writer *w, const struct rp_pg_rows *rows)
{
	size_t n = rp_pg_n_rows(rows), i;

	for (i = 0; i < n && i < RP_SERIES_MAX; i++) {
		struct rp_pg_series *s = &w->now.series[w->now.n_series++];
		struct rp_span name = rp_pg_bytes(rows, i, 0);

		if (name.len >= sizeof s->name)
			name.len = sizeof s->name - 1;
		memcpy(s->name, name.ptr, name.len);
		s->name[name.len] = '\0';
		read_numbers(rows, i, 1, s->s.attempts, RP_CLASS_COUNT);
		s->changed = false;
	}
}

static enum rp_err take(struct rp_pgstore *s, struct rp_error *err)
{
	struct rp_pg_writer *w = s->writer;
	size_t ask, series;
	enum rp_err e;
	int64_t n;

	rp_pg_put_i64(rp_pg_params(s->pg), RP_PG_WRITERS_MAX);
	ask = rp_pg_ask(s->pg, &take_row);
	e = rp_pg_go(s->pg, err);
	if (e != RP_OK)
		return e;
	if (rp_pg_n_rows(rp_pg_answer(s->pg, ask)) == 0)
		return rp_fail(err, RP_ERR_BUSY, "%s: %d programs write already", s->address.shown,
			       RP_PG_WRITERS_MAX);
	n = rp_pg_i64(rp_pg_answer(s->pg, ask), 0, 0);
	rp_pg_put_i64(rp_pg_params(s->pg), n);
	rp_pg_ask(s->pg, &make_row);
	ask = rp_pg_ask(s->pg, &read_row);
	series = rp_pg_ask(s->pg, &read_series);
	e = rp_pg_go(s->pg, err);
	if (e != RP_OK)
		return e;
	w->now = (struct rp_pg_writer_values){.commits = 0};
	read_values(rp_pg_answer(s->pg, ask), 0, &w->now);
	read_own_series(w, rp_pg_answer(s->pg, series));
	w->saved = w->now;
	w->number = (int)n;
	w->n_connected = s->n_connected;
	return RP_OK;
}

enum rp_err rp_pg_writer_take(struct rp_pgstore *s, struct rp_error *err)
{
	if (s->writer == NULL)
		s->writer = calloc(1, sizeof *s->writer);
	if (s->writer == NULL)
		return rp_fail(err, RP_ERR_NOMEM, "out of memory");
	if (s->writer->number != 0 && s->writer->n_connected == s->n_connected)
		return RP_OK;
	return take(s, err);
}

static struct rp_pg_series *series_of(struct rp_pg_writer *w, const char *name)
{
	size_t i;

	for (i = 0; i < w->now.n_series; i++)
		if (strcmp(w->now.series[i].name, name) == 0)
			return &w->now.series[i];
	if (i >= RP_SERIES_MAX - 1 && strcmp(name, RP_SERIES_OTHER) != 0)
		return series_of(w, RP_SERIES_OTHER);
	w->now.n_series++;
	memset(&w->now.series[i], 0, sizeof w->now.series[i]);
	memcpy(w->now.series[i].name, name, strlen(name) + 1);
	return &w->now.series[i];
}

void rp_pg_writer_count_series(struct rp_pg_writer *w, const char *name,
			       const struct rp_outcome *outcome)
{
	struct rp_pg_series *s = series_of(w, name[0] != '\0' ? name : RP_SERIES_OTHER);

	s->s.attempts[rp_outcome_class(outcome->cause, outcome->http_status)]++;
	s->changed = true;
}

/* Series are few and rarely change: the rest of the array is not copied. */
static void copy(struct rp_pg_writer_values *to, const struct rp_pg_writer_values *from)
{
	memcpy(to, from, offsetof(struct rp_pg_writer_values, series));
	memcpy(to->series, from->series, from->n_series * sizeof to->series[0]);
	to->n_series = from->n_series;
}

void rp_pg_writer_save(struct rp_pg_writer *w)
{
	copy(&w->saved, &w->now);
}

void rp_pg_writer_restore(struct rp_pg_writer *w)
{
	copy(&w->now, &w->saved);
}

static void tell_commits(struct rp_pgstore *s)
{
	struct rp_pg_writer *w = s->writer;
	struct rp_histogram *h =
	    s->joined ? &w->now.counters.sender_commits : &w->now.counters.other_commits;
	size_t i;

	h->sum_us += w->untold_commits.sum_us;
	for (i = 0; i < RP_HISTOGRAM_BUCKETS; i++)
		h->count[i] += w->untold_commits.count[i];
	w->now.counters.duplicates += w->untold_duplicates;
	w->untold_commits = (struct rp_histogram){0};
	w->untold_duplicates = 0;
}

void rp_pg_writer_ask(struct rp_pgstore *s, int64_t now_at_ms)
{
	struct rp_pg_writer *w = s->writer;
	struct rp_pg_params *p;
	size_t i;

	tell_commits(s);
	w->now.commits++;
	w->now.latest_at_ms = now_at_ms; /* the row keeps the latest */
	for (i = 0; i < w->now.n_series; i++) {
		struct rp_pg_series *series = &w->now.series[i];

		if (!series->changed)
			continue;
		series->changed = false;
		p = rp_pg_params(s->pg);
		rp_pg_put_i64(p, w->number);
		rp_pg_put_text(p, rp_span_of(series->name));
		rp_pg_put_u64_array(p, series->s.attempts, RP_CLASS_COUNT);
		rp_pg_ask(s->pg, &write_series);
	}
	p = rp_pg_params(s->pg);
	rp_pg_put_i64(p, w->number);
	put_values(p, &w->now);
	rp_pg_ask(s->pg, &write_row);
}

/* --- all rows ---------------------------------------------------------------------------- */

/* Rows of one series stand side by side. */
static void see_series(const struct rp_pg_rows *rows,
		       void (*see)(void *arg, struct rp_span name, const struct rp_series *s),
		       void *arg)
{
	size_t n = rp_pg_n_rows(rows), i, c;
	struct rp_series sum = {{0}};

	for (i = 0; i < n; i++) {
		struct rp_span name = rp_pg_bytes(rows, i, 0), next = {NULL, 0};
		struct rp_series part = {{0}};

		read_numbers(rows, i, 1, part.attempts, RP_CLASS_COUNT);
		for (c = 0; c < RP_CLASS_COUNT; c++)
			sum.attempts[c] += part.attempts[c];
		if (i + 1 < n)
			next = rp_pg_bytes(rows, i + 1, 0);
		if (i + 1 < n && next.len == name.len && memcmp(next.ptr, name.ptr, name.len) == 0)
			continue;
		see(arg, name, &sum);
		sum = (struct rp_series){{0}};
	}
}

enum rp_err rp_pg_totals_read(struct rp_pgstore *s, struct rp_pg_totals *out,
			      void (*see)(void *arg, struct rp_span name,
					  const struct rp_series *series),
			      void *arg, struct rp_error *err)
{
	const struct rp_pg_rows *rows;
	size_t ask, series = 0, i;
	enum rp_err e = rp_pg_reach(s, err);

	*out = (struct rp_pg_totals){.commits = 0};
	if (e != RP_OK)
		return e;
	rp_pg_params(s->pg);
	ask = rp_pg_ask(s->pg, &read_all);
	if (see != NULL)
		series = rp_pg_ask(s->pg, &read_all_series);
	e = rp_pg_go(s->pg, err);
	if (e != RP_OK)
		return e;
	rows = rp_pg_answer(s->pg, ask);
	for (i = 0; i < rp_pg_n_rows(rows); i++) {
		struct rp_pg_writer_values v = {.commits = 0};

		read_values(rows, i, &v);
		rp_ledger_part_add(&out->ledger, &v.ledger);
		rp_counters_add(&out->counters, &v.counters);
		out->commits += v.commits;
		if (v.latest_at_ms > out->latest_at_ms)
			out->latest_at_ms = v.latest_at_ms;
	}
	if (see != NULL)
		see_series(rp_pg_answer(s->pg, series), see, arg);
	return RP_OK;
}
