/* Who is in front of an order after a move. */
#include "model/sequence.h"

#include <check.h>

#define W RP_STATE_WAITING
#define F RP_STATE_IN_FLIGHT
#define H RP_STATE_HELD
#define OK RP_STATE_DELIVERED
#define X RP_STATE_DEAD
#define BEHIND true
#define FRONT false

/* --- what a move touches --------------------------------------------------------------------- */

static const struct {
	const char *what;
	enum rp_state from; /* 0: it is new */
	bool from_behind;
	enum rp_state to; /* 0: it is removed */
	struct rp_sequence_need need;
} needs[] = {
    {"append", 0, FRONT, W, {false, true, true}},
    {"import of a dead one", 0, FRONT, X, {false, false, false}},
    {"import of a held one", 0, FRONT, H, {false, true, true}},
    {"claim: the front stays the front", W, FRONT, F, {false, false, false}},
    {"delivered: the next one's turn", F, FRONT, OK, {true, false, true}},
    {"again", F, FRONT, W, {true, true, true}},
    {"dead", F, FRONT, X, {true, false, true}},
    {"hold of the front", W, FRONT, H, {true, true, true}},
    {"hold of one behind", W, BEHIND, H, {true, true, true}},
    {"purge of one behind: nobody notices", W, BEHIND, 0, {true, false, false}},
    {"purge of the front", H, FRONT, 0, {true, false, true}},
    {"a late 2xx of one behind", W, BEHIND, OK, {true, false, false}},
    {"replay", X, FRONT, W, {false, true, true}},
    {"purge of a dead one", X, FRONT, 0, {false, false, false}},
    {"a late 2xx of a dead one", X, FRONT, OK, {false, false, false}},
};

START_TEST(a_move_touches_the_order_of_what_lives)
{
	struct rp_delivery from = {
	    .state = needs[_i].from, .behind = needs[_i].from_behind, .order_key = 7};
	struct rp_delivery to = {.state = needs[_i].to, .order_key = 7};
	struct rp_sequence_move m = {5, from.state != 0 ? &from : NULL, to.state != 0 ? &to : NULL};
	struct rp_sequence_need need = rp_sequence_need_of(&m);

	ck_assert_msg(need.leaves == needs[_i].need.leaves, "%s: leaves", needs[_i].what);
	ck_assert_msg(need.enters == needs[_i].need.enters, "%s: enters", needs[_i].what);
	ck_assert_msg(need.first == needs[_i].need.first, "%s: first", needs[_i].what);
	from.order_key = to.order_key = 0; /* it is in no order */
	need = rp_sequence_need_of(&m);
	ck_assert(!need.leaves && !need.enters && !need.first);
}
END_TEST

/* --- who is in front then -------------------------------------------------------------------- */

static const struct {
	const char *what;
	enum rp_state from; /* of number 5; 0: it is new */
	bool from_behind;
	enum rp_state to;   /* 0: it is removed */
	uint64_t first_seq; /* of the others; 0: none */
	enum rp_state first;
	bool first_behind;
	struct rp_sequence_choice choice;
} choices[] = {
    {"alone", 0, FRONT, W, 0, 0, FRONT, {FRONT, false, false}},
    {"new, and others wait", 0, FRONT, W, 3, W, FRONT, {BEHIND, false, false}},
    {"new, and one is in flight", 0, FRONT, W, 3, F, FRONT, {BEHIND, false, false}},
    {"new, and one is held", 0, FRONT, W, 3, H, FRONT, {BEHIND, false, false}},
    {"the last one leaves", F, FRONT, OK, 0, 0, FRONT, {FRONT, false, false}},
    {"the front leaves: the next comes", F, FRONT, OK, 8, W, BEHIND, {FRONT, true, FRONT}},
    {"the front is removed: the next comes", W, FRONT, 0, 8, H, BEHIND, {FRONT, true, FRONT}},
    {"the front is to be tried again", F, FRONT, W, 8, W, BEHIND, {FRONT, false, false}},
    {"... and an earlier one came meanwhile", F, FRONT, W, 3, W, BEHIND, {BEHIND, true, FRONT}},
    {"the front is held, and stays", W, FRONT, H, 8, W, BEHIND, {FRONT, false, false}},
    {"the front is replayed, and stays", W, FRONT, W, 8, W, BEHIND, {FRONT, false, false}},
    {"a replay goes before those accepted later", X, FRONT, W, 8, W, FRONT, {FRONT, true, BEHIND}},
    {"... held ones among them", X, FRONT, W, 8, H, FRONT, {FRONT, true, BEHIND}},
    {"... but not before one in flight", X, FRONT, W, 8, F, FRONT, {BEHIND, false, false}},
    {"... nor where a later one is", X, FRONT, W, 8, W, BEHIND, {BEHIND, false, false}},
    {"a replay waits for those accepted before", X, FRONT, W, 3, W, FRONT, {BEHIND, false, false}},
    {"one behind is held, and stays behind", W, BEHIND, H, 3, W, FRONT, {BEHIND, false, false}},
    {"one behind waits for a later one in flight",
     W,
     BEHIND,
     H,
     8,
     F,
     FRONT,
     {BEHIND, false, false}},
};

