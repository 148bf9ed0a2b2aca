/* verify_rows.c - checks one row against all that must belong to it. Both modes of verify.c use it;
 * they differ only in which rows they see in one snapshot. */

#include "store/lmdb/verify_int.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "model/schedule.h"
#include "model/sequence.h"
#include "store/lmdb/body.h"
#include "store/lmdb/endpoint.h"
#include "store/lmdb/entry_rows.h"
#include "store/lmdb/handle.h"
#include "store/lmdb/index.h"
#include "store/lmdb/order.h"
#include "store/lmdb/row.h"
#include "store/lmdb/txn.h"

void rp_check_complain(struct rp_check *c, const char *fmt, ...)
{
	char text[400];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	c->out->problems++;
	c->problem(c->arg, text);
}

bool rp_check_is_trouble(enum rp_err e)
{
	return e != RP_OK && e != RP_ERR_NOTFOUND && e != RP_ERR_DAMAGED;
}

bool rp_check_has_row(struct rp_check *c, enum rp_table table, struct rp_key key)
{
	MDB_val v;

	return rp_row_get(c->t, table, key, &v, NULL) == RP_OK;
}

static void check_index_row(struct rp_check *c, uint64_t seq, const struct rp_delivery *d)
{
	unsigned char why[RP_WHY_BYTES];
	enum rp_table table;
	struct rp_key key;
	MDB_val v;

	if (d->state == RP_STATE_IN_FLIGHT && !rp_check_has_row(c, RP_T_SENDER, rp_key1(d->slot)))
		rp_check_complain(c,
				  "entry %" PRIu64
				  ": is claimed by sender slot %u, which nobody has registered",
				  seq, d->slot);
	if (!rp_index_row(seq, d, &table, &key))
		return;
	c->queued += table == RP_T_QUEUE;
	if (rp_row_get(c->t, table, key, &v, NULL) != RP_OK) {
		rp_check_complain(c,
				  "entry %" PRIu64 ": is %s, but the index row for it is missing",
				  seq, rp_state_name(d->state));
		return;
	}
	rp_entry_put_why(d, why);
	if (table == RP_T_DEAD &&
	    (v.mv_size != sizeof why || memcmp(v.mv_data, why, sizeof why) != 0))
		rp_check_complain(
		    c,
		    "entry %" PRIu64
		    ": its row among the dead tells another cause than its delivery record",
		    seq);
}

static void check_order_row(struct rp_check *c, uint64_t seq, const struct rp_delivery *d)
{
	bool behind, held;
	MDB_val v;

	if (d->behind && !rp_sequence_may_be_behind(d))
		rp_check_complain(
		    c, "entry %" PRIu64 ": is behind, which an entry like it cannot be", seq);
	if (!rp_sequence_has_place(d))
		return;
	c->ordered++;
	if (rp_row_get(c->t, RP_T_ORDER, rp_key3(d->endpoint, d->order_key, seq), &v, NULL) !=
	    RP_OK) {
		rp_check_complain(
		    c, "entry %" PRIu64 ": has an order_by, but its order row is missing", seq);
		return;
	}
	rp_order_read_row(&v, &behind, &held);
	if (behind != d->behind || held != (d->state == RP_STATE_HELD))
		rp_check_complain(
		    c, "entry %" PRIu64 ": its order row contradicts its delivery record", seq);
}

static enum rp_err count_chunks(struct rp_check *c, uint64_t seq, struct rp_error *err)
{
	uint64_t key[2] = {seq, 0};
	enum rp_err e;

	for (; (e = rp_row_from(c->t, RP_T_BODY, key, 2, 1, NULL, err)) == RP_OK; key[1]++)
		c->chunks++;
	return e == RP_ERR_NOTFOUND ? RP_OK : e;
}

/* Whether the entry's id leads to it. */
static void check_id(struct rp_check *c, uint64_t seq, const unsigned char id[RP_ID_BYTES])
{
	uint64_t there;

	c->aliased += rp_id_seq(id) != seq;
	if (rp_entry_seq(c->t, id, &there, NULL) != RP_OK || there != seq)
		rp_check_complain(c, "entry %" PRIu64 ": its id does not lead to it", seq);
}

static enum rp_err check_facts(struct rp_check *c, uint64_t seq, const struct rp_delivery *d,
			       struct rp_error *err)
{
	struct rp_facts f;
	enum rp_err e = rp_entry_facts(c->t, seq, &f, err);
	unsigned char run_key[RP_RUN_KEY_MAX];
	MDB_val k, v;

