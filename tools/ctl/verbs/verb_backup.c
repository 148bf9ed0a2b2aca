/* verb_backup.c - the verb `backup`: copies the outbox and records that somebody did. */

#include <stdio.h>

#include "base/units.h"
#include "ctl/ctl.h"
#include "ctl/change/audit.h"
#include "ctl/screen/progress.h"
#include "ctl/stop.h"

static bool go_on(void *arg, uint64_t bytes)
{
	rp_progress_at(arg, bytes);
	return !rp_stop_asked();
}

static bool add_result(struct rp_ctl *ctl, const char *dir, const struct rp_backup *b,
		       int64_t took_us)
{
	char size[32], growth[32], took[RP_DURATION_TEXT_MAX];
	struct rp_json_out *o;

	if (!ctl->json)
		return rp_buf_printf(
		    &ctl->out, "%s: %s in %s; the outbox's file grew by %s meanwhile\n", dir,
		    rp_size_text(b->bytes, size), rp_duration_format(took_us / 1000, took),
		    rp_size_text(b->growth_bytes, growth));
	o = rp_json_out_new();
	rp_json_out_text(o, "verb", "backup");
	rp_json_out_text(o, "dir", dir);
	rp_json_out_int(o, "bytes", (int64_t)b->bytes);
	rp_json_out_int(o, "duration_ms", took_us / 1000);
	rp_json_out_int(o, "growth_bytes", (int64_t)b->growth_bytes);
	return rp_ctl_add_json(ctl, o);
}

int rp_verb_backup(struct rp_ctl *ctl)
{
	struct rp_backup b = {.go_on = go_on, .max_growth_bytes = ctl->max_growth_bytes};
	struct rp_progress progress;
	struct rp_outbox_info info;
	struct rp_error err;
	enum rp_err e;
	int64_t began_us;
	uint64_t audit;

	if (ctl->n_names != 1) {
		rp_ctl_say("backup: name one directory that is to be made; see `runpostctl backup "
			   "--help`");
		return RP_EXIT_USAGE;
	}
	if (rp_outbox_info(ctl->ob, &info, &err) != RP_OK)
		return rp_ctl_fail(&err);
	/* a copy has all secrets in it; see verb_export.c for why it goes on */
	if (rp_ctl_audit_file(ctl, ctl->names[0], &audit) != RP_EXIT_OK)
		rp_ctl_say("the log of changes could not be written; the backup goes on");
	rp_stop_catch();
	rp_progress_begin(&progress, "backup", info.used_bytes, true);
	b.arg = &progress;
	began_us = rp_sys_stopwatch_us();
	e = rp_outbox_backup(ctl->ob, ctl->names[0], &b, &err);
	rp_progress_end(&progress);
	if (e == RP_ERR_EXISTS)
		return rp_ctl_fail(&err), RP_EXIT_USAGE;
	if (e == RP_ERR_STALE)
		return rp_ctl_fail(&err), RP_EXIT_INTERRUPTED;
	if (e != RP_OK)
		return rp_ctl_fail(&err);
	if (!add_result(ctl, ctl->names[0], &b, rp_sys_stopwatch_us() - began_us))
		return rp_ctl_no_memory();
	return rp_ctl_flush(ctl);
}
