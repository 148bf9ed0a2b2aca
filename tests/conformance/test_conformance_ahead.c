/* Claims ahead of their places, and places that are passed on. The limit of each level is three;
 * what has a place, and what lacks one, is looked at on all of them. */

#include <stdio.h>

#include "conformance/fixture.h"

#define N(table) ((int)(sizeof(table) / sizeof((table)[0])))
#define PATH(host, n) ((unsigned)((n) == 0 ? (host) : (host)*FX_PATHS + (n)))
#define THREE ((struct rp_limits){.in_flight = 3, .start = 3, .breaker = true})
#define WIDE ((struct rp_limits){.in_flight = 1000, .start = 1000, .breaker = true})
#define PATHS 12
#define LEASE_MS 10000

static struct rp_outcome overload = {
    .cause = RP_CAUSE_HTTP, .http_status = 503, .http_version = 11, .duration_us = 900};
static struct rp_outcome refused = {.cause = RP_CAUSE_CONNECT};

/* --- levels ------------------------------------------------------------------------------ */

static uint64_t id_of(int level)
{
	uint64_t id = 0;

	if (level == RP_LEVEL_PATH)
		return fx_endpoint(1);
	fx_must(rp_outbox_endpoint_find(fx.ob, (enum rp_level)level,
					rp_span_of(level == RP_LEVEL_SECTION
						       ? "https://k1.example [shared]"
						       : "https://k1.example"),
					&id, &fx.err),
		"endpoint_find");
	return id;
}

static bool see(void *arg, uint64_t id, struct rp_span name, const struct rp_endpoint *e)
{
	(void)id;
	(void)name;
	*(struct rp_endpoint *)arg = *e;
	return true;
}

static struct rp_endpoint record(int level)
{
	struct rp_endpoint e = {.level = RP_LEVELS};

	fx_must(rp_outbox_endpoints(fx.ob,
				    (struct rp_endpoints_which){RP_ENDPOINTS_ONE, id_of(level)},
				    see, &e, &fx.err),
		"endpoints");
	ck_assert_int_eq(e.level, level);
	return e;
}

static void are_in_use(int level, uint64_t places, uint32_t lacking)
{
	const struct rp_endpoint e = record(level);

	ck_assert_uint_eq(rp_endpoint_in_use(&e), places);
	ck_assert_uint_eq(e.lacking[level], lacking);
	ck_assert_uint_eq(e.count[RP_STATE_IN_FLIGHT], places + lacking);
}

static struct rp_limits *limits_of(int level)
{
	return level == RP_LEVEL_PATH      ? &fx.limits
	       : level == RP_LEVEL_SECTION ? &fx.section_limits
					   : &fx.host_limits;
}

/* --- claims ------------------------------------------------------------------------------ */

static struct rp_claim c[FX_CLAIMS_MAX]; /* those of the last call here */

static void keep_claims(size_t n)
{
	ck_assert_uint_eq(fx.n_claims, n);
	memcpy(c, fx.claims, n * sizeof c[0]);
}

/* For one path of a host, or for one after the other of twelve. */
static void append(int level, unsigned n)
{
	unsigned k;

	for (k = 0; k < n; k++)
		fx_append(level == RP_LEVEL_PATH ? 1 : PATH(1, k % PATHS), 1);
}

/* All paths have asked for their limits, and delivered. */
static void meet_paths(void)
{
	unsigned k;

	for (k = 0; k < PATHS; k++) {
		struct rp_claim first;

		fx_append(PATH(1, k), 1);
		first = fx_claim();
		ck_assert(!fx_settle(&first, RP_SETTLE_DELIVERED));
	}
}

static void set_limits(int level)
{
	fx.limits = fx.section_limits = fx.host_limits = WIDE;
	*limits_of(level) = THREE;
}

/* Nobody gets anything there. */
static void nothing_is_free(void)
{
	fx_exchange(10, NULL, 0);
	ck_assert_uint_eq(fx.n_claims, 0);
}

/* So many places are free, and no more. They are taken. */
static void are_free(size_t n)
{
	fx_exchange(10, NULL, 0);
	ck_assert_uint_eq(fx.n_claims, n);
}

/* The host has proven itself. One level has three places, which are taken by c[0] to c[2]; more
 * wait, on that many paths of a section or host. */
static void fill(int level, unsigned waiting)
{
	set_limits(level);
	meet_paths();
	append(level, 3 + waiting);
	fx_exchange(3, NULL, 0);
	keep_claims(3);
}

/* fill(), and then c[0] to c[n - 1] lack places, and `had` are those that have them. */
static struct rp_claim had[3];

static void fill_and_claim_ahead(int level, unsigned n)
{
	fill(level, n + 2);
	memcpy(had, c, sizeof had);
	fx_claim_ahead(id_of(level), n);
	keep_claims(n);
}

static struct rp_settlement pass(const struct rp_claim *from, const struct rp_claim *to)
{
	struct rp_settlement s = fx_settlement(from, RP_SETTLE_DELIVERED);

