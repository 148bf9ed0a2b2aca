/* verb_doctor.c - the verb `doctor`: checks files, locks and configuration before it opens the
 * outbox. The checks of an open outbox are in report/doctor.c. */

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/sys.h"
#include "ctl/common/stopped.h"
#include "config/webhook_file.h"
#include "serve/door_report.h"
#include "ctl/verbs/doctor_print.h"
#include "ctl/verbs/verbs.h"

#define NOT_TRIED (-2)
#define LOCK_WAIT_MS 2000 /* no transaction of ours is longer than some 20 ms */

/* Of an outbox that was opened: the mode of a directory that is none of ours is nobody's business
 * here. */
static void check_mode(struct rp_doctor *d, const char *dir)
{
	static const char *const files[] = {"", "/data.mdb"};
	struct rp_buf path = {0}, remedy = {0};
	bool well = true;
	struct stat st;
	size_t i;

	for (i = 0; i < 2 && well && !d->no_memory; i++) {
		rp_buf_clear(&path);
		rp_buf_clear(&remedy);
		d->no_memory = !rp_buf_printf(&path, "%s%s", dir, files[i]) ||
			       !rp_buf_add_text(&remedy, "chmod go= ") ||
			       !rp_shell_quote_path(path.data, &remedy);
		if (d->no_memory || stat(path.data, &st) != 0)
			break;
		well = false;
		if ((st.st_mode & 077) != 0)
			rp_doctor_report_command(
			    d, "permissions", RP_DOCTOR_WARN, remedy.data,
			    "%s: others may use it (mode %03o): payloads and URL tokens are in it",
			    path.data, (unsigned)st.st_mode & 0777);
		else if (st.st_uid != geteuid() && geteuid() != 0)
			rp_doctor_report(
			    d, "permissions", RP_DOCTOR_WARN, "run the programs as one user",
			    "%s: belongs to another user (uid %u)", path.data, (unsigned)st.st_uid);
		else
			well = true;
	}
	if (well && !d->no_memory)
		rp_doctor_report(d, "permissions", RP_DOCTOR_OK, NULL,
				 "nobody else may use the outbox");
	rp_buf_release(&remedy);
	rp_buf_release(&path);
}

/* Opens the outbox in a child and takes the write lock: LMDB's has no timeout, and whoever waits
 * for a stopped process waits as long as that. The child has nothing of ours open. Result: its
 * exit code; -1: it did not get the lock in time; NOT_TRIED: there could be no child. */
static int probe_lock(const char *dir, const struct rp_outbox_options *options)
{
	int64_t until_us = rp_sys_stopwatch_us() + LOCK_WAIT_MS * INT64_C(1000);
	struct rp_outbox *ob;
	struct rp_error err;
	int status;
	pid_t pid = fork();

	if (pid < 0)
		return NOT_TRIED;
	if (pid == 0) {
		if (rp_outbox_open(dir, options, &ob, &err) != RP_OK)
			_exit(rp_err_exit_code(err.code));
		/* a change of no entry: takes the lock, changes nothing */
		if (rp_outbox_change(ob, 0, RP_CHANGE_HOLD, 0, NULL, 0, 0, NULL, &err) != RP_OK)
			_exit(rp_err_exit_code(err.code));
		_exit(0);
	}
	while (waitpid(pid, &status, WNOHANG) == 0) {
		if (rp_sys_stopwatch_us() >= until_us) {
			kill(pid, SIGKILL);
			waitpid(pid, &status, 0);
			return -1;
		}
		rp_sys_pause_ms(5);
	}
	return WIFEXITED(status) ? WEXITSTATUS(status) : RP_EXIT_SOFTWARE;
}

#define REMEDY_MAX 160

static const char *name_stopped(const char *dir, char remedy[REMEDY_MAX])
{
	pid_t stopped = rp_stopped_find(dir);

	if (stopped > 0)
		snprintf(
		    remedy, REMEDY_MAX,
		    "process %d is stopped and has the outbox open: kill -CONT %d   (or end it)",
		    (int)stopped, (int)stopped);
	else
		snprintf(
		    remedy, REMEDY_MAX,
		    "find the stopped process (ps -eo pid,stat,args): kill -CONT it, or end it");
	return remedy;
}

static void report_lock(struct rp_doctor *d, const char *dir, int probed)
{
	char remedy[REMEDY_MAX];

	if (probed == 0)
		rp_doctor_report(d, "write_lock", RP_DOCTOR_OK, NULL, "it is free within %d ms",
				 LOCK_WAIT_MS);
	else if (probed == NOT_TRIED)
		rp_doctor_report(d, "write_lock", RP_DOCTOR_WARN,
				 "raise the limit of processes (ulimit -u), or end some",
				 "no process could be started to try it");
	else if (probed < 0)
		rp_doctor_report(
		    d, "write_lock", RP_DOCTOR_FAIL, name_stopped(dir, remedy),
		    "somebody holds it for more than %d ms: nothing can be taken or settled",
		    LOCK_WAIT_MS);
	else
		rp_doctor_report(d, "write_lock", RP_DOCTOR_FAIL, "see the other checks",
				 "it cannot be taken (waited up to %d ms)", LOCK_WAIT_MS);
}

