/* request.c - parses HTTP requests as their bytes arrive. It is a parser of its own, so that it
 * does not share a mistake with what sends the requests. */

#include "http_server/request.h"

#include "base/assert.h"
#include "text/ascii.h"

#define CHUNK_LINE_MAX 256
/* More than a size needs, of all chunk lines together: else a byte of a body could cost a line. */
#define CHUNK_SIZE_BYTES 16
#define CHUNK_EXTRA_MAX 8192
#define TRAILER_MAX 8192

/* RFC 9110 5.6.2: tchar */
static const bool token_char[256] = {
    ['!'] = true,         ['#'] = true,         ['$'] = true,         ['%'] = true, ['&'] = true,
    ['\''] = true,        ['*'] = true,         ['+'] = true,         ['-'] = true, ['.'] = true,
    ['^'] = true,         ['_'] = true,         ['`'] = true,         ['|'] = true, ['~'] = true,
    ['0' ... '9'] = true, ['A' ... 'Z'] = true, ['a' ... 'z'] = true,
};

/* Where the next request would begin is anybody's guess. */
static enum rp_http_progress fail(struct rp_http_request *r, int status, const char *text)
{
	r->keep_alive = false;
	r->bad_status = status;
	r->bad_text = text;
	return RP_HTTP_BAD;
}

static bool is_token(struct rp_span s)
{
	size_t i;

	for (i = 0; i < s.len; i++)
		if (!token_char[(unsigned char)s.ptr[i]])
			return false;
	return s.len > 0;
}

/* None of a value's bytes, quoted or not. */
static bool is_control(char c)
{
	return ((unsigned char)c < 0x20 && c != '\t') || c == 0x7f;
}

static bool is_word(struct rp_span s, const char *word)
{
	return rp_span_same_but_case(s, rp_span_of(word));
}

static struct rp_span trimmed(struct rp_span s)
{
	while (s.len > 0 && (s.ptr[0] == ' ' || s.ptr[0] == '\t')) {
		s.ptr++;
		s.len--;
	}
	while (s.len > 0 && (s.ptr[s.len - 1] == ' ' || s.ptr[s.len - 1] == '\t'))
		s.len--;
	return s;
}

/* DONE: *line is the next line without its CRLF and `at` stands behind it. */
static enum rp_http_progress take_line(struct rp_http_request *r, size_t line_max,
				       int too_long_status, struct rp_span *line)
{
	const char *from = r->base + r->at, *lf;

	if (r->scanned < r->at)
		r->scanned = r->at;
	lf = memchr(r->base + r->scanned, '\n', r->have - r->scanned);
	r->scanned = lf != NULL ? (size_t)(lf - r->base) + 1 : r->have;
	if (r->scanned - r->at > line_max)
		return fail(r, too_long_status,
			    "the head or a line of the chunked framing is too long");
	if (lf == NULL)
		return RP_HTTP_MORE;
	if (lf == from || lf[-1] != '\r')
		return fail(r, 400, "a line ends in a bare line feed; HTTP lines end in CR LF");
	line->ptr = from;
	line->len = (size_t)(lf - from) - 1;
	r->at = r->scanned;
	return RP_HTTP_DONE;
}

static struct rp_http_part part_of(const struct rp_http_request *r, struct rp_span s)
{
	struct rp_http_part part = {(uint32_t)(s.ptr - r->base), (uint32_t)s.len};

	return part;
}

/* RFC 9110 7.2: a host of a URI and perhaps a port. Without the comma of a reg-name: with it a
 * proxy joins two Host fields. */
static bool is_host(struct rp_span s)
{
	size_t i = 0;

	if (s.len > 0 && s.ptr[0] == '[') {
		for (i = 1; i < s.len && s.ptr[i] != ']'; i++)
			if (rp_char_hex(s.ptr[i]) < 0 && s.ptr[i] != ':' && s.ptr[i] != '.')
				return false;
		if (i++ < 3)
			return false;
	}
	while (i < s.len && s.ptr[0] != '[' && s.ptr[i] != ':') {
		if (s.ptr[i] == '%' && s.len - i > 2 && rp_char_hex(s.ptr[i + 1]) >= 0 &&
		    rp_char_hex(s.ptr[i + 2]) >= 0)
			i += 3;
		else if (rp_char_is_alnum(s.ptr[i]) ||
			 rp_char_is_one_of(s.ptr[i], "-._~!$&'()*+;="))
			i++;
		else
			return false;
	}
	if (i < s.len && s.ptr[i] == ':')
		for (i++; i < s.len && rp_char_is_digit(s.ptr[i]);)
			i++;
	return i == s.len;
}

