/* stock - fills an outbox with entries faster than they could be delivered, and empties it again,
 * with a watch in hand.
 *
 *   stock fill DIR N      N entries of 300 bytes: a third delivered, a third dead, a third waiting
 *                         at a paused endpoint
 *   stock retire DIR [N]  removes them as senders (retention) and runpostctl (purge) do; N:
 *                         transactions of each kind
 *
 * Run ids are ordered by time (UUIDv7). Nothing is sent: claims are settled as if it had been. For
 * each kind of transaction the result, a JSON object on stdout, has the number, the entries a
 * second, and how long they took. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/outbox.h"

#define PAYLOAD_BYTES 300
#define APPEND_MAX 1000
#define CLAIM_MAX 256
#define EXPIRE_MAX 250 /* as src/deliver/sender_maintenance.c */
#define PURGE_MAX 200  /* as runpostctl */

static const char *const urls[] = {"http://127.0.0.1:9/stock/good", "http://127.0.0.1:9/stock/bad",
				   "http://127.0.0.1:9/stock/waiting"};

/* How long each transaction of one kind took. */
struct watch {
	const char *name;
	int64_t *us;
	size_t n, cap;
	uint64_t entries;
	int64_t start_us;
};

static void die(const char *what)
{
	fprintf(stderr, "stock: %s\n", what);
	exit(1);
}

static void check(enum rp_err rc, const struct rp_error *err)
{
	if (rc != RP_OK)
		die(err->text);
}

static int64_t now_ms(void)
{
	return rp_sys_wall_ms(&rp_sys_real);
}

static void begin(struct watch *w)
{
	w->start_us = rp_sys_stopwatch_us();
}

static void end(struct watch *w, size_t entries)
{
	if (w->n == w->cap) {
		w->cap = w->cap != 0 ? 2 * w->cap : 1024;
		w->us = reallocarray(w->us, w->cap, sizeof *w->us);
		if (w->us == NULL)
			die("out of memory");
	}
	w->us[w->n++] = rp_sys_stopwatch_us() - w->start_us;
	w->entries += entries;
}

