/* table.h - rows of text for people or for pipes. Pure: renders into a buffer.
 *
 * Aligned: a header, columns as wide as their widest cell, shrunk to a given width by cutting
 * cells of columns that may be cut ("..."). TSV: no header, no cutting, one tab between cells. In
 * both, bytes of foreign text that could steer a terminal or break a row are escaped. */
#ifndef RP_CTL_SCREEN_TABLE_H
#define RP_CTL_SCREEN_TABLE_H

#include <stdbool.h>

#include "base/bytes.h"

enum rp_style { RP_STYLE_PLAIN, RP_STYLE_GOOD, RP_STYLE_WARN, RP_STYLE_BAD };
/* Appends text in a colour when `color`; the text itself is not escaped. */
bool rp_style_add(struct rp_buf *out, enum rp_style style, bool color, const char *text);

struct rp_column {
	const char *title;
	bool right;     /* numbers */
	unsigned least; /* may be cut down to so many characters; 0: never cut */
};

struct rp_table_options {
	bool tsv;
	bool color;     /* aligned only */
	unsigned width; /* aligned: characters of a line; 0: as wide as it gets */
};

struct rp_table;

/* `columns` is borrowed. NULL: out of memory. */
struct rp_table *rp_table_new(const struct rp_column *columns, size_t n,
			      struct rp_table_options options);
void rp_table_free(struct rp_table *t);
/* The next cell, row by row. Memory trouble is reported by rp_table_flush. */
void rp_table_cell(struct rp_table *t, struct rp_span text);
void rp_table_styled(struct rp_table *t, enum rp_style style, const char *text);
void rp_table_number(struct rp_table *t, uint64_t value);
size_t rp_table_rows(const struct rp_table *t); /* complete and not flushed */
/* Renders the complete rows and forgets them. The header comes with the first flush that has rows;
 * later flushes keep the widths they find, so that a long list can be printed in blocks. false:
 * out of memory now or in a cell before. */
bool rp_table_flush(struct rp_table *t, struct rp_buf *out);

#endif
