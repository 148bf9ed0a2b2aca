/* verb_top.c - the verb `top`: the loop between keys, model and screen. What is shown and how it
 * is drawn are in tools/ctl/top/. */

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/units.h"
#include "report/entry_json.h"
#include "ctl/change/audit.h"
#include "ctl/top/sparkline.h"
#include "ctl/screen/term.h"
#include "ctl/top/top_draw.h"
#include "ctl/top/top_keys.h"
#include "ctl/select/walk.h"
#include "ctl/verbs/verbs.h"

enum {
	REFRESH_MS = 1000,
	ESCAPE_MS = 50,
	FILTER_MAX = 100,
	FAILURES_MAX = 64,
	MESSAGE_SHOWN_MS = 8000
};

enum asking { ASK_NOTHING, ASK_FILTER, ASK_PAUSE, ASK_REPLAY };

struct top {
	struct rp_ctl *ctl;
	struct rp_top model;
	struct rp_top_view view;
	const struct rp_known_endpoint **shown;
	uint64_t selected_id; /* what the cursor stands on, wherever it moves */
	struct rp_keys keys;
	enum asking asking;
	char filter[FILTER_MAX + 1], typed[FILTER_MAX + 1], prompt[600], message[600];
	int64_t message_at_ms;
	struct rp_top_failure failures[FAILURES_MAX];
	struct rp_entry entry;
	struct rp_buf frame;
	pid_t child; /* a replay under way; 0: none */
	int child_fd;
	char child_said[512];
	size_t child_said_bytes;
	bool quit;
};

