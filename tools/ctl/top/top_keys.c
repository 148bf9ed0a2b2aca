/* top_keys.c - reads keys from the bytes of a terminal. A key may come in pieces, so it keeps
 * what is incomplete. */

#include "ctl/top/top_keys.h"

#include <string.h>

#define ESC 0x1b

void rp_keys_put(struct rp_keys *k, const void *bytes, size_t n)
{
	if (n > sizeof k->bytes - k->n)
		n = sizeof k->bytes - k->n;
	memcpy(k->bytes + k->n, bytes, n);
	k->n += n;
}

static int take(struct rp_keys *k, size_t n, int key)
{
	memmove(k->bytes, k->bytes + n, k->n - n);
	k->n -= n;
	return key;
}

static int final_of(const unsigned char *p, size_t n)
{
	switch (p[n - 1]) {
	case 'A':
		return RP_KEY_UP;
	case 'B':
		return RP_KEY_DOWN;
	case 'H':
		return RP_KEY_HOME;
	case 'F':
		return RP_KEY_END;
	case '~':
		break;
	default:
		return RP_KEY_OTHER;
	}
	switch (p[2]) {
	case '1':
	case '7':
		return RP_KEY_HOME;
	case '4':
	case '8':
		return RP_KEY_END;
	case '5':
		return RP_KEY_PAGE_UP;
	case '6':
		return RP_KEY_PAGE_DOWN;
	default:
		return RP_KEY_OTHER;
	}
}

/* ESC [ parameters final, or ESC O final (ECMA-48; xterm's cursor keys in both modes). */
static int take_sequence(struct rp_keys *k, bool waited)
{
	size_t i;

	if (k->n == 1)
		return waited ? take(k, 1, RP_KEY_ESCAPE) : RP_KEY_NONE;
	if (k->bytes[1] != '[' && k->bytes[1] != 'O')
		return take(k, 1, RP_KEY_ESCAPE);
	for (i = 2; i < k->n; i++) {
		if (k->bytes[i] >= 0x40 && k->bytes[i] <= 0x7e)
			return take(k, i + 1, final_of(k->bytes, i + 1));
	}
	return waited || k->n == sizeof k->bytes ? take(k, k->n, RP_KEY_OTHER) : RP_KEY_NONE;
}

int rp_keys_next(struct rp_keys *k, bool waited)
{
	unsigned char c;

	if (k->n == 0)
		return RP_KEY_NONE;
	c = k->bytes[0];
	if (c == ESC)
		return take_sequence(k, waited);
	if (c == '\r' || c == '\n')
		return take(k, 1, RP_KEY_ENTER);
	if (c == 0x7f || c == 0x08)
		return take(k, 1, RP_KEY_BACKSPACE);
	return take(k, 1, c >= ' ' && c < 0x7f ? c : RP_KEY_OTHER);
}
