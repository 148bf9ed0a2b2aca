/* Hosts and sections: what counts for many paths at once. */

#include <stdio.h>

#include "conformance/fixture.h"
#include "model/schedule.h"
#include "model/claim_walk.h"

#define N(table) ((int)(sizeof(table) / sizeof((table)[0])))
#define PATH(host, n) ((unsigned)((n) == 0 ? (host) : (host)*FX_PATHS + (n)))
#define WIDE ((struct rp_limits){.in_flight = 1000, .start = 1000})

static struct rp_outcome refused = {.cause = RP_CAUSE_CONNECT};

/* --- looking at hosts and sections ------------------------------------------------------- */

static uint64_t find(enum rp_level level, unsigned host)
{
	char name[80];
	uint64_t id = 0;
	enum rp_err e;

	snprintf(name, sizeof name, "https://k%u.example%s", host,
		 level == RP_LEVEL_SECTION ? " [shared]" : "");
	e = rp_outbox_endpoint_find(fx.ob, level, rp_span_of(name), &id, &fx.err);
	if (e != RP_ERR_NOTFOUND)
		fx_must(e, "endpoint_find");
	return id;
}

struct seen {
	size_t n;
	uint64_t id[16];
	struct rp_endpoint last;
};

static bool see(void *arg, uint64_t id, struct rp_span name, const struct rp_endpoint *e)
{
	struct seen *s = arg;

	ck_assert_uint_gt(name.len, 0);
	ck_assert_uint_lt(s->n, 16);
	s->id[s->n++] = id;
	s->last = *e;
	return true;
}

static struct seen all_of(enum rp_endpoints_of of, uint64_t id)
{
	struct seen s = {.n = 0};

	fx_must(rp_outbox_endpoints(fx.ob, (struct rp_endpoints_which){of, id}, see, &s, &fx.err),
		"endpoints");
	return s;
}

/* Of the path /hook of a host, of its section or of the host. */
static struct rp_endpoint record(enum rp_level level, unsigned host)
{
	struct seen s;

	if (level == RP_LEVEL_PATH)
		return fx_endpoint_record(host);
	s = all_of(RP_ENDPOINTS_ONE, find(level, host));
	ck_assert_uint_eq(s.n, 1);
	return s.last;
}

static uint64_t id_of(enum rp_level level, unsigned host)
{
	return level == RP_LEVEL_PATH ? fx_endpoint(host) : find(level, host);
}

/* --- working ----------------------------------------------------------------------------- */

static void limit_level(int level, struct rp_limits limits)
{
	*(level == RP_LEVEL_PATH      ? &fx.limits
	  : level == RP_LEVEL_SECTION ? &fx.section_limits
				      : &fx.host_limits) = limits;
}

static struct rp_rate rate(const char *text)
{
	struct rp_rate r = {0, 0};

	ck_assert(rp_rate_parse(rp_span_of(text), &r));
	return r;
}

/* Entries for the first paths of a host; where the limits of a path are looked at, all for one. */
static void append_to_paths(int level, unsigned host, unsigned n)
{
	unsigned k;

	for (k = 0; k < n; k++)
		fx_append(level == RP_LEVEL_PATH ? host : PATH(host, k), 1);
}

static void pause_level(uint64_t id, bool pause)
{
	fx_must(rp_outbox_endpoint_pause(fx.ob, fx.now_ms, id, pause, &fx.err), "pause");
}

static struct rp_settlement refusal(const struct rp_claim *c)
{
	struct rp_settlement s = fx_settlement(c, RP_SETTLE_RETRY);

	s.outcome = &refused;
	s.cause = RP_CAUSE_CONNECT;
	return s;
}

/* The claim's connection is refused; what that did to the breaker of its host. */
static enum rp_control_change refuse(const struct rp_claim *c)
{
	struct rp_settlement s = refusal(c);

	fx_exchange(0, &s, 1);
	return s.change[RP_LEVEL_HOST];
}

static void deliver(const struct rp_claim *c)
{
	ck_assert(!fx_settle(c, RP_SETTLE_DELIVERED));
}

/* A new entry of this path is claimed; nothing else may be due. */
static struct rp_claim claim_of(unsigned k)
{
	struct rp_claim c;

	fx_append(k, 1);
	c = fx_claim();
	ck_assert_uint_eq(c.endpoint, fx_endpoint(k));
	return c;
}

static size_t claimed_of_host(unsigned host)
{
	size_t n = 0, i;

	for (i = 0; i < fx.n_claims; i++)
		n += rp_level_host(fx.claims[i].endpoint) == find(RP_LEVEL_HOST, host);
	return n;
}

static size_t claimed_of(unsigned k)
{
	size_t n = 0, i;

	for (i = 0; i < fx.n_claims; i++)
		n += fx.claims[i].endpoint == fx_endpoint(k);
	return n;
}

static void with_breakers(void)
{
	fx.limits = (struct rp_limits){.in_flight = 10, .start = RP_WINDOW_START, .breaker = true};
	fx.host_limits = (struct rp_limits){.in_flight = 100, .start = 100, .breaker = true};
}

/* Refuses one entry of each of so many paths that the breaker opens. */
static void open_host(unsigned host)
{
	unsigned k;

	for (k = 0; k < RP_BREAKER_OUTCOMES; k++) {
		struct rp_claim c = claim_of(PATH(host, k));

		ck_assert_int_eq(refuse(&c),
				 k + 1 < RP_BREAKER_OUTCOMES ? RP_CONTROL_SAME : RP_CONTROL_OPENED);
	}
	ck_assert_int_eq(record(RP_LEVEL_HOST, host).control.breaker, RP_BREAKER_OPEN);
}

