/* What is read of an entry, before its request and by operators; endpoints by their numbers; and a
 * copy. */

#include <stdlib.h>
#include <unistd.h>

#include "conformance/fixture.h"

#define LONG_BYTES 100000

static char long_text[LONG_BYTES];

static uint64_t append_long(void)
{
	struct rp_new_entry n = fx_new(1);
	size_t i;

	for (i = 0; i < LONG_BYTES; i++)
		long_text[i] = (char)('a' + i * 7 % 26);
	n.payload = (struct rp_span){long_text, LONG_BYTES};
	return fx_append_one(&n, NULL);
}

/* --- before a request -------------------------------------------------------------------- */

START_TEST(a_fetch_has_all_that_an_attempt_needs)
{
	struct rp_dispatch d = {.endpoint_only = false};
	struct rp_new_entry n = fx_new(1);
	struct rp_claim c;
	int l;

	n.thread_id = rp_span_of("a thread");
	n.event = rp_span_of("success");
	n.headers = rp_span_of("x-one: 1\n");
	fx.section_limits = (struct rp_limits){.in_flight = 10, .start = 10};
	fx_append_one(&n, NULL);
	c = fx_claim();
	ck_assert_int_eq(rp_outbox_fetch(fx.ob, &c, &d, &fx.err), RP_OK);
	ck_assert_uint_eq(d.payload.len, n.payload.len);
	ck_assert_mem_eq(d.payload.ptr, n.payload.ptr, n.payload.len);
	ck_assert_uint_eq(d.facts.url.len, n.url.len);
	ck_assert_mem_eq(d.facts.url.ptr, n.url.ptr, n.url.len);
	ck_assert(rp_span_is(d.facts.thread_id, "a thread"));
	ck_assert(rp_span_is(d.facts.event, "success"));
	ck_assert(rp_span_is(d.facts.headers, "x-one: 1\n"));
	ck_assert_int_eq(d.facts.accepted_at_ms, FX_NOW_MS);
	ck_assert(d.endpoint_known);
	for (l = 0; l < RP_LEVELS; l++)
		ck_assert_uint_eq(d.at[l].count[RP_STATE_IN_FLIGHT], 1);
	rp_dispatch_release(&d);
}
END_TEST

START_TEST(of_the_endpoint_alone_nothing_else_is_touched)
{
	struct rp_dispatch d = {.endpoint_only = true, .facts.accepted_at_ms = 5};
	struct rp_claim c;

	fx_append(1, 1);
	c = fx_claim();
	fx_pause(1, true);
	ck_assert_int_eq(rp_outbox_fetch(fx.ob, &c, &d, &fx.err), RP_OK);
	ck_assert(d.endpoint_known && d.at[RP_LEVEL_PATH].paused);
	ck_assert_int_eq(d.facts.accepted_at_ms, 5);
	fx_change(RP_CHANGE_PURGE, c.seq);
	ck_assert_int_eq(rp_outbox_fetch(fx.ob, &c, &d, &fx.err), RP_ERR_STALE);
	rp_dispatch_release(&d);
}
END_TEST

START_TEST(a_long_payload_is_apart_and_comes_again_in_pieces)
{
	static const size_t sizes[] = {1, 1000, 16384, 7, 40000};
	struct rp_buf apart = {0};
	struct rp_dispatch d = {.short_max = 50000, .long_payload = &apart};
	struct rp_piece p = {.seq = append_long()};
	static char out[LONG_BYTES];
	struct rp_claim c = fx_claim();
	size_t i;

	ck_assert_int_eq(rp_outbox_fetch(fx.ob, &c, &d, &fx.err), RP_OK);
	ck_assert_uint_eq(d.payload.len, LONG_BYTES);
	ck_assert_ptr_eq(d.payload.ptr, apart.data);
	ck_assert_mem_eq(apart.data, long_text, LONG_BYTES);
	rp_buf_release(&apart);
	ck_assert(d.facts.url.len > 0 && d.facts.url.ptr[0] == 'h');
	for (i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
		size_t at = p.at;

		ck_assert_int_eq(rp_outbox_fetch_piece(fx.ob, &p, out, sizes[i], &fx.err), RP_OK);
		ck_assert_uint_eq(p.at, at + sizes[i]);
		ck_assert_mem_eq(out, long_text + at, sizes[i]);
	}
	fx_change(RP_CHANGE_PURGE, c.seq);
	ck_assert_int_eq(rp_outbox_fetch_piece(fx.ob, &p, out, 1, &fx.err), RP_ERR_STALE);
	rp_dispatch_release(&d);
}
END_TEST

/* --- by operators ------------------------------------------------------------------------ */

START_TEST(a_payload_is_appended_to_what_is_there)
{
	uint64_t seq = append_long();
	struct rp_buf out = {0};

	ck_assert(rp_buf_add_text(&out, "before"));
	ck_assert_int_eq(rp_outbox_body(fx.ob, seq, &out, &fx.err), RP_OK);
	ck_assert_uint_eq(out.len, 6 + LONG_BYTES);
	ck_assert_mem_eq(out.data + 6, long_text, LONG_BYTES);
	ck_assert_int_eq(rp_outbox_body(fx.ob, seq + 1, &out, &fx.err), RP_ERR_NOTFOUND);
	rp_buf_release(&out);
}
END_TEST