	s.passes_to_seq = to->seq;
	s.passes_to_claim_no = to->claim_no;
	return s;
}

static void pass_on(const struct rp_claim *from, const struct rp_claim *to)
{
	struct rp_settlement s = pass(from, to);

	fx_exchange(0, &s, 1);
	ck_assert(!s.stale);
}

/* --- ahead of places --------------------------------------------------------------------- */

static bool are_places_lost(struct rp_claim *claim, const struct rp_claim *of)
{
	struct rp_dispatch d = {.short_max = 0};
	bool lost;

	if (of != NULL)
		claim->places_of[1] = (struct rp_claim_ref){of->seq, of->claim_no};
	fx_must(rp_outbox_fetch(fx.ob, claim, &d, &fx.err), "fetch");
	lost = d.places_lost;
	rp_dispatch_release(&d);
	return lost;
}

START_TEST(a_claim_has_no_places_of_one_that_was_lost)
{
	fill_and_claim_ahead(_i, 2);
	ck_assert(are_places_lost(&c[0], NULL));
	ck_assert(!are_places_lost(&c[0], &had[0]));
	ck_assert(are_places_lost(&c[1], &c[0])); /* which has none either */
	ck_assert_int_eq(fx_change(RP_CHANGE_PURGE, had[0].seq), RP_CHANGED_DONE_IN_FLIGHT);
	ck_assert(are_places_lost(&c[0], &had[0]));
	pass_on(&had[1], &c[0]);
	ck_assert(!are_places_lost(&c[0], &had[1]));
	ck_assert(!are_places_lost(&c[1], &c[0]));
}
END_TEST

START_TEST(as_many_are_claimed_ahead_as_are_wanted)
{
	size_t i;
	int l;

	fill(_i, 9);
	fx_claim_ahead(id_of(_i), 4);
	keep_claims(4);
	for (i = 0; i < 4; i++) {
		ck_assert_uint_eq(c[i].lacks, RP_LACKS(_i));
		ck_assert_uint_eq(fx_delivery(c[i].seq).lacks, RP_LACKS(_i));
		ck_assert_int_eq(fx_state(c[i].seq), RP_STATE_IN_FLIGHT);
		ck_assert_uint_eq(c[i].attempt, 1);
		ck_assert(!c[i].unproven && !rp_tokens_any(&c[i].tokens));
		for (l = 0; l < RP_LEVELS; l++)
			ck_assert(!c[i].probes[l]);
	}
	are_in_use(_i, 3, 4);
	for (l = 0; l < RP_LEVELS; l++)
		if (l > _i || (l < _i && l != RP_LEVEL_PATH))
			are_in_use(l, 7, 0); /* a place of their own on the other levels */
	nothing_is_free();
	ck_assert_int_eq(fx.next_ready_ms, RP_NEVER);
	fx_claim_ahead(id_of(_i), 9); /* what waits is less */
	keep_claims(5);
	are_in_use(_i, 3, 9);
}
END_TEST

START_TEST(what_has_a_place_is_claimed_before_what_lacks_one)
{
	size_t i;

	fill(_i, 6);
	fx_settle(&c[0], RP_SETTLE_DELIVERED);
	fx.ahead = (struct rp_claim_ahead){id_of(_i), 2};
	fx_exchange(9, NULL, 0);
	ck_assert_uint_eq(fx.n_claims, 3);
	for (i = 0; i < 3; i++)
		ck_assert_uint_eq(fx.claims[i].lacks, i == 0 ? 0 : RP_LACKS(_i));
	are_in_use(_i, 3, 2);
}
END_TEST

START_TEST(what_is_settled_in_an_exchange_is_free_before_it_claims_ahead)
{
	struct rp_settlement s;

	fill(_i, 4);
	s = fx_settlement(&c[1], RP_SETTLE_DELIVERED);
	fx.ahead = (struct rp_claim_ahead){id_of(_i), 4};
	fx_exchange(0, &s, 1);
	ck_assert_uint_eq(fx.n_claims, 0); /* a place is free after all */
	fx.ahead.want = 0;
	are_free(1);
}
END_TEST

START_TEST(where_nothing_waits_or_nobody_is_there_nothing_is_claimed_ahead)
{
	fill(_i, 0);
	fx_claim_ahead(id_of(_i), 4);
	ck_assert_uint_eq(fx.n_claims, 0);
	ck_assert(!fx.committed);
	append(_i, 1);
	fx_claim_ahead(id_of(_i) + 77, 4);
	ck_assert_uint_eq(fx.n_claims, 0);
	fx_claim_ahead(id_of(RP_LEVEL_HOST) << 1, 4);
	ck_assert_uint_eq(fx.n_claims, 0);
	ck_assert(!fx.committed);
}
END_TEST

