/* explain.c - explains where an entry is and what comes next. A pure function; what holds an
 * entry up is in explain_blocks.c. */

#include "report/explain_work.h"

#include <inttypes.h>

#include "report/advice.h"
#include "report/entry_json.h"

/* A command about this entry. */
static void add_command(struct work *w, const char *what, const char *verb)
{
	struct rp_explanation *x = w->out;
	char words[40];

	if (x->n_commands == sizeof x->commands / sizeof x->commands[0])
		return;
	x->commands[x->n_commands].what = what;
	snprintf(words, sizeof words, "runpostctl %s", verb);
	no_memory_unless(w, rp_command_add_on(&x->commands[x->n_commands++].command, w->in->place,
					      words, w->id));
}

/* --- what happened ------------------------------------------------------------------ */

void rp_explain_add_attempt(struct rp_explain_attempts *a, uint32_t n,
			    const struct rp_attempt *attempt)
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
	snprintf(a->last_detail, sizeof a->last_detail, "%s", o->detail);
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

/* Words of the HTTP library, and where it was redirected to. */
static void tell_detail(struct work *w)
{
	const char *detail = w->in->attempts.last_detail;

	if (detail[0] == '\0')
		return;
	say(w, &w->out->happened, ": ");
	no_memory_unless(
	    w, rp_entry_foreign(w->in->config, w->e, rp_span_of(detail), &w->out->happened));
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
		    cause_text(w, a->kinds[i].cause, a->kinds[i].http_status));
	if (a->n_others > 0)
		say(w, to, ", %" PRIu32 " other", a->n_others);
	say(w, to, ". The last, #%" PRIu32 " by sender-%u, began %s and ", a->last_n, a->last_slot,
	    when(w, a->last_at_ms));
	if (a->last_cause == RP_CAUSE_SENDER_LOST)
		say(w, to, "was lost with its sender: nobody knows whether it arrived.");
	else if (a->last_cause == RP_CAUSE_NONE)
		say(w, to, "was answered with %u after %s.", a->last_status,
		    span(w, a->last_duration_ms));
	else
		say(w, to, "came back with %s after %s",
		    cause_text(w, a->last_cause, a->last_status), span(w, a->last_duration_ms));
	if (a->last_cause != RP_CAUSE_SENDER_LOST && a->last_cause != RP_CAUSE_NONE) {
		tell_detail(w);
		say(w, to, ".");
	}
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
		say(w, to,
		    " It was replayed %" PRIu32
		    " time%s; its retry budget began anew %s, %u failure%s ago.",
		    w->d->replays, w->d->replays == 1 ? "" : "s", when(w, w->d->budget_at_ms),
		    w->d->failures, w->d->failures == 1 ? "" : "s");
	if (w->d->losses > 0)
		say(w, to,
		    " Its sender was lost %u time%s in a row; after %d it is dead as poison.",
		    w->d->losses, w->d->losses == 1 ? "" : "s", RP_LOSSES_MAX);
}

/* --- states ------------------------------------------------------------------------- */

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

/* What a due entry waits for, by what blocks it; %s is what is meant of its path, section and
 * host. */
static void say_what_it_waits_for(struct work *w, const struct rp_explain_block *b)
{
	static const struct {
		const char *code, *before, *after;
	} all[] = {
	    {"disabled", "its ", " to be resumed: it is disabled"},
	    {"paused", "its ", " to be resumed: it is paused"},
	    {"no_key", "a valid signing key of its ", ""},
	    {"no_port", "a local port towards its ", ""},
	    {"breaker_open", "its ", "'s breaker, which is open"},
	    {"breaker_probing", "its ", "'s breaker, which is being probed"},
	    {"window", "room in its ", "'s window"},
	    {"rate", "its ", "'s rate"},
	    {"unproven", "a place among those for hosts that have not delivered lately", NULL},
	    {"expired", "its turn, though its time has run out", NULL},
	    {"no_sender", "a sender, since none is running", NULL},
	    {"senders_stopped", "a sender that works", NULL}};
	size_t i;

	for (i = 0; i < sizeof all / sizeof all[0]; i++) {
		if (strcmp(b->code, all[i].code) != 0)
			continue;
		say(w, &w->out->why, "%s%s%s.", all[i].before,
		    all[i].after != NULL ? level_noun(b->level) : "",
		    all[i].after != NULL ? all[i].after : "");
		return;
	}
	say(w, &w->out->why, "a sender to take it.");
}

