/* writer.h - private to src/store/postgres: the row of ledger and counters that a handle adds to.
 *
 * One row for all would take commits one by one. So each handle that writes has a row of its own,
 * which it holds by an advisory lock of its session; rows of handles that have ended are taken
 * again. Readers add all rows up. A handle knows its row's values, so a commit writes them without
 * reading. After a lost connection the row is taken and read anew. */
#ifndef RP_STORE_POSTGRES_WRITER_H
#define RP_STORE_POSTGRES_WRITER_H

#include "model/counters.h"
#include "model/ledger.h"
#include "store/postgres/handle.h"

/* Sees that the handle has a row on its present connection. Asks in round trips of its own, before
 * BEGIN. */
enum rp_err rp_pg_writer_take(struct rp_pgstore *s, struct rp_error *err);
void rp_pg_writer_forget(struct rp_pgstore *s); /* the connection is lost, or is closed */

/* Values of the row, to be changed in place within a transaction. */
struct rp_counters *rp_pg_writer_counters(struct rp_pgstore *s);
struct rp_ledger_part *rp_pg_writer_ledger(struct rp_pgstore *s);
void rp_pg_writer_series(struct rp_pgstore *s, const char *name, const struct rp_outcome *outcome);
/* At the begin of a transaction, and after it was given up. */
void rp_pg_writer_save(struct rp_pgstore *s);
void rp_pg_writer_restore(struct rp_pgstore *s);
/* Queues the statements that write what changed since the save; latest_at_ms: of this one. */
void rp_pg_writer_ask(struct rp_pgstore *s, int64_t latest_at_ms);

/* All rows together. see may be NULL. */
struct rp_pg_totals {
	struct rp_ledger_part ledger;
	struct rp_counters counters;
	int64_t latest_at_ms;
	uint64_t commits;
};
enum rp_err rp_pg_totals_read(struct rp_pgstore *s, struct rp_pg_totals *out,
			      void (*see)(void *arg, struct rp_span name,
					  const struct rp_series *series),
			      void *arg, struct rp_error *err);

#endif
