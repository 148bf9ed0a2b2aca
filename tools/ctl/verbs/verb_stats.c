/* verb_stats.c - the verb `stats`: prints the ledger, the storage and what is wrong. Causes of
 * trouble are found here and drawn from the same values in each format. */

#include <inttypes.h>
#include <stdio.h>

#include "base/sys.h"
#include "base/units.h"
#include "report/endpoints.h"
#include "ctl/verbs/verbs.h"

struct stats {
	struct rp_ledger ledger;
	struct rp_outbox_info info;
	struct rp_oldest oldest;
	struct rp_counters tally;
	struct rp_minute recent; /* sums of the last whole minutes */
	struct rp_known_endpoints endpoints;
	unsigned trouble; /* endpoints that are not ok */
	struct rp_sender_info senders[64];
	unsigned n_senders, n_alive, n_silent; /* silent: alive, and no beat for the lease */
	struct rp_sender_info silent;          /* the one that is silent the longest */
	int64_t boot_ms, lease_ms;
	bool refuses; /* ingest takes nothing; why: */
	struct rp_error full;
	uint64_t n_unlisted; /* senders beyond the room above */
};

enum { RECENT_MINUTES = 5, USED_WARN = 80 /* percent of the quota, as doctor has it */ };

static const struct {
	const char *name;
	size_t offset;
} counts[] = {
    {"waiting", offsetof(struct rp_ledger, waiting)},
    {"in_flight", offsetof(struct rp_ledger, in_flight)},
    {"held", offsetof(struct rp_ledger, held)},
    {"delivered", offsetof(struct rp_ledger, delivered)},
    {"dead", offsetof(struct rp_ledger, dead)},
    {"purged", offsetof(struct rp_ledger, purged)},
};
enum { N_COUNTS = sizeof counts / sizeof counts[0] };

static uint64_t count_of(const struct rp_ledger *ledger, size_t i)
{
	uint64_t v;

	memcpy(&v, (const char *)ledger + counts[i].offset, sizeof v);
	return v;
}

static bool balances(const struct rp_ledger *l)
{
	return l->accepted ==
	       l->waiting + l->in_flight + l->held + l->delivered + l->dead + l->purged;
}

/* Its claims go to others after the lease; what keeps it from beating is mostly a SIGSTOP, or a
 * frozen container. */
static bool is_silent(const struct stats *st, const struct rp_sender_info *s)
{
	return s->alive && st->boot_ms - s->beat_boot_ms > st->lease_ms;
}

static void see_sender(void *arg, const struct rp_sender_info *s)
{
	struct stats *st = arg;

	st->n_alive += s->alive;
	if (is_silent(st, s) && (st->n_silent++ == 0 || s->beat_boot_ms < st->silent.beat_boot_ms))
		st->silent = *s;
	if (st->n_senders < sizeof st->senders / sizeof st->senders[0])
		st->senders[st->n_senders++] = *s;
	else
		st->n_unlisted++;
}

static int gather(struct rp_ctl *ctl, struct stats *st)
{
	struct rp_error err;
	size_t i;
	int code;

	st->boot_ms = rp_sys_boot_ms(&rp_sys_real);
	st->lease_ms = ctl->settings->config.lease_ms;
	if (rp_outbox_ledger(ctl->ob, &st->ledger, &err) != RP_OK ||
	    rp_outbox_info(ctl->ob, &st->info, &err) != RP_OK ||
	    rp_outbox_senders(ctl->ob, see_sender, st, &err) != RP_OK ||
	    rp_outbox_oldest(ctl->ob, &st->oldest, &err) != RP_OK ||
	    rp_outbox_counters(ctl->ob, &st->tally, &err) != RP_OK)
		return rp_ctl_fail(&err);
	st->refuses = rp_outbox_room(ctl->ob, &st->full) == RP_ERR_FULL;
	st->recent = rp_counters_recent(&st->tally, ctl->now_at_ms, RECENT_MINUTES);
	code = rp_ctl_load_endpoints(ctl, &st->endpoints);
	for (i = 0; i < st->endpoints.n; i++)
		st->trouble += strcmp(rp_known_endpoint_state(&st->endpoints.all[i]), "ok") != 0;
	return code;
}

static struct rp_json_out *entries_json(const struct stats *st)
{
	struct rp_json_out *o = rp_json_out_new();
	size_t i;

