/* Verification: silent about a sound outbox in every state, and never silent about a broken one. */
#include "unit/outbox_fixture.h"

#include <check.h>
#include <stdlib.h>

#include "store/lmdb/index.h"

#define N(table) ((int)(sizeof(table) / sizeof((table)[0])))

static uint64_t waiting, in_flight, held, delivered, dead;

/* One entry in each state; the claimed one keeps its claim. The waiting one comes last, it would
 * be claimed otherwise.
 */
static void make_one_of_each(void)
{
	struct rp_claim c;

	delivered = fx_entry_in(1, RP_STATE_DELIVERED);
	dead = fx_entry_in(1, RP_STATE_DEAD);
	held = fx_entry_in(1, RP_STATE_HELD);
	in_flight = fx_append(1, 1);
	c = fx_claim();
	ck_assert_uint_eq(c.seq, in_flight);
	waiting = fx_append(1, 1);
}

static void fail_on_problem(void *arg, const char *text)
{
	(void)arg;
	ck_abort_msg("%s", text);
}

static void setup(void)
{
	fx_setup();
	make_one_of_each();
	fx_verify_sound();
}

START_TEST(a_sound_outbox_has_no_problems)
{
	struct rp_claim c;

	ck_assert_uint_eq(fx_problems(), 0);
	fx_pause(1, true);
	ck_assert_uint_eq(fx_problems(), 0);
	fx_pause(1, false);
	fx.limit = 1;
	fx_append(2, 2);
	fx_exchange(5, NULL, 0);
	c = fx.claims[0];
	ck_assert_uint_eq(fx_problems(), 0);
	fx_settle(&c, RP_SETTLE_RETRY);
	ck_assert_uint_eq(fx_problems(), 0);
	fx_change(RP_CHANGE_PURGE, dead);
	ck_assert_uint_eq(fx_problems(), 0);
	ck_assert_int_eq(rp_outbox_leave(fx.ob, fx.now_ms, &fx.err), RP_OK);
	ck_assert_uint_eq(fx_problems(), 0);
}
END_TEST

START_TEST(an_empty_outbox_is_sound)
{
	fx_setup();
	ck_assert_uint_eq(fx_problems(), 0);
	fx_teardown();
}
END_TEST

/* --- flipped bits
 * ------------------------------------------------------------------------------------------ */

START_TEST(a_flipped_bit_in_any_byte_of_a_record_is_a_problem)
{
	static const enum rp_table tables[] = {RP_T_ENTRY, RP_T_BODY, RP_T_DELIVERY, RP_T_ATTEMPT,
					       RP_T_ENDPOINT};
	enum rp_table table = tables[_i];
	struct rp_key key = table == RP_T_BODY       ? rp_key2(delivered, 0)
			    : table == RP_T_ATTEMPT  ? rp_key2(delivered, 1)
			    : table == RP_T_ENDPOINT ? rp_key1(fx_endpoint(1))
						     : rp_key1(delivered);
	int at;

	for (at = -30; at < 30; at++) {
		fx_flip(table, key, at);
		ck_assert_msg(fx_problems() > 0, "byte %d", at);
		fx_flip(table, key, at);
		ck_assert_uint_eq(fx_problems(), 0);
	}
}
END_TEST

/* --- rows missing, rows too many
 * ---------------------------------------------------------------------------------------- */

static int64_t state_at(uint64_t seq)
{
	return fx_delivery(seq).state_at_ms;
}

static struct rp_key queue_key(void)
{
	struct rp_delivery d = fx_delivery(waiting);

	return rp_key3(d.endpoint, (uint64_t)d.due_at_ms, waiting);
}

static struct rp_key ready_key(void)
{
	struct rp_endpoint e = fx_endpoint_record(1);

	ck_assert_int_ne(e.ready_at_ms, RP_NEVER);
	return rp_key3(rp_level_host(fx_endpoint(1)), (uint64_t)e.ready_at_ms, fx_endpoint(1));
}

static void lose_queue(void)
{
	fx_del(RP_T_QUEUE, queue_key());
}

