/* sender_attempt.c - turns claims into requests and answers into results. No commit happens
 * here: turns are in sender_turn.c. */

#include "deliver/sender_attempt.h"

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>

#include "base/assert.h"
#include "base/log.h"
#include "model/retry.h"
#include "model/start.h"
#include "deliver/sender_list.h"
#include "deliver/sender_log.h"
#include "deliver/sender_settings.h"

#define LEASE_MARGIN_MS 1000 /* a claim is not begun when its lease may be taken within this time */
/* payloads up to this size stay in memory until they are answered */
#define SHORT_BYTES ((size_t)64 << 10)
#define KEPT_BYTES_MAX                                                                             \
	((size_t)16 << 10)   /* a place keeps a buffer of this size for its next payload */
#define NO_KEY_WAIT_MS 60000 /* an endpoint without a valid key is asked again after this time */
#define NO_PORT_WAIT_MS 1000 /* ... and one towards which no local port is free, after this */
/* of a 2xx answer's body so much is kept; failures keep all of RP_RESPONSE_HEAD_MAX */
#define SUCCESS_RESPONSE_MAX 64

/* --- its place ---------------------------------------------------------------------------- */

static struct rp_sender_place *take_place(struct rp_sender *s)
{
	struct rp_sender_place *p = s->free_places;

	assert(p != NULL); /* fewer requests are under way than there are places */
	s->free_places = p->next;
	return p;
}

/* The payload is not needed any more once the request is over; large ones must not pile up in free
 * places. */
static void give_place_back(struct rp_sender *s, struct rp_sender_place *p)
{
	if (p->dispatch.text.cap > KEPT_BYTES_MAX)
		rp_buf_release(&p->dispatch.text);
	p->next = s->free_places;
	s->free_places = p;
}

/* --- its end ------------------------------------------------------------------------------ */

static void push_finished(struct rp_sender *s, struct rp_sender_job *j, enum rp_settle_kind kind)
{
	int64_t hold_ms;

	j->settlement = (struct rp_settlement){
	    .seq = j->claim.seq,
	    .endpoint = j->claim.endpoint,
	    .claim_no = j->claim.claim_no,
	    .attempt = j->claim.attempt,
	    .kind = kind,
	    .started_at_ms = j->started_at_ms,
	};
	if (kind == RP_SETTLE_RETURN || kind == RP_SETTLE_PARK)
		j->settlement.token = j->claim.token;
	else
		j->settlement.outcome = &j->outcome;
	hold_ms = rp_pace_hold_ms(j->claim.blocking, j->outcome.duration_us);
	if (s->finished.n == 0) {
		s->finished_boot_ms = s->now_boot_ms;
		s->hold_ms = hold_ms;
	}
	if (hold_ms < s->hold_ms)
		s->hold_ms = hold_ms;
	s->given_back += kind == RP_SETTLE_RETURN;
	rp_sender_list_push(&s->finished, j);
}

/* For the spread of retries; drawn for many at once, since each draw is a system call. */
static uint64_t draw(struct rp_sender *s)
{
	if (s->n_random == 0) {
		s->n_random = sizeof s->random / sizeof s->random[0];
		rp_sys_random(s->o.sys, s->random, sizeof s->random);
	}
	return s->random[--s->n_random];
}

/* By the defaults, when it did not come so far as to have a policy. */
static void decide(struct rp_sender *s, struct rp_sender_job *j, const struct rp_policy *policy)
{
	struct rp_verdict v;
	uint64_t random;
	size_t name_bytes;

	if (policy == NULL)
		policy = &s->o.settings->config.defaults;
	random = draw(s);
	v = rp_retry_decide(&policy->retry, &j->outcome, j->claim.failures + 1,
			    j->claim.budget_at_ms, j->claim.expires_at_ms, s->now_at_ms, random);
	push_finished(s, j,
		      v.kind == RP_VERDICT_DELIVERED ? RP_SETTLE_DELIVERED
		      : v.kind == RP_VERDICT_RETRY   ? RP_SETTLE_RETRY
						     : RP_SETTLE_DEAD);
	j->settlement.cause = v.kind == RP_VERDICT_DEAD ? v.cause : j->outcome.cause;
	j->settlement.due_at_ms = v.due_at_ms;
	j->settlement.disable_endpoint = v.disable_endpoint;
	/* A copy: the settings may be gone when it is settled. */
	if (policy->url != NULL && (name_bytes = strlen(policy->name) + 1) <= RP_SERIES_NAME_MAX)
		memcpy(j->settlement.series, policy->name, name_bytes);
}

