/* config_value.c - parses one value and stores it where the table says. Each type of setting has
 * one function here. */

#include "config/config_value.h"
#include "config/database_url.h"

#include <stdio.h>
#include <strings.h>

#include "base/assert.h"
#include "base/units.h"
#include "config/config_door.h"
#include "config/config_error.h"
#include "sign/crypto.h"
#include "run/run.h"

#define CREDENTIAL_NAME_MAX 255 /* a file's name */

/* ---- numbers ---- */

static bool count_parse(struct rp_span text, int64_t *out)
{
	int64_t v = 0;
	size_t i;

	for (i = 0; i < text.len; i++) {
		if (text.ptr[i] < '0' || text.ptr[i] > '9' || v > INT32_MAX)
			return false;
		v = v * 10 + (text.ptr[i] - '0');
	}
	*out = v;
	return text.len > 0;
}

/* "4", "2.5": thousandths, at most three decimals. */
static bool factor_parse(struct rp_span text, int64_t *out)
{
	const char *dot = memchr(text.ptr, '.', text.len);
	struct rp_span whole = {text.ptr, dot != NULL ? (size_t)(dot - text.ptr) : text.len};
	int64_t v, decimals = 0;
	size_t n = 0;

	if (!count_parse(whole, &v))
		return false;
	if (dot != NULL) {
		struct rp_span tail = {dot + 1, text.len - whole.len - 1};

		n = tail.len;
		if (n > 3 || !count_parse(tail, &decimals))
			return false;
	}
	for (; n < 3; n++)
		decimals *= 10;
	*out = v * 1000 + decimals;
	return true;
}

static bool switch_parse(struct rp_span text, int64_t *out)
{
	static const char *const words[] = {"no", "yes", "false", "true", "off", "on", "0", "1"};
	size_t i;

	for (i = 0; i < sizeof words / sizeof words[0]; i++) {
		if (rp_span_is(text, words[i])) {
			*out = i % 2;
			return true;
		}
	}
	return false;
}

static bool size_parse(struct rp_span text, int64_t *out)
{
	uint64_t v;

	if (!rp_size_parse(text, &v))
		return false;
	*out = (int64_t)v;
	return true;
}

static bool tls_version_parse(struct rp_span text, int64_t *out)
{
	*out = rp_span_is(text, "1.2") ? 12 : 13;
	return *out == 12 || rp_span_is(text, "1.3");
}

static const struct {
	const char *noun, *how;
	bool (*parse)(struct rp_span text, int64_t *out);
} number_kinds[] = {
    [RP_KIND_DURATION] = {"a duration", ", with a unit (ms, s, m, h, d)", rp_duration_parse},
    [RP_KIND_SIZE] = {"a size", ", in bytes or with K, M, G, T", size_parse},
    [RP_KIND_COUNT] = {"a whole number", "", count_parse},
    [RP_KIND_FACTOR] = {"a number with at most three decimals", "", factor_parse},
    [RP_KIND_SWITCH] = {"yes or no", "yes, no, true, false, on, off, 1, 0", switch_parse},
    [RP_KIND_TLS_VERSION] = {"a TLS version", "", tls_version_parse},
};

static void number_store(const struct rp_setting *s, void *base, int64_t v)
{
	void *at = (char *)base + s->offset;

	switch (s->kind) {
	case RP_KIND_DURATION:
	case RP_KIND_FACTOR:
		*(int64_t *)at = v;
		break;
	case RP_KIND_SIZE:
		*(uint64_t *)at = (uint64_t)v;
		break;
	case RP_KIND_COUNT:
	case RP_KIND_TLS_VERSION:
		*(unsigned *)at = (unsigned)v;
		break;
	default:
		assert(s->kind == RP_KIND_SWITCH);
		*(bool *)at = v != 0;
	}
}

static bool number_parse(const struct rp_setting *s, const char *text, int64_t *out)
{
	return number_kinds[s->kind].parse(rp_span_of(text), out);
}

static const char *const computed_keys[] = {"retry_base", "retry_factor", "retry_cap",
					    "retry_attempts"};

#define DELAYS_ACCEPTED                                                                            \
	"accepted: retry_schedule, or retry_base, retry_factor, retry_cap, retry_attempts"

