#include "doctor.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "remedy.h"

void rp_doctor_report(struct rp_doctor *d, const char *check, enum rp_doctor_level level, const char *remedy,
		      const char *fmt, ...)
{
	static const char *const words[] = {"ok", "warn", "fail"};
	static const enum rp_style styles[] = {RP_STYLE_GOOD, RP_STYLE_WARN, RP_STYLE_BAD};
	struct rp_buf *out = &d->ctl->out;
	struct rp_json_out *o;
	char text[RP_ERROR_TEXT_MAX + 200];
	va_list ap;
	bool ok = true;

	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	d->n[level]++;
	if (level > d->worst)
		d->worst = level;
	switch (d->format) {
	case RP_DOCTOR_FOR_PEOPLE:
		ok = rp_style_add(out, styles[level], d->ctl->color, words[level]) &&
		     rp_buf_printf(out, "%*s%-12s ", (int)(6 - strlen(words[level])), "", check) &&
		     rp_text_escape(rp_span_of(text), out) && rp_buf_add_char(out, '\n') &&
		     (level == RP_DOCTOR_OK || remedy == NULL || rp_buf_printf(out, "%19s-> %s\n", "", remedy));
		break;
	case RP_DOCTOR_FOR_JSON:
		o = rp_json_out_new();
		rp_json_out_text(o, "check", check);
		rp_json_out_text(o, "level", words[level]);
		rp_json_out_text(o, "text", text);
		rp_json_out_text(o, "remedy", level == RP_DOCTOR_OK ? NULL : remedy);
		ok = rp_ctl_add_json(d->ctl, o);
		break;
	case RP_DOCTOR_FOR_NAGIOS:
		if (level != RP_DOCTOR_OK) {
			ok = (d->worst_text.len == 0 || rp_buf_add_text(&d->worst_text, "; ")) &&
			     rp_buf_printf(&d->worst_text, "%s: ", check) &&
			     rp_text_escape(rp_span_of(text), &d->worst_text);
		}
		break;
	case RP_DOCTOR_FOR_PROMETHEUS:
		ok = rp_buf_printf(out, "runpost_doctor_check{check=\"%s\"} %d\n", check, (int)level);
		break;
	}
	d->no_memory = d->no_memory || !ok;
}

void rp_doctor_report_error(struct rp_doctor *d, const struct rp_error *err)
{
	struct rp_remedy r = rp_remedy_of(err->code, err->sys);

	if (r.means != NULL)
		rp_doctor_report(d, "store", RP_DOCTOR_FAIL, r.remedy, "%s (%s)", err->text, r.means);
	else
		rp_doctor_report(d, "store", RP_DOCTOR_FAIL, r.remedy, "%s", err->text);
}

/* One line, with numbers to plot behind a bar. */
static bool add_nagios(struct rp_doctor *d)
{
	static const char *const words[] = {"OK", "WARNING", "CRITICAL"};

	return rp_buf_printf(&d->ctl->out, "RUNPOST %s - ", words[d->worst]) &&
	       (d->worst_text.len > 0 ? rp_buf_add(&d->ctl->out, d->worst_text.data, d->worst_text.len)
				      : rp_buf_printf(&d->ctl->out, "%u checks", d->n[RP_DOCTOR_OK])) &&
	       rp_buf_printf(&d->ctl->out, " | waiting=%" PRIu64 " in_flight=%" PRIu64 " dead=%" PRIu64 " senders=%u\n",
			     d->ledger.waiting, d->ledger.in_flight, d->ledger.dead, d->alive);
}

void rp_doctor_report_begin(struct rp_doctor *d)
{
	if (d->format == RP_DOCTOR_FOR_PROMETHEUS)
		d->no_memory =
		    !rp_buf_add_text(&d->ctl->out, "# HELP runpost_doctor_check Checks of runpostctl doctor: 0 ok, "
						   "1 warning, 2 failure.\n# TYPE runpost_doctor_check gauge\n");
}

void rp_doctor_report_end(struct rp_doctor *d)
{
	if (d->format == RP_DOCTOR_FOR_NAGIOS)
		d->no_memory = !add_nagios(d) || d->no_memory;
}
