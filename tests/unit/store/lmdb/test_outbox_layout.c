/* An outbox of another layout is told from a damaged one, and from one of today's. */
#include <check.h>
#include <stdio.h>
#include <string.h>

#include "model/record_int.h"
#include "unit/outbox_fixture.h"

static enum rp_err try_open(void)
{
	enum rp_err e = rp_outbox_open(fx_dir, &fx.options, &fx.ob, &fx.err);

	if (e != RP_OK)
		fx.ob = NULL;
	return e;
}

/* As the runpost of that layout wrote it into an empty outbox: numbers of 8 bytes each behind the
 * version, and the sum. */
static void write_old_head(size_t numbers, bool damaged)
{
	unsigned char buf[256];
	struct rp_writer w = rp_writer_of(buf, sizeof buf);
	size_t i, len;

	rp_put_u8(&w, 1);
	for (i = 0; i < numbers; i++)
		rp_put_u64(&w, i < 2 ? 1 : 0);
	len = rp_record_seal(&w, buf, 0);
	ck_assert_uint_eq(len, 1 + numbers * 8 + 8);
	if (damaged)
		buf[9] ^= 1;
	fx_put(RP_T_META, fx_text_key("head"), buf, len);
	fx_del(RP_T_META, fx_text_key("layout"));
	fx_close();
}

static const size_t head_numbers[] = {9, 10, 11}; /* of the layouts 1 to 3 */

START_TEST(an_older_layout_is_told_with_its_number)
{
	char number[64];

	write_old_head(head_numbers[_i], false);
	ck_assert_int_eq(try_open(), RP_ERR_FORMAT);
	snprintf(number, sizeof number, "(layout %d, this program knows %d)", _i + 1, RP_LAYOUT);
	ck_assert_msg(strstr(fx.err.text, "was written by an older runpost") != NULL &&
			  strstr(fx.err.text, number) != NULL &&
			  strstr(fx.err.text, "it is not damaged") != NULL,
		      "%s", fx.err.text);
}
END_TEST

START_TEST(a_damaged_head_is_no_older_layout)
{
	struct rp_ledger l;

	write_old_head(head_numbers[_i], true);
	ck_assert_int_eq(try_open(), RP_OK);
	ck_assert_int_eq(rp_outbox_ledger(fx.ob, &l, &fx.err), RP_ERR_DAMAGED);
	ck_assert_ptr_nonnull(strstr(fx.err.text, "damaged"));
}
END_TEST

/* Layout 4 got its number when it was in use: its head is as long as those of layout 5 and today.
 * */
START_TEST(a_layout_with_a_head_as_today_is_told)
{
	const uint64_t older = _i == 2 ? 5 : 4;
	unsigned char buf[32];
	char number[64];

	if (_i == 0)
		fx_del(RP_T_META, fx_text_key("layout"));
	else
		fx_put(RP_T_META, fx_text_key("layout"), buf,
		       rp_numbers_pack(&older, 1, buf, sizeof buf));
	fx_close();
	ck_assert_int_eq(try_open(), RP_ERR_FORMAT);
	snprintf(number, sizeof number, "older runpost (layout %d, this program knows %d)",
		 (int)older, RP_LAYOUT);
	ck_assert_msg(strstr(fx.err.text, number) != NULL, "%s", fx.err.text);
}
END_TEST

START_TEST(a_new_outbox_has_its_number)
{
	ck_assert(fx_has(RP_T_META, fx_text_key("layout")));
	fx_verify_sound();
}
END_TEST

START_TEST(a_later_layout_is_told_with_its_number)
{
	const uint64_t later = RP_LAYOUT + 1;
	unsigned char buf[32];
	char number[64];

	fx_put(RP_T_META, fx_text_key("layout"), buf, rp_numbers_pack(&later, 1, buf, sizeof buf));
	fx_close();
	ck_assert_int_eq(try_open(), RP_ERR_FORMAT);
	snprintf(number, sizeof number, "newer runpost (layout %d, this program knows %d)",
		 RP_LAYOUT + 1, RP_LAYOUT);
	ck_assert_msg(strstr(fx.err.text, number) != NULL, "%s", fx.err.text);
}
END_TEST

START_TEST(a_number_that_is_damaged_is_told_so)
{
	fx_flip(RP_T_META, fx_text_key("layout"), 8);
	fx_close();
	ck_assert_int_eq(try_open(), RP_ERR_DAMAGED);
	ck_assert_ptr_nonnull(strstr(fx.err.text, "its layout is damaged"));
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("outbox_layout");
	TCase *tc = tcase_create("layout");

	tcase_add_checked_fixture(tc, fx_setup, fx_teardown_damaged);
	tcase_add_loop_test(tc, an_older_layout_is_told_with_its_number, 0, 3);
	tcase_add_loop_test(tc, a_damaged_head_is_no_older_layout, 0, 3);
	tcase_add_loop_test(tc, a_layout_with_a_head_as_today_is_told, 0, 3);
	tcase_add_test(tc, a_new_outbox_has_its_number);
	tcase_add_test(tc, a_later_layout_is_told_with_its_number);
	tcase_add_test(tc, a_number_that_is_damaged_is_told_so);
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