/* --- limits ------------------------------------------------------------------------------ */

START_TEST(the_limit_of_each_level_holds_over_all_paths_and_senders)
{
	struct rp_claim theirs[10];

	limit_level(_i, (struct rp_limits){.in_flight = 3, .start = 3});
	fx_peer_join(0);
	append_to_paths(_i, 1, 8);
	fx_exchange(10, NULL, 0);
	ck_assert_uint_eq(fx.n_claims, 3);
	ck_assert_int_eq(fx.next_ready_ms, RP_NEVER);
	ck_assert_uint_eq(fx_peer_claim(0, 10, theirs), 0);
	fx_append(2, 1); /* another receiver has its own */
	ck_assert_uint_eq(fx_peer_claim(0, 10, theirs), 1);
	deliver(&fx.claims[0]);
	ck_assert_uint_eq(fx_peer_claim(0, 10, theirs), 1);
	ck_assert_uint_eq(record((enum rp_level)_i, 1).count[RP_STATE_IN_FLIGHT], 3);
}
END_TEST

START_TEST(of_several_limits_the_narrowest_holds)
{
	fx.limit = 2;
	fx.section_limits = (struct rp_limits){.in_flight = 5, .start = 5};
	fx.host_limits = (struct rp_limits){.in_flight = 9, .start = 9};
	fx_append(PATH(1, 0), 10);
	fx_exchange(20, NULL, 0);
	ck_assert_uint_eq(fx.n_claims, 2);
	append_to_paths(RP_LEVEL_HOST, 1, 10);
	fx_exchange(20, NULL, 0);
	ck_assert_uint_eq(fx.n_claims, 3);
	fx.section_limits = WIDE;
	fx_renew();
	fx_exchange(20, NULL, 0);
	ck_assert_uint_eq(fx.n_claims, 4);
}
END_TEST

START_TEST(a_claim_that_takes_the_last_place_of_its_host_holds_up_its_other_paths)
{
	fx.host_limits = (struct rp_limits){.in_flight = 1, .start = 1};
	append_to_paths(RP_LEVEL_HOST, 1, 1);
	ck_assert(!fx_claim().blocking);
	append_to_paths(RP_LEVEL_HOST, 2, 2);
	ck_assert(fx_claim().blocking);
}
END_TEST

START_TEST(the_rate_of_each_level_holds_over_all_its_paths)
{
	int64_t start_ms = fx.now_ms;
	size_t claimed = 0, i;
	int l;

	limit_level(_i, (struct rp_limits){.in_flight = 100, .start = 100, .rate = rate("2/s")});
	append_to_paths(_i, 1, 30);
	while (fx.now_ms < start_ms + 10000) {
		fx_exchange(100, NULL, 0);
		for (i = 0; i < fx.n_claims; i++)
			for (l = 0; l < RP_LEVELS; l++)
				ck_assert_uint_eq(fx.claims[i].tokens.of[l].rate.count,
						  l == _i ? 2 : 0);
		claimed += fx.n_claims;
		ck_assert_uint_le(claimed, 2 + 2 * (size_t)(fx.now_ms - start_ms) / 1000);
		ck_assert_int_gt(fx.next_ready_ms, fx.now_ms);
		fx.now_ms = fx.next_ready_ms;
	}
	ck_assert_uint_ge(claimed, 20);
}
END_TEST

START_TEST(a_claim_takes_a_token_of_each_level_and_gives_them_back)
{
	const struct rp_limits limits = {.in_flight = 10, .start = 10, .rate = rate("1/m")};
	struct rp_settlement s;
	struct rp_claim c;
	int l;

	for (l = 0; l < RP_LEVELS; l++)
		limit_level(l, limits);
	c = claim_of(1);
	for (l = 0; l < RP_LEVELS; l++)
		ck_assert_int_eq(record((enum rp_level)l, 1).control.full_at_us,
				 (fx.now_ms + 60000) * 1000);
	s = fx_settlement(&c, RP_SETTLE_RETURN);
	s.due_at_ms = fx.now_ms;
	s.tokens = c.tokens;
	fx_exchange(0, &s, 1);
	for (l = 0; l < RP_LEVELS; l++)
		ck_assert_int_eq(record((enum rp_level)l, 1).control.full_at_us, fx.now_ms * 1000);
	ck_assert_uint_eq(fx_claim().seq, c.seq);
}
END_TEST

START_TEST(a_receiver_with_a_rate_on_any_level_is_metered)
{
	struct rp_exchange x = {.want = 10,
				.want_metered = 1,
				.want_unproven = 10,
				.claims = fx.claims,
				.limits = fx_limits};

	limit_level(_i, (struct rp_limits){.in_flight = 10, .start = 10, .rate = rate("5/s")});
	append_to_paths(_i, 1, 4);
	fx_must(rp_outbox_exchange(fx.ob, fx.now_ms, &x, &fx.err), "exchange");
	ck_assert_uint_eq(x.n_claims, 1);
	ck_assert_uint_eq(x.n_metered, 1);
	ck_assert(x.passed_over);
	ck_assert_int_eq(x.next_ready_at_ms, fx.now_ms + RP_PASSED_OVER_MS);
}
END_TEST

