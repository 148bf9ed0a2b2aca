#include "text/scan.h"

/* The scanner is compiled a second time without SSE2, so that both of its inner loops face every
 * test. */
#define RP_SCAN_PORTABLE
#define rp_scan_object portable_scan_object
#define rp_utf8_sequence portable_utf8_sequence
#define rp_scan_match_name portable_match_name
bool portable_scan_object(struct rp_span text, struct rp_json_want *wants, size_t n_wants,
			  struct rp_scan_error *err);
size_t portable_utf8_sequence(struct rp_span text, size_t *good_bytes);
const char *portable_match_name(const char *path, struct rp_span name);
#include "text/scan.c"
#undef rp_scan_object
#undef rp_utf8_sequence
#undef rp_scan_match_name

#include <check.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#include "text/json.h"

/* For the inner loops: ck_assert writes to a pipe each time it holds. */
#define require(condition, ...)                                                                    \
	do {                                                                                       \
		if (!(condition))                                                                  \
			ck_abort_msg(__VA_ARGS__);                                                 \
	} while (0)

/* Scans with both builds from a heap block of exactly the text's size, so that an over-read is
 * seen by a sanitizer, and insists that they agree. `wants` point into `text` afterwards. */
static bool scan_both(struct rp_span text, struct rp_json_want *wants, size_t n_wants,
		      struct rp_scan_error *err)
{
	struct rp_json_want other[16];
	struct rp_scan_error other_err;
	char *copy = malloc(text.len > 0 ? text.len : 1);
	struct rp_span copied = {copy, text.len};
	bool ok, other_ok;
	size_t i;

	require(n_wants <= 16 && copy != NULL, "no memory for a test");
	memcpy(copy, text.ptr, text.len);
	for (i = 0; i < n_wants; i++)
		other[i].name = wants[i].name;
	ok = rp_scan_object(copied, wants, n_wants, err);
	other_ok = portable_scan_object(copied, other, n_wants, &other_err);
	require(ok == other_ok, "the two builds disagree about %.*s", (int)text.len, text.ptr);
	require(ok || (err->offset == other_err.offset &&
		       strcmp(err->message, other_err.message) == 0 &&
		       err->cut_off == other_err.cut_off),
		"the two builds give different reasons for %.*s", (int)text.len, text.ptr);
	require(ok || (err->offset <= text.len && (!err->cut_off || err->offset == text.len)),
		"offset %zu of %zu", err->offset, text.len);
	for (i = 0; ok && i < n_wants; i++) {
		require(wants[i].type == other[i].type && wants[i].raw.ptr == other[i].raw.ptr &&
			    wants[i].raw.len == other[i].raw.len,
			"the two builds find different values for %s in %.*s", wants[i].name,
			(int)text.len, text.ptr);
		if (wants[i].type != RP_JSON_MISSING)
			wants[i].raw.ptr = text.ptr + (wants[i].raw.ptr - copy);
	}
	free(copy);
	return ok;
}

static bool scan_text(const char *text, struct rp_scan_error *err)
{
	return scan_both(rp_span_of(text), NULL, 0, err);
}

/* As the value of a member, and as an element of an array. */
static void wrap(const char *value, size_t n, char *out, size_t size, const char *before,
		 const char *after, struct rp_span *text)
{
	size_t len = strlen(before);

	ck_assert(len + n + strlen(after) < size);
	memcpy(out, before, len);
	memcpy(out + len, value, n);
	memcpy(out + len + n, after, strlen(after));
	text->ptr = out;
	text->len = len + n + strlen(after);
}