/* RFC 9112 3.2.2: servers must take the absolute form although clients send it only to proxies. An
 * empty path is "/", for which the authority makes room. */
static bool cut_to_path(struct rp_http_request *r, struct rp_span *target)
{
	char *bytes = r->base + (target->ptr - r->base);
	size_t at = 7, end = at;

	while (end < target->len && bytes[end] != '/' && bytes[end] != '?')
		end++;
	if (end == at || bytes[at] == ':' || !is_host(rp_span_part(*target, at, end)))
		return false;
	if (end == target->len || bytes[end] == '?') {
		memmove(bytes + at - 1, bytes + at, end - at);
		at--;
		bytes[--end] = '/';
	}
	r->authority = part_of(r, rp_span_part(*target, at, end));
	*target = rp_span_part(*target, end, target->len);
	return true;
}

static bool set_target(struct rp_http_request *r, struct rp_span target)
{
	size_t i;

	/* A fragment is for the client alone; some readers would cut it off. */
	for (i = 0; i < target.len; i++)
		if ((unsigned char)target.ptr[i] <= 0x20 || (unsigned char)target.ptr[i] >= 0x7f ||
		    target.ptr[i] == '#')
			return false;
	if (target.len > 7 && is_word(rp_span_part(target, 0, 7), "http://") &&
	    !cut_to_path(r, &target))
		return false;
	r->target = part_of(r, target);
	if (rp_span_is(target, "*"))
		return rp_span_is(rp_http_request_span(r, r->method), "OPTIONS");
	return target.len > 0 && target.ptr[0] == '/' &&
	       !rp_span_is(rp_http_request_span(r, r->method), "CONNECT");
}

static bool is_version(struct rp_span s)
{
	return s.len == 8 && memcmp(s.ptr, "HTTP/", 5) == 0 && rp_char_is_digit(s.ptr[5]) &&
	       s.ptr[6] == '.' && rp_char_is_digit(s.ptr[7]);
}

static enum rp_http_progress take_request_line(struct rp_http_request *r, struct rp_span line)
{
	size_t sp = rp_span_find(line, 0, ' '), sp2 = rp_span_find(line, sp + 1, ' ');
	struct rp_span method = rp_span_part(line, 0, sp), version;

	if (sp2 >= line.len || !is_token(method))
		return fail(r, 400, "the first line is no request line (METHOD target HTTP/1.1)");
	r->method = part_of(r, method);
	r->is_head = rp_span_is(method, "HEAD");
	version = rp_span_part(line, sp2 + 1, line.len);
	if (!is_version(version))
		return fail(r, 400, "the request line does not end in an HTTP version");
	if (!rp_span_is(version, "HTTP/1.1") && !rp_span_is(version, "HTTP/1.0"))
		return fail(r, 505, "only HTTP/1.1 and HTTP/1.0 are spoken here");
	if (!set_target(r, rp_span_part(line, sp + 1, sp2)))
		return fail(r, 400,
			    "the request target is neither a path nor an http URL with a host");
	r->http_1_0 = version.ptr[7] == '0';
	r->phase = RP_HTTP_AT_FIELDS;
	return RP_HTTP_DONE;
}

/* A length beyond 2^63 saturates: it is over any limit. */
static bool parse_length(struct rp_span s, uint64_t *out)
{
	uint64_t v = 0;
	size_t i;

	for (i = 0; i < s.len; i++) {
		if (!rp_char_is_digit(s.ptr[i]))
			return false;
		v = v > (INT64_MAX - 9) / 10 ? INT64_MAX : v * 10 + (uint64_t)(s.ptr[i] - '0');
	}
	*out = v;
	return s.len > 0;
}

static void note_connection(struct rp_http_request *r, struct rp_span value)
{
	size_t at, end;

	for (at = 0; at < value.len; at = end + 1) {
		struct rp_span word;

		end = rp_span_find(value, at, ',');
		word = trimmed(rp_span_part(value, at, end));
		r->said_close = r->said_close || is_word(word, "close");
		r->said_keep_alive = r->said_keep_alive || is_word(word, "keep-alive");
	}
}

