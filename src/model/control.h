/* control.h - how much one receiver, a path or a host, may be given: a window of requests that
 * follows its answers, a rate, and a circuit breaker. A value that is stored with the receiver, so
 * all senders share it and it survives them. It asks no clock.
 *
 * Window (after Postfix's scheduler): starts small, since nobody knows what a receiver can bear. A
 * good answer makes room for RP_WINDOW_OPENS requests more as long as nothing bad has come, so it
 * is four times as large after each window of answers: a receiver that is slow but well has 64
 * requests at once in its third round. Afterwards it makes room for 1/window more; a bad one takes
 * one away. Never below 1, never above the in_flight of its level; and it only grows while a
 * quarter of it is used (half, after trouble), or a trickle would open it wide.
 *
 * Rate: a token bucket that holds one second's worth, at least one token. Kept as one number, the
 * time at which the bucket is full again: GCRA (ITU-T I.371), which is exact and needs no
 * refilling. A token is taken with the claim and spent when the request begins, which must be
 * soon: it does not keep.
 *
 * Breaker: CLOSED -> OPEN when the last RP_BREAKER_STREAK outcomes were bad and so were
 * RP_BREAKER_SHARE percent of at least RP_BREAKER_OUTCOMES recent ones: a streak alone is bad luck
 * on a busy endpoint, a share alone is old news. OPEN: nothing is claimed until probe_at. Then
 * HALF_OPEN: one request at a time. An answer that is not bad closes the breaker and the window
 * starts small again; a bad outcome opens it for twice as long. A probe that tells nothing (its
 * sender died, our own trouble) is followed by another. A late success closes it in any state. */
#ifndef RP_MODEL_CONTROL_H
#define RP_MODEL_CONTROL_H

#include "model/outcome.h"

#define RP_WINDOW_START 5 /* Postfix: initial_destination_concurrency */
#define RP_WINDOW_OPENS 3 /* places more for each good answer while nothing bad has come */
/* A host that is new or has recovered: as much as one path may have by default. */
#define RP_HOST_WINDOW_START 10
/* The default limit of a host: as many as a path may ever have by default, several times over, and
 * a quarter of a sender's places. */
#define RP_HOST_IN_FLIGHT 64
#define RP_BREAKER_STREAK 5
#define RP_BREAKER_OUTCOMES 10
#define RP_BREAKER_SHARE 70
#define RP_BREAKER_RECENT_MS INT64_C(300000) /* what is older counts half, then a quarter, ... */
#define RP_BREAKER_PAUSE_MS INT64_C(30000)
#define RP_BREAKER_PAUSE_MAX_MS INT64_C(600000)
#define RP_CONTROL_NEVER INT64_MAX

/* count requests a period; count 0: as many as there are. A count of at most 10,000 a second keeps
 * the error of whole microseconds below 1 %, towards the slower. */
struct rp_rate {
	uint32_t count, period_ms;
};
#define RP_RATE_PER_SECOND_MAX 10000
#define RP_RATE_TEXT_MAX 24

/* "50/s", "10/m", "3/h". false: something else, zero, or more than 10,000 a second. */
bool rp_rate_parse(struct rp_span text, struct rp_rate *out);
/* "" for none. Returns out. */
const char *rp_rate_format(struct rp_rate rate, char out[RP_RATE_TEXT_MAX]);
unsigned rp_rate_burst(struct rp_rate rate); /* one second's worth, at least 1 */

/* What a claim takes from a bucket. */
struct rp_token {
	struct rp_rate rate; /* at that time; count 0: there was none, and no token was needed */
	int64_t taken_at_ms;
};

/* What the configuration allows on one level (model/level.h). */
struct rp_limits {
	unsigned in_flight; /* 1 or more */
	unsigned start;     /* the window a new or recovered endpoint begins with */
	struct rp_rate rate;
	bool breaker;
};

/* stored */
enum rp_breaker { RP_BREAKER_CLOSED = 0, RP_BREAKER_OPEN = 1, RP_BREAKER_HALF_OPEN = 2 };

