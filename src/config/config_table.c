/* config_table.c - lists every setting, with its section, unit, bounds, default and help.
 * Parser, help and documents all follow this one table. */

#include "config/config_table.h"

#include "base/assert.h"
#include "config/config_door.h"

#define IN_CONFIG(member) offsetof(struct rp_config, member)
#define IN_POLICY(member) offsetof(struct rp_policy, member)
#define TEXT(number) #number
#define TEXT_OF(macro) TEXT(macro)

/* clang-format off */
static const struct rp_setting settings[] = {
	{{"outbox", "dir", "path", "/var/lib/runpost", "directory of the outbox"},
	 RP_KIND_PATH, NULL, NULL, IN_CONFIG(outbox_dir)},
	{{"outbox", "url", "address", "", "address of a PostgreSQL database with the outbox, instead of dir: postgresql://HOST/DATABASE"},
	 RP_KIND_DATABASE, NULL, NULL, IN_CONFIG(outbox_url)},
	{{"outbox", "quota", "size", "16G", "ingest stops taking when entries use so much"},
	 RP_KIND_SIZE, "64K", "16T", IN_CONFIG(quota_bytes)},
	{{"outbox", "map_size", "size", "64G", "address space of the outbox; the file is sparse and grows as needed"},
	 RP_KIND_SIZE, "512M", "64T", IN_CONFIG(map_bytes)},
	{{"outbox", "disk_reserve", "size", "64M", "ingest stops taking when the disk has less than this left"},
	 RP_KIND_SIZE, "1M", "16T", IN_CONFIG(disk_reserve_bytes)},
	{{"outbox", "keep_delivered", "duration", "7d", "delivered entries are purged after this time; 0: never"},
	 RP_KIND_DURATION, "0", "36500d", IN_CONFIG(keep_delivered_ms)},
	{{"outbox", "keep_dead", "duration", "30d", "dead letters are purged after this time; 0: never"},
	 RP_KIND_DURATION, "0", "36500d", IN_CONFIG(keep_dead_ms)},
	{{"ingest", "max_line", "size", "16M", "longest line taken"},
	 RP_KIND_SIZE, "1K", "256M", IN_CONFIG(max_line_bytes)},
	{{"ingest", "full_wait", "duration", "60s", "how long ingest waits for room in a full outbox"},
	 RP_KIND_DURATION, "0", "1d", IN_CONFIG(full_wait_ms)},
	{{"ingest", "webhook_file", "path", "", "file with the URL where runs go that name no webhook; empty: they are skipped"},
	 RP_KIND_PATH, NULL, NULL, IN_CONFIG(webhook_file)},
	{{"sender", "in_flight", "count", "256", "requests at once in one sender process"},
	 RP_KIND_COUNT, "1", "4096", IN_CONFIG(sender_in_flight)},
	{{"sender", "lease", "duration", "30s", "claims of a sender that stands still so long go to others"},
	 RP_KIND_DURATION, "5s", "1h", IN_CONFIG(lease_ms)},
	{{"sender", "stop_grace", "duration", "25s", "time that running requests get when a sender is told to stop"},
	 RP_KIND_DURATION, "0", "1h", IN_CONFIG(stop_grace_ms)},
	{{"door", "listen", "addresses", RP_DOOR_LISTEN_DEFAULT, "where `runpost serve` takes runs: 127.0.0.1:8484 [::1]:8484 unix:/run/runpost/door.sock; may be given several times"},
	 RP_KIND_LISTEN, NULL, NULL, IN_CONFIG(door.listen)},
	{{"door", "token_file", "path", "", "file with tokens of those who come from elsewhere, one a line, all valid; empty: none"},
	 RP_KIND_PATH, NULL, NULL, IN_CONFIG(door.token_file)},
	{{"door", "door_key_file", "path", "", "file with the keys of signed targets, one a line, newest first; empty: none"},
	 RP_KIND_PATH, NULL, NULL, IN_CONFIG(door.door_key_file)},
	{{"door", "door_users", "users", "self", "users of this machine who need no token, names or numbers; self: the server's own; none: nobody; may be given several times"},
	 RP_KIND_USERS, NULL, NULL, IN_CONFIG(door.users)},
	{{"door", "rejects", "path", "", "file that keeps the bodies that were refused; empty: they are not kept"},
	 RP_KIND_PATH, NULL, NULL, IN_CONFIG(door.rejects)},
	{{"door", "rejects_max", "size", "64M", "the file of refused bodies gets no longer"},
	 RP_KIND_SIZE, "64K", "1T", IN_CONFIG(door.rejects_max_bytes)},
	{{"door", "hosts", "names", "", "further host names the door answers to, NAME or NAME:PORT, beside its own addresses; may be given several times"},
	 RP_KIND_HOSTS, NULL, NULL, IN_CONFIG(door.hosts)},
	{{"door", "hold", "duration", "20s", "how long a run waits at the door for room in a full outbox"},
	 RP_KIND_DURATION, "0", "10m", IN_CONFIG(door.hold_ms)},
	{{"door", "connections", "count", "512", "connections to the door at once"},
	 RP_KIND_COUNT, "1", "65536", IN_CONFIG(door.connections)},
	{{"door", "bodies", "size", "64M", "bytes of all bodies that the door holds at a time"},
	 RP_KIND_SIZE, "1M", "1T", IN_CONFIG(door.bodies_bytes)},
	{{"ui", "listen", "addresses", "", "where `runpost serve` answers /metrics, /healthz and /readyz: loopback or unix:/PATH; empty: nowhere"},
	 RP_KIND_LISTEN, NULL, NULL, IN_CONFIG(ui.listen)},
	{{"endpoint", "url", "url", "", "what the section is for: webhook URLs under this one; the longest match wins"},
	 RP_KIND_URL, NULL, NULL, IN_POLICY(url)},
	{{"endpoint", "door", "switch", "no", "whether the front door takes runs for the section, at /to/NAME"},
	 RP_KIND_SWITCH, "0", "1", IN_POLICY(door)},
	{{"endpoint", "shared_limits", "switch", "on", "whether in_flight and rate of this section count over all URLs under it together; no: each URL path has them for itself"},
	 RP_KIND_SWITCH, "0", "1", IN_POLICY(shared_limits)},
	{{"defaults", "secret_file", "path", "", "file with signing secrets, one a line, newest first; empty: none"},
	 RP_KIND_PATH, NULL, NULL, IN_POLICY(secret_file)},
	{{"defaults", "secret_env", "name", "", "environment variable with the signing secrets; empty: none"},
	 RP_KIND_ENV, NULL, NULL, IN_POLICY(secret_env)},
	{{"defaults", "secret_credential", "name", "", "systemd credential with the signing secrets; empty: none"},
	 RP_KIND_CREDENTIAL, NULL, NULL, IN_POLICY(secret_credential)},
	{{"defaults", "header", "header", "", "\"Name: value\" sent with every request; may be given several times"},
	 RP_KIND_HEADER, NULL, NULL, 0},
	{{"defaults", "drop", "members", "", "members of a run that are cut out before it is stored, such as kwargs.webhook; may be given several times; empty: none"},
	 RP_KIND_PATHS, NULL, NULL, 0},
	{{"defaults", "redact_path", "switch", "no", "whether the path behind the section's url is a secret and never shown"},
	 RP_KIND_SWITCH, "0", "1", IN_POLICY(redact_path)},
	{{"defaults", "timeout", "duration", "20s", "time for one attempt from start to end"},
	 RP_KIND_DURATION, "10ms", "50m", IN_POLICY(timeout_ms)},
	{{"defaults", "connect_timeout", "duration", "5s", "time for name lookup, connect and TLS handshake"},
	 RP_KIND_DURATION, "10ms", "50m", IN_POLICY(connect_timeout_ms)},
	{{"defaults", "retry_base", "duration", "5s", "delay after the first failure"},
	 RP_KIND_DURATION, "1ms", "30d", IN_POLICY(retry.base_ms)},
	{{"defaults", "retry_factor", "factor", "4", "each delay is so many times the one before"},
	 RP_KIND_FACTOR, "1", "10", IN_POLICY(retry.factor_permille)},
	{{"defaults", "retry_cap", "duration", "24h", "longest delay"},
	 RP_KIND_DURATION, "1ms", "30d", IN_POLICY(retry.cap_ms)},
	{{"defaults", "retry_attempts", "count", "11", "attempts, the first one included, before an entry is dead"},
	 RP_KIND_COUNT, "1", "1000", IN_POLICY(retry.attempts)},
	{{"defaults", "retry_schedule", "durations", "", "delays after each failure instead of retry_base and the like"},
	 RP_KIND_DELAYS, "1ms", "30d", 0},
	{{"defaults", "retry_max_age", "duration", "0", "entries older than this are dead; 0: no limit"},
	 RP_KIND_DURATION, "0", "36500d", IN_POLICY(retry.max_age_ms)},
	{{"defaults", "permanent_statuses", "statuses", "", "statuses after which an entry is dead at once, besides 410"},
	 RP_KIND_STATUSES, "300", "599", 0},
	{{"defaults", "honour_delivery_header", "switch", "no", "whether webhook-delivery of a response is heeded"},
	 RP_KIND_SWITCH, "0", "1", IN_POLICY(retry.honour_delivery_header)},
	{{"defaults", "in_flight", "count", "10", "requests at once to one URL path, over all senders; written in a section: to all URLs under it together, unless shared_limits = no"},
	 RP_KIND_COUNT, "1", TEXT_OF(RP_CONFIG_IN_FLIGHT_MAX), IN_POLICY(in_flight)},
	{{"defaults", "rate", "rate", "", "requests to one URL path in a time, over all senders: 50/s, 10/m, 3/h; written in a section: to all URLs under it together, unless shared_limits = no; empty: no limit"},
	 RP_KIND_RATE, NULL, NULL, IN_POLICY(rate)},
	{{"defaults", "host_in_flight", "count", "64", "requests at once to one host (scheme, name, port), over all senders; written nowhere: more where in_flight is more"},
	 RP_KIND_COUNT, "1", TEXT_OF(RP_CONFIG_IN_FLIGHT_MAX), IN_POLICY(host_in_flight)},
	{{"defaults", "host_rate", "rate", "", "requests to one host (scheme, name, port) in a time, over all senders: 50/s, 10/m, 3/h; empty: no limit"},
	 RP_KIND_RATE, NULL, NULL, IN_POLICY(host_rate)},
	{{"defaults", "breaker", "switch", "on", "whether an endpoint that keeps failing is left alone, but for single probes"},
	 RP_KIND_SWITCH, "0", "1", IN_POLICY(breaker)},
	{{"defaults", "allow", "networks", "", "addresses or CIDRs that may be reached though they are not public"},
	 RP_KIND_NETS, NULL, NULL, 0},
	{{"defaults", "allow_http", "switch", "no", "whether http:// URLs are sent to"},
	 RP_KIND_SWITCH, "0", "1", IN_POLICY(guard.allow_http)},
	{{"defaults", "allow_ports", "ports", "", "ports or any; empty: 80, 443 and every port of an address in allow"},
	 RP_KIND_PORTS, NULL, NULL, 0},
	{{"defaults", "ca_file", "path", "", "CA certificates (PEM) to trust; empty: those of the system"},
	 RP_KIND_PATH, NULL, NULL, IN_POLICY(ca_file)},
	{{"defaults", "client_cert", "path", "", "client certificate (PEM); empty: none"},
	 RP_KIND_PATH, NULL, NULL, IN_POLICY(client_cert)},
	{{"defaults", "client_key", "path", "", "key of the client certificate (PEM); empty: none"},
	 RP_KIND_PATH, NULL, NULL, IN_POLICY(client_key)},
	{{"defaults", "pin_sha256", "base64", "", "SHA-256 of public keys, one of which the receiver must have; empty: any"},
	 RP_KIND_PINS, NULL, NULL, IN_POLICY(pins)},
	{{"defaults", "tls_min", "version", "1.2", "lowest TLS version spoken"},
	 RP_KIND_TLS_VERSION, "1.2", "1.3", IN_POLICY(tls_min)},
};
/* clang-format on */

