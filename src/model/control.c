/* control.c - moves an endpoint's window, bucket and breaker. The state is a value, so the store
 * keeps it and tests need no store. */

#include "model/control.h"

#include <limits.h>
#include <stdio.h>

#include "base/assert.h"

#define PERMILLE 1000u
#define CLOCK_SLACK_MS                                                                             \
	INT64_C(                                                                                   \
	    60000) /* now is read before the write lock is waited for: others may be ahead so far */
#define RECENT_MAX 1000000u /* far above what a share needs; keeps the counters from wrapping */

/* --- rate --------------------------------------------------------------------------------- */

static const struct {
	char unit;
	uint32_t period_ms;
} periods[] = {{'s', 1000}, {'m', 60000}, {'h', 3600000}};

#define N_PERIODS (sizeof periods / sizeof periods[0])

static uint32_t period_of(char unit)
{
	size_t i;

	for (i = 0; i < N_PERIODS; i++)
		if (periods[i].unit == unit)
			return periods[i].period_ms;
	return 0;
}

bool rp_rate_parse(struct rp_span text, struct rp_rate *out)
{
	uint64_t count = 0, max;
	uint32_t period_ms;
	size_t i;

	if (text.len < 3 || text.ptr[text.len - 2] != '/')
		return false;
	period_ms = period_of(text.ptr[text.len - 1]);
	max = (uint64_t)RP_RATE_PER_SECOND_MAX * period_ms / 1000;
	for (i = 0; i < text.len - 2 && count <= max; i++) {
		if (text.ptr[i] < '0' || text.ptr[i] > '9')
			return false;
		count = count * 10 + (uint64_t)(text.ptr[i] - '0');
	}
	if (count == 0 || count > max)
		return false;
	*out = (struct rp_rate){(uint32_t)count, period_ms};
	return true;
}

const char *rp_rate_format(struct rp_rate rate, char out[RP_RATE_TEXT_MAX])
{
	size_t i;

	out[0] = '\0';
	for (i = 0; rate.count > 0 && i < N_PERIODS; i++)
		if (periods[i].period_ms == rate.period_ms)
			snprintf(out, RP_RATE_TEXT_MAX, "%u/%c", rate.count, periods[i].unit);
	return out;
}

unsigned rp_rate_burst(struct rp_rate rate)
{
	uint64_t a_second = rate.period_ms > 0 ? (uint64_t)rate.count * 1000 / rate.period_ms : 0;

	return a_second > 1 ? (unsigned)a_second : 1;
}

/* Rounded up: never faster than asked for. */
static int64_t interval_us(struct rp_rate rate)
{
	return ((int64_t)rate.period_ms * 1000 + rate.count - 1) / rate.count;
}

/* The bucket has a token when it lacks at most burst - 1. */
static int64_t token_at_ms(const struct rp_control *c)
{
	int64_t at_us;

	if (c->limits.rate.count == 0)
		return INT64_MIN;
	at_us = c->full_at_us -
		(int64_t)(rp_rate_burst(c->limits.rate) - 1) * interval_us(c->limits.rate);
	return at_us > 0 ? (at_us + 999) / 1000 : 0;
}

static void take_token(struct rp_control *c, int64_t begins_at_ms)
{
	int64_t begins_us = begins_at_ms * 1000;

	if (c->limits.rate.count == 0)
		return;
	if (c->full_at_us < begins_us)
		c->full_at_us = begins_us;
	c->full_at_us += interval_us(c->limits.rate);
}

/* --- window ------------------------------------------------------------------------------- */

static uint32_t window_max(const struct rp_control *c)
{
	return c->limits.in_flight > 0 ? c->limits.in_flight * PERMILLE : UINT32_MAX;
}

static uint32_t window_first(const struct rp_control *c)
{
	unsigned start =
	    c->limits.start < c->limits.in_flight ? c->limits.start : c->limits.in_flight;

	return (start > 0 ? start : 1) * PERMILLE;
}

static void window_start(struct rp_control *c)
{
	c->window_permille = window_first(c);
	c->congested = false;
}

