/* sign_main.c - signs standard input as a sender would, for the interoperability test: prints the
 * webhook-signature value.
 *
 * Usage: sign_main SECRET_FILE ID TIMESTAMP < BODY */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "sign/crypto.h"
#include "sign/sign.h"

#define READ_BYTES 65536

static bool read_all(FILE *in, struct rp_buf *out)
{
	size_t n;

	do {
		if (!rp_buf_reserve(out, READ_BYTES))
			return false;
		n = fread(out->data + out->len, 1, READ_BYTES, in);
		out->len += n;
	} while (n > 0);
	return !ferror(in);
}

static int fail(const char *what, const char *why)
{
	fprintf(stderr, "sign_main: %s: %s\n", what, why);
	return EXIT_FAILURE;
}

static struct rp_span span_of(const struct rp_buf *b)
{
	struct rp_span s = {b->data, b->len};

	return s;
}

static int sign(const char *path, const char *id, int64_t timestamp)
{
	struct rp_buf secrets = {0}, body = {0}, header = {0};
	struct rp_signer *signer = NULL;
	struct rp_error err;
	FILE *in = fopen(path, "r");
	int status;

	if (in == NULL || !read_all(in, &secrets))
		status = fail(path, "cannot read it");
	else if (rp_signer_new(span_of(&secrets), &signer, &err) != RP_OK)
		status = fail(path, err.text);
	else if (!read_all(stdin, &body))
		status = fail("standard input", "cannot read it");
	else if (!rp_signer_sign(signer, rp_span_of(id), timestamp, span_of(&body), &header))
		status = fail(path, "no key in it can sign, or libcrypto failed");
	else
		status =
		    puts(header.data) >= 0 && fflush(stdout) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
	if (in != NULL)
		fclose(in);
	rp_signer_free(signer);
	if (secrets.len > 0)
		rp_wipe(secrets.data, secrets.len);
	rp_buf_release(&secrets);
	rp_buf_release(&body);
	rp_buf_release(&header);
	return status;
}

int main(int argc, char **argv)
{
	int64_t timestamp;
	char *end;

	if (argc != 4)
		return fail("usage", "sign_main SECRET_FILE ID TIMESTAMP < BODY");
	timestamp = strtoll(argv[3], &end, 10);
	if (end == argv[3] || *end != '\0' || timestamp < 0)
		return fail(argv[3], "the timestamp is Unix seconds, digits only");
	return sign(argv[1], argv[2], timestamp);
}
