/* tables.h - private to src/store/lmdb: the tables of data.mdb, the keys and values of their rows.
 *
 * Tables (keys are big-endian numbers, 8 bytes each, unless said otherwise; records in
 * model/record.h):
 *   meta           text -> "format": "runpost" + u32 version; "layout": a number; "head": struct
 *                  rp_head; "tally", "series:NAME": model/counters.h
 *   entry          seq -> facts                         written once
 *   body           (seq, chunk no) -> payload bytes  written once; a chunk never needs more than
 *                  one page
 *   delivery       seq -> struct rp_delivery
 *   queue          (endpoint, due_at, seq) -> nothing  one row for each WAITING entry that is not
 *                  behind another
 *   order          (endpoint, order_key, seq) -> flags  one row for each live (WAITING, IN_FLIGHT,
 *                  HELD) entry with an order_by; flags u8: 1 behind, 2 held
 *   agenda         (queue, time, endpoint) -> nothing  the ready queues. Queue 0 and 1: hosts
 *                  that have not proven themselves, and that have; the number of a host: its
 *                  sections, and its paths without a section; the number of a section: its
 *                  paths; each at the time at which something may be claimed from it. Queue 2:
 *                  paths at the time at which their first entry is due (model/schedule.h)
 *   claim          (slot, seq) -> u32 claim_no, u8 marks  one row for each IN_FLIGHT entry; marks:
 *                  1 << level: the places that it lacks; 0x80: an append handed it over
 *   attempt        (seq, n) -> struct rp_attempt
 *   dead           (state_at, seq) -> why, 12 bytes  one row for each DEAD entry; the value repeats
 *                  what its delivery record says, so that dead letters can be grouped by their
 *                  index alone: u64 endpoint | u8 cause | u8 last_cause | u16 http_status
 *   done           (state_at, seq) -> nothing           one row for each DELIVERED entry
 *   held           (state_at, seq) -> nothing           one row for each HELD entry
 *   run            run_id NUL seq -> nothing  one row for each entry that has a run_id and a dedupe
 *                  key that does not begin with it (text and 8 bytes, not three numbers)
 *   endpoint       id -> struct rp_endpoint          paths, sections and hosts; the number tells
 *                  which, and the host it is in (model/level.h)
 *   endpoint_name  id -> name; of a host what stands before the path, of a section
 *                  "https://host [section]"
 *   endpoint_id    first 16 bytes of SHA-256(name), of a section or host of its level (u8) and
 *                  its name -> id
 *   seen           dedupe key -> id of the entry (16 bytes)
 *   alias          id of an imported entry (16 bytes) -> the number it got here, when its id says
 *                  another
 *   job            number -> struct rp_job              (model/job.h)
 *   job_entry      (job, endpoint, seq) -> state, claim_no, replays, 9 bytes: what is left of a
 *                  job's set
 *   audit          number -> struct rp_audit            the last 4,096 changes by operators
 *   sender         slot -> incarnation u64, pid u64, started_at i64
 *   recent         number -> the attempts a commit settled (model/record.h); a ring, see
 *                  recent.c
 *
 * No DUPSORT: in LMDB 0.9.24 a cursor walk with deletes silently loses other rows there (measured:
 * 134 of 160 runs). */
#ifndef RP_STORE_LMDB_DB_TABLES_H
#define RP_STORE_LMDB_DB_TABLES_H

#include <stdbool.h>

enum rp_table {
	RP_T_META,
	RP_T_ENTRY,
	RP_T_BODY,
	RP_T_DELIVERY,
	RP_T_QUEUE,
	RP_T_ORDER,
	RP_T_READY,
	RP_T_CLAIM,
	RP_T_ATTEMPT,
	RP_T_DEAD,
	RP_T_DONE,
	RP_T_HELD,
	RP_T_RUN,
	RP_T_ENDPOINT,
	RP_T_ENDPOINT_NAME,
	RP_T_ENDPOINT_ID,
	RP_T_SEEN,
	RP_T_ALIAS,
	RP_T_SENDER,
	RP_T_JOB,
	RP_T_JOB_ENTRY,
	RP_T_AUDIT,
	RP_T_RECENT,
	RP_T_COUNT
};

/* As LMDB has it, and messages. Inline, since each row that is put or removed asks. */
extern const char *const rp_table_names[RP_T_COUNT];
static inline const char *rp_table_name(enum rp_table table)
{
	return rp_table_names[table];
}
/* Whether a value may need pages of its own: LMDB gives them to those of more than some 2,000
 * bytes. */
static inline bool rp_table_has_large_values(enum rp_table table)
{
	return table == RP_T_META || table == RP_T_ENTRY || table == RP_T_BODY ||
	       table == RP_T_ENDPOINT_NAME || table == RP_T_JOB || table == RP_T_AUDIT;
}

#endif
