/* Handshakes, sessions and lookups of many receivers that speak TLS: how many there are, and that
 * no trust is mixed. */
#include "deliver/http/http.h"

#include <arpa/inet.h>
#include <check.h>
#include <curl/curl.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "base/log.h"
#include "base/sys.h"
#include "sign/crypto_sessions.h"

#define DEADLINE_MS 120000
#define HOSTS 1000
#define OPEN_MAX_TEST 1200
#define OK_EMPTY "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"

/* ---- doors of the C library that tests hold: this program's definitions win over libc's, in
 * libcurl too ---- */

/* so far all clocks go before the system's */
static atomic_int ahead_s;

int clock_gettime(clockid_t clock, struct timespec *out)
{
	int rc = (int)syscall(SYS_clock_gettime, clock, out);

	out->tv_sec += ahead_s;
	return rc;
}

time_t time(time_t *out)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	if (out != NULL)
		*out = now.tv_sec;
	return now.tv_sec;
}

/* Every name under .test is this host, but for one that does not exist. */
static atomic_uint lookups;
static atomic_bool lookups_hang;

int getaddrinfo(const char *restrict name, const char *restrict service,
		const struct addrinfo *restrict hints, struct addrinfo **restrict res)
{
	int (*real)(const char *, const char *, const struct addrinfo *, struct addrinfo **);
	size_t n = strlen(name);

	*(void **)&real = dlsym(RTLD_NEXT, "getaddrinfo");
	if (n < 5 || strcmp(name + n - 5, ".test") != 0)
		return real(name, service, hints, res);
	lookups++;
	while (lookups_hang)
		sched_yield();
	if (strncmp(name, "none.", 5) == 0)
		return EAI_NONAME;
	return real("127.0.0.1", service, hints, res);
}

/* ---- the receiver: a thread; one certificate, for *.hosts.test ---- */

struct receiver {
	pthread_t thread;
	SSL_CTX *ctx;
	int listen_fd;
	unsigned port;
	char pem[4096];
	atomic_uint handshakes, resumed, requests;
	atomic_bool close_all, hold, end; /* hold: no answer yet */
	atomic_bool refuses_resumed;      /* such handshakes fail */
	struct {
		SSL *ssl;
		size_t seen; /* of the request's last four bytes: "{}" ends it */
		bool ready;
	} peers[OPEN_MAX_TEST];
	struct pollfd fds[OPEN_MAX_TEST + 1];
	unsigned n;
};

static void peer_drop(struct receiver *v, unsigned i)
{
	SSL_shutdown(v->peers[i].ssl);
	close(v->fds[i + 1].fd);
	SSL_free(v->peers[i].ssl);
	v->n--;
	v->peers[i] = v->peers[v->n];
	v->fds[i + 1] = v->fds[v->n + 1];
}

