#include "config/config.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/units.h"

#define MINUTE_MS INT64_C(60000)
#define HOUR_MS (60 * MINUTE_MS)
#define DAY_MS (24 * HOUR_MS)
#define MIB ((uint64_t)1 << 20)

static struct rp_config config;
static struct rp_error error;

static void setup(void)
{
	memset(&error, 0, sizeof error);
	rp_config_init(&config);
}

static void teardown(void)
{
	rp_config_release(&config);
}

static enum rp_err parse(const char *text)
{
	return rp_config_parse(&config, "t.conf", rp_span_of(text), &error);
}

static void parse_ok(const char *text)
{
	ck_assert_msg(parse(text) == RP_OK, "%s", error.text);
}

static const struct rp_policy *policy_of(const char *text)
{
	struct rp_url url;

	ck_assert_msg(rp_url_parse(rp_span_of(text), &url, &error) == RP_OK, "%s", error.text);
	return rp_config_policy(&config, &url);
}

static void check_is_default(const struct rp_config *c)
{
	const struct rp_policy *p = &c->defaults;

	ck_assert_str_eq(c->outbox_dir, "/var/lib/runpost");
	ck_assert_uint_eq(c->quota_bytes, 16 * 1024 * MIB);
	ck_assert_uint_eq(c->map_bytes, 64 * 1024 * MIB);
	ck_assert_uint_eq(c->disk_reserve_bytes, 64 * MIB);
	ck_assert_int_eq(c->keep_delivered_ms, 7 * DAY_MS);
	ck_assert_int_eq(c->keep_dead_ms, 30 * DAY_MS);
	ck_assert_uint_eq(c->max_line_bytes, 16 * MIB);
	ck_assert_int_eq(c->full_wait_ms, MINUTE_MS);
	ck_assert_uint_eq(c->sender_in_flight, 256);
	ck_assert_int_eq(c->lease_ms, 30000);
	ck_assert_int_eq(c->stop_grace_ms, 25000);
	ck_assert_uint_eq(c->n_endpoints, 0);
	ck_assert_str_eq(p->name, "defaults");
	ck_assert_ptr_null(p->url);
	ck_assert_ptr_null(p->secret_file);
	ck_assert_ptr_null(p->secret_env);
	ck_assert_uint_eq(p->n_headers, 0);
	ck_assert_int_eq(p->timeout_ms, 20000);
	ck_assert_int_eq(p->connect_timeout_ms, 5000);
	ck_assert_int_eq(p->retry.base_ms, 5000);
	ck_assert_int_eq(p->retry.factor_permille, 4000);
	ck_assert_int_eq(p->retry.cap_ms, DAY_MS);
	ck_assert_uint_eq(p->retry.attempts, 11);
	ck_assert_int_eq(p->retry.max_age_ms, 0);
	ck_assert_uint_eq(p->in_flight, 10);
	ck_assert_uint_eq(p->rate.count, 0);
	ck_assert(p->shared_limits);
	ck_assert_uint_eq(p->host_in_flight, RP_HOST_IN_FLIGHT);
	ck_assert_uint_eq(p->host_rate.count, 0);
	ck_assert(p->breaker && p->host_breaker);
	ck_assert_uint_eq(p->n_allow, 0);
	ck_assert(!p->guard.allow_http && !p->guard.any_port);
	ck_assert_uint_eq(p->guard.n_ports, 0);
	ck_assert_ptr_eq(p->guard.allow, p->allow);
	ck_assert_uint_eq(p->guard.n_allow, 0);
}

START_TEST(an_empty_text_is_all_defaults)
{
	static const char *const texts[] = {"", "\n\n", "# nothing\n; here\n",
					    "[outbox]\n[ingest]\n[sender]\n[defaults]",
					    "\xef\xbb\xbf"};
	size_t i;

	check_is_default(&config);
	for (i = 0; i < sizeof texts / sizeof texts[0]; i++) {
		parse_ok(texts[i]);
		check_is_default(&config);
	}
}
END_TEST

START_TEST(every_global_key_is_taken)
{
	parse_ok("[outbox]\ndir = /data/out\nquota = 1G\nmap_size = 2G\ndisk_reserve = "
		 "1M\nkeep_delivered = 1h30m\n"
		 "keep_dead = 0\n[ingest]\nmax_line = 1K\nfull_wait = 0\n[sender]\nin_flight = "
		 "4096\nlease = 1h\n"
		 "stop_grace = 100ms\n");
	ck_assert_str_eq(config.outbox_dir, "/data/out");
	ck_assert_uint_eq(config.quota_bytes, 1024 * MIB);
	ck_assert_uint_eq(config.map_bytes, 2048 * MIB);
	ck_assert_uint_eq(config.disk_reserve_bytes, MIB);
	ck_assert_int_eq(config.keep_delivered_ms, 90 * MINUTE_MS);
	ck_assert_int_eq(config.keep_dead_ms, 0);
	ck_assert_uint_eq(config.max_line_bytes, 1024);
	ck_assert_int_eq(config.full_wait_ms, 0);
	ck_assert_uint_eq(config.sender_in_flight, 4096);
	ck_assert_int_eq(config.lease_ms, HOUR_MS);
	ck_assert_int_eq(config.stop_grace_ms, 100);
}
END_TEST

