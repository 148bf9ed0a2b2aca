/* The sections [door] and [ui]. */
#include "config/config.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#define N(rows) (int)(sizeof(rows) / sizeof((rows)[0]))
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

static void parse_ok(const char *text)
{
	ck_assert_msg(rp_config_parse(&config, "t.conf", rp_span_of(text), &error) == RP_OK, "%s",
		      error.text);
}

static void check_listens(const struct rp_listen *listen, const char *expected)
{
	char all[RP_LISTEN_MAX * RP_LISTEN_TEXT_MAX] = "", text[RP_LISTEN_TEXT_MAX];
	size_t i;

	for (i = 0; i < listen->n; i++) {
		strcat(all, i > 0 ? " " : "");
		strcat(all, rp_listen_address_format(&listen->at[i], text));
	}
	ck_assert_str_eq(all, expected);
}

static void check_names(const struct rp_door_names *names, const char *expected)
{
	char all[1024] = "";
	size_t i;

	for (i = 0; i < names->n; i++) {
		strcat(all, i > 0 ? " " : "");
		strcat(all, names->at[i]);
	}
	ck_assert_str_eq(all, expected);
}

START_TEST(without_a_section_the_door_is_on_loopback_for_its_own_user)
{
	parse_ok("[outbox]\n");
	check_listens(&config.door.listen, "127.0.0.1:8484");
	check_names(&config.door.users, "self");
	check_names(&config.door.hosts, "");
	check_listens(&config.ui.listen, "");
	ck_assert_ptr_null(config.door.token_file);
	ck_assert_ptr_null(config.door.door_key_file);
	ck_assert_ptr_null(config.door.rejects);
	ck_assert_uint_eq(config.door.rejects_max_bytes, 64 * MIB);
	ck_assert_uint_eq(config.door.bodies_bytes, 64 * MIB);
	ck_assert_int_eq(config.door.hold_ms, 20000);
	ck_assert_uint_eq(config.door.connections, 512);
	ck_assert(!config.defaults.door);
}
END_TEST

START_TEST(every_key_of_the_door_is_taken)
{
	parse_ok("[door]\nlisten = 127.0.0.1:1;[::1]:2\nlisten = unix:/run/d.sock, 10.0.0.1:3\n"
		 "token_file = t\ndoor_key_file = /k\ndoor_users = self  1000 \ndoor_users = lang\n"
		 "rejects = r\nrejects_max = 64K\nhosts = Door.Internal:80 a [::1]:9\nhosts = b\n"
		 "hold = 0\nconnections = 1\nbodies = 16M\n[ui]\nlisten = 127.0.0.1:4 unix:/u\n"
		 "[endpoint \"a\"]\nurl = https://a.example\ndoor = yes\n"
		 "[endpoint \"b\"]\nurl = https://b.example\n");
	check_listens(&config.door.listen, "127.0.0.1:1 [::1]:2 unix:/run/d.sock 10.0.0.1:3");
	ck_assert_uint_eq(config.door.listen.line[1], 2);
	ck_assert_uint_eq(config.door.listen.line[2], 3);
	ck_assert_str_eq(config.door.token_file, "t");
	ck_assert_str_eq(config.door.door_key_file, "/k");
	check_names(&config.door.users, "self 1000 lang");
	ck_assert_uint_eq(config.door.users.line[2], 7);
	ck_assert_str_eq(config.door.rejects, "r");
	ck_assert_uint_eq(config.door.rejects_max_bytes, 64 << 10);
	check_names(&config.door.hosts, "door.internal:80 a [::1]:9 b");
	ck_assert_int_eq(config.door.hold_ms, 0);
	ck_assert_uint_eq(config.door.connections, 1);
	ck_assert_uint_eq(config.door.bodies_bytes, 16 * MIB);
	check_listens(&config.ui.listen, "127.0.0.1:4 unix:/u");
	ck_assert(config.endpoints[0].door);
	ck_assert(!config.endpoints[1].door);
}
END_TEST

START_TEST(what_is_said_twice_counts_once_and_none_is_nobody)
{
	parse_ok("[door]\ndoor_users = none\nhosts = a A\nhosts =\n[ui]\nlisten =\n");
	check_names(&config.door.users, "");
	check_names(&config.door.hosts, "a");
	check_listens(&config.ui.listen, "");
	parse_ok("[door]\ndoor_users = 7 7\n");
	check_names(&config.door.users, "7");
}
END_TEST