/* What of it is paused; NULL: nothing. A disabled path lets its entries die all the same. */
static const char *paused_noun(const struct work *w)
{
	int level;

	for (level = RP_LEVELS - 1; level >= 0; level--)
		if (w->at[level] != NULL && w->at[level]->paused && !w->at[level]->disabled)
			return level_noun(level);
	return NULL;
}

/* One that has failed is helped by more than waiting, mostly. */
static void advise(struct work *w)
{
	struct rp_advice a = rp_advice(RP_CAUSE_NONE, w->d->last_cause, w->d->http_status);

	if (w->d->last_cause == RP_CAUSE_NONE)
		return;
	say(w, &w->out->why, " What to do: %s. %s", a.what,
	    a.outlook == RP_OUTLOOK_PASS ? "It may also pass by itself."
					 : "Until then its attempts fail in the same way.");
}

static void tell_why_it_waits(struct work *w)
{
	struct rp_explanation *x = w->out;
	const struct rp_delivery *d = w->d;
	int64_t now_at_ms = w->in->now_at_ms;
	const char *paused = paused_noun(w);

	if (d->behind)
		say(w, &x->why, "It waits behind another entry with the same order_by.");
	else if (d->attempts == 0 && d->due_at_ms > now_at_ms)
		say(w, &x->why, "It waits for the time it was asked to be sent at.");
	else if (d->due_at_ms > now_at_ms)
		say(w, &x->why, "Its last attempt failed (%s), and it waits for the next one.",
		    cause_text(w, d->last_cause, d->http_status));
	else {
		say(w, &x->why, "It has been due for %s, and waits for ",
		    span(w, now_at_ms - d->due_at_ms));
		say_what_it_waits_for(w, &x->blocks[0]);
	}
	if (paused != NULL && (d->behind || d->due_at_ms > now_at_ms))
		say(w, &x->why, " Besides, its %s is paused.", paused);
	advise(w);
}

static void tell_what_comes(struct work *w)
{
	struct rp_explanation *x = w->out;
	const struct rp_delivery *d = w->d;
	int64_t now_at_ms = w->in->now_at_ms;
	const char *paused = paused_noun(w);

	if (w->ep->disabled) {
		say(w, &x->next, "It will be dead as gone");
		if (paused != NULL)
			say(w, &x->next, ", after its %s is resumed", paused);
		say(w, &x->next, ".");
		return;
	}
	if (d->behind) {
		say(w, &x->next,
		    "It is due as soon as the one in front is delivered, dead or removed.");
		return;
	}
	foresee(w, d->due_at_ms > now_at_ms ? d->due_at_ms : now_at_ms);
	if (paused != NULL)
		say(w, &x->next, "Attempt #%" PRIu32 " after its %s is resumed", d->attempts + 1,
		    paused);
	else
		say(w, &x->next, "Attempt #%" PRIu32, d->attempts + 1);
	if (paused == NULL || x->forecast.earliest_at_ms > now_at_ms)
		say(w, &x->next, "%s %s%s", paused != NULL ? "," : "",
		    when(w, x->forecast.earliest_at_ms),
		    strcmp(x->blocks[0].code, "turn") != 0 ? " at the earliest" : "");
	say(w, &x->next, ".");
}

static void explain_waiting(struct work *w)
{
	const struct rp_delivery *d = w->d;

	rp_explain_blocks(w);
	tell_why_it_waits(w);
	tell_what_comes(w);
	if (!d->behind)
		add_command(w, "make it due now, with a fresh retry budget", "replay");
	add_command(w, "park it until it is released", "hold");
	add_command(w, "remove it for good", "purge");
}

