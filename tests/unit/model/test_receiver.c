/* What is taken from a receiver on its three levels, and what each of them learns. */
#include "model/receiver.h"

#include <check.h>
#include <string.h>

#define N(table) ((int)(sizeof(table) / sizeof((table)[0])))
#define NOW INT64_C(1700000000000)
#define W count[RP_STATE_WAITING]
#define F count[RP_STATE_IN_FLIGHT]
#define PATH RP_LEVEL_PATH
#define SECTION RP_LEVEL_SECTION
#define HOST RP_LEVEL_HOST

/* A receiver on which nothing is in the way; its host delivers. */
static struct rp_endpoint at[RP_LEVELS];
static struct rp_receiver r;

static void setup(void)
{
	const struct rp_limits limits = {.in_flight = 10, .start = 5, .breaker = true};
	int l;

	memset(at, 0, sizeof at);
	for (l = 0; l < RP_LEVELS; l++) {
		at[l].level = (enum rp_level)l;
		rp_control_apply(&at[l].control, &limits);
		r.at[l] = &at[l];
	}
	at[HOST].last_success_at_ms = NOW - 1000;
}

static void set_rate(enum rp_level level, int64_t next_token_at_ms)
{
	at[level].control.limits.rate = (struct rp_rate){1, 1000};
	at[level].control.full_at_us = next_token_at_ms * 1000;
}

/* --- claim ---------------------------------------------------------------------------- */

#define ROOM                                                                                       \
	{                                                                                          \
		9, 9, 9, 9                                                                         \
	}

static void nothing(enum rp_level level)
{
	(void)level;
}

static void pause_it(enum rp_level level)
{
	at[level].paused = true;
}

static void park_it(enum rp_level level)
{
	at[level].parked_until_ms = NOW + 1;
}

static void parked_before(enum rp_level level)
{
	at[level].parked_until_ms = NOW;
}

static void fill_it(enum rp_level level)
{
	at[level].F = 5;
}

static void nearly_fill_it(enum rp_level level)
{
	at[level].F = 4;
}

static void open_it(enum rp_level level)
{
	at[level].control.breaker = RP_BREAKER_OPEN;
	at[level].control.probe_at_ms = NOW + 1;
}

static void open_it_until_now(enum rp_level level)
{
	open_it(level);
	at[level].control.probe_at_ms = NOW;
}

static void probe_it(enum rp_level level)
{
	at[level].control.breaker = RP_BREAKER_HALF_OPEN;
	at[level].F = 1;
}

static void has_token(enum rp_level level)
{
	set_rate(level, NOW);
}

static void lacks_token(enum rp_level level)
{
	set_rate(level, NOW + 700);
}

/* What one level says while nothing is in the way on the others. */
static const struct {
	const char *what;
	void (*harm)(enum rp_level level);
	struct rp_receiver_room room;
	enum rp_receiver_take take;
} takes[] = {
    {"nothing is in the way", nothing, ROOM, RP_TAKE_NEXT},
    {"it has no rate, and none with one is wanted", nothing, {9, 9, 0, 9}, RP_TAKE_NEXT},
    {"its host delivers, and none that does not is wanted", nothing, {9, 9, 9, 0}, RP_TAKE_NEXT},
    {"the sender is full", nothing, {9, 0, 9, 9}, RP_TAKE_NOTHING},
    {"enough have died", nothing, {0, 9, 9, 9}, RP_TAKE_NOTHING},
    {"it is paused", pause_it, ROOM, RP_TAKE_NOTHING},
    {"it is parked", park_it, ROOM, RP_TAKE_NOTHING},
    {"it was parked until now", parked_before, ROOM, RP_TAKE_NEXT},
    {"its window has one place", nearly_fill_it, ROOM, RP_TAKE_NEXT},
    {"its window is full", fill_it, ROOM, RP_TAKE_NOTHING},
    {"its breaker is open", open_it, ROOM, RP_TAKE_NOTHING},
    {"its breaker may be probed now", open_it_until_now, ROOM, RP_TAKE_NEXT},
    {"its breaker is being probed", probe_it, ROOM, RP_TAKE_NOTHING},
    {"it has a token", has_token, ROOM, RP_TAKE_NEXT},
    {"it has a token, and none with a rate is wanted",
     has_token,
     {9, 9, 0, 9},
     RP_TAKE_PASSED_OVER},
    {"it lacks a token", lacks_token, ROOM, RP_TAKE_NOTHING},
    {"it lacks a token, and none with a rate is wanted",
     lacks_token,
     {9, 9, 0, 9},
     RP_TAKE_NOTHING},
};

