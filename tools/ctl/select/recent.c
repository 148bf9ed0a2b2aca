/* recent.c - joins recent attempts with their entries. The ring of attempts holds numbers only,
 * and `tail` and `top` both need the names. */

#include "ctl/select/recent.h"

#include <stdio.h>
#include <stdlib.h>

#include "ctl/select/walk.h"

void rp_recents_release(struct rp_recents *r)
{
	free(r->all);
	memset(r, 0, sizeof *r);
}

bool rp_recents_add(struct rp_recents *r, const struct rp_recent *one)
{
	if (r->n == r->cap) {
		size_t cap = r->cap > 0 ? r->cap * 2 : 256;
		void *more = realloc(r->all, cap * sizeof r->all[0]);

		if (more == NULL)
			return false;
		r->all = more;
		r->cap = cap;
	}
	r->all[r->n++] = *one;
	return true;
}

struct reading {
	struct rp_recents *out;
	uint64_t until;
};

static void see(void *arg, const struct rp_recent *r)
{
	struct reading *reading = arg;

	if (r->number < reading->until && !rp_recents_add(reading->out, r))
		reading->out->no_memory = true;
}

int rp_recents_read(struct rp_ctl *ctl, struct rp_recents *out, uint64_t *from, uint64_t until,
		    uint64_t *n_missed)
{
	struct reading reading = {out, until};
	struct rp_recent_page page = {.from = *from, .see = see, .arg = &reading};
	struct rp_error err;

	do {
		if (rp_outbox_recent(ctl->ob, &page, &err) != RP_OK)
			return rp_ctl_fail(&err);
		*n_missed += page.n_missed;
		if (out->no_memory)
			return rp_ctl_no_memory();
	} while (page.more && page.from < until);
	*from = page.from;
	return RP_EXIT_OK;
}

int rp_recent_entry(struct rp_ctl *ctl, const struct rp_recent *r, struct rp_entry *e, bool *gone)
{
	struct rp_error err;
	enum rp_err got = rp_walk_load(ctl, r->seq, e, &err);

	*gone = got == RP_ERR_NOTFOUND;
	if (*gone) {
		struct rp_buf text = e->text;

		memset(e, 0, sizeof *e);
		e->text = text;
		e->seq = r->seq;
		rp_buf_clear(&e->text);
		got = rp_outbox_endpoint_name(ctl->ob, r->endpoint, &e->text, &err);
		if (got == RP_OK)
			e->endpoint = (struct rp_span){e->text.data, e->text.len};
		else if (got == RP_ERR_NOTFOUND)
			got = RP_OK;
	}
	if (got != RP_OK)
		return rp_ctl_fail(&err);
	e->delivery.cause = e->delivery.last_cause = r->cause;
	e->delivery.http_status = r->http_status;
	return RP_EXIT_OK;
}

bool rp_recent_match(const struct rp_ctl *ctl, const struct rp_entry *e)
{
	const struct rp_selector *s = &ctl->selector;
	bool picked = !s->by_id;
	size_t i;

	for (i = 0; i < s->n_ids && !picked; i++)
		picked = memcmp(s->ids[i], e->facts.id, RP_ID_BYTES) == 0;
	return picked && rp_selector_match(s, e, ctl->now_at_ms);
}

const char *rp_recent_outcome(const struct rp_recent *r, char out[RP_CAUSE_TEXT_MAX])
{
	if (r->cause == RP_CAUSE_NONE)
		snprintf(out, RP_CAUSE_TEXT_MAX, "delivered");
	else
		rp_cause_format(r->cause, r->http_status, out);
	return out;
}
