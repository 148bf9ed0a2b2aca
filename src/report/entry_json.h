/* entry_json.h - entries and attempts as people and scripts see them, without their secrets.
 * `config` tells which paths are secrets (config/redact.h). */
#ifndef RP_REPORT_ENTRY_JSON_H
#define RP_REPORT_ENTRY_JSON_H

#include "config/config.h"
#include "store/outbox.h"
#include "text/json.h"

#define RP_SENDER_TEXT_MAX 24

/* Why it is dead, else what its last attempt came back with: "http_503", "timeout"; "" for none.
 * Returns out. */
const char *rp_entry_cause(const struct rp_entry *e, char out[RP_CAUSE_TEXT_MAX]);
/* "waiting", ..., or "damaged" when its state cannot be read. */
const char *rp_entry_state(const struct rp_entry *e);
/* When its next attempt is due; 0: not waiting, or behind another entry with its order_by, which
 * nobody can tell. */
int64_t rp_entry_due_at_ms(const struct rp_entry *e);
/* Appends its URL with the values of the query redacted. false: out of memory. */
bool rp_entry_url(const struct rp_config *config, const struct rp_entry *e, struct rp_buf *out);
/* Appends foreign text (a response, a library's message) escaped, with query values of the entry's
 * URL starred out: a receiver may echo the URL it was called with. false: out of memory. */
bool rp_entry_foreign(const struct rp_config *config, const struct rp_entry *e, struct rp_span text,
		      struct rp_buf *out);
const char *rp_sender_text(unsigned slot, char out[RP_SENDER_TEXT_MAX]);
/* "delivered" or the cause. Returns out. */
const char *rp_attempt_outcome(const struct rp_attempt *a, bool damaged,
			       char out[RP_CAUSE_TEXT_MAX]);

/* NULL: out of memory. */
struct rp_json_out *rp_entry_json(const struct rp_config *config, const struct rp_entry *e);
struct rp_json_out *rp_attempt_json(const struct rp_config *config, const struct rp_entry *e,
				    uint32_t n, const struct rp_attempt *a, bool damaged);
/* The entry with all its attempts as the member `attempt_log`. Errors are those of
 * rp_outbox_attempts, and RP_ERR_NOMEM; *out is NULL then. */
enum rp_err rp_entry_json_whole(const struct rp_config *config, struct rp_outbox *ob,
				const struct rp_entry *e, struct rp_json_out **out,
				struct rp_error *err);

#endif
