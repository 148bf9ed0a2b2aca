/* The worker for those who watch, over real sockets: it runs in a child of its own, whose clock
 * stands still and goes on by two seconds at each SIGHUP. */
#include "serve/watch.h"

#include <arpa/inet.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "serve/door_counts.h"
#include "serve/scrape.h"
#include "unit/outbox_fixture.h"

static struct fx_child worker;
static uint16_t port;
static struct rp_settings settings;
static char answer[1 << 20];

/* --- the worker --------------------------------------------------------------------- */

static int64_t worker_boot_ms = 1000000;

static int64_t tell_wall(void *arg)
{
	(void)arg;
	return FX_NOW_MS;
}

static int64_t tell_boot(void *arg)
{
	(void)arg;
	return worker_boot_ms;
}

static struct rp_settings *go_on(void *arg)
{
	const int *out = arg;

	worker_boot_ms += 2000;
	fx_send(*out, "!", 1);
	return NULL;
}

static void socket_path(char out[300])
{
	snprintf(out, 300, "%s/../watch.sock", fx_dir);
}

static void work(int in, int out)
{
	struct rp_sys sys = rp_sys_real;
	struct rp_http_listener listeners[2];
	char path[300];
	sigset_t set;
	struct rp_watch_options o = {
	    .settings = &settings,
	    .reload = go_on,
	    .arg = &out,
	    .listeners = listeners,
	    .n_listeners = 2,
	    .sys = &sys,
	};
	struct rp_error err = {0};
	int e;

	(void)in;
	sys.wall_ms = tell_wall;
	sys.boot_ms = tell_boot;
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	sigprocmask(SIG_BLOCK, &set, NULL);
	o.signal_fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
	socket_path(path);
	fx_open();
	o.outbox = fx.ob;
	ck_assert_int_eq(rp_http_listener_open("127.0.0.1", 0, &listeners[0], &err), RP_OK);
	ck_assert_int_eq(rp_http_listener_open_unix(path, 0660, &listeners[1], &err), RP_OK);
	port = (uint16_t)atoi(strrchr(listeners[0].url, ':') + 1);
	fx_send(out, &port, sizeof port);
	e = rp_watch_serve(&o, &err);
	fx_send(out, &e, sizeof e);
	rp_http_listener_close(&listeners[0]);
	rp_http_listener_close(&listeners[1]);
	fx_close();
}

static void start(void)
{
	worker = fx_start(work);
	fx_receive(worker.out, &port, sizeof port);
	fx_open();
}

/* What rp_watch_serve returned. */
static int result(void)
{
	int e;

	fx_receive(worker.out, &e, sizeof e);
	fx_finish(&worker);
	return e;
}

static void stop(void)
{
	kill(worker.pid, SIGTERM);
	ck_assert_int_eq(result(), RP_OK);
}

static void pass_time(void)
{
	char said;

	kill(worker.pid, SIGHUP);
	fx_receive(worker.out, &said, 1);
}

static void set_up(void)
{
	rp_config_init(&settings.config);
	fx_setup_dir();
	fx_open();
	fx_append(1, 3);
	fx_close();
	start();
}

static void tear_down(void)
{
	fx_close();
	rp_config_release(&settings.config);
	fx_teardown_dir();
}

/* --- a client ----------------------------------------------------------------------- */

static int reach(bool by_unix)
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(port)};
	struct sockaddr_un file = {.sun_family = AF_UNIX};
	char path[300];
	int fd = socket(by_unix ? AF_UNIX : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	inet_pton(AF_INET, "127.0.0.1", &at.sin_addr);
	socket_path(path);
	snprintf(file.sun_path, sizeof file.sun_path, "%.100s", path);
	ck_assert_int_eq(by_unix ? connect(fd, (struct sockaddr *)&file, sizeof file)
				 : connect(fd, (struct sockaddr *)&at, sizeof at),
			 0);
	return fd;
}

/* Sends it and fills `answer` until the other side closes; the status. */
static int exchange(int fd, const char *text)
{
	size_t n = 0;
	ssize_t got;

	ck_assert_int_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	while (n < sizeof answer - 1 && (got = read(fd, answer + n, sizeof answer - 1 - n)) > 0)
		n += (size_t)got;
	answer[n] = '\0';
	close(fd);
	ck_assert_msg(strncmp(answer, "HTTP/1.1 ", 9) == 0, "%s", answer);
	return atoi(answer + 9);
}

/* `lines`: further fields, with CR LF each. */
static int ask_with(const char *method, const char *target, const char *lines)
{
	char text[512];

	snprintf(text, sizeof text,
		 "%s %s HTTP/1.1\r\nHost: 127.0.0.1:%u\r\nConnection: close\r\n%s\r\n", method,
		 target, port, lines);
	return exchange(reach(false), text);
}

