/* senders.c - senders that come and go, and the claims of those that are gone.
 *
 * Others take the claims of a sender at once only where it is known to have ended: it said so, or
 * it ran on this machine and its process is gone. Else they wait for the lease: nothing that the
 * database knows (a session that ended, a lock that is free) proves that a process has. */
#include <inttypes.h>
#include <unistd.h>

#include "store/postgres/listener.h"
#include "store/postgres/tell.h"
#include "store/postgres/postgres_ops.h"
#include "store/postgres/process.h"
#include "store/postgres/senders.h"
#include "store/postgres/txn.h"

#define SLOTS 120
#define CLAIMS_A_TXN 500
#define JOIN_LOCK "7305236"

#define SENDER_COLUMNS                                                                             \
	"slot, incarnation, host, pid, pid_started, started_at_ms, beat_at_ms, beat_boot_ms,"      \
	" ended, clock_known, wall_less_boot_ms, clock_seen_ms, clock_step_ms, clock_step_boot_ms"

static const struct rp_pg_statement lock_joins = {"lock_joins",
						  "SELECT pg_advisory_xact_lock(" JOIN_LOCK ")"};
static const struct rp_pg_statement read_senders = {
    "read_senders", "SELECT " SENDER_COLUMNS ", now_ms() - beat_at_ms FROM sender ORDER BY slot"};
static const struct rp_pg_statement count_claims = {
    "count_claims", "SELECT slot, count(*) FROM delivery WHERE state = 2 GROUP BY slot"};
static const struct rp_pg_statement put_sender = {
    "put_sender",
    "INSERT INTO sender (" SENDER_COLUMNS ", liveness, sleeps) VALUES ($1::bigint, $2::bigint,"
    " $3::text, $4::bigint, $5::bigint, $6::bigint, now_ms(), $7::bigint, false, $8::boolean,"
    " $9::bigint, $10::bigint, $11::bigint, $12::bigint, 0, false)"
    " ON CONFLICT (slot) DO UPDATE SET (incarnation, host, pid, pid_started, started_at_ms,"
    " beat_at_ms, beat_boot_ms, ended, clock_known, wall_less_boot_ms, clock_seen_ms,"
    " clock_step_ms, clock_step_boot_ms) = (excluded.incarnation, excluded.host, excluded.pid,"
    " excluded.pid_started, excluded.started_at_ms, excluded.beat_at_ms, excluded.beat_boot_ms,"
    " excluded.ended, excluded.clock_known, excluded.wall_less_boot_ms, excluded.clock_seen_ms,"
    " excluded.clock_step_ms, excluded.clock_step_boot_ms)"};
static const struct rp_pg_statement beat_sender = {
    "beat_sender",
    "UPDATE sender SET (beat_at_ms, beat_boot_ms, clock_known, wall_less_boot_ms, clock_seen_ms,"
    " clock_step_ms, clock_step_boot_ms) = (now_ms(), $3::bigint, $4::boolean, $5::bigint,"
    " $6::bigint, $7::bigint, $8::bigint) WHERE slot = $1::bigint AND incarnation = $2::bigint"};
static const struct rp_pg_statement end_sender = {
    "end_sender",
    "UPDATE sender SET ended = true WHERE slot = $1::bigint AND incarnation = $2::bigint"};
static const struct rp_pg_statement remove_sender = {
    "remove_sender", "DELETE FROM sender WHERE slot = $1::bigint AND incarnation = $2::bigint"};
static const struct rp_pg_statement lock_sender = {
    "lock_sender",
    "SELECT slot FROM sender WHERE slot = $1::bigint AND incarnation = $2::bigint FOR UPDATE"};
static const struct rp_pg_statement find_claims = {
    "find_claims", "SELECT seq FROM delivery WHERE state = 2 AND slot = $1::bigint"
		   " ORDER BY seq LIMIT $2::bigint"};

struct sender {
	unsigned slot;
	uint64_t incarnation;
	uint32_t pid;
	int64_t pid_started, started_at_ms, beat_at_ms, beat_boot_ms, silent_ms;
	bool here; /* on this machine */
	bool ended;
	struct rp_clock_watch clock;
};

