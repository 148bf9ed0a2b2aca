/* Entry ids: text and bytes are the same thing, and both sort by acceptance. */
#include "sign/ident.h"

#include <check.h>
#include <stdlib.h>

#define N(table) ((int)(sizeof(table) / sizeof((table)[0])))

static uint64_t random_next(uint64_t *x)
{
	*x ^= *x << 13;
	*x ^= *x >> 7;
	*x ^= *x << 17;
	return *x;
}

static void random_fill(uint64_t *x, unsigned char *out, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		out[i] = (unsigned char)(random_next(x) >> 24);
}

static const struct {
	uint64_t seq;
	unsigned char fill;
	const char *text;
} known[] = {
    {0, 0x00,
     "msg_0000000000"
     "0000000000000000"},
    {1, 0x00,
     "msg_0000000001"
     "0000000000000000"},
    {32, 0x00,
     "msg_0000000010"
     "0000000000000000"},
    {0, 0xff,
     "msg_0000000000"
     "ZZZZZZZZZZZZZZZZ"},
    {RP_SEQ_MAX, 0xff,
     "msg_7ZZZZZZZZZ"
     "ZZZZZZZZZZZZZZZZ"},
    {UINT64_C(0x0123456789ab), 0x84,
     "msg_014D2PF2DB"
     "GJ289144GJ289144"},
};

START_TEST(known_ids_have_known_texts)
{
	unsigned char random[10], id[RP_ID_BYTES], back[RP_ID_BYTES];
	char text[RP_ID_TEXT_MAX];

	memset(random, known[_i].fill, sizeof random);
	rp_id_make(known[_i].seq, random, id);
	ck_assert_str_eq(rp_id_format(id, text), known[_i].text);
	ck_assert(rp_id_parse(rp_span_of(known[_i].text), back));
	ck_assert_mem_eq(back, id, sizeof id);
	ck_assert_uint_eq(rp_id_seq(back), known[_i].seq);
}
END_TEST

START_TEST(any_id_survives_its_text)
{
	unsigned char random[10], id[RP_ID_BYTES], back[RP_ID_BYTES];
	uint64_t x = UINT64_C(0x2545f4914f6cdd1d), seq;
	char text[RP_ID_TEXT_MAX];
	int round;

	for (round = 0; round < 20000; round++) {
		seq = random_next(&x) >> (16 + random_next(&x) % 48);
		random_fill(&x, random, sizeof random);
		rp_id_make(seq, random, id);
		ck_assert_uint_eq(rp_id_seq(id), seq);
		ck_assert_mem_eq(id + 6, random, sizeof random);
		ck_assert_uint_eq(strlen(rp_id_format(id, text)), 30);
		ck_assert_ptr_null(strchr(text, '.'));
		ck_assert_msg(rp_id_parse(rp_span_of(text), back), "%s", text);
		ck_assert_mem_eq(back, id, sizeof id);
	}
}
END_TEST

START_TEST(texts_sort_as_the_bytes_do)
{
	unsigned char a[RP_ID_BYTES], b[RP_ID_BYTES];
	char text_a[RP_ID_TEXT_MAX], text_b[RP_ID_TEXT_MAX];
	uint64_t x = UINT64_C(0x853c49e6748fea9b);
	int round;

	for (round = 0; round < 20000; round++) {
		random_fill(&x, a, sizeof a);
		memcpy(b, a, sizeof b);
		b[random_next(&x) % sizeof b] ^= (unsigned char)(1u << random_next(&x) % 8);
		rp_id_format(a, text_a);
		rp_id_format(b, text_b);
		ck_assert_msg((memcmp(a, b, sizeof a) < 0) == (strcmp(text_a, text_b) < 0), "%s %s",
			      text_a, text_b);
	}
}
END_TEST

START_TEST(people_may_type_lower_case_and_look_alikes)
{
	unsigned char want[RP_ID_BYTES], got[RP_ID_BYTES];

	ck_assert(rp_id_parse(rp_span_of("msg_0110ABCDEFGHJKMNPQRSTVWXYZ"), want));
	ck_assert(rp_id_parse(rp_span_of("msg_OiLoabcdefghjkmnpqrstvwxyz"), got));
	ck_assert_mem_eq(got, want, sizeof want);
	ck_assert(rp_id_parse(rp_span_of("msg_oIlOabcdefghjkmnpqrstvwxyz"), got));
	ck_assert_mem_eq(got, want, sizeof want);
}
END_TEST

static const char *const no_ids[] = {
    "",
    "msg_",
    "0000000000000000000000000A",
    "msg_0000000000000000000000000",
    "msg_000000000000000000000000000",
    "MSG_00000000000000000000000000",
    "msg-00000000000000000000000000",
    "msg_80000000000000000000000000",
    "msg_ZZZZZZZZZZZZZZZZZZZZZZZZZZ",
    "msg_0000000000000000000000000U",
    "msg_0000000000000000000000000u",
    "msg_0000000000000.000000000000",
    "msg_ 0000000000000000000000000",
    "msg_0000000000000000000000000\xb0",
};

START_TEST(other_texts_are_no_ids)
{
	unsigned char id[RP_ID_BYTES], before[RP_ID_BYTES];

	memset(id, 0x5a, sizeof id);
	memcpy(before, id, sizeof id);
	ck_assert_msg(!rp_id_parse(rp_span_of(no_ids[_i]), id), "%s", no_ids[_i]);
	ck_assert_mem_eq(id, before, sizeof id);
}
END_TEST

START_TEST(a_nul_byte_is_no_digit)
{
	char text[30] = "msg_0000000000000000000000000";
	unsigned char id[RP_ID_BYTES];

	ck_assert(!rp_id_parse((struct rp_span){text, sizeof text}, id));
	ck_assert(!rp_id_parse((struct rp_span){NULL, 0}, id));
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("ident");
	TCase *tc = tcase_create("ident");

	tcase_add_loop_test(tc, known_ids_have_known_texts, 0, N(known));
	tcase_add_test(tc, any_id_survives_its_text);
	tcase_add_test(tc, texts_sort_as_the_bytes_do);
	tcase_add_test(tc, people_may_type_lower_case_and_look_alikes);
	tcase_add_loop_test(tc, other_texts_are_no_ids, 0, N(no_ids));
	tcase_add_test(tc, a_nul_byte_is_no_digit);
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
