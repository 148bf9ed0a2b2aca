/* ascii.h - ASCII bytes and parts of spans, whatever the locale says. */
#ifndef RP_TEXT_ASCII_H
#define RP_TEXT_ASCII_H

#include "base/bytes.h"

static inline char rp_char_lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static inline bool rp_char_is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static inline bool rp_char_is_alnum(char c)
{
	return rp_char_is_digit(c) || (rp_char_lower(c) >= 'a' && rp_char_lower(c) <= 'z');
}

static inline bool rp_char_is_one_of(char c, const char *set)
{
	return c != '\0' && strchr(set, c) != NULL;
}

/* -1: not a hexadecimal digit. */
static inline int rp_char_hex(char c)
{
	if (rp_char_is_digit(c))
		return c - '0';
	c = rp_char_lower(c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static inline struct rp_span rp_span_part(struct rp_span s, size_t from, size_t to)
{
	struct rp_span part = {s.ptr + from, to - from};
	return part;
}

/* s.len: not there. */
static inline size_t rp_span_find(struct rp_span s, size_t from, char c)
{
	while (from < s.len && s.ptr[from] != c)
		from++;
	return from;
}

static inline bool rp_span_same_but_case(struct rp_span a, struct rp_span b)
{
	size_t i;

	if (a.len != b.len)
		return false;
	for (i = 0; i < a.len; i++)
		if (rp_char_lower(a.ptr[i]) != rp_char_lower(b.ptr[i]))
			return false;
	return true;
}

#endif
