/* verb_audit.c - the verb `audit`: shows the log of operators' changes. */

#include <inttypes.h>
#include <stdio.h>

#include "base/units.h"
#include "ctl/verbs/verbs.h"

enum { TERMINAL_ROWS = 50 };

static const struct rp_column columns[] = {
    {"AT", false, 0},  {"WHO", false, 8}, {"VERB", false, 0},  {"DONE", true, 0},
    {"SKIP", true, 0}, {"JOB", true, 0},  {"WHAT", false, 16}, {"WHY", false, 8},
};

struct audit {
	struct rp_ctl *ctl;
	struct rp_table *table;
	uint64_t n, pass; /* records there are; and those passed over on a terminal */
	bool ok;
};

static bool count(void *arg, uint64_t number, const struct rp_audit *a)
{
	struct audit *x = arg;

	(void)number;
	(void)a;
	x->n++;
	return true;
}

static void set_span(struct rp_json_out *o, const char *name, struct rp_span s)
{
	if (s.len > 0)
		rp_json_out_span(o, name, s);
	else
		rp_json_out_null(o, name);
}

static struct rp_json_out *record_json(uint64_t number, const struct rp_audit *a)
{
	struct rp_json_out *o = rp_json_out_new();

	rp_json_out_int(o, "number", (int64_t)number);
	rp_json_out_time(o, "at", a->at_ms);
	set_span(o, "user", a->user);
	rp_json_out_int(o, "uid", a->uid);
	set_span(o, "verb", a->verb);
	rp_json_out_int(o, "done", (int64_t)a->done);
	rp_json_out_int(o, "skipped", (int64_t)a->skipped);
	if (a->job != 0)
		rp_json_out_int(o, "job", (int64_t)a->job);
	else
		rp_json_out_null(o, "job");
	set_span(o, "what", a->what);
	set_span(o, "reason", a->reason);
	if (a->at_ms == 0)
		rp_json_out_bool(o, "damaged", true);
	return o;
}

static void add_row(struct audit *x, const struct rp_audit *a)
{
	char at[RP_TIME_TEXT_MAX], job[24] = "";

	if (a->job != 0)
		snprintf(job, sizeof job, "%" PRIu64, a->job);
	rp_table_cell(x->table,
		      rp_span_of(a->at_ms != 0 ? rp_time_format(a->at_ms, at) : "damaged"));
	rp_table_cell(x->table, a->user);
	rp_table_cell(x->table, a->verb);
	rp_table_number(x->table, a->done);
	rp_table_number(x->table, a->skipped);
	rp_table_cell(x->table, rp_span_of(job));
	rp_table_cell(x->table, a->what);
	rp_table_cell(x->table, a->reason);
}

static bool see(void *arg, uint64_t number, const struct rp_audit *a)
{
	struct audit *x = arg;

	if (x->pass > 0)
		x->pass--;
	else if (x->ctl->json)
		x->ok = rp_ctl_add_json(x->ctl, record_json(number, a));
	else
		add_row(x, a);
	return x->ok;
}

int rp_verb_audit(struct rp_ctl *ctl)
{
	struct audit x = {.ctl = ctl, .ok = true};
	bool terminal = ctl->out_tty && !ctl->json;
	struct rp_error err;

	if (rp_outbox_audit(ctl->ob, count, &x, &err) != RP_OK)
		return rp_ctl_fail(&err);
	if (terminal && x.n > TERMINAL_ROWS)
		x.pass = x.n - TERMINAL_ROWS;
	if (!ctl->json) {
		x.table = rp_ctl_table(ctl, columns, sizeof columns / sizeof columns[0]);
		if (x.table == NULL)
			return rp_ctl_no_memory();
	}
	ctl->out.max = (size_t)64 << 20; /* 4,096 records of at most 4 KiB, escaped */
	if (rp_outbox_audit(ctl->ob, see, &x, &err) != RP_OK) {
		rp_table_free(x.table);
		return rp_ctl_fail(&err);
	}
	if (x.table != NULL)
		x.ok = rp_ctl_add_table(ctl, x.table) && x.ok;
	if (x.ok && terminal && x.n > TERMINAL_ROWS)
		fprintf(stderr, "(the last %d of %" PRIu64 "; all of them in a pipe)\n",
			TERMINAL_ROWS, x.n);
	return x.ok ? rp_ctl_flush(ctl) : rp_ctl_no_memory();
}
