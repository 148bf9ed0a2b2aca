/* endpoints.c - copies endpoints out of the outbox and finds them by name or pattern. Verbs look
 * them up often, and each look would be a transaction. */

#include "report/endpoints.h"

#include <stdlib.h>

#include "report/shown.h"

/* Paths looked at in one load: of a host, and of all hosts; then hosts are shown without their
 * paths. */
enum { PATHS_SEEN = 1000, PATHS_SEEN_IN_ALL = 20000 };

/* Whose paths are looked at first. Those of hosts with many that are in trouble leave room for
 * hosts that are told by their paths alone. A path may be paused where its host has seen no
 * trouble, so even the last are looked at if there is room. */
static const struct {
	bool many, trouble;
	size_t seen_max; /* of all hosts, when their turn is over */
} turns[] = {{false, true, PATHS_SEEN_IN_ALL},
	     {true, true, PATHS_SEEN_IN_ALL / 2},
	     {false, false, PATHS_SEEN_IN_ALL},
	     {true, false, PATHS_SEEN_IN_ALL}};

static int by_id(const void *a, const void *b)
{
	const struct rp_known_endpoint *x = a, *y = b;

	return x->id < y->id ? -1 : x->id > y->id;
}

struct loading {
	struct rp_known_endpoints *all;
	const struct rp_config *config;
	size_t n_seen_in_all, seen_max; /* paths of all hosts */
	bool no_memory;
	/* the host whose paths come */
	size_t first; /* where those kept of it begin */
	uint64_t n_seen;
	bool few, more;
};

/* --- loading ------------------------------------------------------------------------ */

static bool keep(struct loading *l, uint64_t id, struct rp_span name, const struct rp_endpoint *e)
{
	struct rp_known_endpoints *k = l->all;
	struct rp_known_endpoint *one;
	struct rp_buf room = {0};
	struct rp_span shown;

	l->no_memory = true; /* until the end */
	if (k->n == k->cap) {
		size_t cap = k->cap > 0 ? k->cap * 2 : 64;
		void *more = realloc(k->all, cap * sizeof k->all[0]);

		if (more == NULL)
			return false;
		k->all = more;
		k->cap = cap;
	}
	one = &k->all[k->n++];
	*one = (struct rp_known_endpoint){.id = id, .e = *e};
	shown = e->level == RP_LEVEL_PATH ? rp_shown_name(l->config, name, &room) : name;
	one->name = strndup(shown.len > 0 ? shown.ptr : "", shown.len);
	one->stored = strndup(name.len > 0 ? name.ptr : "", name.len);
	rp_buf_release(&room);
	l->no_memory = one->name == NULL || one->stored == NULL;
	return !l->no_memory;
}

static void drop(struct rp_known_endpoint *k)
{
	free(k->name);
	free(k->stored);
}

static bool see_shared(void *arg, uint64_t id, struct rp_span name, const struct rp_endpoint *e)
{
	return keep(arg, id, name, e);
}

/* They were few up to now: only those in trouble stay. */
static void drop_well(struct loading *l)
{
	struct rp_known_endpoints *k = l->all;
	size_t i, n = l->first;

	for (i = l->first; i < k->n; i++) {
		if (rp_known_endpoint_is_trouble(&k->all[i]))
			k->all[n++] = k->all[i];
		else
			drop(&k->all[i]);
	}
	k->n = n;
	l->few = false;
}

static bool see_path(void *arg, uint64_t id, struct rp_span name, const struct rp_endpoint *e)
{
	struct loading *l = arg;
	struct rp_known_endpoint k = {.id = id, .e = *e};
	bool trouble = rp_known_endpoint_is_trouble(&k);

	if (rp_level_of(id) != RP_LEVEL_PATH)
		return true;
	l->more = l->n_seen == PATHS_SEEN || l->n_seen_in_all == l->seen_max;
	if (l->more && l->few)
		drop_well(l);
	if (l->more)
		return false;
	l->n_seen++;
	l->n_seen_in_all++;
	l->all->n_trouble += trouble;
	if (l->few && l->n_seen > RP_HOST_PATHS_FEW)
		drop_well(l);
	if (!l->few && (!trouble || l->all->n - l->first >= RP_HOST_PATHS_FEW))
		return true;
	return keep(l, id, name, e);
}

