/* endpoint_rebuild.c - counts an endpoint anew whose record is damaged. It is rare, so it may look
 * at everything. */

#include "store/lmdb/endpoint.h"

#include <inttypes.h>
#include <string.h>

#include "base/log.h"
#include "store/lmdb/handle.h"
#include "store/lmdb/reconstruct.h"
#include "store/lmdb/row.h"
#include "store/lmdb/txn.h"

/* The rows it may have left are found by looking: the record no longer knows its key. */
static enum rp_err drop_ready_rows(struct rp_txn *t, uint64_t id, struct rp_error *err)
{
	uint64_t key[3] = {0, 0, 0};
	enum rp_err e;

	while ((e = rp_row_from(t, RP_T_READY, key, 3, 0, NULL, err)) == RP_OK) {
		if (key[2] == id) {
			e = rp_row_del(t, RP_T_READY, rp_key3(key[0], key[1], key[2]), err);
			if (e != RP_OK)
				return e;
		}
		key[2]++;
	}
	return e == RP_ERR_NOTFOUND ? RP_OK : e;
}

/* Of a path or a host, from every delivery. */
static enum rp_err count_entries(struct rp_txn *t, struct rp_ep *ep, struct rp_error *err)
{
	uint64_t seq = 0;
	enum rp_err e;
	MDB_val v;

	while ((e = rp_row_from(t, RP_T_DELIVERY, &seq, 1, 0, &v, err)) == RP_OK) {
		struct rp_ledger_change change;
		struct rp_delivery d;

		/* A damaged one counts as what it will be taken for when its turn comes. */
		if (!rp_delivery_unpack(&d, seq, v.mv_data, v.mv_size)) {
			e = rp_entry_reconstruct(t, seq, &d, err);
			if (e != RP_OK)
				return e;
		}
		change = rp_ledger_change_of(NULL, &d);
		if (d.endpoint == ep->id ||
		    (ep->rec.level == RP_LEVEL_HOST && rp_level_host(d.endpoint) == ep->id))
			rp_ledger_count_endpoint(&ep->rec, &change);
		seq++;
	}
	return e == RP_ERR_NOTFOUND ? RP_OK : e;
}

/* --- what is in a host ------------------------------------------------------------------------ */

static void count_member(struct rp_txn *t, struct rp_ep *host, uint64_t id,
			 const struct rp_endpoint *member)
{
	const uint64_t n = rp_level_member(id);
	struct rp_ep *section;

	host->rec.members++;
	if (rp_level_of(id) != RP_LEVEL_PATH)
		return;
	if (n - RP_MEMBER_PATHS >= host->rec.n_paths)
		host->rec.n_paths = n - RP_MEMBER_PATHS + 1;
	if (!rp_level_is_section_of(member->section, host->id))
		return;
	section = rp_ep_met(t->ob, member->section);
	if (section != NULL && !section->removed)
		rp_receiver_enter(&section->rec, member);
}

/* All of them as they are now: what this transaction has changed is not written yet. */
enum rp_err rp_ep_count_members(struct rp_txn *t, struct rp_ep *host, struct rp_error *err)
{
	uint64_t id = host->id + 1;
	struct rp_endpoint rec;
	enum rp_err e;
	MDB_val v;
	size_t i;

	for (; (e = rp_row_from(t, RP_T_ENDPOINT, &id, 1, 0, &v, err)) == RP_OK &&
	       rp_level_host(id) == host->id;
	     id++)
		/* A damaged one shows as zeroes: it is in no section any more. */
		if (rp_ep_met(t->ob, id) == NULL) {
			rp_endpoint_unpack(&rec, id, v.mv_data, v.mv_size);
			count_member(t, host, id, &rec);
		}
	for (i = 0; i < t->ob->n_eps; i++) {
		struct rp_ep *met = t->ob->eps[i];

		if (rp_level_host(met->id) != host->id || met == host || met->removed)
			continue;
		met->counted = true;
		count_member(t, host, met->id, &met->rec);
	}
	return e == RP_ERR_NOTFOUND ? RP_OK : e;
}

enum rp_err rp_ep_rebuild(struct rp_txn *t, struct rp_ep *ep, struct rp_error *err)
{
	enum rp_err e;

	rp_log(RP_LOG_WARN, "endpoint_rebuilt", "endpoint=%" PRIu64 " reason=checksum", ep->id);
	rp_ep_changed(t, ep);
	ep->rebuilt = true;
	e = drop_ready_rows(t, ep->id, err);
	return e == RP_OK && ep->rec.level != RP_LEVEL_SECTION ? count_entries(t, ep, err) : e;
}
