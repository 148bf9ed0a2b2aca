/* config_door.c - takes the lists of [door] and [ui], and complains of what does not fit together.
 * It is apart because a server is judged by all of its sections. */

#include "config/config_door.h"

#include <stdio.h>

#include "base/assert.h"
#include "config/config_error.h"
#include "text/ascii.h"

#define USER_NAME_MAX 64
#define UID_DIGITS_MAX 10
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

/* What else a name may have, the system knows. */
static bool is_user(struct rp_span word)
{
	size_t i, digits = 0;
	uint64_t v = 0;

	for (i = 0; i < word.len; i++) {
		if (word.ptr[i] <= ' ' || word.ptr[i] > '~' ||
		    rp_char_is_one_of(word.ptr[i], "/:#\"'"))
			return false;
		if (rp_char_is_digit(word.ptr[i]) && digits++ < UID_DIGITS_MAX)
			v = v * 10 + (uint64_t)(word.ptr[i] - '0');
	}
	/* the greatest number stands for no user */
	return word.len <= USER_NAME_MAX &&
	       (digits < word.len || (digits <= UID_DIGITS_MAX && v < UINT32_MAX));
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

static unsigned line_of(const struct rp_config *config, enum rp_section section, const char *name)
{
	return config->line_of[rp_setting_index(rp_setting_find(section, name))];
}

/* Of the first n addresses the one that excludes `address`; n: none does. */
static size_t collision(const struct rp_listen *listen, size_t n,
			const struct rp_listen_address *address)
{
	size_t i = 0;

	while (i < n && !rp_listen_address_collides(&listen->at[i], address))
		i++;
	return i;
}

static bool fail_collision(struct rp_config_parser *p, const char *section,
			   const struct rp_listen *listen, size_t i, const char *other_section,
			   const struct rp_listen *other, size_t k)
{
	char text[RP_LISTEN_TEXT_MAX], other_text[RP_LISTEN_TEXT_MAX];

	return rp_config_fail_at(
	    p, listen->line[i],
	    "[%s] listen = %s: only one of it and %s of [%s] can be listened on; accepted: each "
	    "address and port once",
	    section, rp_listen_address_format(&listen->at[i], text),
	    rp_listen_address_format(&other->at[k], other_text), other_section);
}

static bool collisions_check(struct rp_config_parser *p)
{
	const struct rp_listen *door = &p->config->door.listen, *ui = &p->config->ui.listen;
	size_t i, k;

	for (i = 0; i < door->n; i++)
		if ((k = collision(door, i, &door->at[i])) < i)
			return fail_collision(p, "door", door, i, "door", door, k);
	for (i = 0; i < ui->n; i++) {
		if ((k = collision(ui, i, &ui->at[i])) < i)
			return fail_collision(p, "ui", ui, i, "ui", ui, k);
		if ((k = collision(door, door->n, &ui->at[i])) < door->n)
			return fail_collision(p, "ui", ui, i, "door", door, k);
	}
	return true;
}

static bool tokens_check(struct rp_config_parser *p)
{
	const struct rp_door_config *door = &p->config->door;
	char text[RP_LISTEN_TEXT_MAX];
	size_t i;

	for (i = 0; i < door->listen.n && door->token_file == NULL; i++)
		if (!rp_listen_address_is_local(&door->listen.at[i]))
			return rp_config_fail_at(
			    p, door->listen.line[i],
			    "[door] listen = %s: other machines can reach it and there is no "
			    "token_file, so nobody could come in; accepted: token_file = FILE "
			    "beside it, or an address such as 127.0.0.1:8484",
			    rp_listen_address_format(&door->listen.at[i], text));
	return true;
}

static bool bodies_check(struct rp_config_parser *p)
{
	const struct rp_config *c = p->config;
	unsigned bodies = line_of(c, RP_SECTION_DOOR, "bodies");
	unsigned max_line = line_of(c, RP_SECTION_INGEST, "max_line");

	if (c->door.bodies_bytes >= c->max_line_bytes)
		return true;
	return rp_config_fail_at(p, bodies > max_line ? bodies : max_line,
				 "[door] bodies = %lluK: less than [ingest] max_line = %lluK; "
				 "accepted: at least max_line",
				 (unsigned long long)(c->door.bodies_bytes >> 10),
				 (unsigned long long)(c->max_line_bytes >> 10));
}

/* Whether a URL leads to what `text` names, "HOST:PORT" or "HOST" with `port`; the scheme does not
 * count. */
static bool leads_to(const struct rp_url *url, const char *text, uint16_t port)
{
	char whole[HOST_NAME_MAX_BYTES + 16];
	struct rp_url own, as = *url;
	bool well_formed;

	as.https = false;
	snprintf(whole, sizeof whole, "http://%s", text);
	well_formed = rp_url_parse(rp_span_of(whole), &own, NULL) == RP_OK;
	if (port != 0)
		own.port = port;
	return well_formed && rp_url_match_prefix(&own, &as) != 0;
}

/* Whoever connects to 0.0.0.0 or [::] gets to loopback. */
static bool leads_to_address(const struct rp_url *url, const struct rp_listen_address *address)
{
	static const char *const loopback[] = {"localhost", "127.0.0.1", "[::1]", "0.0.0.0",
					       "[::]"};
	char text[RP_LISTEN_TEXT_MAX];
	size_t i;

	if (address->unix_path[0] != '\0' || url->https || url->port != address->port)
		return false;
	if (leads_to(url, rp_listen_address_format(address, text), 0))
		return true;
	for (i = 0; i < sizeof loopback / sizeof loopback[0]; i++)
		if ((address->wildcard || address->loopback) &&
		    leads_to(url, loopback[i], address->port))
			return true;
	return false;
}

static bool has_port(const char *host)
{
	const char *colon = strrchr(host, ':');

	return colon != NULL && strchr(colon, ']') == NULL;
}

/* A name without a port stands for the ports listened on: another one may be another server. */
static bool leads_to_host(const struct rp_config *config, const struct rp_url *url,
			  const char *host)
{
	const struct rp_listen *listen = &config->door.listen;
	size_t i;

	if (has_port(host))
		return leads_to(url, host, 0);
	for (i = 0; i < listen->n; i++)
		if (listen->at[i].port == url->port && leads_to(url, host, url->port))
			return true;
	return false;
}

static bool is_door(const struct rp_config *config, const struct rp_url *url)
{
	size_t i;

	for (i = 0; i < config->door.listen.n; i++)
		if (leads_to_address(url, &config->door.listen.at[i]))
			return true;
	for (i = 0; i < config->door.hosts.n; i++)
		if (leads_to_host(config, url, config->door.hosts.at[i]))
			return true;
	return false;
}

static bool loops_check(struct rp_config_parser *p)
{
	const struct rp_config *c = p->config;
	char label[RP_CONFIG_LABEL_BYTES];
	size_t i;

	for (i = 0; i < c->n_endpoints; i++)
		if (c->endpoints[i].door && is_door(c, &c->endpoints[i].prefix))
			return rp_config_fail_at(
			    p,
			    c->endpoints[i].line_of[rp_setting_index(
				rp_setting_find(RP_SECTION_ENDPOINT, "url"))],
			    "%s url: it leads to the door itself, so what it takes would come "
			    "back for ever; accepted: the URL of the receiver",
			    rp_config_label_of(&c->endpoints[i], label));
	return true;
}

bool rp_config_check_door(struct rp_config_parser *p)
{
	return collisions_check(p) && tokens_check(p) && bodies_check(p) && loops_check(p);
}

bool rp_config_add_door_url(const struct rp_config *config, struct rp_buf *out)
{
	const struct rp_listen *listen = &config->door.listen;
	struct rp_listen_address reached;
	char text[RP_LISTEN_TEXT_MAX];
	size_t i = 0;

	while (i < listen->n && listen->at[i].port == 0)
		i++;
	if (i == listen->n)
		return true;
	reached = listen->at[i];
	if (reached.wildcard)
		snprintf(reached.ip, sizeof reached.ip, "%s",
			 strchr(listen->at[i].ip, ':') != NULL ? "::1" : "127.0.0.1");
	return rp_buf_add_text(out, "http://") &&
	       rp_buf_add_text(out, rp_listen_address_format(&reached, text));
}
