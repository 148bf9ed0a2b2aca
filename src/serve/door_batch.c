/* door_batch.c - gathers requests and parses their bodies. It is apart from door.c so that it can
 * be tested without a connection and a commit. */

#include "serve/door_batch.h"

#include <stdio.h>

#include "base/assert.h"

void rp_door_batch_init(struct rp_door_batch *batch)
{
	memset(batch, 0, sizeof *batch);
	batch->last = &batch->first;
}

void rp_door_batch_release(struct rp_door_batch *batch)
{
	assert(batch->first == NULL);
	rp_batch_release(&batch->runs);
}

static struct rp_span span_of(const struct rp_buf *buf)
{
	return (struct rp_span){buf->data, buf->len};
}

static void reject(struct rp_parsed_run *run, const char *code, const char *reason)
{
	run->status = RP_RUN_REJECTED;
	run->code = code;
	snprintf(run->reason, sizeof run->reason, "%s", reason);
}

static bool is_blank(struct rp_span text)
{
	size_t i;

	for (i = 0; i < text.len && strchr(" \t\r\n", text.ptr[i]) != NULL; i++)
		;
	return i == text.len;
}

/* What a line of ingest may be, and a request may not. */
static void judge(struct rp_parsed_run *run, const struct rp_door_held *held, struct rp_span text,
		  const struct rp_door_hosts *hosts)
{
	if (held->form != RP_DOOR_LINES && is_blank(text))
		reject(run, "bad_json", "the body is empty; it has to be a Run as a JSON object");
	if (run->status == RP_RUN_OK && held->form != RP_DOOR_RUN &&
	    rp_door_is_own_url(hosts, &run->parts))
		reject(run, "loop",
		       "webhook: leads to the door itself, and would come back for "
		       "ever; name the receiver");
}

static bool add_run(struct rp_door_batch *batch, struct rp_door_held *held, struct rp_span text,
		    const struct rp_door_hosts *hosts)
{
	const struct rp_run_options options = {
	    .url = span_of(&held->url),
	    .dedupe_id = span_of(&held->key),
	    .headers = span_of(&held->headers),
	    .plain_run = held->form == RP_DOOR_RUN,
	    .cuts = batch->cuts,
	};

	if (rp_batch_add(&batch->runs, text, &options) == NULL)
		return false;
	judge(&batch->runs.runs[batch->runs.n - 1], held, text, hosts);
	held->keep = held->keep || batch->runs.runs[batch->runs.n - 1].status == RP_RUN_REJECTED;
	held->n_runs++;
	return true;
}

bool rp_door_next_text(enum rp_door_form form, struct rp_span *rest, struct rp_span *text)
{
	const char *lf = NULL;
	size_t used;

	if (rest->len == 0)
		return false;
	if (form == RP_DOOR_LINES)
		lf = memchr(rest->ptr, '\n', rest->len);
	text->ptr = rest->ptr;
	text->len = lf != NULL ? (size_t)(lf - rest->ptr) : rest->len;
	used = text->len + (lf != NULL);
	rest->ptr += used;
	rest->len -= used;
	return true;
}

static bool add_lines(struct rp_door_batch *batch, struct rp_door_held *held,
		      const struct rp_door_hosts *hosts, bool *too_many)
{
	struct rp_span rest = rp_span_after_bom(span_of(&held->body)), line;

	while (rp_door_next_text(RP_DOOR_LINES, &rest, &line)) {
		*too_many = held->n_runs == RP_DOOR_LINES_MAX;
		if (*too_many || !add_run(batch, held, line, hosts))
			return false;
	}
	return true;
}

bool rp_door_batch_add(struct rp_door_batch *batch, struct rp_door_held *held,
		       const struct rp_door_hosts *hosts, bool *too_many)
{
	size_t n_before = batch->runs.n;

	held->n_runs = 0;
	held->keep = held->kept = false;
	held->next = NULL;
	*too_many = false;
	if (held->form == RP_DOOR_LINES ? !add_lines(batch, held, hosts, too_many)
					: !add_run(batch, held, span_of(&held->body), hosts)) {
		batch->runs.n = n_before;
		return false;
	}
	*batch->last = held;
	batch->last = &held->next;
	return true;
}

struct rp_door_slice rp_door_batch_slice(const struct rp_door_batch *batch, size_t n_max)
{
	struct rp_door_slice slice = {
	    .first = batch->first, .end = batch->first, .from = batch->from};
	size_t bytes = 0;

	assert(batch->first != NULL && n_max > 0);
	do {
		slice.n_runs += slice.end->n_runs;
		bytes += slice.end->body.len;
		slice.n_requests++;
		slice.end = slice.end->next;
	} while (slice.end != NULL && slice.n_requests < n_max &&
		 slice.n_runs + slice.end->n_runs <= RP_DOOR_LINES_MAX &&
		 bytes + slice.end->body.len <= RP_DOOR_COMMIT_BYTES);
	return slice;
}

struct rp_door_held *rp_door_batch_take(struct rp_door_batch *batch)
{
	struct rp_door_held *held = batch->first;

	assert(held != NULL);
	batch->first = held->next;
	if (batch->first == NULL)
		batch->last = &batch->first;
	batch->from += held->n_runs;
	held->next = NULL;
	return held;
}

void rp_door_batch_settle(struct rp_door_batch *batch)
{
	if (batch->first != NULL)
		return;
	batch->from = 0;
	rp_batch_clear(&batch->runs);
}
