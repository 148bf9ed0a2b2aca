/* wakeup.c - wakes other processes with a file that inotify watches. The file is written to,
 * never read: that it changed is the whole message. */

#include "store/lmdb/host/wakeup.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "store/lmdb/handle.h"
#include "store/lmdb/host/files.h"
#include "store/lmdb/host/registry.h"
#include "store/lmdb/lmdb_ops.h"

/* Two files tell senders to look without polling: "doorbell", written to after a commit that made
 * work due, and "senders", which the kernel closes when a sender dies. inotify merges equal
 * events, so ringing often is cheap. */

/* NULL and RP_ERR_NOMEM in err: out of memory. The caller frees it. */
static char *side_path(const struct rp_lmdb *ob, const char *name, struct rp_error *err)
{
	char *path = NULL;

	if (asprintf(&path, "%s/%s", ob->db.dir, name) >= 0)
		return path;
	rp_fail(err, RP_ERR_NOMEM, "out of memory");
	return NULL;
}

enum rp_err rp_wakeup_open(struct rp_lmdb *ob, struct rp_error *err)
{
	enum rp_err e;

	if (ob->wakeup_fd >= 0)
		return RP_OK;
	e = rp_files_file_open(ob, RP_FILE_WAKEUP, &ob->wakeup_fd, &ob->files.made_wakeup, err);
	return e == RP_OK ? rp_files_keep_opened(ob, RP_FILE_WAKEUP, ob->wakeup_fd, err) : e;
}

void rp_wakeup_close(struct rp_lmdb *ob)
{
	if (ob->wakeup_fd >= 0)
		close(ob->wakeup_fd);
	if (ob->inotify_fd >= 0)
		close(ob->inotify_fd);
	if (ob->commits_fd >= 0)
		close(ob->commits_fd);
	ob->wakeup_fd = ob->inotify_fd = ob->commits_fd = -1;
}

void rp_wakeup_ring(struct rp_lmdb *ob)
{
	ssize_t n = pwrite(ob->wakeup_fd, "!", 1, 0);

	/* The commit is done and stands; a sender that misses the bell finds the work at its next
	 * heartbeat. */
	(void)n;
}

static enum rp_err watch_file(struct rp_lmdb *ob, const char *name, uint32_t mask, int *wd,
			      struct rp_error *err)
{
	char *path = side_path(ob, name, err);
	int sys;

	if (path == NULL)
		return RP_ERR_NOMEM;
	*wd = inotify_add_watch(ob->inotify_fd, path, mask);
	sys = errno;
	free(path);
	return *wd >= 0 ? RP_OK
			: rp_fail_sys(err, RP_ERR_IO, sys, "%s/%s: watch", ob->db.dir, name);
}

static enum rp_err watch_work(struct rp_lmdb *ob, int *fd, struct rp_error *err)
{
	enum rp_err e = rp_registry_open(ob, err);

	if (e != RP_OK)
		return e;
	if (ob->inotify_fd < 0) {
		ob->inotify_fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
		if (ob->inotify_fd < 0)
			return rp_fail_sys(err, RP_ERR_IO, errno, "inotify");
		e = watch_file(ob, "doorbell", IN_MODIFY, &ob->wakeup_wd, err);
		if (e == RP_OK)
			e = watch_file(ob, "senders", IN_CLOSE_WRITE, &ob->registry_wd, err);
		if (e != RP_OK) {
			close(ob->inotify_fd);
			ob->inotify_fd = -1;
		}
	}
	*fd = ob->inotify_fd;
	return e;
}

static struct rp_woken drain_work(struct rp_lmdb *ob)
{
	struct rp_woken woken = {0};
	char buf[4096] __attribute__((aligned(__alignof__(struct inotify_event))));
	ssize_t n;

	while ((n = read(ob->inotify_fd, buf, sizeof buf)) > 0) {
		ssize_t at = 0;

		while (at < n) {
			const struct inotify_event *ev = (const void *)(buf + at);

			if (ev->wd == ob->wakeup_wd || (ev->mask & IN_Q_OVERFLOW) != 0)
				woken.work = true;
			if (ev->wd == ob->registry_wd || (ev->mask & IN_Q_OVERFLOW) != 0)
				woken.sender_ended = true;
			at += (ssize_t)(sizeof *ev + ev->len);
		}
	}
	return woken;
}

/* Commits that make no work due ring no bell, and a bell for each would wake every sender. But
 * LMDB writes its pages and then its meta page with system calls, which the kernel tells of
 * anyway. */
static enum rp_err watch_commits(struct rp_lmdb *ob, int *fd, struct rp_error *err)
{
	char *path;
	int wd, sys;

	*fd = ob->commits_fd;
	if (*fd >= 0)
		return RP_OK;
	path = side_path(ob, "data.mdb", err);
	if (path == NULL)
		return RP_ERR_NOMEM;
	ob->commits_fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	wd = ob->commits_fd >= 0 ? inotify_add_watch(ob->commits_fd, path, IN_MODIFY) : -1;
	sys = errno;
	free(path);
	if (wd < 0) {
		if (ob->commits_fd >= 0)
			close(ob->commits_fd);
		ob->commits_fd = -1;
		return rp_fail_sys(err, RP_ERR_IO, sys, "%s/data.mdb: watch", ob->db.dir);
	}
	*fd = ob->commits_fd;
	return RP_OK;
}

static void drain_commits(struct rp_lmdb *ob)
{
	char buf[4096];

	while (read(ob->commits_fd, buf, sizeof buf) > 0)
		;
}

enum rp_err rp_lmdb_watch(struct rp_outbox *outbox, enum rp_watch what, int *fd,
			  struct rp_error *err)
{
	struct rp_lmdb *ob = rp_lmdb_of(outbox);

	return what == RP_WATCH_WORK ? watch_work(ob, fd, err) : watch_commits(ob, fd, err);
}

struct rp_woken rp_lmdb_drain(struct rp_outbox *outbox, enum rp_watch what)
{
	struct rp_lmdb *ob = rp_lmdb_of(outbox);

	if (what == RP_WATCH_WORK)
		return drain_work(ob);
	drain_commits(ob);
	return (struct rp_woken){0};
}
