/* Redirects: what a Location means for the URL that was asked, what little differs, and that it
 * tells no secret. */
#include "net/redirect.h"

#include <check.h>
#include <stdio.h>

#define N(table) ((int)(sizeof(table) / sizeof((table)[0])))

static struct rp_url parsed(const char *text)
{
	struct rp_error err = {0};
	struct rp_url url;

	ck_assert_msg(rp_url_parse(rp_span_of(text), &url, &err) == RP_OK, "%s: %s", text,
		      err.text);
	return url;
}

/* Those of RFC 3986 5.4 that are http, and ours. */
static const struct {
	const char *asked, *location, *want;
} resolutions[] = {
    {"http://a/b/c/d;p?q", "g", "http://a/b/c/g"},
    {"http://a/b/c/d;p?q", "./g", "http://a/b/c/g"},
    {"http://a/b/c/d;p?q", "g/", "http://a/b/c/g/"},
    {"http://a/b/c/d;p?q", "/g", "http://a/g"},
    {"http://a/b/c/d;p?q", "//g", "http://g"},
    {"http://a/b/c/d;p?q", "?y", "http://a/b/c/d;p?y"},
    {"http://a/b/c/d;p?q", "g?y", "http://a/b/c/g?y"},
    {"http://a/b/c/d;p?q", "#s", "http://a/b/c/d;p"},
    {"http://a/b/c/d;p?q", "g#s", "http://a/b/c/g"},
    {"http://a/b/c/d;p?q", ";x", "http://a/b/c/;x"},
    {"http://a/b/c/d;p?q", ".", "http://a/b/c/"},
    {"http://a/b/c/d;p?q", "./", "http://a/b/c/"},
    {"http://a/b/c/d;p?q", "..", "http://a/b/"},
    {"http://a/b/c/d;p?q", "../g", "http://a/b/g"},
    {"http://a/b/c/d;p?q", "../..", "http://a/"},
    {"http://a/b/c/d;p?q", "../../g", "http://a/g"},
    {"http://a/b/c/d;p?q", "../../../../g", "http://a/g"},
    {"http://a/b/c/d;p?q", "/./g", "http://a/g"},
    {"http://a/b/c/d;p?q", "/../g", "http://a/g"},
    {"http://a/b/c/d;p?q", "g.", "http://a/b/c/g."},
    {"http://a/b/c/d;p?q", "..g", "http://a/b/c/..g"},
    {"http://a/b/c/d;p?q", "./g/.", "http://a/b/c/g/"},
    {"http://a/b/c/d;p?q", "g;x=1/../y", "http://a/b/c/y"},
    {"http://a/b/c/d;p?q", "g?y/../x", "http://a/b/c/g?y/../x"},
    {"http://a/b/c/d;p?q", "https://b/c", "https://b/c"},
    {"https://a:8443/in", "hook", "https://a:8443/hook"},
    {"https://a:8443", "hook", "https://a:8443/hook"},
    {"https://a", "?x=1", "https://a?x=1"},
    {"https://[::1]:8443/in", "/in/", "https://[::1]:8443/in/"},
    {"https://a/in", "//b:1/c", "https://b:1/c"},
    {"https://a/in", "mailto:x@y", "mailto:x@y"},
};

START_TEST(a_location_is_resolved_against_what_was_asked)
{
	struct rp_url asked = parsed(resolutions[_i].asked);
	struct rp_buf out = {0};

	ck_assert(rp_redirect_resolve(&asked, rp_span_of(resolutions[_i].location), &out));
	ck_assert_msg(strcmp(out.data, resolutions[_i].want) == 0, "%s from %s is %s, not %s",
		      resolutions[_i].location, resolutions[_i].asked, resolutions[_i].want,
		      out.data);
	rp_buf_release(&out);
}
END_TEST

