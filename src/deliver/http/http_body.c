/* http_body.c - hands libcurl the body of a request, whole or piece by piece. It is apart because
 * long bodies come from the outbox while they are sent. */

#include "deliver/http/http_body.h"

#include <stdio.h>

#include "base/assert.h"

static size_t on_read(char *out, size_t size, size_t n, void *arg)
{
	struct rp_transfer *t = arg;
	const struct rp_request *r = &t->request;
	size_t room = size * n, left = r->body.len - t->body_at, bytes = left < room ? left : room;

	if (bytes > 0 && !r->read_body(r->owner, t->body_at, out, bytes))
		return CURL_READFUNC_ABORT;
	t->body_at += bytes;
	return bytes;
}

/* libcurl begins a request anew when a kept connection turns out dead. */
static int on_seek(void *arg, curl_off_t at, int origin)
{
	struct rp_transfer *t = arg;

	if (origin != SEEK_SET || at < 0 || (uint64_t)at > t->request.body.len)
		return CURL_SEEKFUNC_FAIL;
	t->body_at = (size_t)at;
	return CURL_SEEKFUNC_OK;
}

#define SET(option, value) ((rc = curl_easy_setopt(easy, (option), (value))) == CURLE_OK)

/* The size goes first: else libcurl would measure POSTFIELDS with strlen. An empty body is a POST,
 * too. */
CURLcode rp_http_body_set(struct rp_transfer *t)
{
	const struct rp_request *r = &t->request;
	CURL *easy = t->easy;
	CURLcode rc;

	t->body_at = 0;
	if (!SET(CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)r->body.len))
		return rc;
	if (r->read_body == NULL)
		return curl_easy_setopt(easy, CURLOPT_POSTFIELDS,
					r->body.len > 0 ? r->body.ptr : "");
	(void)(SET(CURLOPT_POSTFIELDS, NULL) && SET(CURLOPT_POST, 1L) &&
	       SET(CURLOPT_READFUNCTION, on_read) && SET(CURLOPT_READDATA, t) &&
	       SET(CURLOPT_SEEKFUNCTION, on_seek) && SET(CURLOPT_SEEKDATA, t));
	return rc;
}
