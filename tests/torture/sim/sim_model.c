/* What is known about every entry, from what was committed, and what must follow from it. */
#include "sim.h"

#include <limits.h>

#include "model/sequence.h"
#include "store/lmdb/endpoint.h"
#include "store/lmdb/entry_rows.h"
#include "store/lmdb/txn.h"

/* Entries that share an order. */
struct order {
	uint64_t *seqs;
	size_t n, cap;
};
static struct order orders[N_EPS][ORDERS_PER_EP + 1];

static struct sim_entry *entry_of(uint64_t seq)
{
	MUST(seq > 0 && seq <= sim.n_entries, "there is no entry %llu", (unsigned long long)seq);
	return &sim.entries[seq];
}

static struct sim_actor *living(int birth)
{
	int i;

	for (i = 0; i < SENDERS_MAX; i++)
		if (sim.actors[i].ob != NULL && sim.actors[i].birth == birth &&
		    !sim.actors[i].crashed)
			return &sim.actors[i];
	return NULL;
}

bool sim_delivery(uint64_t seq, struct rp_delivery *d)
{
	struct rp_error err;
	struct rp_txn t;
	enum rp_err e;

	sim_must(rp_txn_read(rp_lmdb_of(sim.base), &t, &err), &err, "read");
	e = rp_entry_delivery(&t, seq, d, &err);
	rp_txn_end(&t);
	MUST(e == RP_OK || e == RP_ERR_NOTFOUND, "entry %llu cannot be read",
	     (unsigned long long)seq);
	return e == RP_OK;
}

uint64_t sim_level_id(const struct sim_level *level, enum rp_level which)
{
	struct rp_error err;
	struct rp_txn t;
	uint64_t id = 0;
	enum rp_err e;

	sim_must(rp_txn_read(rp_lmdb_of(sim.base), &t, &err), &err, "read");
	e = rp_ep_find(&t, which, rp_span_of(level->name), &id, &err);
	rp_txn_end(&t);
	return e == RP_OK ? id : 0;
}

void sim_payload(uint64_t seed, char *out, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++) {
		seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407u;
		out[i] = (char)(seed >> 56);
	}
}

/* --- levels ------------------------------------------------------------------------------- */

struct sim_level *sim_level_of(struct sim_ep *ep, enum rp_level which)
{
	if (which == RP_LEVEL_PATH)
		return &ep->level;
	if (which == RP_LEVEL_HOST)
		return &sim_host_of(ep)->level;
	return ep->in_section ? &sim_section_of(ep)->level : NULL;
}

void sim_section_empty(struct sim_section *section)
{
	unsigned i;

	for (i = 0; i < section->n_eps; i++)
		sim.eps[section->first_ep + i].in_section = false;
	section->level.n_held = section->level.n_lacking = section->level.n_wire_times = 0;
}

static bool lacks(const struct sim_entry *e, enum rp_level which)
{
	return e->holder != NOBODY && (e->lacks & RP_LACKS(which)) != 0;
}

/* Something was claimed from the path, so the store has looked whether its section shares. */
static void enter_section(struct sim_ep *ep)
{
	struct sim_section *section = sim_section_of(ep);
	size_t i;

	if (ep->in_section || !section->shares)
		return;
	ep->in_section = true;
	section->level.n_held += ep->level.n_held;
	for (i = 0; i < sim.n_held; i++)
		section->level.n_lacking += &sim.eps[sim.entries[sim.held[i]].ep] == ep &&
					    lacks(&sim.entries[sim.held[i]], RP_LEVEL_SECTION);
}

/* Its record has gone. */
static void forget_level(struct sim_level *level)
{
	level->open = level->half_open = level->settled_any = false;
	level->n_opened = level->n_opened_before = 0;
}

static void forget_path(struct sim_ep *ep)
{
	forget_level(&ep->level);
	ep->parked_until_ms = 0;
	ep->bad = false;
}

static void forget_host(struct sim_host *host)
{
	forget_level(&host->level);
	host->delivered_at_ms = 0;
	host->n_bad = host->n_bad_since = 0;
}

/* By this number an exchange knows a path now. One that is new has a record that is new. */
static void meet(struct sim_ep *ep, uint64_t id)
{
	struct sim_host *host = sim_host_of(ep);

	if (ep->level.id != id)
		forget_path(ep);
	if (host->level.id != rp_level_host(id))
		forget_host(host);
	ep->level.id = id;
	host->level.id = rp_level_host(id);
}

/* --- holding ------------------------------------------------------------------------------ */

static void count_held(const struct sim_entry *e, int by)
{
	struct sim_level *level;
	int l;

	for (l = 0; l < RP_LEVELS; l++) {
		level = sim_level_of(&sim.eps[e->ep], (enum rp_level)l);
		if (level == NULL)
			continue;
		level->n_held += (unsigned)by;
		level->n_lacking += lacks(e, (enum rp_level)l) ? (unsigned)by : 0;
	}
}

static unsigned in_use(const struct sim_level *level)
{
	return level->n_held - level->n_lacking;
}

static void hold(struct sim_entry *e, uint64_t seq, int birth, unsigned lacking)
{
	e->holder = birth;
	e->state = RP_STATE_IN_FLIGHT;
	e->lacks = lacking;
	e->begun = e->ended = false;
	count_held(e, 1);
	if (sim.n_held == sim.cap_held) {
		sim.cap_held = sim.cap_held > 0 ? 2 * sim.cap_held : 256;
		sim.held = realloc(sim.held, sim.cap_held * sizeof sim.held[0]);
		MUST(sim.held != NULL, "out of memory");
	}
	e->held_at = sim.n_held;
	sim.held[sim.n_held++] = seq;
}

static void drop(struct sim_entry *e, enum rp_state state)
{
	uint64_t last;

	if (e->holder != NOBODY) {
		count_held(e, -1);
		last = sim.held[--sim.n_held];
		sim.held[e->held_at] = last;
		sim.entries[last].held_at = e->held_at;
	}
	e->holder = NOBODY;
	e->state = state;
	e->lacks = 0;
}

