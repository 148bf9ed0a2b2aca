/* fuzz.h - what the fuzz targets share. A target is one file fuzz_NAME.c with
 * LLVMFuzzerTestOneInput and its corpus in corpus/NAME/. Built with libFuzzer it searches (`make
 * fuzz`); built without, replay_main.c runs its corpus through it (`make test`), so that every
 * input that once broke something stays a test. */
#ifndef RP_TESTS_FUZZ_H
#define RP_TESTS_FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A property that must hold for every input. */
#define MUST(condition, ...)                                                                       \
	do {                                                                                       \
		if (!(condition)) {                                                                \
			fprintf(stderr, "%s:%d: %s: ", __FILE__, __LINE__, #condition);            \
			fprintf(stderr, __VA_ARGS__);                                              \
			fputc('\n', stderr);                                                       \
			abort();                                                                   \
		}                                                                                  \
	} while (0)

/* The input, taken apart from its front. Past the end there are zeroes. */
struct fuzz_input {
	const uint8_t *at;
	size_t left;
};

static inline uint8_t fuzz_byte(struct fuzz_input *in)
{
	if (in->left == 0)
		return 0;
	in->left--;
	return *in->at++;
}

static inline uint64_t fuzz_number(struct fuzz_input *in, size_t bytes)
{
	uint64_t v = 0;

	while (bytes-- > 0)
		v = v << 8 | fuzz_byte(in);
	return v;
}

/* Up to the next `stop` byte, which is taken as well; all that is left when there is none. */
static inline struct rp_span fuzz_until(struct fuzz_input *in, char stop)
{
	const uint8_t *end = in->left > 0 ? memchr(in->at, stop, in->left) : NULL;
	struct rp_span s = {(const char *)in->at, end != NULL ? (size_t)(end - in->at) : in->left};

	in->at += s.len + (end != NULL);
	in->left -= s.len + (end != NULL);
	return s;
}

static inline struct rp_span fuzz_rest(const struct fuzz_input *in)
{
	struct rp_span s = {(const char *)in->at, in->left};

	return s;
}

/* A heap block of exactly the text's size, so that a sanitizer sees a read beyond it; free it. */
static inline char *fuzz_copy(struct rp_span s)
{
	char *copy = malloc(s.len > 0 ? s.len : 1);

	MUST(copy != NULL, "out of memory");
	if (s.len > 0)
		memcpy(copy, s.ptr, s.len);
	return copy;
}

/* The same with a NUL behind; cut at the first NUL inside. */
static inline char *fuzz_text(struct rp_span s)
{
	char *copy = malloc(s.len + 1);

	MUST(copy != NULL, "out of memory");
	if (s.len > 0)
		memcpy(copy, s.ptr, s.len);
	copy[s.len] = '\0';
	return copy;
}

static inline bool fuzz_same(struct rp_span a, struct rp_span b)
{
	return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

static inline bool fuzz_contains(struct rp_span hay, struct rp_span needle)
{
	return needle.len > 0 && hay.len >= needle.len &&
	       memmem(hay.ptr, hay.len, needle.ptr, needle.len) != NULL;
}

#endif
