/* explain_blocks.c - finds what holds an entry up: senders, pause, breaker, limits, order, time.
 * Each check is one function, in the order in which they matter. */

#include "report/explain_work.h"

#include <inttypes.h>

#include "config/redact.h"
#include "model/schedule.h"

enum { UNPROVEN_DUE_MS = 1000 };

static struct rp_explain_block *block(struct work *w, const char *code, int64_t until_at_ms)
{
	struct rp_explanation *x = w->out;
	struct rp_explain_block *b = &x->blocks[x->n_blocks];

	/* the last place takes what does not fit; there are fewer kinds */
	if (x->n_blocks + 1 < RP_EXPLAIN_BLOCKS_MAX)
		x->n_blocks++;
	b->code = code;
	b->level = -1;
	b->until_at_ms = until_at_ms;
	return b;
}

static void command(struct work *w, struct rp_explain_block *b, const char *words)
{
	no_memory_unless(w, rp_command_add(&b->command, w->in->place, words));
}

/* One of a level. */
static struct rp_explain_block *level_block(struct work *w, int level, const char *code,
					    int64_t until_at_ms)
{
	struct rp_explain_block *b = block(w, code, until_at_ms);

	b->level = level;
	return b;
}

/* About what holds it up: its path, or its host. For a section this must only show: verbs that
 * change something would do it to the host. */
static void command_on_level(struct work *w, struct rp_explain_block *b, const char *words)
{
	struct rp_span host = rp_level_host_name(w->e->endpoint);
	struct rp_buf name = {0};
	bool ok = (b->level == RP_LEVEL_PATH
		       ? rp_redact_endpoint(w->in->config, w->e->endpoint, &name)
		       : rp_buf_add(&name, host.ptr, host.len) && rp_buf_add_char(&name, '\0')) &&
		  rp_command_add_on_endpoint(&b->command, w->in->place, words,
					     name.data != NULL ? name.data : "");

	no_memory_unless(w, ok);
	rp_buf_release(&name);
}

static void check_order(struct work *w)
{
	struct rp_explain_block *b;

	if (!w->d->behind)
		return;
	b = block(w, "order", 0);
	if (w->in->front[0] == '\0') {
		say(w, &b->text,
		    "Another entry with its order_by goes first; it is moving on just now.");
		return;
	}
	say(w, &b->text, "%s goes first: it has the same order_by, and is %s.", w->in->front,
	    rp_state_name(w->in->front_state));
	no_memory_unless(w, rp_command_add_on(&b->command, w->in->place,
					      w->in->front_state == RP_STATE_HELD
						  ? "runpostctl release"
						  : "runpostctl explain",
					      w->in->front));
}

/* Nobody can resume a section. */
static void tell_resume(struct work *w, struct rp_explain_block *b)
{
	if (b->level != RP_LEVEL_SECTION)
		command_on_level(w, b, "runpostctl resume");
}

/* A command that may be none (command.h): then a sentence of the block. */
static void tell(struct work *w, struct rp_explain_block *b, const struct rp_buf *text,
		 bool is_command, const char *before)
{
	if (is_command)
		no_memory_unless(w, rp_buf_add(&b->command, text->data, text->len));
	else if (text->data != NULL)
		say(w, &b->text, " %s%s.", before, text->data);
}

static void tell_send(struct work *w, struct rp_explain_block *b, const char *before)
{
	struct rp_buf text = {0};
	bool is_command;

	no_memory_unless(w, rp_command_add_send(&text, w->in->place, &is_command));
	tell(w, b, &text, is_command, before);
	rp_buf_release(&text);
}

static void tell_check(struct work *w, struct rp_explain_block *b)
{
	struct rp_buf text = {0}, name = {0};
	bool is_command = false;

	no_memory_unless(w, rp_redact_endpoint(w->in->config, w->e->endpoint, &name) &&
				rp_buf_add_char(&name, '\0') &&
				rp_command_add_check(&text, w->in->place, name.data, &is_command));
	tell(w, b, &text, is_command, "To see it, ");
	rp_buf_release(&name);
	rp_buf_release(&text);
}

