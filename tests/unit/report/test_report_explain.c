/* What `runpostctl explain` says, case by case. */
#include "model/schedule.h"
#include "report/explain.h"

#include <check.h>
#include <stdlib.h>

#define NOW INT64_C(1764000000000)
#define N(table) ((int)(sizeof(table) / sizeof((table)[0])))

static struct rp_entry entry;
static struct rp_endpoint endpoint, section, host;
static struct rp_policy policy;
static struct rp_config settings;
static struct rp_explain_input in;
static struct rp_place place;
static char outbox[] = "/srv/x", config[] = "/etc/r.conf";
static struct rp_explanation x;

/* A waiting entry that is due, of a healthy endpoint, with a sender that works. */
static void set_up(void)
{
	memset(&entry, 0, sizeof entry);
	memset(&endpoint, 0, sizeof endpoint);
	memset(&section, 0, sizeof section);
	memset(&host, 0, sizeof host);
	memset(&policy, 0, sizeof policy);
	memset(&x, 0, sizeof x);
	rp_id_make(7, (const unsigned char[10]){1}, entry.facts.id);
	entry.seq = 7;
	entry.endpoint = rp_span_of("https://a.example/it's");
	entry.facts.accepted_at_ms = NOW - 60000;
	entry.delivery = (struct rp_delivery){.state = RP_STATE_WAITING,
					      .due_at_ms = NOW - 5000,
					      .budget_at_ms = NOW - 60000,
					      .state_at_ms = NOW - 60000};
	host.level = RP_LEVEL_HOST;
	host.last_success_at_ms = NOW - 1000;
	section.level = RP_LEVEL_SECTION;
	endpoint.control.limits = (struct rp_limits){.in_flight = 20, .start = 5, .breaker = true};
	endpoint.control.window_permille = 5000;
	policy.name = "acme";
	policy.timeout_ms = 20000;
	policy.retry = (struct rp_retry_policy){
	    .base_ms = 5000, .factor_permille = 4000, .cap_ms = 86400000, .attempts = 11};
	settings = (struct rp_config){.lease_ms = 30000,
				      .keep_delivered_ms = INT64_C(604800000),
				      .keep_dead_ms = INT64_C(2592000000)};
	in = (struct rp_explain_input){.entry = &entry,
				       .endpoint = &endpoint,
				       .section = &section,
				       .host = &host,
				       .config = &settings,
				       .policy = &policy,
				       .now_at_ms = NOW,
				       .n_alive = 2,
				       .n_beating = 2,
				       .holder_known = true,
				       .holder_alive = true,
				       .holder_beats = true,
				       .holder_pid = 4711,
				       .front = "",
				       .place = &place};
	place = (struct rp_place){.outbox = outbox, .config = config, .senders_known = true};
}

static void tear_down(void)
{
	rp_explanation_release(&x);
}

/* --- what holds a waiting entry up: one change to the healthy case a row ------------------ */

static void nothing(void)
{
}

static void no_sender(void)
{
	in.n_alive = in.n_beating = 0;
}

static void senders_stopped(void)
{
	in.n_beating = 0;
	in.beat_age_ms = 90000;
}

static void paused(void)
{
	endpoint.paused = true;
	endpoint.changed_at_ms = NOW - 120000;
}

static void paused_by_somebody(void)
{
	paused();
	in.paused_by = rp_span_of("alice");
	in.paused_why = rp_span_of("new certificate");
}

static void no_sender_and_no_config(void)
{
	no_sender();
	place.config = NULL;
	place.senders_known = false;
}

static void disabled(void)
{
	endpoint.disabled = true;
	endpoint.changed_at_ms = NOW - 120000;
}

static void no_key(void)
{
	endpoint.parked_until_ms = NOW + 40000;
}

static void breaker_open(void)
{
	endpoint.control.breaker = RP_BREAKER_OPEN;
	endpoint.control.bad_streak = 12;
	endpoint.control.cause = RP_CAUSE_HTTP;
	endpoint.control.http_status = 503;
	endpoint.control.opened_at_ms = NOW - 10000;
	endpoint.control.probe_at_ms = NOW + 20000;
}

static void breaker_probing(void)
{
	breaker_open();
	endpoint.control.breaker = RP_BREAKER_HALF_OPEN;
}

static void window(void)
{
	endpoint.count[RP_STATE_IN_FLIGHT] = 5;
}