static bool is_computed_key(const struct rp_setting *s)
{
	size_t i;

	for (i = 0; i < sizeof computed_keys / sizeof computed_keys[0]; i++)
		if (strcmp(s->info.name, computed_keys[i]) == 0)
			return true;
	return false;
}

/* What is computed replaces an inherited schedule, but not one of the same section. */
static bool schedule_give_way(struct rp_config_parser *p, const struct rp_setting *s,
			      const char *value)
{
	struct rp_retry_policy *retry = &p->policy->retry;
	unsigned line = rp_config_line_of(p, RP_SECTION_DEFAULTS, "retry_schedule");

	if (retry->n_schedule > 0 && line != 0)
		return rp_config_fail_value(
		    p, s, value, "retry_schedule is set as well, on line %u; " DELAYS_ACCEPTED,
		    line);
	retry->n_schedule = 0;
	return true;
}

static bool set_number(struct rp_config_parser *p, const struct rp_setting *s, void *base,
		       const char *value)
{
	const char *noun = number_kinds[s->kind].noun, *how = number_kinds[s->kind].how;
	int64_t v, min = 0, max = 0;
	bool known = number_parse(s, s->min, &min) && number_parse(s, s->max, &max);

	assert(known);
	(void)known;
	if (!number_parse(s, value, &v))
		return s->kind == RP_KIND_SWITCH
			   ? rp_config_fail_value(p, s, value, "not %s; accepted: %s", noun, how)
			   : rp_config_fail_value(p, s, value, "not %s; accepted: %s to %s%s", noun,
						  s->min, s->max, how);
	if (v < min || v > max)
		return rp_config_fail_value(p, s, value, "too %s; accepted: %s to %s%s",
					    v < min ? "small" : "large", s->min, s->max, how);
	if (is_computed_key(s) && !schedule_give_way(p, s, value))
		return false;
	number_store(s, base, v);
	return true;
}

void rp_setting_reset(const struct rp_setting *s, struct rp_config *config)
{
	/* sections start from the defaults, with the keys too that those do not have */
	bool of_policy = rp_setting_is_of_policy(s), known;
	int64_t v = 0;

	if (s->kind > RP_KIND_TLS_VERSION)
		return;
	known = number_parse(s, s->info.default_text, &v);
	assert(known);
	(void)known;
	number_store(s, of_policy ? (void *)&config->defaults : (void *)config, v);
}

/* ---- texts ---- */

static bool text_store(struct rp_config_parser *p, const struct rp_setting *s, void *base,
		       struct rp_span text)
{
	const char **at = (const char **)(void *)((char *)base + s->offset);

	if (text.len == 0) {
		*at = NULL;
		return true;
	}
	*at = rp_config_copy(p, text);
	return *at != NULL;
}

/* A section names its secrets in one way; in an [endpoint] that way replaces the inherited one,
 * whichever it was. */
static bool secret_source_choose(struct rp_config_parser *p, const struct rp_setting *s,
				 const char *value)
{
	static const char *const names[] = {"secret_file", "secret_env", "secret_credential"};
	const struct rp_setting *other;
	unsigned line;
	size_t i;

	for (i = 0; i < sizeof names / sizeof names[0]; i++) {
		other = rp_setting_find(RP_SECTION_DEFAULTS, names[i]);
		if (other == s)
			continue;
		line = rp_config_line_of(p, RP_SECTION_DEFAULTS, names[i]);
		if (line != 0)
			return rp_config_fail_value(p, s, value,
						    "%s is set as well, on line %u; accepted: one "
						    "of secret_file, secret_env and "
						    "secret_credential",
						    names[i], line);
		*(const char **)(void *)((char *)p->policy + other->offset) = NULL;
		if (p->policy->line_of[rp_setting_index(other)] != 0)
			/* it is this line that takes it back */
			p->policy->line_of[rp_setting_index(other)] = p->line;
	}
	return true;
}

static bool set_path(struct rp_config_parser *p, const struct rp_setting *s, void *base,
		     const char *value)
{
	if (rp_config_looks_secret(value))
		return rp_config_fail_value(p, s, value,
					    "the value is a secret itself; accepted: the path of a "
					    "file (mode 0600) with it");
	if (strstr(value, "://") != NULL)
		return rp_config_fail_value(
		    p, s, value, "this is a URL; accepted: the path of a file or a directory");
	if (base == p->config && s->offset == offsetof(struct rp_config, outbox_dir) &&
	    value[0] == '\0')
		return rp_config_fail_value(p, s, value,
					    "empty; accepted: the path of a directory");
	if (base != p->config && s->offset == offsetof(struct rp_policy, secret_file) &&
	    !secret_source_choose(p, s, value))
		return false;
	return text_store(p, s, base, rp_span_of(value));
}

