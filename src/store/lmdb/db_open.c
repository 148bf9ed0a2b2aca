/* db_open.c - opens the files of an outbox, or creates them, and syncs their names. It is apart
 * from txn.c because it runs once a process and knows what LMDB's own opening gets wrong. */

#include "store/lmdb/db_open.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "store/lmdb/beginning.h"
#include "store/lmdb/db/damage.h"
#include "store/lmdb/db/db.h"
#include "store/lmdb/db/tables.h"
#include "store/lmdb/handle.h"
#include "store/lmdb/host/files.h"
#include "store/lmdb/host/open_lock.h"
#include "store/lmdb/host/owner.h"
#include "store/lmdb/host/users.h"
#include "store/lmdb/layout.h"
#include "store/lmdb/tree/page.h"
#include "store/lmdb/tree/pages.h"
#include "text/shell.h"

#define MAP_BYTES_DEFAULT (UINT64_C(64) << 30)
#define QUOTA_BYTES_DEFAULT (UINT64_C(16) << 30)
#define DISK_RESERVE_DEFAULT (UINT64_C(64) << 20)

static const char format_magic[] = "runpost";

static enum rp_err sync_dir(const char *path, struct rp_error *err)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return rp_fail_sys(err, rp_err_of_errno(errno), errno, "%s: open directory", path);
	if (fsync(fd) != 0) {
		int sys = errno;

		close(fd);
		return rp_fail_sys(err, RP_ERR_IO, sys, "%s: sync directory", path);
	}
	close(fd);
	return RP_OK;
}

/* LMDB syncs the file, never the directory that names it (traced). Whoever made the outbox may
 * have been killed before it synced the directories, or be just about to: so each process that
 * makes promises sees to it itself, before the first. */
enum rp_err rp_sync_names(const char *dir, bool made_dir, struct rp_error *err)
{
	char *parent = NULL;
	enum rp_err e = sync_dir(dir, err);

	if (e != RP_OK)
		return e;
	if (asprintf(&parent, "%s/..", dir) < 0)
		return rp_fail(err, RP_ERR_NOMEM, "out of memory");
	/* One that may not be read cannot be synced either, but then an operator made the
	 * directory in it. */
	if (made_dir || access(parent, R_OK) == 0)
		e = sync_dir(parent, err);
	free(parent);
	return e;
}

/* A wrong --outbox must not litter somebody else's directory. */
static enum rp_err check_foreign(struct rp_lmdb *ob, struct rp_error *err)
{
	static const char *const ours[] = {".",       "..",       "data.mdb", "lock.mdb",
					   "senders", "doorbell", "door",     "lost+found"};
	struct dirent *e;
	enum rp_err rc = RP_OK;
	DIR *d = opendir(ob->db.dir);
	size_t i;

	if (d == NULL)
		return rp_fail_sys(err, rp_err_of_errno(errno), errno, "%s: open directory",
				   ob->db.dir);
	while (rc == RP_OK && (e = readdir(d)) != NULL) {
		for (i = 0; i < sizeof ours / sizeof ours[0]; i++)
			if (strcmp(e->d_name, ours[i]) == 0)
				break;
		if (i == sizeof ours / sizeof ours[0])
			rc = rp_fail(err, RP_ERR_FORMAT,
				     "%s: the directory holds other files (%.80s) and no outbox; "
				     "name an empty or new directory",
				     ob->db.dir, e->d_name);
	}
	closedir(d);
	return rc;
}

/* With the command that makes one; `more` says more. */
static enum rp_err fail_no_outbox(const struct rp_lmdb *ob, const char *more, struct rp_error *err)
{
	struct rp_buf dir = {0};
	enum rp_err e = RP_ERR_NOMEM;

	if (rp_shell_quote_path(ob->db.dir, &dir))
		e = rp_fail(err, RP_ERR_NOTFOUND,
			    "%s: there is no outbox here%s: runpost init --outbox %s", ob->db.dir,
			    more, dir.data);
	else
		rp_fail(err, e, "out of memory");
	rp_buf_release(&dir);
	return e;
}

