/* stores.c - the stores that are judged. A new one gets a row in the table at the end. */

#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "conformance/fixture.h"
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

/* --- PostgreSQL, in a new schema of the server that RP_POSTGRES names -------------------- */

#define ADDRESS_MAX 1024

static char *address_of_schema(const char *schema)
{
	const char *server = getenv("RP_POSTGRES");
	char *address = malloc(ADDRESS_MAX);

	ck_assert_ptr_nonnull(address);
	snprintf(address, ADDRESS_MAX, "%s%cschema=%s", server,
		 strchr(server, '?') != NULL ? '&' : '?', schema);
	return address;
}

static void *make_schema(void)
{
	char schema[64];
	static unsigned n;

	snprintf(schema, sizeof schema, "t%d_%u", (int)getpid(), n++);
	return address_of_schema(schema);
}

static void remove_schema(void *place)
{
	free(place);
}

const struct fx_store fx_stores[FX_STORES] = {
    {"lmdb", make_dir, open_dir, remove_dir, false},
    {"memory", make_world, open_world, remove_world, true},
    {"postgres", make_schema, open_dir, remove_schema, true},
};
