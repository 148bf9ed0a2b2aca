/* hand_over.c - claims entries for senders in the transaction that stores them, and tells a sender
 * what was claimed for it. model/hand_over.h says what may be; this file has the rows.
 *
 * What is handed over are rows of `claim` with a mark. The transaction that writes them finds the
 * sender's registration, and counts its claims. So nothing is handed to a sender that has left, or
 * whose claims were returned, and none has more than it offered, whatever the file of offers
 * says. */

#include "store/lmdb/hand_over.h"

#include "model/hand_over.h"
#include "model/transition.h"
#include "store/claims.h"
#include "store/lmdb/endpoint.h"
#include "store/lmdb/entry_rows.h"
#include "store/lmdb/fetch.h"
#include "store/lmdb/handle.h"
#include "store/lmdb/host/offers.h"
#include "store/lmdb/index.h"
#include "store/lmdb/lmdb_ops.h"
#include "store/lmdb/reconstruct.h"
#include "store/lmdb/row.h"
#include "store/lmdb/txn.h"

/* --- a sender that waits for work --------------------------------------------------------- */

static enum rp_err is_registered(struct rp_txn *t, unsigned slot, uint64_t incarnation, bool *is,
				 struct rp_error *err)
{
	struct rp_reader r;
	MDB_val v;
	enum rp_err e = rp_row_get(t, RP_T_SENDER, rp_key1(slot), &v, err);

	*is = false;
	if (e != RP_OK)
		return e == RP_ERR_NOTFOUND ? RP_OK : e;
	r = rp_reader_of(v.mv_data, v.mv_size);
	*is = rp_get_u64(&r) == incarnation;
	return RP_OK;
}

static enum rp_err count_claims(struct rp_txn *t, unsigned slot, size_t *n, struct rp_error *err)
{
	uint64_t key[2] = {slot, 0};
	enum rp_err e = RP_OK;

	for (*n = 0; *n < RP_OFFER_CLAIMS_MAX; key[1]++) {
		e = rp_row_from(t, RP_T_CLAIM, key, 2, 1, NULL, err);
		if (e != RP_OK)
			break;
		(*n)++;
	}
	return e == RP_ERR_NOTFOUND ? RP_OK : e;
}

static enum rp_err ask_one(struct rp_txn *t, struct rp_hand_over *h, unsigned slot,
			   const struct rp_offers *offers, struct rp_error *err)
{
	const struct rp_offer *o = &offers->of[slot];
	size_t n_claims;
	bool is;
	enum rp_err e;

	if (!rp_offer_has_place(o, 0, t->now_at_ms) || !rp_offers_is_held(t->ob, slot))
		return RP_OK;
	e = is_registered(t, slot, offers->incarnation[slot], &is, err);
	if (e != RP_OK || !is)
		return e;
	e = count_claims(t, slot, &n_claims, err);
	if (e != RP_OK || !rp_offer_has_place(o, n_claims, t->now_at_ms))
		return e;
	h->found = true;
	h->slot = slot;
	h->n_left = o->claims_max - n_claims;
	return RP_OK;
}

/* The first that has a place: its connections are warm. */
static enum rp_err find_sender(struct rp_txn *t, struct rp_hand_over *h, struct rp_error *err)
{
	struct rp_offers offers;
	unsigned n = rp_offers_read(t->ob, &offers), slot;
	enum rp_err e = RP_OK;

	for (slot = 0; slot < n && !h->found && e == RP_OK; slot++)
		e = ask_one(t, h, slot, &offers, err);
	return e;
}

/* --- an entry ----------------------------------------------------------------------------- */

static void claim(struct rp_txn *t, struct rp_hand_over *h, const struct rp_receiver *r,
		  struct rp_delivery *d)
{
	const struct rp_claim_try by = {.endpoint = d->endpoint,
					.due_at_ms = d->due_at_ms,
					.slot = h->slot,
					.now_at_ms = t->now_at_ms};
	struct rp_delivery to;

	h->over = rp_transition_claim(d, &by, &to) != RP_CLAIM_TAKEN;
	if (h->over)
		return;
	*d = to;
	/* without a rate and with closed breakers there is neither a token nor a probe */
	(void)rp_receiver_claimed(r, t->now_at_ms, 0);
	h->over = --h->n_left == 0;
}

struct rp_hand_over rp_hand_over_begin(size_t n)
{
	return (struct rp_hand_over){.over = n > RP_HAND_OVER_ENTRIES_MAX};
}

/* What comes after an entry that has to wait does not overtake it. */
enum rp_err rp_hand_over(struct rp_txn *t, struct rp_hand_over *h, struct rp_delivery *d,
			 struct rp_error *err)
{
	struct rp_receiver r;
	struct rp_ep *path;
	enum rp_err e;

	if (h->over)
		return RP_OK;
	e = rp_ep_get(t, d->endpoint, &path, err);
	if (e != RP_OK)
		return e;
	r = rp_ep_receiver(path);
	h->over = !rp_hand_over_may(&r, d, t->now_at_ms);
	if (!h->over && !h->found) {
		e = find_sender(t, h, err);
		h->over = !h->found;
	}
	if (e == RP_OK && !h->over)
		claim(t, h, &r, d);
	return e;
}