/* A delay, from now on. */
static void set_due(struct sim_entry *e, int64_t due_at_ms)
{
	e->due_at_ms = due_at_ms;
	e->set_at_ms = sim_wall_ms();
}

/* --- what comes in ------------------------------------------------------------------------ */

void sim_model_added(uint64_t seq, const struct sim_entry *added)
{
	struct order *o = &orders[added->ep][added->order];

	MUST(seq == sim.n_entries + 1, "entry %llu after %llu", (unsigned long long)seq,
	     (unsigned long long)sim.n_entries);
	if (seq >= sim.cap_entries) {
		sim.cap_entries = sim.cap_entries > 0 ? 2 * sim.cap_entries : 4096;
		sim.entries = realloc(sim.entries, sim.cap_entries * sizeof sim.entries[0]);
		MUST(sim.entries != NULL, "out of memory");
	}
	sim.entries[seq] = *added;
	sim.entries[seq].state = RP_STATE_WAITING;
	/* a time that was asked for is no delay */
	sim.entries[seq].set_at_ms = added->due_at_ms != 0 ? 0 : sim_wall_ms();
	sim.entries[seq].holder = NOBODY;
	sim.entries[seq].n_2xx_allowed = 1;
	sim.n_entries = seq;
	sim.counts.entries++;
	if (added->order == 0)
		return;
	if (o->n == o->cap) {
		o->cap = o->cap > 0 ? 2 * o->cap : 64;
		o->seqs = realloc(o->seqs, o->cap * sizeof o->seqs[0]);
		MUST(o->seqs != NULL, "out of memory");
	}
	o->seqs[o->n++] = seq;
}

/* --- settling ----------------------------------------------------------------------------- */

/* Whether a breaker that had opened so often in a row pauses for so long now. */
static bool is_pause(int64_t pause_ms, unsigned n_opened)
{
	int64_t expected_ms = RP_BREAKER_PAUSE_MS << (n_opened < 10 ? n_opened : 10);

	return pause_ms ==
	       (expected_ms < RP_BREAKER_PAUSE_MAX_MS ? expected_ms : RP_BREAKER_PAUSE_MAX_MS);
}

static void note_breaker(struct sim_level *level, enum rp_control_change change,
			 int64_t probe_at_ms, int64_t now_at_ms)
{
	if (change == RP_CONTROL_OPENED) {
		MUST(level->breaker, "the breaker of %s is off and opened", level->name);
		/* switched off and on again before anybody came by, it was never off */
		if (!is_pause(probe_at_ms - now_at_ms, level->n_opened) &&
		    level->n_opened < level->n_opened_before)
			level->n_opened = level->n_opened_before;
		MUST(is_pause(probe_at_ms - now_at_ms, level->n_opened),
		     "%s: a pause of %lld ms, after %u before", level->name,
		     (long long)(probe_at_ms - now_at_ms), level->n_opened);
		level->open = true;
		level->half_open = false;
		level->n_opened++;
		level->n_opened_before = 0;
		level->probe_at_ms = probe_at_ms;
	} else if (change == RP_CONTROL_CLOSED) {
		level->open = level->half_open = false;
		level->n_opened = level->n_opened_before = 0;
		level->settled_any = true;
	}
}

/* An answer that is not bad closes a breaker that waits for one, and a good one any. */
static void check_breaker(const struct sim_level *level, enum rp_control_change change,
			  enum rp_feedback feedback)
{
	bool good = feedback == RP_FEEDBACK_GOOD;

	MUST(change != RP_CONTROL_OPENED || feedback == RP_FEEDBACK_BAD,
	     "the breaker of %s opened without a bad outcome", level->name);
	MUST(!level->open || !(good || (level->half_open && feedback == RP_FEEDBACK_NEUTRAL)) ||
		 change == RP_CONTROL_CLOSED,
	     "the breaker of %s was not closed by an answer", level->name);
	MUST(!level->half_open || !level->breaker || feedback != RP_FEEDBACK_BAD ||
		 change == RP_CONTROL_OPENED,
	     "the probe of %s failed, and its breaker is as it was", level->name);
}

static void end_series(struct sim_host *host)
{
	unsigned i;

	for (i = 0; i < N_EPS; i++)
		if (sim_host_of(&sim.eps[i]) == host)
			sim.eps[i].bad = false;
	host->n_bad = host->n_bad_since = 0;
}

/* A path counts once until any of the host has answered. */
static void note_host(struct sim_ep *ep, enum rp_control_change change, enum rp_feedback feedback)
{
	struct sim_host *host = sim_host_of(ep);

	if (feedback == RP_FEEDBACK_BAD) {
		host->n_bad += !ep->bad;
		/* one that was switched off may close yet, and forgets then */
		host->n_bad_since += !ep->bad && host->level.n_opened_before == 0;
		ep->bad = true;
		MUST(change != RP_CONTROL_OPENED || host->level.open ||
			 host->level.n_opened_before > 0 || host->n_bad >= RP_BREAKER_STREAK,
		     "the breaker of %s opened: %u paths failed since an answer", host->level.name,
		     host->n_bad);
	} else if (feedback != RP_FEEDBACK_NONE) {
		end_series(host);
	}
}

/* What an attempt told of its receiver. */
static void note_result(struct sim_entry *e, const struct rp_settlement *s, int64_t now_at_ms)
{
	const enum rp_feedback feedback =
	    rp_feedback_of(s->outcome->cause, s->outcome->http_status);
	struct sim_ep *ep = &sim.eps[e->ep];
	struct sim_host *host = sim_host_of(ep);
	struct sim_level *level;
	int l;

	meet(ep, s->endpoint);
	if (s->kind == RP_SETTLE_DELIVERED)
		host->delivered_at_ms = now_at_ms;
	note_host(ep, s->change[RP_LEVEL_HOST], feedback);
	for (l = 0; l < RP_LEVELS; l++) {
		level = sim_level_of(ep, (enum rp_level)l);
		if (level == NULL) {
			MUST(l == RP_LEVEL_SECTION, "a level is missing");
			continue;
		}
		MUST(l != RP_LEVEL_SECTION || s->change[l] == RP_CONTROL_SAME, "%s has a breaker",
		     level->name);
		check_breaker(level, s->change[l], feedback);
		sim.counts.hosts_opened += l == RP_LEVEL_HOST && s->change[l] == RP_CONTROL_OPENED;
		sim.counts.paths_opened += l == RP_LEVEL_PATH && s->change[l] == RP_CONTROL_OPENED;
		note_breaker(level, s->change[l], s->probe_at_ms[l], now_at_ms);
		level->settled_any = true;
	}
}

