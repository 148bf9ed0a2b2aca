/* selector.h - which entries a verb is about: one grammar for all verbs. Pure: no store, no clock,
 * no output.
 *
 *   ID... | - | --state S --endpoint GLOB --run RUN_ID --thread THREAD_ID --event STATUS
 *               --cause C --group G --attempts '>=5' --since 2h --until T --older-than 7d --limit N
 *
 * Whatever is given must hold all at once; ids and filters may be combined. */
#ifndef RP_REPORT_SELECTOR_H
#define RP_REPORT_SELECTOR_H

#include "base/bytes.h"
#include "config/config.h"
#include "model/filter.h"
#include "model/level.h"
#include "model/outcome.h"
#include "sign/ident.h"

/* Whether a URL or a name has what a pattern is made of; the brackets of an IPv6 host are none. */
bool rp_endpoint_reads_as_pattern(const char *glob);

/* What an operator may call an endpoint: its name, a URL of it (the query is ignored), or a glob
 * over name or host. A path may hold '*' or '[', so that a name reads as a pattern, too. Where an
 * endpoint of this name is known to exist, the name is meant. With a backslash anywhere it is a
 * pattern, since no URL has one. */
struct rp_endpoint_glob {
	const char *glob;
	struct rp_buf name; /* when glob reads as a URL: the endpoint it belongs to */
	bool exact;         /* it is no pattern: it stands for itself */
	/* it is the name of a host, "https://host:port" without a path: all paths of it fit */
	bool is_host;
	/* of the caller: a name as this configuration shows it fits, too; NULL: only as stored */
	const struct rp_config *config;
};
/* false: out of memory. `glob` is borrowed. */
bool rp_endpoint_glob_init(struct rp_endpoint_glob *g, const char *glob);
void rp_endpoint_glob_release(struct rp_endpoint_glob *g);
/* Whether it reads as a name and as a pattern: the caller then looks for an endpoint of this name,
 * and sets `exact` when there is one. */
bool rp_endpoint_glob_is_ambiguous(const struct rp_endpoint_glob *g);
/* is_host: the name of the host as it is stored. */
struct rp_span rp_endpoint_glob_host(const struct rp_endpoint_glob *g);
bool rp_endpoint_glob_is_name(const struct rp_endpoint_glob *g, struct rp_span name);
/* A glob with a '/' is compared with the whole name, one without with the host, with and without
 * its port. */
bool rp_endpoint_glob_match(const struct rp_endpoint_glob *g, struct rp_span name);

struct rp_selector {
	bool by_id; /* ids were named, be it none of them on an empty stdin */
	unsigned char (*ids)[RP_ID_BYTES];
	size_t n_ids, cap_ids;

	unsigned states;    /* mask of RP_STATE_BIT; 0: any */
	bool retrying_only; /* of the waiting entries those with an attempt behind them */
	bool has_endpoint;
	struct rp_endpoint_glob endpoint;
	const char *run_id, *thread_id, *event;
	bool has_cause;
	enum rp_cause cause;
	unsigned http_status; /* 0: any */
	bool has_attempts;
	uint32_t attempts_min, attempts_max;
	bool has_group;
	struct rp_dead_group group;
	bool has_since, has_until, has_older;
	int64_t since_at_ms, until_at_ms, older_than_ms;
	bool has_limit;
	uint64_t limit; /* 0: no limit */
};

enum rp_selector_field {
	RP_SELECT_STATE = 1,
	RP_SELECT_ENDPOINT,
	RP_SELECT_RUN,
	RP_SELECT_CAUSE,
	RP_SELECT_SINCE,
	RP_SELECT_UNTIL,
	RP_SELECT_OLDER_THAN,
	RP_SELECT_LIMIT,
	RP_SELECT_THREAD,
	RP_SELECT_EVENT,
	RP_SELECT_ATTEMPTS,
	RP_SELECT_GROUP,
};

/* {0} is the empty selector. `value` is borrowed until release. RP_ERR_INVAL: err names the
 * option, what is wrong with the value and what would be right. */
enum rp_err rp_selector_set(struct rp_selector *s, enum rp_selector_field field, const char *value,
			    int64_t now_at_ms, struct rp_error *err);
enum rp_err rp_selector_add_id(struct rp_selector *s, struct rp_span text, struct rp_error *err);
/* A line of stdin: an id, columns whose first is an id, or a JSON object with a member "id" (else,
 * a group of dead letters, "sample"); a blank one adds nothing. */
enum rp_err rp_selector_add_line(struct rp_selector *s, struct rp_span line, struct rp_error *err);
void rp_selector_release(struct rp_selector *s);

/* Nothing but perhaps a limit was given: it would mean every entry there is. */
bool rp_selector_is_empty(const struct rp_selector *s);
/* The filters as a value for a store, but for the endpoint's name and the ids: a store knows
 * numbers of endpoints. It borrows what the selector holds. */
void rp_selector_filter(const struct rp_selector *s, struct rp_filter *out);
/* Whether the filters (not the ids, not the limit) let an entry pass. */
bool rp_selector_match(const struct rp_selector *s, const struct rp_entry *e, int64_t now_at_ms);

#endif
