/* verify_totals.c - the totals of a check: sums over all rows, held against the counters and the
 * numbers of rows that the outbox keeps. */

#include "store/lmdb/verify_int.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/sys.h"
#include "model/ledger.h"
#include "store/lmdb/counters.h"
#include "store/lmdb/db/db.h"
#include "store/lmdb/db/tables.h"
#include "store/lmdb/handle.h"
#include "store/lmdb/row.h"
#include "store/lmdb/tree/page.h"
#include "store/lmdb/txn.h"

/* Why nothing is missed in one snapshot: each entry is checked to have its facts, its whole
 * payload, its one index row, its order row and its dedupe row; then, because every such row
 * belongs to exactly one entry, equal totals mean that no table holds a row too many. A slice
 * cannot count what others hold, so it compares each such row with its entry (verify.c),
 * and here only what one snapshot tells of itself. */

/* From the list of tables: mdb_stat looks at the root, which nobody has checked yet, and LMDB ends
 * the process where that is page 0. */
uint64_t rp_check_rows(struct rp_check *c, enum rp_table table)
{
	MDB_val row;

	if (rp_db_table_row(&c->t->ob->db, c->t->mdb, table, &row) != 0)
		return 0;
	return rp_page_tree(row.mv_data).entries;
}

static void check_total(struct rp_check *c, const char *what, uint64_t stored, uint64_t counted)
{
	if (stored != counted)
		rp_check_complain(c, "%s: %" PRIu64 " stored, %" PRIu64 " counted", what, stored,
				  counted);
}

static void check_rows(struct rp_check *c, enum rp_table table, uint64_t counted)
{
	char what[40];

	snprintf(what, sizeof what, "table %s", rp_table_name(table));
	check_total(c, what, rp_check_rows(c, table), counted);
}

static void check_states(struct rp_check *c, const char *whose, const uint64_t *stored,
			 const uint64_t *counted)
{
	char what[60];
	int s;

	for (s = RP_STATE_WAITING; s <= RP_STATE_DEAD; s++) {
		snprintf(what, sizeof what, "%s: %s", whose, rp_state_name((enum rp_state)s));
		check_total(c, what, stored[s], counted[s]);
	}
}

static void check_lacking(struct rp_check *c, const char *whose, const struct rp_recount *r)
{
	char what[80];
	int l;

	for (l = 0; l < RP_LEVELS; l++) {
		snprintf(what, sizeof what, "%s: claimed ahead of a place of its %s", whose,
			 rp_level_name((enum rp_level)l));
		check_total(c, what, r->stored_lacking[l], r->lacking[l]);
	}
}

static void copy_lacking(uint64_t out[RP_LEVELS], const struct rp_endpoint *r)
{
	int l;

	for (l = 0; l < RP_LEVELS; l++)
		out[l] = r->lacking[l];
}

/* --- the recount of one snapshot ---------------------------------------------------------- */

static int by_id(const void *a, const void *b)
{
	const struct rp_recount *x = a, *y = b;

	return x->id < y->id ? -1 : x->id > y->id;
}

static struct rp_recount *find_endpoint(struct rp_check *c, uint64_t id)
{
	struct rp_recount key = {.id = id};

	return c->n_endpoints == 0 ? NULL
				   : bsearch(&key, c->endpoints, c->n_endpoints, sizeof key, by_id);
}

enum rp_err rp_check_recount_begin(struct rp_check *c, struct rp_error *err)
{
	uint64_t id = 0;
	enum rp_err e;

	c->endpoints = calloc(rp_check_rows(c, RP_T_ENDPOINT) + 1, sizeof c->endpoints[0]);
	if (c->endpoints == NULL)
		return rp_fail(err, RP_ERR_NOMEM, "out of memory");
	while ((e = rp_row_from(c->t, RP_T_ENDPOINT, &id, 1, 0, NULL, err)) == RP_OK &&
	       c->n_endpoints < rp_check_rows(c, RP_T_ENDPOINT))
		c->endpoints[c->n_endpoints++].id = id++;
	return e == RP_ERR_NOTFOUND ? RP_OK : e;
}

