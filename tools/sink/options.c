/* options.c - reads the command line. It is longer than the rest because each misbehaviour has
 * an option. */

#include "options.h"

#include <getopt.h>
#include <inttypes.h>
#include <stdlib.h>
#include <strings.h>

#include "base/units.h"
#include "sign/crypto.h"

#define MAX_BODY_DEFAULT ((uint64_t)64 << 20)
#define MAX_BODY_MAX ((uint64_t)1 << 30)

enum option_id {
	OPT_BIND = 256,
	OPT_BODY,
	OPT_CLOSE,
	OPT_DELAY,
	OPT_EXIT_AFTER,
	OPT_GARBAGE,
	OPT_HEADER,
	OPT_HELP,
	OPT_HUGE_BODY,
	OPT_MAX_BODY,
	OPT_MISBEHAVE_FIRST,
	OPT_NEVER,
	OPT_PER_PATH,
	OPT_PORT,
	OPT_QUIET,
	OPT_RECORD,
	OPT_RECORD_DIR,
	OPT_RESET,
	OPT_SECRET_FILE,
	OPT_SLOW_BODY,
	OPT_STATUS,
	OPT_TOKEN,
	OPT_TOKEN_FILE,
	OPT_VERSION,
};

/* In the order of --help; a heading stands before the option that opens a group. */
static const struct {
	enum option_id id;
	const char *name, *metavar, *help, *heading;
} table[] = {
    {OPT_PORT, "port", "P", "port to listen on; 0, the default, picks a free one", "Listening"},
    {OPT_BIND, "bind", "ADDR", "address to listen on; default 127.0.0.1", NULL},
    {OPT_MAX_BODY, "max-body", "SIZE", "largest body taken, beyond it 413; default 64M", NULL},
    {OPT_EXIT_AFTER, "exit-after", "N", "exit once N deliveries are answered", NULL},
    {OPT_TOKEN_FILE, "token-file", "F",
     "require the token in F: ?token=T or Authorization: Bearer T", "Checks (401)"},
    {OPT_TOKEN, "token", "T", "the same, token on the command line; others may see it briefly",
     NULL},
    {OPT_SECRET_FILE, "secret-file", "F",
     "require a Standard Webhooks signature by a key in F (whsec_, whpk_)", NULL},
    {OPT_QUIET, "quiet", NULL, "no line a delivery", "Output"},
    {OPT_RECORD, "record", "FILE", "append a JSON object a delivery, before it is answered", NULL},
    {OPT_RECORD_DIR, "record-dir", "DIR", "keep each body as DIR/WEBHOOK-ID.N", NULL},
    {OPT_STATUS, "status", "CODE...",
     "answer these in turn, the last one for ever: 503 503 200 or 503,503,200", "Misbehaviour"},
    {OPT_DELAY, "delay", "DURATION", "answer late, such as 300ms or 5s", NULL},
    {OPT_NEVER, "never", NULL, "take the request and never answer", NULL},
    {OPT_GARBAGE, "garbage", NULL, "answer bytes that are not HTTP", NULL},
    {OPT_RESET, "reset", NULL, "reset the connection after the request", NULL},
    {OPT_CLOSE, "close", NULL, "close the connection without an answer", NULL},
    {OPT_SLOW_BODY, "slow-body", NULL, "send the answer's body one byte a second", NULL},
    {OPT_HUGE_BODY, "huge-body", "SIZE", "answer with a body of this size, such as 100M", NULL},
    {OPT_BODY, "body", "TEXT", "answer with this body", NULL},
    {OPT_HEADER, "header", "'NAME: VALUE'",
     "add a header to the answer, such as 'Retry-After: 3'; repeatable", NULL},
    {OPT_MISBEHAVE_FIRST, "misbehave-first", "N",
     "only the first N requests are treated so, later ones get 200", NULL},
    {OPT_PER_PATH, "per-path", NULL, "count statuses and --misbehave-first for each path by itself",
     NULL},
    {OPT_HELP, "help", NULL, "this text", "Other"},
    {OPT_VERSION, "version", NULL, "print the version", NULL},
};
#define N_OPTIONS (sizeof table / sizeof table[0])

