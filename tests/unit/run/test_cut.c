#include "run/cut.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "text/scan.h"

static char *held;
static struct rp_buf out;

static void teardown(void)
{
	free(held);
	held = NULL;
	rp_buf_release(&out);
}

/* Paths between commas. */
static struct rp_cuts cuts_of(char *paths)
{
	struct rp_cuts cuts = {.n = 0};
	char *path;

	while ((path = strsep(&paths, ",")) != NULL) {
		ck_assert_msg(rp_cut_problem(rp_span_of(path)) == NULL, "%s", path);
		cuts.paths[cuts.n++] = path;
	}
	return cuts;
}

/* A copy that ends exactly where the object ends: a sanitizer sees a byte read too far. */
static bool cut(struct rp_span object, const struct rp_cuts *cuts)
{
	struct rp_scan_error err;
	bool any;

	free(held);
	held = malloc(object.len);
	ck_assert(held != NULL);
	memcpy(held, object.ptr, object.len);
	object.ptr = held;
	ck_assert(rp_scan_object(object, NULL, 0, &err));
	rp_buf_clear(&out);
	ck_assert(rp_buf_add_text(&out, "before"));
	ck_assert(rp_cut(object, cuts, &out, &any));
	if (!any)
		ck_assert_str_eq(out.data, "before");
	return any;
}

/* left NULL: nothing is cut. */
static const struct {
	const char *paths, *object, *left;
} cases[] = {
    /* one comma goes along */
    {"a", "{\"a\":1,\"b\":2,\"c\":3}", "{\"b\":2,\"c\":3}"},
    {"b", "{\"a\":1,\"b\":2,\"c\":3}", "{\"a\":1,\"c\":3}"},
    {"c", "{\"a\":1,\"b\":2,\"c\":3}", "{\"a\":1,\"b\":2}"},
    {"a,b", "{\"a\":1,\"b\":2,\"c\":3}", "{\"c\":3}"},
    {"a,c", "{\"a\":1,\"b\":2,\"c\":3}", "{\"b\":2}"},
    {"b,c", "{\"a\":1,\"b\":2,\"c\":3}", "{\"a\":1}"},
    {"c,b,a", "{\"a\":1,\"b\":2,\"c\":3}", "{}"},
    {"a", "{\"a\":1}", "{}"},
    /* white space */
    {"a", " { \"a\" : 1 , \"b\" : 2 } ", " { \"b\" : 2 } "},
    {"b", " { \"a\" : 1 , \"b\" : 2 } ", " { \"a\" : 1 } "},
    {"b", "{ \"a\" : 1 , \"b\" : 2 , \"c\" : 3 }", "{ \"a\" : 1 , \"c\" : 3 }"},
    {"a,b", "{ \"a\" : 1 , \"b\" : 2 , \"c\" : 3 }", "{ \"c\" : 3 }"},
    {"a", "{\n  \"a\": 1,\n  \"b\": 2\n}\r", "{\n  \"b\": 2\n}\r"},
    {"b", "{\n  \"a\": 1,\n  \"b\": 2\n}", "{\n  \"a\": 1\n}"},
    {"a", "{\n\t\"a\": 1\n}", "{\n}"},
    /* every kind of value */
    {"a", "{\"a\":\"}\\\"]\\\\\",\"b\":0}", "{\"b\":0}"},
    {"a", "{\"a\":\"\\\\\\\\\",\"b\":\"\\\"\"}", "{\"b\":\"\\\"\"}"},
    {"a", "{\"a\":{\"a\":[{},{\"}\":\"{\"}]},\"b\":0}", "{\"b\":0}"},
    {"a", "{\"a\":[[],[\"]\"],{\"[\":1}],\"b\":0}", "{\"b\":0}"},
    {"a", "{\"a\":-1.5e+3,\"b\":true}", "{\"b\":true}"},
    {"a", "{\"b\":null,\"a\":false}", "{\"b\":null}"},
    {"a", "{\"b\":null,\"a\":12}", "{\"b\":null}"},
    {"a", "{\"a\":{},\"b\":[]}", "{\"b\":[]}"},
    {"a", "{\"a\":1 \n,\"b\":2}", "{\"b\":2}"},
    /* paths into objects */
    {"k.w", "{\"k\":{\"w\":\"u\",\"x\":1},\"w\":2}", "{\"k\":{\"x\":1},\"w\":2}"},
    {"k.w", "{\"k\":{\"x\":1,\"w\":\"u\"}}", "{\"k\":{\"x\":1}}"},
    {"k.w", "{\"k\":{\"w\":\"u\"},\"z\":{}}", "{\"k\":{},\"z\":{}}"},
    {"a.b.c.d", "{\"a\":{\"b\":{\"c\":{\"d\":{\"d\":1},\"e\":2},\"d\":3}}}",
     "{\"a\":{\"b\":{\"c\":{\"e\":2},\"d\":3}}}"},
    {"a.b,c", "{\"a\":{\"x\":{},\"b\":1},\"c\":1,\"d\":{\"b\":1}}",
     "{\"a\":{\"x\":{}},\"d\":{\"b\":1}}"},
    {"a.b,a.c,a.b.c", "{\"a\":{\"b\":{\"c\":1},\"c\":2,\"d\":3}}", "{\"a\":{\"d\":3}}"},
    {"a.b,a", "{\"a\":{\"b\":1},\"c\":2}", "{\"c\":2}"},
    {"a,a.b", "{\"c\":2,\"a\":{\"b\":1}}", "{\"c\":2}"},
    {"a,a", "{\"c\":2,\"a\":{\"b\":1}}", "{\"c\":2}"},
    /* every member with the name */
    {"a", "{\"a\":1,\"b\":2,\"a\":3,\"a\":4}", "{\"b\":2}"},
    {"a.b", "{\"a\":{\"b\":1},\"a\":7,\"a\":{\"c\":{},\"b\":2,\"b\":3}}",
     "{\"a\":{},\"a\":7,\"a\":{\"c\":{}}}"},
    /* names as they are meant */
    {"a", "{\"\\u0061\":1,\"b\":2}", "{\"b\":2}"},
    {"k\xc3\xa4.b", "{\"k\\u00e4\":{\"\\u0062\":1},\"k\xc3\xa4\":{\"b\":2}}",
     "{\"k\\u00e4\":{},\"k\xc3\xa4\":{}}"},
    {"\xf0\x9f\x98\x80", "{\"\\ud83d\\ude00\":1}", "{}"},
    {"a\\b/\"", "{\"a\\\\b\\/\\\"\":1}", "{}"},
    {"ab", "{\"a\":1,\"abc\":2,\"\":3,\"b\":4,\"AB\":5}", NULL},
    {"a.b", "{\"a.b\":1,\"a\\u002eb\":2}", NULL},
    {"a", "{\"\\u0000a\":1,\"\\ud800\":2,\"a\\u0000\":3}", NULL},
    /* nowhere */
    {"a.b", "{\"a\":[{\"b\":1}],\"b\":2}", NULL},
    {"a.b", "{\"a\":\"b\",\"c\":{\"a\":{\"b\":1}}}", NULL},
    {"a.b.c", "{\"a\":{\"b\":1}}", NULL},
    {"a.b", "{\"a\":{}}", NULL},
    {"a", "{}", NULL},
    {"a", " { } ", NULL},
};

