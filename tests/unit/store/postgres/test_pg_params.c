/* Parameters in PostgreSQL's binary form, byte by byte, and what its error codes mean. */
#include "store/postgres/params.h"
#include "store/postgres/sqlstate.h"

#include <check.h>
#include <stdlib.h>

static struct rp_pg_params p;

static void setup(void)
{
	rp_pg_params_clear(&p);
}

static void teardown(void)
{
	rp_pg_params_release(&p);
}

#define EXPECT(i, bytes) expect(i, bytes, sizeof bytes - 1)
static void expect(size_t i, const char *bytes, size_t n)
{
	ck_assert_uint_lt(i, p.n);
	ck_assert_int_eq(p.all[i].len, (int)n);
	ck_assert_mem_eq(p.bytes.data + p.all[i].at, bytes, n);
}

START_TEST(single_values)
{
	rp_pg_put_i64(&p, -2);
	rp_pg_put_i32(&p, 258);
	rp_pg_put_bool(&p, true);
	rp_pg_put_text(&p, rp_span_of("gr\xc3\xbc\xc3\x9f"));
	rp_pg_put_bytea(&p, (struct rp_span){"\0\\\xff", 3});
	rp_pg_put_text(&p, rp_span_of(""));
	EXPECT(0, "\xff\xff\xff\xff\xff\xff\xff\xfe");
	EXPECT(1, "\0\0\1\2");
	EXPECT(2, "\1");
	EXPECT(3, "gr\xc3\xbc\xc3\x9f");
	EXPECT(4, "\0\\\xff");
	EXPECT(5, "");
	ck_assert_uint_eq(p.n, 6);
}
END_TEST

START_TEST(what_a_text_cannot_hold_is_escaped)
{
	/* NUL, the backslash, a lone byte, a surrogate, an overlong form, one cut off */
	rp_pg_put_text(&p, (struct rp_span){"a\0b\\c", 5});
	rp_pg_put_text(&p, rp_span_of("\xff.\xed\xa0\x80.\xc0\xaf.\xe2\x82"));
	rp_pg_put_text(&p, rp_span_of("\xf0\x9f\x98\x80\xf4\x90\x80\x80"));
	EXPECT(0, "a\\x00b\\x5cc");
	EXPECT(1, "\\xff.\\xed\\xa0\\x80.\\xc0\\xaf.\\xe2\\x82");
	EXPECT(2, "\xf0\x9f\x98\x80\\xf4\\x90\\x80\\x80");
}
END_TEST

START_TEST(arrays)
{
	const uint64_t seqs[] = {1, UINT64_MAX};

	rp_pg_put_u64_array(&p, seqs, 2);
	rp_pg_put_u64_array(&p, NULL, 0);
	rp_pg_array_begin(&p, RP_PG_TEXT, 3);
	rp_pg_add_text(&p, (struct rp_span){"\0", 1});
	rp_pg_add_null(&p);
	rp_pg_add_text(&p, (struct rp_span){NULL, 0});
	rp_pg_array_end(&p);
	rp_pg_array_begin(&p, RP_PG_BOOL, 1);
	rp_pg_add_bool(&p, true);
	rp_pg_array_end(&p);
	EXPECT(0, "\0\0\0\1\0\0\0\0\0\0\0\x14\0\0\0\2\0\0\0\1"
		  "\0\0\0\x8\0\0\0\0\0\0\0\1\0\0\0\x8\xff\xff\xff\xff\xff\xff\xff\xff");
	EXPECT(1, "\0\0\0\0\0\0\0\0\0\0\0\x14");
	EXPECT(2, "\0\0\0\1\0\0\0\0\0\0\0\x19\0\0\0\3\0\0\0\1"
		  "\0\0\0\4\\x00\xff\xff\xff\xff\0\0\0\0");
	EXPECT(3, "\0\0\0\1\0\0\0\0\0\0\0\x10\0\0\0\1\0\0\0\1\0\0\0\1\1");
}
END_TEST

START_TEST(more_than_fit_are_told)
{
	size_t i;

	for (i = 0; i < RP_PG_PARAMS_MAX; i++)
		rp_pg_put_bool(&p, false);
	ck_assert(!p.no_memory);
	rp_pg_put_bool(&p, false);
	ck_assert(p.no_memory);
	rp_pg_params_clear(&p);
	ck_assert(!p.no_memory);
	ck_assert_uint_eq(p.n, 0);
}
END_TEST

