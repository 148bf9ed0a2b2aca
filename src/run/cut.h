/* cut.h - cuts members out of the bytes of a JSON object: a secret of the engine that no receiver
 * needs, say. Nothing is written anew: all other bytes stay as they are. Pure. */
#ifndef RP_RUN_CUT_H
#define RP_RUN_CUT_H

#include "base/bytes.h"

#define RP_CUT_PATHS_MAX 32
#define RP_CUT_STEPS_MAX 16  /* of one path */
#define RP_CUT_PATH_MAX 1024 /* bytes of one path */

/* Paths of members, such as "kwargs.config.configurable.user": the name of a member of the object,
 * then that of a member of this one's value, and so on. Names are compared with the decoded ones
 * (text/scan.h); those with a dot in them cannot be named. Borrowed, each without a problem. */
struct rp_cuts {
	const char *paths[RP_CUT_PATHS_MAX];
	size_t n;
};

/* Why no member can have this path. NULL: one can. Else a static part of a sentence, such as "two
 * dots in a row". */
const char *rp_cut_problem(struct rp_span path);

/* Whether the cuts leave nothing of the member at this path. */
bool rp_cuts_cover(const struct rp_cuts *cuts, const char *path);

/* Appends what is left of an object, which must be a text that rp_scan_object takes; *cut says
 * whether anything went. Without that nothing is appended. false: out of memory, and out is as it
 * was.
 *
 * A member goes with the white space before it and with one comma, every one that has the name.
 * What is left of valid JSON is valid. A path that leads through something else than objects, or
 * nowhere, changes nothing. It passes over the text once, for all paths, and does not recurse. */
bool rp_cut(struct rp_span object, const struct rp_cuts *cuts, struct rp_buf *out, bool *cut);

#endif
