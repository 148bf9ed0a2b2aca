#include <check.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/outbox.h"
#include "ingest/ingest.h"
#include "ingest/rejects.h"

/* --- a store that does as it is told ------------------------------------------------ */

enum { KEYS_MAX = 64 };

struct script {
	size_t fits; /* more entries at once do not fit; 0: any number does */
	size_t calls, stored;
	size_t fail_at; /* this call, counted from 1, and those after it up to fail_until */
	size_t fail_until;
	enum rp_err fail_code;
	bool stores_first; /* what fails has been stored: its outcome is unknown */
	bool gone;         /* the outbox is no longer there */
	int out_fd;        /* to look at what left before a commit */
	size_t early_receipts;
	size_t largest;
	pthread_t owner;
	size_t by_owner;                 /* calls that it made itself */
	const struct rlimit *afterwards; /* of descriptors, after the first call; NULL: as it is */
	char keys[KEYS_MAX][RP_DEDUPE_KEY_MAX];
	char last_url[128], last_endpoint[128], last_payload[512];
};

static size_t lines_in(int fd)
{
	char part[4096];
	size_t n = 0;
	off_t at = 0;
	ssize_t got;

	while ((got = pread(fd, part, sizeof part, at)) > 0) {
		at += got;
		for (ssize_t i = 0; i < got; i++)
			n += part[i] == '\n';
	}
	return n;
}

static void keep(char *out, size_t size, struct rp_span s)
{
	snprintf(out, size, "%.*s", (int)s.len, s.ptr);
}

static void store_one(struct script *s, const struct rp_new_entry *e, struct rp_appended *out)
{
	unsigned char random[10] = {0};
	size_t i;

	memset(out, 0, sizeof *out);
	for (i = 0; i < s->stored && i < KEYS_MAX; i++)
		if (memcmp(s->keys[i], e->dedupe_key.ptr, e->dedupe_key.len) == 0)
			out->duplicate = true, out->seq = i + 1;
	rp_id_make(out->seq, random, out->id);
	if (out->duplicate && memcmp(out->id, e->id, sizeof e->id) == 0) {
		out->duplicate = false; /* of the try before */
		return;
	}
	if (!out->duplicate) {
		if (s->stored < KEYS_MAX)
			memcpy(s->keys[s->stored], e->dedupe_key.ptr, e->dedupe_key.len);
		out->seq = ++s->stored;
	}
	rp_id_make(out->seq, random, out->id);
	keep(s->last_url, sizeof s->last_url, e->url);
	keep(s->last_endpoint, sizeof s->last_endpoint, e->endpoint);
	keep(s->last_payload, sizeof s->last_payload, e->payload);
}

static enum rp_err scripted_append(void *arg, int64_t now_at_ms, const struct rp_new_entry *entries,
				   size_t n, struct rp_appended *out, struct rp_error *err)
{
	struct script *s = arg;
	size_t i;

	(void)now_at_ms;
	s->calls++;
	s->by_owner += pthread_equal(s->owner, pthread_self()) != 0;
	if (s->calls == 1 && s->afterwards != NULL)
		setrlimit(RLIMIT_NOFILE, s->afterwards);
	for (i = 0; s->stores_first && s->calls == s->fail_at && i < n; i++)
		store_one(s, &entries[i], &out[i]);
	if (s->calls >= s->fail_at && s->calls <= s->fail_until)
		return rp_fail(err, s->fail_code, "the script says no");
	if (s->fits != 0 && n > s->fits)
		return rp_fail(err, RP_ERR_FULL, "the script has room for fewer");
	if (s->out_fd >= 0 && lines_in(s->out_fd) > s->stored)
		s->early_receipts++;
	for (i = 0; i < n; i++)
		store_one(s, &entries[i], &out[i]);
	if (n > s->largest)
		s->largest = n;
	return RP_OK;
}

static enum rp_err scripted_check(void *arg, struct rp_error *err)
{
	const struct script *s = arg;

	return s->gone ? rp_fail(err, RP_ERR_IO, "the script took it away") : RP_OK;
}

/* --- a rig around one run of the loop ----------------------------------------------- */

struct rig {
	struct rp_ingest_options o;
	struct rp_ingest_counts counts;
	struct rp_error err;
	struct script script;
	enum rp_err rc;
	pthread_t thread;
};

static int file_of(const char *text, size_t n)
{
	int fd = memfd_create("test", MFD_CLOEXEC);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, text, n), (ssize_t)n);
	ck_assert_int_eq(lseek(fd, 0, SEEK_SET), 0);
	return fd;
}

static void rig_init(struct rig *r, const char *text)
{
	memset(r, 0, sizeof *r);
	r->o.in_fd = text != NULL ? file_of(text, strlen(text)) : -1;
	r->o.out_fd = file_of("", 0);
	r->o.rejects_fd = r->o.signal_fd = -1;
	r->o.to.append = scripted_append;
	r->o.to.check = scripted_check;
	r->o.to.arg = &r->script;
	r->o.max_line_bytes = 1000;
	r->o.full_retry_ms = 1;
	r->o.check_ms = 1;
	r->o.sys = &rp_sys_real;
	r->script.out_fd = r->o.out_fd;
}