static void say(struct top *t, enum rp_style style, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
static void say(struct top *t, enum rp_style style, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(t->message, sizeof t->message, fmt, ap);
	va_end(ap);
	t->view.message_style = style;
	t->message_at_ms = rp_sys_boot_ms(&rp_sys_real);
}

/* --- what is shown ------------------------------------------------------------------ */

/* Those in trouble first, then those with most to do. */
static int rank(const struct rp_known_endpoint *k)
{
	return k->e.disabled || k->e.control.breaker != RP_BREAKER_CLOSED ||
		       rp_known_endpoint_lacks_key(k)
		   ? 0
	       : k->e.paused     ? 1
	       : k->e.streak > 0 ? 2
				 : 3;
}

static int by_need(const void *a, const void *b)
{
	const struct rp_known_endpoint *x = *(const struct rp_known_endpoint *const *)a,
				       *y = *(const struct rp_known_endpoint *const *)b;
	uint64_t p = x->e.count[RP_STATE_WAITING] + x->e.count[RP_STATE_IN_FLIGHT],
		 q = y->e.count[RP_STATE_WAITING] + y->e.count[RP_STATE_IN_FLIGHT];

	if (rank(x) != rank(y))
		return rank(x) - rank(y);
	if (p != q)
		return p > q ? -1 : 1;
	return strcmp(x->name, y->name);
}

static bool passes(const struct rp_config *config, const char *filter, const char *name)
{
	struct rp_endpoint_glob glob;
	bool match;

	if (strpbrk(filter, "*?[") == NULL)
		return strstr(name, filter) != NULL;
	if (!rp_endpoint_glob_init(&glob, filter))
		return true;
	glob.config = config;
	match = rp_endpoint_glob_match(&glob, rp_span_of(name));
	rp_endpoint_glob_release(&glob);
	return match;
}

/* A host or section whose paths are listed, and which holds none of them back. */
static bool is_told_by_paths(const struct rp_known_endpoint *k)
{
	return k->e.level == RP_LEVEL_SECTION
		   ? !rp_known_endpoint_is_trouble(k)
		   : k->e.level == RP_LEVEL_HOST && k->few && !rp_known_endpoint_is_trouble(k);
}

static bool choose_shown(struct top *t)
{
	const struct rp_known_endpoints *known = &t->model.known;
	void *more = realloc(t->shown, (known->n + 1) * sizeof t->shown[0]);
	size_t i, n = 0;

	if (more == NULL)
		return false;
	t->shown = more;
	for (i = 0; i < known->n; i++) {
		if (is_told_by_paths(&known->all[i]))
			continue;
		if (t->filter[0] == '\0' ||
		    passes(&t->model.ctl->settings->config, t->filter, known->all[i].name))
			t->shown[n++] = &known->all[i];
	}
	if (n > 0)
		qsort(t->shown, n, sizeof t->shown[0], by_need);
	t->view.shown = t->shown;
	t->view.n_shown = n;
	for (i = 0; i < n && t->shown[i]->id != t->selected_id; i++)
		;
	if (i < n)
		t->view.selected = i;
	else if (t->view.selected >= n)
		t->view.selected = n > 0 ? n - 1 : 0;
	if (i == n && t->view.mode == RP_TOP_DETAIL)
		t->view.mode = RP_TOP_LIST; /* it has gone, or does not pass any more */
	return true;
}

static const struct rp_known_endpoint *selected(const struct top *t)
{
	return t->view.selected < t->view.n_shown ? t->shown[t->view.selected] : NULL;
}

static void keep_in_sight(struct top *t, size_t rows)
{
	struct rp_top_view *v = &t->view;

	if (v->first > v->selected)
		v->first = v->selected;
	if (rows > 0 && v->selected >= v->first + rows)
		v->first = v->selected - rows + 1;
	if (v->first + rows > v->n_shown)
		v->first = v->n_shown > rows ? v->n_shown - rows : 0;
}

static void say_now(const struct rp_entry *e, int64_t now_at_ms, char *out, size_t size)
{
	char text[RP_WHEN_TEXT_MAX], cause[RP_CAUSE_TEXT_MAX];
	int64_t due_at_ms = rp_entry_due_at_ms(e);

	if (e->delivery.state == RP_STATE_WAITING && due_at_ms != 0)
		snprintf(out, size, "%s%s", due_at_ms > now_at_ms ? "again " : "due",
			 due_at_ms > now_at_ms ? rp_when(due_at_ms, now_at_ms, text) : "");
	else if (e->delivery.state == RP_STATE_DEAD)
		snprintf(out, size, "dead (%s)",
			 rp_cause_format(e->delivery.cause, e->delivery.http_status, cause));
	else
		snprintf(out, size, "%s", rp_entry_state(e));
}

static int fill_failure(struct top *t, const struct rp_recent *r, struct rp_top_failure *f)
{
	struct rp_error err, name_err;
	enum rp_err e = rp_walk_load(t->ctl, r->seq, &t->entry, &err);
	struct rp_buf name = {0};

	memset(f, 0, sizeof *f);
	f->r = *r;
	if (rp_known_endpoint_name(&t->model.known, t->ctl->ob, &t->ctl->settings->config,
				   r->endpoint, &name, &name_err) != RP_OK)
		return rp_ctl_fail(&name_err);
	snprintf(f->endpoint, sizeof f->endpoint, "%.*s", name.len > 0 ? (int)name.len : 1,
		 name.len > 0 ? name.data : "-");
	rp_buf_release(&name);
	if (e == RP_ERR_NOTFOUND)
		return RP_EXIT_OK;
	if (e != RP_OK)
		return rp_ctl_fail(&err);
	rp_id_format(t->entry.facts.id, f->id);
	say_now(&t->entry, t->model.now_at_ms, f->now, sizeof f->now);
	return RP_EXIT_OK;
}

static int choose_failures(struct top *t, size_t max)
{
	const struct rp_top *m = &t->model;
	uint64_t only = t->view.mode == RP_TOP_DETAIL && selected(t) != NULL ? selected(t)->id : 0;
	size_t kept = m->n_failures < RP_TOP_FAILURES ? m->n_failures : RP_TOP_FAILURES, i, n = 0;
	int code = RP_EXIT_OK;

	max = max < FAILURES_MAX ? max : FAILURES_MAX;
	for (i = 0; i < kept && n < max && code == RP_EXIT_OK; i++) {
		const struct rp_recent *r = &m->failures[(m->n_failures - 1 - i) % RP_TOP_FAILURES];

		if (only == 0 || r->endpoint == only || rp_level_host(r->endpoint) == only)
			code = fill_failure(t, r, &t->failures[n++]);
	}
	t->view.failures = t->failures;
	t->view.n_failures = n;
	return code;
}

static void compose_prompt(struct top *t)
{
	const struct rp_known_endpoint *k = selected(t);
	char count[32] = "";

	t->prompt[0] = '\0';
	if (t->asking == ASK_FILTER)
		snprintf(t->prompt, sizeof t->prompt, " /%s_  (enter: apply, escape: leave it)",
			 t->typed);
	else if (t->asking == ASK_PAUSE && k != NULL)
		snprintf(t->prompt, sizeof t->prompt, " %s %.300s? y/n",
			 k->e.paused || k->e.disabled ? "resume" : "pause", k->name);
	else if (t->asking == ASK_REPLAY && k != NULL)
		snprintf(
		    t->prompt, sizeof t->prompt, " replay the %s dead letters of %.300s? y/n",
		    (snprintf(count, sizeof count, "%" PRIu64, k->e.count[RP_STATE_DEAD]), count),
		    k->name);
	t->view.prompt = t->prompt;
	if (rp_sys_boot_ms(&rp_sys_real) - t->message_at_ms > MESSAGE_SHOWN_MS)
		t->message[0] = '\0';
	t->view.message = t->message;
	t->view.filter = t->filter;
}

static int draw(struct top *t)
{
	size_t endpoints, senders, failures;
	int code;

	rp_term_size(&t->view.rows, &t->view.cols);
	if (!choose_shown(t))
		return rp_ctl_no_memory();
	rp_top_layout(&t->model, &t->view, &endpoints, &senders, &failures);
	keep_in_sight(t, endpoints);
	code = choose_failures(t, failures);
	if (code != RP_EXIT_OK)
		return code;
	compose_prompt(t);
	rp_buf_clear(&t->frame);
	if (!rp_top_draw(&t->model, &t->view, &t->frame))
		return rp_ctl_no_memory();
	if (!rp_term_write((struct rp_span){t->frame.data, t->frame.len}))
		t->quit = true;
	return RP_EXIT_OK;
}

/* --- what keys do ------------------------------------------------------------------- */

static void pause_or_resume(struct top *t)
{
	const struct rp_known_endpoint *k = selected(t);
	bool pause = !k->e.paused && !k->e.disabled;
	struct rp_error err;
	uint64_t record;
	enum rp_err e =
	    rp_outbox_endpoint_pause(t->ctl->ob, rp_sys_wall_ms(&rp_sys_real), k->id, pause, &err);

	if (e == RP_OK && rp_ctl_audit_add(t->ctl, pause ? "pause" : "resume", rp_span_of(k->name),
					   1, &record) != RP_EXIT_OK)
		say(t, RP_STYLE_BAD, " %s %.300s, but the log of changes could not be written",
		    pause ? "paused" : "resumed", k->name);
	else if (e == RP_OK)
		say(t, RP_STYLE_GOOD, " %s %.300s", pause ? "paused" : "resumed", k->name);
	else
		say(t, RP_STYLE_BAD, " %.300s: %.200s", k->name,
		    e == RP_ERR_NOTFOUND ? "it has gone" : err.text);
}

/* The verb itself does it, in a process of its own: what an operator would type. */
static void start_replay(struct top *t)
{
	const struct rp_ctl *ctl = t->ctl;
	const struct rp_known_endpoint *k = selected(t);
	struct rp_buf name = {0};
	bool named = rp_endpoint_literal(&name, k->name);
	char *argv[] = {(char[]){"runpostctl"},
			(char[]){"replay"},
			(char[]){"--state"},
			(char[]){"dead"},
			(char[]){"--yes"},
			(char[]){"--endpoint"},
			name.data,
			(char[]){"--outbox"},
			strdup(rp_outbox_address(ctl->ob)),
			ctl->config_path != NULL ? (char[]){"--config"} : NULL,
			ctl->config_path != NULL ? strdup(ctl->config_path) : NULL,
			NULL};
	posix_spawn_file_actions_t files;
	posix_spawnattr_t attributes;
	sigset_t defaults;
	int ends[2], rc;

	if (!named || pipe2(ends, O_CLOEXEC) != 0) {
		rc = named ? errno : ENOMEM;
	} else {
		posix_spawn_file_actions_init(&files);
		posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
		posix_spawn_file_actions_adddup2(&files, ends[1], STDOUT_FILENO);
		posix_spawn_file_actions_adddup2(&files, ends[1], STDERR_FILENO);
		posix_spawnattr_init(&attributes);
		sigemptyset(&defaults);
		sigaddset(&defaults, SIGPIPE); /* ignored here */
		posix_spawnattr_setsigdefault(&attributes, &defaults);
		posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF);
		rc = posix_spawn(&t->child, "/proc/self/exe", &files, &attributes, argv, environ);
		posix_spawnattr_destroy(&attributes);
		posix_spawn_file_actions_destroy(&files);
		close(ends[1]);
		t->child_fd = ends[0];
		if (rc != 0)
			close(ends[0]);
	}
	free(argv[8]);
	free(argv[10]);
	rp_buf_release(&name);
	if (rc != 0) {
		t->child = 0;
		say(t, RP_STYLE_BAD, " cannot start the replay: %s", strerror(rc));
		return;
	}
	t->child_said_bytes = 0;
	say(t, RP_STYLE_PLAIN, " replaying ...");
}

