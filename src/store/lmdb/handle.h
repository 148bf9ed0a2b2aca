/* handle.h - private to src/store/lmdb: an open outbox.
 *
 * What a module keeps between transactions stands here; each comment names the file that looks
 * after it. */
#ifndef RP_STORE_LMDB_HANDLE_H
#define RP_STORE_LMDB_HANDLE_H

#include "store/lmdb/counters.h"
#include "store/lmdb/db/db.h"
#include "store/lmdb/host/files.h"
#include "store/lmdb/host/turn.h"
#include "store/store_ops.h"

struct rp_ep_names;
struct rp_ep;
struct rp_page_guard;
struct rp_txn;

struct rp_lmdb {
	struct rp_outbox outbox; /* first: rp_lmdb_of */
	struct rp_db db;
	struct rp_files files;
	const struct rp_sys *sys;
	uint64_t quota_bytes, disk_reserve_bytes;
	/* body.c: bytes left on the last page of `body`, a guess, and where in this transaction
	 * the last row was put */
	size_t body_room;
	uintptr_t body_at;
	/* append.c, import.c: a record on its way into a row */
	unsigned char facts[RP_FACTS_BYTES_MAX];
	/* endpoint.c: the endpoints of the current transaction; the memory is kept between
	 * transactions. */
	struct rp_ep **eps;
	size_t n_eps, cap_eps;
	uint32_t *ep_index; /* open addressing by id: position in eps + 1, 0 is free */
	size_t ep_index_size;
	struct rp_ep_names *names; /* endpoint_batch.c: memory that is kept; NULL: none yet */
	/* recent.c: attempts settled in the current transaction that are not in a row yet */
	struct rp_recent recent[RP_RECENT_ROW_ATTEMPTS];
	size_t n_recent;
	/* counters.c: the counters as the current transaction leaves them, and what goes into the
	 * next one's */
	struct rp_counters counters;
	struct rp_open_series series[RP_SERIES_MAX];
	size_t n_series;
	struct {
		uint64_t duplicates;
		struct rp_histogram commits;
	} untold;
	/* tree/page_guard.c: which pages may be written to; NULL: nothing was yet */
	struct rp_page_guard *guard;
	/* fetch.c: the transaction in which entries are fetched; NULL: none was yet */
	struct rp_txn *fetcher;
	/* registry.c */
	int registry_fd;
	int offers_fd; /* offers.c: the same file, for an append; -1: nothing was appended */
	struct rp_sender_id me;
	struct rp_clock_watch clock; /* of ours, as of the last beat */
	uint32_t me_pid;
	bool joined;
	/* wakeup.c */
	int wakeup_fd, inotify_fd, wakeup_wd, registry_wd;
	int commits_fd; /* inotify on the data file; -1: nobody asked */
	struct rp_turn turn;
};

static inline struct rp_lmdb *rp_lmdb_of(const struct rp_outbox *outbox)
{
	return (struct rp_lmdb *)(uintptr_t)outbox;
}

#endif
