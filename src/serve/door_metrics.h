/* door_metrics.h - the numbers of the front door for Prometheus, in its text format 0.0.4. Pure:
 * numbers in, text out. Names begin with runpost_door_; labels hold words of this program only. */
#ifndef RP_SERVE_DOOR_METRICS_H
#define RP_SERVE_DOOR_METRICS_H

#include "base/bytes.h"
#include "serve/door_counts.h"

/* Appends every family. false: out of memory. */
bool rp_door_metrics_add(const struct rp_door_numbers *n, struct rp_buf *out);

#endif
