#include "store/page.h"
#include "store/store_int.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/log.h"

#define MAP_BYTES_DEFAULT (UINT64_C(64) << 30)
#define QUOTA_BYTES_DEFAULT (UINT64_C(16) << 30)
#define DISK_RESERVE_DEFAULT (UINT64_C(64) << 20)
#define READERS_MAX 512 /* fixed by whoever opens first: the same everywhere */

static const char *const table_names[RP_T_COUNT] = {
    [RP_T_META] = "meta",
    [RP_T_ENTRY] = "entry",
    [RP_T_BODY] = "body",
    [RP_T_DELIVERY] = "delivery",
    [RP_T_QUEUE] = "queue",
    [RP_T_ORDER] = "order",
    [RP_T_AGENDA] = "agenda",
    [RP_T_CLAIM] = "claim",
    [RP_T_ATTEMPT] = "attempt",
    [RP_T_DEAD] = "dead",
    [RP_T_DONE] = "done",
    [RP_T_HELD] = "held",
    [RP_T_RUN] = "run",
    [RP_T_ENDPOINT] = "endpoint",
    [RP_T_ENDPOINT_NAME] = "endpoint_name",
    [RP_T_ENDPOINT_ID] = "endpoint_id",
    [RP_T_SEEN] = "seen",
    [RP_T_ALIAS] = "alias",
    [RP_T_SENDER] = "sender",
    [RP_T_JOB] = "job",
    [RP_T_JOB_ENTRY] = "job_entry",
    [RP_T_AUDIT] = "audit",
    [RP_T_RECENT] = "recent",
};

const char *rp_table_name(enum rp_table table)
{
	return table_names[table];
}

static const char format_magic[] = "runpost";

uint64_t rp_db_disk_free_bytes(struct rp_outbox *ob)
{
	struct statvfs vfs;

	if (statvfs(ob->dir, &vfs) != 0)
		return UINT64_MAX;
	return (uint64_t)vfs.f_bavail * vfs.f_frsize;
}

enum rp_err rp_db_fail(struct rp_outbox *ob, int rc, const char *what, struct rp_error *err)
{
	switch (rc) {
	case 0:
		return RP_OK;
	case MDB_NOTFOUND:
		return rp_fail(err, RP_ERR_NOTFOUND, "%s: %s: not found", ob->dir, what);
	case MDB_MAP_FULL:
		return rp_fail(err, RP_ERR_FULL,
			       "%s: the map is full (%s); raise map_size, or deliver or purge entries", ob->dir, what);
	case MDB_READERS_FULL:
		return rp_fail(err, RP_ERR_BUSY, "%s: all %d reader slots are taken (%s)", ob->dir, READERS_MAX, what);
	case MDB_INVALID:
	case MDB_VERSION_MISMATCH:
		return rp_fail(err, RP_ERR_FORMAT, "%s: data.mdb is not an outbox of this program (%s)", ob->dir,
			       mdb_strerror(rc));
	case MDB_CORRUPTED:
	case MDB_PAGE_NOTFOUND:
	case MDB_BAD_TXN: /* after one of the two, which was taken for one entry's damage */
		return rp_fail(err, RP_ERR_DAMAGED, "%s: the data file is damaged (%s: %s)", ob->dir, what,
			       mdb_strerror(rc));
	case ENOMEM:
		return rp_fail_sys(err, RP_ERR_NOMEM, rc, "%s: %s", ob->dir, what);
	case ENOSPC:
	case EDQUOT:
		return rp_fail_sys(err, RP_ERR_FULL, rc, "%s: %s", ob->dir, what);
	case EIO:
		/* A short write on a full disk shows as EIO (measured with 0.9.24): nothing was published, so it is
		 * only full. */
		if (rp_db_disk_free_bytes(ob) < 16 * RP_PAGE_BYTES)
			return rp_fail(err, RP_ERR_FULL, "%s: %s: no space left on the device", ob->dir, what);
		return rp_fail_sys(err, RP_ERR_IO, rc, "%s: %s", ob->dir, what);
	default:
		if (rc > 0)
			return rp_fail_sys(err, rp_err_of_errno(rc), rc, "%s: %s", ob->dir, what);
		return rp_fail(err, RP_ERR_IO, "%s: %s: %s", ob->dir, what, mdb_strerror(rc));
	}
}

/* --- opening ---------------------------------------------------------------------------------------------------------
 */

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

