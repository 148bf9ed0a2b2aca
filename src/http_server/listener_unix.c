/* listener_unix.c - opens sockets in the file system, in the place of those that dead programs
 * left. */

#include "http_server/listener.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "base/sys.h"
#include "http_server/listener_int.h"

#define LOCK_WAIT_MS 2000
#define LOCK_PAUSE_MS 10

static enum rp_err set_path(const char *path, struct sockaddr_un *at, struct rp_error *err)
{
	memset(at, 0, sizeof *at);
	at->sun_family = AF_UNIX;
	if (*path == '\0')
		return rp_fail(err, RP_ERR_INVAL, "a socket needs a path");
	if (strlen(path) >= sizeof at->sun_path)
		return rp_fail(err, RP_ERR_INVAL,
			       "%s is too long for a socket, whose path has at most %zu bytes",
			       path, sizeof at->sun_path - 1);
	memcpy(at->sun_path, path, strlen(path));
	return RP_OK;
}

/* Whoever may read a folder may lock it, and keep the lock. */
static enum rp_err wait_for_lock(int fd, const char *path, struct rp_error *err)
{
	const struct timespec pause = {.tv_nsec = LOCK_PAUSE_MS * 1000000};
	int64_t until_ms = rp_sys_boot_ms(&rp_sys_real) + LOCK_WAIT_MS;

	while (flock(fd, LOCK_EX | LOCK_NB) != 0) {
		if (errno != EWOULDBLOCK && errno != EINTR)
			return rp_fail_sys(err, RP_ERR_IO, errno, "cannot lock the folder of %s",
					   path);
		if (rp_sys_boot_ms(&rp_sys_real) >= until_ms)
			return rp_fail(err, RP_ERR_IO,
				       "another program holds a lock (flock) on the folder of %s; "
				       "lslocks tells which",
				       path);
		nanosleep(&pause, NULL);
	}
	return RP_OK;
}

/* Two programs must not both find a dead socket and each remove what the other has just made. The
 * lock lasts until *fd is closed. */
static enum rp_err lock_folder(const char *path, int *fd, struct rp_error *err)
{
	char copy[sizeof((struct sockaddr_un *)0)->sun_path];

	snprintf(copy, sizeof copy, "%s", path);
	*fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (*fd < 0)
		return rp_fail_sys(err, RP_ERR_IO, errno, "cannot open the folder of %s", path);
	return wait_for_lock(*fd, path, err);
}

/* Whether a program listens there. A full queue (EAGAIN) is one, too. */
static bool is_alive(const struct sockaddr_un *at)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	bool dead = fd >= 0 && connect(fd, (const struct sockaddr *)at, sizeof *at) != 0 &&
		    errno == ECONNREFUSED;

	if (fd >= 0)
		close(fd);
	return !dead;
}

static enum rp_err remove_dead(const struct sockaddr_un *at, struct rp_error *err)
{
	struct stat there;

	if (lstat(at->sun_path, &there) != 0)
		return errno == ENOENT
			   ? RP_OK
			   : rp_fail_sys(err, RP_ERR_IO, errno, "cannot look at %s", at->sun_path);
	if (!S_ISSOCK(there.st_mode))
		return rp_fail(err, RP_ERR_INVAL, "%s is there already, and is no socket",
			       at->sun_path);
	if (is_alive(at))
		return rp_fail_sys(err, RP_ERR_IO, EADDRINUSE, "a program listens at %s already",
				   at->sun_path);
	if (unlink(at->sun_path) != 0)
		return rp_fail_sys(err, RP_ERR_IO, errno, "cannot remove the dead socket %s",
				   at->sun_path);
	return RP_OK;
}

/* Nobody can connect before it listens, so none comes in by a mode of the umask's choice. */
static enum rp_err make(const struct sockaddr_un *at, mode_t mode, struct rp_http_listener *out,
			struct rp_error *err)
{
	struct stat made;

	out->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (out->fd < 0 || bind(out->fd, (const struct sockaddr *)at, sizeof *at) != 0)
		return rp_fail_sys(err, RP_ERR_IO, errno, "cannot make the socket %s",
				   at->sun_path);
	if (lstat(at->sun_path, &made) == 0) {
		out->maker = getpid();
		out->dev = made.st_dev;
		out->ino = made.st_ino;
	}
	if (chmod(at->sun_path, mode) != 0 || listen(out->fd, RP_HTTP_BACKLOG) != 0)
		return rp_fail_sys(err, RP_ERR_IO, errno, "cannot listen at %s", at->sun_path);
	return RP_OK;
}

enum rp_err rp_http_listener_open_unix(const char *path, mode_t mode, struct rp_http_listener *out,
				       struct rp_error *err)
{
	struct sockaddr_un at;
	int folder = -1;
	enum rp_err code = set_path(path, &at, err);

	*out = (struct rp_http_listener){.fd = -1, .is_unix = true};
	if (code == RP_OK)
		snprintf(out->url, sizeof out->url, "unix:%s", path);
	if (code == RP_OK)
		code = lock_folder(path, &folder, err);
	if (code == RP_OK)
		code = remove_dead(&at, err);
	if (code == RP_OK)
		code = make(&at, mode, out, err);
	if (code != RP_OK)
		rp_http_listener_close(out);
	if (folder >= 0)
		close(folder);
	return code;
}
