/* top_draw.c - draws the screen of `top` into a buffer. It takes no key and asks no clock, so a
 * test compares whole screens. */

#include "ctl/top/top_draw.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/units.h"
#include "report/entry_json.h"
#include "ctl/top/sparkline.h"

enum {
	HEAD_ROWS = 3,
	SENDERS_MAX = 8,
	FAILURES_MAX = 12,
	ENDPOINTS_MIN = 5,
	DETAIL_ROWS = 9,
	NAME_MIN = 16,
	NAME_MAX = 60
};

/* --- a line of exactly so many characters ------------------------------------------- */

struct line {
	struct rp_buf *out;
	const struct rp_top_view *v;
	unsigned at; /* characters so far */
	bool ok, reverse;
};

static unsigned count_chars(struct rp_span s)
{
	unsigned n = 0;
	size_t i;

	for (i = 0; i < s.len; i++)
		n += ((unsigned char)s.ptr[i] & 0xc0) != 0x80;
	return n;
}

static size_t bytes_of(struct rp_span s, unsigned chars)
{
	size_t i = 0;

	for (; i < s.len; i++) {
		if (((unsigned char)s.ptr[i] & 0xc0) != 0x80 && chars-- == 0)
			break;
	}
	return i;
}

/* Adds text as far as the line reaches. */
static void put(struct line *l, enum rp_style style, struct rp_span text)
{
	unsigned room = l->at < l->v->cols ? l->v->cols - l->at : 0, chars = count_chars(text);
	char shown[1024];

	if (chars > room) {
		text.len = bytes_of(text, room);
		chars = room;
	}
	if (text.len >= sizeof shown)
		text.len = 0;
	if (text.len > 0)
		memcpy(shown, text.ptr, text.len);
	shown[text.len] = '\0';
	/* in a reversed line a colour would end the reversal */
	l->ok = l->ok && rp_style_add(l->out, style, l->v->color && !l->reverse, shown);
	l->at += chars;
}

