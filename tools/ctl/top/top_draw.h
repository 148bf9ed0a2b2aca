/* top_draw.h - the screen of `runpostctl top` as bytes for a terminal. Pure: draws what it is
 * given. */
#ifndef RP_CTL_TOP_TOP_DRAW_H
#define RP_CTL_TOP_TOP_DRAW_H

#include "ctl/top/top_model.h"

enum rp_top_mode { RP_TOP_LIST, RP_TOP_DETAIL, RP_TOP_HELP };

/* A failure with what its entry is now. */
struct rp_top_failure {
	struct rp_recent r;
	char id[RP_ID_TEXT_MAX]; /* "" when it was removed */
	char endpoint[256];      /* escaped; cut, if it is longer */
	char now[64];            /* "again in 4m", "dead (exhausted)" */
};

struct rp_top_view {
	unsigned rows, cols;
	bool color, utf8;
	enum rp_top_mode mode;
	/* the endpoints that pass the filter, as they are listed */
	const struct rp_known_endpoint *const *shown;
	size_t n_shown, selected, first;       /* first: the one in the uppermost row */
	const struct rp_top_failure *failures; /* the newest first */
	size_t n_failures;
	const char *outbox;
	const char *filter;  /* "" for none */
	const char *prompt;  /* what is typed or asked for at the bottom; "" for none */
	const char *message; /* what came of the last key; "" for nothing */
	enum rp_style message_style;
};

/* How many rows the list of endpoints and the failures have on this screen. */
void rp_top_layout(const struct rp_top *t, const struct rp_top_view *v, size_t *endpoints,
		   size_t *senders, size_t *failures);
/* Appends the bytes. false: out of memory. */
bool rp_top_draw(const struct rp_top *t, const struct rp_top_view *v, struct rp_buf *out);

#endif
