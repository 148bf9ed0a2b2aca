/* explain_work.h - what the two files of the reasoning share: explain.c tells states, past and
 * future, explain_blocks.c what holds an entry up. */
#ifndef RP_CTL_REPORT_EXPLAIN_WORK_H
#define RP_CTL_REPORT_EXPLAIN_WORK_H

#include <stdarg.h>
#include <stdio.h>

#include "base/units.h"
#include "ctl/common/ctl.h"
#include "report/explain.h"

struct work {
	const struct rp_explain_input *in;
	const struct rp_entry *e;
	const struct rp_delivery *d;
	const struct rp_endpoint *ep; /* never NULL */
	struct rp_explanation *out;
	char id[RP_ID_TEXT_MAX];
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

/* A duration or a time from now, in words; each call has a text of its own until the fifth. */
static inline const char *span(int64_t ms)
{
	static char text[4][RP_DURATION_TEXT_MAX];
	static unsigned i;

	return rp_duration_format(ms > 0 ? ms : 0, text[i++ % 4]);
}

static inline const char *when(const struct work *w, int64_t at_ms)
{
	static char text[4][RP_WHEN_TEXT_MAX];
	static unsigned i;

	if (at_ms <= w->in->now_at_ms && at_ms > w->in->now_at_ms - 1000)
		return "just now";
	return rp_when(at_ms, w->in->now_at_ms, text[i++ % 4]);
}

static inline const char *cause_text(enum rp_cause cause, unsigned http_status)
{
	static char text[4][RP_CAUSE_TEXT_MAX];
	static unsigned i;

	if (cause == RP_CAUSE_NONE)
		return "delivered";
	return rp_cause_format(cause, http_status, text[i++ % 4]);
}

static inline void no_memory_unless(struct work *w, bool ok)
{
	if (!ok)
		w->out->no_memory = true;
}

/* Fill w->out->blocks: for one that waits, at least one; for one under way whose sender is gone,
 * what is wrong with the others. */
void rp_explain_blocks(struct work *w);
void rp_explain_senders(struct work *w);

#endif
