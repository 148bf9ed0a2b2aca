/* A connection to a real server, which RP_POSTGRES names: values there and back, what fails in a
 * pipeline, sessions that end, hosts that are silent. Without one nothing is tested. */
#include "store/postgres/connection.h"

#include <arpa/inet.h>
#include <check.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/sys.h"
#include "model/job.h"
#include "model/record.h"
#include "store/postgres/columns.h"

static struct rp_pg_address address;
static struct rp_pg *pg;
static struct rp_error err;
static struct rp_buf scratch;

#define OK(call) ck_assert_msg((call) == RP_OK, "%s: %s", #call, err.text)

static void setup(void)
{
	OK(rp_pg_address_parse(getenv("RP_POSTGRES"), &address, &err));
	OK(rp_pg_connect(&address, &pg, &err));
}

static void teardown(void)
{
	rp_pg_disconnect(pg);
	rp_buf_release(&scratch);
}

static const struct rp_pg_rows *ask_plain(const char *sql)
{
	size_t ask = rp_pg_ask_plain(pg, sql);

	OK(rp_pg_go(pg, &err));
	return rp_pg_answer(pg, ask);
}

static const struct rp_pg_statement echo = {
    "test_echo", "SELECT $1::bigint, $2::integer, $3::smallint::bigint, $4::boolean, $5::text,"
		 " $6::bytea, NULL::bigint, ARRAY[7, -8]::bigint[]"};
static const struct rp_pg_statement divide = {"test_divide", "SELECT 1 / $1::bigint"};
static const struct rp_pg_statement plain = {"test_plain", "SELECT 5::smallint, length($1::text)"};

/* --- values ------------------------------------------------------------------------------ */

START_TEST(values_come_back_as_they_were)
{
	static const char odd[] = "a\0b\\c\xff\xed\xa0\x80 gr\xc3\xbc\xc3\x9f \\x41";
	const struct rp_span text = {odd, sizeof odd - 1};
	struct rp_pg_params *p = rp_pg_params(pg);
	const struct rp_pg_rows *r;
	int64_t numbers[2];
	struct rp_span back;
	size_t ask;

	rp_pg_put_i64(p, INT64_MIN);
	rp_pg_put_i32(p, -3);
	rp_pg_put_i64(p, -32768);
	rp_pg_put_bool(p, true);
	rp_pg_put_text(p, text);
	rp_pg_put_bytea(p, text);
	/* $3 is told to be a smallint: two bytes */
	p->all[2].at += 6;
	p->all[2].len = 2;
	ask = rp_pg_ask(pg, &echo);
	OK(rp_pg_go(pg, &err));
	r = rp_pg_answer(pg, ask);
	ck_assert_uint_eq(rp_pg_n_rows(r), 1);
	ck_assert_int_eq(rp_pg_i64(r, 0, 0), INT64_MIN);
	ck_assert_int_eq(rp_pg_i64(r, 0, 1), -3);
	ck_assert_int_eq(rp_pg_i64(r, 0, 2), -32768);
	ck_assert(rp_pg_bool(r, 0, 3));
	back = rp_pg_text(r, 0, 4, &scratch);
	ck_assert_uint_eq(back.len, text.len);
	ck_assert_mem_eq(back.ptr, text.ptr, text.len);
	back = rp_pg_bytes(r, 0, 5);
	ck_assert_uint_eq(back.len, text.len);
	ck_assert_mem_eq(back.ptr, text.ptr, text.len);
	ck_assert(rp_pg_is_null(r, 0, 6));
	ck_assert_int_eq(rp_pg_i64(r, 0, 6), 0);
	ck_assert_uint_eq(rp_pg_i64_array(r, 0, 7, numbers, 1), 2);
	ck_assert_int_eq(numbers[0], 7);
	ck_assert_uint_eq(rp_pg_i64_array(r, 0, 7, numbers, 2), 2);
	ck_assert_int_eq(numbers[1], -8);
}
END_TEST

