/* config_file.h - private to src/config: lines, sections, keys. The only user of inih. */
#ifndef RP_CONFIG_CONFIG_FILE_H
#define RP_CONFIG_CONFIG_FILE_H

#include "config/config_parser.h"

/* Over the defaults in p->config, which may be left half filled on failure. */
enum rp_err rp_config_read(struct rp_config_parser *p, struct rp_span text);

#endif
