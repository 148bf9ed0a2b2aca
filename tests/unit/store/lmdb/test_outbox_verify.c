/* Verification: silent about a sound outbox in every state, and never silent about a broken one. */
#include "unit/outbox_fixture.h"

#include <check.h>
#include <stdlib.h>

#include "sign/crypto.h"
#include "store/lmdb/index.h"

#define N(table) ((int)(sizeof(table) / sizeof((table)[0])))

static uint64_t waiting, in_flight, held, delivered, dead;

/* One entry in each state; the claimed one keeps its claim. The waiting one comes last, it would
 * be claimed otherwise.
 */
static void make_one_of_each(void)
{
	struct rp_claim c;

	delivered = fx_entry_in(1, RP_STATE_DELIVERED);
	dead = fx_entry_in(1, RP_STATE_DEAD);
	held = fx_entry_in(1, RP_STATE_HELD);
	in_flight = fx_append(1, 1);
	c = fx_claim();
	ck_assert_uint_eq(c.seq, in_flight);
	waiting = fx_append(1, 1);
}

static void fail_on_problem(void *arg, const char *text)
{
	(void)arg;
	ck_abort_msg("%s", text);
}

static void setup(void)
{
	fx_setup();
	make_one_of_each();
	fx_verify_sound();
}

START_TEST(a_sound_outbox_has_no_problems)
{
	struct rp_claim c;

	ck_assert_uint_eq(fx_problems(), 0);
	fx_pause(1, true);
	ck_assert_uint_eq(fx_problems(), 0);
	fx_pause(1, false);
	fx.limit = 1;
	fx_append(2, 2);
	fx_exchange(5, NULL, 0);
	c = fx.claims[0];
	ck_assert_uint_eq(fx_problems(), 0);
	fx_settle(&c, RP_SETTLE_RETRY);
	ck_assert_uint_eq(fx_problems(), 0);
	fx_change(RP_CHANGE_PURGE, dead);
	ck_assert_uint_eq(fx_problems(), 0);
	ck_assert_int_eq(rp_outbox_leave(fx.ob, fx.now_ms, &fx.err), RP_OK);
	ck_assert_uint_eq(fx_problems(), 0);
}
END_TEST

START_TEST(an_empty_outbox_is_sound)
{
	fx_setup();
	ck_assert_uint_eq(fx_problems(), 0);
	fx_teardown();
}
END_TEST

/* --- flipped bits
 * ------------------------------------------------------------------------------------------ */

START_TEST(a_flipped_bit_in_any_byte_of_a_record_is_a_problem)
{
	static const enum rp_table tables[] = {RP_T_ENTRY, RP_T_BODY, RP_T_DELIVERY, RP_T_ATTEMPT,
					       RP_T_ENDPOINT};
	enum rp_table table = tables[_i];
	struct rp_key key = table == RP_T_BODY       ? rp_key2(delivered, 0)
			    : table == RP_T_ATTEMPT  ? rp_key2(delivered, 1)
			    : table == RP_T_ENDPOINT ? rp_key1(fx_endpoint(1))
						     : rp_key1(delivered);
	int at;

	for (at = -30; at < 30; at++) {
		fx_flip(table, key, at);
		ck_assert_msg(fx_problems() > 0, "byte %d", at);
		fx_flip(table, key, at);
		ck_assert_uint_eq(fx_problems(), 0);
	}
}
END_TEST

/* --- rows missing, rows too many
 * ---------------------------------------------------------------------------------------- */

static int64_t state_at(uint64_t seq)
{
	return fx_delivery(seq).state_at_ms;
}

static struct rp_key queue_key(void)
{
	struct rp_delivery d = fx_delivery(waiting);

	return rp_key3(d.endpoint, (uint64_t)d.due_at_ms, waiting);
}

static struct rp_key ready_key(void)
{
	struct rp_endpoint e = fx_endpoint_record(1);

	ck_assert_int_ne(e.ready_at_ms, RP_NEVER);
	return rp_key3(rp_level_host(fx_endpoint(1)), (uint64_t)e.ready_at_ms, fx_endpoint(1));
}

static void lose_queue(void)
{
	fx_del(RP_T_QUEUE, queue_key());
}

static void lose_ready_queue(void)
{
	fx_del(RP_T_READY, ready_key());
}

