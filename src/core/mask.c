#include "core/mask_int.h"

#include "base/assert.h"
#include "core/text_int.h"

enum reading { READ_AS_WRITTEN, READ_DECODED, READ_AS_FORM };

static size_t slot_of(const unsigned char *four)
{
	uint32_t v;

	memcpy(&v, four, sizeof v);
	return (v * UINT32_C(2654435761)) >> 24; /* Knuth's multiplicative hash; RP_MASK_SLOTS are 8 bits */
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

static unsigned char take_byte(struct rp_span s, size_t *at, enum reading reading)
{
	char c = s.ptr[(*at)++];

	if (reading == READ_AS_FORM && c == '+')
		return ' ';
	if (reading == READ_AS_WRITTEN || c != '%')
		return (unsigned char)c;
	assert(s.len - *at >= 2);
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
