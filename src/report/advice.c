/* advice.c - says what to do about a cause or a status. One table, so that `explain` and `dead`
 * give the same advice. */

#include "report/advice.h"

#include <stddef.h>

#define REPLAY ", then replay"
#define GONE "it said it is gone for good"
#define PURGE_OR_RESUME ": purge it, or resume the endpoint and replay"

#define MEND RP_OUTLOOK_MEND
#define PASS RP_OUTLOOK_PASS

/* An entry keeps its URL for good, so what helps it is to mend what answers there. */
#define NEW_RUNS "; new runs can name another URL"

/* clang-format off */

/* The first row that has the status counts. */
static const struct {
	unsigned from, to;
	struct rp_advice advice;
} statuses[] = {
	{300, 300, {"it offers a choice of places (300): let it take the event at this one" NEW_RUNS,
		    REPLAY, MEND}},
	{303, 303, {"it sends to another page (303), as forms and logins do: let it take the event here" NEW_RUNS,
		    REPLAY, MEND}},
	{304, 304, {"304 is no answer to a POST: look at the receiver, or at a cache in front of it",
		    REPLAY, MEND}},
	{305, 306, {"it wants an obsolete way by a proxy (305, 306): look at the receiver",
		    REPLAY, MEND}},
	{300, 399, {"it redirects, which is never followed: let it take the event at this URL; new runs can name the one it "
		    "points to", REPLAY, MEND}},

	{400, 400, {"it does not understand the request: `show` has its answer; it may want another shape",
		    REPLAY, MEND}},
	{401, 401, {"it refuses our token or signature: mend header or secret", REPLAY, MEND}},
	{402, 402, {"its account is out of credit or quota: tell its owner", REPLAY, MEND}},
	{403, 403, {"it forbids it: a wrong token or signature, a CSRF check of its framework (exempt the route), or a "
		    "firewall in front; `show` has its answer", REPLAY, MEND}},
	{404, 404, {"nothing listens at this URL: mend the route" NEW_RUNS, REPLAY, MEND}},
	{405, 405, {"the route takes no POST: mend it; a slash at the end of the URL may be what is missing" NEW_RUNS,
		    REPLAY, MEND}},
	{406, 406, {"it has no answer that we would take, though we take any: look at its content negotiation",
		    REPLAY, MEND}},
	{407, 407, {"a proxy in front of it wants to be logged in to: mend the proxy",
		    REPLAY, MEND}},
	{408, 408, {"it waited in vain for all of the request: a slow line, or its read timeout is short",
		    REPLAY, PASS}},
	{409, 409, {"it sees a conflict, mostly with an event it has already: `show` has its answer",
		    "; purge it if the receiver has it, else replay", PASS}},
	{410, 410, {GONE, PURGE_OR_RESUME, MEND}},
	{411, 411, {"it wants a Content-Length, which each request has: look at the proxy in front of it",
		    REPLAY, MEND}},
	{412, 412, {"a precondition failed, though we set none: look at the proxy in front of it",
		    REPLAY, MEND}},
	{413, 413, {"it takes no payload this large: raise its limit, and that of the proxy in front",
		    REPLAY, MEND}},
	{414, 414, {"the URL is too long for it: raise its limit" NEW_RUNS, REPLAY, MEND}},
	{415, 415, {"it does not take application/json: let the route take it", REPLAY, MEND}},
	{417, 417, {"it cannot do what we expect (417), though we expect nothing: look at the proxy in front of it",
		    REPLAY, MEND}},
	{421, 421, {"it is not the server for this host: mend where the name leads to, or the routes of the proxy",
		    REPLAY, MEND}},
	{422, 422, {"it reads the event and refuses what is in it: `show` has its answer; mend its validation",
		    ", then replay; purge it if the receiver is right", MEND}},
	{423, 423, {"what the event is about is locked there", REPLAY, PASS}},
	{424, 424, {"something that it depends on failed: look at its log", REPLAY, PASS}},
	{425, 425, {"it will take the event later (425)", REPLAY, PASS}},
	{426, 426, {"it wants another protocol (426), mostly https: check scheme and port" NEW_RUNS,
		    REPLAY, MEND}},
	{428, 428, {"it takes conditional requests only (428): let the route take others" NEW_RUNS,
		    REPLAY, MEND}},
	{429, 429, {"we come too fast for it: set rate, or lower in_flight, for this endpoint",
		    REPLAY, PASS}},
	{431, 431, {"our header fields are too large for it: shorten header, or raise its limit",
		    REPLAY, MEND}},
	{451, 451, {"it must not take it for legal reasons (451): ask its owner",
		    ": purge it, or replay once that is settled", MEND}},
	{400, 499, {"it rejects the request: `show` has its answer",
		    ", then replay or purge", MEND}},

	{500, 500, {"it fails on it: look at its log", REPLAY, PASS}},
	{501, 501, {"it does not know how to take a POST there (501): mend the route" NEW_RUNS,
		    REPLAY, MEND}},
	{502, 502, {"the proxy in front gets no sound answer from it: look whether it runs",
		    REPLAY, PASS}},
	{503, 503, {"it is overloaded or down", ": replay once it is well", PASS}},
	{504, 504, {"the proxy in front gets no answer in time, and the receiver may have the event: let it answer before it "
		    "works", REPLAY, PASS}},
	{505, 505, {"it does not speak HTTP/1.1 (505): look at the proxy in front of it",
		    REPLAY, MEND}},
	{507, 507, {"it is out of room: let its owner make some", REPLAY, PASS}},
	{508, 508, {"it runs in circles (508): mend its routes", REPLAY, MEND}},
	{511, 511, {"a network in between wants to be logged in to (511)", REPLAY, MEND}},
	{525, 526, {"the CDN in front does not accept its certificate or handshake: mend that",
		    REPLAY, MEND}},
	{520, 530, {"the CDN in front gets no sound answer from it: look whether it runs",
		    REPLAY, PASS}},
	{500, 599, {"it fails: look at its log", REPLAY, PASS}},
};

