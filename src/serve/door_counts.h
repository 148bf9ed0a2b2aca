/* door_counts.h - what the front door counts of its work, and what it does at the moment, in the
 * file `door` of the outbox.
 *
 * A door adds to memory that is the file, so the numbers live on when its process does not, and
 * several doors on one outbox share them. They are for those who watch: nothing is ever decided by
 * them, and where there can be no such file the door counts in its own memory.
 *
 * The file is struct rp_door_numbers in the byte order of the machine. It is never synced: a power
 * cut may take the last numbers with it. */
#ifndef RP_SERVE_DOOR_COUNTS_H
#define RP_SERVE_DOOR_COUNTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct rp_outbox;

/* --- what is counted ---------------------------------------------------------------------- */

/* Answers are counted by their status, each in its place; the last place takes all others. 0: the
 * place has no status. */
#define RP_DOOR_STATUSES 40
unsigned rp_door_status(size_t place);

/* Refusals likewise, by the code of the answer. NULL: the place has no code; "other": the last. */
#define RP_DOOR_CODES 48
const char *rp_door_code(size_t place);

enum rp_door_run {
	RP_DOOR_QUEUED,
	RP_DOOR_DUPLICATE,
	RP_DOOR_SKIPPED,
	RP_DOOR_REJECTED,
	RP_DOOR_RUNS_COUNT,
	RP_DOOR_RUNS_MAX = 8
};
const char *rp_door_run_name(enum rp_door_run kind);

#define RP_DOOR_BUCKETS 16
/* The largest value in bucket i; the last bucket takes the rest. */
extern const uint64_t rp_door_bounds_batch[RP_DOOR_BUCKETS - 1];   /* runs */
extern const uint64_t rp_door_bounds_wait_us[RP_DOOR_BUCKETS - 1]; /* microseconds */

struct rp_door_histogram {
	uint64_t sum;
	uint64_t count[RP_DOOR_BUCKETS]; /* each value in one bucket only */
};
uint64_t rp_door_histogram_count(const struct rp_door_histogram *h);

/* What a door says of itself in its slot. */
enum rp_door_state {
	RP_DOOR_STARTING, /* takes nothing yet */
	RP_DOOR_ACCEPTING,
	RP_DOOR_FULL,    /* the outbox is: requests are held for room */
	RP_DOOR_FAILING, /* the last commit failed */
	RP_DOOR_STOPPING,
	RP_DOOR_STATES
};
const char *rp_door_state_name(enum rp_door_state state);

/* What one door does at the moment. */
struct rp_door_now {
	uint64_t pid, state; /* enum rp_door_state */
	uint64_t connections;
	uint64_t requests;   /* whole ones that wait for their commit */
	uint64_t held;       /* of them: for room in the outbox */
	uint64_t body_bytes; /* bodies in memory */
	uint64_t nothing[2];
};
#define RP_DOOR_SLOTS 8

/* All u64: it is the file's bytes. Times are UTC in milliseconds, 0: never. What comes later takes
 * from `nothing`, where a file that is older has zeroes. */
#define RP_DOOR_FILE_BYTES 4096
struct rp_door_numbers {
	uint64_t format;
	uint64_t answers[RP_DOOR_STATUSES];
	uint64_t refused[RP_DOOR_CODES];
	uint64_t runs[RP_DOOR_RUNS_MAX];
	uint64_t requests_bytes; /* of bodies that were taken in */
	uint64_t connections;
	uint64_t held;                    /* requests that had to wait for room */
	uint64_t starts;                  /* of door workers */
	uint64_t failed;                  /* commits that failed; `batches` counts the others */
	struct rp_door_histogram batches; /* runs in a commit */
	struct rp_door_histogram waits;   /* us, from the whole request to its answer */
	/* bodies refused for their content: in the rejects file, or not */
	uint64_t kept, kept_bytes, lost, lost_bytes;
	uint64_t last_start_at_ms, last_queued_at_ms, last_lost_at_ms;
	uint64_t last_reject_at_ms, last_reject; /* a place among the codes */
	uint64_t last_access_at_ms, last_access; /* of those below; likewise */
	uint64_t nothing[301];
	struct rp_door_now now[RP_DOOR_SLOTS];
};

/* --- for a door --------------------------------------------------------------------------- */

/* The door's own: it stays where it was opened. All its threads may count. */
struct rp_door_counts {
	struct rp_door_numbers *numbers;
	struct rp_door_now *now;
	int fd; /* -1: nobody sees these numbers */
	struct rp_door_numbers own;
	struct rp_door_now own_now;
};

/* Opens or makes the file, as whom the outbox belongs to, takes a free slot in it and counts a
 * start. *c can be used whatever the result: another than RP_OK says why the numbers are kept in
 * memory only (RP_ERR_FORMAT: it is another file), or why `now` is not seen (RP_ERR_BUSY: there are
 * more than RP_DOOR_SLOTS doors). For a process that does not fork any more. */
enum rp_err rp_door_counts_open(struct rp_outbox *ob, int64_t now_at_ms, struct rp_door_counts *c,
				struct rp_error *err);
/* Opened or {0}. */
void rp_door_counts_close(struct rp_door_counts *c);

void rp_door_count_answer(struct rp_door_counts *c, unsigned status);
/* An answer with a code, refused or rejected, besides its status. */
void rp_door_count_refused(struct rp_door_counts *c, const char *code, int64_t now_at_ms);
/* n runs, or lines, by what became of them: once they are answered for. */
void rp_door_count_runs(struct rp_door_counts *c, enum rp_door_run kind, uint64_t n,
			int64_t now_at_ms);
void rp_door_count_body(struct rp_door_counts *c, uint64_t bytes);
void rp_door_count_connection(struct rp_door_counts *c);
void rp_door_count_held(struct rp_door_counts *c); /* a request begins to wait for room */
void rp_door_count_commit(struct rp_door_counts *c, uint64_t n_runs);
void rp_door_count_commit_failed(struct rp_door_counts *c);
void rp_door_count_wait(struct rp_door_counts *c, int64_t us);
/* A body or line that was refused for its content, and whether it is in the rejects file now;
 * besides rp_door_count_refused. */
void rp_door_count_reject(struct rp_door_counts *c, const char *code, uint64_t bytes, bool kept,
			  int64_t now_at_ms);
/* What the door does now, as often as it likes; pid is filled in here. */
void rp_door_show(struct rp_door_counts *c, const struct rp_door_now *now);

/* --- for those who look ------------------------------------------------------------------- */

/* A copy. Of `now` only slots of living doors are filled. RP_ERR_NOTFOUND without filling err: no
 * door ever was. RP_ERR_FORMAT, RP_ERR_DENIED, RP_ERR_IO: it cannot be read. */
enum rp_err rp_door_counts_read(struct rp_outbox *ob, struct rp_door_numbers *out,
				struct rp_error *err);
/* Sums over living doors; *n_doors (may be NULL): how many there are. state: the largest. */
struct rp_door_now rp_door_now_sum(const struct rp_door_numbers *n, unsigned *n_doors);
/* Bodies and lines refused for their content. */
uint64_t rp_door_rejects(const struct rp_door_numbers *n);
/* Requests that were refused before their body was read: for who sent them, where to, or how. An
 * engine does not send them again. */
uint64_t rp_door_access_refusals(const struct rp_door_numbers *n);

#endif
