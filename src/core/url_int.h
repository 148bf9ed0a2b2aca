/* url_int.h - private to core/: the parts of url.h that url.c, url_same.c, url_show.c and redact.c
 * share. */
#ifndef RP_CORE_URL_INT_H
#define RP_CORE_URL_INT_H

#include "core/mask_int.h"
#include "core/url.h"

/* Appends the name of the endpoint. false: out of memory, and a part of it may stand in out. */
bool rp_url_add_endpoint(const struct rp_url *url, struct rp_buf *out);

/* Between rp_mask_begin and _end: the values of the query, and names that are not shown. */
void rp_url_mask_query(const struct rp_url *url, struct rp_mask *m);

#endif
