/* endpoint_new.c - makes endpoints when a name comes for the first time, and gives them their
 * numbers. */

#include "store/lmdb/endpoint.h"

#include <string.h>

#include "store/lmdb/handle.h"
#include "store/lmdb/txn.h"

/* --- numbers ---------------------------------------------------------------------------------- */

/* Also by one that this transaction has removed: it is remembered until the end. */
static enum rp_err is_taken(struct rp_txn *t, uint64_t id, bool *taken, struct rp_error *err)
{
	struct rp_span name;
	enum rp_err e = rp_ep_name(t, id, &name, err);

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

static enum rp_err make(struct rp_txn *t, uint64_t id, struct rp_span name, struct rp_ep **out,
			struct rp_error *err)
{
	enum rp_err e = rp_ep_put_names(t, id, name, err);

	if (e != RP_OK)
		return e;
	*out = rp_ep_add(t->ob, id);
	if (*out == NULL)
		return rp_fail(err, RP_ERR_NOMEM, "out of memory");
	(*out)->dirty = (*out)->is_new = t->dirty = true;
	return RP_OK;
}

/* --- making them ------------------------------------------------------------------------------ */

static enum rp_err host_of(struct rp_txn *t, struct rp_span name, struct rp_ep **host,
			   struct rp_error *err)
{
	uint64_t id;
	enum rp_err e = rp_ep_find(t, RP_LEVEL_HOST, name, &id, err);
	if (e == RP_OK)
		return rp_ep_get(t, id, host, err);
	if (e == RP_ERR_NOTFOUND)
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

enum rp_err rp_ep_intern(struct rp_txn *t, struct rp_span name, uint64_t *id, struct rp_error *err)
{
	struct rp_ep *host, *path;
	enum rp_err e = rp_ep_find(t, RP_LEVEL_PATH, name, id, err);

	if (e != RP_ERR_NOTFOUND)
		return e;
	e = recall_host(t, rp_level_host_name(name), &host, err);
	if (e == RP_OK)
		e = number_of_path(t, host, id, err);
	if (e == RP_OK)
		e = make(t, *id, name, &path, err);
	if (e != RP_OK)
		return e;
	path->host = host;
	host->rec.members++;
	host->dirty = true;
	return RP_OK;
}

/* Whether a section's name ends as rp_level_section_name ends it. */
static bool is_named(struct rp_span name, struct rp_span section)
{
	const char *end = name.ptr + name.len;

	return name.len >= section.len + 3 && end[-1] == ']' &&
	       memcmp(end - 1 - section.len, section.ptr, section.len) == 0 &&
	       memcmp(end - 3 - section.len, " [", 2) == 0;
}

static enum rp_err make_section(struct rp_txn *t, struct rp_ep *host, struct rp_span name,
				struct rp_ep **out, struct rp_error *err)
{
	uint64_t id;
	enum rp_err e = rp_ep_find(t, RP_LEVEL_SECTION, name, &id, err);

	if (e == RP_OK)
		return rp_ep_get(t, id, out, err);
	if (e == RP_ERR_NOTFOUND)
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

static enum rp_err section_of(struct rp_txn *t, struct rp_ep *host, struct rp_span section,
			      struct rp_ep **out, struct rp_error *err)
{
	struct rp_buf name = {.max = SIZE_MAX / 2};
	struct rp_span host_name;
	enum rp_err e = rp_ep_name(t, host->id, &host_name, err);

	if (e != RP_OK && e != RP_ERR_NOTFOUND)
		return e;
	e = rp_level_section_name(host_name, section, &name)
		? make_section(t, host, (struct rp_span){name.data, name.len}, out, err)
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
		if (e != RP_OK || (section.len > 0 && is_named(name, section)))
			return e;
	}
	if (section.len > 0)
		e = section_of(t, path->host, section, &to, err);
	if (e != RP_OK)
		return e;
	rp_ep_changed(t, path);
	if (path->section != NULL)
		rp_receiver_leave(&path->section->rec, &path->rec);
	path->section = to;
	path->rec.section = to != NULL ? to->id : 0;
	if (to != NULL)
		rp_receiver_enter(&to->rec, &path->rec);
	rp_ep_changed(t, path);
	return RP_OK;
}
