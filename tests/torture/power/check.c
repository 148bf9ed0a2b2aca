#include "check.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define CLAIMS 64
#define TURNS_MAX 2000
#define HOUR_MS INT64_C(3600000)
#define RESEND_ONE_OF 16

__attribute__((format(printf, 2, 3))) static void violation(struct check *c, const char *format, ...)
{
	char text[600];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	c->found++;
	c->violation(c->arg, text);
}

static struct expect_run *run_of(struct check *c, struct rp_span run_id)
{
	return expect_find(c->expect, run_id);
}

static bool purge_began(const struct check *c, const struct expect_run *r)
{
	return times_before(&r->purging, c->moment->must) > 0;
}

static enum rp_err open_outbox(struct check *c, bool create, struct rp_error *err)
{
	struct rp_outbox_options o = {.create = create, .disk_reserve_bytes = 1};

	return rp_outbox_open(c->dir, &o, &c->ob, err);
}

/* --- an entry -------------------------------------------------------------------------------------------------------- */

struct attempts {
	unsigned taken, refused, damaged;
};

static void count_attempt(void *arg, uint32_t n, const struct rp_attempt *a, bool damaged)
{
	struct attempts *t = arg;

	(void)n;
	if (damaged)
		t->damaged++;
	else if (a->outcome.cause == RP_CAUSE_NONE)
		t->taken++;
	else if (a->outcome.cause == RP_CAUSE_HTTP)
		t->refused++;
}

/* Every outcome in the log of attempts is an answer that the receiver had given before. */
static void check_attempts(struct check *c, uint64_t seq, const char *id, const struct expect_run *r,
			   enum rp_state state)
{
	struct attempts t = {0};
	struct rp_error err;
	size_t taken = times_before(&r->taken, c->moment->may), refused = times_before(&r->refused, c->moment->may);

	if (rp_outbox_attempts(c->ob, seq, count_attempt, &t, &err) != RP_OK)
		violation(c, "%s: its attempts cannot be read: %s", id, err.text);
	else if (t.damaged > 0)
		violation(c, "%s: %u attempts are damaged", id, t.damaged);
	else if (t.taken > taken || t.refused > refused)
		violation(c, "%s: %u answers of 2xx and %u others are recorded, the receiver gave %zu and %zu", id,
			  t.taken, t.refused, taken, refused);
	if (state == RP_STATE_DELIVERED && taken == 0)
		violation(c, "%s: it is delivered, and the receiver had not answered", id);
	if (state == RP_STATE_DEAD && refused == 0)
		violation(c, "%s: it is dead, and nobody had refused it", id);
}

static void check_body(struct check *c, uint64_t seq, const char *id, const struct expect_run *r)
{
	struct rp_buf body = {0};
	struct rp_error err;

	if (rp_outbox_body(c->ob, seq, &body, &err) != RP_OK)
		violation(c, "%s: its payload cannot be read: %s", id, err.text);
	else if (body.len != r->payload.len || memcmp(body.data, r->payload.ptr, body.len) != 0)
		violation(c, "%s: its payload is not the one that was offered", id);
	rp_buf_release(&body);
}

/* What an entry shows is copied out of the page that showed it: the store must not be called from there. */
struct shown {
	uint64_t seq;
	unsigned char id[RP_ID_BYTES];
	struct rp_delivery delivery;
	struct expect_run *run;
};

struct look {
	struct check *c;
	struct shown all[CHECK_RUNS_MAX];
	size_t n;
	uint64_t digest;
};
static struct look look;

static uint64_t mix(uint64_t digest, const struct rp_entry *e)
{
	const struct rp_delivery *d = &e->delivery;
	uint64_t all[] = {digest,
			  e->seq,
			  (uint64_t)d->state,
			  (uint64_t)d->cause,
			  d->attempts,
			  d->failures,
			  d->losses,
			  d->replays,
			  d->claim_no,
			  (uint64_t)d->due_at_ms,
			  (uint64_t)d->state_at_ms,
			  e->facts.payload_hash,
			  0,
			  0};

	memcpy(&all[12], e->facts.id, RP_ID_BYTES);
	return rp_payload_hash(all, sizeof all);
}

