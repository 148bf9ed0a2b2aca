/* What is counted when an entry moves and when an attempt ends. */
#include "model/ledger.h"

#include <check.h>

#define NOW INT64_C(1700000000000)
#define W RP_STATE_WAITING
#define F RP_STATE_IN_FLIGHT
#define H RP_STATE_HELD
#define OK RP_STATE_DELIVERED
#define X RP_STATE_DEAD

static uint64_t sum(const struct rp_head *h)
{
	return h->count[W] + h->count[F] + h->count[H] + h->count[OK] + h->count[X] + h->purged;
}

/* --- the ledger --------------------------------------------------------------------- */

/* attempts: before and after. */
static const struct {
	const char *what;
	enum rp_state from, to; /* 0: it is new, it is removed */
	uint32_t from_attempts, to_attempts;
	int retrying; /* how the number of those that are tried again changes */
} moves[] = {
    {"append", 0, W, 0, 0, 0},
    {"the import of one that was tried", 0, W, 0, 3, 1},
    {"the import of a dead one", 0, X, 0, 3, 0},
    {"first claim", W, F, 0, 1, 0},
    {"later claim", W, F, 1, 2, -1},
    {"delivered", F, OK, 1, 1, 0},
    {"again", F, W, 1, 1, 1},
    {"dead", F, X, 1, 1, 0},
    {"returned, never tried", F, W, 1, 0, 0},
    {"returned, tried before", F, W, 2, 1, 1},
    {"expired", W, X, 0, 0, 0},
    {"hold", W, H, 1, 1, -1},
    {"release", H, W, 1, 1, 1},
    {"replay of a dead one", X, W, 5, 5, 1},
    {"replay of a waiting one", W, W, 5, 5, 0},
    {"a late 2xx", X, OK, 5, 5, 0},
    {"purge", W, 0, 1, 0, -1},
    {"purge of a delivered one", OK, 0, 1, 0, 0},
};

START_TEST(a_move_takes_from_one_counter_and_adds_to_another)
{
	struct rp_delivery from = {.state = moves[_i].from, .attempts = moves[_i].from_attempts};
	struct rp_delivery to = {.state = moves[_i].to, .attempts = moves[_i].to_attempts};
	struct rp_ledger_change c =
	    rp_ledger_change_of(from.state != 0 ? &from : NULL, to.state != 0 ? &to : NULL);
	struct rp_head h = {.accepted = 60, .purged = 10, .retrying = 5};
	struct rp_endpoint ep = {0};
	int s;

	for (s = W; s <= X; s++)
		h.count[s] = ep.count[s] = 10;
	ck_assert(rp_ledger_count(&h, &c) && rp_ledger_count_endpoint(&ep, &c));
	ck_assert_msg(h.accepted == sum(&h), "%s", moves[_i].what);
	ck_assert_uint_eq(h.accepted, 60 + (from.state == 0));
	ck_assert_uint_eq(h.purged, 10 + (to.state == 0));
	ck_assert_msg((int)h.retrying == 5 + moves[_i].retrying, "%s", moves[_i].what);
	for (s = W; s <= X; s++) {
		uint64_t want = 10 - (s == (int)from.state) + (s == (int)to.state);

		ck_assert_msg(h.count[s] == want && ep.count[s] == want, "%s: state %d",
			      moves[_i].what, s);
	}
}
END_TEST

START_TEST(a_counter_that_is_too_low_stays_0_and_is_told)
{
	struct rp_delivery from = {.state = W, .attempts = 1}, to = {.state = F, .attempts = 2};
	struct rp_ledger_change c = rp_ledger_change_of(&from, &to);
	struct rp_head h = {.count[W] = 0, .retrying = 1};
	struct rp_endpoint ep = {0};

	ck_assert(!rp_ledger_count(&h, &c) && !rp_ledger_count_endpoint(&ep, &c));
	ck_assert(h.count[W] == 0 && h.count[F] == 1 && h.retrying == 0);
	ck_assert(ep.count[W] == 0 && ep.count[F] == 1);
	h = (struct rp_head){.count[W] = 1, .retrying = 0};
	ck_assert(!rp_ledger_count(&h, &c));
	ck_assert(h.count[W] == 0 && h.count[F] == 1 && h.retrying == 0);
}
END_TEST

