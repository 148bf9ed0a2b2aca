/* door_flow.c - brings whole requests through their commits, in the order in which they came. It is
 * the part that keeps the promises: nothing is answered before its commit, and nothing that waits
 * is forgotten. */

#include "base/assert.h"
#include "base/backoff.h"
#include "base/log.h"
#include "serve/door_int.h"

#define GATHER_TURNS_MAX 16

/* What a parsed run and its receipt take beside the body, about. */
#define RUN_BYTES 2560

static uint64_t cost_of(const struct rp_door_held *held)
{
	return held->body.len + held->n_runs * (uint64_t)RUN_BYTES;
}

/* Since its head was judged, the settings may have changed. */
static bool leaks_token(const struct rp_door *door, const struct rp_door_held *held)
{
	struct rp_span text = {held->url.data, held->url.len};
	struct rp_url url;

	return held->token_in_url &&
	       (rp_url_parse(text, &url, NULL) != RP_OK ||
		!rp_door_keeps_own_url(rp_config_policy(door->rules->rules.config, &url)));
}

/* NULL: it may be added. */
static const char *problem_of(const struct rp_door *door, const struct rp_door_held *held,
			      int *status, const char **reason)
{
	/* The server bounds the bodies of clients that are there. Those of clients that have hung
	 * up wait on, so there may be more. */
	uint64_t most = 2 * door->rules->rules.config->door.bodies_bytes;

	*status = 503;
	if (door->failed != RP_OK) {
		*reason = RP_DOOR_FAILED_REASON;
		return "failed";
	}
	if (door->held_bytes > 0 &&
	    (door->held_bytes >= most || held->body.len > most - door->held_bytes)) {
		*reason = "too many bytes wait already; send it again later";
		return "busy";
	}
	if (held->form == RP_DOOR_LINES && held->body.len == 0) {
		*status = 400;
		*reason = "the body has no lines; each is a Run or an envelope";
		return "bad_json";
	}
	if (leaks_token(door, held)) {
		*status = 403;
		*reason = "runpost_token would reach the receiver in kwargs.webhook; add drop = "
			  "kwargs.webhook to its section, or use a header";
		return "token_in_url";
	}
	return NULL;
}

void rp_door_submit(struct rp_door *door, struct rp_door_held *held)
{
	const char *reason;
	bool too_many;
	int status;
	const char *code = problem_of(door, held, &status, &reason);

	if (code != NULL) {
		rp_door_answer_held_no(door, held, status, code, reason);
		return;
	}
	door->filling->cuts = rp_config_cuts(door->rules->rules.config); /* that in force now */
	if (rp_door_batch_add(door->filling, held, &door->rules->rules.hosts, &too_many)) {
		door->n_waiting++;
		door->stirred = true;
		door->held_bytes += cost_of(held);
		if (rp_door_holds(door))
			rp_door_count_held(&door->counts);
		return;
	}
	if (too_many)
		rp_door_answer_held_no(door, held, 413, "too_large",
				       "more than 4096 lines; send them in several requests");
	else
		rp_door_answer_held_no(door, held, 503, "busy", "out of memory; send it again");
}

/* Reads are made between two commits: the thread that commits has the outbox to itself. */
static void answer_lookups(struct rp_door *door)
{
	struct rp_door_held *held;

	assert(!door->busy);
	while ((held = door->lookups) != NULL) {
		door->lookups = held->next;
		rp_door_answer_lookup(door, held);
	}
}

void rp_door_submit_lookup(struct rp_door *door, struct rp_door_held *held)
{
	held->next = door->lookups;
	door->lookups = held;
}

static void begin(struct rp_door *door)
{
	door->slice = rp_door_batch_slice(door->committing, door->requests_max);
	door->busy = true;
	rp_door_commit_begin(door->commit, door->committing, &door->slice);
}

/* What has gathered is the next to be committed. false: nothing has. */
static bool swap_batches(struct rp_door *door)
{
	struct rp_door_batch *next = door->filling;

	if (rp_door_batch_is_empty(next))
		return false;
	door->filling = door->committing;
	door->committing = next;
	return true;
}

/* Clients that were answered soon ask again. As long as more comes without a wait it goes into the
 * same commit: one of many costs the disk hardly more than one of few. */
static bool gathers(struct rp_door *door)
{
	bool more =
	    door->stirred && door->n_waiting > 0 && door->gathered_turns++ < GATHER_TURNS_MAX;

	door->stirred = false;
	if (!more)
		door->gathered_turns = 0;
	door->service.peeks = more;
	return more;
}

void rp_door_go_on(struct rp_door *door)
{
	if (door->busy)
		return;
	answer_lookups(door);
	if (door->service.draining && rp_door_holds(door) && door->n_waiting > 0)
		rp_door_refuse_waiting(door, "stopping",
				       door->is_full
					   ? "the outbox is full, and the door is about to stop; "
					     "send it again"
					   : "the database is away, and the door is about to stop; "
					     "send it again");
	if (door->retry_at_ms != 0 || door->failed != RP_OK)
		return;
	if (gathers(door))
		return;
	if (!rp_door_batch_is_empty(door->committing) || swap_batches(door))
		begin(door);
}

static struct rp_door_held *take_first(struct rp_door *door, struct rp_door_batch *batch)
{
	struct rp_door_held *held = rp_door_batch_take(batch);

	door->n_waiting--;
	door->held_bytes -= cost_of(held);
	return held;
}

static void answer_slice(struct rp_door *door, struct rp_door_batch *batch, size_t n)
{
	while (n-- > 0) {
		size_t from = batch->from;

		rp_door_answer_held(door, batch, from, take_first(door, batch));
	}
	rp_door_batch_settle(batch);
}

