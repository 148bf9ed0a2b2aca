/* naive_request.h - reads HTTP requests a second time, for comparison: from RFC 9110 and 9112 by
 * their grammar as regular expressions, over whole lines of the whole input, slowly. It shares no
 * code with the parser, so that it shares no mistake with it.
 *
 * Bounds and statuses are the parser's choice, and its order where a request has two faults. */
#ifndef RP_TESTS_NAIVE_REQUEST_H
#define RP_TESTS_NAIVE_REQUEST_H

#include <regex.h>
#include <strings.h>

#include "fuzz.h"
#include "http_server/request.h"

/* One request as a reader understood it. */
struct outcome {
	enum rp_http_progress progress;
	int status;         /* when bad */
	struct rp_buf said; /* when done: method, target, count of fields, body */
	bool keep_alive;    /* when done */
	size_t rest;        /* when done: bytes of the input behind it */
};

#define CONTROLS "\x01-\x08\x0a-\x1f\x7f"
#define TOKEN "[!#$%&'*+.^_`|~0-9A-Za-z-]+"
#define QUOTED "\"([^\"\\" CONTROLS "]|\\\\[^" CONTROLS "])*\""
#define CHUNK_EXT "[ \t]*;[ \t]*" TOKEN "([ \t]*=[ \t]*(" TOKEN "|" QUOTED "))?"
#define NAIVE_HOST                                                                                 \
	"(\\[[0-9A-Fa-f:.][0-9A-Fa-f:.]+\\]|([._~!$&'()*+;=0-9A-Za-z-]|%[0-9A-Fa-f]"               \
	"[0-9A-Fa-f])+)"
#define PORT "(:[0-9]*)?"
#define QUERY "(\\?[!\"$-~]*)?"

struct naive {
	struct rp_span input;
	size_t at, head_from, body_from;
	const struct rp_http_bounds *bounds;
	struct outcome *out;
	char line[8192];

	char method[8192], target[8192], authority[8192], host[8192];
	bool http_1_0, says_close, says_keep_alive, chunked, has_length, too_long;
	unsigned hosts, fields;
	unsigned __int128 length;
	struct rp_buf body;
};

static bool naive_matches(const char *text, const char *pattern)
{
	static struct {
		const char *pattern;
		regex_t regex;
	} made[32];
	size_t i;

	for (i = 0; made[i].pattern != NULL && made[i].pattern != pattern; i++)
		;
	if (made[i].pattern == NULL) {
		MUST(regcomp(&made[i].regex, pattern, REG_EXTENDED | REG_NOSUB) == 0, "%s",
		     pattern);
		made[i].pattern = pattern;
	}
	return regexec(&made[i].regex, text, 0, NULL, 0) == 0;
}

static bool naive_bad(struct naive *n, int status)
{
	n->out->progress = RP_HTTP_BAD;
	n->out->status = status;
	return false;
}

static bool naive_more(struct naive *n)
{
	n->out->progress = RP_HTTP_MORE;
	return false;
}

/* The next line into `line`, a NUL as another control byte, which nothing may hold either. */
static bool naive_line(struct naive *n, size_t bytes_max, int status)
{
	size_t end = n->at, i;

	while (end < n->input.len && n->input.ptr[end] != '\n')
		end++;
	if (end - n->at + (end < n->input.len) > bytes_max)
		return naive_bad(n, status);
	if (end == n->input.len)
		return naive_more(n);
	if (end == n->at || n->input.ptr[end - 1] != '\r')
		return naive_bad(n, 400);
	for (i = 0; n->at + i < end - 1; i++) {
		n->line[i] = n->input.ptr[n->at + i];
		n->line[i] = n->line[i] == '\0' ? '\x01' : n->line[i];
	}
	n->line[i] = '\0';
	n->at = end + 1;
	return true;
}

static bool naive_target(struct naive *n)
{
	char *path;

	if (strcmp(n->target, "*") == 0)
		return strcmp(n->method, "OPTIONS") == 0;
	if (strcmp(n->method, "CONNECT") == 0)
		return false;
	if (naive_matches(n->target, "^/[!\"$-~]*$"))
		return true;
	if (!naive_matches(n->target,
			   "^[Hh][Tt][Tt][Pp]://" NAIVE_HOST PORT "(/[!\"$->@-~]*)?" QUERY "$"))
		return false;
	strcpy(n->authority, n->target + 7);
	path = n->authority + strcspn(n->authority, "/?");
	snprintf(n->target, sizeof n->target, "%s%.8000s", *path == '/' ? "" : "/", path);
	*path = '\0';
	return true;
}

