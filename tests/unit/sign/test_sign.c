#include "sign/sign.h"

#include <check.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "sign/crypto.h"

#define COUNT(a) ((int)(sizeof(a) / sizeof((a)[0])))

#define SECRET_A "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
#define SECRET_B "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"
#define SEED_C "6Xb/dCcHpPea21PS1N9VY/NZW723CEc77N4rJCubMbc="
#define SECRET_C                                                                                   \
	"whsk_6Xb/dCcHpPea21PS1N9VY/"                                                              \
	"NZW723CEc77N4rJCubMbfVKIDij2HKpMKkioLlX0dRqSKJp4AJ6p9lMicMFs6Kvg=="
#define PUBLIC_C "whpk_1SiA4o9hyqTCpIqC5V9HUakiiaeACeqfZTInDBbOir4="

#define ID_A "msg_p5jXN8AQM9LWM0D4loKWxJek"
#define BODY_A "{\"test\": 2432232314}"
#define SIG_A "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
#define SIG_C                                                                                      \
	"v1a,hnO3f9T8Ytu9HwrXslvumlUpqtNVqkhqw/"                                                   \
	"enGzPCXe5BdqzCInXqYXFymVJaA7AZdpXwVLPo3mNl8EM+m7TBAg=="
/* Right in form, wrong in value. */
#define WRONG_V1 "v1,AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
#define WRONG_V1A                                                                                  \
	"v1a,"                                                                                     \
	"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=="

/* The vectors the specification's reference libraries (A, B) and the Svix server (C) test
 * themselves with. */
static const struct vector {
	const char *secret, *id;
	int64_t timestamp;
	const char *body, *header;
} vectors[] = {
    {SECRET_A, ID_A, 1614265330, BODY_A, SIG_A},
    {SECRET_B, "msg_27UH4WbU6Z5A5EzD8u03UvzRbpk", 1649367553,
     "{\"email\":\"test@example.com\",\"username\":\"test_user\"}",
     "v1,tZ1I4/hDygAJgO5TYxiSd6Sd0kDW6hPenDe+bTa3Kkw="},
    {SECRET_C, ID_A, 1614265330, BODY_A, SIG_C},
    {"whsk_" SEED_C, ID_A, 1614265330, BODY_A, SIG_C},
    {SECRET_A "\n" SECRET_C "\n", ID_A, 1614265330, BODY_A, SIG_A " " SIG_C},
    {SECRET_C "\n" SECRET_A "\n", ID_A, 1614265330, BODY_A, SIG_C " " SIG_A},
    {SECRET_A "\n" PUBLIC_C "\n" SECRET_C, ID_A, 1614265330, BODY_A, SIG_A " " SIG_C},
    {PUBLIC_C "\n" SECRET_A, ID_A, 1614265330, BODY_A, SIG_A},
};

static struct rp_signer *signer_of(const char *text)
{
	struct rp_signer *signer;
	struct rp_error err;

	ck_assert_msg(rp_signer_new(rp_span_of(text), &signer, &err) == RP_OK, "%s", err.text);
	return signer;
}

static bool verifies(struct rp_signer *signer, const char *id, const char *timestamp,
		     const char *body, const char *header)
{
	return rp_signer_verify(signer, rp_span_of(id), rp_span_of(timestamp), rp_span_of(body),
				rp_span_of(header));
}

static bool a_verifies(const char *keys, const char *header)
{
	struct rp_signer *signer = signer_of(keys);
	bool ok = verifies(signer, ID_A, "1614265330", BODY_A, header);

	rp_signer_free(signer);
	return ok;
}

START_TEST(the_published_vectors_come_out)
{
	const struct vector *v = &vectors[_i];
	struct rp_signer *signer = signer_of(v->secret);
	struct rp_buf out = {0};
	char timestamp[24];
	int again;

	for (again = 0; again < 3; again++) {
		rp_buf_clear(&out);
		ck_assert(rp_signer_sign(signer, rp_span_of(v->id), v->timestamp,
					 rp_span_of(v->body), &out));
		ck_assert_str_eq(out.data, v->header);
	}
	snprintf(timestamp, sizeof timestamp, "%" PRId64, v->timestamp);
	ck_assert(verifies(signer, v->id, timestamp, v->body, v->header));
	rp_buf_release(&out);
	rp_signer_free(signer);
}
END_TEST

