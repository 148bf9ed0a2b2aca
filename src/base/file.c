/* file.c - creates, appends to and replaces files at a path that a user gave. It is apart
 * because root may be asked to write where somebody else can plant a link. */

#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

const char *rp_file_kind(mode_t mode)
{
	return S_ISLNK(mode)                    ? "a symbolic link"
	       : S_ISDIR(mode)                  ? "a directory"
	       : S_ISFIFO(mode)                 ? "a FIFO"
	       : S_ISCHR(mode) || S_ISBLK(mode) ? "a device"
	       : S_ISSOCK(mode)                 ? "a socket"
						: "no regular file";
}

static enum rp_err fail_sys(struct rp_error *err, const char *path, const char *what)
{
	return rp_fail_sys(err, rp_err_of_errno(errno), errno, "%s: %s",
			   path[0] != '\0' ? path : "an empty name", what);
}

enum rp_err rp_file_write(int fd, struct rp_span bytes, const char *path, struct rp_error *err)
{
	while (bytes.len > 0) {
		ssize_t did = write(fd, bytes.ptr, bytes.len);

		if (did < 0 && errno == EINTR)
			continue;
		if (did < 0)
			return rp_fail_sys(err, RP_ERR_IO, errno, "%s: write", path);
		bytes.ptr += did;
		bytes.len -= (size_t)did;
	}
	return RP_OK;
}

enum rp_err rp_file_sync_name(const char *path, struct rp_error *err)
{
	char *copy = strdup(path);
	enum rp_err e = RP_OK;
	int fd;

	if (copy == NULL)
		return rp_fail(err, RP_ERR_NOMEM, "out of memory");
	fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	free(copy);
	if (fd < 0)
		return errno == EACCES ? RP_OK : fail_sys(err, path, "open its directory");
	/* /dev and its like have nothing to sync */
	if (fsync(fd) != 0 && errno != EINVAL && errno != EROFS)
		e = fail_sys(err, path, "sync its directory");
	close(fd);
	return e;
}

/* Anywhere, not only where an outbox is: it may come after the file, and would take it for its
 * own. File systems that fold case exist. */
static enum rp_err check_name(const char *path, struct rp_error *err)
{
	static const char *const names[] = {"data.mdb", "lock.mdb", "doorbell", "senders", "door"};
	const char *slash = strrchr(path, '/'), *name = slash != NULL ? slash + 1 : path;
	size_t i;

	for (i = 0; i < sizeof names / sizeof names[0]; i++)
		if (strcasecmp(name, names[i]) == 0)
			return rp_fail(err, RP_ERR_INVAL,
				       "%s: an outbox has a file of this name; name another", path);
	return RP_OK;
}

enum rp_err rp_file_create(const char *path, int *fd, struct rp_error *err)
{
	*fd = -1;
	if (check_name(path, err) != RP_OK)
		return RP_ERR_INVAL;
	*fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (*fd >= 0)
		return RP_OK;
	if (errno == EEXIST)
		return rp_fail(err, RP_ERR_EXISTS, "%s: is there already; name a new file", path);
	return fail_sys(err, path, "create");
}

/* --- appending ---------------------------------------------------------------------------- */

enum rp_err rp_file_append(const char *path, int *fd, struct rp_error *err)
{
	/* Opening a FIFO waits for its reader, and no signal ends that where they are blocked. */
	int flags = O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK;

	if (strncmp(path, "/dev/", 5) != 0) /* what links there are is the system's to say */
		flags |= O_NOFOLLOW;
	*fd = -1;
	if (check_name(path, err) != RP_OK)
		return RP_ERR_INVAL;
	*fd = open(path, flags, 0600);
	if (*fd < 0 && errno == ELOOP)
		return rp_fail(err, RP_ERR_INVAL,
			       "%s: is a symbolic link; name the file that it leads to", path);
	if (*fd < 0 && errno == ENXIO)
		return rp_fail(err, RP_ERR_INVAL, "%s: is a FIFO that nobody reads, or a socket",
			       path);
	if (*fd < 0 && errno == EISDIR)
		return rp_fail(err, RP_ERR_INVAL, "%s: is a directory; name a file", path);
	if (*fd < 0)
		return fail_sys(err, path, "open");
	flags = fcntl(*fd, F_GETFL);
	if (flags >= 0 && fcntl(*fd, F_SETFL, flags & ~O_NONBLOCK) == 0)
		return RP_OK;
	fail_sys(err, path, "open");
	close(*fd);
	*fd = -1;
	return RP_ERR_IO;
}

/* --- replacing ---------------------------------------------------------------------------- */

static enum rp_err check_target(const char *path, struct stat *old, bool *present,
				struct rp_error *err)
{
	if (check_name(path, err) != RP_OK)
		return RP_ERR_INVAL;
	*present = lstat(path, old) == 0;
	if (!*present)
		return errno == ENOENT ? RP_OK : fail_sys(err, path, "look");
	if (S_ISREG(old->st_mode))
		return RP_OK;
	return rp_fail(err, RP_ERR_INVAL, "%s: is %s; name a file, or a place where there is none",
		       path, rp_file_kind(old->st_mode));
}

static enum rp_err fill(int fd, const struct stat *old, struct rp_span text, unsigned mode,
			const char *path, struct rp_error *err)
{
	enum rp_err e = rp_file_write(fd, text, path, err);

	/* Who may write to the directory may replace a file that is another's; root gives it back
	 * to him. */
	if (e == RP_OK && old != NULL && geteuid() == 0 &&
	    fchown(fd, old->st_uid, old->st_gid) != 0)
		e = fail_sys(err, path, "keep its owner");
	if (e == RP_OK && fchmod(fd, old != NULL ? old->st_mode & 0777 : mode) != 0)
		e = fail_sys(err, path, "set its mode");
	/* Or a power cut may leave the new name on an empty file. */
	if (e == RP_OK && fsync(fd) != 0)
		e = fail_sys(err, path, "sync");
	return e;
}

enum rp_err rp_file_replace(const char *path, struct rp_span text, unsigned mode,
			    struct rp_error *err)
{
	struct stat old;
	char *temp;
	bool present;
	enum rp_err e = check_target(path, &old, &present, err);
	int fd;

	if (e != RP_OK)
		return e;
	if (asprintf(&temp, "%s.tmp.XXXXXX", path) < 0)
		return rp_fail(err, RP_ERR_NOMEM, "out of memory");
	/* new, mode 0600, a name that nobody can lay a link under */
	fd = mkostemp(temp, O_CLOEXEC);
	if (fd < 0) {
		e = fail_sys(err, path, "create a file beside it");
		free(temp);
		return e;
	}
	e = fill(fd, present ? &old : NULL, text, mode, path, err);
	close(fd);
	if (e == RP_OK && rename(temp, path) != 0)
		e = fail_sys(err, path, "replace");
	if (e != RP_OK)
		unlink(temp);
	free(temp);
	return e;
}

char *rp_path_absolute(const char *path)
{
	struct rp_buf full = {0};
	char *cwd;
	bool ok;

	if (path[0] == '/')
		return strdup(path);
	cwd = getcwd(NULL, 0);
	ok = cwd != NULL &&
	     rp_buf_printf(&full, "%s%s%s", cwd, strcmp(cwd, "/") == 0 ? "" : "/", path);
	free(cwd);
	if (ok)
		return full.data;
	rp_buf_release(&full);
	return NULL;
}
