#include <inttypes.h>
#include <search.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/sys.h"
#include "endpoints.h"
#include "walk.h"

/* A transaction so large holds the write lock for some milliseconds; the lock is not fair, so senders and ingesters get
 * it in the pause after. */
enum { CHANGE_ENTRIES = 200, PAUSE_MS = 1, PROGRESS_AFTER_MS = 1000, EXIT_INTERRUPTED = 130 };

struct tally {
	uint64_t endpoint, count;
	char *name;
};

struct change {
	struct rp_ctl *ctl;
	enum rp_change verb;
	const char *name, *done; /* "replay", "replayed" */
	struct rp_picks picks;
	uint64_t by_state[RP_STATE_COUNT];
	void *tree;
	struct tally **tallies;
	size_t n_tallies, cap_tallies;
	uint64_t n_done, n_done_in_flight, n_skipped_in_flight, n_skipped_state, n_missing;
	bool interrupted;
};

static volatile sig_atomic_t interrupt_seen;

static void on_interrupt(int sig)
{
	(void)sig;
	interrupt_seen = 1;
}

static void catch_interrupt(void)
{
	struct sigaction action = {.sa_handler = on_interrupt};

	/* no SA_RESTART: it must also end the wait for an answer */
	sigemptyset(&action.sa_mask);
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
}

static int by_endpoint(const void *a, const void *b)
{
	const struct tally *x = a, *y = b;

	return x->endpoint < y->endpoint ? -1 : x->endpoint > y->endpoint;
}

static struct tally *add_tally(struct change *c, const struct rp_entry *e)
{
	struct tally *t;

	if (c->n_tallies == c->cap_tallies) {
		size_t cap = c->cap_tallies > 0 ? c->cap_tallies * 2 : 64;
		struct tally **more = realloc(c->tallies, cap * sizeof more[0]);

		if (more == NULL)
			return NULL;
		c->tallies = more;
		c->cap_tallies = cap;
	}
	t = calloc(1, sizeof *t);
	if (t == NULL)
		return NULL;
	t->endpoint = e->delivery.endpoint;
	t->name = strndup(e->endpoint.len > 0 ? e->endpoint.ptr : "", e->endpoint.len);
	if (t->name == NULL || tsearch(t, &c->tree, by_endpoint) == NULL) {
		free(t->name);
		free(t);
		return NULL;
	}
	c->tallies[c->n_tallies++] = t;
	return t;
}

static bool collect(void *arg, const struct rp_entry *e)
{
	struct change *c = arg;
	struct tally key = {.endpoint = e->delivery.endpoint};
	struct tally **found = tfind(&key, &c->tree, by_endpoint);
	struct tally *t = found != NULL ? *found : add_tally(c, e);

	if (t == NULL)
		return false;
	t->count++;
	c->by_state[e->delivery.state]++;
	return rp_picks_add(&c->picks, e->seq);
}

static void release(struct change *c)
{
	size_t i;

	for (i = 0; i < c->n_tallies; i++) {
		tdelete(c->tallies[i], &c->tree, by_endpoint);
		free(c->tallies[i]->name);
		free(c->tallies[i]);
	}
	free(c->tallies);
	rp_picks_release(&c->picks);
}

static const char *state_word(int state)
{
	return state == 0 ? "damaged" : rp_state_name((enum rp_state)state);
}

static struct rp_json_out *plan_json(const struct change *c)
{
	struct rp_json_out *o = rp_json_out_new(), *states = rp_json_out_new();
	size_t i;
	int s;

	rp_json_out_text(o, "verb", c->name);
	rp_json_out_bool(o, "dry_run", true);
	rp_json_out_int(o, "would", (int64_t)c->picks.n);
	for (s = 0; s < RP_STATE_COUNT; s++) {
		if (c->by_state[s] > 0)
			rp_json_out_int(states, state_word(s), (int64_t)c->by_state[s]);
	}
	rp_json_out_object(o, "states", states);
	rp_json_out_array(o, "endpoints");
	for (i = 0; i < c->n_tallies; i++) {
		struct rp_json_out *one = rp_json_out_new();

		rp_json_out_text(one, "endpoint", c->tallies[i]->name);
		rp_json_out_int(one, "count", (int64_t)c->tallies[i]->count);
		rp_json_out_push(o, "endpoints", one);
	}
	rp_json_out_int(o, "not_found", (int64_t)c->n_missing);
	return o;
}

