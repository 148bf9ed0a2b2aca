/* sender_settings.c - puts new settings in force and frees old ones. A request keeps the
 * settings it was made from, so several generations live side by side. */

#include "deliver/sender_settings.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

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

void rp_sender_limits_of(void *arg, struct rp_span name, struct rp_level_limits *out)
{
	const struct rp_sender *s = arg;
	struct rp_url url;

	/* A name that was lost is of no host that a section knows. */
	if (rp_url_parse(name, &url, NULL) != RP_OK)
		memset(&url, 0, sizeof url);
	rp_config_limits(&s->o.settings->config, &url, out);
}

void rp_sender_limits_now(const struct rp_sender *s, const struct rp_url *url,
			  unsigned in_flight_max[RP_LEVELS])
{
	struct rp_level_limits limits;
	int l;

	for (l = 0; l < RP_LEVELS; l++)
		in_flight_max[l] = UINT_MAX;
	if (url == NULL)
		return;
	rp_config_limits(&s->o.settings->config, url, &limits);
	/* A path that is still in a section of an older configuration leaves it with its next
	 * claim. */
	for (l = 0; l < RP_LEVELS; l++)
		if (l != RP_LEVEL_SECTION || limits.section.len > 0)
			in_flight_max[l] = limits.at[l].in_flight;
}