START_TEST(a_claim_ahead_lacks_a_place_on_each_level_that_has_none)
{
	set_limits(RP_LEVEL_PATH);
	fx.host_limits = THREE;
	if (_i == 1)
		fx.section_limits = THREE;
	meet_paths();
	append(RP_LEVEL_PATH, 6);
	are_free(3);
	fx_claim_ahead(id_of(RP_LEVEL_PATH), 2);
	keep_claims(2);
	ck_assert_uint_eq(c[0].lacks, RP_LACKS(RP_LEVEL_PATH) | RP_LACKS(RP_LEVEL_HOST) |
					  (_i == 1 ? RP_LACKS(RP_LEVEL_SECTION) : 0));
	are_in_use(RP_LEVEL_PATH, 3, 2);
	are_in_use(RP_LEVEL_HOST, 3, 2);
	if (_i == 1)
		are_in_use(RP_LEVEL_SECTION, 3, 2);
}
END_TEST

/* From the level on that is asked for: whoever has places there has them above as well. */
START_TEST(ahead_of_a_level_only_what_has_its_place_below_is_claimed)
{
	set_limits(RP_LEVEL_HOST);
	if (_i == 1)
		fx.section_limits = THREE;
	meet_paths();
	append(RP_LEVEL_PATH, 3);
	are_free(3);
	fx_append(PATH(1, 5), 2);
	fx_claim_ahead(id_of(RP_LEVEL_PATH), 9); /* its own place is free */
	ck_assert_uint_eq(fx.n_claims, 0);
	fx_claim_ahead(id_of(RP_LEVEL_HOST), 9);
	ck_assert_uint_eq(fx.n_claims, _i == 1 ? 0 : 2);
	fx_claim_ahead(id_of(RP_LEVEL_SECTION), 9);
	ck_assert_uint_eq(fx.n_claims, _i == 1 ? 2 : 0);
	are_in_use(RP_LEVEL_HOST, 3, 2);
	if (_i == 1)
		are_in_use(RP_LEVEL_SECTION, 3, 2);
}
END_TEST

/* A path that is full itself waits for a place of its own, whatever its host has. */
START_TEST(ahead_of_a_host_no_path_goes_beyond_its_own_limit)
{
	size_t i, of_first = 0;

	set_limits(RP_LEVEL_HOST);
	fx.limits.in_flight = fx.limits.start = 2;
	meet_paths();
	append(RP_LEVEL_HOST, 3);
	are_free(3);
	fx_append(PATH(1, 4), 9);
	fx_append(PATH(1, 5), 1);
	fx_claim_ahead(id_of(RP_LEVEL_HOST), 9);
	ck_assert_uint_eq(fx.n_claims, 3);
	for (i = 0; i < fx.n_claims; i++) {
		ck_assert_uint_eq(fx.claims[i].lacks, RP_LACKS(RP_LEVEL_HOST));
		of_first += fx.claims[i].endpoint == fx_endpoint(PATH(1, 4));
	}
	ck_assert_uint_eq(of_first, 2);
	are_in_use(RP_LEVEL_HOST, 3, 3);
}
END_TEST

START_TEST(ahead_of_an_order_only_its_front_is_claimed)
{
	struct rp_new_entry n = fx_new(1);
	size_t i;

	fill(RP_LEVEL_PATH, 0);
	n.order_by = rp_span_of("thread");
	for (i = 0; i < 3; i++) {
		n.dedupe_key = fx_new(1).dedupe_key;
		fx_append_one(&n, NULL);
	}
	fx_claim_ahead(id_of(RP_LEVEL_PATH), 3);
	keep_claims(1);
	ck_assert(c[0].blocking);
	fx_claim_ahead(id_of(RP_LEVEL_PATH), 3);
	ck_assert_uint_eq(fx.n_claims, 0);
}
END_TEST

START_TEST(what_is_not_due_yet_is_not_claimed_ahead)
{
	struct rp_new_entry n;

	fill(RP_LEVEL_PATH, 0);
	n = fx_new(1);
	n.not_before_at_ms = fx.now_ms + 10;
	fx_append_one(&n, NULL);
	fx_claim_ahead(id_of(RP_LEVEL_PATH), 3);
	ck_assert_uint_eq(fx.n_claims, 0);
	fx.now_ms += 10;
	fx_claim_ahead(id_of(RP_LEVEL_PATH), 3);
	ck_assert_uint_eq(fx.n_claims, 1);
}
END_TEST

START_TEST(what_has_expired_dies_when_it_would_be_claimed_ahead)
{
	struct rp_new_entry n;
	uint64_t seq;

	fill(_i, 0);
	n = fx_new(1);
	n.expires_at_ms = fx.now_ms + 10;
	seq = fx_append_one(&n, NULL);
	fx_append(1, 1);
	fx.now_ms += 10;
	fx_claim_ahead(id_of(_i), 3);
	keep_claims(1);
	ck_assert_uint_eq(c[0].seq, seq + 1);
	ck_assert_uint_eq(fx.n_dead, 1);
	ck_assert_int_eq(fx_delivery(seq).cause, RP_CAUSE_EXPIRED);
	ck_assert_uint_eq(fx_delivery(seq).lacks, 0);
	are_in_use(_i, 3, 1);
}
END_TEST

