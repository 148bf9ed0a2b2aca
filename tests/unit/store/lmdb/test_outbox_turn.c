/* A flood of appends gives way to a sender that waits for the write lock, and to nobody else. */
#include <check.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/sys.h"
#include "store/lmdb/host/turn.h"
#include "unit/outbox_fixture.h"

#define TRIES 1000

/* Another process: all that it shares with the outbox of the fixture is the file. */
static struct rp_lmdb other;

static void setup(void)
{
	char path[300];

	fx_setup();
	fx_path("doorbell", path, sizeof path);
	other.wakeup_fd = open(path, O_RDWR | O_CLOEXEC);
	ck_assert_int_ge(other.wakeup_fd, 0);
	other.turn = (struct rp_turn){0};
}

static void teardown(void)
{
	close(other.wakeup_fd);
	fx_teardown();
}

/* Whether an append of a flood waits in vain. It does not wait where this process itself was held
 * up for so long that it is no flood: then it tries again. */
static bool waits_in_vain(struct rp_lmdb *ob, int tries)
{
	ob->turn.in_vain = false;
	while (!ob->turn.in_vain && tries-- > 0) {
		ob->turn.released_us = rp_sys_stopwatch_us();
		rp_turn_give(ob);
	}
	return ob->turn.in_vain;
}

START_TEST(a_flood_gives_way_until_the_sender_has_the_lock)
{
	rp_turn_ask(&other);
	ck_assert(waits_in_vain(fx_db(), TRIES));
	rp_turn_take(&other);
	ck_assert(!waits_in_vain(fx_db(), 3));
}
END_TEST

/* Its lock goes with it. */
START_TEST(a_sender_that_was_killed_holds_up_nobody)
{
	rp_turn_ask(&other);
	close(other.wakeup_fd);
	ck_assert(!waits_in_vain(fx_db(), 3));
}
END_TEST

START_TEST(a_sender_that_does_not_come_has_one_turn)
{
	int64_t began_us, took_us = INT64_MAX;
	int i;

	rp_turn_ask(&other);
	ck_assert(waits_in_vain(fx_db(), TRIES));
	for (i = 0; i < TRIES && took_us >= 5000; i++) { /* half of a turn */
		fx_db()->turn.released_us = began_us = rp_sys_stopwatch_us();
		rp_turn_give(fx_db());
		took_us = rp_sys_stopwatch_us() - began_us;
		ck_assert(fx_db()->turn.in_vain || took_us > 2000);
	}
	ck_assert_int_lt(took_us, 5000);
}
END_TEST

START_TEST(an_append_that_is_no_flood_waits_for_nobody)
{
	rp_turn_ask(&other);
	fx_db()->turn = (struct rp_turn){0}; /* the first */
	rp_turn_give(fx_db());
	ck_assert(!fx_db()->turn.in_vain);
	fx_db()->turn.released_us = rp_sys_stopwatch_us() - 1000000;
	rp_turn_give(fx_db());
	ck_assert(!fx_db()->turn.in_vain);
}
END_TEST

START_TEST(nobody_waits_after_an_exchange)
{
	struct rp_claim c;

	fx_append(0, 1);
	ck_assert_int_gt(fx_db()->turn.released_us, 0);
	c = fx_claim();
	ck_assert(!fx_settle(&c, RP_SETTLE_DELIVERED));
	ck_assert(!waits_in_vain(&other, 3));
}
END_TEST

int main(void)
{
	Suite *s = suite_create("turn");
	TCase *tc = tcase_create("turn");
	SRunner *r;
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, a_flood_gives_way_until_the_sender_has_the_lock);
	tcase_add_test(tc, a_sender_that_was_killed_holds_up_nobody);
	tcase_add_test(tc, a_sender_that_does_not_come_has_one_turn);
	tcase_add_test(tc, an_append_that_is_no_flood_waits_for_nobody);
	tcase_add_test(tc, nobody_waits_after_an_exchange);
	suite_add_tcase(s, tc);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed == 0 ? 0 : 1;
}
