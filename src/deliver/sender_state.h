/* sender_state.h - private to src/deliver: what a sender consists of. */
#ifndef RP_DELIVER_SENDER_STATE_H
#define RP_DELIVER_SENDER_STATE_H

#include "deliver/attempt.h"
#include "deliver/batching.h"
#include "deliver/sender.h"
#include "deliver/exchange_thread.h"

#define BEAT_MS 1000 /* heartbeat and look at the other senders */

/* Settings that are in force, or were when requests began that are still under way. */
struct rp_sender_settings {
	struct rp_sender_settings *older;
	const struct rp_settings *settings;
	struct rp_settings *owned; /* NULL: they are the caller's */
	size_t requests;           /* under way with a policy of these */
};

/* What a request needs while it is under way: some kilobytes. Those given back last are taken
 * first, so that a sender whose receivers are fast stays with a few of them, which fit into a
 * processor's cache. */
struct rp_sender_place {
	struct rp_sender_place *next;
	struct rp_sender *sender;
	struct rp_dispatch dispatch;
	struct rp_attempt_request attempt;
	struct rp_piece piece; /* of a long payload, which is read again while it is sent */
};

/* One claim from turn to settle. */
struct rp_sender_job {
	struct rp_sender_job *next;
	struct rp_sender_settings *generation; /* of the request under way */
	struct rp_sender_place *place;         /* NULL: no request is under way */
	struct rp_claim claim;
	bool id_known;
	unsigned char id[RP_ID_BYTES];
	struct rp_outcome outcome;
	struct rp_settlement settlement;
	int64_t started_at_ms, begun_boot_ms;
	int64_t claimed_boot_ms, begin_within_ms; /* when its turn began, and what that was told */
};

struct rp_sender_list {
	struct rp_sender_job *first, **end;
	size_t n;
};

struct rp_sender {
	struct rp_sender_options o; /* its settings are those in force */
	struct rp_sender_id id;
	struct rp_sender_settings *newest;
	struct rp_sender_job *jobs;
	size_t n_jobs;
	struct rp_sender_place *places, *free_places; /* as many as requests may be under way */
	struct rp_sender_list idle, ready, finished;
	/* claimed like `ready`, with tokens that do not keep: these begin first */
	struct rp_sender_list metered;
	/* between their claim and their begin, of late (rp_lag_follow) */
	int64_t lag_ms;
	size_t given_back;          /* of those finished: never begun */
	struct rp_buf long_payload; /* while its request is made ready; it is one at a time */
	size_t running;
	struct rp_places room; /* how many may run */
	bool short_of;         /* told, and not over yet */
	char hopeless
	    [RP_DETAIL_TEXT_MAX]; /* not "": what not even one request can be had for lack of */
	struct rp_fresh fresh;    /* of those running */
	struct rp_credit credit;  /* for those that are ready */
	/* how long the oldest of `finished` may wait for company */
	int64_t hold_ms;
	struct rp_settlement *settlements; /* of a turn */
	struct rp_claim *claims;
	struct rp_turner *turner; /* NULL: turns are taken in the loop */
	struct rp_exchange turn;
	struct rp_sender_list settling; /* what the turn under way settles */
	bool turn_under_way;            /* at the turner */
	/* the turn under way may not have seen what the bell was rung for */
	bool rung_meanwhile;
	uint64_t random[32]; /* the first n_random are not used yet */
	size_t n_random;
	int outbox_fd;
	int64_t ready_at_ms;      /* when something may be claimed */
	int64_t beat_boot_ms;     /* last heartbeat */
	int64_t turn_boot_ms;     /* last turn */
	int64_t claimed_boot_ms;  /* last one that claimed something */
	int64_t finished_boot_ms; /* when the oldest of `finished` came */
	int64_t jobs_at_ms;       /* when a job goes on; RP_NEVER: none runs */
	int64_t jobs_boot_ms;     /* last look at them */
	int64_t expire_boot_ms;   /* next look for entries past their keep time */
	/* after a sender ended: next look, and the last */
	int64_t reap_boot_ms, reap_until_boot_ms;
	/* when the grace of a stop ends; 0: not stopping */
	int64_t stop_boot_ms;
	int64_t stopped_boot_ms;        /* when it was asked to stop */
	int64_t now_at_ms, now_boot_ms; /* this step's */
	/* over what the outbox holds, after the wall clock was set back */
	struct rp_clock_fix clock_fix;
	struct rp_sender_counts counts;
};

static inline bool rp_sender_has_place(const struct rp_sender *s)
{
	return rp_places_next_ms(&s->room, s->running, s->now_boot_ms) == 0;
}

/* Claimed, and waiting for a place only. */
static inline size_t rp_sender_n_ready(const struct rp_sender *s)
{
	return s->ready.n + s->metered.n;
}

/* How many claims go ahead of the requests at least: half as many again as may run. */
static inline size_t rp_sender_ahead(const struct rp_sender *s)
{
	return (s->room.now + 1) / 2;
}

#endif
