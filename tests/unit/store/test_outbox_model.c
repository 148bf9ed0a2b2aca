/* Random operations against a model that knows nothing of tables: an array of entries and the
 * rules of outbox.h. After each step every state and the ledger must agree, after every fifty the
 * outbox must verify. The loop number of a failing test is its seed. */
#include "unit/outbox_fixture.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#define SEEDS 24
#define STEPS 400
#define ENTRIES_MAX 8192
#define ENDPOINTS 5
#define CLAIMS_MAX 512
#define DEAD_PORTION 256
#define ORDERS 3 /* order_by texts in use, on each endpoint */

struct model_entry {
	enum rp_state state; /* 0: purged */
	unsigned k;
	int64_t due_ms, state_at_ms, expires_ms, budget_ms;
	uint32_t claim_no, attempts;
	unsigned failures, losses;
	unsigned order; /* 0: without order_by */
	bool behind;
	char key[32];
};

static struct {
	uint64_t x;
	unsigned long seed, step;
	struct model_entry entries[ENTRIES_MAX + 1]; /* by seq */
	uint64_t last_seq, purged;
	bool paused[ENDPOINTS], disabled[ENDPOINTS];
	unsigned limit[ENDPOINTS];
	/* as of the last turn; an endpoint that went and came back has a new one */
	uint64_t id[ENDPOINTS];
	struct rp_claim claims[CLAIMS_MAX]; /* handed out and not settled, lost ones among them */
	size_t n_claims;
} m;

