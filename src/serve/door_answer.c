/* door_answer.c - formats answers. It is apart from door.c so that the contract of docs/api.md can
 * be tested word by word. */

#include "serve/door_answer.h"

#include <string.h>

#include "ingest/receipt_line.h"
#include "text/json.h"

int rp_door_rejection_status(const char *code)
{
	return strcmp(code, "bad_json") == 0    ? 400
	       : strcmp(code, "too_large") == 0 ? 413
	       : strcmp(code, "loop") == 0      ? 508
						: 422;
}

/* `line` 0: it stands alone. Returns its status; 0: out of memory. */
static int add_one(const struct rp_batch *batch, size_t i, uint64_t line, struct rp_buf *body)
{
	const struct rp_parsed_run *run = &batch->runs[i];
	const struct rp_appended *stored = rp_batch_result(batch, i);

	if (stored != NULL)
		return !rp_receipt_accepted(body, line, stored->duplicate, stored->id, run->run_id)
			   ? 0
		       : stored->duplicate ? 200
					   : 202;
	if (run->status == RP_RUN_SKIPPED)
		return rp_receipt_skipped(body, line, run->reason, run->run_id) ? 200 : 0;
	return rp_receipt_rejected(body, line, run->code, run->reason)
		   ? rp_door_rejection_status(run->code)
		   : 0;
}

bool rp_door_answer_runs(const struct rp_batch *batch, size_t from, const struct rp_door_held *held,
			 int *status, struct rp_buf *body)
{
	size_t i;

	if (held->form != RP_DOOR_LINES) {
		*status = add_one(batch, from, 0, body);
		return *status != 0;
	}
	*status = 200;
	for (i = 0; i < held->n_runs; i++) {
		int one = add_one(batch, from + i, i + 1, body);

		if (one == 0)
			return false;
		if (one >= 400)
			*status = 207;
	}
	return true;
}

bool rp_door_answer_refusal(const char *code, const char *reason, struct rp_buf *body)
{
	return rp_buf_add_text(body, "{\"status\":\"refused\",\"code\":") &&
	       rp_json_quote(rp_span_of(code), body) && rp_buf_add_text(body, ",\"reason\":") &&
	       rp_json_quote(rp_span_of(reason), body) && rp_buf_add_text(body, "}\n");
}
