/* Entries that come from elsewhere: ids are kept and lead to their entry whatever number it got,
 * nothing is there twice, and the ledger balances. Also the copy of a whole outbox. */
#include "unit/outbox_fixture.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define PAYLOAD "{\"from\":\"elsewhere\"}"

/* Texts live as long as the test. */
static struct rp_import entry_with(uint64_t seq, unsigned char random, enum rp_state state)
{
	static char keys[16][40];
	static size_t n;
	char *key = keys[n++ % 16];
	unsigned char rest[10] = {random, 1, 2, 3, 4, 5, 6, 7, 8, 9};
	struct rp_import in = {
	    .facts = {.accepted_at_ms = FX_NOW_MS - 500000,
		      .url = rp_span_of("https://e1.example/in?t=1")},
	    .delivery = {.state = state,
			 .cause = state == RP_STATE_DEAD ? RP_CAUSE_EXHAUSTED : RP_CAUSE_NONE,
			 .attempts = 7,
			 .failures = 3,
			 .replays = 1,
			 .state_at_ms = FX_NOW_MS - 400000,
			 .due_at_ms = FX_NOW_MS - 300000,
			 .budget_at_ms = FX_NOW_MS - 450000},
	    .endpoint = rp_span_of("https://e1.example/in"),
	    .payload = rp_span_of(PAYLOAD),
	};

	snprintf(key, sizeof keys[0], "key-%llu-%u", (unsigned long long)seq, random);
	in.facts.dedupe_key = rp_span_of(key);
	rp_id_make(seq, rest, in.facts.id);
	return in;
}

static struct rp_import_result import_one(const struct rp_import *in, bool dry_run)
{
	struct rp_import_result r = {0};

	ck_assert_msg(rp_outbox_import(fx.ob, fx.now_ms, in, 1, dry_run, 0, &r, &fx.err) == RP_OK,
		      "%s", fx.err.text);
	return r;
}

START_TEST(a_damaged_import_can_be_purged_without_leaving_names)
{
	struct rp_import in = entry_with(1, 1, RP_STATE_HELD);
	uint64_t seq;

	fx_append(2, 3);
	seq = import_one(&in, false).seq;
	fx_flip(RP_T_ENTRY, rp_key1(seq), 30);
	ck_assert_int_eq(fx_change(RP_CHANGE_PURGE, seq), RP_CHANGED_DONE);
	ck_assert_uint_eq(fx_rows(RP_T_ALIAS), 0);
	ck_assert_uint_eq(fx_rows(RP_T_SEEN), 3);
	fx_verify_sound();
}
END_TEST

START_TEST(verify_finds_an_id_that_leads_nowhere)
{
	struct rp_import in = entry_with(1, 1, RP_STATE_HELD);
	struct rp_key key = {.len = RP_ID_BYTES};

	fx_append(2, 3);
	import_one(&in, false);
	memcpy(key.bytes, in.facts.id, RP_ID_BYTES);
	fx_del(RP_T_ALIAS, key);
	ck_assert_uint_eq(fx_problems(), 2); /* the entry, and the total */
	ck_assert_int_eq(fx_change(RP_CHANGE_PURGE, 4), RP_CHANGED_DONE);
	fx_put(RP_T_ALIAS, key, "\0\0\0\0\0\0\0\2", 8);
	ck_assert_uint_eq(fx_problems(), 1);
}
END_TEST

/* --- backup ------------------------------------------------------------------------- */

static char copy_dir[300];

static void setup_copy(void)
{
	fx_setup();
	snprintf(copy_dir, sizeof copy_dir, "%s-copy", fx_dir);
}

static void remove_copy(void)
{
	static const char *const names[] = {"data.mdb", "data.mdb.part", "lock.mdb", "senders",
					    "doorbell"};
	char path[400];
	size_t i;

	for (i = 0; i < sizeof names / sizeof names[0]; i++) {
		snprintf(path, sizeof path, "%s/%s", copy_dir, names[i]);
		unlink(path);
	}
	rmdir(copy_dir);
}

static void teardown_copy(void)
{
	remove_copy();
	fx_teardown();
}

static bool is_there(const char *path)
{
	struct stat st;

	return lstat(path, &st) == 0;
}

