/* Receivers: each has a mood, which changes. What a request will come to is decided when it
 * begins. */
#include "sim.h"

#include <stddef.h>
#include <strings.h>

static struct sim_actor *actor_of(struct rp_transport *t)
{
	return (struct sim_actor *)((char *)t - offsetof(struct sim_actor, transport));
}

static const char *header(const struct rp_request *r, const char *name)
{
	size_t n = strlen(name), i;

	for (i = 0; i < r->n_headers; i++)
		if (strncasecmp(r->headers[i], name, n) == 0 && r->headers[i][n] == ':')
			return r->headers[i] + n + 2;
	return "";
}

/* Which of its moods' answers it gives, and after how long. `reached` requests were taken by the
 * receiver. */
static void decide(const struct sim_ep *ep, struct sim_request *r)
{
	struct rp_outcome *o = &r->outcome;
	int64_t takes_ms = 1 + (int64_t)sim_below(200), timeout_ms = sim_section_of(ep)->timeout_ms;
	enum sim_mood mood = sim_host_of(ep)->mood;

	if (mood == MOOD_WELL)
		mood = ep->mood;
	if (mood == MOOD_FLAKY)
		mood = (enum sim_mood)(sim_chance(60) ? MOOD_WELL : sim_below(MOOD_FLAKY));
	o->http_status = 200;
	r->reached = true;
	switch (mood) {
	case MOOD_SLOW:
		takes_ms += (int64_t)sim_below((uint64_t)timeout_ms);
		break;
	case MOOD_BUSY:
		o->cause = RP_CAUSE_HTTP;
		o->http_status = sim_chance(50) ? 429 : 503;
		if (sim_chance(60))
			o->retry_after_ms =
			    (int64_t)(1 +
				      sim_below(
					  (uint64_t)(sim_chance(90) ? 60000 : RETRY_AFTER_MAX_MS)));
		break;
	case MOOD_FAILS:
		o->cause = RP_CAUSE_HTTP;
		o->http_status = sim_chance(50) ? 500 : sim_chance(50) ? 404 : 502;
		break;
	case MOOD_HANGS:
		o->cause = RP_CAUSE_TIMEOUT;
		o->http_status = 0;
		takes_ms = timeout_ms;
		r->reached = sim_chance(30);
		break;
	case MOOD_REFUSES:
		o->cause = sim_chance(70) ? RP_CAUSE_CONNECT : RP_CAUSE_RESET;
		o->http_status = 0;
		r->reached = o->cause == RP_CAUSE_RESET;
		break;
	case MOOD_GONE:
		o->cause = RP_CAUSE_GONE;
		o->http_status = 410;
		break;
	default:
		break;
	}
	if (takes_ms >= timeout_ms && o->cause == RP_CAUSE_NONE) {
		o->cause = RP_CAUSE_TIMEOUT; /* it took it, and we never learn */
		o->http_status = 0;
		takes_ms = timeout_ms;
	}
	o->duration_us = takes_ms * 1000;
	r->done_boot_ms = sim.boot_ms + takes_ms;
}

/* The delay without jitter, worked out a second way. */
static int64_t delay_ms(const struct sim_request *r, unsigned failures)
{
	int64_t d = r->base_ms;
	unsigned i;

	if (r->n_schedule > 0)
		return r->schedule_ms[failures <= r->n_schedule ? failures - 1 : r->n_schedule - 1];
	for (i = 1; i < failures && d < r->cap_ms; i++)
		d *= r->factor;
	return d < r->cap_ms ? d : r->cap_ms;
}

/* What the retry after this outcome must keep to. */
static void expect_retry(const struct sim_actor *a, const struct sim_request *r)
{
	struct sim_entry *e = &sim.entries[r->seq];
	int64_t wait_ms = delay_ms(r, e->failures + 1);

	if (e->holder != a->birth)
		return;
	e->told = e->attempts;
	e->told_gone = r->outcome.http_status == 410;
	e->decided_from_ms =
	    a->step_at_ms +
	    (r->outcome.retry_after_ms > wait_ms ? r->outcome.retry_after_ms : wait_ms);
	e->decided_to_ms = e->decided_from_ms + wait_ms / 5 + sim_wall_ms() - a->step_at_ms;
}

/* A socket or a thread cannot be had: nothing is sent, and it counts as no attempt. */
static void lack(struct sim_request *r)
{
	r->outcome.cause = RP_CAUSE_LOCAL;
	r->outcome.lack = sim_chance(80) ? RP_LACK_PROCESS : RP_LACK_PORTS;
	r->done_boot_ms = sim.boot_ms + (int64_t)sim_below(100);
	sim_note("lack", r->seq, (uint64_t)r->outcome.lack);
}

static enum rp_err start(struct rp_transport *t, const struct rp_request *request,
			 struct rp_error *err)
{
	struct sim_actor *a = actor_of(t);
	struct sim_request *r;
	unsigned char id[RP_ID_BYTES];
	const struct sim_section *section;
	const struct sim_ep *ep;

