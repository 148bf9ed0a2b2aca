/* url_same.c - finds the one spelling that an endpoint is named by, and matches URLs against
 * prefixes. A security rule hangs on each, so both read a URL in every way that a server might. */

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>

#include "text/ascii.h"
#include "net/url_int.h"

static struct rp_span without_last_dot(struct rp_span host)
{
	host.len -= host.len > 1 && host.ptr[host.len - 1] == '.';
	return host;
}

/* An address as the HTTP library and the resolver read it, IPv4 as mapped into IPv6: 127.0.0.1,
 * 127.1, 0x7f000001, [::1]. They all begin with a digit or a bracket. */
static bool read_address(struct rp_span host, struct in6_addr *out)
{
	bool literal = host.ptr[0] == '[';
	char text[INET6_ADDRSTRLEN + 2];
	struct in_addr four;

	if ((!literal && !rp_char_is_digit(host.ptr[0])) || host.len >= sizeof text)
		return false;
	memcpy(text, host.ptr + literal, host.len - literal);
	text[host.len - literal - literal] = '\0';
	if (literal)
		return inet_pton(AF_INET6, text, out) == 1;
	if (inet_aton(text, &four) != 1)
		return false;
	memset(out, 0, sizeof *out);
	memset(out->s6_addr + 10, 0xff, 2);
	memcpy(out->s6_addr + 12, &four, sizeof four);
	return true;
}

static bool same_host(struct rp_span a, struct rp_span b)
{
	struct in6_addr x, y;

	a = without_last_dot(a);
	b = without_last_dot(b);
	return rp_span_same_but_case(a, b) ||
	       (read_address(a, &x) && read_address(b, &y) && memcmp(&x, &y, sizeof x) == 0);
}

/* An IPv4 address as inet_ntop writes it, which costs 2,000 instructions: most of what comes is. */
static bool is_dotted_quad(struct rp_span host)
{
	unsigned numbers = 0, value = 0;
	size_t i, digits = 0;

	for (i = 0; i <= host.len; i++) {
		if (i < host.len && rp_char_is_digit(host.ptr[i])) {
			if (digits++ > 0 && value == 0)
				return false;
			value = value * 10 + (unsigned)(host.ptr[i] - '0');
		} else if (i == host.len || host.ptr[i] == '.') {
			if (digits == 0 || digits > 3 || value > 255)
				return false;
			numbers++;
			digits = value = 0;
		} else {
			return false;
		}
	}
	return numbers == 4;
}

static bool add_host(struct rp_span host, struct rp_buf *out)
{
	char text[INET6_ADDRSTRLEN];
	struct in6_addr addr;
	size_t i;

	host = without_last_dot(host);
	if (is_dotted_quad(host))
		return rp_buf_add(out, host.ptr, host.len);
	if (read_address(host, &addr)) {
		if (IN6_IS_ADDR_V4MAPPED(&addr))
			return inet_ntop(AF_INET, addr.s6_addr + 12, text, sizeof text) != NULL &&
			       rp_buf_add_text(out, text);
		return inet_ntop(AF_INET6, &addr, text, sizeof text) != NULL &&
		       rp_buf_add_char(out, '[') && rp_buf_add_text(out, text) &&
		       rp_buf_add_char(out, ']');
	}
	for (i = 0; i < host.len; i++)
		if (!rp_buf_add_char(out, rp_char_lower(host.ptr[i])))
			return false;
	return true;
}

static char decoded(const char *percent)
{
	return (char)(rp_char_hex(percent[1]) << 4 | rp_char_hex(percent[2]));
}

/* Each %XX of a URL that was taken apart has its two digits. */
static bool add_path(struct rp_span path, struct rp_buf *out)
{
	bool ok = true;
	size_t i;

	if (path.len == 0)
		return rp_buf_add_char(out, '/');
	if (memchr(path.ptr, '%', path.len) == NULL)
		return rp_buf_add(out, path.ptr, path.len);
	for (i = 0; ok && i < path.len; i++) {
		char c = path.ptr[i];

		if (c == '%') {
			c = decoded(path.ptr + i);
			ok = rp_char_is_alnum(c) || rp_char_is_one_of(c, "-._~")
				 ? rp_buf_add_char(out, c)
				 : rp_buf_printf(out, "%%%02X", (unsigned char)c);
			i += 2;
		} else {
			ok = rp_buf_add_char(out, c);
		}
	}
	return ok;
}

bool rp_url_add_endpoint(const struct rp_url *url, struct rp_buf *out)
{
	if (!rp_buf_add_text(out, url->https ? "https://" : "http://") || !add_host(url->host, out))
		return false;
	if (url->port != (url->https ? 443 : 80) && !rp_buf_printf(out, ":%u", (unsigned)url->port))
		return false;
	return add_path(url->path, out);
}

