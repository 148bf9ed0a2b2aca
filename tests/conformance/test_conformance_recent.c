/* The log of what was settled last. */

#include <poll.h>
#include <string.h>

#include "conformance/fixture.h"

#define ROW RP_RECENT_ROW_ATTEMPTS

static struct rp_recent seen[16 * ROW];
static size_t n_seen;

static void see(void *arg, const struct rp_recent *r)
{
	(void)arg;
	if (n_seen < sizeof seen / sizeof seen[0])
		seen[n_seen] = *r;
	n_seen++;
}

/* Reads all there is from `from` on; the number missed. */
static uint64_t read_from(uint64_t from, uint64_t *next)
{
	struct rp_recent_page page = {.from = from, .see = see};
	uint64_t missed = 0;

	n_seen = 0;
	do {
		ck_assert_msg(rp_outbox_recent(fx.ob, &page, &fx.err) == RP_OK, "%s", fx.err.text);
		missed += page.n_missed;
	} while (page.more);
	if (next != NULL)
		*next = page.from;
	return missed;
}

static uint64_t next_number(void)
{
	struct rp_recent_page end = {.from = RP_RECENT_END};

	ck_assert_int_eq(rp_outbox_recent(fx.ob, &end, &fx.err), RP_OK);
	return end.from;
}

START_TEST(what_was_settled_is_seen_in_order)
{
	uint64_t seq = fx_append(1, 3), next;
	struct rp_settlement s[3];
	int i;

	fx_exchange(3, NULL, 0);
	ck_assert_uint_eq(fx.n_claims, 3);
	s[0] = fx_settlement(&fx.claims[0], RP_SETTLE_DELIVERED);
	s[1] = fx_settlement(&fx.claims[1], RP_SETTLE_RETRY);
	s[2] = fx_settlement(&fx.claims[2], RP_SETTLE_RETURN);
	s[1].outcome->duration_us = 1234567;
	fx_exchange(0, s, 3);
	ck_assert_uint_eq(read_from(0, &next), 0);
	ck_assert_uint_eq(n_seen, 2); /* one that never began is no attempt */
	for (i = 0; i < 2; i++) {
		ck_assert_uint_eq(seen[i].number, (uint64_t)i + 1);
		ck_assert_uint_eq(seen[i].seq, seq + (uint64_t)i);
		ck_assert_uint_eq(seen[i].endpoint, fx_endpoint(1));
		ck_assert_uint_eq(seen[i].attempt, 1);
		ck_assert_uint_eq(seen[i].slot, fx.me.slot);
		ck_assert_int_eq(seen[i].settled_at_ms, fx.now_ms);
	}
	ck_assert_int_eq(seen[0].cause, RP_CAUSE_NONE);
	ck_assert_int_eq(seen[1].cause, RP_CAUSE_HTTP);
	ck_assert_uint_eq(seen[1].http_status, 500);
	ck_assert_uint_eq(seen[1].duration_ms, 1234);
	ck_assert_uint_eq(next, 3);
	ck_assert_uint_eq(next_number(), 3);
	ck_assert_uint_eq(read_from(next, NULL), 0);
	ck_assert_uint_eq(n_seen, 0);
}
END_TEST

START_TEST(a_commit_that_settles_nothing_writes_nothing)
{
	fx_append(1, 2);
	fx_exchange(1, NULL, 0);
	ck_assert_uint_eq(next_number(), 1);
	ck_assert_uint_eq(read_from(0, NULL), 0);
}
END_TEST

START_TEST(attempts_of_a_lost_sender_are_seen_too)
{
	uint64_t seq = fx_append(1, 1);

	fx_exchange(1, NULL, 0);
	fx_close(); /* as if it had died */
	fx_open();
	fx_join(); /* takes its slot and returns what it held */
	ck_assert_uint_eq(read_from(0, NULL), 0);
	ck_assert_uint_eq(n_seen, 1);
	ck_assert_uint_eq(seen[0].seq, seq);
	ck_assert_int_eq(seen[0].cause, RP_CAUSE_SENDER_LOST);
}
END_TEST

static bool is_readable(int fd, int within_ms)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};

	return poll(&p, 1, within_ms) == 1;
}

#define SOON_MS 10000 /* a store may tell a moment after the commit */

START_TEST(commits_wake_who_watches_them)
{
	uint64_t seq;
	int fd;

	ck_assert_msg(rp_outbox_watch(fx.ob, RP_WATCH_COMMITS, &fd, &fx.err) == RP_OK, "%s",
		      fx.err.text);
	ck_assert(!is_readable(fd, 0));
	seq = fx_append(1, 1);
	ck_assert(is_readable(fd, SOON_MS));
	(void)rp_outbox_drain(fx.ob, RP_WATCH_COMMITS);
	ck_assert(!is_readable(fd, 0));
	(void)fx_state(seq); /* reading writes nothing */
	ck_assert(!is_readable(fd, 0));
	fx_exchange(1, NULL, 0);
	ck_assert(is_readable(fd, SOON_MS));
}
END_TEST

#define AT_ONCE_MAX 40 /* of as many hosts */
START_TEST(who_was_overtaken_knows_by_how_much)
{
	/* LMDB's log has a bounded number of commits; a database takes long for as many */
	const unsigned at_once = strcmp(fx.on, "postgres") == 0 ? AT_ONCE_MAX : 1;
	struct rp_settlement s[AT_ONCE_MAX];
	const uint64_t attempts = 4400;
	uint64_t i, next;
	unsigned k;

	for (k = 0; k < at_once; k++)
		fx_append(k, 1);
	fx_exchange(at_once, NULL, 0);
	for (i = 0; i < attempts; i += at_once) {
		ck_assert_uint_eq(fx.n_claims, at_once);
		for (k = 0; k < at_once; k++) {
			s[k] = fx_settlement(&fx.claims[k], RP_SETTLE_RETRY);
			s[k].due_at_ms = fx.now_ms;
		}
		fx_exchange(at_once, s, at_once);
	}
	ck_assert_uint_eq(next_number(), attempts + 1);
	ck_assert_uint_eq(read_from(1, &next) + n_seen, attempts);
	ck_assert_uint_lt(n_seen, attempts);
	ck_assert_uint_gt(n_seen, 2000);
	ck_assert_uint_eq(next, attempts + 1);
	ck_assert_uint_eq(read_from(0, NULL), 0); /* from the oldest there is */
	ck_assert_uint_eq(seen[0].number, attempts + 1 - n_seen);
	ck_assert_uint_eq(read_from(attempts, NULL), 0);
	ck_assert_uint_eq(n_seen, 1);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("recent");
	TCase *sound = tcase_create("all");

	tcase_add_checked_fixture(sound, fx_setup, fx_teardown);
	tcase_set_timeout(sound, 30);
	tcase_add_test(sound, what_was_settled_is_seen_in_order);
	tcase_add_test(sound, a_commit_that_settles_nothing_writes_nothing);
	tcase_add_test(sound, attempts_of_a_lost_sender_are_seen_too);
	tcase_add_test(sound, commits_wake_who_watches_them);
	tcase_add_test(sound, who_was_overtaken_knows_by_how_much);
	suite_add_tcase(s, sound);
	return s;
}

int main(void)
{
	return fx_main(suite);
}