START_TEST(what_is_settled_counts_on_each_level)
{
	uint64_t id;
	int l;

	fx.section_limits = WIDE;
	fx_append(PATH(1, 0), 3);
	fx_append(PATH(1, 1), 3);
	fx_exchange(4, NULL, 0);
	deliver(&fx.claims[0]);
	fx_settle(&fx.claims[1], RP_SETTLE_DEAD);
	id = rp_level_host(fx_endpoint(1));
	ck_assert_uint_eq(id, find(RP_LEVEL_HOST, 1));
	for (l = RP_LEVEL_SECTION; l < RP_LEVELS; l++) {
		const struct rp_endpoint e = record((enum rp_level)l, 1);

		ck_assert_int_eq(e.level, l);
		ck_assert_uint_eq(e.count[RP_STATE_IN_FLIGHT], 2);
		ck_assert_uint_eq(e.count[RP_STATE_WAITING], 2);
		ck_assert_uint_eq(e.count[RP_STATE_DELIVERED], 1);
		ck_assert_uint_eq(e.count[RP_STATE_DEAD], 1);
		ck_assert_int_eq(e.last_success_at_ms, fx.now_ms);
	}
}
END_TEST

/* --- breakers ---------------------------------------------------------------------------- */

START_TEST(one_sick_path_does_not_open_its_host)
{
	struct rp_settlement s[100];
	size_t n, i;

	with_breakers();
	fx_append(PATH(1, 0), 100);
	fx_exchange(100, NULL, 0);
	while (fx.n_claims > 0) {
		n = fx.n_claims;
		for (i = 0; i < n; i++)
			s[i] = refusal(&fx.claims[i]);
		fx_exchange(100, s, n);
	}
	ck_assert_int_eq(record(RP_LEVEL_PATH, 1).control.breaker, RP_BREAKER_OPEN);
	ck_assert_int_eq(record(RP_LEVEL_HOST, 1).control.breaker, RP_BREAKER_CLOSED);
	ck_assert_uint_eq(record(RP_LEVEL_HOST, 1).control.bad_streak, 1);
	claim_of(PATH(1, 1));
}
END_TEST

START_TEST(several_sick_paths_open_their_host)
{
	with_breakers();
	open_host(1);
	fx_append(PATH(1, 20), 1); /* a path that never failed waits, too */
	fx_exchange(10, NULL, 0);
	ck_assert_uint_eq(fx.n_claims, 0);
	ck_assert_int_eq(record(RP_LEVEL_PATH, 1).control.breaker, RP_BREAKER_CLOSED);
	claim_of(2); /* another host does not */
}
END_TEST

/* A success, and an answer that is not bad. */
START_TEST(any_answer_clears_the_host_and_its_paths_count_anew)
{
	struct rp_claim c;
	unsigned k;

	with_breakers();
	for (k = 0; k < RP_BREAKER_OUTCOMES - 1; k++) {
		c = claim_of(PATH(1, k));
		refuse(&c);
	}
	c = claim_of(PATH(1, 0));
	refuse(&c);
	ck_assert_uint_eq(record(RP_LEVEL_HOST, 1).control.bad_streak, RP_BREAKER_OUTCOMES - 1);
	c = claim_of(PATH(1, 30));
	fx_settle(&c, _i == 0 ? RP_SETTLE_DELIVERED : RP_SETTLE_RETRY);
	ck_assert_uint_eq(record(RP_LEVEL_HOST, 1).control.bad_streak, 0);
	for (k = 0; k < 3; k++) {
		c = claim_of(PATH(1, k));
		ck_assert_int_eq(refuse(&c), RP_CONTROL_SAME);
		ck_assert_uint_eq(record(RP_LEVEL_HOST, 1).control.bad_streak, k + 1);
	}
}
END_TEST

START_TEST(a_host_that_has_opened_costs_nothing_however_many_paths_it_has)
{
	const unsigned n = 100;
	unsigned k;
	int64_t probe_at_ms;

	with_breakers();
	open_host(1);
	probe_at_ms = record(RP_LEVEL_HOST, 1).control.probe_at_ms;
	for (k = 0; k < n; k++)
		fx_append(PATH(1, 50 + k), 1);
	for (k = 0; k < 3; k++) {
		fx.now_ms += 7000;
		fx_exchange(100, NULL, 0);
		ck_assert_uint_eq(fx.n_claims, 0);
		ck_assert(!fx.committed);
		ck_assert_int_eq(fx.next_ready_ms, probe_at_ms);
	}
}
END_TEST

START_TEST(a_host_is_probed_through_one_path_and_closes)
{
	struct rp_settlement s;
	struct rp_claim probe;

	with_breakers();
	open_host(1);
	fx_append(PATH(1, 20), 4);
	fx.now_ms = record(RP_LEVEL_HOST, 1).control.probe_at_ms;
	probe = fx_claim();
	ck_assert(probe.probes[RP_LEVEL_HOST] && !probe.probes[RP_LEVEL_PATH]);
	fx_exchange(100, NULL, 0);
	ck_assert_uint_eq(fx.n_claims, 0);
	ck_assert_int_eq(fx.next_ready_ms, RP_NEVER);
	s = fx_settlement(&probe, RP_SETTLE_DELIVERED);
	fx_exchange(100, &s, 1);
	ck_assert_int_eq(s.change[RP_LEVEL_HOST], RP_CONTROL_CLOSED);
	ck_assert_uint_eq(fx.n_claims, RP_BREAKER_OUTCOMES + 3);
}
END_TEST

