/* verb_show.c - the verb `show`: prints all that is known of an entry, with its attempts. */

#include <inttypes.h>
#include <stdio.h>

#include "base/units.h"
#include "report/entry_json.h"
#include "report/shown.h"
#include "run/trace.h"
#include "ctl/select/walk.h"
#include "ctl/verbs/verbs.h"

struct show {
	struct rp_ctl *ctl;
	const struct rp_entry *entry;
	char front[RP_ID_TEXT_MAX]; /* id of the entry it is behind, empty: none */
	bool ok;
};

static int show_json(struct show *s)
{
	struct rp_json_out *json;
	struct rp_error err;

	if (rp_entry_json_whole(&s->ctl->settings->config, s->ctl->ob, s->entry, &json, &err) !=
	    RP_OK)
		return rp_ctl_fail(&err);
	return rp_ctl_add_json(s->ctl, json) ? RP_EXIT_OK : rp_ctl_no_memory();
}

/* "2026-11-23 12:00:00.123", UTC as the heading says. */
static const char *moment(int64_t at_ms, char out[RP_TIME_TEXT_MAX])
{
	rp_time_format(at_ms, out);
	out[10] = ' ';
	out[23] = '\0';
	return out;
}

static const char *us_text(int64_t us, char out[RP_DURATION_TEXT_MAX])
{
	if (us <= 0)
		snprintf(out, RP_DURATION_TEXT_MAX, "-");
	else if (us < 10000)
		snprintf(out, RP_DURATION_TEXT_MAX, "%.1fms", (double)us / 1000);
	else
		rp_duration_format(us / 1000, out);
	return out;
}

static bool add_quoted_foreign(const struct show *s, struct rp_span text)
{
	struct rp_buf *out = &s->ctl->out;

	return text.len == 0 || (rp_buf_add_text(out, "  \"") &&
				 rp_entry_foreign(&s->ctl->settings->config, s->entry, text, out) &&
				 rp_buf_add_char(out, '"'));
}

/* Who answered, and in what. */
static bool add_peer(struct rp_buf *out, const struct rp_outcome *o)
{
	return (o->peer[0] == '\0' || rp_buf_printf(out, "  %s", o->peer)) &&
	       (o->http_version == 0 ||
		rp_buf_printf(out, "  HTTP/%u.%u", o->http_version / 10, o->http_version % 10));
}

static bool add_attempt(struct show *s, uint32_t n, const struct rp_attempt *a, bool damaged)
{
	const struct rp_outcome *o = &a->outcome;
	struct rp_buf *out = &s->ctl->out;
	char at[RP_TIME_TEXT_MAX], cause[RP_CAUSE_TEXT_MAX], sender[RP_SENDER_TEXT_MAX], head[16];
	char t[5][RP_DURATION_TEXT_MAX];

	snprintf(head, sizeof head, "#%" PRIu32, n);
	if (damaged)
		return rp_buf_printf(out, "  %-23s  %-5s the record of this attempt is damaged\n",
				     "", head);
	return rp_buf_printf(out, "  %s  %-5s %-10s %-12s %7s %7s %7s %7s %7s",
			     moment(a->started_at_ms, at), head, rp_sender_text(a->slot, sender),
			     rp_attempt_outcome(a, false, cause), us_text(o->dns_us, t[0]),
			     us_text(o->connect_us, t[1]), us_text(o->tls_us, t[2]),
			     us_text(o->first_byte_us, t[3]), us_text(o->duration_us, t[4])) &&
	       add_peer(out, o) &&
	       (!a->late || rp_buf_add_text(out, "  late: its claim had been lost")) &&
	       (o->retry_after_ms == 0 ||
		rp_buf_printf(out, "  asked to wait %s",
			      rp_duration_format(o->retry_after_ms, t[0]))) &&
	       add_quoted_foreign(s, rp_span_of(o->detail)) &&
	       add_quoted_foreign(s,
				  (struct rp_span){(const char *)o->response, o->response_bytes}) &&
	       rp_buf_add_char(out, '\n');
}