/* Each table of columns with the statement that unnests it; its places begin behind `before`
 * parameters. */
#define UNNEST(name, before, LIST)                                                                 \
	{                                                                                          \
		name, "SELECT " before LIST(RP_PG_LIST) " FROM unnest(ARRAY[0, 0]" LIST(           \
			  RP_PG_ARRAYS) ") n (zero" LIST(RP_PG_LIST) ")"                           \
	}
#define ONE "$1::bigint"
#define TWO ONE " + $2::bigint"
#define FOUR TWO " + $3::bigint + $4::bigint"
static const struct {
	const struct rp_pg_columns *columns;
	size_t size;
	int before;
	struct rp_pg_statement unnest;
} tables[] = {
    {&rp_pg_facts, sizeof(struct rp_facts), 1, UNNEST("test_facts", ONE, RP_PG_FACTS)},
    {&rp_pg_delivery, sizeof(struct rp_delivery), 1, UNNEST("test_delivery", ONE, RP_PG_DELIVERY)},
    {&rp_pg_attempt, sizeof(struct rp_attempt), 2, UNNEST("test_attempt", TWO, RP_PG_ATTEMPT)},
    {&rp_pg_endpoint_row, sizeof(struct rp_endpoint), 4,
     UNNEST("test_endpoint", FOUR, RP_PG_ENDPOINT)},
    {&rp_pg_job, sizeof(struct rp_job), 1, UNNEST("test_job", ONE, RP_PG_JOB)},
    {&rp_pg_audit, sizeof(struct rp_audit), 1, UNNEST("test_audit", ONE, RP_PG_AUDIT)},
};
#define N_TABLES (sizeof tables / sizeof tables[0])
#define STRUCT_MAX 2048

static void invent(const struct rp_pg_column *c, char *at, int i)
{
	static const char *const texts[] = {"one \\ text", "another\xff"};
	struct rp_span text = rp_span_of(texts[i]);
	int64_t i64 = i == 0 ? RP_NEVER : 12345678901;
	uint32_t u32 = i == 0 ? UINT32_MAX : 77;
	bool flag = i == 0;

	switch (c->kind) {
	case RP_PG_K_I64:
	case RP_PG_K_NEVER:
		i64 += c->kind == RP_PG_K_I64 ? (int64_t)c->offset * -1 : 0;
		memcpy(at, &i64, sizeof i64);
		break;
	case RP_PG_K_U32:
		u32 -= (uint32_t)c->offset % 70;
		memcpy(at, &u32, sizeof u32);
		break;
	case RP_PG_K_BOOL:
		memcpy(at, &flag, sizeof flag);
		break;
	case RP_PG_K_TEXT:
		memcpy(at, &text, sizeof text);
		break;
	case RP_PG_K_ID:
		memset(at, 200 + i, RP_ID_BYTES);
		break;
	case RP_PG_K_CHARS:
		snprintf(at, c->size, "%s", texts[i]);
		break;
	}
}

static void check_same(const struct rp_pg_column *c, const char *a, const char *b)
{
	static const size_t sizes[] = {[RP_PG_K_I64] = 8,
				       [RP_PG_K_NEVER] = 8,
				       [RP_PG_K_U32] = 4,
				       [RP_PG_K_BOOL] = 1,
				       [RP_PG_K_ID] = RP_ID_BYTES};
	struct rp_span one, two;

	if (c->kind == RP_PG_K_CHARS) {
		ck_assert_str_eq(a, b);
	} else if (c->kind == RP_PG_K_TEXT) {
		memcpy(&one, a, sizeof one);
		memcpy(&two, b, sizeof two);
		ck_assert_uint_eq(one.len, two.len);
		ck_assert_mem_eq(one.ptr, two.ptr, one.len);
	} else {
		ck_assert_mem_eq(a, b, sizes[c->kind]);
	}
}

static char invented[2][STRUCT_MAX];

static const void *get(void *arg, size_t i)
{
	(void)arg;
	return invented[i];
}

