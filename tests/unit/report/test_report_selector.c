/* Selections: what their words mean, and which entries they pick. */
#include "report/selector.h"
#include "text/suggest.h"

#include <check.h>

#define NOW_AT_MS INT64_C(1764000000000)
#define HOUR_MS INT64_C(3600000)
#define SOME_ID "msg_0000000001EJVX3P8YJHAJ7PZB"

static struct rp_selector sel;
static struct rp_entry entry;

static void set_up(void)
{
	memset(&sel, 0, sizeof sel);
	memset(&entry, 0, sizeof entry);
	entry.seq = 7;
	entry.endpoint = rp_span_of("https://hooks.example.com:8443/billing");
	entry.facts.run_id = rp_span_of("run-1");
	entry.facts.thread_id = rp_span_of("thread-1");
	entry.facts.event = rp_span_of("success");
	entry.facts.accepted_at_ms = NOW_AT_MS - 2 * HOUR_MS;
	entry.delivery.state = RP_STATE_WAITING;
	entry.delivery.state_at_ms = NOW_AT_MS - HOUR_MS;
}

static void tear_down(void)
{
	rp_selector_release(&sel);
}

static void set(enum rp_selector_field field, const char *value)
{
	struct rp_error err = {0};

	ck_assert_msg(rp_selector_set(&sel, field, value, NOW_AT_MS, &err) == RP_OK, "%s: %s",
		      value, err.text);
}

static bool matches(void)
{
	return rp_selector_match(&sel, &entry, NOW_AT_MS);
}

START_TEST(a_selector_with_nothing_but_a_limit_is_empty)
{
	ck_assert(rp_selector_is_empty(&sel));
	set(RP_SELECT_LIMIT, "5");
	ck_assert(rp_selector_is_empty(&sel));
	ck_assert(sel.limit == 5 && sel.has_limit);
}
END_TEST

START_TEST(every_filter_makes_a_selector_more_than_empty)
{
	static const struct {
		enum rp_selector_field field;
		const char *value;
	} rows[] = {
	    {RP_SELECT_STATE, "dead"},    {RP_SELECT_ENDPOINT, "*"},    {RP_SELECT_RUN, "r"},
	    {RP_SELECT_CAUSE, "timeout"}, {RP_SELECT_SINCE, "2h"},      {RP_SELECT_UNTIL, "2h"},
	    {RP_SELECT_OLDER_THAN, "7d"}, {RP_SELECT_THREAD, "t"},      {RP_SELECT_EVENT, "e"},
	    {RP_SELECT_ATTEMPTS, "0"},    {RP_SELECT_GROUP, "gone::1"},
	};
	size_t i;

	for (i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		set_up();
		set(rows[i].field, rows[i].value);
		ck_assert_msg(!rp_selector_is_empty(&sel), "row %zu", i);
		tear_down();
	}
}
END_TEST

START_TEST(a_group_of_dead_letters_is_named_by_cause_last_answer_and_endpoint)
{
	set(RP_SELECT_GROUP, "exhausted:http_503:7");
	ck_assert(!rp_selector_is_empty(&sel));
	entry.delivery = (struct rp_delivery){.state = RP_STATE_DEAD,
					      .cause = RP_CAUSE_EXHAUSTED,
					      .last_cause = RP_CAUSE_HTTP,
					      .http_status = 503,
					      .endpoint = 7};
	ck_assert(matches());
	entry.delivery.endpoint = 8;
	ck_assert(!matches());
	entry.delivery.endpoint = 7;
	entry.delivery.http_status = 502;
	ck_assert(!matches());
	entry.delivery.http_status = 503;
	entry.delivery.cause = RP_CAUSE_EXPIRED;
	ck_assert(!matches());
	entry.delivery.cause = RP_CAUSE_EXHAUSTED;
	entry.delivery.state = RP_STATE_WAITING;
	ck_assert_msg(!matches(), "only the dead have a group");
}
END_TEST

