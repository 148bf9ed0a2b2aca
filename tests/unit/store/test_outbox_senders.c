/* Senders as processes: slots, death, standstill, leases, two of them at one outbox; and opening
 * by several at once.
 *
 * Children are started before anything is open, and speak over pipes. */
#include "unit/outbox_fixture.h"

#include <check.h>
#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "store/lmdb/host/registry.h"

#define DEADLINE_MS 10000

/* --- a sender that does what it is told
 * --------------------------------------------------------------------------------- */

enum order { ORDER_CLAIM = 1, ORDER_SETTLE, ORDER_BEAT, ORDER_LEAVE, ORDER_QUIT };

struct command {
	enum order order;
	size_t n;
	struct rp_claim claim;
	enum rp_settle_kind kind;
	int64_t now_ms, boot_ms;
};

struct answer {
	unsigned slot;
	uint64_t incarnation;
	size_t n_claims;
	struct rp_claim claims[64];
	bool stale;
};

static void obey(const struct command *c, struct answer *a)
{
	fx.now_ms = c->now_ms;
	fx.boot_ms = c->boot_ms;
	if (c->order == ORDER_CLAIM) {
		fx_exchange(c->n, NULL, 0);
		a->n_claims = fx.n_claims;
		memcpy(a->claims, fx.claims, fx.n_claims * sizeof a->claims[0]);
	} else if (c->order == ORDER_SETTLE) {
		a->stale = fx_settle(&c->claim, c->kind);
	} else if (c->order == ORDER_BEAT) {
		rp_outbox_beat(fx.ob, fx.now_ms, fx.boot_ms);
	} else if (c->order == ORDER_LEAVE) {
		ck_assert_int_eq(rp_outbox_leave(fx.ob, fx.now_ms, &fx.err), RP_OK);
	}
}

static void sender(int in, int out)
{
	struct command c = {.order = ORDER_CLAIM};
	struct answer a = {0};

	fx_open();
	fx_join();
	a.slot = fx.me.slot;
	a.incarnation = fx.me.incarnation;
	fx_send(out, &a, sizeof a);
	while (read(in, &c, sizeof c) == (ssize_t)sizeof c && c.order != ORDER_QUIT) {
		obey(&c, &a);
		fx_send(out, &a, sizeof a);
	}
}

static struct answer hear(struct fx_child *child)
{
	struct answer a;

	fx_receive(child->out, &a, sizeof a);
	return a;
}

static struct answer tell(struct fx_child *child, struct command c)
{
	c.now_ms = fx.now_ms;
	c.boot_ms = fx.boot_ms;
	fx_send(child->in, &c, sizeof c);
	return hear(child);
}

static void dismiss(struct fx_child *child)
{
	struct command c = {.order = ORDER_QUIT};

	fx_send(child->in, &c, sizeof c);
	fx_finish(child);
}

/* Entries are appended by this process, which is an inspector until it joins. */
static struct answer start_claiming(struct fx_child *child, size_t n)
{
	*child = fx_start(sender);
	hear(child);
	fx_open();
	fx_append(1, n);
	return tell(child, (struct command){.order = ORDER_CLAIM, .n = n});
}

/* --- slots
 * ------------------------------------------------------------------------------------------ */

START_TEST(senders_take_distinct_slots)
{
	struct fx_child children[3];
	struct answer a[3];
	int i;

	for (i = 0; i < 3; i++) {
		children[i] = fx_start(sender);
		a[i] = hear(&children[i]);
	}
	fx_open();
	fx_join();
	ck_assert_uint_ne(a[0].slot, a[1].slot);
	ck_assert_uint_ne(a[0].slot, a[2].slot);
	ck_assert_uint_ne(a[1].slot, a[2].slot);
	ck_assert_uint_ne(a[0].incarnation, a[1].incarnation);
	for (i = 0; i < 3; i++) {
		ck_assert_uint_ne(a[i].slot, fx.me.slot);
		dismiss(&children[i]);
	}
}
END_TEST

static void count_alive(void *arg, const struct rp_sender_info *s)
{
	unsigned *alive = arg;

	alive[0] += s->alive;
	alive[1]++;
	alive[2] += (unsigned)s->claims;
}