START_TEST(the_lists_are_shown_as_a_file_would_have_them)
{
	static const struct {
		const char *name, *shown;
	} rows[] = {{"listen", "[::1]:2 unix:/d"}, {"door_users", "self lang"}, {"hosts", "none"}};
	const struct rp_setting_info *info;
	struct rp_buf out = {0};
	bool inherited;
	size_t i, k;

	parse_ok("[door]\nlisten = [0::1]:2\nlisten = unix:/d\ndoor_users = self lang\n");
	for (i = 0; (info = rp_config_setting(i)) != NULL; i++)
		for (k = 0; k < sizeof rows / sizeof rows[0]; k++) {
			if (strcmp(info->section, "door") != 0 ||
			    strcmp(info->name, rows[k].name) != 0)
				continue;
			rp_buf_clear(&out);
			ck_assert_uint_eq(rp_config_count_values(NULL, i), 1);
			ck_assert(rp_config_show_value(&config, NULL, i, 0, &out));
			ck_assert_str_eq(out.data, rows[k].shown);
			ck_assert_uint_eq(rp_config_line_of_value(&config, NULL, i, 0, &inherited),
					  k == 0   ? 3
					  : k == 1 ? 4
						   : 0);
		}
	rp_buf_release(&out);
}
END_TEST

#define LISTEN_ACCEPTED                                                                            \
	"; accepted: addresses such as 127.0.0.1:8484, [::1]:8484 or unix:/run/runpost/door.sock"
#define USERS_ACCEPTED                                                                             \
	"accepted: names or numbers of users such as langgraph or 1000, self, or none alone"
#define HOSTS_ACCEPTED "accepted: names such as door.internal or door.internal:8484"
#define LOOP                                                                                       \
	"[endpoint \"a\"] url: it leads to the door itself, so what it takes would come back for " \
	"ever; accepted: the URL of the receiver"
#define ENDPOINT(url) "[endpoint \"a\"]\ndoor = yes\nurl = " url "\n"
#define WIDE "[door]\nlisten = 0.0.0.0:81\ntoken_file = t\n"

