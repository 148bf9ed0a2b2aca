/* What becomes of an entry, event by event. The tables are the specification. */
#include "model/transition.h"

#include <check.h>

#define NOW INT64_C(1700000000000)
#define W RP_STATE_WAITING
#define F RP_STATE_IN_FLIGHT
#define H RP_STATE_HELD
#define OK RP_STATE_DELIVERED
#define X RP_STATE_DEAD
#define ENDPOINT 7
#define SLOT 3
#define CLAIM 12

/* An entry that has seen something: every value is one that no event sets, so that what an event
 * leaves alone is seen to stay. */
static struct rp_delivery entry_in(enum rp_state state)
{
	return (struct rp_delivery){
	    .state = state,
	    .cause = state == X ? RP_CAUSE_EXHAUSTED : RP_CAUSE_TIMEOUT,
	    .last_cause = RP_CAUSE_TIMEOUT,
	    .http_status = 599,
	    .slot = SLOT,
	    .failures = 2,
	    .losses = 1,
	    .replays = 4,
	    .attempts = 9,
	    .claim_no = CLAIM,
	    .endpoint = ENDPOINT,
	    .due_at_ms = NOW - 10,
	    .state_at_ms = NOW - 5,
	    .budget_at_ms = NOW - 1000,
	    .expires_at_ms = NOW + 1000,
	    .order_key = 77,
	};
}

static void check_same(const struct rp_delivery *is, const struct rp_delivery *want,
		       const char *what)
{
	ck_assert_msg(is->state == want->state, "%s: state %d", what, (int)is->state);
	ck_assert_msg(is->cause == want->cause, "%s: cause %d", what, (int)is->cause);
	ck_assert_msg(is->last_cause == want->last_cause, "%s: last_cause", what);
	ck_assert_msg(is->http_status == want->http_status, "%s: status", what);
	ck_assert_msg(is->slot == want->slot, "%s: slot", what);
	ck_assert_msg(is->failures == want->failures, "%s: failures %u", what, is->failures);
	ck_assert_msg(is->losses == want->losses, "%s: losses %u", what, is->losses);
	ck_assert_msg(is->replays == want->replays, "%s: replays", what);
	ck_assert_msg(is->attempts == want->attempts, "%s: attempts %u", what, is->attempts);
	ck_assert_msg(is->claim_no == want->claim_no, "%s: claim_no", what);
	ck_assert_msg(is->endpoint == want->endpoint, "%s: endpoint", what);
	ck_assert_msg(is->due_at_ms == want->due_at_ms, "%s: due %lld", what,
		      (long long)(is->due_at_ms - NOW));
	ck_assert_msg(is->state_at_ms == want->state_at_ms, "%s: state_at", what);
	ck_assert_msg(is->budget_at_ms == want->budget_at_ms, "%s: budget", what);
	ck_assert_msg(is->expires_at_ms == want->expires_at_ms, "%s: expires", what);
	ck_assert_msg(is->order_key == want->order_key, "%s: order_key", what);
	ck_assert_msg(is->behind == want->behind, "%s: behind", what);
	ck_assert_msg(is->lacks == want->lacks, "%s: lacks %x", what, is->lacks);
}

/* --- a new entry -------------------------------------------------------------------- */

START_TEST(a_new_entry_is_due_when_its_caller_wants_it)
{
	static const struct {
		int64_t not_before_at_ms, due_at_ms;
	} cases[] = {{0, NOW}, {NOW - 1, NOW}, {NOW, NOW}, {NOW + 1, NOW + 1}};
	struct rp_acceptance a = {ENDPOINT, 77, cases[_i].not_before_at_ms, NOW + 1000};
	struct rp_delivery d, want = {.state = W,
				      .endpoint = ENDPOINT,
				      .order_key = 77,
				      .due_at_ms = cases[_i].due_at_ms,
				      .budget_at_ms = cases[_i].due_at_ms,
				      .expires_at_ms = NOW + 1000};

	rp_transition_append(&a, NOW, &d);
	check_same(&d, &want, "append");
}
END_TEST

