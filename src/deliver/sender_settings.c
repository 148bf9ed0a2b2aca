/* sender_settings.c - puts new settings in force and frees old ones. A request keeps the
 * settings it was made from, so several generations live side by side. */

#include "deliver/sender_settings.h"

#include <stdlib.h>

/* The newest settings stay: they are in force even while nothing runs. */
void rp_sender_discard_unused(struct rp_sender *s)
{
	struct rp_sender_settings **at = &s->newest->older, *g;

	while ((g = *at) != NULL) {
		if (g->requests > 0) {
			at = &g->older;
			continue;
		}
		*at = g->older;
		rp_settings_discard(g->owned);
		free(g);
	}
}

enum rp_err rp_sender_put_in_force(struct rp_sender *s, const struct rp_settings *settings,
				   struct rp_settings *owned, struct rp_error *err)
{
	struct rp_sender_settings *g = calloc(1, sizeof *g);

	if (g == NULL) {
		rp_settings_discard(owned);
		return rp_fail(err, RP_ERR_NOMEM, "out of memory");
	}
	*g = (struct rp_sender_settings){.older = s->newest, .settings = settings, .owned = owned};
	s->newest = g;
	s->o.settings = settings;
	rp_sender_discard_unused(s);
	return RP_OK;
}

void rp_sender_release_settings(struct rp_sender *s)
{
	struct rp_sender_settings *g;

	while ((g = s->newest) != NULL) {
		s->newest = g->older;
		rp_settings_discard(g->owned);
		free(g);
	}
}
