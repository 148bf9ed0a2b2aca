/* settings_int.h - what the files of the settings share. Nobody else includes it.
 *
 * settings.c: the configuration, the secrets, reading of files. settings_tls.c: certificates and
 * their keys. settings_warn.c: what works and should be mended. */
#ifndef RP_CONFIG_SETTINGS_INT_H
#define RP_CONFIG_SETTINGS_INT_H

#include "config/settings.h"

#define RP_SETTINGS_WHERE_MAX 112

/* What a file may be. */
struct rp_settings_kind {
	size_t bytes_max;
	bool secret;
	const char *accepted; /* for messages */
};

/* settings.c. Where: "LINE: [section] key", which messages have between the configuration's name
 * and the value. Read: the whole of a regular file; give it back with drop, which wipes it. */
const char *rp_settings_where(const struct rp_policy *policy, const char *key,
			      char out[RP_SETTINGS_WHERE_MAX]);
enum rp_err rp_settings_read(const struct rp_settings *s, const char *at, const char *file,
			     const struct rp_settings_kind *kind, struct rp_span *out,
			     struct rp_error *err);
void rp_settings_drop(struct rp_span *text);
/* 0: the defaults */
const struct rp_policy *rp_settings_policy_at(const struct rp_settings *s, size_t i);

/* settings_tls.c. Free: also what a failed load has left; twice is harmless. */
enum rp_err rp_settings_load_tls(struct rp_settings *s, struct rp_error *err);
void rp_settings_free_tls(struct rp_settings *s);

#endif