	for (i = 0; i < N_COUNTS; i++)
		rp_json_out_int(o, counts[i].name, (int64_t)count_of(&st->ledger, i));
	return o;
}

static struct rp_json_out *sender_json(const struct stats *st, const struct rp_sender_info *s)
{
	struct rp_json_out *o = rp_json_out_new();

	rp_json_out_int(o, "slot", s->slot);
	rp_json_out_int(o, "pid", s->pid);
	rp_json_out_bool(o, "alive", s->alive);
	rp_json_out_bool(o, "beating", s->alive && !is_silent(st, s));
	rp_json_out_time(o, "started_at", s->started_at_ms);
	rp_json_out_int(o, "claims", (int64_t)s->claims);
	return o;
}

static struct rp_json_out *minutes_json(const struct stats *st)
{
	struct rp_json_out *o = rp_json_out_new();

	rp_json_out_int(o, "minutes", RECENT_MINUTES);
	rp_json_out_int(o, "accepted", (int64_t)st->recent.accepted);
	rp_json_out_int(o, "delivered", (int64_t)st->recent.delivered);
	rp_json_out_int(o, "failed", (int64_t)st->recent.failed);
	return o;
}

static struct rp_json_out *stats_json(const struct rp_ctl *ctl, const struct stats *st)
{
	const struct rp_outbox_info *info = &st->info;
	bool due = info->oldest_waiting_due_at_ms != RP_NEVER;
	struct rp_json_out *o = rp_json_out_new();
	unsigned i;

	rp_json_out_text(o, "outbox", rp_outbox_dir(ctl->ob));
	rp_json_out_int(o, "format", info->format);
	rp_json_out_int(o, "accepted", (int64_t)st->ledger.accepted);
	rp_json_out_object(o, "entries", entries_json(st));
	rp_json_out_bool(o, "balanced", balances(&st->ledger));
	rp_json_out_time(o, "next_due_at", due ? info->oldest_waiting_due_at_ms : 0);
	rp_json_out_time(o, "oldest_due_at",
			 st->oldest.waiting_due_at_ms != RP_NEVER ? st->oldest.waiting_due_at_ms
								  : 0);
	rp_json_out_int(o, "retrying", (int64_t)info->retrying);
	rp_json_out_time(o, "last_append_at", (int64_t)st->tally.last_append_at_ms);
	rp_json_out_time(o, "last_delivery_at", (int64_t)st->tally.last_delivery_at_ms);
	rp_json_out_object(o, "last_minutes", minutes_json(st));
	rp_json_out_int(o, "senders_alive", st->n_alive);
	rp_json_out_int(o, "senders_beating", st->n_alive - st->n_silent);
	rp_json_out_bool(o, "taking", !st->refuses);
	rp_json_out_array(o, "senders");
	for (i = 0; i < st->n_senders; i++)
		rp_json_out_push(o, "senders", sender_json(st, &st->senders[i]));
	rp_json_out_int(o, "endpoints", (int64_t)st->endpoints.n);
	rp_json_out_int(o, "endpoints_in_trouble", st->trouble);
	rp_json_out_int(o, "file_bytes", (int64_t)info->file_bytes);
	rp_json_out_int(o, "used_bytes", (int64_t)info->used_bytes);
	rp_json_out_int(o, "quota_bytes", (int64_t)info->quota_bytes);
	rp_json_out_int(o, "map_bytes", (int64_t)info->map_bytes);
	rp_json_out_int(o, "disk_free_bytes", (int64_t)info->disk_free_bytes);
	rp_json_out_int(o, "readers", info->readers);
	rp_json_out_int(o, "max_readers", info->max_readers);
	rp_json_out_int(o, "commits", (int64_t)info->commits);
	return o;
}

