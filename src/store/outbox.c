/* outbox.c - opens the store that an address names, and hands each call to it. What can be said by
 * other functions of the interface is said here, once for all stores. */

#include "store/outbox.h"

#include <string.h>

#include "store/lmdb/lmdb_store.h"
#include "store/postgres/postgres_store.h"
#include "store/store_ops.h"

enum rp_err rp_outbox_open(const char *address, const struct rp_outbox_options *options,
			   struct rp_outbox **out, struct rp_error *err)
{
	if (!rp_outbox_is_database(address))
		return rp_lmdb_open(address, options, out, err);
#if RP_POSTGRES
	return rp_postgres_open(address, options, out, err);
#else
	*out = NULL;
	return rp_fail(err, RP_ERR_INVAL,
		       "this runpost was built without PostgreSQL (make POSTGRES=0)");
#endif
}

bool rp_outbox_is_database(const char *address)
{
	return strncmp(address, "postgresql://", 13) == 0 ||
	       strncmp(address, "postgres://", 11) == 0;
}

const char *rp_outbox_address(const struct rp_outbox *ob)
{
	return ob->address;
}

/* --- said by others ----------------------------------------------------------------------- */

enum rp_err rp_outbox_next_ready(struct rp_outbox *ob, int64_t *at_ms, struct rp_error *err)
{
	struct rp_exchange nothing = {.want = 0};
	enum rp_err e = rp_outbox_exchange(ob, 0, &nothing, err);

	*at_ms = nothing.next_ready_at_ms;
	return e;
}

struct keeping {
	struct rp_entry *out;
	bool found, no_memory;
};

static bool keep(void *arg, const struct rp_entry *e)
{
	struct keeping *k = arg;

	k->found = true;
	k->no_memory = !rp_entry_copy(e, k->out);
	return false;
}

enum rp_err rp_outbox_first(struct rp_outbox *ob, const struct rp_filter *filter,
			    struct rp_entry *out, struct rp_error *err)
{
	struct keeping k = {.out = out};
	struct rp_select s = {.filter = filter, .max_seen = 1, .see = keep, .arg = &k};
	enum rp_err e;

	do
		e = rp_outbox_select(ob, &s, err);
	while (e == RP_OK && s.more);
	rp_outbox_select_end(ob, &s);
	if (e != RP_OK)
		return e;
	if (k.no_memory)
		return rp_fail(err, RP_ERR_NOMEM, "out of memory");
	return k.found ? RP_OK : rp_fail(err, RP_ERR_NOTFOUND, "no such entry");
}

enum rp_err rp_outbox_find(struct rp_outbox *ob, const unsigned char id[RP_ID_BYTES],
			   struct rp_entry *out, struct rp_error *err)
{
	const struct rp_filter filter = {.id = id};
	char text[RP_ID_TEXT_MAX];
	enum rp_err e = rp_outbox_first(ob, &filter, out, err);

	if (e == RP_ERR_NOTFOUND)
		rp_fail(err, e, "%s: no such entry", rp_id_format(id, text));
	return e;
}

enum rp_err rp_outbox_front(struct rp_outbox *ob, const struct rp_delivery *behind,
			    struct rp_entry *out, struct rp_error *err)
{
	const struct rp_filter filter = {.has_endpoints = true,
					 .endpoints = &behind->endpoint,
					 .n_endpoints = 1,
					 .order_key = behind->order_key,
					 .front_only = true};

	enum rp_err e = rp_outbox_first(ob, &filter, out, err);

	/* Without its facts nobody knows its id. */
	return e == RP_OK && out->facts.accepted_at_ms == 0
		   ? rp_fail(err, RP_ERR_NOTFOUND, "no readable entry stands in front")
		   : e;
}

struct naming {
	struct rp_buf *out;
	bool found, no_memory;
};