START_TEST(inspectors_see_who_is_alive_themselves_included)
{
	struct fx_child child;
	unsigned alive[3] = {0};

	start_claiming(&child, 3);
	fx_join();
	ck_assert_int_eq(rp_outbox_senders(fx.ob, count_alive, alive, &fx.err), RP_OK);
	ck_assert_uint_eq(alive[0], 2);
	ck_assert_uint_eq(alive[1], 2);
	ck_assert_uint_eq(alive[2], 3);
	fx_kill(&child);
	memset(alive, 0, sizeof alive);
	ck_assert_int_eq(rp_outbox_senders(fx.ob, count_alive, alive, &fx.err), RP_OK);
	ck_assert_uint_eq(alive[0], 1);
	ck_assert_uint_eq(alive[1], 2);
	ck_assert_uint_eq(fx_reap(60000), 3);
}
END_TEST

static void see_step(void *arg, const struct rp_sender_info *s)
{
	int64_t *step_ms = arg;

	*step_ms = rp_clock_watch_step_ms(&s->clock, fx.now_ms, fx.boot_ms, 3600000);
}

START_TEST(inspectors_see_that_the_wall_clock_was_set)
{
	int64_t step_ms = -1;
	int i;

	fx_open();
	fx_join();
	for (i = 0; i < 5; i++) {
		ck_assert_int_eq(rp_outbox_senders(fx.ob, see_step, &step_ms, &fx.err), RP_OK);
		ck_assert_int_eq(step_ms, i == 0 ? 0 : 90000);
		fx.now_ms += i == 0 ? 91000 : 1000;
		fx.boot_ms += 1000;
		if (i > 0)
			rp_outbox_beat(fx.ob, fx.now_ms, fx.boot_ms);
	}
}
END_TEST

START_TEST(leaving_returns_what_is_claimed_and_frees_the_slot)
{
	struct fx_child child;
	struct answer a = start_claiming(&child, 2);

	ck_assert_uint_eq(a.n_claims, 2);
	tell(&child, (struct command){.order = ORDER_LEAVE});
	ck_assert_uint_eq(fx_ledger().waiting, 2);
	ck_assert_uint_eq(fx_rows(RP_T_SENDER), 0);
	fx_join();
	ck_assert_uint_eq(fx.me.slot, a.slot);
	dismiss(&child);
}
END_TEST

START_TEST(joining_returns_what_the_last_holder_of_the_slot_left)
{
	struct fx_child child;
	struct answer a = start_claiming(&child, 2);

	fx_kill(&child);
	ck_assert_uint_eq(fx_ledger().in_flight, 2);
	fx_join();
	ck_assert_uint_eq(fx.me.slot, a.slot);
	ck_assert_uint_ne(fx.me.incarnation, a.incarnation);
	ck_assert_uint_eq(fx_ledger().waiting, 2);
	fx_exchange(5, NULL, 0);
	ck_assert_uint_eq(fx.n_claims, 2);
	ck_assert_uint_eq(fx.claims[0].attempt, 2);
}
END_TEST

START_TEST(many_claims_of_a_dead_sender_come_back_in_portions)
{
	struct fx_child child = fx_start(sender);
	size_t n = 0, i;

	hear(&child);
	fx_open();
	fx_append(1, 1024);
	for (i = 0; i < 16; i++)
		n += tell(&child, (struct command){.order = ORDER_CLAIM, .n = 64}).n_claims;
	ck_assert_uint_eq(n, 1024);
	fx_kill(&child);
	for (i = 0; n > 0; i++) {
		size_t back = fx_reap(60000);

		ck_assert_uint_gt(back, 0);
		ck_assert_uint_le(back, 500);
		n -= back;
	}
	ck_assert_uint_eq(fx_ledger().waiting, 1024);
	ck_assert_uint_eq(fx_reap(60000), 0);
	ck_assert_uint_eq(fx_rows(RP_T_SENDER), 0);
}
END_TEST

/* --- death and standstill
 * ------------------------------------------------------------------------------------------ */

