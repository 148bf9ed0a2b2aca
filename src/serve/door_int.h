/* door_int.h - private to src/serve: the door's state, shared by its parts. */
#ifndef RP_SERVE_DOOR_INT_H
#define RP_SERVE_DOOR_INT_H

#include "http_server/connection.h"
#include "http_server/server.h"
#include "serve/door.h"
#include "serve/door_commit.h"
#include "serve/door_counts.h"
#include "serve/door_judge.h"
#include "serve/door_rules.h"
#include "serve/peer.h"

/* Kept with each connection, zero at first. */
struct rp_door_visit {
	struct rp_door_peer peer;
	bool asked; /* `peer` is filled */
	enum rp_door_kind kind;
	struct rp_door_held *held; /* the request that is owed an answer, or whose body is coming */
};

struct rp_door {
	const struct rp_door_options *o;
	struct rp_settings *reloaded;    /* owned; NULL: those of `o` are in force */
	struct rp_door_rules_set *rules; /* owned */
	struct rp_peer_asker asker;
	struct rp_door_head head; /* of the request that is judged; used again for each */

	struct rp_http_service service;
	struct rp_http_server *server;

	/* One batch fills, the other is committed slice by slice. */
	struct rp_door_batch batches[2], *filling, *committing;
	struct rp_door_commit *commit;
	struct rp_door_rejects rejects;
	struct rp_door_slice slice;   /* under way, if `busy` */
	bool busy;                    /* a commit is under way */
	bool stirred;                 /* clients have spoken, or been answered, in this turn */
	unsigned gathered_turns;      /* that the next commit has waited for more */
	size_t requests_max;          /* in the next slice: less than all while room is short */
	bool is_full;                 /* the outbox had no room for a single request */
	bool is_away;                 /* the store could not be reached by the last commit */
	int64_t away_ms;              /* of the last wait for it */
	int64_t retry_at_ms;          /* boot time; 0: none, the next commit need not wait */
	struct rp_door_held *lookups; /* requests that read the outbox, between two commits */
	struct rp_door_held *unused;
	size_t n_held, n_waiting; /* in use; of them: whole ones that wait for a commit */
	uint64_t held_bytes;      /* bodies of those that wait for a commit */

	struct rp_door_counts counts;
	struct rp_buf text; /* the body of the answer at hand */
	int64_t check_at_ms, watchdog_at_ms, watchdog_ms;
	int64_t told_refusal_ms; /* when the log last told of a request that was refused unread */
	uint64_t n_refusals_untold;
	bool told_rejects;  /* that rejects are not kept */
	bool check_failed;  /* the last look at the outbox */
	enum rp_err failed; /* not RP_OK: no run is taken any more; `err` says why */
	struct rp_error err;
};

extern const struct rp_http_handler rp_door_handler;

/* Whether runs are held until the store takes them. */
static inline bool rp_door_holds(const struct rp_door *door)
{
	return door->is_full || door->is_away;
}

#define RP_DOOR_FAILED_REASON "a commit failed; the door starts again, send it again"

/* --- door_held.c --- */

/* One for the request at hand; NULL: out of memory, or too many wait already. */
struct rp_door_held *rp_door_hold(struct rp_door *door);
void rp_door_unhold(struct rp_door *door, struct rp_door_held *held);
void rp_door_free_unused(struct rp_door *door);

/* --- door_answers.c --- */

void rp_door_answer(struct rp_door *door, struct rp_http_connection *c, int status,
		    const char *extra_header_lines);
/* With the body of a refusal; counts it. Also for requests that were never judged. */
void rp_door_answer_no(struct rp_door *door, struct rp_http_connection *c,
		       const struct rp_door_refusal *no);
/* Answers and gives `held` back. Its runs begin at `from` of the batch, which was committed. */
void rp_door_answer_held(struct rp_door *door, const struct rp_door_batch *batch, size_t from,
			 struct rp_door_held *held);
void rp_door_answer_held_no(struct rp_door *door, struct rp_door_held *held, int status,
			    const char *code, const char *reason);
void rp_door_answer_lookup(struct rp_door *door, struct rp_door_held *held);

/* --- door_flow.c --- */

/* The whole request is in `held`: it is answered now or after its commit. */
void rp_door_submit(struct rp_door *door, struct rp_door_held *held);
void rp_door_submit_lookup(struct rp_door *door, struct rp_door_held *held);
/* Begins the next commit, if there is something to commit and none is under way. */
void rp_door_go_on(struct rp_door *door);
void rp_door_commit_ended(void *door);
/* Gives 503 to those that have waited too long for room, or for a store that is away, and tries
 * again. */
void rp_door_retry(struct rp_door *door);
/* Answers all that wait with 503, while no commit is under way. */
void rp_door_refuse_waiting(struct rp_door *door, const char *code, const char *reason);
/* The same, and the door takes no run any more and ends. */
void rp_door_fail(struct rp_door *door, enum rp_err code, const struct rp_error *why);
/* *why_not: a code; NULL when it is ready. */
bool rp_door_is_ready(const struct rp_door *door, const char **why_not);

/* --- door_tick.c --- */

void rp_door_tick(struct rp_door *door);
void rp_door_check_room(struct rp_door *door);

/* --- door_state.c --- */

/* After one of the times has changed at which something is to be done. */
void rp_door_set_tick(struct rp_door *door);
/* For those who look at the counts. */
void rp_door_show_now(struct rp_door *door);
/* Takes no new connection, and ends when the last one is gone. */
void rp_door_drain(struct rp_door *door);

#endif
