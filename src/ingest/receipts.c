/* receipts.c - formats receipts, and writes them when the reader takes them. It is apart from the
 * commit, so that a slow reader holds up nothing that is stored. */

#include "ingest/receipts.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "text/json.h"

/* Above the limit come at most the receipts of one batch. This is room for the longest ones. */
#define BUFFER_MAX (RP_RECEIPTS_LIMIT + ((size_t)16 << 20))
#define FILE_CHUNK ((size_t)64 << 10)

void rp_receipts_init(struct rp_receipts *r, int fd)
{
	struct stat st;

	memset(r, 0, sizeof *r);
	r->buf.max = BUFFER_MAX;
	r->fd = fd;
	/* O_NONBLOCK would change the descriptor for everybody who shares it. A pipe that polls
	 * writable has a free page, so PIPE_BUF bytes do not block. */
	r->chunk = fstat(fd, &st) == 0 && S_ISREG(st.st_mode) ? FILE_CHUNK : PIPE_BUF;
}

void rp_receipts_release(struct rp_receipts *r)
{
	rp_buf_release(&r->buf);
}

/* Without printf: that would be half of the work for a receipt. */
static bool add_head(struct rp_receipts *r, uint64_t line, const char *status)
{
	char digits[20], *at = digits + sizeof digits;

	do {
		*--at = (char)('0' + line % 10);
		line /= 10;
	} while (line > 0);
	return rp_buf_add(&r->buf, "{\"line\":", 8) &&
	       rp_buf_add(&r->buf, at, (size_t)(digits + sizeof digits - at)) &&
	       rp_buf_add(&r->buf, ",\"status\":\"", 11) && rp_buf_add_text(&r->buf, status) &&
	       rp_buf_add_char(&r->buf, '"');
}

static bool add_text(struct rp_receipts *r, const char *name, struct rp_span text)
{
	return rp_buf_add(&r->buf, ",\"", 2) && rp_buf_add_text(&r->buf, name) &&
	       rp_buf_add(&r->buf, "\":", 2) && rp_json_quote(text, &r->buf);
}

static bool add_end(struct rp_receipts *r, struct rp_span run_id)
{
	return (run_id.len == 0 || add_text(r, "run_id", run_id)) && rp_buf_add(&r->buf, "}\n", 2);
}

bool rp_receipts_accepted(struct rp_receipts *r, uint64_t line, bool duplicate,
			  const unsigned char id[RP_ID_BYTES], struct rp_span run_id)
{
	char text[RP_ID_TEXT_MAX];

	return add_head(r, line, duplicate ? "duplicate" : "queued") &&
	       add_text(r, "id", rp_span_of(rp_id_format(id, text))) && add_end(r, run_id);
}

bool rp_receipts_skipped(struct rp_receipts *r, uint64_t line, const char *reason,
			 struct rp_span run_id)
{
	return add_head(r, line, "skipped") && add_text(r, "reason", rp_span_of(reason)) &&
	       add_end(r, run_id);
}

bool rp_receipts_rejected(struct rp_receipts *r, uint64_t line, const char *code,
			  const char *reason)
{
	return add_head(r, line, "rejected") && add_text(r, "code", rp_span_of(code)) &&
	       add_text(r, "reason", rp_span_of(reason)) && add_end(r, rp_span_of(NULL));
}

size_t rp_receipts_pending(const struct rp_receipts *r)
{
	return r->buf.len - r->at;
}

static bool writable_now(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLOUT};

	return poll(&p, 1, 0) == 1;
}

static void forget_written(struct rp_receipts *r)
{
	size_t left = rp_receipts_pending(r);

	if (left > 0 && r->at < RP_RECEIPTS_LIMIT)
		return;
	memmove(r->buf.data, r->buf.data + r->at, left);
	r->buf.len = left;
	r->at = 0;
}

enum rp_err rp_receipts_write(struct rp_receipts *r, struct rp_error *err)
{
	while (rp_receipts_pending(r) > 0 && writable_now(r->fd)) {
		size_t n = rp_receipts_pending(r);
		ssize_t did = write(r->fd, r->buf.data + r->at, n < r->chunk ? n : r->chunk);

		if (did < 0 && errno == EPIPE)
			return rp_fail(err, RP_ERR_IO,
				       "nobody reads the receipts any more; lines without a "
				       "receipt may be stored, sending them "
				       "again is safe");
		if (did < 0 && (errno == EINTR || errno == EAGAIN))
			break;
		if (did < 0)
			return rp_fail_sys(err, RP_ERR_IO, errno, "cannot write receipts");
		r->at += (size_t)did;
	}
	if (r->at > 0)
		forget_written(r);
	return RP_OK;
}