START_TEST(a_group_key_reads_back_as_what_was_written)
{
	static const char *const bad[] = {
	    "",        ":",       "::",       "gone:http_410",     "gone:http_410:",
	    "nope::1", "gone::x", "gone::1 ", "gone:http_410:3:4", "gone::99999999999999999999999"};
	struct rp_dead_group g, back;
	char text[RP_DEAD_GROUP_TEXT_MAX];
	int cause, last;
	size_t i;

	for (cause = RP_CAUSE_HTTP; cause < RP_CAUSE_MAX_; cause++) {
		for (last = RP_CAUSE_NONE; last < RP_CAUSE_MAX_; last++) {
			g = rp_dead_group_of((enum rp_cause)cause, (enum rp_cause)last, 429,
					     UINT64_MAX);
			rp_dead_group_format(&g, text);
			ck_assert_msg(rp_dead_group_parse(rp_span_of(text), &back), "%s", text);
			ck_assert_msg(rp_dead_group_compare(&g, &back) == 0, "%s", text);
		}
	}
	for (i = 0; i < sizeof bad / sizeof bad[0]; i++)
		ck_assert_msg(!rp_dead_group_parse(rp_span_of(bad[i]), &back), "%s", bad[i]);
}
END_TEST

START_TEST(an_empty_list_of_ids_is_not_an_empty_selector)
{
	ck_assert_int_eq(rp_selector_add_line(&sel, rp_span_of("\n"), NULL), RP_OK);
	ck_assert(!rp_selector_is_empty(&sel));
	ck_assert_uint_eq(sel.n_ids, 0);
}
END_TEST

START_TEST(states_may_be_listed_and_repeated)
{
	set(RP_SELECT_STATE, "held,dead");
	set(RP_SELECT_STATE, "delivered");
	ck_assert(!matches());
	entry.delivery.state = RP_STATE_DEAD;
	ck_assert(matches());
	entry.delivery.state = RP_STATE_DELIVERED;
	ck_assert(matches());
	entry.delivery.state = RP_STATE_IN_FLIGHT;
	ck_assert(!matches());
}
END_TEST

START_TEST(retrying_means_waiting_after_an_attempt)
{
	set(RP_SELECT_STATE, "dead,retrying");
	ck_assert(!matches());
	entry.delivery.attempts = 1;
	ck_assert(matches());
	entry.delivery.attempts = 0;
	entry.delivery.state = RP_STATE_DEAD;
	ck_assert_msg(matches(), "attempts matter to waiting entries only");
}
END_TEST

START_TEST(waiting_beside_retrying_means_all_waiting)
{
	static const char *const both[] = {"waiting,retrying", "retrying,waiting"};
	size_t i;

	for (i = 0; i < 2; i++) {
		tear_down();
		set(RP_SELECT_STATE, both[i]);
		ck_assert_msg(matches(), "%s", both[i]);
	}
}
END_TEST

static const struct {
	const char *glob;
	bool matches;
} globs[] = {
    {"https://hooks.example.com:8443/billing", true},
    {"https://hooks.example.com:8443/billing?token=abc", true},
    {"HTTPS://Hooks.Example.com:8443/billing", true},
    {"https://hooks.example.com:8443/*", true},
    {"*/billing", true},
    {"*/bill", false},
    {"https://hooks.example.com/billing", false},
    {"hooks.example.com", true},
    {"hooks.example.com:8443", true},
    {"hooks.example.com:*", true},
    {"*.example.com", true},
    {"example.com", false},
    {"hooks.example.com:84", false},
    {"billing", false},
    {"*", true},
};

START_TEST(an_endpoint_is_known_by_name_url_or_host)
{
	set(RP_SELECT_ENDPOINT, globs[_i].glob);
	ck_assert_msg(matches() == globs[_i].matches, "%s", globs[_i].glob);
}
END_TEST

START_TEST(an_ipv6_host_matches_although_its_brackets_are_glob_characters)
{
	entry.endpoint = rp_span_of("http://[::1]:8080/hook");
	set(RP_SELECT_ENDPOINT, "[::1]:8080");
	ck_assert(matches());
	set(RP_SELECT_ENDPOINT, "http://[::1]:8080/hook");
	ck_assert(matches());
}
END_TEST