static const char *const valid_values[] = {
    "0",
    "-0",
    "-0.0",
    "10",
    "0.5",
    "1E+5",
    "1e-5",
    "1e5",
    "1.25E00",
    "1e400",
    "-123456789012345678901234567890.000",
    "true",
    "false",
    "null",
    "\"\"",
    "\"plain\"",
    "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"",
    "\"\\u0000\\uD800\\udfff\\uAbCd\"",
    "\"\x7f is fine\"",
    "\"\xc2\x80\xdf\xbf\"",
    "\"\xe0\xa0\x80\xed\x9f\xbf\xee\x80\x80\xef\xbf\xbf\"",
    "\"\xf0\x90\x80\x80\xf4\x8f\xbf\xbf\"",
    "\"\xef\xbb\xbf a byte order mark inside a string is a character\"",
    "\"fifteen bytes..\"",
    "\"sixteen bytes...\"",
    "\"seventeen bytes..\"",
    "\"a long one whose escape stands late, behind two blocks of sixteen\\n\"",
    "\"a long one whose umlaut stands late, behind two blocks of sixteen \xc3\xa4\"",
    "[]",
    "[ ]",
    "{}",
    "{\t}",
    "[[],{},[{}]]",
    "[1 , 2\t,\r\n3]",
    "{\"\":0}",
    "{\"a\":1,\"a\":2}",
    "{ \"a\" : [ ] }",
};

START_TEST(whatever_the_grammar_allows_passes)
{
	const char *value = valid_values[_i];
	struct rp_scan_error err;
	struct rp_span text;
	char mem[256];

	wrap(value, strlen(value), mem, sizeof mem, "{\"a\":", "}", &text);
	ck_assert_msg(scan_both(text, NULL, 0, &err), "%s: byte %zu: %s", value, err.offset,
		      err.message);
	wrap(value, strlen(value), mem, sizeof mem, " {\"a\":[", ",1] }\r", &text);
	ck_assert_msg(scan_both(text, NULL, 0, &err), "%s: byte %zu: %s", value, err.offset,
		      err.message);
}
END_TEST

#define BAD(value, offset)                                                                         \
	{                                                                                          \
		value, sizeof(value) - 1, offset                                                   \
	}

/* Broken values, and at which of their bytes they break. */
static const struct {
	const char *value;
	size_t len, offset;
} invalid_values[] = {
    BAD("01", 1),
    BAD("-01", 2),
    BAD("00", 1),
    BAD("1.", 2),
    BAD(".5", 0),
    BAD("1.e5", 2),
    BAD("1e", 2),
    BAD("1e+", 3),
    BAD("1E-x", 3),
    BAD("-", 1),
    BAD("--1", 1),
    BAD("+1", 0),
    BAD("-a", 1),
    BAD("0x10", 1),
    BAD("1 2", 2),
    BAD("NaN", 0),
    BAD("Infinity", 0),
    BAD("-Infinity", 1),
    BAD("nul", 3),
    BAD("nulL", 3),
    BAD("nullx", 4),
    BAD("tRue", 1),
    BAD("True", 0),
    BAD("falsy", 4),
    BAD("undefined", 0),
    BAD("'a'", 0),
    BAD("\"a\nb\"", 2),
    BAD("\"a\tb\"", 2),
    BAD("\"a\0b\"", 2),
    BAD("\"a\x1f\"", 2),
    BAD("\"sixteen bytes and\x01\"", 18),
    BAD("\"\\x41\"", 2),
    BAD("\"\\'\"", 2),
    BAD("\"\\u12G4\"", 5),
    BAD("\"\\u 123\"", 3),
    BAD("\"\\u123\"", 6),
    BAD("\"\\U0041\"", 2),
    BAD("\"\x80\"", 1),
    BAD("\"\xbf\"", 1),
    BAD("\"\xc0\x80\"", 1),
    BAD("\"\xc1\xbf\"", 1),
    BAD("\"\xc3\"", 2),
    BAD("\"\xc3(\"", 2),
    BAD("\"\xe0\x9f\xbf\"", 2),
    BAD("\"\xe2\x82\"", 3),
    BAD("\"\xed\xa0\x80\"", 2),
    BAD("\"\xed\xbf\xbf\"", 2),
    BAD("\"\xf0\x8f\xbf\xbf\"", 2),
    BAD("\"\xf0\x9f\x98\"", 4),
    BAD("\"\xf4\x90\x80\x80\"", 2),
    BAD("\"\xf5\x80\x80\x80\"", 1),
    BAD("\"\xff\"", 1),
    BAD("\"\xc3\xa4\xc3\xa4\xfe\"", 5),
    BAD("[1,]", 3),
    BAD("[,1]", 1),
    BAD("[1,,2]", 3),
    BAD("[1 2]", 3),
    BAD("[1}", 2),
    BAD("[}", 1),
    BAD("[\"a\":1]", 4),
    BAD("{\"a\":1,}", 7),
    BAD("{,}", 1),
    BAD("{\"a\"}", 4),
    BAD("{\"a\" 1}", 5),
    BAD("{\"a\":}", 5),
    BAD("{\"a\"::1}", 5),
    BAD("{a:1}", 1),
    BAD("{1:1}", 1),
    BAD("{\"a\":1]", 6),
    BAD("{\"a\":1;\"b\":2}", 6),
    BAD("{\"a\":1 \"b\":2}", 7),
    BAD("{\"\\x\":1}", 3),
    BAD("{]", 1),
    BAD("", 0),
    BAD("\xef\xbb\xbf", 0),
    BAD("\x0b\x31", 0),
    BAD("\xc2\xa0\x31", 0),
    BAD("/**/1", 0),
    BAD("#", 0),
};