static void lose_claim(void)
{
	fx_del(RP_T_CLAIM, rp_key2(fx.me.slot, in_flight));
}

static void lose_dead(void)
{
	fx_del(RP_T_DEAD, rp_key2((uint64_t)state_at(dead), dead));
}

static void lose_done(void)
{
	fx_del(RP_T_DONE, rp_key2((uint64_t)state_at(delivered), delivered));
}

static void lose_held(void)
{
	fx_del(RP_T_HELD, rp_key2((uint64_t)state_at(held), held));
}

static void add_held(void)
{
	fx_put(RP_T_HELD, rp_key2(5, dead), "", 0);
}

/* Under keys of text; fx_put and fx_del take any bytes. */
static struct rp_key run_key(uint64_t seq)
{
	struct rp_key key = {{0}, 12};
	struct rp_writer w = rp_writer_of(key.bytes, sizeof key.bytes);

	rp_put_bytes(&w, "run", 4);
	rp_put_u64(&w, seq);
	return key;
}

static void lose_run(void)
{
	fx_del(RP_T_RUN, run_key(held));
}

static void add_run(void)
{
	fx_put(RP_T_RUN, run_key(4711), "", 0);
}

static void lose_entry(void)
{
	fx_del(RP_T_ENTRY, rp_key1(held));
}

static void lose_delivery(void)
{
	fx_del(RP_T_DELIVERY, rp_key1(held));
}

static void lose_body(void)
{
	fx_del(RP_T_BODY, rp_key2(held, 0));
}

static void lose_endpoint(void)
{
	fx_del(RP_T_ENDPOINT, rp_key1(fx_endpoint(1)));
}

static void lose_name(void)
{
	fx_del(RP_T_ENDPOINT_NAME, rp_key1(fx_endpoint(1)));
}

static void lose_sender(void)
{
	fx_del(RP_T_SENDER, rp_key1(fx.me.slot));
}

static void add_queue(void)
{
	fx_put(RP_T_QUEUE, rp_key3(fx_endpoint(1), 5, held), "", 0);
}

static void add_ready_queue(void)
{
	fx_put(RP_T_READY, rp_key3(rp_level_host(fx_endpoint(1)), 5, fx_endpoint(1)), "", 0);
}

static void add_claim(void)
{
	fx_put(RP_T_CLAIM, rp_key2(9, held), "\0\0\0\1", 4);
}

static void add_dead(void)
{
	fx_put(RP_T_DEAD, rp_key2(5, held), "", 0);
}

static void mislead_dead(void)
{
	fx_put(RP_T_DEAD, rp_key2((uint64_t)state_at(dead), dead), "another why!", RP_WHY_BYTES);
}

static void add_done(void)
{
	fx_put(RP_T_DONE, rp_key2(5, held), "", 0);
}

static void add_body(void)
{
	fx_put(RP_T_BODY, rp_key2(waiting + 1, 0), "x", 1);
}

static void add_attempt(void)
{
	unsigned char buf[RP_ATTEMPT_BYTES_MAX];
	struct rp_attempt a = {.pid = 1};

	fx_put(RP_T_ATTEMPT, rp_key2(waiting + 1, 1), buf,
	       rp_attempt_pack(&a, waiting + 1, buf, sizeof buf));
}

static void add_seen(void)
{
	fx_put(RP_T_SEEN, fx_text_key("nobody's"), "0123456789abcdef", RP_ID_BYTES);
}

/* Every dedupe key leads to the same entry. */
static void mislead_seen(void)
{
	MDB_val k, v, first = {0};
	unsigned char id[RP_ID_BYTES];
	MDB_cursor *c;
	MDB_txn *txn;

	ck_assert_int_eq(mdb_txn_begin(fx_db()->db.env, NULL, 0, &txn), 0);
	ck_assert_int_eq(mdb_cursor_open(txn, fx_db()->db.table[RP_T_SEEN], &c), 0);
	ck_assert_int_eq(mdb_cursor_get(c, &k, &first, MDB_FIRST), 0);
	memcpy(id, first.mv_data, sizeof id);
	ck_assert_int_eq(mdb_cursor_get(c, &k, &v, MDB_NEXT), 0);
	v = (MDB_val){sizeof id, id};
	ck_assert_int_eq(mdb_cursor_put(c, &k, &v, MDB_CURRENT), 0);
	mdb_cursor_close(c);
	ck_assert_int_eq(mdb_txn_commit(txn), 0);
}

