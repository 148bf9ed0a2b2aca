/* claim.c - hands out claims; model/claim_walk.h says what comes next. Rows are read in pieces: the
 * hosts that are due and that nobody else has, with one question the first due members of all of
 * them, with another one the first due entries of all paths that were met. */
#include "store/postgres/claim.h"

#include <stdlib.h>

#include "model/claim_walk.h"
#include "store/claims.h"
#include "store/postgres/txn_int.h"

/* Few hosts are locked, so that other senders find theirs. */
#define HOSTS_A_PIECE 16
#define MEMBERS_A_PIECE 64
#define ENTRIES_A_PIECE 64

/* Sorted, from the two queues of hosts. Those that another transaction has are passed. */
static const struct rp_pg_statement due_hosts = {
    "due_hosts", "SELECT " RP_PG_ENDPOINT_ROW " FROM endpoint e WHERE e.queue = $1::bigint"
		 " AND e.ready_at_ms <= $2::bigint AND (e.ready_at_ms, e.id) >= ($3::bigint,"
		 " $4::bigint) ORDER BY e.ready_at_ms, e.id LIMIT $5::bigint"
		 " FOR UPDATE SKIP LOCKED"};

static const struct rp_pg_statement due_members = {
    "due_members",
    "SELECT q.id, " RP_PG_ENDPOINT_ROW " FROM unnest($1::bigint[]) AS q (id) CROSS JOIN LATERAL"
    " (SELECT * FROM endpoint m WHERE m.queue = q.id AND m.ready_at_ms <= $2::bigint"
    " AND (m.ready_at_ms, m.id) >= ($3::bigint, $4::bigint)"
    " ORDER BY m.ready_at_ms, m.id LIMIT $5::bigint) e"};

/* First the one that has been due for longest. */
static const struct rp_pg_statement due_entries = {
    "due_entries",
    "SELECT " RP_PG_ENTRY_ROW " FROM unnest($1::bigint[], $2::bigint[]) AS p (id, floor)"
    " CROSS JOIN LATERAL (SELECT * FROM delivery w WHERE w.endpoint = p.id AND w.state = 1"
    " AND NOT w.behind AND w.due_at_ms >= p.floor AND w.due_at_ms <= $3::bigint"
    " ORDER BY w.due_at_ms, w.seq LIMIT $4::bigint) d"};

static const struct rp_pg_statement are_hosts_due = {
    "are_hosts_due", "SELECT EXISTS (SELECT FROM endpoint WHERE queue IN (0, 1)"
		     " AND ready_at_ms <= $1::bigint)"};

/* Rows of a ready queue, in order. */
struct queue {
	uint64_t id;
	struct rp_pg_list rows; /* struct rp_pg_endpoint, as they stood when they were read */
	bool is_read;           /* there are no more */
};
/* Of a path: its due entries, in order. */
struct backlog {
	uint64_t path;
	struct rp_pg_list rows; /* struct rp_pg_entry */
	size_t next;
	bool is_read;
};

struct claiming {
	struct rp_pg_txn *t;
	struct rp_exchange *x;
	struct rp_receiver_room room;
	struct rp_pg_index queues; /* struct queue, by id + 1 */
	struct rp_pg_index backlogs;
	size_t n_met; /* hosts that were due and nobody else's */
	struct rp_claim_walk walk;
};

struct rp_level_limits rp_pg_limits(const struct rp_pg_txn *t, const struct rp_exchange *x,
				    uint64_t id)
{
	struct rp_level_limits limits;

	x->limits(x->limits_arg, rp_pg_endpoint_of(t, id)->name, &limits);
	return limits;
}

static enum rp_err no_memory(struct rp_error *err)
{
	return rp_fail(err, RP_ERR_NOMEM, "out of memory");
}

/* --- queues ------------------------------------------------------------------------------ */

static struct queue *queue_of(struct claiming *c, uint64_t id)
{
	struct queue *q = rp_pg_index_find(&c->queues, id + 1);

