/* usage: damage --work DIR [--seed N] [--variants N] [--seconds S] [--one KIND,N]
 *
 * --one KIND,N: only that variant, as a line about a violation names it; the same file each time.
 *
 * Damages the data file of an outbox in thousands of ways and works on each: opens it, verifies
 * it, lists it, sends from it, changes it, each in a process of its own. No process may end by a
 * signal or hang or touch memory beside the copies of pages that LMDB works on, and nothing may be
 * sent that is not exactly what came in. The last line: `damage: variants=.. ... violations=..`. */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "guarded_malloc.h"
#include "store/outbox.h"

enum { N_ENTRIES = 160, N_ENDPOINTS = 5, PAGE = 4096, HANG_S = 20 };
#define NOW_MS INT64_C(1795439210000)
#define VARIANTS_OF_SEED UINT64_C(1000000) /* a variant's number says of which seed it is */

enum kind { BITS, BYTES, TAIL, ZEROED, MISDIRECTED, META, HEADER, N_KINDS };
static const char *const kind_names[] = {"bits",        "bytes", "tail",  "zeroed",
					 "misdirected", "meta",  "header"};

/* What the child did, in memory that its parent sees. */
struct trace {
	const char *stage; /* of this program's text, which both have at the same place */
	uint64_t seq;
	bool named;   /* the damage was told: an error, a problem of verify, a dead letter */
	bool wrong;   /* something else was sent than came in */
	bool overran; /* memory beside one of LMDB's pages was read or written */
	uint64_t sent;
};
static struct trace *trace;
static char dir[300];
static uint64_t random_state;
static struct {
	unsigned char id[RP_ID_BYTES];
	char *payload;
	size_t bytes;
	char url[100];
} entries[N_ENTRIES + 1];

static uint64_t draw(uint64_t n)
{
	uint64_t z = random_state += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return n > 0 ? (z ^ z >> 31) % n : 0;
}

/* Ids come from here, so that a variant is the same file each time. */
static void draw_bytes(void *arg, void *out, size_t n)
{
	unsigned char *p = out;

	(void)arg;
	while (n-- > 0)
		*p++ = (unsigned char)draw(256);
}

static int64_t draw_no_time(void *arg)
{
	(void)arg;
	return NOW_MS;
}

static const struct rp_sys drawn = {draw_no_time, draw_no_time, draw_bytes, NULL};

static void must(bool ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "damage: %s: %s\n", what, strerror(errno));
	exit(70);
}

/* --- the outbox --------------------------------------------------------------------------- */

/* Some paths of each host share the limits of a section. */
static void limits(void *arg, struct rp_span name, struct rp_level_limits *out)
{
	const struct rp_limits all = {.in_flight = 1000, .start = 1000};

	(void)arg;
	*out = (struct rp_level_limits){{all, all, all}, {"", 0}};
	if (name.len > 0 && name.ptr[name.len - 1] % 2 != 0)
		out->section = rp_span_of("shared");
}

static void append_all(struct rp_outbox *ob)
{
	struct rp_appended got;
	struct rp_error err;
	char endpoint[64], key[16], order[16];
	size_t i, k;

	for (i = 1; i <= N_ENTRIES; i++) {
		struct rp_new_entry e = {0};

		entries[i].bytes = 1 + draw(i % 20 == 0 ? 30000 : 300);
		entries[i].payload = malloc(entries[i].bytes);
		must(entries[i].payload != NULL, "memory");
		for (k = 0; k < entries[i].bytes; k++)
			entries[i].payload[k] = (char)('a' + draw(26));
		snprintf(endpoint, sizeof endpoint, "https://e%zu.example/hook/%zu",
			 i % N_ENDPOINTS / 2, i % N_ENDPOINTS);
		snprintf(entries[i].url, sizeof entries[i].url, "%s?token=%zu", endpoint, i);
		snprintf(key, sizeof key, "i%zu", i);
		snprintf(order, sizeof order, "%s", i % 7 == 0 ? "one" : "");
		e.endpoint = rp_span_of(endpoint);
		e.url = rp_span_of(entries[i].url);
		e.order_by = rp_span_of(order);
		e.dedupe_key = rp_span_of(key);
		e.payload = (struct rp_span){entries[i].payload, entries[i].bytes};
		must(rp_outbox_append(ob, NOW_MS, &e, 1, &got, &err) == RP_OK && got.seq == i,
		     "append");
		memcpy(entries[i].id, got.id, RP_ID_BYTES);
	}
}

