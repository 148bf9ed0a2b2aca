/* report.h - tells of each delivery: a line for people on stdout, a JSON object a line in the
 * record file, and the body in a file of its own. Records are written before the answer is sent:
 * what a sender saw answered is on record. */
#ifndef RP_SINK_REPORT_H
#define RP_SINK_REPORT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "http_server/request.h"
#include "judge.h"
#include "plan.h"

/* Initialise with rp_sink_report_open. */
struct rp_sink_report {
	bool quiet;
	const char *record_path, *dir_path;
	int record_fd, dir_fd; /* -1: none */
	struct rp_buf lines;   /* for stdout, not yet written */
	struct rp_buf record, scratch, run_id, status, target;
};

struct rp_sink_delivery {
	uint64_t n; /* counts from 1 */
	int64_t at_ms;
	const struct rp_http_request *request;
	struct rp_sink_verdict verdict;
	const struct rp_sink_reply *reply;
};

/* record_path and dir_path may be NULL. The file is appended to, the directory made when missing;
 * both only for the owner, as payloads are nobody else's business. Borrows the paths. */
enum rp_err rp_sink_report_open(struct rp_sink_report *report, const char *record_path,
				const char *dir_path, bool quiet, struct rp_error *err);
void rp_sink_report_close(struct rp_sink_report *report);

enum rp_err rp_sink_report_delivery(struct rp_sink_report *report,
				    const struct rp_sink_delivery *delivery, struct rp_error *err);
/* A request that could not be read: a line, no record. */
enum rp_err rp_sink_report_malformed(struct rp_sink_report *report, int64_t at_ms, int status,
				     const char *why, struct rp_error *err);
/* Writes the lines gathered so far to stdout. */
enum rp_err rp_sink_report_flush(struct rp_sink_report *report, struct rp_error *err);

#endif
