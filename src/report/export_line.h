/* export_line.h - an entry as a line of JSON that `import` can make the same entry of. The members
 * are in docs/formats.md.
 *
 * Written with its secrets a line brings everything back: id, payload byte for byte, URL, headers,
 * times, state, counts. The secrets are the values in the query of the URL, a path that is not
 * shown (shown.h) and the values of headers. Without them the values are REDACTED, and as the Run
 * in a payload repeats the URL, the payload is left out too: such a line says "complete":false and
 * is for looking at. So is one whose payload alone has such a URL as a `webhook`, at any depth: an
 * envelope, or --webhook, may have sent the Run elsewhere than it says. An entry that has no
 * secrets is complete either way. */
#ifndef RP_REPORT_EXPORT_LINE_H
#define RP_REPORT_EXPORT_LINE_H

#include "base/bytes.h"
#include "base/err.h"
#include "config/config.h"
#include "store/outbox.h"

/* Whether a line of it is complete only with its secrets. */
bool rp_export_has_secrets(const struct rp_config *config, const struct rp_entry *e,
			   struct rp_span payload);

/* Appends the line with its line feed. `e` must not be damaged, `payload` must be whole. false:
 * out of memory (a full `out`), which is then as it was. */
bool rp_export_line(const struct rp_config *config, const struct rp_entry *e,
		    struct rp_span payload, bool with_secrets, struct rp_buf *out);

/* A line that was read. Spans point into the line and into `text`. Init with {0}, release,
 * reusable. */
struct rp_import_line {
	/* seq is 0; facts.endpoint and delivery.endpoint are 0: the store knows the numbers */
	struct rp_entry entry;
	struct rp_span payload;
	struct rp_buf text;
};
/* RP_ERR_INVAL: err says which member is wrong and what would be right, and repeats no secret. An
 * entry that was in flight is waiting. */
enum rp_err rp_import_line(struct rp_import_line *l, struct rp_span line, struct rp_error *err);
void rp_import_line_release(struct rp_import_line *l);

#endif