START_TEST(whatever_the_grammar_forbids_is_refused_at_the_byte)
{
	static const char *const before[] = {"{\"a\":", "{\"b\":[0,"}, *const after[] = {"}", "]}"};
	struct rp_scan_error err;
	struct rp_span text;
	char mem[256];
	size_t i;

	for (i = 0; i < 2; i++) {
		wrap(invalid_values[_i].value, invalid_values[_i].len, mem, sizeof mem, before[i],
		     after[i], &text);
		ck_assert_msg(!scan_both(text, NULL, 0, &err), "accepted: %.*s", (int)text.len,
			      text.ptr);
		ck_assert_msg(!err.cut_off, "said to be cut off: %.*s", (int)text.len, text.ptr);
		ck_assert_msg(err.offset == strlen(before[i]) + invalid_values[_i].offset,
			      "%.*s: byte %zu: %s", (int)text.len, text.ptr, err.offset,
			      err.message);
		text.len = err.offset;
		ck_assert_msg(!scan_both(text, NULL, 0, &err) && err.cut_off,
			      "not said to be cut off: %.*s", (int)text.len, text.ptr);
	}
}
END_TEST

static const struct {
	const char *text;
	size_t offset;
	const char *message;
} not_one_object[] = {
    {"[]", 0, "this is not a JSON object"},
    {"  \"a\"", 2, "this is not a JSON object"},
    {"7", 0, "this is not a JSON object"},
    {"null", 0, "this is not a JSON object"},
    {"}", 0, "this is not a JSON object"},
    {"run finished", 0, "this is not a JSON object"},
    {"\xef\xbb\xbf{}", 0, "a byte order mark stands here; leave it out"},
    {"{}{}", 2, "more text follows the object"},
    {"{\"a\":1} x", 8, "more text follows the object"},
    {"{}}", 2, "more text follows the object"},
    {"{},", 2, "more text follows the object"},
};

START_TEST(only_one_object_is_accepted)
{
	struct rp_scan_error err;

	ck_assert(!scan_text(not_one_object[_i].text, &err));
	ck_assert_str_eq(err.message, not_one_object[_i].message);
	ck_assert_uint_eq(err.offset, not_one_object[_i].offset);
	ck_assert(!err.cut_off);
}
END_TEST

START_TEST(a_nul_byte_ends_nothing)
{
	struct rp_span inside = {"{\"a\"\0:1}", 8}, behind = {"{}\0", 3};
	struct rp_scan_error err;

	ck_assert(!scan_both(inside, NULL, 0, &err) && err.offset == 4);
	ck_assert(!scan_both(behind, NULL, 0, &err) && err.offset == 2);
}
END_TEST

