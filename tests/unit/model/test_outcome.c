/* Cause names are a contract of logs and selectors; their numbers are a contract of the store. */
#include "model/outcome.h"

#include <check.h>
#include <stdlib.h>

#define N(table) ((int)(sizeof(table) / sizeof((table)[0])))

static const struct {
	int number;
	const char *text;
} causes[] = {
    {1, "http"},
    {2, "timeout"},
    {3, "dns"},
    {4, "connect"},
    {5, "tls"},
    {6, "reset"},
    {7, "protocol"},
    {8, "blocked_address"},
    {9, "blocked_scheme"},
    {10, "blocked_port"},
    {11, "gone"},
    {12, "expired"},
    {13, "exhausted"},
    {14, "damaged"},
    {15, "poison"},
    {16, "sender_lost"},
    {17, "no_key"},
    {18, "bad_url"},
    {19, "local"},
    {20, "operator"},
    {21, "refused"},
    {22, "permanent"},
    {23, "tls_expired"},
    {24, "tls_name"},
    {25, "tls_issuer"},
    {26, "tls_version"},
    {27, "tls_pin"},
    {28, "tls_client_cert"},
    {29, "tls_timeout"},
};

START_TEST(every_cause_has_its_name_and_number)
{
	char text[RP_CAUSE_TEXT_MAX];
	enum rp_cause cause = RP_CAUSE_NONE;
	unsigned status = 7;

	ck_assert_int_eq(N(causes), RP_CAUSE_MAX_ - 1);
	ck_assert_str_eq(rp_cause_format((enum rp_cause)causes[_i].number, 0, text),
			 causes[_i].text);
	ck_assert_msg(rp_cause_parse(rp_span_of(causes[_i].text), &cause, &status), "%s",
		      causes[_i].text);
	ck_assert_int_eq(cause, causes[_i].number);
	ck_assert_uint_eq(status, 0);
}
END_TEST

START_TEST(an_http_cause_shows_its_status)
{
	char text[RP_CAUSE_TEXT_MAX];
	enum rp_cause cause;
	unsigned status, got;

	for (status = 1; status <= 999; status++) {
		rp_cause_format(RP_CAUSE_HTTP, status, text);
		ck_assert_msg(rp_cause_parse(rp_span_of(text), &cause, &got), "%s", text);
		ck_assert_int_eq(cause, RP_CAUSE_HTTP);
		ck_assert_uint_eq(got, status);
	}
	ck_assert_str_eq(rp_cause_format(RP_CAUSE_HTTP, 503, text), "http_503");
	ck_assert_str_eq(rp_cause_format(RP_CAUSE_HTTP, UINT32_MAX, text), "http_4294967295");
}
END_TEST

START_TEST(only_http_shows_a_status)
{
	char text[RP_CAUSE_TEXT_MAX];

	ck_assert_str_eq(rp_cause_format(RP_CAUSE_GONE, 410, text), "gone");
	ck_assert_str_eq(rp_cause_format(RP_CAUSE_NONE, 200, text), "");
}
END_TEST

START_TEST(a_number_of_a_newer_version_is_shown)
{
	char text[RP_CAUSE_TEXT_MAX];

	ck_assert_str_eq(rp_cause_format(RP_CAUSE_MAX_, 0, text), "cause_30");
	ck_assert_str_eq(rp_cause_format((enum rp_cause)255, 503, text), "cause_255");
}
END_TEST

START_TEST(tls_matches_every_kind_of_tls_trouble_and_nothing_else_is_loose)
{
	char text[RP_CAUSE_TEXT_MAX];
	int wanted, cause;
	bool of_tls;

	for (wanted = 0; wanted < RP_CAUSE_MAX_; wanted++) {
		for (cause = 0; cause < RP_CAUSE_MAX_; cause++) {
			of_tls =
			    strncmp(rp_cause_format((enum rp_cause)cause, 0, text), "tls", 3) == 0;
			ck_assert(rp_cause_matches((enum rp_cause)wanted, (enum rp_cause)cause) ==
				  (wanted == cause || (wanted == RP_CAUSE_TLS && of_tls)));
		}
	}
}
END_TEST

static const char *const no_causes[] = {
    "",         "HTTP",    "http_", "http_0",   "http_099", "http_1000", "http_5xx", "http_50 ",
    "http_-50", "http503", "time",  "timeouts", " dns",     "dns ",      "blocked",  "http_503_",
};

START_TEST(other_texts_are_no_causes)
{
	enum rp_cause cause = RP_CAUSE_TLS;
	unsigned status = 7;

	ck_assert_msg(!rp_cause_parse(rp_span_of(no_causes[_i]), &cause, &status), "'%s'",
		      no_causes[_i]);
	ck_assert_int_eq(cause, RP_CAUSE_TLS);
	ck_assert_uint_eq(status, 7);
	ck_assert(!rp_cause_parse((struct rp_span){NULL, 0}, &cause, &status));
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("outcome");
	TCase *tc = tcase_create("outcome");

	tcase_add_loop_test(tc, every_cause_has_its_name_and_number, 0, N(causes));
	tcase_add_test(tc, an_http_cause_shows_its_status);
	tcase_add_test(tc, only_http_shows_a_status);
	tcase_add_test(tc, tls_matches_every_kind_of_tls_trouble_and_nothing_else_is_loose);
	tcase_add_test(tc, a_number_of_a_newer_version_is_shown);
	tcase_add_loop_test(tc, other_texts_are_no_causes, 0, N(no_causes));
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
