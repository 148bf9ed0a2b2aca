/* The log of recent attempts: one row for each commit that settled any, a bounded number of rows,
 * and readers that know what they missed. */
#include "unit/outbox_fixture.h"

#include <check.h>
#include <poll.h>
#include <string.h>

#include "store/lmdb/recent.h"

#define ROW RP_RECENT_ROW_ATTEMPTS

static struct rp_recent seen[16 * ROW];
static size_t n_seen;

static void see(void *arg, const struct rp_recent *r)
{
	(void)arg;
	if (n_seen < sizeof seen / sizeof seen[0])
		seen[n_seen] = *r;
	n_seen++;
}

/* Reads all there is from `from` on; the number missed. */
static uint64_t read_from(uint64_t from, uint64_t *next)
{
	struct rp_recent_page page = {.from = from, .see = see};
	uint64_t missed = 0;

	n_seen = 0;
	do {
		ck_assert_msg(rp_outbox_recent(fx.ob, &page, &fx.err) == RP_OK, "%s", fx.err.text);
		missed += page.n_missed;
	} while (page.more);
	if (next != NULL)
		*next = page.from;
	return missed;
}

static uint64_t next_number(void)
{
	struct rp_recent_page end = {.from = RP_RECENT_END};

	ck_assert_int_eq(rp_outbox_recent(fx.ob, &end, &fx.err), RP_OK);
	return end.from;
}

START_TEST(many_in_one_commit_take_more_rows)
{
	struct rp_settlement s[ROW + 5];
	size_t i;

	fx.limit = ROW + 5;
	fx_append(1, ROW + 5);
	fx_exchange(ROW + 5, NULL, 0);
	ck_assert_uint_eq(fx.n_claims, ROW + 5);
	for (i = 0; i < ROW + 5; i++)
		s[i] = fx_settlement(&fx.claims[i], RP_SETTLE_DELIVERED);
	fx_exchange(0, s, ROW + 5);
	ck_assert_uint_eq(fx_rows(RP_T_RECENT), 2);
	ck_assert_uint_eq(read_from(ROW - 1, NULL), 0); /* from the middle of a row */
	ck_assert_uint_eq(n_seen, 7);
	ck_assert_uint_eq(seen[0].number, ROW - 1);
	ck_assert_uint_eq(seen[6].number, ROW + 5);
}
END_TEST

/* Rows as a flood would make them, in one transaction. */
static void fill(size_t rows)
{
	struct rp_attempt a = {.outcome.cause = RP_CAUSE_TIMEOUT};
	struct rp_txn t;
	size_t i;

	ck_assert_int_eq(rp_txn_write(fx_db(), fx.now_ms, &t, &fx.err), RP_OK);
	for (i = 0; i < rows * ROW; i++)
		ck_assert_int_eq(rp_recent_note(&t, 1000000 + i, 1, 1, &a, &fx.err), RP_OK);
	ck_assert_int_eq(rp_txn_commit(&t, &fx.err), RP_OK);
}

START_TEST(the_log_is_bounded_and_who_was_overtaken_knows_by_how_much)
{
	uint64_t next, missed;

	fill(5000);
	ck_assert_uint_ge(fx_rows(RP_T_RECENT), 4096);
	ck_assert_uint_le(fx_rows(RP_T_RECENT), 4096 + 64);
	ck_assert_uint_eq(next_number(), 5000 * ROW + 1);
	missed = read_from(10, &next);
	ck_assert_uint_eq(missed + n_seen, 5000 * ROW + 1 - 10);
	ck_assert_uint_eq(n_seen, fx_rows(RP_T_RECENT) * ROW);
	ck_assert_uint_eq(next, 5000 * ROW + 1);
	ck_assert_uint_eq(read_from(0, NULL), 0); /* asked for no certain one: none was missed */
	ck_assert_uint_eq(n_seen, fx_rows(RP_T_RECENT) * ROW);
	fx_verify_sound();
}
END_TEST

START_TEST(a_damaged_row_counts_as_missed_and_verify_names_it)
{
	fill(3);
	fx_flip(RP_T_RECENT, rp_key1(ROW + 1), 20);
	ck_assert_uint_eq(read_from(1, NULL), ROW);
	ck_assert_uint_eq(n_seen, 2 * ROW);
	ck_assert_uint_eq(seen[ROW].number, 2 * ROW + 1);
	ck_assert_uint_eq(fx_problems(), 1);
	fx_del(RP_T_RECENT, rp_key1(ROW + 1));
	ck_assert_uint_eq(read_from(1, NULL), ROW);
	ck_assert_uint_eq(n_seen, 2 * ROW);
	ck_assert_uint_eq(fx_problems(), 1); /* a gap now */
}
END_TEST

START_TEST(a_damaged_last_row_does_not_end_the_log)
{
	fill(1);
	fx_flip(RP_T_RECENT, rp_key1(1), -1);
	fill(1);
	ck_assert_uint_eq(next_number(), 2 * ROW + 1);
	ck_assert_uint_eq(read_from(1, NULL), ROW);
	ck_assert_uint_eq(n_seen, ROW);
}
END_TEST

START_TEST(an_attempt_that_its_entry_never_had_is_found)
{
	struct rp_attempt a = {.outcome.cause = RP_CAUSE_TIMEOUT};
	uint64_t seq = fx_append(1, 1);
	struct rp_txn t;

	ck_assert_int_eq(rp_txn_write(fx_db(), fx.now_ms, &t, &fx.err), RP_OK);
	ck_assert_int_eq(rp_recent_note(&t, seq, 1, 1, &a, &fx.err), RP_OK);
	ck_assert_int_eq(rp_txn_commit(&t, &fx.err), RP_OK);
	ck_assert_uint_eq(fx_problems(), 1);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("outbox_recent");
	TCase *sound = tcase_create("sound"), *damaged = tcase_create("damaged");
	SRunner *sr = srunner_create(s);
	int failed;

	tcase_add_checked_fixture(sound, fx_setup, fx_teardown);
	tcase_set_timeout(sound, 30); /* one commit of 10 MB, on a disk that may be busy */
	tcase_add_test(sound, many_in_one_commit_take_more_rows);
	tcase_add_test(sound, the_log_is_bounded_and_who_was_overtaken_knows_by_how_much);
	tcase_add_checked_fixture(damaged, fx_setup, fx_teardown_damaged);
	tcase_add_test(damaged, a_damaged_row_counts_as_missed_and_verify_names_it);
	tcase_add_test(damaged, a_damaged_last_row_does_not_end_the_log);
	tcase_add_test(damaged, an_attempt_that_its_entry_never_had_is_found);
	suite_add_tcase(s, sound);
	suite_add_tcase(s, damaged);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed != 0;
}