START_TEST(each_level_has_a_say_in_what_is_taken)
{
	const enum rp_level level = (enum rp_level)(_i % RP_LEVELS);
	const int n = _i / RP_LEVELS;
	enum rp_receiver_take take;

	takes[n].harm(level);
	take = rp_receiver_take(&r, &takes[n].room, NOW);
	ck_assert_msg(take == takes[n].take, "%s: %s: %d", rp_level_name(level), takes[n].what,
		      (int)take);
	take = rp_receiver_level_take(&at[level], &takes[n].room, NOW);
	ck_assert_msg(take == takes[n].take, "the %s alone: %s", rp_level_name(level),
		      takes[n].what);
}
END_TEST

START_TEST(a_path_without_a_section_is_asked_for_two_levels)
{
	const struct rp_receiver_room room = ROOM;

	pause_it(SECTION);
	ck_assert_int_eq(rp_receiver_take(&r, &room, NOW), RP_TAKE_NOTHING);
	r.at[SECTION] = NULL;
	ck_assert_int_eq(rp_receiver_take(&r, &room, NOW), RP_TAKE_NEXT);
}
END_TEST

/* Its entries die, which costs nobody anything, whatever holds up its section and its host. */
START_TEST(what_waits_at_a_disabled_path_is_taken_to_die)
{
	struct rp_receiver_room room = {1, 0, 0, 0};
	int l;

	at[PATH].disabled = true;
	for (l = 0; l < RP_LEVELS; l++) {
		pause_it((enum rp_level)l);
		fill_it((enum rp_level)l);
		open_it((enum rp_level)l);
		lacks_token((enum rp_level)l);
	}
	ck_assert_int_eq(rp_receiver_take(&r, &room, NOW), RP_TAKE_NEXT);
	room = (struct rp_receiver_room){0, 9, 9, 9};
	ck_assert_int_eq(rp_receiver_take(&r, &room, NOW), RP_TAKE_NOTHING);
}
END_TEST

START_TEST(hosts_that_have_not_proven_themselves_share_what_is_left_for_them)
{
	struct rp_receiver_room room = {9, 9, 9, 1};

	at[HOST].last_success_at_ms = 0;
	ck_assert_int_eq(rp_receiver_take(&r, &room, NOW), RP_TAKE_NEXT);
	ck_assert(rp_receiver_claimed(&r, NOW, 0).unproven);
	room.unproven = 0;
	ck_assert_int_eq(rp_receiver_take(&r, &room, NOW), RP_TAKE_PASSED_OVER);
	/* of a path or a section nobody asks for proof */
	ck_assert_int_eq(rp_receiver_level_take(&at[PATH], &room, NOW), RP_TAKE_NEXT);
	ck_assert_int_eq(rp_receiver_level_take(&at[SECTION], &room, NOW), RP_TAKE_NEXT);
	at[HOST].last_success_at_ms = NOW - 1;
	ck_assert_int_eq(rp_receiver_take(&r, &room, NOW), RP_TAKE_NEXT);
	ck_assert(!rp_receiver_claimed(&r, NOW, 0).unproven);
}
END_TEST