static enum rp_http_progress note_field(struct rp_http_request *r, struct rp_span name,
					struct rp_span value)
{
	uint64_t length;

	if (rp_span_is(name, "host")) {
		if (!is_host(value))
			return fail(r, 400, "Host is no host with an optional port");
		r->hosts++;
	} else if (rp_span_is(name, "content-length")) {
		if (!parse_length(value, &length) || (r->has_length && length != r->left))
			return fail(r, 400, "Content-Length is not one decimal number");
		r->has_length = true;
		r->left = length;
	} else if (rp_span_is(name, "transfer-encoding")) {
		if (!is_word(value, "chunked") || r->chunked)
			return fail(r, 501,
				    "the only Transfer-Encoding understood is one \"chunked\"");
		r->chunked = true;
	} else if (rp_span_is(name, "connection")) {
		note_connection(r, value);
	} else if (rp_span_is(name, "expect")) {
		if (!is_word(value, "100-continue"))
			return fail(r, 417, "the only Expect understood is 100-continue");
		r->expect_continue = true;
	}
	return RP_HTTP_DONE;
}

/* Of a head or a trailer. */
static enum rp_http_progress read_field(struct rp_http_request *r, struct rp_span line,
					struct rp_span *name, struct rp_span *value)
{
	size_t colon = rp_span_find(line, 0, ':'), i;

	if (colon == line.len)
		return fail(r, 400, "a header line has no colon");
	*name = rp_span_part(line, 0, colon);
	if (!is_token(*name))
		return fail(
		    r, 400,
		    "a header name holds a byte it must not, such as a space before the colon");
	*value = trimmed(rp_span_part(line, colon + 1, line.len));
	for (i = 0; i < value->len; i++)
		if (is_control(value->ptr[i]))
			return fail(r, 400, "a header value holds a control byte");
	return RP_HTTP_DONE;
}

static enum rp_http_progress take_field(struct rp_http_request *r, struct rp_span line)
{
	struct rp_http_field *field = &r->fields[r->n_fields];
	struct rp_span name, value;
	enum rp_http_progress progress = read_field(r, line, &name, &value);
	size_t i;

	if (progress != RP_HTTP_DONE)
		return progress;
	if (r->n_fields == RP_HTTP_REQUEST_FIELDS_MAX)
		return fail(r, 431, "more header fields than this receiver takes");
	field->name = part_of(r, name);
	field->value = part_of(r, value);
	for (i = 0; i < name.len; i++)
		r->base[field->name.at + i] = rp_char_lower(name.ptr[i]);
	r->n_fields++;
	return note_field(r, name, value);
}

static struct rp_span without_default_port(struct rp_span host)
{
	size_t colon = host.len;

	while (colon > 0 && rp_char_is_digit(host.ptr[colon - 1]))
		colon--;
	if (colon > 0 && host.ptr[colon - 1] == ':' &&
	    (colon == host.len || rp_span_is(rp_span_part(host, colon, host.len), "80")))
		host.len = colon - 1;
	return host;
}

/* RFC 9112 3.2.2 has the target's host count, not that of the field: readers differ. */
static bool is_other_host(const struct rp_http_request *r)
{
	struct rp_span authority = rp_http_request_span(r, r->authority);

	return authority.len > 0 && r->hosts > 0 &&
	       !rp_span_same_but_case(without_default_port(authority),
				      without_default_port(rp_http_request_find(r, "host")));
}

static enum rp_http_progress finish_head(struct rp_http_request *r, size_t body_max)
{
	if (r->hosts > 1 || (r->hosts == 0 && !r->http_1_0))
		return fail(r, 400, "an HTTP/1.1 request has exactly one Host field");
	if (is_other_host(r))
		return fail(r, 400, "the request target names another host than the Host field");
	/* Two framings at once are how requests are smuggled past a proxy (RFC 9112 6.3). */
	if (r->chunked && (r->has_length || r->http_1_0))
		return fail(r, 400, "Transfer-Encoding beside Content-Length, or in HTTP/1.0");
	r->keep_alive = !r->said_close && (!r->http_1_0 || r->said_keep_alive);
	r->body_at = r->at;
	r->phase = r->chunked ? RP_HTTP_AT_CHUNK_SIZE : RP_HTTP_AT_BODY;
	if (r->left > body_max)
		return fail(r, 413, "the body is larger than this receiver takes");
	r->wants_continue = r->expect_continue && !r->http_1_0 && (r->chunked || r->left > 0) &&
			    r->have == r->body_at;
	return RP_HTTP_DONE;
}

