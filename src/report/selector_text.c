/* selector_text.c - words a selection again, in a fixed order and without secrets. It is the
 * reverse of selector.c. */

#include "report/selector_text.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/units.h"
#include "text/shell.h"
#include "report/shown.h"

static bool add_text(struct rp_buf *out, const char *name, const char *value)
{
	return value == NULL || (rp_buf_printf(out, "%s--%s ", out->len > 0 ? " " : "", name) &&
				 rp_shell_quote(value, out));
}

static bool add_states(const struct rp_selector *s, struct rp_buf *out)
{
	const char *comma = "";
	bool ok = s->states == 0 || rp_buf_printf(out, "%s--state ", out->len > 0 ? " " : "");
	int state;

	for (state = RP_STATE_WAITING; state <= RP_STATE_DEAD && ok; state++) {
		bool retrying = state == RP_STATE_WAITING && s->retrying_only;

		if ((s->states & RP_STATE_BIT(state)) == 0)
			continue;
		ok = rp_buf_printf(out, "%s%s", comma,
				   retrying ? "retrying" : rp_state_name((enum rp_state)state));
		comma = ",";
	}
	return ok;
}

static bool add_ids(const struct rp_selector *s, struct rp_buf *out)
{
	char id[RP_ID_TEXT_MAX];

	if (!s->by_id)
		return true;
	if (s->n_ids == 0)
		return rp_buf_add_text(out, "no ids");
	return rp_buf_add_text(out, rp_id_format(s->ids[0], id)) &&
	       (s->n_ids == 1 || rp_buf_printf(out, " and %zu more ids", s->n_ids - 1));
}

static bool add_time(struct rp_buf *out, const char *name, bool has, int64_t at_ms)
{
	char text[RP_TIME_TEXT_MAX];

	return !has || add_text(out, name, rp_time_format(at_ms, text));
}

static bool add_attempts(const struct rp_selector *s, struct rp_buf *out)
{
	char text[40];

	if (!s->has_attempts)
		return true;
	if (s->attempts_min == s->attempts_max)
		snprintf(text, sizeof text, "%" PRIu32, s->attempts_min);
	else if (s->attempts_max == UINT32_MAX)
		snprintf(text, sizeof text, ">=%" PRIu32, s->attempts_min);
	else
		snprintf(text, sizeof text, "<=%" PRIu32, s->attempts_max);
	return add_text(out, "attempts", text);
}

static bool add_numbers(const struct rp_selector *s, struct rp_buf *out)
{
	char group[RP_DEAD_GROUP_TEXT_MAX], cause[RP_CAUSE_TEXT_MAX], text[RP_DURATION_TEXT_MAX];

	return (!s->has_cause ||
		add_text(out, "cause", rp_cause_format(s->cause, s->http_status, cause))) &&
	       (!s->has_group || add_text(out, "group", rp_dead_group_format(&s->group, group))) &&
	       add_attempts(s, out) && add_time(out, "since", s->has_since, s->since_at_ms) &&
	       add_time(out, "until", s->has_until, s->until_at_ms) &&
	       (!s->has_older ||
		add_text(out, "older-than", rp_duration_format(s->older_than_ms, text))) &&
	       (!s->has_limit ||
		rp_buf_printf(out, "%s--limit %" PRIu64, out->len > 0 ? " " : "", s->limit));
}

bool rp_selector_text(const struct rp_selector *s, struct rp_buf *out)
{
	/* what stands behind the path of a URL may be a secret */
	struct rp_span glob = {s->endpoint.glob,
			       s->has_endpoint ? strcspn(s->endpoint.glob, "?#") : 0};
	struct rp_buf room = {0}, word = {0};
	bool ok;

	if (s->has_endpoint && strstr(s->endpoint.glob, "://") == NULL)
		glob.len = strlen(s->endpoint.glob); /* no URL: its '?' stands for any character */
	else if (s->has_endpoint && memchr(glob.ptr, '@', glob.len) != NULL)
		glob = rp_span_of("(withheld)");
	glob = rp_shown_pattern(s->endpoint.config, glob, &room);
	ok = rp_buf_add(&word, glob.ptr, glob.len) && add_ids(s, out) && add_states(s, out) &&
	     (!s->has_endpoint || add_text(out, "endpoint", word.data)) &&
	     add_text(out, "run", s->run_id) && add_text(out, "thread", s->thread_id) &&
	     add_text(out, "event", s->event) && add_numbers(s, out);
	rp_buf_release(&word);
	rp_buf_release(&room);
	return ok;
}
