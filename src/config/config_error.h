/* config_error.h - private to src/config: words a failure without repeating a secret. */
#ifndef RP_CONFIG_CONFIG_ERROR_H
#define RP_CONFIG_CONFIG_ERROR_H

#include "config/config_parser.h"

#define RP_CONFIG_LABEL_BYTES (RP_CONFIG_NAME_BYTES + 16)
#define RP_CONFIG_SHOWN_BYTES 64

/* Each fails p and returns false. */
bool rp_config_fail_at(struct rp_config_parser *p, unsigned line, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
bool rp_config_fail_value(struct rp_config_parser *p, const struct rp_setting *s, const char *value,
			  const char *fmt, ...) __attribute__((format(printf, 4, 5)));
bool rp_config_fail_unknown_key(struct rp_config_parser *p, const char *name);
bool rp_config_fail_memory(struct rp_config_parser *p);

/* For messages: printable and cut to size. */
const char *rp_config_show(struct rp_span s, char out[RP_CONFIG_SHOWN_BYTES]);

/* For messages: a section as it stands in a file, once it has its url; and the open one. */
const char *rp_config_label_of(const struct rp_policy *policy, char out[RP_CONFIG_LABEL_BYTES]);
const char *rp_config_label(const struct rp_config_parser *p, char out[RP_CONFIG_LABEL_BYTES]);

bool rp_config_looks_secret(const char *value);

#endif