START_TEST(structs_come_back_by_their_columns)
{
	const struct rp_pg_columns *columns = tables[_i].columns;
	struct rp_pg_params *p = rp_pg_params(pg);
	char back[STRUCT_MAX];
	size_t ask, row, c;
	int i;

	ck_assert_uint_le(tables[_i].size, STRUCT_MAX);
	for (c = 0; c < columns->n; c++)
		for (i = 0; i < 2; i++)
			invent(&columns->all[c], invented[i] + columns->all[c].offset, i);
	for (i = 0; i < tables[_i].before; i++)
		rp_pg_put_i64(p, 0);
	rp_pg_put_columns(p, columns, get, NULL, 2);
	ask = rp_pg_ask(pg, &tables[_i].unnest);
	OK(rp_pg_go(pg, &err));
	ck_assert_uint_eq(rp_pg_n_rows(rp_pg_answer(pg, ask)), 2);
	for (row = 0; row < 2; row++) {
		memset(back, 0x55, sizeof back);
		rp_pg_read_columns(rp_pg_answer(pg, ask), row, 1, columns, back, &scratch);
		for (c = 0; c < columns->n; c++)
			check_same(&columns->all[c], invented[row] + columns->all[c].offset,
				   back + columns->all[c].offset);
		rp_buf_clear(&scratch);
	}
}
END_TEST

/* --- the pipeline ------------------------------------------------------------------------ */

static size_t ask_divide(int64_t by)
{
	rp_pg_put_i64(rp_pg_params(pg), by);
	return rp_pg_ask(pg, &divide);
}

START_TEST(what_stands_behind_a_failure_is_not_done)
{
	size_t first, last;

	rp_pg_ask_plain(pg, "BEGIN");
	first = ask_divide(1);
	ask_divide(0);
	/* its preparation comes behind the failure, so it is not prepared */
	rp_pg_put_text(rp_pg_params(pg), rp_span_of("abc"));
	last = rp_pg_ask(pg, &plain);
	ck_assert_int_eq(rp_pg_go(pg, &err), RP_ERR_IO);
	ck_assert_str_eq(rp_pg_sqlstate(pg), "22012");
	ck_assert_ptr_nonnull(strstr(err.text, "division by zero"));
	ck_assert_int_eq(rp_pg_i64(rp_pg_answer(pg, first), 0, 0), 1);
	ck_assert_uint_eq(rp_pg_n_rows(rp_pg_answer(pg, last)), 0);
	ck_assert(!rp_pg_is_lost(pg));
	ask_plain("ROLLBACK");
	rp_pg_put_text(rp_pg_params(pg), rp_span_of("abc"));
	last = rp_pg_ask(pg, &plain);
	OK(rp_pg_go(pg, &err));
	ck_assert_int_eq(rp_pg_i64(rp_pg_answer(pg, last), 0, 0), 5);
	ck_assert_int_eq(rp_pg_i64(rp_pg_answer(pg, last), 0, 1), 3);
	ck_assert_str_eq(rp_pg_sqlstate(pg), "");
}
END_TEST

START_TEST(a_commit_that_rolls_back_is_no_success)
{
	rp_pg_ask_plain(pg, "BEGIN");
	ask_divide(0);
	ck_assert_int_eq(rp_pg_go(pg, &err), RP_ERR_IO);
	rp_pg_ask_plain(pg, "COMMIT");
	ck_assert_int_eq(rp_pg_go(pg, &err), RP_ERR_IO);
	ck_assert(!rp_pg_is_lost(pg));
	ask_plain("BEGIN");
	ask_plain("COMMIT");
}
END_TEST

START_TEST(an_answer_is_kept_until_the_go_after_next)
{
	size_t one = ask_divide(1), two;

	OK(rp_pg_go(pg, &err));
	two = ask_divide(-1);
	OK(rp_pg_go(pg, &err));
	ck_assert_int_eq(rp_pg_i64(rp_pg_answer(pg, one), 0, 0), 1);
	ck_assert_int_eq(rp_pg_i64(rp_pg_answer(pg, two), 0, 0), -1);
}
END_TEST

