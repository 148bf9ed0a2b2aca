/* door_report.c - says what the front door did and what is wrong with it. An engine drops a run for
 * good that was refused for its content, and tells nobody: so it is said here. */

#include "serve/door_report.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/units.h"
#include "text/escape.h"
#include "text/shell.h"

enum { LATELY_MS = 3600000 };

void rp_door_see(struct rp_outbox *ob, struct rp_door_seen *out)
{
	enum rp_err e = rp_door_counts_read(ob, &out->n, &out->error);

	out->there = e == RP_OK;
	if (e == RP_OK || e == RP_ERR_NOTFOUND)
		out->error.code = RP_OK;
}

/* A place that a file told. */
static const char *code_at(uint64_t place)
{
	const char *code = place < RP_DOOR_CODES ? rp_door_code(place) : NULL;

	return code != NULL ? code : rp_door_code(RP_DOOR_CODES - 1);
}

static bool is_lately(uint64_t at_ms, int64_t now_at_ms)
{
	return at_ms != 0 && (int64_t)at_ms > now_at_ms - LATELY_MS;
}

/* --- for people --------------------------------------------------------------------- */

bool rp_door_line_add(const struct rp_door_seen *seen, int64_t now_at_ms, struct rp_buf *out)
{
	const struct rp_door_numbers *n = &seen->n;
	char queued[RP_WHEN_TEXT_MAX], reject[RP_WHEN_TEXT_MAX];
	struct rp_door_now now;
	unsigned n_doors;
	bool ok;

	if (!seen->there)
		return true;
	now = rp_door_now_sum(n, &n_doors);
	ok = rp_buf_printf(out,
			   "door     accepted %" PRIu64 ", again %" PRIu64
			   ", refused by content %" PRIu64 "; last accepted %s, refused %s; ",
			   n->runs[RP_DOOR_QUEUED], n->runs[RP_DOOR_DUPLICATE], rp_door_rejects(n),
			   rp_when((int64_t)n->last_queued_at_ms, now_at_ms, queued),
			   rp_when((int64_t)n->last_reject_at_ms, now_at_ms, reject));
	if (n_doors == 0)
		return ok && rp_buf_add_text(out, "not open\n");
	return ok && rp_buf_printf(out, "%s, %" PRIu64 " connections, %" PRIu64 " held\n",
				   now.state < RP_DOOR_STATES
				       ? rp_door_state_name((enum rp_door_state)now.state)
				       : "open",
				   now.connections, now.held);
}

/* Names no file: there is none to look at. */
static bool add_lost(const struct rp_door_numbers *n, const char *rejects, int64_t now_at_ms,
		     const struct rp_place *place, struct rp_buf *out)
{
	char when[RP_WHEN_TEXT_MAX];

	return rp_buf_printf(out,
			     "! the door could not keep what it refused by content: %" PRIu64
			     " bodies are lost, the last %s; %s -> ",
			     n->lost, rp_when((int64_t)n->last_lost_at_ms, now_at_ms, when),
			     rejects == NULL ? "[door] rejects names no file"
					     : "the rejects file is full, or cannot be written") &&
	       rp_command_add(out, place, "runpostctl doctor") && rp_buf_add_char(out, '\n');
}

static bool add_kept(const struct rp_door_numbers *n, const char *rejects, int64_t now_at_ms,
		     struct rp_buf *out)
{
	char when[RP_WHEN_TEXT_MAX];

	return rp_buf_printf(
		   out, "! the door refused bodies by content: %" PRIu64 ", the last %s (%s)",
		   rp_door_rejects(n), rp_when((int64_t)n->last_reject_at_ms, now_at_ms, when),
		   code_at(n->last_reject)) &&
	       (rejects == NULL ||
		(rp_buf_add_text(out, " -> less ") && rp_shell_quote_path(rejects, out))) &&
	       rp_buf_add_char(out, '\n');
}

