/* verb_metrics.c - the verb `metrics`: prints counters for Prometheus, or writes them into a file
 * that node_exporter reads. */

#include "base/file.h"
#include "base/sys.h"
#include "serve/scrape.h"
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
	struct rp_error err;

	if (rp_scrape_add(ctl->ob, &ctl->settings->config, ctl->now_at_ms,
			  rp_sys_boot_ms(&rp_sys_real), &ctl->out, &err) != RP_OK)
		return rp_ctl_fail(&err);
	return ctl->textfile != NULL ? write_file(ctl) : rp_ctl_flush(ctl);
}