static void read_sender(const struct rp_pg_rows *r, size_t row, const char *machine,
			struct sender *out)
{
	*out = (struct sender){.slot = (unsigned)rp_pg_i64(r, row, 0),
			       .incarnation = (uint64_t)rp_pg_i64(r, row, 1),
			       .pid = (uint32_t)rp_pg_i64(r, row, 3),
			       .pid_started = rp_pg_i64(r, row, 4),
			       .started_at_ms = rp_pg_i64(r, row, 5),
			       .beat_at_ms = rp_pg_i64(r, row, 6),
			       .beat_boot_ms = rp_pg_i64(r, row, 7),
			       .here = machine[0] != '\0' &&
				       rp_span_is(rp_pg_bytes(r, row, 2), machine),
			       .ended = rp_pg_bool(r, row, 8),
			       .clock = {.known = rp_pg_bool(r, row, 9),
					 .wall_less_boot_ms = rp_pg_i64(r, row, 10),
					 .seen_ms = rp_pg_i64(r, row, 11),
					 .step_ms = rp_pg_i64(r, row, 12),
					 .step_boot_ms = rp_pg_i64(r, row, 13)},
			       .silent_ms = rp_pg_i64(r, row, 14)};
}

static bool has_ended(const struct sender *s)
{
	return s->ended || (s->here && rp_pg_process_started(s->pid) != s->pid_started);
}

/* The clocks since the boot of two machines have nothing in common; the database's is one. */
static bool is_silent(const struct sender *s, int64_t boot_ms, int64_t lease_ms)
{
	return (s->here ? boot_ms - s->beat_boot_ms : s->silent_ms) > lease_ms;
}

static void put_me(struct rp_pg_params *p, const struct rp_sender_id *me)
{
	rp_pg_put_i64(p, me->slot);
	rp_pg_put_i64(p, (int64_t)me->incarnation);
}

/* --- claims that go back ----------------------------------------------------------------- */

static enum rp_err return_some(struct rp_pg_txn *t, const struct rp_lost_sender *sender,
			       const uint64_t *seqs, size_t n, size_t *n_returned,
			       struct rp_error *err)
{
	enum rp_err e = rp_pg_lock_entries(t, seqs, n, err);
	size_t i;

	for (i = 0; e == RP_OK && i < n; i++) {
		const struct rp_pg_entry *entry = rp_pg_entry_of(t, seqs[i]);
		struct rp_delivery from, to;
		struct rp_attempt a;

		if (entry == NULL)
			continue;
		from = entry->d;
		if (!rp_transition_lost(&from, false, sender, t->now_at_ms, &to, &a))
			continue;
		e = rp_pg_move(t, seqs[i], &from, &to, err);
		if (e == RP_OK)
			e = rp_pg_log_attempt(t, seqs[i], from.endpoint, to.attempts, &a, err);
		(*n_returned)++;
	}
	return e;
}

/* Under the lock of the sender's row, which whoever takes the slot has to wait for: if it has
 * another incarnation by now its claims are live. */
static enum rp_err find_some(struct rp_pg_txn *t, const struct rp_sender_id *id,
			     uint64_t seqs[CLAIMS_A_TXN], size_t *n, struct rp_error *err)
{
	struct rp_pg *pg = rp_pg_of(t);
	struct rp_pg_params *p = rp_pg_params(pg);
	size_t lock, ask, i;
	enum rp_err e;

	put_me(p, id);
	lock = rp_pg_ask(pg, &lock_sender);
	p = rp_pg_params(pg);
	rp_pg_put_i64(p, id->slot);
	rp_pg_put_i64(p, CLAIMS_A_TXN);
	ask = rp_pg_ask(pg, &find_claims);
	e = rp_pg_go(pg, err);
	*n = e == RP_OK && rp_pg_n_rows(rp_pg_answer(pg, lock)) > 0
		 ? rp_pg_n_rows(rp_pg_answer(pg, ask))
		 : 0;
	for (i = 0; i < *n; i++)
		seqs[i] = (uint64_t)rp_pg_i64(rp_pg_answer(pg, ask), i, 0);
	return e;
}

