/* postgres_ops.h - private to src/store/postgres: the functions of the store's table, one for each
 * of store/store_ops.h, which says what they promise. */
#ifndef RP_STORE_POSTGRES_POSTGRES_OPS_H
#define RP_STORE_POSTGRES_POSTGRES_OPS_H

#include "store/outbox.h"

void rp_pgop_close(struct rp_outbox *outbox);
enum rp_err rp_pgop_sync(struct rp_outbox *outbox, struct rp_error *err);
enum rp_err rp_pgop_check(struct rp_outbox *outbox, struct rp_error *err);
enum rp_err rp_pgop_act(struct rp_outbox *outbox, uid_t *before, struct rp_error *err);
enum rp_err rp_pgop_append(struct rp_outbox *outbox, int64_t now_at_ms,
			   const struct rp_new_entry *entries, size_t n, struct rp_appended *out,
			   struct rp_error *err);
enum rp_err rp_pgop_import(struct rp_outbox *outbox, int64_t now_at_ms,
			   const struct rp_import *entries, size_t n, bool dry_run, uint64_t audit,
			   struct rp_import_result *results, struct rp_error *err);
enum rp_err rp_pgop_join(struct rp_outbox *outbox, int64_t now_at_ms, int64_t boot_ms,
			 struct rp_sender_id *out, struct rp_error *err);
enum rp_err rp_pgop_leave(struct rp_outbox *outbox, int64_t now_at_ms, struct rp_error *err);
void rp_pgop_beat(struct rp_outbox *outbox, int64_t now_at_ms, int64_t boot_ms);
void rp_pgop_offer(struct rp_outbox *outbox, int64_t now_at_ms, size_t claims_max);
enum rp_err rp_pgop_withdraw(struct rp_outbox *outbox, struct rp_error *err);
enum rp_err rp_pgop_take(struct rp_outbox *outbox, struct rp_taking *taking, struct rp_error *err);
enum rp_err rp_pgop_reap(struct rp_outbox *outbox, int64_t now_at_ms, int64_t boot_ms,
			 int64_t lease_ms, size_t *n_returned, struct rp_error *err);
enum rp_err rp_pgop_exchange(struct rp_outbox *outbox, int64_t now_at_ms,
			     struct rp_exchange *exchange, struct rp_error *err);
enum rp_err rp_pgop_renew_limits(struct rp_outbox *outbox, int64_t now_at_ms,
				 struct rp_renewal *renewal, struct rp_error *err);
enum rp_err rp_pgop_fix_clock(struct rp_outbox *outbox, int64_t now_at_ms,
			      struct rp_clock_fix *walk, struct rp_error *err);
enum rp_err rp_pgop_fetch(struct rp_outbox *outbox, const struct rp_claim *claim,
			  struct rp_dispatch *out, struct rp_error *err);
enum rp_err rp_pgop_fetch_piece(struct rp_outbox *outbox, struct rp_piece *piece, char *out,
				size_t n, struct rp_error *err);
enum rp_err rp_pgop_expire(struct rp_outbox *outbox, int64_t now_at_ms, int64_t keep_delivered_ms,
			   int64_t keep_dead_ms, size_t max, size_t *n_removed,
			   struct rp_error *err);
enum rp_err rp_pgop_watch(struct rp_outbox *outbox, enum rp_watch what, int *fd,
			  struct rp_error *err);
struct rp_woken rp_pgop_drain(struct rp_outbox *outbox, enum rp_watch what);
enum rp_err rp_pgop_select(struct rp_outbox *outbox, struct rp_select *s, struct rp_error *err);
void rp_pgop_select_end(struct rp_outbox *outbox, struct rp_select *s);
enum rp_err rp_pgop_attempts(struct rp_outbox *outbox, uint64_t seq,
			     void (*see)(void *arg, uint32_t n, const struct rp_attempt *a,
					 bool damaged),
			     void *arg, struct rp_error *err);