/* Also through a path that has counted as bad before: the probe is the host's. */
START_TEST(a_probe_that_fails_opens_its_host_for_longer)
{
	struct rp_settlement s;
	struct rp_claim probe;

	with_breakers();
	open_host(1);
	if (_i == 1)
		fx_append(PATH(1, 20), 1);
	fx.now_ms = record(RP_LEVEL_HOST, 1).control.probe_at_ms;
	probe = fx_claim();
	s = refusal(&probe);
	fx_exchange(100, &s, 1);
	ck_assert_int_eq(s.change[RP_LEVEL_HOST], RP_CONTROL_OPENED);
	ck_assert_int_eq(s.probe_at_ms[RP_LEVEL_HOST], fx.now_ms + 2 * RP_BREAKER_PAUSE_MS);
	ck_assert_uint_eq(fx.n_claims, 0);
	ck_assert_int_eq(fx.next_ready_ms, fx.now_ms + 2 * RP_BREAKER_PAUSE_MS);
}
END_TEST

START_TEST(a_late_success_closes_the_host)
{
	struct rp_settlement s;
	struct rp_claim late;

	with_breakers();
	late = claim_of(PATH(1, 20));
	open_host(1);
	s = fx_settlement(&late, RP_SETTLE_DELIVERED);
	fx_exchange(0, &s, 1);
	ck_assert_int_eq(s.change[RP_LEVEL_HOST], RP_CONTROL_CLOSED);
	ck_assert_int_eq(record(RP_LEVEL_HOST, 1).control.breaker, RP_BREAKER_CLOSED);
}
END_TEST

START_TEST(a_breaker_of_a_host_that_was_switched_off_does_not_open)
{
	struct rp_claim c;
	unsigned k;

	with_breakers();
	for (k = 0; k < RP_BREAKER_OUTCOMES - 1; k++) {
		c = claim_of(PATH(1, k));
		refuse(&c);
	}
	c = claim_of(PATH(1, k));
	fx.host_limits.breaker = false;
	ck_assert_int_eq(refuse(&c), RP_CONTROL_SAME);
	ck_assert_int_eq(record(RP_LEVEL_HOST, 1).control.breaker, RP_BREAKER_CLOSED);
}
END_TEST

START_TEST(the_window_of_a_host_opens_by_the_answers_of_all_its_paths)
{
	struct rp_settlement s[64];
	size_t i;

	fx.host_limits = (struct rp_limits){.in_flight = 40, .start = 10};
	append_to_paths(RP_LEVEL_HOST, 1, 100);
	fx_exchange(64, NULL, 0);
	ck_assert_uint_eq(fx.n_claims, 10);
	for (i = 0; i < 10; i++)
		s[i] = fx_settlement(&fx.claims[i], RP_SETTLE_DELIVERED);
	fx_exchange(64, s, 10);
	ck_assert_uint_eq(fx.n_claims, 40);
}
END_TEST

/* --- hosts that have not proven themselves ------------------------------------------------ */

START_TEST(hosts_that_have_not_proven_themselves_share_what_is_left_for_them)
{
	struct rp_settlement s;
	unsigned h;

	for (h = 1; h <= 4; h++)
		fx_append(h, 5);
	fx.unproven_max = 2;
	fx_exchange(20, NULL, 0);
	ck_assert_uint_eq(fx.n_claims, 2);
	ck_assert(fx.claims[0].unproven && fx.claims[1].unproven);
	ck_assert_int_eq(fx.next_ready_ms, fx.now_ms + RP_PASSED_OVER_MS);
	s = fx_settlement(&fx.claims[0], RP_SETTLE_DELIVERED);
	fx.unproven_max = 1;
	fx_exchange(20, &s, 1);
	/* the one that has delivered has all it wants, beside one of another host */
	ck_assert_uint_eq(claimed_of_host(1), 4);
	ck_assert_uint_eq(fx.n_claims, 5);
	ck_assert(record(RP_LEVEL_HOST, 1).in_proven);
}
END_TEST

START_TEST(hosts_that_hang_leave_the_proven_ones_their_places)
{
	struct rp_claim c = claim_of(1);
	unsigned h;

	deliver(&c);
	for (h = 100; h < 400; h++)
		fx_append(h, 1);
	fx.now_ms += 1000;
	fx_append(1, 50);
	fx.unproven_max = 10;
	fx_exchange(60, NULL, 0);
	ck_assert_uint_eq(fx.n_claims, 60);
	ck_assert_uint_eq(claimed_of_host(1), 50);
	fx.unproven_max = 0;
	fx_exchange(60, NULL, 0);
	ck_assert_uint_eq(fx.n_claims, 0);
	ck_assert(!fx.committed);
	ck_assert_int_eq(fx.next_ready_ms, fx.now_ms + RP_PASSED_OVER_MS);
}
END_TEST

/* It has not delivered for long; something bad has come. */
START_TEST(a_host_does_not_stay_proven)
{
	struct rp_claim c = claim_of(1), d = claim_of(1);

	deliver(&c);
	ck_assert(record(RP_LEVEL_HOST, 1).in_proven);
	if (_i == 0)
		fx.now_ms += RP_PROVEN_MS;
	else
		refuse(&d);
	fx_append(1, 5);
	fx.unproven_max = 0;
	fx_exchange(10, NULL, 0);
	ck_assert_uint_eq(fx.n_claims, 0);
	ck_assert(!record(RP_LEVEL_HOST, 1).in_proven);
	fx_exchange(10, NULL, 0);
	ck_assert(!fx.committed);
	fx.unproven_max = 1;
	ck_assert(fx_claim().unproven);
}
END_TEST

/* --- whose turn it is --------------------------------------------------------------------- */

