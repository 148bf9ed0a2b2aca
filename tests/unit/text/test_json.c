#include "text/json.h"

#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static struct rp_buf out;

static void setup(void)
{
	memset(&out, 0, sizeof out);
}

static void teardown(void)
{
	rp_buf_release(&out);
}

static const struct {
	const char *raw, *decoded; /* decoded NULL: refused */
} strings[] = {
    {"\"\"", ""},
    {"\"plain\"", "plain"},
    {"\"\xc3\xa4\"", "\xc3\xa4"},
    {"\"a\\/b\\u0026c\"", "a/b&c"},
    {"\"\\b\\f\\n\\r\\t\\\"\\\\\"", "\b\f\n\r\t\"\\"},
    {"\"\\u00e4\\u20AC\\ud83d\\uDE00\"", "\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80"},
    {"\"\\ud83d\"", NULL},
    {"\"\\ude00\"", NULL},
    {"\"a\\u0000b\"", NULL},
    {"\"half", NULL},
    {"\"half\\n", NULL},
    {"\"", NULL},
    {"", NULL},
    {"17", NULL},
    {"null", NULL},
    {"[\"a\"]", NULL},
};

START_TEST(a_string_is_decoded_or_refused)
{
	const char *decoded = strings[_i].decoded;

	ck_assert(rp_buf_add_text(&out, "kept "));
	ck_assert_msg(rp_json_decode_string(rp_span_of(strings[_i].raw), &out) == (decoded != NULL),
		      "%s", strings[_i].raw);
	ck_assert_str_eq(out.data + 5, decoded != NULL ? decoded : "");
	ck_assert_uint_eq(out.len, 5 + (decoded != NULL ? strlen(decoded) : 0));
}
END_TEST

START_TEST(decoding_heeds_the_buffers_maximum)
{
	out.max = 3;
	ck_assert(!rp_json_decode_string(rp_span_of("\"abcd\""), &out));
	ck_assert(!rp_json_decode_string(rp_span_of("\"abc\\n\""), &out));
	ck_assert(rp_json_decode_string(rp_span_of("\"ab\\n\""), &out));
	ck_assert_str_eq(out.data, "ab\n");
}
END_TEST

static bool note_member(void *arg, const char *name, const char *value)
{
	struct rp_buf *seen = arg;

	ck_assert(rp_buf_printf(seen, "%s=%s;", name, value));
	return strcmp(name, "stop") != 0;
}

static const struct {
	const char *raw, *seen, *bad_name;
	bool ok;
} objects[] = {
    {"{}", "", NULL, true},
    {"{\"a\":\"1\",\"b\":\"\\u00e4\"}", "a=1;b=\xc3\xa4;", NULL, true},
    {"{\"z\":\"1\",\"a\":\"2\",\"m\":\"3\"}", "z=1;a=2;m=3;", NULL, true},
    {"{\"a\":\"1\",\"a\":\"2\"}", "a=2;", NULL, true},
    {"{\"a\":\"1\",\"bad\":7,\"c\":\"3\"}", "a=1;", "bad", false},
    {"{\"bad\":null}", "", "bad", false},
    {"{\"bad\":{\"a\":\"1\"}}", "", "bad", false},
    {"{\"a\":\"1\",\"stop\":\"2\",\"c\":\"3\"}", "a=1;stop=2;", NULL, false},
    {"{\"a\":\"\\u0000\"}", "", NULL, false},
    {"[\"a\"]", "", NULL, false},
    {"\"a\"", "", NULL, false},
    {"{", "", NULL, false},
};

START_TEST(each_string_of_an_object_is_seen_until_one_is_none)
{
	char *bad_name = NULL;
	bool ok;

	ck_assert(rp_buf_add_text(&out, ""));
	ok = rp_json_each_string(rp_span_of(objects[_i].raw), note_member, &out, &bad_name);
	ck_assert_msg(ok == objects[_i].ok, "%s", objects[_i].raw);
	ck_assert_str_eq(out.data, objects[_i].seen);
	ck_assert_pstr_eq(bad_name, objects[_i].bad_name);
	free(bad_name);
}
END_TEST

