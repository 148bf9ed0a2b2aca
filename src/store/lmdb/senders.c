/* senders.c - lets senders join and leave, and returns the claims of those who are gone.
 * The registry says who is alive; here is what follows from it. */

#include "store/lmdb/lmdb_ops.h"

#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/sys.h"
#include "model/transition.h"
#include "store/lmdb/entry_rows.h"
#include "store/lmdb/handle.h"
#include "store/lmdb/host/offers.h"
#include "store/lmdb/host/registry.h"
#include "store/lmdb/host/wakeup.h"
#include "store/lmdb/move.h"
#include "store/lmdb/reconstruct.h"
#include "store/lmdb/row.h"
#include "store/lmdb/txn.h"

/* Claims returned in one transaction, at most. */
#define RETURN_MAX 500

struct registration {
	uint64_t incarnation, pid;
	int64_t started_at_ms;
};

static enum rp_err read_registration(struct rp_txn *t, unsigned slot, struct registration *reg,
				     struct rp_error *err)
{
	struct rp_reader r;
	MDB_val v;
	enum rp_err e = rp_row_get(t, RP_T_SENDER, rp_key1(slot), &v, err);

	memset(reg, 0, sizeof *reg);
	if (e != RP_OK)
		return e;
	r = rp_reader_of(v.mv_data, v.mv_size);
	reg->incarnation = rp_get_u64(&r);
	reg->pid = rp_get_u64(&r);
	reg->started_at_ms = rp_get_i64(&r);
	return RP_OK;
}

static enum rp_err write_registration(struct rp_txn *t, unsigned slot,
				      const struct registration *reg, struct rp_error *err)
{
	unsigned char buf[24];
	struct rp_writer w = rp_writer_of(buf, sizeof buf);

	rp_put_u64(&w, reg->incarnation);
	rp_put_u64(&w, reg->pid);
	rp_put_i64(&w, reg->started_at_ms);
	return rp_row_put(t, RP_T_SENDER, rp_key1(slot), buf, sizeof buf, 0, err);
}

/* A claim on nothing is damage, and the row must go or it is met again and again. */
static enum rp_err drop_stray(struct rp_txn *t, uint64_t seq, unsigned slot, struct rp_error *err)
{
	rp_log(RP_LOG_ERROR, "damage", "seq=%" PRIu64 " what=stray_claim_row", seq);
	return rp_row_del(t, RP_T_CLAIM, rp_key2(slot, seq), err);
}

static enum rp_err return_claim(struct rp_txn *t, uint64_t seq, const struct rp_lost_sender *sender,
				struct rp_error *err)
{
	struct rp_delivery from, to;
	struct rp_attempt a;
	enum rp_err e = rp_entry_delivery(t, seq, &from, err);
	bool damaged = e == RP_ERR_DAMAGED;

	if (damaged)
		e = rp_entry_reconstruct(t, seq, &from, err);
	if (e == RP_ERR_NOTFOUND)
		return drop_stray(t, seq, sender->slot, err);
	if (e != RP_OK)
		return e;
	if (!rp_transition_lost(&from, damaged, sender, t->now_at_ms, &to, &a))
		return drop_stray(t, seq, sender->slot, err);
	e = rp_entry_move(t, seq, &from, &to, err);
	return e == RP_OK ? rp_entry_log_attempt(t, seq, from.endpoint, to.attempts, &a, err) : e;
}

static enum rp_err return_claims(struct rp_txn *t, unsigned slot, uint32_t pid, size_t max,
				 size_t *n, struct rp_error *err)
{
	const struct rp_lost_sender sender = {slot, pid};
	uint64_t key[2];
	enum rp_err e = RP_OK;

	while (*n < max) {
		e = rp_row_first(t, RP_T_CLAIM, rp_key2(slot, 0), key, 2, NULL, err);
		if (e == RP_ERR_NOTFOUND || (e == RP_OK && key[0] != slot))
			return RP_OK;
		if (e == RP_OK)
			e = return_claim(t, key[1], &sender, err);
		if (e != RP_OK)
			return e;
		(*n)++;
	}
	return RP_OK;
}

/* --- joining and leaving ------------------------------------------------------------ */

