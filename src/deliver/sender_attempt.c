/* sender_attempt.c - makes requests of claims, and results of answers. It is apart from
 * sender_exchange.c because nothing here waits for a commit. */

#include "deliver/sender_attempt.h"

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>

#include "base/assert.h"
#include "base/log.h"
#include "model/retry.h"
#include "model/start.h"
#include "deliver/batching.h"
#include "deliver/claim_lag.h"
#include "deliver/sender_list.h"
#include "deliver/sender_log.h"
#include "deliver/sender_places.h"
#include "deliver/sender_settings.h"

/* No claim begins when its lease may end within this time. */
#define LEASE_MARGIN_MS 1000
/* Payloads up to this size stay in memory until they are answered. */
#define SHORT_PAYLOAD_BYTES ((size_t)64 << 10)
#define KEPT_TEXT_BYTES ((size_t)16 << 10) /* a free buffer keeps so much for its next payload */
#define NO_KEY_WAIT_MS 60000 /* an endpoint without a valid key is asked again after this time */
#define NO_PORT_WAIT_MS 1000 /* the same, when no local port towards it is free */
/* So much of the body of a 2xx answer is kept. Failures keep all of RP_RESPONSE_HEAD_MAX. */
#define SUCCESS_RESPONSE_MAX 64

/* --- buffers ------------------------------------------------------------------------------ */

static struct rp_sender_buffer *take_buffer(struct rp_sender *s)
{
	struct rp_sender_buffer *b = s->free_buffers;

	assert(b != NULL); /* fewer requests are under way than there are buffers */
	s->free_buffers = b->next;
	return b;
}

/* The payload is not needed any more once the request is over. Large payloads must not pile up in
 * free buffers. */
static void give_buffer_back(struct rp_sender *s, struct rp_sender_buffer *b)
{
	if (b->dispatch.text.cap > KEPT_TEXT_BYTES)
		rp_buf_release(&b->dispatch.text);
	b->next = s->free_buffers;
	s->free_buffers = b;
}

/* --- the end of a request ----------------------------------------------------------------- */

static void push_one(struct rp_sender *s, struct rp_sender_claim *c, enum rp_settle_kind kind)
{
	int64_t hold_ms;

	c->settlement = (struct rp_settlement){
	    .seq = c->claim.seq,
	    .endpoint = c->claim.endpoint,
	    .claim_no = c->claim.claim_no,
	    .attempt = c->claim.attempt,
	    .kind = kind,
	    .started_at_ms = c->started_at_ms,
	};
	if (kind == RP_SETTLE_RETURN || kind == RP_SETTLE_PARK)
		c->settlement.tokens = c->claim.tokens;
	else
		c->settlement.outcome = &c->outcome;
	rp_sender_places_finished(s, c);
	hold_ms = rp_batching_hold_ms(c->claim.blocking && c->to == NULL, c->outcome.duration_us);
	if (s->finished.n == 0) {
		s->finished_boot_ms = s->now_boot_ms;
		s->hold_ms = hold_ms;
	}
	if (hold_ms < s->hold_ms)
		s->hold_ms = hold_ms;
	s->n_returned += kind == RP_SETTLE_RETURN;
	rp_sender_list_push(&s->finished, c);
}

void rp_sender_return_in_vain(struct rp_sender *s)
{
	struct rp_sender_claim *c;

	while ((c = rp_sender_list_pop(&s->in_vain)) != NULL)
		push_one(s, c, RP_SETTLE_RETURN);
}

/* Others may have waited for a place of this one. */
static void push_finished(struct rp_sender *s, struct rp_sender_claim *c, enum rp_settle_kind kind)
{
	push_one(s, c, kind);
	rp_sender_return_in_vain(s);
}

/* For the jitter of retries. Each call of the system gives many numbers. */
static uint64_t next_random(struct rp_sender *s)
{
	if (s->n_random == 0) {
		s->n_random = sizeof s->random / sizeof s->random[0];
		rp_sys_random(s->o.sys, s->random, sizeof s->random);
	}
	return s->random[--s->n_random];
}