	if (q != NULL)
		return q;
	q = rp_pg_alloc(c->t, sizeof *q);
	if (q == NULL || !rp_pg_index_add(&c->queues, id + 1, q))
		return NULL;
	q->id = id;
	return q;
}

/* The place of a row as it stood when it was read. */
struct row {
	struct rp_walk_row at;
	struct rp_pg_endpoint *ep;
};

static bool add_row(struct claiming *c, struct queue *q, const struct rp_pg_rows *rows, size_t i,
		    int first)
{
	struct row *row = rp_pg_alloc(c->t, sizeof *row);

	if (row == NULL)
		return false;
	row->ep = rp_pg_meet_endpoint(c->t, rows, i, first);
	row->at.id = (uint64_t)rp_pg_i64(rows, i, first);
	row->at.ready_at_ms = rp_pg_i64(rows, i, first + 3);
	return row->ep != NULL && rp_pg_list_add(&q->rows, row);
}

static enum rp_err read_hosts(struct claiming *c, struct queue *q, struct rp_walk_row from,
			      struct rp_error *err)
{
	struct rp_pg_params *p = rp_pg_params(rp_pg_of(c->t));
	const struct rp_pg_rows *rows;
	size_t ask, n, i;
	enum rp_err e;

	rp_pg_put_i64(p, (int64_t)q->id);
	rp_pg_put_i64(p, c->t->now_at_ms);
	rp_pg_put_i64(p, from.ready_at_ms);
	rp_pg_put_i64(p, (int64_t)from.id);
	rp_pg_put_i64(p, HOSTS_A_PIECE);
	ask = rp_pg_ask(c->t->store->pg, &due_hosts);
	e = rp_pg_go(c->t->store->pg, err);
	if (e != RP_OK)
		return e;
	rows = rp_pg_answer(c->t->store->pg, ask);
	n = rp_pg_n_rows(rows);
	for (i = 0; i < n; i++) {
		uint64_t id = (uint64_t)rp_pg_i64(rows, i, 0);

		if (!add_row(c, q, rows, i, 0))
			return no_memory(err);
		if (!rp_pg_has_host(c->t, id) &&
		    !rp_pg_index_add(&c->t->parts->locked, id, rp_pg_endpoint_of(c->t, id)))
			return no_memory(err);
	}
	q->is_read = n < HOSTS_A_PIECE;
	c->n_met += n;
	return RP_OK;
}

/* For a queue that was not asked for yet: for all hosts and sections that were met. */
static enum rp_err read_members(struct claiming *c, struct queue *wanted, struct rp_walk_row from,
				struct rp_error *err)
{
	size_t n_ids = 0, ask, n, i;
	uint64_t *ids = rp_pg_alloc(c->t, (c->t->parts->endpoints.n + 1) * sizeof *ids);
	struct rp_pg_params *p = rp_pg_params(rp_pg_of(c->t));
	const struct rp_pg_rows *rows;
	enum rp_err e;

	if (ids == NULL)
		return no_memory(err);
	ids[n_ids++] = wanted->id;
	if (wanted->rows.n == 0)
		RP_PG_EACH(struct rp_pg_endpoint, ep, &c->t->parts->endpoints)
	if (ep->rec.level != RP_LEVEL_PATH && ep->id != wanted->id &&
	    rp_pg_has_host(c->t, ep->id) && rp_pg_index_find(&c->queues, ep->id + 1) == NULL)
		ids[n_ids++] = ep->id;
	rp_pg_put_u64_array(p, ids, n_ids);
	rp_pg_put_i64(p, c->t->now_at_ms);
	rp_pg_put_i64(p, from.ready_at_ms);
	rp_pg_put_i64(p, (int64_t)from.id);
	rp_pg_put_i64(p, MEMBERS_A_PIECE);
	ask = rp_pg_ask(c->t->store->pg, &due_members);
	e = rp_pg_go(c->t->store->pg, err);
	if (e != RP_OK)
		return e;
	rows = rp_pg_answer(c->t->store->pg, ask);
	n = rp_pg_n_rows(rows);
	for (i = 0; i < n_ids; i++) {
		struct queue *q = queue_of(c, ids[i]);

		if (q == NULL)
			return no_memory(err);
		q->is_read = true;
	}
	for (i = 0; i < n; i++) {
		struct queue *q = queue_of(c, (uint64_t)rp_pg_i64(rows, i, 0));

		if (!add_row(c, q, rows, i, 1))
			return no_memory(err);
		q->is_read = q->rows.n % MEMBERS_A_PIECE != 0;
	}
	return RP_OK;
}

