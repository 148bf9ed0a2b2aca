#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/sys.h"
#include "base/units.h"
#include "endpoints.h"
#include "stopped.h"

/* Levels are the exit codes of monitoring plugins. */
enum level { OK, WARN, FAIL };

/* Where a number begins to be worth a line. */
enum {
	LOCK_WAIT_MS = 2000, /* no transaction of ours is longer than some 20 ms */
	QUOTA_WARN = 80,
	QUOTA_FAIL = 95,   /* percent */
	READERS_WARN = 80, /* percent of the slots */
	LAG_WARN = 50000,  /* commits: at 1,000 a second a reader of almost a minute */
	OVERDUE_WARN_MS = 300000,
	OVERDUE_FAIL_MS = 3600000,
	DEAD_LATELY_MS = 3600000,
	CLOCK_SLACK_MS = 60000,
	CLOCK_LATELY_MS = 3600000,
};

struct doctor {
	struct rp_ctl *ctl;
	enum { FOR_PEOPLE, FOR_JSON, FOR_NAGIOS, FOR_PROMETHEUS } format;
	enum level worst;
	unsigned n[3];
	struct rp_buf worst_text; /* of those that are not ok, for nagios */
	bool no_memory;
	struct rp_ledger ledger;
	int64_t boot_ms;
	unsigned alive, beating;
	int64_t clock_step_ms; /* the largest any sender tells; 0: none */
	unsigned clock_slot;   /* whose */
};

static void report(struct doctor *d, const char *check, enum level level, const char *remedy, const char *fmt, ...)
    __attribute__((format(printf, 5, 6)));
static void report(struct doctor *d, const char *check, enum level level, const char *remedy, const char *fmt, ...)
{
	static const char *const words[] = {"ok", "warn", "fail"};
	static const enum rp_style styles[] = {RP_STYLE_GOOD, RP_STYLE_WARN, RP_STYLE_BAD};
	struct rp_buf *out = &d->ctl->out;
	struct rp_json_out *o;
	char text[RP_ERROR_TEXT_MAX + 200];
	va_list ap;
	bool ok = true;

	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	d->n[level]++;
	if (level > d->worst)
		d->worst = level;
	switch (d->format) {
	case FOR_PEOPLE:
		ok = rp_style_add(out, styles[level], d->ctl->color, words[level]) &&
		     rp_buf_printf(out, "%*s%-12s ", (int)(6 - strlen(words[level])), "", check) &&
		     rp_text_escape(rp_span_of(text), out) && rp_buf_add_char(out, '\n') &&
		     (level == OK || remedy == NULL || rp_buf_printf(out, "%19s-> %s\n", "", remedy));
		break;
	case FOR_JSON:
		o = rp_json_out_new();
		rp_json_out_text(o, "check", check);
		rp_json_out_text(o, "level", words[level]);
		rp_json_out_text(o, "text", text);
		rp_json_out_text(o, "remedy", level == OK ? NULL : remedy);
		ok = rp_ctl_add_json(d->ctl, o);
		break;
	case FOR_NAGIOS:
		if (level != OK) {
			ok = (d->worst_text.len == 0 || rp_buf_add_text(&d->worst_text, "; ")) &&
			     rp_buf_printf(&d->worst_text, "%s: ", check) &&
			     rp_text_escape(rp_span_of(text), &d->worst_text);
		}
		break;
	case FOR_PROMETHEUS:
		ok = rp_buf_printf(out, "runpost_doctor_check{check=\"%s\"} %d\n", check, (int)level);
		break;
	}
	d->no_memory = d->no_memory || !ok;
}

/* --- before the outbox is open -------------------------------------------------------------------------------------- */

static void check_mode(struct doctor *d, const char *dir)
{
	struct stat st;
	char path[4096], remedy[4200];
	static const char *const files[] = {"", "/data.mdb"};
	size_t i;

	for (i = 0; i < 2; i++) {
		snprintf(path, sizeof path, "%s%s", dir, files[i]);
		if (stat(path, &st) != 0)
			return; /* opening it tells why */
		snprintf(remedy, sizeof remedy, "chmod go= %s", path);
		if ((st.st_mode & 077) != 0) {
			report(d, "permissions", WARN, remedy,
			       "%s: others may use it (mode %03o): payloads and URL tokens are in it", path,
			       (unsigned)st.st_mode & 0777);
			return;
		}
		if (st.st_uid != geteuid() && geteuid() != 0) {
			report(d, "permissions", WARN, "run the programs as one user",
			       "%s: belongs to another user (uid %u)", path, (unsigned)st.st_uid);
			return;
		}
	}
	report(d, "permissions", OK, NULL, "nobody else may use the outbox");
}