/* all[at] is a host, of which n_paths are counted. */
static enum rp_err load_paths(struct loading *l, struct rp_outbox *ob, size_t at,
			      struct rp_error *err)
{
	struct rp_known_endpoint *host = &l->all->all[at];
	struct rp_endpoints_which which = {RP_ENDPOINTS_OF_HOST, host->id};
	bool has_sections = at + 1 < l->all->n && l->all->all[at + 1].e.level == RP_LEVEL_SECTION;

	l->first = l->all->n;
	l->n_seen = 0;
	l->few = true;
	l->more = false;
	if (rp_outbox_endpoints(ob, which, see_path, l, err) != RP_OK)
		return err->code;
	if (l->no_memory)
		return rp_fail(err, RP_ERR_NOMEM, "out of memory");
	host = &l->all->all[at];
	if (!l->more || host->n_paths < l->n_seen)
		host->n_paths = l->n_seen;
	host->few = l->few;
	host->told_by_path =
	    l->few && l->n_seen == 1 && !has_sections && !rp_known_endpoint_is_trouble(host);
	return RP_OK;
}

/* What its own record tells: some path of it has failed, or all are held back. */
static bool has_seen_trouble(const struct rp_known_endpoint *host)
{
	return rp_known_endpoint_is_trouble(host) || host->e.last_failure_at_ms != 0 ||
	       host->e.count[RP_STATE_DEAD] > 0;
}

/* The first n are hosts and sections. */
static enum rp_err load_in_turns(struct loading *l, size_t n, struct rp_outbox *ob,
				 struct rp_error *err)
{
	struct rp_known_endpoint *k;
	size_t i, t;

	for (t = 0; t < sizeof turns / sizeof turns[0]; t++) {
		l->seen_max = turns[t].seen_max;
		for (i = 0; i < n && l->n_seen_in_all < l->seen_max; i++) {
			k = &l->all->all[i];
			if (k->e.level == RP_LEVEL_HOST &&
			    has_seen_trouble(k) == turns[t].trouble &&
			    (k->n_paths > RP_HOST_PATHS_FEW) == turns[t].many &&
			    load_paths(l, ob, i, err) != RP_OK)
				return err->code;
		}
	}
	return RP_OK;
}

/* What the first n, hosts and sections in the order of their numbers, count of their paths. */
static void count_paths(struct rp_known_endpoint *all, size_t n)
{
	size_t i, host = 0;

	for (i = 0; i < n; i++) {
		all[i].n_paths = all[i].e.members;
		if (all[i].e.level == RP_LEVEL_HOST)
			host = i;
		else if (rp_level_host(all[i].id) == all[host].id && all[host].n_paths > 0)
			all[host].n_paths--;
	}
}

enum rp_err rp_known_endpoints_load(struct rp_outbox *ob, const struct rp_config *config,
				    struct rp_known_endpoints *out, struct rp_error *err)
{
	struct loading l = {.all = out, .config = config};
	enum rp_err e;
	size_t i, n;

	memset(out, 0, sizeof *out);
	e = rp_outbox_endpoints(ob, (struct rp_endpoints_which){.of = RP_ENDPOINTS_SHARED},
				see_shared, &l, err);
	if (e == RP_OK && l.no_memory)
		e = rp_fail(err, RP_ERR_NOMEM, "out of memory");
	n = out->n;
	count_paths(out->all, n);
	if (e == RP_OK)
		e = load_in_turns(&l, n, ob, err);
	for (i = 0; i < n; i++) {
		out->n_trouble += rp_known_endpoint_is_trouble(&out->all[i]);
		if (out->all[i].e.level == RP_LEVEL_HOST)
			out->n_paths += out->all[i].n_paths;
	}
	if (out->n > 0)
		qsort(out->all, out->n, sizeof out->all[0], by_id);
	return e;
}

void rp_known_endpoints_release(struct rp_known_endpoints *k)
{
	size_t i;

	for (i = 0; i < k->n; i++)
		drop(&k->all[i]);
	free(k->all);
	memset(k, 0, sizeof *k);
}

static struct rp_known_endpoint *find(const struct rp_known_endpoints *k, uint64_t id)
{
	struct rp_known_endpoint key = {.id = id};

	return k->n > 0 ? bsearch(&key, k->all, k->n, sizeof k->all[0], by_id) : NULL;
}

const struct rp_known_endpoint *rp_known_endpoint_find(const struct rp_known_endpoints *k,
						       uint64_t id)
{
	return find(k, id);
}

