/* Threads with a handle each on an outbox each, at once: what one stores must hold nothing of what
 * another does. */
#include <check.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "unit/outbox_fixture.h"

#define THREADS 3
#define ROUNDS 60
#define BATCH 40
#define URL_BYTES 4000 /* long ones take long to copy */

struct worker {
	char dir[300], url[URL_BYTES + 1], mark;
	struct rp_outbox *ob;
	struct rp_error err;
	uint64_t entries;
	const char *wrong; /* what went wrong first */
};

static bool open_own(struct worker *w)
{
	const struct rp_outbox_options options = {.create = true, .map_bytes = UINT64_C(1) << 30};

	if (rp_outbox_open(w->dir, &options, &w->ob, &w->err) != RP_OK)
		return false;
	return mdb_env_set_flags(rp_lmdb_of(w->ob)->db.env, MDB_NOSYNC, 1) == 0;
}

static bool append_some(struct worker *w, int round)
{
	struct rp_new_entry entries[BATCH];
	struct rp_appended out[BATCH];
	char keys[BATCH][40];
	int i;

	for (i = 0; i < BATCH; i++) {
		snprintf(keys[i], sizeof keys[i], "%c-%d-%d", w->mark, round, i);
		entries[i] = (struct rp_new_entry){.endpoint = rp_span_of("https://a.example/"),
						   .url = rp_span_of(w->url),
						   .dedupe_key = rp_span_of(keys[i]),
						   .payload = rp_span_of("{}")};
	}
	return rp_outbox_append(w->ob, FX_NOW_MS, entries, BATCH, out, &w->err) == RP_OK;
}

static bool import_some(struct worker *w, int round)
{
	struct rp_import_result results[BATCH];
	struct rp_import in[BATCH];
	char keys[BATCH][40];
	int i;

	for (i = 0; i < BATCH; i++) {
		unsigned char rest[10] = {(unsigned char)w->mark, (unsigned char)round,
					  (unsigned char)i};

		snprintf(keys[i], sizeof keys[i], "import-%c-%d-%d", w->mark, round, i);
		in[i] = (struct rp_import){
		    .facts = {.accepted_at_ms = FX_NOW_MS,
			      .url = rp_span_of(w->url),
			      .dedupe_key = rp_span_of(keys[i])},
		    .delivery = {.state = RP_STATE_WAITING,
				 .state_at_ms = FX_NOW_MS,
				 .due_at_ms = FX_NOW_MS},
		    .endpoint = rp_span_of("https://a.example/"),
		    .payload = rp_span_of("{}"),
		};
		rp_id_make((uint64_t)(round * BATCH + i + 1), rest, in[i].facts.id);
	}
	return rp_outbox_import(w->ob, FX_NOW_MS, in, BATCH, false, 0, results, &w->err) == RP_OK;
}

static bool is_own(void *arg, const struct rp_entry *e)
{
	struct worker *w = arg;

	w->entries++;
	if (e->damaged || e->facts.url.len != URL_BYTES ||
	    memcmp(e->facts.url.ptr, w->url, URL_BYTES) != 0)
		w->wrong = "a record that is damaged, or another's";
	return w->wrong == NULL;
}

static void *work(void *arg)
{
	struct worker *w = arg;
	int round;

	for (round = 0; round < ROUNDS && w->wrong == NULL; round++)
		if (!append_some(w, round) || !import_some(w, round))
			w->wrong = w->err.text;
	return NULL;
}

static void check_all(struct worker *w)
{
	const struct rp_filter every = {0};
	struct rp_select s = {.filter = &every, .see = is_own, .arg = w};

	do
		ck_assert_int_eq(rp_outbox_select(w->ob, &s, &w->err), RP_OK);
	while (s.more && w->wrong == NULL);
	rp_outbox_select_end(w->ob, &s);
	ck_assert_msg(w->wrong == NULL, "%c: entry %lu: %s", w->mark, (unsigned long)w->entries,
		      w->wrong);
	ck_assert_uint_eq(w->entries, (uint64_t)2 * ROUNDS * BATCH);
}

START_TEST(each_thread_finds_its_own_records)
{
	static struct worker workers[THREADS];
	pthread_t threads[THREADS];
	int i;

	for (i = 0; i < THREADS; i++) {
		struct worker *w = &workers[i];

		w->mark = (char)('a' + i);
		snprintf(w->dir, sizeof w->dir, "%s-%c", fx_dir, w->mark);
		memset(w->url, w->mark, URL_BYTES);
		memcpy(w->url, "https://a.example/?", 19);
		ck_assert_msg(open_own(w), "%s", w->err.text);
	}
	for (i = 0; i < THREADS; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, work, &workers[i]), 0);
	for (i = 0; i < THREADS; i++)
		ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
	for (i = 0; i < THREADS; i++) {
		check_all(&workers[i]);
		rp_outbox_close(workers[i].ob);
	}
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("outbox_threads");
	TCase *tc = tcase_create("threads");

	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, fx_setup_dir, fx_teardown_dir);
	tcase_add_test(tc, each_thread_finds_its_own_records);
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