START_TEST(a_claim_tells_on_which_levels_others_wait_for_a_place)
{
	size_t i;

	set_limits(_i);
	meet_paths();
	append(_i, 6);
	fx_exchange(9, NULL, 0);
	for (i = 0; i < 3; i++)
		ck_assert_uint_eq(fx.claims[i].full, i < 2 ? 0 : RP_LACKS(_i));
	fx_settle(&fx.claims[0], RP_SETTLE_DELIVERED);
	fx_exchange(9, NULL, 0);
	ck_assert_uint_eq(fx.n_claims, 1);
	ck_assert_uint_eq(fx.claims[0].full, RP_LACKS(_i));
	fx_claim_ahead(id_of(_i), 2);
	keep_claims(2);
	ck_assert_uint_eq(c[0].full, RP_LACKS(_i));
	ck_assert_uint_eq(c[1].full, 0); /* nobody waits any more */
}
END_TEST

/* --- never ahead where more than a place is wanted ----------------------------------------- */

static void pause_it(int level)
{
	fx_must(rp_outbox_endpoint_pause(fx.ob, fx.now_ms, id_of(level), true, &fx.err), "pause");
}

static void settle_as(const struct rp_claim *claim, struct rp_outcome *outcome)
{
	struct rp_settlement s = fx_settlement(claim, RP_SETTLE_RETRY);

	s.outcome = outcome;
	s.cause = outcome->cause;
	s.due_at_ms = fx.now_ms + 3600000;
	fx_exchange(0, &s, 1);
	ck_assert(!s.stale);
}

static void park_it(int level)
{
	struct rp_settlement s = fx_settlement(&c[0], RP_SETTLE_PARK);

	(void)level;
	s.outcome = NULL;
	s.cause = RP_CAUSE_NO_KEY;
	fx_exchange(0, &s, 1);
	ck_assert(s.parked);
}

static void disable_it(int level)
{
	struct rp_settlement s = fx_settlement(&c[0], RP_SETTLE_DEAD);

	(void)level;
	s.disable_endpoint = true;
	fx_exchange(0, &s, 1);
}

/* Below what is in use: the place of a failure has gone to another one. */
static void shrink_window(int level)
{
	struct rp_settlement s = fx_settlement(&c[0], RP_SETTLE_RETRY);

	fx_claim_ahead(id_of(level), 1);
	ck_assert_uint_eq(fx.n_claims, 1);
	s.outcome = &overload;
	s.passes_to_seq = fx.claims[0].seq;
	s.passes_to_claim_no = fx.claims[0].claim_no;
	fx_exchange(0, &s, 1);
	are_in_use(level, 3, 0);
}

static void meter_it(int level)
{
	limits_of(level)->rate = (struct rp_rate){1000, 1000};
	fx_renew();
	nothing_is_free(); /* it has asked */
}

/* Heard when something would be claimed ahead. */
static void lower_limit_unheard(int level)
{
	limits_of(level)->in_flight = limits_of(level)->start = 2;
	fx_renew();
}

static void lower_limit(int level)
{
	limits_of(level)->in_flight = limits_of(level)->start = 2;
	fx_renew();
	nothing_is_free();
}

/* One after the other is refused, on as many paths, and nothing is delivered for a while. */
static void open_breaker(int level)
{
	unsigned n = 3, k;

	fx.now_ms += 11000;
	for (k = 0; record(level).control.breaker == RP_BREAKER_CLOSED; k++) {
		ck_assert(k < 100 && n > 0);
		settle_as(&c[--n], &refused);
		append(level, level == RP_LEVEL_PATH ? 1 : PATHS);
		fx_exchange(1, NULL, 0);
		if (fx.n_claims == 1)
			c[n++] = fx.claims[0];
	}
	ck_assert_int_eq(record(level).control.breaker, RP_BREAKER_OPEN);
}

static void probe_breaker(int level)
{
	open_breaker(level);
	fx.now_ms = record(level).control.probe_at_ms;
	fx_exchange(9, NULL, 0);
	ck_assert_int_eq(record(level).control.breaker, RP_BREAKER_HALF_OPEN);
}

static const struct {
	const char *what;
	unsigned levels; /* that this can happen to, a bit each */
	void (*harm)(int level);
} harms[] = {
    {"paused", 5, pause_it},
    {"parked", 1, park_it},
    {"disabled", 1, disable_it},
    {"its window shrinks", 1, shrink_window},
    {"a rate", 7, meter_it},
    {"a lower limit that nobody has asked for", 7, lower_limit_unheard},
    {"a lower limit", 7, lower_limit},
    {"its breaker is open", 5, open_breaker},
    {"its breaker is being probed", 5, probe_breaker},
};

