/* tally.c - counts what was received in all, for the summary line. */

#include "tally.h"

#include <inttypes.h>

#include "base/assert.h"

#define IDS_MAX ((size_t)8 << 20)

enum { ID_SEEN = 1, ID_ACCEPTED = 2 };

void rp_sink_tally_init(struct rp_sink_tally *t)
{
	memset(t, 0, sizeof *t);
	t->ids.max_keys = IDS_MAX;
}

void rp_sink_tally_release(struct rp_sink_tally *t)
{
	rp_sink_table_release(&t->ids);
}

void rp_sink_tally_add(struct rp_sink_tally *t, struct rp_span id, int status)
{
	uint64_t *marks;

	assert(status == RP_SINK_STATUS_NONE || (status >= 200 && status < 600));
	t->requests++;
	t->by_status[status > 0 ? status : 0]++;
	if (id.len == 0)
		return;
	marks = rp_sink_table_at(&t->ids, id);
	if (marks == NULL) {
		t->uncounted++;
		return;
	}
	t->repeats += (*marks & ID_SEEN) != 0;
	t->repeats_after_2xx += (*marks & ID_ACCEPTED) != 0;
	*marks |= ID_SEEN;
	if (status >= 200 && status < 300)
		*marks |= ID_ACCEPTED;
}

bool rp_sink_tally_print(const struct rp_sink_tally *t, struct rp_buf *out)
{
	const char *joint = ": ";
	int status;
	bool ok;

	ok = rp_buf_printf(out, "%" PRIu64 " request%s", t->requests, t->requests == 1 ? "" : "s");
	for (status = 0; status < 600; status++) {
		if (t->by_status[status] == 0)
			continue;
		ok = ok && rp_buf_add_text(out, joint);
		if (status == 0)
			ok = ok && rp_buf_printf(out, "%" PRIu64 " unanswered", t->by_status[0]);
		else
			ok = ok && rp_buf_printf(out, "%" PRIu64 " answered %d",
						 t->by_status[status], status);
		joint = ", ";
	}
	ok = ok && rp_buf_printf(out,
				 "; %zu distinct webhook id%s, %" PRIu64 " duplicate%s (%" PRIu64
				 " after a 2xx)",
				 t->ids.n_keys, t->ids.n_keys == 1 ? "" : "s", t->repeats,
				 t->repeats == 1 ? "" : "s", t->repeats_after_2xx);
	if (t->uncounted > 0)
		ok = ok &&
		     rp_buf_printf(out, "; %" PRIu64 " more with ids that no memory was left for",
				   t->uncounted);
	return ok;
}
