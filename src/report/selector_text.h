/* selector_text.h - a selector in words again, for the log of changes: as it was typed, in one
 * order, without secrets, and quoted: people copy it into commands. */
#ifndef RP_REPORT_SELECTOR_TEXT_H
#define RP_REPORT_SELECTOR_TEXT_H

#include "report/selector.h"

/* Appends it. Of ids the first and how many. false: out of memory. */
bool rp_selector_text(const struct rp_selector *s, struct rp_buf *out);

#endif
