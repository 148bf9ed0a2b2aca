/* table.c - lays out rows for people and for pipes. What stands in a cell is made harmless for a
 * terminal on its way in. */

#include "ctl/screen/table.h"

#include <stdlib.h>

#include "base/assert.h"
#include "text/scan.h"
#include "text/escape.h"

struct cell {
	size_t offset; /* into text */
	unsigned len, chars;
	enum rp_style style;
};

struct rp_table {
	const struct rp_column *columns;
	size_t n_columns;
	struct rp_table_options options;
	struct cell *cells;
	size_t n_cells, cap_cells;
	struct rp_buf text;
	unsigned *widths;
	bool began, failed;
};

bool rp_style_add(struct rp_buf *out, enum rp_style style, bool color, const char *text)
{
	static const char *const codes[] = {[RP_STYLE_PLAIN] = "",
					    [RP_STYLE_GOOD] = "\033[32m",
					    [RP_STYLE_WARN] = "\033[33m",
					    [RP_STYLE_BAD] = "\033[31m"};

	if (!color || style == RP_STYLE_PLAIN)
		return rp_buf_add_text(out, text);
	return rp_buf_add_text(out, codes[style]) && rp_buf_add_text(out, text) &&
	       rp_buf_add_text(out, "\033[0m");
}

struct rp_table *rp_table_new(const struct rp_column *columns, size_t n,
			      struct rp_table_options options)
{
	struct rp_table *t = calloc(1, sizeof *t);

	if (t == NULL)
		return NULL;
	t->columns = columns;
	t->n_columns = n;
	t->options = options;
	t->text.max = SIZE_MAX;
	t->widths = calloc(n, sizeof t->widths[0]);
	if (t->widths == NULL) {
		free(t);
		return NULL;
	}
	return t;
}

void rp_table_free(struct rp_table *t)
{
	if (t == NULL)
		return;
	free(t->cells);
	free(t->widths);
	rp_buf_release(&t->text);
	free(t);
}

/* Characters, not bytes: continuation bytes do not count. */
static unsigned count_chars(const char *p, size_t n)
{
	unsigned chars = 0;
	size_t i;

	for (i = 0; i < n; i++)
		chars += ((unsigned char)p[i] & 0xc0) != 0x80;
	return chars;
}

static bool grow_cells(struct rp_table *t)
{
	size_t cap = t->cap_cells > 0 ? t->cap_cells * 2 : 256;
	struct cell *more;

	if (t->n_cells < t->cap_cells)
		return true;
	more = realloc(t->cells, cap * sizeof more[0]);
	if (more == NULL)
		return false;
	t->cells = more;
	t->cap_cells = cap;
	return true;
}

static void add_cell(struct rp_table *t, enum rp_style style, struct rp_span text)
{
	struct cell *c;
	size_t from = t->text.len;

	if (t->failed || !grow_cells(t) || !rp_text_escape(text, &t->text)) {
		t->failed = true;
		return;
	}
	c = &t->cells[t->n_cells++];
	c->offset = from;
	c->len = (unsigned)(t->text.len - from);
	c->chars = c->len > 0 ? count_chars(t->text.data + from, c->len) : 0;
	c->style = style;
}

void rp_table_cell(struct rp_table *t, struct rp_span text)
{
	add_cell(t, RP_STYLE_PLAIN, text);
}

void rp_table_styled(struct rp_table *t, enum rp_style style, const char *text)
{
	add_cell(t, style, rp_span_of(text));
}

void rp_table_number(struct rp_table *t, uint64_t value)
{
	char text[24];
	char *at = text + sizeof text;

	do {
		*--at = (char)('0' + value % 10);
		value /= 10;
	} while (value > 0);
	add_cell(t, RP_STYLE_PLAIN, (struct rp_span){at, (size_t)(text + sizeof text - at)});
}

size_t rp_table_rows(const struct rp_table *t)
{
	return t->n_cells / t->n_columns;
}

static const unsigned gap = 2;

static unsigned line_width(const struct rp_table *t)
{
	unsigned sum = 0;
	size_t i;

	for (i = 0; i < t->n_columns; i++)
		sum += t->widths[i] + (i > 0 ? gap : 0);
	return sum;
}

