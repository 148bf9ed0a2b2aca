/* doctor_print.c - prints findings of `doctor` as text, JSON or for Nagios. The checks know
 * nothing of these formats. */

#include "ctl/verbs/doctor_print.h"

#include <inttypes.h>

bool rp_doctor_print(void *arg, const struct rp_finding *f)
{
	struct rp_doctor_print *p = arg;
	static const char *const words[] = {"ok", "warn", "fail"};
	static const enum rp_style styles[] = {RP_STYLE_GOOD, RP_STYLE_WARN, RP_STYLE_BAD};
	struct rp_buf *out = &p->ctl->out;
	struct rp_json_out *o;

	switch (p->format) {
	case RP_DOCTOR_FOR_PEOPLE:
		return rp_style_add(out, styles[f->level], p->ctl->color, words[f->level]) &&
		       rp_buf_printf(out, "%*s%-12s ", (int)(6 - strlen(words[f->level])), "",
				     f->check) &&
		       rp_text_tame(rp_span_of(f->text), out) && rp_buf_add_char(out, '\n') &&
		       (f->remedy == NULL || rp_buf_printf(out, "%19s-> %s\n", "", f->remedy));
	case RP_DOCTOR_FOR_JSON:
		o = rp_json_out_new();
		rp_json_out_text(o, "check", f->check);
		rp_json_out_text(o, "level", words[f->level]);
		rp_json_out_text(o, "text", f->text);
		rp_json_out_text(o, "remedy", f->remedy);
		return rp_ctl_add_json(p->ctl, o);
	case RP_DOCTOR_FOR_NAGIOS:
		return f->level == RP_DOCTOR_OK ||
		       ((p->worst_text.len == 0 || rp_buf_add_text(&p->worst_text, "; ")) &&
			rp_buf_printf(&p->worst_text, "%s: ", f->check) &&
			rp_text_tame(rp_span_of(f->text), &p->worst_text));
	case RP_DOCTOR_FOR_PROMETHEUS:
		return rp_buf_printf(out, "runpost_doctor_check{check=\"%s\"} %d\n", f->check,
				     (int)f->level);
	}
	return true;
}

/* One line, with numbers to plot behind a bar. */
static bool add_nagios(struct rp_doctor_print *p, const struct rp_doctor *d)
{
	static const char *const words[] = {"OK", "WARNING", "CRITICAL"};
	struct rp_buf *out = &p->ctl->out;

	return rp_buf_printf(out, "RUNPOST %s - ", words[d->worst]) &&
	       (p->worst_text.len > 0 ? rp_buf_add(out, p->worst_text.data, p->worst_text.len)
				      : rp_buf_printf(out, "%u checks", d->n[RP_DOCTOR_OK])) &&
	       rp_buf_printf(out,
			     " | waiting=%" PRIu64 " in_flight=%" PRIu64 " dead=%" PRIu64
			     " senders=%u\n",
			     d->ledger.waiting, d->ledger.in_flight, d->ledger.dead, d->alive);
}

bool rp_doctor_print_begin(struct rp_doctor_print *p)
{
	return p->format != RP_DOCTOR_FOR_PROMETHEUS ||
	       rp_buf_add_text(&p->ctl->out,
			       "# HELP runpost_doctor_check Checks of runpostctl doctor: 0 ok, "
			       "1 warning, 2 failure.\n# TYPE runpost_doctor_check gauge\n");
}

bool rp_doctor_print_end(struct rp_doctor_print *p, const struct rp_doctor *d)
{
	return p->format != RP_DOCTOR_FOR_NAGIOS || add_nagios(p, d);
}