/* In transactions of a bounded number. id: whose the slot is. */
static enum rp_err return_claims(struct rp_pgstore *s, int64_t now_at_ms,
				 const struct rp_sender_id *id, const struct rp_lost_sender *sender,
				 size_t *n_returned, struct rp_error *err)
{
	uint64_t seqs[CLAIMS_A_TXN];
	struct rp_pg_txn *t;
	size_t n;
	enum rp_err e;

	do {
		e = rp_pg_begin(s, now_at_ms, &t, err);
		if (e != RP_OK)
			return e;
		e = find_some(t, id, seqs, &n, err);
		if (e == RP_OK && n > 0)
			e = return_some(t, sender, seqs, n, n_returned, err);
		e = rp_pg_finish(t, e, err);
	} while (e == RP_OK && n == CLAIMS_A_TXN);
	return e;
}

/* --- coming and going -------------------------------------------------------------------- */

static void put_clock(struct rp_pg_params *p, const struct rp_clock_watch *c)
{
	rp_pg_put_bool(p, c->known);
	rp_pg_put_i64(p, c->wall_less_boot_ms);
	rp_pg_put_i64(p, c->seen_ms);
	rp_pg_put_i64(p, c->step_ms);
	rp_pg_put_i64(p, c->step_boot_ms);
}

static void ask_my_row(struct rp_pgstore *s, const char *machine, int64_t now_at_ms,
		       int64_t boot_ms)
{
	struct rp_pg_params *p = rp_pg_params(s->pg);

	put_me(p, &s->me);
	rp_pg_put_text(p, rp_span_of(machine));
	rp_pg_put_i64(p, s->me_pid);
	rp_pg_put_i64(p, rp_pg_process_started(s->me_pid));
	rp_pg_put_i64(p, now_at_ms);
	rp_pg_put_i64(p, boot_ms);
	put_clock(p, &s->clock);
	rp_pg_ask(s->pg, &put_sender);
}

/* The first slot that nobody has; SLOTS: all are taken. *last: the PID of its last holder. */
static unsigned free_slot(const struct rp_pg_rows *rows, const char *machine, uint32_t *last)
{
	size_t n = rp_pg_n_rows(rows), i;
	unsigned slot = 0;

	*last = 0;
	for (i = 0; i < n; i++, slot++) {
		struct sender other;

		read_sender(rows, i, machine, &other);
		if (other.slot > slot)
			return slot;
		if (has_ended(&other)) {
			*last = other.pid;
			return slot;
		}
	}
	return slot;
}

static enum rp_err take_slot(struct rp_pg_txn *t, int64_t now_at_ms, int64_t boot_ms,
			     uint32_t *last, struct rp_error *err)
{
	struct rp_pgstore *s = t->store;
	char machine[RP_PG_MACHINE_MAX];
	size_t ask;
	enum rp_err e;

	rp_pg_params(rp_pg_of(t));
	rp_pg_ask(s->pg, &lock_joins);
	ask = rp_pg_ask(s->pg, &read_senders);
	e = rp_pg_go(s->pg, err);
	if (e != RP_OK)
		return e;
	rp_pg_machine(machine);
	s->me.slot = free_slot(rp_pg_answer(s->pg, ask), machine, last);
	if (s->me.slot >= SLOTS)
		return rp_fail(err, RP_ERR_BUSY, "all %d slots are taken", SLOTS);
	rp_sys_random(s->sys, &s->me.incarnation, sizeof s->me.incarnation);
	s->me_pid = (uint32_t)getpid();
	s->clock = (struct rp_clock_watch){.known = false};
	rp_clock_watch_see(&s->clock, now_at_ms, boot_ms);
	ask_my_row(s, machine, now_at_ms, boot_ms);
	t->dirty = true;
	return RP_OK;
}

enum rp_err rp_pgop_join(struct rp_outbox *outbox, int64_t now_at_ms, int64_t boot_ms,
			 struct rp_sender_id *out, struct rp_error *err)
{
	struct rp_pgstore *s = rp_pgstore_of(outbox);
	struct rp_lost_sender before;
	size_t n_returned = 0;
	struct rp_pg_txn *t;
	uint32_t last = 0;
	enum rp_err e = rp_pg_begin(s, now_at_ms, &t, err);