static void peer_accept(struct receiver *v)
{
	int fd = accept4(v->listen_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

	if (fd < 0)
		return;
	ck_assert_uint_lt(v->n, OPEN_MAX_TEST);
	v->peers[v->n].ssl = SSL_new(v->ctx);
	v->peers[v->n].ready = false;
	SSL_set_fd(v->peers[v->n].ssl, fd);
	SSL_set_accept_state(v->peers[v->n].ssl);
	v->fds[++v->n] = (struct pollfd){.fd = fd, .events = POLLIN};
}

/* false: the connection is over. */
static bool peer_serve(struct receiver *v, unsigned i)
{
	SSL *ssl = v->peers[i].ssl;
	char bytes[4096];
	int n;

	if (!v->peers[i].ready) {
		n = SSL_do_handshake(ssl);
		if (n != 1)
			return SSL_get_error(ssl, n) == SSL_ERROR_WANT_READ;
		v->peers[i].ready = true;
		v->handshakes++;
		v->resumed += (unsigned)SSL_session_reused(ssl);
	}
	while ((n = SSL_read(ssl, bytes, sizeof bytes)) > 0) {
		if (bytes[n - 1] != '}')
			continue;
		v->requests++;
		while (v->hold && !v->end)
			sched_yield();
		SSL_write(ssl, OK_EMPTY, sizeof OK_EMPTY - 1);
	}
	return SSL_get_error(ssl, n) == SSL_ERROR_WANT_READ;
}

static void *receiver_run(void *arg)
{
	struct receiver *v = arg;
	bool closes;
	unsigned i;

	while (!v->end) {
		poll(v->fds, v->n + 1, 10);
		closes = v->close_all;
		for (i = v->n; i-- > 0;) {
			if (closes || (v->fds[i + 1].revents != 0 && !peer_serve(v, i)))
				peer_drop(v, i);
		}
		if (closes)
			v->close_all = false;
		if (v->fds[0].revents != 0)
			peer_accept(v);
	}
	while (v->n > 0)
		peer_drop(v, 0);
	return NULL;
}

static void certificate_make(struct receiver *v)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *cert = X509_new();
	X509V3_CTX ext_ctx;
	X509_EXTENSION *names;
	BIO *out = BIO_new(BIO_s_mem());
	X509_NAME *who = X509_get_subject_name(cert);
	int n;

	X509_set_version(cert, 2);
	ASN1_INTEGER_set(X509_get_serialNumber(cert), 1);
	X509_gmtime_adj(X509_getm_notBefore(cert), -86400);
	X509_gmtime_adj(X509_getm_notAfter(cert), 86400);
	X509_set_pubkey(cert, key);
	X509_NAME_add_entry_by_txt(who, "CN", MBSTRING_ASC, (const unsigned char *)"test", -1, -1,
				   0);
	X509_set_issuer_name(cert, who);
	X509V3_set_ctx(&ext_ctx, cert, cert, NULL, NULL, 0);
	names = X509V3_EXT_conf_nid(NULL, &ext_ctx, NID_subject_alt_name, "DNS:*.hosts.test");
	X509_add_ext(cert, names, -1);
	X509_EXTENSION_free(names);
	ck_assert_int_gt(X509_sign(cert, key, EVP_sha256()), 0);
	ck_assert_int_eq(SSL_CTX_use_certificate(v->ctx, cert), 1);
	ck_assert_int_eq(SSL_CTX_use_PrivateKey(v->ctx, key), 1);
	PEM_write_bio_X509(out, cert);
	n = BIO_read(out, v->pem, sizeof v->pem - 1);
	ck_assert_int_gt(n, 0);
	v->pem[n] = '\0';
	BIO_free(out);
	X509_free(cert);
	EVP_PKEY_free(key);
}

static int on_ticket_made(SSL *ssl, void *arg)
{
	(void)ssl;
	(void)arg;
	return 1;
}

static SSL_TICKET_RETURN on_ticket(SSL *ssl, SSL_SESSION *session, const unsigned char *name,
				   size_t name_bytes, SSL_TICKET_STATUS status, void *arg)
{
	struct receiver *v = arg;

	(void)ssl;
	(void)session;
	(void)name;
	(void)name_bytes;
	if (status != SSL_TICKET_SUCCESS && status != SSL_TICKET_SUCCESS_RENEW)
		return SSL_TICKET_RETURN_IGNORE_RENEW;
	return v->refuses_resumed ? SSL_TICKET_RETURN_ABORT : SSL_TICKET_RETURN_USE_RENEW;
}

static struct receiver *receiver_begin(int version, unsigned tickets)
{
	struct receiver *v = calloc(1, sizeof *v);
	struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof in;

	ck_assert_ptr_nonnull(v);
	v->ctx = SSL_CTX_new(TLS_server_method());
	SSL_CTX_set_max_proto_version(v->ctx, version);
	SSL_CTX_set_num_tickets(v->ctx, tickets);
	SSL_CTX_set_session_ticket_cb(v->ctx, on_ticket_made, on_ticket, v);
	certificate_make(v);
	v->listen_fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	ck_assert_int_eq(bind(v->listen_fd, (struct sockaddr *)&in, sizeof in), 0);
	ck_assert_int_eq(listen(v->listen_fd, 512), 0);
	getsockname(v->listen_fd, (struct sockaddr *)&in, &len);
	v->port = ntohs(in.sin_port);
	v->fds[0] = (struct pollfd){.fd = v->listen_fd, .events = POLLIN};
	ck_assert_int_eq(pthread_create(&v->thread, NULL, receiver_run, v), 0);
	return v;
}