START_TEST(a_claim_takes_a_token_of_each_level_that_has_a_rate)
{
	struct rp_receiver_claim claim = rp_receiver_claimed(&r, NOW, 0);
	int l;

	ck_assert(!rp_tokens_any(&claim.tokens));
	for (l = 0; l < RP_LEVELS; l++) {
		setup();
		has_token((enum rp_level)l);
		claim = rp_receiver_claimed(&r, NOW, 0);
		ck_assert(rp_tokens_any(&claim.tokens));
		ck_assert_uint_eq(claim.tokens.of[l].rate.count, 1);
		ck_assert_int_eq(claim.tokens.of[l].taken_at_ms, NOW);
		ck_assert_uint_eq(claim.tokens.of[(l + 1) % RP_LEVELS].rate.count, 0);
		ck_assert_int_eq(rp_schedule_open_at_ms(&at[l]), NOW + 1000);
	}
}
END_TEST

START_TEST(a_claim_is_served_and_charged_on_each_level)
{
	int l;

	for (l = 0; l < RP_LEVELS; l++)
		has_token((enum rp_level)l);
	rp_receiver_claimed(&r, NOW, 20); /* charged as if it began at the latest */
	for (l = 0; l < RP_LEVELS; l++) {
		ck_assert_int_eq(at[l].served_at_ms, NOW);
		ck_assert_int_eq(rp_schedule_open_at_ms(&at[l]), NOW + 1020);
	}
}
END_TEST

START_TEST(a_claim_probes_each_level_whose_breaker_is_open)
{
	struct rp_receiver_claim claim;
	int l;

	open_it_until_now((enum rp_level)_i);
	claim = rp_receiver_claimed(&r, NOW, 0);
	for (l = 0; l < RP_LEVELS; l++) {
		ck_assert(claim.probes[l] == (l == _i));
		ck_assert_int_eq(at[l].control.breaker,
				 l == _i ? RP_BREAKER_HALF_OPEN : RP_BREAKER_CLOSED);
	}
}
END_TEST

START_TEST(who_takes_the_last_place_of_a_level_keeps_others_waiting)
{
	struct rp_delivery claimed = {.state = RP_STATE_IN_FLIGHT};

	at[_i].W = 1;
	nearly_fill_it((enum rp_level)_i);
	ck_assert(!rp_receiver_is_blocking(&r, &claimed));
	claimed.order_key = 7; /* in an order */
	ck_assert(rp_receiver_is_blocking(&r, &claimed));
	claimed.order_key = 0;
	fill_it((enum rp_level)_i);
	ck_assert(rp_receiver_is_blocking(&r, &claimed));
	at[_i].W = 0; /* for which nobody waits */
	ck_assert(!rp_receiver_is_blocking(&r, &claimed));
}
END_TEST

START_TEST(the_levels_are_told_on_which_others_wait_for_a_place)
{
	int l;

	ck_assert_uint_eq(rp_receiver_full(&r), 0);
	for (l = 0; l < RP_LEVELS; l++) {
		at[l].W = 1;
		fill_it((enum rp_level)l);
	}
	ck_assert_uint_eq(rp_receiver_full(&r),
			  RP_LACKS(PATH) | RP_LACKS(SECTION) | RP_LACKS(HOST));
	at[_i].lacking[_i] = 1; /* one of those in flight has no place here */
	ck_assert_uint_eq(rp_receiver_full(&r), 7u & ~RP_LACKS(_i));
	at[_i].lacking[_i] = 0;
	at[_i].W = 0;
	ck_assert_uint_eq(rp_receiver_full(&r), 7u & ~RP_LACKS(_i));
	at[_i].W = 1;
	r.at[SECTION] = NULL;
	ck_assert_uint_eq(rp_receiver_full(&r), RP_LACKS(PATH) | RP_LACKS(HOST));
}
END_TEST

/* --- ahead of a place --------------------------------------------------------------------- */

static void overfill_it(enum rp_level level)
{
	at[level].F = 6;
}

/* So many claims have no place there, and all places are taken. */
static void fill_it_and_go_ahead(enum rp_level level)
{
	at[level].F = 8;
	at[level].lacking[level] = 3;
}

static void half_open_it(enum rp_level level)
{
	at[level].control.breaker = RP_BREAKER_HALF_OPEN;
	at[level].F = 1; /* the only place that there is */
}