/* The attempt ends before a request was made. */
static void finish_without_request(struct rp_sender *s, struct rp_sender_job *j,
				   const struct rp_policy *policy, enum rp_cause cause,
				   const char *detail)
{
	memset(&j->outcome, 0, sizeof j->outcome);
	j->outcome.cause = cause;
	snprintf(j->outcome.detail, sizeof j->outcome.detail, "%.*s", RP_DETAIL_TEXT_MAX - 1,
		 detail);
	decide(s, j, policy);
}

/* Nothing is sent, and nothing is spent: what is missing is ours to mend. */
static void park(struct rp_sender *s, struct rp_sender_job *j, enum rp_cause cause,
		 const char *detail, int64_t wait_ms)
{
	char text[RP_DETAIL_TEXT_MAX];

	snprintf(text, sizeof text, "%s", detail); /* it may be the outcome's own */
	memset(&j->outcome, 0, sizeof j->outcome);
	j->outcome.cause = cause;
	memcpy(j->outcome.detail, text, sizeof text);
	push_finished(s, j, RP_SETTLE_PARK);
	j->settlement.cause = cause;
	j->settlement.due_at_ms = s->now_at_ms + wait_ms;
}

/* Fewer requests at once, and the entry goes back as if it had not been claimed. */
static void shrink(struct rp_sender *s, struct rp_sender_job *j, const char *what)
{
	if (!rp_places_refused(&s->room, s->running, s->now_boot_ms))
		snprintf(s->hopeless, sizeof s->hopeless, "%s", what);
	rp_sender_log_lack(s, what);
	push_finished(s, j, RP_SETTLE_RETURN);
}

static void lacked(struct rp_sender *s, struct rp_sender_job *j, const struct rp_outcome *outcome)
{
	if (outcome->lack == RP_LACK_LEAVE)
		push_finished(s, j, RP_SETTLE_RETURN);
	else if (outcome->lack == RP_LACK_PORTS)
		park(s, j, RP_CAUSE_LOCAL, outcome->detail, NO_PORT_WAIT_MS);
	else
		shrink(s, j, outcome->detail);
}

static void answered(struct rp_sender *s, struct rp_sender_job *j, struct rp_sender_place *p)
{
	if (j->outcome.cause == RP_CAUSE_NONE && j->outcome.response_bytes > SUCCESS_RESPONSE_MAX)
		j->outcome.response_bytes = SUCCESS_RESPONSE_MAX;
	rp_attempt_mask_secrets(&p->attempt, j->outcome.response, j->outcome.response_bytes);
	rp_attempt_mask_secrets(&p->attempt, (unsigned char *)j->outcome.detail,
				strlen(j->outcome.detail));
	decide(s, j, p->attempt.policy);
}

void rp_sender_on_done(void *arg, void *owner, const struct rp_outcome *outcome)
{
	struct rp_sender *s = arg;
	struct rp_sender_job *j = owner;
	struct rp_sender_place *p = j->place;

	assert(s->running > 0);
	s->running--;
	rp_credit_end(&s->credit);
	rp_fresh_end(&s->fresh, j->begun_boot_ms);
	j->outcome = *outcome;
	if (outcome->lack != RP_LACK_NONE) {
		s->counts.attempts--;
		lacked(s, j, outcome);
	} else {
		rp_places_granted(&s->room);
		answered(s, j, p);
	}
	j->place = NULL;
	give_place_back(s, p);
	j->generation->requests--;
	rp_sender_discard_unused(s);
}
/* --- its beginning ------------------------------------------------------------------------ */

/* When nothing runs whose end could mend a lack of memory, the entry would be claimed again and
 * again: then another process is to try. */
static enum rp_err put_off(struct rp_sender *s, struct rp_sender_job *j, enum rp_err why)
{
	shrink(s, j, rp_err_name(why));
	return s->running > 0 ? RP_OK : why;
}

static int64_t age_ms(const struct rp_sender_job *j, int64_t now_boot_ms)
{
	return now_boot_ms - j->claimed_boot_ms;
}

/* The clock is read anew: many requests may have begun in this step before it. */
static bool may_begin(struct rp_sender *s, const struct rp_sender_job *j,
		      const struct rp_sender_place *p)
{
	struct rp_start start = {
	    .endpoint = &p->dispatch.endpoint,
	    .in_flight_max = p->attempt.policy != NULL ? p->attempt.policy->in_flight : UINT_MAX,
	    .probe = j->claim.probe,
	    .metered = j->claim.token.rate.count > 0,
	    .begin_within_ms = j->begin_within_ms,
	    .now_at_ms = s->now_at_ms,
	};
	enum rp_start_verdict verdict;

	if (start.metered) {
		start.age_ms = age_ms(j, rp_sys_boot_ms(s->o.sys));
		s->lag_ms = rp_lag_follow(s->lag_ms, start.age_ms);
	}
	if (!p->dispatch.endpoint_known)
		return false;
	verdict = rp_start_judge(&start);
	if (verdict != RP_START_GO)
		rp_log(RP_LOG_DEBUG, "not_begun", "seq=%" PRIu64 " why=%d", j->claim.seq,
		       (int)verdict);
	return verdict == RP_START_GO;
}

