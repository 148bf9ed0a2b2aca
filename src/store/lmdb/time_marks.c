/* time_marks.c - finds entries by time of acceptance, by halving the numbers. Numbers and
 * times do not quite agree, and model/time_index.h says by how much. */

#include "store/lmdb/select_int.h"

/* Entries to look at around a damaged one before nobody knows. */
#define DAMAGED_MAX 16

enum told { TOLD_YES = 1, TOLD_NO, TOLD_NOTHING };

/* Whether the first readable entry from `*seq` on was accepted at at_ms or later; *seq: its
 * number. TOLD_NOTHING: damaged ones come first, up to *seq; RP_ERR_NOTFOUND: there is none. */
static enum rp_err is_late(struct rp_tree_rows *l, int64_t at_ms, uint64_t *seq, enum told *out,
			   struct rp_error *err)
{
	struct rp_key from = rp_key1(*seq);
	struct rp_facts f;
	MDB_val k, v;
	enum rp_err e = rp_tree_rows_seek(l, &(MDB_val){from.len, from.bytes}, false, err);
	int i;

	*out = TOLD_NOTHING;
	for (i = 0; i < DAMAGED_MAX && e == RP_OK; i++) {
		e = rp_tree_rows_next(l, &k, &v, err);
		if (e == RP_OK && rp_key_read(k.mv_data, k.mv_size, seq, 1) &&
		    rp_facts_unpack(&f, *seq, v.mv_data, v.mv_size)) {
			*out = f.accepted_at_ms >= at_ms ? TOLD_YES : TOLD_NO;
			return RP_OK;
		}
	}
	return e;
}

/* Halves the numbers from `low` to before `end`, and ends between an entry that was accepted
 * before at_ms (or the beginning) and one that was not (or the end). doubt: what a damaged entry
 * counts as. */
static enum rp_err halve(struct rp_tree_rows *l, uint64_t low, uint64_t end, int64_t at_ms,
			 enum told doubt, uint64_t *out, struct rp_error *err)
{
	uint64_t high = end;

	while (low < high) {
		uint64_t middle = low + (high - low) / 2, seq = middle;
		enum told late;
		enum rp_err e = is_late(l, at_ms, &seq, &late, err);

		if (e != RP_OK && e != RP_ERR_NOTFOUND)
			return e;
		if (late == TOLD_NOTHING && e == RP_OK)
			late = doubt;
		if (e == RP_ERR_NOTFOUND || seq >= high || late == TOLD_YES)
			high = middle; /* between the two there is nothing */
		else
			low = seq + 1;
	}
	*out = high;
	return RP_OK;
}

/* An entry that is early by more than back_ms shows that all before it are early; one that is late
 * by as much, that all behind it are late. So halving never throws away an entry of which that is
 * not certain. */
static enum rp_err find(struct rp_tree_rows *l, const struct rp_time_span *s, uint64_t end_seq,
			int64_t at_ms, struct rp_mark_part *out, struct rp_error *err)
{
	enum rp_err e = RP_OK;

	*out = (struct rp_mark_part){.end_seq = end_seq};
	if (s->high_at_ms < at_ms) {
		out->low = out->high = end_seq;
	} else if (s->low_at_ms >= at_ms) {
		out->low = out->high = s->first_seq;
	} else {
		e = halve(l, s->first_seq, end_seq, at_ms - s->back_ms, TOLD_YES, &out->low, err);
		if (e == RP_OK)
			e = halve(l, s->first_seq, end_seq, at_ms + s->back_ms, TOLD_NO, &out->high,
				  err);
	}
	return e;
}

static enum rp_err mark(struct rp_txn *t, struct rp_tree_rows *l, int64_t at_ms,
			struct rp_mark *out, struct rp_error *err)
{
	const struct rp_time_index *s = &t->head.times;
	enum rp_err e = RP_OK;
	unsigned i;

	out->n = s->n;
	for (i = 0; i < s->n && e == RP_OK; i++)
		e = find(l, &s->all[i], i + 1 < s->n ? s->all[i + 1].first_seq : t->head.next_seq,
			 at_ms, &out->part[i], err);
	return e;
}

enum rp_err rp_marks_find(struct rp_txn *t, const int64_t *at_ms, size_t n, struct rp_mark *out,
			  struct rp_error *err)
{
	struct rp_tree_rows l;
	enum rp_err e = rp_tree_rows_begin(&l, t, RP_T_ENTRY, err);
	size_t i;

	for (i = 0; i < n && e == RP_OK; i++)
		e = mark(t, &l, at_ms[i], &out[i], err);
	rp_tree_rows_end(&l);
	return e;
}

enum rp_side rp_mark_side(const struct rp_mark *m, uint64_t seq)
{
	unsigned i;

	for (i = 0; i < m->n; i++)
		if (seq < m->part[i].end_seq)
			return seq < m->part[i].low     ? RP_SIDE_EARLIER
			       : seq >= m->part[i].high ? RP_SIDE_LATER
							: RP_SIDE_EITHER;
	return RP_SIDE_EITHER; /* it came after the question */
}
