/* config_table.h - private to src/config: every setting with its bounds and default, and finding
 * one by name. */
#ifndef RP_CONFIG_CONFIG_TABLE_H
#define RP_CONFIG_CONFIG_TABLE_H

#include "config/config.h"

#define RP_CONFIG_NAME_BYTES 64

enum rp_setting_kind {
	RP_KIND_DURATION,
	RP_KIND_SIZE,
	RP_KIND_COUNT,
	RP_KIND_FACTOR,
	RP_KIND_SWITCH,
	RP_KIND_TLS_VERSION, /* numbers up to here */
	RP_KIND_PATH,
	RP_KIND_DATABASE, /* never shown whole: it may have a password */
	RP_KIND_ENV,
	RP_KIND_CREDENTIAL,
	RP_KIND_URL,
	RP_KIND_HEADER,
	RP_KIND_NETS,
	RP_KIND_PORTS,
	RP_KIND_DELAYS,
	RP_KIND_STATUSES,
	RP_KIND_PINS,
	RP_KIND_RATE,
	RP_KIND_PATHS,
	RP_KIND_LISTEN,
	RP_KIND_USERS,
	RP_KIND_HOSTS,
};

struct rp_setting {
	struct rp_setting_info info;
	enum rp_setting_kind kind;
	const char *min, *max; /* as text, so that messages show them the way they are written */
	/* in struct rp_config; of keys of [defaults] and [endpoint] in struct rp_policy */
	size_t offset;
};

enum rp_section {
	RP_SECTION_NONE,
	RP_SECTION_OUTBOX,
	RP_SECTION_INGEST,
	RP_SECTION_SENDER,
	RP_SECTION_DOOR,
	RP_SECTION_UI,
	RP_SECTION_DEFAULTS,
	RP_SECTION_ENDPOINT,
	RP_SECTION_OTHER
};

extern const char *const rp_section_names[RP_SECTION_OTHER];

const struct rp_setting *rp_setting_at(size_t i); /* NULL after the last */
size_t rp_setting_index(const struct rp_setting *s);

/* Whether it is a key of [endpoint] sections; else of a section that is once in a file. */
bool rp_setting_is_of_policy(const struct rp_setting *s);

/* Whether a section may have its key several times. */
bool rp_setting_may_repeat(const struct rp_setting *s);

/* NULL: not a key of this section. */
const struct rp_setting *rp_setting_find(enum rp_section section, const char *name);

/* The key of this section that `name` may be a slip of. NULL: none is near. */
const char *rp_setting_nearest(enum rp_section section, const char *name);

#endif
