/* http_request.h - private to src/deliver/http: makes a transfer, with its easy handle, its options
 * and its callbacks. */
#ifndef RP_DELIVER_HTTP_HTTP_REQUEST_H
#define RP_DELIVER_HTTP_HTTP_REQUEST_H

#include "deliver/http/http_transfer.h"

/* A transfer with the options that never change. NULL: out of memory. */
struct rp_transfer *rp_transfer_new(struct rp_http_shared *shared);
void rp_transfer_free(struct rp_transfer *t); /* it must not be in a multi handle */
/* Sets what `request` asks for. RP_ERR_NOMEM, RP_ERR_INVAL: the transfer stays usable for another
 * request. */
enum rp_err rp_transfer_prepare(struct rp_transfer *t, const struct rp_request *request,
				struct rp_error *err);
/* Takes the time that a prepared request has waited off its timeouts. false: libcurl refuses. */
bool rp_transfer_prepare_waited(struct rp_transfer *t, int64_t waited_ms);
/* Prepares the same request once more, on a fresh connection, in the time that is left. false: out
 * of memory; t->outcome says nothing then. */
bool rp_transfer_prepare_again(struct rp_transfer *t);

#endif
