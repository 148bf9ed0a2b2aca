/* What a configuration allows a path, a section and a host, and what it must not say of them. */
#include "config/config.h"

#include <check.h>
#include <stdio.h>

static struct rp_config config;
static struct rp_error error;

static void setup(void)
{
	memset(&error, 0, sizeof error);
	rp_config_init(&config);
}

static void teardown(void)
{
	rp_config_release(&config);
}

static enum rp_err parse(const char *text)
{
	return rp_config_parse(&config, "t.conf", rp_span_of(text), &error);
}

static void add_limits(const struct rp_limits *limits, struct rp_buf *out)
{
	char rate[RP_RATE_TEXT_MAX];

	ck_assert(rp_buf_printf(out, "%u", limits->in_flight));
	if (limits->rate.count > 0)
		ck_assert(rp_buf_printf(out, " %s", rp_rate_format(limits->rate, rate)));
}

/* "path N RATE | section NAME N RATE | host N RATE", without what is not there. */
static const char *limits_of(const char *text)
{
	static char told[200];
	struct rp_level_limits limits;
	struct rp_buf out = {0};
	struct rp_url url;

	ck_assert_msg(rp_url_parse(rp_span_of(text), &url, &error) == RP_OK, "%s", error.text);
	rp_config_limits(&config, &url, &limits);
	ck_assert(rp_buf_add_text(&out, "path "));
	add_limits(&limits.at[RP_LEVEL_PATH], &out);
	if (limits.section.len > 0) {
		ck_assert(rp_buf_printf(&out, " | section %.*s ", (int)limits.section.len,
					limits.section.ptr));
		add_limits(&limits.at[RP_LEVEL_SECTION], &out);
	}
	ck_assert(rp_buf_add_text(&out, " | host "));
	add_limits(&limits.at[RP_LEVEL_HOST], &out);
	snprintf(told, sizeof told, "%.*s", (int)out.len, out.data);
	rp_buf_release(&out);
	return told;
}

#define A "[endpoint \"a\"]\nurl = https://h.example/a\n"
#define B "[endpoint \"b\"]\nurl = https://h.example/b\n"
#define ELSEWHERE "[endpoint \"else\"]\nurl = https://else.example/\n"
#define DEFAULTS "[defaults]\n"

#define IN_A "https://h.example/a/1"
#define IN_B "https://h.example/b/1"
#define BESIDE "https://h.example/c"
#define ROOT "https://h.example/"
#define STRANGER "https://stranger.example/hook"

