/* http_head.c - notes what the head of an answer says, line by line: status, lengths, Retry-After,
 * wishes. It is apart because libcurl does not tell all of these. */

#include "deliver/http/http_head.h"

#include <ctype.h>
#include <strings.h>

#define LATEST_DATE ((time_t)253402300799) /* 9999-12-31T23:59:59Z */

/* A header line: the name, and the value behind it, trimmed. */
struct field {
	struct rp_span name, value;
};

static struct field field_of(struct rp_span line)
{
	const char *colon = memchr(line.ptr, ':', line.len);
	size_t at = colon != NULL ? (size_t)(colon - line.ptr) : line.len, end = line.len;
	struct field f = {.name = {line.ptr, colon != NULL ? at : 0}};

	for (at += at < end; at < end && isspace((unsigned char)line.ptr[at]); at++)
		;
	while (end > at && isspace((unsigned char)line.ptr[end - 1]))
		end--;
	f.value = (struct rp_span){line.ptr + at, end - at};
	return f;
}

/* Most fields of a head do not matter here: their length tells. */
#define IS_NAMED(field, text) is_named((field)->name, text, sizeof(text) - 1)
static bool is_named(struct rp_span name, const char *text, size_t n)
{
	return name.len == n && strncasecmp(name.ptr, text, n) == 0;
}

/* Copies the value as text. false: it is too long for a date, and so for all that matters here. */
static bool field_text(const struct field *f, char *out, size_t size)
{
	if (f->value.len >= size)
		return false;
	memcpy(out, f->value.ptr, f->value.len);
	out[f->value.len] = '\0';
	return true;
}

/* A location that does not fit is noted as too long. */
static void note_location(struct rp_http_notes *notes, struct rp_span value)
{
	notes->location_bytes =
	    value.len < sizeof notes->location ? value.len : sizeof notes->location;
	memcpy(notes->location, value.ptr, notes->location_bytes);
}

/* libcurl accepts years whose milliseconds fit into no integer. */
static time_t date_of(const char *value)
{
	time_t t = curl_getdate(value, NULL);

	return t < LATEST_DATE ? t : LATEST_DATE;
}

static void note_retry_after(struct rp_http_notes *notes, const char *value)
{
	const char *p;

	notes->retry_after_s = 0;
	notes->retry_at = -1;
	/* curl_getdate makes a date of many things; an HTTP-date begins with the name of a day. */
	if (isalpha((unsigned char)value[0]))
		notes->retry_at = date_of(value);
	for (p = value; isdigit((unsigned char)*p); p++) {
		if (notes->retry_after_s < RP_HTTP_RETRY_AFTER_MAX_MS)
			notes->retry_after_s = notes->retry_after_s * 10 + (*p - '0');
	}
	if (*p != '\0')
		notes->retry_after_s = 0;
}

void rp_http_notes_begin(struct rp_http_notes *notes)
{
	notes->head_done = false;
	notes->status = notes->version = 0;
	notes->length = -1;
	notes->lengths_differ = notes->coded = false;
	notes->retry_after_s = 0;
	notes->retry_at = notes->date = -1;
	notes->wish = RP_WISH_NONE;
	notes->location_bytes = 0;
}

/* "HTTP/1.1 204 ..." */
static void note_status(struct rp_http_notes *notes, struct rp_span line)
{
	static const char form[] = "HTTP/1.x ";
	const char *p = line.ptr;
	size_t i;

	if (line.len < sizeof form + 3 || memcmp(p, form, 7) != 0 ||
	    !isdigit((unsigned char)p[7]) || p[8] != ' ' || isdigit((unsigned char)p[12]))
		return;
	for (i = 9; i < 12; i++) {
		if (!isdigit((unsigned char)p[i]))
			return;
	}
	notes->status = (unsigned)((p[9] - '0') * 100 + (p[10] - '0') * 10 + (p[11] - '0'));
	notes->version = 10 + (unsigned)(p[7] - '0');
}

/* Saturates. libcurl judges a value that is no number. */
static void note_length(struct rp_http_notes *notes, const char *value)
{
	int64_t n = 0;
	const char *p;

	for (p = value; isdigit((unsigned char)*p); p++)
		n = n < INT64_MAX / 10 - 1 ? n * 10 + (*p - '0') : INT64_MAX / 10;
	if (notes->length >= 0 && notes->length != n)
		notes->lengths_differ = true;
	notes->length = n;
}

static enum rp_wish wish_of(const char *value)
{
	if (strcasecmp(value, "disable") == 0)
		return RP_WISH_DISABLE;
	return strcasecmp(value, "abort-message") == 0 ? RP_WISH_ABORT : RP_WISH_NONE;
}

static void note_field(struct rp_http_notes *notes, const struct field *f)
{
	char value[64];

	if (IS_NAMED(f, "location"))
		note_location(notes, f->value);
	else if (!field_text(f, value, sizeof value))
		return;
	else if (IS_NAMED(f, "retry-after"))
		note_retry_after(notes, value);
	else if (IS_NAMED(f, "date"))
		notes->date = date_of(value);
	else if (IS_NAMED(f, "webhook-delivery"))
		notes->wish = wish_of(value);
	else if (IS_NAMED(f, "content-length"))
		note_length(notes, value);
	else if (IS_NAMED(f, "transfer-encoding"))
		notes->coded = true;
}

bool rp_http_notes_line(struct rp_http_notes *notes, struct rp_span line)
{
	struct field f;

	notes->answered = true;
	notes->head_bytes += line.len;
	notes->head_lines++;
	if (notes->head_bytes > RP_HTTP_HEAD_MAX || notes->head_lines > RP_HTTP_HEAD_LINES_MAX) {
		notes->head_over = true;
		return false;
	}
	if (line.len >= 5 && memcmp(line.ptr, "HTTP/", 5) == 0) {
		rp_http_notes_begin(notes);
		note_status(notes, line);
	} else if (notes->head_done) {
		return true;
	} else if (rp_span_is(line, "\r\n") || rp_span_is(line, "\n")) {
		notes->head_done = true;
	} else {
		f = field_of(line);
		note_field(notes, &f);
	}
	return true;
}

bool rp_http_notes_end_is_open(const struct rp_http_notes *notes)
{
	/* RFC 9112, 6.3: whatever the head announces */
	bool bodiless = notes->status == 204 || notes->status == 304;

	if (bodiless)
		return notes->coded || notes->length > 0;
	return notes->lengths_differ || (notes->coded && notes->length >= 0);
}

int64_t rp_http_retry_after_ms(const struct rp_http_notes *notes, int64_t now_at_ms)
{
	int64_t ms = notes->retry_after_s * 1000, base_ms;

	if (notes->retry_at >= 0) {
		base_ms = notes->date >= 0 ? (int64_t)notes->date * 1000 : now_at_ms;
		ms = (int64_t)notes->retry_at * 1000 - base_ms;
	}
	if (ms < 0)
		return 0;
	return ms < RP_HTTP_RETRY_AFTER_MAX_MS ? ms : RP_HTTP_RETRY_AFTER_MAX_MS;
}
