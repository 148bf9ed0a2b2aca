/* bare_door - what taking bodies over HTTP and storing them costs at the least: one epoll loop,
 * requests read in the simplest way, one synced commit for all requests that a turn of the loop
 * found, then their answers.
 *
 *   bare_door PORT DIR table    LMDB with one table and one value a body
 *   bare_door PORT DIR outbox   an outbox: what is appended can be delivered
 *
 * It takes Content-Length at its word, looks for the run's id as for any text, and asks nothing
 * else. DIR must exist and be empty. It says "ready" on stdout and ends at SIGTERM, with the number
 * of its commits. */
#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <lmdb.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "store/outbox.h"

#define MAP_BYTES ((size_t)64 << 30)
#define EVENTS_MAX 256
#define IN_BYTES (64 << 10)

#define TURN_MAX 4096 /* requests of one turn of the loop */
#define ENDPOINT "http://127.0.0.1:9/hook"

struct conn {
	int fd;
	struct conn *next; /* of those that are owed answers */
	unsigned owed;
	size_t len, used; /* bytes that came; of them: of requests that were taken */
	char in[IN_BYTES + 1];
};

struct door {
	int epoll_fd, listen_fd;
	MDB_env *env;
	MDB_dbi table;
	MDB_txn *txn;             /* of this turn; NULL: none yet */
	struct rp_outbox *outbox; /* NULL: the table */
	/* of this turn: bodies, one after the other, and where each begins */
	struct rp_buf bodies;
	size_t at[TURN_MAX + 1], n;
	struct rp_new_entry entries[TURN_MAX];
	struct rp_appended appended[TURN_MAX];
	uint64_t seq, commits;
	struct conn *owed;
};

static volatile sig_atomic_t stopped;

static void stop(int sig)
{
	(void)sig;
	stopped = 1;
}

static void die(const char *what, const char *why)
{
	fprintf(stderr, "bare_door: %s: %s\n", what, why);
	exit(1);
}

static void check(int rc, const char *what)
{
	if (rc != 0)
		die(what, mdb_strerror(rc));
}

static void open_env(struct door *d, const char *dir)
{
	MDB_txn *txn;

	check(mdb_env_create(&d->env), "create");
	check(mdb_env_set_mapsize(d->env, MAP_BYTES), "map size");
	check(mdb_env_set_maxdbs(d->env, 1), "tables");
	check(mdb_env_open(d->env, dir, 0, 0600), dir);
	check(mdb_txn_begin(d->env, NULL, 0, &txn), "begin");
	check(mdb_dbi_open(txn, "body", MDB_CREATE, &d->table), "table");
	check(mdb_txn_commit(txn), "commit");
}

static void open_outbox(struct door *d, const char *dir)
{
	const struct rp_outbox_options options = {.create = true};
	struct rp_error err;

	d->bodies.max = (size_t)1 << 30;
	if (rp_outbox_open(dir, &options, &d->outbox, &err) != RP_OK)
		die(dir, err.text);
}

static void add(const struct door *d, int fd, void *subject)
{
	struct epoll_event ev = {.events = EPOLLIN, .data.ptr = subject};

	if (epoll_ctl(d->epoll_fd, EPOLL_CTL_ADD, fd, &ev) != 0)
		die("epoll_ctl", strerror(errno));
}

