/* dead_group.c - groups dead letters by cause and endpoint, and names a group by a key. Pure, so
 * that a key from one verb selects the same in another. */

#include "model/dead_group.h"

#include <inttypes.h>
#include <stdio.h>

#include "model/level.h"

struct rp_dead_group rp_dead_group_of(enum rp_cause cause, enum rp_cause last_cause,
				      unsigned http_status, uint64_t endpoint)
{
	struct rp_dead_group g = {.cause = cause, .last_cause = last_cause, .endpoint = endpoint};

	if (last_cause == RP_CAUSE_HTTP)
		g.http_status = http_status;
	return g;
}

bool rp_dead_group_has(const struct rp_dead_group *g, const struct rp_dead_group *member)
{
	struct rp_dead_group of_host = *member;

	if (rp_level_of(g->endpoint) == RP_LEVEL_HOST)
		of_host.endpoint = rp_level_host(member->endpoint);
	return rp_dead_group_compare(g, &of_host) == 0;
}

int rp_dead_group_compare(const struct rp_dead_group *a, const struct rp_dead_group *b)
{
	if (a->endpoint != b->endpoint)
		return a->endpoint < b->endpoint ? -1 : 1;
	if (a->cause != b->cause)
		return a->cause < b->cause ? -1 : 1;
	if (a->last_cause != b->last_cause)
		return a->last_cause < b->last_cause ? -1 : 1;
	return a->http_status < b->http_status ? -1 : a->http_status > b->http_status;
}

const char *rp_dead_group_format(const struct rp_dead_group *g, char out[RP_DEAD_GROUP_TEXT_MAX])
{
	char cause[RP_CAUSE_TEXT_MAX], last[RP_CAUSE_TEXT_MAX];

	snprintf(out, RP_DEAD_GROUP_TEXT_MAX, "%s:%s:%" PRIu64, rp_cause_format(g->cause, 0, cause),
		 rp_cause_format(g->last_cause, g->http_status, last), g->endpoint);
	return out;
}

/* Takes the text up to the next colon off the front. */
static bool next_part(struct rp_span *rest, struct rp_span *part)
{
	const char *colon = rest->len > 0 ? memchr(rest->ptr, ':', rest->len) : NULL;

	if (colon == NULL)
		return false;
	*part = (struct rp_span){rest->ptr, (size_t)(colon - rest->ptr)};
	rest->len -= part->len + 1;
	rest->ptr = colon + 1;
	return true;
}

static bool parse_cause(struct rp_span text, enum rp_cause *cause, unsigned *http_status)
{
	*cause = RP_CAUSE_NONE;
	*http_status = 0;
	return text.len == 0 || rp_cause_parse(text, cause, http_status);
}

static bool parse_number(struct rp_span text, uint64_t *out)
{
	size_t i;

	*out = 0;
	for (i = 0; i < text.len; i++) {
		if (text.ptr[i] < '0' || text.ptr[i] > '9' ||
		    __builtin_mul_overflow(*out, UINT64_C(10), out) ||
		    __builtin_add_overflow(*out, (uint64_t)(text.ptr[i] - '0'), out))
			return false;
	}
	return text.len > 0;
}

bool rp_dead_group_parse(struct rp_span text, struct rp_dead_group *out)
{
	struct rp_span cause, last;
	unsigned unused;

	return next_part(&text, &cause) && next_part(&text, &last) &&
	       parse_cause(cause, &out->cause, &unused) &&
	       parse_cause(last, &out->last_cause, &out->http_status) &&
	       parse_number(text, &out->endpoint);
}
