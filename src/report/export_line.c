/* export_line.c - writes an entry as a line of JSON. import_line.c reads it back, and the two
 * must agree. */

#include "report/export_line.h"

#include <inttypes.h>

#include "base/assert.h"
#include "base/units.h"
#include "sign/crypto.h"
#include "text/json.h"
#include "text/scan.h"
#include "report/shown.h"

/* A member's name and its value, a string; the name is not looked for in other spellings: engines
 * print it as it is. */
static bool value_hides(const struct rp_config *config, struct rp_span rest)
{
	static const char space[] = " \t\r\n";
	struct rp_buf plain = {0};
	size_t n;
	bool hides = true;

	while (rest.len > 0 && memchr(space, rest.ptr[0], sizeof space - 1) != NULL)
		rest = (struct rp_span){rest.ptr + 1, rest.len - 1};
	if (rest.len == 0 || rest.ptr[0] != ':')
		return false; /* a value that is "webhook" */
	do
		rest = (struct rp_span){rest.ptr + 1, rest.len - 1};
	while (rest.len > 0 && memchr(space, rest.ptr[0], sizeof space - 1) != NULL);
	if (rest.len == 0 || rest.ptr[0] != '"')
		/* null, or a member of another meaning, whose own members are looked at */
		return false;
	for (n = 1; n < rest.len && rest.ptr[n] != '"'; n++)
		n += rest.ptr[n] == '\\';
	if (n == 1)
		return false; /* "" */
	if (n < rest.len && rp_json_decode_string((struct rp_span){rest.ptr, n + 1}, &plain))
		hides = rp_shown_hides(config, (struct rp_span){plain.data, plain.len});
	rp_buf_release(&plain);
	return hides;
}

static bool payload_hides(const struct rp_config *config, struct rp_span payload)
{
	static const char name[] = "\"webhook\"";
	const char *at = payload.ptr, *end = at + payload.len;

	while (payload.len > 0 &&
	       (at = memmem(at, (size_t)(end - at), name, sizeof name - 1)) != NULL) {
		at += sizeof name - 1;
		if (value_hides(config, (struct rp_span){at, (size_t)(end - at)}))
			return true;
	}
	return false;
}

bool rp_export_has_secrets(const struct rp_config *config, const struct rp_entry *e,
			   struct rp_span payload)
{
	return rp_shown_hides(config, e->facts.url) || e->facts.headers.len > 0 ||
	       payload_hides(config, payload);
}

/* Every member ends with a comma, but for the last. */

static bool add_text(struct rp_buf *out, const char *name, struct rp_span value)
{
	return rp_buf_printf(out, "\"%s\":", name) &&
	       (value.len > 0 ? rp_json_quote(value, out) : rp_buf_add_text(out, "null")) &&
	       rp_buf_add_char(out, ',');
}

static bool add_int(struct rp_buf *out, const char *name, uint64_t value)
{
	return rp_buf_printf(out, "\"%s\":%" PRIu64 ",", name, value);
}

static bool add_time(struct rp_buf *out, const char *name, int64_t at_ms)
{
	char text[RP_TIME_TEXT_MAX];

	return add_text(out, name, rp_span_of(at_ms != 0 ? rp_time_format(at_ms, text) : ""));
}

static bool add_cause(struct rp_buf *out, const char *name, enum rp_cause cause,
		      unsigned http_status)
{
	char text[RP_CAUSE_TEXT_MAX];

	return add_text(out, name, rp_span_of(rp_cause_format(cause, http_status, text)));
}

static bool add_url(struct rp_buf *out, const struct rp_config *config, struct rp_span text,
		    bool with_secrets)
{
	struct rp_buf shown = {0};
	struct rp_url url;
	bool ok;

	if (with_secrets || !rp_shown_hides(config, text))
		return add_text(out, "url", text);
	ok = rp_url_parse(text, &url, NULL) == RP_OK ? rp_redact_url(config, &url, &shown)
						     : rp_buf_add_text(&shown, "(unreadable)");
	ok = ok && add_text(out, "url", (struct rp_span){shown.data, shown.len});
	rp_buf_release(&shown);
	return ok;
}

/* They are stored as "name: value\n" for each. */
static bool add_headers(struct rp_buf *out, struct rp_span headers, bool with_secrets)
{
	const char *at = headers.len > 0 ? headers.ptr : "", *end = at + headers.len, *comma = "";
	bool ok = rp_buf_add_text(out, "\"headers\":{");

	while (ok && at < end) {
		const char *eol = memchr(at, '\n', (size_t)(end - at)), *colon;

		eol = eol != NULL ? eol : end;
		colon = memchr(at, ':', (size_t)(eol - at));
		if (colon == NULL)
			break;
		ok = rp_buf_add_text(out, comma) &&
		     rp_json_quote((struct rp_span){at, (size_t)(colon - at)}, out) &&
		     rp_buf_add_char(out, ':') &&
		     (with_secrets && colon + 2 <= eol
			  ? rp_json_quote((struct rp_span){colon + 2, (size_t)(eol - colon - 2)},
					  out)
			  : rp_buf_add_text(out, "\"REDACTED\""));
		comma = ",";
		at = eol < end ? eol + 1 : end;
	}
	return ok && rp_buf_add_text(out, "},");
}

