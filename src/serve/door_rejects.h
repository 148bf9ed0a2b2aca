/* door_rejects.h - keeps the bodies that the door refused for what they hold, so that somebody can
 * mend them and send them again: an engine sends them only once.
 *
 * The file is bounded: clients decide how much is refused. What does not fit is counted, not
 * kept. */
#ifndef RP_SERVE_DOOR_REJECTS_H
#define RP_SERVE_DOOR_REJECTS_H

#include "base/bytes.h"
#include "base/err.h"

/* {.fd = -1} keeps nothing. */
struct rp_door_rejects {
	int fd;
	uint64_t bytes, bytes_max; /* of the file; of other things than files only what we wrote */
	bool unsynced;
};

/* Opens the file as rp_rejects_open does, with its errors. */
enum rp_err rp_door_rejects_open(const char *path, uint64_t bytes_max, struct rp_door_rejects *out,
				 struct rp_error *err);
void rp_door_rejects_close(struct rp_door_rejects *r);

/* Appends the body and a line feed. *kept: false, if there is no file or no room in it. RP_ERR_IO:
 * a part may have been written. */
enum rp_err rp_door_rejects_add(struct rp_door_rejects *r, struct rp_span body, bool *kept,
				struct rp_error *err);
/* What was added is on disk from then on. */
enum rp_err rp_door_rejects_sync(struct rp_door_rejects *r, struct rp_error *err);

#endif
