/* target.c - takes a request target apart and shows it without its query. It is apart from
 * request.c because judge, desk and report all read targets. */

#include "http_server/target.h"

#include "net/url.h"

struct rp_http_target rp_http_target_split(struct rp_span target)
{
	const char *mark = target.len > 0 ? memchr(target.ptr, '?', target.len) : NULL;
	struct rp_http_target t = {target, {NULL, 0}, mark != NULL};

	if (mark != NULL) {
		t.path.len = (size_t)(mark - target.ptr);
		t.query.ptr = mark + 1;
		t.query.len = target.len - t.path.len - 1;
	}
	return t;
}

bool rp_http_target_next_param(struct rp_span *query, struct rp_span *name, struct rp_span *value)
{
	const char *amp, *equals;
	size_t len;

	if (query->len == 0)
		return false;
	amp = memchr(query->ptr, '&', query->len);
	len = amp != NULL ? (size_t)(amp - query->ptr) : query->len;
	equals = memchr(query->ptr, '=', len);
	name->ptr = query->ptr;
	name->len = equals != NULL ? (size_t)(equals - query->ptr) : 0;
	value->ptr = equals != NULL ? equals + 1 : query->ptr;
	value->len = equals != NULL ? len - name->len - 1 : len;
	len += amp != NULL;
	query->ptr += len;
	query->len -= len;
	return true;
}

static int hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f')
		return (c | 0x20) - 'a' + 10;
	return -1;
}

bool rp_http_target_value_is(struct rp_span escaped, struct rp_span text)
{
	unsigned char differs = 0;
	size_t i = 0, n = 0;

	while (i < escaped.len) {
		char c = escaped.ptr[i++];

		if (c == '%' && escaped.len - i >= 2 && hex_value(escaped.ptr[i]) >= 0 &&
		    hex_value(escaped.ptr[i + 1]) >= 0) {
			c = (char)(hex_value(escaped.ptr[i]) << 4 | hex_value(escaped.ptr[i + 1]));
			i += 2;
		}
		if (n < text.len)
			differs |= (unsigned char)(c ^ text.ptr[n]);
		n++;
	}
	return differs == 0 && n == text.len;
}

/* A path stands as it came in: nobody has checked it, so it has no other spelling that were the
 * same. */
bool rp_http_target_show(struct rp_span target, struct rp_buf *out)
{
	struct rp_http_target t = rp_http_target_split(target);
	struct rp_url url = {.query = t.query, .has_query = t.has_query};

	return rp_buf_add(out, t.path.ptr, t.path.len) && rp_url_add_redacted_query(&url, out);
}
