#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check_int.h"

void check_violation(struct check *c, const char *format, ...)
{
	char text[600];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	c->found++;
	c->violation(c->arg, text);
}

static enum rp_err open_outbox(struct check *c, bool create, struct rp_error *err)
{
	struct rp_outbox_options o = {.create = create, .disk_reserve_bytes = 1};

	return rp_outbox_open(c->dir, &o, &c->ob, err);
}

/* --- an entry ----------------------------------------------------------------------------- */

struct attempts {
	unsigned taken, refused, damaged;
};

static void count_attempt(void *arg, uint32_t n, const struct rp_attempt *a, bool damaged)
{
	struct attempts *t = arg;

	(void)n;
	if (damaged)
		t->damaged++;
	else if (a->outcome.cause == RP_CAUSE_NONE)
		t->taken++;
	else if (a->outcome.cause == RP_CAUSE_HTTP)
		t->refused++;
}

/* Every outcome in the log of attempts is an answer that the receiver had given before. */
static void check_attempts(struct check *c, uint64_t seq, const char *id,
			   const struct expect_run *r, enum rp_state state)
{
	struct attempts t = {0};
	struct rp_error err;
	size_t taken = times_before(&r->taken, c->moment->may),
	       refused = times_before(&r->refused, c->moment->may);

	if (rp_outbox_attempts(c->ob, seq, count_attempt, &t, &err) != RP_OK)
		check_violation(c, "%s: its attempts cannot be read: %s", id, err.text);
	else if (t.damaged > 0)
		check_violation(c, "%s: %u attempts are damaged", id, t.damaged);
	else if (t.taken > taken || t.refused > refused)
		check_violation(c,
				"%s: %u answers of 2xx and %u others are recorded, the receiver "
				"gave %zu and %zu",
				id, t.taken, t.refused, taken, refused);
	if (state == RP_STATE_DELIVERED && taken == 0)
		check_violation(c, "%s: it is delivered, and the receiver had not answered", id);
	if (state == RP_STATE_DEAD && refused == 0)
		check_violation(c, "%s: it is dead, and nobody had refused it", id);
}

static void check_body(struct check *c, uint64_t seq, const char *id, const struct expect_run *r)
{
	struct rp_buf body = {0};
	struct rp_error err;

	if (rp_outbox_body(c->ob, seq, &body, &err) != RP_OK)
		check_violation(c, "%s: its payload cannot be read: %s", id, err.text);
	else if (body.len != r->payload.len || memcmp(body.data, r->payload.ptr, body.len) != 0)
		check_violation(c, "%s: its payload is not the one that was offered", id);
	rp_buf_release(&body);
}

struct look check_all;

static uint64_t mix(uint64_t digest, const struct rp_entry *e)
{
	const struct rp_delivery *d = &e->delivery;
	uint64_t all[] = {digest,
			  e->seq,
			  (uint64_t)d->state,
			  (uint64_t)d->cause,
			  d->attempts,
			  d->failures,
			  d->losses,
			  d->replays,
			  d->claim_no,
			  (uint64_t)d->due_at_ms,
			  (uint64_t)d->state_at_ms,
			  e->facts.payload_hash,
			  0,
			  0};

	memcpy(&all[12], e->facts.id, RP_ID_BYTES);
	return rp_payload_hash(all, sizeof all);
}

static bool see(void *arg, const struct rp_entry *e)
{
	struct look *l = arg;
	struct shown *s = &l->all[l->n];

	l->digest = mix(l->digest, e);
	if (l->c == NULL)
		return true;
	if (e->damaged)
		check_violation(l->c, "entry %" PRIu64 " is damaged", e->seq);
	s->seq = e->seq;
	s->delivery = e->delivery;
	memcpy(s->id, e->facts.id, sizeof s->id);
	s->run = expect_find(l->c->expect, e->facts.run_id);
	if (s->run == NULL)
		check_violation(l->c, "entry %" PRIu64 " is of a run that nobody offered", e->seq);
	else if (++l->n == CHECK_RUNS_MAX)
		return false;
	return true;
}

bool check_look(struct check *c, bool judge)
{
	const struct rp_filter every = {0};
	struct rp_select s = {
	    .filter = &every, .by_number = true, .max_seen = 500, .see = see, .arg = &check_all};
	struct rp_ledger ledger;
	struct rp_error err;
	enum rp_err e;

	check_all.c = judge ? c : NULL;
	check_all.n = 0;
	check_all.digest = 1;
	do
		e = rp_outbox_select(c->ob, &s, &err);
	while (e == RP_OK && s.more);
	rp_outbox_select_end(c->ob, &s);
	if (e != RP_OK) {
		if (judge)
			check_violation(c, "entries cannot be read: %s", err.text);
		return false;
	}
	if (rp_outbox_ledger(c->ob, &ledger, &err) != RP_OK)
		return false;
	check_all.digest = rp_payload_hash(&ledger, sizeof ledger) ^ check_all.digest;
	return true;
}