static bool see(void *arg, const struct rp_entry *e)
{
	struct look *l = arg;
	struct shown *s = &l->all[l->n];

	l->digest = mix(l->digest, e);
	if (l->c == NULL)
		return true;
	if (e->damaged)
		violation(l->c, "entry %" PRIu64 " is damaged", e->seq);
	s->seq = e->seq;
	s->delivery = e->delivery;
	memcpy(s->id, e->facts.id, sizeof s->id);
	s->run = run_of(l->c, e->facts.run_id);
	if (s->run == NULL)
		violation(l->c, "entry %" PRIu64 " is of a run that nobody offered", e->seq);
	else if (++l->n == CHECK_RUNS_MAX)
		return false;
	return true;
}

/* Fills `look` with all entries. */
static bool look_at_all(struct check *c, bool judge)
{
	struct rp_page page = {.max_seen = 500, .see = see, .arg = &look};
	struct rp_ledger ledger;
	struct rp_error err;

	look.c = judge ? c : NULL;
	look.n = 0;
	look.digest = 1;
	do {
		if (rp_outbox_page(c->ob, &page, &err) != RP_OK) {
			if (judge)
				violation(c, "entries cannot be read: %s", err.text);
			return false;
		}
	} while (page.more);
	if (rp_outbox_ledger(c->ob, &ledger, &err) != RP_OK)
		return false;
	look.digest = rp_payload_hash(&ledger, sizeof ledger) ^ look.digest;
	return true;
}

static void check_entry(struct check *c, const struct shown *s)
{
	const struct expect_run *r = s->run;
	char id[RP_ID_TEXT_MAX];
	size_t done = times_before(&r->replayed, c->moment->must), begun = times_before(&r->replaying, c->moment->may);

	rp_id_format(s->id, id);
	if (c->seen[r - c->expect->runs]++ > 0)
		violation(c, "%s: there are two entries of its run", id);
	if (r->offered >= c->moment->may)
		violation(c, "%s: it is there before its line was offered", id);
	if (r->id[0] != '\0' && strcmp(r->id, id) != 0)
		violation(c, "%s: the receipt of its run says %s", id, r->id);
	if (times_before(&r->purged, c->moment->must) > 0)
		violation(c, "%s: it was purged", id);
	if (s->delivery.replays < done || s->delivery.replays > begun)
		violation(c, "%s: replayed %u times, not %zu to %zu", id, s->delivery.replays, done, begun);
	if (s->delivery.state == RP_STATE_HELD && times_before(&r->holding, c->moment->may) == 0)
		violation(c, "%s: it is held, and nobody asked for it", id);
	check_attempts(c, s->seq, id, r, s->delivery.state);
	check_body(c, s->seq, id, r);
}

/* --- the outbox ------------------------------------------------------------------------------------------------------ */

static void tell_problem(void *arg, const char *text)
{
	violation(arg, "verify: %s", text);
}

static void check_sound(struct check *c, const char *when)
{
	struct rp_verify_counts counts = {0};
	struct rp_error err;
	unsigned before = c->found;

	if (rp_outbox_verify(c->ob, tell_problem, c, &counts, &err) != RP_OK)
		violation(c, "%s: verify failed: %s", when, err.text);
	else if (counts.problems > 0 && c->found == before)
		violation(c, "%s: verify counts %" PRIu64 " problems", when, counts.problems);
}

/* Each state of a power cut is one that the outbox was in, after its last commit or the one before: no more than the last
 * turn of a sender is undone, and nothing is half of two. */
static void check_rollback(struct check *c)
{
	struct rp_outbox_info info;
	struct rp_error err;

	if (rp_outbox_info(c->ob, &info, &err) != RP_OK) {
		violation(c, "no information: %s", err.text);
		return;
	}
	if (c->moment->commits == 0)
		return;
	if (info.commits > c->moment->commits || info.commits + 1 < c->moment->commits)
		violation(c, "%" PRIu64 " commits are left of %" PRIu64, info.commits, c->moment->commits);
	else if (info.commits < CHECK_COMMITS_MAX && c->digests[info.commits] != 0 &&
		 c->digests[info.commits] != look.digest)
		violation(c, "after commit %" PRIu64 " the outbox did not look like this", info.commits);
}

static void check_receipts(struct check *c)
{
	size_t i;

	for (i = 0; i < c->expect->n; i++) {
		const struct expect_run *r = &c->expect->runs[i];

		if (r->receipted < c->moment->must && c->seen[i] == 0 && times_before(&r->purging, c->moment->may) == 0)
			violation(c, "%s: it has a receipt, and is lost", r->id);
	}
}