static void rig_run(struct rig *r)
{
	r->rc = rp_ingest_run(&r->o, &r->counts, &r->err);
}

static void *rig_thread(void *arg)
{
	rig_run(arg);
	return NULL;
}

static void rig_start(struct rig *r)
{
	ck_assert_int_eq(pthread_create(&r->thread, NULL, rig_thread, r), 0);
}

static void rig_close(struct rig *r)
{
	close(r->o.in_fd);
	close(r->o.out_fd);
	if (r->o.rejects_fd >= 0)
		close(r->o.rejects_fd);
}

/* The whole of a file, as text in a static buffer. */
static const char *text_of(int fd)
{
	static char text[1 << 16];
	ssize_t n = pread(fd, text, sizeof text - 1, 0);

	ck_assert_int_ge(n, 0);
	text[n] = '\0';
	return text;
}

#define RUN(id)                                                                                    \
	"{\"run_id\":\"" id                                                                        \
	"\",\"status\":\"success\",\"webhook\":\"https://a.example/hook?token=x\"}"

/* n different runs, one a line. */
static char *many_runs(size_t n, size_t *len)
{
	struct rp_buf b = {0};
	size_t i;

	for (i = 0; i < n; i++)
		ck_assert(rp_buf_printf(&b,
					"{\"run_id\":\"r-%zu\",\"status\":\"success\",\"webhook\":"
					"\"https://a.example/h\"}\n",
					i));
	*len = b.len;
	return b.data;
}

/* --- the contract of receipts ------------------------------------------------------- */

START_TEST(every_line_gets_its_receipt_in_order)
{
	static const char *const want[] = {
	    "{\"line\":1,\"status\":\"queued\",\"id\":\"msg_",
	    "{\"line\":2,\"status\":\"rejected\",\"code\":\"bad_json\",\"reason\":\"",
	    "{\"line\":3,\"status\":\"skipped\",\"reason\":\"",
	    "{\"line\":4,\"status\":\"queued\",\"id\":\"msg_",
	    "{\"line\":5,\"status\":\"duplicate\",\"id\":\"msg_",
	    "{\"line\":6,\"status\":\"rejected\",\"code\":\"bad_url\",\"reason\":\"",
	};
	struct rig r;
	char *text, *line, *next;
	char id1[64] = "", id5[64] = "";
	size_t i;

	rig_init(&r, RUN("one") "\n{\"run_id\":\n{\"run_id\":\"quiet\"}\n" RUN("two") "\n" RUN(
			 "one") "\n"
				"{\"webhook\":\"ftp://a.example/\"}\n");
	rig_run(&r);
	ck_assert_msg(r.rc == RP_OK, "%s", r.err.text);
	text = strdup(text_of(r.o.out_fd));
	for (i = 0, line = text; i < 6; i++, line = next + 1) {
		next = strchr(line, '\n');
		ck_assert_msg(next != NULL, "only %zu receipts", i);
		*next = '\0';
		ck_assert_msg(strncmp(line, want[i], strlen(want[i])) == 0, "receipt %zu: %s",
			      i + 1, line);
		ck_assert_int_eq(next[-1], '}');
		if (i == 0)
			sscanf(line,
			       "{\"line\":1,\"status\":\"queued\",\"id\":\"%31[^\"]\",\"run_id\":"
			       "\"one\"}",
			       id1);
		if (i == 4)
			sscanf(line,
			       "{\"line\":5,\"status\":\"duplicate\",\"id\":\"%31[^\"]\",\"run_"
			       "id\":\"one\"}",
			       id5);
	}
	ck_assert_int_eq(*line, '\0');
	ck_assert_str_eq(id1, id5);
	ck_assert_uint_eq(strlen(id1), 30);
	ck_assert_uint_eq(r.counts.lines, 6);
	ck_assert_uint_eq(r.counts.queued, 2);
	ck_assert_uint_eq(r.counts.duplicate, 1);
	ck_assert_uint_eq(r.counts.skipped, 1);
	ck_assert_uint_eq(r.counts.rejected, 2);
	free(text);
	rig_close(&r);
}
END_TEST

START_TEST(a_skipped_run_is_named_when_it_has_an_id)
{
	struct rig r;

	rig_init(&r, "{\"run_id\":\"quiet\"}");
	rig_run(&r);
	ck_assert_ptr_nonnull(strstr(text_of(r.o.out_fd), ",\"run_id\":\"quiet\"}\n"));
	ck_assert_uint_eq(r.script.calls, 0);
	rig_close(&r);
}
END_TEST

