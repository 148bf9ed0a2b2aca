/* url.c - parses and refuses URLs. Which spellings mean the same is in url_same.c, and what is
 * shown of a URL is in url_show.c. */

#include "net/url.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include "text/ascii.h"

#define HOST_MAX 253 /* RFC 1035 2.3.4: 255 octets on the wire */
#define LABEL_MAX 63

static enum rp_err check_bytes(struct rp_span text, struct rp_error *err)
{
	size_t i;

	if (text.len == 0)
		return rp_fail(err, RP_ERR_INVAL, "the URL is empty; write https://host/path");
	if (text.len > RP_URL_MAX)
		return rp_fail(err, RP_ERR_INVAL, "the URL has %zu bytes; at most %d are accepted",
			       text.len, RP_URL_MAX);
	for (i = 0; i < text.len; i++) {
		if (text.ptr[i] == '#')
			return rp_fail(err, RP_ERR_INVAL,
				       "the URL has a fragment ('#' at byte %zu), which would "
				       "never be sent; leave it out",
				       i + 1);
		if (text.ptr[i] <= ' ' || text.ptr[i] > '~' || text.ptr[i] == '\\')
			return rp_fail(err, RP_ERR_INVAL,
				       "byte %zu of the URL is a space, a backslash, a control "
				       "character or not ASCII; "
				       "percent-encode it (a host: in its xn-- form)",
				       i + 1);
	}
	return RP_OK;
}

/* The length of "https://" or "http://" in front, in any case; 0: neither. */
static size_t scheme_len(struct rp_span text, bool *https)
{
	const struct rp_span secure = rp_span_of("https://"), plain = rp_span_of("http://");

	if (text.len >= secure.len &&
	    rp_span_same_but_case(rp_span_part(text, 0, secure.len), secure)) {
		*https = true;
		return secure.len;
	}
	*https = false;
	return text.len >= plain.len &&
		       rp_span_same_but_case(rp_span_part(text, 0, plain.len), plain)
		   ? plain.len
		   : 0;
}

static enum rp_err check_name(struct rp_span host, struct rp_error *err)
{
	size_t i, label = 0;

	for (i = 0; i < host.len; i++) {
		char c = host.ptr[i];

		if (c == '.' && label == 0)
			return rp_fail(err, RP_ERR_INVAL,
				       "the URL's host has an empty label (a dot too many)");
		label = c == '.' ? 0 : label + 1;
		if (label > LABEL_MAX)
			return rp_fail(err, RP_ERR_INVAL,
				       "the URL's host has a label of more than %d bytes",
				       LABEL_MAX);
		if (!rp_char_is_alnum(c) && !rp_char_is_one_of(c, "-._"))
			return rp_fail(err, RP_ERR_INVAL,
				       "the URL's host has a '%c'; a host has letters, digits, "
				       "'-', '.' and '_', or is an IPv6 "
				       "address in brackets",
				       c);
	}
	if (host.len > HOST_MAX)
		return rp_fail(err, RP_ERR_INVAL,
			       "the URL's host has %zu bytes; at most %d are possible", host.len,
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
		       "what stands in the brackets of the URL's host is not an IPv6 address (a "
		       "zone is not accepted)");
}

static enum rp_err parse_port(struct rp_span text, uint16_t *port, struct rp_error *err)
{
	unsigned long v = 0;
	size_t i;

	for (i = 0; i < text.len && i < 6 && rp_char_is_digit(text.ptr[i]); i++)
		v = v * 10 + (unsigned long)(text.ptr[i] - '0');
	if (i == 0 || i < text.len || text.ptr[0] == '0' || v > UINT16_MAX)
		return rp_fail(err, RP_ERR_INVAL,
			       "the URL's port is not a number from 1 to 65535 without leading "
			       "zeros; write one after the ':' or "
			       "leave the ':' out");
	*port = (uint16_t)v;
	return RP_OK;
}

static enum rp_err parse_authority(struct rp_span text, struct rp_url *out, struct rp_error *err)
{
	bool literal = text.len > 0 && text.ptr[0] == '[';
	size_t host_end = rp_span_find(text, 0, literal ? ']' : ':');
	enum rp_err rc;

	if (rp_span_find(text, 0, '@') < text.len)
		return rp_fail(err, RP_ERR_INVAL,
			       "the URL has a user name or password in front of '@'; give "
			       "credentials in the query or in a "
			       "configured header");
	if (literal && host_end == text.len)
		return rp_fail(err, RP_ERR_INVAL, "the URL's host begins with '[' but has no ']'");
	host_end += literal;
	if (host_end == 0)
		return rp_fail(err, RP_ERR_INVAL, "the URL has no host; write https://host/path");
	out->host = rp_span_part(text, 0, host_end);
	rc = literal ? check_literal(out->host, err) : check_name(out->host, err);
	if (rc != RP_OK)
		return rc;
	out->port = out->https ? 443 : 80;
	if (host_end == text.len)
		return RP_OK;
	if (text.ptr[host_end] != ':')
		return rp_fail(err, RP_ERR_INVAL,
			       "only ':' and a port may follow the ']' of the URL's host");
	return parse_port(rp_span_part(text, host_end + 1, text.len), &out->port, err);
}

