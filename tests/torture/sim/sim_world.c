/* What happens, and when. */
#include "sim.h"

#include <errno.h>
#include <ftw.h>
#include <inttypes.h>
#include <poll.h>
#include <stdarg.h>
#include <time.h>
#include <unistd.h>

#include "store/lmdb/host/registry.h"

#define START_MS INT64_C(1795435200000)
#define VERIFY_MS (20 * 60000)
#define QUIET_MS INT64_C(60000) /* of nothing to do for anybody before the end is asked for */

/* --- chance and time ---------------------------------------------------------------------- */

uint64_t sim_random(void)
{
	uint64_t z = sim.random += UINT64_C(0x9e3779b97f4a7c15); /* splitmix64 */

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

int64_t sim_about_ms(int64_t mean_ms)
{
	uint64_t scale = sim_below(8); /* a factor of 1/8 to 8 and more */

	return 1 + (int64_t)sim_below((uint64_t)mean_ms) * (int64_t)(1u << (scale / 2)) / 3;
}

static int64_t wall(void *arg)
{
	(void)arg;
	return sim_wall_ms();
}

static int64_t boot(void *arg)
{
	(void)arg;
	return sim.boot_ms;
}

static void random_bytes(void *arg, void *out, size_t n)
{
	unsigned char *p = out;

	(void)arg;
	while (n-- > 0)
		*p++ = (unsigned char)(sim_random() >> 32);
}

const struct rp_sys sim_sys = {wall, boot, random_bytes, NULL};

void sim_note(const char *what, uint64_t a, uint64_t b)
{
	const uint64_t facts[] = {(uint64_t)sim.boot_ms, a, b};
	const unsigned char *p = (const unsigned char *)facts;
	size_t i;

	for (i = 0; what[i] != '\0'; i++)
		sim.trace = (sim.trace ^ (unsigned char)what[i]) * UINT64_C(1099511628211);
	for (i = 0; i < sizeof facts; i++)
		sim.trace = (sim.trace ^ p[i]) * UINT64_C(1099511628211);
	if (sim.verbose)
		printf("  %13lld %s %llu %llu\n", (long long)sim.boot_ms, what,
		       (unsigned long long)a, (unsigned long long)b);
}

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
	(void)st;
	(void)flag;
	(void)ftw;
	return remove(path);
}

