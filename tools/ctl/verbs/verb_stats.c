/* verb_stats.c - the verb `stats`: prints the ledger, the storage and what is wrong. Numbers and
 * causes of trouble are those of report/statistics.h, whatever the format. */

#include <inttypes.h>
#include <stdio.h>

#include "base/sys.h"
#include "base/units.h"
#include "report/statistics.h"
#include "serve/door_report.h"
#include "ctl/verbs/verbs.h"

static bool add_tsv(struct rp_ctl *ctl, const struct rp_statistics *st)
{
	struct rp_buf *out = &ctl->out;
	bool ok = rp_buf_printf(out, "accepted\t%" PRIu64 "\n", st->ledger.accepted);
	uint64_t n;
	size_t i;

	for (i = 0; i < RP_STATISTICS_COUNTS && ok; i++) {
		const char *name = rp_statistics_count(st, i, &n);

		ok = rp_buf_printf(out, "%s\t%" PRIu64 "\n", name, n);
	}
	return ok &&
	       rp_buf_printf(out,
			     "senders_alive\t%u\nendpoints\t%" PRIu64
			     "\nendpoints_in_trouble\t%" PRIu64 "\n",
			     st->n_alive, st->endpoints.n_paths, st->trouble) &&
	       rp_buf_printf(out,
			     "file_bytes\t%" PRIu64 "\nused_bytes\t%" PRIu64
			     "\nquota_bytes\t%" PRIu64 "\n",
			     st->info.file_bytes, st->info.used_bytes, st->info.quota_bytes) &&
	       rp_buf_printf(out, "senders_beating\t%u\ntaking\t%d\n", st->n_alive - st->n_silent,
			     !st->info.refuses);
}

static const char *note_of(const struct rp_statistics *st, const char *state, char *out,
			   size_t size)
{
	const struct rp_ledger *l = &st->ledger;
	char when[RP_WHEN_TEXT_MAX];

	snprintf(out, size, "%s", "");
	if (strcmp(state, "waiting") == 0 && l->waiting > 0)
		snprintf(out, size, "first due %s, retrying %" PRIu64,
			 rp_when(st->info.oldest.waiting_due_at_ms, st->now_at_ms, when),
			 st->info.retrying);
	else if (strcmp(state, "in_flight") == 0 && l->in_flight > 0)
		snprintf(out, size, "with %u sender%s", st->n_alive, st->n_alive == 1 ? "" : "s");
	else if (strcmp(state, "held") == 0 && l->held > 0)
		snprintf(out, size, "until `runpostctl release`");
	else if (strcmp(state, "dead") == 0 && l->dead > 0)
		snprintf(out, size, "why: `runpostctl dead`");
	return out;
}

static bool add_counts(struct rp_ctl *ctl, const struct rp_statistics *st)
{
	static const struct rp_column columns[] = {
	    {"STATE", false, 0}, {"COUNT", true, 0}, {"NOTE", false, 0}};
	struct rp_table *t = rp_ctl_table(ctl, columns, 3);
	char note[80];
	uint64_t n;
	size_t i;

	if (t == NULL)
		return false;
	for (i = 0; i < RP_STATISTICS_COUNTS; i++) {
		const char *name = rp_statistics_count(st, i, &n);
		bool bad = strcmp(name, "dead") == 0 && n > 0;

		rp_table_styled(t, bad ? RP_STYLE_BAD : RP_STYLE_PLAIN, name);
		rp_table_number(t, n);
		rp_table_cell(t, rp_span_of(note_of(st, name, note, sizeof note)));
	}
	rp_table_cell(t, rp_span_of("accepted"));
	rp_table_number(t, st->ledger.accepted);
	rp_table_cell(t, rp_span_of(rp_statistics_balances(st) ? "the sum of the above"
							       : "NOT the sum of the above"));
	return rp_ctl_add_table(ctl, t);
}

