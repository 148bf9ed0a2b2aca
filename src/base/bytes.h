/* bytes.h - spans, a growing buffer with a maximum, and big-endian readers and writers that cannot
 * overrun.
 *
 * Every stored integer is big-endian: composite keys then sort by number, and a data file moves
 * between machines. */
#ifndef RP_BASE_BYTES_H
#define RP_BASE_BYTES_H

/* Said before any other header, in which a compiler without the 32-bit ones would get stuck. */
#if __SIZEOF_SIZE_T__ < 8
#error "runpost needs 64 bits: it maps 64 GiB, and reads the pages of a 64-bit LMDB"
/* n bytes as 2 * n lower-case hexadecimal digits and a NUL. Returns out. */
const char *rp_hex_format(const unsigned char *bytes, size_t n, char *out);

#endif

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Borrowed bytes, not NUL-terminated. {NULL, 0} is the empty span. */
struct rp_span {
	const char *ptr;
	size_t len;
};

static inline struct rp_span rp_span_of(const char *text)
{
	struct rp_span s = {text, text != NULL ? strlen(text) : 0};
	return s;
}

static inline bool rp_span_is(struct rp_span s, const char *text)
{
	size_t len = strlen(text);
	return s.len == len && (len == 0 || memcmp(s.ptr, text, len) == 0);
}

/* Whether two texts are the same; NULL is only the same as NULL. */
static inline bool rp_text_is_same(const char *a, const char *b)
{
	return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

/* Without the byte order mark (U+FEFF in UTF-8) that some editors put in front of a text: it says
 * nothing. Everything that we read as text from a file or a pipe begins behind one; elsewhere it
 * is a character as any other. */
static inline struct rp_span rp_span_after_bom(struct rp_span s)
{
	if (s.len >= 3 && memcmp(s.ptr, "\xef\xbb\xbf", 3) == 0)
		return (struct rp_span){s.ptr + 3, s.len - 3};
	return s;
}

/* Growing buffer. {0} with `max` set is a valid empty one; data stays NUL-terminated after every
 * append. */
struct rp_buf {
	char *data;
	size_t len, cap;
	size_t max; /* appends that would make len larger fail; 0 means RP_BUF_MAX_DEFAULT */
};
#define RP_BUF_MAX_DEFAULT ((size_t)64 << 20)

/* All return false (and leave the buffer as it was) when max or memory is exceeded. */
bool rp_buf_reserve(struct rp_buf *b, size_t extra); /* room for extra more bytes at data + len */
/* the same without room to spare: for what is known to be the last */
bool rp_buf_reserve_exactly(struct rp_buf *b, size_t extra);
bool rp_buf_add(struct rp_buf *b, const void *bytes, size_t n);
bool rp_buf_add_text(struct rp_buf *b, const char *text);
bool rp_buf_add_char(struct rp_buf *b, char c);
bool rp_buf_printf(struct rp_buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void rp_buf_clear(struct rp_buf *b);   /* len = 0, memory kept */
void rp_buf_release(struct rp_buf *b); /* memory freed; releasing twice is harmless */

#define RP_DECIMAL_MAX 21 /* of 64 bits, with the NUL */
/* The digits of n, at the end of out. Without printf, which takes a thousand instructions to
 * begin. */
const char *rp_decimal(uint64_t n, char out[RP_DECIMAL_MAX]);

/* Sequential writer into fixed memory. After an overrun `ok` is false and nothing more is
 * written. */
struct rp_writer {
	unsigned char *at, *end;
	bool ok;
};
struct rp_writer rp_writer_of(void *mem, size_t size);
void rp_put_u8(struct rp_writer *w, uint8_t v);
void rp_put_u16(struct rp_writer *w, uint16_t v);
void rp_put_u32(struct rp_writer *w, uint32_t v);
void rp_put_u64(struct rp_writer *w, uint64_t v);
void rp_put_i64(struct rp_writer *w, int64_t v);
void rp_put_bytes(struct rp_writer *w, const void *bytes, size_t n);
/* u16 length, then the bytes; len > 65535 is an overrun */
void rp_put_str16(struct rp_writer *w, struct rp_span s);

/* Sequential reader over borrowed memory. Reading past the end yields zeroes and sets ok =
 * false. */
struct rp_reader {
	const unsigned char *at, *end;
	bool ok;
};
struct rp_reader rp_reader_of(const void *mem, size_t size);
uint8_t rp_get_u8(struct rp_reader *r);
uint16_t rp_get_u16(struct rp_reader *r);
uint32_t rp_get_u32(struct rp_reader *r);
uint64_t rp_get_u64(struct rp_reader *r);
int64_t rp_get_i64(struct rp_reader *r);
void rp_get_bytes(struct rp_reader *r, void *out, size_t n);
struct rp_span rp_get_str16(struct rp_reader *r); /* points into the reader's memory */

/* n bytes as 2 * n lower-case hexadecimal digits and a NUL. Returns out. */
const char *rp_hex_format(const unsigned char *bytes, size_t n, char *out);

#endif