/* A result whose claim was lost changes nothing, unless it is the good one. */
static void settled_late(struct sim_entry *e, const struct rp_settlement *s, int64_t now_at_ms)
{
	struct rp_delivery d;

	if (s->kind != RP_SETTLE_DELIVERED || e->purged || !sim_delivery(s->seq, &d))
		return;
	MUST(d.state == RP_STATE_DELIVERED, "entry %llu: a late 2xx was not taken",
	     (unsigned long long)s->seq);
	drop(e, RP_STATE_DELIVERED);
	note_result(e, s, now_at_ms);
}

static void settled_retry(struct sim_entry *e, const struct rp_settlement *s)
{
	MUST(s->due_at_ms >= e->decided_from_ms, "entry %llu: the retry is %lld ms early",
	     (unsigned long long)s->seq, (long long)(e->decided_from_ms - s->due_at_ms));
	MUST(s->due_at_ms <= e->decided_to_ms, "entry %llu: the retry is %lld ms late",
	     (unsigned long long)s->seq, (long long)(s->due_at_ms - e->decided_to_ms));
	MUST(e->expires_at_ms == 0 || s->due_at_ms < e->expires_at_ms, "a retry after its end");
	e->failures++;
	MUST(e->failures < sim_section_of(&sim.eps[e->ep])->attempts_max,
	     "entry %llu: %u failures, and again", (unsigned long long)s->seq, e->failures);
	set_due(e, s->due_at_ms);
	drop(e, RP_STATE_WAITING);
}

static void settled_dead(struct sim_entry *e, const struct rp_settlement *s, int64_t now_at_ms)
{
	bool told = e->told == e->attempts;

	e->failures++;
	switch (s->cause) {
	case RP_CAUSE_EXHAUSTED:
		MUST(told && e->failures >= sim_section_of(&sim.eps[e->ep])->attempts_min,
		     "entry %llu: given up after %u failures", (unsigned long long)s->seq,
		     e->failures);
		break;
	case RP_CAUSE_GONE:
		MUST(told && e->told_gone, "entry %llu: gone without a 410",
		     (unsigned long long)s->seq);
		break;
	case RP_CAUSE_EXPIRED:
		MUST(e->expires_at_ms != 0 &&
			 (told ? e->decided_to_ms : now_at_ms) >= e->expires_at_ms,
		     "entry %llu: expired too early", (unsigned long long)s->seq);
		break;
	default:
		MUST(false, "entry %llu: dead for cause %d", (unsigned long long)s->seq, s->cause);
	}
	drop(e, RP_STATE_DEAD);
}

static void forget_unproven(struct sim_actor *a, uint64_t seq, uint32_t claim_no)
{
	unsigned i;

	for (i = 0; i < a->n_unproven; i++)
		if (a->unproven[i].seq == seq && a->unproven[i].claim_no == claim_no)
			a->unproven[i--] = a->unproven[--a->n_unproven];
}

void sim_model_stale(struct sim_actor *a, const struct rp_claim *c)
{
	forget_unproven(a, c->seq, c->claim_no);
}

/* What one had that was delivered another of the same sender has from now on. No more places are
 * taken than before, unless the first one had lost them. */
static void note_pass(const struct sim_actor *a, const struct sim_entry *from,
		      const struct rp_settlement *s)
{
	struct sim_entry *to = entry_of(s->passes_to_seq);
	int l;

	sim_note("pass", s->passes_to_seq, s->passes_to_claim_no);
	MUST(s->kind == RP_SETTLE_DELIVERED, "entry %llu passes its places on, and failed",
	     (unsigned long long)s->seq);
	if (to->purged || to->holder != a->birth || to->claim_no != s->passes_to_claim_no)
		return;
	for (l = 0; l < RP_LEVELS; l++) {
		struct sim_level *has = sim_level_of(&sim.eps[from->ep], (enum rp_level)l),
				 *gets = sim_level_of(&sim.eps[to->ep], (enum rp_level)l);

		if (!lacks(to, (enum rp_level)l) || gets == NULL)
			continue;
		MUST(has == gets || (l == RP_LEVEL_SECTION && has == NULL),
		     "entry %llu gets the places of another receiver",
		     (unsigned long long)s->passes_to_seq);
		gets->n_lacking--;
		gets->was_in_use += s->stale;
		MUST(in_use(gets) <= gets->was_in_use, "%s: a place is there twice", gets->name);
	}
	to->lacks = 0;
}