static bool add_storage(struct rp_ctl *ctl, const struct rp_statistics *st)
{
	const struct rp_outbox_info *info = &st->info;
	char used[32], quota[32], file[32], disk[32];

	return rp_buf_printf(
	    &ctl->out,
	    "storage  %s used of a quota of %s (%u%%), file %s, %s free on disk, readers %u/%u\n",
	    rp_size_text(info->used_bytes, used), rp_size_text(info->quota_bytes, quota),
	    rp_statistics_percent_used(st), rp_size_text(info->file_bytes, file),
	    rp_size_text(info->disk_free_bytes, disk), info->readers, info->max_readers);
}

/* Rates of the last whole minutes; a failed attempt is no failed entry. */
static bool add_work(struct rp_ctl *ctl, const struct rp_statistics *st)
{
	char in[RP_WHEN_TEXT_MAX], out[RP_WHEN_TEXT_MAX];
	double s = RP_RECENT_MINUTES * 60;

	return rp_buf_printf(
	    &ctl->out,
	    "last     accepted %s, delivered %s; of the last %d min: in %.1f/s, "
	    "out %.1f/s, failed %.1f/s\n",
	    rp_when((int64_t)st->counters.last_append_at_ms, ctl->now_at_ms, in),
	    rp_when((int64_t)st->counters.last_delivery_at_ms, ctl->now_at_ms, out),
	    RP_RECENT_MINUTES, (double)st->recent.accepted / s, (double)st->recent.delivered / s,
	    (double)st->recent.failed / s);
}

/* What is wrong with the outbox and with its door. */
static bool add_trouble(struct rp_ctl *ctl, const struct rp_statistics *st,
			const struct rp_door_seen *door, struct rp_buf *out)
{
	return rp_statistics_trouble(st, &ctl->place, out) &&
	       rp_door_trouble_add(door, ctl->settings->config.door.rejects, ctl->now_at_ms,
				   &ctl->place, out);
}

static bool add_screen(struct rp_ctl *ctl, const struct rp_statistics *st,
		       const struct rp_door_seen *door)
{
	return rp_buf_add_text(&ctl->out, "outbox   ") &&
	       rp_text_tame(rp_span_of(rp_outbox_address(ctl->ob)), &ctl->out) &&
	       rp_buf_printf(&ctl->out, "   format %u   senders alive %u   endpoints %" PRIu64 "\n",
			     st->info.format, st->n_alive, st->endpoints.n_paths) &&
	       add_counts(ctl, st) && add_work(ctl, st) &&
	       rp_door_line_add(door, ctl->now_at_ms, &ctl->out) && add_storage(ctl, st) &&
	       add_trouble(ctl, st, door, &ctl->out);
}

static struct rp_json_out *make_json(struct rp_ctl *ctl, const struct rp_statistics *st,
				     const struct rp_door_seen *door, struct rp_span lines)
{
	struct rp_json_out *o = rp_statistics_json(st, rp_outbox_address(ctl->ob), lines);

	if (door->there)
		rp_json_out_object(o, "door", rp_door_json(door));
	else
		rp_json_out_null(o, "door");
	return o;
}

/* In a pipe standard output has the same rows at all times; whoever runs the script sees the
 * trouble beside it. */
static bool add_for_programs(struct rp_ctl *ctl, const struct rp_statistics *st,
			     const struct rp_door_seen *door)
{
	struct rp_buf lines = {0};
	bool ok = add_trouble(ctl, st, door, &lines);

	if (ok && ctl->json) {
		ok = rp_ctl_add_json(
		    ctl, make_json(ctl, st, door, (struct rp_span){lines.data, lines.len}));
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
	struct rp_statistics st;
	struct rp_door_seen door;
	int code = rp_ctl_read_statistics(ctl, &st);
	bool ok;

	if (code == RP_EXIT_OK) {
		rp_door_see(ctl->ob, &door);
		ok = ctl->out_tty && !ctl->json ? add_screen(ctl, &st, &door)
						: add_for_programs(ctl, &st, &door);
		code = ok ? rp_ctl_flush(ctl) : rp_ctl_no_memory();
	}
	rp_statistics_release(&st);
	return code;
}
