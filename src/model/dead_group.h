/* dead_group.h - dead letters that died of the same at the same path, or at any path of the same
 * host, and the key that names them: a row of `runpostctl dead`, and what --group selects. Pure.
 *
 * The key is CAUSE:LAST:ENDPOINT, such as gone:http_410:3: what they died of, what the last
 * attempt came back with (empty: there was none), the number of the path or host, which no other
 * ever gets. So it means the same tomorrow, and needs no quoting in a shell. */
#ifndef RP_MODEL_DEAD_GROUP_H
#define RP_MODEL_DEAD_GROUP_H

#include <stdbool.h>
#include <stdint.h>

#include "model/outcome.h"

struct rp_dead_group {
	enum rp_cause cause, last_cause;
	unsigned http_status; /* counts only where last_cause is RP_CAUSE_HTTP */
	uint64_t endpoint;    /* a path, or a host: all paths of it */
};
#define RP_DEAD_GROUP_TEXT_MAX (2 * RP_CAUSE_TEXT_MAX + 24)

struct rp_dead_group rp_dead_group_of(enum rp_cause cause, enum rp_cause last_cause,
				      unsigned http_status, uint64_t endpoint);
/* `member`, that of a path, is the group itself or in it. */
bool rp_dead_group_has(const struct rp_dead_group *g, const struct rp_dead_group *member);
/* As qsort wants it; 0: the same group. */
int rp_dead_group_compare(const struct rp_dead_group *a, const struct rp_dead_group *b);
/* Returns out. */
const char *rp_dead_group_format(const struct rp_dead_group *g, char out[RP_DEAD_GROUP_TEXT_MAX]);
/* false: it is no key. */
bool rp_dead_group_parse(struct rp_span text, struct rp_dead_group *out);

#endif