/* Shows the first line it said when it has ended. */
static void hear_replay(struct top *t)
{
	char chunk[512], *eol;
	ssize_t n = read(t->child_fd, chunk, sizeof chunk);
	size_t room = sizeof t->child_said - 1 - t->child_said_bytes;
	struct rp_buf shown = {0};
	int status;

	if (n < 0 && errno == EINTR)
		return;
	if (n > 0) {
		memcpy(t->child_said + t->child_said_bytes, chunk,
		       (size_t)n < room ? (size_t)n : room);
		t->child_said_bytes += (size_t)n < room ? (size_t)n : room;
		return;
	}
	close(t->child_fd);
	while (waitpid(t->child, &status, 0) < 0 && errno == EINTR)
		;
	t->child = 0;
	t->child_said[t->child_said_bytes] = '\0';
	eol = strchr(t->child_said, '\n');
	if (eol != NULL)
		*eol = '\0';
	rp_text_tame(rp_span_of(t->child_said), &shown);
	say(t, WIFEXITED(status) && WEXITSTATUS(status) == 0 ? RP_STYLE_GOOD : RP_STYLE_WARN,
	    " %.500s", shown.data != NULL ? shown.data : "the replay has ended");
	rp_buf_release(&shown);
}

static void answer(struct top *t, int key)
{
	enum asking asked = t->asking;

	t->asking = ASK_NOTHING;
	if ((key != 'y' && key != 'Y') || selected(t) == NULL || selected(t)->id != t->selected_id)
		say(t, RP_STYLE_PLAIN, " nothing was changed");
	else if (asked == ASK_PAUSE)
		pause_or_resume(t);
	else
		start_replay(t);
}

