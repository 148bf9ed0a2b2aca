/* http_outcome.c - decides what an ended transfer means. It is apart because it only reads: the
 * codes of libcurl, the notes, the TLS verdict. */

#include "deliver/http/http_outcome.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/sys.h"
#include "net/url.h"
#include "deliver/http/http_detail.h"
#include "deliver/http/http_head.h"
#include "deliver/http/http_lack.h"

static void blocked_detail(struct rp_transfer *t)
{
	char text[RP_DETAIL_TEXT_MAX];

	if (t->notes.blocked == RP_CAUSE_BLOCKED_PORT)
		snprintf(text, sizeof text, "port %u is not allowed", t->notes.blocked_port);
	else
		snprintf(text, sizeof text, "%s",
			 t->notes.blocked_rule != NULL ? t->notes.blocked_rule
						       : "not a public address");
	rp_transfer_set_detail(t, text);
}

/* libcurl says "couldn't connect" in three cases: the guard refused, the receiver refused, or this
 * process had no socket left. */
static enum rp_cause cause_of_no_connection(const struct rp_http_notes *notes)
{
	if (notes->sockets > 0)
		return RP_CAUSE_CONNECT;
	if (notes->blocked != RP_CAUSE_NONE)
		return notes->blocked;
	return notes->socket_errno != 0 ? RP_CAUSE_LOCAL : RP_CAUSE_CONNECT;
}

/* Between the connect and the request lies only the handshake. */
static enum rp_cause cause_of_timeout(const struct rp_http_notes *notes)
{
	if (notes->request_began)
		return RP_CAUSE_TIMEOUT;
	if (notes->tls_began)
		return RP_CAUSE_TLS_TIMEOUT;
	return notes->sockets > 0 ? RP_CAUSE_CONNECT : RP_CAUSE_DNS;
}

/* Verdicts on a certificate chain as CURLINFO_SSL_VERIFYRESULT has them: X509_V_ERR_* of OpenSSL's
 * <openssl/x509_vfy.h>, where they are part of the ABI. UNSPECIFIED is what libcurl's
 * lib/vtls/openssl.c sets before each handshake, and so what stands there when the chain was
 * good. */
enum {
	CHAIN_OK = 0,
	CHAIN_UNSPECIFIED = 1,
	CHAIN_NO_ISSUER = 2,
	CHAIN_NOT_YET_VALID = 9,
	CHAIN_EXPIRED = 10,
	CHAIN_SELF_SIGNED_LEAF = 18,
	CHAIN_SELF_SIGNED_ROOT = 19,
	CHAIN_NO_LOCAL_ISSUER = 20,
	CHAIN_NO_LEAF_SIGNATURE = 21,
	CHAIN_UNTRUSTED = 27,
};

static enum rp_cause cause_of_certificate(CURL *easy)
{
	long verdict = CHAIN_UNSPECIFIED;

	curl_easy_getinfo(easy, CURLINFO_SSL_VERIFYRESULT, &verdict);
	switch (verdict) {
	case CHAIN_OK:
	case CHAIN_UNSPECIFIED: /* what is checked after the chain is the name */
		return RP_CAUSE_TLS_NAME;
	case CHAIN_NOT_YET_VALID:
	case CHAIN_EXPIRED:
		return RP_CAUSE_TLS_EXPIRED;
	case CHAIN_NO_ISSUER:
	case CHAIN_SELF_SIGNED_LEAF:
	case CHAIN_SELF_SIGNED_ROOT:
	case CHAIN_NO_LOCAL_ISSUER:
	case CHAIN_NO_LEAF_SIGNATURE:
	case CHAIN_UNTRUSTED:
		return RP_CAUSE_TLS_ISSUER;
	default:
		return RP_CAUSE_TLS;
	}
}

/* OpenSSL's error numbers, which libcurl gives only within its message, in words that change with
 * its version: as ERR_error_string(3) writes them, "error:0A00042E:...". The library stands in the
 * upper bits, the reason in the lower 23 (<openssl/err.h>); reasons of the library SSL are SSL_R_*
 * of <openssl/sslerr.h>, and those from 1000 on are alerts (RFC 8446, 6.2) of the other side. */
#define SSL_LIBRARY 20UL
#define SSL_REASON_BITS 23
#define SSL_ALERTS_FROM 1000UL
enum {
	SSL_UNSUPPORTED_PROTOCOL = 258,
	ALERT_BAD_CERTIFICATE = 42,
	ALERT_CERTIFICATE_UNKNOWN = 46,
	ALERT_UNKNOWN_CA = 48,
	ALERT_ACCESS_DENIED = 49,
	ALERT_PROTOCOL_VERSION = 70,
	ALERT_CERTIFICATE_REQUIRED = 116,
};

