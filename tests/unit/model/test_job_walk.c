/* Which jobs are kept, and from which endpoint a job takes its next entry. */
#include "model/job_walk.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#define NOW_MS INT64_C(1700000000000)

/* --- which are kept ---------------------------------------- */

/* A letter a job, numbers from 1: p a plan, w one being written, r running, o over with rows left,
 * d over and swept, x damaged. */
static struct rp_job_shelf shelf_of(const char *jobs, size_t times)
{
	struct rp_job_shelf s = {0};
	uint64_t number = 0;
	size_t i;

	for (i = 0; i < times * strlen(jobs); i++) {
		struct rp_job j = {.phase = RP_JOB_RUNNING};
		char c = jobs[i % strlen(jobs)];

		if (c == 'p')
			j.phase = RP_JOB_PLANNED;
		if (c == 'w')
			j.phase = RP_JOB_PLANNING;
		if (c == 'o' || c == 'd')
			j.phase = RP_JOB_DONE;
		rp_job_shelf_see(&s, ++number, c == 'x' ? NULL : &j, c != 'd' && c != 'x');
	}
	return s;
}

static const struct {
	const char *what, *jobs;
	size_t times;
	struct rp_job_place place;
} shelves[] = {
    {"the first", "r", 0, {.number = 1}},
    {"seven plans", "rpwpwpwp", 1, {.number = 9}},
    {"eight plans: the oldest expires", "rpwpwpwpw", 1, {.number = 10, .expires = 2}},
    {"63 jobs", "r", 63, {.number = 64}},
    {"64 running", "r", 64, {.number = 65, .refused = true}},
    {"64, some over but not swept", "ro", 32, {.number = 65, .refused = true}},
    {"64, some over and swept: the oldest goes", "rd", 32, {.number = 65, .removed = 2}},
    {"64, one damaged", "rrrrrrrx", 8, {.number = 65, .removed = 8}},
};

START_TEST(a_new_plan_finds_its_place)
{
	struct rp_job_shelf s = shelf_of(shelves[_i].jobs, shelves[_i].times);
	struct rp_job_place p = rp_job_shelf_place(&s), want = shelves[_i].place;

	ck_assert_msg(p.number == want.number, "%s", shelves[_i].what);
	ck_assert_msg(p.refused == want.refused, "%s", shelves[_i].what);
	ck_assert_msg(p.expires == want.expires, "%s", shelves[_i].what);
	ck_assert_msg(p.removed == want.removed, "%s", shelves[_i].what);
}
END_TEST

/* --- its endpoints in turn ---------------------------------------- */

/* The endpoints of a set whose entries are never used up, in the order in which a walk that begins
 * at `lane` comes to them. */
static const struct {
	const char *what;
	uint64_t lane;
	const char *endpoints, *walked;
	uint64_t lane_then;
} walks[] = {
    {"none", 0, "", "", 0},
    {"from the beginning", 0, "148", "148", 9},
    {"from the middle and round", 4, "148", "481", 2},
    {"from behind the last", 9, "148", "148", 9},
    {"from between", 5, "148", "814", 5},
    {"one alone", 4, "4", "4", 0},
    {"endpoint 0, of what nobody knows", 0, "02", "02", 3},
};

static const uint64_t *first_from(const char *endpoints, uint64_t lane, uint64_t *out)
{
	for (; *endpoints != '\0'; endpoints++) {
		*out = (uint64_t)(*endpoints - '0');
		if (*out >= lane)
			return out;
	}
	return NULL;
}

START_TEST(a_walk_goes_round_once)
{
	struct rp_job j = {.phase = RP_JOB_RUNNING, .lane = walks[_i].lane};
	struct rp_job_walk w = {.left = 100, .due_max = 10};
	enum rp_job_lane lane = RP_JOB_LANE_LOOK;
	char walked[20] = "";
	size_t n = 0;

	while (lane != RP_JOB_LANE_END && rp_job_walk_goes_on(&w) && n < 19) {
		uint64_t endpoint;
		const uint64_t *at = first_from(walks[_i].endpoints, j.lane, &endpoint);

		lane = rp_job_walk_lane(&w, &j, at);
		if (lane == RP_JOB_LANE_WORK)
			walked[n++] = (char)('0' + endpoint);
	}
	ck_assert_msg(strcmp(walked, walks[_i].walked) == 0, "%s: %s", walks[_i].what, walked);
	ck_assert_msg(j.lane == walks[_i].lane_then, "%s: then %lu", walks[_i].what,
		      (unsigned long)j.lane);
}
END_TEST

