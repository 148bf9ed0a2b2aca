/* scrape.c - reads an outbox and its door, and writes both for Prometheus. It is apart because
 * report knows of no door. */

#include "serve/scrape.h"

#include "report/metrics.h"
#include "report/statistics.h"
#include "serve/door_metrics.h"
#include "serve/door_report.h"

enum rp_err rp_scrape_add(struct rp_outbox *ob, const struct rp_config *config, int64_t now_at_ms,
			  int64_t boot_ms, struct rp_buf *out, struct rp_error *err)
{
	struct rp_statistics st;
	struct rp_door_seen door;
	enum rp_err e = rp_statistics_read(ob, config, now_at_ms, boot_ms, &st, err);

	if (e == RP_OK)
		e = rp_statistics_split(&st, ob, config, err);
	rp_door_see(ob, &door);
	if (e == RP_OK && (!rp_metrics_add(&st, config, out) ||
			   (door.there && !rp_door_metrics_add(&door.n, out))))
		e = rp_fail(err, RP_ERR_NOMEM, "out of memory");
	rp_statistics_release(&st);
	return e;
}
