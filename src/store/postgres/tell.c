/* tell.c - says that something was committed. */
#include "store/postgres/tell.h"

#include <stdio.h>

static const struct rp_pg_statement nobody_watches = {
    "nobody_watches", "SELECT pg_try_advisory_xact_lock(" RP_PG_WATCHERS ")"};
static const struct rp_pg_statement notify = {"notify", "SELECT pg_notify($1::text, $2::text)"};

static const char *name_of(enum rp_watch what)
{
	return what == RP_WATCH_WORK ? "work" : "commits";
}

/* A database may have several outboxes, and whoever sleeps is told only what it waits for. */
void rp_pg_name_channel(const struct rp_pgstore *s, enum rp_watch what, char out[RP_PG_CHANNEL_MAX])
{
	snprintf(out, RP_PG_CHANNEL_MAX, "runpost_%s_%.40s", name_of(what), s->address.schema);
}

size_t rp_pg_ask_nobody_watches(struct rp_pg *pg)
{
	rp_pg_params(pg);
	return rp_pg_ask(pg, &nobody_watches);
}

void rp_pg_tell(struct rp_pgstore *s, enum rp_watch what)
{
	char channel[RP_PG_CHANNEL_MAX];
	struct rp_pg_params *p;

	if (s->pg == NULL || rp_pg_is_lost(s->pg))
		return;
	rp_pg_name_channel(s, what, channel);
	p = rp_pg_params(s->pg);
	rp_pg_put_text(p, rp_span_of(channel));
	rp_pg_put_text(p, rp_span_of(""));
	rp_pg_say(s->pg, &notify);
}
