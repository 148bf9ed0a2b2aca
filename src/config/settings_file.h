/* settings_file.h - private to src/config: reads the files that the configuration names. */
#ifndef RP_CONFIG_SETTINGS_FILE_H
#define RP_CONFIG_SETTINGS_FILE_H

#include "config/settings.h"

#define RP_SETTINGS_WHERE_MAX 112

/* What a file may be. */
struct rp_settings_kind {
	size_t bytes_max;
	bool secret;
	const char *accepted; /* for messages */
};

/* "LINE: [section] key", which messages have between the configuration's name and the value. */
const char *rp_settings_where(const struct rp_policy *policy, const char *key,
			      char out[RP_SETTINGS_WHERE_MAX]);

/* Reads the whole of a regular file. The caller gives *out to rp_settings_wipe, which overwrites
 * and frees it. */
enum rp_err rp_settings_read(const struct rp_settings *s, const char *at, const char *file,
			     const struct rp_settings_kind *kind, struct rp_span *out,
			     struct rp_error *err);
void rp_settings_wipe(struct rp_span *text);

/* Reads up to size bytes until the end of fd. 0, or an errno; EFBIG: there is more. */
int rp_settings_read_fd(int fd, char *data, size_t size, size_t *len);

/* 0: the defaults */
static inline const struct rp_policy *rp_settings_policy_at(const struct rp_settings *s, size_t i)
{
	return i == 0 ? &s->config.defaults : &s->config.endpoints[i - 1];
}

#endif
