#include "core/redact.h"

#include "base/assert.h"
#include "core/crypto.h"
#include "core/text_int.h"
#include "core/url_int.h"

#define MARK "REDACTED-"
#define HASH_BYTES 6

/* Where the part of the path begins that is not shown; path.len: all is. Where the section's path is written in another way
 * nothing of this one is. */
static size_t hidden_from(const struct rp_policy *policy, const struct rp_url *url)
{
	struct rp_span kept = policy->url != NULL ? policy->prefix.path : (struct rp_span){NULL, 0};
	size_t at = kept.len;

	if (!policy->redact_path || url->path.len <= 1)
		return url->path.len;
	while (at > 0 && kept.ptr[at - 1] == '/')
		at--;
	if (at > 0 && (url->path.len < at || memcmp(url->path.ptr, kept.ptr, at) != 0 ||
		       (url->path.len > at && url->path.ptr[at] != '/')))
		at = 0;
	return url->path.len - at <= 1 ? url->path.len : at;
}

/* Whether a path's part is what add_hidden made. */
static bool is_marked(struct rp_span part)
{
	const size_t mark = sizeof MARK - 1;
	size_t i;

	if (part.len != 1 + mark + 2 * (size_t)HASH_BYTES || part.ptr[0] != '/' ||
	    memcmp(part.ptr + 1, MARK, mark) != 0)
		return false;
	for (i = 1 + mark; i < part.len; i++)
		if (rp_char_hex(part.ptr[i]) < 0)
			return false;
	return true;
}

static bool add_hidden(const struct rp_url *url, size_t from, struct rp_buf *out)
{
	unsigned char digest[RP_SHA256_BYTES];
	struct rp_url shown = *url;
	struct rp_buf name = {0};
	struct rp_span text;
	bool ok = rp_url_add_endpoint(url, &name);
	size_t i;

	text = (struct rp_span){name.data, name.len};
	if (ok)
		rp_sha256(&text, 1, digest);
	rp_buf_release(&name);
	shown.path.len = from;
	ok = ok && rp_url_add_endpoint(&shown, out) && (from == 0 || rp_buf_add_char(out, '/')) &&
	     rp_buf_add_text(out, MARK);
	for (i = 0; ok && i < HASH_BYTES; i++)
		ok = rp_buf_printf(out, "%02x", digest[i]);
	return ok;
}

static bool add_endpoint(const struct rp_policy *policy, const struct rp_url *url, struct rp_buf *out)
{
	size_t from = hidden_from(policy, url);
	struct rp_span part = {url->path.ptr + from, url->path.len - from};

	return part.len == 0 || is_marked(part) ? rp_url_add_endpoint(url, out) : add_hidden(url, from, out);
}

bool rp_redact_url(const struct rp_config *config, const struct rp_url *url, struct rp_buf *out)
{
	return add_endpoint(rp_config_policy(config, url), url, out) && rp_url_add_redacted_query(url, out);
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
	return url->has_query || (config->redacts && hidden_from(rp_config_policy(config, url), url) < url->path.len);
}

void rp_redact_text(const struct rp_policy *policy, const struct rp_url *url, const struct rp_span *others,
		    size_t n_others, unsigned char *text, size_t n)
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
