/* doctor.h - the checks of `runpostctl doctor`: each is told with a level, and what is not right
 * with a remedy.
 *
 * verb_doctor.c: the checks before the outbox is open, and the verb. doctor_outbox.c: those of
 * what it holds and who works on it. doctor_report.c: a finding in each format. */
#ifndef RP_CTL_REPORT_DOCTOR_H
#define RP_CTL_REPORT_DOCTOR_H

#include "ctl/common/ctl.h"

/* The exit codes of monitoring plugins. */
enum rp_doctor_level { RP_DOCTOR_OK, RP_DOCTOR_WARN, RP_DOCTOR_FAIL };

struct rp_doctor {
	struct rp_ctl *ctl;
	enum {
		RP_DOCTOR_FOR_PEOPLE,
		RP_DOCTOR_FOR_JSON,
		RP_DOCTOR_FOR_NAGIOS,
		RP_DOCTOR_FOR_PROMETHEUS
	} format;
	enum rp_doctor_level worst;
	unsigned n[3];
	struct rp_buf worst_text; /* of those that are not ok, for nagios */
	bool no_memory;
	struct rp_ledger ledger;
	int64_t boot_ms;
	unsigned alive, beating;
	int64_t clock_step_ms; /* the largest any sender tells; 0: none */
	unsigned clock_slot;   /* whose */
};

/* One finding; remedy: what to do about it, NULL for none. Commands of ours in it are completed:
 * see doctor_report.c. Sets no_memory when it does not fit. */
void rp_doctor_report(struct rp_doctor *d, const char *check, enum rp_doctor_level level,
		      const char *remedy, const char *fmt, ...)
    __attribute__((format(printf, 5, 6)));
/* ... whose remedy is one command with words of other people in it, which is complete
 * (command.h). */
void rp_doctor_report_command(struct rp_doctor *d, const char *check, enum rp_doctor_level level,
			      const char *command, const char *fmt, ...)
    __attribute__((format(printf, 5, 6)));
/* The finding "store" for an error of the store. */
void rp_doctor_report_error(struct rp_doctor *d, const struct rp_error *err);
/* Before the first finding, and after the last: what the format has around them. */
void rp_doctor_report_begin(struct rp_doctor *d);
void rp_doctor_report_end(struct rp_doctor *d);

/* Ledger, room, senders, readers, clock, backlog, dead letters and endpoints of the open outbox.
 * Returns an exit code that is not RP_EXIT_OK only when there is no memory; a failing store is a
 * finding. */
int rp_doctor_examine(struct rp_doctor *d);

#endif