static void see_text(void *arg, uint32_t n, const struct rp_attempt *a, bool damaged)
{
	struct show *s = arg;

	s->ok = s->ok && add_attempt(s, n, a, damaged);
}

static bool add_line(struct rp_buf *out, const char *name, struct rp_span value)
{
	return value.len == 0 || (rp_buf_printf(out, "%-10s", name) && rp_text_escape(value, out) &&
				  rp_buf_add_char(out, '\n'));
}

static bool add_target(const struct show *s)
{
	const struct rp_entry *e = s->entry;
	struct rp_buf url = {0};
	char size[32];
	bool ok = rp_entry_url(&s->ctl->settings->config, e, &url) &&
		  rp_buf_printf(&s->ctl->out, "%-10sPOST %s   payload %s\n", "target",
				url.data != NULL ? url.data : "(unreadable)",
				rp_size_text(e->facts.payload_bytes, size));

	rp_buf_release(&url);
	return ok;
}

static bool add_state(const struct show *s)
{
	static const enum rp_style styles[RP_STATE_COUNT] = {[0] = RP_STYLE_BAD,
							     [RP_STATE_HELD] = RP_STYLE_WARN,
							     [RP_STATE_DELIVERED] = RP_STYLE_GOOD,
							     [RP_STATE_DEAD] = RP_STYLE_BAD};
	const struct rp_entry *e = s->entry;
	const struct rp_delivery *d = &e->delivery;
	struct rp_ctl *ctl = s->ctl;
	struct rp_buf *out = &ctl->out;
	char when[RP_WHEN_TEXT_MAX], cause[RP_CAUSE_TEXT_MAX];
	bool ok = rp_buf_printf(out, "%-10s", "state") &&
		  rp_style_add(out, styles[d->state], ctl->color, rp_entry_state(e)) &&
		  rp_buf_printf(out, " since %s", rp_when(d->state_at_ms, ctl->now_at_ms, when));

	rp_entry_cause(e, cause);
	if (cause[0] != '\0')
		ok = ok && rp_buf_printf(out, ", %s %s",
					 d->state == RP_STATE_DEAD ? "cause" : "last", cause);
	if (d->state == RP_STATE_DEAD && d->last_cause != d->cause &&
	    d->last_cause != RP_CAUSE_NONE)
		ok = ok && rp_buf_printf(out, " (last %s)",
					 rp_cause_format(d->last_cause, d->http_status, cause));
	if (s->front[0] != '\0')
		ok = ok && rp_buf_printf(out, ", behind %s (same order_by)", s->front);
	if (rp_entry_due_at_ms(e) != 0)
		ok = ok &&
		     rp_buf_printf(out, ", due %s", rp_when(d->due_at_ms, ctl->now_at_ms, when));
	if (d->state == RP_STATE_IN_FLIGHT)
		ok = ok && rp_buf_printf(out, ", with %s", rp_sender_text(d->slot, when));
	ok = ok && rp_buf_printf(out, ", attempts %" PRIu32 ", replays %" PRIu32, d->attempts,
				 d->replays);
	if (d->expires_at_ms != 0)
		ok = ok && rp_buf_printf(out, ", expires %s",
					 rp_when(d->expires_at_ms, ctl->now_at_ms, when));
	return ok && rp_buf_add_char(out, '\n');
}

static bool add_head(const struct show *s)
{
	const struct rp_entry *e = s->entry;
	struct rp_buf *out = &s->ctl->out;
	char id[RP_ID_TEXT_MAX];
	struct rp_buf room = {0};
	bool ok;

	ok = add_line(out, "id", rp_span_of(rp_id_format(e->facts.id, id))) &&
	     add_line(out, "run", e->facts.run_id) && add_line(out, "thread", e->facts.thread_id) &&
	     add_line(out, "event", e->facts.event) &&
	     add_line(out, "operation", e->facts.operation) &&
	     add_line(out, "order_by", e->facts.order_by) &&
	     add_line(out, "trace", rp_trace_id(e->facts.headers)) && add_target(s) &&
	     add_line(out, "endpoint",
		      rp_shown_name(&s->ctl->settings->config, e->endpoint, &room)) &&
	     add_state(s) &&
	     (!e->damaged ||
	      rp_buf_add_text(
		  out, "DAMAGED  a record fails its checksum; this is what could be read\n"));
	rp_buf_release(&room);
	return ok;
}

