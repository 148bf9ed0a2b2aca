/* fixture.h - what the conformance tests share: each store in turn, and other senders. How an
 * outbox is worked is in outbox/work.h.
 *
 * A program runs all of its tests on one store after the other (fx_main). */
#ifndef CONFORMANCE_FIXTURE_H
#define CONFORMANCE_FIXTURE_H

#include "outbox/work.h"

/* --- stores ------------------------------------------------------------------------------ */

/* A place where outboxes of one kind can be, empty at first. */
struct fx_store {
	const char *name;
	void *(*make)(void);
	/* Once more is another handle. Of LMDB's only one may be open in a process. */
	enum rp_err (*open)(void *place, const struct rp_outbox_options *options,
			    struct rp_outbox **out, struct rp_error *err);
	void (*remove)(void *place); /* after the last handle is closed */
	/* Why it cannot be judged here; NULL: it can. May be NULL. */
	const char *(*missing)(void);
	bool shares;     /* several handles may be open in one process */
	bool hands_over; /* an append may claim for a sender that waits */
};
extern const struct fx_store fx_stores[];
#define FX_STORES 3

/* Runs the suite on each store, or on the one that RP_CONFORMANCE_STORE names; says which are
 * skipped. Result: of main. */
int fx_main(Suite *(*suite)(void));

/* The one that tests run on now, and where its outbox is. */
struct fx_at {
	const struct fx_store *store;
	void *place;
};
extern struct fx_at fx_at;

void fx_setup_with_peers(void);

/* --- other senders: handles, where the store asks for it processes, of their own ------------ */

#define FX_PEERS 2
void fx_peer_join(unsigned peer);
void fx_peer_beat(unsigned peer);
void fx_peer_leave(unsigned peer);
void fx_peer_end(unsigned peer); /* without a leave */
/* Claims of it, at most 64; the limits are the fixture's, and what it claims ahead. */
size_t fx_peer_claim(unsigned peer, size_t want, struct rp_claim *out);
bool fx_peer_settle(unsigned peer, const struct rp_claim *c, enum rp_settle_kind kind);
/* The same, and the places of c are passed on. */
bool fx_peer_pass(unsigned peer, const struct rp_claim *c, enum rp_settle_kind kind,
		  const struct rp_claim *to);
void fx_peer_append(unsigned peer, unsigned k);
void fx_peer_offer(unsigned peer, size_t claims_max);

#endif
