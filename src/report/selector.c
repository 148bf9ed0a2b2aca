/* selector.c - parses the words of a selection and matches entries against it. It does no I/O;
 * the store finds the entries. */

#include "report/selector.h"

#include <errno.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/units.h"
#include "text/scan.h"
#include "net/url.h"
#include "report/shown.h"
#include "text/suggest.h"

enum { RETRYING = 0 }; /* stands in the table below for the alias; no state has this number */

static const struct {
	const char *name;
	int state;
} state_words[] = {
    {"waiting", RP_STATE_WAITING},     {"in_flight", RP_STATE_IN_FLIGHT}, {"held", RP_STATE_HELD},
    {"delivered", RP_STATE_DELIVERED}, {"dead", RP_STATE_DEAD},           {"retrying", RETRYING},
};
enum { N_STATE_WORDS = sizeof state_words / sizeof state_words[0] };

/* "[::1]" and "[::1]:8080": the brackets of an IPv6 host are a class to fnmatch. */
static bool is_literal_host(const char *glob)
{
	char text[80];
	struct rp_url url;

	return glob[0] == '[' &&
	       (size_t)snprintf(text, sizeof text, "http://%s/", glob) < sizeof text &&
	       rp_url_parse(rp_span_of(text), &url, NULL) == RP_OK && url.path.len == 1;
}

/* "https://host:port". */
static bool has_no_path(const char *url)
{
	const char *host = strstr(url, "://");

	return host != NULL && host[3 + strcspn(host + 3, "/?#")] == '\0';
}

bool rp_endpoint_reads_as_pattern(const char *glob)
{
	const char *rest = strstr(glob, "://");

	rest = rest != NULL ? rest + 3 : glob;
	return strpbrk(rest + (*rest == '['), "*?[\\") != NULL;
}

bool rp_endpoint_glob_init(struct rp_endpoint_glob *g, const char *glob)
{
	struct rp_buf encoded = {0};
	struct rp_span sent;
	struct rp_url url;
	enum rp_err e;

	memset(g, 0, sizeof *g);
	g->glob = glob;
	e = rp_url_accept(rp_span_of(glob), &encoded, &sent, &url, NULL);
	if (e == RP_OK) {
		g->exact = !rp_endpoint_reads_as_pattern(glob);
		g->is_host = g->exact && has_no_path(glob);
		e = rp_url_endpoint(&url, &g->name) ? RP_OK : RP_ERR_NOMEM;
	} else {
		g->exact = is_literal_host(glob);
	}
	rp_buf_release(&encoded);
	return e != RP_ERR_NOMEM;
}

void rp_endpoint_glob_release(struct rp_endpoint_glob *g)
{
	rp_buf_release(&g->name);
}

struct rp_span rp_endpoint_glob_host(const struct rp_endpoint_glob *g)
{
	return rp_level_host_name((struct rp_span){g->name.data, g->name.len});
}

static bool is_in_host(const struct rp_endpoint_glob *g, struct rp_span name)
{
	struct rp_span own = rp_endpoint_glob_host(g), its = rp_level_host_name(name);

	return own.len == its.len && memcmp(own.ptr, its.ptr, own.len) == 0;
}

bool rp_endpoint_glob_is_ambiguous(const struct rp_endpoint_glob *g)
{
	return g->name.len > 0 && !g->exact;
}

bool rp_endpoint_glob_is_name(const struct rp_endpoint_glob *g, struct rp_span name)
{
	return rp_span_is(name, g->glob) || (g->name.len > 0 && g->name.len == name.len &&
					     memcmp(g->name.data, name.ptr, name.len) == 0);
}

static bool glob_match(const struct rp_endpoint_glob *g, struct rp_span text)
{
	char copy[RP_URL_MAX + 1];

	if (text.len >= sizeof copy)
		return false;
	memcpy(copy, text.ptr, text.len);
	copy[text.len] = '\0';
	return strcmp(g->glob, copy) == 0 || (!g->exact && fnmatch(g->glob, copy, 0) == 0);
}

/* What `endpoints` prints is taken too, and a URL leads to the name as it is shown, which may be
 * all a caller has. */
static bool matches_as_shown(const struct rp_endpoint_glob *g, struct rp_span name)
{
	struct rp_buf room = {0}, own_room = {0};
	struct rp_span shown = rp_shown_name(g->config, name, &room);
	struct rp_span own =
	    rp_shown_name(g->config, (struct rp_span){g->name.data, g->name.len}, &own_room);
	bool match =
	    (shown.ptr != name.ptr && glob_match(g, shown)) ||
	    (own.len > 0 && own.len == shown.len && memcmp(own.ptr, shown.ptr, own.len) == 0);

	rp_buf_release(&room);
	rp_buf_release(&own_room);
	return match;
}

