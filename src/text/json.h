/* json.h - the only door to jansson: decodes single values and builds output lines.
 *
 * Runs are never parsed into trees (text/scan.h); what comes here is a span of a few bytes that
 * the scanner validated, or an object of our own to print. */
#ifndef RP_TEXT_JSON_H
#define RP_TEXT_JSON_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"

/* Decodes a JSON string (with its quotes) into out as UTF-8. false: not a string jansson can
 * decode (a lone surrogate, an escaped NUL), or with errno ENOMEM: out of memory. Strings without
 * a backslash are copied without jansson. */
bool rp_json_decode_string(struct rp_span raw, struct rp_buf *out);

/* Calls see(name, value) for each member of the object `raw` whose value is a string; see returns
 * false to stop. Result false: not an object, a member is no string (*bad_name is set to a copy
 * owned by the caller, free it), see stopped, or with errno ENOMEM: out of memory. Duplicate
 * names: the last one. */
bool rp_json_each_string(struct rp_span raw,
			 bool (*see)(void *arg, const char *name, const char *value), void *arg,
			 char **bad_name);

/* Output: an object under construction, printed compactly on one line with its members in the
 * order they were set. Setters never fail visibly; rp_json_out_print returns false when anything
 * did, also for an object that is NULL because memory ran out. Text that is not UTF-8 is set with
 * its offending bytes replaced by U+FFFD. */
struct rp_json_out;
struct rp_json_out *rp_json_out_new(void);
void rp_json_out_free(struct rp_json_out *o);
void rp_json_out_text(struct rp_json_out *o, const char *name, const char *value); /* NULL: null */
void rp_json_out_span(struct rp_json_out *o, const char *name, struct rp_span value);
/* ... null where it is empty */
void rp_json_out_given(struct rp_json_out *o, const char *name, struct rp_span value);
void rp_json_out_int(struct rp_json_out *o, const char *name, int64_t value);
void rp_json_out_real(struct rp_json_out *o, const char *name, double value);
void rp_json_out_bool(struct rp_json_out *o, const char *name, bool value);
void rp_json_out_null(struct rp_json_out *o, const char *name);
/* RFC 3339 text; 0: null */
void rp_json_out_time(struct rp_json_out *o, const char *name, int64_t at_ms);
/* `child` becomes a member, or the last element of the array member `name`; it is consumed. */
void rp_json_out_object(struct rp_json_out *o, const char *name, struct rp_json_out *child);
/* an empty array, if none is there yet */
void rp_json_out_array(struct rp_json_out *o, const char *name);
void rp_json_out_push(struct rp_json_out *o, const char *name, struct rp_json_out *child);
/* appends, without a newline */
bool rp_json_out_print(const struct rp_json_out *o, struct rp_buf *out);

/* Appends `text` as a JSON string with quotes; for receipts, where building an object a line would
 * cost too much. */
bool rp_json_quote(struct rp_span text, struct rp_buf *out);

#endif