static enum rp_err prepare_dir(struct rp_lmdb *ob, bool create, bool *made_dir,
			       struct rp_error *err)
{
	char *data = NULL;
	bool present;
	int sys;

	if (asprintf(&data, "%s/data.mdb", ob->db.dir) < 0)
		return rp_fail(err, RP_ERR_NOMEM, "out of memory");
	present = access(data, F_OK) == 0;
	sys = errno;
	free(data);
	if (present)
		return RP_OK;
	if (sys != ENOENT && sys != ENOTDIR) /* what we may not look at may be there */
		return rp_fail_sys(err, rp_err_of_errno(sys), sys, "%s: look for data.mdb",
				   ob->db.dir);
	if (!create)
		return fail_no_outbox(ob, "; make one with", err);
	*made_dir = mkdir(ob->db.dir, 0700) == 0;
	if (*made_dir)
		return RP_OK;
	if (errno != EEXIST)
		return rp_fail_sys(err, rp_err_of_errno(errno), errno, "%s: create directory",
				   ob->db.dir);
	return check_foreign(ob, err);
}

static void close_env(struct rp_lmdb *ob)
{
	mdb_env_close(ob->db.env);
	ob->db.env = NULL;
}

static int learn_page_bytes(struct rp_lmdb *ob)
{
	MDB_stat st;
	int rc = mdb_env_stat(ob->db.env, &st);

	if (rc != 0 || !rp_page_bytes_possible(st.ms_psize))
		return rc != 0 ? rc : MDB_INVALID;
	ob->db.page_bytes = st.ms_psize;
	return 0;
}

static int try_open_env(struct rp_lmdb *ob, const struct rp_outbox_options *o)
{
	unsigned flags = MDB_NOTLS | (o->sender ? MDB_NOMETASYNC : 0);
	int rc, fd;

	rc = mdb_env_create(&ob->db.env);
	if (rc == 0)
		rp_damage_watch(&ob->db);
	if (rc == 0)
		rc = mdb_env_set_maxdbs(ob->db.env, RP_T_COUNT);
	if (rc == 0)
		rc = mdb_env_set_maxreaders(ob->db.env, RP_DB_READERS_MAX);
	if (rc == 0)
		rc = mdb_env_set_mapsize(ob->db.env,
					 o->map_bytes != 0 ? o->map_bytes : MAP_BYTES_DEFAULT);
	if (rc == 0)
		rc = mdb_env_open(ob->db.env, ob->db.dir, flags, 0600);
	if (rc == 0)
		rc = learn_page_bytes(ob);
	if (rc == 0)
		rc = mdb_env_get_fd(ob->db.env, &fd);
	if (rc == 0)
		/* LMDB forgets it; a child must not hold the data file */
		(void)fcntl(fd, F_SETFD, FD_CLOEXEC);
	return rc;
}

/* Whether LMDB sees the last commit there is. Its lock table says which one that is. Where the
 * first to open was killed after it had emptied the table, and before it wrote the number into it,
 * whoever waited for it meanwhile has the table as it is (0.9.24, seen), would read an older
 * outbox, and write the next commit over the last ones: it says 0 then. One less than the meta
 * pages it says within each commit, also when its writer was killed there; the next to write mends
 * that. */
static int sees_last_commit(MDB_env *env, bool *sees)
{
	MDB_envinfo info;
	MDB_txn *txn;
	size_t id;
	int rc;

	/* or places of those who were killed could be all there are */
	mdb_reader_check(env, NULL);
	rc = mdb_env_info(env, &info); /* from the meta pages */
	if (rc == 0)
		rc = mdb_txn_begin(env, NULL, MDB_RDONLY, &txn); /* from the lock table */
	if (rc != 0)
		return rc;
	id = mdb_txn_id(txn);
	mdb_txn_abort(txn);
	*sees = id >= info.me_last_txnid || (id > 0 && id + 1 == info.me_last_txnid);
	return 0;
}

