/* sender_places.h - private to src/deliver: claims ahead of their places, and which of them begins
 * when a request has been delivered.
 *
 * A place at a path, section or host is free for all when the end of its request is committed.
 * Until then it belongs to this sender, which may pass it on to a claim of its own: one that the
 * store gave out ahead of its place (model/receiver.h). So a receiver with a small limit is busy
 * while its results wait for a commit. With a limit of ten, one TLS receiver got 0.3 of what a
 * plain loop with ten connections does without this.
 *
 * Places are passed on after a delivery only, and to the claim that has waited longest among
 * those that lack them. The settlement says so to the store, which counts the places on. A claim
 * that has waited for RP_AHEAD_MS goes back: others may have a place for it. */
#ifndef RP_DELIVER_SENDER_PLACES_H
#define RP_DELIVER_SENDER_PLACES_H

#include "deliver/sender_state.h"

/* A receiver that takes longer loses little by a commit. */
#define RP_AHEAD_MS 1000

/* RP_ERR_NOMEM. */
enum rp_err rp_sender_places_new(struct rp_sender *s, struct rp_error *err);
void rp_sender_places_free(struct rp_sender *s);

/* A claim has come. It is put on the list of ready ones by the caller, unless this returns true: it
 * waits for its places. */
bool rp_sender_places_claimed(struct rp_sender *s, struct rp_sender_claim *c);
/* The request of a claim is over, or never began. Claims that wait where no place of this sender is
 * left are given back. */
void rp_sender_places_finished(struct rp_sender *s, struct rp_sender_claim *c);
/* Passes the places of a finished claim on, if it was delivered and another claim waits for them:
 * that one is ready then. */
void rp_sender_places_pass(struct rp_sender *s, struct rp_sender_claim *c);
/* Tells a claim that is about to begin which others may have its places in the store: the one that
 * an exchange under way gives them to, and the first of those that passed them on. */
void rp_sender_places_tell(struct rp_sender_claim *c);
/* A claim was settled or lost. */
void rp_sender_places_left(struct rp_sender *s, struct rp_sender_claim *c);

/* Fills in what the exchange is to claim ahead; `room` at most. Before the finished claims are
 * moved to it. */
void rp_sender_places_ask(struct rp_sender *s, size_t room);
/* After an exchange: passes on the places of what has finished meanwhile. Claims ahead of places
 * that this sender does not have are given back. */
void rp_sender_places_use(struct rp_sender *s);
/* Gives back all claims that wait, or those that have waited for too long. */
void rp_sender_places_return(struct rp_sender *s);
void rp_sender_places_return_old(struct rp_sender *s);
/* Whether so few are left of those that the last exchange gave that more are wanted. */
bool rp_sender_places_run_out(const struct rp_sender *s);

#endif