static const struct {
	const char *text, *url, *limits;
} rules[] = {
    /* Without any configuration a path and a host are limited. */
    {"", STRANGER, "path 10 | host 64"},
    /* [defaults] count for each path; host_* for each host. */
    {DEFAULTS "in_flight = 20\nrate = 5/s\n", STRANGER, "path 20 5/s | host 64"},
    {DEFAULTS "host_in_flight = 30\nhost_rate = 100/s\n", STRANGER, "path 10 | host 30 100/s"},
    {DEFAULTS "host_in_flight = 5\n", STRANGER, "path 10 | host 5"},
    /* A section shares what it writes itself, */
    {A "in_flight = 4\nrate = 2/s\n", IN_A, "path 4 | section a 4 2/s | host 64"},
    {A "in_flight = 4\n", IN_A, "path 4 | section a 4 | host 64"},
    {A "rate = 2/s\n", IN_A, "path 10 | section a 4096 2/s | host 64"},
    /* and nothing that it inherits, */
    {DEFAULTS "in_flight = 20\nrate = 5/s\n" A, IN_A, "path 20 5/s | host 64"},
    {DEFAULTS "rate = 5/s\n" A "in_flight = 4\n", IN_A, "path 4 5/s | section a 4 | host 64"},
    {A "in_flight = 4\n" DEFAULTS "rate = 5/s\n", IN_A, "path 4 5/s | section a 4 | host 64"},
    {DEFAULTS "in_flight = 20\n" A "rate = 2/s\n", IN_A, "path 20 | section a 4096 2/s | host 64"},
    /* nor a rate that it takes back. */
    {DEFAULTS "rate = 5/s\n" A "rate =\n", IN_A, "path 10 | host 64"},
    {DEFAULTS "rate = 5/s\n" A "rate =\nin_flight = 4\n", IN_A, "path 4 | section a 4 | host 64"},
    /* What it writes again as it is in [defaults] is its own. */
    {DEFAULTS "in_flight = 20\n" A "in_flight = 20\n", IN_A, "path 20 | section a 20 | host 64"},
    /* With shared_limits off each path has them for itself. */
    {A "in_flight = 4\nrate = 2/s\nshared_limits = no\n", IN_A, "path 4 2/s | host 64"},
    {A "in_flight = 4\nrate = 2/s\nshared_limits = yes\n", IN_A,
     "path 4 | section a 4 2/s | host 64"},
    {A "shared_limits = no\n", IN_A, "path 10 | host 64"},
    /* A section is no matter of URLs beside it. */
    {A "in_flight = 4\nrate = 2/s\n", BESIDE, "path 10 | host 64"},
    {A "in_flight = 4\n" B "rate = 2/s\n", IN_B, "path 10 | section b 4096 2/s | host 64"},
    /* What one section says of its host holds for the whole host, */
    {A "host_in_flight = 12\nhost_rate = 9/s\n", IN_A, "path 10 | host 12 9/s"},
    {A "host_in_flight = 12\nhost_rate = 9/s\n" B, IN_B, "path 10 | host 12 9/s"},
    {B A "host_in_flight = 12\nhost_rate = 9/s\n", IN_B, "path 10 | host 12 9/s"},
    {A "host_in_flight = 12\nhost_rate = 9/s\n", BESIDE, "path 10 | host 12 9/s"},
    {A "host_in_flight = 12\nhost_rate = 9/s\n", ROOT, "path 10 | host 12 9/s"},
    {A "host_in_flight = 12\n" B "host_rate = 9/s\n", BESIDE, "path 10 | host 12 9/s"},
    {A "host_in_flight = 12\n" B "host_in_flight = 12\n", BESIDE, "path 10 | host 12"},
    {A "host_rate = 60/m\n" B "host_rate = 1/s\n", BESIDE, "path 10 | host 64 60/m"},
    /* whatever [defaults] say, */
    {DEFAULTS "host_in_flight = 30\nhost_rate = 100/s\n" A "host_in_flight = 12\nhost_rate =\n",
     BESIDE, "path 10 | host 12"},
    {DEFAULTS "host_in_flight = 30\nhost_rate = 100/s\n" A, BESIDE, "path 10 | host 30 100/s"},
    /* and for no other one: scheme, name and port make a host. */
    {A "host_in_flight = 12\n", STRANGER, "path 10 | host 64"},
    {A "host_in_flight = 12\n", "http://h.example/c", "path 10 | host 64"},
    {A "host_in_flight = 12\n", "https://h.example:8443/c", "path 10 | host 64"},
    {A "host_in_flight = 12\n", "https://H.example.:443/c", "path 10 | host 12"},
    {A ELSEWHERE "host_in_flight = 12\n" B, IN_B, "path 10 | host 64"},
    {A ELSEWHERE "host_in_flight = 12\n" B "host_in_flight = 13\n", IN_A, "path 10 | host 13"},
    {A ELSEWHERE "host_in_flight = 12\n" B, "https://else.example/x", "path 10 | host 12"},
    {"[endpoint \"a\"]\nurl = https://10.0.0.1/a\nhost_in_flight = 12\n"
     "[endpoint \"b\"]\nurl = https://10.1/b\nin_flight = 3\n",
     "https://0x0a000001/b/1", "path 3 | section b 3 | host 12"},
    /* Where nobody says it, a host gets what each of its paths may have. */
    {DEFAULTS "in_flight = 100\n", STRANGER, "path 100 | host 100"},
    {A "in_flight = 100\n" B "in_flight = 200\n", IN_A, "path 100 | section a 100 | host 200"},
    {A "in_flight = 100\n" B "in_flight = 200\n", ROOT, "path 10 | host 200"},
    {DEFAULTS "in_flight = 100\n" A "in_flight = 1\n", BESIDE, "path 100 | host 100"},
    {ELSEWHERE "in_flight = 100\n", BESIDE, "path 10 | host 64"},
    /* A section may limit its host more than [defaults] each path. */
    {DEFAULTS "in_flight = 100\nrate = 50/s\n" A "host_in_flight = 5\nhost_rate = 1/s\n", IN_A,
     "path 100 50/s | host 5 1/s"},
    {DEFAULTS "host_in_flight = 20\nhost_rate = 20/s\n" A
	      "in_flight = 30\nrate = 30/s\nhost_in_flight = 40\nhost_rate = 40/s\n",
     IN_A, "path 30 | section a 30 30/s | host 40 40/s"},
    {DEFAULTS "host_in_flight = 20\n" A "in_flight = 30\n" B "host_in_flight = 30\n", IN_A,
     "path 30 | section a 30 | host 30"},
    {A "in_flight = 12\nrate = 1/s\nhost_in_flight = 12\nhost_rate = 60/m\n", IN_A,
     "path 12 | section a 12 1/s | host 12 60/m"},
    /* The longest URL wins, as for every setting. */
    {A "in_flight = 4\n[endpoint \"deep\"]\nurl = https://h.example/a/1\nin_flight = 2\n", IN_A,
     "path 2 | section deep 2 | host 64"},
};