static void check_entry(struct check *c, const struct shown *s)
{
	const struct expect_run *r = s->run;
	char id[RP_ID_TEXT_MAX];
	size_t done = times_before(&r->replayed, c->moment->must),
	       begun = times_before(&r->replaying, c->moment->may);

	rp_id_format(s->id, id);
	if (c->seen[r - c->expect->runs]++ > 0)
		check_violation(c, "%s: there are two entries of its run", id);
	if (r->offered >= c->moment->may)
		check_violation(c, "%s: it is there before its line was offered", id);
	if (r->id[0] != '\0' && strcmp(r->id, id) != 0)
		check_violation(c, "%s: the receipt of its run says %s", id, r->id);
	if (times_before(&r->purged, c->moment->must) > 0)
		check_violation(c, "%s: it was purged", id);
	if (s->delivery.replays < done || s->delivery.replays > begun)
		check_violation(c, "%s: replayed %u times, not %zu to %zu", id, s->delivery.replays,
				done, begun);
	if (s->delivery.state == RP_STATE_HELD && times_before(&r->holding, c->moment->may) == 0)
		check_violation(c, "%s: it is held, and nobody asked for it", id);
	check_attempts(c, s->seq, id, r, s->delivery.state);
	check_body(c, s->seq, id, r);
}

/* --- the outbox --------------------------------------------------------------------------- */

static void tell_problem(void *arg, const char *text)
{
	check_violation(arg, "verify: %s", text);
}

void check_sound(struct check *c, const char *when)
{
	struct rp_verify v = {.problem = tell_problem, .arg = c};
	struct rp_error err;
	unsigned before = c->found;

	if (rp_outbox_verify(c->ob, &v, &err) != RP_OK)
		check_violation(c, "%s: verify failed: %s", when, err.text);
	else if (v.counts.problems > 0 && c->found == before)
		check_violation(c, "%s: verify counts %" PRIu64 " problems", when,
				v.counts.problems);
}

/* Each state of a power cut is one that the outbox was in, after its last commit or the one
 * before: no more than the last exchange of a sender is undone, and nothing is half of two. */
static void check_rollback(struct check *c)
{
	struct rp_outbox_info info;
	struct rp_error err;

	if (rp_outbox_info(c->ob, &info, &err) != RP_OK) {
		check_violation(c, "no information: %s", err.text);
		return;
	}
	if (c->moment->commits == 0)
		return;
	if (info.commits > c->moment->commits || info.commits + 1 < c->moment->commits)
		check_violation(c, "%" PRIu64 " commits are left of %" PRIu64, info.commits,
				c->moment->commits);
	else if (info.commits < CHECK_COMMITS_MAX && c->digests[info.commits] != 0 &&
		 c->digests[info.commits] != check_all.digest)
		check_violation(c, "after commit %" PRIu64 " the outbox did not look like this",
				info.commits);
}

static bool is_on_the_disk(const struct check *c, const struct expect_backup *b)
{
	char path[600], *data = malloc(b->n + 1);
	bool same = false;
	FILE *file;

	snprintf(path, sizeof path, "%s/%s", c->dir, b->name);
	file = fopen(path, "rb");
	if (data != NULL && file != NULL)
		same = fread(data, 1, b->n + 1, file) == b->n && memcmp(data, b->data, b->n) == 0;
	if (file != NULL)
		fclose(file);
	free(data);
	return same;
}

/* Whenever a purge has reached the disk, its backup had before, to the last byte. */
static void check_saved(struct check *c, const struct expect_run *r)
{
	size_t i;

	for (i = 0; i < c->expect->n_backups; i++)
		if ((r->saved_in >> i & 1) != 0 && is_on_the_disk(c, &c->expect->backups[i]))
			return;
	check_violation(c, "%s: it is purged, and its backup is not on the disk", r->id);
}

static void check_receipts(struct check *c)
{
	size_t i;

	for (i = 0; i < c->expect->n; i++) {
		const struct expect_run *r = &c->expect->runs[i];

		if (r->receipted >= c->moment->must || c->seen[i] > 0 ||
		    expect_may_have_expired(c->expect, r, c->moment->may))
			continue;
		if (times_before(&r->purging, c->moment->may) == 0)
			check_violation(c, "%s: it has a receipt, and is lost", r->id);
		else if (expect_is_saved(r, c->moment->may))
			check_saved(c, r);
	}
}

/* --- the image ---------------------------------------------------------------------------- */

/* Before `runpost init` or anything else that made the outbox has returned, there may be none yet;
 * afterwards never. */
static bool may_be_unborn(const struct check *c)
{
	return c->expect->created >= c->moment->must;
}

static bool open_image(struct check *c)
{
	struct rp_error err = {0};
	enum rp_err e = open_outbox(c, false, &err);

	if (e == RP_OK)
		return true;
	if (may_be_unborn(c) && e == RP_ERR_NOTFOUND && open_outbox(c, true, &err) == RP_OK)
		return true;
	check_violation(c, "it cannot be opened: %s", err.text);
	return false;
}

void check_image(struct check *c, const struct moment *moment)
{
	size_t i;

	c->moment = moment;
	c->found = 0;
	memset(c->seen, 0, sizeof c->seen);
	if (!open_image(c))
		return;
	check_sound(c, "at once");
	if (check_look(c, true)) {
		check_rollback(c);
		for (i = 0; i < check_all.n; i++)
			check_entry(c, &check_all.all[i]);
		check_receipts(c);
	}
	if (c->found == 0)
		check_go_on(c);
	rp_outbox_close(c->ob);
}

bool check_digest(struct check *c, uint64_t *commits, uint64_t *digest)
{
	struct rp_outbox_info info;
	struct rp_error err;
	bool ok;

	if (open_outbox(c, false, &err) != RP_OK)
		return false;
	ok = rp_outbox_info(c->ob, &info, &err) == RP_OK && check_look(c, false);
	*commits = info.commits;
	*digest = check_all.digest;
	rp_outbox_close(c->ob);
	return ok;
}
