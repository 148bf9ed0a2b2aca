/* open_lock.c - lets one process at a time open or close the files. It locks the directory, because
 * that is there before any file is. */

#include "store/lmdb/host/open_lock.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/sys.h"
#include "store/lmdb/handle.h"
#include "store/lmdb/host/files.h"

#define PAUSE_MS 2

void rp_open_lock_pause(void)
{
	rp_sys_pause_ms(PAUSE_MS);
}

/* The lock is the directory's: it is there before any file in it is, and no file has to be made,
 * kept or explained. It ends with its holder, and after the locks on files that the holder has: at
 * the end of a process the kernel drops those of fcntl while it closes, and those of flock when it
 * gives up the closed files. */
enum rp_err rp_open_lock_enter(const struct rp_lmdb *ob, int tries, int *lock, struct rp_error *err)
{
	const char *dir = ob->db.dir;
	const int flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC;
	int n, sys = EWOULDBLOCK;
	struct rp_buf word = {0};
	enum rp_err e;

	*lock = ob->files.dir_fd >= 0 ? openat(ob->files.dir_fd, ".", flags) : open(dir, flags);
	if (*lock < 0)
		return rp_fail_sys(err, rp_err_of_errno(errno), errno, "%s: open directory", dir);
	for (n = 0; n < tries; n++) {
		if (flock(*lock, LOCK_EX | LOCK_NB) == 0)
			return RP_OK;
		sys = errno;
		if (sys != EWOULDBLOCK && sys != EINTR)
			break;
		rp_open_lock_pause();
	}
	close(*lock);
	*lock = -1;
	if (sys != EWOULDBLOCK && sys != EINTR)
		return rp_fail_sys(err, rp_err_of_errno(sys), sys, "%s: lock directory", dir);
	e = rp_fail(err, RP_ERR_BUSY,
		    "%s: another process has been opening the outbox for %d s; is it stopped? "
		    "(fuser %s tells which)",
		    dir, tries * PAUSE_MS / 1000, rp_files_word(ob, "", &word));
	rp_buf_release(&word);
	return e;
}

void rp_open_lock_leave(int lock)
{
	if (lock < 0)
		return;
	(void)flock(lock, LOCK_UN); /* a child that was forked meanwhile has it too */
	close(lock);
}
