/* sender_places.c - keeps which claims of this sender wait for which places. It is apart from
 * sender_attempt.c because nothing here makes a request. */

#include "deliver/sender_places.h"

#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "deliver/sender_list.h"

#define AHEAD_LOOK_MS 250 /* between looks for claims that have waited too long */
/* So many claims ahead, for each delivery since the last exchange, or between two of late. They
 * last while one exchange is made, and half the way to the next. */
#define AHEAD_DELIVERIES 2
#define LATELY_PART 4 /* an exchange that brought many is forgotten by this part with each one */

/* --- nodes -------------------------------------------------------------------------------- */

enum rp_err rp_sender_places_new(struct rp_sender *s, struct rp_error *err)
{
	size_t n = s->n_claims * RP_LEVELS, i;

	for (s->n_buckets = 64; s->n_buckets < s->n_claims; s->n_buckets *= 2)
		;
	s->nodes = calloc(n, sizeof s->nodes[0]);
	s->buckets = calloc(s->n_buckets, sizeof s->buckets[0]);
	s->exchange_ahead = calloc(n, sizeof s->exchange_ahead[0]);
	if (s->nodes == NULL || s->buckets == NULL || s->exchange_ahead == NULL)
		return rp_fail(err, RP_ERR_NOMEM, "out of memory");
	for (i = n; i-- > 0;) {
		s->nodes[i].next = s->free_nodes;
		s->free_nodes = &s->nodes[i];
	}
	return RP_OK;
}

void rp_sender_places_free(struct rp_sender *s)
{
	free(s->nodes);
	free(s->buckets);
	free(s->exchange_ahead);
}

/* Numbers of endpoints differ in their lowest bits, or in those from RP_HOST_SHIFT on. */
static struct rp_sender_node **bucket_of(const struct rp_sender *s, uint64_t id)
{
	return &s->buckets[(id ^ id >> RP_HOST_SHIFT) & (s->n_buckets - 1)];
}

/* There are as many as all claims could need. */
static struct rp_sender_node *take_node(struct rp_sender *s, uint64_t id)
{
	struct rp_sender_node **bucket = bucket_of(s, id), *node = *bucket;

	while (node != NULL && node->id != id)
		node = node->next;
	if (node == NULL) {
		node = s->free_nodes;
		assert(node != NULL);
		s->free_nodes = node->next;
		*node = (struct rp_sender_node){.next = *bucket, .id = id};
		rp_sender_list_init(&node->ahead);
		*bucket = node;
	}
	node->n_claims++;
	return node;
}

static void leave_node(struct rp_sender *s, struct rp_sender_node *node)
{
	struct rp_sender_node **at = bucket_of(s, node->id);

	assert(node->n_claims > 0);
	if (--node->n_claims > 0)
		return;
	assert(node->ahead.n == 0 && node->n_placed == 0);
	while (*at != node)
		at = &(*at)->next;
	*at = node->next;
	node->next = s->free_nodes;
	s->free_nodes = node;
}

/* --- places ------------------------------------------------------------------------------- */

static void count_placed(struct rp_sender_claim *c, bool has)
{
	int l;

	for (l = 0; l < RP_LEVELS; l++) {
		if (c->at[l] == NULL)
			continue;
		assert(has || c->at[l]->n_placed > 0);
		c->at[l]->n_placed += has ? 1u : (size_t)-1;
	}
}

/* The lowest level that it lacks. Who has a place there has one on the levels above as well. */
static struct rp_sender_node *node_to_wait_at(const struct rp_sender_claim *c)
{
	int l;

	for (l = 0; l < RP_LEVELS; l++)
		if ((c->claim.lacks & RP_LACKS(l)) != 0)
			return c->at[l];
	return NULL;
}

