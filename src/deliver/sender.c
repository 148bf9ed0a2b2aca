/* sender.c - creates a sender, runs its loop and ends it. It is apart from the parts of a step,
 * which are in the sender_ files beside it and share sender_state.h. */

#include "deliver/sender.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/backoff.h"
#include "base/log.h"
#include "deliver/sender_attempt.h"
#include "deliver/sender_maintenance.h"
#include "deliver/sender_list.h"
#include "deliver/sender_offer.h"
#include "deliver/sender_places.h"
#include "deliver/sender_settings.h"
#include "deliver/sender_state.h"
#include "deliver/sender_exchange.h"

/* With --drain, an idle sender asks so often whether the others are done too. */
#define DRAIN_CHECK_MS 100
/* One stop may arrive twice, from the process group and from the supervisor. Only a later one means
 * "at once". */
#define STOP_AGAIN_MS 2000
/* Room for claims that wait for their begin, and for results that wait for an exchange. */
#define PREFETCH_MAX 1024

/* --- stepping ----------------------------------------------------------------------------- */

static void shorten(int64_t *wait_ms, int64_t candidate_ms)
{
	if (candidate_ms < 0)
		candidate_ms = 0;
	if (candidate_ms < *wait_ms)
		*wait_ms = candidate_ms;
}

static int wait_for(const struct rp_sender *s)
{
	int64_t wait_ms = s->heartbeat_boot_ms + HEARTBEAT_MS - s->now_boot_ms;
	int64_t next_ms = rp_sender_next_exchange_ms(s);
	int64_t start_ms = rp_sender_next_start_ms(s);
	int transport_ms = s->o.transport->timeout_ms(s->o.transport);

	if (s->clock_fix.more || s->renewal.more)
		return 0;
	if (start_ms >= 0)
		shorten(&wait_ms, start_ms);
	if (next_ms >= 0)
		shorten(&wait_ms, next_ms);
	if (s->stop_boot_ms == 0 && s->idle.n > 0 && s->ready_at_ms > s->now_at_ms &&
	    s->ready_at_ms - s->now_at_ms < wait_ms)
		shorten(&wait_ms, s->ready_at_ms - s->now_at_ms);
	if (s->stop_boot_ms == 0 && s->jobs_at_ms != RP_NEVER)
		shorten(&wait_ms, s->jobs_at_ms - s->now_at_ms);
	if (transport_ms >= 0)
		shorten(&wait_ms, transport_ms);
	if (s->stop_boot_ms != 0)
		shorten(&wait_ms, s->stop_boot_ms - s->now_boot_ms);
	if (s->reap_until_boot_ms > s->now_boot_ms)
		shorten(&wait_ms, s->reap_boot_ms - s->now_boot_ms);
	if (s->o.drain && s->idle.n == s->n_claims)
		shorten(&wait_ms, DRAIN_CHECK_MS);
	shorten(&wait_ms, HEARTBEAT_MS);
	return wait_ms < 0 ? 0 : (int)wait_ms;
}

static enum rp_err step_with_store(struct rp_sender *s, int *wait_ms, bool *done,
				   struct rp_error *err)
{
	enum rp_err e;

	rp_sender_drop_after_stall(s);
	e = rp_sender_end_exchange(s, false, err);
	if (e == RP_OK)
		e = rp_sender_maintain(s, err);
	if (e == RP_OK)
		s->o.transport->run(s->o.transport, rp_sender_on_done, s);
	if (s->cannot_begin[0] != '\0' && e == RP_OK)
		e = rp_fail(err, RP_ERR_NOMEM, "not one request can be begun: %s", s->cannot_begin);
	if (e == RP_OK) {
		rp_sender_return_surplus(s);
		rp_sender_return_late(s);
	}
	if (e == RP_OK && rp_sender_next_exchange_ms(s) == 0) {
		e = rp_sender_begin_exchange(s, err);
		/* A commit may wait for the write lock or the disk for longer than a lease. */
		s->now_boot_ms = rp_sys_boot_ms(s->o.sys);
		rp_sender_drop_after_stall(s);
	}
	if (e == RP_OK)
		e = rp_sender_start_ready(s, err);
	if (e != RP_OK)
		return e;
	if (s->idle.n == s->n_claims && !s->exchange_under_way &&
	    (s->stop_boot_ms != 0 || s->o.drain)) {
		e = s->stop_boot_ms != 0 ? rp_sender_withdraw(s, err)
					 : rp_sender_is_drained(s, done, err);
		if (s->stop_boot_ms != 0)
			*done = e == RP_OK && s->idle.n == s->n_claims;
	}
	if (s->stop_boot_ms != 0 && s->now_boot_ms >= s->stop_boot_ms) {
		rp_log(RP_LOG_WARN, "stop_grace_over", "unfinished=%zu", s->running);
		*done = true;
		if (e == RP_OK)
			e = rp_sender_settle_rest(s, err);
	}
	rp_sender_offer(s);
	*wait_ms = wait_for(s);
	return e;
}