/* More than the buffers of socket and server: who only wrote would wait for ever. */
START_TEST(much_goes_both_ways_at_once)
{
	struct rp_buf big = {0};
	size_t asks[8], i;

	ck_assert(rp_buf_reserve(&big, 4 << 20));
	memset(big.data, 'x', 4 << 20);
	for (i = 0; i < 8; i++) {
		struct rp_pg_params *p = rp_pg_params(pg);
		int j;

		for (j = 0; j < 4; j++)
			rp_pg_put_i64(p, 0);
		p->all[1].len = 4;
		p->all[2].len = 2;
		p->all[3].len = 1;
		rp_pg_put_text(p, (struct rp_span){big.data, 1 << 20});
		rp_pg_put_bytea(p, (struct rp_span){big.data, 4 << 20});
		asks[i] = rp_pg_ask(pg, &echo);
	}
	OK(rp_pg_go(pg, &err));
	for (i = 0; i < 8; i++) {
		const struct rp_pg_rows *r = rp_pg_answer(pg, asks[i]);

		ck_assert_uint_eq(rp_pg_bytes(r, 0, 4).len, 1 << 20);
		ck_assert_uint_eq(rp_pg_bytes(r, 0, 5).len, 4 << 20);
	}
	rp_buf_release(&big);
}
END_TEST

START_TEST(a_notice_is_no_error)
{
	ask_plain("ROLLBACK"); /* WARNING: there is no transaction in progress */
	ck_assert_uint_eq(rp_pg_n_changed(ask_plain("CREATE TEMP TABLE t AS SELECT 1 AS a")), 1);
	ck_assert_uint_eq(rp_pg_n_changed(ask_plain("UPDATE t SET a = 2 WHERE a = 3")), 0);
}
END_TEST

/* --- endings ----------------------------------------------------------------------------- */

static void terminate(struct rp_pg *other)
{
	char sql[100];
	size_t ask;
	int64_t pid;

	ask = rp_pg_ask_plain(other, "SELECT pg_backend_pid()");
	OK(rp_pg_go(other, &err));
	pid = rp_pg_i64(rp_pg_answer(other, ask), 0, 0);
	snprintf(sql, sizeof sql, "SELECT pg_terminate_backend(%d, 10000)", (int)pid);
	ck_assert(rp_pg_bool(ask_plain(sql), 0, 0));
}

START_TEST(a_session_that_was_ended_is_lost)
{
	struct rp_pg *other;

	OK(rp_pg_connect(&address, &other, &err));
	ck_assert(rp_pg_look(other));
	terminate(other);
	ck_assert(!rp_pg_is_lost(other));
	rp_pg_ask_plain(other, "SELECT 1");
	ck_assert_int_eq(rp_pg_go(other, &err), RP_ERR_AWAY);
	ck_assert(rp_pg_is_lost(other));
	ck_assert_int_eq(rp_pg_go(other, &err), RP_ERR_AWAY);
	rp_pg_disconnect(other);
	OK(rp_pg_connect(&address, &other, &err));
	terminate(other);
	ck_assert(!rp_pg_look(other));
	ck_assert(rp_pg_is_lost(other));
	rp_pg_disconnect(other);
}
END_TEST

START_TEST(a_lock_that_is_not_to_be_had_loses_nothing)
{
	struct rp_pg *other;

	OK(rp_pg_connect(&address, &other, &err));
	rp_pg_ask_plain(other, "SELECT pg_advisory_lock(4711, 1)");
	OK(rp_pg_go(other, &err));
	ask_plain("SET lock_timeout = '20ms'");
	rp_pg_ask_plain(pg, "SELECT pg_advisory_lock(4711, 1)");
	ck_assert_int_eq(rp_pg_go(pg, &err), RP_ERR_AWAY);
	ck_assert_str_eq(rp_pg_sqlstate(pg), "55P03");
	ck_assert(!rp_pg_is_lost(pg));
	rp_pg_disconnect(other);
}
END_TEST