void rp_explain_senders(struct work *w)
{
	const struct rp_explain_input *in = w->in;
	struct rp_explain_block *b;

	if (in->n_alive == 0) {
		b = block(w, "no_sender", 0);
		say(w, &b->text, "No sender is running.");
		tell_send(w, b, "To have one, ");
	} else if (in->n_beating == 0) {
		b = block(w, "senders_stopped", 0);
		say(w, &b->text,
		    "No sender works: %u hold%s a slot, but the last sign of life was %s ago.",
		    in->n_alive, in->n_alive == 1 ? "s" : "", span(w, in->beat_age_ms));
		command(w, b, "runpostctl doctor");
	}
}

static void check_breaker(struct work *w, int level)
{
	const struct rp_control *c = &w->at[level]->control;
	struct rp_explain_block *b;

	if (c->breaker == RP_BREAKER_OPEN) {
		b = level_block(w, level, "breaker_open", c->probe_at_ms);
		say(w, &b->text, "The %s's breaker opened %s, after %" PRIu32 " bad outcomes%s",
		    level_noun(level), when(w, c->opened_at_ms), c->bad_streak,
		    level == RP_LEVEL_HOST ? " of its paths" : "");
		say(w, &b->text,
		    " in a row, the last %s. One entry is sent as a probe %s; if it is answered, "
		    "sending goes on.",
		    cause_text(w, c->cause, c->http_status), when(w, c->probe_at_ms));
		tell_resume(w, b);
	} else if (c->breaker == RP_BREAKER_HALF_OPEN) {
		b = level_block(w, level, "breaker_probing", 0);
		say(w, &b->text,
		    "The %s's breaker opened %s, and a probe is under way; it gets one "
		    "request at a time.",
		    level_noun(level), when(w, c->opened_at_ms));
	}
}

/* What a level may be given is set under other names for a host. */
static void tell_full(struct work *w, struct rp_explain_block *b, int level)
{
	const struct rp_control *c = &w->at[level]->control;
	uint64_t in_flight = rp_endpoint_in_use(w->at[level]);

	say(w, &b->text,
	    "The %s's window is full: %" PRIu64 " requests are under way%s, of %u that it gets now "
	    "and %u that %s allows.",
	    level_noun(level), in_flight, level != RP_LEVEL_PATH ? " over all its paths" : "",
	    rp_control_room(c), c->limits.in_flight,
	    level == RP_LEVEL_HOST ? "host_in_flight" : "in_flight");
	if (level == RP_LEVEL_HOST && rp_control_room(c) == c->limits.in_flight)
		say(w, &b->text, " If it can bear more, raise host_in_flight.");
}

static void check_limits(struct work *w, int level)
{
	const struct rp_control *c = &w->at[level]->control;
	int64_t token_at_ms;
	char rate[RP_RATE_TEXT_MAX];
	struct rp_explain_block *b;

	if (c->limits.in_flight == 0 || c->breaker != RP_BREAKER_CLOSED)
		return;
	if (rp_endpoint_in_use(w->at[level]) >= rp_control_room(c)) {
		b = level_block(w, level, "window", 0);
		tell_full(w, b, level);
		command_on_level(w, b, "runpostctl endpoints");
	}
	token_at_ms = rp_control_ready_at_ms(c, 0);
	if (token_at_ms > w->in->now_at_ms) {
		b = level_block(w, level, "rate", token_at_ms);
		say(w, &b->text, "The %s's rate of %s is used up; its next request may go %s.",
		    level_noun(level), rp_rate_format(c->limits.rate, rate), when(w, token_at_ms));
		command_on_level(w, b, "runpostctl endpoints");
	}
}

static void check_paused(struct work *w, int level)
{
	bool known = level == RP_LEVEL_HOST || w->in->host == NULL || !w->in->host->paused;
	struct rp_span why = known ? w->in->paused_why : rp_span_of(""),
		       by = known && w->in->paused_by.len > 0 ? w->in->paused_by
							      : rp_span_of("an operator");
	struct rp_explain_block *b;

	if (!w->at[level]->paused)
		return;
	b = level_block(w, level, "paused", 0);
	say(w, &b->text, "The %s was paused by %.*s %s", level_noun(level), (int)by.len, by.ptr,
	    when(w, w->at[level]->changed_at_ms));
	if (why.len > 0)
		say(w, &b->text, " (%.*s)", (int)(why.len < 200 ? why.len : 200), why.ptr);
	say(w, &b->text, ".");
	tell_resume(w, b);
}

