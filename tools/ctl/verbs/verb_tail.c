/* verb_tail.c - the verb `tail`: prints attempts as they are settled. It waits for commits with
 * inotify and does not poll. */

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/units.h"
#include "report/entry_json.h"
#include "ctl/select/recent.h"
#include "report/shown.h"
#include "ctl/common/stop.h"
#include "ctl/verbs/verbs.h"

/* Attempts shown before following; attempts looked at in one go; and when to look after the data
 * file was written to: commits of a busy outbox are gathered, and what could not be read yet is
 * met a little later. In one that rests, a look now and then tells whether it is still there. */
enum { LAST_DEFAULT = 10, WINDOW = 4096, GATHER_MS = 20, LOOK_AGAIN_MS = 250, REST_MS = 5000 };

struct tail {
	struct rp_ctl *ctl;
	struct rp_entry entry;
	uint64_t next; /* the number of the first attempt not looked at */
	uint64_t n_missed;
};

static struct rp_json_out *to_json(const struct rp_config *config, const struct rp_recent *r,
				   const struct rp_entry *e, bool gone)
{
	struct rp_json_out *o = rp_json_out_new();
	char id[RP_ID_TEXT_MAX], text[RP_CAUSE_TEXT_MAX], sender[RP_SENDER_TEXT_MAX];
	struct rp_buf room = {0};

	rp_json_out_int(o, "number", (int64_t)r->number);
	rp_json_out_time(o, "at", r->settled_at_ms);
	rp_json_out_text(o, "id", gone ? NULL : rp_id_format(e->facts.id, id));
	rp_json_out_int(o, "seq", (int64_t)r->seq);
	rp_json_out_given(o, "run_id", e->facts.run_id);
	rp_json_out_given(o, "endpoint", rp_shown_name(config, e->endpoint, &room));
	rp_buf_release(&room);
	rp_json_out_int(o, "attempt", r->attempt);
	rp_json_out_text(o, "outcome", rp_recent_outcome(r, text));
	rp_json_out_null(o, "http_status");
	if (r->http_status != 0)
		rp_json_out_int(o, "http_status", r->http_status);
	rp_json_out_int(o, "duration_ms", r->duration_ms);
	rp_json_out_text(o, "sender", rp_sender_text(r->slot, sender));
	rp_json_out_bool(o, "late", r->late);
	return o;
}

static bool for_pipes(const struct rp_config *config, struct rp_buf *out, const struct rp_recent *r,
		      const struct rp_entry *e, bool gone)
{
	char time[RP_TIME_TEXT_MAX], id[RP_ID_TEXT_MAX] = "", text[RP_CAUSE_TEXT_MAX];
	struct rp_buf name = {0};
	bool ok;

	if (!gone)
		rp_id_format(e->facts.id, id);
	ok = rp_buf_printf(out, "%s\t%s\t%s\t", id, rp_time_format(r->settled_at_ms, time),
			   rp_recent_outcome(r, text)) &&
	     rp_buf_printf(out, "%" PRIu32 "\t%" PRIu32 "\t", r->duration_ms, r->attempt) &&
	     rp_text_escape(rp_shown_name(config, e->endpoint, &name), out) &&
	     rp_buf_add_char(out, '\t') && rp_text_escape(e->facts.run_id, out) &&
	     rp_buf_add_char(out, '\n');
	rp_buf_release(&name);
	return ok;
}

/* Foreign text, escaped, in at most `width` characters. */
static bool add_cut(struct rp_buf *out, struct rp_span text, size_t width)
{
	struct rp_buf shown = {0};
	size_t n = 0, chars = 0;
	bool ok = rp_text_escape(text, &shown);

	while (n < shown.len && (((unsigned char)shown.data[n] & 0xc0) == 0x80 || chars < width)) {
		chars += ((unsigned char)shown.data[n] & 0xc0) != 0x80;
		n++;
	}
	while (n < shown.len && ((unsigned char)shown.data[n] & 0xc0) == 0x80)
		n++;
	ok = ok && rp_buf_add(out, shown.data != NULL ? shown.data : "", n);
	rp_buf_release(&shown);
	return ok;
}

/* Lines come one by one, so the columns have fixed widths; times of day, since one follows the
 * clock. */
static bool for_people(const struct rp_ctl *ctl, struct rp_buf *out, const struct rp_recent *r,
		       const struct rp_entry *e, bool gone)
{
	char time[RP_TIME_TEXT_MAX], id[RP_ID_TEXT_MAX], text[RP_CAUSE_TEXT_MAX], outcome[32],
	    took[RP_DURATION_TEXT_MAX];
	enum { FIXED = 12 + 2 + 16 + 8 + 2 + 4 + 2 + 30 + 2 };
	size_t room = ctl->width > FIXED + 12 ? ctl->width - FIXED : 12;
	struct rp_buf name = {0};
	bool ok;

	rp_time_format(r->settled_at_ms, time);
	snprintf(outcome, sizeof outcome, "%-16s", rp_recent_outcome(r, text));
	if (r->cause == RP_CAUSE_SENDER_LOST || r->duration_ms == 0)
		snprintf(took, sizeof took, "%s", r->cause == RP_CAUSE_SENDER_LOST ? "-" : "<1ms");
	else
		rp_duration_format(r->duration_ms, took);
	ok = rp_buf_printf(out, "%.12s  ", time + 11) &&
	     rp_style_add(out, r->cause == RP_CAUSE_NONE ? RP_STYLE_GOOD : RP_STYLE_BAD, ctl->color,
			  outcome) &&
	     rp_buf_printf(out, "%8s  #%-3" PRIu32 "  %-30s  ", took, r->attempt,
			   gone ? "(removed)" : rp_id_format(e->facts.id, id)) &&
	     add_cut(out, rp_shown_name(&ctl->settings->config, e->endpoint, &name), room) &&
	     rp_buf_add_char(out, '\n');
	rp_buf_release(&name);
	return ok;
}

