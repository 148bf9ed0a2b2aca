/* target.c - takes a request target apart and shows it without its query. It is apart from
 * request.c, to which a target is one word. */

#include "http_server/target.h"

#include "net/url.h"
#include "text/ascii.h"

struct rp_http_target rp_http_target_split(struct rp_span target)
{
	size_t mark = rp_span_find(target, 0, '?');
	struct rp_http_target t = {rp_span_part(target, 0, mark), {NULL, 0}, mark < target.len};

	if (t.has_query)
		t.query = rp_span_part(target, mark + 1, target.len);
	return t;
}

bool rp_http_target_next_param(struct rp_span *query, struct rp_span *name, struct rp_span *value)
{
	size_t end = rp_span_find(*query, 0, '&'), equals = rp_span_find(*query, 0, '=');

	if (query->len == 0)
		return false;
	*name = rp_span_part(*query, 0, equals < end ? equals : 0);
	*value = rp_span_part(*query, equals < end ? equals + 1 : 0, end);
	*query = rp_span_part(*query, end + (end < query->len), query->len);
	return true;
}

bool rp_http_target_value_is(struct rp_span escaped, struct rp_span text)
{
	unsigned char differs = 0;
	size_t i = 0, n = 0;

	while (i < escaped.len) {
		char c = escaped.ptr[i++];

		if (c == '%' && escaped.len - i >= 2 && rp_char_hex(escaped.ptr[i]) >= 0 &&
		    rp_char_hex(escaped.ptr[i + 1]) >= 0) {
			c = (char)(rp_char_hex(escaped.ptr[i]) << 4 |
				   rp_char_hex(escaped.ptr[i + 1]));
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