static bool is_from(const struct rp_walk_row *row, const struct rp_walk_row *from)
{
	return row->ready_at_ms > from->ready_at_ms ||
	       (row->ready_at_ms == from->ready_at_ms && row->id >= from->id);
}

static const struct row *row_from(const struct queue *q, const struct rp_walk_row *from)
{
	size_t i;

	for (i = 0; i < q->rows.n; i++) {
		const struct row *row = q->rows.items[i];

		if (is_from(&row->at, from))
			return row;
	}
	return NULL;
}

static enum rp_err due(void *arg, uint64_t queue, struct rp_walk_row from, struct rp_walk_row *row,
		       bool *any, struct rp_error *err)
{
	struct claiming *c = arg;
	struct queue *q = queue_of(c, queue);
	const struct row *found;
	enum rp_err e = RP_OK;

	if (q == NULL)
		return no_memory(err);
	found = row_from(q, &from);
	if (found == NULL && !q->is_read) {
		e = queue <= RP_QUEUE_PROVEN ? read_hosts(c, q, from, err)
					     : read_members(c, q, from, err);
		found = row_from(q, &from);
	}
	*any = e == RP_OK && found != NULL;
	if (*any)
		*row = found->at;
	return e;
}

/* A row that was read before this exchange settled something stands where it stood then: the flush
 * between has written its new place, and rows are read after that. */
static enum rp_err meet(void *arg, uint64_t queue, struct rp_walk_row row,
			struct rp_walk_node *node, bool *own, struct rp_error *err)
{
	struct claiming *c = arg;

	(void)queue;
	(void)err;
	node->ref = rp_pg_endpoint_of(c->t, row.id);
	*own = node->ref != NULL;
	return RP_OK;
}

static const struct rp_endpoint *rec(void *arg, const struct rp_walk_node *node)
{
	const struct rp_pg_endpoint *ep = node->ref;

	(void)arg;
	return &ep->rec;
}

static void changed(void *arg, const struct rp_walk_node *node, bool served)
{
	const struct claiming *c = arg;
	struct rp_pg_endpoint *ep = node->ref;

	if (served)
		ep->rec.served_at_ms = c->t->now_at_ms;
	rp_pg_changed(c->t, node->id);
}

/* --- limits ------------------------------------------------------------------------------ */

/* The section of a path may not be loaded yet, where it was met in its host's queue. */
static enum rp_err load_section(struct claiming *c, uint64_t path, struct rp_error *err)
{
	uint64_t section = rp_pg_endpoint_of(c->t, path)->rec.section;

	if (section == 0 || rp_pg_endpoint_of(c->t, section) != NULL)
		return RP_OK;
	return rp_pg_load_endpoints(c->t, &section, 1, err);
}

/* A section's limits are those that its paths ask for. */
static enum rp_err look(void *arg, const struct rp_walk_node *node, struct rp_error *err)
{
	struct claiming *c = arg;
	const enum rp_level level = rp_level_of(node->id);
	struct rp_level_limits limits;
	struct rp_receiver r;
	enum rp_err e;
	bool differ;

