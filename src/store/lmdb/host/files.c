/* files.c - checks that the files under the path are still those that were opened. LMDB would go
 * on with files that somebody moved away, and receipts would mean nothing. */

#include "store/lmdb/host/files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/lmdb/handle.h"
#include "store/lmdb/host/owner.h"

static const char *const file_names[RP_FILE_COUNT] = {
    [RP_FILE_DATA] = "data.mdb",
    [RP_FILE_LOCK] = "lock.mdb",
    [RP_FILE_WAKEUP] = "doorbell",
    [RP_FILE_SENDERS] = "senders",
};

static struct rp_file_id id_of(const struct stat *st)
{
	return (struct rp_file_id){st->st_dev, st->st_ino};
}

static bool is_same(struct rp_file_id a, struct rp_file_id b)
{
	return a.dev == b.dev && a.ino == b.ino;
}

/* A relative path begins where the process was when it opened the outbox, wherever it goes
 * later. */
static int open_base(const char *dir)
{
	return dir[0] == '/' ? AT_FDCWD : open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
}

enum rp_err rp_files_open(struct rp_lmdb *ob, int lock, struct rp_error *err)
{
	struct rp_files *p = &ob->files;
	struct stat st;

	if (p->dir_fd < 0) {
		p->base_fd = open_base(ob->db.dir);
		if (p->base_fd >= 0 || p->base_fd == AT_FDCWD)
			p->dir_fd = openat(lock, ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	}
	if (p->dir_fd < 0 || fstat(p->dir_fd, &st) != 0)
		return rp_fail_sys(err, rp_err_of_errno(errno), errno, "%s: open directory",
				   ob->db.dir);
	p->dir = id_of(&st);
	return rp_owner_find(ob, &st, err);
}

void rp_files_close(struct rp_lmdb *ob)
{
	if (ob->files.dir_fd >= 0)
		close(ob->files.dir_fd);
	if (ob->files.base_fd >= 0)
		close(ob->files.base_fd);
	ob->files.dir_fd = ob->files.base_fd = -1;
}

enum rp_err rp_files_look(struct rp_lmdb *ob, enum rp_file file, struct rp_file_id *id,
			  struct rp_error *err)
{
	const char *name = file_names[file];
	struct stat st;

	if (fstatat(ob->files.dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) != 0) {
		if (errno == ENOENT)
			return RP_ERR_NOTFOUND;
		return rp_fail_sys(err, rp_err_of_errno(errno), errno, "%s/%s: look at it",
				   ob->db.dir, name);
	}
	*id = id_of(&st);
	return rp_owner_judge(ob, name, &st, err);
}

void rp_files_keep(struct rp_lmdb *ob, enum rp_file file, struct rp_file_id id)
{
	ob->files.file[file] = id;
}

enum rp_err rp_files_keep_opened(struct rp_lmdb *ob, enum rp_file file, int fd,
				 struct rp_error *err)
{
	struct stat st;

	if (fstat(fd, &st) != 0)
		return rp_fail_sys(err, RP_ERR_IO, errno, "%s/%s: look at it", ob->db.dir,
				   file_names[file]);
	rp_files_keep(ob, file, id_of(&st));
	return RP_OK;
}

/* "": of the directory itself */
static enum rp_err tell_gone(struct rp_lmdb *ob, const char *name, int sys, struct rp_error *err)
{
	if (sys != 0 && sys != ENOENT && sys != ENOTDIR)
		return rp_fail_sys(err, RP_ERR_IO, sys, "%s/%s: look whether it is still there",
				   ob->db.dir, name);
	return rp_fail(err, RP_ERR_IO,
		       "%s%s%s was removed, moved or replaced while this program had it open, so "
		       "what it stores is not "
		       "found under this path; it stops and can be started again",
		       ob->db.dir, *name != '\0' ? "/" : "", name);
}

enum rp_err rp_files_check(struct rp_lmdb *ob, unsigned which, struct rp_error *err)
{
	const struct rp_files *p = &ob->files;
	struct stat st;
	int i;

	if ((which & RP_FILES_DIR) != 0) {
		if (fstatat(p->base_fd, ob->db.dir, &st, 0) != 0)
			return tell_gone(ob, "", errno, err);
		if (!is_same(id_of(&st), p->dir))
			return tell_gone(ob, "", 0, err);
	}
	for (i = 0; i < RP_FILE_COUNT; i++) {
		/* not opened by this process */
		if ((which & RP_FILES_FILE(i)) == 0 || p->file[i].ino == 0)
			continue;
		if (fstatat(p->dir_fd, file_names[i], &st, AT_SYMLINK_NOFOLLOW) != 0)
			return tell_gone(ob, file_names[i], errno, err);
		if (!is_same(id_of(&st), p->file[i]))
			return tell_gone(ob, file_names[i], 0, err);
	}
	return RP_OK;
}

enum rp_err rp_files_file_open(struct rp_lmdb *ob, enum rp_file file, int *fd, bool *made,
			       struct rp_error *err)
{
	const char *name = file_names[file];
	struct rp_file_id id;
	struct stat st;
	uid_t before;
	enum rp_err e = rp_files_look(ob, file, &id, err);
	int sys;

	if (e != RP_OK && e != RP_ERR_NOTFOUND)
		return e;
	if (made != NULL)
		*made = e == RP_ERR_NOTFOUND;
	e = rp_owner_act(ob, &before, err);
	if (e != RP_OK)
		return e;
	*fd = openat(ob->files.dir_fd, name, O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC,
		     0600);
	sys = errno;
	rp_outbox_act_end(before);
	if (*fd < 0)
		return rp_owner_fail_open(ob, name, sys, err);
	/* It may have come after the look. */
	e = fstat(*fd, &st) == 0
		? rp_owner_judge(ob, name, &st, err)
		: rp_fail_sys(err, RP_ERR_IO, errno, "%s/%s: look at it", ob->db.dir, name);
	if (e != RP_OK) {
		close(*fd);
		*fd = -1;
	}
	return e;
}
