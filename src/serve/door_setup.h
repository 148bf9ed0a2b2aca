/* door_setup.h - what the configuration of the door comes to, for the people who wrote it. */
#ifndef RP_SERVE_DOOR_SETUP_H
#define RP_SERVE_DOOR_SETUP_H

#include "config/settings.h"
#include "serve/token_list.h"

/* Fills the two empty lists with the lines of the files that rp_settings_load_door has loaded.
 * RP_ERR_INVAL: err says where a wrong one is, and nothing of it; RP_ERR_NOMEM. Then both are
 * empty. */
enum rp_err rp_door_setup_lists(const struct rp_settings *settings, struct rp_token_list *tokens,
				struct rp_token_list *keys, struct rp_error *err);

/* How many lines the files of [door] have. */
struct rp_door_secrets {
	size_t n_tokens, n_keys;
};

/* Counts them. Errors are those of rp_door_setup_lists. */
enum rp_err rp_door_setup_count(const struct rp_settings *settings, struct rp_door_secrets *out,
				struct rp_error *err);

/* Whether the file says anything of the door. */
bool rp_door_setup_is_there(const struct rp_config *config);

/* Whether anybody can have runs taken for a receiver by its URL: a section says door = yes, or
 * there are keys to sign others with. */
bool rp_door_setup_is_open(const struct rp_config *config);

/* Appends a block of lines: each setting with where it comes from, who needs no token, and each
 * section that takes runs with the URL to give to an engine. false: out of memory. */
bool rp_door_setup_show(const struct rp_settings *settings, const struct rp_door_secrets *secrets,
			struct rp_buf *out);

#endif