void rp_check_recount(struct rp_check *c, const struct rp_delivery *d)
{
	struct rp_recount *ep = find_endpoint(c, d->endpoint);
	int l;

	c->count[d->state]++;
	c->retrying += rp_ledger_is_retrying(d);
	if (ep == NULL)
		return;
	ep->count[d->state]++;
	for (l = 0; l < RP_LEVELS; l++)
		ep->lacking[l] += d->state == RP_STATE_IN_FLIGHT && (d->lacks & RP_LACKS(l)) != 0;
}

static uint64_t rows_in_queues(const struct rp_endpoint *r)
{
	return (r->ready_at_ms != RP_NEVER) + (r->first_due_at_ms != RP_NEVER);
}

/* A section counts for its host through its paths. */
static void add_to_group(struct rp_check *c, uint64_t id, const struct rp_recount *member)
{
	struct rp_recount *group = id != 0 ? find_endpoint(c, id) : NULL;
	int s;

	if (group == NULL)
		return;
	group->members++;
	for (s = RP_STATE_WAITING; s <= RP_STATE_DEAD && rp_level_of(member->id) == RP_LEVEL_PATH;
	     s++)
		group->count[s] += member->count[s];
	for (s = 0; s < RP_LEVELS && rp_level_of(member->id) == RP_LEVEL_PATH; s++)
		group->lacking[s] += member->lacking[s];
}

void rp_check_recounted(struct rp_check *c, uint64_t id, const struct rp_endpoint *r)
{
	struct rp_recount *seen = find_endpoint(c, id);
	char whose[40];

	c->on_ready_queue += rows_in_queues(r);
	if (seen == NULL)
		return;
	if (r->level == RP_LEVEL_PATH) {
		snprintf(whose, sizeof whose, "endpoint %" PRIu64, id);
		copy_lacking(seen->stored_lacking, r);
		check_states(c, whose, r->count, seen->count);
		check_lacking(c, whose, seen);
		add_to_group(c, r->section, seen);
	} else {
		memcpy(seen->stored, r->count, sizeof seen->stored);
		copy_lacking(seen->stored_lacking, r);
		seen->stored_members = r->members;
		seen->has_record = true;
	}
	if (r->level != RP_LEVEL_HOST)
		add_to_group(c, rp_level_host(id), seen);
}

static void check_groups(struct rp_check *c)
{
	char what[60];
	size_t i;

	for (i = 0; i < c->n_endpoints; i++) {
		const struct rp_recount *r = &c->endpoints[i];

		if (!r->has_record)
			continue;
		snprintf(what, sizeof what, "%s %" PRIu64, rp_level_name(rp_level_of(r->id)),
			 r->id);
		check_states(c, what, r->stored, r->count);
		check_lacking(c, what, r);
		snprintf(what, sizeof what, "%s %" PRIu64 ": members",
			 rp_level_name(rp_level_of(r->id)), r->id);
		check_total(c, what, r->stored_members, r->members);
	}
}

static void check_recount(struct rp_check *c)
{
	const struct rp_head *h = &c->t->head;

	check_states(c, "ledger", h->count, c->count);
	check_total(c, "ledger: retrying", h->retrying, c->retrying);
	check_rows(c, RP_T_BODY, c->chunks);
	check_rows(c, RP_T_ALIAS, c->aliased);
	check_rows(c, RP_T_QUEUE, c->queued);
	check_rows(c, RP_T_ORDER, c->ordered);
	check_rows(c, RP_T_RUN, c->by_run);
	check_rows(c, RP_T_JOB_ENTRY, c->planned);
	check_rows(c, RP_T_READY, c->on_ready_queue);
	check_rows(c, RP_T_ENDPOINT_ID, c->n_endpoints);
	check_groups(c);
}