static void open_full(enum rp_level level)
{
	open_it_until_now(level);
	at[level].F = 1;
}

static void pause_full(enum rp_level level)
{
	fill_it(level);
	pause_it(level);
}

static void park_full(enum rp_level level)
{
	fill_it(level);
	park_it(level);
}

static void parked_before_full(enum rp_level level)
{
	fill_it(level);
	parked_before(level);
}

static void disable_full(enum rp_level level)
{
	fill_it(level);
	at[level].disabled = true;
}

static void full_with_token(enum rp_level level)
{
	fill_it(level);
	has_token(level);
}

static void ask_full(enum rp_level level)
{
	fill_it(level);
	at[level].control.limits.in_flight = 0;
}

/* What one level says while the others have places. */
static const struct {
	const char *what;
	void (*harm)(enum rp_level level);
	bool ahead;
} aheads[] = {
    {"it has places", nothing, false},
    {"it has one place", nearly_fill_it, false},
    {"its places are taken", fill_it, true},
    {"its places are taken, and others lack one too", fill_it_and_go_ahead, true},
    {"its window shrinks", overfill_it, false},
    {"it is paused", pause_full, false},
    {"it is parked", park_full, false},
    {"it was parked until now", parked_before_full, true},
    {"it is disabled", disable_full, false},
    {"its breaker may be probed now", open_full, false},
    {"its breaker is being probed", half_open_it, false},
    {"it has a rate", full_with_token, false},
    {"its limits are to be asked for", ask_full, false},
};

START_TEST(each_level_has_a_say_in_what_is_claimed_ahead)
{
	const enum rp_level level = (enum rp_level)(_i % RP_LEVELS);
	const char *what = aheads[_i / RP_LEVELS].what;
	unsigned lacks = 99;

	aheads[_i / RP_LEVELS].harm(level);
	ck_assert_msg(rp_receiver_is_ahead(&r, PATH, NOW, &lacks) == aheads[_i / RP_LEVELS].ahead,
		      "%s: %s", rp_level_name(level), what);
	if (aheads[_i / RP_LEVELS].ahead)
		ck_assert_msg(lacks == RP_LACKS(level), "%s: %s: %x", rp_level_name(level), what,
			      lacks);
}
END_TEST

/* What forbids it on one level does so where another one has its places taken. */
START_TEST(no_level_is_ahead_while_another_one_forbids_it)
{
	const enum rp_level level = (enum rp_level)(_i % RP_LEVELS),
			    other = (enum rp_level)((_i + 1) % RP_LEVELS);
	static void (*const harms[])(enum rp_level) = {pause_it,     park_it,     open_it,
						       half_open_it, has_token,   overfill_it,
						       ask_full,     disable_full};
	unsigned lacks;

	fill_it(level);
	ck_assert(rp_receiver_is_ahead(&r, PATH, NOW, &lacks));
	harms[_i / RP_LEVELS](other);
	ck_assert(!rp_receiver_is_ahead(&r, PATH, NOW, &lacks));
}
END_TEST

/* The bits of _i: levels whose places are taken. */
START_TEST(ahead_of_a_level_those_below_it_have_a_place)
{
	const unsigned full = (unsigned)_i % 8;
	const enum rp_level from = (enum rp_level)(_i / 8);
	const bool lower = (full & (RP_LACKS(from) - 1)) != 0;
	unsigned lacks;
	int l;

	for (l = 0; l < RP_LEVELS; l++)
		if ((full & RP_LACKS(l)) != 0)
			fill_it((enum rp_level)l);
	ck_assert(rp_receiver_is_ahead(&r, from, NOW, &lacks) == (full != 0 && !lower));
	if (full != 0 && !lower)
		ck_assert_uint_eq(lacks, full);
}
END_TEST

