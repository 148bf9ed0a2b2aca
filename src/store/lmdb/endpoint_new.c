/* endpoint_new.c - makes endpoints when a name comes for the first time, and gives them their
 * numbers. */

#include "store/lmdb/endpoint.h"

#include <inttypes.h>
#include <string.h>

#include "base/log.h"
#include "store/lmdb/handle.h"
#include "store/lmdb/row.h"
#include "store/lmdb/txn.h"

/* --- numbers ---------------------------------------------------------------------------------- */

/* Also by one that this transaction has removed, which is remembered until the end, and by one that
 * has lost its name or its record. */
static enum rp_err is_taken(struct rp_txn *t, uint64_t id, bool *taken, struct rp_error *err)
{
	struct rp_span name;
	MDB_val v;
	enum rp_err e = rp_ep_name(t, id, &name, err);

	if (e == RP_ERR_NOTFOUND)
		e = rp_row_get(t, RP_T_ENDPOINT, rp_key1(id), &v, err);
	*taken = e == RP_OK || rp_ep_met(t->ob, id) != NULL;
	return e == RP_ERR_NOTFOUND ? RP_OK : e;
}

/* Each number is given once, until all have been. */
static enum rp_err number_of_host(struct rp_txn *t, uint64_t *id, struct rp_error *err)
{
	bool taken = false;
	enum rp_err e = RP_OK;

	do {
		*id = rp_level_new_host(t->head.next_endpoint++, &taken);
		if (taken)
			e = is_taken(t, *id, &taken, err);
	} while (e == RP_OK && taken);
	return e;
}

static enum rp_err number_of_path(struct rp_txn *t, struct rp_ep *host, uint64_t *id,
				  struct rp_error *err)
{
	bool taken = false;
	enum rp_err e = RP_OK;

	do {
		*id = rp_level_new_path(host->id, host->rec.n_paths++, &taken);
		if (taken)
			e = is_taken(t, *id, &taken, err);
	} while (e == RP_OK && taken);
	return e;
}

/* The first that is free: there are few of them, and they come and go with the configuration. */
static enum rp_err number_of_section(struct rp_txn *t, const struct rp_ep *host, uint64_t *id,
				     struct rp_error *err)
{
	bool taken;
	enum rp_err e;

	*id = host->id + RP_MEMBER_SECTIONS;
	while ((e = is_taken(t, *id, &taken, err)) == RP_OK && taken)
		++*id;
	if (e != RP_OK)
		return e;
	return rp_level_of(*id) == RP_LEVEL_SECTION
		   ? RP_OK
		   : rp_fail(err, RP_ERR_FULL, "one host has too many sections that share limits");
}

/* One that nobody finds by its name yet. */
static enum rp_err make_unfound(struct rp_txn *t, uint64_t id, struct rp_span name,
				struct rp_ep **out, struct rp_error *err)
{
	enum rp_err e = rp_ep_put_name(t, id, name, err);

	if (e != RP_OK)
		return e;
	*out = rp_ep_add(t->ob, id);
	if (*out == NULL)
		return rp_fail(err, RP_ERR_NOMEM, "out of memory");
	(*out)->dirty = t->dirty = true;
	return RP_OK;
}

static enum rp_err make(struct rp_txn *t, uint64_t id, struct rp_span name, struct rp_ep **out,
			struct rp_error *err)
{
	enum rp_err e = make_unfound(t, id, name, out, err);

	return e == RP_OK ? rp_ep_put_key(t, rp_ep_key(rp_level_of(id), name), id, err) : e;
}

/* --- making them ------------------------------------------------------------------------------ */

/* One that has lost its name gets it again, now that somebody says it. What a section counts may be
 * wrong as well: paths have left it. */
static enum rp_err mend_name(struct rp_txn *t, struct rp_ep *ep, struct rp_span name,
			     struct rp_error *err)
{
	struct rp_span there;
	enum rp_err e = rp_ep_name(t, ep->id, &there, err);

	if (e != RP_ERR_NOTFOUND)
		return e;
	rp_log(RP_LOG_ERROR, "damage", "endpoint=%" PRIu64 " what=name", ep->id);
	t->dirty = true;
	e = rp_ep_put_names(t, ep->id, name, err);
	return e == RP_OK && ep->host != NULL ? rp_ep_recount(t, ep->host, err) : e;
}

/* The host of this name, or the section of a host. RP_ERR_NOTFOUND: there is none, or the name
 * leads to something else. */
static enum rp_err known(struct rp_txn *t, const struct rp_ep *host, struct rp_span name,
			 struct rp_ep **out, struct rp_error *err)
{
	const enum rp_level level = host != NULL ? RP_LEVEL_SECTION : RP_LEVEL_HOST;
	uint64_t id;
	enum rp_err e = rp_ep_find(t, level, name, &id, err);

