/* sign.c - parses secrets, signs messages and verifies signatures as Standard Webhooks asks. It
 * decides about keys and times; crypto.c does the arithmetic. */

#include "sign/sign.h"

#include <stdlib.h>

#include "base/assert.h"
#include "base/units.h"
#include "sign/crypto.h"

#define HMAC_SECRET_BYTES_MIN 24 /* the specification's bounds */
#define HMAC_SECRET_BYTES_MAX 64
#define ED25519_RAW_BYTES 32
#define BASE64_CHARS(n) (((n) + 2) / 3 * 4)
#define KEY_TEXT_MAX BASE64_CHARS(HMAC_SECRET_BYTES_MAX)

#define ALWAYS_MIN INT64_MIN
#define ALWAYS_MAX INT64_MAX

/* One line of the secret file; exactly one of mac and ed is set. */
struct key {
	struct rp_mac_key *mac;
	struct rp_ed25519_key *ed;
	bool can_sign;
	int64_t not_before_at_ms, not_after_at_ms; /* ALWAYS_MIN, ALWAYS_MAX: no bound */
};

struct rp_signer {
	size_t n_keys;
	struct key keys[RP_SIGN_KEYS_MAX];
};

/* Each maker below fills key from n decoded bytes. Its sentences name the line and hold nothing of
 * the secret. */

static enum rp_err fail_library(struct rp_error *err, unsigned line)
{
	return rp_fail(err, RP_ERR_NOMEM,
		       "line %u: the key cannot be set up: out of memory or libcrypto failed",
		       line);
}

static enum rp_err hmac_key_make(struct key *key, const unsigned char *raw, size_t n, unsigned line,
				 struct rp_error *err)
{
	if (n < HMAC_SECRET_BYTES_MIN || n > HMAC_SECRET_BYTES_MAX)
		return rp_fail(err, RP_ERR_INVAL,
			       "line %u: a whsec_ secret is the base64 of %d to %d random bytes, "
			       "this one has %zu; make one "
			       "with: echo whsec_$(openssl rand -base64 32)",
			       line, HMAC_SECRET_BYTES_MIN, HMAC_SECRET_BYTES_MAX, n);
	key->mac = rp_mac_key_new(raw, n);
	key->can_sign = true;
	return key->mac != NULL ? RP_OK : fail_library(err, line);
}

static enum rp_err private_key_make(struct key *key, const unsigned char *raw, size_t n,
				    unsigned line, struct rp_error *err)
{
	unsigned char pub[ED25519_RAW_BYTES];

	if (n != ED25519_RAW_BYTES && n != 2 * ED25519_RAW_BYTES)
		return rp_fail(err, RP_ERR_INVAL,
			       "line %u: a whsk_ key is the base64 of the 32 byte seed, or of the "
			       "seed followed by the 32 byte "
			       "public key; this one has %zu bytes",
			       line, n);
	key->ed = rp_ed25519_key_new(raw);
	key->can_sign = true;
	if (key->ed == NULL || !rp_ed25519_public_bytes(key->ed, pub))
		return fail_library(err, line);
	if (n == 2 * ED25519_RAW_BYTES && memcmp(raw + ED25519_RAW_BYTES, pub, sizeof pub) != 0)
		return rp_fail(err, RP_ERR_INVAL,
			       "line %u: the second half of the whsk_ key is not the public key of "
			       "its first half; copy the "
			       "key again, or give the seed alone",
			       line);
	return RP_OK;
}

static enum rp_err public_key_make(struct key *key, const unsigned char *raw, size_t n,
				   unsigned line, struct rp_error *err)
{
	if (n != ED25519_RAW_BYTES)
		return rp_fail(err, RP_ERR_INVAL,
			       "line %u: a whpk_ key is the base64 of 32 bytes, this one has %zu",
			       line, n);
	key->ed = rp_ed25519_public_new(raw);
	return key->ed != NULL ? RP_OK : fail_library(err, line);
}