#define REQUIRE(cond, ...)                                                                         \
	do {                                                                                       \
		if (!(cond)) {                                                                     \
			char text[200];                                                            \
			snprintf(text, sizeof text, __VA_ARGS__);                                  \
			ck_abort_msg("seed %lu, step %lu: %s: %s", m.seed, m.step, #cond, text);   \
		}                                                                                  \
	} while (0)

static uint64_t pick(uint64_t n)
{
	return fx_random(&m.x) % n;
}

static unsigned k_of_endpoint(uint64_t endpoint)
{
	unsigned k;

	for (k = 0; k < ENDPOINTS; k++)
		if (m.id[k] == endpoint)
			return k;
	ck_abort_msg("endpoint %lu is not one of ours", (unsigned long)endpoint);
}

static unsigned limit_of(unsigned endpoint)
{
	return m.limit[k_of_endpoint(endpoint)];
}

/* The store forgets an endpoint without entries, unless it is paused or disabled. */
static bool is_known(unsigned k)
{
	uint64_t seq;

	for (seq = 1; seq <= m.last_seq; seq++)
		if (m.entries[seq].k == k && m.entries[seq].state != 0)
			return true;
	return m.paused[k] || m.disabled[k];
}

static void note_endpoint_ids(void)
{
	unsigned k, known = 0;

	for (k = 0; k < ENDPOINTS; k++) {
		m.id[k] = is_known(k) ? fx_endpoint(k) : 0;
		known += m.id[k] != 0;
	}
	REQUIRE(fx_rows(RP_T_ENDPOINT) == known, "%lu", (unsigned long)fx_rows(RP_T_ENDPOINT));
}

static void set_state(struct model_entry *e, enum rp_state state)
{
	if (e->state != state)
		e->state_at_ms = fx.now_ms;
	e->state = state;
	if (state == 0)
		m.purged++;
}

/* --- order
 * ------------------------------------------------------------------------------------------ */

static const char *const order_texts[ORDERS + 1] = {"", "thread a", "thread b", "thread c"};

static bool is_live(const struct model_entry *e)
{
	return e->state == RP_STATE_WAITING || e->state == RP_STATE_IN_FLIGHT ||
	       e->state == RP_STATE_HELD;
}

/* The rule, looked at from the outside: in front is who is in flight, else who came first. */
static uint64_t front_of(unsigned k, unsigned order)
{
	uint64_t seq, first = 0;

	for (seq = 1; seq <= m.last_seq; seq++) {
		const struct model_entry *e = &m.entries[seq];

		if (e->k != k || e->order != order || !is_live(e))
			continue;
		if (e->state == RP_STATE_IN_FLIGHT)
			return seq;
		first = first == 0 ? seq : first;
	}
	return first;
}

/* After each single change: who is in front now? Who has just come there is due now, with a fresh
 * budget. */
static void line_up(const struct model_entry *changed)
{
	uint64_t seq, front = changed->order != 0 ? front_of(changed->k, changed->order) : 0;

	for (seq = 1; seq <= m.last_seq && changed->order != 0; seq++) {
		struct model_entry *e = &m.entries[seq];
		bool was_behind = e->behind;

		if (e->k != changed->k || e->order != changed->order)
			continue;
		e->behind = is_live(e) && seq != front;
		if (!was_behind || e->behind || !is_live(e) || e == changed)
			continue;
		e->due_ms = e->due_ms > fx.now_ms ? e->due_ms : fx.now_ms;
		if (e->failures == 0)
			e->budget_ms = e->due_ms;
	}
}

/* --- append
 * ------------------------------------------------------------------------------------------ */

static void remember(uint64_t seq, unsigned k, const struct rp_new_entry *n)
{
	struct model_entry *e = &m.entries[seq];

	m.last_seq = seq;
	memset(e, 0, sizeof *e);
	set_state(e, RP_STATE_WAITING);
	e->k = k;
	e->due_ms = n->not_before_at_ms > fx.now_ms ? n->not_before_at_ms : fx.now_ms;
	e->budget_ms = e->due_ms;
	e->expires_ms = n->expires_at_ms;
	memcpy(e->key, n->dedupe_key.ptr, n->dedupe_key.len);
	while (!rp_span_is(n->order_by, order_texts[e->order]))
		e->order++;
	line_up(e);
}

static void step_append(void)
{
	unsigned k = (unsigned)pick(ENDPOINTS);
	struct rp_new_entry n = fx_new(k);
	bool duplicate, again = m.last_seq > 0 && pick(4) == 0;
	uint64_t seq, old = 1 + pick(m.last_seq + 1);

	if (m.last_seq == ENTRIES_MAX)
		return;
	if (again && old <= m.last_seq)
		n.dedupe_key = rp_span_of(m.entries[old].key);
	if (pick(2) == 0)
		n.order_by = rp_span_of(order_texts[1 + pick(ORDERS)]);
	if (pick(4) == 0)
		n.not_before_at_ms = fx.now_ms + (int64_t)pick(20000);
	if (pick(4) == 0)
		n.expires_at_ms = fx.now_ms + 1 + (int64_t)pick(60000);
	seq = fx_append_one(&n, &duplicate);
	if (duplicate) {
		REQUIRE(m.entries[seq].state != 0, "seq %lu", (unsigned long)seq);
		REQUIRE(rp_span_is(n.dedupe_key, m.entries[seq].key), "seq %lu",
			(unsigned long)seq);
		return;
	}
	REQUIRE(seq == m.last_seq + 1, "seq %lu after %lu", (unsigned long)seq,
		(unsigned long)m.last_seq);
	for (old = 1; old <= m.last_seq; old++)
		REQUIRE(m.entries[old].state == 0 || !rp_span_is(n.dedupe_key, m.entries[old].key),
			"seq %lu has the key, too", (unsigned long)old);
	remember(seq, k, &n);
}

/* --- turn
 * ------------------------------------------------------------------------------------------ */

/* What the settlement must do; returns whether it must be found stale. */
static bool model_settle(const struct rp_settlement *s)
{
	struct model_entry *e = &m.entries[s->seq];
	bool stale = e->state != RP_STATE_IN_FLIGHT || e->claim_no != s->claim_no;

	if (stale &&
	    (s->kind != RP_SETTLE_DELIVERED || e->state == RP_STATE_DELIVERED || e->state == 0))
		return true;
	if (s->kind == RP_SETTLE_RETURN) {
		e->attempts--;
		set_state(e, RP_STATE_WAITING);
		line_up(e);
		return stale;
	}
	e->losses = 0;
	if (s->kind == RP_SETTLE_DELIVERED) {
		set_state(e, RP_STATE_DELIVERED);
		line_up(e);
		return stale;
	}
	e->failures++;
	if (s->kind == RP_SETTLE_RETRY)
		e->due_ms = s->due_at_ms;
	set_state(e, s->kind == RP_SETTLE_RETRY ? RP_STATE_WAITING : RP_STATE_DEAD);
	line_up(e);
	if (s->disable_endpoint)
		m.disabled[e->k] = true;
	return stale;
}

static size_t in_flight(unsigned k)
{
	size_t n = 0;
	uint64_t seq;

	for (seq = 1; seq <= m.last_seq; seq++)
		n += m.entries[seq].k == k && m.entries[seq].state == RP_STATE_IN_FLIGHT;
	return n;
}

static void model_claim(const struct rp_claim *c)
{
	struct model_entry *e = &m.entries[c->seq];

	REQUIRE(e->state == RP_STATE_WAITING, "seq %lu", (unsigned long)c->seq);
	REQUIRE(e->order == 0 || front_of(e->k, e->order) == c->seq, "seq %lu",
		(unsigned long)c->seq);
	REQUIRE(e->due_ms <= fx.now_ms, "seq %lu", (unsigned long)c->seq);
	REQUIRE(e->expires_ms == 0 || e->expires_ms > fx.now_ms, "seq %lu", (unsigned long)c->seq);
	REQUIRE(!m.paused[e->k] && !m.disabled[e->k], "seq %lu", (unsigned long)c->seq);
	REQUIRE(c->attempt == e->attempts + 1, "seq %lu: attempt %u after %u",
		(unsigned long)c->seq, c->attempt, e->attempts);
	REQUIRE(c->claim_no == e->claim_no + 1, "seq %lu", (unsigned long)c->seq);
	REQUIRE(c->failures == e->failures, "seq %lu", (unsigned long)c->seq);
	REQUIRE(c->budget_at_ms == e->budget_ms, "seq %lu", (unsigned long)c->seq);
	REQUIRE(k_of_endpoint(c->endpoint) == e->k, "seq %lu", (unsigned long)c->seq);
	e->attempts++;
	e->claim_no++;
	set_state(e, RP_STATE_IN_FLIGHT);
	line_up(e);
	REQUIRE(in_flight(e->k) <= m.limit[e->k], "endpoint %u", e->k);
}

/* Which entries die in a turn depends on how far it gets; that those that died had to is checked,
 * and their number. */
static void take_over_deaths(size_t n_dead)
{
	uint64_t seq;

	for (seq = 1; seq <= m.last_seq; seq++) {
		struct model_entry *e = &m.entries[seq];

		if (e->state != RP_STATE_WAITING || fx_state(seq) != RP_STATE_DEAD)
			continue;
		REQUIRE(e->due_ms <= fx.now_ms, "seq %lu died before it was due",
			(unsigned long)seq);
		REQUIRE(m.disabled[e->k] || (e->expires_ms != 0 && e->expires_ms <= fx.now_ms),
			"seq %lu", (unsigned long)seq);
		REQUIRE(!e->behind, "seq %lu died behind another", (unsigned long)seq);
		set_state(e, RP_STATE_DEAD);
		line_up(e);
		REQUIRE(n_dead > 0, "seq %lu died uncounted", (unsigned long)seq);
		n_dead--;
	}
	REQUIRE(n_dead == 0, "%zu deaths too many were counted", n_dead);
}

/* A turn that still had room has taken everything there was. */
static void nothing_was_left(void)
{
	uint64_t seq;

	for (seq = 1; seq <= m.last_seq; seq++) {
		const struct model_entry *e = &m.entries[seq];

		if (e->state != RP_STATE_WAITING || e->due_ms > fx.now_ms || e->behind)
			continue;
		REQUIRE(!m.disabled[e->k] && (m.paused[e->k] || in_flight(e->k) >= m.limit[e->k]),
			"seq %lu was left", (unsigned long)seq);
	}
}

static struct rp_settlement random_settlement(const struct rp_claim *c)
{
	static const enum rp_settle_kind kinds[] = {RP_SETTLE_DELIVERED, RP_SETTLE_RETRY,
						    RP_SETTLE_RETRY, RP_SETTLE_DEAD,
						    RP_SETTLE_RETURN};
	struct rp_settlement s = fx_settlement(c, kinds[pick(5)]);

	s.due_at_ms = fx.now_ms + (int64_t)pick(15000);
	s.disable_endpoint = s.kind == RP_SETTLE_DEAD && pick(8) == 0;
	return s;
}

static void step_turn(void)
{
	struct rp_settlement s[32];
	size_t n = 0, i, want = pick(12);
	bool stale[32];

	while (m.n_claims > 0 && n < 32 && pick(3) != 0) {
		i = pick(m.n_claims);
		s[n] = random_settlement(&m.claims[i]);
		stale[n] = model_settle(&s[n]);
		n++;
		m.claims[i] = m.claims[--m.n_claims];
	}
	if (want > CLAIMS_MAX - m.n_claims)
		want = CLAIMS_MAX - m.n_claims;
	note_endpoint_ids();
	fx_turn(want, s, n);
	for (i = 0; i < n; i++)
		REQUIRE(s[i].stale == stale[i], "seq %lu kind %d", (unsigned long)s[i].seq,
			(int)s[i].kind);
	/* First the deaths: of two entries of one order the later one is claimed after the earlier
	 * one has died. */
	take_over_deaths(fx.n_dead);
	for (i = 0; i < fx.n_claims; i++) {
		model_claim(&fx.claims[i]);
		m.claims[m.n_claims++] = fx.claims[i];
	}
	if (fx.n_claims < want && fx.n_dead < DEAD_PORTION)
		nothing_was_left();
}

/* --- everything else
 * ------------------------------------------------------------------------------------------ */

static void step_change(void)
{
	uint64_t seq = 1 + pick(m.last_seq + 1);
	struct model_entry *e = &m.entries[seq], gone = {0};
	enum rp_change verb = 1 + (enum rp_change)pick(4);
	enum rp_changed result = fx_change(verb, seq);

	if (seq > m.last_seq)
		e = &gone;
	if (e->state == 0) {
		REQUIRE(result == RP_CHANGED_NOT_FOUND, "seq %lu", (unsigned long)seq);
	} else if (verb == RP_CHANGE_PURGE) {
		REQUIRE(result == (e->state == RP_STATE_IN_FLIGHT ? RP_CHANGED_DONE_IN_FLIGHT
								  : RP_CHANGED_DONE),
			"seq %lu", (unsigned long)seq);
		set_state(e, 0);
		line_up(e);
	} else if (e->state == RP_STATE_IN_FLIGHT) {
		REQUIRE(result == RP_CHANGED_SKIPPED_IN_FLIGHT, "seq %lu", (unsigned long)seq);
	} else if (verb == RP_CHANGE_REPLAY) {
		REQUIRE(result == RP_CHANGED_DONE, "seq %lu", (unsigned long)seq);
		set_state(e, RP_STATE_WAITING);
		e->due_ms = e->budget_ms = fx.now_ms;
		e->expires_ms = 0;
		e->failures = e->losses = 0;
		line_up(e);
	} else if (e->state == (verb == RP_CHANGE_HOLD ? RP_STATE_WAITING : RP_STATE_HELD)) {
		REQUIRE(result == RP_CHANGED_DONE, "seq %lu", (unsigned long)seq);
		set_state(e, verb == RP_CHANGE_HOLD ? RP_STATE_HELD : RP_STATE_WAITING);
		line_up(e);
	} else {
		REQUIRE(result == RP_CHANGED_SKIPPED_STATE, "seq %lu", (unsigned long)seq);
	}
}

static void step_pause(void)
{
	unsigned k = (unsigned)pick(ENDPOINTS);

	if (!is_known(k))
		return;
	m.paused[k] = pick(3) == 0;
	if (!m.paused[k])
		m.disabled[k] = false;
	fx_pause(k, m.paused[k]);
}

static void step_expire(void)
{
	int64_t keep_ms = 20000 + (int64_t)pick(60000);
	size_t removed, expected = 0;
	uint64_t seq;

	for (seq = 1; seq <= m.last_seq; seq++) {
		struct model_entry *e = &m.entries[seq];

		if ((e->state != RP_STATE_DELIVERED && e->state != RP_STATE_DEAD) ||
		    e->state_at_ms > fx.now_ms - keep_ms)
			continue;
		set_state(e, 0);
		expected++;
	}
	ck_assert_int_eq(
	    rp_outbox_expire(fx.ob, fx.now_ms, keep_ms, keep_ms, ENTRIES_MAX, &removed, &fx.err),
	    RP_OK);
	REQUIRE(removed == expected, "%zu instead of %zu", removed, expected);
}

/* The claims stay in the list: their results will come late. */
static void step_leave_and_join(void)
{
	uint64_t seq;

	ck_assert_int_eq(rp_outbox_leave(fx.ob, fx.now_ms, &fx.err), RP_OK);
	for (seq = 1; seq <= m.last_seq; seq++) {
		struct model_entry *e = &m.entries[seq];

		if (e->state != RP_STATE_IN_FLIGHT)
			continue;
		set_state(e, ++e->losses >= RP_LOSSES_MAX ? RP_STATE_DEAD : RP_STATE_WAITING);
		e->due_ms = fx_delivery(seq).due_at_ms;
		REQUIRE(e->due_ms >= fx.now_ms, "seq %lu", (unsigned long)seq);
		line_up(e);
	}
	fx_join();
}

static void step_reopen(void)
{
	ck_assert_int_eq(rp_outbox_leave(fx.ob, fx.now_ms, &fx.err), RP_OK);
	fx_join();
	step_leave_and_join();
	fx_close();
	fx_open();
	fx_join();
}

static bool compare_one(void *arg, const struct rp_entry *entry)
{
	uint64_t *next = arg;
	const struct model_entry *e = &m.entries[entry->seq];

	for (; *next < entry->seq; (*next)++)
		REQUIRE(m.entries[*next].state == 0, "seq %lu is gone", (unsigned long)*next);
	(*next)++;
	REQUIRE(entry->delivery.state == e->state, "seq %lu is %s, should be %d",
		(unsigned long)entry->seq, rp_state_name(entry->delivery.state), (int)e->state);
	REQUIRE(entry->delivery.attempts == e->attempts, "seq %lu", (unsigned long)entry->seq);
	REQUIRE(entry->delivery.failures == e->failures, "seq %lu", (unsigned long)entry->seq);
	REQUIRE(entry->delivery.losses == e->losses, "seq %lu", (unsigned long)entry->seq);
	REQUIRE(entry->delivery.behind == e->behind, "seq %lu", (unsigned long)entry->seq);
	REQUIRE(entry->delivery.state_at_ms == e->state_at_ms, "seq %lu",
		(unsigned long)entry->seq);
	REQUIRE(e->state != RP_STATE_WAITING || entry->delivery.due_at_ms == e->due_ms, "seq %lu",
		(unsigned long)entry->seq);
	return true;
}

static void compare(void)
{
	uint64_t count[RP_STATE_COUNT] = {0}, seq, next = 1;
	const struct rp_filter every = {0};
	struct rp_select s = {
	    .filter = &every, .by_number = true, .see = compare_one, .arg = &next};
	struct rp_ledger l = fx_ledger();

	do
		ck_assert_int_eq(rp_outbox_select(fx.ob, &s, &fx.err), RP_OK);
	while (s.more);
	rp_outbox_select_end(fx.ob, &s);
	for (; next <= m.last_seq; next++)
		REQUIRE(m.entries[next].state == 0, "seq %lu is gone", (unsigned long)next);
	for (seq = 1; seq <= m.last_seq; seq++)
		count[m.entries[seq].state]++;
	REQUIRE(l.accepted == m.last_seq, "%lu", (unsigned long)l.accepted);
	REQUIRE(l.waiting == count[RP_STATE_WAITING], "%lu", (unsigned long)l.waiting);
	REQUIRE(l.in_flight == count[RP_STATE_IN_FLIGHT], "%lu", (unsigned long)l.in_flight);
	REQUIRE(l.held == count[RP_STATE_HELD], "%lu", (unsigned long)l.held);
	REQUIRE(l.delivered == count[RP_STATE_DELIVERED], "%lu", (unsigned long)l.delivered);
	REQUIRE(l.dead == count[RP_STATE_DEAD], "%lu", (unsigned long)l.dead);
	REQUIRE(l.purged == m.purged, "%lu", (unsigned long)l.purged);
}

static void step(void)
{
	uint64_t n = pick(100);

	if (n < 30)
		step_append();
	else if (n < 60)
		step_turn();
	else if (n < 75)
		step_change();
	else if (n < 79)
		step_pause();
	else if (n < 82)
		step_expire();
	else if (n < 84)
		step_leave_and_join();
	else if (n < 85)
		step_reopen();
	else
		fx.now_ms += (int64_t)pick(4000);
}

START_TEST(random_work_agrees_with_the_model)
{
	unsigned k;

	m.seed = (unsigned long)_i;
	m.x = (uint64_t)_i * 2654435761u + 88172645463325252u;
	for (k = 0; k < ENDPOINTS; k++) {
		struct rp_new_entry n = fx_new(k);

		remember(fx_append_one(&n, NULL), k, &n);
		m.limit[k] = 1 + (unsigned)pick(6);
	}
	fx.limit_of = limit_of;
	for (m.step = 0; m.step < STEPS; m.step++) {
		step();
		compare();
		if (m.step % 50 == 49)
			fx_verify_sound();
	}
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("outbox_model");
	TCase *tc = tcase_create("model");

	tcase_add_checked_fixture(tc, fx_setup, fx_teardown);
	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, random_work_agrees_with_the_model, 0, SEEDS);
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
