/* run_header.c - checks the headers that an envelope asks for. It is apart because it has rules of
 * its own: a header that would change the meaning of the request is refused before it is stored. */

#include "run/run_header.h"

#include <errno.h>
#include <stdlib.h>

#include "base/assert.h"
#include "text/json.h"
#include "run/run_reject.h"
#include "text/ascii.h"

#define HEADERS_MAX 32
/* bytes of JSON that jansson may make a tree of */
#define HEADERS_RAW_MAX (8 * RP_EXTRA_HEADERS_MAX)

/* RFC 9110, section 5.6.2. */
static bool is_token(struct rp_span s)
{
	size_t i;

	for (i = 0; i < s.len; i++)
		if (!rp_char_is_alnum(s.ptr[i]) && !rp_char_is_one_of(s.ptr[i], "!#$%&'*+-.^_`|~"))
			return false;
	return s.len > 0;
}

/* `pattern` is in lower case; one ending in '-' stands for every name that starts so. */
static bool is_name_like(struct rp_span name, const char *pattern)
{
	size_t len = strlen(pattern), i;

	if (pattern[len - 1] == '-' ? name.len < len : name.len != len)
		return false;
	for (i = 0; i < len; i++)
		if (rp_char_lower(name.ptr[i]) != pattern[i])
			return false;
	return true;
}

const char *rp_header_problem(struct rp_span name, struct rp_span value)
{
	static const char *const owned[] = {"host",       "content-length", "transfer-encoding",
					    "connection", "content-type",   "te",
					    "trailer",    "upgrade",        "keep-alive",
					    "expect",     "user-agent",     "accept-encoding",
					    "proxy-",     "webhook-",       "runpost-"};
	size_t i, blanks = 0;

	if (!is_token(name))
		return "its name is not a header name (letters, digits and '-')";
	for (i = 0; i < sizeof owned / sizeof owned[0]; i++)
		if (is_name_like(name, owned[i]))
			return "this header is set by runpost or by HTTP itself";
	for (i = 0; i < value.len; i++) {
		if (value.ptr[i] == '\r' || value.ptr[i] == '\n')
			return "its value contains a line break";
		if ((unsigned char)value.ptr[i] < 0x20 || value.ptr[i] == 0x7f)
			return "its value contains a control character";
		blanks += value.ptr[i] == ' ';
	}
	return blanks == value.len ? "its value is empty" : NULL;
}

struct header_pack {
	struct rp_parsed_run *run;
	size_t from; /* in run->text */
	size_t count;
};

static bool reject_header(struct rp_parsed_run *run, struct rp_span name, const char *problem)
{
	char shown[33];
	size_t i;

	for (i = 0; i < name.len && i < sizeof shown - 1; i++)
		shown[i] = name.ptr[i] >= ' ' && name.ptr[i] <= '~' ? name.ptr[i] : '?';
	shown[i] = '\0';
	return rp_run_reject(run, "bad_field", "headers: \"%s\": %s", shown, problem);
}

static bool pack_header(void *arg, const char *name_text, const char *value_text)
{
	struct header_pack *pack = arg;
	struct rp_span name = rp_span_of(name_text), value = rp_span_of(value_text);
	struct rp_buf *text = &pack->run->text;
	const char *problem = rp_header_problem(name, value);
	size_t start = text->len, i;
	bool ok;

	if (problem != NULL)
		return reject_header(pack->run, name, problem);
	if (++pack->count > HEADERS_MAX)
		return rp_run_reject(pack->run, "bad_field", "headers: more than %d; send fewer",
				     HEADERS_MAX);
	if (start - pack->from + name.len + value.len + 3 > RP_EXTRA_HEADERS_MAX)
		return rp_run_reject(pack->run, "bad_field",
				     "headers: together more than %d bytes; send fewer",
				     RP_EXTRA_HEADERS_MAX);
	ok = rp_buf_printf(text, "%s: %s\n", name_text, value_text);
	assert(ok); /* reserved */
	(void)ok;
	for (i = 0; i < name.len; i++)
		text->data[start + i] = rp_char_lower(text->data[start + i]);
	return true;
}

bool rp_run_take_headers(struct rp_parsed_run *run, const struct rp_json_want *want)
{
	struct header_pack pack = {run, run->text.len, 0};
	char *bad_name;
	bool ok;

	if (want->type == RP_JSON_MISSING || want->type == RP_JSON_NULL)
		return true;
	if (want->type != RP_JSON_OBJECT)
		return rp_run_reject(
		    run, "bad_field",
		    "headers: must be an object of strings, {\"name\": \"value\"}");
	if (want->raw.len > HEADERS_RAW_MAX)
		return rp_run_reject(run, "bad_field",
				     "headers: together more than %d bytes; send fewer",
				     RP_EXTRA_HEADERS_MAX);
	ok = rp_json_each_string(want->raw, pack_header, &pack, &bad_name);
	if (!ok && errno == ENOMEM)
		rp_run_no_memory(run);
	else if (bad_name != NULL)
		reject_header(run, rp_span_of(bad_name), "its value must be a string");
	else if (!ok && run->status != RP_RUN_REJECTED)
		rp_run_reject(run, "bad_field",
			      "headers: must be strings without \\u0000 and half surrogate pairs");
	free(bad_name);
	if (!ok)
		return false;
	run->headers.ptr = run->text.data + pack.from;
	run->headers.len = run->text.len - pack.from;
	return true;
}

static bool has_header(struct rp_span headers, struct rp_span line)
{
	size_t name_bytes = rp_span_find(line, 0, ':') + 1, from, to;

	for (from = 0; from < headers.len; from = to + 1) {
		to = rp_span_find(headers, from, '\n');
		if (to - from >= name_bytes &&
		    memcmp(headers.ptr + from, line.ptr, name_bytes) == 0)
			return true;
	}
	return false;
}

static size_t count_lines(struct rp_span headers)
{
	size_t n = 0, at;

	for (at = 0; at < headers.len; at = rp_span_find(headers, at, '\n') + 1)
		n++;
	return n;
}

void rp_run_join_headers(struct rp_parsed_run *run, struct rp_span more)
{
	size_t n = count_lines(run->headers), from, to;
	struct rp_span line;
	bool ok;

	assert(more.len == 0 || more.ptr[more.len - 1] == '\n');
	if (more.len > 0 && run->headers.len == 0)
		run->headers.ptr = run->text.data + run->text.len;
	for (from = 0; from < more.len; from = to) {
		to = rp_span_find(more, from, '\n') + 1;
		line = rp_span_part(more, from, to);
		if (++n > HEADERS_MAX || run->headers.len + line.len > RP_EXTRA_HEADERS_MAX ||
		    has_header(run->headers, line))
			return;
		ok = rp_buf_add(&run->text, line.ptr, line.len);
		assert(ok); /* reserved */
		(void)ok;
		run->headers.len += line.len;
	}
}
