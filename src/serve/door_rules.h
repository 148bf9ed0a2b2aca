/* door_rules.h - what the door judges by, made of the settings and the listeners. */
#ifndef RP_SERVE_DOOR_RULES_H
#define RP_SERVE_DOOR_RULES_H

#include "config/settings.h"
#include "http_server/listener.h"
#include "serve/door_judge.h"

struct rp_door_rules_set {
	struct rp_door_rules rules;
	struct rp_token_list tokens, keys;
	struct rp_door_address own[RP_LISTEN_MAX];
};

/* The addresses of those of the listeners that are of TCP. Returns how many there are. */
size_t rp_door_own_addresses(const struct rp_http_listener *listeners, size_t n,
			     struct rp_door_address out[RP_LISTEN_MAX]);

/* Makes a set, which borrows the settings. RP_ERR_INVAL: a token or key file has a bad line; err
 * names file and line. RP_ERR_NOMEM. *out is NULL after a failure. */
enum rp_err rp_door_rules_new(const struct rp_settings *settings,
			      const struct rp_http_listener *listeners, size_t n_listeners,
			      struct rp_door_rules_set **out, struct rp_error *err);
void rp_door_rules_free(struct rp_door_rules_set *set); /* NULL is fine */

#endif