START_TEST(what_is_named_goes_and_all_other_bytes_stay)
{
	char paths[64];
	struct rp_cuts cuts;
	bool any;

	snprintf(paths, sizeof paths, "%s", cases[_i].paths);
	cuts = cuts_of(paths);
	any = cut(rp_span_of(cases[_i].object), &cuts);
	ck_assert_msg(any == (cases[_i].left != NULL), "%s of %s", cases[_i].paths,
		      cases[_i].object);
	if (any)
		ck_assert_str_eq(out.data + strlen("before"), cases[_i].left);
}
END_TEST

START_TEST(as_deep_as_a_path_and_a_text_may_go)
{
	char path[] = "a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.b", *walk = path;
	struct rp_cuts cuts = cuts_of(walk);
	struct rp_buf text = {0}, left = {0};
	int i;

	for (i = 0; i < RP_CUT_STEPS_MAX - 1; i++)
		ck_assert(rp_buf_add_text(&text, "{\"a\":"));
	ck_assert(rp_buf_add(&left, text.data, text.len));
	ck_assert(rp_buf_add_text(&text, "{\"b\":"));
	for (; i < RP_SCAN_DEPTH_MAX - 1; i++)
		ck_assert(rp_buf_add_text(&text, "["));
	for (i = RP_CUT_STEPS_MAX - 1; i < RP_SCAN_DEPTH_MAX - 1; i++)
		ck_assert(rp_buf_add_text(&text, "]"));
	ck_assert(rp_buf_add_text(&text, "}"));
	ck_assert(rp_buf_add_text(&left, "{}"));
	for (i = 0; i < RP_CUT_STEPS_MAX - 1; i++) {
		ck_assert(rp_buf_add_text(&text, "}"));
		ck_assert(rp_buf_add_text(&left, "}"));
	}
	ck_assert(cut((struct rp_span){text.data, text.len}, &cuts));
	ck_assert_str_eq(out.data + strlen("before"), left.data);
	rp_buf_release(&text);
	rp_buf_release(&left);
}
END_TEST