static void window_follow(struct rp_control *c, enum rp_feedback feedback, uint64_t in_flight)
{
	uint32_t window = c->window_permille;

	if (feedback == RP_FEEDBACK_BAD) {
		c->congested = true;
		c->window_permille = window > 2 * PERMILLE ? window - PERMILLE : PERMILLE;
	} else if (feedback == RP_FEEDBACK_GOOD &&
		   window < (c->congested ? 2 : 1 + RP_WINDOW_OPENS) * in_flight * PERMILLE) {
		window +=
		    c->congested ? PERMILLE * PERMILLE / window + 1 : RP_WINDOW_OPENS * PERMILLE;
		c->window_permille = window < window_max(c) ? window : window_max(c);
	}
}

/* --- breaker ------------------------------------------------------------------------------ */

static void recent_count(struct rp_control *c, bool bad, int64_t now_at_ms)
{
	int64_t spans = (now_at_ms - c->recent_at_ms) / RP_BREAKER_RECENT_MS;

	if (c->recent == 0 || spans < 0) {
		c->recent_at_ms = now_at_ms;
	} else if (spans > 0) {
		c->recent = spans < 32 ? c->recent >> spans : 0;
		c->recent_bad = spans < 32 ? c->recent_bad >> spans : 0;
		c->recent_at_ms += spans * RP_BREAKER_RECENT_MS;
	}
	if (c->recent >= RECENT_MAX) {
		c->recent /= 2;
		c->recent_bad /= 2;
	}
	c->recent++;
	c->recent_bad += bad;
}

static bool should_open(const struct rp_control *c, bool silent)
{
	bool most_are_bad = c->recent >= RP_BREAKER_OUTCOMES &&
			    (uint64_t)c->recent_bad * 100 >= (uint64_t)c->recent * RP_BREAKER_SHARE;

	return c->limits.breaker && c->bad_streak >= RP_BREAKER_STREAK && (silent || most_are_bad);
}

static void breaker_open(struct rp_control *c, enum rp_cause cause, unsigned http_status,
			 int64_t now_at_ms)
{
	int64_t pause_ms = RP_BREAKER_PAUSE_MS;
	uint32_t i;

	for (i = 0; i < c->pauses && pause_ms < RP_BREAKER_PAUSE_MAX_MS; i++)
		pause_ms *= 2;
	if (pause_ms > RP_BREAKER_PAUSE_MAX_MS)
		pause_ms = RP_BREAKER_PAUSE_MAX_MS;
	if (c->breaker == RP_BREAKER_CLOSED)
		c->opened_at_ms = now_at_ms;
	c->breaker = RP_BREAKER_OPEN;
	c->cause = cause;
	c->http_status = http_status;
	c->probe_at_ms = now_at_ms + pause_ms;
	c->pauses += c->pauses < UINT32_MAX;
}

static void breaker_close(struct rp_control *c)
{
	c->breaker = RP_BREAKER_CLOSED;
	c->cause = RP_CAUSE_NONE;
	c->http_status = 0;
	c->opened_at_ms = c->probe_at_ms = 0;
	c->pauses = c->bad_streak = c->recent = c->recent_bad = 0;
	window_start(c);
}

/* --- the whole ---------------------------------------------------------------------------- */

enum rp_feedback rp_feedback_of(enum rp_cause cause, unsigned http_status)
{
	switch (cause) {
	case RP_CAUSE_NONE:
		return RP_FEEDBACK_GOOD;
	case RP_CAUSE_TIMEOUT:
	case RP_CAUSE_DNS:
	case RP_CAUSE_CONNECT:
	case RP_CAUSE_TLS:
	case RP_CAUSE_TLS_EXPIRED:
	case RP_CAUSE_TLS_NAME:
	case RP_CAUSE_TLS_ISSUER:
	case RP_CAUSE_TLS_VERSION:
	case RP_CAUSE_TLS_PIN:
	case RP_CAUSE_TLS_CLIENT_CERT:
	case RP_CAUSE_TLS_TIMEOUT:
	case RP_CAUSE_RESET:
		return RP_FEEDBACK_BAD;
	case RP_CAUSE_HTTP:
		return http_status == 429 || http_status == 502 || http_status == 503 ||
			       http_status == 504
			   ? RP_FEEDBACK_BAD
			   : RP_FEEDBACK_NEUTRAL;
	case RP_CAUSE_PROTOCOL:
	case RP_CAUSE_GONE:
	case RP_CAUSE_REFUSED:
		return RP_FEEDBACK_NEUTRAL;
	case RP_CAUSE_BLOCKED_ADDRESS:
	case RP_CAUSE_BLOCKED_SCHEME:
	case RP_CAUSE_BLOCKED_PORT:
	case RP_CAUSE_EXPIRED:
	case RP_CAUSE_EXHAUSTED:
	case RP_CAUSE_PERMANENT:
	case RP_CAUSE_DAMAGED:
	case RP_CAUSE_POISON:
	case RP_CAUSE_SENDER_LOST:
	case RP_CAUSE_NO_KEY:
	case RP_CAUSE_BAD_URL:
	case RP_CAUSE_LOCAL:
	case RP_CAUSE_OPERATOR:
	case RP_CAUSE_MAX_:
		break;
	}
	return RP_FEEDBACK_NONE;
}