static const struct {
	const char *asked, *location, *want;
} texts[] = {
    {"https://a.example/in?token=s3cret", "/in/",
     "redirects (only a slash is missing) to https://a.example/in/"},
    {"https://a.example/in?token=s3cret", "/in/?token=s3cret",
     "redirects (only a slash is missing) to https://a.example/in/?token=REDACTED"},
    {"https://a.example/in/", "/in",
     "redirects (only a slash is too much) to https://a.example/in"},
    {"http://a.example/in", "https://a.example/in",
     "redirects (only https differs) to https://a.example/in"},
    {"http://a.example:80/in", "https://a.example:443/in",
     "redirects (only https differs) to https://a.example/in"},
    {"https://a.example/in", "http://a.example/in",
     "redirects (only http differs) to http://a.example/in"},
    {"http://a.example:8080/in", "https://a.example/in", "redirects to https://a.example/in"},
    {"https://a.example/in", "https://www.a.example/in",
     "redirects (only the host differs: www.) to https://www.a.example/in"},
    {"https://WWW.a.example/in", "https://A.example/in",
     "redirects (only the host differs: www.) to https://a.example/in"},
    {"https://a.example/in", "https://b.example/in",
     "redirects (only the host differs) to https://b.example/in"},
    {"https://a.example/in", "https://a.example:8443/in",
     "redirects (only the port differs) to https://a.example:8443/in"},
    {"https://a.example/in?a=1", "?a=2",
     "redirects (only the query differs) to https://a.example/in?a=REDACTED"},
    {"http://a.example/in", "https://a.example/in/",
     "redirects (only scheme and slash differ) to https://a.example/in/"},
    {"http://a.example/in", "https://www.a.example/in",
     "redirects (only scheme and www. differ) to https://www.a.example/in"},
    {"https://a.example/in", "/in", "redirects (nothing differs: a loop) to https://a.example/in"},
    {"https://a.example", "/", "redirects (nothing differs: a loop) to https://a.example/"},
    {"https://a.example/in", "/login?next=/in",
     "redirects to https://a.example/login?next=REDACTED"},
    {"https://a.example/in", "https://user:s3cret@a.example/in",
     "redirects to what is no http or https URL that we take"},
    {"https://a.example/in", "ftp://a.example/in",
     "redirects to what is no http or https URL that we take"},
    {"https://a.example/in", "/a b", "redirects to what is no http or https URL that we take"},
    {"https://a.example/in", "", "redirects without a Location"},
};

START_TEST(what_little_differs_is_said_and_no_secret_is)
{
	struct rp_url asked = parsed(texts[_i].asked);
	char out[200];

	rp_redirect_text(&asked, rp_span_of(texts[_i].location), false, out, sizeof out);
	ck_assert_str_eq(out, texts[_i].want);
	ck_assert_ptr_null(strstr(out, "s3cret"));
}
END_TEST

START_TEST(no_path_is_told_where_paths_are_secrets)
{
	struct rp_url asked = parsed("https://a.example/services/T0/B0/s3c");
	char out[200];

	rp_redirect_text(&asked, rp_span_of("/services/T1/B1/x7/?y=z"), true, out, sizeof out);
	ck_assert_str_eq(out, "redirects to https://a.example/REDACTED");
	rp_redirect_text(&asked, rp_span_of("/services/T0/B0/s3c/"), true, out, sizeof out);
	ck_assert_str_eq(out, "redirects (only a slash is missing) to https://a.example/REDACTED");
	rp_redirect_text(&asked, rp_span_of("http://b.example:81"), true, out, sizeof out);
	ck_assert_str_eq(out, "redirects to http://b.example:81");
}
END_TEST

START_TEST(a_long_one_is_cut_and_one_too_long_is_not_looked_at)
{
	struct rp_url asked = parsed("https://a.example/in");
	char location[RP_LOCATION_MAX + 1], out[64];

	memset(location, 'x', sizeof location);
	location[0] = '/';
	rp_redirect_text(&asked, (struct rp_span){location, RP_LOCATION_MAX}, false, out,
			 sizeof out);
	ck_assert_uint_eq(strlen(out), sizeof out - 1);
	ck_assert_str_eq(out + sizeof out - 4, "...");
	rp_redirect_text(&asked, (struct rp_span){location, sizeof location}, false, out,
			 sizeof out);
	ck_assert_ptr_null(strstr(out, "xx"));
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("redirect");
	TCase *tc = tcase_create("redirect");

	tcase_add_loop_test(tc, a_location_is_resolved_against_what_was_asked, 0, N(resolutions));
	tcase_add_loop_test(tc, what_little_differs_is_said_and_no_secret_is, 0, N(texts));
	tcase_add_test(tc, no_path_is_told_where_paths_are_secrets);
	tcase_add_test(tc, a_long_one_is_cut_and_one_too_long_is_not_looked_at);
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