START_TEST(the_default_webhook_serves_runs_that_name_none)
{
	struct rig r;

	rig_init(&r, "{\"run_id\":\"quiet\", \"n\": 1e400}\r\n");
	r.o.default_url = rp_span_of("https://B.example:443/all?token=t");
	rig_run(&r);
	ck_assert_uint_eq(r.counts.queued, 1);
	ck_assert_str_eq(r.script.last_url, "https://B.example:443/all?token=t");
	ck_assert_str_eq(r.script.last_endpoint, "https://b.example/all");
	ck_assert_str_eq(r.script.last_payload, "{\"run_id\":\"quiet\", \"n\": 1e400}\r");
	rig_close(&r);
}
END_TEST

START_TEST(a_last_line_without_line_feed_is_a_line)
{
	struct rig r;

	rig_init(&r, RUN("one") "\n" RUN("two"));
	rig_run(&r);
	ck_assert_uint_eq(r.counts.queued, 2);
	rig_close(&r);
}
END_TEST

START_TEST(no_receipt_leaves_before_its_commit_has_returned)
{
	struct rig r;
	size_t len;
	char *text = many_runs(30000, &len);

	rig_init(&r, text);
	rig_run(&r);
	ck_assert_int_eq(r.rc, RP_OK);
	ck_assert_uint_gt(r.script.calls, 5);
	ck_assert_uint_eq(r.script.early_receipts, 0);
	ck_assert_uint_eq(lines_in(r.o.out_fd), 30000);
	free(text);
	rig_close(&r);
}
END_TEST

START_TEST(a_failed_commit_has_no_receipts_but_earlier_ones_keep_theirs)
{
	struct rig r;
	size_t len;
	char *text = many_runs(3 * RP_INGEST_BATCH_LINES, &len);

	rig_init(&r, text);
	r.script.fail_at = 2;
	r.script.fail_until = 2;
	r.script.fail_code = RP_ERR_IO;
	rig_run(&r);
	ck_assert_int_eq(r.rc, RP_ERR_IO);
	ck_assert_uint_eq(r.script.calls, 2);
	ck_assert_uint_eq(lines_in(r.o.out_fd), RP_INGEST_BATCH_LINES);
	ck_assert_uint_eq(r.counts.queued, RP_INGEST_BATCH_LINES);
	ck_assert_ptr_nonnull(strstr(r.err.text, "lines from 4097 on have no receipt"));
	free(text);
	rig_close(&r);
}
END_TEST

/* --- group commit ------------------------------------------------------------------- */

START_TEST(a_flood_is_committed_in_large_batches)
{
	struct rig r;
	size_t len;
	char *text = many_runs(40960, &len);

	rig_init(&r, text);
	rig_run(&r);
	ck_assert_uint_eq(r.counts.queued, 40960);
	ck_assert_uint_eq(r.script.largest, RP_INGEST_BATCH_LINES);
	ck_assert_uint_le(r.counts.commits, 40960 / RP_INGEST_BATCH_LINES + 4);
	free(text);
	rig_close(&r);
}
END_TEST

START_TEST(a_flood_is_stored_although_no_thread_can_be_had_for_it_at_first)
{
	struct rlimit before, none_left;
	struct rig r;
	size_t len;
	char *text = many_runs(40960, &len);
	int next;

	rig_init(&r, text);
	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &before), 0);
	next = dup(r.o.out_fd);
	ck_assert_int_ge(next, 4); /* poll wants no more entries than the limit */
	close(next);
	none_left = before;
	none_left.rlim_cur = (rlim_t)next;
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &none_left), 0);
	r.script.owner = pthread_self();
	r.script.afterwards = &before;
	rig_run(&r);
	ck_assert_msg(r.rc == RP_OK, "%s", r.err.text);
	ck_assert_uint_eq(r.counts.queued, 40960);
	ck_assert_uint_eq(lines_in(r.o.out_fd), 40960);
	ck_assert_uint_eq(r.script.early_receipts, 0);
	ck_assert_uint_ge(r.script.by_owner, 1);
	ck_assert_uint_gt(r.script.calls, r.script.by_owner);
	free(text);
	rig_close(&r);
}
END_TEST

static void pipe_to(int *near, int *far)
{
	int ends[2];

	ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
	*near = ends[1];
	*far = ends[0];
}

static void read_receipt(int fd, char *out, size_t size)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};
	size_t n = 0;

	while (n + 1 < size && (n == 0 || out[n - 1] != '\n')) {
		ck_assert_msg(poll(&p, 1, 10000) == 1,
			      "no receipt came while the input stayed open");
		ck_assert_int_eq(read(fd, out + n, 1), 1);
		n++;
	}
	out[n] = '\0';
}

