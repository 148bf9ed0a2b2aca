/* doctor_report.c - prints findings of `doctor` as text, JSON or for Nagios. The checks know
 * nothing of these formats. */

#include "report/doctor.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "report/remedy.h"

static bool begins(const char *text, const char *with)
{
	return strncmp(text, with, strlen(with)) == 0;
}

/* The words of a remedy, with what makes each command in it complete. A command ends at ';', where
 * words in brackets follow it, or at the end: what stands behind it can be told from it. */
static bool add_remedy(const struct rp_doctor *d, const char *remedy, struct rp_buf *out)
{
	const struct rp_place *place = &d->ctl->place;
	bool ok = true, is_command, at_word = true;
	char words[200];

	while (ok && *remedy != '\0') {
		const char *others = strstr(remedy, "   (");
		size_t n = strcspn(remedy, ";");

		if (others != NULL && (size_t)(others - remedy) < n)
			n = (size_t)(others - remedy);

		if (!at_word || n >= sizeof words ||
		    (!begins(remedy, "runpostctl ") && !begins(remedy, "runpost "))) {
			at_word = *remedy == ' ';
			ok = rp_buf_add_char(out, *remedy++);
			continue;
		}
		snprintf(words, sizeof words, "%.*s", (int)n, remedy);
		ok = strcmp(words, "runpost send") == 0
			 ? rp_command_add_send(out, place, &is_command)
			 : rp_command_add(out, place, words);
		remedy += n;
	}
	return ok;
}

static bool add_finding(struct rp_doctor *d, const char *check, enum rp_doctor_level level,
			const char *remedy, const char *text)
{
	static const char *const words[] = {"ok", "warn", "fail"};
	static const enum rp_style styles[] = {RP_STYLE_GOOD, RP_STYLE_WARN, RP_STYLE_BAD};
	struct rp_buf *out = &d->ctl->out;
	struct rp_json_out *o;

	switch (d->format) {
	case RP_DOCTOR_FOR_PEOPLE:
		return rp_style_add(out, styles[level], d->ctl->color, words[level]) &&
		       rp_buf_printf(out, "%*s%-12s ", (int)(6 - strlen(words[level])), "",
				     check) &&
		       rp_text_tame(rp_span_of(text), out) && rp_buf_add_char(out, '\n') &&
		       (remedy == NULL || rp_buf_printf(out, "%19s-> %s\n", "", remedy));
	case RP_DOCTOR_FOR_JSON:
		o = rp_json_out_new();
		rp_json_out_text(o, "check", check);
		rp_json_out_text(o, "level", words[level]);
		rp_json_out_text(o, "text", text);
		rp_json_out_text(o, "remedy", remedy);
		return rp_ctl_add_json(d->ctl, o);
	case RP_DOCTOR_FOR_NAGIOS:
		return level == RP_DOCTOR_OK ||
		       ((d->worst_text.len == 0 || rp_buf_add_text(&d->worst_text, "; ")) &&
			rp_buf_printf(&d->worst_text, "%s: ", check) &&
			rp_text_tame(rp_span_of(text), &d->worst_text));
	case RP_DOCTOR_FOR_PROMETHEUS:
		return rp_buf_printf(out, "runpost_doctor_check{check=\"%s\"} %d\n", check,
				     (int)level);
	}
	return true;
}

/* remedy: complete; NULL: none. */
static void report(struct rp_doctor *d, const char *check, enum rp_doctor_level level,
		   const char *remedy, const char *fmt, va_list ap)
    __attribute__((format(printf, 5, 0)));
static void report(struct rp_doctor *d, const char *check, enum rp_doctor_level level,
		   const char *remedy, const char *fmt, va_list ap)
{
	char text[RP_ERROR_TEXT_MAX + 200];

	vsnprintf(text, sizeof text, fmt, ap);
	d->n[level]++;
	if (level > d->worst)
		d->worst = level;
	if (!add_finding(d, check, level, level != RP_DOCTOR_OK ? remedy : NULL, text))
		d->no_memory = true;
}

void rp_doctor_report(struct rp_doctor *d, const char *check, enum rp_doctor_level level,
		      const char *remedy, const char *fmt, ...)
{
	struct rp_buf full = {0};
	va_list ap;

	if (remedy != NULL && !add_remedy(d, remedy, &full))
		d->no_memory = true;
	va_start(ap, fmt);
	report(d, check, level, full.data, fmt, ap);
	va_end(ap);
	rp_buf_release(&full);
}

void rp_doctor_report_command(struct rp_doctor *d, const char *check, enum rp_doctor_level level,
			      const char *command, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	report(d, check, level, command, fmt, ap);
	va_end(ap);
}

void rp_doctor_report_error(struct rp_doctor *d, const struct rp_error *err)
{
	struct rp_remedy r = rp_remedy_of(err->code, err->sys);

	if (r.means != NULL)
		rp_doctor_report(d, "store", RP_DOCTOR_FAIL, r.remedy, "%s (%s)", err->text,
				 r.means);
	else
		rp_doctor_report(d, "store", RP_DOCTOR_FAIL, r.remedy, "%s", err->text);
}

/* One line, with numbers to plot behind a bar. */
static bool add_nagios(struct rp_doctor *d)
{
	static const char *const words[] = {"OK", "WARNING", "CRITICAL"};

	return rp_buf_printf(&d->ctl->out, "RUNPOST %s - ", words[d->worst]) &&
	       (d->worst_text.len > 0
		    ? rp_buf_add(&d->ctl->out, d->worst_text.data, d->worst_text.len)
		    : rp_buf_printf(&d->ctl->out, "%u checks", d->n[RP_DOCTOR_OK])) &&
	       rp_buf_printf(&d->ctl->out,
			     " | waiting=%" PRIu64 " in_flight=%" PRIu64 " dead=%" PRIu64
			     " senders=%u\n",
			     d->ledger.waiting, d->ledger.in_flight, d->ledger.dead, d->alive);
}

void rp_doctor_report_begin(struct rp_doctor *d)
{
	if (d->format == RP_DOCTOR_FOR_PROMETHEUS)
		d->no_memory = !rp_buf_add_text(
		    &d->ctl->out, "# HELP runpost_doctor_check Checks of runpostctl doctor: 0 ok, "
				  "1 warning, 2 failure.\n# TYPE runpost_doctor_check gauge\n");
}

void rp_doctor_report_end(struct rp_doctor *d)
{
	if (d->format == RP_DOCTOR_FOR_NAGIOS)
		d->no_memory = !add_nagios(d) || d->no_memory;
}