/* policy: NULL when the claim ended before its policy was known; then the defaults decide. */
static void decide(struct rp_sender *s, struct rp_sender_claim *c, const struct rp_policy *policy)
{
	struct rp_verdict v;
	uint64_t random;
	size_t name_bytes;

	if (policy == NULL)
		policy = &s->o.settings->config.defaults;
	random = next_random(s);
	v = rp_retry_decide(&policy->retry, &c->outcome, c->claim.failures + 1,
			    c->claim.budget_at_ms, c->claim.expires_at_ms, s->now_at_ms, random);
	push_finished(s, c,
		      v.kind == RP_VERDICT_DELIVERED ? RP_SETTLE_DELIVERED
		      : v.kind == RP_VERDICT_RETRY   ? RP_SETTLE_RETRY
						     : RP_SETTLE_DEAD);
	c->settlement.cause = v.kind == RP_VERDICT_DEAD ? v.cause : c->outcome.cause;
	c->settlement.due_at_ms = v.due_at_ms;
	c->settlement.disable_endpoint = v.disable_endpoint;
	/* A copy: the settings may be gone when the claim is settled. */
	if (policy->url != NULL && (name_bytes = strlen(policy->name) + 1) <= RP_SERIES_NAME_MAX)
		memcpy(c->settlement.series, policy->name, name_bytes);
}

/* The attempt ends before a request was made. */
static void finish_without_request(struct rp_sender *s, struct rp_sender_claim *c,
				   const struct rp_policy *policy, enum rp_cause cause,
				   const char *detail)
{
	memset(&c->outcome, 0, sizeof c->outcome);
	c->outcome.cause = cause;
	snprintf(c->outcome.detail, sizeof c->outcome.detail, "%.*s", RP_DETAIL_TEXT_MAX - 1,
		 detail);
	decide(s, c, policy);
}

/* Nothing is sent, and no retry is spent: the trouble is ours. */
static void park(struct rp_sender *s, struct rp_sender_claim *c, enum rp_cause cause,
		 const char *detail, int64_t wait_ms)
{
	char text[RP_DETAIL_TEXT_MAX];

	snprintf(text, sizeof text, "%s", detail); /* detail may lie in the outcome */
	memset(&c->outcome, 0, sizeof c->outcome);
	c->outcome.cause = cause;
	memcpy(c->outcome.detail, text, sizeof text);
	push_finished(s, c, RP_SETTLE_PARK);
	c->settlement.cause = cause;
	c->settlement.due_at_ms = s->now_at_ms + wait_ms;
}

/* The system refused a request: the sender runs fewer from now on. The entry goes back as if it had
 * not been claimed. */
static void lower_limit(struct rp_sender *s, struct rp_sender_claim *c, const char *what)
{
	if (!rp_concurrency_refused(&s->concurrency, s->running, s->now_boot_ms))
		snprintf(s->cannot_begin, sizeof s->cannot_begin, "%s", what);
	rp_sender_log_lack(s, what);
	push_finished(s, c, RP_SETTLE_RETURN);
}

static void settle_lack(struct rp_sender *s, struct rp_sender_claim *c,
			const struct rp_outcome *outcome)
{
	if (outcome->lack == RP_LACK_LEAVE)
		push_finished(s, c, RP_SETTLE_RETURN);
	else if (outcome->lack == RP_LACK_PORTS)
		park(s, c, RP_CAUSE_LOCAL, outcome->detail, NO_PORT_WAIT_MS);
	else
		lower_limit(s, c, outcome->detail);
}

static void answered(struct rp_sender *s, struct rp_sender_claim *c, struct rp_sender_buffer *b)
{
	if (c->outcome.cause == RP_CAUSE_NONE && c->outcome.response_bytes > SUCCESS_RESPONSE_MAX)
		c->outcome.response_bytes = SUCCESS_RESPONSE_MAX;
	rp_attempt_mask_secrets(&b->attempt, c->outcome.response, c->outcome.response_bytes);
	rp_attempt_mask_secrets(&b->attempt, (unsigned char *)c->outcome.detail,
				strlen(c->outcome.detail));
	decide(s, c, b->attempt.policy);
}

void rp_sender_on_done(void *arg, void *owner, const struct rp_outcome *outcome)
{
	struct rp_sender *s = arg;
	struct rp_sender_claim *c = owner;
	struct rp_sender_buffer *b = c->buffer;

	assert(s->running > 0 && b != NULL && c->generation->requests > 0);
	s->running--;
	rp_credit_give(&s->credit);
	rp_fresh_requests_end(&s->fresh, c->begun_boot_ms);
	c->outcome = *outcome;
	if (outcome->lack != RP_LACK_NONE) {
		s->counts.attempts--;
		settle_lack(s, c, outcome);
	} else {
		rp_concurrency_granted(&s->concurrency);
		answered(s, c, b);
	}
	c->buffer = NULL;
	give_buffer_back(s, b);
	c->generation->requests--;
	rp_sender_discard_unused(s);
}