START_TEST(a_signature_holds_for_its_own_id_timestamp_and_body_only)
{
	const struct vector *v = &vectors[_i];
	struct rp_signer *signer = signer_of(v->secret);
	char timestamp[24], later[24];

	snprintf(timestamp, sizeof timestamp, "%" PRId64, v->timestamp);
	snprintf(later, sizeof later, "%" PRId64, v->timestamp + 1);
	ck_assert(!verifies(signer, "msg_other", timestamp, v->body, v->header));
	ck_assert(!verifies(signer, v->id, later, v->body, v->header));
	ck_assert(!verifies(signer, v->id, timestamp, "{\"test\": 2432232315}", v->header));
	ck_assert(!verifies(signer, v->id, timestamp, "", v->header));
	ck_assert(!verifies(signer, "", timestamp, v->body, v->header));
	ck_assert(!verifies(signer, v->id, "", v->body, v->header));
	ck_assert(!verifies(signer, v->id, timestamp, v->body, ""));
	rp_signer_free(signer);
}
END_TEST

START_TEST(every_flipped_bit_of_the_body_is_seen)
{
	struct rp_signer *hmac = signer_of(SECRET_A), *ed25519 = signer_of(PUBLIC_C);
	char body[] = BODY_A;
	size_t i;

	for (i = 0; i < strlen(BODY_A) * 8; i++) {
		body[i / 8] = (char)(body[i / 8] ^ 1 << i % 8);
		struct rp_span flipped = {body, sizeof body - 1};
		ck_assert_msg(!rp_signer_verify(hmac, rp_span_of(ID_A), rp_span_of("1614265330"),
						flipped, rp_span_of(SIG_A)),
			      "v1, bit %zu", i);
		ck_assert_msg(!rp_signer_verify(ed25519, rp_span_of(ID_A), rp_span_of("1614265330"),
						flipped, rp_span_of(SIG_C)),
			      "v1a, bit %zu", i);
		body[i / 8] = (char)(body[i / 8] ^ 1 << i % 8);
	}
	rp_signer_free(hmac);
	rp_signer_free(ed25519);
}
END_TEST

START_TEST(every_changed_byte_of_a_signature_is_seen)
{
	const char *header = _i == 0 ? SIG_A : SIG_C, *comma = strchr(header, ',');
	const char *keys = _i == 0 ? SECRET_A : PUBLIC_C;
	unsigned char sig[RP_ED25519_BYTES];
	struct rp_buf out = {0};
	size_t n, i;

	ck_assert(rp_base64_decode(rp_span_of(comma + 1), sig, sizeof sig, &n));
	for (i = 0; i <= n; i++) {
		if (i < n)
			sig[i] ^= 1;
		rp_buf_clear(&out);
		ck_assert(rp_buf_add(&out, header, (size_t)(comma + 1 - header)) &&
			  rp_base64_encode(sig, n, &out));
		ck_assert_msg(a_verifies(keys, out.data) == (i == n), "byte %zu of %zu", i, n);
		if (i < n)
			sig[i] ^= 1;
	}
	rp_buf_release(&out);
}
END_TEST

/* Of a message that SECRET_A and SECRET_C signed: is the header good for a receiver with these
 * keys? */
