/* Whose turn it is in an exchange, what is looked at, and what is left alone. The store is a table:
 * hosts with paths that have so many entries. */
#include "model/claim_walk.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HOSTS 700
#define PATHS 600

static struct {
	struct rp_endpoint host[HOSTS];
	struct {
		size_t has;
		bool metered;
	} path[PATHS];           /* of each host */
	size_t n_hosts, n_paths; /* ... so many */
	struct rp_endpoint a_path, a_metered_path;
	struct rp_receiver_room room;
	struct rp_claim_walk walk;
	size_t rows, looks, n_changed, n_served;
	char taken[4096]; /* "a0": of the first path of host a */
	size_t n_taken;
	size_t left[HOSTS][PATHS];
	enum rp_level from; /* of the last call of take_ahead */
} fake;

#define NOW_MS 1000000

static size_t host_of(uint64_t id)
{
	return (size_t)(id >> RP_HOST_SHIFT) - 1;
}

static size_t path_of(uint64_t id)
{
	return (size_t)(rp_level_member(id) - RP_MEMBER_PATHS);
}

static enum rp_err due(void *arg, uint64_t queue, struct rp_walk_row from, struct rp_walk_row *row,
		       bool *any, struct rp_error *err)
{
	size_t i, n = queue <= RP_QUEUE_PROVEN ? fake.n_hosts : fake.n_paths;

	(void)arg;
	(void)err;
	fake.rows++;
	*any = false;
	for (i = 0; i < n && !*any; i++) {
		uint64_t id =
		    queue <= RP_QUEUE_PROVEN ? rp_level_id(i + 1, 0) : queue + RP_MEMBER_PATHS + i;

		if (queue <= RP_QUEUE_PROVEN && fake.host[i].in_proven != (queue == 1))
			continue;
		*any = id >= from.id;
		*row = (struct rp_walk_row){1, id};
	}
	return RP_OK;
}

static enum rp_err meet(void *arg, uint64_t queue, struct rp_walk_row row,
			struct rp_walk_node *node, bool *own, struct rp_error *err)
{
	(void)arg;
	(void)queue;
	(void)row;
	(void)node;
	(void)err;
	*own = true;
	return RP_OK;
}

static const struct rp_endpoint *rec(void *arg, const struct rp_walk_node *node)
{
	(void)arg;
	if (rp_level_of(node->id) == RP_LEVEL_HOST)
		return &fake.host[host_of(node->id)];
	return fake.path[path_of(node->id)].metered ? &fake.a_metered_path : &fake.a_path;
}

static enum rp_err look(void *arg, const struct rp_walk_node *node, struct rp_error *err)
{
	(void)arg;
	(void)node;
	(void)err;
	fake.looks++;
	return RP_OK;
}

static void changed(void *arg, const struct rp_walk_node *node, bool served)
{
	(void)arg;
	(void)node;
	fake.n_changed++;
	fake.n_served += served;
}

static enum rp_err take(void *arg, const struct rp_walk_node *path, bool *any, struct rp_error *err)
{
	size_t h = host_of(path->id), p = path_of(path->id);

	(void)arg;
	(void)err;
	*any = fake.left[h][p] > 0;
	if (!*any)
		return RP_OK;
	fake.left[h][p]--;
	fake.n_taken++;
	if (strlen(fake.taken) + 8 < sizeof fake.taken)
		snprintf(fake.taken + strlen(fake.taken), 8, "%c%zu", (char)('a' + h % 26), p);
	return RP_OK;
}

static enum rp_err take_ahead(void *arg, const struct rp_walk_node *path, enum rp_level from,
			      bool *any, struct rp_error *err)
{
	fake.from = from;
	return take(arg, path, any, err);
}

static enum rp_err find(void *arg, uint64_t id, struct rp_walk_node *node, bool *any,
			struct rp_error *err)
{
	(void)arg;
	(void)node;
	(void)err;
	*any = host_of(id) < fake.n_hosts;
	return RP_OK;
}

static const struct rp_walk_ops ops = {due, meet, rec, look, changed, take, take_ahead, find};

static void setup(void)
{
	size_t h;

	memset(&fake, 0, sizeof fake);
	fake.room = (struct rp_receiver_room){1000, 1000, 1000, 1000};
	fake.a_path.control.limits.in_flight = 0; /* any number */
	fake.a_metered_path.control.limits = (struct rp_limits){.rate = {1, 1000}};
	for (h = 0; h < HOSTS; h++) {
		fake.host[h].level = RP_LEVEL_HOST;
		fake.host[h].members = 1;
		fake.host[h].last_success_at_ms = NOW_MS - 1000;
		fake.host[h].in_proven = true;
	}
}

static void prepare(size_t n_hosts, size_t n_paths, size_t has)
{
	size_t h, p;

	fake.n_hosts = n_hosts;
	fake.n_paths = n_paths;
	for (h = 0; h < n_hosts; h++)
		for (p = 0; p < n_paths; p++)
			fake.left[h][p] = has;
}