static enum rp_err adopt_slot(struct rp_lmdb *ob, unsigned slot, int64_t now_at_ms, bool leave,
			      bool *more, struct rp_error *err)
{
	struct registration old,
	    reg = {.incarnation = ob->me.incarnation, .pid = (uint64_t)getpid()};
	struct rp_txn t;
	size_t n = 0;
	enum rp_err e = rp_txn_write(ob, now_at_ms, &t, err);

	if (e != RP_OK)
		return e;
	e = read_registration(&t, slot, &old, err);
	if (e == RP_ERR_NOTFOUND)
		e = RP_OK;
	if (e == RP_OK)
		e = return_claims(&t, slot, (uint32_t)old.pid, RETURN_MAX, &n, err);
	*more = n == RETURN_MAX;
	reg.started_at_ms = now_at_ms;
	if (e == RP_OK && !*more && leave) {
		e = rp_row_del(&t, RP_T_SENDER, rp_key1(slot), err);
		e = e == RP_ERR_NOTFOUND ? RP_OK : e;
	} else if (e == RP_OK && !*more) {
		e = write_registration(&t, slot, &reg, err);
	}
	e = rp_txn_finish(&t, e, err);
	if (e == RP_OK && n > 0)
		rp_wakeup_ring(ob);
	return e;
}

enum rp_err rp_lmdb_join(struct rp_outbox *outbox, int64_t now_at_ms, int64_t boot_ms,
			 struct rp_sender_id *out, struct rp_error *err)
{
	struct rp_lmdb *ob = rp_lmdb_of(outbox);
	struct rp_registry_slot slot = {.pid = (uint32_t)getpid(), .beat_boot_ms = boot_ms};
	const struct rp_offer none = {0, 0}; /* the last holder's is not ours */
	bool more = true;
	enum rp_err e = rp_registry_open(ob, err);

	if (e == RP_OK)
		e = rp_registry_take(ob, &ob->me.slot, err);
	if (e != RP_OK)
		return e;
	/* Random, so that no two holders of a slot are ever taken for each other, whatever was
	 * lost in between. */
	rp_sys_random(ob->sys, &ob->me.incarnation, sizeof ob->me.incarnation);
	slot.incarnation = ob->me.incarnation;
	ob->clock = (struct rp_clock_watch){.known = false};
	rp_clock_watch_see(&ob->clock, now_at_ms, boot_ms);
	slot.clock = ob->clock;
	rp_offers_write(ob, ob->me.slot, &none);
	rp_registry_write(ob, ob->me.slot, &slot);
	while (e == RP_OK && more)
		e = adopt_slot(ob, ob->me.slot, now_at_ms, false, &more, err);
	if (e != RP_OK) {
		rp_registry_drop(ob, ob->me.slot);
		return e;
	}
	ob->me_pid = slot.pid;
	ob->joined = true;
	*out = ob->me;
	return RP_OK;
}

enum rp_err rp_lmdb_leave(struct rp_outbox *outbox, int64_t now_at_ms, struct rp_error *err)
{
	struct rp_lmdb *ob = rp_lmdb_of(outbox);
	bool more = true;
	enum rp_err e = RP_OK;

	if (!ob->joined)
		return RP_OK;
	while (e == RP_OK && more)
		e = adopt_slot(ob, ob->me.slot, now_at_ms, true, &more, err);
	rp_registry_drop(ob, ob->me.slot);
	ob->joined = false;
	return e;
}

void rp_lmdb_beat(struct rp_outbox *outbox, int64_t now_at_ms, int64_t boot_ms)
{
	struct rp_lmdb *ob = rp_lmdb_of(outbox);
	struct rp_registry_slot slot = {
	    ob->me.incarnation, (uint32_t)getpid(), boot_ms, {.known = false}};

	rp_clock_watch_see(&ob->clock, now_at_ms, boot_ms);
	slot.clock = ob->clock;
	rp_registry_write(ob, ob->me.slot, &slot);
}

/* --- reaping ------------------------------------------------------------------------ */

struct missing {
	unsigned slot;
	bool dead; /* its lock is free; else it only stopped beating */
	struct registration reg;
};

static bool is_missing(struct rp_lmdb *ob, unsigned slot, const struct registration *reg,
		       int64_t boot_ms, int64_t lease_ms, bool *dead)
{
	struct rp_registry_slot s;

	*dead = !rp_registry_is_held(ob, slot);
	if (*dead)
		return true;
	/* Another incarnation in the file: the slot has just changed hands, and its new holder
	 * returns the old claims.
	 */
	return rp_registry_read(ob, slot, &s) && s.incarnation == reg->incarnation &&
	       boot_ms - s.beat_boot_ms > lease_ms;
}

static enum rp_err find_missing(struct rp_lmdb *ob, int64_t boot_ms, int64_t lease_ms,
				struct missing *out, size_t *n, struct rp_error *err)
{
	struct rp_txn t;
	uint64_t slot = 0, key[2];
	enum rp_err e = rp_txn_read(ob, &t, err);

