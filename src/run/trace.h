/* trace.h - W3C Trace Context (levels 1 and 2): which trace a run is a part of. Pure.
 *
 * runpost takes no part in a trace. It keeps the context that a run came with, as a header of the
 * entry, and sends it on as it is with each attempt. What is not valid is left out, as the
 * recommendation wants it: a trace that breaks off is no reason to lose a run. */
#ifndef RP_RUN_TRACE_H
#define RP_RUN_TRACE_H

#include "base/bytes.h"

#define RP_TRACE_ID_DIGITS 32
#define RP_TRACE_STATE_MAX 512 /* bytes of a tracestate */

/* Version, trace id, parent id and flags in lower-case hexadecimal digits, with '-' between. No id
 * is all zero. Version 00 ends there, at 55 bytes. ff is no version. A later one may go on behind
 * another '-', with printable ASCII. */
bool rp_trace_parent_is_valid(struct rp_span value);

/* Up to 32 members `key=value` between commas, together at most RP_TRACE_STATE_MAX bytes, all of
 * them printable ASCII. Members may be empty, but not all of them. Tabs around a comma, which the
 * recommendation allows, are refused: no header that we send has any. */
bool rp_trace_state_is_valid(struct rp_span value);

/* Appends the header lines "traceparent: ...\n" and "tracestate: ...\n" of a context that came with
 * a request. Nothing if traceparent is missing or not valid; tracestate only if it is valid. A
 * request that has several tracestate lines means them joined with commas; several traceparent
 * lines are not valid. false: out of memory. */
bool rp_trace_pack(struct rp_span traceparent, struct rp_span tracestate, struct rp_buf *out);

/* The trace id in packed headers ("name: value\n" for each, names in lower case): of the first
 * valid traceparent, 32 digits. Empty: there is none. */
struct rp_span rp_trace_id(struct rp_span headers);

#endif
