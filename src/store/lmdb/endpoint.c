/* endpoint.c - keeps endpoints, their counters and their places in the ready queues. It holds those
 * that a transaction touched in memory and writes each once, before the commit. */

#include "store/lmdb/endpoint.h"

#include <string.h>

#include "base/assert.h"
#include "base/log.h"
#include "store/lmdb/handle.h"
#include "store/lmdb/row.h"
#include "store/lmdb/txn.h"

/* Loads the record of one that was not met yet. *had_row: it has one; *found: that is sound. */
static enum rp_err load(struct rp_txn *t, struct rp_ep *ep, bool *had_row, bool *found,
			struct rp_error *err)
{
	MDB_val v;
	enum rp_err e = rp_row_get(t, RP_T_ENDPOINT, rp_key1(ep->id), &v, err);

	*had_row = e == RP_OK;
	*found = *had_row && rp_endpoint_unpack(&ep->rec, ep->id, v.mv_data, v.mv_size);
	if (*found) {
		ep->row_queue = rp_schedule_queue(&ep->rec, ep->id);
		ep->row_at_ms = ep->rec.ready_at_ms;
		ep->row_due_at_ms = ep->rec.first_due_at_ms;
	} else {
		ep->rec.level = rp_level_of(ep->id);
		ep->rec.ready_at_ms = ep->rec.first_due_at_ms = RP_NEVER;
	}
	return e == RP_ERR_NOTFOUND ? RP_OK : e;
}

/* A section without a name is one that no other path finds. Where its record is still there it lets
 * go of what it counts for this path, or that would be in flight for ever. */
static enum rp_err leave_nameless(struct rp_txn *t, struct rp_ep *path, struct rp_error *err)
{
	const uint64_t section = path->rec.section;
	const struct rp_ep *met = rp_ep_met(t->ob, section);
	enum rp_err e = RP_OK;
	MDB_val v;

	if (met == NULL)
		e = rp_row_get(t, RP_T_ENDPOINT, rp_key1(section), &v, err);
	else if (met->removed)
		e = RP_ERR_NOTFOUND;
	if (e == RP_OK)
		e = rp_ep_get(t, section, &path->section, err);
	if (e == RP_OK)
		rp_ep_leave_section(t, path);
	if (e != RP_ERR_NOTFOUND)
		return e;
	path->rec.section = 0;
	rp_ep_changed(t, path);
	return RP_OK;
}

static enum rp_err get_levels(struct rp_txn *t, struct rp_ep *ep, struct rp_error *err)
{
	struct rp_span name;
	enum rp_err e = rp_ep_get(t, rp_level_host(ep->id), &ep->host, err);

	if (e != RP_OK || ep->rec.section == 0)
		return e;
	if (!rp_level_is_section_of(ep->rec.section, ep->host->id)) {
		ep->rec.section = 0;
		rp_ep_changed(t, ep);
		return RP_OK;
	}
	e = rp_ep_name(t, ep->rec.section, &name, err);
	if (e == RP_OK)
		return rp_ep_get(t, ep->rec.section, &ep->section, err);
	return e == RP_ERR_NOTFOUND ? leave_nameless(t, ep, err) : e;
}

/* Loads the sections that have a record. */
static enum rp_err meet_sections(struct rp_txn *t, const struct rp_ep *host, struct rp_error *err)
{
	uint64_t id = host->id + RP_MEMBER_SECTIONS;
	struct rp_ep *section;
	enum rp_err e;

	while ((e = rp_row_from(t, RP_T_ENDPOINT, &id, 1, 0, NULL, err)) == RP_OK &&
	       rp_level_is_section_of(id, host->id)) {
		e = rp_ep_get(t, id++, &section, err);
		if (e != RP_OK)
			return e;
	}
	return e == RP_ERR_NOTFOUND ? RP_OK : e;
}

enum rp_err rp_ep_recount(struct rp_txn *t, struct rp_ep *host, struct rp_error *err)
{
	enum rp_err e;
	size_t i;