/* 0: the text has none. */
static unsigned long ssl_error_of(const char *text)
{
	static const char before[] = "error:";
	unsigned long number;
	char *end;

	while ((text = strstr(text, before)) != NULL) {
		text += sizeof before - 1;
		number = strtoul(text, &end, 16);
		if (end == text + 8 && *end == ':' && number >> SSL_REASON_BITS == SSL_LIBRARY)
			return number;
	}
	return 0;
}

/* RP_CAUSE_NONE: the message has no such number. An alert about a certificate can only mean that of
 * this side. */
static enum rp_cause cause_of_message(const char *text)
{
	unsigned long number = ssl_error_of(text), reason, alert;

	if (number == 0)
		return RP_CAUSE_NONE;
	reason = number & ((1UL << SSL_REASON_BITS) - 1);
	alert = reason > SSL_ALERTS_FROM ? reason - SSL_ALERTS_FROM : 0;
	if (reason == SSL_UNSUPPORTED_PROTOCOL || alert == ALERT_PROTOCOL_VERSION)
		return RP_CAUSE_TLS_VERSION;
	if ((alert >= ALERT_BAD_CERTIFICATE && alert <= ALERT_CERTIFICATE_UNKNOWN) ||
	    alert == ALERT_UNKNOWN_CA || alert == ALERT_ACCESS_DENIED ||
	    alert == ALERT_CERTIFICATE_REQUIRED)
		return RP_CAUSE_TLS_CLIENT_CERT;
	return RP_CAUSE_NONE;
}

/* A header line of more than 100 KB. libcurl says TOO_LARGE from 8.6 on (<curl/curl.h>); before, it
 * says that it has no memory. */
static bool is_line_too_long(const struct rp_http_notes *notes, CURLcode rc)
{
	enum { TOO_LARGE = 100 };

	return (int)rc == TOO_LARGE || (rc == CURLE_OUT_OF_MEMORY && notes->request_began);
}

static enum rp_cause cause_or(enum rp_cause cause, enum rp_cause otherwise)
{
	return cause != RP_CAUSE_NONE ? cause : otherwise;
}

static enum rp_cause cause_of_code(struct rp_transfer *t, CURLcode rc)
{
	const struct rp_http_notes *notes = &t->notes;

	if (is_line_too_long(notes, rc))
		return RP_CAUSE_PROTOCOL;
	switch (rc) {
	case CURLE_COULDNT_RESOLVE_HOST:
		return RP_CAUSE_DNS;
	case CURLE_COULDNT_CONNECT:
		return cause_of_no_connection(notes);
	case CURLE_OPERATION_TIMEDOUT:
		return cause_of_timeout(notes);
	case CURLE_PEER_FAILED_VERIFICATION:
		return cause_of_certificate(t->easy);
	case CURLE_SSL_PINNEDPUBKEYNOTMATCH:
		return RP_CAUSE_TLS_PIN;
	case CURLE_SSL_CONNECT_ERROR:
		return cause_or(cause_of_message(t->error_text), RP_CAUSE_TLS);
	case CURLE_SSL_ENGINE_NOTFOUND:
	case CURLE_SSL_ENGINE_SETFAILED:
	case CURLE_SSL_CERTPROBLEM:
	case CURLE_SSL_CIPHER:
	case CURLE_SSL_ENGINE_INITFAILED:
	case CURLE_SSL_CACERT_BADFILE:
	case CURLE_SSL_SHUTDOWN_FAILED:
	case CURLE_SSL_CRL_BADFILE:
	case CURLE_SSL_ISSUER_ERROR:
	case CURLE_SSL_INVALIDCERTSTATUS:
	case CURLE_SSL_CLIENTCERT:
		return RP_CAUSE_TLS;
	case CURLE_GOT_NOTHING:
	case CURLE_SEND_ERROR:
	/* with TLS 1.3 a missing client certificate is told after the handshake */
	case CURLE_RECV_ERROR:
		return cause_or(cause_of_message(t->error_text), RP_CAUSE_RESET);
	case CURLE_PARTIAL_FILE:
	case CURLE_HTTP2:
	case CURLE_HTTP2_STREAM:
		return RP_CAUSE_RESET;
	/* an answer without a status line, or a scheme we never fetch */
	case CURLE_UNSUPPORTED_PROTOCOL:
		return notes->request_began ? RP_CAUSE_PROTOCOL : RP_CAUSE_BAD_URL;
	case CURLE_WEIRD_SERVER_REPLY:
		return RP_CAUSE_PROTOCOL;
	case CURLE_WRITE_ERROR: /* ours: a bound was broken before there was a status to judge by */
		return RP_CAUSE_PROTOCOL;
	case CURLE_OUT_OF_MEMORY:
		return RP_CAUSE_LOCAL;
	case CURLE_URL_MALFORMAT:
	case CURLE_LOGIN_DENIED: /* userinfo in the URL */
		return RP_CAUSE_BAD_URL;
	case CURLE_ABORTED_BY_CALLBACK:
		if (notes->withheld && rp_transfer_was_written(t))
			return RP_CAUSE_RESET;
		return notes->blocked != RP_CAUSE_NONE ? notes->blocked : RP_CAUSE_LOCAL;
	default:
		return RP_CAUSE_LOCAL;
	}
}

