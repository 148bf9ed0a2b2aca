/* What operators do: replay, hold, release, purge; what expires by itself; paging through it all;
 * opening and refusing.
 */
#include "unit/outbox_fixture.h"

#include <check.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define N(table) ((int)(sizeof(table) / sizeof((table)[0])))

/* --- verbs
 * ------------------------------------------------------------------------------------------ */

START_TEST(a_purge_leaves_no_row_behind)
{
	static const enum rp_table tables[] = {RP_T_ENTRY, RP_T_BODY,  RP_T_DELIVERY, RP_T_QUEUE,
					       RP_T_READY, RP_T_CLAIM, RP_T_DEAD,     RP_T_ATTEMPT,
					       RP_T_DONE,  RP_T_SEEN,  RP_T_HELD,     RP_T_RUN};
	static const enum rp_state states[] = {RP_STATE_WAITING, RP_STATE_IN_FLIGHT, RP_STATE_HELD,
					       RP_STATE_DELIVERED, RP_STATE_DEAD};
	static char payload[20000];
	struct rp_new_entry n = fx_new(1);
	struct rp_claim c;
	uint64_t seq;
	int i;

	n.payload = (struct rp_span){payload, sizeof payload};
	seq = fx_append_one(&n, NULL);
	for (i = 0; i < 2; i++) {
		c = fx_claim();
		fx_settle(&c, RP_SETTLE_RETRY);
		fx.now_ms += 5000;
	}
	if (states[_i] == RP_STATE_HELD)
		fx_change(RP_CHANGE_HOLD, seq);
	if (states[_i] == RP_STATE_IN_FLIGHT || states[_i] == RP_STATE_DELIVERED ||
	    states[_i] == RP_STATE_DEAD)
		c = fx_claim();
	if (states[_i] == RP_STATE_DELIVERED || states[_i] == RP_STATE_DEAD)
		fx_settle(&c, states[_i] == RP_STATE_DEAD ? RP_SETTLE_DEAD : RP_SETTLE_DELIVERED);
	ck_assert_int_eq(fx_state(seq), states[_i]);
	fx_change(RP_CHANGE_PURGE, seq);
	for (i = 0; i < N(tables); i++)
		ck_assert_msg(fx_rows(tables[i]) == 0, "table %d still has %lu rows",
			      (int)tables[i], (unsigned long)fx_rows(tables[i]));
	ck_assert_uint_eq(fx_ledger().purged, 1);
}
END_TEST

/* Callers choose the URLs: with a path of its own for every run, endpoints would fill the outbox
 * for good. */
START_TEST(an_endpoint_without_entries_takes_no_room)
{
	static const enum rp_table tables[] = {RP_T_ENDPOINT, RP_T_ENDPOINT_NAME, RP_T_ENDPOINT_ID,
					       RP_T_READY};
	uint64_t first, kept = fx_append(2, 1), before[N(tables)];
	int i;

	for (i = 0; i < N(tables); i++)
		before[i] = fx_rows(tables[i]);
	first = fx_append(1, 2);
	fx_change(RP_CHANGE_PURGE, first);
	ck_assert_uint_eq(fx_n_endpoints(), 2);
	fx_change(RP_CHANGE_PURGE, first + 1);
	for (i = 0; i < N(tables); i++)
		ck_assert_msg(fx_rows(tables[i]) == before[i], "table %d has %lu rows",
			      (int)tables[i], (unsigned long)fx_rows(tables[i]));
	ck_assert_uint_eq(fx_claim().seq, kept);
	ck_assert_uint_eq(fx_append(1, 1), first + 2);
	ck_assert_uint_eq(fx_claim().seq, first + 2);
}
END_TEST

/* --- paging
 * ------------------------------------------------------------------------------------------ */

struct seen {
	size_t n, stop_at;
	uint64_t last;
	enum rp_state state;
};

static bool see(void *arg, const struct rp_entry *entry)
{
	struct seen *s = arg;

	ck_assert_uint_gt(entry->seq, s->last);
	ck_assert(s->state == 0 || entry->delivery.state == s->state);
	s->last = entry->seq;
	return ++s->n != s->stop_at;
}

