/* The sender's loop against the real store, a fake clock and a scripted transport: no sockets, no
 * waiting. */
#include "deliver/sender.h"

#include <check.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "unit/fake_transport.h"
#include "unit/outbox_fixture.h"
#include "deliver/attempt.h"
#include "deliver/concurrency.h"
#include "store/lmdb/endpoint.h"
#include "store/store_ops.h"

static struct rp_settings settings;
static struct fake_transport net;
static struct rp_sender *sender;
static bool done;
static int wait_ms;

static void configure(const char *text)
{
	struct rp_error err;
	enum rp_err e;

	rp_settings_release(&settings); /* of the setup, where a test has its own */
	memset(&settings, 0, sizeof settings);
	rp_config_init(&settings.config);
	e = rp_config_parse(&settings.config, "test.conf", rp_span_of(text), &err);
	ck_assert_msg(e == RP_OK, "%s", err.text);
	e = rp_settings_load_secrets(&settings, &err);
	ck_assert_msg(e == RP_OK, "%s", err.text);
}

static bool background;

static void start_sender(unsigned in_flight, bool drain)
{
	struct rp_sender_options o = {.outbox = fx.ob,
				      .transport = &net.transport,
				      .settings = &settings,
				      .sys = fx.options.sys,
				      .in_flight = in_flight,
				      .background = background,
				      .drain = drain};
	enum rp_err e = rp_sender_new(&o, &sender, &fx.err);

	ck_assert_msg(e == RP_OK, "%s", fx.err.text);
}

static void setup(void)
{
	fx_setup_dir();
	fx_open();
	fake_transport_init(&net);
	configure("[defaults]\nretry_base = 10s\nretry_factor = 2\nin_flight = 100\n");
}

static void teardown(void)
{
	rp_sender_free(sender);
	sender = NULL;
	background = false;
	rp_settings_release(&settings);
	fx_verify_sound();
	fx_close();
	fx_teardown_dir();
}

/* Steps, moving the clock as the sender asks, until it has nothing to do for `quiet_ms`. */
static void settle_down(int quiet_ms)
{
	int i;

	for (i = 0; i < 10000; i++) {
		enum rp_err e = rp_sender_step(sender, &wait_ms, &done, &fx.err);

		ck_assert_msg(e == RP_OK, "%s", fx.err.text);
		if (done || wait_ms > quiet_ms)
			return;
		fx.now_ms += wait_ms;
		fx.boot_ms += wait_ms;
	}
	ck_abort_msg("the sender never comes to rest");
}

static void advance(int64_t ms)
{
	fx.now_ms += ms;
	fx.boot_ms += ms;
}

/* The host of an endpoint has delivered lately, so its requests may take every place. */
static void prove(unsigned k)
{
	struct rp_txn t;
	struct rp_ep *host;
	enum rp_err e = rp_txn_write(fx_db(), fx.now_ms, &t, &fx.err);

	fx_must(e, "write");
	e = rp_ep_get(&t, rp_level_host(fx_endpoint(k)), &host, &fx.err);
	if (e == RP_OK) {
		host->rec.last_success_at_ms = fx.now_ms;
		rp_ep_changed(&t, host);
	}
	fx_must(rp_txn_finish(&t, e, &fx.err), "prove");
}

static uint64_t append_proven(unsigned k, size_t n)
{
	uint64_t first = fx_append(k, n);

	prove(k);
	return first;
}

/* --- the way of an entry ------------------------------------------------------------------ */

START_TEST(a_request_carries_what_the_receiver_needs)
{
	char value[128];
	const struct rp_request *r;

	start_sender(10, false);
	fx_append(1, 1);
	settle_down(20);
	ck_assert_uint_eq(net.n_started, 1);
	r = net.requests[0].request;
	ck_assert_int_eq(strncmp(net.requests[0].url, "https://k1.example/hook?token=t", 31), 0);
	ck_assert_str_eq(fake_header(r, "content-type", value, sizeof value), "application/json");
	ck_assert_int_eq(strncmp(net.requests[0].id, "msg_", 4), 0);
	ck_assert_str_eq(net.requests[0].attempt, "1");
	ck_assert_str_eq(net.requests[0].timestamp, "1700000000");
	ck_assert_str_eq(net.requests[0].signature, "");
	ck_assert_int_eq(strncmp(net.requests[0].body, "{\"run_id\":", 10), 0);
	fake_answer(&net, 0, RP_CAUSE_NONE, 200);
	settle_down(20);
	ck_assert_uint_eq(fx_ledger().delivered, 1);
}
END_TEST

START_TEST(a_failure_is_tried_again_no_sooner_than_due_and_with_the_same_id)
{
	int64_t failed_at_ms, due_at_ms;
	uint64_t seq;

	start_sender(10, false);
	seq = fx_append(1, 1);
	settle_down(20);
	failed_at_ms = fx.now_ms;
	fake_answer(&net, 0, RP_CAUSE_HTTP, 503);
	settle_down(20);
	ck_assert_int_eq(fx_state(seq), RP_STATE_WAITING);
	due_at_ms = fx_delivery(seq).due_at_ms;
	ck_assert_int_ge(due_at_ms, failed_at_ms + 10000);
	ck_assert_int_le(due_at_ms, failed_at_ms + 12000);
	advance(due_at_ms - fx.now_ms - 1);
	settle_down(0);
	ck_assert_uint_eq(net.n_started, 1);
	advance(1);
	settle_down(20);
	ck_assert_uint_eq(net.n_started, 2);
	ck_assert_str_eq(net.requests[1].id, net.requests[0].id);
	ck_assert_str_eq(net.requests[1].body, net.requests[0].body);
	ck_assert_str_eq(net.requests[1].attempt, "2");
	ck_assert_str_ne(net.requests[1].timestamp, net.requests[0].timestamp);
	fake_answer(&net, 1, RP_CAUSE_NONE, 204);
	settle_down(20);
	ck_assert_int_eq(fx_state(seq), RP_STATE_DELIVERED);
	ck_assert_uint_eq(fx_attempts(seq), 2);
}
END_TEST

START_TEST(after_the_last_attempt_the_entry_is_dead_with_its_cause)
{
	uint64_t seq;
	size_t i;

	configure("[defaults]\nretry_attempts = 3\nretry_base = 1s\n");
	start_sender(10, false);
	seq = fx_append(1, 1);
	for (i = 0; i < 3; i++) {
		settle_down(20);
		ck_assert_uint_eq(net.n_started, i + 1);
		fake_answer(&net, i, RP_CAUSE_TIMEOUT, 0);
		settle_down(20);
		advance(100000);
	}
	settle_down(20);
	ck_assert_uint_eq(net.n_started, 3);
	ck_assert_int_eq(fx_state(seq), RP_STATE_DEAD);
	ck_assert_int_eq(fx_delivery(seq).cause, RP_CAUSE_EXHAUSTED);
	ck_assert_int_eq(fx_delivery(seq).last_cause, RP_CAUSE_TIMEOUT);
}
END_TEST

START_TEST(gone_disables_the_endpoint_and_its_other_entries_die_unsent)
{
	uint64_t first;

	configure("[defaults]\nin_flight = 1\n");
	start_sender(10, false);
	first = fx_append(1, 5);
	settle_down(20);
	ck_assert_uint_eq(net.n_started, 1);
	fake_answer(&net, 0, RP_CAUSE_GONE, 410);
	settle_down(20);
	ck_assert_uint_eq(net.n_started, 1);
	ck_assert_uint_eq(fx_ledger().dead, 5);
	ck_assert_int_eq(fx_delivery(first + 4).cause, RP_CAUSE_GONE);
	ck_assert(fx_endpoint_record(1).disabled);
}
END_TEST

/* --- limits ------------------------------------------------------------------------------- */

START_TEST(no_more_requests_run_at_once_than_allowed)
{
	size_t i;

	start_sender(4, false);
	fx_append(1, 50);
	for (i = 0; i < 50; i++) {
		settle_down(20);
		fake_answer(&net, i, RP_CAUSE_NONE, 200);
	}
	settle_down(20);
	ck_assert_uint_eq(net.max_open, 4);
	ck_assert_uint_eq(fx_ledger().delivered, 50);
}
END_TEST

START_TEST(a_hanging_endpoint_leaves_the_others_their_requests)
{
	size_t i, healthy = 0;

	configure("[defaults]\nin_flight = 3\n");
	start_sender(10, false);
	fx_append(1, 200);
	fx_append(2, 50);
	for (i = 0; i < 200; i++) {
		settle_down(20);
		if (i < net.n_started && strstr(net.requests[i].url, "k2.example") != NULL) {
			fake_answer(&net, i, RP_CAUSE_NONE, 200);
			healthy++;
		}
	}
	settle_down(20);
	ck_assert_uint_eq(healthy, 50);
	ck_assert_uint_eq(net.n_open, 3);
	ck_assert_uint_eq(fx_ledger().delivered, 50);
}
END_TEST

