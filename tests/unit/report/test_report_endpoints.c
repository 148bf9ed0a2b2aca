/* Which endpoints a load brings, when there are more of them than are looked at: hosts with many
 * paths, most of which are well. */
#include "unit/outbox_fixture.h"

#include <check.h>

#include "report/statistics.h"

/* Hosts 1 to MANY have FX_PATHS paths each, the SINGLE from FIRST_SINGLE on have one. */
enum { MANY = 22, FIRST_SINGLE = 100, SINGLE = 5, SEEN_IN_ALL = 20000 };

static const struct rp_config config;
static struct rp_known_endpoints known;

static void set_up(void)
{
	static struct rp_new_entry entries[FX_PATHS];
	static struct rp_appended appended[FX_PATHS];
	unsigned host, i;

	fx_setup();
	for (host = 1; host <= MANY; host++) {
		for (i = 0; i < FX_PATHS; i++)
			entries[i] = fx_new(host * FX_PATHS + i);
		fx_must(rp_outbox_append(fx.ob, fx.now_ms, entries, FX_PATHS, appended, &fx.err),
			"append");
	}
	for (i = 0; i < SINGLE; i++)
		fx_append(FIRST_SINGLE + i, 1);
}

static void tear_down(void)
{
	rp_known_endpoints_release(&known);
	fx_teardown_damaged(); /* a check of so many takes seconds, and others make it */
}

static void load(void)
{
	rp_known_endpoints_release(&known);
	fx_must(rp_known_endpoints_load(fx.ob, &config, &known, &fx.err), "load");
}

/* By its name, not by a walk: there are many. */
static uint64_t id_of(unsigned k)
{
	char text[FX_ENDPOINT_TEXT_MAX];
	uint64_t id = 0;

	fx_must(rp_outbox_endpoint_find(fx.ob, RP_LEVEL_PATH, rp_span_of(fx_endpoint_text(k, text)),
					&id, &fx.err),
		"find");
	return id;
}

static void pause_one(uint64_t id, bool pause)
{
	fx_must(rp_outbox_endpoint_pause(fx.ob, fx.now_ms, id, pause, &fx.err), "pause");
}

/* A path of this host that is not among its first. */
static unsigned path_of(unsigned host)
{
	return host * FX_PATHS + 500;
}

static void pause_host(unsigned host)
{
	pause_one(rp_level_host(id_of(path_of(host))), true);
}

static bool brought(unsigned k)
{
	return rp_known_endpoint_find(&known, id_of(k)) != NULL;
}

static const struct rp_known_endpoint *host_of(unsigned k)
{
	const struct rp_known_endpoint *host =
	    rp_known_endpoint_find(&known, rp_level_host(id_of(k)));

	ck_assert_ptr_nonnull(host);
	return host;
}

static void the_single_are_told_by_their_paths(void)
{
	unsigned i;

	for (i = FIRST_SINGLE; i < FIRST_SINGLE + SINGLE; i++)
		ck_assert(brought(i) && host_of(i)->told_by_path && host_of(i)->few);
}

START_TEST(all_are_counted_though_not_all_are_looked_at)
{
	unsigned host;

	load();
	ck_assert_uint_eq(known.n, MANY + 2 * SINGLE);
	ck_assert_uint_eq(known.n_paths, MANY * FX_PATHS + SINGLE);
	ck_assert_uint_eq(known.n_trouble, 0);
	for (host = 1; host <= MANY; host++) {
		ck_assert_uint_eq(host_of(path_of(host))->n_paths, FX_PATHS);
		ck_assert(!host_of(path_of(host))->few);
	}
	the_single_are_told_by_their_paths();
}
END_TEST

/* Nothing tells of a paused path but itself. */
START_TEST(hosts_that_have_seen_no_trouble_are_looked_at_as_long_as_there_is_room)
{
	unsigned host;

	for (host = 1; host <= MANY; host++)
		pause_one(id_of(path_of(host)), true);
	load();
	ck_assert_uint_eq(known.n_trouble, SEEN_IN_ALL / FX_PATHS);
	ck_assert(brought(path_of(1)) && !brought(path_of(MANY)));
	the_single_are_told_by_their_paths();
}
END_TEST

