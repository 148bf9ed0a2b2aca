/* Tests of the door's batches and answers: what is parsed, in which slices it is committed, and
 * what each request is told. */

#include <check.h>
#include <stdlib.h>

#include "serve/door_answer.h"
#include "serve/door_batch.h"

#define URL "http://receiver.example/hook"

static struct rp_door_batch batch;
static struct rp_door_held held[8];
static const struct rp_door_hosts no_hosts;
static bool too_many;

static void set_up(void)
{
	rp_door_batch_init(&batch);
	memset(held, 0, sizeof held);
}

static void release_buffers(struct rp_door_held *h)
{
	rp_buf_release(&h->body);
	rp_buf_release(&h->url);
	rp_buf_release(&h->key);
	rp_buf_release(&h->headers);
}

static void tear_down(void)
{
	size_t i;

	while (!rp_door_batch_is_empty(&batch))
		rp_door_batch_take(&batch);
	rp_door_batch_release(&batch);
	for (i = 0; i < sizeof held / sizeof held[0]; i++)
		release_buffers(&held[i]);
}

static bool add(size_t i, enum rp_door_form form, const char *body)
{
	held[i].form = form;
	ck_assert(rp_buf_add_text(&held[i].body, body));
	if (form == RP_DOOR_RUN)
		ck_assert(rp_buf_add_text(&held[i].url, URL));
	return rp_door_batch_add(&batch, &held[i], &no_hosts, &too_many);
}

/* Stores everything, numbers from 1 on; what has been there before is a duplicate. */
static enum rp_err append(void *arg, int64_t now_at_ms, const struct rp_new_entry *entries,
			  size_t n, struct rp_appended *out, struct rp_error *err)
{
	bool duplicate = *(bool *)arg;
	size_t i;

	(void)now_at_ms;
	(void)entries;
	(void)err;
	for (i = 0; i < n; i++)
		out[i] = (struct rp_appended){.duplicate = duplicate, .seq = i + 1};
	return RP_OK;
}

static const char *answer_first(bool duplicate, int *status)
{
	static struct rp_buf text;
	const struct rp_appender to = {append, NULL, &duplicate};
	struct rp_error err;

	ck_assert_int_eq(rp_batch_append(&batch.runs, 0, batch.runs.n, &to, 1, &err), RP_OK);
	rp_buf_release(&text);
	ck_assert(rp_door_answer_runs(&batch.runs, batch.from, batch.first, status, &text));
	return text.data;
}

START_TEST(a_run_for_a_target_is_one_run_with_that_url)
{
	ck_assert(add(0, RP_DOOR_RUN, "{\"run\":{},\"kwargs\":{\"webhook\":\"http://door/\"}}"));
	ck_assert_uint_eq(batch.runs.n, 1);
	ck_assert(rp_span_is(batch.runs.runs[0].url, URL));
	ck_assert_uint_eq(batch.runs.runs[0].payload.len, held[0].body.len);
	ck_assert(!held[0].keep);
}
END_TEST

START_TEST(lines_are_runs_of_one_request)
{
	ck_assert(add(0, RP_DOOR_LINES,
		      "{\"webhook\":\"" URL "\",\"run\":{}}\n{\n\n{\"webhook\":\"" URL "\"}"));
	ck_assert_uint_eq(held[0].n_runs, 4);
	ck_assert(held[0].keep);
}
END_TEST

START_TEST(more_lines_than_a_commit_takes_leave_the_batch_as_it_was)
{
	struct rp_buf body = {0};
	size_t i;

	ck_assert(add(0, RP_DOOR_RUN, "{}"));
	for (i = 0; i <= RP_DOOR_LINES_MAX; i++)
		ck_assert(rp_buf_add_text(&body, "{}\n"));
	ck_assert(!add(1, RP_DOOR_LINES, body.data));
	ck_assert(too_many);
	ck_assert_uint_eq(batch.runs.n, 1);
	ck_assert_ptr_null(batch.first->next);
	rp_buf_release(&body);
}
END_TEST

START_TEST(a_slice_takes_whole_requests_from_the_front)
{
	struct rp_door_slice slice;
	size_t i;

	for (i = 0; i < 4; i++)
		ck_assert(add(i, RP_DOOR_RUN, "{}"));
	slice = rp_door_batch_slice(&batch, SIZE_MAX);
	ck_assert_uint_eq(slice.n_requests, 4);
	ck_assert_ptr_null(slice.end);
	slice = rp_door_batch_slice(&batch, 3);
	ck_assert_uint_eq(slice.n_runs, 3);
	ck_assert_ptr_eq(slice.end, &held[3]);
	ck_assert_ptr_eq(rp_door_batch_take(&batch), &held[0]);
	slice = rp_door_batch_slice(&batch, 2);
	ck_assert_uint_eq(slice.from, 1);
	ck_assert_ptr_eq(slice.first, &held[1]);
}
END_TEST