START_TEST(who_takes_no_writes_is_left)
{
	rp_pg_ask_plain(pg, "BEGIN READ ONLY");
	rp_pg_ask_plain(pg, "CREATE TABLE nowhere (a integer)");
	ck_assert_int_eq(rp_pg_go(pg, &err), RP_ERR_AWAY);
	ck_assert_str_eq(rp_pg_sqlstate(pg), "25006");
	ck_assert(rp_pg_is_lost(pg));
}
END_TEST

static void see(void *arg, struct rp_span payload)
{
	*(bool *)arg = rp_span_is(payload, "hello");
}

START_TEST(who_listens_is_told)
{
	struct pollfd fd = {.events = POLLIN};
	bool told = false;
	struct rp_pg *other;

	OK(rp_pg_connect(&address, &other, &err));
	rp_pg_ask_plain(other, "LISTEN test_connection");
	OK(rp_pg_go(other, &err));
	fd.fd = rp_pg_socket(other);
	ask_plain("NOTIFY test_connection, 'hello'");
	while (!told) {
		ck_assert_int_eq(poll(&fd, 1, 10000), 1);
		OK(rp_pg_take_in(other, see, &told, &err));
	}
	terminate(other);
	ck_assert_int_eq(poll(&fd, 1, 10000), 1);
	/* what the server says at the end comes before the end */
	while (rp_pg_take_in(other, see, &told, &err) == RP_OK)
		ck_assert_int_eq(poll(&fd, 1, 10000), 1);
	ck_assert_int_eq(err.code, RP_ERR_AWAY);
	rp_pg_disconnect(other);
}
END_TEST

/* --- refusals ---------------------------------------------------------------------------- */

/* What RP_POSTGRES names, as the server itself tells it. */
static struct {
	char user[64], database[64], socket[200];
	int port;
} server;

static void ask_server(void)
{
	const struct rp_pg_rows *r =
	    ask_plain("SELECT current_user::text, current_database()::text,"
		      " split_part(current_setting('unix_socket_directories'), ',', 1),"
		      " current_setting('port')::integer");
	struct rp_span s;

	s = rp_pg_bytes(r, 0, 0);
	snprintf(server.user, sizeof server.user, "%.*s", (int)s.len, s.ptr);
	s = rp_pg_bytes(r, 0, 1);
	snprintf(server.database, sizeof server.database, "%.*s", (int)s.len, s.ptr);
	s = rp_pg_bytes(r, 0, 2);
	snprintf(server.socket, sizeof server.socket, "%.*s", (int)s.len, s.ptr);
	server.port = (int)rp_pg_i64(r, 0, 3);
}

static enum rp_err connect_to(const char *text)
{
	struct rp_pg_address to;
	struct rp_pg *other;
	enum rp_err e;

	OK(rp_pg_address_parse(text, &to, &err));
	err = (struct rp_error){.text = ""};
	e = rp_pg_connect(&to, &other, &err);
	rp_pg_disconnect(other);
	ck_assert_msg(strstr(err.text, "s3cret") == NULL, "%s", err.text);
	return e;
}

