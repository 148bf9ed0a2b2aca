/* config_value.h - private to src/config: parses the text after the '=' into a member of struct
 * rp_config or struct rp_policy. */
#ifndef RP_CONFIG_CONFIG_VALUE_H
#define RP_CONFIG_CONFIG_VALUE_H

#include "config/config_parser.h"

/* Sets a number to its default. Other settings start empty, but for [outbox] dir. */
void rp_setting_reset(const struct rp_setting *s, struct rp_config *config);

/* Sets it in the open section. false: p has failed. */
bool rp_setting_assign(struct rp_config_parser *p, const struct rp_setting *s, const char *value);

#endif