bool rp_door_trouble_add(const struct rp_door_seen *seen, const char *rejects, int64_t now_at_ms,
			 const struct rp_place *place, struct rp_buf *out)
{
	const struct rp_door_numbers *n = &seen->n;

	if (seen->error.code != RP_OK)
		return rp_buf_add_text(out, "! what the door does is not known: ") &&
		       rp_text_tame(rp_span_of(seen->error.text), out) &&
		       rp_buf_add_text(out, " -> ") &&
		       rp_command_add(out, place, "runpostctl doctor") &&
		       rp_buf_add_char(out, '\n');
	if (!seen->there)
		return true;
	return (!is_lately(n->last_lost_at_ms, now_at_ms) ||
		add_lost(n, rejects, now_at_ms, place, out)) &&
	       (!is_lately(n->last_reject_at_ms, now_at_ms) || n->kept == 0 ||
		add_kept(n, rejects, now_at_ms, out));
}

/* --- for programs ------------------------------------------------------------------- */

static struct rp_json_out *answers_json(const struct rp_door_numbers *n)
{
	struct rp_json_out *o = rp_json_out_new();
	char status[16];
	size_t i;

	for (i = 0; i < RP_DOOR_STATUSES; i++) {
		if (n->answers[i] == 0)
			continue;
		snprintf(status, sizeof status, "%u", rp_door_status(i));
		rp_json_out_int(o, rp_door_status(i) != 0 ? status : "other",
				(int64_t)n->answers[i]);
	}
	return o;
}

static struct rp_json_out *refused_json(const struct rp_door_numbers *n)
{
	struct rp_json_out *o = rp_json_out_new();
	size_t i;

	for (i = 0; i < RP_DOOR_CODES; i++)
		if (n->refused[i] != 0 && rp_door_code(i) != NULL)
			rp_json_out_int(o, rp_door_code(i), (int64_t)n->refused[i]);
	return o;
}

static void add_last(struct rp_json_out *o, const char *at, uint64_t at_ms, const char *code,
		     uint64_t place)
{
	rp_json_out_time(o, at, (int64_t)at_ms);
	rp_json_out_text(o, code, at_ms != 0 ? code_at(place) : NULL);
}

static void add_now(struct rp_json_out *o, const struct rp_door_numbers *n)
{
	unsigned n_doors;
	struct rp_door_now now = rp_door_now_sum(n, &n_doors);

	rp_json_out_int(o, "workers", n_doors);
	rp_json_out_text(o, "state",
			 n_doors > 0 && now.state < RP_DOOR_STATES
			     ? rp_door_state_name((enum rp_door_state)now.state)
			     : NULL);
	rp_json_out_int(o, "connections_open", (int64_t)now.connections);
	rp_json_out_int(o, "requests_waiting", (int64_t)now.requests);
	rp_json_out_int(o, "requests_held", (int64_t)now.held);
	rp_json_out_int(o, "bodies_bytes", (int64_t)now.body_bytes);
}

struct rp_json_out *rp_door_json(const struct rp_door_seen *seen)
{
	const struct rp_door_numbers *n = &seen->n;
	struct rp_json_out *o;
	int k;

	if (!seen->there)
		return NULL;
	o = rp_json_out_new();
	for (k = 0; k < RP_DOOR_RUNS_COUNT; k++)
		rp_json_out_int(o, rp_door_run_name((enum rp_door_run)k), (int64_t)n->runs[k]);
	rp_json_out_time(o, "last_queued_at", (int64_t)n->last_queued_at_ms);
	rp_json_out_int(o, "rejects_kept", (int64_t)n->kept);
	rp_json_out_int(o, "rejects_lost", (int64_t)n->lost);
	add_last(o, "last_reject_at", n->last_reject_at_ms, "last_reject", n->last_reject);
	rp_json_out_int(o, "access_refused", (int64_t)rp_door_access_refusals(n));
	add_last(o, "last_access_at", n->last_access_at_ms, "last_access", n->last_access);
	rp_json_out_object(o, "answers", answers_json(n));
	rp_json_out_object(o, "refused", refused_json(n));
	rp_json_out_int(o, "connections", (int64_t)n->connections);
	rp_json_out_int(o, "holds", (int64_t)n->held);
	rp_json_out_int(o, "commits", (int64_t)rp_door_histogram_count(&n->batches));
	rp_json_out_int(o, "commit_failures", (int64_t)n->failed);
	rp_json_out_int(o, "starts", (int64_t)n->starts);
	rp_json_out_time(o, "last_start_at", (int64_t)n->last_start_at_ms);
	add_now(o, n);
	return o;
}

