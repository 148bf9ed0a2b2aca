/* viewer.c - looks at the facts of one entry after the other, for lists. It reads page by page,
 * and asks for a name once for many entries of one endpoint. */

#include "store/lmdb/viewer.h"

#include <string.h>

#include "store/lmdb/endpoint.h"
#include "store/lmdb/handle.h"
#include "store/lmdb/tree/rows.h"
#include "store/lmdb/txn.h"

static enum rp_err read_facts(struct rp_viewer *v, uint64_t seq, struct rp_facts *f,
			      struct rp_error *err)
{
	enum rp_err e = RP_OK;
	MDB_val row;

	memset(f, 0, sizeof *f);
	if (!v->open)
		e = rp_tree_rows_begin(&v->entries, &v->t->ob->db, v->t->mdb, RP_T_ENTRY, err);
	v->open = true;
	if (e == RP_OK)
		e = rp_tree_rows_get(&v->entries, rp_key1(seq), &row, err);
	if (e != RP_OK)
		return e;
	return rp_facts_unpack(f, seq, row.mv_data, row.mv_size) ? RP_OK : RP_ERR_NOTFOUND;
}

enum rp_err rp_viewer_look(struct rp_viewer *v, uint64_t seq, struct rp_entry *out,
			   struct rp_error *err)
{
	enum rp_err e = read_facts(v, seq, &out->facts, err);

	out->seq = seq;
	if (e == RP_ERR_NOTFOUND) { /* or damaged */
		out->damaged = true;
		rp_id_make(seq & RP_SEQ_MAX, (const unsigned char[10]){0},
			   out->facts.id); /* a damaged key may say anything */
		out->facts.endpoint = out->delivery.endpoint;
	} else if (e != RP_OK) {
		return e;
	}
	e = RP_OK;
	if (v->name.ptr == NULL || v->endpoint != out->facts.endpoint)
		e = rp_ep_name(v->t, out->facts.endpoint, &v->name, err);
	v->endpoint = out->facts.endpoint;
	out->endpoint = v->name;
	return e == RP_ERR_NOTFOUND ? RP_OK : e;
}

void rp_viewer_end(struct rp_viewer *v)
{
	if (v->open)
		rp_tree_rows_end(&v->entries);
	v->open = false;
}