START_TEST(every_key_of_a_policy_is_taken)
{
	const struct rp_policy *p = &config.defaults;

	parse_ok("[defaults]\nsecret_file = k.txt\nheader = X-A:  one; two \ntimeout = "
		 "1s\nconnect_timeout = 2s\n"
		 "retry_base = 10ms\nretry_factor = 2.5\nretry_cap = 3m\nretry_attempts = "
		 "1000\nretry_max_age = 2d\n"
		 "in_flight = 1\nhost_in_flight = 4096\nhost_rate = 10000/s\n"
		 "allow = 10.0.0.0/8,fd00::/8 127.0.0.1\nallow = "
		 "192.168.0.0/16\nallow_http = on\n"
		 "allow_ports = 8080, 8443\nca_file = ca.pem\nclient_cert = c.pem\nclient_key = "
		 "k.pem\n");
	ck_assert_str_eq(p->secret_file, "k.txt");
	ck_assert_uint_eq(p->n_headers, 1);
	ck_assert_str_eq(p->headers[0], "X-A: one; two");
	ck_assert_int_eq(p->timeout_ms, 1000);
	ck_assert_int_eq(p->connect_timeout_ms, 2000);
	ck_assert_int_eq(p->retry.base_ms, 10);
	ck_assert_int_eq(p->retry.factor_permille, 2500);
	ck_assert_int_eq(p->retry.cap_ms, 3 * MINUTE_MS);
	ck_assert_uint_eq(p->retry.attempts, 1000);
	ck_assert_int_eq(p->retry.max_age_ms, 2 * DAY_MS);
	ck_assert_uint_eq(p->in_flight, 1);
	ck_assert_uint_eq(p->host_in_flight, 4096);
	ck_assert_uint_eq(p->host_rate.count, 10000);
	ck_assert_uint_eq(p->host_rate.period_ms, 1000);
	ck_assert_uint_eq(p->guard.n_allow, 4);
	ck_assert_ptr_eq(p->guard.allow, p->allow);
	ck_assert_int_eq(p->allow[1].family, AF_INET6);
	ck_assert_uint_eq(p->allow[2].prefix_bits, 32);
	ck_assert_uint_eq(p->allow[3].prefix_bits, 16);
	ck_assert(p->guard.allow_http);
	ck_assert_uint_eq(p->guard.n_ports, 2);
	ck_assert_uint_eq(p->guard.ports[1], 8443);
	ck_assert_str_eq(p->ca_file, "ca.pem");
	ck_assert_str_eq(p->client_cert, "c.pem");
	ck_assert_str_eq(p->client_key, "k.pem");
}
END_TEST

#define PIN_A "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
#define PIN_B "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="

START_TEST(schedules_statuses_and_pins_are_lists)
{
	const struct rp_policy *p = &config.defaults;

	parse_ok("[defaults]\nretry_schedule = 5s 30s, 1h30m\npermanent_statuses = 400 404,422\n"
		 "honour_delivery_header = yes\npin_sha256 = " PIN_A " " PIN_B "\ntls_min = 1.3\n");
	ck_assert_uint_eq(p->retry.n_schedule, 3);
	ck_assert_int_eq(p->retry.schedule_ms[0], 5000);
	ck_assert_int_eq(p->retry.schedule_ms[2], 90 * MINUTE_MS);
	ck_assert_uint_eq(p->retry.n_permanent_statuses, 3);
	ck_assert_uint_eq(p->retry.permanent_statuses[2], 422);
	ck_assert(p->retry.honour_delivery_header);
	ck_assert_str_eq(p->pins, "sha256//" PIN_A ";sha256//" PIN_B);
	ck_assert_uint_eq(p->tls_min, 13);
}
END_TEST

START_TEST(a_schedule_and_computed_delays_replace_each_other_in_an_endpoint)
{
	const struct rp_policy *p;

	parse_ok(
	    "[defaults]\nretry_schedule = 5s 30s\npermanent_statuses = 400\npin_sha256 = " PIN_A
	    "\n"
	    "[endpoint \"a\"]\nurl = https://a.example\nretry_base = 7s\n"
	    "[endpoint \"b\"]\nurl = https://b.example\nretry_schedule =\nretry_cap = "
	    "1h\npermanent_statuses =\n"
	    "pin_sha256 =\n"
	    "[endpoint \"c\"]\nurl = https://c.example\nretry_schedule = 1s\n[endpoint \"d\"]\nurl "
	    "= "
	    "https://d.example\n");
	p = config.endpoints;
	ck_assert_uint_eq(p[0].retry.n_schedule, 0);
	ck_assert_int_eq(p[0].retry.base_ms, 7000);
	ck_assert_uint_eq(p[1].retry.n_schedule, 0);
	ck_assert_int_eq(p[1].retry.cap_ms, HOUR_MS);
	ck_assert_uint_eq(p[1].retry.n_permanent_statuses, 0);
	ck_assert_ptr_null(p[1].pins);
	ck_assert_uint_eq(p[2].retry.n_schedule, 1);
	ck_assert_uint_eq(p[3].retry.n_schedule, 2);
	ck_assert_str_eq(p[3].pins, "sha256//" PIN_A);
	ck_assert_uint_eq(p[3].tls_min, 12);
}
END_TEST

START_TEST(switches_know_eight_words)
{
	static const char *const words[] = {"no", "yes", "false", "true", "off", "on", "0", "1"};
	char text[64];
	size_t i;

	for (i = 0; i < 8; i++) {
		snprintf(text, sizeof text, "[defaults]\nallow_http = %s", words[i]);
		parse_ok(text);
		ck_assert_msg(config.defaults.guard.allow_http == (i % 2 == 1), "%s", words[i]);
		teardown();
		setup();
	}
}
END_TEST

START_TEST(factors_are_kept_in_thousandths)
{
	static const struct {
		const char *text;
		int64_t permille;
	} cases[] = {{"1", 1000},    {"10", 10000},   {"1.5", 1500},
		     {"1.25", 1250}, {"1.001", 1001}, {"9.999", 9999}};
	char text[64];
	size_t i;

	for (i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		snprintf(text, sizeof text, "[defaults]\nretry_factor = %s", cases[i].text);
		parse_ok(text);
		ck_assert_int_eq(config.defaults.retry.factor_permille, cases[i].permille);
		teardown();
		setup();
	}
}
END_TEST