	*n = 0;
	while (e == RP_OK && *n < RP_REGISTRY_SLOTS) {
		struct missing *m = &out[*n];

		e = rp_row_from(&t, RP_T_SENDER, &slot, 1, 0, NULL, err);
		if (e != RP_OK)
			break;
		m->slot = (unsigned)slot++;
		if (ob->joined && m->slot == ob->me.slot)
			continue;
		e = read_registration(&t, m->slot, &m->reg, err);
		if (e != RP_OK || !is_missing(ob, m->slot, &m->reg, boot_ms, lease_ms, &m->dead))
			continue;
		key[0] = m->slot;
		key[1] = 0;
		e = rp_row_from(&t, RP_T_CLAIM, key, 2, 1, NULL, err);
		/* A stopped sender without claims is left alone; a dead one is taken off the
		 * list. */
		if (m->dead || e == RP_OK)
			(*n)++;
		e = e == RP_ERR_NOTFOUND ? RP_OK : e;
	}
	rp_txn_end(&t);
	return e == RP_ERR_NOTFOUND ? RP_OK : e;
}

static enum rp_err reap_one(struct rp_txn *t, const struct missing *m, size_t *n,
			    struct rp_error *err)
{
	struct registration now;
	size_t before = *n;
	enum rp_err e = read_registration(t, m->slot, &now, err);

	/* Judged outside of this transaction: if somebody else holds the slot by now, its claims
	 * are live. */
	if (e == RP_ERR_NOTFOUND || (e == RP_OK && now.incarnation != m->reg.incarnation))
		return RP_OK;
	if (e == RP_OK)
		e = return_claims(t, m->slot, (uint32_t)m->reg.pid, RETURN_MAX, n, err);
	if (e == RP_OK && m->dead && *n < RETURN_MAX) {
		e = rp_row_del(t, RP_T_SENDER, rp_key1(m->slot), err);
		e = e == RP_ERR_NOTFOUND ? RP_OK : e;
	}
	if (e == RP_OK)
		rp_log(RP_LOG_WARN, "sender_missing",
		       "slot=%u sender_pid=%" PRIu64 " why=%s returned=%zu", m->slot, m->reg.pid,
		       m->dead ? "dead" : "stopped", *n - before);
	return e;
}

enum rp_err rp_lmdb_reap(struct rp_outbox *outbox, int64_t now_at_ms, int64_t boot_ms,
			 int64_t lease_ms, size_t *n_returned, struct rp_error *err)
{
	struct rp_lmdb *ob = rp_lmdb_of(outbox);
	struct missing missing[RP_REGISTRY_SLOTS];
	struct rp_txn t;
	size_t n, i;
	enum rp_err e = rp_registry_open(ob, err);

	*n_returned = 0;
	/* slots of killed readers pin old pages until somebody looks */
	mdb_reader_check(ob->db.env, NULL);
	if (e == RP_OK)
		e = find_missing(ob, boot_ms, lease_ms, missing, &n, err);
	if (e != RP_OK || n == 0)
		return e;
	e = rp_txn_write(ob, now_at_ms, &t, err);
	if (e != RP_OK)
		return e;
	for (i = 0; i < n && e == RP_OK; i++)
		e = reap_one(&t, &missing[i], n_returned, err);
	e = rp_txn_finish(&t, e, err);
	if (e == RP_OK && *n_returned > 0)
		rp_wakeup_ring(ob);
	return e;
}

enum rp_err rp_lmdb_senders(struct rp_outbox *outbox,
			    void (*see)(void *arg, const struct rp_sender_info *s), void *arg,
			    struct rp_error *err)
{
	struct rp_lmdb *ob = rp_lmdb_of(outbox);
	struct rp_txn t;
	uint64_t slot = 0, key[2];
	enum rp_err e = rp_registry_open(ob, err);

	if (e == RP_OK)
		e = rp_txn_read(ob, &t, err);
	if (e != RP_OK)
		return e;
	while ((e = rp_row_from(&t, RP_T_SENDER, &slot, 1, 0, NULL, err)) == RP_OK) {
		struct rp_sender_info s = {.slot = (unsigned)slot};
		struct rp_registry_slot registry;
		struct registration reg;

		e = read_registration(&t, s.slot, &reg, err);
		if (e != RP_OK)
			break;
		s.pid = (uint32_t)reg.pid;
		s.started_at_ms = reg.started_at_ms;
		/* The lock of this very process is no obstacle to itself, so it would look free. */
		s.alive = (ob->joined && s.slot == ob->me.slot) || rp_registry_is_held(ob, s.slot);
		if (rp_registry_read(ob, s.slot, &registry)) {
			s.beat_boot_ms = registry.beat_boot_ms;
			s.clock = registry.clock;
		}
		for (key[0] = slot, key[1] = 0;
		     rp_row_from(&t, RP_T_CLAIM, key, 2, 1, NULL, err) == RP_OK; key[1]++)
			s.claims++;
		see(arg, &s);
		slot++;
	}
	rp_txn_end(&t);
	return e == RP_ERR_NOTFOUND ? RP_OK : e;
}