static bool is_same_rate(struct rp_rate a, struct rp_rate b)
{
	return a.count == b.count && a.period_ms == b.period_ms;
}

static bool is_same(const struct rp_control *a, const struct rp_control *b)
{
	return a->limits.in_flight == b->limits.in_flight && a->limits.start == b->limits.start &&
	       is_same_rate(a->limits.rate, b->limits.rate) &&
	       a->limits.breaker == b->limits.breaker && a->window_permille == b->window_permille &&
	       a->breaker == b->breaker && a->full_at_us == b->full_at_us;
}

bool rp_control_apply(struct rp_control *c, const struct rp_limits *limits)
{
	const struct rp_control before = *c;

	assert(limits->in_flight > 0);
	c->limits = *limits;
	if (!is_same_rate(before.limits.rate, limits->rate))
		c->full_at_us = 0;
	/* Only bad outcomes make it smaller than at first: not a limit that was lower for a
	 * while. */
	if (!c->congested && c->window_permille < window_first(c))
		window_start(c);
	if (c->window_permille > window_max(c))
		c->window_permille = window_max(c);
	if (!limits->breaker && c->breaker != RP_BREAKER_CLOSED)
		breaker_close(c);
	return !is_same(&before, c);
}

unsigned rp_control_room(const struct rp_control *c)
{
	if (c->breaker != RP_BREAKER_CLOSED)
		return 1;
	return c->limits.in_flight > 0 ? c->window_permille / PERMILLE : UINT_MAX;
}

int64_t rp_control_ready_at_ms(const struct rp_control *c, uint64_t in_flight)
{
	int64_t at_ms = token_at_ms(c);

	if (c->limits.in_flight == 0)
		return 0;
	if (in_flight >= rp_control_room(c))
		return RP_CONTROL_NEVER;
	if (c->breaker == RP_BREAKER_OPEN && c->probe_at_ms > at_ms)
		at_ms = c->probe_at_ms;
	return at_ms;
}

enum rp_control_change rp_control_claimed(struct rp_control *c, int64_t now_at_ms,
					  int64_t begin_within_ms)
{
	take_token(c, now_at_ms + begin_within_ms);
	if (c->breaker == RP_BREAKER_CLOSED)
		return RP_CONTROL_SAME;
	c->breaker = RP_BREAKER_HALF_OPEN;
	return RP_CONTROL_PROBED;
}

/* Had the token never been taken, a claim after it could have met a full bucket, of which a part
 * of an interval is lost: no more than has passed between the two. */
void rp_control_token_return(struct rp_control *c, const struct rp_token *token, int64_t last_at_ms)
{
	int64_t back_us;

	if (token->rate.count == 0 || token->rate.count != c->limits.rate.count ||
	    token->rate.period_ms != c->limits.rate.period_ms || last_at_ms < token->taken_at_ms)
		return; /* a new rate, or a clock that was set back, began anew */
	back_us = interval_us(token->rate) - (last_at_ms - token->taken_at_ms) * 1000;
	if (back_us > 0)
		c->full_at_us -= back_us < c->full_at_us ? back_us : c->full_at_us;
}

/* Whose outcomes these are: a path's own, or a host's of its paths. */
struct rule {
	bool silent;           /* nothing good has come for so long that its share is old news */
	uint32_t window_after; /* bad outcomes in a row before the window follows one */
};