START_TEST(nothing_is_claimed_ahead_where_a_place_would_not_do)
{
	const int level = _i % RP_LEVELS, k = _i / RP_LEVELS;

	if ((harms[k].levels & RP_LACKS(level)) == 0)
		return;
	fill(level, 6);
	harms[k].harm(level);
	fx_claim_ahead(id_of(level), 3);
	ck_assert_msg(fx.n_claims == 0, "%s, %s: %zu", harms[k].what,
		      rp_level_name((enum rp_level)level), fx.n_claims);
}
END_TEST

/* It was not full itself, so nobody has told it that there are other limits. */
START_TEST(a_path_is_claimed_ahead_of_its_host_by_the_limits_that_are_in_force)
{
	fill(_i, 3);
	fx.limits.rate = (struct rp_rate){1000, 1000};
	fx_renew();
	nothing_is_free();
	fx_claim_ahead(id_of(_i), 3);
	ck_assert_uint_eq(fx.n_claims, 0);
	fx.limits.rate = (struct rp_rate){0, 0};
	fx_renew();
	fx_claim_ahead(id_of(_i), 3);
	ck_assert_uint_eq(fx.n_claims, 3);
}
END_TEST

START_TEST(new_paths_are_claimed_ahead_of_their_section_or_host)
{
	fill(_i, 0);
	fx_append(PATH(1, 40), 2);
	fx_append(PATH(1, 41), 1);
	fx_claim_ahead(id_of(_i), 9);
	/* which section it belongs to nobody knows yet */
	ck_assert_uint_eq(fx.n_claims, _i == RP_LEVEL_HOST ? 3 : 0);
}
END_TEST

START_TEST(nothing_is_claimed_ahead_at_a_host_that_has_not_proven_itself)
{
	set_limits(_i);
	append(_i, 3);
	fx_exchange(9, NULL, 0);
	keep_claims(3);
	append(_i, 3);
	nothing_is_free();
	fx_claim_ahead(id_of(_i), 3);
	ck_assert_uint_eq(fx.n_claims, 0);
	fx_settle(&c[0], RP_SETTLE_DELIVERED);
	are_free(1);
	fx_claim_ahead(id_of(_i), 3);
	ck_assert_uint_eq(fx.n_claims, 2);
}
END_TEST

/* --- passing on ---------------------------------------------------------------------------- */

START_TEST(a_place_that_is_passed_on_stays_taken_until_the_heir_has_ended)
{
	fill_and_claim_ahead(_i, 2);
	pass_on(&had[0], &c[0]);
	are_in_use(_i, 3, 1);
	ck_assert_uint_eq(fx_delivery(c[0].seq).lacks, 0);
	ck_assert_uint_eq(fx_delivery(c[1].seq).lacks, RP_LACKS(_i));
	nothing_is_free();
	fx_settle(&c[0], RP_SETTLE_DELIVERED);
	are_in_use(_i, 2, 1);
	are_free(1);
}
END_TEST

/* One after the other, as long as there are any. */
START_TEST(a_place_goes_through_many_hands)
{
	struct rp_claim has;
	unsigned k;

	fill_and_claim_ahead(_i, 1);
	has = had[0];
	for (k = 0; k < 20; k++) {
		struct rp_settlement s = pass(&has, &c[0]);

		fx_append(1, 1);
		has = c[0];
		fx.ahead = (struct rp_claim_ahead){id_of(_i), 1};
		fx_exchange(0, &s, 1);
		keep_claims(1);
		fx.ahead.want = 0;
		are_in_use(_i, 3, 1);
		fx_verify_sound();
	}
	nothing_is_free();
}
END_TEST

static const struct {
	const char *what;
	struct {
		int from; /* -1: of those that have a place, had[0]; else c[from] */
		int to;   /* -1: nothing is passed on */
	} settle[3];
	int n;
	unsigned in_use, lacking; /* after that, of had[0..2] and c[0..2] */
} orders[] = {
    {"the heir after the one that passes on", {{-1, 0}, {0, -1}}, 2, 2, 2},
    {"the heir before the one that passes on", {{0, -1}, {-1, 0}}, 2, 2, 2},
    {"to an heir that passes on", {{-1, 0}, {0, 1}}, 2, 3, 1},
    {"from an heir that has not got it yet", {{0, 1}, {-1, 0}}, 2, 3, 1},
    {"all of a line", {{-1, 0}, {0, 1}, {1, 2}}, 3, 3, 0},
    {"all of a line, the last first", {{1, 2}, {0, 1}, {-1, 0}}, 3, 3, 0},
    {"an heir that never began", {{0, -1}}, 1, 3, 2},
    {"nothing is passed on", {{-1, -1}}, 1, 2, 3},
};

