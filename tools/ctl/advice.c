#include "advice.h"

#include <stddef.h>

static const char *advice_for_status(unsigned status)
{
	if (status == 401 || status == 403)
		return "the receiver refuses our token or signature: mend it, then replay";
	if (status == 404 || status == 405)
		return "nothing listens at this URL: mend the route, then replay";
	if (status == 413)
		return "the receiver takes no payload this large: raise its limit, then replay";
	if (status == 429)
		return "we come too fast: lower in_flight for this endpoint, then replay";
	if (status >= 300 && status < 400)
		return "redirects are never followed: use the URL it points to";
	if (status >= 500)
		return "the receiver failed every attempt: replay once it is well";
	return "the receiver rejects it: look at one with show, then replay or purge";
}

const char *rp_advice(enum rp_cause cause, enum rp_cause last_cause, unsigned http_status)
{
	static const char *const words[RP_CAUSE_MAX_] = {
	    [RP_CAUSE_TIMEOUT] = "it answers too late: raise timeout or let it answer before it works, then replay",
	    [RP_CAUSE_DNS] = "its name does not resolve: mend the name, then replay",
	    [RP_CAUSE_CONNECT] = "nobody listens there: start the receiver, then replay",
	    [RP_CAUSE_TLS] = "its certificate or handshake fails: renew it or set ca_file, then replay",
	    [RP_CAUSE_RESET] = "it hangs up before it answers: look at its log, then replay",
	    [RP_CAUSE_PROTOCOL] = "it does not speak HTTP: check scheme and port, then replay",
	    [RP_CAUSE_BLOCKED_ADDRESS] = "the guard refuses its address: if it is yours, set allow, then replay",
	    [RP_CAUSE_BLOCKED_SCHEME] = "plain http is refused: use https or set allow_http, then replay",
	    [RP_CAUSE_BLOCKED_PORT] = "its port is refused: set allow_ports, then replay",
	    [RP_CAUSE_GONE] = "it said it is gone for good: purge, or resume the endpoint and replay",
	    [RP_CAUSE_EXPIRED] = "its time ran out: purge, or replay if late is better than never",
	    [RP_CAUSE_EXHAUSTED] = "every attempt was spent: look at one with show, then replay",
	    [RP_CAUSE_DAMAGED] =
		"a stored record is damaged: see verify; replay it if its payload is sound, else purge it",
	    [RP_CAUSE_POISON] = "senders died over it: read their log before a replay",
	    [RP_CAUSE_SENDER_LOST] = "its sender was lost: outcome unknown, replay",
	    [RP_CAUSE_NO_KEY] = "no signing key is valid: mend the secret file and reload, then replay",
	    [RP_CAUSE_BAD_URL] = "the URL cannot be used: purge",
	    [RP_CAUSE_LOCAL] = "the trouble is on this host: read the sender's log, then replay",
	    [RP_CAUSE_OPERATOR] = "an operator set it aside: replay or purge",
	    [RP_CAUSE_REFUSED] = "the receiver asked not to get it again: purge, or ask its owner before a replay",
	    [RP_CAUSE_TLS_EXPIRED] = "its certificate has expired: let it be renewed, then replay",
	    [RP_CAUSE_TLS_NAME] = "its certificate is for another host: mend the URL or the certificate, then replay",
	    [RP_CAUSE_TLS_ISSUER] = "nobody we trust vouches for its certificate: set ca_file, then replay",
	    [RP_CAUSE_TLS_VERSION] = "no TLS version in common: let it be updated, or lower tls_min, then replay",
	    [RP_CAUSE_TLS_PIN] = "its key is none of the pinned ones: if that is right set pin_sha256, then replay",
	    [RP_CAUSE_TLS_CLIENT_CERT] = "it wants a client certificate: set client_cert and client_key, then replay",
	    [RP_CAUSE_TLS_TIMEOUT] = "its TLS handshake never ends: check scheme and port, then replay",
	};

	if ((cause == RP_CAUSE_EXHAUSTED || cause == RP_CAUSE_PERMANENT) && last_cause != RP_CAUSE_NONE &&
	    last_cause != cause)
		return rp_advice(last_cause, RP_CAUSE_NONE, http_status);
	if (cause == RP_CAUSE_HTTP)
		return advice_for_status(http_status);
	return (unsigned)cause < RP_CAUSE_MAX_ && words[cause] != NULL ? words[cause] : "look at one with show";
}