	host->counting = true;
	e = meet_sections(t, host, err);
	host->counting = false;
	host->counted = true;
	if (e != RP_OK)
		return e;
	host->rec.members = 0;
	rp_ep_changed(t, host);
	for (i = 0; i < t->ob->n_eps; i++) {
		struct rp_ep *met = t->ob->eps[i];

		if (!rp_level_is_section_of(met->id, host->id) || met->removed)
			continue;
		memset(met->rec.count, 0, sizeof met->rec.count);
		memset(met->rec.lacking, 0, sizeof met->rec.lacking);
		met->rec.members = 0;
		rp_ep_changed(t, met);
	}
	return rp_ep_count_members(t, host, err);
}

/* A path that was rebuilt was in one of its host's sections, and nobody knows in which; nor whether
 * its host counts one whose record was lost. */
static enum rp_err count_for_host(struct rp_txn *t, struct rp_ep *ep, bool had_row,
				  struct rp_error *err)
{
	struct rp_ep *host = ep->rec.level == RP_LEVEL_HOST ? ep : ep->host;

	if (host->counting)
		return RP_OK; /* it is counted together with the others */
	if (ep->rec.level != RP_LEVEL_PATH || !host->counted)
		return rp_ep_recount(t, host, err);
	/* The walk has seen a damaged record as one in no section. */
	host->rec.members += !had_row && !ep->counted;
	return RP_OK;
}

static enum rp_err rebuild(struct rp_txn *t, struct rp_ep *ep, bool had_row, struct rp_error *err)
{
	enum rp_err e = rp_ep_rebuild(t, ep, err);

	return e == RP_OK ? count_for_host(t, ep, had_row, err) : e;
}

enum rp_err rp_ep_get(struct rp_txn *t, uint64_t id, struct rp_ep **out, struct rp_error *err)
{
	struct rp_ep *ep = rp_ep_met(t->ob, id);
	bool found = false, had_row = false;
	enum rp_err e;

	*out = ep;
	if (ep != NULL)
		return RP_OK;
	ep = *out = rp_ep_add(t->ob, id);
	if (ep == NULL)
		return rp_fail(err, RP_ERR_NOMEM, "out of memory");
	e = load(t, ep, &had_row, &found, err);
	if (e == RP_OK && ep->rec.level != RP_LEVEL_HOST)
		e = get_levels(t, ep, err);
	if (e == RP_OK && !found)
		e = rebuild(t, ep, had_row, err);
	ep->was_in_use = rp_endpoint_in_use(&ep->rec);
	return e;
}

/* --- writing ---------------------------------------------------------------------------------- */

/* The first time in its own queue: of a path its entries, of others what is in them; RP_NEVER:
 * there is none. */
static enum rp_err first_in(struct rp_txn *t, const struct rp_ep *ep, int64_t *at_ms,
			    struct rp_error *err)
{
	enum rp_table table = ep->rec.level == RP_LEVEL_PATH ? RP_T_QUEUE : RP_T_READY;
	uint64_t key[3];
	enum rp_err e = rp_row_first(t, table, rp_key3(ep->id, 0, 0), key, 3, NULL, err);

	*at_ms = e == RP_OK && key[0] == ep->id ? (int64_t)key[1] : RP_NEVER;
	return e == RP_ERR_NOTFOUND ? RP_OK : e;
}

struct place {
	uint64_t queue;
	int64_t at_ms; /* RP_NEVER: none */
};

static enum rp_err move_row(struct rp_txn *t, uint64_t id, struct place from, struct place to,
			    struct rp_error *err)
{
	enum rp_err e = RP_OK;

	if (from.at_ms != RP_NEVER)
		e = rp_row_del(t, RP_T_READY, rp_key3(from.queue, (uint64_t)from.at_ms, id), err);
	if ((e == RP_OK || e == RP_ERR_NOTFOUND) && to.at_ms != RP_NEVER)
		e = rp_row_put(t, RP_T_READY, rp_key3(to.queue, (uint64_t)to.at_ms, id), "", 0, 0,
			       err);
	return e == RP_ERR_NOTFOUND ? RP_OK : e;
}

/* Of a path: its row among all paths by when they are due. */
static enum rp_err move_due_row(struct rp_txn *t, struct rp_ep *ep, struct rp_error *err)
{
	struct place from = {RP_QUEUE_DUE, ep->row_due_at_ms}, to = {RP_QUEUE_DUE, RP_NEVER};
	enum rp_err e = RP_OK;

