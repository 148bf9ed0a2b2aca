/* users.c - refuses to open an outbox that is open where LMDB's lock does not reach. It uses
 * locks alone, since a full disk could not take a record of them. */

#include "store/lmdb/host/users.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/lmdb/handle.h"
#include "store/lmdb/host/files.h"
#include "store/lmdb/host/wakeup.h"

/* Whoever has an outbox open holds three read locks on "doorbell", each one byte far behind its
 * end, and where that byte is tells something. So nothing has to be written, which on a full disk
 * could fail, nothing remains when a process ends, however it does, and others see by one look at
 * a range whether somebody says something else. OFD locks: a child that was forked holds them too,
 * and closing another descriptor of the file drops none. */
#define RANGE_BYTES ((off_t)1 << 48)
/* + the inode of the PID namespace; + 0: unknown, there is no /proc */
#define NAMESPACE_AT ((off_t)1 << 60)
#define BOOT_AT                                                                                    \
	((off_t)2                                                                                  \
	 << 60) /* + a hash of the boot's id; no lock: unknown, as with systemd's ProcSubset=pid */
#define FILES_AT ((off_t)3 << 60) /* + a hash of device and inode of data.mdb and lock.mdb */

static bool set_lock(struct rp_lmdb *ob, short type, off_t at, off_t len)
{
	struct flock l = {.l_type = type, .l_whence = SEEK_SET, .l_start = at, .l_len = len};

	return fcntl(ob->wakeup_fd, F_OFD_SETLK, &l) == 0;
}

/* *at: where somebody else holds one from `from` to before `to`; -1: nowhere. false: errno
 * tells. */
static bool find_lock(struct rp_lmdb *ob, off_t from, off_t to, off_t *at)
{
	struct flock l = {
	    .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = from, .l_len = to - from};

	*at = -1;
	if (from >= to)
		return true;
	if (fcntl(ob->wakeup_fd, F_OFD_GETLK, &l) != 0)
		return false;
	if (l.l_type != F_UNLCK)
		*at = l.l_start;
	return true;
}

/* Of all in the range at `base` but what lies at `mine`. */
static bool find_other(struct rp_lmdb *ob, off_t base, off_t mine, off_t *at)
{
	return find_lock(ob, base, mine, at) &&
	       (*at >= 0 || find_lock(ob, mine + 1, base + RANGE_BYTES, at));
}

static enum rp_err fail_lock(struct rp_lmdb *ob, struct rp_error *err)
{
	return rp_fail_sys(err, RP_ERR_IO, errno, "%s/doorbell: lock", ob->db.dir);
}

static enum rp_err enter_namespace(struct rp_lmdb *ob, struct rp_error *err)
{
	struct stat st;
	off_t mine = NAMESPACE_AT, other;

	if (stat("/proc/self/ns/pid", &st) == 0)
		mine += (off_t)(st.st_ino % (uint64_t)RANGE_BYTES);
	if (!set_lock(ob, F_RDLCK, mine, 1) ||
	    !(mine != NAMESPACE_AT
		  ? find_other(ob, NAMESPACE_AT, mine, &other)
		  : find_lock(ob, NAMESPACE_AT, NAMESPACE_AT + RANGE_BYTES, &other)))
		return fail_lock(ob, err);
	if (other < 0)
		return RP_OK;
	if (mine == NAMESPACE_AT || other == NAMESPACE_AT)
		return rp_fail(err, RP_ERR_BUSY,
			       "%s: other programs have it open, and without /proc %s cannot tell "
			       "whether they are in "
			       "the same PID namespace; mount it, or end them first",
			       ob->db.dir, mine == NAMESPACE_AT ? "this one" : "they");
	return rp_fail(err, RP_ERR_BUSY,
		       "%s: programs in another PID namespace (pid:[%lld]; this one is pid:[%lld]) "
		       "have it open, and "
		       "LMDB's lock would not hold between them; run this in theirs (docker exec, "
		       "kubectl exec, or one "
		       "PID namespace for both containers), or end them first",
		       ob->db.dir, (long long)(other - NAMESPACE_AT),
		       (long long)(mine - NAMESPACE_AT));
}

/* On one machine the locks of another boot are gone. But some file systems share locks between
 * machines. */
static enum rp_err enter_boot(struct rp_lmdb *ob, struct rp_error *err)
{
	char id[36];
	int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
	bool known = fd >= 0 && read(fd, id, sizeof id) == (ssize_t)sizeof id;
	off_t mine, other;