/* LMDB syncs the file, never the directory that names it (traced). Whoever made the outbox may have been killed before it
 * synced the directories, or be just about to: so each process that makes promises sees to it itself, before the first. */
enum rp_err rp_sync_names(const char *dir, bool made_dir, struct rp_error *err)
{
	char *parent = NULL;
	enum rp_err e = sync_dir(dir, err);

	if (e != RP_OK)
		return e;
	if (asprintf(&parent, "%s/..", dir) < 0)
		return rp_fail(err, RP_ERR_NOMEM, "out of memory");
	/* One that may not be read cannot be synced either, but then an operator made the directory in it. */
	if (made_dir || access(parent, R_OK) == 0)
		e = sync_dir(parent, err);
	free(parent);
	return e;
}

/* A wrong --outbox must not litter somebody else's directory. */
static enum rp_err check_foreign(struct rp_outbox *ob, struct rp_error *err)
{
	static const char *const ours[] = {".", "..", "data.mdb", "lock.mdb", "senders", "doorbell", "lost+found"};
	struct dirent *e;
	enum rp_err rc = RP_OK;
	DIR *d = opendir(ob->dir);
	size_t i;

	if (d == NULL)
		return rp_fail_sys(err, rp_err_of_errno(errno), errno, "%s: open directory", ob->dir);
	while (rc == RP_OK && (e = readdir(d)) != NULL) {
		for (i = 0; i < sizeof ours / sizeof ours[0]; i++)
			if (strcmp(e->d_name, ours[i]) == 0)
				break;
		if (i == sizeof ours / sizeof ours[0])
			rc = rp_fail(
			    err, RP_ERR_FORMAT,
			    "%s: the directory holds other files (%.80s) and no outbox; name an empty or new directory",
			    ob->dir, e->d_name);
	}
	closedir(d);
	return rc;
}

static enum rp_err prepare_dir(struct rp_outbox *ob, bool create, bool *made_dir, struct rp_error *err)
{
	char *data = NULL;
	bool present;

	if (asprintf(&data, "%s/data.mdb", ob->dir) < 0)
		return rp_fail(err, RP_ERR_NOMEM, "out of memory");
	present = access(data, F_OK) == 0;
	free(data);
	if (present)
		return RP_OK;
	if (!create)
		return rp_fail(err, RP_ERR_NOTFOUND,
			       "%s: there is no outbox here (make one with: runpost init --outbox %s)", ob->dir,
			       ob->dir);
	*made_dir = mkdir(ob->dir, 0700) == 0;
	if (*made_dir)
		return RP_OK;
	if (errno != EEXIST)
		return rp_fail_sys(err, rp_err_of_errno(errno), errno, "%s: create directory", ob->dir);
	return check_foreign(ob, err);
}

static int try_open_env(struct rp_outbox *ob, const struct rp_outbox_options *o)
{
	unsigned flags = MDB_NOTLS | (o->sender ? MDB_NOMETASYNC : 0);
	int rc, fd;

	rc = mdb_env_create(&ob->env);
	if (rc == 0)
		rp_damage_watch(ob);
	if (rc == 0)
		rc = mdb_env_set_maxdbs(ob->env, RP_T_COUNT);
	if (rc == 0)
		rc = mdb_env_set_maxreaders(ob->env, READERS_MAX);
	if (rc == 0)
		rc = mdb_env_set_mapsize(ob->env, o->map_bytes != 0 ? o->map_bytes : MAP_BYTES_DEFAULT);
	if (rc == 0)
		rc = mdb_env_open(ob->env, ob->dir, flags, 0600);
	if (rc == 0)
		rc = mdb_env_get_fd(ob->env, &fd);
	if (rc == 0)
		(void)fcntl(fd, F_SETFD, FD_CLOEXEC); /* LMDB forgets it; a child must not hold the data file */
	return rc;
}

/* The two meta pages, and those of the commit that makes the tables; the first append makes it 18 and more (measured). */
#define BEGINNING_PAGES_MAX 4

/* LMDB begins a file by writing its two meta pages, without a sync; they are synced together with the pages of the first
 * commit. A disk that was full at that moment, or a power cut, leaves less of them, perhaps with those pages behind them;
 * nothing can have been stored then. Anything else stays as it is: a meta page that has seen a
 * transaction, whose data are lost, or somebody else's file. */