static bool add_tsv(struct rp_ctl *ctl, const struct stats *st)
{
	struct rp_buf *out = &ctl->out;
	bool ok = rp_buf_printf(out, "accepted\t%" PRIu64 "\n", st->ledger.accepted);
	size_t i;

	for (i = 0; i < N_COUNTS; i++)
		ok = ok && rp_buf_printf(out, "%s\t%" PRIu64 "\n", counts[i].name,
					 count_of(&st->ledger, i));
	return ok &&
	       rp_buf_printf(out, "senders_alive\t%u\nendpoints\t%zu\nendpoints_in_trouble\t%u\n",
			     st->n_alive, st->endpoints.n, st->trouble) &&
	       rp_buf_printf(out,
			     "file_bytes\t%" PRIu64 "\nused_bytes\t%" PRIu64
			     "\nquota_bytes\t%" PRIu64 "\n",
			     st->info.file_bytes, st->info.used_bytes, st->info.quota_bytes) &&
	       rp_buf_printf(out, "senders_beating\t%u\ntaking\t%d\n", st->n_alive - st->n_silent,
			     !st->refuses);
}

static const char *note_of(const struct rp_ctl *ctl, const struct stats *st, const char *state,
			   char *out, size_t size)
{
	const struct rp_ledger *l = &st->ledger;
	char when[RP_WHEN_TEXT_MAX];

	snprintf(out, size, "%s", "");
	if (strcmp(state, "waiting") == 0 && l->waiting > 0)
		snprintf(out, size, "first due %s, retrying %" PRIu64,
			 rp_when(st->oldest.waiting_due_at_ms, ctl->now_at_ms, when),
			 st->info.retrying);
	else if (strcmp(state, "in_flight") == 0 && l->in_flight > 0)
		snprintf(out, size, "with %u sender%s", st->n_alive, st->n_alive == 1 ? "" : "s");
	else if (strcmp(state, "held") == 0 && l->held > 0)
		snprintf(out, size, "until `runpostctl release`");
	else if (strcmp(state, "dead") == 0 && l->dead > 0)
		snprintf(out, size, "why: `runpostctl dead`");
	return out;
}

static bool add_counts(struct rp_ctl *ctl, const struct stats *st)
{
	static const struct rp_column columns[] = {
	    {"STATE", false, 0}, {"COUNT", true, 0}, {"NOTE", false, 0}};
	struct rp_table *t = rp_ctl_table(ctl, columns, 3);
	char note[80];
	size_t i;

	if (t == NULL)
		return false;
	for (i = 0; i < N_COUNTS; i++) {
		bool bad = strcmp(counts[i].name, "dead") == 0 && st->ledger.dead > 0;

		rp_table_styled(t, bad ? RP_STYLE_BAD : RP_STYLE_PLAIN, counts[i].name);
		rp_table_number(t, count_of(&st->ledger, i));
		rp_table_cell(t, rp_span_of(note_of(ctl, st, counts[i].name, note, sizeof note)));
	}
	rp_table_cell(t, rp_span_of("accepted"));
	rp_table_number(t, st->ledger.accepted);
	rp_table_cell(t, rp_span_of(balances(&st->ledger) ? "the sum of the above"
							  : "NOT the sum of the above"));
	return rp_ctl_add_table(ctl, t);
}

static unsigned percent_used(const struct stats *st)
{
	return st->info.quota_bytes > 0
		   ? (unsigned)(st->info.used_bytes * 100.0 / (double)st->info.quota_bytes)
		   : 0;
}

static bool add_storage(struct rp_ctl *ctl, const struct stats *st)
{
	const struct rp_outbox_info *info = &st->info;
	char used[32], quota[32], file[32], disk[32];

	return rp_buf_printf(
	    &ctl->out,
	    "storage  %s used of a quota of %s (%u%%), file %s, %s free on disk, readers %u/%u\n",
	    rp_size_text(info->used_bytes, used), rp_size_text(info->quota_bytes, quota),
	    percent_used(st), rp_size_text(info->file_bytes, file),
	    rp_size_text(info->disk_free_bytes, disk), info->readers, info->max_readers);
}

/* Rates of the last whole minutes; a failed attempt is no failed entry. */
static bool add_work(struct rp_ctl *ctl, const struct stats *st)
{
	char in[RP_WHEN_TEXT_MAX], out[RP_WHEN_TEXT_MAX];
	double s = RECENT_MINUTES * 60;

	return rp_buf_printf(&ctl->out,
			     "last     accepted %s, delivered %s; of the last %d min: in %.1f/s, "
			     "out %.1f/s, failed %.1f/s\n",
			     rp_when((int64_t)st->tally.last_append_at_ms, ctl->now_at_ms, in),
			     rp_when((int64_t)st->tally.last_delivery_at_ms, ctl->now_at_ms, out),
			     RECENT_MINUTES, (double)st->recent.accepted / s,
			     (double)st->recent.delivered / s, (double)st->recent.failed / s);
}

