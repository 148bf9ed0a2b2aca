/* Lines of input: the scanner against jansson, and what rp_parse_run makes of a line. The first
 * byte chooses options. */
#include "fuzz.h"

#include <jansson.h>

#include "text/json.h"
#include "run/run.h"
#include "text/scan.h"

/* The scanner a second time, without SSE2. */
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

enum { N_WANTED = 5 };
static const char *const wanted[N_WANTED] = {"webhook", "run_id", "kwargs.webhook", "a", "run"};

static bool scan_both(struct rp_span text, struct rp_json_want *wants)
{
	struct rp_json_want other[N_WANTED];
	struct rp_scan_error err = {0}, other_err = {0};
	size_t i;
	bool ok;

	memset(wants, 0, N_WANTED * sizeof *wants);
	memset(other, 0, sizeof other);
	for (i = 0; i < N_WANTED; i++)
		wants[i].name = other[i].name = wanted[i];
	ok = rp_scan_object(text, wants, N_WANTED, &err);
	MUST(ok == portable_scan_object(text, other, N_WANTED, &other_err),
	     "the two builds disagree");
	if (!ok) {
		MUST(err.offset == other_err.offset &&
			 strcmp(err.message, other_err.message) == 0 &&
			 err.cut_off == other_err.cut_off,
		     "two reasons: %zu %s, %zu %s", err.offset, err.message, other_err.offset,
		     other_err.message);
		MUST(err.offset <= text.len && (!err.cut_off || err.offset == text.len),
		     "offset %zu of %zu", err.offset, text.len);
		return false;
	}
	for (i = 0; i < N_WANTED; i++)
		MUST(wants[i].type == other[i].type && fuzz_same(wants[i].raw, other[i].raw), "%s",
		     wanted[i]);
	return true;
}

/* What the scanner accepts on purpose and jansson does not: RFC 8259 leaves these to the reader. */
static bool is_known_difference(const json_error_t *error)
{
	switch (json_error_code(error)) {
	case json_error_numeric_overflow:
	case json_error_null_byte_in_key:
	case json_error_null_character:
		return true;
	default:
		return strstr(error->text, "Unicode") != NULL && strstr(error->text, "\\u") != NULL;
	}
}

static json_t *lookup(json_t *tree, const char *name)
{
	const char *dot = strchr(name, '.');
	char outer[32];

	if (dot == NULL)
		return json_object_get(tree, name);
	snprintf(outer, sizeof outer, "%.*s", (int)(dot - name), name);
	tree = json_object_get(tree, outer);
	return json_is_object(tree) ? json_object_get(tree, dot + 1) : NULL;
}

static enum rp_json_type type_in_tree(const json_t *v)
{
	if (v == NULL)
		return RP_JSON_MISSING;
	switch (json_typeof(v)) {
	case JSON_OBJECT:
		return RP_JSON_OBJECT;
	case JSON_ARRAY:
		return RP_JSON_ARRAY;
	case JSON_STRING:
		return RP_JSON_STRING;
	case JSON_INTEGER:
	case JSON_REAL:
		return RP_JSON_NUMBER;
	case JSON_TRUE:
		return RP_JSON_TRUE;
	case JSON_FALSE:
		return RP_JSON_FALSE;
	case JSON_NULL:
		return RP_JSON_NULL;
	}
	return RP_JSON_MISSING;
}

static void check_wants(json_t *tree, const struct rp_json_want *wants)
{
	struct rp_buf text = {0};
	size_t i;

	for (i = 0; i < N_WANTED; i++) {
		json_t *value = lookup(tree, wants[i].name);

		MUST(wants[i].type == type_in_tree(value), "%s has type %d", wants[i].name,
		     wants[i].type);
		if (wants[i].type != RP_JSON_STRING)
			continue;
		rp_buf_clear(&text);
		if (!rp_json_decode_string(wants[i].raw, &text)) { /* an escaped NUL */
			MUST(memchr(json_string_value(value), '\0', json_string_length(value)) !=
				 NULL,
			     "no text");
			continue;
		}
		MUST(fuzz_same(
			 (struct rp_span){text.data, text.len},
			 (struct rp_span){json_string_value(value), json_string_length(value)}),
		     "%s has another text", wants[i].name);
	}
	rp_buf_release(&text);
}

static void against_jansson(struct rp_span text)
{
	struct rp_json_want wants[N_WANTED];
	json_error_t error;
	json_t *tree = json_loadb(text.ptr, text.len, JSON_ALLOW_NUL, &error);
	bool ok = scan_both(text, wants);

	if (tree != NULL && json_is_object(tree)) {
		/* jansson goes deeper, 2048 levels, and reads over a NUL between tokens */
		MUST(ok || text.len > RP_SCAN_DEPTH_MAX || memchr(text.ptr, '\0', text.len) != NULL,
		     "only jansson accepts it");
		if (ok)
			check_wants(tree, wants);
	} else {
		MUST(!ok || (tree == NULL && is_known_difference(&error)),
		     "only the scanner accepts it: %s", tree == NULL ? error.text : "no object");
	}
	json_decref(tree);
}

static bool is_in(struct rp_span part, struct rp_span whole)
{
	return part.len == 0 ||
	       (part.ptr >= whole.ptr && part.ptr + part.len <= whole.ptr + whole.len);
}