START_TEST(an_endpoint_starts_from_the_defaults_wherever_they_stand)
{
	const struct rp_policy *p;

	parse_ok("[endpoint \"a\"]\nurl = https://a.example/hooks\nheader = X-Own: 1\nallow = "
		 "10.0.0.0/8\nin_flight = 3\n"
		 "rate = 90/m\nbreaker = off\n"
		 "[endpoint \"b.B_2-x\"]\nurl = https://b.example\nallow_ports = any\n"
		 "[defaults]\nheader = X-All: 1\nallow = 127.0.0.1\ntimeout = 7s\nallow_ports = "
		 "9000\nsecret_env = KEY\n");
	ck_assert_uint_eq(config.n_endpoints, 2);
	p = &config.endpoints[0];
	ck_assert_str_eq(p->name, "a");
	ck_assert_str_eq(p->url, "https://a.example/hooks");
	ck_assert(rp_span_is(p->prefix.host, "a.example"));
	ck_assert_uint_eq(p->n_headers, 2);
	ck_assert_str_eq(p->headers[0], "X-All: 1");
	ck_assert_str_eq(p->headers[1], "X-Own: 1");
	ck_assert_uint_eq(p->n_allow, 2);
	ck_assert_uint_eq(p->guard.n_allow, 2);
	ck_assert_ptr_eq(p->guard.allow, p->allow);
	ck_assert_int_eq(p->timeout_ms, 7000);
	ck_assert_uint_eq(p->in_flight, 3);
	ck_assert_uint_eq(p->rate.count, 90);
	ck_assert_uint_eq(p->rate.period_ms, 60000);
	ck_assert(!p->breaker);
	ck_assert_str_eq(p->secret_env, "KEY");
	ck_assert_uint_eq(p->guard.ports[0], 9000);
	p = &config.endpoints[1];
	ck_assert_str_eq(p->name, "b.B_2-x");
	ck_assert_uint_eq(p->n_headers, 1);
	ck_assert_uint_eq(p->n_allow, 1);
	ck_assert_ptr_eq(p->guard.allow, p->allow);
	ck_assert_uint_eq(p->in_flight, 10);
	ck_assert(p->guard.any_port);
	ck_assert_uint_eq(p->guard.n_ports, 0);
	ck_assert_uint_eq(config.defaults.n_headers, 1);
	ck_assert_uint_eq(config.defaults.n_allow, 1);
	ck_assert(!config.defaults.guard.any_port);
}
END_TEST

START_TEST(an_endpoint_replaces_an_inherited_header_and_secret)
{
	const struct rp_policy *p;

	parse_ok("[defaults]\nheader = Authorization: Bearer d\nheader = X-B: 1\nsecret_file = "
		 "d.key\nca_file = d.pem\n"
		 "[endpoint \"a\"]\nurl = https://a.example\nheader = authorization: Bearer "
		 "a\nsecret_env = A_KEY\n"
		 "[endpoint \"b\"]\nurl = https://b.example\nsecret_file =\nca_file =\n");
	p = &config.endpoints[0];
	ck_assert_uint_eq(p->n_headers, 2);
	ck_assert_str_eq(p->headers[0], "authorization: Bearer a");
	ck_assert_str_eq(p->headers[1], "X-B: 1");
	ck_assert_ptr_null(p->secret_file);
	ck_assert_str_eq(p->secret_env, "A_KEY");
	p = &config.endpoints[1];
	ck_assert_str_eq(p->headers[0], "Authorization: Bearer d");
	ck_assert_ptr_null(p->secret_file);
	ck_assert_ptr_null(p->ca_file);
}
END_TEST

START_TEST(the_longest_url_wins)
{
	parse_ok("[endpoint \"host\"]\nurl = https://a.example\n[endpoint \"deep\"]\nurl = "
		 "https://a.example/x/y\n"
		 "[endpoint \"x\"]\nurl = https://a.example/x\n");
	ck_assert_str_eq(policy_of("https://a.example/z")->name, "host");
	ck_assert_str_eq(policy_of("https://a.example/x")->name, "x");
	ck_assert_str_eq(policy_of("https://A.example:443/x/y/z?t=1")->name, "deep");
	ck_assert_str_eq(policy_of("https://a.example/x/yy")->name, "x");
	ck_assert_ptr_eq(policy_of("https://a.example.evil.test/x"), &config.defaults);
	ck_assert_ptr_eq(policy_of("http://a.example/x"), &config.defaults);
}
END_TEST

START_TEST(odd_layout_is_understood)
{
	parse_ok(
	    "\xef\xbb\xbf[ sender ]   # a comment\r\n\t in_flight=7\r\n    lease   =  40s  \r\n\r\n"
	    "  ; indented comment\r\n[endpoint\t\"e\"] ; another\r\n  url = https://a.example/p\r\n"
	    "  header = X-T: a;b=c #1\r\n  in_flight = 5");
	ck_assert_uint_eq(config.sender_in_flight, 7);
	ck_assert_int_eq(config.lease_ms, 40000);
	ck_assert_str_eq(config.endpoints[0].url, "https://a.example/p");
	ck_assert_str_eq(config.endpoints[0].headers[0], "X-T: a;b=c #1");
	ck_assert_uint_eq(config.endpoints[0].in_flight, 5);
}
END_TEST

START_TEST(a_long_value_is_not_cut)
{
	static char text[10000];
	size_t prefix_bytes = strlen("[defaults]\nheader = ");

	strcpy(text, "[defaults]\nheader = X-T: ");
	memset(text + strlen(text), 'x', 5000);
	parse_ok(text);
	ck_assert_str_eq(config.defaults.headers[0], text + prefix_bytes);
	memset(text + strlen(text), 'x', 4000);
	ck_assert_int_eq(parse(text), RP_ERR_INVAL);
	ck_assert_str_eq(
	    error.text,
	    "t.conf:2: the line is 9014 bytes long; accepted: lines of up to 8191 bytes");
}
END_TEST

START_TEST(a_nul_byte_is_refused)
{
	static const char text[] = "[defaults]\ntimeout = 1s\0junk\n";

	ck_assert_int_eq(
	    rp_config_parse(&config, "t.conf", (struct rp_span){text, sizeof text - 1}, &error),
	    RP_ERR_INVAL);
	ck_assert_str_eq(error.text,
			 "t.conf:2: the line contains a NUL byte; accepted: UTF-8 text");
}
END_TEST

#define SECTIONS "[outbox], [ingest], [sender], [door], [ui], [defaults], [endpoint \"NAME\"]"
#define DURATION ", with a unit (ms, s, m, h, d)"
#define COMMENT "after a space looks like a comment; accepted: comments on lines of their own"
#define HEADER "accepted: \"Name: value\" with a name that neither HTTP nor runpost owns"
#define A "[endpoint \"a\"]\nurl = https://a.example/p\n"

