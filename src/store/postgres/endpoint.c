/* endpoint.c - finds and makes paths, hosts and sections by their names. */
#include <stdlib.h>

#include "base/assert.h"
#include "store/postgres/txn_int.h"

#define TRIES_MAX 20

static const struct rp_pg_statement find_names = {
    "find_names", "SELECT n.i, e.id FROM unnest($1::bigint[], $2::bigint[], $3::bytea[])"
		  " AS n (i, level, hash) JOIN endpoint e ON e.level = n.level"
		  " AND e.name_hash = n.hash"};

static const struct rp_pg_statement take_host_numbers = {
    "take_host_numbers", "SELECT nextval('host_number') FROM generate_series(1, $1::bigint)"};

static const struct rp_pg_statement find_sections = {
    "find_sections",
    "SELECT id FROM endpoint WHERE id > $1::bigint AND id < $2::bigint ORDER BY id"};

void rp_pg_changed(struct rp_pg_txn *t, uint64_t id)
{
	struct rp_pg_endpoint *ep = rp_pg_endpoint_of(t, id), *up;

	assert(ep != NULL);
	ep->dirty = t->dirty = true;
	up = rp_pg_endpoint_of(t, ep->rec.section);
	if (up != NULL)
		up->dirty = true;
	up = rp_pg_endpoint_of(t, rp_level_host(id));
	if (up != NULL)
		up->dirty = true;
}

/* --- names ------------------------------------------------------------------------------- */

struct name {
	struct rp_span text;
	enum rp_level level;
	uint64_t id; /* 0: not found */
};

/* Queues the question for the numbers of those that have none yet. false: all have one. */
static bool ask_names(struct rp_pg *pg, const struct name *names, size_t n, size_t *ask)
{
	struct rp_pg_params *p = rp_pg_params(pg);
	unsigned char hash[RP_PG_NAME_HASH_BYTES];
	size_t missing = 0, i;

	for (i = 0; i < n; i++)
		missing += names[i].id == 0;
	if (missing == 0)
		return false;
	rp_pg_array_begin(p, RP_PG_INT8, missing);
	for (i = 0; i < n; i++)
		if (names[i].id == 0)
			rp_pg_add_i64(p, (int64_t)i);
	rp_pg_array_end(p);
	rp_pg_array_begin(p, RP_PG_INT8, missing);
	for (i = 0; i < n; i++)
		if (names[i].id == 0)
			rp_pg_add_i64(p, names[i].level);
	rp_pg_array_end(p);
	rp_pg_array_begin(p, RP_PG_BYTEA, missing);
	for (i = 0; i < n; i++) {
		if (names[i].id != 0)
			continue;
		rp_pg_name_hash(names[i].text, hash);
		rp_pg_add_bytea(p, (struct rp_span){(const char *)hash, sizeof hash});
	}
	rp_pg_array_end(p);
	*ask = rp_pg_ask(pg, &find_names);
	return true;
}

static void see_names(const struct rp_pg *pg, size_t ask, struct name *names)
{
	const struct rp_pg_rows *rows = rp_pg_answer(pg, ask);
	size_t i;

	for (i = 0; i < rp_pg_n_rows(rows); i++)
		names[rp_pg_i64(rows, i, 0)].id = (uint64_t)rp_pg_i64(rows, i, 1);
}

/* Fills in the numbers of those that have none yet. */
static enum rp_err find(struct rp_pg_txn *t, struct name *names, size_t n, struct rp_error *err)
{
	struct rp_pg *pg = t->begun ? rp_pg_of(t) : t->store->pg;
	enum rp_err e;
	size_t ask;

	if (!ask_names(pg, names, n, &ask))
		return RP_OK;
	e = rp_pg_go(pg, err);
	if (e == RP_OK)
		see_names(pg, ask, names);
	return e;
}

static int compare(const void *a, const void *b)
{
	const struct name *x = a, *y = b;
	size_t len = x->text.len < y->text.len ? x->text.len : y->text.len;
	int c = x->level != y->level ? (int)x->level - (int)y->level
				     : memcmp(x->text.ptr, y->text.ptr, len);

	return c != 0 ? c : (x->text.len > y->text.len) - (x->text.len < y->text.len);
}

/* Each once, sorted. */
static size_t sort(struct name *names, size_t n)
{
	size_t kept = 0, i;

	qsort(names, n, sizeof *names, compare);
	for (i = 0; i < n; i++)
		if (i == 0 || compare(&names[i], &names[kept - 1]) != 0)
			names[kept++] = names[i];
	return kept;
}

