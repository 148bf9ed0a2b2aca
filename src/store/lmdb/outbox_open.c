/* outbox_open.c - opens and closes an outbox as a whole: place, user, gate, data file, registry,
 * doorbell. Each has its own file; here is their order. */

#include "store/lmdb/store_int.h"

#include <stdlib.h>
#include <unistd.h>

/* A directory of somebody else's stays as it was, but for the lock.mdb of LMDB. */
static void leave_nothing(struct rp_outbox *ob)
{
	int gate;

	if (!ob->place.made_wakeup ||
	    rp_open_lock_enter(ob, RP_OPEN_LOCK_TRIES_TO_CLOSE, &gate, NULL) != RP_OK)
		return;
	rp_users_leave_nothing(ob);
	rp_open_lock_leave(gate);
}

enum rp_err rp_outbox_open(const char *dir, const struct rp_outbox_options *options,
			   struct rp_outbox **out, struct rp_error *err)
{
	struct rp_outbox *ob = calloc(1, sizeof *ob);
	enum rp_err e;

	*out = NULL;
	if (ob == NULL || (ob->dir = strdup(dir)) == NULL) {
		free(ob);
		return rp_fail(err, RP_ERR_NOMEM, "out of memory");
	}
	ob->sys = options->sys != NULL ? options->sys : &rp_sys_real;
	ob->registry_fd = ob->wakeup_fd = ob->inotify_fd = ob->commits_fd = -1;
	ob->place.dir_fd = ob->place.base_fd = -1;
	e = rp_db_open(ob, options, err);
	if (e != RP_OK) {
		if (e == RP_ERR_FORMAT || e == RP_ERR_NOTFOUND)
			leave_nothing(ob);
		rp_outbox_close(ob);
		return e;
	}
	*out = ob;
	return RP_OK;
}

void rp_outbox_close(struct rp_outbox *ob)
{
	size_t i;

	if (ob == NULL)
		return;
	if (ob->env != NULL)
		rp_counters_tell(ob);
	rp_fetcher_close(ob);
	rp_page_guard_free(ob);
	rp_db_close(ob);
	/* not before LMDB is: as long as it is open this process is a user (users.c) */
	rp_wakeup_close(ob);
	rp_files_close(ob);
	if (ob->registry_fd >= 0)
		close(ob->registry_fd);
	for (i = 0; i < ob->cap_eps; i++)
		free(ob->eps[i]);
	free(ob->eps);
	free(ob->ep_index);
	free(ob->dir);
	free(ob);
}

const char *rp_outbox_dir(const struct rp_outbox *ob)
{
	return ob->dir;
}

enum rp_err rp_outbox_check(struct rp_outbox *ob, struct rp_error *err)
{
	return rp_files_check(ob, RP_FILES_ALL, err);
}

enum rp_err rp_outbox_sync(struct rp_outbox *ob, struct rp_error *err)
{
	return rp_db_fail(ob, mdb_env_sync(ob->env, 1), "sync", err);
}
