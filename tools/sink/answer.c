/* answer.c - renders the head of a reply. It is apart from conn.c so that replies can be
 * compared without a socket. */

#include "answer.h"

#include <inttypes.h>

static const char *reason_of(int status)
{
	static const struct {
		int status;
		const char *reason;
	} known[] = {
	    {200, "OK"},
	    {201, "Created"},
	    {202, "Accepted"},
	    {204, "No Content"},
	    {301, "Moved Permanently"},
	    {302, "Found"},
	    {304, "Not Modified"},
	    {307, "Temporary Redirect"},
	    {308, "Permanent Redirect"},
	    {400, "Bad Request"},
	    {401, "Unauthorized"},
	    {403, "Forbidden"},
	    {404, "Not Found"},
	    {408, "Request Timeout"},
	    {409, "Conflict"},
	    {410, "Gone"},
	    {413, "Content Too Large"},
	    {417, "Expectation Failed"},
	    {422, "Unprocessable Content"},
	    {425, "Too Early"},
	    {429, "Too Many Requests"},
	    {431, "Request Header Fields Too Large"},
	    {500, "Internal Server Error"},
	    {501, "Not Implemented"},
	    {502, "Bad Gateway"},
	    {503, "Service Unavailable"},
	    {504, "Gateway Timeout"},
	    {505, "HTTP Version Not Supported"},
	};
	size_t i;

	for (i = 0; i < sizeof known / sizeof known[0]; i++)
		if (known[i].status == status)
			return known[i].reason;
	return "As Asked";
}

static const char *connection_of(const struct rp_http_request *request)
{
	if (!request->keep_alive)
		return "Connection: close\r\n";
	return request->http_1_0 ? "Connection: keep-alive\r\n" : "";
}

bool rp_sink_answer_render(const struct rp_sink_reply *reply, const struct rp_http_request *request,
			   bool without_body, struct rp_buf *out, uint64_t *fill_left)
{
	/* RFC 9110: no content, whatever was asked for */
	bool bare = reply->status == 204 || reply->status == 304;
	bool ok;

	*fill_left = 0;
	ok = rp_buf_printf(out, "HTTP/1.1 %d %s\r\n%s", reply->status, reason_of(reply->status),
			   connection_of(request));
	if (reply->headers.len > 0)
		ok = ok && rp_buf_add(out, reply->headers.ptr, reply->headers.len);
	if (bare)
		return ok && rp_buf_add_text(out, "\r\n");
	ok = ok &&
	     rp_buf_printf(out, "Content-Type: text/plain\r\nContent-Length: %" PRIu64 "\r\n\r\n",
			   reply->body_bytes);
	if (without_body || reply->body_bytes == 0)
		return ok;
	if (reply->slow || reply->body_bytes != reply->body.len ||
	    reply->body.len > RP_SINK_ANSWER_INLINE_MAX)
		*fill_left = reply->body_bytes;
	else
		ok = ok && rp_buf_add(out, reply->body.ptr, reply->body.len);
	return ok;
}
