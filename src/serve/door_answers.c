/* door_answers.c - gives answers to the server, and counts them. It is apart from door_flow.c so
 * that the order of commits and answers can be read without the words of answers. */

#include <arpa/inet.h>
#include <stdio.h>

#include "base/log.h"
#include "report/entry_json.h"
#include "serve/door_answer.h"
#include "serve/door_int.h"

#define TELL_MS 60000
#define PEER_TEXT_MAX 80

void rp_door_answer(struct rp_door *door, struct rp_http_connection *c, int status,
		    const char *extra_header_lines)
{
	const struct rp_http_response response = {
	    .status = status,
	    .headers = rp_span_of(extra_header_lines),
	    .type = "application/json",
	    .body = {door->text.data, door->text.len},
	};

	rp_door_count_answer(&door->counts, (unsigned)status);
	rp_http_connection_answer(c, &response);
}

static const char *show_peer(const struct rp_door_peer *peer, char out[PEER_TEXT_MAX])
{
	char ip[INET6_ADDRSTRLEN];

	if (peer->known && peer->pid == 0)
		snprintf(out, PEER_TEXT_MAX, "uid=%u", (unsigned)peer->uid);
	else if (peer->known)
		snprintf(out, PEER_TEXT_MAX, "uid=%u pid=%ld", (unsigned)peer->uid,
			 (long)peer->pid);
	else if (!peer->unix_socket && inet_ntop(AF_INET6, peer->remote.ip, ip, sizeof ip) != NULL)
		snprintf(out, PEER_TEXT_MAX, "peer=%s", ip);
	else
		snprintf(out, PEER_TEXT_MAX, "peer=unknown");
	return out;
}

/* At most once a minute: a client decides how often it comes. */
static void tell_refusal(struct rp_door *door, const struct rp_door_visit *visit,
			 const struct rp_door_refusal *no)
{
	char peer[PEER_TEXT_MAX];
	int64_t now_ms = door->service.boot_ms;

	door->n_refusals_untold++;
	if (door->told_refusal_ms != 0 && now_ms - door->told_refusal_ms < TELL_MS)
		return;
	rp_log(RP_LOG_WARN, "refused", "status=%d code=%s n=%llu %s", no->status, no->code,
	       (unsigned long long)door->n_refusals_untold, show_peer(&visit->peer, peer));
	door->told_refusal_ms = now_ms;
	door->n_refusals_untold = 0;
}

/* What is refused so is lost to an engine that sent it: somebody has to mend a setting. */
static bool is_to_be_told(int status)
{
	return status >= 400 && status < 500 && status != 405 && status != 408;
}

static bool add_refusal(struct rp_door *door, const char *code, const char *reason)
{
	rp_buf_clear(&door->text);
	return rp_door_answer_refusal(code, reason, &door->text);
}

void rp_door_answer_no(struct rp_door *door, struct rp_http_connection *c,
		       const struct rp_door_refusal *no)
{
	if (!add_refusal(door, no->code, no->reason))
		rp_buf_clear(&door->text);
	rp_door_count_refused(&door->counts, no->code, door->service.wall_ms);
	if (is_to_be_told(no->status))
		tell_refusal(door, rp_http_connection_own(c), no);
	rp_door_answer(door, c, no->status, no->extra_header_lines);
}

/* The request is answered with what stands in door->text. */
static void end(struct rp_door *door, struct rp_door_held *held, int status,
		const char *extra_header_lines)
{
	struct rp_http_connection *c = held->connection;

	if (c != NULL) {
		((struct rp_door_visit *)rp_http_connection_own(c))->held = NULL;
		rp_door_answer(door, c, status, extra_header_lines);
	}
	rp_door_unhold(door, held);
}

void rp_door_answer_held_no(struct rp_door *door, struct rp_door_held *held, int status,
			    const char *code, const char *reason)
{
	if (!add_refusal(door, code, reason))
		rp_buf_clear(&door->text);
	rp_door_count_refused(&door->counts, code, door->service.wall_ms);
	end(door, held, status, status == 503 ? RP_DOOR_RETRY_AFTER : NULL);
}

/* Whether what is stored under the key is for another receiver, or another payload. What is gone or
 * cannot be read says nothing. */
static bool is_other_run(struct rp_door *door, const struct rp_parsed_run *run,
			 const struct rp_appended *stored)
{
	struct rp_buf body = {0};
	struct rp_entry entry = {0};
	struct rp_error ignored;
	bool other = rp_outbox_find(door->o->outbox, stored->id, &entry, &ignored) == RP_OK &&
		     (entry.facts.url.len != run->url.len ||
		      memcmp(entry.facts.url.ptr, run->url.ptr, run->url.len) != 0);

	rp_entry_release(&entry);
	if (other)
		return true;
	other =
	    rp_outbox_body(door->o->outbox, stored->seq, &body, &ignored) == RP_OK &&
	    (body.len != run->payload.len || memcmp(body.data, run->payload.ptr, body.len) != 0);
	rp_buf_release(&body);
	return other;
}

