/* sender_state.h - private to src/deliver: what a sender consists of. */
#ifndef RP_DELIVER_SENDER_STATE_H
#define RP_DELIVER_SENDER_STATE_H

#include "run/trace.h"
#include "deliver/attempt.h"
#include "deliver/concurrency.h"
#include "deliver/credit.h"
#include "deliver/exchange_thread.h"
#include "deliver/fresh_requests.h"
#include "deliver/sender.h"

#define HEARTBEAT_MS 1000 /* between heartbeats, each with a look for dead senders */

/* One generation of settings: those in force, or older ones that requests under way need yet. */
struct rp_sender_settings {
	struct rp_sender_settings *older;
	const struct rp_settings *settings;
	struct rp_settings *owned; /* NULL: they are the caller's */
	size_t requests;           /* requests under way with a policy of these settings */
};

/* The memory of one request under way: some kilobytes. The buffer given back last is taken first.
 * So a sender whose receivers are fast uses few buffers, and these fit into a processor's cache. */
struct rp_sender_buffer {
	struct rp_sender_buffer *next;
	struct rp_sender *sender;
	struct rp_dispatch dispatch;
	struct rp_attempt_request attempt;
	struct rp_piece piece; /* of a long payload, which is read again while it is sent */
};

struct rp_sender_list {
	struct rp_sender_claim *first, **end;
	size_t n;
};

/* A path, section or host at which this sender has claims (sender_places.h). */
struct rp_sender_node {
	struct rp_sender_node *next; /* in its bucket, or of those not in use */
	uint64_t id;
	size_t n_claims;             /* not settled */
	size_t n_placed;             /* of these, with a place that a request may need yet */
	size_t n_delivered;          /* since the last exchange that asked */
	size_t n_lately;             /* the most that one exchange brought of late */
	bool wanted;                 /* others wait for a place, as the last claim said */
	struct rp_sender_list ahead; /* wait for a place here; the oldest first */
};

/* One claim, from the exchange that takes it to the exchange that settles it. */
struct rp_sender_claim {
	struct rp_sender_claim *next;
	struct rp_sender_settings *generation; /* of the request under way */
	struct rp_sender_buffer *buffer;       /* NULL: no request is under way */
	struct rp_claim claim;
	bool id_known;
	unsigned char id[RP_ID_BYTES];
	char trace[RP_TRACE_ID_DIGITS + 1]; /* the id of its trace; "": none */
	struct rp_outcome outcome;
	struct rp_settlement settlement;
	int64_t started_at_ms, begun_boot_ms;
	int64_t claimed_boot_ms; /* when its exchange began */
	int64_t begin_within_ms; /* what that exchange promised the store */

	/* Places */
	uint64_t number;                      /* claims are numbered in the order they came */
	struct rp_sender_node *at[RP_LEVELS]; /* NULL: not on this level */
	struct rp_sender_node *waits_at;      /* for a place there; NULL: it has its places */
	bool over;                            /* finished, or being settled */
	/* which claim it left its places to, or has them from; NULL: none */
	struct rp_sender_claim *to, *from;
};

struct rp_sender {
	struct rp_sender_options o; /* its settings are those in force */
	struct rp_sender_id id;
	struct rp_sender_settings *newest;

	/* Each claim is on one list, or has a request under way. */
	struct rp_sender_claim *claims;
	size_t n_claims;
	struct rp_sender_list idle;     /* not in use */
	struct rp_sender_list ready;    /* claimed, not begun */
	struct rp_sender_list metered;  /* the same, with tokens, which expire: these begin first */
	struct rp_sender_list finished; /* to be settled by the next exchange */
	struct rp_sender_list settling; /* being settled by the exchange under way */
	struct rp_sender_list in_vain;  /* waited for a place in vain: to be given back at once */
	size_t n_returned;              /* of those finished: never begun */
	size_t n_unproven; /* neither idle nor settling: of hosts that have not proven themselves */

