/* writer.h - private to src/store/postgres: the row of ledger and counters that a handle adds to.
 *
 * One row for all would take commits one by one. So each handle that writes has a row of its own,
 * which it holds by an advisory lock of its session; rows of handles that have ended are taken
 * again. Readers add all rows up. A handle knows its row's values, so a commit writes them without
 * reading. After a lost connection a row is taken and read anew. */
#ifndef RP_STORE_POSTGRES_WRITER_H
#define RP_STORE_POSTGRES_WRITER_H

#include "model/counters.h"
#include "model/ledger.h"
#include "store/postgres/handle.h"

#define RP_PG_WRITERS_MAX 1000

struct rp_pg_series {
	char name[RP_SERIES_NAME_MAX];
	struct rp_series s;
	bool changed;
};

struct rp_pg_writer {
	int number;           /* of the row; 0: none was taken yet */
	unsigned n_connected; /* ... on which connection of the handle */
	struct rp_pg_writer_values {
		struct rp_ledger_part ledger;
		struct rp_counters counters;
		int64_t commits, latest_at_ms;
		struct rp_pg_series series[RP_SERIES_MAX];
		size_t n_series;
	} now, saved; /* in this transaction, and before it */
	/* what is counted without a commit of its own, and goes into the next one's */
	struct rp_histogram untold_commits;
	uint64_t untold_duplicates;
};

/* Sees that the handle has a row on its present connection. Asks in round trips of its own, before
 * BEGIN. */
enum rp_err rp_pg_writer_take(struct rp_pgstore *s, struct rp_error *err);

void rp_pg_writer_count_series(struct rp_pg_writer *w, const char *name,
			       const struct rp_outcome *outcome);
void rp_pg_writer_save(struct rp_pg_writer *w);    /* at the begin of a transaction */
void rp_pg_writer_restore(struct rp_pg_writer *w); /* it was given up */
/* Queues what writes the values, for the end of a transaction. */
void rp_pg_writer_ask(struct rp_pgstore *s, int64_t now_at_ms);

/* All rows together. see may be NULL. */
struct rp_pg_totals {
	struct rp_ledger_part ledger;
	struct rp_counters counters;
	int64_t latest_at_ms, commits;
};
enum rp_err rp_pg_totals_read(struct rp_pgstore *s, struct rp_pg_totals *out,
			      void (*see)(void *arg, struct rp_span name,
					  const struct rp_series *series),
			      void *arg, struct rp_error *err);

#endif
