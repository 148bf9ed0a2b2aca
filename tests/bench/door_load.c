/* door_load - clients of a front door, fast ones that take times and slow ones that cost it
 * something.
 *
 *   door_load [--connections N] [--rate R] [--pipeline D] PORT PATH FILE
 *   door_load --slow heads|bodies|idle [--connections N] PORT PATH
 *
 * The first one POSTs each line of FILE (in memory before the clock starts) as a body of its own,
 * N requests at once, each on its connection, and D on each (default 1); with --rate R a second at
 * most, evenly spread. Each has to be answered with 202. The first request of all is not timed.
 * SIGTERM: no further one is sent. The result is a JSON object on stdout; times are in
 * microseconds.
 *
 * The second one says "ready" when it has N connections, sends a byte a second on each of them, in
 * a head or in a body (or nothing), opens another when one ends, and ends at SIGTERM. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define EVENTS_MAX 256
#define IN_BYTES (16 << 10)
#define HEAD_MAX 512
#define PIPELINE_MAX 256

struct conn {
	int fd;
	char *out; /* a ring is not needed: it is empty before it is filled again */
	size_t out_len, out_sent;
	bool blocked; /* what is left has to wait for the other side */
	char in[IN_BYTES + 1];
	size_t in_len;
	int64_t sent_us[PIPELINE_MAX]; /* of those under way, oldest at `first` */
	unsigned first, under_way;
	bool slow_open; /* the slow part of its request has begun */
};

struct load {
	const char *path, *slow;
	uint16_t port;
	unsigned n_conns, pipeline;
	uint64_t rate;
	struct conn *conns;
	int epoll_fd;

	char *lines, *at, *end; /* of FILE; the next line */
	uint64_t n_lines, sent, answered;
	int64_t start_us;
	uint32_t *took_us;
	size_t line_max;
};

static volatile sig_atomic_t stopped;

static void stop(int sig)
{
	(void)sig;
	stopped = 1;
}

static void die(const char *what, const char *why)
{
	fprintf(stderr, "door_load: %s: %s\n", what, why);
	exit(1);
}

static void usage(void)
{
	fprintf(stderr, "usage: door_load [--connections N] [--rate R] [--pipeline D] PORT PATH "
			"FILE, or --slow heads|bodies|idle [--connections N] PORT PATH\n");
	exit(64);
}

static int64_t now_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

static void load_lines(struct load *l, const char *file)
{
	struct stat st;
	size_t len = 0;
	ssize_t n = 1;
	int fd = open(file, O_RDONLY);
	char *line, *lf;

	if (fd < 0 || fstat(fd, &st) != 0)
		die(file, strerror(errno));
	l->lines = malloc((size_t)st.st_size + 1);
	while (l->lines != NULL && n > 0 && len < (size_t)st.st_size) {
		n = read(fd, l->lines + len, (size_t)st.st_size - len);
		len += n > 0 ? (size_t)n : 0;
	}
	close(fd);
	l->at = l->lines;
	l->end = l->lines + len;
	for (line = l->lines; line < l->end; line = lf + 1) {
		lf = memchr(line, '\n', (size_t)(l->end - line));
		if (lf == NULL)
			die(file, "the last line has no line feed");
		if ((size_t)(lf - line) > l->line_max)
			l->line_max = (size_t)(lf - line);
		l->n_lines++;
	}
	l->took_us = calloc(l->n_lines, sizeof *l->took_us);
	if (l->n_lines < 2 || l->took_us == NULL)
		die(file, "fewer than two lines, or no memory");
}

/* Waits for the connection: the loopback knows at once. */
static int dial(const struct load *l)
{
	struct sockaddr_in to = {.sin_family = AF_INET,
				 .sin_port = htons(l->port),
				 .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_STREAM, 0), one = 1;

	if (fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof to) != 0)
		die("connect", strerror(errno));
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	fcntl(fd, F_SETFL, O_NONBLOCK);
	return fd;
}

static void watch(const struct load *l, struct conn *c, int how, uint32_t what)
{
	struct epoll_event ev = {.events = what, .data.ptr = c};

	if (epoll_ctl(l->epoll_fd, how, c->fd, &ev) != 0)
		die("epoll_ctl", strerror(errno));
}

static void open_all(struct load *l)
{
	unsigned i;

	l->epoll_fd = epoll_create1(0);
	l->conns = calloc(l->n_conns, sizeof *l->conns);
	if (l->conns == NULL)
		die("connections", "no memory");
	for (i = 0; i < l->n_conns; i++) {
		l->conns[i].fd = dial(l);
		watch(l, &l->conns[i], EPOLL_CTL_ADD, EPOLLIN);
		l->conns[i].out = malloc(l->pipeline * (HEAD_MAX + l->line_max));
		if (l->conns[i].out == NULL)
			die("connections", "no memory");
	}
}

