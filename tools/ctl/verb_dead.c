#include <search.h>
#include <stdlib.h>

#include "base/units.h"
#include "entry_json.h"
#include "walk.h"

/* What died of the same trouble: one row. */
struct group {
	enum rp_cause cause, last_cause;
	unsigned http_status;
	uint64_t endpoint;
	char *name;
	uint64_t count;
	int64_t first_at_ms, last_at_ms;
	unsigned char sample[RP_ID_BYTES]; /* the youngest */
};

struct triage {
	struct rp_ctl *ctl;
	void *tree;
	struct group **all;
	size_t n, cap;
};

/* Suggestions are sentences: on a terminal they stand below the table, by number. */
static const struct rp_column for_people[] = {
    {"#", true, 0},     {"CAUSE", false, 0}, {"LAST", false, 0},  {"ENDPOINT", false, 16},
    {"COUNT", true, 0}, {"FIRST", true, 0},  {"LATEST", true, 0}, {"SAMPLE", false, 0},
};
static const struct rp_column for_pipes[] = {
    {"cause", false, 0},    {"last_cause", false, 0}, {"endpoint", false, 0}, {"count", false, 0},
    {"first_at", false, 0}, {"last_at", false, 0},    {"sample", false, 0},   {"suggest", false, 0},
};

static int compare(const void *a, const void *b)
{
	const struct group *x = a, *y = b;

	if (x->endpoint != y->endpoint)
		return x->endpoint < y->endpoint ? -1 : 1;
	if (x->cause != y->cause)
		return x->cause < y->cause ? -1 : 1;
	if (x->last_cause != y->last_cause)
		return x->last_cause < y->last_cause ? -1 : 1;
	return x->http_status < y->http_status ? -1 : x->http_status > y->http_status;
}

static struct group *add_group(struct triage *t, const struct group *key, const struct rp_entry *e)
{
	struct group *g;

	if (t->n == t->cap) {
		size_t cap = t->cap > 0 ? t->cap * 2 : 64;
		struct group **more = realloc(t->all, cap * sizeof more[0]);

		if (more == NULL)
			return NULL;
		t->all = more;
		t->cap = cap;
	}
	g = malloc(sizeof *g);
	if (g == NULL)
		return NULL;
	*g = *key;
	g->name = strndup(e->endpoint.len > 0 ? e->endpoint.ptr : "", e->endpoint.len);
	g->first_at_ms = e->delivery.state_at_ms;
	if (g->name == NULL || tsearch(g, &t->tree, compare) == NULL) {
		free(g->name);
		free(g);
		return NULL;
	}
	t->all[t->n++] = g;
	return g;
}

static bool see(void *arg, const struct rp_entry *e)
{
	struct triage *t = arg;
	const struct rp_delivery *d = &e->delivery;
	struct group key = {
	    .cause = d->cause, .last_cause = d->last_cause, .http_status = d->http_status, .endpoint = d->endpoint};
	struct group **found, *g;

	if (d->state != RP_STATE_DEAD)
		return true;
	found = tfind(&key, &t->tree, compare);
	g = found != NULL ? *found : add_group(t, &key, e);
	if (g == NULL)
		return false;
	g->count++;
	if (d->state_at_ms < g->first_at_ms)
		g->first_at_ms = d->state_at_ms;
	if (d->state_at_ms >= g->last_at_ms) {
		g->last_at_ms = d->state_at_ms;
		memcpy(g->sample, e->facts.id, sizeof g->sample);
	}
	return true;
}

static const char *suggest_for_status(unsigned status)
{
	if (status == 401 || status == 403)
		return "the receiver refuses our token or signature: mend it, then replay";
	if (status == 404 || status == 405)
		return "nothing listens at this URL: mend the route, then replay";
	if (status == 413)
		return "the receiver takes no payload this large: raise its limit, then replay";
	if (status == 429)
		return "we come too fast: lower in_flight for this endpoint, then replay";
	if (status >= 300 && status < 400)
		return "redirects are never followed: use the URL it points to";
	if (status >= 500)
		return "the receiver failed every attempt: replay once it is well";
	return "the receiver rejects it: look at one with show, then replay or purge";
}

