/* runpost.c - implements the library on the store and the batch. It adds no rule of its own: it
 * copies, shows without secrets, and maps errors. */

#include "runpost.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/assert.h"
#include "net/url.h"
#include "store/outbox.h"
#include "ingest/batch.h"

#define RUN_BYTES_MAX ((size_t)16 << 20) /* as `runpost ingest` by default */
#define PAGE_ENTRIES 256

struct rp_handle {
	struct rp_outbox *ob;
	struct rp_batch batch;
};

enum rp_err rp_open(const char *dir, struct rp_handle **out, struct rp_error *err)
{
	const struct rp_outbox_options options = {.create = true};
	struct rp_handle *handle = calloc(1, sizeof *handle);
	enum rp_err rc;

	*out = NULL;
	if (handle == NULL)
		return rp_fail(err, RP_ERR_NOMEM, "out of memory for a handle");
	if (!rp_sys_hold_stdio())
		rc = rp_fail_sys(err, RP_ERR_IO, errno,
				 "a standard descriptor is closed and /dev/null does not open");
	else
		rc = rp_outbox_open(dir, &options, &handle->ob, err);
	if (rc == RP_OK)
		*out = handle;
	else
		free(handle);
	return rc;
}

void rp_close(struct rp_handle *handle)
{
	if (handle == NULL)
		return;
	rp_batch_release(&handle->batch);
	rp_outbox_close(handle->ob);
	free(handle);
}

/* --- append ------------------------------------------------------------------------- */

static bool add_run(struct rp_batch *batch, const struct rp_run *run)
{
	const struct rp_run_options options = {
	    .url = rp_span_of(run->webhook),
	    .dedupe_id = rp_span_of(run->dedupe_id),
	    .operation = rp_span_of(run->operation),
	    .order_by = rp_span_of(run->order_by),
	    .not_before_at_ms = run->not_before_at_ms,
	    .expires_at_ms = run->expires_at_ms,
	    .plain_run = true,
	};
	struct rp_span text = {run->run, run->run_bytes};

	if (text.ptr == NULL || text.len > RUN_BYTES_MAX)
		text = rp_span_of(""); /* keeps its place; fill_receipt tells what is too large */
	return rp_batch_add(batch, text, &options) != NULL;
}

static void fill_receipt(struct rp_receipt *receipt, const struct rp_run *run,
			 const struct rp_parsed_run *parsed, const struct rp_appended *stored)
{
	memset(receipt, 0, sizeof *receipt);
	if (run->run_bytes > RUN_BYTES_MAX) {
		receipt->status = RP_APPEND_REJECTED;
		snprintf(receipt->code, sizeof receipt->code, "too_large");
		snprintf(receipt->reason, sizeof receipt->reason,
			 "the run has %zu bytes, at most %zu are taken", run->run_bytes,
			 RUN_BYTES_MAX);
	} else if (stored != NULL) {
		receipt->status = stored->duplicate ? RP_APPEND_DUPLICATE : RP_APPEND_QUEUED;
		rp_id_format(stored->id, receipt->id);
	} else {
		receipt->status =
		    parsed->status == RP_RUN_SKIPPED ? RP_APPEND_SKIPPED : RP_APPEND_REJECTED;
		snprintf(receipt->code, sizeof receipt->code, "%s",
			 parsed->status == RP_RUN_REJECTED ? parsed->code : "");
		snprintf(receipt->reason, sizeof receipt->reason, "%s", parsed->reason);
	}
}

static enum rp_err append_runs(struct rp_handle *handle, const struct rp_run *runs, size_t n,
			       struct rp_error *err)
{
	const struct rp_appender to = rp_appender_of(handle->ob);
	size_t i;

	for (i = 0; i < n; i++)
		if (!add_run(&handle->batch, &runs[i]))
			return rp_fail(err, RP_ERR_NOMEM, "out of memory for run %zu of %zu", i + 1,
				       n);
	return rp_batch_append(&handle->batch, 0, handle->batch.n, &to,
			       rp_sys_wall_ms(&rp_sys_real), err);
}

enum rp_err rp_append_batch(struct rp_handle *handle, const struct rp_run *runs, size_t n,
			    struct rp_receipt *receipts, struct rp_error *err)
{
	enum rp_err rc = append_runs(handle, runs, n, err);
	size_t i;