	if (level == RP_LEVEL_SECTION)
		return RP_OK;
	limits = rp_pg_limits(c->t, c->x, node->id);
	if (level == RP_LEVEL_HOST) {
		struct rp_pg_endpoint *host = node->ref;

		if (rp_control_apply(&host->rec.control, &limits.at[level]))
			rp_pg_changed(c->t, node->id);
		return RP_OK;
	}
	e = load_section(c, node->id, err);
	if (e == RP_OK)
		e = rp_pg_set_section(c->t, node->id, limits.section, err);
	if (e != RP_OK)
		return e;
	r = rp_pg_receiver(c->t, node->id);
	differ = rp_control_apply(&r.at[level]->control, &limits.at[level]);
	if (r.at[RP_LEVEL_SECTION] != NULL)
		differ = rp_control_apply(&r.at[RP_LEVEL_SECTION]->control,
					  &limits.at[RP_LEVEL_SECTION]) ||
			 differ;
	if (differ)
		rp_pg_changed(c->t, node->id);
	return RP_OK;
}

/* --- entries ----------------------------------------------------------------------------- */

static struct backlog *backlog_of(struct claiming *c, uint64_t path)
{
	struct backlog *b = rp_pg_index_find(&c->backlogs, path);

	if (b != NULL)
		return b;
	b = rp_pg_alloc(c->t, sizeof *b);
	if (b == NULL || !rp_pg_index_add(&c->backlogs, path, b))
		return NULL;
	b->path = path;
	return b;
}

/* How many of each are read at once: as many as it may have of what is wanted. */
static int64_t piece(const struct claiming *c, size_t n_paths)
{
	size_t n = (c->x->want + c->x->n_ahead) / (n_paths > 0 ? n_paths : 1) + 4;

	return n < ENTRIES_A_PIECE ? (int64_t)n : ENTRIES_A_PIECE;
}

/* Of this path, and if it is asked for the first time of all that were met and have none yet. */
static enum rp_err read_entries(struct claiming *c, struct backlog *wanted, struct rp_error *err)
{
	struct rp_pg_txn *t = c->t;
	size_t max = t->parts->endpoints.n, n_paths = 0, ask, i;
	uint64_t *ids = rp_pg_alloc(t, (max + 1) * sizeof *ids),
		 *floors = rp_pg_alloc(t, (max + 1) * sizeof *floors);
	struct rp_pg_params *p;
	const struct rp_pg_rows *rows;
	int64_t limit;
	enum rp_err e;

	if (ids == NULL || floors == NULL)
		return no_memory(err);
	ids[0] = wanted->path;
	floors[n_paths++] = (uint64_t)rp_pg_endpoint_of(t, wanted->path)->floor_ms;
	if (wanted->rows.n == 0)
		RP_PG_EACH(struct rp_pg_endpoint, ep, &t->parts->endpoints)
		{
			if (ep->rec.level != RP_LEVEL_PATH || ep->id == wanted->path || ep->over ||
			    ep->rec.ready_at_ms > t->now_at_ms ||
			    rp_pg_index_find(&c->backlogs, ep->id) != NULL)
				continue;
			ids[n_paths] = ep->id;
			floors[n_paths++] = (uint64_t)ep->floor_ms;
		}
	limit = piece(c, n_paths);
	p = rp_pg_params(rp_pg_of(t));
	rp_pg_put_u64_array(p, ids, n_paths);
	rp_pg_put_u64_array(p, floors, n_paths);
	rp_pg_put_i64(p, t->now_at_ms);
	rp_pg_put_i64(p, limit);
	ask = rp_pg_ask(t->store->pg, &due_entries);
	e = rp_pg_go(t->store->pg, err);
	if (e != RP_OK)
		return e;
	for (i = 0; i < n_paths; i++) {
		struct backlog *b = backlog_of(c, ids[i]);

		if (b == NULL)
			return no_memory(err);
		b->is_read = true;
		b->next = 0;
		b->rows.n = 0;
	}
	rows = rp_pg_answer(t->store->pg, ask);
	for (i = 0; i < rp_pg_n_rows(rows); i++) {
		struct rp_pg_entry *entry = rp_pg_meet_entry(t, rows, i, 0);
		struct backlog *b =
		    entry != NULL ? rp_pg_index_find(&c->backlogs, entry->d.endpoint) : NULL;

		if (b == NULL || !rp_pg_list_add(&b->rows, entry))
			return no_memory(err);
		b->is_read = (int64_t)b->rows.n < limit;
	}
	return RP_OK;
}

