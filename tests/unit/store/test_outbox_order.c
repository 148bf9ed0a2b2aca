/* Orders: entries of one endpoint with the same order_by go one by one, as they were accepted, and
 * hold up nobody else. Each test ends with a sound outbox, in which every order has exactly one
 * front. */
#include "unit/outbox_fixture.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "model/sequence.h"

#define N(table) ((int)(sizeof(table) / sizeof((table)[0])))

static uint64_t append(unsigned k, const char *order_by)
{
	struct rp_new_entry n = fx_new(k);

	n.order_by = rp_span_of(order_by);
	return fx_append_one(&n, NULL);
}

/* Three of one order, the numbers following each other. */
static uint64_t append_three(void)
{
	uint64_t seq = append(1, "a");

	append(1, "a");
	append(1, "a");
	return seq;
}

static struct rp_claim claim_only(uint64_t seq)
{
	fx_exchange(10, NULL, 0);
	ck_assert_uint_eq(fx.n_claims, 1);
	ck_assert_uint_eq(fx.claims[0].seq, seq);
	return fx.claims[0];
}

static void deliver(const struct rp_claim *c)
{
	ck_assert(!fx_settle(c, RP_SETTLE_DELIVERED));
}

/* --- how a front leaves
 * ------------------------------------------------------------------------------------------ */

/* Joins, says so once it has claimed, and waits to be killed. */
static void claim_and_wait(int in, int out)
{
	char c;

	fx_receive(in, &c, 1);
	fx_open();
	fx_join();
	fx_exchange(10, NULL, 0);
	c = (char)fx.n_claims;
	fx_send(out, &c, 1);
	fx_receive(in, &c, 1);
}

START_TEST(a_sender_killed_with_the_front_in_flight_loses_nobodys_place)
{
	struct fx_child child = fx_start(claim_and_wait);
	uint64_t seq;
	char n = 1;

	fx_open();
	seq = append_three();
	fx_close();
	fx_send(child.in, &n, 1);
	fx_receive(child.out, &n, 1);
	ck_assert_int_eq(n, 1);
	fx_kill(&child);
	fx_open();
	fx_join();
	ck_assert(fx_state(seq) == RP_STATE_WAITING || fx_reap(60000) == 1);
	claim_only(seq);
}
END_TEST

/* --- hold, release, replay
 * ------------------------------------------------------------------------------------------ */

START_TEST(the_key_of_an_order_is_never_the_one_for_none)
{
	ck_assert_uint_eq(rp_sequence_key(rp_span_of("")), 0);
	ck_assert_uint_ne(rp_sequence_key(rp_span_of("a")), 0);
	ck_assert_uint_ne(rp_sequence_key(rp_span_of("a")), rp_sequence_key(rp_span_of("b")));
	/* sha256("abc") begins with ba7816bf8f01cfea */
	ck_assert_uint_eq(rp_sequence_key(rp_span_of("abc")), UINT64_C(0xba7816bf8f01cfea));
}
END_TEST

/* --- damage
 * ------------------------------------------------------------------------------------------ */

START_TEST(a_damaged_record_behind_is_set_aside_when_its_turn_comes)
{
	uint64_t seq = append_three();
	struct rp_claim c = claim_only(seq);

	fx_flip(RP_T_DELIVERY, rp_key1(seq + 1), 20);
	deliver(&c);
	ck_assert_int_eq(fx_delivery(seq + 1).cause, RP_CAUSE_DAMAGED);
	claim_only(seq + 2);
}
END_TEST

START_TEST(a_damaged_front_is_set_aside_when_an_earlier_one_is_replayed)
{
	uint64_t seq = append_three();
	struct rp_claim c = claim_only(seq);

	deliver(&c);
	fx_flip(RP_T_DELIVERY, rp_key1(seq + 1), 20);
	fx_change(RP_CHANGE_REPLAY, seq);
	ck_assert_int_eq(fx_delivery(seq + 1).cause, RP_CAUSE_DAMAGED);
	c = claim_only(seq);
	deliver(&c);
	claim_only(seq + 2);
}
END_TEST

static const enum rp_change verbs[] = {RP_CHANGE_REPLAY, RP_CHANGE_HOLD, RP_CHANGE_RELEASE,
				       RP_CHANGE_PURGE};

START_TEST(a_damaged_record_keeps_its_place_when_an_operator_mends_it)
{
	uint64_t seq = append_three();
	int i;

	fx_change(RP_CHANGE_HOLD, seq + 2);
	for (i = 0; i < 3; i++) {
		fx_flip(RP_T_DELIVERY, rp_key1(seq + (uint64_t)i), 20);
		fx_change(verbs[_i], seq + (uint64_t)i);
		if (fx_delivery(seq + (uint64_t)i).state == 0 && verbs[_i] != RP_CHANGE_PURGE)
			/* the verb did not apply */
			fx_flip(RP_T_DELIVERY, rp_key1(seq + (uint64_t)i), 20);
	}
	fx_verify_sound();
}
END_TEST

START_TEST(an_order_row_without_its_entry_is_removed_when_it_is_met)
{
	uint64_t seq = append(1, "a"), next;
	struct rp_delivery d = fx_delivery(seq);
	struct rp_claim c = claim_only(seq);

	deliver(&c);
	fx_put(RP_T_ORDER, rp_key3(d.endpoint, d.order_key, seq), "", 1);
	next = append(1, "a");
	ck_assert_uint_eq(fx_rows(RP_T_ORDER), 1);
	claim_only(next);
}
END_TEST