static const struct {
	const char *text, *message;
} refusals[] = {
    {"dir = /x\n", "1: there is a key before the first section; accepted: " SECTIONS},
    {"\n[outbx]\n",
     "2: [outbx]: unknown section; accepted: " SECTIONS ", NAME of letters, digits, . _ -"},
    {"[endpoint \"a b\"]\n", "1: [endpoint \"a b\"]: unknown section; accepted: " SECTIONS
			     ", NAME of letters, digits, . _ -"},
    {"[endpoint]\n",
     "1: [endpoint]: unknown section; accepted: " SECTIONS ", NAME of letters, digits, . _ -"},
    {"[outbox\n", "1: the section's ']' is missing; accepted: " SECTIONS},
    {"[outbox] dir = /x\n",
     "1: there is something after the section's ']'; accepted: keys on lines of their own"},
    {"[outbox]\n\ndir /x\n",
     "3: there is no '=' after a key; accepted: key = value, [section], or a comment after #"},
    {"[outbox]\ndir: /x=y\n",
     "2: there is no '=' after a key; accepted: key = value, [section], or a comment after #"},
    {"[outbox]\n= x\n",
     "2: there is no '=' after a key; accepted: key = value, [section], or a comment after #"},
    {"[outbox]\ndir =\n", "2: [outbox] dir = : empty; accepted: the path of a directory"},
    {"[outbox]\nurl = mysql://runpost:geheim@db/x\n",
     "2: [outbox] url: not the address of a database; accepted: postgresql://HOST/DATABASE"},
    {"[outbox]\ndir = /x ; here\n", "2: [outbox] dir = /x ; here: ';' " COMMENT},
    {"[outbox]\ndir = /x # here\n", "2: [outbox] dir = /x # here: '#' " COMMENT},
    {"[outbox]\ndir = /x\x01y\n",
     "2: [outbox] dir = /x?y: contains a control byte; accepted: text"},
    {"[outbox]\nquota = 1X\n",
     "2: [outbox] quota = 1X: not a size; accepted: 64K to 16T, in bytes or with K, M, G, T"},
    {"[outbox]\nquota = 1K\n",
     "2: [outbox] quota = 1K: too small; accepted: 64K to 16T, in bytes or with K, M, G, T"},
    {"[outbox]\nquota = 1G\nquota = 2G\n",
     "3: [outbox] quota: set on line 2 already; accepted: once in a section"},
    {"[outbox]\nmap_size = 1G\n", "2: [outbox] quota = 16384M: too large for map_size = 1024M; "
				  "accepted: at most map_size - 256M"},
    {"[outbox]\nmap_size = 2G\nquota = 1793M\n",
     "3: [outbox] quota = 1793M: too large for map_size = 2048M; accepted: at most map_size - "
     "256M"},
    {"[ingest]\nmax_line = 257M\n",
     "2: [ingest] max_line = 257M: too large; accepted: 1K to 256M, in bytes or with K, M, G, T"},
    {"[ingest]\nmax_line = 1023\n",
     "2: [ingest] max_line = 1023: too small; accepted: 1K to 256M, in bytes or with K, M, G, T"},
    {"[defaults]\nrate = 5\n",
     "2: [defaults] rate = 5: not a rate; accepted: 1/h to 10000/s, as requests in a second, "
     "minute or hour (50/s, 10/m, 3/h), or empty for no limit"},
    {"[defaults]\nrate = 10001/s\n",
     "2: [defaults] rate = 10001/s: not a rate; accepted: 1/h to 10000/s, as requests in a second, "
     "minute or hour (50/s, 10/m, 3/h), or empty for no limit"},
    {"[defaults]\nbreaker = maybe\n",
     "2: [defaults] breaker = maybe: not yes or no; accepted: yes, no, true, false, on, off, 1, 0"},
    {"[sender]\nin_flight = 0\n", "2: [sender] in_flight = 0: too small; accepted: 1 to 4096"},
    {"[sender]\nin_flight = 4097\n",
     "2: [sender] in_flight = 4097: too large; accepted: 1 to 4096"},
    {"[sender]\nin_flight = 5x\n",
     "2: [sender] in_flight = 5x: not a whole number; accepted: 1 to 4096"},
    {"[sender]\nin_flight = -1\n",
     "2: [sender] in_flight = -1: not a whole number; accepted: 1 to 4096"},
    {"[sender]\nin_flight = 99999999999999999999\n",
     "2: [sender] in_flight = 99999999999999999999: not a whole number; accepted: 1 to 4096"},
    {"[sender]\nlease = 4s\n", "2: [sender] lease = 4s: too small; accepted: 5s to 1h" DURATION},
    {"[sender]\nlease = 61m\n", "2: [sender] lease = 61m: too large; accepted: 5s to 1h" DURATION},
    {"[sender]\nlease = 22s\n",
     "2: [defaults] timeout = 20s: too long for [sender] lease = 22s; accepted: a lease of "
     "more than timeout + 2s"},
    {"[defaults]\ntimeout = 28s\n",
     "2: [defaults] timeout = 28s: too long for [sender] lease = 30s; accepted: a lease "
     "of more than timeout + 2s"},
    {A "timeout = 40s\n[sender]\nlease = 41s\n",
     "3: [endpoint \"a\"] timeout = 40s: too long for [sender] lease = 41s; "
     "accepted: a lease of more than timeout + 2s"},
    {"[defaults]\ntimeout = 20\n",
     "2: [defaults] timeout = 20: not a duration; accepted: 10ms to 50m" DURATION},
    {"[defaults]\ntimeout = -1s\n",
     "2: [defaults] timeout = -1s: not a duration; accepted: 10ms to 50m" DURATION},
    {"[defaults]\ntimeout =\n",
     "2: [defaults] timeout = : not a duration; accepted: 10ms to 50m" DURATION},
    {"[defaults]\ntimeout = 5s ; short\n", "2: [defaults] timeout = 5s ; short: ';' " COMMENT},
    {"[defaults]\nretry_factor = 0.9\n",
     "2: [defaults] retry_factor = 0.9: too small; accepted: 1 to 10"},
    {"[defaults]\nretry_factor = 10.001\n",
     "2: [defaults] retry_factor = 10.001: too large; accepted: 1 to 10"},
    {"[defaults]\nretry_factor = 1.2345\n", "2: [defaults] retry_factor = 1.2345: not a number "
					    "with at most three decimals; accepted: 1 to 10"},
    {"[defaults]\nretry_factor = 2.\n", "2: [defaults] retry_factor = 2.: not a number with at "
					"most three decimals; accepted: 1 to 10"},
    {"[defaults]\nretry_attempts = 1001\n",
     "2: [defaults] retry_attempts = 1001: too large; accepted: 1 to 1000"},
    {"[defaults]\nallow_http = maybe\n", "2: [defaults] allow_http = maybe: not yes or no; "
					 "accepted: yes, no, true, false, on, off, 1, 0"},
    {"[defaults]\nallow = 10.0.0.0/8 10.0.0.1/8\n",
     "2: [defaults] allow = 10.0.0.0/8 10.0.0.1/8: 10.0.0.1/8 is not an address, or has bits set "
     "beyond its prefix; "
     "accepted: addresses or CIDRs such as 10.0.0.0/8 fd00::/8"},
    {"[defaults]\nallow = ,\n",
     "2: [defaults] allow = ,: empty; accepted: addresses or CIDRs such as 10.0.0.0/8 fd00::/8"},
    {"[defaults]\ndrop = a b..c\n",
     "2: [defaults] drop = a b..c: b..c: a dot without a name on both sides; accepted: names of "
     "members with dots between them, such as kwargs.webhook"},
    {"[endpoint \"a\"]\nurl = https://a.example\ndrop = a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a\n",
     "3: [endpoint \"a\"] drop = a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a: "
     "a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a: more than 16 names deep; accepted: names of members with "
     "dots between them, such as kwargs.webhook"},
    {"[defaults]\ndrop = k\xff\n",
     "2: [defaults] drop = k?: k?: not text in UTF-8; accepted: names of members with dots between "
     "them, such as kwargs.webhook"},
    {"[defaults]\nallow_ports = 80,65536\n", "2: [defaults] allow_ports = 80,65536: 65536 is not a "
					     "port; accepted: any, or a list of 1 to 65535"},
    {"[defaults]\nallow_ports = 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17\n",
     "2: [defaults] allow_ports = 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17: too many ports; "
     "accepted: at most 16, "
     "or any"},
    {"[defaults]\nretry_base = 1s\nretry_schedule = 5s 30s\n",
     "3: [defaults] retry_schedule = 5s 30s: retry_base is set as well, on line 2; accepted: "
     "retry_schedule, or "
     "retry_base, retry_factor, retry_cap, retry_attempts"},
    {A "retry_schedule = 5s\nretry_attempts = 3\n",
     "4: [endpoint \"a\"] retry_attempts = 3: retry_schedule is set as well, on line 3; accepted: "
     "retry_schedule, or "
     "retry_base, retry_factor, retry_cap, retry_attempts"},
    {"[defaults]\nretry_schedule = 5s 30\n",
     "2: [defaults] retry_schedule = 5s 30: 30 is not a delay; accepted: "
     "durations from 1ms to 30d with a unit, such as 5s 5m 2h"},
    {"[defaults]\nretry_schedule = 31d\n",
     "2: [defaults] retry_schedule = 31d: 31d is not a delay; accepted: "
     "durations from 1ms to 30d with a unit, such as 5s 5m 2h"},
    {"[defaults]\npermanent_statuses = 404 200\n",
     "2: [defaults] permanent_statuses = 404 200: 200 is not the status of "
     "a failure; accepted: a list of 300 to 599"},
    {"[defaults]\ntls_min = 1.1\n",
     "2: [defaults] tls_min = 1.1: not a TLS version; accepted: 1.2 to 1.3"},
    {"[defaults]\npin_sha256 = sha256//AA==\n",
     "2: [defaults] pin_sha256 = sha256//AA==: sha256//AA== is not a "
     "SHA-256 in base64; accepted: 44 characters for each "
     "key, without sha256//"},
    {"[defaults]\nurl = https://a.example\n",
     "2: [defaults] url: not a key of this section; accepted: in [endpoint \"NAME\"]"},
    {"[outbox]\nlease = 5s\n",
     "2: [outbox] lease: not a key of this section; accepted: in [sender]"},
    {"[defaults]\nretry_bse = 5s\n",
     "2: [defaults] retry_bse: unknown key; did you mean retry_base?"},
    {A "secretfile = x\n",
     "3: [endpoint \"a\"] secretfile: unknown key; did you mean secret_file?"},
    {"[ingest]\nfrobnicate = 5s\n",
     "2: [ingest] frobnicate: unknown key; accepted: max_line full_wait webhook_file"},
    {"[endpoint \"a\"]\n\n[defaults]\n",
     "1: [endpoint \"a\"]: url is missing; accepted: url = https://HOST/PATH"},
    {A "[endpoint \"a\"]\n",
     "3: [endpoint \"a\"]: there is a section of this name already; accepted: one each"},
    {A "[endpoint \"b\"]\nurl = https://A.example:443/p\n",
     "4: [endpoint \"b\"] url: [endpoint \"a\"] has this URL already; accepted: one section for "
     "it"},
    {A "url = https://b.example\n",
     "3: [endpoint \"a\"] url: set on line 2 already; accepted: once in a section"},
    {"[endpoint \"a\"]\nurl = https://a.example/?token=hunter2\n",
     "2: [endpoint \"a\"] url: has a query; accepted: scheme, host, port and path, the part before "
     "the '?'"},
    {"[defaults]\nheader = Bearer hunter2\n", "2: [defaults] header: there is no ':'; " HEADER},
    {"[defaults]\nheader = X-A: \n", "2: [defaults] header: the header's value is empty; " HEADER},
    {"[defaults]\nheader = X-A: hunter2 ; old\n", "2: [defaults] header: ';' " COMMENT},
    {"[defaults]\nheader = X-A: hunter2\nheader = x-a: hunter2\n",
     "3: [defaults] header: the same header is set on line 2; accepted: each name once"},
    {"[defaults]\nsecret_env = hunter2/\n",
     "2: [defaults] secret_env: not the name of an environment variable; accepted: a name such as "
     "RUNPOST_SECRET"},
    {"[defaults]\nsecret_env = whsec_hunter2\n",
     "2: [defaults] secret_env: not the name of an environment variable; accepted: a name such as "
     "RUNPOST_SECRET"},
    {"[defaults]\nsecret_file = whsec_hunter2\n",
     "2: [defaults] secret_file: the value is a secret itself; accepted: the path of a file (mode "
     "0600) with it"},
    {"[ingest]\nwebhook_file = https://h/?t=hunter2\n",
     "2: [ingest] webhook_file: this is a URL; accepted: the path of a file or a directory"},
    {"[outbox]\ndir = https://h/?t=hunter2\n",
     "2: [outbox] dir: this is a URL; accepted: the path of a file or a directory"},
    {A "secret_file = a\nsecret_env = B\n",
     "4: [endpoint \"a\"] secret_env: secret_file is set as well, on line 3; "
     "accepted: one of secret_file, secret_env and "
     "secret_credential"},
    {A "secret_env = B\nsecret_file = a\n",
     "4: [endpoint \"a\"] secret_file = a: secret_env is set as well, on line "
     "3; accepted: one of secret_file, secret_env "
     "and secret_credential"},
    {A "secret_env = B\nsecret_credential = a\n",
     "4: [endpoint \"a\"] secret_credential: secret_env is set as well, on line 3; accepted: one "
     "of secret_file, "
     "secret_env and secret_credential"},
    {"[defaults]\nsecret_credential = ../hunter2\n",
     "2: [defaults] secret_credential: not the name of a credential; "
     "accepted: NAME of a LoadCredential=NAME:PATH in the "
     "systemd unit"},
    {"[defaults]\nsecret_credential = ..\n",
     "2: [defaults] secret_credential: not the name of a credential; accepted: "
     "NAME of a LoadCredential=NAME:PATH in the "
     "systemd unit"},
    {"[defaults]\nsecret_credential = whsec_hunter2\n",
     "2: [defaults] secret_credential: not the name of a credential; accepted: NAME of a "
     "LoadCredential=NAME:PATH in "
     "the "
     "systemd unit"},
    {"[defaults]\nwhsec_hunter2=\n",
     "2: [defaults]: there is something else than a key before the '='; accepted: key = value"},
};