static void lose_ready_queue(void)
{
	fx_del(RP_T_READY, ready_key());
}

static void lose_claim(void)
{
	fx_del(RP_T_CLAIM, rp_key2(fx.me.slot, in_flight));
}

static void lose_dead(void)
{
	fx_del(RP_T_DEAD, rp_key2((uint64_t)state_at(dead), dead));
}

static void lose_done(void)
{
	fx_del(RP_T_DONE, rp_key2((uint64_t)state_at(delivered), delivered));
}

static void lose_held(void)
{
	fx_del(RP_T_HELD, rp_key2((uint64_t)state_at(held), held));
}

static void add_held(void)
{
	fx_put(RP_T_HELD, rp_key2(5, dead), "", 0);
}

/* Under keys of text; fx_put and fx_del take any bytes. */
static struct rp_key run_key(uint64_t seq)
{
	struct rp_key key = {{0}, 12};
	struct rp_writer w = rp_writer_of(key.bytes, sizeof key.bytes);

	rp_put_bytes(&w, "run", 4);
	rp_put_u64(&w, seq);
	return key;
}

static void lose_run(void)
{
	fx_del(RP_T_RUN, run_key(held));
}

static void add_run(void)
{
	fx_put(RP_T_RUN, run_key(4711), "", 0);
}

static void lose_entry(void)
{
	fx_del(RP_T_ENTRY, rp_key1(held));
}

static void lose_delivery(void)
{
	fx_del(RP_T_DELIVERY, rp_key1(held));
}

static void lose_body(void)
{
	fx_del(RP_T_BODY, rp_key2(held, 0));
}

static void lose_endpoint(void)
{
	fx_del(RP_T_ENDPOINT, rp_key1(fx_endpoint(1)));
}

static void lose_name(void)
{
	fx_del(RP_T_ENDPOINT_NAME, rp_key1(fx_endpoint(1)));
}

static void lose_sender(void)
{
	fx_del(RP_T_SENDER, rp_key1(fx.me.slot));
}

static void add_queue(void)
{
	fx_put(RP_T_QUEUE, rp_key3(fx_endpoint(1), 5, held), "", 0);
}

static void add_ready_queue(void)
{
	fx_put(RP_T_READY, rp_key3(rp_level_host(fx_endpoint(1)), 5, fx_endpoint(1)), "", 0);
}

static void add_claim(void)
{
	fx_put(RP_T_CLAIM, rp_key2(9, held), "\0\0\0\1", 4);
}

static void add_dead(void)
{
	fx_put(RP_T_DEAD, rp_key2(5, held), "", 0);
}

static void mislead_dead(void)
{
	fx_put(RP_T_DEAD, rp_key2((uint64_t)state_at(dead), dead), "another why!", RP_WHY_BYTES);
}

static void add_done(void)
{
	fx_put(RP_T_DONE, rp_key2(5, held), "", 0);
}

static void add_body(void)
{
	fx_put(RP_T_BODY, rp_key2(waiting + 1, 0), "x", 1);
}

static void add_attempt(void)
{
	unsigned char buf[RP_ATTEMPT_BYTES_MAX];
	struct rp_attempt a = {.pid = 1};

	fx_put(RP_T_ATTEMPT, rp_key2(waiting + 1, 1), buf,
	       rp_attempt_pack(&a, waiting + 1, buf, sizeof buf));
}

static void add_seen(void)
{
	fx_put(RP_T_SEEN, fx_text_key("nobody's"), "0123456789abcdef", RP_ID_BYTES);
}

/* Every dedupe key leads to the same entry. */
static void mislead_seen(void)
{
	MDB_val k, v, first = {0};
	unsigned char id[RP_ID_BYTES];
	MDB_cursor *c;
	MDB_txn *txn;

	ck_assert_int_eq(mdb_txn_begin(fx_db()->db.env, NULL, 0, &txn), 0);
	ck_assert_int_eq(mdb_cursor_open(txn, fx_db()->db.table[RP_T_SEEN], &c), 0);
	ck_assert_int_eq(mdb_cursor_get(c, &k, &first, MDB_FIRST), 0);
	memcpy(id, first.mv_data, sizeof id);
	ck_assert_int_eq(mdb_cursor_get(c, &k, &v, MDB_NEXT), 0);
	v = (MDB_val){sizeof id, id};
	ck_assert_int_eq(mdb_cursor_put(c, &k, &v, MDB_CURRENT), 0);
	mdb_cursor_close(c);
	ck_assert_int_eq(mdb_txn_commit(txn), 0);
}