static void settled(struct sim_actor *a, const struct rp_settlement *s, int64_t now_at_ms)
{
	struct sim_entry *e = entry_of(s->seq);
	struct sim_ep *ep = &sim.eps[e->ep];
	bool valid = !e->purged && e->holder == a->birth && e->claim_no == s->claim_no;

	sim_note("settle", s->seq, (uint64_t)s->kind | (uint64_t)s->stale << 8);
	forget_unproven(a, s->seq, s->claim_no);
	MUST(valid == !s->stale, "entry %llu: a claim that is %s was taken as %s",
	     (unsigned long long)s->seq, valid ? "valid" : "lost", s->stale ? "lost" : "valid");
	if (!valid) {
		settled_late(e, s, now_at_ms);
		return;
	}
	MUST(s->attempt == e->attempts, "attempt %u of %u", s->attempt, e->attempts);
	switch (s->kind) {
	case RP_SETTLE_DELIVERED:
		MUST(e->n_2xx > 0, "entry %llu: delivered, and no receiver has it",
		     (unsigned long long)s->seq);
		sim.counts.delivered++;
		drop(e, RP_STATE_DELIVERED);
		break;
	case RP_SETTLE_RETRY:
		settled_retry(e, s);
		break;
	case RP_SETTLE_DEAD:
		settled_dead(e, s, now_at_ms);
		break;
	case RP_SETTLE_PARK:
		MUST(sim_section_of(ep)->is_signed || s->cause == RP_CAUSE_LOCAL,
		     "%s needs no key and is parked", ep->level.name);
		/* decided before the clock was set back, it counts for nothing */
		ep->parked_until_ms =
		    s->due_at_ms <= now_at_ms + 2 * RP_PARK_MAX_MS ? s->due_at_ms : 0;
		/* fall through */
	case RP_SETTLE_RETURN:
		e->attempts--;
		e->spent--;
		drop(e, RP_STATE_WAITING);
		return;
	}
	e->losses = 0;
	ep->level.disabled = ep->level.disabled || s->disable_endpoint;
	note_result(e, s, now_at_ms);
}

void sim_model_settled(struct sim_actor *a, const struct rp_settlement *s, int64_t now_at_ms)
{
	settled(a, s, now_at_ms);
	if (s->passes_to_seq != 0)
		note_pass(a, entry_of(s->seq), s);
}

/* --- claiming ----------------------------------------------------------------------------- */

/* The exchange has asked for the limits of all levels, and applied them. */
static void note_asked(struct sim_ep *ep)
{
	struct sim_level *level;
	int l;

	for (l = 0; l < RP_LEVELS; l++) {
		level = sim_level_of(ep, (enum rp_level)l);
		if (level == NULL)
			continue;
		level->in_flight_most = level->in_flight;
		level->rate_free = level->rate_count == 0;
	}
}

/* It is in front: nothing of its order is in flight, and none that is live was accepted before
 * it. */
static void check_order(uint64_t seq, const struct sim_entry *e)
{
	struct order *o = &orders[e->ep][e->order];
	struct rp_delivery d;
	size_t i, kept = 0;

	for (i = 0; i < o->n; i++) {
		const struct sim_entry *other = &sim.entries[o->seqs[i]];

		if (other->purged || o->seqs[i] == seq || !sim_delivery(o->seqs[i], &d)) {
			if (o->seqs[i] == seq)
				o->seqs[kept++] = o->seqs[i];
			continue;
		}
		MUST(other->holder == NOBODY,
		     "entry %llu was claimed while %llu of its order is in flight",
		     (unsigned long long)seq, (unsigned long long)o->seqs[i]);
		MUST(o->seqs[i] > seq || !rp_sequence_is_live(&d),
		     "entry %llu was claimed before %llu of its order", (unsigned long long)seq,
		     (unsigned long long)o->seqs[i]);
		o->seqs[kept++] = o->seqs[i];
	}
	o->n = kept;
}

/* Nobody knows at first what a receiver can bear. A section has no window: its paths and its host
 * have. */
static unsigned window_start(enum rp_level which)
{
	return which == RP_LEVEL_PATH   ? RP_WINDOW_START
	       : which == RP_LEVEL_HOST ? RP_HOST_WINDOW_START
					: UINT_MAX;
}

/* It is to wait for a place and for nothing else. */
static void check_ahead(const struct sim_level *level)
{
	MUST(!level->open, "%s is open, and something is claimed ahead of its places", level->name);
	MUST(level->rate_count == 0, "%s has a rate, and something is claimed without a token",
	     level->name);
}

/* A host whose breaker was switched off while it was open has forgotten what came before. */
static void note_closed(const struct sim_ep *ep, enum rp_level which, struct sim_level *level)
{
	if (which == RP_LEVEL_HOST && level->n_opened_before > 0)
		end_series(sim_host_of(ep));
	level->n_opened_before = 0;
}

static void check_claim(struct sim_ep *ep, enum rp_level which, const struct rp_claim *c,
			int64_t now_at_ms)
{
	struct sim_level *level = sim_level_of(ep, which);
	bool probes = c->probes[which];

	if (level == NULL)
		return;
	MUST(!level->paused && !level->disabled, "%s is paused or disabled", level->name);
	if (c->lacks != 0)
		check_ahead(level);
	if ((c->lacks & RP_LACKS(which)) != 0)
		return;
	MUST(in_use(level) < level->in_flight, "%s: %u in flight and one more", level->name,
	     in_use(level));
	MUST(level->settled_any || in_use(level) < window_start(which), "%s: %u in flight at first",
	     level->name, in_use(level));
	if (!probes) /* so it is closed, whenever that was */
		note_closed(ep, which, level);
	if (!level->open)
		return;
	MUST(now_at_ms >= level->probe_at_ms && in_use(level) == 0 && probes,
	     "%s is open: %lld ms early, %u held", level->name,
	     (long long)(level->probe_at_ms - now_at_ms), in_use(level));
	/* Its time has come, whatever becomes of the clock: a probe that tells nothing is
	 * followed by another. */
	level->probe_at_ms = 0;
	level->half_open = true;
}

static unsigned half_of_places(const struct sim_actor *a)
{
	return (a->places + 1) / 2;
}

/* A host that has delivered lately, with no more than one or two of its paths bad since, has proven
 * itself. All others together have half of a sender. */
static void check_unproven(struct sim_actor *a, const struct sim_host *host,
			   const struct rp_claim *c, int64_t now_at_ms)
{
	bool several_bad = host->n_bad_since >= RP_HOST_SEVERAL;
	bool unproven = host->level.open || several_bad || host->delivered_at_ms == 0 ||
			now_at_ms - host->delivered_at_ms >= RP_PROVEN_MS;

	MUST(!unproven || (c->unproven && c->lacks == 0),
	     "%s has not proven itself, and counts as if it had", host->level.name);
	if (!c->unproven)
		return;
	MUST(a->n_unproven < UNPROVEN_MAX && a->n_unproven < half_of_places(a),
	     "sender %d has %u of %u places at hosts that have not proven themselves", a->birth,
	     a->n_unproven, a->places);
	a->unproven[a->n_unproven++] = (struct sim_unproven){c->seq, c->claim_no};
}

