/* url_show.c - shows a URL without its secrets. It is apart so that what may be printed is
 * decided in one file. */

#include "net/url_int.h"

#include "text/ascii.h"

/* A longer parameter name may itself be a token ("?0f3c...e1=1"), so it is not shown. */
#define SHOWN_NAME_MAX 24

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

	return finish(out, before, rp_url_add_endpoint(url, out));
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
		if (!rp_char_is_alnum(name.ptr[i]) && !rp_char_is_one_of(name.ptr[i], "-._"))
			return false;
	return true;
}

/* What lies between the '&' at or behind *at. False at the end of the query. */
static bool param_next(struct rp_span query, size_t *at, struct param *out)
{
	size_t end, equals, rest;

	if (*at > query.len)
		return false;
	end = rp_span_find(query, *at, '&');
	out->text = rp_span_part(query, *at, end);
	*at = end + 1;
	equals = rp_span_find(out->text, 0, '=');
	out->name = rp_span_part(out->text, 0, equals);
	out->value = rp_span_part(out->text, equals + (equals < out->text.len), out->text.len);
	/* Nothing but '=' behind the name may be the padding of a base64 token. */
	for (rest = 0; rest < out->value.len && out->value.ptr[rest] == '='; rest++)
		continue;
	out->name_is_plain = rest < out->value.len && is_plain_name(out->name);
	return true;
}

bool rp_url_add_redacted_query(const struct rp_url *url, struct rp_buf *out)
{
	struct param p;
	size_t at = 0;
	char separator = '?';

	while (url->has_query && param_next(url->query, &at, &p)) {
		if (!rp_buf_add_char(out, separator))
			return false;
		separator = '&';
		if (p.name_is_plain &&
		    (!rp_buf_add(out, p.name.ptr, p.name.len) || !rp_buf_add_char(out, '=')))
			return false;
		if (p.text.len > 0 && !rp_buf_add_text(out, "REDACTED"))
			return false;
	}
	return true;
}

bool rp_url_redact(const struct rp_url *url, struct rp_buf *out)
{
	size_t before = out->len;

	return finish(out, before,
		      rp_url_add_endpoint(url, out) && rp_url_add_redacted_query(url, out));
}

void rp_url_mask_query(const struct rp_url *url, struct rp_mask *m)
{
	struct param p;
	size_t at = 0;

	while (param_next(url->query, &at, &p)) {
		rp_mask_secret(m, p.value);
		if (!p.name_is_plain)
			rp_mask_secret(m, p.name);
	}
}

void rp_url_mask_secrets(const struct rp_url *url, unsigned char *text, size_t n)
{
	struct rp_mask m;

	rp_mask_begin(&m, text, n);
	rp_url_mask_query(url, &m);
	rp_mask_end(&m);
}