START_TEST(an_import_keeps_what_was_and_no_claim)
{
	struct rp_delivery there = entry_in(H), want = entry_in(H), d;

	there.endpoint = 1;
	there.order_key = 2;
	there.behind = true;
	there.lacks = 5;
	want.slot = 0;
	want.claim_no = 0;
	rp_transition_import(&there, ENDPOINT, 77, &d);
	check_same(&d, &want, "import");
}
END_TEST

/* Only what is in flight can be without a place: all moves end here. */
START_TEST(what_leaves_the_flight_lacks_no_place)
{
	static const enum rp_state all[] = {W, F, H, OK, X};
	const enum rp_state state = all[_i / 2];
	struct rp_delivery from = entry_in(_i % 2 == 0 ? F : W), to = entry_in(state);

	from.lacks = to.lacks = 6;
	rp_transition_enter(&from, &to, NOW);
	ck_assert_uint_eq(to.lacks, state == F ? 6 : 0);
}
END_TEST

START_TEST(the_time_of_a_state_is_that_of_the_move_into_it)
{
	static const struct {
		const char *what;
		enum rp_state from; /* 0: it is new */
		enum rp_state to;
		int64_t brought_at_ms, at_ms;
	} cases[] = {
	    {"it is new", 0, W, 0, NOW},
	    {"it brought its time along", 0, X, NOW - 99, NOW - 99},
	    {"another state", W, F, NOW - 99, NOW},
	    {"the same state", W, W, NOW - 99, NOW - 99},
	};
	struct rp_delivery from = {.state = cases[_i].from};
	struct rp_delivery to = {.state = cases[_i].to, .state_at_ms = cases[_i].brought_at_ms};

	rp_transition_enter(from.state != 0 ? &from : NULL, &to, NOW);
	ck_assert_msg(to.state_at_ms == cases[_i].at_ms, "%s", cases[_i].what);
}
END_TEST

/* --- claim -------------------------------------------------------------------------- */

static const struct {
	const char *what;
	enum rp_state state;
	bool behind;
	int64_t expires_at_ms;
	struct rp_claim_try by; /* endpoint 0, due 0: the entry's own */
	enum rp_claim_verdict verdict;
	enum rp_cause cause; /* of one that dies */
} claims[] = {
    {"it waits", W, false, 0, {0}, RP_CLAIM_TAKEN, 0},
    {"it expires later", W, false, NOW + 1, {0}, RP_CLAIM_TAKEN, 0},
    {"it expires now", W, false, NOW, {0}, RP_CLAIM_DEAD, RP_CAUSE_EXPIRED},
    {"its endpoint is gone", W, false, 0, {.endpoint_is_gone = true}, RP_CLAIM_DEAD, RP_CAUSE_GONE},
    {"gone goes before expired",
     W,
     false,
     NOW,
     {.endpoint_is_gone = true},
     RP_CLAIM_DEAD,
     RP_CAUSE_GONE},
    {"its record is damaged", W, false, 0, {.damaged = true}, RP_CLAIM_DEAD, RP_CAUSE_DAMAGED},
    {"damaged, whatever it seems to be",
     F,
     true,
     0,
     {.damaged = true, .endpoint = 8},
     RP_CLAIM_DEAD,
     RP_CAUSE_DAMAGED},
    {"another is in front", W, true, 0, {0}, RP_CLAIM_STRAY, 0},
    {"somebody has it", F, false, 0, {0}, RP_CLAIM_STRAY, 0},
    {"it is held", H, false, 0, {0}, RP_CLAIM_STRAY, 0},
    {"it is delivered", OK, false, 0, {0}, RP_CLAIM_STRAY, 0},
    {"it is dead", X, false, 0, {0}, RP_CLAIM_STRAY, 0},
    {"it is another endpoint's", W, false, 0, {.endpoint = 8}, RP_CLAIM_STRAY, 0},
    {"it is due at another time", W, false, 0, {.due_at_ms = NOW - 11}, RP_CLAIM_STRAY, 0},
    {"a stray row of a gone endpoint", W, true, 0, {.endpoint_is_gone = true}, RP_CLAIM_STRAY, 0},
};