/* Places that are free again are given on. */
void sim_model_wants(const struct sim_actor *a, const struct rp_exchange *x)
{
	unsigned n = a->n_unproven, i;
	size_t k;

	for (i = 0; i < N_EPS; i++)
		sim.eps[i].level.was_in_use = in_use(&sim.eps[i].level);
	for (i = 0; i < N_SECTIONS; i++)
		sim.sections[i].level.was_in_use = in_use(&sim.sections[i].level);
	for (i = 0; i < N_HOSTS; i++)
		sim.hosts[i].level.was_in_use = in_use(&sim.hosts[i].level);
	for (k = 0; k < x->n_settle; k++)
		for (i = 0; i < a->n_unproven; i++)
			n -= a->unproven[i].seq == x->settle[k].seq &&
			     a->unproven[i].claim_no == x->settle[k].claim_no;
	MUST(n > 0 || x->n_settle > 0 || x->want_unproven > 0,
	     "sender %d has nothing of hosts that have not proven themselves, and wants nothing",
	     a->birth);
}

void sim_model_claimed(struct sim_actor *a, const struct rp_claim *c, int64_t now_at_ms)
{
	struct sim_entry *e = entry_of(c->seq);
	struct sim_ep *ep = &sim.eps[e->ep];
	int l;

	sim_note("claim", c->seq, c->claim_no);
	MUST(!e->purged, "entry %llu was purged and is claimed", (unsigned long long)c->seq);
	MUST(e->holder == NOBODY, "entry %llu has two holders", (unsigned long long)c->seq);
	MUST(e->state == RP_STATE_WAITING, "entry %llu is %s and is claimed",
	     (unsigned long long)c->seq, rp_state_name(e->state));
	MUST(e->due_at_ms <= now_at_ms, "entry %llu was claimed %lld ms early%s",
	     (unsigned long long)c->seq, (long long)(e->due_at_ms - now_at_ms),
	     e->set_at_ms == 0 ? ", before the time that was asked for" : "");
	MUST(e->expires_at_ms == 0 || now_at_ms < e->expires_at_ms, "claimed after its end");
	MUST(c->attempt == e->attempts + 1 && c->claim_no == e->claim_no + 1 &&
		 c->failures == e->failures,
	     "entry %llu: attempt %u, claim %u, failures %u after %u, %u, %u",
	     (unsigned long long)c->seq, c->attempt, c->claim_no, c->failures, e->attempts,
	     e->claim_no, e->failures);
	meet(ep, c->endpoint);
	enter_section(ep);
	note_asked(ep);
	for (l = 0; l < RP_LEVELS; l++)
		check_claim(ep, (enum rp_level)l, c, now_at_ms);
	MUST(ep->parked_until_ms <= now_at_ms, "%s is parked", ep->level.name);
	check_unproven(a, sim_host_of(ep), c, now_at_ms);
	if (e->order != 0)
		check_order(c->seq, e);
	if (e->set_at_ms != 0) /* its delay is over, whatever the clock does from now on */
		set_due(e, now_at_ms);
	e->claim_no = c->claim_no;
	e->handed = false;
	memcpy(e->probes, c->probes, sizeof e->probes);
	e->attempts++;
	e->spent++;
	hold(e, c->seq, a->birth, c->lacks);
	sim.counts.ahead += c->lacks != 0;
}

/* --- handing over ------------------------------------------------------------------------- */

static struct sim_actor *with_slot(unsigned slot)
{
	int i;

	for (i = 0; i < SENDERS_MAX; i++)
		if (sim.actors[i].ob != NULL && !sim.actors[i].crashed &&
		    rp_lmdb_of(sim.actors[i].ob)->joined &&
		    rp_lmdb_of(sim.actors[i].ob)->me.slot == slot)
			return &sim.actors[i];
	return NULL;
}

/* An append cannot ask for limits: it goes by those that some exchange has found. What the
 * configuration says now is asked when the claim is taken, and counts on the wire. */
static void check_handed_level(struct sim_ep *ep, enum rp_level which)
{
	struct sim_level *level = sim_level_of(ep, which);

	if (level == NULL)
		return;
	MUST(!level->paused && !level->disabled, "%s is paused or disabled, and is handed out",
	     level->name);
	MUST(!level->open, "the breaker of %s is open, and it is handed out", level->name);
	MUST(level->rate_free, "%s has a rate, and is handed out without a token", level->name);
	MUST(in_use(level) < level->in_flight_most, "%s: %u in flight and one more, handed out",
	     level->name, in_use(level));
	MUST(level->settled_any || in_use(level) < window_start(which),
	     "%s: %u in flight at first, and one is handed out", level->name, in_use(level));
}

/* Nothing of the path that an exchange could claim was there before. */
static void check_overtakes_nobody(uint64_t seq, const struct sim_entry *e, int64_t now_at_ms)
{
	struct rp_delivery d;
	uint64_t other;

	for (other = 1; other < seq; other++)
		if (sim.entries[other].ep == e->ep && !sim.entries[other].purged &&
		    sim.entries[other].state == RP_STATE_WAITING && sim_delivery(other, &d))
			MUST(d.state != RP_STATE_WAITING || d.behind || d.due_at_ms > now_at_ms,
			     "entry %llu was handed out before %llu", (unsigned long long)seq,
			     (unsigned long long)other);
}

