/* metrics.h - an outbox for Prometheus, in its text format 0.0.4. Pure: numbers in, text out.
 *
 * Labels hold names of the configuration and of this program only: no ids, no URLs. */
#ifndef RP_REPORT_METRICS_H
#define RP_REPORT_METRICS_H

#include "config/config.h"
#include "report/statistics.h"

/* Appends every family, endpoints summed up by their [endpoint] section in `config`. false: out of
 * memory. */
bool rp_metrics_add(const struct rp_statistics *st, const struct rp_config *config,
		    struct rp_buf *out);

#endif
