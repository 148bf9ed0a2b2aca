/* statistics.h - an outbox in numbers: what it holds, what was done, who works on it, how full it
 * is. One reading serves `stats` and `metrics`. It never walks the entries. */
#ifndef RP_REPORT_STATISTICS_H
#define RP_REPORT_STATISTICS_H

#include "model/counters.h"
#include "report/command.h"
#include "report/endpoints.h"
#include "store/outbox.h"
#include "text/json.h"

enum { RP_RECENT_MINUTES = 5, RP_SENDERS_LISTED = 64 };

struct rp_named_series {
	char *name; /* of an [endpoint] section, or RP_SERIES_OTHER */
	struct rp_series attempts;
};

/* What paths do at the moment. */
struct rp_path_counts {
	uint64_t waiting, in_flight, breaker[3]; /* by enum rp_breaker */
	uint64_t paused, disabled;
};
void rp_path_counts_add(struct rp_path_counts *c, const struct rp_endpoint *path);

/* Each part is of its own transaction. */
struct rp_statistics {
	int64_t now_at_ms, boot_ms, lease_ms;
	struct rp_ledger ledger;
	struct rp_outbox_info info;
	struct rp_counters counters;
	struct rp_minute recent; /* sums of the last RP_RECENT_MINUTES whole minutes */
	struct rp_named_series *series;
	size_t n_series;
	struct rp_known_endpoints endpoints;
	struct rp_path_counts *split; /* see rp_statistics_split */
	/* hosts, sections and paths that are not ok; of paths those that were looked at
	 * (rp_known_endpoints_load) */
	uint64_t trouble;
	struct rp_sender_info senders[RP_SENDERS_LISTED];
	unsigned n_senders;           /* of the above */
	unsigned n_alive, n_silent;   /* of all; silent: alive, and no beat for the lease */
	struct rp_sender_info silent; /* the one that is silent the longest */
};

/* Release either way. */
enum rp_err rp_statistics_read(struct rp_outbox *ob, const struct rp_config *config,
			       int64_t now_at_ms, int64_t boot_ms, struct rp_statistics *out,
			       struct rp_error *err);
/* Fills `split` from hosts that have many paths and [endpoint] sections for some, which the host
 * alone tells nothing of: one for each section of the configuration, and one for none. NULL: there
 * are no such hosts. It looks at all their paths, a page in a transaction, so it is for those only
 * who tell sections apart. */
enum rp_err rp_statistics_split(struct rp_statistics *st, struct rp_outbox *ob,
				const struct rp_config *config, struct rp_error *err);
void rp_statistics_release(struct rp_statistics *st);

/* The counts of entries by what became of them, "waiting" first, "purged" last. */
enum { RP_STATISTICS_COUNTS = 6 };
const char *rp_statistics_count(const struct rp_statistics *st, size_t i, uint64_t *n);
/* Whether they sum up to what was accepted. */
bool rp_statistics_balances(const struct rp_statistics *st);
/* Of the quota. */
unsigned rp_statistics_percent_used(const struct rp_statistics *st);

/* Appends what is wrong, the worst first, as lines "! TEXT -> COMMAND"; COMMAND can be pasted, and
 * a few lines have none. false: out of memory. */
bool rp_statistics_trouble(const struct rp_statistics *st, const struct rp_place *place,
			   struct rp_buf *out);

/* The object of `stats --json`; lines: those of rp_statistics_trouble. NULL: out of memory. */
struct rp_json_out *rp_statistics_json(const struct rp_statistics *st, const char *outbox_dir,
				       struct rp_span lines);

#endif
