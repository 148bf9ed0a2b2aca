/* Request targets: taken apart, compared, and shown without their secrets. */
#include <check.h>

#include "http_server/target.h"

static const struct {
	const char *target, *shown;
} targets[] = {
    {"/hook", "/hook"},
    {"/hook?token=s3cret", "/hook?token=REDACTED"},
    {"/hook?token=s3cret&op=a/b", "/hook?token=REDACTED&op=REDACTED"},
    {"/hook?s3cret", "/hook?REDACTED"},
    {"/hook?czNjcmV0==", "/hook?REDACTED"},
    {"/", "/"},
    {"/100%", "/100%"},
    {"/%", "/%"},
    {"/a%2Fb%2fc%41%zz?q=%", "/a%2Fb%2fc%41%zz?q=REDACTED"},
    {"", ""},
};

START_TEST(a_target_is_shown_without_its_values)
{
	struct rp_buf out = {0};

	ck_assert(rp_buf_add_text(&out, "<"));
	ck_assert(rp_http_target_show(rp_span_of(targets[_i].target), &out));
	ck_assert_str_eq(out.data + 1, targets[_i].shown);
	rp_buf_release(&out);
}
END_TEST

START_TEST(a_query_value_is_compared_decoded)
{
	struct rp_span text = rp_span_of("a b%");

	ck_assert(rp_http_target_value_is(rp_span_of("a%20b%25"), text));
	ck_assert(rp_http_target_value_is(rp_span_of("a%20b%"), text));
	ck_assert(!rp_http_target_value_is(rp_span_of("a+b%25"), text));
	ck_assert(!rp_http_target_value_is(rp_span_of("a%20b"), text));
	ck_assert(!rp_http_target_value_is(rp_span_of("a%20b%25x"), text));
	ck_assert(!rp_http_target_value_is(rp_span_of(""), text));
}
END_TEST

static const struct {
	const char *target, *path, *names, *values; /* of the query, with a semicolon behind each */
} queries[] = {
    {"/a?b=c&d=e", "/a", "b;d;", "c;e;"},
    {"/a", "/a", "", ""},
    {"/a?", "/a", "", ""},
    {"/a?b", "/a", ";", "b;"},
    {"/a?b=c=d&&=e&f=", "/a", "b;;;f;", "c=d;;e;;"},
    {"?b=c?d", "", "b;", "c?d;"},
};

START_TEST(a_query_is_taken_apart)
{
	struct rp_http_target t = rp_http_target_split(rp_span_of(queries[_i].target));
	struct rp_buf names = {0}, values = {0};
	struct rp_span name, value;

	ck_assert(rp_span_is(t.path, queries[_i].path));
	ck_assert_int_eq(t.has_query, strchr(queries[_i].target, '?') != NULL);
	ck_assert(rp_buf_add_text(&names, "") && rp_buf_add_text(&values, ""));
	while (rp_http_target_next_param(&t.query, &name, &value))
		ck_assert(rp_buf_add(&names, name.ptr, name.len) && rp_buf_add_text(&names, ";") &&
			  rp_buf_add(&values, value.ptr, value.len) &&
			  rp_buf_add_text(&values, ";"));
	ck_assert_str_eq(names.data, queries[_i].names);
	ck_assert_str_eq(values.data, queries[_i].values);
	rp_buf_release(&names);
	rp_buf_release(&values);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("http_target");
	TCase *tc = tcase_create("target");

	tcase_add_loop_test(tc, a_query_is_taken_apart, 0, sizeof queries / sizeof queries[0]);
	tcase_add_loop_test(tc, a_target_is_shown_without_its_values, 0,
			    sizeof targets / sizeof targets[0]);
	tcase_add_test(tc, a_query_value_is_compared_decoded);
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
