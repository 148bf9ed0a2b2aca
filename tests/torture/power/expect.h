/* expect.h - what the world outside has seen of each run, and when: what must be in an image, and what may be. */
#ifndef TORTURE_EXPECT_H
#define TORTURE_EXPECT_H

#include "base/bytes.h"
#include "log.h"

#define EXPECT_NEVER SIZE_MAX
#define EXPECT_TIMES 32

/* Times are numbers of events. */
struct times {
	size_t at[EXPECT_TIMES];
	size_t n;
};
size_t times_before(const struct times *t, size_t event);

struct expect_run {
	struct rp_span run_id, line, payload;
	char id[32]; /* as the receipt told; "" when none came */
	size_t offered, receipted;
	struct times taken, refused; /* answers: 2xx, others */
	struct times purging, purged, replaying, replayed, holding;
};

struct expect {
	struct expect_run *runs;
	size_t n, cap;
	size_t begin;   /* before it stands what the outbox was when the recording began */
	size_t created; /* when `runpost init` had ended, or there was a receipt */
};

/* Reads receipts and marks; tells on stderr and exits when they make no sense. */
struct expect expect_load(const struct log_file *log);
struct expect_run *expect_find(struct expect *x, struct rp_span run_id);

#endif