START_TEST(a_blank_text_is_cut_off)
{
	struct rp_span nothing = {NULL, 0};
	struct rp_scan_error err;

	ck_assert(!rp_scan_object(nothing, NULL, 0, &err));
	ck_assert(err.cut_off && err.offset == 0);
	ck_assert(!scan_text(" \t\r\n", &err));
	ck_assert(err.cut_off && err.offset == 4);
}
END_TEST

/* An object, then `arrays` arrays in one another, then one more container of any kind, empty. */
static bool scan_nested(size_t arrays, const char *innermost, struct rp_scan_error *err)
{
	struct rp_buf text = {0};
	size_t i;
	bool ok;

	ok = rp_buf_add_text(&text, "{\"a\":");
	for (i = 0; i < arrays; i++)
		ok = ok && rp_buf_add_char(&text, '[');
	ok = ok && rp_buf_add_text(&text, innermost);
	for (i = 0; i < arrays; i++)
		ok = ok && rp_buf_add_char(&text, ']');
	ck_assert(ok && rp_buf_add_char(&text, '}'));
	ok = scan_both((struct rp_span){text.data, text.len}, NULL, 0, err);
	rp_buf_release(&text);
	return ok;
}

START_TEST(depth_1024_passes_and_1025_does_not)
{
	static const char *const innermost[] = {"[]", "{}", "[1]", "{\"b\":{}}"};
	static const size_t own_depth[] = {1, 1, 1, 2};
	size_t most = RP_SCAN_DEPTH_MAX - 1 - own_depth[_i];
	struct rp_scan_error err;

	ck_assert_msg(scan_nested(most, innermost[_i], &err), "%s: %s", innermost[_i], err.message);
	ck_assert(!scan_nested(most + 1, innermost[_i], &err));
	ck_assert_str_eq(err.message, "objects and arrays are nested too deep");
	ck_assert(!err.cut_off);
}
END_TEST

START_TEST(every_level_remembers_its_kind_of_bracket)
{
	struct rp_buf text = {0}, tail = {0};
	struct rp_scan_error err;
	uint32_t bits = 12345;
	size_t i;

	ck_assert(rp_buf_add_text(&text, "{\"a\":"));
	for (i = 0; i < 1000; i++) {
		bits = bits * 1664525 + 1013904223;
		ck_assert(rp_buf_add_text(&text, bits >> 31 ? "{\"k\":" : "["));
		ck_assert(rp_buf_add_char(&tail, bits >> 31 ? '}' : ']'));
	}
	ck_assert(rp_buf_add_char(&text, '0'));
	for (i = 1000; i-- > 0;)
		ck_assert(rp_buf_add_char(&text, tail.data[i]));
	ck_assert(rp_buf_add_char(&text, '}'));
	ck_assert(scan_both((struct rp_span){text.data, text.len}, NULL, 0, &err));
	for (i = text.len - 1001; i < text.len; i++) {
		text.data[i] ^= '[' ^ '{';
		ck_assert(!scan_both((struct rp_span){text.data, text.len}, NULL, 0, &err));
		ck_assert_uint_eq(err.offset, i);
		text.data[i] ^= '[' ^ '{';
	}
	rp_buf_release(&text);
	rp_buf_release(&tail);
}
END_TEST

