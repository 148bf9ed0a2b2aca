/* Preloaded into a program under test: at one named call it kills the process, stops it or lets
 * the call fail; and it can set the wall clock wrong. The programs know nothing of it.
 *
 *   FAULT       "role:call:when:n:action"
 *     role      what the process is: ingest, init, sender (send with one process, or a child),
 *               supervisor (its parent), serve, door (a child of it), or the verb of runpostctl;
 *               * is any
 *     call      a function below, such as fdatasync, or with what it was called on, such as
 *               pwrite.data.mdb
 *     when      before, after
 *     n         which of the process's calls of this name, from 1; "3+": that one and all that
 *               follow
 *     action    kill (SIGKILL), stop (SIGSTOP, and goes on when continued), short (a write of half
 *               the bytes), or the name of an errno. After: the call was made, and reports the
 *               failure all the same
 *   FAULT_ONCE  a file that the first process to act creates; where it exists nothing is done any
 *               more
 *   FAULT_LOG   a line is added for each action, "hit role pid call when n action", and with
 *               FAULT_COUNT=1 one for each call when the process ends, "count role pid call n"
 *   FAULT_CLOCK a file of 8 bytes, milliseconds that are added to the wall clock from then on
 *               (signed, native order) */
#include <curl/curl.h>
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <lmdb.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define CALLS_MAX 512
#define NAME_MAX_BYTES 48
#define SHORT (-1)

enum action { NOTHING, KILL, STOP, FAIL };

static struct {
	char call[NAME_MAX_BYTES];
	unsigned long n;
} calls[CALLS_MAX];
static size_t n_calls;

static struct {
	bool on;
	char role[NAME_MAX_BYTES], call[NAME_MAX_BYTES];
	bool after;
	unsigned long n;
	bool for_ever;
	enum action action;
	int error; /* of FAIL; may be SHORT */
	char action_name[16];
} spec;

static char role[NAME_MAX_BYTES];
static const char *once_path, *log_path;
static bool active, count_all;
static const volatile int64_t *clock_offset_ms;
static _Thread_local bool inside;

struct visit {
	bool fires;
	unsigned long n;
	const char *call;
};

static const struct {
	const char *name;
	int value;
} errors[] = {
    {"EIO", EIO},         {"ENOSPC", ENOSPC},
    {"EINTR", EINTR},     {"ENOMEM", ENOMEM},
    {"EMFILE", EMFILE},   {"EACCES", EACCES},
    {"EAGAIN", EAGAIN},   {"EDQUOT", EDQUOT},
    {"ENOSYS", ENOSYS},   {"ENFILE", ENFILE},
    {"EPIPE", EPIPE},     {"ENOLCK", ENOLCK},
    {"ENOBUFS", ENOBUFS}, {"ECONNABORTED", ECONNABORTED},
    {"short", SHORT},
};

/* --- what happens at a call --------------------------------------------------------------- */

/* System calls are made past the wrappers below. */
static void say(const char *text, size_t len)
{
	int fd = log_path != NULL
		     ? (int)syscall(SYS_open, log_path, O_WRONLY | O_APPEND | O_CREAT, 0600)
		     : -1;

	if (fd < 0)
		return;
	syscall(SYS_write, fd, text, len);
	syscall(SYS_close, fd);
}

static bool is_first(void)
{
	int fd;

	if (once_path == NULL)
		return true;
	fd = (int)syscall(SYS_open, once_path, O_WRONLY | O_CREAT | O_EXCL, 0600);
	if (fd < 0)
		return false;
	syscall(SYS_close, fd);
	return true;
}

/* The errno that the call is to report, SHORT, or 0. */
static int act(const struct visit *v)
{
	char line[200];
	int len;

	if (!is_first())
		return 0;
	len = snprintf(line, sizeof line, "hit %s %d %s %s %lu %s\n", role, getpid(), v->call,
		       spec.after ? "after" : "before", v->n, spec.action_name);
	say(line, (size_t)len);
	if (spec.action == KILL)
		syscall(SYS_kill, getpid(), SIGKILL);
	if (spec.action == STOP)
		syscall(SYS_kill, getpid(), SIGSTOP);
	return spec.action == FAIL ? spec.error : 0;
}

