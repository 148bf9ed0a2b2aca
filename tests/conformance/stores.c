/* stores.c - the stores that are judged. A new one gets a row in the table at the end. */

#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "conformance/fixture.h"
#include "conformance/fixture_int.h"
#include "conformance/memory/store_memory.h"

/* --- LMDB, in a new directory ------------------------------------------------------------ */

/* In memory, where there is such a file system: what a flush does is not looked at here. */
static void *make_dir(void)
{
	const char *root = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
	char *dir = malloc(64);

	ck_assert_ptr_nonnull(dir);
	snprintf(dir, 64, "%s/outbox-XXXXXX", root);
	ck_assert_msg(mkdtemp(dir) != NULL, "%s: %s", dir, strerror(errno));
	return dir;
}

static enum rp_err open_dir(void *place, const struct rp_outbox_options *options,
			    struct rp_outbox **out, struct rp_error *err)
{
	return rp_outbox_open(place, options, out, err);
}

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
	(void)st;
	(void)flag;
	(void)ftw;
	return remove(path);
}

static void remove_dir(void *place)
{
	nftw(place, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	free(place);
}

/* --- memory ------------------------------------------------------------------------------ */

static void *make_world(void)
{
	return rp_memory_world_new();
}

static enum rp_err open_world(void *place, const struct rp_outbox_options *options,
			      struct rp_outbox **out, struct rp_error *err)
{
	(void)err;
	rp_memory_open(place, options, out);
	return RP_OK;
}

static void remove_world(void *place)
{
	rp_memory_world_free(place);
}

/* --- PostgreSQL: store_postgres.c ---------------------------------------------------------- */

#if !RP_POSTGRES
static const char *not_built(void)
{
	return "this build has no such store (POSTGRES=0)";
}
#endif

const struct fx_store fx_stores[FX_STORES] = {
    {"lmdb", make_dir, open_dir, remove_dir, NULL, false, true},
    {"memory", make_world, open_world, remove_world, NULL, true, true},
#if RP_POSTGRES
    {"postgres", fx_schema_make, fx_schema_open, fx_schema_remove, fx_schema_missing, false, false},
#else
    {"postgres", NULL, NULL, NULL, not_built, false, false},
#endif
};
