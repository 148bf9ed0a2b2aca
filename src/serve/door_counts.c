/* door_counts.c - counts in memory that is the file `door` of the outbox. Where that cannot be it
 * counts beside it, since a number is no reason to refuse a run. */

#include "serve/door_counts.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "store/outbox.h"

/* "rp-door" and the version of the layout */
#define FORMAT UINT64_C(0x72702d646f6f7201)

_Static_assert(sizeof(struct rp_door_numbers) == RP_DOOR_FILE_BYTES, "the file is the struct");

/* New ones come at the end: places stay, since they are in files. */
static const unsigned statuses[] = {200, 202, 207, 400, 401, 403, 404, 405, 408, 413, 415,
				    417, 421, 422, 429, 431, 500, 501, 503, 505, 508};
#define N_STATUSES (sizeof statuses / sizeof statuses[0])

static const struct {
	const char *name;
	bool unread; /* the body was not read, and an engine does not send it again */
} codes[] = {{"host", true},
	     {"cross_site", true},
	     {"loop", false},
	     {"not_found", true},
	     {"method", false},
	     {"unauthorized", true},
	     {"token_in_url", true},
	     {"content_encoding", true},
	     {"no_such_endpoint", true},
	     {"not_published", true},
	     {"bad_signature", true},
	     {"bad_url", true},
	     {"too_large", true},
	     {"bad_json", false},
	     {"bad_field", false},
	     {"idempotency_key", false},
	     {"full", false},
	     {"busy", false},
	     {"stopping", false},
	     {"failed", false},
	     {"bad_request", false},
	     {"timeout", false},
	     {"no_such_entry", false},
	     {"away", false}};
#define N_CODES (sizeof codes / sizeof codes[0])

_Static_assert(N_STATUSES < RP_DOOR_STATUSES && N_CODES < RP_DOOR_CODES, "each has a place");

const uint64_t rp_door_bounds_batch[RP_DOOR_BUCKETS - 1] = {1,  2,  3,  4,  6,   8,   12,  16,
							    24, 32, 48, 64, 128, 512, 4096};
const uint64_t rp_door_bounds_wait_us[RP_DOOR_BUCKETS - 1] = {
    250,    500,    1000,   2500,    5000,    10000,   25000,   50000,
    100000, 250000, 500000, 1000000, 2500000, 5000000, 20000000};

/* --- names -------------------------------------------------------------------------- */

static size_t status_place(unsigned status)
{
	size_t i;

	for (i = 0; i < N_STATUSES; i++)
		if (statuses[i] == status)
			return i;
	return RP_DOOR_STATUSES - 1;
}

unsigned rp_door_status(size_t place)
{
	return place < N_STATUSES ? statuses[place] : 0;
}

static size_t code_place(const char *code)
{
	size_t i;

	for (i = 0; i < N_CODES; i++)
		if (strcmp(codes[i].name, code) == 0)
			return i;
	return RP_DOOR_CODES - 1;
}

const char *rp_door_code(size_t place)
{
	if (place < N_CODES)
		return codes[place].name;
	return place == RP_DOOR_CODES - 1 ? "other" : NULL;
}

const char *rp_door_run_name(enum rp_door_run kind)
{
	static const char *const names[] = {"queued", "duplicate", "skipped", "rejected"};

	return names[kind];
}

const char *rp_door_state_name(enum rp_door_state state)
{
	static const char *const names[RP_DOOR_STATES] = {"starting", "accepting", "full",
							  "failing", "stopping"};

	return names[state];
}

/* --- adding ------------------------------------------------------------------------- */

/* Others add at the same time, and order does not matter. */
static void add(uint64_t *to, uint64_t n)
{
	__atomic_fetch_add(to, n, __ATOMIC_RELAXED);
}

static void set(uint64_t *to, uint64_t value)
{
	__atomic_store_n(to, value, __ATOMIC_RELAXED);
}

static void set_at(uint64_t *to, int64_t at_ms)
{
	set(to, at_ms > 0 ? (uint64_t)at_ms : 0);
}

static void observe(struct rp_door_histogram *h, const uint64_t bounds[RP_DOOR_BUCKETS - 1],
		    uint64_t value)
{
	size_t i = 0;

	while (i < RP_DOOR_BUCKETS - 1 && value > bounds[i])
		i++;
	add(&h->count[i], 1);
	add(&h->sum, value);
}