/* --- findings ----------------------------------------------------------------------- */

static void examine_rejects(struct rp_doctor *d, const struct rp_door_numbers *n,
			    const char *rejects)
{
	char when[RP_WHEN_TEXT_MAX];
	struct rp_buf command = {0};

	if (is_lately(n->last_lost_at_ms, d->now_at_ms)) {
		rp_doctor_report(
		    d, "rejects", RP_DOCTOR_FAIL,
		    rejects == NULL ? "name a file in [door] rejects"
				    : "move the file of [door] rejects away, or raise rejects_max, "
				      "or see why it cannot be written (the log of the door)",
		    "%" PRIu64 " bodies were refused by content and not kept, the last %s: their "
		    "runs are lost unless the engine has them",
		    n->lost, rp_when((int64_t)n->last_lost_at_ms, d->now_at_ms, when));
		return;
	}
	if (!is_lately(n->last_reject_at_ms, d->now_at_ms)) {
		rp_doctor_report(d, "rejects", RP_DOCTOR_OK, NULL,
				 "no body was refused by content within the hour; %" PRIu64
				 " ever, %" PRIu64 " not kept",
				 rp_door_rejects(n), n->lost);
		return;
	}
	if (rejects != NULL)
		d->no_memory = !rp_buf_add_text(&command, "less ") ||
			       !rp_shell_quote_path(rejects, &command) || d->no_memory;
	else
		d->no_memory =
		    !rp_buf_add_text(&command, "see the file of [door] rejects") || d->no_memory;
	if (!d->no_memory)
		rp_doctor_report_command(
		    d, "rejects", RP_DOCTOR_WARN, command.data,
		    "%" PRIu64
		    " bodies were refused by content, the last %s (%s): engines do not send "
		    "them again",
		    rp_door_rejects(n), rp_when((int64_t)n->last_reject_at_ms, d->now_at_ms, when),
		    code_at(n->last_reject));
	rp_buf_release(&command);
}

static void examine_access(struct rp_doctor *d, const struct rp_door_numbers *n)
{
	char when[RP_WHEN_TEXT_MAX];

	if (is_lately(n->last_access_at_ms, d->now_at_ms))
		rp_doctor_report(
		    d, "access", RP_DOCTOR_WARN,
		    "see ev=refused in the log of the door: who it was, and the code; docs/api.md "
		    "says what to mend",
		    "%" PRIu64
		    " requests were refused unread, the last %s (%s): what an engine sent is lost",
		    rp_door_access_refusals(n),
		    rp_when((int64_t)n->last_access_at_ms, d->now_at_ms, when),
		    code_at(n->last_access));
	else
		rp_doctor_report(d, "access", RP_DOCTOR_OK, NULL,
				 "nobody was refused unread within the hour; %" PRIu64
				 " requests ever",
				 rp_door_access_refusals(n));
}

void rp_door_examine(struct rp_doctor *d, const struct rp_door_seen *seen, const char *rejects)
{
	char when[RP_WHEN_TEXT_MAX];
	struct rp_door_now now;
	unsigned n_doors;
	bool ill;

	if (seen->error.code != RP_OK)
		rp_doctor_report(d, "door", RP_DOCTOR_WARN,
				 "move it away while no door runs, or give it to the outbox's user",
				 "%s", seen->error.text);
	if (!seen->there)
		return;
	now = rp_door_now_sum(&seen->n, &n_doors);
	ill = n_doors > 0 && (now.state == RP_DOOR_FULL || now.state == RP_DOOR_FAILING);
	rp_doctor_report(d, "door", ill ? RP_DOCTOR_WARN : RP_DOCTOR_OK,
			 ill ? "make room, or see the log of the door; requests get 503 meanwhile"
			     : NULL,
			 "%s; %" PRIu64 " runs taken, the last %s",
			 n_doors > 0 && now.state < RP_DOOR_STATES
			     ? rp_door_state_name((enum rp_door_state)now.state)
			     : "it is not open",
			 seen->n.runs[RP_DOOR_QUEUED],
			 rp_when((int64_t)seen->n.last_queued_at_ms, d->now_at_ms, when));
	examine_rejects(d, &seen->n, rejects);
	examine_access(d, &seen->n);
}
