/* What is shown of URLs and endpoints whose path is a secret, and of texts that repeat it. */
#include "config/redact.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>

static struct rp_config config;
static struct rp_buf out;

static void set_up(void)
{
	static const char text[] =
	    "[endpoint \"chat\"]\nurl = https://chat.example/services/\nredact_path = yes\n"
	    "[endpoint \"open\"]\nurl = https://chat.example/services/open\n"
	    "[endpoint \"spelt\"]\nurl = https://spelt.example/%69n\nredact_path = yes\n"
	    "[endpoint \"all\"]\nurl = https://all.example\nredact_path = yes\n";
	struct rp_error err;

	memset(&out, 0, sizeof out);
	rp_config_init(&config);
	ck_assert_msg(rp_config_parse(&config, "t.conf", rp_span_of(text), &err) == RP_OK, "%s",
		      err.text);
}

static void tear_down(void)
{
	rp_buf_release(&out);
	rp_config_release(&config);
}

static struct rp_url parsed(const char *text)
{
	struct rp_url url;

	ck_assert_msg(rp_url_parse(rp_span_of(text), &url, NULL) == RP_OK, "%s", text);
	return url;
}

static const struct {
	const char *url, *shown; /* '#': 12 hexadecimal digits */
} shown[] = {
    {"https://chat.example/services/T0/s3cret", "https://chat.example/services/REDACTED-#"},
    {"https://chat.example/services/T0/s3cret?a=b",
     "https://chat.example/services/REDACTED-#?a=REDACTED"},
    {"https://chat.example/services", "https://chat.example/services"},
    {"https://chat.example/services/", "https://chat.example/services/"},
    {"https://chat.example/servicesT0/s3cret", "https://chat.example/servicesT0/s3cret"},
    {"https://chat.example/services/open/T0", "https://chat.example/services/open/T0"},
    {"https://chat.example/s%65rvices/s3cret", "https://chat.example/services/REDACTED-#"},
    /* another spelling */
    {"https://chat.example//services/s3cret", "https://chat.example/services/REDACTED-#"},
    {"https://spelt.example/in/s3cret", "https://spelt.example/in/REDACTED-#"},
    {"https://all.example/s3cret", "https://all.example/REDACTED-#"},
    {"https://all.example/", "https://all.example/"},
    {"https://b.example/s3cret", "https://b.example/s3cret"},
};
enum { N_SHOWN = sizeof shown / sizeof shown[0] };

static void assert_like(const char *text, const char *pattern)
{
	for (; *pattern != '\0'; pattern++) {
		size_t n = *pattern == '#' ? 12 : 1;

		ck_assert_msg(*pattern == '#' ? strspn(text, "0123456789abcdef") >= n
					      : *text == *pattern,
			      "%s: %s", text, pattern);
		text += n;
	}
	ck_assert_str_eq(text, "");
}

START_TEST(a_path_behind_the_section_is_not_shown)
{
	struct rp_url url = parsed(shown[_i].url);

	ck_assert(rp_redact_url(&config, &url, &out));
	assert_like(out.data, shown[_i].shown);
	ck_assert(rp_redact_is_secret(&config, &url) ==
		  (strstr(shown[_i].shown, "REDACTED") != NULL));
}
END_TEST

START_TEST(what_is_shown_is_shown_again_as_it_is_and_has_the_same_section)
{
	struct rp_url url = parsed(shown[_i].url), again;
	struct rp_buf name = {0}, second = {0};

	ck_assert(rp_url_endpoint(&url, &name));
	ck_assert(rp_redact_endpoint(&config, (struct rp_span){name.data, name.len}, &out));
	ck_assert(rp_redact_endpoint(&config, (struct rp_span){out.data, out.len}, &second));
	ck_assert_str_eq(out.data, second.data);
	again = parsed(out.data);
	ck_assert_ptr_eq(rp_config_policy(&config, &again), rp_config_policy(&config, &url));
	rp_buf_release(&name);
	rp_buf_release(&second);
}
END_TEST

START_TEST(a_text_that_repeats_the_path_or_the_query_loses_both)
{
	struct rp_url url =
	    parsed("https://chat.example/services/T0/B%30%30%30/s3cret?x=s3cret/T0k");
	char text[] = "POST /services/T0/B%30%30%30/s3cret, B000, s3cret/T0k, T0, s3cr";

	rp_redact_text(rp_config_policy(&config, &url), &url, NULL, 0, (unsigned char *)text,
		       strlen(text));
	ck_assert_str_eq(text, "POST /services/T0/**********/******, ****, **********, T0, ****");
}
END_TEST

/* It ends only where a segment is not held against each place of the text. */
START_TEST(many_segments_cost_little)
{
	char text[RP_URL_MAX + 1], *at = text + sprintf(text, "https://all.example"), answer[1024];
	struct rp_url url;
	int i;

	while (at - text < RP_URL_MAX - 5)
		at += sprintf(at, "/aaaa");
	url = parsed(text);
	for (i = 0; i < 2000; i++) {
		memset(answer, 'a', sizeof answer);
		rp_redact_text(rp_config_policy(&config, &url), &url, NULL, 0,
			       (unsigned char *)answer, sizeof answer);
	}
	ck_assert_int_eq(answer[0], '*');
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("redact");
	TCase *tc = tcase_create("redact");

	tcase_add_checked_fixture(tc, set_up, tear_down);
	tcase_add_loop_test(tc, a_path_behind_the_section_is_not_shown, 0, N_SHOWN);
	tcase_add_loop_test(tc, what_is_shown_is_shown_again_as_it_is_and_has_the_same_section, 0,
			    N_SHOWN);
	tcase_add_test(tc, a_text_that_repeats_the_path_or_the_query_loses_both);
	tcase_add_test(tc, many_segments_cost_little);
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