static bool naive_request_line(struct naive *n)
{
	char *space, *version;

	if (!naive_matches(n->line, "^" TOKEN " [^ ]* HTTP/[0-9]\\.[0-9]$"))
		return naive_bad(n, 400);
	space = strchr(n->line, ' ');
	version = strrchr(n->line, ' ') + 1;
	snprintf(n->method, sizeof n->method, "%.*s", (int)(space - n->line), n->line);
	snprintf(n->target, sizeof n->target, "%.*s", (int)(version - space - 2), space + 1);
	n->http_1_0 = strcmp(version, "HTTP/1.0") == 0;
	if (!n->http_1_0 && strcmp(version, "HTTP/1.1") != 0)
		return naive_bad(n, 505);
	return naive_target(n) || naive_bad(n, 400);
}

/* A field's value without its white space, in `line`; NULL: no field. */
static char *naive_value(struct naive *n)
{
	char *value = strchr(n->line, ':'), *end;

	if (!naive_matches(n->line, "^" TOKEN ":[^" CONTROLS "]*$"))
		return NULL;
	*value++ = '\0';
	value += strspn(value, " \t");
	for (end = value + strlen(value); end > value && strchr(" \t", end[-1]) != NULL;)
		*--end = '\0';
	return value;
}

static bool naive_content_length(struct naive *n, const char *value)
{
	unsigned __int128 length = 0;
	const char *c;

	if (!naive_matches(value, "^[0-9]+$"))
		return naive_bad(n, 400);
	for (c = value; *c != '\0'; c++)
		length = length > INT64_MAX ? length : length * 10 + (unsigned)(*c - '0');
	/* what is too long for the parser's numbers is one length to it */
	if (length > (unsigned __int128)(INT64_MAX - 8))
		length = (unsigned __int128)INT64_MAX + 1;
	if (n->has_length && length != n->length)
		return naive_bad(n, 400);
	n->has_length = true;
	n->length = length;
	return true;
}

static void naive_connection(struct naive *n, char *value)
{
	n->says_close = n->says_close || naive_matches(value, "(^|,)[ \t]*[Cc][Ll][Oo][Ss][Ee]"
							      "[ \t]*(,|$)");
	n->says_keep_alive =
	    n->says_keep_alive ||
	    naive_matches(value, "(^|,)[ \t]*[Kk][Ee][Ee][Pp]-[Aa][Ll][Ii][Vv][Ee][ \t]*(,|$)");
}

static bool naive_field(struct naive *n)
{
	char *value = naive_value(n), *name = n->line;

	if (value == NULL)
		return naive_bad(n, 400);
	if (++n->fields > 64)
		return naive_bad(n, 431);
	if (strcasecmp(name, "host") == 0) {
		if (!naive_matches(value, "^(" NAIVE_HOST ")?" PORT "$"))
			return naive_bad(n, 400);
		if (n->hosts++ == 0)
			strcpy(n->host, value);
	} else if (strcasecmp(name, "content-length") == 0) {
		return naive_content_length(n, value);
	} else if (strcasecmp(name, "transfer-encoding") == 0) {
		if (n->chunked || strcasecmp(value, "chunked") != 0)
			return naive_bad(n, 501);
		n->chunked = true;
	} else if (strcasecmp(name, "connection") == 0) {
		naive_connection(n, value);
	} else if (strcasecmp(name, "expect") == 0 && strcasecmp(value, "100-continue") != 0) {
		return naive_bad(n, 417);
	}
	return true;
}

/* Cuts a port that says nothing. */
static const char *naive_host(char *host)
{
	char *port = strrchr(host, ':');

	if (port != NULL && strchr(port, ']') == NULL &&
	    (strcmp(port, ":") == 0 || strcmp(port, ":80") == 0))
		*port = '\0';
	return host;
}