/* RFC 3986 3.3 and 3.4, and what clients do not encode. */
#define IN_PATH "-._~!$&'()*+,;=:@/[]|^"
#define IN_QUERY IN_PATH "?{}`"

/* `offset` is where `part` begins in the URL. The byte itself stays unsaid: it may be a
 * secret's. */
static enum rp_err check_part(struct rp_span part, const char *allowed, const char *what,
			      size_t offset, struct rp_error *err)
{
	size_t i;

	for (i = 0; i < part.len; i++) {
		if (part.ptr[i] == '%') {
			if (part.len - i < 3 || rp_char_hex(part.ptr[i + 1]) < 0 ||
			    rp_char_hex(part.ptr[i + 2]) < 0)
				return rp_fail(err, RP_ERR_INVAL,
					       "the '%%' at byte %zu of the URL is not followed by "
					       "two hexadecimal "
					       "digits; write %%25 for "
					       "the sign itself",
					       offset + i + 1);
		} else if (!rp_char_is_alnum(part.ptr[i]) &&
			   !rp_char_is_one_of(part.ptr[i], allowed)) {
			return rp_fail(err, RP_ERR_INVAL,
				       "byte %zu of the URL may not stand in a %s as it is; "
				       "percent-encode it (RFC 3986)",
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
		else if (segment.len - i >= 3 &&
			 rp_span_same_but_case(rp_span_part(segment, i, i + 3), rp_span_of("%2e")))
			i += 3;
		else
			return false;
		dots++;
	}
	return dots == 1 || dots == 2;
}

/* The HTTP library would resolve them, so that a URL judged under one path prefix is fetched under
 * another. */
static enum rp_err check_segments(struct rp_span path, struct rp_error *err)
{
	size_t at, end;

	for (at = 0; at < path.len; at = end + 1) {
		end = rp_span_find(path, at, '/');
		if (is_dot_segment(rp_span_part(path, at, end)))
			return rp_fail(err, RP_ERR_INVAL,
				       "the URL's path has a '.' or '..' segment; write the path "
				       "that it leads to");
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
		return rp_fail(
		    err, RP_ERR_INVAL,
		    "the URL does not begin with https:// or http://; write https://host/path");
	mark = rp_span_find(text, start, '?');
	slash = rp_span_find(rp_span_part(text, 0, mark), start, '/');
	url.path = rp_span_part(text, slash, mark);
	url.has_query = mark < text.len;
	url.query = rp_span_part(text, mark + url.has_query, text.len);
	rc = parse_authority(rp_span_part(text, start, slash), &url, err);
	if (rc == RP_OK)
		rc = check_part(url.path, IN_PATH, "path", slash, err);
	if (rc == RP_OK)
		rc = check_segments(url.path, err);
	if (rc == RP_OK)
		rc = check_part(url.query, IN_QUERY, "query", mark + 1, err);
	if (rc == RP_OK)
		*out = url;
	return rc;
}

/* In path and query: what the client encodes. '%' is not among them: it may be meant either way,
 * and is refused unless two digits follow. */
static bool is_encoded(char c, bool in_query)
{
	return (unsigned char)c >= 0x80 || rp_char_is_one_of(c, " \"<>") ||
	       (!in_query && rp_char_is_one_of(c, "{}`"));
}

/* Where the host, and a port, end. */
static size_t authority_end(struct rp_span text)
{
	bool https;
	size_t i = scheme_len(text, &https);

	while (i < text.len && text.ptr[i] != '/' && text.ptr[i] != '?')
		i++;
	return i;
}

/* false: out of memory. Stops behind the longest URL there is. */
static bool encode(struct rp_span text, struct rp_buf *out)
{
	size_t i, begin = authority_end(text), from = out->len;
	bool ok = rp_buf_add(out, text.ptr, begin), in_query = false;

	for (i = begin; ok && i < text.len && out->len - from <= RP_URL_MAX; i++) {
		in_query = in_query || text.ptr[i] == '?';
		ok = is_encoded(text.ptr[i], in_query)
			 ? rp_buf_printf(out, "%%%02X", (unsigned char)text.ptr[i])
			 : rp_buf_add_char(out, text.ptr[i]);
	}
	return ok;
}

static bool needs_encoding(struct rp_span text)
{
	size_t i;

	if (text.len == 0 || text.len > RP_URL_MAX || text.ptr[0] == ' ' ||
	    text.ptr[text.len - 1] == ' ')
		return false;
	for (i = authority_end(text); i < text.len; i++)
		if (is_encoded(text.ptr[i], false))
			return true;
	return false;
}

enum rp_err rp_url_accept(struct rp_span text, struct rp_buf *room, struct rp_span *sent,
			  struct rp_url *out, struct rp_error *err)
{
	size_t from = room->len;
	struct rp_error again;
	enum rp_err rc = rp_url_parse(text, out, err);

	*sent = text;
	if (rc == RP_OK || !needs_encoding(text))
		return rc;
	if (!encode(text, room))
		return rp_fail(err, RP_ERR_NOMEM, "out of memory");
	*sent = (struct rp_span){room->data + from, room->len - from};
	rc = rp_url_parse(*sent, out, &again);
	return rc == RP_OK
		   ? rc
		   : rp_fail(err, rc, "%s (bytes are those of the encoded URL)", again.text);
}
