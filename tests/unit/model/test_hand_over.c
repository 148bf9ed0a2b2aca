/* What an append may claim for a sender, each condition by itself. */
#include "model/hand_over.h"

#include <check.h>
#include <string.h>

#define N(table) ((int)(sizeof(table) / sizeof((table)[0])))
#define NOW INT64_C(1700000000000)
#define W count[RP_STATE_WAITING]
#define F count[RP_STATE_IN_FLIGHT]

/* A receiver at which nothing is in the way, and one entry that has just come in. */
static struct rp_endpoint at[RP_LEVELS];
static struct rp_receiver r;
static struct rp_delivery d;
static struct rp_level_limits limits;

static void setup(void)
{
	int l;

	memset(at, 0, sizeof at);
	limits = (struct rp_level_limits){.section = rp_span_of("hooks")};
	for (l = 0; l < RP_LEVELS; l++) {
		limits.at[l] = (struct rp_limits){
		    .in_flight = 10, .start = l == 1 ? 10 : 5, .breaker = l != 1};
		at[l].level = (enum rp_level)l;
		at[l].ready_at_ms = RP_NEVER;
		at[l].W = 1;
		rp_control_apply(&at[l].control, &limits.at[l]);
		r.at[l] = &at[l];
	}
	at[RP_LEVEL_HOST].last_success_at_ms = NOW - 1000;
	at[RP_LEVEL_HOST].members = 4;
	d = (struct rp_delivery){.state = RP_STATE_WAITING, .endpoint = 7, .due_at_ms = NOW};
}

/* --- a level ---------------------------------------------------------------------------------- */

static void nothing(struct rp_endpoint *level)
{
	(void)level;
}

static void pause_it(struct rp_endpoint *level)
{
	level->paused = true;
}

static void disable_it(struct rp_endpoint *level)
{
	level->disabled = true;
}

static void park_it(struct rp_endpoint *level)
{
	level->parked_until_ms = NOW + 1;
}

static void parked_before(struct rp_endpoint *level)
{
	level->parked_until_ms = NOW;
}

static void forget_limits(struct rp_endpoint *level)
{
	rp_control_renew(&level->control);
}

static void set_rate(struct rp_endpoint *level)
{
	level->control.limits.rate = (struct rp_rate){10000, 1000};
}

static void open_breaker(struct rp_endpoint *level)
{
	level->control.breaker = RP_BREAKER_OPEN; /* its probe is due */
}

static void half_open(struct rp_endpoint *level)
{
	level->control.breaker = RP_BREAKER_HALF_OPEN;
}

static void fill_it(struct rp_endpoint *level)
{
	level->F = rp_control_room(&level->control);
}

static void nearly_fill_it(struct rp_endpoint *level)
{
	level->F = rp_control_room(&level->control) - 1;
}

static const struct {
	const char *what;
	void (*happens)(struct rp_endpoint *level);
	bool may;
} on_a_level[] = {
    {"nothing is in its way", nothing, true},
    {"it is paused", pause_it, false},
    {"it is disabled", disable_it, false},
    {"it is parked", park_it, false},
    {"it is parked no more", parked_before, true},
    {"its limits are to be asked for", forget_limits, false},
    {"it has a rate", set_rate, false},
    {"its breaker is open, and its probe is due", open_breaker, false},
    {"its probe is under way", half_open, false},
    {"it is full", fill_it, false},
    {"one place is left", nearly_fill_it, true},
};

START_TEST(an_entry_is_handed_over_when_each_level_is_plain)
{
	const int level = _i % RP_LEVELS, c = _i / RP_LEVELS;

	on_a_level[c].happens(&at[level]);
	ck_assert_msg(rp_hand_over_may(&r, &d, NOW) == on_a_level[c].may, "%s: %s",
		      rp_level_name((enum rp_level)level), on_a_level[c].what);
}
END_TEST

START_TEST(nothing_that_could_be_claimed_is_overtaken)
{
	at[RP_LEVEL_PATH].W = at[RP_LEVEL_SECTION].W = at[RP_LEVEL_HOST].W = 9;
	at[RP_LEVEL_PATH].ready_at_ms = NOW;
	ck_assert(!rp_hand_over_may(&r, &d, NOW));
	at[RP_LEVEL_PATH].ready_at_ms = NOW + 1; /* they wait for a retry */
	at[RP_LEVEL_HOST].ready_at_ms = NOW + 1;
	ck_assert(rp_hand_over_may(&r, &d, NOW));
	at[RP_LEVEL_HOST].ready_at_ms = NOW;
	ck_assert(!rp_hand_over_may(&r, &d, NOW));
	at[RP_LEVEL_HOST].ready_at_ms = RP_NEVER;
	at[RP_LEVEL_SECTION].ready_at_ms = NOW;
	ck_assert(!rp_hand_over_may(&r, &d, NOW));
	r.at[RP_LEVEL_SECTION] = NULL;
	ck_assert(rp_hand_over_may(&r, &d, NOW));
}
END_TEST

START_TEST(a_host_must_have_proven_itself)
{
	at[RP_LEVEL_HOST].last_success_at_ms = 0;
	ck_assert(!rp_hand_over_may(&r, &d, NOW));
	at[RP_LEVEL_HOST].last_success_at_ms = NOW - RP_PROVEN_MS;
	ck_assert(!rp_hand_over_may(&r, &d, NOW));
	at[RP_LEVEL_HOST].last_success_at_ms = NOW - 1;
	at[RP_LEVEL_HOST].control.bad_streak = RP_HOST_SEVERAL;
	ck_assert(!rp_hand_over_may(&r, &d, NOW));
}
END_TEST

