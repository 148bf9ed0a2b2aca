/* Secret files and signatures that came in. Input: secret file NUL header NUL body. */
#include "fuzz.h"

#include "sign/sign.h"

#define AT INT64_C(1795439210)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input in = {data, size};
	struct rp_span file = fuzz_until(&in, '\0'), header = fuzz_until(&in, '\0'),
		       body = fuzz_rest(&in);
	struct rp_span id = rp_span_of("msg_0000000001JT7MFYGB3SB94BAN"),
		       at = rp_span_of("1795439210");
	char *copy = fuzz_copy(file);
	struct rp_signer *signer = NULL;
	struct rp_error err = {.text = ""};
	struct rp_buf made = {0};

	file.ptr = copy;
	if (rp_signer_new(file, &signer, &err) != RP_OK) {
		MUST(signer == NULL && err.text[0] != '\0', "no reason");
		MUST(!fuzz_contains(file, rp_span_of("CANARY")) ||
			 strstr(err.text, "CANARY") == NULL,
		     "told: %s", err.text);
		free(copy);
		return 0;
	}
	MUST(rp_signer_count_at(signer, AT) <= rp_signer_count(signer) &&
		 rp_signer_count(signer) <= RP_SIGN_KEYS_MAX,
	     "keys");
	rp_signer_verify(signer, id, at, body, header);
	if (rp_signer_sign(signer, id, AT, body, &made)) {
		struct rp_span text = {made.data, made.len};

		MUST(rp_signer_count_at(signer, AT) > 0, "signed with no key");
		MUST(rp_signer_verify(signer, id, at, body, text),
		     "our own signature does not verify: %s", made.data);
		made.data[made.len / 2] ^= 1;
		text.len = made.len;
		if (rp_signer_count_at(signer, AT) == 1 && made.data[made.len / 2] != ' ')
			MUST(!rp_signer_verify(signer, id, at, body, text),
			     "a changed signature verifies");
	}
	rp_buf_release(&made);
	rp_signer_free(signer);
	free(copy);
	return 0;
}
