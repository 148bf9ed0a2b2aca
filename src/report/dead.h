/* dead.h - dead letters by what killed them: a row for each group (model/dead_group.h), with how
 * many they are, a sample, and what to do. */
#ifndef RP_REPORT_DEAD_H
#define RP_REPORT_DEAD_H

#include "model/dead_group.h"
#include "report/endpoints.h"
#include "store/outbox.h"
#include "text/json.h"

#define RP_DEAD_ADVICE_MAX 1024

struct rp_dead_row {
	struct rp_dead_group key;
	char *
	    name; /* of its endpoint, as it is shown; "": it is gone; NULL before it is looked up */
	uint64_t count;
	uint32_t n_paths; /* of a host: with rows of their own */
	int64_t first_at_ms, last_at_ms;
	uint64_t sample_seq;         /* the youngest */
	char sample[RP_ID_TEXT_MAX]; /* "": it was purged in the meantime */
	char *detail;                /* of its last attempt, where it was redirected; else NULL */
};

/* Init with {0}; release. */
struct rp_dead_rows {
	struct rp_dead_row *all;
	size_t n, cap;
	/* open addressing by key: place in `all` + 1, 0 is free; twice as large as cap */
	uint32_t *index;
	size_t latest; /* entries of one group come in crowds */
};

/* Counts one that is dead. Where more than RP_HOST_PATHS_FEW paths of a host have the same fate
 * they are one row, that of the host. Allowed inside a read of the store. false: out of memory. */
bool rp_dead_rows_add(struct rp_dead_rows *t, const struct rp_brief *b);
/* When all are counted: sorts the rows, the largest first, and looks up names and samples. */
enum rp_err rp_dead_rows_finish(struct rp_dead_rows *t, struct rp_outbox *ob,
				const struct rp_config *config,
				const struct rp_known_endpoints *endpoints, struct rp_error *err);
void rp_dead_rows_release(struct rp_dead_rows *t);

/* What to do, in one sentence; with where its sample was redirected to. Returns out. */
const char *rp_dead_row_advice(const struct rp_dead_row *g, char out[RP_DEAD_ADVICE_MAX]);
/* The object of `dead --json`. NULL: out of memory. */
struct rp_json_out *rp_dead_row_json(const struct rp_dead_row *g);

#endif