START_TEST(a_path_without_a_section_is_ahead_on_two_levels)
{
	unsigned lacks;

	fill_it(SECTION);
	fill_it(HOST);
	r.at[SECTION] = NULL;
	ck_assert(rp_receiver_is_ahead(&r, SECTION, NOW, &lacks));
	ck_assert_uint_eq(lacks, RP_LACKS(HOST));
}
END_TEST

START_TEST(nothing_is_ahead_at_a_host_that_has_not_proven_itself)
{
	unsigned lacks;

	fill_it((enum rp_level)_i);
	ck_assert(rp_receiver_is_ahead(&r, PATH, NOW, &lacks));
	at[HOST].last_success_at_ms = 0;
	ck_assert(!rp_receiver_is_ahead(&r, PATH, NOW, &lacks));
}
END_TEST

START_TEST(tokens_that_were_not_spent_come_back_on_each_level)
{
	struct rp_receiver_claim claim;
	int l;

	for (l = 0; l < RP_LEVELS; l++)
		has_token((enum rp_level)l);
	claim = rp_receiver_claimed(&r, NOW, 0);
	rp_receiver_token_return(&r, &claim.tokens);
	for (l = 0; l < RP_LEVELS; l++)
		ck_assert_int_le(rp_schedule_open_at_ms(&at[l]), NOW);
	/* the path has left its section meanwhile */
	claim = rp_receiver_claimed(&r, NOW, 0);
	r.at[SECTION] = NULL;
	rp_receiver_token_return(&r, &claim.tokens);
	ck_assert_int_le(rp_schedule_open_at_ms(&at[PATH]), NOW);
	ck_assert_int_eq(rp_schedule_open_at_ms(&at[SECTION]), NOW + 1000);
}
END_TEST

/* --- settle --------------------------------------------------------------------------- */

/* Paths of one host. */
#define PATHS 20
static struct rp_endpoint paths[PATHS];
static enum rp_control_change change[RP_LEVELS];

static void setup_host(void)
{
	int i;

	setup();
	for (i = 0; i < PATHS; i++)
		paths[i] = at[PATH];
}

/* The path k gets an answer: 'g' good, 'b' bad, 'n' not for this entry, '-' our own trouble. */
static void settle(int k, char how)
{
	struct rp_outcome o = {.http_status = 200};
	struct rp_receiver_result result = {.outcome = &o, .delivered = how == 'g'};
	int l;

	if (how != 'g')
		o = (struct rp_outcome){.cause = how == 'b'   ? RP_CAUSE_TIMEOUT
						 : how == 'n' ? RP_CAUSE_HTTP
							      : RP_CAUSE_LOCAL,
					.http_status = how == 'n' ? 500 : 0};
	r.at[PATH] = &paths[k];
	for (l = 0; l < RP_LEVELS; l++)
		result.in_use[l] = 5;
	rp_receiver_settled(&r, &result, NOW, change);
}

/* What a host has heard of its paths, a letter of settle and a digit of the path each, and how many
 * bad outcomes in a row it counts then. */
static const struct {
	const char *what, *heard;
	uint32_t bad_streak;
} tales[] = {
    {"a path fails", "b0", 1},
    {"it fails again and again: once is enough", "b0b0b0b0b0b0", 1},
    {"several paths fail", "b0b1b2", 3},
    {"... each of them twice", "b0b1b2b0b1b2", 3},
    {"any success clears it", "b0b1b2g3", 0},
    {"... of a path that failed, too", "b0b1b2g0", 0},
    {"an answer that is not for this entry is an answer", "b0b1b2n3", 0},
    {"our own trouble tells nothing", "b0b1-2", 2},
    {"once it was cleared a path counts again", "b0b1g2b0", 1},
    {"... once", "b0b1g2b0b0b0", 1},
    {"one sick path of a healthy host", "b0g1b0g2b0g3b0g4b0", 1},
    {"more answers of a host that is well clear nothing twice", "b0g1g2g3b0b0", 1},
};

