/* Entries by an index: by state, by run; in which order, in which portions, and while they move. */
#include "unit/outbox_fixture.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#define SEEN_MAX 4096

static uint64_t seen[SEEN_MAX];
static size_t n_seen, stop_after;

static bool see(void *arg, const struct rp_entry *e)
{
	(void)arg;
	ck_assert_uint_lt(n_seen, SEEN_MAX);
	seen[n_seen++] = e->seq;
	return n_seen != stop_after;
}

static void set_up(void)
{
	n_seen = stop_after = 0;
	fx_setup();
}

static size_t select_all(struct rp_select *s)
{
	size_t calls = 0;

	n_seen = 0;
	s->see = see;
	s->now_at_ms = fx.now_ms;
	do {
		ck_assert_int_eq(rp_outbox_select(fx.ob, s, &fx.err), RP_OK);
		calls++;
	} while (s->more);
	rp_outbox_select_end(fx.ob, s);
	return calls;
}

static void select_state(enum rp_state state, uint64_t endpoint, size_t portion)
{
	const struct rp_filter f = {.states = RP_STATE_BIT(state),
				    .has_endpoints = endpoint != 0,
				    .endpoints = &endpoint,
				    .n_endpoints = 1};

	select_all(&(struct rp_select){.filter = &f, .max_seen = portion});
}

static void select_run(const char *run_id)
{
	const struct rp_filter f = {.run_id = rp_span_of(run_id)};

	select_all(&(struct rp_select){.filter = &f, .max_seen = 1});
}

static const struct rp_filter every = {0};
static const struct rp_filter waiting = {.states = RP_STATE_BIT(RP_STATE_WAITING)};

static void expect(size_t n, const uint64_t *want)
{
	size_t i;

	ck_assert_uint_eq(n_seen, n);
	for (i = 0; i < n; i++)
		ck_assert_msg(seen[i] == want[i], "%zu: %lu instead of %lu", i,
			      (unsigned long)seen[i], (unsigned long)want[i]);
}

START_TEST(waiting_ones_come_endpoint_by_endpoint_the_next_due_first)
{
	struct rp_new_entry n = fx_new(1);
	uint64_t late, soon, other;

	n.not_before_at_ms = fx.now_ms + 5000;
	late = fx_append_one(&n, NULL);
	other = fx_append(2, 1);
	soon = fx_append(1, 1);
	select_state(RP_STATE_WAITING, 0, 1);
	expect(3, (uint64_t[]){soon, late, other});
	select_state(RP_STATE_WAITING, fx_endpoint(2), 1);
	expect(1, (uint64_t[]){other});
	select_state(RP_STATE_WAITING, fx_endpoint(1), 500);
	expect(2, (uint64_t[]){soon, late});
}
END_TEST

START_TEST(the_dead_longest_dead_come_first)
{
	uint64_t first = fx_append(1, 2), second = first + 1;
	struct rp_claim a = fx_claim(), b = fx_claim();

	ck_assert_uint_eq(a.seq, first);
	fx_settle(&b, RP_SETTLE_DEAD);
	fx.now_ms += 5;
	fx_settle(&a, RP_SETTLE_DEAD);
	select_state(RP_STATE_DEAD, 0, 500);
	expect(2, (uint64_t[]){second, first});
}
END_TEST

/* A run has entries with the dedupe key that is made of it, and some that brought their own. */
START_TEST(a_run_has_its_entries_whatever_their_dedupe_keys)
{
	static const char *const keys[] = {"ikey-1", "rrun-1|0123456789abcdef", "ikey-2",
					   "rrun-10|123456789abcdef0", "rrun-1"};
	static const char *const runs[] = {"run-1", "run-1", "run-2", "run-10", "run-1"};
	struct rp_new_entry n;
	uint64_t seq[5];
	char key[64];
	int i;

	for (i = 0; i < 5; i++) {
		n = fx_new(1);
		snprintf(key, sizeof key, "%s", keys[i]);
		n.dedupe_key = rp_span_of(key);
		if (strchr(key, '|') != NULL)
			*strchr(key, '|') = '\0'; /* as make_dedupe_key of run/run.c does */
		n.run_id = rp_span_of(runs[i]);
		seq[i] = fx_append_one(&n, NULL);
	}
	select_run("run-1");
	expect(3, (uint64_t[]){seq[1], seq[0], seq[4]});
	select_run("run-10");
	expect(1, (uint64_t[]){seq[3]});
	select_run("run-3");
	expect(0, NULL);
	select_run("run");
	expect(0, NULL);
	fx_change(RP_CHANGE_PURGE, seq[0]);
	fx_change(RP_CHANGE_PURGE, seq[1]);
	select_run("run-1");
	expect(1, (uint64_t[]){seq[4]});
}
END_TEST

