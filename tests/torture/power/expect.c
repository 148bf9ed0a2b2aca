#include "expect.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

size_t times_before(const struct times *t, size_t event)
{
	size_t n = 0;

	while (n < t->n && t->at[n] < event)
		n++;
	return n;
}

static void refuse(size_t event, const char *why)
{
	fprintf(stderr, "event %zu of the log: %s\n", event, why);
	exit(65);
}

static void times_add(struct times *t, size_t event)
{
	if (t->n == EXPECT_TIMES)
		refuse(event, "too many of one kind for one run");
	t->at[t->n++] = event;
}

struct expect_run *expect_find(struct expect *x, struct rp_span run_id)
{
	size_t i;

	for (i = x->n; i-- > 0;)
		if (x->runs[i].run_id.len == run_id.len &&
		    memcmp(x->runs[i].run_id.ptr, run_id.ptr, run_id.len) == 0)
			return &x->runs[i];
	return NULL;
}

static struct expect_run *find_id(struct expect *x, struct rp_span id)
{
	size_t i;

	for (i = x->n; i-- > 0;)
		if (rp_span_is(id, x->runs[i].id))
			return &x->runs[i];
	return NULL;
}

static struct rp_span word(struct rp_span *rest)
{
	struct rp_span w = {rest->ptr, 0};

	while (w.len < rest->len && rest->ptr[w.len] != ' ' && rest->ptr[w.len] != '\n')
		w.len++;
	rest->ptr += w.len;
	rest->len -= w.len;
	if (rest->len > 0) {
		rest->ptr++;
		rest->len--;
	}
	return w;
}

static size_t number(struct rp_span *rest)
{
	char text[24];
	struct rp_span w = word(rest);

	snprintf(text, sizeof text, "%.*s", (int)w.len, w.ptr);
	return strtoull(text, NULL, 10);
}

/* offer RUN AT BYTES \n LINE */
static void take_offer(struct expect *x, size_t event, struct rp_span rest)
{
	struct expect_run r = {.offered = event, .receipted = EXPECT_NEVER};
	size_t at, bytes;

	r.run_id = word(&rest);
	at = number(&rest);
	bytes = number(&rest);
	r.line = rest;
	if (at + bytes > rest.len || expect_find(x, r.run_id) != NULL)
		refuse(event, "an offer that makes no sense");
	r.payload = (struct rp_span){rest.ptr + at, bytes};
	if (x->n == x->cap) {
		x->cap = x->cap * 2 + 64;
		x->runs = realloc(x->runs, x->cap * sizeof x->runs[0]);
		if (x->runs == NULL)
			abort();
	}
	x->runs[x->n++] = r;
}

static struct rp_span member(struct rp_span line, const char *key)
{
	const char *at = memmem(line.ptr, line.len, key, strlen(key));
	struct rp_span value = {at != NULL ? at + strlen(key) : NULL, 0};

	while (value.ptr != NULL && value.ptr + value.len < line.ptr + line.len &&
	       value.ptr[value.len] != '"')
		value.len++;
	return value;
}

static void take_receipt(struct expect *x, size_t event, struct rp_span line)
{
	struct rp_span id = member(line, "\"id\":\""), run = member(line, "\"run_id\":\"");
	struct expect_run *r = run.ptr != NULL ? expect_find(x, run) : NULL;

	if (r == NULL || id.ptr == NULL || id.len >= sizeof r->id)
		refuse(event, "a receipt that makes no sense");
	if (r->id[0] != '\0') { /* the line was sent again */
		if (!rp_span_is(id, r->id))
			refuse(event, "a second receipt with another id");
		return;
	}
	memcpy(r->id, id.ptr, id.len);
	r->receipted = event;
	/* without `runpost init`, ingest has made it by its first receipt */
	if (x->created == EXPECT_NEVER)
		x->created = event;
}

/* A receipt counts from the write that has its newline. Writes of several ingesters are kept
 * apart. */
struct tail {
	uint32_t pid;
	struct rp_buf text;
};

static void take_receipts(struct expect *x, size_t event, const struct log_event *e,
			  struct tail *tails, size_t n)
{
	struct tail *t = NULL;
	size_t i, from = 0;

	for (i = 0; i < n && t == NULL; i++)
		if (tails[i].pid == e->pid || tails[i].pid == 0)
			t = &tails[i];
	if (t == NULL || !rp_buf_add(&t->text, e->data, e->data_len))
		refuse(event, "too many ingesters");
	t->pid = e->pid;
	for (i = 0; i < t->text.len; i++) {
		if (t->text.data[i] != '\n')
			continue;
		take_receipt(x, event, (struct rp_span){t->text.data + from, i - from});
		from = i + 1;
	}
	memmove(t->text.data, t->text.data + from, t->text.len - from);
	t->text.len -= from;
}