/* All zero: an endpoint that nothing has been claimed from. */
struct rp_control {
	/* last applied; in_flight 0: none yet, or they are to be asked for anew */
	struct rp_limits limits;
	uint32_t window_permille; /* 0: nothing was ever applied */
	bool congested;           /* something bad came since the window started: it grows slowly */
	enum rp_breaker breaker;
	uint32_t bad_streak;               /* bad outcomes in a row */
	uint32_t recent, recent_bad;       /* outcomes that count, and the bad ones among them */
	int64_t recent_at_ms;              /* when the two were last halved */
	uint32_t pauses;                   /* in a row, without a recovery */
	enum rp_cause cause;               /* OPEN, HALF_OPEN: the outcome that opened it, */
	unsigned http_status;              /* and its status */
	int64_t opened_at_ms, probe_at_ms; /* OPEN, HALF_OPEN */
	int64_t full_at_us;                /* when the bucket is full again */
};

/* What an outcome tells about the receiver. NONE: nothing, the trouble was ours. NEUTRAL: it
 * answered, and does not want this one webhook. BAD: it cannot take more, or cannot be reached. */
enum rp_feedback { RP_FEEDBACK_NONE, RP_FEEDBACK_GOOD, RP_FEEDBACK_NEUTRAL, RP_FEEDBACK_BAD };
enum rp_feedback rp_feedback_of(enum rp_cause cause, unsigned http_status);

enum rp_control_change { RP_CONTROL_SAME, RP_CONTROL_OPENED, RP_CONTROL_PROBED, RP_CONTROL_CLOSED };

/* New limits hold from now on. With breaker off an open one is closed. true: something changed. */
bool rp_control_apply(struct rp_control *c, const struct rp_limits *limits);

/* How many requests may be in flight; UINT_MAX before an apply. */
unsigned rp_control_room(const struct rp_control *c);

/* The earliest time at which one more may be claimed while in_flight are; in the past: now.
 * RP_CONTROL_NEVER: not before one of these has ended. Before an apply: 0, since whoever looks
 * applies. */
int64_t rp_control_ready_at_ms(const struct rp_control *c, uint64_t in_flight);

/* One was claimed, at a time not before ready_at. PROBED: it is a probe. Its request begins within
 * begin_within_ms or not at all, and is charged as if it began then: so requests keep to the rate
 * on the wire whatever lies between claim and begin, however many senders claim, and in whatever
 * order they begin. At rates below two a second the next token comes later by that much. */
enum rp_control_change rp_control_claimed(struct rp_control *c, int64_t now_at_ms,
					  int64_t begin_within_ms);

/* The request of a claim did not begin. last_at_ms: when the endpoint was last claimed from, this
 * claim included; of the token so much comes back as nobody after it has profited from. */
void rp_control_token_return(struct rp_control *c, const struct rp_token *token,
			     int64_t last_at_ms);

/* An attempt has ended. in_flight: how many were, at most, since the last outcomes came in, this
 * one included. */
enum rp_control_change rp_control_settled(struct rp_control *c, enum rp_cause cause,
					  unsigned http_status, uint64_t in_flight,
					  int64_t now_at_ms);

/* The same for a host, whose outcomes are those of its paths (receiver.h), each bad path counted
 * once in a series. One or two bad paths are their own trouble and leave the window as it is. It
 * opens as a path does, and also when RP_BREAKER_STREAK paths have failed and its last delivery
 * (last_success_at_ms; 0: none) is RP_HOST_SILENT_MS ago: what was good before counts no more. */
#define RP_HOST_SEVERAL 3
#define RP_HOST_SILENT_MS INT64_C(10000)
enum rp_control_change rp_control_host_settled(struct rp_control *c, enum rp_cause cause,
					       unsigned http_status, uint64_t in_flight,
					       int64_t last_success_at_ms, int64_t now_at_ms);

/* Before an opened breaker holds up a whole backlog it is asked whether the limits of the last
 * claim still hold: a reload may have switched the breaker off since. */
bool rp_control_asks_again(enum rp_control_change change);
/* They are these. Result: the change that remains. */
enum rp_control_change rp_control_answered(struct rp_control *c, const struct rp_limits *limits);

/* An operator says that it is well again: an open breaker sends its probe now. */
void rp_control_probe_now(struct rp_control *c, int64_t now_at_ms);

/* Whoever looks next asks for the limits, whatever the old ones say. Answers that come before that
 * still count. */
void rp_control_renew(struct rp_control *c);

/* Times further ahead than any that are ever set come from before the clock was set back: nobody
 * waits for them. */
void rp_control_fix_clock(struct rp_control *c, int64_t now_at_ms);

/* From then on the rate remembers nothing. */
int64_t rp_control_full_at_ms(const struct rp_control *c);

/* "closed", "open", "half_open". */
const char *rp_breaker_name(enum rp_breaker breaker);

#endif
