/* Numbers by time: of a clock that is set back by days, of imports with old times, of holes and
 * damage nothing is missed; and where the clock goes on, little has to be looked up. */
#include "store/lmdb/select_int.h"
#include "unit/outbox_fixture.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#define DAY INT64_C(86400000)
#define STEPS 120
#define ENTRIES_MAX 2000

static uint64_t x;
static int64_t accepted[ENTRIES_MAX]; /* by number; 0: there is none */
static uint64_t last_seq;
static int64_t t0;

static uint64_t pick(uint64_t n)
{
	return fx_random(&x) % n;
}

static void remember(uint64_t seq, int64_t at_ms)
{
	ck_assert_uint_lt(seq, ENTRIES_MAX);
	accepted[seq] = at_ms;
	if (seq > last_seq)
		last_seq = seq;
}

static void append_some(void)
{
	size_t n = 1 + pick(8), i;
	uint64_t first = fx_append((unsigned)pick(3), n);

	for (i = 0; i < n; i++)
		remember(first + i, fx.now_ms);
}

static void import_one(void)
{
	static unsigned n;
	unsigned char rest[10] = {9, 9};
	char key[32] = ""; /* a part of it goes into the id */
	int64_t at_ms = t0 - (int64_t)pick(90) * DAY;
	struct rp_import in = {
	    .facts = {.accepted_at_ms = at_ms, .url = rp_span_of("https://e1.example/in")},
	    .delivery = {.state = RP_STATE_DEAD, .cause = RP_CAUSE_EXPIRED, .state_at_ms = at_ms},
	    .endpoint = rp_span_of("https://e1.example/in"),
	    .payload = rp_span_of("{}")};
	struct rp_import_result r;

	snprintf(key, sizeof key, "import-%u", n++);
	in.facts.dedupe_key = rp_span_of(key);
	rp_id_make(pick(4) == 0 ? last_seq + 1 + pick(20) : 1, rest, in.facts.id);
	memcpy(in.facts.id + 8, key + 5, 8);
	ck_assert_msg(rp_outbox_import(fx.ob, fx.now_ms, &in, 1, false, 0, &r, &fx.err) == RP_OK,
		      "%s", fx.err.text);
	if (r.kind == RP_IMPORT_DONE)
		remember(r.seq, at_ms);
}

static void some_step(void)
{
	uint64_t seq = 1 + pick(last_seq + 1);

	switch (pick(12)) {
	case 0:
		fx.now_ms = t0 + ((int64_t)pick(40) - 20) * DAY;
		break;
	case 1:
		import_one();
		break;
	case 2:
		fx_change(RP_CHANGE_PURGE, seq);
		accepted[seq] = 0;
		break;
	default:
		append_some();
	}
	fx.now_ms += (int64_t)pick(5000) - 1000;
}

static struct rp_mark mark_of(int64_t at_ms)
{
	struct rp_mark m;
	struct rp_txn t;

	ck_assert_int_eq(rp_txn_read(fx_db(), &t, &fx.err), RP_OK);
	ck_assert_int_eq(rp_marks_find(&t, &at_ms, 1, &m, &fx.err), RP_OK);
	rp_txn_end(&t);
	return m;
}

static size_t check_mark(int64_t at_ms)
{
	struct rp_mark m = mark_of(at_ms);
	size_t doubtful = 0;
	uint64_t seq;

	for (seq = 1; seq <= last_seq; seq++) {
		enum rp_side side = rp_mark_side(&m, seq);

		if (accepted[seq] == 0)
			continue;
		doubtful += side == RP_SIDE_EITHER;
		ck_assert_msg(side == RP_SIDE_EITHER ||
				  side ==
				      (accepted[seq] >= at_ms ? RP_SIDE_LATER : RP_SIDE_EARLIER),
			      "seed %d: entry %lu, accepted %ld ms from then", (int)x,
			      (unsigned long)seq, (long)(accepted[seq] - at_ms));
	}
	ck_assert_int_eq(rp_mark_side(&m, last_seq + 1), RP_SIDE_EITHER);
	return doubtful;
}

static void set_up(void)
{
	fx_setup();
	memset(accepted, 0, sizeof accepted);
	last_seq = 0;
	t0 = fx.now_ms;
}

