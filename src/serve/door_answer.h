/* door_answer.h - what the door answers, as values: the status and the JSON of the body. Pure.
 *
 * Nothing in an answer repeats a token, a query, a signature or a payload: reasons name members and
 * remedies only. */
#ifndef RP_SERVE_DOOR_ANSWER_H
#define RP_SERVE_DOOR_ANSWER_H

#include "serve/door_batch.h"

/* The answer to a request whose runs begin at `from` of a committed batch. Appends the body, and
 * sets *status. false: out of memory. */
bool rp_door_answer_runs(const struct rp_batch *batch, size_t from, const struct rp_door_held *held,
			 int *status, struct rp_buf *body);

/* {"status":"refused","code":...,"reason":...} and a line feed. false: out of memory. */
bool rp_door_answer_refusal(const char *code, const char *reason, struct rp_buf *body);

/* The status for a rejected run: "bad_json" 400, "too_large" 413, "loop" 508, others 422. */
int rp_door_rejection_status(const char *code);

#endif