/* --- places ------------------------------------------------------------------------- */

#define ALL (RP_LACKS(RP_LEVELS) - 1)

/* lacks: before and after. Only what is in flight can be without a place. */
static const struct {
	const char *what;
	enum rp_state from, to;
	unsigned from_lacks, to_lacks;
	unsigned leaves, enters; /* the levels on which it is counted no more, and from now on */
} places[] = {
    {"a claim", W, F, 0, 0, 0, 0},
    {"a claim ahead of all places", W, F, 0, ALL, 0, ALL},
    {"a claim ahead of one place", W, F, 0, RP_LACKS(1), 0, RP_LACKS(1)},
    {"it takes the places of another", F, F, ALL, 0, ALL, 0},
    {"it stays as it is", F, F, RP_LACKS(2), RP_LACKS(2), RP_LACKS(2), RP_LACKS(2)},
    {"returned", F, W, ALL, 0, ALL, 0},
    {"delivered", F, OK, RP_LACKS(0), 0, RP_LACKS(0), 0},
    {"dead", F, X, RP_LACKS(2), 0, RP_LACKS(2), 0},
    {"purge", F, 0, ALL, 0, ALL, 0},
    {"whatever is left in one that waits", W, H, ALL, ALL, 0, 0},
    {"whatever one that waits had left", W, F, ALL, RP_LACKS(0), 0, RP_LACKS(0)},
};

START_TEST(a_move_counts_who_has_no_place_on_each_level)
{
	struct rp_delivery from = {.state = places[_i].from, .lacks = places[_i].from_lacks};
	struct rp_delivery to = {.state = places[_i].to, .lacks = places[_i].to_lacks};
	struct rp_ledger_change c = rp_ledger_change_of(&from, to.state != 0 ? &to : NULL);
	struct rp_endpoint ep = {.count = {10, 10, 10, 10, 10, 10}, .lacking = {5, 5, 5}};
	int l;

	ck_assert(rp_ledger_count_endpoint(&ep, &c));
	for (l = 0; l < RP_LEVELS; l++)
		ck_assert_msg(ep.lacking[l] == 5u - ((places[_i].leaves & RP_LACKS(l)) != 0) +
						   ((places[_i].enters & RP_LACKS(l)) != 0),
			      "%s: level %d: %u", places[_i].what, l, ep.lacking[l]);
}
END_TEST

START_TEST(fewer_without_a_place_than_leave_is_told)
{
	struct rp_delivery from = {.state = F, .lacks = ALL}, to = {.state = OK};
	struct rp_ledger_change c = rp_ledger_change_of(&from, &to);
	struct rp_endpoint ep = {.count[F] = 1, .lacking = {1, 1, 1}};

	ep.lacking[_i] = 0;
	ck_assert(!rp_ledger_count_endpoint(&ep, &c));
	ck_assert_uint_eq(ep.lacking[0] + ep.lacking[1] + ep.lacking[2], 0);
	ck_assert(ep.count[F] == 0 && ep.count[OK] == 1);
}
END_TEST

/* Each level counts its own places, whatever is missing on others. */
START_TEST(places_in_use_are_those_in_flight_that_have_one)
{
	struct rp_endpoint ep = {.level = (enum rp_level)_i, .count[F] = 9};

	ck_assert_uint_eq(rp_endpoint_in_use(&ep), 9);
	ep.lacking[0] = ep.lacking[1] = ep.lacking[2] = 7;
	ck_assert_uint_eq(rp_endpoint_in_use(&ep), 2);
	ep.lacking[_i] = 1;
	ck_assert_uint_eq(rp_endpoint_in_use(&ep), 8);
	ep.lacking[_i] = 10; /* damaged */
	ck_assert_uint_eq(rp_endpoint_in_use(&ep), 0);
}
END_TEST

/* --- parts of the ledger ------------------------------------------------------------ */