static void open_listener(struct door *d, const char *port)
{
	struct sockaddr_in at = {.sin_family = AF_INET,
				 .sin_port = htons((uint16_t)strtoul(port, NULL, 10)),
				 .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int one = 1;

	d->epoll_fd = epoll_create1(0);
	d->listen_fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	setsockopt(d->listen_fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
	if (bind(d->listen_fd, (struct sockaddr *)&at, sizeof at) != 0 ||
	    listen(d->listen_fd, 1024) != 0)
		die(port, strerror(errno));
	add(d, d->listen_fd, NULL);
}

static void accept_all(const struct door *d)
{
	struct conn *c;
	int fd, one = 1;

	while ((fd = accept4(d->listen_fd, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
		c = calloc(1, sizeof *c);
		if (c == NULL)
			die("accept", "no memory");
		c->fd = fd;
		add(d, fd, c);
	}
}

/* They move until the turn is over. */
static void put_aside(struct door *d, const char *body, size_t len)
{
	if (d->n == TURN_MAX || !rp_buf_add(&d->bodies, body, len + 1))
		die("a turn", "too many requests");
	d->at[++d->n] = d->bodies.len;
}

/* 36 characters after "run_id":" */
static struct rp_span run_id_of(const char *body)
{
	static const char key[] = "\"run_id\":\"";
	const char *found = strstr(body, key);

	if (found == NULL)
		die("a body", "no run_id");
	return (struct rp_span){found + sizeof key - 1, 36};
}

static void append_all(struct door *d)
{
	struct rp_error err;
	size_t i;

	for (i = 0; i < d->n; i++) {
		const char *body = d->bodies.data + d->at[i];

		d->entries[i] = (struct rp_new_entry){
		    .endpoint = {ENDPOINT, sizeof ENDPOINT - 1},
		    .url = {ENDPOINT, sizeof ENDPOINT - 1},
		    .run_id = run_id_of(body),
		    .dedupe_key = run_id_of(body),
		    .payload = {body, d->at[i + 1] - d->at[i] - 1},
		};
	}
	if (rp_outbox_append(d->outbox, rp_sys_wall_ms(&rp_sys_real), d->entries, d->n, d->appended,
			     &err) != RP_OK)
		die("append", err.text);
	d->n = 0;
	rp_buf_clear(&d->bodies);
}

static void put(struct door *d, char *body, size_t len)
{
	unsigned char bytes[8];
	uint64_t seq = d->seq++;
	MDB_val key = {sizeof bytes, bytes}, value = {len, body};
	int i;

	if (d->txn == NULL)
		check(mdb_txn_begin(d->env, NULL, 0, &d->txn), "begin");
	for (i = 7; i >= 0; i--, seq >>= 8)
		bytes[i] = (unsigned char)seq;
	check(mdb_put(d->txn, d->table, &key, &value, MDB_APPEND), "put");
}

/* Takes one request. false: it is not whole. */
static bool take(struct door *d, struct conn *c)
{
	static const char length[] = "\r\nContent-Length:";
	char *head = c->in + c->used, *end = strstr(head, "\r\n\r\n"), *field;
	size_t body;

	if (end == NULL)
		return false;
	field = strcasestr(head, length);
	if (field == NULL || field > end)
		die("a request", "no Content-Length");
	body = strtoul(field + sizeof length - 1, NULL, 10);
	end += 4;
	if ((size_t)(c->in + c->len - end) < body)
		return false;
	if (d->outbox != NULL)
		put_aside(d, end, body);
	else
		put(d, end, body);
	c->used = (size_t)(end - c->in) + body;
	return true;
}

static void hear(struct door *d, struct conn *c)
{
	ssize_t n = recv(c->fd, c->in + c->len, IN_BYTES - c->len, 0);

	if (n <= 0) {
		close(c->fd);
		free(c);
		return;
	}
	c->len += (size_t)n;
	c->in[c->len] = '\0';
	while (take(d, c))
		c->owed++;
	c->len -= c->used;
	memmove(c->in, c->in + c->used, c->len + 1);
	c->used = 0;
	if (c->owed == 0)
		return;
	c->next = d->owed;
	d->owed = c;
}

static void answer_all(struct door *d)
{
	static const char answer[] = "HTTP/1.1 202 Accepted\r\nContent-Type: application/json\r\n"
				     "Content-Length: 20\r\n\r\n{\"status\":\"queued\"}\n";
	struct conn *c;

	if (d->outbox != NULL)
		append_all(d);
	else
		check(mdb_txn_commit(d->txn), "commit");
	d->txn = NULL;
	d->commits++;
	for (c = d->owed; c != NULL; c = c->next)
		for (; c->owed > 0; c->owed--)
			if (send(c->fd, answer, sizeof answer - 1, MSG_NOSIGNAL) < 0)
				die("send", strerror(errno));
	d->owed = NULL;
}

int main(int argc, char **argv)
{
	struct sigaction on_stop = {.sa_handler = stop};
	struct epoll_event events[EVENTS_MAX];
	static struct door d;
	int n, i;

	if (argc != 4) {
		fprintf(stderr, "usage: bare_door PORT DIR table|outbox\n");
		return 64;
	}
	sigaction(SIGTERM, &on_stop, NULL);
	if (strcmp(argv[3], "outbox") == 0)
		open_outbox(&d, argv[2]);
	else
		open_env(&d, argv[2]);
	open_listener(&d, argv[1]);
	puts("ready");
	fflush(stdout);
	while (!stopped) {
		n = epoll_wait(d.epoll_fd, events, EVENTS_MAX, -1);
		for (i = 0; i < n; i++) {
			if (events[i].data.ptr == NULL)
				accept_all(&d);
			else
				hear(&d, events[i].data.ptr);
		}
		if (d.owed != NULL)
			answer_all(&d);
	}
	printf("%" PRIu64 "\n", d.commits);
	rp_outbox_close(d.outbox);
	if (d.env != NULL)
		mdb_env_close(d.env);
	return 0;
}
