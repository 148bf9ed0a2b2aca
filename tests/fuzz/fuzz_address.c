/* The guard against an oracle that shares nothing with it: ranges as numbers, told apart with
 * shifts. Input: flags | 2 bytes of port | address of 4 or 16 bytes | networks of the allow list,
 * a line each. */
#include "fuzz.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include "net/guard.h"

static bool oracle_denies4(uint32_t a)
{
	uint32_t top = a >> 24;

	/* this net, private, loopback, multicast and up */
	return top == 0 || top == 10 || top == 127 || top >= 224 ||
	       a >> 22 == (100 << 2 | 1) ||                /* 100.64/10 */
	       a >> 16 == 0xa9fe ||                        /* 169.254/16 */
	       a >> 20 == 0xac1 ||                         /* 172.16/12 */
	       a >> 8 == 0xc00000 || a >> 8 == 0xc00002 || /* 192.0.0/24, 192.0.2/24 */
	       a >> 8 == 0xc05863 ||                       /* 192.88.99/24 */
	       a >> 16 == 0xc0a8 ||                        /* 192.168/16 */
	       a >> 17 == 0xc612 >> 1 ||                   /* 198.18/15 */
	       /* 198.51.100/24, 203.0.113/24 */
	       a >> 8 == 0xc63364 || a >> 8 == 0xcb0071 || a == 0xa83f8110; /* 168.63.129.16 */
}

static uint64_t half(const unsigned char *p)
{
	uint64_t v = 0;
	int i;

	for (i = 0; i < 8; i++)
		v = v << 8 | p[i];
	return v;
}

static bool embeds(const unsigned char addr[16], uint32_t *v4)
{
	uint64_t high = half(addr), low = half(addr + 8);

	*v4 = (uint32_t)low;
	return (high == 0 && low >> 32 == 0xffff) ||
	       (high == UINT64_C(0x0064ff9b00000000) && low >> 32 == 0);
}

static bool oracle_denies6(const unsigned char addr[16])
{
	uint64_t high = half(addr);
	uint32_t v4;

	if (embeds(addr, &v4))
		return oracle_denies4(v4);
	return high >> 61 != 1 ||                         /* outside 2000::/3 */
	       high >> 41 == UINT64_C(0x20010000) >> 9 || /* 2001::/23 */
	       high >> 32 == 0x20010db8 ||                /* 2001:db8::/32 */
	       high >> 48 == 0x2002 ||                    /* 2002::/16 */
	       high >> 44 == 0x3fff0;                     /* 3fff::/20 */
}

struct net {
	int family;
	unsigned char addr[16];
	unsigned bits;
};

static bool in_net(const struct net *net, int family, const unsigned char *addr)
{
	unsigned i;

	if (net->family != family)
		return false;
	for (i = 0; i < net->bits; i++)
		if (((net->addr[i / 8] ^ addr[i / 8]) >> (7 - i % 8)) & 1)
			return false;
	return true;
}

/* Text of a network, read a second way. */
static bool oracle_net(struct rp_span text, struct net *out)
{
	char *copy = fuzz_text(text), *slash = strchr(copy, '/'), *p;
	unsigned max, i;
	bool ok = memchr(text.len > 0 ? text.ptr : "", '\0', text.len) == NULL && strlen(copy) < 50;

	memset(out, 0, sizeof *out);
	if (slash != NULL)
		*slash = '\0';
	out->family = strchr(copy, ':') != NULL ? AF_INET6 : AF_INET;
	max = out->family == AF_INET ? 32 : 128;
	ok = ok && inet_pton(out->family, copy, out->addr) == 1;
	out->bits = max;
	if (ok && slash != NULL) {
		ok = slash[1] != '\0' && !(slash[1] == '0' && slash[2] != '\0') &&
		     strlen(slash + 1) <= 3;
		for (p = slash + 1; *p != '\0'; p++)
			ok = ok && *p >= '0' && *p <= '9';
		out->bits = ok ? (unsigned)strtoul(slash + 1, NULL, 10) : 0;
		ok = ok && out->bits <= max;
	}
	for (i = ok ? out->bits : max; i < max; i++)
		ok = ok && ((out->addr[i / 8] >> (7 - i % 8)) & 1) == 0;
	free(copy);
	return ok;
}

struct allowed {
	struct rp_cidr ours[RP_GUARD_PORTS_MAX];
	struct net theirs[RP_GUARD_PORTS_MAX];
	size_t n;
};