static int by_value(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

static void print(const struct watch *watches, size_t n)
{
	size_t i, k;

	for (i = 0; i < n; i++) {
		const struct watch *w = &watches[i];
		int64_t sum_us = 0;

		if (w->n == 0)
			die("there was nothing to do");
		for (k = 0; k < w->n; k++)
			sum_us += w->us[k];
		qsort(w->us, w->n, sizeof *w->us, by_value);
		printf("%s\"%s\":{\"transactions\":%zu,\"per_s\":%.0f,\"p50_ms\":%.3f,\"p99_ms\":%."
		       "3f,\"max_ms\":%.3f}",
		       i == 0 ? "{" : ",", w->name, w->n, (double)w->entries * 1e6 / (double)sum_us,
		       (double)w->us[w->n / 2] / 1e3, (double)w->us[w->n * 99 / 100] / 1e3,
		       (double)w->us[w->n - 1] / 1e3);
	}
	printf("}\n");
}

static void make_entry(struct rp_new_entry *e, const char *url, char text[64], int64_t at_ms)
{
	static uint64_t random = 1;
	static char payload[PAYLOAD_BYTES];

	random = random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	snprintf(text, 64, "r%08" PRIx64 "-%04" PRIx64 "-7%03" PRIx64 "-8%03" PRIx64 "-%012" PRIx64,
		 (uint64_t)at_ms >> 16, (uint64_t)at_ms & 0xffff, random >> 52,
		 random >> 40 & 0xfff, random >> 16);
	memset(payload, 'x', sizeof payload);
	memset(e, 0, sizeof *e);
	e->endpoint = e->url = rp_span_of(url);
	e->run_id = rp_span_of(text + 1);
	e->dedupe_key = rp_span_of(text);
	e->payload = (struct rp_span){payload, sizeof payload};
}

static void append(struct rp_outbox *ob, const char *url, uint64_t n, struct watch *w)
{
	static struct rp_new_entry entries[APPEND_MAX];
	static struct rp_appended appended[APPEND_MAX];
	static char texts[APPEND_MAX][64];
	struct rp_error err = {0};
	size_t part, i;

	for (; n > 0; n -= part) {
		part = n < APPEND_MAX ? n : APPEND_MAX;
		for (i = 0; i < part; i++)
			make_entry(&entries[i], url, texts[i], now_ms());
		begin(w);
		check(rp_outbox_append(ob, now_ms(), entries, part, appended, &err), &err);
		end(w, part);
	}
}

static void limits(void *arg, struct rp_span name, struct rp_level_limits *out)
{
	const struct rp_limits all = {.in_flight = 2 * CLAIM_MAX, .start = 2 * CLAIM_MAX};

	(void)arg;
	(void)name;
	*out = (struct rp_level_limits){{all, all, all}, {"", 0}};
}

/* Claims all that may be claimed, and settles it so. */
static void deliver(struct rp_outbox *ob, enum rp_settle_kind kind, struct watch *w)
{
	static struct rp_settlement settle[CLAIM_MAX];
	static struct rp_claim claims[CLAIM_MAX];
	struct rp_outcome outcome = {.cause = kind == RP_SETTLE_DELIVERED ? RP_CAUSE_NONE
									  : RP_CAUSE_HTTP,
				     .http_status = kind == RP_SETTLE_DELIVERED ? 200 : 400};
	struct rp_exchange turn = {.settle = settle,
				   .want = CLAIM_MAX,
				   .want_unproven = CLAIM_MAX,
				   .claims = claims,
				   .limits = limits};
	struct rp_error err = {0};
	size_t i;

	do {
		turn.n_settle = turn.n_claims;
		for (i = 0; i < turn.n_settle; i++)
			settle[i] = (struct rp_settlement){.seq = claims[i].seq,
							   .endpoint = claims[i].endpoint,
							   .claim_no = claims[i].claim_no,
							   .attempt = claims[i].attempt,
							   .kind = kind,
							   .cause = outcome.cause,
							   .started_at_ms = now_ms(),
							   .outcome = &outcome};
		begin(w);
		check(rp_outbox_exchange(ob, now_ms(), &turn, &err), &err);
		end(w, turn.n_settle);
	} while (turn.n_claims > 0 || turn.n_settle > 0);
}

static bool find_waiting(void *arg, uint64_t id, struct rp_span name, const struct rp_endpoint *e)
{
	(void)e;
	if (rp_span_is(name, urls[2]))
		*(uint64_t *)arg = id;
	return true;
}

static void fill(struct rp_outbox *ob, uint64_t n)
{
	struct watch watches[] = {{.name = "append"}, {.name = "turn"}};
	struct rp_error err = {0};
	uint64_t waiting = 0;

	append(ob, urls[0], n / 3, &watches[0]);
	deliver(ob, RP_SETTLE_DELIVERED, &watches[1]);
	append(ob, urls[1], n / 3, &watches[0]);
	deliver(ob, RP_SETTLE_DEAD, &watches[1]);
	append(ob, urls[2], n / 3, &watches[0]);
	check(rp_outbox_endpoints(ob, (struct rp_endpoints_which){RP_ENDPOINTS_PATHS, 0},
				  find_waiting, &waiting, &err),
	      &err);
	check(rp_outbox_endpoint_pause(ob, now_ms(), waiting, true, &err), &err);
	print(watches, 2);
}

struct seqs {
	uint64_t seq[PURGE_MAX];
	size_t n;
};

static bool take_seq(void *arg, const struct rp_entry *entry)
{
	struct seqs *s = arg;

	s->seq[s->n++] = entry->seq;
	return true; /* max_seen stops it */
}

static void retire(struct rp_outbox *ob, size_t max)
{
	struct watch watches[] = {{.name = "expire"}, {.name = "purge"}};
	const struct rp_filter waiting = {.states = RP_STATE_BIT(RP_STATE_WAITING)};
	struct rp_select select = {.filter = &waiting,
				   .by_number = true,
				   .max_seen = PURGE_MAX,
				   .see = take_seq,
				   .more = true};
	enum rp_changed results[PURGE_MAX];
	struct rp_error err = {0};
	struct seqs s;
	size_t n;

	do {
		begin(&watches[0]);
		check(rp_outbox_expire(ob, now_ms() + 1000, 1, 1, EXPIRE_MAX, &n, &err), &err);
		end(&watches[0], n);
	} while (n == EXPIRE_MAX && watches[0].n < max);
	while (select.more && watches[1].n < max) {
		s.n = 0;
		select.arg = &s;
		check(rp_outbox_select(ob, &select, &err), &err);
		if (s.n == 0)
			continue;
		begin(&watches[1]);
		check(rp_outbox_change(ob, now_ms(), RP_CHANGE_PURGE, 0, s.seq, s.n, 0, results,
				       &err),
		      &err);
		end(&watches[1], s.n);
	}
	rp_outbox_select_end(ob, &select);
	print(watches, 2);
}

int main(int argc, char **argv)
{
	struct rp_outbox_options options = {
	    .create = true, .map_bytes = UINT64_C(128) << 30, .quota_bytes = UINT64_C(64) << 30};
	bool filling = argc == 4 && strcmp(argv[1], "fill") == 0;
	struct rp_error err = {0};
	struct rp_sender_id me;
	struct rp_outbox *ob;

	if (!filling && (argc < 3 || argc > 4 || strcmp(argv[1], "retire") != 0)) {
		fprintf(stderr, "usage: stock fill DIR N | stock retire DIR [N]\n");
		return 64;
	}
	options.sender = filling; /* nobody relies on what it fills in */
	check(rp_outbox_open(argv[2], &options, &ob, &err), &err);
	if (filling) {
		check(rp_outbox_join(ob, now_ms(), rp_sys_boot_ms(&rp_sys_real), &me, &err), &err);
		fill(ob, strtoull(argv[3], NULL, 10));
		check(rp_outbox_leave(ob, now_ms(), &err), &err);
	} else {
		retire(ob, argc == 4 ? strtoull(argv[3], NULL, 10) : SIZE_MAX);
	}
	rp_outbox_close(ob);
	return 0;
}
