/* bare_load - makes completed runs, as an engine would write them, faster than anything here can
 * take them.
 *
 *   bare_load --lines N [--bytes B] [--seed S] URL...              writes the lines to stdout
 *   bare_load --talk [--rate R] [--stamps FILE] --lines N ... URL...
 *
 * Lines go to the URLs in turn; those of few bytes are Runs with little in them. Run ids are
 * ordered by time (UUIDv7), 20 to a millisecond. With --talk, stdin brings the receipts: the first
 * line is sent alone and its receipt awaited, so that the start of the other side is not measured;
 * then the clock runs until the last receipt. --rate paces the lines, R a second. --stamps writes
 * "ID SENT RECEIPT" a line, in microseconds of CLOCK_MONOTONIC. The result is a JSON object on
 * stderr. */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#define OUT_BYTES (256 << 10)
#define IN_BYTES (64 << 10)
#define LINES_A_MS 20
#define ID_MAX 40

struct load {
	uint64_t lines, bytes, seed, rate;
	bool talk;
	FILE *stamps;
	char **urls;
	size_t n_urls;

	char **templates; /* a line of `bytes` and its line feed for each URL */
	size_t *run_id_at, *thread_id_at;
	uint64_t random, start_at_ms;
	uint64_t made, sent, taken; /* lines rendered, lines wholly written, receipts read */
	uint64_t queued;
	int64_t *sent_us; /* with --stamps */
	char out[OUT_BYTES];
	size_t out_from, out_to;
	char in[IN_BYTES];
	size_t in_len;
};

