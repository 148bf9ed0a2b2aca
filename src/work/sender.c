#include "work/sender.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/log.h"
#include "core/retry.h"
#include "work/attempt.h"
#include "work/pace.h"
#include "work/turner.h"

#define BEAT_MS 1000         /* heartbeat and look at the other senders */
#define DRAIN_LOOK_MS 100    /* with --drain, how often an idle sender asks whether the others are done too */
#define EXPIRE_MS 5000       /* how often delivered and dead entries past their keep time are removed */
#define EXPIRE_MAX 250       /* ... and how many in a transaction: some 3 ms */
#define EXPIRE_AGAIN_MS 10   /* when there are more: as fast as entries can be delivered */
#define JOBS_MAX 200         /* entries of operators' jobs moved in a transaction */
#define JOBS_RUNG_MS 100     /* how soon after a look at the jobs the doorbell makes for another */
#define REAP_AGAIN_MS 10     /* a sender's end is told just before the kernel drops its lock: look again, */
#define REAP_UNTIL_MS 200    /* for so long */
#define STOP_AGAIN_MS 2000   /* a group and its supervisor pass one stop on twice: only a later one means "at once" */
#define LEASE_MARGIN_MS 1000 /* a claim is not begun when its lease may be taken within this time */
#define SMALL_BYTES ((size_t)64 << 10)      /* payloads up to this size begin whatever else is in memory */
#define LARGE_BYTES_MAX ((size_t)64 << 20)  /* longer ones in memory at once, and of one endpoint: */
#define LARGE_BYTES_EACH ((size_t)16 << 20) /* ... one more may begin while they have not reached it */
#define KEPT_BYTES_MAX ((size_t)16 << 10)   /* a job keeps a buffer of this size for its next payload */
#define AHEAD_MAX 256           /* room for claims that wait for a free place, and for results that wait for a turn */
#define NO_KEY_WAIT_MS 60000    /* an endpoint without a valid key is asked again after this time */
#define SUCCESS_RESPONSE_MAX 64 /* of a 2xx answer's body so much is kept; failures keep all of RP_RESPONSE_HEAD_MAX */

/* Settings that are in force, or were when requests began that are still under way. */
struct generation {
	struct generation *older;
	const struct rp_settings *settings;
	struct rp_settings *owned; /* NULL: they are the caller's */
	size_t requests;           /* under way with a policy of these */
};

/* One claim from turn to settle. */
struct job {
	struct job *next;
	struct generation *generation; /* of the request under way */
	struct rp_claim claim;
	struct rp_dispatch dispatch;
	struct rp_attempt_request attempt;
	struct rp_outcome outcome;
	struct rp_settlement settlement;
	int64_t started_at_ms;
	size_t large_bytes; /* of its payload while the request is under way, if that is not small */
};

struct job_list {
	struct job *first, **end;
	size_t n;
};

struct rp_sender {
	struct rp_sender_options o; /* its settings are those in force */
	struct rp_sender_id id;
	struct generation *newest;
	struct job *jobs;
	size_t n_jobs;
	struct job_list idle, ready, finished;
	struct job_list large; /* claimed like `ready`; their payloads wait for others of their kind to end */
	bool large_may_begin;  /* such a one has ended */
	size_t running, large_bytes;
	struct rp_settlement *settlements; /* of a turn */
	struct rp_claim *claims;
	struct rp_turner *turner; /* NULL: turns are taken in the loop */
	struct rp_turn turn;
	struct job_list settling; /* what the turn under way settles */
	bool turn_under_way;      /* at the turner */
	bool rung_meanwhile;      /* the turn under way may not have seen what the bell was rung for */
	int outbox_fd;
	int64_t look_at_ms;                       /* when something may be claimed */
	int64_t beat_boot_ms;                     /* last heartbeat */
	int64_t turn_boot_ms;                     /* last turn */
	int64_t finished_boot_ms;                 /* when the oldest of `finished` came */
	int64_t jobs_at_ms;                       /* when a job goes on; RP_LOOK_NEVER: none runs */
	int64_t jobs_boot_ms;                     /* last look at them */
	int64_t expire_boot_ms;                   /* next look for entries past their keep time */
	int64_t reap_boot_ms, reap_until_boot_ms; /* after a sender ended: next look, and the last */
	int64_t stop_boot_ms;                     /* when the grace of a stop ends; 0: not stopping */
	int64_t stopped_boot_ms;                  /* when it was asked to stop */
	int64_t now_at_ms, now_boot_ms;           /* this step's */
	struct rp_clock_walk clock_walk;          /* over what the outbox holds, after the wall clock was set back */
	struct rp_sender_counts counts;
};

/* --- lists ----------------------------------------------------------------------------------------------------------- */

static void list_init(struct job_list *l)
{
	l->first = NULL;
	l->end = &l->first;
	l->n = 0;
}

static void list_push(struct job_list *l, struct job *j)
{
	j->next = NULL;
	*l->end = j;
	l->end = &j->next;
	l->n++;
}

static struct job *list_pop(struct job_list *l)
{
	struct job *j = l->first;

