/* verb_jobs.c - the verb `jobs`: lists jobs, shows one, and pauses, resumes or cancels it. */

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/units.h"
#include "ctl/change/audit.h"
#include "ctl/change/plan.h"
#include "ctl/suggest.h"

enum { JOBS_MAX = 64 };

static const struct rp_column for_people[] = {
    {"JOB", true, 0},  {"VERB", false, 0}, {"STATE", false, 0}, {"DONE", true, 0},
    {"SKIP", true, 0}, {"LEFT", true, 0},  {"RATE", true, 0},   {"REMAINS", true, 0},
    {"AGE", true, 0},  {"WHO", false, 8},  {"WHAT", false, 12},
};
static const struct rp_column for_pipes[] = {
    {"job", true, 0},   {"verb", false, 0},   {"state", false, 0},  {"planned", true, 0},
    {"done", true, 0},  {"skipped", true, 0}, {"left", true, 0},    {"created_at", false, 0},
    {"user", false, 0}, {"what", false, 0},   {"reason", false, 0},
};

struct listing {
	struct rp_ctl *ctl;
	struct rp_table *table;
	bool ok;
};

/* Entries a second since it started; 0: nobody knows. */
static double pace(const struct rp_job *j)
{
	int64_t ms = j->moved_at_ms - j->started_at_ms;
	uint64_t past = j->done + rp_job_n_skipped(j);

	if (j->phase != RP_JOB_RUNNING || past == 0)
		return 0;
	return (double)past * 1000 / (double)(ms > 100 ? ms : 100);
}

static int64_t remains_ms(const struct rp_job *j)
{
	double per_second = pace(j);

	return per_second > 0 ? (int64_t)((double)rp_job_left(j) / per_second * 1000) : 0;
}

static void set_skipped(struct rp_json_out *o, const struct rp_job *j)
{
	struct rp_json_out *skipped = rp_json_out_new();

	rp_json_out_int(skipped, "in_flight", (int64_t)j->skipped.in_flight);
	rp_json_out_int(skipped, "state", (int64_t)j->skipped.state);
	rp_json_out_int(skipped, "moved_on", (int64_t)j->skipped.changed);
	rp_json_out_int(skipped, "gone", (int64_t)j->skipped.gone);
	rp_json_out_object(o, "skipped", skipped);
}

static void set_text(struct rp_json_out *o, const char *name, struct rp_span s)
{
	if (s.len > 0)
		rp_json_out_span(o, name, s);
	else
		rp_json_out_null(o, name);
}

static struct rp_json_out *job_json(uint64_t number, const struct rp_job *j)
{
	struct rp_json_out *o = rp_json_out_new();
	char rate[RP_RATE_TEXT_MAX];

	rp_json_out_int(o, "job", (int64_t)number);
	rp_json_out_text(o, "verb", j->verb != 0 ? rp_job_verb_name(j->verb) : NULL);
	rp_json_out_text(o, "state", rp_job_phase_name(j->phase));
	rp_json_out_int(o, "planned", (int64_t)j->planned);
	rp_json_out_int(o, "done", (int64_t)j->done);
	set_skipped(o, j);
	rp_json_out_int(o, "left", (int64_t)rp_job_left(j));
	rp_json_out_int(o, "attempt_under_way", (int64_t)j->done_in_flight);
	rp_json_out_text(o, "rate", j->rate.count != 0 ? rp_rate_format(j->rate, rate) : NULL);
	rp_json_out_real(o, "per_second", pace(j));
	if (remains_ms(j) > 0)
		rp_json_out_int(o, "remains_ms", remains_ms(j));
	else
		rp_json_out_null(o, "remains_ms");
	rp_json_out_time(o, "created_at", j->created_at_ms);
	rp_json_out_time(o, "started_at", j->started_at_ms);
	rp_json_out_time(o, "moved_at", j->moved_at_ms);
	rp_json_out_time(o, "ended_at", j->ended_at_ms);
	rp_json_out_time(o, "expires_at", j->expires_at_ms);
	set_text(o, "user", j->user);
	rp_json_out_int(o, "uid", j->uid);
	set_text(o, "what", j->selector);
	set_text(o, "reason", j->reason);
	return o;
}

static enum rp_style phase_style(enum rp_job_phase phase)
{
	switch (phase) {
	case RP_JOB_DONE:
		return RP_STYLE_GOOD;
	case RP_JOB_PAUSED:
	case RP_JOB_CANCELLED:
		return RP_STYLE_WARN;
	case RP_JOB_PLANNING:
	case RP_JOB_PLANNED:
	case RP_JOB_RUNNING:
	case RP_JOB_EXPIRED:
		return RP_STYLE_PLAIN;
	}
	return RP_STYLE_BAD;
}

