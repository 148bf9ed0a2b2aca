/* rejects.c - writes rejected lines to their file and syncs it. It is apart from receipts.c because
 * it comes first: no line may be called rejected, and then be lost. */

#include "ingest/rejects.h"

#include <errno.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/file.h"

/* A terminal or a pipe cannot be synced and says EINVAL: it has nothing to lose in a power cut. */
static int synced(int fd)
{
	return fdatasync(fd) == 0 || errno == EINVAL || errno == EROFS ? 0 : errno;
}

enum rp_err rp_rejects_open(const char *path, int *fd, struct rp_error *err)
{
	enum rp_err e = rp_file_append(path, fd, err);

	if (e != RP_OK)
		return e;
	e = rp_file_sync_name(path, err);
	if (e != RP_OK) {
		close(*fd);
		*fd = -1;
	}
	return e;
}

enum rp_err rp_rejects_write(int fd, struct rp_span bytes, bool end, struct rp_error *err)
{
	while (bytes.len > 0 || end) {
		struct iovec parts[2] = {
		    {.iov_base = (char *)(uintptr_t)bytes.ptr, .iov_len = bytes.len},
		    {.iov_base = (char[]){'\n'}, .iov_len = end}};
		ssize_t did = writev(fd, parts, 2);

		if (did < 0 && errno == EINTR)
			continue;
		if (did < 0)
			return rp_fail_sys(err, RP_ERR_IO, errno,
					   "cannot write to the rejects file");
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
