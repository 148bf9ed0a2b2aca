/* Senders beside each other: slots, claims of those that are gone or stopped, and who is told. */

#include <poll.h>

#include "conformance/fixture.h"

#define LEASE_MS 10000

/* --- slots ------------------------------------------------------------------------------- */

static struct senders {
	size_t n, alive;
	uint64_t claims;
	struct rp_sender_info of_slot[256];
} seen;

static void see(void *arg, const struct rp_sender_info *s)
{
	(void)arg;
	ck_assert_uint_lt(s->slot, 256);
	seen.n++;
	seen.alive += s->alive;
	seen.claims += s->claims;
	seen.of_slot[s->slot] = *s;
}

static void look(void)
{
	memset(&seen, 0, sizeof seen);
	ck_assert_int_eq(rp_outbox_senders(fx.ob, see, NULL, &fx.err), RP_OK);
}

START_TEST(each_sender_has_a_slot_and_is_seen)
{
	struct rp_claim c[4];

	fx_append(1, 3);
	fx.now_ms += 5;
	fx_peer_join(0);
	fx.now_ms += 5;
	fx_peer_join(1);
	ck_assert_uint_eq(fx_peer_claim(0, 2, c), 2);
	look();
	ck_assert_uint_eq(seen.n, 3);
	ck_assert_uint_eq(seen.alive, 3);
	ck_assert_uint_eq(seen.claims, 2);
	ck_assert_uint_eq(seen.of_slot[fx.me.slot].claims, 0);
	ck_assert_int_eq(seen.of_slot[fx.me.slot].started_at_ms, FX_NOW_MS);
	fx_peer_leave(1);
	look();
	ck_assert_uint_eq(seen.n, 2);
	fx_peer_end(0);
	look();
	ck_assert_uint_eq(seen.n, 2);
	ck_assert_uint_eq(seen.alive, 1);
	ck_assert_uint_eq(seen.claims, 2);
}
END_TEST

START_TEST(a_beat_shows_and_tells_that_the_wall_clock_was_set)
{
	fx.boot_ms += 1000;
	fx.now_ms += 1000;
	rp_outbox_beat(fx.ob, fx.now_ms, fx.boot_ms);
	look();
	ck_assert_int_eq(seen.of_slot[fx.me.slot].beat_boot_ms, fx.boot_ms);
	ck_assert_int_eq(seen.of_slot[fx.me.slot].clock.step_ms, 0);
	fx.now_ms += 60000;
	rp_outbox_beat(fx.ob, fx.now_ms, fx.boot_ms);
	rp_outbox_beat(fx.ob, fx.now_ms, fx.boot_ms);
	look();
	ck_assert_int_eq(seen.of_slot[fx.me.slot].clock.step_ms, 60000);
	fx.now_ms -= 60000;
}
END_TEST

/* --- claims ------------------------------------------------------------------------------ */

START_TEST(no_two_senders_have_the_same_entry)
{
	bool taken[21] = {false};
	struct rp_claim c[8];
	size_t n, i, total = 0;
	unsigned p = 0;

	fx_append(1, 20);
	fx_peer_join(0);
	fx_peer_join(1);
	while ((n = fx_peer_claim(p, 3, c)) > 0) {
		for (i = 0; i < n; i++) {
			ck_assert(!taken[c[i].seq]);
			taken[c[i].seq] = true;
		}
		total += n;
		p = 1 - p;
	}
	ck_assert_uint_eq(total, 20);
	fx_exchange(5, NULL, 0);
	ck_assert_uint_eq(fx.n_claims, 0);
}
END_TEST

START_TEST(a_limit_counts_what_all_senders_have)
{
	struct rp_claim c[8];

	fx.limit = 3;
	fx_append(1, 10);
	fx_peer_join(0);
	ck_assert_uint_eq(fx_peer_claim(0, 2, c), 2);
	fx_exchange(8, NULL, 0);
	ck_assert_uint_eq(fx.n_claims, 1);
	ck_assert(!fx_peer_settle(0, &c[0], RP_SETTLE_DELIVERED));
	fx_exchange(8, NULL, 0);
	ck_assert_uint_eq(fx.n_claims, 1);
}
END_TEST