START_TEST(a_url_has_limits_as_path_section_and_host)
{
	ck_assert_msg(parse(rules[_i].text) == RP_OK, "%s\nin %s", error.text, rules[_i].text);
	ck_assert_msg(strcmp(limits_of(rules[_i].url), rules[_i].limits) == 0,
		      "got  %s\nwant %s\nfor %s in\n%s", limits_of(rules[_i].url), rules[_i].limits,
		      rules[_i].url, rules[_i].text);
}
END_TEST

static struct rp_level_limits levels_of(const char *text, const char *of)
{
	struct rp_level_limits limits;
	struct rp_url url;

	ck_assert_msg(parse(text) == RP_OK, "%s", error.text);
	ck_assert_int_eq(rp_url_parse(rp_span_of(of), &url, &error), RP_OK);
	rp_config_limits(&config, &url, &limits);
	return limits;
}

START_TEST(a_path_and_a_host_begin_small_and_a_section_has_no_window)
{
	struct rp_level_limits limits = levels_of(A "in_flight = 7\n", IN_A);

	ck_assert_uint_eq(limits.at[RP_LEVEL_PATH].start, RP_WINDOW_START);
	ck_assert_uint_eq(limits.at[RP_LEVEL_SECTION].start, 7);
	ck_assert_uint_eq(limits.at[RP_LEVEL_HOST].start, RP_HOST_WINDOW_START);
	limits = levels_of(A "rate = 7/s\n", IN_A);
	ck_assert_uint_eq(limits.at[RP_LEVEL_SECTION].start, RP_CONFIG_IN_FLIGHT_MAX);
}
END_TEST

static const struct {
	const char *text, *url;
	bool path, host;
} breakers[] = {
    {"", STRANGER, true, true},
    {DEFAULTS "breaker = off\n", STRANGER, false, false},
    {A "breaker = off\n", IN_A, false, false},
    {A "breaker = off\n" B, IN_B, true, false},
    {A "breaker = off\n", BESIDE, true, false},
    {A "breaker = off\n", STRANGER, true, true},
    {ELSEWHERE "breaker = off\n" A, IN_A, true, true},
    {DEFAULTS "breaker = off\n" A "breaker = on\n", IN_A, true, false},
};

