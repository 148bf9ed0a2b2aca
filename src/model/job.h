/* job.h - what operators leave in the outbox: jobs, which work through a set of entries, and the
 * log of who changed what.
 *
 * A job begins as a plan: an exact set of entries, each as it was when it was picked. Replays are
 * carried by whoever is there, the senders and the tool that started them; a purge only by the
 * tool. Layout rules as in model/record.h.
 *
 * job (number)           u8 1 | u8 verb | u8 phase | u32 uid | u32 rate count, period_ms | i64
 *                        created_at | i64 started_at | i64 ended_at | i64 expires_at | i64 moved_at
 *                        | i64 next_at_us | u64 lane | u64 audit | u64 planned, done,
 *                        done_in_flight, skipped in_flight, changed, gone, state | str user | str
 *                        selector | str reason | u64 sum
 * job entry (job, endpoint, seq)   u8 state | u32 claim_no | u32 replays
 * audit (number)         u8 1 | u32 uid | i64 at | u64 job | u64 done, skipped | str verb | str
 *                        user | str what | str reason | u64 sum */
#ifndef RP_MODEL_JOB_H
#define RP_MODEL_JOB_H

#include "base/bytes.h"
#include "model/control.h"

#define RP_JOB_TEXT_MAX 1000 /* bytes of user, selector, reason, ..., each */
#define RP_JOB_BYTES_MAX (3 * (RP_JOB_TEXT_MAX + 2) + 200)
#define RP_AUDIT_BYTES_MAX (4 * (RP_JOB_TEXT_MAX + 2) + 100)

enum rp_job_verb { RP_JOB_REPLAY = 1, RP_JOB_PURGE };

/* The numbers are stored. */
enum rp_job_phase {
	RP_JOB_PLANNING = 1,  /* its set is being written */
	RP_JOB_PLANNED = 2,   /* complete, until expires_at */
	RP_JOB_RUNNING = 3,   /* being worked through */
	RP_JOB_PAUSED = 4,    /* by an operator */
	RP_JOB_DONE = 5,      /* nothing of its set is left */
	RP_JOB_CANCELLED = 6, /* by an operator; what was done is done */
	RP_JOB_EXPIRED = 7,   /* a plan that was not used in time */
};

/* What became of the planned ones that were not done. */
struct rp_job_skipped {
	uint64_t in_flight; /* a sender had it */
	/* it was not as planned any more: moved on, or replayed by somebody else */
	uint64_t changed;
	uint64_t gone;  /* purged, or past its keeping time */
	uint64_t state; /* the verb does not apply to it */
};

/* Spans point into the record it was unpacked from, or to the caller's. */
struct rp_job {
	enum rp_job_verb verb;
	enum rp_job_phase phase;
	uint32_t uid;
	struct rp_rate rate; /* count 0: none */
	int64_t created_at_ms, started_at_ms, ended_at_ms;
	int64_t expires_at_ms; /* PLANNED */
	int64_t moved_at_ms;   /* when it last did something */
	int64_t next_at_us;    /* with a rate: when the next one may go */
	uint64_t lane;         /* the endpoint whose turn is next */
	uint64_t audit;        /* number of its audit record; 0: none yet */
	uint64_t planned, done;
	uint64_t done_in_flight; /* of done: purged while an attempt may be under way */
	struct rp_job_skipped skipped;
	struct rp_span user, selector, reason;
};

/* An entry of a plan, as it was when it was picked. */
struct rp_plan_row {
	uint64_t endpoint, seq;
	unsigned state;
	uint32_t claim_no, replays;
};
#define RP_PLAN_ROW_BYTES 9

struct rp_audit {
	uint32_t uid;
	int64_t at_ms;
	uint64_t job; /* 0: none */
	uint64_t done, skipped;
	struct rp_span verb, user, what, reason;
};

const char *rp_job_verb_name(enum rp_job_verb verb);    /* "replay", "purge" */
const char *rp_job_phase_name(enum rp_job_phase phase); /* "planning", "planned", ... */
bool rp_job_is_over(enum rp_job_phase phase);
uint64_t rp_job_left(const struct rp_job *j); /* planned and neither done nor skipped */
uint64_t rp_job_n_skipped(const struct rp_job *j);

/* With a rate: how many of `want` may go now, at most a fifth of a second's worth at once, and at
 * least one; they count as gone. Without: all. */
size_t rp_job_take(struct rp_job *j, int64_t now_at_ms, size_t want);
/* When the next may go: 0 at once. */
int64_t rp_job_next_at_ms(const struct rp_job *j);

/* As in model/record.h. Texts longer than RP_JOB_TEXT_MAX are cut. */
size_t rp_job_pack(const struct rp_job *j, uint64_t number, void *out, size_t size);
bool rp_job_unpack(struct rp_job *j, uint64_t number, const void *mem, size_t size);
size_t rp_audit_pack(const struct rp_audit *a, uint64_t number, void *out, size_t size);
bool rp_audit_unpack(struct rp_audit *a, uint64_t number, const void *mem, size_t size);
void rp_plan_row_pack(const struct rp_plan_row *row, unsigned char out[RP_PLAN_ROW_BYTES]);
/* endpoint and seq are its key's. */
bool rp_plan_row_unpack(struct rp_plan_row *row, const void *mem, size_t size);

#endif