static const struct {
	bool good;
	const char *keys, *header;
} header_rows[] = {
    {true, SECRET_A, SIG_A},
    {true, SECRET_A, WRONG_V1 " " SIG_A},
    {true, SECRET_A, SIG_A " " WRONG_V1},
    {true, SECRET_A,
     "v2,"
     "AAAA " SIG_A},
    {true, SECRET_A, SIG_C " " SIG_A},
    {true, SECRET_A, SIG_A " " SIG_C},
    {true, SECRET_A, "v1, " SIG_A},
    {true, SECRET_A, "nonsense " SIG_A},
    {true, SECRET_A, "  " SIG_A "  "},
    {true, SECRET_A,
     "v1a,"
     " , ,, " SIG_A},
    {true, SECRET_B "\n" SECRET_A, SIG_A},
    {true, SECRET_A "\n" SECRET_B, SIG_A},
    {true, PUBLIC_C, SIG_C},
    {true, PUBLIC_C, WRONG_V1A " " SIG_C},
    {true, PUBLIC_C, SIG_C " " WRONG_V1A},
    {true, PUBLIC_C, SIG_A " " SIG_C},
    {true, SECRET_C, SIG_C},
    {true, SECRET_B "\n" PUBLIC_C, WRONG_V1 " " SIG_C},
    {false, SECRET_B, SIG_A},
    {false, SECRET_A, SIG_C},
    {false, PUBLIC_C, SIG_A},
    {false, SECRET_A, WRONG_V1},
    {false, PUBLIC_C, WRONG_V1A},
    {false, SECRET_A, ""},
    {false, SECRET_A, "   "},
    {false, SECRET_A, "v1,"},
    {false, SECRET_A, "v1"},
    {false, SECRET_A, ","},
    {false, SECRET_A, "g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="},
    {false, SECRET_A, ",g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="},
    {false, SECRET_A, "v2,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="},
    {false, SECRET_A, "V1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="},
    {false, SECRET_A, "v1a,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="},
    {false, SECRET_A, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE"},
    {false, SECRET_A, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ"},
    {false, SECRET_A, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=AAAA"},
    {false, SECRET_A, "v1,g0hM9SsE OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="},
    {false, SECRET_A, "v1,g0hM9SsE-OTPJTGt_tmIKtSyZlE3uFJELVlNIOLJ1OE="},
    {false, SECRET_A, "v1,G0HM9SSE+OTPJTGT/TMIKTSYZLE3UFJELVLNIOLJ1OE="},
    {false, SECRET_A, "v1, g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="},
    {false, PUBLIC_C, "v1a,"},
    {false, PUBLIC_C,
     "v1a,hnO3f9T8Ytu9HwrXslvumlUpqtNVqkhqw/enGzPCXe5BdqzCInXqYXFymVJaA7AZdpXwVLPo3mNl8EM+m7TB"},
    {false, PUBLIC_C,
     "v1a,hnO3f9T8Ytu9HwrXslvumlUpqtNVqkhqw/enGzPCXe5BdqzCInXqYXFymVJaA7AZdpXwVLPo3mNl8EM+m7TBAg"},
    {false, PUBLIC_C,
     "v1,hnO3f9T8Ytu9HwrXslvumlUpqtNVqkhqw/enGzPCXe5BdqzCInXqYXFymVJaA7AZdpXwVLPo3mNl8EM+m7TBAg=="},
};

START_TEST(one_good_signature_anywhere_in_the_header_is_enough_and_nothing_less_is)
{
	ck_assert_msg(a_verifies(header_rows[_i].keys, header_rows[_i].header) ==
			  header_rows[_i].good,
		      "row %d should %sverify: %s", _i, header_rows[_i].good ? "" : "not ",
		      header_rows[_i].header);
}
END_TEST

START_TEST(a_missing_header_does_not_verify)
{
	struct rp_signer *signer = signer_of(SECRET_A);
	struct rp_span none = {NULL, 0};
	struct rp_span id = rp_span_of(ID_A), at = rp_span_of("1614265330"),
		       body = rp_span_of(BODY_A);

	ck_assert(!rp_signer_verify(signer, id, at, body, none));
	ck_assert(!rp_signer_verify(signer, none, at, body, rp_span_of(SIG_A)));
	ck_assert(!rp_signer_verify(signer, id, none, body, rp_span_of(SIG_A)));
	ck_assert(!rp_signer_verify(signer, id, at, none, rp_span_of(SIG_A)));
	rp_signer_free(signer);
}
END_TEST

START_TEST(a_hostile_list_of_signatures_is_read_up_to_its_limit)
{
	struct rp_buf header = {0};
	int i;

	for (i = 1; i < RP_SIGN_READ_MAX; i++)
		ck_assert(rp_buf_add_text(&header, WRONG_V1A " "));
	ck_assert(rp_buf_add_text(&header, SIG_C));
	ck_assert(a_verifies(PUBLIC_C, header.data));
	rp_buf_clear(&header);
	for (i = 0; i < RP_SIGN_READ_MAX; i++)
		ck_assert(rp_buf_add_text(&header, WRONG_V1A " "));
	ck_assert(rp_buf_add_text(&header, SIG_C));
	ck_assert(!a_verifies(PUBLIC_C, header.data));
	rp_buf_release(&header);
}
END_TEST

/* "msg_a.1" at 2 over "x" has the signed bytes of "msg_a" at 1 over "2.x". */
START_TEST(signed_bytes_cannot_be_cut_in_another_place)
{
	struct rp_signer *signer = signer_of(SECRET_A);
	struct rp_buf out = {0};

	ck_assert(rp_signer_sign(signer, rp_span_of("msg_a"), 1, rp_span_of("2.x"), &out));
	ck_assert(verifies(signer, "msg_a", "1", "2.x", out.data));
	ck_assert(!verifies(signer, "msg_a.1", "2", "x", out.data));
	ck_assert(!verifies(signer, "msg_a", "1.2", "x", out.data));
	rp_buf_release(&out);
	rp_signer_free(signer);
}
END_TEST

static const char *const bad_timestamps[] = {
    "-1", "+1", " 1", "1 ", "1.0", "0x1", "1e3", "now", "12345678901234567890"};

/* Signed with the same secret by a sender that is not ours, so that only the form of the timestamp
 * is wrong. */
START_TEST(a_timestamp_that_is_not_digits_does_not_verify)
{
	struct rp_signer *signer = signer_of(SECRET_A);
	struct rp_span parts[] = {rp_span_of("msg_a."), rp_span_of(bad_timestamps[_i]),
				  rp_span_of(".{}")};
	unsigned char secret[24], mac[RP_SHA256_BYTES];
	struct rp_buf header = {0};
	struct rp_mac_key *key;
	size_t n;

	ck_assert(
	    rp_base64_decode(rp_span_of(strchr(SECRET_A, '_') + 1), secret, sizeof secret, &n));
	key = rp_mac_key_new(secret, n);
	ck_assert(rp_mac_sign(key, parts, 3, mac));
	ck_assert(rp_buf_add_text(&header, "v1,") && rp_base64_encode(mac, sizeof mac, &header));
	ck_assert(!verifies(signer, "msg_a", bad_timestamps[_i], "{}", header.data));
	rp_mac_key_free(key);
	rp_buf_release(&header);
	rp_signer_free(signer);
}
END_TEST

START_TEST(any_body_can_be_signed_and_verified)
{
	struct rp_signer *signer = signer_of(SECRET_A "\n" SECRET_C), *public = signer_of(PUBLIC_C);
	static const size_t lengths[] = {0, 1, 2048, 1 << 20, (64 << 20) + 1};
	struct rp_span id = rp_span_of("msg_a"), at = rp_span_of("7");
	struct rp_buf out = {0};
	struct rp_span body;
	char *bytes;
	int i;

	for (i = 0; i < COUNT(lengths); i++) {
		bytes = calloc(1, lengths[i] + 1);
		body = (struct rp_span){lengths[i] > 0 ? bytes : NULL, lengths[i]};
		rp_buf_clear(&out);
		ck_assert_msg(rp_signer_sign(signer, id, 7, body, &out), "%zu bytes", lengths[i]);
		ck_assert(rp_signer_verify(signer, id, at, body, rp_span_of(out.data)));
		ck_assert(rp_signer_verify(public, id, at, body, rp_span_of(out.data)));
		bytes[lengths[i]] = 1;
		body = (struct rp_span){bytes, lengths[i] + 1};
		ck_assert_msg(!rp_signer_verify(signer, id, at, body, rp_span_of(out.data)),
			      "%zu bytes", lengths[i]);
		free(bytes);
	}
	rp_buf_release(&out);
	rp_signer_free(signer);
	rp_signer_free(public);
}
END_TEST

START_TEST(a_public_key_alone_cannot_sign)
{
	struct rp_signer *signer = signer_of(PUBLIC_C);
	struct rp_buf out = {0};

	ck_assert(!rp_signer_sign(signer, rp_span_of(ID_A), 1, rp_span_of(BODY_A), &out));
	ck_assert_uint_eq(out.len, 0);
	rp_signer_free(signer);
}
END_TEST

START_TEST(a_header_that_does_not_fit_leaves_the_buffer_as_it_was)
{
	static const char head[] = "webhook-signature: ";
	struct rp_signer *signer = signer_of(SECRET_A "\n" SECRET_C);
	size_t full = strlen(head) + strlen(SIG_A " " SIG_C);
	size_t max;

	for (max = strlen(head); max <= full; max++) {
		struct rp_buf out = {.max = max};
		ck_assert(rp_buf_add_text(&out, head));
		ck_assert_msg(rp_signer_sign(signer, rp_span_of(ID_A), 1614265330,
					     rp_span_of(BODY_A), &out) == (max == full),
			      "room for %zu of %zu", max, full);
		ck_assert_str_eq(out.data,
				 max == full ? "webhook-signature: " SIG_A " " SIG_C : head);
		ck_assert_uint_eq(out.len, strlen(out.data));
		rp_buf_release(&out);
	}
	rp_signer_free(signer);
}
END_TEST

static const char *const good_texts[] = {
    SECRET_A,
    SECRET_A "\n",
    SECRET_A "\r\n",
    "\n\n  \t\n" SECRET_A "\n\n",
    "# newest first\n" SECRET_A "\n  # the old one\n" SECRET_B "\n",
    "  " SECRET_A "\t\n",
    SECRET_A "\n" SECRET_A "\n" SECRET_A "\n" SECRET_A "\n" SECRET_A "\n" SECRET_A "\n" SECRET_A
	     "\n" SECRET_A,
};

START_TEST(a_secret_file_may_have_comments_blanks_and_dos_line_ends)
{
	ck_assert(a_verifies(good_texts[_i], SIG_A));
}
END_TEST

/* base64 of n zero bytes, with or without its padding, after prefix. */
static void zero_key(const char *prefix, size_t n, bool padded, struct rp_buf *text)
{
	static const unsigned char zeroes[128];

	rp_buf_clear(text);
	ck_assert(rp_buf_add_text(text, prefix) && rp_base64_encode(zeroes, n, text));
	while (!padded && text->len > 0 && text->data[text->len - 1] == '=')
		text->data[--text->len] = '\0';
}

START_TEST(keys_are_taken_by_length_with_or_without_padding)
{
	struct rp_buf text = {0};
	struct rp_signer *signer;
	struct rp_error err;
	size_t n;
	int i;

	for (n = 0; n <= 100; n++) {
		for (i = 0; i < 6; i++) {
			const char *prefix = (const char *[]){"whsec_", "whsk_", "whpk_"}[i % 3];
			bool good = i % 3 == 0 ? n >= 24 && n <= 64 : n == 32;
			zero_key(prefix, n, i < 3, &text);
			ck_assert_msg(
			    (rp_signer_new(rp_span_of(text.data), &signer, &err) == RP_OK) == good,
			    "%s of %zu bytes should be %s", prefix, n, good ? "taken" : "refused");
			ck_assert((signer != NULL) == good);
			ck_assert_msg(good || strstr(err.text, "line 1") != NULL, "%s", err.text);
			rp_signer_free(signer);
		}
	}
	zero_key("whsk_", 64, true, &text);
	ck_assert_int_eq(rp_signer_new(rp_span_of(text.data), &signer, &err), RP_ERR_INVAL);
	ck_assert_msg(strstr(err.text, "second half") != NULL, "%s", err.text);
	rp_buf_release(&text);
}
END_TEST

/* The reference libraries' tests carry this secret cut and lengthened without padding: 23 bytes,
 * below what the specification allows, and 25 bytes with bits left over. */
START_TEST(the_unpadded_secrets_of_the_reference_tests_are_judged_by_their_length)
{
	struct rp_signer *signer;
	struct rp_error err;

	ck_assert_int_eq(
	    rp_signer_new(rp_span_of("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaS"), &signer, &err),
	    RP_ERR_INVAL);
	ck_assert_msg(strstr(err.text, "this one has 23") != NULL, "%s", err.text);
	ck_assert(!a_verifies(SECRET_A "Br", SIG_A));
}
END_TEST

static const struct {
	const char *text;
	int line;
	const char *says;
} bad_texts[] = {
    {"", 1, "no key"},
    {"\n# nothing\n\n", 1, "no key"},
    {"whsec_", 1, "this one has 0"},
    {"whsk_", 1, "this one has 0"},
    {"whpk_", 1, "this one has 0"},
    {"MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", 1, "begins with whsec_"},
    {"WHSEC_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", 1, "begins with whsec_"},
    {"whsec-MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", 1, "begins with whsec_"},
    {"whse", 1, "begins with whsec_"},
    {"\n" SECRET_A "\n\nwhsec_MfKQ9r8G", 4, "this one has 6"},
    {"# comment\r\nwhsec_MfKQ9r8G-YqrTwjUPD8ILPZIo2LaLaSw\r\n", 2, "base64"},
    {SECRET_A " " SECRET_B, 1, "something else behind the key"},
    {SECRET_A " # newest", 1, "something else behind the key"},
    {SECRET_A SECRET_A SECRET_A, 1, "one key on a line"},
    {SECRET_A "\n" SECRET_C "x", 2, "one key on a line"},
    {SECRET_A "=", 1, "base64"},
    {"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwB", 1, "base64"},
    {PUBLIC_C "\nwhpk_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", 2, "this one has 24"},
    {"whsk_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", 1, "this one has 24"},
    {"whsk_6Xb/dCcHpPea21PS1N9VY/"
     "NZW723CEc77N4rJCubMbfVKIDij2HKpMKkioLlX0dRqSKJp4AJ6p9lMicMFs6Kvw==",
     1, "second half"},
    {SECRET_A "\n" SECRET_A "\n" SECRET_A "\n" SECRET_A "\n#\n" SECRET_A "\n" SECRET_A "\n" SECRET_A
	      "\n" SECRET_A "\n" SECRET_A,
     10, "more than 8"},
    {SECRET_A " not-before=tomorrow", 1, "not-before= is followed by something else than a time"},
    {SECRET_A " not-after=", 1, "not-after= is followed by something else than a time"},
    {SECRET_A " not-after=2026-11-23", 1, "not-after= is followed by something else than a time"},
    {SECRET_B "\n" SECRET_A " NOT-AFTER=2026-11-23T00:00:00Z", 2, "something else behind the key"},
    {SECRET_A " not-before=2026-11-23T00:00:00Z not-after=2026-11-23T00:00:00Z", 1,
     "would never sign"},
    {SECRET_A " not-before=2026-11-23T00:00:01Z not-after=2026-11-23T00:00:00Z", 1,
     "would never sign"},
    {SECRET_A " not-after=2026-11-23T00:00:00Z not-after=2026-11-24T00:00:00Z", 1, "twice"},
    {"not-after=2026-11-23T00:00:00Z " SECRET_A, 1, "something else behind the key"},
};

START_TEST(a_bad_secret_is_named_by_its_line_and_never_shown)
{
	struct rp_signer *signer = NULL;
	char line[16];
	struct rp_error err;

	ck_assert_int_eq(rp_signer_new(rp_span_of(bad_texts[_i].text), &signer, &err),
			 RP_ERR_INVAL);
	ck_assert_int_eq(err.code, RP_ERR_INVAL);
	ck_assert_ptr_null(signer);
	snprintf(line, sizeof line, "line %d:", bad_texts[_i].line);
	ck_assert_msg(strncmp(err.text, line, strlen(line)) == 0, "wanted %s got: %s", line,
		      err.text);
	ck_assert_msg(strstr(err.text, bad_texts[_i].says) != NULL, "wanted \"%s\" got: %s",
		      bad_texts[_i].says, err.text);
	ck_assert_ptr_null(strstr(err.text, "MfKQ"));
	ck_assert_ptr_null(strstr(err.text, "6Xb"));
	ck_assert_uint_lt(strlen(err.text), RP_ERROR_TEXT_MAX - 1);
}
END_TEST

/* 2021-02-25T15:02:10Z, the time of SIG_A and SIG_C. */
#define T0 1614265330
#define AT_T0 "2021-02-25T15:02:10Z"
#define BEFORE_T0 "2021-02-25T15:02:09Z"
#define AFTER_T0 "2021-02-25T15:02:11Z"

static const struct {
	const char *keys;
	size_t n;          /* that sign at T0 */
	const char *signs; /* the header then */
} windows[] = {
    {SECRET_A " not-before=" AT_T0, 1, SIG_A},
    {SECRET_A "\tnot-before=" BEFORE_T0 "  not-after=" AFTER_T0 "\r", 1, SIG_A},
    {SECRET_A " not-after=" AFTER_T0 " not-before=" AT_T0, 1, SIG_A},
    {SECRET_A " not-before=2021-02-25T16:02:10+01:00", 1, SIG_A},
    {SECRET_A " not-before=" AFTER_T0, 0, NULL},
    {SECRET_A " not-before=2021-02-25T15:02:10.001Z", 0, NULL},
    {SECRET_A " not-after=" AT_T0, 0, NULL},
    {SECRET_A " not-after=" BEFORE_T0, 0, NULL},
    {SECRET_C " not-before=" AFTER_T0 "\n" SECRET_A, 1, SIG_A},
    {SECRET_C " not-after=" AFTER_T0 "\n" SECRET_A " not-before=" AT_T0, 2, SIG_C " " SIG_A},
    {SECRET_B " not-before=" AFTER_T0 "\n" SECRET_A " not-after=" AFTER_T0 "\n" SECRET_C, 2,
     SIG_A " " SIG_C},
    /* Two windows that share a bound: one key, not none and not both. */
    {SECRET_A " not-before=" AT_T0 "\n" SECRET_C " not-after=" AT_T0, 1, SIG_A},
    {SECRET_A " not-before=" AFTER_T0 "\n" SECRET_C " not-after=" AFTER_T0, 1, SIG_C},
    {PUBLIC_C "\n" SECRET_A " not-after=" AT_T0, 0, NULL},
};

START_TEST(only_keys_inside_their_windows_sign_and_in_the_file_s_order)
{
	struct rp_signer *signer = signer_of(windows[_i].keys);
	struct rp_buf out = {0};

	ck_assert_uint_eq(rp_signer_count_at(signer, T0), windows[_i].n);
	ck_assert(rp_signer_sign(signer, rp_span_of(ID_A), T0, rp_span_of(BODY_A), &out) ==
		  (windows[_i].n > 0));
	if (windows[_i].n > 0)
		ck_assert_str_eq(out.data, windows[_i].signs);
	else
		ck_assert_uint_eq(out.len, 0);
	rp_buf_release(&out);
	rp_signer_free(signer);
}
END_TEST

START_TEST(a_signer_knows_how_many_of_its_keys_sign_whatever_the_time)
{
	struct rp_signer *signer =
	    signer_of(PUBLIC_C "\n" SECRET_A " not-after=" AT_T0 "\n" SECRET_B);
	struct rp_signer *public = signer_of(PUBLIC_C);

	ck_assert_uint_eq(rp_signer_count(signer), 2);
	ck_assert_uint_eq(rp_signer_count(public), 0);
	rp_signer_free(signer);
	rp_signer_free(public);
}
END_TEST

static const struct {
	const char *window;
	bool verifies; /* SIG_A, made at T0 */
} receiver_windows[] = {
    {" not-before=" AFTER_T0, true},
    {" not-before=2021-02-25T15:07:10Z", true},
    {" not-before=2021-02-25T15:07:11Z", false},
    {" not-after=" BEFORE_T0, true},
    {" not-after=2021-02-25T14:57:11Z", true},
    {" not-after=2021-02-25T14:57:10Z", false},
    {" not-before=2021-02-25T15:07:11Z not-after=2030-01-01T00:00:00Z", false},
};

START_TEST(a_receiver_takes_keys_that_are_valid_within_the_tolerance)
{
	struct rp_buf keys = {0};

	ck_assert(rp_buf_add_text(&keys, SECRET_A) &&
		  rp_buf_add_text(&keys, receiver_windows[_i].window));
	ck_assert_msg(a_verifies(keys.data, SIG_A) == receiver_windows[_i].verifies, "%s",
		      keys.data);
	rp_buf_clear(&keys);
	ck_assert(rp_buf_add_text(&keys, PUBLIC_C) &&
		  rp_buf_add_text(&keys, receiver_windows[_i].window));
	ck_assert_msg(a_verifies(keys.data, SIG_C) == receiver_windows[_i].verifies, "%s",
		      keys.data);
	rp_buf_release(&keys);
}
END_TEST

START_TEST(a_timestamp_of_another_age_of_the_world_is_judged_without_overflow)
{
	struct rp_signer *signer = signer_of(SECRET_A " not-after=9999-12-31T23:59:59Z");

	ck_assert(!verifies(signer, ID_A, "9999999999999999999", BODY_A, SIG_A));
	ck_assert(!verifies(signer, ID_A, "9223372036854775807", BODY_A, SIG_A));
	ck_assert(!verifies(signer, ID_A, "0", BODY_A, SIG_A));
	rp_signer_free(signer);
}
END_TEST

START_TEST(a_nul_in_a_secret_file_is_refused)
{
	static const char text[] = SECRET_A "\0\n";
	struct rp_span span = {text, sizeof text - 1};
	struct rp_signer *signer;

	ck_assert_int_eq(rp_signer_new(span, &signer, NULL), RP_ERR_INVAL);
	ck_assert_ptr_null(signer);
}
END_TEST

START_TEST(freeing_no_signer_is_allowed)
{
	rp_signer_free(NULL);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("sign");
	TCase *tc = tcase_create("sign");

	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, the_published_vectors_come_out, 0, COUNT(vectors));
	tcase_add_loop_test(tc, a_signature_holds_for_its_own_id_timestamp_and_body_only, 0,
			    COUNT(vectors));
	tcase_add_test(tc, every_flipped_bit_of_the_body_is_seen);
	tcase_add_loop_test(tc, every_changed_byte_of_a_signature_is_seen, 0, 2);
	tcase_add_loop_test(tc,
			    one_good_signature_anywhere_in_the_header_is_enough_and_nothing_less_is,
			    0, COUNT(header_rows));
	tcase_add_test(tc, a_missing_header_does_not_verify);
	tcase_add_test(tc, a_hostile_list_of_signatures_is_read_up_to_its_limit);
	tcase_add_test(tc, signed_bytes_cannot_be_cut_in_another_place);
	tcase_add_loop_test(tc, a_timestamp_that_is_not_digits_does_not_verify, 0,
			    COUNT(bad_timestamps));
	tcase_add_test(tc, any_body_can_be_signed_and_verified);
	tcase_add_test(tc, a_public_key_alone_cannot_sign);
	tcase_add_test(tc, a_header_that_does_not_fit_leaves_the_buffer_as_it_was);
	tcase_add_loop_test(tc, a_secret_file_may_have_comments_blanks_and_dos_line_ends, 0,
			    COUNT(good_texts));
	tcase_add_test(tc, keys_are_taken_by_length_with_or_without_padding);
	tcase_add_test(tc, the_unpadded_secrets_of_the_reference_tests_are_judged_by_their_length);
	tcase_add_loop_test(tc, a_bad_secret_is_named_by_its_line_and_never_shown, 0,
			    COUNT(bad_texts));
	tcase_add_loop_test(tc, only_keys_inside_their_windows_sign_and_in_the_file_s_order, 0,
			    COUNT(windows));
	tcase_add_test(tc, a_signer_knows_how_many_of_its_keys_sign_whatever_the_time);
	tcase_add_loop_test(tc, a_receiver_takes_keys_that_are_valid_within_the_tolerance, 0,
			    COUNT(receiver_windows));
	tcase_add_test(tc, a_timestamp_of_another_age_of_the_world_is_judged_without_overflow);
	tcase_add_test(tc, a_nul_in_a_secret_file_is_refused);
	tcase_add_test(tc, freeing_no_signer_is_allowed);
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