static void rate(void)
{
	endpoint.control.limits.rate = (struct rp_rate){6, 60000};
	endpoint.control.full_at_us = (NOW + 15000) * 1000;
}

static void order(void)
{
	entry.delivery.behind = true;
	entry.delivery.order_key = 1;
	in.front = "msg_00000000018PEXZNXXEYKV1R27";
	in.front_state = RP_STATE_WAITING;
}

static void order_held(void)
{
	order();
	in.front_state = RP_STATE_HELD;
}

static void not_before(void)
{
	entry.facts.not_before_at_ms = entry.delivery.due_at_ms = NOW + 3600000;
}

static void retry_delay(void)
{
	entry.delivery.due_at_ms = NOW + 20000;
	entry.delivery.attempts = entry.delivery.failures = 2;
	entry.delivery.last_cause = RP_CAUSE_TIMEOUT;
}

static void unproven(void)
{
	host.last_success_at_ms = NOW - RP_PROVEN_MS;
}

static void unproven_for_a_moment(void)
{
	unproven();
	entry.delivery.due_at_ms = NOW - 900;
}

static void no_host(void)
{
	in.host = NULL;
}

static void unproven_and_no_config(void)
{
	unproven();
	place.config = NULL;
	place.senders_known = false;
}

static void unproven_and_paused(void)
{
	unproven();
	paused();
}

static void expired(void)
{
	entry.delivery.expires_at_ms = NOW - 1000;
}

#define PLACE " --outbox /srv/x --config /etc/r.conf"

static const struct {
	const char *code;
	void (*change)(void);
	int64_t until_at_ms;
	const char *says, *command; /* command NULL: none */
} blocks[] = {
    {"turn", nothing, 0, "nothing stands in its way", NULL},
    {"turn", unproven_for_a_moment, 0, "nothing stands in its way", NULL},
    {"turn", no_host, 0, "nothing stands in its way", NULL},
    {"unproven", unproven, 0,
     "nothing in the last 10m00s, or failed since. Such hosts share half of", "runpost send" PLACE},
    {"unproven", unproven_and_no_config, 0, "To have one more, start a sender with the --config",
     NULL},
    {"paused", unproven_and_paused, 0, "paused by an operator 2m00s ago.",
     "runpostctl resume 'https://a.example/it'\"'\"'s'" PLACE},
    {"no_sender", no_sender, 0, "No sender is running", "runpost send" PLACE},
    {"no_sender", no_sender_and_no_config, 0,
     "start a sender with the --config that the senders of this outbox have", NULL},
    {"senders_stopped", senders_stopped, 0, "last sign of life was 1m30s ago",
     "runpostctl doctor" PLACE},
    {"paused", paused, 0, "paused by an operator 2m00s ago.",
     "runpostctl resume 'https://a.example/it'\"'\"'s'" PLACE},
    {"paused", paused_by_somebody, 0, "paused by alice 2m00s ago (new certificate).",
     "runpostctl resume 'https://a.example/it'\"'\"'s'" PLACE},
    {"disabled", disabled, 0, "dies as gone", "runpostctl resume 'https://a.example/it'\"'\"'s'"},
    {"no_key", no_key, NOW + 40000, "looks again in 40s",
     "runpost check-config 'https://a.example/it'\"'\"'s' --config /etc/r.conf"},
    {"breaker_open", breaker_open, NOW + 20000, "12 bad outcomes in a row, the last http_503",
     "runpostctl resume 'https://a.example/it'\"'\"'s'"},
    {"breaker_probing", breaker_probing, 0, "a probe is under way", NULL},
    {"window", window, 0, "5 requests are under way, of 5 that it gets now and 20",
     "runpostctl endpoints 'https://a.example/it'\"'\"'s'"},
    {"rate", rate, NOW + 5000, "rate of 6/m is used up",
     "runpostctl endpoints 'https://a.example/it'\"'\"'s'"},
    {"order", order, 0, "has the same order_by, and is waiting",
     "runpostctl explain msg_00000000018PEXZNXXEYKV1R27"},
    {"order", order_held, 0, "and is held", "runpostctl release msg_00000000018PEXZNXXEYKV1R27"},
    {"not_before", not_before, NOW + 3600000, "no earlier than in 1h00m", "runpostctl replay msg_"},
    {"retry_delay", retry_delay, NOW + 20000, "its next attempt is in 20s",
     "runpostctl replay msg_"},
    {"expired", expired, 0, "dies as expired", "runpostctl replay msg_"},
};

