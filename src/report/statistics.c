/* statistics.c - reads an outbox's numbers and says them as JSON. What is wrong is found in
 * trouble.c, from the same values. */

#include "report/statistics.h"

#include <stdlib.h>

enum { SPLIT_PAGE = 500 };

static const struct {
	const char *name;
	size_t offset;
} counts[] = {
    {"waiting", offsetof(struct rp_ledger, waiting)},
    {"in_flight", offsetof(struct rp_ledger, in_flight)},
    {"held", offsetof(struct rp_ledger, held)},
    {"delivered", offsetof(struct rp_ledger, delivered)},
    {"dead", offsetof(struct rp_ledger, dead)},
    {"purged", offsetof(struct rp_ledger, purged)},
};
_Static_assert(sizeof counts / sizeof counts[0] == RP_STATISTICS_COUNTS, "a row for each count");

const char *rp_statistics_count(const struct rp_statistics *st, size_t i, uint64_t *n)
{
	memcpy(n, (const char *)&st->ledger + counts[i].offset, sizeof *n);
	return counts[i].name;
}

bool rp_statistics_balances(const struct rp_statistics *st)
{
	uint64_t sum = 0, n;
	size_t i;

	for (i = 0; i < RP_STATISTICS_COUNTS; i++) {
		rp_statistics_count(st, i, &n);
		sum += n;
	}
	return st->ledger.accepted == sum;
}

unsigned rp_statistics_percent_used(const struct rp_statistics *st)
{
	return st->info.quota_bytes > 0
		   ? (unsigned)(st->info.used_bytes * 100.0 / (double)st->info.quota_bytes)
		   : 0;
}

/* --- reading ------------------------------------------------------------------------ */

/* Its claims go to others after the lease; what keeps it from beating is mostly a SIGSTOP, or a
 * frozen container. */
static bool is_silent(const struct rp_statistics *st, const struct rp_sender_info *s)
{
	return s->alive && st->boot_ms - s->beat_boot_ms > st->lease_ms;
}

static void see_sender(void *arg, const struct rp_sender_info *s)
{
	struct rp_statistics *st = arg;

	st->n_alive += s->alive;
	if (is_silent(st, s) && (st->n_silent++ == 0 || s->beat_boot_ms < st->silent.beat_boot_ms))
		st->silent = *s;
	if (st->n_senders < sizeof st->senders / sizeof st->senders[0])
		st->senders[st->n_senders++] = *s;
}

struct reading {
	struct rp_statistics *st;
	bool no_memory;
};

static void see_series(void *arg, struct rp_span name, const struct rp_series *s)
{
	struct reading *r = arg;
	struct rp_named_series *all = realloc(r->st->series, (r->st->n_series + 1) * sizeof all[0]);

	r->no_memory = r->no_memory || all == NULL;
	if (all == NULL)
		return;
	r->st->series = all;
	all[r->st->n_series].attempts = *s;
	all[r->st->n_series].name = strndup(name.ptr, name.len);
	r->no_memory = r->no_memory || all[r->st->n_series++].name == NULL;
}

void rp_path_counts_add(struct rp_path_counts *c, const struct rp_endpoint *path)
{
	c->waiting += path->count[RP_STATE_WAITING];
	c->in_flight += path->count[RP_STATE_IN_FLIGHT];
	c->breaker[path->control.breaker]++;
	c->paused += path->paused;
	c->disabled += path->disabled;
}

/* Here a damaged index ends it: the numbers are read by programs that know of no gap. */
static enum rp_err get_info(struct rp_outbox *ob, struct rp_outbox_info *out, struct rp_error *err)
{
	enum rp_err e = rp_outbox_info(ob, out, err);

	if (e != RP_OK || out->oldest_trouble.code == RP_OK)
		return e;
	*err = out->oldest_trouble;
	return err->code;
}

enum rp_err rp_statistics_read(struct rp_outbox *ob, const struct rp_config *config,
			       int64_t now_at_ms, int64_t boot_ms, struct rp_statistics *out,
			       struct rp_error *err)
{
	struct reading r = {.st = out};

