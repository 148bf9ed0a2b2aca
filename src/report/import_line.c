/* import_line.c - reads an entry from a line of JSON and checks every member. The line may come
 * from anywhere, so nothing in it is believed. */

#include "report/export_line.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/assert.h"
#include "base/units.h"
#include "sign/crypto.h"
#include "text/json.h"
#include "run/run.h"
#include "text/scan.h"
#include "net/url.h"

enum { FIELD_MAX = 200, HEADERS_MAX = 32 };

static const char *const names[] = {
    "v",
    "id",
    "run_id",
    "thread_id",
    "event",
    "state",
    "url",
    "operation",
    "order_by",
    "headers",
    "attempts",
    "failures",
    "losses",
    "replays",
    "cause",
    "last_cause",
    "http_status",
    "accepted_at",
    "not_before",
    "expires_at",
    "state_at",
    "due_at",
    "budget_at",
    "dedupe_key",
    "payload_sha256",
    "payload",
    "payload_base64",
    "complete",
};
enum { N_NAMES = sizeof names / sizeof names[0] };

struct reading {
	struct rp_import_line *l;
	struct rp_json_want wants[N_NAMES]; /* by names */
	struct rp_error *err;
};

static const struct rp_json_want *want_of(const struct reading *r, const char *name)
{
	size_t i = 0;

	while (strcmp(names[i], name) != 0) {
		i++;
		assert(i < N_NAMES);
	}
	return &r->wants[i];
}

static bool is_given(const struct rp_json_want *w)
{
	return w->type != RP_JSON_MISSING && w->type != RP_JSON_NULL;
}

static bool wrong(struct reading *r, const char *name, const char *must)
{
	rp_fail(r->err, RP_ERR_INVAL, "%s: %s", name, must);
	return false;
}

/* The room was reserved for the whole line: the buffer does not move, and the spans hold. */
static bool take_string(struct reading *r, const char *name, struct rp_span *out)
{
	const struct rp_json_want *w = want_of(r, name);
	struct rp_buf *text = &r->l->text;
	size_t from = text->len;

	*out = (struct rp_span){NULL, 0};
	if (!is_given(w))
		return true;
	if (w->type != RP_JSON_STRING)
		return wrong(r, name, "must be a string");
	if (!rp_json_decode_string(w->raw, text))
		return wrong(r, name, "contains \\u0000 or half of a surrogate pair");
	*out = (struct rp_span){text->data + from, text->len - from};
	return true;
}

static bool take_field(struct reading *r, const char *name, struct rp_span *out)
{
	size_t i;

	if (!take_string(r, name, out))
		return false;
	if (out->len > FIELD_MAX)
		return wrong(r, name, "is too long; at most 200 bytes are accepted");
	for (i = 0; i < out->len; i++) {
		if ((unsigned char)out->ptr[i] < 0x20 || out->ptr[i] == 0x7f)
			return wrong(r, name, "contains a control character");
	}
	return true;
}

static bool take_number(struct reading *r, const char *name, uint64_t max, uint64_t *out)
{
	const struct rp_json_want *w = want_of(r, name);
	size_t i;

	*out = 0;
	if (!is_given(w))
		return true;
	for (i = 0; i < w->raw.len; i++) {
		if (w->type != RP_JSON_NUMBER || w->raw.ptr[i] < '0' || w->raw.ptr[i] > '9' ||
		    *out > max)
			return wrong(r, name, "must be a whole number, and not so large");
		*out = *out * 10 + (uint64_t)(w->raw.ptr[i] - '0');
	}
	return *out <= max || wrong(r, name, "must be a whole number, and not so large");
}

static bool take_time(struct reading *r, const char *name, int64_t *out_at_ms)
{
	struct rp_span text;

	*out_at_ms = 0;
	if (!take_string(r, name, &text))
		return false;
	if (text.len == 0 || (rp_time_parse(text, out_at_ms) && *out_at_ms > 0))
		return true;
	return wrong(
	    r, name,
	    "must be a time after 1970 as in RFC 3339, such as \"2026-11-23T12:00:00.000Z\"");
}

static bool take_cause(struct reading *r, const char *name, enum rp_cause *out)
{
	struct rp_span text;
	unsigned status;

	*out = RP_CAUSE_NONE;
	if (!take_string(r, name, &text))
		return false;
	return text.len == 0 || rp_cause_parse(text, out, &status) ||
	       wrong(r, name, "there is no such cause; docs/formats.md has them");
}

static bool take_state(struct reading *r)
{
	struct rp_delivery *d = &r->l->entry.delivery;
	struct rp_span text;
	int s;

	if (!take_string(r, "state", &text))
		return false;
	for (s = RP_STATE_WAITING; s <= RP_STATE_DEAD; s++) {
		if (rp_span_is(text, rp_state_name((enum rp_state)s)))
			d->state = (enum rp_state)s;
	}
	/* Its sender is far away: it is as good as returned. */
	if (d->state == RP_STATE_IN_FLIGHT)
		d->state = RP_STATE_WAITING;
	return d->state != 0 ||
	       wrong(r, "state", "must be waiting, in_flight, held, delivered or dead");
}