static void walk(size_t want)
{
	struct rp_error err;
	bool any = true;

	rp_claim_walk_begin(&fake.walk, &ops, NULL, &fake.room, NOW_MS);
	while (any && fake.n_taken < want)
		ck_assert_int_eq(rp_claim_walk(&fake.walk, &any, &err), RP_OK);
}

static void use_up(size_t host)
{
	memset(fake.left[host], 0, sizeof fake.left[host]);
}

START_TEST(one_with_a_long_queue_gives_all)
{
	prepare(1, 1, 9);
	walk(99);
	ck_assert_str_eq(fake.taken, "a0a0a0a0a0a0a0a0a0");
	ck_assert_uint_eq(fake.walk.n_members, 1);
}
END_TEST

START_TEST(hosts_have_short_goes_in_turn)
{
	prepare(2, 1, 6);
	walk(99);
	ck_assert_str_eq(fake.taken, "a0b0a0b0a0b0a0b0a0b0a0b0");
}
END_TEST

START_TEST(no_more_is_taken_than_is_wanted)
{
	prepare(2, 1, 6);
	walk(5);
	ck_assert_str_eq(fake.taken, "a0b0a0b0a0");
}
END_TEST

START_TEST(the_goes_of_paths_are_within_those_of_their_host)
{
	prepare(2, 3, 2);
	fake.left[1][0] = 9;
	walk(12);
	ck_assert_str_eq(fake.taken, "a0b0a0b0a1b0a1b0a2b1a2b1");
}
END_TEST

START_TEST(a_path_with_a_long_queue_waits_for_its_next_go)
{
	prepare(1, 2, 6);
	walk(99);
	ck_assert_str_eq(fake.taken, "a0a0a0a0a1a1a1a1a0a0a1a1");
}
END_TEST

START_TEST(each_row_is_asked_for_once)
{
	prepare(3, 4, 40);
	walk(9999);
	ck_assert_uint_eq(fake.n_taken, 3 * 4 * 40);
	ck_assert_uint_eq(fake.looks, 3 + 3 * 4);
	/* both queues of hosts for each host and once more; each path, and the end of each host */
	ck_assert_uint_eq(fake.rows, 2 * (3 + 1) + 3 * (4 + 1));
}
END_TEST

START_TEST(what_is_only_passed_over_is_not_written)
{
	prepare(1, 3, 1);
	fake.path[0].metered = fake.path[1].metered = fake.path[2].metered = true;
	fake.room.metered = 0;
	walk(9);
	ck_assert(fake.walk.passed_over);
	ck_assert_uint_eq(fake.n_taken + fake.n_changed, 0);
	fake.path[1].metered = false;
	walk(9);
	ck_assert_str_eq(fake.taken, "a1");
	ck_assert(fake.walk.passed_over);
}
END_TEST

START_TEST(a_host_in_whose_queue_nothing_is_due_is_placed_anew)
{
	prepare(1, 0, 0);
	walk(9);
	ck_assert_uint_eq(fake.n_changed, 1);
	ck_assert_uint_eq(fake.n_served, 0);
	ck_assert(!fake.walk.passed_over);
}
END_TEST

START_TEST(a_host_whose_paths_give_nothing_has_had_its_turn_and_keeps_no_other_waiting)
{
	prepare(20, PATHS, 1);
	use_up(0);
	walk(20);
	ck_assert_uint_eq(fake.n_taken, 20);
	ck_assert_ptr_null(strchr(fake.taken, 'a'));
	ck_assert_uint_eq(fake.n_served, 1);
	ck_assert_uint_lt(fake.looks, 21 + RP_WALK_VAIN_MAX + 20);
}
END_TEST

START_TEST(hosts_that_have_not_proven_themselves_are_not_looked_at_without_room)
{
	prepare(4, 1, 1);
	fake.host[0].in_proven = fake.host[2].in_proven = false;
	fake.host[0].last_success_at_ms = fake.host[2].last_success_at_ms = 0;
	fake.room.unproven = 0;
	walk(9);
	ck_assert_str_eq(fake.taken, "b0d0");
	ck_assert(fake.walk.passed_over);
	ck_assert_uint_eq(fake.looks, 4);
}
END_TEST

START_TEST(one_that_has_proven_itself_long_ago_goes_to_the_others)
{
	prepare(2, 1, 1);
	fake.host[0].last_success_at_ms = NOW_MS - RP_PROVEN_MS;
	fake.room.unproven = 0;
	walk(9);
	ck_assert_str_eq(fake.taken, "b0");
	ck_assert_uint_eq(fake.looks, 2);
	ck_assert_uint_eq(fake.n_changed, 2); /* that host, and the path of the other */
}
END_TEST