START_TEST(hosts_take_turns_whatever_number_of_paths_they_have)
{
	size_t of_one = 0, i;

	append_to_paths(RP_LEVEL_HOST, 1, 100);
	fx_append(2, 100);
	fx_exchange(40, NULL, 0);
	ck_assert_uint_eq(claimed_of_host(1), 20);
	ck_assert_uint_eq(claimed_of_host(2), 20);
	for (i = 0; i < 20; i++) { /* and over exchanges that want little */
		fx.now_ms++;
		fx_exchange(2, NULL, 0);
		ck_assert_uint_eq(fx.n_claims, 2);
		of_one += claimed_of_host(1);
	}
	ck_assert_uint_eq(of_one, 20);
}
END_TEST

START_TEST(paths_of_a_host_take_turns)
{
	size_t total[3] = {0}, i;
	unsigned k;

	for (k = 0; k < 3; k++)
		fx_append(PATH(1, k), 100);
	fx_exchange(3 * RP_WALK_GO, NULL, 0);
	for (k = 0; k < 3; k++)
		ck_assert_uint_eq(claimed_of(PATH(1, k)), RP_WALK_GO);
	for (i = 0; i < 30; i++) {
		fx.now_ms++;
		fx_exchange(2, NULL, 0);
		for (k = 0; k < 3; k++)
			total[k] += claimed_of(PATH(1, k));
	}
	for (k = 0; k < 3; k++)
		ck_assert_uint_eq(total[k], 20);
}
END_TEST

/* Path /hook shares no limits, all others of the host do. */
static void others_share(void *arg, struct rp_span name, struct rp_level_limits *out)
{
	fx_limits(arg, name, out);
	out->at[RP_LEVEL_SECTION] = WIDE;
	out->section = rp_span_of(name.ptr[name.len - 1] == 'k' ? "" : "shared");
}

START_TEST(the_paths_of_a_section_have_their_turns_together)
{
	struct rp_exchange x = {.want = 8 * RP_WALK_GO,
				.want_unproven = 8 * RP_WALK_GO,
				.claims = fx.claims,
				.limits = others_share};
	size_t i;
	unsigned k;

	for (k = 0; k < 9; k++)
		fx_append(PATH(1, k), 50);
	/* at first nobody knows which of them are in a section; then there is one go for it */
	for (i = 0; i < 3; i++) {
		fx.now_ms++;
		fx_must(rp_outbox_exchange(fx.ob, fx.now_ms, &x, &fx.err), "exchange");
		fx.n_claims = x.n_claims;
		ck_assert_uint_eq(x.n_claims, 8 * RP_WALK_GO);
	}
	ck_assert_uint_eq(claimed_of(PATH(1, 0)), 4 * RP_WALK_GO);
	ck_assert_uint_eq(record(RP_LEVEL_SECTION, 1).members, 8);
}
END_TEST

/* --- the configuration changes ------------------------------------------------------------ */

START_TEST(a_path_enters_and_leaves_a_section_with_what_it_has_in_flight)
{
	struct rp_claim first[4];
	struct rp_endpoint section;
	size_t i;

	fx_append(PATH(1, 0), 20);
	fx_append(PATH(1, 1), 2);
	fx_exchange(4, NULL, 0);
	memcpy(first, fx.claims, sizeof first);
	fx.section_limits = (struct rp_limits){.in_flight = 6, .start = 6};
	fx.now_ms++;
	fx_renew();
	fx_exchange(20, NULL, 0);
	section = record(RP_LEVEL_SECTION, 1);
	ck_assert_uint_eq(section.members, 2);
	ck_assert_uint_eq(section.count[RP_STATE_IN_FLIGHT], 4 + fx.n_claims);
	ck_assert_uint_eq(fx.n_claims, 2);
	fx_verify_sound();
	for (i = 0; i < 4; i++)
		deliver(&first[i]);
	ck_assert_uint_eq(record(RP_LEVEL_SECTION, 1).count[RP_STATE_IN_FLIGHT], 2);
	fx.section_limits = (struct rp_limits){.in_flight = 0};
	fx_renew();
	fx_exchange(4, NULL, 0);
	fx_verify_sound();
	fx_exchange(20, NULL, 0);
	ck_assert_uint_eq(find(RP_LEVEL_SECTION, 1), 0); /* it went with its last path */
	ck_assert_uint_eq(record(RP_LEVEL_HOST, 1).members, 2);
}
END_TEST

START_TEST(a_section_that_has_too_many_in_flight_waits_until_enough_have_ended)
{
	struct rp_claim first[4];
	size_t i;

	fx_append(PATH(1, 0), 10);
	fx_exchange(4, NULL, 0);
	memcpy(first, fx.claims, sizeof first);
	fx.section_limits = (struct rp_limits){.in_flight = 2, .start = 2};
	fx_exchange(10, NULL, 0);
	for (i = 0; i < 3; i++) {
		ck_assert_uint_eq(fx.n_claims, 0);
		deliver(&first[i]);
		fx_exchange(10, NULL, 0);
	}
	ck_assert_uint_eq(fx.n_claims, 1);
}
END_TEST

START_TEST(a_renewal_comes_in_parts)
{
	const unsigned n = 600;
	struct rp_renewal renewal = {.more = false};
	size_t calls = 0, claimed = 0;
	unsigned k;

	fx.limit = 1;
	for (k = 0; k < n; k++)
		fx_append(PATH(1, k), 2);
	while (claimed < n) {
		fx_exchange(n, NULL, 0);
		ck_assert_uint_gt(fx.n_claims, 0);
		claimed += fx.n_claims;
	}
	fx.limit = 2;
	do {
		fx_must(rp_outbox_renew_limits(fx.ob, fx.now_ms, &renewal, &fx.err), "renew");
		calls++;
	} while (renewal.more);
	ck_assert_uint_eq(calls, 2);
	while (claimed < 2 * n) {
		fx_exchange(n, NULL, 0);
		ck_assert_uint_gt(fx.n_claims, 0);
		claimed += fx.n_claims;
	}
}
END_TEST