START_TEST(claims_of_a_killed_sender_come_back_at_once)
{
	struct fx_child child;
	struct answer a = start_claiming(&child, 3);
	struct rp_attempt attempt;
	struct rp_delivery d;
	pid_t pid = child.pid;

	ck_assert_uint_eq(fx_reap(60000), 0);
	fx_kill(&child);
	fx.now_ms += 7;
	ck_assert_uint_eq(fx_reap(60000), 3);
	d = fx_delivery(a.claims[0].seq);
	ck_assert_int_eq(d.state, RP_STATE_WAITING);
	ck_assert_int_eq(d.due_at_ms, fx.now_ms);
	ck_assert_int_eq(d.last_cause, RP_CAUSE_SENDER_LOST);
	ck_assert_uint_eq(d.failures, 0);
	ck_assert_uint_eq(d.losses, 1);
	attempt = fx_attempt(a.claims[0].seq, 1, NULL);
	ck_assert_int_eq(attempt.outcome.cause, RP_CAUSE_SENDER_LOST);
	ck_assert_int_eq(attempt.started_at_ms, fx.now_ms - 7);
	ck_assert_uint_eq(attempt.slot, a.slot);
	ck_assert_uint_eq(attempt.pid, (uint32_t)pid);
	ck_assert_uint_eq(fx_reap(60000), 0);
}
END_TEST

START_TEST(claims_of_a_stopped_sender_come_back_when_the_lease_passes)
{
	struct fx_child child;
	struct answer a = start_claiming(&child, 3);
	int status;

	ck_assert_int_eq(kill(child.pid, SIGSTOP), 0);
	ck_assert_int_eq(waitpid(child.pid, &status, WUNTRACED), child.pid);
	ck_assert(WIFSTOPPED(status));
	fx.boot_ms += 60000;
	ck_assert_uint_eq(fx_reap(60000), 0);
	fx.boot_ms++;
	ck_assert_uint_eq(fx_reap(60000), 3);
	ck_assert_uint_eq(fx_ledger().waiting, 3);
	ck_assert_uint_eq(fx_reap(60000), 0);
	fx_join();
	fx_exchange(1, NULL, 0);
	ck_assert_uint_eq(fx.n_claims, 1);
	ck_assert_uint_eq(fx.claims[0].seq, a.claims[0].seq);

	ck_assert_int_eq(kill(child.pid, SIGCONT), 0);
	ck_assert(tell(&child, (struct command){.order = ORDER_SETTLE,
						.claim = a.claims[0],
						.kind = RP_SETTLE_DEAD})
		      .stale);
	ck_assert_int_eq(fx_state(a.claims[0].seq), RP_STATE_IN_FLIGHT);
	ck_assert(tell(&child, (struct command){.order = ORDER_SETTLE,
						.claim = a.claims[0],
						.kind = RP_SETTLE_DELIVERED})
		      .stale);
	ck_assert_int_eq(fx_state(a.claims[0].seq), RP_STATE_DELIVERED);
	ck_assert(tell(&child, (struct command){.order = ORDER_SETTLE,
						.claim = a.claims[1],
						.kind = RP_SETTLE_RETRY})
		      .stale);
	ck_assert_int_eq(fx_state(a.claims[1].seq), RP_STATE_WAITING);
	dismiss(&child);
}
END_TEST

START_TEST(a_sender_that_beats_keeps_its_claims)
{
	struct fx_child child;
	int i;

	start_claiming(&child, 1);
	for (i = 0; i < 3; i++) {
		fx.boot_ms += 50000;
		tell(&child, (struct command){.order = ORDER_BEAT});
		fx.boot_ms += 50000;
		ck_assert_uint_eq(fx_reap(60000), 0);
	}
	fx.boot_ms += 50000;
	ck_assert_uint_eq(fx_reap(60000), 1);
	dismiss(&child);
}
END_TEST

START_TEST(nobody_reaps_himself)
{
	fx_open();
	fx_join();
	fx_append(1, 1);
	fx_claim();
	fx.boot_ms += 100000;
	ck_assert_uint_eq(fx_reap(10), 0);
	ck_assert_uint_eq(fx_ledger().in_flight, 1);
}
END_TEST