/* What each text holds for the wants `a`, `k`, `k.w` and `k.x`; NULL: missing. */
static const struct {
	const char *text, *a, *k, *kw, *kx;
} found[] = {
    {"{}", NULL, NULL, NULL, NULL},
    {"{\"a\":1}", "1", NULL, NULL, NULL},
    {"{\"a\" : -1.5e3 }", "-1.5e3", NULL, NULL, NULL},
    {" { \"a\" :\t\"x\\\"y\" , \"b\":2 } ", "\"x\\\"y\"", NULL, NULL, NULL},
    {"{\"a\":[1,{\"a\":2}],\"b\":{\"a\":3}}", "[1,{\"a\":2}]", NULL, NULL, NULL},
    {"{\"a\":{ },\"b\":[]}", "{ }", NULL, NULL, NULL},
    {"{\"b\":{\"a\":3},\"aa\":1,\"\":2}", NULL, NULL, NULL, NULL},
    {"{\"a\":1,\"a\":null}", "null", NULL, NULL, NULL},
    {"{\"\\u0061\":7}", "7", NULL, NULL, NULL},
    {"{\"\\u0061\\u0000\":7}", NULL, NULL, NULL, NULL},
    {"{\"\\ud800\":7,\"\\u00e4\":8}", NULL, NULL, NULL, NULL},
    {"{\"k\":{\"w\":true,\"x\":[]}}", NULL, "{\"w\":true,\"x\":[]}", "true", "[]"},
    {"{\"k\":{\"w\":{\"w\":1}}}", NULL, "{\"w\":{\"w\":1}}", "{\"w\":1}", NULL},
    {"{\"k\":{\"k\":{\"w\":1}}}", NULL, "{\"k\":{\"w\":1}}", NULL, NULL},
    {"{\"k\":[{\"w\":1}]}", NULL, "[{\"w\":1}]", NULL, NULL},
    {"{\"k\":[\"w\",1]}", NULL, "[\"w\",1]", NULL, NULL},
    {"{\"w\":1,\"x\":2,\"b\":{\"w\":3}}", NULL, NULL, NULL, NULL},
    {"{\"k\":{\"w\":1},\"b\":{\"w\":2}}", NULL, "{\"w\":1}", "1", NULL},
    {"{\"k\":{\"\\u0077\":1,\"b\":{\"x\":0}}}", NULL, "{\"\\u0077\":1,\"b\":{\"x\":0}}", "1", NULL},
    {"{\"\\u006b\":{\"w\":1}}", NULL, "{\"w\":1}", "1", NULL},
    {"{\"k\":{\"w\":1,\"w\":2}}", NULL, "{\"w\":1,\"w\":2}", "2", NULL},
    {"{\"k\":{\"w\":1},\"k\":{\"x\":2}}", NULL, "{\"x\":2}", NULL, "2"},
    {"{\"k\":{\"w\":1},\"k\":null}", NULL, "null", NULL, NULL},
    {"{\"k\":0,\"k\":{\"w\":1}}", NULL, "{\"w\":1}", "1", NULL},
    {"{\"k.w\":1,\"k\\u002ew\":2}", NULL, NULL, NULL, NULL},
    {"{\"k\":{\"w\":1},\"k.w\":2}", NULL, "{\"w\":1}", "1", NULL},
};

static void check_found(const struct rp_json_want *want, const char *expected, const char *text)
{
	if (expected == NULL)
		ck_assert_msg(want->type == RP_JSON_MISSING, "%s: %s found in %s", want->name,
			      want->type == RP_JSON_MISSING ? "" : "something", text);
	else
		ck_assert_msg(want->type != RP_JSON_MISSING && rp_span_is(want->raw, expected),
			      "%s: %.*s in %s", want->name, (int)want->raw.len,
			      want->raw.len > 0 ? want->raw.ptr : "", text);
}

START_TEST(members_are_found_with_exactly_their_bytes)
{
	struct rp_json_want wants[] = {
	    {.name = "k.w"}, {.name = "a"}, {.name = "k"}, {.name = "k.x"}};
	const char *text = found[_i].text;
	struct rp_scan_error err;

	ck_assert_msg(scan_both(rp_span_of(text), wants, 4, &err), "%s: %s", text, err.message);
	check_found(&wants[0], found[_i].kw, text);
	check_found(&wants[1], found[_i].a, text);
	check_found(&wants[2], found[_i].k, text);
	check_found(&wants[3], found[_i].kx, text);
}
END_TEST

