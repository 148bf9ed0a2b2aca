/* report.c - prints and records deliveries: a line, a JSON object, a file for the body. What
 * others chose to send is made harmless here before it is shown. */

#include "report.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/sys.h"
#include "base/units.h"
#include "sign/crypto.h"
#include "text/ascii.h"
#include "text/json.h"
#include "text/scan.h"
#include "http_server/target.h"

#define FILE_ID_MAX 100
#define SHOWN_MAX 80 /* bytes of a text from outside in a line */

static enum rp_err fail_memory(struct rp_error *err)
{
	return rp_fail(err, RP_ERR_NOMEM, "out of memory while reporting a delivery");
}

/* The id comes from the network: whatever could lead out of the directory or hide a file becomes
 * '_'. */
static enum rp_err write_body(struct rp_sink_report *report, const struct rp_sink_delivery *d,
			      struct rp_error *err)
{
	struct rp_span id = rp_http_request_find(d->request, "webhook-id"),
		       body = rp_http_request_body(d->request);
	char name[FILE_ID_MAX + 24];
	struct stat st;
	enum rp_err code;
	size_t i;
	int fd;

	if (id.len == 0)
		id = rp_span_of("none");
	for (i = 0; i < id.len && i < FILE_ID_MAX; i++)
		name[i] = rp_char_is_alnum(id.ptr[i]) || id.ptr[i] == '-' ? id.ptr[i] : '_';
	snprintf(name + i, sizeof name - i, ".%" PRIu64, d->n);
	fd = openat(report->dir_fd, name, O_WRONLY | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC,
		    0600);
	if (fd < 0)
		return rp_fail_sys(err, RP_ERR_IO, errno, "cannot make %s in %s", name,
				   report->dir_path);
	if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode) || ftruncate(fd, 0) != 0) {
		close(fd);
		return rp_fail(err, RP_ERR_IO,
			       "%s in %s is there, and no file that could be replaced", name,
			       report->dir_path);
	}
	code = rp_file_write(fd, body, report->dir_path, err);
	if (close(fd) != 0 && code == RP_OK)
		code = rp_fail_sys(err, RP_ERR_IO, errno, "cannot write %s in %s", name,
				   report->dir_path);
	return code;
}

/* Empty texts when the body is no JSON object or has no such string members. */
static void find_run(struct rp_sink_report *report, const struct rp_http_request *request)
{
	struct rp_json_want wants[] = {{.name = "run_id"}, {.name = "status"}};
	/* a body that is no JSON is no error: anything may be POSTed */
	struct rp_scan_error ignored;

	rp_buf_clear(&report->run_id);
	rp_buf_clear(&report->status);
	if (!rp_scan_object(rp_http_request_body(request), wants, 2, &ignored))
		return;
	if (wants[0].type == RP_JSON_STRING &&
	    !rp_json_decode_string(wants[0].raw, &report->run_id))
		rp_buf_clear(&report->run_id);
	if (wants[1].type == RP_JSON_STRING &&
	    !rp_json_decode_string(wants[1].raw, &report->status))
		rp_buf_clear(&report->status);
}

static int shown_status(const struct rp_sink_reply *reply)
{
	return reply->deed == RP_SINK_ANSWER ? reply->answer.status : -1;
}

static struct rp_span buf_span(const struct rp_buf *b)
{
	struct rp_span s = {b->data, b->len};

	return s;
}

static bool add_member(struct rp_buf *out, const char *name, struct rp_span value)
{
	if (!rp_buf_printf(out, ",\"%s\":", name))
		return false;
	return value.len > 0 ? rp_json_quote(value, out) : rp_buf_add_text(out, "null");
}

static bool is_secret_field(struct rp_span name)
{
	return rp_span_is(name, "authorization") || rp_span_is(name, "proxy-authorization") ||
	       rp_span_is(name, "cookie");
}