static void sleep_ms(long ms)
{
	struct timespec ts = {ms / 1000, ms % 1000 * 1000000};

	nanosleep(&ts, NULL);
}

/* Opens the outbox in a child and takes the write lock: LMDB's has no timeout, and whoever waits for a stopped process
 * waits as long as that. The child has nothing of ours open. Result: its exit code, -1: it did not get the lock in time. */
static int probe_lock(const char *dir, const struct rp_outbox_options *options)
{
	int64_t until_us = rp_sys_stopwatch_us() + LOCK_WAIT_MS * INT64_C(1000);
	struct rp_outbox *ob;
	struct rp_error err;
	int status;
	pid_t pid = fork();

	if (pid < 0)
		return RP_EXIT_TEMPFAIL;
	if (pid == 0) {
		if (rp_outbox_open(dir, options, &ob, &err) != RP_OK)
			_exit(rp_err_exit_code(err.code));
		/* a change of no entry: takes the lock, changes nothing */
		if (rp_outbox_change(ob, 0, RP_CHANGE_HOLD, 0, NULL, 0, NULL, &err) != RP_OK)
			_exit(rp_err_exit_code(err.code));
		_exit(0);
	}
	while (waitpid(pid, &status, WNOHANG) == 0) {
		if (rp_sys_stopwatch_us() >= until_us) {
			kill(pid, SIGKILL);
			waitpid(pid, &status, 0);
			return -1;
		}
		sleep_ms(5);
	}
	return WIFEXITED(status) ? WEXITSTATUS(status) : RP_EXIT_SOFTWARE;
}

/* --- with the outbox open ------------------------------------------------------------------------------------------- */

struct sender_check {
	struct doctor *d;
	int64_t lease_ms;
	struct rp_sender_info stopped; /* pid 0: none */
	int64_t stopped_for_ms;
};

static void note_step(struct doctor *d, const struct rp_sender_info *s)
{
	int64_t by_ms = rp_clock_watch_step_ms(&s->clock, d->ctl->now_at_ms, d->boot_ms, CLOCK_LATELY_MS);

	if (llabs(by_ms) <= llabs(d->clock_step_ms))
		return;
	d->clock_step_ms = by_ms;
	d->clock_slot = s->slot;
}

static void see_sender(void *arg, const struct rp_sender_info *s)
{
	struct sender_check *c = arg;
	int64_t age_ms = c->d->boot_ms - s->beat_boot_ms;

	if (!s->alive)
		return;
	c->d->alive++;
	note_step(c->d, s);
	if (age_ms <= c->lease_ms) {
		c->d->beating++;
	} else if (age_ms > c->stopped_for_ms) {
		c->stopped = *s;
		c->stopped_for_ms = age_ms;
	}
}

static enum rp_err check_senders(struct doctor *d, struct rp_error *err)
{
	struct sender_check c = {.d = d, .lease_ms = d->ctl->settings->config.lease_ms};
	uint64_t work = d->ledger.waiting + d->ledger.in_flight;
	char text[RP_DURATION_TEXT_MAX], remedy[64];

	if (rp_outbox_senders(d->ctl->ob, see_sender, &c, err) != RP_OK)
		return err->code;
	if (c.stopped.pid != 0) {
		snprintf(remedy, sizeof remedy, "kill -CONT %" PRIu32 ", or end it", c.stopped.pid);
		report(d, "senders", d->beating > 0 ? WARN : FAIL, remedy,
		       "sender-%u (pid %" PRIu32 ") gave no sign of life for %s; %u of %u beat", c.stopped.slot,
		       c.stopped.pid, rp_duration_format(c.stopped_for_ms, text), d->beating, d->alive);
	} else if (d->alive == 0) {
		report(d, "senders", work > 0 ? FAIL : WARN, "runpost send, or look at its log",
		       "none is alive; %" PRIu64 " entries want one", work);
	} else {
		report(d, "senders", OK, NULL, "%u alive, all beat", d->alive);
	}
	return RP_OK;
}