START_TEST(a_claim_takes_what_waits_and_buries_what_must_not_go)
{
	struct rp_delivery from = entry_in(claims[_i].state), want, to;
	struct rp_claim_try by = claims[_i].by;

	from.behind = claims[_i].behind;
	from.expires_at_ms = claims[_i].expires_at_ms;
	by.endpoint = by.endpoint != 0 ? by.endpoint : ENDPOINT;
	by.due_at_ms = by.due_at_ms != 0 ? by.due_at_ms : from.due_at_ms;
	by.slot = SLOT + 1;
	by.now_at_ms = NOW;
	want = to = from;
	if (claims[_i].verdict == RP_CLAIM_TAKEN) {
		want.state = F;
		want.slot = SLOT + 1;
		want.claim_no++;
		want.attempts++;
	} else if (claims[_i].verdict == RP_CLAIM_DEAD) {
		want.state = X;
		want.cause = claims[_i].cause;
	}
	ck_assert_msg(rp_transition_claim(&from, &by, &to) == claims[_i].verdict, "%s",
		      claims[_i].what);
	check_same(&to, &want, claims[_i].what);
}
END_TEST

/* Whatever claim it has lost before has left nothing. */
START_TEST(a_claim_lacks_the_places_that_it_is_ahead_of)
{
	struct rp_delivery from = entry_in(W), want, to;
	struct rp_claim_try by = {.endpoint = ENDPOINT,
				  .due_at_ms = NOW - 10,
				  .slot = SLOT,
				  .lacks = (unsigned)_i,
				  .now_at_ms = NOW};

	from.lacks = 7u - (unsigned)_i;
	want = from;
	want.state = F;
	want.claim_no++;
	want.attempts++;
	want.lacks = (unsigned)_i;
	ck_assert_int_eq(rp_transition_claim(&from, &by, &to), RP_CLAIM_TAKEN);
	check_same(&to, &want, "claim");
	/* one that dies does not */
	by.endpoint_is_gone = true;
	ck_assert_int_eq(rp_transition_claim(&from, &by, &to), RP_CLAIM_DEAD);
	rp_transition_enter(&from, &to, NOW);
	ck_assert_uint_eq(to.lacks, 0);
}
END_TEST

static const struct {
	const char *what;
	enum rp_state state;
	uint32_t claim_no;
	unsigned lacks;
	bool taken;
} heirs[] = {
    {"it lacks places on all levels", F, CLAIM, 7, true},
    {"it lacks one place", F, CLAIM, RP_LACKS(1), true},
    {"it lacks none", F, CLAIM, 0, false},
    {"it was lost, and another has it", F, CLAIM + 1, 7, false},
    {"it was lost", W, CLAIM, 7, false},
    {"it is over", OK, CLAIM, 7, false},
    {"it is dead", X, CLAIM, 7, false},
    {"it was lost and is held", H, CLAIM, 7, false},
};

START_TEST(a_claim_takes_the_places_of_another_when_it_lacks_them)
{
	struct rp_delivery from = entry_in(heirs[_i].state), want, to;

	from.claim_no = heirs[_i].claim_no;
	from.lacks = heirs[_i].lacks;
	want = to = from;
	if (heirs[_i].taken)
		want.lacks = 0;
	ck_assert_msg(rp_transition_take_places(&from, CLAIM, &to) == heirs[_i].taken, "%s",
		      heirs[_i].what);
	check_same(&to, &want, heirs[_i].what);
}
END_TEST

START_TEST(what_is_set_aside_is_dead_of_damage)
{
	struct rp_delivery from = entry_in(H), want = entry_in(H), to;

	want.state = X;
	want.cause = RP_CAUSE_DAMAGED;
	rp_transition_set_aside(&from, &to);
	check_same(&to, &want, "set aside");
}
END_TEST

/* --- settle ------------------------------------------------------------------------- */