enum rp_err rp_known_endpoint_name(const struct rp_known_endpoints *k, struct rp_outbox *ob,
				   const struct rp_config *config, uint64_t id, struct rp_buf *out,
				   struct rp_error *err)
{
	const struct rp_known_endpoint *known = rp_known_endpoint_find(k, id);
	struct rp_buf stored = {0}, room = {0};
	struct rp_span name;
	enum rp_err e = RP_OK;

	if (known != NULL) {
		name = rp_span_of(known->name);
	} else {
		e = rp_outbox_endpoint_name(ob, id, &stored, err);
		name = (struct rp_span){stored.data, stored.len};
		if (rp_level_of(id) == RP_LEVEL_PATH)
			name = rp_shown_name(config, name, &room);
	}
	if (e == RP_OK && !rp_buf_add(out, name.ptr, name.len))
		e = rp_fail(err, RP_ERR_NOMEM, "out of memory");
	rp_buf_release(&stored);
	rp_buf_release(&room);
	return e == RP_ERR_NOTFOUND ? RP_OK : e;
}

/* --- levels ------------------------------------------------------------------------- */

static bool see_level(void *arg, uint64_t id, struct rp_span name, const struct rp_endpoint *e)
{
	struct rp_known_levels *l = arg;
	enum rp_level level = rp_level_of(id);

	(void)name;
	l->of[level] = *e;
	l->has[level] = true;
	return false;
}

enum rp_err rp_known_levels_load(struct rp_outbox *ob, uint64_t id, struct rp_known_levels *out,
				 struct rp_error *err)
{
	struct rp_endpoints_which one = {RP_ENDPOINTS_ONE, id};

	memset(out, 0, sizeof *out);
	if (rp_outbox_endpoints(ob, one, see_level, out, err) != RP_OK)
		return err->code;
	one.id = out->of[RP_LEVEL_PATH].section;
	if (out->has[RP_LEVEL_PATH] && one.id != 0 &&
	    rp_outbox_endpoints(ob, one, see_level, out, err) != RP_OK)
		return err->code;
	one.id = rp_level_host(id);
	if (!out->has[RP_LEVEL_HOST] && rp_outbox_endpoints(ob, one, see_level, out, err) != RP_OK)
		return err->code;
	return RP_OK;
}

struct rp_receiver rp_known_levels_receiver(struct rp_known_levels *l)
{
	struct rp_receiver r = {{NULL}};
	int level;

	for (level = 0; level < RP_LEVELS; level++)
		if (l->has[level])
			r.at[level] = &l->of[level];
	return r;
}

struct rp_receiver rp_known_levels_of(const struct rp_known_endpoints *known,
				      struct rp_known_endpoint *k)
{
	struct rp_receiver r = {{NULL}};
	struct rp_known_endpoint *host = find(known, rp_level_host(k->id)),
				 *section = k->e.level == RP_LEVEL_PATH && k->e.section != 0
						? find(known, k->e.section)
						: NULL;

	if (host != NULL)
		r.at[RP_LEVEL_HOST] = &host->e;
	if (section != NULL)
		r.at[RP_LEVEL_SECTION] = &section->e;
	r.at[k->e.level] = &k->e;
	return r;
}

bool rp_known_held_by(const struct rp_receiver *levels, int64_t now_at_ms, enum rp_level *by)
{
	int l = 0;

	while (l < RP_LEVELS - 1 && levels->at[l] == NULL)
		l++;
	if (levels->at[l] == NULL || levels->at[l]->count[RP_STATE_WAITING] == 0 ||
	    levels->at[l]->disabled)
		return false;
	for (l = RP_LEVELS - 1; l >= 0; l--) {
		*by = (enum rp_level)l;
		if (levels->at[l] != NULL && rp_schedule_open_at_ms(levels->at[l]) > now_at_ms)
			return true;
	}
	return false;
}

/* --- patterns ----------------------------------------------------------------------- */

struct fits {
	const struct rp_endpoint_glob *glob;
	bool named; /* an endpoint of this name exists */
	size_t n;   /* that the pattern fits */
};

static bool see_fit(void *arg, uint64_t id, struct rp_span name, const struct rp_endpoint *e)
{
	struct fits *f = arg;

	(void)id;
	(void)e;
	f->named = f->named || rp_endpoint_glob_is_name(f->glob, name);
	f->n += rp_endpoint_glob_match(f->glob, name);
	return true;
}

