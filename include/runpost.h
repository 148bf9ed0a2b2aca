/* runpost.h - the public library: put completed runs into a durable webhook outbox and look after
 * them.
 *
 * What it is for: a program that completes runs (a run engine, a test, a migration) appends each
 * one to an outbox; when rp_append returns RP_OK the run is on disk and will be delivered by
 * whatever `runpost send` processes work on that directory, or end in the dead letters. What it is
 * not: it never opens a network connection and starts no threads.
 *
 * Rules that hold for every call:
 *  - One handle per outbox per process, opened after fork(); a handle is not shared between
 *    threads without a lock.
 *  - Times are wall-clock milliseconds since 1970-01-01 UTC (`_at_ms`), 0 means "none".
 *  - Pointers passed in are borrowed for the duration of the call. What a walk hands out is valid
 *    inside its callback.
 *  - A call returns RP_OK or one code of enum rp_err; `err`, where given, is filled with a
 *    sentence for people. Unless a function says otherwise, a call that fails has changed nothing.
 *
 * Link with `pkg-config --cflags --libs runpost`. Usable from C++. */
#ifndef RUNPOST_H
#define RUNPOST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum rp_err {
	RP_OK = 0,
	/* the argument or the text is wrong; err says which and what would be right */
	RP_ERR_INVAL,
	RP_ERR_NOTFOUND, /* no such entry, outbox, file or key */
	RP_ERR_EXISTS,   /* it is there already */
	RP_ERR_STALE,    /* the claim or plan was lost to somebody else in the meantime */
	/* quota, map or disk is full; try again after senders or a purge made room */
	RP_ERR_FULL,
	/* a bounded resource is used up or taken for long, or in use elsewhere; try again */
	RP_ERR_BUSY,
	RP_ERR_DENIED, /* the file system or a policy forbids it */
	/* the directory holds something else, an outbox of another layout, or damaged pages */
	RP_ERR_FORMAT,
	RP_ERR_DAMAGED, /* a stored record fails its checksum */
	RP_ERR_NOMEM,
	/* the operating system failed; the outcome of a write is unknown, reopen before going on */
	RP_ERR_IO,
	/* the store cannot be reached now, and a write may or may not have been done: ask the same
	 * again */
	RP_ERR_AWAY,
};

#define RP_ERROR_TEXT_MAX 400

struct rp_error {
	enum rp_err code;
	int sys; /* errno, or 0 */
	char text[RP_ERROR_TEXT_MAX];
};

/* "inval", "full", ...: stable, lower case, for logs. */
const char *rp_err_name(enum rp_err code);

/* Where an entry is. The numbers are stored; they never change. */
enum rp_state {
	RP_STATE_WAITING = 1,   /* to be sent at next_attempt_at_ms */
	RP_STATE_IN_FLIGHT = 2, /* claimed by a sender */
	RP_STATE_HELD = 3,      /* parked by an operator until released */
	RP_STATE_DELIVERED = 4, /* a receiver answered 2xx */
	RP_STATE_DEAD = 5,      /* given up: see its cause; can be replayed */
};

const char *
rp_state_name(enum rp_state state); /* "waiting", "in_flight", "held", "delivered", "dead" */

#define RP_ID_TEXT_MAX 32 /* "msg_" + 26 characters + NUL, rounded up */

struct rp_handle;

/* Opens the outbox in directory `dir`, creating directory and outbox when they are missing (the
 * directory with mode 0700). RP_ERR_DENIED, _FORMAT, _FULL, _IO: *out is NULL and nothing was
 * changed; so is _BUSY, after ten seconds in which another process was opening it (stopped,
 * perhaps), or where it is in use in another PID namespace. Close with rp_close. */
enum rp_err rp_open(const char *dir, struct rp_handle **out, struct rp_error *err);
/* NULL is allowed; waits for one that opens, for 0.2 s at most */
void rp_close(struct rp_handle *handle);