static void check_headers(struct rp_span headers)
{
	struct fuzz_input in = {(const uint8_t *)headers.ptr, headers.len};

	MUST(headers.len <= RP_EXTRA_HEADERS_MAX, "%zu bytes of headers", headers.len);
	MUST(headers.len == 0 || headers.ptr[headers.len - 1] == '\n', "cut off");
	while (in.left > 0) {
		struct rp_span line = fuzz_until(&in, '\n'), name = line, value = line;
		const char *colon = memmem(line.ptr, line.len, ": ", 2);
		size_t i;

		MUST(colon != NULL, "no colon");
		name.len = (size_t)(colon - line.ptr);
		value.ptr = colon + 2;
		value.len = line.len - name.len - 2;
		MUST(rp_header_problem(name, value) == NULL, "a bad header");
		for (i = 0; i < line.len; i++)
			MUST((unsigned char)line.ptr[i] >= 0x20 && line.ptr[i] != 0x7f,
			     "a control byte");
		for (i = 0; i < name.len; i++)
			MUST(name.ptr[i] < 'A' || name.ptr[i] > 'Z', "upper case");
	}
}

static void check_ok(const struct rp_parsed_run *run, struct rp_span line)
{
	struct rp_span text = {run->text.data, run->text.len};
	struct rp_url url;

	MUST(run->payload.len > 0 && is_in(run->payload, line),
	     "the payload is no part of the line");
	MUST(rp_url_parse(run->url, &url, NULL) == RP_OK && run->url.len <= RP_URL_MAX,
	     "an URL that is none");
	MUST(is_in(run->run_id, line) || is_in(run->run_id, text), "run_id");
	MUST(run->run_id.len <= RP_FIELD_MAX && run->operation.len <= RP_FIELD_MAX &&
		 run->order_by.len <= RP_FIELD_MAX,
	     "too long");
	MUST(run->dedupe_key_bytes > 0 && run->dedupe_key_bytes <= RP_DEDUPE_KEY_MAX,
	     "no dedupe key");
	MUST(run->not_before_at_ms >= 0 && run->expires_at_ms >= 0 &&
		 (run->expires_at_ms == 0 || run->expires_at_ms > run->not_before_at_ms),
	     "times");
	check_headers(run->headers);
}

static void check_reason(const struct rp_parsed_run *run)
{
	static const char *const codes[] = {"bad_json", "bad_url", "too_large", "bad_field"};
	size_t i, n = strlen(run->reason);
	bool known = run->status == RP_RUN_SKIPPED;

	for (i = 0; !known && i < sizeof codes / sizeof codes[0]; i++)
		known = strcmp(run->code, codes[i]) == 0;
	MUST(known && n > 0 && n < sizeof run->reason, "no reason");
	for (i = 0; i < n; i++)
		MUST((unsigned char)run->reason[i] >= 0x20 && run->reason[i] != 0x7f,
		     "a control byte in a reason");
}

static const struct rp_cuts *find_cuts(const void *arg, const struct rp_url *url)
{
	(void)url;
	return arg;
}

/* The same run without some of its members. */
static void check_cut(struct rp_span line, struct rp_run_options options,
		      const struct rp_parsed_run *whole)
{
	static const struct rp_cuts cuts = {.paths = {"kwargs.webhook", "a"}, .n = 2};
	struct rp_json_want wants[] = {{.name = "kwargs.webhook"}, {.name = "a"}};
	struct rp_scan_error err;
	struct rp_parsed_run run;

	options.cuts = (struct rp_run_cuts){find_cuts, &cuts};
	rp_parsed_run_init(&run);
	rp_parse_run(&run, line, &options);
	MUST(run.status == RP_RUN_OK && run.payload.len <= whole->payload.len, "%d", run.status);
	MUST(rp_scan_object(run.payload, wants, 2, &err), "%s", err.message);
	MUST(wants[0].type == RP_JSON_MISSING && wants[1].type == RP_JSON_MISSING, "still there");
	MUST(fuzz_same(run.url, whole->url) && fuzz_same(run.run_id, whole->run_id) &&
		 run.dedupe_key_bytes == whole->dedupe_key_bytes &&
		 memcmp(run.dedupe_key, whole->dedupe_key, run.dedupe_key_bytes) == 0,
	     "another run");
	rp_parsed_run_release(&run);
}

static void parse_run(struct rp_span line, unsigned flags)
{
	struct rp_run_options options = {.plain_run = (flags & 1) != 0};
	struct rp_parsed_run run, again;

	if (flags & 2)
		options.default_url = rp_span_of("https://a.example/in?k=secret");
	if (flags & 4)
		options.url = rp_span_of("http://[2001:db8::1]:8080/");
	if (flags & 8)
		options.dedupe_id = rp_span_of("one");
	if (flags & 16)
		options.order_by = rp_span_of("thread");
	rp_parsed_run_init(&run);
	rp_parsed_run_init(&again);
	rp_parse_run(&run, line, &options);
	rp_parse_run(&again, line, &options);
	rp_parse_run(&again, line, &options); /* reused */
	MUST(run.status == again.status && strcmp(run.reason, again.reason) == 0 &&
		 run.dedupe_key_bytes == again.dedupe_key_bytes &&
		 memcmp(run.dedupe_key, again.dedupe_key, run.dedupe_key_bytes) == 0 &&
		 fuzz_same(run.url, again.url) && fuzz_same(run.headers, again.headers),
	     "not the same the second time");
	if (run.status == RP_RUN_OK) {
		check_ok(&run, line);
		check_cut(line, options, &run);
	} else {
		check_reason(&run);
	}
	rp_parsed_run_release(&run);
	rp_parsed_run_release(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input in = {data, size};
	unsigned flags = fuzz_byte(&in);
	struct rp_span line = fuzz_rest(&in);
	char *copy = fuzz_copy(line);

	line.ptr = copy;
	against_jansson(line);
	if (memchr(copy, '\n', line.len) == NULL)
		parse_run(line, flags);
	free(copy);
	return 0;
}
