/* config_file.c - reads the lines and sections of a file through inih. It finds the setting;
 * config_value.c takes the value. */

#include "config/config_file.h"

#include <ini.h>
#include <stdlib.h>

#include "base/assert.h"
#include "base/units.h"
#include "config/config_door.h"
#include "config/config_error.h"
#include "config/config_host.h"
#include "config/config_value.h"

#define LEASE_MARGIN_MS 2000 /* to write down an answer that came at the last moment */
#define MAP_MARGIN_BYTES ((uint64_t)256 << 20) /* free pages and indexes beside the quota */
#define SECTIONS_TEXT "[outbox], [ingest], [sender], [door], [ui], [defaults], [endpoint \"NAME\"]"

/* ---- keys ---- */

static bool pair_take(struct rp_config_parser *p, const char *name, const char *value)
{
	char section[RP_CONFIG_LABEL_BYTES];
	const struct rp_setting *s;
	unsigned *set_on;

	if (p->section == RP_SECTION_NONE)
		return rp_config_fail_at(
		    p, p->line,
		    "there is a key before the first section; accepted: " SECTIONS_TEXT);
	s = rp_setting_find(p->section, name);
	if (s == NULL)
		return rp_config_fail_unknown_key(p, name);
	set_on = &p->set_on[rp_setting_index(s)];
	if (*set_on != 0 && !rp_setting_may_repeat(s))
		return rp_config_fail_at(
		    p, p->line, "%s %s: set on line %u already; accepted: once in a section",
		    rp_config_label(p, section), name, *set_on);
	if (!rp_setting_assign(p, s, value))
		return false;
	*set_on = p->line;
	(p->policy != NULL ? p->policy->line_of : p->config->line_of)[rp_setting_index(s)] =
	    p->line;
	return true;
}

/* ---- sections ---- */

static bool lease_check(struct rp_config_parser *p, const struct rp_policy *policy, unsigned line)
{
	char timeout[RP_DURATION_TEXT_MAX], lease[RP_DURATION_TEXT_MAX],
	    section[RP_CONFIG_LABEL_BYTES];

	if (p->config->lease_ms > policy->timeout_ms + LEASE_MARGIN_MS)
		return true;
	return rp_config_fail_at(p, line,
				 "%s timeout = %s: too long for [sender] lease = %s; accepted: a "
				 "lease of more than timeout + 2s",
				 p->section == RP_SECTION_ENDPOINT ? rp_config_label(p, section)
								   : "[defaults]",
				 rp_duration_format(policy->timeout_ms, timeout),
				 rp_duration_format(p->config->lease_ms, lease));
}

static unsigned later(unsigned a, unsigned b)
{
	return a > b ? a : b;
}

/* What must fit together, once everything but the endpoints is known. */
static bool globals_check(struct rp_config_parser *p)
{
	const struct rp_config *c = p->config;

	if (c->quota_bytes + MAP_MARGIN_BYTES > c->map_bytes)
		return rp_config_fail_at(p,
					 later(rp_config_line_of(p, RP_SECTION_OUTBOX, "quota"),
					       rp_config_line_of(p, RP_SECTION_OUTBOX, "map_size")),
					 "[outbox] quota = %lluM: too large for map_size = %lluM; "
					 "accepted: at most map_size - 256M",
					 (unsigned long long)(c->quota_bytes >> 20),
					 (unsigned long long)(c->map_bytes >> 20));
	return lease_check(p, &c->defaults,
			   later(rp_config_line_of(p, RP_SECTION_SENDER, "lease"),
				 rp_config_line_of(p, RP_SECTION_DEFAULTS, "timeout")));
}

static bool section_close(struct rp_config_parser *p)
{
	unsigned timeout_line;

	if (p->section != RP_SECTION_ENDPOINT)
		return true;
	if (p->policy->url == NULL)
		return rp_config_fail_at(
		    p, p->section_line,
		    "[endpoint \"%s\"]: url is missing; accepted: url = https://HOST/PATH",
		    p->policy->name);
	timeout_line = rp_config_line_of(p, RP_SECTION_ENDPOINT, "timeout");
	return timeout_line == 0 || lease_check(p, p->policy, timeout_line);
}

static bool endpoint_open(struct rp_config_parser *p, struct rp_span name)
{
	struct rp_config *c = p->config;
	struct rp_policy *policies;
	char shown[RP_CONFIG_SHOWN_BYTES];
	size_t i;

	for (i = 0; i < c->n_endpoints; i++)
		if (rp_span_is(name, c->endpoints[i].name))
			return rp_config_fail_at(p, p->line,
						 "[endpoint \"%s\"]: there is a section of this "
						 "name already; accepted: one each",
						 rp_config_show(name, shown));
	policies = reallocarray(c->endpoints, c->n_endpoints + 1, sizeof *policies);
	if (policies == NULL)
		return rp_config_fail_memory(p);
	c->endpoints = policies;
	p->policy = &policies[c->n_endpoints];
	*p->policy = c->defaults;
	p->policy->name = rp_config_copy(p, name);
	if (p->policy->name == NULL)
		return false;
	c->n_endpoints++;
	p->policy->section_line = p->line;
	p->section = RP_SECTION_ENDPOINT;
	memset(p->set_on, 0, sizeof p->set_on);
	memset(p->header_on, 0, sizeof p->header_on);
	return true;
}

