/* Which entries a filter shows. */

#include <stdio.h>
#include <stdlib.h>

#include "conformance/fixture.h"

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

static const struct rp_filter waiting = {.states = RP_STATE_BIT(RP_STATE_WAITING)};

static void expect(size_t n, const uint64_t *want)
{
	size_t i;

	ck_assert_uint_eq(n_seen, n);
	for (i = 0; i < n; i++)
		ck_assert_msg(seen[i] == want[i], "%zu: %lu instead of %lu", i,
			      (unsigned long)seen[i], (unsigned long)want[i]);
}

static const enum rp_state states[] = {RP_STATE_WAITING, RP_STATE_IN_FLIGHT, RP_STATE_HELD,
				       RP_STATE_DELIVERED, RP_STATE_DEAD};

START_TEST(each_state_has_its_entries_and_no_others)
{
	uint64_t in[5][3];
	int s, i;

	for (i = 0; i < 3; i++) {
		/* waiting ones last: those before are claimed on the way */
		for (s = 4; s >= 0; s--)
			in[s][i] = fx_entry_in(1, states[s]);
		fx_change(RP_CHANGE_HOLD, in[0][i]);
		fx.now_ms += 10;
	}
	for (i = 0; i < 3; i++)
		fx_change(RP_CHANGE_RELEASE, in[0][i]);
	for (s = 0; s < 5; s++) {
		select_state(states[s], 0, 1 + (size_t)_i);
		expect(3, in[s]);
	}
}
END_TEST

START_TEST(those_behind_are_waiting_too_and_held_ones_are_not)
{
	struct rp_new_entry n;
	uint64_t seq[3];
	int i;

	for (i = 0; i < 3; i++) {
		n = fx_new(1);
		n.order_by = rp_span_of("thread");
		seq[i] = fx_append_one(&n, NULL);
	}
	fx_change(RP_CHANGE_HOLD, seq[1]);
	select_state(RP_STATE_WAITING, 0, 1);
	expect(2, (uint64_t[]){seq[0], seq[2]});
	select_state(RP_STATE_HELD, 0, 1);
	expect(1, (uint64_t[]){seq[1]});
}
END_TEST

START_TEST(it_goes_on_behind_a_row_that_has_gone)
{
	struct rp_select b = {.filter = &waiting, .max_seen = 2, .see = see};
	uint64_t seq = fx_append(1, 5);

	ck_assert_int_eq(rp_outbox_select(fx.ob, &b, &fx.err), RP_OK);
	ck_assert(b.more);
	fx_change(RP_CHANGE_PURGE, seq + 1); /* the one it stopped at */
	fx_change(RP_CHANGE_PURGE, seq + 2);
	ck_assert_int_eq(rp_outbox_select(fx.ob, &b, &fx.err), RP_OK);
	expect(4, (uint64_t[]){seq, seq + 1, seq + 3, seq + 4});
	rp_outbox_select_end(fx.ob, &b);
}
END_TEST

START_TEST(see_may_stop_it)
{
	struct rp_select b = {.filter = &waiting, .max_seen = 500, .see = see};

	fx_append(1, 5);
	stop_after = 2;
	ck_assert_int_eq(rp_outbox_select(fx.ob, &b, &fx.err), RP_OK);
	ck_assert(!b.more);
	ck_assert_uint_eq(n_seen, 2);
	rp_outbox_select_end(fx.ob, &b);
}
END_TEST

START_TEST(a_portion_is_bounded_and_nothing_falls_between_two)
{
	struct rp_select b = {.filter = &waiting, .max_seen = 7};
	size_t i;

	fx_append(1, 1000);
	fx_append(2, 1000);
	ck_assert_uint_ge(select_all(&b), 2000 / 7);
	ck_assert_uint_eq(n_seen, 2000);
	for (i = 1; i < n_seen; i++)
		ck_assert_uint_eq(seen[i], seen[i - 1] + 1);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("select");
	TCase *t = tcase_create("all");

	tcase_add_checked_fixture(t, set_up, fx_teardown);
	tcase_add_loop_test(t, each_state_has_its_entries_and_no_others, 0, 4);
	tcase_add_test(t, those_behind_are_waiting_too_and_held_ones_are_not);
	tcase_add_test(t, it_goes_on_behind_a_row_that_has_gone);
	tcase_add_test(t, see_may_stop_it);
	tcase_add_test(t, a_portion_is_bounded_and_nothing_falls_between_two);
	suite_add_tcase(s, t);
	return s;
}

int main(void)
{
	return fx_main(suite);
}