/* LMDB does not tell which file it was. It opens lock.mdb first. */
static enum rp_err fail_open(struct rp_lmdb *ob, int rc, struct rp_error *err)
{
	struct stat st;
	bool lock;

	if (rc != EACCES && rc != EPERM)
		return rp_db_fail(&ob->db, rc, "open", err);
	lock = fstatat(ob->files.dir_fd, "lock.mdb", &st, AT_SYMLINK_NOFOLLOW) != 0 ||
	       (st.st_mode & 0600) != 0600;
	return rp_owner_fail_open(ob, lock ? "lock.mdb" : "data.mdb", rc, err);
}

/* *sees: false: it has to be closed and opened again. */
static enum rp_err open_env(struct rp_lmdb *ob, const struct rp_outbox_options *o, bool *sees,
			    struct rp_error *err)
{
	int rc;

	*sees = true;
	if (rp_beginning_is_impossible(ob))
		return rp_fail(err, RP_ERR_FORMAT,
			       "%s: data.mdb: a meta page is damaged; restore a backup",
			       ob->db.dir);
	rc = try_open_env(ob, o);
	if (rc == 0)
		return rp_db_fail(&ob->db, sees_last_commit(ob->db.env, sees), "open", err);
	if (rc != MDB_INVALID)
		return fail_open(ob, rc, err);
	close_env(ob);
	if (!rp_beginning_find_torn(ob, o->create))
		return rp_db_fail(&ob->db, rc, "open", err);
	if (!o->create)
		return fail_no_outbox(
		    ob, ", only one whose creation was cut short; begin it anew with", err);
	rp_log(RP_LOG_WARN, "begun_anew", "file=%s/data.mdb", ob->db.dir);
	return rp_db_fail(&ob->db, try_open_env(ob, o), "open", err);
}

/* LMDB opens by name, and through links: what it opens was looked at before, and it opens as the
 * outbox's user. */
static enum rp_err open_env_locked(struct rp_lmdb *ob, const struct rp_outbox_options *o, int lock,
				   bool *sees, struct rp_error *err)
{
	enum rp_err e = rp_files_open(ob, lock, err);
	uid_t before;
	int fd;

	ob->db.dir_fd = ob->files.dir_fd;
	if (e == RP_OK)
		e = rp_users_enter(ob, err);
	if (e == RP_OK)
		e = rp_owner_act(ob, &before, err);
	if (e != RP_OK)
		return e;
	e = open_env(ob, o, sees, err);
	rp_outbox_act_end(before);
	if (e == RP_OK)
		e = rp_db_fail(&ob->db, mdb_env_get_fd(ob->db.env, &fd), "open", err);
	return e == RP_OK ? rp_users_stay(ob, fd, err) : e;
}

/* The open lock keeps half made tables from ourselves; the look at the last commit is for programs
 * that know nothing of it, as mdb_stat. When all that hold such a table have closed it, who must
 * pass the open lock for that, the next to open begins it anew. */
static enum rp_err open_env_under_lock(struct rp_lmdb *ob, const struct rp_outbox_options *o,
				       struct rp_error *err)
{
	struct rp_buf word = {0};
	enum rp_err e;
	bool sees = false;
	int lock, tries;

	for (tries = 0; tries < RP_OPEN_LOCK_TRIES; tries++) {
		e = rp_open_lock_enter(ob, RP_OPEN_LOCK_TRIES, &lock, err);
		if (e != RP_OK)
			return e;
		e = open_env_locked(ob, o, lock, &sees, err);
		if (e == RP_OK && !sees)
			close_env(ob);
		rp_open_lock_leave(lock);
		if (e != RP_OK || sees)
			return e;
		rp_open_lock_pause();
	}
	e = rp_fail(err, RP_ERR_BUSY,
		    "%s: the lock table (lock.mdb) was left half made by a process that was "
		    "killed, and another program "
		    "still has it open: end that (fuser %s tells which)",
		    ob->db.dir, rp_files_word(ob, "lock.mdb", &word));
	rp_buf_release(&word);
	return e;
}