START_TEST(each_thing_that_holds_it_up_is_told_alone)
{
	blocks[_i].change();
	rp_explain(&in, &x);
	ck_assert_uint_eq(x.n_blocks, 1);
	ck_assert_str_eq(x.blocks[0].code, blocks[_i].code);
	if (strcmp(blocks[_i].code, "rate") == 0)
		ck_assert_int_gt(x.blocks[0].until_at_ms, NOW);
	else
		ck_assert_int_eq(x.blocks[0].until_at_ms, blocks[_i].until_at_ms);
	ck_assert_msg(strstr(x.blocks[0].text.data, blocks[_i].says) != NULL, "%s",
		      x.blocks[0].text.data);
	if (blocks[_i].command == NULL)
		ck_assert_uint_eq(x.blocks[0].command.len, 0);
	else
		ck_assert_msg(strncmp(x.blocks[0].command.data, blocks[_i].command,
				      strlen(blocks[_i].command)) == 0,
			      "%s", x.blocks[0].command.data);
	ck_assert(!x.no_memory && x.why.len > 0 && x.next.len > 0);
}
END_TEST

START_TEST(all_that_hold_it_up_at_once_are_told)
{
	order();
	no_sender();
	paused();
	no_key();
	breaker_open();
	rp_explain(&in, &x);
	ck_assert_uint_eq(x.n_blocks, 5);
	ck_assert_str_eq(x.blocks[0].code, "order");
}
END_TEST

/* --- the future --------------------------------------------------------------------------- */

static unsigned steps(void)
{
	struct rp_forecast_step s;
	unsigned n = 0;

	while (rp_forecast_next(&x.forecast, &s))
		n++;
	return n;
}

START_TEST(the_future_begins_when_the_last_of_the_blocks_with_a_time_ends)
{
	retry_delay();
	no_key();
	rp_explain(&in, &x);
	ck_assert(x.has_future);
	ck_assert_int_eq(x.forecast.earliest_at_ms, NOW + 40000);
	ck_assert_uint_eq(steps(), 9);
}
END_TEST

static const struct {
	const char *what;
	void (*change)(void);
	bool future;
} futures[] = {
    {"due", nothing, true},       {"behind", order, false}, {"disabled", disabled, false},
    {"retry", retry_delay, true}, {"paused", paused, true}, {"expired", expired, true},
};

START_TEST(what_cannot_be_foreseen_is_not_foretold)
{
	futures[_i].change();
	rp_explain(&in, &x);
	ck_assert_msg(x.has_future == futures[_i].future, "%s", futures[_i].what);
	if (strcmp(futures[_i].what, "expired") == 0) {
		ck_assert_uint_eq(steps(), 0);
		ck_assert_int_eq(x.forecast.end_cause, RP_CAUSE_EXPIRED);
	}
}
END_TEST

/* --- the other states --------------------------------------------------------------------- */

static void in_flight(void)
{
	entry.delivery.state = RP_STATE_IN_FLIGHT;
	entry.delivery.state_at_ms = NOW - 3000;
	entry.delivery.attempts = 1;
	entry.delivery.slot = 3;
}

static void in_flight_lost(void)
{
	in_flight();
	in.holder_alive = false;
}

static void in_flight_stopped(void)
{
	in_flight();
	in.holder_beats = false;
}

static void held(void)
{
	entry.delivery.state = RP_STATE_HELD;
	entry.delivery.order_key = 5;
}

static void delivered(void)
{
	entry.delivery.state = RP_STATE_DELIVERED;
	entry.delivery.http_status = 204;
	entry.delivery.attempts = 2;
}

static void dead(void)
{
	entry.delivery.state = RP_STATE_DEAD;
	entry.delivery.cause = RP_CAUSE_EXHAUSTED;
	entry.delivery.last_cause = RP_CAUSE_HTTP;
	entry.delivery.http_status = 404;
}

static void dead_kept(void)
{
	dead();
	settings.keep_dead_ms = 0;
	endpoint.disabled = true;
}

static void unreadable(void)
{
	memset(&entry.delivery, 0, sizeof entry.delivery);
	entry.damaged = true;
}