/* --- the begin of a request --------------------------------------------------------------- */

/* When nothing is under way, nothing can free what is missing. The sender would claim the entry
 * again and again. So it ends, and another process may try. */
static enum rp_err return_or_fail(struct rp_sender *s, struct rp_sender_claim *c, enum rp_err why)
{
	lower_limit(s, c, rp_err_name(why));
	return s->running > 0 ? RP_OK : why;
}

static int64_t age_ms(const struct rp_sender_claim *c, int64_t now_boot_ms)
{
	return now_boot_ms - c->claimed_boot_ms;
}

/* It was claimed ahead of a place of a section that its path has left since. */
static bool is_of_another_section(const struct rp_sender_claim *c, const struct rp_sender_buffer *b)
{
	return (c->claim.lacks & RP_LACKS(RP_LEVEL_SECTION)) != 0 &&
	       b->dispatch.at[RP_LEVEL_PATH].section != c->claim.tokens.section;
}

/* Reads the clock anew: many requests may have begun in this step before. */
static bool may_begin(struct rp_sender *s, const struct rp_sender_claim *c,
		      struct rp_sender_buffer *b)
{
	struct rp_start start = {
	    .receiver = rp_dispatch_receiver(&b->dispatch),
	    .metered = rp_tokens_any(&c->claim.tokens),
	    .begin_within_ms = c->begin_within_ms,
	    .now_at_ms = s->now_at_ms,
	};
	enum rp_start_verdict verdict;

	start.lacks = c->claim.lacks;
	memcpy(start.probes, c->claim.probes, sizeof start.probes);
	rp_sender_limits_now(s, b->attempt.policy != NULL ? &b->attempt.url : NULL,
			     start.in_flight_max);
	if (start.metered) {
		start.age_ms = age_ms(c, rp_sys_boot_ms(s->o.sys));
		s->claim_lag_ms = rp_claim_lag_follow(s->claim_lag_ms, start.age_ms);
	}
	if (!b->dispatch.endpoint_known || c->claim.other_limits || b->dispatch.places_lost ||
	    is_of_another_section(c, b))
		return false;
	verdict = rp_start_judge(&start);
	if (verdict != RP_START_GO)
		rp_log(RP_LOG_DEBUG, "not_begun", "seq=%" PRIu64 " why=%d", c->claim.seq,
		       (int)verdict);
	return verdict == RP_START_GO;
}

static bool may_write(void *owner)
{
	const struct rp_sender_claim *c = owner;
	struct rp_dispatch *d = &c->buffer->dispatch;
	struct rp_receiver receiver;
	struct rp_error err;
	enum rp_err e;

	d->endpoint_only = true;
	e = rp_outbox_fetch(c->buffer->sender->o.outbox, &c->claim, d, &err);
	d->endpoint_only = false;

	if (e != RP_OK && e != RP_ERR_STALE && e != RP_ERR_AWAY)
		rp_log(RP_LOG_ERROR, "claim_unreadable", "seq=%" PRIu64 " why=%s", c->claim.seq,
		       rp_err_name(e));
	receiver = rp_dispatch_receiver(d);
	return e == RP_OK && d->endpoint_known && rp_start_may_go_on(&receiver);
}

static bool read_body(void *owner, size_t at, char *out, size_t n)
{
	const struct rp_sender_claim *c = owner;
	struct rp_sender_buffer *b = c->buffer;
	struct rp_error err;
	enum rp_err e;

	if (at == 0)
		b->piece = (struct rp_piece){.seq = c->claim.seq};
	if (at != b->piece.at)
		return false; /* libcurl only goes back to the beginning */
	e = rp_outbox_fetch_piece(b->sender->o.outbox, &b->piece, out, n, &err);
	if (e != RP_OK && e != RP_ERR_STALE)
		rp_log(RP_LOG_ERROR, "payload_unreadable", "seq=%" PRIu64 " why=%s", c->claim.seq,
		       rp_err_name(e));
	return e == RP_OK;
}

/* The payload was checked and signed as a whole. From now on only a piece of it is in memory, in
 * libcurl's buffer. So receivers that hang on long payloads take no memory from others. */
