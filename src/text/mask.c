/* mask.c - finds pieces of secrets in a text and hides them. It recognises several encodings of
 * a secret, because receivers repeat a URL in many ways. */

#include "text/mask.h"

#include "base/assert.h"
#include "text/ascii.h"

enum reading { READ_AS_WRITTEN, READ_DECODED, READ_AS_FORM };

static size_t slot_of(const unsigned char *four)
{
	uint32_t v;

	memcpy(&v, four, sizeof v);
	/* Knuth's multiplicative hash; RP_MASK_SLOTS are 8 bits */
	return (v * UINT32_C(2654435761)) >> 24;
}

void rp_mask_begin(struct rp_mask *m, unsigned char *text, size_t n)
{
	size_t i, slot;

	assert(n <= RP_MASK_TEXT_MAX);
	m->text = text;
	m->n = n;
	m->compares = 0;
	memset(m->first, 0, sizeof m->first);
	memset(m->hidden, 0, n * sizeof m->hidden[0]);
	for (i = 0; i + RP_MASK_SECRET_MIN <= n; i++) {
		slot = slot_of(text + i);
		m->before[i] = m->first[slot];
		m->first[slot] = (uint16_t)(i + 1);
	}
}

static bool is_escape(struct rp_span s, size_t at)
{
	return s.ptr[at] == '%' && s.len - at > 2 && rp_char_hex(s.ptr[at + 1]) >= 0 &&
	       rp_char_hex(s.ptr[at + 2]) >= 0;
}

static unsigned char take_byte(struct rp_span s, size_t *at, enum reading reading)
{
	char c = s.ptr[(*at)++];

	if (reading == READ_AS_FORM && c == '+')
		return ' ';
	if (reading == READ_AS_WRITTEN || c != '%')
		return (unsigned char)c;
	if (!is_escape(s, *at - 1))
		return (unsigned char)c;
	*at += 2;
	return (unsigned char)(rp_char_hex(s.ptr[*at - 2]) << 4 | rp_char_hex(s.ptr[*at - 1]));
}

/* How many bytes of text the secret covers from its start on. */
static size_t match(struct rp_mask *m, struct rp_span secret, enum reading reading, size_t from)
{
	size_t at = 0, i = from;

	while (at < secret.len && i < m->n) {
		m->compares++;
		if (take_byte(secret, &at, reading) != m->text[i])
			return 0;
		i++;
	}
	return i - from;
}

static void hide(struct rp_mask *m, struct rp_span secret, enum reading reading)
{
	unsigned char four[RP_MASK_SECRET_MIN];
	size_t at = 0, i, len;
	uint16_t place;

	for (i = 0; i < sizeof four && at < secret.len; i++)
		four[i] = take_byte(secret, &at, reading);
	if (i < sizeof four)
		return;
	for (place = m->first[slot_of(four)]; place != 0; place = m->before[place - 1]) {
		if (m->compares >= RP_MASK_COMPARES_MAX)
			return;
		len = match(m, secret, reading, place - 1u);
		if (len > m->hidden[place - 1])
			m->hidden[place - 1] = (uint16_t)len;
	}
}

/* Behind an escape; one that was encoded again is "%252F", and so on. */
static size_t after_escape(struct rp_span s, size_t at)
{
	at++;
	while (s.len - at > 3 && s.ptr[at] == '2' && s.ptr[at + 1] == '5' &&
	       rp_char_hex(s.ptr[at + 2]) >= 0 && rp_char_hex(s.ptr[at + 3]) >= 0)
		at += 2;
	return at + 2;
}

/* The stretches of letters and digits: however a receiver encodes the rest, these stay. */
static void hide_pieces(struct rp_mask *m, struct rp_span secret)
{
	size_t at = 0, end;

	while (at < secret.len) {
		for (end = at; end < secret.len && rp_char_is_alnum(secret.ptr[end]); end++)
			continue;
		if (end - at >= RP_MASK_SECRET_MIN && end - at < secret.len)
			hide(m, rp_span_part(secret, at, end), READ_AS_WRITTEN);
		if (end < secret.len)
			end = is_escape(secret, end) ? after_escape(secret, end) : end + 1;
		at = end;
	}
}

void rp_mask_secret(struct rp_mask *m, struct rp_span secret)
{
	bool coded, plus;

	if (secret.len < RP_MASK_SECRET_MIN || m->n < RP_MASK_SECRET_MIN)
		return;
	coded = memchr(secret.ptr, '%', secret.len) != NULL;
	plus = memchr(secret.ptr, '+', secret.len) != NULL;
	hide(m, secret, READ_AS_WRITTEN);
	if (coded)
		hide(m, secret, READ_DECODED);
	if (plus)
		hide(m, secret, READ_AS_FORM);
	hide_pieces(m, secret);
}

void rp_mask_end(struct rp_mask *m)
{
	size_t i, until = m->compares >= RP_MASK_COMPARES_MAX ? m->n : 0;

	for (i = 0; i < m->n; i++) {
		if (i + m->hidden[i] > until)
			until = i + m->hidden[i];
		if (i < until)
			m->text[i] = '*';
	}
}