static void check_store(struct rp_doctor *d, struct rp_ctl *ctl)
{
	const struct rp_config *config = d->config;
	const char *dir = ctl->outbox_dir != NULL ? ctl->outbox_dir : rp_config_outbox(config);
	struct rp_outbox_options options = {.map_bytes = config->map_bytes,
					    .quota_bytes = config->quota_bytes,
					    .disk_reserve_bytes = config->disk_reserve_bytes};
	char remedy[REMEDY_MAX];
	struct rp_door_seen door;
	struct rp_error err;
	const bool database = rp_outbox_is_database(dir);
	int probed = database ? 0 : probe_lock(dir, &options);

	if (rp_outbox_open(dir, &options, &d->ob, &err) != RP_OK) {
		if (err.code == RP_ERR_BUSY && !database && rp_stopped_find(dir) > 0)
			rp_doctor_report(d, "store", RP_DOCTOR_FAIL, name_stopped(dir, remedy),
					 "%s", err.text);
		else
			rp_doctor_report_error(d, &err);
		return;
	}
	rp_place_judge(&ctl->place, ctl->settings->path, rp_config_outbox(config), dir);
	if (!database)
		check_mode(d, dir);
	rp_doctor_report(d, "store", RP_DOCTOR_OK, NULL, "%s opens",
			 database ? rp_outbox_address(d->ob) : dir);
	if (!database)
		report_lock(d, dir, probed);
	rp_doctor_examine(d);
	rp_door_see(d->ob, &door);
	rp_door_examine(d, &door, config->door.rejects);
	rp_outbox_close(d->ob);
}

struct warned {
	struct rp_doctor *d;
	bool config, secrets; /* there was such a warning */
};

static void take_warning(void *arg, bool stops, const char *text, const char *remedy)
{
	struct warned *w = arg;

	if (stops)
		w->secrets = true;
	else
		w->config = true;
	if (stops)
		rp_doctor_report(w->d, "secrets", RP_DOCTOR_FAIL, remedy, "%s", text);
	else
		rp_doctor_report_command(w->d, "config", RP_DOCTOR_WARN, remedy, "%s", text);
}

/* What `runpost ingest` and `runpost send` read besides, at their start. */
static void check_files(struct rp_doctor *d, struct rp_settings *settings)
{
	const char *webhook = settings->config.webhook_file;
	struct warned warned = {.d = d};
	struct rp_buf url = {0};
	struct rp_error err;
	bool readable = rp_settings_load_secrets(settings, &err) == RP_OK &&
			(webhook == NULL || rp_webhook_file_read(webhook, &url, &err) == RP_OK);

	if (!rp_settings_warn(settings, rp_sys_wall_ms(&rp_sys_real) / 1000, take_warning, &warned))
		d->no_memory = true;
	if (!warned.config)
		rp_doctor_report(d, "config", RP_DOCTOR_OK, NULL, "%s",
				 settings->path != NULL ? settings->path : "no file: all defaults");
	if (!readable)
		rp_doctor_report(d, "secrets", RP_DOCTOR_FAIL, "runpost check-config", "%s",
				 err.text);
	else if (rp_settings_tls(settings, &settings->config.defaults).anchors == NULL)
		rp_doctor_report(d, "secrets", RP_DOCTOR_WARN, "apt-get install ca-certificates",
				 "this system has no certificates of authorities: what [defaults] "
				 "sends by https fails");
	else if (!warned.secrets)
		rp_doctor_report(d, "secrets", RP_DOCTOR_OK, NULL,
				 "all that are named can be read, by nobody else");
	rp_buf_release(&url);
}

static void check_all(struct rp_doctor *d, struct rp_ctl *ctl)
{
	struct rp_settings settings;
	struct rp_error err;

	if (rp_settings_load(ctl->config_path, &settings, &err) != RP_OK) {
		rp_doctor_report(d, "config", RP_DOCTOR_FAIL, "runpost check-config", "%s",
				 err.text);
		return;
	}
	ctl->settings = &settings;
	d->config = &settings.config;
	check_files(d, &settings);
	check_store(d, ctl);
	ctl->settings = NULL;
	rp_settings_release(&settings);
}

static int read_format(struct rp_doctor_print *p)
{
	const char *f = p->ctl->check;

	p->format = p->ctl->json ? RP_DOCTOR_FOR_JSON : RP_DOCTOR_FOR_PEOPLE;
	if (f == NULL || strcmp(f, "json") == 0)
		p->format = f == NULL ? p->format : RP_DOCTOR_FOR_JSON;
	else if (strcmp(f, "nagios") == 0)
		p->format = RP_DOCTOR_FOR_NAGIOS;
	else if (strcmp(f, "prometheus") == 0)
		p->format = RP_DOCTOR_FOR_PROMETHEUS;
	else {
		rp_ctl_say(
		    "doctor: --check %.40s: no such format; there are nagios, json and prometheus",
		    f);
		return RP_EXIT_USAGE;
	}
	return RP_EXIT_OK;
}

int rp_verb_doctor(struct rp_ctl *ctl)
{
	struct rp_doctor_print p = {.ctl = ctl};
	struct rp_doctor d = {.place = &ctl->place,
			      .now_at_ms = ctl->now_at_ms,
			      .boot_ms = rp_sys_boot_ms(&rp_sys_real),
			      .tell = rp_doctor_print,
			      .arg = &p};
	int code = read_format(&p);

	if (code != RP_EXIT_OK)
		return code;
	d.no_memory = !rp_doctor_print_begin(&p);
	check_all(&d, ctl);
	d.no_memory = !rp_doctor_print_end(&p, &d) || d.no_memory;
	code = d.no_memory ? rp_ctl_no_memory() : rp_ctl_flush(ctl);
	rp_buf_release(&p.worst_text);
	if (code == RP_EXIT_OK)
		return (int)d.worst;
	return p.format == RP_DOCTOR_FOR_NAGIOS ? 3 : code;
}