static enum rp_http_progress take_head_line(struct rp_http_request *r,
					    const struct rp_http_bounds *bounds)
{
	struct rp_span line;
	enum rp_http_progress progress = take_line(r, bounds->head_bytes - r->at, 431, &line);

	if (progress != RP_HTTP_DONE)
		return progress;
	/* RFC 9112 2.2: empty lines before a request are skipped */
	if (r->phase == RP_HTTP_AT_REQUEST_LINE)
		return line.len == 0 ? RP_HTTP_DONE : take_request_line(r, line);
	return line.len > 0 ? take_field(r, line) : finish_head(r, bounds->body_bytes);
}

static enum rp_http_progress take_body(struct rp_http_request *r)
{
	if (r->have - r->at < r->left)
		return RP_HTTP_MORE;
	r->body_bytes = (size_t)r->left;
	r->at += r->body_bytes;
	r->phase = RP_HTTP_AT_END;
	return RP_HTTP_DONE;
}

static size_t skip_blanks(struct rp_span s, size_t at)
{
	while (at < s.len && (s.ptr[at] == ' ' || s.ptr[at] == '\t'))
		at++;
	return at;
}

/* The end of the token or quoted string that begins at `at`; `at` itself: there is none. */
static size_t skip_word(struct rp_span s, size_t at)
{
	size_t i = at;

	if (at == s.len || s.ptr[at] != '"') {
		while (i < s.len && token_char[(unsigned char)s.ptr[i]])
			i++;
		return i;
	}
	for (i++; i < s.len && !is_control(s.ptr[i]); i++) {
		if (s.ptr[i] == '"')
			return i + 1;
		if (s.ptr[i] == '\\' && (++i == s.len || is_control(s.ptr[i])))
			break;
	}
	return at;
}

/* RFC 9112 7.1.1. Nothing is done with extensions, but a byte that none may hold can end the line
 * for another reader. */
static bool are_chunk_extensions(struct rp_span s)
{
	size_t at = 0, from, equals;

	while (at < s.len) {
		at = skip_blanks(s, at);
		if (at == s.len || s.ptr[at] != ';')
			return false;
		from = skip_blanks(s, at + 1);
		at = skip_word(s, from);
		if (at == from || s.ptr[from] == '"')
			return false;
		equals = skip_blanks(s, at);
		if (equals == s.len || s.ptr[equals] != '=')
			continue;
		from = skip_blanks(s, equals + 1);
		at = skip_word(s, from);
		if (at == from)
			return false;
	}
	return true;
}

static enum rp_http_progress take_chunk_size(struct rp_http_request *r, size_t body_max)
{
	struct rp_span line;
	enum rp_http_progress progress = take_line(r, CHUNK_LINE_MAX, 400, &line);
	uint64_t size = 0;
	size_t i;

	if (progress != RP_HTTP_DONE)
		return progress;
	for (i = 0; i < line.len && rp_char_hex(line.ptr[i]) >= 0; i++)
		size =
		    size >> 59 != 0 ? UINT64_MAX : size << 4 | (uint64_t)rp_char_hex(line.ptr[i]);
	if (i == 0)
		return fail(r, 400, "a chunk does not start with its size in hexadecimal digits");
	if (!are_chunk_extensions(rp_span_part(line, i, line.len)))
		return fail(r, 400, "what follows the size of a chunk is no extension");
	r->extra_bytes += line.len > CHUNK_SIZE_BYTES ? line.len - CHUNK_SIZE_BYTES : 0;
	if (r->extra_bytes > CHUNK_EXTRA_MAX)
		return fail(r, 400, "the extensions of the chunks are too long");
	if (size > body_max || r->body_bytes > body_max - size)
		return fail(r, 413, "the body is larger than this receiver takes");
	r->left = size;
	r->phase = size > 0 ? RP_HTTP_AT_CHUNK : RP_HTTP_AT_TRAILER;
	return RP_HTTP_DONE;
}

