/* entry_json.c - prints entries and attempts as JSON. One file, so that each member has one name
 * and no secret in every verb. */

#include "report/entry_json.h"

#include <stdio.h>

#include "report/shown.h"
#include "run/trace.h"
#include "text/escape.h"

const char *rp_entry_cause(const struct rp_entry *e, char out[RP_CAUSE_TEXT_MAX])
{
	const struct rp_delivery *d = &e->delivery;

	return rp_cause_format(d->state == RP_STATE_DEAD ? d->cause : d->last_cause, d->http_status,
			       out);
}

const char *rp_entry_state(const struct rp_entry *e)
{
	return e->delivery.state != 0 ? rp_state_name(e->delivery.state) : "damaged";
}

int64_t rp_entry_due_at_ms(const struct rp_entry *e)
{
	return e->delivery.state == RP_STATE_WAITING && !e->delivery.behind ? e->delivery.due_at_ms
									    : 0;
}

bool rp_entry_url(const struct rp_config *config, const struct rp_entry *e, struct rp_buf *out)
{
	struct rp_url url;

	if (rp_url_parse(e->facts.url, &url, NULL) != RP_OK)
		return e->facts.url.len == 0 || rp_buf_add_text(out, "(unreadable)");
	return rp_redact_url(config, &url, out);
}

bool rp_entry_foreign(const struct rp_config *config, const struct rp_entry *e, struct rp_span text,
		      struct rp_buf *out)
{
	unsigned char copy[RP_RESPONSE_HEAD_MAX];
	struct rp_url url;

	if (text.len > sizeof copy)
		text.len = sizeof copy;
	if (text.len > 0)
		memcpy(copy, text.ptr, text.len);
	if (rp_url_parse(e->facts.url, &url, NULL) == RP_OK)
		rp_redact_text(rp_config_policy(config, &url), &url, NULL, 0, copy, text.len);
	return rp_text_escape((struct rp_span){(const char *)copy, text.len}, out);
}

const char *rp_sender_text(unsigned slot, char out[RP_SENDER_TEXT_MAX])
{
	snprintf(out, RP_SENDER_TEXT_MAX, "sender-%u", slot);
	return out;
}

const char *rp_attempt_outcome(const struct rp_attempt *a, bool damaged,
			       char out[RP_CAUSE_TEXT_MAX])
{
	if (damaged)
		snprintf(out, RP_CAUSE_TEXT_MAX, "damaged");
	else if (a->outcome.cause == RP_CAUSE_NONE)
		snprintf(out, RP_CAUSE_TEXT_MAX, "delivered");
	else
		rp_cause_format(a->outcome.cause, a->outcome.http_status, out);
	return out;
}

static bool set_url(struct rp_json_out *o, const struct rp_config *config, const struct rp_entry *e)
{
	struct rp_buf url = {0};
	bool ok = rp_entry_url(config, e, &url);

	rp_json_out_given(o, "url", (struct rp_span){url.data, url.len});
	rp_buf_release(&url);
	return ok;
}

static void set_state(struct rp_json_out *o, const struct rp_entry *e)
{
	const struct rp_delivery *d = &e->delivery;
	char cause[RP_CAUSE_TEXT_MAX];

	rp_json_out_int(o, "attempts", d->attempts);
	rp_json_out_time(o, "accepted_at", e->facts.accepted_at_ms);
	rp_json_out_time(o, "next_attempt_at", rp_entry_due_at_ms(e));
	rp_json_out_given(o, "cause", rp_span_of(rp_entry_cause(e, cause)));
	rp_json_out_given(o, "last_cause",
			  rp_span_of(rp_cause_format(d->last_cause, d->http_status, cause)));
	rp_json_out_time(o, "state_at", d->state_at_ms);
	rp_json_out_time(o, "expires_at", d->expires_at_ms);
	rp_json_out_int(o, "failures", d->failures);
	rp_json_out_int(o, "replays", d->replays);
}

struct rp_json_out *rp_entry_json(const struct rp_config *config, const struct rp_entry *e)
{
	struct rp_json_out *o = rp_json_out_new();
	char id[RP_ID_TEXT_MAX];
	struct rp_buf room = {0};

