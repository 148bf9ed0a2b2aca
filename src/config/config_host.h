/* config_host.h - private to src/config: what the sections of one host say of it together. */
#ifndef RP_CONFIG_CONFIG_HOST_H
#define RP_CONFIG_CONFIG_HOST_H

#include "config/config_parser.h"

/* Whether a URL goes to the host (scheme, name, port) of a section. */
bool rp_config_is_of_host(const struct rp_policy *section, const struct rp_url *url);

/* Once all sections are read: groups them by host, and finds limits that contradict each other.
 * false: p has failed. */
bool rp_config_check_hosts(struct rp_config_parser *p);

/* Then: works out what holds for each host and what each section shares. Sections of a host have
 * its host_in_flight and host_rate from then on, with the lines that set them. */
void rp_config_settle_hosts(struct rp_config *config);

#endif
