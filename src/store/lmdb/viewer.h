/* viewer.h - private to src/store/lmdb: an entry as it is shown: beside its delivery record the
 * facts and the endpoint's name. */
#ifndef RP_STORE_LMDB_VIEWER_H
#define RP_STORE_LMDB_VIEWER_H

#include "model/entry.h"
#include "store/lmdb/tree/rows.h"

struct rp_txn;

/* Looks at one entry after the other. Begin with {.t = t}; what it fills in are views that die with
 * the next call. */
struct rp_viewer {
	struct rp_txn *t;
	struct rp_tree_rows entries;
	bool open;
	uint64_t endpoint; /* whose name it is */
	struct rp_span name;
};
enum rp_err rp_viewer_look(struct rp_viewer *v, uint64_t seq, struct rp_entry *out,
			   struct rp_error *err);
void rp_viewer_end(struct rp_viewer *v);

#endif
