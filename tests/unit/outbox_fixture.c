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

#define RING 1024
#define CHILD_DEADLINE_MS 20000

struct fx fx;

static uint64_t random_state;

uint64_t fx_random(uint64_t *x)
{
	*x ^= *x << 13;
	*x ^= *x >> 7;
	*x ^= *x << 17;
	return *x >> 11;
}

static int64_t fake_wall_ms(void *arg)
{
	(void)arg;
	return fx.now_ms;
}

static int64_t fake_boot_ms(void *arg)
{
	(void)arg;
	return fx.boot_ms;
}

static void fake_random(void *arg, void *out, size_t n)
{
	unsigned char *p = out;

	(void)arg;
	while (n-- > 0)
		*p++ = (unsigned char)fx_random(&random_state);
}

static const struct rp_sys fake_sys = {fake_wall_ms, fake_boot_ms, fake_random, NULL};

static void must(enum rp_err e, const char *what)
{
	if (e != RP_OK)
		ck_abort_msg("%s: %s: %s", what, rp_err_name(e), fx.err.text);
}

/* --- fixtures
 * ------------------------------------------------------------------------------------------ */

void fx_setup_dir(void)
{
	const char *root = getenv("TMPDIR");
	char parent[200];

	if (root == NULL || *root == '\0')
		root = access("build", W_OK) == 0 ? "build" : "/tmp";
	snprintf(parent, sizeof parent, "%s/outbox-XXXXXX", root);
	ck_assert_msg(mkdtemp(parent) != NULL, "%s: %s", parent, strerror(errno));
	snprintf(fx.dir, sizeof fx.dir, "%s/box", parent);
	fx.options = (struct rp_outbox_options){
	    .create = true, .map_bytes = UINT64_C(1) << 30, .sys = &fake_sys};
	fx.now_ms = FX_NOW_MS;
	fx.boot_ms = 1000;
	fx.limit = 1000000;
	random_state = (uint64_t)getpid() | 1;
	rp_log_setup("test", RP_LOG_ERROR);
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

	snprintf(parent, sizeof parent, "%s", fx.dir);
	*strrchr(parent, '/') = '\0';
	nftw(parent, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

void fx_open(void)
{
	must(rp_outbox_open(fx.dir, &fx.options, &fx.ob, &fx.err), "open");
	/* These tests end processes, never the power: without flushes they take a tenth of the
	 * time. */
	ck_assert_int_eq(mdb_env_set_flags(fx_db()->db.env, MDB_NOSYNC, 1), 0);
}

void fx_join(void)
{
	must(rp_outbox_join(fx.ob, fx.now_ms, fx.boot_ms, &fx.me, &fx.err), "join");
}

void fx_close(void)
{
	rp_outbox_close(fx.ob);
	fx.ob = NULL;
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
	snprintf(out, size, "%s/%s", fx.dir, name);
}

/* --- entries
 * ------------------------------------------------------------------------------------------ */

struct rp_new_entry fx_new(unsigned k)
{
	static char endpoint[RING][48], url[RING][64], key[RING][48], payload[RING][64];
	static unsigned next, serial;
	unsigned i = next++ % RING;

	serial++;
	snprintf(endpoint[i], sizeof endpoint[i], "https://k%u.example/hook", k);
	snprintf(url[i], sizeof url[i], "https://k%u.example/hook?token=t%u", k, serial);
	snprintf(key[i], sizeof key[i], "key-%ld-%u", (long)getpid(), serial);
	snprintf(payload[i], sizeof payload[i], "{\"run_id\":\"r%u\",\"status\":\"success\"}",
		 serial);
	return (struct rp_new_entry){
	    .endpoint = rp_span_of(endpoint[i]),
	    .url = rp_span_of(url[i]),
	    .run_id = rp_span_of("run"),
	    .operation = rp_span_of("POST /runs/wait"),
	    .dedupe_key = rp_span_of(key[i]),
	    .payload = rp_span_of(payload[i]),
	};
}

uint64_t fx_append(unsigned k, size_t n)
{
	static struct rp_new_entry entries[RING];
	static struct rp_appended out[RING];
	size_t i;

	ck_assert_uint_le(n, RING);
	for (i = 0; i < n; i++)
		entries[i] = fx_new(k);
	must(rp_outbox_append(fx.ob, fx.now_ms, entries, n, out, &fx.err), "append");
	for (i = 0; i < n; i++)
		ck_assert_uint_eq(out[i].seq, out[0].seq + i);
	return out[0].seq;
}

uint64_t fx_append_one(const struct rp_new_entry *n, bool *duplicate)
{
	struct rp_appended out;

	must(rp_outbox_append(fx.ob, fx.now_ms, n, 1, &out, &fx.err), "append");
	if (duplicate != NULL)
		*duplicate = out.duplicate;
	return out.seq;
}

struct find_endpoint {
	char name[48];
	uint64_t id;
	struct rp_endpoint rec;
};

static bool see_endpoint(void *arg, uint64_t id, struct rp_span name, const struct rp_endpoint *e)
{
	struct find_endpoint *f = arg;

	if (!rp_span_is(name, f->name))
		return true;
	f->id = id;
	f->rec = *e;
	return false;
}

static struct find_endpoint find_endpoint(unsigned k)
{
	struct find_endpoint f = {.id = 0};

	snprintf(f.name, sizeof f.name, "https://k%u.example/hook", k);
	must(rp_outbox_endpoints(fx.ob, 0, see_endpoint, &f, &fx.err), "endpoints");
	ck_assert_msg(f.id != 0, "endpoint %s is unknown", f.name);
	return f;
}

uint64_t fx_endpoint(unsigned k)
{
	return find_endpoint(k).id;
}

struct rp_endpoint fx_endpoint_record(unsigned k)
{
	return find_endpoint(k).rec;
}

struct rp_delivery fx_delivery(uint64_t seq)
{
	const struct rp_filter filter = {.seq = seq};
	struct rp_entry entry = {0};
	struct rp_delivery d = {0};
	enum rp_err e = rp_outbox_first(fx.ob, &filter, &entry, &fx.err);

	if (e != RP_ERR_NOTFOUND)
		must(e, "first");
	if (e == RP_OK)
		d = entry.delivery;
	rp_entry_release(&entry);
	return d;
}

enum rp_state fx_state(uint64_t seq)
{
	return fx_delivery(seq).state;
}

struct find_attempt {
	uint32_t n;
	size_t count;
	bool found;
	struct rp_attempt a;
};

static void see_attempt(void *arg, uint32_t n, const struct rp_attempt *a, bool damaged)
{
	struct find_attempt *f = arg;

	ck_assert_msg(!damaged, "attempt %u is damaged", n);
	f->count++;
	if (n == f->n) {
		f->found = true;
		f->a = *a;
	}
}

size_t fx_attempts(uint64_t seq)
{
	struct find_attempt f = {0};

	must(rp_outbox_attempts(fx.ob, seq, see_attempt, &f, &fx.err), "attempts");
	return f.count;
}

struct rp_attempt fx_attempt(uint64_t seq, uint32_t n, bool *found)
{
	struct find_attempt f = {.n = n};

	must(rp_outbox_attempts(fx.ob, seq, see_attempt, &f, &fx.err), "attempts");
	if (found != NULL)
		*found = f.found;
	else
		ck_assert_msg(f.found, "entry %lu has no attempt %u", (unsigned long)seq, n);
	return f.a;
}

struct rp_ledger fx_ledger(void)
{
	struct rp_ledger l;

	must(rp_outbox_ledger(fx.ob, &l, &fx.err), "ledger");
	return l;
}

/* --- working
 * ------------------------------------------------------------------------------------------ */

/* Unless a test asks for more, an endpoint may have its whole limit from the first moment on. */
static struct rp_limits limits(void *arg, uint64_t endpoint, struct rp_span name)
{
	unsigned in_flight = fx.limit_of != NULL ? fx.limit_of((unsigned)endpoint) : fx.limit;

	(void)arg;
	(void)name;
	return fx.limits.in_flight != 0
		   ? fx.limits
		   : (struct rp_limits){.in_flight = in_flight, .start = in_flight};
}

void fx_exchange(size_t want, struct rp_settlement *settle, size_t n_settle)
{
	struct rp_exchange turn = {.settle = settle,
				   .n_settle = n_settle,
				   .want = want,
				   .want_metered = want,
				   .claims = fx.claims,
				   .limits = limits};

	ck_assert_uint_le(want, FX_CLAIMS_MAX);
	must(rp_outbox_exchange(fx.ob, fx.now_ms, &turn, &fx.err), "turn");
	ck_assert_uint_le(turn.n_claims, want);
	fx.n_claims = turn.n_claims;
	fx.n_dead = turn.n_dead;
	fx.next_ready_ms = turn.next_ready_at_ms;
	fx.committed = turn.committed;
}

struct rp_claim fx_claim(void)
{
	fx_exchange(1, NULL, 0);
	ck_assert_uint_eq(fx.n_claims, 1);
	return fx.claims[0];
}

struct rp_settlement fx_settlement(const struct rp_claim *c, enum rp_settle_kind kind)
{
	static struct rp_outcome good = {
	    .http_status = 204, .http_version = 11, .duration_us = 1500};
	static struct rp_outcome bad = {
	    .cause = RP_CAUSE_HTTP, .http_status = 500, .http_version = 11, .duration_us = 900};

	return (struct rp_settlement){
	    .seq = c->seq,
	    .endpoint = c->endpoint,
	    .claim_no = c->claim_no,
	    .attempt = c->attempt,
	    .kind = kind,
	    .cause = kind == RP_SETTLE_DEAD ? RP_CAUSE_EXHAUSTED : RP_CAUSE_HTTP,
	    .due_at_ms = fx.now_ms + 5000,
	    .started_at_ms = fx.now_ms,
	    .outcome = kind == RP_SETTLE_RETURN      ? NULL
		       : kind == RP_SETTLE_DELIVERED ? &good
						     : &bad,
	};
}

bool fx_settle(const struct rp_claim *c, enum rp_settle_kind kind)
{
	struct rp_settlement s = fx_settlement(c, kind);

	fx_exchange(0, &s, 1);
	return s.stale;
}

size_t fx_reap(int64_t lease_ms)
{
	size_t n;

	must(rp_outbox_reap(fx.ob, fx.now_ms, fx.boot_ms, lease_ms, &n, &fx.err), "reap");
	return n;
}

enum rp_changed fx_change(enum rp_change verb, uint64_t seq)
{
	enum rp_changed result = 0;

	must(rp_outbox_change(fx.ob, fx.now_ms, verb, 0, &seq, 1, 0, &result, &fx.err), "change");
	return result;
}

void fx_pause(unsigned k, bool pause)
{
	must(rp_outbox_endpoint_pause(fx.ob, fx.now_ms, fx_endpoint(k), pause, &fx.err), "pause");
}

uint64_t fx_entry_in(unsigned k, enum rp_state state)
{
	uint64_t seq = fx_append(k, 1);
	struct rp_claim c;

	if (state == RP_STATE_WAITING)
		return seq;
	if (state == RP_STATE_HELD) {
		ck_assert_int_eq(fx_change(RP_CHANGE_HOLD, seq), RP_CHANGED_DONE);
		return seq;
	}
	c = fx_claim();
	ck_assert_uint_eq(c.seq, seq);
	if (state == RP_STATE_DELIVERED)
		ck_assert(!fx_settle(&c, RP_SETTLE_DELIVERED));
	else if (state == RP_STATE_DEAD)
		ck_assert(!fx_settle(&c, RP_SETTLE_DEAD));
	return seq;
}

/* --- checking
 * ------------------------------------------------------------------------------------------ */

struct problems {
	struct rp_buf text;
};

static void collect_problem(void *arg, const char *text)
{
	struct problems *p = arg;

	rp_buf_add_text(&p->text, text);
	rp_buf_add_char(&p->text, '\n');
}

/* In slices of so many rows; 0: all at once. */
static struct rp_verify_counts verify(size_t max_rows, struct problems *p)
{
	struct rp_verify v = {.max_rows = max_rows, .problem = collect_problem, .arg = p};

	while (!v.done)
		must(rp_outbox_verify(fx.ob, &v, &fx.err), "verify");
	return v.counts;
}

void fx_verify_sound(void)
{
	struct problems p = {{0}};
	struct rp_verify_counts counts = verify(0, &p), sliced;
	struct rp_ledger l = fx_ledger();

	ck_assert_msg(counts.problems == 0, "verify found %lu problems:\n%s",
		      (unsigned long)counts.problems, p.text.data);
	ck_assert_uint_eq(l.accepted,
			  l.waiting + l.in_flight + l.held + l.delivered + l.dead + l.purged);
	ck_assert_uint_eq(counts.entries, l.accepted - l.purged);
	sliced = verify(3, &p);
	ck_assert_msg(sliced.problems == 0, "slices found %lu problems:\n%s",
		      (unsigned long)sliced.problems, p.text.data);
	ck_assert_uint_eq(sliced.entries, counts.entries);
	ck_assert_uint_eq(sliced.rows, counts.rows);
	rp_buf_release(&p.text);
}

uint64_t fx_slice_problems(size_t max_rows)
{
	struct problems p = {{0}};
	struct rp_verify_counts counts = verify(max_rows, &p);

	rp_buf_release(&p.text);
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

	snprintf(path, sizeof path, "%s/data.mdb", fx.dir);
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

	must(rp_txn_read(fx_db(), &t, &fx.err), "read");
	must(rp_row_get(&t, table, key, &v, &fx.err), "row");
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
		random_state = (uint64_t)getpid() * 2654435761u | 1;
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
