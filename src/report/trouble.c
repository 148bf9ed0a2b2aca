/* trouble.c - says what is wrong with an outbox, a line each with the command that helps. It finds
 * trouble in the numbers alone; doctor.c looks closer. */

#include "report/statistics.h"

#include <inttypes.h>

#include "base/units.h"
#include "text/escape.h"

enum { USED_WARN = 80 /* percent of the quota, as doctor has it */, ENDPOINTS_SHOWN = 10 };

/* What a host is not given holds back all its paths. No verb resumes a section. */
static bool add_shared(const struct rp_statistics *st, const struct rp_known_endpoint *k,
		       const struct rp_place *place, struct rp_buf *out)
{
	const struct rp_control *c = &k->e.control;
	char cause[RP_CAUSE_TEXT_MAX], when[RP_WHEN_TEXT_MAX];
	bool ok;

	if (k->e.paused)
		ok = rp_buf_printf(out, "! %s: paused", k->name);
	else
		ok = rp_buf_printf(out, "! %s: the breaker of the %s is %s, last %s, probe %s",
				   k->name, rp_level_name(k->e.level), rp_breaker_name(c->breaker),
				   rp_cause_format(c->cause, c->http_status, cause),
				   c->breaker == RP_BREAKER_OPEN
				       ? rp_when(c->probe_at_ms, st->now_at_ms, when)
				       : "under way");
	ok = ok &&
	     rp_buf_printf(out, "; %" PRIu64 " entries of %" PRIu64 " path%s wait",
			   k->e.count[RP_STATE_WAITING], k->n_paths, k->n_paths == 1 ? "" : "s");
	if (k->e.level == RP_LEVEL_HOST)
		ok = ok && rp_buf_add_text(out, " -> ") &&
		     rp_command_add_on_endpoint(out, place, "runpostctl resume", k->name);
	return ok && rp_buf_add_char(out, '\n');
}

static bool add_endpoint(const struct rp_statistics *st, const struct rp_known_endpoint *k,
			 const struct rp_place *place, struct rp_buf *out)
{
	const char *state = rp_known_endpoint_state(k), *words = "runpostctl resume";
	bool is_command;
	char cause[RP_CAUSE_TEXT_MAX], when[RP_WHEN_TEXT_MAX];
	bool ok;

	if (strcmp(state, "failing") == 0) {
		words = "runpostctl explain --state retrying --limit 1 --endpoint";
		ok = rp_buf_printf(out, "! %s: %u failures in a row, last %s -> ", k->name,
				   k->e.streak,
				   rp_cause_format(k->e.last_cause, k->e.last_status, cause));
	} else if (strcmp(state, "parked") == 0) {
		ok = rp_buf_printf(
		    out, "! %s: parked after %u failures in a row, last %s, probe %s -> ", k->name,
		    k->e.control.bad_streak,
		    rp_cause_format(k->e.control.cause, k->e.control.http_status, cause),
		    k->e.control.breaker == RP_BREAKER_OPEN
			? rp_when(k->e.control.probe_at_ms, st->now_at_ms, when)
			: "under way");
	} else if (strcmp(state, "no_key") == 0) {
		return rp_buf_printf(out,
				     "! %s: no signing key is valid, and nothing is sent unsigned: "
				     "mend the secret, "
				     "reload the senders -> ",
				     k->name) &&
		       rp_command_add_check(out, place, k->name, &is_command) &&
		       rp_buf_add_char(out, '\n');
	} else {
		ok = rp_buf_printf(out, "! %s: %s -> ", k->name, state);
	}
	return ok && rp_command_add_on_endpoint(out, place, words, k->name) &&
	       rp_buf_add_char(out, '\n');
}

static bool add_no_sender(uint64_t n, const struct rp_place *place, struct rp_buf *out)
{
	struct rp_buf words = {0};
	bool is_command, ok;

	ok = rp_command_add_send(&words, place, &is_command) &&
	     rp_buf_printf(out, "! no sender is alive, %" PRIu64 " entr%s one%s%s\n", n,
			   n == 1 ? "y wants" : "ies want", is_command ? " -> " : ": ", words.data);
	rp_buf_release(&words);
	return ok;
}

static bool add_doctor(const struct rp_place *place, struct rp_buf *out)
{
	return rp_buf_add_text(out, " -> ") && rp_command_add(out, place, "runpostctl doctor") &&
	       rp_buf_add_char(out, '\n');
}

/* What holds up everybody. */
static bool add_store(const struct rp_statistics *st, const struct rp_place *place,
		      struct rp_buf *out)
{
	char text[RP_DURATION_TEXT_MAX];
	bool ok = true;

	if (st->info.refuses)
		ok = rp_buf_add_text(out, "! nothing is taken any more: ") &&
		     rp_text_tame(rp_span_of(st->info.refusal.text), out) && add_doctor(place, out);
	else if (rp_statistics_percent_used(st) >= USED_WARN)
		ok = rp_buf_printf(out, "! %u%% of the quota is used; at 100%% nothing is taken",
				   rp_statistics_percent_used(st)) &&
		     add_doctor(place, out);
	if (st->n_silent > 0)
		ok = ok &&
		     rp_buf_printf(out,
				   "! sender-%u gave no sign of life for %s, %u of %u beat -> kill "
				   "-CONT %" PRIu32 "\n",
				   st->silent.slot,
				   rp_duration_format(st->boot_ms - st->silent.beat_boot_ms, text),
				   st->n_alive - st->n_silent, st->n_alive, st->silent.pid);
	return ok;
}

bool rp_statistics_trouble(const struct rp_statistics *st, const struct rp_place *place,
			   struct rp_buf *out)
{
	const struct rp_ledger *l = &st->ledger;
	bool ok = true;
	uint64_t shown = 0;
	size_t i;

	if (!rp_statistics_balances(st))
		ok = rp_buf_add_text(out, "! the ledger does not balance -> ") &&
		     rp_command_add(out, place, "runpostctl verify") && rp_buf_add_char(out, '\n');
	ok = ok && add_store(st, place, out);
	if (st->n_alive == 0 && l->waiting + l->in_flight > 0)
		ok = ok && add_no_sender(l->waiting + l->in_flight, place, out);
	for (i = 0; ok && i < st->endpoints.n && shown < ENDPOINTS_SHOWN; i++) {
		const struct rp_known_endpoint *k = &st->endpoints.all[i];

		if (!rp_known_endpoint_is_trouble(k))
			continue;
		shown++;
		ok = k->e.level == RP_LEVEL_PATH ? add_endpoint(st, k, place, out)
						 : add_shared(st, k, place, out);
	}
	if (st->trouble > shown)
		ok = ok &&
		     rp_buf_printf(out, "! %" PRIu64 " more endpoints in trouble -> ",
				   st->trouble - shown) &&
		     rp_command_add(out, place, "runpostctl endpoints") &&
		     rp_buf_add_char(out, '\n');
	return ok;
}
