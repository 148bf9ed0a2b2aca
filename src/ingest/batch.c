/* batch.c - gathers parsed runs and appends them in one call. It is apart from ingest.c so that the
 * library can use it without a loop. */

#include "ingest/batch.h"

#include <stdlib.h>
#include <string.h>

#include "base/assert.h"

#define KEEP_RUNS 4096                     /* about 3 MiB */
#define KEEP_TEXT_BYTES ((size_t)16 << 10) /* of one run */
#define KEEP_NAMES_BYTES ((size_t)1 << 20)

static enum rp_err append_to_outbox(void *arg, int64_t now_at_ms,
				    const struct rp_new_entry *entries, size_t n,
				    struct rp_appended *out, struct rp_error *err)
{
	return rp_outbox_append(arg, now_at_ms, entries, n, out, err);
}

static enum rp_err check_outbox(void *arg, struct rp_error *err)
{
	return rp_outbox_check(arg, err);
}

struct rp_appender rp_appender_of(struct rp_outbox *ob)
{
	struct rp_appender to = {append_to_outbox, check_outbox, ob};
	return to;
}

void rp_batch_release(struct rp_batch *batch)
{
	size_t i;

	for (i = 0; i < batch->capacity; i++)
		rp_parsed_run_release(&batch->runs[i]);
	free(batch->runs);
	free(batch->entries);
	free(batch->appended);
	free(batch->entry_of);
	free(batch->tried);
	rp_buf_release(&batch->names);
	memset(batch, 0, sizeof *batch);
}

void rp_batch_clear(struct rp_batch *batch)
{
	size_t i;

	if (batch->capacity > KEEP_RUNS) {
		rp_batch_release(batch);
		return;
	}
	for (i = 0; i < batch->n; i++) {
		if (batch->runs[i].text.cap > KEEP_TEXT_BYTES)
			rp_buf_release(&batch->runs[i].text);
		if (batch->runs[i].cut_text.cap > KEEP_TEXT_BYTES)
			rp_buf_release(&batch->runs[i].cut_text);
	}
	batch->n = batch->n_entries = 0;
	if (batch->names.cap > KEEP_NAMES_BYTES)
		rp_buf_release(&batch->names);
}

static void *resized(void *array, size_t n, size_t size, bool *ok)
{
	void *moved = reallocarray(array, n, size);

	*ok = *ok && moved != NULL;
	return moved != NULL ? moved : array;
}

static bool grow(struct rp_batch *batch)
{
	size_t capacity = batch->capacity != 0 ? 2 * batch->capacity : 16;
	bool ok = true;

	batch->runs = resized(batch->runs, capacity, sizeof *batch->runs, &ok);
	batch->entries = resized(batch->entries, capacity, sizeof *batch->entries, &ok);
	batch->appended = resized(batch->appended, capacity, sizeof *batch->appended, &ok);
	batch->entry_of = resized(batch->entry_of, capacity, sizeof *batch->entry_of, &ok);
	batch->tried = resized(batch->tried, capacity, sizeof *batch->tried, &ok);
	while (ok && batch->capacity < capacity)
		rp_parsed_run_init(&batch->runs[batch->capacity++]);
	return ok;
}

const struct rp_parsed_run *rp_batch_add(struct rp_batch *batch, struct rp_span line,
					 const struct rp_run_options *options)
{
	struct rp_parsed_run *run;

	if (batch->n == batch->capacity && !grow(batch))
		return NULL;
	run = &batch->runs[batch->n];
	rp_parse_run(run, line, options);
	if (run->status == RP_RUN_NO_MEMORY)
		return NULL;
	memset(batch->tried[batch->n], 0, sizeof batch->tried[0]);
	batch->n++;
	return run;
}