static void die(const char *what)
{
	fprintf(stderr, "bare_load: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void usage(const char *what)
{
	fprintf(
	    stderr,
	    "bare_load: %s; usage: bare_load --lines N [--bytes B] [--seed S] [--talk] [--rate R] "
	    "[--stamps FILE] URL...\n",
	    what);
	exit(64);
}

static int64_t clock_us(clockid_t id)
{
	struct timespec ts;

	clock_gettime(id, &ts);
	return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

/* splitmix64: the same seed gives the same lines. */
static uint64_t next_random(struct load *l)
{
	uint64_t z = l->random += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

static void put_hex(char *to, uint64_t value, int digits)
{
	while (digits-- > 0) {
		to[digits] = "0123456789abcdef"[value & 15];
		value >>= 4;
	}
}

/* xxxxxxxx-xxxx-7xxx-8xxx-xxxxxxxxxxxx over the 36 bytes at `to`. */
static void put_uuid(struct load *l, char *to, uint64_t at_ms)
{
	uint64_t random = next_random(l);

	put_hex(to, at_ms >> 16, 8);
	put_hex(to + 9, at_ms, 4);
	put_hex(to + 15, random, 3);
	put_hex(to + 20, random >> 12, 3);
	put_hex(to + 24, next_random(l), 12);
}

static char *make_template(const struct load *l, const char *url)
{
	static const char head[] =
	    "{\"run_id\":\"00000000-0000-7000-8000-000000000000\",\"thread_id\":\"11111111-1111-"
	    "7111-8111-"
	    "111111111111\","
	    "\"assistant_id\":\"fe096781-5601-53d2-b2f6-0d3403f7e9ca\",\"metadata\":{\"created_"
	    "by\":\"system\","
	    "\"graph_id\":\"agent\",\"run_attempt\":1},\"status\":\"success\",\"kwargs\":{"
	    "\"input\":{\"messages\":[{"
	    "\"role\":"
	    "\"user\",\"content\":\"Which of our depots can take 40 pallets on "
	    "Friday?\"}]},\"config\":{\"configurable\":"
	    "{\"user_id\":\"u-4711\",\"graph_id\":\"agent\",\"temperature\":0.2}},\"stream_mode\":["
	    "\"values\"],"
	    "\"webhook\":";
	static const char middle[] =
	    ",\"temporary\":false,\"subgraphs\":false},\"multitask_strategy\":\"reject\",\"created_"
	    "at\":"
	    "\"2026-11-23T08:26:43.493Z\",\"updated_at\":\"2026-11-23T08:26:43.589Z\",\"values\":{"
	    "\"messages\":[{"
	    "\"type\":"
	    "\"human\",\"id\":\"m-1\",\"content\":\"Which of our depots can take 40 pallets on "
	    "Friday?\"},{\"type\":\"ai\","
	    "\"id\":\"m-2\",\"tool_calls\":[],\"usage\":{\"input_tokens\":412,\"output_tokens\":96}"
	    ",\"content\":\"";
	static const char short_head[] = "{\"run_id\":\"00000000-0000-7000-8000-000000000000\","
					 "\"thread_id\":\"11111111-1111-7111-8111-"
					 "111111111111\",\"webhook\":";
	static const char short_middle[] =
	    ",\"status\":\"success\",\"values\":{\"messages\":[{\"content\":\"";
	static const char words[] = "The depot in Ulm has 52 free places on Friday,\\nthe one in "
				    "Gera 17; \\\"Ulm\\\" it is. ";
	static const char tail[] = "\"}]}}\n";
	bool brief = l->bytes < sizeof head + sizeof middle + sizeof tail + strlen(url);
	char *line = malloc(l->bytes + 2);
	size_t at, end = l->bytes + 1 - (sizeof tail - 1), step;

	if (line == NULL)
		die("memory");
	at = (size_t)snprintf(line, l->bytes + 2, "%s\"%s\"%s", brief ? short_head : head, url,
			      brief ? short_middle : middle);
	if (at > end)
		usage("--bytes is too small for the run and its URL");
	for (; at < end; at += step) {
		/* Whole phrases, so that no escape is cut; what is left is filled with dots. */
		step = end - at < sizeof words - 1 ? end - at : sizeof words - 1;
		if (step < sizeof words - 1)
			memset(line + at, '.', step);
		else
			memcpy(line + at, words, step);
	}
	memcpy(line + at, tail, sizeof tail);
	return line;
}

static void make_templates(struct load *l)
{
	size_t i;

	l->templates = calloc(l->n_urls, sizeof *l->templates);
	l->run_id_at = calloc(l->n_urls, sizeof *l->run_id_at);
	l->thread_id_at = calloc(l->n_urls, sizeof *l->thread_id_at);
	if (l->templates == NULL || l->run_id_at == NULL || l->thread_id_at == NULL)
		die("memory");
	for (i = 0; i < l->n_urls; i++) {
		l->templates[i] = make_template(l, l->urls[i]);
		l->run_id_at[i] = (size_t)(strstr(l->templates[i], "00000000-") - l->templates[i]);
		l->thread_id_at[i] =
		    (size_t)(strstr(l->templates[i], "11111111-") - l->templates[i]);
	}
}

static void render_line(struct load *l)
{
	size_t which = l->made % l->n_urls, len = l->bytes + 1;
	uint64_t at_ms = l->start_at_ms + l->made / LINES_A_MS;
	char *to = l->out + l->out_to;

	memcpy(to, l->templates[which], len);
	put_uuid(l, to + l->run_id_at[which], at_ms);
	put_uuid(l, to + l->thread_id_at[which], at_ms);
	l->out_to += len;
	l->made++;
}

/* Renders lines while there is room, up to line number `limit`. */
static void fill_out(struct load *l, uint64_t limit)
{
	if (l->out_from == l->out_to)
		l->out_from = l->out_to = 0;
	if (l->out_from > 0 && OUT_BYTES - l->out_to < l->bytes + 1) {
		memmove(l->out, l->out + l->out_from, l->out_to - l->out_from);
		l->out_to -= l->out_from;
		l->out_from = 0;
	}
	while (l->made < limit && OUT_BYTES - l->out_to >= l->bytes + 1)
		render_line(l);
}

static void write_out(struct load *l)
{
	ssize_t n = write(STDOUT_FILENO, l->out + l->out_from, l->out_to - l->out_from);
	uint64_t sent_before = l->sent;
	int64_t now_us;

	if (n < 0 && errno != EAGAIN && errno != EINTR)
		die("write");
	if (n <= 0)
		return;
	l->out_from += (size_t)n;
	l->sent = l->made - (l->out_to - l->out_from + l->bytes) / (l->bytes + 1);
	if (l->sent_us == NULL)
		return;
	now_us = clock_us(CLOCK_MONOTONIC);
	while (sent_before < l->sent)
		l->sent_us[sent_before++] = now_us;
}

static void take_receipt(struct load *l, const char *line, size_t len, int64_t now_us)
{
	static const char queued[] = "\"status\":\"queued\"", id_mark[] = "\"id\":\"";
	const char *id, *end;

	if (memmem(line, len, queued, sizeof queued - 1) != NULL)
		l->queued++;
	if (l->sent_us != NULL) {
		id = memmem(line, len, id_mark, sizeof id_mark - 1);
		id = id != NULL ? id + sizeof id_mark - 1 : "\"";
		end = strchr(id, '"');
		if (end - id > 0 && end - id < ID_MAX)
			fprintf(l->stamps, "%.*s %" PRId64 " %" PRId64 "\n", (int)(end - id), id,
				l->sent_us[l->taken], now_us);
	}
	l->taken++;
}

static void read_receipts(struct load *l)
{
	ssize_t n = read(STDIN_FILENO, l->in + l->in_len, IN_BYTES - 1 - l->in_len);
	int64_t now_us = clock_us(CLOCK_MONOTONIC);
	char *line = l->in, *end;

	if (n < 0 && errno != EAGAIN && errno != EINTR)
		die("read");
	if (n == 0) {
		fprintf(stderr,
			"bare_load: the receipts ended after %" PRIu64 " of %" PRIu64 " lines\n",
			l->taken, l->lines);
		exit(1);
	}
	if (n <= 0)
		return;
	l->in_len += (size_t)n;
	l->in[l->in_len] = '\0';
	while ((end = memchr(line, '\n', (size_t)(l->in + l->in_len - line))) != NULL) {
		take_receipt(l, line, (size_t)(end - line), now_us);
		line = end + 1;
	}
	l->in_len -= (size_t)(line - l->in);
	memmove(l->in, line, l->in_len);
}

/* How many lines may have been sent by now, and when the next one may. */
static uint64_t lines_due(const struct load *l, int64_t start_us, struct timespec *wait)
{
	int64_t now_us = clock_us(CLOCK_MONOTONIC), next_us;
	uint64_t due;

	wait->tv_sec = 3600;
	wait->tv_nsec = 0;
	if (l->rate == 0)
		return l->lines;
	due = 2 + (uint64_t)(now_us - start_us) * l->rate / 1000000;
	if (due >= l->lines)
		return l->lines;
	next_us = start_us + (int64_t)((due - 1) * 1000000 / l->rate) + 1;
	wait->tv_sec = 0;
	wait->tv_nsec = next_us > now_us ? (long)(next_us - now_us) * 1000 : 0;
	return due;
}

static void exchange(struct load *l, uint64_t until, int64_t start_us)
{
	struct pollfd p[2] = {{.fd = STDIN_FILENO, .events = POLLIN}, {.fd = STDOUT_FILENO}};
	struct timespec wait;
	uint64_t due;

	while (l->taken < until) {
		due = lines_due(l, start_us, &wait);
		fill_out(l, due < until ? due : until);
		p[1].events = l->out_from < l->out_to ? POLLOUT : 0;
		if (ppoll(p, 2, &wait, NULL) < 0 && errno != EINTR)
			die("poll");
		if (p[1].revents != 0)
			write_out(l);
		if (p[0].revents != 0)
			read_receipts(l);
	}
}

static void talk(struct load *l)
{
	int64_t start_us, end_us;

	prctl(PR_SET_TIMERSLACK, 1000UL);
	fcntl(STDOUT_FILENO, F_SETPIPE_SZ, 1 << 20);
	fcntl(STDOUT_FILENO, F_SETFL, O_NONBLOCK);
	exchange(l, 1, clock_us(CLOCK_MONOTONIC));
	start_us = clock_us(CLOCK_MONOTONIC);
	exchange(l, l->lines, start_us);
	end_us = clock_us(CLOCK_MONOTONIC);
	fprintf(stderr,
		"{\"lines\":%" PRIu64 ",\"queued\":%" PRIu64 ",\"start_us\":%" PRId64
		",\"end_us\":%" PRId64 "}\n",
		l->lines - 1, l->queued, start_us, end_us);
}

static void pour(struct load *l)
{
	while (l->sent < l->lines) {
		fill_out(l, l->lines);
		write_out(l);
	}
}

static void parse_options(struct load *l, int argc, char **argv)
{
	static const struct option options[] = {{"lines", 1, NULL, 'n'}, {"bytes", 1, NULL, 'b'},
						{"seed", 1, NULL, 's'},  {"rate", 1, NULL, 'r'},
						{"talk", 0, NULL, 't'},  {"stamps", 1, NULL, 'm'},
						{NULL, 0, NULL, 0}};
	const char *stamps = NULL;
	int c;

	l->bytes = 2048;
	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (c == 'n')
			l->lines = strtoull(optarg, NULL, 10);
		else if (c == 'b')
			l->bytes = strtoull(optarg, NULL, 10);
		else if (c == 's')
			l->seed = strtoull(optarg, NULL, 10);
		else if (c == 'r')
			l->rate = strtoull(optarg, NULL, 10);
		else if (c == 't')
			l->talk = true;
		else if (c == 'm')
			stamps = optarg;
		else
			usage("unknown option");
	}
	l->urls = argv + optind;
	l->n_urls = (size_t)(argc - optind);
	if (l->lines == 0 || l->n_urls == 0 || l->bytes > OUT_BYTES / 2)
		usage("--lines and a URL are needed, and --bytes of at most 128 KiB");
	if (stamps != NULL && ((l->stamps = fopen(stamps, "w")) == NULL ||
			       (l->sent_us = calloc(l->lines, 8)) == NULL))
		die(stamps);
}

int main(int argc, char **argv)
{
	static struct load load;

	parse_options(&load, argc, argv);
	load.random = load.seed;
	load.start_at_ms = (uint64_t)clock_us(CLOCK_REALTIME) / 1000;
	make_templates(&load);
	if (load.talk)
		talk(&load);
	else
		pour(&load);
	if (load.stamps != NULL && fclose(load.stamps) != 0)
		die("stamps");
	return 0;
}
