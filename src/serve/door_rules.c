/* door_rules.c - gathers what the door judges by. It is apart from door.c because a reload makes it
 * anew. */

#include "serve/door_rules.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "serve/door_setup.h"

size_t rp_door_own_addresses(const struct rp_http_listener *listeners, size_t n,
			     struct rp_door_address out[RP_LISTEN_MAX])
{
	struct sockaddr_storage at;
	socklen_t len;
	size_t i, n_own = 0;

	for (i = 0; i < n && n_own < RP_LISTEN_MAX; i++) {
		len = sizeof at;
		if (!listeners[i].is_unix &&
		    getsockname(listeners[i].fd, (struct sockaddr *)&at, &len) == 0 &&
		    rp_door_address_of((const struct sockaddr *)&at, &out[n_own]))
			n_own++;
	}
	return n_own;
}

static enum rp_err fill(const struct rp_settings *settings, struct rp_door_rules_set *out,
			struct rp_error *err)
{
	const struct rp_config *config = &settings->config;

	out->rules.config = config;
	out->rules.max_body_bytes = config->max_line_bytes;
	out->rules.keys = &out->keys;
	out->rules.hosts.names = config->door.hosts.at;
	out->rules.hosts.n_names = config->door.hosts.n;
	out->rules.callers =
	    (struct rp_door_callers){settings->door.users, settings->door.n_users, &out->tokens};
	return rp_door_setup_lists(settings, &out->tokens, &out->keys, err);
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
	set->rules.hosts.own = set->own;
	set->rules.hosts.n_own = rp_door_own_addresses(listeners, n_listeners, set->own);
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
