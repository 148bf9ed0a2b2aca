/* demo_read.c - reads what the programs printed for the demo. Reading is apart from judging, so
 * that a judgement stands on values. */

#include "cmd/demo.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "text/scan.h"

static bool is_text(const struct rp_json_want *want, const char *text)
{
	size_t n = strlen(text);

	return want->type == RP_JSON_STRING && want->raw.len == n + 2 &&
	       memcmp(want->raw.ptr + 1, text, n) == 0;
}

static bool is_number(const struct rp_json_want *want, long long number)
{
	return want->type == RP_JSON_NUMBER && strtoll(want->raw.ptr, NULL, 10) == number;
}

/* The names and ids read here are plain ASCII: a text with an escape in it is none of them. */
static bool copy_text(const struct rp_json_want *want, char *out, size_t size)
{
	if (want->type != RP_JSON_STRING || want->raw.len - 2 >= size ||
	    memchr(want->raw.ptr, '\\', want->raw.len) != NULL)
		return false;
	memcpy(out, want->raw.ptr + 1, want->raw.len - 2);
	out[want->raw.len - 2] = '\0';
	return true;
}

size_t rp_demo_read_receipts(struct rp_span text, struct rp_demo_receipt *out, size_t max)
{
	struct rp_scan_error ignored; /* a line that is no object is one of the log */
	struct rp_span line;
	size_t n = 0;

	while (rp_demo_next_line(&text, &line)) {
		struct rp_json_want want[] = {{.name = "status"}, {.name = "id"}};
		struct rp_demo_receipt receipt = {"", ""};

		if (!rp_scan_object(line, want, 2, &ignored) ||
		    !copy_text(&want[0], receipt.status, sizeof receipt.status))
			continue;
		/* a rejected line has none */
		(void)copy_text(&want[1], receipt.id, sizeof receipt.id);
		if (n < max)
			out[n] = receipt;
		n++;
	}
	return n;
}

enum { POST_ID, POST_STATUS, POST_SHA256, POST_SIGNATURE, POST_TOKEN, N_POST };

static void count_post(const struct rp_json_want *want, const char *sha256,
		       struct rp_demo_posts *out)
{
	out->last_accepted = is_number(&want[POST_STATUS], 200);
	out->all++;
	if (out->last_accepted)
		out->accepted++;
	else
		out->refused++;
	out->all_right = out->all_right && is_text(&want[POST_SHA256], sha256) &&
			 is_text(&want[POST_SIGNATURE], "ok") && is_text(&want[POST_TOKEN], "ok");
}

bool rp_demo_read_posts(struct rp_demo *d, const char *record, const char *id, const char *sha256,
			struct rp_demo_posts *out)
{
	struct rp_buf text = {0};
	struct rp_span rest, line;
	struct rp_scan_error where;
	struct rp_error err;
	bool ok = true;

	*out = (struct rp_demo_posts){.all_right = true};
	if (rp_demo_read_file(d->dir_fd, record, &text, &err) != RP_OK) {
		rp_buf_release(&text);
		return rp_demo_fail(d, "%s", err.text);
	}
	rest = (struct rp_span){text.data, text.len};
	while (ok && rp_demo_next_line(&rest, &line)) {
		struct rp_json_want want[N_POST] = {
		    [POST_ID] = {.name = "webhook_id"}, [POST_STATUS] = {.name = "status"},
		    [POST_SHA256] = {.name = "sha256"}, [POST_SIGNATURE] = {.name = "signature"},
		    [POST_TOKEN] = {.name = "token"},
		};

		ok = rp_scan_object(line, want, N_POST, &where);
		if (!ok)
			rp_demo_fail(d, "the receiver's record %s holds a line that is no JSON: %s",
				     record, where.message);
		else if (is_text(&want[POST_ID], id))
			count_post(want, sha256, out);
	}
	rp_buf_release(&text);
	return ok;
}

static bool parse_stats(struct rp_span text, struct rp_demo_stats *out)
{
	struct rp_json_want want[] = {
	    {.name = "accepted"},          {.name = "entries.waiting"},
	    {.name = "entries.in_flight"}, {.name = "entries.held"},
	    {.name = "entries.delivered"}, {.name = "entries.dead"},
	    {.name = "entries.purged"},    {.name = "senders_alive"},
	};
	long long *const to[] = {&out->accepted,  &out->waiting, &out->in_flight, &out->held,
				 &out->delivered, &out->dead,    &out->purged,    &out->senders};
	struct rp_scan_error ignored;
	size_t i;

	if (!rp_scan_object(text, want, sizeof want / sizeof want[0], &ignored))
		return false;
	for (i = 0; i < sizeof want / sizeof want[0]; i++) {
		if (want[i].type != RP_JSON_NUMBER)
			return false;
		*to[i] = strtoll(want[i].raw.ptr, NULL, 10);
	}
	return true;
}

bool rp_demo_read_stats(struct rp_demo *d, struct rp_demo_stats *out)
{
	static const char *const argv[] = {"runpostctl",   "stats",  "--config",
					   RP_DEMO_CONFIG, "--json", NULL};
	struct rp_buf text = {0};
	bool ok = rp_demo_run(d, RP_DEMO_QUIET, NULL, argv, &text);

	if (ok && !parse_stats((struct rp_span){text.data, text.len}, out)) {
		rp_demo_output(d, (struct rp_span){text.data, text.len});
		ok = rp_demo_fail(d,
				  "`runpostctl stats --json` did not print the counts it promises");
	}
	rp_buf_release(&text);
	return ok;
}

bool rp_demo_is_dead_letter(struct rp_span list, const char *id, const char *cause,
			    long long attempts)
{
	struct rp_json_want want[] = {
	    {.name = "id"}, {.name = "cause"}, {.name = "attempts"}, {.name = "state"}};
	struct rp_scan_error ignored; /* of two entries the text is no object either */

	return rp_scan_object(list, want, 4, &ignored) && is_text(&want[0], id) &&
	       is_text(&want[1], cause) && is_number(&want[2], attempts) &&
	       is_text(&want[3], "dead");
}
