/* attempt.c - builds the request of a claim: headers, signature, limits. It is apart because it
 * does no I/O: so a test can compare whole requests byte by byte. */

#include "deliver/attempt.h"

#include <inttypes.h>
#include <stdio.h>
#include <strings.h>

#include "base/assert.h"
#include "config/redact.h"

/* Header lines are NUL-terminated strings in `text`. While `text` may still move, only their
 * offsets are kept. */
struct header_list {
	struct rp_buf *text;
	size_t at[RP_ATTEMPT_HEADERS_MAX];
	size_t n;
	bool ok, full;
};

static void begin_header(struct header_list *l)
{
	l->full = l->full || l->n == RP_ATTEMPT_HEADERS_MAX;
	l->ok = l->ok && !l->full;
	if (l->ok)
		l->at[l->n++] = l->text->len;
}

static void end_header(struct header_list *l)
{
	l->ok = l->ok && rp_buf_add_char(l->text, '\0');
}

static void add_header(struct header_list *l, struct rp_span line)
{
	begin_header(l);
	l->ok = l->ok && rp_buf_add(l->text, line.ptr, line.len);
	end_header(l);
}

static void add_text_header(struct header_list *l, const char *line)
{
	add_header(l, rp_span_of(line));
}

static bool same_name(struct rp_span line, const char *configured)
{
	const char *colon = memchr(line.ptr, ':', line.len);
	size_t n = colon != NULL ? (size_t)(colon - line.ptr) : line.len;

	return strncasecmp(line.ptr, configured, n) == 0 && configured[n] == ':';
}

static void add_envelope_headers(struct header_list *l, struct rp_span packed,
				 const struct rp_policy *policy)
{
	while (packed.len > 0) {
		const char *nl = memchr(packed.ptr, '\n', packed.len);
		struct rp_span line = {packed.ptr,
				       nl != NULL ? (size_t)(nl - packed.ptr) : packed.len};
		size_t used = line.len + (nl != NULL), i;

		for (i = 0; i < policy->n_headers; i++)
			if (same_name(line, policy->headers[i]))
				break;
		if (i == policy->n_headers && line.len > 0)
			add_header(l, line);
		packed.ptr += used;
		packed.len -= used;
	}
}

static void add_named_header(struct header_list *l, const char *name, const char *value)
{
	begin_header(l);
	l->ok = l->ok && rp_buf_add_text(l->text, name) && rp_buf_add_text(l->text, value);
	end_header(l);
}

static void add_standard_headers(struct header_list *l, const char *id, int64_t timestamp,
				 uint32_t attempt_no)
{
	char number[RP_DECIMAL_MAX];

	add_text_header(l, "content-type: application/json");
	add_text_header(l, "user-agent: runpost/" RP_VERSION);
	add_named_header(l, "webhook-id: ", id);
	add_named_header(
	    l, "webhook-timestamp: ", rp_decimal(timestamp > 0 ? (uint64_t)timestamp : 0, number));
	add_named_header(l, "runpost-attempt: ", rp_decimal(attempt_no, number));
}

static bool add_signature(struct header_list *l, struct rp_signer *signer, const char *id,
			  int64_t timestamp, struct rp_span payload)
{
	bool signed_ok;

	begin_header(l);
	l->ok = l->ok && rp_buf_add_text(l->text, "webhook-signature: ");
	signed_ok = l->ok && rp_signer_sign(signer, rp_span_of(id), timestamp, payload, l->text);
	end_header(l);
	return signed_ok;
}

static enum rp_cause fail(char detail[RP_DETAIL_TEXT_MAX], enum rp_cause cause, const char *text)
{
	snprintf(detail, RP_DETAIL_TEXT_MAX, "%.*s", RP_DETAIL_TEXT_MAX - 1, text);
	return cause;
}

static enum rp_cause fail_no_key(char detail[RP_DETAIL_TEXT_MAX], const struct rp_policy *policy)
{
	snprintf(detail, RP_DETAIL_TEXT_MAX, "no key of %s%s%s is valid now; never sent unsigned",
		 policy->url != NULL ? "endpoint \"" : "[", policy->name,
		 policy->url != NULL ? "\"" : "]");
	return RP_CAUSE_NO_KEY;
}

/* When the buffer had memory, libcrypto has failed, and would fail the next time, too. So the
 * endpoint waits, as it does without a valid key. */
