/* http_unread.h - private to src/deliver/http: the answer that libcurl left in the socket. */
#ifndef RP_DELIVER_HTTP_HTTP_UNREAD_H
#define RP_DELIVER_HTTP_HTTP_UNREAD_H

#include "deliver/http/http_transfer.h"

/* Call when libcurl has failed and is about to close the connection. Takes a complete answer that
 * lies there unread into the notes and the outcome. */
void rp_transfer_read_on(struct rp_transfer *t);

#endif
