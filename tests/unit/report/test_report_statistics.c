/* What is said of an outbox's numbers: the text for Prometheus, what is wrong, and the JSON. All
 * from values; no outbox is opened. */
#include "report/metrics.h"
#include "report/statistics.h"

#include <check.h>
#include <stdio.h>

#define NOW_MS INT64_C(1764000000000)

static struct rp_statistics st;
static struct rp_known_endpoint endpoint;
static struct rp_place place;
static char endpoint_name[] = "https://a.example/in", outbox[] = "/srv/x", config_path[] = "/etc/r";
static struct rp_buf out;

/* One entry waits, one sender beats, and the endpoint is well. */
static void set_up(void)
{
	st = (struct rp_statistics){.now_at_ms = NOW_MS, .boot_ms = 100000, .lease_ms = 30000};
	st.ledger.accepted = st.ledger.waiting = 1;
	st.info.quota_bytes = 1000;
	st.info.oldest.waiting_due_at_ms = st.info.next_due_at_ms = RP_NEVER;
	st.n_alive = 1;
	endpoint =
	    (struct rp_known_endpoint){.id = 1, .name = endpoint_name, .stored = endpoint_name};
	st.endpoints.all = &endpoint;
	st.endpoints.n = st.endpoints.n_paths = 1;
	place = (struct rp_place){.outbox = outbox, .config = config_path, .senders_known = true};
	out = (struct rp_buf){0};
}

static void tear_down(void)
{
	rp_buf_release(&out);
}

/* --- what is wrong: one change to the healthy case a row ----------------------------------- */

static void nothing(void)
{
}

static void unbalanced(void)
{
	st.ledger.accepted = 2;
}

static void refuses(void)
{
	st.info.refuses = true;
	snprintf(st.info.refusal.text, sizeof st.info.refusal.text, "%s", "the quota is used up");
}

static void nearly_full(void)
{
	st.info.used_bytes = 800;
}

static void no_sender(void)
{
	st.n_alive = 0;
}

static void silent(void)
{
	st.n_silent = 1;
	st.silent = (struct rp_sender_info){.slot = 3, .pid = 4711, .beat_boot_ms = 10000};
}

static void paused(void)
{
	st.trouble = 1;
	endpoint.e.paused = true;
}

static void failing(void)
{
	st.trouble = 1;
	endpoint.e.streak = 4;
	endpoint.e.last_cause = RP_CAUSE_TIMEOUT;
}

static void host_is_down(void)
{
	st.trouble = 1;
	endpoint.e.level = RP_LEVEL_HOST;
	endpoint.n_paths = 3000;
	endpoint.e.count[RP_STATE_WAITING] = 6000;
	endpoint.e.control.breaker = RP_BREAKER_HALF_OPEN;
	endpoint.e.control.cause = RP_CAUSE_TIMEOUT;
}

/* No verb resumes a section. */
static void section_is_paused(void)
{
	st.trouble = 1;
	endpoint.e.level = RP_LEVEL_SECTION;
	endpoint.n_paths = 1;
	endpoint.e.paused = true;
}

/* Its paths tell it. */
static void host_fails(void)
{
	endpoint.e.level = RP_LEVEL_HOST;
	endpoint.e.streak = 4;
}

#define WHERE " --outbox /srv/x --config /etc/r\n"

static const struct {
	void (*change)(void);
	const char *says;
} troubles[] = {
    {nothing, ""},
    {unbalanced, "! the ledger does not balance -> runpostctl verify" WHERE},
    {refuses, "! nothing is taken any more: the quota is used up -> runpostctl doctor" WHERE},
    {nearly_full,
     "! 80% of the quota is used; at 100% nothing is taken -> runpostctl doctor" WHERE},
    {no_sender, "! no sender is alive, 1 entry wants one -> runpost send" WHERE},
    {silent, "! sender-3 gave no sign of life for 1m30s, 0 of 1 beat -> kill -CONT 4711\n"},
    {paused, "! https://a.example/in: paused -> runpostctl resume https://a.example/in" WHERE},
    {failing, "! https://a.example/in: 4 failures in a row, last timeout -> runpostctl explain "
	      "--state retrying --limit 1 --endpoint https://a.example/in" WHERE},
    {host_is_down, "! https://a.example/in: the breaker of the host is half_open, last timeout, "
		   "probe under way; 6000 entries of 3000 paths wait -> runpostctl resume "
		   "https://a.example/in" WHERE},
    {section_is_paused, "! https://a.example/in: paused; 0 entries of 1 path wait\n"},
    {host_fails, ""},
};