static enum rp_control_change settled(struct rp_control *c, const struct rule *rule,
				      const struct rp_outcome *o, uint64_t in_flight,
				      int64_t now_at_ms)
{
	enum rp_feedback feedback = rp_feedback_of(o->cause, o->http_status);
	bool bad = feedback == RP_FEEDBACK_BAD;

	if (feedback == RP_FEEDBACK_NONE || c->window_permille == 0)
		return RP_CONTROL_SAME;
	if (c->breaker == RP_BREAKER_OPEN && feedback != RP_FEEDBACK_GOOD)
		return RP_CONTROL_SAME; /* begun before it opened: old news */
	if (c->breaker != RP_BREAKER_CLOSED && !bad) {
		breaker_close(c);
		return RP_CONTROL_CLOSED;
	}
	recent_count(c, bad, now_at_ms);
	c->bad_streak = bad ? c->bad_streak + (c->bad_streak < UINT32_MAX) : 0;
	if (c->breaker == RP_BREAKER_HALF_OPEN || should_open(c, rule->silent)) {
		breaker_open(c, o->cause, o->http_status, now_at_ms);
		return RP_CONTROL_OPENED;
	}
	if (!bad || c->bad_streak > rule->window_after)
		window_follow(c, feedback, in_flight);
	return RP_CONTROL_SAME;
}

enum rp_control_change rp_control_settled(struct rp_control *c, enum rp_cause cause,
					  unsigned http_status, uint64_t in_flight,
					  int64_t now_at_ms)
{
	const struct rp_outcome o = {.cause = cause, .http_status = http_status};
	const struct rule own = {.window_after = 0};

	return settled(c, &own, &o, in_flight, now_at_ms);
}

enum rp_control_change rp_control_host_settled(struct rp_control *c, enum rp_cause cause,
					       unsigned http_status, uint64_t in_flight,
					       int64_t last_success_at_ms, int64_t now_at_ms)
{
	const struct rp_outcome o = {.cause = cause, .http_status = http_status};
	const struct rule of_paths = {.silent = last_success_at_ms > 0 &&
						now_at_ms - last_success_at_ms >= RP_HOST_SILENT_MS,
				      .window_after = RP_HOST_SEVERAL - 1};

	return settled(c, &of_paths, &o, in_flight, now_at_ms);
}

bool rp_control_asks_again(enum rp_control_change change)
{
	return change == RP_CONTROL_OPENED;
}

enum rp_control_change rp_control_answered(struct rp_control *c, const struct rp_limits *limits)
{
	rp_control_apply(c, limits);
	return c->breaker == RP_BREAKER_CLOSED ? RP_CONTROL_SAME : RP_CONTROL_OPENED;
}

void rp_control_probe_now(struct rp_control *c, int64_t now_at_ms)
{
	if (c->breaker == RP_BREAKER_OPEN && c->probe_at_ms > now_at_ms)
		c->probe_at_ms = now_at_ms;
}

void rp_control_fix_clock(struct rp_control *c, int64_t now_at_ms)
{
	int64_t latest_at_ms = now_at_ms + CLOCK_SLACK_MS, bucket_us;

	if (c->probe_at_ms > latest_at_ms + RP_BREAKER_PAUSE_MAX_MS)
		c->probe_at_ms = now_at_ms;
	bucket_us = c->limits.rate.count > 0
			? rp_rate_burst(c->limits.rate) * interval_us(c->limits.rate)
			: 0;
	if (c->full_at_us > latest_at_ms * 1000 + bucket_us)
		c->full_at_us = 0;
}

int64_t rp_control_full_at_ms(const struct rp_control *c)
{
	return c->limits.rate.count > 0 ? (c->full_at_us + 999) / 1000 : 0;
}

void rp_control_renew(struct rp_control *c)
{
	c->limits.in_flight = 0;
}

const char *rp_breaker_name(enum rp_breaker breaker)
{
	static const char *const names[] = {
	    [RP_BREAKER_CLOSED] = "closed",
	    [RP_BREAKER_OPEN] = "open",
	    [RP_BREAKER_HALF_OPEN] = "half_open",
	};

	return names[breaker];
}