uint64_t rp_door_histogram_count(const struct rp_door_histogram *h)
{
	uint64_t n = 0;
	size_t i;

	for (i = 0; i < RP_DOOR_BUCKETS; i++)
		n += h->count[i];
	return n;
}

void rp_door_count_answer(struct rp_door_counts *c, unsigned status)
{
	add(&c->numbers->answers[status_place(status)], 1);
}

void rp_door_count_refused(struct rp_door_counts *c, const char *code, int64_t now_at_ms)
{
	size_t place = code_place(code);

	add(&c->numbers->refused[place], 1);
	if (place >= N_CODES || !codes[place].unread)
		return;
	set(&c->numbers->last_access, place);
	set_at(&c->numbers->last_access_at_ms, now_at_ms);
}

void rp_door_count_runs(struct rp_door_counts *c, enum rp_door_run kind, uint64_t n,
			int64_t now_at_ms)
{
	add(&c->numbers->runs[kind], n);
	if (kind == RP_DOOR_QUEUED && n > 0)
		set_at(&c->numbers->last_queued_at_ms, now_at_ms);
}

void rp_door_count_body(struct rp_door_counts *c, uint64_t bytes)
{
	add(&c->numbers->requests_bytes, bytes);
}

void rp_door_count_connection(struct rp_door_counts *c)
{
	add(&c->numbers->connections, 1);
}

void rp_door_count_held(struct rp_door_counts *c)
{
	add(&c->numbers->held, 1);
}

void rp_door_count_commit(struct rp_door_counts *c, uint64_t n_runs)
{
	observe(&c->numbers->batches, rp_door_bounds_batch, n_runs);
}

void rp_door_count_commit_failed(struct rp_door_counts *c)
{
	add(&c->numbers->failed, 1);
}

void rp_door_count_wait(struct rp_door_counts *c, int64_t us)
{
	observe(&c->numbers->waits, rp_door_bounds_wait_us, us > 0 ? (uint64_t)us : 0);
}

void rp_door_count_reject(struct rp_door_counts *c, const char *code, uint64_t bytes, bool kept,
			  int64_t now_at_ms)
{
	struct rp_door_numbers *n = c->numbers;

	add(kept ? &n->kept : &n->lost, 1);
	add(kept ? &n->kept_bytes : &n->lost_bytes, bytes);
	set(&n->last_reject, code_place(code));
	set_at(&n->last_reject_at_ms, now_at_ms);
	if (!kept)
		set_at(&n->last_lost_at_ms, now_at_ms);
}

void rp_door_show(struct rp_door_counts *c, const struct rp_door_now *now)
{
	set(&c->now->state, now->state);
	set(&c->now->connections, now->connections);
	set(&c->now->requests, now->requests);
	set(&c->now->held, now->held);
	set(&c->now->body_bytes, now->body_bytes);
}

/* --- the file ----------------------------------------------------------------------- */

static enum rp_err fail_format(const char *path, struct rp_error *err)
{
	return rp_fail(err, RP_ERR_FORMAT,
		       "%s is not the door's file, or one of another version of runpost; move it "
		       "away",
		       path);
}

/* A directory may be everybody's to write to: a file that somebody else has put there could be cut
 * while it is memory of ours. */
static enum rp_err judge(int fd, int dir, const char *path, struct rp_error *err)
{
	struct stat st, data;

	if (fstat(fd, &st) != 0 || fstatat(dir, "data.mdb", &data, AT_SYMLINK_NOFOLLOW) != 0)
		return rp_fail_sys(err, RP_ERR_IO, errno, "%s: look at it", path);
	if (!S_ISREG(st.st_mode))
		return rp_fail(err, RP_ERR_FORMAT, "%s is %s, not the door's file; remove it", path,
			       rp_file_kind(st.st_mode));
	if (st.st_uid != data.st_uid)
		return rp_fail(err, RP_ERR_DENIED, "%s belongs to user %u, data.mdb to user %u",
			       path, (unsigned)st.st_uid, (unsigned)data.st_uid);
	if (st.st_size > RP_DOOR_FILE_BYTES)
		return fail_format(path, err);
	return RP_OK;
}

/* As the user whose outbox it is. One whom that user has let in by hand makes no file, which would
 * be theirs. */
