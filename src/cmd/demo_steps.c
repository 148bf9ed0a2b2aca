/* demo_steps.c - plays the demo step by step and checks each. It is the script; the other demo
 * files are its tools. */

#include "cmd/demo.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/sys.h"

#define LOOK_EVERY_MS 40
#define INPUT "runs.ndjson"
#define BROKEN_INPUT "broken-run.ndjson"
#define STRING_(x) #x
#define STRING(x) STRING_(x)

static struct rp_span span_of(const struct rp_buf *b)
{
	return (struct rp_span){b->data, b->len};
}

static bool tell_error(struct rp_demo *d, const struct rp_error *err)
{
	return rp_demo_fail(d, "%s", err->text);
}

/* --- receivers ---------------------------------------------------------------------- */

/* The port in the log's last line "ready http://127.0.0.1:PORT"; 0: it is not there. */
static unsigned ready_port(struct rp_demo *d, const struct rp_demo_child *child)
{
	struct rp_buf log = {0};
	struct rp_error err;
	const char *ready;
	unsigned port = 0;
	char name[64];

	snprintf(name, sizeof name, "%s.log", child->name);
	if (rp_demo_read_file(d->dir_fd, name, &log, &err) == RP_OK && log.len > child->shown &&
	    log.data[log.len - 1] == '\n') {
		ready = strstr(log.data + child->shown, "ready http://127.0.0.1:");
		if (ready != NULL)
			port = (unsigned)strtoul(strrchr(ready, ':') + 1, NULL, 10);
	}
	rp_buf_release(&log);
	return port;
}

/* misbehave: "503" or such for the first `times` requests; NULL: it is well. *port 0: a free one;
 * out: which. */
static bool start_receiver(struct rp_demo *d, struct rp_demo_child *child, unsigned *port,
			   const char *misbehave, const char *times)
{
	int64_t until_ms = rp_sys_boot_ms(&rp_sys_real) + RP_DEMO_LIMIT_MS;
	char port_text[16], record[64];
	const char *argv[] = {
	    "runpost-sink", "--port",   port_text, "--token-file", "token",   "--secret-file",
	    "secret",       "--record", record,    "--status",     misbehave, "--misbehave-first",
	    times,          NULL};

	if (misbehave == NULL)
		argv[9] = NULL;
	else if (times == NULL)
		argv[11] = NULL;
	snprintf(port_text, sizeof port_text, "%u", *port);
	snprintf(record, sizeof record, "%s.ndjson", child->name);
	if (!rp_demo_start(d, child, argv))
		return false;
	do {
		*port = ready_port(d, child);
	} while (*port == 0 && rp_demo_is_running(child) &&
		 rp_sys_boot_ms(&rp_sys_real) < until_ms && rp_demo_pause(d, LOOK_EVERY_MS / 4));
	rp_demo_show_log(d, child);
	return *port != 0;
}

/* The runs name a port. When somebody else listens there, any other does: then all runs go in
 * envelopes. */
static bool start_main_receiver(struct rp_demo *d)
{
	const char *times = STRING(RP_DEMO_REFUSALS);
	unsigned named = d->port;
	size_t i;

	if (named != 0 && start_receiver(d, &d->receiver, &d->port, "503", times))
		return true;
	rp_demo_end(d, &d->receiver);
	if (d->stop_signal != 0)
		return false;
	if (named != 0)
		printf("   note    port %u, which the runs name, is not free: a free port, and "
		       "every run in an envelope\n",
		       named);
	for (i = 0; i < d->n_runs; i++)
		d->runs[i].as_it_is = false;
	d->port = 0;
	return start_receiver(d, &d->receiver, &d->port, "503", times);
}

static bool write_config(struct rp_demo *d)
{
	struct rp_buf text = {0};
	struct rp_error err;
	enum rp_err e = RP_ERR_NOMEM;

	rp_fail(&err, e, "out of memory");
	if (rp_buf_printf(
		&text,
		"[outbox]\ndir = %s/outbox\ndisk_reserve = 1M\n\n"
		"[sender]\nstop_grace = 2s\n\n"
		"[defaults]\nallow_http = yes\nallow = 127.0.0.0/8\nsecret_file = "
		"%s/secret\ntimeout = 5s\n"
		"retry_base = 200ms\nretry_factor = 2\nretry_cap = 1s\nretry_attempts = 8\n\n"
		"[endpoint \"broken\"]\nurl = http://127.0.0.1:%u/\nretry_attempts = %d\n",
		d->dir, d->dir, d->broken_port, RP_DEMO_BROKEN_ATTEMPTS))
		e = rp_demo_write_file(d->dir_fd, RP_DEMO_CONFIG, span_of(&text), &err);
	rp_buf_release(&text);
	return e == RP_OK || tell_error(d, &err);
}

