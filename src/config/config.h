/* config.h - the configuration: makes settings of INI text. The only door to inih. Reads no files,
 * keeps no secrets.
 *
 * config_table.c has one table of settings: name, section, unit, bounds, default, help. The parser,
 * `--help`, `runpost settings` and the test of the man page read it.
 *
 * - An unknown key, a bad value, a doubled endpoint, or a line without '=' is an error with file
 *   and line.
 * - Keys of [defaults] and [endpoint "NAME"] are the same, but for three below. An endpoint
 *   starts from the defaults, wherever in the file they stand.
 * - A key is set once in a section. Only `header`, `drop`, `allow`, `listen`, `door_users` and
 *   `hosts` may repeat. Those of an endpoint join the inherited ones; a header replaces an
 *   inherited one of the same name.
 * - An empty path, secret_env, secret_credential or list takes back what was inherited.
 * - Comments stand on lines of their own.
 *
 *   [outbox]    dir quota map_size disk_reserve keep_delivered keep_dead
 *   [ingest]    max_line full_wait webhook_file
 *   [sender]    in_flight lease stop_grace
 *   [door]      listen token_file door_key_file door_users rejects rejects_max hosts hold
 *               connections bodies
 *   [ui]        listen
 *   [defaults]  secret_file secret_env secret_credential header drop redact_path timeout
 *               connect_timeout retry_base retry_factor retry_cap retry_attempts
 *               retry_schedule retry_max_age permanent_statuses honour_delivery_header in_flight
 *               rate host_in_flight host_rate breaker allow allow_http allow_ports ca_file
 *               client_cert client_key pin_sha256 tls_min
 *   [endpoint "NAME"]  url door shared_limits, and those of [defaults]
 *
 * Delays are computed (retry_base, _factor, _cap, _attempts) or listed (retry_schedule). One
 * section sets one of the two. An [endpoint] that does so replaces the inherited way.
 *
 * Limits count on three levels (model/level.h). What a section says of its host holds for the whole
 * host, so sections of one host that contradict each other are an error, as is a host that may have
 * less than one of its sections. config_limits.c says what holds for a URL. */
#ifndef RP_CONFIG_CONFIG_H
#define RP_CONFIG_CONFIG_H

#include "base/bytes.h"
#include "base/err.h"
#include "model/control.h"
#include "model/level.h"
#include "model/retry.h"
#include "net/guard.h"
#include "net/listen_address.h"
#include "net/url.h"
#include "run/run.h"

#define RP_ALLOW_MAX 32
#define RP_CONFIG_HEADERS_MAX 16
#define RP_CONFIG_PINS_MAX 8
#define RP_LISTEN_MAX 16
#define RP_DOOR_NAMES_MAX 32
#define RP_SETTINGS_MAX 64 /* rows of the settings table */
/* The most that a count of requests at once may be; no limit where one is needed and none set. */
#define RP_CONFIG_IN_FLIGHT_MAX 4096

/* What holds for one endpoint. Strings are owned by the config. */
struct rp_policy {
	const char *name;                     /* of the [endpoint] section; "defaults" */
	const char *url;                      /* prefix; NULL in defaults */
	struct rp_url prefix;                 /* url, taken apart */
	const char *secret_file, *secret_env; /* at most one of these and the next is set; */
	const char *secret_credential;        /* none: deliveries are not signed */
	const char *headers
	    [RP_CONFIG_HEADERS_MAX]; /* "Name: value", validated; may hold secrets: never shown */
	size_t n_headers;
	struct rp_cuts drop; /* members of a Run that are not stored */
	bool
	    redact_path; /* what stands behind the path of `url` is never shown (config/redact.h) */
	int64_t timeout_ms, connect_timeout_ms;
	struct rp_retry_policy retry;
	/* at most so many requests at once to one URL path, over all senders */
	unsigned in_flight;
	struct rp_rate rate; /* likewise; count 0: no limit */
	bool door;           /* the front door takes runs for it; false in defaults */
	bool shared_limits;  /* those that the section itself sets count over its URLs together */
	/* The same for the whole host of `url`, whichever of its sections says so; of defaults: for
	 * hosts that have no section. */
	unsigned host_in_flight;
	struct rp_rate host_rate;
	bool breaker;
	/* What follows from the file as a whole (config_host.c): */
	bool host_breaker;
	bool shares_in_flight, shares_rate; /* over the URLs of the section */
	/* The next section of the same host; of the first of a host: the first of another host. */
	struct rp_policy *next_of_host, *next_host;
	struct rp_cidr allow[RP_ALLOW_MAX];
	size_t n_allow;
	struct rp_guard_policy guard; /* guard.allow points at allow */
	/* NULL: system CAs, no client certificate */
	const char *ca_file, *client_cert, *client_key;
	/* public keys as CURLOPT_PINNEDPUBLICKEY takes them: "sha256//A;sha256//B"; NULL: any */
	const char *pins;
	unsigned tls_min; /* 12: TLS 1.2, 13: TLS 1.3 */
	/* Where it all comes from: lines of the file, inherited ones included; 0: the default. */
	unsigned section_line;
	unsigned line_of[RP_SETTINGS_MAX]; /* by the number that rp_config_setting takes */
	unsigned header_line[RP_CONFIG_HEADERS_MAX], allow_line[RP_ALLOW_MAX],
	    drop_line[RP_CUT_PATHS_MAX];
};

/* Where a server listens; lines of the file, 0: the default. */
struct rp_listen {
	struct rp_listen_address at[RP_LISTEN_MAX];
	unsigned line[RP_LISTEN_MAX];
	size_t n;
};

