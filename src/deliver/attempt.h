/* attempt.h - turns a claimed entry into a request: URL, policy, headers, signature. Does no I/O.
 *
 * Headers of every attempt: content-type, user-agent, webhook-id, webhook-timestamp (of this
 * attempt), webhook-signature when the endpoint has a key, runpost-attempt, then the configured
 * ones, then those of the entry's envelope; a configured header replaces an envelope's of the same
 * name. */
#ifndef RP_DELIVER_ATTEMPT_H
#define RP_DELIVER_ATTEMPT_H

#include "config/config.h"
#include "sign/sign.h"
#include "store/outbox.h"
#include "deliver/http/http.h"
#include "config/settings.h"

#define RP_ATTEMPT_HEADERS_MAX 64

/* Caller's struct; {0} to begin with, _release at the end, reusable in between. */
struct rp_attempt_request {
	struct rp_request request; /* points into the rest */
	/* of the settings it was prepared with, which must stay until the request is done */
	const struct rp_policy *policy;
	struct rp_url url;
	struct rp_buf text;
	const char *headers[RP_ATTEMPT_HEADERS_MAX];
	bool lacks_memory;
	size_t n_own_headers; /* those in front are ours; the others' values may be secrets */
};

/* RP_CAUSE_NONE: *out is ready to start. RP_CAUSE_LOCAL with out->lacks_memory: nothing is wrong
 * with the attempt. Else the reason why this attempt fails without being made (bad URL, no key,
 * too many headers), with `detail` filled. The dispatch must stay as it is until the request is
 * done. */
enum rp_cause rp_attempt_prepare(struct rp_attempt_request *out, const struct rp_settings *settings,
				 const struct rp_dispatch *dispatch, uint32_t attempt_no,
				 int64_t now_at_ms, char detail[RP_DETAIL_TEXT_MAX]);
/* Overwrites with '*' what text[0..n), which came back, repeats of the URL's query values and of
 * the values of configured and envelope headers (of 4 or more bytes; of "Bearer abcd" also "abcd"
 * alone), in whatever encoding (config/redact.h). n: at most 1024. */
void rp_attempt_mask_secrets(const struct rp_attempt_request *a, unsigned char *text, size_t n);
void rp_attempt_request_release(struct rp_attempt_request *a);

#endif