START_TEST(one_call_looks_at_a_bounded_number_of_entries)
{
	const struct rp_filter f = {.states = RP_STATE_BIT(RP_STATE_HELD)};
	struct seen one = {.state = RP_STATE_HELD};
	struct rp_select s = {.filter = &f, .by_number = true, .see = see, .arg = &one};
	uint64_t last = 0;
	int i;

	for (i = 0; i < 40; i++)
		last = fx_append(1, 1000) + 999;
	fx_change(RP_CHANGE_HOLD, last); /* without any there is nothing to look at */
	ck_assert_int_eq(rp_outbox_select(fx.ob, &s, &fx.err), RP_OK);
	ck_assert(s.more);
	ck_assert_uint_eq(one.n, 0);
	ck_assert_int_eq(rp_outbox_select(fx.ob, &s, &fx.err), RP_OK);
	ck_assert(!s.more);
	ck_assert_uint_eq(one.n, 1);
	ck_assert_uint_eq(s.n_looked, 40000);
	rp_outbox_select_end(fx.ob, &s);
}
END_TEST

/* --- opening
 * ------------------------------------------------------------------------------------------ */

static enum rp_err try_open(void)
{
	return rp_outbox_open(fx_dir, &fx.options, &fx.ob, &fx.err);
}

static void write_file(const char *name, const char *text)
{
	char path[300];
	FILE *f;

	fx_path(name, path, sizeof path);
	f = fopen(path, "w");
	ck_assert_ptr_nonnull(f);
	fputs(text, f);
	fclose(f);
}

static bool exists(const char *name)
{
	char path[300];

	fx_path(name, path, sizeof path);
	return access(path, F_OK) == 0;
}

START_TEST(a_missing_outbox_is_not_found_unless_it_may_be_created)
{
	fx.options.create = false;
	ck_assert_int_eq(try_open(), RP_ERR_NOTFOUND);
	ck_assert_ptr_null(fx.ob);
	ck_assert(!exists("."));
	fx.options.create = true;
	ck_assert_int_eq(try_open(), RP_OK);
	fx_close();
	fx.options.create = false;
	ck_assert_int_eq(try_open(), RP_OK);
	fx_close();
}
END_TEST

START_TEST(a_new_outbox_is_readable_by_its_owner_only)
{
	static const char *const names[] = {".", "data.mdb", "lock.mdb", "doorbell"};
	struct stat st;
	char path[300];
	int i;

	fx_open();
	for (i = 0; i < N(names); i++) {
		fx_path(names[i], path, sizeof path);
		ck_assert_int_eq(stat(path, &st), 0);
		ck_assert_msg((st.st_mode & 077) == 0, "%s has mode %o", names[i],
			      (unsigned)st.st_mode & 0777);
	}
	fx_close();
}
END_TEST

START_TEST(a_directory_of_somebody_else_is_left_alone)
{
	ck_assert_int_eq(mkdir(fx_dir, 0700), 0);
	write_file("thesis.tex", "do not touch");
	ck_assert_int_eq(try_open(), RP_ERR_FORMAT);
	ck_assert_ptr_null(fx.ob);
	ck_assert_ptr_nonnull(strstr(fx.err.text, "thesis.tex"));
	ck_assert(!exists("data.mdb") && !exists("lock.mdb") && !exists("doorbell"));
}
END_TEST

START_TEST(a_file_that_is_no_database_is_refused)
{
	char text[10000];

	memset(text, 'x', sizeof text - 1);
	text[sizeof text - 1] = '\0';
	ck_assert_int_eq(mkdir(fx_dir, 0700), 0);
	write_file("data.mdb", text);
	ck_assert_int_eq(try_open(), RP_ERR_FORMAT);
	ck_assert_ptr_null(fx.ob);
}
END_TEST

/* What a full disk or a power cut makes of the first write of an outbox: less than its two meta
 * pages. */
static const struct {
	off_t kept, zeros; /* pages */
} torn[] = {{1, 0}, {0, 1}, {0, 2}, {1, 1}, {1, 3}, {0, 4}};

static void tear(off_t kept, off_t zeros)
{
	char path[300];

	fx_open();
	fx_close();
	fx_path("data.mdb", path, sizeof path);
	ck_assert_int_eq(truncate(path, kept * (off_t)fx_page_bytes()), 0);
	ck_assert_int_eq(truncate(path, (kept + zeros) * (off_t)fx_page_bytes()), 0);
}

START_TEST(a_creation_that_was_cut_short_is_begun_anew)
{
	tear(torn[_i].kept, torn[_i].zeros);
	fx.options.create = false;
	ck_assert_int_eq(try_open(), RP_ERR_NOTFOUND);
	fx.options.create = true;
	ck_assert_int_eq(try_open(), RP_OK);
	fx_join();
	fx_append(1, 3);
	fx_verify_sound();
	fx_close();
}
END_TEST

