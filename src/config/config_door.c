/* config_door.c - takes the lists of [door] and [ui], and complains of what does not fit together.
 * It is apart because a server is judged by all of its sections. */

#include "config/config_door.h"

#include <stdio.h>
#include <strings.h>

#include "base/assert.h"
#include "config/config_error.h"
#include "text/ascii.h"

#define USER_NAME_MAX 64
#define HOST_NAME_MAX_BYTES 260 /* with a port */
#define SELF "self"

void rp_config_init_door(struct rp_door_config *door)
{
	const char *problem =
	    rp_listen_address_parse(rp_span_of(RP_DOOR_LISTEN_DEFAULT), &door->listen.at[0]);

	assert(problem == NULL);
	(void)problem;
	door->listen.n = 1;
	door->users.at[0] = SELF;
	door->users.n = 1;
}

/* Cuts the next word off; len 0 after the last. */
static struct rp_span word_next(const char **list)
{
	struct rp_span word;

	*list += strspn(*list, " \t,;");
	word.ptr = *list;
	word.len = strcspn(*list, " \t,;");
	*list += word.len;
	return word;
}

/* The first line of a section replaces the default. */
static bool is_first(const struct rp_config_parser *p, const struct rp_setting *s)
{
	return p->set_on[rp_setting_index(s)] == 0;
}

/* ---- listen ---- */

static bool listen_add(struct rp_config_parser *p, const struct rp_setting *s,
		       struct rp_listen *listen, struct rp_span word, const char *value)
{
	char shown[RP_CONFIG_SHOWN_BYTES];
	struct rp_listen_address *at;
	const char *problem;

	if (listen->n == RP_LISTEN_MAX)
		return rp_config_fail_value(p, s, value, "too many addresses; accepted: at most %d",
					    RP_LISTEN_MAX);
	at = &listen->at[listen->n];
	problem = rp_listen_address_parse(word, at);
	if (problem != NULL)
		return rp_config_fail_value(p, s, value, "%s: %s; " RP_LISTEN_ACCEPTED,
					    rp_config_show(word, shown), problem);
	if (p->section == RP_SECTION_UI && !rp_listen_address_is_local(at))
		return rp_config_fail_value(
		    p, s, value,
		    "%s can be reached from other machines, and there is no login; accepted: "
		    "127.0.0.1:PORT, [::1]:PORT or unix:/PATH",
		    rp_config_show(word, shown));
	listen->line[listen->n++] = p->line;
	return true;
}

bool rp_config_set_listen(struct rp_config_parser *p, const struct rp_setting *s, void *base,
			  const char *value)
{
	struct rp_listen *listen = (struct rp_listen *)(void *)((char *)base + s->offset);
	const char *list = value;
	struct rp_span word = word_next(&list);

	if (is_first(p, s))
		listen->n = 0;
	if (word.len == 0 && (p->section != RP_SECTION_UI || listen->n > 0))
		return rp_config_fail_value(p, s, value, "empty; " RP_LISTEN_ACCEPTED);
	for (; word.len > 0; word = word_next(&list))
		if (!listen_add(p, s, listen, word, value))
			return false;
	return true;
}

/* ---- names ---- */

static bool name_add(struct rp_config_parser *p, const struct rp_setting *s,
		     struct rp_door_names *names, struct rp_span word, const char *value)
{
	size_t i;

	for (i = 0; i < names->n; i++)
		if (rp_span_is(word, names->at[i]))
			return true;
	if (names->n == RP_DOOR_NAMES_MAX)
		return rp_config_fail_value(p, s, value, "too many; accepted: at most %d",
					    RP_DOOR_NAMES_MAX);
	names->at[names->n] = rp_config_copy(p, word);
	if (names->at[names->n] == NULL)
		return false;
	names->line[names->n++] = p->line;
	return true;
}

static bool is_user(struct rp_span word)
{
	size_t i, digits = 0;
	uint64_t v = 0;

	for (i = 0; i < word.len; i++) {
		if ((unsigned char)word.ptr[i] <= 0x20 || strchr("/:\\\"'", word.ptr[i]) != NULL)
			return false;
		if (word.ptr[i] >= '0' && word.ptr[i] <= '9' && digits++ < 12)
			v = v * 10 + (uint64_t)(word.ptr[i] - '0');
	}
	/* the greatest number stands for no user */
	return word.len <= USER_NAME_MAX && (digits < word.len || v < UINT32_MAX);
}

bool rp_config_set_users(struct rp_config_parser *p, const struct rp_setting *s, void *base,
			 const char *value)
{
	static const char accepted[] =
	    "accepted: names or numbers of users such as langgraph or 1000, self, or none alone";
	struct rp_door_names *names = (struct rp_door_names *)(void *)((char *)base + s->offset);
	char shown[RP_CONFIG_SHOWN_BYTES];
	bool first = is_first(p, s);
	const char *list = value;
	struct rp_span word = word_next(&list);

	if (first)
		names->n = 0;
	if (word.len == 0)
		return rp_config_fail_value(p, s, value, "empty; %s", accepted);
	if (strcmp(value, "none") == 0 && first)
		return true;
	if (!first && names->n == 0)
		return rp_config_fail_value(p, s, value, "none is set on line %u; %s",
					    p->set_on[rp_setting_index(s)], accepted);
	for (; word.len > 0; word = word_next(&list)) {
		if (!is_user(word) || rp_span_is(word, "none"))
			return rp_config_fail_value(p, s, value, "%s is not a user; %s",
						    rp_config_show(word, shown), accepted);
		if (!name_add(p, s, names, word, value))
			return false;
	}
	return true;
}

/* "name", "name:port": what may stand between the scheme and the path of a URL. */
static bool is_host(struct rp_span word, char lower[HOST_NAME_MAX_BYTES])
{
	char text[HOST_NAME_MAX_BYTES + 16];
	struct rp_url url;
	size_t i;

	if (word.len >= HOST_NAME_MAX_BYTES)
		return false;
	for (i = 0; i < word.len; i++)
		lower[i] = rp_char_lower(word.ptr[i]);
	lower[word.len] = '\0';
	snprintf(text, sizeof text, "http://%s/", lower);
	return rp_url_parse(rp_span_of(text), &url, NULL) == RP_OK && url.path.len == 1 &&
	       !url.has_query;
}

bool rp_config_set_hosts(struct rp_config_parser *p, const struct rp_setting *s, void *base,
			 const char *value)
{
	struct rp_door_names *names = (struct rp_door_names *)(void *)((char *)base + s->offset);
	char shown[RP_CONFIG_SHOWN_BYTES], lower[HOST_NAME_MAX_BYTES];
	const char *list = value;
	struct rp_span word;

	if (is_first(p, s))
		names->n = 0;
	for (word = word_next(&list); word.len > 0; word = word_next(&list)) {
		if (!is_host(word, lower))
			return rp_config_fail_value(p, s, value,
						    "%s is not a host name; accepted: names such "
						    "as door.internal or door.internal:8484",
						    rp_config_show(word, shown));
		if (!name_add(p, s, names, rp_span_of(lower), value))
			return false;
	}
	return true;
}

/* ---- the file as a whole ---- */

bool rp_config_check_door(struct rp_config_parser *p)
{
	(void)p;
	return true;
}

bool rp_config_is_door(const struct rp_config *config, const struct rp_url *url)
{
	(void)config;
	(void)url;
	return false;
}