START_TEST(the_name_of_a_host_means_all_its_paths)
{
	entry.endpoint = rp_span_of("https://hooks.example:8443/in/7");
	set(RP_SELECT_ENDPOINT, "https://Hooks.example:8443");
	ck_assert(matches());
	set(RP_SELECT_ENDPOINT, "https://hooks.example:8443/"); /* a path of it */
	ck_assert(!matches());
	set(RP_SELECT_ENDPOINT, "https://hooks.example");
	ck_assert(!matches());
	set(RP_SELECT_ENDPOINT, "http://hooks.example:8443");
	ck_assert(!matches());
	set(RP_SELECT_ENDPOINT, "https://hooks.example:8443?token=t");
	ck_assert(!matches());
}
END_TEST

/* A path never has the number of a host (model/level.h). */
START_TEST(a_group_of_a_host_has_the_dead_of_all_its_paths)
{
	struct rp_dead_group g = {.cause = RP_CAUSE_EXHAUSTED, .endpoint = UINT64_C(3) << 32};
	struct rp_dead_group of_path = g, of_other = g;

	of_path.endpoint = g.endpoint + RP_MEMBER_PATHS + 5;
	of_other.endpoint = (UINT64_C(4) << 32) + RP_MEMBER_PATHS;
	ck_assert(rp_dead_group_has(&g, &of_path) && rp_dead_group_has(&of_path, &of_path));
	ck_assert(!rp_dead_group_has(&of_path, &g) && !rp_dead_group_has(&g, &of_other));
	of_path.cause = RP_CAUSE_GONE;
	ck_assert(!rp_dead_group_has(&g, &of_path));
}
END_TEST

static bool fits(const struct rp_endpoint_glob *g, const char *name)
{
	return rp_endpoint_glob_match(g, rp_span_of(name));
}

/* A caller of the engine may have put a '*' into a path. */
START_TEST(a_name_that_reads_as_a_pattern_is_itself_where_it_exists)
{
	struct rp_endpoint_glob g;

	ck_assert(rp_endpoint_glob_init(&g, "https://A.example:443/x*?token=t"));
	ck_assert(rp_endpoint_glob_is_ambiguous(&g));
	ck_assert(rp_endpoint_glob_is_name(&g, rp_span_of("https://a.example/x*")));
	rp_endpoint_glob_release(&g);
	ck_assert(rp_endpoint_glob_init(&g, "https://a.example/x*"));
	ck_assert(fits(&g, "https://a.example/x*") && fits(&g, "https://a.example/xy"));
	g.exact = true; /* an endpoint has this name */
	ck_assert(fits(&g, "https://a.example/x*") && !fits(&g, "https://a.example/xy"));
	rp_endpoint_glob_release(&g);
	/* with a backslash it is a pattern, whatever names there are */
	ck_assert(rp_endpoint_glob_init(&g, "\\https://a.example/x*"));
	ck_assert(!rp_endpoint_glob_is_ambiguous(&g) && fits(&g, "https://a.example/xy"));
	rp_endpoint_glob_release(&g);
	/* without '*' and '?' there is nothing to ask */
	ck_assert(rp_endpoint_glob_init(&g, "http://[::1]:8080/in"));
	ck_assert(!rp_endpoint_glob_is_ambiguous(&g) && fits(&g, "http://[::1]:8080/in") &&
		  !fits(&g, "http://1:8080/in"));
	rp_endpoint_glob_release(&g);
	ck_assert(rp_endpoint_glob_init(&g, "[::1]"));
	ck_assert(fits(&g, "http://[::1]:8080/in") && !fits(&g, "http://1/in"));
	rp_endpoint_glob_release(&g);
	ck_assert(rp_endpoint_glob_init(&g, "[ab].example"));
	ck_assert(fits(&g, "https://a.example/") && !fits(&g, "https://c.example/"));
	rp_endpoint_glob_release(&g);
}
END_TEST

START_TEST(a_run_matches_as_a_whole)
{
	set(RP_SELECT_RUN, "run-1");
	ck_assert(matches());
	set(RP_SELECT_RUN, "run-");
	ck_assert(!matches());
}
END_TEST

START_TEST(a_thread_and_an_event_match_as_a_whole)
{
	set(RP_SELECT_THREAD, "thread-1");
	set(RP_SELECT_EVENT, "success");
	ck_assert(matches());
	set(RP_SELECT_EVENT, "succ");
	ck_assert(!matches());
	set(RP_SELECT_EVENT, "success");
	set(RP_SELECT_THREAD, "thread-");
	ck_assert(!matches());
}
END_TEST

