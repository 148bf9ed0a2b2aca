/* escape.c - makes foreign text harmless for a terminal and a line. */

#include "text/escape.h"

#include "text/scan.h"
#include "text/shell.h"

static bool add_hex(struct rp_buf *out, const char *p, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++) {
		if (!rp_buf_printf(out, "\\x%02x", (unsigned char)p[i]))
			return false;
	}
	return true;
}

static bool escape_ascii(char c, struct rp_buf *out)
{
	switch (c) {
	case '\n':
		return rp_buf_add_text(out, "\\n");
	case '\r':
		return rp_buf_add_text(out, "\\r");
	case '\t':
		return rp_buf_add_text(out, "\\t");
	default:
		return (unsigned char)c < 0x20 || c == 0x7f ? add_hex(out, &c, 1)
							    : rp_buf_add_char(out, c);
	}
}

static bool tame(struct rp_span text, bool backslash, struct rp_buf *out)
{
	while (text.len > 0) {
		size_t good, n = rp_utf8_sequence(text, &good);
		bool ok;

		if (n == 1 && text.ptr[0] == '\\' && backslash)
			ok = rp_buf_add_text(out, "\\\\");
		else if (n == 1)
			ok = escape_ascii(text.ptr[0], out);
		else if (n == 0 || rp_utf8_steers((struct rp_span){text.ptr, n}))
			ok = add_hex(out, text.ptr, n > 0 ? n : 1);
		else
			ok = rp_buf_add(out, text.ptr, n);
		if (!ok)
			return false;
		n = n > 0 ? n : 1;
		text.ptr += n;
		text.len -= n;
	}
	return true;
}

bool rp_text_escape(struct rp_span text, struct rp_buf *out)
{
	return tame(text, true, out);
}

bool rp_text_tame(struct rp_span text, struct rp_buf *out)
{
	return tame(text, false, out);
}
