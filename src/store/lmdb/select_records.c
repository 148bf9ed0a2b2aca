/* select_records.c - goes along the entries in the order of their numbers, or along those parts of
 * the numbers that may be of the time that is wanted. It needs no index. */

#include "store/lmdb/select_int.h"

/* Up to `to_seq` (0: to the end), from where it stands. *more: the range has more. */
static enum rp_err go_range(struct rp_selecting *w, uint64_t to_seq, bool *more,
			    struct rp_error *err)
{
	struct rp_select_at *at = &w->plan->at;
	struct rp_key from = rp_key1(at->from_seq);
	MDB_val k, v;
	uint64_t seq;
	enum rp_err e =
	    rp_tree_rows_seek(&w->deliveries, &(MDB_val){from.len, from.bytes}, false, err);

	while (e == RP_OK && (e = rp_tree_rows_next(&w->deliveries, &k, &v, err)) == RP_OK) {
		if (!rp_key_read(k.mv_data, k.mv_size, &seq, 1))
			return rp_fail(err, RP_ERR_DAMAGED,
				       "%s: table delivery holds a key of %zu bytes", w->t->ob->dir,
				       k.mv_size);
		if (to_seq != 0 && seq >= to_seq)
			return RP_OK;
		*more = rp_selecting_is_full(w);
		if (*more)
			return RP_OK;
		w->rows++;
		at->from_seq = seq + 1;
		e = rp_selecting_look(w, seq, &v, err);
	}
	return e == RP_ERR_NOTFOUND ? RP_OK : e;
}

enum rp_err rp_select_records(struct rp_selecting *w, bool *more, struct rp_error *err)
{
	struct rp_select_plan *p = w->plan;
	enum rp_err e = RP_OK;
	unsigned i;

	for (i = 0; i < p->n_ranges && e == RP_OK && !*more; i++) {
		if (p->ranges[i].to_seq != 0 && p->at.from_seq >= p->ranges[i].to_seq)
			continue;
		if (p->at.from_seq < p->ranges[i].from_seq)
			p->at.from_seq = p->ranges[i].from_seq;
		e = go_range(w, p->ranges[i].to_seq, more, err);
		if (e == RP_OK && !*more && p->ranges[i].to_seq != 0)
			p->at.from_seq = p->ranges[i].to_seq;
	}
	return e;
}