	memset(out, 0, sizeof *out);
	out->now_at_ms = now_at_ms;
	out->boot_ms = boot_ms;
	out->lease_ms = config->lease_ms;
	if (rp_outbox_ledger(ob, &out->ledger, err) != RP_OK ||
	    get_info(ob, &out->info, err) != RP_OK ||
	    rp_outbox_senders(ob, see_sender, out, err) != RP_OK ||
	    rp_outbox_counters(ob, &out->counters, see_series, &r, err) != RP_OK ||
	    rp_known_endpoints_load(ob, config, &out->endpoints, err) != RP_OK)
		return err->code;
	if (r.no_memory)
		return rp_fail(err, RP_ERR_NOMEM, "out of memory");
	out->recent = rp_counters_recent(&out->counters, now_at_ms, RP_RECENT_MINUTES);
	out->trouble = out->endpoints.n_trouble;
	return RP_OK;
}

/* --- by section --------------------------------------------------------------------- */

struct splitting {
	const struct rp_config *config;
	struct rp_path_counts *counts;
	uint64_t host, from; /* the page begins there */
	unsigned n_seen;     /* in the page */
};

static bool see_path(void *arg, uint64_t id, struct rp_span name, const struct rp_endpoint *e)
{
	struct splitting *s = arg;
	const struct rp_policy *policy = &s->config->defaults;
	struct rp_url url;

	if (rp_level_host(id) != s->host)
		return false;
	s->from = id + 1;
	s->n_seen++;
	if (rp_url_parse(name, &url, NULL) == RP_OK)
		policy = rp_config_policy(s->config, &url);
	rp_path_counts_add(
	    &s->counts[policy == &s->config->defaults ? s->config->n_endpoints
						      : (size_t)(policy - s->config->endpoints)],
	    e);
	return s->n_seen < SPLIT_PAGE;
}

/* Whether the configuration has a section for some of its paths. */
static bool is_split(const struct rp_config *config, const struct rp_known_endpoint *host)
{
	struct rp_buf root = {0};
	struct rp_url url, prefix;
	bool split = false;
	size_t i;

	if (rp_buf_printf(&root, "%s/", host->stored) &&
	    rp_url_parse((struct rp_span){root.data, root.len}, &url, NULL) == RP_OK) {
		for (i = 0; i < config->n_endpoints && !split; i++) {
			prefix = config->endpoints[i].prefix;
			split = prefix.path.len > 1;
			prefix.path = rp_span_of("/");
			split = split && rp_url_match_prefix(&prefix, &url) > 0;
		}
	}
	rp_buf_release(&root);
	return split;
}

static enum rp_err split_host(struct splitting *s, uint64_t host, struct rp_outbox *ob,
			      struct rp_error *err)
{
	s->host = s->from = host;
	do {
		s->n_seen = 0;
		if (rp_outbox_endpoints(ob,
					(struct rp_endpoints_which){RP_ENDPOINTS_PATHS, s->from},
					see_path, s, err) != RP_OK)
			return err->code;
	} while (s->n_seen == SPLIT_PAGE);
	return RP_OK;
}

enum rp_err rp_statistics_split(struct rp_statistics *st, struct rp_outbox *ob,
				const struct rp_config *config, struct rp_error *err)
{
	struct splitting s = {.config = config};
	size_t i;

	for (i = 0; i < st->endpoints.n; i++) {
		struct rp_known_endpoint *k = &st->endpoints.all[i];

		if (k->e.level != RP_LEVEL_HOST || k->few || !is_split(config, k))
			continue;
		k->split = true;
		if (st->split == NULL)
			st->split = calloc(config->n_endpoints + 1, sizeof st->split[0]);
		if (st->split == NULL)
			return rp_fail(err, RP_ERR_NOMEM, "out of memory");
		s.counts = st->split;
		if (split_host(&s, k->id, ob, err) != RP_OK)
			return err->code;
	}
	return RP_OK;
}

void rp_statistics_release(struct rp_statistics *st)
{
	size_t i;

	for (i = 0; i < st->n_series; i++)
		free(st->series[i].name);
	free(st->series);
	free(st->split);
	rp_known_endpoints_release(&st->endpoints);
	memset(st, 0, sizeof *st);
}

/* --- as JSON ------------------------------------------------------------------------ */

static struct rp_json_out *sender_json(const struct rp_statistics *st,
				       const struct rp_sender_info *s)
{
	struct rp_json_out *o = rp_json_out_new();

	rp_json_out_int(o, "slot", s->slot);
	rp_json_out_int(o, "pid", s->pid);
	rp_json_out_bool(o, "alive", s->alive);
	rp_json_out_bool(o, "beating", s->alive && !is_silent(st, s));
	rp_json_out_time(o, "started_at", s->started_at_ms);
	rp_json_out_int(o, "claims", (int64_t)s->claims);
	return o;
}

