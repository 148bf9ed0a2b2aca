/* time_marks.h - private to src/store/lmdb: where a time stands among the numbers of entries. */
#ifndef RP_STORE_LMDB_TIME_MARKS_H
#define RP_STORE_LMDB_TIME_MARKS_H

#include "base/err.h"
#include "model/time_index.h"

struct rp_txn;

/* A time among the numbers of entries. Numbers are given in the order of acceptance, but clocks
 * are set back and imports bring old times, so there are parts (model/time_index.h), and between
 * those that certainly are earlier and those that certainly are not there may be some of which only
 * their record tells. */
struct rp_mark {
	unsigned n;
	struct rp_mark_part {
		uint64_t end_seq;   /* from the end of the part before to before this */
		uint64_t low, high; /* below `low` all were accepted earlier, from `high` on none */
	} part[RP_TIME_SPANS_MAX];
};
enum rp_side { RP_SIDE_EARLIER = 1, RP_SIDE_LATER, RP_SIDE_EITHER };
enum rp_side rp_mark_side(const struct rp_mark *m, uint64_t seq);
/* Of n times; found by halving, all in one snapshot, so that their parts are the same. An entry
 * whose record is damaged has the place of its neighbours. */
enum rp_err rp_marks_find(struct rp_txn *t, const int64_t *at_ms, size_t n, struct rp_mark *out,
			  struct rp_error *err);

#endif
