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

#include "base/bytes.h"
#include "model/control.h"

enum rp_level { RP_LEVEL_PATH, RP_LEVEL_SECTION, RP_LEVEL_HOST };
#define RP_LEVELS 3

/* "path", "section", "host". */
const char *rp_level_name(enum rp_level level);

/* --- numbers and names ------------------------------------------------------------------------ */

/* An endpoint's number has the number of its host in its upper half. The lower half is 0 for the
 * host itself, below RP_MEMBER_PATHS for its sections, and above for its paths. So the members of a
 * host stand side by side, and its level is known without a look. */
#define RP_HOST_SHIFT 32
#define RP_HOST_NUMBERS (UINT64_C(1) << 31) /* keys stay below INT64_MAX */
#define RP_MEMBER_SECTIONS UINT64_C(1)
#define RP_MEMBER_PATHS UINT64_C(0x10000)
#define RP_MEMBER_NUMBERS (UINT64_C(1) << RP_HOST_SHIFT)

static inline uint64_t rp_level_id(uint64_t host_number, uint64_t member)
{
	return host_number << RP_HOST_SHIFT | member;
}
/* The number of the host that it is in, or is. */
static inline uint64_t rp_level_host(uint64_t id)
{
	return id & ~(RP_MEMBER_NUMBERS - 1);
}
static inline uint64_t rp_level_member(uint64_t id)
{
	return id & (RP_MEMBER_NUMBERS - 1);
}
static inline enum rp_level rp_level_of(uint64_t id)
{
	uint64_t member = rp_level_member(id);

	if (member >= RP_MEMBER_PATHS)
		return RP_LEVEL_PATH;
	return member >= RP_MEMBER_SECTIONS ? RP_LEVEL_SECTION : RP_LEVEL_HOST;
}

/* Whether a number is that of a section of this host. */
static inline bool rp_level_is_section_of(uint64_t id, uint64_t host)
{
	return rp_level_of(id) == RP_LEVEL_SECTION && rp_level_host(id) == host;
}

/* The number that the n-th new host gets (n from 1), and the n-th new path of a host (n from 0).
 * *may_be_taken: all numbers have been used once, and these come again. */
uint64_t rp_level_new_host(uint64_t n, bool *may_be_taken);
uint64_t rp_level_new_path(uint64_t host, uint64_t n, bool *may_be_taken);

/* The host's part of an endpoint's name: all that stands before the path. */
struct rp_span rp_level_host_name(struct rp_span endpoint_name);
/* Appends what a section is called at a host: "https://host [section]". false: no memory. */
bool rp_level_section_name(struct rp_span host, struct rp_span section, struct rp_buf *out);
/* Whether that is the name, at any host, of this section. */
bool rp_level_is_section_named(struct rp_span name, struct rp_span section);

/* --- limits ----------------------------------------------------------------------------------- */

/* What the configuration allows the receivers of one URL. */
struct rp_level_limits {
	struct rp_limits at[RP_LEVELS]; /* [RP_LEVEL_SECTION] counts if there is a section */
	struct rp_span section; /* its name; borrowed; empty: no section shares its limits */
};

#endif
