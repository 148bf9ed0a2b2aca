/* sparkline.c - draws numbers as little bars. It is apart from top_draw.c because it knows
 * characters and no screen. */

#include "ctl/screen/sparkline.h"

#include <stdlib.h>
#include <strings.h>

bool rp_sparkline_utf8(void)
{
	static const char *const names[] = {"LC_ALL", "LC_CTYPE", "LANG"};
	size_t i;

	for (i = 0; i < sizeof names / sizeof names[0]; i++) {
		const char *value = getenv(names[i]), *dot;

		if (value == NULL || value[0] == '\0')
			continue;
		dot = strchr(value, '.');
		return dot != NULL && (strncasecmp(dot + 1, "utf-8", 5) == 0 ||
				       strncasecmp(dot + 1, "utf8", 4) == 0);
	}
	return false;
}

bool rp_sparkline_add(struct rp_buf *out, const uint32_t *values, size_t n, size_t width, bool utf8)
{
	static const char *const bars[] = {" ",
					   "\xe2\x96\x81",
					   "\xe2\x96\x82",
					   "\xe2\x96\x83",
					   "\xe2\x96\x84",
					   "\xe2\x96\x85",
					   "\xe2\x96\x86",
					   "\xe2\x96\x87",
					   "\xe2\x96\x88"};
	static const char *const ascii[] = {" ", ".", ":", "-", "=", "+", "*", "#", "#"};
	size_t each = width > 0 ? n / width : 0, first, i, k;
	uint64_t most = 0, sum;
	bool ok = true;

	if (each == 0)
		return width == 0 || rp_buf_printf(out, "%*s", (int)width, "");
	first = n - each * width;
	for (i = 0; i < width; i++) {
		for (sum = 0, k = 0; k < each; k++)
			sum += values[first + i * each + k];
		most = sum > most ? sum : most;
	}
	for (i = 0; i < width && ok; i++) {
		size_t level;

		for (sum = 0, k = 0; k < each; k++)
			sum += values[first + i * each + k];
		level = sum == 0 ? 0 : (size_t)(1 + sum * 7 / most);
		ok = rp_buf_add_text(out, (utf8 ? bars : ascii)[level]);
	}
	return ok;
}