static void receiver_end(struct receiver *v)
{
	v->end = true;
	pthread_join(v->thread, NULL);
	close(v->listen_fd);
	SSL_CTX_free(v->ctx);
	free(v);
}

static void receiver_close_all(struct receiver *v)
{
	v->close_all = true;
	while (v->close_all)
		sched_yield();
}

/* ---- the engine ---- */

struct rig {
	struct rp_transport *engine;
	struct receiver *v;
	struct rp_tls_anchors *anchors;
	struct rp_cidr loopback;
	struct rp_guard_policy policy;
	struct rp_request request;
	struct rp_outcome last;
	unsigned n_begun, n_done, n_good, n_withheld;
	char urls[HOSTS][48];
};

static struct rp_tls_anchors *anchors_of(const char *pem)
{
	struct rp_tls_anchors *anchors;
	struct rp_error err;

	ck_assert(rp_tls_anchors_new(rp_span_of(pem), &anchors, &err) == RP_OK);
	return anchors;
}

static struct rig *rig_begin(int version, unsigned tickets, unsigned max_in_flight)
{
	struct rig *r = calloc(1, sizeof *r);
	struct rp_error err;
	unsigned i;

	ck_assert_ptr_nonnull(r);
	rp_log_setup("test", RP_LOG_ERROR);
	lookups = 0;
	lookups_hang = false;
	r->v = receiver_begin(version, tickets);
	r->anchors = anchors_of(r->v->pem);
	ck_assert(rp_cidr_parse(rp_span_of("127.0.0.0/8"), &r->loopback));
	r->policy = (struct rp_guard_policy){.allow = &r->loopback, .n_allow = 1};
	r->request = (struct rp_request){.body = {"{}", 2},
					 .timeout_ms = 60000,
					 .connect_timeout_ms = 60000,
					 .guard = &r->policy,
					 .anchors = r->anchors};
	for (i = 0; i < HOSTS; i++)
		snprintf(r->urls[i], sizeof r->urls[i], "https://h%u.hosts.test:%u/hook", i,
			 r->v->port);
	ck_assert(rp_http_open(max_in_flight, max_in_flight + HOSTS, &r->engine, &err) == RP_OK);
	return r;
}

static void rig_end(struct rig *r)
{
	rp_http_close(r->engine);
	rp_tls_anchors_free(r->anchors);
	receiver_end(r->v);
	free(r);
	ahead_s = 0; /* libcheck measures, too, and not hours */
}

static void on_done(void *arg, void *owner, const struct rp_outcome *outcome)
{
	struct rig *r = arg;

	(void)owner;
	r->last = *outcome;
	r->n_done++;
	r->n_withheld += outcome->lack == RP_LACK_LEAVE;
	r->n_good += outcome->cause == RP_CAUSE_NONE && outcome->http_status == 200;
}

static void start(struct rig *r, unsigned host)
{
	struct rp_error err;

	r->request.url = r->urls[host];
	ck_assert_msg(r->engine->start(r->engine, &r->request, &err) == RP_OK, "%s", err.text);
	r->n_begun++;
}

static void wait_until_under_way(struct rig *r, unsigned most)
{
	int64_t end_ms = rp_sys_boot_ms(&rp_sys_real) + DEADLINE_MS;
	struct pollfd p = {.fd = r->engine->fd(r->engine), .events = POLLIN};
	int wait_ms;

	while (r->n_begun - r->n_done > most) {
		wait_ms = r->engine->timeout_ms(r->engine);
		poll(&p, 1, wait_ms >= 0 && wait_ms < 1000 ? wait_ms : 1000);
		r->engine->run(r->engine, on_done, r);
		ck_assert_msg(rp_sys_boot_ms(&rp_sys_real) < end_ms, "no answer");
	}
}

/* Every host once, 50 at a time. */
static void round_of_hosts(struct rig *r)
{
	unsigned i;

	for (i = 0; i < HOSTS; i++) {
		wait_until_under_way(r, 49);
		start(r, i);
	}
	wait_until_under_way(r, 0);
}

