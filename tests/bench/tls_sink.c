/* tls_sink - a receiver of webhooks that speaks TLS and does nothing else, so that it is not what a
 * bench measures: one thread, epoll, OpenSSL with its defaults (TLS 1.3, tickets), an answer
 * without a body.
 *
 *   tls_sink --cert FILE --key FILE [--bind ADDRESS] [--port N] [--client-ca FILE]
 *            [--status N] [--delay-ms N] [--never] [--idle-ms N] [--record FILE] [--exit-after N]
 *
 * --client-ca asks for a certificate. --delay-ms answers so much later, --never not at all.
 * --idle-ms closes a connection on which nothing came so long after an answer. --record writes a
 * line for each request, as `runpost-sink --record` does, with only the id and the time. It says
 * "ready" when it listens. When --exit-after requests are answered, or at SIGTERM, it prints what
 * it saw as a JSON object. */
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define EVENTS_MAX 128
#define HEAD_MAX 2048

struct conn {
	int fd;
	SSL *ssl;
	bool greeted;       /* the handshake is done */
	size_t head_len;    /* of the request that comes, as far as it is here */
	uint64_t body_left; /* after a whole head */
	bool in_body;
	int64_t since_us; /* when it came into the list it is in */
	struct list *in;
	struct conn *prev, *next;
	char head[HEAD_MAX + 1];
};

/* Connections, the one that came first in front. */
struct list {
	struct conn *first, *last;
	uint64_t n, most;
};

struct sink {
	const char *cert, *key, *address, *client_ca;
	uint16_t port;
	int status;
	int64_t delay_us, idle_us; /* 0: none */
	bool never;
	FILE *record;
	uint64_t exit_after; /* 0: no end */

	int listen_fd, epoll_fd;
	SSL_CTX *tls;
	struct list fresh, unanswered,
	    idle; /* before the first request, after one, after an answer */
	uint64_t requests, connections, full, resumed, open, most_open;
	int64_t first_us, last_us; /* when requests came */
	char answer[128];
	size_t answer_len;
};

static volatile sig_atomic_t stopped;

static void on_term(int signo)
{
	(void)signo;
	stopped = 1;
}

static void die(const char *what, const char *why)
{
	fprintf(stderr, "tls_sink: %s: %s\n", what, why);
	exit(1);
}

static int64_t now_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

static void list_add(struct list *l, struct conn *c)
{
	c->since_us = now_us();
	c->in = l;
	c->prev = l->last;
	c->next = NULL;
	*(l->last != NULL ? &l->last->next : &l->first) = c;
	l->last = c;
	if (++l->n > l->most)
		l->most = l->n;
}

static void list_remove(struct conn *c)
{
	*(c->prev != NULL ? &c->prev->next : &c->in->first) = c->next;
	*(c->next != NULL ? &c->next->prev : &c->in->last) = c->prev;
	c->in->n--;
}

static void conn_close(struct sink *s, struct conn *c)
{
	list_remove(c);
	SSL_free(c->ssl);
	close(c->fd);
	free(c);
	s->open--;
}