bool rp_sender_places_claimed(struct rp_sender *s, struct rp_sender_claim *c)
{
	const uint64_t ids[RP_LEVELS] = {c->claim.endpoint, c->claim.tokens.section,
					 rp_level_host(c->claim.endpoint)};
	int l;

	c->number = s->n_numbered++;
	c->over = false;
	c->to = c->from = NULL;
	for (l = 0; l < RP_LEVELS; l++) {
		c->at[l] = ids[l] != 0 ? take_node(s, ids[l]) : NULL;
		if ((c->claim.full & RP_LACKS(l)) != 0 && c->at[l] != NULL)
			c->at[l]->wanted = true;
	}
	c->waits_at = node_to_wait_at(c);
	if (c->waits_at == NULL) {
		count_placed(c, true);
		return false;
	}
	rp_sender_list_push(&c->waits_at->ahead, c);
	s->n_ahead++;
	return true;
}

/* Takes the oldest that waits there off its list. */
static struct rp_sender_claim *take_waiting(struct rp_sender *s, struct rp_sender_node *node)
{
	struct rp_sender_claim *c = rp_sender_list_pop(&node->ahead);

	s->n_ahead--;
	c->waits_at = NULL;
	count_placed(c, true);
	return c;
}

/* The oldest. */
static void give_back(struct rp_sender *s, struct rp_sender_node *node)
{
	struct rp_sender_claim *c = rp_sender_list_pop(&node->ahead);

	s->n_ahead--;
	c->waits_at = NULL;
	c->over = true;
	rp_sender_list_push(&s->in_vain, c);
}

static void return_waiting(struct rp_sender *s, struct rp_sender_node *node)
{
	while (node->ahead.n > 0)
		give_back(s, node);
}

void rp_sender_places_pass(struct rp_sender *s, struct rp_sender_claim *c)
{
	struct rp_sender_node *oldest = NULL;
	int l;

	if (s->n_ahead == 0 || c->to != NULL || c->settlement.kind != RP_SETTLE_DELIVERED)
		return;
	for (l = 0; l < RP_LEVELS; l++) {
		struct rp_sender_node *node = c->at[l];

		if (node != NULL && node->ahead.n > 0 &&
		    (oldest == NULL || node->ahead.first->number < oldest->ahead.first->number))
			oldest = node;
	}
	if (oldest == NULL)
		return;
	c->to = take_waiting(s, oldest);
	c->to->from = c;
	rp_sender_list_push(&s->ready, c->to);
}

void rp_sender_places_finished(struct rp_sender *s, struct rp_sender_claim *c)
{
	int l;

	if (c->over)
		return;
	c->over = true;
	if (c->settlement.kind == RP_SETTLE_DELIVERED) {
		for (l = 0; l < RP_LEVELS; l++)
			if (c->at[l] != NULL)
				c->at[l]->n_delivered++;
		rp_sender_places_pass(s, c);
	}
	count_placed(c, false);
	for (l = 0; l < RP_LEVELS; l++)
		if (c->at[l] != NULL && c->at[l]->n_placed == 0)
			return_waiting(s, c->at[l]);
}

static struct rp_claim_ref ref_to(const struct rp_sender_claim *c)
{
	return (struct rp_claim_ref){c->claim.seq, c->claim.claim_no};
}

/* The settlement of one that is being settled names its successor. If it is committed already, that
 * one has the places; else the first of them all. */
void rp_sender_places_tell(struct rp_sender_claim *c)
{
	struct rp_sender_claim *at = c;

	memset(c->claim.places_of, 0, sizeof c->claim.places_of);
	if (c->claim.lacks == 0)
		return;
	for (; at->from != NULL; at = at->from)
		if (at != c && at->from->settlement.passes_to_seq == at->claim.seq)
			c->claim.places_of[0] = ref_to(at);
	if (at != c)
		c->claim.places_of[1] = ref_to(at);
}