START_TEST(a_walk_looks_at_so_many_endpoints_and_goes_on_behind_them)
{
	struct rp_job j = {.phase = RP_JOB_RUNNING};
	struct rp_job_walk w = {.left = 100, .due_max = 10};
	uint64_t endpoint;

	for (endpoint = 1; endpoint <= RP_JOB_LANES_MAX; endpoint++) {
		ck_assert(rp_job_walk_goes_on(&w));
		ck_assert(!rp_job_walk_is_kept(&w, &j, 0));
		ck_assert_int_eq(rp_job_walk_lane(&w, &j, &endpoint), RP_JOB_LANE_WORK);
	}
	ck_assert(!rp_job_walk_goes_on(&w));
	ck_assert(rp_job_walk_is_kept(&w, &j, 0));
	ck_assert_uint_eq(j.lane, RP_JOB_LANES_MAX + 1);
}
END_TEST

START_TEST(a_job_that_did_nothing_is_as_it_was)
{
	struct rp_job j = {.phase = RP_JOB_RUNNING};
	const struct rp_job_walk w = {.left = 5, .lanes = 3};

	ck_assert(!rp_job_walk_is_kept(&w, &j, 0));
	ck_assert(rp_job_walk_is_kept(&w, &j, 1));
	j.phase = RP_JOB_DONE;
	ck_assert(rp_job_walk_is_kept(&w, &j, 0));
}
END_TEST

/* --- how many ---------------------------------------- */

static const struct {
	const char *what;
	enum rp_job_verb verb;
	uint64_t planned;
	size_t n_due, room;
	bool blocked;
} rooms[] = {
    {"an empty queue", RP_JOB_REPLAY, 100, 0, 10, false},
    {"some are due", RP_JOB_REPLAY, 100, 7, 3, false},
    {"as many as may be", RP_JOB_REPLAY, 100, 10, 0, true},
    {"more than may be", RP_JOB_REPLAY, 100, 99, 0, true},
    {"a small set is done at once", RP_JOB_REPLAY, 10, 10, 10, false},
    {"a purge makes no queue long", RP_JOB_PURGE, 100, 10, 10, false},
};

START_TEST(a_queue_is_filled_up_to_so_many)
{
	struct rp_job j = {.verb = rooms[_i].verb, .planned = rooms[_i].planned};
	struct rp_job_walk w = {.left = 100, .due_max = 10};

	ck_assert_msg(rp_job_walk_room(&w, &j, rooms[_i].n_due) == rooms[_i].room, "%s",
		      rooms[_i].what);
	ck_assert_msg(w.blocked == rooms[_i].blocked, "%s", rooms[_i].what);
}
END_TEST

START_TEST(entries_are_taken_as_room_rest_and_rate_allow)
{
	struct rp_job j = {.verb = RP_JOB_REPLAY};
	struct rp_job_walk w = {.left = 2};

	ck_assert(!rp_job_walk_take(&w, &j, 0, NOW_MS));
	ck_assert(rp_job_walk_take(&w, &j, 1, NOW_MS));
	ck_assert(rp_job_walk_take(&w, &j, 1, NOW_MS));
	ck_assert(!rp_job_walk_take(&w, &j, 1, NOW_MS));
	w.left = 5;
	j.rate = (struct rp_rate){1, 1000};
	ck_assert(rp_job_walk_take(&w, &j, 1, NOW_MS));
	ck_assert(!rp_job_walk_take(&w, &j, 1, NOW_MS));
	ck_assert_uint_eq(w.left, 0); /* the walk is over, not only this endpoint */
}
END_TEST

int main(void)
{
	Suite *s = suite_create("job_walk");
	TCase *tc = tcase_create("all");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_loop_test(tc, a_new_plan_finds_its_place, 0, sizeof shelves / sizeof shelves[0]);
	tcase_add_loop_test(tc, a_walk_goes_round_once, 0, sizeof walks / sizeof walks[0]);
	tcase_add_test(tc, a_walk_looks_at_so_many_endpoints_and_goes_on_behind_them);
	tcase_add_test(tc, a_job_that_did_nothing_is_as_it_was);
	tcase_add_loop_test(tc, a_queue_is_filled_up_to_so_many, 0, sizeof rooms / sizeof rooms[0]);
	tcase_add_test(tc, entries_are_taken_as_room_rest_and_rate_allow);
	suite_add_tcase(s, tc);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