void sim_model_handed(uint64_t seq, int64_t now_at_ms)
{
	struct sim_entry *e = entry_of(seq);
	struct sim_ep *ep = &sim.eps[e->ep];
	struct rp_claim plain = {.seq = seq, .claim_no = 1};
	struct sim_actor *a;
	struct rp_delivery d;
	int l;

	MUST(sim_delivery(seq, &d), "entry %llu is not there", (unsigned long long)seq);
	if (d.state != RP_STATE_IN_FLIGHT)
		return;
	sim_note("handed", seq, d.slot);
	sim.counts.handed++;
	a = with_slot(d.slot);
	MUST(a != NULL, "entry %llu was handed to a sender that has gone", (unsigned long long)seq);
	MUST(!a->stopping, "entry %llu was handed to a sender that stops", (unsigned long long)seq);
	MUST(d.claim_no == 1 && d.attempts == 1, "entry %llu: claim %u", (unsigned long long)seq,
	     d.claim_no);
	MUST(e->order == 0, "entry %llu has an order", (unsigned long long)seq);
	MUST(e->due_at_ms <= now_at_ms, "entry %llu was handed out early", (unsigned long long)seq);
	meet(ep, d.endpoint);
	for (l = 0; l < RP_LEVELS; l++)
		check_handed_level(ep, (enum rp_level)l);
	MUST(ep->parked_until_ms <= now_at_ms, "%s is parked", ep->level.name);
	check_unproven(a, sim_host_of(ep), &plain, now_at_ms);
	check_overtakes_nobody(seq, e, now_at_ms);
	e->claim_no = e->attempts = e->spent = 1;
	e->handed = true;
	e->handed_boot_ms = sim.boot_ms;
	hold(e, seq, a->birth, 0);
}

void sim_model_taken(const struct sim_actor *a, const struct rp_claim *c)
{
	struct sim_entry *e = entry_of(c->seq);

	sim_note("take", c->seq, c->other_limits);
	MUST(e->handed && e->holder == a->birth && e->claim_no == c->claim_no,
	     "entry %llu is taken, and was not handed out or was taken before",
	     (unsigned long long)c->seq);
	e->handed = false;
	sim.counts.handed_back += c->other_limits;
}

/* A heartbeat finds what no bell has told of. */
void sim_model_stepped(const struct sim_actor *a, int64_t began_boot_ms)
{
	size_t i;

	for (i = 0; i < sim.n_held; i++) {
		const struct sim_entry *e = &sim.entries[sim.held[i]];

		MUST(!e->handed || e->holder != a->birth ||
			 began_boot_ms - e->handed_boot_ms < 3000,
		     "entry %llu was handed to sender %d, which does not take it",
		     (unsigned long long)sim.held[i], a->birth);
	}
}

/* --- sending ------------------------------------------------------------------------------ */

/* In no span may more requests begin than burst and rate allow, whenever they were claimed. */
static void check_rate(struct sim_level *level)
{
	unsigned n = level->n_wire_times < WIRE_TIMES ? level->n_wire_times : WIRE_TIMES, i;
	int64_t now_at_ms = sim_wall_ms();
	double burst, allowed;

	if (level->rate_count > 0) {
		burst = (double)level->rate_count * 1000 / level->rate_period_ms;
		burst = burst > 1 ? (double)(unsigned)burst : 1;
		for (i = 1; i <= n; i++) {
			int64_t span_ms =
			    now_at_ms - level->wire_times[(level->n_wire_times - i) % WIRE_TIMES];

			allowed =
			    burst + (double)span_ms * level->rate_count / level->rate_period_ms;
			MUST(i + 1 <= allowed + 1e-6, "%s: %u requests in %lld ms", level->name,
			     i + 1, (long long)span_ms);
		}
	}
	level->wire_times[level->n_wire_times++ % WIRE_TIMES] = now_at_ms;
}

/* Those whose claim is valid: one that was lost counts no more, though its request may still be
 * under way. */
static unsigned count_requests(const struct sim_level *level, enum rp_level which)
{
	unsigned n = 0;
	size_t i;
	int k;

	for (k = 0; k < SENDERS_MAX; k++)
		for (i = 0; i < sim.actors[k].n_requests; i++) {
			const struct sim_request *r = &sim.actors[k].requests[i];
			const struct sim_entry *e = &sim.entries[r->seq];

			n += sim_level_of(&sim.eps[e->ep], which) == level &&
			     e->holder == sim.actors[k].birth && e->claim_no == r->claim_no &&
			     !e->purged;
		}
	return n;
}

/* Places that are taken, and no request has ended that had them, and requests that have begun on
 * such a place. */
static unsigned count_places(const struct sim_level *level, enum rp_level which)
{
	unsigned n = 0;
	size_t i;

	for (i = 0; i < sim.n_held; i++) {
		const struct sim_entry *e = &sim.entries[sim.held[i]];

		n += sim_level_of(&sim.eps[e->ep], which) == level && !e->ended &&
		     (!lacks(e, which) || e->begun);
	}
	return n;
}

static unsigned count_orphaned(const struct sim_level *level, enum rp_level which)
{
	unsigned n = 0, i;
	int k;

	for (k = 0; k < SENDERS_MAX; k++)
		for (i = 0; i < sim.actors[k].n_orphaned; i++)
			n += sim_level_of(&sim.eps[sim.actors[k].orphaned[i]], which) == level;
	return n;
}

/* What is promised of a receiver is promised of requests, however long ago they were claimed. */
static void check_wire(const struct sim_entry *e, enum rp_level which)
{
	struct sim_ep *ep = &sim.eps[e->ep];
	struct sim_level *level = sim_level_of(ep, which);
	unsigned allowed;

	if (level == NULL)
		return;
	MUST(!level->paused && !level->disabled, "%s is paused or disabled, and a request begins",
	     level->name);
	MUST(!level->open || e->probes[which], "the breaker of %s is open, and a request begins",
	     level->name);
	allowed = level->in_flight + count_orphaned(level, which);
	MUST(count_requests(level, which) <= allowed, "%s: %u requests", level->name,
	     count_requests(level, which));
	MUST(count_places(level, which) <= allowed, "%s: a request without a place", level->name);
	check_rate(level);
}

