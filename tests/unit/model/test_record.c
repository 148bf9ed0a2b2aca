/* Stored records: what was packed comes out, and nothing that was changed, cut or misplaced
 * does. */
#include "model/record.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#define ROUNDS 200
#define SEQ 4242

static uint64_t state = 88172645463325252u;

static uint64_t random_next(void)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state;
}

static void random_fill(void *out, size_t n)
{
	unsigned char *p = out;

	while (n-- > 0)
		*p++ = (unsigned char)(random_next() >> 24);
}

static struct rp_span random_span(char *mem, size_t max)
{
	size_t n = random_next() % (max + 1);

	random_fill(mem, n);
	return (struct rp_span){mem, n};
}

/* Text without a NUL in it, and a NUL behind it. */
static void random_text(char *out, size_t size)
{
	size_t n = random_next() % size, i;

	for (i = 0; i < n; i++)
		out[i] = (char)('a' + random_next() % 26);
	memset(out + n, 0, size - n);
}

/* --- one of each
 * ------------------------------------------------------------------------------------------ */

static char spans[8][4096];

static struct rp_facts some_facts(void)
{
	struct rp_facts f;

	memset(&f, 0, sizeof f);
	random_fill(f.id, sizeof f.id);
	f.endpoint = random_next();
	f.accepted_at_ms = (int64_t)random_next();
	f.not_before_at_ms = (int64_t)random_next();
	f.expires_at_ms = (int64_t)random_next();
	f.payload_bytes = random_next();
	f.payload_hash = random_next();
	f.url = random_span(spans[0], 4096);
	f.run_id = random_span(spans[1], 200);
	f.thread_id = random_span(spans[6], 200);
	f.event = random_span(spans[7], 40);
	f.operation = random_span(spans[2], 200);
	f.order_by = random_span(spans[3], 200);
	f.headers = random_span(spans[4], 2048);
	f.dedupe_key = random_span(spans[5], 256);
	return f;
}

static struct rp_delivery some_delivery(void)
{
	struct rp_delivery d;

	memset(&d, 0, sizeof d);
	d.state = 1 + random_next() % 5;
	d.cause = random_next() % RP_CAUSE_MAX_;
	d.last_cause = random_next() % RP_CAUSE_MAX_;
	d.http_status = random_next() % 65536;
	d.slot = random_next() % 65536;
	d.failures = random_next() % 65536;
	d.losses = random_next() % 65536;
	d.replays = (uint32_t)random_next();
	d.attempts = (uint32_t)random_next();
	d.claim_no = (uint32_t)random_next();
	d.endpoint = random_next();
	d.due_at_ms = (int64_t)random_next();
	d.state_at_ms = (int64_t)random_next();
	d.budget_at_ms = (int64_t)random_next();
	d.expires_at_ms = (int64_t)random_next();
	d.order_key = random_next();
	d.behind = random_next() % 2;
	d.lacks = (unsigned)random_next() % RP_LACKS(RP_LEVELS);
	return d;
}

static struct rp_attempt some_attempt(void)
{
	struct rp_attempt a;

	memset(&a, 0, sizeof a);
	a.outcome.cause = random_next() % RP_CAUSE_MAX_;
	a.outcome.http_status = random_next() % 1000;
	a.outcome.retry_after_ms = (int64_t)(random_next() % 86400) * 1000;
	a.outcome.duration_us = (int64_t)(random_next() >> 1);
	a.outcome.dns_us = (uint32_t)random_next();
	a.outcome.connect_us = (uint32_t)random_next();
	a.outcome.tls_us = (uint32_t)random_next();
	a.outcome.first_byte_us = (uint32_t)random_next();
	a.outcome.http_version = 11;
	random_text(a.outcome.peer, sizeof a.outcome.peer);
	random_text(a.outcome.detail, sizeof a.outcome.detail);
	a.outcome.response_bytes = random_next() % (sizeof a.outcome.response + 1);
	random_fill(a.outcome.response, a.outcome.response_bytes);
	a.late = random_next() % 2;
	a.slot = random_next() % 65536;
	a.pid = (uint32_t)random_next();
	a.started_at_ms = (int64_t)random_next();
	return a;
}

static struct rp_endpoint some_endpoint(void)
{
	struct rp_endpoint e;
	int s;

