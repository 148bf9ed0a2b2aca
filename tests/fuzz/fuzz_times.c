/* Retry-After and what is decided on it, dates, durations, sizes and rates.
 * Input: kind | text; of kind 0 the text is lines of a response head. */
#include "fuzz.h"

#include <time.h>

#include "base/units.h"
#include "model/control.h"
#include "model/retry.h"
#include "deliver/http/http_head.h"

#define DAY_MS INT64_C(86400000)
#define NOW_MS INT64_C(1795439210000)

static bool all_digits(struct rp_span s)
{
	size_t i;

	for (i = 0; i < s.len; i++)
		if (s.ptr[i] < '0' || s.ptr[i] > '9')
			return false;
	return s.len > 0;
}

/* A lone "Retry-After: DIGITS" means that many seconds, at most a day. */
static void check_plain_delta(struct rp_span line, int64_t asked_ms)
{
	static const char name[] = "Retry-After: ";
	struct rp_span digits = {line.ptr + sizeof name - 1, line.len - (sizeof name - 1)};
	double seconds = 0;
	size_t i;

	if (line.len < sizeof name || memcmp(line.ptr, name, sizeof name - 1) != 0 ||
	    digits.len > 60 || !all_digits(digits))
		return;
	for (i = 0; i < digits.len; i++)
		seconds = seconds * 10 + (digits.ptr[i] - '0');
	MUST(asked_ms == (seconds >= 86400 ? DAY_MS : (int64_t)seconds * 1000),
	     "%.*s was taken as %lld ms", (int)digits.len, digits.ptr, (long long)asked_ms);
}

static void decide(int64_t asked_ms, struct fuzz_input *in)
{
	struct rp_retry_policy policy = {.base_ms = 1 + (int64_t)fuzz_number(in, 4),
					 .factor_permille = 1000 + (int64_t)fuzz_number(in, 2),
					 .cap_ms = 1 + (int64_t)fuzz_number(in, 5),
					 .attempts = 1 + fuzz_byte(in),
					 .max_age_ms = (int64_t)fuzz_number(in, 4)};
	struct rp_outcome outcome = {
	    .cause = RP_CAUSE_HTTP, .http_status = 503, .retry_after_ms = asked_ms};
	unsigned failures = 1 + fuzz_byte(in);
	int64_t budget_at_ms = NOW_MS - (int64_t)fuzz_number(in, 4);
	int64_t expires_at_ms = fuzz_byte(in) & 1 ? NOW_MS + (int64_t)fuzz_number(in, 4) : 0;
	int64_t delay_ms = rp_retry_delay_ms(&policy, failures);
	struct rp_verdict v;

	MUST(delay_ms >= 0 && delay_ms <= policy.cap_ms, "a delay of %lld ms", (long long)delay_ms);
	MUST(failures == 1 || rp_retry_delay_ms(&policy, failures - 1) <= delay_ms,
	     "delays shrink");
	v = rp_retry_decide(&policy, &outcome, failures, budget_at_ms, expires_at_ms, NOW_MS,
			    fuzz_number(in, 8));
	MUST(v.kind != RP_VERDICT_DELIVERED, "a 503 was a delivery");
	if (v.kind != RP_VERDICT_RETRY)
		return;
	MUST(failures < policy.attempts, "an attempt too many");
	MUST(v.due_at_ms >= NOW_MS + delay_ms && v.due_at_ms >= NOW_MS + asked_ms, "early");
	MUST(v.due_at_ms <= NOW_MS + (asked_ms > delay_ms ? asked_ms : delay_ms) + delay_ms / 5,
	     "late");
	MUST(expires_at_ms == 0 || v.due_at_ms < expires_at_ms, "after its end");
	MUST(policy.max_age_ms == 0 || v.due_at_ms <= budget_at_ms + policy.max_age_ms, "too old");
}

