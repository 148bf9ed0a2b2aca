/* open.c - opens and closes an outbox as a whole: files, user, open lock, data file,
 * registry, wakeup. Each has its own file; here is their order. */

#include "store/lmdb/lmdb_ops.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/sys.h"
#include "store/lmdb/counters.h"
#include "store/lmdb/db/db.h"
#include "store/lmdb/db_open.h"
#include "store/lmdb/endpoint.h"
#include "store/lmdb/fetch.h"
#include "store/lmdb/handle.h"
#include "store/lmdb/host/files.h"
#include "store/lmdb/host/offers.h"
#include "store/lmdb/host/open_lock.h"
#include "store/lmdb/host/users.h"
#include "store/lmdb/host/wakeup.h"
#include "store/lmdb/lmdb_store.h"
#include "store/lmdb/tree/page_guard.h"
#include "store/store_ops.h"

/* A directory of somebody else's stays as it was, but for the lock.mdb of LMDB. */
static void leave_nothing(struct rp_lmdb *ob)
{
	int lock;

	if (!ob->files.made_wakeup ||
	    rp_open_lock_enter(ob, RP_OPEN_LOCK_TRIES_TO_CLOSE, &lock, NULL) != RP_OK)
		return;
	rp_users_leave_nothing(ob);
	rp_open_lock_leave(lock);
}

static const struct rp_store_ops ops = {
    .close = rp_lmdb_close,
    .sync = rp_lmdb_sync,
    .check = rp_lmdb_check,
    .act = rp_lmdb_act,
    .append = rp_lmdb_append,
    .import = rp_lmdb_import,
    .join = rp_lmdb_join,
    .leave = rp_lmdb_leave,
    .beat = rp_lmdb_beat,
    .offer = rp_lmdb_offer,
    .withdraw = rp_lmdb_withdraw,
    .take = rp_lmdb_take,
    .reap = rp_lmdb_reap,
    .exchange = rp_lmdb_exchange,
    .renew_limits = rp_lmdb_renew_limits,
    .fix_clock = rp_lmdb_fix_clock,
    .fetch = rp_lmdb_fetch,
    .fetch_piece = rp_lmdb_fetch_piece,
    .expire = rp_lmdb_expire,
    .watch = rp_lmdb_watch,
    .drain = rp_lmdb_drain,
    .select = rp_lmdb_select,
    .select_end = rp_lmdb_select_end,
    .attempts = rp_lmdb_attempts,
    .recent = rp_lmdb_recent,
    .body = rp_lmdb_body,
    .ledger = rp_lmdb_ledger,
    .info = rp_lmdb_info,
    .counters = rp_lmdb_counters,
    .endpoints = rp_lmdb_endpoints,
    .endpoint_find = rp_lmdb_endpoint_find,
    .senders = rp_lmdb_senders,
    .change = rp_lmdb_change,
    .endpoint_pause = rp_lmdb_endpoint_pause,
    .backup = rp_lmdb_backup,
    .plan_begin = rp_lmdb_plan_begin,
    .plan_add = rp_lmdb_plan_add,
    .job_order = rp_lmdb_job_order,
    .jobs_step = rp_lmdb_jobs_step,
    .jobs = rp_lmdb_jobs,
    .plan_rows = rp_lmdb_plan_rows,
    .audit_add = rp_lmdb_audit_add,
    .audit_count = rp_lmdb_audit_count,
    .audit = rp_lmdb_audit,
    .verify = rp_lmdb_verify,
};

enum rp_err rp_lmdb_open(const char *dir, const struct rp_outbox_options *options,
			 struct rp_outbox **out, struct rp_error *err)
{
	struct rp_lmdb *ob = calloc(1, sizeof *ob);
	enum rp_err e;

	*out = NULL;
	if (ob == NULL || (ob->db.dir = strdup(dir)) == NULL) {
		free(ob);
		return rp_fail(err, RP_ERR_NOMEM, "out of memory");
	}
	ob->outbox = (struct rp_outbox){&ops, ob->db.dir};
	ob->sys = options->sys != NULL ? options->sys : &rp_sys_real;
	ob->registry_fd = ob->offers_fd = ob->wakeup_fd = ob->inotify_fd = ob->commits_fd = -1;
	ob->files.dir_fd = ob->files.base_fd = ob->db.dir_fd = -1;
	e = rp_db_open(ob, options, err);
	if (e != RP_OK) {
		if (e == RP_ERR_FORMAT || e == RP_ERR_NOTFOUND)
			leave_nothing(ob);
		rp_lmdb_close(&ob->outbox);
		return e;
	}
	*out = &ob->outbox;
	return RP_OK;
}

void rp_lmdb_close(struct rp_outbox *outbox)
{
	struct rp_lmdb *ob = rp_lmdb_of(outbox);
	size_t i;

	if (ob->db.env != NULL)
		rp_counters_tell(ob);
	rp_fetcher_close(ob);
	rp_page_guard_free(ob->guard);
	rp_db_close(ob);
	/* not before LMDB is: as long as it is open this process is a user (users.c) */
	rp_wakeup_close(ob);
	rp_files_close(ob);
	if (ob->registry_fd >= 0)
		close(ob->registry_fd);
	rp_offers_close(ob);
	for (i = 0; i < ob->cap_eps; i++)
		free(ob->eps[i]);
	free(ob->eps);
	rp_ep_names_free(ob->names);
	free(ob->ep_index);
	free(ob->db.dir);
	free(ob);
}

enum rp_err rp_lmdb_check(struct rp_outbox *outbox, struct rp_error *err)
{
	struct rp_lmdb *ob = rp_lmdb_of(outbox);
	return rp_files_check(ob, RP_FILES_ALL, err);
}

enum rp_err rp_lmdb_sync(struct rp_outbox *outbox, struct rp_error *err)
{
	struct rp_lmdb *ob = rp_lmdb_of(outbox);
	return rp_db_fail(&ob->db, mdb_env_sync(ob->db.env, 1), "sync", err);
}
