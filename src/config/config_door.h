/* config_door.h - private to src/config: what [door] and [ui] need beyond single values. */
#ifndef RP_CONFIG_CONFIG_DOOR_H
#define RP_CONFIG_CONFIG_DOOR_H

#include "config/config_parser.h"

#define RP_DOOR_LISTEN_DEFAULT "127.0.0.1:8484"

/* Where the door listens and who may come, unless a file says it. */
void rp_config_init_door(struct rp_door_config *door);

/* Each sets a list, whose first line replaces the default. false: p has failed. */
bool rp_config_set_listen(struct rp_config_parser *p, const struct rp_setting *s, void *base,
			  const char *value);
bool rp_config_set_users(struct rp_config_parser *p, const struct rp_setting *s, void *base,
			 const char *value);
bool rp_config_set_hosts(struct rp_config_parser *p, const struct rp_setting *s, void *base,
			 const char *value);

/* What must fit together, once all is known. false: p has failed. */
bool rp_config_check_door(struct rp_config_parser *p);

#endif