/* --- making ------------------------------------------------------------------------------ */

static struct rp_pg_endpoint *make(struct rp_pg_txn *t, uint64_t id, struct rp_span name)
{
	struct rp_pg_endpoint *ep = rp_pg_alloc(t, sizeof *ep), *host;

	if (ep == NULL)
		return NULL;
	ep->id = id;
	ep->name = rp_pg_keep(t, name);
	ep->rec.level = rp_level_of(id);
	ep->rec.ready_at_ms = ep->rec.first_due_at_ms = ep->floor_ms = RP_NEVER;
	ep->is_new = ep->dirty = t->dirty = true;
	host = rp_pg_endpoint_of(t, rp_level_host(id));
	if (host != NULL) {
		host->rec.members++;
		host->dirty = true;
	}
	if (rp_pg_list_add(&t->parts->endpoints, ep) &&
	    rp_pg_index_add(&t->parts->endpoint_by_id, id, ep))
		return ep;
	t->parts->no_memory = true;
	return NULL;
}

/* In a transaction of their own, before this one has any lock: those who make the same ones wait
 * for each other in the order of names. */
static enum rp_err make_hosts(struct rp_pg_txn *t, struct name *hosts, size_t n,
			      struct rp_error *err)
{
	struct rp_pg_endpoint **all = rp_pg_alloc(t, (n + 1) * sizeof(void *));
	struct rp_pg *pg = t->store->pg;
	size_t n_new = 0, ask, i;
	bool may_be_taken;
	enum rp_err e;

	assert(!t->begun);
	if (all == NULL)
		return rp_fail(err, RP_ERR_NOMEM, "out of memory");
	for (i = 0; i < n; i++) {
		if (hosts[i].id != 0)
			continue;
		all[n_new] = rp_pg_alloc(t, sizeof *all[n_new]);
		if (all[n_new] == NULL)
			return rp_fail(err, RP_ERR_NOMEM, "out of memory");
		all[n_new++]->name = hosts[i].text;
	}
	if (n_new == 0)
		return RP_OK;
	rp_pg_put_i64(rp_pg_params(pg), (int64_t)n_new);
	ask = rp_pg_ask(pg, &take_host_numbers);
	e = rp_pg_go(pg, err);
	if (e != RP_OK)
		return e;
	for (i = 0; i < n_new; i++) {
		all[i]->id = rp_level_new_host((uint64_t)rp_pg_i64(rp_pg_answer(pg, ask), i, 0),
					       &may_be_taken);
		all[i]->rec.level = RP_LEVEL_HOST;
		all[i]->rec.ready_at_ms = all[i]->rec.first_due_at_ms = RP_NEVER;
	}
	rp_pg_put_endpoints(rp_pg_params(pg), all, n_new, true);
	rp_pg_ask(pg, &rp_pg_insert_endpoints);
	e = rp_pg_go(pg, err);
	return e == RP_OK ? find(t, hosts, n, err) : e;
}

static struct name *host_of(struct name *hosts, size_t n, struct rp_span path)
{
	struct name wanted = {rp_level_host_name(path), RP_LEVEL_HOST, 0};

	return bsearch(&wanted, hosts, n, sizeof *hosts, compare);
}

/* Under its host, which is locked: nobody else makes one. */
static enum rp_err make_path(struct rp_pg_txn *t, struct name *path, uint64_t host_id,
			     struct rp_error *err)
{
	struct rp_pg_endpoint *host = rp_pg_endpoint_of(t, host_id);
	bool may_be_taken;
	uint64_t id;

	do {
		id = rp_level_new_path(host->id, host->rec.n_paths++, &may_be_taken);
		if (may_be_taken) {
			enum rp_err e = rp_pg_load_endpoints(t, &id, 1, err);

			if (e != RP_OK)
				return e;
		}
	} while (rp_pg_endpoint_of(t, id) != NULL);
	path->id = id;
	return make(t, id, path->text) != NULL ? RP_OK
					       : rp_fail(err, RP_ERR_NOMEM, "out of memory");
}

/* --- interning --------------------------------------------------------------------------- */

struct interning {
	struct name *paths, *hosts;
	size_t n_paths, n_hosts;
};

/* Those that others have made before their hosts were locked. */
static enum rp_err load_found(struct rp_pg_txn *t, const struct interning *in, struct rp_error *err)
{
	uint64_t *ids = rp_pg_alloc(t, (in->n_paths + 1) * sizeof *ids);
	size_t n = 0, i;