static bool naive_head(struct naive *n)
{
	n->head_from = n->at;
	do
		if (!naive_line(n, n->bounds->head_bytes - (n->at - n->head_from), 431))
			return false;
	while (n->line[0] == '\0');
	if (!naive_request_line(n))
		return false;
	for (;;) {
		if (!naive_line(n, n->bounds->head_bytes - (n->at - n->head_from), 431))
			return false;
		if (n->line[0] == '\0')
			break;
		if (!naive_field(n))
			return false;
	}
	if (n->hosts > 1 || (n->hosts == 0 && !n->http_1_0))
		return naive_bad(n, 400);
	if (n->authority[0] != '\0' && n->hosts > 0 &&
	    strcasecmp(naive_host(n->authority), naive_host(n->host)) != 0)
		return naive_bad(n, 400);
	if (n->chunked && (n->has_length || n->http_1_0))
		return naive_bad(n, 400);
	return true;
}

static bool naive_sized_body(struct naive *n, size_t bytes)
{
	if (n->input.len - n->at < bytes)
		return naive_more(n);
	MUST(rp_buf_add(&n->body, n->input.ptr + n->at, bytes), "out of memory");
	n->at += bytes;
	return true;
}

/* RFC 9112 7.1, without what stands behind the last chunk. */
static bool naive_chunks(struct naive *n)
{
	unsigned __int128 size;
	size_t i, extra = 0;

	for (;;) {
		if (!naive_line(n, 256, 400))
			return false;
		if (!naive_matches(n->line, "^[0-9A-Fa-f]+(" CHUNK_EXT ")*$"))
			return naive_bad(n, 400);
		extra += strlen(n->line) > 16 ? strlen(n->line) - 16 : 0;
		if (extra > 8192)
			return naive_bad(n, 400);
		size = 0;
		for (i = 0;
		     strchr("0123456789abcdefABCDEF", n->line[i]) != NULL && n->line[i] != '\0';
		     i++)
			if (size < (unsigned __int128)1 << 100)
				size = size * 16 + strtoul((char[]){n->line[i], '\0'}, NULL, 16);
		if (size > n->bounds->body_bytes - n->body.len)
			return naive_bad(n, 413);
		if (size == 0)
			return true;
		if (!naive_sized_body(n, (size_t)size))
			return false;
		if (n->input.len - n->at < 2)
			return naive_more(n);
		if (memcmp(n->input.ptr + n->at, "\r\n", 2) != 0)
			return naive_bad(n, 400);
		n->at += 2;
	}
}

static bool naive_trailers(struct naive *n)
{
	size_t from = n->at;

	for (;;) {
		if (!naive_line(n, 8192 - (n->at - from), 431))
			return false;
		if (n->line[0] == '\0')
			return true;
		if (naive_value(n) == NULL || strcasecmp(n->line, "host") == 0 ||
		    strcasecmp(n->line, "content-length") == 0 ||
		    strcasecmp(n->line, "transfer-encoding") == 0)
			return naive_bad(n, 400);
	}
}

static bool naive_body(struct naive *n)
{
	if (n->chunked)
		return naive_chunks(n) && naive_trailers(n);
	if (n->length > n->bounds->body_bytes)
		return naive_bad(n, 413);
	return naive_sized_body(n, (size_t)n->length);
}

/* Reads the request that begins at `at` and returns where the next one would. Release out->said. */
static size_t naive_read(struct rp_span input, size_t at, const struct rp_http_bounds *bounds,
			 struct outcome *out)
{
	static struct naive n;

	memset(&n, 0, offsetof(struct naive, line));
	memset(&n.http_1_0, 0, sizeof n - offsetof(struct naive, http_1_0));
	n.authority[0] = n.host[0] = '\0';
	memset(out, 0, sizeof *out);
	n.input = input;
	n.at = at;
	n.bounds = bounds;
	n.out = out;
	if (naive_head(&n) && naive_body(&n)) {
		out->progress = RP_HTTP_DONE;
		out->keep_alive = n.http_1_0 ? n.says_keep_alive && !n.says_close : !n.says_close;
		out->rest = input.len - n.at;
		MUST(rp_buf_printf(&out->said, "%s %s %u\n", n.method, n.target, n.fields) &&
			 rp_buf_add(&out->said, n.body.data != NULL ? n.body.data : "", n.body.len),
		     "out of memory");
	}
	rp_buf_release(&n.body);
	return n.at;
}

#endif