static bool is_repeated(const struct rp_http_request *r, size_t i)
{
	struct rp_span name = rp_http_request_span(r, r->fields[i].name);
	size_t k;

	for (k = 0; k < i; k++) {
		struct rp_span other = rp_http_request_span(r, r->fields[k].name);

		if (other.len == name.len && memcmp(other.ptr, name.ptr, name.len) == 0)
			return true;
	}
	return false;
}

/* All values of the i-th field's name as one text, joined as RFC 9110 5.2 does. */
static bool join_values(const struct rp_http_request *r, size_t i, struct rp_buf *out)
{
	struct rp_span name = rp_http_request_span(r, r->fields[i].name), other, value;
	size_t k;

	rp_buf_clear(out);
	for (k = i; k < r->n_fields; k++) {
		other = rp_http_request_span(r, r->fields[k].name);
		if (other.len != name.len || memcmp(other.ptr, name.ptr, name.len) != 0)
			continue;
		value = rp_http_request_span(r, r->fields[k].value);
		if ((k > i && !rp_buf_add_text(out, ", ")) ||
		    !rp_buf_add(out, value.ptr, value.len))
			return false;
	}
	return true;
}

static bool add_headers(struct rp_buf *out, struct rp_buf *scratch, const struct rp_http_request *r)
{
	bool ok = rp_buf_add_text(out, ",\"headers\":{");
	const char *joint = "";
	struct rp_span name;
	size_t i;

	for (i = 0; ok && i < r->n_fields; i++) {
		if (is_repeated(r, i))
			continue;
		name = rp_http_request_span(r, r->fields[i].name);
		ok = rp_buf_add_text(out, joint) && rp_json_quote(name, out) &&
		     rp_buf_add_char(out, ':');
		if (ok && is_secret_field(name))
			ok = rp_buf_add_text(out, "\"REDACTED\"");
		else
			ok = ok && join_values(r, i, scratch) &&
			     rp_json_quote(buf_span(scratch), out);
		joint = ",";
	}
	return ok && rp_buf_add_char(out, '}');
}

static bool parse_attempt(struct rp_span text, uint64_t *out)
{
	uint64_t v = 0;
	size_t i;

	for (i = 0; i < text.len; i++) {
		if (!rp_char_is_digit(text.ptr[i]) || i == 18)
			return false;
		v = v * 10 + (uint64_t)(text.ptr[i] - '0');
	}
	*out = v;
	return text.len > 0;
}

static bool add_sha256(struct rp_buf *out, struct rp_span body)
{
	unsigned char hash[RP_SHA256_BYTES];
	char hex[2 * RP_SHA256_BYTES + 1];
	size_t i;

	rp_sha256(&body, 1, hash);
	for (i = 0; i < sizeof hash; i++)
		snprintf(hex + 2 * i, 3, "%02x", hash[i]);
	return rp_buf_printf(out, ",\"bytes\":%zu,\"sha256\":\"%s\"", body.len, hex);
}

static bool render_record(struct rp_sink_report *report, const struct rp_sink_delivery *d)
{
	const struct rp_http_request *r = d->request;
	struct rp_http_target target = rp_http_target_split(rp_http_request_span(r, r->target));
	struct rp_buf *out = &report->record;
	char at[RP_TIME_TEXT_MAX];
	uint64_t attempt;
	bool ok;

	rp_buf_clear(out);
	ok = rp_buf_printf(
	    out, "{\"n\":%" PRIu64 ",\"at\":\"%s\",\"at_ms\":%" PRId64 ",\"monotonic_us\":%" PRId64,
	    d->n, rp_time_format(d->at_ms, at), d->at_ms, rp_sys_stopwatch_us());
	ok = ok && add_member(out, "method", rp_http_request_span(r, r->method));
	ok = ok && add_member(out, "path", target.path);
	ok = ok && add_member(out, "webhook_id", rp_http_request_find(r, "webhook-id"));
	ok = ok &&
	     add_member(out, "webhook_timestamp", rp_http_request_find(r, "webhook-timestamp"));
	if (parse_attempt(rp_http_request_find(r, "runpost-attempt"), &attempt))
		ok = ok && rp_buf_printf(out, ",\"attempt\":%" PRIu64, attempt);
	else
		ok = ok && rp_buf_add_text(out, ",\"attempt\":null");
	ok = ok && add_member(out, "run_id", buf_span(&report->run_id)) &&
	     add_sha256(out, rp_http_request_body(r));
	ok = ok && rp_buf_printf(out, ",\"signature\":\"%s\",\"token\":\"%s\",\"status\":%d",
				 rp_sink_mark_name(d->verdict.signature),
				 rp_sink_mark_name(d->verdict.token), shown_status(d->reply));
	return ok && add_headers(out, &report->scratch, r) && rp_buf_add_text(out, "}\n");
}