/* The value is not repeated: it may have a password. */
static bool set_database(struct rp_config_parser *p, const struct rp_setting *s, void *base,
			 const char *value)
{
	if (value[0] != '\0' && !rp_database_url_is(value))
		return rp_config_fail_value(p, s, value,
					    "not the address of a database; accepted: "
					    "postgresql://HOST/DATABASE");
	return text_store(p, s, base, rp_span_of(value));
}

static bool set_env(struct rp_config_parser *p, const struct rp_setting *s, void *base,
		    const char *value)
{
	static const char letters[] =
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_0123456789";

	if (rp_config_looks_secret(value) || value[strspn(value, letters)] != '\0' ||
	    (value[0] >= '0' && value[0] <= '9'))
		return rp_config_fail_value(
		    p, s, value,
		    "not the name of an environment variable; accepted: a name such as "
		    "RUNPOST_SECRET");
	return secret_source_choose(p, s, value) && text_store(p, s, base, rp_span_of(value));
}

/* A name as systemd takes it; above all no path: it is looked up in one directory. */
static bool set_credential(struct rp_config_parser *p, const struct rp_setting *s, void *base,
			   const char *value)
{
	if (rp_config_looks_secret(value) || strchr(value, '/') != NULL ||
	    strcmp(value, ".") == 0 || strcmp(value, "..") == 0 ||
	    strlen(value) > CREDENTIAL_NAME_MAX)
		return rp_config_fail_value(
		    p, s, value,
		    "not the name of a credential; accepted: NAME of a LoadCredential=NAME:PATH "
		    "in the systemd unit");
	return secret_source_choose(p, s, value) && text_store(p, s, base, rp_span_of(value));
}

static bool set_url(struct rp_config_parser *p, const struct rp_setting *s, void *base,
		    const char *value)
{
	struct rp_policy *policy = base;
	struct rp_buf encoded = {0};
	struct rp_error why;
	struct rp_span sent;
	enum rp_err e = rp_url_accept(rp_span_of(value), &encoded, &sent, &policy->prefix, &why);
	bool stored = e == RP_OK && text_store(p, s, base, sent);
	size_t i;

	rp_buf_release(&encoded);
	if (e == RP_ERR_NOMEM)
		return rp_config_fail_memory(p);
	if (e != RP_OK)
		return rp_config_fail_value(p, s, value, "%s", why.text);
	if (!stored)
		return false;
	rp_url_parse(rp_span_of(policy->url), &policy->prefix, NULL); /* into the text that stays */
	if (policy->prefix.has_query)
		return rp_config_fail_value(
		    p, s, value,
		    "has a query; accepted: scheme, host, port and path, the part before the '?'");
	for (i = 0; &p->config->endpoints[i] != policy; i++) {
		const struct rp_policy *other = &p->config->endpoints[i];

		if (rp_url_match_prefix(&other->prefix, &policy->prefix) != 0 &&
		    rp_url_match_prefix(&policy->prefix, &other->prefix) != 0)
			return rp_config_fail_value(
			    p, s, value,
			    "[endpoint \"%s\"] has this URL already; accepted: one section for it",
			    other->name);
	}
	return true;
}

/* The index for a header: that of an inherited one with the same name, or a new one, which may be
 * one too many. */
static size_t header_index(const struct rp_policy *policy, struct rp_span name)
{
	size_t i;

	for (i = 0; i < policy->n_headers; i++)
		if (strncasecmp(policy->headers[i], name.ptr, name.len) == 0 &&
		    policy->headers[i][name.len] == ':')
			return i;
	return i;
}