/* A damaged record is in no state that is known; a row that lies shows nothing. */
START_TEST(damage_is_shown_and_stray_rows_are_passed_over)
{
	uint64_t dead = fx_entry_in(1, RP_STATE_DEAD), held = fx_entry_in(1, RP_STATE_HELD);

	fx_flip(RP_T_DELIVERY, rp_key1(dead), 20);
	fx_put(RP_T_DEAD, rp_key2(5, held), "", 0);
	fx_put(RP_T_DEAD, rp_key2(6, 999), "", 0);
	select_state(RP_STATE_DEAD, 0, 500);
	expect(0, NULL);
	select_all(&(struct rp_select){.filter = &every});
	expect(2, (uint64_t[]){dead, held});
}
END_TEST

/* The facts know the endpoint, too. */
START_TEST(a_damaged_record_is_found_by_its_endpoint)
{
	uint64_t dead = fx_entry_in(1, RP_STATE_DEAD), endpoint = fx_endpoint(1),
		 other = (fx_append(2, 1), fx_endpoint(2));
	struct rp_filter f = {.has_cause = true,
			      .cause = RP_CAUSE_DAMAGED,
			      .has_endpoints = true,
			      .endpoints = &endpoint,
			      .n_endpoints = 1};

	fx_flip(RP_T_DELIVERY, rp_key1(dead), 20);
	select_all(&(struct rp_select){.filter = &f});
	expect(1, (uint64_t[]){dead});
	f.endpoints = &other;
	select_all(&(struct rp_select){.filter = &f});
	expect(0, NULL);
}
END_TEST

/* Its row says that it is in front; only without its facts nobody knows its id. */
START_TEST(a_damaged_front_is_named)
{
	struct rp_new_entry n = fx_new(1);
	struct rp_entry front = {0};
	struct rp_delivery d;
	uint64_t first;

	n.order_by = rp_span_of("thread");
	first = fx_append_one(&n, NULL);
	n = fx_new(1);
	n.order_by = rp_span_of("thread");
	d = fx_delivery(fx_append_one(&n, NULL));
	ck_assert(d.behind);
	fx_flip(RP_T_DELIVERY, rp_key1(first), 20);
	ck_assert_int_eq(rp_outbox_front(fx.ob, &d, &front, &fx.err), RP_OK);
	ck_assert_uint_eq(front.seq, first);
	fx_flip(RP_T_ENTRY, rp_key1(first), 30);
	ck_assert_int_eq(rp_outbox_front(fx.ob, &d, &front, &fx.err), RP_ERR_NOTFOUND);
	rp_entry_release(&front);
}
END_TEST

/* The rest of what is known does not go with it. */
START_TEST(a_damaged_index_hides_only_the_oldest)
{
	struct rp_outbox_info info;

	fx_append(1, 3);
	fx_put(RP_T_DONE, rp_key1(1), "", 0);
	ck_assert_int_eq(rp_outbox_info(fx.ob, &info, &fx.err), RP_OK);
	ck_assert_int_ne(info.oldest_trouble.code, RP_OK);
	ck_assert_int_eq(info.next_due_at_ms, fx.now_ms);
	ck_assert_uint_gt(info.quota_bytes, 0);
}
END_TEST