	if (j == NULL)
		return NULL;
	l->first = j->next;
	if (l->first == NULL)
		l->end = &l->first;
	l->n--;
	return j;
}

/* --- settings ----------------------------------------------------------------------------------------------------- */

/* All but the newest, which is in force even while nothing runs. */
static void discard_unused(struct rp_sender *s)
{
	struct generation **at = &s->newest->older, *g;

	while ((g = *at) != NULL) {
		if (g->requests > 0) {
			at = &g->older;
			continue;
		}
		*at = g->older;
		rp_settings_discard(g->owned);
		free(g);
	}
}

static enum rp_err put_in_force(struct rp_sender *s, const struct rp_settings *settings, struct rp_settings *owned,
				struct rp_error *err)
{
	struct generation *g = calloc(1, sizeof *g);

	if (g == NULL) {
		rp_settings_discard(owned);
		return rp_fail(err, RP_ERR_NOMEM, "out of memory");
	}
	*g = (struct generation){.older = s->newest, .settings = settings, .owned = owned};
	s->newest = g;
	s->o.settings = settings;
	discard_unused(s);
	return RP_OK;
}

/* What the old settings could not sign must not park the endpoint under the new ones. */
static void return_parking(struct rp_sender *s)
{
	struct job *j;

	for (j = s->finished.first; j != NULL; j = j->next)
		if (j->settlement.kind == RP_SETTLE_PARK)
			j->settlement.kind = RP_SETTLE_RETURN;
}

static enum rp_err end_turn(struct rp_sender *s, bool wait, struct rp_error *err);

enum rp_err rp_sender_reload(struct rp_sender *s, struct rp_settings *settings, struct rp_error *err)
{
	enum rp_err e = end_turn(s, true, err); /* it asks for limits in the old ones */

	if (e != RP_OK) {
		rp_settings_discard(settings);
		return e;
	}
	e = put_in_force(s, settings, settings, err);
	if (e != RP_OK) {
		rp_log(RP_LOG_ERROR, "reload_refused", "code=%s", rp_err_name(e));
		return RP_OK;
	}
	return_parking(s);
	e = rp_outbox_look_again(s->o.outbox, rp_sys_wall_ms(s->o.sys), err);
	if (e == RP_OK)
		e = rp_outbox_next_look(s->o.outbox, &s->look_at_ms, err);
	return e;
}

/* --- an attempt's end ------------------------------------------------------------------------------------------------ */

/* The payload is not needed any more once the request is over; large ones must not pile up in idle jobs. */
static void give_back_payload(struct job *j)
{
	if (j->dispatch.text.cap > KEPT_BYTES_MAX)
		rp_buf_release(&j->dispatch.text);
}

static void push_finished(struct rp_sender *s, struct job *j, enum rp_settle_kind kind)
{
	j->settlement = (struct rp_settlement){
	    .seq = j->claim.seq,
	    .endpoint = j->claim.endpoint,
	    .claim_no = j->claim.claim_no,
	    .attempt = j->claim.attempt,
	    .kind = kind,
	    .started_at_ms = j->started_at_ms,
	    .outcome = kind == RP_SETTLE_RETURN || kind == RP_SETTLE_PARK ? NULL : &j->outcome,
	};
	give_back_payload(j);
	if (s->finished.n == 0)
		s->finished_boot_ms = s->now_boot_ms;
	list_push(&s->finished, j);
}