/* Harms to a front, one behind and one held behind. */
static uint64_t front;

static struct rp_key order_key_of(uint64_t seq)
{
	struct rp_delivery d = fx_delivery(seq);

	return rp_key3(d.endpoint, d.order_key, seq);
}

static void edit_delivery(uint64_t seq, void (*edit)(struct rp_delivery *d))
{
	struct rp_delivery d = fx_delivery(seq);
	unsigned char buf[RP_DELIVERY_BYTES];

	edit(&d);
	fx_put(RP_T_DELIVERY, rp_key1(seq), buf, rp_delivery_pack(&d, seq, buf, sizeof buf));
}

static void lose_front(void)
{
	fx_del(RP_T_ORDER, order_key_of(front));
}

static void lose_behind(void)
{
	fx_del(RP_T_ORDER, order_key_of(front + 1));
}

static void add_row(void)
{
	fx_put(RP_T_ORDER, rp_key3(fx_endpoint(1), 77, front), "", 1);
}

static void add_row_without_entry(void)
{
	fx_put(RP_T_ORDER, rp_key3(fx_endpoint(1), 77, front + 100), "", 1);
}

static void add_second_front(void)
{
	fx_put(RP_T_ORDER, order_key_of(front + 1), "", 1);
}

static void lose_held_flag(void)
{
	fx_put(RP_T_ORDER, order_key_of(front + 2), "\1", 1);
}

static void step_behind(struct rp_delivery *d)
{
	d->behind = true;
}

static void lose_the_front(void)
{
	edit_delivery(front, step_behind);
	fx_put(RP_T_ORDER, order_key_of(front), "\1", 1);
	fx_del(RP_T_QUEUE, rp_key3(fx_endpoint(1), (uint64_t)fx_delivery(front).due_at_ms, front));
}

static void step_forward(struct rp_delivery *d)
{
	d->behind = false;
}

/* All records and rows agree, but the wrong one is in front. */
static void overtake(void)
{
	lose_the_front();
	edit_delivery(front + 1, step_forward);
	fx_put(RP_T_ORDER, order_key_of(front + 1), "", 1);
	fx_put(RP_T_QUEUE,
	       rp_key3(fx_endpoint(1), (uint64_t)fx_delivery(front + 1).due_at_ms, front + 1), "",
	       0);
}

static void change_key(struct rp_delivery *d)
{
	d->order_key++;
}

static void mislead_key(void)
{
	struct rp_key old = order_key_of(front + 1);

	edit_delivery(front + 1, change_key);
	fx_del(RP_T_ORDER, old);
	fx_put(RP_T_ORDER, order_key_of(front + 1), "\1", 1);
}

static const struct {
	const char *what;
	void (*harm)(void);
} harms[] = {
    {"a missing order row of a front", lose_front},
    {"a missing order row", lose_behind},
    {"an order row under a wrong key", add_row},
    {"an order row without entry", add_row_without_entry},
    {"an order row that says front", add_second_front},
    {"an order row that no longer says held", lose_held_flag},
    {"an order without front", lose_the_front},
    {"a later entry in front", overtake},
    {"an entry in a wrong order", mislead_key},
};

START_TEST(verify_notices_every_kind_of_harm_to_an_order)
{
	front = append_three();
	fx_change(RP_CHANGE_HOLD, front + 2);
	fx_verify_sound();
	harms[_i].harm();
	ck_assert_msg(fx_problems() > 0, "%s goes unnoticed", harms[_i].what);
}
END_TEST

/* It is the last of its table: what is known of it must not be told again with the next table. */
START_TEST(verify_tells_of_a_bad_order_once)
{
	front = append_three();
	overtake();
	ck_assert_uint_eq(fx_full_problems(), fx_slice_problems(1000));
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("outbox_order");
	TCase *tc = tcase_create("order");

	tcase_add_checked_fixture(tc, fx_setup, fx_teardown);
	tcase_add_test(tc, the_key_of_an_order_is_never_the_one_for_none);
	tcase_add_test(tc, a_damaged_record_behind_is_set_aside_when_its_turn_comes);
	tcase_add_test(tc, a_damaged_front_is_set_aside_when_an_earlier_one_is_replayed);
	tcase_add_loop_test(tc, a_damaged_record_keeps_its_place_when_an_operator_mends_it, 0,
			    N(verbs));
	tcase_add_test(tc, an_order_row_without_its_entry_is_removed_when_it_is_met);
	suite_add_tcase(s, tc);
	tc = tcase_create("processes");
	tcase_add_checked_fixture(tc, fx_setup_dir, fx_teardown);
	tcase_add_test(tc, a_sender_killed_with_the_front_in_flight_loses_nobodys_place);
	suite_add_tcase(s, tc);
	tc = tcase_create("broken");
	tcase_add_checked_fixture(tc, fx_setup, fx_teardown_damaged);
	tcase_add_loop_test(tc, verify_notices_every_kind_of_harm_to_an_order, 0, N(harms));
	tcase_add_test(tc, verify_tells_of_a_bad_order_once);
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