START_TEST(a_slot_that_changed_hands_is_not_reaped)
{
	struct fx_child first, second;
	struct answer a = start_claiming(&first, 2), b;

	fx_kill(&first);
	fx_close();
	second = fx_start(sender);
	b = hear(&second);
	ck_assert_uint_eq(a.slot, b.slot);
	fx_open();
	ck_assert_uint_eq(fx_ledger().in_flight, 0);
	ck_assert_uint_eq(tell(&second, (struct command){.order = ORDER_CLAIM, .n = 5}).n_claims,
			  2);
	ck_assert_uint_eq(fx_reap(60000), 0);
	ck_assert_uint_eq(fx_ledger().in_flight, 2);
	dismiss(&second);
	ck_assert_uint_eq(fx_reap(60000), 2);
}
END_TEST

/* The registration says one incarnation, the slot's page another: its new holder is about to
 * return the old claims. */
START_TEST(a_slot_between_two_holders_is_left_to_the_new_one)
{
	struct fx_child child;
	struct rp_registry_slot page;

	start_claiming(&child, 1);
	ck_assert_int_eq(rp_registry_open(fx_db(), &fx.err), RP_OK);
	ck_assert(rp_registry_read(fx_db(), 0, &page));
	page.incarnation++;
	rp_registry_write(fx_db(), 0, &page);
	fx.boot_ms += 1000000;
	ck_assert_uint_eq(fx_reap(1000), 0);
	page.incarnation--;
	rp_registry_write(fx_db(), 0, &page);
	ck_assert_uint_eq(fx_reap(1000), 1);
	dismiss(&child);
}
END_TEST

/* Leaving loses what is still claimed just as dying does. */
START_TEST(an_entry_that_kills_its_senders_is_slowed_down_and_then_dead)
{
	uint64_t seq;
	struct rp_delivery d;
	int64_t delay_ms = 0;
	unsigned n;

	fx_open();
	seq = fx_append(1, 1);
	for (n = 1; n <= RP_LOSSES_MAX; n++) {
		fx_join();
		ck_assert_uint_eq(fx_claim().seq, seq);
		ck_assert_int_eq(rp_outbox_leave(fx.ob, fx.now_ms, &fx.err), RP_OK);
		d = fx_delivery(seq);
		ck_assert_uint_eq(d.losses, n);
		ck_assert_uint_eq(d.attempts, n);
		if (n < RP_LOSSES_MAX)
			ck_assert_int_ge(d.due_at_ms - fx.now_ms, delay_ms);
		delay_ms = d.due_at_ms - fx.now_ms;
		fx.now_ms = d.due_at_ms;
	}
	ck_assert_int_ge(delay_ms, 60000);
	ck_assert_int_eq(d.state, RP_STATE_DEAD);
	ck_assert_int_eq(d.cause, RP_CAUSE_POISON);
	ck_assert_uint_eq(fx_attempts(seq), RP_LOSSES_MAX);
}
END_TEST

START_TEST(an_attempt_that_ends_forgets_the_losses_but_a_returned_claim_does_not)
{
	struct rp_claim c;
	uint64_t seq;

	fx_open();
	seq = fx_append(1, 1);
	fx_join();
	fx_claim();
	rp_outbox_leave(fx.ob, fx.now_ms, &fx.err);
	fx_join();
	c = fx_claim();
	fx_settle(&c, RP_SETTLE_RETURN);
	ck_assert_uint_eq(fx_delivery(seq).losses, 1);
	c = fx_claim();
	fx_settle(&c, RP_SETTLE_RETRY);
	ck_assert_uint_eq(fx_delivery(seq).losses, 0);
}
END_TEST

/* --- waking
 * ------------------------------------------------------------------------------------------ */

static void await(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};

	ck_assert_msg(poll(&p, 1, DEADLINE_MS) == 1, "the watch stays silent");
}

static void appender(int in, int out)
{
	char go;

	fx_open();
	fx_send(out, "r", 1);
	fx_receive(in, &go, 1);
	fx_append(1, 1);
}

START_TEST(the_watch_wakes_when_another_process_appends)
{
	struct fx_child child = fx_start(appender);
	struct rp_woken woken;
	char ready;
	int fd;

	fx_receive(child.out, &ready, 1);
	fx_open();
	ck_assert_int_eq(rp_outbox_watch(fx.ob, RP_WATCH_WORK, &fd, &fx.err), RP_OK);
	fx_send(child.in, "g", 1);
	await(fd);
	woken = rp_outbox_drain(fx.ob, RP_WATCH_WORK);
	ck_assert(woken.work);
	ck_assert(!woken.sender_ended);
	fx_finish(&child);
}
END_TEST

