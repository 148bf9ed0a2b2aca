/* turns.h - in which order an exchange takes from what is due in a ready queue, and how much. Pure.
 *
 * In the queue of hosts, as in that of a host or a section, those served longest ago come first.
 * Each has a go of a few entries, then the next one, and again from the first, until the exchange
 * has what it wants or none has more to give. So one with a long queue keeps no other waiting, and
 * a host with many paths none with one.
 *
 * What may be taken is receiver.h's to say. */
#ifndef RP_MODEL_TURNS_H
#define RP_MODEL_TURNS_H

#include <stdbool.h>
#include <stddef.h>

/* Bounds of one exchange, which keeps all others from writing: hosts, and sections and paths of all
 * hosts, looked at; entries taken before the next one has its go, and entries that die without an
 * attempt. */
#define RP_TURNS_HOSTS_MAX 256
#define RP_TURNS_MEMBERS_MAX 512
#define RP_TURNS_GO 4
#define RP_TURNS_DEATHS_MAX 256

/* Of one queue. Begin with {0}. */
struct rp_turns {
	unsigned in_go; /* so many were taken from the one whose go it is */
	bool gave;      /* something was taken since the queue was begun */
};

/* The one whose go it is gave an entry. true: its go is over, and the next one's begins. */
bool rp_turns_gave(struct rp_turns *t);
/* It has no more to give in this exchange: the next one's go begins. */
void rp_turns_end_go(struct rp_turns *t);
/* All have had a go. true: again from the first; false: the queue has no more to give. */
bool rp_turns_again(struct rp_turns *t);

#endif