static bool may_write(void *owner)
{
	const struct rp_sender_job *j = owner;
	struct rp_dispatch *d = &j->place->dispatch;
	struct rp_error err;
	enum rp_err e;

	d->endpoint_only = true;
	e = rp_outbox_fetch(j->place->sender->o.outbox, &j->claim, d, &err);
	d->endpoint_only = false;

	if (e != RP_OK && e != RP_ERR_STALE)
		rp_log(RP_LOG_ERROR, "claim_unreadable", "seq=%" PRIu64 " why=%s", j->claim.seq,
		       rp_err_name(e));
	return e == RP_OK && d->endpoint_known && rp_start_may_go_on(&d->endpoint);
}

static bool read_body(void *owner, size_t at, char *out, size_t n)
{
	const struct rp_sender_job *j = owner;
	struct rp_sender_place *p = j->place;
	struct rp_error err;
	enum rp_err e;

	if (at == 0)
		p->piece = (struct rp_piece){.seq = j->claim.seq};
	if (at != p->piece.at)
		return false; /* libcurl goes back to the beginning only */
	e = rp_outbox_fetch_piece(p->sender->o.outbox, &p->piece, out, n, &err);
	if (e != RP_OK && e != RP_ERR_STALE)
		rp_log(RP_LOG_ERROR, "payload_unreadable", "seq=%" PRIu64 " why=%s", j->claim.seq,
		       rp_err_name(e));
	return e == RP_OK;
}

/* It was checked and signed as a whole. From now on it is in memory only as far as libcurl's
 * buffer holds it: any number of receivers may hang on long payloads, and others have theirs. */
static void read_while_sent(struct rp_sender_job *j, struct rp_sender_place *p)
{
	p->piece = (struct rp_piece){.seq = j->claim.seq};
	p->attempt.request.body.ptr = NULL;
	p->attempt.request.read_body = read_body;
}

/* With what was fetched into the place. The job has the place when a request is under way. */
static enum rp_err begin(struct rp_sender *s, struct rp_sender_job *j, struct rp_sender_place *p,
			 struct rp_error *err)
{
	char detail[RP_DETAIL_TEXT_MAX];
	enum rp_cause cause;
	enum rp_err e;

	if (j->claim.expires_at_ms != 0 && j->claim.expires_at_ms <= s->now_at_ms) {
		s->counts.attempts++;
		finish_without_request(s, j, NULL, RP_CAUSE_EXPIRED,
				       "expires_at passed before the attempt");
		return RP_OK;
	}
	cause = rp_attempt_prepare(&p->attempt, s->o.settings, &p->dispatch, j->claim.attempt,
				   s->now_at_ms, detail);
	if (!may_begin(s, j, p)) {
		push_finished(s, j, RP_SETTLE_RETURN);
		return RP_OK;
	}
	if (cause == RP_CAUSE_NO_KEY) {
		park(s, j, RP_CAUSE_NO_KEY, detail, NO_KEY_WAIT_MS);
		return RP_OK;
	}
	if (p->attempt.lacks_memory)
		return put_off(s, j, RP_ERR_NOMEM);
	if (cause != RP_CAUSE_NONE) {
		s->counts.attempts++;
		finish_without_request(s, j, p->attempt.policy, cause, detail);
		return RP_OK;
	}
	p->attempt.request.owner = j;
	p->attempt.request.may_write = may_write;
	if (p->dispatch.payload.len > SHORT_BYTES)
		read_while_sent(j, p);
	j->place = p;
	e = s->o.transport->start(s->o.transport, &p->attempt.request, err);
	if (e != RP_OK)
		j->place = NULL;
	if (e == RP_ERR_NOMEM)
		return put_off(s, j, e);
	s->counts.attempts++;
	if (e != RP_OK) {
		finish_without_request(s, j, p->attempt.policy, RP_CAUSE_LOCAL,
				       err != NULL ? err->text
						   : "the request could not be started");
		return RP_OK;
	}
	j->generation = s->newest;
	j->generation->requests++;
	s->running++;
	j->begun_boot_ms = s->now_boot_ms;
	rp_fresh_begin(&s->fresh, s->now_boot_ms);
	return RP_OK;
}

