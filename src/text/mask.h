/* mask.h - hides secrets in a text that may repeat them.
 *
 * A URL has up to 4096 bytes of parameters, and each failed attempt a text to look through: so a
 * secret is not looked for at each place, but the places are found by its first four bytes. What
 * is left is to compare those that begin alike, and who writes both the URL and the answer can
 * make them many: then the text is hidden as a whole. */
#ifndef RP_TEXT_MASK_H
#define RP_TEXT_MASK_H

#include "base/bytes.h"

/* Shorter values ("1", "yes", "v2") stand in most texts by chance. */
#define RP_MASK_SECRET_MIN 4
#define RP_MASK_TEXT_MAX 1024
#define RP_MASK_SLOTS 256
#define RP_MASK_COMPARES_MAX ((size_t)64 << 10) /* bytes; a tenth of a millisecond */

struct rp_mask {
	unsigned char *text;
	size_t n;
	size_t compares; /* bytes of secrets held against the text */
	/* the last place + 1 whose four bytes belong there; 0: none */
	uint16_t first[RP_MASK_SLOTS];
	uint16_t before[RP_MASK_TEXT_MAX]; /* the one before it, likewise */
	uint16_t hidden[RP_MASK_TEXT_MAX]; /* so many bytes from there on */
};

/* n: at most RP_MASK_TEXT_MAX. The text is changed by rp_mask_end alone. */
void rp_mask_begin(struct rp_mask *m, unsigned char *text, size_t n);
/* The secret as written, percent-decoded, and as a form's value, in which '+' is a space; and by
 * itself each stretch of letters and digits in it, if not shorter than a secret: a receiver may
 * repeat it in encodings that nobody has listed. One that the end of the text cuts short counts
 * too: what is kept of a response is only its head. */
void rp_mask_secret(struct rp_mask *m, struct rp_span secret);
/* Overwrites what is to be hidden with '*'. */
void rp_mask_end(struct rp_mask *m);

#endif