static const struct {
	const char *text, *message; /* NULL: it is taken */
} rows[] = {
    /* values */
    {"[door]\nlisten =\n", "2: [door] listen = : empty" LISTEN_ACCEPTED},
    {"[door]\nlisten = localhost:80\n",
     "2: [door] listen = localhost:80: localhost:80: a name may mean several addresses: write "
     "127.0.0.1 or [::1]" LISTEN_ACCEPTED},
    {"[door]\nlisten = 127.0.0.1:1\nlisten = 8484\n",
     "3: [door] listen = 8484: 8484: the port is missing: write ADDRESS:PORT" LISTEN_ACCEPTED},
    {"[ui]\nlisten = 0.0.0.0:80\n",
     "2: [ui] listen = 0.0.0.0:80: 0.0.0.0:80 can be reached from other machines, and there is no "
     "login; accepted: 127.0.0.1:PORT, [::1]:PORT or unix:/PATH"},
    {"[door]\ndoor_users =\n", "2: [door] door_users = : empty; " USERS_ACCEPTED},
    {"[door]\ndoor_users = a/b\n",
     "2: [door] door_users = a/b: a/b is not a user; " USERS_ACCEPTED},
    {"[door]\ndoor_users = a none\n",
     "2: [door] door_users = a none: none is not a user; " USERS_ACCEPTED},
    {"[door]\ndoor_users = none\ndoor_users = a\n",
     "3: [door] door_users = a: none is set on line 2; " USERS_ACCEPTED},
    {"[door]\ndoor_users = 4294967295\n",
     "2: [door] door_users = 4294967295: 4294967295 is not a user; " USERS_ACCEPTED},
    {"[door]\ndoor_users = 99999999999999999999999\n",
     "2: [door] door_users = 99999999999999999999999: 99999999999999999999999 is not a "
     "user; " USERS_ACCEPTED},
    {"[door]\ndoor_users = 4294967294 00000000000000000001\n",
     "2: [door] door_users = 4294967294 00000000000000000001: 00000000000000000001 is not a "
     "user; " USERS_ACCEPTED},
    {"[door]\ndoor_users = a,#b\n",
     "2: [door] door_users = a,#b: #b is not a user; " USERS_ACCEPTED},
    {"[door]\ndoor_users = \xc3\xa9\n",
     "2: [door] door_users = ??: ?? is not a user; " USERS_ACCEPTED},
    {"[door]\ndoor_users = 4294967294 DOM\\a u@h\n", NULL},
    {"[door]\nhosts = a/b\n", "2: [door] hosts = a/b: a/b is not a host name; " HOSTS_ACCEPTED},
    {"[door]\nhosts = a?b\n", "2: [door] hosts = a?b: a?b is not a host name; " HOSTS_ACCEPTED},
    {"[door]\nhosts = a:0\n", "2: [door] hosts = a:0: a:0 is not a host name; " HOSTS_ACCEPTED},
    {"[door]\nhosts = u@h\n", "2: [door] hosts = u@h: u@h is not a host name; " HOSTS_ACCEPTED},
    {"[door]\nhold = 1\n",
     "2: [door] hold = 1: not a duration; accepted: 0 to 10m, with a unit (ms, s, m, h, d)"},
    {"[door]\nconnections = 0\n", "2: [door] connections = 0: too small; accepted: 1 to 65536"},
    {"[defaults]\ndoor = yes\n",
     "2: [defaults] door: not a key of this section; accepted: in [endpoint \"NAME\"]"},
    {"[door]\nwhatever = 8484\n",
     "2: [door] whatever: unknown key; accepted: listen token_file door_key_file door_users "
     "rejects rejects_max hosts hold connections bodies"},
    {"[door]\nlisten_on = 1\n", "2: [door] listen_on: unknown key; did you mean listen?"},
    {"[ui]\ntoken_file = a\n",
     "2: [ui] token_file: not a key of this section; accepted: in [door]"},
    {"[door]\ntoken_file = a\ntoken_file = b\n",
     "3: [door] token_file: set on line 2 already; accepted: once in a section"},
    /* several addresses */
    {"[door]\nlisten = 127.0.0.1:1 [::1]:2\nlisten = [0::1]:2\n",
     "3: [door] listen = [::1]:2: only one of it and [::1]:2 of [door] can be listened on; "
     "accepted: each address and port once"},
    {"[ui]\nlisten = 127.0.0.1:8484\n",
     "2: [ui] listen = 127.0.0.1:8484: only one of it and 127.0.0.1:8484 of [door] can be "
     "listened on; accepted: each address and port once"},
    {"[ui]\nlisten = unix:/a unix:/a\n",
     "2: [ui] listen = unix:/a: only one of it and unix:/a of [ui] can be listened on; accepted: "
     "each address and port once"},
    {"[door]\ntoken_file = a\nlisten = 0.0.0.0:1 127.0.0.1:1\n",
     "3: [door] listen = 127.0.0.1:1: only one of it and 0.0.0.0:1 of [door] can be listened on; "
     "accepted: each address and port once"},
    {"[door]\nlisten = 127.0.0.1:0 127.0.0.1:0\n", NULL},
    /* who could come in */
    {"[door]\nlisten = 10.0.0.1:80\n",
     "2: [door] listen = 10.0.0.1:80: other machines can reach it and there is no token_file, so "
     "nobody could come in; accepted: token_file = FILE beside it, or an address such as "
     "127.0.0.1:8484"},
    {"[door]\nlisten = unix:/a [::]:80\ntoken_file =\n",
     "2: [door] listen = [::]:80: other machines can reach it and there is no token_file, so "
     "nobody could come in; accepted: token_file = FILE beside it, or an address such as "
     "127.0.0.1:8484"},
    {"[door]\ntoken_file = a\nlisten = 10.0.0.1:80\n", NULL},
    /* what it can hold */
    {"[door]\nbodies = 8M\n", "2: [door] bodies = 8192K: less than [ingest] max_line = 16384K; "
			      "accepted: at least max_line"},
    {"[ingest]\nmax_line = 128M\n",
     "2: [door] bodies = 65536K: less than [ingest] max_line = 131072K; accepted: at least "
     "max_line"},
    /* loops */
    {ENDPOINT("http://127.0.0.1:8484/to/b"), "3: " LOOP},
    {ENDPOINT("http://LOCALHOST:8484"), "3: " LOOP},
    {ENDPOINT("http://0.0.0.0:8484"), "3: " LOOP},
    {ENDPOINT("http://[::]:8484"), "3: " LOOP},
    {ENDPOINT("https://127.0.0.1:8484"), NULL},
    {ENDPOINT("http://127.0.0.1:8485"), NULL},
    {ENDPOINT("http://127.0.0.1"), NULL},
    {ENDPOINT("http://10.0.0.1:8484"), NULL},
    {WIDE ENDPOINT("http://[::1]:81"), "6: " LOOP},
    {"[door]\nlisten = 10.0.0.1:80\ntoken_file = t\n" ENDPOINT("http://10.0.0.1/x"), "6: " LOOP},
    {"[door]\nlisten = 10.0.0.1:80\ntoken_file = t\n" ENDPOINT("http://127.0.0.1/x"), NULL},
    {"[door]\nlisten = unix:/a\n" ENDPOINT("http://127.0.0.1:8484"), NULL},
    {"[door]\nhosts = door.example\n" ENDPOINT("http://Door.Example:8484/x"), "5: " LOOP},
    {"[door]\nhosts = door.example\n" ENDPOINT("https://door.example/x"), NULL},
    {"[door]\nhosts = door.example:443\n" ENDPOINT("https://door.example/x"), "5: " LOOP},
    {"[door]\nhosts = door.example:443\n" ENDPOINT("https://door.example:444/x"), NULL},
    {"[endpoint \"a\"]\nurl = http://127.0.0.1:8484\n", NULL},
};

