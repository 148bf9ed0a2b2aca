/* door_access.c - judges Host, the signs of a browser, loops and credentials. Every field of a name
 * counts, not the first alone: what stands in a second one was put there to be overlooked. */

#include "serve/door_access.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include "text/ascii.h"

#define PORT_MISSING 80 /* of http */

/* ---- fields ---- */

/* The next field of this lower-case name from *i on. */
static bool next_field(const struct rp_http_request *request, const char *name, size_t *i,
		       struct rp_span *value)
{
	while (*i < request->n_fields) {
		const struct rp_http_field *field = &request->fields[(*i)++];

		if (rp_span_is(rp_http_request_span(request, field->name), name)) {
			*value = rp_http_request_span(request, field->value);
			return true;
		}
	}
	return false;
}

static bool has_field(const struct rp_http_request *request, const char *name)
{
	struct rp_span value;
	size_t i = 0;

	return next_field(request, name, &i, &value);
}

/* ---- addresses ---- */

static void map_ip4(const struct in_addr *four, unsigned char ip[16])
{
	memset(ip, 0, 10);
	memset(ip + 10, 0xff, 2);
	memcpy(ip + 12, four, sizeof *four);
}

bool rp_door_address_of(const struct sockaddr *sa, struct rp_door_address *out)
{
	if (sa->sa_family == AF_INET) {
		const struct sockaddr_in *in = (const void *)sa;

		map_ip4(&in->sin_addr, out->ip);
		out->port = ntohs(in->sin_port);
		return true;
	}
	if (sa->sa_family == AF_INET6) {
		const struct sockaddr_in6 *in6 = (const void *)sa;

		memcpy(out->ip, &in6->sin6_addr, sizeof out->ip);
		out->port = ntohs(in6->sin6_port);
		return true;
	}
	return false;
}

static bool is_ip(const unsigned char ip[16], const unsigned char other[16])
{
	return memcmp(ip, other, 16) == 0;
}

bool rp_door_address_is_loopback(const struct rp_door_address *a)
{
	static const unsigned char mapped[12] = {[10] = 0xff, [11] = 0xff};

	return is_ip(a->ip, in6addr_loopback.s6_addr) ||
	       (memcmp(a->ip, mapped, sizeof mapped) == 0 && a->ip[12] == 127);
}

/* 0.0.0.0 and [::]: on all addresses of the machine. */
static bool is_any(const struct rp_door_address *a)
{
	static const unsigned char any4[16] = {[10] = 0xff, [11] = 0xff};

	return is_ip(a->ip, in6addr_any.s6_addr) || is_ip(a->ip, any4);
}

/* An address as it stands in a URL: 127.0.0.1, [::1]. */
static bool read_ip(struct rp_span host, unsigned char ip[16])
{
	bool literal = host.len > 2 && host.ptr[0] == '[' && host.ptr[host.len - 1] == ']';
	char text[INET6_ADDRSTRLEN];
	struct in_addr four;

	if (literal)
		host = rp_span_part(host, 1, host.len - 1);
	if (host.len == 0 || host.len >= sizeof text)
		return false;
	memcpy(text, host.ptr, host.len);
	text[host.len] = '\0';
	if (literal)
		return inet_pton(AF_INET6, text, ip) == 1;
	if (inet_pton(AF_INET, text, &four) != 1)
		return false;
	map_ip4(&four, ip);
	return true;
}

/* ---- Host ---- */

struct authority {
	struct rp_span host;
	bool has_port;
	uint16_t port; /* that of http where none is written */
};

/* false: it is neither "host" nor "host:port". */
static bool take_authority(struct rp_span text, struct authority *out)
{
	bool literal = text.len > 0 && text.ptr[0] == '[';
	size_t end = rp_span_find(text, 0, literal ? ']' : ':'), i;
	unsigned port = 0;

	if (text.len == 0)
		return false;
	end += literal && end < text.len;
	out->host = rp_span_part(text, 0, end);
	out->has_port = end < text.len;
	out->port = PORT_MISSING;
	if (!out->has_port)
		return true;
	for (i = end + 1; i < text.len && port <= UINT16_MAX; i++) {
		if (!rp_char_is_digit(text.ptr[i]))
			return false;
		port = port * 10 + (unsigned)(text.ptr[i] - '0');
	}
	out->port = (uint16_t)port;
	return end > 0 && text.ptr[end] == ':' && text.len > end + 1 && port > 0 &&
	       port <= UINT16_MAX;
}