static bool name(void *arg, uint64_t id, struct rp_span text, const struct rp_endpoint *e)
{
	struct naming *n = arg;

	(void)id;
	(void)e;
	n->found = true;
	n->no_memory = !rp_buf_add(n->out, text.ptr, text.len);
	return false;
}

enum rp_err rp_outbox_endpoint_name(struct rp_outbox *ob, uint64_t endpoint, struct rp_buf *out,
				    struct rp_error *err)
{
	struct naming n = {.out = out};
	const struct rp_endpoints_which one = {RP_ENDPOINTS_ONE, endpoint};
	enum rp_err e = rp_outbox_endpoints(ob, one, name, &n, err);

	if (e != RP_OK)
		return e;
	if (n.no_memory)
		return rp_fail(err, RP_ERR_NOMEM, "out of memory");
	return n.found ? RP_OK : rp_fail(err, RP_ERR_NOTFOUND, "no such endpoint");
}

void rp_dispatch_release(struct rp_dispatch *d)
{
	rp_buf_release(&d->text);
	memset(d, 0, sizeof *d);
}

/* --- said by the store -------------------------------------------------------------------- */

void rp_outbox_close(struct rp_outbox *ob)
{
	if (ob != NULL)
		ob->ops->close(ob);
}

enum rp_err rp_outbox_sync(struct rp_outbox *ob, struct rp_error *err)
{
	return ob->ops->sync(ob, err);
}

enum rp_err rp_outbox_check(struct rp_outbox *ob, struct rp_error *err)
{
	return ob->ops->check(ob, err);
}

enum rp_err rp_outbox_act(struct rp_outbox *ob, uid_t *before, struct rp_error *err)
{
	return ob->ops->act(ob, before, err);
}

enum rp_err rp_outbox_append(struct rp_outbox *ob, int64_t now_at_ms,
			     const struct rp_new_entry *entries, size_t n, struct rp_appended *out,
			     struct rp_error *err)
{
	return ob->ops->append(ob, now_at_ms, entries, n, out, err);
}

enum rp_err rp_outbox_import(struct rp_outbox *ob, int64_t now_at_ms,
			     const struct rp_import *entries, size_t n, bool dry_run,
			     uint64_t audit, struct rp_import_result *results, struct rp_error *err)
{
	return ob->ops->import(ob, now_at_ms, entries, n, dry_run, audit, results, err);
}

enum rp_err rp_outbox_join(struct rp_outbox *ob, int64_t now_at_ms, int64_t boot_ms,
			   struct rp_sender_id *out, struct rp_error *err)
{
	return ob->ops->join(ob, now_at_ms, boot_ms, out, err);
}

enum rp_err rp_outbox_leave(struct rp_outbox *ob, int64_t now_at_ms, struct rp_error *err)
{
	return ob->ops->leave(ob, now_at_ms, err);
}

void rp_outbox_beat(struct rp_outbox *ob, int64_t now_at_ms, int64_t boot_ms)
{
	ob->ops->beat(ob, now_at_ms, boot_ms);
}

void rp_outbox_offer(struct rp_outbox *ob, int64_t now_at_ms, size_t claims_max)
{
	ob->ops->offer(ob, now_at_ms, claims_max);
}

enum rp_err rp_outbox_withdraw(struct rp_outbox *ob, struct rp_error *err)
{
	return ob->ops->withdraw(ob, err);
}

enum rp_err rp_outbox_take(struct rp_outbox *ob, struct rp_taking *taking, struct rp_error *err)
{
	return ob->ops->take(ob, taking, err);
}

enum rp_err rp_outbox_reap(struct rp_outbox *ob, int64_t now_at_ms, int64_t boot_ms,
			   int64_t lease_ms, size_t *n_returned, struct rp_error *err)
{
	return ob->ops->reap(ob, now_at_ms, boot_ms, lease_ms, n_returned, err);
}

enum rp_err rp_outbox_exchange(struct rp_outbox *ob, int64_t now_at_ms,
			       struct rp_exchange *exchange, struct rp_error *err)
{
	return ob->ops->exchange(ob, now_at_ms, exchange, err);
}

