/* outbox_backup.c - copies the whole outbox while others go on writing. LMDB writes its copy
 * from a second thread, and this file watches how much the outbox grows meanwhile. */

#include "store/lmdb/lmdb_ops.h"
#include "store/lmdb/store_int.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/thread.h"

/* LMDB copies from one read transaction, which keeps every page that is freed meanwhile from being
 * used again: senders and ingesters are not held up, but the file grows by what they write. So the
 * copy gets a bound on that growth. It runs in a thread of its own and writes into a pipe, because
 * LMDB cannot be asked to stop: here the bytes are written to the disk little by little (one flush
 * of all at the end would hold up the commits of the others), counted, and when somebody wants no
 * more the pipe is closed. */
#define CHUNK_BYTES ((size_t)1 << 20)
#define FLUSH_BYTES ((uint64_t)8 << 20)

struct copier {
	struct rp_lmdb *ob;
	int to;
	int rc;
};

static void *copy(void *arg)
{
	struct copier *c = arg;

	rp_damage_enter(c->ob);
	c->rc = mdb_env_copyfd2(c->ob->env, c->to, MDB_CP_COMPACT);
	rp_damage_leave();
	close(c->to);
	return NULL;
}

static enum rp_err write_all(int fd, const char *bytes, size_t n, const char *path,
			     struct rp_error *err)
{
	while (n > 0) {
		ssize_t did = write(fd, bytes, n);

		if (did < 0 && errno == EINTR)
			continue;
		if (did < 0)
			return rp_fail_sys(err, rp_err_of_errno(errno), errno, "%s: write", path);
		bytes += did;
		n -= (size_t)did;
	}
	return RP_OK;
}

static enum rp_err check_growth(struct rp_lmdb *ob, struct rp_backup *b, uint64_t high_before,
				struct rp_error *err)
{
	b->growth_bytes = rp_db_high_water_bytes(ob) - high_before;
	if (b->max_growth_bytes == 0 || b->growth_bytes <= b->max_growth_bytes)
		return RP_OK;
	return rp_fail(err, RP_ERR_FULL,
		       "%s: the outbox grew by %llu MiB while it was copied, which is more than "
		       "was allowed; try it when "
		       "less is going on, or onto a faster disk",
		       ob->dir, (unsigned long long)(b->growth_bytes >> 20));
}

static enum rp_err pump(struct rp_lmdb *ob, struct rp_backup *b, int from, int to, const char *path,
			struct rp_error *err)
{
	uint64_t high_before = rp_db_high_water_bytes(ob), flushed = 0;
	char *chunk = malloc(CHUNK_BYTES);
	enum rp_err e = chunk != NULL ? RP_OK : rp_fail(err, RP_ERR_NOMEM, "out of memory");
	ssize_t n;

	while (e == RP_OK) {
		n = read(from, chunk, CHUNK_BYTES);
		if (n == 0)
			break;
		if (n < 0 && errno != EINTR)
			e = rp_fail_sys(err, RP_ERR_IO, errno, "%s: read", path);
		if (n > 0)
			e = write_all(to, chunk, (size_t)n, path, err);
		b->bytes += n > 0 ? (uint64_t)n : 0;
		if (e == RP_OK && b->bytes - flushed >= FLUSH_BYTES) {
			flushed = b->bytes;
			if (fdatasync(to) != 0)
				e = rp_fail_sys(err, RP_ERR_IO, errno, "%s: sync", path);
		}
		if (e == RP_OK)
			e = check_growth(ob, b, high_before, err);
		if (e == RP_OK && b->go_on != NULL && !b->go_on(b->arg, b->bytes))
			e = rp_fail(err, RP_ERR_STALE, "%s: the copy was given up", path);
	}
	free(chunk);
	return e;
}

static enum rp_err copy_into(struct rp_lmdb *ob, struct rp_backup *b, int to, const char *path,
			     struct rp_error *err)
{
	struct copier c = {.ob = ob};
	pthread_t thread;
	int ends[2], rc;
	enum rp_err e;

	if (pipe2(ends, O_CLOEXEC) != 0)
		return rp_fail_sys(err, RP_ERR_IO, errno, "pipe");
	c.to = ends[1];
	rc = rp_thread_start(&thread, copy, &c);
	if (rc != 0) {
		close(ends[0]);
		close(ends[1]);
		return rp_fail_sys(err, RP_ERR_NOMEM, rc, "thread");
	}
	e = pump(ob, b, ends[0], to, path, err);
	close(ends[0]); /* whatever LMDB still wants to write fails now */
	pthread_join(thread, NULL);
	if (e == RP_OK)
		e = rp_db_fail(ob, c.rc, "copy", err);
	if (e == RP_OK && fsync(to) != 0)
		e = rp_fail_sys(err, RP_ERR_IO, errno, "%s: sync", path);
	return e;
}

static enum rp_err make_file(const char *dir, char *path, size_t size, int *fd,
			     struct rp_error *err)
{
	errno = 0;
	if (mkdir(dir, 0700) != 0 && errno == EEXIST)
		return rp_fail(err, RP_ERR_EXISTS,
			       "%s: is there already; a backup goes into a new directory", dir);
	if (errno != 0)
		return rp_fail_sys(err, rp_err_of_errno(errno), errno, "%s: create directory", dir);
	/* Not under its name yet: what is broken off must not pass for an outbox. */
	snprintf(path, size, "%s/data.mdb.part", dir);
	*fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (*fd >= 0)
		return RP_OK;
	rp_fail_sys(err, rp_err_of_errno(errno), errno, "%s: create", path);
	rmdir(dir);
	return err != NULL ? err->code : RP_ERR_IO;
}

enum rp_err rp_lmdb_backup(struct rp_outbox *outbox, const char *dir, struct rp_backup *b,
			   struct rp_error *err)
{
	struct rp_lmdb *ob = rp_lmdb_of(outbox);
	size_t size = strlen(dir) + sizeof "/data.mdb.part";
	char *part = malloc(size), *path = malloc(size);
	enum rp_err e =
	    part != NULL && path != NULL ? RP_OK : rp_fail(err, RP_ERR_NOMEM, "out of memory");
	int fd = -1;

	b->bytes = b->growth_bytes = 0;
	if (e == RP_OK)
		e = make_file(dir, part, size, &fd, err);
	if (e == RP_OK) {
		e = copy_into(ob, b, fd, part, err);
		close(fd);
		snprintf(path, size, "%s/data.mdb", dir);
		if (e == RP_OK && rename(part, path) != 0)
			e = rp_fail_sys(err, RP_ERR_IO, errno, "%s: rename", part);
		if (e == RP_OK)
			e = rp_sync_names(dir, true, err);
		if (e != RP_OK) {
			unlink(part);
			unlink(path);
			rmdir(dir);
		}
	}
	free(part);
	free(path);
	return e;
}
