/* door_rejects.c - appends to the file of rejects within its bound. It is apart from
 * ingest/rejects.c because lines on stdin come from one trusted writer, and need no bound. */

#include "serve/door_rejects.h"

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ingest/rejects.h"

enum rp_err rp_door_rejects_open(const char *path, uint64_t bytes_max, struct rp_door_rejects *out,
				 struct rp_error *err)
{
	struct stat st;
	enum rp_err code;

	*out = (struct rp_door_rejects){.fd = -1, .bytes_max = bytes_max};
	if (path == NULL)
		return RP_OK;
	code = rp_rejects_open(path, &out->fd, err);
	if (code != RP_OK) {
		out->fd = -1;
		return code;
	}
	if (fstat(out->fd, &st) == 0 && S_ISREG(st.st_mode))
		out->bytes = (uint64_t)st.st_size;
	return RP_OK;
}

void rp_door_rejects_close(struct rp_door_rejects *r)
{
	if (r->fd >= 0)
		close(r->fd);
	r->fd = -1;
}

enum rp_err rp_door_rejects_add(struct rp_door_rejects *r, struct rp_span body, bool *kept,
				struct rp_error *err)
{
	enum rp_err code;

	*kept = false;
	if (r->fd < 0 || body.len + 1 > r->bytes_max || r->bytes > r->bytes_max - body.len - 1)
		return RP_OK;
	code = rp_rejects_write(r->fd, body, true, err);
	if (code != RP_OK)
		return code;
	r->bytes += body.len + 1;
	r->unsynced = true;
	*kept = true;
	return RP_OK;
}

enum rp_err rp_door_rejects_sync(struct rp_door_rejects *r, struct rp_error *err)
{
	if (!r->unsynced)
		return RP_OK;
	r->unsynced = false;
	return rp_rejects_sync(r->fd, err);
}
