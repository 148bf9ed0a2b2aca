/* filter.h - which entries are meant: a value, without callbacks, that any store can turn into a
 * query of its own. Pure.
 *
 * A store leaves out what it can by its indexes, and shows nothing that rp_filter_matches does not
 * let pass: this file has the last word. All conditions that are set must hold at once; {0} means
 * every entry. Texts and arrays are borrowed. */
#ifndef RP_MODEL_FILTER_H
#define RP_MODEL_FILTER_H

#include "model/dead_group.h"
#include "model/entry.h"

#define RP_STATE_BIT(state) (1u << (state))
#define RP_STATES_ALL                                                                              \
	(RP_STATES_LIVE | RP_STATE_BIT(RP_STATE_DELIVERED) | RP_STATE_BIT(RP_STATE_DEAD))

#define RP_STATES_LIVE                                                                             \
	(RP_STATE_BIT(RP_STATE_WAITING) | RP_STATE_BIT(RP_STATE_IN_FLIGHT) |                       \
	 RP_STATE_BIT(RP_STATE_HELD))

struct rp_filter {
	const unsigned char *id; /* RP_ID_BYTES of the one entry; NULL: any */
	uint64_t seq;            /* its number; 0: any */
	uint64_t from_seq;       /* from this number on */
	unsigned states;         /* mask of RP_STATE_BIT; 0: any */
	bool retrying_only;      /* of the waiting entries those with an attempt behind them */
	bool has_endpoints;
	const uint64_t *endpoints; /* their numbers, ascending */
	size_t n_endpoints;
	uint64_t order_key; /* as in rp_delivery; 0: any */
	bool front_only;    /* with order_key: the live one that is not behind another */
	struct rp_span run_id, thread_id, event; /* ptr NULL: any */
	bool has_cause;                          /* RP_CAUSE_DAMAGED means a damaged record, too */
	enum rp_cause cause;
	unsigned http_status; /* with has_cause; 0: any */
	bool has_attempts;
	uint32_t attempts_min, attempts_max; /* both included */
	bool has_group;                      /* of dead letters */
	struct rp_dead_group group;
	bool has_since, has_until; /* accepted at since_at_ms or later, before until_at_ms */
	int64_t since_at_ms, until_at_ms;
	bool has_older, has_entered; /* in its state for older_than_ms or longer, since a time */
	int64_t older_than_ms, entered_since_ms; /* ... or later */
};

/* The states in which there may be any. */
unsigned rp_filter_states(const struct rp_filter *f);
/* The one state in which there may be any; 0: there are several. */
enum rp_state rp_filter_only_state(const struct rp_filter *f);
bool rp_filter_wants_endpoint(const struct rp_filter *f, uint64_t endpoint);

/* Whether an entry in this state may pass, as far as its index row tells; its endpoint and its
 * acceptance apart. */
bool rp_filter_may_match_brief(const struct rp_filter *f, enum rp_state state,
			       const struct rp_brief *brief, int64_t now_at_ms);
/* Whether it passes, where a brief is all that is asked for and nothing looks at the entry. */
bool rp_filter_matches_brief(const struct rp_filter *f, enum rp_state state,
			     const struct rp_brief *brief, int64_t now_at_ms);
/* As rp_filter_may_match_brief, as far as its delivery record tells, which must be sound. */
bool rp_filter_may_match_delivery(const struct rp_filter *f, const struct rp_delivery *d,
				  int64_t now_at_ms);
/* Whether it passes. */
bool rp_filter_matches(const struct rp_filter *f, const struct rp_entry *e, int64_t now_at_ms);

#endif