START_TEST(claims_of_a_sender_that_ended_come_back_at_once)
{
	uint64_t seq = fx_append(1, 3);
	struct rp_attempt a;
	struct rp_claim c[4];

	fx_peer_join(0);
	ck_assert_uint_eq(fx_peer_claim(0, 3, c), 3);
	fx.now_ms += 50;
	ck_assert_uint_eq(fx_reap(LEASE_MS), 0);
	fx_peer_end(0);
	ck_assert_uint_eq(fx_reap(LEASE_MS), 3);
	ck_assert_int_eq(fx_state(seq), RP_STATE_WAITING);
	ck_assert_int_eq(fx_delivery(seq).due_at_ms, fx.now_ms);
	ck_assert_uint_eq(fx_delivery(seq).failures, 0);
	a = fx_attempt(seq, 1, NULL);
	ck_assert_int_eq(a.outcome.cause, RP_CAUSE_SENDER_LOST);
	ck_assert_int_eq(a.started_at_ms, FX_NOW_MS);
	ck_assert_uint_eq(fx_reap(LEASE_MS), 0);
	look();
	ck_assert_uint_eq(seen.n, 1);
	fx_exchange(8, NULL, 0);
	ck_assert_uint_eq(fx.n_claims, 3);
	ck_assert_uint_eq(fx.claims[0].attempt, 2);
}
END_TEST

START_TEST(claims_of_a_stopped_sender_come_back_when_the_lease_passes_and_its_results_are_late)
{
	uint64_t seq = fx_append(1, 2);
	struct rp_claim c[2];
	struct rp_attempt a;

	fx_peer_join(0);
	ck_assert_uint_eq(fx_peer_claim(0, 2, c), 2);
	fx.boot_ms += LEASE_MS;
	ck_assert_uint_eq(fx_reap(LEASE_MS), 0);
	fx.boot_ms++;
	ck_assert_uint_eq(fx_reap(LEASE_MS), 2);
	ck_assert(fx_peer_settle(0, &c[0], RP_SETTLE_RETRY));
	ck_assert_int_eq(fx_state(seq), RP_STATE_WAITING);
	ck_assert_uint_eq(fx_delivery(seq).failures, 0);
	ck_assert(fx_peer_settle(0, &c[0], RP_SETTLE_DELIVERED));
	ck_assert_int_eq(fx_state(seq), RP_STATE_DELIVERED);
	a = fx_attempt(seq, 1, NULL);
	ck_assert(a.late);
	look(); /* it is stopped, not gone */
	ck_assert_uint_eq(seen.n, 2);
}
END_TEST

START_TEST(a_sender_that_beats_keeps_its_claims)
{
	struct rp_claim c[2];

	fx_append(1, 1);
	fx_peer_join(0);
	ck_assert_uint_eq(fx_peer_claim(0, 1, c), 1);
	fx.boot_ms += LEASE_MS;
	fx_peer_beat(0);
	fx.boot_ms += LEASE_MS;
	ck_assert_uint_eq(fx_reap(LEASE_MS), 0);
	ck_assert(!fx_peer_settle(0, c, RP_SETTLE_DELIVERED));
}
END_TEST

START_TEST(nobody_reaps_himself)
{
	fx_append(1, 1);
	fx_claim();
	fx.boot_ms += 100 * LEASE_MS;
	ck_assert_uint_eq(fx_reap(LEASE_MS), 0);
}
END_TEST

START_TEST(leaving_returns_what_is_claimed)
{
	uint64_t seq = fx_append(1, 1);
	struct rp_claim c[2];

	fx_peer_join(0);
	ck_assert_uint_eq(fx_peer_claim(0, 1, c), 1);
	fx_peer_leave(0);
	ck_assert_int_eq(fx_state(seq), RP_STATE_WAITING);
	look();
	ck_assert_uint_eq(seen.n, 1);
}
END_TEST

START_TEST(joining_returns_what_the_last_holder_of_the_slot_left)
{
	uint64_t seq = fx_append(1, 1);
	struct rp_sender_id me = fx.me;

	fx_claim();
	fx_close();
	fx_open();
	ck_assert_int_eq(fx_state(seq), RP_STATE_IN_FLIGHT);
	fx_join();
	ck_assert_uint_eq(fx.me.slot, me.slot);
	ck_assert_uint_ne(fx.me.incarnation, me.incarnation);
	ck_assert_int_eq(fx_state(seq), RP_STATE_WAITING);
}
END_TEST