	if (a->n_requests == a->cap_requests) {
		a->cap_requests = a->cap_requests > 0 ? 2 * a->cap_requests : 64;
		a->requests = realloc(a->requests, a->cap_requests * sizeof a->requests[0]);
		MUST(a->requests != NULL, "out of memory");
	}
	MUST(rp_id_parse(rp_span_of(header(request, "webhook-id")), id), "a request without an id");
	r = &a->requests[a->n_requests++];
	memset(r, 0, sizeof *r);
	r->request = request;
	r->seq = rp_id_seq(id);
	MUST(r->seq > 0 && r->seq <= sim.n_entries &&
		 memcmp(id, sim.entries[r->seq].id, RP_ID_BYTES) == 0,
	     "a request with the id of no entry");
	r->claim_no = sim.entries[r->seq].claim_no;
	ep = &sim.eps[sim.entries[r->seq].ep];
	section = sim_section_of(ep);
	MUST(strncmp(request->url, ep->url, strlen(ep->url)) == 0, "to another receiver: %s",
	     request->url);
	MUST(!section->is_signed || header(request, "webhook-signature")[0] != '\0', "unsigned");
	MUST(strtoull(header(request, "runpost-attempt"), NULL, 10) == sim.entries[r->seq].attempts,
	     "attempt %s of %u", header(request, "runpost-attempt"), sim.entries[r->seq].attempts);
	r->base_ms = section->base_ms;
	r->cap_ms = section->cap_ms;
	r->factor = section->factor;
	r->n_schedule = section->n_schedule;
	memcpy(r->schedule_ms, section->schedule_ms, sizeof r->schedule_ms);
	/* It is given back, and nothing was begun; with nothing else under way the sender would
	 * end. */
	if (sim.faults && a->n_requests > 1 && sim_below(500) == 0) {
		a->n_requests--;
		return rp_fail(err, RP_ERR_NOMEM, "no memory for another request");
	}
	if (sim.faults && sim_below(400) == 0) {
		lack(r);
		return RP_OK;
	}
	sim_model_started(a, r);
	if (sim.faults && sim_below(500) == 0) {
		expect_retry(a, r);
		sim_model_ended(r);
		a->n_requests--;
		return rp_fail(err, RP_ERR_IO, "another request cannot be started");
	}
	decide(ep, r);
	sim_note("start", r->seq, (uint64_t)r->outcome.cause);
	return RP_OK;
}

static void reaches(const struct sim_request *r)
{
	struct sim_entry *e = &sim.entries[r->seq];

	if (!r->reached || (r->outcome.http_status != 0 && r->outcome.http_status != 200))
		return;
	e->n_2xx++;
	if (r->outcome.cause != RP_CAUSE_NONE)
		e->n_2xx_allowed++; /* nobody could know */
}

static void tell(struct sim_actor *a, size_t i,
		 void (*done)(void *arg, void *owner, const struct rp_outcome *outcome),
		 void *done_arg)
{
	struct sim_request r = a->requests[i];

	a->requests[i] = a->requests[--a->n_requests];
	reaches(&r);
	sim_model_ended(&r);
	if (r.outcome.lack == RP_LACK_NONE)
		expect_retry(a, &r);
	sim_note("done", r.seq, (uint64_t)r.outcome.cause);
	done(done_arg, r.request->owner, &r.outcome);
}

static void run(struct rp_transport *t,
		void (*done)(void *arg, void *owner, const struct rp_outcome *outcome),
		void *done_arg)
{
	struct sim_actor *a = actor_of(t);
	size_t i;

	for (i = 0; i < a->n_requests;)
		if (a->requests[i].done_boot_ms <= sim.boot_ms)
			tell(a, i, done, done_arg);
		else
			i++;
}

static int no_fd(struct rp_transport *t)
{
	(void)t;
	return -1;
}

int64_t sim_net_next_boot_ms(const struct sim_actor *a)
{
	int64_t next_ms = INT64_MAX;
	size_t i;

	for (i = 0; i < a->n_requests; i++)
		if (a->requests[i].done_boot_ms < next_ms)
			next_ms = a->requests[i].done_boot_ms;
	return next_ms;
}

static int net_timeout_ms(struct rp_transport *t)
{
	int64_t next_ms = sim_net_next_boot_ms(actor_of(t));

	if (next_ms == INT64_MAX)
		return -1;
	return next_ms > sim.boot_ms ? (int)(next_ms - sim.boot_ms) : 0;
}

void sim_net_init(struct sim_actor *a)
{
	a->transport = (struct rp_transport){start, run, no_fd, net_timeout_ms};
	a->n_requests = 0;
}

void sim_net_drop(struct sim_actor *a)
{
	size_t i;

	for (i = 0; i < a->n_requests; i++)
		if (a->requests[i].done_boot_ms <= sim.boot_ms || sim_chance(50))
			reaches(&a->requests[i]);
	a->n_requests = 0;
}
