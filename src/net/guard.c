/* guard.c - holds the tables of addresses that may not be reached, and matches against them. It
 * resolves no names, so that what it judges is what is connected to. */

#include "net/guard.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stddef.h>

#define V4(a, b, c, d, bits, name)                                                                 \
	{                                                                                          \
		{AF_INET, {a, b, c, d}, bits}, name " " #a "." #b "." #c "." #d "/" #bits          \
	}
#define V6(bits, rule, ...)                                                                        \
	{                                                                                          \
		{AF_INET6, {__VA_ARGS__}, bits}, rule                                              \
	}

/* IANA IPv4 and IPv6 special-purpose address registries (RFC 6890 and updates). The first match
 * names the rule, so the narrow ranges come first; the last three together are everything outside
 * 2000::/3, IPv6's only global unicast. */
static const struct {
	struct rp_cidr range;
	const char *rule;
} denied[] = {
    V4(0, 0, 0, 0, 8, "this network"),
    V4(10, 0, 0, 0, 8, "private"),
    V4(100, 64, 0, 0, 10, "carrier-grade NAT"),
    V4(127, 0, 0, 0, 8, "loopback"),
    V4(168, 63, 129, 16, 32, "cloud host agent"),
    V4(169, 254, 0, 0, 16, "link-local and cloud metadata"),
    V4(172, 16, 0, 0, 12, "private"),
    V4(192, 0, 0, 0, 24, "protocol assignments"),
    V4(192, 0, 2, 0, 24, "documentation"),
    V4(192, 88, 99, 0, 24, "6to4 relays"),
    V4(192, 168, 0, 0, 16, "private"),
    V4(198, 18, 0, 0, 15, "benchmarking"),
    V4(198, 51, 100, 0, 24, "documentation"),
    V4(203, 0, 113, 0, 24, "documentation"),
    V4(224, 0, 0, 0, 4, "multicast"),
    V4(240, 0, 0, 0, 4, "reserved and broadcast"),
    V6(128, "unspecified ::/128", 0),
    V6(128, "loopback ::1/128", 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1),
    V6(48, "local NAT64 64:ff9b:1::/48", 0x00, 0x64, 0xff, 0x9b, 0x00, 0x01),
    V6(64, "discard-only 100::/64", 0x01, 0x00),
    V6(23, "protocol assignments 2001::/23", 0x20, 0x01),
    V6(32, "documentation 2001:db8::/32", 0x20, 0x01, 0x0d, 0xb8),
    V6(16, "6to4 2002::/16", 0x20, 0x02),
    V6(20, "documentation 3fff::/20", 0x3f, 0xff),
    V6(16, "segment routing 5f00::/16", 0x5f, 0x00),
    V6(7, "unique local fc00::/7", 0xfc),
    V6(10, "link-local fe80::/10", 0xfe, 0x80),
    V6(10, "site-local fec0::/10", 0xfe, 0xc0),
    V6(8, "multicast ff00::/8", 0xff),
    V6(3, "not global unicast ::/3", 0x00),
    V6(2, "not global unicast 4000::/2", 0x40),
    V6(1, "not global unicast 8000::/1", 0x80),
};

static bool parse_prefix_bits(const char *text, unsigned max, unsigned *out)
{
	unsigned v = 0;
	size_t n;

	for (n = 0; text[n] >= '0' && text[n] <= '9' && n < 3; n++)
		v = v * 10 + (unsigned)(text[n] - '0');
	if (n == 0 || text[n] != '\0' || (n > 1 && text[0] == '0') || v > max)
		return false;
	*out = v;
	return true;
}

static bool has_bits_beyond(const struct rp_cidr *cidr, unsigned total_bits)
{
	unsigned i;

	for (i = cidr->prefix_bits; i < total_bits; i++)
		if (cidr->addr[i / 8] & (0x80u >> i % 8))
			return true;
	return false;
}

bool rp_cidr_parse(struct rp_span text, struct rp_cidr *out)
{
	char copy[INET6_ADDRSTRLEN + sizeof "/128"];
	struct rp_cidr cidr = {0};
	unsigned total_bits;
	char *slash;

	if (text.len == 0 || text.len >= sizeof copy || memchr(text.ptr, '\0', text.len) != NULL)
		return false;
	memcpy(copy, text.ptr, text.len);
	copy[text.len] = '\0';
	slash = strchr(copy, '/');
	if (slash != NULL)
		*slash = '\0';
	if (inet_pton(AF_INET, copy, cidr.addr) == 1)
		cidr.family = AF_INET;
	else if (inet_pton(AF_INET6, copy, cidr.addr) == 1)
		cidr.family = AF_INET6;
	else
		return false;
	total_bits = cidr.family == AF_INET ? 32 : 128;
	cidr.prefix_bits = total_bits;
	if (slash != NULL && !parse_prefix_bits(slash + 1, total_bits, &cidr.prefix_bits))
		return false;
	if (has_bits_beyond(&cidr, total_bits))
		return false;
	*out = cidr;
	return true;
}

