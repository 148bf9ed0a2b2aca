/* select_int.h - private to src/store/lmdb: how rp_outbox_select finds its entries.
 *
 * select.c makes a plan: the way that leaves the fewest rows to look at. select_rows.c goes along
 * an index, select_records.c along the entries themselves. The filter has the last word on each
 * entry, whatever way led to it. */
#ifndef RP_STORE_LMDB_SELECT_INT_H
#define RP_STORE_LMDB_SELECT_INT_H

#include "store/lmdb/store_int.h"

/* Bounds of one read transaction: records looked at, each with two or three lookups, and rows that
 * are passed over. So it takes some milliseconds, and no reader pins pages for long. */
#define RP_SELECT_LOOKS_MAX 4096
#define RP_SELECT_ROWS_MAX 32768
/* "r", a run id and a NUL */
#define RP_FIELD_PREFIX_MAX 256

enum rp_select_way {
	RP_WAY_NOTHING = 1, /* there can be none */
	RP_WAY_NUMBER,      /* the one that is named */
	RP_WAY_ORDER,       /* the members of one order */
	RP_WAY_RUN,         /* the entries of one run */
	RP_WAY_STATE,       /* the index of one state */
	RP_WAY_RECORDS,     /* all entries, or those whose numbers may be of the time */
};

/* --- time_marks.c ------------------------------------------------------------------------- */

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

/* --- the plan ----------------------------------------------------------------------------- */

struct rp_select_range {
	uint64_t from_seq, to_seq; /* before to_seq; 0: to the end */
};

/* Where it is: what a cursor holds. */
struct rp_select_at {
	enum rp_select_way way;
	unsigned stage;    /* of the tables that hold what is looked for */
	uint64_t endpoint; /* WAITING, by endpoint: the number of the one that is next */
	uint64_t from_seq; /* RECORDS */
	size_t key_len;    /* the row behind which it goes on; 0: the first */
	unsigned char key[512];
};

struct rp_select_plan {
	struct rp_select_at at;
	enum rp_state state; /* STATE */
	uint64_t seq;        /* NUMBER; 0: there is none */
	/* WAITING: the endpoints that are wanted and have some; NULL: all */
	bool by_endpoint;
	uint64_t *endpoints;
	size_t n_endpoints;
	struct rp_mark since, until;
	struct rp_mark bounds[RP_SELECT_BOUNDS_MAX];
	struct rp_select_range ranges[RP_TIME_SPANS_MAX + 1]; /* RECORDS */
	unsigned n_ranges;
};

/* One call of rp_outbox_select. */
struct rp_selecting {
	struct rp_txn *t;
	struct rp_select *s;
	struct rp_select_plan *plan;
	struct rp_tree_rows deliveries;
	struct rp_viewer viewer;
	size_t rows, looks, seen;
	bool stopped; /* by see */
};

/* Whether the call has done as much as it may. */
bool rp_selecting_is_full(const struct rp_selecting *w);
/* Whether its number lets an entry be of the time that is wanted. */
bool rp_selecting_wants_time(const struct rp_selecting *w, uint64_t seq);
/* Looks at the delivery record of an entry, and if it may be meant at the rest of it; shows it when
 * the filter says so. */
enum rp_err rp_selecting_look(struct rp_selecting *w, uint64_t seq, const MDB_val *delivery,
			      struct rp_error *err);

/* select_rows.c, select_records.c: *more: there is more along this way. */
enum rp_err rp_select_rows(struct rp_selecting *w, bool *more, struct rp_error *err);
enum rp_err rp_select_records(struct rp_selecting *w, bool *more, struct rp_error *err);

#endif
