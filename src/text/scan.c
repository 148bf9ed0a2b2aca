/* scan.c - scans a JSON object byte by byte without building a tree. It is apart from json.c
 * because it is the hot loop of ingest and needs no library. */

#include "text/scan.h"

#include <stdint.h>
#include <string.h>
#if defined(__SSE2__) && !defined(RP_SCAN_PORTABLE)
#include <emmintrin.h>
#endif

#define WANT_DEPTH 2 /* wants name members of the top-level object and of objects right inside it */

struct scan {
	const unsigned char *begin, *end;
	struct rp_json_want *wants;
	size_t n_wants;
	uint64_t first_bits; /* of the wants' names and their second parts */
	/* a want's name whose first parent_len bytes are the last top-level key; NULL: none */
	const char *parent;
	size_t parent_len;
	/* by depth: the want whose value is being scanned */
	struct rp_json_want *pending[WANT_DEPTH];
	const unsigned char *value_at[WANT_DEPTH];
	struct rp_scan_error *err;
	size_t depth;
	bool in_object;
	/* a bit for each open container: 1 is an object */
	uint64_t objects[RP_SCAN_DEPTH_MAX / 64];
};

static const unsigned char *fail(struct scan *s, const unsigned char *at, const char *message)
{
	s->err->offset = (size_t)(at - s->begin);
	s->err->message = message;
	s->err->cut_off = false;
	return NULL;
}

static const unsigned char *fail_cut_off(struct scan *s, const char *message)
{
	fail(s, s->end, message);
	s->err->cut_off = true;
	return NULL;
}

static const unsigned char *fail_incomplete(struct scan *s)
{
	return fail_cut_off(s, "the text ends before the object is complete");
}

static inline const unsigned char *skip_space(const struct scan *s, const unsigned char *p)
{
	while (p < s->end && *p <= ' ' && (*p == ' ' || *p == '\t' || *p == '\n' || *p == '\r'))
		p++;
	return p;
}

static inline bool is_plain(unsigned char c)
{
	return c >= 0x20 && c < 0x80 && c != '"' && c != '\\';
}

/* To the first byte that is not plain, or to the end. Most bytes of a run lie inside strings: this
 * loop is the cost. */
static inline const unsigned char *skip_plain(const unsigned char *p, const unsigned char *end)
{
#if defined(__SSE2__) && !defined(RP_SCAN_PORTABLE)
	const __m128i quote = _mm_set1_epi8('"'), backslash = _mm_set1_epi8('\\'),
		      space = _mm_set1_epi8(' ');

	for (; end - p >= 16; p += 16) {
		__m128i v = _mm_loadu_si128((const __m128i *)(const void *)p);
		/* The comparison is signed: bytes from 0x80 up are negative, so they count as
		 * below the space too. */
		__m128i stop = _mm_or_si128(
		    _mm_or_si128(_mm_cmpeq_epi8(v, quote), _mm_cmpeq_epi8(v, backslash)),
		    _mm_cmplt_epi8(v, space));
		int mask = _mm_movemask_epi8(stop);
		if (mask != 0)
			return p + __builtin_ctz((unsigned)mask);
	}
#else
	const uint64_t ones = UINT64_C(0x0101010101010101), tops = UINT64_C(0x8080808080808080);

	/* (x - ones) & ~x has a top bit set if, and only if, some byte of x is zero; likewise (v -
	 * n * ones) & ~v if some byte is below n. Which byte it is depends on the byte order and
	 * is left to the loop below. */
	for (; end - p >= 8; p += 8) {
		uint64_t v, quote, backslash;
		memcpy(&v, p, 8);
		quote = v ^ ones * '"';
		backslash = v ^ ones * '\\';
		if ((((quote - ones) & ~quote) | ((backslash - ones) & ~backslash) |
		     ((v - ones * 0x20) & ~v) | v) &
		    tops)
			break;
	}
#endif
	while (p < end && is_plain(*p))
		p++;
	return p;
}

size_t rp_utf8_sequence(struct rp_span text, size_t *good_bytes)
{
	const unsigned char *p = (const unsigned char *)text.ptr;
	unsigned char low = 0x80, high = 0xbf;
	size_t need, i;

	*good_bytes = 0;
	if (text.len == 0)
		return 0;
	if (p[0] < 0x80)
		need = 1;
	else if (p[0] >= 0xc2 && p[0] <= 0xdf)
		need = 2;
	else if (p[0] >= 0xe0 && p[0] <= 0xef)
		need = 3;
	else if (p[0] >= 0xf0 && p[0] <= 0xf4)
		need = 4;
	else
		return 0;
	/* RFC 3629, section 4: the second byte alone tells overlong forms, surrogates and what
	 * lies above U+10FFFF. */
	if (p[0] == 0xe0)
		low = 0xa0;
	else if (p[0] == 0xed)
		high = 0x9f;
	else if (p[0] == 0xf0)
		low = 0x90;
	else if (p[0] == 0xf4)
		high = 0x8f;
	for (i = 1; i < need && i < text.len && p[i] >= low && p[i] <= high; i++) {
		low = 0x80;
		high = 0xbf;
	}
	*good_bytes = i;
	return i == need ? need : 0;
}