static bool is_due(const struct rp_pg_txn *t, const struct rp_pg_entry *entry)
{
	return !entry->removed && entry->d.state == RP_STATE_WAITING && !entry->d.behind &&
	       entry->d.due_at_ms <= t->now_at_ms;
}

/* Where an entry went that was in front, the next one of its order may be due; no row that was read
 * told so. */
static struct rp_pg_entry *first_moved(struct claiming *c, uint64_t path)
{
	struct rp_pg_entry *first = NULL;

	if (!c->t->fronts_moved)
		return NULL;
	RP_PG_EACH(struct rp_pg_entry, entry, &c->t->parts->entries)
	if (entry->d.endpoint == path && is_due(c->t, entry) &&
	    (first == NULL || entry->d.due_at_ms < first->d.due_at_ms))
		first = entry;
	return first;
}

/* The first entry of the path that is due; NULL: there is none. When a piece is used up what was
 * claimed is written, so that the next one begins behind it. */
static enum rp_err first_due(struct claiming *c, uint64_t path, struct rp_pg_entry **out,
			     struct rp_error *err)
{
	struct backlog *b = backlog_of(c, path);
	enum rp_err e = RP_OK;
	bool is_new;

	*out = NULL;
	if (b == NULL)
		return no_memory(err);
	is_new = !b->is_read && b->rows.n == 0;
	for (;;) {
		while (b->next < b->rows.n && *out == NULL) {
			struct rp_pg_entry *entry = b->rows.items[b->next];

			if (is_due(c->t, entry))
				*out = entry;
			else
				b->next++;
		}
		if (*out == NULL && b->is_read)
			*out = first_moved(c, path);
		if (*out != NULL || b->is_read)
			return RP_OK;
		if (!is_new)
			e = rp_pg_flush(c->t, err);
		if (e == RP_OK)
			e = read_entries(c, b, err);
		if (e != RP_OK)
			return e;
		is_new = false;
	}
}

static enum rp_err claim_one(struct claiming *c, const struct rp_pg_entry *entry, unsigned lacks,
			     struct rp_error *err)
{
	struct rp_pg_txn *t = c->t;
	const struct rp_receiver r = rp_pg_receiver(t, entry->d.endpoint);
	const uint64_t seq = entry->seq;
	struct rp_delivery from = entry->d, to;
	const struct rp_claim_try by = {.endpoint = from.endpoint,
					.due_at_ms = from.due_at_ms,
					.endpoint_is_gone = r.at[RP_LEVEL_PATH]->disabled,
					.slot = t->store->me.slot,
					.lacks = lacks,
					.now_at_ms = t->now_at_ms};
	struct rp_claim *claim;
	enum rp_err e;

	if (rp_transition_claim(&from, &by, &to) != RP_CLAIM_TAKEN) {
		c->x->n_dead++;
		return rp_pg_move(t, seq, &from, &to, err);
	}
	claim = rp_claims_hand_out(c->x, &r, from.endpoint, seq, &to, t->now_at_ms);
	e = rp_pg_move(t, seq, &from, &to, err);
	rp_claims_moved(claim, &r, &to);
	return e;
}

static enum rp_err take(void *arg, const struct rp_walk_node *path, bool *any, struct rp_error *err)
{
	struct claiming *c = arg;
	enum rp_err e = load_section(c, path->id, err);
	enum rp_receiver_take may = RP_TAKE_NOTHING;
	struct rp_pg_entry *entry = NULL;
	struct rp_receiver r;

	if (e == RP_OK) {
		r = rp_pg_receiver(c->t, path->id);
		may = rp_receiver_take(&r, &c->room, c->t->now_at_ms);
	}
	if (e == RP_OK && may == RP_TAKE_NEXT)
		e = first_due(c, path->id, &entry, err);
	c->walk.passed_over = c->walk.passed_over || may == RP_TAKE_PASSED_OVER;
	*any = entry != NULL;
	if (e == RP_OK && entry != NULL)
		e = claim_one(c, entry, 0, err);
	c->room = rp_claims_room(c->x);
	return e;
}