static void decide(struct rp_sender *s, struct job *j)
{
	const struct rp_policy *policy =
	    j->attempt.policy != NULL ? j->attempt.policy : &s->o.settings->config.defaults;
	struct rp_verdict v;
	uint64_t random;
	size_t name_bytes;

	rp_sys_random(s->o.sys, &random, sizeof random);
	v = rp_retry_decide(&policy->retry, &j->outcome, j->claim.failures + 1, j->claim.budget_at_ms,
			    j->claim.expires_at_ms, s->now_at_ms, random);
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
static void finish_without_request(struct rp_sender *s, struct job *j, enum rp_cause cause, const char *detail)
{
	memset(&j->outcome, 0, sizeof j->outcome);
	j->outcome.cause = cause;
	snprintf(j->outcome.detail, sizeof j->outcome.detail, "%.*s", RP_DETAIL_TEXT_MAX - 1, detail);
	decide(s, j);
}

static void on_done(void *arg, void *owner, const struct rp_outcome *outcome)
{
	struct rp_sender *s = arg;
	struct job *j = owner;

	assert(s->running > 0 && s->large_bytes >= j->large_bytes);
	s->running--;
	if (j->large_bytes > 0) {
		s->large_bytes -= j->large_bytes;
		j->large_bytes = 0;
		s->large_may_begin = true;
	}
	j->outcome = *outcome;
	if (outcome->cause == RP_CAUSE_NONE && j->outcome.response_bytes > SUCCESS_RESPONSE_MAX)
		j->outcome.response_bytes = SUCCESS_RESPONSE_MAX;
	rp_attempt_mask_secrets(&j->attempt, j->outcome.response, j->outcome.response_bytes);
	rp_attempt_mask_secrets(&j->attempt, (unsigned char *)j->outcome.detail, strlen(j->outcome.detail));
	decide(s, j);
	j->generation->requests--;
	discard_unused(s);
}

/* Nothing is sent unsigned, and nothing is spent: what is missing is ours to mend. */
static void park(struct rp_sender *s, struct job *j, const char *detail)
{
	memset(&j->outcome, 0, sizeof j->outcome);
	j->outcome.cause = RP_CAUSE_NO_KEY;
	snprintf(j->outcome.detail, sizeof j->outcome.detail, "%.*s", RP_DETAIL_TEXT_MAX - 1, detail);
	push_finished(s, j, RP_SETTLE_PARK);
	j->settlement.cause = RP_CAUSE_NO_KEY;
	j->settlement.due_at_ms = s->now_at_ms + NO_KEY_WAIT_MS;
}

/* --- an attempt's beginning ------------------------------------------------------------------------------------------ */

/* A receiver that hangs on long payloads keeps those of others waiting at most in part, and short ones never. */
static bool large_may_begin(const struct rp_sender *s, const struct job *j)
{
	size_t i, of_endpoint = 0;

	if (s->large_bytes == 0)
		return true;
	for (i = 0; i < s->n_jobs; i++)
		if (s->jobs[i].large_bytes > 0 && s->jobs[i].claim.endpoint == j->claim.endpoint)
			of_endpoint += s->jobs[i].large_bytes;
	return s->large_bytes < LARGE_BYTES_MAX && of_endpoint < LARGE_BYTES_EACH;
}

static enum rp_err start(struct rp_sender *s, struct job *j, struct rp_error *err)
{
	char detail[RP_DETAIL_TEXT_MAX];
	enum rp_cause cause;
	enum rp_err e;

	j->dispatch.max_payload = large_may_begin(s, j) ? 0 : SMALL_BYTES;
	e = rp_outbox_fetch(s->o.outbox, &j->claim, &j->dispatch, err);
	if (e == RP_ERR_FULL) {
		list_push(&s->large, j);
		return RP_OK;
	}
	j->started_at_ms = s->now_at_ms;
	j->attempt.policy = NULL;
	if (e == RP_ERR_STALE) {
		s->counts.stale++;
		give_back_payload(j);
		list_push(&s->idle, j);
		return RP_OK;
	}
	if (e == RP_ERR_DAMAGED) {
		rp_log(RP_LOG_ERROR, "damage", "seq=%" PRIu64 " what=entry_or_payload", j->claim.seq);
		finish_without_request(s, j, RP_CAUSE_DAMAGED,
				       "a stored record fails its checksum; set aside, not sent");
		return RP_OK;
	}
	if (e == RP_ERR_NOMEM || e == RP_ERR_BUSY) {
		rp_log(RP_LOG_WARN, "attempt_put_off", "seq=%" PRIu64 " why=%s", j->claim.seq, rp_err_name(e));
		push_finished(s, j, RP_SETTLE_RETURN);
		/* When nothing runs whose end could mend it, it would be claimed again and again: then another process
		 * is to try. */
		return s->running > 0 ? RP_OK : e;
	}
	if (e != RP_OK)
		return e;
	if (j->claim.expires_at_ms != 0 && j->claim.expires_at_ms <= s->now_at_ms) {
		s->counts.attempts++;
		finish_without_request(s, j, RP_CAUSE_EXPIRED, "expires_at passed before the attempt");
		return RP_OK;
	}
	cause = rp_attempt_prepare(&j->attempt, s->o.settings, &j->dispatch, j->claim.attempt, s->now_at_ms, detail);
	if (cause == RP_CAUSE_NO_KEY) {
		park(s, j, detail);
		return RP_OK;
	}
	s->counts.attempts++;
	if (cause != RP_CAUSE_NONE) {
		finish_without_request(s, j, cause, detail);
		return RP_OK;
	}
	j->attempt.request.owner = j;
	if (s->o.transport->start(s->o.transport, &j->attempt.request, err) != RP_OK) {
		finish_without_request(s, j, RP_CAUSE_LOCAL,
				       err != NULL ? err->text : "the request could not be started");
		return RP_OK;
	}
	j->generation = s->newest;
	j->generation->requests++;
	s->running++;
	if (j->dispatch.payload.len > SMALL_BYTES) {
		j->large_bytes = j->dispatch.payload.len;
		s->large_bytes += j->large_bytes;
	}
	return RP_OK;
}

static bool may_start(const struct rp_sender *s)
{
	return s->ready.n > 0 && s->running < s->o.in_flight;
}

static void return_ready(struct rp_sender *s)
{
	struct job *j;

	while ((j = list_pop(&s->ready)) != NULL || (j = list_pop(&s->large)) != NULL)
		push_finished(s, j, RP_SETTLE_RETURN);
}

static bool is_stalled(const struct rp_sender *s, int64_t since_boot_ms)
{
	return s->now_boot_ms - since_boot_ms > s->o.settings->config.lease_ms - LEASE_MARGIN_MS;
}

/* After a stall longer than the lease others may have taken our claims. Requests under way are fenced when they settle, but
 * nothing that has not begun may begin: its claim may be somebody else's by now. */
static void drop_claims_after_stall(struct rp_sender *s)
{
	if (!is_stalled(s, s->beat_boot_ms))
		return;
	rp_log(RP_LOG_WARN, "stalled", "for_ms=%" PRId64 " returned=%zu", s->now_boot_ms - s->beat_boot_ms,
	       s->ready.n + s->large.n);
	return_ready(s);
}

static enum rp_err start_ready(struct rp_sender *s, struct rp_error *err)
{
	enum rp_err e = RP_OK;
	size_t n;

	for (n = s->large_may_begin ? s->large.n : 0; n > 0 && e == RP_OK && s->running < s->o.in_flight; n--)
		e = start(s, list_pop(&s->large), err);
	s->large_may_begin = n > 0;
	while (e == RP_OK && may_start(s))
		e = start(s, list_pop(&s->ready), err);
	return e;
}

/* --- a turn ---------------------------------------------------------------------------------------------------------- */

static struct rp_limits endpoint_limits(void *arg, uint64_t endpoint, struct rp_span name)
{
	const struct rp_sender *s = arg;
	const struct rp_policy *policy = &s->o.settings->config.defaults;
	struct rp_url url;

	(void)endpoint;
	if (rp_url_parse(name, &url, NULL) == RP_OK)
		policy = rp_config_policy(&s->o.settings->config, &url);
	return (struct rp_limits){
	    .in_flight = policy->in_flight, .start = RP_WINDOW_START, .rate = policy->rate, .breaker = policy->breaker};
}

static void log_settled(const struct job *j)
{
	const struct rp_settlement *st = &j->settlement;
	char id[RP_ID_TEXT_MAX], cause[RP_CAUSE_TEXT_MAX], at[RP_CAUSE_TEXT_MAX], detail[RP_DETAIL_TEXT_MAX + 8];

	if (st->kind == RP_SETTLE_RETURN ||
	    (st->kind == RP_SETTLE_DELIVERED && !st->stale && !rp_log_is_on(RP_LOG_DEBUG)))
		return;
	if (j->dispatch.facts.accepted_at_ms != 0)
		rp_id_format(j->dispatch.facts.id, id);
	else
		snprintf(id, sizeof id, "unreadable"); /* its record is damaged; the sequence number leads to it */
	rp_cause_format(j->outcome.cause, j->outcome.http_status, at);
	if (st->kind == RP_SETTLE_PARK) {
		if (st->parked)
			rp_log(RP_LOG_ERROR, "no_key", "id=%s next_at_ms=%" PRId64 " detail=%s", id, st->due_at_ms,
			       rp_log_quote(j->outcome.detail, detail, sizeof detail));
		return;
	}
	if (st->stale)
		rp_log(RP_LOG_WARN, "late_result", "id=%s attempt=%" PRIu32 " outcome=%s", id, st->attempt,
		       st->kind == RP_SETTLE_DELIVERED ? "delivered" : at);
	else if (st->kind == RP_SETTLE_DELIVERED)
		rp_log(RP_LOG_DEBUG, "delivered", "id=%s attempt=%" PRIu32 " status=%u ms=%" PRId64, id, st->attempt,
		       j->outcome.http_status, j->outcome.duration_us / 1000);
	else if (st->kind == RP_SETTLE_RETRY)
		rp_log(RP_LOG_INFO, "failed", "id=%s attempt=%" PRIu32 " cause=%s next_at_ms=%" PRId64 " detail=%s", id,
		       st->attempt, at, st->due_at_ms, rp_log_quote(j->outcome.detail, detail, sizeof detail));
	else
		rp_log(RP_LOG_WARN, "dead", "id=%s seq=%" PRIu64 " attempt=%" PRIu32 " cause=%s last=%s detail=%s", id,
		       st->seq, st->attempt, rp_cause_format(st->cause, j->outcome.http_status, cause), at,
		       rp_log_quote(j->outcome.detail, detail, sizeof detail));
}

/* Rare, so looking the name up is fine. An endpoint whose name cannot be read has its number. */
static void log_breaker(struct rp_sender *s, const struct job *j, enum rp_control_change change)
{
	const struct rp_settlement *st = &j->settlement;
	struct rp_buf name = {0};
	char at[RP_CAUSE_TEXT_MAX];
	struct rp_error err;

	if (change == RP_CONTROL_SAME)
		return;
	if (rp_outbox_endpoint_name(s->o.outbox, j->claim.endpoint, &name, &err) != RP_OK)
		rp_buf_printf(&name, "%" PRIu64, j->claim.endpoint);
	rp_cause_format(j->outcome.cause, j->outcome.http_status, at);
	if (change == RP_CONTROL_OPENED)
		rp_log(RP_LOG_WARN, "breaker_open", "endpoint=%.*s cause=%s streak=%" PRIu32 " probe_at_ms=%" PRId64,
		       (int)name.len, name.data, at, st->bad_streak, st->probe_at_ms);
	else if (change == RP_CONTROL_PROBED)
		rp_log(RP_LOG_INFO, "breaker_probe", "endpoint=%.*s seq=%" PRIu64, (int)name.len, name.data,
		       j->claim.seq);
	else
		rp_log(RP_LOG_INFO, "breaker_closed", "endpoint=%.*s", (int)name.len, name.data);
	rp_buf_release(&name);
}

static void count_settled(struct rp_sender *s, const struct rp_settlement *st)
{
	if (st->stale)
		s->counts.stale++;
	else if (st->kind == RP_SETTLE_DELIVERED)
		s->counts.delivered++;
	else if (st->kind == RP_SETTLE_RETRY)
		s->counts.retried++;
	else if (st->kind == RP_SETTLE_DEAD)
		s->counts.dead++;
}

static void recycle_settled(struct rp_sender *s, const struct rp_turn *turn)
{
	size_t i;

	for (i = 0; i < turn->n_settle; i++) {
		struct job *j = list_pop(&s->settling);

		j->settlement = turn->settle[i];
		count_settled(s, &j->settlement);
		log_settled(j);
		log_breaker(s, j, turn->settle[i].change);
		list_push(&s->idle, j);
	}
}

/* Half as many again as may run at once, so that the next ones begin before the last ones are settled; and twice as many
 * as have come back since the last turn: a sender whose receivers are fast claims and settles in ever larger steps, and one
 * whose receivers hang does not keep from others what it cannot begin. */
static size_t claim_room(const struct rp_sender *s)
{
	size_t begun = s->running + s->ready.n;
	size_t wanted = s->o.in_flight + (s->o.in_flight + 1) / 2 + 2 * s->finished.n;
	size_t room = begun < wanted ? wanted - begun : 0;

	if (s->stop_boot_ms != 0)
		return 0;
	return room < s->idle.n ? room : s->idle.n;
}

static void prepare_turn(struct rp_sender *s)
{
	struct job *j;

	s->turn = (struct rp_turn){.settle = s->settlements,
				   .claims = s->claims,
				   .limits = endpoint_limits,
				   .limits_arg = s,
				   .want = claim_room(s)};
	while ((j = list_pop(&s->finished)) != NULL) {
		s->turn.settle[s->turn.n_settle++] = j->settlement;
		list_push(&s->settling, j);
	}
	s->turn_boot_ms = s->now_boot_ms;
	s->rung_meanwhile = false;
}

/* What a turn that failed was to settle may be settled yet, when the sender leaves. */
static enum rp_err apply_turn(struct rp_sender *s, enum rp_err result, struct rp_error *err)
{
	const struct rp_turn *t = &s->turn;
	struct job *j;
	size_t i;

	if (result != RP_OK) {
		while ((j = list_pop(&s->settling)) != NULL)
			list_push(&s->finished, j);
		return result;
	}
	s->counts.commits += t->committed;
	s->counts.dead += t->n_dead;
	s->look_at_ms = t->next_look_at_ms;
	for (i = 0; i < t->n_claims; i++) {
		j = list_pop(&s->idle);
		j->claim = t->claims[i];
		log_breaker(s, j, j->claim.probe ? RP_CONTROL_PROBED : RP_CONTROL_SAME);
		list_push(&s->ready, j);
	}
	recycle_settled(s, t);
	/* Told to stop while it was claiming; or stalled since, and then these claims may have been taken too. */
	if (s->stop_boot_ms != 0 || is_stalled(s, s->turn_boot_ms))
		return_ready(s);
	return s->rung_meanwhile ? rp_outbox_next_look(s->o.outbox, &s->look_at_ms, err) : RP_OK;
}

static enum rp_err turn(struct rp_sender *s, struct rp_error *err)
{
	enum rp_err e;

	prepare_turn(s);
	/* With nothing under way there is nothing that could go on meanwhile. */
	if (s->turner != NULL && s->running + s->ready.n > 0) {
		s->turn_under_way = true;
		rp_turner_begin(s->turner, s->now_at_ms, &s->turn);
		return RP_OK;
	}
	e = rp_outbox_turn(s->o.outbox, s->now_at_ms, &s->turn, err);
	return apply_turn(s, e, err);
}

/* The turn under way, if there is one and it is over or waited for. */
static enum rp_err end_turn(struct rp_sender *s, bool wait, struct rp_error *err)
{
	enum rp_err e;

	if (!s->turn_under_way || !rp_turner_end(s->turner, wait, &e, err))
		return RP_OK;
	s->turn_under_way = false;
	return apply_turn(s, e, err);
}

/* Before claims are given up as lost: what came back is known, and what was not begun is not lost. */
static enum rp_err settle_rest(struct rp_sender *s, struct rp_error *err)
{
	enum rp_err e;

	if (s->stop_boot_ms == 0)
		s->stop_boot_ms = s->now_boot_ms + 1;
	e = end_turn(s, true, err);
	return_ready(s);
	if (e == RP_OK && s->finished.n > 0)
		e = turn(s, err);
	return e == RP_OK ? end_turn(s, true, err) : e;
}

static int64_t next_turn_ms(const struct rp_sender *s)
{
	struct rp_pace p;

	if (s->turn_under_way)
		return -1;
	p = (struct rp_pace){
	    .ready = s->ready.n,
	    .running = s->running,
	    .finished = s->finished.n,
	    .room = claim_room(s),
	    .due = s->look_at_ms <= s->now_at_ms,
	    .oldest_finished_ms = s->now_boot_ms - s->finished_boot_ms,
	    .since_turn_ms = s->now_boot_ms - s->turn_boot_ms,
	};

	return rp_pace_next_ms(&p);
}

/* --- housekeeping ---------------------------------------------------------------------------------------------------- */

static enum rp_err reap(struct rp_sender *s, struct rp_error *err)
{
	size_t n = 1;
	enum rp_err e = RP_OK;

	while (e == RP_OK && n > 0) {
		e = rp_outbox_reap(s->o.outbox, s->now_at_ms, s->now_boot_ms, s->o.settings->config.lease_ms, &n, err);
		if (e == RP_OK && n > 0)
			s->look_at_ms = s->now_at_ms;
	}
	return e;
}

static enum rp_err expire(struct rp_sender *s, struct rp_error *err)
{
	const struct rp_config *c = &s->o.settings->config;
	size_t n;
	enum rp_err e =
	    rp_outbox_expire(s->o.outbox, s->now_at_ms, c->keep_delivered_ms, c->keep_dead_ms, EXPIRE_MAX, &n, err);

	/* With more to remove come back soon, but not at once: others need the write lock. */
	s->expire_boot_ms = s->now_boot_ms + (n == EXPIRE_MAX ? EXPIRE_AGAIN_MS : EXPIRE_MS);
	if (e == RP_OK && n > 0)
		rp_log(RP_LOG_INFO, "expired", "removed=%zu", n);
	return e;
}

/* Replays that an operator has asked for: every sender moves a few of them on, until none is left. */
static enum rp_err carry_jobs(struct rp_sender *s, struct rp_error *err)
{
	struct rp_job_step step = {.max = JOBS_MAX, .due_max = RP_JOB_DUE_MAX};
	enum rp_err e = end_turn(s, true, err);

	if (e != RP_OK)
		return e;
	e = rp_outbox_jobs_step(s->o.outbox, s->now_at_ms, &step, err);
	s->jobs_boot_ms = s->now_boot_ms;
	s->jobs_at_ms = step.next_at_ms;
	if (e == RP_OK && step.n_worked > 0)
		s->look_at_ms = s->now_at_ms;
	return e;
}

static enum rp_err listen_to_outbox(struct rp_sender *s, struct rp_error *err)
{
	bool rung, ended;
	enum rp_err e = RP_OK;

	rp_outbox_watch_drain(s->o.outbox, &rung, &ended);
	s->rung_meanwhile = s->rung_meanwhile || rung;
	if (ended)
		s->reap_until_boot_ms = s->now_boot_ms + REAP_UNTIL_MS;
	if (ended || (s->reap_until_boot_ms > s->now_boot_ms && s->now_boot_ms >= s->reap_boot_ms)) {
		e = end_turn(s, true, err);
		if (e == RP_OK)
			e = reap(s, err);
		s->reap_boot_ms = s->now_boot_ms + REAP_AGAIN_MS;
	}
	/* It rings for every append; a job may start a moment later. */
	if (rung && s->jobs_at_ms == RP_LOOK_NEVER && s->now_boot_ms - s->jobs_boot_ms >= JOBS_RUNG_MS)
		s->jobs_at_ms = s->now_at_ms;
	if (e == RP_OK && (rung || ended))
		e = rp_outbox_next_look(s->o.outbox, &s->look_at_ms, err);
	return e;
}

static enum rp_err mind_clock(struct rp_sender *s, struct rp_error *err)
{
	enum rp_err e = end_turn(s, true, err);

	if (e == RP_OK)
		e = rp_outbox_mind_clock(s->o.outbox, s->now_at_ms, &s->clock_walk, err);
	return e == RP_OK ? rp_outbox_next_look(s->o.outbox, &s->look_at_ms, err) : e;
}

static enum rp_err keep_house(struct rp_sender *s, struct rp_error *err)
{
	enum rp_err e = listen_to_outbox(s, err);

	if (e == RP_OK && s->clock_walk.more)
		e = mind_clock(s, err);
	if (e == RP_OK && s->now_boot_ms - s->beat_boot_ms >= BEAT_MS) {
		drop_claims_after_stall(s);
		rp_outbox_beat(s->o.outbox, s->now_boot_ms);
		s->beat_boot_ms = s->now_boot_ms;
		e = end_turn(s, true, err);
		if (e == RP_OK)
			e = reap(s, err);
		s->jobs_at_ms = s->now_at_ms;
		/* A bell that could not be rung, or a step of the clock, must not make work wait for ever. */
		if (e == RP_OK)
			e = mind_clock(s, err);
	}
	if (e == RP_OK && s->stop_boot_ms == 0 && s->now_at_ms >= s->jobs_at_ms)
		e = carry_jobs(s, err);
	if (e == RP_OK && s->stop_boot_ms == 0 && s->now_boot_ms >= s->expire_boot_ms) {
		e = end_turn(s, true, err);
		if (e == RP_OK)
			e = expire(s, err);
	}
	return e;
}

static enum rp_err is_drained(struct rp_sender *s, bool *drained, struct rp_error *err)
{
	struct rp_ledger ledger;
	enum rp_err e = rp_outbox_ledger(s->o.outbox, &ledger, err);

	*drained = e == RP_OK && ledger.waiting == 0 && ledger.in_flight == 0 && s->jobs_at_ms == RP_LOOK_NEVER;
	return e;
}

/* --- stepping -------------------------------------------------------------------------------------------------------- */

static void shorter(int64_t *wait_ms, int64_t candidate_ms)
{
	if (candidate_ms < 0)
		candidate_ms = 0;
	if (candidate_ms < *wait_ms)
		*wait_ms = candidate_ms;
}

static int wait_for(const struct rp_sender *s)
{
	int64_t wait_ms = s->beat_boot_ms + BEAT_MS - s->now_boot_ms;
	int64_t next_ms = next_turn_ms(s);
	int transport_ms = s->o.transport->timeout_ms(s->o.transport);

	if (may_start(s) || s->clock_walk.more)
		return 0;
	if (next_ms >= 0)
		shorter(&wait_ms, next_ms);
	if (s->stop_boot_ms == 0 && s->idle.n > 0 && s->look_at_ms > s->now_at_ms &&
	    s->look_at_ms - s->now_at_ms < wait_ms)
		shorter(&wait_ms, s->look_at_ms - s->now_at_ms);
	if (s->stop_boot_ms == 0 && s->jobs_at_ms != RP_LOOK_NEVER)
		shorter(&wait_ms, s->jobs_at_ms - s->now_at_ms);
	if (transport_ms >= 0)
		shorter(&wait_ms, transport_ms);
	if (s->stop_boot_ms != 0)
		shorter(&wait_ms, s->stop_boot_ms - s->now_boot_ms);
	if (s->reap_until_boot_ms > s->now_boot_ms)
		shorter(&wait_ms, s->reap_boot_ms - s->now_boot_ms);
	if (s->o.drain && s->idle.n == s->n_jobs)
		shorter(&wait_ms, DRAIN_LOOK_MS);
	shorter(&wait_ms, BEAT_MS);
	return wait_ms < 0 ? 0 : (int)wait_ms;
}

enum rp_err rp_sender_step(struct rp_sender *s, int *wait_ms, bool *done, struct rp_error *err)
{
	enum rp_err e;

	*done = false;
	*wait_ms = 0;
	s->now_at_ms = rp_sys_wall_ms(s->o.sys);
	s->now_boot_ms = rp_sys_boot_ms(s->o.sys);
	drop_claims_after_stall(s);
	e = end_turn(s, false, err);
	if (e == RP_OK)
		e = keep_house(s, err);
	if (e == RP_OK)
		s->o.transport->run(s->o.transport, on_done, s);
	if (e == RP_OK && next_turn_ms(s) == 0) {
		e = turn(s, err);
		/* A commit may wait for the write lock or the disk for longer than a lease lasts. */
		s->now_boot_ms = rp_sys_boot_ms(s->o.sys);
		drop_claims_after_stall(s);
	}
	if (e == RP_OK)
		e = start_ready(s, err);
	if (e != RP_OK)
		return e;
	if (s->idle.n == s->n_jobs && !s->turn_under_way && (s->stop_boot_ms != 0 || s->o.drain)) {
		if (s->stop_boot_ms != 0)
			*done = true;
		else
			e = is_drained(s, done, err);
	}
	if (s->stop_boot_ms != 0 && s->now_boot_ms >= s->stop_boot_ms) {
		rp_log(RP_LOG_WARN, "stop_grace_over", "unfinished=%zu", s->running);
		*done = true;
		if (e == RP_OK)
			e = settle_rest(s, err);
	}
	*wait_ms = wait_for(s);
	return e;
}

void rp_sender_stop(struct rp_sender *s)
{
	if (s->stop_boot_ms != 0)
		return;
	s->now_boot_ms = rp_sys_boot_ms(s->o.sys);
	s->stopped_boot_ms = s->now_boot_ms;
	s->stop_boot_ms = s->now_boot_ms + s->o.settings->config.stop_grace_ms;
	rp_log(RP_LOG_INFO, "stopping", "running=%zu returned=%zu", s->running, s->ready.n + s->large.n);
	return_ready(s);
}

/* *over: the second stop, which is not to be waited for. */
static enum rp_err obey(struct rp_sender *s, int signal_fd, bool *over, struct rp_error *err)
{
	struct signalfd_siginfo info;
	struct rp_settings *next;

	if (read(signal_fd, &info, sizeof info) != (ssize_t)sizeof info)
		return rp_fail_sys(err, RP_ERR_IO, errno, "signalfd");
	if (info.ssi_signo == SIGHUP) {
		next = s->o.reload != NULL ? s->o.reload(s->o.reload_arg) : NULL;
		return next != NULL ? rp_sender_reload(s, next, err) : RP_OK;
	}
	*over = s->stop_boot_ms != 0 && rp_sys_boot_ms(s->o.sys) - s->stopped_boot_ms >= STOP_AGAIN_MS;
	rp_sender_stop(s);
	return RP_OK;
}

enum rp_err rp_sender_run(struct rp_sender *s, int signal_fd, struct rp_error *err)
{
	struct pollfd fds[] = {{signal_fd, POLLIN, 0},
			       {s->outbox_fd, POLLIN, 0},
			       {s->o.transport->fd(s->o.transport), POLLIN, 0},
			       {s->turner != NULL ? rp_turner_fd(s->turner) : -1, POLLIN, 0}};
	bool done = false, over = false;
	int wait_ms;
	enum rp_err e;

	for (;;) {
		e = rp_sender_step(s, &wait_ms, &done, err);
		if (e != RP_OK || done)
			return e;
		if (poll(fds, sizeof fds / sizeof fds[0], wait_ms) < 0 && errno != EINTR)
			return rp_fail_sys(err, RP_ERR_IO, errno, "poll");
		if ((fds[0].revents & POLLIN) != 0)
			e = obey(s, signal_fd, &over, err);
		if (e != RP_OK || over)
			return e;
	}
}

void rp_sender_read_counts(const struct rp_sender *s, struct rp_sender_counts *out)
{
	*out = s->counts;
}

/* --- life ------------------------------------------------------------------------------------------------------------ */

static enum rp_err make_jobs(struct rp_sender *s, struct rp_error *err)
{
	size_t i;

	s->n_jobs = s->o.in_flight + (s->o.in_flight + 1) / 2 + AHEAD_MAX;
	s->jobs = calloc(s->n_jobs, sizeof s->jobs[0]);
	s->settlements = calloc(s->n_jobs, sizeof s->settlements[0]);
	s->claims = calloc(s->n_jobs, sizeof s->claims[0]);
	if (s->jobs == NULL || s->settlements == NULL || s->claims == NULL)
		return rp_fail(err, RP_ERR_NOMEM, "out of memory");
	for (i = 0; i < s->n_jobs; i++)
		list_push(&s->idle, &s->jobs[i]);
	return RP_OK;
}

enum rp_err rp_sender_new(const struct rp_sender_options *options, struct rp_sender **out, struct rp_error *err)
{
	struct rp_sender *s = calloc(1, sizeof *s);
	enum rp_err e;
	char role[24];

	*out = NULL;
	if (s == NULL)
		return rp_fail(err, RP_ERR_NOMEM, "out of memory");
	s->o = *options;
	list_init(&s->idle);
	list_init(&s->ready);
	list_init(&s->finished);
	list_init(&s->large);
	list_init(&s->settling);
	s->now_at_ms = rp_sys_wall_ms(s->o.sys);
	s->now_boot_ms = s->beat_boot_ms = s->expire_boot_ms = rp_sys_boot_ms(s->o.sys);
	e = put_in_force(s, options->settings, NULL, err);
	if (e == RP_OK)
		e = make_jobs(s, err);
	if (e == RP_OK && options->background)
		e = rp_turner_open(s->o.outbox, &s->turner, err);
	if (e == RP_OK) /* before joining, so that no bell rung from now on is missed */
		e = rp_outbox_watch(s->o.outbox, &s->outbox_fd, err);
	if (e == RP_OK)
		e = rp_outbox_join(s->o.outbox, s->now_at_ms, s->now_boot_ms, &s->id, err);
	if (e == RP_OK) {
		/* The name that the attempt log and the inspector give it. */
		snprintf(role, sizeof role, "sender-%u", s->id.slot);
		rp_log_name(role);
	}
	if (e == RP_OK)
		e = reap(s, err);
	if (e == RP_OK) /* it may have been set back since the last sender ended */
		e = mind_clock(s, err);
	if (e == RP_OK) /* the configuration may be another than that of the senders before */
		e = rp_outbox_look_again(s->o.outbox, s->now_at_ms, err);
	if (e != RP_OK) {
		rp_sender_free(s);
		return e;
	}
	*out = s;
	return RP_OK;
}

void rp_sender_free(struct rp_sender *s)
{
	struct generation *g;
	struct rp_error err;
	size_t i;

	if (s == NULL)
		return;
	if (settle_rest(s, &err) != RP_OK)
		rp_log(RP_LOG_WARN, "leave_failed", "why=%s unsettled=%zu", rp_err_name(err.code), s->finished.n);
	if (rp_outbox_leave(s->o.outbox, rp_sys_wall_ms(s->o.sys), &err) != RP_OK)
		rp_log(RP_LOG_WARN, "leave_failed", "why=%s",
		       rp_err_name(err.code)); /* the next sender returns its claims */
	rp_turner_close(s->turner);
	for (i = 0; s->jobs != NULL && i < s->n_jobs; i++) {
		rp_dispatch_release(&s->jobs[i].dispatch);
		rp_attempt_request_release(&s->jobs[i].attempt);
	}
	while ((g = s->newest) != NULL) {
		s->newest = g->older;
		rp_settings_discard(g->owned);
		free(g);
	}
	free(s->jobs);
	free(s->settlements);
	free(s->claims);
	free(s);
}
