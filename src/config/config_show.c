/* config_show.c - prints settings as the file would have them. It is the reverse of
 * config_value.c, and `check-config` uses it. */

#include <arpa/inet.h>
#include <inttypes.h>
#include <stdio.h>

#include "config/config_table.h"
#include "config/database_url.h"

static bool add_duration(int64_t ms, struct rp_buf *out)
{
	static const struct {
		const char *unit;
		int64_t ms;
	} units[] = {{"d", 86400000}, {"h", 3600000}, {"m", 60000}, {"s", 1000}, {"ms", 1}};
	char text[32];
	bool ok = true;
	size_t i;

	if (ms == 0)
		return rp_buf_add_char(out, '0');
	for (i = 0; i < sizeof units / sizeof units[0]; i++) {
		if (ms < units[i].ms)
			continue;
		snprintf(text, sizeof text, "%" PRId64 "%s", ms / units[i].ms, units[i].unit);
		ok = ok && rp_buf_add_text(out, text);
		ms %= units[i].ms;
	}
	return ok;
}

static bool add_size(uint64_t bytes, struct rp_buf *out)
{
	static const char *const units[] = {"", "K", "M", "G", "T"};
	char text[32];
	size_t i = 0;

	for (; bytes != 0 && bytes % 1024 == 0 && i < 4; i++)
		bytes /= 1024;
	snprintf(text, sizeof text, "%" PRIu64 "%s", bytes, units[i]);
	return rp_buf_add_text(out, text);
}

static bool add_factor(int64_t permille, struct rp_buf *out)
{
	char text[32];
	size_t n = (size_t)snprintf(text, sizeof text, "%" PRId64 ".%03" PRId64, permille / 1000,
				    permille % 1000);

	while (text[n - 1] == '0')
		n--;
	return rp_buf_add(out, text, text[n - 1] == '.' ? n - 1 : n);
}

static bool add_number(unsigned v, struct rp_buf *out)
{
	char text[16];

	snprintf(text, sizeof text, "%u", v);
	return rp_buf_add_text(out, text);
}

static bool add_header(const struct rp_policy *policy, size_t k, struct rp_buf *out)
{
	if (k >= policy->n_headers)
		return rp_buf_add_text(out, "none");
	return rp_buf_add(out, policy->headers[k], strcspn(policy->headers[k], ":")) &&
	       rp_buf_add_text(out, ": set");
}

static bool add_net(const struct rp_policy *policy, size_t k, struct rp_buf *out)
{
	const struct rp_cidr *cidr = &policy->allow[k];
	char text[INET6_ADDRSTRLEN];

	if (k >= policy->n_allow)
		return rp_buf_add_text(out, "none");
	if (inet_ntop(cidr->family, cidr->addr, text, sizeof text) == NULL ||
	    !rp_buf_add_text(out, text))
		return false;
	return cidr->prefix_bits == (cidr->family == AF_INET ? 32 : 128) ||
	       (rp_buf_add_char(out, '/') && add_number(cidr->prefix_bits, out));
}

static bool add_ports(const struct rp_guard_policy *guard, struct rp_buf *out)
{
	bool ok = true;
	size_t i;

	if (guard->any_port)
		return rp_buf_add_text(out, "any");
	if (guard->n_ports == 0)
		return rp_buf_add_text(out, "none");
	for (i = 0; ok && i < guard->n_ports; i++)
		ok = (i == 0 || rp_buf_add_char(out, ' ')) && add_number(guard->ports[i], out);
	return ok;
}

static bool add_delays(const struct rp_retry_policy *retry, struct rp_buf *out)
{
	bool ok = true;
	size_t i;

	if (retry->n_schedule == 0)
		return rp_buf_add_text(out, "none");
	for (i = 0; ok && i < retry->n_schedule; i++)
		ok = (i == 0 || rp_buf_add_char(out, ' ')) &&
		     add_duration(retry->schedule_ms[i], out);
	return ok;
}

static bool add_statuses(const struct rp_retry_policy *retry, struct rp_buf *out)
{
	bool ok = true;
	size_t i;

	if (retry->n_permanent_statuses == 0)
		return rp_buf_add_text(out, "none");
	for (i = 0; ok && i < retry->n_permanent_statuses; i++)
		ok = (i == 0 || rp_buf_add_char(out, ' ')) &&
		     add_number(retry->permanent_statuses[i], out);
	return ok;
}

static bool add_rate(struct rp_rate rate, struct rp_buf *out)
{
	char text[RP_RATE_TEXT_MAX];

	return rp_buf_add_text(out, rate.count > 0 ? rp_rate_format(rate, text) : "none");
}

/* As the file has them: the HTTP library wants a prefix before each and semicolons between. */
static bool add_pins(const char *pins, struct rp_buf *out)
{
	static const char prefix[] = "sha256//";
	const char *pin = pins;
	size_t n;
	bool ok = true;

	if (pins == NULL)
		return rp_buf_add_text(out, "none");
	for (; ok && *pin != '\0'; pin += n + (pin[n] == ';')) {
		pin += sizeof prefix - 1;
		n = strcspn(pin, ";");
		ok = (pin == pins + sizeof prefix - 1 || rp_buf_add_char(out, ' ')) &&
		     rp_buf_add(out, pin, n);
	}
	return ok;
}

