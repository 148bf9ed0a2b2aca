/* doctor.c - checks an open outbox for `doctor`. What can be checked without opening it
 * is the matter of the front that opens it. */

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/sys.h"
#include "base/units.h"
#include "report/doctor.h"
#include "report/endpoints.h"

/* Where a number begins to be worth a line. */
enum {
	QUOTA_WARN = 80,
	QUOTA_FAIL = 95,   /* percent */
	READERS_WARN = 80, /* percent of the slots */
	LAG_WARN = 50000,  /* commits: at 1,000 a second a reader of almost a minute */
	OVERDUE_WARN_MS = 300000,
	OVERDUE_FAIL_MS = 3600000,
	DEAD_LATELY_MS = 3600000,
	CLOCK_SLACK_MS = 60000,
	CLOCK_LATELY_MS = 3600000,
	FAILING_NAMED = 3,
	HOST_BACKLOG_WARN = 10000,
};

struct sender_check {
	struct rp_doctor *d;
	int64_t lease_ms;
	struct rp_sender_info stopped; /* pid 0: none */
	int64_t stopped_for_ms;
};

static void note_step(struct rp_doctor *d, const struct rp_sender_info *s)
{
	int64_t by_ms =
	    rp_clock_watch_step_ms(&s->clock, d->now_at_ms, d->boot_ms, CLOCK_LATELY_MS);

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

static enum rp_err check_senders(struct rp_doctor *d, struct rp_error *err)
{
	struct sender_check c = {.d = d, .lease_ms = d->config->lease_ms};
	uint64_t work = d->ledger.waiting + d->ledger.in_flight;
	char text[RP_DURATION_TEXT_MAX], remedy[64];

	if (rp_outbox_senders(d->ob, see_sender, &c, err) != RP_OK)
		return err->code;
	if (c.stopped.pid != 0) {
		snprintf(remedy, sizeof remedy, "kill -CONT %" PRIu32 "   (or end it)",
			 c.stopped.pid);
		rp_doctor_report(
		    d, "senders", d->beating > 0 ? RP_DOCTOR_WARN : RP_DOCTOR_FAIL, remedy,
		    "sender-%u (pid %" PRIu32 ") gave no sign of life for %s; %u of %u beat",
		    c.stopped.slot, c.stopped.pid, rp_duration_format(c.stopped_for_ms, text),
		    d->beating, d->alive);
	} else if (d->alive == 0) {
		rp_doctor_report(d, "senders", work > 0 ? RP_DOCTOR_FAIL : RP_DOCTOR_WARN,
				 "runpost send   (or look at its log)",
				 "none is alive; %" PRIu64 " entr%s one", work,
				 work == 1 ? "y wants" : "ies want");
	} else {
		rp_doctor_report(d, "senders", RP_DOCTOR_OK, NULL, "%u alive, all beat", d->alive);
	}
	return RP_OK;
}

static void check_ledger(struct rp_doctor *d)
{
	const struct rp_ledger *l = &d->ledger;
	uint64_t live = l->waiting + l->in_flight + l->held;
	bool balances = l->accepted == live + l->delivered + l->dead + l->purged;

	rp_doctor_report(d, "ledger", balances ? RP_DOCTOR_OK : RP_DOCTOR_FAIL, "runpostctl verify",
			 "%" PRIu64 " accepted %s %" PRIu64 " live + %" PRIu64
			 " delivered + %" PRIu64 " dead + %" PRIu64 " removed",
			 l->accepted, balances ? "=" : "is NOT", live, l->delivered, l->dead,
			 l->purged);
}

static enum rp_err check_room(struct rp_doctor *d, struct rp_outbox_info *info,
			      struct rp_error *err)
{
	uint64_t reserve = d->config->disk_reserve_bytes, percent;
	char used[32], quota[32], disk[32];
	enum rp_err e = rp_outbox_info(d->ob, info, err);

	if (e != RP_OK)
		return e;
	if (info->quota_bytes == 0) { /* the room is the database's */
		rp_doctor_report(d, "room", info->refuses ? RP_DOCTOR_FAIL : RP_DOCTOR_OK,
				 "see why the database takes nothing", "%s used, format %u%s%s",
				 rp_size_text(info->used_bytes, used), info->format,
				 info->refuses ? "; nothing is taken: " : "",
				 info->refuses ? info->refusal.text : "");
		return RP_OK;
	}
	percent = info->used_bytes * 100 / info->quota_bytes;
	rp_doctor_report(
	    d, "quota",
	    info->refuses || percent >= QUOTA_FAIL ? RP_DOCTOR_FAIL
	    : percent >= QUOTA_WARN                ? RP_DOCTOR_WARN
						   : RP_DOCTOR_OK,
	    d->ledger.delivered > 0 ? "runpostctl purge --state delivered   (or raise quota)"
				    : "raise quota, or let senders deliver what waits",
	    "%s of %s used (%" PRIu64 "%%), format %u%s%s", rp_size_text(info->used_bytes, used),
	    rp_size_text(info->quota_bytes, quota), percent, info->format,
	    info->refuses ? "; nothing is taken: " : "", info->refuses ? info->refusal.text : "");
	rp_doctor_report(d, "disk",
			 info->disk_free_bytes < reserve       ? RP_DOCTOR_FAIL
			 : info->disk_free_bytes / 4 < reserve ? RP_DOCTOR_WARN
							       : RP_DOCTOR_OK,
			 "make room on the file system: below disk_reserve nothing is taken",
			 "%s free, %s reserved", rp_size_text(info->disk_free_bytes, disk),
			 rp_size_text(reserve, used));
	return RP_OK;
}

static void check_readers(struct rp_doctor *d, const struct rp_outbox_info *info)
{
	struct rp_reader_info oldest = info->oldest_reader;
	char remedy[64];

	snprintf(remedy, sizeof remedy, "end process %" PRIu32, oldest.pid);
	if (oldest.lag >= LAG_WARN)
		rp_doctor_report(d, "readers", RP_DOCTOR_WARN, remedy,
				 "pid %" PRIu32 " holds a snapshot that is %" PRIu64
				 " commits old: the file grows meanwhile",
				 oldest.pid, oldest.lag);
	else
		rp_doctor_report(d, "readers",
				 info->readers * 100 > info->max_readers * READERS_WARN
				     ? RP_DOCTOR_WARN
				     : RP_DOCTOR_OK,
				 "end programs that have the outbox open", "%u of %u slots",
				 info->readers, info->max_readers);
}

/* Senders note steps of the wall clock against the boot clock. What the outbox was last written
 * at, by the clock of that moment, is all there is when none is alive. */
static void check_clock(struct rp_doctor *d, const struct rp_outbox_info *info)
{
	int64_t ahead_ms = info->latest_at_ms - d->now_at_ms, by_ms = d->clock_step_ms;
	char text[RP_DURATION_TEXT_MAX];

	if (ahead_ms > CLOCK_SLACK_MS)
		rp_doctor_report(
		    d, "clock", RP_DOCTOR_FAIL,
		    d->beating > 0
			? "set the clock; senders move due times back with it within a second"
			: "set the clock, or start a sender: it moves due times back with it",
		    "the outbox was last written %s in the future: the clock was set back",
		    rp_duration_format(ahead_ms, text));
	else if (by_ms != 0)
		rp_doctor_report(
		    d, "clock", RP_DOCTOR_WARN,
		    "see what sets it (chronyc tracking, timedatectl): ages and due times go by it",
		    "the wall clock was set %s by %s, within the hour or since sender-%u beat",
		    by_ms > 0 ? "ahead" : "back",
		    rp_duration_format(by_ms > 0 ? by_ms : -by_ms, text), d->clock_slot);
	else
		rp_doctor_report(
		    d, "clock", RP_DOCTOR_OK, NULL, "%s",
		    d->beating > 0
			? "it was not set within the hour, as far as senders were there to see it"
			: "nothing was written in the future; no sender is there to see steps");
}

static void check_backlog(struct rp_doctor *d, const struct rp_oldest *oldest)
{
	char text[RP_DURATION_TEXT_MAX];
	int64_t late_ms;

	late_ms =
	    oldest->waiting_due_at_ms == RP_NEVER ? 0 : d->now_at_ms - oldest->waiting_due_at_ms;
	if (late_ms < 0)
		late_ms = 0;
	rp_doctor_report(d, "backlog",
			 late_ms >= OVERDUE_FAIL_MS   ? RP_DOCTOR_FAIL
			 : late_ms >= OVERDUE_WARN_MS ? RP_DOCTOR_WARN
						      : RP_DOCTOR_OK,
			 "runpostctl shape; runpostctl explain --state waiting --limit 1",
			 "%" PRIu64 " waiting, the oldest due for %s", d->ledger.waiting,
			 rp_duration_format(late_ms, text));
}

/* The nth that keeps failing, into what is said of all. */
static bool add_failing(const struct rp_known_endpoint *k, unsigned nth, struct rp_buf *names)
{
	char cause[RP_CAUSE_TEXT_MAX];

	if (nth == FAILING_NAMED)
		return rp_buf_add_text(names, ", ...");
	if (nth > FAILING_NAMED)
		return true;
	return rp_buf_printf(names, "%s%.100s (%u in a row, last %s)", nth == 0 ? ": " : ", ",
			     k->name, k->e.streak,
			     rp_cause_format(k->e.last_cause, k->e.last_status, cause));
}

struct endpoint_counts {
	unsigned parked, no_key, paused, disabled, failing;
	const char *first_no_key, *first_failing, *first_stopped; /* NULL: none */
};

/* What helps the first of those that need it most; NULL: nothing is said. */
static bool add_endpoint_remedy(const struct rp_place *place, const struct endpoint_counts *c,
				struct rp_buf *out)
{
	bool is_command;

	if (c->first_no_key != NULL)
		return rp_command_add_check(out, place, c->first_no_key, &is_command);
	if (c->first_failing != NULL)
		return rp_command_add_on_endpoint(
		    out, place, "runpostctl list --limit 10 --endpoint", c->first_failing);
	return c->first_stopped == NULL ||
	       rp_command_add_on_endpoint(out, place, "runpostctl resume", c->first_stopped);
}

static void report_endpoints(struct rp_doctor *d, uint64_t n, const struct endpoint_counts *c,
			     const char *names)
{
	struct rp_buf remedy = {0};

	if (add_endpoint_remedy(d->place, c, &remedy))
		rp_doctor_report_command(
		    d, "endpoints",
		    c->parked + c->no_key + c->paused + c->disabled + c->failing > 0
			? RP_DOCTOR_WARN
			: RP_DOCTOR_OK,
		    remedy.data,
		    "%" PRIu64
		    ", of them %u parked, %u without a valid key, %u paused, %u disabled, %u "
		    "failing%s",
		    n, c->parked, c->no_key, c->paused, c->disabled, c->failing, names);
	else
		d->no_memory = true;
	rp_buf_release(&remedy);
}

/* All that a host may be given is under way, and so many wait. */
static bool is_full(const struct rp_known_endpoint *k)
{
	return k->e.control.limits.in_flight > 0 &&
	       rp_endpoint_in_use(&k->e) >= k->e.control.limits.in_flight &&
	       k->e.count[RP_STATE_WAITING] >= HOST_BACKLOG_WARN;
}

static void report_host(struct rp_doctor *d, const struct rp_known_endpoint *k, unsigned others)
{
	struct rp_buf remedy = {0};
	const char *what = k->e.paused                                 ? "it is paused"
			   : k->e.control.breaker != RP_BREAKER_CLOSED ? "its breaker is not closed"
								       : "its limit is used up";
	bool ok =
	    rp_known_endpoint_is_trouble(k)
		? rp_command_add_on_endpoint(&remedy, d->place, "runpostctl resume", k->name)
		: rp_command_add_on_endpoint(&remedy, d->place, "runpostctl endpoints", k->name) &&
		      rp_buf_add_text(&remedy, "   (if it can bear more, raise host_in_flight)");

	if (ok)
		rp_doctor_report_command(d, "hosts", RP_DOCTOR_WARN, remedy.data,
					 "%.200s: %s, and holds back %" PRIu64
					 " entries of %" PRIu64 " paths; %u more like it",
					 k->name, what, k->e.count[RP_STATE_WAITING], k->n_paths,
					 others);
	else
		d->no_memory = true;
	rp_buf_release(&remedy);
}

/* The one that holds back most stands for all. */
static void report_hosts(struct rp_doctor *d, const struct rp_known_endpoints *all)
{
	const struct rp_known_endpoint *worst = NULL;
	unsigned n = 0, n_bad = 0;
	size_t i;

	for (i = 0; i < all->n; i++) {
		const struct rp_known_endpoint *k = &all->all[i];

		n += k->e.level == RP_LEVEL_HOST;
		if (k->e.level == RP_LEVEL_PATH || !(rp_known_endpoint_is_trouble(k) || is_full(k)))
			continue;
		n_bad++;
		if (worst == NULL ||
		    k->e.count[RP_STATE_WAITING] > worst->e.count[RP_STATE_WAITING])
			worst = k;
	}
	if (worst != NULL)
		report_host(d, worst, n_bad - 1);
	else
		rp_doctor_report(d, "hosts", RP_DOCTOR_OK, NULL, "%u, none holds back its paths",
				 n);
}

static void count_endpoint(const struct rp_known_endpoint *k, int64_t now_at_ms,
			   struct endpoint_counts *c)
{
	/* the last cause stays for as long as nothing is sent, the parking does not */
	bool no_key = strcmp(rp_known_endpoint_state(k), "no_key") == 0;
	bool parked = !no_key && (k->e.control.breaker != RP_BREAKER_CLOSED ||
				  k->e.parked_until_ms > now_at_ms);

	c->no_key += no_key;
	c->parked += parked;
	c->paused += k->e.paused;
	c->disabled += k->e.disabled;
	if (no_key && c->first_no_key == NULL)
		c->first_no_key = k->name;
	if ((parked || k->e.paused || k->e.disabled) && c->first_stopped == NULL)
		c->first_stopped = k->name;
}

static enum rp_err check_endpoints(struct rp_doctor *d, struct rp_error *err)
{
	struct rp_known_endpoints all;
	struct endpoint_counts c = {0};
	struct rp_buf names = {0};
	bool ok = rp_buf_add_text(&names, ""), many = false;
	enum rp_err e = rp_known_endpoints_load(d->ob, d->config, &all, err);
	size_t i;

	for (i = 0; i < all.n && e == RP_OK; i++) {
		const struct rp_known_endpoint *k = &all.all[i];

		many = many || (k->e.level == RP_LEVEL_HOST && !k->few);
		if (k->e.level != RP_LEVEL_PATH)
			continue;
		count_endpoint(k, d->now_at_ms, &c);
		if (!rp_known_endpoint_keeps_failing(&k->e))
			continue;
		if (c.failing == 0)
			c.first_failing = k->name;
		ok = ok && add_failing(k, c.failing++, &names);
	}
	if (many)
		ok = ok && rp_buf_printf(&names, "; of a host with many paths at most %d are told",
					 RP_HOST_PATHS_FEW);
	if (e == RP_OK && ok)
		report_endpoints(d, all.n_paths, &c, names.data);
	if (e == RP_OK)
		report_hosts(d, &all);
	d->no_memory = d->no_memory || !ok;
	rp_buf_release(&names);
	rp_known_endpoints_release(&all);
	return e;
}

static void count_row(void *arg, const struct rp_brief *row)
{
	uint64_t *n = arg;

	(void)row;
	(*n)++;
}

static enum rp_err check_dead(struct rp_doctor *d, struct rp_error *err)
{
	const struct rp_filter filter = {.states = RP_STATE_BIT(RP_STATE_DEAD),
					 .has_entered = true,
					 .entered_since_ms = d->now_at_ms - DEAD_LATELY_MS};
	uint64_t n = 0;
	struct rp_select select = {.filter = &filter, .see_brief = count_row, .arg = &n};
	enum rp_err e;

	do
		e = rp_outbox_select(d->ob, &select, err);
	while (e == RP_OK && select.more);
	rp_outbox_select_end(d->ob, &select);
	if (e != RP_OK)
		return e;
	rp_doctor_report(d, "dead", n > 0 ? RP_DOCTOR_WARN : RP_DOCTOR_OK, "runpostctl dead",
			 "%" PRIu64 " dead letters, %" PRIu64 " of the last hour", d->ledger.dead,
			 n);
	return RP_OK;
}

void rp_doctor_examine(struct rp_doctor *d)
{
	struct rp_outbox_info info;
	struct rp_error err;
	enum rp_err e = rp_outbox_ledger(d->ob, &d->ledger, &err);

	if (e == RP_OK)
		e = check_room(d, &info, &err);
	if (e == RP_OK)
		check_ledger(d);
	if (e == RP_OK)
		e = check_senders(d, &err);
	if (e == RP_OK)
		check_readers(d, &info);
	if (e == RP_OK)
		check_clock(d, &info);
	if (e == RP_OK && info.oldest_trouble.code != RP_OK) {
		err = info.oldest_trouble;
		e = err.code;
	}
	if (e == RP_OK)
		check_backlog(d, &info.oldest);
	if (e == RP_OK)
		e = check_dead(d, &err);
	if (e == RP_OK)
		e = check_endpoints(d, &err);
	if (e != RP_OK)
		rp_doctor_report_error(d, &err);
}