static struct rp_json_out *minutes_json(const struct rp_statistics *st)
{
	struct rp_json_out *o = rp_json_out_new();

	rp_json_out_int(o, "minutes", RP_RECENT_MINUTES);
	rp_json_out_int(o, "accepted", (int64_t)st->recent.accepted);
	rp_json_out_int(o, "delivered", (int64_t)st->recent.delivered);
	rp_json_out_int(o, "failed", (int64_t)st->recent.failed);
	return o;
}

/* "! TEXT -> COMMAND" */
static struct rp_json_out *warning_json(struct rp_span line)
{
	struct rp_json_out *o = rp_json_out_new();
	size_t at = line.len, n;

	while (at > 4 && memcmp(line.ptr + at - 4, " -> ", 4) != 0)
		at--;
	n = at > 4 ? at - 4 : line.len;
	rp_json_out_span(o, "text", (struct rp_span){line.ptr + 2, n - 2});
	if (at > 4)
		rp_json_out_span(o, "command", (struct rp_span){line.ptr + at, line.len - at});
	else
		rp_json_out_null(o, "command");
	return o;
}

static void add_warnings(struct rp_json_out *o, struct rp_span lines)
{
	size_t at, n;

	rp_json_out_array(o, "warnings");
	for (at = 0; at < lines.len; at += n + 1) {
		n = (size_t)((const char *)memchr(lines.ptr + at, '\n', lines.len - at) -
			     (lines.ptr + at));
		rp_json_out_push(o, "warnings", warning_json((struct rp_span){lines.ptr + at, n}));
	}
}

struct rp_json_out *rp_statistics_json(const struct rp_statistics *st, const char *outbox_dir,
				       struct rp_span lines)
{
	const struct rp_outbox_info *info = &st->info;
	bool due = info->next_due_at_ms != RP_NEVER;
	struct rp_json_out *o = rp_json_out_new(), *entries = rp_json_out_new();
	uint64_t n;
	size_t i;

	rp_json_out_text(o, "outbox", outbox_dir);
	rp_json_out_int(o, "format", info->format);
	rp_json_out_int(o, "accepted", (int64_t)st->ledger.accepted);
	for (i = 0; i < RP_STATISTICS_COUNTS; i++) {
		const char *name = rp_statistics_count(st, i, &n);

		rp_json_out_int(entries, name, (int64_t)n);
	}
	rp_json_out_object(o, "entries", entries);
	rp_json_out_bool(o, "balanced", rp_statistics_balances(st));
	rp_json_out_time(o, "next_due_at", due ? info->next_due_at_ms : 0);
	rp_json_out_time(o, "oldest_due_at",
			 info->oldest.waiting_due_at_ms != RP_NEVER ? info->oldest.waiting_due_at_ms
								    : 0);
	rp_json_out_int(o, "retrying", (int64_t)info->retrying);
	rp_json_out_time(o, "last_append_at", (int64_t)st->counters.last_append_at_ms);
	rp_json_out_time(o, "last_delivery_at", (int64_t)st->counters.last_delivery_at_ms);
	rp_json_out_object(o, "last_minutes", minutes_json(st));
	rp_json_out_int(o, "senders_alive", st->n_alive);
	rp_json_out_int(o, "senders_beating", st->n_alive - st->n_silent);
	rp_json_out_bool(o, "taking", !info->refuses);
	rp_json_out_array(o, "senders");
	for (i = 0; i < st->n_senders; i++)
		rp_json_out_push(o, "senders", sender_json(st, &st->senders[i]));
	rp_json_out_int(o, "endpoints", (int64_t)st->endpoints.n_paths);
	rp_json_out_int(o, "endpoints_in_trouble", (int64_t)st->trouble);
	rp_json_out_int(o, "file_bytes", (int64_t)info->file_bytes);
	rp_json_out_int(o, "used_bytes", (int64_t)info->used_bytes);
	rp_json_out_int(o, "quota_bytes", (int64_t)info->quota_bytes);
	rp_json_out_int(o, "map_bytes", (int64_t)info->map_bytes);
	rp_json_out_int(o, "disk_free_bytes", (int64_t)info->disk_free_bytes);
	rp_json_out_int(o, "readers", info->readers);
	rp_json_out_int(o, "max_readers", info->max_readers);
	rp_json_out_int(o, "commits", (int64_t)info->commits);
	add_warnings(o, lines);
	return o;
}
