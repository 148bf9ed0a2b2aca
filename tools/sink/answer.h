/* answer.h - a reply as the bytes of an HTTP/1.1 response head, and its body when that is short. */
#ifndef RP_SINK_ANSWER_H
#define RP_SINK_ANSWER_H

#include "plan.h"
#include "http_server/request.h"

#define RP_SINK_ANSWER_INLINE_MAX 4096

/* Appends the head and, unless it is slow or longer than the limit above, the body. *fill_left:
 * bytes of the body left to send by repeating reply->body. false: out of memory. */
bool rp_sink_answer_render(const struct rp_sink_reply *reply, const struct rp_http_request *request,
			   bool without_body, struct rp_buf *out, uint64_t *fill_left);

#endif
