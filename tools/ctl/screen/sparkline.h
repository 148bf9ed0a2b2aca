/* sparkline.h - a row of numbers as a row of little bars. */
#ifndef RP_CTL_SCREEN_SPARKLINE_H
#define RP_CTL_SCREEN_SPARKLINE_H

#include "base/bytes.h"

/* Whether the environment asks for UTF-8 (LC_ALL, LC_CTYPE, LANG, the first that is set). */
bool rp_sparkline_utf8(void);

/* Appends `width` characters: values[0..n) by stretches of equal length (n >= width, the oldest
 * left out that do not divide), the highest bar for the largest sum, a blank for nothing. Without
 * utf8: . : - = + * # in place of bars. false: out of memory. */
bool rp_sparkline_add(struct rp_buf *out, const uint32_t *values, size_t n, size_t width,
		      bool utf8);

#endif
