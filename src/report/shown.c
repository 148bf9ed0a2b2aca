/* shown.c - hides what the configuration says is secret. It keeps that configuration itself, so
 * that no report can forget to pass it on. */

#include "report/shown.h"

static const struct rp_config *in_effect; /* of this process, which runs one verb */

void rp_shown_setup(const struct rp_config *config)
{
	in_effect = config;
}

bool rp_shown_url(const struct rp_url *url, struct rp_buf *out)
{
	return in_effect != NULL ? rp_redact_url(in_effect, url, out) : rp_url_redact(url, out);
}

bool rp_shown_endpoint(struct rp_span name, struct rp_buf *out)
{
	return in_effect != NULL ? rp_redact_endpoint(in_effect, name, out)
				 : rp_buf_add(out, name.ptr, name.len);
}

bool rp_shown_hides(struct rp_span text)
{
	struct rp_url url;

	return rp_url_parse(text, &url, NULL) != RP_OK ||
	       (in_effect != NULL ? rp_redact_is_secret(in_effect, &url) : url.has_query);
}

void rp_shown_mask(const struct rp_url *url, unsigned char *text, size_t n)
{
	if (in_effect != NULL)
		rp_redact_text(rp_config_policy(in_effect, url), url, NULL, 0, text, n);
	else
		rp_url_mask_secrets(url, text, n);
}

struct rp_span rp_shown_name(struct rp_span name, struct rp_buf *room)
{
	if (in_effect == NULL || !in_effect->redacts || name.len == 0)
		return name;
	rp_buf_clear(room);
	if (!rp_shown_endpoint(name, room))
		return rp_span_of("(out of memory)");
	return (struct rp_span){room->data, room->len};
}

struct rp_span rp_shown_pattern(struct rp_span glob, struct rp_buf *room)
{
	struct rp_url url;

	if (in_effect != NULL && in_effect->redacts && glob.len > 0 &&
	    memmem(glob.ptr, glob.len, "://", 3) != NULL && rp_url_parse(glob, &url, NULL) != RP_OK)
		return rp_span_of("(withheld)");
	return rp_shown_name(glob, room);
}