static bool plan_text(const struct change *c, size_t max_endpoints, struct rp_buf *out)
{
	const char *comma = "";
	bool ok = rp_buf_printf(out, "would %s %zu entr%s", c->name, c->picks.n, c->picks.n == 1 ? "y" : "ies");
	size_t i;
	int s;

	if (c->picks.n > 0)
		ok = ok && rp_buf_add_text(out, " (");
	for (s = 0; s < RP_STATE_COUNT; s++) {
		if (c->by_state[s] == 0)
			continue;
		ok = ok && rp_buf_printf(out, "%s%" PRIu64 " %s", comma, c->by_state[s], state_word(s));
		comma = ", ";
	}
	ok = ok && rp_buf_printf(out, "%s\n", c->picks.n > 0 ? ")" : "");
	for (i = 0; ok && i < c->n_tallies && i < max_endpoints; i++) {
		ok = rp_buf_printf(out, "  %" PRIu64 "  ", c->tallies[i]->count) &&
		     rp_text_escape(rp_span_of(c->tallies[i]->name), out) && rp_buf_add_char(out, '\n');
	}
	if (c->n_tallies > max_endpoints)
		ok = ok && rp_buf_printf(out, "  and %zu more endpoints\n", c->n_tallies - max_endpoints);
	return ok;
}

/* Entries of an endpoint that nothing is sent to will not go anywhere however often they are replayed. */
static int warn_of_stopped_endpoints(struct change *c)
{
	struct rp_known_endpoints known;
	int code = rp_known_endpoints_load(c->ctl, &known);
	size_t i;

	for (i = 0; i < c->n_tallies && code == RP_EXIT_OK; i++) {
		const struct rp_known_endpoint *k = rp_known_endpoint_find(&known, c->tallies[i]->endpoint);
		struct rp_buf word = {0};

		if (k == NULL || (!k->e.paused && !k->e.disabled))
			continue;
		if (rp_shell_quote(k->name, &word))
			rp_ctl_say("%s is %s: its entries are not sent before: runpostctl resume %s", k->name,
				   k->e.disabled ? "disabled (it answered 410 Gone)" : "paused", word.data);
		else
			code = rp_ctl_no_memory();
		rp_buf_release(&word);
	}
	rp_known_endpoints_release(&known);
	return code;
}

/* Waits for an answer. SIGINT is blocked from before the question until here and let in only while waiting, so that none
 * falls between the question and the wait. */
static bool await_line(void)
{
	struct pollfd fd = {.fd = STDIN_FILENO, .events = POLLIN};
	sigset_t none;

	sigemptyset(&none);
	return ppoll(&fd, 1, NULL, &none) > 0 && !interrupt_seen;
}

/* true: the answer is the one that means yes. */
static bool answered(const struct change *c)
{
	char line[64], want[32];

	if (!await_line() || fgets(line, sizeof line, stdin) == NULL)
		return false;
	line[strcspn(line, "\r\n")] = '\0';
	if (c->verb != RP_CHANGE_PURGE)
		return strcmp(line, "y") == 0 || strcmp(line, "Y") == 0 || strcmp(line, "yes") == 0;
	snprintf(want, sizeof want, "%zu", c->picks.n);
	return strcmp(line, want) == 0;
}