static bool add_endpoint_trouble(struct rp_ctl *ctl, const struct rp_known_endpoint *k)
{
	const char *state = rp_known_endpoint_state(k), *words = "runpostctl resume";
	bool is_command;
	char cause[RP_CAUSE_TEXT_MAX], when[RP_WHEN_TEXT_MAX];
	struct rp_buf *out = &ctl->out;
	bool ok;

	if (strcmp(state, "failing") == 0) {
		words = "runpostctl explain --state retrying --limit 1 --endpoint";
		ok = rp_buf_printf(out, "! %s: %u failures in a row, last %s -> ", k->name,
				   k->e.streak,
				   rp_cause_format(k->e.last_cause, k->e.last_status, cause));
	} else if (strcmp(state, "parked") == 0) {
		ok = rp_buf_printf(
		    out, "! %s: parked after %u failures in a row, last %s, probe %s -> ", k->name,
		    k->e.control.bad_streak,
		    rp_cause_format(k->e.control.cause, k->e.control.http_status, cause),
		    k->e.control.breaker == RP_BREAKER_OPEN
			? rp_when(k->e.control.probe_at_ms, ctl->now_at_ms, when)
			: "under way");
	} else if (strcmp(state, "no_key") == 0) {
		return rp_buf_printf(out,
				     "! %s: no signing key is valid, and nothing is sent unsigned: "
				     "mend the secret, "
				     "reload the senders -> ",
				     k->name) &&
		       rp_command_add_check(out, &ctl->place, k->name, &is_command) &&
		       rp_buf_add_char(out, '\n');
	} else {
		ok = rp_buf_printf(out, "! %s: %s -> ", k->name, state);
	}
	return ok && rp_command_add_on_endpoint(out, &ctl->place, words, k->name) &&
	       rp_buf_add_char(out, '\n');
}

static bool add_no_sender(struct rp_ctl *ctl, uint64_t n)
{
	struct rp_buf words = {0};
	bool is_command, ok;

	ok = rp_command_add_send(&words, &ctl->place, &is_command) &&
	     rp_buf_printf(&ctl->out, "! no sender is alive, %" PRIu64 " entr%s one%s%s\n", n,
			   n == 1 ? "y wants" : "ies want", is_command ? " -> " : ": ", words.data);
	rp_buf_release(&words);
	return ok;
}

static bool add_doctor(struct rp_ctl *ctl)
{
	return rp_buf_add_text(&ctl->out, " -> ") &&
	       rp_command_add(&ctl->out, &ctl->place, "runpostctl doctor") &&
	       rp_buf_add_char(&ctl->out, '\n');
}

/* What holds up everybody. */
static bool add_store_trouble(struct rp_ctl *ctl, const struct stats *st)
{
	char text[RP_DURATION_TEXT_MAX];
	bool ok = true;

	if (st->refuses)
		ok = rp_buf_add_text(&ctl->out, "! nothing is taken any more: ") &&
		     rp_text_tame(rp_span_of(st->full.text), &ctl->out) && add_doctor(ctl);
	else if (percent_used(st) >= USED_WARN)
		ok = rp_buf_printf(&ctl->out,
				   "! %u%% of the quota is used; at 100%% nothing is taken",
				   percent_used(st)) &&
		     add_doctor(ctl);
	if (st->n_silent > 0)
		ok = ok &&
		     rp_buf_printf(&ctl->out,
				   "! sender-%u gave no sign of life for %s, %u of %u beat -> kill "
				   "-CONT %" PRIu32 "\n",
				   st->silent.slot,
				   rp_duration_format(st->boot_ms - st->silent.beat_boot_ms, text),
				   st->n_alive - st->n_silent, st->n_alive, st->silent.pid);
	return ok;
}

