/* listen_address.c - parses and writes addresses to listen on. */

#include "net/listen_address.h"

#include <arpa/inet.h>
#include <stdio.h>

#define UNIX_PREFIX "unix:"
#define PORT_DIGITS_MAX 5

static const char *unix_parse(struct rp_span path, struct rp_listen_address *out)
{
	size_t i;

	if (path.len == 0 || path.ptr[0] != '/')
		return "the path of the socket does not begin with '/'";
	if (path.ptr[path.len - 1] == '/')
		return "the path of the socket is that of a directory";
	if (path.len >= sizeof out->unix_path)
		return "the path of the socket is longer than the 107 bytes that the system takes";
	for (i = 0; i < path.len; i++)
		if ((unsigned char)path.ptr[i] < 0x20 || path.ptr[i] == 0x7f)
			return "the path of the socket contains a control byte";
	memcpy(out->unix_path, path.ptr, path.len);
	return NULL;
}

static const char *port_parse(struct rp_span text, uint16_t *out)
{
	static const char wrong[] =
	    "the port is not a number from 0 to 65535 without leading zeros";
	unsigned v = 0;
	size_t i;

	if (text.len == 0 || text.len > PORT_DIGITS_MAX || (text.len > 1 && text.ptr[0] == '0'))
		return wrong;
	for (i = 0; i < text.len; i++) {
		if (text.ptr[i] < '0' || text.ptr[i] > '9')
			return wrong;
		v = v * 10 + (unsigned)(text.ptr[i] - '0');
	}
	if (v > UINT16_MAX)
		return wrong;
	*out = (uint16_t)v;
	return NULL;
}

/* A text of the bytes for inet_pton. */
static bool copy(struct rp_span text, char out[RP_LISTEN_IP_MAX])
{
	if (text.len == 0 || text.len >= RP_LISTEN_IP_MAX || memchr(text.ptr, '\0', text.len))
		return false;
	memcpy(out, text.ptr, text.len);
	out[text.len] = '\0';
	return true;
}

static const char *ipv6_parse(struct rp_span text, struct rp_listen_address *out)
{
	char written[RP_LISTEN_IP_MAX];
	struct in6_addr addr;

	if (!copy(text, written) || inet_pton(AF_INET6, written, &addr) != 1)
		return "there is no IPv6 address between '[' and ']'";
	if (IN6_IS_ADDR_V4MAPPED(&addr))
		return "this is an IPv4 address inside an IPv6 one: write the IPv4 address";
	out->loopback = IN6_IS_ADDR_LOOPBACK(&addr);
	out->wildcard = IN6_IS_ADDR_UNSPECIFIED(&addr);
	inet_ntop(AF_INET6, &addr, out->ip, sizeof out->ip);
	return NULL;
}

static const char *ipv4_parse(struct rp_span text, struct rp_listen_address *out)
{
	char written[RP_LISTEN_IP_MAX];
	struct in_addr addr;

	if (rp_span_is(text, "localhost"))
		return "a name may mean several addresses: write 127.0.0.1 or [::1]";
	if (text.len == 0 || rp_span_is(text, "*"))
		return "the address is missing: write 127.0.0.1, or 0.0.0.0 for all of IPv4";
	if (memchr(text.ptr, ':', text.len) != NULL)
		return "an IPv6 address stands in brackets: [::1]:8484";
	if (!copy(text, written) || inet_pton(AF_INET, written, &addr) != 1)
		return "not an address: names are not looked up";
	out->loopback = (ntohl(addr.s_addr) >> 24) == 127;
	out->wildcard = addr.s_addr == htonl(INADDR_ANY);
	inet_ntop(AF_INET, &addr, out->ip, sizeof out->ip);
	return NULL;
}

/* The part before the port, and the port: what follows the last ':', behind a ']' where there is
 * one. */
static const char *tcp_parse(struct rp_span text, struct rp_listen_address *out)
{
	size_t colon = text.len;
	const char *problem;
	struct rp_span ip;

	while (colon > 0 && text.ptr[colon - 1] != ':' && text.ptr[colon - 1] != ']')
		colon--;
	if (colon == 0 || text.ptr[colon - 1] != ':')
		return "the port is missing: write ADDRESS:PORT";
	ip = (struct rp_span){text.ptr, colon - 1};
	if (ip.len >= 2 && ip.ptr[0] == '[' && ip.ptr[ip.len - 1] == ']')
		problem = ipv6_parse((struct rp_span){ip.ptr + 1, ip.len - 2}, out);
	else
		problem = ipv4_parse(ip, out);
	return problem != NULL
		   ? problem
		   : port_parse((struct rp_span){text.ptr + colon, text.len - colon}, &out->port);
}

const char *rp_listen_address_parse(struct rp_span text, struct rp_listen_address *out)
{
	size_t prefix = sizeof UNIX_PREFIX - 1;

	memset(out, 0, sizeof *out);
	if (text.len == 0)
		return "empty";
	if (text.ptr[0] == '/')
		return "the path of a socket stands behind unix:";
	if (text.len >= prefix && memcmp(text.ptr, UNIX_PREFIX, prefix) == 0)
		return unix_parse((struct rp_span){text.ptr + prefix, text.len - prefix}, out);
	return tcp_parse(text, out);
}

const char *rp_listen_address_format(const struct rp_listen_address *address,
				     char out[RP_LISTEN_TEXT_MAX])
{
	bool brackets = strchr(address->ip, ':') != NULL;

	if (address->unix_path[0] != '\0')
		snprintf(out, RP_LISTEN_TEXT_MAX, UNIX_PREFIX "%s", address->unix_path);
	else
		snprintf(out, RP_LISTEN_TEXT_MAX, "%s%s%s:%u", brackets ? "[" : "", address->ip,
			 brackets ? "]" : "", address->port);
	return out;
}

bool rp_listen_address_collides(const struct rp_listen_address *a,
				const struct rp_listen_address *b)
{
	bool same_family = (strchr(a->ip, ':') != NULL) == (strchr(b->ip, ':') != NULL);

	if (a->unix_path[0] != '\0' || b->unix_path[0] != '\0')
		return strcmp(a->unix_path, b->unix_path) == 0;
	return same_family && a->port == b->port && a->port != 0 &&
	       (a->wildcard || b->wildcard || strcmp(a->ip, b->ip) == 0);
}

bool rp_listen_address_is_local(const struct rp_listen_address *address)
{
	return address->loopback || address->unix_path[0] != '\0';
}