static void take_about_id(struct expect *x, size_t event, struct rp_span verb, struct rp_span rest)
{
	struct expect_run *r = find_id(x, word(&rest));

	if (r == NULL)
		refuse(event, "a mark about an id that no receipt has");
	else if (rp_span_is(verb, "answer"))
		times_add(rest.len > 0 && rest.ptr[0] == '2' ? &r->taken : &r->refused, event);
	else if (rp_span_is(verb, "purging"))
		times_add(&r->purging, event);
	else if (rp_span_is(verb, "saving"))
		times_add(&r->saving, event);
	else if (rp_span_is(verb, "purged"))
		times_add(&r->purged, event);
	else if (rp_span_is(verb, "replaying"))
		times_add(&r->replaying, event);
	else if (rp_span_is(verb, "replayed"))
		times_add(&r->replayed, event);
	else if (rp_span_is(verb, "holding"))
		times_add(&r->holding, event);
	else
		refuse(event, "a mark that nobody knows");
}

/* expiring delivered, expiring all */
static void take_expiry(struct times *delivered, struct times *dead, size_t event,
			struct rp_span what)
{
	times_add(delivered, event);
	if (rp_span_is(what, "all"))
		times_add(dead, event);
}

/* In one of these spans it was already what it must be to be removed: after its `nth` such
 * answer. */
static bool was_in_a_span(const struct times *from, const struct times *to,
			  const struct times *answers, size_t nth, size_t before)
{
	size_t i;

	for (i = 0; i < from->n && from->at[i] < before; i++)
		if (answers->n >= nth && answers->at[nth - 1] < before &&
		    (i >= to->n || answers->at[nth - 1] < to->at[i]))
			return true;
	return false;
}

bool expect_may_have_expired(const struct expect *x, const struct expect_run *r, size_t before)
{
	return was_in_a_span(&x->expiring, &x->expired, &r->taken, 1, before) ||
	       was_in_a_span(&x->expiring_dead, &x->expired_dead, &r->refused, EXPECT_ATTEMPTS,
			     before);
}

/* What was delivered is in a backup only when that was asked for. */
bool expect_is_saved(const struct expect_run *r, size_t before)
{
	size_t purging = times_before(&r->purging, before);

	return purging > 0 && (times_before(&r->taken, before) == 0 ||
			       times_before(&r->saving, before) == purging);
}

void expect_add_backup(struct expect *x, const char *name, const void *data, size_t n)
{
	char quoted[sizeof x->runs[0].id + 2];
	size_t i;

	if (x->n_backups == EXPECT_BACKUPS) {
		fprintf(stderr, "too many backups\n");
		exit(65);
	}
	for (i = 0; i < x->n; i++) {
		int len = snprintf(quoted, sizeof quoted, "\"%s\"", x->runs[i].id);

		if (x->runs[i].id[0] != '\0' && memmem(data, n, quoted, (size_t)len) != NULL)
			x->runs[i].saved_in |= UINT32_C(1) << x->n_backups;
	}
	x->backups[x->n_backups++] = (struct expect_backup){name, data, n};
}

struct expect expect_load(const struct log_file *log)
{
	struct expect x = {.created = EXPECT_NEVER};
	struct tail tails[16] = {0};
	size_t i;

	/* An answer may come before the receipt that tells whose id it is: so receipts first. */
	for (i = 0; i < log->n; i++) {
		struct rp_span text = {log->events[i].data, log->events[i].data_len};

		if (log->events[i].type == LOG_RECEIPT)
			take_receipts(&x, i, &log->events[i], tails,
				      sizeof tails / sizeof tails[0]);
		else if (log->events[i].type == LOG_MARK && rp_span_is(word(&text), "offer"))
			take_offer(&x, i, text);
	}
	for (i = 0; i < log->n; i++) {
		struct rp_span text = {log->events[i].data, log->events[i].data_len}, verb;

		if (log->events[i].type != LOG_MARK)
			continue;
		verb = word(&text);
		if (rp_span_is(verb, "created"))
			x.created = i < x.created ? i : x.created;
		else if (rp_span_is(verb, "begin"))
			x.begin = i;
		else if (rp_span_is(verb, "expiring"))
			take_expiry(&x.expiring, &x.expiring_dead, i, text);
		else if (rp_span_is(verb, "expired"))
			take_expiry(&x.expired, &x.expired_dead, i, text);
		else if (!rp_span_is(verb, "offer"))
			take_about_id(&x, i, verb, text);
	}
	for (i = 0; i < sizeof tails / sizeof tails[0]; i++)
		rp_buf_release(&tails[i].text);
	return x;
}
