/* run.c - parses an input line, as a Run or as an envelope. It is apart from run_header.c because
 * headers have rules of their own. */

#include "run/run.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/assert.h"
#include "base/units.h"
#include "sign/crypto.h"
#include "text/json.h"
#include "run/run_header.h"
#include "run/run_reject.h"
#include "text/scan.h"

/* Bytes of JSON that n bytes of text may take: \u0061 is the longest form. */
#define ESCAPED_MAX(n) (6 * (size_t)(n) + 2)

/* The members of a Run come first: only these are searched for in the `run` of an envelope. */
enum want {
	WANT_KWARGS_WEBHOOK,
	WANT_WEBHOOK,
	WANT_RUN_ID,
	WANT_STATUS,
	WANT_THREAD_ID,
	N_RUN_WANTS,
	WANT_RUN = N_RUN_WANTS,
	WANT_ID,
	WANT_OPERATION,
	WANT_ORDER_BY,
	WANT_NOT_BEFORE,
	WANT_EXPIRES_AT,
	WANT_HEADERS,
	N_WANTS
};

static const char *const want_names[N_WANTS] = {
    [WANT_KWARGS_WEBHOOK] = "kwargs.webhook",
    [WANT_WEBHOOK] = "webhook",
    [WANT_RUN_ID] = "run_id",
    [WANT_STATUS] = "status",
    [WANT_THREAD_ID] = "thread_id",
    [WANT_RUN] = "run",
    [WANT_ID] = "id",
    [WANT_OPERATION] = "operation",
    [WANT_ORDER_BY] = "order_by",
    [WANT_NOT_BEFORE] = "not_before",
    [WANT_EXPIRES_AT] = "expires_at",
    [WANT_HEADERS] = "headers",
};

struct line {
	/* of the line; those from N_RUN_WANTS on count in an envelope only */
	struct rp_json_want outer[N_WANTS];
	struct rp_json_want inner[N_RUN_WANTS]; /* of an envelope's run */
	struct rp_json_want *run;               /* whichever of the two describes the Run */
	bool envelope;
};

void rp_parsed_run_init(struct rp_parsed_run *run)
{
	memset(run, 0, sizeof *run);
}

void rp_parsed_run_release(struct rp_parsed_run *run)
{
	rp_buf_release(&run->text);
	rp_buf_release(&run->url_text);
	rp_buf_release(&run->cut_text);
}

static bool skip(struct rp_parsed_run *run, const char *reason)
{
	run->status = RP_RUN_SKIPPED;
	snprintf(run->reason, sizeof run->reason, "%s", reason);
	return false;
}

static bool is_blank(struct rp_span s)
{
	while (s.len > 0 && strchr(" \t\r\n", s.ptr[s.len - 1]) != NULL && s.ptr[s.len - 1] != '\0')
		s.len--;
	return s.len == 0;
}

static bool is_given(const struct rp_json_want *want)
{
	return want->type != RP_JSON_MISSING && want->type != RP_JSON_NULL;
}

/* Fields are decoded one after another, and spans point to the earlier ones. So the text must not
 * move meanwhile. */
static bool reserve_text(struct rp_parsed_run *run, const struct line *line,
			 const struct rp_run_options *options)
{
	size_t need = is_given(&line->outer[WANT_HEADERS]) ? RP_EXTRA_HEADERS_MAX
							   : options->headers.len,
	       i;
	const struct rp_json_want *want;

	for (i = 0; i < N_WANTS + N_RUN_WANTS; i++) {
		want = i < N_WANTS ? &line->outer[i] : &line->inner[i - N_WANTS];
		if (want->type == RP_JSON_STRING && want->raw.len <= ESCAPED_MAX(RP_URL_MAX))
			need += want->raw.len;
	}
	return rp_buf_reserve(&run->text, need) || rp_run_no_memory(run);
}