/* A head that was broken off for its size or its grammar is no answer, whatever its first line
 * says. A head that was lost on the way is an answer: the receiver had decided. */
static bool head_is_broken(const struct rp_http_notes *notes, CURLcode rc)
{
	return !notes->head_done &&
	       (notes->head_over || is_line_too_long(notes, rc) || rc == CURLE_WEIRD_SERVER_REPLY ||
		rc == CURLE_UNSUPPORTED_PROTOCOL);
}

static const char *note_on_body(const struct rp_http_notes *notes, CURLcode rc)
{
	if (rc == CURLE_OK)
		return "";
	if (notes->unread)
		return rc == CURLE_OPERATION_TIMEDOUT
			   ? "answer read after the timeout"
			   : "answered and closed before it had read the whole request";
	if (notes->body_over)
		return "body cut at 64 KiB";
	if (!notes->head_done && rc == CURLE_OPERATION_TIMEDOUT)
		return "response head not complete at the timeout";
	if (!notes->head_done)
		return "connection lost within the response head";
	if (rc == CURLE_OPERATION_TIMEDOUT)
		return "body not complete at the timeout";
	if (rc == CURLE_PARTIAL_FILE)
		return "body shorter than announced";
	return "connection lost or malformed within the body";
}

/* libcurl's message for a URL it cannot use may repeat the URL. */
static const char *message_of(const struct rp_transfer *t, enum rp_cause cause, CURLcode rc)
{
	if (t->notes.head_over)
		return t->notes.head_lines > RP_HTTP_HEAD_LINES_MAX
			   ? "response head of more than 200 lines"
			   : "response head over 64 KiB";
	if (is_line_too_long(&t->notes, rc))
		return "response header line over 100 KB";
	if (t->notes.withheld)
		return "connection lost; not sent again: paused or purged meanwhile";
	if (cause == RP_CAUSE_BAD_URL || t->error_text[0] == '\0')
		return curl_easy_strerror(rc);
	return t->error_text;
}