static bool is_torn_beginning(int fd)
{
	/* In a meta page, on a little-endian machine: lmdb.h does not tell. */
	static const unsigned char magic[4] = {0xde, 0xc0, 0xef, 0xbe}, zeros[RP_PAGE_BYTES];
	const size_t magic_at = 16, txnid_at = 144;
	unsigned char page[RP_PAGE_BYTES];
	struct stat st;
	off_t at;

	if (fstat(fd, &st) != 0 || st.st_size == 0 || st.st_size > BEGINNING_PAGES_MAX * RP_PAGE_BYTES)
		return false;
	for (at = 0; at < st.st_size && at < 2 * RP_PAGE_BYTES; at += RP_PAGE_BYTES) {
		memset(page, 0, sizeof page);
		if (pread(fd, page, sizeof page, at) <= 0 || memcmp(page + txnid_at, zeros, 8) != 0 ||
		    (memcmp(page + magic_at, magic, 4) != 0 && memcmp(page, zeros, sizeof page) != 0))
			return false;
	}
	return true;
}

/* Whether the file is one; if so and `clear`, it is emptied, so that it is begun anew. While we hold the lock by which LMDB
 * finds out who is first, nobody has the file open, and nobody begins it. */
static bool find_torn_beginning(struct rp_outbox *ob, bool clear)
{
	struct flock first = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 0, .l_len = 1};
	int lock = -1, data = -1;
	bool torn = false;

	if (rp_outbox_side_file(ob, "lock.mdb", &lock, NULL) == RP_OK && fcntl(lock, F_SETLK, &first) == 0 &&
	    rp_outbox_side_file(ob, "data.mdb", &data, NULL) == RP_OK)
		torn = is_torn_beginning(data) && (!clear || ftruncate(data, 0) == 0);
	if (data >= 0)
		close(data);
	if (lock >= 0)
		close(lock);
	return torn;
}

static enum rp_err open_env(struct rp_outbox *ob, const struct rp_outbox_options *o, struct rp_error *err)
{
	int rc = try_open_env(ob, o);

	if (rc != MDB_INVALID)
		return rp_db_fail(ob, rc, "open", err);
	rp_db_close(ob);
	if (!find_torn_beginning(ob, o->create))
		return rp_db_fail(ob, rc, "open", err);
	if (!o->create)
		return rp_fail(
		    err, RP_ERR_NOTFOUND,
		    "%s: there is no outbox here, only one whose creation was cut short (begin it anew with: "
		    "runpost init --outbox %s)",
		    ob->dir, ob->dir);
	rp_log(RP_LOG_WARN, "begun_anew", "file=%s/data.mdb", ob->dir);
	return rp_db_fail(ob, try_open_env(ob, o), "open", err);
}

static enum rp_err check_format(struct rp_outbox *ob, MDB_txn *txn, struct rp_error *err)
{
	MDB_val key = {6, (void *)(uintptr_t) "format"}, value;
	struct rp_reader r;
	uint32_t version;
	int rc = mdb_get(txn, ob->table[RP_T_META], &key, &value);

	if (rc != 0 || value.mv_size != sizeof format_magic - 1 + 4 ||
	    memcmp(value.mv_data, format_magic, sizeof format_magic - 1) != 0)
		return rp_fail(err, RP_ERR_FORMAT, "%s: data.mdb is an LMDB file, but not an outbox of runpost",
			       ob->dir);
	r = rp_reader_of((const char *)value.mv_data + sizeof format_magic - 1, 4);
	version = rp_get_u32(&r);
	if (version != RP_FORMAT_VERSION)
		return rp_fail(err, RP_ERR_FORMAT,
			       "%s: the outbox has format %" PRIu32
			       ", this program knows %d; use the runpost that wrote it",
			       ob->dir, version, RP_FORMAT_VERSION);
	return RP_OK;
}

static enum rp_err create_tables(struct rp_outbox *ob, MDB_txn *txn, struct rp_error *err)
{
	struct rp_head head = {.next_seq = 1, .next_endpoint = 1};
	unsigned char buf[RP_HEAD_BYTES];
	MDB_val key = {6, (void *)(uintptr_t) "format"}, value;
	struct rp_writer w = rp_writer_of(buf, sizeof buf);
	int rc = 0, i;

