/* entry.h - one entry as it is read: its records, the name of its endpoint, and the memory that
 * their texts lie in. Values alone; a store fills it in. */
#ifndef RP_MODEL_ENTRY_H
#define RP_MODEL_ENTRY_H

#include "base/bytes.h"
#include "model/record.h"

/* All but the payload. Spans point into `text`, or live as long as whoever shows the entry says.
 * Init with {0}; release; reusable. */
struct rp_entry {
	uint64_t seq; /* its number, from 1: entries get them in the order of acceptance */
	struct rp_facts facts;
	struct rp_delivery delivery;
	struct rp_span endpoint; /* its name */
	/* A record fails its checksum: what could not be read is zero or empty. */
	bool damaged;
	struct rp_buf text;
};

/* A copy whose spans point into to->text, each with a NUL behind it. false: out of memory, and *to
 * is to be released. */
bool rp_entry_copy(const struct rp_entry *from, struct rp_entry *to);
void rp_entry_release(struct rp_entry *e);

/* What an index tells of an entry without its records. */
struct rp_brief {
	uint64_t seq;
	uint64_t endpoint; /* 0: not told */
	/* WAITING: when it is due, 0 when it is behind another; IN_FLIGHT: 0; else since when */
	int64_t at_ms;
	enum rp_cause cause, last_cause; /* these three of DEAD */
	unsigned http_status;
	/* how many of the bounds that were asked for lie at or before its acceptance */
	unsigned n_bounds_passed;
};

#endif