START_TEST(a_single_line_does_not_wait_for_others)
{
	struct rig r;
	int in, receipts;
	char receipt[512], want[32];
	int i;

	rig_init(&r, NULL);
	pipe_to(&in, &r.o.in_fd);
	close(r.o.out_fd);
	pipe_to(&r.o.out_fd, &receipts);
	r.script.out_fd = -1;
	rig_start(&r);
	for (i = 1; i <= 20; i++) {
		ck_assert_int_gt(
		    dprintf(in, "{\"run_id\":\"%d\",\"webhook\":\"https://a.example/\"}\n", i), 0);
		read_receipt(receipts, receipt, sizeof receipt);
		snprintf(want, sizeof want, "{\"line\":%d,", i);
		ck_assert_msg(strncmp(receipt, want, strlen(want)) == 0, "%s", receipt);
	}
	close(in);
	pthread_join(r.thread, NULL);
	ck_assert_int_eq(r.rc, RP_OK);
	ck_assert_uint_eq(r.counts.commits, 20);
	close(receipts);
	rig_close(&r);
}
END_TEST

/* --- a full store, a slow reader, signals ------------------------------------------- */

START_TEST(a_full_store_is_tried_again_and_nothing_is_lost_or_doubled)
{
	struct rig r;

	rig_init(&r, RUN("one") "\n" RUN("two") "\n");
	r.o.full_wait_ms = 60000;
	r.script.fail_at = 1;
	r.script.fail_until = 3;
	r.script.fail_code = RP_ERR_FULL;
	rig_run(&r);
	ck_assert_int_eq(r.rc, RP_OK);
	ck_assert_uint_eq(r.script.calls, 5);
	ck_assert_uint_eq(r.script.stored, 2);
	ck_assert_uint_eq(lines_in(r.o.out_fd), 2);
	rig_close(&r);
}
END_TEST

START_TEST(a_batch_that_does_not_fit_is_stored_in_smaller_ones)
{
	struct rig r;

	rig_init(&r, RUN("one") "\n" RUN("two") "\n{bad\n" RUN("three") "\n" RUN("four") "\n" RUN(
			 "five") "\n");
	r.script.fits = 2;
	rig_run(&r);
	ck_assert_int_eq(r.rc, RP_OK);
	ck_assert_uint_eq(r.script.stored, 5);
	ck_assert_uint_eq(r.script.largest, 2);
	ck_assert_uint_eq(lines_in(r.o.out_fd), 6);
	ck_assert_uint_eq(r.counts.lines, 6);
	ck_assert_uint_eq(r.counts.rejected, 1);
	rig_close(&r);
}
END_TEST

START_TEST(without_patience_a_full_store_ends_it_with_no_receipt)
{
	struct rig r;

	rig_init(&r, RUN("one") "\n{bad\n");
	r.script.fail_at = 1;
	r.script.fail_until = SIZE_MAX;
	r.script.fail_code = RP_ERR_FULL;
	rig_run(&r);
	ck_assert_int_eq(r.rc, RP_ERR_FULL);
	ck_assert_int_eq(rp_err_exit_code(r.rc), RP_EXIT_TEMPFAIL);
	ck_assert_uint_eq(r.script.calls, 2);
	ck_assert_str_eq(text_of(r.o.out_fd), "");
	rig_close(&r);
}
END_TEST

START_TEST(a_store_that_is_away_is_waited_for_and_nothing_is_answered_before)
{
	struct rig r;

	rig_init(&r, RUN("one") "\n" RUN("two") "\n" RUN("one") "\n");
	r.script.fail_at = 1;
	r.script.fail_until = 3;
	r.script.fail_code = RP_ERR_AWAY;
	r.script.stores_first = _i == 1;
	rig_run(&r);
	ck_assert_int_eq(r.rc, RP_OK);
	ck_assert_uint_eq(r.script.calls, 4);
	ck_assert_uint_eq(r.script.stored, 2);
	ck_assert_uint_eq(r.script.early_receipts, 0);
	ck_assert_uint_eq(lines_in(r.o.out_fd), 3);
	/* what was stored by the try of unknown outcome is no duplicate of itself */
	ck_assert_uint_eq(r.counts.queued, 2);
	ck_assert_uint_eq(r.counts.duplicate, 1);
	rig_close(&r);
}
END_TEST

START_TEST(a_flood_outlasts_a_store_that_goes_away)
{
	size_t len;
	char *text = many_runs(5000, &len);
	struct rig r;

	rig_init(&r, NULL);
	r.o.in_fd = file_of(text, len);
	r.script.fail_at = 1;
	r.script.fail_until = 2;
	r.script.fail_code = RP_ERR_AWAY;
	rig_run(&r);
	ck_assert_int_eq(r.rc, RP_OK);
	ck_assert_uint_eq(r.script.stored, 5000);
	ck_assert_uint_eq(r.counts.queued, 5000);
	ck_assert_uint_eq(lines_in(r.o.out_fd), 5000);
	rig_close(&r);
	free(text);
}
END_TEST

