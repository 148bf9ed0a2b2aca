/* lines.h - splits input into lines, within a bound on memory. Reads nothing itself.
 *
 * Fill: ask for room, put bytes there, say how many. Take: call rp_lines_next until RP_LINES_NONE.
 * A line longer than max_line is never kept whole: it is handed out in pieces as they come, and the
 * last piece is marked. Memory: an unfinished line of max_line bytes, and what is read at once. A
 * byte order mark in front of the first line is left out. */
#ifndef RP_INGEST_LINES_H
#define RP_INGEST_LINES_H

#include "base/bytes.h"

/* The room that is offered at a time: at least this, at most twice as much. */
#define RP_LINES_CHUNK ((size_t)1 << 20)

enum rp_lines_kind {
	RP_LINES_NONE,  /* nothing complete is left: fill */
	RP_LINES_LINE,  /* a line, without its line feed */
	RP_LINES_PIECE, /* bytes of a line longer than max_line; more will come */
	RP_LINES_TAIL,  /* the last bytes of such a line, perhaps all or none; no line feed */
};

struct rp_lines {
	struct rp_buf buf;
	size_t at;       /* the first byte not handed out */
	size_t searched; /* no line feed stands in [at, searched) */
	size_t max_line;
	bool begun;    /* a byte order mark was looked for, or something was handed out */
	bool overlong; /* inside a line that is handed out in pieces */
	bool ended;
};

void rp_lines_init(struct rp_lines *lines, size_t max_line);
void rp_lines_release(struct rp_lines *lines);

/* Where up to *room bytes may be put, when nothing is ready. Spans handed out before become
 * invalid. NULL: out of memory. */
char *rp_lines_room(struct rp_lines *lines, size_t *room);
/* The same, but spans handed out before stay valid. NULL: there is too little room; call
 * rp_lines_swap. */
char *rp_lines_room_after(struct rp_lines *lines, size_t *room);
void rp_lines_filled(struct rp_lines *lines, size_t n);
/* No more will come: the rest without a line feed is a line, too. */
void rp_lines_end(struct rp_lines *lines);

/* Whether rp_lines_next has something to hand out. */
bool rp_lines_ready(struct rp_lines *lines);
/* Spans stay valid until the next rp_lines_room. */
enum rp_lines_kind rp_lines_next(struct rp_lines *lines, struct rp_span *out);

/* Swaps the memory with that of *other, and takes along what was not handed out. Then all spans
 * handed out so far lie in *other, and are valid for as long as the caller keeps it. false: out of
 * memory; nothing has changed. */
bool rp_lines_swap(struct rp_lines *lines, struct rp_buf *other);

#endif
