/* bytes.c - implements the growing buffer, the writers and the readers. All bounds checks on
 * bytes are here, so that no caller counts by hand. */

#include "base/bytes.h"

#include <endian.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

/* The capacity for `extra` more bytes and the NUL; 0: more than b->max allows. */
static size_t wanted_cap(const struct rp_buf *b, size_t extra)
{
	size_t max = b->max != 0 ? b->max : RP_BUF_MAX_DEFAULT;

	if (max > SIZE_MAX / 4)
		max = SIZE_MAX / 4; /* so that neither the NUL nor the doubling wraps around */
	return extra > max || b->len > max - extra ? 0 : b->len + extra + 1;
}

static bool set_cap(struct rp_buf *b, size_t cap)
{
	char *data = realloc(b->data, cap);

	if (data == NULL)
		return false;
	b->data = data;
	b->cap = cap;
	return true;
}

bool rp_buf_reserve(struct rp_buf *b, size_t extra)
{
	size_t want = wanted_cap(b, extra), cap = b->cap != 0 ? b->cap : 256;

	if (want <= b->cap)
		return want > 0;
	while (cap < want)
		cap *= 2;
	return set_cap(b, cap);
}

bool rp_buf_reserve_exactly(struct rp_buf *b, size_t extra)
{
	size_t want = wanted_cap(b, extra);

	return want <= b->cap ? want > 0 : set_cap(b, want);
}

bool rp_buf_add(struct rp_buf *b, const void *bytes, size_t n)
{
	if (!rp_buf_reserve(b, n))
		return false;
	if (n > 0)
		memcpy(b->data + b->len, bytes, n);
	b->len += n;
	b->data[b->len] = '\0';
	return true;
}

bool rp_buf_add_text(struct rp_buf *b, const char *text)
{
	return rp_buf_add(b, text, strlen(text));
}

bool rp_buf_add_char(struct rp_buf *b, char c)
{
	return rp_buf_add(b, &c, 1);
}

bool rp_buf_printf(struct rp_buf *b, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	if (n < 0 || !rp_buf_reserve(b, (size_t)n))
		return false;
	va_start(ap, fmt);
	vsnprintf(b->data + b->len, (size_t)n + 1, fmt, ap);
	va_end(ap);
	b->len += (size_t)n;
	return true;
}

void rp_buf_clear(struct rp_buf *b)
{
	b->len = 0;
	if (b->data != NULL)
		b->data[0] = '\0';
}

void rp_buf_release(struct rp_buf *b)
{
	free(b->data);
	b->data = NULL;
	b->len = b->cap = 0;
}

const char *rp_decimal(uint64_t n, char out[RP_DECIMAL_MAX])
{
	char *at = out + RP_DECIMAL_MAX - 1;

	*at = '\0';
	do {
		*--at = (char)('0' + n % 10);
		n /= 10;
	} while (n > 0);
	return at;
}

struct rp_writer rp_writer_of(void *mem, size_t size)
{
	struct rp_writer w = {mem, mem, true};

	if (size > 0)
		w.end += size;
	return w;
}

/* Inline, so that a fixed n becomes one store: every record of the outbox is made of these. */
static inline void put(struct rp_writer *w, const void *bytes, size_t n)
{
	if (!w->ok || (size_t)(w->end - w->at) < n) {
		w->ok = false;
		return;
	}
	memcpy(w->at, bytes, n);
	w->at += n;
}

void rp_put_bytes(struct rp_writer *w, const void *bytes, size_t n)
{
	if (n > 0) /* else the pointers may be NULL */
		put(w, bytes, n);
}

void rp_put_u8(struct rp_writer *w, uint8_t v)
{
	put(w, &v, sizeof v);
}

void rp_put_u16(struct rp_writer *w, uint16_t v)
{
	v = htobe16(v);
	put(w, &v, sizeof v);
}

void rp_put_u32(struct rp_writer *w, uint32_t v)
{
	v = htobe32(v);
	put(w, &v, sizeof v);
}

void rp_put_u64(struct rp_writer *w, uint64_t v)
{
	v = htobe64(v);
	put(w, &v, sizeof v);
}

void rp_put_i64(struct rp_writer *w, int64_t v)
{
	rp_put_u64(w, (uint64_t)v);
}

void rp_put_str16(struct rp_writer *w, struct rp_span s)
{
	if (s.len > UINT16_MAX) {
		w->ok = false;
		return;
	}
	rp_put_u16(w, (uint16_t)s.len);
	rp_put_bytes(w, s.ptr, s.len);
}

struct rp_reader rp_reader_of(const void *mem, size_t size)
{
	struct rp_reader r = {mem, mem, true};

	if (size > 0)
		r.end += size;
	return r;
}

static inline void get(struct rp_reader *r, void *out, size_t n)
{
	if (!r->ok || (size_t)(r->end - r->at) < n) {
		r->ok = false;
		memset(out, 0, n);
		return;
	}
	memcpy(out, r->at, n);
	r->at += n;
}

void rp_get_bytes(struct rp_reader *r, void *out, size_t n)
{
	if (n > 0) /* else the pointers may be NULL */
		get(r, out, n);
}

uint8_t rp_get_u8(struct rp_reader *r)
{
	uint8_t v;

	get(r, &v, sizeof v);
	return v;
}

uint16_t rp_get_u16(struct rp_reader *r)
{
	uint16_t v;

	get(r, &v, sizeof v);
	return be16toh(v);
}

uint32_t rp_get_u32(struct rp_reader *r)
{
	uint32_t v;

	get(r, &v, sizeof v);
	return be32toh(v);
}

uint64_t rp_get_u64(struct rp_reader *r)
{
	uint64_t v;

	get(r, &v, sizeof v);
	return be64toh(v);
}

int64_t rp_get_i64(struct rp_reader *r)
{
	return (int64_t)rp_get_u64(r);
}

struct rp_span rp_get_str16(struct rp_reader *r)
{
	struct rp_span s = {NULL, 0};
	size_t n = rp_get_u16(r);

	if (!r->ok || (size_t)(r->end - r->at) < n) {
		r->ok = false;
		return s;
	}
	s.ptr = (const char *)r->at;
	s.len = n;
	r->at += n;
	return s;
}

const char *rp_hex_format(const unsigned char *bytes, size_t n, char *out)
{
	static const char digits[] = "0123456789abcdef";
	size_t i;

	for (i = 0; i < n; i++) {
		out[2 * i] = digits[bytes[i] >> 4];
		out[2 * i + 1] = digits[bytes[i] & 15];
	}
	out[2 * n] = '\0';
	return out;
}
