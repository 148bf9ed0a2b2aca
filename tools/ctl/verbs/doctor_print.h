/* doctor_print.h - findings of `doctor` as text, as JSON and for monitors. */
#ifndef RP_CTL_VERBS_DOCTOR_PRINT_H
#define RP_CTL_VERBS_DOCTOR_PRINT_H

#include "ctl/common/ctl.h"
#include "report/doctor.h"

/* Init with ctl and format. */
struct rp_doctor_print {
	struct rp_ctl *ctl;
	enum {
		RP_DOCTOR_FOR_PEOPLE,
		RP_DOCTOR_FOR_JSON,
		RP_DOCTOR_FOR_NAGIOS,
		RP_DOCTOR_FOR_PROMETHEUS
	} format;
	struct rp_buf worst_text; /* of those that are not ok, for nagios; release it */
};

/* All add to ctl->out; false: out of memory. */

/* One finding, as `tell` of rp_doctor with an rp_doctor_print as its argument. */
bool rp_doctor_print(void *arg, const struct rp_finding *f);
/* Before the first finding, and after the last: what the format has around them. */
bool rp_doctor_print_begin(struct rp_doctor_print *p);
bool rp_doctor_print_end(struct rp_doctor_print *p, const struct rp_doctor *d);

#endif