START_TEST(what_does_not_fit_is_told_with_file_line_and_remedy)
{
	char want[600];
	enum rp_err rc = rp_config_parse(&config, "t.conf", rp_span_of(rows[_i].text), &error);

	if (rows[_i].message == NULL) {
		ck_assert_msg(rc == RP_OK, "%s", error.text);
		return;
	}
	snprintf(want, sizeof want, "t.conf:%s", rows[_i].message);
	ck_assert_int_eq(rc, RP_ERR_INVAL);
	ck_assert_msg(strcmp(error.text, want) == 0, "got  %s\nwant %s", error.text, want);
	check_listens(&config.door.listen, "127.0.0.1:8484");
}
END_TEST

START_TEST(no_list_takes_more_than_it_has_room_for)
{
	static const struct {
		const char *section, *key, *begin, *message;
		int most;
	} lists[] = {
	    {"door", "listen", "127.0.0.1:", "too many addresses; accepted: at most 16",
	     RP_LISTEN_MAX},
	    {"ui", "listen", "127.0.0.1:", "too many addresses; accepted: at most 16",
	     RP_LISTEN_MAX},
	    {"door", "door_users", "", "too many; accepted: at most 32", RP_DOOR_NAMES_MAX},
	    {"door", "hosts", "h", "too many; accepted: at most 32", RP_DOOR_NAMES_MAX},
	};
	struct rp_buf text = {0};
	int i;

	ck_assert(rp_buf_printf(&text, "[%s]\n", lists[_i].section));
	for (i = 1; i <= lists[_i].most; i++)
		ck_assert(rp_buf_printf(&text, "%s = %s%d\n", lists[_i].key, lists[_i].begin, i));
	parse_ok(text.data);
	ck_assert(rp_buf_printf(&text, "%s = %s%d\n", lists[_i].key, lists[_i].begin, i));
	ck_assert_int_eq(rp_config_parse(&config, "t.conf", rp_span_of(text.data), &error),
			 RP_ERR_INVAL);
	rp_buf_release(&text);
	ck_assert_msg(strstr(error.text, lists[_i].message) != NULL, "%s", error.text);
}
END_TEST

static const struct {
	const char *text, *url;
} urls[] = {
    {"", "http://127.0.0.1:8484"},
    {"[door]\nlisten = unix:/a [::1]:1 127.0.0.1:2\n", "http://[::1]:1"},
    {"[door]\ntoken_file = t\nlisten = 0.0.0.0:1\n", "http://127.0.0.1:1"},
    {"[door]\ntoken_file = t\nlisten = [::]:1\n", "http://[::1]:1"},
    {"[door]\nlisten = unix:/a\n", ""},
    {"[door]\nlisten = 127.0.0.1:0\n", ""},
};

START_TEST(the_url_of_the_door_is_one_that_this_machine_reaches)
{
	struct rp_buf out = {0};

	parse_ok(urls[_i].text);
	ck_assert(rp_config_add_door_url(&config, &out));
	ck_assert_str_eq(out.data != NULL ? out.data : "", urls[_i].url);
	rp_buf_release(&out);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("config_door");
	TCase *tc = tcase_create("config_door");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, without_a_section_the_door_is_on_loopback_for_its_own_user);
	tcase_add_test(tc, every_key_of_the_door_is_taken);
	tcase_add_test(tc, what_is_said_twice_counts_once_and_none_is_nobody);
	tcase_add_test(tc, the_lists_are_shown_as_a_file_would_have_them);
	tcase_add_loop_test(tc, what_does_not_fit_is_told_with_file_line_and_remedy, 0, N(rows));
	tcase_add_loop_test(tc, no_list_takes_more_than_it_has_room_for, 0, 4);
	tcase_add_loop_test(tc, the_url_of_the_door_is_one_that_this_machine_reaches, 0, N(urls));
	suite_add_tcase(s, tc);
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