	if (e != RP_OK)
		return e;
	if (host != NULL ? !rp_level_is_section_of(id, host->id)
			 : id == 0 || rp_level_of(id) != RP_LEVEL_HOST)
		return RP_ERR_NOTFOUND;
	e = rp_ep_get(t, id, out, err);
	if (e == RP_OK && (*out)->removed)
		return RP_ERR_NOTFOUND;
	return e == RP_OK ? mend_name(t, *out, name, err) : e;
}

static enum rp_err host_of(struct rp_txn *t, struct rp_span name, struct rp_ep **host,
			   struct rp_error *err)
{
	uint64_t id;
	enum rp_err e = known(t, NULL, name, host, err);

	if (e != RP_ERR_NOTFOUND)
		return e;
	e = number_of_host(t, &id, err);
	return e == RP_OK ? make(t, id, name, host, err) : e;
}

/* New paths of a host mostly come side by side. */
static enum rp_err recall_host(struct rp_txn *t, struct rp_span name, struct rp_ep **host,
			       struct rp_error *err)
{
	bool is_short = name.len < sizeof t->last_host_name;
	enum rp_err e;

	if (t->last_host != NULL && !t->last_host->removed && is_short &&
	    rp_span_is(name, t->last_host_name)) {
		*host = t->last_host;
		return RP_OK;
	}
	e = host_of(t, name, host, err);
	t->last_host = NULL;
	if (e == RP_OK && is_short) {
		t->last_host = *host;
		memcpy(t->last_host_name, name.ptr, name.len);
		t->last_host_name[name.len] = '\0';
	}
	return e;
}

enum rp_err rp_ep_make_path(struct rp_txn *t, struct rp_span name, uint64_t *id,
			    struct rp_error *err)
{
	struct rp_ep *host, *path;
	enum rp_err e = recall_host(t, rp_level_host_name(name), &host, err);

	if (e == RP_OK)
		e = number_of_path(t, host, id, err);
	if (e == RP_OK)
		e = make_unfound(t, *id, name, &path, err);
	if (e != RP_OK)
		return e;
	path->host = host;
	host->rec.members++;
	host->dirty = true;
	return RP_OK;
}

enum rp_err rp_ep_intern(struct rp_txn *t, struct rp_span name, uint64_t *id, struct rp_error *err)
{
	const struct rp_key key = rp_ep_key(RP_LEVEL_PATH, name);
	enum rp_err e = rp_ep_find_key(t, key, id, err);

	if (e != RP_ERR_NOTFOUND)
		return e;
	e = rp_ep_make_path(t, name, id, err);
	return e == RP_OK ? rp_ep_put_key(t, key, *id, err) : e;
}

static enum rp_err make_section(struct rp_txn *t, struct rp_ep *host, struct rp_span name,
				struct rp_ep **out, struct rp_error *err)
{
	uint64_t id;
	enum rp_err e = known(t, host, name, out, err);

	if (e != RP_ERR_NOTFOUND)
		return e;
	e = number_of_section(t, host, &id, err);
	if (e == RP_OK)
		e = make(t, id, name, out, err);
	if (e != RP_OK)
		return e;
	(*out)->host = host;
	host->rec.members++;
	host->dirty = true;
	return RP_OK;
}

/* The host's name is part of the path's, and either may be lost. Without both it is in none. */
static enum rp_err section_of(struct rp_txn *t, struct rp_ep *path, struct rp_span section,
			      struct rp_ep **out, struct rp_error *err)
{
	struct rp_buf name = {.max = SIZE_MAX / 2};
	struct rp_span own;
	enum rp_err e = rp_ep_name(t, path->id, &own, err);

	if (e == RP_ERR_NOTFOUND)
		e = rp_ep_name(t, path->host->id, &own, err);
	if (e != RP_OK)
		return e == RP_ERR_NOTFOUND ? RP_OK : e;
	e = rp_level_section_name(rp_level_host_name(own), section, &name)
		? make_section(t, path->host, (struct rp_span){name.data, name.len}, out, err)
		: rp_fail(err, RP_ERR_NOMEM, "out of memory");
	rp_buf_release(&name);
	return e;
}

enum rp_err rp_ep_set_section(struct rp_txn *t, struct rp_ep *path, struct rp_span section,
			      struct rp_error *err)
{
	struct rp_ep *to = NULL;
	struct rp_span name;
	enum rp_err e = RP_OK;

	if (path->section == NULL && section.len == 0)
		return RP_OK;
	if (path->section != NULL) {
		e = rp_ep_name(t, path->section->id, &name, err);
		if (e != RP_OK || (section.len > 0 && rp_level_is_section_named(name, section)))
			return e;
	}
	if (section.len > 0)
		e = section_of(t, path, section, &to, err);
	if (e != RP_OK)
		return e;
	if (path->section != NULL)
		rp_ep_leave_section(t, path);
	path->section = to;
	path->rec.section = to != NULL ? to->id : 0;
	if (to != NULL)
		rp_receiver_enter(&to->rec, &path->rec);
	rp_ep_changed(t, path);
	return RP_OK;
}
