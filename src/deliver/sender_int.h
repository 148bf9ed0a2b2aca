/* sender_int.h - what the files of the sender share. Nobody else includes it.
 *
 * sender.c: the step, the loop, the sender's beginning and end. sender_settings.c: which settings
 * are in force, and which are still needed. sender_attempt.c: a claim becomes a request, its
 * answer a result. sender_turn.c: results and claims go to the store and back. sender_house.c:
 * what else the outbox asks of a sender. sender_log.c: what it says of results. sender_list.c:
 * lists of claims. */
#ifndef RP_DELIVER_SENDER_INT_H
#define RP_DELIVER_SENDER_INT_H

#include "deliver/attempt.h"
#include "deliver/pace.h"
#include "deliver/sender.h"
#include "deliver/turner.h"

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
	struct rp_turn turn;
	struct rp_sender_list settling; /* what the turn under way settles */
	bool turn_under_way;            /* at the turner */
	/* the turn under way may not have seen what the bell was rung for */
	bool rung_meanwhile;
	uint64_t random[32]; /* the first n_random are not used yet */
	size_t n_random;
	int outbox_fd;
	int64_t look_at_ms;       /* when something may be claimed */
	int64_t beat_boot_ms;     /* last heartbeat */
	int64_t turn_boot_ms;     /* last turn */
	int64_t claimed_boot_ms;  /* last one that claimed something */
	int64_t finished_boot_ms; /* when the oldest of `finished` came */
	int64_t jobs_at_ms;       /* when a job goes on; RP_LOOK_NEVER: none runs */
	int64_t jobs_boot_ms;     /* last look at them */
	int64_t expire_boot_ms;   /* next look for entries past their keep time */
	/* after a sender ended: next look, and the last */
	int64_t reap_boot_ms, reap_until_boot_ms;
	/* when the grace of a stop ends; 0: not stopping */
	int64_t stop_boot_ms;
	int64_t stopped_boot_ms;        /* when it was asked to stop */
	int64_t now_at_ms, now_boot_ms; /* this step's */
	/* over what the outbox holds, after the wall clock was set back */
	struct rp_clock_walk clock_walk;
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

/* sender_list.c. Pop: NULL when it is empty. */
void rp_sender_list_init(struct rp_sender_list *l);
void rp_sender_list_push(struct rp_sender_list *l, struct rp_sender_job *j);
void rp_sender_list_push_first(struct rp_sender_list *l, struct rp_sender_job *j);
struct rp_sender_job *rp_sender_list_pop(struct rp_sender_list *l);

/* sender_settings.c. Put in force: takes over `owned`, also on failure. Discard unused: those that
 * no request needs any more; release: all, at the end. */
enum rp_err rp_sender_put_in_force(struct rp_sender *s, const struct rp_settings *settings,
				   struct rp_settings *owned, struct rp_error *err);
void rp_sender_discard_unused(struct rp_sender *s);
void rp_sender_release_settings(struct rp_sender *s);

/* sender_attempt.c. Start ready: begins what is claimed, as far as there are places and credit.
 * Return ready: what was not begun goes back with the next turn. Drop after stall: the same, when
 * others may have taken it meanwhile. */
int64_t rp_sender_next_start_ms(const struct rp_sender *s); /* -1: not before something happens */
enum rp_err rp_sender_start_ready(struct rp_sender *s, struct rp_error *err);
/* the transport's `done` */
void rp_sender_on_done(void *arg, void *owner, const struct rp_outcome *outcome);
void rp_sender_return_ready(struct rp_sender *s);
void rp_sender_return_late(struct rp_sender *s); /* those whose tokens are forfeited */
bool rp_sender_is_stalled(const struct rp_sender *s, int64_t since_boot_ms);
void rp_sender_drop_after_stall(struct rp_sender *s);

/* sender_turn.c. Take: begins one, or takes it at once when nothing could go on meanwhile. End:
 * the one under way, if there is one and it is over, or `wait`. Settle rest: the last turns of a
 * sender that stops. Next: milliseconds, as pace.h. */
enum rp_err rp_sender_take_turn(struct rp_sender *s, struct rp_error *err);
enum rp_err rp_sender_end_turn(struct rp_sender *s, bool wait, struct rp_error *err);
enum rp_err rp_sender_settle_rest(struct rp_sender *s, struct rp_error *err);
int64_t rp_sender_next_turn_ms(const struct rp_sender *s);
bool rp_sender_wants_more(const struct rp_sender *s);
void rp_sender_return_surplus(struct rp_sender *s);

/* sender_house.c */
enum rp_err rp_sender_keep_house(struct rp_sender *s, struct rp_error *err);
enum rp_err rp_sender_reap(struct rp_sender *s, struct rp_error *err);
enum rp_err rp_sender_mind_clock(struct rp_sender *s, struct rp_error *err);
enum rp_err rp_sender_is_drained(struct rp_sender *s, bool *drained, struct rp_error *err);

/* sender_log.c */
void rp_sender_log_settled(const struct rp_sender_job *j);
void rp_sender_log_lack(struct rp_sender *s, const char *what); /* of one, until it is over */
void rp_sender_log_breaker(struct rp_sender *s, const struct rp_sender_job *j,
			   enum rp_control_change change);

#endif
