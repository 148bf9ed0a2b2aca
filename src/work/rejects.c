#include "work/rejects.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdlib.h>
#include <sys/uio.h>
#include <unistd.h>

/* What cannot be synced (a terminal, a pipe) says EINVAL: there is nothing to lose in a power cut then. */
static int synced(int fd)
{
	return fdatasync(fd) == 0 || errno == EINVAL || errno == EROFS ? 0 : errno;
}

static int directory_synced(const char *path)
{
	char *copy = strdup(path);
	int fd, sys;

	if (copy == NULL)
		return ENOMEM;
	fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	free(copy);
	if (fd < 0)
		return errno;
	sys = synced(fd);
	close(fd);
	return sys;
}

enum rp_err rp_rejects_open(const char *path, int *fd, struct rp_error *err)
{
	int sys;

	*fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY, 0600);
	sys = *fd < 0 ? errno : directory_synced(path);
	/* A directory one may write to but not read is fine: its entry is then as durable as the file system makes it.
	 */
	if (*fd >= 0 && (sys == 0 || sys == EACCES))
		return RP_OK;
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
	return rp_fail_sys(err, rp_err_of_errno(sys) == RP_ERR_DENIED ? RP_ERR_DENIED : RP_ERR_IO, sys,
			   "cannot open the rejects file %s", path);
}

enum rp_err rp_rejects_write(int fd, struct rp_span bytes, bool end, struct rp_error *err)
{
	while (bytes.len > 0 || end) {
		struct iovec parts[2] = {{.iov_base = (char *)(uintptr_t)bytes.ptr, .iov_len = bytes.len},
					 {.iov_base = (char[]){'\n'}, .iov_len = end}};
		ssize_t did = writev(fd, parts, 2);

		if (did < 0 && errno == EINTR)
			continue;
		if (did < 0)
			return rp_fail_sys(err, RP_ERR_IO, errno, "cannot write to the rejects file");
		if ((size_t)did > bytes.len)
			return RP_OK;
		bytes.ptr += did;
		bytes.len -= (size_t)did;
	}
	return RP_OK;
}

enum rp_err rp_rejects_sync(int fd, struct rp_error *err)
{
	int sys = synced(fd);

	return sys == 0 ? RP_OK : rp_fail_sys(err, RP_ERR_IO, sys, "cannot sync the rejects file");
}