static bool add_tls_version(unsigned version, struct rp_buf *out)
{
	return add_number(version / 10, out) && rp_buf_add_char(out, '.') &&
	       add_number(version % 10, out);
}

static bool add_listen(const struct rp_listen *listen, struct rp_buf *out)
{
	char text[RP_LISTEN_TEXT_MAX];
	bool ok = listen->n > 0 || rp_buf_add_text(out, "none");
	size_t i;

	for (i = 0; ok && i < listen->n; i++)
		ok = (i == 0 || rp_buf_add_char(out, ' ')) &&
		     rp_buf_add_text(out, rp_listen_address_format(&listen->at[i], text));
	return ok;
}

static bool add_names(const struct rp_door_names *names, struct rp_buf *out)
{
	bool ok = names->n > 0 || rp_buf_add_text(out, "none");
	size_t i;

	for (i = 0; ok && i < names->n; i++)
		ok = (i == 0 || rp_buf_add_char(out, ' ')) && rp_buf_add_text(out, names->at[i]);
	return ok;
}

size_t rp_config_count_values(const struct rp_policy *policy, size_t i)
{
	enum rp_setting_kind kind = rp_setting_at(i)->kind;
	size_t n = kind == RP_KIND_HEADER  ? policy->n_headers
		   : kind == RP_KIND_NETS  ? policy->n_allow
		   : kind == RP_KIND_PATHS ? policy->drop.n
					   : 1;

	return n > 0 ? n : 1;
}

bool rp_config_show_value(const struct rp_config *config, const struct rp_policy *policy, size_t i,
			  size_t k, struct rp_buf *out)
{
	const struct rp_setting *s = rp_setting_at(i);
	const void *at =
	    (const char *)(policy != NULL ? (const void *)policy : (const void *)config) +
	    s->offset;

	switch (s->kind) {
	case RP_KIND_DURATION:
		return add_duration(*(const int64_t *)at, out);
	case RP_KIND_SIZE:
		return add_size(*(const uint64_t *)at, out);
	case RP_KIND_COUNT:
		return add_number(*(const unsigned *)at, out);
	case RP_KIND_FACTOR:
		return add_factor(*(const int64_t *)at, out);
	case RP_KIND_SWITCH:
		return rp_buf_add_text(out, *(const bool *)at ? "yes" : "no");
	case RP_KIND_ENV:
		return rp_buf_add_text(out, *(const char *const *)at != NULL ? "set" : "none");
	case RP_KIND_DATABASE:
		return *(const char *const *)at != NULL
			   ? rp_database_url_show(*(const char *const *)at, out)
			   : rp_buf_add_text(out, "none");
	case RP_KIND_PATH:
	case RP_KIND_CREDENTIAL:
	case RP_KIND_URL:
		break;
	case RP_KIND_PINS: /* digests of public keys: no secret */
		return add_pins(*(const char *const *)at, out);
	case RP_KIND_HEADER:
		return add_header(policy, k, out);
	case RP_KIND_NETS:
		return add_net(policy, k, out);
	case RP_KIND_PATHS:
		return rp_buf_add_text(out, k < policy->drop.n ? policy->drop.paths[k] : "none");
	case RP_KIND_PORTS:
		return add_ports(&policy->guard, out);
	case RP_KIND_DELAYS:
		return add_delays(&policy->retry, out);
	case RP_KIND_STATUSES:
		return add_statuses(&policy->retry, out);
	case RP_KIND_LISTEN:
		return add_listen(at, out);
	case RP_KIND_USERS:
	case RP_KIND_HOSTS:
		return add_names(at, out);
	case RP_KIND_RATE:
		return add_rate(*(const struct rp_rate *)at, out);
	case RP_KIND_TLS_VERSION:
		return add_tls_version(*(const unsigned *)at, out);
	}
	return rp_buf_add_text(out, *(const char *const *)at != NULL ? *(const char *const *)at
								     : "none");
}

static unsigned line_in_policy(const struct rp_policy *policy, size_t i, size_t k)
{
	enum rp_setting_kind kind = rp_setting_at(i)->kind;

	if (kind == RP_KIND_HEADER)
		return policy->header_line[k];
	if (kind == RP_KIND_PATHS && policy->drop.n > 0)
		return policy->drop_line[k];
	return kind == RP_KIND_NETS ? policy->allow_line[k] : policy->line_of[i];
}

unsigned rp_config_line_of_value(const struct rp_config *config, const struct rp_policy *policy,
				 size_t i, size_t k, bool *inherited)
{
	unsigned line = policy != NULL ? line_in_policy(policy, i, k) : config->line_of[i];

	/* An endpoint starts as a copy, so what stands in the same place with the same line was
	 * not changed. */
	*inherited = policy != NULL && policy != &config->defaults && line != 0 &&
		     line == line_in_policy(&config->defaults, i, k);
	return line;
}