static void post(struct rig *r)
{
	start(r, 0);
	wait_until_under_way(r, 0);
}

/* ---- many hosts ---- */

/* Seen with 8.14.1, not with 7.88.1: it looks a name up again when the connection to it was closed,
 * however young the address is. */
static bool forgets_with_the_connection(void)
{
	return curl_version_info(CURLVERSION_NOW)->version_num >= 0x080000;
}

static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};

START_TEST(a_thousand_hosts_cost_a_handshake_and_a_lookup_each_and_are_resumed)
{
	struct rig *r = rig_begin(versions[_i], 2, 50);

	round_of_hosts(r);
	round_of_hosts(r);
	ck_assert_msg(r->n_good == 2 * HOSTS, "%u: %s", r->n_good, r->last.detail);
	ck_assert_uint_le(r->v->handshakes, HOSTS + HOSTS / 20);
	ck_assert_uint_le(lookups, HOSTS + HOSTS / 10);
	r->v->handshakes = r->v->resumed = 0;
	receiver_close_all(r->v);
	round_of_hosts(r);
	ck_assert_uint_eq(r->n_good, 3 * HOSTS);
	ck_assert_uint_le(r->v->handshakes, HOSTS + HOSTS / 20);
	ck_assert_uint_ge(r->v->resumed, r->v->handshakes - HOSTS / 20);
	ck_assert_uint_le(lookups, (forgets_with_the_connection() ? 2 : 1) * HOSTS + HOSTS / 10);
	rig_end(r);
}
END_TEST

/* ---- a session and its trust ---- */

static void post_anew(struct rig *r, unsigned resumed, const char *label)
{
	receiver_close_all(r->v);
	post(r);
	ck_assert_msg(r->v->resumed == resumed, "%s: %u resumed, wanted %u", label,
		      (unsigned)r->v->resumed, resumed);
}

START_TEST(a_session_serves_only_the_trust_that_it_began_with)
{
	struct rig *r = rig_begin(versions[_i], 2, 4);
	char other_text[5000];
	struct rp_tls_anchors *other;

	snprintf(other_text, sizeof other_text, "# the same certificate\n%s", r->v->pem);
	other = anchors_of(other_text);
	post(r);
	post_anew(r, 1, "the same");
	r->request.anchors = other;
	post_anew(r, 1, "other anchors");
	post_anew(r, 2, "the same other anchors");
	r->request.anchors = NULL;
	post_anew(r, 2, "no anchors");
	ck_assert_int_eq(r->last.cause, RP_CAUSE_TLS_ISSUER);
	r->request.anchors = r->anchors;
	r->request.pins = "sha256//AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
	post_anew(r, 2, "a pin");
	ck_assert_int_eq(r->last.cause, RP_CAUSE_TLS_PIN);
	r->request.pins = NULL;
	post_anew(r, 3, "as at first");
	ck_assert_uint_eq(r->n_good, 5);
	rig_end(r);
	rp_tls_anchors_free(other);
}
END_TEST

/* A server gives two with a connection; whether both are read before it closes is up to libcurl. */
START_TEST(a_ticket_is_used_once)
{
	struct rig *r = rig_begin(TLS1_3_VERSION, 1, 4);
	int i;

	post(r);
	receiver_close_all(r->v);
	for (i = 0; i < 4; i++)
		start(r, 0);
	wait_until_under_way(r, 0);
	ck_assert_uint_eq(r->n_good, 5);
	ck_assert_uint_eq(r->v->handshakes, 5);
	ck_assert_uint_ge(r->v->resumed, 1);
	ck_assert_uint_le(r->v->resumed, 2);
	rig_end(r);
}
END_TEST