/* Some of each state, with attempts. */
static void work_on(struct rp_outbox *ob)
{
	struct rp_claim claims[N_ENTRIES];
	struct rp_settlement settle[N_ENTRIES];
	struct rp_outcome outcome = {.cause = RP_CAUSE_HTTP, .http_status = 503};
	struct rp_exchange exchange = {
	    .claims = claims, .want = 100, .want_unproven = 100, .limits = limits};
	struct rp_sender_id id;
	enum rp_changed changed;
	struct rp_error err;
	uint64_t seq;
	size_t i;

	must(rp_outbox_join(ob, NOW_MS, 1000, &id, &err) == RP_OK, "join");
	must(rp_outbox_exchange(ob, NOW_MS + 1, &exchange, &err) == RP_OK, "exchange");
	for (i = 0; i < exchange.n_claims; i++)
		settle[i] = (struct rp_settlement){.seq = claims[i].seq,
						   .endpoint = claims[i].endpoint,
						   .claim_no = claims[i].claim_no,
						   .attempt = claims[i].attempt,
						   .started_at_ms = NOW_MS,
						   .outcome = &outcome,
						   .due_at_ms = NOW_MS + 1000,
						   .kind = i % 3 == 0   ? RP_SETTLE_DELIVERED
							   : i % 3 == 1 ? RP_SETTLE_RETRY
									: RP_SETTLE_DEAD,
						   .cause = RP_CAUSE_EXHAUSTED};
	exchange.n_settle = exchange.n_claims;
	exchange.settle = settle;
	exchange.want = 20;
	must(rp_outbox_exchange(ob, NOW_MS + 2, &exchange, &err) == RP_OK, "exchange");
	for (seq = 11; seq <= N_ENTRIES; seq += 13)
		must(rp_outbox_change(ob, NOW_MS + 3,
				      seq % 2 == 0 ? RP_CHANGE_HOLD : RP_CHANGE_PURGE, 0, &seq, 1,
				      0, &changed, &err) == RP_OK,
		     "change");
	/* it ends without leaving: what it claimed is to be returned */
}

/* --- what is done to a damaged one -------------------------------------------------------- */

static void problem(void *arg, const char *text)
{
	(void)arg;
	(void)text;
	trace->named = true;
}

static bool see_entry(void *arg, const struct rp_entry *e)
{
	(void)arg;
	trace->seq = e->seq;
	trace->named = trace->named || e->damaged;
	return true;
}

static void see_attempt(void *arg, uint32_t n, const struct rp_attempt *a, bool damaged)
{
	(void)arg;
	(void)n;
	(void)a;
	trace->named = trace->named || damaged;
}

static bool see_endpoint(void *arg, uint64_t id, struct rp_span name, const struct rp_endpoint *e)
{
	(void)arg;
	(void)id;
	(void)name;
	(void)e;
	return true;
}

/* An error is an answer. A program ends with the ones that are not about one entry. */
static bool fine(enum rp_err e)
{
	if (e == RP_OK)
		return true;
	trace->named = true;
	return e == RP_ERR_NOTFOUND || e == RP_ERR_STALE || e == RP_ERR_DAMAGED;
}

static void look(struct rp_outbox *ob)
{
	const struct rp_filter every = {0}, dead = {.states = RP_STATE_BIT(RP_STATE_DEAD)};
	struct rp_select by_number = {.filter = &every,
				      .by_number = true,
				      .max_seen = 50,
				      .see = see_entry,
				      .more = true},
			 by_state = {
			     .filter = &dead, .max_seen = 50, .see = see_entry, .more = true};
	struct rp_verify slices = {.max_rows = 5, .problem = problem}, whole = {.problem = problem};
	struct rp_buf body = {0};
	struct rp_outbox_info info;
	struct rp_ledger ledger;
	struct rp_error err;
	uint64_t seq;
	enum rp_err e;
	int i;

	trace->stage = "verify";
	for (e = RP_OK; e == RP_OK && !slices.done;)
		e = rp_outbox_verify(ob, &slices, &err);
	fine(e);
	trace->stage = "verify --full";
	fine(rp_outbox_verify(ob, &whole, &err));
	trace->stage = "select";
	for (i = 0; i < 100 && by_number.more && fine(rp_outbox_select(ob, &by_number, &err)); i++)
		continue;
	rp_outbox_select_end(ob, &by_number);
	for (i = 0; i < 100 && by_state.more && fine(rp_outbox_select(ob, &by_state, &err)); i++)
		continue;
	rp_outbox_select_end(ob, &by_state);
	trace->stage = "attempts and bodies";
	for (seq = 1; seq <= N_ENTRIES; seq++) {
		trace->seq = seq;
		fine(rp_outbox_attempts(ob, seq, see_attempt, NULL, &err));
		rp_buf_clear(&body);
		if (rp_outbox_body(ob, seq, &body, &err) == RP_OK &&
		    (body.len != entries[seq].bytes ||
		     memcmp(body.data, entries[seq].payload, body.len) != 0))
			trace->wrong = true;
	}
	rp_buf_release(&body);
	trace->stage = "endpoints, info, ledger";
	fine(rp_outbox_endpoints(ob, (struct rp_endpoints_which){RP_ENDPOINTS_PATHS, 0},
				 see_endpoint, NULL, &err));
	fine(rp_outbox_info(ob, &info, &err));
	fine(rp_outbox_ledger(ob, &ledger, &err));
}