static bool misuses_key(struct rp_door *door, const struct rp_door_batch *batch, size_t from,
			const struct rp_door_held *held)
{
	const struct rp_appended *stored =
	    rp_door_checks_key(held) ? rp_batch_result(&batch->runs, from) : NULL;

	return stored != NULL && stored->duplicate &&
	       is_other_run(door, &batch->runs.runs[from], stored);
}

static void count_runs(struct rp_door *door, const struct rp_door_batch *batch, size_t from,
		       const struct rp_door_held *held)
{
	struct rp_span rest = {held->body.data, held->body.len}, text;
	uint64_t n[RP_DOOR_RUNS_COUNT] = {0};
	int64_t now_at_ms = door->service.wall_ms;
	size_t i;

	for (i = from; i < from + held->n_runs; i++) {
		const struct rp_appended *stored = rp_batch_result(&batch->runs, i);
		const struct rp_parsed_run *run = &batch->runs.runs[i];

		if (held->keep && !rp_door_next_text(held->form, &rest, &text))
			text = rest;
		if (stored != NULL)
			n[stored->duplicate ? RP_DOOR_DUPLICATE : RP_DOOR_QUEUED]++;
		else
			n[run->status == RP_RUN_SKIPPED ? RP_DOOR_SKIPPED : RP_DOOR_REJECTED]++;
		if (run->status != RP_RUN_REJECTED)
			continue;
		rp_door_count_refused(&door->counts, run->code, now_at_ms);
		rp_door_count_reject(&door->counts, run->code, text.len, held->kept, now_at_ms);
	}
	for (i = 0; i < RP_DOOR_RUNS_COUNT; i++)
		if (n[i] > 0)
			rp_door_count_runs(&door->counts, (enum rp_door_run)i, n[i], now_at_ms);
}

void rp_door_answer_held(struct rp_door *door, const struct rp_door_batch *batch, size_t from,
			 struct rp_door_held *held)
{
	int status = 503;

	rp_door_count_wait(&door->counts, rp_sys_stopwatch_us() - held->whole_at_us);
	if (misuses_key(door, batch, from, held)) {
		rp_door_answer_held_no(door, held, 422, "idempotency_key",
				       "this Idempotency-Key came with another run before; give "
				       "each run a key of its own");
		return;
	}
	count_runs(door, batch, from, held);
	rp_buf_clear(&door->text);
	if (rp_door_answer_runs(&batch->runs, from, held, &status, &door->text))
		end(door, held, status, NULL);
	else /* it is stored; sent again, it is a duplicate */
		rp_door_answer_held_no(door, held, 503, "busy", "out of memory; send it again");
}

static enum rp_err add_entry(struct rp_door *door, struct rp_span text, struct rp_error *err)
{
	unsigned char id[RP_ID_BYTES];
	struct rp_json_out *json = NULL;
	struct rp_entry entry = {0};
	enum rp_err code;

	if (!rp_id_parse(text, id))
		return rp_fail(err, RP_ERR_NOTFOUND, "no id");
	code = rp_outbox_find(door->o->outbox, id, &entry, err);
	if (code == RP_OK)
		code = rp_entry_json_whole(door->rules->rules.config, door->o->outbox, &entry,
					   &json, err);
	rp_buf_clear(&door->text);
	if (code == RP_OK &&
	    (!rp_json_out_print(json, &door->text) || !rp_buf_add_char(&door->text, '\n')))
		code = rp_fail(err, RP_ERR_NOMEM, "out of memory");
	rp_json_out_free(json);
	rp_entry_release(&entry);
	return code;
}

void rp_door_answer_lookup(struct rp_door *door, struct rp_door_held *held)
{
	struct rp_span id = {held->key.data, held->key.len};
	struct rp_error err;
	enum rp_err code = add_entry(door, id, &err);

	if (code == RP_OK)
		end(door, held, 200, NULL);
	else if (code == RP_ERR_NOTFOUND)
		rp_door_answer_held_no(door, held, 404, "no_such_entry",
				       "there is no entry of this id; it may have been purged");
	else
		rp_door_answer_held_no(door, held, 503, code == RP_ERR_AWAY ? "away" : "failed",
				       "the outbox cannot be read at the moment");
}
