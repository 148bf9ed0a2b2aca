#include "sign/crypto.h"

#include <check.h>
#include <openssl/err.h>
#include <stdio.h>
#include <stdlib.h>

#define COUNT(a) ((int)(sizeof(a) / sizeof((a)[0])))

static size_t unhex(const char *hex, unsigned char *out)
{
	size_t n = strlen(hex) / 2;
	unsigned byte;
	size_t i;

	for (i = 0; i < n; i++) {
		ck_assert_int_eq(sscanf(hex + 2 * i, "%2x", &byte), 1);
		out[i] = (unsigned char)byte;
	}
	return n;
}

static void assert_hex(const unsigned char *got, const char *hex)
{
	unsigned char want[128];
	size_t n = unhex(hex, want);

	ck_assert_mem_eq(got, want, n);
}

/* FIPS 180-4 examples. */
static const struct {
	const char *parts[3];
	const char *digest;
} sha_rows[] = {
    {{"", "", ""}, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
    {{"abc", "", ""}, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
    {{"a", "", "bc"}, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
    {{"abcdbcdecdefdefgefghfghighij", "hijkijkljklmklmnlmnomnopnopq", ""},
     "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
};

START_TEST(sha256_of_parts_is_that_of_their_concatenation)
{
	unsigned char out[RP_SHA256_BYTES];
	struct rp_span parts[3];
	int i;

	for (i = 0; i < 3; i++)
		parts[i] = rp_span_of(sha_rows[_i].parts[i]);
	rp_sha256(parts, 3, out);
	assert_hex(out, sha_rows[_i].digest);
}
END_TEST

START_TEST(sha256_of_no_parts_is_that_of_nothing)
{
	unsigned char out[RP_SHA256_BYTES];
	struct rp_span null_part = {NULL, 0};

	rp_sha256(NULL, 0, out);
	assert_hex(out, sha_rows[0].digest);
	rp_sha256(&null_part, 1, out);
	assert_hex(out, sha_rows[0].digest);
}
END_TEST

/* RFC 4231 test cases 1, 2, 3 and 6 (a key longer than the block). */
static const struct {
	const char *key_hex;
	int key_repeat; /* the key is key_hex this many times */
	const char *data_hex;
	const char *mac;
} mac_rows[] = {
    {"0b", 20, "4869205468657265",
     "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"},
    {"4a656665", 1, "7768617420646f2079612077616e7420666f72206e6f7468696e673f",
     "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"},
    {"aa", 20,
     "ddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd"
     "ddddddd",
     "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe"},
    {"aa", 131,
     "54657374205573696e67204c6172676572205468616e20426c6f636b2d53697a65204b6579202d2048617368204b6"
     "579204669"
     "727374",
     "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"},
    {"0102030405060708090a0b0c0d0e0f10111213141516171819", 1,
     "cdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcd"
     "cdcdcdcdcd",
     "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b"},
    {"aa", 131,
     "5468697320697320612074657374207573696e672061206c6172676572207468616e20626c6f636b2d73697a65"
     "206b657920616e642061206c6172676572207468616e20626c6f636b2d73697a6520646174612e20546865206b"
     "6579206e6565647320746f20626520686173686564206265666f7265206265696e672075736564206279207468"
     "6520484d414320616c676f726974686d2e",
     "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2"},
};

static size_t row_key_bytes(int row, unsigned char out[256])
{
	size_t n = 0;
	int i;

	for (i = 0; i < mac_rows[row].key_repeat; i++)
		n += unhex(mac_rows[row].key_hex, out + n);
	return n;
}

static struct rp_mac_key *row_key(int row)
{
	unsigned char key[256];

	return rp_mac_key_new(key, row_key_bytes(row, key));
}

static void assert_row_mac(struct rp_mac_key *key, int row, size_t cut)
{
	unsigned char data[256], out[RP_SHA256_BYTES];
	size_t n = unhex(mac_rows[row].data_hex, data);
	struct rp_span parts[2] = {{(char *)data, cut}, {(char *)data + cut, n - cut}};

	ck_assert_uint_le(cut, n);
	ck_assert(rp_mac_sign(key, parts, 2, out));
	assert_hex(out, mac_rows[row].mac);
}

START_TEST(hmac_gives_the_rfc_4231_values)
{
	struct rp_mac_key *key = row_key(_i);

	ck_assert_ptr_nonnull(key);
	assert_row_mac(key, _i, 0);
	rp_mac_key_free(key);
}
END_TEST

START_TEST(hmac_without_a_kept_key_gives_the_same_wherever_its_parts_end)
{
	unsigned char key[256], data[256], out[RP_SHA256_BYTES];
	struct rp_span whole_key = {(char *)key, row_key_bytes(_i, key)};
	size_t n = unhex(mac_rows[_i].data_hex, data), cut;

	for (cut = 0; cut <= n; cut++) {
		struct rp_span parts[2] = {{(char *)data, cut}, {(char *)data + cut, n - cut}};

		rp_hmac_sha256(whole_key, parts, 2, out);
		assert_hex(out, mac_rows[_i].mac);
	}
}
END_TEST

START_TEST(hmac_of_a_key_of_any_length_is_that_of_the_kept_one)
{
	unsigned char key[130], kept[RP_SHA256_BYTES], out[RP_SHA256_BYTES];
	struct rp_span part = rp_span_of("one part");
	struct rp_mac_key *other;
	size_t n;

	for (n = 0; n < sizeof key; n++) {
		key[n] = (unsigned char)(n + 1);
		other = rp_mac_key_new(key, n);
		ck_assert(rp_mac_sign(other, &part, 1, kept));
		rp_hmac_sha256((struct rp_span){(char *)key, n}, &part, 1, out);
		ck_assert_mem_eq(out, kept, sizeof out);
		rp_mac_key_free(other);
	}
}
END_TEST

START_TEST(a_kept_key_signs_many_messages_and_knows_only_itself)
{
	struct rp_mac_key *a = row_key(0), *b = row_key(1);
	unsigned char out[RP_SHA256_BYTES];
	struct rp_span other = rp_span_of("another message in between");
	size_t cut;

	for (cut = 0; cut <= 8; cut++) {
		assert_row_mac(a, 0, cut);
		ck_assert(rp_mac_sign(a, &other, 1, out));
		assert_row_mac(b, 1, cut);
	}
	rp_mac_key_free(a);
	rp_mac_key_free(b);
}
END_TEST

START_TEST(an_empty_hmac_key_is_a_key)
{
	struct rp_mac_key *key = rp_mac_key_new(NULL, 0);
	unsigned char out[RP_SHA256_BYTES];
	int i;

	ck_assert_ptr_nonnull(key);
	for (i = 0; i < 2; i++) {
		ck_assert(rp_mac_sign(key, NULL, 0, out));
		assert_hex(out, "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad");
	}
	rp_hmac_sha256((struct rp_span){NULL, 0}, NULL, 0, out);
	assert_hex(out, "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad");
	rp_mac_key_free(key);
}
END_TEST

/* RFC 8032 section 7.1, tests 1 to 3. */
static const struct {
	const char *seed, *pub, *msg, *sig;
} ed_rows[] = {
    {"9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
     "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "",
     "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b"
     "46bd25bf5f0595b"
     "be24655141438e7a100b"},
    {"4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
     "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", "72",
     "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11"
     "d8c387b2eaeb430"
     "2aeeb00d291612bb0c00"},
    {"c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
     "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025", "af82",
     "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc"
     "6594a7c15e9716e"
     "d28dc027beceea1ec40a"},
};

struct ed_case {
	struct rp_ed25519_key *private, *public;
	unsigned char msg[8], sig[RP_ED25519_BYTES];
	size_t n;
};

static struct ed_case ed_case_of(int row)
{
	struct ed_case c;
	unsigned char raw[32];

	unhex(ed_rows[row].seed, raw);
	c.private = rp_ed25519_key_new(raw);
	unhex(ed_rows[row].pub, raw);
	c.public = rp_ed25519_public_new(raw);
	c.n = unhex(ed_rows[row].msg, c.msg);
	ck_assert_ptr_nonnull(c.private);
	ck_assert_ptr_nonnull(c.public);
	ck_assert(rp_ed25519_sign(c.private, c.msg, c.n, c.sig));
	return c;
}

static void ed_case_free(struct ed_case *c)
{
	rp_ed25519_key_free(c->private);
	rp_ed25519_key_free(c->public);
}

START_TEST(ed25519_gives_the_rfc_8032_values)
{
	struct ed_case c = ed_case_of(_i);
	unsigned char pub[32];

	assert_hex(c.sig, ed_rows[_i].sig);
	ck_assert(rp_ed25519_public_bytes(c.private, pub));
	assert_hex(pub, ed_rows[_i].pub);
	ck_assert(rp_ed25519_public_bytes(c.public, pub));
	assert_hex(pub, ed_rows[_i].pub);
	ck_assert(rp_ed25519_verify(c.public, c.msg, c.n, c.sig));
	ck_assert(rp_ed25519_verify(c.private, c.msg, c.n, c.sig));
	ed_case_free(&c);
}
END_TEST

START_TEST(ed25519_refuses_every_flipped_byte_of_a_signature)
{
	struct ed_case c = ed_case_of(2);
	size_t i;

	for (i = 0; i < sizeof c.sig; i++) {
		c.sig[i] ^= 1;
		ck_assert_msg(!rp_ed25519_verify(c.public, c.msg, c.n, c.sig), "byte %zu", i);
		c.sig[i] ^= 1;
	}
	c.msg[0] ^= 1;
	ck_assert(!rp_ed25519_verify(c.public, c.msg, c.n, c.sig));
	c.msg[0] ^= 1;
	ck_assert(!rp_ed25519_verify(c.public, c.msg, c.n - 1, c.sig));
	ck_assert(rp_ed25519_verify(c.public, c.msg, c.n, c.sig));
	ed_case_free(&c);
}
END_TEST

START_TEST(a_public_key_cannot_sign_and_leaves_no_library_error_behind)
{
	struct ed_case c = ed_case_of(0);
	unsigned char sig[RP_ED25519_BYTES];

	ck_assert(!rp_ed25519_sign(c.public, c.msg, c.n, sig));
	ck_assert_uint_eq(ERR_peek_error(), 0);
	ed_case_free(&c);
}
END_TEST

/* RFC 4648 section 10, and the two characters that its alphabets differ in. */
static const struct {
	const char *bytes, *text;
} b64_rows[] = {
    {"", ""},
    {"f", "Zg=="},
    {"fo", "Zm8="},
    {"foo", "Zm9v"},
    {"foob", "Zm9vYg=="},
    {"fooba", "Zm9vYmE="},
    {"foobar", "Zm9vYmFy"},
    {"\xfb\xef\xff", "++//"},
};

START_TEST(base64_gives_the_rfc_4648_values_both_ways)
{
	struct rp_buf text = {0};
	unsigned char bytes[8];
	size_t n;

	ck_assert(rp_base64_encode(b64_rows[_i].bytes, strlen(b64_rows[_i].bytes), &text));
	ck_assert_str_eq(text.data, b64_rows[_i].text);
	ck_assert_uint_eq(text.len, strlen(b64_rows[_i].text));
	ck_assert(rp_base64_decode(rp_span_of(text.data), bytes, sizeof bytes, &n));
	ck_assert_uint_eq(n, strlen(b64_rows[_i].bytes));
	ck_assert_mem_eq(bytes, b64_rows[_i].bytes, n);
	while (text.len > 0 && text.data[text.len - 1] == '=')
		text.data[--text.len] = '\0';
	ck_assert_msg(rp_base64_decode(rp_span_of(text.data), bytes, sizeof bytes, &n),
		      "without padding");
	ck_assert_uint_eq(n, strlen(b64_rows[_i].bytes));
	rp_buf_release(&text);
}
END_TEST

START_TEST(base64_brings_every_byte_back)
{
	unsigned char in[256], back[256];
	struct rp_buf text = {0};
	size_t len, i, n;

	for (i = 0; i < sizeof in; i++)
		in[i] = (unsigned char)(i * 167 + 13);
	for (len = 0; len <= sizeof in; len++) {
		rp_buf_clear(&text);
		ck_assert(rp_base64_encode(in, len, &text));
		ck_assert(rp_base64_decode(rp_span_of(text.data), back, len, &n));
		ck_assert_uint_eq(n, len);
		ck_assert_mem_eq(back, in, len);
		ck_assert_msg(len == 0 ||
				  !rp_base64_decode(rp_span_of(text.data), back, len - 1, &n),
			      "%zu bytes into %zu", len, len - 1);
	}
	rp_buf_release(&text);
}
END_TEST

static const char *const b64_bad_rows[] = {
    "A",     "AAAAA", "AA=",  "A===", "====", "=",        "==",     "AA==AA",  "AA A",   "AA\nA",
    "AAA\n", " AAA",  "AA-A", "AA_A", "AAA.", "AAAA====", "AA=A",   "AAA=A",   "=AAA",   "AA@A",
    "AA[A",  "AA`A",  "AA{A", "AA:A", "AA,A", "AAAA=",    "AAAA==", "AAA\x80", "AAA\xc3"};

START_TEST(base64_refuses_what_is_not_base64)
{
	unsigned char out[16];
	size_t n;

	ck_assert_msg(!rp_base64_decode(rp_span_of(b64_bad_rows[_i]), out, sizeof out, &n),
		      "accepted: %s", b64_bad_rows[_i]);
}
END_TEST

START_TEST(base64_refuses_a_nul_inside)
{
	struct rp_span text = {"AA\0A", 4};
	unsigned char out[16];
	size_t n;

	ck_assert(!rp_base64_decode(text, out, sizeof out, &n));
}
END_TEST

START_TEST(base64_that_does_not_fit_leaves_the_buffer_as_it_was)
{
	struct rp_buf out = {.max = 10};

	ck_assert(rp_buf_add_text(&out, "v1,"));
	ck_assert(!rp_base64_encode("123456", 6, &out));
	ck_assert_str_eq(out.data, "v1,");
	ck_assert(rp_base64_encode("123", 3, &out));
	ck_assert_str_eq(out.data, "v1,MTIz");
	rp_buf_release(&out);
}
END_TEST

START_TEST(constant_time_equality_sees_any_difference)
{
	unsigned char a[32] = {0}, b[32] = {0};
	size_t i;

	ck_assert(rp_equal_constant_time(a, b, sizeof a));
	ck_assert(rp_equal_constant_time(a, b, 0));
	for (i = 0; i < sizeof a; i++) {
		b[i] = 0x80;
		ck_assert_msg(!rp_equal_constant_time(a, b, sizeof a), "byte %zu", i);
		ck_assert(rp_equal_constant_time(a, b, i));
		b[i] = 0;
	}
}
END_TEST

START_TEST(wiping_leaves_zeroes_and_nothing_else_changes)
{
	unsigned char secret[4] = {1, 2, 3, 4};

	rp_wipe(secret, 3);
	ck_assert_mem_eq(secret, "\0\0\0\4", 4);
}
END_TEST

START_TEST(freeing_no_key_is_allowed)
{
	rp_mac_key_free(NULL);
	rp_ed25519_key_free(NULL);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("crypto");
	TCase *tc = tcase_create("crypto");

	tcase_add_loop_test(tc, sha256_of_parts_is_that_of_their_concatenation, 0, COUNT(sha_rows));
	tcase_add_test(tc, sha256_of_no_parts_is_that_of_nothing);
	tcase_add_loop_test(tc, hmac_gives_the_rfc_4231_values, 0, COUNT(mac_rows));
	tcase_add_loop_test(tc, hmac_without_a_kept_key_gives_the_same_wherever_its_parts_end, 0,
			    COUNT(mac_rows));
	tcase_add_test(tc, hmac_of_a_key_of_any_length_is_that_of_the_kept_one);
	tcase_add_test(tc, a_kept_key_signs_many_messages_and_knows_only_itself);
	tcase_add_test(tc, an_empty_hmac_key_is_a_key);
	tcase_add_loop_test(tc, ed25519_gives_the_rfc_8032_values, 0, COUNT(ed_rows));
	tcase_add_test(tc, ed25519_refuses_every_flipped_byte_of_a_signature);
	tcase_add_test(tc, a_public_key_cannot_sign_and_leaves_no_library_error_behind);
	tcase_add_loop_test(tc, base64_gives_the_rfc_4648_values_both_ways, 0, COUNT(b64_rows));
	tcase_add_test(tc, base64_brings_every_byte_back);
	tcase_add_loop_test(tc, base64_refuses_what_is_not_base64, 0, COUNT(b64_bad_rows));
	tcase_add_test(tc, base64_refuses_a_nul_inside);
	tcase_add_test(tc, base64_that_does_not_fit_leaves_the_buffer_as_it_was);
	tcase_add_test(tc, constant_time_equality_sees_any_difference);
	tcase_add_test(tc, wiping_leaves_zeroes_and_nothing_else_changes);
	tcase_add_test(tc, freeing_no_key_is_allowed);
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
