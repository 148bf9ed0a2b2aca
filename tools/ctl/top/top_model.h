/* top_model.h - what `runpostctl top` shows: counts as the outbox has them, and rates worked out
 * from the log of recent attempts. It knows nothing of terminals. */
#ifndef RP_CTL_TOP_TOP_MODEL_H
#define RP_CTL_TOP_TOP_MODEL_H

#include "report/endpoints.h"
#include "ctl/select/recent.h"

enum {
	RP_TOP_SLOTS = 60,      /* of the last five minutes, */
	RP_TOP_SLOT_MS = 5000,  /* five seconds each */
	RP_TOP_DURATIONS = 128, /* the last ones, of which p95 is told */
	RP_TOP_RATE_MS = 10000, /* a rate is that of the last ten seconds */
	RP_TOP_FAILURES = 64,
};

/* Counts by slot; slot n stands for [n * RP_TOP_SLOT_MS, ...) of the wall clock. */
struct rp_top_series {
	uint32_t count[RP_TOP_SLOTS];
	int64_t last_slot; /* the newest one with a count in it */
};
void rp_top_series_add(struct rp_top_series *s, int64_t at_ms, uint32_t n);
/* The counts of the last n slots up to now, the oldest first. */
void rp_top_series_read(const struct rp_top_series *s, int64_t now_at_ms, uint32_t *out, size_t n);
/* A second's worth over the last RP_TOP_RATE_MS. */
double rp_top_series_rate(const struct rp_top_series *s, int64_t now_at_ms);

struct rp_top_endpoint {
	uint64_t id;
	struct rp_top_series delivered, failed;
	uint32_t durations_ms[RP_TOP_DURATIONS];
	size_t n_durations; /* ever; the newest stands at (n - 1) % RP_TOP_DURATIONS */
};
/* 95 of 100 of its last attempts took at most so long; -1: it had none. */
int64_t rp_top_p95_ms(const struct rp_top_endpoint *e);
/* How many of 1000 attempts of the last five minutes were delivered; -1: there were none. */
int rp_top_ok_permille(const struct rp_top_endpoint *e, int64_t now_at_ms);

struct rp_top_sender {
	struct rp_sender_info info;
	struct rp_top_series delivered;
};

struct rp_top {
	struct rp_ctl *ctl;
	int64_t now_at_ms;
	struct rp_ledger ledger;
	struct rp_known_endpoints known;   /* sorted by id */
	struct rp_top_endpoint **activity; /* sorted by id */
	size_t n_activity, cap_activity;
	struct rp_top_sender senders[128]; /* by slot; info.pid 0: nobody */
	struct rp_top_series delivered, failed, accepted;
	uint64_t accepted_before; /* the ledger's, a look ago */
	int64_t looked_at_ms;     /* 0: not yet */
	struct rp_recent failures[RP_TOP_FAILURES];
	size_t n_failures; /* ever; the newest stands at (n - 1) % RP_TOP_FAILURES */
	uint64_t next;     /* number of the first attempt not seen */
	uint64_t n_missed;
	bool no_memory;
};

/* Looks at the outbox. The first look reads what the log has of the last five minutes. Result:
 * exit code, after saying what went wrong. */
int rp_top_look(struct rp_top *t);
void rp_top_release(struct rp_top *t);
/* NULL: nothing of it is in the log. */
const struct rp_top_endpoint *rp_top_activity(const struct rp_top *t, uint64_t endpoint);

#endif