/* --- a store that is away ----------------------------------------------------------------- */

static bool is_away(const struct rp_sender *s)
{
	return s->away_ms != 0;
}

/* Requests under way go on. Nothing else begins: each begin asks the store. */
static void go_away(struct rp_sender *s, const struct rp_error *why)
{
	char text[RP_ERROR_TEXT_MAX + 16];

	if (!is_away(s))
		rp_log(RP_LOG_WARN, "store_away", "running=%zu unsettled=%zu why=%s", s->running,
		       s->finished.n, rp_log_quote(why->text, text, sizeof text));
	rp_sender_return_ready(s);
	s->away_ms = rp_backoff_next_ms(s->away_ms);
	s->away_until_boot_ms = rp_sys_boot_ms(s->o.sys) + s->away_ms;
}

static void come_back(struct rp_sender *s)
{
	if (!is_away(s))
		return;
	rp_log(RP_LOG_INFO, "store_back", "running=%zu unsettled=%zu", s->running, s->finished.n);
	s->away_ms = s->away_until_boot_ms = 0;
}

static void step_alone(struct rp_sender *s, int *wait_ms, bool *done)
{
	int64_t left_ms = s->away_until_boot_ms - s->now_boot_ms;
	int transport_ms;

	s->o.transport->run(s->o.transport, rp_sender_on_done, s);
	transport_ms = s->o.transport->timeout_ms(s->o.transport);
	if (transport_ms >= 0)
		shorten(&left_ms, transport_ms);
	if (s->stop_boot_ms != 0)
		shorten(&left_ms, s->stop_boot_ms - s->now_boot_ms);
	*done = s->stop_boot_ms != 0 && s->now_boot_ms >= s->stop_boot_ms;
	*wait_ms = left_ms < 0 ? 0 : (int)left_ms;
}

enum rp_err rp_sender_step(struct rp_sender *s, int *wait_ms, bool *done, struct rp_error *err)
{
	enum rp_err e;

	*done = false;
	*wait_ms = 0;
	s->now_at_ms = rp_sys_wall_ms(s->o.sys);
	s->now_boot_ms = rp_sys_boot_ms(s->o.sys);
	if (is_away(s) && s->now_boot_ms < s->away_until_boot_ms) {
		step_alone(s, wait_ms, done);
		return RP_OK;
	}
	if (is_away(s))
		s->ready_at_ms = s->now_at_ms; /* what came meanwhile was told to nobody */
	e = step_with_store(s, wait_ms, done, err);
	if (e == RP_OK)
		come_back(s);
	if (e != RP_ERR_AWAY)
		return e;
	go_away(s, err);
	step_alone(s, wait_ms, done);
	return RP_OK;
}

void rp_sender_stop(struct rp_sender *s)
{
	if (s->stop_boot_ms != 0)
		return;
	s->now_boot_ms = rp_sys_boot_ms(s->o.sys);
	s->stopped_boot_ms = s->now_boot_ms;
	s->stop_boot_ms = s->now_boot_ms + s->o.settings->config.stop_grace_ms;
	rp_log(RP_LOG_INFO, "stopping", "running=%zu returned=%zu", s->running,
	       rp_sender_n_ready(s) + s->n_ahead);
	rp_sender_return_ready(s);
}

