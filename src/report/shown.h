/* shown.h - URLs and names of endpoints as this configuration lets people see them
 * (config/redact.h).
 *
 * The configuration is set once, before a verb runs; until then nothing but queries is hidden.
 * Each function appends; false: out of memory. */
#ifndef RP_CTL_REPORT_SHOWN_H
#define RP_CTL_REPORT_SHOWN_H

#include "config/redact.h"
#include "store/outbox.h"

/* `config` stays the caller's and must live as long as anything is shown; NULL: none. */
void rp_shown_setup(const struct rp_config *config);

bool rp_shown_url(const struct rp_url *url, struct rp_buf *out);
bool rp_shown_endpoint(struct rp_span name, struct rp_buf *out);
/* Whether a URL, as text, has something that is not shown; one that cannot be read may. */
bool rp_shown_hides(struct rp_span url);
/* Masks what a receiver repeated of the URL's secrets; n <= RP_RESPONSE_HEAD_MAX. */
void rp_shown_mask(const struct rp_url *url, unsigned char *text, size_t n);

/* For one use at once: `name` itself where nothing is hidden, else what room now holds. Release
 * room. */
struct rp_span rp_shown_name(struct rp_span name, struct rp_buf *room);
/* The same for what was typed for a name. A pattern that is no URL may hold any part of a path:
 * where some path is a secret it is withheld. */
struct rp_span rp_shown_pattern(struct rp_span glob, struct rp_buf *room);

#endif
