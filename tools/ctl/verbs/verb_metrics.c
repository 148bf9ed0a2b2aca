/* verb_metrics.c - the verb `metrics`: prints counters for Prometheus, or writes them into a file
 * that node_exporter reads. */

#include "base/file.h"
#include "report/metrics.h"
#include "ctl/verbs/verbs.h"

static int write_file(struct rp_ctl *ctl)
{
	struct rp_error err;

	if (rp_file_replace(ctl->textfile, (struct rp_span){ctl->out.data, ctl->out.len}, 0644,
			    &err) != RP_OK)
		return rp_ctl_fail(&err);
	return RP_EXIT_OK;
}

int rp_verb_metrics(struct rp_ctl *ctl)
{
	struct rp_statistics st;
	int code = rp_ctl_read_statistics(ctl, &st);
	struct rp_error err;

	if (code == RP_EXIT_OK &&
	    rp_statistics_split(&st, ctl->ob, &ctl->settings->config, &err) != RP_OK)
		code = rp_ctl_fail(&err);
	if (code == RP_EXIT_OK && !rp_metrics_add(&st, &ctl->settings->config, &ctl->out))
		code = rp_ctl_no_memory();
	else if (code == RP_EXIT_OK)
		code = ctl->textfile != NULL ? write_file(ctl) : rp_ctl_flush(ctl);
	rp_statistics_release(&st);
	return code;
}