	for (i = 0; i < RP_T_COUNT && rc == 0; i++)
		rc = mdb_dbi_open(txn, table_names[i], MDB_CREATE, &ob->table[i]);
	rp_put_bytes(&w, format_magic, sizeof format_magic - 1);
	rp_put_u32(&w, RP_FORMAT_VERSION);
	value = (MDB_val){sizeof format_magic - 1 + 4, buf};
	if (rc == 0)
		rc = mdb_put(txn, ob->table[RP_T_META], &key, &value, 0);
	key = (MDB_val){4, (void *)(uintptr_t) "head"};
	if (rc == 0) {
		value = (MDB_val){rp_head_pack(&head, buf, sizeof buf), buf};
		rc = mdb_put(txn, ob->table[RP_T_META], &key, &value, 0);
	}
	return rp_db_fail(ob, rc, "create tables", err);
}

/* Two processes may create at once: the second finds the tables made when it gets the write lock. */
static enum rp_err create_outbox(struct rp_outbox *ob, struct rp_error *err)
{
	MDB_txn *txn;
	MDB_stat st;
	enum rp_err e;
	int rc = mdb_txn_begin(ob->env, NULL, 0, &txn);

	if (rc != 0)
		return rp_db_fail(ob, rc, "begin", err);
	rc = mdb_dbi_open(txn, table_names[RP_T_META], 0, &ob->table[RP_T_META]);
	if (rc == 0) {
		mdb_txn_abort(txn);
		return RP_OK;
	}
	rc = mdb_env_stat(ob->env, &st);
	if (rc == 0 && st.ms_entries > 0) {
		mdb_txn_abort(txn);
		return rp_fail(err, RP_ERR_FORMAT, "%s: data.mdb is an LMDB file, but not an outbox of runpost",
			       ob->dir);
	}
	e = create_tables(ob, txn, err);
	if (e != RP_OK) {
		mdb_txn_abort(txn);
		return e;
	}
	rc = mdb_txn_commit(txn);
	if (rc == 0)
		rc = mdb_env_sync(ob->env, 1);
	return rp_db_fail(ob, rc, "create", err);
}

static enum rp_err open_tables(struct rp_outbox *ob, struct rp_error *err)
{
	MDB_txn *txn;
	enum rp_err e;
	int rc = mdb_txn_begin(ob->env, NULL, MDB_RDONLY, &txn), i;

	if (rc != 0)
		return rp_db_fail(ob, rc, "begin", err);
	e = rp_pages_check_end(ob, txn, err);
	if (e != RP_OK) {
		mdb_txn_abort(txn);
		return e;
	}
	rc = mdb_dbi_open(txn, table_names[RP_T_META], 0, &ob->table[RP_T_META]);
	if (rc == MDB_NOTFOUND) {
		mdb_txn_abort(txn);
		return rp_fail(err, RP_ERR_NOTFOUND, "%s: data.mdb holds no outbox", ob->dir);
	}
	e = rc == 0 ? check_format(ob, txn, err) : rp_db_fail(ob, rc, "open tables", err);
	for (i = 0; e == RP_OK && i < RP_T_COUNT; i++)
		e = rp_db_fail(ob, mdb_dbi_open(txn, table_names[i], 0, &ob->table[i]), table_names[i], err);
	if (e != RP_OK) {
		mdb_txn_abort(txn);
		return e == RP_ERR_NOTFOUND ? RP_ERR_FORMAT : e;
	}
	return rp_db_fail(ob, mdb_txn_commit(txn), "open tables", err);
}

enum rp_err rp_db_open(struct rp_outbox *ob, const struct rp_outbox_options *o, struct rp_error *err)
{
	uint64_t map_bytes = o->map_bytes != 0 ? o->map_bytes : MAP_BYTES_DEFAULT;
	bool made_dir = false;
	enum rp_err e;

	ob->quota_bytes = o->quota_bytes != 0 ? o->quota_bytes : QUOTA_BYTES_DEFAULT;
	/* In a full map nothing works any more, not even deletes: appends must stop long before. */
	if (ob->quota_bytes > map_bytes - map_bytes / 8)
		ob->quota_bytes = map_bytes - map_bytes / 8;
	ob->disk_reserve_bytes = o->disk_reserve_bytes != 0 ? o->disk_reserve_bytes : DISK_RESERVE_DEFAULT;
	e = prepare_dir(ob, o->create, &made_dir, err);
	if (e == RP_OK)
		e = open_env(ob, o, err);
	if (e != RP_OK)
		return e;
	mdb_reader_check(ob->env, NULL);
	rp_damage_enter();
	e = open_tables(ob, err);
	if (e == RP_ERR_NOTFOUND && o->create) {
		if (err != NULL) /* that there was none is no error now */
			memset(err, 0, sizeof *err);
		e = create_outbox(ob, err);
		if (e == RP_OK)
			e = open_tables(ob, err);
	}
	rp_damage_leave();
	return e == RP_OK && o->create ? rp_sync_names(ob->dir, made_dir, err) : e;
}