START_TEST(a_path_counts_as_bad_once_until_any_answer_clears_its_host)
{
	const char *heard;

	for (heard = tales[_i].heard; *heard != '\0'; heard += 2)
		settle(heard[1] - '0', heard[0]);
	ck_assert_msg(at[HOST].control.bad_streak == tales[_i].bad_streak, "%s: %u", tales[_i].what,
		      at[HOST].control.bad_streak);
}
END_TEST

START_TEST(one_sick_path_opens_its_own_breaker_and_no_other)
{
	bool opened = false;
	int i;

	for (i = 0; i < 100; i++) {
		settle(0, 'b');
		opened = opened || change[PATH] == RP_CONTROL_OPENED;
		ck_assert_int_eq(change[SECTION], RP_CONTROL_SAME);
		ck_assert_int_eq(change[HOST], RP_CONTROL_SAME);
	}
	ck_assert(opened);
	ck_assert_int_eq(paths[0].control.breaker, RP_BREAKER_OPEN);
	ck_assert_int_eq(paths[1].control.breaker, RP_BREAKER_CLOSED);
	ck_assert_int_eq(at[HOST].control.breaker, RP_BREAKER_CLOSED);
}
END_TEST

START_TEST(a_host_whose_paths_fail_opens_before_any_of_its_paths)
{
	int i;

	for (i = 0; i < PATHS && change[HOST] != RP_CONTROL_OPENED; i++)
		settle(i, 'b');
	ck_assert_int_eq(i, RP_BREAKER_OUTCOMES);
	ck_assert_int_eq(at[HOST].control.breaker, RP_BREAKER_OPEN);
	for (i = 0; i < PATHS; i++)
		ck_assert_int_eq(paths[i].control.breaker, RP_BREAKER_CLOSED);
}
END_TEST

/* It is probed through any path, and one that was counted as bad before tells as much. */
START_TEST(an_open_host_is_probed_through_any_path)
{
	const char hows[] = {'b', 'g', 'n', '-'};
	const enum rp_control_change changes[] = {RP_CONTROL_OPENED, RP_CONTROL_CLOSED,
						  RP_CONTROL_CLOSED, RP_CONTROL_SAME};
	int i;

	for (i = 0; i < RP_BREAKER_OUTCOMES; i++)
		settle(i, 'b');
	r.at[PATH] = &paths[0];
	ck_assert(rp_receiver_claimed(&r, at[HOST].control.probe_at_ms, 0).probes[HOST]);
	settle(0, hows[_i]);
	ck_assert_int_eq(change[HOST], changes[_i]);
}
END_TEST

START_TEST(a_section_hears_of_results_and_has_neither_window_nor_breaker_that_follows_them)
{
	const struct rp_control before = at[SECTION].control;
	int i;

	for (i = 0; i < 100; i++)
		settle(i % PATHS, i < 50 ? 'b' : 'g');
	ck_assert_mem_eq(&at[SECTION].control, &before, sizeof before);
	ck_assert_int_eq(at[SECTION].last_success_at_ms, NOW);
	ck_assert_int_eq(at[SECTION].last_failure_at_ms, NOW);
}
END_TEST

START_TEST(the_windows_of_path_and_host_follow_their_answers)
{
	int i;

	settle(0, 'g');
	ck_assert_uint_eq(rp_control_room(&paths[0].control), 5 + RP_WINDOW_OPENS);
	ck_assert_uint_eq(rp_control_room(&paths[1].control), 5);
	ck_assert_uint_eq(rp_control_room(&at[HOST].control), 5 + RP_WINDOW_OPENS);
	settle(0, 'b');
	settle(0, 'b');
	ck_assert_uint_eq(rp_control_room(&paths[0].control), 5 + RP_WINDOW_OPENS - 2);
	ck_assert_uint_eq(rp_control_room(&at[HOST].control), 5 + RP_WINDOW_OPENS);
	for (i = 1; i < RP_HOST_SEVERAL; i++)
		settle(i, 'b');
	ck_assert_uint_eq(rp_control_room(&at[HOST].control), 5 + RP_WINDOW_OPENS - 1);
}
END_TEST

