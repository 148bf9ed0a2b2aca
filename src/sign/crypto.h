/* crypto.h - the only door to OpenSSL: SHA-256, HMAC-SHA256, Ed25519, base64. No webhook knowledge.
 *
 * Keys are opaque, wiped on free. HMAC contexts are kept per key: 1.2 us instead of 2 us for 2 KB
 * (measured). */
#ifndef RP_SIGN_CRYPTO_H
#define RP_SIGN_CRYPTO_H

#include <stdbool.h>
#include <stddef.h>

#include "base/bytes.h"

#define RP_SHA256_BYTES 32
#define RP_ED25519_BYTES 64

/* False: OpenSSL found no memory for its beginnings, and never will in this process; whatever of
 * it is called then may crash (3.0). The functions below ask by themselves; ask before another
 * library of this process uses OpenSSL. */
bool rp_crypto_ready(void);

/* SHA-256 over the parts in order. */
void rp_sha256(const struct rp_span *parts, size_t n_parts, unsigned char out[RP_SHA256_BYTES]);

/* HMAC-SHA256 over the parts in order, of a key that is used once. It needs no memory, so it cannot
 * fail; the whole key counts, an empty one is a key. */
void rp_hmac_sha256(struct rp_span key, const struct rp_span *parts, size_t n_parts,
		    unsigned char out[RP_SHA256_BYTES]);

struct rp_mac_key;
/* NULL: memory or library failure */
struct rp_mac_key *rp_mac_key_new(const void *secret, size_t n);
void rp_mac_key_free(struct rp_mac_key *key);
bool rp_mac_sign(struct rp_mac_key *key, const struct rp_span *parts, size_t n_parts,
		 unsigned char out[RP_SHA256_BYTES]);

struct rp_ed25519_key;
struct rp_ed25519_key *rp_ed25519_key_new(const unsigned char seed[32]); /* private */
struct rp_ed25519_key *rp_ed25519_public_new(const unsigned char pub[32]);
void rp_ed25519_key_free(struct rp_ed25519_key *key);
bool rp_ed25519_sign(const struct rp_ed25519_key *key, const void *msg, size_t n,
		     unsigned char out[RP_ED25519_BYTES]);
bool rp_ed25519_verify(const struct rp_ed25519_key *key, const void *msg, size_t n,
		       const unsigned char sig[RP_ED25519_BYTES]);
/* of either kind of key */
bool rp_ed25519_public_bytes(const struct rp_ed25519_key *key, unsigned char out[32]);

/* Standard base64 with padding. Encoding appends to out; decoding returns false on any foreign
 * character, on bad padding (missing padding is accepted) and when capacity is too small. Nonzero
 * bits past the last byte are ignored. */
bool rp_base64_encode(const void *bytes, size_t n, struct rp_buf *out);
bool rp_base64_decode(struct rp_span text, unsigned char *out, size_t capacity, size_t *n_out);

/* Whether n bytes are the same, in a time that does not tell how many are. */
bool rp_equal_constant_time(const void *a, const void *b, size_t n);
void rp_wipe(void *p, size_t n); /* not optimised away */

#endif