/* The file, without its folder, that a descriptor means; sockets and the like by their kind. */
static void target_of(int fd, char *out, size_t size)
{
	char path[64], real[512];
	const char *base;
	long n;

	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	n = syscall(SYS_readlink, path, real, sizeof real - 1);
	if (n < 0)
		n = 0;
	real[n] = '\0';
	if (fd <= 2)
		snprintf(out, size, "%s", fd == 0 ? "stdin" : fd == 1 ? "stdout" : "stderr");
	else if (strncmp(real, "socket:", 7) == 0 || strncmp(real, "pipe:", 5) == 0)
		snprintf(out, size, "%.*s", (int)strcspn(real, ":"), real);
	else if (strncmp(real, "anon_inode:", 11) == 0)
		snprintf(out, size, "%.20s", real + 11);
	else
		snprintf(out, size, "%.20s", (base = strrchr(real, '/')) != NULL ? base + 1 : real);
	out[strcspn(out, " :")] = '\0'; /* which have a meaning in a FAULT and in the log */
}

static unsigned long count(const char *call, const char **kept)
{
	size_t i;

	for (i = 0; i < n_calls; i++)
		if (strcmp(calls[i].call, call) == 0)
			break;
	if (i == n_calls) {
		if (n_calls == CALLS_MAX)
			abort();
		snprintf(calls[n_calls++].call, NAME_MAX_BYTES, "%s", call);
	}
	*kept = calls[i].call;
	return __atomic_add_fetch(&calls[i].n, 1, __ATOMIC_RELAXED);
}

static void visit(struct visit *v, const char *call)
{
	const char *kept;
	unsigned long n = count(call, &kept);

	if (v->fires || !spec.on || strcmp(spec.call, call) != 0)
		return;
	v->n = n;
	v->call = kept;
	v->fires = true;
}

static int enter(struct visit *v, const char *call, const char *target)
{
	char name[NAME_MAX_BYTES];
	int saved = errno, result = 0;

	memset(v, 0, sizeof *v);
	if (!active || inside)
		return 0;
	inside = true;
	visit(v, call);
	if (target != NULL) {
		snprintf(name, sizeof name, "%s.%s", call, target);
		visit(v, name);
	}
	v->fires = v->fires && (v->n == spec.n || (spec.for_ever && v->n > spec.n));
	if (v->fires && !spec.after)
		result = act(v);
	inside = false;
	errno = saved;
	return result;
}

static int enter_fd(struct visit *v, const char *call, int fd)
{
	char target[NAME_MAX_BYTES];

	if (!active || inside) {
		memset(v, 0, sizeof *v);
		return 0;
	}
	target_of(fd, target, sizeof target);
	return enter(v, call, target);
}

static int leave(const struct visit *v)
{
	int saved = errno, result = 0;

	if (v->fires && spec.after && !inside) {
		inside = true;
		result = act(v);
		inside = false;
	}
	errno = saved;
	return result;
}

/* --- the process -------------------------------------------------------------------------- */

static void read_role(void)
{
	static char args[4096];
	int fd = (int)syscall(SYS_open, "/proc/self/cmdline", O_RDONLY);
	long n = fd >= 0 ? syscall(SYS_read, fd, args, sizeof args - 2) : 0;
	const char *program = args, *verb, *p;

	if (fd >= 0)
		syscall(SYS_close, fd);
	if (n <= 0)
		return;
	if (strrchr(args, '/') != NULL)
		program = strrchr(args, '/') + 1;
	verb = args + strlen(args) + 1;
	if (strcmp(program, "runpost") != 0 && strcmp(program, "runpostctl") != 0)
		return;
	snprintf(role, sizeof role, "%.40s", verb);
	if (strcmp(program, "runpost") == 0 && strcmp(verb, "send") == 0) {
		snprintf(role, sizeof role, "sender");
		for (p = verb; p < args + n; p += strlen(p) + 1)
			if (strcmp(p, "--senders") == 0)
				snprintf(role, sizeof role, "supervisor");
	}
	active = true;
}