enum rp_err rp_outbox_renew_limits(struct rp_outbox *ob, int64_t now_at_ms,
				   struct rp_renewal *renewal, struct rp_error *err)
{
	return ob->ops->renew_limits(ob, now_at_ms, renewal, err);
}

enum rp_err rp_outbox_fix_clock(struct rp_outbox *ob, int64_t now_at_ms, struct rp_clock_fix *walk,
				struct rp_error *err)
{
	return ob->ops->fix_clock(ob, now_at_ms, walk, err);
}

enum rp_err rp_outbox_fetch(struct rp_outbox *ob, const struct rp_claim *claim,
			    struct rp_dispatch *out, struct rp_error *err)
{
	return ob->ops->fetch(ob, claim, out, err);
}

enum rp_err rp_outbox_fetch_piece(struct rp_outbox *ob, struct rp_piece *piece, char *out, size_t n,
				  struct rp_error *err)
{
	return ob->ops->fetch_piece(ob, piece, out, n, err);
}

enum rp_err rp_outbox_expire(struct rp_outbox *ob, int64_t now_at_ms, int64_t keep_delivered_ms,
			     int64_t keep_dead_ms, size_t max, size_t *n_removed,
			     struct rp_error *err)
{
	return ob->ops->expire(ob, now_at_ms, keep_delivered_ms, keep_dead_ms, max, n_removed, err);
}

enum rp_err rp_outbox_watch(struct rp_outbox *ob, enum rp_watch what, int *fd, struct rp_error *err)
{
	return ob->ops->watch(ob, what, fd, err);
}

struct rp_woken rp_outbox_drain(struct rp_outbox *ob, enum rp_watch what)
{
	return ob->ops->drain(ob, what);
}

enum rp_err rp_outbox_select(struct rp_outbox *ob, struct rp_select *s, struct rp_error *err)
{
	return ob->ops->select(ob, s, err);
}

void rp_outbox_select_end(struct rp_outbox *ob, struct rp_select *s)
{
	ob->ops->select_end(ob, s);
}

enum rp_err rp_outbox_attempts(struct rp_outbox *ob, uint64_t seq,
			       void (*see)(void *arg, uint32_t n, const struct rp_attempt *a,
					   bool damaged),
			       void *arg, struct rp_error *err)
{
	return ob->ops->attempts(ob, seq, see, arg, err);
}

enum rp_err rp_outbox_recent(struct rp_outbox *ob, struct rp_recent_page *page,
			     struct rp_error *err)
{
	return ob->ops->recent(ob, page, err);
}

enum rp_err rp_outbox_body(struct rp_outbox *ob, uint64_t seq, struct rp_buf *out,
			   struct rp_error *err)
{
	return ob->ops->body(ob, seq, out, err);
}

enum rp_err rp_outbox_ledger(struct rp_outbox *ob, struct rp_ledger *out, struct rp_error *err)
{
	return ob->ops->ledger(ob, out, err);
}

enum rp_err rp_outbox_info(struct rp_outbox *ob, struct rp_outbox_info *out, struct rp_error *err)
{
	return ob->ops->info(ob, out, err);
}

enum rp_err rp_outbox_counters(struct rp_outbox *ob, struct rp_counters *out,
			       void (*see)(void *arg, struct rp_span name,
					   const struct rp_series *s),
			       void *arg, struct rp_error *err)
{
	return ob->ops->counters(ob, out, see, arg, err);
}

enum rp_err rp_outbox_endpoints(struct rp_outbox *ob, struct rp_endpoints_which which,
				bool (*see)(void *arg, uint64_t id, struct rp_span name,
					    const struct rp_endpoint *e),
				void *arg, struct rp_error *err)
{
	return ob->ops->endpoints(ob, which, see, arg, err);
}