static void finish(struct rp_door *door)
{
	/* Rejected and skipped runs need no room, so they tell of none. */
	if (door->committing->runs.n_entries > 0) {
		if (door->is_full)
			rp_log(RP_LOG_INFO, "room", "held=%zu", door->n_waiting);
		if (door->is_away)
			rp_log(RP_LOG_INFO, "store_back", "held=%zu", door->n_waiting);
		door->is_full = door->is_away = false;
		door->away_ms = 0;
	}
	door->requests_max = SIZE_MAX;
	rp_door_count_commit(&door->counts, door->slice.n_runs);
	door->stirred = true;
	answer_slice(door, door->committing, door->slice.n_requests);
}

/* What does not fit at once may fit in parts: smaller commits use the room that is left. Only when
 * not even one request fits, all wait. */
static void wait_for_room(struct rp_door *door, const struct rp_error *why)
{
	char text[RP_ERROR_TEXT_MAX + 16];

	if (door->slice.n_requests > 1) {
		door->requests_max = door->slice.n_requests / 2;
		return;
	}
	if (!door->is_full) {
		rp_log(RP_LOG_WARN, "full", "held=%zu wait_ms=%lld what=%s", door->n_waiting,
		       (long long)door->rules->rules.config->door.hold_ms,
		       rp_log_quote(why->text, text, sizeof text));
	}
	door->is_full = true;
	door->retry_at_ms = door->service.boot_ms + RP_DOOR_FULL_RETRY_MS;
	rp_door_set_tick(door);
}

/* Nobody knows whether the slice is stored. So the same slice is tried, with the same ids, until
 * the store is back or its clients have waited long enough. */
static void wait_for_store(struct rp_door *door, const struct rp_error *why)
{
	char text[RP_ERROR_TEXT_MAX + 16];

	if (!door->is_away)
		rp_log(RP_LOG_WARN, "store_away", "held=%zu wait_ms=%lld why=%s", door->n_waiting,
		       (long long)door->rules->rules.config->door.hold_ms,
		       rp_log_quote(why->text, text, sizeof text));
	door->is_away = true;
	door->away_ms = rp_backoff_next_ms(door->away_ms);
	door->retry_at_ms = door->service.boot_ms + door->away_ms;
	rp_door_set_tick(door);
	rp_door_show_now(door);
}

/* The bodies are refused all the same: a full disk for rejects must not stop what is good. */
static void tell_lost_rejects(struct rp_door *door, const struct rp_error *why)
{
	char text[RP_ERROR_TEXT_MAX + 16];

	if (!door->told_rejects)
		rp_log(RP_LOG_ERROR, "rejects_not_kept", "why=%s",
		       rp_log_quote(why->text, text, sizeof text));
	door->told_rejects = true;
}

void rp_door_commit_ended(void *context)
{
	struct rp_door *door = context;
	struct rp_error err = {0}, rejects_err = {0};
	enum rp_err rejects, code = rp_door_commit_end(door->commit, &err, &rejects, &rejects_err);

	door->busy = false;
	if (rejects != RP_OK)
		tell_lost_rejects(door, &rejects_err);
	if (code == RP_OK)
		finish(door);
	else if (code == RP_ERR_FULL)
		wait_for_room(door, &err);
	else if (code == RP_ERR_AWAY)
		wait_for_store(door, &err);
	else
		rp_door_fail(door, code, &err);
}

static void refuse_all(struct rp_door *door, struct rp_door_batch *batch, const char *code,
		       const char *reason)
{
	while (!rp_door_batch_is_empty(batch))
		rp_door_answer_held_no(door, take_first(door, batch), 503, code, reason);
	rp_door_batch_settle(batch);
}

static void refuse_late(struct rp_door *door, struct rp_door_batch *batch)
{
	while (!rp_door_batch_is_empty(batch) &&
	       batch->first->hold_until_ms <= door->service.boot_ms)
		rp_door_answer_held_no(
		    door, take_first(door, batch), 503, door->is_away ? "away" : "full",
		    door->is_away ? "the database cannot be reached; what became of this "
				    "run is not known, send it again"
				  : "the outbox is full; an operator has to make room");
	rp_door_batch_settle(batch);
}

void rp_door_retry(struct rp_door *door)
{
	assert(!door->busy && rp_door_holds(door));
	door->retry_at_ms = 0;
	refuse_late(door, door->committing);
	if (rp_door_batch_is_empty(door->committing))
		refuse_late(door, door->filling);
}

void rp_door_refuse_waiting(struct rp_door *door, const char *code, const char *reason)
{
	assert(!door->busy);
	refuse_all(door, door->committing, code, reason);
	refuse_all(door, door->filling, code, reason);
	while (door->lookups != NULL) {
		struct rp_door_held *held = door->lookups;

		door->lookups = held->next;
		rp_door_answer_held_no(door, held, 503, code, reason);
	}
	door->retry_at_ms = 0;
}

void rp_door_fail(struct rp_door *door, enum rp_err code, const struct rp_error *why)
{
	door->failed = code;
	door->err = *why;
	rp_door_count_commit_failed(&door->counts);
	rp_door_refuse_waiting(door, "failed",
			       "the commit failed; what became of this run is not known, send it "
			       "again");
	rp_door_drain(door);
}

bool rp_door_is_ready(const struct rp_door *door, const char **why_not)
{
	*why_not = door->failed != RP_OK || door->check_failed ? "failed"
		   : door->service.draining                    ? "stopping"
		   : door->is_away                             ? "away"
		   : door->is_full                             ? "full"
							       : NULL;
	return *why_not == NULL;
}