static void conn_accept(struct sink *s)
{
	struct epoll_event ev = {.events = EPOLLIN};
	struct conn *c;
	int fd, on = 1;

	while ((fd = accept4(s->listen_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
		c = calloc(1, sizeof *c);
		if (c == NULL || (c->ssl = SSL_new(s->tls)) == NULL)
			die("a connection", "no memory");
		c->fd = fd;
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
		SSL_set_fd(c->ssl, fd);
		SSL_set_accept_state(c->ssl);
		ev.data.ptr = c;
		epoll_ctl(s->epoll_fd, EPOLL_CTL_ADD, fd, &ev);
		list_add(&s->fresh, c);
		s->connections++;
		if (++s->open > s->most_open)
			s->most_open = s->open;
	}
	if (errno != EAGAIN && errno != ECONNABORTED)
		die("accept", strerror(errno));
}

/* The value of a header field, up to the end of its line; NULL: there is none. */
static const char *header(const char *head, const char *name)
{
	const char *at = strcasestr(head, name);

	return at == NULL ? NULL : at + strlen(name) + strspn(at + strlen(name), " ");
}

/* A bare loop's requests have no id. */
static void write_record(const struct sink *s, const char *head)
{
	const char *id = header(head, "\nwebhook-id:");

	fprintf(s->record, "{\"webhook_id\":\"%.*s\",\"monotonic_us\":%" PRId64 "}\n",
		id != NULL ? (int)strcspn(id, "\r") : 0, id != NULL ? id : "", now_us());
}

/* A connection that breaks here is found at its next event. */
static void answer(struct sink *s, struct conn *c)
{
	list_remove(c);
	list_add(&s->idle, c);
	ERR_clear_error();
	SSL_write(c->ssl, s->answer, (int)s->answer_len);
}

static void request_ends(struct sink *s, struct conn *c)
{
	s->last_us = now_us();
	if (s->requests++ == 0)
		s->first_us = s->last_us;
	c->in_body = false;
	c->head_len = 0;
	list_remove(c);
	list_add(&s->unanswered, c);
	if (s->delay_us == 0 && !s->never)
		answer(s, c);
}

/* Takes bytes of a head; returns how many. */
static size_t take_head(struct sink *s, struct conn *c, const char *data, size_t n)
{
	size_t had = c->head_len, part = n < HEAD_MAX - had ? n : HEAD_MAX - had;
	const char *length;
	char *end;

	memcpy(c->head + had, data, part);
	c->head[had + part] = '\0';
	c->head_len += part;
	end = strstr(c->head + (had > 3 ? had - 3 : 0), "\r\n\r\n");
	if (end == NULL)
		return part;
	end[2] = '\0';
	length = header(c->head, "\ncontent-length:");
	c->body_left = length != NULL ? strtoull(length, NULL, 10) : 0;
	c->in_body = true;
	if (s->record != NULL)
		write_record(s, c->head);
	return (size_t)(end + 4 - c->head) - had;
}

static void take(struct sink *s, struct conn *c, const char *data, size_t n)
{
	size_t part;

	for (; n > 0; data += part, n -= part) {
		if (c->in_body) {
			part = n < c->body_left ? n : (size_t)c->body_left;
			c->body_left -= part;
		} else if ((part = take_head(s, c, data, n)) == 0) {
			die("a request", "its head is too long");
		}
		if (c->in_body && c->body_left == 0)
			request_ends(s, c);
	}
}

/* False: the connection is to be closed. */
static bool greet(struct sink *s, struct conn *c)
{
	int rc = SSL_do_handshake(c->ssl);

	if (rc != 1)
		return SSL_get_error(c->ssl, rc) == SSL_ERROR_WANT_READ;
	c->greeted = true;
	if (SSL_session_reused(c->ssl))
		s->resumed++;
	else
		s->full++;
	return true;
}

static void conn_event(struct sink *s, struct conn *c)
{
	static char data[20480];
	bool alive;
	int n = 0;

	ERR_clear_error();
	alive = c->greeted || greet(s, c);
	if (alive && c->greeted) {
		while ((n = SSL_read(c->ssl, data, sizeof data)) > 0)
			take(s, c, data, (size_t)n);
		alive = SSL_get_error(c->ssl, n) == SSL_ERROR_WANT_READ;
	}
	if (!alive)
		conn_close(s, c);
}

static bool is_due(const struct list *l, int64_t after_us, int64_t now)
{
	return l->first != NULL && l->first->since_us + after_us <= now;
}

static void do_due(struct sink *s)
{
	int64_t now = now_us();

	while (!s->never && is_due(&s->unanswered, s->delay_us, now))
		answer(s, s->unanswered.first);
	while (s->idle_us != 0 && is_due(&s->idle, s->idle_us, now)) {
		ERR_clear_error();
		SSL_shutdown(s->idle.first->ssl);
		conn_close(s, s->idle.first);
	}
}

/* Until something is due; at most a second. */
static int64_t wait_us(const struct sink *s)
{
	int64_t at_us = now_us(), until_us = at_us + 1000000;

	if (!s->never && s->unanswered.first != NULL &&
	    s->unanswered.first->since_us + s->delay_us < until_us)
		until_us = s->unanswered.first->since_us + s->delay_us;
	if (s->idle_us != 0 && s->idle.first != NULL &&
	    s->idle.first->since_us + s->idle_us < until_us)
		until_us = s->idle.first->since_us + s->idle_us;
	return until_us < at_us ? 0 : until_us - at_us;
}

static void turn(struct sink *s)
{
	struct epoll_event events[EVENTS_MAX];
	int64_t us = wait_us(s);
	struct timespec ts = {.tv_sec = us / 1000000, .tv_nsec = us % 1000000 * 1000};
	int n = epoll_pwait2(s->epoll_fd, events, EVENTS_MAX, &ts, NULL), i;

	for (i = 0; i < n; i++) {
		if (events[i].data.ptr == NULL)
			conn_accept(s);
		else
			conn_event(s, events[i].data.ptr);
	}
	do_due(s);
}

static void open_tls(struct sink *s)
{
	s->tls = SSL_CTX_new(TLS_server_method());
	if (s->tls == NULL || SSL_CTX_use_certificate_chain_file(s->tls, s->cert) != 1 ||
	    SSL_CTX_use_PrivateKey_file(s->tls, s->key, SSL_FILETYPE_PEM) != 1)
		die(s->cert, "certificate and key cannot be used");
	SSL_CTX_set_mode(s->tls, SSL_MODE_RELEASE_BUFFERS);
	SSL_CTX_set_session_cache_mode(s->tls, SSL_SESS_CACHE_OFF); /* tickets need none */
	if (s->client_ca == NULL)
		return;
	SSL_CTX_set_session_id_context(s->tls, (const unsigned char *)"sink", 4);
	SSL_CTX_set_verify(s->tls, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
	if (SSL_CTX_load_verify_locations(s->tls, s->client_ca, NULL) != 1)
		die(s->client_ca, "cannot be used");
}

static void open_socket(struct sink *s)
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(s->port)};
	struct epoll_event ev = {.events = EPOLLIN};
	int on = 1;

	if (inet_pton(AF_INET, s->address, &at.sin_addr) != 1)
		die(s->address, "is no address");
	s->listen_fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	setsockopt(s->listen_fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
	if (bind(s->listen_fd, (struct sockaddr *)&at, sizeof at) != 0 ||
	    listen(s->listen_fd, 4096) != 0)
		die(s->address, strerror(errno));
	s->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (epoll_ctl(s->epoll_fd, EPOLL_CTL_ADD, s->listen_fd, &ev) != 0)
		die("epoll", strerror(errno));
}

static void print_report(const struct sink *s)
{
	printf("{\"requests\":%" PRIu64 ",\"connections\":%" PRIu64 ",\"full\":%" PRIu64
	       ",\"resumed\":%" PRIu64 ",\"most_open\":%" PRIu64 ",\"first_us\":%" PRId64
	       ",\"last_us\":%" PRId64 ",\"most_unanswered\":%" PRIu64 "}\n",
	       s->requests, s->connections, s->full, s->resumed, s->most_open, s->first_us,
	       s->last_us, s->unanswered.most);
	if (s->record != NULL && fclose(s->record) != 0)
		die("the record", strerror(errno));
}

static void parse(struct sink *s, int argc, char **argv)
{
	static const struct option options[] = {
	    {"cert", 1, NULL, 'c'},       {"key", 1, NULL, 'k'},    {"bind", 1, NULL, 'b'},
	    {"port", 1, NULL, 'p'},       {"status", 1, NULL, 's'}, {"client-ca", 1, NULL, 'a'},
	    {"delay-ms", 1, NULL, 'd'},   {"never", 0, NULL, 'n'},  {"idle-ms", 1, NULL, 'i'},
	    {"exit-after", 1, NULL, 'e'}, {"record", 1, NULL, 'r'}, {NULL, 0, NULL, 0}};
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (c) {
		case 'c':
			s->cert = optarg;
			break;
		case 'k':
			s->key = optarg;
			break;
		case 'b':
			s->address = optarg;
			break;
		case 'a':
			s->client_ca = optarg;
			break;
		case 'p':
			s->port = (uint16_t)strtoul(optarg, NULL, 10);
			break;
		case 's':
			s->status = (int)strtol(optarg, NULL, 10);
			break;
		case 'd':
			s->delay_us = strtol(optarg, NULL, 10) * 1000;
			break;
		case 'i':
			s->idle_us = strtol(optarg, NULL, 10) * 1000;
			break;
		case 'e':
			s->exit_after = strtoull(optarg, NULL, 10);
			break;
		case 'n':
			s->never = true;
			break;
		case 'r':
			s->record = fopen(optarg, "we");
			if (s->record == NULL || setvbuf(s->record, NULL, _IOLBF, 0) != 0)
				die(optarg, strerror(errno));
			break;
		default:
			exit(64);
		}
	}
	if (s->cert == NULL || s->key == NULL || optind != argc)
		die("usage", "tls_sink --cert FILE --key FILE [OPTION...]; see its source");
}

static bool has_done(const struct sink *s)
{
	return s->exit_after != 0 && s->requests >= s->exit_after &&
	       (s->never || s->unanswered.first == NULL);
}

int main(int argc, char **argv)
{
	struct sink s = {.address = "127.0.0.1", .status = 200};
	struct sigaction term = {.sa_handler = on_term};

	parse(&s, argc, argv);
	s.answer_len = (size_t)snprintf(
	    s.answer, sizeof s.answer, "HTTP/1.1 %d Answer\r\nContent-Length: 0\r\n\r\n", s.status);
	signal(SIGPIPE, SIG_IGN);
	sigaction(SIGTERM, &term, NULL);
	open_tls(&s);
	open_socket(&s);
	fprintf(stdout, "ready\n");
	fflush(stdout);
	while (!stopped && !has_done(&s))
		turn(&s);
	print_report(&s);
	return 0;
}
