/* memory_int.h - what the files of the store in memory share: the arrays, and a move of an entry.
 *
 * Texts are copied once and live as long as the world, so a copy of the arrays is a copy of the
 * whole. */
#ifndef MEMORY_INT_H
#define MEMORY_INT_H

#include "model/job_walk.h"
#include "model/ledger.h"
#include "model/receiver.h"
#include "model/sequence.h"
#include "store/store_ops.h"
#include "conformance/memory/store_memory.h"

/* n items of `size` bytes. */
struct mem_list {
	char *items;
	size_t n, cap, size;
};
void *mem_at(const struct mem_list *l, size_t i);
/* A zeroed place before item i. */
void *mem_insert(struct mem_list *l, size_t i);
void mem_remove(struct mem_list *l, size_t i);
#define MEM_EACH(type, item, list)                                                                 \
	for (type *item = (type *)(void *)(list)->items;                                           \
	     (list)->n > 0 && item < (type *)(void *)(list)->items + (list)->n; item++)

struct mem_entry {
	uint64_t seq;
	struct rp_facts facts;
	struct rp_delivery d;
	struct rp_span payload;
	uint32_t handed; /* the number of the claim that an append made */
};
/* A path, a section or a host. Making one moves the others: hold its number, not its address. */
struct mem_endpoint {
	uint64_t id;
	struct rp_span name;
	struct rp_endpoint rec;
	uint64_t queue; /* the ready queue that it is in, if it is in one */
	/* of the transaction: it was changed; how many were in flight at the beginning */
	bool dirty;
	uint64_t was_in_use;
};
struct mem_attempt {
	uint64_t seq;
	uint32_t n;
	struct rp_attempt a;
};
struct mem_audit {
	uint64_t number;
	struct rp_audit a;
};
struct mem_job {
	uint64_t number;
	struct rp_job j;
};
struct mem_planned { /* sorted by these three */
	uint64_t job;
	struct rp_plan_row row;
};
struct mem_series {
	char name[RP_SERIES_NAME_MAX];
	struct rp_series s;
};

#define MEM_SLOTS 120
struct mem_sender {
	bool taken;      /* a handle has it */
	bool registered; /* nobody has returned its claims yet */
	uint64_t incarnation;
	uint32_t pid;
	int64_t started_at_ms, beat_boot_ms;
	struct rp_clock_watch clock;
	struct rp_offer offer;
};

/* All but the texts and the handles. */
struct mem_state {
	struct rp_head head;
	struct rp_counters counters;
	uint64_t commits, next_recent, next_audit;
	struct mem_list entries;   /* struct mem_entry, by number */
	struct mem_list endpoints; /* struct mem_endpoint, by number */
	struct mem_list attempts;  /* struct mem_attempt, by entry and number */
	struct mem_list recent;    /* struct rp_recent, by number */
	struct mem_list audits;    /* struct mem_audit, by number */
	struct mem_list jobs;      /* struct mem_job, by number */
	struct mem_list planned;   /* struct mem_planned */
	struct mem_list series;    /* struct mem_series, by name */
};

struct rp_memory_world {
	struct mem_state state;
	struct mem_sender senders[MEM_SLOTS];
	struct mem_text *texts;
	struct rp_memory *handles;
};

struct rp_memory {
	struct rp_outbox outbox;
	struct rp_memory_world *world;
	struct rp_memory *next;
	const struct rp_sys *sys;
	struct rp_sender_id me;
	bool joined;
	int work_fd, commits_fd; /* -1: nobody watches */
};
struct rp_memory *mem_of(struct rp_outbox *outbox);

struct rp_span mem_keep(struct rp_memory_world *w, struct rp_span text);

/* --- a transaction ----------------------------------------------------------------------- */

struct mem_txn {
	struct rp_memory *by;
	struct mem_state *s;
	int64_t now_at_ms;
	bool dirty; /* something changed that is worth a commit */
};
struct mem_txn mem_begin(struct rp_outbox *outbox, int64_t now_at_ms);
/* Works out the places of endpoints that were changed, from the paths up, and removes those that
 * are over. */
void mem_flush(struct mem_txn *t);
void mem_commit(struct mem_txn *t);
void mem_ring(struct mem_txn *t);

struct mem_state mem_state_copy(const struct mem_state *s);
void mem_state_free(struct mem_state *s);

/* --- what is in it ----------------------------------------------------------------------- */

