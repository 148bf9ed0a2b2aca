/* Which receiver a request to the door is for, and which it cannot be for. */
#include <stdio.h>
#include <stdlib.h>

#include "heads.h"
#include "serve/door_target.h"

#define N(list) (sizeof(list) / sizeof((list)[0]))

static struct rp_config config;
static struct rp_token_list keys;
static struct rp_door_ask ask;
static struct rp_door_refusal no;
static struct rp_buf out;
static struct head head;

static void set_up(void)
{
	static const char text[] =
	    "[endpoint \"orders\"]\nurl = https://shop.example/in/orders\n"
	    "door = yes\n"
	    "[endpoint \"root\"]\nurl = https://root.example\ndoor = yes\n"
	    "[endpoint \"slash\"]\nurl = https://slash.example/a/\ndoor = yes\n"
	    "[endpoint \"nested\"]\nurl = https://root.example/private\n"
	    "[endpoint \"closed\"]\nurl = https://closed.example/\n"
	    "[endpoint \"cut\"]\nurl = https://cut.example/\ndoor = yes\n"
	    "drop = kwargs.webhook\n"
	    "[endpoint \"all\"]\nurl = https://all.example/\ndoor = yes\n"
	    "drop = values, kwargs\n"
	    "[endpoint \"part\"]\nurl = https://part.example/\ndoor = yes\n"
	    "drop = kwargs.webhook.token, kwargs.config\n";
	static const char lines[] = "the-newer-key-of-two\nthe-older-key-of-two\n";
	struct rp_error err;

	rp_config_init(&config);
	ck_assert_msg(rp_config_parse(&config, "t.conf", rp_span_of(text), &err) == RP_OK, "%s",
		      err.text);
	ck_assert_int_eq(rp_token_list_parse(rp_span_of(lines), RP_TOKEN_KEY, &keys, &err), RP_OK);
	ck_assert(rp_buf_add_text(&out, "<"));
}

static void tear_down(void)
{
	rp_config_release(&config);
	rp_token_list_release(&keys);
	rp_door_ask_release(&ask);
	rp_buf_release(&out);
	head_release(&head);
}

static const struct rp_policy *policy;

static bool find(const char *target, const struct rp_token_list *with)
{
	head_make(&head, "POST", target, "");
	ck_assert_msg(rp_door_route(&head.request, &ask, &no), "%s: %s", target, no.reason);
	return rp_door_target_add(&config, with, &ask, &out, &policy, &no);
}

static const struct {
	const char *target, *url, *section;
} found[] = {
    {"/to/orders", "https://shop.example/in/orders", "orders"},
    {"/to/orders?token=s3cret&op=a%2Fb", "https://shop.example/in/orders?token=s3cret&op=a%2Fb",
     "orders"},
    {"/to/orders/", "https://shop.example/in/orders/", "orders"},
    {"/to/orders/eu/de?x", "https://shop.example/in/orders/eu/de?x", "orders"},
    {"/to/orders/a%20b;v=1/.well-known/..a",
     "https://shop.example/in/orders/a%20b;v=1/.well-known/"
     "..a",
     "orders"},
    {"/to/orders/{a}\"<>`?{b}\"", "https://shop.example/in/orders/%7Ba%7D%22%3C%3E%60?{b}%22",
     "orders"},
    {"/to/root", "https://root.example", "root"},
    {"/to/root?a=b", "https://root.example?a=b", "root"},
    {"/to/root/privately", "https://root.example/privately", "root"},
    {"/to/slash", "https://slash.example/a/", "slash"},
    {"/to/slash/", "https://slash.example/a/", "slash"},
    {"/to/slash/b", "https://slash.example/a/b", "slash"},
    {"/to?url=https%3A%2F%2Froot.example%2Fx%3Fa%3D1%26b%3D2", "https://root.example/x?a=1&b=2",
     "root"},
    {"/to?url=HTTPS%3A%2F%2FShop.Example.:443%2Fin%2Forders", "HTTPS://Shop.Example.:443/in/orders",
     "orders"},
    /* the credential is taken out, and the Run that tells it is cut */
    {"/to/cut?runpost_token=0123456789abcdef&a=b", "https://cut.example/?a=b", "cut"},
    {"/to/cut/x?a=b&runpost%5ftoken=1", "https://cut.example/x?a=b", "cut"},
    {"/to/all?runpost_token=1&runpost_token=2", "https://all.example/", "all"},
    {"/to?runpost_token=1&url=https://cut.example/?a", "https://cut.example/?a", "cut"},
    {"/to?url=https://root.example/a%20b%C3%A4", "https://root.example/a%20b%C3%A4", "root"},
};

START_TEST(a_target_is_made)
{
	ck_assert_msg(find(found[_i].target, &keys), "%s: %s", found[_i].target, no.reason);
	ck_assert_str_eq(out.data + 1, found[_i].url);
	ck_assert_str_eq(policy->name, found[_i].section);
}
END_TEST