START_TEST(the_front_is_chosen_by_the_table)
{
	struct rp_delivery from = {
	    .state = choices[_i].from, .behind = choices[_i].from_behind, .order_key = 7};
	struct rp_delivery to = {.state = choices[_i].to, .order_key = 7};
	struct rp_delivery first = {
	    .state = choices[_i].first, .behind = choices[_i].first_behind, .order_key = 7};
	struct rp_sequence_move m = {5, from.state != 0 ? &from : NULL, to.state != 0 ? &to : NULL};
	struct rp_sequence_choice c = rp_sequence_choose(&m, choices[_i].first_seq, &first);

	ck_assert_msg(c.behind == choices[_i].choice.behind, "%s: behind", choices[_i].what);
	ck_assert_msg(c.moves_first == choices[_i].choice.moves_first, "%s", choices[_i].what);
	ck_assert_msg(!c.moves_first || c.first_behind == choices[_i].choice.first_behind, "%s",
		      choices[_i].what);
}
END_TEST

START_TEST(a_member_lives_in_this_order_of_this_endpoint)
{
	static const struct {
		struct rp_delivery d;
		bool is;
	} cases[] = {
	    {{.state = W, .endpoint = 2, .order_key = 7}, true},
	    {{.state = F, .endpoint = 2, .order_key = 7}, true},
	    {{.state = H, .endpoint = 2, .order_key = 7, .behind = true}, true},
	    {{.state = OK, .endpoint = 2, .order_key = 7}, false},
	    {{.state = X, .endpoint = 2, .order_key = 7}, false},
	    {{.state = W, .endpoint = 3, .order_key = 7}, false},
	    {{.state = W, .endpoint = 2, .order_key = 8}, false},
	};

	ck_assert(rp_sequence_is_member(&cases[_i].d, 2, 7) == cases[_i].is);
}
END_TEST

START_TEST(who_lives_has_a_place_and_is_behind_unless_in_flight)
{
	static const struct {
		struct rp_delivery d;
		bool place, behind;
	} cases[] = {
	    {{.state = W, .order_key = 7}, true, true},
	    {{.state = H, .order_key = 7}, true, true},
	    {{.state = F, .order_key = 7}, true, false},
	    {{.state = OK, .order_key = 7}, false, false},
	    {{.state = X, .order_key = 7}, false, false},
	    {{.state = W}, false, false},
	};

	ck_assert(rp_sequence_has_place(&cases[_i].d) == cases[_i].place);
	ck_assert(rp_sequence_may_be_behind(&cases[_i].d) == cases[_i].behind);
}
END_TEST

START_TEST(a_key_is_the_beginning_of_a_hash)
{
	ck_assert_uint_eq(rp_sequence_key(rp_span_of("")), 0);
	ck_assert_uint_eq(rp_sequence_key(rp_span_of("abc")), UINT64_C(0xba7816bf8f01cfea));
}
END_TEST

int main(void)
{
	Suite *s = suite_create("sequence");
	TCase *tc = tcase_create("tables");
	SRunner *sr;
	int failed;

	tcase_add_loop_test(tc, a_move_touches_the_order_of_what_lives, 0,
			    sizeof needs / sizeof needs[0]);
	tcase_add_loop_test(tc, the_front_is_chosen_by_the_table, 0,
			    sizeof choices / sizeof choices[0]);
	tcase_add_loop_test(tc, a_member_lives_in_this_order_of_this_endpoint, 0, 7);
	tcase_add_loop_test(tc, who_lives_has_a_place_and_is_behind_unless_in_flight, 0, 6);
	tcase_add_test(tc, a_key_is_the_beginning_of_a_hash);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed != 0;
}