START_TEST(the_watch_wakes_when_a_sender_dies)
{
	struct fx_child child;
	struct rp_woken woken;
	int fd;

	start_claiming(&child, 1);
	ck_assert_int_eq(rp_outbox_watch(fx.ob, RP_WATCH_WORK, &fd, &fx.err), RP_OK);
	ck_assert_int_eq(kill(child.pid, SIGKILL), 0);
	await(fd);
	woken = rp_outbox_drain(fx.ob, RP_WATCH_WORK);
	ck_assert(woken.sender_ended);
	/* The kernel tells of the closed file a moment before it drops the lock. */
	while (fx_reap(60000) == 0)
		sched_yield();
	ck_assert_uint_eq(fx_ledger().waiting, 1);
	ck_assert_int_eq(waitpid(child.pid, NULL, 0), child.pid);
}
END_TEST

/* --- two at once
 * ------------------------------------------------------------------------------------------ */

#define RACE_ENTRIES 600
#define RACERS 2

struct race_event {
	uint64_t seq;
	uint32_t claim_no;
	enum rp_settle_kind kind;
};

/* Claims and settles until nothing is due for it, and tells each claim before and after. */
static void racer(int in, int out)
{
	uint64_t x = (uint64_t)getpid() * 77 + 5;
	size_t idle = 0;
	char go;

	fx_open();
	fx_join();
	fx_send(out, "r", 1);
	fx_receive(in, &go, 1);
	while (fx_ledger().waiting + fx_ledger().in_flight > 0 && idle < 1000000) {
		size_t i;

		fx_exchange(1 + fx_random(&x) % 8, NULL, 0);
		idle = fx.n_claims == 0 ? idle + 1 : 0;
		for (i = 0; i < fx.n_claims; i++) {
			struct rp_claim c = fx.claims[i];
			struct rp_settlement s = fx_settlement(
			    &c, fx_random(&x) % 4 == 0 ? RP_SETTLE_RETRY : RP_SETTLE_DELIVERED);
			struct race_event ev = {c.seq, c.claim_no, 0};
			struct rp_exchange turn = {.settle = &s, .n_settle = 1};

			s.due_at_ms = fx.now_ms;
			fx_send(out, &ev, sizeof ev);
			ck_assert_int_eq(rp_outbox_exchange(fx.ob, fx.now_ms, &turn, &fx.err),
					 RP_OK);
			ck_assert(!s.stale);
			ev.kind = s.kind;
			fx_send(out, &ev, sizeof ev);
		}
	}
}

/* A process writes its claim before it settles, and the other can claim the entry only after that;
 * so however the two pipes are read, a claim number seen twice, or a gap, is a claim given to
 * two. */
