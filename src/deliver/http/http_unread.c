/* http_unread.c - reads an answer that libcurl left unread in the socket. It is apart because
 * libcurl has failed already: the receiver answered before it had read all, and closed. */

#include "deliver/http/http_unread.h"

#include <ctype.h>
#include <string.h>
#include <sys/socket.h>

#include "sign/crypto_tls.h"
#include "deliver/http/http_head.h"
#include "deliver/http/http_kept.h"

#define UNREAD_MAX ((size_t)128 << 10) /* the largest heads, and what is kept of a body */
#define CHUNK_DIGITS_MAX 8

static bool bytes_take(struct rp_transfer *t, struct rp_buf *out)
{
	ssize_t n;

	while (out->len < UNREAD_MAX) {
		if (!rp_buf_reserve(out, UNREAD_MAX - out->len))
			return false;
		n = recv(t->fd, out->data + out->len, UNREAD_MAX - out->len, MSG_DONTWAIT);
		if (n <= 0)
			break; /* after a reset, too, the bytes before it come first */
		out->len += (size_t)n;
	}
	return true;
}

/* Takes a line with its end off the front of `rest`. false: there is no whole line. */
static bool line_take(struct rp_span *rest, struct rp_span *line)
{
	const char *end = rest->len > 0 ? memchr(rest->ptr, '\n', rest->len) : NULL;

	if (end == NULL)
		return false;
	*line = (struct rp_span){rest->ptr, (size_t)(end - rest->ptr) + 1};
	*rest = (struct rp_span){end + 1, rest->len - line->len};
	return true;
}

/* Takes the final head off the front, with interim heads before it. false: it is not whole. */
static bool head_take(struct rp_http_notes *notes, struct rp_span *rest)
{
	struct rp_span line;

	do {
		rp_http_notes_begin(notes);
		while (!notes->head_done) {
			if (!line_take(rest, &line) || !rp_http_notes_line(notes, line) ||
			    notes->status == 0)
				return false;
		}
	} while (notes->status < 200);
	return true;
}

static void body_keep(struct rp_transfer *t, struct rp_span part)
{
	struct rp_outcome *out = &t->outcome;
	size_t room = RP_RESPONSE_HEAD_MAX - out->response_bytes;
	size_t n = part.len < room ? part.len : room;

	memcpy(out->response + out->response_bytes, part.ptr, n);
	out->response_bytes += n;
	t->notes.body_bytes += part.len;
}

/* As far as it came. */
static void chunks_keep(struct rp_transfer *t, struct rp_span rest)
{
	struct rp_span line;
	size_t size, i;

	while (line_take(&rest, &line)) {
		for (i = 0, size = 0; i < CHUNK_DIGITS_MAX && isxdigit((unsigned char)line.ptr[i]);
		     i++)
			size = size * 16 + (size_t)(isdigit((unsigned char)line.ptr[i])
							? line.ptr[i] - '0'
							: (line.ptr[i] | 0x20) - 'a' + 10);
		if (size == 0)
			return;
		size = size < rest.len ? size : rest.len;
		body_keep(t, (struct rp_span){rest.ptr, size});
		rest = (struct rp_span){rest.ptr + size, rest.len - size};
		line_take(&rest, &line);
	}
}

static void answer_take(struct rp_transfer *t, struct rp_span rest)
{
	struct rp_http_notes notes = t->notes;

	if (!head_take(&notes, &rest))
		return;
	notes.unread = true;
	t->notes = notes;
	if (notes.length >= 0 && (size_t)notes.length < rest.len)
		rest.len = (size_t)notes.length;
	if (notes.status == 204 || notes.status == 304)
		return;
	if (notes.coded)
		chunks_keep(t, rest);
	else
		body_keep(t, rest);
}

void rp_transfer_read_on(struct rp_transfer *t)
{
	struct rp_buf raw = {0}, plain = {0};
	void *tls = rp_transfer_tls(t);

	t->notes.looked_on = true;
	if (t->fd >= 0 && bytes_take(t, &raw)) {
		if (tls == NULL)
			answer_take(t, (struct rp_span){raw.data, raw.len});
		else if (rp_tls_decrypt(tls, (struct rp_span){raw.data, raw.len}, UNREAD_MAX,
					&plain))
			answer_take(t, (struct rp_span){plain.data, plain.len});
	}
	rp_buf_release(&raw);
	rp_buf_release(&plain);
}