/* Entries in flight with the sender that has this slot. */
size_t mem_claims_of(struct mem_state *s, unsigned slot);
/* NULL: there is none. */
struct mem_entry *mem_entry(struct mem_state *s, uint64_t seq);
struct mem_entry *mem_entry_by_id(struct mem_state *s, const unsigned char id[RP_ID_BYTES]);
struct mem_entry *mem_entry_by_key(struct mem_state *s, struct rp_span dedupe_key);
int64_t mem_first_due_ms(struct mem_state *s, uint64_t endpoint);
bool mem_is_same(struct rp_span a, struct rp_span b);

struct mem_endpoint *mem_endpoint(struct mem_state *s, uint64_t id);
/* The levels of a path. */
struct rp_receiver mem_receiver(struct mem_state *s, uint64_t path);
/* The first of a ready queue, from this place on. */
struct mem_endpoint *mem_first_ready(struct mem_state *s, uint64_t queue, int64_t from_at_ms,
				     uint64_t from_id);

/* --- changes ----------------------------------------------------------------------------- */

/* The number of a path; it and its host are made when they are new. */
uint64_t mem_intern(struct mem_txn *t, struct rp_span name);
/* The path is in the section of this name from now on; empty: in none. */
void mem_set_section(struct mem_txn *t, uint64_t path, struct rp_span section);
/* It, its section and its host are to be looked at before the commit. */
void mem_changed(struct mem_txn *t, uint64_t id);
/* What the configuration says now, by the name of a host or path. */
struct rp_level_limits mem_ask(struct mem_txn *t, const struct rp_exchange *x, uint64_t id);
void mem_claim(struct mem_txn *t, struct rp_exchange *x);
/* Of a new entry. e->d is not set yet: mem_move does that. */
struct mem_entry *mem_add(struct mem_txn *t, uint64_t seq, const struct rp_facts *facts,
			  struct rp_span payload);
/* from NULL: of a new entry; to NULL: it is removed. */
void mem_move(struct mem_txn *t, uint64_t seq, const struct rp_delivery *from,
	      struct rp_delivery *to);
void mem_log_attempt(struct mem_txn *t, uint64_t seq, uint64_t endpoint, uint32_t n,
		     const struct rp_attempt *a);
enum rp_changed mem_change(struct mem_txn *t, enum rp_change verb, unsigned states, uint64_t seq);

void mem_audit_put(struct mem_txn *t, const struct rp_audit *a, uint64_t *number);
void mem_audit_count(struct mem_txn *t, uint64_t number, bool add, uint64_t done, uint64_t skipped);

/* --- operations, by file ----------------------------------------------------------------- */

enum rp_err mem_append(struct rp_outbox *ob, int64_t now_at_ms, const struct rp_new_entry *entries,
		       size_t n, struct rp_appended *out, struct rp_error *err);
enum rp_err mem_import(struct rp_outbox *ob, int64_t now_at_ms, const struct rp_import *entries,
		       size_t n, bool dry_run, uint64_t audit, struct rp_import_result *results,
		       struct rp_error *err);

enum rp_err mem_join(struct rp_outbox *ob, int64_t now_at_ms, int64_t boot_ms,
		     struct rp_sender_id *out, struct rp_error *err);
enum rp_err mem_leave(struct rp_outbox *ob, int64_t now_at_ms, struct rp_error *err);
void mem_beat(struct rp_outbox *ob, int64_t now_at_ms, int64_t boot_ms);
void mem_offer(struct rp_outbox *ob, int64_t now_at_ms, size_t claims_max);
enum rp_err mem_withdraw(struct rp_outbox *ob, struct rp_error *err);
enum rp_err mem_take(struct rp_outbox *ob, struct rp_taking *k, struct rp_error *err);
/* Of a new entry that waits: true: a sender has it now. */
bool mem_hand_over(struct mem_txn *t, uint64_t seq);
enum rp_err mem_reap(struct rp_outbox *ob, int64_t now_at_ms, int64_t boot_ms, int64_t lease_ms,
		     size_t *n_returned, struct rp_error *err);
enum rp_err mem_senders(struct rp_outbox *ob,
			void (*see)(void *arg, const struct rp_sender_info *s), void *arg,
			struct rp_error *err);

enum rp_err mem_exchange(struct rp_outbox *ob, int64_t now_at_ms, struct rp_exchange *x,
			 struct rp_error *err);
enum rp_err mem_renew_limits(struct rp_outbox *ob, int64_t now_at_ms, struct rp_renewal *renewal,
			     struct rp_error *err);
