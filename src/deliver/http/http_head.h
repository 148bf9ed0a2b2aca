/* http_head.h - private to src/deliver/http: lines of response heads -> notes. */
#ifndef RP_DELIVER_HTTP_HTTP_HEAD_H
#define RP_DELIVER_HTTP_HTTP_HEAD_H

#include "deliver/http/http_transfer.h"

/* Forgets what an earlier head said. */
void rp_http_notes_begin(struct rp_http_notes *notes);
/* A line of any head of the response, with its line end: interim (1xx) ones, the final one, and
 * trailers after the body. false: the heads are over their bounds. */
bool rp_http_notes_line(struct rp_http_notes *notes, struct rp_span line);
/* Whether the latest head leaves open where its body ends: then what follows may be read as
 * another answer (RFC 9112, 6.3 and 11.2). Such an answer is what its head says, and the
 * connection's last. */
bool rp_http_notes_end_is_open(const struct rp_http_notes *notes);
/* What the final head asked for, in [0, 24 h]; 0: nothing. A date is held against the receiver's
 * own clock where it tells it: a skewed one would shift every retry. */
int64_t rp_http_retry_after_ms(const struct rp_http_notes *notes, int64_t now_at_ms);

#endif