static bool add_command(const struct show *s, const char *words, const char *others)
{
	struct rp_buf *out = &s->ctl->out;
	char id[RP_ID_TEXT_MAX];

	return rp_buf_add_text(out, "next: ") &&
	       rp_command_add_on(out, &s->ctl->place, words,
				 rp_id_format(s->entry->facts.id, id)) &&
	       rp_buf_printf(out, "   (%s)\n", others);
}

static bool add_next(const struct show *s)
{
	const struct rp_delivery *d = &s->entry->delivery;
	char text[RP_TIME_TEXT_MAX];

	switch (d->state) {
	case RP_STATE_WAITING:
		if (d->behind)
			return add_command(s, "runpostctl hold", "or purge");
		return rp_buf_printf(&s->ctl->out, "  %s  #%-4" PRIu32 " due\n",
				     moment(d->due_at_ms, text), d->attempts + 1) &&
		       add_command(s, "runpostctl replay", "now; or hold, purge");
	case RP_STATE_HELD:
		return add_command(s, "runpostctl release", "or purge");
	case RP_STATE_DEAD:
		return add_command(s, "runpostctl replay", "or purge");
	case RP_STATE_IN_FLIGHT:
	case RP_STATE_DELIVERED:
		break;
	}
	return true;
}

static int show_text(struct show *s)
{
	struct rp_buf *out = &s->ctl->out;
	char at[RP_TIME_TEXT_MAX];
	struct rp_error err;

	if (s->entry->delivery.behind) {
		struct rp_entry front = {0};
		enum rp_err e = rp_outbox_front(s->ctl->ob, &s->entry->delivery, &front, &err);

		if (e == RP_OK)
			rp_id_format(front.facts.id, s->front);
		rp_entry_release(&front);
		if (e != RP_OK && e != RP_ERR_NOTFOUND) /* it has moved on by now */
			return rp_ctl_fail(&err);
	}
	s->ok = add_head(s) &&
		rp_buf_printf(out, "TIMELINE (UTC)%54s %7s %7s %7s %7s\n", "dns", "connect", "tls",
			      "byte", "total") &&
		rp_buf_printf(out, "  %s  accepted\n", moment(s->entry->facts.accepted_at_ms, at));
	if (rp_outbox_attempts(s->ctl->ob, s->entry->seq, see_text, s, &err) != RP_OK)
		return rp_ctl_fail(&err);
	return s->ok && add_next(s) ? RP_EXIT_OK : rp_ctl_no_memory();
}

static int show_one(struct rp_ctl *ctl, const struct rp_entry *e, bool first)
{
	struct show s = {.ctl = ctl, .entry = e, .ok = true};
	int code;

	if (!first && !ctl->json && !rp_buf_add_char(&ctl->out, '\n'))
		return rp_ctl_no_memory();
	code = ctl->json ? show_json(&s) : show_text(&s);
	return code == RP_EXIT_OK ? rp_ctl_flush(ctl) : code;
}

int rp_verb_show(struct rp_ctl *ctl)
{
	struct rp_picks picks = {0};
	struct rp_entry e = {0};
	struct rp_error err;
	uint64_t n_missing = 0;
	int code = rp_walk_pick(ctl, &picks, &n_missing);
	size_t i;

	for (i = 0; i < picks.n && code == RP_EXIT_OK; i++) {
		enum rp_err got = rp_walk_load(ctl, picks.seqs[i], &e, &err);

		if (got == RP_OK)
			code = show_one(ctl, &e, i == 0);
		else if (got != RP_ERR_NOTFOUND)
			code = rp_ctl_fail(&err);
		else
			n_missing++;
	}
	rp_entry_release(&e);
	rp_picks_release(&picks);
	return code == RP_EXIT_OK && n_missing > 0 ? RP_EXIT_SOME_FAILED : code;
}