static void row_for_people(struct listing *l, uint64_t number, const struct rp_job *j)
{
	char text[RP_TIME_TEXT_MAX], rate[RP_RATE_TEXT_MAX];

	rp_table_number(l->table, number);
	rp_table_cell(l->table, rp_span_of(rp_job_verb_name(j->verb)));
	rp_table_styled(l->table, phase_style(j->phase), rp_job_phase_name(j->phase));
	rp_table_number(l->table, j->done);
	rp_table_number(l->table, rp_job_n_skipped(j));
	rp_table_number(l->table, rp_job_left(j));
	rp_table_cell(l->table,
		      rp_span_of(j->rate.count != 0 ? rp_rate_format(j->rate, rate) : "-"));
	rp_table_cell(
	    l->table,
	    rp_span_of(remains_ms(j) > 0 ? rp_duration_format(remains_ms(j), text) : "-"));
	rp_table_cell(l->table,
		      rp_span_of(rp_duration_format(l->ctl->now_at_ms - j->created_at_ms, text)));
	rp_table_cell(l->table, j->user);
	rp_table_cell(l->table, j->selector);
}

static void row_for_pipes(struct listing *l, uint64_t number, const struct rp_job *j)
{
	char text[RP_TIME_TEXT_MAX];

	rp_table_number(l->table, number);
	rp_table_cell(l->table, rp_span_of(rp_job_verb_name(j->verb)));
	rp_table_cell(l->table, rp_span_of(rp_job_phase_name(j->phase)));
	rp_table_number(l->table, j->planned);
	rp_table_number(l->table, j->done);
	rp_table_number(l->table, rp_job_n_skipped(j));
	rp_table_number(l->table, rp_job_left(j));
	rp_table_cell(l->table, rp_span_of(rp_time_format(j->created_at_ms, text)));
	rp_table_cell(l->table, j->user);
	rp_table_cell(l->table, j->selector);
	rp_table_cell(l->table, j->reason);
}

static bool see(void *arg, uint64_t number, const struct rp_job *j)
{
	struct listing *l = arg;

	if (l->ctl->json)
		l->ok = rp_ctl_add_json(l->ctl, job_json(number, j));
	else if (l->ctl->out_tty)
		row_for_people(l, number, j);
	else
		row_for_pipes(l, number, j);
	return l->ok;
}

static int list(struct rp_ctl *ctl)
{
	struct listing l = {.ctl = ctl, .ok = true};
	struct rp_error err;

	if (!ctl->json) {
		l.table =
		    ctl->out_tty
			? rp_ctl_table(ctl, for_people, sizeof for_people / sizeof for_people[0])
			: rp_ctl_table(ctl, for_pipes, sizeof for_pipes / sizeof for_pipes[0]);
		if (l.table == NULL)
			return rp_ctl_no_memory();
	}
	if (rp_outbox_jobs(ctl->ob, see, &l, &err) != RP_OK) {
		rp_table_free(l.table);
		return rp_ctl_fail(&err);
	}
	if (l.table != NULL)
		l.ok = rp_ctl_add_table(ctl, l.table);
	return l.ok ? rp_ctl_flush(ctl) : rp_ctl_no_memory();
}

/* --- one job ------------------------------------------------------------------------------ */

static bool add_line(struct rp_buf *out, const char *name, struct rp_span value)
{
	return value.len == 0 || (rp_buf_printf(out, "%-10s", name) && rp_text_tame(value, out) &&
				  rp_buf_add_char(out, '\n'));
}

static bool add_skipped(struct rp_buf *out, const struct rp_job *j)
{
	const struct rp_job_skipped *s = &j->skipped;

	if (rp_job_n_skipped(j) == 0)
		return true;
	return rp_buf_printf(out,
			     "skipped   %" PRIu64 " in flight, %" PRIu64 " moved on, %" PRIu64
			     " gone (purged, or past their keeping time), %" PRIu64
			     " of another state\n",
			     s->in_flight, s->changed, s->gone, s->state);
}

static bool add_next(struct rp_ctl *ctl, const struct rp_job_copy *c)
{
	const struct rp_job *j = &c->job;
	char text[RP_TIME_TEXT_MAX], words[80], also[80] = "or jobs cancel";

	if (j->phase == RP_JOB_PLANNED) {
		snprintf(words, sizeof words, "runpostctl %s --plan %" PRIu64,
			 rp_job_verb_name(j->verb), c->number);
		snprintf(also, sizeof also, "until %s", rp_time_format(j->expires_at_ms, text));
	} else if (j->phase == RP_JOB_RUNNING || j->phase == RP_JOB_PAUSED) {
		snprintf(words, sizeof words, "runpostctl jobs %s %" PRIu64,
			 j->phase == RP_JOB_RUNNING ? "pause" : "resume", c->number);
	} else {
		return true;
	}
	return rp_buf_add_text(&ctl->out, "next: ") &&
	       rp_command_add(&ctl->out, &ctl->place, words) &&
	       rp_buf_printf(&ctl->out, "   (%s)\n", also);
}