static bool add_trouble(struct rp_ctl *ctl, const struct stats *st)
{
	enum { SHOWN = 10 };
	const struct rp_ledger *l = &st->ledger;
	struct rp_buf *out = &ctl->out;
	bool ok = true;
	size_t i, shown = 0;

	if (!balances(l))
		ok = rp_buf_add_text(out, "! the ledger does not balance -> ") &&
		     rp_command_add(out, &ctl->place, "runpostctl verify") &&
		     rp_buf_add_char(out, '\n');
	ok = ok && add_store_trouble(ctl, st);
	if (st->n_alive == 0 && l->waiting + l->in_flight > 0)
		ok = ok && add_no_sender(ctl, l->waiting + l->in_flight);
	for (i = 0; ok && i < st->endpoints.n && shown < SHOWN; i++) {
		if (strcmp(rp_known_endpoint_state(&st->endpoints.all[i]), "ok") == 0)
			continue;
		shown++;
		ok = add_endpoint_trouble(ctl, &st->endpoints.all[i]);
	}
	if (st->trouble > shown)
		ok = ok &&
		     rp_buf_printf(out, "! %zu more endpoints in trouble -> ",
				   st->trouble - shown) &&
		     rp_command_add(out, &ctl->place, "runpostctl endpoints") &&
		     rp_buf_add_char(out, '\n');
	return ok;
}

static bool add_screen(struct rp_ctl *ctl, const struct stats *st)
{
	return rp_buf_add_text(&ctl->out, "outbox   ") &&
	       rp_text_tame(rp_span_of(rp_outbox_dir(ctl->ob)), &ctl->out) &&
	       rp_buf_printf(&ctl->out, "   format %u   senders alive %u   endpoints %zu\n",
			     st->info.format, st->n_alive, st->endpoints.n) &&
	       add_counts(ctl, st) && add_work(ctl, st) && add_storage(ctl, st) &&
	       add_trouble(ctl, st);
}

/* The lines that begin with '!' out of ctl->out, where they stand from `from` on. */
static bool take_trouble(struct rp_ctl *ctl, const struct stats *st, struct rp_buf *out)
{
	size_t from = ctl->out.len;
	bool ok = add_trouble(ctl, st);

	if (ctl->out.len > from) {
		ok = ok && rp_buf_add(out, ctl->out.data + from, ctl->out.len - from);
		ctl->out.len = from;
	}
	return ok;
}

/* "! TEXT -> COMMAND" */
static struct rp_json_out *warning_json(struct rp_span line)
{
	struct rp_json_out *o = rp_json_out_new();
	size_t at = line.len, n;

	while (at > 4 && memcmp(line.ptr + at - 4, " -> ", 4) != 0)
		at--;
	n = at > 4 ? at - 4 : line.len;
	rp_json_out_span(o, "text", (struct rp_span){line.ptr + 2, n - 2});
	if (at > 4)
		rp_json_out_span(o, "command", (struct rp_span){line.ptr + at, line.len - at});
	else
		rp_json_out_null(o, "command");
	return o;
}

static void add_warnings(struct rp_json_out *o, const struct rp_buf *lines)
{
	size_t at, n;

	rp_json_out_array(o, "warnings");
	for (at = 0; at < lines->len; at += n + 1) {
		n = (size_t)((const char *)memchr(lines->data + at, '\n', lines->len - at) -
			     (lines->data + at));
		rp_json_out_push(o, "warnings",
				 warning_json((struct rp_span){lines->data + at, n}));
	}
}

/* In a pipe standard output has the same rows at all times; whoever runs the script sees the
 * trouble beside it. */
static bool add_for_programs(struct rp_ctl *ctl, const struct stats *st)
{
	struct rp_buf lines = {0};
	struct rp_json_out *o;
	bool ok = take_trouble(ctl, st, &lines);

	if (ok && ctl->json) {
		o = stats_json(ctl, st);
		add_warnings(o, &lines);
		ok = rp_ctl_add_json(ctl, o);
	} else if (ok) {
		ok = add_tsv(ctl, st);
		if (lines.len > 0)
			fwrite(lines.data, 1, lines.len, stderr);
	}
	rp_buf_release(&lines);
	return ok;
}

int rp_verb_stats(struct rp_ctl *ctl)
{
	struct stats st = {0};
	int code = gather(ctl, &st);
	bool ok;

	if (code == RP_EXIT_OK) {
		ok = ctl->out_tty && !ctl->json ? add_screen(ctl, &st) : add_for_programs(ctl, &st);
		code = ok ? rp_ctl_flush(ctl) : rp_ctl_no_memory();
	}
	rp_known_endpoints_release(&st.endpoints);
	return code;
}