/* However good it was before: a host that is gone stops as a whole. */
START_TEST(a_host_that_was_well_opens_when_several_paths_fail_and_nothing_is_delivered_any_more)
{
	const int64_t ago_ms[] = {RP_HOST_SILENT_MS - 1, RP_HOST_SILENT_MS};
	size_t i, k;

	for (i = 0; i < 200; i++)
		settle((int)(i % PATHS), 'g');
	for (k = 0; k < 2; k++) {
		settle(0, 'g');
		for (i = 0; i < RP_BREAKER_STREAK; i++) {
			at[HOST].last_success_at_ms = NOW - ago_ms[k];
			settle((int)i, 'b');
		}
		ck_assert_int_eq(at[HOST].control.breaker,
				 k == 0 ? RP_BREAKER_CLOSED : RP_BREAKER_OPEN);
	}
}
END_TEST

START_TEST(a_receiver_disables_the_path_and_nothing_else)
{
	struct rp_outcome o = {.cause = RP_CAUSE_GONE, .http_status = 410};
	struct rp_receiver_result result = {.outcome = &o, .disables = true};

	r.at[SECTION] = NULL;
	rp_receiver_settled(&r, &result, NOW, change);
	ck_assert(at[PATH].disabled && !at[HOST].disabled);
	ck_assert_int_eq(change[SECTION], RP_CONTROL_SAME);
}
END_TEST

/* --- counters ------------------------------------------------------------------------- */

START_TEST(a_move_counts_on_each_level)
{
	const struct rp_delivery from = {.state = RP_STATE_WAITING};
	const struct rp_delivery to = {.state = RP_STATE_IN_FLIGHT};
	const struct rp_ledger_change c = rp_ledger_change_of(&from, &to);
	int l;

	for (l = 0; l < RP_LEVELS; l++)
		at[l].W = 1 + (uint64_t)l;
	ck_assert(rp_receiver_count(&r, &c));
	for (l = 0; l < RP_LEVELS; l++)
		ck_assert(at[l].W == (uint64_t)l && at[l].F == 1);
	/* a level that has less than that is damaged, and the others count all the same */
	ck_assert(!rp_receiver_count(&r, &c));
	ck_assert(at[SECTION].W == 0 && at[SECTION].F == 2);
	ck_assert(at[HOST].W == 1 && at[HOST].F == 2);
}
END_TEST

START_TEST(a_path_takes_what_lacks_a_place_along_into_a_section_and_out_of_it)
{
	struct rp_endpoint section = {.level = SECTION, .members = 3, .F = 5, .lacking = {1, 2, 3}};
	const struct rp_endpoint before = section, path = {.F = 4, .lacking = {3, 1, 2}};
	uint64_t in_use = rp_endpoint_in_use(&section);

	rp_receiver_enter(&section, &path);
	ck_assert(section.lacking[0] == 4 && section.lacking[1] == 3 && section.lacking[2] == 5);
	ck_assert_uint_eq(rp_endpoint_in_use(&section), in_use + 3);
	ck_assert(rp_receiver_leave(&section, &path));
	ck_assert_mem_eq(&section, &before, sizeof section);
	/* what the section never had is not taken from it */
	section.F = 4;
	section.lacking[_i] = path.lacking[_i] - 1;
	section.lacking[(_i + 1) % RP_LEVELS] = section.lacking[(_i + 2) % RP_LEVELS] = 9;
	ck_assert(!rp_receiver_leave(&section, &path));
	ck_assert_uint_eq(section.lacking[_i], 0);
	ck_assert_uint_eq(section.lacking[(_i + 1) % RP_LEVELS],
			  9 - path.lacking[(_i + 1) % RP_LEVELS]);
}
END_TEST