static bool scan_line(struct rp_parsed_run *run, struct rp_span text,
		      const struct rp_run_options *options, struct line *line)
{
	struct rp_scan_error err;
	bool again;
	size_t i;

	memset(line, 0, sizeof *line);
	for (i = 0; i < N_WANTS; i++)
		line->outer[i].name = want_names[i];
	for (i = 0; i < N_RUN_WANTS; i++)
		line->inner[i].name = want_names[i];
	if (!rp_scan_object(text, line->outer,
			    options->plain_run ? (size_t)N_RUN_WANTS : (size_t)N_WANTS, &err)) {
		if (err.cut_off)
			return rp_run_reject(
			    run, "bad_json",
			    "after byte %zu: %s; the line is cut off (sent partially?)", err.offset,
			    err.message);
		return rp_run_reject(run, "bad_json", "byte %zu: %s", err.offset + 1, err.message);
	}
	line->run = line->outer;
	run->payload = text;
	line->envelope = line->outer[WANT_RUN].type != RP_JSON_MISSING;
	if (!line->envelope) {
		memset(&line->outer[N_RUN_WANTS], 0,
		       (N_WANTS - N_RUN_WANTS) * sizeof line->outer[0]);
	} else {
		if (line->outer[WANT_RUN].type != RP_JSON_OBJECT)
			return rp_run_reject(
			    run, "bad_field",
			    "run: must be an object, the Run as the engine would POST it");
		line->run = line->inner;
		run->payload = line->outer[WANT_RUN].raw;
		again = rp_scan_object(run->payload, line->inner, N_RUN_WANTS, &err);
		assert(again); /* it was valid as a part of the line */
		(void)again;
	}
	return reserve_text(run, line, options);
}

static struct rp_span unquoted(const struct rp_json_want *want)
{
	struct rp_span s = want->raw;

	if (want->type == RP_JSON_STRING) {
		s.ptr++;
		s.len -= 2;
	}
	return s;
}

/* *out lies in the line itself when nothing is escaped, else in run->text. */
static bool decode(struct rp_parsed_run *run, const struct rp_json_want *want, struct rp_span *out)
{
	size_t from = run->text.len;

	*out = unquoted(want);
	if (memchr(out->ptr, '\\', out->len) == NULL)
		return true;
	if (!rp_json_decode_string(want->raw, &run->text))
		return false;
	out->ptr = run->text.data + from;
	out->len = run->text.len - from;
	return true;
}

static bool decode_string(struct rp_parsed_run *run, const char *name,
			  const struct rp_json_want *want, size_t max_bytes, struct rp_span *out)
{
	if (want->type != RP_JSON_STRING)
		return rp_run_reject(run, "bad_field", "%s: must be a string of at most %zu bytes",
				     name, max_bytes);
	if (want->raw.len > ESCAPED_MAX(max_bytes))
		return rp_run_reject(run, "bad_field",
				     "%s: is too long; at most %zu bytes are accepted", name,
				     max_bytes);
	if (!decode(run, want, out))
		return errno == ENOMEM
			   ? rp_run_no_memory(run)
			   : rp_run_reject(
				 run, "bad_field",
				 "%s: contains \\u0000 or half of a surrogate pair; leave it out",
				 name);
	return true;
}

static bool has_control(struct rp_span s)
{
	size_t i;
	unsigned char c;

	for (i = 0; i < s.len; i++) {
		c = (unsigned char)s.ptr[i];
		if (c < 0x20 || c == 0x7f)
			return true;
		/* U+0080 to U+009F: a terminal may take them for the beginning of a command. */
		if (c == 0xc2 && i + 1 < s.len && (unsigned char)s.ptr[i + 1] < 0xa0)
			return true;
	}
	return false;
}

static bool check_field(struct rp_parsed_run *run, const char *name, struct rp_span value)
{
	if (value.len > RP_FIELD_MAX)
		return rp_run_reject(run, "bad_field", "%s: has %zu bytes; at most %d are accepted",
				     name, value.len, RP_FIELD_MAX);
	if (has_control(value))
		return rp_run_reject(run, "bad_field",
				     "%s: contains a control character; leave it out", name);
	return true;
}

/* `given` by the caller goes before the line's member; neither leaves *out empty. */
static bool take_field(struct rp_parsed_run *run, const char *name, struct rp_span given,
		       const struct rp_json_want *want, struct rp_span *out)
{
	*out = given;
	if (given.len == 0 && is_given(want) && !decode_string(run, name, want, RP_FIELD_MAX, out))
		return false;
	return check_field(run, name, *out);
}

