/* units.c - parses and prints durations, sizes and times. It asks neither the locale nor a time
 * zone, so the same text means the same everywhere. */

#include "base/units.h"

#include <inttypes.h>
#include <stdio.h>

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* Reads digits at s->ptr; false when there are none or the number leaves int64. Advances the
 * span. */
static bool take_number(struct rp_span *s, int64_t *out)
{
	int64_t v = 0;
	size_t n = 0;

	while (n < s->len && is_digit(s->ptr[n])) {
		if (v > (INT64_MAX - (s->ptr[n] - '0')) / 10)
			return false;
		v = v * 10 + (s->ptr[n] - '0');
		n++;
	}
	if (n == 0)
		return false;
	s->ptr += n;
	s->len -= n;
	*out = v;
	return true;
}

static bool take_text(struct rp_span *s, const char *text)
{
	size_t n = strlen(text);

	if (s->len < n || memcmp(s->ptr, text, n) != 0)
		return false;
	s->ptr += n;
	s->len -= n;
	return true;
}

bool rp_duration_parse(struct rp_span text, int64_t *out_ms)
{
	static const struct {
		const char *name;
		int64_t ms;
	} units[] = {{"ms", 1}, {"s", 1000}, {"m", 60000}, {"h", 3600000}, {"d", 86400000}};
	const size_t n_units = sizeof units / sizeof units[0];
	int64_t total = 0, v;
	size_t i;

	if (rp_span_is(text, "0")) {
		*out_ms = 0;
		return true;
	}
	if (text.len == 0)
		return false;
	while (text.len > 0) {
		if (!take_number(&text, &v))
			return false;
		for (i = 0; i < n_units; i++)
			if (take_text(&text, units[i].name))
				break;
		if (i == n_units || v > (INT64_MAX - total) / units[i].ms)
			return false;
		total += v * units[i].ms;
	}
	*out_ms = total;
	return true;
}

bool rp_size_parse(struct rp_span text, uint64_t *out_bytes)
{
	unsigned shift = 0;
	int64_t v;

	if (!take_number(&text, &v))
		return false;
	if (text.len > 0) {
		switch (text.ptr[0]) {
		case 'K':
		case 'k':
			shift = 10;
			break;
		case 'M':
			shift = 20;
			break;
		case 'G':
			shift = 30;
			break;
		case 'T':
			shift = 40;
			break;
		default:
			return false;
		}
		text.ptr++;
		text.len--;
		if (!rp_span_is(text, "") && !rp_span_is(text, "iB") && !rp_span_is(text, "B"))
			return false;
	}
	if (v > (INT64_MAX >> shift))
		return false;
	*out_bytes = (uint64_t)v << shift;
	return true;
}

/* Days since 1970-01-01 of a proleptic Gregorian date: years are counted from March, so that the
 * leap day comes last.
 */
static int64_t days_of_date(int64_t year, int month, int day)
{
	int64_t era, yoe, doy;

	year -= month <= 2;
	era = (year >= 0 ? year : year - 399) / 400;
	yoe = year - era * 400;
	doy = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
	return era * 146097 + yoe * 365 + yoe / 4 - yoe / 100 + doy - 719468;
}

static void date_of_days(int64_t days, int *year, int *month, int *day)
{
	int64_t era, doe, yoe, doy, mp;

	days += 719468;
	era = (days >= 0 ? days : days - 146096) / 146097;
	doe = days - era * 146097;
	yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
	doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
	mp = (5 * doy + 2) / 153;
	*day = (int)(doy - (153 * mp + 2) / 5 + 1);
	*month = (int)(mp < 10 ? mp + 3 : mp - 9);
	*year = (int)(yoe + era * 400 + (*month <= 2));
}

static bool take_digits(struct rp_span *s, size_t n, int *out)
{
	size_t i;

	*out = 0;
	if (s->len < n)
		return false;
	for (i = 0; i < n; i++) {
		if (!is_digit(s->ptr[i]))
			return false;
		*out = *out * 10 + (s->ptr[i] - '0');
	}
	s->ptr += n;
	s->len -= n;
	return true;
}

static int days_in_month(int year, int month)
{
	static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

	return days[month - 1] + (month == 2 && leap);
}

static bool take_fraction_ms(struct rp_span *s, int *ms)
{
	int scale = 100;
	size_t n = 0;

	*ms = 0;
	if (!take_text(s, "."))
		return true;
	while (n < s->len && is_digit(s->ptr[n])) {
		*ms += (s->ptr[n] - '0') * scale;
		scale /= 10;
		n++;
	}
	s->ptr += n;
	s->len -= n;
	return n > 0;
}