START_TEST(as_many_paths_as_there_may_be)
{
	char names[RP_CUT_PATHS_MAX][8];
	struct rp_cuts cuts = {.n = RP_CUT_PATHS_MAX};
	struct rp_buf text = {0};
	int i;

	for (i = 0; i < RP_CUT_PATHS_MAX; i++) {
		snprintf(names[i], sizeof names[i], "p.n%d", i);
		cuts.paths[i] = names[i];
		ck_assert(rp_buf_printf(&text, "%s\"n%d\":%d", i == 0 ? "{\"p\":{" : ",", i, i));
	}
	ck_assert(rp_buf_add_text(&text, ",\"n\":0}}"));
	ck_assert(cut((struct rp_span){text.data, text.len}, &cuts));
	ck_assert_str_eq(out.data + strlen("before"), "{\"p\":{\"n\":0}}");
	rp_buf_release(&text);
}
END_TEST

START_TEST(without_memory_there_is_nothing)
{
	char path[] = "a";
	struct rp_cuts cuts = cuts_of(path);
	struct rp_buf small = {.max = 8};
	bool any;

	ck_assert(!rp_cut(rp_span_of("{\"b\":1234,\"a\":1}"), &cuts, &small, &any));
	ck_assert_uint_eq(small.len, 0);
	ck_assert(rp_cut(rp_span_of("{\"b\":1234,\"c\":1}"), &cuts, &small, &any) && !any);
	rp_buf_release(&small);
}
END_TEST

static const struct {
	const char *path, *problem;
} problems[] = {
    {"a", NULL},
    {"kwargs.config.configurable.langgraph_auth_user", NULL},
    {"k\xc3\xa4\"\\", NULL},
    {"a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a", NULL},
    {"a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a", "more than 16 names deep"},
    {"", "empty"},
    {".", "a dot without a name on both sides"},
    {".a", "a dot without a name on both sides"},
    {"a.", "a dot without a name on both sides"},
    {"a..b", "a dot without a name on both sides"},
    {"a\xff", "not text in UTF-8"},
    {"\xed\xa0\x80", "not text in UTF-8"},
};

START_TEST(a_path_is_fine_or_has_a_problem)
{
	const char *problem = rp_cut_problem(rp_span_of(problems[_i].path));

	if (problems[_i].problem == NULL)
		ck_assert_msg(problem == NULL, "%s: %s", problems[_i].path, problem);
	else
		ck_assert_str_eq(problem, problems[_i].problem);
}
END_TEST

START_TEST(a_path_is_limited_in_length)
{
	char path[RP_CUT_PATH_MAX + 1];

	memset(path, 'a', sizeof path);
	ck_assert(rp_cut_problem((struct rp_span){path, RP_CUT_PATH_MAX}) == NULL);
	ck_assert_str_eq(rp_cut_problem((struct rp_span){path, RP_CUT_PATH_MAX + 1}),
			 "longer than 1024 bytes");
	ck_assert_str_eq(rp_cut_problem((struct rp_span){"a\0b", 3}), "not text in UTF-8");
}
END_TEST

START_TEST(a_cut_covers_what_lies_below_it)
{
	const struct rp_cuts cuts = {.paths = {"a.b", "webhook"}, .n = 2};

	ck_assert(rp_cuts_cover(&cuts, "a.b") && rp_cuts_cover(&cuts, "a.b.c"));
	ck_assert(rp_cuts_cover(&cuts, "webhook"));
	ck_assert(!rp_cuts_cover(&cuts, "a") && !rp_cuts_cover(&cuts, "a.bc"));
	ck_assert(!rp_cuts_cover(&cuts, "kwargs.webhook") && !rp_cuts_cover(&cuts, ""));
}
END_TEST

int main(void)
{
	Suite *s = suite_create("cut");
	TCase *tc = tcase_create("cut");
	SRunner *sr = srunner_create(s);
	int failed;

	tcase_add_checked_fixture(tc, NULL, teardown);
	tcase_add_loop_test(tc, what_is_named_goes_and_all_other_bytes_stay, 0,
			    sizeof cases / sizeof cases[0]);
	tcase_add_test(tc, as_deep_as_a_path_and_a_text_may_go);
	tcase_add_test(tc, as_many_paths_as_there_may_be);
	tcase_add_test(tc, without_memory_there_is_nothing);
	tcase_add_loop_test(tc, a_path_is_fine_or_has_a_problem, 0,
			    sizeof problems / sizeof problems[0]);
	tcase_add_test(tc, a_path_is_limited_in_length);
	tcase_add_test(tc, a_cut_covers_what_lies_below_it);
	suite_add_tcase(s, tc);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed != 0;
}
