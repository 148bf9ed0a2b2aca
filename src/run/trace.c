/* trace.c - reads and packs the headers of W3C Trace Context. It is apart from run_header.c because
 * these headers have a grammar of their own, and what breaks it is left out, not refused. */

#include "run/trace.h"

#include "text/ascii.h"

#define TRACE_ID_AT 3
#define PARENT_ID_AT 36
#define PARENT_ID_DIGITS 16
#define FLAGS_AT 53
#define PARENT_BYTES 55 /* of version 00 */
#define STATE_MEMBERS_MAX 32
#define STATE_PART_MAX 256 /* bytes of a key, and of a value */

static const char parent_name[] = "traceparent", state_name[] = "tracestate";

static bool is_printable(struct rp_span s, char from)
{
	size_t i;

	for (i = 0; i < s.len; i++)
		if (s.ptr[i] < from || s.ptr[i] > '~')
			return false;
	return true;
}

static bool is_lower_hex(struct rp_span s)
{
	size_t i;

	for (i = 0; i < s.len; i++)
		if (rp_char_hex(s.ptr[i]) < 0 || rp_char_lower(s.ptr[i]) != s.ptr[i])
			return false;
	return true;
}

static bool is_id(struct rp_span s)
{
	size_t i = 0;

	while (i < s.len && s.ptr[i] == '0')
		i++;
	return i < s.len && is_lower_hex(s);
}

bool rp_trace_parent_is_valid(struct rp_span v)
{
	struct rp_span version;

	if (v.len < PARENT_BYTES || v.ptr[TRACE_ID_AT - 1] != '-' ||
	    v.ptr[PARENT_ID_AT - 1] != '-' || v.ptr[FLAGS_AT - 1] != '-')
		return false;
	version = rp_span_part(v, 0, 2);
	if (!is_lower_hex(version) || rp_span_is(version, "ff") ||
	    !is_id(rp_span_part(v, TRACE_ID_AT, TRACE_ID_AT + RP_TRACE_ID_DIGITS)) ||
	    !is_id(rp_span_part(v, PARENT_ID_AT, PARENT_ID_AT + PARENT_ID_DIGITS)) ||
	    !is_lower_hex(rp_span_part(v, FLAGS_AT, PARENT_BYTES)))
		return false;
	if (v.len == PARENT_BYTES)
		return true;
	return !rp_span_is(version, "00") && v.ptr[PARENT_BYTES] == '-' &&
	       is_printable(rp_span_part(v, PARENT_BYTES, v.len), '!');
}

static struct rp_span trimmed(struct rp_span s)
{
	while (s.len > 0 && s.ptr[0] == ' ')
		s = rp_span_part(s, 1, s.len);
	while (s.len > 0 && s.ptr[s.len - 1] == ' ')
		s.len--;
	return s;
}

/* Level 2, which allows what level 1 does: a tenant and a system with '@' between them, too. */
static bool is_key(struct rp_span s)
{
	size_t i;

	for (i = 0; i < s.len; i++)
		if (rp_char_lower(s.ptr[i]) != s.ptr[i] ||
		    (!rp_char_is_alnum(s.ptr[i]) &&
		     (i == 0 || !rp_char_is_one_of(s.ptr[i], "_-*/@"))))
			return false;
	return s.len > 0 && s.len <= STATE_PART_MAX;
}

static bool is_member(struct rp_span s)
{
	size_t equals = rp_span_find(s, 0, '=');

	return equals < s.len && is_key(rp_span_part(s, 0, equals)) && s.len - equals - 1 > 0 &&
	       s.len - equals - 1 <= STATE_PART_MAX && rp_span_find(s, equals + 1, '=') == s.len;
}

bool rp_trace_state_is_valid(struct rp_span v)
{
	size_t from, to, n = 0;
	struct rp_span member;

	if (v.len > RP_TRACE_STATE_MAX || !is_printable(v, ' '))
		return false;
	for (from = 0; from < v.len; from = to + 1) {
		to = rp_span_find(v, from, ',');
		member = trimmed(rp_span_part(v, from, to));
		if (member.len == 0)
			continue;
		if (++n > STATE_MEMBERS_MAX || !is_member(member))
			return false;
	}
	return n > 0;
}

static bool add_line(struct rp_buf *out, const char *name, struct rp_span value)
{
	return rp_buf_add_text(out, name) && rp_buf_add_text(out, ": ") &&
	       rp_buf_add(out, value.ptr, value.len) && rp_buf_add_char(out, '\n');
}

bool rp_trace_pack(struct rp_span traceparent, struct rp_span tracestate, struct rp_buf *out)
{
	return !rp_trace_parent_is_valid(traceparent) ||
	       (add_line(out, parent_name, traceparent) &&
		(!rp_trace_state_is_valid(tracestate) || add_line(out, state_name, tracestate)));
}

struct rp_span rp_trace_id(struct rp_span headers)
{
	const size_t name_bytes = sizeof parent_name - 1;
	const struct rp_span none = {NULL, 0};
	struct rp_span line;
	size_t from, to;

	for (from = 0; from < headers.len; from = to + 1) {
		to = rp_span_find(headers, from, '\n');
		line = rp_span_part(headers, from, to);
		if (line.len < name_bytes + 2 || memcmp(line.ptr, parent_name, name_bytes) != 0 ||
		    line.ptr[name_bytes] != ':' || line.ptr[name_bytes + 1] != ' ')
			continue;
		line = trimmed(rp_span_part(line, name_bytes + 2, line.len));
		if (rp_trace_parent_is_valid(line))
			return rp_span_part(line, TRACE_ID_AT, TRACE_ID_AT + RP_TRACE_ID_DIGITS);
	}
	return none;
}