START_TEST(two_processes_never_hold_the_same_entry)
{
	static unsigned char claims[RACE_ENTRIES + 1][64];
	static size_t delivered[RACE_ENTRIES + 1], highest[RACE_ENTRIES + 1],
	    settled[RACE_ENTRIES + 1];
	struct fx_child children[RACERS];
	struct race_event ev;
	size_t i, open = RACERS, total[RACERS] = {0};
	char ready;

	for (i = 0; i < RACERS; i++) {
		children[i] = fx_start(racer);
		fx_receive(children[i].out, &ready, 1);
	}
	fx_open();
	fx_append(1, RACE_ENTRIES / 2);
	fx_append(2, RACE_ENTRIES / 2);
	fx_close();
	for (i = 0; i < RACERS; i++)
		fx_send(children[i].in, "g", 1);
	while (open > 0) {
		struct pollfd p[RACERS];

		for (i = 0; i < RACERS; i++)
			p[i] = (struct pollfd){.fd = children[i].out, .events = POLLIN};
		ck_assert_int_gt(poll(p, RACERS, DEADLINE_MS), 0);
		for (i = 0; i < RACERS; i++) {
			if (p[i].revents == 0)
				continue;
			if (read(p[i].fd, &ev, sizeof ev) != (ssize_t)sizeof ev) {
				fx_finish(&children[i]);
				children[i].out = -1;
				open--;
				continue;
			}
			ck_assert_uint_le(ev.seq, RACE_ENTRIES);
			ck_assert_uint_lt(ev.claim_no, 64);
			total[i]++;
			if (ev.kind == 0)
				ck_assert_msg(claims[ev.seq][ev.claim_no]++ == 0,
					      "claim %u of entry %lu was given twice", ev.claim_no,
					      (unsigned long)ev.seq);
			else
				settled[ev.seq]++;
			delivered[ev.seq] += ev.kind == RP_SETTLE_DELIVERED;
			if (ev.claim_no > highest[ev.seq])
				highest[ev.seq] = ev.claim_no;
		}
	}
	for (i = 1; i <= RACE_ENTRIES; i++) {
		ck_assert_msg(delivered[i] == 1, "entry %zu was delivered %zu times", i,
			      delivered[i]);
		ck_assert_msg(settled[i] == highest[i], "entry %zu: %zu claims, %zu settled", i,
			      highest[i], settled[i]);
	}
	ck_assert_msg(total[0] > 0 && total[1] > 0, "one of the two got everything");
	fx_open();
	ck_assert_uint_eq(fx_ledger().delivered, RACE_ENTRIES);
}
END_TEST

/* --- opening
 * ------------------------------------------------------------------------------------------ */

static void creator(int in, int out)
{
	char go;

	fx_send(out, "r", 1);
	fx_receive(in, &go, 1);
	fx_open();
	fx_append(1, 10);
	fx_close();
}

START_TEST(processes_that_create_at_once_share_one_outbox)
{
	struct fx_child children[4];
	char ready;
	int i;

	for (i = 0; i < 4; i++) {
		children[i] = fx_start(creator);
		fx_receive(children[i].out, &ready, 1);
	}
	for (i = 0; i < 4; i++)
		fx_send(children[i].in, "g", 1);
	for (i = 0; i < 4; i++)
		fx_finish(&children[i]);
	fx_open();
	ck_assert_uint_eq(fx_ledger().accepted, 40);
	ck_assert_uint_eq(fx_rows(RP_T_ENDPOINT), 2); /* the path and its host */
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("outbox_senders");
	TCase *tc = tcase_create("senders");

	tcase_add_checked_fixture(tc, fx_setup_dir, fx_teardown);
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, senders_take_distinct_slots);
	tcase_add_test(tc, inspectors_see_who_is_alive_themselves_included);
	tcase_add_test(tc, leaving_returns_what_is_claimed_and_frees_the_slot);
	tcase_add_test(tc, joining_returns_what_the_last_holder_of_the_slot_left);
	tcase_add_test(tc, many_claims_of_a_dead_sender_come_back_in_portions);
	tcase_add_test(tc, claims_of_a_killed_sender_come_back_at_once);
	tcase_add_test(tc, claims_of_a_stopped_sender_come_back_when_the_lease_passes);
	tcase_add_test(tc, a_sender_that_beats_keeps_its_claims);
	tcase_add_test(tc, inspectors_see_that_the_wall_clock_was_set);
	tcase_add_test(tc, nobody_reaps_himself);
	tcase_add_test(tc, a_slot_that_changed_hands_is_not_reaped);
	tcase_add_test(tc, a_slot_between_two_holders_is_left_to_the_new_one);
	tcase_add_test(tc, an_entry_that_kills_its_senders_is_slowed_down_and_then_dead);
	tcase_add_test(tc, an_attempt_that_ends_forgets_the_losses_but_a_returned_claim_does_not);
	tcase_add_test(tc, the_watch_wakes_when_another_process_appends);
	tcase_add_test(tc, the_watch_wakes_when_a_sender_dies);
	tcase_add_test(tc, two_processes_never_hold_the_same_entry);
	tcase_add_test(tc, processes_that_create_at_once_share_one_outbox);
	suite_add_tcase(s, tc);
	return s;
}

int main(void)
{
	SRunner *sr = srunner_create(suite());
	int failed;

	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed != 0;
}
