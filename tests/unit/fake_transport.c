#include "unit/fake_transport.h"

#include <assert.h>
#include <stdio.h>
#include <strings.h>

const char *fake_header(const struct rp_request *r, const char *name, char *out, size_t size)
{
	size_t n = strlen(name), i;

	out[0] = '\0';
	for (i = 0; i < r->n_headers; i++)
		if (strncasecmp(r->headers[i], name, n) == 0 && r->headers[i][n] == ':')
			snprintf(out, size, "%s", r->headers[i] + n + 2);
	return out;
}

static enum rp_err fake_start(struct rp_transport *t, const struct rp_request *r,
			      struct rp_error *err)
{
	struct fake_transport *f = (struct fake_transport *)t;
	struct fake_request *q;

	if (f->refuse != RP_OK)
		return rp_fail(err, f->refuse, "another request cannot be started");
	assert(f->n_started < FAKE_MAX);
	q = &f->requests[f->n_started++];
	q->request = r;
	q->answered = false;
	snprintf(q->url, sizeof q->url, "%s", r->url);
	if (r->read_body == NULL)
		snprintf(q->body, sizeof q->body, "%.*s", (int)r->body.len, r->body.ptr);
	fake_header(r, "webhook-id", q->id, sizeof q->id);
	fake_header(r, "runpost-attempt", q->attempt, sizeof q->attempt);
	fake_header(r, "webhook-signature", q->signature, sizeof q->signature);
	fake_header(r, "webhook-timestamp", q->timestamp, sizeof q->timestamp);
	f->n_open++;
	if (f->n_open > f->max_open)
		f->max_open = f->n_open;
	return RP_OK;
}

static void fake_run(struct rp_transport *t,
		     void (*done)(void *arg, void *owner, const struct rp_outcome *outcome),
		     void *done_arg)
{
	struct fake_transport *f = (struct fake_transport *)t;
	size_t i, n = f->n_answers;

	f->n_answers = 0;
	for (i = 0; i < n; i++) {
		struct fake_request *q = &f->requests[f->answers[i].request];

		assert(!q->answered);
		q->answered = true;
		f->n_open--;
		done(done_arg, q->request->owner, &f->answers[i].outcome);
	}
}

static int fake_fd(struct rp_transport *t)
{
	(void)t;
	return -1;
}

static int fake_timeout_ms(struct rp_transport *t)
{
	return ((struct fake_transport *)t)->n_answers > 0 ? 0 : -1;
}

void fake_transport_init(struct fake_transport *f)
{
	memset(f, 0, sizeof *f);
	f->transport = (struct rp_transport){fake_start, fake_run, fake_fd, fake_timeout_ms};
}

void fake_answer(struct fake_transport *f, size_t i, enum rp_cause cause, unsigned status)
{
	assert(i < f->n_started && f->n_answers < FAKE_MAX);
	memset(&f->answers[f->n_answers].outcome, 0, sizeof f->answers[0].outcome);
	f->answers[f->n_answers].request = i;
	f->answers[f->n_answers].outcome.cause = cause;
	f->answers[f->n_answers].outcome.http_status = status;
	f->n_answers++;
}
