/* progress.c - draws how far a long work is. It decides alone when to stay quiet, so that verbs
 * need not ask for a terminal. */

#include "ctl/screen/progress.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/sys.h"
#include "base/units.h"
#include "ctl/common/ctl.h"

enum {
	SHOW_AFTER_US = 1000 * 1000,
	REDRAW_US = 100 * 1000,
	BAR_MAX = 30,
	BAR_MIN = 8,
	PART_MAX = 80
};

static bool can_overwrite(void)
{
	const char *term = getenv("TERM");

	return isatty(STDERR_FILENO) && term != NULL && strcmp(term, "dumb") != 0;
}

void rp_progress_begin(struct rp_progress *p, const char *what, uint64_t total, bool bytes)
{
	struct winsize size;

	memset(p, 0, sizeof *p);
	p->what = what;
	p->total = total;
	p->bytes = bytes;
	p->on = can_overwrite();
	/* one character less than the terminal has: a full line would move on to the next in
	 * some */
	p->width = 79;
	if (p->on && ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 1)
		p->width = size.ws_col - 1u;
	p->began_us = rp_sys_stopwatch_us();
}

static void put_count(const struct rp_progress *p, uint64_t done, char out[PART_MAX])
{
	char a[32], b[32];

	if (p->bytes && p->total > 0)
		snprintf(out, PART_MAX, "%s of %s", rp_size_text(done, a),
			 rp_size_text(p->total, b));
	else if (p->bytes)
		snprintf(out, PART_MAX, "%s", rp_size_text(done, a));
	else if (p->total > 0)
		snprintf(out, PART_MAX, "%" PRIu64 "/%" PRIu64, done, p->total);
	else
		snprintf(out, PART_MAX, "%" PRIu64, done);
}

static void put_rate(const struct rp_progress *p, double per_second, char out[PART_MAX])
{
	char text[32];

	if (p->bytes)
		snprintf(out, PART_MAX, "  %s/s", rp_size_text((uint64_t)per_second, text));
	else
		snprintf(out, PART_MAX, "  %.*f/s", per_second < 10 ? 1 : 0, per_second);
}

static void put_left(const struct rp_progress *p, uint64_t done, double per_second,
		     char out[PART_MAX])
{
	char text[RP_DURATION_TEXT_MAX];
	double left_ms;

	out[0] = '\0';
	if (p->total == 0 || done >= p->total || per_second <= 0)
		return;
	left_ms = (double)(p->total - done) / per_second * 1000;
	if (left_ms < 1e12)
		snprintf(out, PART_MAX, "  %s left",
			 rp_duration_format(left_ms < 1000 ? 1000 : (int64_t)left_ms, text));
}

static void put_bar(const struct rp_progress *p, uint64_t done, unsigned width, char out[PART_MAX])
{
	static const char full[] = "##############################",
			  empty[] = "..............................";
	unsigned filled;

	if (width > BAR_MAX)
		width = BAR_MAX;
	filled = done >= p->total ? width : (unsigned)((double)done / (double)p->total * width);
	snprintf(out, PART_MAX, "  [%.*s%.*s]", (int)filled, full, (int)(width - filled), empty);
}

const char *rp_progress_text(const struct rp_progress *p, uint64_t done, int64_t elapsed_us,
			     char out[RP_PROGRESS_TEXT_MAX])
{
	double per_second = elapsed_us > 0 ? (double)done * 1e6 / (double)elapsed_us : 0;
	char count[PART_MAX], percent[16] = "", rate[PART_MAX], left[PART_MAX], bar[PART_MAX] = "";
	size_t fixed, room;

	put_count(p, done, count);
	put_rate(p, per_second, rate);
	put_left(p, done, per_second, left);
	if (p->total > 0)
		snprintf(percent, sizeof percent, "  %u%%",
			 done >= p->total ? 100u
					  : (unsigned)((double)done / (double)p->total * 100));
	fixed = strlen(p->what) + 1 + strlen(count) + strlen(percent);
	room = p->width > fixed ? p->width - fixed : 0;
	if (room < strlen(rate) + strlen(left))
		left[0] = '\0';
	if (room < strlen(rate) + strlen(left))
		rate[0] = '\0';
	/* what is left, less the brackets and the blanks before them */
	if (p->total > 0 && room >= strlen(rate) + strlen(left) + BAR_MIN + 4)
		put_bar(p, done, (unsigned)(room - strlen(rate) - strlen(left) - 4), bar);
	snprintf(out, RP_PROGRESS_TEXT_MAX, "%s %s%s%s%s%s", p->what, count, bar, percent, rate,
		 left);
	return out;
}

void rp_progress_at(struct rp_progress *p, uint64_t done)
{
	char text[RP_PROGRESS_TEXT_MAX];
	int64_t now_us;

	if (!p->on)
		return;
	now_us = rp_sys_stopwatch_us();
	if (now_us - p->began_us < SHOW_AFTER_US || now_us - p->drawn_us < REDRAW_US)
		return;
	p->drawn_us = now_us;
	p->drawn = true;
	fprintf(stderr, "\r%.*s\033[K", (int)p->width,
		rp_progress_text(p, done, now_us - p->began_us, text));
	fflush(stderr);
}

void rp_progress_hide(struct rp_progress *p)
{
	if (p->drawn)
		fputs("\r\033[K", stderr);
	p->drawn = false;
}

void rp_progress_end(struct rp_progress *p)
{
	rp_progress_hide(p);
	p->on = false;
}