static int ask(const char *target)
{
	return ask_with("GET", target, "");
}

static const char *body(void)
{
	const char *end = strstr(answer, "\r\n\r\n");

	ck_assert_ptr_nonnull(end);
	return end + 4;
}

static void must_say(const char *part)
{
	ck_assert_msg(strstr(answer, part) != NULL, "no \"%s\" in %.2000s", part, answer);
}

/* --- metrics ------------------------------------------------------------------------ */

/* Takes the line of a metric out. */
static void cut(char *text, const char *name)
{
	char line[64], *at;

	snprintf(line, sizeof line, "\n%s ", name);
	at = strstr(text, line);
	ck_assert_ptr_nonnull(at);
	memmove(at, strchr(at + 1, '\n'), strlen(strchr(at + 1, '\n')) + 1);
}

/* Who asks has a reader slot itself, and others use the disk. */
static void cut_what_changes(char *text)
{
	cut(text, "runpost_store_readers");
	cut(text, "runpost_disk_free_bytes");
}

START_TEST(metrics_are_those_of_the_inspector_and_the_door)
{
	struct rp_door_counts door;
	struct rp_buf mine = {0};
	struct rp_error err;

	ck_assert_int_eq(rp_door_counts_open(fx.ob, FX_NOW_MS, &door, &err), RP_OK);
	ck_assert_int_eq(ask("/metrics?x=1"), 200);
	must_say("Content-Type: text/plain; version=0.0.4; charset=utf-8\r\n");
	must_say("Cache-Control: no-store\r\n");
	must_say("\nrunpost_entries{state=\"waiting\"} 3\n");
	must_say("\nrunpost_door_worker_starts_total 1\n");
	ck_assert_int_eq(
	    rp_scrape_add(fx.ob, &settings.config, FX_NOW_MS, worker_boot_ms, &mine, &err), RP_OK);
	cut_what_changes(answer);
	cut_what_changes(mine.data);
	ck_assert_msg(strcmp(body(), mine.data) == 0, "they differ");
	rp_buf_release(&mine);
	rp_door_counts_close(&door);
	stop();
}
END_TEST

START_TEST(metrics_are_read_once_a_second)
{
	ck_assert_int_eq(ask("/metrics"), 200);
	fx_append(2, 1);
	ck_assert_int_eq(ask("/metrics"), 200);
	must_say("\nrunpost_entries{state=\"waiting\"} 3\n");
	pass_time();
	ck_assert_int_eq(ask("/metrics"), 200);
	must_say("\nrunpost_entries{state=\"waiting\"} 4\n");
	stop();
}
END_TEST

START_TEST(the_answer_to_head_has_no_body)
{
	ck_assert_int_eq(ask_with("HEAD", "/metrics", ""), 200);
	ck_assert_str_eq(body(), "");
	ck_assert_ptr_null(strstr(answer, "Content-Length: 0\r\n"));
	stop();
}
END_TEST

/* --- health ------------------------------------------------------------------------- */

START_TEST(it_is_healthy_whatever_the_door_does)
{
	ck_assert_int_eq(ask("/healthz"), 200);
	ck_assert_str_eq(body(), "{\"status\":\"ok\"}\n");
	stop();
}
END_TEST

static void must_be_unready(const char *word)
{
	char part[64];

	ck_assert_int_eq(ask("/readyz"), 503);
	snprintf(part, sizeof part, "\"code\":\"%s\"", word);
	must_say(part);
	must_say("\"status\":\"refused\"");
	must_say("Retry-After: 5\r\n");
	pass_time();
}

START_TEST(it_is_ready_while_a_door_accepts)
{
	struct rp_door_now now = {.state = RP_DOOR_STARTING};
	struct rp_door_counts door;
	struct rp_error err;

	must_be_unready("no_door");
	ck_assert_int_eq(rp_door_counts_open(fx.ob, FX_NOW_MS, &door, &err), RP_OK);
	must_be_unready("starting");
	now.state = RP_DOOR_ACCEPTING;
	rp_door_show(&door, &now);
	ck_assert_int_eq(ask("/readyz"), 200);
	ck_assert_str_eq(body(), "{\"status\":\"ok\"}\n");
	pass_time();
	now.state = RP_DOOR_STOPPING;
	rp_door_show(&door, &now);
	must_be_unready("stopping");
	rp_door_counts_close(&door);
	must_be_unready("no_door");
	stop();
}
END_TEST

/* --- what is refused ---------------------------------------------------------------- */