static struct rp_span without_last_dot(struct rp_span host)
{
	host.len -= host.len > 1 && host.ptr[host.len - 1] == '.';
	return host;
}

static bool is_listed(const struct rp_door_hosts *hosts, const struct authority *a)
{
	struct authority name;
	size_t i;

	for (i = 0; i < hosts->n_names; i++)
		if (take_authority(rp_span_of(hosts->names[i]), &name) &&
		    rp_span_same_but_case(without_last_dot(name.host), without_last_dot(a->host)) &&
		    (!name.has_port || name.port == a->port))
			return true;
	return false;
}

/* Whether a connection to this host and port of our machine reaches a listener. */
static bool is_own(const struct rp_door_hosts *hosts, struct rp_span host, uint16_t port)
{
	bool localhost = rp_span_same_but_case(without_last_dot(host), rp_span_of("localhost"));
	struct rp_door_address a = {.port = port};
	bool is_address = read_ip(host, a.ip);
	size_t i;

	for (i = 0; i < hosts->n_own; i++) {
		const struct rp_door_address *own = &hosts->own[i];
		bool on_loopback = is_any(own) || rp_door_address_is_loopback(own);

		if (own->port != port)
			continue;
		if ((localhost && on_loopback) || (is_address && is_ip(own->ip, a.ip)))
			return true;
		if (is_address && ((is_any(own) && rp_door_address_is_loopback(&a)) ||
				   (is_any(&a) && on_loopback)))
			return true;
	}
	return false;
}

static bool is_local_end(const struct rp_door_peer *peer, struct rp_span host)
{
	unsigned char ip[16];

	return read_ip(host, ip) && is_ip(ip, peer->local.ip);
}

bool rp_door_judge_host(const struct rp_door_hosts *hosts, const struct rp_door_peer *peer,
			const struct rp_http_request *request, struct rp_door_refusal *no)
{
	struct authority a;

	if (peer->unix_socket)
		return true;
	if (take_authority(rp_http_request_find(request, "host"), &a) &&
	    (is_own(hosts, a.host, a.port) || is_local_end(peer, a.host) || is_listed(hosts, &a)))
		return true;
	return rp_door_refuse(no, 421, "host", NULL,
			      "Host names none of the door's addresses; use one of them, or add "
			      "the name to [door] hosts");
}

/* ---- browsers, loops, encodings ---- */

bool rp_door_judge_browser(const struct rp_http_request *request, struct rp_door_refusal *no)
{
	struct rp_span site;
	bool ok = !has_field(request, "origin");
	size_t i = 0;

	while (ok && next_field(request, "sec-fetch-site", &i, &site))
		ok = rp_span_same_but_case(site, rp_span_of("none")) ||
		     rp_span_same_but_case(site, rp_span_of("same-origin"));
	return ok ||
	       rp_door_refuse(no, 403, "cross_site", NULL,
			      "the request has an Origin or another Sec-Fetch-Site than none: "
			      "web pages may not send here");
}

bool rp_door_judge_loop(const struct rp_http_request *request, struct rp_door_refusal *no)
{
	return !has_field(request, "runpost-attempt") ||
	       rp_door_refuse(no, 508, "loop", NULL,
			      "this is a delivery of an outbox (runpost-attempt); the URL of its "
			      "section leads to a door instead of a receiver");
}

bool rp_door_judge_encoding(const struct rp_http_request *request, struct rp_door_refusal *no)
{
	struct rp_span value;
	size_t i = 0;

	while (next_field(request, "content-encoding", &i, &value))
		if (value.len > 0 && !rp_span_same_but_case(value, rp_span_of("identity")))
			return rp_door_refuse(no, 415, "content_encoding",
					      "Accept-Encoding: identity\r\n",
					      "the body is encoded (Content-Encoding); send it as "
					      "it is");
	return true;
}

static bool takes_runs(struct rp_span path)
{
	return rp_span_is(path, "/to") || rp_span_is(path, "/v1/runs") ||
	       (path.len > 4 && memcmp(path.ptr, "/to/", 4) == 0);
}