static void mislead_name(void)
{
	fx_put(RP_T_ENDPOINT_NAME, rp_key1(fx_endpoint(1)), "https://elsewhere.example/", 26);
}

static void one_more_accepted(struct rp_head *head)
{
	head->accepted++;
}

static void one_more_purged(struct rp_head *head)
{
	head->accepted++;
	head->count[RP_STATE_DEAD]++;
}

static void miscount_accepted(void)
{
	fx_edit_head(one_more_accepted);
}

static void miscount_dead(void)
{
	fx_edit_head(one_more_purged);
}

static void one_more_retrying(struct rp_head *head)
{
	head->retrying++;
}

static void miscount_retrying(void)
{
	fx_edit_head(one_more_retrying);
}

static void later_times(struct rp_head *head)
{
	head->times.all[0].low_at_ms = head->times.all[0].high_at_ms + 1;
}

static void misplace_times(void)
{
	fx_edit_head(later_times);
}

static void damage_tally(void)
{
	fx_flip(RP_T_META, fx_text_key("tally"), 40);
}

static void damage_series(void)
{
	fx_flip(RP_T_META, fx_text_key("series:other"), 40);
}

static void miscount_endpoint(void)
{
	struct rp_endpoint e = fx_endpoint_record(1);
	unsigned char buf[RP_ENDPOINT_BYTES];

	e.count[RP_STATE_IN_FLIGHT]++;
	fx_put(RP_T_ENDPOINT, rp_key1(fx_endpoint(1)), buf,
	       rp_endpoint_pack(&e, fx_endpoint(1), buf, sizeof buf));
}

/* Record and ready queue agree, and are wrong together: the endpoint has work that nobody would
 * ever look at. */
static void forget_work(void)
{
	struct rp_endpoint e = fx_endpoint_record(1);
	unsigned char buf[RP_ENDPOINT_BYTES];
	uint64_t id = fx_endpoint(1);

	fx_del(RP_T_READY, ready_key());
	e.ready_at_ms = RP_NEVER;
	fx_put(RP_T_ENDPOINT, rp_key1(id), buf, rp_endpoint_pack(&e, id, buf, sizeof buf));
}

static const struct {
	const char *what;
	void (*harm)(void);
	bool only_full; /* takes a recount */
} harms[] = {
    {"a missing queue row", lose_queue, false},
    {"a missing agenda row", lose_ready_queue, false},
    {"a missing claim row", lose_claim, false},
    {"a missing dead row", lose_dead, false},
    {"a missing held row", lose_held, false},
    {"a missing run row", lose_run, false},
    {"a missing done row", lose_done, false},
    {"a missing entry record", lose_entry, false},
    {"a missing delivery record", lose_delivery, false},
    {"a missing payload chunk", lose_body, false},
    {"a missing endpoint record", lose_endpoint, false},
    {"a missing endpoint name", lose_name, false},
    {"a missing registration of a sender with claims", lose_sender, false},
    {"a queue row too many", add_queue, false},
    {"an agenda row too many", add_ready_queue, false},
    {"a claim row too many", add_claim, false},
    {"a dead row too many", add_dead, false},
    {"a held row too many", add_held, false},
    {"a run row too many", add_run, false},
    {"a done row too many", add_done, false},
    {"a dead row that tells another cause", mislead_dead, false},
    {"a payload chunk without entry", add_body, false},
    {"an attempt without entry", add_attempt, false},
    {"a dedupe key without entry", add_seen, false},
    {"a dedupe key that leads elsewhere", mislead_seen, false},
    {"an endpoint name that leads elsewhere", mislead_name, false},
    {"an accepted counter too large", miscount_accepted, false},
    {"a counter of a state too large", miscount_dead, false},
    {"an endpoint counter too large", miscount_endpoint, false},
    {"a counter of those retrying too large", miscount_retrying, true},
    {"times that leave entries out", misplace_times, false},
    {"a damaged record of counters", damage_tally, false},
    {"a damaged record of an endpoint's attempts", damage_series, false},
    {"work that nobody looks at", forget_work, false},
};