static bool set_header(struct rp_config_parser *p, const struct rp_setting *s, void *base,
		       const char *value)
{
	static const char accepted[] =
	    "accepted: \"Name: value\" with a name that neither HTTP nor runpost owns";
	struct rp_policy *policy = base;
	const char *colon = strchr(value, ':'), *problem;
	char line[RP_CONFIG_LINE_BYTES + 2];
	struct rp_span name, rest;
	size_t slot;

	if (colon == NULL)
		return rp_config_fail_value(p, s, value, "there is no ':'; %s", accepted);
	name = rp_config_trim((struct rp_span){value, (size_t)(colon - value)});
	rest = rp_config_trim(rp_span_of(colon + 1));
	problem = rest.len == 0 ? "the header's value is empty" : rp_header_problem(name, rest);
	if (problem != NULL)
		return rp_config_fail_value(p, s, value, "%s; %s", problem, accepted);
	slot = header_index(policy, name);
	if (slot == RP_CONFIG_HEADERS_MAX)
		return rp_config_fail_value(p, s, value, "too many headers; accepted: at most %d",
					    RP_CONFIG_HEADERS_MAX);
	if (slot < policy->n_headers && p->header_on[slot] != 0)
		return rp_config_fail_value(
		    p, s, value, "the same header is set on line %u; accepted: each name once",
		    p->header_on[slot]);
	snprintf(line, sizeof line, "%.*s: %.*s", (int)name.len, name.ptr, (int)rest.len, rest.ptr);
	policy->headers[slot] = rp_config_copy(p, rp_span_of(line));
	p->header_on[slot] = policy->header_line[slot] = p->line;
	policy->n_headers += slot == policy->n_headers;
	return policy->headers[slot] != NULL;
}

/* Cuts the next word off a list separated by spaces and commas; len 0 after the last. */
static struct rp_span word_next(const char **list)
{
	struct rp_span word;

	*list += strspn(*list, " \t,");
	word.ptr = *list;
	word.len = strcspn(*list, " \t,");
	*list += word.len;
	return word;
}

static bool set_nets(struct rp_config_parser *p, const struct rp_setting *s, void *base,
		     const char *value)
{
	struct rp_policy *policy = base;
	const char *list = value;
	char shown[RP_CONFIG_SHOWN_BYTES];
	struct rp_span word = word_next(&list);

	if (word.len == 0)
		return rp_config_fail_value(
		    p, s, value, "empty; accepted: addresses or CIDRs such as 10.0.0.0/8 fd00::/8");
	for (; word.len > 0; word = word_next(&list)) {
		if (policy->n_allow == RP_ALLOW_MAX)
			return rp_config_fail_value(
			    p, s, value, "too many networks; accepted: at most %d", RP_ALLOW_MAX);
		if (!rp_cidr_parse(word, &policy->allow[policy->n_allow]))
			return rp_config_fail_value(p, s, value,
						    "%s is not an address, or has bits set beyond "
						    "its prefix; accepted: addresses or "
						    "CIDRs such as 10.0.0.0/8 fd00::/8",
						    rp_config_show(word, shown));
		policy->allow_line[policy->n_allow++] = p->line;
	}
	return true;
}

static bool set_ports(struct rp_config_parser *p, const struct rp_setting *s, void *base,
		      const char *value)
{
	struct rp_guard_policy *guard = &((struct rp_policy *)base)->guard;
	const char *list = value;
	char shown[RP_CONFIG_SHOWN_BYTES];
	struct rp_span word;
	int64_t port;

	guard->n_ports = 0;
	guard->any_port = strcmp(value, "any") == 0;
	if (guard->any_port)
		return true;
	for (word = word_next(&list); word.len > 0; word = word_next(&list)) {
		if (guard->n_ports == RP_GUARD_PORTS_MAX)
			return rp_config_fail_value(p, s, value,
						    "too many ports; accepted: at most %d, or any",
						    RP_GUARD_PORTS_MAX);
		if (!count_parse(word, &port) || port < 1 || port > UINT16_MAX)
			return rp_config_fail_value(
			    p, s, value, "%s is not a port; accepted: any, or a list of 1 to 65535",
			    rp_config_show(word, shown));
		guard->ports[guard->n_ports++] = (uint16_t)port;
	}
	return true;
}

static bool computed_keys_unset(struct rp_config_parser *p, const struct rp_setting *s,
				const char *value)
{
	unsigned line;
	size_t i;

	for (i = 0; i < sizeof computed_keys / sizeof computed_keys[0]; i++) {
		line = rp_config_line_of(p, RP_SECTION_DEFAULTS, computed_keys[i]);
		if (line != 0)
			return rp_config_fail_value(
			    p, s, value, "%s is set as well, on line %u; " DELAYS_ACCEPTED,
			    computed_keys[i], line);
	}
	return true;
}