void rp_db_close(struct rp_outbox *ob)
{
	if (ob->env == NULL)
		return;
	mdb_env_close(ob->env);
	ob->env = NULL;
	rp_damage_unwatch();
}

/* --- transactions ----------------------------------------------------------------------------------------------------
 */

/* Of t, whose outbox is set. rp_txn_end or rp_txn_commit is its end. */
static int begin(struct rp_txn *t, unsigned flags)
{
	struct rp_outbox *ob = t->ob;
	int rc = mdb_txn_begin(ob->env, NULL, flags, &t->mdb);

	if (rc == MDB_MAP_RESIZED) { /* another process works with a larger map_size: follow it */
		rc = mdb_env_set_mapsize(ob->env, 0);
		if (rc == 0)
			rc = mdb_txn_begin(ob->env, NULL, flags, &t->mdb);
	} else if (rc == MDB_READERS_FULL) { /* slots of killed processes count until somebody looks */
		mdb_reader_check(ob->env, NULL);
		rc = mdb_txn_begin(ob->env, NULL, flags, &t->mdb);
	}
	if (rc == 0)
		rp_damage_enter();
	return rc;
}

static enum rp_err begin_with_head(struct rp_outbox *ob, unsigned flags, struct rp_txn *t, struct rp_error *err)
{
	MDB_val key = {4, (void *)(uintptr_t) "head"}, value;
	int rc;

	memset(t, 0, sizeof *t);
	t->ob = ob;
	rc = begin(t, flags);
	if (rc != 0)
		return rp_db_fail(ob, rc, "begin", err);
	rp_ep_forget(ob);
	rp_recent_forget(ob);
	rc = mdb_get(t->mdb, ob->table[RP_T_META], &key, &value);
	if (rc == 0 && rp_head_unpack(&t->head, value.mv_data, value.mv_size))
		return RP_OK;
	rp_txn_end(t);
	return rp_fail(err, RP_ERR_DAMAGED, "%s: the outbox's head record is damaged; restore a backup", ob->dir);
}

enum rp_err rp_txn_read(struct rp_outbox *ob, struct rp_txn *t, struct rp_error *err)
{
	return begin_with_head(ob, MDB_RDONLY, t, err);
}

enum rp_err rp_txn_read_rows(struct rp_outbox *ob, struct rp_txn *t, struct rp_error *err)
{
	memset(t, 0, sizeof *t);
	t->ob = ob;
	return rp_db_fail(ob, begin(t, MDB_RDONLY), "begin", err);
}

enum rp_err rp_txn_write(struct rp_outbox *ob, int64_t now_at_ms, struct rp_txn *t, struct rp_error *err)
{
	enum rp_err e = begin_with_head(ob, 0, t, err);

	t->now_at_ms = now_at_ms;
	t->writes = true;
	return e;
}

enum rp_err rp_txn_commit(struct rp_txn *t, struct rp_error *err)
{
	unsigned char buf[RP_HEAD_BYTES];
	MDB_val key = {4, (void *)(uintptr_t) "head"}, value;
	enum rp_err e = rp_ep_flush(t, err);
	int64_t began_us;
	int rc;

	if (e == RP_OK)
		e = rp_recent_flush(t, err);
	if (e == RP_OK)
		e = rp_tally_flush(t, err);
	if (e == RP_OK) {
		if (t->now_at_ms > t->head.latest_at_ms)
			t->head.latest_at_ms = t->now_at_ms;
		value = (MDB_val){rp_head_pack(&t->head, buf, sizeof buf), buf};
		e = rp_db_fail(t->ob, mdb_put(t->mdb, t->ob->table[RP_T_META], &key, &value, 0), "head", err);
	}
	if (e != RP_OK) {
		rp_txn_end(t);
		return e;
	}
	began_us = rp_sys_stopwatch_us();
	rc = mdb_txn_commit(t->mdb);
	t->mdb = NULL;
	if (rc == 0)
		rp_tally_committed(t, rp_sys_stopwatch_us() - began_us);
	rp_damage_leave();
	return rp_db_fail(t->ob, rc, "commit", err);
}

