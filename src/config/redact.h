/* redact.h - what people may see of URLs and endpoints under a configuration.
 *
 * A query is never shown (url.h). Where a section says `redact_path = yes`, the path after the url
 * of the section is a secret, too, as with chat hooks. In [defaults] that is the whole path. The
 * path is shown as "REDACTED-" and 12 hexadecimal digits of the SHA-256 of the endpoint's name. So
 * two endpoints stay two, and one is always written the same. Somebody who guesses a path can check
 * the guess; a token cannot be guessed. What is shown is a URL under the same section, and showing
 * it again changes nothing.
 *
 * Redacting happens where something is shown, because what is stored is what is sent. And one
 * process may know the setting while another does not. */
#ifndef RP_CONFIG_REDACT_H
#define RP_CONFIG_REDACT_H

#include "config/config.h"

/* Each appends; false: out of memory, and a part may stand in out. */

/* The URL with its parameters' names. */
bool rp_redact_url(const struct rp_config *config, const struct rp_url *url, struct rp_buf *out);
/* The name of an endpoint, as rp_url_endpoint or this function makes it. Anything else is appended
 * as it is. */
bool rp_redact_endpoint(const struct rp_config *config, struct rp_span name, struct rp_buf *out);

/* Whether a URL tells a secret: it has a query, or a path that is not shown. */
bool rp_redact_is_secret(const struct rp_config *config, const struct rp_url *url);

/* Overwrites with '*' what a receiver repeated of the URL's query (rp_url_mask_secrets), and in
 * the same ways of each segment of a path that is not shown and of the n_others other secrets. n:
 * at most 1024. */
void rp_redact_text(const struct rp_policy *policy, const struct rp_url *url,
		    const struct rp_span *others, size_t n_others, unsigned char *text, size_t n);

#endif