START_TEST(a_place_is_freed_once_in_whatever_order_results_come)
{
	const int level = _i % RP_LEVELS, k = _i / RP_LEVELS;
	struct rp_settlement s[3];
	int i;

	fill_and_claim_ahead(level, 3);
	for (i = 0; i < orders[k].n; i++) {
		const struct rp_claim *from =
		    orders[k].settle[i].from < 0 ? &had[0] : &c[orders[k].settle[i].from];

		s[i] = orders[k].settle[i].to < 0 ? fx_settlement(from, RP_SETTLE_DELIVERED)
						  : pass(from, &c[orders[k].settle[i].to]);
	}
	fx_exchange(0, s, (size_t)orders[k].n);
	are_in_use(level, orders[k].in_use, orders[k].lacking);
	are_free(3 - orders[k].in_use);
}
END_TEST

/* How a claim ahead ends that never gets a place. */
START_TEST(a_claim_ahead_frees_no_place_when_it_ends)
{
	static const enum rp_settle_kind kinds[] = {RP_SETTLE_DELIVERED, RP_SETTLE_RETRY,
						    RP_SETTLE_DEAD, RP_SETTLE_RETURN};
	const int level = _i % RP_LEVELS;
	const uint64_t seq = (fill_and_claim_ahead(level, 2), c[0].seq);
	struct rp_settlement s = fx_settlement(&c[0], kinds[_i / RP_LEVELS]);

	s.due_at_ms = fx.now_ms;
	fx_exchange(0, &s, 1);
	are_in_use(level, 3, 1);
	ck_assert_uint_eq(fx_delivery(seq).lacks, 0);
	nothing_is_free();
	/* and it can be claimed again, with a place */
	fx_settle(&had[0], RP_SETTLE_DELIVERED);
	are_free(1);
	ck_assert_uint_eq(fx.claims[0].lacks, 0);
}
END_TEST

START_TEST(an_heir_that_is_not_there_any_more_takes_nothing)
{
	const int level = _i % RP_LEVELS;

	fill_and_claim_ahead(level, 2);
	if (_i / RP_LEVELS == 0) {
		ck_assert_int_eq(fx_change(RP_CHANGE_PURGE, c[0].seq), RP_CHANGED_DONE_IN_FLIGHT);
	} else {
		fx_settle(&c[0], RP_SETTLE_RETURN);
		ck_assert_int_eq(fx_change(RP_CHANGE_HOLD, c[0].seq), RP_CHANGED_DONE);
	}
	are_in_use(level, 3, 1);
	pass_on(&had[0], &c[0]);
	are_in_use(level, 2, 1);
	are_free(1);
}
END_TEST

/* Its request may be under way, so it counts, although somebody else was given the place. */
START_TEST(an_heir_has_the_place_although_the_one_before_it_is_gone)
{
	struct rp_settlement s;

	fill_and_claim_ahead(_i, 1);
	fx_append(1, 3);
	ck_assert_int_eq(fx_change(RP_CHANGE_PURGE, had[0].seq), RP_CHANGED_DONE_IN_FLIGHT);
	are_free(1);
	s = pass(&had[0], &c[0]);
	fx_exchange(0, &s, 1);
	ck_assert(s.stale);
	are_in_use(_i, 4, 0);
	fx_claim_ahead(id_of(_i), 3);
	ck_assert_uint_eq(fx.n_claims, 0);
	fx_settle(&had[1], RP_SETTLE_DELIVERED);
	nothing_is_free();
	fx_settle(&had[2], RP_SETTLE_DELIVERED);
	are_free(1);
}
END_TEST

/* A store does as it is told; who passes places on after a failure is a sender's mistake. */
START_TEST(an_heir_has_the_place_whatever_the_result)
{
	static const enum rp_settle_kind kinds[] = {RP_SETTLE_RETRY, RP_SETTLE_DEAD,
						    RP_SETTLE_RETURN};
	const int level = _i % RP_LEVELS;
	struct rp_settlement s;

	fill_and_claim_ahead(level, 1);
	s = pass(&had[0], &c[0]);
	s.kind = kinds[_i / RP_LEVELS];
	s.outcome = s.kind == RP_SETTLE_RETURN ? NULL : &overload;
	s.cause = RP_CAUSE_HTTP;
	fx_exchange(0, &s, 1);
	are_in_use(level, 3, 0);
}
END_TEST

START_TEST(a_claim_that_lacks_nothing_or_is_no_claim_takes_nothing)
{
	struct rp_settlement s;
	struct rp_claim none;

	fill_and_claim_ahead(_i, 2);
	none = c[0];
	none.claim_no++; /* it was lost, and another one has it */
	s = pass(&had[0], &none);
	fx_exchange(0, &s, 1);
	are_in_use(_i, 2, 2);
	ck_assert_uint_eq(fx_delivery(c[0].seq).lacks, RP_LACKS(_i));
	s = pass(&had[1], &had[2]);
	fx_exchange(0, &s, 1);
	are_in_use(_i, 1, 2);
	none.seq = 999999;
	s = pass(&had[2], &none);
	fx_exchange(0, &s, 1);
	are_in_use(_i, 0, 2);
}
END_TEST