static bool take_run_id(struct rp_parsed_run *run, const struct line *line)
{
	const struct rp_json_want *want = &line->run[WANT_RUN_ID];
	const struct rp_span none = {NULL, 0};

	return want->type != RP_JSON_STRING ||
	       take_field(run, line->envelope ? "run.run_id" : "run_id", none, want, &run->run_id);
}

/* What only serves to find the entry again costs no run its delivery: a value that is no fit
 * string is left out. */
static struct rp_span take_label(struct rp_parsed_run *run, const struct rp_json_want *want,
				 size_t max_bytes)
{
	const struct rp_span none = {NULL, 0};
	struct rp_span out;

	if (want->type != RP_JSON_STRING || want->raw.len > ESCAPED_MAX(max_bytes) ||
	    !decode(run, want, &out))
		return none;
	return out.len <= max_bytes && !has_control(out) ? out : none;
}

static bool take_time(struct rp_parsed_run *run, const char *name, int64_t given_at_ms,
		      const struct rp_json_want *want, int64_t *out_at_ms)
{
	struct rp_span text;

	*out_at_ms = given_at_ms;
	if (given_at_ms != 0 || !is_given(want))
		return true;
	if (!decode_string(run, name, want, RP_FIELD_MAX, &text))
		return false;
	if (!rp_time_parse(text, out_at_ms) || *out_at_ms <= 0)
		return rp_run_reject(run, "bad_field",
				     "%s: must be a time after 1970 as in RFC 3339, for example "
				     "\"2026-11-23T12:00:00Z\"",
				     name);
	return true;
}

static bool parse_url(struct rp_parsed_run *run, const char *member, struct rp_span url)
{
	struct rp_error err;
	enum rp_err rc = rp_url_accept(url, &run->url_text, &run->url, &run->parts, &err);

	if (rc == RP_ERR_NOMEM)
		return rp_run_no_memory(run);
	return rc == RP_OK || rp_run_reject(run, "bad_url", "%s: %s", member, err.text);
}

static bool take_url(struct rp_parsed_run *run, const struct line *line,
		     const struct rp_run_options *options)
{
	const struct {
		const char *member;
		const struct rp_json_want *want;
	} members[] = {
	    {"webhook", line->envelope ? &line->outer[WANT_WEBHOOK] : NULL},
	    {line->envelope ? "run.kwargs.webhook" : "kwargs.webhook",
	     &line->run[WANT_KWARGS_WEBHOOK]},
	    {line->envelope ? "run.webhook" : "webhook", &line->run[WANT_WEBHOOK]},
	};
	struct rp_span url;
	size_t i;

	if (options->url.len > 0)
		return parse_url(run, "webhook", options->url);
	for (i = 0; i < sizeof members / sizeof members[0]; i++) {
		if (members[i].want == NULL || !is_given(members[i].want))
			continue;
		if (members[i].want->type == RP_JSON_STRING &&
		    members[i].want->raw.len > ESCAPED_MAX(RP_URL_MAX))
			return rp_run_reject(run, "bad_url",
					     "%s: is too long; at most %d bytes are accepted",
					     members[i].member, RP_URL_MAX);
		return decode_string(run, members[i].member, members[i].want, RP_URL_MAX, &url) &&
		       parse_url(run, members[i].member, url);
	}
	if (options->default_url.len > 0)
		return parse_url(run, "default webhook", options->default_url);
	return skip(run, "the run names no webhook");
}

static void put_digest(struct rp_writer *w, const struct rp_span *parts, size_t n_parts,
		       size_t bytes)
{
	unsigned char digest[RP_SHA256_BYTES];

	rp_sha256(parts, n_parts, digest);
	rp_put_bytes(w, digest, bytes);
}

/* The key is one of: 'i' id | 'r' run_id NUL 16 bytes of digest | 'h' digest. The status counts as
 * it is spelled: it may be of any type and length. */
static void make_dedupe_key(struct rp_parsed_run *run, struct rp_span id,
			    const struct rp_json_want *status, struct rp_span line,
			    struct rp_span given_url)
{
	const struct rp_span nul = {"", 1};
	const struct rp_span named[] = {run->url, nul, unquoted(status)},
			     whole[] = {line, nul, given_url};
	struct rp_writer w = rp_writer_of(run->dedupe_key, sizeof run->dedupe_key);