/* Many hosts that hang, of which nobody has heard anything good, leave a half to the others. */
START_TEST(hosts_that_have_not_proven_themselves_share_half_of_the_requests)
{
	size_t i;
	unsigned k;

	for (k = 1; k <= 30; k++)
		fx_append(k, 1);
	start_sender(10, false);
	settle_down(20);
	ck_assert_uint_eq(net.n_started, 5);
	append_proven(31, 20);
	settle_down(20);
	ck_assert_uint_eq(net.n_open, 10);
	for (i = 5; i < 25; i++) {
		ck_assert_ptr_nonnull(strstr(net.requests[i].url, "k31.example"));
		fake_answer(&net, i, RP_CAUSE_NONE, 200);
		settle_down(20);
	}
	ck_assert_uint_eq(fx_ledger().delivered, 20);
	ck_assert_uint_eq(net.n_open, 5);
	fake_answer(&net, 0, RP_CAUSE_TIMEOUT, 0);
	settle_down(20);
	ck_assert_uint_eq(net.n_open, 5); /* the next one has its place */
	fake_answer(&net, 1, RP_CAUSE_NONE, 200);
	settle_down(20);
	ck_assert_uint_eq(net.n_open, 5);
}
END_TEST

/* --- breakers are told with their level --------------------------------------------------- */

static int log_end, stderr_before;
static char log_text[65536];

static void listen_to_log(void)
{
	int ends[2];

	stderr_before = dup(STDERR_FILENO);
	ck_assert(pipe2(ends, O_NONBLOCK) == 0 && dup2(ends[1], STDERR_FILENO) == STDERR_FILENO);
	close(ends[1]);
	log_end = ends[0];
	rp_log_setup("test", RP_LOG_INFO);
}

/* Whether it was logged since the last call. */
static bool was_logged(const char *what)
{
	ssize_t n = read(log_end, log_text, sizeof log_text - 1);

	log_text[n > 0 ? n : 0] = '\0';
	return strstr(log_text, what) != NULL;
}

static void end_listening(void)
{
	dup2(stderr_before, STDERR_FILENO);
	close(stderr_before);
	close(log_end);
}

static void answer_open(enum rp_cause cause, unsigned status)
{
	size_t i;

	for (i = 0; i < net.n_started; i++)
		if (!net.requests[i].answered)
			fake_answer(&net, i, cause, status);
	settle_down(20);
}

/* Ten paths of a host fail, or one path of it ten times. */
START_TEST(a_breaker_is_logged_with_its_host_or_path)
{
	static const char *const names[] = {"host=https://k1.example ",
					    "endpoint=https://k1.example/hook/1 "};
	char open[80], probe[80], closed[80];
	unsigned k;

	snprintf(open, sizeof open, "ev=breaker_open %scause=timeout", names[_i]);
	snprintf(probe, sizeof probe, "ev=breaker_probe %sseq=", names[_i]);
	snprintf(closed, sizeof closed, "ev=breaker_closed %.*s\n", (int)strlen(names[_i]) - 1,
		 names[_i]);
	for (k = 1; k <= 10; k++)
		fx_append(_i == 0 ? 1000 + k : 1001, 1);
	start_sender(100, false);
	listen_to_log();
	settle_down(20);
	while (net.n_started < 10)
		answer_open(RP_CAUSE_TIMEOUT, 0);
	ck_assert(!was_logged("breaker_"));
	answer_open(RP_CAUSE_TIMEOUT, 0);
	ck_assert_msg(was_logged(open), "%s", log_text);
	ck_assert_ptr_null(strstr(log_text, names[1 - _i]));
	advance(RP_BREAKER_PAUSE_MS);
	settle_down(20);
	ck_assert_msg(was_logged(probe), "%s", log_text);
	ck_assert_uint_eq(net.n_started, 11);
	answer_open(RP_CAUSE_NONE, 200);
	ck_assert_msg(was_logged(closed), "%s", log_text);
	end_listening();
}
END_TEST

/* Answers what endpoint 2 got last and lets the sender come to rest; returns how long that took. */
static int64_t answer_and_go_on(void)
{
	int64_t began_at_ms = fx.now_ms;
	size_t i = net.n_started - 1;

	ck_assert(strstr(net.requests[i].url, "k2.example") != NULL);
	fake_answer(&net, i, RP_CAUSE_NONE, 200);
	settle_down(20);
	ck_assert_uint_eq(net.n_started, i + 2);
	return fx.now_ms - began_at_ms;
}

START_TEST(requests_that_hang_do_not_make_results_wait_for_others)
{
	int i;

	configure("[defaults]\nin_flight = 1\n");
	start_sender(10, false);
	fx_append(1, 1);
	settle_down(20);
	fx_append(2, 1);
	settle_down(20);
	advance(60); /* the first request is not a fresh one any more */
	for (i = 0; i < 10; i++) {
		fx_append(2, 1);
		ck_assert_int_eq(answer_and_go_on(), 0);
	}
	ck_assert_uint_eq(net.n_open, 2);
}
END_TEST

START_TEST(a_result_that_others_wait_for_is_settled_within_a_millisecond)
{
	configure("[defaults]\nin_flight = 1\n");
	start_sender(10, false);
	fx_append(1, 1);
	fx_append(2, 3);
	settle_down(20);
	ck_assert_int_eq(
	    answer_and_go_on(),
	    /* the other request is fresh, so an exchange at once might be for one only */
	    1);
}
END_TEST

START_TEST(an_idle_sender_with_work_for_later_sleeps_until_its_heartbeat)
{
	struct rp_new_entry n = fx_new(1);
	struct rp_sender_counts counts;

	n.not_before_at_ms = fx.now_ms + 3600000;
	fx_append_one(&n, NULL);
	start_sender(10, false);
	settle_down(20);
	ck_assert_int_ge(wait_ms, 900);
	rp_sender_read_counts(sender, &counts);
	ck_assert_uint_eq(counts.commits, 0);
}
END_TEST

/* --- places that are passed on ------------------------------------------------------------ */

static uint64_t commits(void)
{
	struct rp_sender_counts counts;

	rp_sender_read_counts(sender, &counts);
	return counts.commits;
}

/* A sender whose receiver has `limit` requests under way, and claims ahead of their places. */
static void fill_and_claim_ahead(unsigned limit, unsigned n)
{
	char text[80];

	snprintf(text, sizeof text, "[defaults]\nin_flight = %u\n", limit);
	configure(text);
	start_sender(100, false);
	fx_append(1, 1);
	settle_down(20);
	fake_answer(&net, 0, RP_CAUSE_NONE, 200);
	settle_down(20);
	fx_append(1, n);
	settle_down(20);
	while (net.n_open > 0 && net.n_open < limit) {
		fake_answer(&net, net.n_started - 1, RP_CAUSE_NONE, 200);
		settle_down(20);
	}
	ck_assert_uint_eq(net.n_open, limit);
	fake_answer(&net, net.n_started - 1, RP_CAUSE_NONE, 200);
	settle_down(20);
	ck_assert_uint_eq(net.n_open, limit);
	ck_assert_uint_gt(fx_ledger().in_flight, limit);
}

static void step(void)
{
	ck_assert_int_eq(rp_sender_step(sender, &wait_ms, &done, &fx.err), RP_OK);
}

START_TEST(a_place_is_passed_on_before_the_commit)
{
	uint64_t before;
	size_t started;

	fill_and_claim_ahead(4, 100);
	before = commits();
	started = net.n_started;
	fake_answer(&net, started - 1, RP_CAUSE_NONE, 200);
	step();
	ck_assert_uint_eq(net.n_started, started + 1);
	ck_assert_uint_eq(commits(), before);
	ck_assert_uint_eq(net.n_open, 4);
	settle_down(20);
	ck_assert_uint_gt(commits(), before);
	ck_assert_uint_eq(net.n_open, 4);
}
END_TEST

START_TEST(a_place_is_not_passed_on_after_a_failure)
{
	size_t started;

	fill_and_claim_ahead(4, 100);
	started = net.n_started;
	fake_answer(&net, started - 1, RP_CAUSE_HTTP, 500);
	step();
	ck_assert_uint_eq(net.n_started, started);
}
END_TEST

START_TEST(a_place_is_not_passed_on_where_the_endpoint_was_paused)
{
	size_t started;

	fill_and_claim_ahead(4, 100);
	ck_assert_int_eq(rp_outbox_endpoint_pause(fx.ob, fx.now_ms, fx_endpoint(1), true, &fx.err),
			 RP_OK);
	started = net.n_started;
	fake_answer(&net, started - 1, RP_CAUSE_NONE, 200);
	settle_down(20);
	ck_assert_uint_eq(net.n_started, started);
	while (net.n_open > 0)
		answer_open(RP_CAUSE_NONE, 200);
	settle_down(20);
	ck_assert_uint_eq(fx_ledger().in_flight, 0);
}
END_TEST

static void answer_newest(enum rp_cause cause, unsigned status)
{
	size_t i = net.n_started;

	ck_assert_uint_gt(net.n_open, 0);
	while (net.requests[i - 1].answered)
		i--;
	fake_answer(&net, i - 1, cause, status);
}

START_TEST(there_are_never_more_requests_than_places)
{
	int i;

	fill_and_claim_ahead(4, 100);
	for (i = 0; i < 60; i++) {
		answer_newest(i % 7 == 3 ? RP_CAUSE_HTTP : RP_CAUSE_NONE, i % 7 == 3 ? 500 : 200);
		if (i % 3 == 0)
			step();
		else
			settle_down(20);
		ck_assert_uint_le(net.n_open, 4);
	}
}
END_TEST