static const struct {
	const char *target;
	int status;
	const char *code;
} refused[] = {
    {"/to/nobody", 404, "no_such_endpoint"},
    {"/to/Orders", 404, "no_such_endpoint"},
    {"/to/defaults", 404, "no_such_endpoint"},
    {"/to/closed", 403, "not_published"},
    {"/to/closed/..", 403, "not_published"},
    {"/to/nested", 403, "not_published"},
    /* what another section has is not the outer one's to give */
    {"/to/root/private", 403, "not_published"},
    {"/to/root/private/x", 403, "not_published"},
    {"/to/root/%70rivate", 403, "not_published"},
    {"/to/root/private;v=1", 403, "not_published"},
    {"/to/orders/..", 422, "bad_url"},
    {"/to/orders/../other", 422, "bad_url"},
    {"/to/orders/./x", 422, "bad_url"},
    {"/to/orders/.", 422, "bad_url"},
    {"/to/orders//x", 422, "bad_url"},
    {"/to/orders/x//", 422, "bad_url"},
    {"/to/slash//x", 422, "bad_url"},
    {"/to/orders/..;/x", 422, "bad_url"},
    {"/to/orders/.;a=b/x", 422, "bad_url"},
    {"/to/orders/;/x", 422, "bad_url"},
    {"/to/orders/%2e%2e/x", 422, "bad_url"},
    {"/to/orders/%2E./x", 422, "bad_url"},
    {"/to/orders/a%2e", 422, "bad_url"},
    {"/to/orders/%2f", 422, "bad_url"},
    {"/to/orders/a%2Fb", 422, "bad_url"},
    {"/to/orders/a%5cb", 422, "bad_url"},
    {"/to/orders/a%5Cb", 422, "bad_url"},
    {"/to/orders/a\\b", 422, "bad_url"},
    {"/to/orders/%00", 422, "bad_url"},
    {"/to/orders/a%0ab", 422, "bad_url"},
    {"/to/orders/a%7f", 422, "bad_url"},
    {"/to/orders/%252e%252e", 422, "bad_url"},
    {"/to/orders/a%25", 422, "bad_url"},
    {"/to/orders/a%3b", 422, "bad_url"},
    {"/to/orders/a%3B/x", 422, "bad_url"},
    {"/to/orders/%", 422, "bad_url"},
    {"/to/orders/%zz", 422, "bad_url"},
    {"/to/orders/a#b", 422, "bad_url"},
    {"/to/orders?a=\\", 422, "bad_url"},
    {"/to/orders?a=%", 422, "bad_url"},
    {"/to", 422, "bad_url"},
    {"/to?sig=00", 422, "bad_url"},
    {"/to?url=", 422, "bad_url"},
    {"/to?url=shop.example/in/orders", 422, "bad_url"},
    {"/to?url=https://shop.example/in/orders/../x", 422, "bad_url"},
    {"/to?url=https://shop.example/in/orders%23x", 422, "bad_url"},
    {"/to?url=https://a@shop.example/in/orders", 422, "bad_url"},
    {"/to?url=https://shop.example/in/orders%00", 422, "bad_url"},
    {"/to?url=https://shop.example/in/orders%0d%0aX:y", 422, "bad_url"},
    {"/to?url=https://shop.example/in/orders?a=1&b=2", 422, "bad_url"},
    {"/to?url=https://shop.example/in/orders%zz", 422, "bad_url"},
    {"/to?url=https://shop.example/in/orders&url=https://shop.example/in/orders", 422, "bad_url"},
    {"/to?url=https://other.example/", 403, "not_published"},
    {"/to?url=http://shop.example/in/orders", 403, "not_published"},
    {"/to?url=https://shop.example:8443/in/orders", 403, "not_published"},
    {"/to?url=https://shop.example/in", 403, "not_published"},
    {"/to?url=https://shop.example/in/ordersX", 403, "not_published"},
    {"/to?url=https://shop.example.evil.test/in/orders", 403, "not_published"},
    {"/to?url=https://closed.example/", 403, "not_published"},
    {"/to?url=https://root.example/private", 403, "not_published"},
    /* a signature that is given has to be right, wherever the URL lies */
    {"/to?url=https://root.example/&sig=", 403, "bad_signature"},
    {"/to?url=https://root.example/&sig=00", 403, "bad_signature"},
    {"/to?url=https://other.example/&sig="
     "0000000000000000000000000000000000000000000000000000000000000000",
     403, "bad_signature"},
    /* the door's token would go on in the Run */
    {"/to/orders?runpost_token=0123456789abcdef", 403, "token_in_url"},
    {"/to/orders?runpost_token=a&runpost_token=b", 403, "token_in_url"},
    {"/to?url=https://root.example/&runpost_token=0123456789abcdef", 403, "token_in_url"},
    {"/to/part?runpost_token=0123456789abcdef", 403, "token_in_url"},
};