static const struct rp_outcome came_503 = {.cause = RP_CAUSE_HTTP, .http_status = 503};
static const struct rp_outcome came_204 = {.cause = RP_CAUSE_NONE, .http_status = 204};

/* Each as it leaves an entry_in(F); zero stands for "as before" where that is not a value. */
static const struct {
	const char *what;
	struct rp_settle_try s;
	enum rp_state state;
	enum rp_cause cause, last_cause;
	unsigned http_status, failures, losses;
	uint32_t attempts;
	int64_t due_at_ms;
	bool is_attempt;
} settles[] = {
    {"delivered: its failures stay told, its losses are over",
     {.kind = RP_SETTLE_DELIVERED, .outcome = &came_204},
     OK,
     RP_CAUSE_NONE,
     RP_CAUSE_NONE,
     204,
     2,
     0,
     9,
     NOW - 10,
     true},
    {"again: a failure more, due when it is to be",
     {.kind = RP_SETTLE_RETRY, .cause = RP_CAUSE_HTTP, .due_at_ms = NOW + 50, .outcome = &came_503},
     W,
     RP_CAUSE_HTTP,
     RP_CAUSE_HTTP,
     503,
     3,
     0,
     9,
     NOW + 50,
     true},
    {"dead: of its own cause, with the last attempt's beside it",
     {.kind = RP_SETTLE_DEAD,
      .cause = RP_CAUSE_EXHAUSTED,
      .due_at_ms = NOW + 50,
      .outcome = &came_503},
     X,
     RP_CAUSE_EXHAUSTED,
     RP_CAUSE_HTTP,
     503,
     3,
     0,
     9,
     NOW - 10,
     true},
    {"returned: as if never claimed",
     {.kind = RP_SETTLE_RETURN},
     W,
     RP_CAUSE_TIMEOUT,
     RP_CAUSE_TIMEOUT,
     599,
     2,
     1,
     8,
     NOW - 10,
     false},
    {"parked: the same, and it says of what",
     {.kind = RP_SETTLE_PARK, .cause = RP_CAUSE_NO_KEY, .due_at_ms = NOW + 50},
     W,
     RP_CAUSE_TIMEOUT,
     RP_CAUSE_NO_KEY,
     0,
     2,
     1,
     8,
     NOW - 10,
     false},
};

START_TEST(a_settle_makes_of_a_claim_what_the_table_says)
{
	struct rp_delivery from = entry_in(F), want = entry_in(F), to;
	struct rp_settle_try s = settles[_i].s;

	s.claim_no = CLAIM;
	want.state = settles[_i].state;
	want.cause = settles[_i].cause;
	want.last_cause = settles[_i].last_cause;
	want.http_status = settles[_i].http_status;
	want.failures = settles[_i].failures;
	want.losses = settles[_i].losses;
	want.attempts = settles[_i].attempts;
	want.due_at_ms = settles[_i].due_at_ms;
	ck_assert_int_eq(rp_transition_settle(&from, &s, &to), RP_SETTLED);
	check_same(&to, &want, settles[_i].what);
	ck_assert(rp_settle_is_attempt(s.kind) == settles[_i].is_attempt);
}
END_TEST

static const struct {
	const char *what;
	enum rp_state state; /* what the entry has become */
	uint32_t claim_no;   /* of whoever had it last */
	enum rp_settle_kind kind;
	enum rp_settle_verdict verdict;
} late[] = {
    {"given back", W, CLAIM, RP_SETTLE_DELIVERED, RP_SETTLED_LATE},
    {"given back and held", H, CLAIM, RP_SETTLE_DELIVERED, RP_SETTLED_LATE},
    {"given up", X, CLAIM, RP_SETTLE_DELIVERED, RP_SETTLED_LATE},
    {"claimed again", F, CLAIM + 1, RP_SETTLE_DELIVERED, RP_SETTLED_LATE},
    {"delivered by another", OK, CLAIM + 1, RP_SETTLE_DELIVERED, RP_SETTLED_STALE},
    {"a failure of what waits", W, CLAIM, RP_SETTLE_RETRY, RP_SETTLED_STALE},
    {"a failure of what another has", F, CLAIM + 1, RP_SETTLE_RETRY, RP_SETTLED_STALE},
    {"a death of what another has", F, CLAIM + 1, RP_SETTLE_DEAD, RP_SETTLED_STALE},
    {"a return of what another has", F, CLAIM + 1, RP_SETTLE_RETURN, RP_SETTLED_STALE},
    {"a park of what another has", F, CLAIM + 1, RP_SETTLE_PARK, RP_SETTLED_STALE},
};

