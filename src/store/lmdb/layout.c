/* layout.c - tells an outbox of another layout from a damaged one. The two ask for different
 * remedies, so this is checked when the outbox is opened. */

#include "store/lmdb/store_int.h"

#include <inttypes.h>

static enum rp_err read_layout(struct rp_lmdb *ob, MDB_txn *txn, uint64_t *layout,
			       struct rp_error *err)
{
	MDB_val key = {6, (void *)(uintptr_t) "layout"}, value;

	*layout = RP_LAYOUT;
	if (mdb_get(txn, ob->table[RP_T_META], &key, &value) == 0) {
		if (rp_numbers_unpack(layout, 1, value.mv_data, value.mv_size))
			return RP_OK;
		return rp_fail(err, RP_ERR_DAMAGED,
			       "%s: the record of its layout is damaged; restore a backup",
			       ob->dir);
	}
	key = (MDB_val){4, (void *)(uintptr_t) "head"}; /* from before there were numbers */
	if (mdb_get(txn, ob->table[RP_T_META], &key, &value) == 0)
		*layout = rp_head_layout(value.mv_data, value.mv_size);
	return RP_OK;
}

enum rp_err rp_layout_check(struct rp_lmdb *ob, MDB_txn *txn, struct rp_error *err)
{
	uint64_t layout;
	enum rp_err e = read_layout(ob, txn, &layout, err);

	if (e != RP_OK || layout == RP_LAYOUT)
		return e;
	if (layout > RP_LAYOUT)
		return rp_fail(err, RP_ERR_FORMAT,
			       "%s: was written by a newer runpost (layout %" PRIu64
			       ", this program knows %d); use that one",
			       ob->dir, layout, RP_LAYOUT);
	return rp_fail(err, RP_ERR_FORMAT,
		       "%s: was written by an older runpost (layout %" PRIu64
		       ", this program knows %d); it is not damaged: let that version deliver what "
		       "it holds, or "
		       "export it with that version and import it into a new outbox with this one",
		       ob->dir, layout, RP_LAYOUT);
}