static const struct {
	const char *method, *target, *lines;
	int status;
	const char *says;
} refused[] = {
    {"GET", "/", "", 404, "\"code\":\"not_found\""},
    {"GET", "/metrics/", "", 404, "\"code\":\"not_found\""},
    {"GET", "/v1/runs", "", 404, "\"code\":\"not_found\""},
    {"POST", "/metrics", "Content-Length: 3\r\n", 405, "Allow: GET, HEAD\r\n"},
    {"DELETE", "/healthz", "", 405, "\"code\":\"method\""},
    {"GET", "/metrics", "Origin: https://a.example\r\n", 403, "\"code\":\"cross_site\""},
    {"GET", "/metrics", "Sec-Fetch-Site: cross-site\r\n", 403, "\"code\":\"cross_site\""},
    {"GET", "/metrics", "Host: twice\r\n", 400, "\"code\":\"bad_request\""},
};

START_TEST(all_else_is_refused)
{
	ck_assert_int_eq(ask_with(refused[_i].method, refused[_i].target, refused[_i].lines),
			 refused[_i].status);
	must_say(refused[_i].says);
	must_say("\"status\":\"refused\"");
	stop();
}
END_TEST

START_TEST(a_name_that_is_not_ours_is_refused_but_on_a_unix_socket)
{
	const char *request =
	    "GET /healthz HTTP/1.1\r\nHost: a.example\r\nConnection: close\r\n\r\n";

	ck_assert_int_eq(exchange(reach(false), request), 421);
	must_say("\"code\":\"host\"");
	ck_assert_int_eq(exchange(reach(true), request), 200);
	stop();
}
END_TEST

START_TEST(a_head_that_is_too_large_is_refused)
{
	static char lines[20000];

	memset(lines, 'x', sizeof lines - 1);
	memcpy(lines, "X: ", 3);
	{
		int fd = reach(false);

		ck_assert_int_gt(dprintf(fd, "GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n"), 0);
		ck_assert_int_eq(exchange(fd, lines), 431);
	}
	stop();
}
END_TEST

/* One that has waited for a while gives way. */
START_TEST(silent_connections_keep_nobody_out)
{
	const char *request = "GET /healthz HTTP/1.0\r\nHost: 127.0.0.1\r\n\r\n";
	struct pollfd asks = {.events = POLLIN};
	int fds[80];
	size_t i;

	for (i = 0; i < sizeof fds / sizeof fds[0]; i++)
		fds[i] = reach(false);
	asks.fd = reach(false);
	fx_send(asks.fd, request, strlen(request));
	do
		pass_time();
	while (poll(&asks, 1, 20) == 0);
	ck_assert_int_eq(exchange(asks.fd, ""), 200);
	for (i = 0; i < sizeof fds / sizeof fds[0]; i++)
		close(fds[i]);
	stop();
}
END_TEST

/* --- an outbox that is not well ----------------------------------------------------- */

START_TEST(an_outbox_that_was_moved_away_ends_it)
{
	char moved[300];

	snprintf(moved, sizeof moved, "%s.moved", fx_dir);
	ck_assert_int_eq(ask("/metrics"), 200);
	pass_time();
	ck_assert_int_eq(rename(fx_dir, moved), 0);
	ck_assert_int_eq(ask("/metrics"), 503);
	must_say("\"code\":\"gone\"");
	ck_assert_int_eq(result(), RP_ERR_IO);
	ck_assert_int_eq(rename(moved, fx_dir), 0);
}
END_TEST

START_TEST(a_damaged_outbox_is_told_and_does_not_end_it)
{
	fx_flip(RP_T_META, fx_text_key("head"), 10);
	ck_assert_int_eq(ask("/metrics"), 503);
	must_say("\"code\":\"store\"");
	ck_assert_int_eq(ask("/healthz"), 200);
	fx_flip(RP_T_META, fx_text_key("head"), 10);
	pass_time();
	ck_assert_int_eq(ask("/metrics"), 200);
	stop();
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("watch");
	TCase *tc = tcase_create("all");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tc, set_up, tear_down);
	tcase_set_timeout(tc, 30);
	tcase_add_test(tc, metrics_are_those_of_the_inspector_and_the_door);
	tcase_add_test(tc, metrics_are_read_once_a_second);
	tcase_add_test(tc, the_answer_to_head_has_no_body);
	tcase_add_test(tc, it_is_healthy_whatever_the_door_does);
	tcase_add_test(tc, it_is_ready_while_a_door_accepts);
	tcase_add_loop_test(tc, all_else_is_refused, 0, sizeof refused / sizeof refused[0]);
	tcase_add_test(tc, a_name_that_is_not_ours_is_refused_but_on_a_unix_socket);
	tcase_add_test(tc, a_head_that_is_too_large_is_refused);
	tcase_add_test(tc, silent_connections_keep_nobody_out);
	tcase_add_test(tc, an_outbox_that_was_moved_away_ends_it);
	tcase_add_test(tc, a_damaged_outbox_is_told_and_does_not_end_it);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? 0 : 1;
}