	if (e != RP_OK) {
		if (!rp_check_is_trouble(e))
			rp_check_complain(c, "entry %" PRIu64 ": its record is %s", seq,
					  e == RP_ERR_NOTFOUND ? "missing" : "damaged");
		return rp_check_is_trouble(e) ? e : count_chunks(c, seq, err);
	}
	check_id(c, seq, f.id);
	if (!rp_time_index_holds(&c->t->head.times, &c->times, seq, f.accepted_at_ms))
		rp_check_complain(
		    c, "entry %" PRIu64 ": would not be found by the time it was accepted", seq);
	if (d->state != 0 && f.endpoint != d->endpoint)
		rp_check_complain(c, "entry %" PRIu64 ": its two records name different endpoints",
				  seq);
	if (d->state != 0 && rp_sequence_key(f.order_by) != d->order_key)
		rp_check_complain(c, "entry %" PRIu64 ": its two records name different orders",
				  seq);
	k = (MDB_val){f.dedupe_key.len, (void *)(uintptr_t)f.dedupe_key.ptr};
	if (mdb_get(c->t->mdb, c->t->ob->db.table[RP_T_SEEN], &k, &v) != 0 ||
	    v.mv_size != RP_ID_BYTES || memcmp(v.mv_data, f.id, RP_ID_BYTES) != 0)
		rp_check_complain(c, "entry %" PRIu64 ": its dedupe key does not lead back to it",
				  seq);
	k = (MDB_val){rp_entry_run_key(seq, f.run_id, f.dedupe_key, run_key), run_key};
	c->by_run += k.mv_size > 0;
	if (k.mv_size > 0 && mdb_get(c->t->mdb, c->t->ob->db.table[RP_T_RUN], &k, &v) != 0)
		rp_check_complain(c, "entry %" PRIu64 ": its run does not lead to it", seq);
	rp_buf_clear(&c->payload);
	e = rp_entry_payload(c->t, seq, &f, &c->payload, err);
	if (e == RP_ERR_DAMAGED)
		rp_check_complain(c, "entry %" PRIu64 ": its payload does not match its checksum",
				  seq);
	return rp_check_is_trouble(e) ? e : count_chunks(c, seq, err);
}

/* When the first entry of a path is due, as everybody can see who asks for the oldest. */
static void check_due_row(struct rp_check *c, uint64_t id, const struct rp_endpoint *r)
{
	uint64_t key[3];
	int64_t first_at_ms = RP_NEVER;

	if (r->level == RP_LEVEL_PATH &&
	    rp_row_first(c->t, RP_T_QUEUE, rp_key3(id, 0, 0), key, 3, NULL, NULL) == RP_OK &&
	    key[0] == id)
		first_at_ms = (int64_t)key[1];
	if (r->first_due_at_ms != first_at_ms)
		rp_check_complain(
		    c, "endpoint %" PRIu64 ": its first entry is due at another time than it says",
		    id);
	if (r->first_due_at_ms != RP_NEVER &&
	    !rp_check_has_row(c, RP_T_READY,
			      rp_key3(RP_QUEUE_DUE, (uint64_t)r->first_due_at_ms, id)))
		rp_check_complain(c, "endpoint %" PRIu64 ": its due row is missing", id);
}

/* An endpoint with work that stands nowhere in the ready queue would never be looked at: the worst
 * kind of damage. */
static void check_ready_queue(struct rp_check *c, uint64_t id, const struct rp_endpoint *r)
{
	uint64_t key[3];

	if (r->ready_at_ms != RP_NEVER &&
	    !rp_check_has_row(c, RP_T_READY,
			      rp_key3(rp_schedule_queue(r, id), (uint64_t)r->ready_at_ms, id)))
		rp_check_complain(c, "endpoint %" PRIu64 ": its agenda row is missing", id);
	check_due_row(c, id, r);
	if (rp_schedule_open_at_ms(r) == RP_NEVER && r->ready_at_ms != RP_NEVER)
		rp_check_complain(c,
				  "endpoint %" PRIu64
				  ": is on the agenda, though nothing may be claimed from it",
				  id);
	if (!rp_schedule_asks_first_due(r))
		return;
	if (rp_row_first(c->t, r->level == RP_LEVEL_PATH ? RP_T_QUEUE : RP_T_READY,
			 rp_key3(id, 0, 0), key, 3, NULL, NULL) != RP_OK ||
	    key[0] != id)
		return; /* all are behind one in flight or held; else the totals have said so */
	/* whatever the time was when its place was worked out */
	if (r->ready_at_ms > rp_schedule_ready_at_ms(r, (int64_t)key[1], RP_NEVER))
		rp_check_complain(
		    c, "endpoint %" PRIu64 ": has work that nobody would look at in time", id);
}

static void check_name(struct rp_check *c, uint64_t id)
{
	struct rp_span name;
	uint64_t back = 0;

	if (rp_ep_name(c->t, id, &name, NULL) != RP_OK)
		rp_check_complain(c, "endpoint %" PRIu64 ": its name is missing", id);
	else if (rp_ep_find(c->t, rp_level_of(id), name, &back, NULL) != RP_OK || back != id)
		rp_check_complain(c, "endpoint %" PRIu64 ": its name does not lead back to it", id);
}

/* What it counts for is there. */
static void check_levels(struct rp_check *c, uint64_t id, const struct rp_endpoint *r)
{
	if (r->level != RP_LEVEL_HOST &&
	    !rp_check_has_row(c, RP_T_ENDPOINT, rp_key1(rp_level_host(id))))
		rp_check_complain(c, "endpoint %" PRIu64 ": its host does not exist", id);
	if (r->section == 0)
		return;
	if (rp_level_of(r->section) != RP_LEVEL_SECTION ||
	    rp_level_host(r->section) != rp_level_host(id) ||
	    !rp_check_has_row(c, RP_T_ENDPOINT, rp_key1(r->section)))
		rp_check_complain(c, "endpoint %" PRIu64 ": its section does not exist", id);
}

