/* config_parser.h - private to src/config: what its files share while a text is parsed. */
#ifndef RP_CONFIG_CONFIG_PARSER_H
#define RP_CONFIG_CONFIG_PARSER_H

#include "config/config_table.h"

#define RP_CONFIG_LINE_BYTES 8192 /* a header with a signed token is well over inih's 200 */

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

/* A copy that lives as long as the config. NULL: no memory, and p has failed. */
const char *rp_config_copy(struct rp_config_parser *p, struct rp_span text);
/* Frees all copies. */
void rp_config_free_copies(struct rp_config *config);

struct rp_span rp_config_trim(struct rp_span s);

/* The line that set this key in the open section; 0: none. */
unsigned rp_config_line_of(const struct rp_config_parser *p, enum rp_section section,
			   const char *name);

#endif