static bool take_id(struct reading *r)
{
	struct rp_span text;

	if (!take_string(r, "id", &text))
		return false;
	if (!rp_id_parse(text, r->l->entry.facts.id))
		return wrong(r, "id", "must be the id of an entry, msg_ and 26 letters and digits");
	return true;
}

static bool take_url(struct reading *r)
{
	struct rp_import_line *l = r->l;
	struct rp_error why;
	struct rp_url url;
	size_t from;

	if (!take_string(r, "url", &l->entry.facts.url))
		return false;
	if (rp_url_parse(l->entry.facts.url, &url, &why) != RP_OK) {
		rp_fail(r->err, RP_ERR_INVAL, "url: %s", why.text);
		return false;
	}
	from = l->text.len;
	if (!rp_url_endpoint(&url, &l->text))
		return wrong(r, "url", "out of memory");
	l->entry.endpoint = (struct rp_span){l->text.data + from, l->text.len - from};
	return true;
}

struct header_list {
	struct reading *r;
	size_t from, n;
};

static bool add_header(void *arg, const char *name, const char *value)
{
	struct header_list *h = arg;
	struct rp_buf *text = &h->r->l->text;
	const char *problem = rp_header_problem(rp_span_of(name), rp_span_of(value));
	size_t at = text->len;

	if (problem != NULL)
		return wrong(h->r, "headers", problem);
	if (++h->n > HEADERS_MAX ||
	    at - h->from + strlen(name) + strlen(value) + 3 > RP_EXTRA_HEADERS_MAX)
		return wrong(h->r, "headers", "more than 32, or together more than 2048 bytes");
	if (!rp_buf_printf(text, "%s: %s\n", name, value))
		return wrong(h->r, "headers", "out of memory");
	for (; text->data[at] != ':'; at++) {
		if (text->data[at] >= 'A' && text->data[at] <= 'Z')
			text->data[at] = (char)(text->data[at] - 'A' + 'a');
	}
	return true;
}

static bool take_headers(struct reading *r)
{
	const struct rp_json_want *w = want_of(r, "headers");
	struct header_list h = {.r = r, .from = r->l->text.len};
	char *bad_name = NULL;
	bool ok;

	if (!is_given(w))
		return true;
	if (w->type != RP_JSON_OBJECT)
		return wrong(r, "headers", "must be an object of strings, {\"name\": \"value\"}");
	rp_fail(r->err, RP_OK, "%s", "");
	ok = rp_json_each_string(w->raw, add_header, &h, &bad_name);
	free(bad_name);
	if (!ok && (r->err == NULL || r->err->code == RP_OK))
		return wrong(r, "headers", "must be an object of strings, {\"name\": \"value\"}");
	r->l->entry.facts.headers =
	    (struct rp_span){r->l->text.data + h.from, r->l->text.len - h.from};
	return ok;
}

/* Without one the id serves: it makes the same line a duplicate of itself, and of nothing else. */
static bool take_dedupe_key(struct reading *r)
{
	struct rp_import_line *l = r->l;
	unsigned char key[RP_DEDUPE_KEY_MAX];
	char id[RP_ID_TEXT_MAX];
	struct rp_span text;
	size_t n, from;

	if (!take_string(r, "dedupe_key", &text))
		return false;
	from = l->text.len;
	if (text.len == 0) {
		if (!rp_buf_printf(&l->text, "i%s", rp_id_format(l->entry.facts.id, id)))
			return wrong(r, "dedupe_key", "out of memory");
	} else if (!rp_base64_decode(text, key, sizeof key, &n) || n == 0) {
		return wrong(r, "dedupe_key", "must be base64 of 1 to 256 bytes");
	} else if (!rp_buf_add(&l->text, key, n)) {
		return wrong(r, "dedupe_key", "out of memory");
	}
	l->entry.facts.dedupe_key = (struct rp_span){l->text.data + from, l->text.len - from};
	return true;
}

static bool is_digest_of(struct rp_span hex, struct rp_span payload)
{
	unsigned char digest[RP_SHA256_BYTES];
	char text[2 * RP_SHA256_BYTES + 1];

	rp_sha256(&payload, 1, digest);
	return rp_span_is(hex, rp_hex_format(digest, sizeof digest, text));
}

static bool take_base64_payload(struct reading *r)
{
	struct rp_import_line *l = r->l;
	size_t from = l->text.len, n = 0;
	struct rp_span text;

	if (!take_string(r, "payload_base64", &text))
		return false;
	from = l->text.len;
	if (!rp_buf_reserve(&l->text, text.len) ||
	    !rp_base64_decode(text, (unsigned char *)l->text.data + from, text.len, &n))
		return wrong(r, "payload_base64", "is not base64");
	l->text.len += n;
	l->payload = (struct rp_span){l->text.data + from, n};
	return true;
}