START_TEST(a_refusal_says_what_is_wrong)
{
	char text[1000];

	ask_server();
	snprintf(text, sizeof text, "postgresql://%s:s3cret@/no_such_database?host=%s&port=%d",
		 server.user, server.socket, server.port);
	ck_assert_int_eq(connect_to(text), RP_ERR_NOTFOUND);
	ck_assert_ptr_nonnull(strstr(err.text, "no_such_database"));
	ck_assert_ptr_nonnull(strstr(err.text, "(3D000)"));
	snprintf(text, sizeof text, "postgresql://no_such_role:s3cret@/%s?host=%s&port=%d",
		 server.database, server.socket, server.port);
	ck_assert_int_eq(connect_to(text), RP_ERR_DENIED);
	ck_assert_int_eq(connect_to("postgresql://u:s3cret@h/db?no_such_option=1"), RP_ERR_INVAL);
	ck_assert_ptr_nonnull(strstr(err.text, "no_such_option"));
	ck_assert_int_eq(connect_to("postgresql://u:s3cret@127.0.0.1:1/db"), RP_ERR_AWAY);
	ck_assert_ptr_nonnull(strstr(err.text, "refused"));
	ck_assert_int_eq(connect_to("postgresql://u:s3cret@/db?host=/no/such/folder"), RP_ERR_AWAY);
	snprintf(text, sizeof text, "postgresql://%s@/%s?host=%s&port=%d&options=-c%%20no_such=1",
		 server.user, server.database, server.socket, server.port);
	ck_assert_int_eq(connect_to(text), RP_ERR_INVAL);
}
END_TEST

/* Takes connections and says nothing. */
static int silent_port(int *fd)
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof at;

	*fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	ck_assert_int_ge(*fd, 0);
	ck_assert_int_eq(bind(*fd, (struct sockaddr *)&at, sizeof at), 0);
	ck_assert_int_eq(listen(*fd, 5), 0);
	ck_assert_int_eq(getsockname(*fd, (struct sockaddr *)&at, &len), 0);
	return ntohs(at.sin_port);
}

START_TEST(a_host_that_is_silent_does_not_keep_us_from_the_next)
{
	char text[1000];
	int fd, port = silent_port(&fd);
	int64_t start_us = rp_sys_stopwatch_us();

	ask_server();
	snprintf(text, sizeof text, "postgresql://127.0.0.1:%d/db?connect_timeout=1", port);
	ck_assert_int_eq(connect_to(text), RP_ERR_AWAY);
	ck_assert_ptr_nonnull(strstr(err.text, "no answer within 1000 ms"));
	snprintf(text, sizeof text,
		 "postgresql://%s@/%s?host=127.0.0.1,/no/such/folder,%s&port=%d,1,%d"
		 "&connect_timeout=1",
		 server.user, server.database, server.socket, port, server.port);
	ck_assert_int_eq(connect_to(text), RP_OK);
	ck_assert_int_lt(rp_sys_stopwatch_us() - start_us, 20000000);
	/* one may come back, so it is not final what the other says */
	snprintf(text, sizeof text,
		 "postgresql://%s@/no_such_database?host=127.0.0.1,%s&port=%d,%d&connect_timeout=1",
		 server.user, server.socket, port, server.port);
	ck_assert_int_eq(connect_to(text), RP_ERR_AWAY);
	close(fd);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("pg_connection");
	TCase *tc = tcase_create("pg_connection");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 30);
	tcase_add_test(tc, values_come_back_as_they_were);
	tcase_add_loop_test(tc, structs_come_back_by_their_columns, 0, N_TABLES);
	tcase_add_test(tc, what_stands_behind_a_failure_is_not_done);
	tcase_add_test(tc, a_commit_that_rolls_back_is_no_success);
	tcase_add_test(tc, an_answer_is_kept_until_the_go_after_next);
	tcase_add_test(tc, much_goes_both_ways_at_once);
	tcase_add_test(tc, a_notice_is_no_error);
	tcase_add_test(tc, a_session_that_was_ended_is_lost);
	tcase_add_test(tc, a_lock_that_is_not_to_be_had_loses_nothing);
	tcase_add_test(tc, who_takes_no_writes_is_left);
	tcase_add_test(tc, who_listens_is_told);
	tcase_add_test(tc, a_refusal_says_what_is_wrong);
	tcase_add_test(tc, a_host_that_is_silent_does_not_keep_us_from_the_next);
	suite_add_tcase(s, tc);
	return s;
}

int main(void)
{
	SRunner *sr;
	int failed;

	if (getenv("RP_POSTGRES") == NULL) {
		printf("skipped on postgres: RP_POSTGRES names no server\n");
		return 0;
	}
	sr = srunner_create(suite());
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed != 0;
}
