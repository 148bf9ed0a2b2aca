/* reach.c - sees that a handle has its connections. */
#include "store/postgres/handle.h"
#include "store/postgres/schema.h"

/* Makes a connection anew: one attempt. Else *at is NULL. */
static enum rp_err connect_anew(struct rp_pgstore *s, struct rp_pg **at, struct rp_error *err)
{
	enum rp_err e;

	rp_pg_disconnect(*at);
	*at = NULL;
	e = rp_pg_connect(&s->address, at, err);
	if (e == RP_OK)
		e = rp_pg_schema_check(*at, &s->address, 0, err);
	if (e != RP_OK) {
		rp_pg_disconnect(*at);
		*at = NULL;
	}
	return e;
}

enum rp_err rp_pg_reach(struct rp_pgstore *s, struct rp_error *err)
{
	if (s->pg != NULL && rp_pg_look(s->pg))
		return RP_OK;
	s->n_connected++;
	return connect_anew(s, &s->pg, err);
}

enum rp_err rp_pg_reach_side(struct rp_pgstore *s, struct rp_error *err)
{
	if (s->side != NULL && !rp_pg_is_lost(s->side))
		return RP_OK;
	return connect_anew(s, &s->side, err);
}