static const struct kind {
	const char *prefix;
	enum rp_err (*make)(struct key *key, const unsigned char *raw, size_t n, unsigned line,
			    struct rp_error *err);
} kinds[] = {
    {"whsec_", hmac_key_make},
    {"whsk_", private_key_make},
    {"whpk_", public_key_make},
};

static enum rp_err key_decode(struct key *key, const struct kind *kind, struct rp_span text,
			      unsigned line, struct rp_error *err)
{
	unsigned char raw[KEY_TEXT_MAX / 4 * 3];
	enum rp_err code;
	size_t n;

	if (text.len > KEY_TEXT_MAX)
		return rp_fail(err, RP_ERR_INVAL,
			       "line %u: the key has %zu characters after its prefix, the longest "
			       "has %d; put one key on a line",
			       line, text.len, KEY_TEXT_MAX);
	if (rp_base64_decode(text, raw, sizeof raw, &n))
		code = kind->make(key, raw, n, line, err);
	else
		code = rp_fail(err, RP_ERR_INVAL,
			       "line %u: what follows the key's prefix is not standard base64 (A-Z "
			       "a-z 0-9 + / and = at the "
			       "end); copy the key again, alone on its line",
			       line);
	rp_wipe(raw, sizeof raw);
	return code;
}

static bool has_prefix(struct rp_span text, const char *prefix)
{
	size_t n = strlen(prefix);

	return text.len >= n && memcmp(text.ptr, prefix, n) == 0;
}

static enum rp_err key_parse(struct key *key, struct rp_span text, unsigned line,
			     struct rp_error *err)
{
	size_t i, n;

	for (i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
		if (!has_prefix(text, kinds[i].prefix))
			continue;
		n = strlen(kinds[i].prefix);
		text.ptr += n;
		text.len -= n;
		return key_decode(key, &kinds[i], text, line, err);
	}
	return rp_fail(err, RP_ERR_INVAL,
		       "line %u: a key begins with whsec_ (shared secret), whsk_ (Ed25519 private "
		       "key) or whpk_ (Ed25519 "
		       "public key); comments begin with #",
		       line);
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

/* Cuts the next word off *text; empty when only blanks are left. */
static struct rp_span word_take(struct rp_span *text)
{
	struct rp_span word;

	while (text->len > 0 && is_blank(text->ptr[0])) {
		text->ptr++;
		text->len--;
	}
	word = (struct rp_span){text->ptr, 0};
	while (text->len > 0 && !is_blank(text->ptr[0])) {
		text->ptr++;
		text->len--;
		word.len++;
	}
	return word;
}

static enum rp_err bound_parse(struct rp_span word, const char *name, int64_t unset, int64_t *bound,
			       unsigned line, struct rp_error *err)
{
	size_t n = strlen(name);

	if (*bound != unset)
		return rp_fail(err, RP_ERR_INVAL, "line %u: %s stands there twice", line, name);
	if (!rp_time_parse((struct rp_span){word.ptr + n, word.len - n}, bound))
		return rp_fail(err, RP_ERR_INVAL,
			       "line %u: %s is followed by something else than a time; accepted: "
			       "RFC 3339, for example "
			       "%s2026-12-01T00:00:00Z",
			       line, name, name);
	return RP_OK;
}

/* What stands behind a key. What is neither bound may be a piece of the secret, so it is not
 * repeated. */
static enum rp_err window_parse(struct key *key, struct rp_span words, unsigned line,
				struct rp_error *err)
{
	static const char before[] = "not-before=", after[] = "not-after=";
	enum rp_err code = RP_OK;
	struct rp_span word;

