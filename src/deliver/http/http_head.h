/* http_head.h - private to src/deliver/http: notes what the lines of response heads say. */
#ifndef RP_DELIVER_HTTP_HTTP_HEAD_H
#define RP_DELIVER_HTTP_HTTP_HEAD_H

#include "deliver/http/http_transfer.h"

/* Forgets what an earlier head said. Call it before the first head. */
void rp_http_notes_begin(struct rp_http_notes *notes);
/* Notes a line, with its line end, of any head of the response: interim heads (1xx), the final
 * head, trailers after the body. false: the heads are over their bounds. */
bool rp_http_notes_line(struct rp_http_notes *notes, struct rp_span line);
/* Whether the latest head leaves open where its body ends. Then what follows may be taken for
 * another answer (RFC 9112, 6.3 and 11.2). Such an answer counts, and is the last one of its
 * connection. */
bool rp_http_notes_end_is_open(const struct rp_http_notes *notes);
/* The wait that the final head asked for, in [0, 24 h]; 0: none. A date is compared with the
 * receiver's own Date, if there is one: a clock that is wrong would shift each retry. */
int64_t rp_http_retry_after_ms(const struct rp_http_notes *notes, int64_t now_at_ms);

#endif