static void check_parked(struct work *w)
{
	struct rp_explain_block *b;

	if (w->ep->parked_until_ms <= w->in->now_at_ms)
		return;
	if (w->ep->last_cause == RP_CAUSE_LOCAL) {
		b = level_block(w, RP_LEVEL_PATH, "no_port", w->ep->parked_until_ms);
		say(w, &b->text,
		    "No local port is free towards the endpoint; a sender tries again %s.",
		    when(w, w->ep->parked_until_ms));
		return;
	}
	b = level_block(w, RP_LEVEL_PATH, "no_key", w->ep->parked_until_ms);
	say(w, &b->text,
	    "No signing key of the endpoint is valid, and nothing is sent unsigned; a "
	    "sender looks again "
	    "%s. Mend the secret, and reload the senders (SIGHUP).",
	    when(w, w->ep->parked_until_ms));
	tell_check(w, b);
}

static void check_disabled(struct work *w)
{
	struct rp_explain_block *b;

	if (!w->ep->disabled)
		return;
	b = level_block(w, RP_LEVEL_PATH, "disabled", 0);
	say(w, &b->text,
	    "The endpoint was disabled %s, because it answered 410 or asked for it: when "
	    "the turn of "
	    "this entry comes it dies as gone.",
	    when(w, w->ep->changed_at_ms));
	command_on_level(w, b, "runpostctl resume");
}

/* The host first: what holds that up holds up all in it. Nothing holds up a disabled path itself,
 * but its entries die only when the turn of its section and its host has come. */
static void check_levels(struct work *w)
{
	int level;

	check_disabled(w);
	for (level = RP_LEVELS - 1; level >= 0; level--) {
		if (w->at[level] == NULL || w->at[level]->disabled)
			continue;
		check_paused(w, level);
		if (level == RP_LEVEL_PATH)
			check_parked(w);
		check_breaker(w, level);
		check_limits(w, level);
	}
}

/* Its own times. */
static void check_due(struct work *w)
{
	const struct rp_delivery *d = w->d;
	int64_t now_at_ms = w->in->now_at_ms, not_before = w->e->facts.not_before_at_ms;
	struct rp_explain_block *b;

	if (d->expires_at_ms != 0 && d->expires_at_ms <= now_at_ms) {
		b = block(w, "expired", 0);
		say(w, &b->text,
		    "Its expires_at passed %s: when its turn comes it dies as expired.",
		    when(w, d->expires_at_ms));
		no_memory_unless(
		    w, rp_command_add_on(&b->command, w->in->place, "runpostctl replay", w->id));
		return;
	}
	if (d->due_at_ms <= now_at_ms || d->behind)
		return;
	b = block(w, d->attempts == 0 && not_before > now_at_ms ? "not_before" : "retry_delay",
		  d->due_at_ms);
	if (d->attempts == 0 && not_before > now_at_ms)
		say(w, &b->text, "Its not_before asks to send it no earlier than %s.",
		    when(w, not_before));
	else
		say(w, &b->text, "It is not due yet: its next attempt is %s.",
		    when(w, d->due_at_ms));
	no_memory_unless(w,
			 rp_command_add_on(&b->command, w->in->place, "runpostctl replay", w->id));
}

/* Only where nothing else holds it up. Nobody outside of a sender knows how many of its places are
 * taken; but one that has a place takes what is due at once. */
static bool check_unproven(struct work *w)
{
	const struct rp_endpoint *host = w->at[RP_LEVEL_HOST];
	int64_t now_at_ms = w->in->now_at_ms;
	struct rp_explain_block *b;

	if (host == NULL || rp_schedule_is_proven(host, now_at_ms) ||
	    now_at_ms - w->d->due_at_ms < UNPROVEN_DUE_MS)
		return false;
	b = level_block(w, RP_LEVEL_HOST, "unproven", 0);
	say(w, &b->text,
	    "Its host has delivered nothing in the last %s, or failed since. Such hosts share half "
	    "of a sender's places, and this one waits for one of these. More senders, or a larger "
	    "in_flight under [sender], make more of them.",
	    span(w, RP_PROVEN_MS));
	tell_send(w, b, "To have one more, ");
	return true;
}

void rp_explain_blocks(struct work *w)
{
	struct rp_explain_block *b;

	check_order(w);
	check_levels(w);
	check_due(w);
	rp_explain_senders(w);
	if (w->out->n_blocks > 0 || check_unproven(w))
		return;
	b = block(w, "turn", 0);
	say(w, &b->text,
	    "It has been due for %s and nothing stands in its way: its turn comes as soon as a "
	    "sender looks.",
	    span(w, w->in->now_at_ms - w->d->due_at_ms));
}
