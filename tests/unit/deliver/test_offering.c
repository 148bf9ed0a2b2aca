/* How many claims a sender offers to hold. */
#include "deliver/offering.h"

#include <check.h>

#include "model/hand_over.h"

#define N(table) ((int)(sizeof(table) / sizeof((table)[0])))
#define MAX RP_OFFER_CLAIMS_MAX

static const struct {
	const char *what;
	struct rp_offering o;
	size_t claims_max;
} cases[] = {
    {"it waits for work", {.begins = 100, .idle = 100}, 8},
    {"it has a few under way", {.begins = 100, .idle = 100, .claims = 3}, 11},
    {"it has said so", {.begins = 100, .idle = 100, .claims = 3, .offered = 8}, 8},
    {"what it said is used up", {.begins = 100, .idle = 100, .claims = 8, .offered = 8}, 16},
    {"it has less than when it said so", {.begins = 100, .idle = 100, .offered = 16}, 8},
    {"it stops", {.stops = true, .begins = 100, .idle = 100, .offered = 8}, 0},
    {"there is something to claim", {.due = true, .begins = 100, .idle = 100}, 0},
    {"claims wait for their begin", {.ready = 1, .begins = 100, .idle = 100, .claims = 1}, 0},
    {"few may begin", {.begins = 2, .idle = 100, .claims = 3}, 5},
    {"fewer than it said", {.begins = 2, .idle = 100, .claims = 3, .offered = 8}, 5},
    {"none may begin", {.idle = 100, .claims = 3, .offered = 8}, 0},
    {"few records are left", {.begins = 100, .idle = 1, .claims = 3}, 4},
    {"no record is left", {.begins = 100, .claims = 3}, 0},
    {"it has many", {.begins = 100, .idle = 100, .claims = MAX - 8}, MAX},
    {"it has too many", {.begins = 100, .idle = 100, .claims = MAX - 7, .offered = MAX}, 0},
};

START_TEST(a_sender_offers_what_the_table_says)
{
	const size_t claims_max = rp_offering_claims_max(&cases[_i].o);

	ck_assert_msg(claims_max == cases[_i].claims_max, "%s: %zu", cases[_i].what, claims_max);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("offering");
	TCase *tc = tcase_create("table");
	SRunner *sr;
	int failed;

	tcase_add_loop_test(tc, a_sender_offers_what_the_table_says, 0, N(cases));
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed != 0;
}
