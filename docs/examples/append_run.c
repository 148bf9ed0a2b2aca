/* append_run - append one run, read from standard input, to an outbox:
 *
 *     cc append_run.c $(pkg-config --cflags --libs runpost) -o append_run
 *     ./append_run /var/lib/runpost < run.json */
#include <runpost.h>

#include <stdio.h>

static char text[1 << 20];

int main(int argc, char **argv)
{
	struct rp_handle *outbox;
	struct rp_receipt receipt = {0};
	struct rp_error err = {0};
	int code = 1;
	/* empty members: the webhook is the one the run names, and so on */
	struct rp_run run = {0};

	run.run = text;
	run.run_bytes = fread(text, 1, sizeof text, stdin);
	if (argc != 2 || run.run_bytes == sizeof text) {
		fprintf(stderr, "usage: append_run OUTBOX_DIR < run.json (less than %zu bytes)\n",
			sizeof text);
		return 64;
	}
	if (rp_open(argv[1], &outbox, &err) != RP_OK) {
		fprintf(stderr, "append_run: %s\n", err.text);
		return 1;
	}
	if (rp_append(outbox, &run, &receipt, &err) != RP_OK)
		fprintf(stderr, "append_run: not stored: %s\n", err.text);
	else if (receipt.id[0] == '\0') /* rejected, or skipped because it names no webhook */
		fprintf(stderr, "append_run: not stored: %s %s\n", receipt.code, receipt.reason);
	else
		/* on disk: it will be delivered, or end in the dead letters */
		code = printf("%s\n", receipt.id) < 0;
	rp_close(outbox);
	return code;
}