static enum rp_err start_in(struct rp_sender *s, struct rp_sender_job *j, struct rp_sender_place *p,
			    struct rp_error *err)
{
	enum rp_err e;

	p->dispatch.short_max = SHORT_BYTES;
	p->dispatch.long_payload = &s->long_payload;
	e = rp_outbox_fetch(s->o.outbox, &j->claim, &p->dispatch, err);
	j->id_known = e == RP_OK;
	memcpy(j->id, p->dispatch.facts.id, sizeof j->id);
	j->started_at_ms = s->now_at_ms;
	p->attempt.policy = NULL;
	if (e == RP_ERR_STALE) {
		s->counts.stale++;
		rp_sender_list_push_first(&s->idle, j);
		return RP_OK;
	}
	if (e == RP_ERR_DAMAGED) {
		rp_log(RP_LOG_ERROR, "damage", "seq=%" PRIu64 " what=entry_or_payload",
		       j->claim.seq);
		finish_without_request(s, j, NULL, RP_CAUSE_DAMAGED,
				       "a stored record fails its checksum; set aside, not sent");
		return RP_OK;
	}
	if (e == RP_ERR_NOMEM || e == RP_ERR_BUSY)
		return put_off(s, j, e);
	return e == RP_OK ? begin(s, j, p, err) : e;
}

static enum rp_err start(struct rp_sender *s, struct rp_sender_job *j, struct rp_error *err)
{
	struct rp_sender_place *p = take_place(s);
	enum rp_err e = start_in(s, j, p, err);

	rp_buf_release(&s->long_payload);
	if (j->place == NULL) {
		give_place_back(s, p);
		rp_credit_end(&s->credit);
	}
	return e;
}

int64_t rp_sender_next_start_ms(const struct rp_sender *s)
{
	int64_t place_ms = rp_places_next_ms(&s->room, s->running, s->now_boot_ms), credit_ms;

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
	struct rp_sender_job *j;

	while ((j = rp_sender_list_pop(&s->metered)) != NULL ||
	       (j = rp_sender_list_pop(&s->ready)) != NULL)
		push_finished(s, j, RP_SETTLE_RETURN);
}

/* Nearly always for lack of a place; others may have one, and a use for the tokens. */
void rp_sender_return_late(struct rp_sender *s)
{
	const struct rp_sender_job *j;

	while ((j = s->metered.first) != NULL && age_ms(j, s->now_boot_ms) > j->begin_within_ms) {
		if (rp_sender_has_place(s)) /* it was the turn that took so long */
			s->lag_ms = rp_lag_follow(s->lag_ms, age_ms(j, s->now_boot_ms));
		push_finished(s, rp_sender_list_pop(&s->metered), RP_SETTLE_RETURN);
	}
}

bool rp_sender_is_stalled(const struct rp_sender *s, int64_t since_boot_ms)
{
	return s->now_boot_ms - since_boot_ms > s->o.settings->config.lease_ms - LEASE_MARGIN_MS;
}

/* After a stall longer than the lease others may have taken our claims. Requests under way are
 * fenced when they settle, but nothing that has not begun may begin: its claim may be somebody
 * else's by now. */
void rp_sender_drop_after_stall(struct rp_sender *s)
{
	if (!rp_sender_is_stalled(s, s->beat_boot_ms))
		return;
	rp_log(RP_LOG_WARN, "stalled", "for_ms=%" PRId64 " returned=%zu",
	       s->now_boot_ms - s->beat_boot_ms, rp_sender_n_ready(s));
	rp_sender_return_ready(s);
}

enum rp_err rp_sender_start_ready(struct rp_sender *s, struct rp_error *err)
{
	enum rp_err e = RP_OK;

	rp_credit_look(&s->credit, s->now_boot_ms);
	rp_places_look(&s->room, s->now_boot_ms);
	if (s->room.now == s->room.max)
		rp_sender_log_lack(s, NULL);
	while (e == RP_OK && s->metered.n > 0 && rp_sender_has_place(s)) {
		if (s->credit.left > 0)
			rp_credit_begin(&s->credit, s->now_boot_ms);
		e = start(s, rp_sender_list_pop(&s->metered), err);
	}
	while (e == RP_OK && s->ready.n > 0 && rp_sender_has_place(s) && s->credit.left > 0) {
		rp_credit_begin(&s->credit, s->now_boot_ms);
		e = start(s, rp_sender_list_pop(&s->ready), err);
	}
	return e;
}
