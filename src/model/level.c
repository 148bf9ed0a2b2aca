/* level.c - the numbers and names of paths, sections and hosts. */

#include "model/level.h"

#include <string.h>

const char *rp_level_name(enum rp_level level)
{
	static const char *const names[RP_LEVELS] = {
	    [RP_LEVEL_PATH] = "path",
	    [RP_LEVEL_SECTION] = "section",
	    [RP_LEVEL_HOST] = "host",
	};

	return names[level];
}

uint64_t rp_level_new_host(uint64_t n, bool *may_be_taken)
{
	const uint64_t numbers = RP_HOST_NUMBERS - 1; /* 0 is none */

	*may_be_taken = n > numbers;
	return rp_level_id((n - 1) % numbers + 1, 0);
}

uint64_t rp_level_new_path(uint64_t host, uint64_t n, bool *may_be_taken)
{
	const uint64_t numbers = RP_MEMBER_NUMBERS - RP_MEMBER_PATHS;

	*may_be_taken = n >= numbers;
	return host + RP_MEMBER_PATHS + n % numbers;
}

struct rp_span rp_level_host_name(struct rp_span endpoint_name)
{
	const char *end = endpoint_name.ptr + endpoint_name.len, *at = endpoint_name.ptr;
	const char *scheme = memmem(at, endpoint_name.len, "://", 3);
	const char *path;

	if (scheme != NULL)
		at = scheme + 3;
	path = at < end ? memchr(at, '/', (size_t)(end - at)) : NULL;
	return (struct rp_span){endpoint_name.ptr,
				(size_t)((path != NULL ? path : end) - endpoint_name.ptr)};
}

bool rp_level_section_name(struct rp_span host, struct rp_span section, struct rp_buf *out)
{
	return rp_buf_add(out, host.ptr, host.len) && rp_buf_add_text(out, " [") &&
	       rp_buf_add(out, section.ptr, section.len) && rp_buf_add_text(out, "]");
}

bool rp_level_is_section_named(struct rp_span name, struct rp_span section)
{
	const char *end = name.ptr + name.len;

	return name.len >= section.len + 3 && end[-1] == ']' &&
	       memcmp(end - 1 - section.len, section.ptr, section.len) == 0 &&
	       memcmp(end - 3 - section.len, " [", 2) == 0;
}
