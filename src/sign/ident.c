/* ident.c - makes, prints and parses entry ids. The layout of an id is known here and nowhere
 * else. */

#include "sign/ident.h"

#include "base/assert.h"

#define PREFIX "msg_"
#define PREFIX_LEN (sizeof PREFIX - 1)
#define DIGITS 26

_Static_assert(PREFIX_LEN + DIGITS < RP_ID_TEXT_MAX, "an id and its NUL fit");

/* Crockford's alphabet is in ASCII order, so ids sort as text just as they do as bytes. */
static const char alphabet[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

void rp_id_make(uint64_t seq, const unsigned char random[10], unsigned char out[RP_ID_BYTES])
{
	size_t i;

	assert(seq <= RP_SEQ_MAX);
	for (i = 0; i < 6; i++)
		out[i] = (unsigned char)(seq >> (8 * (5 - i)));
	memcpy(out + 6, random, 10);
}

uint64_t rp_id_seq(const unsigned char id[RP_ID_BYTES])
{
	uint64_t seq = 0;
	size_t i;

	for (i = 0; i < 6; i++)
		seq = seq << 8 | id[i];
	return seq;
}

const char *rp_id_format(const unsigned char id[RP_ID_BYTES], char out[RP_ID_TEXT_MAX])
{
	unsigned bits = 0, n_bits = 2; /* 26 digits have 130 bits: two zero bits stand in front */
	char *at = out + PREFIX_LEN;
	size_t i;

	memcpy(out, PREFIX, PREFIX_LEN);
	for (i = 0; i < RP_ID_BYTES; i++) {
		bits = (bits << 8 | id[i]) & 0xfff;
		for (n_bits += 8; n_bits >= 5; n_bits -= 5)
			*at++ = alphabet[bits >> (n_bits - 5) & 31];
	}
	*at = '\0';
	assert(n_bits == 0 && at == out + PREFIX_LEN + DIGITS);
	return out;
}

/* -1: not a digit. */
static int digit_value(char c)
{
	const char *at;

	if (c >= 'a' && c <= 'z')
		c = (char)(c - 'a' + 'A');
	if (c == 'O')
		return 0;
	if (c == 'I' || c == 'L')
		return 1;
	at = c != '\0' ? strchr(alphabet, c) : NULL;
	return at != NULL ? (int)(at - alphabet) : -1;
}

bool rp_id_parse(struct rp_span text, unsigned char out[RP_ID_BYTES])
{
	unsigned char id[RP_ID_BYTES];
	unsigned bits = 0, n_bits = 0;
	size_t i, n = 0;
	int v;

	if (text.len != PREFIX_LEN + DIGITS || memcmp(text.ptr, PREFIX, PREFIX_LEN) != 0)
		return false;
	for (i = 0; i < DIGITS; i++) {
		v = digit_value(text.ptr[PREFIX_LEN + i]);
		if (v < 0 || (i == 0 && v > 7))
			return false;
		bits = (bits << 5 | (unsigned)v) & 0xfff;
		n_bits += i == 0 ? 3 : 5;
		if (n_bits >= 8) {
			n_bits -= 8;
			id[n++] = (unsigned char)(bits >> n_bits);
		}
	}
	assert(n == RP_ID_BYTES && n_bits == 0);
	memcpy(out, id, sizeof id);
	return true;
}