	if (fd >= 0)
		close(fd);
	if (!known)
		return RP_OK;
	mine = BOOT_AT + (off_t)(rp_payload_hash(id, sizeof id) % (uint64_t)RANGE_BYTES);
	if (!set_lock(ob, F_RDLCK, mine, 1) || !find_other(ob, BOOT_AT, mine, &other))
		return fail_lock(ob, err);
	if (other < 0)
		return RP_OK;
	return rp_fail(err, RP_ERR_BUSY,
		       "%s: programs on another machine have it open; an outbox is used on one "
		       "machine at a time: end "
		       "them first",
		       ob->db.dir);
}

static enum rp_err fail_other_files(struct rp_lmdb *ob, struct rp_error *err)
{
	struct rp_buf word = {0};
	enum rp_err e = rp_fail(
	    err, RP_ERR_BUSY,
	    "%s: data.mdb or lock.mdb was removed or replaced while programs had them open, which "
	    "still use the old ones: end those first (fuser -v %s tells which)",
	    ob->db.dir, rp_files_word(ob, "doorbell", &word));

	rp_buf_release(&word);
	return e;
}

static enum rp_err enter_files(struct rp_lmdb *ob, struct rp_error *err)
{
	struct rp_file_id id[2];
	enum rp_err data = rp_files_look(ob, RP_FILE_DATA, &id[0], err);
	enum rp_err lock = rp_files_look(ob, RP_FILE_LOCK, &id[1], err);
	bool there = data == RP_OK && lock == RP_OK;
	off_t mine = FILES_AT, other;

	if (data != RP_OK && data != RP_ERR_NOTFOUND)
		return data;
	if (lock != RP_OK && lock != RP_ERR_NOTFOUND)
		return lock;
	if (there)
		mine += (off_t)(rp_payload_hash(id, sizeof id) % (uint64_t)RANGE_BYTES);
	if (!(there ? set_lock(ob, F_RDLCK, mine, 1) && find_other(ob, FILES_AT, mine, &other)
		    : find_lock(ob, FILES_AT, FILES_AT + RANGE_BYTES, &other)))
		return fail_lock(ob, err);
	if (other >= 0)
		return fail_other_files(ob, err);
	if (!there)
		return RP_ERR_NOTFOUND;
	rp_files_keep(ob, RP_FILE_DATA, id[0]);
	rp_files_keep(ob, RP_FILE_LOCK, id[1]);
	return RP_OK;
}

enum rp_err rp_users_enter(struct rp_lmdb *ob, struct rp_error *err)
{
	enum rp_err e = rp_wakeup_open(ob, err);

	memset(ob->files.file, 0, sizeof ob->files.file[0] * RP_FILE_WAKEUP);
	if (e == RP_OK && !set_lock(ob, F_UNLCK, NAMESPACE_AT, 0)) /* what another try left */
		e = fail_lock(ob, err);
	if (e == RP_OK)
		e = enter_namespace(ob, err);
	if (e == RP_OK)
		e = enter_boot(ob, err);
	if (e == RP_OK)
		e = enter_files(ob, err);
	if (e == RP_OK || e == RP_ERR_NOTFOUND)
		return RP_OK;
	/* Still under the open lock: whoever comes next must not be refused because of one that
	 * was. */
	(void)set_lock(ob, F_UNLCK, NAMESPACE_AT, 0);
	return e;
}

enum rp_err rp_users_stay(struct rp_lmdb *ob, int data_fd, struct rp_error *err)
{
	struct rp_file_id lock = ob->files.file[RP_FILE_LOCK];
	enum rp_err e = enter_files(ob, err);

	if (e == RP_ERR_NOTFOUND) /* LMDB made what was not there */
		return rp_fail(
		    err, RP_ERR_IO,
		    "%s: data.mdb or lock.mdb was removed while it was being opened; try again",
		    ob->db.dir);
	if (e != RP_OK)
		return e;
	/* Which lock.mdb LMDB has open nobody can ask it. It opened the one that was there before
	 * and is now. */
	if (lock.ino != 0)
		rp_files_keep(ob, RP_FILE_LOCK, lock);
	e = rp_files_keep_opened(ob, RP_FILE_DATA, data_fd, err);
	return e == RP_OK ? rp_files_check(ob, RP_FILES_ALL, err) : e;
}

void rp_users_leave_nothing(struct rp_lmdb *ob)
{
	off_t other;

	if (find_lock(ob, NAMESPACE_AT, FILES_AT + RANGE_BYTES, &other) && other < 0)
		(void)unlinkat(ob->files.dir_fd, "doorbell", 0);
	ob->files.made_wakeup = false;
}