static enum rp_err take_ahead(void *arg, const struct rp_walk_node *path, enum rp_level from,
			      bool *any, struct rp_error *err)
{
	struct claiming *c = arg;
	enum rp_err e = load_section(c, path->id, err);
	struct rp_pg_entry *entry = NULL;
	struct rp_receiver r;
	unsigned lacks = 0;

	if (e == RP_OK) {
		r = rp_pg_receiver(c->t, path->id);
		if (rp_receiver_is_ahead(&r, from, c->t->now_at_ms, &lacks))
			e = first_due(c, path->id, &entry, err);
	}
	*any = entry != NULL;
	if (e == RP_OK && entry != NULL)
		e = claim_one(c, entry, lacks, err);
	c->room = rp_claims_room(c->x);
	return e;
}

static enum rp_err find(void *arg, uint64_t id, struct rp_walk_node *node, bool *any,
			struct rp_error *err)
{
	struct claiming *c = arg;
	enum rp_err e = RP_OK;

	if (rp_pg_endpoint_of(c->t, id) == NULL)
		e = rp_pg_lock(c->t, &id, 1, NULL, 0, RP_PG_SKIP, err);
	node->ref = rp_pg_endpoint_of(c->t, id);
	*any = node->ref != NULL;
	return e;
}

/* --- the walk ---------------------------------------------------------------------------- */

static enum rp_err walk(struct claiming *c, struct rp_error *err)
{
	struct rp_exchange *x = c->x;
	enum rp_err e = RP_OK;
	bool any = true;
	size_t i;

	while (e == RP_OK && any && x->n_claims < x->want)
		e = rp_claim_walk(&c->walk, &any, err);
	for (i = 0; e == RP_OK && i < x->n_ahead; i++)
		e = rp_claim_walk_ahead(&c->walk, x->ahead[i].id, x->ahead[i].want, err);
	x->passed_over = c->walk.passed_over;
	return e;
}

/* Whether there are hosts that are due and were not met: others have them. */
static enum rp_err see_others(struct claiming *c, bool *others, struct rp_error *err)
{
	size_t ask;
	enum rp_err e;

	*others = false;
	if (c->x->n_claims > 0 || c->n_met > 0)
		return RP_OK;
	rp_pg_put_i64(rp_pg_params(rp_pg_of(c->t)), c->t->now_at_ms);
	ask = rp_pg_ask(c->t->store->pg, &are_hosts_due);
	e = rp_pg_go(c->t->store->pg, err);
	if (e == RP_OK)
		*others = rp_pg_bool(rp_pg_answer(c->t->store->pg, ask), 0, 0);
	return e;
}

static void release(struct claiming *c)
{
	size_t i;

	for (i = 0; i < c->queues.size; i++) {
		struct queue *q = c->queues.slots[i].item;

		if (q != NULL)
			free(q->rows.items);
	}
	for (i = 0; i < c->backlogs.size; i++) {
		struct backlog *b = c->backlogs.slots[i].item;

		if (b != NULL)
			free(b->rows.items);
	}
	free(c->queues.slots);
	free(c->backlogs.slots);
	free(c);
}

enum rp_err rp_pg_claim(struct rp_pg_txn *t, struct rp_exchange *x, bool *others,
			struct rp_error *err)
{
	static const struct rp_walk_ops ops = {due,     meet, rec,        look,
					       changed, take, take_ahead, find};
	struct claiming *c = calloc(1, sizeof *c);
	enum rp_err e;

	if (c == NULL)
		return no_memory(err);
	c->t = t;
	c->x = x;
	c->room = rp_claims_room(x);
	rp_claim_walk_begin(&c->walk, &ops, c, &c->room, t->now_at_ms);
	e = walk(c, err);
	if (e == RP_OK)
		e = see_others(c, others, err);
	release(c);
	return e;
}
