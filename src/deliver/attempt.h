/* attempt.h - makes the request of a claimed entry: URL, policy, headers, signature. Does no I/O.
 *
 * Headers of each attempt, in this order: content-type, user-agent, webhook-id, webhook-timestamp
 * (of this attempt), runpost-attempt, webhook-signature when the endpoint has a key, the configured
 * headers, the headers of the entry's envelope. A configured header replaces a header of the
 * envelope with the same name. */
#ifndef RP_DELIVER_ATTEMPT_H
#define RP_DELIVER_ATTEMPT_H

#include "config/config.h"
#include "sign/sign.h"
#include "store/outbox.h"
#include "deliver/http/http.h"
#include "config/settings.h"

#define RP_ATTEMPT_HEADERS_MAX 64

/* Belongs to the caller: begin with {0}, use it for any number of attempts, release it at the
 * end. */
struct rp_attempt_request {
	struct rp_request request; /* points into the rest */
	/* Borrowed from the settings, which must stay until the request is done. */
	const struct rp_policy *policy;
	struct rp_url url;
	struct rp_buf text;
	const char *headers[RP_ATTEMPT_HEADERS_MAX];
	bool lacks_memory;
	size_t n_own_headers; /* these come first; the values of the others may be secrets */
};

/* RP_CAUSE_NONE: *out is ready to start. RP_CAUSE_LOCAL with out->lacks_memory: nothing is wrong
 * with the attempt. Any other cause: the attempt fails without a request (bad URL, no key, too many
 * headers), and `detail` says why. The dispatch must stay as it is until the request is done. */
enum rp_cause rp_attempt_prepare(struct rp_attempt_request *out, const struct rp_settings *settings,
				 const struct rp_dispatch *dispatch, uint32_t attempt_no,
				 int64_t now_at_ms, char detail[RP_DETAIL_TEXT_MAX]);
/* Hides secrets in text[0..n), which a receiver sent: overwrites them with '*'. Secrets are the
 * values of the URL's query, and the values of configured and envelope headers of 4 or more bytes
 * (of "Bearer abcd" also "abcd" alone), in any encoding (config/redact.h). n: at most 1024. */
void rp_attempt_mask_secrets(const struct rp_attempt_request *a, unsigned char *text, size_t n);
void rp_attempt_request_release(struct rp_attempt_request *a);

#endif
