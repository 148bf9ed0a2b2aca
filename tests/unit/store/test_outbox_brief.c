/* Counting by index rows: every waiting and dead entry once, with what its row tells. */
#include "unit/outbox_fixture.h"

#include <check.h>

struct seen {
	size_t n;
	struct rp_brief rows[64];
};

static void see(void *arg, const struct rp_brief *row)
{
	struct seen *s = arg;

	ck_assert_uint_lt(s->n, 64);
	s->rows[s->n++] = *row;
}

static bool see_entry(void *arg, const struct rp_entry *e)
{
	(void)arg;
	(void)e;
	return true;
}

static struct seen scan_all(enum rp_state state)
{
	struct seen s = {0};
	const struct rp_filter f = {.states = RP_STATE_BIT(state)};
	struct rp_select select = {.filter = &f, .see_brief = see, .arg = &s};

	do {
		ck_assert_int_eq(rp_outbox_select(fx.ob, &select, &fx.err), RP_OK);
	} while (select.more);
	rp_outbox_select_end(fx.ob, &select);
	return s;
}

static const struct rp_brief *row_of(const struct seen *s, uint64_t seq)
{
	size_t i;

	for (i = 0; i < s->n; i++)
		if (s->rows[i].seq == seq)
			return &s->rows[i];
	return NULL;
}

START_TEST(an_empty_outbox_has_no_rows)
{
	ck_assert_uint_eq(scan_all(RP_STATE_WAITING).n + scan_all(RP_STATE_DEAD).n, 0);
}
END_TEST

START_TEST(a_dead_row_tells_what_the_delivery_record_says)
{
	uint64_t dead = fx_entry_in(3, RP_STATE_DEAD);
	struct rp_delivery d = fx_delivery(dead);
	struct seen s;
	const struct rp_brief *r;

	fx_entry_in(3, RP_STATE_DELIVERED);
	fx_entry_in(3, RP_STATE_HELD);
	fx_append(4, 2);
	s = scan_all(RP_STATE_DEAD);
	ck_assert_uint_eq(s.n, 1);
	r = row_of(&s, dead);
	ck_assert(r != NULL && r->endpoint == fx_endpoint(3) && r->at_ms == d.state_at_ms);
	ck_assert_int_eq(r->cause, d.cause);
	ck_assert_int_eq(r->last_cause, d.last_cause);
	ck_assert_uint_eq(r->http_status, d.http_status);
	ck_assert_int_ne(d.cause, RP_CAUSE_NONE);
}
END_TEST

START_TEST(a_dead_letter_that_is_replayed_is_no_longer_among_the_dead)
{
	uint64_t dead = fx_entry_in(1, RP_STATE_DEAD);

	fx_change(RP_CHANGE_REPLAY, dead);
	ck_assert_uint_eq(scan_all(RP_STATE_DEAD).n, 0);
	ck_assert(row_of(&(struct seen){0}, dead) == NULL);
	ck_assert_uint_eq(scan_all(RP_STATE_WAITING).n, 1);
}
END_TEST

START_TEST(waiting_entries_behind_another_are_seen_too_and_held_ones_are_not)
{
	struct rp_new_entry n = fx_new(1);
	uint64_t front, behind, held, plain;
	struct seen s;

	n.order_by = rp_span_of("thread-1");
	front = fx_append_one(&n, NULL);
	n.dedupe_key = rp_span_of("second");
	behind = fx_append_one(&n, NULL);
	n.dedupe_key = rp_span_of("third");
	held = fx_append_one(&n, NULL);
	fx_change(RP_CHANGE_HOLD, held);
	plain = fx_append(2, 1);
	s = scan_all(RP_STATE_WAITING);
	ck_assert_uint_eq(s.n, 3);
	ck_assert(row_of(&s, front) != NULL && row_of(&s, plain) != NULL);
	ck_assert(row_of(&s, behind) != NULL && row_of(&s, behind)->at_ms == 0);
	ck_assert_uint_eq(row_of(&s, behind)->endpoint, fx_endpoint(1));
}
END_TEST

