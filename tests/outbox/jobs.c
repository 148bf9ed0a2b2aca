/* jobs.c - plans, starts and carries jobs in tests. */

#include "outbox/jobs.h"

#include <stdlib.h>

void fx_must_be(enum rp_err got, enum rp_err want)
{
	ck_assert_msg(got == want, "%s: %s", rp_err_name(got), fx.err.text);
}

void fx_plan_add(uint64_t number, const uint64_t *seqs, size_t n, bool last)
{
	struct rp_plan_row *rows = calloc(n + 1, sizeof rows[0]);
	size_t i;

	ck_assert_ptr_nonnull(rows);
	for (i = 0; i < n; i++) {
		struct rp_delivery d = fx_delivery(seqs[i]);

		rows[i] = (struct rp_plan_row){d.endpoint, seqs[i], d.state, d.claim_no, d.replays};
	}
	fx_must_be(rp_outbox_plan_add(fx.ob, fx.now_ms, number, rows, n, last, &fx.err), RP_OK);
	free(rows);
}

uint64_t fx_plan_begin(enum rp_job_verb verb)
{
	struct rp_job spec = {.verb = verb,
			      .expires_at_ms = fx.now_ms + 1000,
			      .user = rp_span_of("alice"),
			      .selector = rp_span_of("--state dead")};
	uint64_t number;

	fx_must_be(rp_outbox_plan_begin(fx.ob, fx.now_ms, &spec, &number, &fx.err), RP_OK);
	return number;
}

uint64_t fx_plan(enum rp_job_verb verb, const uint64_t *seqs, size_t n)
{
	uint64_t number = fx_plan_begin(verb);

	fx_plan_add(number, seqs, n, true);
	return number;
}

enum rp_err fx_job_order(uint64_t number, enum rp_order_kind kind)
{
	struct rp_job_order o = {
	    .kind = kind, .user = rp_span_of("bob"), .reason = rp_span_of("mended")};

	return rp_outbox_job_order(fx.ob, fx.now_ms, number, &o, &fx.err);
}

uint64_t fx_job_start(enum rp_job_verb verb, const uint64_t *seqs, size_t n)
{
	uint64_t number = fx_plan(verb, seqs, n);

	fx_must_be(fx_job_order(number, RP_ORDER_START), RP_OK);
	return number;
}

int64_t fx_job_next_at_ms;

size_t fx_job_step(uint64_t job, size_t max)
{
	struct rp_job_step s = {.job = job, .max = max, .due_max = RP_JOB_DUE_MAX};

	fx_must_be(rp_outbox_jobs_step(fx.ob, fx.now_ms, &s, &fx.err), RP_OK);
	fx_job_next_at_ms = s.next_at_ms;
	return s.n_worked;
}

struct wanted {
	uint64_t number, n;
	struct rp_job job;
	bool found;
};

static bool see_job(void *arg, uint64_t number, const struct rp_job *j)
{
	struct wanted *w = arg;

	w->n++;
	if (number == w->number) {
		w->job = *j;
		w->found = true;
	}
	return true;
}

struct rp_job fx_job(uint64_t number)
{
	struct wanted w = {.number = number};

	fx_must_be(rp_outbox_jobs(fx.ob, see_job, &w, &fx.err), RP_OK);
	ck_assert(w.found);
	return w.job;
}

uint64_t fx_n_jobs(void)
{
	struct wanted w = {.number = 0};

	fx_must_be(rp_outbox_jobs(fx.ob, see_job, &w, &fx.err), RP_OK);
	return w.n;
}

void fx_fill(uint64_t *seqs, unsigned k, size_t n, enum rp_state state)
{
	size_t i;

	for (i = 0; i < n; i++)
		seqs[i] = fx_entry_in(k, state);
}