/* Result: exit code; RP_EXIT_OK: go on. */
static int confirm(const struct change *c)
{
	struct rp_buf plan = {0};
	sigset_t interrupt, before;
	bool yes;

	if (c->ctl->yes || c->picks.n <= 1 || c->ctl->selector.by_id)
		return RP_EXIT_OK;
	if (!c->ctl->ask_tty) {
		rp_ctl_say(
		    "%s: this is about %zu entries, and there is no terminal to ask on; see them with --dry-run, then "
		    "add --yes",
		    c->name, c->picks.n);
		return RP_EXIT_USAGE;
	}
	if (!plan_text(c, 10, &plan)) {
		rp_buf_release(&plan);
		return rp_ctl_no_memory();
	}
	sigemptyset(&interrupt);
	sigaddset(&interrupt, SIGINT);
	sigprocmask(SIG_BLOCK, &interrupt, &before);
	fputs(plan.data, stderr);
	rp_buf_release(&plan);
	if (c->verb == RP_CHANGE_PURGE)
		fputs("A purge cannot be undone. Type the count to go on: ", stderr);
	else
		fputs("Go on? [y/N] ", stderr);
	yes = answered(c);
	sigprocmask(SIG_SETMASK, &before, NULL);
	if (yes && !interrupt_seen)
		return RP_EXIT_OK;
	fputs("Nothing was changed.\n", stderr);
	return interrupt_seen ? EXIT_INTERRUPTED : RP_EXIT_SOME_FAILED;
}

static void count_results(struct change *c, const enum rp_changed *results, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++) {
		switch (results[i]) {
		case RP_CHANGED_DONE_IN_FLIGHT:
			c->n_done_in_flight++;
			c->n_done++;
			break;
		case RP_CHANGED_DONE:
			c->n_done++;
			break;
		case RP_CHANGED_SKIPPED_IN_FLIGHT:
			c->n_skipped_in_flight++;
			break;
		case RP_CHANGED_SKIPPED_STATE:
			c->n_skipped_state++;
			break;
		case RP_CHANGED_NOT_FOUND:
			c->n_missing++;
			break;
		}
	}
}

static void show_progress(const struct change *c, size_t at)
{
	enum { BAR = 24 };
	unsigned filled = (unsigned)((double)at / (double)c->picks.n * BAR);

	fprintf(stderr, "\r%s %zu/%zu [%.*s%*s]", c->name, at, c->picks.n, (int)filled, "########################",
		(int)(BAR - filled), "");
	if (at == c->picks.n)
		fputc('\n', stderr);
}

static int act(struct change *c)
{
	const struct timespec pause = {.tv_nsec = PAUSE_MS * 1000000L};
	int64_t began_ms = rp_sys_boot_ms(&rp_sys_real);
	enum rp_changed results[CHANGE_ENTRIES];
	struct rp_error err;
	size_t at = 0;

	while (at < c->picks.n) {
		size_t n = c->picks.n - at < CHANGE_ENTRIES ? c->picks.n - at : CHANGE_ENTRIES;

		if (interrupt_seen) {
			c->interrupted = true;
			return EXIT_INTERRUPTED;
		}
		if (rp_outbox_change(c->ctl->ob, rp_sys_wall_ms(&rp_sys_real), c->verb, c->ctl->selector.states,
				     c->picks.seqs + at, n, results, &err) != RP_OK)
			return rp_ctl_fail(&err);
		count_results(c, results, n);
		at += n;
		if (c->ctl->ask_tty && rp_sys_boot_ms(&rp_sys_real) - began_ms > PROGRESS_AFTER_MS)
			show_progress(c, at);
		if (at < c->picks.n)
			nanosleep(&pause, NULL);
	}
	return RP_EXIT_OK;
}

static struct rp_json_out *result_json(const struct change *c)
{
	struct rp_json_out *o = rp_json_out_new(), *skipped = rp_json_out_new();

	rp_json_out_text(o, "verb", c->name);
	rp_json_out_int(o, "done", (int64_t)c->n_done);
	rp_json_out_int(skipped, "in_flight", (int64_t)c->n_skipped_in_flight);
	rp_json_out_int(skipped, "state", (int64_t)c->n_skipped_state);
	rp_json_out_object(o, "skipped", skipped);
	rp_json_out_int(o, "not_found", (int64_t)c->n_missing);
	rp_json_out_int(o, "attempt_under_way", (int64_t)c->n_done_in_flight);
	rp_json_out_bool(o, "interrupted", c->interrupted);
	return o;
}