START_TEST(a_limit_that_was_lowered_is_kept_from_then_on)
{
	fill_and_claim_ahead(_i, 2);
	limits_of(_i)->in_flight = limits_of(_i)->start = 2;
	fx_renew();
	nothing_is_free();
	pass_on(&had[0], &c[0]); /* it was on its way */
	are_in_use(_i, 3, 1);
	fx_claim_ahead(id_of(_i), 2);
	ck_assert_uint_eq(fx.n_claims, 0);
	fx_settle(&had[1], RP_SETTLE_DELIVERED);
	nothing_is_free();
	fx_settle(&had[2], RP_SETTLE_DELIVERED);
	are_free(1);
}
END_TEST

/* A path takes what it has ahead along into another section. */
START_TEST(claims_ahead_go_with_their_path_into_no_section)
{
	fill_and_claim_ahead(RP_LEVEL_PATH, 2);
	are_in_use(RP_LEVEL_SECTION, 5, 0);
	are_in_use(RP_LEVEL_HOST, 5, 0);
	fx.section_limits = (struct rp_limits){.in_flight = 0};
	fx_renew();
	nothing_is_free();
	are_in_use(RP_LEVEL_PATH, 3, 2);
	pass_on(&had[0], &c[0]);
	are_in_use(RP_LEVEL_PATH, 3, 1);
	fx.section_limits = THREE;
	fx_renew();
	nothing_is_free();
	are_in_use(RP_LEVEL_SECTION, 4, 0);
	ck_assert_uint_eq(record(RP_LEVEL_SECTION).lacking[RP_LEVEL_PATH], 1);
	pass_on(&had[1], &c[1]);
	ck_assert_uint_eq(record(RP_LEVEL_SECTION).lacking[RP_LEVEL_PATH], 0);
	are_in_use(RP_LEVEL_PATH, 3, 0);
}
END_TEST

/* --- several senders ----------------------------------------------------------------------- */

START_TEST(no_other_sender_gets_a_place_that_was_passed_on)
{
	struct rp_claim theirs[10];

	fx_peer_join(0);
	fill_and_claim_ahead(_i, 2);
	ck_assert_uint_eq(fx_peer_claim(0, 9, theirs), 0);
	pass_on(&had[0], &c[0]);
	ck_assert_uint_eq(fx_peer_claim(0, 9, theirs), 0);
	pass_on(&c[0], &c[1]);
	ck_assert_uint_eq(fx_peer_claim(0, 9, theirs), 0);
	fx_settle(&c[1], RP_SETTLE_DELIVERED);
	ck_assert_uint_eq(fx_peer_claim(0, 9, theirs), 1);
	are_in_use(_i, 3, 0);
}
END_TEST

/* Both claim ahead of the same places; each passes its own on. */
START_TEST(two_senders_ahead_of_the_same_places_never_exceed_them)
{
	struct rp_claim theirs[10];
	struct rp_settlement s;

	fx_peer_join(0);
	fill(_i, 9);
	memcpy(had, c, sizeof had);
	fx_settle(&had[2], RP_SETTLE_DELIVERED);
	ck_assert_uint_eq(fx_peer_claim(0, 1, &theirs[0]), 1);
	fx_claim_ahead(id_of(_i), 2);
	keep_claims(2);
	fx.ahead = (struct rp_claim_ahead){id_of(_i), 2};
	ck_assert_uint_eq(fx_peer_claim(0, 0, &theirs[1]), 2);
	fx.ahead.want = 0;
	are_in_use(_i, 3, 4);
	ck_assert(!fx_peer_pass(0, &theirs[0], RP_SETTLE_DELIVERED, &theirs[1]));
	s = pass(&had[0], &c[0]);
	fx_exchange(0, &s, 1);
	are_in_use(_i, 3, 2);
	nothing_is_free();
	ck_assert_uint_eq(fx_peer_claim(0, 9, &theirs[4]), 0);
}
END_TEST

