/* The door between the sender and the store: the linker leads the sender's calls here (--wrap).
 * The real function does the work; around it a crash may come, and the model is told what was
 * committed. */
#include "sim.h"

#include <stdarg.h>
#include <unistd.h>

#include "store/lmdb/host/wakeup.h"

struct rp_outbox *sim_handle_new(void)
{
	const struct rp_lmdb *base = rp_lmdb_of(sim.base);
	struct rp_lmdb *ob = malloc(sizeof *ob);
	struct rp_error err;

	MUST(ob != NULL, "out of memory");
	*ob = *base;
	ob->db.dir = strdup(base->db.dir);
	ob->outbox.address = ob->db.dir;
	ob->eps = NULL;
	ob->fetcher = NULL;
	ob->guard = NULL;
	ob->n_eps = ob->cap_eps = 0;
	ob->ep_index = NULL;
	ob->names = NULL;
	ob->ep_index_size = 0;
	ob->registry_fd = ob->offers_fd = ob->wakeup_fd = ob->inotify_fd = ob->commits_fd = -1;
	ob->db.dir_fd = ob->files.dir_fd = dup(base->files.dir_fd);
	if (ob->files.base_fd >= 0)
		ob->files.base_fd = dup(base->files.base_fd);
	ob->joined = false;
	sim_must(rp_wakeup_open(ob, &err), &err, "wakeup file");
	return &ob->outbox;
}

void sim_handle_free(struct rp_outbox *ob)
{
	rp_lmdb_of(ob)->db.env = NULL; /* it is the base's */
	rp_outbox_close(ob);
}

static struct sim_actor *actor_of(const struct rp_outbox *ob)
{
	int i;

	for (i = 0; i < SENDERS_MAX; i++)
		if (sim.actors[i].ob == ob)
			return &sim.actors[i];
	return NULL;
}

/* The process ends here: its locks are free, and nothing it does is seen by anybody. */
static void crash(struct sim_actor *a, const char *where)
{
	struct rp_lmdb *ob = rp_lmdb_of(a->ob);

	a->crashed = true;
	a->crash_in = 0;
	sim.counts.crashes++;
	sim_note(where, (uint64_t)a->birth, 0);
	if (ob->registry_fd >= 0)
		close(ob->registry_fd);
	ob->registry_fd = -1;
}

static bool dies_before(struct sim_actor *a, const char *where)
{
	if (a == NULL)
		return false;
	if (!a->crashed && a->crash_in > 0 && --a->crash_in == 0 && !a->crash_after)
		crash(a, where);
	else if (!a->crashed && a->crash_in == 0 && a->crash_after)
		a->crash_in = -1; /* after this call */
	return a->crashed;
}

static bool dies_after(struct sim_actor *a, const char *where)
{
	if (a != NULL && a->crash_in == -1) {
		a->crash_after = false;
		crash(a, where);
	}
	return a != NULL && a->crashed;
}

static enum rp_err gone(struct rp_error *err)
{
	return rp_fail(err, RP_ERR_IO, "this process is dead");
}

/* Waiting for the write lock, or for the disk. */
static void commit_takes_time(void)
{
	if (sim.faults && sim_below(2000) == 0)
		sim.boot_ms += (int64_t)sim_below(90000);
	else if (sim_chance(5))
		sim.boot_ms += (int64_t)sim_below(20);
}

#define WRAP(type, name, ...)                                                                      \
	type __real_##name(__VA_ARGS__);                                                           \
	type __wrap_##name(__VA_ARGS__);                                                           \
	type __wrap_##name(__VA_ARGS__)

WRAP(enum rp_err, rp_outbox_exchange, struct rp_outbox *ob, int64_t now_at_ms,
     struct rp_exchange *exchange, struct rp_error *err)
{
	struct sim_actor *a = actor_of(ob);
	enum rp_err e;
	size_t i;

