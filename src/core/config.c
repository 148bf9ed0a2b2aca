#include "core/config.h"

#include <assert.h>
#include <ini.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include "base/units.h"
#include "core/run.h"

#define LINE_BYTES 8192 /* a header with a signed token is well over inih's 200 */
#define NAME_BYTES 64
#define SHOWN_BYTES 64
#define MESSAGE_BYTES 320
#define LEASE_MARGIN_MS 2000                   /* to write down an answer that came at the last moment */
#define MAP_MARGIN_BYTES ((uint64_t)256 << 20) /* free pages and indexes beside the quota */
#define SECTIONS_TEXT "[outbox], [ingest], [sender], [defaults], [endpoint \"NAME\"]"

enum kind {
	KIND_DURATION,
	KIND_SIZE,
	KIND_COUNT,
	KIND_FACTOR,
	KIND_SWITCH, /* numbers up to here */
	KIND_PATH,
	KIND_ENV,
	KIND_URL,
	KIND_HEADER,
	KIND_NETS,
	KIND_PORTS,
};

struct setting {
	struct rp_setting_info info;
	enum kind kind;
	const char *min, *max; /* as text, so that messages show them the way they are written */
	size_t offset;         /* in struct rp_config; of keys of [defaults] and [endpoint] in struct rp_policy */
};

#define IN_CONFIG(member) offsetof(struct rp_config, member)
#define IN_POLICY(member) offsetof(struct rp_policy, member)

/* clang-format off */
static const struct setting settings[] = {
	{{"outbox", "dir", "path", "/var/lib/runpost", "directory of the outbox"},
	 KIND_PATH, NULL, NULL, IN_CONFIG(outbox_dir)},
	{{"outbox", "quota", "size", "16G", "ingest stops taking when entries use so much"},
	 KIND_SIZE, "64K", "16T", IN_CONFIG(quota_bytes)},
	{{"outbox", "map_size", "size", "64G", "address space of the outbox; the file is sparse and grows as needed"},
	 KIND_SIZE, "512M", "64T", IN_CONFIG(map_bytes)},
	{{"outbox", "disk_reserve", "size", "64M", "ingest stops taking when the disk has less than this left"},
	 KIND_SIZE, "0", "16T", IN_CONFIG(disk_reserve_bytes)},
	{{"outbox", "keep_delivered", "duration", "7d", "delivered entries are purged after this time; 0: never"},
	 KIND_DURATION, "0", "36500d", IN_CONFIG(keep_delivered_ms)},
	{{"outbox", "keep_dead", "duration", "30d", "dead letters are purged after this time; 0: never"},
	 KIND_DURATION, "0", "36500d", IN_CONFIG(keep_dead_ms)},
	{{"ingest", "max_line", "size", "16M", "longest line taken"},
	 KIND_SIZE, "1K", "256M", IN_CONFIG(max_line_bytes)},
	{{"ingest", "full_wait", "duration", "60s", "how long ingest waits for room in a full outbox"},
	 KIND_DURATION, "0", "1d", IN_CONFIG(full_wait_ms)},
	{{"sender", "in_flight", "count", "256", "requests at once in one sender process"},
	 KIND_COUNT, "1", "4096", IN_CONFIG(sender_in_flight)},
	{{"sender", "lease", "duration", "30s", "claims of a sender that stands still so long go to others"},
	 KIND_DURATION, "5s", "1h", IN_CONFIG(lease_ms)},
	{{"sender", "stop_grace", "duration", "25s", "time that running requests get when a sender is told to stop"},
	 KIND_DURATION, "0", "1h", IN_CONFIG(stop_grace_ms)},
	{{"endpoint", "url", "url", "", "what the section is for: webhook URLs under this one; the longest match wins"},
	 KIND_URL, NULL, NULL, IN_POLICY(url)},
	{{"defaults", "secret_file", "path", "", "file with signing secrets, one a line, newest first; empty: none"},
	 KIND_PATH, NULL, NULL, IN_POLICY(secret_file)},
	{{"defaults", "secret_env", "name", "", "environment variable with the signing secrets; empty: none"},
	 KIND_ENV, NULL, NULL, IN_POLICY(secret_env)},
	{{"defaults", "header", "header", "", "\"Name: value\" sent with every request; may be given several times"},
	 KIND_HEADER, NULL, NULL, 0},
	{{"defaults", "timeout", "duration", "20s", "time for one attempt from start to end"},
	 KIND_DURATION, "10ms", "50m", IN_POLICY(timeout_ms)},
	{{"defaults", "connect_timeout", "duration", "5s", "time for name lookup, connect and TLS handshake"},
	 KIND_DURATION, "10ms", "50m", IN_POLICY(connect_timeout_ms)},
	{{"defaults", "retry_base", "duration", "5s", "delay after the first failure"},
	 KIND_DURATION, "1ms", "30d", IN_POLICY(retry.base_ms)},
	{{"defaults", "retry_factor", "factor", "4", "each delay is so many times the one before"},
	 KIND_FACTOR, "1", "10", IN_POLICY(retry.factor_permille)},
	{{"defaults", "retry_cap", "duration", "24h", "longest delay"},
	 KIND_DURATION, "1ms", "30d", IN_POLICY(retry.cap_ms)},
	{{"defaults", "retry_attempts", "count", "11", "attempts, the first one included, before an entry is dead"},
	 KIND_COUNT, "1", "1000", IN_POLICY(retry.attempts)},
	{{"defaults", "retry_max_age", "duration", "0", "entries older than this are dead; 0: no limit"},
	 KIND_DURATION, "0", "36500d", IN_POLICY(retry.max_age_ms)},
	{{"defaults", "in_flight", "count", "10", "requests at once to one endpoint, over all senders"},
	 KIND_COUNT, "1", "4096", IN_POLICY(in_flight)},
	{{"defaults", "allow", "networks", "", "addresses or CIDRs that may be reached though they are not public"},
	 KIND_NETS, NULL, NULL, 0},
	{{"defaults", "allow_http", "switch", "no", "whether http:// URLs are sent to"},
	 KIND_SWITCH, "0", "1", IN_POLICY(guard.allow_http)},
	{{"defaults", "allow_ports", "ports", "", "ports or any; empty: 80, 443 and every port of an address in allow"},
	 KIND_PORTS, NULL, NULL, 0},
	{{"defaults", "ca_file", "path", "", "CA certificates (PEM) to trust; empty: those of the system"},
	 KIND_PATH, NULL, NULL, IN_POLICY(ca_file)},
	{{"defaults", "client_cert", "path", "", "client certificate (PEM); empty: none"},
	 KIND_PATH, NULL, NULL, IN_POLICY(client_cert)},
	{{"defaults", "client_key", "path", "", "key of the client certificate (PEM); empty: none"},
	 KIND_PATH, NULL, NULL, IN_POLICY(client_key)},
};
/* clang-format on */
#define N_SETTINGS (sizeof settings / sizeof settings[0])