static bool receivers(struct rp_demo *d)
{
	bool up;

	rp_demo_heading(
	    d, 1,
	    "Two receivers: one is down for its first " STRING(
		RP_DEMO_REFUSALS) " requests, the other for good. Both check token and signature.");
	up = start_main_receiver(d);
	if (!rp_demo_check(d, up, "the receiver listens on 127.0.0.1:%u", d->port))
		return false;
	up = start_receiver(d, &d->broken, &d->broken_port, "500", NULL);
	return rp_demo_check(d, up, "the broken one listens on 127.0.0.1:%u", d->broken_port) &&
	       write_config(d);
}

/* --- ingest ------------------------------------------------------------------------- */

static const char *const ingest_runs[] = {"runpost", "ingest", "--config", RP_DEMO_CONFIG, NULL};

static size_t count_status(const struct rp_demo_receipt *receipts, size_t n, const char *status)
{
	size_t i, count = 0;

	for (i = 0; i < n; i++)
		count += strcmp(receipts[i].status, status) == 0;
	return count;
}

static bool ingest_first(struct rp_demo *d, struct rp_buf *out)
{
	struct rp_demo_receipt receipts[RP_DEMO_RUNS_MAX];
	size_t i, n, queued;

	if (!rp_demo_run(d, RP_DEMO_SHOWN, INPUT, ingest_runs, out))
		return false;
	n = rp_demo_read_receipts(span_of(out), receipts, RP_DEMO_RUNS_MAX);
	queued = n <= d->n_runs ? count_status(receipts, n, "queued") : 0;
	if (!rp_demo_check(d, queued == d->n_runs,
			   "receipts that say queued, so that the run is on disk: %zu of %zu",
			   queued, d->n_runs))
		return false;
	for (i = 0; i < n; i++)
		memcpy(d->runs[i].id, receipts[i].id, sizeof receipts[i].id);
	return true;
}

static bool ingest_again(struct rp_demo *d, struct rp_buf *out)
{
	struct rp_demo_receipt receipts[RP_DEMO_RUNS_MAX];
	size_t i, n, same = 0;

	if (!rp_demo_run(d, RP_DEMO_SHOWN, INPUT, ingest_runs, out))
		return false;
	n = rp_demo_read_receipts(span_of(out), receipts, RP_DEMO_RUNS_MAX);
	for (i = 0; i < n && n == d->n_runs; i++)
		same += strcmp(receipts[i].status, "duplicate") == 0 &&
			strcmp(receipts[i].id, d->runs[i].id) == 0;
	return rp_demo_check(
	    d, same == d->n_runs,
	    "the same input once more, answered duplicate with the first id: %zu of %zu", same,
	    d->n_runs);
}

static bool ingest(struct rp_demo *d, const char *runs_name)
{
	struct rp_buf out = {0};
	struct rp_error err;
	size_t n_wrapped;
	bool ok;

	rp_demo_heading(
	    d, 2,
	    "The engine's completed runs go into the outbox; sent again, they change nothing.");
	if (rp_demo_write_input(d, INPUT, &n_wrapped, &err) != RP_OK)
		return tell_error(d, &err);
	printf("   %zu run%s (%s): %zu as the engine wrote %s, %zu in an envelope\n", d->n_runs,
	       d->n_runs == 1 ? "" : "s", runs_name, d->n_runs - n_wrapped,
	       d->n_runs - n_wrapped == 1 ? "it" : "them", n_wrapped);
	ok = ingest_first(d, &out) && ingest_again(d, &out);
	rp_buf_release(&out);
	return ok;
}

/* --- delivery ----------------------------------------------------------------------- */

/* Until the ledger shows these; else says what it shows. */
static bool wait_for_ledger(struct rp_demo *d, long long delivered, long long dead)
{
	int64_t until_ms = rp_sys_boot_ms(&rp_sys_real) + RP_DEMO_LIMIT_MS;
	struct rp_demo_stats s;

	do {
		if (!rp_demo_is_running(&d->senders))
			return rp_demo_fail(d, "the senders ended, with exit code %d",
					    d->senders.exit_code);
		if (!rp_demo_read_stats(d, &s))
			return false;
		if (s.delivered == delivered && s.dead == dead && s.senders == 2)
			return true;
	} while (rp_sys_boot_ms(&rp_sys_real) < until_ms && rp_demo_pause(d, LOOK_EVERY_MS));
	return rp_demo_fail(d,
			    "after %d s: %lld delivered and %lld dead by %lld senders; %lld and "
			    "%lld by 2 were expected (%lld "
			    "waiting, %lld in flight)",
			    RP_DEMO_LIMIT_MS / 1000, s.delivered, s.dead, s.senders, delivered,
			    dead, s.waiting, s.in_flight);
}