bool rp_sink_options_help(struct rp_buf *out)
{
	bool ok = rp_buf_add_text(
	    out,
	    "usage: runpost-sink [--port P] [--record FILE] [--secret-file F] [--token-file F] "
	    "[--status CODE...] ...\n\nReceives webhooks, prints a line for each, and misbehaves "
	    "on request. Prints \"ready URL\" once it listens.\n");
	size_t i;

	for (i = 0; i < N_OPTIONS; i++) {
		const char *metavar = table[i].metavar != NULL ? table[i].metavar : "";
		int width = 26 - (int)strlen(table[i].name) - 1;

		if (table[i].heading != NULL)
			ok = ok && rp_buf_printf(out, "\n%s\n", table[i].heading);
		ok = ok && rp_buf_printf(out, "  --%s %-*s %s\n", table[i].name, width, metavar,
					 table[i].help);
	}
	return ok && rp_buf_add_text(
			 out, "\nExample: a receiver that is down for two requests, then well\n"
			      "  runpost-sink --port 8080 --status 503 503 200\n");
}

static enum rp_err parse_number(const char *name, const char *text, uint64_t min, uint64_t max,
				uint64_t *out, struct rp_error *err)
{
	uint64_t v = 0;
	size_t i;

	for (i = 0; text[i] >= '0' && text[i] <= '9' && i < 18; i++)
		v = v * 10 + (uint64_t)(text[i] - '0');
	if (i == 0 || text[i] != '\0' || v < min || v > max)
		return rp_fail(err, RP_ERR_INVAL,
			       "%s wants a whole number from %" PRIu64 " to %" PRIu64
			       ", not \"%s\"",
			       name, min, max, text);
	*out = v;
	return RP_OK;
}

static enum rp_err parse_size(const char *name, const char *text, uint64_t max, uint64_t *out,
			      struct rp_error *err)
{
	uint64_t v;

	if (!rp_size_parse(rp_span_of(text), &v) || v == 0 || v > max)
		return rp_fail(err, RP_ERR_INVAL,
			       "%s wants a size from 1 to %" PRIu64
			       " bytes such as 500K or 64M, not \"%s\"",
			       name, max, text);
	*out = v;
	return RP_OK;
}

/* One code or several with commas. */
static enum rp_err add_statuses(struct rp_sink_plan *plan, const char *text, struct rp_error *err)
{
	const char *p = text;

	for (;;) {
		int i, v = 0;

		for (i = 0; i < 3 && p[i] >= '0' && p[i] <= '9'; i++)
			v = v * 10 + (p[i] - '0');
		if (i < 3 || v < 200 || v > 599 || (p[3] != '\0' && p[3] != ','))
			return rp_fail(err, RP_ERR_INVAL,
				       "--status wants codes from 200 to 599 such as \"503 503 "
				       "200\" or 503,503,200, not \"%s\"",
				       text);
		if (plan->n_statuses == RP_SINK_STATUSES_MAX)
			return rp_fail(
			    err, RP_ERR_INVAL,
			    "--status takes at most %d codes; the last one is answered for ever",
			    RP_SINK_STATUSES_MAX);
		plan->statuses[plan->n_statuses++] = v;
		if (p[3] == '\0')
			return RP_OK;
		p += 4;
	}
}

static bool is_own_header(const char *line)
{
	static const char *const names[] = {"content-length:", "transfer-encoding:", "connection:"};
	size_t i;

	for (i = 0; i < sizeof names / sizeof names[0]; i++)
		if (strncasecmp(line, names[i], strlen(names[i])) == 0)
			return true;
	return false;
}

static enum rp_err add_header(struct rp_sink_plan *plan, const char *line, struct rp_error *err)
{
	static const char name_chars[] =
	    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.!#$%&'*+^`|~";
	size_t name_len = strspn(line, name_chars), i;
	bool good = name_len > 0 && line[name_len] == ':';