enum section {
	SECTION_NONE,
	SECTION_OUTBOX,
	SECTION_INGEST,
	SECTION_SENDER,
	SECTION_DEFAULTS,
	SECTION_ENDPOINT,
	SECTION_OTHER
};

static const char *const section_names[] = {
    [SECTION_NONE] = "",         [SECTION_OUTBOX] = "outbox",     [SECTION_INGEST] = "ingest",
    [SECTION_SENDER] = "sender", [SECTION_DEFAULTS] = "defaults", [SECTION_ENDPOINT] = "endpoint",
};

/* The text is read twice, endpoints the second time: an endpoint starts from [defaults] wherever that stands. */
struct parse {
	struct rp_config *config;
	const char *file;
	struct rp_span rest;
	unsigned line;
	bool endpoints_pass;
	enum section section; /* SECTION_OTHER: one for the other pass */
	unsigned section_line;
	struct rp_policy *policy;                  /* of [defaults] or the open [endpoint] */
	unsigned set_on[N_SETTINGS];               /* line that set it (in this endpoint); 0: none */
	unsigned header_on[RP_CONFIG_HEADERS_MAX]; /* likewise; 0: inherited */
	enum rp_err code;
	struct rp_error *err;
};

/* An owned string; the config holds a chain of them. */
struct string {
	struct string *next;
	char text[];
};

static struct rp_span trim(struct rp_span s)
{
	while (s.len > 0 && strchr(" \t\r\f\v", s.ptr[0]) != NULL && s.ptr[0] != '\0') {
		s.ptr++;
		s.len--;
	}
	while (s.len > 0 && strchr(" \t\r\f\v", s.ptr[s.len - 1]) != NULL && s.ptr[s.len - 1] != '\0')
		s.len--;
	return s;
}

/* For messages: printable and cut to size. */
static const char *show(struct rp_span s, char out[SHOWN_BYTES])
{
	size_t i, n = s.len < SHOWN_BYTES ? s.len : SHOWN_BYTES - 4;

	for (i = 0; i < n; i++)
		out[i] = s.ptr[i] >= 0x20 && s.ptr[i] < 0x7f ? s.ptr[i] : '?';
	memcpy(out + n, n < s.len ? "..." : "", n < s.len ? 4 : 1);
	return out;
}

static bool has_prefix(const char *text, const char *prefix)
{
	return strncmp(text, prefix, strlen(prefix)) == 0;
}

