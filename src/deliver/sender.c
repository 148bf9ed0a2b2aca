/* sender.c - creates a sender, runs its loop and ends it. The parts of a step are in the sender_
 * files beside it, which share sender_int.h. */

#include "deliver/sender.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/log.h"
#include "deliver/sender_attempt.h"
#include "deliver/sender_house.h"
#include "deliver/sender_list.h"
#include "deliver/sender_settings.h"
#include "deliver/sender_state.h"
#include "deliver/sender_turn.h"

/* with --drain, how often an idle sender asks whether the others are done too */
#define DRAIN_LOOK_MS 100
/* a group and its supervisor pass one stop on twice: only a later one means "at once" */
#define STOP_AGAIN_MS 2000
/* room for claims that wait for a free place, and for results that wait for a turn */
#define AHEAD_MAX 1024

/* --- stepping ----------------------------------------------------------------------------- */

static void shorter(int64_t *wait_ms, int64_t candidate_ms)
{
	if (candidate_ms < 0)
		candidate_ms = 0;
	if (candidate_ms < *wait_ms)
		*wait_ms = candidate_ms;
}

static int wait_for(const struct rp_sender *s)
{
	int64_t wait_ms = s->beat_boot_ms + BEAT_MS - s->now_boot_ms;
	int64_t next_ms = rp_sender_next_turn_ms(s);
	int64_t start_ms = rp_sender_next_start_ms(s);
	int transport_ms = s->o.transport->timeout_ms(s->o.transport);

	if (s->clock_fix.more)
		return 0;
	if (start_ms >= 0)
		shorter(&wait_ms, start_ms);
	if (next_ms >= 0)
		shorter(&wait_ms, next_ms);
	if (s->stop_boot_ms == 0 && s->idle.n > 0 && s->ready_at_ms > s->now_at_ms &&
	    s->ready_at_ms - s->now_at_ms < wait_ms)
		shorter(&wait_ms, s->ready_at_ms - s->now_at_ms);
	if (s->stop_boot_ms == 0 && s->jobs_at_ms != RP_NEVER)
		shorter(&wait_ms, s->jobs_at_ms - s->now_at_ms);
	if (transport_ms >= 0)
		shorter(&wait_ms, transport_ms);
	if (s->stop_boot_ms != 0)
		shorter(&wait_ms, s->stop_boot_ms - s->now_boot_ms);
	if (s->reap_until_boot_ms > s->now_boot_ms)
		shorter(&wait_ms, s->reap_boot_ms - s->now_boot_ms);
	if (s->o.drain && s->idle.n == s->n_jobs)
		shorter(&wait_ms, DRAIN_LOOK_MS);
	shorter(&wait_ms, BEAT_MS);
	return wait_ms < 0 ? 0 : (int)wait_ms;
}

enum rp_err rp_sender_step(struct rp_sender *s, int *wait_ms, bool *done, struct rp_error *err)
{
	enum rp_err e;

	*done = false;
	*wait_ms = 0;
	s->now_at_ms = rp_sys_wall_ms(s->o.sys);
	s->now_boot_ms = rp_sys_boot_ms(s->o.sys);
	rp_sender_drop_after_stall(s);
	e = rp_sender_end_turn(s, false, err);
	if (e == RP_OK)
		e = rp_sender_keep_house(s, err);
	if (e == RP_OK)
		s->o.transport->run(s->o.transport, rp_sender_on_done, s);
	if (s->hopeless[0] != '\0' && e == RP_OK)
		e = rp_fail(err, RP_ERR_NOMEM, "not one request can be begun: %s", s->hopeless);
	if (e == RP_OK) {
		rp_sender_return_surplus(s);
		rp_sender_return_late(s);
	}
	if (e == RP_OK && rp_sender_next_turn_ms(s) == 0) {
		e = rp_sender_take_turn(s, err);
		/* A commit may wait for the write lock or the disk for longer than a lease
		 * lasts. */
		s->now_boot_ms = rp_sys_boot_ms(s->o.sys);
		rp_sender_drop_after_stall(s);
	}
	if (e == RP_OK)
		e = rp_sender_start_ready(s, err);
	if (e != RP_OK)
		return e;
	if (s->idle.n == s->n_jobs && !s->turn_under_way && (s->stop_boot_ms != 0 || s->o.drain)) {
		if (s->stop_boot_ms != 0)
			*done = true;
		else
			e = rp_sender_is_drained(s, done, err);
	}
	if (s->stop_boot_ms != 0 && s->now_boot_ms >= s->stop_boot_ms) {
		rp_log(RP_LOG_WARN, "stop_grace_over", "unfinished=%zu", s->running);
		*done = true;
		if (e == RP_OK)
			e = rp_sender_settle_rest(s, err);
	}
	*wait_ms = wait_for(s);
	return e;
}

void rp_sender_stop(struct rp_sender *s)
{
	if (s->stop_boot_ms != 0)
		return;
	s->now_boot_ms = rp_sys_boot_ms(s->o.sys);
	s->stopped_boot_ms = s->now_boot_ms;
	s->stop_boot_ms = s->now_boot_ms + s->o.settings->config.stop_grace_ms;
	rp_log(RP_LOG_INFO, "stopping", "running=%zu returned=%zu", s->running,
	       rp_sender_n_ready(s));
	rp_sender_return_ready(s);
}