START_TEST(codes_of_errors)
{
	static const struct {
		const char *state;
		enum rp_err code;
		bool ends;
	} all[] = {
	    {"53100", RP_ERR_FULL, false},   {"53300", RP_ERR_AWAY, false},
	    {"42501", RP_ERR_DENIED, false}, {"28P01", RP_ERR_DENIED, false},
	    {"42P01", RP_ERR_FORMAT, false}, {"3F000", RP_ERR_FORMAT, false},
	    {"57P01", RP_ERR_AWAY, true},    {"57014", RP_ERR_AWAY, false},
	    {"55P03", RP_ERR_AWAY, false},   {"40P01", RP_ERR_AWAY, false},
	    {"25006", RP_ERR_AWAY, true},    {"25P03", RP_ERR_AWAY, true},
	    {"08006", RP_ERR_AWAY, true},    {"0A000", RP_ERR_AWAY, true},
	    {"26000", RP_ERR_IO, true},      {"42P05", RP_ERR_IO, true},
	    {"23505", RP_ERR_IO, false},     {"XX001", RP_ERR_IO, false},
	};
	size_t i;

	for (i = 0; i < sizeof all / sizeof all[0]; i++) {
		ck_assert_int_eq(rp_pg_code_of_state(all[i].state), all[i].code);
		ck_assert_int_eq(rp_pg_state_ends_session(all[i].state), all[i].ends);
	}
}
END_TEST

START_TEST(a_refusal_is_told_by_its_code_in_any_language)
{
	static const struct {
		const char *message, *state;
		enum rp_err code;
	} all[] = {
	    {"connection to server at \"h\", port 1 failed: FATAL:  28P01: Passwort falsch\n"
	     "LOCATION:  auth_failed, auth.c:338\n",
	     "28P01", RP_ERR_DENIED},
	    {"connection to server at \"h\" (::1), port 1 failed: Connection refused\n"
	     "\tIs the server running on that host and accepting TCP/IP connections?\n"
	     "connection to server at \"h\" (127.0.0.1), port 1 failed: FATAL:  3D000: no\n",
	     "3D000", RP_ERR_NOTFOUND},
	    {"connection to server at \"h\", port 1 failed: FATAL:  57P03: starting up\n", "57P03",
	     RP_ERR_AWAY},
	    {"connection to server at \"h\", port 1 failed: Connection refused\n", "", RP_ERR_AWAY},
	    {"connection to server at \"h\", port 1 failed: session is read-only\n", "",
	     RP_ERR_AWAY},
	    {"connection to server at \"h\", port 1 failed: fe_sendauth: no password supplied\n",
	     "", RP_ERR_DENIED},
	    {"connection to server at \"h\", port 1 failed: SSL error: certificate verify failed\n",
	     "", RP_ERR_DENIED},
	    {"could not translate host name \"h\" to address: Name or service not known\n", "",
	     RP_ERR_AWAY},
	    {"invalid connection option \"x\"\n", "", RP_ERR_INVAL},
	    {"definition of service \"x\" not found\n", "", RP_ERR_INVAL},
	};
	size_t i;

	for (i = 0; i < sizeof all / sizeof all[0]; i++) {
		struct rp_pg_refusal r = rp_pg_refusal_read(all[i].message);

		ck_assert_str_eq(r.state, all[i].state);
		ck_assert_msg(rp_pg_refusal_code(&r) == all[i].code, "%s", all[i].message);
		ck_assert_uint_gt(r.before.len, 10);
	}
}
END_TEST

int main(void)
{
	Suite *s = suite_create("pg_params");
	TCase *tc = tcase_create("pg_params");
	SRunner *sr;
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, single_values);
	tcase_add_test(tc, what_a_text_cannot_hold_is_escaped);
	tcase_add_test(tc, arrays);
	tcase_add_test(tc, more_than_fit_are_told);
	tcase_add_test(tc, codes_of_errors);
	tcase_add_test(tc, a_refusal_is_told_by_its_code_in_any_language);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed != 0;
}