/* What would go out must be what came in, to where it was meant for. */
static void check_dispatch(const struct rp_dispatch *d)
{
	size_t i;

	for (i = 1; i <= N_ENTRIES; i++)
		if (memcmp(d->facts.id, entries[i].id, RP_ID_BYTES) == 0)
			break;
	trace->sent++;
	if (i > N_ENTRIES || d->payload.len != entries[i].bytes ||
	    memcmp(d->payload.ptr, entries[i].payload, entries[i].bytes) != 0 ||
	    !rp_span_is(d->facts.url, entries[i].url))
		trace->wrong = true;
}

static void deliver(struct rp_outbox *ob)
{
	static struct rp_claim claims[64];
	static struct rp_settlement settle[64];
	struct rp_exchange exchange = {
	    .claims = claims, .settle = settle, .want = 64, .want_unproven = 64, .limits = limits};
	struct rp_outcome good = {.http_status = 200}, damaged = {.cause = RP_CAUSE_DAMAGED};
	struct rp_dispatch d = {0};
	struct rp_sender_id id;
	struct rp_error err;
	size_t n, i;
	int round;

	trace->stage = "join";
	if (rp_outbox_join(ob, NOW_MS + 5000, 1000000, &id, &err) != RP_OK) {
		trace->named = true;
		return;
	}
	if (!fine(rp_outbox_reap(ob, NOW_MS + 5000, 1000000, 30000, &n, &err)))
		return;
	for (round = 0; round < 60; round++) {
		trace->stage = "exchange";
		if (rp_outbox_exchange(ob, NOW_MS + 5000 + round, &exchange, &err) != RP_OK) {
			trace->named = true;
			break;
		}
		for (i = 0; i < exchange.n_claims; i++) {
			enum rp_err e;

			trace->stage = "fetch";
			trace->seq = claims[i].seq;
			e = rp_outbox_fetch(ob, &claims[i], &d, &err);
			if (e == RP_OK)
				check_dispatch(&d);
			fine(e);
			settle[i] = (struct rp_settlement){.seq = claims[i].seq,
							   .endpoint = claims[i].endpoint,
							   .claim_no = claims[i].claim_no,
							   .attempt = claims[i].attempt,
							   .started_at_ms = NOW_MS,
							   .outcome = e == RP_OK ? &good : &damaged,
							   .kind = e == RP_OK ? RP_SETTLE_DELIVERED
									      : RP_SETTLE_DEAD,
							   .cause = RP_CAUSE_DAMAGED};
		}
		exchange.n_settle = exchange.n_claims;
		if (exchange.n_claims == 0)
			break;
	}
	rp_dispatch_release(&d);
	trace->stage = "leave";
	fine(rp_outbox_leave(ob, NOW_MS + 6000, &err));
}

static void change(struct rp_outbox *ob)
{
	struct rp_new_entry e = {.endpoint = rp_span_of("https://new.example/"),
				 .url = rp_span_of("https://new.example/"),
				 .dedupe_key = rp_span_of("new"),
				 .payload = rp_span_of("{}")};
	enum rp_changed results[N_ENTRIES];
	uint64_t seqs[N_ENTRIES];
	struct rp_appended got;
	struct rp_error err;
	size_t n, i;

	for (i = 0; i < N_ENTRIES; i++)
		seqs[i] = i + 1;
	trace->stage = "append";
	fine(rp_outbox_append(ob, NOW_MS + 7000, &e, 1, &got, &err));
	trace->stage = "replay";
	fine(rp_outbox_change(ob, NOW_MS + 7000, RP_CHANGE_REPLAY, 0, seqs, 40, 0, results, &err));
	trace->stage = "expire";
	fine(rp_outbox_expire(ob, NOW_MS + 90000000, 1000, 1000, 500, &n, &err));
	trace->stage = "purge";
	fine(rp_outbox_change(ob, NOW_MS + 8000, RP_CHANGE_PURGE, 0, seqs, N_ENTRIES, 0, results,
			      &err));
}

