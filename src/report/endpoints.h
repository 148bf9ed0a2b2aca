/* endpoints.h - the endpoints of an outbox, copied out of it: hosts, the sections that share their
 * limits, and paths. A host may have a million paths, so not all of them are: see
 * rp_known_endpoints_load. */
#ifndef RP_REPORT_ENDPOINTS_H
#define RP_REPORT_ENDPOINTS_H

#include "model/receiver.h"
#include "report/selector.h"
#include "store/outbox.h"
#include "text/json.h"

/* A host with more paths is shown as one line. */
#define RP_HOST_PATHS_FEW 20

struct rp_known_endpoint {
	uint64_t id;
	char *name;   /* as it is shown (shown.h); every verb that takes an endpoint takes it */
	char *stored; /* as it is stored */
	struct rp_endpoint e;
	uint64_t n_paths; /* SECTION, HOST: in it */
	bool split;       /* HOST: see rp_statistics_split */
	bool few;         /* HOST: all its paths are among those loaded */
	/* HOST: it has one path, which tells all that there is to tell of it */
	bool told_by_path;
};

struct rp_known_endpoints {
	struct rp_known_endpoint *all;
	size_t n, cap;
	uint64_t n_paths; /* of the outbox, not only those in `all` */
	/* hosts, sections and paths that are in trouble; of paths those that were looked at */
	uint64_t n_trouble;
};

/* All hosts and sections, and of paths: all of a host that has at most RP_HOST_PATHS_FEW; of
 * another up to as many that are in trouble, among its first thousand. Over all hosts no more than
 * 20,000 paths are looked at, first those of hosts that have seen trouble. So time and memory go
 * with the hosts, not with the paths. Sorted by id: what is in a host stands behind it. Release
 * either way. */
enum rp_err rp_known_endpoints_load(struct rp_outbox *ob, const struct rp_config *config,
				    struct rp_known_endpoints *out, struct rp_error *err);
void rp_known_endpoints_release(struct rp_known_endpoints *k);
/* NULL: it is not among those loaded. */
const struct rp_known_endpoint *rp_known_endpoint_find(const struct rp_known_endpoints *k,
						       uint64_t id);
/* The name of any endpoint as it is shown, from those loaded or from the outbox; appended. Nothing:
 * there is none. */
enum rp_err rp_known_endpoint_name(const struct rp_known_endpoints *k, struct rp_outbox *ob,
				   const struct rp_config *config, uint64_t id, struct rp_buf *out,
				   struct rp_error *err);

/* One endpoint with the levels above it, out of the outbox. */
struct rp_known_levels {
	struct rp_endpoint of[RP_LEVELS];
	bool has[RP_LEVELS];
};
enum rp_err rp_known_levels_load(struct rp_outbox *ob, uint64_t id, struct rp_known_levels *out,
				 struct rp_error *err);
struct rp_receiver rp_known_levels_receiver(struct rp_known_levels *l);
/* The same of one of those loaded, with what was loaded of them. */
struct rp_receiver rp_known_levels_of(const struct rp_known_endpoints *known,
				      struct rp_known_endpoint *k);
/* The outermost level that keeps what waits from being sent now. false: none does, or nothing
 * waits. Levels that are not known are NULL. */
bool rp_known_held_by(const struct rp_receiver *levels, int64_t now_at_ms, enum rp_level *by);

/* Where an endpoint has the very name that reads as a pattern, too, the name is meant: sets
 * g->exact. *n_fits: how many endpoints the pattern would have fitted then; else 0. */
enum rp_err rp_endpoint_glob_resolve(struct rp_outbox *ob, struct rp_endpoint_glob *g,
				     size_t *n_fits, struct rp_error *err);

/* Its last claim found no valid signing key, and no reload has told it to look again. */
bool rp_known_endpoint_lacks_key(const struct rp_known_endpoint *k);

/* "paused", "disabled", "no_key" (no signing key of it is valid), "parked" (by its breaker),
 * "failing" (its last attempts failed), "ok". */
const char *rp_known_endpoint_state(const struct rp_known_endpoint *k);

/* Whether it is more than a hiccup: 10 failures in a row, or 3 and nothing delivered in the hour
 * before the last. */
bool rp_known_endpoint_keeps_failing(const struct rp_endpoint *e);

/* Whether it is worth a line among what is wrong. What fails in a host or section is told by its
 * paths. */
bool rp_known_endpoint_is_trouble(const struct rp_known_endpoint *k);

/* The object of `endpoints --json`. held_by NULL: nothing holds it back. NULL: out of memory. */
struct rp_json_out *rp_known_endpoint_json(const struct rp_known_endpoint *k,
					   const enum rp_level *held_by);

#endif