/* The old settings may have had no valid key. The new ones may have one: so no endpoint is parked
 * because of the old ones. */
static void return_parking(struct rp_sender *s)
{
	struct rp_sender_claim *c;

	for (c = s->finished.first; c != NULL; c = c->next)
		if (c->settlement.kind == RP_SETTLE_PARK)
			c->settlement.kind = RP_SETTLE_RETURN;
}

enum rp_err rp_sender_reload(struct rp_sender *s, struct rp_settings *settings,
			     struct rp_error *err)
{
	/* The exchange under way asks for limits in the old settings. */
	enum rp_err e = rp_sender_end_exchange(s, true, err);

	if (e != RP_OK && e != RP_ERR_AWAY) {
		rp_settings_discard(settings);
		return e;
	}
	e = rp_sender_put_in_force(s, settings, settings, err);
	if (e != RP_OK) {
		rp_log(RP_LOG_ERROR, "reload_refused", "code=%s", rp_err_name(e));
		return RP_OK;
	}
	return_parking(s);
	/* What was claimed under other limits has neither the places nor the tokens of the new
	 * ones. */
	rp_sender_return_ready(s);
	s->renewal = (struct rp_renewal){0};
	e = rp_sender_renew_limits(s, err);
	if (e == RP_ERR_AWAY)
		go_away(s, err);
	return e == RP_ERR_AWAY ? RP_OK : e;
}

/* *over: this is a second stop, which ends the sender at once. */
static enum rp_err take_signal(struct rp_sender *s, int signal_fd, bool *over, struct rp_error *err)
{
	struct signalfd_siginfo info;
	struct rp_settings *next;

	if (read(signal_fd, &info, sizeof info) != (ssize_t)sizeof info)
		return rp_fail_sys(err, RP_ERR_IO, errno, "signalfd");
	if (info.ssi_signo == SIGHUP) {
		next = s->o.reload != NULL ? s->o.reload(s->o.reload_arg) : NULL;
		return next != NULL ? rp_sender_reload(s, next, err) : RP_OK;
	}
	*over =
	    s->stop_boot_ms != 0 && rp_sys_boot_ms(s->o.sys) - s->stopped_boot_ms >= STOP_AGAIN_MS;
	rp_sender_stop(s);
	return RP_OK;
}

enum rp_err rp_sender_run(struct rp_sender *s, int signal_fd, struct rp_error *err)
{
	struct pollfd fds[] = {
	    {signal_fd, POLLIN, 0},
	    {s->outbox_fd, POLLIN, 0},
	    {s->o.transport->fd(s->o.transport), POLLIN, 0},
	    {s->exchange_thread != NULL ? rp_exchange_thread_fd(s->exchange_thread) : -1, POLLIN,
	     0}};
	bool done = false, over = false;
	int wait_ms;
	enum rp_err e;

	for (;;) {
		e = rp_sender_step(s, &wait_ms, &done, err);
		if (e != RP_OK || done)
			return e;
		fds[1].fd =
		    !is_away(s) && (rp_sender_wants_more(s) || s->offered > 0) ? s->outbox_fd : -1;
		if (poll(fds, sizeof fds / sizeof fds[0], wait_ms) < 0 && errno != EINTR)
			return rp_fail_sys(err, RP_ERR_IO, errno, "poll");
		if ((fds[0].revents & POLLIN) != 0)
			e = take_signal(s, signal_fd, &over, err);
		if (e != RP_OK || over)
			return e;
	}
}

void rp_sender_read_counts(const struct rp_sender *s, struct rp_sender_counts *out)
{
	*out = s->counts;
}

/* --- life --------------------------------------------------------------------------------- */

static enum rp_err make_claims(struct rp_sender *s, struct rp_error *err)
{
	enum rp_err e;
	size_t i;