static const struct {
	void (*change)(void);
	const char *why, *next, *command;
} states[] = {
    {in_flight, "sender-3 has had it for 3s and makes attempt #1", "settled within 18s",
     "runpostctl purge"},
    {in_flight_lost, "sender-3", "That sender is gone", "runpostctl purge"},
    {in_flight_stopped, "sender-3",
     "(pid 4711) is alive but gives no sign of life: after a lease of 30s", "runpostctl purge"},
    {held, "parked it 1m00s ago", "later entries with its order_by wait for it",
     "runpostctl release"},
    {delivered, "answered with 204", "keep_delivered = 7d00h", "runpostctl replay"},
    {dead,
     "as exhausted; its last attempt came back with http_404. What to do: nothing listens at this "
     "URL: mend the "
     "route; new runs can name another URL, then replay.",
     "keep_dead = 30d00h", "runpostctl replay"},
    {dead_kept, "as exhausted", "keep_dead = 0). Its endpoint is disabled", "runpostctl replay"},
    {unreadable, "damaged", NULL, "runpostctl purge"},
};

START_TEST(each_state_is_explained)
{
	states[_i].change();
	rp_explain(&in, &x);
	ck_assert_uint_eq(x.n_blocks, 0);
	ck_assert(!x.has_future);
	ck_assert_msg(strstr(x.why.data, states[_i].why) != NULL, "%s", x.why.data);
	if (states[_i].next != NULL)
		ck_assert_msg(strstr(x.next.data, states[_i].next) != NULL, "%s", x.next.data);
	ck_assert_msg(strncmp(x.commands[0].command.data, states[_i].command,
			      strlen(states[_i].command)) == 0,
		      "%s", x.commands[0].command.data);
}
END_TEST

static void failing(unsigned status)
{
	retry_delay();
	entry.delivery.last_cause = RP_CAUSE_HTTP;
	entry.delivery.http_status = status;
}

static void failing_307(void)
{
	failing(307);
}

static void failing_503(void)
{
	failing(503);
}

static void due_but_paused(void)
{
	paused();
}

static void retrying_and_paused(void)
{
	retry_delay();
	paused();
}

static void due_but_no_key(void)
{
	no_key();
	entry.delivery.last_cause = RP_CAUSE_NO_KEY;
}

/* --- levels ------------------------------------------------------------------------------- */

static void host_paused(void)
{
	paused_by_somebody();
	host.paused = true;
	host.changed_at_ms = NOW - 60000;
}

static void host_open(void)
{
	breaker_open();
	host.control = endpoint.control;
	memset(&endpoint.control, 0, sizeof endpoint.control);
}

static void host_full(void)
{
	host.control.limits = (struct rp_limits){.in_flight = 64, .start = 10, .breaker = true};
	host.control.window_permille = 64000;
	host.count[RP_STATE_IN_FLIGHT] = 64;
}

static void section_full(void)
{
	section.control.limits = (struct rp_limits){.in_flight = 2, .start = 2};
	section.control.window_permille = 2000;
	section.count[RP_STATE_IN_FLIGHT] = 2;
}

static void section_paused(void)
{
	section.paused = true;
	section.changed_at_ms = NOW - 60000;
}

static void section_rate(void)
{
	section.control.limits = (struct rp_limits){.in_flight = 9, .start = 9, .rate = {6, 60000}};
	section.control.window_permille = 9000;
	section.control.full_at_us = (NOW + 15000) * 1000;
}

static const struct {
	void (*change)(void);
	enum rp_level level;
	const char *code, *says, *why, *command;
} levels[] = {
    {host_paused, RP_LEVEL_HOST, "paused", "The host was paused by alice 1m00s ago (new",
     "waits for its host to be resumed", "runpostctl resume https://a.example" PLACE},
    {host_open, RP_LEVEL_HOST, "breaker_open",
     "The host's breaker opened 10s ago, after 12 bad outcomes of its paths in a row",
     "waits for its host's breaker", "runpostctl resume https://a.example" PLACE},
    {host_full, RP_LEVEL_HOST, "window",
     "64 requests are under way over all its paths, of 64 that it gets now and 64 that "
     "host_in_flight allows. If it can bear more, raise host_in_flight.",
     "waits for room in its host's window", "runpostctl endpoints https://a.example" PLACE},
    {section_full, RP_LEVEL_SECTION, "window",
     "2 requests are under way over all its paths, of 2 that it gets now and 2 that in_flight",
     "waits for room in its section's window", "runpostctl endpoints https://a.example" PLACE},
    {section_rate, RP_LEVEL_SECTION, "rate", "The section's rate of 6/m is used up",
     "waits for its section's rate", "runpostctl endpoints https://a.example" PLACE},
    {unproven, RP_LEVEL_HOST, "unproven", "and this one waits for one of these",
     "waits for a place among those for hosts that have not delivered lately.",
     "runpost send" PLACE},
    /* no verb resumes a section */
    {section_paused, RP_LEVEL_SECTION, "paused", "The section was paused",
     "waits for its section to be resumed", NULL},
};