START_TEST(a_host_has_a_breaker_unless_defaults_or_a_section_of_it_switch_it_off)
{
	struct rp_level_limits limits = levels_of(breakers[_i].text, breakers[_i].url);

	ck_assert(limits.at[RP_LEVEL_PATH].breaker == breakers[_i].path);
	ck_assert(limits.at[RP_LEVEL_HOST].breaker == breakers[_i].host);
}
END_TEST

START_TEST(a_section_has_no_breaker)
{
	struct rp_level_limits limits = levels_of(A "rate = 1/s\nbreaker = on\n", IN_A);

	ck_assert(!limits.at[RP_LEVEL_SECTION].breaker);
}
END_TEST

#define DIFFER "; accepted: the same in both, or in one of them alone"

static const struct {
	const char *text, *message;
} contradictions[] = {
    {A "host_in_flight = 10\n" B "host_in_flight = 20\n",
     "6: [endpoint \"b\"] host_in_flight = 20: [endpoint \"a\"] is for the same host and sets 10 "
     "on line 3" DIFFER},
    {ELSEWHERE A "host_rate = 10/s\n" B "host_rate = 10/m\n",
     "8: [endpoint \"b\"] host_rate = 10/m: [endpoint \"a\"] is for the same host and sets 10/s "
     "on line 5" DIFFER},
    {A "host_rate = 10/s\n" B "host_rate =\n",
     "6: [endpoint \"b\"] host_rate = none: [endpoint \"a\"] is for the same host and sets 10/s on "
     "line 3" DIFFER},
    {DEFAULTS "host_in_flight = 20\nin_flight = 30\n",
     "3: [defaults] in_flight = 30: more than its host may have, [defaults] host_in_flight = 20 on "
     "line 2; accepted: at most 20, or host_in_flight = 30 or more there"},
    {DEFAULTS "rate = 61/m\nhost_rate = 1/s\n",
     "2: [defaults] rate = 61/m: more than its host may have, [defaults] host_rate = 1/s on line "
     "3; accepted: at most 1/s, or host_rate = 61/m or more there"},
    {A "in_flight = 30\n" DEFAULTS "host_in_flight = 20\n",
     "3: [endpoint \"a\"] in_flight = 30: more than its host may have, [defaults] host_in_flight = "
     "20 on line 5; accepted: at most 20, or host_in_flight = 30 or more in this section"},
    {DEFAULTS "host_rate = 3/h\n" A "rate = 1/m\nshared_limits = no\n",
     "5: [endpoint \"a\"] rate = 1/m: more than its host may have, [defaults] host_rate = 3/h on "
     "line 2; accepted: at most 3/h, or host_rate = 1/m or more in this section"},
    {A "host_in_flight = 20\nin_flight = 21\n",
     "4: [endpoint \"a\"] in_flight = 21: more than its host may have, [endpoint \"a\"] "
     "host_in_flight = 20 on line 3; accepted: at most 20, or host_in_flight = 21 or more there"},
    {A "in_flight = 21\n" B "host_in_flight = 20\n",
     "3: [endpoint \"a\"] in_flight = 21: more than its host may have, [endpoint \"b\"] "
     "host_in_flight = 20 on line 6; accepted: at most 20, or host_in_flight = 21 or more there"},
    {B "host_rate = 20/s\n" A "rate = 21/s\n",
     "6: [endpoint \"a\"] rate = 21/s: more than its host may have, [endpoint \"b\"] host_rate = "
     "20/s on line 3; accepted: at most 20/s, or host_rate = 21/s or more there"},
    {A "shared_limits = on\n",
     "3: [endpoint \"a\"] shared_limits = yes: the section, which begins on line 1, sets neither "
     "in_flight nor rate; accepted: shared_limits beside one of them"},
    {DEFAULTS "in_flight = 3\nrate = 1/s\n" A "shared_limits = yes\n",
     "6: [endpoint \"a\"] shared_limits = yes: the section, which begins on line 4, sets neither "
     "in_flight nor rate; accepted: shared_limits beside one of them"},
    {DEFAULTS "shared_limits = no\n",
     "2: [defaults] shared_limits: not a key of this section; accepted: in [endpoint \"NAME\"]"},
    {DEFAULTS "host_in_flight = 4097\n",
     "2: [defaults] host_in_flight = 4097: too large; accepted: 1 to 4096"},
    {A "host_in_flight = 0\n",
     "3: [endpoint \"a\"] host_in_flight = 0: too small; accepted: 1 to 4096"},
};

