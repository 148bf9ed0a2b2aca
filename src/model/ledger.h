/* ledger.h - what a move of an entry, or the end of an attempt, changes in the counters: of the
 * outbox, of the endpoint, and for metrics. Pure.
 *
 * accepted = waiting + in_flight + held + delivered + dead + purged holds before and after each
 * change. A change is a value of its own, so that a store can add several up. */
#ifndef RP_MODEL_LEDGER_H
#define RP_MODEL_LEDGER_H

#include "model/record.h"
#include "model/counters.h"
#include "model/transition.h"

/* An entry is counted in the state `leaves` no more (0: it is new, and is counted as accepted),
 * and in the state `enters` from now on (0: it is removed, and is counted as purged). */
struct rp_ledger_change {
	enum rp_state leaves, enters;
	bool leaves_retrying, enters_retrying;
	unsigned leaves_lacking, enters_lacking; /* in flight without places on these levels */
};

/* WAITING with an attempt behind it. */
bool rp_ledger_is_retrying(const struct rp_delivery *d);

/* from NULL: it is new. to NULL: it is removed. Not both. */
struct rp_ledger_change rp_ledger_change_of(const struct rp_delivery *from,
					    const struct rp_delivery *to);

/* Into the counters of the outbox, and of the entry's endpoint. false: one was 0 before that
 * counted it. That is damage; the counter stays 0, and all else is counted. */
bool rp_ledger_count(struct rp_head *h, const struct rp_ledger_change *c);
bool rp_ledger_count_endpoint(struct rp_endpoint *r, const struct rp_ledger_change *c);

/* A part of the ledger, where a store keeps several that are added up when they are read: each has
 * what one writer changed, so a count may be negative. */
struct rp_ledger_part {
	int64_t accepted, purged, retrying;
	int64_t count[RP_STATE_COUNT];
};
void rp_ledger_part_count(struct rp_ledger_part *part, const struct rp_ledger_change *c);
void rp_ledger_part_add(struct rp_ledger_part *sum, const struct rp_ledger_part *part);
/* The same, all parts added up, in the outbox's counters; what is negative, which is damage, is 0.
 * false: something was. */
bool rp_ledger_part_total(const struct rp_ledger_part *sum, struct rp_head *out);

/* Into the counters for metrics; from and to as above. */
void rp_ledger_count_move(struct rp_counters *counters, const struct rp_delivery *from,
			  const struct rp_delivery *to, int64_t now_at_ms);

/* An attempt has ended. */
void rp_ledger_count_attempt(struct rp_counters *counters, const struct rp_outcome *outcome,
			     int64_t now_at_ms);
void rp_ledger_count_result(struct rp_endpoint *r, const struct rp_outcome *outcome, bool delivered,
			    int64_t now_at_ms);

#endif