/* One completed run. Zero the struct first: every member but `run` may be left empty. */
struct rp_run {
	const char *run; /* the Run as JSON; delivered byte for byte as it stands here */
	size_t run_bytes;
	/* URL; NULL: taken from the run's kwargs.webhook, else its `webhook` */
	const char *webhook;
	/* key that makes a repeated append a duplicate; NULL: run_id + URL + status */
	const char *dedupe_id;
	const char *operation; /* which call started the run, e.g. "POST /runs/wait" */
	/* one endpoint's entries with the same text go one by one, as appended; NULL: none */
	const char *order_by;
	int64_t not_before_at_ms;
	int64_t expires_at_ms;
};

enum rp_append_status {
	RP_APPEND_QUEUED = 1,
	RP_APPEND_DUPLICATE, /* an entry with this dedupe key exists: `id` names it */
	RP_APPEND_SKIPPED,   /* the run names no webhook: nothing to do */
	/* `code` and `reason` say why; the others of the batch are not affected */
	RP_APPEND_REJECTED,
};

struct rp_receipt {
	enum rp_append_status status;
	char id
	    /* the webhook-id, same for every attempt and replay; empty unless queued or
	     * duplicate */
	    [RP_ID_TEXT_MAX];
	char code[24]; /* of a rejection: bad_json, bad_url, too_large, bad_field */
	char reason[160];
};

/* Appends n runs in one synced commit and fills receipts[0..n). RP_OK: everything whose receipt
 * says queued is on disk. RP_ERR_FULL, _NOMEM: nothing was stored. RP_ERR_IO: the commit failed,
 * its outcome is unknown, or the files of the outbox are no longer under its path; append again
 * after reopening, the dedupe keys make that safe. */
enum rp_err rp_append_batch(struct rp_handle *handle, const struct rp_run *runs, size_t n,
			    struct rp_receipt *receipts, struct rp_error *err);
enum rp_err rp_append(struct rp_handle *handle, const struct rp_run *run,
		      struct rp_receipt *receipt, struct rp_error *err);

/* An entry as an inspector sees it. Strings are NUL-terminated and borrowed; `url` has its query
 * values redacted. Paths are whole: the library reads no configuration, so redact_path does not
 * hold here. */
struct rp_entry_view {
	const char *id;
	uint64_t seq;
	const char *run_id;
	const char *endpoint;
	const char *url;
	const char *operation;
	const char *cause; /* why it is dead, or what the last attempt came back with; "" */
	enum rp_state state;
	uint32_t attempts;
	uint64_t payload_bytes;
	int64_t accepted_at_ms;
	int64_t next_attempt_at_ms; /* 0 unless waiting */
	int64_t state_at_ms;        /* when it entered its state */
};

/* Calls `see` with the entry. RP_ERR_NOTFOUND: no entry has this id (never had, or it was
 * purged). */
enum rp_err rp_lookup(struct rp_handle *handle, const char *id,
		      void (*see)(void *arg, const struct rp_entry_view *entry), void *arg,
		      struct rp_error *err);

/* Walks the entries in `state` (0: all states) in the order of acceptance, from sequence number
 * `from_seq` up. `see` returns false to stop. Works in short pages, so it may run while senders
 * work; entries that change state meanwhile are seen in the old state, the new one, or, if they
 * left `state`, not at all. The callback may call the library. */
enum rp_err rp_walk(struct rp_handle *handle, enum rp_state state, uint64_t from_seq,
		    bool (*see)(void *arg, const struct rp_entry_view *entry), void *arg,
		    struct rp_error *err);

/* Makes a dead, held, delivered or waiting entry due now with a fresh retry budget and the same id.
 * RP_ERR_BUSY: it is in flight. RP_ERR_NOTFOUND: no such entry. */
enum rp_err rp_replay(struct rp_handle *handle, const char *id, struct rp_error *err);

/* Removes an entry for good. *was_in_flight (may be NULL) tells whether an attempt may be under
 * way. */
enum rp_err rp_purge(struct rp_handle *handle, const char *id, bool *was_in_flight,
		     struct rp_error *err);

/* The ledger: accepted = waiting + in_flight + held + delivered + dead + purged, always. */
struct rp_ledger {
	uint64_t accepted, waiting, in_flight, held, delivered, dead, purged;
};
enum rp_err rp_read_ledger(struct rp_handle *handle, struct rp_ledger *out, struct rp_error *err);

#ifdef __cplusplus
}
#endif
#endif
