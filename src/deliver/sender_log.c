/* sender_log.c - writes the sender's log lines. It is apart so that their words and keys are in
 * one place. */

#include "deliver/sender_log.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/log.h"
#include "config/redact.h"

void rp_sender_log_settled(const struct rp_sender_claim *c)
{
	const struct rp_settlement *st = &c->settlement;
	char id[RP_ID_TEXT_MAX], cause[RP_CAUSE_TEXT_MAX], at[RP_CAUSE_TEXT_MAX],
	    detail[RP_DETAIL_TEXT_MAX + 8], trace[sizeof c->trace + 8] = "";

	if (st->kind == RP_SETTLE_RETURN ||
	    (st->kind == RP_SETTLE_DELIVERED && !st->stale && !rp_log_is_on(RP_LOG_DEBUG)))
		return;
	if (c->id_known)
		rp_id_format(c->id, id);
	else
		/* Its record is damaged. The sequence number in the line leads to it. */
		snprintf(id, sizeof id, "unreadable");
	if (c->id_known && c->trace[0] != '\0')
		snprintf(trace, sizeof trace, " trace=%s", c->trace);
	rp_cause_format(c->outcome.cause, c->outcome.http_status, at);
	if (st->kind == RP_SETTLE_PARK) {
		if (st->parked)
			rp_log(RP_LOG_ERROR, st->cause == RP_CAUSE_NO_KEY ? "no_key" : "put_off",
			       "id=%s%s next_at_ms=%" PRId64 " detail=%s", id, trace, st->due_at_ms,
			       rp_log_quote(c->outcome.detail, detail, sizeof detail));
		return;
	}
	if (st->stale)
		rp_log(RP_LOG_WARN, "late_result", "id=%s%s attempt=%" PRIu32 " outcome=%s", id,
		       trace, st->attempt, st->kind == RP_SETTLE_DELIVERED ? "delivered" : at);
	else if (st->kind == RP_SETTLE_DELIVERED)
		rp_log(RP_LOG_DEBUG, "delivered",
		       "id=%s%s attempt=%" PRIu32 " status=%u ms=%" PRId64, id, trace, st->attempt,
		       c->outcome.http_status, c->outcome.duration_us / 1000);
	else if (st->kind == RP_SETTLE_RETRY)
		rp_log(RP_LOG_INFO, "failed",
		       "id=%s%s attempt=%" PRIu32 " cause=%s next_at_ms=%" PRId64 " detail=%s", id,
		       trace, st->attempt, at, st->due_at_ms,
		       rp_log_quote(c->outcome.detail, detail, sizeof detail));
	else
		rp_log(RP_LOG_WARN, "dead",
		       "id=%s%s seq=%" PRIu64 " attempt=%" PRIu32 " cause=%s last=%s detail=%s", id,
		       trace, st->seq, st->attempt,
		       rp_cause_format(st->cause, c->outcome.http_status, cause), at,
		       rp_log_quote(c->outcome.detail, detail, sizeof detail));
}

void rp_sender_log_lack(struct rp_sender *s, const char *what)
{
	char text[RP_DETAIL_TEXT_MAX + 8];

	if (what != NULL && !s->shortage_told)
		rp_log(RP_LOG_WARN, "short_of", "what=%s in_flight=%zu configured=%u",
		       rp_log_quote(what, text, sizeof text), s->concurrency.limit, s->o.in_flight);
	if (what == NULL && s->shortage_told)
		rp_log(RP_LOG_INFO, "short_no_more", "in_flight=%zu", s->concurrency.limit);
	s->shortage_told = what != NULL;
}

/* This is rare, so the name may cost a transaction. A name that cannot be read is shown as the
 * number of the endpoint. */
static void get_name(struct rp_sender *s, uint64_t id, struct rp_buf *name)
{
	struct rp_buf stored = {0};
	struct rp_error err;

	if (rp_outbox_endpoint_name(s->o.outbox, id, &stored, &err) != RP_OK ||
	    !rp_redact_endpoint(&s->o.settings->config, (struct rp_span){stored.data, stored.len},
				name)) {
		rp_buf_clear(name);
		rp_buf_printf(name, "%" PRIu64, id);
	}
	rp_buf_release(&stored);
}

static void log_breaker(struct rp_sender *s, const struct rp_sender_claim *c, enum rp_level level,
			enum rp_control_change change)
{
	const struct rp_settlement *st = &c->settlement;
	const char *what = level == RP_LEVEL_HOST ? "host" : "endpoint";
	struct rp_buf name = {0};
	char at[RP_CAUSE_TEXT_MAX];

	get_name(s, level == RP_LEVEL_HOST ? rp_level_host(c->claim.endpoint) : c->claim.endpoint,
		 &name);
	rp_cause_format(c->outcome.cause, c->outcome.http_status, at);
	if (change == RP_CONTROL_OPENED)
		rp_log(RP_LOG_WARN, "breaker_open",
		       "%s=%.*s cause=%s streak=%" PRIu32 " probe_at_ms=%" PRId64, what,
		       (int)name.len, name.data, at, st->bad_streak[level], st->probe_at_ms[level]);
	else if (change == RP_CONTROL_PROBED)
		rp_log(RP_LOG_INFO, "breaker_probe", "%s=%.*s seq=%" PRIu64, what, (int)name.len,
		       name.data, c->claim.seq);
	else
		rp_log(RP_LOG_INFO, "breaker_closed", "%s=%.*s", what, (int)name.len, name.data);
	rp_buf_release(&name);
}

void rp_sender_log_breakers(struct rp_sender *s, const struct rp_sender_claim *c)
{
	int l;

	for (l = 0; l < RP_LEVELS; l++)
		if (c->settlement.change[l] != RP_CONTROL_SAME)
			log_breaker(s, c, (enum rp_level)l, c->settlement.change[l]);
}

void rp_sender_log_probes(struct rp_sender *s, const struct rp_sender_claim *c)
{
	int l;

	for (l = 0; l < RP_LEVELS; l++)
		if (c->claim.probes[l])
			log_breaker(s, c, (enum rp_level)l, RP_CONTROL_PROBED);
}
