/* door_target.h - which receiver a request to /to is for: the webhook URL of its runs. Pure.
 *
 * The door is no open relay. A URL comes from a section of the configuration that says `door =
 * yes`, or lies in one, or is signed with one of our keys. What could be read as another path
 * than it looks is refused: dot segments in any spelling, empty segments, and encoded '/', '\',
 * '.', '%', ';' and control bytes behind a NAME. */
#ifndef RP_SERVE_DOOR_TARGET_H
#define RP_SERVE_DOOR_TARGET_H

#include "config/config.h"
#include "serve/door_route.h"
#include "serve/token_list.h"

/* Appends to *out the URL for rp_run_options.url, of an ask TO_NAME or TO_URL. *policy: the section
 * that it lies in, or the defaults.
 *
 * TO_NAME: the section's `url` up to its query, the rest, and then the section's query and the
 * request's, joined by '&'. One of two slashes that meet goes. keys: of door_key_file; empty where
 * there is none.
 *
 * false: *no says why not, and *out is as it was: 404 no_such_endpoint, 403 not_published,
 * bad_signature or token_in_url, 422 bad_url, 503 failed (out of memory). token_in_url: the door's
 * URL held a runpost_token, and the section would send it on in the Run's kwargs.webhook. */
bool rp_door_target_add(const struct rp_config *config, const struct rp_token_list *keys,
			const struct rp_door_ask *ask, struct rp_buf *out,
			const struct rp_policy **policy, struct rp_door_refusal *no);

/* Whether a section keeps the door's own URL, and the credential in it, from the receiver. */
bool rp_door_keeps_own_url(const struct rp_policy *policy);

#endif