	if (id.len > 0) {
		rp_put_u8(&w, 'i');
		rp_put_bytes(&w, id.ptr, id.len);
	} else if (run->run_id.len > 0) {
		rp_put_u8(&w, 'r');
		rp_put_bytes(&w, run->run_id.ptr, run->run_id.len);
		rp_put_u8(&w, 0);
		put_digest(&w, named, 3, 16);
	} else {
		rp_put_u8(&w, 'h');
		put_digest(&w, whole, given_url.len > 0 ? 3 : 1, RP_SHA256_BYTES);
	}
	assert(w.ok);
	run->dedupe_key_bytes = (size_t)(w.at - run->dedupe_key);
}

static bool take_id(struct rp_parsed_run *run, const struct line *line, struct rp_span given,
		    struct rp_span *out)
{
	const struct rp_json_want *want = &line->outer[WANT_ID];

	if (!take_field(run, "id", given, want, out))
		return false;
	if (is_given(want) && out->len == 0)
		return rp_run_reject(run, "bad_field",
				     "id: is empty; give 1 to %d bytes or leave it out",
				     RP_FIELD_MAX);
	return true;
}

static bool take_times(struct rp_parsed_run *run, const struct line *line,
		       const struct rp_run_options *options)
{
	if (!take_time(run, "not_before", options->not_before_at_ms, &line->outer[WANT_NOT_BEFORE],
		       &run->not_before_at_ms) ||
	    !take_time(run, "expires_at", options->expires_at_ms, &line->outer[WANT_EXPIRES_AT],
		       &run->expires_at_ms))
		return false;
	if (run->expires_at_ms != 0 && run->expires_at_ms <= run->not_before_at_ms)
		return rp_run_reject(
		    run, "bad_field",
		    "expires_at: is not after not_before, so the run could never be sent");
	return true;
}

static bool cut_payload(struct rp_parsed_run *run, const struct rp_run_cuts *by)
{
	const struct rp_cuts *cuts = by->find(by->arg, &run->parts);
	bool cut;

	if (cuts->n == 0)
		return true;
	run->cut_text.max = SIZE_MAX; /* a payload may be as long as a line */
	if (!rp_cut(run->payload, cuts, &run->cut_text, &cut))
		return rp_run_no_memory(run);
	if (cut)
		run->payload = (struct rp_span){run->cut_text.data, run->cut_text.len};
	return true;
}

static void reset_run(struct rp_parsed_run *run)
{
	struct rp_buf text = run->text, url_text = run->url_text, cut_text = run->cut_text;

	rp_buf_clear(&text);
	rp_buf_clear(&url_text);
	rp_buf_clear(&cut_text);
	memset(run, 0, sizeof *run);
	run->text = text;
	run->url_text = url_text;
	run->cut_text = cut_text;
}

void rp_parse_run(struct rp_parsed_run *run, struct rp_span text,
		  const struct rp_run_options *options)
{
	struct line line;
	struct rp_span id;

	reset_run(run);
	if (is_blank(text)) {
		skip(run, "blank line");
		return;
	}
	if (!scan_line(run, text, options, &line) || !take_run_id(run, &line) ||
	    !take_url(run, &line, options) || !take_id(run, &line, options->dedupe_id, &id) ||
	    !take_field(run, "operation", options->operation, &line.outer[WANT_OPERATION],
			&run->operation) ||
	    !take_field(run, "order_by", options->order_by, &line.outer[WANT_ORDER_BY],
			&run->order_by) ||
	    !take_times(run, &line, options) ||
	    !rp_run_take_headers(run, &line.outer[WANT_HEADERS]))
		return;
	rp_run_join_headers(run, options->headers);
	run->thread_id = take_label(run, &line.run[WANT_THREAD_ID], RP_FIELD_MAX);
	run->event = take_label(run, &line.run[WANT_STATUS], RP_EVENT_MAX);
	make_dedupe_key(run, id, &line.run[WANT_STATUS], text, options->url);
	if (options->cuts.find != NULL && !cut_payload(run, &options->cuts))
		return;
	run->status = RP_RUN_OK;
}
