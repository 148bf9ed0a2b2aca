/* entry.c - copies and releases an entry. It is apart from the records, which know no memory. */

#include "model/entry.h"

#include <string.h>

enum { N_SPANS = 9 };

static void spans_of(struct rp_entry *e, struct rp_span *out[N_SPANS])
{
	struct rp_facts *f = &e->facts;
	struct rp_span *spans[N_SPANS] = {&f->url,     &f->run_id,     &f->thread_id,
					  &f->event,   &f->operation,  &f->order_by,
					  &f->headers, &f->dedupe_key, &e->endpoint};

	memcpy(out, spans, sizeof spans);
}

bool rp_entry_copy(const struct rp_entry *from, struct rp_entry *to)
{
	struct rp_buf text = to->text;
	struct rp_span *spans[N_SPANS];
	size_t need = 0, i;
	bool ok;

	*to = *from;
	to->text = text;
	rp_buf_clear(&to->text);
	spans_of(to, spans);
	for (i = 0; i < N_SPANS; i++)
		need += spans[i]->len + 1;
	/* Room for all of them first: a buffer that moved would leave the earlier spans behind. */
	ok = rp_buf_reserve(&to->text, need);
	for (i = 0; i < N_SPANS && ok; i++) {
		size_t at = to->text.len;

		ok = rp_buf_add(&to->text, spans[i]->ptr, spans[i]->len) &&
		     rp_buf_add_char(&to->text, '\0');
		if (ok)
			spans[i]->ptr = to->text.data + at;
	}
	return ok;
}

void rp_entry_release(struct rp_entry *e)
{
	rp_buf_release(&e->text);
	memset(e, 0, sizeof *e);
}
