/* turn.h - private to src/store/lmdb: lets a sender write between two appends of a flood.
 *
 * LMDB's write lock is unfair: who has just released it mostly takes it again, before one that was
 * asleep wakes up. So a sender says that it waits, and who appends without a gap lets it go first.
 * Nothing depends on it: without it, or where one that waits is stopped or killed, all goes on as
 * the lock has it. */
#ifndef RP_STORE_LMDB_HOST_TURN_H
#define RP_STORE_LMDB_HOST_TURN_H

#include <stdbool.h>
#include <stdint.h>

struct rp_lmdb;

/* Of one process; turn.c looks after it. */
struct rp_turn {
	int64_t released_us; /* stopwatch: when the last append was over; 0: there was none */
	bool in_vain;        /* who waited for the last turn did not take it */
};

/* A sender waits for the write lock, until rp_turn_take. */
void rp_turn_ask(struct rp_lmdb *ob);
void rp_turn_take(struct rp_lmdb *ob);
/* Before the write lock is taken for an append: if the last one has only just released it, waits
 * until no sender waits, but for milliseconds at most. */
void rp_turn_give(struct rp_lmdb *ob);
/* The append is over. */
void rp_turn_released(struct rp_lmdb *ob);

#endif
