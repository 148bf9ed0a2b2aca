/* bare_post - what POSTing lines costs at the least: libcurl with socket_action and epoll, live
 * connections kept.
 *
 *   bare_post --in-flight N [--kept N] [--ca FILE] FILE URL...
 *
 * Each line of FILE is a body, and goes to the next URL in turn. Nothing is stored, signed or tried
 * again; an answer that is not 2xx ends the program. --kept: connections kept, if not as many as
 * requests and 16 more. --ca: whom to trust; libcurl parses it once, which it does only where there
 * is no folder of certificates as well. The result is a JSON object on stdout. */
#include <curl/curl.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define EVENTS_MAX 128

struct poster {
	CURLM *multi;
	int epoll_fd;
	int64_t timer_at_ms; /* -1: none */
	struct curl_slist *headers;
	const char *ca;
	char **urls;
	size_t n_urls, next_url;
	char *data;
	size_t len, at;
	uint64_t posted, running;
};

static void die(const char *what, const char *why)
{
	fprintf(stderr, "bare_post: %s: %s\n", what, why);
	exit(1);
}

static int64_t now_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

static int64_t cpu_us(void)
{
	struct rusage r;

	getrusage(RUSAGE_SELF, &r);
	return ((int64_t)r.ru_utime.tv_sec + r.ru_stime.tv_sec) * 1000000 + r.ru_utime.tv_usec +
	       r.ru_stime.tv_usec;
}

static void load_file(struct poster *p, const char *path)
{
	struct stat st;
	ssize_t n = 1;
	int fd = open(path, O_RDONLY);

	if (fd < 0 || fstat(fd, &st) != 0)
		die(path, strerror(errno));
	p->data = malloc((size_t)st.st_size + 1);
	if (p->data == NULL)
		die(path, "no memory");
	while (n > 0 && p->len < (size_t)st.st_size) {
		n = read(fd, p->data + p->len, (size_t)st.st_size - p->len);
		p->len += n > 0 ? (size_t)n : 0;
	}
	if (n < 0)
		die(path, strerror(errno));
	close(fd);
}

static int on_timer(CURLM *multi, long timeout_ms, void *arg)
{
	struct poster *p = arg;

	(void)multi;
	p->timer_at_ms = timeout_ms < 0 ? -1 : now_us() / 1000 + timeout_ms;
	return 0;
}

static int on_socket(CURL *easy, curl_socket_t fd, int what, void *arg, void *known)
{
	struct poster *p = arg;
	struct epoll_event ev = {.data.fd = fd};

	(void)easy;
	ev.events = (what & CURL_POLL_IN ? (uint32_t)EPOLLIN : 0) |
		    (what & CURL_POLL_OUT ? (uint32_t)EPOLLOUT : 0);
	if (what == CURL_POLL_REMOVE)
		epoll_ctl(p->epoll_fd, EPOLL_CTL_DEL, fd, NULL);
	else if (epoll_ctl(p->epoll_fd, known != NULL ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, fd, &ev) !=
		 0)
		die("epoll_ctl", strerror(errno));
	else
		curl_multi_assign(p->multi, fd, p);
	return 0;
}

static size_t on_body(char *data, size_t size, size_t n, void *arg)
{
	(void)data;
	(void)arg;
	return size * n;
}

static void start_next(struct poster *p, CURL *easy)
{
	char *line = p->data + p->at, *end;

	if (p->at == p->len)
		return;
	end = memchr(line, '\n', p->len - p->at);
	if (end == NULL)
		die("input", "the last line has no line feed");
	if (p->n_urls > 1)
		curl_easy_setopt(easy, CURLOPT_URL, p->urls[p->next_url++ % p->n_urls]);
	curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE, (long)(end - line));
	curl_easy_setopt(easy, CURLOPT_POSTFIELDS, line);
	p->at += (size_t)(end - line) + 1;
	p->running++;
	if (curl_multi_add_handle(p->multi, easy) != CURLM_OK)
		die("curl", "a request cannot be added");
}