START_TEST(nothing_is_missed_whatever_the_clock_did)
{
	int i;

	x = (uint64_t)_i * 104729 + 1;
	for (i = 0; i < STEPS; i++)
		some_step();
	for (i = 0; i < 60; i++)
		check_mark(t0 + ((int64_t)pick(140) - 95) * DAY / 2 +
			   (int64_t)pick(2) * (int64_t)pick(100000));
	for (i = 0; i < 60; i++) {
		uint64_t seq = 1 + pick(last_seq);

		if (accepted[seq] != 0)
			check_mark(accepted[seq] + (int64_t)pick(3) - 1);
	}
}
END_TEST

START_TEST(a_clock_that_goes_on_leaves_no_doubt)
{
	int i;

	x = 5;
	for (i = 0; i < 100; i++) {
		append_some();
		fx.now_ms += 1 + (int64_t)pick(100000);
	}
	for (i = 0; i < 60; i++)
		ck_assert_uint_eq(check_mark(t0 + (int64_t)pick((uint64_t)(fx.now_ms - t0))), 0);
	ck_assert_uint_eq(check_mark(INT64_MIN / 2), 0);
	ck_assert_uint_eq(check_mark(INT64_MAX / 2), 0);
}
END_TEST

START_TEST(one_import_makes_no_doubt)
{
	int i;

	x = 6;
	for (i = 0; i < 100; i++) {
		if (i == 50)
			import_one();
		append_some();
		fx.now_ms += 1 + (int64_t)pick(100000);
	}
	for (i = 0; i < 60; i++)
		ck_assert_uint_eq(check_mark(t0 + (int64_t)pick((uint64_t)(fx.now_ms - t0))), 0);
}
END_TEST

START_TEST(damaged_entries_hide_no_others)
{
	uint64_t seq;
	int i;

	x = 7;
	for (i = 0; i < 60; i++) {
		append_some();
		fx.now_ms += 1000;
	}
	for (seq = 100; seq < 140; seq++) { /* more than are stepped over */
		fx_flip(RP_T_ENTRY, rp_key1(seq), 30);
		accepted[seq] = 0;
	}
	for (i = 0; i < 60; i++)
		check_mark(t0 + i * 1000);
}
END_TEST

START_TEST(an_empty_outbox_has_no_times)
{
	ck_assert_uint_eq(mark_of(0).n, 0);
}
END_TEST

static void see_bounds(void *arg, const struct rp_brief *b)
{
	unsigned *passed = arg;

	passed[b->seq] = b->n_bounds_passed;
}

/* Of those of which only their record tells, it is asked. */
START_TEST(what_the_numbers_leave_open_is_looked_up)
{
	const struct rp_filter f = {.states = RP_STATE_BIT(RP_STATE_WAITING)};
	uint64_t first = fx_append(1, 1);
	const int64_t bound = fx.now_ms;
	unsigned passed[8] = {0};
	struct rp_select s = {.filter = &f,
			      .see_brief = see_bounds,
			      .arg = passed,
			      .bounds_at_ms = &bound,
			      .n_bounds = 1};

	fx.now_ms -= 500; /* less than begins another part */
	fx_append(1, 2);
	fx.now_ms += 1000;
	fx_append(1, 1);
	ck_assert_int_eq(rp_outbox_select(fx.ob, &s, &fx.err), RP_OK);
	rp_outbox_select_end(fx.ob, &s);
	ck_assert_uint_eq(passed[first], 1);
	ck_assert_uint_eq(passed[first + 1], 0);
	ck_assert_uint_eq(passed[first + 2], 0);
	ck_assert_uint_eq(passed[first + 3], 1);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("outbox_times");
	TCase *sound = tcase_create("sound"), *damaged = tcase_create("damaged");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_checked_fixture(sound, set_up, fx_teardown);
	tcase_add_loop_test(sound, nothing_is_missed_whatever_the_clock_did, 0, 24);
	tcase_add_test(sound, a_clock_that_goes_on_leaves_no_doubt);
	tcase_add_test(sound, one_import_makes_no_doubt);
	tcase_add_test(sound, an_empty_outbox_has_no_times);
	tcase_set_timeout(sound, 60);
	suite_add_tcase(s, sound);
	tcase_add_checked_fixture(damaged, set_up, fx_teardown_damaged);
	tcase_add_test(damaged, damaged_entries_hide_no_others);
	tcase_add_test(sound, what_the_numbers_leave_open_is_looked_up);
	suite_add_tcase(s, damaged);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
