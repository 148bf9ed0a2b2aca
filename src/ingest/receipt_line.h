/* receipt_line.h - the text of a receipt: one JSON object and a line feed. Pure.
 *
 * `line` counts from 1; 0 leaves the member `line` out, for a receipt that answers one run alone.
 * Each function appends, and returns false when memory runs out. */
#ifndef RP_INGEST_RECEIPT_LINE_H
#define RP_INGEST_RECEIPT_LINE_H

#include "base/bytes.h"
#include "sign/ident.h"

/* An empty run_id is left out. */
bool rp_receipt_accepted(struct rp_buf *out, uint64_t line, bool duplicate,
			 const unsigned char id[RP_ID_BYTES], struct rp_span run_id);
bool rp_receipt_skipped(struct rp_buf *out, uint64_t line, const char *reason,
			struct rp_span run_id);
bool rp_receipt_rejected(struct rp_buf *out, uint64_t line, const char *code, const char *reason);

#endif