static void count_problem(void *arg, const char *text)
{
	(void)text;
	++*(size_t *)arg;
}

START_TEST(a_copy_is_an_outbox_like_the_original)
{
	struct rp_outbox_options options = {0};
	struct rp_backup b = {0};
	struct rp_outbox *copy;
	struct rp_ledger ledger;
	size_t problems = 0;
	struct rp_verify v = {.problem = count_problem, .arg = &problems};
	char path[400];
	struct stat st;

	fx_entry_in(1, RP_STATE_DEAD);
	fx_entry_in(2, RP_STATE_IN_FLIGHT);
	fx_append(1, 200);
	ck_assert_msg(rp_outbox_backup(fx.ob, copy_dir, &b, &fx.err) == RP_OK, "%s", fx.err.text);
	snprintf(path, sizeof path, "%s/data.mdb", copy_dir);
	ck_assert_int_eq(stat(path, &st), 0);
	ck_assert_uint_eq((uint64_t)st.st_size, b.bytes);
	ck_assert_uint_eq(st.st_mode & 0777, 0600);
	ck_assert_int_eq(rp_outbox_open(copy_dir, &options, &copy, &fx.err), RP_OK);
	ck_assert_int_eq(rp_outbox_verify(copy, &v, &fx.err), RP_OK);
	ck_assert_uint_eq(problems, 0);
	ck_assert_int_eq(rp_outbox_ledger(copy, &ledger, &fx.err), RP_OK);
	ck_assert_uint_eq(ledger.accepted, fx_ledger().accepted);
	ck_assert_uint_eq(ledger.in_flight, fx_ledger().in_flight);
	rp_outbox_close(copy);
	ck_assert_int_eq(rp_outbox_backup(fx.ob, copy_dir, &b, &fx.err), RP_ERR_EXISTS);
	ck_assert(is_there(path));
}
END_TEST

static bool never(void *arg, uint64_t bytes)
{
	(void)arg;
	(void)bytes;
	return false;
}

START_TEST(a_copy_that_is_given_up_leaves_nothing)
{
	struct rp_backup b = {.go_on = never};

	fx_append(1, 1000);
	ck_assert_int_eq(rp_outbox_backup(fx.ob, copy_dir, &b, &fx.err), RP_ERR_STALE);
	ck_assert(!is_there(copy_dir));
	b.go_on = NULL;
	ck_assert_int_eq(rp_outbox_backup(fx.ob, "/proc/none/copy", &b, &fx.err), RP_ERR_NOTFOUND);
}
END_TEST

static bool count_call(void *arg, uint64_t bytes)
{
	uint64_t *last = arg;

	ck_assert_uint_ge(bytes, *last);
	*last = bytes;
	return true;
}

START_TEST(a_copy_calls_back_and_counts)
{
	uint64_t last = 0;
	struct rp_backup b = {.go_on = count_call, .arg = &last, .max_growth_bytes = 1};

	fx_append(1, 1000);
	ck_assert_int_eq(rp_outbox_backup(fx.ob, copy_dir, &b, &fx.err), RP_OK);
	ck_assert_uint_eq(last, b.bytes);
	ck_assert_uint_eq(b.growth_bytes, 0);
	ck_assert_uint_gt(b.bytes, 100000);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("outbox_import");
	TCase *sound = tcase_create("sound"), *damaged = tcase_create("damaged"),
	      *copies = tcase_create("copies");
	SRunner *sr = srunner_create(s);
	int failed;

	tcase_add_checked_fixture(sound, fx_setup, fx_teardown);
	tcase_add_test(sound, a_damaged_import_can_be_purged_without_leaving_names);
	tcase_add_checked_fixture(damaged, fx_setup, fx_teardown_damaged);
	tcase_add_test(damaged, verify_finds_an_id_that_leads_nowhere);
	tcase_add_checked_fixture(copies, setup_copy, teardown_copy);
	tcase_add_test(copies, a_copy_is_an_outbox_like_the_original);
	tcase_add_test(copies, a_copy_that_is_given_up_leaves_nothing);
	tcase_add_test(copies, a_copy_calls_back_and_counts);
	suite_add_tcase(s, sound);
	suite_add_tcase(s, damaged);
	suite_add_tcase(s, copies);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed != 0;
}