START_TEST(what_is_wrong_is_told_with_file_and_line)
{
	ck_assert_msg(parse(refusals[_i].text) == RP_ERR_INVAL, "taken: %s", refusals[_i].text);
	ck_assert_int_eq(error.code, RP_ERR_INVAL);
	ck_assert_msg(strncmp(error.text, "t.conf:", 7) == 0 &&
			  strcmp(error.text + 7, refusals[_i].message) == 0,
		      "got  %s\nwant t.conf:%s", error.text, refusals[_i].message);
	ck_assert_msg(strstr(error.text, "hunter2") == NULL, "a secret in: %s", error.text);
	check_is_default(&config);
}
END_TEST

START_TEST(headers_that_http_or_runpost_own_are_refused)
{
	static const char *const names[] = {"Host",       "content-length",  "Transfer-Encoding",
					    "webhook-id", "runpost-attempt", "bad name"};
	char text[80];
	size_t i;

	for (i = 0; i < sizeof names / sizeof names[0]; i++) {
		snprintf(text, sizeof text, "[defaults]\nheader = %s: hunter2\n", names[i]);
		ck_assert_msg(parse(text) == RP_ERR_INVAL, "taken: %s", names[i]);
		ck_assert_msg(strncmp(error.text, "t.conf:2: [defaults] header: ", 29) == 0, "%s",
			      error.text);
		ck_assert_ptr_null(strstr(error.text, "hunter2"));
	}
}
END_TEST

