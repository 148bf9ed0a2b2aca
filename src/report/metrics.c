/* metrics.c - writes the numbers of an outbox for Prometheus. It is apart from those who ask, so
 * that a name means the same wherever it is scraped. */

#include "report/metrics.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "net/url.h"

/* What the endpoints of one [endpoint] section do at the moment. */
struct section {
	const char *name;
	struct rp_path_counts of;
};

struct metrics {
	const struct rp_statistics *st;
	const struct rp_config *config;
	struct rp_buf *out;
	struct section *sections; /* one for each of the configuration, and one for the others */
	size_t n_sections;
	bool no_memory;
};

static void add(struct metrics *m, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void add(struct metrics *m, const char *fmt, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	if (!rp_buf_add_text(m->out, text))
		m->no_memory = true;
}

static void family(struct metrics *m, const char *name, const char *type, const char *help)
{
	add(m, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

/* A family of one number. */
static void number(struct metrics *m, const char *name, const char *type, const char *help,
		   uint64_t value)
{
	family(m, name, type, help);
	add(m, "%s %" PRIu64 "\n", name, value);
}

static void real(struct metrics *m, const char *name, const char *help, double value)
{
	family(m, name, "gauge", help);
	add(m, "%s %.6f\n", name, value);
}

/* Names of sections are letters, digits, dots, dashes and underscores, so no label needs
 * escaping. */
static void labelled(struct metrics *m, const char *name, const char *label, const char *text,
		     uint64_t value)
{
	add(m, "%s{%s=\"%s\"} %" PRIu64 "\n", name, label, text, value);
}

/* `labels` is empty or ends with a comma. */
static void histogram(struct metrics *m, const char *name, const char *labels,
		      const struct rp_histogram *h, const int64_t bounds[RP_HISTOGRAM_BUCKETS - 1])
{
	int bare = (int)strlen(labels) - 1; /* without the comma */
	uint64_t n = 0;
	size_t i;

	for (i = 0; i < RP_HISTOGRAM_BUCKETS - 1; i++) {
		n += h->count[i];
		add(m, "%s_bucket{%sle=\"%g\"} %" PRIu64 "\n", name, labels,
		    (double)bounds[i] / 1e6, n);
	}
	n += h->count[i];
	add(m, "%s_bucket{%sle=\"+Inf\"} %" PRIu64 "\n", name, labels, n);
	if (bare < 0)
		add(m, "%s_sum %.6f\n%s_count %" PRIu64 "\n", name, (double)h->sum_us / 1e6, name,
		    n);
	else
		add(m, "%s_sum{%.*s} %.6f\n%s_count{%.*s} %" PRIu64 "\n", name, bare, labels,
		    (double)h->sum_us / 1e6, name, bare, labels, n);
}

static void by_cause(struct metrics *m, const char *name, const uint64_t counts[RP_COUNTERS_CAUSES])
{
	char text[RP_CAUSE_TEXT_MAX];
	int i;

	for (i = RP_CAUSE_NONE + 1; i < RP_CAUSE_MAX_ && i < RP_COUNTERS_CAUSES; i++)
		labelled(m, name, "cause", rp_cause_format((enum rp_cause)i, 0, text), counts[i]);
}

/* --- what there is ------------------------------------------------------------------ */

static void seconds(struct metrics *m, const char *name, const char *state, int64_t at_ms)
{
	if (at_ms != RP_NEVER && at_ms != 0)
		add(m, "%s{state=\"%s\"} %.3f\n", name, state, (double)at_ms / 1000);
}

static void add_entries(struct metrics *m)
{
	const struct rp_ledger *l = &m->st->ledger;
	const struct {
		const char *state;
		uint64_t n;
	} states[] = {{"waiting", l->waiting},
		      {"in_flight", l->in_flight},
		      {"held", l->held},
		      {"delivered", l->delivered},
		      {"dead", l->dead}};
	size_t i;

	number(m, "runpost_purged_total", "counter",
	       "Entries removed, by an operator or by the retention.", l->purged);
	family(m, "runpost_entries", "gauge", "Entries by state.");
	for (i = 0; i < sizeof states / sizeof states[0]; i++)
		labelled(m, "runpost_entries", "state", states[i].state, states[i].n);
	number(m, "runpost_entries_retrying", "gauge",
	       "Waiting entries that have been attempted before.", m->st->info.retrying);
	family(m, "runpost_oldest_entry_timestamp_seconds", "gauge",
	       "When the entry that is longest in this state came into it; waiting: when it became "
	       "due, so in the "
	       "future if "
	       "none is.");
	seconds(m, "runpost_oldest_entry_timestamp_seconds", "waiting",
		m->st->info.oldest.waiting_due_at_ms);
	seconds(m, "runpost_oldest_entry_timestamp_seconds", "delivered",
		m->st->info.oldest.delivered_at_ms);
	seconds(m, "runpost_oldest_entry_timestamp_seconds", "dead", m->st->info.oldest.dead_at_ms);
}

static void add_store(struct metrics *m)
{
	const struct rp_outbox_info *i = &m->st->info;

	real(m, "runpost_store_map_used_ratio",
	     "Part of the map (map_size) that the data file takes.",
	     i->map_bytes > 0 ? (double)i->file_bytes / (double)i->map_bytes : 0);
	real(m, "runpost_store_quota_used_ratio", "Part of the quota that is in use.",
	     i->quota_bytes > 0 ? (double)i->used_bytes / (double)i->quota_bytes : 0);
	number(m, "runpost_store_file_bytes", "gauge", "Size of the data file.", i->file_bytes);
	number(m, "runpost_store_used_bytes", "gauge", "Bytes of it that are in use.",
	       i->used_bytes);
	number(m, "runpost_store_free_pages", "gauge",
	       "Pages of it that are free to be used again.",
	       i->file_bytes > i->used_bytes ? (i->file_bytes - i->used_bytes) / 4096 : 0);
	number(m, "runpost_disk_free_bytes", "gauge", "Bytes free on the outbox's file system.",
	       i->disk_free_bytes);
	number(m, "runpost_store_readers", "gauge", "Reader slots in use.", i->readers);
	number(m, "runpost_store_readers_limit", "gauge", "Reader slots there are.",
	       i->max_readers);
	number(m, "runpost_store_oldest_reader_commits", "gauge",
	       "Commits since the snapshot that the oldest reader still holds: pages freed since "
	       "are not used again.",
	       i->reader_lag);
	number(m, "runpost_store_commits_total", "counter", "Transactions ever committed.",
	       i->commits);
	family(m, "runpost_store_commit_seconds", "histogram",
	       "How long commits took, of senders and of others (ingest, library, operators).");
	histogram(m, "runpost_store_commit_seconds", "by=\"sender\",",
		  &m->st->counters.sender_commits, rp_bounds_commit_us);
	histogram(m, "runpost_store_commit_seconds", "by=\"other\",",
		  &m->st->counters.other_commits, rp_bounds_commit_us);
}

/* --- what was done ------------------------------------------------------------------ */

static void add_attempts(struct metrics *m)
{
	size_t i;
	int c;

	family(m, "runpost_attempts_total", "counter",
	       "Attempts by [endpoint] section (other: none) and by what came of them.");
	for (i = 0; i < m->st->n_series; i++)
		for (c = 0; c < RP_CLASS_COUNT; c++)
			add(m,
			    "runpost_attempts_total{endpoint=\"%s\",outcome=\"%s\"} %" PRIu64 "\n",
			    m->st->series[i].name, rp_outcome_class_name((enum rp_outcome_class)c),
			    m->st->series[i].attempts.attempts[c]);
}

static void add_work(struct metrics *m)
{
	const struct rp_counters *t = &m->st->counters;

	family(m, "runpost_delivery_duration_seconds", "histogram", "How long attempts took.");
	histogram(m, "runpost_delivery_duration_seconds", "", &t->attempts, rp_bounds_attempt_us);
	family(m, "runpost_delivery_latency_seconds", "histogram",
	       "From when an entry was first due (accepted, its not_before, replayed, in front of "
	       "its order) to its 2xx.");
	histogram(m, "runpost_delivery_latency_seconds", "", &t->latency, rp_bounds_latency_us);
	family(m, "runpost_ingest_lines_total", "counter",
	       "Runs that reached the outbox; rejected lines never do. Duplicates appear with the "
	       "next commit of their "
	       "writer.");
	labelled(m, "runpost_ingest_lines_total", "result", "accepted", m->st->ledger.accepted);
	labelled(m, "runpost_ingest_lines_total", "result", "duplicate", t->duplicates);
	family(m, "runpost_retries_scheduled_total", "counter",
	       "Failed attempts that are made again, by cause.");
	by_cause(m, "runpost_retries_scheduled_total", t->retries);
	family(m, "runpost_dead_lettered_total", "counter", "Entries given up, by cause.");
	by_cause(m, "runpost_dead_lettered_total", t->dead);
	family(m, "runpost_ssrf_blocked_total", "counter",
	       "Entries that the guard refused to send, by rule.");
	labelled(m, "runpost_ssrf_blocked_total", "rule", "address",
		 t->dead[RP_CAUSE_BLOCKED_ADDRESS]);
	labelled(m, "runpost_ssrf_blocked_total", "rule", "scheme",
		 t->dead[RP_CAUSE_BLOCKED_SCHEME]);
	labelled(m, "runpost_ssrf_blocked_total", "rule", "port", t->dead[RP_CAUSE_BLOCKED_PORT]);
	number(m, "runpost_replayed_total", "counter", "Entries replayed by an operator.",
	       t->replayed);
	number(m, "runpost_leases_expired_total", "counter",
	       "Claims taken back from senders that died or stood still longer than the lease.",
	       t->claims_lost);
	family(m, "runpost_last_append_timestamp_seconds", "gauge",
	       "When an entry was last taken; 0: never.");
	add(m, "runpost_last_append_timestamp_seconds %.3f\n", (double)t->last_append_at_ms / 1000);
	family(m, "runpost_last_delivery_timestamp_seconds", "gauge",
	       "When an entry was last delivered; 0: never.");
	add(m, "runpost_last_delivery_timestamp_seconds %.3f\n",
	    (double)t->last_delivery_at_ms / 1000);
}

/* --- endpoints by section ----------------------------------------------------------- */

static size_t section_number(const struct metrics *m, struct rp_span url_text)
{
	const struct rp_config *config = m->config;
	const struct rp_policy *policy = &config->defaults;
	struct rp_url url;

	if (rp_url_parse(url_text, &url, NULL) == RP_OK)
		policy = rp_config_policy(config, &url);
	return policy != &config->defaults && strlen(policy->name) < RP_SERIES_NAME_MAX
		   ? (size_t)(policy - config->endpoints)
		   : config->n_endpoints;
}

/* Of a host with many paths the host is counted, and of its paths what is known of those in
 * trouble. */
static void count_of_many(struct metrics *m, const struct rp_known_endpoint *k)
{
	struct rp_path_counts *c = &m->sections[section_number(m, rp_span_of(k->stored))].of;
	struct rp_endpoint e = k->e;

	if (k->e.level == RP_LEVEL_HOST) {
		c->waiting += e.count[RP_STATE_WAITING];
		c->in_flight += e.count[RP_STATE_IN_FLIGHT];
		c->breaker[RP_BREAKER_CLOSED] += k->n_paths;
		return;
	}
	e.count[RP_STATE_WAITING] = e.count[RP_STATE_IN_FLIGHT] = 0;
	rp_path_counts_add(c, &e);
	c->breaker[RP_BREAKER_CLOSED]--;
}

static void count_endpoint(struct metrics *m, const struct rp_known_endpoint *k)
{
	const struct rp_known_endpoint *host =
	    rp_known_endpoint_find(&m->st->endpoints, rp_level_host(k->id));

	if (host != NULL && host->split)
		return;
	if (host != NULL && !host->few)
		count_of_many(m, k);
	else if (k->e.level == RP_LEVEL_PATH)
		rp_path_counts_add(&m->sections[section_number(m, rp_span_of(k->stored))].of,
				   &k->e);
}

static void add_counts(struct rp_path_counts *to, const struct rp_path_counts *c)
{
	int b;

	to->waiting += c->waiting;
	to->in_flight += c->in_flight;
	to->paused += c->paused;
	to->disabled += c->disabled;
	for (b = RP_BREAKER_CLOSED; b <= RP_BREAKER_HALF_OPEN; b++)
		to->breaker[b] += c->breaker[b];
}

static void count_all(struct metrics *m)
{
	const struct rp_config *config = m->config;
	size_t i, to;

	for (i = 0; i < m->st->endpoints.n; i++)
		if (m->st->endpoints.all[i].e.level != RP_LEVEL_SECTION)
			count_endpoint(m, &m->st->endpoints.all[i]);
	for (i = 0; m->st->split != NULL && i < m->n_sections; i++) {
		to = i < config->n_endpoints &&
			     strlen(config->endpoints[i].name) < RP_SERIES_NAME_MAX
			 ? i
			 : config->n_endpoints;
		add_counts(&m->sections[to].of, &m->st->split[i]);
	}
}

/* Hosts by state: names of hosts would be as many series as callers like. */
static void add_hosts(struct metrics *m)
{
	static const char *const states[] = {"ok", "failing", "parked", "paused"};
	uint64_t n[sizeof states / sizeof states[0]] = {0}, held_back = 0;
	size_t i, s;

	for (i = 0; i < m->st->endpoints.n; i++) {
		const struct rp_known_endpoint *k = &m->st->endpoints.all[i];

		if (k->e.level != RP_LEVEL_HOST)
			continue;
		for (s = 0; s < sizeof states / sizeof states[0]; s++)
			n[s] += strcmp(rp_known_endpoint_state(k), states[s]) == 0;
		if (rp_known_endpoint_is_trouble(k))
			held_back += k->e.count[RP_STATE_WAITING];
	}
	family(m, "runpost_hosts", "gauge", "Hosts by state, as `runpostctl endpoints` has it.");
	for (s = 0; s < sizeof states / sizeof states[0]; s++)
		labelled(m, "runpost_hosts", "state", states[s], n[s]);
	number(m, "runpost_hosts_held_back_waiting", "gauge",
	       "Waiting entries of hosts that are paused, or whose breaker is not closed.",
	       held_back);
}

/* Where the host has no section of its own; others are split (rp_statistics_split). */
#define FLOOR                                                                                      \
	"; at least so many: of hosts with more than 20 paths, and of more than 20,000 paths in "  \
	"all, some are not looked at"

static void section_gauge(struct metrics *m, const char *name, const char *help, size_t offset)
{
	uint64_t value;
	size_t i;

	family(m, name, "gauge", help);
	for (i = 0; i < m->n_sections; i++) {
		memcpy(&value, (const char *)&m->sections[i] + offset, sizeof value);
		labelled(m, name, "endpoint", m->sections[i].name, value);
	}
}

static bool add_sections(struct metrics *m)
{
	const struct rp_config *config = m->config;
	size_t i;
	int b;

	m->n_sections = config->n_endpoints + 1;
	m->sections = calloc(m->n_sections, sizeof m->sections[0]);
	if (m->sections == NULL)
		return false;
	for (i = 0; i < m->n_sections; i++)
		m->sections[i].name =
		    i < config->n_endpoints ? config->endpoints[i].name : RP_SERIES_OTHER;
	count_all(m);
	section_gauge(m, "runpost_endpoint_waiting", "Waiting entries by [endpoint] section.",
		      offsetof(struct section, of.waiting));
	section_gauge(m, "runpost_endpoint_concurrency",
		      "Requests under way by [endpoint] section.",
		      offsetof(struct section, of.in_flight));
	section_gauge(m, "runpost_endpoints_paused", "Endpoints paused by an operator" FLOOR ".",
		      offsetof(struct section, of.paused));
	section_gauge(m, "runpost_endpoints_disabled", "Endpoints that answered 410" FLOOR ".",
		      offsetof(struct section, of.disabled));
	family(m, "runpost_endpoint_breaker_state", "gauge",
	       "Endpoints by [endpoint] section and state of their breaker" FLOOR
	       ", and count as closed.");
	for (i = 0; i < m->n_sections; i++) {
		for (b = RP_BREAKER_CLOSED; b <= RP_BREAKER_HALF_OPEN; b++)
			add(m,
			    "runpost_endpoint_breaker_state{endpoint=\"%s\",state=\"%s\"} %" PRIu64
			    "\n",
			    m->sections[i].name, rp_breaker_name((enum rp_breaker)b),
			    m->sections[i].of.breaker[b]);
	}
	return true;
}

bool rp_metrics_add(const struct rp_statistics *st, const struct rp_config *config,
		    struct rp_buf *out)
{
	struct metrics m = {.st = st, .config = config, .out = out};

	family(&m, "runpost_build_info", "gauge",
	       "Version of the program that wrote this, and format of the outbox.");
	add(&m, "runpost_build_info{version=\"" RP_VERSION "\",format=\"%u\"} 1\n",
	    st->info.format);
	add_entries(&m);
	add_work(&m);
	add_attempts(&m);
	number(&m, "runpost_senders_alive", "gauge", "Senders that hold a slot.", st->n_alive);
	m.no_memory = !add_sections(&m) || m.no_memory;
	add_hosts(&m);
	add_store(&m);
	free(m.sections);
	return !m.no_memory;
}