static int add_line(struct tail *t, const struct rp_recent *r, bool gone)
{
	struct rp_ctl *ctl = t->ctl;
	bool ok;

	if (ctl->json)
		ok = rp_ctl_add_json(ctl, to_json(&ctl->settings->config, r, &t->entry, gone));
	else if (ctl->out_tty)
		ok = for_people(ctl, &ctl->out, r, &t->entry, gone);
	else
		ok = for_pipes(&ctl->settings->config, &ctl->out, r, &t->entry, gone);
	return ok ? RP_EXIT_OK : rp_ctl_no_memory();
}

/* *picked: the selector wants it; its entry is in t->entry. */
static int consider(struct tail *t, const struct rp_recent *r, bool *picked, bool *gone)
{
	int code = rp_recent_entry(t->ctl, r, &t->entry, gone);

	*picked = code == RP_EXIT_OK && rp_recent_match(t->ctl, &t->entry);
	return code;
}

static int print_new(struct tail *t)
{
	struct rp_recents part = {0};
	uint64_t missed = 0;
	bool picked, gone;
	int code = rp_recents_read(t->ctl, &part, &t->next, UINT64_MAX, &missed);
	size_t i;

	for (i = 0; i < part.n && code == RP_EXIT_OK; i++) {
		code = consider(t, &part.all[i], &picked, &gone);
		if (code == RP_EXIT_OK && picked)
			code = add_line(t, &part.all[i], gone);
		if (code == RP_EXIT_OK && (t->ctl->out.len > 65536 || i + 1 == part.n))
			code = rp_ctl_flush(t->ctl);
	}
	if (code == RP_EXIT_OK && missed > 0)
		rp_ctl_say(
		    "%" PRIu64
		    " attempts came too fast and are not shown here; `runpostctl show` has them",
		    missed);
	rp_recents_release(&part);
	return code;
}

/* Looks backwards, a window at a time, for the last `limit` attempts that are wanted (0: all), and
 * prints them. */
static int print_last(struct tail *t, uint64_t limit)
{
	uint64_t until = t->next, missed = 0;
	struct rp_recents chosen = {0};
	bool picked, gone, end = false;
	int code = RP_EXIT_OK;
	size_t i;

	while (code == RP_EXIT_OK && !end && (limit == 0 || chosen.n < limit) && until > 1) {
		uint64_t from = until > WINDOW ? until - WINDOW : 1;
		struct rp_recents part = {0};
		uint64_t at = from;

		code = rp_recents_read(t->ctl, &part, &at, until, &missed);
		end = missed > 0; /* that was the oldest there is */
		until = from;
		for (i = part.n; i > 0 && code == RP_EXIT_OK && (limit == 0 || chosen.n < limit);
		     i--) {
			code = consider(t, &part.all[i - 1], &picked, &gone);
			if (picked && !rp_recents_add(&chosen, &part.all[i - 1]))
				code = rp_ctl_no_memory();
		}
		rp_recents_release(&part);
	}
	for (i = chosen.n; i > 0 && code == RP_EXIT_OK; i--) {
		code = rp_recent_entry(t->ctl, &chosen.all[i - 1], &t->entry, &gone);
		if (code == RP_EXIT_OK)
			code = add_line(t, &chosen.all[i - 1], gone);
		if (code == RP_EXIT_OK && (t->ctl->out.len > 65536 || i == 1))
			code = rp_ctl_flush(t->ctl);
	}
	rp_recents_release(&chosen);
	return code;
}

/* Until somebody asks to stop, or nobody reads what is printed any more. */
static int follow(struct tail *t)
{
	struct pollfd fds[2] = {{.events = POLLIN}, {.fd = STDOUT_FILENO}};
	struct rp_error err;
	int timeout_ms = 0, code = RP_EXIT_OK, got;

	if (rp_outbox_watch(t->ctl->ob, RP_WATCH_COMMITS, &fds[0].fd, &err) != RP_OK)
		return rp_ctl_fail(&err);
	while (code == RP_EXIT_OK) {
		got = rp_stop_poll(fds, 2, timeout_ms);
		if (rp_stop_asked() || (fds[1].revents & (POLLERR | POLLHUP | POLLNVAL)) != 0)
			return RP_EXIT_OK;
		if (got > 0) {
			rp_stop_poll(NULL, 0, GATHER_MS);
			(void)rp_outbox_drain(t->ctl->ob, RP_WATCH_COMMITS);
		}
		t->ctl->now_at_ms = rp_sys_wall_ms(&rp_sys_real);
		code = print_new(t);
		timeout_ms = got > 0 ? LOOK_AGAIN_MS : REST_MS;
	}
	return code;
}

int rp_verb_tail(struct rp_ctl *ctl)
{
	struct tail t = {.ctl = ctl};
	struct rp_recent_page end = {.from = RP_RECENT_END};
	struct rp_error err;
	int code;

	if (rp_outbox_recent(ctl->ob, &end, &err) != RP_OK)
		return rp_ctl_fail(&err);
	t.next = end.from;
	rp_stop_catch();
	code = print_last(&t, ctl->selector.has_limit ? ctl->selector.limit : LAST_DEFAULT);
	if (code == RP_EXIT_OK && ctl->follow)
		code = follow(&t);
	rp_entry_release(&t.entry);
	return code;
}