static bool result_text(const struct change *c, struct rp_buf *out)
{
	bool ok = rp_buf_printf(out, "%s %" PRIu64, c->done, c->n_done);

	if (c->n_done_in_flight > 0)
		ok = ok && rp_buf_printf(out, " (%" PRIu64 " while an attempt may be under way)", c->n_done_in_flight);
	if (c->n_skipped_in_flight > 0)
		ok = ok && rp_buf_printf(out, ", skipped %" PRIu64 " (in flight)", c->n_skipped_in_flight);
	if (c->n_skipped_state > 0)
		ok = ok && rp_buf_printf(out, ", skipped %" PRIu64 " (state)", c->n_skipped_state);
	if (c->n_missing > 0)
		ok = ok && rp_buf_printf(out, ", not found %" PRIu64, c->n_missing);
	if (c->interrupted)
		ok = ok && rp_buf_printf(out, "; interrupted, the others are as they were");
	return ok && rp_buf_add_char(out, '\n');
}

static int print_plan(struct change *c)
{
	struct rp_ctl *ctl = c->ctl;
	bool ok = ctl->json ? rp_ctl_add_json(ctl, plan_json(c)) : plan_text(c, SIZE_MAX, &ctl->out);
	int code = ok ? rp_ctl_flush(ctl) : rp_ctl_no_memory();

	if (code == RP_EXIT_OK && c->verb == RP_CHANGE_REPLAY)
		code = warn_of_stopped_endpoints(c);
	return code == RP_EXIT_OK && c->n_missing > 0 ? RP_EXIT_SOME_FAILED : code;
}

/* Prints the counts whatever happened: what was done before a failure is done. */
static int finish(struct change *c, int code)
{
	struct rp_ctl *ctl = c->ctl;
	bool ok = ctl->json ? rp_ctl_add_json(ctl, result_json(c)) : result_text(c, &ctl->out);
	int printed = ok ? rp_ctl_flush(ctl) : rp_ctl_no_memory();

	if (code == RP_EXIT_OK)
		code = printed;
	if (code == RP_EXIT_OK && c->verb == RP_CHANGE_REPLAY && c->n_done > 0)
		code = warn_of_stopped_endpoints(c);
	if (code == RP_EXIT_OK && (c->n_missing > 0 || (ctl->selector.by_id && c->n_skipped_in_flight > 0)))
		code = RP_EXIT_SOME_FAILED;
	return code;
}

static int run(struct change *c)
{
	struct rp_walk w = {.ctl = c->ctl, .see = collect, .arg = c, .limit = c->ctl->selector.limit};
	int code = rp_walk_run(&w);

	c->n_missing = w.n_missing;
	if (code != RP_EXIT_OK)
		return code;
	if (c->ctl->dry_run)
		return print_plan(c);
	catch_interrupt();
	code = confirm(c);
	return code == RP_EXIT_OK ? finish(c, act(c)) : code;
}

static int change(struct rp_ctl *ctl, enum rp_change verb, const char *done, unsigned default_states)
{
	struct change c = {.ctl = ctl, .verb = verb, .name = ctl->verb->name, .done = done};
	int code;

	if (ctl->selector.states == 0 && !ctl->selector.by_id)
		ctl->selector.states = default_states;
	code = run(&c);
	release(&c);
	return code;
}

int rp_verb_replay(struct rp_ctl *ctl)
{
	return change(ctl, RP_CHANGE_REPLAY, "replayed", RP_STATE_BIT(RP_STATE_DEAD));
}

int rp_verb_purge(struct rp_ctl *ctl)
{
	return change(ctl, RP_CHANGE_PURGE, "purged", 0);
}

int rp_verb_hold(struct rp_ctl *ctl)
{
	return change(ctl, RP_CHANGE_HOLD, "held", RP_STATE_BIT(RP_STATE_WAITING));
}

int rp_verb_release(struct rp_ctl *ctl)
{
	return change(ctl, RP_CHANGE_RELEASE, "released", RP_STATE_BIT(RP_STATE_HELD));
}