START_TEST(a_slice_ends_where_a_commit_would_be_too_large)
{
	size_t bytes = RP_DOOR_COMMIT_BYTES / 2 + 1, i;
	char *body = malloc(bytes + 1);

	ck_assert_ptr_nonnull(body);
	memset(body, ' ', bytes);
	body[0] = '{';
	body[1] = '}';
	body[bytes] = '\0';
	for (i = 0; i < 3; i++)
		ck_assert(add(i, RP_DOOR_RUN, body));
	ck_assert_uint_eq(rp_door_batch_slice(&batch, SIZE_MAX).n_requests, 1);
	free(body);
}
END_TEST

START_TEST(a_batch_that_is_empty_again_begins_at_its_start)
{
	ck_assert(add(0, RP_DOOR_RUN, "{}"));
	rp_door_batch_take(&batch);
	rp_door_batch_settle(&batch);
	ck_assert(add(1, RP_DOOR_RUN, "{}"));
	ck_assert_uint_eq(rp_door_batch_slice(&batch, 1).from, 0);
	ck_assert_uint_eq(batch.runs.n, 1);
}
END_TEST

START_TEST(what_is_stored_is_202_and_a_duplicate_200)
{
	int status;

	ck_assert(add(0, RP_DOOR_RUN, "{\"run_id\":\"a\"}"));
	ck_assert_str_eq(answer_first(false, &status),
			 "{\"status\":\"queued\",\"id\":\"msg_00000000000000000000000000\","
			 "\"run_id\":\"a\"}\n");
	ck_assert_int_eq(status, 202);
	answer_first(true, &status);
	ck_assert_int_eq(status, 200);
}
END_TEST

START_TEST(an_empty_body_is_no_run)
{
	int status;

	ck_assert(add(0, RP_DOOR_RUN, " \r\n"));
	ck_assert(held[0].keep);
	ck_assert_ptr_nonnull(strstr(answer_first(false, &status), "\"code\":\"bad_json\""));
	ck_assert_int_eq(status, 400);
}
END_TEST

START_TEST(lines_with_a_rejected_one_are_207)
{
	int status;
	const char *text;

	ck_assert(add(0, RP_DOOR_LINES, "{\"webhook\":\"" URL "\"}\n{\"webhook\":\"ftp://x/\"}\n"));
	text = answer_first(false, &status);
	ck_assert_int_eq(status, 207);
	ck_assert_ptr_nonnull(strstr(text, "{\"line\":1,\"status\":\"queued\""));
	ck_assert_ptr_nonnull(
	    strstr(text, "{\"line\":2,\"status\":\"rejected\",\"code\":\"bad_url\""));
}
END_TEST

START_TEST(what_names_the_door_itself_is_a_loop)
{
	const char *names[] = {"door.example"};
	const struct rp_door_hosts hosts = {.names = names, .n_names = 1};

	held[0].form = RP_DOOR_LINE;
	ck_assert(rp_buf_add_text(&held[0].body, "{\"webhook\":\"http://door.example/to/x\"}"));
	ck_assert(rp_door_batch_add(&batch, &held[0], &hosts, &too_many));
	ck_assert_str_eq(batch.runs.runs[0].code, "loop");
	ck_assert_int_eq(rp_door_rejection_status("loop"), 508);
}
END_TEST

START_TEST(a_refusal_has_code_and_reason)
{
	struct rp_buf text = {0};

	ck_assert(rp_door_answer_refusal("full", "no \"room\"", &text));
	ck_assert_str_eq(text.data, "{\"status\":\"refused\",\"code\":\"full\","
				    "\"reason\":\"no \\\"room\\\"\"}\n");
	rp_buf_release(&text);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("door_batch");
	TCase *tc = tcase_create("all");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tc, set_up, tear_down);
	tcase_add_test(tc, a_run_for_a_target_is_one_run_with_that_url);
	tcase_add_test(tc, lines_are_runs_of_one_request);
	tcase_add_test(tc, more_lines_than_a_commit_takes_leave_the_batch_as_it_was);
	tcase_add_test(tc, a_slice_takes_whole_requests_from_the_front);
	tcase_add_test(tc, a_slice_ends_where_a_commit_would_be_too_large);
	tcase_add_test(tc, a_batch_that_is_empty_again_begins_at_its_start);
	tcase_add_test(tc, what_is_stored_is_202_and_a_duplicate_200);
	tcase_add_test(tc, an_empty_body_is_no_run);
	tcase_add_test(tc, lines_with_a_rejected_one_are_207);
	tcase_add_test(tc, what_names_the_door_itself_is_a_loop);
	tcase_add_test(tc, a_refusal_has_code_and_reason);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