enum rp_err rp_endpoint_glob_resolve(struct rp_outbox *ob, struct rp_endpoint_glob *g,
				     size_t *n_fits, struct rp_error *err)
{
	struct fits f = {.glob = g};

	*n_fits = 0;
	if (!rp_endpoint_glob_is_ambiguous(g))
		return RP_OK;
	if (rp_outbox_endpoints(ob, (struct rp_endpoints_which){RP_ENDPOINTS_PATHS, 0}, see_fit, &f,
				err) != RP_OK)
		return err->code;
	g->exact = f.named;
	*n_fits = f.named ? f.n : 0;
	return RP_OK;
}

/* --- states ------------------------------------------------------------------------- */

bool rp_known_endpoint_lacks_key(const struct rp_known_endpoint *k)
{
	/* a reload takes the time away, and the next attempt the cause */
	return k->e.last_cause == RP_CAUSE_NO_KEY && k->e.parked_until_ms != 0;
}

const char *rp_known_endpoint_state(const struct rp_known_endpoint *k)
{
	if (k->e.disabled)
		return "disabled";
	if (k->e.paused)
		return "paused";
	if (rp_known_endpoint_lacks_key(k))
		return "no_key";
	if (k->e.control.breaker != RP_BREAKER_CLOSED)
		return "parked";
	return k->e.streak > 0 ? "failing" : "ok";
}

bool rp_known_endpoint_is_trouble(const struct rp_known_endpoint *k)
{
	if (k->e.level != RP_LEVEL_PATH)
		return k->e.paused || k->e.control.breaker != RP_BREAKER_CLOSED;
	return strcmp(rp_known_endpoint_state(k), "ok") != 0;
}

bool rp_known_endpoint_keeps_failing(const struct rp_endpoint *e)
{
	return e->streak >= 10 ||
	       (e->streak >= 3 && e->last_failure_at_ms - e->last_success_at_ms >= 3600000);
}

static void add_control_json(struct rp_json_out *o, const struct rp_control *c)
{
	char cause[RP_CAUSE_TEXT_MAX], rate[RP_RATE_TEXT_MAX];
	bool known = c->limits.in_flight > 0;

	rp_json_out_int(o, "in_flight_limit", c->limits.in_flight);
	rp_json_out_int(o, "window", known ? rp_control_room(c) : 0);
	rp_json_out_given(o, "rate", rp_span_of(rp_rate_format(c->limits.rate, rate)));
	rp_json_out_text(o, "breaker", rp_breaker_name(c->breaker));
	rp_json_out_given(o, "breaker_cause",
			  rp_span_of(rp_cause_format(c->cause, c->http_status, cause)));
	rp_json_out_time(o, "opened_at", c->opened_at_ms);
	rp_json_out_time(o, "next_probe_at", c->breaker == RP_BREAKER_OPEN ? c->probe_at_ms : 0);
}

struct rp_json_out *rp_known_endpoint_json(const struct rp_known_endpoint *k,
					   const enum rp_level *held_by)
{
	static const enum rp_state counted[] = {RP_STATE_WAITING, RP_STATE_IN_FLIGHT, RP_STATE_HELD,
						RP_STATE_DEAD, RP_STATE_DELIVERED};
	struct rp_json_out *o = rp_json_out_new();
	char cause[RP_CAUSE_TEXT_MAX];
	size_t i;

	rp_json_out_text(o, "endpoint", k->name);
	rp_json_out_text(o, "level", rp_level_name(k->e.level));
	if (k->e.level != RP_LEVEL_PATH)
		rp_json_out_int(o, "paths", (int64_t)k->n_paths);
	rp_json_out_text(o, "state", rp_known_endpoint_state(k));
	for (i = 0; i < sizeof counted / sizeof counted[0]; i++)
		rp_json_out_int(o, rp_state_name(counted[i]), (int64_t)k->e.count[counted[i]]);
	rp_json_out_int(o, "places", (int64_t)rp_endpoint_in_use(&k->e));
	rp_json_out_int(o, "streak", k->e.streak);
	rp_json_out_given(o, "last_cause",
			  rp_span_of(rp_cause_format(k->e.last_cause, k->e.last_status, cause)));
	rp_json_out_time(o, "last_success_at", k->e.last_success_at_ms);
	rp_json_out_time(o, "last_failure_at", k->e.last_failure_at_ms);
	rp_json_out_bool(o, "paused", k->e.paused);
	rp_json_out_bool(o, "disabled", k->e.disabled);
	rp_json_out_time(o, "changed_at", k->e.changed_at_ms);
	rp_json_out_text(o, "held_back_by", held_by != NULL ? rp_level_name(*held_by) : NULL);
	add_control_json(o, &k->e.control);
	return o;
}