static int open_at(int dir, bool make)
{
	int flags = O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC;
	struct stat data;

	if (!make)
		return openat(dir, "door", O_RDONLY | flags);
	if (fstatat(dir, "data.mdb", &data, AT_SYMLINK_NOFOLLOW) == 0 &&
	    (geteuid() == 0 || geteuid() == data.st_uid))
		flags |= O_CREAT;
	return openat(dir, "door", O_RDWR | flags, 0600);
}

static enum rp_err open_file(struct rp_outbox *ob, bool make, int *fd, const char *path,
			     struct rp_error *err)
{
	uid_t before;
	int dir, sys;
	enum rp_err e = rp_outbox_act(ob, &before, err);

	if (e != RP_OK)
		return e;
	dir = open(rp_outbox_address(ob), O_PATH | O_DIRECTORY | O_CLOEXEC);
	*fd = dir >= 0 ? open_at(dir, make) : -1;
	sys = errno;
	rp_outbox_act_end(before);
	if (*fd < 0 && sys == ENOENT && !make)
		e = RP_ERR_NOTFOUND;
	else if (*fd < 0)
		e = rp_fail_sys(err, rp_err_of_errno(sys), sys, "%s: open", path);
	else
		e = judge(*fd, dir, path, err);
	if (dir >= 0)
		close(dir);
	return e;
}

/* Two doors that begin at once write the same word. */
static enum rp_err begin(struct rp_door_numbers *n, const char *path, struct rp_error *err)
{
	uint64_t format = 0;

	if (__atomic_compare_exchange_n(&n->format, &format, FORMAT, false, __ATOMIC_RELAXED,
					__ATOMIC_RELAXED))
		return RP_OK;
	return format == FORMAT ? RP_OK : fail_format(path, err);
}

/* Before anything is written: empty, begun by another door, or the door's. */
static enum rp_err look_at_format(int fd, const char *path, struct rp_error *err)
{
	uint64_t format = 0;
	ssize_t got = pread(fd, &format, sizeof format, 0);

	if (got < 0)
		return rp_fail_sys(err, RP_ERR_IO, errno, "%s: read", path);
	return format == 0 || format == FORMAT ? RP_OK : fail_format(path, err);
}

/* What has its place on the disk can be written to as memory, however full the disk is later. */
static enum rp_err map(struct rp_door_counts *c, const char *path, struct rp_error *err)
{
	struct rp_door_numbers *n;
	enum rp_err e = look_at_format(c->fd, path, err);
	int sys;

	if (e != RP_OK)
		return e;
	sys = posix_fallocate(c->fd, 0, RP_DOOR_FILE_BYTES);
	if (sys != 0)
		return rp_fail_sys(err, rp_err_of_errno(sys), sys, "%s: make room for it", path);
	n = mmap(NULL, RP_DOOR_FILE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, c->fd, 0);
	if (n == MAP_FAILED)
		return rp_fail_sys(err, rp_err_of_errno(errno), errno, "%s: map", path);
	e = begin(n, path, err);
	if (e != RP_OK)
		munmap(n, RP_DOOR_FILE_BYTES);
	else
		c->numbers = n;
	return e;
}

/* A door holds a lock on the first byte of its slot; the kernel drops it with the process. */
static struct flock slot_lock(size_t slot)
{
	return (struct flock){.l_type = F_WRLCK,
			      .l_whence = SEEK_SET,
			      .l_start = (off_t)(offsetof(struct rp_door_numbers, now) +
						 slot * sizeof(struct rp_door_now)),
			      .l_len = 1};
}

static enum rp_err take_slot(struct rp_door_counts *c, const char *path, struct rp_error *err)
{
	size_t slot;

	for (slot = 0; slot < RP_DOOR_SLOTS; slot++) {
		struct flock l = slot_lock(slot);

		if (fcntl(c->fd, F_OFD_SETLK, &l) == 0) {
			c->now = &c->numbers->now[slot];
			memset(c->now, 0, sizeof *c->now);
			set(&c->now->pid, (uint64_t)getpid());
			return RP_OK;
		}
	}
	return rp_fail(err, RP_ERR_BUSY,
		       "%s: all %d places are taken, so what this door does now is not shown", path,
		       RP_DOOR_SLOTS);
}

/* The file lies in the outbox's directory; a database has none. */
static bool has_file(const struct rp_outbox *ob)
{
	return !rp_outbox_is_database(rp_outbox_address(ob));
}

