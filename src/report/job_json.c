/* job_json.c - a job in numbers and as JSON. How fast it is can only be told from what it has done
 * so far. */

#include "report/job_json.h"

double rp_job_per_second(const struct rp_job *j)
{
	int64_t ms = j->moved_at_ms - j->started_at_ms;
	uint64_t past = j->done + rp_job_n_skipped(j);

	if (j->phase != RP_JOB_RUNNING || past == 0)
		return 0;
	return (double)past * 1000 / (double)(ms > 100 ? ms : 100);
}

int64_t rp_job_remains_ms(const struct rp_job *j)
{
	double per_second = rp_job_per_second(j);

	return per_second > 0 ? (int64_t)((double)rp_job_left(j) / per_second * 1000) : 0;
}

void rp_job_skipped_json(const struct rp_job_skipped *s, struct rp_json_out *o)
{
	struct rp_json_out *skipped = rp_json_out_new();

	rp_json_out_int(skipped, "in_flight", (int64_t)s->in_flight);
	rp_json_out_int(skipped, "state", (int64_t)s->state);
	rp_json_out_int(skipped, "moved_on", (int64_t)s->changed);
	rp_json_out_int(skipped, "gone", (int64_t)s->gone);
	rp_json_out_object(o, "skipped", skipped);
}

struct rp_json_out *rp_job_json(uint64_t number, const struct rp_job *j)
{
	struct rp_json_out *o = rp_json_out_new();
	char rate[RP_RATE_TEXT_MAX];

	rp_json_out_int(o, "job", (int64_t)number);
	rp_json_out_text(o, "verb", j->verb != 0 ? rp_job_verb_name(j->verb) : NULL);
	rp_json_out_text(o, "state", rp_job_phase_name(j->phase));
	rp_json_out_int(o, "planned", (int64_t)j->planned);
	rp_json_out_int(o, "done", (int64_t)j->done);
	rp_job_skipped_json(&j->skipped, o);
	rp_json_out_int(o, "left", (int64_t)rp_job_left(j));
	rp_json_out_int(o, "attempt_under_way", (int64_t)j->done_in_flight);
	rp_json_out_text(o, "rate", j->rate.count != 0 ? rp_rate_format(j->rate, rate) : NULL);
	rp_json_out_real(o, "per_second", rp_job_per_second(j));
	if (rp_job_remains_ms(j) > 0)
		rp_json_out_int(o, "remains_ms", rp_job_remains_ms(j));
	else
		rp_json_out_null(o, "remains_ms");
	rp_json_out_time(o, "created_at", j->created_at_ms);
	rp_json_out_time(o, "started_at", j->started_at_ms);
	rp_json_out_time(o, "moved_at", j->moved_at_ms);
	rp_json_out_time(o, "ended_at", j->ended_at_ms);
	rp_json_out_time(o, "expires_at", j->expires_at_ms);
	rp_json_out_given(o, "user", j->user);
	rp_json_out_int(o, "uid", j->uid);
	rp_json_out_given(o, "what", j->selector);
	rp_json_out_given(o, "reason", j->reason);
	return o;
}
