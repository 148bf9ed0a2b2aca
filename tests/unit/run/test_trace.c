#include "run/trace.h"

#include <check.h>
#include <stdlib.h>

#define ID "4bf92f3577b34da6a3ce929d0e0e4736"
#define PARENT "00-" ID "-00f067aa0ba902b7-01"
#define TEN(text) text text text text text text text text text text
#define KEY_250 TEN("abcdefghijklmnopqrstuvwxy")

/* A copy that ends exactly where the value ends: a sanitizer sees a byte read too far. */
static char *held;

static struct rp_span hold(const char *text)
{
	struct rp_span s = rp_span_of(text);

	free(held);
	held = malloc(s.len > 0 ? s.len : 1);
	ck_assert(held != NULL);
	memcpy(held, text, s.len);
	s.ptr = held;
	return s;
}

static void teardown(void)
{
	free(held);
	held = NULL;
}

static const struct {
	const char *value;
	bool valid;
} parents[] = {
    {PARENT, true},
    {"00-" ID "-00f067aa0ba902b7-00", true},
    {"00-" ID "-00f067aa0ba902b7-ff", true},
    {"00-00000000000000000000000000000001-0000000000000001-00", true},
    {"01-" ID "-00f067aa0ba902b7-01", true},
    {"cc-" ID "-00f067aa0ba902b7-01-", true},
    {"cc-" ID "-00f067aa0ba902b7-01-what-the=future; brings", false},
    {"cc-" ID "-00f067aa0ba902b7-01-what-the=future;brings", true},
    {"fe-" ID "-00f067aa0ba902b7-01", true},
    {"", false},
    {"00", false},
    {"ff-" ID "-00f067aa0ba902b7-01", false},
    {"00-" ID "-00f067aa0ba902b7-0", false},
    {"00-" ID "-00f067aa0ba902b7-01-", false},
    {"00-" ID "-00f067aa0ba902b7-01 ", false},
    {" 00-" ID "-00f067aa0ba902b7-01", false},
    {"00-" ID "-00f067aa0ba902b7-01-more", false},
    {"cc-" ID "-00f067aa0ba902b7-01.more", false},
    {"cc-" ID "-00f067aa0ba902b7-011", false},
    {"cc-" ID "-00f067aa0ba902b7-01-a\tb", false},
    {"cc-" ID "-00f067aa0ba902b7-01-\xc3\xa4", false},
    {"00-4BF92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", false},
    {"00-" ID "-00F067aa0ba902b7-01", false},
    {"0A-" ID "-00f067aa0ba902b7-01", false},
    {"00-" ID "-00f067aa0ba902b7-0A", false},
    {"0x-" ID "-00f067aa0ba902b7-01", false},
    {"00-4bf92f3577b34da6a3ce929d0e0e473g-00f067aa0ba902b7-01", false},
    {"00-" ID "-00f067aa0ba902bg-01", false},
    {"00-" ID "-00f067aa0ba902b7-0g", false},
    {"00-00000000000000000000000000000000-00f067aa0ba902b7-01", false},
    {"00-" ID "-0000000000000000-01", false},
    {"00_" ID "-00f067aa0ba902b7-01", false},
    {"00-" ID "_00f067aa0ba902b7-01", false},
    {"00-" ID "-00f067aa0ba902b7_01", false},
};

START_TEST(a_traceparent_is_valid_or_not)
{
	ck_assert_msg(rp_trace_parent_is_valid(hold(parents[_i].value)) == parents[_i].valid, "%s",
		      parents[_i].value);
}
END_TEST