	for (i = 0; rc == RP_OK && i < n; i++)
		fill_receipt(&receipts[i], &runs[i], &handle->batch.runs[i],
			     rp_batch_result(&handle->batch, i));
	rp_batch_clear(&handle->batch);
	return rc;
}

enum rp_err rp_append(struct rp_handle *handle, const struct rp_run *run,
		      struct rp_receipt *receipt, struct rp_error *err)
{
	return rp_append_batch(handle, run, 1, receipt, err);
}

/* --- looking ------------------------------------------------------------------------ */

/* The text an entry's view needs, NUL-terminated. */
struct copy {
	struct rp_entry_view view;
	char id[RP_ID_TEXT_MAX];
	char cause[RP_CAUSE_TEXT_MAX];
	struct rp_buf text;
};

static bool add_string(struct rp_buf *text, struct rp_span s)
{
	return rp_buf_add(text, s.ptr, s.len) && rp_buf_add_char(text, '\0');
}

static bool add_redacted(struct rp_buf *text, struct rp_span url)
{
	struct rp_url parts;

	/* A damaged record may hold no URL. */
	if (rp_url_parse(url, &parts, NULL) == RP_OK && !rp_url_redact(&parts, text))
		return false;
	return rp_buf_add_char(text, '\0');
}

static enum rp_cause shown_cause(const struct rp_entry *e)
{
	if (e->damaged)
		return RP_CAUSE_DAMAGED;
	if (e->delivery.state == RP_STATE_DELIVERED)
		return RP_CAUSE_NONE;
	return e->delivery.state == RP_STATE_DEAD ? e->delivery.cause : e->delivery.last_cause;
}

static bool copy_entry(struct copy *c, const struct rp_entry *e)
{
	struct rp_entry_view *view = &c->view;
	size_t run_id, endpoint, operation;

	if (!add_redacted(&c->text, e->facts.url))
		return false;
	run_id = c->text.len;
	endpoint = run_id + e->facts.run_id.len + 1;
	operation = endpoint + e->endpoint.len + 1;
	if (!add_string(&c->text, e->facts.run_id) || !add_string(&c->text, e->endpoint) ||
	    !add_string(&c->text, e->facts.operation))
		return false;
	view->url = c->text.data;
	view->run_id = c->text.data + run_id;
	view->endpoint = c->text.data + endpoint;
	view->operation = c->text.data + operation;
	view->id = rp_id_format(e->facts.id, c->id);
	view->seq = e->seq;
	view->cause = rp_cause_format(shown_cause(e), e->delivery.http_status, c->cause);
	view->state = e->delivery.state;
	view->attempts = e->delivery.attempts;
	view->payload_bytes = e->facts.payload_bytes;
	view->accepted_at_ms = e->facts.accepted_at_ms;
	view->next_attempt_at_ms =
	    e->delivery.state == RP_STATE_WAITING ? e->delivery.due_at_ms : 0;
	view->state_at_ms = e->delivery.state_at_ms;
	return true;
}

static enum rp_err find_entry(struct rp_handle *handle, const char *id, struct rp_entry *entry,
			      struct rp_error *err)
{
	unsigned char bytes[RP_ID_BYTES];

	if (!rp_id_parse(rp_span_of(id), bytes))
		return rp_fail(err, RP_ERR_INVAL,
			       "\"%.40s\" is not an id; ids are msg_ and 26 letters and digits",
			       id);
	return rp_outbox_find(handle->ob, bytes, entry, err);
}

enum rp_err rp_lookup(struct rp_handle *handle, const char *id,
		      void (*see)(void *arg, const struct rp_entry_view *entry), void *arg,
		      struct rp_error *err)
{
	struct rp_entry entry = {0};
	struct copy c = {0};
	enum rp_err rc = find_entry(handle, id, &entry, err);

	if (rc == RP_OK && !copy_entry(&c, &entry))
		rc = rp_fail(err, RP_ERR_NOMEM, "out of memory for a copy of entry %s", id);
	rp_entry_release(&entry);
	if (rc == RP_OK)
		see(arg, &c.view);
	rp_buf_release(&c.text);
	return rc;
}

/* The copies of one page, shown after its transaction has ended, so that the callback may take its
 * time and call the library. */
struct page_copy {
	struct copy entries[PAGE_ENTRIES];
	size_t n;
	bool no_memory;
};