START_TEST(a_producer_may_write_everything_before_it_reads_a_receipt)
{
	struct rig r;
	int in, receipts;
	size_t len, n = 0, at = 0;
	char *text = many_runs(20000, &len), part[4096];
	ssize_t got;

	rig_init(&r, NULL);
	pipe_to(&in, &r.o.in_fd);
	close(r.o.out_fd);
	pipe_to(&r.o.out_fd, &receipts);
	r.script.out_fd = -1;
	rig_start(&r);
	while (at < len) {
		got = write(in, text + at, len - at);
		ck_assert_int_gt(got, 0);
		at += (size_t)got;
	}
	close(in);
	while (n < 20000 && (got = read(receipts, part, sizeof part)) > 0)
		for (ssize_t i = 0; i < got; i++)
			n += part[i] == '\n';
	ck_assert_uint_eq(n, 20000);
	pthread_join(r.thread, NULL);
	ck_assert_int_eq(r.rc, RP_OK);
	close(receipts);
	free(text);
	rig_close(&r);
}
END_TEST

/* A pipe that yields n signals, in the form a signalfd has. */
static int signals(int n)
{
	struct signalfd_siginfo info = {.ssi_signo = SIGTERM};
	int near, far;

	pipe_to(&near, &far);
	while (n-- > 0)
		ck_assert_int_eq(write(near, &info, sizeof info), (ssize_t)sizeof info);
	return far;
}

START_TEST(unread_receipts_stop_the_intake)
{
	enum { BLANKS = 1 << 20 };
	struct rig r;
	int receipts;
	char *blanks = malloc(BLANKS + 1);

	ck_assert_ptr_nonnull(blanks);
	memset(blanks, '\n', BLANKS);
	blanks[BLANKS] = '\0';
	rig_init(&r, blanks);
	close(r.o.out_fd);
	pipe_to(&r.o.out_fd, &receipts);
	r.o.signal_fd = signals(2); /* the second one ends the wait for the reader */
	rig_run(&r);
	ck_assert_int_eq(r.rc, RP_ERR_IO);
	ck_assert_ptr_nonnull(strstr(r.err.text, "nobody read the receipts"));
	ck_assert_uint_gt(r.counts.lines, RP_INGEST_BATCH_LINES);
	ck_assert_uint_lt(r.counts.lines, BLANKS / 4);
	close(r.o.signal_fd);
	close(receipts);
	free(blanks);
	rig_close(&r);
}
END_TEST

START_TEST(a_reader_that_went_away_is_told_in_words)
{
	struct rig r;
	int receipts;

	signal(SIGPIPE, SIG_IGN);
	rig_init(&r, RUN("one") "\n");
	close(r.o.out_fd);
	pipe_to(&r.o.out_fd, &receipts);
	r.script.out_fd = -1;
	close(receipts);
	rig_run(&r);
	ck_assert_int_eq(r.rc, RP_ERR_IO);
	ck_assert_ptr_nonnull(strstr(r.err.text, "nobody reads the receipts"));
	rig_close(&r);
}
END_TEST

START_TEST(a_signal_ends_the_wait_for_a_store_that_is_away)
{
	struct rig r;

	rig_init(&r, RUN("one") "\n");
	r.o.signal_fd = signals(1);
	r.script.fail_at = 1;
	r.script.fail_until = SIZE_MAX;
	r.script.fail_code = RP_ERR_AWAY;
	rig_run(&r);
	ck_assert_int_eq(r.rc, RP_ERR_AWAY);
	ck_assert_int_eq(rp_err_exit_code(r.rc), RP_EXIT_TEMPFAIL);
	ck_assert_str_eq(text_of(r.o.out_fd), "");
	close(r.o.signal_fd);
	rig_close(&r);
}
END_TEST

START_TEST(a_signal_finishes_complete_lines_and_leaves_the_cut_one)
{
	struct rig r;
	int in;

	rig_init(&r, NULL);
	pipe_to(&in, &r.o.in_fd);
	r.o.signal_fd = signals(1);
	ck_assert_int_gt(dprintf(in, "%s\n%s\n{\"run_id\":\"cut", RUN("one"), RUN("two")), 0);
	rig_run(&r); /* returns although the input stays open */
	ck_assert_msg(r.rc == RP_OK, "%s", r.err.text);
	ck_assert_uint_eq(r.counts.lines, 2);
	ck_assert_uint_eq(r.script.stored, 2);
	ck_assert_uint_eq(lines_in(r.o.out_fd), 2);
	close(in);
	close(r.o.signal_fd);
	rig_close(&r);
}
END_TEST

/* --- rejects ------------------------------------------------------------------------ */

START_TEST(rejected_lines_are_kept_as_they_came)
{
	struct rig r;

	rig_init(&r, "{bad\r\n" RUN("one") "\n\"\t\xff\"\n{\"cut");
	r.o.rejects_fd = file_of("", 0);
	rig_run(&r);
	ck_assert_int_eq(r.rc, RP_OK);
	ck_assert_uint_eq(r.counts.rejected, 3);
	ck_assert_uint_eq(r.counts.queued, 1);
	ck_assert_str_eq(text_of(r.o.rejects_fd), "{bad\r\n\"\t\xff\"\n{\"cut\n");
	rig_close(&r);
}
END_TEST