START_TEST(what_contradicts_is_told_with_both_lines)
{
	const char *want = contradictions[_i].message;

	ck_assert_msg(parse(contradictions[_i].text) == RP_ERR_INVAL, "taken: %s",
		      contradictions[_i].text);
	ck_assert_msg(strncmp(error.text, "t.conf:", 7) == 0 && strcmp(error.text + 7, want) == 0,
		      "got  %s\nwant t.conf:%s", error.text, want);
	ck_assert_uint_eq(config.n_endpoints, 0);
	ck_assert_str_eq(limits_of(STRANGER), "path 10 | host 64");
}
END_TEST

/* Nothing of a host is written in them. */
static const char *const of_before[] = {
    DEFAULTS "in_flight = 4096\nrate = 10000/s\n",
    DEFAULTS "in_flight = 1\n" A "in_flight = 4096\nrate = 1/s\n" B "rate = 10000/s\n",
    DEFAULTS "rate = 3/h\n" A "rate = 10000/s\nin_flight = 1000\nbreaker = off\n",
};

START_TEST(a_configuration_of_before_is_taken)
{
	ck_assert_msg(parse(of_before[_i]) == RP_OK, "%s", error.text);
}
END_TEST

START_TEST(sections_of_a_host_know_the_line_that_limits_it)
{
	const struct rp_setting_info *info;
	const struct rp_policy *host;
	struct rp_url url;
	bool inherited;
	size_t i;

	ck_assert_int_eq(parse(DEFAULTS "host_rate = 9/s\n" A B "host_in_flight = 12\n"), RP_OK);
	ck_assert_int_eq(rp_url_parse(rp_span_of(BESIDE), &url, &error), RP_OK);
	host = rp_config_host(&config, &url);
	for (i = 0; (info = rp_config_setting(i)) != NULL; i++) {
		if (strcmp(info->name, "host_in_flight") == 0) {
			ck_assert_uint_eq(rp_config_line_of_value(&config, host, i, 0, &inherited),
					  7);
			ck_assert(!inherited);
		} else if (strcmp(info->name, "host_rate") == 0) {
			ck_assert_uint_eq(rp_config_line_of_value(&config, host, i, 0, &inherited),
					  2);
			ck_assert(inherited);
		}
	}
	ck_assert_int_eq(rp_url_parse(rp_span_of(STRANGER), &url, &error), RP_OK);
	ck_assert_ptr_eq(rp_config_host(&config, &url), &config.defaults);
}
END_TEST

#define N(table) ((int)(sizeof(table) / sizeof(table)[0]))

static Suite *suite(void)
{
	Suite *s = suite_create("config_limits");
	TCase *t = tcase_create("levels");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_loop_test(t, a_url_has_limits_as_path_section_and_host, 0, N(rules));
	tcase_add_test(t, a_path_and_a_host_begin_small_and_a_section_has_no_window);
	tcase_add_loop_test(t,
			    a_host_has_a_breaker_unless_defaults_or_a_section_of_it_switch_it_off,
			    0, N(breakers));
	tcase_add_test(t, a_section_has_no_breaker);
	tcase_add_loop_test(t, what_contradicts_is_told_with_both_lines, 0, N(contradictions));
	tcase_add_loop_test(t, a_configuration_of_before_is_taken, 0, N(of_before));
	tcase_add_test(t, sections_of_a_host_know_the_line_that_limits_it);
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