static void (*end_on_damage)(int number, siginfo_t *info, void *context);

static void on_segv(int number, siginfo_t *info, void *context)
{
	if (guarded_malloc_owns(info->si_addr)) {
		trace->overran = true;
		_exit(RP_EXIT_DATA);
	}
	end_on_damage(number, info, context);
}

static void watch_memory(void)
{
	struct sigaction action = {.sa_sigaction = on_segv, .sa_flags = SA_SIGINFO}, before;

	sigemptyset(&action.sa_mask);
	sigaction(SIGSEGV, &action, &before);
	end_on_damage = before.sa_sigaction;
	guarded_malloc_arm();
}

static void child(void)
{
	struct rp_outbox_options o = {.map_bytes = 64 << 20, .sys = &drawn};
	struct rp_outbox *ob;
	struct rp_error err;

	alarm(HANG_S);
	rp_outbox_end_on_damage("damage");
	watch_memory();
	trace->stage = "open";
	if (rp_outbox_open(dir, &o, &ob, &err) != RP_OK) {
		trace->named = true;
		_exit(0);
	}
	look(ob);
	deliver(ob);
	change(ob);
	trace->stage = "close";
	rp_outbox_close(ob);
	_exit(0);
}

/* --- damaging ----------------------------------------------------------------------------- */

static size_t damage(enum kind kind, unsigned char *data, size_t n)
{
	size_t pages = n / PAGE, at, k;

	switch (kind) {
	case BITS:
		for (k = 1 + draw(8); k > 0; k--)
			data[draw(n)] ^= (unsigned char)(1u << draw(8));
		break;
	case BYTES:
		for (at = draw(n), k = 1 + draw(64); k > 0 && at < n; k--)
			data[at++] = (unsigned char)draw(256);
		break;
	case TAIL:
		return draw(2) == 0 ? draw(n) : draw(pages) * PAGE;
	case ZEROED:
		at = draw(pages) * PAGE;
		memset(data + at, 0, PAGE);
		break;
	case MISDIRECTED:
		memmove(data + draw(pages) * PAGE, data + draw(pages) * PAGE, PAGE);
		break;
	case META: /* both of them, or the other one would be taken */
		at = 16 + draw(136);
		k = draw(8);
		data[at] ^= (unsigned char)(1u << k);
		data[PAGE + at] ^= (unsigned char)(1u << k);
		break;
	case HEADER:
		for (k = 1 + draw(3); k > 0; k--)
			data[(2 + draw(pages - 2)) * PAGE + draw(40)] ^=
			    (unsigned char)(1u << draw(8));
		break;
	case N_KINDS:
		break;
	}
	return n;
}

static void write_file(const char *name, const unsigned char *data, size_t n)
{
	char path[400];
	int fd;

	snprintf(path, sizeof path, "%s/%s", dir, name);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	must(fd >= 0 && write(fd, data, n) == (ssize_t)n && close(fd) == 0, path);
}

static unsigned char *read_file(const char *name, size_t *n)
{
	char path[400];
	struct stat st;
	unsigned char *data;
	int fd;

	snprintf(path, sizeof path, "%s/%s", dir, name);
	fd = open(path, O_RDONLY);
	must(fd >= 0 && fstat(fd, &st) == 0, path);
	*n = (size_t)st.st_size;
	data = malloc(*n + 1);
	must(data != NULL && read(fd, data, *n) == (ssize_t)*n && close(fd) == 0, path);
	return data;
}

static struct {
	uint64_t variants, named, ended_65, signals[N_KINDS], hangs, wrong, overran, sent;
} sums;