#define N_SETTINGS (sizeof settings / sizeof settings[0])
_Static_assert(N_SETTINGS <= RP_SETTINGS_MAX, "a parser notes a line for each setting");

const char *const rp_section_names[RP_SECTION_OTHER] = {
    [RP_SECTION_NONE] = "",
    [RP_SECTION_OUTBOX] = "outbox",
    [RP_SECTION_INGEST] = "ingest",
    [RP_SECTION_SENDER] = "sender",
    [RP_SECTION_DOOR] = "door",
    [RP_SECTION_UI] = "ui",
    [RP_SECTION_DEFAULTS] = "defaults",
    [RP_SECTION_ENDPOINT] = "endpoint",
};

const struct rp_setting *rp_setting_at(size_t i)
{
	return i < N_SETTINGS ? &settings[i] : NULL;
}

size_t rp_setting_index(const struct rp_setting *s)
{
	assert(s >= settings && s < settings + N_SETTINGS);
	return (size_t)(s - settings);
}

const struct rp_setting_info *rp_config_setting(size_t i)
{
	return i < N_SETTINGS ? &settings[i].info : NULL;
}

bool rp_setting_is_of_policy(const struct rp_setting *s)
{
	return strcmp(s->info.section, rp_section_names[RP_SECTION_DEFAULTS]) == 0 ||
	       strcmp(s->info.section, rp_section_names[RP_SECTION_ENDPOINT]) == 0;
}

