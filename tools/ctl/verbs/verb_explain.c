/* verb_explain.c - the verb `explain`: fetches what report/explain.c needs and prints what it
 * says. No reasoning happens here. */

#include <inttypes.h>
#include <stdio.h>

#include "base/sys.h"
#include "base/units.h"
#include "net/url.h"
#include "report/endpoints.h"
#include "report/shown.h"
#include "report/entry_json.h"
#include "report/explain.h"
#include "ctl/select/walk.h"
#include "ctl/verbs/verbs.h"

/* Steps of the schedule printed for people; JSON has all. */
enum { STEPS_SHOWN = 16 };

struct story {
	struct rp_ctl *ctl;
	struct rp_sender_info senders[128]; /* as many as there are slots */
	size_t n_senders;
	int64_t boot_ms;
};

static const struct rp_config *config_of(const struct story *s)
{
	return &s->ctl->settings->config;
}

/* --- fetching ----------------------------------------------------------------------- */

static void see_sender(void *arg, const struct rp_sender_info *info)
{
	struct story *s = arg;

	if (s->n_senders < sizeof s->senders / sizeof s->senders[0])
		s->senders[s->n_senders++] = *info;
}

static void see_attempt(void *arg, uint32_t n, const struct rp_attempt *a, bool damaged)
{
	if (!damaged)
		rp_explain_add_attempt(arg, n, a);
}

static bool beats(const struct story *s, const struct rp_sender_info *sender)
{
	return sender->alive && s->boot_ms - sender->beat_boot_ms <= config_of(s)->lease_ms;
}

static void add_senders(const struct story *s, struct rp_explain_input *in)
{
	size_t i;

	in->beat_age_ms = INT64_MAX;
	for (i = 0; i < s->n_senders; i++) {
		const struct rp_sender_info *sender = &s->senders[i];

		in->n_alive += sender->alive;
		in->n_beating += beats(s, sender);
		if (sender->alive && s->boot_ms - sender->beat_boot_ms < in->beat_age_ms)
			in->beat_age_ms = s->boot_ms - sender->beat_boot_ms;
		if (in->entry->delivery.state == RP_STATE_IN_FLIGHT &&
		    sender->slot == in->entry->delivery.slot) {
			in->holder_known = true;
			in->holder_alive = sender->alive;
			in->holder_beats = beats(s, sender);
			in->holder_pid = sender->pid;
		}
	}
}

static const struct rp_policy *policy_of(const struct story *s, const struct rp_entry *e)
{
	struct rp_url url;

	if (rp_url_parse(e->facts.url, &url, NULL) != RP_OK)
		return &config_of(s)->defaults;
	return rp_config_policy(config_of(s), &url);
}

/* Who goes before it, and how that one does. */
static int add_front(const struct story *s, struct rp_explain_input *in, char front[RP_ID_TEXT_MAX])
{
	struct rp_entry e = {0};
	struct rp_error err;
	enum rp_err got;

	front[0] = '\0';
	in->front = front;
	if (!in->entry->delivery.behind)
		return RP_EXIT_OK;
	got = rp_outbox_front(s->ctl->ob, &in->entry->delivery, &e, &err);
	if (got == RP_OK) {
		rp_id_format(e.facts.id, front);
		in->front_state = e.delivery.state;
	}
	rp_entry_release(&e);
	return got == RP_OK || got == RP_ERR_NOTFOUND ? RP_EXIT_OK : rp_ctl_fail(&err);
}

struct pausing {
	/* names of the endpoint: the log has what could be shown then */
	struct rp_span stored, shown;
	struct rp_buf text; /* who, then why */
	size_t who_len;
	bool no_memory;
};

static bool is_named(struct rp_span what, struct rp_span name)
{
	/* the log has no more of it */
	size_t len = name.len < RP_JOB_TEXT_MAX ? name.len : RP_JOB_TEXT_MAX;

	return len > 0 && what.len == len && memcmp(what.ptr, name.ptr, len) == 0;
}

static bool see_change(void *arg, uint64_t number, const struct rp_audit *a)
{
	struct pausing *p = arg;

	(void)number;
	if ((!is_named(a->what, p->stored) && !is_named(a->what, p->shown)) ||
	    !(rp_span_is(a->verb, "pause") || rp_span_is(a->verb, "top pause")))
		return true;
	rp_buf_clear(&p->text);
	p->who_len = a->user.len;
	p->no_memory = !rp_buf_add(&p->text, a->user.ptr, a->user.len) ||
		       !rp_buf_add(&p->text, a->reason.ptr, a->reason.len);
	return !p->no_memory;
}