static void check_ledger(struct doctor *d)
{
	const struct rp_ledger *l = &d->ledger;
	uint64_t live = l->waiting + l->in_flight + l->held;
	bool balances = l->accepted == live + l->delivered + l->dead + l->purged;

	report(d, "ledger", balances ? OK : FAIL, "runpostctl verify",
	       "%" PRIu64 " accepted %s %" PRIu64 " live + %" PRIu64 " delivered + %" PRIu64 " dead + %" PRIu64
	       " removed",
	       l->accepted, balances ? "=" : "is NOT", live, l->delivered, l->dead, l->purged);
}

static enum rp_err check_room(struct doctor *d, struct rp_outbox_info *info, struct rp_error *err)
{
	uint64_t reserve = d->ctl->settings->config.disk_reserve_bytes, percent;
	char used[32], quota[32], disk[32];
	enum rp_err e = rp_outbox_info(d->ctl->ob, info, err);

	if (e != RP_OK)
		return e;
	percent = info->quota_bytes > 0 ? info->used_bytes * 100 / info->quota_bytes : 0;
	report(d, "quota",
	       percent >= QUOTA_FAIL   ? FAIL
	       : percent >= QUOTA_WARN ? WARN
				       : OK,
	       "runpostctl purge --state delivered, or raise quota", "%s of %s used (%" PRIu64 "%%), format %u",
	       rp_size_text(info->used_bytes, used), rp_size_text(info->quota_bytes, quota), percent, info->format);
	report(d, "disk",
	       info->disk_free_bytes < reserve       ? FAIL
	       : info->disk_free_bytes / 4 < reserve ? WARN
						     : OK,
	       "make room on the file system: below disk_reserve nothing is taken", "%s free, %s reserved",
	       rp_size_text(info->disk_free_bytes, disk), rp_size_text(reserve, used));
	return RP_OK;
}

static void see_reader(void *arg, const struct rp_reader_info *r)
{
	struct rp_reader_info *oldest = arg;

	if (r->pid != (uint32_t)getpid() && r->lag >= oldest->lag)
		*oldest = *r;
}

static enum rp_err check_readers(struct doctor *d, const struct rp_outbox_info *info, struct rp_error *err)
{
	struct rp_reader_info oldest = {0};
	char remedy[64];
	enum rp_err e = rp_outbox_readers(d->ctl->ob, see_reader, &oldest, err);

	if (e != RP_OK)
		return e;
	snprintf(remedy, sizeof remedy, "end process %" PRIu32, oldest.pid);
	if (oldest.lag >= LAG_WARN)
		report(d, "readers", WARN, remedy,
		       "pid %" PRIu32 " holds a snapshot that is %" PRIu64 " commits old: the file grows meanwhile",
		       oldest.pid, oldest.lag);
	else
		report(d, "readers", info->readers * 100 > info->max_readers * READERS_WARN ? WARN : OK,
		       "end programs that have the outbox open", "%u of %u slots", info->readers, info->max_readers);
	return RP_OK;
}

/* Senders note steps of the wall clock against the boot clock. What the outbox was last written at, by the clock of that
 * moment, is all there is when none is alive. */
static void check_clock(struct doctor *d, const struct rp_outbox_info *info)
{
	int64_t ahead_ms = info->latest_at_ms - d->ctl->now_at_ms, by_ms = d->clock_step_ms;
	char text[RP_DURATION_TEXT_MAX];

	if (ahead_ms > CLOCK_SLACK_MS)
		report(d, "clock", FAIL,
		       d->beating > 0 ? "set the clock; senders move due times back with it within a second"
				      : "set the clock, or start a sender: it moves due times back with it",
		       "the outbox was last written %s in the future: the clock was set back",
		       rp_duration_format(ahead_ms, text));
	else if (by_ms != 0)
		report(
		    d, "clock", WARN, "see what sets it (chronyc tracking, timedatectl): ages and due times go by it",
		    "the wall clock was set %s by %s, within the hour or since sender-%u beat",
		    by_ms > 0 ? "ahead" : "back", rp_duration_format(by_ms > 0 ? by_ms : -by_ms, text), d->clock_slot);
	else
		report(d, "clock", OK, NULL, "%s",
		       d->beating > 0 ? "it was not set within the hour, as far as senders were there to see it"
				      : "nothing was written in the future; no sender is there to see steps");
}

static enum rp_err check_backlog(struct doctor *d, struct rp_error *err)
{
	struct rp_oldest oldest;
	char text[RP_DURATION_TEXT_MAX];
	int64_t late_ms;
	enum rp_err e = rp_outbox_oldest(d->ctl->ob, &oldest, err);

