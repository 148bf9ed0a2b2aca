/* store_ops.h - what a store is: a table of functions behind an outbox.
 *
 * For stores, and for outbox.c, which calls them; nobody else includes it. Each function does what
 * outbox.h says of the function of its name. A store's own handle begins with a struct rp_outbox,
 * which its opening fills in. To write a store: load the values of a batch, call the rules of
 * src/model, write what they changed; then tests/conformance judges it. */
#ifndef RP_STORE_STORE_OPS_H
#define RP_STORE_STORE_OPS_H

#include "store/outbox.h"

struct rp_store_ops {
	void (*close)(struct rp_outbox *ob);
	enum rp_err (*sync)(struct rp_outbox *ob, struct rp_error *err);
	enum rp_err (*check)(struct rp_outbox *ob, struct rp_error *err);
	enum rp_err (*act)(struct rp_outbox *ob, uid_t *before, struct rp_error *err);
	enum rp_err (*append)(struct rp_outbox *ob, int64_t now_at_ms,
			      const struct rp_new_entry *entries, size_t n, struct rp_appended *out,
			      struct rp_error *err);
	enum rp_err (*import)(struct rp_outbox *ob, int64_t now_at_ms,
			      const struct rp_import *entries, size_t n, bool dry_run,
			      uint64_t audit, struct rp_import_result *results,
			      struct rp_error *err);
	enum rp_err (*join)(struct rp_outbox *ob, int64_t now_at_ms, int64_t boot_ms,
			    struct rp_sender_id *out, struct rp_error *err);
	enum rp_err (*leave)(struct rp_outbox *ob, int64_t now_at_ms, struct rp_error *err);
	void (*beat)(struct rp_outbox *ob, int64_t now_at_ms, int64_t boot_ms);
	void (*offer)(struct rp_outbox *ob, int64_t now_at_ms, size_t claims_max);
	enum rp_err (*withdraw)(struct rp_outbox *ob, struct rp_error *err);
	enum rp_err (*take)(struct rp_outbox *ob, struct rp_taking *taking, struct rp_error *err);
	enum rp_err (*reap)(struct rp_outbox *ob, int64_t now_at_ms, int64_t boot_ms,
			    int64_t lease_ms, size_t *n_returned, struct rp_error *err);
	enum rp_err (*exchange)(struct rp_outbox *ob, int64_t now_at_ms,
				struct rp_exchange *exchange, struct rp_error *err);
	enum rp_err (*renew_limits)(struct rp_outbox *ob, int64_t now_at_ms,
				    struct rp_renewal *renewal, struct rp_error *err);
	enum rp_err (*fix_clock)(struct rp_outbox *ob, int64_t now_at_ms, struct rp_clock_fix *walk,
				 struct rp_error *err);
	enum rp_err (*fetch)(struct rp_outbox *ob, const struct rp_claim *claim,
			     struct rp_dispatch *out, struct rp_error *err);
	enum rp_err (*fetch_piece)(struct rp_outbox *ob, struct rp_piece *piece, char *out,
				   size_t n, struct rp_error *err);
	enum rp_err (*expire)(struct rp_outbox *ob, int64_t now_at_ms, int64_t keep_delivered_ms,
			      int64_t keep_dead_ms, size_t max, size_t *n_removed,
			      struct rp_error *err);
	enum rp_err (*watch)(struct rp_outbox *ob, enum rp_watch what, int *fd,
			     struct rp_error *err);
	struct rp_woken (*drain)(struct rp_outbox *ob, enum rp_watch what);
	enum rp_err (*select)(struct rp_outbox *ob, struct rp_select *s, struct rp_error *err);
	void (*select_end)(struct rp_outbox *ob, struct rp_select *s);
	enum rp_err (*attempts)(struct rp_outbox *ob, uint64_t seq,
				void (*see)(void *arg, uint32_t n, const struct rp_attempt *a,
					    bool damaged),
				void *arg, struct rp_error *err);
	enum rp_err (*recent)(struct rp_outbox *ob, struct rp_recent_page *page,
			      struct rp_error *err);
	enum rp_err (*body)(struct rp_outbox *ob, uint64_t seq, struct rp_buf *out,
			    struct rp_error *err);
	enum rp_err (*ledger)(struct rp_outbox *ob, struct rp_ledger *out, struct rp_error *err);
	enum rp_err (*info)(struct rp_outbox *ob, struct rp_outbox_info *out, struct rp_error *err);
	enum rp_err (*counters)(struct rp_outbox *ob, struct rp_counters *out,
				void (*see)(void *arg, struct rp_span name,
					    const struct rp_series *s),
				void *arg, struct rp_error *err);
	enum rp_err (*endpoints)(struct rp_outbox *ob, struct rp_endpoints_which which,
				 bool (*see)(void *arg, uint64_t id, struct rp_span name,
					     const struct rp_endpoint *e),
				 void *arg, struct rp_error *err);
	enum rp_err (*endpoint_find)(struct rp_outbox *ob, enum rp_level level, struct rp_span name,
				     uint64_t *id, struct rp_error *err);
	enum rp_err (*senders)(struct rp_outbox *ob,
			       void (*see)(void *arg, const struct rp_sender_info *s), void *arg,
			       struct rp_error *err);
	enum rp_err (*change)(struct rp_outbox *ob, int64_t now_at_ms, enum rp_change verb,
			      unsigned states, const uint64_t *seqs, size_t n, uint64_t audit,
			      enum rp_changed *results, struct rp_error *err);
	enum rp_err (*endpoint_pause)(struct rp_outbox *ob, int64_t now_at_ms, uint64_t endpoint,
				      bool pause, struct rp_error *err);
	enum rp_err (*backup)(struct rp_outbox *ob, const char *dir, struct rp_backup *backup,
			      struct rp_error *err);
	enum rp_err (*plan_begin)(struct rp_outbox *ob, int64_t now_at_ms,
				  const struct rp_job *spec, uint64_t *number,
				  struct rp_error *err);
	enum rp_err (*plan_add)(struct rp_outbox *ob, int64_t now_at_ms, uint64_t number,
				const struct rp_plan_row *rows, size_t n, bool last,
				struct rp_error *err);
	enum rp_err (*job_order)(struct rp_outbox *ob, int64_t now_at_ms, uint64_t number,
				 const struct rp_job_order *order, struct rp_error *err);
	enum rp_err (*jobs_step)(struct rp_outbox *ob, int64_t now_at_ms, struct rp_job_step *step,
				 struct rp_error *err);
	enum rp_err (*jobs)(struct rp_outbox *ob,
			    bool (*see)(void *arg, uint64_t number, const struct rp_job *j),
			    void *arg, struct rp_error *err);
	enum rp_err (*plan_rows)(struct rp_outbox *ob, uint64_t number, struct rp_plan_row *from,
				 struct rp_plan_row *rows, size_t max, size_t *n,
				 struct rp_error *err);
	enum rp_err (*audit_add)(struct rp_outbox *ob, const struct rp_audit *a, uint64_t *number,
				 struct rp_error *err);
	enum rp_err (*audit_count)(struct rp_outbox *ob, int64_t now_at_ms, uint64_t number,
				   uint64_t done, struct rp_error *err);
	enum rp_err (*audit)(struct rp_outbox *ob,
			     bool (*see)(void *arg, uint64_t number, const struct rp_audit *a),
			     void *arg, struct rp_error *err);
	enum rp_err (*verify)(struct rp_outbox *ob, struct rp_verify *v, struct rp_error *err);
};

struct rp_outbox {
	const struct rp_store_ops *ops;
	const char *address; /* the store's, as long as it is open */
};

#endif