static enum rp_http_progress take_chunk(struct rp_http_request *r)
{
	size_t n = r->have - r->at;

	if (n > r->left)
		n = (size_t)r->left;
	memmove(r->base + r->body_at + r->body_bytes, r->base + r->at, n);
	r->body_bytes += n;
	r->at += n;
	r->left -= n;
	if (r->left > 0)
		return RP_HTTP_MORE;
	r->phase = RP_HTTP_AT_CHUNK_END;
	return RP_HTTP_DONE;
}

static enum rp_http_progress take_chunk_end(struct rp_http_request *r)
{
	if (r->have - r->at < 2)
		return RP_HTTP_MORE;
	if (memcmp(r->base + r->at, "\r\n", 2) != 0)
		return fail(r, 400, "a chunk is longer than its announced size");
	r->at += 2;
	r->phase = RP_HTTP_AT_CHUNK_SIZE;
	return RP_HTTP_DONE;
}

/* Trailers are dropped. RFC 9110 6.5.1: those that frame or route must not be there, and another
 * reader may take them for fields of the head. */
static enum rp_http_progress take_trailer_line(struct rp_http_request *r)
{
	struct rp_span line, name, value;
	enum rp_http_progress progress = take_line(r, TRAILER_MAX - r->trailer_bytes, 431, &line);

	if (progress != RP_HTTP_DONE)
		return progress;
	r->trailer_bytes += line.len + 2;
	if (line.len == 0) {
		r->phase = RP_HTTP_AT_END;
		return RP_HTTP_DONE;
	}
	progress = read_field(r, line, &name, &value);
	if (progress == RP_HTTP_DONE &&
	    (is_word(name, "content-length") || is_word(name, "transfer-encoding") ||
	     is_word(name, "host")))
		return fail(r, 400, "a trailer has a field that only a head may have");
	return progress;
}

/* Takes the chunk framing that has been read out of the buffer: many small chunks must not outgrow
 * max_body. */
static void close_gap(struct rp_http_request *r, struct rp_buf *in)
{
	size_t end = r->body_at + r->body_bytes, gap = r->at - end;

	if (gap == 0)
		return;
	memmove(r->base + end, r->base + r->at, r->have - r->at);
	in->len -= gap;
	in->data[in->len] = '\0';
	r->have -= gap;
	r->at = end;
	r->scanned = r->scanned > gap + end ? r->scanned - gap : end;
}

enum rp_http_progress rp_http_request_parse(struct rp_http_request *r, struct rp_buf *in,
					    size_t start, const struct rp_http_bounds *bounds)
{
	enum rp_http_progress progress = RP_HTTP_DONE;

	assert(start <= in->len && r->phase != RP_HTTP_AT_END);
	assert(bounds->head_bytes <= RP_HTTP_REQUEST_HEAD_MAX);
	if (start == in->len)
		return RP_HTTP_MORE;
	r->base = in->data + start;
	r->have = in->len - start;
	while (progress == RP_HTTP_DONE && r->phase != RP_HTTP_AT_END) {
		switch (r->phase) {
		case RP_HTTP_AT_REQUEST_LINE:
		case RP_HTTP_AT_FIELDS:
			progress = take_head_line(r, bounds);
			break;
		case RP_HTTP_AT_BODY:
			progress = take_body(r);
			break;
		case RP_HTTP_AT_CHUNK_SIZE:
			progress = take_chunk_size(r, bounds->body_bytes);
			break;
		case RP_HTTP_AT_CHUNK:
			progress = take_chunk(r);
			break;
		case RP_HTTP_AT_CHUNK_END:
			progress = take_chunk_end(r);
			break;
		case RP_HTTP_AT_TRAILER:
			progress = take_trailer_line(r);
			break;
		case RP_HTTP_AT_END:
			break;
		}
	}
	if (r->chunked && r->body_at > 0 && progress != RP_HTTP_BAD)
		close_gap(r, in);
	r->used = r->at;
	return progress;
}

struct rp_span rp_http_request_find(const struct rp_http_request *r, const char *name)
{
	struct rp_span none = {NULL, 0};
	size_t i;

	for (i = 0; i < r->n_fields; i++)
		if (rp_span_is(rp_http_request_span(r, r->fields[i].name), name))
			return rp_http_request_span(r, r->fields[i].value);
	return none;
}
