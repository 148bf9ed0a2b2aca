/* ctl.c - has what all verbs share: messages, tables, JSON lines, sizes and ages. It knows no
 * verb. */

#include "ctl/common/ctl.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/units.h"
#include "model/record.h"
#include "ctl/common/stop.h"

void rp_ctl_say(const char *fmt, ...)
{
	va_list ap;

	fputs("runpostctl: ", stderr);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
}

int rp_ctl_fail(const struct rp_error *err)
{
	rp_ctl_say("%s", err->text);
	return rp_err_exit_code(err->code);
}

int rp_ctl_no_memory(void)
{
	rp_ctl_say("out of memory; a smaller --limit needs less");
	return RP_EXIT_TEMPFAIL;
}

int rp_ctl_flush(struct rp_ctl *ctl)
{
	size_t n = ctl->out.len;
	bool ok = n == 0 || fwrite(ctl->out.data, 1, n, stdout) == n;

	rp_buf_clear(&ctl->out);
	if (ok && fflush(stdout) == 0)
		return RP_EXIT_OK;
	if (errno == EINTR && rp_stop_asked())
		return RP_EXIT_INTERRUPTED;
	rp_ctl_say("cannot write to standard output: %s", strerror(errno));
	return RP_EXIT_IO;
}

bool rp_ctl_add_json(struct rp_ctl *ctl, struct rp_json_out *object)
{
	bool ok = object != NULL && rp_json_out_print(object, &ctl->out) &&
		  rp_buf_add_char(&ctl->out, '\n');

	rp_json_out_free(object);
	return ok;
}

bool rp_ctl_add_table(struct rp_ctl *ctl, struct rp_table *table)
{
	bool ok = table != NULL && rp_table_flush(table, &ctl->out);

	rp_table_free(table);
	return ok;
}

struct rp_table *rp_ctl_table(const struct rp_ctl *ctl, const struct rp_column *columns, size_t n)
{
	struct rp_table_options options = {
	    .tsv = !ctl->out_tty, .color = ctl->color, .width = ctl->width};

	return rp_table_new(columns, n, options);
}

const char *rp_when(int64_t at_ms, int64_t now_at_ms, char out[RP_WHEN_TEXT_MAX])
{
	char text[RP_DURATION_TEXT_MAX];
	int64_t ms = at_ms - now_at_ms;

	if (at_ms == 0 || at_ms == RP_NEVER)
		snprintf(out, RP_WHEN_TEXT_MAX, "-");
	else if (ms > -1000 && ms < 1000)
		snprintf(out, RP_WHEN_TEXT_MAX, "now");
	else if (ms > 0)
		snprintf(out, RP_WHEN_TEXT_MAX, "in %s", rp_duration_format(ms, text));
	else
		snprintf(out, RP_WHEN_TEXT_MAX, "%s ago", rp_duration_format(-ms, text));
	return out;
}

const char *rp_size_text(uint64_t bytes, char out[32])
{
	static const char *const units[] = {"KiB", "MiB", "GiB", "TiB"};
	double value = (double)bytes / 1024;
	size_t i = 0;

	if (bytes < 1024) {
		snprintf(out, 32, "%" PRIu64 " B", bytes);
		return out;
	}
	while (value >= 1024 && i + 1 < sizeof units / sizeof units[0]) {
		value /= 1024;
		i++;
	}
	snprintf(out, 32, "%.1f %s", value, units[i]);
	return out;
}