START_TEST(of_a_lost_claim_only_the_good_news_counts)
{
	struct rp_delivery from = entry_in(late[_i].state), want, to;
	struct rp_settle_try s = {.kind = late[_i].kind, .claim_no = CLAIM, .outcome = &came_204};

	from.claim_no = late[_i].claim_no;
	want = to = from;
	if (late[_i].verdict == RP_SETTLED_LATE) {
		want.state = OK;
		want.cause = want.last_cause = RP_CAUSE_NONE;
		want.http_status = 204;
		want.losses = 0;
	}
	ck_assert_msg(rp_transition_settle(&from, &s, &to) == late[_i].verdict, "%s",
		      late[_i].what);
	check_same(&to, &want, late[_i].what);
}
END_TEST

/* --- the sender is lost ------------------------------------------------------------- */

static const struct {
	const char *what;
	unsigned losses; /* before */
	bool damaged;
	enum rp_state state;
	enum rp_cause cause;
	int64_t delay_ms;
} losses[] = {
    {"the first", 0, false, W, RP_CAUSE_SENDER_LOST, 0},
    {"three are free", 2, false, W, RP_CAUSE_SENDER_LOST, 0},
    {"the fourth waits", 3, false, W, RP_CAUSE_SENDER_LOST, 1000},
    {"the fifth waits twice as long", 4, false, W, RP_CAUSE_SENDER_LOST, 2000},
    {"no more than five minutes", 14, false, W, RP_CAUSE_SENDER_LOST, 300000},
    {"the last", RP_LOSSES_MAX - 1, false, X, RP_CAUSE_POISON, 300000},
    {"a damaged record is not tried again", 0, true, X, RP_CAUSE_DAMAGED, 0},
};

START_TEST(a_lost_sender_gives_its_entries_back_but_not_for_ever)
{
	const struct rp_lost_sender sender = {SLOT, 4711};
	struct rp_delivery from = entry_in(F), want, to;
	struct rp_attempt a;

	from.losses = losses[_i].losses;
	want = from;
	want.losses++;
	want.state = losses[_i].state;
	want.cause = losses[_i].cause;
	want.last_cause = RP_CAUSE_SENDER_LOST;
	want.http_status = 0;
	want.due_at_ms = NOW + losses[_i].delay_ms;
	ck_assert(rp_transition_lost(&from, losses[_i].damaged, &sender, NOW, &to, &a));
	check_same(&to, &want, losses[_i].what);
	ck_assert_int_eq(a.outcome.cause, RP_CAUSE_SENDER_LOST);
	ck_assert_int_eq(a.outcome.duration_us, 0);
	ck_assert_uint_eq(a.slot, SLOT);
	ck_assert_uint_eq(a.pid, 4711);
	ck_assert_int_eq(a.started_at_ms, from.state_at_ms);
	ck_assert(!a.late);
}
END_TEST

START_TEST(a_lost_sender_gives_nothing_back_that_it_does_not_have)
{
	static const struct {
		enum rp_state state;
		unsigned slot;
	} cases[] = {{W, SLOT}, {H, SLOT}, {OK, SLOT}, {X, SLOT}, {F, SLOT + 1}};
	const struct rp_lost_sender sender = {SLOT, 4711};
	struct rp_delivery from = entry_in(cases[_i].state), to;
	struct rp_attempt a;

	from.slot = cases[_i].slot;
	ck_assert(!rp_transition_lost(&from, false, &sender, NOW, &to, &a));
	ck_assert(!rp_transition_lost(&from, true, &sender, NOW, &to, &a));
}
END_TEST