static bool take_payload(struct reading *r)
{
	struct rp_import_line *l = r->l;
	struct rp_scan_error at;
	struct rp_span digest;

	if (is_given(want_of(r, "payload_base64")) ? !take_base64_payload(r)
						   : !take_string(r, "payload", &l->payload))
		return false;
	if (l->payload.len == 0)
		return wrong(r, "payload", "is missing; the line was exported without it");
	if (!rp_scan_object(l->payload, NULL, 0, &at)) {
		rp_fail(r->err, RP_ERR_INVAL, "payload: byte %zu: %s; a payload is a JSON object",
			at.offset + 1, at.message);
		return false;
	}
	if (!take_string(r, "payload_sha256", &digest))
		return false;
	if (digest.len > 0 && !is_digest_of(digest, l->payload))
		return wrong(r, "payload_sha256",
			     "does not fit the payload, which has been changed; remove this member "
			     "if that was meant");
	l->entry.facts.payload_bytes = l->payload.len;
	l->entry.facts.payload_hash = rp_payload_hash(l->payload.ptr, l->payload.len);
	return true;
}

static bool take_counts(struct reading *r)
{
	struct rp_delivery *d = &r->l->entry.delivery;
	uint64_t attempts, failures, losses, replays, status;

	if (!take_number(r, "attempts", UINT32_MAX / 2, &attempts) ||
	    !take_number(r, "failures", UINT16_MAX, &failures) ||
	    !take_number(r, "losses", UINT16_MAX, &losses) ||
	    !take_number(r, "replays", UINT32_MAX / 2, &replays) ||
	    !take_number(r, "http_status", 999, &status))
		return false;
	d->attempts = (uint32_t)attempts;
	d->failures = (unsigned)failures;
	d->losses = (unsigned)losses;
	d->replays = (uint32_t)replays;
	d->http_status = (unsigned)status;
	return take_cause(r, "cause", &d->cause) && take_cause(r, "last_cause", &d->last_cause);
}

static bool take_times(struct reading *r)
{
	struct rp_facts *f = &r->l->entry.facts;
	struct rp_delivery *d = &r->l->entry.delivery;

	if (!take_time(r, "accepted_at", &f->accepted_at_ms) ||
	    !take_time(r, "not_before", &f->not_before_at_ms) ||
	    !take_time(r, "expires_at", &f->expires_at_ms) ||
	    !take_time(r, "state_at", &d->state_at_ms) || !take_time(r, "due_at", &d->due_at_ms) ||
	    !take_time(r, "budget_at", &d->budget_at_ms))
		return false;
	if (f->accepted_at_ms == 0)
		return wrong(r, "accepted_at", "is missing");
	d->expires_at_ms = f->expires_at_ms;
	d->state_at_ms = d->state_at_ms != 0 ? d->state_at_ms : f->accepted_at_ms;
	d->due_at_ms = d->due_at_ms != 0 ? d->due_at_ms : f->accepted_at_ms;
	d->budget_at_ms = d->budget_at_ms != 0 ? d->budget_at_ms : f->accepted_at_ms;
	return true;
}

static bool check_kind(struct reading *r)
{
	uint64_t version;

	if (!take_number(r, "v", 1000, &version))
		return false;
	if (version != 1) {
		rp_fail(r->err, RP_ERR_INVAL,
			"v: must be 1: this is not a line of `runpostctl export` that this version "
			"knows");
		return false;
	}
	if (want_of(r, "complete")->type == RP_JSON_FALSE) {
		rp_fail(r->err, RP_ERR_INVAL,
			"it was exported without its secrets, so it could never be delivered; "
			"export it again with "
			"--with-secrets");
		return false;
	}
	return true;
}

enum rp_err rp_import_line(struct rp_import_line *l, struct rp_span line, struct rp_error *err)
{
	struct reading r = {.l = l, .err = err};
	struct rp_facts *f = &l->entry.facts;
	struct rp_scan_error at;
	size_t i;

	memset(&l->entry, 0, sizeof l->entry);
	l->payload = (struct rp_span){NULL, 0};
	rp_buf_clear(&l->text);
	l->text.max = SIZE_MAX / 2; /* bounded by the line */
	for (i = 0; i < N_NAMES; i++)
		r.wants[i].name = names[i];
	if (!rp_scan_object(line, r.wants, N_NAMES, &at))
		return rp_fail(err, RP_ERR_INVAL, "byte %zu: %s", at.offset + 1, at.message);
	/* decoded once, an endpoint's name beside its URL, a payload beside its base64: never more
	 * than this */
	if (!rp_buf_reserve(&l->text, 3 * line.len + 512))
		return rp_fail(err, RP_ERR_NOMEM, "out of memory");
	if (!check_kind(&r) || !take_id(&r) || !take_state(&r) || !take_url(&r) ||
	    !take_field(&r, "run_id", &f->run_id) || !take_field(&r, "thread_id", &f->thread_id) ||
	    !take_field(&r, "event", &f->event) || !take_field(&r, "operation", &f->operation) ||
	    !take_field(&r, "order_by", &f->order_by) || !take_headers(&r) || !take_counts(&r) ||
	    !take_times(&r) || !take_dedupe_key(&r) || !take_payload(&r))
		return RP_ERR_INVAL;
	return RP_OK;
}

void rp_import_line_release(struct rp_import_line *l)
{
	rp_buf_release(&l->text);
	memset(l, 0, sizeof *l);
}