	if (o == NULL)
		return NULL;
	rp_json_out_text(o, "id", rp_id_format(e->facts.id, id));
	rp_json_out_int(o, "seq", (int64_t)e->seq);
	rp_json_out_given(o, "run_id", e->facts.run_id);
	rp_json_out_text(o, "state", rp_entry_state(e));
	rp_json_out_given(o, "endpoint", rp_shown_name(config, e->endpoint, &room));
	rp_buf_release(&room);
	if (!set_url(o, config, e)) {
		rp_json_out_free(o);
		return NULL;
	}
	set_state(o, e);
	rp_json_out_given(o, "thread_id", e->facts.thread_id);
	rp_json_out_given(o, "event", e->facts.event);
	rp_json_out_given(o, "operation", e->facts.operation);
	rp_json_out_given(o, "order_by", e->facts.order_by);
	rp_json_out_given(o, "trace_id", rp_trace_id(e->facts.headers));
	rp_json_out_bool(o, "behind", e->delivery.behind);
	rp_json_out_int(o, "payload_bytes", (int64_t)e->facts.payload_bytes);
	if (e->damaged)
		rp_json_out_bool(o, "damaged", true);
	return o;
}

static void set_ms(struct rp_json_out *o, const char *name, int64_t us)
{
	if (us > 0)
		rp_json_out_real(o, name, (double)us / 1000);
	else
		rp_json_out_null(o, name);
}

static bool set_foreign(struct rp_json_out *o, const char *name, const struct rp_config *config,
			const struct rp_entry *e, struct rp_span text)
{
	struct rp_buf shown = {0};
	bool ok = rp_entry_foreign(config, e, text, &shown);

	rp_json_out_given(o, name, (struct rp_span){shown.data, shown.len});
	rp_buf_release(&shown);
	return ok;
}

static void set_timings(struct rp_json_out *o, const struct rp_outcome *out)
{
	set_ms(o, "dns_ms", out->dns_us);
	set_ms(o, "connect_ms", out->connect_us);
	set_ms(o, "tls_ms", out->tls_us);
	set_ms(o, "first_byte_ms", out->first_byte_us);
	if (out->retry_after_ms > 0)
		rp_json_out_int(o, "retry_after_ms", out->retry_after_ms);
	else
		rp_json_out_null(o, "retry_after_ms");
	rp_json_out_given(o, "peer", rp_span_of(out->peer));
	if (out->http_version != 0)
		rp_json_out_real(o, "http_version", out->http_version / 10.0);
	else
		rp_json_out_null(o, "http_version");
}

struct rp_json_out *rp_attempt_json(const struct rp_config *config, const struct rp_entry *e,
				    uint32_t n, const struct rp_attempt *a, bool damaged)
{
	const struct rp_outcome *out = &a->outcome;
	struct rp_json_out *o = rp_json_out_new();
	char text[RP_CAUSE_TEXT_MAX], sender[RP_SENDER_TEXT_MAX];
	bool ok;

	if (o == NULL)
		return NULL;
	rp_json_out_int(o, "n", n);
	rp_json_out_time(o, "started_at", a->started_at_ms);
	rp_json_out_real(o, "duration_ms", (double)out->duration_us / 1000);
	rp_json_out_text(o, "outcome", rp_attempt_outcome(a, damaged, text));
	if (out->http_status != 0)
		rp_json_out_int(o, "http_status", out->http_status);
	else
		rp_json_out_null(o, "http_status");
	rp_json_out_text(o, "sender", rp_sender_text(a->slot, sender));
	ok = set_foreign(o, "response", config, e,
			 (struct rp_span){(const char *)out->response, out->response_bytes});
	set_timings(o, out);
	ok = ok && set_foreign(o, "detail", config, e, rp_span_of(out->detail));
	rp_json_out_bool(o, "late", a->late);
	rp_json_out_int(o, "pid", a->pid);
	if (ok)
		return o;
	rp_json_out_free(o);
	return NULL;
}
