/* preload_record.c - LD_PRELOAD: writes down what a process does to the files of one outbox (see
 * log.h).
 *
 * RECORD_DIR names the outbox, as the program is told it; RECORD_LOG the log; RECORD_STDOUT=1 in
 * an ingester, whose standard output are receipts; RECORD_ANSWERS=1 in a door, whose answers to runs
 * are. An operation and its record are one under a
 * file lock: so that the log has the order of what happened, over all processes, and a receipt
 * stands at the first moment at which anybody could have read it.
 *
 * lock.mdb and door, the door's counters, are left out: they are shared memory, whose content means
 * nothing, or promises nothing, after a reboot. Whatever
 * reaches a file by another way than those below shows when cut_main.c compares the file that the
 * log adds up to with the real one. */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "log.h"

#define FDS 4096
#define NAME_MAX_ 64

#define REAL(result, name, ...)                                                                    \
	static result (*real_##name)(__VA_ARGS__);                                                 \
	if (real_##name == NULL)                                                                   \
	real_##name = (result(*)(__VA_ARGS__))(uintptr_t)dlsym(RTLD_NEXT, #name)

static struct {
	char name[NAME_MAX_]; /* "": not one of ours */
	bool synced;
} fds[FDS];
static const char *dir;
static size_t dir_len;
static bool stdout_too, answers_too;
static int log_fd = -1;
static pid_t log_pid;
static pthread_mutex_t threads = PTHREAD_MUTEX_INITIALIZER;

static void before_fork(void)
{
	pthread_mutex_lock(&threads);
}

static void after_fork(void)
{
	pthread_mutex_unlock(&threads);
}

__attribute__((constructor)) static void begin(void)
{
	dir = getenv("RECORD_DIR");
	stdout_too = getenv("RECORD_STDOUT") != NULL;
	answers_too = getenv("RECORD_ANSWERS") != NULL;
	dir_len = dir != NULL ? strlen(dir) : 0;
	pthread_atfork(before_fork, after_fork, after_fork);
}

/* The lock belongs to the open file: a forked process needs its own, and it does not keep threads
 * apart. */
static void enter(void)
{
	REAL(int, open, const char *, int, ...);

	pthread_mutex_lock(&threads);
	if (log_pid != getpid()) {
		log_fd = real_open(getenv("RECORD_LOG"), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC,
				   0600);
		log_pid = getpid();
	}
	while (flock(log_fd, LOCK_EX) != 0)
		if (errno != EINTR)
			abort();
}

static void leave(void)
{
	int keep = errno;

	flock(log_fd, LOCK_UN);
	pthread_mutex_unlock(&threads);
	errno = keep;
}

static void put(enum log_type type, const char *name, bool synced, uint64_t offset,
		const void *data, size_t n)
{
	REAL(ssize_t, writev, int, const struct iovec *, int);
	struct log_head h = {.magic = LOG_MAGIC,
			     .type = (uint8_t)type,
			     .flags = synced ? LOG_SYNCED : 0,
			     .name_len = (uint16_t)strlen(name),
			     .pid = (uint32_t)getpid(),
			     .data_len = (uint32_t)n,
			     .offset = offset};
	struct iovec v[3] = {{&h, sizeof h},
			     {(void *)(uintptr_t)name, h.name_len},
			     {(void *)(uintptr_t)data, h.data_len}};
	int keep = errno;

	if (real_writev(log_fd, v, 3) != (ssize_t)(sizeof h + h.name_len + n))
		abort();
	errno = keep;
}

/* The name of a file in the outbox, "." and ".." for the directory and its parent; NULL:
 * another's. */
static const char *ours(const char *path)
{
	const char *rest;

	if (dir == NULL || path == NULL || strncmp(path, dir, dir_len) != 0)
		return NULL;
	rest = path + dir_len;
	if (rest[0] == '\0')
		return ".";
	if (rest[0] != '/' || strlen(rest) >= NAME_MAX_)
		return NULL;
	return rest[1] == '\0' ? "." : rest + 1;
}

static const char *name_of(int fd)
{
	return fd >= 0 && fd < FDS && fds[fd].name[0] != '\0' ? fds[fd].name : NULL;
}

/* The same for a path that begins at an open directory; `room` is for the name. */
static const char *ours_at(int at, const char *path, char room[NAME_MAX_])
{
	const char *base = at == AT_FDCWD || path[0] == '/' ? NULL : name_of(at);

	if (base == NULL)
		return ours(path);
	if (strcmp(path, ".") == 0)
		return base;
	if (strcmp(base, ".") == 0)
		return path;
	if (snprintf(room, NAME_MAX_, "%s/%s", base, path) >= NAME_MAX_)
		abort();
	return room;
}

static void put_other(const char *name, const char *what)
{
	enter();
	put(LOG_OTHER, name, false, 0, what, strlen(what));
	leave();
}

/* --- opening ------------------------------------------------------------------------------ */

static int open_ours(int at, const char *path, int flags, mode_t mode)
{
	REAL(int, openat, int, const char *, int, ...);
	char room[NAME_MAX_];
	const char *name = ours_at(at, path, room);
	bool existed;
	int fd;

	if (name == NULL || strcmp(name, "lock.mdb") == 0 || strcmp(name, "door") == 0)
		return real_openat(at, path, flags, mode);
	enter();
	existed = faccessat(at, path, F_OK, 0) == 0;
	fd = real_openat(at, path, flags, mode);
	if (fd >= 0 && fd < FDS) {
		snprintf(fds[fd].name, sizeof fds[fd].name, "%s", name);
		fds[fd].synced = (flags & O_DSYNC) != 0; /* O_SYNC contains its bit */
	}
	if (fd >= 0 && !existed)
		put(LOG_CREATE, name, false, 0, "", 0);
	else if (fd >= 0 && (flags & O_TRUNC) != 0)
		put(LOG_TRUNCATE, name, false, 0, "", 0);
	leave();
	if (fd >= FDS)
		put_other(name, "a descriptor beyond the table");
	return fd;
}

static mode_t mode_of(int flags, va_list args)
{
	return (flags & (O_CREAT | O_TMPFILE)) != 0 ? va_arg(args, mode_t) : 0;
}

#define OPEN(symbol)                                                                               \
	int symbol(const char *path, int flags, ...);                                              \
	int symbol(const char *path, int flags, ...)                                               \
	{                                                                                          \
		va_list args;                                                                      \
		mode_t mode;                                                                       \
		va_start(args, flags);                                                             \
		mode = mode_of(flags, args);                                                       \
		va_end(args);                                                                      \
		return open_ours(AT_FDCWD, path, flags, mode);                                     \
	}
#define OPENAT(symbol)                                                                             \
	int symbol(int at, const char *path, int flags, ...);                                      \
	int symbol(int at, const char *path, int flags, ...)                                       \
	{                                                                                          \
		va_list args;                                                                      \
		mode_t mode;                                                                       \
		va_start(args, flags);                                                             \
		mode = mode_of(flags, args);                                                       \
		va_end(args);                                                                      \
		return open_ours(at, path, flags, mode);                                           \
	}
OPEN(open)
OPEN(open64)
OPEN(__open_2)
OPEN(__open64_2)
OPENAT(openat)
OPENAT(openat64)

int close(int fd)
{
	REAL(int, close, int);

	if (name_of(fd) != NULL)
		fds[fd].name[0] = '\0';
	return real_close(fd);
}

int mkdir(const char *path, mode_t mode)
{
	REAL(int, mkdir, const char *, mode_t);
	const char *name = ours(path);
	int rc;

	if (name == NULL)
		return real_mkdir(path, mode);
	enter();
	rc = real_mkdir(path, mode);
	if (rc == 0)
		put(LOG_MKDIR, name, false, 0, "", 0);
	leave();
	return rc;
}

/* --- writing ------------------------------------------------------------------------------ */

static void put_write(int fd, uint64_t offset, const struct iovec *v, int n, size_t written)
{
	int i;

	for (i = 0; i < n && written > 0; i++) {
		size_t part = v[i].iov_len < written ? v[i].iov_len : written;

		put(LOG_WRITE, fds[fd].name, fds[fd].synced, offset, v[i].iov_base, part);
		offset += part;
		written -= part;
	}
}

/* at < 0: where the descriptor stands. */
static ssize_t write_ours(int fd, const struct iovec *v, int n, off_t at)
{
	REAL(ssize_t, writev, int, const struct iovec *, int);
	REAL(ssize_t, pwritev, int, const struct iovec *, int, off_t);
	const char *name = name_of(fd);
	bool receipts = fd == STDOUT_FILENO && stdout_too;
	ssize_t written;

	if (name == NULL && !receipts)
		return at < 0 ? real_writev(fd, v, n) : real_pwritev(fd, v, n, at);
	enter();
	written = at < 0 ? real_writev(fd, v, n) : real_pwritev(fd, v, n, at);
	if (written > 0 && receipts) {
		size_t left = (size_t)written;
		int i;

		for (i = 0; left > 0; i++) {
			size_t part = v[i].iov_len < left ? v[i].iov_len : left;

			put(LOG_RECEIPT, "", false, 0, v[i].iov_base, part);
			left -= part;
		}
	} else if (written > 0) {
		uint64_t offset = (uint64_t)(at >= 0 ? at : lseek(fd, 0, SEEK_CUR) - written);

		put_write(fd, offset, v, n, (size_t)written);
	}
	leave();
	return written;
}

#define WRITE_AT(symbol)                                                                           \
	ssize_t symbol(int fd, const void *data, size_t n, off_t at);                              \
	ssize_t symbol(int fd, const void *data, size_t n, off_t at)                               \
	{                                                                                          \
		struct iovec v = {(void *)(uintptr_t)data, n};                                     \
		return write_ours(fd, &v, 1, at);                                                  \
	}
WRITE_AT(pwrite)
WRITE_AT(pwrite64)

ssize_t write(int fd, const void *data, size_t n)
{
	struct iovec v = {(void *)(uintptr_t)data, n};
	return write_ours(fd, &v, 1, -1);
}

ssize_t writev(int fd, const struct iovec *v, int n)
{
	return write_ours(fd, v, n, -1);
}

ssize_t pwritev(int fd, const struct iovec *v, int n, off_t at)
{
	return write_ours(fd, v, n, at);
}

ssize_t pwritev64(int fd, const struct iovec *v, int n, off_t at)
{
	return write_ours(fd, v, n, at);
}

/* One answer that is about runs: its body are receipts. */
static size_t receipts_of(const char *answer, size_t n, const char **receipts)
{
	static const char end_of_head[] = "\r\n\r\n", run[] = "\"run_id\":";
	const char *end = memmem(answer, n, end_of_head, sizeof end_of_head - 1);

	*receipts = end != NULL ? end + sizeof end_of_head - 1 : answer + n;
	n -= (size_t)(*receipts - answer);
	return memmem(*receipts, n, run, sizeof run - 1) != NULL ? n : 0;
}

ssize_t send(int fd, const void *data, size_t n, int flags)
{
	REAL(ssize_t, send, int, const void *, size_t, int);
	const char *receipts;
	size_t left = answers_too ? receipts_of(data, n, &receipts) : 0;
	ssize_t sent;

	if (left == 0)
		return real_send(fd, data, n, flags);
	enter();
	sent = real_send(fd, data, n, flags);
	if (sent > 0 && (size_t)sent < n)
		put_other("door", "half an answer");
	else if (sent > 0)
		put(LOG_RECEIPT, "", false, 0, receipts, left);
	leave();
	return sent;
}

/* --- the rest ----------------------------------------------------------------------------- */

#define SYNC(symbol)                                                                               \
	int symbol(int fd)                                                                         \
	{                                                                                          \
		REAL(int, symbol, int);                                                            \
		int rc;                                                                            \
		if (name_of(fd) == NULL)                                                           \
			return real_##symbol(fd);                                                  \
		enter();                                                                           \
		rc = real_##symbol(fd);                                                            \
		if (rc == 0)                                                                       \
			put(LOG_SYNC, fds[fd].name, false, 0, "", 0);                              \
		leave();                                                                           \
		return rc;                                                                         \
	}
SYNC(fsync)
SYNC(fdatasync)

#define TRUNCATE(symbol)                                                                           \
	int symbol(int fd, off_t size)                                                             \
	{                                                                                          \
		REAL(int, symbol, int, off_t);                                                     \
		int rc;                                                                            \
		if (name_of(fd) == NULL)                                                           \
			return real_##symbol(fd, size);                                            \
		enter();                                                                           \
		rc = real_##symbol(fd, size);                                                      \
		if (rc == 0)                                                                       \
			put(LOG_TRUNCATE, fds[fd].name, false, (uint64_t)size, "", 0);             \
		leave();                                                                           \
		return rc;                                                                         \
	}
TRUNCATE(ftruncate)
TRUNCATE(ftruncate64)

#define MAP(symbol)                                                                                \
	void *symbol(void *at, size_t n, int prot, int flags, int fd, off_t offset)                \
	{                                                                                          \
		REAL(void *, symbol, void *, size_t, int, int, int, off_t);                        \
		if (name_of(fd) != NULL && (prot & PROT_WRITE) != 0 && (flags & MAP_PRIVATE) == 0) \
			put_other(fds[fd].name, "a shared writable map");                          \
		return real_##symbol(at, n, prot, flags, fd, offset);                              \
	}
MAP(mmap)
MAP(mmap64)

#define FORBID_FD(symbol, parameters, arguments, types)                                            \
	int symbol parameters                                                                      \
	{                                                                                          \
		REAL(int, symbol, types);                                                          \
		if (name_of(fd) != NULL)                                                           \
			put_other(fds[fd].name, #symbol);                                          \
		return real_##symbol arguments;                                                    \
	}
#define UNBRACKET(...) __VA_ARGS__
FORBID_FD(fallocate, (int fd, int mode, off_t at, off_t n), (fd, mode, at, n),
	  UNBRACKET(int, int, off_t, off_t))
FORBID_FD(fallocate64, (int fd, int mode, off_t at, off_t n), (fd, mode, at, n),
	  UNBRACKET(int, int, off_t, off_t))
FORBID_FD(posix_fallocate, (int fd, off_t at, off_t n), (fd, at, n), UNBRACKET(int, off_t, off_t))
FORBID_FD(dup, (int fd), (fd), int)
FORBID_FD(dup2, (int fd, int to), (fd, to), UNBRACKET(int, int))

int unlink(const char *path)
{
	REAL(int, unlink, const char *);

	if (ours(path) != NULL)
		put_other(ours(path), "unlink");
	return real_unlink(path);
}

int rename(const char *from, const char *to)
{
	REAL(int, rename, const char *, const char *);

	if (ours(from) != NULL || ours(to) != NULL)
		put_other(ours(from) != NULL ? ours(from) : ours(to), "rename");
	return real_rename(from, to);
}