START_TEST(a_path_takes_its_entries_along_into_a_section_and_out_of_it)
{
	struct rp_endpoint section = {.level = SECTION, .members = 3, .W = 7, .F = 2};
	const struct rp_endpoint before = section,
				 path = {.W = 4, .F = 1, .count[RP_STATE_DEAD] = 9};
	int i;

	rp_receiver_enter(&section, &path);
	ck_assert(section.members == 4 && section.W == 11 && section.F == 3);
	ck_assert_uint_eq(section.count[RP_STATE_DEAD], 9);
	ck_assert(rp_receiver_leave(&section, &path));
	ck_assert_mem_eq(&section, &before, sizeof section);
	/* what the section never had is not taken from it */
	ck_assert(!rp_receiver_leave(&section, &path));
	ck_assert(section.members == 2 && section.W == 3 && section.F == 1);
	ck_assert_uint_eq(section.count[RP_STATE_DEAD], 0);
	for (i = 0; i < 5; i++)
		ck_assert(!rp_receiver_leave(&section, &path));
	ck_assert(section.members == 0 && section.W == 0 && section.F == 0);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("receiver");
	TCase *tc = tcase_create("claim");

	tcase_add_checked_fixture(tc, setup, NULL);
	tcase_add_loop_test(tc, each_level_has_a_say_in_what_is_taken, 0, RP_LEVELS * N(takes));
	tcase_add_test(tc, a_path_without_a_section_is_asked_for_two_levels);
	tcase_add_test(tc, what_waits_at_a_disabled_path_is_taken_to_die);
	tcase_add_test(tc, hosts_that_have_not_proven_themselves_share_what_is_left_for_them);
	tcase_add_test(tc, a_claim_takes_a_token_of_each_level_that_has_a_rate);
	tcase_add_test(tc, a_claim_is_served_and_charged_on_each_level);
	tcase_add_loop_test(tc, a_claim_probes_each_level_whose_breaker_is_open, 0, RP_LEVELS);
	tcase_add_loop_test(tc, who_takes_the_last_place_of_a_level_keeps_others_waiting, 0,
			    RP_LEVELS);
	tcase_add_loop_test(tc, the_levels_are_told_on_which_others_wait_for_a_place, 0, RP_LEVELS);
	tcase_add_loop_test(tc, each_level_has_a_say_in_what_is_claimed_ahead, 0,
			    RP_LEVELS * N(aheads));
	tcase_add_loop_test(tc, no_level_is_ahead_while_another_one_forbids_it, 0, RP_LEVELS * 8);
	tcase_add_loop_test(tc, ahead_of_a_level_those_below_it_have_a_place, 0, RP_LEVELS * 8);
	tcase_add_test(tc, a_path_without_a_section_is_ahead_on_two_levels);
	tcase_add_loop_test(tc, nothing_is_ahead_at_a_host_that_has_not_proven_itself, 0,
			    RP_LEVELS);
	tcase_add_test(tc, tokens_that_were_not_spent_come_back_on_each_level);
	tcase_add_test(tc, a_move_counts_on_each_level);
	tcase_add_loop_test(tc, a_path_takes_what_lacks_a_place_along_into_a_section_and_out_of_it,
			    0, RP_LEVELS);
	tcase_add_test(tc, a_path_takes_its_entries_along_into_a_section_and_out_of_it);
	suite_add_tcase(s, tc);
	tc = tcase_create("settle");
	tcase_add_checked_fixture(tc, setup_host, NULL);
	tcase_add_loop_test(tc, a_path_counts_as_bad_once_until_any_answer_clears_its_host, 0,
			    N(tales));
	tcase_add_test(tc, one_sick_path_opens_its_own_breaker_and_no_other);
	tcase_add_test(tc, a_host_whose_paths_fail_opens_before_any_of_its_paths);
	tcase_add_loop_test(tc, an_open_host_is_probed_through_any_path, 0, 4);
	tcase_add_test(
	    tc, a_section_hears_of_results_and_has_neither_window_nor_breaker_that_follows_them);
	tcase_add_test(tc, the_windows_of_path_and_host_follow_their_answers);
	tcase_add_test(
	    tc,
	    a_host_that_was_well_opens_when_several_paths_fail_and_nothing_is_delivered_any_more);
	tcase_add_test(tc, a_receiver_disables_the_path_and_nothing_else);
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