/* --- what operators want ------------------------------------------------------------ */

#define DONE RP_CHANGED_DONE
#define IN_FLIGHT_TOO RP_CHANGED_DONE_IN_FLIGHT
#define FLIES RP_CHANGED_SKIPPED_IN_FLIGHT
#define NO RP_CHANGED_SKIPPED_STATE

static const struct {
	enum rp_change verb;
	/* of an entry that is waiting, in flight, held, delivered, dead */
	enum rp_changed of[RP_STATE_COUNT - 1];
	enum rp_state becomes; /* 0: it is removed */
} verbs[] = {
    {RP_CHANGE_REPLAY, {DONE, FLIES, DONE, DONE, DONE}, W},
    {RP_CHANGE_HOLD, {DONE, FLIES, NO, NO, NO}, H},
    {RP_CHANGE_RELEASE, {NO, FLIES, DONE, NO, NO}, W},
    {RP_CHANGE_PURGE, {DONE, IN_FLIGHT_TOO, DONE, DONE, DONE}, 0},
};
static const enum rp_state states[] = {W, F, H, OK, X};

START_TEST(a_verb_applies_to_the_states_of_the_table)
{
	size_t i;

	for (i = 0; i < RP_STATE_COUNT - 1; i++) {
		struct rp_delivery from = entry_in(states[i]), to, want;
		enum rp_changed is;

		want = to = from;
		is = rp_transition_change(&from, verbs[_i].verb, 0, 0, NOW, &to);
		ck_assert_msg(is == verbs[_i].of[i], "verb %d, state %d: %d", (int)verbs[_i].verb,
			      (int)states[i], (int)is);
		if (rp_changed_is_done(is) && verbs[_i].becomes != 0)
			want.state = verbs[_i].becomes;
		if (is == DONE && verbs[_i].verb == RP_CHANGE_REPLAY) {
			want.cause = RP_CAUSE_NONE;
			want.due_at_ms = want.budget_at_ms = NOW;
			want.expires_at_ms = 0;
			want.failures = want.losses = 0;
			want.replays++;
		}
		check_same(&to, &want, "verb");
	}
}
END_TEST

START_TEST(what_was_selected_by_its_state_and_has_moved_on_is_left_alone)
{
	struct rp_delivery dead = entry_in(X), to;

	ck_assert_int_eq(rp_transition_change(&dead, verbs[_i].verb, 1u << W, 0, NOW, &to), NO);
	if (verbs[_i].of[4] == DONE)
		ck_assert_int_eq(
		    rp_transition_change(&dead, verbs[_i].verb, 1u << W | 1u << X, 0, NOW, &to),
		    DONE);
}
END_TEST

START_TEST(of_an_entry_whose_endpoint_nobody_knows_there_is_only_the_purge)
{
	size_t i;

	for (i = 0; i < RP_STATE_COUNT - 1; i++) {
		struct rp_delivery from = entry_in(states[i]), to;
		enum rp_changed is;

		from.endpoint = RP_EP_UNKNOWN;
		is = rp_transition_change(&from, verbs[_i].verb, 0, 0, NOW, &to);
		ck_assert(is == (verbs[_i].verb == RP_CHANGE_PURGE ? verbs[_i].of[i] : NO));
	}
}
END_TEST

START_TEST(done_is_what_was_done)
{
	ck_assert(rp_changed_is_done(DONE) && rp_changed_is_done(IN_FLIGHT_TOO));
	ck_assert(!rp_changed_is_done(FLIES) && !rp_changed_is_done(NO));
	ck_assert(!rp_changed_is_done(RP_CHANGED_NOT_FOUND));
}
END_TEST

START_TEST(what_is_over_is_kept_for_its_time)
{
	ck_assert(!rp_transition_is_expired(NOW - 99, 100, NOW));
	ck_assert(rp_transition_is_expired(NOW - 100, 100, NOW));
	ck_assert(!rp_transition_is_expired(0, 0, NOW)); /* for ever */
}
END_TEST