bool rp_setting_may_repeat(const struct rp_setting *s)
{
	return s->kind == RP_KIND_HEADER || s->kind == RP_KIND_NETS || s->kind == RP_KIND_PATHS ||
	       s->kind == RP_KIND_LISTEN || s->kind == RP_KIND_USERS || s->kind == RP_KIND_HOSTS;
}

const struct rp_setting *rp_setting_find(enum rp_section section, const char *name)
{
	size_t i;

	for (i = 0; i < N_SETTINGS; i++) {
		const char *of = settings[i].info.section;

		if (strcmp(settings[i].info.name, name) != 0)
			continue;
		if (strcmp(of, rp_section_names[section]) == 0 ||
		    (section == RP_SECTION_ENDPOINT &&
		     strcmp(of, rp_section_names[RP_SECTION_DEFAULTS]) == 0))
			return &settings[i];
	}
	return NULL;
}

/* Levenshtein's distance; keys are short. */
static unsigned distance(const char *a, const char *b)
{
	unsigned row[RP_CONFIG_NAME_BYTES + 1], diagonal, above;
	size_t i, j, n = strlen(b);

	assert(n <= RP_CONFIG_NAME_BYTES);
	for (j = 0; j <= n; j++)
		row[j] = (unsigned)j;
	for (i = 0; a[i] != '\0'; i++) {
		diagonal = row[0];
		row[0] = (unsigned)i + 1;
		for (j = 0; j < n; j++) {
			unsigned best = diagonal + (a[i] != b[j]);

			above = row[j + 1];
			best = above + 1 < best ? above + 1 : best;
			row[j + 1] = row[j] + 1 < best ? row[j] + 1 : best;
			diagonal = above;
		}
	}
	return row[n];
}

const char *rp_setting_nearest(enum rp_section section, const char *name)
{
	const char *best = NULL;
	unsigned best_distance = 4; /* further away it is another word */
	size_t i;

	for (i = 0; i < N_SETTINGS; i++) {
		const char *key = settings[i].info.name;
		unsigned d = distance(name, key);

		if (rp_setting_find(section, key) == &settings[i] && d < best_distance &&
		    d < strlen(key)) {
			best = key;
			best_distance = d;
		}
	}
	return best;
}
