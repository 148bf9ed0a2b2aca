/* explain.h - why an entry is where it is, what holds it up, what comes next, and the command that
 * would change it. Pure: values in, sentences out, so that every case can be tested as a row of a
 * table. Who asks fetches and prints. */
#ifndef RP_REPORT_EXPLAIN_H
#define RP_REPORT_EXPLAIN_H

#include "base/bytes.h"
#include "report/command.h"
#include "config/config.h"
#include "model/forecast.h"
#include "store/outbox.h"
#include "text/json.h"

#define RP_EXPLAIN_KINDS 6 /* outcomes told apart in the summary; the rest is summed up as others */

/* The attempt log, summed up. */
struct rp_explain_attempts {
	uint32_t n;
	struct {
		enum rp_cause cause; /* RP_CAUSE_NONE: delivered */
		unsigned http_status;
		uint32_t n;
	} kinds[RP_EXPLAIN_KINDS];
	size_t n_kinds;
	uint32_t n_others;
	int64_t first_at_ms;
	uint32_t last_n; /* number of the last one, */
	int64_t last_at_ms, last_duration_ms;
	enum rp_cause last_cause;
	unsigned last_status, last_slot;
	char last_detail[RP_DETAIL_TEXT_MAX]; /* as it was stored: not yet masked */
};
void rp_explain_add_attempt(struct rp_explain_attempts *a, uint32_t n,
			    const struct rp_attempt *attempt);

struct rp_explain_input {
	const struct rp_entry *entry;
	/* its path, and what counts for it besides (model/level.h); NULL: it is not known, or it
	 * has none */
	const struct rp_endpoint *endpoint, *section, *host;
	const struct rp_config *config; /* the one read now, */
	const struct rp_policy *policy; /* and what it says of the endpoint */
	struct rp_explain_attempts attempts;
	int64_t now_at_ms;
	/* Senders that hold their slot, those of them that beat within the lease, and how long ago
	 * the last beat was. */
	unsigned n_alive, n_beating;
	int64_t beat_age_ms;
	/* IN_FLIGHT: the sender that has it. */
	bool holder_known, holder_alive, holder_beats;
	uint32_t holder_pid;
	/* Its host is paused, or else its path: by whom, and the reason they gave; empty: the log
	 * of changes does not know. */
	struct rp_span paused_by, paused_why;
	/* Behind: the entry that goes first, "" when it has moved on, and its state. */
	const char *front;
	enum rp_state front_state;
	const struct rp_place *place;
};

/* What keeps a waiting entry from being sent now. The codes are part of the JSON and never change:
 *   no_sender, senders_stopped, disabled, paused, no_key, breaker_open, breaker_probing, window,
 *   rate, order, not_before, retry_delay, expired, unproven, turn */
struct rp_explain_block {
	const char *code;
	/* what it is that holds it up: its path, or what that shares with others; else -1 */
	int level;
	int64_t until_at_ms; /* 0: nobody can tell, or until somebody does something */
	struct rp_buf text;
	struct rp_buf command; /* that would change it; empty: none would */
};
#define RP_EXPLAIN_BLOCKS_MAX 16

struct rp_explanation {
	struct rp_buf why, happened, next;
	struct rp_explain_block blocks[RP_EXPLAIN_BLOCKS_MAX];
	size_t n_blocks;
	bool has_future;             /* it may be attempted again by itself: */
	struct rp_forecast forecast; /* ... to be asked step by step */
	struct {
		struct rp_buf command;
		const char *what;
	} commands[4];
	size_t n_commands;
	bool no_memory;
};

/* Fills an empty ({0}) explanation; release either way. The input must live as long as the
 * forecast is asked. */
void rp_explain(const struct rp_explain_input *in, struct rp_explanation *out);
void rp_explanation_release(struct rp_explanation *x);

/* A text or command of it as it is shown; NULL: there is none. */
const char *rp_explanation_text(const struct rp_buf *text);
/* The object of `explain --json`. NULL: out of memory. */
struct rp_json_out *rp_explanation_json(const struct rp_explain_input *in,
					const struct rp_explanation *x);

#endif
