#include "explain.h"

#include <inttypes.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>

#include "advice.h"
#include "base/units.h"
#include "ctl.h"

struct work {
	const struct rp_explain_input *in;
	const struct rp_entry *e;
	const struct rp_delivery *d;
	const struct rp_endpoint *ep; /* never NULL */
	struct rp_explanation *out;
	char id[RP_ID_TEXT_MAX];
};

static void say(struct work *w, struct rp_buf *to, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
static void say(struct work *w, struct rp_buf *to, const char *fmt, ...)
{
	char text[640];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	if (!rp_buf_add_text(to, text))
		w->out->no_memory = true;
}

/* A duration or a time from now, in words; each call has a text of its own until the fifth. */
static const char *span(int64_t ms)
{
	static char text[4][RP_DURATION_TEXT_MAX];
	static unsigned i;

	return rp_duration_format(ms > 0 ? ms : 0, text[i++ % 4]);
}

static const char *when(const struct work *w, int64_t at_ms)
{
	static char text[4][RP_WHEN_TEXT_MAX];
	static unsigned i;

	if (at_ms <= w->in->now_at_ms && at_ms > w->in->now_at_ms - 1000)
		return "just now";
	return rp_when(at_ms, w->in->now_at_ms, text[i++ % 4]);
}

static const char *cause_text(enum rp_cause cause, unsigned http_status)
{
	static char text[4][RP_CAUSE_TEXT_MAX];
	static unsigned i;

	if (cause == RP_CAUSE_NONE)
		return "delivered";
	return rp_cause_format(cause, http_status, text[i++ % 4]);
}

static void add_command(struct work *w, const char *what, const char *fmt, const char *arg)
{
	struct rp_explanation *x = w->out;

	if (x->n_commands == sizeof x->commands / sizeof x->commands[0])
		return;
	x->commands[x->n_commands].what = what;
	say(w, &x->commands[x->n_commands++].command, "runpostctl %s %s", fmt, arg);
}

/* --- what happened ---------------------------------------------------------------------------------------------------
 */

void rp_explain_add_attempt(struct rp_explain_attempts *a, uint32_t n, const struct rp_attempt *attempt)
{
	const struct rp_outcome *o = &attempt->outcome;
	unsigned status = o->cause == RP_CAUSE_HTTP ? o->http_status : 0;
	size_t i;

	if (a->n++ == 0)
		a->first_at_ms = attempt->started_at_ms;
	a->last_n = n;
	a->last_at_ms = attempt->started_at_ms;
	a->last_duration_ms = o->duration_us / 1000;
	a->last_cause = o->cause;
	a->last_status = o->http_status;
	a->last_slot = attempt->slot;
	for (i = 0; i < a->n_kinds; i++) {
		if (a->kinds[i].cause == o->cause && a->kinds[i].http_status == status) {
			a->kinds[i].n++;
			return;
		}
	}
	if (a->n_kinds == RP_EXPLAIN_KINDS) {
		a->n_others++;
		return;
	}
	a->kinds[a->n_kinds].cause = o->cause;
	a->kinds[a->n_kinds].http_status = status;
	a->kinds[a->n_kinds++].n = 1;
}

static void tell_attempts(struct work *w)
{
	const struct rp_explain_attempts *a = &w->in->attempts;
	struct rp_buf *to = &w->out->happened;
	size_t i;

	say(w, to, " It has had %" PRIu32 " attempt%s, the first %s:", a->n, a->n == 1 ? "" : "s",
	    when(w, a->first_at_ms));
	for (i = 0; i < a->n_kinds; i++)
		say(w, to, "%s %" PRIu32 " %s", i > 0 ? "," : "", a->kinds[i].n,
		    cause_text(a->kinds[i].cause, a->kinds[i].http_status));
	if (a->n_others > 0)
		say(w, to, ", %" PRIu32 " other", a->n_others);
	say(w, to, ". The last, #%" PRIu32 " by sender-%u, began %s and ", a->last_n, a->last_slot,
	    when(w, a->last_at_ms));
	if (a->last_cause == RP_CAUSE_SENDER_LOST)
		say(w, to, "was lost with its sender: nobody knows whether it arrived.");
	else if (a->last_cause == RP_CAUSE_NONE)
		say(w, to, "was answered with %u after %s.", a->last_status, span(a->last_duration_ms));
	else
		say(w, to, "came back with %s after %s.", cause_text(a->last_cause, a->last_status),
		    span(a->last_duration_ms));
}

static void tell_past(struct work *w)
{
	struct rp_buf *to = &w->out->happened;

	if (w->e->facts.accepted_at_ms != 0)
		say(w, to, "Accepted %s.", when(w, w->e->facts.accepted_at_ms));
	if (w->in->attempts.n > 0)
		tell_attempts(w);
	else if (w->d->state == RP_STATE_IN_FLIGHT)
		say(w, to, " Its first attempt is under way.");
	else
		say(w, to, " It has never been attempted.");
	if (w->d->replays > 0)
		say(w, to, " It was replayed %" PRIu32 " time%s; its retry budget began anew %s, %u failure%s ago.",
		    w->d->replays, w->d->replays == 1 ? "" : "s", when(w, w->d->budget_at_ms), w->d->failures,
		    w->d->failures == 1 ? "" : "s");
	if (w->d->losses > 0)
		say(w, to, " Its sender was lost %u time%s in a row; after %d it is dead as poison.", w->d->losses,
		    w->d->losses == 1 ? "" : "s", RP_LOSSES_MAX);
}

/* --- what holds it up ------------------------------------------------------------------------------------------------
 */

static struct rp_explain_block *block(struct work *w, const char *code, int64_t until_at_ms)
{
	struct rp_explanation *x = w->out;
	struct rp_explain_block *b = &x->blocks[x->n_blocks];

	if (x->n_blocks + 1 < RP_EXPLAIN_BLOCKS_MAX) /* the last place takes what does not fit; there are fewer kinds */
		x->n_blocks++;
	b->code = code;
	b->until_at_ms = until_at_ms;
	return b;
}

static void command_on_endpoint(struct work *w, struct rp_explain_block *b, const char *verb)
{
	struct rp_buf name = {0};

	say(w, &b->command, "runpostctl %s ", verb);
	if (!rp_buf_add(&name, w->e->endpoint.ptr, w->e->endpoint.len) ||
	    !rp_shell_quote(name.data != NULL ? name.data : "", &b->command))
		w->out->no_memory = true;
	rp_buf_release(&name);
}

static void check_order(struct work *w)
{
	struct rp_explain_block *b;

	if (!w->d->behind)
		return;
	b = block(w, "order", 0);
	if (w->in->front[0] == '\0') {
		say(w, &b->text, "Another entry with its order_by goes first; it is moving on just now.");
		return;
	}
	say(w, &b->text, "%s goes first: it has the same order_by, and is %s.", w->in->front,
	    rp_state_name(w->in->front_state));
	say(w, &b->command, "runpostctl %s %s", w->in->front_state == RP_STATE_HELD ? "release" : "explain",
	    w->in->front);
}

static void check_senders(struct work *w)
{
	const struct rp_explain_input *in = w->in;
	struct rp_explain_block *b;

	if (in->n_alive == 0) {
		b = block(w, "no_sender", 0);
		say(w, &b->text, "No sender is running.");
		say(w, &b->command, "runpost send --outbox %s", in->outbox_dir);
	} else if (in->n_beating == 0) {
		b = block(w, "senders_stopped", 0);
		say(w, &b->text, "No sender works: %u hold%s a slot, but the last sign of life was %s ago.",
		    in->n_alive, in->n_alive == 1 ? "s" : "", span(in->beat_age_ms));
		say(w, &b->command, "runpostctl doctor");
	}
}

static void check_breaker(struct work *w)
{
	const struct rp_control *c = &w->ep->control;
	struct rp_explain_block *b;

	if (c->breaker == RP_BREAKER_OPEN) {
		b = block(w, "breaker_open", c->probe_at_ms);
		say(w, &b->text,
		    "The endpoint's breaker opened %s, after %" PRIu32
		    " bad outcomes in a row, the last %s. One entry is "
		    "sent as a probe %s; if it is answered, sending goes on.",
		    when(w, c->opened_at_ms), c->bad_streak, cause_text(c->cause, c->http_status),
		    when(w, c->probe_at_ms));
		command_on_endpoint(w, b, "resume");
	} else if (c->breaker == RP_BREAKER_HALF_OPEN) {
		b = block(w, "breaker_probing", 0);
		say(w, &b->text,
		    "The endpoint's breaker opened %s, and a probe is under way; it gets one request at a time.",
		    when(w, c->opened_at_ms));
	}
}

static void check_limits(struct work *w)
{
	const struct rp_control *c = &w->ep->control;
	uint64_t in_flight = w->ep->count[RP_STATE_IN_FLIGHT];
	int64_t token_at_ms;
	char rate[RP_RATE_TEXT_MAX];
	struct rp_explain_block *b;

	if (c->limits.in_flight == 0 || c->breaker != RP_BREAKER_CLOSED)
		return;
	if (in_flight >= rp_control_room(c)) {
		b = block(w, "window", 0);
		say(w, &b->text,
		    "The endpoint's window is full: %" PRIu64
		    " requests are under way, of %u that it gets now and %u that "
		    "in_flight allows.",
		    in_flight, rp_control_room(c), c->limits.in_flight);
		command_on_endpoint(w, b, "endpoints");
	}
	token_at_ms = rp_control_ready_at_ms(c, 0);
	if (token_at_ms > w->in->now_at_ms) {
		b = block(w, "rate", token_at_ms);
		say(w, &b->text, "The endpoint's rate of %s is used up; its next request may go %s.",
		    rp_rate_format(c->limits.rate, rate), when(w, token_at_ms));
		command_on_endpoint(w, b, "endpoints");
	}
}

static void check_endpoint(struct work *w)
{
	struct rp_explain_block *b;

	if (w->ep->disabled) {
		b = block(w, "disabled", 0);
		say(w, &b->text,
		    "The endpoint was disabled %s, because it answered 410 or asked for it: when the turn of "
		    "this entry comes it dies as gone.",
		    when(w, w->ep->changed_at_ms));
		command_on_endpoint(w, b, "resume");
		return;
	}
	if (w->ep->paused) {
		b = block(w, "paused", 0);
		say(w, &b->text, "The endpoint was paused by an operator %s.", when(w, w->ep->changed_at_ms));
		command_on_endpoint(w, b, "resume");
	}
	if (w->ep->parked_until_ms > w->in->now_at_ms && w->ep->last_cause == RP_CAUSE_LOCAL) {
		b = block(w, "no_port", w->ep->parked_until_ms);
		say(w, &b->text, "No local port is free towards the endpoint; a sender tries again %s.",
		    when(w, w->ep->parked_until_ms));
	} else if (w->ep->parked_until_ms > w->in->now_at_ms) {
		b = block(w, "no_key", w->ep->parked_until_ms);
		say(w, &b->text,
		    "No signing key of the endpoint is valid, and nothing is sent unsigned; a sender looks again "
		    "%s. Mend the secret, and reload the senders (SIGHUP).",
		    when(w, w->ep->parked_until_ms));
		say(w, &b->command, "runpost check-config%s%s", w->in->config_path != NULL ? " --config " : "",
		    w->in->config_path != NULL ? w->in->config_path : "");
	}
	check_breaker(w);
	check_limits(w);
}

/* Its own times. */
static void check_due(struct work *w)
{
	const struct rp_delivery *d = w->d;
	int64_t now_at_ms = w->in->now_at_ms, not_before = w->e->facts.not_before_at_ms;
	struct rp_explain_block *b;

	if (d->expires_at_ms != 0 && d->expires_at_ms <= now_at_ms) {
		b = block(w, "expired", 0);
		say(w, &b->text, "Its expires_at passed %s: when its turn comes it dies as expired.",
		    when(w, d->expires_at_ms));
		say(w, &b->command, "runpostctl replay %s", w->id);
		return;
	}
	if (d->due_at_ms <= now_at_ms || d->behind)
		return;
	b = block(w, d->attempts == 0 && not_before > now_at_ms ? "not_before" : "retry_delay", d->due_at_ms);
	if (d->attempts == 0 && not_before > now_at_ms)
		say(w, &b->text, "Its not_before asks to send it no earlier than %s.", when(w, not_before));
	else
		say(w, &b->text, "It is not due yet: its next attempt is %s.", when(w, d->due_at_ms));
	say(w, &b->command, "runpostctl replay %s", w->id);
}

static void check_waiting(struct work *w)
{
	struct rp_explain_block *b;

	check_order(w);
	check_endpoint(w);
	check_due(w);
	check_senders(w);
	if (w->out->n_blocks > 0)
		return;
	b = block(w, "turn", 0);
	say(w, &b->text,
	    "It has been due for %s and nothing stands in its way: its turn comes as soon as a sender looks.",
	    span(w->in->now_at_ms - w->d->due_at_ms));
}

/* --- states ----------------------------------------------------------------------------------------------------------
 */

/* The attempts it has left, from the time it can go at the earliest. */
static void foresee(struct work *w, int64_t from_at_ms)
{
	struct rp_explanation *x = w->out;
	size_t i;

	for (i = 0; i < x->n_blocks; i++)
		if (x->blocks[i].until_at_ms > from_at_ms)
			from_at_ms = x->blocks[i].until_at_ms;
	x->has_future = true;
	x->forecast = (struct rp_forecast){.policy = &w->in->policy->retry,
					   .timeout_ms = w->in->policy->timeout_ms,
					   .failures = w->d->failures,
					   .budget_at_ms = w->d->budget_at_ms,
					   .expires_at_ms = w->d->expires_at_ms,
					   .earliest_at_ms = from_at_ms,
					   .latest_at_ms = from_at_ms};
}

static void explain_waiting(struct work *w)
{
	struct rp_explanation *x = w->out;
	const struct rp_delivery *d = w->d;
	int64_t now_at_ms = w->in->now_at_ms;

	if (d->behind)
		say(w, &x->why, "It waits behind another entry with the same order_by.");
	else if (d->attempts == 0 && d->due_at_ms > now_at_ms)
		say(w, &x->why, "It waits for the time it was asked to be sent at.");
	else if (d->due_at_ms > now_at_ms)
		say(w, &x->why, "Its last attempt failed (%s), and it waits for the next one.",
		    cause_text(d->last_cause, d->http_status));
	else
		say(w, &x->why, "It has been due for %s, and waits for a sender to take it.",
		    span(now_at_ms - d->due_at_ms));
	check_waiting(w);
	if (w->ep->disabled) {
		say(w, &x->next, "It will be dead as gone.");
	} else if (d->behind) {
		say(w, &x->next, "It is due as soon as the one in front is delivered, dead or removed.");
	} else {
		foresee(w, d->due_at_ms > now_at_ms ? d->due_at_ms : now_at_ms);
		say(w, &x->next, "Attempt #%" PRIu32 " %s%s.", d->attempts + 1, when(w, x->forecast.earliest_at_ms),
		    x->n_blocks > 0 && strcmp(x->blocks[0].code, "turn") != 0 ? " at the earliest" : "");
	}
	if (!d->behind)
		add_command(w, "make it due now, with a fresh retry budget", "replay", w->id);
	add_command(w, "park it until it is released", "hold", w->id);
	add_command(w, "remove it for good", "purge", w->id);
}

static void explain_in_flight(struct work *w)
{
	const struct rp_explain_input *in = w->in;
	struct rp_explanation *x = w->out;
	int64_t for_ms = in->now_at_ms - w->d->state_at_ms;

	say(w, &x->why, "sender-%u has had it for %s and makes attempt #%" PRIu32 "; an attempt may take %s.",
	    w->d->slot, span(for_ms), w->d->attempts, span(in->policy->timeout_ms));
	if (!in->holder_known || !in->holder_alive) {
		say(w, &x->next,
		    "That sender is gone: the next one that looks takes it back and sends it again. Nobody knows "
		    "whether it "
		    "arrived.");
		check_senders(w);
	} else if (!in->holder_beats) {
		say(w, &x->next,
		    "That sender (pid %" PRIu32 ") is alive but gives no sign of life: after a lease of %s the "
		    "others take the entry back.",
		    in->holder_pid, span(in->lease_ms));
	} else {
		say(w, &x->next, "Its outcome is settled within %s.",
		    span(in->policy->timeout_ms > for_ms ? in->policy->timeout_ms - for_ms + 1000 : 1000));
	}
	add_command(w, "remove it; the attempt under way is not called back", "purge", w->id);
}

static void explain_held(struct work *w)
{
	struct rp_explanation *x = w->out;

	say(w, &x->why, "An operator parked it %s.", when(w, w->d->state_at_ms));
	say(w, &x->next, "Nothing, until it is released%s.",
	    w->d->order_key != 0 && !w->d->behind ? "; later entries with its order_by wait for it" : "");
	add_command(w, "let it wait for a sender again", "release", w->id);
	add_command(w, "remove it for good", "purge", w->id);
}

/* When retention removes it. */
static void tell_removal(struct work *w, int64_t keep_ms, const char *setting)
{
	if (keep_ms > 0)
		say(w, &w->out->next, "A sender removes it %s (%s = %s).", when(w, w->d->state_at_ms + keep_ms),
		    setting, span(keep_ms));
	else
		say(w, &w->out->next, "It is kept until somebody purges it (%s = 0).", setting);
}

static void explain_delivered(struct work *w)
{
	say(w, &w->out->why, "Its receiver answered with %u %s, to attempt #%" PRIu32 ".", w->d->http_status,
	    when(w, w->d->state_at_ms), w->in->attempts.n > 0 ? w->in->attempts.last_n : w->d->attempts);
	tell_removal(w, w->in->keep_delivered_ms, "keep_delivered");
	add_command(w, "send it once more, with the same webhook-id", "replay", w->id);
}

static void explain_dead(struct work *w)
{
	struct rp_explanation *x = w->out;
	const struct rp_delivery *d = w->d;

	say(w, &x->why, "It was given up %s as %s", when(w, d->state_at_ms), cause_text(d->cause, d->http_status));
	if (d->last_cause != RP_CAUSE_NONE && d->last_cause != d->cause)
		say(w, &x->why, "; its last attempt came back with %s", cause_text(d->last_cause, d->http_status));
	say(w, &x->why, ". What to do: %s.", rp_advice(d->cause, d->last_cause, d->http_status));
	tell_removal(w, w->in->keep_dead_ms, "keep_dead");
	if (w->ep->disabled)
		say(w, &x->next, " Its endpoint is disabled: resume it before a replay.");
	add_command(w, "make it due now, with a fresh retry budget", "replay", w->id);
	add_command(w, "remove it for good", "purge", w->id);
}

void rp_explain(const struct rp_explain_input *in, struct rp_explanation *out)
{
	static const struct rp_endpoint unknown = {0};
	struct work w = {.in = in,
			 .e = in->entry,
			 .d = &in->entry->delivery,
			 .ep = in->endpoint != NULL ? in->endpoint : &unknown,
			 .out = out};

	rp_id_format(in->entry->facts.id, w.id);
	tell_past(&w);
	switch (w.d->state) {
	case RP_STATE_WAITING:
		explain_waiting(&w);
		return;
	case RP_STATE_IN_FLIGHT:
		explain_in_flight(&w);
		return;
	case RP_STATE_HELD:
		explain_held(&w);
		return;
	case RP_STATE_DELIVERED:
		explain_delivered(&w);
		return;
	case RP_STATE_DEAD:
		explain_dead(&w);
		return;
	}
	say(&w, &out->why, "Its delivery record is damaged: it is never sent, and dead as soon as a sender meets it.");
	add_command(&w, "remove it for good", "purge", w.id);
	add_command(&w, "look for more damage", "verify", "");
}

void rp_explanation_release(struct rp_explanation *x)
{
	size_t i;

	rp_buf_release(&x->why);
	rp_buf_release(&x->happened);
	rp_buf_release(&x->next);
	for (i = 0; i < RP_EXPLAIN_BLOCKS_MAX; i++) {
		rp_buf_release(&x->blocks[i].text);
		rp_buf_release(&x->blocks[i].command);
	}
	for (i = 0; i < x->n_commands; i++)
		rp_buf_release(&x->commands[i].command);
}
