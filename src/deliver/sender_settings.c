/* sender_settings.c - puts new settings in force and frees old ones. A request keeps the
 * settings it was made from, so several generations live side by side. */

#include "deliver/sender_int.h"

#include <stdlib.h>

#include "base/log.h"

/* All but the newest, which is in force even while nothing runs. */
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

/* What the old settings could not sign must not park the endpoint under the new ones. */
static void return_parking(struct rp_sender *s)
{
	struct rp_sender_job *j;

	for (j = s->finished.first; j != NULL; j = j->next)
		if (j->settlement.kind == RP_SETTLE_PARK)
			j->settlement.kind = RP_SETTLE_RETURN;
}

enum rp_err rp_sender_reload(struct rp_sender *s, struct rp_settings *settings,
			     struct rp_error *err)
{
	enum rp_err e = rp_sender_end_turn(s, true, err); /* it asks for limits in the old ones */

	if (e != RP_OK) {
		rp_settings_discard(settings);
		return e;
	}
	e = rp_sender_put_in_force(s, settings, settings, err);
	if (e != RP_OK) {
		rp_log(RP_LOG_ERROR, "reload_refused", "code=%s", rp_err_name(e));
		return RP_OK;
	}
	return_parking(s);
	e = rp_outbox_look_again(s->o.outbox, rp_sys_wall_ms(s->o.sys), err);
	if (e == RP_OK)
		e = rp_outbox_next_look(s->o.outbox, &s->look_at_ms, err);
	return e;
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
