/* config_error.c - words what is wrong with a configuration. It is apart because it must never
 * repeat a value that could be a secret. */

#include "config/config_error.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/assert.h"

#define MESSAGE_BYTES 480

const char *rp_config_show(struct rp_span s, char out[RP_CONFIG_SHOWN_BYTES])
{
	size_t i, n = s.len < RP_CONFIG_SHOWN_BYTES ? s.len : RP_CONFIG_SHOWN_BYTES - 4;

	for (i = 0; i < n; i++)
		out[i] = s.ptr[i] >= 0x20 && s.ptr[i] < 0x7f ? s.ptr[i] : '?';
	memcpy(out + n, n < s.len ? "..." : "", n < s.len ? 4 : 1);
	return out;
}

const char *rp_config_label_of(const struct rp_policy *policy, char out[RP_CONFIG_LABEL_BYTES])
{
	if (policy->url == NULL)
		snprintf(out, RP_CONFIG_LABEL_BYTES, "[%s]", policy->name);
	else
		snprintf(out, RP_CONFIG_LABEL_BYTES, "[endpoint \"%s\"]", policy->name);
	return out;
}

const char *rp_config_label(const struct rp_config_parser *p, char out[RP_CONFIG_LABEL_BYTES])
{
	if (p->section == RP_SECTION_ENDPOINT)
		snprintf(out, RP_CONFIG_LABEL_BYTES, "[endpoint \"%s\"]", p->policy->name);
	else
		snprintf(out, RP_CONFIG_LABEL_BYTES, "[%s]", rp_section_names[p->section]);
	return out;
}

static bool has_prefix(const char *text, const char *prefix)
{
	return strncmp(text, prefix, strlen(prefix)) == 0;
}

bool rp_config_looks_secret(const char *value)
{
	return has_prefix(value, "whsec_") || has_prefix(value, "whsk_");
}

/* Values that hold secrets, or would if somebody mistook one key for another, are never
 * repeated. */
static bool value_may_be_shown(const struct rp_setting *s, const char *value)
{
	return s->kind != RP_KIND_HEADER && s->kind != RP_KIND_ENV &&
	       s->kind != RP_KIND_CREDENTIAL && s->kind != RP_KIND_URL &&
	       s->kind != RP_KIND_DATABASE && !rp_config_looks_secret(value) &&
	       strstr(value, "://") == NULL;
}

bool rp_config_fail_at(struct rp_config_parser *p, unsigned line, const char *fmt, ...)
{
	char message[MESSAGE_BYTES];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(message, sizeof message, fmt, ap);
	va_end(ap);
	p->code = rp_fail(p->err, RP_ERR_INVAL, "%s:%u: %s", p->file, line, message);
	return false;
}

bool rp_config_fail_value(struct rp_config_parser *p, const struct rp_setting *s, const char *value,
			  const char *fmt, ...)
{
	char section[RP_CONFIG_LABEL_BYTES], shown[RP_CONFIG_SHOWN_BYTES], message[MESSAGE_BYTES];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(message, sizeof message, fmt, ap);
	va_end(ap);
	if (value_may_be_shown(s, value))
		return rp_config_fail_at(p, p->line, "%s %s = %s: %s", rp_config_label(p, section),
					 s->info.name, rp_config_show(rp_span_of(value), shown),
					 message);
	return rp_config_fail_at(p, p->line, "%s %s: %s", rp_config_label(p, section), s->info.name,
				 message);
}

/* What [defaults] does not know is rather meant for an [endpoint] than for another section. */
static size_t first_section(const struct rp_config_parser *p)
{
	return p->section == RP_SECTION_DEFAULTS ? RP_SECTION_ENDPOINT : RP_SECTION_OUTBOX;
}

bool rp_config_fail_unknown_key(struct rp_config_parser *p, const char *name)
{
	char section[RP_CONFIG_LABEL_BYTES], keys[MESSAGE_BYTES] = "";
	const struct rp_setting *s;
	const char *near;
	size_t i, len = 0;

	rp_config_label(p, section);
	/* What is no key at all may be the second line of a secret. */
	if (strlen(name) > 24 || name[strspn(name, "abcdefghijklmnopqrstuvwxyz_-")] != '\0')
		return rp_config_fail_at(
		    p, p->line,
		    "%s: there is something else than a key before the '='; accepted: key = value",
		    section);
	for (i = first_section(p); i <= RP_SECTION_ENDPOINT; i++)
		if (rp_setting_find((enum rp_section)i, name) != NULL)
			return rp_config_fail_at(
			    p, p->line, "%s %s: not a key of this section; accepted: in [%s%s]",
			    section, name, rp_section_names[i],
			    i == RP_SECTION_ENDPOINT ? " \"NAME\"" : "");
	near = rp_setting_nearest(p->section, name);
	if (near != NULL)
		return rp_config_fail_at(p, p->line, "%s %s: unknown key; did you mean %s?",
					 section, name, near);
	for (i = 0; (s = rp_setting_at(i)) != NULL; i++)
		if (rp_setting_find(p->section, s->info.name) == s)
			len += (size_t)snprintf(keys + len, sizeof keys - len, " %s", s->info.name);
	assert(len < sizeof keys);
	return rp_config_fail_at(p, p->line, "%s %s: unknown key; accepted:%s", section, name,
				 keys);
}

bool rp_config_fail_memory(struct rp_config_parser *p)
{
	p->code = rp_fail(p->err, RP_ERR_NOMEM, "%s:%u: out of memory", p->file, p->line);
	return false;
}
