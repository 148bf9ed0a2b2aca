/* http_sweep.h - private to src/deliver/http: kept connections that nobody needs any more are
 * closed, and names forgotten, also when no request comes. */
#ifndef RP_DELIVER_HTTP_HTTP_SWEEP_H
#define RP_DELIVER_HTTP_HTTP_SWEEP_H

#include "deliver/http/http_transfer.h"

struct rp_http_sweep {
	CURL *easy;
	bool under_way;
	int64_t after_ms; /* when the latest one began or ended, on the boot clock */
	int64_t until_ms; /* ... libcurl may have an address until one ends then; 0: it has none */
};

/* false: out of memory. Close it in either case, before the multi handle. */
bool rp_http_sweep_open(struct rp_http_sweep *sweep, int64_t now_ms);
void rp_http_sweep_close(struct rp_http_sweep *sweep, CURLM *multi);

/* A request to a name has ended. What it or libcurl for it looked up is in libcurl's cache: sweeps
 * go on until it is not, so that no later request goes to an old address. */
void rp_http_sweep_note_named(struct rp_http_sweep *sweep, int64_t now_ms);
/* When the next sweep is due, on the boot clock; -1: there is nothing to sweep. */
int64_t rp_http_sweep_due_ms(const struct rp_http_sweep *sweep,
			     const struct rp_http_shared *shared);
void rp_http_sweep_begin(struct rp_http_sweep *sweep, struct rp_http_shared *shared, CURLM *multi,
			 int64_t now_ms);
/* Call when libcurl says that a transfer of the multi handle is done. false: it is no sweep. */
bool rp_http_sweep_end(struct rp_http_sweep *sweep, CURLM *multi, const CURL *easy, int64_t now_ms);

#endif