START_TEST(hosts_that_have_seen_trouble_come_first)
{
	pause_one(id_of(path_of(1)), true);
	pause_one(id_of(path_of(MANY)), true);
	pause_host(MANY);
	load();
	ck_assert_uint_eq(known.n_trouble, 3);
	ck_assert(brought(path_of(1)) && brought(path_of(MANY)));
}
END_TEST

START_TEST(a_failure_that_is_over_is_a_trouble_that_was_seen)
{
	struct rp_claim claim;
	unsigned host;

	for (host = 1; host <= MANY; host++)
		pause_one(id_of(path_of(host)), true);
	for (host = 1; host < MANY; host++)
		pause_host(host);
	for (host = FIRST_SINGLE; host < FIRST_SINGLE + SINGLE; host++)
		pause_one(id_of(host), true);
	claim = fx_claim();
	ck_assert_uint_eq(rp_level_host(claim.endpoint), rp_level_host(id_of(path_of(MANY))));
	fx_settle(&claim, RP_SETTLE_RETRY);
	for (host = 1; host < MANY; host++)
		pause_one(rp_level_host(id_of(path_of(host))), false);
	load();
	ck_assert(brought(path_of(MANY)));
}
END_TEST

/* Half of what is looked at is left for those that are told by their paths alone. */
START_TEST(many_hosts_in_trouble_leave_room_for_others)
{
	unsigned host;

	for (host = 1; host <= MANY; host++) {
		pause_one(id_of(path_of(host)), true);
		pause_host(host);
	}
	load();
	ck_assert_uint_eq(known.n_trouble, MANY + SEEN_IN_ALL / FX_PATHS / 2);
	the_single_are_told_by_their_paths();
}
END_TEST

/* --- by section --------------------------------------------------------------------------- */

START_TEST(paths_are_split_by_section_only_for_those_who_ask)
{
	static const char text[] = "[endpoint \"wide\"]\nurl = https://k1.example/hook\n"
				   "[endpoint \"narrow\"]\nurl = https://k1.example/hook/7\n";
	struct rp_config split;
	struct rp_statistics st;

	rp_config_init(&split);
	fx_must(rp_config_parse(&split, "x", rp_span_of(text), &fx.err), "config");
	pause_one(id_of(path_of(1)), true);
	fx_must(rp_statistics_read(fx.ob, &split, fx.now_ms, fx.boot_ms, &st, &fx.err), "read");
	ck_assert_ptr_null(st.split);
	fx_must(rp_statistics_split(&st, fx.ob, &split, &fx.err), "split");
	ck_assert_ptr_nonnull(st.split);
	ck_assert_uint_eq(st.split[0].waiting, FX_PATHS - 1);
	ck_assert_uint_eq(st.split[0].paused, 1);
	ck_assert_uint_eq(st.split[1].waiting, 1);
	/* of the host with sections, and of no other */
	ck_assert_uint_eq(st.split[2].waiting, 0);
	rp_statistics_release(&st);
	rp_config_release(&split);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("report_endpoints");
	TCase *tcase = tcase_create("all");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_add_test(tcase, all_are_counted_though_not_all_are_looked_at);
	tcase_add_test(tcase,
		       hosts_that_have_seen_no_trouble_are_looked_at_as_long_as_there_is_room);
	tcase_add_test(tcase, hosts_that_have_seen_trouble_come_first);
	tcase_add_test(tcase, a_failure_that_is_over_is_a_trouble_that_was_seen);
	tcase_add_test(tcase, many_hosts_in_trouble_leave_room_for_others);
	tcase_add_test(tcase, paths_are_split_by_section_only_for_those_who_ask);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? 0 : 1;
}