/* Whether a lenient receiver may read the path in another way than as it is written. */
static bool is_ambiguous(struct rp_span path)
{
	char last = '\0';
	size_t i;

	for (i = 0; i < path.len; i++) {
		char c = path.ptr[i];

		if (c == '%' || c == ';' || (c == '/' && last == '/'))
			return true;
		last = c;
	}
	return false;
}

static bool contains(struct rp_span path, const char *text)
{
	return memmem(path.ptr, path.len, text, strlen(text)) != NULL;
}

/* How a receiver may read a path, in this order. Decoding comes always. */
enum {
	CUT_BEFORE = 1, /* path parameters that are written */
	CUT_AFTER = 2,  /* and those that were encoded */
	DECODE_TWICE = 4,
	READINGS = 8
};

/* Where reading differently makes no difference: the work is for each section and each run. */
static unsigned differences(struct rp_span path)
{
	unsigned which = 0;

	if (contains(path, ";"))
		which |= CUT_BEFORE | CUT_AFTER;
	if (contains(path, "%3B") || contains(path, "%3b"))
		which |= CUT_AFTER;
	if (contains(path, "%25"))
		which |= CUT_AFTER | DECODE_TWICE;
	return which;
}

/* These change a path in its place, and make it no longer. It begins with '/' before and after. */
static size_t cut_parameters(char *path, size_t len)
{
	bool cut = false;
	size_t i, n = 0;

	for (i = 0; i < len; i++) {
		cut = path[i] != '/' && (cut || path[i] == ';');
		if (!cut)
			path[n++] = path[i];
	}
	return n;
}

/* The second time a '%' may be one that stands for itself. */
static size_t decode(char *path, size_t len)
{
	size_t i, n = 0;

	for (i = 0; i < len; i++) {
		char c = path[i];

		if (c == '%' && len - i > 2 && rp_char_hex(path[i + 1]) >= 0 &&
		    rp_char_hex(path[i + 2]) >= 0) {
			c = decoded(path + i);
			i += 2;
		}
		path[n++] = c == '\\' ? '/' : c;
	}
	return n;
}

static size_t cut_last_segment(const char *out, size_t n)
{
	while (n > 0 && out[n - 1] != '/')
		n--;
	return n > 0 ? n - 1 : 0;
}

/* Segments are written with the '/' before them, never behind the place where they are read. */
static size_t resolve_segments(char *path, size_t len)
{
	bool slash = path[len - 1] == '/';
	size_t at, end, n = 0;

	for (at = 1; at <= len; at = end + 1) {
		struct rp_span segment, all = {path, len};

		end = rp_span_find(all, at, '/');
		segment = rp_span_part(all, at, end);
		if (rp_span_is(segment, "..")) {
			n = cut_last_segment(path, n);
		} else if (segment.len > 0 && !rp_span_is(segment, ".")) {
			path[n++] = '/';
			memmove(path + n, segment.ptr, segment.len);
			n += segment.len;
		}
	}
	if (n == 0 || slash)
		path[n++] = '/';
	return n;
}

static struct rp_span read_path(struct rp_span path, unsigned how, char out[RP_URL_MAX])
{
	size_t len = path.len;
	int i;

	memcpy(out, path.ptr, len);
	if ((how & CUT_BEFORE) != 0)
		len = cut_parameters(out, len);
	for (i = 0; i < ((how & DECODE_TWICE) != 0 ? 2 : 1); i++) {
		len = decode(out, len);
		if ((how & CUT_AFTER) != 0)
			len = cut_parameters(out, len);
	}
	return (struct rp_span){out, resolve_segments(out, len)};
}

static bool lies_under(struct rp_span path, struct rp_span want)
{
	return path.len >= want.len && memcmp(path.ptr, want.ptr, want.len) == 0 &&
	       (path.len == want.len || path.ptr[want.len] == '/' || want.ptr[want.len - 1] == '/');
}

/* One reading that leads under the section is enough: nobody knows which receiver is there. */
static size_t match_readings(struct rp_span want, struct rp_span path)
{
	char want_read[RP_URL_MAX], path_read[RP_URL_MAX];
	unsigned how, matters = differences(path) | differences(want);

	for (how = 0; how < READINGS; how++) {
		struct rp_span a, b;

		if ((how & ~matters) != 0)
			continue;
		a = read_path(want, how, want_read);
		b = read_path(path, how, path_read);
		if (lies_under(b, a))
			return a.len + 1;
	}
	return 0;
}

size_t rp_url_match_prefix(const struct rp_url *prefix, const struct rp_url *url)
{
	struct rp_span want = prefix->path, path = url->path.len > 0 ? url->path : rp_span_of("/");

	if (prefix->https != url->https || prefix->port != url->port ||
	    !same_host(prefix->host, url->host))
		return 0;
	if (want.len == 0)
		return 1;
	if (is_ambiguous(path) || is_ambiguous(want))
		return match_readings(want, path);
	return lies_under(path, want) ? want.len + 1 : 0;
}