	s->n_claims = s->o.in_flight + rp_sender_prefetch(s) + PREFETCH_MAX;
	s->claims = calloc(s->n_claims, sizeof s->claims[0]);
	s->buffers = calloc(s->o.in_flight, sizeof s->buffers[0]);
	s->exchange_settlements = calloc(s->n_claims, sizeof s->exchange_settlements[0]);
	s->exchange_claims = calloc(s->n_claims, sizeof s->exchange_claims[0]);
	if (s->claims == NULL || s->buffers == NULL || s->exchange_settlements == NULL ||
	    s->exchange_claims == NULL)
		return rp_fail(err, RP_ERR_NOMEM, "out of memory");
	e = rp_sender_places_new(s, err);
	for (i = 0; i < s->n_claims; i++)
		rp_sender_list_push(&s->idle, &s->claims[i]);
	for (i = 0; i < s->o.in_flight; i++) {
		s->buffers[i].sender = s;
		s->buffers[i].next = s->free_buffers;
		s->free_buffers = &s->buffers[i];
	}
	return e;
}

enum rp_err rp_sender_new(const struct rp_sender_options *options, struct rp_sender **out,
			  struct rp_error *err)
{
	struct rp_sender *s = calloc(1, sizeof *s);
	enum rp_err e;
	char role[24];

	*out = NULL;
	if (s == NULL)
		return rp_fail(err, RP_ERR_NOMEM, "out of memory");
	s->o = *options;
	s->concurrency = (struct rp_concurrency){.max = s->o.in_flight, .limit = s->o.in_flight};
	rp_sender_list_init(&s->idle);
	rp_sender_list_init(&s->ready);
	rp_sender_list_init(&s->metered);
	rp_sender_list_init(&s->finished);
	rp_sender_list_init(&s->settling);
	rp_sender_list_init(&s->in_vain);
	s->now_at_ms = rp_sys_wall_ms(s->o.sys);
	s->now_boot_ms = s->heartbeat_boot_ms = s->expire_boot_ms = rp_sys_boot_ms(s->o.sys);
	e = rp_sender_put_in_force(s, options->settings, NULL, err);
	if (e == RP_OK)
		e = make_claims(s, err);
	if (e == RP_OK && options->background)
		e = rp_exchange_thread_open(s->o.outbox, &s->exchange_thread, err);
	if (e == RP_OK) /* before joining, so that no wakeup from now on is missed */
		e = rp_outbox_watch(s->o.outbox, RP_WATCH_WORK, &s->outbox_fd, err);
	if (e == RP_OK)
		e = rp_outbox_join(s->o.outbox, s->now_at_ms, s->now_boot_ms, &s->id, err);
	if (e == RP_OK) {
		/* The attempt log and the inspector use the same name. */
		snprintf(role, sizeof role, "sender-%u", s->id.slot);
		rp_log_name(role);
	}
	if (e == RP_OK)
		e = rp_sender_reap(s, err);
	if (e == RP_OK) /* the clock may have been set back since the last sender ended */
		e = rp_sender_fix_clock(s, err);
	if (e == RP_OK) /* the senders before may have had another configuration */
		e = rp_sender_renew_limits(s, err);
	if (e != RP_OK) {
		rp_sender_free(s);
		return e;
	}
	*out = s;
	return RP_OK;
}

void rp_sender_free(struct rp_sender *s)
{
	struct rp_error err;
	size_t i;

	if (s == NULL)
		return;
	if (rp_sender_settle_rest(s, &err) != RP_OK)
		rp_log(RP_LOG_WARN, "leave_failed", "why=%s unsettled=%zu", rp_err_name(err.code),
		       s->finished.n);
	if (rp_outbox_leave(s->o.outbox, rp_sys_wall_ms(s->o.sys), &err) != RP_OK)
		rp_log(RP_LOG_WARN, "leave_failed", "why=%s",
		       rp_err_name(err.code)); /* the next sender returns its claims */
	rp_exchange_thread_close(s->exchange_thread);
	for (i = 0; s->buffers != NULL && i < s->o.in_flight; i++) {
		rp_dispatch_release(&s->buffers[i].dispatch);
		rp_attempt_request_release(&s->buffers[i].attempt);
	}
	rp_sender_release_settings(s);
	rp_buf_release(&s->long_payload);
	free(s->claims);
	free(s->buffers);
	free(s->exchange_settlements);
	free(s->exchange_claims);
	rp_sender_places_free(s);
	free(s);
}