static const struct {
	const char *value;
	uint32_t least, most; /* attempts that match */
} attempts[] = {
    {"3", 3, 3},  {"=3", 3, 3}, {">=5", 5, UINT32_MAX}, {">5", 6, UINT32_MAX}, {"<=2", 0, 2},
    {"<2", 0, 1}, {"0", 0, 0},  {">=0", 0, UINT32_MAX},
};

START_TEST(attempts_are_compared_as_written)
{
	uint32_t least = attempts[_i].least, most = attempts[_i].most;

	set(RP_SELECT_ATTEMPTS, attempts[_i].value);
	entry.delivery.attempts = least;
	ck_assert(matches());
	entry.delivery.attempts = most;
	ck_assert(matches());
	entry.delivery.attempts = least - 1;
	ck_assert(least == 0 || !matches());
	entry.delivery.attempts = most + 1;
	ck_assert(most == UINT32_MAX || !matches());
}
END_TEST

static const struct {
	const char *cause;
	bool matches; /* an entry dead of exhaustion, whose last answer was 503 */
} causes[] = {{"exhausted", true},
	      {"http", true},
	      {"http_503", true},
	      {"http_500", false},
	      {"timeout", false}};

START_TEST(a_cause_is_why_it_died_or_its_last_answer)
{
	entry.delivery.state = RP_STATE_DEAD;
	entry.delivery.cause = RP_CAUSE_EXHAUSTED;
	entry.delivery.last_cause = RP_CAUSE_HTTP;
	entry.delivery.http_status = 503;
	set(RP_SELECT_CAUSE, causes[_i].cause);
	ck_assert_msg(matches() == causes[_i].matches, "%s", causes[_i].cause);
}
END_TEST

START_TEST(a_damaged_entry_is_found_by_the_cause_damaged)
{
	set(RP_SELECT_CAUSE, "damaged");
	ck_assert(!matches());
	entry.damaged = true;
	ck_assert(matches());
}
END_TEST

static const struct {
	enum rp_selector_field field;
	const char *value;
	bool matches; /* accepted 2 h ago, in its state for 1 h; now is 2025-11-24T16:00:00Z */
} times[] = {
    {RP_SELECT_SINCE, "2h", true},
    {RP_SELECT_SINCE, "1h59m", false},
    {RP_SELECT_SINCE, "2025-11-24T14:00:00Z", true},
    {RP_SELECT_SINCE, "2025-11-24T14:00:00.001Z", false},
    {RP_SELECT_UNTIL, "2h", false},
    {RP_SELECT_UNTIL, "1h", true},
    {RP_SELECT_UNTIL, "2025-11-24T16:00:00+02:00", false},
    {RP_SELECT_UNTIL, "2025-11-24T16:00:00+01:00", true},
    {RP_SELECT_OLDER_THAN, "1h", true},
    {RP_SELECT_OLDER_THAN, "61m", false},
    {RP_SELECT_OLDER_THAN, "0", true},
};

START_TEST(times_are_compared_with_acceptance_and_with_the_state)
{
	set(times[_i].field, times[_i].value);
	ck_assert_msg(matches() == times[_i].matches, "field %d, %s", (int)times[_i].field,
		      times[_i].value);
}
END_TEST

/* A row may be passed over only where the entry's record would say the same. */
START_TEST(an_index_row_passes_wherever_its_entry_does)
{
	static const char *const asked[] = {"dns",     "http_503", "http", "expired",
					    "damaged", "tls",      NULL};
	struct rp_delivery *d = &entry.delivery;
	struct rp_filter f;
	struct rp_brief row;
	unsigned c, o, n = 0;
	int state, dead_of;

	for (c = 0; asked[c] != NULL; c++)
		for (o = 0; o < 2; o++)
			for (state = RP_STATE_WAITING; state <= RP_STATE_DEAD; state++)
				for (dead_of = RP_CAUSE_NONE; dead_of < RP_CAUSE_MAX_; dead_of++) {
					rp_selector_release(&sel);
					set(RP_SELECT_CAUSE, asked[c]);
					set(RP_SELECT_OLDER_THAN, o ? "3h" : "30m");
					d->state = (enum rp_state)state;
					d->cause = (enum rp_cause)dead_of;
					d->last_cause = (enum rp_cause)(dead_of / 2);
					d->http_status = dead_of % 3 == 0 ? 503 : 500;
					row = (struct rp_brief){.seq = 7};
					if (state == RP_STATE_DEAD)
						row = (struct rp_brief){.seq = 7,
									.cause = d->cause,
									.last_cause = d->last_cause,
									.http_status =
									    d->http_status};
					if (state >= RP_STATE_HELD)
						row.at_ms = d->state_at_ms;
					rp_selector_filter(&sel, &f);
					if (rp_filter_may_match_delivery(&f, d, NOW_AT_MS))
						ck_assert(rp_filter_may_match_brief(
						    &f, d->state, &row, NOW_AT_MS));
					n += !rp_filter_may_match_brief(&f, d->state, &row,
									NOW_AT_MS);
				}
	ck_assert_uint_gt(n, 100);
}
END_TEST

