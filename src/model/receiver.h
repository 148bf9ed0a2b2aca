/* receiver.h - what is taken from a receiver, and what comes back, on all of its levels at once.
 * Pure: a store loads the path, its section and its host, calls a function here, and writes them.
 *
 * Each level has its own limits, window, rate and breaker (control.h). A claim needs a place and a
 * token on each level, and an outcome tells each level something:
 *
 *   path     all that its own requests tell.
 *   section  nothing but whether a place is free: it has limits, and neither window nor breaker.
 *   host     a good answer, or one that is not bad, of any path clears it. A path counts as bad
 *            once, until it is cleared. So one sick path of a healthy host closes nothing, and its
 *            own breaker is enough; a host is sick when several of its paths fail and none
 *            succeeds. A host that has opened is probed through any of its paths.
 *
 * A path that is disabled has no use for places: its entries die when the turn of its host
 * comes.
 *
 * A place is free again when the end of its request is committed. A fast receiver would be idle
 * until then, so a sender may claim ahead: entries for which there is no place yet. Such a claim
 * begins when a request of the same sender, at the same path, section or host, has been delivered:
 * it takes that one's places. So requests under way never exceed the places. */
#ifndef RP_MODEL_RECEIVER_H
#define RP_MODEL_RECEIVER_H

#include "model/ledger.h"
#include "model/schedule.h"

/* at[RP_LEVEL_SECTION] NULL: the path has none. */
struct rp_receiver {
	struct rp_endpoint *at[RP_LEVELS];
};

/* --- claim ------------------------------------------------------------------------------------ */

/* What an exchange has room for. A claim without an attempt, a death, needs no place of a sender.
 */
struct rp_receiver_room {
	size_t deaths, claims;
	size_t metered;  /* of the claims, those of receivers that have a rate on any level */
	size_t unproven; /* of the claims, those of hosts that have not proven themselves */
};
enum rp_receiver_take {
	RP_TAKE_NEXT,    /* the next entry of the path that is due */
	RP_TAKE_NOTHING, /* no more in this exchange */
	/* the same, though something may be due: other senders may have room */
	RP_TAKE_PASSED_OVER,
};
enum rp_receiver_take rp_receiver_take(const struct rp_receiver *r,
				       const struct rp_receiver_room *room, int64_t now_at_ms);
/* As far as this level is concerned. Who would only be passed over is best left as it is, so that
 * looking at it again and again writes nothing. */
enum rp_receiver_take rp_receiver_level_take(const struct rp_endpoint *level,
					     const struct rp_receiver_room *room,
					     int64_t now_at_ms);

/* The tokens that a claim took, one of each level that has a rate. */
struct rp_tokens {
	struct rp_token of[RP_LEVELS];
	uint64_t section; /* that the path was in; what it gave comes back to no other */
};
bool rp_tokens_any(const struct rp_tokens *t);

/* Whether the next entry of the path may be claimed ahead for the places of others on the levels
 * from `from` up: all below have one for it. *lacks: the levels that have none (RP_LACKS). Not
 * where a place is free after all, nor where a claim would have to wait for more than a place:
 * pauses, breakers, rates, limits to be asked for, a window that shrinks, a host that has not
 * proven itself. */
bool rp_receiver_is_ahead(const struct rp_receiver *r, enum rp_level from, int64_t now_at_ms,
			  unsigned *lacks);

struct rp_receiver_claim {
	struct rp_tokens tokens;
	bool probes[RP_LEVELS]; /* the one request that an open breaker lets through */
	bool unproven;          /* its host has not proven itself */
};
/* One was claimed, and is counted after this. */
struct rp_receiver_claim rp_receiver_claimed(const struct rp_receiver *r, int64_t now_at_ms,
					     int64_t begin_within_ms);
/* The levels (RP_LACKS) on which others wait for a place. */
unsigned rp_receiver_full(const struct rp_receiver *r);
/* Whether others may wait for the end of an attempt that was just claimed, and counted: it took
 * the last place of some level, or others come after it in order. */
bool rp_receiver_is_blocking(const struct rp_receiver *r, const struct rp_delivery *claimed);

/* --- settle ----------------------------------------------------------------------------------- */

/* The request of a claim did not begin. Before rp_receiver_claimed is called again. */
void rp_receiver_token_return(const struct rp_receiver *r, const struct rp_tokens *t);

struct rp_receiver_result {
	const struct rp_outcome *outcome;
	bool delivered;
	bool disables;              /* the path */
	uint64_t in_use[RP_LEVELS]; /* as in_flight for rp_control_settled */
};
/* An attempt has ended. change[]: what that did to the breaker of each level. */
void rp_receiver_settled(const struct rp_receiver *r, const struct rp_receiver_result *result,
			 int64_t now_at_ms, enum rp_control_change change[RP_LEVELS]);

/* By an operator. Whoever resumes a path says that its host is well again, too. */
void rp_receiver_pause(const struct rp_receiver *r, bool pause, int64_t now_at_ms);

/* --- counters --------------------------------------------------------------------------------- */

/* An entry moved: on each level. false: as rp_ledger_count. */
bool rp_receiver_count(const struct rp_receiver *r, const struct rp_ledger_change *c);
/* The path leaves its section, or enters one: `section` counts what it counts, or no more.
 * false: it has less to leave with than the section says. */
bool rp_receiver_leave(struct rp_endpoint *section, const struct rp_endpoint *path);
void rp_receiver_enter(struct rp_endpoint *section, const struct rp_endpoint *path);

#endif
