/* endpoints.c - copies the endpoints out of the outbox and finds them by name or pattern. Verbs
 * look them up often, and each look would be a transaction. */

#include "report/endpoints.h"

#include <stdlib.h>

#include "report/shown.h"

static int by_id(const void *a, const void *b)
{
	const struct rp_known_endpoint *x = a, *y = b;

	return x->id < y->id ? -1 : x->id > y->id;
}

struct loading {
	struct rp_known_endpoints *all;
	const struct rp_config *config;
	bool no_memory;
};

static bool see(void *arg, uint64_t id, struct rp_span name, const struct rp_endpoint *e)
{
	struct loading *l = arg;
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
	one->id = id;
	one->e = *e;
	shown = rp_shown_name(l->config, name, &room);
	one->name = strndup(shown.len > 0 ? shown.ptr : "", shown.len);
	one->stored = strndup(name.len > 0 ? name.ptr : "", name.len);
	rp_buf_release(&room);
	l->no_memory = one->name == NULL || one->stored == NULL;
	return !l->no_memory;
}

enum rp_err rp_known_endpoints_load(struct rp_outbox *ob, const struct rp_config *config,
				    struct rp_known_endpoints *out, struct rp_error *err)
{
	struct loading l = {.all = out, .config = config};

	memset(out, 0, sizeof *out);
	if (rp_outbox_endpoints(ob, (struct rp_endpoints_which){RP_ENDPOINTS_PATHS, 0}, see, &l,
				err) != RP_OK)
		return err->code;
	if (l.no_memory)
		return rp_fail(err, RP_ERR_NOMEM, "out of memory");
	if (out->n > 0)
		qsort(out->all, out->n, sizeof out->all[0], by_id);
	return RP_OK;
}

void rp_known_endpoints_release(struct rp_known_endpoints *k)
{
	size_t i;

	for (i = 0; i < k->n; i++) {
		free(k->all[i].name);
		free(k->all[i].stored);
	}
	free(k->all);
	memset(k, 0, sizeof *k);
}

const struct rp_known_endpoint *rp_known_endpoint_find(const struct rp_known_endpoints *k,
						       uint64_t id)
{
	struct rp_known_endpoint key = {.id = id};

	return k->n > 0 ? bsearch(&key, k->all, k->n, sizeof k->all[0], by_id) : NULL;
}

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

struct rp_json_out *rp_known_endpoint_json(const struct rp_known_endpoint *k)
{
	static const enum rp_state counted[] = {RP_STATE_WAITING, RP_STATE_IN_FLIGHT, RP_STATE_HELD,
						RP_STATE_DEAD, RP_STATE_DELIVERED};
	struct rp_json_out *o = rp_json_out_new();
	char cause[RP_CAUSE_TEXT_MAX];
	size_t i;

	rp_json_out_text(o, "endpoint", k->name);
	rp_json_out_text(o, "state", rp_known_endpoint_state(k));
	for (i = 0; i < sizeof counted / sizeof counted[0]; i++)
		rp_json_out_int(o, rp_state_name(counted[i]), (int64_t)k->e.count[counted[i]]);
	rp_json_out_int(o, "streak", k->e.streak);
	rp_json_out_given(o, "last_cause",
			  rp_span_of(rp_cause_format(k->e.last_cause, k->e.last_status, cause)));
	rp_json_out_time(o, "last_success_at", k->e.last_success_at_ms);
	rp_json_out_time(o, "last_failure_at", k->e.last_failure_at_ms);
	rp_json_out_bool(o, "paused", k->e.paused);
	rp_json_out_bool(o, "disabled", k->e.disabled);
	rp_json_out_time(o, "changed_at", k->e.changed_at_ms);
	add_control_json(o, &k->e.control);
	return o;
}