START_TEST(all_filters_must_hold_at_once)
{
	set(RP_SELECT_RUN, "run-1");
	set(RP_SELECT_STATE, "waiting");
	ck_assert(matches());
	set(RP_SELECT_SINCE, "1h");
	ck_assert(!matches());
}
END_TEST

static const struct {
	enum rp_selector_field field;
	const char *value, *says;
} wrong[] = {
    {RP_SELECT_STATE, "ded", "did you mean dead?"},
    {RP_SELECT_STATE, "dead,", "waiting, in_flight, held"},
    {RP_SELECT_STATE, "", "waiting, in_flight, held"},
    {RP_SELECT_STATE, "in-flight", "did you mean in_flight?"},
    {RP_SELECT_CAUSE, "timeot", "did you mean timeout?"},
    {RP_SELECT_CAUSE, "http_abc", "http_503"},
    {RP_SELECT_CAUSE, "", "sender_lost"},
    {RP_SELECT_SINCE, "yesterday", "2h"},
    {RP_SELECT_UNTIL, "12", "--until"},
    {RP_SELECT_OLDER_THAN, "7", "7d"},
    {RP_SELECT_LIMIT, "-1", "whole number"},
    {RP_SELECT_LIMIT, "1x", "whole number"},
    {RP_SELECT_LIMIT, "99999999999999999999999", "whole number"},
    {RP_SELECT_ENDPOINT, "", "empty"},
    {RP_SELECT_RUN, "", "empty"},
    {RP_SELECT_THREAD, "", "empty"},
    {RP_SELECT_EVENT, "", "success"},
    {RP_SELECT_ATTEMPTS, "", "'>=5'"},
    {RP_SELECT_ATTEMPTS, "many", "'>=5'"},
    {RP_SELECT_ATTEMPTS, "=>5", "'>=5'"},
    {RP_SELECT_ATTEMPTS, ">", "'>=5'"},
    {RP_SELECT_ATTEMPTS, "5x", "'>=5'"},
    {RP_SELECT_ATTEMPTS, "<0", "fewer than 0"},
    {RP_SELECT_ATTEMPTS, "4294967295", "'>=5'"},
};

START_TEST(a_bad_value_is_told_with_what_would_be_right)
{
	struct rp_error err = {0};

	ck_assert_int_eq(rp_selector_set(&sel, wrong[_i].field, wrong[_i].value, NOW_AT_MS, &err),
			 RP_ERR_INVAL);
	ck_assert_msg(strstr(err.text, wrong[_i].says) != NULL, "\"%s\": %s", wrong[_i].value,
		      err.text);
}
END_TEST

static const char *const id_lines[] = {
    SOME_ID,
    "  " SOME_ID "\r\n",
    "msg_0000000001ejvx3p8yjhaj7pzb\n",
    SOME_ID "\twaiting\thttps://hooks.example.com/billing\n",
    "{\"seq\":1,\"id\":\"" SOME_ID "\",\"cause\":null}\n",
    "{\"cause\":\"gone\",\"count\":3,\"sample\":\"" SOME_ID "\"}\n",
};

START_TEST(an_id_is_taken_from_whatever_a_list_prints)
{
	unsigned char want[RP_ID_BYTES];
	struct rp_error err = {0};

	ck_assert(rp_id_parse(rp_span_of(SOME_ID), want));
	ck_assert_msg(rp_selector_add_line(&sel, rp_span_of(id_lines[_i]), &err) == RP_OK, "%s",
		      err.text);
	ck_assert_uint_eq(sel.n_ids, 1);
	ck_assert_mem_eq(sel.ids[0], want, sizeof want);
}
END_TEST