/* Printable ASCII as it is, all else as \xNN, so that nothing from outside moves a terminal's
 * cursor. */
static bool add_visible(struct rp_buf *out, struct rp_span text, size_t width)
{
	size_t i, column = 0;

	for (i = 0; i < text.len && i < SHOWN_MAX; i++) {
		unsigned char c = (unsigned char)text.ptr[i];
		bool plain = c >= 0x20 && c < 0x7f && c != '\\';

		if (!(plain ? rp_buf_add_char(out, (char)c) : rp_buf_printf(out, "\\x%02x", c)))
			return false;
		column += plain ? 1 : 4;
	}
	if (i < text.len && !rp_buf_add_text(out, "..."))
		return false;
	while (column++ < width)
		if (!rp_buf_add_char(out, ' '))
			return false;
	return true;
}

static const char *format_size(size_t bytes, char out[24])
{
	static const char *const units[] = {"KB", "MB", "GB", "TB"};
	double v = (double)bytes / 1024;
	size_t i = 0;

	if (bytes < 1024) {
		snprintf(out, 24, "%zu B", bytes);
		return out;
	}
	while (v >= 1024 && i < 3) {
		v /= 1024;
		i++;
	}
	snprintf(out, 24, "%.1f %s", v, units[i]);
	return out;
}

static bool add_clock(struct rp_buf *out, int64_t at_ms)
{
	char at[RP_TIME_TEXT_MAX];

	return rp_buf_printf(out, "%.13s  ", rp_time_format(at_ms, at) + 11);
}

static bool add_reply(struct rp_buf *out, const struct rp_sink_reply *reply, const char *why)
{
	char delay[RP_DURATION_TEXT_MAX];
	bool ok;

	if (reply->deed == RP_SINK_ANSWER)
		ok = rp_buf_printf(out, " -> %d", reply->answer.status);
	else
		ok = rp_buf_printf(out, " -> %s", rp_sink_deed_name(reply->deed));
	if (reply->slow)
		ok = ok && rp_buf_add_text(out, " slowly");
	if (reply->delay_ms > 0)
		ok = ok &&
		     rp_buf_printf(out, " after %s", rp_duration_format(reply->delay_ms, delay));
	if (why != NULL)
		ok = ok && rp_buf_printf(out, "  (%s)", why);
	return ok && rp_buf_add_char(out, '\n');
}

static bool render_line(struct rp_sink_report *report, const struct rp_sink_delivery *d)
{
	const struct rp_http_request *r = d->request;
	struct rp_span id = rp_http_request_find(r, "webhook-id"),
		       attempt = rp_http_request_find(r, "runpost-attempt");
	struct rp_span run = buf_span(&report->run_id);
	struct rp_buf *out = &report->lines;
	char size[24];
	bool ok;

	if (run.len > 8) /* enough to recognise a run by; the record has it all */
		run.len = 8;
	rp_buf_clear(&report->target);
	ok = rp_http_target_show(rp_http_request_span(r, r->target), &report->target);
	ok = ok && add_clock(out, d->at_ms) && rp_buf_printf(out, "#%-5" PRIu64 " ", d->n);
	ok = ok && add_visible(out, rp_http_request_span(r, r->method), 4) &&
	     rp_buf_add_char(out, ' ');
	ok = ok && add_visible(out, buf_span(&report->target), 24);
	ok = ok && rp_buf_add_text(out, "  ") &&
	     add_visible(out, id.len > 0 ? id : rp_span_of("-"), 30);
	ok = ok && rp_buf_add_text(out, "  attempt ") &&
	     add_visible(out, attempt.len > 0 ? attempt : rp_span_of("-"), 2);
	ok =
	    ok && rp_buf_printf(out, "  %9s  run ", format_size(rp_http_request_body(r).len, size));
	ok = ok && add_visible(out, run.len > 0 ? run : rp_span_of("-"), 8) &&
	     rp_buf_add_char(out, ' ');
	ok = ok &&
	     add_visible(out, report->status.len > 0 ? buf_span(&report->status) : rp_span_of("-"),
			 11);
	ok = ok && rp_buf_printf(out, "  signature %-9s  token %-9s",
				 rp_sink_mark_name(d->verdict.signature),
				 rp_sink_mark_name(d->verdict.token));
	return ok && add_reply(out, d->reply, d->verdict.why);
}