static bool set_delays(struct rp_config_parser *p, const struct rp_setting *s, void *base,
		       const char *value)
{
	struct rp_retry_policy *retry = &((struct rp_policy *)base)->retry;
	const char *list = value;
	char shown[RP_CONFIG_SHOWN_BYTES];
	struct rp_span word = word_next(&list);
	int64_t delay_ms, min_ms = 0, max_ms = 0;
	bool known = rp_duration_parse(rp_span_of(s->min), &min_ms) &&
		     rp_duration_parse(rp_span_of(s->max), &max_ms);

	assert(known);
	(void)known;
	retry->n_schedule = 0;
	if (word.len > 0 && !computed_keys_unset(p, s, value))
		return false;
	for (; word.len > 0; word = word_next(&list)) {
		if (retry->n_schedule == RP_RETRY_SCHEDULE_MAX)
			return rp_config_fail_value(p, s, value,
						    "too many delays; accepted: at most %d",
						    RP_RETRY_SCHEDULE_MAX);
		if (!rp_duration_parse(word, &delay_ms) || delay_ms < min_ms || delay_ms > max_ms)
			return rp_config_fail_value(p, s, value,
						    "%s is not a delay; accepted: durations from "
						    "%s to %s with a unit, such as 5s 5m 2h",
						    rp_config_show(word, shown), s->min, s->max);
		retry->schedule_ms[retry->n_schedule++] = delay_ms;
	}
	return true;
}

static bool set_statuses(struct rp_config_parser *p, const struct rp_setting *s, void *base,
			 const char *value)
{
	struct rp_retry_policy *retry = &((struct rp_policy *)base)->retry;
	const char *list = value;
	char shown[RP_CONFIG_SHOWN_BYTES];
	struct rp_span word;
	int64_t status, min = 0, max = 0;
	bool known = count_parse(rp_span_of(s->min), &min) && count_parse(rp_span_of(s->max), &max);

	assert(known);
	(void)known;
	retry->n_permanent_statuses = 0;
	for (word = word_next(&list); word.len > 0; word = word_next(&list)) {
		if (retry->n_permanent_statuses == RP_RETRY_STATUSES_MAX)
			return rp_config_fail_value(p, s, value,
						    "too many statuses; accepted: at most %d",
						    RP_RETRY_STATUSES_MAX);
		if (!count_parse(word, &status) || status < min || status > max)
			return rp_config_fail_value(
			    p, s, value,
			    "%s is not the status of a failure; accepted: a list of %s to %s",
			    rp_config_show(word, shown), s->min, s->max);
		retry->permanent_statuses[retry->n_permanent_statuses++] = (uint16_t)status;
	}
	return true;
}

/* In the order of the file, each once. */
static bool path_add(struct rp_config_parser *p, const struct rp_setting *s,
		     struct rp_policy *policy, struct rp_span path, const char *value)
{
	const char *problem = rp_cut_problem(path);
	struct rp_cuts *drop = &policy->drop;
	char shown[RP_CONFIG_SHOWN_BYTES];
	size_t i;

	if (problem != NULL)
		return rp_config_fail_value(p, s, value,
					    "%s: %s; accepted: names of members with dots between "
					    "them, such as kwargs.webhook",
					    rp_config_show(path, shown), problem);
	for (i = 0; i < drop->n; i++)
		if (rp_span_is(path, drop->paths[i]))
			return true;
	if (drop->n == RP_CUT_PATHS_MAX)
		return rp_config_fail_value(p, s, value, "too many members; accepted: at most %d",
					    RP_CUT_PATHS_MAX);
	drop->paths[drop->n] = rp_config_copy(p, path);
	if (drop->paths[drop->n] == NULL)
		return false;
	policy->drop_line[drop->n++] = p->line;
	return true;
}

static bool set_paths(struct rp_config_parser *p, const struct rp_setting *s, void *base,
		      const char *value)
{
	struct rp_policy *policy = base;
	const char *list = strcmp(value, "none") == 0 ? "" : value;
	struct rp_span word = word_next(&list);

	if (word.len == 0)
		policy->drop.n = 0;
	for (; word.len > 0; word = word_next(&list))
		if (!path_add(p, s, policy, word, value))
			return false;
	return true;
}