	if (dies_before(a, "crash before an exchange"))
		return gone(err);
	if (a != NULL)
		sim_model_wants(a, exchange);
	e = __real_rp_outbox_exchange(ob, now_at_ms, exchange, err);
	sim_must(e, err, "exchange");
	if (a != NULL && exchange->n_settle > 0)
		a->n_orphaned = 0;
	for (i = 0; i < exchange->n_settle; i++)
		sim_model_settled(a, &exchange->settle[i], now_at_ms);
	for (i = 0; i < exchange->n_claims; i++)
		sim_model_claimed(a, &exchange->claims[i], now_at_ms);
	commit_takes_time();
	return dies_after(a, "crash after an exchange") ? gone(err) : e;
}

enum rp_err __real_rp_outbox_reap(struct rp_outbox *ob, int64_t now_at_ms, int64_t boot_ms,
				  int64_t lease_ms, size_t *n_returned, struct rp_error *err);

/* It stands still just before, for longer than its lease, and somebody notices. */
static void stand_before_fetch(struct sim_actor *a)
{
	struct rp_error err;
	size_t n;

	sim.boot_ms += sim.lease_ms + 1 + (int64_t)sim_below(10000);
	sim.counts.stands++;
	sim_note("stand before a fetch", (uint64_t)a->birth, 0);
	a->stood = true;
	sim_must(
	    __real_rp_outbox_reap(sim.base, sim_wall_ms(), sim.boot_ms, sim.lease_ms, &n, &err),
	    &err, "reap");
	sim_model_returned(NULL);
}

WRAP(enum rp_err, rp_outbox_fetch, struct rp_outbox *ob, const struct rp_claim *claim,
     struct rp_dispatch *out, struct rp_error *err)
{
	struct sim_actor *a = actor_of(ob);
	enum rp_err e;

	if (dies_before(a, "crash before a fetch"))
		return gone(err);
	if (sim.faults && sim_below(400) == 0)
		stand_before_fetch(a);
	e = __real_rp_outbox_fetch(ob, claim, out, err);
	MUST(e == RP_OK || e == RP_ERR_STALE, "fetch of %llu: %s", (unsigned long long)claim->seq,
	     err->text);
	if (e == RP_ERR_STALE && a != NULL && !out->endpoint_only)
		sim_model_stale(a, claim);
	return dies_after(a, "crash after a fetch") ? gone(err) : e;
}

WRAP(enum rp_err, rp_outbox_reap, struct rp_outbox *ob, int64_t now_at_ms, int64_t boot_ms,
     int64_t lease_ms, size_t *n_returned, struct rp_error *err)
{
	struct sim_actor *a = actor_of(ob);
	enum rp_err e;

	*n_returned = 0;
	if (dies_before(a, "crash before a reap"))
		return gone(err);
	e = __real_rp_outbox_reap(ob, now_at_ms, boot_ms, lease_ms, n_returned, err);
	sim_must(e, err, "reap");
	if (*n_returned > 0)
		sim_model_returned(NULL);
	return dies_after(a, "crash after a reap") ? gone(err) : e;
}

WRAP(enum rp_err, rp_outbox_expire, struct rp_outbox *ob, int64_t now_at_ms,
     int64_t keep_delivered_ms, int64_t keep_dead_ms, size_t max, size_t *n_removed,
     struct rp_error *err)
{
	struct sim_actor *a = actor_of(ob);
	enum rp_err e;

	*n_removed = 0;
	if (dies_before(a, "crash before an expire"))
		return gone(err);
	e = __real_rp_outbox_expire(ob, now_at_ms, keep_delivered_ms, keep_dead_ms, max, n_removed,
				    err);
	sim_must(e, err, "expire");
	sim.n_expired += *n_removed;
	if (*n_removed > 0)
		sim_model_endpoints_gone();
	return dies_after(a, "crash after an expire") ? gone(err) : e;
}

WRAP(enum rp_err, rp_outbox_join, struct rp_outbox *ob, int64_t now_at_ms, int64_t boot_ms,
     struct rp_sender_id *out, struct rp_error *err)
{
	enum rp_err e;

	if (dies_before(actor_of(ob), "crash before joining"))
		return gone(err);
	e = __real_rp_outbox_join(ob, now_at_ms, boot_ms, out, err);
	sim_must(e, err, "join");
	sim_model_returned(NULL);
	return dies_after(actor_of(ob), "crash after joining") ? gone(err) : e;
}