/* The outermost comes first. */
START_TEST(the_level_that_holds_it_up_is_named)
{
	levels[_i].change();
	rp_explain(&in, &x);
	ck_assert_str_eq(x.blocks[0].code, levels[_i].code);
	ck_assert_int_eq(x.blocks[0].level, levels[_i].level);
	ck_assert_msg(strstr(x.blocks[0].text.data, levels[_i].says) != NULL, "%s",
		      x.blocks[0].text.data);
	ck_assert_msg(strstr(x.why.data, levels[_i].why) != NULL, "%s", x.why.data);
	if (levels[_i].command == NULL)
		ck_assert_uint_eq(x.blocks[0].command.len, 0);
	else
		ck_assert_str_eq(x.blocks[0].command.data, levels[_i].command);
}
END_TEST

static const struct {
	void (*change)(void);
	size_t n_blocks;
	const char *code;
	enum rp_level level;
	const char *next;
} gone[] = {
    {nothing, 1, "disabled", RP_LEVEL_PATH, "It will be dead as gone."},
    /* what is the path's own holds nothing up any more */
    {paused, 1, "disabled", RP_LEVEL_PATH, "It will be dead as gone."},
    {breaker_open, 1, "disabled", RP_LEVEL_PATH, "It will be dead as gone."},
    {unproven, 1, "disabled", RP_LEVEL_PATH, "It will be dead as gone."},
    {host_paused, 2, "paused", RP_LEVEL_HOST, "dead as gone, after its host is resumed."},
    {host_open, 2, "breaker_open", RP_LEVEL_HOST, "It will be dead as gone."},
    {host_full, 2, "window", RP_LEVEL_HOST, "It will be dead as gone."},
    {section_rate, 2, "rate", RP_LEVEL_SECTION, "It will be dead as gone."},
};

/* Its entries die when the turn of its section and its host has come. */
START_TEST(what_holds_up_the_end_of_a_disabled_path_is_named)
{
	disabled();
	gone[_i].change();
	rp_explain(&in, &x);
	ck_assert_uint_eq(x.n_blocks, gone[_i].n_blocks);
	ck_assert_str_eq(x.blocks[0].code, "disabled");
	ck_assert_str_eq(x.blocks[x.n_blocks - 1].code, gone[_i].code);
	ck_assert_int_eq(x.blocks[x.n_blocks - 1].level, gone[_i].level);
	ck_assert_msg(strstr(x.next.data, gone[_i].next) != NULL, "%s", x.next.data);
	ck_assert(!x.has_future);
}
END_TEST

/* Why it waits is what stands in its way, and what has failed comes with what helps. */
static const struct {
	void (*change)(void);
	const char *why, *next;
} waits[] = {
    {nothing, "waits for a sender to take it.", "Attempt #1 "},
    {no_sender, "waits for a sender, since none is running.", "Attempt #1 "},
    {due_but_paused, "waits for its endpoint to be resumed: it is paused.",
     "Attempt #1 after its endpoint is resumed."},
    {retrying_and_paused, "waits for the next one. Besides, its endpoint is paused.",
     "Attempt #3 after its endpoint is resumed, in 20s at the earliest."},
    {disabled, "waits for its endpoint to be resumed: it is disabled.", "dead as gone"},
    {due_but_no_key,
     "waits for a valid signing key of its endpoint. What to do: no signing key is valid: mend the "
     "secret",
     "in 40s at the earliest"},
    {breaker_open, "waits for its endpoint's breaker, which is open.", "in 20s"},
    {failing_307,
     "failed (http_307), and it waits for the next one. What to do: it redirects, which is never "
     "followed: let it take "
     "the "
     "event at this URL; new runs can name the one it points to. Until then its attempts fail in "
     "the same way.",
     "Attempt #3 in 20s"},
    {failing_503, "What to do: it is overloaded or down. It may also pass by itself.",
     "Attempt #3 in 20s"},
};

