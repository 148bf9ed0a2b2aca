#include "core/url.h"

#include <arpa/inet.h>
#include <assert.h>
#include <netinet/in.h>

#define HOST_MAX 253 /* RFC 1035 2.3.4: 255 octets on the wire */
#define LABEL_MAX 63

/* A longer parameter name may itself be a token ("?0f3c...e1=1"), so it is not shown. */
#define SHOWN_NAME_MAX 24

/* Shorter values ("1", "yes", "v2") stand in most texts by chance. */
#define MASKED_MIN 4

static char lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_alnum(char c)
{
	return is_digit(c) || (lower(c) >= 'a' && lower(c) <= 'z');
}

static bool is_one_of(char c, const char *set)
{
	return c != '\0' && strchr(set, c) != NULL;
}

/* -1: not a hexadecimal digit. */
static int hex_value(char c)
{
	if (is_digit(c))
		return c - '0';
	c = lower(c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static struct rp_span span_part(struct rp_span s, size_t from, size_t to)
{
	struct rp_span part = {s.ptr + from, to - from};
	return part;
}

static size_t span_find(struct rp_span s, size_t from, char c)
{
	while (from < s.len && s.ptr[from] != c)
		from++;
	return from;
}

static bool span_same_but_case(struct rp_span a, struct rp_span b)
{
	size_t i;

	if (a.len != b.len)
		return false;
	for (i = 0; i < a.len; i++)
		if (lower(a.ptr[i]) != lower(b.ptr[i]))
			return false;
	return true;
}

static enum rp_err check_bytes(struct rp_span text, struct rp_error *err)
{
	size_t i;

	if (text.len == 0)
		return rp_fail(err, RP_ERR_INVAL, "the URL is empty; write https://host/path");
	if (text.len > RP_URL_MAX)
		return rp_fail(err, RP_ERR_INVAL, "the URL has %zu bytes; at most %d are accepted", text.len,
			       RP_URL_MAX);
	for (i = 0; i < text.len; i++) {
		if (text.ptr[i] == '#')
			return rp_fail(
			    err, RP_ERR_INVAL,
			    "the URL has a fragment ('#' at byte %zu), which would never be sent; leave it out", i + 1);
		if (text.ptr[i] <= ' ' || text.ptr[i] > '~' || text.ptr[i] == '\\')
			return rp_fail(err, RP_ERR_INVAL,
				       "byte %zu of the URL is a space, a backslash, a control character or not ASCII; "
				       "percent-encode it (a host: in its xn-- form)",
				       i + 1);
	}
	return RP_OK;
}

/* The length of "https://" or "http://" in front, in any case; 0: neither. */
static size_t scheme_len(struct rp_span text, bool *https)
{
	const struct rp_span secure = rp_span_of("https://"), plain = rp_span_of("http://");

	if (text.len >= secure.len && span_same_but_case(span_part(text, 0, secure.len), secure)) {
		*https = true;
		return secure.len;
	}
	*https = false;
	return text.len >= plain.len && span_same_but_case(span_part(text, 0, plain.len), plain) ? plain.len : 0;
}

static enum rp_err check_name(struct rp_span host, struct rp_error *err)
{
	size_t i, label = 0;

	for (i = 0; i < host.len; i++) {
		char c = host.ptr[i];

		if (c == '.' && label == 0)
			return rp_fail(err, RP_ERR_INVAL, "the URL's host has an empty label (a dot too many)");
		label = c == '.' ? 0 : label + 1;
		if (label > LABEL_MAX)
			return rp_fail(err, RP_ERR_INVAL, "the URL's host has a label of more than %d bytes",
				       LABEL_MAX);
		if (!is_alnum(c) && !is_one_of(c, "-._"))
			return rp_fail(
			    err, RP_ERR_INVAL,
			    "the URL's host has a '%c'; a host has letters, digits, '-', '.' and '_', or is an IPv6 "
			    "address in brackets",
			    c);
	}
	if (host.len > HOST_MAX)
		return rp_fail(err, RP_ERR_INVAL, "the URL's host has %zu bytes; at most %d are possible", host.len,
			       HOST_MAX);
	return RP_OK;
}

static enum rp_err check_literal(struct rp_span host, struct rp_error *err)
{
	char text[INET6_ADDRSTRLEN];
	struct in6_addr addr;
	size_t n = host.len - 2;

	if (n < sizeof text) {
		memcpy(text, host.ptr + 1, n);
		text[n] = '\0';
		if (inet_pton(AF_INET6, text, &addr) == 1)
			return RP_OK;
	}
	return rp_fail(err, RP_ERR_INVAL,
		       "what stands in the brackets of the URL's host is not an IPv6 address (a zone is not accepted)");
}

static enum rp_err parse_port(struct rp_span text, uint16_t *port, struct rp_error *err)
{
	unsigned long v = 0;
	size_t i;

	for (i = 0; i < text.len && i < 6 && is_digit(text.ptr[i]); i++)
		v = v * 10 + (unsigned long)(text.ptr[i] - '0');
	if (i == 0 || i < text.len || text.ptr[0] == '0' || v > UINT16_MAX)
		return rp_fail(
		    err, RP_ERR_INVAL,
		    "the URL's port is not a number from 1 to 65535 without leading zeros; write one after the ':' or "
		    "leave the ':' out");
	*port = (uint16_t)v;
	return RP_OK;
}

static enum rp_err parse_authority(struct rp_span text, struct rp_url *out, struct rp_error *err)
{
	bool literal = text.len > 0 && text.ptr[0] == '[';
	size_t host_end = span_find(text, 0, literal ? ']' : ':');
	enum rp_err rc;

	if (span_find(text, 0, '@') < text.len)
		return rp_fail(
		    err, RP_ERR_INVAL,
		    "the URL has a user name or password in front of '@'; give credentials in the query or in a "
		    "configured header");
	if (literal && host_end == text.len)
		return rp_fail(err, RP_ERR_INVAL, "the URL's host begins with '[' but has no ']'");
	host_end += literal;
	if (host_end == 0)
		return rp_fail(err, RP_ERR_INVAL, "the URL has no host; write https://host/path");
	out->host = span_part(text, 0, host_end);
	rc = literal ? check_literal(out->host, err) : check_name(out->host, err);
	if (rc != RP_OK)
		return rc;
	out->port = out->https ? 443 : 80;
	if (host_end == text.len)
		return RP_OK;
	if (text.ptr[host_end] != ':')
		return rp_fail(err, RP_ERR_INVAL, "only ':' and a port may follow the ']' of the URL's host");
	return parse_port(span_part(text, host_end + 1, text.len), &out->port, err);
}

/* RFC 3986 3.3 and 3.4. `offset` is where `part` begins in the URL. The byte itself stays unsaid: it may be a secret's.
 */
static enum rp_err check_part(struct rp_span part, const char *what, size_t offset, struct rp_error *err)
{
	size_t i;

	for (i = 0; i < part.len; i++) {
		if (part.ptr[i] == '%') {
			if (part.len - i < 3 || hex_value(part.ptr[i + 1]) < 0 || hex_value(part.ptr[i + 2]) < 0)
				return rp_fail(err, RP_ERR_INVAL,
					       "the '%%' at byte %zu of the URL is not followed by two hexadecimal "
					       "digits; write %%25 for "
					       "the sign itself",
					       offset + i + 1);
		} else if (!is_alnum(part.ptr[i]) && !is_one_of(part.ptr[i], "-._~!$&'()*+,;=:@/?")) {
			return rp_fail(
			    err, RP_ERR_INVAL,
			    "byte %zu of the URL may not stand in a %s as it is; percent-encode it (RFC 3986)",
			    offset + i + 1, what);
		}
	}
	return RP_OK;
}

/* "." or "..", also with dots written as %2e. */
static bool is_dot_segment(struct rp_span segment)
{
	size_t i = 0, dots = 0;

	while (i < segment.len) {
		if (segment.ptr[i] == '.')
			i++;
		else if (segment.len - i >= 3 && span_same_but_case(span_part(segment, i, i + 3), rp_span_of("%2e")))
			i += 3;
		else
			return false;
		dots++;
	}
	return dots == 1 || dots == 2;
}

/* The HTTP library would resolve them, so that a URL judged under one path prefix is fetched under another. */
static enum rp_err check_segments(struct rp_span path, struct rp_error *err)
{
	size_t at, end;

	for (at = 0; at < path.len; at = end + 1) {
		end = span_find(path, at, '/');
		if (is_dot_segment(span_part(path, at, end)))
			return rp_fail(err, RP_ERR_INVAL,
				       "the URL's path has a '.' or '..' segment; write the path that it leads to");
	}
	return RP_OK;
}

enum rp_err rp_url_parse(struct rp_span text, struct rp_url *out, struct rp_error *err)
{
	struct rp_url url = {0};
	size_t start, slash, mark;
	enum rp_err rc = check_bytes(text, err);

	if (rc != RP_OK)
		return rc;
	start = scheme_len(text, &url.https);
	if (start == 0)
		return rp_fail(err, RP_ERR_INVAL,
			       "the URL does not begin with https:// or http://; write https://host/path");
	mark = span_find(text, start, '?');
	slash = span_find(span_part(text, 0, mark), start, '/');
	url.path = span_part(text, slash, mark);
	url.has_query = mark < text.len;
	url.query = span_part(text, mark + url.has_query, text.len);
	rc = parse_authority(span_part(text, start, slash), &url, err);
	if (rc == RP_OK)
		rc = check_part(url.path, "path", slash, err);
	if (rc == RP_OK)
		rc = check_segments(url.path, err);
	if (rc == RP_OK)
		rc = check_part(url.query, "query", mark + 1, err);
	if (rc == RP_OK)
		*out = url;
	return rc;
}

static bool has_default_port(const struct rp_url *url)
{
	return url->port == (url->https ? 443 : 80);
}

static bool add_endpoint(const struct rp_url *url, struct rp_buf *out)
{
	size_t i;

	if (!rp_buf_add_text(out, url->https ? "https://" : "http://"))
		return false;
	for (i = 0; i < url->host.len; i++)
		if (!rp_buf_add_char(out, lower(url->host.ptr[i])))
			return false;
	if (!has_default_port(url) && !rp_buf_printf(out, ":%u", (unsigned)url->port))
		return false;
	return url->path.len > 0 ? rp_buf_add(out, url->path.ptr, url->path.len) : rp_buf_add_char(out, '/');
}

/* Takes back a half-made addition. */
static bool finish(struct rp_buf *out, size_t len_before, bool ok)
{
	if (!ok && out->data != NULL) {
		out->len = len_before;
		out->data[out->len] = '\0';
	}
	return ok;
}

bool rp_url_endpoint(const struct rp_url *url, struct rp_buf *out)
{
	size_t before = out->len;

	return finish(out, before, add_endpoint(url, out));
}

struct param {
	struct rp_span text, name, value;
	bool name_is_plain; /* a name that people may see */
};

static bool is_plain_name(struct rp_span name)
{
	size_t i;

	if (name.len == 0 || name.len > SHOWN_NAME_MAX)
		return false;
	for (i = 0; i < name.len; i++)
		if (!is_alnum(name.ptr[i]) && !is_one_of(name.ptr[i], "-._"))
			return false;
	return true;
}

/* What lies between the '&' at or behind *at. False at the end of the query. */
static bool param_next(struct rp_span query, size_t *at, struct param *out)
{
	size_t end, equals, rest;

	if (*at > query.len)
		return false;
	end = span_find(query, *at, '&');
	out->text = span_part(query, *at, end);
	*at = end + 1;
	equals = span_find(out->text, 0, '=');
	out->name = span_part(out->text, 0, equals);
	out->value = span_part(out->text, equals + (equals < out->text.len), out->text.len);
	/* Nothing but '=' behind the name may be the padding of a base64 token. */
	for (rest = 0; rest < out->value.len && out->value.ptr[rest] == '='; rest++)
		continue;
	out->name_is_plain = rest < out->value.len && is_plain_name(out->name);
	return true;
}

static bool add_redacted_query(const struct rp_url *url, struct rp_buf *out)
{
	struct param p;
	size_t at = 0;
	char separator = '?';

	while (param_next(url->query, &at, &p)) {
		if (!rp_buf_add_char(out, separator))
			return false;
		separator = '&';
		if (p.name_is_plain && (!rp_buf_add(out, p.name.ptr, p.name.len) || !rp_buf_add_char(out, '=')))
			return false;
		if (p.text.len > 0 && !rp_buf_add_text(out, "REDACTED"))
			return false;
	}
	return true;
}

bool rp_url_redact(const struct rp_url *url, struct rp_buf *out)
{
	size_t before = out->len;

	return finish(out, before, add_endpoint(url, out) && (!url->has_query || add_redacted_query(url, out)));
}

enum reading { READ_AS_WRITTEN, READ_DECODED, READ_AS_FORM, N_READINGS };

static unsigned char take_byte(struct rp_span s, size_t *at, enum reading reading)
{
	char c = s.ptr[(*at)++];

	if (reading == READ_AS_FORM && c == '+')
		return ' ';
	if (reading == READ_AS_WRITTEN || c != '%')
		return (unsigned char)c;
	assert(s.len - *at >= 2);
	*at += 2;
	return (unsigned char)(hex_value(s.ptr[*at - 2]) << 4 | hex_value(s.ptr[*at - 1]));
}

/* How many bytes of text the secret covers from its start on. One that the end of the text cuts short counts too: what
 * is kept of a response is only its head. */
static size_t secret_match(struct rp_span secret, enum reading reading, const unsigned char *text, size_t n)
{
	size_t at = 0, matched = 0;

	while (at < secret.len && matched < n) {
		if (take_byte(secret, &at, reading) != text[matched])
			return 0;
		matched++;
	}
	return matched >= MASKED_MIN ? matched : 0;
}

static size_t longest_match(const struct rp_url *url, const unsigned char *text, size_t n)
{
	size_t at = 0, best = 0, len;
	struct param p;
	int reading;

	while (param_next(url->query, &at, &p)) {
		for (reading = 0; reading < N_READINGS; reading++) {
			len = secret_match(p.value, (enum reading)reading, text, n);
			best = len > best ? len : best;
			len = p.name_is_plain ? 0 : secret_match(p.name, (enum reading)reading, text, n);
			best = len > best ? len : best;
		}
	}
	return best;
}

void rp_url_mask_secrets(const struct rp_url *url, unsigned char *text, size_t n)
{
	size_t i, len, until = 0;

	/* A match that starts at i reads nothing before i, so bytes already overwritten hide no overlapping secret. */
	for (i = 0; i < n; i++) {
		len = longest_match(url, text + i, n - i);
		if (i + len > until)
			until = i + len;
		if (i < until)
			text[i] = '*';
	}
}

size_t rp_url_match_prefix(const struct rp_url *prefix, const struct rp_url *url)
{
	struct rp_span want = prefix->path, path = url->path.len > 0 ? url->path : rp_span_of("/");

	if (prefix->https != url->https || prefix->port != url->port || !span_same_but_case(prefix->host, url->host))
		return 0;
	if (want.len == 0)
		return 1;
	if (path.len < want.len || memcmp(path.ptr, want.ptr, want.len) != 0)
		return 0;
	if (path.len > want.len && path.ptr[want.len] != '/' && want.ptr[want.len - 1] != '/')
		return 0;
	return want.len + 1;
}