START_TEST(escaped_keys_are_compared_decoded)
{
	struct rp_json_want wants[] = {{.name = "\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80"},
				       {.name = "/\n\\\""},
				       {.name = "\xf0\x9f\x98\x81"}};
	struct rp_scan_error err;

	ck_assert(scan_both(rp_span_of("{\"\\u00E4\\u20ac\\uD83D\\ude00\":1,\"\\/"
				       "\\n\\\\\\\"\":2,\"\\ud83d\":3,\"\\ud83d\\ud83d\":4}"),
			    wants, 3, &err));
	check_found(&wants[0], "1", "the first");
	check_found(&wants[1], "2", "the second");
	check_found(&wants[2], NULL, "the third");
}
END_TEST

START_TEST(types_are_told_apart)
{
	static const char text[] =
	    "{\"o\":{},\"a\":[],\"s\":\"\",\"n\":-1,\"t\":true,\"f\":false,\"z\":null}";
	struct rp_json_want wants[] = {{.name = "o"}, {.name = "a"}, {.name = "s"}, {.name = "n"},
				       {.name = "t"}, {.name = "f"}, {.name = "z"}, {.name = "q"}};
	struct rp_scan_error err;

	ck_assert(scan_both(rp_span_of(text), wants, 8, &err));
	ck_assert_int_eq(wants[0].type, RP_JSON_OBJECT);
	ck_assert_int_eq(wants[1].type, RP_JSON_ARRAY);
	ck_assert_int_eq(wants[2].type, RP_JSON_STRING);
	ck_assert_int_eq(wants[3].type, RP_JSON_NUMBER);
	ck_assert_int_eq(wants[4].type, RP_JSON_TRUE);
	ck_assert_int_eq(wants[5].type, RP_JSON_FALSE);
	ck_assert_int_eq(wants[6].type, RP_JSON_NULL);
	ck_assert_int_eq(wants[7].type, RP_JSON_MISSING);
}
END_TEST

/* Every code point's encoding, and every two-byte combination of a lead with a second byte. */
START_TEST(utf8_is_judged_as_in_rfc_3629)
{
	unsigned code, lead, second;
	size_t good, n;
	char unit[4];

	for (code = 0; code < 0x120000; code++) {
		n = utf8_encode(code, unit);
		n = rp_utf8_sequence((struct rp_span){unit, n}, &good) == n;
		require(n == (code <= 0x10ffff && (code < 0xd800 || code > 0xdfff)), "U+%04X",
			code);
	}
	for (lead = 0x80; lead < 0x100; lead++)
		for (second = 0; second < 0x100; second++) {
			unit[0] = (char)lead;
			unit[1] = (char)second;
			n = rp_utf8_sequence((struct rp_span){unit, 2}, &good);
			require(n == 2
				    ? good == 2 && lead >= 0xc2 && lead < 0xe0 && second >> 6 == 2
				    : n == 0,
				"%02x %02x", lead, second);
			require(good < 2 || second >> 6 == 2, "%02x %02x", lead, second);
		}
}
END_TEST

/* xorshift64*: the cases are the same on every machine. */
static uint64_t draw(uint64_t *seed)
{
	*seed ^= *seed >> 12;
	*seed ^= *seed << 25;
	*seed ^= *seed >> 27;
	return *seed * UINT64_C(2685821657736338717);
}

static const char rich[] =
    "{\"run_id\":\"a\\u00e9\\ud83d\\ude00\",\"kwargs\":{\"webhook\":\"http:\\/\\/a.example\\/"
    "?t=1\","
    "\"n\":[0,-1.5e+3,12345678901234567890,null,true,false,{}]},\"status\":\"success\",\"webhook\":"
    "\"x\",\"values\":{\"t\":\"\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80 "
    "tab\\t\",\"e\":[[],[{\"k\":\"v\"}]]}}";

struct seeds {
	char *lines[16];
	size_t n;
};