/* --- going on after it ----------------------------------------------------------------------------------------------- */

static bool is_resent(const struct check *c, size_t i)
{
	const struct expect_run *r = &c->expect->runs[i];

	if (r->offered >= c->moment->must || purge_began(c, r))
		return false;
	return r->receipted >= c->moment->must || (i + c->moment->must) % RESEND_ONE_OF == 0;
}

/* Sends lines again, as a producer does with those that have no receipt: what is there is a duplicate. */
static void resend(struct check *c)
{
	const struct rp_run_options none = {0};
	struct rp_appender to = rp_appender_of(c->ob);
	struct rp_error err;
	size_t i, n = 0;

	rp_batch_clear(&c->batch);
	for (i = 0; i < c->expect->n; i++)
		if (is_resent(c, i) && rp_batch_add(&c->batch, c->expect->runs[i].line, &none) == NULL)
			violation(c, "no memory");
	if (c->batch.n == 0)
		return;
	if (rp_batch_append(&c->batch, 0, c->batch.n, &to, c->now_at_ms, &err) != RP_OK) {
		violation(c, "nothing can be appended: %s", err.text);
		return;
	}
	for (i = 0; i < c->expect->n; i++) {
		const struct expect_run *r = &c->expect->runs[i];
		const struct rp_appended *a;
		char id[RP_ID_TEXT_MAX];

		if (!is_resent(c, i))
			continue;
		a = rp_batch_result(&c->batch, n++);
		rp_id_format(a->id, id);
		if (a->duplicate != (c->seen[i] > 0))
			violation(c, "%.*s: sent again it is %s", (int)r->run_id.len, r->run_id.ptr,
				  a->duplicate ? "a duplicate of nothing" : "there twice");
		else if (r->receipted < c->moment->must && strcmp(id, r->id) != 0)
			violation(c, "%s: sent again it is %s", r->id, id);
		c->seen[i] = 1;
	}
}

static void release_held(struct check *c)
{
	enum rp_changed result;
	struct rp_error err;
	size_t i;

	for (i = 0; i < look.n; i++)
		if (look.all[i].delivery.state == RP_STATE_HELD &&
		    rp_outbox_change(c->ob, c->now_at_ms, RP_CHANGE_RELEASE, 0, &look.all[i].seq, 1, &result, &err) !=
			RP_OK)
			violation(c, "release failed: %s", err.text);
}

static struct rp_limits no_limits(void *arg, uint64_t endpoint, struct rp_span name)
{
	(void)arg;
	(void)endpoint;
	(void)name;
	return (struct rp_limits){.in_flight = CLAIMS, .start = CLAIMS};
}

static void check_dispatch(struct check *c, const struct rp_claim *claim, struct rp_dispatch *d)
{
	struct expect_run *r;
	struct rp_error err;

	if (rp_outbox_fetch(c->ob, claim, d, &err) != RP_OK) {
		violation(c, "entry %" PRIu64 " was claimed and cannot be sent: %s", claim->seq, err.text);
		return;
	}
	r = run_of(c, d->facts.run_id);
	if (r == NULL || d->payload.len != r->payload.len ||
	    memcmp(d->payload.ptr, r->payload.ptr, r->payload.len) != 0)
		violation(c, "entry %" PRIu64 " would be sent with another payload than was offered", claim->seq);
}

/* Delivers all that is left. */
static void drain(struct check *c)
{
	static struct rp_settlement settle[CLAIMS];
	static struct rp_claim claims[CLAIMS];
	static struct rp_outcome good = {.http_status = 200};
	static struct rp_dispatch dispatch;
	struct rp_turn turn = {.settle = settle, .claims = claims, .limits = no_limits};
	struct rp_ledger ledger = {0};
	struct rp_error err;
	int64_t now_at_ms = c->now_at_ms;
	unsigned turns;
	size_t i;

	for (turns = 0; turns < TURNS_MAX; turns++) {
		turn.want = CLAIMS;
		if (rp_outbox_turn(c->ob, now_at_ms, &turn, &err) != RP_OK) {
			violation(c, "a turn failed: %s", err.text);
			return;
		}
		for (i = 0; i < turn.n_claims; i++) {
			const struct rp_claim *k = &claims[i];

			check_dispatch(c, k, &dispatch);
			settle[i] = (struct rp_settlement){.seq = k->seq,
							   .endpoint = k->endpoint,
							   .claim_no = k->claim_no,
							   .attempt = k->attempt,
							   .kind = RP_SETTLE_DELIVERED,
							   .started_at_ms = now_at_ms,
							   .outcome = &good};
		}
		if (turn.n_dead > 0)
			violation(c, "%zu entries died without an attempt", turn.n_dead);
		turn.n_settle = turn.n_claims;
		if (turn.n_claims > 0)
			continue;
		if (rp_outbox_ledger(c->ob, &ledger, &err) != RP_OK) {
			violation(c, "no ledger: %s", err.text);
			return;
		}
		if (ledger.waiting + ledger.in_flight == 0)
			return;
		now_at_ms += HOUR_MS;
	}
	violation(c, "it does not drain: %" PRIu64 " are waiting, %" PRIu64 " in flight", ledger.waiting,
		  ledger.in_flight);
}