/* As if each of these moves had been made by a writer of its own. */
START_TEST(a_part_has_what_a_move_changed)
{
	struct rp_delivery from = {.state = moves[_i].from, .attempts = moves[_i].from_attempts};
	struct rp_delivery to = {.state = moves[_i].to, .attempts = moves[_i].to_attempts};
	struct rp_ledger_change c =
	    rp_ledger_change_of(from.state != 0 ? &from : NULL, to.state != 0 ? &to : NULL);
	struct rp_ledger_part part = {0};
	int s;

	rp_ledger_part_count(&part, &c);
	ck_assert_int_eq(part.accepted, from.state == 0);
	ck_assert_int_eq(part.purged, to.state == 0);
	ck_assert_msg(part.retrying == moves[_i].retrying, "%s", moves[_i].what);
	for (s = W; s <= X; s++)
		ck_assert_msg(part.count[s] == (s == (int)to.state) - (s == (int)from.state),
			      "%s: state %d", moves[_i].what, s);
}
END_TEST

START_TEST(parts_that_are_added_up_are_the_ledger)
{
	const struct rp_ledger_part accepted = {
	    .accepted = 5, .purged = 0, .retrying = 0, .count = {[W] = 5}};
	const struct rp_ledger_part moved = {.accepted = 0,
					     .purged = 1,
					     .retrying = 1,
					     .count = {[W] = -4, [F] = 1, [OK] = 1, [X] = 1}};
	struct rp_ledger_part all = {0};
	struct rp_head h = {.next_seq = 77};

	rp_ledger_part_add(&all, &moved);
	ck_assert(!rp_ledger_part_total(&all, &h)); /* whoever accepted them was left out */
	ck_assert_uint_eq(h.count[W], 0);
	rp_ledger_part_add(&all, &accepted);
	ck_assert(rp_ledger_part_total(&all, &h));
	ck_assert(h.accepted == 5 && h.purged == 1 && h.retrying == 1);
	ck_assert(h.count[W] == 1 && h.count[F] == 1 && h.count[OK] == 1 && h.count[X] == 1);
	ck_assert_uint_eq(h.accepted, sum(&h));
	ck_assert_uint_eq(h.next_seq, 77);
}
END_TEST

START_TEST(each_number_below_0_is_damage)
{
	struct rp_ledger_part part = {.accepted = 1, .purged = 1, .retrying = 1};
	int64_t *all[] = {&part.accepted, &part.purged, &part.retrying, &part.count[W],
			  &part.count[X]};
	struct rp_head h;

	*all[_i] = -1;
	ck_assert(!rp_ledger_part_total(&part, &h));
	*all[_i] = 0;
	ck_assert(rp_ledger_part_total(&part, &h));
}
END_TEST

/* --- metrics ------------------------------------------------------------------------ */

static const struct {
	const char *what;
	struct rp_delivery from, to;
	/* what goes up by one */
	bool delivered, dead, retried, replayed, lost;
} metrics[] = {
    {"claim", {.state = W}, {.state = F}, false, false, false, false, false},
    {"delivered", {.state = F}, {.state = OK}, true, false, false, false, false},
    {"again", {.state = F}, {.state = W, .failures = 1}, false, false, true, false, false},
    {"returned", {.state = F}, {.state = W}, false, false, false, false, false},
    {"dead", {.state = F}, {.state = X, .failures = 1}, false, true, false, false, false},
    {"replay", {.state = X}, {.state = W, .replays = 1}, false, false, false, true, false},
    {"lost", {.state = F}, {.state = W, .losses = 1}, false, false, false, false, true},
    {"lost at last", {.state = F}, {.state = X, .losses = 1}, false, true, false, false, true},
    {"a late 2xx", {.state = X}, {.state = OK}, true, false, false, false, false},
    {"hold", {.state = W}, {.state = H}, false, false, false, false, false},
};

START_TEST(a_move_counts_for_the_metrics)
{
	struct rp_delivery to = metrics[_i].to;
	struct rp_counters t = {0};
	struct rp_minute *m = rp_counters_minute(&t, NOW);

	to.cause = RP_CAUSE_TIMEOUT;
	to.budget_at_ms = NOW - 3;
	rp_ledger_count_move(&t, &metrics[_i].from, &to, NOW);
	ck_assert_msg(m->delivered == metrics[_i].delivered, "%s", metrics[_i].what);
	ck_assert_uint_eq(rp_histogram_count(&t.latency), metrics[_i].delivered);
	ck_assert_uint_eq(t.latency.sum_us, metrics[_i].delivered ? 3000 : 0);
	ck_assert_uint_eq(t.last_delivery_at_ms, metrics[_i].delivered ? NOW : 0);
	ck_assert_msg(t.dead[RP_CAUSE_TIMEOUT] == metrics[_i].dead, "%s", metrics[_i].what);
	ck_assert_msg(t.retries[RP_CAUSE_TIMEOUT] == metrics[_i].retried, "%s", metrics[_i].what);
	ck_assert_msg(t.replayed == metrics[_i].replayed, "%s", metrics[_i].what);
	ck_assert_msg(t.claims_lost == metrics[_i].lost, "%s", metrics[_i].what);
	ck_assert_uint_eq(m->accepted + t.last_append_at_ms, 0);
}
END_TEST

