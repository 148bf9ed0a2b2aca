/* suggest.h - the word somebody probably meant. */
#ifndef RP_TEXT_SUGGEST_H
#define RP_TEXT_SUGGEST_H

#include <stddef.h>

/* The word of words[0..n) that is fewest edits away from `text`; NULL when none is near enough to
 * be meant. */
const char *rp_suggest(const char *text, const char *const *words, size_t n);

#endif
