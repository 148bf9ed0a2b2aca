/* redirect.h - where an answer points to, in words for people. Nothing here is ever followed.
 * Pure. */
#ifndef RP_NET_REDIRECT_H
#define RP_NET_REDIRECT_H

#include "net/url.h"

/* bytes of a Location that are looked at; a longer one counts as unusable */
#define RP_LOCATION_MAX 1024

/* What a Location differs in from the URL that was asked, bit by bit. A query that is merely left
 * out is no difference. */
enum rp_redirect {
	RP_REDIRECT_SCHEME = 1,
	RP_REDIRECT_HOST = 2,
	RP_REDIRECT_PORT = 4,  /* beyond what the schemes' defaults make it */
	RP_REDIRECT_SLASH = 8, /* of the path only a slash at its end */
	RP_REDIRECT_PATH = 16,
	RP_REDIRECT_QUERY = 32,
};

/* The URL that `location` means for who asked `asked` (RFC 9110 10.2.2, RFC 3986 5.2: relative
 * ones and dot segments are resolved, a fragment is left out). Appends it to out. false: out of
 * memory. Whether it is a URL, rp_url_parse tells. */
bool rp_redirect_resolve(const struct rp_url *asked, struct rp_span location, struct rp_buf *out);
unsigned rp_redirect_compare(const struct rp_url *asked, const struct rp_url *target);

/* "redirects to https://a.example/hook/ ...": the target without user and query values, and in
 * front what little differs. redact_path: where the path of `asked` is a secret, that of the
 * target may be one too, and is not shown. Cut with "..." where `size` is too small. An empty
 * location: the answer had none. Returns out. */
const char *rp_redirect_text(const struct rp_url *asked, struct rp_span location, bool redact_path,
			     char *out, size_t size);

#endif