static void load_seeds(struct seeds *seeds)
{
	FILE *f = fopen("tests/fixtures/langgraph-runs.ndjson", "r");
	size_t size = 0;
	char *line = NULL;

	ck_assert_msg(f != NULL, "run from the top of the source tree");
	seeds->n = 0;
	while (seeds->n < 16 && getline(&line, &size, f) > 0) {
		line[strcspn(line, "\n")] = '\0';
		seeds->lines[seeds->n++] = line;
		line = NULL;
		size = 0;
	}
	free(line);
	fclose(f);
	ck_assert_uint_ge(seeds->n, 8);
}

static void free_seeds(struct seeds *seeds)
{
	while (seeds->n > 0)
		free(seeds->lines[--seeds->n]);
}

static size_t mutate(char *text, size_t len, uint64_t *seed)
{
	static const char structure[] =
	    "{}[]:,\"\\ \t\n0123456789.eE+-tfnu\x00\x1f\x7f\x80\xc3\xe2\xed\xf4\xff";
	unsigned times = 1 + (unsigned)(draw(seed) % 3);
	size_t at, from, n;

	while (times-- > 0 && len > 1) {
		at = draw(seed) % len;
		switch (draw(seed) % 6) {
		case 0:
			text[at] = (char)draw(seed);
			break;
		case 1:
			text[at] ^= (char)(1 << draw(seed) % 8);
			break;
		case 2:
			text[at] = structure[draw(seed) % (sizeof structure - 1)];
			break;
		case 3:
			memmove(text + at, text + at + 1, len - at - 1);
			len--;
			break;
		case 4:
			from = draw(seed) % len;
			n = draw(seed) % 40;
			n = n > len - at ? len - at : n;
			n = n > len - from ? len - from : n;
			memmove(text + at, text + from, n);
			break;
		default:
			len = draw(seed) % 8 == 0 ? at : len;
		}
	}
	return len;
}

static bool is_found_same(const struct rp_json_want *want, const json_t *value)
{
	struct rp_buf text = {0};
	bool same;

	switch (want->type) {
	case RP_JSON_MISSING:
		return value == NULL;
	case RP_JSON_STRING:
		same = json_is_string(value) && rp_json_decode_string(want->raw, &text) &&
		       text.len == json_string_length(value) &&
		       memcmp(text.data, json_string_value(value), text.len) == 0;
		rp_buf_release(&text);
		return same;
	case RP_JSON_OBJECT:
		return json_is_object(value);
	case RP_JSON_ARRAY:
		return json_is_array(value);
	case RP_JSON_NUMBER:
		return json_is_number(value);
	case RP_JSON_TRUE:
		return json_is_true(value);
	case RP_JSON_FALSE:
		return json_is_false(value);
	default:
		return json_is_null(value);
	}
}

/* What the scanner lets pass on purpose and jansson does not: NUL, numbers out of range, lone
 * surrogates. */
static bool is_wanted_difference(const json_error_t *error)
{
	switch (json_error_code(error)) {
	case json_error_null_character:
	case json_error_null_byte_in_key:
	case json_error_numeric_overflow:
		return true;
	default:
		return strstr(error->text, "invalid Unicode") != NULL;
	}
}