static void check_drained(struct check *c)
{
	size_t i;

	memset(c->seen, 0, sizeof c->seen);
	if (!look_at_all(c, true))
		return;
	for (i = 0; i < look.n; i++) {
		const struct shown *s = &look.all[i];

		c->seen[s->run - c->expect->runs]++;
		if (s->delivery.state != RP_STATE_DELIVERED && s->delivery.state != RP_STATE_DEAD)
			violation(c, "entry %" PRIu64 " is still %s in the end", s->seq,
				  rp_state_name(s->delivery.state));
	}
	for (i = 0; i < c->expect->n; i++)
		if (is_resent(c, i) && c->seen[i] != 1)
			violation(c, "%.*s: %u entries in the end", (int)c->expect->runs[i].run_id.len,
				  c->expect->runs[i].run_id.ptr, c->seen[i]);
}

static void go_on(struct check *c)
{
	struct rp_sender_id me;
	struct rp_error err;
	size_t returned = 0;

	resend(c);
	release_held(c);
	if (rp_outbox_join(c->ob, c->now_at_ms, c->boot_ms, &me, &err) != RP_OK) {
		violation(c, "no sender can join: %s", err.text);
		return;
	}
	do {
		if (rp_outbox_reap(c->ob, c->now_at_ms, c->boot_ms, HOUR_MS, &returned, &err) != RP_OK) {
			violation(c, "claims cannot be returned: %s", err.text);
			return;
		}
	} while (returned > 0);
	drain(c);
	if (rp_outbox_leave(c->ob, c->now_at_ms, &err) != RP_OK)
		violation(c, "the sender cannot leave: %s", err.text);
	check_sound(c, "after all was delivered");
	check_drained(c);
}

/* --- the image ------------------------------------------------------------------------------------------------------- */

/* Before `runpost init` or anything else that made the outbox has returned, there may be nothing, or a file whose first
 * pages are incomplete (docs/architecture.md); afterwards never. */
static bool may_be_unborn(const struct check *c)
{
	return c->expect->created >= c->moment->must;
}

static bool open_image(struct check *c)
{
	struct rp_error err = {0};
	enum rp_err e = open_outbox(c, false, &err);

	if (e == RP_OK)
		return true;
	if (may_be_unborn(c) && e == RP_ERR_FORMAT)
		return false;
	if (may_be_unborn(c) && e == RP_ERR_NOTFOUND && open_outbox(c, true, &err) == RP_OK)
		return true;
	violation(c, "it cannot be opened: %s", err.text);
	return false;
}

void check_image(struct check *c, const struct moment *moment)
{
	size_t i;

	c->moment = moment;
	c->found = 0;
	memset(c->seen, 0, sizeof c->seen);
	if (!open_image(c))
		return;
	check_sound(c, "at once");
	if (look_at_all(c, true)) {
		check_rollback(c);
		for (i = 0; i < look.n; i++)
			check_entry(c, &look.all[i]);
		check_receipts(c);
	}
	if (c->found == 0)
		go_on(c);
	rp_outbox_close(c->ob);
}

bool check_digest(struct check *c, uint64_t *commits, uint64_t *digest)
{
	struct rp_outbox_info info;
	struct rp_error err;
	bool ok;

	if (open_outbox(c, false, &err) != RP_OK)
		return false;
	ok = rp_outbox_info(c->ob, &info, &err) == RP_OK && look_at_all(c, false);
	*commits = info.commits;
	*digest = look.digest;
	rp_outbox_close(c->ob);
	return ok;
}