void rp_sender_places_left(struct rp_sender *s, struct rp_sender_claim *c)
{
	int l;

	if (!c->over)
		count_placed(c, false);
	if (c->to != NULL)
		c->to->from = NULL;
	if (c->from != NULL)
		c->from->to = NULL;
	c->to = c->from = NULL;
	for (l = 0; l < RP_LEVELS; l++) {
		if (c->at[l] != NULL && !c->over && c->at[l]->n_placed == 0)
			return_waiting(s, c->at[l]);
		if (c->at[l] != NULL)
			leave_node(s, c->at[l]);
		c->at[l] = NULL;
	}
}

/* --- the exchange ------------------------------------------------------------------------- */

static void ask_at(struct rp_sender *s, struct rp_sender_node *node, size_t *room)
{
	size_t lately = node->n_delivered > node->n_lately ? node->n_delivered : node->n_lately;
	size_t wanted = node->n_placed + AHEAD_DELIVERIES * lately;
	size_t want = wanted > node->ahead.n ? wanted - node->ahead.n : 0;

	want = want < *room ? want : *room;
	if (want == 0)
		return;
	node->wanted = false; /* until a claim says so again */
	*room -= want;
	s->exchange_ahead[s->exchange.n_ahead++] = (struct rp_claim_ahead){node->id, want};
}

/* How long an exchange takes varies: it may have to wait for the write lock. Where a short one is
 * followed by a long one, claims for the deliveries of the short one run out. */
static void note_delivered(struct rp_sender_node *node)
{
	size_t before = node->n_lately - node->n_lately / LATELY_PART;

	if (node->n_delivered == 0) /* as one that was noted already */
		return;
	node->n_lately = node->n_delivered > before ? node->n_delivered : before;
	node->n_delivered = 0;
}

/* While a receiver takes its time, a commit is nothing. */
static bool is_fast(const struct rp_sender_claim *c)
{
	return c->settlement.kind == RP_SETTLE_DELIVERED &&
	       c->outcome.duration_us < (int64_t)RP_AHEAD_MS * 1000;
}

void rp_sender_places_ask(struct rp_sender *s, size_t room)
{
	const struct rp_sender_claim *c;
	int l;

	s->exchange.ahead = s->exchange_ahead;
	for (l = 0; l < RP_LEVELS; l++)
		for (c = s->finished.first; c != NULL; c = c->next)
			if (c->at[l] != NULL && c->at[l]->wanted && is_fast(c))
				ask_at(s, c->at[l], &room);
	for (c = s->finished.first; c != NULL; c = c->next)
		for (l = 0; l < RP_LEVELS; l++)
			if (c->at[l] != NULL)
				note_delivered(c->at[l]);
}

void rp_sender_places_use(struct rp_sender *s)
{
	struct rp_sender_claim *c;
	size_t i;

	s->n_ahead_got = s->n_ahead;
	for (c = s->finished.first; c != NULL; c = c->next)
		rp_sender_places_pass(s, c);
	for (i = 0; i < s->n_claims && s->n_ahead > 0; i++) {
		struct rp_sender_node *node = s->claims[i].waits_at;

		if (node != NULL && node->n_placed == 0)
			return_waiting(s, node);
	}
}

void rp_sender_places_return(struct rp_sender *s)
{
	size_t i;

	for (i = 0; i < s->n_claims && s->n_ahead > 0; i++)
		if (s->claims[i].waits_at != NULL)
			return_waiting(s, s->claims[i].waits_at);
}

void rp_sender_places_return_old(struct rp_sender *s)
{
	size_t i;

	if (s->n_ahead == 0 || s->now_boot_ms - s->ahead_boot_ms < AHEAD_LOOK_MS)
		return;
	s->ahead_boot_ms = s->now_boot_ms;
	for (i = 0; i < s->n_claims; i++) {
		struct rp_sender_node *node = s->claims[i].waits_at;

		while (node != NULL && node->ahead.n > 0 &&
		       s->now_boot_ms - node->ahead.first->claimed_boot_ms >= RP_AHEAD_MS)
			give_back(s, node);
	}
}

bool rp_sender_places_run_out(const struct rp_sender *s)
{
	return s->n_ahead < s->n_ahead_got / 2;
}