static bool take_offset_minutes(struct rp_span *s, int *minutes)
{
	int sign, h, m;

	*minutes = 0;
	if (take_text(s, "Z") || take_text(s, "z"))
		return true;
	if (take_text(s, "+"))
		sign = 1;
	else if (take_text(s, "-"))
		sign = -1;
	else
		return false;
	if (!take_digits(s, 2, &h) || !take_text(s, ":") || !take_digits(s, 2, &m) || h > 23 ||
	    m > 59)
		return false;
	*minutes = sign * (h * 60 + m);
	return true;
}

bool rp_time_parse(struct rp_span t, int64_t *out_at_ms)
{
	int year, month, day, hour, minute, second, ms, offset;
	int64_t seconds;

	if (!take_digits(&t, 4, &year) || !take_text(&t, "-") || !take_digits(&t, 2, &month) ||
	    !take_text(&t, "-") || !take_digits(&t, 2, &day))
		return false;
	if (!take_text(&t, "T") && !take_text(&t, "t") && !take_text(&t, " "))
		return false;
	if (!take_digits(&t, 2, &hour) || !take_text(&t, ":") || !take_digits(&t, 2, &minute) ||
	    !take_text(&t, ":") || !take_digits(&t, 2, &second) || !take_fraction_ms(&t, &ms) ||
	    !take_offset_minutes(&t, &offset) || t.len > 0)
		return false;
	if (month < 1 || month > 12 || day < 1 || day > days_in_month(year, month) || hour > 23 ||
	    minute > 59 || second > 60)
		return false;
	seconds = days_of_date(year, month, day) * 86400 + hour * 3600 + minute * 60 + second -
		  offset * 60;
	*out_at_ms = seconds * 1000 + ms;
	return true;
}

const char *rp_time_format(int64_t at_ms, char out[RP_TIME_TEXT_MAX])
{
	static const int64_t min_ms = INT64_C(-62167219200000); /* 0000-01-01 */
	static const int64_t max_ms = INT64_C(253402300799999); /* 9999-12-31T23:59:59.999 */
	int64_t days, rest;
	int year, month, day;

	at_ms = at_ms < min_ms ? min_ms : at_ms > max_ms ? max_ms : at_ms;
	days = at_ms / 86400000;
	rest = at_ms % 86400000;
	if (rest < 0) {
		days--;
		rest += 86400000;
	}
	date_of_days(days, &year, &month, &day);
	snprintf(out, RP_TIME_TEXT_MAX, "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ", year % 10000, month,
		 day, (int)(rest / 3600000), (int)(rest / 60000 % 60), (int)(rest / 1000 % 60),
		 (int)(rest % 1000));
	return out;
}

const char *rp_duration_format(int64_t ms, char out[RP_DURATION_TEXT_MAX])
{
	int64_t s = ms / 1000;

	if (ms <= 0)
		snprintf(out, RP_DURATION_TEXT_MAX, "0s");
	else if (s == 0)
		snprintf(out, RP_DURATION_TEXT_MAX, "%" PRId64 "ms", ms);
	else if (s < 60)
		snprintf(out, RP_DURATION_TEXT_MAX, "%" PRId64 "s", s);
	else if (s < 3600)
		snprintf(out, RP_DURATION_TEXT_MAX, "%" PRId64 "m%02" PRId64 "s", s / 60, s % 60);
	else if (s < 86400)
		snprintf(out, RP_DURATION_TEXT_MAX, "%" PRId64 "h%02" PRId64 "m", s / 3600,
			 s / 60 % 60);
	else
		snprintf(out, RP_DURATION_TEXT_MAX, "%" PRId64 "d%02" PRId64 "h", s / 86400,
			 s / 3600 % 24);
	return out;
}

const char *rp_when(int64_t at_ms, int64_t now_at_ms, char out[RP_WHEN_TEXT_MAX])
{
	char text[RP_DURATION_TEXT_MAX];
	int64_t ms = at_ms - now_at_ms;

	if (at_ms == 0 || at_ms == INT64_MAX)
		snprintf(out, RP_WHEN_TEXT_MAX, "-");
	else if (ms > -1000 && ms < 1000)
		snprintf(out, RP_WHEN_TEXT_MAX, "now");
	else if (ms > 0)
		snprintf(out, RP_WHEN_TEXT_MAX, "in %s", rp_duration_format(ms, text));
	else
		snprintf(out, RP_WHEN_TEXT_MAX, "%s ago", rp_duration_format(-ms, text));
	return out;
}

const char *rp_size_text(uint64_t bytes, char out[32])
{
	static const char *const units[] = {"KiB", "MiB", "GiB", "TiB"};
	double value = (double)bytes / 1024;
	size_t i = 0;

	if (bytes < 1024) {
		snprintf(out, 32, "%" PRIu64 " B", bytes);
		return out;
	}
	while (value >= 1024 && i + 1 < sizeof units / sizeof units[0]) {
		value /= 1024;
		i++;
	}
	snprintf(out, 32, "%.1f %s", value, units[i]);
	return out;
}
