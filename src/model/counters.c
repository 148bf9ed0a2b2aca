/* counters.c - adds to counters and histograms, and packs them. The store decides when they count;
 * the numbers themselves need no store. */

#include "model/counters.h"

#include "model/record.h"

#define MS INT64_C(1000)
#define S (1000 * MS)

const int64_t rp_bounds_commit_us[RP_HISTOGRAM_BUCKETS - 1] = {
    100,     250,      500,      1 * MS,   2500,  5 * MS,    10 * MS, 25 * MS,
    50 * MS, 100 * MS, 250 * MS, 500 * MS, 1 * S, 2500 * MS, 10 * S};
const int64_t rp_bounds_attempt_us[RP_HISTOGRAM_BUCKETS - 1] = {
    1 * MS,   2500,  5 * MS,    10 * MS, 25 * MS, 50 * MS, 100 * MS, 250 * MS,
    500 * MS, 1 * S, 2500 * MS, 5 * S,   10 * S,  20 * S,  60 * S};
const int64_t rp_bounds_latency_us[RP_HISTOGRAM_BUCKETS - 1] = {
    5 * MS,  10 * MS,  50 * MS,  100 * MS,  500 * MS,  1 * S,      5 * S,     30 * S,
    300 * S, 1800 * S, 3600 * S, 21600 * S, 86400 * S, 259200 * S, 604800 * S};

void rp_histogram_add(struct rp_histogram *h, const int64_t bounds[RP_HISTOGRAM_BUCKETS - 1],
		      int64_t us)
{
	size_t i = 0;

	if (us < 0)
		us = 0;
	while (i < RP_HISTOGRAM_BUCKETS - 1 && us > bounds[i])
		i++;
	h->count[i]++;
	h->sum_us += (uint64_t)us;
}

uint64_t rp_histogram_count(const struct rp_histogram *h)
{
	uint64_t n = 0;
	size_t i;

	for (i = 0; i < RP_HISTOGRAM_BUCKETS; i++)
		n += h->count[i];
	return n;
}

static uint64_t minute_of(int64_t at_ms)
{
	return at_ms > 0 ? (uint64_t)at_ms / 60000 : 0;
}

struct rp_minute *rp_counters_minute(struct rp_counters *t, int64_t now_at_ms)
{
	uint64_t minute = minute_of(now_at_ms);
	struct rp_minute *m = &t->minutes[minute % RP_COUNTERS_MINUTES];

	if (m->minute != minute)
		*m = (struct rp_minute){.minute = minute};
	return m;
}

struct rp_minute rp_counters_recent(const struct rp_counters *t, int64_t now_at_ms, unsigned n)
{
	uint64_t now = minute_of(now_at_ms);
	struct rp_minute sum = {0};
	size_t i;

	for (i = 0; i < RP_COUNTERS_MINUTES; i++) {
		const struct rp_minute *m = &t->minutes[i];

		if (m->minute >= now || m->minute + n < now)
			continue;
		sum.accepted += m->accepted;
		sum.delivered += m->delivered;
		sum.failed += m->failed;
	}
	return sum;
}

static void add_histogram(struct rp_histogram *sum, const struct rp_histogram *part)
{
	size_t i;

	sum->sum_us += part->sum_us;
	for (i = 0; i < RP_HISTOGRAM_BUCKETS; i++)
		sum->count[i] += part->count[i];
}

static void add_minute(struct rp_minute *sum, const struct rp_minute *part)
{
	if (part->minute > sum->minute)
		*sum = (struct rp_minute){.minute = part->minute};
	if (part->minute < sum->minute)
		return;
	sum->accepted += part->accepted;
	sum->delivered += part->delivered;
	sum->failed += part->failed;
}

static uint64_t later(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

void rp_counters_add(struct rp_counters *sum, const struct rp_counters *part)
{
	size_t i;

	sum->duplicates += part->duplicates;
	sum->replayed += part->replayed;
	sum->claims_lost += part->claims_lost;
	sum->last_append_at_ms = later(sum->last_append_at_ms, part->last_append_at_ms);
	sum->last_delivery_at_ms = later(sum->last_delivery_at_ms, part->last_delivery_at_ms);
	for (i = 0; i < RP_COUNTERS_CAUSES; i++) {
		sum->retries[i] += part->retries[i];
		sum->dead[i] += part->dead[i];
	}
	add_histogram(&sum->sender_commits, &part->sender_commits);
	add_histogram(&sum->other_commits, &part->other_commits);
	add_histogram(&sum->attempts, &part->attempts);
	add_histogram(&sum->latency, &part->latency);
	for (i = 0; i < RP_COUNTERS_MINUTES; i++)
		add_minute(&sum->minutes[i], &part->minutes[i]);
}

static enum rp_outcome_class class_of_status(unsigned status)
{
	if (status == 429)
		return RP_CLASS_429;
	if (status >= 300 && status < 400)
		return RP_CLASS_3XX;
	if (status >= 400 && status < 500)
		return RP_CLASS_4XX;
	return status >= 500 && status < 600 ? RP_CLASS_5XX : RP_CLASS_OTHER;
}

enum rp_outcome_class rp_outcome_class(enum rp_cause cause, unsigned http_status)
{
	if (rp_cause_matches(RP_CAUSE_TLS, cause))
		return RP_CLASS_TLS;
	switch ((int)cause) {
	case RP_CAUSE_NONE:
		return RP_CLASS_2XX;
	case RP_CAUSE_HTTP:
		return class_of_status(http_status);
	case RP_CAUSE_TIMEOUT:
		return RP_CLASS_TIMEOUT;
	case RP_CAUSE_DNS:
		return RP_CLASS_DNS;
	case RP_CAUSE_CONNECT:
		return RP_CLASS_CONNECT;
	case RP_CAUSE_RESET:
		return RP_CLASS_RESET;
	case RP_CAUSE_PROTOCOL:
		return RP_CLASS_PROTOCOL;
	case RP_CAUSE_BLOCKED_ADDRESS:
	case RP_CAUSE_BLOCKED_SCHEME:
	case RP_CAUSE_BLOCKED_PORT:
		return RP_CLASS_BLOCKED;
	default:
		return RP_CLASS_OTHER;
	}
}

const char *rp_outcome_class_name(enum rp_outcome_class c)
{
	static const char *const names[RP_CLASS_COUNT] = {
	    "2xx",     "3xx", "4xx",   "429",      "5xx",     "timeout", "dns",
	    "connect", "tls", "reset", "protocol", "blocked", "other"};

	return names[c];
}

size_t rp_counters_pack(const struct rp_counters *t, void *out, size_t size)
{
	return rp_numbers_pack(t, sizeof *t / 8, out, size);
}

bool rp_counters_unpack(struct rp_counters *t, const void *mem, size_t size)
{
	return rp_numbers_unpack(t, sizeof *t / 8, mem, size);
}

size_t rp_series_pack(const struct rp_series *s, void *out, size_t size)
{
	return rp_numbers_pack(s, sizeof *s / 8, out, size);
}

bool rp_series_unpack(struct rp_series *s, const void *mem, size_t size)
{
	return rp_numbers_unpack(s, sizeof *s / 8, mem, size);
}