/* --- fast ones ---------------------------------------------------------------------- */

static void send_out(const struct load *l, struct conn *c)
{
	ssize_t n = send(c->fd, c->out + c->out_sent, c->out_len - c->out_sent, MSG_NOSIGNAL);

	if (n < 0 && errno != EAGAIN)
		die("send", strerror(errno));
	c->out_sent += n > 0 ? (size_t)n : 0;
	if (c->blocked == (c->out_sent < c->out_len))
		return;
	c->blocked = !c->blocked;
	watch(l, c, EPOLL_CTL_MOD, c->blocked ? EPOLLIN | EPOLLOUT : EPOLLIN);
}

static void add_request(struct load *l, struct conn *c)
{
	char *lf = memchr(l->at, '\n', (size_t)(l->end - l->at));
	size_t len = (size_t)(lf - l->at);

	c->out_len += (size_t)snprintf(c->out + c->out_len, HEAD_MAX,
				       "POST %s HTTP/1.1\r\nHost: 127.0.0.1:%u\r\n"
				       "Content-Type: application/json\r\n"
				       "Accept: */*\r\nAccept-Encoding: gzip, deflate\r\n"
				       "User-Agent: door_load\r\nContent-Length: %zu\r\n\r\n",
				       l->path, l->port, len);
	memcpy(c->out + c->out_len, l->at, len);
	c->out_len += len;
	c->sent_us[(c->first + c->under_way++) % PIPELINE_MAX] = now_us();
	l->at = lf + 1;
	l->sent++;
}

/* Fills the connection, with requests that may go by now. */
static void ask(struct load *l, struct conn *c, uint64_t due)
{
	if (c->out_sent < c->out_len || c->under_way == l->pipeline || l->sent >= due)
		return;
	c->out_sent = c->out_len = 0;
	while (c->under_way < l->pipeline && l->sent < due)
		add_request(l, c);
	send_out(l, c);
}

/* Takes an answer. false: it is not whole. */
static bool take_answer(struct load *l, struct conn *c, char **from)
{
	static const char length[] = "\r\nContent-Length:";
	char *end = strstr(*from, "\r\n\r\n"), *field;

	if (end == NULL)
		return false;
	field = strcasestr(*from, length);
	end +=
	    4 + (field != NULL && field < end ? strtoul(field + sizeof length - 1, NULL, 10) : 0);
	if (end > c->in + c->in_len)
		return false;
	if (strncmp(*from, "HTTP/1.1 202 ", 13) != 0 || c->under_way == 0)
		die("answer", *from);
	l->took_us[l->answered++] = (uint32_t)(now_us() - c->sent_us[c->first]);
	c->first = (c->first + 1) % PIPELINE_MAX;
	c->under_way--;
	*from = end;
	return true;
}

static void hear(struct load *l, struct conn *c)
{
	ssize_t n = recv(c->fd, c->in + c->in_len, IN_BYTES - c->in_len, 0);
	char *from = c->in;

	if (n < 0 && errno == EAGAIN)
		return;
	if (n <= 0)
		die("recv", n == 0 ? "the door closed a connection" : strerror(errno));
	c->in_len += (size_t)n;
	c->in[c->in_len] = '\0';
	while (take_answer(l, c, &from))
		;
	c->in_len -= (size_t)(from - c->in);
	memmove(c->in, from, c->in_len + 1);
}

/* How many requests may have been sent by now, and when the next one may. */
static uint64_t due_now(const struct load *l, uint64_t until, struct timespec *wait)
{
	int64_t now = now_us(), next_us;
	uint64_t due;

	*wait = (struct timespec){.tv_sec = 3600};
	if (l->rate == 0)
		return until;
	due = 2 + (uint64_t)(now - l->start_us) * l->rate / 1000000;
	if (due >= until)
		return until;
	next_us = l->start_us + (int64_t)((due - 1) * 1000000 / l->rate) + 1;
	wait->tv_sec = 0;
	wait->tv_nsec = next_us > now ? (long)(next_us - now) * 1000 : 0;
	return due;
}

static void exchange(struct load *l, uint64_t until)
{
	struct epoll_event events[EVENTS_MAX];
	struct timespec wait;
	unsigned next = 0, i;
	uint64_t due;
	int n, e;

	while (l->answered < until) {
		if (stopped)
			until = l->sent;
		due = due_now(l, until, &wait);
		for (i = 0; i < l->n_conns && l->sent < due; i++, next++)
			ask(l, &l->conns[next % l->n_conns], due);
		n = epoll_pwait2(l->epoll_fd, events, EVENTS_MAX, &wait, NULL);
		for (e = 0; e < n; e++) {
			struct conn *c = events[e].data.ptr;

			if ((events[e].events & EPOLLOUT) != 0)
				send_out(l, c);
			if ((events[e].events & ~(uint32_t)EPOLLOUT) != 0)
				hear(l, c);
			ask(l, c, l->rate == 0 ? until : due);
		}
	}
}

