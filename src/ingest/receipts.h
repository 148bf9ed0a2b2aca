/* receipts.h - makes receipt lines, and keeps them until the reader takes them.
 *
 * Add a receipt only after the synced commit that covers its line has returned: what is in here may
 * leave at any moment. */
#ifndef RP_INGEST_RECEIPTS_H
#define RP_INGEST_RECEIPTS_H

#include "base/bytes.h"
#include "base/err.h"
#include "sign/ident.h"

/* With so many unread bytes, no more input is taken. */
#define RP_RECEIPTS_LIMIT ((size_t)4 << 20)

struct rp_receipts {
	struct rp_buf buf;
	size_t at;    /* bytes written */
	size_t chunk; /* a writable descriptor takes so many bytes without blocking */
	int fd;
};

void rp_receipts_init(struct rp_receipts *r, int fd);
void rp_receipts_release(struct rp_receipts *r);

/* Each adds one line. false: out of memory. An empty run_id is left out. */
bool rp_receipts_accepted(struct rp_receipts *r, uint64_t line, bool duplicate,
			  const unsigned char id[RP_ID_BYTES], struct rp_span run_id);
bool rp_receipts_skipped(struct rp_receipts *r, uint64_t line, const char *reason,
			 struct rp_span run_id);
bool rp_receipts_rejected(struct rp_receipts *r, uint64_t line, const char *code,
			  const char *reason);

size_t rp_receipts_pending(const struct rp_receipts *r);
/* Writes what the descriptor takes now, without waiting. RP_ERR_IO: the reader is gone, or the file
 * cannot be written. */
enum rp_err rp_receipts_write(struct rp_receipts *r, struct rp_error *err);

#endif
