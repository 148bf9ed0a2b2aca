/* shell.h - words for a POSIX shell: people paste what we print, and programs of theirs run it. */
#ifndef RP_TEXT_SHELL_H
#define RP_TEXT_SHELL_H

#include <stdbool.h>

#include "base/bytes.h"

/* Whether one sequence of UTF-8 could steer a terminal or break or reorder a line: C0 and C1
 * controls, DEL, and the bidirectional marks, embeddings, overrides and isolates. */
bool rp_utf8_steers(struct rp_span sequence);

/* Appends text as one word, bare where that is the same. The word can be printed as it is: bytes
 * that could steer a terminal or break a line (rp_utf8_steers) stand in it as octal digits that
 * printf(1) turns back. The one exception is a text that ends in line feeds, which a command
 * substitution would lose: these stand in quotes. Never pass the word, or a command that has it,
 * through anything that escapes: a second round of backslashes changes what it means. false: out
 * of memory; a part of it may be there. */
bool rp_shell_quote(const char *text, struct rp_buf *out);

/* ... path as a path from /, so that the command does the same in every directory. */
bool rp_shell_quote_path(const char *path, struct rp_buf *out);

#endif