START_TEST(a_renewal_reaches_the_host_whose_limit_held_all_back)
{
	limit_level(_i, (struct rp_limits){.in_flight = 1, .start = 1});
	append_to_paths(_i, 1, 5);
	fx_exchange(10, NULL, 0);
	ck_assert_uint_eq(fx.n_claims, 1);
	limit_level(_i, (struct rp_limits){.in_flight = 3, .start = 3});
	fx_exchange(10, NULL, 0);
	ck_assert_uint_eq(fx.n_claims, 0);
	fx_renew();
	fx_exchange(10, NULL, 0);
	ck_assert_uint_eq(fx.n_claims, 2);
}
END_TEST

/* --- how long they are there -------------------------------------------------------------- */

static void purge(uint64_t first, size_t n)
{
	for (; n > 0; n--)
		ck_assert(rp_changed_is_done(fx_change(RP_CHANGE_PURGE, first++)));
}

START_TEST(a_host_and_a_section_go_with_their_last_path)
{
	uint64_t first = fx_append(PATH(1, 0), 1), host = find(RP_LEVEL_HOST, 1), second;

	fx.section_limits = WIDE;
	second = fx_append(PATH(1, 1), 1);
	fx_exchange(10, NULL, 0);
	ck_assert_uint_eq(record(RP_LEVEL_HOST, 1).members, 3);
	purge(first, 1);
	ck_assert_uint_eq(record(RP_LEVEL_HOST, 1).members, 2);
	ck_assert_uint_eq(record(RP_LEVEL_SECTION, 1).members, 1);
	purge(second, 1);
	ck_assert_uint_eq(fx_n_endpoints(), 0);
	ck_assert_uint_eq(all_of(RP_ENDPOINTS_SHARED, 0).n, 0);
	ck_assert_uint_eq(find(RP_LEVEL_SECTION, 1), 0);
	fx_append(PATH(1, 0), 1);
	ck_assert_uint_ne(find(RP_LEVEL_HOST, 1), host); /* no number is given twice */
}
END_TEST

static const enum rp_level pausable[] = {RP_LEVEL_PATH, RP_LEVEL_HOST};

START_TEST(what_is_paused_stays_without_a_path)
{
	const enum rp_level level = pausable[_i];
	uint64_t seq;

	fx.section_limits = WIDE;
	seq = fx_append(1, 2);
	fx_claim();
	pause_level(id_of(level, 1), true);
	purge(seq, 2);
	ck_assert_uint_eq(fx_n_endpoints(), level == RP_LEVEL_PATH);
	ck_assert(record(level, 1).paused);
	/* its host is there as long as it is */
	ck_assert_uint_eq(record(RP_LEVEL_HOST, 1).members, RP_LEVEL_HOST - level);
	fx_append(1, 1);
	fx_exchange(10, NULL, 0);
	ck_assert_uint_eq(fx.n_claims, 0);
}
END_TEST

START_TEST(what_was_resumed_goes_when_it_has_no_path)
{
	const enum rp_level level = pausable[_i];
	uint64_t seq = fx_append(1, 1), id;

	fx.section_limits = WIDE;
	fx_claim();
	id = id_of(level, 1);
	pause_level(id, true);
	purge(seq, 1);
	pause_level(id, false);
	ck_assert_uint_eq(all_of(RP_ENDPOINTS_SHARED, 0).n, 0);
	ck_assert_uint_eq(fx_n_endpoints(), 0);
}
END_TEST

START_TEST(the_rate_of_a_host_and_of_a_section_outlives_their_last_path)
{
	struct rp_control control;
	int64_t full_at_ms;
	uint64_t seq;

	limit_level(_i, (struct rp_limits){.in_flight = 9, .start = 9, .rate = rate("1/m")});
	seq = fx_append(PATH(1, 0), 1);
	fx_claim();
	control = record((enum rp_level)_i, 1).control;
	full_at_ms = rp_control_full_at_ms(&control);
	ck_assert_int_eq(full_at_ms, fx.now_ms + 60000);
	purge(seq, 1);
	ck_assert_uint_eq(fx_n_endpoints(), 0);
	ck_assert_uint_eq(all_of(RP_ENDPOINTS_SHARED, 0).n, _i == RP_LEVEL_HOST ? 1 : 2);
	fx_append(PATH(1, 7), 1); /* a new path does not begin with a full bucket */
	fx_exchange(1, NULL, 0);
	ck_assert_uint_eq(fx.n_claims, 0);
	purge(seq + 1, 1);
	fx.now_ms = full_at_ms;
	fx_exchange(1, NULL, 0);
	fx_exchange(1, NULL, 0);
	ck_assert_uint_eq(all_of(RP_ENDPOINTS_SHARED, 0).n, 0);
}
END_TEST

/* --- operators ---------------------------------------------------------------------------- */

