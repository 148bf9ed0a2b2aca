/* bare_door - what taking bodies over HTTP and storing them costs at the least: one epoll loop,
 * requests read in the simplest way, one synced commit for all requests that a turn of the loop
 * found, then their answers.
 *
 *   bare_door PORT DIR table     LMDB with one table and one value a body; DIR exists and is empty
 *   bare_door PORT DIR outbox    an outbox, as the library appends to it; DIR is not there yet
 *
 * It takes Content-Length and the first run_id in a body at their word and asks nothing else. It
 * says "ready" on stdout and ends at SIGTERM, with the number of its commits. */
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
#define APPEND_MAX 4096
#define KEY_BYTES_MAX 256

struct conn {
	int fd;
	struct conn *next; /* of those that are owed answers */
	unsigned owed;
	size_t len, used; /* bytes that came; of them: of requests that were taken */
	char in[IN_BYTES + 1];
};

struct door {
	int epoll_fd, listen_fd;
	struct rp_outbox *outbox; /* NULL: the table */
	struct rp_new_entry entries[APPEND_MAX];
	char keys[APPEND_MAX][KEY_BYTES_MAX];
	MDB_env *env;
	MDB_dbi table;
	MDB_txn *txn; /* of this turn; NULL: none yet */
	size_t n;     /* bodies of this turn */
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
	const struct rp_outbox_options options = {
	    .create = true, .map_bytes = MAP_BYTES, .quota_bytes = MAP_BYTES / 2};
	struct rp_error err = {0};

	if (rp_outbox_open(dir, &options, &d->outbox, &err) != RP_OK)
		die("outbox", err.text);
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

static void put_row(struct door *d, char *body, size_t len)
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

/* The body stays where it is until the commit. */
static void put_entry(struct door *d, const char *body, size_t len)
{
	static const char run_id[] = "\"run_id\":\"", url[] = "http://127.0.0.1:9/hook";
	struct rp_new_entry *e = &d->entries[d->n];
	const char *id = memmem(body, len, run_id, sizeof run_id - 1);
	size_t id_len;

	if (id == NULL || d->n == APPEND_MAX)
		die("a request", id == NULL ? "no run_id" : "too many");
	id += sizeof run_id - 1;
	id_len = strcspn(id, "\"");
	if (id_len >= KEY_BYTES_MAX)
		die("a request", "run_id is too long");
	d->keys[d->n][0] = 'r';
	memcpy(d->keys[d->n] + 1, id, id_len);
	memset(e, 0, sizeof *e);
	e->endpoint = e->url = rp_span_of(url);
	e->run_id = (struct rp_span){id, id_len};
	e->dedupe_key = (struct rp_span){d->keys[d->n], id_len + 1};
	e->payload = (struct rp_span){body, len};
}

static void put(struct door *d, char *body, size_t len)
{
	if (d->outbox != NULL)
		put_entry(d, body, len);
	else
		put_row(d, body, len);
	d->n++;
}

static void commit(struct door *d)
{
	static struct rp_appended appended[APPEND_MAX];
	struct rp_error err = {0};

	if (d->outbox == NULL)
		check(mdb_txn_commit(d->txn), "commit");
	else if (rp_outbox_append(d->outbox, rp_sys_wall_ms(&rp_sys_real), d->entries, d->n,
				  appended, &err) != RP_OK)
		die("append", err.text);
	d->txn = NULL;
	d->n = 0;
	d->commits++;
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
	put(d, end, body);
	c->used = (size_t)(end - c->in) + body;
	return true;
}

static void hear(struct door *d, struct conn *c)
{
	ssize_t n;

	c->len -= c->used;
	memmove(c->in, c->in + c->used, c->len);
	c->used = 0;
	n = recv(c->fd, c->in + c->len, IN_BYTES - c->len, 0);
	if (n <= 0) {
		close(c->fd);
		free(c);
		return;
	}
	c->len += (size_t)n;
	c->in[c->len] = '\0';
	while (take(d, c))
		c->owed++;
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

	commit(d);
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

	if (argc != 4 || (strcmp(argv[3], "table") != 0 && strcmp(argv[3], "outbox") != 0)) {
		fprintf(stderr, "usage: bare_door PORT DIR table|outbox\n");
		return 64;
	}
	sigaction(SIGTERM, &on_stop, NULL);
	if (argv[3][0] == 't')
		open_env(&d, argv[2]);
	else
		open_outbox(&d, argv[2]);
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
		if (d.n > 0)
			answer_all(&d);
	}
	printf("%" PRIu64 "\n", d.commits);
	if (d.outbox != NULL)
		rp_outbox_close(d.outbox);
	else
		mdb_env_close(d.env);
	return 0;
}
