/* demo_runs.c - loads the recorded runs and aims them at the demo's receiver. No run goes
 * anywhere else, whatever its recording names. */

#include "cmd/demo.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "base/sys.h"
#include "sign/crypto.h"
#include "run/run.h"

#define TOKEN_MIN 6 /* a shorter one could stand in the output by chance, see rp_demo_output */

static const char own_runs[] =
    "{\"run_id\":\"01999a00-0000-7000-8000-000000000001\",\"thread_id\":\"01999a00-0000-7000-8000-"
    "0000000000a1\","
    "\"status\":\"success\",\"kwargs\":{\"webhook\":\"http://127.0.0.1:9911/"
    "hook?token=demo-token&op=runs\"},"
    "\"values\":{\"answer\":\"Rain is likely after four.\"}}\n"
    "{\"run_id\":\"01999a00-0000-7000-8000-000000000002\",\"thread_id\":\"01999a00-0000-7000-8000-"
    "0000000000a1\","
    "\"status\":\"success\",\"kwargs\":{\"webhook\":\"http://127.0.0.1:9911/"
    "hook?token=demo-token&op=wait\"},"
    "\"values\":{\"answer\":\"Gr\303\274\303\237e \\ud83d\\ude42\",\"cost\":1e400}}\n"
    "{\"run_id\":\"01999a00-0000-7000-8000-000000000003\",\"thread_id\":null,\"status\":\"error\","
    "\"kwargs\":{\"webhook\":\"http://127.0.0.1:9911/hook?token=demo-token&op=stream\"},"
    "\"error\":\"the tool did not answer\"}\n";

static bool is_plain(struct rp_span token)
{
	size_t i;

	for (i = 0; i < token.len; i++)
		if (strchr("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz-._~",
			   token.ptr[i]) == NULL)
			return false;
	return true;
}

/* The value of the query parameter `token`, if it needs no decoding. */
static bool find_token(struct rp_span query, struct rp_span *token)
{
	const char *at = query.ptr, *end = query.ptr + query.len;

	while (at < end) {
		const char *stop = memchr(at, '&', (size_t)(end - at));

		if (stop == NULL)
			stop = end;
		*token = (struct rp_span){at + 6, (size_t)(stop - at) - 6};
		if (stop - at >= 6 + TOKEN_MIN && memcmp(at, "token=", 6) == 0)
			return token->len < sizeof((struct rp_demo *)NULL)->token &&
			       is_plain(*token);
		at = stop + 1;
	}
	return false;
}

/* The first run that names a receiver on this machine decides which port and token ours has.
 * Nothing is ever sent anywhere else: a run with another webhook goes in an envelope. */
static void look_at_webhook(struct rp_demo *d, struct rp_demo_run *run,
			    const struct rp_parsed_run *parsed)
{
	const struct rp_url *url = &parsed->parts;
	struct rp_span token;

	if (parsed->status != RP_RUN_OK || parsed->payload.len != run->payload.len || url->https ||
	    !rp_span_is(url->host, "127.0.0.1") || !find_token(url->query, &token))
		return;
	if (d->port == 0) {
		d->port = url->port;
		memcpy(d->token, token.ptr, token.len);
		d->token[token.len] = '\0';
	}
	run->as_it_is = url->port == d->port && rp_span_is(token, d->token);
}

static void digest(struct rp_demo_run *run)
{
	unsigned char sha[RP_SHA256_BYTES];
	size_t i;

	rp_sha256(&run->payload, 1, sha);
	for (i = 0; i < sizeof sha; i++)
		snprintf(run->sha256 + 2 * i, 3, "%02x", sha[i]);
}

static enum rp_err add_run(struct rp_demo *d, const char *path, size_t number, struct rp_span line,
			   struct rp_parsed_run *parsed, struct rp_error *err)
{
	const struct rp_run_options options = {.plain_run = false};
	struct rp_demo_run *run;

	if (d->n_runs == RP_DEMO_RUNS_MAX)
		return rp_fail(
		    err, RP_ERR_INVAL,
		    "%s: the demo takes at most %d runs; give it a part, as of `head -n %d`", path,
		    RP_DEMO_RUNS_MAX, RP_DEMO_RUNS_MAX);
	rp_parse_run(parsed, line, &options);
	if (parsed->status == RP_RUN_REJECTED && strcmp(parsed->code, "bad_json") == 0)
		return rp_fail(err, RP_ERR_INVAL, "%s:%zu: %s", path, number, parsed->reason);
	run = &d->runs[d->n_runs++];
	run->payload = line;
	digest(run);
	look_at_webhook(d, run, parsed);
	return RP_OK;
}