/* "http://host[:port]/path" as it names an endpoint: hosts have one spelling in it. */
static bool is_own_endpoint(const struct rp_door_hosts *hosts, const struct rp_url *url)
{
	struct authority a = {.host = url->host, .has_port = true, .port = url->port};

	return (!url->https && is_own(hosts, url->host, url->port)) ||
	       (takes_runs(url->path) && is_listed(hosts, &a));
}

bool rp_door_is_own_url(const struct rp_door_hosts *hosts, const struct rp_url *url)
{
	struct rp_buf name = {0};
	struct rp_url same;
	bool own;

	own = rp_url_endpoint(url, &name) &&
		      rp_url_parse((struct rp_span){name.data, name.len}, &same, NULL) == RP_OK
		  ? is_own_endpoint(hosts, &same)
		  : is_own_endpoint(hosts, url);
	rp_buf_release(&name);
	return own;
}

bool rp_door_refuse_own_url(struct rp_door_refusal *no)
{
	return rp_door_refuse(no, 508, "loop", NULL,
			      "the webhook URL leads to this door instead of a receiver");
}

/* ---- access ---- */

/* Who sent it is behind the peer. */
static bool came_by_proxy(const struct rp_http_request *request)
{
	static const char forwarded[] = "x-forwarded";
	size_t i;

	for (i = 0; i < request->n_fields; i++) {
		struct rp_span name = rp_http_request_span(request, request->fields[i].name);

		if (rp_span_is(name, "forwarded") || rp_span_is(name, "x-real-ip") ||
		    rp_span_is(name, "via") ||
		    (name.len >= sizeof forwarded - 1 &&
		     memcmp(name.ptr, forwarded, sizeof forwarded - 1) == 0))
			return true;
	}
	return false;
}

static bool is_user(const struct rp_door_callers *callers, const struct rp_door_peer *peer)
{
	size_t i;

	if (!peer->known || !(peer->unix_socket || peer->loopback))
		return false;
	for (i = 0; i < callers->n_users; i++)
		if (callers->users[i] == peer->uid)
			return true;
	return false;
}

/* false: it is of another scheme. */
static bool take_bearer(struct rp_span value, struct rp_span *token)
{
	static const char scheme[] = "bearer";
	size_t n = sizeof scheme - 1;

	if (value.len <= n || value.ptr[n] != ' ' ||
	    !rp_span_same_but_case(rp_span_part(value, 0, n), rp_span_of(scheme)))
		return false;
	while (n < value.len && value.ptr[n] == ' ')
		n++;
	*token = rp_span_part(value, n, value.len);
	return true;
}

static bool has_bearer(const struct rp_token_list *tokens, const struct rp_http_request *request)
{
	struct rp_span value, token;
	bool found = false;
	size_t i = 0;

	while (next_field(request, "authorization", &i, &value))
		if (take_bearer(value, &token) && rp_token_list_has(tokens, token))
			found = true;
	return found;
}

static bool refuse_caller(const struct rp_door_callers *callers, const struct rp_door_peer *peer,
			  const struct rp_http_request *request, struct rp_door_refusal *no)
{
	if (peer->unasked && callers->n_users > 0 && !came_by_proxy(request))
		return rp_door_refuse(no, 503, "busy", RP_DOOR_RETRY_AFTER,
				      "there was no means to ask who the peer is; send it again");
	return rp_door_refuse(no, 401, "unauthorized", "WWW-Authenticate: Bearer\r\n", "%s",
			      callers->tokens != NULL && callers->tokens->n > 0
				  ? "the peer is not one of door_users, and no token of "
				    "token_file came with the request"
				  : "the peer is not one of door_users, or not known, and the door "
				    "has no token_file");
}

bool rp_door_judge_access(const struct rp_door_callers *callers, const struct rp_door_peer *peer,
			  const struct rp_http_request *request, const struct rp_door_ask *ask,
			  enum rp_door_credential *by, struct rp_door_refusal *no)
{
	const struct rp_token_list *tokens = callers->tokens;

	*by = RP_DOOR_BY_NONE;
	if (is_user(callers, peer) && !came_by_proxy(request))
		*by = RP_DOOR_BY_PEER;
	else if (tokens != NULL && has_bearer(tokens, request))
		*by = RP_DOOR_BY_BEARER;
	else if (tokens != NULL && ask->n_tokens == 1 && rp_token_list_has(tokens, ask->token))
		*by = RP_DOOR_BY_QUERY;
	return *by != RP_DOOR_BY_NONE || refuse_caller(callers, peer, request, no);
}