/* The words of a list. */
struct rp_door_names {
	const char *at[RP_DOOR_NAMES_MAX];
	unsigned line[RP_DOOR_NAMES_MAX];
	size_t n;
};

/* [door]; of its files NULL where there is none. */
struct rp_door_config {
	struct rp_listen listen; /* at least one */
	const char *token_file, *door_key_file;
	/* Names and numbers of users, and "self", the server's own; none: nobody comes without a
	 * token. Their numbers: config/settings.h. */
	struct rp_door_names users;
	const char *rejects;
	uint64_t rejects_max_bytes;
	/* "name" or "name:port", in lower case, IPv6 in brackets; beside its own addresses */
	struct rp_door_names hosts;
	int64_t hold_ms;
	unsigned connections;
	uint64_t bodies_bytes;
};

/* [ui] */
struct rp_ui_config {
	struct rp_listen listen; /* none: there are no pages */
};

struct rp_config {
	const char *outbox_dir;
	const char *outbox_url; /* of a database, which is used instead; NULL: none */
	uint64_t quota_bytes, map_bytes, disk_reserve_bytes;
	int64_t keep_delivered_ms, keep_dead_ms; /* 0: for ever */
	uint64_t max_line_bytes;
	int64_t full_wait_ms;
	const char *webhook_file; /* NULL: none */
	unsigned sender_in_flight;
	int64_t lease_ms, stop_grace_ms;
	struct rp_door_config door;
	struct rp_ui_config ui;
	struct rp_policy defaults;
	struct rp_policy *endpoints;
	size_t n_endpoints;
	struct rp_policy *first_host;      /* the first section of one of the hosts */
	bool redacts;                      /* some section has redact_path */
	bool drops;                        /* some section has drop */
	unsigned line_of[RP_SETTINGS_MAX]; /* of the settings that are not a policy's */
	void *owned;                       /* the strings */
};

/* The address of the outbox: a directory or a database. */
static inline const char *rp_config_outbox(const struct rp_config *config)
{
	return config->outbox_url != NULL ? config->outbox_url : config->outbox_dir;
}

/* All defaults. */
void rp_config_init(struct rp_config *config);
void rp_config_release(struct rp_config *config);

/* Parses `text` over the defaults into an initialised config, and replaces what the config held.
 * `file` names the text in messages. RP_ERR_INVAL: err is "FILE:LINE: [section] key = value: what
 * is wrong; accepted: ...", without the value where it may hold a secret. The config is then as
 * rp_config_init left it. RP_ERR_NOMEM. */
enum rp_err rp_config_parse(struct rp_config *config, const char *file, struct rp_span text,
			    struct rp_error *err);

/* The policy for a URL: the endpoint section with the longest matching url, else the defaults.
 * Never NULL. */
const struct rp_policy *rp_config_policy(const struct rp_config *config, const struct rp_url *url);

/* What sections drop, for rp_parse_run: by the policy of the URL. Where no section drops anything,
 * nobody will ask. The config must outlive it. */
struct rp_run_cuts rp_config_cuts(const struct rp_config *config);

/* The policy whose host_in_flight, host_rate and host_breaker hold for the host of a URL: a section
 * of this host (scheme, name, port), else the defaults. Never NULL. */
const struct rp_policy *rp_config_host(const struct rp_config *config, const struct rp_url *url);

/* What a URL may get on each level (model/level.h); of a host alone: its root. It passes over the
 * sections once and allocates nothing.
 *
 * PATH: in_flight, rate and breaker of its policy, but no rate that its section shares.
 * SECTION: there is one if the policy is a section with shared_limits on that sets in_flight or a
 * rate itself; what it inherits counts for each path. It has no window and no breaker of its own.
 * HOST: host_in_flight as a section of the host sets it, else [defaults]; set nowhere, the greatest
 * of RP_HOST_IN_FLIGHT and every in_flight that holds in [defaults] or a section of the host.
 * host_rate likewise, or none. Its breaker is on if it is in [defaults] and all these sections. */
void rp_config_limits(const struct rp_config *config, const struct rp_url *url,
		      struct rp_level_limits *out);

/* Appends "http://ADDRESS:PORT", by which programs of this machine reach the door: its first
 * address of TCP whose port is known before. Nothing where it has none. false: out of memory. */
bool rp_config_add_door_url(const struct rp_config *config, struct rp_buf *out);

/* Whether a policy names secrets. Then nothing is ever sent unsigned. */
bool rp_policy_is_signed(const struct rp_policy *policy);

/* The settings table, for help and documents. NULL after the last. */
struct rp_setting_info {
	const char *section, *name, *unit, *default_text, *help;
};
const struct rp_setting_info *rp_config_setting(size_t i);

/* --- showing the effective settings ------------------------------------------------------- */

/* A setting has one value, or one for each header or network; at least one, which is then "none".
 * policy: NULL for settings of [outbox], [ingest] and [sender]. */
size_t rp_config_count_values(const struct rp_policy *policy, size_t i);

/* Appends the k-th value of the i-th setting as a file would have it; "none" for an empty one, and
 * "set" in place of what may be a secret (a header's value, secret_env). false: out of memory. */
bool rp_config_show_value(const struct rp_config *config, const struct rp_policy *policy, size_t i,
			  size_t k, struct rp_buf *out);

/* The line that set it; 0: the built-in default. *inherited: an endpoint has it from [defaults]. */
unsigned rp_config_line_of_value(const struct rp_config *config, const struct rp_policy *policy,
				 size_t i, size_t k, bool *inherited);

#endif