START_TEST(a_place_is_not_passed_on_by_an_entry_that_was_purged)
{
	enum rp_changed purged;
	uint64_t seq;
	size_t started;

	fill_and_claim_ahead(1, 20);
	started = net.n_started;
	seq = started; /* one after the other */
	ck_assert_int_eq(
	    rp_outbox_change(fx.ob, fx.now_ms, RP_CHANGE_PURGE, 0, &seq, 1, 0, &purged, &fx.err),
	    RP_OK);
	ck_assert_int_eq(purged, RP_CHANGED_DONE_IN_FLIGHT);
	fake_answer(&net, started - 1, RP_CAUSE_NONE, 200);
	step();
	ck_assert_uint_eq(net.n_started, started);
	settle_down(20);
	ck_assert_uint_eq(net.n_open, 1);
}
END_TEST

START_TEST(what_waits_for_a_place_in_vain_goes_back)
{
	fill_and_claim_ahead(4, 100);
	advance(1100);
	settle_down(20);
	ck_assert_uint_eq(fx_ledger().in_flight, 4);
	ck_assert_uint_eq(net.n_open, 4);
}
END_TEST

START_TEST(a_stop_gives_back_what_waits_for_a_place)
{
	fill_and_claim_ahead(4, 100);
	rp_sender_stop(sender);
	settle_down(20);
	ck_assert_uint_eq(fx_ledger().in_flight, 4);
	while (net.n_open > 0)
		answer_open(RP_CAUSE_NONE, 200);
	settle_down(20);
	ck_assert(done);
	ck_assert_uint_eq(fx_ledger().in_flight, 0);
}
END_TEST

/* --- exchanges on a thread of their own --------------------------------------------------- */

/* Answers whatever is asked until `n` are delivered. */
static void deliver_all(uint64_t n)
{
	struct timespec nap = {0, 100000};
	struct rp_sender_counts counts = {0};
	size_t answered = 0;
	int i;

	for (i = 0; i < 100000 && counts.delivered < n; i++) {
		ck_assert_int_eq(rp_sender_step(sender, &wait_ms, &done, &fx.err), RP_OK);
		rp_sender_read_counts(sender, &counts);
		while (answered < net.n_started)
			fake_answer(&net, answered++, RP_CAUSE_NONE, 200);
		advance(1);
		nanosleep(&nap, NULL); /* the other thread's exchange */
	}
	ck_assert_uint_eq(counts.delivered, n);
}

START_TEST(exchanges_in_the_background_settle_all_that_was_sent)
{
	unsigned k;

	background = true;
	start_sender(8, false);
	for (k = 1; k <= 6; k++)
		fx_append(k, 50);
	deliver_all(300);
	ck_assert_uint_eq(net.n_started, 300);
	ck_assert_uint_eq(fx_ledger().delivered, 300);
}
END_TEST

START_TEST(a_stop_gives_back_what_an_exchange_in_the_background_was_claiming)
{
	background = true;
	start_sender(4, false);
	fx_append(1, 50);
	settle_down(20); /* four run; an exchange that claims more may be under way */
	fake_answer(&net, 0, RP_CAUSE_NONE, 200);
	ck_assert_int_eq(rp_sender_step(sender, &wait_ms, &done, &fx.err), RP_OK);
	rp_sender_stop(sender);
	rp_sender_free(sender);
	sender = NULL;
	ck_assert_uint_eq(fx_ledger().in_flight, 0);
	ck_assert_uint_eq(fx_ledger().delivered, 1);
	ck_assert_uint_eq(fx_ledger().waiting, 49);
}
END_TEST

/* Claimed ahead while answers came at once. */
START_TEST(claims_that_cannot_begin_are_given_back)
{
	size_t answered = 0;

	start_sender(2, false);
	fx_append(1, 90);
	settle_down(20);
	while (net.n_started < 60) {
		while (answered < net.n_started)
			fake_answer(&net, answered++, RP_CAUSE_NONE, 200);
		ck_assert_int_eq(rp_sender_step(sender, &wait_ms, &done, &fx.err), RP_OK);
		advance(1);
	}
	settle_down(20);
	ck_assert_uint_ge(fx_ledger().in_flight, 2 + 4);
	advance(1000);
	settle_down(20);
	ck_assert_uint_eq(fx_ledger().in_flight, 2 + 1);
	ck_assert_uint_eq(net.n_open, 2);
	while (fx_ledger().delivered < 90) {
		while (answered < net.n_started)
			fake_answer(&net, answered++, RP_CAUSE_NONE, 200);
		settle_down(20);
	}
	ck_assert_uint_eq(net.n_started, 90);
}
END_TEST

static struct rp_settings *settings_of(const char *text)
{
	struct rp_settings *s = calloc(1, sizeof *s);
	struct rp_error err;

	rp_config_init(&s->config);
	ck_assert_msg(rp_config_parse(&s->config, "next.conf", rp_span_of(text), &err) == RP_OK,
		      "%s", err.text);
	ck_assert_msg(rp_settings_load_secrets(s, &err) == RP_OK, "%s", err.text);
	return s;
}

static void reload(const char *text)
{
	ck_assert_int_eq(rp_sender_reload(sender, settings_of(text), &fx.err), RP_OK);
}

/* --- long payloads ------------------------------------------------------------------------ */

#define MIB ((size_t)1 << 20)

static uint64_t append_long(unsigned k, size_t bytes)
{
	struct rp_new_entry n = fx_new(k);
	char *payload = malloc(bytes);
	uint64_t seq;

	ck_assert_ptr_nonnull(payload);
	memset(payload, 'x', bytes);
	n.payload = (struct rp_span){payload, bytes};
	seq = fx_append_one(&n, NULL);
	free(payload);
	return seq;
}

/* What receivers hang on is not in memory, so it keeps nobody waiting. */
START_TEST(receivers_that_hang_on_long_payloads_hold_up_nobody)
{
	unsigned k;

	for (k = 1; k <= 8; k++) {
		append_long(k, 15 * MIB);
		append_long(k, 15 * MIB);
		prove(k);
	}
	start_sender(20, false);
	settle_down(20);
	ck_assert_uint_eq(net.n_started, 16);
	append_long(9, 15 * MIB);
	fx_append(10, 1);
	settle_down(20);
	ck_assert_uint_eq(net.n_started, 18);
	fake_answer(&net, 16, RP_CAUSE_NONE, 200);
	fake_answer(&net, 17, RP_CAUSE_NONE, 200);
	settle_down(20);
	ck_assert_uint_eq(fx_ledger().delivered, 2);
}
END_TEST

/* Of 997 bytes, which is neither a divisor of a chunk nor of the whole. */
static bool body_is_x(const struct rp_request *r)
{
	char piece[997];
	size_t at, n, i;

	for (at = 0; at < r->body.len; at += n) {
		n = r->body.len - at < sizeof piece ? r->body.len - at : sizeof piece;
		if (!r->read_body(r->owner, at, piece, n))
			return false;
		for (i = 0; i < n; i++)
			if (piece[i] != 'x')
				return false;
	}
	return true;
}

START_TEST(a_long_payload_is_read_while_it_is_sent_and_again_when_it_must_be)
{
	const struct rp_request *r;
	char piece[10];

	start_sender(10, false);
	append_long(1, MIB + 13);
	settle_down(20);
	r = net.requests[0].request;
	ck_assert_ptr_null(r->body.ptr);
	ck_assert_uint_eq(r->body.len, MIB + 13);
	ck_assert(body_is_x(r));
	ck_assert(r->read_body(r->owner, 0, piece, sizeof piece));
	ck_assert(body_is_x(r));
}
END_TEST

START_TEST(a_long_payload_that_is_purged_while_it_is_sent_is_broken_off)
{
	const struct rp_request *r;
	char piece[4096];
	uint64_t seq;

	start_sender(10, false);
	seq = append_long(1, MIB);
	append_long(1, MIB);
	settle_down(20);
	r = net.requests[0].request;
	ck_assert(r->read_body(r->owner, 0, piece, sizeof piece));
	ck_assert_int_eq(fx_change(RP_CHANGE_PURGE, seq), RP_CHANGED_DONE_IN_FLIGHT);
	ck_assert(!r->read_body(r->owner, sizeof piece, piece, sizeof piece));
	ck_assert(body_is_x(net.requests[1].request));
	fake_answer(&net, 0, RP_CAUSE_LOCAL, 0);
	settle_down(20);
	ck_assert_uint_eq(fx_ledger().purged, 1);
}
END_TEST