/* The NAME of endpoint "NAME". */
static bool endpoint_name(struct rp_span inner, struct rp_span *name)
{
	static const char letters[] =
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";
	size_t i;

	if (inner.len < strlen("endpoint") ||
	    memcmp(inner.ptr, "endpoint", strlen("endpoint")) != 0)
		return false;
	inner.ptr += strlen("endpoint");
	inner.len -= strlen("endpoint");
	inner = rp_config_trim(inner);
	if (inner.len < 3 || inner.len > RP_CONFIG_NAME_BYTES + 1 || inner.ptr[0] != '"' ||
	    inner.ptr[inner.len - 1] != '"')
		return false;
	name->ptr = inner.ptr + 1;
	name->len = inner.len - 2;
	for (i = 0; i < name->len; i++)
		if (memchr(letters, name->ptr[i], sizeof letters - 1) == NULL)
			return false;
	return true;
}

/* Sections are read here: inih cuts their names at 49 bytes and tells nobody of a section without
 * keys. */
static bool section_open(struct rp_config_parser *p, struct rp_span line)
{
	const char *end = memchr(line.ptr, ']', line.len);
	struct rp_span inner, tail, name;
	char shown[RP_CONFIG_SHOWN_BYTES];
	enum rp_section section;

	if (!section_close(p))
		return false;
	if (end == NULL)
		return rp_config_fail_at(p, p->line,
					 "the section's ']' is missing; accepted: " SECTIONS_TEXT);
	inner = rp_config_trim((struct rp_span){line.ptr + 1, (size_t)(end - line.ptr) - 1});
	tail = rp_config_trim((struct rp_span){end + 1, line.len - (size_t)(end - line.ptr) - 1});
	if (tail.len > 0 && tail.ptr[0] != ';' && tail.ptr[0] != '#')
		return rp_config_fail_at(p, p->line,
					 "there is something after the section's ']'; accepted: "
					 "keys on lines of their own");
	p->section_line = p->line;
	p->policy = NULL;
	p->section = RP_SECTION_OTHER;
	if (endpoint_name(inner, &name))
		return !p->endpoints_pass || endpoint_open(p, name);
	for (section = RP_SECTION_OUTBOX; section <= RP_SECTION_DEFAULTS; section++)
		if (rp_span_is(inner, rp_section_names[section]))
			break;
	if (section > RP_SECTION_DEFAULTS)
		return rp_config_fail_at(p, p->line,
					 "[%s]: unknown section; accepted: " SECTIONS_TEXT
					 ", NAME of letters, digits, . _ -",
					 rp_config_show(inner, shown));
	if (!p->endpoints_pass) {
		p->section = section;
		p->policy = section == RP_SECTION_DEFAULTS ? &p->config->defaults : NULL;
		if (p->policy != NULL && p->policy->section_line == 0)
			p->policy->section_line = p->line;
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

/* A line that inih would misread without a word is an error here: too long, NUL inside, ':' for
 * '='. */
static bool line_check(struct rp_config_parser *p, struct rp_span line, size_t size)
{
	size_t i;

	if (line.len >= size)
		return rp_config_fail_at(
		    p, p->line, "the line is %zu bytes long; accepted: lines of up to %zu bytes",
		    line.len, size - 1);
	if (memchr(line.ptr, '\0', line.len) != NULL)
		return rp_config_fail_at(p, p->line,
					 "the line contains a NUL byte; accepted: UTF-8 text");
	if (line.len == 0 || line.ptr[0] == ';' || line.ptr[0] == '#')
		return true;
	if (line.ptr[0] == '[')
		return section_open(p, line);
	for (i = 0; i < line.len && line.ptr[i] != '=' && line.ptr[i] != ':'; i++)
		;
	if (i == 0 || i == line.len || line.ptr[i] != '=')
		return rp_config_fail_at(p, p->line,
					 "there is no '=' after a key; accepted: key = value, "
					 "[section], or a comment after #");
	return true;
}

/* Leading space is cut off, since inih would take an indented line as more of the value above. */
static char *line_next(char *out, int size, void *user)
{
	struct rp_config_parser *p = user;
	struct rp_span line;

	if (p->code != RP_OK || p->rest.len == 0)
		return NULL;
	line = rp_config_trim(line_cut(&p->rest));
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
	struct rp_config_parser *p = user;

	(void)section;
#if INI_HANDLER_LINENO
	(void)line;
#endif
	return p->section == RP_SECTION_OTHER || pair_take(p, name, value);
}

static enum rp_err pass(struct rp_config_parser *p, struct rp_span text, bool endpoints_pass)
{
	int bad_line;

	p->rest = text;
	p->line = 0;
	p->endpoints_pass = endpoints_pass;
	p->section = RP_SECTION_NONE;
	p->policy = NULL;
	bad_line = ini_parse_stream(line_next, p, pair_next, p);
	if (p->code == RP_OK && bad_line < 0)
		p->code = rp_fail(p->err, RP_ERR_NOMEM, "%s: out of memory", p->file);
	assert(p->code != RP_OK || bad_line == 0);
	return p->code;
}

enum rp_err rp_config_read(struct rp_config_parser *p, struct rp_span text)
{
	ini_max_line = RP_CONFIG_LINE_BYTES;
	ini_allow_inline_comments = false;
	if (pass(p, text, false) == RP_OK && globals_check(p) && pass(p, text, true) == RP_OK &&
	    section_close(p) && rp_config_check_hosts(p))
		rp_config_check_door(p);
	return p->code;
}
