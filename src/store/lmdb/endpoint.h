/* endpoint.h - private to src/store/lmdb: endpoints, which are paths, and the sections and hosts
 * that count for them: names, counters, and places in the ready queues.
 *
 * Those that a transaction touches are held in memory, and written once, before the commit. */
#ifndef RP_STORE_LMDB_ENDPOINT_H
#define RP_STORE_LMDB_ENDPOINT_H

#include "model/receiver.h"
#include "model/record.h"

struct rp_ep_names;
struct rp_lmdb;
struct rp_new_entry;
struct rp_txn;

/* An endpoint as one transaction sees it. */
struct rp_ep {
	uint64_t id;
	struct rp_endpoint rec;
	struct rp_ep *section, *host; /* of a path; of a section its host; else NULL */
	bool dirty;
	bool removed; /* it has none any more */
	bool rebuilt; /* its record was damaged, and it has no row yet */
	/* rp_ep_recount is counting the members of this host; it has counted this host or member */
	bool counting, counted;
	uint64_t was_in_use; /* places, when the transaction first met it */
	/* its row in a ready queue; RP_NEVER: it has none */
	uint64_t row_queue;
	int64_t row_at_ms;
	int64_t row_due_at_ms; /* and its row among all paths by when they are due; likewise */
};

/* The endpoint in this transaction, with its section and host; rp_ep_changed after changing any of
 * them. A damaged record is rebuilt by a recount. */
enum rp_err rp_ep_get(struct rp_txn *t, uint64_t id, struct rp_ep **out, struct rp_error *err);
/* What is in a host, and in each of its sections, by one walk over them. */
enum rp_err rp_ep_recount(struct rp_txn *t, struct rp_ep *host, struct rp_error *err);
/* Writes what changed; called by rp_txn_commit. */
enum rp_err rp_ep_flush(struct rp_txn *t, struct rp_error *err);

/* --- endpoint_met.c --------------------------------------------------------------------------- */

/* At the start of a transaction. */
void rp_ep_forget(struct rp_lmdb *ob);
/* NULL: the transaction has not met it. */
struct rp_ep *rp_ep_met(const struct rp_lmdb *ob, uint64_t id);
/* A zeroed place for one that it has not met. NULL: no memory. */
struct rp_ep *rp_ep_add(struct rp_lmdb *ob, uint64_t id);
/* It, its section and its host are to be written. */
void rp_ep_changed(struct rp_txn *t, struct rp_ep *ep);
/* A path that is in a section leaves it. */
void rp_ep_leave_section(struct rp_txn *t, struct rp_ep *path);
/* The levels of a path. */
struct rp_receiver rp_ep_receiver(struct rp_ep *path);

/* --- endpoint_names.c ------------------------------------------------------------------------- */

/* The key by which one is found by its name. */
struct rp_key rp_ep_key(enum rp_level level, struct rp_span name);
/* The number of one by its name, or by the key of it. RP_ERR_NOTFOUND without filling err: there
 * is none. */
enum rp_err rp_ep_find(struct rp_txn *t, enum rp_level level, struct rp_span name, uint64_t *id,
		       struct rp_error *err);
enum rp_err rp_ep_find_key(struct rp_txn *t, struct rp_key key, uint64_t *id, struct rp_error *err);
enum rp_err rp_ep_name(struct rp_txn *t, uint64_t id, struct rp_span *name, struct rp_error *err);
/* What leads from the name to the number; from the number to the name; both. */
enum rp_err rp_ep_put_key(struct rp_txn *t, struct rp_key key, uint64_t id, struct rp_error *err);
enum rp_err rp_ep_put_name(struct rp_txn *t, uint64_t id, struct rp_span name,
			   struct rp_error *err);
enum rp_err rp_ep_put_names(struct rp_txn *t, uint64_t id, struct rp_span name,
			    struct rp_error *err);
enum rp_err rp_ep_remove_names(struct rp_txn *t, uint64_t id, struct rp_error *err);

/* --- endpoint_batch.c ------------------------------------------------------------------------- */

/* Asks for the endpoints of n entries by their names, which stay the caller's. */
enum rp_err rp_ep_names_find(struct rp_txn *t, const struct rp_new_entry *entries, size_t n,
			     struct rp_error *err);
/* The number of the endpoint of entry i of those; it and its host are made when they are new. In
 * the end rp_ep_names_enter: until then nobody else finds the new ones by their names. */
enum rp_err rp_ep_names_id(struct rp_txn *t, size_t i, uint64_t *id, struct rp_error *err);
enum rp_err rp_ep_names_enter(struct rp_txn *t, struct rp_error *err);
void rp_ep_names_free(struct rp_ep_names *a);

/* --- endpoint_new.c --------------------------------------------------------------------------- */

/* The number of a path by name; it and its host are made when they are new. */
enum rp_err rp_ep_intern(struct rp_txn *t, struct rp_span name, uint64_t *id, struct rp_error *err);
/* A new path, and its host if that is new. The caller puts what leads from the name to it. */
enum rp_err rp_ep_make_path(struct rp_txn *t, struct rp_span name, uint64_t *id,
			    struct rp_error *err);
/* The path is in the section of this name from now on (empty: in none), which is made when it is
 * new. */
enum rp_err rp_ep_set_section(struct rp_txn *t, struct rp_ep *path, struct rp_span section,
			      struct rp_error *err);

/* --- endpoint_rebuild.c ----------------------------------------------------------------------- */

/* From all that names it. What its host and sections count is to be recounted then. */
enum rp_err rp_ep_rebuild(struct rp_txn *t, struct rp_ep *ep, struct rp_error *err);
/* Counts the members of a host, and what is in its sections, which the transaction has met: onto
 * what they say. */
enum rp_err rp_ep_count_members(struct rp_txn *t, struct rp_ep *host, struct rp_error *err);

#endif
