/* shown.c - hides in names what the configuration says is secret. The configuration is an argument
 * everywhere, so that no report can forget it. */

#include "report/shown.h"

bool rp_shown_hides(const struct rp_config *config, struct rp_span text)
{
	struct rp_url url;

	return rp_url_parse(text, &url, NULL) != RP_OK || rp_redact_is_secret(config, &url);
}

struct rp_span rp_shown_name(const struct rp_config *config, struct rp_span name,
			     struct rp_buf *room)
{
	if (config == NULL || !config->redacts || name.len == 0)
		return name;
	rp_buf_clear(room);
	if (!rp_redact_endpoint(config, name, room))
		return rp_span_of("(out of memory)");
	return (struct rp_span){room->data, room->len};
}

struct rp_span rp_shown_pattern(const struct rp_config *config, struct rp_span glob,
				struct rp_buf *room)
{
	struct rp_url url;

	if (config != NULL && config->redacts && glob.len > 0 &&
	    memmem(glob.ptr, glob.len, "://", 3) != NULL && rp_url_parse(glob, &url, NULL) != RP_OK)
		return rp_span_of("(withheld)");
	return rp_shown_name(config, glob, room);
}
