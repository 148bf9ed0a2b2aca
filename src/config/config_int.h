/* config_int.h - private to the config_*.c files: the table's rows and what they share while a
 * text is parsed.
 *
 *   config.c         life cycle, owned strings, which policy holds for a URL
 *   config_table.c   every setting with its bounds and default; finding one by name
 *   config_value.c   the text behind the '=' -> a member of struct rp_config or struct rp_policy
 *   config_file.c    lines, sections, keys; the only user of inih
 *   config_error.c   how a failure is told without telling a secret
 *   config_show.c    a member -> the text behind the '=' */
#ifndef RP_CONFIG_CONFIG_INT_H
#define RP_CONFIG_CONFIG_INT_H

#include "config/config.h"

#define RP_CONFIG_LINE_BYTES 8192 /* a header with a signed token is well over inih's 200 */
#define RP_CONFIG_NAME_BYTES 64
#define RP_CONFIG_LABEL_BYTES (RP_CONFIG_NAME_BYTES + 16)
#define RP_CONFIG_SHOWN_BYTES 64

enum rp_setting_kind {
	RP_KIND_DURATION,
	RP_KIND_SIZE,
	RP_KIND_COUNT,
	RP_KIND_FACTOR,
	RP_KIND_SWITCH,
	RP_KIND_TLS_VERSION, /* numbers up to here */
	RP_KIND_PATH,
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
	RP_SECTION_DEFAULTS,
	RP_SECTION_ENDPOINT,
	RP_SECTION_OTHER
};

/* The text is read twice, endpoints the second time: an endpoint starts from [defaults] wherever
 * that stands. */
struct rp_config_parser {
	struct rp_config *config;
	const char *file;
	struct rp_span rest;
	unsigned line;
	bool endpoints_pass;
	enum rp_section section; /* RP_SECTION_OTHER: one for the other pass */
	unsigned section_line;
	struct rp_policy *policy; /* of [defaults] or the open [endpoint] */
	/* line that set it (in this endpoint); 0: none */
	unsigned set_on[RP_SETTINGS_MAX];
	unsigned header_on[RP_CONFIG_HEADERS_MAX]; /* likewise; 0: inherited */
	enum rp_err code;
	struct rp_error *err;
};

/* ---- config.c ---- */

/* A copy that lives as long as the config. NULL: no memory, and p has failed. */
const char *rp_config_keep(struct rp_config_parser *p, struct rp_span text);

/* ---- config_table.c ---- */

extern const char *const rp_section_names[RP_SECTION_OTHER];

const struct rp_setting *rp_setting_at(size_t i); /* NULL after the last */
size_t rp_setting_index(const struct rp_setting *s);

/* NULL: not a key of this section. */
const struct rp_setting *rp_setting_find(enum rp_section section, const char *name);

/* The key of this section that `name` may be a slip of. NULL: none is near. */
const char *rp_setting_nearest(enum rp_section section, const char *name);

/* ---- config_value.c ---- */

/* To its default, if it is a number; the others start empty, but for [outbox] dir. */
void rp_setting_reset(const struct rp_setting *s, struct rp_config *config);

/* Into the open section. False: p has failed. */
bool rp_setting_assign(struct rp_config_parser *p, const struct rp_setting *s, const char *value);

/* ---- config_file.c ---- */

/* Over the defaults in p->config, which may be left half filled on failure. */
enum rp_err rp_config_read(struct rp_config_parser *p, struct rp_span text);

struct rp_span rp_config_trim(struct rp_span s);

/* The line that set this key in the open section; 0: none. */
unsigned rp_config_line_of(const struct rp_config_parser *p, enum rp_section section,
			   const char *name);

/* ---- config_error.c: each fails p and returns false ---- */

bool rp_config_fail_at(struct rp_config_parser *p, unsigned line, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
bool rp_config_fail_value(struct rp_config_parser *p, const struct rp_setting *s, const char *value,
			  const char *fmt, ...) __attribute__((format(printf, 4, 5)));
bool rp_config_fail_unknown_key(struct rp_config_parser *p, const char *name);
bool rp_config_fail_memory(struct rp_config_parser *p);

/* For messages: printable and cut to size. */
const char *rp_config_show(struct rp_span s, char out[RP_CONFIG_SHOWN_BYTES]);

/* For messages: the open section as it stands in a file. */
const char *rp_config_label(const struct rp_config_parser *p, char out[RP_CONFIG_LABEL_BYTES]);

bool rp_config_looks_secret(const char *value);

#endif