/* By the rows of all, since to go to each would cost more. */
START_TEST(the_entries_of_many_endpoints_are_seen_once)
{
	uint64_t endpoints[600];
	const struct rp_filter f = {.states = RP_STATE_BIT(RP_STATE_WAITING),
				    .has_endpoints = true,
				    .endpoints = endpoints,
				    .n_endpoints = 600};
	struct rp_new_entry n;
	char name[32];
	size_t i;

	fx_append(1000, 1); /* not wanted */
	for (i = 0; i < 600; i++) {
		snprintf(name, sizeof name, "https://m%zu.example/", i);
		n = fx_new(1);
		n.endpoint = rp_span_of(name);
		fx_append_one(&n, NULL);
		endpoints[i] = rp_level_id(i + 2, RP_MEMBER_PATHS);
	}
	select_all(&(struct rp_select){.filter = &f});
	ck_assert_uint_eq(n_seen, 600);
}
END_TEST

START_TEST(a_cursor_goes_on_in_a_plan_that_was_made_when_nothing_was_left)
{
	struct rp_select a = {.filter = &waiting, .max_seen = 1, .see = see}, b = a;
	uint64_t seq = fx_append(1, 2);

	ck_assert_int_eq(rp_outbox_select(fx.ob, &a, &fx.err), RP_OK);
	ck_assert(a.more && a.may_repeat);
	rp_outbox_select_end(fx.ob, &a);
	fx_change(RP_CHANGE_HOLD, seq);
	fx_change(RP_CHANGE_HOLD, seq + 1);
	b.cursor = a.cursor;
	ck_assert_int_eq(rp_outbox_select(fx.ob, &b, &fx.err), RP_OK);
	ck_assert(!b.more);
	rp_outbox_select_end(fx.ob, &b);
	expect(1, (uint64_t[]){seq});
}
END_TEST

/* Bytes of a cursor may come over the net: none reads or writes where it must not. */
START_TEST(forged_cursors_are_refused_or_harmless)
{
	struct rp_select s = {.filter = &waiting, .see = see}, forged;
	uint64_t x = 88172645463325252u + (uint64_t)_i;
	size_t at;
	int i;

	fx_append(1, 5);
	ck_assert_int_eq(rp_outbox_select(fx.ob, &s, &fx.err), RP_OK);
	rp_outbox_select_end(fx.ob, &s);
	for (i = 0; i < 2000; i++) {
		n_seen = 0;
		forged = (struct rp_select){.filter = i % 2 ? &waiting : &every, .see = see};
		forged.cursor = s.cursor;
		at = fx_random(&x) % 16;
		forged.cursor.bytes[at] = (unsigned char)(fx_random(&x) % 8);
		if (i % 3 == 0)
			forged.cursor.len = fx_random(&x) % 64;
		if (rp_outbox_select(fx.ob, &forged, &fx.err) != RP_OK)
			ck_assert_int_eq(fx.err.code, RP_ERR_INVAL);
		rp_outbox_select_end(fx.ob, &forged);
	}
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("outbox_select");
	TCase *t = tcase_create("sound"), *broken = tcase_create("damaged");

	tcase_add_checked_fixture(t, set_up, fx_teardown);
	tcase_add_test(t, waiting_ones_come_endpoint_by_endpoint_the_next_due_first);
	tcase_add_test(t, the_dead_longest_dead_come_first);
	tcase_add_test(t, a_run_has_its_entries_whatever_their_dedupe_keys);
	tcase_add_test(t, the_entries_of_many_endpoints_are_seen_once);
	tcase_add_test(t, a_cursor_goes_on_in_a_plan_that_was_made_when_nothing_was_left);
	tcase_add_loop_test(t, forged_cursors_are_refused_or_harmless, 0, 3);
	suite_add_tcase(s, t);
	tcase_add_checked_fixture(broken, set_up, fx_teardown_damaged);
	tcase_add_test(broken, damage_is_shown_and_stray_rows_are_passed_over);
	tcase_add_test(broken, a_damaged_record_is_found_by_its_endpoint);
	tcase_add_test(broken, a_damaged_front_is_named);
	tcase_add_test(broken, a_damaged_index_hides_only_the_oldest);
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