static enum rp_err open_counts(struct rp_outbox *ob, struct rp_door_counts *c, char **path,
			       struct rp_error *err)
{
	enum rp_err e;

	if (asprintf(path, "%s/door", rp_outbox_address(ob)) < 0) {
		*path = NULL;
		return rp_fail(err, RP_ERR_NOMEM, "out of memory");
	}
	e = open_file(ob, true, &c->fd, *path, err);
	return e == RP_OK ? map(c, *path, err) : e;
}

enum rp_err rp_door_counts_open(struct rp_outbox *ob, int64_t now_at_ms, struct rp_door_counts *c,
				struct rp_error *err)
{
	char *path = NULL;
	enum rp_err e;

	memset(c, 0, sizeof *c);
	c->fd = -1;
	c->numbers = &c->own;
	c->now = &c->own_now;
	if (!has_file(ob))
		e = RP_OK; /* they are this door's own */
	else
		e = open_counts(ob, c, &path, err);
	if (e == RP_OK && c->fd >= 0) {
		e = take_slot(c, path, err);
	} else if (c->fd >= 0) {
		close(c->fd);
		c->fd = -1;
	}
	free(path);
	add(&c->numbers->starts, 1);
	set_at(&c->numbers->last_start_at_ms, now_at_ms);
	return e;
}

void rp_door_counts_close(struct rp_door_counts *c)
{
	if (c->numbers != NULL && c->numbers != &c->own)
		munmap(c->numbers, RP_DOOR_FILE_BYTES);
	if (c->numbers != NULL && c->fd >= 0)
		close(c->fd);
	c->numbers = NULL;
	c->now = NULL;
	c->fd = -1;
}

/* --- reading ------------------------------------------------------------------------ */

/* By read(2), not as memory: a file that somebody cuts meanwhile ends nobody who looks. */
static enum rp_err read_numbers(int fd, const char *path, struct rp_door_numbers *out,
				struct rp_error *err)
{
	ssize_t got = pread(fd, out, sizeof *out, 0);
	size_t i;

	if (got < 0)
		return rp_fail_sys(err, RP_ERR_IO, errno, "%s: read", path);
	if (got == 0 || (got == (ssize_t)sizeof *out && out->format == 0))
		return RP_ERR_NOTFOUND; /* just made, or as a power cut left it */
	if (got != (ssize_t)sizeof *out || out->format != FORMAT)
		return fail_format(path, err);
	for (i = 0; i < RP_DOOR_SLOTS; i++) {
		struct flock l = slot_lock(i);

		if (fcntl(fd, F_OFD_GETLK, &l) != 0 || l.l_type == F_UNLCK)
			memset(&out->now[i], 0, sizeof out->now[i]);
	}
	return RP_OK;
}

enum rp_err rp_door_counts_read(struct rp_outbox *ob, struct rp_door_numbers *out,
				struct rp_error *err)
{
	char *path;
	enum rp_err e;
	int fd = -1;

	if (!has_file(ob))
		return RP_ERR_NOTFOUND;
	if (asprintf(&path, "%s/door", rp_outbox_address(ob)) < 0)
		return rp_fail(err, RP_ERR_NOMEM, "out of memory");
	e = open_file(ob, false, &fd, path, err);
	if (e == RP_OK)
		e = read_numbers(fd, path, out, err);
	if (fd >= 0)
		close(fd);
	free(path);
	return e;
}

struct rp_door_now rp_door_now_sum(const struct rp_door_numbers *n, unsigned *n_doors)
{
	struct rp_door_now sum = {0};
	size_t i;

	if (n_doors != NULL)
		*n_doors = 0;
	for (i = 0; i < RP_DOOR_SLOTS; i++) {
		const struct rp_door_now *d = &n->now[i];

		if (n_doors != NULL)
			*n_doors += d->pid != 0;
		sum.state = d->state > sum.state ? d->state : sum.state;
		sum.connections += d->connections;
		sum.requests += d->requests;
		sum.held += d->held;
		sum.body_bytes += d->body_bytes;
	}
	return sum;
}

uint64_t rp_door_rejects(const struct rp_door_numbers *n)
{
	return n->kept + n->lost;
}

uint64_t rp_door_access_refusals(const struct rp_door_numbers *n)
{
	uint64_t sum = 0;
	size_t i;

	for (i = 0; i < N_CODES; i++)
		sum += codes[i].unread ? n->refused[i] : 0;
	return sum;
}