START_TEST(members_are_printed_in_the_order_they_were_set)
{
	struct rp_json_out *o = rp_json_out_new(), *child;

	rp_json_out_text(o, "z", "a \"b\" \xc3\xa4/\n");
	rp_json_out_text(o, "none", NULL);
	rp_json_out_span(o, "span", (struct rp_span){"xyz", 2});
	rp_json_out_span(o, "empty", (struct rp_span){NULL, 0});
	rp_json_out_int(o, "min", INT64_MIN);
	rp_json_out_int(o, "max", INT64_MAX);
	rp_json_out_real(o, "real", 0.1);
	rp_json_out_real(o, "third", 1.0 / 3);
	rp_json_out_bool(o, "t", true);
	rp_json_out_bool(o, "f", false);
	rp_json_out_null(o, "null");
	rp_json_out_time(o, "never", 0);
	rp_json_out_time(o, "at", INT64_C(1795435200123));
	child = rp_json_out_new();
	rp_json_out_int(child, "x", 1);
	rp_json_out_object(o, "a", child);
	ck_assert(rp_buf_add_text(&out, "> "));
	ck_assert(rp_json_out_print(o, &out));
	rp_json_out_free(o);
	ck_assert_str_eq(
	    out.data,
	    "> {\"z\":\"a \\\"b\\\" \xc3\xa4/\\n\",\"none\":null,\"span\":\"xy\",\"empty\":\"\","
	    "\"min\":-9223372036854775808,\"max\":9223372036854775807,\"real\":0.1,"
	    "\"third\":0.333333333333333,\"t\":true,\"f\":false,\"null\":null,\"never\":null,"
	    "\"at\":\"2026-11-23T12:00:00.123Z\",\"a\":{\"x\":1}}");
}
END_TEST

START_TEST(arrays_are_empty_until_something_is_pushed)
{
	struct rp_json_out *o = rp_json_out_new(), *child;
	int i;

	rp_json_out_array(o, "none");
	rp_json_out_array(o, "some");
	for (i = 0; i < 2; i++) {
		child = rp_json_out_new();
		rp_json_out_int(child, "n", i);
		rp_json_out_push(o, "some", child);
	}
	rp_json_out_array(o, "some");
	rp_json_out_push(o, "more", rp_json_out_new());
	ck_assert(rp_json_out_print(o, &out));
	rp_json_out_free(o);
	ck_assert_str_eq(out.data, "{\"none\":[],\"some\":[{\"n\":0},{\"n\":1}],\"more\":[{}]}");
}
END_TEST

/* Bytes, and what they become inside a JSON string. */
static const struct {
	const char *bytes;
	size_t len;
	const char *mended;
} foreign[] = {
    {"", 0, ""},
    {"abc", 3, "abc"},
    {"\x7f", 1, "\x7f"},
    {"\xff", 1, "\xef\xbf\xbd"},
    {"a\xffz", 3, "a\xef\xbf\xbdz"},
    {"\x80\x80", 2, "\xef\xbf\xbd\xef\xbf\xbd"},
    {"\xc3\xa4\xc3", 3, "\xc3\xa4\xef\xbf\xbd"},
    {"\xc3(", 2, "\xef\xbf\xbd("},
    {"\xed\xa0\x80", 3, "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"},
    {"\xf0\x9f\x98", 3, "\xef\xbf\xbd"},
    {"\xf0\x9f\x98\x80", 4, "\xf0\x9f\x98\x80"},
    {"a\0b", 3, "a\\u0000b"},
    {"\"\\/\b\f\n\r\t\x1b", 9, "\\\"\\\\/\\b\\f\\n\\r\\t\\u001b"},
};

START_TEST(foreign_bytes_are_quoted_as_valid_json)
{
	struct rp_span bytes = {foreign[_i].bytes, foreign[_i].len};
	struct rp_buf expected = {0};

	ck_assert(rp_buf_printf(&expected, "> \"%s\"", foreign[_i].mended));
	ck_assert(rp_buf_add_text(&out, "> "));
	ck_assert(rp_json_quote(bytes, &out));
	ck_assert_str_eq(out.data, expected.data);
	rp_buf_release(&expected);
}
END_TEST

START_TEST(foreign_bytes_are_set_as_valid_text)
{
	struct rp_json_out *o = rp_json_out_new();
	struct rp_buf expected = {0};

	ck_assert(rp_buf_printf(&expected, "{\"a\":\"%s\"}", foreign[_i].mended));
	rp_json_out_span(o, "a", (struct rp_span){foreign[_i].bytes, foreign[_i].len});
	ck_assert(rp_json_out_print(o, &out));
	ck_assert_int_eq(strcasecmp(out.data, expected.data), 0);
	rp_json_out_free(o);
	rp_buf_release(&expected);
}
END_TEST