static void mislead_name(void)
{
	fx_put(RP_T_ENDPOINT_NAME, rp_key1(fx_endpoint(1)), "https://elsewhere.example/", 26);
}

static void one_more_accepted(struct rp_head *head)
{
	head->accepted++;
}

static void one_more_purged(struct rp_head *head)
{
	head->accepted++;
	head->count[RP_STATE_DEAD]++;
}

static void miscount_accepted(void)
{
	fx_edit_head(one_more_accepted);
}

static void miscount_dead(void)
{
	fx_edit_head(one_more_purged);
}

static void one_more_retrying(struct rp_head *head)
{
	head->retrying++;
}

static void miscount_retrying(void)
{
	fx_edit_head(one_more_retrying);
}

static void later_times(struct rp_head *head)
{
	head->times.all[0].low_at_ms = head->times.all[0].high_at_ms + 1;
}

static void misplace_times(void)
{
	fx_edit_head(later_times);
}

static void damage_tally(void)
{
	fx_flip(RP_T_META, fx_text_key("tally"), 40);
}

static void damage_series(void)
{
	fx_flip(RP_T_META, fx_text_key("series:other"), 40);
}

static void miscount_endpoint(void)
{
	struct rp_endpoint e = fx_endpoint_record(1);
	unsigned char buf[RP_ENDPOINT_BYTES];

	e.count[RP_STATE_IN_FLIGHT]++;
	fx_put(RP_T_ENDPOINT, rp_key1(fx_endpoint(1)), buf,
	       rp_endpoint_pack(&e, fx_endpoint(1), buf, sizeof buf));
}

/* Record and ready queue agree, and are wrong together: the endpoint has work that nobody would
 * ever look at. */
static void forget_work(void)
{
	struct rp_endpoint e = fx_endpoint_record(1);
	unsigned char buf[RP_ENDPOINT_BYTES];
	uint64_t id = fx_endpoint(1);

	fx_del(RP_T_READY, ready_key());
	e.ready_at_ms = RP_NEVER;
	fx_put(RP_T_ENDPOINT, rp_key1(id), buf, rp_endpoint_pack(&e, id, buf, sizeof buf));
}

static const struct {
	const char *what;
	void (*harm)(void);
	bool only_full; /* takes a recount */
} harms[] = {
    {"a missing queue row", lose_queue, false},
    {"a missing agenda row", lose_ready_queue, false},
    {"a missing claim row", lose_claim, false},
    {"a missing dead row", lose_dead, false},
    {"a missing held row", lose_held, false},
    {"a missing run row", lose_run, false},
    {"a missing done row", lose_done, false},
    {"a missing entry record", lose_entry, false},
    {"a missing delivery record", lose_delivery, false},
    {"a missing payload chunk", lose_body, false},
    {"a missing endpoint record", lose_endpoint, false},
    {"a missing endpoint name", lose_name, false},
    {"a missing registration of a sender with claims", lose_sender, false},
    {"a queue row too many", add_queue, false},
    {"an agenda row too many", add_ready_queue, false},
    {"a claim row too many", add_claim, false},
    {"a dead row too many", add_dead, false},
    {"a held row too many", add_held, false},
    {"a run row too many", add_run, false},
    {"a done row too many", add_done, false},
    {"a dead row that tells another cause", mislead_dead, false},
    {"a payload chunk without entry", add_body, false},
    {"an attempt without entry", add_attempt, false},
    {"a dedupe key without entry", add_seen, false},
    {"a dedupe key that leads elsewhere", mislead_seen, false},
    {"an endpoint name that leads elsewhere", mislead_name, false},
    {"an accepted counter too large", miscount_accepted, false},
    {"a counter of a state too large", miscount_dead, false},
    {"an endpoint counter too large", miscount_endpoint, false},
    {"a counter of those retrying too large", miscount_retrying, true},
    {"times that leave entries out", misplace_times, false},
    {"a damaged record of counters", damage_tally, false},
    {"a damaged record of an endpoint's attempts", damage_series, false},
    {"work that nobody looks at", forget_work, false},
};

