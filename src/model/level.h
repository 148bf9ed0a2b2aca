/* level.h - the levels at which a receiver is given requests, and the limits of each. A receiver is
 * one of three things at once: a URL path, a section of the configuration that shares its limits
 * over all URLs under it, and a host (scheme, name, port). A request counts on each level.
 *
 *   host  >  section that shares its limits, if the URL has one  >  path (an endpoint)
 *
 * A section has a `url`, so it lies inside one host. What is counted where is model/receiver.h's to
 * say. */
#ifndef RP_MODEL_LEVEL_H
#define RP_MODEL_LEVEL_H

#include "model/control.h"

/* stored */
enum rp_level { RP_LEVEL_PATH = 0, RP_LEVEL_SECTION = 1, RP_LEVEL_HOST = 2 };
#define RP_LEVELS 3

/* "path", "section", "host". */
const char *rp_level_name(enum rp_level level);

/* What the configuration allows the receivers of one URL. */
struct rp_level_limits {
	struct rp_limits at[RP_LEVELS]; /* [RP_LEVEL_SECTION] counts if there is a section */
	struct rp_span section;         /* its name; borrowed; empty: no section shares its limits */
};

#endif
