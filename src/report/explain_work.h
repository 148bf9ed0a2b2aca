/* explain_work.h - private to src/report: what the two files of the reasoning share. explain.c
 * tells states, past and future, explain_blocks.c what holds an entry up. */
#ifndef RP_REPORT_EXPLAIN_WORK_H
#define RP_REPORT_EXPLAIN_WORK_H

#include <stdarg.h>
#include <stdio.h>

#include "base/units.h"
#include "report/explain.h"

enum { RP_EXPLAIN_WORDS = 8 };
_Static_assert(RP_DURATION_TEXT_MAX <= RP_WHEN_TEXT_MAX && RP_CAUSE_TEXT_MAX <= RP_WHEN_TEXT_MAX,
	       "a word has room for each of them");

struct work {
	const struct rp_explain_input *in;
	const struct rp_entry *e;
	const struct rp_delivery *d;
	const struct rp_endpoint *ep;            /* never NULL */
	const struct rp_endpoint *at[RP_LEVELS]; /* the same by level; NULL: there is none */
	struct rp_explanation *out;
	char id[RP_ID_TEXT_MAX];
	char words[RP_EXPLAIN_WORDS][RP_WHEN_TEXT_MAX];
	unsigned n_words;
};

static inline __attribute__((format(printf, 3, 4))) void say(struct work *w, struct rp_buf *to,
							     const char *fmt, ...)
{
	char text[640];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	if (!rp_buf_add_text(to, text))
		w->out->no_memory = true;
}

/* Room for one text of a sentence; it is used again by the ninth. */
static inline char *word(struct work *w)
{
	return w->words[w->n_words++ % RP_EXPLAIN_WORDS];
}

static inline const char *span(struct work *w, int64_t ms)
{
	return rp_duration_format(ms > 0 ? ms : 0, word(w));
}

static inline const char *when(struct work *w, int64_t at_ms)
{
	if (at_ms <= w->in->now_at_ms && at_ms > w->in->now_at_ms - 1000)
		return "just now";
	return rp_when(at_ms, w->in->now_at_ms, word(w));
}

static inline const char *cause_text(struct work *w, enum rp_cause cause, unsigned http_status)
{
	return cause == RP_CAUSE_NONE ? "delivered" : rp_cause_format(cause, http_status, word(w));
}

static inline void no_memory_unless(struct work *w, bool ok)
{
	if (!ok)
		w->out->no_memory = true;
}

/* "endpoint", "section", "host": its path has always been called so. */
static inline const char *level_noun(int level)
{
	return level == RP_LEVEL_HOST ? "host" : level == RP_LEVEL_SECTION ? "section" : "endpoint";
}

/* Fill w->out->blocks: for one that waits, at least one; for one under way whose sender is gone,
 * what is wrong with the others. */
void rp_explain_blocks(struct work *w);
void rp_explain_senders(struct work *w);

#endif
