/* token_list.h - the lines of a file of bearer tokens, or of keys: parsed, and searched in a time
 * that does not tell which of them is nearly right. Reads no files.
 *
 * One a line, several of them valid at once, so that they can be changed without a gap. White space
 * around a line, a byte order mark, empty lines and lines that begin with '#' do not count. */
#ifndef RP_SERVE_TOKEN_LIST_H
#define RP_SERVE_TOKEN_LIST_H

#include "base/bytes.h"
#include "base/err.h"
#include "sign/crypto.h"

#define RP_TOKEN_BYTES_MIN 16
#define RP_TOKEN_BYTES_MAX 512
#define RP_TOKENS_MAX 64

enum rp_token_kind {
	RP_TOKEN_BEARER = 1, /* letters, digits, - . _ ~ + / and '=' at the end (RFC 6750 2.1) */
	RP_TOKEN_KEY,        /* any printable ASCII but space */
};

struct rp_listed_token {
	struct rp_span text; /* into the list's own copy */
	unsigned char digest[RP_SHA256_BYTES];
};

/* {0} is an empty one: nothing is in it. It holds secrets: never shown, wiped on release. */
struct rp_token_list {
	struct rp_listed_token *tokens; /* in the file's order */
	size_t n;
	char *text; /* owned */
	size_t text_bytes;
};

/* Fills an empty list. RP_ERR_INVAL: a line is too short, too long, holds a byte it must not or is
 * there twice; or there are no lines or too many. err is "line N: ..." and holds nothing of a
 * secret; the list is empty then. RP_ERR_NOMEM. */
enum rp_err rp_token_list_parse(struct rp_span text, enum rp_token_kind kind,
				struct rp_token_list *out, struct rp_error *err);
void rp_token_list_release(struct rp_token_list *list); /* releasing twice is harmless */

/* Whether `token` is one of the list. It looks at all of them, whichever it is; the time tells the
 * length of `token` alone. */
bool rp_token_list_has(const struct rp_token_list *list, struct rp_span token);

/* Whether `hex` (64 hexadecimal digits of either case) is the HMAC-SHA256 of the message with one
 * of the keys. It tries all of them. */
bool rp_token_list_signed(const struct rp_token_list *list, struct rp_span message,
			  struct rp_span hex);

#endif