START_TEST(the_rows_of_one_exchange_are_bounded)
{
	size_t h;

	prepare(HOSTS, 1, 1);
	for (h = 0; h < HOSTS; h++)
		fake.host[h].control.limits = (struct rp_limits){.rate = {1, 1000}};
	fake.room.metered = 0;
	walk(9999);
	ck_assert_uint_eq(fake.walk.n_hosts, RP_WALK_HOSTS_MAX);
	prepare(1, PATHS, 1);
	fake.host[0].control.limits = (struct rp_limits){.in_flight = 0};
	walk(9999);
	ck_assert_uint_eq(fake.n_taken, RP_WALK_MEMBERS_MAX);
}
END_TEST

static void ahead(uint64_t id, size_t want)
{
	struct rp_error err;

	rp_claim_walk_begin(&fake.walk, &ops, NULL, &fake.room, NOW_MS);
	ck_assert_int_eq(rp_claim_walk_ahead(&fake.walk, id, want, &err), RP_OK);
}

START_TEST(ahead_of_a_path_as_many_are_taken_as_are_wanted)
{
	prepare(1, 2, 9);
	ahead(rp_level_id(1, RP_MEMBER_PATHS), 6);
	ck_assert_str_eq(fake.taken, "a0a0a0a0a0a0");
	ck_assert_int_eq(fake.from, RP_LEVEL_PATH);
	ahead(rp_level_id(1, RP_MEMBER_PATHS), 6);
	ck_assert_str_eq(fake.taken, "a0a0a0a0a0a0a0a0a0");
}
END_TEST

START_TEST(ahead_of_a_host_its_paths_have_a_go_each)
{
	prepare(1, 3, 9);
	ahead(rp_level_id(1, 0), 9);
	ck_assert_str_eq(fake.taken, "a0a0a0a0a1a1a1a1a2");
	ck_assert_int_eq(fake.from, RP_LEVEL_HOST);
}
END_TEST

START_TEST(whatever_is_taken_ahead_its_host_and_its_path_are_asked_for_their_limits)
{
	prepare(1, 3, 9);
	ahead(rp_level_id(1, RP_MEMBER_PATHS), 2);
	ck_assert_uint_eq(fake.looks, 2);
	ahead(rp_level_id(1, 0), 9);
	ck_assert_uint_eq(fake.looks, 2 + 1 + 3);
}
END_TEST

START_TEST(ahead_of_a_host_few_of_its_paths_are_looked_at)
{
	prepare(1, PATHS, 0);
	fake.left[0][RP_WALK_AHEAD_MAX] = 1;
	ahead(rp_level_id(1, 0), 9);
	ck_assert_uint_eq(fake.rows, RP_WALK_AHEAD_MAX);
	ck_assert_uint_eq(fake.n_taken, 0);
}
END_TEST

START_TEST(nothing_is_taken_ahead_without_room_for_deaths_or_of_what_is_gone)
{
	prepare(1, 1, 9);
	ahead(rp_level_id(2, 0), 9);
	fake.room.deaths = 0;
	ahead(rp_level_id(1, RP_MEMBER_PATHS), 9);
	ck_assert_uint_eq(fake.n_taken, 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("claim_walk");
	TCase *tc = tcase_create("turns");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(tc, setup, NULL);
	tcase_add_test(tc, one_with_a_long_queue_gives_all);
	tcase_add_test(tc, hosts_have_short_goes_in_turn);
	tcase_add_test(tc, no_more_is_taken_than_is_wanted);
	tcase_add_test(tc, the_goes_of_paths_are_within_those_of_their_host);
	tcase_add_test(tc, a_path_with_a_long_queue_waits_for_its_next_go);
	tcase_add_test(tc, each_row_is_asked_for_once);
	tcase_add_test(tc, what_is_only_passed_over_is_not_written);
	tcase_add_test(tc, a_host_in_whose_queue_nothing_is_due_is_placed_anew);
	tcase_add_test(tc,
		       a_host_whose_paths_give_nothing_has_had_its_turn_and_keeps_no_other_waiting);
	tcase_add_test(tc, hosts_that_have_not_proven_themselves_are_not_looked_at_without_room);
	tcase_add_test(tc, one_that_has_proven_itself_long_ago_goes_to_the_others);
	tcase_add_test(tc, the_rows_of_one_exchange_are_bounded);
	tcase_add_test(tc, ahead_of_a_path_as_many_are_taken_as_are_wanted);
	tcase_add_test(tc, ahead_of_a_host_its_paths_have_a_go_each);
	tcase_add_test(tc,
		       whatever_is_taken_ahead_its_host_and_its_path_are_asked_for_their_limits);
	tcase_add_test(tc, ahead_of_a_host_few_of_its_paths_are_looked_at);
	tcase_add_test(tc, nothing_is_taken_ahead_without_room_for_deaths_or_of_what_is_gone);
	suite_add_tcase(suite, tc);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
