/* guard.h - may we connect there? Judges scheme, port and the concrete socket address; resolves
 * nothing.
 *
 * Everything that is not public unicast is denied (tables in guard.c, from the IANA
 * special-purpose registries); IPv6 spellings that embed an IPv4 address are decoded and judged as
 * that address. Exceptions come from the configuration as CIDRs, nowhere else. Judged at the
 * socket, so DNS rebinding and odd spellings of addresses find nothing to slip past. */
#ifndef RP_NET_GUARD_H
#define RP_NET_GUARD_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/bytes.h"
#include "model/outcome.h"

struct rp_cidr {
	int family; /* AF_INET or AF_INET6 */
	unsigned char addr[16];
	unsigned prefix_bits;
};

/* "10.0.0.0/8", "127.0.0.1" (a /32), "fd00::/8". false: not an address, prefix too long, or bits
 * set beyond the prefix. */
bool rp_cidr_parse(struct rp_span text, struct rp_cidr *out);
bool rp_cidr_contains(const struct rp_cidr *cidr, int family, const unsigned char *addr);

#define RP_GUARD_PORTS_MAX 16

struct rp_guard_policy {
	bool allow_http;
	const struct rp_cidr *allow; /* borrowed */
	size_t n_allow;
	bool any_port;
	/* beside 80 and 443 when n_ports is 0; exactly these otherwise */
	uint16_t ports[RP_GUARD_PORTS_MAX];
	size_t n_ports;
};

/* RP_CAUSE_NONE or RP_CAUSE_BLOCKED_SCHEME. */
enum rp_cause rp_guard_scheme(const struct rp_guard_policy *policy, bool https);

/* RP_CAUSE_NONE, _BLOCKED_ADDRESS or _BLOCKED_PORT. An address inside policy->allow is fine, and
 * so is any port on it unless ports are listed. Address families other than AF_INET and AF_INET6
 * are blocked. *rule (may be NULL) is set to the range that matched ("loopback 127.0.0.0/8"), a
 * static string, or NULL. */
enum rp_cause rp_guard_address(const struct rp_guard_policy *policy, const struct sockaddr *sa,
			       socklen_t len, const char **rule);

#endif
