/* job.c - packs jobs and audit records, and says when a job may take its next entry. The store
 * carries jobs out; what they are is decided here. */

#include "model/job.h"

#include "model/record_int.h"
#include "runpost.h"

static const char *const phase_names[] = {
    [RP_JOB_PLANNING] = "planning", [RP_JOB_PLANNED] = "planned", [RP_JOB_RUNNING] = "running",
    [RP_JOB_PAUSED] = "paused",     [RP_JOB_DONE] = "done",       [RP_JOB_CANCELLED] = "cancelled",
    [RP_JOB_EXPIRED] = "expired",
};

const char *rp_job_verb_name(enum rp_job_verb verb)
{
	return verb == RP_JOB_PURGE ? "purge" : "replay";
}

const char *rp_job_phase_name(enum rp_job_phase phase)
{
	return phase >= RP_JOB_PLANNING && phase <= RP_JOB_EXPIRED ? phase_names[phase] : "damaged";
}

bool rp_job_is_over(enum rp_job_phase phase)
{
	return phase == RP_JOB_DONE || phase == RP_JOB_CANCELLED || phase == RP_JOB_EXPIRED;
}

uint64_t rp_job_n_skipped(const struct rp_job *j)
{
	return j->skipped.in_flight + j->skipped.changed + j->skipped.gone + j->skipped.state;
}

uint64_t rp_job_left(const struct rp_job *j)
{
	uint64_t past = j->done + rp_job_n_skipped(j);

	return past < j->planned ? j->planned - past : 0;
}

/* --- the rate ----------------------------------------------------------------------------- */

static int64_t interval_us(struct rp_rate rate)
{
	int64_t us = (int64_t)rate.period_ms * 1000 / rate.count;

	return us > 0 ? us : 1;
}

size_t rp_job_take(struct rp_job *j, int64_t now_at_ms, size_t want)
{
	enum { BURST_US = 200000 };
	int64_t now_us = now_at_ms * 1000, step_us, earliest_us, may;

	if (j->rate.count == 0)
		return want;
	step_us = interval_us(j->rate);
	/* What was not used before is lost, but for the time between two looks; and a clock set
	 * back must not stop it. */
	earliest_us = now_us - (step_us > BURST_US ? 0 : BURST_US - step_us);
	if (j->next_at_us < earliest_us || j->next_at_us > now_us + step_us)
		j->next_at_us = earliest_us;
	if (j->next_at_us > now_us)
		return 0;
	may = (now_us - j->next_at_us) / step_us + 1;
	if (want > (size_t)may)
		want = (size_t)may;
	j->next_at_us += (int64_t)want * step_us;
	return want;
}

int64_t rp_job_next_at_ms(const struct rp_job *j)
{
	return j->rate.count == 0 ? 0 : (j->next_at_us + 999) / 1000;
}

/* --- records ------------------------------------------------------------------------------ */

static void put_text(struct rp_writer *w, struct rp_span text)
{
	if (text.len > RP_JOB_TEXT_MAX)
		text.len = RP_JOB_TEXT_MAX;
	rp_put_str16(w, text);
}

size_t rp_job_pack(const struct rp_job *j, uint64_t number, void *out, size_t size)
{
	struct rp_writer w = rp_writer_of(out, size);

	rp_put_u8(&w, RP_RECORD_VERSION);
	rp_put_u8(&w, (uint8_t)j->verb);
	rp_put_u8(&w, (uint8_t)j->phase);
	rp_put_u32(&w, j->uid);
	rp_put_u32(&w, j->rate.count);
	rp_put_u32(&w, j->rate.period_ms);
	rp_put_i64(&w, j->created_at_ms);
	rp_put_i64(&w, j->started_at_ms);
	rp_put_i64(&w, j->ended_at_ms);
	rp_put_i64(&w, j->expires_at_ms);
	rp_put_i64(&w, j->moved_at_ms);
	rp_put_i64(&w, j->next_at_us);
	rp_put_u64(&w, j->lane);
	rp_put_u64(&w, j->audit);
	rp_put_u64(&w, j->planned);
	rp_put_u64(&w, j->done);
	rp_put_u64(&w, j->done_in_flight);
	rp_put_u64(&w, j->skipped.in_flight);
	rp_put_u64(&w, j->skipped.changed);
	rp_put_u64(&w, j->skipped.gone);
	rp_put_u64(&w, j->skipped.state);
	put_text(&w, j->user);
	put_text(&w, j->selector);
	put_text(&w, j->reason);
	return rp_record_seal(&w, out, number);
}