START_TEST(a_bad_url_is_told_without_its_secrets)
{
	static const char *const urls[] = {"https://u:hunter2@a.example/",
					   "ftp://a.example/hunter2", "https:///?t=hunter2", ""};
	char text[120];
	size_t i;

	for (i = 0; i < sizeof urls / sizeof urls[0]; i++) {
		snprintf(text, sizeof text, "[endpoint \"a\"]\nurl = %s\n", urls[i]);
		ck_assert_msg(parse(text) == RP_ERR_INVAL, "taken: %s", urls[i]);
		ck_assert_msg(strncmp(error.text, "t.conf:2: [endpoint \"a\"] url: ", 30) == 0,
			      "%s", error.text);
		ck_assert_msg(strstr(error.text, "hunter2") == NULL, "%s", error.text);
	}
}
END_TEST

START_TEST(lists_have_an_end)
{
	char text[2000] = "[defaults]\n";
	size_t i;

	for (i = 0; i < RP_CONFIG_HEADERS_MAX; i++)
		sprintf(text + strlen(text), "header = X-%zu: v\n", i);
	for (i = 0; i < RP_ALLOW_MAX; i++)
		sprintf(text + strlen(text), "allow = 10.0.0.%zu\n", i);
	parse_ok(text);
	ck_assert_uint_eq(config.defaults.n_headers, RP_CONFIG_HEADERS_MAX);
	ck_assert_uint_eq(config.defaults.guard.n_allow, RP_ALLOW_MAX);
	strcat(text, "[endpoint \"a\"]\nurl = https://a.example\n");
	teardown();
	setup();
	parse_ok(text);
	i = strlen(text);
	strcpy(text + i, "header = X-More: v\n");
	ck_assert_int_eq(parse(text), RP_ERR_INVAL);
	ck_assert_str_eq(
	    error.text,
	    "t.conf:52: [endpoint \"a\"] header: too many headers; accepted: at most 16");
	strcpy(text + i, "allow = 10.1.0.0/16\n");
	ck_assert_int_eq(parse(text), RP_ERR_INVAL);
	ck_assert_str_eq(error.text, "t.conf:52: [endpoint \"a\"] allow = 10.1.0.0/16: too many "
				     "networks; accepted: at most 32");
	strcpy(text, "[defaults]\n");
	for (i = 0; i < RP_CUT_PATHS_MAX; i++)
		sprintf(text + strlen(text), "drop = m%zu m%zu\n", i, i);
	parse_ok(text);
	ck_assert_uint_eq(config.defaults.drop.n, RP_CUT_PATHS_MAX);
	strcat(text, "drop = one\n");
	ck_assert_int_eq(parse(text), RP_ERR_INVAL);
	ck_assert_str_eq(error.text,
			 "t.conf:34: [defaults] drop = one: too many members; accepted: "
			 "at most 32");
}
END_TEST

static size_t setting(const char *section, const char *name)
{
	const struct rp_setting_info *info;
	size_t i;

	for (i = 0; (info = rp_config_setting(i)) != NULL; i++)
		if (strcmp(info->section, section) == 0 && strcmp(info->name, name) == 0)
			return i;
	ck_abort_msg("there is no [%s] %s", section, name);
}

/* "VALUE @LINE", with a '^' when it is inherited. */
static const char *shown(const struct rp_policy *policy, const char *section, const char *name,
			 size_t k)
{
	static char text[200];
	size_t i = setting(section, name);
	struct rp_buf out = {0};
	bool inherited;
	unsigned line = rp_config_line_of_value(&config, policy, i, k, &inherited);

	ck_assert_uint_lt(k, policy != NULL ? rp_config_count_values(policy, i) : 1);
	ck_assert(rp_config_show_value(&config, policy, i, k, &out));
	snprintf(text, sizeof text, "%.*s @%u%s", (int)out.len, out.data, line,
		 inherited ? "^" : "");
	rp_buf_release(&out);
	return text;
}