/* --- its place in an order, and a clock that was set back --------------------------- */

/* Of an entry that got its state at NOW + state_in_ms, and was to be due at NOW + due_in_ms. */
static const struct {
	const char *what;
	int64_t state_in_ms, due_in_ms;
	unsigned failures, losses;
	uint32_t replays;
	int64_t not_before_in_ms;
	int64_t is_due_in_ms;
} dues[] = {
    {"the clock is right", -5, 70, 1, 0, 0, 99, 70},
    {"the clock is right, to the millisecond", 0, 70, 1, 0, 0, 99, 70},
    {"a retry keeps its delay", 1000, 1070, 1, 0, 0, 99, 70},
    {"a lost one keeps its delay", 1000, 1070, 0, 1, 0, 0, 70},
    {"a delay that was over is over", 1000, 900, 1, 0, 0, 0, 0},
    {"what never failed has no delay", 1000, 1070, 0, 0, 0, 0, 0},
    {"what its caller asked for stays", 1000, 1070, 0, 0, 0, 99, 99},
    {"... unless it is later anyway", 1000, 1170, 0, 1, 0, 99, 170},
    {"... or has failed since", 1000, 1070, 1, 0, 0, 99, 70},
    {"... or an operator sent it at once", 1000, 1000, 0, 0, 1, 99, 0},
};

static struct rp_delivery due_entry(int i)
{
	struct rp_delivery d = entry_in(W);

	d.state_at_ms = NOW + dues[i].state_in_ms;
	d.due_at_ms = NOW + dues[i].due_in_ms;
	d.failures = dues[i].failures;
	d.losses = dues[i].losses;
	d.replays = dues[i].replays;
	return d;
}

START_TEST(an_entry_is_due_by_this_clock)
{
	struct rp_delivery d = due_entry(_i);
	int64_t not_before_at_ms = NOW + dues[_i].not_before_in_ms, due_at_ms;

	if (!rp_transition_asks_not_before(&d, NOW)) /* then it makes no difference */
		ck_assert_int_eq(rp_transition_due_at_ms(&d, 0, NOW),
				 rp_transition_due_at_ms(&d, not_before_at_ms, NOW));
	due_at_ms = rp_transition_due_at_ms(&d, not_before_at_ms, NOW);
	ck_assert_msg(due_at_ms == NOW + dues[_i].is_due_in_ms, "%s: %lld", dues[_i].what,
		      (long long)(due_at_ms - NOW));
	ck_assert(rp_transition_is_ahead(&d, NOW) == (dues[_i].state_in_ms > 0));
}
END_TEST

START_TEST(a_release_is_due_when_it_was_due_before)
{
	struct rp_delivery from = due_entry(_i), to;

	from.state = H;
	ck_assert_int_eq(rp_transition_change(&from, RP_CHANGE_RELEASE, 0,
					      NOW + dues[_i].not_before_in_ms, NOW, &to),
			 DONE);
	ck_assert_msg(to.due_at_ms == NOW + dues[_i].is_due_in_ms, "%s", dues[_i].what);
}
END_TEST

START_TEST(a_clock_that_was_set_back_puts_nobody_off)
{
	struct rp_delivery d = due_entry(_i), want = due_entry(_i);
	int64_t due_at_ms = NOW + dues[_i].is_due_in_ms;

	want.due_at_ms = due_at_ms;
	want.state_at_ms = NOW;
	rp_transition_fix_clock(&d, NOW + dues[_i].not_before_in_ms, NOW);
	check_same(&d, &want, dues[_i].what); /* its budget began in the past, and stays */
	d = due_entry(_i);
	d.budget_at_ms = NOW + 1;
	rp_transition_fix_clock(&d, NOW + dues[_i].not_before_in_ms, NOW);
	ck_assert_int_eq(d.budget_at_ms, dues[_i].failures > 0 ? NOW : due_at_ms);
	ck_assert(!rp_transition_is_ahead(&d, NOW));
}
END_TEST