static bool looks_secret(const char *value)
{
	return has_prefix(value, "whsec_") || has_prefix(value, "whsk_");
}

/* Values that hold secrets, or would if somebody mistook one key for another, are never repeated. */
static bool value_may_be_shown(const struct setting *s, const char *value)
{
	return s->kind != KIND_HEADER && s->kind != KIND_ENV && s->kind != KIND_URL && !looks_secret(value);
}

static bool fail_at(struct parse *p, unsigned line, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

static bool fail_at(struct parse *p, unsigned line, const char *fmt, ...)
{
	char message[MESSAGE_BYTES];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(message, sizeof message, fmt, ap);
	va_end(ap);
	p->code = rp_fail(p->err, RP_ERR_INVAL, "%s:%u: %s", p->file, line, message);
	return false;
}

static const char *label(const struct parse *p, char out[NAME_BYTES + 16])
{
	if (p->section == SECTION_ENDPOINT)
		snprintf(out, NAME_BYTES + 16, "[endpoint \"%s\"]", p->policy->name);
	else
		snprintf(out, NAME_BYTES + 16, "[%s]", section_names[p->section]);
	return out;
}

static bool fail_value(struct parse *p, const struct setting *s, const char *value, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

static bool fail_value(struct parse *p, const struct setting *s, const char *value, const char *fmt, ...)
{
	char section[NAME_BYTES + 16], shown[SHOWN_BYTES], message[MESSAGE_BYTES];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(message, sizeof message, fmt, ap);
	va_end(ap);
	if (value_may_be_shown(s, value))
		return fail_at(p, p->line, "%s %s = %s: %s", label(p, section), s->info.name,
			       show(rp_span_of(value), shown), message);
	return fail_at(p, p->line, "%s %s: %s", label(p, section), s->info.name, message);
}

/* NULL: p has failed. */
static const char *keep(struct parse *p, struct rp_span text)
{
	struct string *s = malloc(sizeof *s + text.len + 1);

	if (s == NULL) {
		p->code = rp_fail(p->err, RP_ERR_NOMEM, "%s:%u: out of memory", p->file, p->line);
		return NULL;
	}
	memcpy(s->text, text.ptr, text.len);
	s->text[text.len] = '\0';
	s->next = p->config->owned;
	p->config->owned = s;
	return s->text;
}

static const struct setting *setting_find(enum section section, const char *name)
{
	size_t i;

	for (i = 0; i < N_SETTINGS; i++) {
		const char *of = settings[i].info.section;

		if (strcmp(settings[i].info.name, name) != 0)
			continue;
		if (strcmp(of, section_names[section]) == 0 ||
		    (section == SECTION_ENDPOINT && strcmp(of, section_names[SECTION_DEFAULTS]) == 0))
			return &settings[i];
	}
	return NULL;
}

static unsigned line_of(const struct parse *p, enum section section, const char *name)
{
	const struct setting *s = setting_find(section, name);

	assert(s != NULL);
	return p->set_on[s - settings];
}

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

static const struct {
	const char *noun, *how;
	bool (*parse)(struct rp_span text, int64_t *out);
} number_kinds[] = {
    [KIND_DURATION] = {"a duration", ", with a unit (ms, s, m, h, d)", rp_duration_parse},
    [KIND_SIZE] = {"a size", ", in bytes or with K, M, G, T", size_parse},
    [KIND_COUNT] = {"a whole number", "", count_parse},
    [KIND_FACTOR] = {"a number with at most three decimals", "", factor_parse},
    [KIND_SWITCH] = {"yes or no", "yes, no, true, false, on, off, 1, 0", switch_parse},
};

static void number_store(const struct setting *s, void *base, int64_t v)
{
	void *at = (char *)base + s->offset;

	switch (s->kind) {
	case KIND_DURATION:
	case KIND_FACTOR:
		*(int64_t *)at = v;
		break;
	case KIND_SIZE:
		*(uint64_t *)at = (uint64_t)v;
		break;
	case KIND_COUNT:
		*(unsigned *)at = (unsigned)v;
		break;
	default:
		assert(s->kind == KIND_SWITCH);
		*(bool *)at = v != 0;
	}
}

static bool number_parse(const struct setting *s, const char *text, int64_t *out)
{
	return number_kinds[s->kind].parse(rp_span_of(text), out);
}

static bool set_number(struct parse *p, const struct setting *s, void *base, const char *value)
{
	const char *noun = number_kinds[s->kind].noun, *how = number_kinds[s->kind].how;
	int64_t v, min = 0, max = 0;
	bool known = number_parse(s, s->min, &min) && number_parse(s, s->max, &max);

	assert(known);
	(void)known;
	if (!number_parse(s, value, &v))
		return s->kind == KIND_SWITCH
			   ? fail_value(p, s, value, "not %s; accepted: %s", noun, how)
			   : fail_value(p, s, value, "not %s; accepted: %s to %s%s", noun, s->min, s->max, how);
	if (v < min || v > max)
		return fail_value(p, s, value, "too %s; accepted: %s to %s%s", v < min ? "small" : "large", s->min,
				  s->max, how);
	number_store(s, base, v);
	return true;
}

/* ---- texts ---- */

static bool text_store(struct parse *p, const struct setting *s, void *base, struct rp_span text)
{
	const char **at = (const char **)(void *)((char *)base + s->offset);

	if (text.len == 0) {
		*at = NULL;
		return true;
	}
	*at = keep(p, text);
	return *at != NULL;
}

/* A section names its secrets in one way; in an [endpoint] that way replaces the inherited one, whichever it was. */
static bool secret_source_choose(struct parse *p, const struct setting *s, const char *value)
{
	bool is_file = s->offset == IN_POLICY(secret_file);
	const char *other = is_file ? "secret_env" : "secret_file";
	unsigned line = line_of(p, SECTION_DEFAULTS, other);

	if (line != 0)
		return fail_value(p, s, value, "%s is set as well, on line %u; accepted: one of the two", other, line);
	if (is_file)
		p->policy->secret_env = NULL;
	else
		p->policy->secret_file = NULL;
	return true;
}

static bool set_path(struct parse *p, const struct setting *s, void *base, const char *value)
{
	if (looks_secret(value))
		return fail_value(p, s, value,
				  "the value is a secret itself; accepted: the path of a file (mode 0600) with it");
	if (base == p->config && value[0] == '\0')
		return fail_value(p, s, value, "empty; accepted: the path of a directory");
	if (base != p->config && s->offset == IN_POLICY(secret_file) && !secret_source_choose(p, s, value))
		return false;
	return text_store(p, s, base, rp_span_of(value));
}

static bool set_env(struct parse *p, const struct setting *s, void *base, const char *value)
{
	static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_0123456789";

	if (looks_secret(value) || value[strspn(value, letters)] != '\0' || (value[0] >= '0' && value[0] <= '9'))
		return fail_value(p, s, value,
				  "not the name of an environment variable; accepted: a name such as "
				  "RUNPOST_SECRET");
	return secret_source_choose(p, s, value) && text_store(p, s, base, rp_span_of(value));
}

static bool set_url(struct parse *p, const struct setting *s, void *base, const char *value)
{
	struct rp_policy *policy = base;
	struct rp_error why;
	size_t i;

	if (!text_store(p, s, base, rp_span_of(value)))
		return false;
	if (rp_url_parse(rp_span_of(policy->url), &policy->prefix, &why) != RP_OK)
		return fail_value(p, s, value, "%s", why.text);
	if (policy->prefix.has_query)
		return fail_value(p, s, value,
				  "has a query; accepted: scheme, host, port and path, the part before the '?'");
	for (i = 0; &p->config->endpoints[i] != policy; i++) {
		const struct rp_policy *other = &p->config->endpoints[i];

		if (rp_url_match_prefix(&other->prefix, &policy->prefix) != 0 &&
		    rp_url_match_prefix(&policy->prefix, &other->prefix) != 0)
			return fail_value(p, s, value,
					  "[endpoint \"%s\"] has this URL already; accepted: one section for it",
					  other->name);
	}
	return true;
}

/* The place for a header: that of an inherited one with the same name, or a new one. n_headers may be one too many. */
static size_t header_slot(const struct rp_policy *policy, struct rp_span name)
{
	size_t i;

	for (i = 0; i < policy->n_headers; i++)
		if (strncasecmp(policy->headers[i], name.ptr, name.len) == 0 && policy->headers[i][name.len] == ':')
			return i;
	return i;
}

static bool set_header(struct parse *p, const struct setting *s, void *base, const char *value)
{
	static const char accepted[] = "accepted: \"Name: value\" with a name that neither HTTP nor runpost owns";
	struct rp_policy *policy = base;
	const char *colon = strchr(value, ':'), *problem;
	char line[LINE_BYTES + 2];
	struct rp_span name, rest;
	size_t slot;

	if (colon == NULL)
		return fail_value(p, s, value, "there is no ':'; %s", accepted);
	name = trim((struct rp_span){value, (size_t)(colon - value)});
	rest = trim(rp_span_of(colon + 1));
	problem = rest.len == 0 ? "the header's value is empty" : rp_header_problem(name, rest);
	if (problem != NULL)
		return fail_value(p, s, value, "%s; %s", problem, accepted);
	slot = header_slot(policy, name);
	if (slot == RP_CONFIG_HEADERS_MAX)
		return fail_value(p, s, value, "too many headers; accepted: at most %d", RP_CONFIG_HEADERS_MAX);
	if (slot < policy->n_headers && p->header_on[slot] != 0)
		return fail_value(p, s, value, "the same header is set on line %u; accepted: each name once",
				  p->header_on[slot]);
	snprintf(line, sizeof line, "%.*s: %.*s", (int)name.len, name.ptr, (int)rest.len, rest.ptr);
	policy->headers[slot] = keep(p, rp_span_of(line));
	p->header_on[slot] = p->line;
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

static bool set_nets(struct parse *p, const struct setting *s, void *base, const char *value)
{
	struct rp_policy *policy = base;
	const char *list = value;
	char shown[SHOWN_BYTES];
	struct rp_span word = word_next(&list);

	if (word.len == 0)
		return fail_value(p, s, value, "empty; accepted: addresses or CIDRs such as 10.0.0.0/8 fd00::/8");
	for (; word.len > 0; word = word_next(&list)) {
		if (policy->n_allow == RP_ALLOW_MAX)
			return fail_value(p, s, value, "too many networks; accepted: at most %d", RP_ALLOW_MAX);
		if (!rp_cidr_parse(word, &policy->allow[policy->n_allow]))
			return fail_value(
			    p, s, value,
			    "%s is not an address, or has bits set beyond its prefix; accepted: addresses or "
			    "CIDRs such as 10.0.0.0/8 fd00::/8",
			    show(word, shown));
		policy->n_allow++;
	}
	return true;
}

static bool set_ports(struct parse *p, const struct setting *s, void *base, const char *value)
{
	struct rp_guard_policy *guard = &((struct rp_policy *)base)->guard;
	const char *list = value;
	char shown[SHOWN_BYTES];
	struct rp_span word;
	int64_t port;

	guard->n_ports = 0;
	guard->any_port = strcmp(value, "any") == 0;
	if (guard->any_port)
		return true;
	for (word = word_next(&list); word.len > 0; word = word_next(&list)) {
		if (guard->n_ports == RP_GUARD_PORTS_MAX)
			return fail_value(p, s, value, "too many ports; accepted: at most %d, or any",
					  RP_GUARD_PORTS_MAX);
		if (!count_parse(word, &port) || port < 1 || port > UINT16_MAX)
			return fail_value(p, s, value, "%s is not a port; accepted: any, or a list of 1 to 65535",
					  show(word, shown));
		guard->ports[guard->n_ports++] = (uint16_t)port;
	}
	return true;
}

static bool (*const setters[])(struct parse *p, const struct setting *s, void *base, const char *value) = {
    [KIND_DURATION] = set_number, [KIND_SIZE] = set_number, [KIND_COUNT] = set_number, [KIND_FACTOR] = set_number,
    [KIND_SWITCH] = set_number,   [KIND_PATH] = set_path,   [KIND_ENV] = set_env,      [KIND_URL] = set_url,
    [KIND_HEADER] = set_header,   [KIND_NETS] = set_nets,   [KIND_PORTS] = set_ports,
};

/* ---- keys ---- */

/* Levenshtein's distance; keys are short. */
static unsigned distance(const char *a, const char *b)
{
	unsigned row[NAME_BYTES + 1], diagonal, above;
	size_t i, j, n = strlen(b);

	assert(n <= NAME_BYTES);
	for (j = 0; j <= n; j++)
		row[j] = (unsigned)j;
	for (i = 0; a[i] != '\0'; i++) {
		diagonal = row[0];
		row[0] = (unsigned)i + 1;
		for (j = 0; j < n; j++) {
			unsigned best = diagonal + (a[i] != b[j]);

			above = row[j + 1];
			best = above + 1 < best ? above + 1 : best;
			row[j + 1] = row[j] + 1 < best ? row[j] + 1 : best;
			diagonal = above;
		}
	}
	return row[n];
}

static const char *nearest_key(enum section section, const char *name)
{
	const char *best = NULL;
	unsigned best_distance = 4; /* further away it is another word */
	size_t i;

	for (i = 0; i < N_SETTINGS; i++) {
		const char *key = settings[i].info.name;
		unsigned d = distance(name, key);

		if (setting_find(section, key) == &settings[i] && d < best_distance && d < strlen(key)) {
			best = key;
			best_distance = d;
		}
	}
	return best;
}

static bool fail_unknown_key(struct parse *p, const char *name)
{
	char section[NAME_BYTES + 16], keys[MESSAGE_BYTES] = "";
	const char *near;
	size_t i, len = 0;

	label(p, section);
	/* What is no key at all may be the second line of a secret. */
	if (strlen(name) > 24 || name[strspn(name, "abcdefghijklmnopqrstuvwxyz_-")] != '\0')
		return fail_at(p, p->line,
			       "%s: there is something else than a key before the '='; accepted: key = value", section);
	for (i = SECTION_OUTBOX; i <= SECTION_ENDPOINT; i++)
		if (setting_find((enum section)i, name) != NULL)
			return fail_at(p, p->line, "%s %s: not a key of this section; accepted: in [%s%s]", section,
				       name, section_names[i], i == SECTION_ENDPOINT ? " \"NAME\"" : "");
	near = nearest_key(p->section, name);
	if (near != NULL)
		return fail_at(p, p->line, "%s %s: unknown key; did you mean %s?", section, name, near);
	for (i = 0; i < N_SETTINGS; i++)
		if (setting_find(p->section, settings[i].info.name) == &settings[i])
			len += (size_t)snprintf(keys + len, sizeof keys - len, " %s", settings[i].info.name);
	assert(len < sizeof keys);
	return fail_at(p, p->line, "%s %s: unknown key; accepted:%s", section, name, keys);
}

static bool value_check(struct parse *p, const struct setting *s, const char *value)
{
	const char *c;

	for (c = value; *c != '\0'; c++) {
		if (((unsigned char)*c < 0x20 && *c != '\t') || *c == 0x7f)
			return fail_value(p, s, value, "contains a control byte; accepted: text");
		if (c > value && (c[-1] == ' ' || c[-1] == '\t') &&
		    (*c == ';' || (*c == '#' && s->kind != KIND_HEADER)))
			return fail_value(
			    p, s, value,
			    "'%c' after a space looks like a comment; accepted: comments on lines of their own", *c);
	}
	return true;
}

static bool pair_take(struct parse *p, const char *name, const char *value)
{
	char section[NAME_BYTES + 16];
	const struct setting *s;
	unsigned *set_on;

	if (p->section == SECTION_NONE)
		return fail_at(p, p->line, "there is a key before the first section; accepted: " SECTIONS_TEXT);
	s = setting_find(p->section, name);
	if (s == NULL)
		return fail_unknown_key(p, name);
	set_on = &p->set_on[s - settings];
	if (*set_on != 0 && s->kind != KIND_HEADER && s->kind != KIND_NETS)
		return fail_at(p, p->line, "%s %s: set on line %u already; accepted: once in a section",
			       label(p, section), name, *set_on);
	if (!value_check(p, s, value) ||
	    !setters[s->kind](p, s, p->policy != NULL ? (void *)p->policy : (void *)p->config, value))
		return false;
	*set_on = p->line;
	return true;
}

/* ---- sections ---- */

static bool lease_check(struct parse *p, const struct rp_policy *policy, unsigned line)
{
	char timeout[RP_DURATION_TEXT_MAX], lease[RP_DURATION_TEXT_MAX], section[NAME_BYTES + 16];

	if (p->config->lease_ms > policy->timeout_ms + LEASE_MARGIN_MS)
		return true;
	return fail_at(p, line,
		       "%s timeout = %s: too long for [sender] lease = %s; accepted: a lease of more than timeout + 2s",
		       p->section == SECTION_ENDPOINT ? label(p, section) : "[defaults]",
		       rp_duration_format(policy->timeout_ms, timeout), rp_duration_format(p->config->lease_ms, lease));
}

static unsigned later(unsigned a, unsigned b)
{
	return a > b ? a : b;
}

/* What must fit together, once everything but the endpoints is known. */
static bool globals_check(struct parse *p)
{
	const struct rp_config *c = p->config;

	if (c->quota_bytes + MAP_MARGIN_BYTES > c->map_bytes)
		return fail_at(
		    p, later(line_of(p, SECTION_OUTBOX, "quota"), line_of(p, SECTION_OUTBOX, "map_size")),
		    "[outbox] quota = %lluM: too large for map_size = %lluM; accepted: at most map_size - 256M",
		    (unsigned long long)(c->quota_bytes >> 20), (unsigned long long)(c->map_bytes >> 20));
	return lease_check(p, &c->defaults,
			   later(line_of(p, SECTION_SENDER, "lease"), line_of(p, SECTION_DEFAULTS, "timeout")));
}

static bool section_close(struct parse *p)
{
	unsigned timeout_line;

	if (p->section != SECTION_ENDPOINT)
		return true;
	if (p->policy->url == NULL)
		return fail_at(p, p->section_line,
			       "[endpoint \"%s\"]: url is missing; accepted: url = https://HOST/PATH", p->policy->name);
	timeout_line = line_of(p, SECTION_ENDPOINT, "timeout");
	return timeout_line == 0 || lease_check(p, p->policy, timeout_line);
}

static bool endpoint_open(struct parse *p, struct rp_span name)
{
	struct rp_config *c = p->config;
	struct rp_policy *policies;
	char shown[SHOWN_BYTES];
	size_t i;

	for (i = 0; i < c->n_endpoints; i++)
		if (rp_span_is(name, c->endpoints[i].name))
			return fail_at(p, p->line,
				       "[endpoint \"%s\"]: there is a section of this name already; accepted: one each",
				       show(name, shown));
	policies = reallocarray(c->endpoints, c->n_endpoints + 1, sizeof *policies);
	if (policies == NULL) {
		p->code = rp_fail(p->err, RP_ERR_NOMEM, "%s:%u: out of memory", p->file, p->line);
		return false;
	}
	c->endpoints = policies;
	p->policy = &policies[c->n_endpoints];
	*p->policy = c->defaults;
	p->policy->name = keep(p, name);
	if (p->policy->name == NULL)
		return false;
	c->n_endpoints++;
	p->section = SECTION_ENDPOINT;
	memset(p->set_on, 0, sizeof p->set_on);
	memset(p->header_on, 0, sizeof p->header_on);
	return true;
}

/* The NAME of endpoint "NAME". */
static bool endpoint_name(struct rp_span inner, struct rp_span *name)
{
	static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";
	size_t i;

	if (inner.len < strlen("endpoint") || memcmp(inner.ptr, "endpoint", strlen("endpoint")) != 0)
		return false;
	inner.ptr += strlen("endpoint");
	inner.len -= strlen("endpoint");
	inner = trim(inner);
	if (inner.len < 3 || inner.len > NAME_BYTES + 1 || inner.ptr[0] != '"' || inner.ptr[inner.len - 1] != '"')
		return false;
	name->ptr = inner.ptr + 1;
	name->len = inner.len - 2;
	for (i = 0; i < name->len; i++)
		if (memchr(letters, name->ptr[i], sizeof letters - 1) == NULL)
			return false;
	return true;
}

/* Sections are read here: inih cuts their names at 49 bytes and tells nobody of a section without keys. */
static bool section_open(struct parse *p, struct rp_span line)
{
	const char *end = memchr(line.ptr, ']', line.len);
	struct rp_span inner, tail, name;
	char shown[SHOWN_BYTES];
	enum section section;

	if (!section_close(p))
		return false;
	if (end == NULL)
		return fail_at(p, p->line, "the section's ']' is missing; accepted: " SECTIONS_TEXT);
	inner = trim((struct rp_span){line.ptr + 1, (size_t)(end - line.ptr) - 1});
	tail = trim((struct rp_span){end + 1, line.len - (size_t)(end - line.ptr) - 1});
	if (tail.len > 0 && tail.ptr[0] != ';' && tail.ptr[0] != '#')
		return fail_at(p, p->line,
			       "there is something after the section's ']'; accepted: keys on lines of their own");
	p->section_line = p->line;
	p->policy = NULL;
	p->section = SECTION_OTHER;
	if (endpoint_name(inner, &name))
		return !p->endpoints_pass || endpoint_open(p, name);
	for (section = SECTION_OUTBOX; section <= SECTION_DEFAULTS; section++)
		if (rp_span_is(inner, section_names[section]))
			break;
	if (section > SECTION_DEFAULTS)
		return fail_at(p, p->line,
			       "[%s]: unknown section; accepted: " SECTIONS_TEXT ", NAME of letters, digits, . _ -",
			       show(inner, shown));
	if (!p->endpoints_pass) {
		p->section = section;
		p->policy = section == SECTION_DEFAULTS ? &p->config->defaults : NULL;
	}
	return true;
}

/* ---- lines ---- */

static struct rp_span line_cut(struct rp_span *rest)
{
	const char *lf = memchr(rest->ptr, '\n', rest->len);
	struct rp_span line = {rest->ptr, lf != NULL ? (size_t)(lf - rest->ptr) : rest->len};
	size_t used = line.len + (lf != NULL);

	rest->ptr += used;
	rest->len -= used;
	return line;
}

/* A line that inih would misread without a word is an error here: too long, NUL inside, ':' for '='. */
static bool line_check(struct parse *p, struct rp_span line, size_t size)
{
	size_t i;

	if (line.len >= size)
		return fail_at(p, p->line, "the line is %zu bytes long; accepted: lines of up to %zu bytes", line.len,
			       size - 1);
	if (memchr(line.ptr, '\0', line.len) != NULL)
		return fail_at(p, p->line, "the line contains a NUL byte; accepted: UTF-8 text");
	if (line.len == 0 || line.ptr[0] == ';' || line.ptr[0] == '#')
		return true;
	if (line.ptr[0] == '[')
		return section_open(p, line);
	for (i = 0; i < line.len && line.ptr[i] != '=' && line.ptr[i] != ':'; i++)
		;
	if (i == 0 || i == line.len || line.ptr[i] != '=')
		return fail_at(p, p->line,
			       "there is no '=' after a key; accepted: key = value, [section], or a comment after #");
	return true;
}

/* Leading space is cut off, since inih would take an indented line as more of the value above. */
static char *line_next(char *out, int size, void *user)
{
	struct parse *p = user;
	struct rp_span line;

	if (p->code != RP_OK || p->rest.len == 0)
		return NULL;
	line = trim(line_cut(&p->rest));
	p->line++;
	if (!line_check(p, line, (size_t)size))
		return NULL;
	memcpy(out, line.ptr, line.len);
	out[line.len] = '\0';
	return out;
}

#if INI_HANDLER_LINENO
static int pair_next(void *user, const char *section, const char *name, const char *value, int line)
#else
static int pair_next(void *user, const char *section, const char *name, const char *value)
#endif
{
	struct parse *p = user;

	(void)section;
#if INI_HANDLER_LINENO
	(void)line;
#endif
	return p->section == SECTION_OTHER || pair_take(p, name, value);
}

static enum rp_err pass(struct parse *p, struct rp_span text, bool endpoints_pass)
{
	int bad_line;

	p->rest = text;
	p->line = 0;
	p->endpoints_pass = endpoints_pass;
	p->section = SECTION_NONE;
	p->policy = NULL;
	bad_line = ini_parse_stream(line_next, p, pair_next, p);
	if (p->code == RP_OK && bad_line < 0)
		p->code = rp_fail(p->err, RP_ERR_NOMEM, "%s: out of memory", p->file);
	assert(p->code != RP_OK || bad_line == 0);
	return p->code;
}

static void policy_settle(struct rp_policy *policy)
{
	policy->guard.allow = policy->allow;
	policy->guard.n_allow = policy->n_allow;
}

/* ---- the header's functions ---- */

void rp_config_init(struct rp_config *config)
{
	size_t i;

	memset(config, 0, sizeof *config);
	for (i = 0; i < N_SETTINGS; i++) {
		const struct setting *s = &settings[i];
		bool of_policy = strcmp(s->info.section, section_names[SECTION_DEFAULTS]) == 0, known;
		int64_t v = 0;

		if (s->kind > KIND_SWITCH)
			continue;
		known = number_parse(s, s->info.default_text, &v);
		assert(known);
		(void)known;
		number_store(s, of_policy ? (void *)&config->defaults : (void *)config, v);
	}
	config->outbox_dir = setting_find(SECTION_OUTBOX, "dir")->info.default_text;
	config->defaults.name = section_names[SECTION_DEFAULTS];
	policy_settle(&config->defaults);
}

void rp_config_release(struct rp_config *config)
{
	struct string *s = config->owned, *next;

	for (; s != NULL; s = next) {
		next = s->next;
		free(s);
	}
	free(config->endpoints);
	memset(config, 0, sizeof *config);
}

static void config_reset(struct rp_config *config)
{
	rp_config_release(config);
	rp_config_init(config);
}

enum rp_err rp_config_parse(struct rp_config *config, const char *file, struct rp_span text, struct rp_error *err)
{
	struct parse p = {.config = config, .file = file, .err = err};
	size_t i;

	if (text.len >= 3 && memcmp(text.ptr, "\xef\xbb\xbf", 3) == 0) {
		text.ptr += 3;
		text.len -= 3;
	}
	config_reset(config);
	ini_max_line = LINE_BYTES;
	ini_allow_inline_comments = false;
	if (pass(&p, text, false) != RP_OK || !globals_check(&p) || pass(&p, text, true) != RP_OK ||
	    !section_close(&p)) {
		config_reset(config);
		return p.code;
	}
	policy_settle(&config->defaults);
	for (i = 0; i < config->n_endpoints; i++)
		policy_settle(&config->endpoints[i]);
	return RP_OK;
}

const struct rp_policy *rp_config_policy(const struct rp_config *config, const struct rp_url *url)
{
	const struct rp_policy *best = &config->defaults;
	size_t i, n, best_n = 0;

	for (i = 0; i < config->n_endpoints; i++) {
		n = rp_url_match_prefix(&config->endpoints[i].prefix, url);
		if (n > best_n) {
			best = &config->endpoints[i];
			best_n = n;
		}
	}
	return best;
}

const struct rp_setting_info *rp_config_setting(size_t i)
{
	return i < N_SETTINGS ? &settings[i].info : NULL;
}
