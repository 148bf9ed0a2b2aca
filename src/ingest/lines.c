/* lines.c - splits bytes into lines within a fixed buffer. It reads nothing itself, so that
 * tests can feed it any cut of the input. */

#include "ingest/lines.h"

#include "base/assert.h"

#define BOM_BYTES ((size_t)3)
#define ROOM_WORTH_IT ((size_t)64 << 10) /* less is not offered: a pipe gives more at once */

void rp_lines_init(struct rp_lines *lines, size_t max_line)
{
	memset(lines, 0, sizeof *lines);
	lines->max_line = max_line;
	lines->buf.max = max_line + 2 * RP_LINES_CHUNK;
}

void rp_lines_release(struct rp_lines *lines)
{
	rp_buf_release(&lines->buf);
}

/* Offers all there is: the room after the spans is used up before the memory is swapped. */
static char *room_at_end(struct rp_lines *lines, size_t least, size_t *room)
{
	const struct rp_buf *b = &lines->buf;
	size_t end = b->cap == 0 ? 0 : b->cap - 1 < b->max ? b->cap - 1 : b->max;

	*room = end - b->len < 2 * RP_LINES_CHUNK ? end - b->len : 2 * RP_LINES_CHUNK;
	return *room >= least ? b->data + b->len : NULL;
}

char *rp_lines_room(struct rp_lines *lines, size_t *room)
{
	size_t left = lines->buf.len - lines->at;

	if (lines->at > 0) {
		memmove(lines->buf.data, lines->buf.data + lines->at, left);
		lines->buf.len = left;
		lines->searched -= lines->at;
		lines->at = 0;
	}
	return rp_buf_reserve(&lines->buf, RP_LINES_CHUNK) ? room_at_end(lines, 1, room) : NULL;
}

char *rp_lines_room_after(struct rp_lines *lines, size_t *room)
{
	return room_at_end(lines, ROOM_WORTH_IT, room);
}

/* Comes before anything is measured: the mark must not make a line overlong. */
static void leave_out_bom(struct rp_lines *lines)
{
	struct rp_span in = {lines->buf.data, lines->buf.len};

	if (lines->begun || in.len < BOM_BYTES)
		return;
	lines->begun = true;
	lines->at = lines->searched = in.len - rp_span_after_bom(in).len;
}

void rp_lines_filled(struct rp_lines *lines, size_t n)
{
	assert(lines->buf.len + n < lines->buf.cap);
	lines->buf.len += n;
	leave_out_bom(lines);
}

bool rp_lines_swap(struct rp_lines *lines, struct rp_buf *other)
{
	size_t left = lines->buf.len - lines->at;
	struct rp_buf old = lines->buf;

	rp_buf_clear(other);
	other->max = old.max;
	if (!rp_buf_reserve(other, left > RP_LINES_CHUNK ? left : RP_LINES_CHUNK) ||
	    !rp_buf_add(other, old.data + lines->at, left))
		return false;
	lines->buf = *other;
	*other = old;
	lines->searched -= lines->at;
	lines->at = 0;
	return true;
}

void rp_lines_end(struct rp_lines *lines)
{
	lines->ended = true;
}

/* The next line feed, or NULL. Looks at each byte once, however slowly a line comes in. */
static const char *line_feed(struct rp_lines *lines)
{
	const char *lf;

	if (lines->searched == lines->buf.len)
		return NULL;
	lf = memchr(lines->buf.data + lines->searched, '\n', lines->buf.len - lines->searched);
	lines->searched = lf != NULL ? (size_t)(lf - lines->buf.data) : lines->buf.len;
	return lf;
}

bool rp_lines_ready(struct rp_lines *lines)
{
	size_t left = lines->buf.len - lines->at;

	if (line_feed(lines) != NULL)
		return true;
	if (lines->overlong)
		return left > 0 || lines->ended;
	return (lines->begun && left > lines->max_line) || (lines->ended && left > 0);
}

static struct rp_span take(struct rp_lines *lines, size_t n, size_t skip)
{
	struct rp_span s = {lines->buf.data + lines->at, n};

	lines->begun = true;
	lines->at += n + skip;
	if (lines->searched < lines->at)
		lines->searched = lines->at;
	return s;
}

enum rp_lines_kind rp_lines_next(struct rp_lines *lines, struct rp_span *out)
{
	const char *lf = line_feed(lines);
	size_t left = lines->buf.len - lines->at;
	bool overlong = lines->overlong;
	size_t n;

	if (!rp_lines_ready(lines))
		return RP_LINES_NONE;
	if (lf != NULL || lines->ended) {
		n = lf != NULL ? (size_t)(lf - lines->buf.data) - lines->at : left;
		*out = take(lines, n, lf != NULL);
		lines->overlong = false;
		return overlong || n > lines->max_line ? RP_LINES_TAIL : RP_LINES_LINE;
	}
	*out = take(lines, left, 0);
	lines->overlong = true;
	return RP_LINES_PIECE;
}