static bool judge_deliveries(struct rp_demo *d)
{
	size_t i, arrived = 0, right = 0, refused = 0, recovered = 0;
	struct rp_demo_posts posts;

	for (i = 0; i < d->n_runs; i++) {
		if (!rp_demo_read_posts(d, "receiver.ndjson", d->runs[i].id, d->runs[i].sha256,
					&posts))
			return false;
		arrived += posts.accepted > 0;
		right += posts.all > 0 && posts.all_right;
		refused += posts.refused;
		recovered += posts.last_accepted ? posts.refused : 0;
	}
	return rp_demo_check(d, arrived == d->n_runs, "runs the receiver answered 200: %zu of %zu",
			     arrived, d->n_runs) &&
	       rp_demo_check(d, refused == RP_DEMO_REFUSALS && recovered == refused,
			     "requests answered 503 first, and sent again with the same "
			     "webhook-id: %zu of %d",
			     recovered, RP_DEMO_REFUSALS) &&
	       rp_demo_check(d, right == d->n_runs,
			     "runs with the SHA-256 of the input, a good signature and a good "
			     "token each time: %zu of %zu",
			     right, d->n_runs);
}

static bool delivery(struct rp_demo *d)
{
	static const char *const argv[] = {"runpost",   "send", "--config", RP_DEMO_CONFIG,
					   "--senders", "2",    NULL};
	bool done;

	rp_demo_heading(
	    d, 3, "Two senders deliver; what the receiver refuses is sent again until it arrives.");
	if (!rp_demo_start(d, &d->senders, argv))
		return false;
	done = wait_for_ledger(d, (long long)d->n_runs, 0);
	rp_demo_show_log(d, &d->senders);
	printf("   the receiver:\n");
	rp_demo_show_log(d, &d->receiver);
	return done && judge_deliveries(d);
}

/* --- dead letters and replay -------------------------------------------------------- */

static bool ingest_broken(struct rp_demo *d, struct rp_buf *out)
{
	struct rp_demo_receipt receipt = {"", ""};
	struct rp_error err;
	bool queued;

	if (rp_demo_write_broken_input(d, BROKEN_INPUT, &err) != RP_OK)
		return tell_error(d, &err);
	if (!rp_demo_run(d, RP_DEMO_SHOWN, BROKEN_INPUT, ingest_runs, out))
		return false;
	queued = rp_demo_read_receipts(span_of(out), &receipt, 1) == 1 &&
		 strcmp(receipt.status, "queued") == 0;
	memcpy(d->broken_id, receipt.id, sizeof receipt.id);
	return rp_demo_check(d, queued, "the receipt says queued");
}

static bool look_at_dead(struct rp_demo *d, struct rp_buf *out)
{
	static const char *const dead[] = {"runpostctl", "dead", "--config", RP_DEMO_CONFIG, NULL};
	static const char *const list[] = {"runpostctl", "list",         "--state", "dead",
					   "--config",   RP_DEMO_CONFIG, "--json",  NULL};
	bool is_dead;

	if (!rp_demo_run(d, RP_DEMO_QUIET, NULL, list, out))
		return false;
	is_dead = rp_demo_is_dead_letter(span_of(out), d->broken_id, "exhausted",
					 RP_DEMO_BROKEN_ATTEMPTS);
	if (!rp_demo_run(d, RP_DEMO_SCREEN, NULL, dead, out))
		return false;
	return rp_demo_check(d, is_dead, "%s is the one dead letter, its %d attempts exhausted",
			     d->broken_id, RP_DEMO_BROKEN_ATTEMPTS) &&
	       rp_demo_check(d, out->len > 0 && strstr(out->data, d->broken_id) != NULL,
			     "`runpostctl dead` shows it");
}

static bool dead_letter(struct rp_demo *d)
{
	struct rp_buf out = {0};
	bool ok;

	rp_demo_heading(
	    d, 4,
	    "A run for the receiver that stays broken ends in the dead letters, not in nothing.");
	ok = ingest_broken(d, &out);
	if (ok) {
		ok = wait_for_ledger(d, (long long)d->n_runs, 1);
		rp_demo_show_log(d, &d->senders);
		printf("   the broken receiver:\n");
		rp_demo_show_log(d, &d->broken);
	}
	ok = ok && look_at_dead(d, &out);
	rp_buf_release(&out);
	return ok;
}