START_TEST(a_target_is_refused)
{
	ck_assert_msg(!find(refused[_i].target, &keys), "%s: %s", refused[_i].target, out.data);
	ck_assert_msg(no.status == refused[_i].status && strcmp(no.code, refused[_i].code) == 0,
		      "%s: %d %s %s", refused[_i].target, no.status, no.code, no.reason);
	ck_assert(no.reason[0] != '\0' && strlen(no.reason) < sizeof no.reason - 1);
	ck_assert(strstr(no.reason, "0123456789abcdef") == NULL);
	ck_assert_str_eq(out.data, "<");
	ck_assert_uint_eq(out.len, 1);
}
END_TEST

/* A section's own query comes first. */
START_TEST(queries_are_joined)
{
	struct rp_policy *section = &config.endpoints[0];

	section->url = "https://shop.example/in/orders?k=v";
	ck_assert_int_eq(rp_url_parse(rp_span_of(section->url), &section->prefix, NULL), RP_OK);
	ck_assert_msg(find("/to/orders/x?a=b", &keys), "%s", no.reason);
	ck_assert_str_eq(out.data + 1, "https://shop.example/in/orders/x?k=v&a=b");
	out.len = 1;
	ck_assert(find("/to/orders", &keys));
	ck_assert_str_eq(out.data + 1, "https://shop.example/in/orders?k=v");
}
END_TEST

/* URL percent-encoded by hand; signed as sign-url does, over what it decodes to. */
static const struct {
	const char *encoded, *url, *key, *sent;
	const char *section;
} signed_urls[] = {
    {"https%3A%2F%2Fother.example%2Fx%3Fa%3D1%26b%3D2", "https://other.example/x?a=1&b=2",
     "the-newer-key-of-two", "https://other.example/x?a=1&b=2", "defaults"},
    {"https://closed.example/", "https://closed.example/", "the-older-key-of-two",
     "https://closed.example/", "closed"},
    {"https://shop.example/in/orders", "https://shop.example/in/orders", "the-older-key-of-two",
     "https://shop.example/in/orders", "orders"},
    {"https://other.example/a%20b", "https://other.example/a b", "the-older-key-of-two",
     "https://other.example/a%20b", "defaults"},
};

static void sign(const char *key, const char *url, char hex[65])
{
	unsigned char mac[RP_SHA256_BYTES];
	struct rp_span message = rp_span_of(url);

	rp_hmac_sha256(rp_span_of(key), &message, 1, mac);
	rp_hex_format(mac, sizeof mac, hex);
}

START_TEST(a_signed_target_may_be_anywhere)
{
	char hex[65], target[300], other[300];

	sign(signed_urls[_i].key, signed_urls[_i].url, hex);
	snprintf(target, sizeof target, "/to?url=%s&sig=%s", signed_urls[_i].encoded, hex);
	ck_assert_msg(find(target, &keys), "%s: %s", target, no.reason);
	ck_assert_str_eq(out.data + 1, signed_urls[_i].sent);
	ck_assert_str_eq(policy->name, signed_urls[_i].section);

	/* another URL, a key that is not ours, no keys */
	snprintf(other, sizeof other, "/to?url=%sx&sig=%s", signed_urls[_i].encoded, hex);
	ck_assert(!find(other, &keys));
	ck_assert_str_eq(no.code, "bad_signature");
	sign("a-key-of-somebody-else", signed_urls[_i].url, hex);
	snprintf(other, sizeof other, "/to?url=%s&sig=%s", signed_urls[_i].encoded, hex);
	ck_assert(!find(other, &keys));
	ck_assert_str_eq(no.code, "bad_signature");
	ck_assert(strstr(no.reason, hex) == NULL);
	ck_assert(!find(target, NULL));
	ck_assert_str_eq(no.code, "bad_signature");
	ck_assert(!find(target, &(struct rp_token_list){0}));
	ck_assert_str_eq(no.code, "bad_signature");
}
END_TEST

START_TEST(a_target_that_is_too_long_is_refused)
{
	struct rp_buf target = {0};
	unsigned i;

	ck_assert(rp_buf_add_text(&target, "/to/orders?"));
	for (i = 0; i < RP_URL_MAX; i++)
		ck_assert(rp_buf_add_char(&target, 'a'));
	ck_assert(!find(target.data, &keys));
	ck_assert_int_eq(no.status, 422);
	ck_assert_str_eq(no.code, "bad_url");
	rp_buf_release(&target);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("door_target");
	TCase *tc = tcase_create("target");

	tcase_add_checked_fixture(tc, set_up, tear_down);
	tcase_add_loop_test(tc, a_target_is_made, 0, N(found));
	tcase_add_loop_test(tc, a_target_is_refused, 0, N(refused));
	tcase_add_loop_test(tc, a_signed_target_may_be_anywhere, 0, N(signed_urls));
	tcase_add_test(tc, queries_are_joined);
	tcase_add_test(tc, a_target_that_is_too_long_is_refused);
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