	if (e != RP_OK)
		return e;
	e = rp_pg_finish(t, take_slot(t, now_at_ms, boot_ms, &last, err), err);
	if (e != RP_OK)
		return e;
	s->joined = true;
	*out = s->me;
	/* what the slot's last holder left: this one has claimed nothing yet */
	before = (struct rp_lost_sender){s->me.slot, last};
	e = return_claims(s, now_at_ms, &s->me, &before, &n_returned, err);
	if (e == RP_OK && n_returned > 0)
		rp_pg_tell(s, RP_WATCH_WORK);
	return e;
}

enum rp_err rp_pgop_leave(struct rp_outbox *outbox, int64_t now_at_ms, struct rp_error *err)
{
	struct rp_pgstore *s = rp_pgstore_of(outbox);
	const struct rp_lost_sender me = {s->me.slot, s->me_pid};
	size_t n_returned = 0;
	enum rp_err e;

	if (!s->joined)
		return RP_OK;
	e = return_claims(s, now_at_ms, &s->me, &me, &n_returned, err);
	if (e != RP_OK)
		return e;
	put_me(rp_pg_params(s->pg), &s->me);
	rp_pg_ask(s->pg, &remove_sender);
	e = rp_pg_go(s->pg, err);
	if (e != RP_OK)
		return e;
	s->joined = false;
	rp_pg_tell(s, RP_WATCH_WORK);
	return RP_OK;
}

/* A handle that is closed without a leave is a sender that has ended. */
void rp_pg_senders_close(struct rp_pgstore *s)
{
	if (!s->joined || s->pg == NULL || rp_pg_is_lost(s->pg))
		return;
	put_me(rp_pg_params(s->pg), &s->me);
	rp_pg_ask(s->pg, &end_sender);
	(void)rp_pg_go(s->pg, NULL);
	rp_pg_tell(s, RP_WATCH_WORK);
}

/* A beat that cannot be written is not an error: the lease is what it is for. */
void rp_pgop_beat(struct rp_outbox *outbox, int64_t now_at_ms, int64_t boot_ms)
{
	struct rp_pgstore *s = rp_pgstore_of(outbox);
	struct rp_pg_params *p;

	rp_clock_watch_see(&s->clock, now_at_ms, boot_ms);
	rp_pg_listeners_mend(s);
	if (!s->joined || rp_pg_reach_side(s, NULL) != RP_OK)
		return;
	p = rp_pg_params(s->side);
	put_me(p, &s->me);
	rp_pg_put_i64(p, boot_ms);
	put_clock(p, &s->clock);
	rp_pg_say(s->side, &beat_sender);
}

static enum rp_err reap_one(struct rp_pgstore *s, int64_t now_at_ms, const struct sender *other,
			    size_t *n_returned, struct rp_error *err)
{
	const struct rp_lost_sender lost = {other->slot, other->pid};
	const struct rp_sender_id id = {other->slot, other->incarnation};
	enum rp_err e = return_claims(s, now_at_ms, &id, &lost, n_returned, err);

	if (e != RP_OK || !has_ended(other))
		return e;
	put_me(rp_pg_params(s->pg), &id);
	rp_pg_ask(s->pg, &remove_sender);
	return rp_pg_go(s->pg, err);
}

enum rp_err rp_pgop_reap(struct rp_outbox *outbox, int64_t now_at_ms, int64_t boot_ms,
			 int64_t lease_ms, size_t *n_returned, struct rp_error *err)
{
	struct rp_pgstore *s = rp_pgstore_of(outbox);
	struct sender lost[SLOTS];
	char machine[RP_PG_MACHINE_MAX];
	size_t n_lost = 0, ask, i;
	enum rp_err e = rp_pg_reach(s, err);

	*n_returned = 0;
	if (e != RP_OK)
		return e;
	rp_pg_params(s->pg);
	ask = rp_pg_ask(s->pg, &read_senders);
	e = rp_pg_go(s->pg, err);
	if (e != RP_OK)
		return e;
	rp_pg_machine(machine);
	for (i = 0; i < rp_pg_n_rows(rp_pg_answer(s->pg, ask)) && n_lost < SLOTS; i++) {
		struct sender *other = &lost[n_lost];

		read_sender(rp_pg_answer(s->pg, ask), i, machine, other);
		if (s->joined && other->slot == s->me.slot)
			continue;
		if (other->here && !has_ended(other))
			rp_pg_listener_add_process(s, other->pid);
		n_lost += has_ended(other) || is_silent(other, boot_ms, lease_ms);
	}
	for (i = 0; e == RP_OK && i < n_lost; i++)
		e = reap_one(s, now_at_ms, &lost[i], n_returned, err);
	if (*n_returned > 0)
		rp_pg_tell(s, RP_WATCH_WORK);
	return e;
}