static const char *suggest(enum rp_cause cause, const struct group *g)
{
	static const char *const words[RP_CAUSE_MAX_] = {
	    [RP_CAUSE_TIMEOUT] = "it answers too late: raise timeout or let it answer before it works, then replay",
	    [RP_CAUSE_DNS] = "its name does not resolve: mend the name, then replay",
	    [RP_CAUSE_CONNECT] = "nobody listens there: start the receiver, then replay",
	    [RP_CAUSE_TLS] = "its certificate or handshake fails: renew it or set ca_file, then replay",
	    [RP_CAUSE_RESET] = "it hangs up before it answers: look at its log, then replay",
	    [RP_CAUSE_PROTOCOL] = "it does not speak HTTP: check scheme and port, then replay",
	    [RP_CAUSE_BLOCKED_ADDRESS] = "the guard refuses its address: if it is yours, set allow, then replay",
	    [RP_CAUSE_BLOCKED_SCHEME] = "plain http is refused: use https or set allow_http, then replay",
	    [RP_CAUSE_BLOCKED_PORT] = "its port is refused: set allow_ports, then replay",
	    [RP_CAUSE_GONE] = "it said it is gone for good: purge, or resume the endpoint and replay",
	    [RP_CAUSE_EXPIRED] = "its time ran out: purge, or replay if late is better than never",
	    [RP_CAUSE_EXHAUSTED] = "every attempt was spent: look at one with show, then replay",
	    [RP_CAUSE_DAMAGED] =
		"a stored record is damaged: see verify; replay it if its payload is sound, else purge it",
	    [RP_CAUSE_POISON] = "senders died over it: read their log before a replay",
	    [RP_CAUSE_SENDER_LOST] = "its sender was lost: outcome unknown, replay",
	    [RP_CAUSE_NO_KEY] = "no signing key is valid: mend the secret file and reload, then replay",
	    [RP_CAUSE_BAD_URL] = "the URL cannot be used: purge",
	    [RP_CAUSE_LOCAL] = "the trouble is on this host: read the sender's log, then replay",
	    [RP_CAUSE_OPERATOR] = "an operator set it aside: replay or purge",
	    [RP_CAUSE_REFUSED] = "the receiver asked not to get it again: purge, or ask its owner before a replay",
	    [RP_CAUSE_TLS_EXPIRED] = "its certificate has expired: let it be renewed, then replay",
	    [RP_CAUSE_TLS_NAME] = "its certificate is for another host: mend the URL or the certificate, then replay",
	    [RP_CAUSE_TLS_ISSUER] = "nobody we trust vouches for its certificate: set ca_file, then replay",
	    [RP_CAUSE_TLS_VERSION] = "no TLS version in common: let it be updated, or lower tls_min, then replay",
	    [RP_CAUSE_TLS_PIN] = "its key is none of the pinned ones: if that is right set pin_sha256, then replay",
	    [RP_CAUSE_TLS_CLIENT_CERT] = "it wants a client certificate: set client_cert and client_key, then replay",
	    [RP_CAUSE_TLS_TIMEOUT] = "its TLS handshake never ends: check scheme and port, then replay",
	};

	if ((cause == RP_CAUSE_EXHAUSTED || cause == RP_CAUSE_PERMANENT) && g->last_cause != RP_CAUSE_NONE &&
	    g->last_cause != cause)
		return suggest(g->last_cause, g);
	if (cause == RP_CAUSE_HTTP)
		return suggest_for_status(g->http_status);
	return (unsigned)cause < RP_CAUSE_MAX_ && words[cause] != NULL ? words[cause] : "look at one with show";
}

static struct rp_json_out *group_json(const struct group *g)
{
	struct rp_json_out *o = rp_json_out_new();
	char text[RP_CAUSE_TEXT_MAX], id[RP_ID_TEXT_MAX];