static bool job_is_sane(const struct rp_job *j)
{
	return (j->verb == RP_JOB_REPLAY || j->verb == RP_JOB_PURGE) &&
	       j->phase >= RP_JOB_PLANNING && j->phase <= RP_JOB_EXPIRED &&
	       (j->rate.count == 0 || j->rate.period_ms > 0);
}

bool rp_job_unpack(struct rp_job *j, uint64_t number, const void *mem, size_t size)
{
	struct rp_reader r = rp_record_unseal(mem, size, number);

	j->verb = rp_get_u8(&r);
	j->phase = rp_get_u8(&r);
	j->uid = rp_get_u32(&r);
	j->rate.count = rp_get_u32(&r);
	j->rate.period_ms = rp_get_u32(&r);
	j->created_at_ms = rp_get_i64(&r);
	j->started_at_ms = rp_get_i64(&r);
	j->ended_at_ms = rp_get_i64(&r);
	j->expires_at_ms = rp_get_i64(&r);
	j->moved_at_ms = rp_get_i64(&r);
	j->next_at_us = rp_get_i64(&r);
	j->lane = rp_get_u64(&r);
	j->audit = rp_get_u64(&r);
	j->planned = rp_get_u64(&r);
	j->done = rp_get_u64(&r);
	j->done_in_flight = rp_get_u64(&r);
	j->skipped.in_flight = rp_get_u64(&r);
	j->skipped.changed = rp_get_u64(&r);
	j->skipped.gone = rp_get_u64(&r);
	j->skipped.state = rp_get_u64(&r);
	j->user = rp_get_str16(&r);
	j->selector = rp_get_str16(&r);
	j->reason = rp_get_str16(&r);
	r.ok = r.ok && job_is_sane(j);
	if (!r.ok)
		memset(j, 0, sizeof *j);
	return r.ok;
}

size_t rp_audit_pack(const struct rp_audit *a, uint64_t number, void *out, size_t size)
{
	struct rp_writer w = rp_writer_of(out, size);

	rp_put_u8(&w, RP_RECORD_VERSION);
	rp_put_u32(&w, a->uid);
	rp_put_i64(&w, a->at_ms);
	rp_put_u64(&w, a->job);
	rp_put_u64(&w, a->done);
	rp_put_u64(&w, a->skipped);
	put_text(&w, a->verb);
	put_text(&w, a->user);
	put_text(&w, a->what);
	put_text(&w, a->reason);
	return rp_record_seal(&w, out, number);
}

bool rp_audit_unpack(struct rp_audit *a, uint64_t number, const void *mem, size_t size)
{
	struct rp_reader r = rp_record_unseal(mem, size, number);

	a->uid = rp_get_u32(&r);
	a->at_ms = rp_get_i64(&r);
	a->job = rp_get_u64(&r);
	a->done = rp_get_u64(&r);
	a->skipped = rp_get_u64(&r);
	a->verb = rp_get_str16(&r);
	a->user = rp_get_str16(&r);
	a->what = rp_get_str16(&r);
	a->reason = rp_get_str16(&r);
	if (!r.ok)
		memset(a, 0, sizeof *a);
	return r.ok;
}

void rp_plan_row_pack(const struct rp_plan_row *row, unsigned char out[RP_PLAN_ROW_BYTES])
{
	struct rp_writer w = rp_writer_of(out, RP_PLAN_ROW_BYTES);

	rp_put_u8(&w, (uint8_t)row->state);
	rp_put_u32(&w, row->claim_no);
	rp_put_u32(&w, row->replays);
}

bool rp_plan_row_unpack(struct rp_plan_row *row, const void *mem, size_t size)
{
	struct rp_reader r = rp_reader_of(mem, size);

	row->state = rp_get_u8(&r);
	row->claim_no = rp_get_u32(&r);
	row->replays = rp_get_u32(&r);
	return r.ok && size == RP_PLAN_ROW_BYTES;
}