	memset(&e, 0, sizeof e);
	e.paused = random_next() % 2;
	e.disabled = random_next() % 2;
	e.last_cause = random_next() % RP_CAUSE_MAX_;
	e.last_status = random_next() % 1000;
	e.streak = (uint32_t)random_next();
	e.ready_at_ms = (int64_t)random_next();
	e.served_at_ms = (int64_t)random_next();
	e.changed_at_ms = (int64_t)random_next();
	e.last_success_at_ms = (int64_t)random_next();
	e.last_failure_at_ms = (int64_t)random_next();
	e.control.limits.in_flight = (uint32_t)random_next();
	e.control.limits.start = (uint32_t)random_next();
	e.control.limits.rate.count = (uint32_t)random_next();
	e.control.limits.rate.period_ms = (uint32_t)random_next();
	e.control.limits.breaker = random_next() % 2;
	e.control.window_permille = (uint32_t)random_next();
	e.control.congested = random_next() % 2;
	e.control.breaker = random_next() % 3;
	e.control.bad_streak = (uint32_t)random_next();
	e.control.recent = (uint32_t)random_next();
	e.control.recent_bad = (uint32_t)random_next();
	e.control.recent_at_ms = (int64_t)random_next();
	e.control.pauses = (uint32_t)random_next();
	e.control.cause = random_next() % RP_CAUSE_MAX_;
	e.control.http_status = random_next() % 1000;
	e.control.opened_at_ms = (int64_t)random_next();
	e.control.probe_at_ms = (int64_t)random_next();
	e.control.full_at_us = (int64_t)random_next();
	for (s = RP_STATE_WAITING; s <= RP_STATE_DEAD; s++)
		e.count[s] = random_next();
	for (s = 0; s < RP_LEVELS; s++)
		e.lacking[s] = (uint32_t)random_next();
	return e;
}

static struct rp_head some_head(void)
{
	struct rp_head h;
	int s;

	memset(&h, 0, sizeof h);
	h.next_seq = random_next();
	h.next_endpoint = random_next();
	h.accepted = random_next();
	h.purged = random_next();
	h.latest_at_ms = (int64_t)random_next();
	for (s = RP_STATE_WAITING; s <= RP_STATE_DEAD; s++)
		h.count[s] = random_next();
	h.retrying = random_next();
	h.times.n = (unsigned)(random_next() % (RP_TIME_SPANS_MAX + 1));
	for (s = 0; s < (int)h.times.n; s++)
		h.times.all[s] =
		    (struct rp_time_span){1 + random_next() % 1000000, (int64_t)random_next(),
					  (int64_t)random_next(), (int64_t)random_next()};
	return h;
}

/* --- the five records behind one face
 * ----------------------------------------------------------------------------------- */

union any {
	struct rp_facts facts;
	struct rp_delivery delivery;
	struct rp_attempt attempt;
	struct rp_endpoint endpoint;
	struct rp_head head;
};

enum kind { FACTS, DELIVERY, ATTEMPT, ENDPOINT, HEAD, KINDS };

static size_t pack_some(enum kind kind, union any *v, void *out, size_t size)
{
	memset(v, 0, sizeof *v);
	switch (kind) {
	case FACTS:
		v->facts = some_facts();
		return rp_facts_pack(&v->facts, SEQ, out, size);
	case DELIVERY:
		v->delivery = some_delivery();
		return rp_delivery_pack(&v->delivery, SEQ, out, size);
	case ATTEMPT:
		v->attempt = some_attempt();
		return rp_attempt_pack(&v->attempt, SEQ, out, size);
	case ENDPOINT:
		v->endpoint = some_endpoint();
		return rp_endpoint_pack(&v->endpoint, SEQ, out, size);
	case HEAD:
		v->head = some_head();
		return rp_head_pack(&v->head, out, size);
	case KINDS:
		break;
	}
	return 0;
}

static bool unpack(enum kind kind, union any *v, uint64_t seq, const void *mem, size_t size)
{
	memset(v, 0xee, sizeof *v);
	switch (kind) {
	case FACTS:
		return rp_facts_unpack(&v->facts, seq, mem, size);
	case DELIVERY:
		return rp_delivery_unpack(&v->delivery, seq, mem, size);
	case ATTEMPT:
		return rp_attempt_unpack(&v->attempt, seq, mem, size);
	case ENDPOINT:
		return rp_endpoint_unpack(&v->endpoint, seq, mem, size);
	case HEAD:
		return rp_head_unpack(&v->head, mem, size);
	case KINDS:
		break;
	}
	return false;
}