	key->not_before_at_ms = ALWAYS_MIN;
	key->not_after_at_ms = ALWAYS_MAX;
	while (code == RP_OK && (word = word_take(&words)).len > 0) {
		if (has_prefix(word, before))
			code = bound_parse(word, before, ALWAYS_MIN, &key->not_before_at_ms, line,
					   err);
		else if (has_prefix(word, after))
			code =
			    bound_parse(word, after, ALWAYS_MAX, &key->not_after_at_ms, line, err);
		else
			code = rp_fail(err, RP_ERR_INVAL,
				       "line %u: there is something else behind the key than "
				       "not-before=TIME and "
				       "not-after=TIME; put each key on a line of its own, and "
				       "comments as well",
				       line);
	}
	if (code == RP_OK && key->not_before_at_ms >= key->not_after_at_ms)
		code = rp_fail(
		    err, RP_ERR_INVAL,
		    "line %u: not-before is not earlier than not-after: the key would never sign",
		    line);
	return code;
}

static enum rp_err line_parse(struct key *key, struct rp_span line, unsigned n,
			      struct rp_error *err)
{
	struct rp_span text = word_take(&line);
	enum rp_err code = window_parse(key, line, n, err);

	return code == RP_OK ? key_parse(key, text, n, err) : code;
}

/* Cuts the next line off *text; blanks and the CR of a DOS line end go. */
static struct rp_span line_take(struct rp_span *text)
{
	const char *end = memchr(text->ptr, '\n', text->len);
	struct rp_span line = {text->ptr, end != NULL ? (size_t)(end - text->ptr) : text->len};
	size_t used = end != NULL ? line.len + 1 : line.len;

	text->ptr += used;
	text->len -= used;
	while (line.len > 0 && is_blank(line.ptr[0])) {
		line.ptr++;
		line.len--;
	}
	while (line.len > 0 && is_blank(line.ptr[line.len - 1]))
		line.len--;
	return line;
}

static enum rp_err keys_parse(struct rp_signer *signer, struct rp_span text, struct rp_error *err)
{
	struct rp_span line;
	enum rp_err code;
	unsigned n;

	for (n = 1; text.len > 0; n++) {
		line = line_take(&text);
		if (line.len == 0 || line.ptr[0] == '#')
			continue;
		if (signer->n_keys == RP_SIGN_KEYS_MAX)
			return rp_fail(err, RP_ERR_INVAL,
				       "line %u: more than %d keys; remove the old ones", n,
				       RP_SIGN_KEYS_MAX);
		code = line_parse(&signer->keys[signer->n_keys], line, n, err);
		signer->n_keys++; /* also after a failure: a half-made key is freed with the rest */
		if (code != RP_OK)
			return code;
	}
	if (signer->n_keys == 0)
		return rp_fail(err, RP_ERR_INVAL,
			       "line 1: there is no key in the text; give one a line, for example "
			       "whsec_ and the base64 of 32 "
			       "random bytes");
	return RP_OK;
}

enum rp_err rp_signer_new(struct rp_span text, struct rp_signer **out, struct rp_error *err)
{
	struct rp_signer *signer = calloc(1, sizeof *signer);
	enum rp_err code;

	*out = NULL;
	if (signer == NULL)
		return rp_fail(err, RP_ERR_NOMEM, "out of memory for the signing keys");
	code = keys_parse(signer, rp_span_after_bom(text), err);
	if (code == RP_OK)
		*out = signer;
	else
		rp_signer_free(signer);
	return code;
}

void rp_signer_free(struct rp_signer *signer)
{
	size_t i;

	if (signer == NULL)
		return;
	for (i = 0; i < signer->n_keys; i++) {
		rp_mac_key_free(signer->keys[i].mac);
		rp_ed25519_key_free(signer->keys[i].ed);
	}
	free(signer);
}

#define N_PARTS 5
#define TIMESTAMP_MAX (INT64_MAX / 2000) /* so that milliseconds and the tolerance fit */

/* What is signed: id "." timestamp "." body, as parts. Ed25519 reads its message twice, so it
 * needs it in one piece; `joined` is made for the first key that asks. */
struct message {
	int64_t timestamp; /* of a message to be verified */
	struct rp_span parts[N_PARTS];
	struct rp_buf joined;
};

static struct message message_of(struct rp_span id, struct rp_span timestamp, struct rp_span body)
{
	struct message m = {.parts = {id, {".", 1}, timestamp, {".", 1}, body}};