/* Of RFC 9110, 15.4, those that name another URL. */
static bool is_redirect(unsigned status)
{
	return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

static void redirect_detail(struct rp_transfer *t)
{
	char text[RP_DETAIL_TEXT_MAX];
	struct rp_url asked;

	if (rp_url_parse(rp_span_of(t->request.url), &asked, NULL) == RP_OK)
		rp_transfer_set_detail(
		    t, rp_redirect_text(
			   &asked, (struct rp_span){t->notes.location, t->notes.location_bytes},
			   t->request.redact_path, text, sizeof text));
}

static void cause_set(struct rp_transfer *t, CURLcode rc)
{
	struct rp_outcome *out = &t->outcome;
	const struct rp_http_notes *notes = &t->notes;
	bool final = out->http_status >= 200 && out->http_status <= 599;

	if (final && !head_is_broken(notes, rc)) {
		out->cause = out->http_status <= 299 ? RP_CAUSE_NONE : RP_CAUSE_HTTP;
		if (is_redirect(out->http_status))
			redirect_detail(t);
		else
			rp_transfer_set_detail(t, note_on_body(notes, rc));
		return;
	}
	out->cause =
	    rc == CURLE_OK || out->http_status >= 600 ? RP_CAUSE_PROTOCOL : cause_of_code(t, rc);
	if (out->cause == RP_CAUSE_BLOCKED_ADDRESS || out->cause == RP_CAUSE_BLOCKED_PORT)
		blocked_detail(t);
	else if (out->cause == RP_CAUSE_LOCAL && notes->socket_errno != 0)
		rp_transfer_set_detail(t, strerror(notes->socket_errno));
	else if (out->cause == RP_CAUSE_PROTOCOL && (rc == CURLE_OK || out->http_status >= 600))
		rp_transfer_set_detail(t, "status outside 200 to 599");
	else
		rp_transfer_set_detail(t, message_of(t, out->cause, rc));
}

static int64_t info_us(CURL *easy, CURLINFO info)
{
	curl_off_t us = 0;

	curl_easy_getinfo(easy, info, &us);
	return us > 0 ? us : 0;
}

static uint32_t phase_us(CURL *easy, CURLINFO info)
{
	int64_t us = info_us(easy, info);

	return us < UINT32_MAX ? (uint32_t)us : UINT32_MAX;
}

static void spent_add(struct rp_transfer *t)
{
	struct rp_outcome *out = &t->outcome;
	uint32_t *const phases[] = {&out->dns_us, &out->connect_us, &out->tls_us,
				    &out->first_byte_us};
	size_t i;

	out->duration_us += t->spent_us;
	for (i = 0; i < sizeof phases / sizeof phases[0]; i++)
		*phases[i] += *phases[i] > 0 ? (uint32_t)t->spent_us : 0;
}

static void timings_set(struct rp_transfer *t)
{
	struct rp_outcome *out = &t->outcome;

	out->duration_us = info_us(t->easy, CURLINFO_TOTAL_TIME_T);
	out->dns_us = phase_us(t->easy, CURLINFO_NAMELOOKUP_TIME_T);
	out->connect_us = phase_us(t->easy, CURLINFO_CONNECT_TIME_T);
	out->tls_us = phase_us(t->easy, CURLINFO_APPCONNECT_TIME_T);
	if (t->notes.answered)
		out->first_byte_us = phase_us(t->easy, CURLINFO_STARTTRANSFER_TIME_T);
	if (t->spent_us > 0)
		spent_add(t);
}

static unsigned version_of(CURL *easy)
{
	long version = 0;

	curl_easy_getinfo(easy, CURLINFO_HTTP_VERSION, &version);
	switch (version) {
	case CURL_HTTP_VERSION_1_0:
		return 10;
	case CURL_HTTP_VERSION_1_1:
		return 11;
	case CURL_HTTP_VERSION_2_0:
		return 20;
	default:
		return 0;
	}
}

void rp_transfer_judge(struct rp_transfer *t, CURLcode rc)
{
	struct rp_outcome *out = &t->outcome;
	long status = 0;

	curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &status);
	if (t->notes.unread)
		status = t->notes.status;
	out->http_status = status >= 200 ? (unsigned)status : 0; /* an interim answer is none */
	if (t->notes.answered)
		out->http_version = t->notes.unread ? t->notes.version : version_of(t->easy);
	timings_set(t);
	if (out->http_status != 0) {
		out->retry_after_ms =
		    rp_http_retry_after_ms(&t->notes, rp_sys_wall_ms(&rp_sys_real));
		out->wish = t->notes.wish;
	}
	cause_set(t, rc);
	rp_transfer_note_lack(t, rc);
}

bool rp_transfer_is_final_refusal(const struct rp_transfer *t)
{
	const struct rp_outcome *out = &t->outcome;

	return out->http_status == 410 || (out->http_status >= 300 && out->wish != RP_WISH_NONE);
}

/* On a fresh connection all that comes answers this request. So a second try is the last. When the
 * request was written, the receiver may have it, and may get it twice. A 408 may mean a connection
 * that was idle for too long (RFC 9110, 15.5.9). A final refusal may be a second answer to the
 * request before: one more request costs less than an endpoint that is disabled by mistake. */
bool rp_transfer_is_undecided(const struct rp_transfer *t)
{
	const struct rp_http_notes *notes = &t->notes;
	const struct rp_outcome *out = &t->outcome;

	if (notes->unfit || notes->premature)
		return true;
	if (t->repeated || notes->withheld || notes->sockets > 0 || !notes->request_began)
		return false;
	if (out->http_status == 0)
		return out->cause == RP_CAUSE_PROTOCOL ||
		       (out->cause == RP_CAUSE_RESET && !notes->answered);
	return out->http_status == 408 || rp_transfer_is_final_refusal(t);
}