static enum rp_cause fail_unsigned(struct rp_attempt_request *out, bool buffer_ok,
				   char detail[RP_DETAIL_TEXT_MAX])
{
	out->lacks_memory = !buffer_ok;
	return buffer_ok ? fail(detail, RP_CAUSE_NO_KEY,
				"libcrypto failed while signing; never sent unsigned")
			 : fail(detail, RP_CAUSE_LOCAL, "out of memory");
}

static void fill_request(struct rp_attempt_request *out, const struct rp_settings *settings,
			 const struct header_list *l, size_t url_at, struct rp_span payload)
{
	const struct rp_policy *p = out->policy;
	struct rp_settings_tls tls = rp_settings_tls(settings, p);
	size_t i;

	for (i = 0; i < l->n; i++)
		out->headers[i] = out->text.data + l->at[i];
	out->request = (struct rp_request){
	    .url = out->text.data + url_at,
	    .headers = out->headers,
	    .n_headers = l->n,
	    .body = payload,
	    .timeout_ms = p->timeout_ms,
	    .connect_timeout_ms = p->connect_timeout_ms,
	    .guard = &p->guard,
	    .anchors = tls.anchors,
	    .identity = tls.identity,
	    .pins = p->pins,
	    .tls_min = p->tls_min,
	    .redact_path = p->redact_path,
	};
}

enum rp_cause rp_attempt_prepare(struct rp_attempt_request *out, const struct rp_settings *settings,
				 const struct rp_dispatch *dispatch, uint32_t attempt_no,
				 int64_t now_at_ms, char detail[RP_DETAIL_TEXT_MAX])
{
	struct header_list l = {.text = &out->text, .ok = true};
	struct rp_signer *signer;
	char id[RP_ID_TEXT_MAX];
	struct rp_error err;
	size_t url_at, i;

	rp_buf_clear(&out->text);
	out->lacks_memory = false;
	out->policy = NULL;
	if (rp_url_parse(dispatch->facts.url, &out->url, &err) != RP_OK)
		return fail(detail, RP_CAUSE_BAD_URL, err.text);
	out->policy = rp_config_policy(&settings->config, &out->url);
	rp_id_format(dispatch->facts.id, id);
	add_standard_headers(&l, id, now_at_ms / 1000, attempt_no);
	if (rp_policy_is_signed(out->policy)) {
		signer = rp_settings_signer(settings, out->policy);
		if (signer == NULL || rp_signer_count_at(signer, now_at_ms / 1000) == 0)
			return fail_no_key(detail, out->policy);
		if (!add_signature(&l, signer, id, now_at_ms / 1000, dispatch->payload))
			return fail_unsigned(out, l.ok, detail);
	}
	out->n_own_headers = l.n;
	for (i = 0; i < out->policy->n_headers; i++)
		add_text_header(&l, out->policy->headers[i]);
	add_envelope_headers(&l, dispatch->facts.headers, out->policy);
	url_at = out->text.len;
	l.ok = l.ok && rp_buf_add(&out->text, dispatch->facts.url.ptr, dispatch->facts.url.len);
	out->lacks_memory = !l.ok && !l.full;
	if (!l.ok)
		return fail(detail, RP_CAUSE_LOCAL, l.full ? "too many headers" : "out of memory");
	fill_request(out, settings, &l, url_at, dispatch->payload);
	return RP_CAUSE_NONE;
}

void rp_attempt_mask_secrets(const struct rp_attempt_request *a, unsigned char *text, size_t n)
{
	struct rp_span secrets[2 * RP_ATTEMPT_HEADERS_MAX];
	size_t i, n_secrets = 0;

	if (n == 0)
		return;
	for (i = a->n_own_headers; i < a->request.n_headers; i++) {
		const char *value = strchr(a->headers[i], ':') + 1, *credentials;

		value += strspn(value, " ");
		credentials = strchr(value, ' ');
		secrets[n_secrets++] = rp_span_of(value);
		if (credentials != NULL)
			secrets[n_secrets++] = rp_span_of(credentials + 1);
	}
	rp_redact_text(a->policy, &a->url, secrets, n_secrets, text, n);
}

void rp_attempt_request_release(struct rp_attempt_request *a)
{
	rp_buf_release(&a->text);
	memset(a, 0, sizeof *a);
}