bool rp_endpoint_glob_match(const struct rp_endpoint_glob *g, struct rp_span name)
{
	struct rp_url url;
	struct rp_span host_port;

	if (name.len == 0)
		return false;
	if (rp_endpoint_glob_is_name(g, name))
		return true;
	if (g->is_host)
		return is_in_host(g, name);
	if (g->name.len > 0 && g->exact)
		return matches_as_shown(g, name);
	if (strchr(g->glob, '/') != NULL)
		return glob_match(g, name) || matches_as_shown(g, name);
	if (rp_url_parse(name, &url, NULL) != RP_OK)
		return false;
	host_port.ptr = url.host.ptr;
	host_port.len =
	    (size_t)((url.path.len > 0 ? url.path.ptr : name.ptr + name.len) - url.host.ptr);
	return glob_match(g, url.host) || glob_match(g, host_port);
}

static enum rp_err bad_state(struct rp_span word, struct rp_error *err)
{
	const char *words[N_STATE_WORDS];
	const char *near;
	char text[32] = "";
	size_t i;

	for (i = 0; i < N_STATE_WORDS; i++)
		words[i] = state_words[i].name;
	if (word.len < sizeof text)
		memcpy(text, word.ptr, word.len);
	near = rp_suggest(text, words, N_STATE_WORDS);
	return rp_fail(
	    err, RP_ERR_INVAL,
	    "--state %.*s: no such state%s%s%s; there are waiting, in_flight, held, delivered, "
	    "dead, and retrying (waiting after a failed attempt)",
	    (int)(word.len < 80 ? word.len : 80), word.ptr, near != NULL ? "; did you mean " : "",
	    near != NULL ? near : "", near != NULL ? "?" : "");
}

static enum rp_err add_state(struct rp_selector *s, struct rp_span word, struct rp_error *err)
{
	size_t i;

	for (i = 0; i < N_STATE_WORDS; i++) {
		if (!rp_span_is(word, state_words[i].name))
			continue;
		if (state_words[i].state == RETRYING) {
			/* "waiting,retrying" means waiting, whatever the order */
			if ((s->states & RP_STATE_BIT(RP_STATE_WAITING)) == 0)
				s->retrying_only = true;
			s->states |= RP_STATE_BIT(RP_STATE_WAITING);
		} else {
			if (state_words[i].state == RP_STATE_WAITING)
				s->retrying_only = false;
			s->states |= RP_STATE_BIT(state_words[i].state);
		}
		return RP_OK;
	}
	return bad_state(word, err);
}

static enum rp_err set_states(struct rp_selector *s, const char *value, struct rp_error *err)
{
	const char *at = value;

	for (;;) {
		size_t len = strcspn(at, ",");
		enum rp_err e = add_state(s, (struct rp_span){at, len}, err);

		if (e != RP_OK || at[len] == '\0')
			return e;
		at += len + 1;
	}
}

static enum rp_err set_cause(struct rp_selector *s, const char *value, struct rp_error *err)
{
	char names[RP_CAUSE_MAX_][RP_CAUSE_TEXT_MAX];
	const char *words[RP_CAUSE_MAX_];
	const char *near;
	struct rp_buf all = {.max = 512};
	size_t n = 0;
	int i;

	if (rp_cause_parse(rp_span_of(value), &s->cause, &s->http_status)) {
		s->has_cause = true;
		return RP_OK;
	}
	for (i = RP_CAUSE_NONE + 1; i < RP_CAUSE_MAX_; i++) {
		words[n++] = rp_cause_format((enum rp_cause)i, 0, names[i]);
		rp_buf_printf(&all, "%s%s", n > 1 ? " " : "", names[i]);
	}
	near = rp_suggest(value, words, n);
	rp_fail(err, RP_ERR_INVAL,
		"--cause %.40s: no such cause%s%s%s; a status is http_503, the others are %s",
		value, near != NULL ? "; did you mean " : "", near != NULL ? near : "",
		near != NULL ? "?" : "", all.data != NULL ? all.data : "");
	rp_buf_release(&all);
	return RP_ERR_INVAL;
}

static enum rp_err set_group(struct rp_selector *s, const char *value, struct rp_error *err)
{
	if (!rp_dead_group_parse(rp_span_of(value), &s->group))
		return rp_fail(err, RP_ERR_INVAL,
			       "--group %.80s: not a group of dead letters; `runpostctl dead` "
			       "shows them, one is like "
			       "gone:http_410:3",
			       value);
	s->has_group = true;
	return RP_OK;
}