	/* Claims ahead of their places */
	struct rp_sender_node *nodes, *free_nodes, **buckets;
	size_t n_buckets;   /* a power of two */
	size_t n_ahead;     /* wait for a place */
	size_t n_ahead_got; /* with the last exchange that asked for some */
	uint64_t n_numbered;
	int64_t ahead_boot_ms; /* the last look for those that have waited too long */

	/* Requests */
	size_t running;
	struct rp_sender_buffer *buffers, *free_buffers; /* in_flight of the options */
	struct rp_concurrency concurrency;
	struct rp_credit credit;
	struct rp_fresh_requests fresh;
	int64_t claim_lag_ms; /* of metered claims, as rp_claim_lag_follow keeps it */
	bool shortage_told;   /* the log says that the concurrency is below its maximum */
	/* why not even one request can begin; "": requests can */
	char cannot_begin[RP_DETAIL_TEXT_MAX];
	struct rp_buf long_payload; /* while its request is made ready; one at a time */
	uint64_t random[32];        /* the first n_random are not used yet */
	size_t n_random;

	/* Exchanges */
	struct rp_exchange_thread *exchange_thread; /* NULL: exchanges are made in the loop */
	struct rp_exchange exchange;
	struct rp_settlement *exchange_settlements;
	struct rp_claim *exchange_claims;
	struct rp_claim_ahead *exchange_ahead;
	bool exchange_under_way; /* on the thread */
	bool woken_meanwhile;    /* the exchange under way may not have seen the new work */
	int outbox_fd;
	int64_t ready_at_ms;      /* when something may be claimed */
	int64_t hold_ms;          /* the least rp_batching_hold_ms of `finished` */
	int64_t finished_boot_ms; /* when the oldest of `finished` came */
	int64_t exchange_boot_ms; /* the last exchange */
	int64_t claimed_boot_ms;  /* the last exchange that claimed something */

	/* What appends hand over */
	size_t offered;          /* claims in all, as it was said; 0: none */
	int64_t offered_boot_ms; /* when it was said */
	uint64_t taken_to; /* entries below this number were not handed to it, or were taken */
	bool withdrawn;    /* nothing more will be */

	/* Maintenance */
	int64_t heartbeat_boot_ms; /* the last heartbeat */
	int64_t jobs_at_ms;        /* when an operator's job goes on; RP_NEVER: none runs */
	int64_t jobs_boot_ms;      /* the last look at the jobs */
	int64_t expire_boot_ms;    /* the next look for entries past their keep time */
	/* after a sender ended: the next look for its claims, and the last one */
	int64_t reap_boot_ms, reap_until_boot_ms;
	struct rp_clock_fix clock_fix; /* of the outbox, after the wall clock was set back */
	struct rp_renewal renewal;     /* of limits, after a change of the configuration */

	/* A store that is away */
	int64_t away_ms;            /* the last wait for it; 0: it answers */
	int64_t away_until_boot_ms; /* when it is asked again */

	/* Stop */
	int64_t stop_boot_ms;    /* when the grace of a stop ends; 0: not stopping */
	int64_t stopped_boot_ms; /* when it was told to stop */

	int64_t now_at_ms, now_boot_ms; /* the time of this step */
	struct rp_sender_counts counts;
};

/* Whether the concurrency allows one more request now. */
static inline bool rp_sender_has_capacity(const struct rp_sender *s)
{
	return rp_concurrency_next_ms(&s->concurrency, s->running, s->now_boot_ms) == 0;
}

/* Claims that only wait for their begin. */
static inline size_t rp_sender_n_ready(const struct rp_sender *s)
{
	return s->ready.n + s->metered.n;
}

/* How many claims are taken ahead of the requests at least: half as many as may run. */
static inline size_t rp_sender_prefetch(const struct rp_sender *s)
{
	return (s->concurrency.limit + 1) / 2;
}

#endif
