/* libpq.c - loads libpq. It is never unloaded: its libraries leave handlers behind. */
#include "store/postgres/libpq.h"

#include <dlfcn.h>
#include <pthread.h>
#include <string.h>

#define LIBPQ "libpq.so.5"

static struct rp_libpq libpq;
static bool loaded;

static enum rp_err find_all(void *library, struct rp_error *err)
{
	const char *missing = NULL;
	void *found;

	/* A function's address comes as a void *, which C does not let us cast. */
#define X(function)                                                                                \
	found = dlsym(library, #function);                                                         \
	memcpy(&libpq.function, &found, sizeof found);                                             \
	if (found == NULL)                                                                         \
		missing = #function;
	RP_LIBPQ_FUNCTIONS(X)
#undef X
	if (missing != NULL)
		return rp_fail(err, RP_ERR_INVAL, LIBPQ " has no %s: version 14 or newer is needed",
			       missing);
	loaded = true;
	return RP_OK;
}

enum rp_err rp_libpq_load(const struct rp_libpq **out, struct rp_error *err)
{
	static pthread_mutex_t one_loads = PTHREAD_MUTEX_INITIALIZER;
	enum rp_err e = RP_OK;
	void *library;

	pthread_mutex_lock(&one_loads);
	if (!loaded) {
		library = dlopen(LIBPQ, RTLD_NOW | RTLD_LOCAL);
		if (library == NULL)
			e = rp_fail(err, RP_ERR_INVAL,
				    "an outbox in PostgreSQL needs " LIBPQ ": install libpq5 (%s)",
				    dlerror());
		else
			e = find_all(library, err);
	}
	pthread_mutex_unlock(&one_loads);
	*out = &libpq;
	return e;
}

const struct rp_libpq *rp_libpq_loaded(void)
{
	return &libpq;
}
