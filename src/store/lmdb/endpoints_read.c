/* endpoints_read.c - shows endpoints: all paths, or the hosts alone. Hosts have millions of paths,
 * so what is not asked for is not walked. */

#include "store/lmdb/lmdb_ops.h"

#include "store/lmdb/endpoint.h"
#include "store/lmdb/handle.h"
#include "store/lmdb/row.h"
#include "store/lmdb/txn.h"

static bool is_meant(struct rp_endpoints_which which, uint64_t id)
{
	enum rp_level level = rp_level_of(id);

	switch (which.of) {
	case RP_ENDPOINTS_PATHS:
		return level == RP_LEVEL_PATH;
	case RP_ENDPOINTS_HOSTS:
		return level == RP_LEVEL_HOST;
	case RP_ENDPOINTS_SHARED:
		return level != RP_LEVEL_PATH;
	case RP_ENDPOINTS_OF_HOST:
		return level != RP_LEVEL_HOST;
	case RP_ENDPOINTS_ONE:
		break;
	}
	return id == which.id;
}

/* From where on what is meant may stand behind this one. */
static uint64_t next_id(struct rp_endpoints_which which, uint64_t id)
{
	bool skips = which.of == RP_ENDPOINTS_HOSTS ||
		     (which.of == RP_ENDPOINTS_SHARED && rp_level_of(id) == RP_LEVEL_PATH);

	return skips ? rp_level_host(id) + RP_MEMBER_NUMBERS : id + 1;
}

static bool is_behind(struct rp_endpoints_which which, uint64_t id)
{
	if (which.of == RP_ENDPOINTS_OF_HOST)
		return rp_level_host(id) != which.id;
	return which.of == RP_ENDPOINTS_ONE && id != which.id;
}

enum rp_err rp_lmdb_endpoints(struct rp_outbox *outbox, struct rp_endpoints_which which,
			      bool (*see)(void *arg, uint64_t id, struct rp_span name,
					  const struct rp_endpoint *e),
			      void *arg, struct rp_error *err)
{
	struct rp_lmdb *ob = rp_lmdb_of(outbox);
	uint64_t id = which.id;
	struct rp_endpoint ep;
	struct rp_span name;
	struct rp_txn t;
	bool go_on = true;
	MDB_val v;
	enum rp_err e = rp_txn_read(ob, &t, err);

	if (e != RP_OK)
		return e;
	while (go_on && (e = rp_row_from(&t, RP_T_ENDPOINT, &id, 1, 0, &v, err)) == RP_OK &&
	       !is_behind(which, id)) {
		if (is_meant(which, id)) {
			/* a damaged one shows as zeroes; `verify` names it */
			rp_endpoint_unpack(&ep, id, v.mv_data, v.mv_size);
			ep.level = rp_level_of(id);
			e = rp_ep_name(&t, id, &name, err);
			if (e != RP_OK && e != RP_ERR_NOTFOUND)
				break;
			go_on = see(arg, id, name, &ep);
		}
		id = next_id(which, id);
	}
	rp_txn_end(&t);
	return e == RP_ERR_NOTFOUND ? RP_OK : e;
}

enum rp_err rp_lmdb_endpoint_find(struct rp_outbox *outbox, enum rp_level level,
				  struct rp_span name, uint64_t *id, struct rp_error *err)
{
	struct rp_lmdb *ob = rp_lmdb_of(outbox);
	struct rp_txn t;
	enum rp_err e = rp_txn_read(ob, &t, err);

	if (e != RP_OK)
		return e;
	e = rp_ep_find(&t, level, name, id, err);
	rp_txn_end(&t);
	return e == RP_ERR_NOTFOUND ? rp_fail(err, e, "there is no such %s", rp_level_name(level))
				    : e;
}
