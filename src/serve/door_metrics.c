/* door_metrics.c - writes the door's numbers for Prometheus. The other families are the matter of
 * report/metrics.c, which knows of no door. */

#include "serve/door_metrics.h"

#include <inttypes.h>
#include <stdio.h>

struct metrics {
	const struct rp_door_numbers *n;
	struct rp_buf *out;
	bool ok;
};

static void family(struct metrics *m, const char *name, const char *type, const char *help)
{
	m->ok =
	    m->ok && rp_buf_printf(m->out, "# HELP runpost_door_%s %s\n# TYPE runpost_door_%s %s\n",
				   name, help, name, type);
}

static void number(struct metrics *m, const char *name, const char *type, const char *help,
		   uint64_t value)
{
	family(m, name, type, help);
	m->ok = m->ok && rp_buf_printf(m->out, "runpost_door_%s %" PRIu64 "\n", name, value);
}

/* All labels are words of ours, so none needs escaping. */
static void labelled(struct metrics *m, const char *name, const char *label, const char *text,
		     uint64_t value)
{
	m->ok = m->ok && rp_buf_printf(m->out, "runpost_door_%s{%s=\"%s\"} %" PRIu64 "\n", name,
				       label, text, value);
}

static void at(struct metrics *m, const char *name, const char *help, uint64_t at_ms)
{
	family(m, name, "gauge", help);
	m->ok =
	    m->ok && rp_buf_printf(m->out, "runpost_door_%s %.3f\n", name, (double)at_ms / 1000);
}

/* unit: how many of what is counted are one of what is told. */
static void histogram(struct metrics *m, const char *name, const char *help,
		      const struct rp_door_histogram *h, const uint64_t bounds[RP_DOOR_BUCKETS - 1],
		      double unit)
{
	uint64_t n = 0;
	size_t i;

	family(m, name, "histogram", help);
	for (i = 0; i < RP_DOOR_BUCKETS - 1; i++) {
		n += h->count[i];
		m->ok = m->ok &&
			rp_buf_printf(m->out, "runpost_door_%s_bucket{le=\"%g\"} %" PRIu64 "\n",
				      name, (double)bounds[i] / unit, n);
	}
	n += h->count[i];
	m->ok =
	    m->ok && rp_buf_printf(m->out,
				   "runpost_door_%s_bucket{le=\"+Inf\"} %" PRIu64 "\n"
				   "runpost_door_%s_sum %.6f\nrunpost_door_%s_count %" PRIu64 "\n",
				   name, n, name, (double)h->sum / unit, name, n);
}

/* --- what was done ------------------------------------------------------------------ */

static void add_answers(struct metrics *m)
{
	char code[16];
	size_t i;

	family(m, "requests_total", "counter", "Requests by the status of their answer.");
	for (i = 0; i < RP_DOOR_STATUSES; i++) {
		if (rp_door_status(i) == 0 && i != RP_DOOR_STATUSES - 1)
			continue;
		snprintf(code, sizeof code, "%u", rp_door_status(i));
		labelled(m, "requests_total", "status", rp_door_status(i) != 0 ? code : "other",
			 m->n->answers[i]);
	}
	family(m, "refused_total", "counter",
	       "Requests that were refused or rejected, by the code of their answer.");
	for (i = 0; i < RP_DOOR_CODES; i++)
		if (rp_door_code(i) != NULL)
			labelled(m, "refused_total", "code", rp_door_code(i), m->n->refused[i]);
}

static void add_runs(struct metrics *m)
{
	const struct rp_door_numbers *n = m->n;
	int k;

	family(m, "runs_total", "counter", "Runs by what became of them; rejected: also lines.");
	for (k = 0; k < RP_DOOR_RUNS_COUNT; k++)
		labelled(m, "runs_total", "result", rp_door_run_name((enum rp_door_run)k),
			 n->runs[k]);
	number(m, "request_bytes_total", "counter", "Bytes of bodies that were taken in.",
	       n->requests_bytes);
	family(m, "rejects_total", "counter",
	       "Bodies refused for their content, by whether the rejects file has them.");
	labelled(m, "rejects_total", "kept", "yes", n->kept);
	labelled(m, "rejects_total", "kept", "no", n->lost);
	family(m, "rejects_bytes_total", "counter", "Their bytes.");
	labelled(m, "rejects_bytes_total", "kept", "yes", n->kept_bytes);
	labelled(m, "rejects_bytes_total", "kept", "no", n->lost_bytes);
	at(m, "last_queued_timestamp_seconds", "When a run was last taken; 0: never.",
	   n->last_queued_at_ms);
	at(m, "last_reject_timestamp_seconds",
	   "When a body was last refused for its content; 0: never.", n->last_reject_at_ms);
}

static void add_commits(struct metrics *m)
{
	const struct rp_door_numbers *n = m->n;

	histogram(m, "commit_runs", "Runs in a commit.", &n->batches, rp_door_bounds_batch, 1);
	number(m, "commit_failures_total", "counter", "Commits that failed.", n->failed);
	histogram(m, "commit_wait_seconds",
		  "From the last byte of a request to its answer, of those that were committed.",
		  &n->waits, rp_door_bounds_wait_us, 1e6);
	number(m, "holds_total", "counter", "Requests that had to wait for room in a full outbox.",
	       n->held);
}

static void add_connections(struct metrics *m)
{
	number(m, "connections_accepted_total", "counter", "Connections that were accepted.",
	       m->n->connections);
	number(m, "worker_starts_total", "counter", "Starts of processes that accept.",
	       m->n->starts);
}

/* --- what is done at the moment ----------------------------------------------------- */

static void add_now(struct metrics *m)
{
	struct rp_door_now now = rp_door_now_sum(m->n, NULL);
	uint64_t by_state[RP_DOOR_STATES] = {0};
	size_t i;

	for (i = 0; i < RP_DOOR_SLOTS; i++)
		if (m->n->now[i].pid != 0 && m->n->now[i].state < RP_DOOR_STATES)
			by_state[m->n->now[i].state]++;
	family(m, "workers", "gauge", "Living processes that accept, by what they do.");
	for (i = 0; i < RP_DOOR_STATES; i++)
		labelled(m, "workers", "state", rp_door_state_name((enum rp_door_state)i),
			 by_state[i]);
	number(m, "connections_open", "gauge", "Connections that are open.", now.connections);
	number(m, "requests_waiting", "gauge", "Whole requests that wait for their commit.",
	       now.requests);
	number(m, "requests_held", "gauge", "Of them those that wait for room.", now.held);
	number(m, "bodies_bytes", "gauge", "Bytes of bodies in memory.", now.body_bytes);
}

bool rp_door_metrics_add(const struct rp_door_numbers *n, struct rp_buf *out)
{
	struct metrics m = {.n = n, .out = out, .ok = true};

	add_answers(&m);
	add_runs(&m);
	add_commits(&m);
	add_connections(&m);
	add_now(&m);
	return m.ok;
}