static enum rp_err set_time(const char *option, const char *value, int64_t now_at_ms,
			    int64_t *out_at_ms, bool *has, struct rp_error *err)
{
	int64_t ago_ms;

	if (rp_duration_parse(rp_span_of(value), &ago_ms))
		*out_at_ms = now_at_ms - ago_ms;
	else if (!rp_time_parse(rp_span_of(value), out_at_ms))
		return rp_fail(err, RP_ERR_INVAL,
			       "%s %.60s: not a time; give how long ago (90s, 15m, 2h, 7d) or a "
			       "date with time "
			       "and zone (2026-11-23T12:00:00Z)",
			       option, value);
	*has = true;
	return RP_OK;
}

static enum rp_err set_older(struct rp_selector *s, const char *value, struct rp_error *err)
{
	if (!rp_duration_parse(rp_span_of(value), &s->older_than_ms))
		return rp_fail(err, RP_ERR_INVAL,
			       "--older-than %.60s: not a duration; give a number and a unit (90s, "
			       "15m, 2h, 7d)",
			       value);
	s->has_older = true;
	return RP_OK;
}

static enum rp_err set_limit(struct rp_selector *s, const char *value, struct rp_error *err)
{
	char *end;

	errno = 0;
	s->limit = strtoull(value, &end, 10);
	if (value[0] < '0' || value[0] > '9' || *end != '\0' || errno != 0)
		return rp_fail(err, RP_ERR_INVAL,
			       "--limit %.60s: not a count; give a whole number, 0 for no limit",
			       value);
	s->has_limit = true;
	return RP_OK;
}

/* "5", "=5", ">=5", ">5", "<=5", "<5" */
static enum rp_err set_attempts(struct rp_selector *s, const char *value, struct rp_error *err)
{
	const char *at = value;
	bool less = *at == '<', more = *at == '>', equal;
	unsigned long long n;
	char *end;

	at += less || more;
	equal = *at == '=' || (!less && !more);
	at += *at == '=';
	errno = 0;
	n = strtoull(at, &end, 10);
	if (at[0] < '0' || at[0] > '9' || *end != '\0' || errno != 0 || n >= UINT32_MAX)
		return rp_fail(
		    err, RP_ERR_INVAL,
		    "--attempts %.60s: not a count of attempts; give 3, '>=5', '>5', '<=2' or '<2'",
		    value);
	if (less && !equal && n == 0)
		return rp_fail(err, RP_ERR_INVAL,
			       "--attempts %.60s: no entry has fewer than 0; give '<1' or 0",
			       value);
	s->attempts_min = less ? 0 : (uint32_t)n + (more && !equal);
	s->attempts_max = more ? UINT32_MAX : (uint32_t)n - (less && !equal);
	s->has_attempts = true;
	return RP_OK;
}

static enum rp_err set_text(const char *option, const char *what, const char *value,
			    const char **out, struct rp_error *err)
{
	if (value[0] == '\0')
		return rp_fail(err, RP_ERR_INVAL, "%s: empty; give %s", option, what);
	*out = value;
	return RP_OK;
}

static enum rp_err set_endpoint(struct rp_selector *s, const char *value, struct rp_error *err)
{
	if (value[0] == '\0')
		return rp_fail(
		    err, RP_ERR_INVAL,
		    "--endpoint: empty; give a name as `runpostctl endpoints` shows it or a glob");
	rp_endpoint_glob_release(&s->endpoint);
	if (!rp_endpoint_glob_init(&s->endpoint, value))
		return rp_fail(err, RP_ERR_NOMEM, "out of memory");
	s->has_endpoint = true;
	return RP_OK;
}

enum rp_err rp_selector_set(struct rp_selector *s, enum rp_selector_field field, const char *value,
			    int64_t now_at_ms, struct rp_error *err)
{
	switch (field) {
	case RP_SELECT_STATE:
		return set_states(s, value, err);
	case RP_SELECT_ENDPOINT:
		return set_endpoint(s, value, err);
	case RP_SELECT_RUN:
		return set_text("--run", "a run id", value, &s->run_id, err);
	case RP_SELECT_THREAD:
		return set_text("--thread", "a thread id", value, &s->thread_id, err);
	case RP_SELECT_EVENT:
		return set_text("--event", "a run's status: success, error, timeout or interrupted",
				value, &s->event, err);
	case RP_SELECT_ATTEMPTS:
		return set_attempts(s, value, err);
	case RP_SELECT_CAUSE:
		return set_cause(s, value, err);
	case RP_SELECT_SINCE:
		return set_time("--since", value, now_at_ms, &s->since_at_ms, &s->has_since, err);
	case RP_SELECT_UNTIL:
		return set_time("--until", value, now_at_ms, &s->until_at_ms, &s->has_until, err);
	case RP_SELECT_OLDER_THAN:
		return set_older(s, value, err);
	case RP_SELECT_LIMIT:
		return set_limit(s, value, err);
	case RP_SELECT_GROUP:
		return set_group(s, value, err);
	}
	return rp_fail(err, RP_ERR_INVAL, "no such option");
}

