/* counters.h - what the outbox counts about its work, beside the ledger: records of numbers that
 * only grow, for `runpostctl metrics`, and the work of the last minutes, for `runpostctl stats`.
 * Values in, values out.
 *
 * They change in the transactions that do the work, one record a commit, so they are as true as
 * the outbox and it does not matter how many processes there were or how short they lived.
 *
 * tally ("tally" in meta)           u8 1 | the members of struct rp_counters in their order, u64
 *                                   each | u64 sum
 * series ("series:NAME" in meta)    u8 1 | the members of struct rp_series likewise | u64 sum
 *
 * The tally stays below half a page, so that it lies on the page of the head record, which every
 * commit writes anyway. */
#ifndef RP_MODEL_COUNTERS_H
#define RP_MODEL_COUNTERS_H

#include "model/outcome.h"

#define RP_HISTOGRAM_BUCKETS 16
/* bounds[i]: the largest value in bucket i, in microseconds; the last bucket takes the rest. */
extern const int64_t rp_bounds_commit_us[RP_HISTOGRAM_BUCKETS - 1];
extern const int64_t rp_bounds_attempt_us[RP_HISTOGRAM_BUCKETS - 1];
extern const int64_t rp_bounds_latency_us[RP_HISTOGRAM_BUCKETS - 1];

struct rp_histogram {
	uint64_t sum_us;
	uint64_t count[RP_HISTOGRAM_BUCKETS]; /* each value in one bucket only */
};
void rp_histogram_add(struct rp_histogram *h, const int64_t bounds[RP_HISTOGRAM_BUCKETS - 1],
		      int64_t us);
uint64_t rp_histogram_count(const struct rp_histogram *h);

/* more than there are, so that the record need not change for a new one */
#define RP_COUNTERS_CAUSES 32
#define RP_COUNTERS_MINUTES 16

struct rp_minute {
	uint64_t minute; /* since 1970; 0: nothing */
	uint64_t accepted, delivered, failed;
};

/* All members are u64: the record is their bytes. */
struct rp_counters {
	uint64_t duplicates, replayed, claims_lost;
	uint64_t last_append_at_ms, last_delivery_at_ms;
	uint64_t retries[RP_COUNTERS_CAUSES], dead[RP_COUNTERS_CAUSES];
	struct rp_histogram sender_commits, other_commits; /* how long the commit itself took */
	/* from the start of a request to its end */
	struct rp_histogram attempts;
	/* from when it was first due to the 2xx */
	struct rp_histogram latency;
	struct rp_minute minutes[RP_COUNTERS_MINUTES]; /* by minute modulo their number */
};

/* The minute that now belongs to, emptied if it was that of a while ago. */
struct rp_minute *rp_counters_minute(struct rp_counters *t, int64_t now_at_ms);
/* Sums of the n whole minutes before this one. */
struct rp_minute rp_counters_recent(const struct rp_counters *t, int64_t now_at_ms, unsigned n);

/* Where a store keeps several that are added up when they are read: adds a part to the sum. */
void rp_counters_add(struct rp_counters *sum, const struct rp_counters *part);

/* Attempts by what came of them: one series for each [endpoint] section. */
enum rp_outcome_class {
	RP_CLASS_2XX,
	RP_CLASS_3XX,
	RP_CLASS_4XX, /* without 429 */
	RP_CLASS_429,
	RP_CLASS_5XX,
	RP_CLASS_TIMEOUT,
	RP_CLASS_DNS,
	RP_CLASS_CONNECT,
	RP_CLASS_TLS,
	RP_CLASS_RESET,
	RP_CLASS_PROTOCOL,
	RP_CLASS_BLOCKED,
	RP_CLASS_OTHER,
	RP_CLASS_COUNT
};
enum rp_outcome_class rp_outcome_class(enum rp_cause cause, unsigned http_status);
const char *rp_outcome_class_name(enum rp_outcome_class c);

struct rp_series {
	uint64_t attempts[RP_CLASS_COUNT];
};
#define RP_SERIES_NAME_MAX                                                                         \
	48               /* with the NUL; sections with longer names count as RP_SERIES_OTHER */
#define RP_SERIES_MAX 64 /* and so do those that come when there are so many */
#define RP_SERIES_OTHER "other"

#define RP_COUNTERS_BYTES (1 + sizeof(struct rp_counters) + 8)
#define RP_SERIES_BYTES (1 + sizeof(struct rp_series) + 8)

size_t rp_counters_pack(const struct rp_counters *t, void *out, size_t size);
bool rp_counters_unpack(struct rp_counters *t, const void *mem, size_t size);
size_t rp_series_pack(const struct rp_series *s, void *out, size_t size);
bool rp_series_unpack(struct rp_series *s, const void *mem, size_t size);

#endif