static const unsigned char *scan_utf8(struct scan *s, const unsigned char *p)
{
	size_t n, good;

	do {
		struct rp_span rest = {(const char *)p, (size_t)(s->end - p)};
		n = rp_utf8_sequence(rest, &good);
		if (n == 0 && good == rest.len)
			return fail_cut_off(s, "the text ends inside a character");
		if (n == 0)
			return fail(s, p + good, "this is not valid UTF-8");
		p += n;
	} while (p < s->end && *p >= 0x80);
	return p;
}

static int hex_value(unsigned char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static const unsigned char *scan_escape(struct scan *s, const unsigned char *p)
{
	int i;

	if (++p == s->end)
		return fail_cut_off(s, "the text ends inside a string");
	switch (*p) {
	case '"':
	case '\\':
	case '/':
	case 'b':
	case 'f':
	case 'n':
	case 'r':
	case 't':
		return p + 1;
	case 'u':
		break;
	default:
		return fail(s, p, "a backslash is followed by something that is no escape");
	}
	for (i = 0, p++; i < 4; i++, p++) {
		if (p == s->end)
			return fail_cut_off(s, "the text ends inside a string");
		if (hex_value(*p) < 0)
			return fail(s, p, "\\u must be followed by four hexadecimal digits");
	}
	return p;
}

/* From the opening quote to behind the closing one. */
static const unsigned char *scan_string(struct scan *s, const unsigned char *p)
{
	p++;
	while (p != NULL) {
		p = skip_plain(p, s->end);
		if (p == s->end)
			return fail_cut_off(s, "the text ends inside a string");
		if (*p == '"')
			return p + 1;
		if (*p == '\\')
			p = scan_escape(s, p);
		else if (*p >= 0x80)
			p = scan_utf8(s, p);
		else
			return fail(s, p, "a control character in a string must be escaped");
	}
	return NULL;
}

static inline bool is_digit(unsigned char c)
{
	return c >= '0' && c <= '9';
}

static const unsigned char *scan_digits(struct scan *s, const unsigned char *p)
{
	if (p == s->end)
		return fail_cut_off(s, "the text ends inside a number");
	if (!is_digit(*p))
		return fail(s, p, "a digit is expected here");
	while (p < s->end && is_digit(*p))
		p++;
	return p;
}

static const unsigned char *scan_number(struct scan *s, const unsigned char *p)
{
	const unsigned char *digits = p += *p == '-';

	p = scan_digits(s, p);
	if (p != NULL && *digits == '0' && p - digits > 1)
		return fail(s, digits + 1, "a number must not have leading zeros");
	if (p != NULL && p < s->end && *p == '.')
		p = scan_digits(s, p + 1);
	if (p != NULL && p < s->end && (*p == 'e' || *p == 'E')) {
		p++;
		if (p < s->end && (*p == '+' || *p == '-'))
			p++;
		p = scan_digits(s, p);
	}
	return p;
}

static const unsigned char *scan_word(struct scan *s, const unsigned char *p, const char *word)
{
	for (; *word != '\0'; word++, p++) {
		if (p == s->end)
			return fail_incomplete(s);
		if (*p != (unsigned char)*word)
			return fail(
			    s, p,
			    "a value is expected here; the only words are true, false and null");
	}
	return p;
}

static unsigned hex4(const unsigned char *p)
{
	return (unsigned)(hex_value(p[0]) << 12 | hex_value(p[1]) << 8 | hex_value(p[2]) << 4 |
			  hex_value(p[3]));
}

static size_t utf8_encode(unsigned code, char out[4])
{
	size_t n = code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
	size_t i;

	for (i = n - 1; i > 0; i--) {
		out[i] = (char)(0x80 | (code & 0x3f));
		code >>= 6;
	}
	out[0] = (char)(n == 1 ? code : (0xf00u >> n & 0xff) | code);
	return n;
}

/* Decodes the escape at *at of a validated key. 0: a character that no want's name has (U+0000, a
 * lone surrogate). */
static size_t decode_escape(const unsigned char **at, const unsigned char *end, char out[4])
{
	static const char letters[] = "bfnrt", controls[] = "\b\f\n\r\t";
	const unsigned char *p = *at + 2;
	unsigned code, low;
	const char *letter;

	if (p[-1] != 'u') {
		letter = strchr(letters, p[-1]);
		out[0] = letter != NULL ? controls[letter - letters] : (char)p[-1];
		*at = p;
		return 1;
	}
	code = hex4(p);
	p += 4;
	if (code >= 0xd800 && code <= 0xdbff && end - p >= 6 && p[0] == '\\' && p[1] == 'u') {
		low = hex4(p + 2);
		if (low >= 0xdc00 && low <= 0xdfff) {
			code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
			p += 6;
		}
	}
	*at = p;
	return code == 0 || (code >= 0xd800 && code <= 0xdfff) ? 0 : utf8_encode(code, out);
}

/* Behind the beginning of `name` that equals the decoded key, or NULL. Keys containing a dot equal
 * nothing. */
static inline const char *match_key(const char *name, const unsigned char *key, size_t len)
{
	const unsigned char *end = key + len;
	char unit[4];
	size_t n;

	if (*key != (unsigned char)*name && *key != '\\' && len > 0)
		return NULL;
	while (key < end && *key != '.') {
		if (*key == '\\') {
			n = decode_escape(&key, end, unit);
			if (n == 0 || strncmp(name, unit, n) != 0 || unit[0] == '.')
				return NULL;
			name += n;
		} else if (*key++ != (unsigned char)*name++) {
			return NULL;
		}
	}
	return key == end ? name : NULL;
}

const char *rp_scan_match_name(const char *path, struct rp_span name)
{
	return match_key(path, (const unsigned char *)name.ptr, name.len);
}

/* Most keys are ruled out by their first byte. */
static inline uint64_t first_bit(char c)
{
	return UINT64_C(1) << ((unsigned char)c & 63);
}

static uint64_t first_bits(const struct rp_json_want *wants, size_t n_wants)
{
	uint64_t bits = first_bit('\\');
	const char *dot;
	size_t i;

	for (i = 0; i < n_wants; i++) {
		dot = strchr(wants[i].name, '.');
		bits |= first_bit(wants[i].name[0]) | (dot != NULL ? first_bit(dot[1]) : 0);
	}
	return bits;
}

static inline bool may_be_wanted(const struct scan *s, const unsigned char *key)
{
	return (s->first_bits & first_bit((char)*key)) != 0;
}

static void note_top_key(struct scan *s, const unsigned char *key, size_t len)
{
	struct rp_json_want *want;
	const char *rest;
	size_t i;

	s->parent = NULL;
	if (!may_be_wanted(s, key))
		return;
	for (i = 0; i < s->n_wants; i++) {
		want = &s->wants[i];
		rest = match_key(want->name, key, len);
		if (rest == NULL)
			continue;
		if (*rest == '\0') {
			s->pending[0] = want;
		} else if (*rest == '.') {
			/* The last of several members with one name counts: forget what an earlier
			 * one held. */
			want->type = RP_JSON_MISSING;
			want->raw.ptr = NULL;
			want->raw.len = 0;
			s->parent = want->name;
			s->parent_len = (size_t)(rest - want->name);
		}
	}
}

static void note_inner_key(struct scan *s, const unsigned char *key, size_t len)
{
	struct rp_json_want *want;
	const char *rest;
	size_t i;

	if (!may_be_wanted(s, key))
		return;
	for (i = 0; i < s->n_wants; i++) {
		want = &s->wants[i];
		if (*want->name != *s->parent ||
		    strncmp(want->name, s->parent, s->parent_len + 1) != 0)
			continue;
		rest = match_key(want->name + s->parent_len + 1, key, len);
		if (rest != NULL && *rest == '\0')
			s->pending[1] = want;
	}
}

/* A member's name and the colon; the result is where its value starts. */
static const unsigned char *scan_name(struct scan *s, const unsigned char *p)
{
	const unsigned char *key = p + 1;

	if (p == s->end)
		return fail_incomplete(s);
	if (*p != '"')
		return fail(s, p, "a member's name in double quotes is expected here");
	p = scan_string(s, p);
	if (p == NULL)
		return NULL;
	if (s->depth == 1)
		note_top_key(s, key, (size_t)(p - 1 - key));
	else if (s->depth == 2 && s->parent != NULL)
		note_inner_key(s, key, (size_t)(p - 1 - key));
	p = skip_space(s, p);
	if (p == s->end)
		return fail_incomplete(s);
	if (*p != ':')
		return fail(s, p, "a colon is expected here");
	return skip_space(s, p + 1);
}

/* An empty container is passed as a whole; any other becomes the innermost one, and p is its first
 * element. */
static const unsigned char *open_container(struct scan *s, const unsigned char *p)
{
	bool object = *p == '{';
	uint64_t bit = UINT64_C(1) << (s->depth % 64);

	if (s->depth == RP_SCAN_DEPTH_MAX)
		return fail(s, p, "objects and arrays are nested too deep");
	p = skip_space(s, p + 1);
	if (p < s->end && *p == (object ? '}' : ']'))
		return p + 1;
	if (object)
		s->objects[s->depth / 64] |= bit;
	else
		s->objects[s->depth / 64] &= ~bit;
	s->depth++;
	s->in_object = object;
	return p;
}

static void close_container(struct scan *s)
{
	s->depth--;
	if (s->depth > 0)
		s->in_object = s->objects[(s->depth - 1) / 64] >> ((s->depth - 1) % 64) & 1;
}

static enum rp_json_type type_of(unsigned char first)
{
	switch (first) {
	case '{':
		return RP_JSON_OBJECT;
	case '[':
		return RP_JSON_ARRAY;
	case '"':
		return RP_JSON_STRING;
	case 't':
		return RP_JSON_TRUE;
	case 'f':
		return RP_JSON_FALSE;
	case 'n':
		return RP_JSON_NULL;
	default:
		return RP_JSON_NUMBER;
	}
}

static inline void note_value(struct scan *s, const unsigned char *value_end)
{
	struct rp_json_want *want;
	size_t level = s->depth - 1;

	if (level >= WANT_DEPTH || s->pending[level] == NULL)
		return;
	want = s->pending[level];
	want->type = type_of(*s->value_at[level]);
	want->raw.ptr = (const char *)s->value_at[level];
	want->raw.len = (size_t)(value_end - s->value_at[level]);
	s->pending[level] = NULL;
}

/* Behind a value: closes what ends here, up to the comma before the next element or the end of the
 * outermost object. */
static const unsigned char *scan_after_value(struct scan *s, const unsigned char *p)
{
	for (;;) {
		note_value(s, p);
		p = skip_space(s, p);
		if (p == s->end)
			return fail_incomplete(s);
		if (*p == ',')
			return skip_space(s, p + 1);
		if (*p != (s->in_object ? '}' : ']'))
			return fail(
			    s, p,
			    s->in_object
				? "a comma or the object's closing brace is expected here"
				: "a comma or the array's closing bracket is expected here");
		p++;
		close_container(s);
		if (s->depth == 0)
			return p;
	}
}

static const unsigned char *scan_value(struct scan *s, const unsigned char *p)
{
	if (p == s->end)
		return fail_incomplete(s);
	switch (*p) {
	case '"':
		return scan_string(s, p);
	case '{':
	case '[':
		return open_container(s, p);
	case 't':
		return scan_word(s, p, "true");
	case 'f':
		return scan_word(s, p, "false");
	case 'n':
		return scan_word(s, p, "null");
	default:
		if (*p == '-' || is_digit(*p))
			return scan_number(s, p);
		return fail(s, p, "a value is expected here");
	}
}

/* One member or array element, up to the start of the next one, at whatever depth that is. */
static const unsigned char *scan_element(struct scan *s, const unsigned char *p)
{
	size_t depth = s->depth;

	if (s->in_object)
		p = scan_name(s, p);
	if (p == NULL)
		return NULL;
	if (depth <= WANT_DEPTH)
		s->value_at[depth - 1] = p;
	p = scan_value(s, p);
	return p != NULL && s->depth == depth ? scan_after_value(s, p) : p;
}

bool rp_scan_object(struct rp_span text, struct rp_json_want *wants, size_t n_wants,
		    struct rp_scan_error *err)
{
	struct scan s = {.wants = wants,
			 .n_wants = n_wants,
			 .first_bits = first_bits(wants, n_wants),
			 .err = err};
	const unsigned char *p;
	size_t i;

	for (i = 0; i < n_wants; i++) {
		wants[i].type = RP_JSON_MISSING;
		wants[i].raw.ptr = NULL;
		wants[i].raw.len = 0;
	}
	if (text.len == 0)
		text.ptr = "";
	s.begin = (const unsigned char *)text.ptr;
	s.end = s.begin + text.len;
	p = skip_space(&s, s.begin);
	if (p == s.end) {
		fail_cut_off(&s, "the text is blank; a JSON object is expected");
		return false;
	}
	if (s.end - p >= 3 && memcmp(p, "\xef\xbb\xbf", 3) == 0) {
		fail(&s, p, "a byte order mark stands here; leave it out");
		return false;
	}
	if (*p != '{') {
		fail(&s, p, "this is not a JSON object");
		return false;
	}
	p = open_container(&s, p);
	while (p != NULL && s.depth > 0)
		p = scan_element(&s, p);
	if (p == NULL)
		return false;
	p = skip_space(&s, p);
	if (p != s.end)
		fail(&s, p, "more text follows the object");
	return p == s.end;
}