static void read_spec(const char *text)
{
	char when[16], n[24];
	size_t i;

	if (sscanf(text, "%47[^:]:%47[^:]:%15[^:]:%23[^:]:%15s", spec.role, spec.call, when, n,
		   spec.action_name) != 5)
		abort();
	spec.after = strcmp(when, "after") == 0;
	spec.n = strtoul(n, NULL, 10);
	spec.for_ever = strchr(n, '+') != NULL;
	spec.action = strcmp(spec.action_name, "kill") == 0   ? KILL
		      : strcmp(spec.action_name, "stop") == 0 ? STOP
							      : FAIL;
	for (i = 0; i < sizeof errors / sizeof errors[0]; i++)
		if (strcmp(errors[i].name, spec.action_name) == 0)
			spec.error = errors[i].value;
	if (spec.action == FAIL && spec.error == 0)
		abort();
}

static int see_library(struct dl_phdr_info *info, size_t size, void *arg);

static void judge_role(void)
{
	spec.on =
	    spec.role[0] != '\0' && (strcmp(spec.role, "*") == 0 || strcmp(spec.role, role) == 0);
}

__attribute__((constructor)) static void begin(void)
{
	const char *text = getenv("FAULT"), *clock = getenv("FAULT_CLOCK");
	int fd;

	once_path = getenv("FAULT_ONCE");
	log_path = getenv("FAULT_LOG");
	count_all = getenv("FAULT_COUNT") != NULL;
	if (clock != NULL && (fd = (int)syscall(SYS_open, clock, O_RDONLY)) >= 0) {
		clock_offset_ms =
		    (const void *)syscall(SYS_mmap, NULL, 8, PROT_READ, MAP_SHARED, fd, 0);
		syscall(SYS_close, fd);
	}
	if (text != NULL)
		read_spec(text);
	dl_iterate_phdr(see_library, NULL);
	read_role();
	judge_role();
}

__attribute__((destructor)) static void end(void)
{
	char line[160];
	size_t i;

	for (i = 0; active && count_all && i < n_calls; i++)
		say(line, (size_t)snprintf(line, sizeof line, "count %s %d %s %lu\n", role,
					   getpid(), calls[i].call, calls[i].n));
	active = false;
}

/* --- the calls ---------------------------------------------------------------------------- */