static void read_allowed(struct fuzz_input *in, struct allowed *out)
{
	out->n = 0;
	while (in->left > 0 && out->n < RP_GUARD_PORTS_MAX) {
		struct rp_span line = fuzz_until(in, '\n');
		bool ours = rp_cidr_parse(line, &out->ours[out->n]),
		     theirs = oracle_net(line, &out->theirs[out->n]);

		MUST(ours == theirs, "%.*s: %d, and %d by the oracle", (int)line.len, line.ptr,
		     ours, theirs);
		out->n += ours;
	}
}

static bool oracle_allows(const struct allowed *allowed, int family, const unsigned char *addr)
{
	unsigned char v4_bytes[4];
	uint32_t v4;
	size_t i;

	for (i = 0; i < allowed->n; i++)
		if (in_net(&allowed->theirs[i], family, addr))
			return true;
	if (family != AF_INET6 || !embeds(addr, &v4))
		return false;
	v4 = htonl(v4);
	memcpy(v4_bytes, &v4, 4);
	return oracle_allows(allowed, AF_INET, v4_bytes);
}

static size_t make_sockaddr(int family, const unsigned char *addr, uint16_t port,
			    unsigned char *out)
{
	struct sockaddr_in in4 = {.sin_family = AF_INET, .sin_port = htons(port)};
	struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_port = htons(port)};

	if (family == AF_INET) {
		memcpy(&in4.sin_addr, addr, 4);
		memcpy(out, &in4, sizeof in4);
		return sizeof in4;
	}
	memcpy(&in6.sin6_addr, addr, 16);
	memcpy(out, &in6, sizeof in6);
	return sizeof in6;
}

static enum rp_cause judge(const struct rp_guard_policy *policy, const unsigned char *sa,
			   size_t len, const char **rule)
{
	/* aligned for its family alone, in a block of its own size */
	unsigned char *block = malloc(len + 2);
	enum rp_cause cause;

	MUST(block != NULL, "out of memory");
	memcpy(block + 2, sa, len);
	cause = rp_guard_address(policy, (const struct sockaddr *)(const void *)(block + 2),
				 (socklen_t)len, rule);
	free(block);
	return cause;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input in = {data, size};
	unsigned flags = fuzz_byte(&in), i;
	uint16_t port = (uint16_t)fuzz_number(&in, 2);
	int family = flags & 1 ? AF_INET6 : AF_INET;
	unsigned char addr[16], sa[sizeof(struct sockaddr_in6)];
	struct rp_guard_policy policy = {.any_port = (flags & 2) != 0};
	struct allowed allowed;
	const char *rule = "unset";
	bool denied, allowed_by_name;
	enum rp_cause cause, expected;
	size_t len;

	for (i = 0; i < (family == AF_INET ? 4u : 16u); i++)
		addr[i] = fuzz_byte(&in);
	read_allowed(&in, &allowed);
	policy.allow = allowed.ours;
	policy.n_allow = allowed.n;
	if (flags & 4) {
		policy.ports[0] = 8443;
		policy.n_ports = 1;
	}
	len = make_sockaddr(family, addr, port, sa);
	allowed_by_name = oracle_allows(&allowed, family, addr);
	denied =
	    !allowed_by_name &&
	    (family == AF_INET ? oracle_denies4((uint32_t)addr[0] << 24 | (uint32_t)addr[1] << 16 |
						(uint32_t)addr[2] << 8 | addr[3])
			       : oracle_denies6(addr));
	expected = denied               ? RP_CAUSE_BLOCKED_ADDRESS
		   : policy.any_port    ? RP_CAUSE_NONE
		   : policy.n_ports > 0 ? port == 8443 ? RP_CAUSE_NONE : RP_CAUSE_BLOCKED_PORT
		   : port == 80 || port == 443 || allowed_by_name ? RP_CAUSE_NONE
								  : RP_CAUSE_BLOCKED_PORT;
	cause = judge(&policy, sa, len, &rule);
	MUST(cause == expected, "cause %d, %d by the oracle", cause, expected);
	MUST((rule != NULL) == denied, "a rule without a refusal, or none with one");
	MUST(judge(&policy, sa, len - 1, NULL) == RP_CAUSE_BLOCKED_ADDRESS,
	     "a short address passes");
	sa[0] = (unsigned char)(flags | 64); /* another family */
	MUST(judge(&policy, sa, len, NULL) == RP_CAUSE_BLOCKED_ADDRESS, "another family passes");
	return 0;
}