	if (ids == NULL)
		return rp_fail(err, RP_ERR_NOMEM, "out of memory");
	for (i = 0; i < in->n_paths; i++)
		if (in->paths[i].id != 0 && rp_pg_endpoint_of(t, in->paths[i].id) == NULL)
			ids[n++] = in->paths[i].id;
	return n > 0 ? rp_pg_load_endpoints(t, ids, n, err) : RP_OK;
}

static enum rp_err make_paths(struct rp_pg_txn *t, struct interning *in, struct rp_error *err)
{
	enum rp_err e = find(t, in->paths, in->n_paths, err);
	size_t i;

	if (e == RP_OK)
		e = load_found(t, in, err);

	for (i = 0; e == RP_OK && i < in->n_paths; i++)
		if (in->paths[i].id == 0)
			e = make_path(t, &in->paths[i],
				      host_of(in->hosts, in->n_hosts, in->paths[i].text)->id, err);
	return e;
}

/* *all: every host is locked. One that went meanwhile is made anew. */
static enum rp_err lock_hosts(struct rp_pg_txn *t, struct interning *in, bool *all,
			      struct rp_error *err)
{
	uint64_t *ids = rp_pg_alloc(t, (in->n_hosts + in->n_paths + 1) * sizeof *ids);
	size_t n = 0, i;
	enum rp_err e;

	if (ids == NULL)
		return rp_fail(err, RP_ERR_NOMEM, "out of memory");
	for (i = 0; i < in->n_hosts; i++)
		ids[n++] = in->hosts[i].id;
	for (i = 0; i < in->n_paths; i++)
		if (in->paths[i].id != 0)
			ids[n++] = in->paths[i].id;
	e = rp_pg_lock(t, ids, n, NULL, 0, RP_PG_WAIT, err);
	*all = true;
	for (i = 0; e == RP_OK && i < in->n_hosts; i++)
		*all = *all && rp_pg_endpoint_of(t, in->hosts[i].id) != NULL;
	/* a path that went meanwhile, or was made anew under another number, is looked for again */
	for (i = 0; e == RP_OK && i < in->n_paths; i++)
		if (rp_pg_endpoint_of(t, in->paths[i].id) == NULL)
			in->paths[i].id = 0;
	return e;
}

static enum rp_err try_once(struct rp_pg_txn *t, struct interning *in, bool *all,
			    struct rp_error *err)
{
	struct rp_pg *pg = t->store->pg;
	size_t hosts = 0, paths = 0, i;
	enum rp_err e;

	for (i = 0; i < in->n_hosts; i++)
		in->hosts[i].id = 0;
	for (i = 0; i < in->n_paths; i++)
		in->paths[i].id = 0;
	ask_names(pg, in->hosts, in->n_hosts, &hosts);
	ask_names(pg, in->paths, in->n_paths, &paths);
	e = rp_pg_go(pg, err);
	if (e != RP_OK)
		return e;
	see_names(pg, hosts, in->hosts);
	see_names(pg, paths, in->paths);
	e = make_hosts(t, in->hosts, in->n_hosts, err);
	return e == RP_OK ? lock_hosts(t, in, all, err) : e;
}

static enum rp_err begin_anew(struct rp_pg_txn *t, struct rp_error *err)
{
	struct rp_pgstore *s = t->store;
	bool synced = t->synced;
	enum rp_err e;

	rp_pg_rollback(t);
	e = rp_pg_begin(s, t->now_at_ms, &t, err);
	if (e == RP_OK)
		t->synced = synced;
	return e;
}

static void sort_names(struct interning *in, const struct rp_span *names, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++) {
		in->paths[i] = (struct name){names[i], RP_LEVEL_PATH, 0};
		in->hosts[i] = (struct name){rp_level_host_name(names[i]), RP_LEVEL_HOST, 0};
	}
	in->n_paths = sort(in->paths, n);
	in->n_hosts = sort(in->hosts, n);
}

enum rp_err rp_pg_intern(struct rp_pg_txn *t, const struct rp_span *names, size_t n, uint64_t *ids,
			 struct rp_error *err)
{
	struct interning in = {.paths = calloc(n, sizeof *in.paths),
			       .hosts = calloc(n, sizeof *in.hosts)};
	bool all = false;
	enum rp_err e = RP_OK;
	int tries;
	size_t i;