void rp_txn_end(struct rp_txn *t)
{
	if (t->mdb == NULL)
		return;
	mdb_txn_abort(t->mdb);
	t->mdb = NULL;
	rp_damage_leave();
}

/* --- rows ------------------------------------------------------------------------------------------------------------
 */

/* A write transaction looks for most rows next to the last one: of one table it keeps one cursor, whose page is asked first. A
 * search from the root reads a page a level, each after a look in the list of dirty ones. */
static int cursor_of(struct rp_txn *t, enum rp_table table, MDB_cursor **c)
{
	int rc = t->at[table] == NULL ? mdb_cursor_open(t->mdb, t->ob->table[table], &t->at[table]) : 0;

	*c = t->at[table];
	return rc;
}

static int row_find(struct rp_txn *t, enum rp_table table, const struct rp_key *key, MDB_val *value, MDB_cursor **c)
{
	MDB_val k = {key->len, (void *)(uintptr_t)key->bytes};
	int rc = cursor_of(t, table, c);

	return rc == 0 ? mdb_cursor_get(*c, &k, value, MDB_SET) : rc;
}

enum rp_err rp_row_get(struct rp_txn *t, enum rp_table table, struct rp_key key, MDB_val *value, struct rp_error *err)
{
	MDB_val k = {key.len, key.bytes};
	MDB_cursor *c;
	int rc = t->writes ? row_find(t, table, &key, value, &c) : mdb_get(t->mdb, t->ob->table[table], &k, value);

	return rc == MDB_NOTFOUND ? RP_ERR_NOTFOUND : rp_db_fail(t->ob, rc, table_names[table], err);
}

/* By a cursor that stays where it is: mdb_put would look for the end of the table each time. */
int rp_row_append(struct rp_txn *t, enum rp_table table, const struct rp_key *key, MDB_val *value, unsigned flags)
{
	MDB_val k = {key->len, (void *)(uintptr_t)key->bytes};
	int rc = 0;

	t->dirty = true;
	if (t->at_end[table] == NULL)
		rc = mdb_cursor_open(t->mdb, t->ob->table[table], &t->at_end[table]);
	return rc == 0 ? mdb_cursor_put(t->at_end[table], &k, value, MDB_APPEND | flags) : rc;
}

enum rp_err rp_row_put(struct rp_txn *t, enum rp_table table, struct rp_key key, const void *value, size_t n,
		       unsigned flags, struct rp_error *err)
{
	MDB_val k = {key.len, key.bytes}, v = {n, (void *)(uintptr_t)value};
	MDB_cursor *c;
	int rc;

	if (flags == MDB_APPEND)
		return rp_db_fail(t->ob, rp_row_append(t, table, &key, &v, 0), table_names[table], err);
	t->dirty = true;
	rc = cursor_of(t, table, &c);
	if (rc == 0)
		rc = mdb_cursor_put(c, &k, &v, flags);
	return rp_db_fail(t->ob, rc, table_names[table], err);
}

enum rp_err rp_row_del(struct rp_txn *t, enum rp_table table, struct rp_key key, struct rp_error *err)
{
	MDB_val v;
	MDB_cursor *c;
	int rc = row_find(t, table, &key, &v, &c);

	if (rc == 0)
		rc = mdb_cursor_del(c, 0);
	t->dirty = true;
	return rc == MDB_NOTFOUND ? RP_ERR_NOTFOUND : rp_db_fail(t->ob, rc, table_names[table], err);
}