/* What is behind the first rows, in another plan, when the row it stopped at has gone. */
START_TEST(it_goes_on_behind_the_row_it_stopped_at_even_if_that_is_gone)
{
	const struct rp_filter f = {.states = RP_STATE_BIT(RP_STATE_WAITING)};
	uint64_t first = fx_append(1, 5);
	struct seen s = {0};
	struct rp_select one = {.filter = &f, .max_seen = 2, .see = see_entry},
			 rest = {.filter = &f, .see_brief = see, .arg = &s};

	ck_assert_int_eq(rp_outbox_select(fx.ob, &one, &fx.err), RP_OK);
	ck_assert(one.more);
	rp_outbox_select_end(fx.ob, &one);
	fx_change(RP_CHANGE_PURGE, first + 1);
	rest.cursor = one.cursor;
	ck_assert_int_eq(rp_outbox_select(fx.ob, &rest, &fx.err), RP_OK);
	rp_outbox_select_end(fx.ob, &rest);
	ck_assert_uint_eq(s.n, 3);
	ck_assert_uint_eq(s.rows[0].seq, first + 2);
}
END_TEST

START_TEST(bounds_tell_when_it_was_accepted)
{
	const struct rp_filter f = {.states = RP_STATE_BIT(RP_STATE_WAITING)};
	const int64_t bounds[] = {fx.now_ms - 10, fx.now_ms + 1, fx.now_ms + 50};
	uint64_t first = fx_append(1, 1), second;
	struct seen s = {0};
	struct rp_select select = {
	    .filter = &f, .see_brief = see, .arg = &s, .bounds_at_ms = bounds, .n_bounds = 3};

	fx.now_ms += 50;
	second = fx_append(1, 1);
	ck_assert_int_eq(rp_outbox_select(fx.ob, &select, &fx.err), RP_OK);
	rp_outbox_select_end(fx.ob, &select);
	ck_assert_uint_eq(row_of(&s, first)->n_bounds_passed, 1);
	ck_assert_uint_eq(row_of(&s, second)->n_bounds_passed, 3);
}
END_TEST

START_TEST(the_dead_since_a_time_are_those_that_died_then_or_later)
{
	struct rp_filter f = {.states = RP_STATE_BIT(RP_STATE_DEAD), .has_entered = true};
	struct seen s = {0};
	struct rp_select select = {.filter = &f, .see_brief = see, .arg = &s};
	uint64_t later;

	fx_entry_in(1, RP_STATE_DEAD);
	fx.now_ms += 1000;
	f.entered_since_ms = fx.now_ms;
	later = fx_entry_in(1, RP_STATE_DEAD);
	ck_assert_int_eq(rp_outbox_select(fx.ob, &select, &fx.err), RP_OK);
	rp_outbox_select_end(fx.ob, &select);
	ck_assert_uint_eq(s.n, 1);
	ck_assert_uint_eq(s.rows[0].seq, later);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("outbox_brief");
	TCase *tc = tcase_create("brief");

	tcase_add_checked_fixture(tc, fx_setup, fx_teardown);
	tcase_add_test(tc, an_empty_outbox_has_no_rows);
	tcase_add_test(tc, a_dead_row_tells_what_the_delivery_record_says);
	tcase_add_test(tc, a_dead_letter_that_is_replayed_is_no_longer_among_the_dead);
	tcase_add_test(tc, waiting_entries_behind_another_are_seen_too_and_held_ones_are_not);
	tcase_add_test(tc, it_goes_on_behind_the_row_it_stopped_at_even_if_that_is_gone);
	tcase_add_test(tc, bounds_tell_when_it_was_accepted);
	tcase_add_test(tc, the_dead_since_a_time_are_those_that_died_then_or_later);
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