static const struct {
	const char *line, *says;
} bad_lines[] = {
    {"run-1\n", "not an entry id"},
    {"{\"id\":5}", "no member \"id\""},
    {"{\"state\":\"dead\"}", "no member \"id\""},
    {"{\"id\":\"" SOME_ID "\"", "byte"},
    {"msg_00", "not an entry id"},
};

START_TEST(a_line_without_an_id_is_told_as_such)
{
	struct rp_error err = {0};

	ck_assert_int_eq(rp_selector_add_line(&sel, rp_span_of(bad_lines[_i].line), &err),
			 RP_ERR_INVAL);
	ck_assert_msg(strstr(err.text, bad_lines[_i].says) != NULL, "%s", err.text);
	ck_assert_uint_eq(sel.n_ids, 0);
}
END_TEST

START_TEST(many_ids_are_kept_in_their_order)
{
	unsigned char id[RP_ID_BYTES], zeros[10] = {0};
	char text[RP_ID_TEXT_MAX];
	uint64_t seq;

	for (seq = 1; seq <= 1000; seq++) {
		rp_id_make(seq, zeros, id);
		ck_assert_int_eq(rp_selector_add_id(&sel, rp_span_of(rp_id_format(id, text)), NULL),
				 RP_OK);
	}
	ck_assert_uint_eq(sel.n_ids, 1000);
	for (seq = 1; seq <= 1000; seq++)
		ck_assert_uint_eq(rp_id_seq(sel.ids[seq - 1]), seq);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("selector");
	TCase *t = tcase_create("selector");

#define COUNT(rows) ((int)(sizeof(rows) / sizeof(rows)[0]))
	tcase_add_checked_fixture(t, set_up, tear_down);
	tcase_add_test(t, a_selector_with_nothing_but_a_limit_is_empty);
	tcase_add_test(t, every_filter_makes_a_selector_more_than_empty);
	tcase_add_test(t, an_empty_list_of_ids_is_not_an_empty_selector);
	tcase_add_test(t, a_group_of_dead_letters_is_named_by_cause_last_answer_and_endpoint);
	tcase_add_test(t, a_group_key_reads_back_as_what_was_written);
	tcase_add_test(t, states_may_be_listed_and_repeated);
	tcase_add_test(t, retrying_means_waiting_after_an_attempt);
	tcase_add_test(t, waiting_beside_retrying_means_all_waiting);
	tcase_add_loop_test(t, an_endpoint_is_known_by_name_url_or_host, 0, COUNT(globs));
	tcase_add_test(t, an_ipv6_host_matches_although_its_brackets_are_glob_characters);
	tcase_add_test(t, the_name_of_a_host_means_all_its_paths);
	tcase_add_test(t, a_group_of_a_host_has_the_dead_of_all_its_paths);
	tcase_add_test(t, a_name_that_reads_as_a_pattern_is_itself_where_it_exists);
	tcase_add_test(t, a_run_matches_as_a_whole);
	tcase_add_test(t, a_thread_and_an_event_match_as_a_whole);
	tcase_add_loop_test(t, attempts_are_compared_as_written, 0, COUNT(attempts));
	tcase_add_loop_test(t, a_cause_is_why_it_died_or_its_last_answer, 0, COUNT(causes));
	tcase_add_test(t, a_damaged_entry_is_found_by_the_cause_damaged);
	tcase_add_loop_test(t, times_are_compared_with_acceptance_and_with_the_state, 0,
			    COUNT(times));
	tcase_add_test(t, an_index_row_passes_wherever_its_entry_does);
	tcase_add_test(t, all_filters_must_hold_at_once);
	tcase_add_loop_test(t, a_bad_value_is_told_with_what_would_be_right, 0, COUNT(wrong));
	tcase_add_loop_test(t, an_id_is_taken_from_whatever_a_list_prints, 0, COUNT(id_lines));
	tcase_add_loop_test(t, a_line_without_an_id_is_told_as_such, 0, COUNT(bad_lines));
	tcase_add_test(t, many_ids_are_kept_in_their_order);
	suite_add_tcase(s, t);
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
