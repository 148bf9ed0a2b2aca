/* offers.h - private to src/store/lmdb: what senders say that they could hold. */
#ifndef RP_STORE_LMDB_HOST_OFFERS_H
#define RP_STORE_LMDB_HOST_OFFERS_H

#include "model/hand_over.h"
#include "store/lmdb/host/registry.h"

struct rp_lmdb;

/* Of the sender that has this slot, whose registry is open. It cannot fail: an offer that was not
 * written is none, or an older one. */
void rp_offers_write(struct rp_lmdb *ob, unsigned slot, const struct rp_offer *o);

struct rp_offers {
	struct rp_offer of[RP_REGISTRY_SLOTS];
	uint64_t incarnation[RP_REGISTRY_SLOTS]; /* whose the offer is */
};
/* Result: how many slots there are, as far as anybody has written. 0: there are no senders, or they
 * cannot be seen. */
unsigned rp_offers_read(struct rp_lmdb *ob, struct rp_offers *out);
/* Whether the process that has the slot lives. After rp_offers_read. */
bool rp_offers_is_held(struct rp_lmdb *ob, unsigned slot);
void rp_offers_close(struct rp_lmdb *ob);

#endif