	if (ep->rec.count[RP_STATE_WAITING] > 0)
		e = first_in(t, ep, &to.at_ms, err);
	if (e == RP_OK && to.at_ms != from.at_ms)
		e = move_row(t, ep->id, from, to, err);
	ep->rec.first_due_at_ms = ep->row_due_at_ms = to.at_ms;
	return e;
}

/* Its place in a ready queue, now that it has changed. What it stands in may move with it. */
static enum rp_err move_ready_row(struct rp_txn *t, struct rp_ep *ep, struct rp_error *err)
{
	struct rp_ep *in = ep->section != NULL ? ep->section : ep->host;
	struct place from = {ep->row_queue, ep->row_at_ms}, to;
	int64_t first_at_ms = ep->rec.first_due_at_ms;
	enum rp_err e = RP_OK;

	if (ep->rec.level != RP_LEVEL_PATH && rp_schedule_asks_first_due(&ep->rec))
		e = first_in(t, ep, &first_at_ms, err);
	ep->rec.ready_at_ms = rp_schedule_ready_at_ms(&ep->rec, first_at_ms, t->now_at_ms);
	if (ep->rec.level == RP_LEVEL_HOST)
		ep->rec.in_proven = rp_schedule_is_proven(&ep->rec, t->now_at_ms);
	to = (struct place){rp_schedule_queue(&ep->rec, ep->id), ep->rec.ready_at_ms};
	if (e == RP_OK && (to.queue != from.queue || to.at_ms != from.at_ms)) {
		e = move_row(t, ep->id, from, to, err);
		if (in != NULL)
			in->dirty = true;
	}
	ep->row_queue = to.queue;
	ep->row_at_ms = to.at_ms;
	return e;
}

static enum rp_err remove_endpoint(struct rp_txn *t, struct rp_ep *ep, struct rp_error *err)
{
	enum rp_err e = rp_ep_remove_names(t, ep->id, err);

	if (ep->section != NULL)
		rp_ep_leave_section(t, ep);
	if (ep->host != NULL)
		ep->host->rec.members -= ep->host->rec.members > 0;
	rp_ep_changed(t, ep);
	ep->dirty = false;
	ep->removed = true;
	if (e == RP_OK)
		e = rp_row_del(t, RP_T_ENDPOINT, rp_key1(ep->id), err);
	return e == RP_ERR_NOTFOUND ? RP_OK : e;
}

static enum rp_err flush_one(struct rp_txn *t, struct rp_ep *ep, struct rp_error *err)
{
	unsigned char buf[RP_ENDPOINT_BYTES];
	enum rp_err e;
	size_t n;

	rp_schedule_fix_clock(&ep->rec, t->now_at_ms);
	e = move_ready_row(t, ep, err);
	if (e != RP_OK)
		return e;
	if (rp_schedule_is_over(&ep->rec, t->now_at_ms))
		return remove_endpoint(t, ep, err);
	ep->dirty = ep->rebuilt = false;
	n = rp_endpoint_pack(&ep->rec, ep->id, buf, sizeof buf);
	assert(n > 0);
	return rp_row_put(t, RP_T_ENDPOINT, rp_key1(ep->id), buf, n, 0, err);
}

static bool is_to_write(const struct rp_ep *ep, enum rp_level level)
{
	return ep->dirty && !ep->removed && ep->rec.level == level;
}

/* From the paths up: what stands in a queue decides when its owner is looked at. The due rows come
 * first, by themselves, so that the rows of each queue are written side by side. */
enum rp_err rp_ep_flush(struct rp_txn *t, struct rp_error *err)
{
	struct rp_lmdb *ob = t->ob;
	enum rp_err e = RP_OK;
	int level;
	size_t i;

	for (i = 0; i < ob->n_eps && e == RP_OK; i++)
		if (is_to_write(ob->eps[i], RP_LEVEL_PATH))
			e = move_due_row(t, ob->eps[i], err);
	for (level = RP_LEVEL_PATH; level <= RP_LEVEL_HOST; level++)
		for (i = 0; i < ob->n_eps && e == RP_OK; i++)
			if (is_to_write(ob->eps[i], (enum rp_level)level))
				e = flush_one(t, ob->eps[i], err);
	return e;
}