/* Neither the lost sender's claims ahead count any more nor what it says of them afterwards. */
START_TEST(claims_ahead_of_a_lost_sender_come_back_like_all_others)
{
	const int level = _i % RP_LEVELS, how = _i / RP_LEVELS;
	struct rp_claim theirs[10];
	unsigned k;

	fx_peer_join(0);
	fill(level, 6);
	for (k = 0; k < 3; k++)
		fx_settle(&c[k], RP_SETTLE_DELIVERED);
	fx.ahead = (struct rp_claim_ahead){id_of(level), 2};
	ck_assert_uint_eq(fx_peer_claim(0, 3, theirs), 5);
	fx.ahead.want = 0;
	are_in_use(level, 3, 2);
	if (how == 0) {
		fx_peer_end(0);
	} else if (how == 1) {
		fx_peer_leave(0);
	} else {
		fx.boot_ms += LEASE_MS + 1;
	}
	ck_assert_uint_eq(fx_reap(LEASE_MS), how == 1 ? 0 : 5);
	are_in_use(level, 0, 0);
	fx_verify_sound();
	if (how != 2)
		return;
	/* it was only stopped: what it passes on now has no heir */
	ck_assert(fx_peer_pass(0, &theirs[0], RP_SETTLE_DELIVERED, &theirs[3]));
	are_in_use(level, 0, 0);
	are_free(3);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("ahead");
	TCase *tc = tcase_create("claims");

	tcase_add_checked_fixture(tc, fx_setup_with_peers, fx_teardown);
	tcase_set_timeout(tc, 30);
	tcase_add_loop_test(tc, a_claim_has_no_places_of_one_that_was_lost, 0, RP_LEVELS);
	tcase_add_loop_test(tc, as_many_are_claimed_ahead_as_are_wanted, 0, RP_LEVELS);
	tcase_add_loop_test(tc, what_has_a_place_is_claimed_before_what_lacks_one, 0, RP_LEVELS);
	tcase_add_loop_test(tc, what_is_settled_in_an_exchange_is_free_before_it_claims_ahead, 0,
			    RP_LEVELS);
	tcase_add_loop_test(tc, where_nothing_waits_or_nobody_is_there_nothing_is_claimed_ahead, 0,
			    RP_LEVELS);
	tcase_add_loop_test(tc, a_claim_ahead_lacks_a_place_on_each_level_that_has_none, 0, 2);
	tcase_add_loop_test(tc, ahead_of_a_level_only_what_has_its_place_below_is_claimed, 0, 2);
	tcase_add_test(tc, ahead_of_a_host_no_path_goes_beyond_its_own_limit);
	tcase_add_test(tc, ahead_of_an_order_only_its_front_is_claimed);
	tcase_add_test(tc, what_is_not_due_yet_is_not_claimed_ahead);
	tcase_add_loop_test(tc, what_has_expired_dies_when_it_would_be_claimed_ahead, 0, RP_LEVELS);
	tcase_add_loop_test(tc, a_claim_tells_on_which_levels_others_wait_for_a_place, 0,
			    RP_LEVELS);
	tcase_add_loop_test(tc, nothing_is_claimed_ahead_where_a_place_would_not_do, 0,
			    RP_LEVELS * N(harms));
	tcase_add_loop_test(tc, a_path_is_claimed_ahead_of_its_host_by_the_limits_that_are_in_force,
			    RP_LEVEL_SECTION, RP_LEVELS);
	tcase_add_loop_test(tc, new_paths_are_claimed_ahead_of_their_section_or_host,
			    RP_LEVEL_SECTION, RP_LEVELS);
	tcase_add_loop_test(tc, nothing_is_claimed_ahead_at_a_host_that_has_not_proven_itself, 0,
			    RP_LEVELS);
	suite_add_tcase(s, tc);
	tc = tcase_create("places");
	tcase_add_checked_fixture(tc, fx_setup_with_peers, fx_teardown);
	tcase_set_timeout(tc, 30);
	tcase_add_loop_test(tc, a_place_that_is_passed_on_stays_taken_until_the_heir_has_ended, 0,
			    RP_LEVELS);
	tcase_add_loop_test(tc, a_place_goes_through_many_hands, 0, RP_LEVELS);
	tcase_add_loop_test(tc, a_place_is_freed_once_in_whatever_order_results_come, 0,
			    RP_LEVELS * N(orders));
	tcase_add_loop_test(tc, a_claim_ahead_frees_no_place_when_it_ends, 0, RP_LEVELS * 4);
	tcase_add_loop_test(tc, an_heir_that_is_not_there_any_more_takes_nothing, 0, RP_LEVELS * 2);
	tcase_add_loop_test(tc, an_heir_has_the_place_although_the_one_before_it_is_gone, 0,
			    RP_LEVELS);
	tcase_add_loop_test(tc, an_heir_has_the_place_whatever_the_result, 0, RP_LEVELS * 3);
	tcase_add_loop_test(tc, a_claim_that_lacks_nothing_or_is_no_claim_takes_nothing, 0,
			    RP_LEVELS);
	tcase_add_loop_test(tc, a_limit_that_was_lowered_is_kept_from_then_on, 0, RP_LEVELS);
	tcase_add_test(tc, claims_ahead_go_with_their_path_into_no_section);
	tcase_add_loop_test(tc, no_other_sender_gets_a_place_that_was_passed_on, 0, RP_LEVELS);
	tcase_add_loop_test(tc, two_senders_ahead_of_the_same_places_never_exceed_them, 0,
			    RP_LEVELS);
	tcase_add_loop_test(tc, claims_ahead_of_a_lost_sender_come_back_like_all_others, 0,
			    RP_LEVELS * 3);
	suite_add_tcase(s, tc);
	return s;
}

int main(void)
{
	return fx_main(suite);
}
