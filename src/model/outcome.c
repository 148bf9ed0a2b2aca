/* outcome.c - names causes and parses their names. One table serves the log, the configuration
 * and the inspector. */

#include "model/outcome.h"

#include <stdio.h>

static const char *const names[RP_CAUSE_MAX_] = {
    [RP_CAUSE_NONE] = "",
    [RP_CAUSE_HTTP] = "http",
    [RP_CAUSE_TIMEOUT] = "timeout",
    [RP_CAUSE_DNS] = "dns",
    [RP_CAUSE_CONNECT] = "connect",
    [RP_CAUSE_TLS] = "tls",
    [RP_CAUSE_RESET] = "reset",
    [RP_CAUSE_PROTOCOL] = "protocol",
    [RP_CAUSE_BLOCKED_ADDRESS] = "blocked_address",
    [RP_CAUSE_BLOCKED_SCHEME] = "blocked_scheme",
    [RP_CAUSE_BLOCKED_PORT] = "blocked_port",
    [RP_CAUSE_GONE] = "gone",
    [RP_CAUSE_EXPIRED] = "expired",
    [RP_CAUSE_EXHAUSTED] = "exhausted",
    [RP_CAUSE_DAMAGED] = "damaged",
    [RP_CAUSE_POISON] = "poison",
    [RP_CAUSE_SENDER_LOST] = "sender_lost",
    [RP_CAUSE_NO_KEY] = "no_key",
    [RP_CAUSE_BAD_URL] = "bad_url",
    [RP_CAUSE_LOCAL] = "local",
    [RP_CAUSE_OPERATOR] = "operator",
    [RP_CAUSE_REFUSED] = "refused",
    [RP_CAUSE_PERMANENT] = "permanent",
    [RP_CAUSE_TLS_EXPIRED] = "tls_expired",
    [RP_CAUSE_TLS_NAME] = "tls_name",
    [RP_CAUSE_TLS_ISSUER] = "tls_issuer",
    [RP_CAUSE_TLS_VERSION] = "tls_version",
    [RP_CAUSE_TLS_PIN] = "tls_pin",
    [RP_CAUSE_TLS_CLIENT_CERT] = "tls_client_cert",
    [RP_CAUSE_TLS_TIMEOUT] = "tls_timeout",
};

const char *rp_cause_format(enum rp_cause cause, unsigned http_status, char out[RP_CAUSE_TEXT_MAX])
{
	if (cause == RP_CAUSE_HTTP && http_status != 0)
		snprintf(out, RP_CAUSE_TEXT_MAX, "http_%u", http_status);
	else if ((unsigned)cause < RP_CAUSE_MAX_)
		snprintf(out, RP_CAUSE_TEXT_MAX, "%s", names[cause]);
	else /* stored by a newer version: shown, not a crash */
		snprintf(out, RP_CAUSE_TEXT_MAX, "cause_%u", (unsigned)cause);
	return out;
}

static bool parse_status(const char *text, size_t len, unsigned *out)
{
	unsigned v = 0;
	size_t i;

	if (len == 0 || len > 3 || text[0] == '0')
		return false;
	for (i = 0; i < len; i++) {
		if (text[i] < '0' || text[i] > '9')
			return false;
		v = v * 10 + (unsigned)(text[i] - '0');
	}
	*out = v;
	return true;
}

bool rp_cause_parse(struct rp_span text, enum rp_cause *cause, unsigned *http_status)
{
	static const char with_status[] = "http_";
	const size_t n = sizeof with_status - 1;
	int i;

	if (text.len > n && memcmp(text.ptr, with_status, n) == 0) {
		if (!parse_status(text.ptr + n, text.len - n, http_status))
			return false;
		*cause = RP_CAUSE_HTTP;
		return true;
	}
	for (i = RP_CAUSE_NONE + 1; i < RP_CAUSE_MAX_; i++) {
		if (rp_span_is(text, names[i])) {
			*cause = (enum rp_cause)i;
			*http_status = 0;
			return true;
		}
	}
	return false;
}

bool rp_cause_matches(enum rp_cause wanted, enum rp_cause cause)
{
	return cause == wanted || (wanted == RP_CAUSE_TLS && cause >= RP_CAUSE_TLS_EXPIRED &&
				   cause <= RP_CAUSE_TLS_TIMEOUT);
}
