/* receipts.c - keeps receipts, and writes them when the reader takes them. It is apart from the
 * commit, so that a slow reader holds up nothing that is stored. */

#include "ingest/receipts.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ingest/receipt_line.h"

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

bool rp_receipts_accepted(struct rp_receipts *r, uint64_t line, bool duplicate,
			  const unsigned char id[RP_ID_BYTES], struct rp_span run_id)
{
	return rp_receipt_accepted(&r->buf, line, duplicate, id, run_id);
}

bool rp_receipts_skipped(struct rp_receipts *r, uint64_t line, const char *reason,
			 struct rp_span run_id)
{
	return rp_receipt_skipped(&r->buf, line, reason, run_id);
}

bool rp_receipts_rejected(struct rp_receipts *r, uint64_t line, const char *code,
			  const char *reason)
{
	return rp_receipt_rejected(&r->buf, line, code, reason);
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
