/* shell.c - quotes words for a POSIX shell. It decides here alone which bytes may stand bare, so
 * that every printed command is safe to paste. */

#include "text/shell.h"

#include <stdlib.h>

#include "base/file.h"
#include "text/scan.h"

/* U+0080 to U+009F; U+200E/F, U+202A to U+202E, U+2066 to U+2069. */
bool rp_utf8_steers(struct rp_span sequence)
{
	const unsigned char *u = (const unsigned char *)sequence.ptr;

	if (sequence.len == 1)
		return u[0] < 0x20 || u[0] == 0x7f;
	if (sequence.len == 2)
		return u[0] == 0xc2 && u[1] < 0xa0;
	if (sequence.len != 3 || u[0] != 0xe2)
		return false;
	return (u[1] == 0x80 && ((u[2] >= 0xaa && u[2] <= 0xae) || u[2] == 0x8e || u[2] == 0x8f)) ||
	       (u[1] == 0x81 && u[2] >= 0xa6 && u[2] <= 0xa9);
}

static bool is_bare(const char *text)
{
	static const char bare[] =
	    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/._-:,+@";

	return text[0] != '\0' && text[strspn(text, bare)] == '\0';
}

/* The quote stands in double quotes, not behind a backslash: should anybody double the backslashes
 * of a command after all, a word of it becomes a wrong one, but nothing gets out of its quotes. */
static bool add_quoted(struct rp_span text, struct rp_buf *out)
{
	bool ok = rp_buf_add_char(out, '\'');
	size_t i;

	for (i = 0; ok && i < text.len; i++)
		ok = text.ptr[i] == '\'' ? rp_buf_add_text(out, "'\"'\"'")
					 : rp_buf_add_char(out, text.ptr[i]);
	return ok && rp_buf_add_char(out, '\'');
}

/* Of the format of printf(1): POSIX has \ddd there, and no \x. */
static bool add_octal(struct rp_span bytes, struct rp_buf *out)
{
	bool ok = true;
	size_t i;

	for (i = 0; ok && i < bytes.len; i++)
		ok = rp_buf_printf(out, "\\%03o", (unsigned char)bytes.ptr[i]);
	return ok;
}

/* The bytes of the character that stands at the start of text, and whether it can be printed. */
static struct rp_span first_of(struct rp_span text, bool *can_print)
{
	size_t good, n = rp_utf8_sequence(text, &good);

	text.len = n > 0 ? n : 1;
	*can_print = n > 0 && !rp_utf8_steers(text);
	return text;
}

static bool is_printable(struct rp_span text)
{
	bool ok = true;

	while (ok && text.len > 0) {
		struct rp_span c = first_of(text, &ok);

		text.ptr += c.len;
		text.len -= c.len;
	}
	return ok;
}

static bool add_substitution(struct rp_span text, struct rp_buf *out)
{
	bool ok = rp_buf_add_text(out, "\"$(printf '"), can_print;

	while (ok && text.len > 0) {
		struct rp_span c = first_of(text, &can_print);

		if (!can_print || strchr("'\\", c.ptr[0]) != NULL)
			ok = add_octal(c, out);
		else
			ok = rp_buf_add(out, c.ptr, c.len) &&
			     (c.ptr[0] != '%' || rp_buf_add_char(out, '%'));
		text.ptr += c.len;
		text.len -= c.len;
	}
	return ok && rp_buf_add_text(out, "')\"");
}

bool rp_shell_quote(const char *text, struct rp_buf *out)
{
	struct rp_span all = rp_span_of(text), head = all;

	if (is_bare(text))
		return rp_buf_add_text(out, text);
	if (is_printable(all))
		return add_quoted(all, out);
	while (head.len > 0 && head.ptr[head.len - 1] == '\n')
		head.len--;
	return add_substitution(head, out) &&
	       (head.len == all.len ||
		add_quoted((struct rp_span){head.ptr + head.len, all.len - head.len}, out));
}

bool rp_shell_quote_path(const char *path, struct rp_buf *out)
{
	char *full = rp_path_absolute(path);
	bool ok = full != NULL && rp_shell_quote(full, out);

	free(full);
	return ok;
}