static void putf(struct line *l, enum rp_style style, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
static void putf(struct line *l, enum rp_style style, const char *fmt, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	put(l, style, rp_span_of(text));
}

static void fill(struct line *l, unsigned until)
{
	if (until > l->v->cols)
		until = l->v->cols;
	if (l->at < until)
		putf(l, RP_STYLE_PLAIN, "%*s", (int)(until - l->at), "");
}

/* A column of `width`; a blank before what stands at its right edge, two before other text. */
static void column(struct line *l, unsigned width, bool right, enum rp_style style,
		   const char *text)
{
	unsigned chars = count_chars(rp_span_of(text));

	putf(l, RP_STYLE_PLAIN, "%*s",
	     (right ? 1 : 2) + (int)(right && chars < width ? width - chars : 0), "");
	put(l, style, rp_span_of(text));
	if (!right && chars < width)
		putf(l, RP_STYLE_PLAIN, "%*s", (int)(width - chars), "");
}

static struct line begin(const struct rp_top_view *v, struct rp_buf *out, bool reverse)
{
	struct line l = {.out = out, .v = v, .ok = true, .reverse = reverse};

	if (reverse)
		l.ok = rp_buf_add_text(out, "\033[7m");
	return l;
}

static bool end(struct line *l)
{
	if (l->reverse) {
		fill(l, l->v->cols);
		l->ok = l->ok && rp_buf_add_text(l->out, "\033[0m");
	}
	return l->ok && rp_buf_add_text(l->out, "\033[K\r\n");
}

static bool heading(const struct rp_top_view *v, struct rp_buf *out, const char *text)
{
	struct line l = begin(v, out, false);

	l.ok = rp_buf_add_text(out, "\033[1m");
	put(&l, RP_STYLE_PLAIN, rp_span_of(text));
	l.ok = l.ok && rp_buf_add_text(out, "\033[0m");
	return end(&l);
}

/* --- texts -------------------------------------------------------------------------- */

/* 12408 -> "12,408" */
static const char *grouped(uint64_t n, char out[32])
{
	char digits[24];
	int len = snprintf(digits, sizeof digits, "%" PRIu64, n), i, at = 0;

	for (i = 0; i < len; i++) {
		if (i > 0 && (len - i) % 3 == 0)
			out[at++] = ',';
		out[at++] = digits[i];
	}
	out[at] = '\0';
	return out;
}

static const char *rate(double per_second, char out[32])
{
	snprintf(out, 32, per_second > 0 && per_second < 9.95 ? "%.1f" : "%.0f", per_second);
	return out;
}

static const char *milliseconds(int64_t ms, char out[32])
{
	if (ms < 0)
		snprintf(out, 32, "-");
	else if (ms < 1000)
		snprintf(out, 32, "%" PRId64 "ms", ms);
	else
		snprintf(out, 32, "%.1fs", (double)ms / 1000);
	return out;
}

/* Without its scheme, which a look at the endpoint shows; what does not fit loses its middle, as
 * names differ at both ends. */
static void short_name(const char *name, unsigned width, char *out, size_t size)
{
	struct rp_buf shown = {0};
	const char *text;
	unsigned head;
	size_t len;
	const char *host = strstr(name, "://");

	if (!rp_text_escape(rp_span_of(host != NULL ? host + 3 : name), &shown)) {
		snprintf(out, size, "?");
		return;
	}
	text = shown.data != NULL ? shown.data : "";
	len = strlen(text);
	head = width > 5 ? (width - 2) / 2 : width;
	if (len <= width || width <= 5)
		snprintf(out, size, "%.*s", (int)width, text);
	else
		snprintf(out, size, "%.*s..%s", (int)head, text, text + len - (width - 2 - head));
	rp_buf_release(&shown);
}

/* What its host decides; NULL: nothing. */
static const struct rp_known_endpoint *host_above(const struct rp_top *t,
						  const struct rp_known_endpoint *k)
{
	const struct rp_known_endpoint *host =
	    k->e.level == RP_LEVEL_HOST ? NULL
					: rp_known_endpoint_find(&t->known, rp_level_host(k->id));

	return host != NULL && rp_known_endpoint_is_trouble(host) ? host : NULL;
}

static enum rp_style state_of(const struct rp_top *t, const struct rp_known_endpoint *k,
			      char out[32])
{
	int64_t now_at_ms = t->now_at_ms;
	const struct rp_control *c = &k->e.control;
	char when[RP_WHEN_TEXT_MAX];

	if (k->e.disabled || k->e.paused) {
		snprintf(out, 32, "%s", k->e.disabled ? "disabled" : "paused");
		return k->e.disabled ? RP_STYLE_BAD : RP_STYLE_WARN;
	}
	if (host_above(t, k) != NULL) {
		snprintf(out, 32, "%s", host_above(t, k)->e.paused ? "host paus." : "host open");
		return RP_STYLE_BAD;
	}
	if (rp_known_endpoint_lacks_key(k)) {
		snprintf(out, 32, "no key");
		return RP_STYLE_BAD;
	}
	if (c->breaker == RP_BREAKER_OPEN) {
		snprintf(out, 32, "open %s",
			 c->probe_at_ms >= now_at_ms + 1000
			     ? rp_duration_format((c->probe_at_ms - now_at_ms) / 1000 * 1000, when)
			     : "now");
		return RP_STYLE_BAD;
	}
	if (c->breaker == RP_BREAKER_HALF_OPEN) {
		snprintf(out, 32, "half-open");
		return RP_STYLE_WARN;
	}
	snprintf(out, 32, "%s", k->e.streak > 0 ? "failing" : "ok");
	return k->e.streak > 0 ? RP_STYLE_WARN : RP_STYLE_GOOD;
}

/* --- the head ----------------------------------------------------------------------- */

static void put_sparkline(struct line *l, const struct rp_top_series *s, int64_t now_at_ms,
			  unsigned width)
{
	uint32_t counts[RP_TOP_SLOTS];
	struct rp_buf bars = {0};

	rp_top_series_read(s, now_at_ms, counts, RP_TOP_SLOTS);
	if (rp_sparkline_add(&bars, counts, RP_TOP_SLOTS, width, l->v->utf8))
		put(l, RP_STYLE_PLAIN, (struct rp_span){bars.data, bars.len});
	rp_buf_release(&bars);
}

static bool draw_title(const struct rp_top *t, const struct rp_top_view *v, struct rp_buf *out)
{
	char now[RP_TIME_TEXT_MAX], dir[200];
	struct line l = begin(v, out, true);
	size_t i, alive = 0;

	for (i = 0; i < sizeof t->senders / sizeof t->senders[0]; i++)
		alive += t->senders[i].info.pid != 0 && t->senders[i].info.alive;
	short_name(v->outbox, v->cols > 60 ? v->cols - 48 : 12, dir, sizeof dir);
	putf(&l, RP_STYLE_PLAIN, " runpost  %s", dir);
	rp_time_format(t->now_at_ms, now);
	fill(&l, v->cols > 36 ? v->cols - 36 : 0);
	putf(&l, RP_STYLE_PLAIN, "%3zu sender%s  %.8s UTC  ? help", alive, alive == 1 ? " " : "s",
	     now + 11);
	return end(&l);
}

static bool draw_flow(const struct rp_top *t, const struct rp_top_view *v, struct rp_buf *out)
{
	double ok = rp_top_series_rate(&t->delivered, t->now_at_ms),
	       bad = rp_top_series_rate(&t->failed, t->now_at_ms);
	unsigned width = v->cols >= 120 ? 30 : v->cols >= 76 ? 10 : 5;
	struct line l = begin(v, out, false);
	char a[32];

	putf(&l, RP_STYLE_PLAIN, " out %5s/s ", rate(ok, a));
	put_sparkline(&l, &t->delivered, t->now_at_ms, width);
	putf(&l, RP_STYLE_PLAIN, "  in %5s/s ",
	     rate(rp_top_series_rate(&t->accepted, t->now_at_ms), a));
	put_sparkline(&l, &t->accepted, t->now_at_ms, width);
	putf(&l, bad > 0 ? RP_STYLE_WARN : RP_STYLE_PLAIN, "  failed %5.1f%% ",
	     ok + bad > 0 ? bad * 100 / (ok + bad) : 0.0);
	put_sparkline(&l, &t->failed, t->now_at_ms, width);
	return end(&l);
}

static bool draw_ledger(const struct rp_top *t, const struct rp_top_view *v, struct rp_buf *out)
{
	const struct rp_ledger *g = &t->ledger;
	struct line l = begin(v, out, false);
	char a[32];

	putf(&l, RP_STYLE_PLAIN, " waiting %s", grouped(g->waiting, a));
	putf(&l, RP_STYLE_PLAIN, "  in flight %s", grouped(g->in_flight, a));
	putf(&l, g->held > 0 ? RP_STYLE_WARN : RP_STYLE_PLAIN, "  held %s", grouped(g->held, a));
	putf(&l, g->dead > 0 ? RP_STYLE_BAD : RP_STYLE_PLAIN, "  dead %s", grouped(g->dead, a));
	putf(&l, RP_STYLE_PLAIN, "  delivered %s", grouped(g->delivered, a));
	return end(&l);
}

/* --- the list ----------------------------------------------------------------------- */

enum { W_WAITING = 8, W_DEAD = 6, W_FLIGHT = 7, W_OUT = 6, W_OK = 5, W_P95 = 5, W_STATE = 10 };

/* What the columns beside name and sparkline take, with the blanks before them. */
enum { W_FIXED = 1 + W_WAITING + W_DEAD + W_FLIGHT + W_OUT + W_OK + W_P95 + 6 + 2 + W_STATE };

static void widths(const struct rp_top_view *v, unsigned *name, unsigned *sparkline)
{
	unsigned room = v->cols > W_FIXED + NAME_MIN ? v->cols - W_FIXED : NAME_MIN,
		 longest = NAME_MIN, len;
	size_t i;

	for (i = 0; i < v->n_shown; i++) {
		len = (unsigned)strlen(v->shown[i]->name);
		longest = len > longest ? len : longest;
	}
	longest = longest < NAME_MAX ? longest : NAME_MAX;
	*sparkline = room >= longest + 62   ? 60
		     : room >= longest + 32 ? 30
		     : room >= longest + 12 ? 10
		     : room >= NAME_MIN + 8 ? 6
					    : 0;
	*name = room - (*sparkline > 0 ? *sparkline + 2 : 0);
	*name = *name < longest ? *name : longest;
}

static bool draw_columns(const struct rp_top_view *v, struct rp_buf *out)
{
	struct line l = begin(v, out, false);
	unsigned name, sparkline;
	char title[80];

	widths(v, &name, &sparkline);
	l.ok = rp_buf_add_text(out, "\033[1m");
	if (v->filter[0] != '\0')
		snprintf(title, sizeof title, "%zu LIKE %.40s", v->n_shown, v->filter);
	else
		snprintf(title, sizeof title, "%zu ENDPOINT%s", v->n_shown,
			 v->n_shown == 1 ? "" : "S");
	putf(&l, RP_STYLE_PLAIN, " %-*.*s", (int)name, (int)name, title);
	column(&l, W_WAITING, true, RP_STYLE_PLAIN, "WAITING");
	column(&l, W_DEAD, true, RP_STYLE_PLAIN, "DEAD");
	column(&l, W_FLIGHT, true, RP_STYLE_PLAIN, "FLIGHT");
	column(&l, W_OUT, true, RP_STYLE_PLAIN, "OUT/s");
	column(&l, W_OK, true, RP_STYLE_PLAIN, "OK%");
	column(&l, W_P95, true, RP_STYLE_PLAIN, "P95");
	if (sparkline > 0)
		column(&l, sparkline, false, RP_STYLE_PLAIN, "5 MINUTES");
	column(&l, W_STATE, false, RP_STYLE_PLAIN, "STATE");
	l.ok = l.ok && rp_buf_add_text(out, "\033[0m");
	return end(&l);
}

static void put_activity(struct line *l, const struct rp_top *t, const struct rp_top_endpoint *a,
			 unsigned sparkline)
{
	int ok = a != NULL ? rp_top_ok_permille(a, t->now_at_ms) : -1;
	char text[32];

	column(l, W_OUT, true, RP_STYLE_PLAIN,
	       rate(a != NULL ? rp_top_series_rate(&a->delivered, t->now_at_ms) : 0, text));
	if (ok < 0)
		snprintf(text, sizeof text, "-");
	else
		snprintf(text, sizeof text, ok == 1000 ? "100" : "%d.%d", ok / 10, ok % 10);
	column(l, W_OK, true,
	       ok < 0 || ok >= 990 ? RP_STYLE_PLAIN
	       : ok >= 900         ? RP_STYLE_WARN
				   : RP_STYLE_BAD,
	       text);
	column(l, W_P95, true, RP_STYLE_PLAIN,
	       milliseconds(a != NULL ? rp_top_p95_ms(a) : -1, text));
	if (sparkline == 0)
		return;
	put(l, RP_STYLE_PLAIN, rp_span_of("  "));
	if (a != NULL)
		put_sparkline(l, &a->delivered, t->now_at_ms, sparkline);
	else
		putf(l, RP_STYLE_PLAIN, "%*s", (int)sparkline, "");
}

static bool draw_endpoint(const struct rp_top *t, const struct rp_top_view *v,
			  const struct rp_known_endpoint *k, bool selected, struct rp_buf *out)
{
	struct line l = begin(v, out, selected);
	char text[128], flight[64], a[32];
	unsigned name, sparkline;
	enum rp_style style;

	widths(v, &name, &sparkline);
	short_name(k->name, name, text, sizeof text);
	putf(&l, RP_STYLE_PLAIN, "%s%-*s", selected ? ">" : " ", (int)name, text);
	column(&l, W_WAITING, true, RP_STYLE_PLAIN, grouped(k->e.count[RP_STATE_WAITING], a));
	column(&l, W_DEAD, true, k->e.count[RP_STATE_DEAD] > 0 ? RP_STYLE_BAD : RP_STYLE_PLAIN,
	       grouped(k->e.count[RP_STATE_DEAD], a));
	if (k->e.control.limits.in_flight > 0)
		snprintf(flight, sizeof flight, "%" PRIu64 "/%u", rp_endpoint_in_use(&k->e),
			 rp_control_room(&k->e.control));
	else
		snprintf(flight, sizeof flight, "%" PRIu64, rp_endpoint_in_use(&k->e));
	column(&l, W_FLIGHT, true, RP_STYLE_PLAIN, flight);
	put_activity(&l, t, rp_top_activity(t, k->id), sparkline);
	style = state_of(t, k, text);
	column(&l, W_STATE, false, style, text);
	return end(&l);
}

static bool draw_list(const struct rp_top *t, const struct rp_top_view *v, size_t rows,
		      struct rp_buf *out)
{
	bool ok = draw_columns(v, out);
	size_t i;

	for (i = 0; i < rows && ok; i++) {
		size_t at = v->first + i;

		if (at < v->n_shown)
			ok = draw_endpoint(t, v, v->shown[at], at == v->selected, out);
		else if (i == 0)
			ok = rp_buf_add_text(out, v->filter[0] != '\0'
						      ? " none is like that\033[K\r\n"
						      : " no endpoint yet\033[K\r\n");
		else
			ok = rp_buf_add_text(out, "\033[K\r\n");
	}
	return ok;
}

/* --- senders and failures ----------------------------------------------------------- */

static bool draw_sender(const struct rp_top *t, const struct rp_top_view *v,
			const struct rp_top_sender *s, struct rp_buf *out)
{
	char text[32], up[RP_DURATION_TEXT_MAX], sender[RP_SENDER_TEXT_MAX];
	struct line l = begin(v, out, false);

	putf(&l, RP_STYLE_PLAIN, " %-11s pid %-8" PRIu32, rp_sender_text(s->info.slot, sender),
	     s->info.pid);
	putf(&l, RP_STYLE_PLAIN, "  out %5s/s",
	     rate(rp_top_series_rate(&s->delivered, t->now_at_ms), text));
	putf(&l, RP_STYLE_PLAIN, "  claims %4" PRIu64, s->info.claims);
	putf(&l, RP_STYLE_PLAIN, "  up %-7s  ",
	     rp_duration_format(t->now_at_ms - s->info.started_at_ms, up));
	put(&l, s->info.alive ? RP_STYLE_GOOD : RP_STYLE_BAD,
	    rp_span_of(s->info.alive ? "alive" : "gone"));
	return end(&l);
}

static bool draw_senders(const struct rp_top *t, const struct rp_top_view *v, size_t rows,
			 struct rp_buf *out)
{
	size_t i, n = 0, shown = 0;
	char title[64];
	bool ok;

	for (i = 0; i < sizeof t->senders / sizeof t->senders[0]; i++)
		n += t->senders[i].info.pid != 0;
	snprintf(title, sizeof title, " %zu SENDER%s%s", n, n == 1 ? "" : "S",
		 n == 0 ? ": nothing is being delivered" : "");
	ok = heading(v, out, title);
	for (i = 0; i < sizeof t->senders / sizeof t->senders[0] && shown < rows && ok; i++) {
		if (t->senders[i].info.pid == 0)
			continue;
		ok = draw_sender(t, v, &t->senders[i], out);
		shown++;
	}
	return ok;
}

static bool draw_failure(const struct rp_top_view *v, const struct rp_top_failure *f,
			 struct rp_buf *out)
{
	char time[RP_TIME_TEXT_MAX], outcome[RP_CAUSE_TEXT_MAX], name[128];
	struct line l = begin(v, out, false);
	bool with_id = v->mode == RP_TOP_DETAIL || v->cols >= 110;
	unsigned fixed = 50 + (with_id ? 32 : 0), room = v->cols > fixed ? v->cols - fixed : 0;

	room = room < NAME_MAX ? room : NAME_MAX;
	rp_time_format(f->r.settled_at_ms, time);
	putf(&l, RP_STYLE_PLAIN, " %.8s  ", time + 11);
	putf(&l, RP_STYLE_BAD, "%-15s", rp_recent_outcome(&f->r, outcome));
	if (v->mode != RP_TOP_DETAIL && room >= NAME_MIN) {
		short_name(f->endpoint, room, name, sizeof name);
		putf(&l, RP_STYLE_PLAIN, "  %-*s", (int)room, name);
	}
	if (with_id)
		putf(&l, RP_STYLE_PLAIN, "  %-30s", f->id[0] != '\0' ? f->id : "(removed)");
	putf(&l, RP_STYLE_PLAIN, "  %s", f->id[0] != '\0' ? f->now : "removed");
	return end(&l);
}

static bool draw_failures(const struct rp_top_view *v, size_t rows, struct rp_buf *out)
{
	bool ok = heading(v, out, v->n_failures > 0 ? " RECENT FAILURES" : " NO RECENT FAILURES");
	size_t i;

	for (i = 0; i < rows && i < v->n_failures && ok; i++)
		ok = draw_failure(v, &v->failures[i], out);
	return ok;
}

/* --- one endpoint ------------------------------------------------------------------- */

static bool draw_fact(const struct rp_top_view *v, struct rp_buf *out, const char *name,
		      enum rp_style style, const char *text)
{
	struct line l = begin(v, out, false);

	putf(&l, RP_STYLE_PLAIN, " %-10s ", name);
	put(&l, style, rp_span_of(text));
	return end(&l);
}

static void say_state(const struct rp_top *t, const struct rp_known_endpoint *k, char *out,
		      size_t size)
{
	const struct rp_known_endpoint *host = host_above(t, k);
	int64_t now_at_ms = t->now_at_ms;
	const struct rp_control *c = &k->e.control;
	char cause[RP_CAUSE_TEXT_MAX], a[RP_WHEN_TEXT_MAX], b[RP_WHEN_TEXT_MAX];

	if (k->e.disabled)
		snprintf(out, size,
			 "disabled %s: it answered 410 Gone or asked for it; p resumes it",
			 rp_when(k->e.changed_at_ms, now_at_ms, a));
	else if (k->e.paused)
		snprintf(out, size, "paused %s by an operator; p resumes it",
			 rp_when(k->e.changed_at_ms, now_at_ms, a));
	else if (host != NULL)
		snprintf(out, size, "held back by its host %.100s, which is %s", host->name,
			 host->e.paused ? "paused" : "not answering: its breaker is not closed");
	else if (rp_known_endpoint_lacks_key(k))
		snprintf(out, size,
			 "no signing key is valid, and nothing is sent unsigned: mend the secret, "
			 "reload");
	else if (c->breaker != RP_BREAKER_CLOSED)
		snprintf(out, size,
			 "breaker %s since %s, for %s (pause %" PRIu32 " in a row); next probe %s",
			 rp_breaker_name(c->breaker), rp_when(c->opened_at_ms, now_at_ms, a),
			 rp_cause_format(c->cause, c->http_status, cause), c->pauses + 1,
			 rp_when(c->probe_at_ms, now_at_ms, b));
	else if (k->e.streak > 0)
		snprintf(out, size, "failing: %" PRIu32 " in a row, the last with %s", k->e.streak,
			 rp_cause_format(k->e.last_cause, k->e.last_status, cause));
	else
		snprintf(out, size, "ok");
}

static bool draw_detail(const struct rp_top *t, const struct rp_top_view *v, struct rp_buf *out)
{
	const struct rp_known_endpoint *k = v->shown[v->selected];
	const struct rp_endpoint *e = &k->e;
	char text[256], a[64], b[64], c[64], d[64], when[32], speed[RP_RATE_TEXT_MAX];
	struct rp_buf name = {0};
	enum rp_style style = state_of(t, k, when);
	bool ok;

	ok = rp_text_escape(rp_span_of(k->name), &name) &&
	     draw_fact(v, out, "endpoint", RP_STYLE_PLAIN, name.data);
	rp_buf_release(&name);
	say_state(t, k, text, sizeof text);
	ok = ok && draw_fact(v, out, "state", style, text);
	snprintf(text, sizeof text,
		 "waiting %s  in flight %" PRIu64 "  held %s  dead %s  delivered %s",
		 grouped(e->count[RP_STATE_WAITING], a), e->count[RP_STATE_IN_FLIGHT],
		 grouped(e->count[RP_STATE_HELD], b), grouped(e->count[RP_STATE_DEAD], c),
		 grouped(e->count[RP_STATE_DELIVERED], d));
	ok = ok && draw_fact(v, out, "entries", RP_STYLE_PLAIN, text);
	if (e->control.limits.in_flight > 0)
		snprintf(text, sizeof text, "%u at once now, %u at most; rate %s",
			 rp_control_room(&e->control), e->control.limits.in_flight,
			 e->control.limits.rate.count > 0
			     ? rp_rate_format(e->control.limits.rate, speed)
			     : "not limited");
	else
		snprintf(text, sizeof text, "not known before the first claim");
	ok = ok && draw_fact(v, out, "may get", RP_STYLE_PLAIN, text);
	snprintf(text, sizeof text, "success %s, failure %s",
		 rp_when(e->last_success_at_ms, t->now_at_ms, a),
		 rp_when(e->last_failure_at_ms, t->now_at_ms, b));
	ok = ok && draw_fact(v, out, "last", RP_STYLE_PLAIN, text) && draw_columns(v, out) &&
	     draw_endpoint(t, v, k, false, out);
	return ok && draw_failures(v, v->rows - HEAD_ROWS - DETAIL_ROWS, out);
}

/* --- help and the whole ------------------------------------------------------------- */

static bool draw_help(const struct rp_top_view *v, struct rp_buf *out)
{
	static const char *const lines[] = {
	    "",
	    " j k, arrows   move              enter   look at an endpoint; q: back",
	    " g G, page     far               /       only those with a text, or of a glob",
	    " p             pause or resume   R       replay its dead letters; both ask first",
	    " q             quit              ?       this help",
	    "",
	    " OUT/s    deliveries a second, over the last ten seconds",
	    " OK%      delivered of all attempts of the last five minutes",
	    " P95      95 of 100 of its last attempts took no longer",
	    " FLIGHT   requests under way / how many it gets at once now",
	    " STATE    ok, failing, paused, disabled; open: nothing is sent for so long yet;",
	    "          half-open: one request at a time",
	    "",
	    " Rates come from the log of recent attempts, which remembers some 4096 commits.",
	    " `in` is known only since this screen was opened.",
	};
	bool ok = true;
	size_t i;

	for (i = 0; i < sizeof lines / sizeof lines[0] && i + HEAD_ROWS + 1 < v->rows && ok; i++) {
		struct line l = begin(v, out, false);

		put(&l, RP_STYLE_PLAIN, rp_span_of(lines[i]));
		ok = end(&l);
	}
	return ok;
}

static bool draw_bottom(const struct rp_top *t, const struct rp_top_view *v, struct rp_buf *out)
{
	struct line l = begin(v, out, false);

	/* the last row, without a line end: that would scroll */
	if (!rp_buf_printf(out, "\033[J\033[%u;1H", v->rows))
		return false;
	if (v->prompt[0] != '\0')
		put(&l, RP_STYLE_WARN, rp_span_of(v->prompt));
	else if (v->message[0] != '\0')
		put(&l, v->message_style, rp_span_of(v->message));
	else if (t->n_missed > 0)
		putf(&l, RP_STYLE_PLAIN,
		     " %" PRIu64 " attempts came faster than they could be counted", t->n_missed);
	else
		put(&l, RP_STYLE_PLAIN,
		    rp_span_of(
			v->mode == RP_TOP_LIST
			    ? " j/k move  enter look  / filter  p pause  R replay dead  q quit"
			    : " q back"));
	return l.ok && rp_buf_add_text(out, "\033[K");
}

void rp_top_layout(const struct rp_top *t, const struct rp_top_view *v, size_t *endpoints,
		   size_t *senders, size_t *failures)
{
	size_t room = v->rows > HEAD_ROWS + 4 ? v->rows - HEAD_ROWS - 4 : 0, i, n = 0;

	for (i = 0; i < sizeof t->senders / sizeof t->senders[0]; i++)
		n += t->senders[i].info.pid != 0;
	*senders = n < SENDERS_MAX ? n : SENDERS_MAX;
	if (*senders > room / 5)
		*senders = room / 5;
	*failures = room / 3 < FAILURES_MAX ? room / 3 : FAILURES_MAX;
	*endpoints = room > *senders + *failures ? room - *senders - *failures : 0;
	if (v->mode == RP_TOP_DETAIL)
		*failures =
		    v->rows > HEAD_ROWS + DETAIL_ROWS ? v->rows - HEAD_ROWS - DETAIL_ROWS : 0;
}

bool rp_top_draw(const struct rp_top *t, const struct rp_top_view *v, struct rp_buf *out)
{
	size_t endpoints, senders, failures;
	bool ok = rp_buf_add_text(out, "\033[H") && draw_title(t, v, out);

	rp_top_layout(t, v, &endpoints, &senders, &failures);
	if (v->rows < HEAD_ROWS + 4 + ENDPOINTS_MIN || v->cols < 40)
		return ok && rp_buf_add_text(out, " the window is too small\033[K\033[J");
	ok = ok && draw_flow(t, v, out) && draw_ledger(t, v, out);
	if (v->mode == RP_TOP_HELP)
		ok = ok && draw_help(v, out);
	else if (v->mode == RP_TOP_DETAIL && v->selected < v->n_shown)
		ok = ok && draw_detail(t, v, out);
	else
		ok = ok && draw_list(t, v, endpoints, out) && draw_senders(t, v, senders, out) &&
		     draw_failures(v, failures, out);
	return ok && draw_bottom(t, v, out);
}
