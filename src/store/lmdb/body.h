/* body.h - private to src/store/lmdb: payloads, in rows that fill pages. */
#ifndef RP_STORE_LMDB_BODY_H
#define RP_STORE_LMDB_BODY_H

#include "base/bytes.h"
#include "model/record.h"

struct rp_txn;

enum rp_err rp_body_put(struct rp_txn *t, uint64_t seq, struct rp_span payload,
			struct rp_error *err);

/* Appends the payload to out and checks it: RP_ERR_DAMAGED if it does not match. */
enum rp_err rp_entry_payload(struct rp_txn *t, uint64_t seq, const struct rp_facts *f,
			     struct rp_buf *out, struct rp_error *err);

#endif
