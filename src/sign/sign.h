/* sign.h - Standard Webhooks 1.0.0 signatures: `webhook-signature` from id, timestamp, body and
 * secrets, and back.
 *
 * Signed bytes: id "." timestamp "." body, body exactly as sent. v1 = HMAC-SHA256, secrets
 * "whsec_<base64 of 24 to 64 bytes>"; v1a = Ed25519, secrets "whsk_<base64 of seed or
 * seed||public>", public "whpk_<base64 of 32 bytes>". The header lists signatures separated by
 * spaces, in the order the secrets are given: put the newest first, and know that one reference
 * library (Elixir) looks only at the last. Source: the spec's spec/standard-webhooks.md, checked
 * against its published vectors in tests/unit/sign/test_sign.c.
 *
 * A key may be given a window: `whsec_... not-before=2026-12-01T00:00:00Z
 * not-after=2027-12-01T00:00:00Z`, RFC 3339. It signs from not-before on and until just before
 * not-after, so that two windows that share a bound leave no gap. The clock is the timestamp that
 * is signed: a signature is right or wrong for itself, not for when it is looked at. */
#ifndef RP_SIGN_SIGN_H
#define RP_SIGN_SIGN_H

#include "base/bytes.h"
#include "base/err.h"

#define RP_SIGN_KEYS_MAX 8

struct rp_signer; /* the keys of one endpoint; not shared between threads */

/* `text`: the content of a secret file: one secret a line, with its window; empty lines and lines
 * starting with '#' are ignored; newest first. RP_ERR_INVAL: err names the line and what is wrong,
 * never the secret; *out is NULL. */
enum rp_err rp_signer_new(struct rp_span text, struct rp_signer **out, struct rp_error *err);
void rp_signer_free(struct rp_signer *signer); /* keys are wiped; NULL is allowed */

/* How many keys sign at this time: 0 when all are outside their windows. whpk_ keys only verify. */
size_t rp_signer_count_at(const struct rp_signer *signer, int64_t timestamp);
/* How many could, whatever the time. */
size_t rp_signer_count(const struct rp_signer *signer);

/* Appends the value of `webhook-signature` ("v1,... v1a,..."), by the keys valid at the time, in
 * the file's order. timestamp: Unix seconds of this attempt. id: without '.', which would let two
 * messages share their signed bytes. false: out of memory, the library failed, or no key signs at
 * this time; out is unchanged. */
bool rp_signer_sign(struct rp_signer *signer, struct rp_span id, int64_t timestamp,
		    struct rp_span body, struct rp_buf *out);

/* For receivers: whether any signature in `header` verifies with any of the keys (whsec_, whsk_ or
 * whpk_) that is valid within RP_SIGN_TOLERANCE_S of the timestamp: the sender's clock, by which
 * it chose, may be off by so much. An id with '.' and a timestamp that is not 1 to 19 digits never
 * verify; signatures after the first RP_SIGN_READ_MAX are not looked at, which bounds what a
 * hostile header costs. The caller checks the timestamp's age; RP_SIGN_TOLERANCE_S is what all
 * reference libraries use. */
#define RP_SIGN_READ_MAX 16
bool rp_signer_verify(struct rp_signer *signer, struct rp_span id, struct rp_span timestamp,
		      struct rp_span body, struct rp_span header);
#define RP_SIGN_TOLERANCE_S 300

#endif