/* What the old settings could not sign must not park the endpoint under the new ones. */
static void return_parking(struct rp_sender *s)
{
	struct rp_sender_job *j;

	for (j = s->finished.first; j != NULL; j = j->next)
		if (j->settlement.kind == RP_SETTLE_PARK)
			j->settlement.kind = RP_SETTLE_RETURN;
}

enum rp_err rp_sender_reload(struct rp_sender *s, struct rp_settings *settings,
			     struct rp_error *err)
{
	enum rp_err e = rp_sender_end_turn(s, true, err); /* it asks for limits in the old ones */

	if (e != RP_OK) {
		rp_settings_discard(settings);
		return e;
	}
	e = rp_sender_put_in_force(s, settings, settings, err);
	if (e != RP_OK) {
		rp_log(RP_LOG_ERROR, "reload_refused", "code=%s", rp_err_name(e));
		return RP_OK;
	}
	return_parking(s);
	e = rp_outbox_renew_limits(s->o.outbox, rp_sys_wall_ms(s->o.sys), err);
	if (e == RP_OK)
		e = rp_outbox_next_ready(s->o.outbox, &s->ready_at_ms, err);
	return e;
}

/* *over: the second stop, which is not to be waited for. */
static enum rp_err obey(struct rp_sender *s, int signal_fd, bool *over, struct rp_error *err)
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
	struct pollfd fds[] = {{signal_fd, POLLIN, 0},
			       {s->outbox_fd, POLLIN, 0},
			       {s->o.transport->fd(s->o.transport), POLLIN, 0},
			       {s->turner != NULL ? rp_turner_fd(s->turner) : -1, POLLIN, 0}};
	bool done = false, over = false;
	int wait_ms;
	enum rp_err e;

	for (;;) {
		e = rp_sender_step(s, &wait_ms, &done, err);
		if (e != RP_OK || done)
			return e;
		fds[1].fd = rp_sender_wants_more(s) ? s->outbox_fd : -1;
		if (poll(fds, sizeof fds / sizeof fds[0], wait_ms) < 0 && errno != EINTR)
			return rp_fail_sys(err, RP_ERR_IO, errno, "poll");
		if ((fds[0].revents & POLLIN) != 0)
			e = obey(s, signal_fd, &over, err);
		if (e != RP_OK || over)
			return e;
	}
}

void rp_sender_read_counts(const struct rp_sender *s, struct rp_sender_counts *out)
{
	*out = s->counts;
}

/* --- life --------------------------------------------------------------------------------- */

static enum rp_err make_jobs(struct rp_sender *s, struct rp_error *err)
{
	size_t i;

	s->n_jobs = s->o.in_flight + rp_sender_ahead(s) + AHEAD_MAX;
	s->jobs = calloc(s->n_jobs, sizeof s->jobs[0]);
	s->places = calloc(s->o.in_flight, sizeof s->places[0]);
	s->settlements = calloc(s->n_jobs, sizeof s->settlements[0]);
	s->claims = calloc(s->n_jobs, sizeof s->claims[0]);
	if (s->jobs == NULL || s->places == NULL || s->settlements == NULL || s->claims == NULL)
		return rp_fail(err, RP_ERR_NOMEM, "out of memory");
	for (i = 0; i < s->n_jobs; i++)
		rp_sender_list_push(&s->idle, &s->jobs[i]);
	for (i = 0; i < s->o.in_flight; i++) {
		s->places[i].sender = s;
		s->places[i].next = s->free_places;
		s->free_places = &s->places[i];
	}
	return RP_OK;
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
	s->room = (struct rp_places){.max = s->o.in_flight, .now = s->o.in_flight};
	rp_sender_list_init(&s->idle);
	rp_sender_list_init(&s->ready);
	rp_sender_list_init(&s->metered);
	rp_sender_list_init(&s->finished);
	rp_sender_list_init(&s->settling);
	s->now_at_ms = rp_sys_wall_ms(s->o.sys);
	s->now_boot_ms = s->beat_boot_ms = s->expire_boot_ms = rp_sys_boot_ms(s->o.sys);
	e = rp_sender_put_in_force(s, options->settings, NULL, err);
	if (e == RP_OK)
		e = make_jobs(s, err);
	if (e == RP_OK && options->background)
		e = rp_turner_open(s->o.outbox, &s->turner, err);
	if (e == RP_OK) /* before joining, so that no bell rung from now on is missed */
		e = rp_outbox_watch(s->o.outbox, RP_WATCH_WORK, &s->outbox_fd, err);
	if (e == RP_OK)
		e = rp_outbox_join(s->o.outbox, s->now_at_ms, s->now_boot_ms, &s->id, err);
	if (e == RP_OK) {
		/* The name that the attempt log and the inspector give it. */
		snprintf(role, sizeof role, "sender-%u", s->id.slot);
		rp_log_name(role);
	}
	if (e == RP_OK)
		e = rp_sender_reap(s, err);
	if (e == RP_OK) /* it may have been set back since the last sender ended */
		e = rp_sender_mind_clock(s, err);
	if (e == RP_OK) /* the configuration may be another than that of the senders before */
		e = rp_outbox_renew_limits(s->o.outbox, s->now_at_ms, err);
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
	rp_turner_close(s->turner);
	for (i = 0; s->places != NULL && i < s->o.in_flight; i++) {
		rp_dispatch_release(&s->places[i].dispatch);
		rp_attempt_request_release(&s->places[i].attempt);
	}
	rp_sender_release_settings(s);
	rp_buf_release(&s->long_payload);
	free(s->jobs);
	free(s->places);
	free(s->settlements);
	free(s->claims);
	free(s);
}
