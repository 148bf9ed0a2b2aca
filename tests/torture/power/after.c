#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "check_int.h"

#define CLAIMS 64
#define EXCHANGES_MAX 2000
#define HOUR_MS INT64_C(3600000)
#define RESEND_ONE_OF 16

/* What a machine that is up again does: the producer sends what has no receipt, senders deliver
 * all that is left. */

static bool is_resent(const struct check *c, size_t i)
{
	const struct expect_run *r = &c->expect->runs[i];

	if (r->offered >= c->moment->must || times_before(&r->purging, c->moment->must) > 0 ||
	    expect_may_have_expired(c->expect, r, c->moment->must))
		return false;
	return r->receipted >= c->moment->must || (i + c->moment->must) % RESEND_ONE_OF == 0;
}

/* Sends lines again, as a producer does with those that have no receipt: what is there is a
 * duplicate. */
static void resend(struct check *c)
{
	const struct rp_run_options none = {0};
	struct rp_appender to = rp_appender_of(c->ob);
	struct rp_error err;
	size_t i, n = 0;

	rp_batch_clear(&c->batch);
	for (i = 0; i < c->expect->n; i++)
		if (is_resent(c, i) &&
		    rp_batch_add(&c->batch, c->expect->runs[i].line, &none) == NULL)
			check_violation(c, "no memory");
	if (c->batch.n == 0)
		return;
	if (rp_batch_append(&c->batch, 0, c->batch.n, &to, c->now_at_ms, &err) != RP_OK) {
		check_violation(c, "nothing can be appended: %s", err.text);
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
			check_violation(c, "%.*s: sent again it is %s", (int)r->run_id.len,
					r->run_id.ptr,
					a->duplicate ? "a duplicate of nothing" : "there twice");
		else if (r->receipted < c->moment->must && strcmp(id, r->id) != 0)
			check_violation(c, "%s: sent again it is %s", r->id, id);
		c->seen[i] = 1;
	}
}

static void release_held(struct check *c)
{
	enum rp_changed result;
	struct rp_error err;
	size_t i;

	for (i = 0; i < check_all.n; i++)
		if (check_all.all[i].delivery.state == RP_STATE_HELD &&
		    rp_outbox_change(c->ob, c->now_at_ms, RP_CHANGE_RELEASE, 0,
				     &check_all.all[i].seq, 1, 0, &result, &err) != RP_OK)
			check_violation(c, "release failed: %s", err.text);
}

static void no_limits(void *arg, struct rp_span name, struct rp_level_limits *out)
{
	const struct rp_limits all = {.in_flight = CLAIMS, .start = CLAIMS};

	(void)arg;
	(void)name;
	*out = (struct rp_level_limits){{all, all, all}, {"", 0}};
}

static void check_dispatch(struct check *c, const struct rp_claim *claim, struct rp_dispatch *d)
{
	struct expect_run *r;
	struct rp_error err;

	if (rp_outbox_fetch(c->ob, claim, d, &err) != RP_OK) {
		check_violation(c, "entry %" PRIu64 " was claimed and cannot be sent: %s",
				claim->seq, err.text);
		return;
	}
	r = expect_find(c->expect, d->facts.run_id);
	if (r == NULL || d->payload.len != r->payload.len ||
	    memcmp(d->payload.ptr, r->payload.ptr, r->payload.len) != 0)
		check_violation(
		    c, "entry %" PRIu64 " would be sent with another payload than was offered",
		    claim->seq);
}

/* Delivers all that is left. */
static void drain(struct check *c)
{
	static struct rp_settlement settle[CLAIMS];
	static struct rp_claim claims[CLAIMS];
	static struct rp_outcome good = {.http_status = 200};
	static struct rp_dispatch dispatch;
	struct rp_exchange exchange = {.settle = settle, .claims = claims, .limits = no_limits};
	struct rp_ledger ledger = {0};
	struct rp_error err;
	int64_t now_at_ms = c->now_at_ms;
	unsigned exchanges;
	size_t i;

	for (exchanges = 0; exchanges < EXCHANGES_MAX; exchanges++) {
		exchange.want = exchange.want_unproven = CLAIMS;
		if (rp_outbox_exchange(c->ob, now_at_ms, &exchange, &err) != RP_OK) {
			check_violation(c, "an exchange failed: %s", err.text);
			return;
		}
		for (i = 0; i < exchange.n_claims; i++) {
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
		if (exchange.n_dead > 0)
			check_violation(c, "%zu entries died without an attempt", exchange.n_dead);
		exchange.n_settle = exchange.n_claims;
		if (exchange.n_claims > 0)
			continue;
		if (rp_outbox_ledger(c->ob, &ledger, &err) != RP_OK) {
			check_violation(c, "no ledger: %s", err.text);
			return;
		}
		if (ledger.waiting + ledger.in_flight == 0)
			return;
		now_at_ms += HOUR_MS;
	}
	check_violation(c, "it does not drain: %" PRIu64 " are waiting, %" PRIu64 " in flight",
			ledger.waiting, ledger.in_flight);
}

static void check_drained(struct check *c)
{
	size_t i;

	memset(c->seen, 0, sizeof c->seen);
	if (!check_look(c, true))
		return;
	for (i = 0; i < check_all.n; i++) {
		const struct shown *s = &check_all.all[i];

		c->seen[s->run - c->expect->runs]++;
		if (s->delivery.state != RP_STATE_DELIVERED && s->delivery.state != RP_STATE_DEAD)
			check_violation(c, "entry %" PRIu64 " is still %s in the end", s->seq,
					rp_state_name(s->delivery.state));
	}
	for (i = 0; i < c->expect->n; i++)
		if (is_resent(c, i) && c->seen[i] != 1)
			check_violation(c, "%.*s: %u entries in the end",
					(int)c->expect->runs[i].run_id.len,
					c->expect->runs[i].run_id.ptr, c->seen[i]);
}

void check_go_on(struct check *c)
{
	struct rp_sender_id me;
	struct rp_error err;
	size_t returned = 0;

	resend(c);
	release_held(c);
	if (rp_outbox_join(c->ob, c->now_at_ms, c->boot_ms, &me, &err) != RP_OK) {
		check_violation(c, "no sender can join: %s", err.text);
		return;
	}
	do {
		if (rp_outbox_reap(c->ob, c->now_at_ms, c->boot_ms, HOUR_MS, &returned, &err) !=
		    RP_OK) {
			check_violation(c, "claims cannot be returned: %s", err.text);
			return;
		}
	} while (returned > 0);
	drain(c);
	if (rp_outbox_leave(c->ob, c->now_at_ms, &err) != RP_OK)
		check_violation(c, "the sender cannot leave: %s", err.text);
	check_sound(c, "after all was delivered");
	check_drained(c);
}
