/* suggest.c - finds the word nearest to a mistyped one. Verbs, options and values all use it. */

#include "text/suggest.h"

#include <string.h>
#include <strings.h>

enum { WORD_MAX = 32 };

static unsigned least(unsigned a, unsigned b, unsigned c)
{
	unsigned m = a < b ? a : b;

	return m < c ? m : c;
}

/* Levenshtein's distance, one row at a time. */
static unsigned edits(const char *a, const char *b)
{
	size_t la = strlen(a), lb = strlen(b), i, j;
	unsigned row[WORD_MAX + 1], diagonal, above;

	if (la > WORD_MAX || lb > WORD_MAX)
		return WORD_MAX;
	for (j = 0; j <= lb; j++)
		row[j] = (unsigned)j;
	for (i = 1; i <= la; i++) {
		diagonal = row[0];
		row[0] = (unsigned)i;
		for (j = 1; j <= lb; j++) {
			above = row[j];
			row[j] =
			    least(above + 1, row[j - 1] + 1, diagonal + (a[i - 1] != b[j - 1]));
			diagonal = above;
		}
	}
	return row[lb];
}

static unsigned distance(const char *text, const char *word)
{
	if (text[0] != '\0' && strncasecmp(text, word, strlen(text)) == 0)
		return 1;
	return edits(text, word);
}

const char *rp_suggest(const char *text, const char *const *words, size_t n)
{
	const char *best = NULL;
	unsigned best_distance = 4;
	size_t i;

	for (i = 0; i < n; i++) {
		unsigned d = distance(text, words[i]);

		if (d < best_distance && d < strlen(words[i])) {
			best = words[i];
			best_distance = d;
		}
	}
	return best;
}