enum rp_err rp_hand_over_mark(struct rp_txn *t, uint64_t seq, const struct rp_delivery *d,
			      struct rp_error *err)
{
	unsigned char value[RP_CLAIM_ROW_BYTES];

	if (d->state != RP_STATE_IN_FLIGHT)
		return RP_OK;
	rp_index_claim_row(d, true, value);
	return rp_row_put(t, RP_T_CLAIM, rp_key2(d->slot, seq), value, sizeof value, 0, err);
}

/* --- what a sender says, and takes ---------------------------------------------------------- */

void rp_lmdb_offer(struct rp_outbox *outbox, int64_t now_at_ms, size_t claims_max)
{
	struct rp_lmdb *ob = rp_lmdb_of(outbox);
	const struct rp_offer o = {now_at_ms, (uint32_t)claims_max};

	if (ob->joined)
		rp_offers_write(ob, ob->me.slot, &o);
}

/* An append that has read the offer has the write lock. */
enum rp_err rp_lmdb_withdraw(struct rp_outbox *outbox, struct rp_error *err)
{
	struct rp_lmdb *ob = rp_lmdb_of(outbox);
	struct rp_txn t;
	enum rp_err e;

	if (!ob->joined)
		return RP_OK;
	rp_lmdb_offer(outbox, 0, 0);
	e = rp_txn_write(ob, 0, &t, err);
	if (e == RP_OK)
		rp_txn_end(&t);
	return e;
}

/* One that cannot be read is set aside when it is fetched and settled. */
static enum rp_err read_claim(struct rp_txn *t, uint64_t seq, struct rp_delivery *d,
			      struct rp_error *err)
{
	enum rp_err e = rp_entry_delivery(t, seq, d, err);

	return e == RP_ERR_DAMAGED ? rp_entry_reconstruct(t, seq, d, err) : e;
}

/* A receiver that cannot be read is looked at by an exchange, which rebuilds it. */
static enum rp_err judge(struct rp_txn *t, const struct rp_taking *k, const struct rp_delivery *d,
			 struct rp_claim *c, struct rp_error *err)
{
	struct rp_dispatch at = {.endpoint_known = false};
	struct rp_span name = {NULL, 0}, section = {NULL, 0};
	struct rp_level_limits limits;
	struct rp_receiver r;
	enum rp_err e = rp_fetch_receiver(t, d->endpoint, &at, err);

	c->other_limits = true;
	if (e != RP_OK || !at.endpoint_known)
		return e;
	r = rp_dispatch_receiver(&at);
	e = rp_ep_name(t, d->endpoint, &name, err);
	if (e == RP_OK && at.at[RP_LEVEL_PATH].section != 0)
		e = rp_ep_name(t, at.at[RP_LEVEL_PATH].section, &section, err);
	if (e != RP_OK)
		return e == RP_ERR_NOTFOUND ? RP_OK : e;
	k->limits(k->limits_arg, name, &limits);
	c->other_limits = !rp_hand_over_holds(&r, section, &limits);
	c->tokens.section = at.at[RP_LEVEL_PATH].section;
	rp_claims_moved(c, &r, d);
	return RP_OK;
}

static enum rp_err take_one(struct rp_txn *t, struct rp_taking *k, uint64_t seq,
			    struct rp_error *err)
{
	struct rp_claim *c = &k->claims[k->n_claims];
	struct rp_delivery d;
	enum rp_err e = read_claim(t, seq, &d, err);

	if (e != RP_OK)
		return e == RP_ERR_NOTFOUND ? RP_OK : e; /* a reap finds the row */
	*c = (struct rp_claim){.seq = seq,
			       .endpoint = d.endpoint,
			       .claim_no = d.claim_no,
			       .attempt = d.attempts,
			       .failures = d.failures,
			       .budget_at_ms = d.budget_at_ms,
			       .expires_at_ms = d.expires_at_ms};
	k->n_claims++;
	return judge(t, k, &d, c, err);
}

enum rp_err rp_lmdb_take(struct rp_outbox *outbox, struct rp_taking *k, struct rp_error *err)
{
	struct rp_lmdb *ob = rp_lmdb_of(outbox);
	uint64_t key[2] = {ob->me.slot, k->from};
	struct rp_txn *t;
	MDB_val v;
	enum rp_err e;

	k->n_claims = 0;
	if (!ob->joined) /* the slot is somebody else's */
		return RP_OK;
	e = rp_fetcher_begin(ob, &t, err);
	if (e != RP_OK)
		return e;
	while (e == RP_OK && k->n_claims < k->want) {
		e = rp_row_from(t, RP_T_CLAIM, key, 2, 1, &v, err);
		if (e != RP_OK)
			break;
		if (rp_index_is_handed(&v))
			e = take_one(t, k, key[1], err);
		k->from = ++key[1];
	}
	rp_fetcher_end(ob);
	return e == RP_ERR_NOTFOUND ? RP_OK : e;
}
