/* Whether an entry that comes in is new, and its number. */
#include "model/arrival.h"

#include <check.h>
#include <stdlib.h>

#include "sign/ident.h"

START_TEST(an_id_that_is_here_counts_before_a_key_that_is)
{
	ck_assert_int_eq(rp_arrival_kind(false, false), RP_IMPORT_DONE);
	ck_assert_int_eq(rp_arrival_kind(false, true), RP_IMPORT_DUPLICATE);
	ck_assert_int_eq(rp_arrival_kind(true, false), RP_IMPORT_PRESENT);
	ck_assert_int_eq(rp_arrival_kind(true, true), RP_IMPORT_PRESENT);
}
END_TEST

static const struct {
	const char *what;
	uint64_t own, next, seq, next_then;
	bool keeps;
} numbers[] = {
    {"the next one", 5, 5, 5, 6, true},
    {"one ahead", 40, 5, 40, 41, true},
    {"one that was given here", 4, 5, 5, 6, false},
    {"none", 0, 5, 5, 6, false},
    {"the last that is believed", RP_SEQ_MAX / 2, 5, RP_SEQ_MAX / 2, RP_SEQ_MAX / 2 + 1, true},
    {"a forged one", RP_SEQ_MAX / 2 + 1, 5, 5, 6, false},
    {"the largest", RP_SEQ_MAX, 5, 5, 6, false},
};

START_TEST(a_number_is_kept_where_nobody_can_have_had_it)
{
	uint64_t next = numbers[_i].next, seq;
	bool keeps = rp_arrival_number(numbers[_i].own, &next, &seq);

	ck_assert_msg(keeps == numbers[_i].keeps, "%s", numbers[_i].what);
	ck_assert_msg(seq == numbers[_i].seq, "%s: %lu", numbers[_i].what, (unsigned long)seq);
	ck_assert_msg(next == numbers[_i].next_then, "%s: then %lu", numbers[_i].what,
		      (unsigned long)next);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("arrival");
	TCase *tc = tcase_create("all");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_test(tc, an_id_that_is_here_counts_before_a_key_that_is);
	tcase_add_loop_test(tc, a_number_is_kept_where_nobody_can_have_had_it, 0,
			    sizeof numbers / sizeof numbers[0]);
	suite_add_tcase(s, tc);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