static void explain_in_flight(struct work *w)
{
	const struct rp_explain_input *in = w->in;
	struct rp_explanation *x = w->out;
	int64_t for_ms = in->now_at_ms - w->d->state_at_ms;

	say(w, &x->why,
	    "sender-%u has had it for %s and makes attempt #%" PRIu32 "; an attempt may take %s.",
	    w->d->slot, span(w, for_ms), w->d->attempts, span(w, in->policy->timeout_ms));
	if (!in->holder_known || !in->holder_alive) {
		say(w, &x->next,
		    "That sender is gone: the next one that looks takes it back and sends it "
		    "again. Nobody knows "
		    "whether it "
		    "arrived.");
		rp_explain_senders(w);
	} else if (!in->holder_beats) {
		say(w, &x->next,
		    "That sender (pid %" PRIu32
		    ") is alive but gives no sign of life: after a lease of %s the "
		    "others take the entry back.",
		    in->holder_pid, span(w, in->config->lease_ms));
	} else {
		say(w, &x->next, "Its outcome is settled within %s.",
		    span(w, in->policy->timeout_ms > for_ms ? in->policy->timeout_ms - for_ms + 1000
							    : 1000));
	}
	add_command(w, "remove it; the attempt under way is not called back", "purge");
}

static void explain_held(struct work *w)
{
	struct rp_explanation *x = w->out;

	say(w, &x->why, "An operator parked it %s.", when(w, w->d->state_at_ms));
	say(w, &x->next, "Nothing, until it is released%s.",
	    w->d->order_key != 0 && !w->d->behind ? "; later entries with its order_by wait for it"
						  : "");
	add_command(w, "let it wait for a sender again", "release");
	add_command(w, "remove it for good", "purge");
}

/* When retention removes it. */
static void tell_removal(struct work *w, int64_t keep_ms, const char *setting)
{
	if (keep_ms > 0)
		say(w, &w->out->next, "A sender removes it %s (%s = %s).",
		    when(w, w->d->state_at_ms + keep_ms), setting, span(w, keep_ms));
	else
		say(w, &w->out->next, "It is kept until somebody purges it (%s = 0).", setting);
}

static void explain_delivered(struct work *w)
{
	say(w, &w->out->why, "Its receiver answered with %u %s, to attempt #%" PRIu32 ".",
	    w->d->http_status, when(w, w->d->state_at_ms),
	    w->in->attempts.n > 0 ? w->in->attempts.last_n : w->d->attempts);
	tell_removal(w, w->in->config->keep_delivered_ms, "keep_delivered");
	add_command(w, "send it once more, with the same webhook-id", "replay");
}

static void explain_dead(struct work *w)
{
	struct rp_explanation *x = w->out;
	const struct rp_delivery *d = w->d;
	struct rp_advice a = rp_advice(d->cause, d->last_cause, d->http_status);

	say(w, &x->why, "It was given up %s as %s", when(w, d->state_at_ms),
	    cause_text(w, d->cause, d->http_status));
	if (d->last_cause != RP_CAUSE_NONE && d->last_cause != d->cause)
		say(w, &x->why, "; its last attempt came back with %s",
		    cause_text(w, d->last_cause, d->http_status));
	say(w, &x->why, ". What to do: %s%s.", a.what, a.then);
	tell_removal(w, w->in->config->keep_dead_ms, "keep_dead");
	if (w->ep->disabled)
		say(w, &x->next, " Its endpoint is disabled: resume it before a replay.");
	add_command(w, "make it due now, with a fresh retry budget", "replay");
	add_command(w, "remove it for good", "purge");
}

void rp_explain(const struct rp_explain_input *in, struct rp_explanation *out)
{
	static const struct rp_endpoint unknown = {0};
	struct work w = {.in = in,
			 .e = in->entry,
			 .d = &in->entry->delivery,
			 .ep = in->endpoint != NULL ? in->endpoint : &unknown,
			 .at = {in->endpoint, in->section, in->host},
			 .out = out};

	if (w.at[RP_LEVEL_PATH] == NULL)
		w.at[RP_LEVEL_PATH] = &unknown;
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
	say(&w, &out->why,
	    "Its delivery record is damaged: it is never sent, and dead as soon as a sender meets "
	    "it.");
	add_command(&w, "remove it for good", "purge");
	out->commands[out->n_commands].what = "look for more damage";
	no_memory_unless(&w, rp_command_add(&out->commands[out->n_commands++].command, in->place,
					    "runpostctl verify"));
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