START_TEST(what_was_quoted_decodes_to_the_same)
{
	struct rp_buf quoted = {0};
	char every[128];
	size_t i;

	for (i = 0; i < sizeof every - 1; i++)
		every[i] = (char)(i + 1);
	ck_assert(rp_json_quote((struct rp_span){every, sizeof every - 1}, &quoted));
	ck_assert(rp_json_decode_string((struct rp_span){quoted.data, quoted.len}, &out));
	ck_assert_mem_eq(out.data, every, sizeof every - 1);
	rp_buf_release(&quoted);
}
END_TEST

START_TEST(a_full_buffer_is_left_as_it_was)
{
	struct rp_json_out *o = rp_json_out_new();

	out.max = 10;
	rp_json_out_text(o, "name", "value");
	ck_assert(rp_buf_add_text(&out, "kept"));
	ck_assert(!rp_json_out_print(o, &out));
	ck_assert_str_eq(out.data, "kept");
	ck_assert(!rp_json_quote(rp_span_of("12345"), &out));
	ck_assert_str_eq(out.data, "kept");
	ck_assert(rp_json_quote(rp_span_of("1234"), &out));
	ck_assert_str_eq(out.data, "kept\"1234\"");
	rp_json_out_free(o);
}
END_TEST

START_TEST(a_name_without_room_is_no_print)
{
	struct rp_json_out *o = rp_json_out_new();

	rp_json_out_int(o, "a_name_that_is_long", 1); /* what stands beside it has room */
	out.max = 10;
	ck_assert(!rp_json_out_print(o, &out));
	ck_assert_uint_eq(out.len, 0);
	rp_json_out_free(o);
}
END_TEST

START_TEST(what_cannot_be_set_fails_at_the_print)
{
	struct rp_json_out *o = rp_json_out_new(), *child = rp_json_out_new();

	rp_json_out_real(child, "n", NAN);
	rp_json_out_push(o, "list", child);
	ck_assert(!rp_json_out_print(o, &out));
	rp_json_out_free(o);
	o = rp_json_out_new();
	rp_json_out_object(o, "child", NULL);
	ck_assert(!rp_json_out_print(o, &out));
	rp_json_out_free(o);
	ck_assert_uint_eq(out.len, 0);
}
END_TEST

START_TEST(an_object_that_could_not_be_made_takes_everything_and_prints_nothing)
{
	rp_json_out_text(NULL, "a", "b");
	rp_json_out_null(NULL, "a");
	rp_json_out_array(NULL, "a");
	rp_json_out_object(NULL, "a", rp_json_out_new());
	rp_json_out_push(NULL, "a", rp_json_out_new());
	ck_assert(!rp_json_out_print(NULL, &out));
	rp_json_out_free(NULL);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("json");
	TCase *tc = tcase_create("json");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_loop_test(tc, a_string_is_decoded_or_refused, 0,
			    sizeof strings / sizeof strings[0]);
	tcase_add_test(tc, decoding_heeds_the_buffers_maximum);
	tcase_add_loop_test(tc, each_string_of_an_object_is_seen_until_one_is_none, 0,
			    sizeof objects / sizeof objects[0]);
	tcase_add_test(tc, members_are_printed_in_the_order_they_were_set);
	tcase_add_test(tc, arrays_are_empty_until_something_is_pushed);
	tcase_add_loop_test(tc, foreign_bytes_are_quoted_as_valid_json, 0,
			    sizeof foreign / sizeof foreign[0]);
	tcase_add_loop_test(tc, foreign_bytes_are_set_as_valid_text, 0,
			    sizeof foreign / sizeof foreign[0]);
	tcase_add_test(tc, what_was_quoted_decodes_to_the_same);
	tcase_add_test(tc, a_full_buffer_is_left_as_it_was);
	tcase_add_test(tc, a_name_without_room_is_no_print);
	tcase_add_test(tc, what_cannot_be_set_fails_at_the_print);
	tcase_add_test(tc, an_object_that_could_not_be_made_takes_everything_and_prints_nothing);
	suite_add_tcase(s, tc);
	return s;
}

int main(void)
{
	SRunner *sr = srunner_create(suite());
	srunner_run_all(sr, CK_NORMAL);
	int failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed != 0;
}