/* Of those that it cannot see on other machines a watcher hears by the lease. */
static enum rp_err watch_processes(struct rp_pgstore *s, struct rp_error *err)
{
	char machine[RP_PG_MACHINE_MAX];
	size_t ask, i;
	enum rp_err e = rp_pg_reach(s, err);

	if (e != RP_OK)
		return e;
	rp_pg_params(s->pg);
	ask = rp_pg_ask(s->pg, &read_senders);
	e = rp_pg_go(s->pg, err);
	rp_pg_machine(machine);
	for (i = 0; e == RP_OK && i < rp_pg_n_rows(rp_pg_answer(s->pg, ask)); i++) {
		struct sender other;

		read_sender(rp_pg_answer(s->pg, ask), i, machine, &other);
		if (other.here && !has_ended(&other))
			rp_pg_listener_add_process(s, other.pid);
	}
	return e;
}

enum rp_err rp_pgop_watch(struct rp_outbox *outbox, enum rp_watch what, int *fd,
			  struct rp_error *err)
{
	struct rp_pgstore *s = rp_pgstore_of(outbox);
	enum rp_err e = rp_pg_listen(s, what, fd, err);

	return e == RP_OK && what == RP_WATCH_WORK ? watch_processes(s, err) : e;
}

enum rp_err rp_pgop_senders(struct rp_outbox *outbox,
			    void (*see)(void *arg, const struct rp_sender_info *s), void *arg,
			    struct rp_error *err)
{
	struct rp_pgstore *s = rp_pgstore_of(outbox);
	const struct rp_pg_rows *rows, *claims;
	char machine[RP_PG_MACHINE_MAX];
	size_t ask, counts, i, j;
	enum rp_err e = rp_pg_reach(s, err);

	if (e != RP_OK)
		return e;
	rp_pg_params(s->pg);
	ask = rp_pg_ask(s->pg, &read_senders);
	counts = rp_pg_ask(s->pg, &count_claims);
	e = rp_pg_go(s->pg, err);
	if (e != RP_OK)
		return e;
	rows = rp_pg_answer(s->pg, ask);
	claims = rp_pg_answer(s->pg, counts);
	rp_pg_machine(machine);
	for (i = 0; i < rp_pg_n_rows(rows); i++) {
		struct rp_sender_info info;
		struct sender other;

		read_sender(rows, i, machine, &other);
		info = (struct rp_sender_info){.slot = other.slot,
					       .pid = other.pid,
					       .alive = !has_ended(&other),
					       .started_at_ms = other.started_at_ms,
					       .beat_boot_ms = other.beat_boot_ms,
					       .clock = other.clock};
		for (j = 0; j < rp_pg_n_rows(claims); j++)
			if (rp_pg_i64(claims, j, 0) == other.slot)
				info.claims = (uint64_t)rp_pg_i64(claims, j, 1);
		see(arg, &info);
	}
	return RP_OK;
}

/* --- what this store does not do --------------------------------------------------------- */

/* A sender is told and claims by an exchange: to hand over, an append would have to lock more. */
void rp_pgop_offer(struct rp_outbox *outbox, int64_t now_at_ms, size_t claims_max)
{
	(void)outbox;
	(void)now_at_ms;
	(void)claims_max;
}

enum rp_err rp_pgop_withdraw(struct rp_outbox *outbox, struct rp_error *err)
{
	(void)outbox;
	(void)err;
	return RP_OK;
}

enum rp_err rp_pgop_take(struct rp_outbox *outbox, struct rp_taking *taking, struct rp_error *err)
{
	(void)outbox;
	(void)err;
	taking->n_claims = 0;
	return RP_OK;
}
