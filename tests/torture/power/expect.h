/* expect.h - what the world outside has seen of each run, and when: what must be in an image, and
 * what may be. */
#ifndef TORTURE_EXPECT_H
#define TORTURE_EXPECT_H

#include "base/bytes.h"
#include "log.h"

#define EXPECT_NEVER SIZE_MAX
#define EXPECT_TIMES 32
#define EXPECT_BACKUPS 32
#define EXPECT_ATTEMPTS 3 /* retry_attempts of a recording */

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
	struct times saving; /* of purging: those whose backup was to have it whatever its state */
	uint32_t saved_in;   /* a bit for each backup that it is in */
};

/* A file that purges wrote, as it is in the end. */
struct expect_backup {
	const char *name;
	const void *data;
	size_t n;
};

struct expect {
	struct expect_run *runs;
	size_t n, cap;
	/* before it stands what the outbox was when the recording began */
	size_t begin;
	/* when `runpost init` had ended, or there was a receipt */
	size_t created;
	/* a sender that removes what was delivered is started, has ended */
	struct times expiring, expired;
	struct times expiring_dead, expired_dead; /* and what is dead */
	struct expect_backup backups[EXPECT_BACKUPS];
	size_t n_backups;
};

/* Reads receipts and marks; tells on stderr and exits when they make no sense. */
struct expect expect_load(const struct log_file *log);
struct expect_run *expect_find(struct expect *x, struct rp_span run_id);
/* Exits when there are too many. */
void expect_add_backup(struct expect *x, const char *name, const void *data, size_t n);
/* Whether a sender may have removed it before the event, because its keep time was over. */
bool expect_may_have_expired(const struct expect *x, const struct expect_run *r, size_t before);
/* Whether it can only have been purged, before the event, after it was written to a backup. */
bool expect_is_saved(const struct expect_run *r, size_t before);

#endif
