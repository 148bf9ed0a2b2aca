/* sign.h - Standard Webhooks 1.0.0 signatures: `webhook-signature` from id, timestamp, body and secrets, and back.
 *
 * Signed bytes: id "." timestamp "." body, body exactly as sent. v1 = HMAC-SHA256, secrets "whsec_<base64 of 24 to 64
 * bytes>"; v1a = Ed25519, secrets "whsk_<base64 of seed or seed||public>", public "whpk_<base64 of 32 bytes>". The header
 * lists signatures separated by spaces, in the order the secrets are given: put the newest first, and know that one
 * reference library (Elixir) looks only at the last. Source: the spec's spec/standard-webhooks.md, checked against its
 * published vectors in tests/unit/test_sign.c. */
#ifndef RP_CORE_SIGN_H
#define RP_CORE_SIGN_H

#include "base/bytes.h"
#include "base/err.h"

#define RP_SIGN_KEYS_MAX 8

struct rp_signer; /* the keys of one endpoint; not shared between threads */

/* `text`: the content of a secret file: one secret a line, empty lines and lines starting with '#' ignored, newest first.
 * RP_ERR_INVAL: err names the line and what is wrong, never the secret; *out is NULL. */
enum rp_err rp_signer_new(struct rp_span text, struct rp_signer **out, struct rp_error *err);
void rp_signer_free(struct rp_signer *signer); /* keys are wiped; NULL is allowed */

/* Appends the value of `webhook-signature` ("v1,... v1a,..."). timestamp: Unix seconds of this attempt. id: without '.',
 * which would let two messages share their signed bytes. false: out of memory, the library failed, or no key can sign
 * (only whpk_ are there); out is unchanged. */
bool rp_signer_sign(struct rp_signer *signer, struct rp_span id, int64_t timestamp, struct rp_span body,
		    struct rp_buf *out);

/* For receivers: whether any signature in `header` verifies with any of the keys (whsec_, whsk_ or whpk_). An id with '.'
 * and a timestamp that is not 1 to 19 digits never verify; signatures after the first RP_SIGN_READ_MAX are not looked at,
 * which bounds what a hostile header costs. The caller checks the timestamp's age; RP_SIGN_TOLERANCE_S is what all
 * reference libraries use. */
#define RP_SIGN_READ_MAX 16
bool rp_signer_verify(struct rp_signer *signer, struct rp_span id, struct rp_span timestamp, struct rp_span body,
		      struct rp_span header);
#define RP_SIGN_TOLERANCE_S 300

#endif
