/* fixture.c - gives the conformance tests each store in turn. */

#include "conformance/fixture.h"

#include <stdio.h>
#include <stdlib.h>

#include "conformance/fixture_int.h"

struct fx_at fx_at;

int fx_main(Suite *(*suite)(void))
{
	const char *only = getenv("RP_CONFORMANCE_STORE");
	int failed = 0, i;

	for (i = 0; i < FX_STORES; i++) {
		const char *missing;
		SRunner *runner;

		if (only != NULL && strcmp(only, fx_stores[i].name) != 0)
			continue;
		missing = fx_stores[i].missing != NULL ? fx_stores[i].missing() : NULL;
		if (missing != NULL) {
			printf("skipped on %s: %s\n", fx_stores[i].name, missing);
			continue;
		}
		fx_at.store = &fx_stores[i];
		fx.on = fx_at.store->name;
		printf("on %s\n", fx.on);
		fflush(stdout);
		runner = srunner_create(suite());
		srunner_run_all(runner, CK_NORMAL);
		failed += srunner_ntests_failed(runner);
		srunner_free(runner);
	}
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

static void prepare(void)
{
	fx_prepare();
	fx_at.place = fx_at.store->make();
}

void fx_open(void)
{
	fx_must(fx_at.store->open(fx_at.place, &fx.options, &fx.ob, &fx.err), "open");
}

void fx_setup(void)
{
	prepare();
	fx_open();
	fx_join();
}

void fx_setup_with_peers(void)
{
	prepare();
	fx_peers_start();
	fx_open();
	fx_join();
}

void fx_teardown(void)
{
	fx_verify_sound();
	fx_close();
	fx_peers_stop();
	fx_at.store->remove(fx_at.place);
}
