#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runpost.h"

#define RUN(id)                                                                                    \
	"{\"run_id\":\"" id                                                                        \
	"\",\"status\":\"success\",\"webhook\":\"https://a.example/hook?token=s3cret\"}"

static char dir[32];
static struct rp_handle *handle;
static struct rp_error err;

static void setup(void)
{
	snprintf(dir, sizeof dir, "/tmp/rp-api-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	ck_assert_msg(rp_open(dir, &handle, &err) == RP_OK, "%s", err.text);
}

static void teardown(void)
{
	char command[64];

	rp_close(handle);
	snprintf(command, sizeof command, "rm -r %s", dir);
	ck_assert_int_eq(system(command), 0);
}

static struct rp_run run_of(const char *text)
{
	struct rp_run run = {.run = text, .run_bytes = strlen(text)};

	return run;
}

static struct rp_receipt append(const char *text)
{
	struct rp_run run = run_of(text);
	struct rp_receipt receipt;

	ck_assert_msg(rp_append(handle, &run, &receipt, &err) == RP_OK, "%s", err.text);
	return receipt;
}

static struct rp_ledger ledger(void)
{
	struct rp_ledger l;

	ck_assert_int_eq(rp_read_ledger(handle, &l, &err), RP_OK);
	ck_assert_uint_eq(l.accepted,
			  l.waiting + l.in_flight + l.held + l.delivered + l.dead + l.purged);
	return l;
}

START_TEST(a_batch_answers_for_each_run)
{
	struct rp_run runs[5] = {run_of(RUN("one")), run_of("{\"run_id\":\"quiet\"}"),
				 run_of("{\"run_id\":"), run_of(RUN("one")), run_of(RUN("two"))};
	struct rp_receipt receipts[5];

	ck_assert_msg(rp_append_batch(handle, runs, 5, receipts, &err) == RP_OK, "%s", err.text);
	ck_assert_int_eq(receipts[0].status, RP_APPEND_QUEUED);
	ck_assert_int_eq(receipts[1].status, RP_APPEND_SKIPPED);
	ck_assert_int_eq(receipts[2].status, RP_APPEND_REJECTED);
	ck_assert_str_eq(receipts[2].code, "bad_json");
	ck_assert_str_ne(receipts[2].reason, "");
	ck_assert_str_eq(receipts[2].id, "");
	ck_assert_int_eq(receipts[3].status, RP_APPEND_DUPLICATE);
	ck_assert_str_eq(receipts[3].id, receipts[0].id);
	ck_assert_int_eq(receipts[4].status, RP_APPEND_QUEUED);
	ck_assert_str_ne(receipts[4].id, receipts[0].id);
	ck_assert_uint_eq(ledger().accepted, 2);
}
END_TEST

START_TEST(an_empty_batch_is_fine)
{
	ck_assert_int_eq(rp_append_batch(handle, NULL, 0, NULL, &err), RP_OK);
	ck_assert_uint_eq(ledger().accepted, 0);
}
END_TEST

START_TEST(a_bad_webhook_rejects_its_run_only)
{
	struct rp_run runs[2] = {run_of(RUN("one")), run_of(RUN("two"))};
	struct rp_receipt receipts[2];

	runs[0].webhook = "https://user:s3cret@a.example/";
	ck_assert_int_eq(rp_append_batch(handle, runs, 2, receipts, &err), RP_OK);
	ck_assert_int_eq(receipts[0].status, RP_APPEND_REJECTED);
	ck_assert_str_eq(receipts[0].code, "bad_url");
	ck_assert_ptr_null(strstr(receipts[0].reason, "s3cret"));
	ck_assert_int_eq(receipts[1].status, RP_APPEND_QUEUED);
}
END_TEST

START_TEST(a_run_that_is_too_large_or_missing_is_rejected)
{
	struct rp_run runs[2] = {{.run = "", .run_bytes = ((size_t)16 << 20) + 1}, {.run = NULL}};
	struct rp_receipt receipts[2];

	ck_assert_int_eq(rp_append_batch(handle, runs, 2, receipts, &err), RP_OK);
	ck_assert_int_eq(receipts[0].status, RP_APPEND_REJECTED);
	ck_assert_str_eq(receipts[0].code, "too_large");
	ck_assert_int_ne(receipts[1].status, RP_APPEND_QUEUED);
	ck_assert_uint_eq(ledger().accepted, 0);
}
END_TEST

START_TEST(a_dedupe_id_decides_what_is_the_same)
{
	struct rp_run runs[3] = {run_of(RUN("one")), run_of(RUN("two")), run_of(RUN("one"))};
	struct rp_receipt receipts[3];

	runs[0].dedupe_id = runs[1].dedupe_id = "order-7";
	ck_assert_int_eq(rp_append_batch(handle, runs, 3, receipts, &err), RP_OK);
	ck_assert_int_eq(receipts[0].status, RP_APPEND_QUEUED);
	ck_assert_int_eq(receipts[1].status, RP_APPEND_DUPLICATE);
	ck_assert_int_eq(receipts[2].status, RP_APPEND_QUEUED);
}
END_TEST

START_TEST(a_member_named_run_is_part_of_the_run)
{
	static const char text[] = "{\"webhook\":\"https://a.example/\",\"run\":{\"x\":1}}";
	struct rp_receipt receipt = append(text);

	ck_assert_int_eq(receipt.status, RP_APPEND_QUEUED);
}
END_TEST

struct seen {
	size_t n, stop_after;
	uint64_t last_seq;
	uint64_t payload_bytes;
	char id[64], run_id[64], endpoint[128], url[128], operation[64], cause[64];
	enum rp_state state;
	int64_t next_attempt_at_ms;
	bool ordered;
};

static void keep(void *arg, const struct rp_entry_view *e)
{
	struct seen *seen = arg;

	seen->n++;
	seen->state = e->state;
	seen->payload_bytes = e->payload_bytes;
	seen->next_attempt_at_ms = e->next_attempt_at_ms;
	snprintf(seen->id, sizeof seen->id, "%s", e->id);
	snprintf(seen->run_id, sizeof seen->run_id, "%s", e->run_id);
	snprintf(seen->endpoint, sizeof seen->endpoint, "%s", e->endpoint);
	snprintf(seen->url, sizeof seen->url, "%s", e->url);
	snprintf(seen->operation, sizeof seen->operation, "%s", e->operation);
	snprintf(seen->cause, sizeof seen->cause, "%s", e->cause);
}

START_TEST(an_entry_is_found_by_its_id_with_its_secrets_redacted)
{
	struct rp_run run = run_of(RUN("one"));
	struct rp_receipt receipt;
	struct seen seen = {0};

	run.operation = "POST /runs/wait";
	run.not_before_at_ms = INT64_C(4000000000000);
	ck_assert_int_eq(rp_append(handle, &run, &receipt, &err), RP_OK);
	ck_assert_msg(rp_lookup(handle, receipt.id, keep, &seen, &err) == RP_OK, "%s", err.text);
	ck_assert_uint_eq(seen.n, 1);
	ck_assert_str_eq(seen.id, receipt.id);
	ck_assert_str_eq(seen.run_id, "one");
	ck_assert_str_eq(seen.endpoint, "https://a.example/hook");
	ck_assert_str_eq(seen.url, "https://a.example/hook?token=REDACTED");
	ck_assert_str_eq(seen.operation, "POST /runs/wait");
	ck_assert_str_eq(seen.cause, "");
	ck_assert_int_eq(seen.state, RP_STATE_WAITING);
	ck_assert_uint_eq(seen.payload_bytes, run.run_bytes);
	ck_assert_int_eq(seen.next_attempt_at_ms, run.not_before_at_ms);
}
END_TEST

START_TEST(an_id_that_is_none_or_unknown_is_told_apart)
{
	struct seen seen = {0};

	ck_assert_int_eq(rp_lookup(handle, "nonsense", keep, &seen, &err), RP_ERR_INVAL);
	ck_assert_ptr_nonnull(strstr(err.text, "nonsense"));
	ck_assert_int_eq(rp_lookup(handle, "msg_00000000000000000000000000", keep, &seen, &err),
			 RP_ERR_NOTFOUND);
	ck_assert_int_eq(rp_replay(handle, "msg_00000000000000000000000000", &err),
			 RP_ERR_NOTFOUND);
	ck_assert_int_eq(rp_purge(handle, "msg_00000000000000000000000000", NULL, &err),
			 RP_ERR_NOTFOUND);
	ck_assert_uint_eq(seen.n, 0);
}
END_TEST

static bool walk_on(void *arg, const struct rp_entry_view *e)
{
	struct seen *seen = arg;

	seen->ordered = seen->n == 0 || (seen->ordered && e->seq > seen->last_seq);
	seen->last_seq = e->seq;
	keep(seen, e);
	return seen->n != seen->stop_after;
}

static void append_many(size_t n)
{
	char text[128];
	size_t i;

	for (i = 0; i < n; i++) {
		snprintf(text, sizeof text,
			 "{\"run_id\":\"r-%zu\",\"webhook\":\"https://a.example/\"}", i);
		ck_assert_int_eq(append(text).status, RP_APPEND_QUEUED);
	}
}

START_TEST(a_walk_sees_every_entry_once_over_several_pages)
{
	struct seen all = {0}, part = {0}, rest = {0}, dead = {0};

	append_many(600);
	ck_assert_int_eq(rp_walk(handle, (enum rp_state)0, 0, walk_on, &all, &err), RP_OK);
	ck_assert_uint_eq(all.n, 600);
	ck_assert(all.ordered);
	ck_assert_str_eq(all.run_id, "r-599");
	part.stop_after = 300;
	ck_assert_int_eq(rp_walk(handle, RP_STATE_WAITING, 0, walk_on, &part, &err), RP_OK);
	ck_assert_uint_eq(part.n, 300);
	ck_assert_int_eq(rp_walk(handle, RP_STATE_WAITING, part.last_seq + 1, walk_on, &rest, &err),
			 RP_OK);
	ck_assert_uint_eq(rest.n, 300);
	ck_assert_int_eq(rp_walk(handle, RP_STATE_DEAD, 0, walk_on, &dead, &err), RP_OK);
	ck_assert_uint_eq(dead.n, 0);
}
END_TEST

static bool purge_it(void *arg, const struct rp_entry_view *e)
{
	bool was_in_flight = true;
	size_t *n = arg;

	ck_assert_msg(rp_purge(handle, e->id, &was_in_flight, &err) == RP_OK, "%s", err.text);
	ck_assert(!was_in_flight);
	++*n;
	return true;
}

START_TEST(a_callback_may_call_the_library)
{
	size_t n = 0;

	append_many(300);
	ck_assert_int_eq(rp_walk(handle, (enum rp_state)0, 0, purge_it, &n, &err), RP_OK);
	ck_assert_uint_eq(n, 300);
	ck_assert_uint_eq(ledger().purged, 300);
	ck_assert_uint_eq(ledger().waiting, 0);
}
END_TEST

START_TEST(a_replay_makes_an_entry_due_now)
{
	struct rp_run run = run_of(RUN("one"));
	struct rp_receipt receipt;
	struct seen seen = {0};

	run.not_before_at_ms = INT64_C(4000000000000);
	ck_assert_int_eq(rp_append(handle, &run, &receipt, &err), RP_OK);
	ck_assert_msg(rp_replay(handle, receipt.id, &err) == RP_OK, "%s", err.text);
	ck_assert_int_eq(rp_lookup(handle, receipt.id, keep, &seen, &err), RP_OK);
	ck_assert_int_eq(seen.state, RP_STATE_WAITING);
	ck_assert_int_lt(seen.next_attempt_at_ms, run.not_before_at_ms);
}
END_TEST

START_TEST(what_was_appended_is_there_after_reopening)
{
	struct rp_receipt first = append(RUN("one")), again;

	rp_close(handle);
	handle = NULL;
	ck_assert_msg(rp_open(dir, &handle, &err) == RP_OK, "%s", err.text);
	again = append(RUN("one"));
	ck_assert_int_eq(again.status, RP_APPEND_DUPLICATE);
	ck_assert_str_eq(again.id, first.id);
}
END_TEST

START_TEST(a_directory_that_cannot_be_is_refused)
{
	struct rp_handle *none = handle;

	ck_assert_int_ne(rp_open("/dev/null/outbox", &none, &err), RP_OK);
	ck_assert_ptr_null(none);
	ck_assert_ptr_nonnull(strstr(err.text, "/dev/null/outbox"));
	rp_close(none);
}
END_TEST

START_TEST(names_are_stable)
{
	ck_assert_str_eq(rp_err_name(RP_ERR_FULL), "full");
	ck_assert_str_eq(rp_state_name(RP_STATE_WAITING), "waiting");
	ck_assert_str_eq(rp_state_name(RP_STATE_IN_FLIGHT), "in_flight");
	ck_assert_str_eq(rp_state_name(RP_STATE_HELD), "held");
	ck_assert_str_eq(rp_state_name(RP_STATE_DELIVERED), "delivered");
	ck_assert_str_eq(rp_state_name(RP_STATE_DEAD), "dead");
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("api");
	TCase *tc = tcase_create("api");

	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, a_batch_answers_for_each_run);
	tcase_add_test(tc, an_empty_batch_is_fine);
	tcase_add_test(tc, a_bad_webhook_rejects_its_run_only);
	tcase_add_test(tc, a_run_that_is_too_large_or_missing_is_rejected);
	tcase_add_test(tc, a_dedupe_id_decides_what_is_the_same);
	tcase_add_test(tc, a_member_named_run_is_part_of_the_run);
	tcase_add_test(tc, an_entry_is_found_by_its_id_with_its_secrets_redacted);
	tcase_add_test(tc, an_id_that_is_none_or_unknown_is_told_apart);
	tcase_add_test(tc, a_walk_sees_every_entry_once_over_several_pages);
	tcase_add_test(tc, a_callback_may_call_the_library);
	tcase_add_test(tc, a_replay_makes_an_entry_due_now);
	tcase_add_test(tc, what_was_appended_is_there_after_reopening);
	tcase_add_test(tc, a_directory_that_cannot_be_is_refused);
	tcase_add_test(tc, names_are_stable);
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