START_TEST(what_held_something_is_not_begun_anew)
{
	char path[300];
	struct stat st;

	fx_open();
	fx_append(1, 1);
	fx_append(1, 1);
	fx_close();
	fx_path("data.mdb", path, sizeof path);
	ck_assert_int_eq(truncate(path, (off_t)fx_page_bytes()), 0);
	ck_assert_int_eq(try_open(), RP_ERR_FORMAT);
	write_file("data.mdb", "somebody's");
	ck_assert_int_eq(try_open(), RP_ERR_FORMAT);
	ck_assert_int_eq(stat(path, &st), 0);
	ck_assert_int_eq(st.st_size, 10);
}
END_TEST

/* Somebody else's LMDB file: with tables of other names, or with a "meta" of their own. */
START_TEST(a_database_of_somebody_else_is_refused)
{
	MDB_val k = {5, (void *)(uintptr_t) "hello"}, v = {5, (void *)(uintptr_t) "world"};
	MDB_env *env;
	MDB_txn *txn;
	MDB_dbi dbi;

	ck_assert_int_eq(mkdir(fx_dir, 0700), 0);
	ck_assert_int_eq(mdb_env_create(&env), 0);
	ck_assert_int_eq(mdb_env_set_maxdbs(env, 4), 0);
	ck_assert_int_eq(mdb_env_open(env, fx_dir, 0, 0600), 0);
	ck_assert_int_eq(mdb_txn_begin(env, NULL, 0, &txn), 0);
	ck_assert_int_eq(mdb_dbi_open(txn, _i == 0 ? "theirs" : "meta", MDB_CREATE, &dbi), 0);
	ck_assert_int_eq(mdb_put(txn, dbi, &k, &v, 0), 0);
	ck_assert_int_eq(mdb_txn_commit(txn), 0);
	mdb_env_close(env);
	ck_assert_int_eq(try_open(), RP_ERR_FORMAT);
	ck_assert_ptr_nonnull(strstr(fx.err.text, "not an outbox"));
	ck_assert(!exists("doorbell"));
}
END_TEST

START_TEST(an_outbox_of_a_newer_format_is_refused)
{
	fx_open();
	fx_put(RP_T_META, fx_text_key("format"), "runpost\0\0\0\2", 11);
	fx_close();
	ck_assert_int_eq(try_open(), RP_ERR_FORMAT);
	ck_assert_ptr_nonnull(strstr(fx.err.text, "format 2"));
}
END_TEST

START_TEST(a_path_below_a_file_is_an_error)
{
	struct rp_outbox *ob;
	char path[300];

	ck_assert_int_eq(mkdir(fx_dir, 0700), 0);
	write_file("plain", "");
	fx_path("plain/box", path, sizeof path);
	ck_assert_int_ne(rp_outbox_open(path, &fx.options, &ob, &fx.err), RP_OK);
	ck_assert_ptr_null(ob);
	ck_assert_ptr_nonnull(strstr(fx.err.text, path));
}
END_TEST

static void add_change(Suite *s)
{
	TCase *tc = tcase_create("change");

	tcase_add_checked_fixture(tc, fx_setup, fx_teardown);
	tcase_set_timeout(tc, 30);
	tcase_add_loop_test(tc, a_purge_leaves_no_row_behind, 0, 5);
	tcase_add_test(tc, an_endpoint_without_entries_takes_no_room);
	tcase_add_test(tc, one_call_looks_at_a_bounded_number_of_entries);
	suite_add_tcase(s, tc);
}

static Suite *suite(void)
{
	Suite *s = suite_create("outbox_change");
	TCase *tc = tcase_create("open");

	add_change(s);
	tcase_add_checked_fixture(tc, fx_setup_dir, fx_teardown_dir);
	tcase_add_test(tc, a_missing_outbox_is_not_found_unless_it_may_be_created);
	tcase_add_test(tc, a_new_outbox_is_readable_by_its_owner_only);
	tcase_add_test(tc, a_directory_of_somebody_else_is_left_alone);
	tcase_add_test(tc, a_file_that_is_no_database_is_refused);
	tcase_add_loop_test(tc, a_creation_that_was_cut_short_is_begun_anew, 0, N(torn));
	tcase_add_test(tc, what_held_something_is_not_begun_anew);
	tcase_add_loop_test(tc, a_database_of_somebody_else_is_refused, 0, 2);
	tcase_add_test(tc, an_outbox_of_a_newer_format_is_refused);
	tcase_add_test(tc, a_path_below_a_file_is_an_error);
	suite_add_tcase(s, tc);
	return s;
}

int main(void)
{
	SRunner *sr = srunner_create(suite());
	int failed;

	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed != 0;
}