/* --- the entry -------------------------------------------------------------------------------- */

START_TEST(an_entry_that_waits_for_something_is_not_handed_over)
{
	const struct rp_delivery plain = d;

	d.due_at_ms = NOW + 1;
	ck_assert(!rp_hand_over_may(&r, &d, NOW));
	d = plain;
	d.order_key = 1;
	ck_assert(!rp_hand_over_may(&r, &d, NOW));
	d = plain;
	d.behind = true;
	ck_assert(!rp_hand_over_may(&r, &d, NOW));
	d = plain;
	d.state = RP_STATE_IN_FLIGHT;
	ck_assert(!rp_hand_over_may(&r, &d, NOW));
	d = plain;
	ck_assert(rp_hand_over_may(&r, &d, NOW));
}
END_TEST

/* --- the offer -------------------------------------------------------------------------------- */

START_TEST(an_offer_has_places_while_it_is_young)
{
	const struct {
		struct rp_offer o;
		size_t claims;
		bool has;
	} cases[] = {
	    {{NOW, 0}, 0, false},
	    {{NOW, 1}, 0, true},
	    {{NOW, 8}, 7, true},
	    {{NOW, 8}, 8, false},
	    {{NOW, 8}, 9, false},
	    {{NOW, UINT32_MAX}, RP_OFFER_CLAIMS_MAX, false}, /* as a file that was damaged says */
	    {{NOW - RP_OFFER_KEEPS_MS, 8}, 0, true},
	    {{NOW - RP_OFFER_KEEPS_MS - 1, 8}, 0, false},
	    {{NOW + RP_OFFER_KEEPS_MS, 8}, 0, true}, /* clocks of two processes */
	    {{NOW + RP_OFFER_KEEPS_MS + 1, 8}, 0, false},
	};
	int i;

	for (i = 0; i < N(cases); i++)
		ck_assert_msg(rp_offer_has_place(&cases[i].o, cases[i].claims, NOW) == cases[i].has,
			      "case %d", i);
}
END_TEST

/* --- does it hold ----------------------------------------------------------------------------- */

static void more_in_flight(struct rp_limits *l)
{
	l->in_flight++;
}

static void another_start(struct rp_limits *l)
{
	l->start--;
}

static void a_rate(struct rp_limits *l)
{
	l->rate = (struct rp_rate){1, 1000};
}

static void no_breaker(struct rp_limits *l)
{
	l->breaker = !l->breaker;
}

START_TEST(a_claim_holds_as_long_as_its_limits_do)
{
	static void (*const changes[])(struct rp_limits *) = {more_in_flight, another_start, a_rate,
							      no_breaker};
	const struct rp_span stored = rp_span_of("https://host [hooks]");

	ck_assert(rp_hand_over_holds(&r, stored, &limits));
	changes[_i / RP_LEVELS](&limits.at[_i % RP_LEVELS]);
	ck_assert(!rp_hand_over_holds(&r, stored, &limits));
	rp_control_renew(&at[RP_LEVEL_PATH].control);
	ck_assert(!rp_hand_over_holds(&r, stored, &limits));
}
END_TEST

/* The store has the rate already, since another sender was faster. */
START_TEST(a_claim_without_a_token_does_not_hold_where_there_is_a_rate)
{
	ck_assert(rp_hand_over_holds(&r, rp_span_of("https://host [hooks]"), &limits));
	a_rate(&limits.at[_i]);
	at[_i].control.limits = limits.at[_i];
	ck_assert(!rp_hand_over_holds(&r, rp_span_of("https://host [hooks]"), &limits));
}
END_TEST

START_TEST(a_claim_holds_as_long_as_its_section_is_the_same)
{
	const struct rp_span stored = rp_span_of("https://host [hooks]"), none = {NULL, 0};

	ck_assert(!rp_hand_over_holds(&r, rp_span_of("https://host [other]"), &limits));
	ck_assert(!rp_hand_over_holds(&r, rp_span_of("https://host [my hooks]"), &limits));
	limits.section = none; /* it left the section */
	ck_assert(!rp_hand_over_holds(&r, stored, &limits));
	r.at[RP_LEVEL_SECTION] = NULL;
	ck_assert(rp_hand_over_holds(&r, none, &limits));
	limits.section = rp_span_of("hooks"); /* it came into one */
	ck_assert(!rp_hand_over_holds(&r, none, &limits));
}
END_TEST

int main(void)
{
	Suite *s = suite_create("hand_over");
	TCase *tc = tcase_create("rules");
	SRunner *sr;
	int failed;

	tcase_add_checked_fixture(tc, setup, NULL);
	tcase_add_loop_test(tc, an_entry_is_handed_over_when_each_level_is_plain, 0,
			    RP_LEVELS * N(on_a_level));
	tcase_add_test(tc, nothing_that_could_be_claimed_is_overtaken);
	tcase_add_test(tc, a_host_must_have_proven_itself);
	tcase_add_test(tc, an_entry_that_waits_for_something_is_not_handed_over);
	tcase_add_test(tc, an_offer_has_places_while_it_is_young);
	tcase_add_loop_test(tc, a_claim_holds_as_long_as_its_limits_do, 0, RP_LEVELS * 4);
	tcase_add_loop_test(tc, a_claim_without_a_token_does_not_hold_where_there_is_a_rate, 0,
			    RP_LEVELS);
	tcase_add_test(tc, a_claim_holds_as_long_as_its_section_is_the_same);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed != 0;
}
