/* reach.c - sees that a handle has its connections. */
#include "store/postgres/handle.h"
#include "store/postgres/schema.h"

static void lose(struct rp_pgstore *s)
{
	rp_pg_disconnect(s->pg);
	s->pg = NULL;
}

enum rp_err rp_pg_reach(struct rp_pgstore *s, struct rp_error *err)
{
	enum rp_err e;

	if (s->pg != NULL && rp_pg_look(s->pg))
		return RP_OK;
	lose(s);
	s->n_connected++;
	e = rp_pg_connect(&s->address, &s->pg, err);
	if (e == RP_OK)
		e = rp_pg_schema_check(s->pg, &s->address, 0, err);
	if (e != RP_OK)
		lose(s);
	return e;
}

enum rp_err rp_pg_reach_side(struct rp_pgstore *s, struct rp_error *err)
{
	enum rp_err e;

	if (s->side != NULL && !rp_pg_is_lost(s->side))
		return RP_OK;
	rp_pg_disconnect(s->side);
	s->side = NULL;
	e = rp_pg_connect(&s->address, &s->side, err);
	if (e == RP_OK)
		e = rp_pg_schema_check(s->side, &s->address, 0, err);
	if (e != RP_OK) {
		rp_pg_disconnect(s->side);
		s->side = NULL;
	}
	return e;
}