	for (i = name_len; line[i] != '\0'; i++)
		good =
		    good && ((unsigned char)line[i] >= 0x20 || line[i] == '\t') && line[i] != 0x7f;
	if (!good)
		return rp_fail(
		    err, RP_ERR_INVAL,
		    "--header wants one line 'Name: value' such as 'Retry-After: 3', not \"%s\"",
		    line);
	if (is_own_header(line))
		return rp_fail(err, RP_ERR_INVAL,
			       "--header cannot set %.*s: the receiver writes it itself to keep "
			       "the answer readable",
			       (int)name_len, line);
	if (!rp_buf_add_text(&plan->headers, line) || !rp_buf_add_text(&plan->headers, "\r\n"))
		return rp_fail(err, RP_ERR_NOMEM, "out of memory");
	return RP_OK;
}

static enum rp_err take_token(struct rp_sink_options *o, char *argument, struct rp_error *err)
{
	if (o->token != NULL || *argument == '\0')
		return rp_fail(err, RP_ERR_INVAL, "--token wants one token that is not empty");
	o->token = strdup(argument);
	if (o->token == NULL)
		return rp_fail(err, RP_ERR_NOMEM, "out of memory");
	memset(argument, '*', strlen(argument));
	return RP_OK;
}

static enum rp_err set_deed(struct rp_sink_plan *plan, enum rp_sink_deed deed, struct rp_error *err)
{
	if (plan->deed != RP_SINK_ANSWER && plan->deed != deed)
		return rp_fail(err, RP_ERR_INVAL, "--%s and --%s exclude each other: choose one",
			       rp_sink_deed_name(plan->deed), rp_sink_deed_name(deed));
	plan->deed = deed;
	return RP_OK;
}

static enum rp_err set_plan_option(struct rp_sink_plan *plan, enum option_id id, char *arg,
				   struct rp_error *err)
{
	switch (id) {
	case OPT_STATUS:
		return add_statuses(plan, arg, err);
	case OPT_DELAY:
		if (!rp_duration_parse(rp_span_of(arg), &plan->delay_ms))
			return rp_fail(
			    err, RP_ERR_INVAL,
			    "--delay wants a duration such as 300ms, 5s or 2m, not \"%s\"", arg);
		return RP_OK;
	case OPT_NEVER:
		return set_deed(plan, RP_SINK_NEVER, err);
	case OPT_GARBAGE:
		return set_deed(plan, RP_SINK_GARBAGE, err);
	case OPT_RESET:
		return set_deed(plan, RP_SINK_RESET, err);
	case OPT_CLOSE:
		return set_deed(plan, RP_SINK_CLOSE, err);
	case OPT_HUGE_BODY:
		return parse_size("--huge-body", arg, (uint64_t)1 << 40, &plan->huge_bytes, err);
	case OPT_HEADER:
		return add_header(plan, arg, err);
	case OPT_MISBEHAVE_FIRST:
		return parse_number("--misbehave-first", arg, 1, UINT32_MAX, &plan->misbehave_first,
				    err);
	case OPT_SLOW_BODY:
		plan->slow = true;
		return RP_OK;
	case OPT_PER_PATH:
		plan->per_path = true;
		return RP_OK;
	default:
		plan->body = arg; /* OPT_BODY: the caller took the others */
		return RP_OK;
	}
}

static enum rp_err set_option(struct rp_sink_options *o, enum option_id id, char *arg,
			      struct rp_error *err)
{
	uint64_t port;