static enum rp_err check_format(struct rp_lmdb *ob, MDB_txn *txn, struct rp_error *err)
{
	MDB_val key = {6, (void *)(uintptr_t) "format"}, value;
	struct rp_reader r;
	uint32_t version;
	int rc = mdb_get(txn, ob->db.table[RP_T_META], &key, &value);

	if (rc != 0 || value.mv_size != sizeof format_magic - 1 + 4 ||
	    memcmp(value.mv_data, format_magic, sizeof format_magic - 1) != 0)
		return rp_fail(err, RP_ERR_FORMAT,
			       "%s: data.mdb is an LMDB file, but not an outbox of runpost",
			       ob->db.dir);
	r = rp_reader_of((const char *)value.mv_data + sizeof format_magic - 1, 4);
	version = rp_get_u32(&r);
	if (version != RP_FORMAT_VERSION)
		return rp_fail(err, RP_ERR_FORMAT,
			       "%s: the outbox has format %" PRIu32
			       ", this program knows %d; use the runpost that wrote it",
			       ob->db.dir, version, RP_FORMAT_VERSION);
	return rp_layout_check(ob, txn, err);
}

static enum rp_err create_tables(struct rp_lmdb *ob, MDB_txn *txn, struct rp_error *err)
{
	struct rp_head head = {.next_seq = 1, .next_endpoint = 1};
	const uint64_t layout = RP_LAYOUT;
	unsigned char buf[RP_HEAD_BYTES];
	MDB_val key = {6, (void *)(uintptr_t) "format"}, value;
	struct rp_writer w = rp_writer_of(buf, sizeof buf);
	int rc = 0, i;

	for (i = 0; i < RP_T_COUNT && rc == 0; i++)
		rc = mdb_dbi_open(txn, rp_table_name(i), MDB_CREATE, &ob->db.table[i]);
	rp_put_bytes(&w, format_magic, sizeof format_magic - 1);
	rp_put_u32(&w, RP_FORMAT_VERSION);
	value = (MDB_val){sizeof format_magic - 1 + 4, buf};
	if (rc == 0)
		rc = mdb_put(txn, ob->db.table[RP_T_META], &key, &value, 0);
	key = (MDB_val){6, (void *)(uintptr_t) "layout"};
	value = (MDB_val){rp_numbers_pack(&layout, 1, buf, sizeof buf), buf};
	if (rc == 0)
		rc = mdb_put(txn, ob->db.table[RP_T_META], &key, &value, 0);
	key = (MDB_val){4, (void *)(uintptr_t) "head"};
	if (rc == 0) {
		value = (MDB_val){rp_head_pack(&head, buf, sizeof buf), buf};
		rc = mdb_put(txn, ob->db.table[RP_T_META], &key, &value, 0);
	}
	return rp_db_fail(&ob->db, rc, "create tables", err);
}

/* Two processes may create at once: the second finds the tables made when it gets the write
 * lock. */
static enum rp_err create_outbox(struct rp_lmdb *ob, struct rp_error *err)
{
	MDB_txn *txn;
	MDB_stat st;
	enum rp_err e;
	int rc = mdb_txn_begin(ob->db.env, NULL, 0, &txn);

	if (rc != 0)
		return rp_db_fail(&ob->db, rc, "begin", err);
	rc = mdb_dbi_open(txn, rp_table_name(RP_T_META), 0, &ob->db.table[RP_T_META]);
	if (rc == 0) {
		mdb_txn_abort(txn);
		return RP_OK;
	}
	rc = mdb_env_stat(ob->db.env, &st);
	if (rc == 0 && st.ms_entries > 0) {
		mdb_txn_abort(txn);
		return rp_fail(err, RP_ERR_FORMAT,
			       "%s: data.mdb is an LMDB file, but not an outbox of runpost",
			       ob->db.dir);
	}
	e = create_tables(ob, txn, err);
	if (e != RP_OK) {
		mdb_txn_abort(txn);
		return e;
	}
	rc = mdb_txn_commit(txn);
	if (rc == 0)
		rc = mdb_env_sync(ob->db.env, 1);
	return rp_db_fail(&ob->db, rc, "create", err);
}