/* Four sessions of a receiver are kept as it begins to refuse them. */
START_TEST(a_receiver_that_fails_resumed_handshakes_fails_one)
{
	struct rig *r = rig_begin(versions[_i], 2, 4);
	unsigned i;

	for (i = 0; i < 4; i++)
		start(r, 0);
	wait_until_under_way(r, 0);
	r->v->resumed = 0;
	r->v->refuses_resumed = true;
	receiver_close_all(r->v);
	post(r);
	ck_assert_uint_eq(r->n_good, 4);
	ck_assert_int_eq(r->last.cause, RP_CAUSE_TLS);
	for (i = 0; i < 4; i++)
		post_anew(r, 0, "after one that failed");
	ck_assert_uint_eq(r->n_good, 8);

	/* after an hour it is asked again */
	r->v->refuses_resumed = false;
	ahead_s += 3000;
	post_anew(r, 0, "within the hour");
	ahead_s += 700;
	post_anew(r, 0, "after the hour");
	post_anew(r, 1, "with a session again");
	ck_assert_uint_eq(r->n_good, 11);
	rig_end(r);
}
END_TEST

/* ---- names ---- */

START_TEST(requests_that_need_a_name_at_once_look_it_up_once)
{
	struct rig *r = rig_begin(TLS1_3_VERSION, 2, 64);
	unsigned i;

	for (i = 0; i < 64; i++)
		start(r, 0);
	wait_until_under_way(r, 0);
	ck_assert_uint_eq(r->n_good, 64);
	ck_assert_uint_eq(lookups, 1);
	rig_end(r);
}
END_TEST

START_TEST(a_name_that_is_not_found_is_that_for_all_that_waited)
{
	struct rig *r = rig_begin(TLS1_3_VERSION, 2, 8);
	unsigned i;

	snprintf(r->urls[0], sizeof r->urls[0], "https://none.test/");
	for (i = 0; i < 8; i++)
		start(r, 0);
	wait_until_under_way(r, 0);
	ck_assert_uint_eq(r->n_done, 8);
	ck_assert_int_eq(r->last.cause, RP_CAUSE_DNS);
	rig_end(r);
}
END_TEST

static void let_time_pass(struct rig *r, int s)
{
	int wait_ms;

	ahead_s += s;
	do {
		r->engine->run(r->engine, on_done, r);
		wait_ms = r->engine->timeout_ms(r->engine);
	} while (wait_ms >= 0 && wait_ms < 2000);
}

START_TEST(a_name_holds_for_a_minute)
{
	struct rig *r = rig_begin(TLS1_3_VERSION, 2, 4);

	post(r);
	let_time_pass(r, 40);
	receiver_close_all(r->v);
	post(r);
	ck_assert_uint_eq(lookups, forgets_with_the_connection() ? 2 : 1);
	let_time_pass(r, 35);
	receiver_close_all(r->v);
	post(r);
	ck_assert_uint_eq(r->n_good, 3);
	ck_assert_uint_eq(lookups, forgets_with_the_connection() ? 3 : 2);
	rig_end(r);
}
END_TEST

/* Nothing is kept and nobody asks: the engine has nothing to do but to forget the address. */
START_TEST(no_address_outlives_the_sweeps)
{
	struct rig *r = rig_begin(TLS1_3_VERSION, 2, 4);
	int at_s = 57 + _i;

	post(r);
	receiver_close_all(r->v);
	let_time_pass(r, 3);
	let_time_pass(r, at_s - 3);
	while (r->engine->timeout_ms(r->engine) >= 0)
		let_time_pass(r, r->engine->timeout_ms(r->engine) / 1000 + 1);
	let_time_pass(r, 7200);
	post(r);
	ck_assert_uint_eq(r->n_good, 2);
	ck_assert_uint_eq(lookups, 2);
	rig_end(r);
}
END_TEST

START_TEST(who_waits_for_a_name_does_not_wait_for_long)
{
	struct rig *r = rig_begin(TLS1_3_VERSION, 2, 4);

	lookups_hang = true;
	start(r, 0);
	start(r, 0);
	while (lookups == 0)
		r->engine->run(r->engine, on_done, r);
	ck_assert_uint_eq(lookups, 1);
	ahead_s += 2;
	while (lookups < 2)
		r->engine->run(r->engine, on_done, r);
	lookups_hang = false;
	wait_until_under_way(r, 0);
	ck_assert_uint_eq(r->n_good, 2);
	rig_end(r);
}
END_TEST

static bool refuse(void *owner)
{
	(void)owner;
	return false;
}

/* One request leads and cannot look its name up, though a connection to its host is kept: that one
 * was in use then. */
