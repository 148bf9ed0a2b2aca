/* url_int.h - private to src/net: what url_same.c and url_show.c share. */
#ifndef RP_NET_URL_INT_H
#define RP_NET_URL_INT_H

#include "net/url.h"

/* Appends the name of the endpoint. false: out of memory, and a part of it may stand in out. */
bool rp_url_add_endpoint(const struct rp_url *url, struct rp_buf *out);

#endif