/* Whether the log of recent attempts agrees with the entry, if that is still there. */
static enum rp_err check_noted(struct rp_check *c, const struct rp_recent *r, struct rp_error *err)
{
	struct rp_delivery d;
	enum rp_err e = rp_entry_delivery(c->t, r->seq, &d, err);

	if (e == RP_OK && r->attempt > d.attempts)
		rp_check_complain(c,
				  "entry %" PRIu64 ": attempt %" PRIu32
				  " is in the log, but it has had only %" PRIu32,
				  r->seq, r->attempt, d.attempts);
	return rp_check_is_trouble(e) ? e : RP_OK;
}

enum rp_err rp_check_entry(struct rp_check *c, uint64_t seq, const MDB_val *v,
			   struct rp_delivery *d, struct rp_error *err)
{
	c->out->entries++;
	if (!rp_delivery_unpack(d, seq, v->mv_data, v->mv_size)) {
		memset(d, 0, sizeof *d);
		rp_check_complain(c, "entry %" PRIu64 ": its delivery record is damaged", seq);
	} else {
		if (!rp_check_has_row(c, RP_T_ENDPOINT, rp_key1(d->endpoint)))
			rp_check_complain(
			    c, "entry %" PRIu64 ": its endpoint %" PRIu64 " does not exist", seq,
			    d->endpoint);
		check_index_row(c, seq, d);
		check_order_row(c, seq, d);
	}
	return check_facts(c, seq, d, err);
}

void rp_check_end_order(struct rp_check *c, const struct rp_order_check *o)
{
	if (o->first_seq == 0)
		return;
	if (o->fronts != 1)
		rp_check_complain(c,
				  "order of entry %" PRIu64 ": %" PRIu64
				  " entries stand in front instead of one",
				  o->first_seq, o->fronts);
	else if (!o->first_is_front && o->in_flight == 0)
		rp_check_complain(c, "order of entry %" PRIu64 ": a later entry stands in front",
				  o->first_seq);
}

enum rp_err rp_check_order(struct rp_check *c, struct rp_order_check *o, const uint64_t key[3],
			   const MDB_val *v, struct rp_error *err)
{
	struct rp_delivery d;
	bool behind, held;
	enum rp_err e;

	rp_order_read_row(v, &behind, &held);
	if (o->first_seq == 0 || key[0] != o->endpoint || key[1] != o->key) {
		rp_check_end_order(c, o);
		*o = (struct rp_order_check){.endpoint = key[0], .key = key[1]};
	}
	e = rp_entry_delivery(c->t, key[2], &d, err);
	if (rp_check_is_trouble(e))
		return e;
	if (e == RP_ERR_NOTFOUND || (e == RP_OK && !rp_sequence_is_member(&d, key[0], key[1]))) {
		rp_check_complain(
		    c, "entry %" PRIu64 ": has an order row that does not belong to it", key[2]);
		return RP_OK;
	}
	if (o->first_seq == 0) {
		o->first_seq = key[2];
		o->first_is_front = !behind;
	}
	o->fronts += !behind;
	o->in_flight += d.state == RP_STATE_IN_FLIGHT;
	return RP_OK;
}

bool rp_check_endpoint(struct rp_check *c, uint64_t id, const MDB_val *v, struct rp_endpoint *r)
{
	if (!rp_endpoint_unpack(r, id, v->mv_data, v->mv_size)) {
		rp_check_complain(c, "endpoint %" PRIu64 ": its record is damaged", id);
		return false;
	}
	check_name(c, id);
	check_ready_queue(c, id, r);
	check_levels(c, id, r);
	return true;
}

void rp_check_attempt(struct rp_check *c, const uint64_t key[2], const MDB_val *v)
{
	struct rp_attempt a;

	if (!rp_attempt_unpack(&a, key[0], v->mv_data, v->mv_size))
		rp_check_complain(c,
				  "entry %" PRIu64 ": the record of attempt %" PRIu64 " is damaged",
				  key[0], key[1]);
	if (!rp_check_has_row(c, RP_T_DELIVERY, rp_key1(key[0])))
		rp_check_complain(
		    c, "attempt %" PRIu64 " of entry %" PRIu64 ": there is no such entry", key[1],
		    key[0]);
}

enum rp_err rp_check_recent(struct rp_check *c, uint64_t key, const MDB_val *v,
			    struct rp_error *err)
{
	struct rp_recent row[RP_RECENT_ROW_ATTEMPTS];
	int64_t settled_at_ms;
	size_t n = rp_recent_unpack(&settled_at_ms, row, key, v->mv_data, v->mv_size), i;
	enum rp_err e = RP_OK;

	if (n == 0)
		rp_check_complain(c, "recent attempts: row %" PRIu64 " is damaged", key);
	for (i = 0; i < n && e == RP_OK; i++)
		e = check_noted(c, &row[i], err);
	return e;
}