enum rp_err rp_sink_report_delivery(struct rp_sink_report *report, const struct rp_sink_delivery *d,
				    struct rp_error *err)
{
	enum rp_err code = RP_OK;

	if (report->quiet && report->record_fd < 0 && report->dir_fd < 0)
		return RP_OK;
	find_run(report, d->request);
	if (report->dir_fd >= 0)
		code = write_body(report, d, err);
	if (code == RP_OK && report->record_fd >= 0) {
		if (!render_record(report, d))
			return fail_memory(err);
		code = rp_file_write(report->record_fd, buf_span(&report->record),
				     report->record_path, err);
	}
	if (code == RP_OK && !report->quiet && !render_line(report, d))
		return fail_memory(err);
	return code;
}

enum rp_err rp_sink_report_malformed(struct rp_sink_report *report, int64_t at_ms, int status,
				     const char *why, struct rp_error *err)
{
	if (report->quiet)
		return RP_OK;
	if (!add_clock(&report->lines, at_ms) ||
	    !rp_buf_printf(&report->lines, "malformed request: %s -> %d\n", why, status))
		return fail_memory(err);
	return RP_OK;
}

enum rp_err rp_sink_report_flush(struct rp_sink_report *report, struct rp_error *err)
{
	enum rp_err code;

	if (report->lines.len == 0)
		return RP_OK;
	code = rp_file_write(STDOUT_FILENO, buf_span(&report->lines), "standard output", err);
	rp_buf_clear(&report->lines);
	return code;
}

static enum rp_err open_dir(struct rp_sink_report *report, const char *path, struct rp_error *err)
{
	if (mkdir(path, 0700) != 0 && errno != EEXIST)
		return rp_fail_sys(err, RP_ERR_IO, errno,
				   "cannot make the directory %s of --record-dir", path);
	report->dir_fd = open(path, O_DIRECTORY | O_RDONLY | O_CLOEXEC);
	if (report->dir_fd < 0)
		return rp_fail_sys(err, RP_ERR_IO, errno, "cannot open %s of --record-dir", path);
	return RP_OK;
}

enum rp_err rp_sink_report_open(struct rp_sink_report *report, const char *record_path,
				const char *dir_path, bool quiet, struct rp_error *err)
{
	enum rp_err code;

	memset(report, 0, sizeof *report);
	report->quiet = quiet;
	report->record_path = record_path;
	report->dir_path = dir_path;
	report->record_fd = report->dir_fd = -1;
	if (record_path != NULL) {
		code = rp_file_append(record_path, &report->record_fd, err);
		if (code != RP_OK)
			return code;
	}
	return dir_path != NULL ? open_dir(report, dir_path, err) : RP_OK;
}

void rp_sink_report_close(struct rp_sink_report *report)
{
	if (report->record_fd >= 0)
		close(report->record_fd);
	if (report->dir_fd >= 0)
		close(report->dir_fd);
	report->record_fd = report->dir_fd = -1;
	rp_buf_release(&report->lines);
	rp_buf_release(&report->record);
	rp_buf_release(&report->scratch);
	rp_buf_release(&report->run_id);
	rp_buf_release(&report->status);
	rp_buf_release(&report->target);
}
