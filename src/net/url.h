/* url.h - takes a webhook URL apart, strictly, and shows it without its secrets.
 *
 * Strict on purpose: what is judged must be what the HTTP library fetches, so anything two parsers
 * could read differently is refused (userinfo, backslash, control or 8-bit bytes, space, missing
 * "//", empty host, '%' in the host, port 0, an empty port or one with leading zeros, '.' and '..'
 * path segments). Grammar: RFC 3986 with http and https only, and what clients send as it is: [ ]
 * | ^ in path and query, { } ` in the query. A fragment is refused: it would never be sent.
 *
 * url_same.c: which spellings mean the same, for endpoints and sections. url_show.c: what people
 * see. */
#ifndef RP_NET_URL_H
#define RP_NET_URL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/err.h"
#include "text/mask.h"

#define RP_URL_MAX 4096 /* bytes; the engine's own default limit */

/* Spans point into the text given. */
struct rp_url {
	bool https;
	struct rp_span host;  /* IPv6 in brackets, as written */
	uint16_t port;        /* written or the scheme's default */
	struct rp_span path;  /* from the first '/'; empty when the URL has none */
	struct rp_span query; /* after '?'; empty when there is none */
	bool has_query;
};

/* RP_ERR_INVAL: err says what is wrong and what would be right, without repeating the query or
 * userinfo. */
enum rp_err rp_url_parse(struct rp_span text, struct rp_url *out, struct rp_error *err);

/* The same for a URL as people and engines write it. What the engine's HTTP client percent-encodes
 * before it sends is encoded here, so that the request goes to the same bytes: space, " < > and
 * letters beyond ASCII, and { } ` in the path (httpx 0.28, after the sets of the WHATWG URL
 * standard). A space at either end is refused: some clients cut it off. *sent: the text to store
 * and to send, `text` itself or what was appended to room. Also RP_ERR_NOMEM. */
enum rp_err rp_url_accept(struct rp_span text, struct rp_buf *room, struct rp_span *sent,
			  struct rp_url *out, struct rp_error *err);

#define RP_URL_ENDPOINT_EXTRA 16 /* an endpoint's name is at most so much longer than its URL */

/* The endpoint a URL belongs to: "https://host[:port]/path", no query. URLs that RFC 3986 6.2.2
 * calls equivalent have one endpoint: scheme and host in lower case, a default port left out, an
 * empty path as "/", unreserved characters decoded, hexadecimal digits in upper case. So have a
 * host with and without a dot at its end, and an address in any spelling. Appends to out; false:
 * out of memory. */
bool rp_url_endpoint(const struct rp_url *url, struct rp_buf *out);

/* The URL for human eyes: the endpoint as above and, if there is a query, its parameter names with
 * every value replaced by REDACTED ("?token=REDACTED&op=REDACTED"); a parameter without '=' or
 * with an odd name becomes REDACTED altogether. */
bool rp_url_redact(const struct rp_url *url, struct rp_buf *out);

/* Its part from the '?' on; nothing where the URL has no query. false: out of memory, and a part
 * of it may stand in out. */
bool rp_url_add_redacted_query(const struct rp_url *url, struct rp_buf *out);

/* Overwrites with '*' every place in text[0..n) where a query value of 4 or more bytes of `url`
 * stands, as written or decoded, or a stretch of 4 or more letters and digits of one: a receiver
 * may echo its own URL into a response that we keep, in an encoding of its choice. n: at most
 * 1024. A text that begins like a value at very many places is overwritten as a whole
 * (text/mask.h): the time grows with the URL and the text, not with their product. */
void rp_url_mask_secrets(const struct rp_url *url, unsigned char *text, size_t n);

/* Its part between rp_mask_begin and rp_mask_end: the values of the query, and names that are not
 * shown. */
void rp_url_mask_query(const struct rp_url *url, struct rp_mask *m);

/* Whether `url` lies under `prefix` (a URL of the configuration): same scheme, host and port, and
 * the prefix's path is a prefix at a '/' boundary or the whole path. "https://a.example" does not
 * cover "https://a.example.evil.test/". Hosts are compared as for endpoints. Paths are compared in
 * each way that a lenient receiver may read both, and one that matches is enough:
 * percent-encodings decoded once or twice, path parameters (";..." up to the next '/') cut off or
 * not, before that or after it; then '\\' is '/', several '/' are one and dot segments are
 * resolved. Case counts: paths that differ in it may be two customers', and a section's headers
 * are for one. The result is the length of the section's path as read + 1, for "longest wins"; 0:
 * no match. */
size_t rp_url_match_prefix(const struct rp_url *prefix, const struct rp_url *url);

#endif