START_TEST(every_kind_of_harm_is_a_problem)
{
	harms[_i].harm();
	ck_assert_msg(fx_full_problems() > 0, "%s goes unnoticed", harms[_i].what);
	ck_assert_msg((fx_slice_problems(1000) > 0) == !harms[_i].only_full, "%s in slices",
		      harms[_i].what);
	ck_assert_msg((fx_slice_problems(1) > 0) == !harms[_i].only_full, "%s in slices of one row",
		      harms[_i].what);
}
END_TEST

/* --- levels: a host with a section of two paths, and a path beside it ---------------------- */

static uint64_t host, section, path, beside;

static void setup_levels(void)
{
	fx_setup();
	fx.section_limits = (struct rp_limits){.in_flight = 1000, .start = 1000};
	fx_append(1001, 1);
	fx_append(1002, 1);
	fx_exchange(2, NULL, 0);
	fx.section_limits.in_flight = 0;
	fx_append(1001, 1);
	fx_append(1, 1);
	path = fx_endpoint(1001);
	beside = fx_endpoint(1);
	host = rp_level_host(path);
	section = host + RP_MEMBER_SECTIONS;
	ck_assert_uint_eq(fx_record(path).section, section);
	ck_assert_uint_eq(fx_record(beside).section, 0);
	fx_verify_sound();
}

static void one_more_waits(struct rp_endpoint *r)
{
	r->count[RP_STATE_WAITING]++;
}

static void one_more_member(struct rp_endpoint *r)
{
	r->members++;
}

static void one_more_lacks_a_place(struct rp_endpoint *r)
{
	r->lacking[r->level]++;
}

static void leave_section(struct rp_endpoint *r)
{
	r->section = 0;
}

static void enter_section(struct rp_endpoint *r)
{
	r->section = section;
}

static void enter_no_section(struct rp_endpoint *r)
{
	r->section = section + 1;
}

static void become_proven(struct rp_endpoint *r)
{
	r->in_proven = !r->in_proven;
}

static void due_later(struct rp_endpoint *r)
{
	r->first_due_at_ms++;
}

static void never_look(struct rp_endpoint *r)
{
	r->ready_at_ms = RP_NEVER;
}

static void miscount_host(void)
{
	fx_edit_record(host, one_more_waits);
}

static void miscount_section(void)
{
	fx_edit_record(section, one_more_waits);
}

static void miscount_members_of_host(void)
{
	fx_edit_record(host, one_more_member);
}

static void miscount_members_of_section(void)
{
	fx_edit_record(section, one_more_member);
}

static void miscount_lacking_of_path(void)
{
	fx_edit_record(beside, one_more_lacks_a_place);
}

static void miscount_lacking_of_section(void)
{
	fx_edit_record(section, one_more_lacks_a_place);
}

static void miscount_lacking_of_host(void)
{
	fx_edit_record(host, one_more_lacks_a_place);
}

static void lose_host(void)
{
	fx_del(RP_T_ENDPOINT, rp_key1(host));
}

static void lose_section(void)
{
	fx_del(RP_T_ENDPOINT, rp_key1(section));
}

static void lose_host_name(void)
{
	fx_del(RP_T_ENDPOINT_NAME, rp_key1(host));
}

/* What leads from a name to its number; that of a path has no mark in front. */
static void lose_number(char mark, const char *name)
{
	const struct rp_span parts[2] = {{&mark, 1}, rp_span_of(name)};
	unsigned char sha[RP_SHA256_BYTES];
	struct rp_key key = {{0}, 16};

	rp_sha256(parts, 2, sha);
	memcpy(key.bytes, sha, key.len);
	fx_del(RP_T_ENDPOINT_ID, key);
}

static void lose_number_of_host(void)
{
	lose_number(RP_LEVEL_HOST, "https://k1.example");
}

static void lose_number_of_section(void)
{
	lose_number(RP_LEVEL_SECTION, "https://k1.example [shared]");
}

static void lose_name_of_section(void)
{
	fx_del(RP_T_ENDPOINT_NAME, rp_key1(section));
}

/* A new path makes a second host of that name. */
static void make_host_twice(void)
{
	lose_number_of_host();
	fx_append(1003, 1);
	ck_assert_uint_ne(rp_level_host(fx_endpoint(1003)), host);
}

static void leave_silently(void)
{
	fx_edit_record(path, leave_section);
}

static void enter_silently(void)
{
	fx_edit_record(beside, enter_section);
}