	if (in.paths == NULL || in.hosts == NULL)
		e = rp_fail(err, RP_ERR_NOMEM, "out of memory");
	else
		sort_names(&in, names, n);
	for (tries = 0; e == RP_OK && !all; tries++) {
		if (tries > 0)
			e = begin_anew(t, err);
		if (e == RP_OK)
			e = try_once(t, &in, &all, err);
		if (e == RP_OK && !all && tries == TRIES_MAX)
			e = rp_fail(err, RP_ERR_BUSY, "hosts come and go too fast");
	}
	if (e == RP_OK)
		e = make_paths(t, &in, err);
	for (i = 0; e == RP_OK && i < n; i++) {
		struct name wanted = {names[i], RP_LEVEL_PATH, 0},
			    *found =
				bsearch(&wanted, in.paths, in.n_paths, sizeof *in.paths, compare);

		ids[i] = found->id;
	}
	free(in.paths);
	free(in.hosts);
	return e;
}

/* --- sections ---------------------------------------------------------------------------- */

static enum rp_err free_section(struct rp_pg_txn *t, uint64_t host, uint64_t *id,
				struct rp_error *err)
{
	struct rp_pg_params *p = rp_pg_params(rp_pg_of(t));
	const struct rp_pg_rows *rows;
	size_t ask, i;
	enum rp_err e;

	rp_pg_put_i64(p, (int64_t)host);
	rp_pg_put_i64(p, (int64_t)(host + RP_MEMBER_PATHS));
	ask = rp_pg_ask(t->store->pg, &find_sections);
	e = rp_pg_go(t->store->pg, err);
	if (e != RP_OK)
		return e;
	rows = rp_pg_answer(t->store->pg, ask);
	*id = host + RP_MEMBER_SECTIONS;
	for (i = 0; i < rp_pg_n_rows(rows) && (uint64_t)rp_pg_i64(rows, i, 0) == *id; i++)
		(*id)++;
	while (rp_pg_index_find(&t->parts->endpoint_by_id, *id) != NULL)
		(*id)++;
	return RP_OK;
}

static enum rp_err section_named(struct rp_pg_txn *t, uint64_t host, struct rp_span name,
				 uint64_t *id, struct rp_error *err)
{
	struct name wanted = {name, RP_LEVEL_SECTION, 0};
	enum rp_err e;

	RP_PG_EACH(struct rp_pg_endpoint, ep, &t->parts->endpoints)
	if (ep->rec.level == RP_LEVEL_SECTION && !ep->over && ep->name.len == name.len &&
	    memcmp(ep->name.ptr, name.ptr, name.len) == 0) {
		*id = ep->id;
		return RP_OK;
	}
	rp_pg_of(t);
	e = find(t, &wanted, 1, err);
	if (e == RP_OK && wanted.id != 0)
		e = rp_pg_load_endpoints(t, &wanted.id, 1, err);
	else if (e == RP_OK)
		e = free_section(t, host, &wanted.id, err);
	*id = wanted.id;
	if (e == RP_OK && rp_pg_endpoint_of(t, *id) == NULL && make(t, *id, name) == NULL)
		e = rp_fail(err, RP_ERR_NOMEM, "out of memory");
	return e;
}

enum rp_err rp_pg_set_section(struct rp_pg_txn *t, uint64_t path, struct rp_span section,
			      struct rp_error *err)
{
	struct rp_pg_endpoint *ep = rp_pg_endpoint_of(t, path),
			      *host = rp_pg_endpoint_of(t, rp_level_host(path)), *at;
	struct rp_buf name = {.max = SIZE_MAX / 2};
	enum rp_err e = RP_OK;
	uint64_t id = 0;

	if (section.len > 0) {
		e = rp_level_section_name(host->name, section, &name)
			? section_named(t, host->id, (struct rp_span){name.data, name.len}, &id,
					err)
			: rp_fail(err, RP_ERR_NOMEM, "out of memory");
		rp_buf_release(&name);
	}
	if (e != RP_OK || ep->rec.section == id)
		return e;
	rp_pg_changed(t, path);
	at = rp_pg_endpoint_of(t, ep->rec.section);
	if (at != NULL)
		rp_receiver_leave(&at->rec, &ep->rec);
	ep->rec.section = id;
	at = rp_pg_endpoint_of(t, id);
	if (at != NULL)
		rp_receiver_enter(&at->rec, &ep->rec);
	rp_pg_changed(t, path);
	return RP_OK;
}