static bool is_utf8(struct rp_span s)
{
	size_t n, good;

	while (s.len > 0) {
		n = rp_utf8_sequence(s, &good);
		if (n == 0)
			return false;
		s.ptr += n;
		s.len -= n;
	}
	return true;
}

static bool add_base64(struct rp_buf *out, const char *name, struct rp_span bytes)
{
	return rp_buf_printf(out, "\"%s\":\"", name) &&
	       rp_base64_encode(bytes.ptr, bytes.len, out) && rp_buf_add_text(out, "\",");
}

static bool add_hash(struct rp_buf *out, struct rp_span payload)
{
	unsigned char digest[RP_SHA256_BYTES];
	char text[2 * RP_SHA256_BYTES + 1];

	rp_sha256(&payload, 1, digest);
	return rp_buf_printf(out, "\"payload_sha256\":\"%s\",",
			     rp_hex_format(digest, sizeof digest, text));
}

/* As a string and not as the value itself: what reads and writes the line on its way (jq, say)
 * then cannot change the bytes. */
static bool add_payload(struct rp_buf *out, struct rp_span payload)
{
	if (!add_hash(out, payload))
		return false;
	return is_utf8(payload) ? add_text(out, "payload", payload)
				: add_base64(out, "payload_base64", payload);
}

static bool add_identity(struct rp_buf *out, const struct rp_config *config,
			 const struct rp_entry *e, bool with_secrets)
{
	const struct rp_facts *f = &e->facts;
	char id[RP_ID_TEXT_MAX];
	struct rp_buf room = {0};
	bool ok;

	ok = add_text(out, "id", rp_span_of(rp_id_format(f->id, id))) &&
	     add_int(out, "seq", e->seq) && add_text(out, "run_id", f->run_id) &&
	     add_text(out, "thread_id", f->thread_id) && add_text(out, "event", f->event) &&
	     add_text(out, "state", rp_span_of(rp_state_name(e->delivery.state))) &&
	     add_text(out, "endpoint",
		      with_secrets ? e->endpoint : rp_shown_name(config, e->endpoint, &room)) &&
	     add_url(out, config, f->url, with_secrets) &&
	     add_text(out, "operation", f->operation) && add_text(out, "order_by", f->order_by) &&
	     add_headers(out, f->headers, with_secrets);
	rp_buf_release(&room);
	return ok;
}

static bool add_delivery(struct rp_buf *out, const struct rp_entry *e)
{
	const struct rp_delivery *d = &e->delivery;

	return add_int(out, "attempts", d->attempts) && add_int(out, "failures", d->failures) &&
	       add_int(out, "losses", d->losses) && add_int(out, "replays", d->replays) &&
	       add_cause(out, "cause", d->cause, d->http_status) &&
	       add_cause(out, "last_cause", d->last_cause, d->http_status) &&
	       (d->http_status != 0 ? add_int(out, "http_status", d->http_status)
				    : rp_buf_add_text(out, "\"http_status\":null,")) &&
	       add_time(out, "accepted_at", e->facts.accepted_at_ms) &&
	       add_time(out, "not_before", e->facts.not_before_at_ms) &&
	       add_time(out, "expires_at", d->expires_at_ms) &&
	       add_time(out, "state_at", d->state_at_ms) && add_time(out, "due_at", d->due_at_ms) &&
	       add_time(out, "budget_at", d->budget_at_ms);
}

bool rp_export_line(const struct rp_config *config, const struct rp_entry *e,
		    struct rp_span payload, bool with_secrets, struct rp_buf *out)
{
	bool complete = with_secrets || !rp_export_has_secrets(config, e, payload);
	size_t before = out->len;
	bool ok;

	assert(!e->damaged && e->delivery.state != 0 && payload.len == e->facts.payload_bytes);
	ok = rp_buf_add_text(out, "{\"v\":1,") && add_identity(out, config, e, with_secrets) &&
	     add_delivery(out, e) &&
	     (!complete || add_base64(out, "dedupe_key", e->facts.dedupe_key)) &&
	     add_int(out, "payload_bytes", payload.len) &&
	     (!complete || add_payload(out, payload)) &&
	     rp_buf_printf(out, "\"complete\":%s}\n", complete ? "true" : "false");
	if (ok)
		return true;
	out->len = before;
	if (out->data != NULL)
		out->data[before] = '\0';
	return false;
}