START_TEST(a_long_payload_is_signed_as_a_whole)
{
	char *whole = malloc(MIB);
	struct rp_signer *verifier;
	struct fake_request *q = &net.requests[0];

	ck_assert_ptr_nonnull(whole);
	memset(whole, 'x', MIB);
	setenv("TEST_WEBHOOK_SECRET", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", 1);
	configure("[endpoint \"one\"]\nurl = https://k1.example/hook\nsecret_env = "
		  "TEST_WEBHOOK_SECRET\n");
	start_sender(10, false);
	append_long(1, MIB);
	settle_down(20);
	ck_assert_int_eq(
	    rp_signer_new(rp_span_of("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"), &verifier, &fx.err),
	    RP_OK);
	ck_assert(rp_signer_verify(verifier, rp_span_of(q->id), rp_span_of(q->timestamp),
				   (struct rp_span){whole, MIB}, rp_span_of(q->signature)));
	rp_signer_free(verifier);
	free(whole);
}
END_TEST

/* --- what changes between a claim and its request ----------------------------------------- */

/* Two requests may run. Endpoint 1 has both; three more claims of it wait. */
static uint64_t fill_concurrency(void)
{
	uint64_t first = append_proven(1, 3);

	start_sender(2, false);
	settle_down(20);
	ck_assert_uint_eq(net.n_started, 2);
	ck_assert_int_eq(fx_state(first + 2), RP_STATE_IN_FLIGHT);
	return first;
}

static void free_places(void)
{
	fake_answer(&net, 0, RP_CAUSE_NONE, 200);
	fake_answer(&net, 1, RP_CAUSE_NONE, 200);
	settle_down(20);
}

START_TEST(nothing_begins_at_an_endpoint_that_was_paused_after_the_claim)
{
	uint64_t first = fill_concurrency();

	fx_pause(1, true);
	free_places();
	ck_assert_uint_eq(net.n_started, 2);
	ck_assert_int_eq(fx_state(first + 2), RP_STATE_WAITING);
	ck_assert_uint_eq(fx_delivery(first + 2).attempts, 0);
	fx_pause(1, false);
	settle_down(20);
	ck_assert_uint_eq(net.n_started, 3);
	ck_assert_str_eq(net.requests[2].attempt, "1");
}
END_TEST

START_TEST(nothing_begins_at_an_endpoint_that_said_gone_after_the_claim)
{
	uint64_t first = fill_concurrency();

	fake_answer(&net, 0, RP_CAUSE_GONE, 410);
	ck_assert_int_eq(rp_sender_step(sender, &wait_ms, &done, &fx.err), RP_OK);
	fake_answer(&net, 1, RP_CAUSE_NONE, 200);
	settle_down(20);
	ck_assert_uint_le(net.n_started, 3); /* one may have begun before the 410 was committed */
	fx_append(1, 3);
	settle_down(20);
	ck_assert_uint_le(net.n_started, 3);
	ck_assert_int_ne(fx_state(first), RP_STATE_DELIVERED);
}
END_TEST

START_TEST(a_limit_lowered_after_the_claim_holds)
{
	fill_concurrency();
	reload("[defaults]\nin_flight = 2\n");
	fx_append(1, 3);
	settle_down(20);
	fake_answer(&net, 0, RP_CAUSE_NONE, 200);
	reload("[defaults]\nin_flight = 1\n");
	settle_down(20);
	ck_assert_uint_eq(net.n_started, 2);
	ck_assert_uint_eq(net.n_open, 1);
	fake_answer(&net, 1, RP_CAUSE_NONE, 200);
	settle_down(20);
	ck_assert_uint_eq(net.n_open, 1);
	ck_assert_uint_eq(fx_ledger().in_flight, 1);
}
END_TEST

/* As many requests of endpoint 2 as have begun so far. */
static size_t begun_at_2(void)
{
	size_t i, n = 0;

	for (i = 0; i < net.n_started; i++)
		n += strstr(net.requests[i].url, "k2.example") != NULL;
	return n;
}

/* All requests hang for ten seconds, while ten tokens come and go: none of them may be spent
 * later. */
START_TEST(tokens_do_not_keep_while_others_have_all_requests)
{
	int64_t since_ms;
	size_t n;

	configure("[endpoint \"slow\"]\nurl = https://k2.example/hook\nrate = "
		  "1/s\n[defaults]\nin_flight = 100\n");
	append_proven(1, 2);
	start_sender(2, false);
	settle_down(20);
	ck_assert_uint_eq(net.n_started, 2);
	append_proven(2, 20);
	for (since_ms = fx.now_ms; fx.now_ms < since_ms + 10000; advance(100))
		settle_down(50);
	ck_assert_uint_eq(begun_at_2(), 0);
	ck_assert_uint_eq(fx_ledger().waiting, 20); /* other senders may have them */
	free_places();
	ck_assert_uint_eq(begun_at_2(), 1);
	for (since_ms = fx.now_ms; fx.now_ms < since_ms + 9000; advance(100)) {
		n = net.n_started - 1;
		if (!net.requests[n].answered)
			fake_answer(&net, n, RP_CAUSE_NONE, 200);
		settle_down(50);
		ck_assert_uint_le(begun_at_2(), 1 + (size_t)(fx.now_ms - since_ms) / 1000);
	}
	ck_assert_uint_ge(begun_at_2(), 9);
}
END_TEST

static int boot_calls, stall_at_call;

static int64_t slow_disk_boot_ms(void *arg)
{
	(void)arg;
	if (++boot_calls % 2 == 0) /* after each exchange that was waited for */
		advance(stall_at_call);
	return fx.boot_ms;
}

/* With a disk that takes 80 ms for a commit the first token is forfeited; then the sender knows. */
START_TEST(a_slow_disk_makes_tokens_keep_longer_and_the_rate_holds)
{
	const struct rp_sys *calm = fx.options.sys;
	struct rp_sys slow = *calm;
	int64_t since_ms;
	size_t answered = 0;

	slow.boot_ms = slow_disk_boot_ms;
	fx.options.sys = &slow;
	stall_at_call = 0;
	configure("[endpoint \"slow\"]\nurl = https://k2.example/hook\nrate = 1/s\n");
	start_sender(4, false);
	fx_append(2, 30);
	stall_at_call = 80;
	for (since_ms = fx.now_ms; fx.now_ms < since_ms + 20000; advance(10)) {
		ck_assert_int_eq(rp_sender_step(sender, &wait_ms, &done, &fx.err), RP_OK);
		while (answered < net.n_started)
			fake_answer(&net, answered++, RP_CAUSE_NONE, 200);
		ck_assert_uint_le(net.n_started, 1 + (size_t)(fx.now_ms - since_ms) / 1000);
	}
	ck_assert_uint_ge(net.n_started, 10);
	rp_sender_free(sender);
	sender = NULL;
	fx.options.sys = calm;
}
END_TEST

/* --- claims that were lost ---------------------------------------------------------------- */

START_TEST(an_entry_purged_before_its_attempt_is_not_sent)
{
	uint64_t first;

	configure("[defaults]\nin_flight = 100\n");
	start_sender(2, false);
	first = append_proven(1, 3);
	settle_down(20); /* two run, the third is claimed ahead */
	ck_assert_uint_eq(net.n_started, 2);
	ck_assert_int_eq(fx_state(first + 2), RP_STATE_IN_FLIGHT);
	ck_assert_int_eq(fx_change(RP_CHANGE_PURGE, first + 2), RP_CHANGED_DONE_IN_FLIGHT);
	fake_answer(&net, 0, RP_CAUSE_NONE, 200);
	fake_answer(&net, 1, RP_CAUSE_NONE, 200);
	settle_down(20);
	ck_assert_uint_eq(net.n_started, 2);
	ck_assert_uint_eq(fx_ledger().purged, 1);
	ck_assert_uint_eq(fx_ledger().delivered, 2);
}
END_TEST

START_TEST(after_a_stall_as_long_as_the_lease_nothing_claimed_before_is_begun)
{
	start_sender(2, false);
	append_proven(1, 3);
	settle_down(20);
	ck_assert_uint_eq(net.n_started, 2);
	advance(settings.config.lease_ms);
	fake_answer(&net, 0, RP_CAUSE_NONE, 200);
	fake_answer(&net, 1, RP_CAUSE_NONE, 200);
	ck_assert_int_eq(rp_sender_step(sender, &wait_ms, &done, &fx.err), RP_OK);
	/* The third was given back and claimed anew in the same exchange: its number shows it. */
	settle_down(20);
	ck_assert_uint_eq(net.n_started, 3);
	ck_assert_str_eq(net.requests[2].attempt, "1");
	ck_assert_uint_eq(fx_delivery(3).claim_no, 2);
	fake_answer(&net, 2, RP_CAUSE_NONE, 200);
	settle_down(20);
	ck_assert_uint_eq(fx_ledger().delivered, 3);
}
END_TEST

static int64_t stalling_boot_ms(void *arg)
{
	(void)arg;
	if (++boot_calls == stall_at_call)
		fx.boot_ms += settings.config.lease_ms;
	return fx.boot_ms;
}

/* The commit that claims may itself wait for the write lock or the disk for as long as a lease
 * lasts. */
START_TEST(what_an_exchange_as_long_as_the_lease_claimed_is_not_begun)
{
	const struct rp_sys *calm = fx.options.sys;
	struct rp_sys stalling = *calm;
	uint64_t seq;

	stalling.boot_ms = stalling_boot_ms;
	fx.options.sys = &stalling;
	start_sender(10, false);
	seq = fx_append(1, 1);
	stall_at_call = boot_calls + 2; /* the first is the beginning of the step */
	ck_assert_int_eq(rp_sender_step(sender, &wait_ms, &done, &fx.err), RP_OK);
	ck_assert_int_eq(fx_state(seq), RP_STATE_IN_FLIGHT);
	ck_assert_uint_eq(net.n_started, 0);
	settle_down(20);
	ck_assert_uint_eq(net.n_started, 1);
	ck_assert_uint_eq(fx_delivery(seq).attempts, 1);
	ck_assert_uint_eq(fx_delivery(seq).claim_no, 2);
	rp_sender_free(sender);
	sender = NULL;
	fx.options.sys = calm;
}
END_TEST

START_TEST(a_damaged_payload_is_set_aside_and_the_others_are_sent)
{
	uint64_t first;

	start_sender(10, false);
	first = fx_append(1, 3);
	fx_flip(RP_T_BODY, rp_key2(first + 1, 0), 3);
	settle_down(20);
	ck_assert_uint_eq(net.n_started, 2);
	ck_assert_int_eq(fx_state(first + 1), RP_STATE_DEAD);
	ck_assert_int_eq(fx_delivery(first + 1).cause, RP_CAUSE_DAMAGED);
	ck_assert_int_eq(fx_change(RP_CHANGE_PURGE, first + 1), RP_CHANGED_DONE);
}
END_TEST

/* --- ending ------------------------------------------------------------------------------- */

START_TEST(a_stop_returns_what_was_not_begun_and_waits_for_the_rest)
{
	start_sender(2, false);
	append_proven(1, 3);
	settle_down(20);
	rp_sender_stop(sender);
	settle_down(20);
	ck_assert(!done);
	ck_assert_uint_eq(net.n_started, 2);
	ck_assert_uint_eq(fx_ledger().waiting, 1);
	ck_assert_uint_eq(fx_attempts(3), 0);
	fake_answer(&net, 0, RP_CAUSE_NONE, 200);
	fake_answer(&net, 1, RP_CAUSE_HTTP, 500);
	settle_down(20);
	ck_assert(done);
	ck_assert_uint_eq(fx_ledger().delivered, 1);
	ck_assert_uint_eq(fx_ledger().waiting, 2);
}
END_TEST

START_TEST(a_stop_ends_when_its_grace_is_over)
{
	uint64_t seq;

	start_sender(2, false);
	seq = fx_append(1, 1);
	settle_down(20);
	rp_sender_stop(sender);
	settle_down(20);
	ck_assert(!done);
	advance(settings.config.stop_grace_ms);
	settle_down(20);
	ck_assert(done);
	rp_sender_free(sender);
	sender = NULL;
	ck_assert_int_eq(fx_state(seq), RP_STATE_WAITING);
	ck_assert_int_eq(fx_delivery(seq).last_cause, RP_CAUSE_SENDER_LOST);
}
END_TEST

START_TEST(a_stop_without_grace_settles_what_is_known_and_returns_what_was_not_begun)
{
	uint64_t seq;

	configure("[sender]\nstop_grace = 0\n[defaults]\nin_flight = 100\n");
	start_sender(2, false);
	seq = append_proven(1, 3);
	settle_down(20);
	ck_assert_uint_eq(net.n_started, 2);
	fake_answer(&net, 0, RP_CAUSE_NONE, 200);
	rp_sender_stop(sender);
	settle_down(20);
	ck_assert(done);
	rp_sender_free(sender);
	sender = NULL;
	ck_assert_int_eq(fx_state(seq), RP_STATE_DELIVERED);
	ck_assert_int_eq(fx_delivery(seq + 1).last_cause, RP_CAUSE_SENDER_LOST);
	ck_assert_int_eq(fx_state(seq + 2), RP_STATE_WAITING);
	ck_assert_uint_eq(fx_delivery(seq + 2).losses, 0);
	ck_assert_uint_eq(fx_delivery(seq + 2).attempts, 0);
}
END_TEST

START_TEST(a_sender_that_is_ended_at_once_keeps_the_results_it_has)
{
	uint64_t seq;

	start_sender(2, false);
	seq = append_proven(1, 2);
	settle_down(20);
	fake_answer(&net, 0, RP_CAUSE_NONE, 200);
	ck_assert_int_eq(rp_sender_step(sender, &wait_ms, &done, &fx.err), RP_OK);
	ck_assert_int_eq(fx_state(seq), RP_STATE_IN_FLIGHT);
	rp_sender_free(sender);
	sender = NULL;
	ck_assert_int_eq(fx_state(seq), RP_STATE_DELIVERED);
	ck_assert_int_eq(fx_delivery(seq + 1).last_cause, RP_CAUSE_SENDER_LOST);
}
END_TEST

START_TEST(a_drain_ends_when_nothing_is_waiting)
{
	uint64_t seq;

	start_sender(2, true);
	seq = fx_append(1, 1);
	settle_down(20);
	ck_assert(!done);
	fake_answer(&net, 0, RP_CAUSE_HTTP, 500);
	settle_down(20);
	ck_assert(!done);
	advance(fx_delivery(seq).due_at_ms - fx.now_ms);
	settle_down(20);
	fake_answer(&net, 1, RP_CAUSE_NONE, 200);
	settle_down(20);
	ck_assert(done);
}
END_TEST

/* --- new settings ------------------------------------------------------------------------- */

START_TEST(requests_under_way_keep_their_policy_and_new_ones_get_the_new_one)
{
	const struct rp_request *old;
	char value[64];
	uint64_t first;

	configure("[defaults]\nretry_base = 10s\ntimeout = 7s\nallow = 10.0.0.0/8\nheader = X-Era: "
		  "old\n");
	start_sender(2, false);
	first = append_proven(1, 4);
	settle_down(20);
	ck_assert_uint_eq(net.n_started, 2);
	reload("[defaults]\nretry_base = 100s\ntimeout = 8s\nallow = 172.16.0.0/12\nheader = "
	       "X-Era: middle\n");
	fake_answer(&net, 0, RP_CAUSE_NONE, 200);
	settle_down(20);
	reload("[defaults]\nretry_base = 1000s\ntimeout = 9s\nallow = 192.168.0.0/16\nheader = "
	       "X-Era: new\n");
	old = net.requests[1].request;
	ck_assert_int_eq(old->timeout_ms, 7000);
	ck_assert_str_eq(fake_header(old, "x-era", value, sizeof value), "old");
	ck_assert_int_eq(net.requests[2].request->timeout_ms, 8000);
	ck_assert_uint_eq(net.requests[2].request->guard->allow[0].addr[0], 172);
	ck_assert_str_eq(fake_header(net.requests[2].request, "x-era", value, sizeof value),
			 "middle");
	fake_answer(&net, 1, RP_CAUSE_TIMEOUT, 0);
	fake_answer(&net, 2, RP_CAUSE_TIMEOUT, 0);
	settle_down(20);
	ck_assert_int_le(fx_delivery(first + 1).due_at_ms, fx.now_ms + 12000);
	ck_assert_int_ge(fx_delivery(first + 2).due_at_ms, fx.now_ms + 99000);
	ck_assert_int_le(fx_delivery(first + 2).due_at_ms, fx.now_ms + 120000);
	ck_assert_uint_eq(net.n_started, 4);
	ck_assert_int_eq(net.requests[3].request->timeout_ms, 9000);
	ck_assert_str_eq(fake_header(net.requests[3].request, "x-era", value, sizeof value), "new");
}
END_TEST

START_TEST(many_reloads_under_one_request_leave_nothing_behind)
{
	char text[64];
	int i;

	start_sender(2, false);
	fx_append(1, 1);
	settle_down(20);
	for (i = 1; i <= 50; i++) {
		snprintf(text, sizeof text, "[defaults]\nin_flight = %d\n", i);
		reload(text);
		settle_down(20);
	}
	fake_answer(&net, 0, RP_CAUSE_NONE, 200);
	settle_down(20);
	ck_assert_uint_eq(fx_ledger().delivered, 1);
}
END_TEST

START_TEST(a_raised_limit_is_used_at_once)
{
	configure("[defaults]\nin_flight = 2\n");
	start_sender(10, false);
	fx_append(1, 20);
	settle_down(20);
	ck_assert_uint_eq(net.n_started, 2);
	reload("[defaults]\nin_flight = 5\n");
	settle_down(20);
	ck_assert_uint_eq(net.n_started, 5);
	reload("[defaults]\nin_flight = 1\n");
	fake_answer(&net, 0, RP_CAUSE_NONE, 200);
	settle_down(20);
	ck_assert_uint_eq(net.n_started, 5);
}
END_TEST

#define KEY_TEXT "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
/* The clock of the tests stands at 2023-11-14T22:13:20Z. */
#define LATER_KEY KEY_TEXT " not-before=2023-11-14T22:15:00Z"

START_TEST(without_a_valid_key_nothing_is_sent_and_nothing_is_spent)
{
	uint64_t first;
	size_t i;

	setenv("TEST_WEBHOOK_SECRET", LATER_KEY, 1);
	configure(
	    "[endpoint \"one\"]\nurl = https://k1.example/hook\nsecret_env = TEST_WEBHOOK_SECRET\n"
	    "[defaults]\nretry_attempts = 1\n");
	start_sender(10, false);
	first = fx_append(1, 30);
	fx_append(2, 1);
	settle_down(20);
	ck_assert_uint_eq(net.n_started, 1);
	fake_answer(&net, 0, RP_CAUSE_NONE, 200);
	settle_down(20);
	for (i = 0; i < 30; i++) {
		ck_assert_int_eq(fx_state(first + i), RP_STATE_WAITING);
		ck_assert_uint_eq(fx_delivery(first + i).attempts, 0);
	}
	ck_assert_int_eq(fx_delivery(first).last_cause, RP_CAUSE_NO_KEY);
	ck_assert_int_gt(wait_ms, 500); /* it sleeps, it does not spin */
	advance(60000);                 /* 22:14:20: asked again, still too early */
	settle_down(20);
	ck_assert_uint_eq(net.n_started, 1);
	advance(60000);
	settle_down(20);
	ck_assert_uint_gt(net.n_started, 1);
	ck_assert_int_eq(strncmp(net.requests[1].signature, "v1,", 3), 0);
	ck_assert_str_eq(net.requests[1].attempt, "1");
}
END_TEST

START_TEST(a_reload_with_a_valid_key_ends_the_wait)
{
	setenv("TEST_WEBHOOK_SECRET", LATER_KEY, 1);
	configure("[defaults]\nsecret_env = TEST_WEBHOOK_SECRET\n");
	start_sender(100, false);
	fx_append(1, 30);
	settle_down(20);
	ck_assert_uint_eq(net.n_started, 0);
	setenv("TEST_WEBHOOK_SECRET", KEY_TEXT, 1);
	reload("[defaults]\nsecret_env = TEST_WEBHOOK_SECRET\nin_flight = 30\n");
	settle_down(20);
	ck_assert_uint_eq(net.n_started, RP_WINDOW_START);
}
END_TEST

/* --- keys and headers --------------------------------------------------------------------- */

static uint64_t sender_counts_commits(void)
{
	struct rp_sender_counts c;

	rp_sender_read_counts(sender, &c);
	return c.commits;
}

START_TEST(what_lacked_a_key_before_a_reload_parks_nothing_after_it)
{
	setenv("TEST_WEBHOOK_SECRET", LATER_KEY, 1);
	configure("[defaults]\nsecret_env = TEST_WEBHOOK_SECRET\n");
	start_sender(100, false);
	fx_append(1, 3);
	while (sender_counts_commits() == 0)
		ck_assert_int_eq(rp_sender_step(sender, &wait_ms, &done, &fx.err), RP_OK);
	ck_assert_int_eq(fx_endpoint_record(1).parked_until_ms, 0);
	setenv("TEST_WEBHOOK_SECRET", KEY_TEXT, 1);
	reload("[defaults]\nsecret_env = TEST_WEBHOOK_SECRET\n");
	settle_down(20);
	ck_assert_uint_eq(net.n_started, 3);
}
END_TEST

START_TEST(a_new_sender_applies_its_configuration_to_those_that_wait)
{
	configure("[defaults]\nrate = 1/h\n");
	start_sender(10, false);
	fx_append(1, 3);
	settle_down(20);
	fake_answer(&net, 0, RP_CAUSE_NONE, 200);
	settle_down(20);
	ck_assert_uint_eq(net.n_started, 1);
	rp_sender_free(sender);
	configure("[defaults]\nin_flight = 10\n");
	start_sender(10, false);
	settle_down(20);
	ck_assert_uint_eq(net.n_started, 3);
}
END_TEST

static bool count_parked(void *arg, uint64_t id, struct rp_span name, const struct rp_endpoint *e)
{
	size_t *n = arg;

	(void)id;
	(void)name;
	*n += e->parked_until_ms > fx.now_ms;
	return true;
}

static size_t n_parked(void)
{
	size_t n = 0;

	fx_must(rp_outbox_endpoints(fx.ob, (struct rp_endpoints_which){RP_ENDPOINTS_PATHS, 0},
				    count_parked, &n, &fx.err),
		"endpoints");
	return n;
}

enum { N_PARKED = 900 }; /* more than one call of the store looks at */

static void park_all(void)
{
	static struct rp_settlement parks[N_PARKED];
	size_t done_so_far = 0, i;
	unsigned k;

	for (k = 1; k <= N_PARKED; k++)
		fx_append(1000 + k % FX_PATHS, 1);
	fx_join();
	while (done_so_far < N_PARKED) {
		fx_exchange(N_PARKED, NULL, 0);
		ck_assert_uint_gt(fx.n_claims, 0);
		for (i = 0; i < fx.n_claims; i++) {
			parks[i] = fx_settlement(&fx.claims[i], RP_SETTLE_PARK);
			parks[i].outcome = NULL;
			parks[i].cause = RP_CAUSE_NO_KEY;
			parks[i].due_at_ms = fx.now_ms + 600000;
		}
		done_so_far += fx.n_claims;
		fx_exchange(0, parks, fx.n_claims);
	}
	ck_assert_int_eq(rp_outbox_leave(fx.ob, fx.now_ms, &fx.err), RP_OK);
}

START_TEST(a_new_configuration_reaches_all_however_many_wait)
{
	park_all();
	ck_assert_uint_eq(n_parked(), N_PARKED);
	start_sender(10, false);
	ck_assert_int_eq(rp_sender_step(sender, &wait_ms, &done, &fx.err), RP_OK);
	settle_down(20);
	ck_assert_uint_eq(n_parked(), 0);
}
END_TEST

START_TEST(an_endpoint_with_a_secret_gets_every_attempt_signed)
{
	struct rp_signer *verifier;

	setenv("TEST_WEBHOOK_SECRET", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", 1);
	configure("[endpoint \"one\"]\nurl = https://k1.example/hook\nsecret_env = "
		  "TEST_WEBHOOK_SECRET\n");
	start_sender(10, false);
	fx_append(1, 1);
	fx_append(2, 1);
	settle_down(20);
	ck_assert_uint_eq(net.n_started, 2);
	ck_assert_int_eq(
	    rp_signer_new(rp_span_of("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"), &verifier, &fx.err),
	    RP_OK);
	for (size_t i = 0; i < 2; i++) {
		struct fake_request *q = &net.requests[i];
		bool is_one = strstr(q->url, "k1.example") != NULL;

		ck_assert_int_eq(rp_signer_verify(verifier, rp_span_of(q->id),
						  rp_span_of(q->timestamp), q->request->body,
						  rp_span_of(q->signature)),
				 is_one);
	}
	rp_signer_free(verifier);
}
END_TEST

START_TEST(a_configured_header_replaces_the_envelope_s)
{
	struct rp_new_entry n = fx_new(1);
	char value[64];
	size_t i, seen = 0;

	n.headers = rp_span_of("x-team: red\nx-other: kept\n");
	configure("[defaults]\nheader = X-Team: blue\n");
	start_sender(10, false);
	fx_append_one(&n, NULL);
	settle_down(20);
	for (i = 0; i < net.requests[0].request->n_headers; i++)
		seen += strncasecmp(net.requests[0].request->headers[i], "x-team:", 7) == 0;
	ck_assert_uint_eq(seen, 1);
	ck_assert_str_eq(fake_header(net.requests[0].request, "x-team", value, sizeof value),
			 "blue");
	ck_assert_str_eq(fake_header(net.requests[0].request, "x-other", value, sizeof value),
			 "kept");
}
END_TEST

START_TEST(header_values_that_a_receiver_echoes_are_not_kept)
{
	static const char echo[] =
	    "{\"Authorization\": \"Bearer ab\\/s3cr3t-of-ours\", \"x-key\": \"k-of-theirs\", "
	    "\"webhook-id\": \"m\"}, again ab/s3cr3t-of-ours";
	struct rp_new_entry n = fx_new(1);
	struct rp_attempt a;
	char kept[RP_RESPONSE_HEAD_MAX + 1];
	uint64_t seq;
	bool found;

	n.headers = rp_span_of("x-key: k-of-theirs\n");
	configure("[defaults]\nheader = Authorization: Bearer ab/s3cr3t-of-ours\n");
	start_sender(10, false);
	seq = fx_append_one(&n, NULL);
	settle_down(20);
	fake_answer(&net, 0, RP_CAUSE_HTTP, 500);
	memcpy(net.answers[0].outcome.response, echo, sizeof echo - 1);
	net.answers[0].outcome.response_bytes = sizeof echo - 1;
	snprintf(net.answers[0].outcome.detail, sizeof net.answers[0].outcome.detail,
		 "what ab%%2fs3cr3t-of-ours");
	settle_down(20);
	a = fx_attempt(seq, 1, &found);
	ck_assert(found);
	snprintf(kept, sizeof kept, "%.*s", (int)a.outcome.response_bytes,
		 (const char *)a.outcome.response);
	ck_assert_ptr_null(strstr(kept, "s3cr3t"));
	ck_assert_ptr_null(strstr(kept, "k-of-theirs"));
	ck_assert_ptr_null(strstr(a.outcome.detail, "s3cr3t"));
	ck_assert_ptr_nonnull(strstr(kept, "{\"Authorization\": \"*"));
	ck_assert_ptr_nonnull(strstr(kept, "\"webhook-id\": \"m\"}, again *"));
}
END_TEST

START_TEST(a_request_that_cannot_be_started_spends_a_retry_and_says_why)
{
	uint64_t seq;
	bool found;

	start_sender(10, false);
	net.refuse = RP_ERR_INVAL;
	seq = fx_append(1, 1);
	settle_down(20);
	ck_assert_int_eq(fx_state(seq), RP_STATE_WAITING);
	ck_assert_int_eq(fx_attempt(seq, 1, &found).outcome.cause, RP_CAUSE_LOCAL);
	ck_assert(found);
}
END_TEST

START_TEST(a_lack_of_memory_for_a_request_spends_nothing)
{
	uint64_t seq, second;

	start_sender(10, false);
	seq = fx_append(1, 1);
	settle_down(20);
	net.refuse = RP_ERR_NOMEM; /* while another is under way, whose end may mend it */
	second = fx_append(2, 1);
	ck_assert_int_eq(rp_sender_step(sender, &wait_ms, &done, &fx.err), RP_OK);
	ck_assert_uint_eq(fx_attempts(second), 0);
	net.refuse = RP_OK;
	settle_down(20);
	ck_assert_uint_eq(net.n_started, 2);
	ck_assert_str_eq(net.requests[1].attempt, "1");
	fake_answer(&net, 0, RP_CAUSE_NONE, 200);
	fake_answer(&net, 1, RP_CAUSE_NONE, 200);
	settle_down(20);
	ck_assert_int_eq(fx_state(seq), RP_STATE_DELIVERED);
	net.refuse = RP_ERR_NOMEM; /* and with nothing under way another process is to try */
	fx_append(1, 1);
	ck_assert_int_eq(rp_sender_step(sender, &wait_ms, &done, &fx.err), RP_ERR_NOMEM);
}
END_TEST

static void answer_lack(size_t i, enum rp_lack lack)
{
	fake_answer(&net, i, RP_CAUSE_LOCAL, 0);
	net.answers[net.n_answers - 1].outcome.lack = lack;
	snprintf(net.answers[net.n_answers - 1].outcome.detail, RP_DETAIL_TEXT_MAX,
		 "Too many open files");
}

START_TEST(a_lack_of_descriptors_spends_nothing_and_makes_fewer_requests_at_once)
{
	uint64_t first;
	size_t i;

	configure("[defaults]\nretry_attempts = 1\nin_flight = 100\n");
	start_sender(4, false);
	first = append_proven(1, 2);
	append_proven(2, 2);
	settle_down(20);
	ck_assert_uint_eq(net.n_started, 4);
	answer_lack(0, RP_LACK_PROCESS);
	answer_lack(1, RP_LACK_PROCESS);
	settle_down(20);
	ck_assert_uint_eq(net.n_open, 2); /* as many as there is room for */
	ck_assert_uint_eq(fx_ledger().waiting + fx_ledger().in_flight, 4);
	append_proven(3, 20);
	for (i = 0; i < 50 && fx_ledger().delivered < 24; i++) {
		if (i == 0)
			ck_assert_uint_eq(net.n_open, 2);
		for (size_t k = 2; k < net.n_started; k++)
			if (!net.requests[k].answered)
				fake_answer(&net, k, RP_CAUSE_NONE, 200);
		settle_down(20);
		advance(1000);
	}
	ck_assert_uint_eq(fx_ledger().delivered, 24);
	ck_assert_uint_eq(fx_attempts(first), 1);
	append_proven(4, 10);
	settle_down(20);
	ck_assert_uint_eq(net.n_open, 4); /* it has grown again */
	for (i = 2; i < net.n_started; i++)
		ck_assert_str_eq(net.requests[i].attempt, "1");
}
END_TEST

/* It was connecting meanwhile, or lost its kept connection. */
START_TEST(what_is_not_written_yet_is_withheld_after_a_pause_or_a_purge)
{
	const struct rp_request *one, *two;
	uint64_t first = append_proven(1, 2);

	configure("[defaults]\nretry_attempts = 1\n");
	start_sender(2, false);
	settle_down(20);
	one = net.requests[0].request;
	two = net.requests[1].request;
	ck_assert(one->may_write(one->owner) && two->may_write(two->owner));
	ck_assert_int_eq(fx_change(RP_CHANGE_PURGE, first + 1), RP_CHANGED_DONE_IN_FLIGHT);
	ck_assert(one->may_write(one->owner) && !two->may_write(two->owner));
	fx_pause(1, true);
	ck_assert(!one->may_write(one->owner));
	answer_lack(0, RP_LACK_LEAVE);
	answer_lack(1, RP_LACK_LEAVE);
	settle_down(20);
	ck_assert_int_eq(fx_state(first), RP_STATE_WAITING);
	ck_assert_uint_eq(fx_delivery(first).attempts, 0);
	ck_assert_uint_eq(fx_ledger().purged, 1);
	fx_pause(1, false);
	settle_down(20);
	ck_assert_uint_eq(net.n_started, 3);
	ck_assert_str_eq(net.requests[2].attempt, "1");
}
END_TEST

START_TEST(when_not_one_request_can_be_had_the_sender_ends_with_words)
{
	enum rp_err e = RP_OK;
	uint64_t seq;
	size_t i;

	start_sender(4, false);
	seq = fx_append(1, 1);
	for (i = 0; i < 30000 && e == RP_OK; i += 10) {
		e = rp_sender_step(sender, &wait_ms, &done, &fx.err);
		while (net.n_open > 0 && net.n_answers == 0)
			answer_lack(net.n_started - 1, RP_LACK_PROCESS);
		advance(10);
	}
	ck_assert_int_eq(e, RP_ERR_NOMEM);
	ck_assert_ptr_nonnull(strstr(fx.err.text, "Too many open files"));
	ck_assert_uint_le(net.n_started, RP_CONCURRENCY_REFUSALS_MAX + 1);
	rp_sender_free(sender);
	sender = NULL;
	ck_assert_int_eq(fx_state(seq), RP_STATE_WAITING);
	ck_assert_uint_eq(fx_delivery(seq).failures, 0);
	ck_assert_uint_eq(fx_attempts(seq), 0);
}
END_TEST

START_TEST(a_lack_of_ports_towards_one_endpoint_leaves_the_others_alone)
{
	uint64_t seq;

	start_sender(10, false);
	seq = fx_append(1, 1);
	settle_down(20);
	answer_lack(0, RP_LACK_PORTS);
	settle_down(20);
	ck_assert_int_eq(fx_state(seq), RP_STATE_WAITING);
	ck_assert_uint_eq(fx_delivery(seq).attempts, 0);
	ck_assert_int_eq(fx_delivery(seq).last_cause, RP_CAUSE_LOCAL);
	append_proven(2, 5);
	settle_down(20);
	ck_assert_uint_eq(net.n_started, 6);
	advance(1000);
	settle_down(20);
	ck_assert_uint_eq(net.n_started, 7);
	ck_assert_str_eq(net.requests[6].attempt, "1");
}
END_TEST

/* --- what appends hand over ---------------------------------------------------------------- */

static uint64_t n_commits(void)
{
	struct rp_sender_counts counts;

	rp_sender_read_counts(sender, &counts);
	return counts.commits;
}

/* Its limits are known, its host has delivered, and the sender waits for work. */
static void deliver_first(void)
{
	start_sender(10, false);
	fx_append(1, 1);
	settle_down(20);
	fake_answer(&net, 0, RP_CAUSE_NONE, 200);
	settle_down(20);
	ck_assert_uint_eq(fx_ledger().delivered, 1);
}

static uint64_t hand_over(void)
{
	uint64_t seq = fx_append(1, 1);

	ck_assert_int_eq(fx_state(seq), RP_STATE_IN_FLIGHT);
	return seq;
}

START_TEST(what_an_append_hands_over_begins_without_a_commit)
{
	uint64_t before;

	background = _i == 1;
	deliver_first();
	before = n_commits();
	hand_over();
	settle_down(20);
	ck_assert_uint_eq(net.n_started, 2);
	ck_assert_uint_eq(n_commits(), before);
	hand_over(); /* the offer stands while that request is under way */
	settle_down(20);
	ck_assert_uint_eq(net.n_started, 3);
	fake_answer(&net, 1, RP_CAUSE_NONE, 200);
	fake_answer(&net, 2, RP_CAUSE_NONE, 200);
	settle_down(20);
	ck_assert_uint_eq(fx_ledger().delivered, 3);
	ck_assert_uint_eq(n_commits(), before + 1);
}
END_TEST

START_TEST(a_sender_that_stops_gives_back_what_it_was_handed)
{
	uint64_t seq;

	deliver_first();
	seq = hand_over();
	rp_sender_stop(sender);
	settle_down(20);
	ck_assert(done);
	ck_assert_uint_eq(net.n_started, 1);
	ck_assert_int_eq(fx_state(seq), RP_STATE_WAITING);
	ck_assert_uint_eq(fx_attempts(seq), 0);
	seq = fx_append(1, 1);
	ck_assert_int_eq(fx_state(seq), RP_STATE_WAITING);
}
END_TEST

START_TEST(what_was_handed_over_before_a_reload_is_claimed_anew)
{
	uint64_t before, seq;

	deliver_first();
	seq = hand_over();
	reload("[defaults]\nin_flight = 3\n");
	before = n_commits();
	settle_down(20);
	ck_assert_uint_eq(net.n_started, 2);
	ck_assert_uint_gt(n_commits(), before);
	ck_assert_uint_eq(fx_endpoint_record(1).control.limits.in_flight, 3);
	ck_assert_uint_eq(fx_delivery(seq).attempts, 1);
	fake_answer(&net, 1, RP_CAUSE_NONE, 200);
	settle_down(20);
	hand_over();
	settle_down(20);
	ck_assert_uint_eq(net.n_started, 3);
}
END_TEST

/* --- a store that goes away --------------------------------------------------------------- */

/* Stands before the real store. One of the calls that exchange something, or fetch, is answered
 * with RP_ERR_AWAY, and so are all calls until `back_boot_ms`. */
static struct {
	const struct rp_store_ops *real;
	struct rp_store_ops ops;
	unsigned n_exchanges, n_fetches;
	unsigned at_exchange, at_fetch; /* this one, counted from 1; 0: none */
	bool commits;                   /* the exchange is done all the same */
	int64_t back_boot_ms;
	unsigned n_refused;
} away;

static bool goes_away(void)
{
	if (fx.boot_ms >= away.back_boot_ms)
		return false;
	away.n_refused++;
	return true;
}

static enum rp_err away_exchange(struct rp_outbox *ob, int64_t now_at_ms, struct rp_exchange *x,
				 struct rp_error *err)
{
	bool hit = (x->n_settle > 0 || x->want > 0) && ++away.n_exchanges == away.at_exchange;

	if (hit)
		away.back_boot_ms = fx.boot_ms + 5000;
	if (!goes_away())
		return away.real->exchange(ob, now_at_ms, x, err);
	x->n_claims = 0;
	if (hit && away.commits)
		fx_must(away.real->exchange(ob, now_at_ms, x, err), "exchange");
	return rp_fail(err, RP_ERR_AWAY, "the script says so");
}

static enum rp_err away_fetch(struct rp_outbox *ob, const struct rp_claim *claim,
			      struct rp_dispatch *out, struct rp_error *err)
{
	if (++away.n_fetches == away.at_fetch)
		away.back_boot_ms = fx.boot_ms + 5000;
	return goes_away() ? rp_fail(err, RP_ERR_AWAY, "the script says so")
			   : away.real->fetch(ob, claim, out, err);
}

static enum rp_err away_reap(struct rp_outbox *ob, int64_t now_at_ms, int64_t boot_ms,
			     int64_t lease_ms, size_t *n_returned, struct rp_error *err)
{
	*n_returned = 0;
	return goes_away() ? rp_fail(err, RP_ERR_AWAY, "the script says so")
			   : away.real->reap(ob, now_at_ms, boot_ms, lease_ms, n_returned, err);
}

static void stand_before_the_store(void)
{
	memset(&away, 0, sizeof away);
	away.real = fx.ob->ops;
	away.ops = *away.real;
	away.ops.exchange = away_exchange;
	away.ops.fetch = away_fetch;
	away.ops.reap = away_reap;
	fx.ob->ops = &away.ops;
}

/* Answers each request, once and after a while, until all that was appended is delivered. */
static void deliver_each(size_t n)
{
	size_t answered = 0;
	int i;

	for (i = 0; i < 200 && fx_ledger().delivered < n; i++) {
		settle_down(20);
		while (answered < net.n_started)
			fake_answer(&net, answered++, RP_CAUSE_NONE, 200);
		advance(100);
	}
	ck_assert_uint_eq(fx_ledger().delivered, n);
}

START_TEST(a_store_that_goes_away_costs_no_entry_and_no_second_request)
{
	fx_append(1, 20);
	stand_before_the_store();
	away.at_exchange = (unsigned)_i / 2 + 1;
	away.commits = _i % 2 != 0;
	start_sender(5, false);
	deliver_each(20);
	ck_assert_uint_eq(net.n_started, 20);
	ck_assert_uint_gt(away.n_refused, 0);
	ck_assert_uint_lt(away.n_refused, 20); /* it is asked ever more rarely */
	ck_assert_uint_eq(fx_ledger().in_flight, 0);
}
END_TEST

START_TEST(a_claim_whose_entry_cannot_be_read_goes_back)
{
	fx_append(1, 20);
	stand_before_the_store();
	away.at_fetch = (unsigned)_i + 1;
	start_sender(5, false);
	deliver_each(20);
	ck_assert_uint_eq(net.n_started, 20);
	ck_assert_uint_gt(away.n_refused, 0);
}
END_TEST

START_TEST(a_stop_waits_for_a_store_that_is_away_no_longer_than_the_grace)
{
	int i;

	fx_append(1, 1);
	stand_before_the_store();
	start_sender(5, false);
	settle_down(20);
	fake_answer(&net, 0, RP_CAUSE_NONE, 200);
	away.back_boot_ms = INT64_MAX;
	rp_sender_stop(sender);
	done = false;
	for (i = 0; i < 1000 && !done; i++) {
		fx_must(rp_sender_step(sender, &wait_ms, &done, &fx.err), "step");
		advance(wait_ms);
	}
	ck_assert(done);
	away.back_boot_ms = 0; /* what could not be settled goes back when it leaves */
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("sender");
	TCase *tc = tcase_create("loop");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, a_request_carries_what_the_receiver_needs);
	tcase_add_test(tc, a_failure_is_tried_again_no_sooner_than_due_and_with_the_same_id);
	tcase_add_test(tc, after_the_last_attempt_the_entry_is_dead_with_its_cause);
	tcase_add_test(tc, gone_disables_the_endpoint_and_its_other_entries_die_unsent);
	tcase_add_test(tc, no_more_requests_run_at_once_than_allowed);
	tcase_add_test(tc, a_hanging_endpoint_leaves_the_others_their_requests);
	tcase_add_test(tc, hosts_that_have_not_proven_themselves_share_half_of_the_requests);
	tcase_add_loop_test(tc, a_breaker_is_logged_with_its_host_or_path, 0, 2);
	tcase_add_test(tc, requests_that_hang_do_not_make_results_wait_for_others);
	tcase_add_test(tc, a_result_that_others_wait_for_is_settled_within_a_millisecond);
	tcase_add_test(tc, a_place_is_passed_on_before_the_commit);
	tcase_add_test(tc, a_place_is_not_passed_on_after_a_failure);
	tcase_add_test(tc, a_place_is_not_passed_on_where_the_endpoint_was_paused);
	tcase_add_test(tc, there_are_never_more_requests_than_places);
	tcase_add_test(tc, a_place_is_not_passed_on_by_an_entry_that_was_purged);
	tcase_add_test(tc, what_waits_for_a_place_in_vain_goes_back);
	tcase_add_test(tc, a_stop_gives_back_what_waits_for_a_place);
	tcase_add_test(tc, an_idle_sender_with_work_for_later_sleeps_until_its_heartbeat);
	tcase_add_test(tc, exchanges_in_the_background_settle_all_that_was_sent);
	tcase_add_test(tc, claims_that_cannot_begin_are_given_back);
	tcase_add_test(tc, a_stop_gives_back_what_an_exchange_in_the_background_was_claiming);
	tcase_add_test(tc, receivers_that_hang_on_long_payloads_hold_up_nobody);
	tcase_add_test(tc, a_long_payload_is_read_while_it_is_sent_and_again_when_it_must_be);
	tcase_add_test(tc, a_long_payload_that_is_purged_while_it_is_sent_is_broken_off);
	tcase_add_test(tc, a_long_payload_is_signed_as_a_whole);
	tcase_add_test(tc, nothing_begins_at_an_endpoint_that_was_paused_after_the_claim);
	tcase_add_test(tc, nothing_begins_at_an_endpoint_that_said_gone_after_the_claim);
	tcase_add_test(tc, a_limit_lowered_after_the_claim_holds);
	tcase_add_test(tc, tokens_do_not_keep_while_others_have_all_requests);
	tcase_add_test(tc, a_slow_disk_makes_tokens_keep_longer_and_the_rate_holds);
	tcase_add_test(tc, an_entry_purged_before_its_attempt_is_not_sent);
	tcase_add_test(tc, after_a_stall_as_long_as_the_lease_nothing_claimed_before_is_begun);
	tcase_add_test(tc, what_an_exchange_as_long_as_the_lease_claimed_is_not_begun);
	tcase_add_test(tc, a_damaged_payload_is_set_aside_and_the_others_are_sent);
	tcase_add_test(tc, a_stop_returns_what_was_not_begun_and_waits_for_the_rest);
	tcase_add_test(tc, a_stop_ends_when_its_grace_is_over);
	tcase_add_test(tc,
		       a_stop_without_grace_settles_what_is_known_and_returns_what_was_not_begun);
	tcase_add_test(tc, a_sender_that_is_ended_at_once_keeps_the_results_it_has);
	tcase_add_test(tc, a_drain_ends_when_nothing_is_waiting);
	tcase_add_test(tc, requests_under_way_keep_their_policy_and_new_ones_get_the_new_one);
	tcase_add_test(tc, many_reloads_under_one_request_leave_nothing_behind);
	tcase_add_test(tc, a_raised_limit_is_used_at_once);
	tcase_add_test(tc, without_a_valid_key_nothing_is_sent_and_nothing_is_spent);
	tcase_add_test(tc, a_reload_with_a_valid_key_ends_the_wait);
	tcase_add_test(tc, what_lacked_a_key_before_a_reload_parks_nothing_after_it);
	tcase_add_test(tc, a_new_sender_applies_its_configuration_to_those_that_wait);
	tcase_add_test(tc, a_new_configuration_reaches_all_however_many_wait);
	tcase_add_test(tc, an_endpoint_with_a_secret_gets_every_attempt_signed);
	tcase_add_test(tc, a_configured_header_replaces_the_envelope_s);
	tcase_add_test(tc, header_values_that_a_receiver_echoes_are_not_kept);
	tcase_add_test(tc, a_lack_of_descriptors_spends_nothing_and_makes_fewer_requests_at_once);
	tcase_add_test(tc, what_is_not_written_yet_is_withheld_after_a_pause_or_a_purge);
	tcase_add_test(tc, when_not_one_request_can_be_had_the_sender_ends_with_words);
	tcase_add_test(tc, a_lack_of_ports_towards_one_endpoint_leaves_the_others_alone);
	tcase_add_test(tc, a_lack_of_memory_for_a_request_spends_nothing);
	tcase_add_loop_test(tc, what_an_append_hands_over_begins_without_a_commit, 0, 2);
	tcase_add_test(tc, a_sender_that_stops_gives_back_what_it_was_handed);
	tcase_add_test(tc, what_was_handed_over_before_a_reload_is_claimed_anew);
	tcase_add_test(tc, a_request_that_cannot_be_started_spends_a_retry_and_says_why);
	tcase_add_loop_test(tc, a_store_that_goes_away_costs_no_entry_and_no_second_request, 0, 12);
	tcase_add_loop_test(tc, a_claim_whose_entry_cannot_be_read_goes_back, 0, 6);
	tcase_add_test(tc, a_stop_waits_for_a_store_that_is_away_no_longer_than_the_grace);
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