START_TEST(pins_are_shown_as_a_file_has_them)
{
	parse_ok("[defaults]\npin_sha256 = " PIN_A "," PIN_B "\n");
	ck_assert_str_eq(shown(&config.defaults, "defaults", "pin_sha256", 0),
			 PIN_A " " PIN_B " @2");
}
END_TEST

START_TEST(every_value_knows_its_line)
{
	const struct rp_policy *a, *d = &config.defaults;

	parse_ok("[endpoint \"a\"]\n"                   /* 1 */
		 "url = https://a.example\n"            /* 2 */
		 "timeout = 7s\n"                       /* 3 */
		 "header = X-B: 2\n"                    /* 4 */
		 "header = X-C: 3\n"                    /* 5 */
		 "allow = 10.0.0.0/8 fd00::1\n"         /* 6 */
		 "secret_env = KEY\n"                   /* 7 */
		 "[sender]\nlease = 40s\n"              /* 8, 9 */
		 "[defaults]\nheader = X-A: 1\n"        /* 10, 11 */
		 "header = x-b: 1\nallow = 127.0.0.1\n" /* 12, 13 */
		 "secret_file = k\nretry_base = 1500ms\n" /* 14, 15 */);
	a = policy_of("https://a.example/x");
	ck_assert_uint_eq(a->section_line, 1);
	ck_assert_uint_eq(d->section_line, 10);
	ck_assert_str_eq(shown(NULL, "sender", "lease", 0), "40s @9");
	ck_assert_str_eq(shown(NULL, "sender", "stop_grace", 0), "25s @0");
	ck_assert_str_eq(shown(a, "endpoint", "url", 0), "https://a.example @2");
	ck_assert_str_eq(shown(a, "defaults", "timeout", 0), "7s @3");
	ck_assert_str_eq(shown(d, "defaults", "timeout", 0), "20s @0");
	ck_assert_str_eq(shown(a, "defaults", "retry_base", 0), "1s500ms @15^");
	ck_assert_str_eq(shown(d, "defaults", "retry_base", 0), "1s500ms @15");
	ck_assert_str_eq(shown(a, "defaults", "header", 0), "X-A: set @11^");
	ck_assert_str_eq(shown(a, "defaults", "header", 1), "X-B: set @4");
	ck_assert_str_eq(shown(a, "defaults", "header", 2), "X-C: set @5");
	ck_assert_str_eq(shown(d, "defaults", "header", 1), "x-b: set @12");
	ck_assert_str_eq(shown(a, "defaults", "allow", 0), "127.0.0.1 @13^");
	ck_assert_str_eq(shown(a, "defaults", "allow", 1), "10.0.0.0/8 @6");
	ck_assert_str_eq(shown(a, "defaults", "allow", 2), "fd00::1 @6");
	ck_assert_str_eq(shown(a, "defaults", "secret_env", 0), "set @7");
	ck_assert_str_eq(shown(a, "defaults", "secret_file", 0), "none @7");
	ck_assert_str_eq(shown(d, "defaults", "secret_file", 0), "k @14");
}
END_TEST

static const char *dropped(const char *url_text)
{
	static char text[200];
	struct rp_run_cuts cuts = rp_config_cuts(&config);
	const struct rp_cuts *found;
	struct rp_url url;
	size_t i;

	if (cuts.find == NULL)
		return "nobody asks";
	ck_assert_int_eq(rp_url_parse(rp_span_of(url_text), &url, NULL), RP_OK);
	found = cuts.find(cuts.arg, &url);
	text[0] = '\0';
	for (i = 0; i < found->n; i++)
		snprintf(text + strlen(text), sizeof text - strlen(text), "%s%s", i > 0 ? " " : "",
			 found->paths[i]);
	return text;
}

START_TEST(a_section_drops_what_the_defaults_do_and_more_or_nothing)
{
	const struct rp_policy *a, *b, *c;

	parse_ok("[endpoint \"a\"]\nurl = https://a.example\n"         /* 1, 2 */
		 "drop = c\ndrop = kwargs.webhook, d.e\n"              /* 3, 4 */
		 "[endpoint \"b\"]\nurl = https://b.example\ndrop =\n" /* 5 to 7 */
		 "[endpoint \"c\"]\nurl = https://c.example\n"         /* 8, 9 */
		 "drop = none\ndrop = z\n"                             /* 10, 11 */
		 "[defaults]\ndrop = kwargs.webhook user\n" /* 12, 13 */);
	ck_assert_str_eq(dropped("https://other.example/"), "kwargs.webhook user");
	ck_assert_str_eq(dropped("https://a.example/in?k=v"), "kwargs.webhook user c d.e");
	ck_assert_str_eq(dropped("https://b.example/"), "");
	ck_assert_str_eq(dropped("https://c.example/"), "z");
	a = policy_of("https://a.example");
	b = policy_of("https://b.example");
	c = policy_of("https://c.example");
	ck_assert_str_eq(shown(&config.defaults, "defaults", "drop", 1), "user @13");
	ck_assert_str_eq(shown(a, "defaults", "drop", 0), "kwargs.webhook @13^");
	ck_assert_str_eq(shown(a, "defaults", "drop", 2), "c @3");
	ck_assert_str_eq(shown(a, "defaults", "drop", 3), "d.e @4");
	ck_assert_str_eq(shown(b, "defaults", "drop", 0), "none @7");
	ck_assert_str_eq(shown(c, "defaults", "drop", 0), "z @11");
	ck_assert_uint_eq(rp_config_count_values(a, setting("defaults", "drop")), 4);
	ck_assert_uint_eq(rp_config_count_values(b, setting("defaults", "drop")), 1);
	parse_ok("[endpoint \"a\"]\nurl = https://a.example\n");
	ck_assert_str_eq(dropped("https://a.example/"), "nobody asks");
	ck_assert_str_eq(shown(&config.defaults, "defaults", "drop", 0), "none @0");
	parse_ok("[endpoint \"a\"]\nurl = https://a.example\ndrop = x\n");
	ck_assert_str_eq(dropped("https://b.example/"), "");
}
END_TEST