enum rp_err rp_row_first(struct rp_txn *t, enum rp_table table, struct rp_key from, uint64_t *key_out, size_t n,
			 MDB_val *value, struct rp_error *err)
{
	MDB_val k = {from.len, from.bytes}, v;
	MDB_cursor *c;
	enum rp_err e = RP_OK;
	int rc = t->writes ? cursor_of(t, table, &c) : mdb_cursor_open(t->mdb, t->ob->table[table], &c);

	if (rc != 0)
		return rp_db_fail(t->ob, rc, table_names[table], err);
	rc = mdb_cursor_get(c, &k, &v, MDB_SET_RANGE);
	if (rc == MDB_NOTFOUND)
		e = RP_ERR_NOTFOUND;
	else if (rc != 0)
		e = rp_db_fail(t->ob, rc, table_names[table], err);
	else if (!rp_key_read(k.mv_data, k.mv_size, key_out, n))
		e = rp_fail(err, RP_ERR_DAMAGED, "%s: table %s holds a key of %zu bytes", t->ob->dir,
			    table_names[table], k.mv_size);
	else if (memcmp(k.mv_data, from.bytes, from.len < k.mv_size ? from.len : k.mv_size) < 0 ||
		 key_out[0] > INT64_MAX || key_out[n - 1] > INT64_MAX) /* loops go on behind it, and must end */
		e = rp_fail(err, RP_ERR_DAMAGED, "%s: table %s holds a key where none like it can be", t->ob->dir,
			    table_names[table]);
	else if (value != NULL)
		*value = v;
	if (!t->writes)
		mdb_cursor_close(c);
	return e;
}

/* --- room ------------------------------------------------------------------------------------------------------------
 */

void rp_sight_note(struct rp_sight *s, const MDB_val *v)
{
	const char *at = v->mv_data;

	if (at == NULL)
		return;
	if (s->low == NULL || at < s->low)
		s->low = at;
	if (at > s->high)
		s->high = at;
}

void rp_sight_forget(const struct rp_sight *s)
{
	uintptr_t low = (uintptr_t)s->low & ~(uintptr_t)(RP_PAGE_BYTES - 1),
		  high = (uintptr_t)s->high | (RP_PAGE_BYTES - 1);

	if (s->low != NULL)
		(void)madvise((void *)low, high + 1 - low, MADV_DONTNEED); /* if not, it is only memory */
}

uint64_t rp_db_high_water_bytes(struct rp_outbox *ob)
{
	MDB_envinfo info;

	mdb_env_info(ob->env, &info);
	return ((uint64_t)info.me_last_pgno + 1) * RP_PAGE_BYTES;
}

struct oldest_reader {
	uint64_t txn;
	long pid;
};

/* A line of LMDB's list, "pid thread transaction"; the transaction is - for a slot that reads nothing. */
static int see_reader(const char *line, void *arg)
{
	struct oldest_reader *oldest = arg;
	unsigned long long txn;
	long pid;

	if (sscanf(line, "%ld %*s %llu", &pid, &txn) == 2 && txn < oldest->txn)
		*oldest = (struct oldest_reader){txn, pid};
	return 0;
}

struct rp_db_room rp_db_room(struct rp_outbox *ob)
{
	struct rp_db_room room = {.high_bytes = rp_db_high_water_bytes(ob)};
	struct oldest_reader oldest = {UINT64_MAX, 0};
	uint64_t freed_by;
	MDB_val k, v;
	MDB_cursor *c;
	struct rp_txn t;
	size_t n;

	mdb_reader_list(ob->env, see_reader, &oldest);
	/* Table 0 is LMDB's free list: transaction id -> count, page numbers. Only read transactions may look at it. */
	if (rp_txn_read_rows(ob, &t, NULL) != RP_OK)
		return room;
	if (mdb_cursor_open(t.mdb, 0, &c) != 0) {
		rp_txn_end(&t);
		return room;
	}
	while (mdb_cursor_get(c, &k, &v, MDB_NEXT) == 0) {
		if (v.mv_size < sizeof n || k.mv_size != sizeof(size_t))
			continue;
		memcpy(&n, v.mv_data, sizeof n);
		memcpy(&freed_by, k.mv_data, sizeof freed_by);
		/* What a transaction freed is used again when every reader is younger than it. */
		*(freed_by < oldest.txn ? &room.free_bytes : &room.pinned_bytes) += n * RP_PAGE_BYTES;
	}
	room.pinned_by = room.pinned_bytes > 0 ? oldest.pid : 0;
	mdb_cursor_close(c);
	rp_txn_end(&t);
	return room;
}

uint64_t rp_db_used_bytes(struct rp_outbox *ob)
{
	struct rp_db_room room = rp_db_room(ob);
	uint64_t not_used = room.free_bytes + room.pinned_bytes;

	return not_used < room.high_bytes ? room.high_bytes - not_used : 0; /* a damaged free list may say anything */
}