START_TEST(an_overlong_line_goes_to_the_rejects_whole_and_in_order)
{
	enum { LONG = 5 << 20 };
	struct rp_buf in = {0}, want = {0};
	struct rig r;
	char *x = malloc(LONG), *saved = malloc(2 * LONG);
	ssize_t n;

	ck_assert(x != NULL && saved != NULL);
	memset(x, 'x', LONG);
	ck_assert(rp_buf_add_text(&in, "{a\n" RUN("one") "\n") && rp_buf_add(&in, x, LONG) &&
		  rp_buf_add_text(&in, "\n{b\n" RUN("two") "\n") && rp_buf_add(&in, x, 1001));
	ck_assert(rp_buf_add_text(&want, "{a\n") && rp_buf_add(&want, x, LONG) &&
		  rp_buf_add_text(&want, "\n{b\n") && rp_buf_add(&want, x, 1001) &&
		  rp_buf_add_text(&want, "\n"));
	rig_init(&r, in.data);
	r.o.rejects_fd = file_of("", 0);
	rig_run(&r);
	ck_assert_int_eq(r.rc, RP_OK);
	ck_assert_uint_eq(r.counts.lines, 6);
	ck_assert_uint_eq(r.counts.queued, 2);
	ck_assert_ptr_nonnull(strstr(text_of(r.o.out_fd),
				     "{\"line\":3,\"status\":\"rejected\",\"code\":\"too_large\""));
	ck_assert_ptr_nonnull(strstr(text_of(r.o.out_fd),
				     "{\"line\":6,\"status\":\"rejected\",\"code\":\"too_large\""));
	n = pread(r.o.rejects_fd, saved, 2 * LONG, 0);
	ck_assert_uint_eq((size_t)n, want.len);
	ck_assert(memcmp(saved, want.data, want.len) == 0);
	rp_buf_release(&in);
	rp_buf_release(&want);
	free(saved);
	free(x);
	rig_close(&r);
}
END_TEST

/* Runs, bad lines and overlong ones in any mixture, stored a batch at a time in the other thread,
 * or in pieces when the store takes no more than `fits` at once: receipts and rejects come as if
 * each line had been alone. */
static const size_t fits[] = {0, 700, 90};

START_TEST(a_flood_of_everything_is_answered_line_by_line)
{
	enum { LINES = 20000, OUT_MAX = 8 << 20 };
	static const char *const want[] = {"queued", "rejected\",\"code\":\"bad_json",
					   "rejected\",\"code\":\"too_large"};
	struct rp_buf in = {0}, bad = {0};
	char *out = malloc(OUT_MAX), *saved = malloc(OUT_MAX), *line, x[3000], head[100];
	struct rig r;
	ssize_t n;
	size_t i;

	ck_assert(out != NULL && saved != NULL);
	memset(x, 'x', sizeof x);
	for (i = 1; i <= LINES; i++) {
		size_t from = in.len;

		if (i % 997 == 0)
			ck_assert(rp_buf_add(&in, x, 1001 + i % 2000) &&
				  rp_buf_add_char(&in, '\n'));
		else
			ck_assert(rp_buf_printf(
			    &in,
			    i % 7 == 0
				? "{bad %zu\n"
				: "{\"run_id\":\"%zu\",\"webhook\":\"https://a.example/\"}\n",
			    i));
		if (i % 997 == 0 || i % 7 == 0)
			ck_assert(rp_buf_add(&bad, in.data + from, in.len - from));
	}
	rig_init(&r, in.data);
	r.o.rejects_fd = file_of("", 0);
	r.script.fits = fits[_i];
	rig_run(&r);
	ck_assert_msg(r.rc == RP_OK, "%s", r.err.text);
	ck_assert_uint_eq(r.counts.lines, LINES);
	n = pread(r.o.out_fd, out, OUT_MAX - 1, 0);
	ck_assert_int_gt(n, 0);
	out[n] = '\0';
	for (i = 1, line = out; i <= LINES; i++, line = strchr(line, '\n') + 1) {
		snprintf(head, sizeof head, "{\"line\":%zu,\"status\":\"%s", i,
			 want[i % 997 == 0 ? 2 : i % 7 == 0]);
		ck_assert_msg(strncmp(line, head, strlen(head)) == 0, "%.100s instead of %s", line,
			      head);
	}
	ck_assert_int_eq(*line, '\0');
	n = pread(r.o.rejects_fd, saved, OUT_MAX, 0);
	ck_assert_uint_eq((size_t)n, bad.len);
	ck_assert(memcmp(saved, bad.data, bad.len) == 0);
	ck_assert_uint_eq(r.counts.queued, r.script.stored);
	free(out);
	free(saved);
	rp_buf_release(&in);
	rp_buf_release(&bad);
	rig_close(&r);
}
END_TEST

