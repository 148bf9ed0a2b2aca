/* arrival.h - whether an entry that comes in is new, and which number it gets. Pure.
 *
 * An id begins with the number that its entry got where it was accepted. An import keeps that
 * number when it lies ahead of all that were given here: then nobody in this outbox can ever have
 * had it. One that lies behind is taken, or was, and a sender might still hold a request of the
 * entry that had it, whose late answer must not be counted for another. So the entry gets the next
 * number, and the store must remember which number its id leads to. */
#ifndef RP_MODEL_ARRIVAL_H
#define RP_MODEL_ARRIVAL_H

#include <stdbool.h>
#include <stdint.h>

/* What becomes of an entry that is imported. */
enum rp_import_kind {
	RP_IMPORT_DONE = 1,
	RP_IMPORT_PRESENT,   /* nothing stored: there is an entry with this id */
	RP_IMPORT_DUPLICATE, /* nothing stored: another entry has its dedupe key */
};
enum rp_import_kind rp_arrival_kind(bool has_id, bool has_dedupe_key);

/* Of a new entry that was accepted elsewhere as number `own`. *next_seq: the next one that is free
 * here, moved on. false: it is another than its own. */
bool rp_arrival_number(uint64_t own, uint64_t *next_seq, uint64_t *seq);

#endif
