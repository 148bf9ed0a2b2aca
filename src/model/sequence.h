/* sequence.h - who is in front of an order. Pure.
 *
 * Entries of one endpoint with the same order_by go one by one. Of those that live (waiting, in
 * flight, held) one is the front: the one in flight, if there is one, else the one accepted first.
 * All others are `behind`. A front that is held holds up its order, and no other.
 *
 * Each move of an entry can change the front. A store asks, for each order that was touched, with
 * the entry's values before and after, and with the first of all the others that live. */
#ifndef RP_MODEL_SEQUENCE_H
#define RP_MODEL_SEQUENCE_H

#include "model/record.h"

/* The first 8 bytes of SHA-256(order_by), never 0; 0 for an empty order_by. Two texts with the
 * same key (one chance in 2^64) on one endpoint only share an order. */
uint64_t rp_sequence_key(struct rp_span order_by);

bool rp_sequence_is_live(const struct rp_delivery *d);
/* Whether it lives and has an order, and whether one like it can be `behind`. */
bool rp_sequence_has_place(const struct rp_delivery *d);
bool rp_sequence_may_be_behind(const struct rp_delivery *d);
/* Whether it lives in this order of this endpoint. */
bool rp_sequence_is_member(const struct rp_delivery *d, uint64_t endpoint, uint64_t order_key);

/* A move, as for rp_ledger_change_of. */
struct rp_sequence_move {
	uint64_t seq;
	const struct rp_delivery *from, *to;
};
/* What a store must do for it. All false: the move does not touch the order. */
struct rp_sequence_need {
	bool leaves; /* it was a member as it was before; that goes */
	bool enters; /* it is a member as it is now */
	bool first;  /* the first of the others must be known */
};
struct rp_sequence_need rp_sequence_need_of(const struct rp_sequence_move *m);

/* first_seq: of the first of the others, whose values are in *first; 0: there is none, or it was
 * not needed. */
struct rp_sequence_choice {
	bool behind; /* the moved one's */
	/* the first of the others changes: */
	bool moves_first;
	bool first_behind; /* ... to this */
};
struct rp_sequence_choice rp_sequence_choose(const struct rp_sequence_move *m, uint64_t first_seq,
					     const struct rp_delivery *first);

#endif
