/* demo.h - what the parts of `runpost demo` share: its folder, its children, its runs, and how it
 * tells what happens.
 *
 * The demo uses the programs as a user would, in a folder of its own: it starts them, gives them
 * files, reads what they print and judges it. It opens no outbox itself. A function that returns
 * false has told why, as a failed check. */
#ifndef RP_CMD_DEMO_H
#define RP_CMD_DEMO_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/bytes.h"
#include "base/err.h"

#define RP_DEMO_RUNS_MAX 50
#define RP_DEMO_PATH_MAX 4096
#define RP_DEMO_SHA256_TEXT_MAX 65
#define RP_DEMO_REFUSALS 3 /* the receiver answers so many requests 503 before it is well */
#define RP_DEMO_BROKEN_ATTEMPTS 2
#define RP_DEMO_LIMIT_MS 15000 /* for each thing waited for; what takes longer has failed */
#define RP_DEMO_CONFIG "runpost.conf"

/* A program in the background. Both its outputs go to "NAME.log" in the demo's folder. */
struct rp_demo_child {
	const char *name;
	pid_t pid; /* 0: not running */
	int exit_code;
	size_t shown; /* bytes of the log that were printed */
};

struct rp_demo_run {
	struct rp_span payload; /* what the receiver is to get, byte for byte */
	char sha256[RP_DEMO_SHA256_TEXT_MAX];
	bool as_it_is; /* its own webhook is our receiver: it may go in without an envelope */
	char id[RP_ID_TEXT_MAX];
};

struct rp_demo {
	/* this program, and the folder it is in */
	char self[RP_DEMO_PATH_MAX], bin[RP_DEMO_PATH_MAX];
	char dir[RP_DEMO_PATH_MAX];
	int dir_fd, stop_fd;
	int stop_signal; /* 0: go on */
	unsigned step;   /* the one that began last */
	bool failed;
	char token[80], secret[80];
	/* `port` until the receiver listens: the one that the runs name; 0: none */
	unsigned port, broken_port;
	struct rp_demo_child receiver, broken, senders, foreground;
	struct rp_buf text; /* the file of runs; payloads point into it */
	struct rp_demo_run runs[RP_DEMO_RUNS_MAX];
	size_t n_runs;
	char broken_id[RP_ID_TEXT_MAX];
};

/* --- demo.c: processes -------------------------------------------------------------- */

/* argv: the program's name, its arguments, NULL. Prints the command, starts it. */
bool rp_demo_start(struct rp_demo *d, struct rp_demo_child *child, const char *const *argv);
bool rp_demo_is_running(struct rp_demo_child *child);
/* SIGTERM, and SIGKILL if that does not help; then `exit_code` holds what it ended with (128 + N:
 * killed by signal N).
 */
void rp_demo_end(struct rp_demo *d, struct rp_demo_child *child);

enum rp_demo_how {
	RP_DEMO_SHOWN,  /* the command and what it prints */
	RP_DEMO_SCREEN, /* the same on a terminal, where the tools draw tables */
	RP_DEMO_QUIET,  /* neither */
};
/* Runs it to its end with the file `input` of the demo's folder (NULL: nothing) as standard input.
 * `out` gets both its outputs. False when it could not be run or ended with anything but 0. */
bool rp_demo_run(struct rp_demo *d, enum rp_demo_how how, const char *input,
		 const char *const *argv, struct rp_buf *out);

/* Lets some time pass. False: it is time to stop. */
bool rp_demo_pause(struct rp_demo *d, int ms);

/* --- demo_tell.c: what people read, and files --------------------------------------- */

void rp_demo_heading(struct rp_demo *d, unsigned step, const char *text);
void rp_demo_command(const char *const *argv, const char *input);
/* A child's output, indented. A line with the token or the signing secret in it is withheld, and a
 * failed check. */
void rp_demo_output(struct rp_demo *d, struct rp_span text);
/* The whole lines that came into its log since the last call. */
void rp_demo_show_log(struct rp_demo *d, struct rp_demo_child *child);
/* Says what was looked at and whether it is so; returns ok. */
bool rp_demo_check(struct rp_demo *d, bool ok, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* A check that speaks only when it failed. Returns false. */
bool rp_demo_fail(struct rp_demo *d, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

enum rp_err rp_demo_read_file(int dir_fd, const char *path, struct rp_buf *out,
			      struct rp_error *err);
enum rp_err rp_demo_write_file(int dir_fd, const char *name, struct rp_span text,
			       struct rp_error *err);

/* Cuts the first line off *rest. False: there is none. */
bool rp_demo_next_line(struct rp_span *rest, struct rp_span *line);

/* --- demo_runs.c: the runs ---------------------------------------------------------- */

/* Loads the runs of the file, or some of our own (NULL), and finds which port and token they
 * name. */
enum rp_err rp_demo_load_runs(struct rp_demo *d, const char *path, struct rp_error *err);
/* Writes the ingest input: every second run in an envelope, or all when they cannot go as they
 * are. */
enum rp_err rp_demo_write_input(struct rp_demo *d, const char *name, size_t *n_wrapped,
				struct rp_error *err);
/* The first run in an envelope to the broken receiver. */
enum rp_err rp_demo_write_broken_input(struct rp_demo *d, const char *name, struct rp_error *err);

/* --- demo_read.c: what the programs answered ---------------------------------------- */

struct rp_demo_receipt {
	char status[16], id[RP_ID_TEXT_MAX];
};
/* How many receipts stand in `text`, at most max of which are filled in. */
size_t rp_demo_read_receipts(struct rp_span text, struct rp_demo_receipt *out, size_t max);

/* What a receiver's record says about the requests that carried one webhook-id. */
struct rp_demo_posts {
	size_t all, accepted, refused; /* answered 200; anything else */
	bool last_accepted;
	bool all_right; /* every one: the expected body, a good signature, a good token */
};
bool rp_demo_read_posts(struct rp_demo *d, const char *record, const char *id, const char *sha256,
			struct rp_demo_posts *out);

struct rp_demo_stats {
	long long accepted, waiting, in_flight, held, delivered, dead, purged, senders;
};
bool rp_demo_read_stats(struct rp_demo *d, struct rp_demo_stats *out);
/* Whether `runpostctl list --json` printed just this entry, dead of this cause after so many
 * attempts. */
bool rp_demo_is_dead_letter(struct rp_span list, const char *id, const char *cause,
			    long long attempts);

/* --- demo_steps.c ------------------------------------------------------------------- */

/* All steps, up to the first that fails. */
bool rp_demo_play(struct rp_demo *d, const char *runs_name);

#endif
