/* settings_tls.h - private to src/config: certificates and their keys. */
#ifndef RP_CONFIG_SETTINGS_TLS_H
#define RP_CONFIG_SETTINGS_TLS_H

#include "config/settings.h"

/* Of all policies. After a failure nothing is loaded. */
enum rp_err rp_settings_load_tls(struct rp_settings *s, struct rp_error *err);
/* twice is harmless */
void rp_settings_free_tls(struct rp_settings *s);

#endif