static CURL *new_easy(struct poster *p)
{
	CURL *easy = curl_easy_init();

	if (easy == NULL)
		die("curl", "no memory");
	curl_easy_setopt(easy, CURLOPT_URL, p->urls[0]);
	if (p->ca != NULL) {
		curl_easy_setopt(easy, CURLOPT_CAPATH, NULL);
		curl_easy_setopt(easy, CURLOPT_CAINFO, p->ca);
	}
	curl_easy_setopt(easy, CURLOPT_HTTPHEADER, p->headers);
	curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
	curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(easy, CURLOPT_PROXY, "");
	curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, 20000L);
	curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	return easy;
}

static void collect(struct poster *p)
{
	CURLMsg *msg;
	CURL *easy;
	long status;
	int left;

	while ((msg = curl_multi_info_read(p->multi, &left)) != NULL) {
		easy = msg->easy_handle;
		if (msg->data.result != CURLE_OK)
			die("a request failed", curl_easy_strerror(msg->data.result));
		curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
		if (status / 100 != 2)
			die("a request failed", "the answer is not 2xx");
		curl_multi_remove_handle(p->multi, easy);
		p->posted++;
		p->running--;
		start_next(p, easy);
	}
}

static int wait_ms(const struct poster *p)
{
	int64_t left;

	if (p->timer_at_ms < 0)
		return 1000;
	left = p->timer_at_ms - now_us() / 1000;
	return left < 0 ? 0 : left > 1000 ? 1000 : (int)left;
}

static void turn(struct poster *p)
{
	struct epoll_event events[EVENTS_MAX];
	int n = epoll_wait(p->epoll_fd, events, EVENTS_MAX, wait_ms(p)), i, under_way;

	for (i = 0; i < n; i++)
		curl_multi_socket_action(
		    p->multi, events[i].data.fd,
		    (events[i].events & ~(uint32_t)EPOLLOUT ? CURL_CSELECT_IN : 0) |
			(events[i].events & EPOLLOUT ? CURL_CSELECT_OUT : 0),
		    &under_way);
	if (p->timer_at_ms >= 0 && now_us() / 1000 >= p->timer_at_ms) {
		p->timer_at_ms = -1;
		curl_multi_socket_action(p->multi, CURL_SOCKET_TIMEOUT, 0, &under_way);
	}
	collect(p);
}

static void open_multi(struct poster *p, long kept)
{
	if (curl_global_init(CURL_GLOBAL_ALL) != CURLE_OK || (p->multi = curl_multi_init()) == NULL)
		die("curl", "does not start");
	p->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	p->timer_at_ms = -1;
	p->headers =
	    curl_slist_append(curl_slist_append(NULL, "Content-Type: application/json"), "Expect:");
	curl_multi_setopt(p->multi, CURLMOPT_SOCKETFUNCTION, on_socket);
	curl_multi_setopt(p->multi, CURLMOPT_SOCKETDATA, p);
	curl_multi_setopt(p->multi, CURLMOPT_TIMERFUNCTION, on_timer);
	curl_multi_setopt(p->multi, CURLMOPT_TIMERDATA, p);
	curl_multi_setopt(p->multi, CURLMOPT_MAXCONNECTS, kept);
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
	    {"in-flight", 1, NULL, 'i'}, {"kept", 1, NULL, 'k'}, {"ca", 1, NULL, 'c'}, {0}};
	struct poster p = {0};
	int64_t start_us, cpu_start_us;
	long in_flight = 0, kept = 0, i;
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (c == 'i')
			in_flight = strtol(optarg, NULL, 10);
		else if (c == 'k')
			kept = strtol(optarg, NULL, 10);
		else if (c == 'c')
			p.ca = optarg;
	}
	if (in_flight <= 0 || argc - optind < 2) {
		fprintf(stderr,
			"usage: bare_post --in-flight N [--kept N] [--ca FILE] FILE URL...\n");
		return 64;
	}
	load_file(&p, argv[optind]);
	p.urls = argv + optind + 1;
	p.n_urls = (size_t)(argc - optind - 1);
	start_us = now_us();
	cpu_start_us = cpu_us();
	open_multi(&p, kept != 0 ? kept : in_flight + 16);
	for (i = 0; i < in_flight; i++)
		start_next(&p, new_easy(&p));
	while (p.running > 0)
		turn(&p);
	printf("{\"posted\":%" PRIu64 ",\"wall_us\":%" PRId64 ",\"cpu_us\":%" PRId64 "}\n",
	       p.posted, now_us() - start_us, cpu_us() - cpu_start_us);
	return 0;
}