static const struct {
	const char *value;
	bool valid;
} states[] = {
    {"congo=t61rcWkgMzE", true},
    {"congo=t61rcWkgMzE,rojo=00f067aa0ba902b7", true},
    {"a=1 , b=2,  c=3", true},
    {"a=1,,b=2,", true},
    {"0a=1", true},
    {"tenant@system=1", true},
    {"a_-*/9=~!\"#$%&'()*+-./:;<>?@[\\]^_`{|}", true},
    {"a= leading blank", true},
    {KEY_250 "abcdef=1", true},
    {"a=" KEY_250 "abcdef", true},
    {TEN("a=1,") TEN("b=2,") TEN("c=3,") "d=4,e=5", true},
    {TEN("a=1,") TEN("b=2,") TEN("c=3,") "d=4,e=5,f=6", false},
    {KEY_250 "abcdefg=1", false},
    {"a=" KEY_250 "abcdefg", false},
    {"a=" KEY_250 "abcd,b=" KEY_250 "abc", true},
    {"a=" KEY_250 "abcd,b=" KEY_250 "abcd", false},
    {"", false},
    {" ", false},
    {",", false},
    {"a", false},
    {"a=", false},
    {"a= ", false},
    {"=1", false},
    {"a =1", false},
    {"a=1=2", false},
    {"A=1", false},
    {"_a=1", false},
    {"@a=1", false},
    {"a.b=1", false},
    {"a=1;b=2,c", false},
    {"a=1,\tb=2", false},
    {"a=\x01", false},
    {"a=\x7f", false},
    {"a=\xc3\xa4", false},
    {"a=1\r\nhost: b", false},
};

START_TEST(a_tracestate_is_valid_or_not)
{
	ck_assert_msg(rp_trace_state_is_valid(hold(states[_i].value)) == states[_i].valid, "%s",
		      states[_i].value);
}
END_TEST

static const struct {
	const char *parent, *state, *packed;
} contexts[] = {
    {PARENT, "a=1", "traceparent: " PARENT "\ntracestate: a=1\n"},
    {PARENT, NULL, "traceparent: " PARENT "\n"},
    {PARENT, "a", "traceparent: " PARENT "\n"},
    {NULL, "a=1", ""},
    {"00-" ID, "a=1", ""},
};

START_TEST(a_state_goes_along_only_with_its_parent)
{
	struct rp_buf out = {0};

	ck_assert(rp_buf_add_text(&out, "x: 1\n"));
	ck_assert(
	    rp_trace_pack(rp_span_of(contexts[_i].parent), rp_span_of(contexts[_i].state), &out));
	ck_assert_str_eq(out.data + 5, contexts[_i].packed);
	rp_buf_release(&out);
}
END_TEST

START_TEST(without_memory_nothing_is_packed)
{
	struct rp_buf out = {.max = 10};

	ck_assert(!rp_trace_pack(rp_span_of(PARENT), rp_span_of(""), &out));
	rp_buf_release(&out);
}
END_TEST

static const struct {
	const char *headers;
	bool has_id;
} packed[] = {
    {"traceparent: " PARENT "\n", true},
    {"x-a: 1\ntraceparent: " PARENT "\ntracestate: a=1\n", true},
    {"traceparent: of no use\ntraceparent: " PARENT "\n", true},
    {"traceparent:   " PARENT " \n", true},
    {"traceparent: " PARENT, true},
    {"", false},
    {"\n", false},
    {"x-a: 1\n", false},
    {"traceparent", false},
    {"traceparent:", false},
    {"traceparent: \n", false},
    {"traceparent: 00-" ID "\n", false},
    {"x-traceparent: " PARENT "\n", false},
    {"traceparents: " PARENT "\n", false},
    {"tracestate: traceparent: " PARENT "\n", false},
};

START_TEST(the_trace_id_is_that_of_a_valid_traceparent)
{
	struct rp_span id = rp_trace_id(hold(packed[_i].headers));

	ck_assert_msg(rp_span_is(id, packed[_i].has_id ? ID : ""), "%s", packed[_i].headers);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("trace");
	TCase *tc = tcase_create("trace");
	SRunner *sr = srunner_create(s);
	int failed;

	tcase_add_checked_fixture(tc, NULL, teardown);
	tcase_add_loop_test(tc, a_traceparent_is_valid_or_not, 0,
			    sizeof parents / sizeof parents[0]);
	tcase_add_loop_test(tc, a_tracestate_is_valid_or_not, 0, sizeof states / sizeof states[0]);
	tcase_add_loop_test(tc, a_state_goes_along_only_with_its_parent, 0,
			    sizeof contexts / sizeof contexts[0]);
	tcase_add_test(tc, without_memory_nothing_is_packed);
	tcase_add_loop_test(tc, the_trace_id_is_that_of_a_valid_traceparent, 0,
			    sizeof packed / sizeof packed[0]);
	suite_add_tcase(s, tc);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed != 0;
}
