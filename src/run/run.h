/* run.h - parses one input line: what the outbox needs to know of it, or why it is rejected.
 *
 * A line has one of two forms.
 * - A Run, as the engine would POST it. Its URL is kwargs.webhook, else the top-level `webhook`,
 *   else the default. Its payload is the line, unchanged: all bytes before the line feed, a CR
 *   included, but for what options->cuts cuts out.
 * - An envelope {"webhook": URL, "run": {...}, ...}. Its payload is exactly the bytes of the `run`
 *   value, with the same exception. An object with a member `run` is an envelope: no Run has such a
 *   member. */
#ifndef RP_RUN_RUN_H
#define RP_RUN_RUN_H

#include "base/bytes.h"
#include "net/url.h"
#include "run/cut.h"

#define RP_FIELD_MAX 200          /* bytes of run_id, thread_id, operation, order_by, each */
#define RP_EVENT_MAX 40           /* bytes of a status that is kept as the event */
#define RP_DEDUPE_KEY_MAX 256     /* bytes of a stored dedupe key */
#define RP_EXTRA_HEADERS_MAX 2048 /* bytes of all headers of an entry together, packed */

/* NO_MEMORY: nothing is known of the line; try it again. */
enum rp_run_status { RP_RUN_OK = 1, RP_RUN_SKIPPED, RP_RUN_REJECTED, RP_RUN_NO_MEMORY };

/* Belongs to the caller: init it once, parse any number of lines, release it. Spans point into the
 * line, the options or the buffers, and are valid until the next parse. */
struct rp_parsed_run {
	enum rp_run_status status;
	struct rp_span payload; /* less what was cut out */
	/* as it is sent: encoded where the engine's client would (rp_url_accept) */
	struct rp_span url;
	struct rp_url parts;
	struct rp_span run_id;
	/* the Run's thread_id and status; empty when they are no strings, or too long */
	struct rp_span thread_id, event;
	struct rp_span operation, order_by;
	struct rp_span headers; /* "name: value\n" for each, names lower-case, validated */
	int64_t not_before_at_ms, expires_at_ms;
	unsigned char dedupe_key[RP_DEDUPE_KEY_MAX];
	size_t dedupe_key_bytes;
	/* of a rejection: "bad_json", "bad_url", "too_large", "bad_field"; static */
	const char *code;
	/* of a rejection or skip: a sentence with the member and the remedy; no secrets */
	char reason[160];
	struct rp_buf text, url_text, cut_text;
};

/* Which members of a Run are not stored: find() tells it by the URL. NULL: none of any Run. */
struct rp_run_cuts {
	const struct rp_cuts *(*find)(const void *arg, const struct rp_url *url);
	const void *arg;
};

/* What a caller may give beside the line. Each member may be empty. `runpost ingest` sets only
 * default_url and cuts, the library all but these and headers. */
struct rp_run_options {
	struct rp_span default_url; /* used when the line names no webhook */
	struct rp_span url;         /* used instead of whatever the line names */
	struct rp_span dedupe_id, operation, order_by;
	/* "name: value\n" for each, valid, names in lower case (rp_trace_pack): headers of the
	 * entry beside those of the envelope. A line that the envelope has, too, or that would
	 * break a bound of the headers is left out, and so are those behind it, which belong to
	 * it. */
	struct rp_span headers;
	int64_t not_before_at_ms, expires_at_ms;
	bool plain_run; /* a member `run` does not make an envelope */
	struct rp_run_cuts cuts;
};

void rp_parsed_run_init(struct rp_parsed_run *run);
void rp_parsed_run_release(struct rp_parsed_run *run);

/* Fills *run from the line, which has no line feed. Never fails: status, code and reason say what
 * is wrong.
 *
 * The dedupe key is `id` if given, else run_id + URL + status, else the SHA-256 of the line (and of
 * options->url, if given). It is stored as it is, and compared byte by byte. The first two kinds
 * start with a letter and the id: so the engine's time-ordered ids (UUIDv7) keep the pages of the
 * index together. What is cut out counts in it as well. */
void rp_parse_run(struct rp_parsed_run *run, struct rp_span line,
		  const struct rp_run_options *options);

/* What keeps the header `name: value` from being sent. NULL: nothing. Else a static part of a
 * sentence, such as "its value contains a line break", which repeats neither name nor value.
 *
 * The name must be a token (RFC 9110), and none that runpost or HTTP itself sets (host,
 * content-length, transfer-encoding, connection, content-type, webhook-*, runpost-*, ...). The
 * value must have no control bytes. An empty value is refused, too: the HTTP library would leave
 * the header out. */
const char *rp_header_problem(struct rp_span name, struct rp_span value);

#endif
