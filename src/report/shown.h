/* shown.h - names of endpoints as a configuration lets people see them (config/redact.h), and what
 * such names make of a pattern. */
#ifndef RP_REPORT_SHOWN_H
#define RP_REPORT_SHOWN_H

#include "config/redact.h"

/* Whether a URL, as text, has something that is not shown; one that cannot be read may. */
bool rp_shown_hides(const struct rp_config *config, struct rp_span url);

/* config NULL: every name is shown as it is. */

/* For one use at once: `name` itself where nothing is hidden, else what room now holds. Release
 * room. */
struct rp_span rp_shown_name(const struct rp_config *config, struct rp_span name,
			     struct rp_buf *room);
/* The same for what was typed for a name. A pattern that is no URL may hold any part of a path:
 * where some path is a secret it is withheld. */
struct rp_span rp_shown_pattern(const struct rp_config *config, struct rp_span glob,
				struct rp_buf *room);

#endif