	if (e != RP_OK)
		return e;
	late_ms = oldest.waiting_due_at_ms == RP_LOOK_NEVER ? 0 : d->ctl->now_at_ms - oldest.waiting_due_at_ms;
	if (late_ms < 0)
		late_ms = 0;
	report(d, "backlog",
	       late_ms >= OVERDUE_FAIL_MS   ? FAIL
	       : late_ms >= OVERDUE_WARN_MS ? WARN
					    : OK,
	       "runpostctl shape; runpostctl explain ID", "%" PRIu64 " waiting, the oldest due for %s",
	       d->ledger.waiting, rp_duration_format(late_ms, text));
	return RP_OK;
}

static int check_endpoints(struct doctor *d)
{
	struct rp_known_endpoints all;
	unsigned parked = 0, paused = 0, disabled = 0;
	int code = rp_known_endpoints_load(d->ctl, &all);
	size_t i;

	for (i = 0; i < all.n && code == RP_EXIT_OK; i++) {
		parked += all.all[i].e.control.breaker != RP_BREAKER_CLOSED ||
			  all.all[i].e.parked_until_ms > d->ctl->now_at_ms;
		paused += all.all[i].e.paused;
		disabled += all.all[i].e.disabled;
	}
	if (code == RP_EXIT_OK)
		report(d, "endpoints", parked + paused + disabled > 0 ? WARN : OK,
		       "runpostctl endpoints; runpostctl resume NAME",
		       "%zu, of them %u parked (breaker or key), %u paused, %u disabled", all.n, parked, paused,
		       disabled);
	rp_known_endpoints_release(&all);
	return code;
}

static void count_row(void *arg, const struct rp_index_row *row)
{
	uint64_t *n = arg;

	(void)row;
	(*n)++;
}

static enum rp_err check_dead(struct doctor *d, struct rp_error *err)
{
	uint64_t n = 0;
	struct rp_scan scan = {.state = RP_STATE_DEAD, .see = count_row, .arg = &n};

	scan.from = rp_key2((uint64_t)(d->ctl->now_at_ms - DEAD_LATELY_MS), 0);
	do {
		if (rp_outbox_scan(d->ctl->ob, &scan, err) != RP_OK)
			return err->code;
	} while (scan.more);
	report(d, "dead", n > 0 ? WARN : OK, "runpostctl dead",
	       "%" PRIu64 " dead letters, %" PRIu64 " of the last hour", d->ledger.dead, n);
	return RP_OK;
}

static int examine(struct doctor *d)
{
	struct rp_outbox_info info;
	struct rp_error err;
	enum rp_err e = rp_outbox_ledger(d->ctl->ob, &d->ledger, &err);
	int code;

	if (e == RP_OK)
		e = check_room(d, &info, &err);
	if (e == RP_OK)
		check_ledger(d);
	if (e == RP_OK)
		e = check_senders(d, &err);
	if (e == RP_OK)
		e = check_readers(d, &info, &err);
	if (e == RP_OK)
		check_clock(d, &info);
	if (e == RP_OK)
		e = check_backlog(d, &err);
	if (e == RP_OK)
		e = check_dead(d, &err);
	if (e != RP_OK) {
		report(d, "store", FAIL, "runpostctl verify", "%s", err.text);
		return RP_EXIT_OK;
	}
	code = check_endpoints(d);
	return code;
}

/* --- the verb ------------------------------------------------------------------------------------------------------- */

static void report_lock(struct doctor *d, const char *dir, int probed)
{
	char remedy[160] = "find the stopped process (ps -eo pid,stat,args): kill -CONT it, or end it";
	pid_t stopped = probed < 0 ? rp_stopped_find(dir) : 0;

	if (stopped > 0)
		snprintf(remedy, sizeof remedy,
			 "process %d is stopped and has the outbox open: kill -CONT %d, or end it", (int)stopped,
			 (int)stopped);
	if (probed == 0)
		report(d, "write_lock", OK, NULL, "it is free within %d ms", LOCK_WAIT_MS);
	else if (probed < 0)
		report(d, "write_lock", FAIL, remedy,
		       "somebody holds it for more than %d ms: nothing can be taken or settled", LOCK_WAIT_MS);
	else
		report(d, "write_lock", FAIL, "see the other checks", "it cannot be taken (waited up to %d ms)",
		       LOCK_WAIT_MS);
}

