/* registry.h - private to src/store/lmdb: who is alive. */
#ifndef RP_STORE_LMDB_HOST_REGISTRY_H
#define RP_STORE_LMDB_HOST_REGISTRY_H

#include "model/clock.h"
#include "base/err.h"

struct rp_lmdb;

/* LMDB's default of 126 readers is raised, but more senders than this help nobody */
#define RP_REGISTRY_SLOTS 120
#define RP_REGISTRY_SLOT_BYTES 64 /* in the file; the last 16 are offers.c's */

struct rp_registry_slot {
	uint64_t incarnation;
	uint32_t pid;
	int64_t beat_boot_ms;
	struct rp_clock_watch clock;
};
enum rp_err rp_registry_open(struct rp_lmdb *ob, struct rp_error *err);
/* Takes the lock of a free slot. RP_ERR_BUSY: none is free. */
enum rp_err rp_registry_take(struct rp_lmdb *ob, unsigned *slot, struct rp_error *err);
void rp_registry_drop(struct rp_lmdb *ob, unsigned slot);
bool rp_registry_is_held(struct rp_lmdb *ob, unsigned slot);
void rp_registry_write(struct rp_lmdb *ob, unsigned slot, const struct rp_registry_slot *s);
bool rp_registry_read(struct rp_lmdb *ob, unsigned slot, struct rp_registry_slot *s);

#endif