START_TEST(rejects_that_cannot_be_kept_end_it_before_their_receipts)
{
	struct rig r;

	rig_init(&r, "{bad\n");
	r.o.rejects_fd = open("/dev/full", O_WRONLY | O_CLOEXEC);
	ck_assert_int_ge(r.o.rejects_fd, 0);
	rig_run(&r);
	ck_assert_int_eq(r.rc, RP_ERR_IO);
	ck_assert_str_eq(text_of(r.o.out_fd), "");
	rig_close(&r);
}
END_TEST

START_TEST(a_rejects_file_is_private_and_appended_to)
{
	char path[] = "/tmp/rp-rejects-XXXXXX";
	struct rp_error err = {0};
	struct stat st;
	char name[64];
	int fd;

	ck_assert_ptr_nonnull(mkdtemp(path));
	snprintf(name, sizeof name, "%s/rejects", path);
	for (int i = 0; i < 2; i++) {
		ck_assert_msg(rp_rejects_open(name, &fd, &err) == RP_OK, "%s", err.text);
		ck_assert_int_eq(rp_rejects_write(fd, rp_span_of("line"), true, &err), RP_OK);
		ck_assert_int_eq(rp_rejects_sync(fd, &err), RP_OK);
		close(fd);
	}
	fd = open(name, O_RDONLY | O_CLOEXEC);
	ck_assert_str_eq(text_of(fd), "line\nline\n");
	ck_assert_int_eq(fstat(fd, &st), 0);
	ck_assert_uint_eq(st.st_mode & 0777, 0600);
	close(fd);
	unlink(name);
	rmdir(path);
	ck_assert_int_eq(rp_rejects_open(name, &fd, &err), RP_ERR_NOTFOUND);
	ck_assert_ptr_nonnull(strstr(err.text, name));
}
END_TEST

START_TEST(who_waits_for_input_notices_that_the_outbox_is_gone)
{
	struct rig r;
	int in;

	rig_init(&r, NULL);
	pipe_to(&in, &r.o.in_fd);
	r.script.gone = true;
	rig_run(&r);
	ck_assert_int_eq(r.rc, RP_ERR_IO);
	ck_assert_str_eq(r.err.text, "the script took it away");
	close(in);
	rig_close(&r);
}
END_TEST

#define SKIPPED "{\"run_id\":\"r\",\"status\":\"success\"}\n"

/* The producer never pauses for as long as there is between two checks, and nothing of its input is
 * stored. */
START_TEST(who_stores_nothing_notices_that_the_outbox_is_gone)
{
	struct pollfd answer = {.events = POLLIN};
	char part[1024];
	struct rig r;
	int in, n = 0;

	signal(SIGPIPE, SIG_IGN);
	rig_init(&r, NULL);
	pipe_to(&in, &r.o.in_fd);
	close(r.o.out_fd);
	pipe_to(&r.o.out_fd, &answer.fd);
	r.script.out_fd = -1;
	r.script.gone = true;
	r.o.check_ms = 1000;
	r.o.signal_fd = -1;
	rig_start(&r);
	/* For three seconds, or until no receipt comes any more. */
	while (n < 3000 && write(in, SKIPPED, strlen(SKIPPED)) > 0 && poll(&answer, 1, 2000) == 1) {
		ck_assert_int_gt(read(answer.fd, part, sizeof part), 0);
		usleep(1000);
		n++;
	}
	close(in);
	pthread_join(r.thread, NULL);
	ck_assert_int_eq(r.rc, RP_ERR_IO);
	ck_assert_str_eq(r.err.text, "the script took it away");
	ck_assert_uint_gt(r.counts.skipped, 0);
	close(answer.fd);
	rig_close(&r);
}
END_TEST

/* As large as ingest makes it, so that no room is left then. */
static void fill_pipe(int fd)
{
	static const char zeros[1 << 20];

	ck_assert_int_eq(fcntl(fd, F_SETPIPE_SZ, sizeof zeros), (int)sizeof zeros);
	ck_assert_int_eq(write(fd, zeros, sizeof zeros), (ssize_t)sizeof zeros);
}

START_TEST(who_waits_for_a_reader_notices_that_the_outbox_is_gone)
{
	struct rig r;
	int receipts;

	rig_init(&r, RUN("r1") "\n");
	close(r.o.out_fd);
	pipe_to(&r.o.out_fd, &receipts);
	r.script.out_fd = -1;
	fill_pipe(r.o.out_fd);
	r.script.gone = true;
	r.o.check_ms = 50;
	rig_run(&r);
	ck_assert_int_eq(r.rc, RP_ERR_IO);
	ck_assert_str_eq(r.err.text, "the script took it away");
	close(receipts);
	rig_close(&r);
}
END_TEST

