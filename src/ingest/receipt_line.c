/* receipt_line.c - formats receipts. It is apart from receipts.c because the front door answers
 * with them, too. */

#include "ingest/receipt_line.h"

#include "text/json.h"

/* Without printf: that would be half of the work for a receipt. */
static bool add_line(struct rp_buf *out, uint64_t line)
{
	char digits[20], *at = digits + sizeof digits;

	do {
		*--at = (char)('0' + line % 10);
		line /= 10;
	} while (line > 0);
	return rp_buf_add(out, "\"line\":", 7) &&
	       rp_buf_add(out, at, (size_t)(digits + sizeof digits - at)) &&
	       rp_buf_add_char(out, ',');
}

static bool add_head(struct rp_buf *out, uint64_t line, const char *status)
{
	return rp_buf_add_char(out, '{') && (line == 0 || add_line(out, line)) &&
	       rp_buf_add(out, "\"status\":\"", 10) && rp_buf_add_text(out, status) &&
	       rp_buf_add_char(out, '"');
}

static bool add_text(struct rp_buf *out, const char *name, struct rp_span text)
{
	return rp_buf_add(out, ",\"", 2) && rp_buf_add_text(out, name) &&
	       rp_buf_add(out, "\":", 2) && rp_json_quote(text, out);
}

static bool add_end(struct rp_buf *out, struct rp_span run_id)
{
	return (run_id.len == 0 || add_text(out, "run_id", run_id)) && rp_buf_add(out, "}\n", 2);
}

bool rp_receipt_accepted(struct rp_buf *out, uint64_t line, bool duplicate,
			 const unsigned char id[RP_ID_BYTES], struct rp_span run_id)
{
	char text[RP_ID_TEXT_MAX];

	return add_head(out, line, duplicate ? "duplicate" : "queued") &&
	       add_text(out, "id", rp_span_of(rp_id_format(id, text))) && add_end(out, run_id);
}

bool rp_receipt_skipped(struct rp_buf *out, uint64_t line, const char *reason,
			struct rp_span run_id)
{
	return add_head(out, line, "skipped") && add_text(out, "reason", rp_span_of(reason)) &&
	       add_end(out, run_id);
}

bool rp_receipt_rejected(struct rp_buf *out, uint64_t line, const char *code, const char *reason)
{
	return add_head(out, line, "rejected") && add_text(out, "code", rp_span_of(code)) &&
	       add_text(out, "reason", rp_span_of(reason)) && add_end(out, rp_span_of(NULL));
}