START_TEST(what_is_new_counts_as_accepted_and_what_is_removed_as_nothing)
{
	struct rp_delivery d = {.state = X, .replays = 1, .losses = 1, .failures = 1};
	struct rp_counters t = {0}, before;

	rp_ledger_count_move(&t, NULL, &d, NOW);
	ck_assert_uint_eq(rp_counters_minute(&t, NOW)->accepted, 1);
	ck_assert_uint_eq(t.last_append_at_ms, NOW);
	ck_assert_uint_eq(t.dead[0] + t.replayed + t.claims_lost, 0);
	before = t;
	rp_ledger_count_move(&t, &d, NULL, NOW);
	ck_assert_mem_eq(&t, &before, sizeof t);
}
END_TEST

START_TEST(an_attempt_counts_by_what_came_of_it)
{
	struct rp_outcome good = {.duration_us = 700, .http_status = 200};
	struct rp_outcome bad = {.cause = RP_CAUSE_HTTP, .http_status = 503};
	struct rp_counters t = {0};
	struct rp_endpoint ep = {.streak = 4};

	rp_ledger_count_attempt(&t, &good, NOW);
	ck_assert_uint_eq(rp_histogram_count(&t.attempts), 1);
	ck_assert_uint_eq(rp_counters_minute(&t, NOW)->failed, 0);
	rp_ledger_count_attempt(&t, &bad, NOW); /* nobody knows how long it took */
	ck_assert_uint_eq(rp_histogram_count(&t.attempts), 1);
	ck_assert_uint_eq(rp_counters_minute(&t, NOW)->failed, 1);

	rp_ledger_count_result(&ep, &bad, false, NOW);
	ck_assert(ep.streak == 5 && ep.last_failure_at_ms == NOW && ep.last_success_at_ms == 0);
	ck_assert(ep.last_cause == RP_CAUSE_HTTP && ep.last_status == 503);
	rp_ledger_count_result(&ep, &good, true, NOW + 1);
	ck_assert(ep.streak == 0 && ep.last_failure_at_ms == NOW);
	ck_assert(ep.last_success_at_ms == NOW + 1);
	ck_assert(ep.last_cause == RP_CAUSE_NONE && ep.last_status == 200);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("ledger");
	TCase *tc = tcase_create("counters");
	SRunner *sr;
	int failed;

	tcase_add_loop_test(tc, a_move_takes_from_one_counter_and_adds_to_another, 0,
			    sizeof moves / sizeof moves[0]);
	tcase_add_test(tc, a_counter_that_is_too_low_stays_0_and_is_told);
	tcase_add_loop_test(tc, a_move_counts_who_has_no_place_on_each_level, 0,
			    sizeof places / sizeof places[0]);
	tcase_add_loop_test(tc, fewer_without_a_place_than_leave_is_told, 0, RP_LEVELS);
	tcase_add_loop_test(tc, places_in_use_are_those_in_flight_that_have_one, 0, RP_LEVELS);
	tcase_add_loop_test(tc, a_part_has_what_a_move_changed, 0, sizeof moves / sizeof moves[0]);
	tcase_add_test(tc, parts_that_are_added_up_are_the_ledger);
	tcase_add_loop_test(tc, each_number_below_0_is_damage, 0, 5);
	tcase_add_loop_test(tc, a_move_counts_for_the_metrics, 0,
			    sizeof metrics / sizeof metrics[0]);
	tcase_add_test(tc, what_is_new_counts_as_accepted_and_what_is_removed_as_nothing);
	tcase_add_test(tc, an_attempt_counts_by_what_came_of_it);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed != 0;
}