static bool count(void *arg, uint64_t id, struct rp_span name, const struct rp_endpoint *e)
{
	uint64_t *n = arg;

	(void)name;
	(void)e;
	ck_assert_uint_gt(id, n[1]);
	n[1] = id;
	return ++n[0] != n[2];
}

START_TEST(endpoints_come_by_their_numbers_all_or_one)
{
	uint64_t n[3] = {0, 0, 0}, id;
	struct rp_buf name = {0};

	fx_append(3, 1);
	fx_append(1, 1);
	fx_append(2, 1);
	ck_assert_int_eq(rp_outbox_endpoints(fx.ob,
					     (struct rp_endpoints_which){RP_ENDPOINTS_PATHS, 0},
					     count, n, &fx.err),
			 RP_OK);
	ck_assert_uint_eq(n[0], 3);
	n[0] = n[1] = 0;
	n[2] = 2;
	ck_assert_int_eq(rp_outbox_endpoints(fx.ob,
					     (struct rp_endpoints_which){RP_ENDPOINTS_PATHS, 0},
					     count, n, &fx.err),
			 RP_OK);
	ck_assert_uint_eq(n[0], 2);
	id = fx_endpoint(1);
	n[0] = n[1] = n[2] = 0;
	ck_assert_int_eq(rp_outbox_endpoints(fx.ob,
					     (struct rp_endpoints_which){RP_ENDPOINTS_ONE, id},
					     count, n, &fx.err),
			 RP_OK);
	ck_assert(n[0] == 1 && n[1] == id);
	ck_assert_int_eq(rp_outbox_endpoint_name(fx.ob, id, &name, &fx.err), RP_OK);
	ck_assert_str_eq(name.data, "https://k1.example/hook");
	ck_assert_int_eq(rp_outbox_endpoint_name(fx.ob, id + 99, &name, &fx.err), RP_ERR_NOTFOUND);
	rp_buf_release(&name);
}
END_TEST

START_TEST(what_is_next_is_known)
{
	struct rp_outbox_info info;
	struct rp_new_entry n = fx_new(1);
	int64_t at_ms;

	ck_assert_int_eq(rp_outbox_next_ready(fx.ob, &at_ms, &fx.err), RP_OK);
	ck_assert_int_eq(at_ms, RP_NEVER);
	n.not_before_at_ms = fx.now_ms + 500;
	fx_append_one(&n, NULL);
	ck_assert_int_eq(rp_outbox_next_ready(fx.ob, &at_ms, &fx.err), RP_OK);
	ck_assert_int_eq(at_ms, fx.now_ms + 500);
	ck_assert_int_eq(rp_outbox_info(fx.ob, &info, &fx.err), RP_OK);
	ck_assert_int_eq(info.next_due_at_ms, fx.now_ms + 500);
	ck_assert_int_eq(info.oldest.waiting_due_at_ms, fx.now_ms + 500);
	ck_assert_int_eq(info.oldest.dead_at_ms, RP_NEVER);
	ck_assert_int_eq(info.latest_at_ms, fx.now_ms);
	ck_assert(!info.refuses);
}
END_TEST

START_TEST(each_commit_is_counted)
{
	struct rp_outbox_info before, after;

	ck_assert_int_eq(rp_outbox_info(fx.ob, &before, &fx.err), RP_OK);
	fx_exchange(10, NULL, 0); /* there is nothing to do */
	ck_assert(!fx.committed);
	ck_assert_int_eq(rp_outbox_info(fx.ob, &after, &fx.err), RP_OK);
	ck_assert_uint_eq(after.commits, before.commits);
	fx_append(1, 5);
	ck_assert_int_eq(rp_outbox_info(fx.ob, &after, &fx.err), RP_OK);
	ck_assert_uint_eq(after.commits, before.commits + 1);
}
END_TEST

/* --- a copy ------------------------------------------------------------------------------ */

START_TEST(a_copy_does_not_go_where_something_is_or_where_a_store_has_none)
{
	struct rp_backup b = {.max_growth_bytes = 0};
	enum rp_err e = rp_outbox_backup(fx.ob, "/tmp", &b, &fx.err);

	ck_assert(e == RP_ERR_EXISTS || e == RP_ERR_INVAL);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("reading");
	TCase *tc = tcase_create("all");

	tcase_add_checked_fixture(tc, fx_setup, fx_teardown);
	tcase_add_test(tc, a_fetch_has_all_that_an_attempt_needs);
	tcase_add_test(tc, of_the_endpoint_alone_nothing_else_is_touched);
	tcase_add_test(tc, a_long_payload_is_apart_and_comes_again_in_pieces);
	tcase_add_test(tc, a_payload_is_appended_to_what_is_there);
	tcase_add_test(tc, endpoints_come_by_their_numbers_all_or_one);
	tcase_add_test(tc, what_is_next_is_known);
	tcase_add_test(tc, each_commit_is_counted);
	tcase_add_test(tc, a_copy_does_not_go_where_something_is_or_where_a_store_has_none);
	suite_add_tcase(s, tc);
	return s;
}

int main(void)
{
	return fx_main(suite);
}
