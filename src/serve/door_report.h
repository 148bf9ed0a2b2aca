/* door_report.h - what is said of the front door: a line for `stats`, what is wrong, the member
 * `door` of its JSON, findings of `doctor`. All from one look; nothing is said where no door ever
 * was. */
#ifndef RP_SERVE_DOOR_REPORT_H
#define RP_SERVE_DOOR_REPORT_H

#include "report/doctor.h"
#include "serve/door_counts.h"
#include "text/json.h"

struct rp_door_seen {
	bool there;            /* `n` is filled */
	struct rp_error error; /* why it cannot be read; RP_OK: it can, or there is none */
	struct rp_door_numbers n;
};
void rp_door_see(struct rp_outbox *ob, struct rp_door_seen *out);

/* rejects: the file that keeps what was refused for its content; NULL: none is named. All false:
 * out of memory. */

/* A line about what it took and refused. */
bool rp_door_line_add(const struct rp_door_seen *seen, int64_t now_at_ms, struct rp_buf *out);
/* Lines as those of rp_statistics_trouble. */
bool rp_door_trouble_add(const struct rp_door_seen *seen, const char *rejects, int64_t now_at_ms,
			 const struct rp_place *place, struct rp_buf *out);

/* NULL: there is no door. */
struct rp_json_out *rp_door_json(const struct rp_door_seen *seen);

/* The findings `door`, `rejects` and `access`. */
void rp_door_examine(struct rp_doctor *d, const struct rp_door_seen *seen, const char *rejects);

#endif