/* Without the white space around it, which an envelope would not keep. */
static struct rp_span trim(struct rp_span line)
{
	while (line.len > 0 && strchr(" \t\r", line.ptr[line.len - 1]) != NULL)
		line.len--;
	while (line.len > 0 && strchr(" \t\r", line.ptr[0]) != NULL) {
		line.ptr++;
		line.len--;
	}
	return line;
}

static enum rp_err add_runs(struct rp_demo *d, const char *path, struct rp_error *err)
{
	struct rp_span rest = {d->text.data, d->text.len}, line;
	struct rp_parsed_run parsed;
	enum rp_err e = RP_OK;
	size_t number = 0;

	rp_parsed_run_init(&parsed);
	while (e == RP_OK && rp_demo_next_line(&rest, &line)) {
		number++;
		line = trim(line);
		if (line.len > 0)
			e = add_run(d, path, number, line, &parsed, err);
	}
	rp_parsed_run_release(&parsed);
	if (e == RP_OK && d->n_runs == 0)
		return rp_fail(err, RP_ERR_INVAL,
			       "%s: there is no run in it; one JSON object a line is expected",
			       path);
	return e;
}

static void make_token(struct rp_demo *d)
{
	unsigned char bytes[12];
	size_t i;

	rp_sys_random(&rp_sys_real, bytes, sizeof bytes);
	for (i = 0; i < sizeof bytes; i++)
		snprintf(d->token + 2 * i, 3, "%02x", bytes[i]);
}

enum rp_err rp_demo_load_runs(struct rp_demo *d, const char *path, struct rp_error *err)
{
	enum rp_err e = RP_OK;

	if (path != NULL)
		e = rp_demo_read_file(AT_FDCWD, path, &d->text, err);
	else if (!rp_buf_add_text(&d->text, own_runs))
		e = rp_fail(err, RP_ERR_NOMEM, "out of memory");
	if (e == RP_OK)
		e = add_runs(d, path != NULL ? path : "runs of its own", err);
	if (e == RP_OK && d->token[0] == '\0')
		make_token(d);
	return e;
}

static bool add_envelope(const struct rp_demo *d, unsigned port, const struct rp_demo_run *run,
			 struct rp_buf *out)
{
	return rp_buf_printf(out,
			     "{\"webhook\":\"http://127.0.0.1:%u/"
			     "hook?token=%s\",\"operation\":\"POST /runs\",\"run\":",
			     port, d->token) &&
	       rp_buf_add(out, run->payload.ptr, run->payload.len) && rp_buf_add_text(out, "}\n");
}

static enum rp_err write_lines(const struct rp_demo *d, const char *name, struct rp_buf *lines,
			       bool complete, struct rp_error *err)
{
	enum rp_err e = complete
			    ? rp_demo_write_file(d->dir_fd, name,
						 (struct rp_span){lines->data, lines->len}, err)
			    : rp_fail(err, RP_ERR_NOMEM, "out of memory");

	rp_buf_release(lines);
	return e;
}

enum rp_err rp_demo_write_input(struct rp_demo *d, const char *name, size_t *n_wrapped,
				struct rp_error *err)
{
	struct rp_buf lines = {0};
	bool ok = true;
	size_t i;

	*n_wrapped = 0;
	for (i = 0; i < d->n_runs && ok; i++) {
		const struct rp_demo_run *run = &d->runs[i];

		if (run->as_it_is && i % 2 == 0) {
			ok = rp_buf_add(&lines, run->payload.ptr, run->payload.len) &&
			     rp_buf_add_char(&lines, '\n');
		} else {
			ok = add_envelope(d, d->port, run, &lines);
			++*n_wrapped;
		}
	}
	return write_lines(d, name, &lines, ok, err);
}

enum rp_err rp_demo_write_broken_input(struct rp_demo *d, const char *name, struct rp_error *err)
{
	struct rp_buf lines = {0};
	bool ok = add_envelope(d, d->broken_port, &d->runs[0], &lines);

	return write_lines(d, name, &lines, ok, err);
}