enum rp_err rp_selector_add_id(struct rp_selector *s, struct rp_span text, struct rp_error *err)
{
	unsigned char id[RP_ID_BYTES];

	s->by_id = true;
	if (!rp_id_parse(text, id))
		return rp_fail(
		    err, RP_ERR_INVAL,
		    "not an entry id; one is msg_ and 26 letters and digits, as `runpostctl list` "
		    "shows it (a run's id goes behind --run)");
	if (s->n_ids == s->cap_ids) {
		size_t cap = s->cap_ids > 0 ? s->cap_ids * 2 : 64;
		void *more = realloc(s->ids, cap * sizeof s->ids[0]);

		if (more == NULL)
			return rp_fail(err, RP_ERR_NOMEM, "out of memory for %zu ids", cap);
		s->ids = more;
		s->cap_ids = cap;
	}
	memcpy(s->ids[s->n_ids++], id, sizeof id);
	return RP_OK;
}

static enum rp_err add_json_line(struct rp_selector *s, struct rp_span line, struct rp_error *err)
{
	struct rp_json_want wants[2] = {{.name = "id"}, {.name = "sample"}}, *want = &wants[0];
	struct rp_scan_error at;

	if (!rp_scan_object(line, wants, 2, &at))
		return rp_fail(err, RP_ERR_INVAL, "byte %zu: %s", at.offset + 1, at.message);
	if (want->type == RP_JSON_MISSING)
		want = &wants[1];
	if (want->type != RP_JSON_STRING)
		return rp_fail(err, RP_ERR_INVAL,
			       "the object has no member \"id\" that is a string");
	return rp_selector_add_id(s, (struct rp_span){want->raw.ptr + 1, want->raw.len - 2}, err);
}

enum rp_err rp_selector_add_line(struct rp_selector *s, struct rp_span line, struct rp_error *err)
{
	size_t n = 0;

	s->by_id = true;
	while (line.len > 0 && memchr(" \t\r\n", line.ptr[0], 4) != NULL) {
		line.ptr++;
		line.len--;
	}
	if (line.len == 0)
		return RP_OK;
	if (line.ptr[0] == '{')
		return add_json_line(s, line, err);
	while (n < line.len && memchr(" \t\r\n", line.ptr[n], 4) == NULL)
		n++;
	return rp_selector_add_id(s, (struct rp_span){line.ptr, n}, err);
}

void rp_selector_release(struct rp_selector *s)
{
	free(s->ids);
	rp_endpoint_glob_release(&s->endpoint);
	memset(s, 0, sizeof *s);
}

bool rp_selector_is_empty(const struct rp_selector *s)
{
	return !s->by_id && s->states == 0 && !s->has_endpoint && s->run_id == NULL &&
	       s->thread_id == NULL && s->event == NULL && !s->has_cause && !s->has_group &&
	       !s->has_attempts && !s->has_since && !s->has_until && !s->has_older;
}

static struct rp_span span_or_none(const char *text)
{
	return text != NULL ? rp_span_of(text) : (struct rp_span){NULL, 0};
}

void rp_selector_filter(const struct rp_selector *s, struct rp_filter *out)
{
	*out = (struct rp_filter){
	    .states = s->states,
	    .retrying_only = s->retrying_only,
	    .run_id = span_or_none(s->run_id),
	    .thread_id = span_or_none(s->thread_id),
	    .event = span_or_none(s->event),
	    .has_cause = s->has_cause,
	    .cause = s->cause,
	    .http_status = s->http_status,
	    .has_attempts = s->has_attempts,
	    .attempts_min = s->attempts_min,
	    .attempts_max = s->attempts_max,
	    .has_group = s->has_group,
	    .group = s->group,
	    .has_since = s->has_since,
	    .has_until = s->has_until,
	    .since_at_ms = s->since_at_ms,
	    .until_at_ms = s->until_at_ms,
	    .has_older = s->has_older,
	    .older_than_ms = s->older_than_ms,
	};
}

bool rp_selector_match(const struct rp_selector *s, const struct rp_entry *e, int64_t now_at_ms)
{
	struct rp_filter filter;

	rp_selector_filter(s, &filter);
	return rp_filter_matches(&filter, e, now_at_ms) &&
	       (!s->has_endpoint || rp_endpoint_glob_match(&s->endpoint, e->endpoint));
}