START_TEST(a_secret_source_takes_the_place_of_any_other)
{
	static const char *const ways[] = {"secret_file", "secret_env", "secret_credential"};
	char text[200];
	size_t i, j;

	for (i = 0; i < 3; i++) {
		for (j = 0; j < 3; j++) {
			const struct rp_policy *p;
			const char *set[3];

			snprintf(text, sizeof text,
				 "[defaults]\n%s = one\n[endpoint \"a\"]\nurl = "
				 "https://a.example\n%s = two\n"
				 "[endpoint \"b\"]\nurl = https://b.example\n%s =\n",
				 ways[i], ways[j], ways[j]);
			parse_ok(text);
			p = policy_of("https://a.example");
			memcpy(
			    set,
			    (const char *[]){p->secret_file, p->secret_env, p->secret_credential},
			    sizeof set);
			ck_assert_str_eq(set[j], "two");
			ck_assert(set[(j + 1) % 3] == NULL && set[(j + 2) % 3] == NULL);
			ck_assert(rp_policy_is_signed(p) && rp_policy_is_signed(&config.defaults));
			ck_assert(!rp_policy_is_signed(policy_of("https://b.example")));
		}
	}
}
END_TEST

START_TEST(values_are_shown_as_a_file_would_have_them)
{
	const struct rp_policy *d = &config.defaults;

	parse_ok("[outbox]\nquota = 1500K\n[defaults]\nretry_max_age = 1d2h3m4s\nretry_factor = "
		 "2.5\nallow_http = on\n"
		 "allow_ports = 8443,9000\nsecret_credential = hook\n");
	ck_assert_str_eq(shown(NULL, "outbox", "dir", 0), "/var/lib/runpost @0");
	ck_assert_str_eq(shown(NULL, "outbox", "quota", 0), "1500K @2");
	ck_assert_str_eq(shown(NULL, "outbox", "map_size", 0), "64G @0");
	ck_assert_str_eq(shown(d, "defaults", "retry_max_age", 0), "1d2h3m4s @4");
	ck_assert_str_eq(shown(d, "defaults", "retry_factor", 0), "2.5 @5");
	ck_assert_str_eq(shown(d, "defaults", "retry_cap", 0), "1d @0");
	ck_assert_str_eq(shown(d, "defaults", "allow_http", 0), "yes @6");
	ck_assert_str_eq(shown(d, "defaults", "allow_ports", 0), "8443 9000 @7");
	ck_assert_str_eq(shown(d, "defaults", "secret_credential", 0), "hook @8");
	ck_assert_str_eq(shown(d, "defaults", "header", 0), "none @0");
	ck_assert_str_eq(shown(d, "defaults", "allow", 0), "none @0");
	ck_assert_str_eq(shown(d, "defaults", "ca_file", 0), "none @0");
	parse_ok("[defaults]\nretry_factor = 3\nallow_ports = any\nretry_max_age = 0\n");
	ck_assert_str_eq(shown(d, "defaults", "retry_factor", 0), "3 @2");
	ck_assert_str_eq(shown(d, "defaults", "allow_ports", 0), "any @3");
	ck_assert_str_eq(shown(d, "defaults", "retry_max_age", 0), "0 @4");
}
END_TEST

START_TEST(many_endpoints_keep_their_own_lists)
{
	char *text = calloc(1, 20000);
	size_t i;

	for (i = 0; i < 100; i++)
		sprintf(text + strlen(text),
			"[endpoint \"e%zu\"]\nurl = https://a.example/%zu\nallow = 10.0.%zu.0/24\n",
			i, i, i);
	parse_ok(text);
	free(text);
	ck_assert_uint_eq(config.n_endpoints, 100);
	for (i = 0; i < 100; i++) {
		ck_assert_ptr_eq(config.endpoints[i].guard.allow, config.endpoints[i].allow);
		ck_assert_uint_eq(config.endpoints[i].allow[0].addr[2], i);
	}
	ck_assert_str_eq(policy_of("https://a.example/42/x")->name, "e42");
}
END_TEST

START_TEST(the_table_tells_of_every_setting)
{
	const struct rp_setting_info *info;
	int64_t ms;
	size_t n;

	for (n = 0; (info = rp_config_setting(n)) != NULL; n++) {
		ck_assert_msg(info->section[0] != '\0' && info->unit[0] != '\0' &&
				  info->help[0] != '\0',
			      "%s", info->name);
		if (strcmp(info->unit, "duration") == 0)
			ck_assert_msg(rp_duration_parse(rp_span_of(info->default_text), &ms), "%s",
				      info->name);
	}
	ck_assert_uint_eq(n, 56);
	ck_assert_ptr_null(rp_config_setting(n + 1));
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("config");
	TCase *t = tcase_create("parse");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, an_empty_text_is_all_defaults);
	tcase_add_test(t, every_global_key_is_taken);
	tcase_add_test(t, every_key_of_a_policy_is_taken);
	tcase_add_test(t, schedules_statuses_and_pins_are_lists);
	tcase_add_test(t, a_schedule_and_computed_delays_replace_each_other_in_an_endpoint);
	tcase_add_test(t, switches_know_eight_words);
	tcase_add_test(t, factors_are_kept_in_thousandths);
	tcase_add_test(t, an_endpoint_starts_from_the_defaults_wherever_they_stand);
	tcase_add_test(t, an_endpoint_replaces_an_inherited_header_and_secret);
	tcase_add_test(t, the_longest_url_wins);
	tcase_add_test(t, odd_layout_is_understood);
	tcase_add_test(t, a_long_value_is_not_cut);
	tcase_add_test(t, a_nul_byte_is_refused);
	tcase_add_loop_test(t, what_is_wrong_is_told_with_file_and_line, 0,
			    (int)(sizeof refusals / sizeof refusals[0]));
	tcase_add_test(t, headers_that_http_or_runpost_own_are_refused);
	tcase_add_test(t, a_bad_url_is_told_without_its_secrets);
	tcase_add_test(t, lists_have_an_end);
	tcase_add_test(t, every_value_knows_its_line);
	tcase_add_test(t, a_section_drops_what_the_defaults_do_and_more_or_nothing);
	tcase_add_test(t, pins_are_shown_as_a_file_has_them);
	tcase_add_test(t, a_secret_source_takes_the_place_of_any_other);
	tcase_add_test(t, values_are_shown_as_a_file_would_have_them);
	tcase_add_test(t, many_endpoints_keep_their_own_lists);
	tcase_add_test(t, the_table_tells_of_every_setting);
	suite_add_tcase(s, t);
	return s;
}

int main(void)
{
	SRunner *sr = srunner_create(suite());
	int failed;

	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed != 0;
}
