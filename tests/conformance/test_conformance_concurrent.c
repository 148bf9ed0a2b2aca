/* Several processes at once at a few hosts, each doing as it likes: what they append, claim, settle
 * and change must leave a sound outbox, in which no claim was given twice, no limit was passed and
 * no order had two fronts. The loop number of a failing test is its seed. */

#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "conformance/fixture.h"

#define SEEDS 3
#define WORKERS 4
#define STEPS 150
#define HOSTS 3
#define PATHS_OF_ONE 2
#define PATHS (HOSTS * PATHS_OF_ONE)
#define LIMIT 6
#define HOST_LIMIT 8
#define WANT 8
#define SEQS 16384
#define KEYS 40 /* dedupe keys that all use */

/* What all workers see. A claim is noted after it was committed, and forgotten before its result
 * is, so there are never more here than in the outbox. */
static struct shared {
	int owner[SEQS];
	int in_flight[PATHS], of_host[HOSTS], in_order[PATHS];
	int joined, done; /* workers */
} * all;

static struct {
	uint64_t x;
	int id;
	struct rp_claim held[WANT];
	unsigned path[WANT];
	bool ordered[WANT];
	size_t n;
	uint64_t endpoint[PATHS];
} me;

static uint64_t pick(uint64_t n)
{
	return fx_random(&me.x) % n;
}

static unsigned path_number(unsigned i)
{
	return (i / PATHS_OF_ONE + 1) * FX_PATHS + i % PATHS_OF_ONE + 1;
}

static void append_some(void)
{
	struct rp_new_entry batch[8];
	struct rp_appended out[8];
	static char keys[8][16];
	size_t n = 1 + pick(8), i;

	memset(out, 0, sizeof out);
	for (i = 0; i < n; i++) {
		batch[i] = fx_new(path_number((unsigned)pick(PATHS)));
		if (pick(3) == 0)
			batch[i].order_by = rp_span_of("thread");
		if (pick(4) == 0) {
			snprintf(keys[i], sizeof keys[i], "shared %d", (int)pick(KEYS));
			batch[i].dedupe_key = rp_span_of(keys[i]);
		}
	}
	fx_must(rp_outbox_append(fx.ob, fx.now_ms, batch, n, out, &fx.err), "append");
	for (i = 0; i < n; i++)
		ck_assert_uint_lt(out[i].seq, SEQS);
}

/* --- claims ------------------------------------------------------------------------------ */

/* A path that went with its last entry has another number when it is named again. */
static unsigned path_of(uint64_t endpoint)
{
	unsigned i;

	for (i = 0; i < PATHS; i++)
		if (me.endpoint[i] == endpoint)
			return i;
	for (i = 0; i < PATHS; i++)
		me.endpoint[i] = fx_find_endpoint(path_number(i));
	for (i = 0; i < PATHS; i++)
		if (me.endpoint[i] == endpoint)
			return i;
	ck_abort_msg("a claim of no path that is known");
	return 0;
}

static int add(int *at, int n)
{
	return __atomic_add_fetch(at, n, __ATOMIC_SEQ_CST);
}

static void note(const struct rp_claim *c)
{
	unsigned i = path_of(c->endpoint);
	int before = __atomic_exchange_n(&all->owner[c->seq], me.id, __ATOMIC_SEQ_CST);

	ck_assert_msg(before == 0, "entry %d has two claims", (int)c->seq);
	ck_assert_int_le(add(&all->in_flight[i], 1), LIMIT);
	ck_assert_int_le(add(&all->of_host[i / PATHS_OF_ONE], 1), HOST_LIMIT);
	me.path[me.n] = i;
	me.ordered[me.n] = fx_delivery(c->seq).order_key != 0;
	if (me.ordered[me.n])
		ck_assert_int_le(add(&all->in_order[i], 1), 1);
	me.held[me.n++] = *c;
}

static void forget(size_t k)
{
	unsigned i = me.path[k];

	__atomic_store_n(&all->owner[me.held[k].seq], 0, __ATOMIC_SEQ_CST);
	add(&all->in_flight[i], -1);
	add(&all->of_host[i / PATHS_OF_ONE], -1);
	if (me.ordered[k])
		add(&all->in_order[i], -1);
	me.n--;
	me.held[k] = me.held[me.n];
	me.path[k] = me.path[me.n];
	me.ordered[k] = me.ordered[me.n];
}