static void type_filter(struct top *t, int key)
{
	size_t n = strlen(t->typed);

	if (key == RP_KEY_ENTER) {
		memcpy(t->filter, t->typed, sizeof t->filter);
		t->asking = ASK_NOTHING;
	} else if (key == RP_KEY_ESCAPE) {
		t->asking = ASK_NOTHING;
	} else if (key == RP_KEY_BACKSPACE && n > 0) {
		t->typed[n - 1] = '\0';
	} else if (key > ' ' && key < 0x7f && n < FILTER_MAX) {
		t->typed[n] = (char)key;
		t->typed[n + 1] = '\0';
	}
}

static void move(struct top *t, long by)
{
	long n = (long)t->view.n_shown, at = (long)t->view.selected + by;

	t->view.selected = (size_t)(n == 0 || at < 0 ? 0 : at >= n ? n - 1 : at);
	t->selected_id = selected(t) != NULL ? selected(t)->id : 0;
}

static void ask(struct top *t, enum asking what)
{
	const struct rp_known_endpoint *k = selected(t);

	if (k == NULL)
		return;
	t->selected_id = k->id; /* the answer is about this one, whatever moves in between */
	if (what == ASK_REPLAY && k->e.count[RP_STATE_DEAD] == 0)
		say(t, RP_STYLE_PLAIN, " it has no dead letters");
	else if (what == ASK_REPLAY && t->child != 0)
		say(t, RP_STYLE_PLAIN, " a replay is under way");
	else
		t->asking = what;
}

static void go_back(struct top *t)
{
	if (t->view.mode != RP_TOP_LIST)
		t->view.mode = RP_TOP_LIST;
	else
		t->filter[0] = '\0';
}

static void act(struct top *t, int key)
{
	long page = t->view.rows > 12 ? (long)t->view.rows - 12 : 1;

	switch (key) {
	case 'q':
		t->quit = t->view.mode == RP_TOP_LIST;
		t->view.mode = RP_TOP_LIST;
		break;
	case 'j':
	case RP_KEY_DOWN:
		move(t, 1);
		break;
	case 'k':
	case RP_KEY_UP:
		move(t, -1);
		break;
	case RP_KEY_PAGE_DOWN:
		move(t, page);
		break;
	case RP_KEY_PAGE_UP:
		move(t, -page);
		break;
	case 'g':
	case RP_KEY_HOME:
		move(t, -(long)t->view.n_shown);
		break;
	case 'G':
	case RP_KEY_END:
		move(t, (long)t->view.n_shown);
		break;
	case RP_KEY_ENTER:
		move(t, 0);
		t->view.mode = selected(t) != NULL ? RP_TOP_DETAIL : RP_TOP_LIST;
		break;
	case RP_KEY_ESCAPE:
	case RP_KEY_BACKSPACE:
		go_back(t);
		break;
	case '/':
		t->asking = ASK_FILTER;
		t->typed[0] = '\0';
		break;
	case 'p':
		ask(t, ASK_PAUSE);
		break;
	case 'R':
		ask(t, ASK_REPLAY);
		break;
	case '?':
		t->view.mode = t->view.mode == RP_TOP_HELP ? RP_TOP_LIST : RP_TOP_HELP;
		break;
	default:
		break;
	}
}

