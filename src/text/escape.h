/* escape.h - foreign text for people: nothing in it steers a terminal or breaks a line. */
#ifndef RP_TEXT_ESCAPE_H
#define RP_TEXT_ESCAPE_H

#include <stdbool.h>

#include "base/bytes.h"

/* Appends text with control characters, line ends, bidirectional overrides, bytes that are not
 * UTF-8, and the backslash itself written as \n, \t, \\ or \xNN. false: out of memory. */
bool rp_text_escape(struct rp_span text, struct rp_buf *out);
/* ... but the backslash as it is: for sentences, which may have a finished command in them
 * (text/shell.h). Nobody can turn them back into what they were made of. */
bool rp_text_tame(struct rp_span text, struct rp_buf *out);

#endif
