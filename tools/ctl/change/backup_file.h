/* backup_file.h - what is about to be purged, written to a file that `runpostctl import` brings
 * back. */
#ifndef RP_CTL_CHANGE_BACKUP_FILE_H
#define RP_CTL_CHANGE_BACKUP_FILE_H

#include "ctl/common/ctl.h"

struct rp_backup_file {
	struct rp_ctl *ctl;
	struct rp_buf path; /* empty: nothing was written */
	int fd;
	struct rp_buf lines;
	struct rp_buf payload;
	uint64_t n, bytes, synced_bytes;
	uint64_t n_damaged; /* cannot be brought back by anything, and are not in it */
};

/* What was delivered is only in it when --backup asks for it: nothing is lost with it, and a
 * nightly purge is to make room. The file is made with the first entry: --backup's, else
 * OUTBOX/purged/purge-TIME-PID.ndjson; mode 0600, secrets included. Result: exit code, after
 * saying what went wrong. */
int rp_backup_begin(struct rp_backup_file *b, struct rp_ctl *ctl);
int rp_backup_add(struct rp_backup_file *b, uint64_t seq);
/* Everything is on disk after this; says on standard error where. */
int rp_backup_end(struct rp_backup_file *b);
/* Closes and frees; a file that was not ended is removed. */
void rp_backup_release(struct rp_backup_file *b);

#endif