static void let_one_hang(struct rig *r)
{
	post(r);
	let_time_pass(r, 75);
	r->v->hold = true;
	start(r, 0);
	while (r->v->requests < 2)
		r->engine->run(r->engine, on_done, r);
	lookups_hang = true;
	start(r, 0);
	while (lookups < 2)
		r->engine->run(r->engine, on_done, r);
}

START_TEST(a_request_that_waited_asks_for_leave)
{
	struct rig *r = rig_begin(TLS1_3_VERSION, 2, 4);

	let_one_hang(r);
	r->request.may_write = refuse;
	start(r, 0);
	r->v->hold = false;
	wait_until_under_way(r, 2);
	ahead_s += 2;
	wait_until_under_way(r, 1);
	ck_assert_uint_eq(r->n_withheld, 1);
	lookups_hang = false;
	wait_until_under_way(r, 0);
	ck_assert_uint_eq(r->n_good, 3);
	ck_assert_uint_eq(r->n_withheld, 1);
	ck_assert_uint_eq(r->v->requests, 3);
	ck_assert_uint_eq(r->v->handshakes, 2);
	rig_end(r);
}
END_TEST

#define MANY 20

/* A second for each of them would be twice as long. */
static void expect_no_wait(int64_t began_ms)
{
	ck_assert_int_lt(rp_sys_boot_ms(&rp_sys_real) - began_ms, MANY * 500);
}

START_TEST(who_gets_a_kept_connection_waits_for_no_name)
{
	struct rig *r = rig_begin(TLS1_3_VERSION, 2, 4);
	int64_t began_ms;
	unsigned i;

	let_one_hang(r);
	r->v->hold = false;
	wait_until_under_way(r, 1);
	began_ms = rp_sys_boot_ms(&rp_sys_real);
	for (i = 0; i < MANY; i++) {
		start(r, 0);
		wait_until_under_way(r, 1);
	}
	expect_no_wait(began_ms);
	ck_assert_uint_eq(r->n_good, 2 + MANY);
	ck_assert_uint_eq(lookups, 2);
	lookups_hang = false;
	wait_until_under_way(r, 0);
	rig_end(r);
}
END_TEST

START_TEST(who_was_waited_for_in_vain_is_not_waited_for_again)
{
	struct rig *r = rig_begin(TLS1_3_VERSION, 2, 2 + MANY);
	int64_t began_ms;
	unsigned i;

	lookups_hang = true;
	start(r, 0);
	start(r, 0);
	while (lookups == 0)
		r->engine->run(r->engine, on_done, r);
	ahead_s += 2;
	while (lookups < 2)
		r->engine->run(r->engine, on_done, r);
	began_ms = rp_sys_boot_ms(&rp_sys_real);
	for (i = 0; i < MANY; i++) {
		start(r, 0);
		while (lookups < 3 + i)
			r->engine->run(r->engine, on_done, r);
	}
	expect_no_wait(began_ms);
	lookups_hang = false;
	wait_until_under_way(r, 0);
	ck_assert_uint_eq(r->n_good, 2 + MANY);
	rig_end(r);
}
END_TEST

START_TEST(nobody_waits_for_a_name_beyond_its_timeout)
{
	struct rig *r = rig_begin(TLS1_3_VERSION, 2, 4);

	lookups_hang = true;
	start(r, 0);
	r->request.timeout_ms = 200;
	start(r, 0);
	wait_until_under_way(r, 1);
	ck_assert_int_lt(r->last.duration_us, 1000 * 1000);
	ck_assert_uint_eq(r->n_good, 0);
	lookups_hang = false;
	wait_until_under_way(r, 0);
	ck_assert_uint_eq(r->n_good, 1);
	rig_end(r);
}
END_TEST

/* ---- what sessions may take: both ends in memory ---- */