	return m;
}

static bool message_join(struct message *m)
{
	size_t total = 0;
	size_t i;

	if (m->joined.len > 0)
		return true;
	for (i = 0; i < N_PARTS; i++)
		total += m->parts[i].len;
	m->joined.max = total;
	if (!rp_buf_reserve(&m->joined, total))
		return false;
	for (i = 0; i < N_PARTS; i++)
		if (!rp_buf_add(&m->joined, m->parts[i].ptr, m->parts[i].len))
			return false;
	return true;
}

static bool signature_add(const struct key *key, struct message *m, struct rp_buf *out)
{
	unsigned char sig[RP_ED25519_BYTES];

	if (key->mac != NULL)
		return rp_mac_sign(key->mac, m->parts, N_PARTS, sig) &&
		       rp_buf_add_text(out, "v1,") && rp_base64_encode(sig, RP_SHA256_BYTES, out);
	return message_join(m) && rp_ed25519_sign(key->ed, m->joined.data, m->joined.len, sig) &&
	       rp_buf_add_text(out, "v1a,") && rp_base64_encode(sig, RP_ED25519_BYTES, out);
}

/* Whether the key's window and [from, to], Unix seconds, have a moment in common. */
static bool is_valid_within(const struct key *key, int64_t from, int64_t to)
{
	return (key->not_before_at_ms == ALWAYS_MIN || to * 1000 >= key->not_before_at_ms) &&
	       (key->not_after_at_ms == ALWAYS_MAX || from * 1000 < key->not_after_at_ms);
}

static bool signs_at(const struct key *key, int64_t timestamp)
{
	return key->can_sign && is_valid_within(key, timestamp, timestamp);
}

size_t rp_signer_count_at(const struct rp_signer *signer, int64_t timestamp)
{
	size_t i, n = 0;

	for (i = 0; i < signer->n_keys; i++)
		n += signs_at(&signer->keys[i], timestamp);
	return n;
}

size_t rp_signer_count(const struct rp_signer *signer)
{
	size_t i, n = 0;

	for (i = 0; i < signer->n_keys; i++)
		n += signer->keys[i].can_sign;
	return n;
}

static bool signatures_add(const struct rp_signer *signer, int64_t timestamp, struct message *m,
			   struct rp_buf *out)
{
	bool any = false;
	size_t i;

	for (i = 0; i < signer->n_keys; i++) {
		if (!signs_at(&signer->keys[i], timestamp))
			continue;
		if (any && !rp_buf_add_char(out, ' '))
			return false;
		if (!signature_add(&signer->keys[i], m, out))
			return false;
		any = true;
	}
	return any;
}

bool rp_signer_sign(struct rp_signer *signer, struct rp_span id, int64_t timestamp,
		    struct rp_span body, struct rp_buf *out)
{
	char seconds[RP_DECIMAL_MAX];
	struct message m;
	size_t len = out->len;
	bool ok;