static enum rp_err open_tables(struct rp_lmdb *ob, struct rp_error *err)
{
	MDB_txn *txn;
	enum rp_err e;
	int rc = mdb_txn_begin(ob->db.env, NULL, MDB_RDONLY, &txn), i;

	if (rc != 0)
		return rp_db_fail(&ob->db, rc, "begin", err);
	e = rp_pages_check_end(&ob->db, txn, err);
	if (e != RP_OK) {
		mdb_txn_abort(txn);
		return e;
	}
	rc = mdb_dbi_open(txn, NULL, 0, &ob->db.list_of_tables);
	if (rc == 0)
		rc = mdb_dbi_open(txn, rp_table_name(RP_T_META), 0, &ob->db.table[RP_T_META]);
	if (rc == MDB_NOTFOUND) {
		mdb_txn_abort(txn);
		return rp_fail(err, RP_ERR_NOTFOUND, "%s: data.mdb holds no outbox", ob->db.dir);
	}
	e = rc == 0 ? check_format(ob, txn, err) : rp_db_fail(&ob->db, rc, "open tables", err);
	for (i = 0; e == RP_OK && i < RP_T_COUNT; i++)
		e = rp_db_fail(&ob->db, mdb_dbi_open(txn, rp_table_name(i), 0, &ob->db.table[i]),
			       rp_table_name(i), err);
	if (e != RP_OK) {
		mdb_txn_abort(txn);
		return e == RP_ERR_NOTFOUND ? RP_ERR_FORMAT : e;
	}
	return rp_db_fail(&ob->db, mdb_txn_commit(txn), "open tables", err);
}

static enum rp_err open_or_create_tables(struct rp_lmdb *ob, bool create, struct rp_error *err)
{
	enum rp_err e = open_tables(ob, err);

	if (e != RP_ERR_NOTFOUND || !create)
		return e;
	if (err != NULL) /* that there was none is no error now */
		memset(err, 0, sizeof *err);
	e = create_outbox(ob, err);
	return e == RP_OK ? open_tables(ob, err) : e;
}

enum rp_err rp_db_open(struct rp_lmdb *ob, const struct rp_outbox_options *o, struct rp_error *err)
{
	uint64_t map_bytes = o->map_bytes != 0 ? o->map_bytes : MAP_BYTES_DEFAULT;
	bool made_dir = false;
	enum rp_err e;

	ob->quota_bytes = o->quota_bytes != 0 ? o->quota_bytes : QUOTA_BYTES_DEFAULT;
	/* In a full map nothing works any more, not even deletes: appends must stop long before. */
	if (ob->quota_bytes > map_bytes - map_bytes / 8)
		ob->quota_bytes = map_bytes - map_bytes / 8;
	ob->disk_reserve_bytes =
	    o->disk_reserve_bytes != 0 ? o->disk_reserve_bytes : DISK_RESERVE_DEFAULT;
	ob->db.page_bytes = rp_page_bytes_of_this_machine(); /* until it is open */
	e = prepare_dir(ob, o->create, &made_dir, err);
	if (e != RP_OK)
		return e;
	rp_damage_enter(&ob->db);
	e = open_env_under_lock(ob, o, err);
	if (e == RP_OK)
		e = open_or_create_tables(ob, o->create, err);
	rp_damage_leave();
	return e == RP_OK && o->create ? rp_sync_names(ob->db.dir, made_dir, err) : e;
}

void rp_db_close(struct rp_lmdb *ob)
{
	int lock;

	if (ob->db.env == NULL)
		return;
	/* Later LMDBs take the lock table to pieces when they are the last to close it: no place to
	 * be while others open. Not for long: whoever is stopped with the open lock keeps nobody
	 * from ending. */
	rp_open_lock_enter(ob, RP_OPEN_LOCK_TRIES_TO_CLOSE, &lock, NULL);
	close_env(ob);
	rp_open_lock_leave(lock);
}