#define REAL(name)                                                                                 \
	static __typeof__(name) *real;                                                             \
	if (real == NULL)                                                                          \
	*(void **)&real = dlsym(RTLD_NEXT, #name)

/* A call that returns `bad` with errno on failure. `entered` is enter(&v, ...) or enter_fd(&v,
 * ...). */
#define WRAP(type, bad, name, parameters, arguments, entered)                                      \
	type name parameters                                                                       \
	{                                                                                          \
		struct visit v;                                                                    \
		type result;                                                                       \
		int e;                                                                             \
		REAL(name);                                                                        \
		e = entered;                                                                       \
		if (e == 0) {                                                                      \
			result = real arguments;                                                   \
			e = leave(&v);                                                             \
		}                                                                                  \
		if (e == 0)                                                                        \
			return result;                                                             \
		errno = e;                                                                         \
		return bad;                                                                        \
	}

/* A write, which may also be short. */
#define WRAP_WRITE(name, parameters, arguments, count)                                             \
	ssize_t name parameters                                                                    \
	{                                                                                          \
		struct visit v;                                                                    \
		ssize_t result;                                                                    \
		int e;                                                                             \
		REAL(name);                                                                        \
		e = enter_fd(&v, #name, fd);                                                       \
		if (e == SHORT) {                                                                  \
			count = count > 1 ? count / 2 : count;                                     \
			e = 0;                                                                     \
		}                                                                                  \
		if (e == 0) {                                                                      \
			result = real arguments;                                                   \
			e = leave(&v);                                                             \
		}                                                                                  \
		if (e == 0)                                                                        \
			return result;                                                             \
		errno = e == SHORT ? EIO : e;                                                      \
		return -1;                                                                         \
	}

/* Functions of libraries that return a code of their own: they can be died or stopped in, and not
 * made to fail. */
#define WRAP_POINT_AS(point, type, name, parameters, arguments, target)                            \
	type name parameters                                                                       \
	{                                                                                          \
		struct visit v;                                                                    \
		type result;                                                                       \
		REAL(name);                                                                        \
		enter(&v, point, target);                                                          \
		result = real arguments;                                                           \
		leave(&v);                                                                         \
		return result;                                                                     \
	}
#define WRAP_POINT(type, name, parameters, arguments, target)                                      \
	WRAP_POINT_AS(#name, type, name, parameters, arguments, target)

WRAP_WRITE(write, (int fd, const void *at, size_t n), (fd, at, n), n)
WRAP_WRITE(pwrite, (int fd, const void *at, size_t n, off_t offset), (fd, at, n, offset), n)
WRAP_WRITE(send, (int fd, const void *at, size_t n, int flags), (fd, at, n, flags), n)

ssize_t writev(int fd, const struct iovec *parts, int n)
{
	struct visit v;
	struct iovec half;
	ssize_t result;
	int e;
	REAL(writev);

	e = enter_fd(&v, "writev", fd);
	while (e == SHORT && n > 1 && parts[0].iov_len == 0)
		parts++, n--;
	if (e == SHORT) {
		half = (struct iovec){parts[0].iov_base, parts[0].iov_len > 1 ? parts[0].iov_len / 2
									      : parts[0].iov_len};
		result = real(fd, &half, 1);
		e = leave(&v);
	} else if (e == 0) {
		result = real(fd, parts, n);
		e = leave(&v);
	}
	if (e == 0)
		return result;
	errno = e;
	return -1;
}

WRAP(ssize_t, -1, read, (int fd, void *at, size_t n), (fd, at, n), enter_fd(&v, "read", fd))
WRAP(ssize_t, -1, pread, (int fd, void *at, size_t n, off_t offset), (fd, at, n, offset),
     enter_fd(&v, "pread", fd))
WRAP(ssize_t, -1, recv, (int fd, void *at, size_t n, int flags), (fd, at, n, flags),
     enter_fd(&v, "recv", fd))
WRAP(int, -1, fdatasync, (int fd), (fd), enter_fd(&v, "fdatasync", fd))
WRAP(int, -1, fsync, (int fd), (fd), enter_fd(&v, "fsync", fd))
WRAP(int, -1, flock, (int fd, int operation), (fd, operation), enter_fd(&v, "flock", fd))
WRAP(int, -1, ftruncate, (int fd, off_t size), (fd, size), enter_fd(&v, "ftruncate", fd))
WRAP(int, -1, mkdir, (const char *path, mode_t mode), (path, mode), enter(&v, "mkdir", NULL))
WRAP(int, -1, rename, (const char *from, const char *to), (from, to), enter(&v, "rename", NULL))
WRAP(int, -1, socket, (int domain, int type, int protocol), (domain, type, protocol),
     enter(&v, "socket", NULL))
WRAP(int, -1, connect, (int fd, const struct sockaddr *to, socklen_t n), (fd, to, n),
     enter_fd(&v, "connect", fd))
WRAP(int, -1, accept4, (int fd, struct sockaddr *from, socklen_t *n, int flags),
     (fd, from, n, flags), enter(&v, "accept4", NULL))
WRAP(ssize_t, -1, sendto,
     (int fd, const void *at, size_t n, int flags, const struct sockaddr *to, socklen_t size),
     (fd, at, n, flags, to, size), enter(&v, "sendto", NULL))
WRAP(ssize_t, -1, recvfrom,
     (int fd, void *at, size_t n, int flags, struct sockaddr *from, socklen_t *size),
     (fd, at, n, flags, from, size), enter(&v, "recvfrom", NULL))
WRAP(int, -1, eventfd, (unsigned count, int flags), (count, flags), enter(&v, "eventfd", NULL))
WRAP(int, -1, epoll_create1, (int flags), (flags), enter(&v, "epoll_create1", NULL))
WRAP(int, -1, epoll_ctl, (int fd, int op, int of, struct epoll_event *event), (fd, op, of, event),
     enter(&v, "epoll_ctl", NULL))
WRAP(int, -1, epoll_wait, (int fd, struct epoll_event *events, int max, int timeout),
     (fd, events, max, timeout), enter(&v, "epoll_wait", NULL))
WRAP(int, -1, poll, (struct pollfd * fds, nfds_t n, int timeout), (fds, n, timeout),
     enter(&v, "poll", NULL))
WRAP(int, -1, inotify_init1, (int flags), (flags), enter(&v, "inotify_init1", NULL))
WRAP(int, -1, inotify_add_watch, (int fd, const char *path, uint32_t mask), (fd, path, mask),
     enter(&v, "inotify_add_watch", NULL))
WRAP(int, -1, signalfd, (int fd, const sigset_t *set, int flags), (fd, set, flags),
     enter(&v, "signalfd", NULL))
WRAP(int, -1, socketpair, (int domain, int type, int protocol, int fds[2]),
     (domain, type, protocol, fds), enter(&v, "socketpair", NULL))
WRAP(int, -1, fstatvfs, (int fd, struct statvfs *out), (fd, out), enter(&v, "fstatvfs", NULL))
WRAP(FILE *, NULL, fopen, (const char *path, const char *mode), (path, mode),
     enter(&v, "fopen", NULL))
/* The C library writes past the wrappers above. */
WRAP(size_t, 0, fwrite, (const void *at, size_t size, size_t n, FILE *file), (at, size, n, file),
     enter_fd(&v, "fwrite", fileno(file)))
WRAP(int, EOF, fflush, (FILE * file), (file), enter(&v, "fflush", file == stdout ? "stdout" : NULL))
WRAP(DIR *, NULL, opendir, (const char *path), (path), enter(&v, "opendir", NULL))
WRAP(pid_t, -1, waitpid, (pid_t pid, int *status, int options), (pid, status, options),
     enter(&v, "waitpid", NULL))
WRAP(ssize_t, -1, getrandom, (void *at, size_t n, unsigned flags), (at, n, flags),
     enter(&v, "getrandom", NULL))
WRAP(void *, MAP_FAILED, mmap, (void *at, size_t n, int prot, int flags, int fd, off_t offset),
     (at, n, prot, flags, fd, offset), enter(&v, "mmap", NULL))

static const char *name_in(const char *path)
{
	return strrchr(path, '/') != NULL ? strrchr(path, '/') + 1 : path;
}

WRAP(int, -1, fstatat, (int folder, const char *path, struct stat *out, int flags),
     (folder, path, out, flags), enter(&v, "fstatat", name_in(path)))

/* The mode is there when a file may be created; reading it in vain does no harm on this kind of
 * machine. */
static int open_at(int folder, const char *path, int flags, mode_t mode)
{
	struct visit v;
	int e = enter(&v, "open", name_in(path)), result = -1;

	if (e == 0) {
		result = (int)syscall(SYS_openat, folder, path, flags, mode);
		e = result < 0 ? errno : 0;
		if (e == 0 && (e = leave(&v)) != 0)
			syscall(SYS_close, result);
	}
	if (e == 0)
		return result;
	errno = e;
	return -1;
}

int open(const char *path, int flags, ...)
{
	va_list ap;
	mode_t mode;

	va_start(ap, flags);
	mode = va_arg(ap, mode_t);
	va_end(ap);
	return open_at(AT_FDCWD, path, flags, mode);
}

int openat(int folder, const char *path, int flags, ...)
{
	va_list ap;
	mode_t mode;

	va_start(ap, flags);
	mode = va_arg(ap, mode_t);
	va_end(ap);
	return open_at(folder, path, flags, mode);
}

int __open_2(const char *path, int flags);
int __open_2(const char *path, int flags)
{
	return open_at(AT_FDCWD, path, flags, 0);
}

int fcntl(int fd, int command, ...)
{
	struct visit v;
	va_list ap;
	void *argument;
	int e, result = -1;
	REAL(fcntl);

	va_start(ap, command);
	argument = va_arg(ap, void *);
	va_end(ap);
	e = enter_fd(&v, "fcntl", fd);
	if (e == 0) {
		result = real(fd, command, argument);
		e = leave(&v);
	}
	if (e == 0)
		return result;
	errno = e;
	return -1;
}

/* The child is another process with calls of its own. */
pid_t fork(void)
{
	struct visit v;
	pid_t result;
	int e;
	REAL(fork);

	e = enter(&v, "fork", NULL);
	if (e != 0) {
		errno = e;
		return -1;
	}
	result = real();
	if (result == 0 && active) {
		memset(calls, 0, sizeof calls);
		n_calls = 0;
		snprintf(role, sizeof role, strcmp(role, "serve") == 0 ? "door" : "sender");
		judge_role();
	} else {
		leave(&v);
	}
	return result;
}

/* --- memory: the real ones by names that need no lookup, because a lookup allocates ------- */

extern void *__libc_malloc(size_t n);
extern void *__libc_calloc(size_t n, size_t size);
extern void *__libc_realloc(void *at, size_t n);
extern void *__libc_memalign(size_t alignment, size_t n);

/* Where the code of each library lies, to tell who asks for memory: malloc.program,
 * malloc.libcurl. */
#define CODE_MAX 128
static struct {
	uintptr_t from, to;
	char name[24];
} code[CODE_MAX];
static size_t n_code;

static int see_library(struct dl_phdr_info *info, size_t size, void *arg)
{
	const char *name = info->dlpi_name[0] != '\0' ? name_in(info->dlpi_name) : "program";
	int i;

	(void)size, (void)arg;
	for (i = 0; i < info->dlpi_phnum && n_code < CODE_MAX; i++) {
		if (info->dlpi_phdr[i].p_type != PT_LOAD ||
		    (info->dlpi_phdr[i].p_flags & PF_X) == 0)
			continue;
		code[n_code].from = info->dlpi_addr + info->dlpi_phdr[i].p_vaddr;
		code[n_code].to = code[n_code].from + info->dlpi_phdr[i].p_memsz;
		snprintf(code[n_code].name, sizeof code[0].name, "%.*s", (int)strcspn(name, "."),
			 name);
		n_code++;
	}
	return 0;
}

static bool no_memory(const void *caller)
{
	const char *owner = "other";
	struct visit v;
	size_t i;

	if (!active || inside)
		return false;
	for (i = 0; i < n_code; i++)
		if ((uintptr_t)caller >= code[i].from && (uintptr_t)caller < code[i].to)
			owner = code[i].name;
	if (enter(&v, "malloc", owner) == 0)
		return false;
	errno = ENOMEM;
	return true;
}

#define CALLER __builtin_return_address(0)

void *malloc(size_t n)
{
	return no_memory(CALLER) ? NULL : __libc_malloc(n);
}

void *calloc(size_t n, size_t size)
{
	return no_memory(CALLER) ? NULL : __libc_calloc(n, size);
}

void *realloc(void *at, size_t n)
{
	return no_memory(CALLER) ? NULL : __libc_realloc(at, n);
}

int posix_memalign(void **at, size_t alignment, size_t n)
{
	if (no_memory(CALLER) || (*at = __libc_memalign(alignment, n)) == NULL)
		return ENOMEM;
	return 0;
}

/* --- LMDB and libcurl --------------------------------------------------------------------- */

WRAP_POINT(int, mdb_env_open, (MDB_env * env, const char *path, unsigned flags, mdb_mode_t mode),
	   (env, path, flags, mode), NULL)
WRAP_POINT(int, mdb_env_copyfd2, (MDB_env * env, mdb_filehandle_t to, unsigned flags),
	   (env, to, flags), NULL)
WRAP_POINT(int, mdb_env_sync, (MDB_env * env, int force), (env, force), NULL)
WRAP_POINT(int, mdb_txn_begin, (MDB_env * env, MDB_txn *parent, unsigned flags, MDB_txn **out),
	   (env, parent, flags, out), (flags & MDB_RDONLY) != 0 ? "read" : "write")
WRAP_POINT(int, mdb_txn_commit, (MDB_txn * txn), (txn), NULL)
WRAP_POINT(int, mdb_dbi_open, (MDB_txn * txn, const char *name, unsigned flags, MDB_dbi *out),
	   (txn, name, flags, out), name)
WRAP_POINT(int, mdb_put,
	   (MDB_txn * txn, MDB_dbi table, MDB_val *key, MDB_val *value, unsigned flags),
	   (txn, table, key, value, flags), NULL)
WRAP_POINT(int, mdb_del, (MDB_txn * txn, MDB_dbi table, MDB_val *key, MDB_val *value),
	   (txn, table, key, value), NULL)
/* A row is a row, by a cursor or not. */
WRAP_POINT_AS("mdb_put", int, mdb_cursor_put,
	      (MDB_cursor * c, MDB_val *key, MDB_val *value, unsigned flags),
	      (c, key, value, flags), NULL)
WRAP_POINT_AS("mdb_del", int, mdb_cursor_del, (MDB_cursor * c, unsigned flags), (c, flags), NULL)
WRAP_POINT(int, mdb_cursor_open, (MDB_txn * txn, MDB_dbi table, MDB_cursor **out),
	   (txn, table, out), NULL)
WRAP_POINT(int, mdb_reader_check, (MDB_env * env, int *dead), (env, dead), NULL)
WRAP_POINT(CURLMcode, curl_multi_add_handle, (CURLM * multi, CURL *easy), (multi, easy), NULL)
WRAP_POINT(CURLMcode, curl_multi_remove_handle, (CURLM * multi, CURL *easy), (multi, easy), NULL)
WRAP_POINT(CURLMcode, curl_multi_socket_action,
	   (CURLM * multi, curl_socket_t fd, int events, int *running),
	   (multi, fd, events, running), NULL)

/* --- the wall clock ----------------------------------------------------------------------- */

static int64_t offset_ms(void)
{
	return clock_offset_ms != NULL ? *clock_offset_ms : 0;
}

int clock_gettime(clockid_t id, struct timespec *ts)
{
	int64_t ms = offset_ms(), ns;
	int result;
	REAL(clock_gettime);

	result = real(id, ts);
	if (result != 0 || id != CLOCK_REALTIME || ms == 0)
		return result;
	ns = ts->tv_nsec + ms % 1000 * 1000000;
	ts->tv_sec += ms / 1000 + (ns >= 1000000000) - (ns < 0);
	ts->tv_nsec =
	    ns - (ns >= 1000000000) * INT64_C(1000000000) + (ns < 0) * INT64_C(1000000000);
	return 0;
}

int gettimeofday(struct timeval *restrict tv, void *restrict zone)
{
	struct timespec ts;

	(void)zone;
	clock_gettime(CLOCK_REALTIME, &ts);
	*tv = (struct timeval){ts.tv_sec, ts.tv_nsec / 1000};
	return 0;
}

time_t time(time_t *out)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	if (out != NULL)
		*out = ts.tv_sec;
	return ts.tv_sec;
}