START_TEST(why_it_waits_is_what_stands_in_its_way)
{
	waits[_i].change();
	rp_explain(&in, &x);
	ck_assert_msg(strstr(x.why.data, waits[_i].why) != NULL, "%s", x.why.data);
	ck_assert_msg(strstr(x.next.data, waits[_i].next) != NULL, "%s", x.next.data);
}
END_TEST

/* --- the past ----------------------------------------------------------------------------- */

START_TEST(attempts_are_summed_up_by_outcome)
{
	static const struct {
		enum rp_cause cause;
		unsigned status;
	} log[] = {{RP_CAUSE_HTTP, 503}, {RP_CAUSE_TIMEOUT, 0},     {RP_CAUSE_HTTP, 503},
		   {RP_CAUSE_HTTP, 502}, {RP_CAUSE_SENDER_LOST, 0}, {RP_CAUSE_HTTP, 503}};
	uint32_t i;

	for (i = 0; i < N(log); i++) {
		struct rp_attempt a = {.slot = 2, .started_at_ms = NOW - 60000 + i * 1000};

		a.outcome.cause = log[i].cause;
		a.outcome.http_status = log[i].status;
		a.outcome.duration_us = 80000;
		rp_explain_add_attempt(&in.attempts, i + 1, &a);
	}
	retry_delay();
	entry.delivery.replays = 1;
	rp_explain(&in, &x);
	ck_assert_msg(
	    strstr(x.happened.data,
		   "6 attempts, the first 1m00s ago: 3 http_503, 1 timeout, 1 http_502, "
		   "1 sender_lost. The last, #6 by sender-2, began 55s ago and came back with "
		   "http_503 after 80ms.") != NULL,
	    "%s", x.happened.data);
	ck_assert_msg(strstr(x.happened.data, "replayed 1 time") != NULL, "%s", x.happened.data);
}
END_TEST

START_TEST(the_words_of_the_last_attempt_are_told_without_secrets)
{
	struct rp_attempt a = {.outcome = {.cause = RP_CAUSE_HTTP,
					   .http_status = 308,
					   .detail = "redirects to https://a.example/s3cret/"}};

	entry.facts.url = rp_span_of("https://a.example/in?token=s3cret");
	rp_explain_add_attempt(&in.attempts, 1, &a);
	rp_explain(&in, &x);
	ck_assert_msg(strstr(x.happened.data,
			     "http_308 after 0s: redirects to https://a.example/******/.") != NULL,
		      "%s", x.happened.data);
}
END_TEST

START_TEST(many_kinds_of_outcomes_do_not_overflow)
{
	uint32_t i;

	for (i = 0; i < 40; i++) {
		struct rp_attempt a = {.outcome = {.cause = RP_CAUSE_HTTP, .http_status = 500 + i}};

		rp_explain_add_attempt(&in.attempts, i + 1, &a);
	}
	rp_explain(&in, &x);
	ck_assert_msg(strstr(x.happened.data, "34 other") != NULL, "%s", x.happened.data);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("explain");
	TCase *tc = tcase_create("explain");

	tcase_add_checked_fixture(tc, set_up, tear_down);
	tcase_add_loop_test(tc, each_thing_that_holds_it_up_is_told_alone, 0, N(blocks));
	tcase_add_loop_test(tc, the_level_that_holds_it_up_is_named, 0, N(levels));
	tcase_add_loop_test(tc, what_holds_up_the_end_of_a_disabled_path_is_named, 0, N(gone));
	tcase_add_test(tc, all_that_hold_it_up_at_once_are_told);
	tcase_add_test(tc, the_future_begins_when_the_last_of_the_blocks_with_a_time_ends);
	tcase_add_loop_test(tc, what_cannot_be_foreseen_is_not_foretold, 0, N(futures));
	tcase_add_loop_test(tc, each_state_is_explained, 0, N(states));
	tcase_add_loop_test(tc, why_it_waits_is_what_stands_in_its_way, 0, N(waits));
	tcase_add_test(tc, the_words_of_the_last_attempt_are_told_without_secrets);
	tcase_add_test(tc, attempts_are_summed_up_by_outcome);
	tcase_add_test(tc, many_kinds_of_outcomes_do_not_overflow);
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
