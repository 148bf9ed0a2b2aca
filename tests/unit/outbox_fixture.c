/* outbox_fixture.c - makes an outbox of LMDB's in a directory of its own, and reads and writes its
 * tables and pages past the interface. */

#include "unit/outbox_fixture.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"

#define CHILD_DEADLINE_MS 20000

char fx_dir[256];

/* --- fixtures ---------------------------------------------------------------------------- */

void fx_setup_dir(void)
{
	const char *root = getenv("TMPDIR");
	char parent[200];

	if (root == NULL || *root == '\0')
		root = access("build", W_OK) == 0 ? "build" : "/tmp";
	snprintf(parent, sizeof parent, "%s/outbox-XXXXXX", root);
	ck_assert_msg(mkdtemp(parent) != NULL, "%s: %s", parent, strerror(errno));
	snprintf(fx_dir, sizeof fx_dir, "%s/box", parent);
	fx_prepare();
	fx.on = "lmdb";
}

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
	(void)st;
	(void)flag;
	(void)ftw;
	return remove(path);
}

void fx_teardown_dir(void)
{
	char parent[256];

	snprintf(parent, sizeof parent, "%s", fx_dir);
	*strrchr(parent, '/') = '\0';
	nftw(parent, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

void fx_open(void)
{
	fx_must(rp_outbox_open(fx_dir, &fx.options, &fx.ob, &fx.err), "open");
	/* These tests end processes, never the power: without flushes they take a tenth of the
	 * time. */
	ck_assert_int_eq(mdb_env_set_flags(fx_db()->db.env, MDB_NOSYNC, 1), 0);
}

void fx_setup(void)
{
	fx_setup_dir();
	fx_open();
	fx_join();
}

void fx_teardown(void)
{
	fx_verify_sound();
	fx_teardown_damaged();
}

void fx_teardown_damaged(void)
{
	fx_close();
	fx_teardown_dir();
}

void fx_path(const char *name, char *out, size_t size)
{
	snprintf(out, size, "%s/%s", fx_dir, name);
}

/* --- checking
 * ------------------------------------------------------------------------------------------ */

uint64_t fx_slice_problems(size_t max_rows)
{
	struct rp_buf text = {0};
	struct rp_verify_counts counts = fx_verify(max_rows, &text);

	rp_buf_release(&text);
	return counts.problems;
}

uint64_t fx_full_problems(void)
{
	return fx_slice_problems(0);
}

uint64_t fx_problems(void)
{
	uint64_t problems = fx_full_problems();

	ck_assert_uint_eq(fx_slice_problems(1000) > 0, problems > 0);
	return problems;
}

/* --- behind the curtain
 * ------------------------------------------------------------------------------------------ */

static MDB_txn *raw_begin(void)
{
	MDB_txn *txn;

	ck_assert_int_eq(mdb_txn_begin(fx_db()->db.env, NULL, 0, &txn), 0);
	return txn;
}

const char *fx_data_path(void)
{
	static char path[300];

	snprintf(path, sizeof path, "%s/data.mdb", fx_dir);
	return path;
}

size_t fx_page_bytes(void)
{
	long bytes = sysconf(_SC_PAGESIZE);

	return bytes < FX_PAGE_MAX ? (size_t)bytes : FX_PAGE_MAX;
}

size_t fx_pages(void)
{
	struct stat st;

	ck_assert_int_eq(stat(fx_data_path(), &st), 0);
	return (size_t)st.st_size / fx_page_bytes();
}

void fx_page_read(uint64_t number, unsigned char page[FX_PAGE_MAX])
{
	int fd = open(fx_data_path(), O_RDONLY);
	size_t n = fx_page_bytes();

	ck_assert(fd >= 0 && pread(fd, page, n, (off_t)(number * n)) == (ssize_t)n &&
		  close(fd) == 0);
}

void fx_page_write(uint64_t number, const unsigned char page[FX_PAGE_MAX])
{
	int fd = open(fx_data_path(), O_WRONLY);
	size_t n = fx_page_bytes();

	ck_assert(fd >= 0 && pwrite(fd, page, n, (off_t)(number * n)) == (ssize_t)n &&
		  close(fd) == 0);
}

/* A value lies in the map, on a page that begins with its number; an empty one may be the very end
 * of it. */
uint64_t fx_page_of(enum rp_table table, struct rp_key key)
{
	struct rp_txn t;
	uint64_t number;
	MDB_val v;

	fx_must(rp_txn_read(fx_db(), &t, &fx.err), "read");
	fx_must(rp_row_get(&t, table, key, &v, &fx.err), "row");
	memcpy(&number, (void *)(((uintptr_t)v.mv_data - 1) & ~(uintptr_t)(fx_page_bytes() - 1)),
	       sizeof number);
	rp_txn_end(&t);
	return number;
}

struct rp_key fx_text_key(const char *text)
{
	struct rp_key k = {{0}, strlen(text)};

	memcpy(k.bytes, text, k.len);
	return k;
}

void fx_flip(enum rp_table table, struct rp_key key, int at)
{
	MDB_val k = {key.len, key.bytes}, v;
	MDB_txn *txn = raw_begin();
	unsigned char *copy;

	ck_assert_int_eq(mdb_get(txn, fx_db()->db.table[table], &k, &v), 0);
	copy = malloc(v.mv_size);
	ck_assert_ptr_nonnull(copy);
	memcpy(copy, v.mv_data, v.mv_size);
	copy[at < 0 ? (size_t)((long)v.mv_size + at) : (size_t)at] ^= 0x10;
	v.mv_data = copy;
	ck_assert_int_eq(mdb_put(txn, fx_db()->db.table[table], &k, &v, 0), 0);
	ck_assert_int_eq(mdb_txn_commit(txn), 0);
	free(copy);
}

void fx_put(enum rp_table table, struct rp_key key, const void *value, size_t n)
{
	MDB_val k = {key.len, key.bytes}, v = {n, (void *)(uintptr_t)value};
	MDB_txn *txn = raw_begin();

	ck_assert_int_eq(mdb_put(txn, fx_db()->db.table[table], &k, &v, 0), 0);
	ck_assert_int_eq(mdb_txn_commit(txn), 0);
}

void fx_del(enum rp_table table, struct rp_key key)
{
	MDB_val k = {key.len, key.bytes};
	MDB_txn *txn = raw_begin();

	ck_assert_int_eq(mdb_del(txn, fx_db()->db.table[table], &k, NULL), 0);
	ck_assert_int_eq(mdb_txn_commit(txn), 0);
}

bool fx_has(enum rp_table table, struct rp_key key)
{
	MDB_val k = {key.len, key.bytes}, v;
	MDB_txn *txn = raw_begin();
	int rc = mdb_get(txn, fx_db()->db.table[table], &k, &v);

	mdb_txn_abort(txn);
	return rc == 0;
}

uint64_t fx_rows(enum rp_table table)
{
	MDB_txn *txn = raw_begin();
	MDB_stat st;

	ck_assert_int_eq(mdb_stat(txn, fx_db()->db.table[table], &st), 0);
	mdb_txn_abort(txn);
	return st.ms_entries;
}

struct rp_endpoint fx_record(uint64_t id)
{
	struct rp_key key = rp_key1(id);
	MDB_val k = {key.len, key.bytes}, v;
	MDB_txn *txn = raw_begin();
	struct rp_endpoint r;

	ck_assert_int_eq(mdb_get(txn, fx_db()->db.table[RP_T_ENDPOINT], &k, &v), 0);
	ck_assert(rp_endpoint_unpack(&r, id, v.mv_data, v.mv_size));
	mdb_txn_abort(txn);
	return r;
}

void fx_edit_head(void (*edit)(struct rp_head *head))
{
	struct rp_key key = fx_text_key("head");
	MDB_val k = {key.len, key.bytes}, v;
	unsigned char buf[RP_HEAD_BYTES];
	MDB_txn *txn = raw_begin();
	struct rp_head head;

	ck_assert_int_eq(mdb_get(txn, fx_db()->db.table[RP_T_META], &k, &v), 0);
	ck_assert(rp_head_unpack(&head, v.mv_data, v.mv_size));
	edit(&head);
	v = (MDB_val){rp_head_pack(&head, buf, sizeof buf), buf};
	ck_assert_int_eq(mdb_put(txn, fx_db()->db.table[RP_T_META], &k, &v, 0), 0);
	ck_assert_int_eq(mdb_txn_commit(txn), 0);
}

/* --- other processes
 * ------------------------------------------------------------------------------------------ */

struct fx_child fx_start(void (*run)(int in, int out))
{
	struct fx_child c;
	int to[2], from[2];

	ck_assert_ptr_null(fx.ob);
	ck_assert_int_eq(pipe(to), 0);
	ck_assert_int_eq(pipe(from), 0);
	c.pid = fork();
	ck_assert_int_ge(c.pid, 0);
	if (c.pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		close(to[1]);
		close(from[0]);
		fx_reseed();
		run(to[0], from[1]);
		_exit(0);
	}
	close(to[0]);
	close(from[1]);
	c.in = to[1];
	c.out = from[0];
	return c;
}

void fx_send(int fd, const void *mem, size_t n)
{
	ck_assert_int_eq(write(fd, mem, n), (ssize_t)n);
}

void fx_receive(int fd, void *mem, size_t n)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};
	char *at = mem;

	while (n > 0) {
		ssize_t got;

		ck_assert_msg(poll(&p, 1, CHILD_DEADLINE_MS) == 1,
			      "the other process says nothing");
		got = read(fd, at, n);
		ck_assert_msg(got > 0, "the other process is gone");
		at += got;
		n -= (size_t)got;
	}
}

static void forget(struct fx_child *c, int *status)
{
	ck_assert_int_eq(waitpid(c->pid, status, 0), c->pid);
	close(c->in);
	close(c->out);
}

void fx_finish(struct fx_child *c)
{
	int status;

	forget(c, &status);
	ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 0,
		      "the other process ended with status %d", status);
}

void fx_kill(struct fx_child *c)
{
	int status;

	ck_assert_int_eq(kill(c->pid, SIGKILL), 0);
	forget(c, &status);
}
