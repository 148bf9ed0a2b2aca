/* response.c - renders answers. It is apart from connection.c so that answers can be compared
 * without a socket. */

#include "http_server/response.h"

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
	    {207, "Multi-Status"},
	    {301, "Moved Permanently"},
	    {302, "Found"},
	    {304, "Not Modified"},
	    {307, "Temporary Redirect"},
	    {308, "Permanent Redirect"},
	    {400, "Bad Request"},
	    {401, "Unauthorized"},
	    {403, "Forbidden"},
	    {404, "Not Found"},
	    {405, "Method Not Allowed"},
	    {408, "Request Timeout"},
	    {409, "Conflict"},
	    {410, "Gone"},
	    {413, "Content Too Large"},
	    {415, "Unsupported Media Type"},
	    {417, "Expectation Failed"},
	    {421, "Misdirected Request"},
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
	    {508, "Loop Detected"},
	};
	size_t i;

	for (i = 0; i < sizeof known / sizeof known[0]; i++)
		if (known[i].status == status)
			return known[i].reason;
	return "As Asked";
}

/* Without printf, which is most of what an answer costs. */
static bool add_number(struct rp_buf *out, uint64_t n)
{
	char digits[20], *from = digits + sizeof digits;

	do
		*--from = (char)('0' + n % 10);
	while ((n /= 10) > 0);
	return rp_buf_add(out, from, (size_t)(digits + sizeof digits - from));
}

/* keep_ms: how long the peer may stay without a word; 0: nobody says so. */
static bool add_connection(const struct rp_http_request *request, int64_t keep_ms,
			   struct rp_buf *out)
{
	if (!request->keep_alive)
		return rp_buf_add_text(out, "Connection: close\r\n");
	if (request->http_1_0 && !rp_buf_add_text(out, "Connection: keep-alive\r\n"))
		return false;
	return keep_ms == 0 ||
	       (rp_buf_add_text(out, "Keep-Alive: timeout=") &&
		add_number(out, (uint64_t)keep_ms / 1000) && rp_buf_add_text(out, "\r\n"));
}

/* RFC 9110: no content, whatever was asked for */
static bool is_bare(int status)
{
	return status == 204 || status == 304;
}

bool rp_http_response_has_body(const struct rp_http_response *response,
			       const struct rp_http_request *request)
{
	return !is_bare(response->status) && !request->is_head;
}

static bool add_head(const struct rp_http_response *response, const struct rp_http_request *request,
		     int64_t keep_ms, uint64_t body_bytes, struct rp_buf *out)
{
	bool ok = rp_buf_add_text(out, "HTTP/1.1 ") &&
		  add_number(out, (uint64_t)response->status) && rp_buf_add_char(out, ' ') &&
		  rp_buf_add_text(out, reason_of(response->status)) &&
		  rp_buf_add_text(out, "\r\n") && add_connection(request, keep_ms, out);

	if (response->headers.len > 0)
		ok = ok && rp_buf_add(out, response->headers.ptr, response->headers.len);
	if (!is_bare(response->status))
		ok = ok && rp_buf_add_text(out, "Content-Type: ") &&
		     rp_buf_add_text(out, response->type) &&
		     rp_buf_add_text(out, "\r\nContent-Length: ") && add_number(out, body_bytes) &&
		     rp_buf_add_text(out, "\r\n");
	return ok && rp_buf_add_text(out, "\r\n");
}

bool rp_http_response_add_head(const struct rp_http_response *response,
			       const struct rp_http_request *request, uint64_t body_bytes,
			       struct rp_buf *out)
{
	return add_head(response, request, 0, body_bytes, out);
}

bool rp_http_response_add(const struct rp_http_response *response,
			  const struct rp_http_request *request, int64_t keep_ms,
			  struct rp_buf *out)
{
	if (!add_head(response, request, keep_ms, response->body.len, out))
		return false;
	return !rp_http_response_has_body(response, request) ||
	       rp_buf_add(out, response->body.ptr, response->body.len);
}
