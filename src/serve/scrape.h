/* scrape.h - all numbers of an outbox for Prometheus: those of the store and, where a front door
 * ever was, those of the door. So `runpostctl metrics` and the server's /metrics are the same. */
#ifndef RP_SERVE_SCRAPE_H
#define RP_SERVE_SCRAPE_H

#include "base/bytes.h"
#include "config/config.h"
#include "store/outbox.h"

/* Appends the text. A door's file that cannot be read is left out: `doctor` tells. On an error a
 * part may have been appended. */
enum rp_err rp_scrape_add(struct rp_outbox *ob, const struct rp_config *config, int64_t now_at_ms,
			  int64_t boot_ms, struct rp_buf *out, struct rp_error *err);

#endif