/* Who paused its path, or else its host, last. */
static int add_pausing(const struct story *s, struct rp_explain_input *in, struct pausing *p)
{
	struct rp_buf room = {0};
	bool path = in->endpoint != NULL && in->endpoint->paused,
	     host = in->host != NULL && in->host->paused;
	struct rp_error err;
	enum rp_err e;

	if (!path && !host)
		return RP_EXIT_OK;
	p->stored = in->entry->endpoint;
	if (host)
		p->stored = rp_level_host_name(p->stored);
	p->shown = host ? p->stored : rp_shown_name(config_of(s), p->stored, &room);
	e = rp_outbox_audit(s->ctl->ob, see_change, p, &err);
	rp_buf_release(&room);
	if (e != RP_OK)
		return rp_ctl_fail(&err);
	if (p->no_memory)
		return rp_ctl_no_memory();
	if (p->text.len > 0) {
		in->paused_by = (struct rp_span){p->text.data, p->who_len};
		in->paused_why =
		    (struct rp_span){p->text.data + p->who_len, p->text.len - p->who_len};
	}
	return RP_EXIT_OK;
}

/* --- as sentences ------------------------------------------------------------------- */

/* Words wrapped at the width of the terminal, behind a title in the margin. */
static bool add_paragraph(struct rp_ctl *ctl, const char *title, const char *text)
{
	enum { MARGIN = 10 };
	size_t width = ctl->out_tty && ctl->width > 50 ? ctl->width : 100, column = MARGIN, len;
	bool ok;

	if (text == NULL)
		return true;
	ok = rp_buf_printf(&ctl->out, "%-*s", MARGIN - 1, title);
	while (ok && *text != '\0') {
		len = strcspn(text, " ");
		if (column + len >= width && column > MARGIN) {
			ok = rp_buf_printf(&ctl->out, "\n%*s", MARGIN - 1, "");
			column = MARGIN;
		}
		ok = ok && rp_buf_add_char(&ctl->out, ' ') &&
		     rp_text_tame((struct rp_span){text, len}, &ctl->out);
		column += len + 1;
		text += len + strspn(text + len, " ");
	}
	return ok && rp_buf_add_char(&ctl->out, '\n');
}

static bool add_command(struct rp_ctl *ctl, const char *title, const char *command,
			const char *what)
{
	return rp_buf_printf(&ctl->out, "%-10s%s", title, command) &&
	       (what == NULL || rp_buf_printf(&ctl->out, "   (%s)", what)) &&
	       rp_buf_add_char(&ctl->out, '\n');
}

static bool add_blocks(struct rp_ctl *ctl, const struct rp_explanation *x)
{
	bool ok = true;
	size_t i;

	for (i = 0; i < x->n_blocks && ok; i++) {
		const char *command = rp_explanation_text(&x->blocks[i].command);

		ok = add_paragraph(ctl, i == 0 ? "blocking" : "",
				   rp_explanation_text(&x->blocks[i].text)) &&
		     (command == NULL || add_command(ctl, "", command, NULL));
	}
	return ok;
}

/* "2026-11-23 12:00:00", UTC. */
static const char *second(int64_t at_ms, char out[RP_TIME_TEXT_MAX])
{
	rp_time_format(at_ms, out);
	out[10] = ' ';
	out[19] = '\0';
	return out;
}

static bool add_times(struct rp_ctl *ctl, const char *name, int64_t earliest_at_ms,
		      int64_t latest_at_ms, bool certain)
{
	char from[RP_TIME_TEXT_MAX], to[RP_TIME_TEXT_MAX], when[RP_WHEN_TEXT_MAX];
	bool one = latest_at_ms - earliest_at_ms < 1000;

	return rp_buf_printf(&ctl->out, "%-10s%-18s %s%s%-19s  %s%s\n", "", name,
			     second(earliest_at_ms, from), one ? "    " : " .. ",
			     one ? "" : second(latest_at_ms, to),
			     rp_when(earliest_at_ms, ctl->now_at_ms, when),
			     certain ? "" : ", if its time has not run out");
}

static bool add_schedule(struct rp_ctl *ctl, const struct rp_explain_input *in,
			 const struct rp_explanation *x)
{
	struct rp_forecast f = x->forecast;
	struct rp_forecast_step step;
	uint32_t n = in->entry->delivery.attempts;
	unsigned shown = 0, left = 0;
	char name[48], cause[RP_CAUSE_TEXT_MAX];
	bool ok;

	if (!x->has_future)
		return true;
	ok = rp_buf_printf(&ctl->out,
			   "%-10sif every attempt fails and nothing else holds it up, by the "
			   "policy of %s (UTC):\n",
			   "schedule", in->policy->name);
	while (rp_forecast_next(&f, &step)) {
		snprintf(name, sizeof name, "#%" PRIu32, ++n);
		if (shown == STEPS_SHOWN)
			left++;
		else if (++shown > 0)
			ok = ok && add_times(ctl, name, step.earliest_at_ms, step.latest_at_ms,
					     step.certain);
	}
	if (left > 0)
		ok = ok &&
		     rp_buf_printf(&ctl->out, "%-10s... and %u more, which --json has\n", "", left);
	snprintf(name, sizeof name, "dead: %s", rp_cause_format(f.end_cause, 0, cause));
	return ok && add_times(ctl, name, f.earliest_at_ms, f.latest_at_ms, true);
}