static int by_value(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

static void be_fast(struct load *l)
{
	uint32_t *took_us = l->took_us + 1;
	int64_t end_us;
	uint64_t n;

	exchange(l, 1);
	l->start_us = now_us();
	exchange(l, l->n_lines);
	end_us = now_us();
	n = l->answered - 1;
	qsort(took_us, n, sizeof *took_us, by_value);
	printf("{\"requests\":%" PRIu64 ",\"wall_us\":%" PRId64 ",\"p50_us\":%" PRIu32
	       ",\"p99_us\":%" PRIu32 ",\"most_us\":%" PRIu32 "}\n",
	       n, end_us - l->start_us, took_us[(n - 1) / 2], took_us[(n - 1) * 99 / 100],
	       took_us[n - 1]);
}

/* --- slow ones ---------------------------------------------------------------------- */

static void send_text(struct load *l, struct conn *c, const char *text)
{
	ssize_t n = send(c->fd, text, strlen(text), MSG_NOSIGNAL);

	if (n > 0 || errno == EAGAIN)
		return;
	close(c->fd);
	c->fd = dial(l);
	c->slow_open = false;
	watch(l, c, EPOLL_CTL_ADD, EPOLLIN);
}

static void go_slowly(struct load *l, struct conn *c)
{
	char head[HEAD_MAX];
	bool is_body = strcmp(l->slow, "bodies") == 0;

	if (strcmp(l->slow, "idle") == 0)
		return;
	if (c->slow_open) {
		send_text(l, c, is_body ? " " : "x");
		return;
	}
	c->slow_open = true;
	snprintf(head, sizeof head, "POST %s HTTP/1.1\r\nHost: 127.0.0.1:%u\r\n%s", l->path,
		 l->port, is_body ? "Content-Length: 2048\r\n\r\n{" : "X-Slow: ");
	send_text(l, c, head);
}

/* The other side has spoken or gone: whatever it is, the next try is on a new connection. */
static void renew(struct load *l, struct conn *c)
{
	close(c->fd);
	c->fd = dial(l);
	c->slow_open = false;
	watch(l, c, EPOLL_CTL_ADD, EPOLLIN);
	go_slowly(l, c);
}

static void be_slow(struct load *l)
{
	struct epoll_event events[EVENTS_MAX];
	int64_t next_us = now_us();
	unsigned i;
	int n, e;

	for (i = 0; i < l->n_conns; i++)
		go_slowly(l, &l->conns[i]);
	puts("ready");
	fflush(stdout);
	while (!stopped) {
		int64_t left_us = next_us - now_us();

		n = epoll_wait(l->epoll_fd, events, EVENTS_MAX,
			       left_us > 0 ? (int)(left_us / 1000) + 1 : 0);
		for (e = 0; e < n; e++)
			renew(l, events[e].data.ptr);
		if (now_us() < next_us)
			continue;
		for (i = 0; i < l->n_conns; i++)
			go_slowly(l, &l->conns[i]);
		next_us += 1000000;
	}
}

static void parse_options(struct load *l, int argc, char **argv)
{
	static const struct option options[] = {{"connections", 1, NULL, 'c'},
						{"rate", 1, NULL, 'r'},
						{"pipeline", 1, NULL, 'p'},
						{"slow", 1, NULL, 's'},
						{NULL, 0, NULL, 0}};
	int c;

	l->n_conns = l->pipeline = 1;
	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (c == 'c')
			l->n_conns = (unsigned)strtoul(optarg, NULL, 10);
		else if (c == 'r')
			l->rate = strtoull(optarg, NULL, 10);
		else if (c == 'p')
			l->pipeline = (unsigned)strtoul(optarg, NULL, 10);
		else if (c == 's')
			l->slow = optarg;
		else
			usage();
	}
	if (argc - optind != (l->slow != NULL ? 2 : 3) || l->n_conns == 0 || l->pipeline == 0 ||
	    l->pipeline > PIPELINE_MAX)
		usage();
	l->port = (uint16_t)strtoul(argv[optind], NULL, 10);
	l->path = argv[optind + 1];
	if (l->slow == NULL)
		load_lines(l, argv[optind + 2]);
}

int main(int argc, char **argv)
{
	struct sigaction on_stop = {.sa_handler = stop};
	static struct load load;

	parse_options(&load, argc, argv);
	sigaction(SIGTERM, &on_stop, NULL);
	prctl(PR_SET_TIMERSLACK, 1000UL);
	open_all(&load);
	if (load.slow != NULL)
		be_slow(&load);
	else
		be_fast(&load);
	return 0;
}