static void enter_what_is_not(void)
{
	fx_edit_record(beside, enter_no_section);
}

static void change_queue_of_hosts(void)
{
	fx_edit_record(host, become_proven);
}

/* The row of one of them goes to another queue. */
static void move_row(uint64_t id, uint64_t to)
{
	const struct rp_endpoint r = fx_record(id);

	ck_assert_int_ne(r.ready_at_ms, RP_NEVER);
	fx_del(RP_T_READY, rp_key3(rp_schedule_queue(&r, id), (uint64_t)r.ready_at_ms, id));
	fx_put(RP_T_READY, rp_key3(to, (uint64_t)r.ready_at_ms, id), "", 0);
}

static void put_host_among_proven(void)
{
	move_row(host, RP_QUEUE_PROVEN);
}

static void put_section_among_hosts(void)
{
	move_row(section, RP_QUEUE_UNPROVEN);
}

static void put_path_in_section(void)
{
	move_row(beside, section);
}

/* Record and row agree, and the section has work that its host never hears of. */
static void forget_section(void)
{
	const struct rp_endpoint r = fx_record(section);

	fx_del(RP_T_READY, rp_key3(host, (uint64_t)r.ready_at_ms, section));
	fx_edit_record(section, never_look);
}

static void forget_host(void)
{
	const struct rp_endpoint r = fx_record(host);

	fx_del(RP_T_READY, rp_key3(RP_QUEUE_UNPROVEN, (uint64_t)r.ready_at_ms, host));
	fx_edit_record(host, never_look);
}

static void lose_due_row(void)
{
	const struct rp_endpoint r = fx_record(beside);

	fx_del(RP_T_READY, rp_key3(RP_QUEUE_DUE, (uint64_t)r.first_due_at_ms, beside));
}

static void add_due_row(void)
{
	fx_put(RP_T_READY, rp_key3(RP_QUEUE_DUE, 5, beside), "", 0);
}

static void misdate_due_row(void)
{
	lose_due_row();
	fx_edit_record(beside, due_later);
	fx_put(RP_T_READY,
	       rp_key3(RP_QUEUE_DUE, (uint64_t)fx_record(beside).first_due_at_ms, beside), "", 0);
}

static const struct {
	const char *what;
	void (*harm)(void);
	const char *problem; /* begins with, behind the number */
	bool only_full;      /* takes a recount */
} level_harms[] = {
    {"a host counts one too many", miscount_host, "host", false},
    {"a section counts one too many", miscount_section, "section", true},
    {"a host counts a member too many", miscount_members_of_host, "members", true},
    {"a section counts a member too many", miscount_members_of_section, "members", true},
    {"a path counts one too many without a place", miscount_lacking_of_path,
     "claimed ahead of a place of its path", true},
    {"a section counts one too many without a place", miscount_lacking_of_section,
     "claimed ahead of a place of its section", true},
    {"a host counts one too many without a place", miscount_lacking_of_host,
     "claimed ahead of a place of its host", true},
    {"a host is missing", lose_host, "its host does not exist", false},
    {"a section is missing", lose_section, "its section does not exist", false},
    {"the name of a host is missing", lose_host_name, "its name is missing", false},
    {"the name of a section is missing", lose_name_of_section, "its name is missing", false},
    {"the number of a host is missing", lose_number_of_host, "its name does not lead back to it",
     false},
    {"the number of a section is missing", lose_number_of_section,
     "its name does not lead back to it", false},
    {"a host is there twice", make_host_twice, "its name does not lead back to it", false},
    {"a path left its section silently", leave_silently, "section", false},
    {"a path entered a section silently", enter_silently, "section", false},
    {"a path is in a section that is not", enter_what_is_not, "its section does not exist", false},
    {"a host names the other queue", change_queue_of_hosts, "its agenda row is missing", false},
    {"a host stands in the other queue", put_host_among_proven, "its agenda row is missing", false},
    {"a section stands among the hosts", put_section_among_hosts, "its agenda row is missing",
     false},
    {"a path stands in a section's queue", put_path_in_section, "its agenda row is missing", false},
    {"work of a section that nobody looks at", forget_section,
     "has work that nobody would look at in time", false},
    {"work of a host that nobody looks at", forget_host,
     "has work that nobody would look at in time", false},
    {"a missing due row", lose_due_row, "its due row is missing", false},
    {"a due row too many", add_due_row, "table agenda", false},
    {"a due row at another time", misdate_due_row,
     "its first entry is due at another time than it says", false},
};