bool rp_cidr_contains(const struct rp_cidr *cidr, int family, const unsigned char *addr)
{
	unsigned whole = cidr->prefix_bits / 8, rest = cidr->prefix_bits % 8;

	if (cidr->family != family || memcmp(cidr->addr, addr, whole) != 0)
		return false;
	return rest == 0 || (cidr->addr[whole] ^ addr[whole]) >> (8 - rest) == 0;
}

enum rp_cause rp_guard_scheme(const struct rp_guard_policy *policy, bool https)
{
	return https || policy->allow_http ? RP_CAUSE_NONE : RP_CAUSE_BLOCKED_SCHEME;
}

struct target {
	int family;
	unsigned char addr[16];
	uint16_t port;
};

static bool target_of(const struct sockaddr *sa, socklen_t len, struct target *out)
{
	struct sockaddr_in in4;
	struct sockaddr_in6 in6;

	if (len < (socklen_t)(offsetof(struct sockaddr, sa_family) + sizeof sa->sa_family))
		return false;
	out->family = sa->sa_family;
	/* Copied, because the caller's memory need not be aligned for the wider struct. */
	if (out->family == AF_INET && len >= (socklen_t)sizeof in4) {
		memcpy(&in4, sa, sizeof in4);
		memcpy(out->addr, &in4.sin_addr, 4);
		out->port = ntohs(in4.sin_port);
		return true;
	}
	if (out->family == AF_INET6 && len >= (socklen_t)sizeof in6) {
		memcpy(&in6, sa, sizeof in6);
		memcpy(out->addr, &in6.sin6_addr, 16);
		out->port = ntohs(in6.sin6_port);
		return true;
	}
	return false;
}

/* IPv4-mapped ::ffff:0:0/96 reaches the IPv4 host itself, 64:ff9b::/96 (RFC 6052) reaches it
 * through a translator; behind DNS64 every IPv4-only receiver looks like the latter. */
static bool decode_embedded(struct target *t)
{
	static const struct rp_cidr forms[] = {
	    {AF_INET6, {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff}, 96},
	    {AF_INET6, {0x00, 0x64, 0xff, 0x9b}, 96},
	};
	size_t i;

	for (i = 0; i < sizeof forms / sizeof forms[0]; i++) {
		if (rp_cidr_contains(&forms[i], t->family, t->addr)) {
			t->family = AF_INET;
			memmove(t->addr, t->addr + 12, 4);
			return true;
		}
	}
	return false;
}

static bool is_allowed(const struct rp_guard_policy *policy, const struct target *t)
{
	size_t i;

	for (i = 0; i < policy->n_allow; i++)
		if (rp_cidr_contains(&policy->allow[i], t->family, t->addr))
			return true;
	return false;
}

static const char *denying_rule(const struct target *t)
{
	size_t i;

	for (i = 0; i < sizeof denied / sizeof denied[0]; i++)
		if (rp_cidr_contains(&denied[i].range, t->family, t->addr))
			return denied[i].rule;
	return NULL;
}

static bool port_is_fine(const struct rp_guard_policy *policy, uint16_t port, bool address_allowed)
{
	size_t i;

	if (policy->any_port)
		return true;
	for (i = 0; i < policy->n_ports; i++)
		if (policy->ports[i] == port)
			return true;
	return policy->n_ports == 0 && (port == 80 || port == 443 || address_allowed);
}

enum rp_cause rp_guard_address(const struct rp_guard_policy *policy, const struct sockaddr *sa,
			       socklen_t len, const char **rule)
{
	const char *matched = NULL;
	bool allowed = false;
	struct target t;

	if (target_of(sa, len, &t)) {
		allowed = is_allowed(policy, &t);
		if (decode_embedded(&t))
			allowed = allowed || is_allowed(policy, &t);
		if (!allowed)
			matched = denying_rule(&t);
	} else {
		matched = "neither IPv4 nor IPv6";
	}
	if (rule != NULL)
		*rule = matched;
	if (matched != NULL)
		return RP_CAUSE_BLOCKED_ADDRESS;
	return port_is_fine(policy, t.port, allowed) ? RP_CAUSE_NONE : RP_CAUSE_BLOCKED_PORT;
}