static void read_head(struct fuzz_input *in)
{
	struct rp_http_notes notes = {.retry_at = -1, .date = -1};
	struct rp_span line = {NULL, 0}, text;
	unsigned n = 0;
	int64_t asked_ms;
	char *copy;

	text = fuzz_until(in, '\0');
	copy = fuzz_copy(text);
	struct fuzz_input lines = {(const uint8_t *)copy, text.len};
	while (lines.left > 0) {
		line = fuzz_until(&lines, '\n');
		n++;
		if (!rp_http_notes_line(&notes, line)) {
			MUST(notes.head_over, "refused without a reason");
			break;
		}
	}
	asked_ms = rp_http_retry_after_ms(&notes, NOW_MS);
	MUST(asked_ms >= 0 && asked_ms <= DAY_MS, "%lld ms", (long long)asked_ms);
	if (n == 1)
		check_plain_delta(line, asked_ms);
	free(copy);
	decide(asked_ms, in);
}

static void check_time(struct rp_span text)
{
	char shown[RP_TIME_TEXT_MAX];
	int64_t at_ms = 12345, again_ms = 0;
	struct tm tm = {0};
	time_t seconds;

	if (!rp_time_parse(text, &at_ms)) {
		MUST(at_ms == 12345, "changed by what it refused");
		return;
	}
	rp_time_format(at_ms, shown);
	MUST(strlen(shown) == 24, "%s", shown);
	if (at_ms < INT64_C(-62167219200000) || at_ms > INT64_C(253402300799999))
		return; /* years that are clamped */
	MUST(rp_time_parse(rp_span_of(shown), &again_ms) && again_ms == at_ms, "%.*s became %s",
	     (int)text.len, text.ptr, shown);
	/* the C library as the oracle of the calendar */
	MUST(strptime(shown, "%Y-%m-%dT%H:%M:%S", &tm) != NULL, "%s", shown);
	seconds = timegm(&tm);
	MUST((int64_t)seconds == (at_ms >= 0 ? at_ms / 1000 : -((999 - at_ms) / 1000)),
	     "%s is %lld", shown, (long long)at_ms);
}

static void check_amounts(struct rp_span text)
{
	char shown[RP_DURATION_TEXT_MAX], rate_text[RP_RATE_TEXT_MAX];
	int64_t ms = -7;
	uint64_t bytes = 7;
	struct rp_rate rate = {0, 0}, again;

	if (rp_duration_parse(text, &ms))
		MUST(ms >= 0 && strlen(rp_duration_format(ms, shown)) < RP_DURATION_TEXT_MAX,
		     "%lld ms", (long long)ms);
	else
		MUST(ms == -7, "changed by what it refused");
	if (!rp_size_parse(text, &bytes))
		MUST(bytes == 7, "changed by what it refused");
	if (all_digits(text) && text.len < 19) {
		MUST(rp_size_parse(text, &bytes), "a plain number is no size");
	}
	if (!rp_rate_parse(text, &rate))
		return;
	MUST(rate.count > 0 && rate.period_ms > 0 &&
		 (uint64_t)rate.count * 1000 <= (uint64_t)RP_RATE_PER_SECOND_MAX * rate.period_ms,
	     "%u in %u ms", rate.count, rate.period_ms);
	rp_rate_format(rate, rate_text);
	MUST(rp_rate_parse(rp_span_of(rate_text), &again) && again.count == rate.count &&
		 again.period_ms == rate.period_ms,
	     "%.*s became %s", (int)text.len, text.ptr, rate_text);
	MUST(rp_rate_burst(rate) >= 1, "no burst");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input in = {data, size};
	int kind = fuzz_byte(&in) % 3;
	struct rp_span text = fuzz_rest(&in);
	char *copy = fuzz_copy(text);

	text.ptr = copy;
	in.at = (const uint8_t *)copy;
	if (kind == 0)
		read_head(&in);
	else if (kind == 1)
		check_time(text);
	else
		check_amounts(text);
	free(copy);
	return 0;
}
