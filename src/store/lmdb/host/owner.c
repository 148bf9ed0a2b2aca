/* owner.c - finds whose outbox it is, and makes root act as that user. It is the only file that
 * switches the file-system identity. */

#include "store/lmdb/lmdb_ops.h"
#include "store/lmdb/store_int.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/fsuid.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"

#define NOBODY ((uid_t)-1) /* what setfsuid never sets: asking for it tells the present one */

/* Root acts as the user whose outbox it is: the owner of the directory, or of the data in a
 * directory of root's (as where a volume belongs to root and to a group). So what it makes can be
 * used by that user, and what that user could not open, as a file behind a link, it does not open.
 * Everybody else is who they are. */
enum rp_err rp_owner_find(struct rp_lmdb *ob, const struct stat *dir, struct rp_error *err)
{
	struct rp_owner *o = &ob->place.owner;
	struct stat data;

	o->dir_uid = dir->st_uid;
	o->uid = geteuid();
	o->gid = getegid();
	o->acts = false;
	if (o->uid != 0)
		return RP_OK;
	if (dir->st_uid != 0) {
		o->uid = dir->st_uid;
		o->gid = dir->st_gid;
	} else if (fstatat(ob->place.dir_fd, "data.mdb", &data, AT_SYMLINK_NOFOLLOW) == 0) {
		o->uid = data.st_uid;
		o->gid = data.st_gid;
	} else if (errno != ENOENT) {
		return rp_fail_sys(err, rp_err_of_errno(errno), errno, "%s/data.mdb: look at it",
				   ob->dir);
	}
	o->acts = o->uid != 0;
	return RP_OK;
}

static gid_t fs_gid(gid_t gid)
{
	setfsgid(gid);
	return (gid_t)setfsgid((gid_t)-1);
}

static uid_t fs_uid(uid_t uid)
{
	setfsuid(uid);
	return (uid_t)setfsuid(NOBODY);
}

/* The identity is this thread's alone (setfsuid(2)), and the capabilities to pass by file
 * permissions go with the zero. The group goes first and comes back last, since root may set it. */
enum rp_err rp_owner_act(struct rp_lmdb *ob, uid_t *before, struct rp_error *err)
{
	const struct rp_owner *o = &ob->place.owner;

	*before = NOBODY;
	if (!o->acts)
		return RP_OK;
	*before = (uid_t)setfsuid(NOBODY);
	if (fs_gid(o->gid) == o->gid && fs_uid(o->uid) == o->uid)
		return RP_OK;
	rp_outbox_act_end(*before);
	return rp_fail(err, RP_ERR_DENIED,
		       "%s: the outbox belongs to user %u, and this root may not act as another "
		       "user; run this as that "
		       "user",
		       ob->dir, (unsigned)o->uid);
}

void rp_outbox_act_end(uid_t before)
{
	if (before == NOBODY)
		return;
	setfsuid(before);
	if (before == geteuid()) /* not the inner one of two */
		setfsgid(getegid());
}

static enum rp_err fail_foreign(struct rp_lmdb *ob, const char *name, uid_t its,
				struct rp_error *err)
{
	const struct rp_owner *o = &ob->place.owner;
	struct rp_buf word = {0};
	enum rp_err e = rp_fail(
	    err, RP_ERR_DENIED,
	    "%s/%s belongs to user %u, the outbox to user %u (as root: chown %u %s)", ob->dir, name,
	    (unsigned)its, (unsigned)o->uid, (unsigned)o->uid, rp_files_word(ob, name, &word));

	rp_buf_release(&word);
	return e;
}

enum rp_err rp_owner_judge(struct rp_lmdb *ob, const char *name, const struct stat *st,
			   struct rp_error *err)
{
	const struct rp_owner *o = &ob->place.owner;

	if (!S_ISREG(st->st_mode))
		return rp_fail(err, RP_ERR_DENIED,
			       "%s/%s is %s, not a file of an outbox; remove it", ob->dir, name,
			       rp_file_kind(st->st_mode));
	if (st->st_uid == o->uid)
		return RP_OK;
	/* Several users may have been given access to a directory and its files by hand. */
	if (!o->acts && st->st_uid == o->dir_uid &&
	    faccessat(ob->place.dir_fd, name, R_OK | W_OK, AT_EACCESS) == 0)
		return RP_OK;
	if (o->acts || o->uid == o->dir_uid)
		return fail_foreign(ob, name, st->st_uid, err);
	return rp_fail(err, RP_ERR_DENIED,
		       "%s/%s belongs to user %u; run this as that user, not as user %u", ob->dir,
		       name, (unsigned)st->st_uid, (unsigned)o->uid);
}

/* As the user whose outbox it is: whether that user may not find or make files in it. */
static bool is_shut_by_dir(struct rp_lmdb *ob)
{
	bool shut;
	uid_t before;

	if (rp_owner_act(ob, &before, NULL) != RP_OK)
		return false;
	shut = faccessat(ob->place.dir_fd, ".", W_OK | X_OK, AT_EACCESS) != 0;
	rp_outbox_act_end(before);
	return shut;
}

enum rp_err rp_owner_fail_open(struct rp_lmdb *ob, const char *name, int sys, struct rp_error *err)
{
	const struct rp_owner *o = &ob->place.owner;
	struct rp_buf word = {0};
	enum rp_err e;

	if (!o->acts || (sys != EACCES && sys != EPERM))
		return rp_fail_sys(err, rp_err_of_errno(sys), sys, "%s/%s: open", ob->dir, name);
	if (o->dir_uid == o->uid || !is_shut_by_dir(ob))
		return rp_fail(err, RP_ERR_DENIED,
			       "%s/%s: user %u, whose outbox it is and as whom root acts, may not "
			       "open it: see the modes "
			       "of it and of the directories above it",
			       ob->dir, name, (unsigned)o->uid);
	e = rp_fail(err, RP_ERR_DENIED,
		    "%s/%s: user %u, whom data.mdb belongs to and as whom root acts, may not open "
		    "it: the directory "
		    "belongs to user %u (as root: chown %u:%u %s)",
		    ob->dir, name, (unsigned)o->uid, (unsigned)o->dir_uid, (unsigned)o->uid,
		    (unsigned)o->gid, rp_files_word(ob, "", &word));
	rp_buf_release(&word);
	return e;
}

enum rp_err rp_lmdb_act(struct rp_outbox *outbox, uid_t *before, struct rp_error *err)
{
	return rp_owner_act(rp_lmdb_of(outbox), before, err);
}