/* As libcurl reads it: a piece, from the beginning again, and then to the end. */
static bool body_is(const struct rp_request *r, const char *expected)
{
	char piece[10000];
	size_t at, n;

	if (r->read_body == NULL)
		return memcmp(r->body.ptr, expected, r->body.len) == 0;
	MUST(r->read_body(r->owner, 0, piece, sizeof piece), "a payload cannot be read");
	for (at = 0; at < r->body.len; at += n) {
		n = r->body.len - at < sizeof piece ? r->body.len - at : sizeof piece;
		if (!r->read_body(r->owner, at, piece, n) || memcmp(piece, expected + at, n) != 0)
			return false;
	}
	return true;
}

void sim_model_started(struct sim_actor *a, struct sim_request *r)
{
	struct sim_entry *e = entry_of(r->seq);
	struct rp_delivery d;
	char *expected;
	int l;

	sim.counts.attempts++;
	MUST(!e->purged, "entry %llu was purged and is sent", (unsigned long long)r->seq);
	MUST(e->holder == a->birth && sim_delivery(r->seq, &d) && d.state == RP_STATE_IN_FLIGHT &&
		 d.slot == rp_lmdb_of(a->ob)->me.slot && d.claim_no == e->claim_no,
	     "entry %llu is sent by one who does not hold it", (unsigned long long)r->seq);
	MUST(a->stood || sim.boot_ms - a->last_beat_boot_ms <= sim.lease_ms,
	     "begun after the lease");
	MUST(e->attempts > e->last_started, "attempt %u a second time", e->attempts);
	MUST(e->expires_at_ms == 0 || sim_wall_ms() - 120000 < e->expires_at_ms,
	     "sent after its end");
	sim.counts.passed_on += e->lacks != 0;
	e->begun = true;
	for (l = 0; l < RP_LEVELS; l++)
		check_wire(e, (enum rp_level)l);
	MUST(sim.eps[e->ep].parked_until_ms <= sim_wall_ms(), "%s is parked, and a request begins",
	     sim.eps[e->ep].level.name);
	e->last_started = e->attempts;
	expected = malloc(e->payload_bytes + 1);
	MUST(expected != NULL, "out of memory");
	sim_payload(e->payload_seed, expected, e->payload_bytes);
	MUST(r->request->body.len == e->payload_bytes && body_is(r->request, expected),
	     "entry %llu: other bytes are sent", (unsigned long long)r->seq);
	free(expected);
}

void sim_model_ended(const struct sim_request *r)
{
	struct sim_entry *e = entry_of(r->seq);

	e->ended = e->ended || e->claim_no == r->claim_no;
}

/* --- losing ------------------------------------------------------------------------------- */

void sim_model_returned(const struct sim_actor *leaving)
{
	struct rp_delivery d;
	size_t i;

	for (i = 0; i < sim.n_held;) {
		uint64_t seq = sim.held[i];
		struct sim_entry *e = &sim.entries[seq];
		struct sim_actor *holder = living(e->holder);

		MUST(sim_delivery(seq, &d), "entry %llu is gone", (unsigned long long)seq);
		if (d.state == RP_STATE_IN_FLIGHT && d.claim_no == e->claim_no) {
			i++;
			continue;
		}
		MUST(holder == NULL || holder == leaving ||
			 sim.boot_ms - holder->last_beat_boot_ms > sim.lease_ms,
		     "entry %llu was taken from a living sender", (unsigned long long)seq);
		MUST(d.state == RP_STATE_WAITING || d.losses >= RP_LOSSES_MAX,
		     "entry %llu was lost once too often", (unsigned long long)seq);
		sim_note("lost", seq, d.losses);
		e->losses++;
		e->n_2xx_allowed++;
		set_due(e, d.due_at_ms);
		drop(e, d.state);
	}
}

/* --- operators ---------------------------------------------------------------------------- */

/* It was delivered, its sender has not said so yet, and another request may have its places. */
static void note_orphaned(const struct sim_entry *e)
{
	struct sim_actor *a = e->holder != NOBODY && e->ended ? living(e->holder) : NULL;

	if (a == NULL)
		return;
	MUST(a->n_orphaned < sizeof a->orphaned / sizeof a->orphaned[0], "too many are purged");
	a->orphaned[a->n_orphaned++] = e->ep;
}

void sim_model_changed(uint64_t seq, enum rp_change verb, enum rp_changed result)
{
	struct sim_entry *e = entry_of(seq);

	sim_note("change", seq, (uint64_t)verb << 8 | (uint64_t)result);
	switch (result) {
	case RP_CHANGED_NOT_FOUND:
		MUST(e->purged || (e->state != RP_STATE_HELD && e->holder == NOBODY),
		     "entry %llu is not found", (unsigned long long)seq);
		return;
	case RP_CHANGED_SKIPPED_IN_FLIGHT:
		MUST(e->holder != NOBODY, "entry %llu is in nobody's hands",
		     (unsigned long long)seq);
		return;
	case RP_CHANGED_SKIPPED_STATE:
		return;
	case RP_CHANGED_DONE:
	case RP_CHANGED_DONE_IN_FLIGHT:
		break;
	}
	MUST(!e->purged && (e->holder != NOBODY) == (result == RP_CHANGED_DONE_IN_FLIGHT),
	     "entry %llu: in flight or not", (unsigned long long)seq);
	if (verb == RP_CHANGE_PURGE) {
		note_orphaned(e);
		drop(e, e->state);
		e->purged = true;
		sim.n_removed++;
	} else if (verb == RP_CHANGE_REPLAY) {
		set_due(e, sim_wall_ms());
		e->expires_at_ms = 0;
		e->failures = e->losses = e->spent = 0;
		e->n_2xx_allowed++;
		e->state = RP_STATE_WAITING;
	} else {
		if (e->set_at_ms != 0) /* what is left of its delay counts from now */
			e->set_at_ms = sim_wall_ms();
		e->state = verb == RP_CHANGE_HOLD ? RP_STATE_HELD : RP_STATE_WAITING;
	}
}