static bool judge_replay(struct rp_demo *d)
{
	struct rp_demo_posts posts;

	return rp_demo_read_posts(d, "broken.ndjson", d->broken_id, d->runs[0].sha256, &posts) &&
	       rp_demo_check(d, posts.last_accepted && posts.refused == RP_DEMO_BROKEN_ATTEMPTS,
			     "the same webhook-id arrived: refused %zu times, then answered 200",
			     posts.refused) &&
	       rp_demo_check(d, posts.all_right,
			     "same bytes, a good signature and a good token each time");
}

static bool replay(struct rp_demo *d)
{
	static const char *const argv[] = {"runpostctl", "replay",   "--state",      "dead",
					   "--yes",      "--config", RP_DEMO_CONFIG, NULL};
	struct rp_buf out = {0};
	bool ok;

	rp_demo_heading(d, 5, "The receiver is mended, and the dead letter replayed.");
	rp_demo_end(d, &d->broken);
	rp_demo_show_log(d, &d->broken);
	ok = start_receiver(d, &d->broken, &d->broken_port, NULL, NULL);
	ok = rp_demo_check(d, ok, "the mended receiver listens on the same port") &&
	     rp_demo_run(d, RP_DEMO_SHOWN, NULL, argv, &out);
	if (ok) {
		ok = wait_for_ledger(d, (long long)d->n_runs + 1, 0);
		printf("   the mended receiver:\n");
		rp_demo_show_log(d, &d->broken);
	}
	ok = ok && judge_replay(d);
	rp_buf_release(&out);
	return ok;
}

/* --- the inspector's screens and the end -------------------------------------------- */

static bool judge_ledger(struct rp_demo *d)
{
	struct rp_demo_stats s;
	long long sum;

	if (!rp_demo_read_stats(d, &s))
		return false;
	sum = s.waiting + s.in_flight + s.held + s.delivered + s.dead + s.purged;
	return rp_demo_check(d,
			     s.accepted == (long long)d->n_runs + 1 && s.delivered == s.accepted &&
				 sum == s.accepted,
			     "the ledger balances: %lld accepted, %lld delivered, %lld elsewhere",
			     s.accepted, s.delivered, sum - s.delivered);
}

static bool screens(struct rp_demo *d)
{
	const char *const stats[] = {"runpostctl", "stats", "--config", RP_DEMO_CONFIG, NULL};
	const char *const list[] = {"runpostctl", "list", "--config", RP_DEMO_CONFIG, NULL};
	const char *const show[] = {"runpostctl", "show",         d->broken_id,
				    "--config",   RP_DEMO_CONFIG, NULL};
	const char *const verify[] = {"runpostctl", "verify", "--config", RP_DEMO_CONFIG, NULL};
	const char *const *const all[] = {stats, list, show, verify};
	struct rp_buf out = {0};
	bool ok = true;
	size_t i;

	rp_demo_heading(d, 6, "What an operator sees.");
	for (i = 0; i < sizeof all / sizeof all[0] && ok; i++)
		ok = rp_demo_run(d, RP_DEMO_SCREEN, NULL, all[i], &out);
	rp_buf_release(&out);
	return ok && rp_demo_check(d, true, "`runpostctl verify` finds nothing wrong") &&
	       judge_ledger(d);
}

static bool ending(struct rp_demo *d)
{
	rp_demo_heading(d, 7,
			"SIGTERM: the senders finish what they have begun, and everything ends.");
	rp_demo_end(d, &d->senders);
	rp_demo_show_log(d, &d->senders);
	rp_demo_end(d, &d->receiver);
	rp_demo_show_log(d, &d->receiver);
	rp_demo_end(d, &d->broken);
	rp_demo_show_log(d, &d->broken);
	return rp_demo_check(d, d->senders.exit_code == 0, "the senders' exit code: %d",
			     d->senders.exit_code) &&
	       rp_demo_check(d, d->receiver.exit_code == 0 && d->broken.exit_code == 0,
			     "the receivers' exit codes: %d and %d", d->receiver.exit_code,
			     d->broken.exit_code);
}

/* A token in some output fails a step that is content otherwise: hence d->failed. */
bool rp_demo_play(struct rp_demo *d, const char *runs_name)
{
	return receivers(d) && !d->failed && ingest(d, runs_name) && !d->failed && delivery(d) &&
	       !d->failed && dead_letter(d) && !d->failed && replay(d) && !d->failed &&
	       screens(d) && !d->failed && ending(d) && !d->failed && d->stop_signal == 0;
}
