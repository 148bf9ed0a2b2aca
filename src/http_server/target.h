/* target.h - a request target ("/hook?token=...") taken apart, and shown without what its query
 * says. Pure. Spans point into the target; nothing is decoded or checked, for request.h has let
 * only printable ASCII through. */
#ifndef RP_HTTP_SERVER_TARGET_H
#define RP_HTTP_SERVER_TARGET_H

#include <stdbool.h>

#include "base/bytes.h"

struct rp_http_target {
	struct rp_span path, query; /* query without its '?' */
	bool has_query;
};

struct rp_http_target rp_http_target_split(struct rp_span target);

/* Takes the next "name=value" off *query. false: none is left. A parameter without '=' has an
 * empty name and is all value, so that it is treated as a secret. */
bool rp_http_target_next_param(struct rp_span *query, struct rp_span *name, struct rp_span *value);

/* Whether `escaped`, percent-decoded, is exactly `text`, told in a time that does not depend on
 * where they differ. */
bool rp_http_target_value_is(struct rp_span escaped, struct rp_span text);

/* Appends the target with every value replaced by REDACTED, by the rule of rp_url_redact. false:
 * out of memory. */
bool rp_http_target_show(struct rp_span target, struct rp_buf *out);

#endif