#define PIN_BYTES 32
#define PIN_PREFIX "sha256//"

static bool set_pins(struct rp_config_parser *p, const struct rp_setting *s, void *base,
		     const char *value)
{
	char text[RP_CONFIG_PINS_MAX * 64], shown[RP_CONFIG_SHOWN_BYTES];
	unsigned char key[PIN_BYTES];
	const char *list = value;
	struct rp_span word, all = {text, 0};
	size_t n = 0, len;

	for (word = word_next(&list); word.len > 0; word = word_next(&list)) {
		if (n++ == RP_CONFIG_PINS_MAX)
			return rp_config_fail_value(
			    p, s, value, "too many pins; accepted: at most %d", RP_CONFIG_PINS_MAX);
		if (!rp_base64_decode(word, key, sizeof key, &len) || len != sizeof key)
			return rp_config_fail_value(p, s, value,
						    "%s is not a SHA-256 in base64; accepted: 44 "
						    "characters for each key, without sha256//",
						    rp_config_show(word, shown));
		all.len +=
		    (size_t)snprintf(text + all.len, sizeof text - all.len, "%s" PIN_PREFIX "%.*s",
				     n > 1 ? ";" : "", (int)word.len, word.ptr);
	}
	return text_store(p, s, base, all);
}

static bool set_rate(struct rp_config_parser *p, const struct rp_setting *s, void *base,
		     const char *value)
{
	struct rp_rate *rate = (struct rp_rate *)(void *)((char *)base + s->offset);

	memset(rate, 0, sizeof *rate);
	if (value[0] == '\0' || rp_rate_parse(rp_span_of(value), rate))
		return true;
	return rp_config_fail_value(
	    p, s, value,
	    "not a rate; accepted: 1/h to %d/s, as requests in a second, minute or hour (50/s, "
	    "10/m, 3/h), or empty for no limit",
	    RP_RATE_PER_SECOND_MAX);
}

static bool (*const setters[])(struct rp_config_parser *p, const struct rp_setting *s, void *base,
			       const char *value) = {
    [RP_KIND_DURATION] = set_number,
    [RP_KIND_SIZE] = set_number,
    [RP_KIND_COUNT] = set_number,
    [RP_KIND_FACTOR] = set_number,
    [RP_KIND_SWITCH] = set_number,
    [RP_KIND_TLS_VERSION] = set_number,
    [RP_KIND_PATH] = set_path,
    [RP_KIND_DATABASE] = set_database,
    [RP_KIND_ENV] = set_env,
    [RP_KIND_CREDENTIAL] = set_credential,
    [RP_KIND_URL] = set_url,
    [RP_KIND_HEADER] = set_header,
    [RP_KIND_NETS] = set_nets,
    [RP_KIND_PORTS] = set_ports,
    [RP_KIND_DELAYS] = set_delays,
    [RP_KIND_STATUSES] = set_statuses,
    [RP_KIND_PINS] = set_pins,
    [RP_KIND_RATE] = set_rate,
    [RP_KIND_PATHS] = set_paths,
    [RP_KIND_LISTEN] = rp_config_set_listen,
    [RP_KIND_USERS] = rp_config_set_users,
    [RP_KIND_HOSTS] = rp_config_set_hosts,
};

static bool value_check(struct rp_config_parser *p, const struct rp_setting *s, const char *value)
{
	const char *c;

	for (c = value; *c != '\0'; c++) {
		if (((unsigned char)*c < 0x20 && *c != '\t') || *c == 0x7f)
			return rp_config_fail_value(p, s, value,
						    "contains a control byte; accepted: text");
		if (c > value && (c[-1] == ' ' || c[-1] == '\t') &&
		    (*c == ';' || (*c == '#' && s->kind != RP_KIND_HEADER)))
			return rp_config_fail_value(p, s, value,
						    "'%c' after a space looks like a comment; "
						    "accepted: comments on lines of their own",
						    *c);
	}
	return true;
}

bool rp_setting_assign(struct rp_config_parser *p, const struct rp_setting *s, const char *value)
{
	void *base = p->policy != NULL ? (void *)p->policy : (void *)p->config;

	return value_check(p, s, value) && setters[s->kind](p, s, base, value);
}