START_TEST(every_kind_of_harm_to_the_levels_is_named)
{
	struct rp_buf text = {.max = 1 << 20};

	level_harms[_i].harm();
	ck_assert_msg(fx_verify(0, &text).problems > 0, "%s goes unnoticed", level_harms[_i].what);
	ck_assert(rp_buf_add(&text, "", 1));
	ck_assert_msg(strstr(text.data, level_harms[_i].problem) != NULL, "%s: %s",
		      level_harms[_i].what, text.data);
	rp_buf_release(&text);
	ck_assert_msg((fx_slice_problems(1000) > 0) == !level_harms[_i].only_full, "%s in slices",
		      level_harms[_i].what);
	ck_assert_msg((fx_slice_problems(1) > 0) == !level_harms[_i].only_full,
		      "%s in slices of one row", level_harms[_i].what);
}
END_TEST

/* Everything changes between slices: what the cursor points at goes, and comes back elsewhere. */
START_TEST(changes_between_slices_are_no_problem)
{
	struct rp_verify v = {.max_rows = 2, .problem = fail_on_problem};
	struct rp_claim c;
	unsigned n = 0;

	fx_append(1, 20);
	while (!v.done) {
		ck_assert_int_eq(rp_outbox_verify(fx.ob, &v, &fx.err), RP_OK);
		fx.now_ms += 1000;
		fx_exchange(1, NULL, 0);
		if (fx.n_claims > 0) {
			c = fx.claims[0];
			fx_settle(&c, n % 3 == 0   ? RP_SETTLE_RETRY
				      : n % 3 == 1 ? RP_SETTLE_DEAD
						   : RP_SETTLE_DELIVERED);
		}
		if (++n < 40)
			fx_append(n % 4, 1);
		if (n == 10)
			fx_change(RP_CHANGE_PURGE, dead);
		if (n == 15)
			fx_change(RP_CHANGE_RELEASE, held);
	}
	ck_assert_uint_eq(v.counts.problems, 0);
	ck_assert_uint_gt(v.counts.entries, 20);
}
END_TEST

static bool count_calls(void *arg, const struct rp_verify_counts *so_far)
{
	uint64_t *last = arg;

	ck_assert_uint_ge(so_far->steps, *last);
	ck_assert_uint_le(so_far->steps, so_far->steps_all);
	*last = so_far->steps;
	return so_far->entries < 500;
}

START_TEST(the_check_in_one_snapshot_tells_how_far_it_is_and_stops)
{
	uint64_t last = 0;
	struct rp_verify v = {.problem = fail_on_problem, .go_on = count_calls, .arg = &last};

	fx_append(1, 900);
	ck_assert_int_eq(rp_outbox_verify(fx.ob, &v, &fx.err), RP_ERR_STALE);
	ck_assert_uint_ge(v.counts.entries, 500);
	ck_assert_uint_lt(v.counts.entries, 900);
	ck_assert_uint_gt(last, 500);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("outbox_verify");
	TCase *tc = tcase_create("sound");

	tcase_add_checked_fixture(tc, setup, fx_teardown);
	tcase_add_test(tc, a_sound_outbox_has_no_problems);
	tcase_add_test(tc, changes_between_slices_are_no_problem);
	tcase_add_test(tc, the_check_in_one_snapshot_tells_how_far_it_is_and_stops);
	suite_add_tcase(s, tc);
	tc = tcase_create("empty");
	tcase_add_test(tc, an_empty_outbox_is_sound);
	suite_add_tcase(s, tc);
	tc = tcase_create("broken");
	tcase_add_checked_fixture(tc, setup, fx_teardown_damaged);
	tcase_add_loop_test(tc, a_flipped_bit_in_any_byte_of_a_record_is_a_problem, 0, 5);
	tcase_add_loop_test(tc, every_kind_of_harm_is_a_problem, 0, N(harms));
	suite_add_tcase(s, tc);
	tc = tcase_create("levels");
	tcase_add_checked_fixture(tc, setup_levels, fx_teardown_damaged);
	tcase_add_loop_test(tc, every_kind_of_harm_to_the_levels_is_named, 0, N(level_harms));
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
