/* door_rules.c - gathers what the door judges by. It is apart from door.c because a reload makes it
 * anew. */

#include "serve/door_rules.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

static void gather_addresses(const struct rp_http_listener *listeners, size_t n,
			     struct rp_door_rules_set *out)
{
	struct rp_door_hosts *hosts = &out->rules.hosts;
	struct sockaddr_storage at;
	socklen_t len;
	size_t i;

	hosts->own = out->own;
	for (i = 0; i < n && hosts->n_own < RP_LISTEN_MAX; i++) {
		len = sizeof at;
		if (!listeners[i].is_unix &&
		    getsockname(listeners[i].fd, (struct sockaddr *)&at, &len) == 0 &&
		    rp_door_address_of((const struct sockaddr *)&at, &out->own[hosts->n_own]))
			hosts->n_own++;
	}
}

static enum rp_err parse_list(const struct rp_settings *settings, const char *key,
			      struct rp_span text, enum rp_token_kind kind,
			      struct rp_token_list *out, struct rp_error *err)
{
	enum rp_err code = text.ptr != NULL ? rp_token_list_parse(text, kind, out, err) : RP_OK;

	return code == RP_OK ? RP_OK : rp_settings_fail_door(settings, key, err, err);
}

static enum rp_err fill(const struct rp_settings *settings, struct rp_door_rules_set *out,
			struct rp_error *err)
{
	const struct rp_config *config = &settings->config;
	enum rp_err code;

	out->rules.config = config;
	out->rules.max_body_bytes = config->max_line_bytes;
	out->rules.keys = &out->keys;
	out->rules.hosts.names = config->door.hosts.at;
	out->rules.hosts.n_names = config->door.hosts.n;
	out->rules.callers =
	    (struct rp_door_callers){settings->door.users, settings->door.n_users, &out->tokens};
	code = parse_list(settings, "token_file", settings->door.tokens, RP_TOKEN_BEARER,
			  &out->tokens, err);
	return code != RP_OK ? code
			     : parse_list(settings, "door_key_file", settings->door.keys,
					  RP_TOKEN_KEY, &out->keys, err);
}

enum rp_err rp_door_rules_new(const struct rp_settings *settings,
			      const struct rp_http_listener *listeners, size_t n_listeners,
			      struct rp_door_rules_set **out, struct rp_error *err)
{
	struct rp_door_rules_set *set = calloc(1, sizeof *set);
	enum rp_err code;

	*out = NULL;
	if (set == NULL)
		return rp_fail(err, RP_ERR_NOMEM, "out of memory");
	gather_addresses(listeners, n_listeners, set);
	code = fill(settings, set, err);
	if (code == RP_OK)
		*out = set;
	else
		rp_door_rules_free(set);
	return code;
}

void rp_door_rules_free(struct rp_door_rules_set *set)
{
	if (set == NULL)
		return;
	rp_token_list_release(&set->tokens);
	rp_token_list_release(&set->keys);
	free(set);
}