static void try_one(enum kind kind, uint64_t number, const unsigned char *sound, size_t n,
		    unsigned char *data)
{
	struct timespec t0, t1;
	int status;
	pid_t pid;

	random_state = number * N_KINDS + kind;
	memcpy(data, sound, n);
	write_file("data.mdb", data, damage(kind, data, n));
	write_file("lock.mdb", data, 0);
	memset(trace, 0, sizeof *trace);
	clock_gettime(CLOCK_MONOTONIC, &t0);
	fflush(NULL);
	pid = fork();
	must(pid >= 0, "fork");
	if (pid == 0)
		child();
	while (waitpid(pid, &status, 0) < 0)
		must(errno == EINTR, "wait");
	clock_gettime(CLOCK_MONOTONIC, &t1);
	sums.variants++;
	sums.sent += trace->sent;
	sums.named += trace->named || (WIFEXITED(status) && WEXITSTATUS(status) == RP_EXIT_DATA);
	sums.ended_65 += WIFEXITED(status) && WEXITSTATUS(status) == RP_EXIT_DATA;
	if (WIFSIGNALED(status)) {
		if (WTERMSIG(status) == SIGALRM)
			sums.hangs++;
		else
			sums.signals[kind]++;
		printf("variant %s,%" PRIu64 ": signal %d in %s at entry %" PRIu64 "\n",
		       kind_names[kind], number, WTERMSIG(status), trace->stage, trace->seq);
	}
	if (trace->overran) {
		sums.overran++;
		printf("variant %s,%" PRIu64
		       ": memory beside a page is touched, in %s at entry %" PRIu64 "\n",
		       kind_names[kind], number, trace->stage, trace->seq);
	}
	if (trace->wrong) {
		sums.wrong++;
		printf("variant %s,%" PRIu64
		       ": something else is sent or shown than came in, in %s at entry %" PRIu64
		       "\n",
		       kind_names[kind], number, trace->stage, trace->seq);
	}
}

static double seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
	    {"work", 1, NULL, 'w'},    {"seed", 1, NULL, 's'}, {"variants", 1, NULL, 'n'},
	    {"seconds", 1, NULL, 't'}, {"one", 1, NULL, 'o'},  {NULL, 0, NULL, 0}};
	struct rp_outbox_options o = {
	    .create = true, .map_bytes = 64 << 20, .disk_reserve_bytes = 1, .sys = &drawn};
	uint64_t seed = 1, variants = 2000, i, bad = 0;
	const char *work = ".", *one = NULL;
	unsigned char *sound, *data;
	struct rp_outbox *ob;
	struct rp_error err;
	double until = 0;
	size_t n;
	int c, k;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (c == 'w')
			work = optarg;
		else if (c == 's')
			seed = strtoull(optarg, NULL, 10);
		else if (c == 'n')
			variants = strtoull(optarg, NULL, 10);
		else if (c == 't')
			until = seconds() + strtod(optarg, NULL), variants = UINT64_MAX;
		else if (c == 'o')
			one = optarg;
		else
			return 64;
	}
	rp_log_setup("damage", getenv("DAMAGE_LOG") != NULL ? RP_LOG_DEBUG : RP_LOG_ERROR);
	snprintf(dir, sizeof dir, "%s/damaged", work);
	if (one != NULL)
		seed = strtoull(one + strcspn(one, ",") + 1, NULL, 10) / VARIANTS_OF_SEED;
	random_state = seed;
	trace =
	    mmap(NULL, sizeof *trace, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	must(trace != MAP_FAILED, "mmap");
	must(rp_outbox_open(dir, &o, &ob, &err) == RP_OK, "open");
	append_all(ob);
	work_on(ob);
	rp_outbox_close(ob);
	sound = read_file("data.mdb", &n);
	data = malloc(n);
	must(data != NULL, "memory");
	if (one != NULL) {
		for (k = 0; k < N_KINDS; k++)
			if (strncmp(one, kind_names[k], strlen(kind_names[k])) == 0)
				try_one((enum kind)k, strtoull(strchr(one, ',') + 1, NULL, 10),
					sound, n, data);
	}
	if (freopen("/dev/null", "w", stderr) == NULL)
		return 70;
	for (i = 0; one == NULL && i < variants && (until == 0 || seconds() < until); i++)
		try_one((enum kind)(i % N_KINDS), seed * VARIANTS_OF_SEED + i, sound, n, data);
	printf("damage: variants=%" PRIu64 " bytes=%zu named=%" PRIu64 " ended_65=%" PRIu64
	       " sent=%" PRIu64 " wrong=%" PRIu64 " overran=%" PRIu64 " hangs=%" PRIu64,
	       sums.variants, n, sums.named, sums.ended_65, sums.sent, sums.wrong, sums.overran,
	       sums.hangs);
	for (k = 0; k < N_KINDS; k++) {
		printf(" signals_%s=%" PRIu64, kind_names[k], sums.signals[k]);
		bad += sums.signals[k];
	}
	bad += sums.wrong + sums.overran + sums.hangs;
	printf(" violations=%" PRIu64 "\n", bad);
	return bad > 0 ? 1 : 0;
}