static int check_store(struct doctor *d, const struct rp_config *config)
{
	const char *dir = d->ctl->outbox_dir != NULL ? d->ctl->outbox_dir : config->outbox_dir;
	struct rp_outbox_options options = {.map_bytes = config->map_bytes,
					    .quota_bytes = config->quota_bytes,
					    .disk_reserve_bytes = config->disk_reserve_bytes};
	struct rp_error err;
	int probed, code;

	check_mode(d, dir);
	probed = probe_lock(dir, &options);
	if (rp_outbox_open(dir, &options, &d->ctl->ob, &err) != RP_OK) {
		report(d, "store", FAIL, "name the outbox with --outbox or --config; restore a backup if it is damaged",
		       "%s", err.text);
		return RP_EXIT_OK;
	}
	report(d, "store", OK, NULL, "%s opens", dir);
	report_lock(d, dir, probed);
	code = examine(d);
	rp_outbox_close(d->ctl->ob);
	d->ctl->ob = NULL;
	return code;
}

static int check_all(struct doctor *d)
{
	struct rp_settings settings;
	struct rp_error err;
	int code;

	if (rp_settings_load(d->ctl->config_path, &settings, &err) != RP_OK) {
		report(d, "config", FAIL, "runpost check-config", "%s", err.text);
		return RP_EXIT_OK;
	}
	report(d, "config", OK, NULL, "%s", settings.path != NULL ? settings.path : "no file: all defaults");
	d->ctl->settings = &settings;
	if (rp_settings_load_secrets(&settings, &err) != RP_OK)
		report(d, "secrets", FAIL, "runpost check-config", "%s", err.text);
	else
		report(d, "secrets", OK, NULL, "all that are named can be read, by nobody else");
	code = check_store(d, &settings.config);
	d->ctl->settings = NULL;
	rp_settings_release(&settings);
	return code;
}

static int read_format(struct doctor *d)
{
	const char *f = d->ctl->check;

	d->format = d->ctl->json ? FOR_JSON : FOR_PEOPLE;
	if (f == NULL || strcmp(f, "json") == 0)
		d->format = f == NULL ? d->format : FOR_JSON;
	else if (strcmp(f, "nagios") == 0)
		d->format = FOR_NAGIOS;
	else if (strcmp(f, "prometheus") == 0)
		d->format = FOR_PROMETHEUS;
	else {
		rp_ctl_say("doctor: --check %.40s: no such format; there are nagios, json and prometheus", f);
		return RP_EXIT_USAGE;
	}
	return RP_EXIT_OK;
}

/* One line, with numbers to plot behind a bar. */
static bool add_nagios(struct doctor *d)
{
	static const char *const words[] = {"OK", "WARNING", "CRITICAL"};

	return rp_buf_printf(&d->ctl->out, "RUNPOST %s - ", words[d->worst]) &&
	       (d->worst_text.len > 0 ? rp_buf_add(&d->ctl->out, d->worst_text.data, d->worst_text.len)
				      : rp_buf_printf(&d->ctl->out, "%u checks", d->n[OK])) &&
	       rp_buf_printf(&d->ctl->out, " | waiting=%" PRIu64 " in_flight=%" PRIu64 " dead=%" PRIu64 " senders=%u\n",
			     d->ledger.waiting, d->ledger.in_flight, d->ledger.dead, d->alive);
}

int rp_verb_doctor(struct rp_ctl *ctl)
{
	struct doctor d = {.ctl = ctl, .boot_ms = rp_sys_boot_ms(&rp_sys_real)};
	int code = read_format(&d);

	if (code != RP_EXIT_OK)
		return code;
	if (d.format == FOR_PROMETHEUS)
		d.no_memory =
		    !rp_buf_add_text(&ctl->out, "# HELP runpost_doctor_check Checks of runpostctl doctor: 0 ok, "
						"1 warning, 2 failure.\n# TYPE runpost_doctor_check gauge\n");
	code = check_all(&d);
	if (code == RP_EXIT_OK && d.format == FOR_NAGIOS)
		d.no_memory = !add_nagios(&d) || d.no_memory;
	if (code == RP_EXIT_OK)
		code = d.no_memory ? rp_ctl_no_memory() : rp_ctl_flush(ctl);
	rp_buf_release(&d.worst_text);
	if (code == RP_EXIT_OK)
		return (int)d.worst;
	return d.format == FOR_NAGIOS ? 3 : code;
}