	rp_json_out_text(o, "cause", rp_cause_format(g->cause, g->http_status, text));
	rp_cause_format(g->last_cause, g->http_status, text);
	rp_json_out_text(o, "last_cause", text[0] != '\0' ? text : NULL);
	rp_json_out_text(o, "endpoint", g->name[0] != '\0' ? g->name : NULL);
	rp_json_out_int(o, "count", (int64_t)g->count);
	rp_json_out_time(o, "first_at", g->first_at_ms);
	rp_json_out_time(o, "last_at", g->last_at_ms);
	rp_json_out_text(o, "sample", rp_id_format(g->sample, id));
	rp_json_out_text(o, "suggest", suggest(g->cause, g));
	return o;
}

static void add_row(const struct rp_ctl *ctl, struct rp_table *table, size_t number, const struct group *g)
{
	char text[RP_TIME_TEXT_MAX], id[RP_ID_TEXT_MAX];
	int64_t at_ms[2] = {g->first_at_ms, g->last_at_ms};
	int i;

	if (ctl->out_tty)
		rp_table_number(table, number);
	rp_table_styled(table, RP_STYLE_BAD, rp_cause_format(g->cause, g->http_status, text));
	rp_table_cell(table, rp_span_of(rp_cause_format(g->last_cause, g->http_status, text)));
	rp_table_cell(table, rp_span_of(g->name));
	rp_table_number(table, g->count);
	for (i = 0; i < 2; i++) {
		if (ctl->out_tty)
			rp_table_cell(table, rp_span_of(rp_duration_format(ctl->now_at_ms - at_ms[i], text)));
		else
			rp_table_cell(table, rp_span_of(rp_time_format(at_ms[i], text)));
	}
	rp_table_cell(table, rp_span_of(rp_id_format(g->sample, id)));
	if (!ctl->out_tty)
		rp_table_cell(table, rp_span_of(suggest(g->cause, g)));
}

static int most_first(const void *a, const void *b)
{
	const struct group *x = *(struct group *const *)a, *y = *(struct group *const *)b;

	if (x->count != y->count)
		return x->count > y->count ? -1 : 1;
	return compare(x, y);
}

static bool add_groups(struct triage *t)
{
	struct rp_ctl *ctl = t->ctl;
	struct rp_table *table = NULL;
	bool tty = ctl->out_tty, ok = true;
	size_t i;

	if (!ctl->json) {
		table = rp_ctl_table(ctl, tty ? for_people : for_pipes, sizeof for_people / sizeof for_people[0]);
		if (table == NULL)
			return false;
	}
	for (i = 0; i < t->n && ok; i++) {
		if (ctl->json)
			ok = rp_ctl_add_json(ctl, group_json(t->all[i]));
		else
			add_row(ctl, table, i + 1, t->all[i]);
	}
	if (table != NULL)
		ok = rp_ctl_add_table(ctl, table);
	for (i = 0; i < t->n && ok && tty && !ctl->json; i++)
		ok = rp_buf_printf(&ctl->out, "#%zu: %s\n", i + 1, suggest(t->all[i]->cause, t->all[i]));
	return ok;
}

static void release(struct triage *t)
{
	size_t i;

	for (i = 0; i < t->n; i++) {
		tdelete(t->all[i], &t->tree, compare);
		free(t->all[i]->name);
		free(t->all[i]);
	}
	free(t->all);
}

int rp_verb_dead(struct rp_ctl *ctl)
{
	struct triage t = {.ctl = ctl};
	struct rp_walk w = {.ctl = ctl, .see = see, .arg = &t, .limit = ctl->selector.limit};
	int code;

	if (ctl->selector.states != 0 && ctl->selector.states != RP_STATE_BIT(RP_STATE_DEAD)) {
		rp_ctl_say(
		    "dead: it is about dead entries only; leave --state out, or use `runpostctl list --state ...`");
		return RP_EXIT_USAGE;
	}
	if (!ctl->selector.by_id)
		ctl->selector.states = RP_STATE_BIT(RP_STATE_DEAD);
	code = rp_walk_run(&w);
	if (code == RP_EXIT_OK) {
		if (t.n > 0)
			qsort(t.all, t.n, sizeof t.all[0], most_first);
		code = add_groups(&t) ? rp_ctl_flush(ctl) : rp_ctl_no_memory();
		if (code == RP_EXIT_OK && w.n_missing > 0)
			code = RP_EXIT_SOME_FAILED;
	}
	release(&t);
	return code;
}