static void compare_with_oracle(struct rp_span text)
{
	struct rp_json_want wants[] = {{.name = "run_id"},
				       {.name = "webhook"},
				       {.name = "kwargs.webhook"},
				       {.name = "status"}};
	json_error_t error;
	json_t *root = json_loadb(text.ptr, text.len, 0, &error);
	struct rp_scan_error err;
	bool ok = scan_both(text, wants, 4, &err), at_nul;

	if (!ok) {
		/* jansson swallows a NUL byte behind a number or a word. */
		at_nul = err.offset < text.len && text.ptr[err.offset] == '\0';
		require(!json_is_object(root) || at_nul, "refused (byte %zu: %s), but valid: %.*s",
			err.offset, err.message, (int)text.len, text.ptr);
	} else if (root == NULL) {
		require(is_wanted_difference(&error), "accepted, but %s: %.*s", error.text,
			(int)text.len, text.ptr);
	} else {
		json_t *kwargs = json_object_get(root, "kwargs");
		require(is_found_same(&wants[0], json_object_get(root, "run_id")) &&
			    is_found_same(&wants[1], json_object_get(root, "webhook")) &&
			    is_found_same(&wants[2], json_object_get(kwargs, "webhook")) &&
			    is_found_same(&wants[3], json_object_get(root, "status")),
			"other values are found in %.*s", (int)text.len, text.ptr);
	}
	json_decref(root);
	if (!ok && !err.cut_off) {
		/* What stands before the offending byte is the beginning of something valid, or a
		 * whole object. */
		text.len = err.offset;
		require(scan_both(text, NULL, 0, &err) || err.cut_off, "not a beginning: %.*s",
			(int)text.len, text.ptr);
	}
}

START_TEST(an_independent_parser_agrees_on_mutated_runs)
{
	uint64_t seed = UINT64_C(0x9e3779b97f4a7c15) + (uint64_t)_i;
	struct seeds seeds;
	const char *from;
	char *text;
	size_t len;
	int i;

	load_seeds(&seeds);
	text = malloc(65536);
	ck_assert(text != NULL);
	for (i = 0; i < 30000; i++) {
		from = i % 8 == 0 ? seeds.lines[draw(&seed) % seeds.n] : rich;
		len = strlen(from);
		require(len < 65536, "a fixture of %zu bytes", len);
		memcpy(text, from, len);
		len = mutate(text, len, &seed);
		compare_with_oracle((struct rp_span){text, len});
	}
	free(text);
	free_seeds(&seeds);
}
END_TEST

static void check_beginnings(const char *text)
{
	struct rp_span cut = {text, 0};
	struct rp_scan_error err;

	for (; cut.len < strlen(text); cut.len++)
		require(!scan_both(cut, NULL, 0, &err) && err.cut_off && err.offset == cut.len,
			"at %zu of %s", cut.len, text);
	ck_assert(scan_both(cut, NULL, 0, &err));
}

START_TEST(every_beginning_of_a_run_is_cut_off)
{
	struct seeds seeds;
	size_t i;

	check_beginnings(rich);
	load_seeds(&seeds);
	for (i = 0; i < seeds.n; i++)
		check_beginnings(seeds.lines[i]);
	free_seeds(&seeds);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("scan");
	TCase *tc = tcase_create("scan");

	tcase_set_timeout(tc, 120);
	tcase_add_loop_test(tc, whatever_the_grammar_allows_passes, 0,
			    sizeof valid_values / sizeof valid_values[0]);
	tcase_add_loop_test(tc, whatever_the_grammar_forbids_is_refused_at_the_byte, 0,
			    sizeof invalid_values / sizeof invalid_values[0]);
	tcase_add_loop_test(tc, only_one_object_is_accepted, 0,
			    sizeof not_one_object / sizeof not_one_object[0]);
	tcase_add_test(tc, a_nul_byte_ends_nothing);
	tcase_add_test(tc, a_blank_text_is_cut_off);
	tcase_add_loop_test(tc, depth_1024_passes_and_1025_does_not, 0, 4);
	tcase_add_test(tc, every_level_remembers_its_kind_of_bracket);
	tcase_add_loop_test(tc, members_are_found_with_exactly_their_bytes, 0,
			    sizeof found / sizeof found[0]);
	tcase_add_test(tc, escaped_keys_are_compared_decoded);
	tcase_add_test(tc, types_are_told_apart);
	tcase_add_test(tc, utf8_is_judged_as_in_rfc_3629);
	tcase_add_loop_test(tc, an_independent_parser_agrees_on_mutated_runs, 0, 8);
	tcase_add_test(tc, every_beginning_of_a_run_is_cut_off);
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