void sim_broken(const char *file, int line, const char *fmt, ...)
{
	char text[400];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	printf("seed %llu, %lld ms: %s:%d: %s\n", (unsigned long long)sim.seed,
	       (long long)sim.boot_ms, file, line, text);
	fflush(stdout);
	if (sim.dir[0] != '\0')
		nftw(sim.dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	_exit(1);
}

void sim_must(enum rp_err e, const struct rp_error *err, const char *what)
{
	MUST(e == RP_OK, "%s: %s: %s", what, rp_err_name(e), err->text);
}

/* --- configuration ------------------------------------------------------------------------ */

static void draw_retries(struct sim_section *s)
{
	unsigned i;

	s->base_ms = (int64_t)(1 + sim_below(20)) * 1000;
	s->factor = 2 + (unsigned)sim_below(3);
	s->cap_ms = (int64_t)(30 + sim_below(600)) * 1000;
	s->attempts = 2 + (unsigned)sim_below(9);
	s->n_schedule = sim_chance(25) ? 1 + (unsigned)sim_below(8) : 0;
	for (i = 0; i < s->n_schedule; i++)
		s->schedule_ms[i] = (int64_t)(1 + sim_below(300)) * 1000;
	if (s->n_schedule > 0)
		s->attempts = s->n_schedule + 1;
	if (s->attempts > s->attempts_max)
		s->attempts_max = s->attempts;
	if (s->attempts_min == 0 || s->attempts < s->attempts_min)
		s->attempts_min = s->attempts;
}

static void draw_limits(struct sim_section *s)
{
	bool shared = s->shares;

	s->in_flight = 1 + (unsigned)sim_below(sim_chance(30) ? 40 : 6);
	s->timeout_ms = (int64_t)(2 + sim_below(30)) * 1000;
	s->rate_count = sim_chance(50) ? 0 : 1 + (unsigned)sim_below(60);
	s->rate_period_ms = sim_chance(70) ? 1000 : 60000;
	if (s->rate_count > 0 && s->rate_period_ms > 1000)
		s->rate_count += 20;
	s->breaker = sim_chance(75);
	s->shares = sim_chance(60);
	if (s->shares != shared)
		sim_section_empty(s);
}

/* Its limits hold from now on. */
static void set_limits(struct sim_level *level, unsigned in_flight, unsigned rate_count,
		       unsigned rate_period_ms, bool breaker)
{
	if (rate_count != level->rate_count || rate_period_ms != level->rate_period_ms)
		level->n_wire_times = 0; /* a new rate begins anew */
	if (level->breaker && !breaker) {
		level->open = level->half_open = false;
		if (level->n_opened > level->n_opened_before)
			level->n_opened_before = level->n_opened;
		level->n_opened = 0;
	}
	level->in_flight = in_flight;
	if (in_flight > level->in_flight_most)
		level->in_flight_most = in_flight;
	level->rate_free = level->rate_free || rate_count == 0;
	level->rate_count = rate_count;
	level->rate_period_ms = rate_period_ms;
	level->breaker = breaker;
}

static void set_section_limits(struct sim_section *s)
{
	const unsigned own_rate = s->shares ? 0 : s->rate_count;
	unsigned i;

	for (i = s->first_ep; i < s->first_ep + s->n_eps; i++)
		set_limits(&sim.eps[i].level, s->in_flight, own_rate, s->rate_period_ms,
			   s->breaker);
	set_limits(&s->level, s->in_flight, s->rate_count - own_rate, s->rate_period_ms, false);
}

/* A host has no less than any of its sections asks for. */
static void set_host_limits(struct sim_host *h)
{
	unsigned in_flight = 1, a_second = 0, i;
	bool breaker = true;

	for (i = 0; i < N_SECTIONS; i++) {
		const struct sim_section *s = &sim.sections[i];

		if (&sim.hosts[s->host] != h)
			continue;
		breaker = breaker && s->breaker;
		if (s->in_flight > in_flight)
			in_flight = s->in_flight;
		if (s->rate_count > 0 && s->rate_count * 1000 / s->rate_period_ms >= a_second)
			a_second = s->rate_count * 1000 / s->rate_period_ms + 1;
	}
	if (h->level.breaker && !breaker)
		h->n_bad_since = 0;
	set_limits(&h->level, in_flight + (unsigned)sim_below(12),
		   sim_chance(50) ? 0 : a_second + 1 + (unsigned)sim_below(10), 1000, breaker);
}

static void write_rate(struct rp_buf *out, const char *key, unsigned count, unsigned period_ms)
{
	if (count > 0)
		rp_buf_printf(out, "%s = %u/%s\n", key, count, period_ms == 1000 ? "s" : "m");
}

static void write_retries(const struct sim_section *s, struct rp_buf *out)
{
	unsigned k;

	if (s->n_schedule == 0) {
		rp_buf_printf(out,
			      "retry_base = %" PRId64 "ms\nretry_factor = %u\nretry_cap = %" PRId64
			      "ms\nretry_attempts = %u\n",
			      s->base_ms, s->factor, s->cap_ms, s->attempts);
		return;
	}
	rp_buf_add_text(out, "retry_schedule =");
	for (k = 0; k < s->n_schedule; k++)
		rp_buf_printf(out, " %" PRId64 "ms", s->schedule_ms[k]);
	rp_buf_add_char(out, '\n');
}

static void section_name(unsigned i, char out[24])
{
	snprintf(out, 24, "e%u-%u", i, sim.sections[i].n_names);
}

/* Its name at its host is that of its record. */
static void name_section(unsigned i)
{
	struct sim_section *s = &sim.sections[i];
	char name[24];

	section_name(i, name);
	snprintf(s->level.name, sizeof s->level.name, "%s [%s]", sim.hosts[s->host].level.name,
		 name);
}

static void write_section(unsigned i, struct rp_buf *out)
{
	const struct sim_section *s = &sim.sections[i];
	const struct sim_level *host = &sim.hosts[s->host].level;
	char name[24];

	section_name(i, name);
	rp_buf_printf(out,
		      "[endpoint \"%s\"]\nurl = %s\nin_flight = %u\ntimeout = %" PRId64
		      "ms\nconnect_timeout = 1s\nbreaker = %s\nshared_limits = %s\n"
		      "host_in_flight = %u\n",
		      name, s->url, s->in_flight, s->timeout_ms, s->breaker ? "on" : "off",
		      s->shares ? "yes" : "no", host->in_flight);
	write_rate(out, "rate", s->rate_count, s->rate_period_ms);
	write_rate(out, "host_rate", host->rate_count, host->rate_period_ms);
	write_retries(s, out);
	if (s->is_signed)
		rp_buf_add_text(out, "secret_env = SIM_KEY\n");
}

/* A key that is valid, or has just ceased to be, or will. */
static void draw_key(void)
{
	char key[200] = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", at[RP_TIME_TEXT_MAX];

	if (sim.faults && sim_chance(40))
		snprintf(key + strlen(key), 100, " not-after=%s",
			 rp_time_format(
			     sim_wall_ms() + (int64_t)sim_below(2 * HOUR_MS) - HOUR_MS / 2, at));
	setenv("SIM_KEY", key, 1);
}

static struct rp_settings *make_settings(void)
{
	struct rp_settings *s = calloc(1, sizeof *s);
	struct rp_buf text = {0};
	struct rp_error err;
	unsigned i;

	MUST(s != NULL, "out of memory");
	rp_buf_printf(&text,
		      "[outbox]\nkeep_delivered = %" PRId64 "ms\nkeep_dead = %" PRId64
		      "ms\n[sender]\nlease = %" PRId64 "ms\nstop_grace = 20s\n",
		      sim.keep_ms, 2 * sim.keep_ms, sim.lease_ms);
	for (i = 0; i < N_SECTIONS; i++)
		write_section(i, &text);
	draw_key();
	rp_config_init(&s->config);
	sim_must(
	    rp_config_parse(&s->config, "sim.conf", (struct rp_span){text.data, text.len}, &err),
	    &err, "config");
	sim_must(rp_settings_load_secrets(s, &err), &err, "secrets");
	rp_buf_release(&text);
	return s;
}

/* Of some the limits, of some the delays, of some the name. */
static void draw_sections(unsigned limits_percent, unsigned retries_percent, unsigned names_percent)
{
	unsigned i;

	for (i = 0; i < N_SECTIONS; i++) {
		struct sim_section *s = &sim.sections[i];

		if (sim_chance(limits_percent))
			draw_limits(s);
		if (sim_chance(retries_percent))
			draw_retries(s);
		if (sim_chance(names_percent)) {
			s->n_names++;
			sim_section_empty(s);
		}
		name_section(i);
		set_section_limits(s);
	}
	for (i = 0; i < N_HOSTS; i++)
		set_host_limits(&sim.hosts[i]);
}

static void reload(void)
{
	struct rp_error err;
	struct rp_settings *old = sim.settings;
	int i;

	draw_sections(40, 20, 5);
	sim_note("reload", 0, 0);
	sim.counts.reloads++;
	/* each sender owns a copy; what the ones to come begin with is another */
	for (i = 0; i < SENDERS_MAX; i++)
		if (sim.actors[i].alive && !sim.actors[i].crashed) {
			(void)rp_sender_reload(sim.actors[i].sender, make_settings(), &err);
			sim.actors[i].wake_boot_ms = sim.boot_ms;
		}
	sim.settings = make_settings();
	(void)old; /* senders may still point at it; the process ends with the seed */
	for (i = 0; i < N_EPS; i++)
		sim.eps[i].parked_until_ms = 0;
}

/* --- senders ------------------------------------------------------------------------------ */

static void bury(struct sim_actor *a)
{
	sim_net_drop(a);
	rp_sender_free(a->sender);
	a->sender = NULL;
	sim_handle_free(a->ob);
	a->ob = NULL;
	a->alive = a->crashed = a->told_to_stop = a->stopping = false;
	a->crash_in = 0;
	a->crash_after = false;
}

static void give_birth(struct sim_actor *a)
{
	struct rp_sender_options o = {
	    .transport = &a->transport, .settings = sim.settings, .sys = &sim_sys};
	struct rp_error err = {.text = ""};
	enum rp_err e;

	a->birth = ++sim.births;
	a->ob = sim_handle_new();
	a->last_beat_boot_ms = a->wake_boot_ms = sim.boot_ms;
	a->standing_until_boot_ms = 0;
	sim_net_init(a);
	o.outbox = a->ob;
	o.in_flight = a->places = 1 + (unsigned)sim_below(60);
	a->n_unproven = a->n_orphaned = 0;
	sim_note("birth", (uint64_t)a->birth, o.in_flight);
	if (sim.faults && sim_chance(10)) {
		a->crash_in = 1 + (int)sim_below(5);
		a->crash_after = sim_chance(50);
	}
	e = rp_sender_new(&o, &a->sender, &err);
	a->alive = e == RP_OK;
	MUST(e == RP_OK || a->crashed, "a sender does not start: %s", err.text);
	if (a->alive)
		return;
	sim_handle_free(a->ob);
	a->ob = NULL;
	a->crashed = false;
	a->crash_in = 0;
	a->crash_after = false;
}

static void step(struct sim_actor *a)
{
	struct rp_error err = {.text = ""};
	bool done = false;
	int64_t began_boot_ms;
	int wait_ms = 0;
	enum rp_err e;

	a->stood = false;
	a->step_at_ms = sim_wall_ms();
	began_boot_ms = sim.boot_ms;
	e = rp_sender_step(a->sender, &wait_ms, &done, &err);
	MUST(e == RP_OK || a->crashed, "a sender ends: %s", err.text);
	sim_check_step();
	if (e != RP_OK || done || a->crashed) {
		sim_note(a->crashed ? "dead" : "stopped", (uint64_t)a->birth, 0);
		bury(a);
		sim_check_step();
		return;
	}
	a->stopping = a->told_to_stop;
	sim_model_stepped(a, began_boot_ms);
	MUST(wait_ms >= 0, "waits for %d ms", wait_ms);
	a->wake_boot_ms = sim.boot_ms + wait_ms;
	if (sim_chance(3)) /* the scheduler has others, too */
		a->wake_boot_ms += (int64_t)sim_below(sim_chance(10) ? 3000 : 30);
}

/* Senders whose descriptor is readable go on at once. */
static void hear_bells(void)
{
	struct pollfd fd = {.events = POLLIN};
	int i;

	for (i = 0; i < SENDERS_MAX; i++) {
		struct sim_actor *a = &sim.actors[i];

		if (!a->alive || a->wake_boot_ms <= sim.boot_ms)
			continue;
		fd.fd = rp_lmdb_of(a->ob)->inotify_fd;
		if (poll(&fd, 1, 0) > 0)
			a->wake_boot_ms = sim.boot_ms;
	}
}

/* When a sender goes on: its wait is over, or a request is; not while it stands still. */
static int64_t goes_on_at(const struct sim_actor *a)
{
	int64_t at_ms = a->wake_boot_ms, net_ms = sim_net_next_boot_ms(a);

	if (!a->alive)
		return INT64_MAX;
	if (net_ms < at_ms)
		at_ms = net_ms;
	return at_ms > a->standing_until_boot_ms ? at_ms : a->standing_until_boot_ms;
}

/* --- what comes in ------------------------------------------------------------------------ */

enum { BATCH_MAX = 24 };

struct incoming {
	struct sim_entry e;
	char url[128], order[24];
	unsigned char dedupe_key[9];
	char *payload;
};

/* Each section has as much to do, however many paths it has. */
static unsigned some_path(void)
{
	const struct sim_section *s = &sim.sections[sim_below(N_SECTIONS)];

	return s->first_ep + (unsigned)sim_below(s->n_eps);
}

static void draw_incoming(struct incoming *in)
{
	struct sim_entry *e = &in->e;

	memset(in, 0, sizeof *in);
	e->ep = some_path();
	e->order = sim_chance(30) ? 1 + (unsigned)sim_below(ORDERS_PER_EP) : 0;
	e->payload_seed = sim_random();
	e->payload_bytes = 1 + sim_below(sim_chance(3) ? sim_chance(10) ? 200000 : 20000 : 200);
	if (sim_chance(10))
		e->due_at_ms = sim_wall_ms() + (int64_t)sim_below(HOUR_MS);
	if (sim_chance(10))
		e->expires_at_ms = (e->due_at_ms != 0 ? e->due_at_ms : sim_wall_ms()) + 1 +
				   (int64_t)sim_below(HOUR_MS);
	snprintf(in->url, sizeof in->url, "%s?t=%x", sim.eps[e->ep].url,
		 (unsigned)sim_below(1000000));
	if (e->order != 0)
		snprintf(in->order, sizeof in->order, "order %u", e->order);
	in->dedupe_key[0] = 'i';
	memcpy(in->dedupe_key + 1, &e->payload_seed, 8);
	in->payload = malloc(e->payload_bytes);
	MUST(in->payload != NULL, "out of memory");
	sim_payload(e->payload_seed, in->payload, e->payload_bytes);
}

static void append(const struct incoming *in, size_t n, struct rp_appended *got)
{
	struct rp_new_entry entries[BATCH_MAX];
	struct rp_error err;
	size_t i;

	memset(entries, 0, sizeof entries);
	for (i = 0; i < n; i++) {
		entries[i].endpoint = rp_span_of(sim.eps[in[i].e.ep].level.name);
		entries[i].url = rp_span_of(in[i].url);
		entries[i].order_by = rp_span_of(in[i].order);
		entries[i].dedupe_key =
		    (struct rp_span){(const char *)in[i].dedupe_key, sizeof in[i].dedupe_key};
		entries[i].payload = (struct rp_span){in[i].payload, in[i].e.payload_bytes};
		entries[i].not_before_at_ms = in[i].e.due_at_ms;
		entries[i].expires_at_ms = in[i].e.expires_at_ms;
	}
	sim_must(rp_outbox_append(sim.base, sim_wall_ms(), entries, n, got, &err), &err, "append");
}

static void ingest(void)
{
	size_t n = 1 + (size_t)sim_below(sim_chance(10) ? BATCH_MAX : 5), i;
	struct rp_appended got[BATCH_MAX], again[BATCH_MAX];
	struct incoming in[BATCH_MAX];

	for (i = 0; i < n; i++)
		draw_incoming(&in[i]);
	append(in, n, got);
	for (i = 0; i < n; i++) {
		MUST(!got[i].duplicate, "a new one is a duplicate");
		memcpy(in[i].e.id, got[i].id, RP_ID_BYTES);
		sim_model_added(got[i].seq, &in[i].e);
	}
	for (i = 0; i < n; i++)
		sim_model_handed(got[i].seq, sim_wall_ms());
	sim_note("ingest", n, got[0].seq);
	if (sim_chance(20)) { /* the receipts were lost: all of it comes once more */
		append(in, n, again);
		for (i = 0; i < n; i++)
			MUST(again[i].duplicate && again[i].seq == got[i].seq &&
				 memcmp(again[i].id, got[i].id, RP_ID_BYTES) == 0,
			     "sent again, and entry %llu became %llu",
			     (unsigned long long)got[i].seq, (unsigned long long)again[i].seq);
	}
	for (i = 0; i < n; i++)
		free(in[i].payload);
}

/* --- operators ---------------------------------------------------------------------------- */

static void change_some(enum rp_change verb)
{
	enum rp_changed results[16];
	struct rp_error err;
	uint64_t seqs[16];
	size_t n = 0, i, want = 1 + (size_t)sim_below(16);

	if (sim.n_entries == 0)
		return;
	for (; n < want; n++) {
		seqs[n] = 1 + sim_below(sim.n_entries);
		if (sim_chance(70) && sim.n_entries > 200) /* mostly young ones */
			seqs[n] = sim.n_entries - sim_below(200);
		for (i = 0; i < n && seqs[i] != seqs[n]; i++)
			continue;
		if (i < n)
			break;
	}
	sim_must(rp_outbox_change(sim.base, sim_wall_ms(), verb, 0, seqs, n, 0, results, &err),
		 &err, "change");
	for (i = 0; i < n; i++)
		sim_model_changed(seqs[i], verb, results[i]);
	if (verb == RP_CHANGE_PURGE)
		sim_model_endpoints_gone();
}

static void probe_now(struct sim_level *level)
{
	if (level->probe_at_ms > sim_wall_ms())
		level->probe_at_ms = sim_wall_ms();
}

static bool pause_level(struct sim_level *level, enum rp_level which, bool pause)
{
	struct rp_error err;
	uint64_t id = sim_level_id(level, which);

	if (id == 0)
		return false;
	sim_note("pause", id, pause);
	sim_must(rp_outbox_endpoint_pause(sim.base, sim_wall_ms(), id, pause, &err), &err, "pause");
	level->paused = pause;
	if (!pause) {
		level->disabled = false;
		probe_now(level);
		sim_model_endpoints_gone();
	}
	return true;
}

/* Whoever resumes a path says that its host is well, too. */
static void pause_path(struct sim_ep *ep, bool pause)
{
	if (pause_level(&ep->level, RP_LEVEL_PATH, pause) && !pause)
		probe_now(&sim_host_of(ep)->level);
}

/* The path, or what counts for it, too. */
static void pause_some_level(unsigned ep, bool pause)
{
	if (sim_chance(75))
		pause_path(&sim.eps[ep], pause);
	else
		pause_level(&sim_host_of(&sim.eps[ep])->level, RP_LEVEL_HOST, pause);
}

/* Mostly one of which something is claimed ahead of its request, if there is one, and then it is
 * paused: that is what a pause has to stop. */
static void pause_some(void)
{
	size_t from = sim.n_held > 0 ? (size_t)sim_below(sim.n_held) : 0, i;
	const struct sim_entry *e;

	for (i = sim_chance(80) ? 0 : sim.n_held; i < sim.n_held; i++) {
		e = &sim.entries[sim.held[(from + i) % sim.n_held]];
		if (e->last_started < e->attempts) {
			pause_some_level(e->ep, true);
			return;
		}
	}
	pause_some_level(some_path(), sim_chance(30));
}

static void operate(void)
{
	static const enum rp_change verbs[] = {RP_CHANGE_REPLAY,  RP_CHANGE_REPLAY,
					       RP_CHANGE_HOLD,    RP_CHANGE_RELEASE,
					       RP_CHANGE_RELEASE, RP_CHANGE_PURGE};

	sim.counts.operator_deeds++;
	if (sim_chance(55))
		change_some(verbs[sim_below(6)]);
	else
		pause_some();
}

/* --- fate --------------------------------------------------------------------------------- */

static struct sim_actor *some_actor(bool alive)
{
	unsigned from = (unsigned)sim_below(SENDERS_MAX), i;

	for (i = 0; i < SENDERS_MAX; i++)
		if (sim.actors[(from + i) % SENDERS_MAX].alive == alive)
			return &sim.actors[(from + i) % SENDERS_MAX];
	return NULL;
}

static void stand_still(void)
{
	struct sim_actor *a = some_actor(true);

	if (a == NULL)
		return;
	a->standing_until_boot_ms = sim.boot_ms + sim_about_ms(sim.lease_ms);
	sim_note("stand", (uint64_t)a->birth, (uint64_t)(a->standing_until_boot_ms - sim.boot_ms));
	sim.counts.stands++;
}

static void step_clock(void)
{
	int64_t by_ms =
	    sim_chance(50) ? (int64_t)sim_below(2 * HOUR_MS) : -(int64_t)sim_below(HOUR_MS / 2);

	if (sim_chance(5))
		by_ms = (int64_t)sim_below(10 * 24 * HOUR_MS);
	sim_note("clock", (uint64_t)by_ms, 0);
	sim.offset_ms += by_ms;
	sim_model_clock_stepped(by_ms);
}

static void plan_crash(void)
{
	struct sim_actor *a = some_actor(true);

	if (a == NULL || a->crash_in != 0)
		return;
	a->crash_in = 1 + (int)sim_below(12);
	a->crash_after = sim_chance(50);
}

static void stop_one(void)
{
	struct sim_actor *a = some_actor(true);

	if (a == NULL)
		return;
	sim_note("stop", (uint64_t)a->birth, 0);
	rp_sender_stop(a->sender);
	a->told_to_stop = true;
	a->wake_boot_ms = sim.boot_ms;
}

static void start_one(void)
{
	struct sim_actor *a = some_actor(false);

	if (a != NULL)
		give_birth(a);
}

static enum sim_mood some_mood(void)
{
	return sim_chance(45) ? MOOD_WELL
			      : (enum sim_mood)sim_below(sim_chance(20) ? N_MOODS : MOOD_GONE);
}

static void change_mood(void)
{
	unsigned ep = some_path();

	sim.eps[ep].mood = some_mood();
	sim_note("mood", ep, (uint64_t)sim.eps[ep].mood);
}

/* All its paths have it. A host says of none that it is gone. */
static void set_host_mood(unsigned host, unsigned well_percent)
{
	static const enum sim_mood moods[] = {MOOD_BUSY, MOOD_REFUSES, MOOD_HANGS, MOOD_SLOW,
					      MOOD_FLAKY};

	sim.hosts[host].mood = sim_chance(well_percent) ? MOOD_WELL : moods[sim_below(5)];
	sim_note("host mood", host, (uint64_t)sim.hosts[host].mood);
}

static void change_host_mood(void)
{
	set_host_mood((unsigned)sim_below(N_HOSTS), 50);
}

static void verify(void)
{
	sim_check_all();
}

/* What happens by itself, and after how long again. */
static struct {
	void (*happen)(void);
	int64_t mean_ms;
	int64_t next_boot_ms;
} fates[] = {
    {ingest, 3000, 0},        {change_mood, 120000, 0},
    {operate, 20000, 0},      {change_host_mood, 240000, 0},
    {plan_crash, 90000, 0},   {start_one, 40000, 0},
    {stop_one, 400000, 0},    {stand_still, 300000, 0},
    {step_clock, 1500000, 0}, {reload, 600000, 0},
    {verify, VERIFY_MS, 0},
};
enum { N_FATES = sizeof fates / sizeof fates[0] };

/* --- the whole ---------------------------------------------------------------------------- */

/* Most hosts have one path. One has many in one section, as if each run had its own; one has three
 * sections. */
static const struct {
	unsigned host, n_eps;
	const char *path;
} receivers[N_SECTIONS] = {
    {0, 1, "/hook"}, {1, 1, "/hook"}, {2, 1, "/hook"}, {3, 1, "/hook"},
    {4, 24, "/run"}, {5, 8, "/a"},    {5, 7, "/b"},    {5, 1, "/c"},
};

static void make_path(struct sim_ep *ep, unsigned section, unsigned k)
{
	char last[16] = "";

	ep->section = section;
	if (receivers[section].n_eps > 1)
		snprintf(last, sizeof last, "/%u", k);
	snprintf(ep->url, sizeof ep->url, "https://h%u.example%s%s", receivers[section].host,
		 receivers[section].path, last);
	memcpy(ep->level.name, ep->url, sizeof ep->url);
}

static void make_receivers(void)
{
	unsigned n_eps = 0, i, k;

	for (i = 0; i < N_HOSTS; i++)
		snprintf(sim.hosts[i].level.name, sizeof sim.hosts[i].level.name,
			 "https://h%u.example", i);
	for (i = 0; i < N_SECTIONS; i++) {
		struct sim_section *s = &sim.sections[i];

		s->host = receivers[i].host;
		s->first_ep = n_eps;
		s->n_eps = receivers[i].n_eps;
		s->is_signed = s->host == 3;
		snprintf(s->url, sizeof s->url, "https://h%u.example%s", s->host,
			 receivers[i].path);
		for (k = 0; k < s->n_eps; k++)
			make_path(&sim.eps[n_eps++], i, k);
	}
	MUST(n_eps == N_EPS, "%u paths", n_eps);
}

static void set_up(uint64_t seed, const char *root)
{
	struct rp_outbox_options o = {.create = true,
				      .map_bytes = UINT64_C(1) << 30,
				      .disk_reserve_bytes = 1,
				      .sys = &sim_sys};
	struct rp_error err;
	unsigned i;

	sim.seed = sim.random = seed;
	sim.trace = UINT64_C(14695981039346656037);
	sim.boot_ms = 1000;
	sim.offset_ms = START_MS;
	sim.faults = true;
	sim.lease_ms = (int64_t)(35 + sim_below(40)) * 1000;
	sim.keep_ms = (int64_t)(10 + sim_below(120)) * 60000;
	snprintf(sim.dir, sizeof sim.dir, "%s/runpost-sim-XXXXXX", root);
	MUST(mkdtemp(sim.dir) != NULL, "%s: %s", sim.dir, strerror(errno));
	sim_must(rp_outbox_open(sim.dir, &o, &sim.base, &err), &err, "open");
	/* Here nothing loses its power. */
	mdb_env_set_flags(rp_lmdb_of(sim.base)->db.env, MDB_NOSYNC, 1);
	sim_must(rp_registry_open(rp_lmdb_of(sim.base), &err), &err, "roster");
	make_receivers();
	draw_sections(100, 100, 0);
	sim.settings = make_settings();
	/* A host that was well for long takes long to count as sick: some are from the start. */
	for (i = 0; i < N_HOSTS; i++)
		set_host_mood(i, 40);
	for (i = 0; i < N_FATES; i++)
		fates[i].next_boot_ms = sim.boot_ms + sim_about_ms(fates[i].mean_ms);
	give_birth(&sim.actors[0]);
}

/* The next thing happens; time goes on to it. false: not before `until`. */
static bool happen(int64_t until_boot_ms)
{
	int64_t at_ms = INT64_MAX;
	int who = 0;
	int i;

	for (i = 0; i < SENDERS_MAX; i++)
		if (goes_on_at(&sim.actors[i]) < at_ms) {
			at_ms = goes_on_at(&sim.actors[i]);
			who = i;
		}
	for (i = 0; sim.faults && i < N_FATES; i++)
		if (fates[i].next_boot_ms < at_ms) {
			at_ms = fates[i].next_boot_ms;
			who = SENDERS_MAX + i;
		}
	if (at_ms > until_boot_ms)
		return false;
	if (at_ms > sim.boot_ms)
		sim.boot_ms = at_ms;
	if (who < SENDERS_MAX) {
		step(&sim.actors[who]);
	} else {
		fates[who - SENDERS_MAX].happen();
		fates[who - SENDERS_MAX].next_boot_ms =
		    sim.boot_ms + sim_about_ms(fates[who - SENDERS_MAX].mean_ms);
		sim_check_step();
	}
	hear_bells();
	return true;
}

static void release_all(void)
{
	enum rp_changed result;
	struct rp_error err;
	uint64_t seq;

	for (seq = 1; seq <= sim.n_entries; seq++) {
		if (sim.entries[seq].state != RP_STATE_HELD || sim.entries[seq].purged)
			continue;
		sim_must(rp_outbox_change(sim.base, sim_wall_ms(), RP_CHANGE_RELEASE, 0, &seq, 1, 0,
					  &result, &err),
			 &err, "release");
		sim_model_changed(seq, RP_CHANGE_RELEASE, result);
	}
}

static void stop_faults(void)
{
	unsigned i;

	sim_note("faults stop", 0, 0);
	sim.faults = false;
	for (i = 0; i < SENDERS_MAX; i++) {
		sim.actors[i].crash_in = 0;
		sim.actors[i].crash_after = false;
		sim.actors[i].standing_until_boot_ms = 0;
	}
	reload(); /* with a key that is valid */
	for (i = 0; i < N_HOSTS; i++) {
		sim.hosts[i].mood = MOOD_WELL;
		pause_level(&sim.hosts[i].level, RP_LEVEL_HOST, false);
	}
	for (i = 0; i < N_EPS; i++) {
		sim.eps[i].mood = MOOD_WELL;
		pause_path(&sim.eps[i], false);
	}
	release_all();
	if (some_actor(true) == NULL)
		start_one();
}

/* Within the longest wait anybody may have planned, what the clock was set back, and what the
 * slowest rate needs. */
static void drain(void)
{
	int64_t latest_boot_ms = sim.boot_ms + sim.back_ms + 4 * HOUR_MS + RETRY_AFTER_MAX_MS;
	struct rp_ledger l;
	struct rp_error err;

	do {
		MUST(happen(latest_boot_ms),
		     "faults have stopped for %lld hours, and it is not drained",
		     (long long)((4 * HOUR_MS + sim.back_ms) / HOUR_MS));
		if (some_actor(true) == NULL)
			start_one();
		sim_must(rp_outbox_ledger(sim.base, &l, &err), &err, "ledger");
	} while (l.waiting > 0 || l.in_flight > 0);
}

void sim_run(uint64_t seed, double hours, const char *root)
{
	int64_t until_boot_ms = (int64_t)(hours * (double)HOUR_MS);
	int i;

	set_up(seed, root);
	while (sim.boot_ms < until_boot_ms && happen(until_boot_ms))
		continue;
	stop_faults();
	drain();
	sim_check_drained();
	for (i = 0; i < SENDERS_MAX; i++)
		if (sim.actors[i].alive)
			bury(&sim.actors[i]);
	sim_check_drained();
	rp_outbox_close(sim.base);
	nftw(sim.dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}