enum rp_err rp_outbox_endpoint_find(struct rp_outbox *ob, enum rp_level level, struct rp_span name,
				    uint64_t *id, struct rp_error *err)
{
	return ob->ops->endpoint_find(ob, level, name, id, err);
}

enum rp_err rp_outbox_senders(struct rp_outbox *ob,
			      void (*see)(void *arg, const struct rp_sender_info *s), void *arg,
			      struct rp_error *err)
{
	return ob->ops->senders(ob, see, arg, err);
}

enum rp_err rp_outbox_change(struct rp_outbox *ob, int64_t now_at_ms, enum rp_change verb,
			     unsigned states, const uint64_t *seqs, size_t n, uint64_t audit,
			     enum rp_changed *results, struct rp_error *err)
{
	return ob->ops->change(ob, now_at_ms, verb, states, seqs, n, audit, results, err);
}

enum rp_err rp_outbox_endpoint_pause(struct rp_outbox *ob, int64_t now_at_ms, uint64_t endpoint,
				     bool pause, struct rp_error *err)
{
	return ob->ops->endpoint_pause(ob, now_at_ms, endpoint, pause, err);
}

enum rp_err rp_outbox_backup(struct rp_outbox *ob, const char *dir, struct rp_backup *backup,
			     struct rp_error *err)
{
	return ob->ops->backup(ob, dir, backup, err);
}

enum rp_err rp_outbox_plan_begin(struct rp_outbox *ob, int64_t now_at_ms, const struct rp_job *spec,
				 uint64_t *number, struct rp_error *err)
{
	return ob->ops->plan_begin(ob, now_at_ms, spec, number, err);
}

enum rp_err rp_outbox_plan_add(struct rp_outbox *ob, int64_t now_at_ms, uint64_t number,
			       const struct rp_plan_row *rows, size_t n, bool last,
			       struct rp_error *err)
{
	return ob->ops->plan_add(ob, now_at_ms, number, rows, n, last, err);
}

enum rp_err rp_outbox_job_order(struct rp_outbox *ob, int64_t now_at_ms, uint64_t number,
				const struct rp_job_order *order, struct rp_error *err)
{
	return ob->ops->job_order(ob, now_at_ms, number, order, err);
}

enum rp_err rp_outbox_jobs_step(struct rp_outbox *ob, int64_t now_at_ms, struct rp_job_step *step,
				struct rp_error *err)
{
	return ob->ops->jobs_step(ob, now_at_ms, step, err);
}

enum rp_err rp_outbox_jobs(struct rp_outbox *ob,
			   bool (*see)(void *arg, uint64_t number, const struct rp_job *j),
			   void *arg, struct rp_error *err)
{
	return ob->ops->jobs(ob, see, arg, err);
}

enum rp_err rp_outbox_plan_rows(struct rp_outbox *ob, uint64_t number, struct rp_plan_row *from,
				struct rp_plan_row *rows, size_t max, size_t *n,
				struct rp_error *err)
{
	return ob->ops->plan_rows(ob, number, from, rows, max, n, err);
}

enum rp_err rp_outbox_audit_add(struct rp_outbox *ob, const struct rp_audit *a, uint64_t *number,
				struct rp_error *err)
{
	return ob->ops->audit_add(ob, a, number, err);
}

enum rp_err rp_outbox_audit_count(struct rp_outbox *ob, int64_t now_at_ms, uint64_t number,
				  uint64_t done, struct rp_error *err)
{
	return ob->ops->audit_count(ob, now_at_ms, number, done, err);
}

enum rp_err rp_outbox_audit(struct rp_outbox *ob,
			    bool (*see)(void *arg, uint64_t number, const struct rp_audit *a),
			    void *arg, struct rp_error *err)
{
	return ob->ops->audit(ob, see, arg, err);
}

enum rp_err rp_outbox_verify(struct rp_outbox *ob, struct rp_verify *v, struct rp_error *err)
{
	return ob->ops->verify(ob, v, err);
}
