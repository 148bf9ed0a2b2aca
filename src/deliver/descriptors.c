/* descriptors.c - works out how many requests and connections the descriptor limit allows. It is
 * apart because `send` must know before it makes the HTTP engine and the sender. */

#include "deliver/descriptors.h"

#include <dirent.h>
#include <inttypes.h>
#include <sys/resource.h>

#include "base/log.h"

#define QUARTERS_EACH 17              /* a request's descriptors: four and a quarter */
#define LOOKUP_EACH 3                 /* of them */
#define LIMIT_MAX ((uint64_t)1 << 31) /* the kernel knows no higher descriptors */
#define TAKEN_IF_UNKNOWN 32           /* without /proc: a sender has some 20 */

unsigned rp_descriptors_requests(uint64_t limit, uint64_t taken, unsigned wanted)
{
	uint64_t enough_for = limit > taken ? (limit - taken) * 4 / QUARTERS_EACH : 0;

	return enough_for < wanted ? (unsigned)enough_for : wanted;
}

unsigned rp_descriptors_connections(uint64_t limit, uint64_t taken, unsigned requests)
{
	uint64_t left = limit > taken ? limit - taken : 0,
		 lookups = (uint64_t)requests * LOOKUP_EACH;
	uint64_t most = (uint64_t)requests + RP_DESCRIPTORS_KEPT_MAX;

	left = left > lookups ? left - lookups : 0;
	return (unsigned)(left < most ? left : most);
}

uint64_t rp_descriptors_needed(uint64_t taken, unsigned wanted)
{
	return taken + ((uint64_t)wanted * QUARTERS_EACH + 3) / 4;
}

void rp_descriptors_raise(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
		limit.rlim_cur = limit.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &limit);
	}
}

static unsigned count_open(void)
{
	DIR *dir = opendir("/proc/self/fd");
	unsigned n = 0;
	struct dirent *entry;

	if (dir == NULL)
		return TAKEN_IF_UNKNOWN;
	while ((entry = readdir(dir)) != NULL)
		n += entry->d_name[0] != '.';
	closedir(dir);
	return n - 1; /* the directory itself */
}

enum rp_err rp_descriptors_fit(unsigned later, struct rp_descriptors *d, struct rp_error *err)
{
	unsigned wanted = d->requests, taken = count_open() + later;
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur > LIMIT_MAX)
		limit.rlim_cur = LIMIT_MAX;
	d->limit = limit.rlim_cur;
	d->requests = rp_descriptors_requests(d->limit, taken, wanted);
	d->connections = rp_descriptors_connections(d->limit, taken, d->requests);
	if (d->requests == wanted)
		return RP_OK;
	if (d->requests == 0)
		return rp_fail(err, RP_ERR_NOMEM,
			       "open files: the limit of %" PRIu64
			       " is not enough for a single request; %" PRIu64
			       " are needed for that and %" PRIu64
			       " for in_flight = %u: raise it (ulimit -n, LimitNOFILE of the unit)",
			       d->limit, rp_descriptors_needed(taken, 1),
			       rp_descriptors_needed(taken, wanted), wanted);
	rp_log(RP_LOG_WARN, "few_descriptors",
	       "limit=%" PRIu64 " in_flight=%u configured=%u needed=%" PRIu64
	       " text=\"open files: the limit of %" PRIu64
	       " is enough for %u requests at once, not for %u; raise it "
	       "(ulimit -n, LimitNOFILE of the unit) to %" PRIu64 "\"",
	       d->limit, d->requests, wanted, rp_descriptors_needed(taken, wanted), d->limit,
	       d->requests, wanted, rp_descriptors_needed(taken, wanted));
	return RP_OK;
}