static void shake(struct rp_tls_sessions *sessions, SSL_CTX *server_ctx, unsigned number,
		  bool *resumed)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
	struct rp_span name = {(const char *)&number, sizeof number};
	SSL *client, *server = SSL_new(server_ctx);
	BIO *near, *far;
	char byte;

	ck_assert(rp_tls_sessions_apply(sessions, ctx, &name, 1));
	client = SSL_new(ctx);
	ck_assert_int_eq(BIO_new_bio_pair(&near, 0, &far, 0), 1);
	SSL_set_bio(client, near, near);
	SSL_set_bio(server, far, far);
	SSL_set_connect_state(client);
	SSL_set_accept_state(server);
	while (!SSL_is_init_finished(client) || !SSL_is_init_finished(server)) {
		SSL_do_handshake(client);
		SSL_do_handshake(server);
	}
	SSL_read(client, &byte, 1); /* tickets */
	*resumed = SSL_session_reused(client);
	SSL_free(client);
	SSL_free(server);
	SSL_CTX_free(ctx);
}

START_TEST(sessions_take_no_more_than_they_may_and_each_name_keeps_one)
{
	struct receiver *v = receiver_begin(TLS1_3_VERSION, 2);
	struct rp_tls_sessions *sessions;
	unsigned i, n_resumed = 0;
	size_t each;
	bool resumed;

	sessions = rp_tls_sessions_new(1 << 20);
	ck_assert_ptr_nonnull(sessions);
	for (i = 0; i < RP_TLS_SESSIONS_EACH; i++)
		shake(sessions, v->ctx, 0, &resumed);
	ck_assert_uint_le(rp_tls_sessions_count(sessions), RP_TLS_SESSIONS_EACH);
	each = rp_tls_sessions_bytes(sessions) / rp_tls_sessions_count(sessions);
	ck_assert_uint_lt(each, 2048);
	rp_tls_sessions_free(sessions);

	/* room for 200, of 150 names with two each */
	sessions = rp_tls_sessions_new(each * 200);
	for (i = 0; i < 150; i++)
		shake(sessions, v->ctx, i, &resumed);
	ck_assert_uint_le(rp_tls_sessions_bytes(sessions), each * 200);
	for (i = 0; i < 150; i++) {
		shake(sessions, v->ctx, i, &resumed);
		n_resumed += resumed;
	}
	ck_assert_uint_eq(n_resumed, 150);

	/* twice as many names as there is room for */
	for (i = 0; i < 400; i++)
		shake(sessions, v->ctx, i, &resumed);
	ck_assert_uint_le(rp_tls_sessions_bytes(sessions), each * 200);
	shake(sessions, v->ctx, 0, &resumed);
	ck_assert(!resumed); /* the oldest went */
	shake(sessions, v->ctx, 399, &resumed);
	ck_assert(resumed);
	rp_tls_sessions_free(sessions);
	receiver_end(v);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("http_tls");
	TCase *tc = tcase_create("many"), *trust = tcase_create("trust"),
	      *names = tcase_create("names");
	SRunner *sr;
	int failed;

	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, a_thousand_hosts_cost_a_handshake_and_a_lookup_each_and_are_resumed,
			    0, 2);
	tcase_add_loop_test(trust, a_session_serves_only_the_trust_that_it_began_with, 0, 2);
	tcase_add_test(trust, a_ticket_is_used_once);
	tcase_add_loop_test(trust, a_receiver_that_fails_resumed_handshakes_fails_one, 1, 2);
	tcase_add_test(trust, sessions_take_no_more_than_they_may_and_each_name_keeps_one);
	suite_add_tcase(s, tc);
	suite_add_tcase(s, trust);
	tcase_add_test(names, requests_that_need_a_name_at_once_look_it_up_once);
	tcase_add_test(names, a_name_that_is_not_found_is_that_for_all_that_waited);
	tcase_add_test(names, a_name_holds_for_a_minute);
	tcase_add_loop_test(names, no_address_outlives_the_sweeps, 0, 5);
	tcase_add_test(names, who_waits_for_a_name_does_not_wait_for_long);
	tcase_add_test(names, who_gets_a_kept_connection_waits_for_no_name);
	tcase_add_test(names, who_was_waited_for_in_vain_is_not_waited_for_again);
	tcase_add_test(names, nobody_waits_for_a_name_beyond_its_timeout);
	tcase_add_test(names, a_request_that_waited_asks_for_leave);
	suite_add_tcase(s, names);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed != 0;
}