static void take_keys(struct top *t, bool waited)
{
	int key;

	while (!t->quit && (key = rp_keys_next(&t->keys, waited)) != RP_KEY_NONE) {
		t->message[0] = '\0';
		if (t->asking == ASK_FILTER)
			type_filter(t, key);
		else if (t->asking != ASK_NOTHING)
			answer(t, key);
		else
			act(t, key);
	}
}

/* --- the loop ----------------------------------------------------------------------- */

/* Waits until the next look is due or something happens. */
static void await(struct top *t, int64_t next_ms)
{
	int64_t left_ms = next_ms - rp_sys_boot_ms(&rp_sys_real);
	int timeout_ms = left_ms < 0 ? 0 : left_ms > REFRESH_MS ? REFRESH_MS : (int)left_ms, n;
	char bytes[64];
	bool heard;

	if (t->keys.n > 0 && timeout_ms > ESCAPE_MS)
		timeout_ms = ESCAPE_MS;
	n = rp_term_wait(timeout_ms, t->child != 0 ? t->child_fd : -1, &heard, bytes, sizeof bytes);
	if (n < 0)
		t->quit = true;
	if (heard)
		hear_replay(t);
	if (n > 0)
		rp_keys_put(&t->keys, bytes, (size_t)n);
	take_keys(t, n == 0);
}

static int loop(struct top *t)
{
	int64_t next_ms = 0;
	int code = RP_EXIT_OK;

	while (code == RP_EXIT_OK && !t->quit) {
		if ((rp_term_events() & RP_TERM_QUIT) != 0)
			break;
		if (rp_sys_boot_ms(&rp_sys_real) >= next_ms) {
			next_ms = rp_sys_boot_ms(&rp_sys_real) + REFRESH_MS;
			code = rp_top_look(&t->model);
		}
		if (code == RP_EXIT_OK)
			code = draw(t);
		if (code == RP_EXIT_OK && !t->quit)
			await(t, next_ms);
	}
	return code;
}

/* What is said on standard error while the screen is taken would spoil it, and be lost with it: it
 * is kept for the end. -1: it cannot be, and is not. */
static int divert_errors(int *kept)
{
	int before = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);

	*kept = memfd_create("stderr", MFD_CLOEXEC);
	if (before >= 0 && *kept >= 0 && dup2(*kept, STDERR_FILENO) == STDERR_FILENO) {
		rp_term_errors_were(before);
		return before;
	}
	if (before >= 0)
		close(before);
	if (*kept >= 0)
		close(*kept);
	*kept = -1;
	return -1;
}

static void tell_errors(int before, int kept)
{
	char text[4096];
	ssize_t n;

	if (before < 0)
		return;
	dup2(before, STDERR_FILENO);
	rp_term_errors_were(-1);
	close(before);
	n = pread(kept, text, sizeof text, 0);
	if (n > 0)
		fwrite(text, 1, (size_t)n, stderr);
	close(kept);
}

static int show(struct top *t)
{
	int code, kept, before;

	if (!rp_term_open()) {
		rp_ctl_say("top: cannot take the terminal: %s", strerror(errno));
		return RP_EXIT_IO;
	}
	before = divert_errors(&kept);
	code = loop(t);
	rp_term_close();
	tell_errors(before, kept);
	return code;
}

int rp_verb_top(struct rp_ctl *ctl)
{
	const char *problem = rp_term_problem();
	struct top *t;
	int code;

	if (problem != NULL) {
		rp_ctl_say("top: %s; elsewhere `runpostctl stats --json` tells the same in numbers",
			   problem);
		return RP_EXIT_USAGE;
	}
	t = calloc(1, sizeof *t);
	if (t == NULL)
		return rp_ctl_no_memory();
	t->ctl = t->model.ctl = ctl;
	t->view.color = ctl->color;
	t->view.utf8 = rp_sparkline_utf8();
	t->view.outbox = rp_outbox_address(ctl->ob);
	code = show(t);
	if (t->child != 0)
		close(t->child_fd); /* it goes on by itself */
	rp_top_release(&t->model);
	rp_entry_release(&t->entry);
	rp_buf_release(&t->frame);
	free(t->shown);
	free(t);
	return code;
}
