/* Lists of tokens and keys: what a file may hold, and what is found in it. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "serve/token_list.h"

#define A "0123456789abcdef"
#define B "fedcba9876543210-._~+/=="

static struct rp_token_list list;
static struct rp_error err;

static enum rp_err parse(const char *text, enum rp_token_kind kind)
{
	return rp_token_list_parse(rp_span_of(text), kind, &list, &err);
}

static bool has(const char *token)
{
	return rp_token_list_has(&list, rp_span_of(token));
}

START_TEST(lines_are_tokens)
{
	ck_assert_int_eq(parse("\xef\xbb\xbf# old\n\n  " A "\t\r\n#" B "\n" B, RP_TOKEN_BEARER),
			 RP_OK);
	ck_assert_uint_eq(list.n, 2);
	ck_assert(rp_span_is(list.tokens[0].text, A) && rp_span_is(list.tokens[1].text, B));
	ck_assert(has(A) && has(B));
	ck_assert(!has("") && !has("0123456789abcdeF") && !has("0123456789abcde") && !has(A "0"));
	ck_assert(!has("# old"));
	rp_token_list_release(&list);
	rp_token_list_release(&list);
	ck_assert(!has(A));
}
END_TEST

static const struct {
	enum rp_token_kind kind;
	const char *text, *message; /* NULL: it is fine */
} files[] = {
    {RP_TOKEN_BEARER, A "\n", NULL},
    {RP_TOKEN_BEARER, "", "line 1: there is none in the file"},
    {RP_TOKEN_BEARER, "# only\n\n", "line 1: there is none in the file"},
    {RP_TOKEN_BEARER, "# a\n0123456789abcde\n", "line 2: there are 15 characters"},
    {RP_TOKEN_KEY, "0123456789abcde", "line 1: there are 15 characters"},
    {RP_TOKEN_BEARER, A " " A "\n", "line 1: a byte cannot stand in a bearer token"},
    {RP_TOKEN_BEARER, A "!\n", "line 1: a byte cannot stand in a bearer token"},
    {RP_TOKEN_BEARER, "=" A "\n", "line 1: a byte cannot stand in a bearer token"},
    {RP_TOKEN_BEARER, A "=a\n", "line 1: a byte cannot stand in a bearer token"},
    {RP_TOKEN_BEARER, "================\n", "line 1: a byte cannot stand in a bearer token"},
    {RP_TOKEN_BEARER, A "\xc3\xa4\n", "line 1: a byte cannot stand in a bearer token"},
    {RP_TOKEN_KEY, A "!\"$%&(){}", NULL},
    {RP_TOKEN_KEY, A "\xc3\xa4\n", "line 1: a byte is a space"},
    {RP_TOKEN_KEY, A "\x01\n", "line 1: a byte is a space"},
    {RP_TOKEN_KEY, A " b\n", "line 1: a byte is a space"},
    {RP_TOKEN_BEARER, A "\n" B "\n\n" A "\n", "line 4: this one is there already"},
};

START_TEST(a_line_that_is_none_is_named)
{
	enum rp_err code = parse(files[_i].text, files[_i].kind);

	if (files[_i].message == NULL) {
		ck_assert_msg(code == RP_OK, "%s", err.text);
		rp_token_list_release(&list);
		return;
	}
	ck_assert_int_eq(code, RP_ERR_INVAL);
	ck_assert_msg(strncmp(err.text, files[_i].message, strlen(files[_i].message)) == 0, "%s",
		      err.text);
	ck_assert_msg(strstr(err.text, "0123456") == NULL, "%s", err.text);
	ck_assert(list.n == 0 && list.text == NULL);
}
END_TEST

START_TEST(there_is_a_bound)
{
	struct rp_buf text = {0};
	unsigned i;

	for (i = 0; i < RP_TOKENS_MAX; i++)
		ck_assert(rp_buf_printf(&text, "token-%010u\n", i));
	ck_assert_int_eq(parse(text.data, RP_TOKEN_BEARER), RP_OK);
	ck_assert(has("token-0000000000") && has("token-0000000063"));
	rp_token_list_release(&list);
	ck_assert(rp_buf_add_text(&text, A));
	ck_assert_int_eq(parse(text.data, RP_TOKEN_BEARER), RP_ERR_INVAL);
	ck_assert_str_eq(err.text, "line 65: more than 64 of them; remove the old ones");
	rp_buf_clear(&text);
	for (i = 0; i <= RP_TOKEN_BYTES_MAX; i++)
		ck_assert(rp_buf_add_char(&text, 'a'));
	ck_assert_int_eq(parse(text.data, RP_TOKEN_KEY), RP_ERR_INVAL);
	rp_buf_release(&text);
}
END_TEST

/* printf '%s' MESSAGE | openssl dgst -sha256 -hmac KEY */
#define MESSAGE "https://hooks.example/in?a=1"
static const struct {
	const char *message, *hex;
	bool right;
} signatures[] = {
    {MESSAGE, "4cb8765d0869c3f4bc50950b7b877d2eff73697abd6aa7d664ca776a876c61bb", true},
    {MESSAGE, "4CB8765D0869C3F4BC50950B7B877D2EFF73697ABD6AA7D664CA776A876C61BB", true},
    {MESSAGE, "263d335eeec6a1c343bfc312f9e20016f027c455183940447656334dc108863e", true},
    {MESSAGE, "8678420c2318118123ed7c9869aea468b4fbc419e2c18985f46b027ebb80bb23", false},
    {MESSAGE "&", "4cb8765d0869c3f4bc50950b7b877d2eff73697abd6aa7d664ca776a876c61bb", false},
    {"", "4cb8765d0869c3f4bc50950b7b877d2eff73697abd6aa7d664ca776a876c61bb", false},
    {MESSAGE, "", false},
    {MESSAGE, "4cb8765d0869c3f4bc50950b7b877d2eff73697abd6aa7d664ca776a876c61bb0", false},
    {MESSAGE, "4cb8765d0869c3f4bc50950b7b877d2eff73697abd6aa7d664ca776a876c61bb00", false},
    {MESSAGE, "zz", false},
    {MESSAGE, "0000000000000000000000000000000000000000000000000000000000000000", false},
    {MESSAGE, "g000000000000000000000000000000000000000000000000000000000000000", false},
};

START_TEST(any_key_may_have_signed)
{
	ck_assert_int_eq(parse(B "\n" A "\n", RP_TOKEN_KEY), RP_OK);
	ck_assert_int_eq(rp_token_list_signed(&list, rp_span_of(signatures[_i].message),
					      rp_span_of(signatures[_i].hex)),
			 signatures[_i].right);
	rp_token_list_release(&list);
	ck_assert(!rp_token_list_signed(&list, rp_span_of(signatures[_i].message),
					rp_span_of(signatures[_i].hex)));
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("token_list");
	TCase *tc = tcase_create("list");

	tcase_add_test(tc, lines_are_tokens);
	tcase_add_loop_test(tc, a_line_that_is_none_is_named, 0, sizeof files / sizeof files[0]);
	tcase_add_test(tc, there_is_a_bound);
	tcase_add_loop_test(tc, any_key_may_have_signed, 0,
			    sizeof signatures / sizeof signatures[0]);
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
