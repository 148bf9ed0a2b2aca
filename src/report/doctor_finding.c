/* doctor_finding.c - makes findings of `doctor`: words, levels, and remedies whose commands can be
 * pasted. It is apart from the checks because every front adds some of its own. */

#include "report/doctor.h"

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
			 ? rp_command_add_send(out, d->place, &is_command)
			 : rp_command_add(out, d->place, words);
		remedy += n;
	}
	return ok;
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
	if (!d->tell(d->arg, &(const struct rp_finding){check, level, text,
							level != RP_DOCTOR_OK ? remedy : NULL}))
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
