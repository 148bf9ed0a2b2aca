/* redact.c - decides what is shown of URLs and endpoints. It joins what net/url.h always hides
 * with what the configuration asks to hide. */

#include "config/redact.h"

#include "sign/crypto.h"
#include "text/mask.h"
#include "text/ascii.h"

#define MARK "REDACTED-" /* and digits of a hash */
#define HASH_BYTES 6

/* The part of the path that is shown, without a '/' at its end. */
static struct rp_span kept_path(const struct rp_policy *policy)
{
	struct rp_span kept = policy->url != NULL ? policy->prefix.path : (struct rp_span){NULL, 0};

	while (kept.len > 0 && kept.ptr[kept.len - 1] == '/')
		kept.len--;
	return kept;
}

/* Where the part of the path begins that is not shown; path.len: all is. Where the section's path
 * is written in another way nothing of this one is. */
static size_t hidden_from(const struct rp_policy *policy, const struct rp_url *url)
{
	struct rp_span kept = kept_path(policy);
	size_t at = kept.len;

	if (!policy->redact_path || url->path.len <= 1)
		return url->path.len;
	if (at > 0 && (url->path.len < at || memcmp(url->path.ptr, kept.ptr, at) != 0 ||
		       (url->path.len > at && url->path.ptr[at] != '/')))
		at = 0;
	return url->path.len - at <= 1 ? url->path.len : at;
}

/* Whether a path's part is what add_mark made. */
static bool is_marked(struct rp_span part)
{
	const size_t mark = sizeof MARK - 1;
	size_t i;

	if (part.len != mark + 2 * (size_t)HASH_BYTES || memcmp(part.ptr, MARK, mark) != 0)
		return false;
	for (i = mark; i < part.len; i++)
		if (rp_char_hex(part.ptr[i]) < 0)
			return false;
	return true;
}

static bool add_mark(struct rp_span name, struct rp_buf *out)
{
	unsigned char digest[RP_SHA256_BYTES];
	char text[2 * HASH_BYTES + 1];

	rp_sha256(&name, 1, digest);
	return rp_buf_printf(out, MARK "%s", rp_hex_format(digest, HASH_BYTES, text));
}

/* The section's path, whichever way the URL writes it, so that what is shown has the same
 * section. */
static bool add_hidden(const struct rp_policy *policy, const struct rp_url *url, struct rp_buf *out)
{
	struct rp_url shown = *url;
	struct rp_buf name = {0};
	size_t begin = out->len, len;
	bool ok;

	shown.path = kept_path(policy);
	ok = rp_url_endpoint(url, &name) && rp_url_endpoint(&shown, out) &&
	     (shown.path.len == 0 || rp_buf_add_char(out, '/')); /* no path is "/" */
	len = out->len - begin;
	if (ok && name.len > len && memcmp(name.data, out->data + begin, len) == 0 &&
	    is_marked((struct rp_span){name.data + len, name.len - len}))
		ok = rp_buf_add(out, name.data + len, name.len - len);
	else
		ok = ok && add_mark((struct rp_span){name.data, name.len}, out);
	rp_buf_release(&name);
	return ok;
}

static bool add_endpoint(const struct rp_policy *policy, const struct rp_url *url,
			 struct rp_buf *out)
{
	return hidden_from(policy, url) == url->path.len ? rp_url_endpoint(url, out)
							 : add_hidden(policy, url, out);
}

bool rp_redact_url(const struct rp_config *config, const struct rp_url *url, struct rp_buf *out)
{
	return add_endpoint(rp_config_policy(config, url), url, out) &&
	       rp_url_add_redacted_query(url, out);
}

bool rp_redact_endpoint(const struct rp_config *config, struct rp_span name, struct rp_buf *out)
{
	struct rp_url url;

	if (!config->redacts || rp_url_parse(name, &url, NULL) != RP_OK)
		return rp_buf_add(out, name.ptr, name.len);
	return add_endpoint(rp_config_policy(config, &url), &url, out);
}

bool rp_redact_is_secret(const struct rp_config *config, const struct rp_url *url)
{
	return url->has_query ||
	       (config->redacts && hidden_from(rp_config_policy(config, url), url) < url->path.len);
}

void rp_redact_text(const struct rp_policy *policy, const struct rp_url *url,
		    const struct rp_span *others, size_t n_others, unsigned char *text, size_t n)
{
	size_t at = hidden_from(policy, url), end, i;
	struct rp_mask m;

	rp_mask_begin(&m, text, n);
	rp_url_mask_query(url, &m);
	for (; at < url->path.len; at = end + 1) {
		end = rp_span_find(url->path, at, '/');
		rp_mask_secret(&m, rp_span_part(url->path, at, end));
	}
	for (i = 0; i < n_others; i++)
		rp_mask_secret(&m, others[i]);
	rp_mask_end(&m);
}