START_TEST(every_kind_of_harm_is_a_problem)
{
	harms[_i].harm();
	ck_assert_msg(fx_full_problems() > 0, "%s goes unnoticed", harms[_i].what);
	ck_assert_msg((fx_slice_problems(1000) > 0) == !harms[_i].only_full, "%s in slices",
		      harms[_i].what);
	ck_assert_msg((fx_slice_problems(1) > 0) == !harms[_i].only_full, "%s in slices of one row",
		      harms[_i].what);
}
END_TEST

/* Everything changes between slices: what the cursor points at goes, and comes back elsewhere. */
START_TEST(changes_between_slices_are_no_problem)
{
	struct rp_verify v = {.max_rows = 2, .problem = fail_on_problem};
	struct rp_claim c;
	unsigned n = 0;

	fx_append(1, 20);
	while (!v.done) {
		ck_assert_int_eq(rp_outbox_verify(fx.ob, &v, &fx.err), RP_OK);
		fx.now_ms += 1000;
		fx_exchange(1, NULL, 0);
		if (fx.n_claims > 0) {
			c = fx.claims[0];
			fx_settle(&c, n % 3 == 0   ? RP_SETTLE_RETRY
				      : n % 3 == 1 ? RP_SETTLE_DEAD
						   : RP_SETTLE_DELIVERED);
		}
		if (++n < 40)
			fx_append(n % 4, 1);
		if (n == 10)
			fx_change(RP_CHANGE_PURGE, dead);
		if (n == 15)
			fx_change(RP_CHANGE_RELEASE, held);
	}
	ck_assert_uint_eq(v.counts.problems, 0);
	ck_assert_uint_gt(v.counts.entries, 20);
}
END_TEST

static bool count_calls(void *arg, const struct rp_verify_counts *so_far)
{
	uint64_t *last = arg;

	ck_assert_uint_ge(so_far->steps, *last);
	ck_assert_uint_le(so_far->steps, so_far->steps_all);
	*last = so_far->steps;
	return so_far->entries < 500;
}

START_TEST(the_check_in_one_snapshot_tells_how_far_it_is_and_stops)
{
	uint64_t last = 0;
	struct rp_verify v = {.problem = fail_on_problem, .go_on = count_calls, .arg = &last};

	fx_append(1, 900);
	ck_assert_int_eq(rp_outbox_verify(fx.ob, &v, &fx.err), RP_ERR_STALE);
	ck_assert_uint_ge(v.counts.entries, 500);
	ck_assert_uint_lt(v.counts.entries, 900);
	ck_assert_uint_gt(last, 500);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("outbox_verify");
	TCase *tc = tcase_create("sound");

	tcase_add_checked_fixture(tc, setup, fx_teardown);
	tcase_add_test(tc, a_sound_outbox_has_no_problems);
	tcase_add_test(tc, changes_between_slices_are_no_problem);
	tcase_add_test(tc, the_check_in_one_snapshot_tells_how_far_it_is_and_stops);
	suite_add_tcase(s, tc);
	tc = tcase_create("empty");
	tcase_add_test(tc, an_empty_outbox_is_sound);
	suite_add_tcase(s, tc);
	tc = tcase_create("broken");
	tcase_add_checked_fixture(tc, setup, fx_teardown_damaged);
	tcase_add_loop_test(tc, a_flipped_bit_in_any_byte_of_a_record_is_a_problem, 0, 5);
	tcase_add_loop_test(tc, every_kind_of_harm_is_a_problem, 0, N(harms));
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
