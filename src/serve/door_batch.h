/* door_batch.h - the requests whose runs go into the outbox together, first come, first served.
 *
 * A batch fills while the one before is committed. It is then committed in slices, each one synced
 * commit: the requests at its front, at least one, whole ones only. The door answers the requests
 * of a slice after its commit. Nothing here waits, and nothing calls the store. */
#ifndef RP_SERVE_DOOR_BATCH_H
#define RP_SERVE_DOOR_BATCH_H

#include "ingest/batch.h"
#include "serve/door_access.h"

struct rp_http_connection;

/* Of one NDJSON body, and of one commit of several requests. */
#define RP_DOOR_LINES_MAX 4096
/* of one commit of several requests, so that none keeps the write lock for long */
#define RP_DOOR_COMMIT_BYTES ((size_t)2 << 20)

enum rp_door_form {
	RP_DOOR_RUN = 0, /* a Run, whose target `url` is */
	RP_DOOR_LINE,    /* a Run or an envelope, as a line of ingest */
	RP_DOOR_LINES,   /* several of them */
};

/* A request that was taken and is owed its answer. */
struct rp_door_held {
	struct rp_door_held *next;             /* in its batch, or among the unused ones */
	struct rp_http_connection *connection; /* NULL: it has gone */
	enum rp_door_form form;
	/* What the client sent. `key` is a given dedupe key, `headers` what goes along to the
	 * receiver (rp_run_options). They stay where they are until the request is answered. */
	struct rp_buf body, url, key, headers;
	int64_t whole_at_us, hold_until_ms; /* boot time */
	size_t n_runs;                      /* in its batch */
	bool token_in_url; /* the door's own, which has to be cut out of kwargs.webhook */
	bool keep;         /* one of its runs was rejected, and goes to the rejects */
	bool kept;         /* all of those are there now */
};

struct rp_door_batch {
	struct rp_batch runs;
	struct rp_run_cuts cuts; /* of the runs that are added from now on; the caller's to set */
	struct rp_door_held *first, **last;
	size_t from; /* the first run of `first` */
};

/* What one commit covers: the requests from the front up to `end`, and their runs. */
struct rp_door_slice {
	struct rp_door_held *first, *end;
	size_t from, n_runs, n_requests;
};

void rp_door_batch_init(struct rp_door_batch *batch);
/* There is no request in it any more. */
void rp_door_batch_release(struct rp_door_batch *batch);

static inline bool rp_door_batch_is_empty(const struct rp_door_batch *batch)
{
	return batch->first == NULL;
}

/* Parses the body and appends the request. What names the door itself as its receiver is rejected:
 * `loop`. false: out of memory, or more than RP_DOOR_LINES_MAX lines, which *too_many tells; the
 * batch is as it was. */
bool rp_door_batch_add(struct rp_door_batch *batch, struct rp_door_held *held,
		       const struct rp_door_hosts *hosts, bool *too_many);

/* The front, as much as one commit takes, but at most n_max requests (>= 1). The batch is not
 * empty. */
struct rp_door_slice rp_door_batch_slice(const struct rp_door_batch *batch, size_t n_max);

/* Takes the first request off, which is the caller's again. Its runs are still there, from the
 * `from` on that the batch had before, until rp_door_batch_settle or the next add. */
struct rp_door_held *rp_door_batch_take(struct rp_door_batch *batch);
/* Gives back what a batch without requests does not need. */
void rp_door_batch_settle(struct rp_door_batch *batch);

/* Takes the next text of a body off *rest: a line of lines, else all of it. false: none is left. */
bool rp_door_next_text(enum rp_door_form form, struct rp_span *rest, struct rp_span *text);

static inline bool rp_door_checks_key(const struct rp_door_held *held)
{
	return held->form == RP_DOOR_LINE && held->key.len > 0;
}

#endif
