/* Jobs: each planned entry once, whatever happens; what is skipped and why; live traffic first;
 * rates; plans that expire; the log of changes. */
#include "unit/outbox_fixture.h"
#include "outbox/jobs.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>

/* --- each once */

START_TEST(a_damaged_entry_does_not_stop_a_job)
{
	uint64_t seqs[3], number;

	fx_fill(seqs, 1, 3, RP_STATE_DEAD);
	number = fx_job_start(RP_JOB_REPLAY, seqs, 3);
	fx_flip(RP_T_DELIVERY, rp_key1(seqs[1]), 20);
	fx_job_step(0, 100);
	ck_assert_int_eq(fx_job(number).phase, RP_JOB_DONE);
	ck_assert_uint_eq(fx_job(number).done, 3);
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
	damaged_job = fx_job_start(RP_JOB_REPLAY, seqs, 2);
	ck_assert_uint_eq(fx_problems(), 0);
	harms[_i].inflict();
	ck_assert_msg(fx_problems() > 0, "%s", harms[_i].what);
	fx_job_step(0, 100);
}
END_TEST

static void set_up(void)
{
	fx_job_next_at_ms = 0;
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