static bool collect(void *arg, const struct rp_entry *entry)
{
	struct page_copy *page = arg;

	assert(page->n < PAGE_ENTRIES);
	rp_buf_clear(&page->entries[page->n].text);
	if (!copy_entry(&page->entries[page->n], entry)) {
		page->no_memory = true;
		return false;
	}
	page->n++;
	return true;
}

static bool show(const struct page_copy *copies,
		 bool (*see)(void *arg, const struct rp_entry_view *entry), void *arg)
{
	size_t i;

	for (i = 0; i < copies->n; i++)
		if (!see(arg, &copies->entries[i].view))
			return false;
	return true;
}

static void page_copy_free(struct page_copy *copies)
{
	size_t i;

	for (i = 0; i < PAGE_ENTRIES; i++)
		rp_buf_release(&copies->entries[i].text);
	free(copies);
}

enum rp_err rp_walk(struct rp_handle *handle, enum rp_state state, uint64_t from_seq,
		    bool (*see)(void *arg, const struct rp_entry_view *entry), void *arg,
		    struct rp_error *err)
{
	struct page_copy *copies = calloc(1, sizeof *copies);
	const struct rp_filter filter = {.from_seq = from_seq,
					 .states = state != 0 ? RP_STATE_BIT(state) : 0};
	struct rp_select select = {.filter = &filter,
				   .by_number = true,
				   .max_seen = PAGE_ENTRIES,
				   .see = collect,
				   .arg = copies,
				   .more = true};
	enum rp_err rc = RP_OK;

	if (copies == NULL)
		return rp_fail(err, RP_ERR_NOMEM, "out of memory for a page of entries");
	while (rc == RP_OK && select.more) {
		copies->n = 0;
		rc = rp_outbox_select(handle->ob, &select, err);
		if (rc == RP_OK && copies->no_memory)
			rc = rp_fail(err, RP_ERR_NOMEM, "out of memory for a page of entries");
		if (rc != RP_OK || !show(copies, see, arg))
			break;
	}
	rp_outbox_select_end(handle->ob, &select);
	page_copy_free(copies);
	return rc;
}

/* --- changing ----------------------------------------------------------------------- */

static enum rp_err change_entry(struct rp_handle *handle, const char *id, enum rp_change verb,
				bool *was_in_flight, struct rp_error *err)
{
	struct rp_entry entry = {0};
	enum rp_changed result = RP_CHANGED_NOT_FOUND;
	enum rp_err rc = find_entry(handle, id, &entry, err);

	if (rc == RP_OK)
		rc = rp_outbox_change(handle->ob, rp_sys_wall_ms(&rp_sys_real), verb, 0, &entry.seq,
				      1, 0, &result, err);
	rp_entry_release(&entry);
	if (rc != RP_OK)
		return rc;
	*was_in_flight = result == RP_CHANGED_DONE_IN_FLIGHT;
	switch (result) {
	case RP_CHANGED_DONE:
	case RP_CHANGED_DONE_IN_FLIGHT:
		return RP_OK;
	case RP_CHANGED_SKIPPED_IN_FLIGHT:
		return rp_fail(err, RP_ERR_BUSY,
			       "a sender is delivering entry %s now; try again when it is done",
			       id);
	case RP_CHANGED_SKIPPED_STATE:
		return rp_fail(err, RP_ERR_STALE, "the state of entry %s does not allow this", id);
	case RP_CHANGED_NOT_FOUND:
		break;
	}
	return rp_fail(err, RP_ERR_NOTFOUND, "there is no entry %s; it may have been purged", id);
}

enum rp_err rp_replay(struct rp_handle *handle, const char *id, struct rp_error *err)
{
	bool was_in_flight;

	return change_entry(handle, id, RP_CHANGE_REPLAY, &was_in_flight, err);
}

enum rp_err rp_purge(struct rp_handle *handle, const char *id, bool *was_in_flight,
		     struct rp_error *err)
{
	bool unwanted;

	return change_entry(handle, id, RP_CHANGE_PURGE,
			    was_in_flight != NULL ? was_in_flight : &unwanted, err);
}

enum rp_err rp_read_ledger(struct rp_handle *handle, struct rp_ledger *out, struct rp_error *err)
{
	return rp_outbox_ledger(handle->ob, out, err);
}
