/* The splitter of input into lines against a plain loop. Input: max_line | sizes of the reads |
 * text. */
#include "fuzz.h"

#include "ingest/lines.h"

/* What the splitter must hand out: whole lines, and of longer ones only how many bytes they
 * have. */
struct expected {
	struct rp_span rest;
};

static bool expect_next(struct expected *e, struct rp_span *line)
{
	const char *lf;

	if (e->rest.len == 0)
		return false;
	lf = memchr(e->rest.ptr, '\n', e->rest.len);
	line->ptr = e->rest.ptr;
	line->len = lf != NULL ? (size_t)(lf - e->rest.ptr) : e->rest.len;
	e->rest.ptr += line->len + (lf != NULL);
	e->rest.len -= line->len + (lf != NULL);
	return true;
}

struct run {
	struct rp_lines lines;
	struct expected expected;
	struct rp_span overlong; /* being handed out in pieces */
	size_t overlong_seen;
	bool inside;
};

static void take_all(struct run *r)
{
	enum rp_lines_kind kind;
	struct rp_span out, line;

	while ((kind = rp_lines_next(&r->lines, &out)) != RP_LINES_NONE) {
		if (kind == RP_LINES_LINE) {
			MUST(!r->inside && expect_next(&r->expected, &line) && fuzz_same(line, out),
			     "another line");
			MUST(out.len <= r->lines.max_line, "a line of %zu bytes", out.len);
			continue;
		}
		if (!r->inside) {
			MUST(expect_next(&r->expected, &r->overlong), "a piece of no line");
			MUST(r->overlong.len > r->lines.max_line, "a line of %zu bytes in pieces",
			     r->overlong.len);
			r->overlong_seen = 0;
			r->inside = true;
		}
		MUST(out.len <= r->overlong.len - r->overlong_seen &&
			 (out.len == 0 ||
			  memcmp(out.ptr, r->overlong.ptr + r->overlong_seen, out.len) == 0),
		     "another piece");
		r->overlong_seen += out.len;
		if (kind == RP_LINES_TAIL) {
			MUST(r->overlong_seen == r->overlong.len, "%zu of %zu bytes",
			     r->overlong_seen, r->overlong.len);
			r->inside = false;
		}
	}
	MUST(!rp_lines_ready(&r->lines), "ready, and nothing is handed out");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input in = {data, size}, sizes;
	struct rp_span text;
	struct run r = {.inside = false};
	size_t max_line = 1 + fuzz_byte(&in), at, room, n;
	unsigned flags = fuzz_byte(&in);
	char *to;

	sizes.at = in.at;
	sizes.left = in.left < 8 ? in.left : 8;
	in.at += sizes.left;
	in.left -= sizes.left;
	text = fuzz_rest(&in);
	r.expected.rest = rp_span_after_bom(text);
	rp_lines_init(&r.lines, max_line);
	for (at = 0; at < text.len; at += n) {
		to = rp_lines_room(&r.lines, &room);
		MUST(to != NULL && room > 0, "no room");
		n = 1 + (sizes.left > 0 ? fuzz_byte(&sizes) : 40);
		n = n < room ? n : room;
		n = n < text.len - at ? n : text.len - at;
		memcpy(to, text.ptr + at, n);
		rp_lines_filled(&r.lines, n);
		if (flags & 1 || at % 3 == 0) /* sometimes several reads before anything is taken */
			take_all(&r);
	}
	rp_lines_end(&r.lines);
	take_all(&r);
	MUST(r.expected.rest.len == 0 && !r.inside, "%zu bytes were not handed out",
	     r.expected.rest.len);
	rp_lines_release(&r.lines);
	return 0;
}