START_TEST(an_entry_that_kills_its_senders_is_slowed_down_and_then_dead)
{
	uint64_t seq = fx_append(1, 1);
	int64_t waited_ms = 0;
	struct rp_claim c[2];
	int i;

	for (i = 1; i <= RP_LOSSES_MAX; i++) {
		fx_peer_join(0);
		ck_assert_uint_eq(fx_peer_claim(0, 1, c), 1);
		fx_peer_leave(0);
		ck_assert_uint_eq(fx_delivery(seq).losses, i);
		if (i == RP_LOSSES_MAX)
			break;
		ck_assert_int_ge(fx_delivery(seq).due_at_ms - fx.now_ms, waited_ms);
		waited_ms = fx_delivery(seq).due_at_ms - fx.now_ms;
		fx.now_ms += waited_ms;
	}
	ck_assert_int_gt(waited_ms, 0);
	ck_assert_int_eq(fx_state(seq), RP_STATE_DEAD);
	ck_assert_int_eq(fx_delivery(seq).cause, RP_CAUSE_POISON);
	ck_assert_uint_eq(fx_attempts(seq), RP_LOSSES_MAX);
}
END_TEST

/* --- who is told ------------------------------------------------------------------------- */

static bool is_readable(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};

	return poll(&p, 1, 0) == 1;
}

static void wait_for(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};

	ck_assert_int_eq(poll(&p, 1, 20000), 1);
}

START_TEST(work_of_others_wakes)
{
	struct rp_woken w;
	int fd;

	fx_peer_join(0);
	ck_assert_int_eq(rp_outbox_watch(fx.ob, RP_WATCH_WORK, &fd, &fx.err), RP_OK);
	rp_outbox_drain(fx.ob, RP_WATCH_WORK);
	ck_assert(!is_readable(fd));
	fx_peer_append(0, 1);
	wait_for(fd);
	w = rp_outbox_drain(fx.ob, RP_WATCH_WORK);
	ck_assert(w.work);
	ck_assert(!is_readable(fd));
}
END_TEST

START_TEST(the_end_of_a_sender_wakes)
{
	struct rp_woken w;
	int fd;

	fx_peer_join(0);
	ck_assert_int_eq(rp_outbox_watch(fx.ob, RP_WATCH_WORK, &fd, &fx.err), RP_OK);
	rp_outbox_drain(fx.ob, RP_WATCH_WORK);
	fx_peer_end(0);
	wait_for(fd);
	w = rp_outbox_drain(fx.ob, RP_WATCH_WORK);
	ck_assert(w.sender_ended);
}
END_TEST

START_TEST(commits_of_others_wake_who_watches_them)
{
	int fd;

	fx_peer_join(0);
	ck_assert_int_eq(rp_outbox_watch(fx.ob, RP_WATCH_COMMITS, &fd, &fx.err), RP_OK);
	rp_outbox_drain(fx.ob, RP_WATCH_COMMITS);
	ck_assert(!is_readable(fd));
	fx_peer_append(0, 1);
	wait_for(fd);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("senders");
	TCase *tc = tcase_create("all");

	tcase_add_checked_fixture(tc, fx_setup_with_peers, fx_teardown);
	tcase_set_timeout(tc, 30);
	tcase_add_test(tc, each_sender_has_a_slot_and_is_seen);
	tcase_add_test(tc, a_beat_shows_and_tells_that_the_wall_clock_was_set);
	tcase_add_test(tc, no_two_senders_have_the_same_entry);
	tcase_add_test(tc, a_limit_counts_what_all_senders_have);
	tcase_add_test(tc, claims_of_a_sender_that_ended_come_back_at_once);
	tcase_add_test(
	    tc,
	    claims_of_a_stopped_sender_come_back_when_the_lease_passes_and_its_results_are_late);
	tcase_add_test(tc, a_sender_that_beats_keeps_its_claims);
	tcase_add_test(tc, nobody_reaps_himself);
	tcase_add_test(tc, leaving_returns_what_is_claimed);
	tcase_add_test(tc, joining_returns_what_the_last_holder_of_the_slot_left);
	tcase_add_test(tc, an_entry_that_kills_its_senders_is_slowed_down_and_then_dead);
	tcase_add_test(tc, work_of_others_wakes);
	tcase_add_test(tc, the_end_of_a_sender_wakes);
	tcase_add_test(tc, commits_of_others_wake_who_watches_them);
	suite_add_tcase(s, tc);
	return s;
}

int main(void)
{
	return fx_main(suite);
}
