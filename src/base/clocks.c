/* clocks.c - reads the clocks of the system. Only the log and base/sys.c ask here. */

#include "base/clocks.h"

int64_t rp_clocks_us(clockid_t id)
{
	struct timespec ts;

	clock_gettime(id, &ts);
	return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}