static void exchange_some(void)
{
	static const enum rp_settle_kind kinds[] = {RP_SETTLE_DELIVERED, RP_SETTLE_DELIVERED,
						    RP_SETTLE_RETRY, RP_SETTLE_DEAD,
						    RP_SETTLE_RETURN};
	struct rp_settlement s[WANT];
	size_t n = 0, i;

	while (me.n > 0 && pick(4) != 0) {
		s[n++] = fx_settlement(&me.held[0], kinds[pick(5)]);
		forget(0);
	}
	fx_exchange(WANT - me.n, s, n);
	for (i = 0; i < n; i++)
		ck_assert(!s[i].stale);
	for (i = 0; i < fx.n_claims; i++)
		note(&fx.claims[i]);
}

/* --- operators --------------------------------------------------------------------------- */

static void change_some(void)
{
	static const enum rp_change verbs[] = {RP_CHANGE_REPLAY, RP_CHANGE_HOLD, RP_CHANGE_RELEASE,
					       RP_CHANGE_RELEASE, RP_CHANGE_PURGE};
	enum rp_changed results[16];
	uint64_t seqs[16], last = fx_ledger().accepted + 1;
	const unsigned resting = 1u << RP_STATE_WAITING | 1u << RP_STATE_HELD |
				 1u << RP_STATE_DELIVERED | 1u << RP_STATE_DEAD;
	size_t i;

	for (i = 0; i < 16; i++)
		seqs[i] = 1 + pick(last);
	fx_must(rp_outbox_change(fx.ob, fx.now_ms, verbs[pick(5)], resting, seqs, 16, 0, results,
				 &fx.err),
		"change");
}

static void pause_one(void)
{
	uint64_t id = fx_find_endpoint(path_number((unsigned)pick(PATHS)));
	enum rp_err e;

	if (id == 0)
		return;
	e = rp_outbox_endpoint_pause(fx.ob, fx.now_ms, id, pick(2) == 0, &fx.err);
	ck_assert_msg(e == RP_OK || e == RP_ERR_NOTFOUND, "pause: %s", fx.err.text);
}

/* --- the workers ------------------------------------------------------------------------- */

/* A slot that is free has its claims returned by who joins next, so all come before the first goes.
 */
static void wait_for_all(int *n)
{
	add(n, 1);
	while (__atomic_load_n(n, __ATOMIC_SEQ_CST) < WORKERS)
		usleep(1000);
}

static void work(int id, int seed)
{
	int step;

	me.id = id;
	me.x = (uint64_t)seed * 1000 + (uint64_t)id;
	fx_reseed();
	fx_open();
	fx_join();
	wait_for_all(&all->joined);
	for (step = 0; step < STEPS; step++) {
		uint64_t what = pick(20);

		if (what < 6)
			append_some();
		else if (what < 17)
			exchange_some();
		else if (what < 19)
			change_some();
		else
			pause_one();
	}
	wait_for_all(&all->done);
	/* what the others hold was left by senders that ended, as if they had been killed */
	if (id % 2 == 0)
		fx_must(rp_outbox_leave(fx.ob, fx.now_ms, &fx.err), "leave");
	_exit(0);
}

START_TEST(many_at_once_leave_a_sound_outbox)
{
	pid_t pids[WORKERS];
	int i, status;
	struct rp_ledger l;

	if (strcmp(fx_at.store->name, "memory") == 0)
		return; /* it is one process's */
	all = mmap(NULL, sizeof *all, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ck_assert_ptr_ne(all, MAP_FAILED);
	fx.limit = LIMIT;
	fx.host_limits = (struct rp_limits){.in_flight = HOST_LIMIT, .start = HOST_LIMIT};
	fx_close();
	for (i = 0; i < WORKERS; i++) {
		pids[i] = fork();
		if (pids[i] == 0)
			work(i + 1, _i);
	}
	for (i = 0; i < WORKERS; i++) {
		ck_assert_int_eq(waitpid(pids[i], &status, 0), pids[i]);
		ck_assert_int_eq(status, 0);
	}
	fx_open();
	fx_join();
	fx_reap(10000);
	l = fx_ledger();
	ck_assert_uint_eq(l.in_flight, 0);
	ck_assert_uint_gt(l.delivered, 0);
	fx_verify_sound();
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("concurrent");
	TCase *tc = tcase_create("all");

	tcase_add_checked_fixture(tc, fx_setup, fx_teardown);
	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, many_at_once_leave_a_sound_outbox, 0, SEEDS);
	suite_add_tcase(s, tc);
	return s;
}

int main(void)
{
	return fx_main(suite);
}