START_TEST(a_paused_host_holds_all_its_paths)
{
	struct rp_dispatch d = {.endpoint_only = true};
	struct rp_claim c;

	fx.section_limits = WIDE;
	fx_append(PATH(1, 0), 2);
	fx_append(PATH(1, 1), 5);
	fx_exchange(8, NULL, 0);
	c = fx.claims[0];
	fx_append(PATH(1, 0), 2);
	fx_append(PATH(1, 1), 2);
	pause_level(find(RP_LEVEL_HOST, 1), true);
	fx_exchange(10, NULL, 0);
	ck_assert_uint_eq(fx.n_claims, 0);
	ck_assert_int_eq(fx.next_ready_ms, RP_NEVER);
	claim_of(2);
	/* and what was claimed before, if it is asked for */
	ck_assert_int_eq(rp_outbox_fetch(fx.ob, &c, &d, &fx.err), RP_OK);
	ck_assert(d.at[RP_LEVEL_HOST].paused && !d.at[RP_LEVEL_PATH].paused);
	rp_dispatch_release(&d);
	pause_level(find(RP_LEVEL_HOST, 1), false);
	fx_exchange(10, NULL, 0);
	ck_assert_uint_eq(fx.n_claims, 4);
}
END_TEST

START_TEST(a_section_is_neither_paused_nor_resumed)
{
	struct rp_endpoint before, after;
	int pause;

	fx.section_limits = WIDE;
	fx_append(1, 3);
	fx_claim();
	before = record(RP_LEVEL_SECTION, 1);
	fx.now_ms++;
	for (pause = 0; pause <= 1; pause++) {
		ck_assert_int_eq(rp_outbox_endpoint_pause(
				     fx.ob, fx.now_ms, find(RP_LEVEL_SECTION, 1), pause, &fx.err),
				 RP_ERR_INVAL);
		after = record(RP_LEVEL_SECTION, 1);
		ck_assert(!after.paused);
		ck_assert_int_eq(after.changed_at_ms, before.changed_at_ms);
	}
	fx_claim();
}
END_TEST

START_TEST(a_resumed_host_is_probed_at_once)
{
	with_breakers();
	open_host(1);
	fx.now_ms += 10;
	fx_append(PATH(1, 20), 1);
	pause_level(find(RP_LEVEL_HOST, 1), false);
	ck_assert(fx_claim().probes[RP_LEVEL_HOST]);
}
END_TEST

/* Else all senders would write, and wake each other, again and again. */
START_TEST(what_is_only_passed_over_is_not_written)
{
	struct rp_exchange x = {
	    .claims = fx.claims, .want = 5, .want_unproven = 5, .limits = fx_limits};
	int i;

	fx.section_limits = (struct rp_limits){.in_flight = 9, .start = 9, .rate = {9, 1000}};
	fx_append(PATH(1, 1), 3);
	fx_append(PATH(1, 2), 3);
	fx_exchange(4, NULL, 0); /* both paths are in the section now */
	ck_assert_uint_eq(fx.n_claims, 4);
	for (i = 0; i < 2; i++) {
		fx_must(rp_outbox_exchange(fx.ob, fx.now_ms, &x, &fx.err), "exchange");
		ck_assert(x.passed_over && !x.committed);
		ck_assert_uint_eq(x.n_claims, 0);
		ck_assert_int_eq(x.next_ready_at_ms, fx.now_ms + RP_PASSED_OVER_MS);
	}
}
END_TEST

START_TEST(endpoints_are_shown_by_what_is_asked_for)
{
	uint64_t one, two;
	struct seen s;

	fx.section_limits = WIDE;
	append_to_paths(RP_LEVEL_HOST, 1, 3);
	append_to_paths(RP_LEVEL_HOST, 2, 2);
	fx_exchange(10, NULL, 0);
	one = find(RP_LEVEL_HOST, 1);
	two = find(RP_LEVEL_HOST, 2);
	ck_assert_uint_eq(all_of(RP_ENDPOINTS_PATHS, 0).n, 5);
	ck_assert_uint_eq(all_of(RP_ENDPOINTS_PATHS, two).n, 2);
	s = all_of(RP_ENDPOINTS_HOSTS, 0);
	ck_assert_uint_eq(s.n, 2);
	ck_assert(s.id[0] == one && s.id[1] == two);
	s = all_of(RP_ENDPOINTS_SHARED, 0);
	ck_assert_uint_eq(s.n, 4);
	ck_assert(s.id[0] == one && s.id[1] == find(RP_LEVEL_SECTION, 1) && s.id[2] == two);
	/* from a number on, whatever has it */
	s = all_of(RP_ENDPOINTS_HOSTS, one);
	ck_assert(s.n == 2 && s.id[0] == one);
	s = all_of(RP_ENDPOINTS_HOSTS, one + 1);
	ck_assert(s.n == 1 && s.id[0] == two);
	ck_assert_uint_eq(all_of(RP_ENDPOINTS_HOSTS, fx_endpoint(2)).n, 0);
	s = all_of(RP_ENDPOINTS_SHARED, one + 1);
	ck_assert(s.n == 3 && s.id[0] == find(RP_LEVEL_SECTION, 1) && s.id[1] == two);
	s = all_of(RP_ENDPOINTS_SHARED, fx_endpoint(1));
	ck_assert(s.n == 2 && s.id[0] == two);
	ck_assert_uint_eq(all_of(RP_ENDPOINTS_PATHS, fx_endpoint(1) + 1).n, 4);
	s = all_of(RP_ENDPOINTS_OF_HOST, one);
	ck_assert_uint_eq(s.n, 4);
	ck_assert_int_eq(rp_level_of(s.id[0]), RP_LEVEL_SECTION);
	ck_assert_uint_eq(s.last.section, s.id[0]);
	s = all_of(RP_ENDPOINTS_OF_HOST, two);
	ck_assert_uint_eq(s.n, 3);
	s = all_of(RP_ENDPOINTS_ONE, fx_endpoint(2));
	ck_assert(s.n == 1 && s.id[0] == fx_endpoint(2));
	ck_assert_uint_eq(all_of(RP_ENDPOINTS_ONE, two + RP_MEMBER_NUMBERS).n, 0);
}
END_TEST