static void read_while_sent(struct rp_sender_claim *c, struct rp_sender_buffer *b)
{
	b->piece = (struct rp_piece){.seq = c->claim.seq};
	b->attempt.request.body.ptr = NULL;
	b->attempt.request.read_body = read_body;
}

/* Hands the request over to the transport. */
static enum rp_err send_request(struct rp_sender *s, struct rp_sender_claim *c,
				struct rp_sender_buffer *b, struct rp_error *err)
{
	enum rp_err e;

	b->attempt.request.owner = c;
	b->attempt.request.may_write = may_write;
	if (b->dispatch.payload.len > SHORT_PAYLOAD_BYTES)
		read_while_sent(c, b);
	c->buffer = b;
	e = s->o.transport->start(s->o.transport, &b->attempt.request, err);
	if (e != RP_OK)
		c->buffer = NULL;
	if (e == RP_ERR_NOMEM)
		return return_or_fail(s, c, e);
	s->counts.attempts++;
	if (e != RP_OK) {
		finish_without_request(s, c, b->attempt.policy, RP_CAUSE_LOCAL,
				       err != NULL ? err->text
						   : "the request could not be started");
		return RP_OK;
	}
	c->generation = s->newest;
	c->generation->requests++;
	s->running++;
	c->begun_boot_ms = s->now_boot_ms;
	rp_fresh_requests_begin(&s->fresh, s->now_boot_ms);
	return RP_OK;
}

/* Makes the request of a claim whose entry is in the buffer. The claim has the buffer only while
 * the request is under way. */
static enum rp_err begin(struct rp_sender *s, struct rp_sender_claim *c, struct rp_sender_buffer *b,
			 struct rp_error *err)
{
	char detail[RP_DETAIL_TEXT_MAX];
	enum rp_cause cause;

	if (c->claim.expires_at_ms != 0 && c->claim.expires_at_ms <= s->now_at_ms) {
		s->counts.attempts++;
		finish_without_request(s, c, NULL, RP_CAUSE_EXPIRED,
				       "expires_at passed before the attempt");
		return RP_OK;
	}
	cause = rp_attempt_prepare(&b->attempt, s->o.settings, &b->dispatch, c->claim.attempt,
				   s->now_at_ms, detail);
	if (!may_begin(s, c, b)) {
		push_finished(s, c, RP_SETTLE_RETURN);
		return RP_OK;
	}
	if (cause == RP_CAUSE_NO_KEY) {
		park(s, c, RP_CAUSE_NO_KEY, detail, NO_KEY_WAIT_MS);
		return RP_OK;
	}
	if (b->attempt.lacks_memory)
		return return_or_fail(s, c, RP_ERR_NOMEM);
	if (cause != RP_CAUSE_NONE) {
		s->counts.attempts++;
		finish_without_request(s, c, b->attempt.policy, cause, detail);
		return RP_OK;
	}
	return send_request(s, c, b, err);
}

/* For the log: the entry is out of memory when the claim is settled. */
static void keep_trace(struct rp_sender_claim *c, struct rp_span trace_id)
{
	assert(trace_id.len < sizeof c->trace);
	if (trace_id.len > 0)
		memcpy(c->trace, trace_id.ptr, trace_id.len);
	c->trace[trace_id.len] = '\0';
}

static enum rp_err fetch_and_begin(struct rp_sender *s, struct rp_sender_claim *c,
				   struct rp_sender_buffer *b, struct rp_error *err)
{
	enum rp_err e;

	b->dispatch.short_max = SHORT_PAYLOAD_BYTES;
	b->dispatch.long_payload = &s->long_payload;
	rp_sender_places_tell(c);
	e = rp_outbox_fetch(s->o.outbox, &c->claim, &b->dispatch, err);
	c->id_known = e == RP_OK;
	memcpy(c->id, b->dispatch.facts.id, sizeof c->id);
	keep_trace(c, e == RP_OK ? rp_trace_id(b->dispatch.facts.headers) : rp_span_of(""));
	c->started_at_ms = s->now_at_ms;
	b->attempt.policy = NULL;
	if (e == RP_ERR_STALE) {
		s->counts.stale++;
		s->n_unproven -= c->claim.unproven;
		rp_sender_places_left(s, c);
		rp_sender_return_in_vain(s);
		rp_sender_list_push_first(&s->idle, c);
		return RP_OK;
	}
	if (e == RP_ERR_DAMAGED) {
		rp_log(RP_LOG_ERROR, "damage", "seq=%" PRIu64 " what=entry_or_payload",
		       c->claim.seq);
		finish_without_request(s, c, NULL, RP_CAUSE_DAMAGED,
				       "a stored record fails its checksum; set aside, not sent");
		return RP_OK;
	}
	if (e == RP_ERR_NOMEM || e == RP_ERR_BUSY)
		return return_or_fail(s, c, e);
	if (e == RP_ERR_AWAY)
		push_finished(s, c, RP_SETTLE_RETURN);
	return e == RP_OK ? begin(s, c, b, err) : e;
}

