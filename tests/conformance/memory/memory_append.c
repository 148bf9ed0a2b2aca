/* memory_append.c - entries that come in: new ones, and those of another outbox. */

#include "conformance/memory/memory_int.h"
#include "model/arrival.h"

static void append_one(struct mem_txn *t, const struct rp_new_entry *n, struct rp_appended *out)
{
	const struct mem_entry *there = mem_entry_by_key(t->s, n->dedupe_key);
	struct rp_acceptance a = {.not_before_at_ms = n->not_before_at_ms,
				  .expires_at_ms = n->expires_at_ms,
				  .order_key = rp_sequence_key(n->order_by)};
	struct rp_facts f = {.accepted_at_ms = t->now_at_ms,
			     .not_before_at_ms = n->not_before_at_ms,
			     .expires_at_ms = n->expires_at_ms,
			     .url = n->url,
			     .run_id = n->run_id,
			     .thread_id = n->thread_id,
			     .event = n->event,
			     .operation = n->operation,
			     .order_by = n->order_by,
			     .headers = n->headers,
			     .dedupe_key = n->dedupe_key};
	unsigned char random[10];
	struct rp_delivery d;

	out->duplicate = there != NULL;
	if (there != NULL) {
		out->seq = there->seq;
		memcpy(out->id, there->facts.id, RP_ID_BYTES);
		t->s->counters.duplicates++;
		return;
	}
	out->seq = t->s->head.next_seq++;
	rp_sys_random(t->by->sys, random, sizeof random);
	rp_id_make(out->seq, random, out->id);
	memcpy(f.id, out->id, RP_ID_BYTES);
	f.endpoint = a.endpoint = mem_intern(t, n->endpoint);
	mem_add(t, out->seq, &f, n->payload);
	rp_transition_append(&a, t->now_at_ms, &d);
	mem_move(t, out->seq, NULL, &d);
}

enum rp_err mem_append(struct rp_outbox *ob, int64_t now_at_ms, const struct rp_new_entry *entries,
		       size_t n, struct rp_appended *out, struct rp_error *err)
{
	struct mem_txn t = mem_begin(ob, now_at_ms);
	bool hands = n <= RP_HAND_OVER_ENTRIES_MAX;
	size_t i;

	(void)err;
	for (i = 0; i < n; i++) {
		append_one(&t, &entries[i], &out[i]);
		hands = hands && (out[i].duplicate || mem_hand_over(&t, out[i].seq));
	}
	if (t.dirty) {
		mem_commit(&t);
		mem_ring(&t);
	}
	return RP_OK;
}

static void import_one(struct mem_txn *t, const struct rp_import *in, struct rp_import_result *r)
{
	const struct mem_entry *same = mem_entry_by_id(t->s, in->facts.id),
			       *key = mem_entry_by_key(t->s, in->facts.dedupe_key);
	struct rp_facts f = in->facts;
	struct rp_delivery d;

	r->kind = rp_arrival_kind(same != NULL, key != NULL);
	if (r->kind != RP_IMPORT_DONE) {
		r->seq = r->kind == RP_IMPORT_PRESENT ? same->seq : key->seq;
		return;
	}
	f.endpoint = mem_intern(t, in->endpoint);
	rp_arrival_number(rp_id_seq(f.id), &t->s->head.next_seq, &r->seq);
	mem_add(t, r->seq, &f, in->payload);
	rp_transition_import(&in->delivery, f.endpoint, rp_sequence_key(f.order_by), &d);
	mem_move(t, r->seq, NULL, &d);
}

static uint64_t count_done(const struct rp_import_result *results, size_t n)
{
	uint64_t done = 0;
	size_t i;

	for (i = 0; i < n; i++)
		done += results[i].kind == RP_IMPORT_DONE;
	return done;
}

/* What would happen is tried on a copy. */
enum rp_err mem_import(struct rp_outbox *ob, int64_t now_at_ms, const struct rp_import *entries,
		       size_t n, bool dry_run, uint64_t audit, struct rp_import_result *results,
		       struct rp_error *err)
{
	struct mem_txn t = mem_begin(ob, now_at_ms);
	struct mem_state copy;
	uint64_t done;
	size_t i;

	(void)err;
	if (dry_run) {
		copy = mem_state_copy(t.s);
		t.s = &copy;
	}
	for (i = 0; i < n; i++)
		import_one(&t, &entries[i], &results[i]);
	done = count_done(results, n);
	if (dry_run) {
		mem_state_free(&copy);
		return RP_OK;
	}
	if (audit != 0)
		mem_audit_count(&t, audit, true, done, n - done);
	if (t.dirty) {
		mem_commit(&t);
		mem_ring(&t);
	}
	return RP_OK;
}