static void fill_entry(struct rp_new_entry *entry, const struct rp_parsed_run *run)
{
	memset(entry, 0, sizeof *entry);
	entry->url = run->url;
	entry->run_id = run->run_id;
	entry->thread_id = run->thread_id;
	entry->event = run->event;
	entry->operation = run->operation;
	entry->order_by = run->order_by;
	entry->headers = run->headers;
	entry->dedupe_key.ptr = (const char *)run->dedupe_key;
	entry->dedupe_key.len = run->dedupe_key_bytes;
	entry->payload = run->payload;
	entry->not_before_at_ms = run->not_before_at_ms;
	entry->expires_at_ms = run->expires_at_ms;
}

/* Neighbours mostly have the same URL: then the name of the endpoint is made once. */
static bool name_entry(struct rp_batch *batch, const struct rp_parsed_run *run,
		       struct rp_new_entry *entry)
{
	const struct rp_new_entry *last = entry > batch->entries ? entry - 1 : NULL;
	size_t at = batch->names.len;

	if (last != NULL && last->url.len == run->url.len &&
	    memcmp(last->url.ptr, run->url.ptr, run->url.len) == 0) {
		entry->endpoint = last->endpoint;
		return true;
	}
	if (!rp_url_endpoint(&run->parts, &batch->names))
		return false;
	entry->endpoint.ptr = batch->names.data + at;
	entry->endpoint.len = batch->names.len - at;
	return true;
}

/* Entries point into `names`. So all its room is reserved before the first name is made. */
static bool build_entries(struct rp_batch *batch, size_t from, size_t n)
{
	size_t i, room = 0;

	batch->n_entries = 0;
	batch->names.len = 0;
	batch->names.max = SIZE_MAX / 2;
	for (i = from; i < from + n; i++)
		room += batch->runs[i].status == RP_RUN_OK
			    ? batch->runs[i].url.len + RP_URL_ENDPOINT_EXTRA
			    : 0;
	if (!rp_buf_reserve(&batch->names, room))
		return false;
	for (i = from; i < from + n; i++) {
		struct rp_new_entry *entry = &batch->entries[batch->n_entries];

		batch->entry_of[i] = SIZE_MAX;
		if (batch->runs[i].status != RP_RUN_OK)
			continue;
		fill_entry(entry, &batch->runs[i]);
		memcpy(entry->id, batch->tried[i], sizeof entry->id);
		if (!name_entry(batch, &batch->runs[i], entry))
			return false;
		batch->entry_of[i] = batch->n_entries++;
	}
	assert(batch->names.len <= room);
	return true;
}

/* Nobody knows whether they are stored: they keep the ids that they may be stored with. What was
 * found to be there has the id of another entry. */
static void keep_ids(struct rp_batch *batch, size_t from, size_t n)
{
	size_t i;

	for (i = from; i < from + n; i++) {
		const struct rp_appended *out = rp_batch_result(batch, i);

		if (out != NULL && !out->duplicate)
			memcpy(batch->tried[i], out->id, sizeof batch->tried[i]);
	}
}

enum rp_err rp_batch_append(struct rp_batch *batch, size_t from, size_t n,
			    const struct rp_appender *to, int64_t now_at_ms, struct rp_error *err)
{
	enum rp_err e;
	size_t i;

	assert(from <= batch->n && n <= batch->n - from);
	if (!build_entries(batch, from, n))
		return rp_fail(err, RP_ERR_NOMEM, "out of memory for the names of %zu endpoints",
			       n);
	if (batch->n_entries == 0)
		return RP_OK;
	for (i = 0; i < batch->n_entries; i++) {
		batch->appended[i].duplicate = false;
		memcpy(batch->appended[i].id, batch->entries[i].id, sizeof batch->entries[i].id);
	}
	e = to->append(to->arg, now_at_ms, batch->entries, batch->n_entries, batch->appended, err);
	if (e == RP_ERR_AWAY)
		keep_ids(batch, from, n);
	return e;
}

const struct rp_appended *rp_batch_result(const struct rp_batch *batch, size_t i)
{
	assert(i < batch->n);
	return batch->entry_of[i] != SIZE_MAX ? &batch->appended[batch->entry_of[i]] : NULL;
}