/* --- the clock ---------------------------------------------------------------------------- */

START_TEST(no_host_waits_for_a_clock_that_was_set_back)
{
	struct rp_clock_fix walk = {.more = false};

	with_breakers();
	if (_i == 1) {
		fx.host_limits.breaker = false;
		fx.host_limits.rate = rate("1/m");
	}
	fx.now_ms += 86400000;
	if (_i == 0)
		open_host(1);
	else
		claim_of(PATH(1, 0));
	fx.now_ms -= 86400000;
	do
		fx_must(rp_outbox_fix_clock(fx.ob, fx.now_ms, &walk, &fx.err), "fix_clock");
	while (walk.more);
	fx_append(PATH(1, 20), 1);
	fx_exchange(1, NULL, 0);
	ck_assert_uint_eq(fx.n_claims, 1);
	ck_assert(fx.claims[0].probes[RP_LEVEL_HOST] == (_i == 0));
}
END_TEST

static void add_limits(TCase *tc)
{
	tcase_add_test(tc, of_several_limits_the_narrowest_holds);
	tcase_add_test(tc, a_claim_that_takes_the_last_place_of_its_host_holds_up_its_other_paths);
	tcase_add_loop_test(tc, the_rate_of_each_level_holds_over_all_its_paths, 0, RP_LEVELS);
	tcase_add_test(tc, a_claim_takes_a_token_of_each_level_and_gives_them_back);
	tcase_add_loop_test(tc, a_receiver_with_a_rate_on_any_level_is_metered, 0, RP_LEVELS);
	tcase_add_test(tc, what_is_settled_counts_on_each_level);
}

static void add_breakers(TCase *tc)
{
	tcase_add_test(tc, one_sick_path_does_not_open_its_host);
	tcase_add_test(tc, several_sick_paths_open_their_host);
	tcase_add_loop_test(tc, any_answer_clears_the_host_and_its_paths_count_anew, 0, 2);
	tcase_add_test(tc, a_host_that_has_opened_costs_nothing_however_many_paths_it_has);
	tcase_add_test(tc, a_host_is_probed_through_one_path_and_closes);
	tcase_add_loop_test(tc, a_probe_that_fails_opens_its_host_for_longer, 0, 2);
	tcase_add_test(tc, a_late_success_closes_the_host);
	tcase_add_test(tc, a_breaker_of_a_host_that_was_switched_off_does_not_open);
	tcase_add_test(tc, the_window_of_a_host_opens_by_the_answers_of_all_its_paths);
	tcase_add_test(tc, hosts_that_have_not_proven_themselves_share_what_is_left_for_them);
	tcase_add_test(tc, hosts_that_hang_leave_the_proven_ones_their_places);
	tcase_add_loop_test(tc, a_host_does_not_stay_proven, 0, 2);
}

static void add_places(TCase *tc)
{
	tcase_add_test(tc, hosts_take_turns_whatever_number_of_paths_they_have);
	tcase_add_test(tc, paths_of_a_host_take_turns);
	tcase_add_test(tc, the_paths_of_a_section_have_their_turns_together);
	tcase_add_test(tc, a_path_enters_and_leaves_a_section_with_what_it_has_in_flight);
	tcase_add_test(tc, a_section_that_has_too_many_in_flight_waits_until_enough_have_ended);
	tcase_add_test(tc, a_renewal_comes_in_parts);
	tcase_add_loop_test(tc, a_renewal_reaches_the_host_whose_limit_held_all_back, 0, RP_LEVELS);
	tcase_add_test(tc, a_host_and_a_section_go_with_their_last_path);
	tcase_add_loop_test(tc, what_is_paused_stays_without_a_path, 0, N(pausable));
	tcase_add_loop_test(tc, what_was_resumed_goes_when_it_has_no_path, 0, N(pausable));
	tcase_add_loop_test(tc, the_rate_of_a_host_and_of_a_section_outlives_their_last_path,
			    RP_LEVEL_SECTION, RP_LEVELS);
	tcase_add_test(tc, a_paused_host_holds_all_its_paths);
	tcase_add_test(tc, a_section_is_neither_paused_nor_resumed);
	tcase_add_test(tc, a_resumed_host_is_probed_at_once);
	tcase_add_test(tc, what_is_only_passed_over_is_not_written);
	tcase_add_test(tc, endpoints_are_shown_by_what_is_asked_for);
	tcase_add_loop_test(tc, no_host_waits_for_a_clock_that_was_set_back, 0, 2);
}

static Suite *suite(void)
{
	Suite *s = suite_create("hosts");
	TCase *tc = tcase_create("all"), *peers = tcase_create("peers");

	tcase_add_checked_fixture(tc, fx_setup, fx_teardown);
	tcase_set_timeout(tc, 30);
	add_limits(tc);
	add_breakers(tc);
	add_places(tc);
	suite_add_tcase(s, tc);
	tcase_add_checked_fixture(peers, fx_setup_with_peers, fx_teardown);
	tcase_set_timeout(peers, 30);
	tcase_add_loop_test(peers, the_limit_of_each_level_holds_over_all_paths_and_senders, 0,
			    RP_LEVELS);
	suite_add_tcase(s, peers);
	return s;
}

int main(void)
{
	return fx_main(suite);
}