enum rp_err rp_pgop_recent(struct rp_outbox *outbox, struct rp_recent_page *page,
			   struct rp_error *err);
enum rp_err rp_pgop_body(struct rp_outbox *outbox, uint64_t seq, struct rp_buf *out,
			 struct rp_error *err);
enum rp_err rp_pgop_ledger(struct rp_outbox *outbox, struct rp_ledger *out, struct rp_error *err);
enum rp_err rp_pgop_info(struct rp_outbox *outbox, struct rp_outbox_info *out,
			 struct rp_error *err);
enum rp_err rp_pgop_counters(struct rp_outbox *outbox, struct rp_counters *out,
			     void (*see)(void *arg, struct rp_span name, const struct rp_series *s),
			     void *arg, struct rp_error *err);
enum rp_err rp_pgop_endpoints(struct rp_outbox *outbox, struct rp_endpoints_which which,
			      bool (*see)(void *arg, uint64_t id, struct rp_span name,
					  const struct rp_endpoint *e),
			      void *arg, struct rp_error *err);
enum rp_err rp_pgop_endpoint_find(struct rp_outbox *outbox, enum rp_level level,
				  struct rp_span name, uint64_t *id, struct rp_error *err);
enum rp_err rp_pgop_senders(struct rp_outbox *outbox,
			    void (*see)(void *arg, const struct rp_sender_info *s), void *arg,
			    struct rp_error *err);
enum rp_err rp_pgop_change(struct rp_outbox *outbox, int64_t now_at_ms, enum rp_change verb,
			   unsigned states, const uint64_t *seqs, size_t n, uint64_t audit,
			   enum rp_changed *results, struct rp_error *err);
enum rp_err rp_pgop_endpoint_pause(struct rp_outbox *outbox, int64_t now_at_ms, uint64_t endpoint,
				   bool pause, struct rp_error *err);
enum rp_err rp_pgop_backup(struct rp_outbox *outbox, const char *dir, struct rp_backup *backup,
			   struct rp_error *err);
enum rp_err rp_pgop_plan_begin(struct rp_outbox *outbox, int64_t now_at_ms,
			       const struct rp_job *spec, uint64_t *number, struct rp_error *err);
enum rp_err rp_pgop_plan_add(struct rp_outbox *outbox, int64_t now_at_ms, uint64_t number,
			     const struct rp_plan_row *rows, size_t n, bool last,
			     struct rp_error *err);
enum rp_err rp_pgop_job_order(struct rp_outbox *outbox, int64_t now_at_ms, uint64_t number,
			      const struct rp_job_order *order, struct rp_error *err);
enum rp_err rp_pgop_jobs_step(struct rp_outbox *outbox, int64_t now_at_ms, struct rp_job_step *step,
			      struct rp_error *err);
enum rp_err rp_pgop_jobs(struct rp_outbox *outbox,
			 bool (*see)(void *arg, uint64_t number, const struct rp_job *j), void *arg,
			 struct rp_error *err);
enum rp_err rp_pgop_plan_rows(struct rp_outbox *outbox, uint64_t number, struct rp_plan_row *from,
			      struct rp_plan_row *rows, size_t max, size_t *n,
			      struct rp_error *err);
enum rp_err rp_pgop_audit_add(struct rp_outbox *outbox, const struct rp_audit *a, uint64_t *number,
			      struct rp_error *err);
enum rp_err rp_pgop_audit_count(struct rp_outbox *outbox, int64_t now_at_ms, uint64_t number,
				uint64_t done, struct rp_error *err);
enum rp_err rp_pgop_audit(struct rp_outbox *outbox,
			  bool (*see)(void *arg, uint64_t number, const struct rp_audit *a),
			  void *arg, struct rp_error *err);
enum rp_err rp_pgop_verify(struct rp_outbox *outbox, struct rp_verify *v, struct rp_error *err);

#endif