enum rp_err mem_fix_clock(struct rp_outbox *ob, int64_t now_at_ms, struct rp_clock_fix *walk,
			  struct rp_error *err);
enum rp_err mem_fetch(struct rp_outbox *ob, const struct rp_claim *claim, struct rp_dispatch *out,
		      struct rp_error *err);
enum rp_err mem_fetch_piece(struct rp_outbox *ob, struct rp_piece *piece, char *out, size_t n,
			    struct rp_error *err);
enum rp_err mem_expire(struct rp_outbox *ob, int64_t now_at_ms, int64_t keep_delivered_ms,
		       int64_t keep_dead_ms, size_t max, size_t *n_removed, struct rp_error *err);
enum rp_err mem_change_many(struct rp_outbox *ob, int64_t now_at_ms, enum rp_change verb,
			    unsigned states, const uint64_t *seqs, size_t n, uint64_t audit,
			    enum rp_changed *results, struct rp_error *err);
enum rp_err mem_endpoint_pause(struct rp_outbox *ob, int64_t now_at_ms, uint64_t endpoint,
			       bool pause, struct rp_error *err);

enum rp_err mem_select(struct rp_outbox *ob, struct rp_select *s, struct rp_error *err);
void mem_select_end(struct rp_outbox *ob, struct rp_select *s);
enum rp_err mem_attempts(struct rp_outbox *ob, uint64_t seq,
			 void (*see)(void *arg, uint32_t n, const struct rp_attempt *a,
				     bool damaged),
			 void *arg, struct rp_error *err);
enum rp_err mem_recent(struct rp_outbox *ob, struct rp_recent_page *page, struct rp_error *err);
enum rp_err mem_body(struct rp_outbox *ob, uint64_t seq, struct rp_buf *out, struct rp_error *err);
enum rp_err mem_ledger(struct rp_outbox *ob, struct rp_ledger *out, struct rp_error *err);
enum rp_err mem_info(struct rp_outbox *ob, struct rp_outbox_info *out, struct rp_error *err);
enum rp_err mem_counters(struct rp_outbox *ob, struct rp_counters *out,
			 void (*see)(void *arg, struct rp_span name, const struct rp_series *s),
			 void *arg, struct rp_error *err);
enum rp_err mem_endpoints(struct rp_outbox *ob, struct rp_endpoints_which which,
			  bool (*see)(void *arg, uint64_t id, struct rp_span name,
				      const struct rp_endpoint *e),
			  void *arg, struct rp_error *err);
enum rp_err mem_endpoint_find(struct rp_outbox *ob, enum rp_level level, struct rp_span name,
			      uint64_t *id, struct rp_error *err);
enum rp_err mem_verify(struct rp_outbox *ob, struct rp_verify *v, struct rp_error *err);

enum rp_err mem_plan_begin(struct rp_outbox *ob, int64_t now_at_ms, const struct rp_job *spec,
			   uint64_t *number, struct rp_error *err);
enum rp_err mem_plan_add(struct rp_outbox *ob, int64_t now_at_ms, uint64_t number,
			 const struct rp_plan_row *rows, size_t n, bool last, struct rp_error *err);
enum rp_err mem_job_order(struct rp_outbox *ob, int64_t now_at_ms, uint64_t number,
			  const struct rp_job_order *order, struct rp_error *err);
enum rp_err mem_jobs_step(struct rp_outbox *ob, int64_t now_at_ms, struct rp_job_step *step,
			  struct rp_error *err);
enum rp_err mem_jobs(struct rp_outbox *ob,
		     bool (*see)(void *arg, uint64_t number, const struct rp_job *j), void *arg,
		     struct rp_error *err);
enum rp_err mem_plan_rows(struct rp_outbox *ob, uint64_t number, struct rp_plan_row *from,
			  struct rp_plan_row *rows, size_t max, size_t *n, struct rp_error *err);
enum rp_err mem_audit_add(struct rp_outbox *ob, const struct rp_audit *a, uint64_t *number,
			  struct rp_error *err);
enum rp_err mem_audit_set(struct rp_outbox *ob, int64_t now_at_ms, uint64_t number, uint64_t done,
			  struct rp_error *err);
enum rp_err mem_audit_see(struct rp_outbox *ob,
			  bool (*see)(void *arg, uint64_t number, const struct rp_audit *a),
			  void *arg, struct rp_error *err);

#endif