START_TEST(what_is_wrong_is_told_with_what_helps)
{
	troubles[_i].change();
	ck_assert(rp_statistics_trouble(&st, &place, &out));
	ck_assert_str_eq(out.data != NULL ? out.data : "", troubles[_i].says);
}
END_TEST

/* --- for Prometheus --------------------------------------------------------------------- */

static const char *const lines[] = {
    "runpost_entries{state=\"waiting\"} 1\n",
    "runpost_oldest_entry_timestamp_seconds{state=\"dead\"} 1.500\n",
    "runpost_attempts_total{endpoint=\"acme\",outcome=\"2xx\"} 7\n",
    "runpost_store_quota_used_ratio 0.250000\n",
    /* buckets count all that is smaller, too */
    "runpost_delivery_duration_seconds_bucket{le=\"+Inf\"} 3\n",
    "runpost_delivery_duration_seconds_count 3\n",
    "runpost_store_commit_seconds_count{by=\"sender\"} 1\n",
    /* one section of the configuration, and what has none */
    "runpost_endpoint_waiting{endpoint=\"acme\"} 0\n",
    "runpost_endpoint_waiting{endpoint=\"other\"} 5\n",
    "runpost_endpoint_breaker_state{endpoint=\"other\",state=\"closed\"} 1\n",
};

START_TEST(metrics_are_made_of_values_alone)
{
	char section[] = "acme", unlike[] = "https://acme.example/";
	struct rp_policy policy = {.name = section, .url = unlike};
	struct rp_config config = {.endpoints = &policy, .n_endpoints = 1};
	struct rp_named_series series = {.name = section, .attempts.attempts[RP_CLASS_2XX] = 7};
	size_t i;

	ck_assert(rp_url_parse(rp_span_of(unlike), &policy.prefix, NULL) == RP_OK);
	st.series = &series;
	st.n_series = 1;
	st.info.used_bytes = 250;
	st.info.oldest.dead_at_ms = 1500;
	st.counters.attempts.count[0] = 1;
	st.counters.attempts.count[RP_HISTOGRAM_BUCKETS - 1] = 2;
	st.counters.sender_commits.count[3] = 1;
	endpoint.e.count[RP_STATE_WAITING] = 5;
	ck_assert(rp_metrics_add(&st, &config, &out));
	for (i = 0; i < sizeof lines / sizeof lines[0]; i++)
		ck_assert_msg(strstr(out.data, lines[i]) != NULL, "%s", lines[i]);
	/* nothing waits that is due */
	ck_assert(strstr(out.data, "timestamp_seconds{state=\"waiting\"}") == NULL);
}
END_TEST

/* --- as JSON ---------------------------------------------------------------------------- */

START_TEST(lines_of_trouble_become_warnings)
{
	struct rp_json_out *o =
	    rp_statistics_json(&st, "x", rp_span_of("! a: b -> c d\n! no command\n"));

	ck_assert(rp_json_out_print(o, &out));
	ck_assert(strstr(out.data, "\"warnings\":[{\"text\":\"a: b\",\"command\":\"c d\"},"
				   "{\"text\":\"no command\",\"command\":null}]") != NULL);
	ck_assert(strstr(out.data, "\"entries\":{\"waiting\":1,") != NULL);
	rp_json_out_free(o);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("report_statistics");
	TCase *tcase = tcase_create("all");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_add_loop_test(tcase, what_is_wrong_is_told_with_what_helps, 0,
			    (int)(sizeof troubles / sizeof troubles[0]));
	tcase_add_test(tcase, metrics_are_made_of_values_alone);
	tcase_add_test(tcase, lines_of_trouble_become_warnings);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? 0 : 1;
}