static bool is_zeroed(enum kind kind, const union any *v)
{
	static const size_t sizes[KINDS] = {sizeof(struct rp_facts), sizeof(struct rp_delivery),
					    sizeof(struct rp_attempt), sizeof(struct rp_endpoint),
					    sizeof(struct rp_head)};
	const unsigned char *p = (const unsigned char *)v;
	size_t i;

	for (i = 0; i < sizes[kind]; i++)
		if (p[i] != 0)
			return false;
	return true;
}

/* Packing what was unpacked gives the same bytes; with the tests of single members below this says
 * that nothing is lost. */
START_TEST(what_was_packed_comes_out_again)
{
	static unsigned char first[RP_FACTS_BYTES_MAX], second[RP_FACTS_BYTES_MAX];
	union any in, out;
	int round;

	for (round = 0; round < ROUNDS; round++) {
		size_t n = pack_some((enum kind)_i, &in, first, sizeof first), m = 0;

		ck_assert_uint_gt(n, 0);
		ck_assert(unpack((enum kind)_i, &out, SEQ, first, n));
		if (_i == FACTS)
			m = rp_facts_pack(&out.facts, SEQ, second, sizeof second);
		else if (_i == DELIVERY)
			m = rp_delivery_pack(&out.delivery, SEQ, second, sizeof second);
		else if (_i == ATTEMPT)
			m = rp_attempt_pack(&out.attempt, SEQ, second, sizeof second);
		else if (_i == ENDPOINT)
			m = rp_endpoint_pack(&out.endpoint, SEQ, second, sizeof second);
		else
			m = rp_head_pack(&out.head, second, sizeof second);
		ck_assert_uint_eq(n, m);
		ck_assert_mem_eq(first, second, n);
	}
}
END_TEST