WRAP(enum rp_err, rp_outbox_leave, struct rp_outbox *ob, int64_t now_at_ms, struct rp_error *err)
{
	struct sim_actor *a = actor_of(ob);
	enum rp_err e;

	if (dies_before(a, "crash before leaving"))
		return gone(err);
	e = __real_rp_outbox_leave(ob, now_at_ms, err);
	sim_must(e, err, "leave");
	sim_model_returned(a);
	return e;
}

WRAP(enum rp_err, rp_outbox_renew_limits, struct rp_outbox *ob, int64_t now_at_ms,
     struct rp_renewal *renewal, struct rp_error *err)
{
	struct sim_actor *a = actor_of(ob);
	enum rp_err e;
	unsigned i;

	if (dies_before(a, "crash before a look"))
		return gone(err);
	e = __real_rp_outbox_renew_limits(ob, now_at_ms, renewal, err);
	sim_must(e, err, "renew limits");
	for (i = 0; i < N_EPS; i++)
		sim.eps[i].parked_until_ms = 0;
	return dies_after(a, "crash after a look") ? gone(err) : e;
}

WRAP(enum rp_err, rp_outbox_next_ready, struct rp_outbox *ob, int64_t *at_ms, struct rp_error *err)
{
	if (dies_before(actor_of(ob), "crash before asking"))
		return gone(err);
	sim_must(__real_rp_outbox_next_ready(ob, at_ms, err), err, "next ready");
	return RP_OK;
}

WRAP(enum rp_err, rp_outbox_ledger, struct rp_outbox *ob, struct rp_ledger *out,
     struct rp_error *err)
{
	if (dies_before(actor_of(ob), "crash before counting"))
		return gone(err);
	return __real_rp_outbox_ledger(ob, out, err);
}

WRAP(enum rp_err, rp_outbox_endpoint_name, struct rp_outbox *ob, uint64_t endpoint,
     struct rp_buf *out, struct rp_error *err)
{
	if (dies_before(actor_of(ob), "crash before a name"))
		return gone(err);
	return __real_rp_outbox_endpoint_name(ob, endpoint, out, err);
}

WRAP(void, rp_outbox_beat, struct rp_outbox *ob, int64_t now_at_ms, int64_t boot_ms)
{
	struct sim_actor *a = actor_of(ob);

	if (dies_before(a, "crash before a heartbeat"))
		return;
	__real_rp_outbox_beat(ob, now_at_ms, boot_ms);
	a->last_beat_boot_ms = boot_ms;
}

WRAP(void, rp_outbox_offer, struct rp_outbox *ob, int64_t now_at_ms, size_t claims_max)
{
	if (dies_before(actor_of(ob), "crash before an offer"))
		return;
	__real_rp_outbox_offer(ob, now_at_ms, claims_max);
}

WRAP(enum rp_err, rp_outbox_withdraw, struct rp_outbox *ob, struct rp_error *err)
{
	if (dies_before(actor_of(ob), "crash before a withdrawal"))
		return gone(err);
	sim_must(__real_rp_outbox_withdraw(ob, err), err, "withdraw");
	return RP_OK;
}

WRAP(enum rp_err, rp_outbox_take, struct rp_outbox *ob, struct rp_taking *taking,
     struct rp_error *err)
{
	struct sim_actor *a = actor_of(ob);
	enum rp_err e;
	size_t i;

	if (dies_before(a, "crash before taking"))
		return gone(err);
	e = __real_rp_outbox_take(ob, taking, err);
	sim_must(e, err, "take");
	for (i = 0; i < taking->n_claims; i++)
		sim_model_taken(a, &taking->claims[i]);
	return dies_after(a, "crash after taking") ? gone(err) : e;
}

/* The log: what it calls damage is one. */
WRAP(void, rp_log, enum rp_log_level level, const char *ev, const char *fmt, ...)
{
	char text[400];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	MUST(strcmp(ev, "damage") != 0 && strcmp(ev, "endpoint_rebuilt") != 0, "%s: %s", ev, text);
	if (sim.verbose && level <= RP_LOG_INFO)
		printf("  %13lld %s %s\n", (long long)sim.boot_ms, ev, text);
}