static enum rp_err start(struct rp_sender *s, struct rp_sender_claim *c, struct rp_error *err)
{
	struct rp_sender_buffer *b = take_buffer(s);
	enum rp_err e = fetch_and_begin(s, c, b, err);

	rp_buf_release(&s->long_payload);
	if (c->buffer == NULL) {
		give_buffer_back(s, b);
		rp_credit_give(&s->credit);
	}
	return e;
}

int64_t rp_sender_next_start_ms(const struct rp_sender *s)
{
	int64_t place_ms = rp_concurrency_next_ms(&s->concurrency, s->running, s->now_boot_ms),
		credit_ms;

	if (s->metered.n > 0)
		return place_ms == 0 ? 0
				     : s->metered.first->begin_within_ms + 1 -
					   age_ms(s->metered.first, s->now_boot_ms);
	if (s->ready.n == 0 || place_ms < 0)
		return -1;
	credit_ms = rp_credit_next_ms(&s->credit, s->now_boot_ms);
	return credit_ms > place_ms ? credit_ms : place_ms;
}

void rp_sender_return_ready(struct rp_sender *s)
{
	struct rp_sender_claim *c;

	rp_sender_places_return(s);
	rp_sender_return_in_vain(s);
	while ((c = rp_sender_list_pop(&s->metered)) != NULL ||
	       (c = rp_sender_list_pop(&s->ready)) != NULL)
		push_finished(s, c, RP_SETTLE_RETURN);
}

/* Mostly there was no capacity. Others may have some, and a use for the tokens. */
void rp_sender_return_late(struct rp_sender *s)
{
	const struct rp_sender_claim *c;

	while ((c = s->metered.first) != NULL && age_ms(c, s->now_boot_ms) > c->begin_within_ms) {
		if (rp_sender_has_capacity(s)) /* the exchange took so long */
			s->claim_lag_ms =
			    rp_claim_lag_follow(s->claim_lag_ms, age_ms(c, s->now_boot_ms));
		push_finished(s, rp_sender_list_pop(&s->metered), RP_SETTLE_RETURN);
	}
}

bool rp_sender_is_stalled(const struct rp_sender *s, int64_t since_boot_ms)
{
	return s->now_boot_ms - since_boot_ms > s->o.settings->config.lease_ms - LEASE_MARGIN_MS;
}

/* After a stall longer than the lease, others may have taken our claims. Requests under way are
 * fenced when they settle. But no other claim may begin: its entry may be somebody else's now. */
void rp_sender_drop_after_stall(struct rp_sender *s)
{
	if (!rp_sender_is_stalled(s, s->heartbeat_boot_ms))
		return;
	rp_log(RP_LOG_WARN, "stalled", "for_ms=%" PRId64 " returned=%zu",
	       s->now_boot_ms - s->heartbeat_boot_ms, rp_sender_n_ready(s) + s->n_ahead);
	rp_sender_return_ready(s);
}

enum rp_err rp_sender_start_ready(struct rp_sender *s, struct rp_error *err)
{
	enum rp_err e = RP_OK;

	rp_credit_fill(&s->credit, s->now_boot_ms);
	rp_concurrency_grow(&s->concurrency, s->now_boot_ms);
	if (s->concurrency.limit == s->concurrency.max)
		rp_sender_log_lack(s, NULL);
	while (e == RP_OK && s->metered.n > 0 && rp_sender_has_capacity(s)) {
		if (s->credit.left > 0)
			rp_credit_take(&s->credit, s->now_boot_ms);
		e = start(s, rp_sender_list_pop(&s->metered), err);
	}
	while (e == RP_OK && s->ready.n > 0 && rp_sender_has_capacity(s) && s->credit.left > 0) {
		rp_credit_take(&s->credit, s->now_boot_ms);
		e = start(s, rp_sender_list_pop(&s->ready), err);
	}
	return e;
}
