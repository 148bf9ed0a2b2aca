/* ctl.c - has what all verbs share: messages, tables, JSON lines, endpoints. It knows no verb. */

#include "ctl/common/ctl.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/sys.h"
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

int rp_ctl_load_endpoints(struct rp_ctl *ctl, struct rp_known_endpoints *out)
{
	struct rp_error err;
	enum rp_err e = rp_known_endpoints_load(ctl->ob, &ctl->settings->config, out, &err);

	return e == RP_OK ? RP_EXIT_OK : rp_ctl_fail(&err);
}

int rp_ctl_read_statistics(struct rp_ctl *ctl, struct rp_statistics *out)
{
	struct rp_error err;
	enum rp_err e = rp_statistics_read(ctl->ob, &ctl->settings->config, ctl->now_at_ms,
					   rp_sys_boot_ms(&rp_sys_real), out, &err);

	return e == RP_OK ? RP_EXIT_OK : rp_ctl_fail(&err);
}

int rp_ctl_resolve_glob(struct rp_ctl *ctl, struct rp_endpoint_glob *g)
{
	struct rp_buf shown = {0};
	struct rp_error err;
	size_t n_fits;
	int code = RP_EXIT_OK;

	g->config = &ctl->settings->config;
	if (rp_endpoint_glob_resolve(ctl->ob, g, &n_fits, &err) != RP_OK)
		return rp_ctl_fail(&err);
	if (n_fits < 2)
		return RP_EXIT_OK;
	if (rp_text_escape((struct rp_span){g->name.data, g->name.len}, &shown))
		rp_ctl_say("%s: taken as the name of this one endpoint; the pattern, which fits "
			   "%zu, has a backslash in front",
			   shown.data, n_fits);
	else
		code = rp_ctl_no_memory();
	rp_buf_release(&shown);
	return code;
}