/* --- what a slice can sum up -------------------------------------------------------------- */

/* What the endpoints say against the ledger: equal sums, and as many names and ready queue rows as
 * there should be. Not when there are too many for a slice. */
static enum rp_err sum_endpoints(struct rp_check *c, struct rp_error *err)
{
	int64_t until_us = rp_sys_stopwatch_us() + RP_VERIFY_SLICE_US;
	uint64_t id = 0, n = 0, on_ready_queue = 0, count[RP_STATE_COUNT] = {0};
	struct rp_endpoint r;
	uint64_t of_hosts[RP_STATE_COUNT] = {0};
	bool damaged = false;
	enum rp_err e;
	MDB_val v;
	int s;

	for (; (e = rp_row_from(c->t, RP_T_ENDPOINT, &id, 1, 0, &v, err)) == RP_OK; id++) {
		if (++n % 256 == 0 && rp_sys_stopwatch_us() >= until_us)
			return RP_OK;
		if (!rp_endpoint_unpack(&r, id, v.mv_data, v.mv_size)) {
			damaged = true; /* its own check has said so */
			continue;
		}
		on_ready_queue += rows_in_queues(&r);
		for (s = RP_STATE_WAITING; s <= RP_STATE_DEAD; s++) {
			count[s] += r.level == RP_LEVEL_PATH ? r.count[s] : 0;
			of_hosts[s] += r.level == RP_LEVEL_HOST ? r.count[s] : 0;
		}
	}
	if (e != RP_ERR_NOTFOUND)
		return e;
	check_rows(c, RP_T_ENDPOINT_ID, n);
	if (damaged)
		return RP_OK;
	check_rows(c, RP_T_READY, on_ready_queue);
	check_states(c, "endpoints together", count, c->t->head.count);
	check_states(c, "hosts together", of_hosts, c->t->head.count);
	return RP_OK;
}

/* --- all of it ---------------------------------------------------------------------------- */

static enum rp_err check_tally(struct rp_check *c, struct rp_error *err)
{
	enum rp_err e = rp_counters_verify(c->t, err);

	if (e != RP_ERR_DAMAGED)
		return e;
	rp_check_complain(c, "a record of counters for metrics is damaged");
	return RP_OK;
}

enum rp_err rp_check_totals(struct rp_check *c, struct rp_error *err)
{
	const struct rp_head *h = &c->t->head;
	const uint64_t *count = c->whole ? c->count : h->count;
	uint64_t entries = c->whole ? c->out->entries : rp_check_rows(c, RP_T_DELIVERY), sum = 0;
	enum rp_err e;
	int i;

	for (i = RP_STATE_WAITING; i <= RP_STATE_DEAD; i++)
		sum += h->count[i];
	check_total(c, "ledger: accepted against the sum of the states and purged", h->accepted,
		    sum + h->purged);
	check_rows(c, RP_T_ENTRY, entries);
	check_rows(c, RP_T_SEEN, entries);
	check_rows(c, RP_T_HELD, count[RP_STATE_HELD]);
	check_rows(c, RP_T_CLAIM, count[RP_STATE_IN_FLIGHT]);
	check_rows(c, RP_T_DONE, count[RP_STATE_DELIVERED]);
	check_rows(c, RP_T_DEAD, count[RP_STATE_DEAD]);
	for (i = 0; i < RP_T_COUNT; i++)
		c->out->rows += rp_check_rows(c, (enum rp_table)i);
	if (c->whole)
		check_recount(c);
	else
		check_total(c, "ledger: the sum of the states", sum, entries);
	e = check_tally(c, err);
	return e == RP_OK && !c->whole ? sum_endpoints(c, err) : e;
}

void rp_check_end(struct rp_check *c)
{
	free(c->endpoints);
	rp_buf_release(&c->payload);
}
