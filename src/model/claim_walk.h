/* claim_walk.h - in which order an exchange takes from what is due in the ready queues, and how
 * much. Pure but for the store's functions, which supply the rows and do what is decided.
 *
 * In the queue of hosts, as in that of a host or a section, those served longest ago come first.
 * Each has a go of one or a few entries, then the next one, and again from the first, until the
 * exchange has what it wants or none has more to give. So one with a long queue keeps no other
 * waiting, and a host with many paths none with one. What may be taken is receiver.h's to say.
 *
 * One exchange keeps all others from writing, so it sees a bounded number of rows. A host or a
 * section whose members gave nothing, though several were looked at, has had its turn: it comes
 * after the others the next time. What is only passed over, since this sender has no room for it,
 * is left as it is: else all senders would write, and wake each other, for nothing. */
#ifndef RP_MODEL_CLAIM_WALK_H
#define RP_MODEL_CLAIM_WALK_H

#include "base/err.h"
#include "model/receiver.h"

#define RP_WALK_HOSTS_MAX 256
#define RP_WALK_MEMBERS_MAX 512
#define RP_WALK_VAIN_MAX 64 /* members of one host or section that gave nothing */
#define RP_WALK_GO 4        /* entries of a path or section, before the next one has its go */
/* The same of a host, in an exchange that may take more than RP_WALK_GO. Several requests at once
 * at a new host need a connection each; taken one by one, they can share it. In a smaller one a
 * host has a go of RP_WALK_GO: else the first of those served at the same time would be served
 * again with each of them. */
#define RP_WALK_HOST_GO 1
/* entries that die without an attempt, in an exchange */
#define RP_WALK_DEATHS_MAX 256

/* The row of a ready queue. */
struct rp_walk_row {
	int64_t ready_at_ms;
	uint64_t id;
};

/* The queue of a host or section, or of all hosts, as far as this exchange has come. */
struct rp_walk_queue {
	struct rp_walk_row next[2];         /* from which row on; [1]: of proven hosts */
	struct rp_walk_node *turn;          /* whose go it is; */
	unsigned in_go;                     /* ... so many were taken in it */
	struct rp_walk_node *first, **last; /* who waits for another go */
	size_t n_vain, n_passed;            /* gave nothing; were only passed over */
	bool gave, ended;                   /* something was taken; no more rows are due */
};

/* A host, section or path that was met. */
struct rp_walk_node {
	uint64_t id;
	void *ref; /* the store's */
	struct rp_walk_node *next;
	struct rp_walk_queue queue; /* its own */
};

/* All results but RP_OK end the walk. */
struct rp_walk_ops {
	/* The first row of this queue from `from` on that is due. *any: there is one. */
	enum rp_err (*due)(void *arg, uint64_t queue, struct rp_walk_row from,
			   struct rp_walk_row *row, bool *any, struct rp_error *err);
	/* The endpoint of a row, for the others here. *own: it is; else the row was none that it
	 * has, and is gone. Fills node->ref. */
	enum rp_err (*meet)(void *arg, uint64_t queue, struct rp_walk_row row,
			    struct rp_walk_node *node, bool *own, struct rp_error *err);
	const struct rp_endpoint *(*rec)(void *arg, const struct rp_walk_node *node);
	/* Asks for the limits of a host or a path, and applies them; a path enters or leaves its
	 * section. */
	enum rp_err (*look)(void *arg, const struct rp_walk_node *node, struct rp_error *err);
	/* It, its section and its host are to be written, and their places worked out anew.
	 * served: as if it had been served now. */
	void (*changed)(void *arg, const struct rp_walk_node *node, bool served);
	/* Takes the next due entry of a path, if its receiver allows that; the room follows. *any:
	 * one was taken, or died. */
	enum rp_err (*take)(void *arg, const struct rp_walk_node *path, bool *any,
			    struct rp_error *err);
	/* The same ahead of a place (rp_receiver_is_ahead); *any: false:
	 * nothing more is due, or may be taken. */
	enum rp_err (*take_ahead)(void *arg, const struct rp_walk_node *path, enum rp_level from,
				  bool *any, struct rp_error *err);
	/* The endpoint with this number. *any: there is one. Fills node->ref. */
	enum rp_err (*find)(void *arg, uint64_t id, struct rp_walk_node *node, bool *any,
			    struct rp_error *err);
};

struct rp_claim_walk {
	const struct rp_walk_ops *ops;
	void *arg;
	const struct rp_receiver_room *room; /* as it is now; the store's */
	int64_t now_at_ms;
	bool passed_over; /* out: something is due for which there was no room */
	struct rp_walk_queue hosts;
	unsigned host_go;
	size_t n_hosts, n_members; /* rows seen */
	struct rp_walk_node nodes[RP_WALK_HOSTS_MAX + RP_WALK_MEMBERS_MAX];
};

void rp_claim_walk_begin(struct rp_claim_walk *w, const struct rp_walk_ops *ops, void *arg,
			 const struct rp_receiver_room *room, int64_t now_at_ms);
/* Takes one entry. *any: false: there is nothing more to take. */
enum rp_err rp_claim_walk(struct rp_claim_walk *w, bool *any, struct rp_error *err);

/* Takes up to `want` entries ahead of the places of path, section or host `id`; of a section or
 * host those of its members that are due, a go each. They and their host are asked for their
 * limits like all others: those that are not full have not heard of new ones. Looks at
 * RP_WALK_AHEAD_MAX members at most. */
#define RP_WALK_AHEAD_MAX 128
enum rp_err rp_claim_walk_ahead(struct rp_claim_walk *w, uint64_t id, size_t want,
				struct rp_error *err);

#endif
