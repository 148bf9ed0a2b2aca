/* audit.c - records who changed what. It finds out who the user is, which the store has no
 * business to know. */

#include "ctl/change/audit.h"

#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "ctl/select/selector_text.h"

/* The file is asked first, because it mostly knows, and because the C library's way to the other
 * places where users may be known crashes when there is no memory. */
static const struct passwd *find_user(uid_t uid)
{
	FILE *file = fopen("/etc/passwd", "re");
	const struct passwd *user;
	bool to_the_end;

	if (file == NULL)
		return NULL;
	do
		user = fgetpwent(file);
	while (user != NULL && user->pw_uid != uid);
	to_the_end = feof(file) != 0;
	fclose(file);
	return user == NULL && to_the_end ? getpwuid(uid) : user;
}

const char *rp_who(uint32_t *uid, char out[RP_WHO_TEXT_MAX])
{
	const struct passwd *user = find_user(getuid());
	const char *sudo = getenv("SUDO_USER");
	char number[16];

	*uid = (uint32_t)getuid();
	snprintf(number, sizeof number, "%u", (unsigned)getuid());
	if (sudo != NULL && sudo[0] != '\0' && getuid() == 0)
		snprintf(out, RP_WHO_TEXT_MAX, "%.60s (%.60s)",
			 user != NULL ? user->pw_name : number, sudo);
	else
		snprintf(out, RP_WHO_TEXT_MAX, "%.60s", user != NULL ? user->pw_name : number);
	return out;
}

static struct rp_span reason_of(const struct rp_ctl *ctl)
{
	return rp_span_of(ctl->reason != NULL ? ctl->reason : "");
}

int rp_ctl_audit_add(struct rp_ctl *ctl, const char *sub, struct rp_span what, uint64_t done,
		     uint64_t *number)
{
	struct rp_audit a = {.at_ms = rp_sys_wall_ms(&rp_sys_real),
			     .done = done,
			     .what = what,
			     .reason = reason_of(ctl)};
	char who[RP_WHO_TEXT_MAX], verb[40];
	struct rp_error err;

	snprintf(verb, sizeof verb, "%s%s%s", ctl->verb->name, sub != NULL ? " " : "",
		 sub != NULL ? sub : "");
	a.verb = rp_span_of(verb);
	a.user = rp_span_of(rp_who(&a.uid, who));
	return rp_outbox_audit_add(ctl->ob, &a, number, &err) == RP_OK ? RP_EXIT_OK
								       : rp_ctl_fail(&err);
}

int rp_ctl_audit_count(struct rp_ctl *ctl, uint64_t number, uint64_t done)
{
	struct rp_error err;

	if (rp_outbox_audit_count(ctl->ob, rp_sys_wall_ms(&rp_sys_real), number, done, &err) ==
	    RP_OK)
		return RP_EXIT_OK;
	return rp_ctl_fail(&err);
}

int rp_ctl_audit_file(struct rp_ctl *ctl, const char *path, uint64_t *number)
{
	char *full = strcmp(path, "-") == 0 ? strdup("-") : rp_path_absolute(path);
	struct rp_buf what = {0}, selector = {0};
	int code = RP_EXIT_OK;

	if (full == NULL || !rp_selector_text(&ctl->selector, &selector) ||
	    !rp_shell_quote(full, &what) ||
	    !rp_buf_printf(&what, "%s%s", selector.len > 0 ? " " : "",
			   selector.len > 0 ? selector.data : ""))
		code = rp_ctl_no_memory();
	if (code == RP_EXIT_OK)
		code =
		    rp_ctl_audit_add(ctl, NULL, (struct rp_span){what.data, what.len}, 0, number);
	free(full);
	rp_buf_release(&selector);
	rp_buf_release(&what);
	return code;
}

int rp_start_job(struct rp_ctl *ctl, uint64_t number)
{
	struct rp_job_order order = {
	    .kind = RP_ORDER_START, .rate = ctl->rate, .reason = reason_of(ctl)};
	char who[RP_WHO_TEXT_MAX];
	struct rp_error err;

	order.user = rp_span_of(rp_who(&order.uid, who));
	if (rp_outbox_job_order(ctl->ob, rp_sys_wall_ms(&rp_sys_real), number, &order, &err) !=
	    RP_OK)
		return rp_ctl_fail(&err);
	return RP_EXIT_OK;
}