	assert(id.len > 0 && memchr(id.ptr, '.', id.len) == NULL);
	assert(timestamp >= 0 && timestamp <= TIMESTAMP_MAX);
	m = message_of(id, rp_span_of(rp_decimal((uint64_t)timestamp, seconds)), body);
	ok = signatures_add(signer, timestamp, &m, out);
	rp_buf_release(&m.joined);
	if (!ok && out->data != NULL) {
		out->len = len;
		out->data[len] = '\0';
	}
	return ok;
}

/* Times beyond any key's window come out as TIMESTAMP_MAX. */
static bool timestamp_parse(struct rp_span text, int64_t *out)
{
	int64_t seconds = 0;
	size_t i;

	for (i = 0; i < text.len; i++) {
		if (text.ptr[i] < '0' || text.ptr[i] > '9')
			return false;
		if (seconds <= TIMESTAMP_MAX / 10 - 1)
			seconds = seconds * 10 + (text.ptr[i] - '0');
		else
			seconds = TIMESTAMP_MAX;
	}
	*out = seconds;
	return text.len > 0 && text.len <= 19;
}

static bool verifies_at(const struct key *key, int64_t timestamp)
{
	return is_valid_within(key, timestamp - RP_SIGN_TOLERANCE_S,
			       timestamp + RP_SIGN_TOLERANCE_S);
}

static bool mac_matches(const struct rp_signer *signer, const struct message *m,
			struct rp_span text)
{
	unsigned char given[RP_SHA256_BYTES + 1], own[RP_SHA256_BYTES];
	size_t n, i;

	if (text.len != BASE64_CHARS(RP_SHA256_BYTES) ||
	    !rp_base64_decode(text, given, sizeof given, &n) || n != RP_SHA256_BYTES)
		return false;
	for (i = 0; i < signer->n_keys; i++)
		if (signer->keys[i].mac != NULL && verifies_at(&signer->keys[i], m->timestamp) &&
		    rp_mac_sign(signer->keys[i].mac, m->parts, N_PARTS, own) &&
		    rp_equal_constant_time(given, own, sizeof own))
			return true;
	return false;
}

static bool ed25519_matches(const struct rp_signer *signer, struct message *m, struct rp_span text)
{
	unsigned char given[RP_ED25519_BYTES + 2];
	size_t n, i;

	if (text.len != BASE64_CHARS(RP_ED25519_BYTES) ||
	    !rp_base64_decode(text, given, sizeof given, &n) || n != RP_ED25519_BYTES)
		return false;
	for (i = 0; i < signer->n_keys; i++)
		if (signer->keys[i].ed != NULL && verifies_at(&signer->keys[i], m->timestamp) &&
		    message_join(m) &&
		    rp_ed25519_verify(signer->keys[i].ed, m->joined.data, m->joined.len, given))
			return true;
	return false;
}

/* Unknown versions are somebody else's: skipped, so that a sender may add newer ones. */
static bool signature_matches(const struct rp_signer *signer, struct message *m,
			      struct rp_span token)
{
	const char *comma = memchr(token.ptr, ',', token.len);
	struct rp_span version = {token.ptr, comma != NULL ? (size_t)(comma - token.ptr) : 0};
	struct rp_span value;

	if (comma == NULL)
		return false;
	value.ptr = comma + 1;
	value.len = token.len - version.len - 1;
	if (rp_span_is(version, "v1"))
		return mac_matches(signer, m, value);
	return rp_span_is(version, "v1a") && ed25519_matches(signer, m, value);
}

/* Cuts the next token off *header; {NULL, 0} when only spaces are left. */
static struct rp_span token_take(struct rp_span *header)
{
	struct rp_span token = {NULL, 0};

	while (header->len > 0) {
		if (header->ptr[0] != ' ') {
			if (token.len++ == 0)
				token.ptr = header->ptr;
		} else if (token.len > 0) {
			break;
		}
		header->ptr++;
		header->len--;
	}
	return token;
}

bool rp_signer_verify(struct rp_signer *signer, struct rp_span id, struct rp_span timestamp,
		      struct rp_span body, struct rp_span header)
{
	struct message m = message_of(id, timestamp, body);
	struct rp_span token;
	bool ok = false;
	int n;

	if (id.len == 0 || memchr(id.ptr, '.', id.len) != NULL ||
	    !timestamp_parse(timestamp, &m.timestamp))
		return false;
	for (n = 0; !ok && n < RP_SIGN_READ_MAX; n++) {
		token = token_take(&header);
		if (token.len == 0)
			break;
		ok = signature_matches(signer, &m, token);
	}
	rp_buf_release(&m.joined);
	return ok;
}