START_TEST(the_time_behind_another_costs_nothing)
{
	static const struct {
		const char *what;
		unsigned failures;
		int64_t due_in_ms, is_due_in_ms;
		bool new_budget;
	} cases[] = {
	    {"it was due long ago", 0, -500, 0, true},
	    {"it is due later", 0, 500, 500, true},
	    {"it has failed before", 1, -500, 0, false},
	    {"its delay is not over", 1, 500, 500, false},
	};
	struct rp_delivery d = entry_in(W), want;

	d.behind = true;
	d.failures = cases[_i].failures;
	d.due_at_ms = NOW + cases[_i].due_in_ms;
	want = d;
	want.behind = false;
	want.due_at_ms = NOW + cases[_i].is_due_in_ms;
	if (cases[_i].new_budget)
		want.budget_at_ms = want.due_at_ms;
	rp_transition_place(&d, false, 0, NOW);
	check_same(&d, &want, cases[_i].what);
	want.behind = true;
	rp_transition_place(&d, true, 0, NOW);
	check_same(&d, &want, "behind again");
}
END_TEST

#define N(table) (sizeof(table) / sizeof(table)[0])

static TCase *claim_and_settle(void)
{
	TCase *tc = tcase_create("claim and settle");

	tcase_add_loop_test(tc, a_new_entry_is_due_when_its_caller_wants_it, 0, 4);
	tcase_add_test(tc, an_import_keeps_what_was_and_no_claim);
	tcase_add_loop_test(tc, what_leaves_the_flight_lacks_no_place, 0, 10);
	tcase_add_loop_test(tc, the_time_of_a_state_is_that_of_the_move_into_it, 0, 4);
	tcase_add_loop_test(tc, a_claim_takes_what_waits_and_buries_what_must_not_go, 0, N(claims));
	tcase_add_loop_test(tc, a_claim_lacks_the_places_that_it_is_ahead_of, 0,
			    RP_LACKS(RP_LEVELS));
	tcase_add_loop_test(tc, a_claim_takes_the_places_of_another_when_it_lacks_them, 0,
			    N(heirs));
	tcase_add_test(tc, what_is_set_aside_is_dead_of_damage);
	tcase_add_loop_test(tc, a_settle_makes_of_a_claim_what_the_table_says, 0, N(settles));
	tcase_add_loop_test(tc, of_a_lost_claim_only_the_good_news_counts, 0, N(late));
	tcase_add_loop_test(tc, a_lost_sender_gives_its_entries_back_but_not_for_ever, 0,
			    N(losses));
	tcase_add_loop_test(tc, a_lost_sender_gives_nothing_back_that_it_does_not_have, 0, 5);
	return tc;
}

static TCase *verbs_and_times(void)
{
	TCase *tc = tcase_create("verbs and times");

	tcase_add_loop_test(tc, a_verb_applies_to_the_states_of_the_table, 0, N(verbs));
	tcase_add_loop_test(tc, what_was_selected_by_its_state_and_has_moved_on_is_left_alone, 0,
			    N(verbs));
	tcase_add_loop_test(tc, of_an_entry_whose_endpoint_nobody_knows_there_is_only_the_purge, 0,
			    N(verbs));
	tcase_add_test(tc, done_is_what_was_done);
	tcase_add_test(tc, what_is_over_is_kept_for_its_time);
	tcase_add_loop_test(tc, an_entry_is_due_by_this_clock, 0, N(dues));
	tcase_add_loop_test(tc, a_release_is_due_when_it_was_due_before, 0, N(dues));
	tcase_add_loop_test(tc, a_clock_that_was_set_back_puts_nobody_off, 0, N(dues));
	tcase_add_loop_test(tc, the_time_behind_another_costs_nothing, 0, 4);
	return tc;
}

int main(void)
{
	Suite *s = suite_create("transition");
	SRunner *sr;
	int failed;

	suite_add_tcase(s, claim_and_settle());
	suite_add_tcase(s, verbs_and_times());
	sr = srunner_create(s);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed != 0;
}
