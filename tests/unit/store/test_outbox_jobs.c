/* Jobs: each planned entry once, whatever happens; what is skipped and why; live traffic first;
 * rates; plans that expire; the log of changes. */
#include "unit/outbox_fixture.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#define LANE_DUE_MAX RP_JOB_DUE_MAX

static void must_be(enum rp_err got, enum rp_err want)
{
	ck_assert_msg(got == want, "%s: %s", rp_err_name(got), fx.err.text);
}

static void add(uint64_t number, const uint64_t *seqs, size_t n, bool last)
{
	struct rp_plan_row *rows = calloc(n + 1, sizeof rows[0]);
	size_t i;

	ck_assert_ptr_nonnull(rows);
	for (i = 0; i < n; i++) {
		struct rp_delivery d = fx_delivery(seqs[i]);

		rows[i] = (struct rp_plan_row){d.endpoint, seqs[i], d.state, d.claim_no, d.replays};
	}
	must_be(rp_outbox_plan_add(fx.ob, fx.now_ms, number, rows, n, last, &fx.err), RP_OK);
	free(rows);
}

static uint64_t begin(enum rp_job_verb verb)
{
	struct rp_job spec = {.verb = verb,
			      .expires_at_ms = fx.now_ms + 1000,
			      .user = rp_span_of("alice"),
			      .selector = rp_span_of("--state dead")};
	uint64_t number;

	must_be(rp_outbox_plan_begin(fx.ob, fx.now_ms, &spec, &number, &fx.err), RP_OK);
	return number;
}

static uint64_t plan(enum rp_job_verb verb, const uint64_t *seqs, size_t n)
{
	uint64_t number = begin(verb);

	add(number, seqs, n, true);
	return number;
}

static enum rp_err order(uint64_t number, enum rp_order_kind kind)
{
	struct rp_job_order o = {
	    .kind = kind, .user = rp_span_of("bob"), .reason = rp_span_of("mended")};

	return rp_outbox_job_order(fx.ob, fx.now_ms, number, &o, &fx.err);
}

static uint64_t start(enum rp_job_verb verb, const uint64_t *seqs, size_t n)
{
	uint64_t number = plan(verb, seqs, n);

	must_be(order(number, RP_ORDER_START), RP_OK);
	return number;
}

static int64_t next_at_ms;

static size_t step(uint64_t job, size_t max)
{
	struct rp_job_step s = {.job = job, .max = max, .due_max = LANE_DUE_MAX};

	must_be(rp_outbox_jobs_step(fx.ob, fx.now_ms, &s, &fx.err), RP_OK);
	next_at_ms = s.next_at_ms;
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

static struct rp_job job(uint64_t number)
{
	struct wanted w = {.number = number};

	must_be(rp_outbox_jobs(fx.ob, see_job, &w, &fx.err), RP_OK);
	ck_assert(w.found);
	return w.job;
}

static void fill(uint64_t *seqs, unsigned k, size_t n, enum rp_state state)
{
	size_t i;

	for (i = 0; i < n; i++)
		seqs[i] = fx_entry_in(k, state);
}

/* --- each once */

START_TEST(a_damaged_entry_does_not_stop_a_job)
{
	uint64_t seqs[3], number;

	fill(seqs, 1, 3, RP_STATE_DEAD);
	number = start(RP_JOB_REPLAY, seqs, 3);
	fx_flip(RP_T_DELIVERY, rp_key1(seqs[1]), 20);
	step(0, 100);
	ck_assert_int_eq(job(number).phase, RP_JOB_DONE);
	ck_assert_uint_eq(job(number).done, 3);
}
END_TEST

/* --- damage */

static uint64_t damaged_job;

static void flip_job(void)
{
	fx_flip(RP_T_JOB, rp_key1(damaged_job), 10);
}

static void lose_job(void)
{
	fx_del(RP_T_JOB, rp_key1(damaged_job));
}

static void add_job_entry(void)
{
	fx_put(RP_T_JOB_ENTRY, rp_key3(damaged_job, 1, 999), "123456789", 9);
}

static void shorten_job_entry(void)
{
	fx_put(RP_T_JOB_ENTRY, rp_key3(damaged_job, fx_endpoint(1), 1), "12345", 5);
}

static void flip_audit(void)
{
	fx_flip(RP_T_AUDIT, rp_key1(1), 3);
}

static const struct {
	const char *what;
	void (*inflict)(void);
} harms[] = {
    {"a damaged job", flip_job},       {"a lost job", lose_job},
    {"a row too many", add_job_entry}, {"a damaged row", shorten_job_entry},
    {"a damaged record", flip_audit},
};

START_TEST(verify_notices_every_harm_and_a_step_survives_it)
{
	uint64_t seqs[2];

	seqs[0] = fx_entry_in(1, RP_STATE_DEAD);
	seqs[1] = fx_entry_in(1, RP_STATE_DEAD);
	ck_assert_uint_eq(seqs[0], 1);
	damaged_job = start(RP_JOB_REPLAY, seqs, 2);
	ck_assert_uint_eq(fx_problems(), 0);
	harms[_i].inflict();
	ck_assert_msg(fx_problems() > 0, "%s", harms[_i].what);
	step(0, 100);
}
END_TEST

static void set_up(void)
{
	next_at_ms = 0;
	fx_setup();
}

static Suite *suite(void)
{
	Suite *s = suite_create("outbox_jobs");
	TCase *t = tcase_create("sound"), *broken = tcase_create("damaged");

	tcase_set_timeout(t, 60);
	tcase_add_checked_fixture(t, set_up, fx_teardown);
	tcase_add_test(t, a_damaged_entry_does_not_stop_a_job);
	suite_add_tcase(s, t);
	tcase_add_checked_fixture(broken, set_up, fx_teardown_damaged);
	tcase_add_loop_test(broken, verify_notices_every_harm_and_a_step_survives_it, 0,
			    (int)(sizeof harms / sizeof harms[0]));
	suite_add_tcase(s, broken);
	return s;
}

int main(void)
{
	SRunner *r = srunner_create(suite());
	int failed;

	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