	switch (id) {
	case OPT_PORT:
		if (parse_number("--port", arg, 0, UINT16_MAX, &port, err) != RP_OK)
			return RP_ERR_INVAL;
		o->port = (uint16_t)port;
		break;
	case OPT_BIND:
		o->bind = arg;
		break;
	case OPT_MAX_BODY:
		return parse_size("--max-body", arg, MAX_BODY_MAX, &o->max_body, err);
	case OPT_EXIT_AFTER:
		return parse_number("--exit-after", arg, 1, UINT32_MAX, &o->exit_after, err);
	case OPT_TOKEN:
		return take_token(o, arg, err);
	case OPT_TOKEN_FILE:
		o->token_file = arg;
		break;
	case OPT_SECRET_FILE:
		o->secret_file = arg;
		break;
	case OPT_QUIET:
		o->quiet = true;
		break;
	case OPT_RECORD:
		o->record = arg;
		break;
	case OPT_RECORD_DIR:
		o->record_dir = arg;
		break;
	case OPT_HELP:
		o->help = true;
		break;
	case OPT_VERSION:
		o->version = true;
		break;
	default:
		return set_plan_option(&o->plan, id, arg, err);
	}
	return RP_OK;
}

static enum rp_err check_together(const struct rp_sink_options *o, struct rp_error *err)
{
	const struct rp_sink_plan *plan = &o->plan;
	bool shapes_answer = plan->n_statuses > 0 || plan->slow || plan->huge_bytes > 0 ||
			     plan->body != NULL || plan->headers.len > 0;

	if (o->token != NULL && o->token_file != NULL)
		return rp_fail(err, RP_ERR_INVAL,
			       "--token and --token-file both give the token: choose one");
	if (plan->deed != RP_SINK_ANSWER && shapes_answer)
		return rp_fail(err, RP_ERR_INVAL,
			       "--%s sends no HTTP answer, so --status, --header, --body, "
			       "--huge-body and --slow-body do not go "
			       "with it",
			       rp_sink_deed_name(plan->deed));
	if (plan->deed == RP_SINK_NEVER && plan->delay_ms > 0)
		return rp_fail(err, RP_ERR_INVAL,
			       "--never and --delay exclude each other: choose one");
	if (plan->body != NULL && plan->huge_bytes > 0)
		return rp_fail(err, RP_ERR_INVAL,
			       "--body and --huge-body exclude each other: choose one");
	return RP_OK;
}

static void fill_long_options(struct option out[N_OPTIONS + 1])
{
	size_t i;

	memset(out, 0, sizeof *out * (N_OPTIONS + 1));
	for (i = 0; i < N_OPTIONS; i++) {
		out[i].name = table[i].name;
		out[i].has_arg = table[i].metavar != NULL ? required_argument : no_argument;
		out[i].val = (int)table[i].id;
	}
}

enum rp_err rp_sink_options_parse(struct rp_sink_options *o, int argc, char **argv,
				  struct rp_error *err)
{
	struct option longs[N_OPTIONS + 1];
	enum rp_err code = RP_OK;
	int id, last = 0;

	memset(o, 0, sizeof *o);
	o->bind = "127.0.0.1";
	o->max_body = MAX_BODY_DEFAULT;
	fill_long_options(longs);
	opterr = 0;
	/* '-': plain arguments come in their place as id 1, so that the codes after --status are
	 * known as such. */
	while (code == RP_OK && (id = getopt_long(argc, argv, "-:", longs, NULL)) != -1) {
		if (id == ':')
			return rp_fail(err, RP_ERR_INVAL, "%s wants a value", argv[optind - 1]);
		if (id == '?')
			return rp_fail(err, RP_ERR_INVAL, "there is no option %s",
				       argv[optind - 1]);
		if (id == 1 && last == OPT_STATUS)
			id = OPT_STATUS;
		if (id == 1)
			return rp_fail(err, RP_ERR_INVAL, "\"%s\" belongs to no option", optarg);
		code = set_option(o, (enum option_id)id, optarg, err);
		last = id;
	}
	if (code == RP_OK && optind < argc)
		return rp_fail(err, RP_ERR_INVAL, "\"%s\" belongs to no option", argv[optind]);
	return code != RP_OK || o->help || o->version ? code : check_together(o, err);
}

void rp_sink_options_release(struct rp_sink_options *o)
{
	if (o->token != NULL)
		rp_wipe(o->token, strlen(o->token));
	free(o->token);
	o->token = NULL;
	rp_sink_plan_release(&o->plan);
}
