/* doctor.h - what is wrong with an outbox: findings, each with a level, and with a remedy where
 * something is not right.
 *
 * doctor.c has the checks of an open outbox, doctor_finding.c makes a finding. A front adds checks
 * of its own and gives each finding the format it wants. */
#ifndef RP_REPORT_DOCTOR_H
#define RP_REPORT_DOCTOR_H

#include "config/config.h"
#include "report/command.h"
#include "store/outbox.h"

/* The exit codes of monitoring plugins. */
enum rp_doctor_level { RP_DOCTOR_OK, RP_DOCTOR_WARN, RP_DOCTOR_FAIL };

struct rp_finding {
	const char *check; /* a word that never changes */
	enum rp_doctor_level level;
	const char *text;
	const char *remedy; /* its commands are complete (command.h); NULL: none, or it is ok */
};

struct rp_doctor {
	/* The caller's: the open outbox, the configuration, where commands are told to look, ... */
	struct rp_outbox *ob;
	const struct rp_config *config;
	const struct rp_place *place;
	int64_t now_at_ms, boot_ms;
	/* ... and what takes each finding. false: out of memory. */
	bool (*tell)(void *arg, const struct rp_finding *f);
	void *arg;
	/* What was found so far; zeros at first. */
	enum rp_doctor_level worst;
	unsigned n[3]; /* findings by level */
	bool no_memory;
	struct rp_ledger ledger;
	unsigned alive, beating;
	int64_t clock_step_ms; /* the largest any sender tells; 0: none */
	unsigned clock_slot;   /* whose */
};

/* One finding; remedy: what to do about it, NULL for none. Commands of ours in it are completed:
 * see doctor_finding.c. Sets no_memory when it does not fit. */
void rp_doctor_report(struct rp_doctor *d, const char *check, enum rp_doctor_level level,
		      const char *remedy, const char *fmt, ...)
    __attribute__((format(printf, 5, 6)));
/* ... whose remedy is one command with words of other people in it, which is complete. */
void rp_doctor_report_command(struct rp_doctor *d, const char *check, enum rp_doctor_level level,
			      const char *command, const char *fmt, ...)
    __attribute__((format(printf, 5, 6)));
/* The finding "store" for an error of the store. */
void rp_doctor_report_error(struct rp_doctor *d, const struct rp_error *err);

/* Ledger, room, senders, readers, clock, backlog, dead letters and endpoints of the open outbox. A
 * failing store is a finding. */
void rp_doctor_examine(struct rp_doctor *d);

#endif
