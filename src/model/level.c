/* level.c - the names of the levels. */

#include "model/level.h"

const char *rp_level_name(enum rp_level level)
{
	static const char *const names[RP_LEVELS] = {
	    [RP_LEVEL_PATH] = "path",
	    [RP_LEVEL_SECTION] = "section",
	    [RP_LEVEL_HOST] = "host",
	};

	return names[level];
}