/* Takes single characters from whichever column has most to give, so that two long columns end up
 * equal. */
static void shrink_to_fit(struct rp_table *t)
{
	unsigned sum = line_width(t);

	while (t->options.width > 0 && sum > t->options.width) {
		size_t i, widest = t->n_columns;

		for (i = 0; i < t->n_columns; i++) {
			if (t->columns[i].least == 0 || t->widths[i] <= t->columns[i].least)
				continue;
			if (widest == t->n_columns || t->widths[i] > t->widths[widest])
				widest = i;
		}
		if (widest == t->n_columns)
			return;
		t->widths[widest]--;
		sum--;
	}
}

static void measure(struct rp_table *t)
{
	size_t i;

	for (i = 0; i < t->n_columns; i++)
		t->widths[i] = count_chars(t->columns[i].title, strlen(t->columns[i].title));
	for (i = 0; i < t->n_cells; i++) {
		unsigned *w = &t->widths[i % t->n_columns];

		if (t->cells[i].chars > *w)
			*w = t->cells[i].chars;
	}
	shrink_to_fit(t);
}

/* Bytes of the first `chars` characters. */
static size_t prefix_bytes(const char *p, size_t len, unsigned chars)
{
	size_t i = 0;

	while (i < len) {
		if (((unsigned char)p[i] & 0xc0) != 0x80 && chars-- == 0)
			break;
		i++;
	}
	return i;
}

static bool add_spaces(struct rp_buf *out, unsigned n)
{
	return n == 0 || rp_buf_printf(out, "%*s", (int)n, "");
}

static bool put_text(const struct rp_table *t, size_t column, struct rp_span text,
		     enum rp_style style, struct rp_buf *out)
{
	unsigned width = t->widths[column], chars = count_chars(text.ptr, text.len);
	bool cut = t->columns[column].least > 0 && chars > width && width > 3;
	char shown[1024];
	size_t n = cut ? prefix_bytes(text.ptr, text.len, width - 3) : text.len;
	unsigned pad = cut || chars >= width ? 0 : width - chars;
	bool last = column + 1 == t->n_columns;

	if (t->columns[column].right && !add_spaces(out, pad))
		return false;
	if (style != RP_STYLE_PLAIN && n < sizeof shown - 4) {
		memcpy(shown, text.ptr, n);
		memcpy(shown + n, cut ? "..." : "", cut ? 4 : 1);
		if (!rp_style_add(out, style, t->options.color, shown))
			return false;
	} else if (!rp_buf_add(out, text.ptr, n) || (cut && !rp_buf_add_text(out, "..."))) {
		return false;
	}
	if (last) {
		while (out->data[out->len - 1] == ' ')
			out->len--;
		return rp_buf_add_char(out, '\n');
	}
	return add_spaces(out, (t->columns[column].right ? 0 : pad) + gap);
}

static bool put_header(const struct rp_table *t, struct rp_buf *out)
{
	size_t i;

	for (i = 0; i < t->n_columns; i++) {
		if (!put_text(t, i, rp_span_of(t->columns[i].title), RP_STYLE_PLAIN, out))
			return false;
	}
	return true;
}

static bool put_cell(const struct rp_table *t, size_t i, struct rp_buf *out)
{
	const struct cell *c = &t->cells[i];
	struct rp_span text = {c->len > 0 ? t->text.data + c->offset : "", c->len};
	size_t column = i % t->n_columns;

	if (!t->options.tsv)
		return put_text(t, column, text, c->style, out);
	return rp_buf_add(out, text.ptr, text.len) &&
	       rp_buf_add_char(out, column + 1 == t->n_columns ? '\n' : '\t');
}

bool rp_table_flush(struct rp_table *t, struct rp_buf *out)
{
	size_t i;

	if (t->failed)
		return false;
	assert(t->n_cells % t->n_columns == 0);
	if (t->n_cells == 0)
		return true;
	if (!t->options.tsv && !t->began) {
		measure(t);
		if (!put_header(t, out))
			return false;
	}
	t->began = true;
	for (i = 0; i < t->n_cells; i++) {
		if (!put_cell(t, i, out))
			return false;
	}
	t->n_cells = 0;
	rp_buf_clear(&t->text);
	return true;
}