static bool is_gone(struct sim_level *level, enum rp_level which)
{
	if (sim_level_id(level, which) != 0)
		return false;
	MUST(!level->paused && !level->disabled && level->n_held == 0, "%s went too early",
	     level->name);
	return true;
}

void sim_model_endpoints_gone(void)
{
	unsigned i;

	for (i = 0; i < N_EPS; i++)
		if (is_gone(&sim.eps[i].level, RP_LEVEL_PATH))
			forget_path(&sim.eps[i]);
	for (i = 0; i < N_HOSTS; i++)
		if (is_gone(&sim.hosts[i].level, RP_LEVEL_HOST))
			forget_host(&sim.hosts[i]);
}

/* What lies further ahead than any pause is from before the step, and nobody waits for it. */
static void step_level(struct sim_level *level)
{
	level->n_wire_times = 0;
	if (level->probe_at_ms > sim_wall_ms() + RP_BREAKER_PAUSE_MAX_MS)
		level->probe_at_ms = INT64_MIN;
}

void sim_model_clock_stepped(int64_t by_ms)
{
	int64_t now_at_ms = sim_wall_ms();
	uint64_t seq;
	unsigned i;

	sim.counts.clock_steps++;
	if (by_ms >= 0)
		return;
	sim.back_ms -= by_ms;
	/* what was decided later than it is now waits for its delay once more, and no longer */
	for (seq = 1; seq <= sim.n_entries; seq++)
		if (sim.entries[seq].set_at_ms > now_at_ms) {
			sim.entries[seq].due_at_ms -= sim.entries[seq].set_at_ms - now_at_ms;
			sim.entries[seq].set_at_ms = now_at_ms;
		}
	for (i = 0; i < N_HOSTS; i++)
		step_level(&sim.hosts[i].level);
	for (i = 0; i < N_SECTIONS; i++)
		step_level(&sim.sections[i].level);
	for (i = 0; i < N_EPS; i++) {
		step_level(&sim.eps[i].level);
		if (sim.eps[i].parked_until_ms > now_at_ms + RP_PARK_MAX_MS)
			sim.eps[i].parked_until_ms = INT64_MIN;
	}
}

/* --- checking ----------------------------------------------------------------------------- */

static struct rp_ledger check_ledger(void)
{
	struct rp_ledger l;
	struct rp_error err;

	sim_must(rp_outbox_ledger(sim.base, &l, &err), &err, "ledger");
	MUST(l.accepted == l.waiting + l.in_flight + l.held + l.delivered + l.dead + l.purged,
	     "the ledger");
	MUST(l.accepted == sim.n_entries, "%llu accepted of %llu", (unsigned long long)l.accepted,
	     (unsigned long long)sim.n_entries);
	MUST(l.purged == sim.n_removed + sim.n_expired, "%llu purged of %llu",
	     (unsigned long long)l.purged, (unsigned long long)(sim.n_removed + sim.n_expired));
	MUST(l.in_flight == sim.n_held, "%llu in flight of %zu", (unsigned long long)l.in_flight,
	     sim.n_held);
	return l;
}

void sim_check_step(void)
{
	sim.counts.steps++;
	check_ledger();
}

static void problem(void *arg, const char *text)
{
	(void)arg;
	printf("verify: %s\n", text);
}

static void check_entry(uint64_t seq, const struct sim_entry *e)
{
	struct rp_delivery d;
	bool there = sim_delivery(seq, &d);

	MUST(!there || !e->purged, "entry %llu was purged and is there", (unsigned long long)seq);
	if (!there) {
		MUST(e->purged || (e->holder == NOBODY && e->state != RP_STATE_HELD),
		     "entry %llu is lost", (unsigned long long)seq);
		return;
	}
	MUST(d.state == e->state || (e->state == RP_STATE_WAITING && d.state == RP_STATE_DEAD &&
				     (d.cause == RP_CAUSE_EXPIRED || d.cause == RP_CAUSE_GONE)),
	     "entry %llu is %s, cause %d; known as %s", (unsigned long long)seq,
	     rp_state_name(d.state), d.cause, rp_state_name(e->state));
	MUST(d.attempts == e->attempts && d.claim_no == e->claim_no && d.failures == e->failures,
	     "entry %llu: attempts %u, claims %u, failures %u; known %u, %u, %u",
	     (unsigned long long)seq, d.attempts, d.claim_no, d.failures, e->attempts, e->claim_no,
	     e->failures);
	MUST(d.lacks == e->lacks, "entry %llu lacks %x; known %x", (unsigned long long)seq, d.lacks,
	     e->lacks);
	MUST(d.state != RP_STATE_DELIVERED || e->n_2xx > 0,
	     "entry %llu is delivered, and no receiver has it", (unsigned long long)seq);
	MUST(e->n_2xx <= e->n_2xx_allowed, "entry %llu arrived %u times, %u are explained",
	     (unsigned long long)seq, e->n_2xx, e->n_2xx_allowed);
}

void sim_check_all(void)
{
	struct rp_verify v = {.problem = problem};
	struct rp_error err;
	uint64_t seq;

	sim.counts.verifies++;
	sim_must(rp_outbox_verify(sim.base, &v, &err), &err, "verify");
	MUST(v.counts.problems == 0, "verify found %llu problems",
	     (unsigned long long)v.counts.problems);
	for (seq = 1; seq <= sim.n_entries; seq++)
		check_entry(seq, &sim.entries[seq]);
}

void sim_check_drained(void)
{
	struct rp_ledger l = check_ledger();
	uint64_t seq;

	sim_check_all();
	MUST(l.waiting == 0 && l.in_flight == 0 && l.held == 0,
	     "faults have stopped, and %llu wait, %llu are in flight",
	     (unsigned long long)l.waiting, (unsigned long long)l.in_flight);
	for (seq = 1; seq <= sim.n_entries; seq++)
		if (sim.entries[seq].n_2xx > 1)
			sim.counts.duplicates += sim.entries[seq].n_2xx - 1;
}