/* --- with the real store ------------------------------------------------------------ */

static void ingest_into(struct rp_outbox *ob, const char *text, struct rp_ingest_counts *counts)
{
	struct rig r;

	rig_init(&r, text);
	r.o.to = rp_appender_of(ob);
	rig_run(&r);
	ck_assert_msg(r.rc == RP_OK, "%s", r.err.text);
	*counts = r.counts;
	rig_close(&r);
}

START_TEST(sending_everything_again_yields_duplicates_only)
{
	char dir[] = "/tmp/rp-ingest-XXXXXX", remove_dir[64];
	const struct rp_outbox_options options = {.create = true, .map_bytes = (uint64_t)1 << 30};
	struct rp_ingest_counts counts;
	struct rp_ledger ledger;
	struct rp_outbox *ob;
	struct rp_error err = {0};
	size_t len;
	char *text = many_runs(5000, &len);

	ck_assert_ptr_nonnull(mkdtemp(dir));
	ck_assert_msg(rp_outbox_open(dir, &options, &ob, &err) == RP_OK, "%s", err.text);
	ingest_into(ob, text, &counts);
	ck_assert_uint_eq(counts.queued, 5000);
	ingest_into(ob, text, &counts);
	ck_assert_uint_eq(counts.queued, 0);
	ck_assert_uint_eq(counts.duplicate, 5000);
	ingest_into(ob, RUN("same") "\n" RUN("same") "\n", &counts);
	ck_assert_uint_eq(counts.queued, 1);
	ck_assert_uint_eq(counts.duplicate, 1);
	ck_assert_int_eq(rp_outbox_ledger(ob, &ledger, &err), RP_OK);
	ck_assert_uint_eq(ledger.accepted, 5001);
	ck_assert_uint_eq(ledger.waiting, 5001);
	rp_outbox_close(ob);
	snprintf(remove_dir, sizeof remove_dir, "rm -r %s", dir);
	ck_assert_int_eq(system(remove_dir), 0);
	free(text);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("ingest");
	TCase *tc = tcase_create("ingest");

	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, every_line_gets_its_receipt_in_order);
	tcase_add_test(tc, a_skipped_run_is_named_when_it_has_an_id);
	tcase_add_test(tc, the_default_webhook_serves_runs_that_name_none);
	tcase_add_test(tc, a_last_line_without_line_feed_is_a_line);
	tcase_add_test(tc, no_receipt_leaves_before_its_commit_has_returned);
	tcase_add_test(tc, a_failed_commit_has_no_receipts_but_earlier_ones_keep_theirs);
	tcase_add_test(tc, a_flood_is_committed_in_large_batches);
	tcase_add_test(tc, a_flood_is_stored_although_no_thread_can_be_had_for_it_at_first);
	tcase_add_test(tc, a_single_line_does_not_wait_for_others);
	tcase_add_test(tc, a_full_store_is_tried_again_and_nothing_is_lost_or_doubled);
	tcase_add_test(tc, a_batch_that_does_not_fit_is_stored_in_smaller_ones);
	tcase_add_test(tc, without_patience_a_full_store_ends_it_with_no_receipt);
	tcase_add_loop_test(tc, a_store_that_is_away_is_waited_for_and_nothing_is_answered_before,
			    0, 2);
	tcase_add_test(tc, a_flood_outlasts_a_store_that_goes_away);
	tcase_add_test(tc, a_signal_ends_the_wait_for_a_store_that_is_away);
	tcase_add_test(tc, a_producer_may_write_everything_before_it_reads_a_receipt);
	tcase_add_test(tc, unread_receipts_stop_the_intake);
	tcase_add_test(tc, a_reader_that_went_away_is_told_in_words);
	tcase_add_test(tc, a_signal_finishes_complete_lines_and_leaves_the_cut_one);
	tcase_add_test(tc, rejected_lines_are_kept_as_they_came);
	tcase_add_test(tc, an_overlong_line_goes_to_the_rejects_whole_and_in_order);
	tcase_add_loop_test(tc, a_flood_of_everything_is_answered_line_by_line, 0,
			    sizeof fits / sizeof fits[0]);
	tcase_add_test(tc, rejects_that_cannot_be_kept_end_it_before_their_receipts);
	tcase_add_test(tc, a_rejects_file_is_private_and_appended_to);
	tcase_add_test(tc, who_waits_for_input_notices_that_the_outbox_is_gone);
	tcase_add_test(tc, who_stores_nothing_notices_that_the_outbox_is_gone);
	tcase_add_test(tc, who_waits_for_a_reader_notices_that_the_outbox_is_gone);
	tcase_add_test(tc, sending_everything_again_yields_duplicates_only);
	suite_add_tcase(s, tc);
	return s;
}

int main(void)
{
	SRunner *sr = srunner_create(suite());
	int failed;

	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed != 0;
}