static const struct rp_advice causes[RP_CAUSE_MAX_] = {
	[RP_CAUSE_TIMEOUT] = {"it answers too late: raise timeout, or let it answer before it works",
		    REPLAY, PASS},
	[RP_CAUSE_DNS] = {"its name does not resolve: mend the name server's record, or the one we ask",
		    REPLAY, PASS},
	[RP_CAUSE_CONNECT] = {"nobody listens there: start the receiver, or open the way to it",
		    REPLAY, PASS},
	[RP_CAUSE_TLS] = {"its certificate or handshake fails: mend it, or set ca_file",
		    REPLAY, MEND},
	[RP_CAUSE_RESET] = {"it hangs up before it answers: look at its log", REPLAY, PASS},
	[RP_CAUSE_PROTOCOL] = {"it does not speak HTTP: check scheme and port" NEW_RUNS,
		    REPLAY, MEND},
	[RP_CAUSE_BLOCKED_ADDRESS] = {"the guard refuses its address: if it is yours, set allow",
		    REPLAY, MEND},
	[RP_CAUSE_BLOCKED_SCHEME] = {"plain http is refused: set allow_http, or let runs name an https URL",
		    REPLAY, MEND},
	[RP_CAUSE_BLOCKED_PORT] = {"its port is refused: set allow_ports", REPLAY, MEND},
	[RP_CAUSE_GONE] = {GONE, PURGE_OR_RESUME, MEND},
	[RP_CAUSE_EXPIRED] = {"its time ran out",
		    ": purge it, or replay it if late is better than never", PASS},
	[RP_CAUSE_EXHAUSTED] = {"every attempt was spent: `show` has them", REPLAY, PASS},
	[RP_CAUSE_DAMAGED] = {"a stored record is damaged: see verify",
		    "; replay it if its payload is sound, else purge it", MEND},
	[RP_CAUSE_POISON] = {"senders died over it: read their log", REPLAY, MEND},
	[RP_CAUSE_SENDER_LOST] = {"its sender was lost, and nobody knows whether it arrived",
		    ": replay it", PASS},
	[RP_CAUSE_NO_KEY] = {"no signing key is valid: mend the secret and reload the senders",
		    REPLAY, MEND},
	[RP_CAUSE_BAD_URL] = {"the URL cannot be used, and an entry keeps its URL",
		    ": purge it", MEND},
	[RP_CAUSE_LOCAL] = {"the trouble is on this host: read the sender's log", REPLAY, PASS},
	[RP_CAUSE_OPERATOR] = {"an operator set it aside", ": replay or purge it", MEND},
	[RP_CAUSE_REFUSED] = {"the receiver asked not to get it again",
		    ": purge it, or ask its owner before a replay", MEND},
	[RP_CAUSE_PERMANENT] = {"it answered with one of permanent_statuses: `show` has its answer",
		    REPLAY, MEND},
	[RP_CAUSE_TLS_EXPIRED] = {"its certificate has expired, or is not valid yet: let it be renewed",
		    REPLAY, MEND},
	[RP_CAUSE_TLS_NAME] = {"its certificate is for another host: mend the certificate" NEW_RUNS,
		    REPLAY, MEND},
	[RP_CAUSE_TLS_ISSUER] = {"nobody we trust vouches for its certificate: set ca_file",
		    REPLAY, MEND},
	[RP_CAUSE_TLS_VERSION] = {"no TLS version in common: let it be updated, or lower tls_min",
		    REPLAY, MEND},
	[RP_CAUSE_TLS_PIN] = {"its key is none of the pinned ones: if that is right, set pin_sha256",
		    REPLAY, MEND},
	[RP_CAUSE_TLS_CLIENT_CERT] = {"it wants a client certificate that it trusts: set client_cert and client_key",
		    REPLAY, MEND},
	[RP_CAUSE_TLS_TIMEOUT] = {"its TLS handshake never ends: check scheme and port" NEW_RUNS,
		    REPLAY, PASS},
};
/* clang-format on */

static struct rp_advice of_status(unsigned status)
{
	static const struct rp_advice other = {
	    "it answers with a status that means nothing: `show` has its answer", REPLAY, MEND};
	size_t i;

	for (i = 0; i < sizeof statuses / sizeof statuses[0]; i++) {
		if (status >= statuses[i].from && status <= statuses[i].to)
			return statuses[i].advice;
	}
	return other;
}

struct rp_advice rp_advice(enum rp_cause cause, enum rp_cause last_cause, unsigned http_status)
{
	static const struct rp_advice unknown = {"`show` has its attempts", REPLAY, PASS};
	bool by_last =
	    cause == RP_CAUSE_NONE || cause == RP_CAUSE_EXHAUSTED || cause == RP_CAUSE_PERMANENT;

	if (by_last && last_cause != RP_CAUSE_NONE)
		cause = last_cause;
	if (cause == RP_CAUSE_HTTP)
		return of_status(http_status);
	return (unsigned)cause < RP_CAUSE_MAX_ && causes[cause].what != NULL ? causes[cause]
									     : unknown;
}