#define SAME(a, b, member) ck_assert_msg((a).member == (b).member, "%s is lost", #member)
#define SAME_SPAN(a, b, member)                                                                    \
	ck_assert_msg((a).member.len == (b).member.len &&                                          \
			  ((a).member.len == 0 ||                                                  \
			   memcmp((a).member.ptr, (b).member.ptr, (a).member.len) == 0),           \
		      "%s is lost", #member)

START_TEST(every_member_of_the_facts_is_kept)
{
	static unsigned char buf[RP_FACTS_BYTES_MAX];
	union any in, out;
	size_t n = pack_some(FACTS, &in, buf, sizeof buf);

	ck_assert(unpack(FACTS, &out, SEQ, buf, n));
	ck_assert_mem_eq(in.facts.id, out.facts.id, RP_ID_BYTES);
	SAME(in.facts, out.facts, endpoint);
	SAME(in.facts, out.facts, accepted_at_ms);
	SAME(in.facts, out.facts, not_before_at_ms);
	SAME(in.facts, out.facts, expires_at_ms);
	SAME(in.facts, out.facts, payload_bytes);
	SAME(in.facts, out.facts, payload_hash);
	SAME_SPAN(in.facts, out.facts, url);
	SAME_SPAN(in.facts, out.facts, run_id);
	SAME_SPAN(in.facts, out.facts, thread_id);
	SAME_SPAN(in.facts, out.facts, event);
	SAME_SPAN(in.facts, out.facts, operation);
	SAME_SPAN(in.facts, out.facts, order_by);
	SAME_SPAN(in.facts, out.facts, headers);
	SAME_SPAN(in.facts, out.facts, dedupe_key);
}
END_TEST

START_TEST(every_member_of_a_delivery_is_kept)
{
	unsigned char buf[RP_DELIVERY_BYTES];
	union any in, out;
	size_t n = pack_some(DELIVERY, &in, buf, sizeof buf);

	ck_assert_uint_eq(n, RP_DELIVERY_BYTES);
	ck_assert(unpack(DELIVERY, &out, SEQ, buf, n));
	SAME(in.delivery, out.delivery, state);
	SAME(in.delivery, out.delivery, cause);
	SAME(in.delivery, out.delivery, last_cause);
	SAME(in.delivery, out.delivery, http_status);
	SAME(in.delivery, out.delivery, slot);
	SAME(in.delivery, out.delivery, failures);
	SAME(in.delivery, out.delivery, losses);
	SAME(in.delivery, out.delivery, replays);
	SAME(in.delivery, out.delivery, attempts);
	SAME(in.delivery, out.delivery, claim_no);
	SAME(in.delivery, out.delivery, endpoint);
	SAME(in.delivery, out.delivery, due_at_ms);
	SAME(in.delivery, out.delivery, state_at_ms);
	SAME(in.delivery, out.delivery, budget_at_ms);
	SAME(in.delivery, out.delivery, expires_at_ms);
	SAME(in.delivery, out.delivery, order_key);
	SAME(in.delivery, out.delivery, behind);
	SAME(in.delivery, out.delivery, lacks);
}
END_TEST

START_TEST(each_place_that_is_lacking_is_kept_beside_its_order)
{
	unsigned char buf[RP_DELIVERY_BYTES];
	struct rp_delivery d = some_delivery(), out;
	unsigned lacks;

	for (lacks = 0; lacks < RP_LACKS(RP_LEVELS); lacks++) {
		d.behind = _i == 1;
		d.lacks = lacks;
		ck_assert(
		    rp_delivery_unpack(&out, SEQ, buf, rp_delivery_pack(&d, SEQ, buf, sizeof buf)));
		ck_assert(out.behind == d.behind && out.lacks == lacks);
	}
}
END_TEST

START_TEST(every_member_of_an_attempt_is_kept)
{
	unsigned char buf[RP_ATTEMPT_BYTES_MAX];
	union any in, out;
	size_t n = pack_some(ATTEMPT, &in, buf, sizeof buf);

	ck_assert(unpack(ATTEMPT, &out, SEQ, buf, n));
	SAME(in.attempt, out.attempt, outcome.cause);
	SAME(in.attempt, out.attempt, outcome.http_status);
	SAME(in.attempt, out.attempt, outcome.http_version);
	SAME(in.attempt, out.attempt, outcome.retry_after_ms);
	SAME(in.attempt, out.attempt, outcome.duration_us);
	SAME(in.attempt, out.attempt, outcome.dns_us);
	SAME(in.attempt, out.attempt, outcome.connect_us);
	SAME(in.attempt, out.attempt, outcome.tls_us);
	SAME(in.attempt, out.attempt, outcome.first_byte_us);
	SAME(in.attempt, out.attempt, outcome.response_bytes);
	SAME(in.attempt, out.attempt, late);
	SAME(in.attempt, out.attempt, slot);
	SAME(in.attempt, out.attempt, pid);
	SAME(in.attempt, out.attempt, started_at_ms);
	ck_assert_str_eq(in.attempt.outcome.peer, out.attempt.outcome.peer);
	ck_assert_str_eq(in.attempt.outcome.detail, out.attempt.outcome.detail);
	ck_assert(memcmp(in.attempt.outcome.response, out.attempt.outcome.response,
			 in.attempt.outcome.response_bytes) == 0);
}
END_TEST

START_TEST(every_member_of_endpoint_and_head_is_kept)
{
	unsigned char buf[RP_ENDPOINT_BYTES + RP_HEAD_BYTES];
	union any in, out;
	size_t n = pack_some(ENDPOINT, &in, buf, sizeof buf);

	ck_assert_uint_eq(n, RP_ENDPOINT_BYTES);
	ck_assert(unpack(ENDPOINT, &out, SEQ, buf, n));
	SAME(in.endpoint, out.endpoint, paused);
	SAME(in.endpoint, out.endpoint, disabled);
	SAME(in.endpoint, out.endpoint, last_cause);
	SAME(in.endpoint, out.endpoint, last_status);
	SAME(in.endpoint, out.endpoint, streak);
	SAME(in.endpoint, out.endpoint, control.limits.in_flight);
	SAME(in.endpoint, out.endpoint, control.limits.start);
	SAME(in.endpoint, out.endpoint, control.limits.rate.count);
	SAME(in.endpoint, out.endpoint, control.limits.rate.period_ms);
	SAME(in.endpoint, out.endpoint, control.limits.breaker);
	SAME(in.endpoint, out.endpoint, control.window_permille);
	SAME(in.endpoint, out.endpoint, control.congested);
	SAME(in.endpoint, out.endpoint, control.breaker);
	SAME(in.endpoint, out.endpoint, control.bad_streak);
	SAME(in.endpoint, out.endpoint, control.recent);
	SAME(in.endpoint, out.endpoint, control.recent_bad);
	SAME(in.endpoint, out.endpoint, control.recent_at_ms);
	SAME(in.endpoint, out.endpoint, control.pauses);
	SAME(in.endpoint, out.endpoint, control.cause);
	SAME(in.endpoint, out.endpoint, control.http_status);
	SAME(in.endpoint, out.endpoint, control.opened_at_ms);
	SAME(in.endpoint, out.endpoint, control.probe_at_ms);
	SAME(in.endpoint, out.endpoint, control.full_at_us);
	SAME(in.endpoint, out.endpoint, ready_at_ms);
	SAME(in.endpoint, out.endpoint, served_at_ms);
	SAME(in.endpoint, out.endpoint, changed_at_ms);
	SAME(in.endpoint, out.endpoint, last_success_at_ms);
	SAME(in.endpoint, out.endpoint, last_failure_at_ms);
	ck_assert_mem_eq(in.endpoint.count, out.endpoint.count, sizeof in.endpoint.count);
	ck_assert_mem_eq(in.endpoint.lacking, out.endpoint.lacking, sizeof in.endpoint.lacking);
	n = pack_some(HEAD, &in, buf, sizeof buf);
	ck_assert_uint_eq(n, RP_HEAD_BYTES);
	ck_assert(unpack(HEAD, &out, 0, buf, n));
	SAME(in.head, out.head, next_seq);
	SAME(in.head, out.head, next_endpoint);
	SAME(in.head, out.head, accepted);
	SAME(in.head, out.head, purged);
	ck_assert_mem_eq(in.head.count, out.head.count, sizeof in.head.count);
	SAME(in.head, out.head, retrying);
	SAME(in.head, out.head, times.n);
	ck_assert_mem_eq(in.head.times.all, out.head.times.all,
			 in.head.times.n * sizeof in.head.times.all[0]);
}
END_TEST

START_TEST(the_largest_attempt_fits)
{
	unsigned char buf[RP_ATTEMPT_BYTES_MAX];
	struct rp_attempt a;
	union any out;

	memset(&a, 0, sizeof a);
	memset(a.outcome.peer, 'p', sizeof a.outcome.peer - 1);
	memset(a.outcome.detail, 'd', sizeof a.outcome.detail - 1);
	a.outcome.response_bytes = sizeof a.outcome.response;
	ck_assert(unpack(ATTEMPT, &out, SEQ, buf, rp_attempt_pack(&a, SEQ, buf, sizeof buf)));
}
END_TEST

/* --- damage
 * ------------------------------------------------------------------------------------------ */

START_TEST(every_flipped_bit_is_noticed)
{
	static unsigned char buf[RP_FACTS_BYTES_MAX];
	union any in, out;
	size_t n = pack_some((enum kind)_i, &in, buf, sizeof buf), bit;

	for (bit = 0; bit < n * 8; bit++) {
		buf[bit / 8] ^= (unsigned char)(1u << bit % 8);
		ck_assert_msg(!unpack((enum kind)_i, &out, SEQ, buf, n), "bit %zu of %zu", bit,
			      n * 8);
		ck_assert(is_zeroed((enum kind)_i, &out));
		buf[bit / 8] ^= (unsigned char)(1u << bit % 8);
	}
	ck_assert(unpack((enum kind)_i, &out, SEQ, buf, n));
}
END_TEST

START_TEST(every_cut_off_tail_is_noticed)
{
	static unsigned char buf[RP_FACTS_BYTES_MAX];
	union any in, out;
	size_t n = pack_some((enum kind)_i, &in, buf, sizeof buf), len;

	for (len = 0; len < n; len++) {
		/* so that reading past the end is noticed, too */
		unsigned char *exact = malloc(len + 1);

		ck_assert_ptr_nonnull(exact);
		memcpy(exact, buf, len);
		exact = realloc(exact, len > 0 ? len : 1);
		ck_assert_msg(!unpack((enum kind)_i, &out, SEQ, exact, len), "%zu of %zu bytes",
			      len, n);
		ck_assert(is_zeroed((enum kind)_i, &out));
		free(exact);
	}
}
END_TEST

START_TEST(a_record_under_another_number_is_noticed)
{
	static unsigned char buf[RP_FACTS_BYTES_MAX];
	union any in, out;
	size_t n = pack_some((enum kind)_i, &in, buf, sizeof buf);

	ck_assert(!unpack((enum kind)_i, &out, SEQ + 1, buf, n));
	ck_assert(!unpack((enum kind)_i, &out, 0, buf, n));
	ck_assert(is_zeroed((enum kind)_i, &out));
}
END_TEST

START_TEST(too_little_room_packs_nothing)
{
	static unsigned char buf[RP_FACTS_BYTES_MAX];
	union any in;
	uint64_t before = state;
	size_t n = pack_some((enum kind)_i, &in, buf, sizeof buf);

	state = before;
	ck_assert_uint_eq(pack_some((enum kind)_i, &in, buf, n - 1), 0);
	state = before;
	ck_assert_uint_eq(pack_some((enum kind)_i, &in, buf, n), n);
}
END_TEST

START_TEST(a_state_that_does_not_exist_is_damage_even_with_a_right_checksum)
{
	unsigned char buf[RP_DELIVERY_BYTES];
	struct rp_delivery d = some_delivery();
	union any out;

	d.state = 6;
	ck_assert(!unpack(DELIVERY, &out, SEQ, buf, rp_delivery_pack(&d, SEQ, buf, sizeof buf)));
	d.state = 0;
	ck_assert(!unpack(DELIVERY, &out, SEQ, buf, rp_delivery_pack(&d, SEQ, buf, sizeof buf)));
	d.state = RP_STATE_DEAD;
	d.cause = RP_CAUSE_MAX_;
	ck_assert(!unpack(DELIVERY, &out, SEQ, buf, rp_delivery_pack(&d, SEQ, buf, sizeof buf)));
	d.cause = RP_CAUSE_NONE;
	d.last_cause = RP_CAUSE_MAX_;
	ck_assert(!unpack(DELIVERY, &out, SEQ, buf, rp_delivery_pack(&d, SEQ, buf, sizeof buf)));
}
END_TEST

START_TEST(a_cause_that_does_not_exist_is_damage_in_an_endpoint_as_well)
{
	unsigned char buf[RP_ENDPOINT_BYTES];
	struct rp_endpoint e = some_endpoint();
	union any out;

	e.last_cause = RP_CAUSE_MAX_;
	ck_assert(!unpack(ENDPOINT, &out, SEQ, buf, rp_endpoint_pack(&e, SEQ, buf, sizeof buf)));
	e.last_cause = RP_CAUSE_NONE;
	e.control.cause = RP_CAUSE_MAX_;
	ck_assert(!unpack(ENDPOINT, &out, SEQ, buf, rp_endpoint_pack(&e, SEQ, buf, sizeof buf)));
}
END_TEST

/* --- keys
 * ------------------------------------------------------------------------------------------ */

START_TEST(keys_sort_as_their_numbers_and_read_back)
{
	static const uint64_t numbers[] = {
	    0, 1, 255, 256, 65535, 1u << 31, UINT64_C(1) << 40, INT64_MAX, UINT64_MAX};
	uint64_t out[3];
	size_t i, j;

	for (i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
		for (j = 0; j < sizeof numbers / sizeof numbers[0]; j++) {
			struct rp_key a = rp_key2(7, numbers[i]), b = rp_key2(7, numbers[j]);
			int order = memcmp(a.bytes, b.bytes, a.len);

			ck_assert((order < 0) == (numbers[i] < numbers[j]));
			a = rp_key3(numbers[i], numbers[j], 5);
			ck_assert(rp_key_read(a.bytes, a.len, out, 3));
			ck_assert(out[0] == numbers[i] && out[1] == numbers[j] && out[2] == 5);
			ck_assert(!rp_key_read(a.bytes, a.len, out, 2));
			ck_assert(!rp_key_read(a.bytes, a.len - 1, out, 3));
		}
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("record");
	TCase *tc = tcase_create("record");

	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, what_was_packed_comes_out_again, 0, KINDS);
	tcase_add_test(tc, every_member_of_the_facts_is_kept);
	tcase_add_test(tc, every_member_of_a_delivery_is_kept);
	tcase_add_loop_test(tc, each_place_that_is_lacking_is_kept_beside_its_order, 0, 2);
	tcase_add_test(tc, every_member_of_an_attempt_is_kept);
	tcase_add_test(tc, every_member_of_endpoint_and_head_is_kept);
	tcase_add_test(tc, the_largest_attempt_fits);
	tcase_add_loop_test(tc, every_flipped_bit_is_noticed, 0, KINDS);
	tcase_add_loop_test(tc, every_cut_off_tail_is_noticed, 0, KINDS);
	tcase_add_loop_test(tc, a_record_under_another_number_is_noticed, 0, HEAD);
	tcase_add_loop_test(tc, too_little_room_packs_nothing, 0, KINDS);
	tcase_add_test(tc, a_state_that_does_not_exist_is_damage_even_with_a_right_checksum);
	tcase_add_test(tc, a_cause_that_does_not_exist_is_damage_in_an_endpoint_as_well);
	tcase_add_test(tc, keys_sort_as_their_numbers_and_read_back);
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