static bool show_text(struct rp_ctl *ctl, const struct rp_job_copy *c)
{
	const struct rp_job *j = &c->job;
	struct rp_buf *out = &ctl->out;
	char text[RP_TIME_TEXT_MAX], rate[RP_RATE_TEXT_MAX];
	bool ok =
	    rp_buf_printf(out, "job       %" PRIu64 ", %s, ", c->number,
			  rp_job_verb_name(j->verb)) &&
	    rp_style_add(out, phase_style(j->phase), ctl->color, rp_job_phase_name(j->phase)) &&
	    rp_buf_add_char(out, '\n') && add_line(out, "what", j->selector) &&
	    add_line(out, "who", j->user) && add_line(out, "why", j->reason) &&
	    rp_buf_printf(out, "planned   %" PRIu64 ", %s\n", j->planned,
			  rp_time_format(j->created_at_ms, text)) &&
	    rp_buf_printf(out, "done      %" PRIu64 ", to go %" PRIu64 "\n", j->done,
			  rp_job_left(j)) &&
	    add_skipped(out, j);

	if (j->rate.count != 0)
		ok = ok && rp_buf_printf(out, "rate      %s\n", rp_rate_format(j->rate, rate));
	if (remains_ms(j) > 0)
		ok = ok && rp_buf_printf(out, "remains   %s, at %.0f a second so far\n",
					 rp_duration_format(remains_ms(j), text), pace(j));
	return ok && add_next(ctl, c);
}

static int show(struct rp_ctl *ctl, uint64_t number)
{
	struct rp_job_copy c = {0};
	int code = rp_job_load(ctl, number, &c);
	bool ok;

	if (code == RP_EXIT_OK) {
		ok =
		    ctl->json ? rp_ctl_add_json(ctl, job_json(number, &c.job)) : show_text(ctl, &c);
		code = ok ? rp_ctl_flush(ctl) : rp_ctl_no_memory();
	}
	rp_buf_release(&c.text);
	return code;
}

static int order(struct rp_ctl *ctl, uint64_t number, const char *word, enum rp_order_kind kind)
{
	struct rp_job_order o = {.kind = kind};
	char what[sizeof "job " + RP_DECIMAL_MAX];
	struct rp_error err;
	uint64_t record;
	enum rp_err e =
	    rp_outbox_job_order(ctl->ob, rp_sys_wall_ms(&rp_sys_real), number, &o, &err);
	int code;

	if (e != RP_OK) {
		rp_ctl_fail(&err);
		return e == RP_ERR_NOTFOUND || e == RP_ERR_STALE ? RP_EXIT_SOME_FAILED
								 : rp_err_exit_code(e);
	}
	snprintf(what, sizeof what, "job %" PRIu64, number);
	code = rp_ctl_audit_add(ctl, word, rp_span_of(what), 1, &record);
	return code == RP_EXIT_OK ? show(ctl, number) : code;
}

static const struct {
	const char *name;
	enum rp_order_kind kind; /* 0: only looks */
} words[] = {{"list", 0},
	     {"show", 0},
	     {"pause", RP_ORDER_PAUSE},
	     {"resume", RP_ORDER_RESUME},
	     {"cancel", RP_ORDER_CANCEL}};
enum { N_WORDS = sizeof words / sizeof words[0] };

static int bad_word(const struct rp_ctl *ctl, const char *word)
{
	const char *names[N_WORDS], *near;
	size_t i;

	for (i = 0; i < N_WORDS; i++)
		names[i] = words[i].name;
	near = rp_suggest(word, names, N_WORDS);
	rp_ctl_say("%s: %.40s: no such word%s%s%s; there are list, show, pause, resume and cancel, "
		   "the last four with the "
		   "number of a job",
		   ctl->verb->name, word, near != NULL ? "; did you mean " : "",
		   near != NULL ? near : "", near != NULL ? "?" : "");
	return RP_EXIT_USAGE;
}

int rp_verb_jobs(struct rp_ctl *ctl)
{
	const char *word = ctl->n_names > 0 ? ctl->names[0] : "list";
	uint64_t number;
	char *end;
	size_t i = 0;

	while (i < N_WORDS && strcmp(words[i].name, word) != 0)
		i++;
	if (i == N_WORDS)
		return bad_word(ctl, word);
	if (i == 0 && ctl->n_names <= 1)
		return list(ctl);
	errno = 0;
	number = ctl->n_names == 2 ? strtoull(ctl->names[1], &end, 10) : 0;
	if (number == 0 || *end != '\0' || errno != 0) {
		rp_ctl_say("jobs: `%s` takes the number of one job, as `runpostctl jobs` shows it",
			   word);
		return RP_EXIT_USAGE;
	}
	return words[i].kind == 0 ? show(ctl, number) : order(ctl, number, word, words[i].kind);
}