static bool add_text(struct rp_ctl *ctl, const struct rp_explain_input *in,
		     const struct rp_explanation *x)
{
	char id[RP_ID_TEXT_MAX];
	struct rp_buf room = {0};
	bool ok =
	    rp_buf_printf(&ctl->out, "%-10s%s   %s   ", "entry",
			  rp_id_format(in->entry->facts.id, id), rp_entry_state(in->entry)) &&
	    rp_text_escape(rp_shown_name(in->config, in->entry->endpoint, &room), &ctl->out) &&
	    rp_buf_add_char(&ctl->out, '\n') &&
	    add_paragraph(ctl, "why", rp_explanation_text(&x->why)) &&
	    add_paragraph(ctl, "happened", rp_explanation_text(&x->happened)) &&
	    add_blocks(ctl, x) && add_paragraph(ctl, "next", rp_explanation_text(&x->next)) &&
	    add_schedule(ctl, in, x);
	size_t i;

	rp_buf_release(&room);
	for (i = 0; i < x->n_commands && ok; i++)
		ok = add_command(ctl, i == 0 ? "you can" : "",
				 rp_explanation_text(&x->commands[i].command), x->commands[i].what);
	return ok;
}

/* --- the verb ----------------------------------------------------------------------- */

static int explain_one(const struct story *s, const struct rp_entry *e)
{
	struct rp_known_levels levels;
	struct rp_explain_input in = {.entry = e,
				      .config = config_of(s),
				      .policy = policy_of(s, e),
				      .now_at_ms = s->ctl->now_at_ms,
				      .place = &s->ctl->place};
	struct rp_explanation x = {0};
	struct pausing pausing = {0};
	char front[RP_ID_TEXT_MAX];
	struct rp_error err;
	int code;
	bool ok;

	if (rp_known_levels_load(s->ctl->ob, e->delivery.endpoint, &levels, &err) != RP_OK)
		return rp_ctl_fail(&err);
	in.endpoint = levels.has[RP_LEVEL_PATH] ? &levels.of[RP_LEVEL_PATH] : NULL;
	in.section = levels.has[RP_LEVEL_SECTION] ? &levels.of[RP_LEVEL_SECTION] : NULL;
	in.host = levels.has[RP_LEVEL_HOST] ? &levels.of[RP_LEVEL_HOST] : NULL;
	add_senders(s, &in);
	if (rp_outbox_attempts(s->ctl->ob, e->seq, see_attempt, &in.attempts, &err) != RP_OK)
		return rp_ctl_fail(&err);
	code = add_front(s, &in, front);
	if (code == RP_EXIT_OK)
		code = add_pausing(s, &in, &pausing);
	if (code == RP_EXIT_OK)
		rp_explain(&in, &x);
	rp_buf_release(&pausing.text);
	if (code != RP_EXIT_OK)
		return code;
	ok = !x.no_memory && (s->ctl->json ? rp_ctl_add_json(s->ctl, rp_explanation_json(&in, &x))
					   : add_text(s->ctl, &in, &x));
	rp_explanation_release(&x);
	return ok ? rp_ctl_flush(s->ctl) : rp_ctl_no_memory();
}

int rp_verb_explain(struct rp_ctl *ctl)
{
	struct story s = {.ctl = ctl, .boot_ms = rp_sys_boot_ms(&rp_sys_real)};
	struct rp_picks picks = {0};
	struct rp_entry e = {0};
	struct rp_error err;
	uint64_t n_missing = 0;
	int code = rp_walk_pick(ctl, &picks, &n_missing);
	size_t i;

	if (code == RP_EXIT_OK && rp_outbox_senders(ctl->ob, see_sender, &s, &err) != RP_OK)
		code = rp_ctl_fail(&err);
	for (i = 0; i < picks.n && code == RP_EXIT_OK; i++) {
		enum rp_err got = rp_walk_load(ctl, picks.seqs[i], &e, &err);

		if (i > 0 && !ctl->json && !rp_buf_add_char(&ctl->out, '\n'))
			code = rp_ctl_no_memory();
		else if (got == RP_OK)
			code = explain_one(&s, &e);
		else if (got != RP_ERR_NOTFOUND)
			code = rp_ctl_fail(&err);
		else
			n_missing++;
	}
	rp_entry_release(&e);
	rp_picks_release(&picks);
	return code == RP_EXIT_OK && n_missing > 0 ? RP_EXIT_SOME_FAILED : code;
}
